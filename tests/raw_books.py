"""Depth messages of recordings, straight from their lines: what the engine's book is held against.

Nothing of the readers is used, and no number is more than text here. `OF_READER` has a function for each reader of
books by level; `captured` reads captures of venues whose websockets no reader takes.
"""

import csv
import gzip
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
SNAPSHOT_APART_US = 1_000_000  # of Tardis: whole books that were received so much apart are two


class Message(NamedTuple):
    """A depth update or a whole book, levels as (price, size) texts. `update`: it counts as one."""

    snapshot: bool
    bids: list
    asks: list
    update: bool = True


class Market(NamedTuple):
    """Whose messages are wanted: the venue and symbol that the reader gave it."""

    venue: str
    symbol: str


def stream(path: Path) -> io.BufferedReader:
    """A file without its packing."""
    with path.open("rb") as raw:
        head = raw.read(4)
    kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    if kind == "gzip":
        return gzip.open(path, "rb")
    return io.BufferedReader(pa.input_stream(str(path), compression=kind)) if kind else path.open("rb")


def lines(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with stream(path) as file:
            yield from file


def plain(number: float) -> str:
    """As the venue would print it, without an exponent."""
    return f"{Decimal(repr(number)):f}"


# Binance: REST answers and updates with ids


def binance_streams(paths: list[Path], market: Market) -> Iterator[Message]:
    """Messages that count, in order of their ids: a snapshot, then every update from the one it joins."""
    return joined(line.partition(b" ")[2] for line in lines(paths))


def joined(texts: Iterator[bytes]) -> Iterator[Message]:
    waiting, seeded, last_id = [], False, 0
    for text in texts:
        if b'"lastUpdateId"' in text:
            if seeded:
                continue
            found = orjson.loads(text)
            seeded, last_id = True, found["lastUpdateId"]
            yield Message(True, found["bids"], found["asks"], update=False)
            for update in waiting:
                if counts(update, last_id):
                    yield Message(False, update["b"], update["a"])
        elif b'"depthUpdate"' in text:
            update = orjson.loads(text)["data"]
            if not seeded:
                waiting.append(update)
            elif counts(update, last_id):
                yield Message(False, update["b"], update["a"])


def counts(update: dict, last_id: int) -> bool:
    """The venue's rule: futures drop updates with u < lastUpdateId, spot those with u <= lastUpdateId."""
    return update["u"] >= last_id if "pu" in update else update["u"] > last_id


# Tardis


def tardis_updates(paths: list[Path], market: Market) -> Iterator[Message]:
    """Rows received at one time with one exchange time are a message; a run of snapshot rows is a whole book."""
    message, before, seeded = None, None, False
    for row in tardis_rows(paths):
        whole = row["is_snapshot"] == "true"
        seeded |= whole
        if not seeded:
            continue
        now = whole, int(row["local_timestamp"]), int(row["timestamp"])
        runs_on = before is not None and whole == before[0] and (
            now[1] - before[1] < SNAPSHOT_APART_US if whole else now == before
        )  # fmt: skip
        if not runs_on:
            if message is not None:
                yield message
            message = Message(whole, [], [])
        (message.bids if row["side"] == "bid" else message.asks).append((row["price"], row["amount"]))
        before = now
    if message is not None:
        yield message


def tardis_books(paths: list[Path], market: Market) -> Iterator[Message]:
    """Every row is a whole book; a thin one has empty cells."""
    for row in tardis_rows(paths):
        sides = []
        for side in ("bids", "asks"):
            cells = [name for name in row if name.startswith(f"{side}[") and name.endswith(".price") and row[name]]
            sides.append([(row[name], row[name.replace("price", "amount")]) for name in cells])
        yield Message(True, *sides)


def tardis_rows(paths: list[Path]) -> Iterator[dict[str, str]]:
    for path in paths:
        yield from csv.DictReader(line.decode() for line in lines([path]))


# Venues' own messages: a topic, a whole book or what has changed


def sided(found: dict, bids: str, asks: str, whole: bool) -> Message:
    return Message(whole, [level[:2] for level in found[bids]], [level[:2] for level in found[asks]])


def bybit(paths: list[Path], market: Market) -> Iterator[Message]:
    """Archives, and captures in which the connection says whether a market is spot."""
    topic, seeded = re.compile(rb'\\?"topic\\?":\\?"orderbook\.[0-9]+\.([^"\\]+)'), False
    addresses: dict[str, str] = {}
    for line in lines(paths):
        if line.startswith(b'{"t":"connect"'):
            found = orjson.loads(line)
            addresses[found["conn"]] = found["addr"]
        name = topic.search(line[:400])
        if name is None or name[1].decode() != market.symbol:
            continue
        message = orjson.loads(line)
        if "t" in message:
            if message["t"] != "recv" or addresses[message["conn"]].endswith("/spot") != (market.venue == "bybit-spot"):
                continue
            message = orjson.loads(message["data"])
        whole = message["type"] == "snapshot"
        seeded |= whole
        if seeded:
            yield sided(message["data"], "b", "a", whole)


def okx(paths: list[Path], market: Market) -> Iterator[Message]:
    seeded = False
    for message in map(orjson.loads, lines(paths)):
        if message["instId"] == market.symbol:
            whole = message["action"] == "snapshot"
            seeded |= whole
            if seeded:
                yield sided(message, "bids", "asks", whole)


def hyperliquid(paths: list[Path], market: Market) -> Iterator[Message]:
    """Every message is a whole book. A line of the archive wraps it; in a capture a time stands before it."""
    for line in lines(paths):
        found = orjson.loads(line[line.index(b"{") :])
        found = found.get("raw", found)
        if found["channel"] == "l2Book" and found["data"]["coin"] == market.symbol:
            yield Message(True, *([(each["px"], each["sz"]) for each in side] for side in found["data"]["levels"]))


def hftbacktest(paths: list[Path], market: Market) -> Iterator[Message]:
    """Events of the exchange's clock: what has the same two times is a message, a run of whole books is one."""
    for path in paths:
        events = np.load(path)
        if not isinstance(events, np.ndarray):  # an archive
            with events as archive:
                events = archive[archive.files[0]]
        kind, flags = events["ev"] & 0xFF, events["ev"]
        events = events[((flags & (1 << 31)) != 0) & np.isin(kind, (1, 3, 4))]
        message, before = None, None
        columns = (events[name].tolist() for name in ("ev", "exch_ts", "local_ts", "px", "qty"))
        for flag, at_ns, seen_ns, price, size in zip(*columns, strict=True):
            whole = flag & 0xFF in (3, 4)
            if before != (at_ns, seen_ns, whole):
                if message is not None:
                    yield message
                message = Message(whole, [], [])
            before = at_ns, seen_ns, whole
            if flag & 0xFF != 3:
                side = message.asks if flag & (1 << 28) else message.bids
                side.append((f"{price:.8f}", f"{size:.8f}"))
        if message is not None:
            yield message


def databento(paths: list[Path], market: Market) -> Iterator[Message]:
    """The last record of each event shows the best levels. Decoded by the vendor's own library."""
    import databento_dbn

    for path in paths:
        with stream(path) as file:
            decoder = databento_dbn.DBNDecoder()
            decoder.write(file.read())
            numbers, last = {}, None
            for record in decoder.decode():
                if isinstance(record, databento_dbn.SymbolMappingMsg):
                    numbers[record.instrument_id] = record.stype_out_symbol
                elif isinstance(record, databento_dbn.Metadata):
                    named = {each["symbol"] for name in record.mappings for each in record.mappings[name]}
                    numbers |= {int(each): name for name in record.mappings for each in named if each.isdigit()}
                elif hasattr(record, "levels") and numbers.get(record.instrument_id, market.symbol) == market.symbol:
                    last = record
                    if record.flags & 128:
                        yield shown(record)
                        last = None
            if last is not None:
                yield shown(last)


def shown(record) -> Message:
    sides = [
        [
            (f"{Decimal(getattr(each, f'{side}_px')).scaleb(-9):f}", str(getattr(each, f"{side}_sz")))
            for each in record.levels
            if getattr(each, f"{side}_sz")
        ]
        for side in ("bid", "ask")
    ]
    return Message(True, *sides)


OF_READER: dict[str, Callable[[list[Path], Market], Iterator[Message]]] = {
    "binance-streams": binance_streams,
    "tardis-incremental-book-l2": tardis_updates,
    "tardis-book-snapshot-5": tardis_books,
    "tardis-book-snapshot-25": tardis_books,
    "bybit-book": bybit,
    "bybit-stream": bybit,
    "okx-book": okx,
    "hyperliquid-stream": hyperliquid,
    "hftbacktest": hftbacktest,
    "databento-mbp-1": databento,
    "databento-mbp-10": databento,
}


# Captures of websockets by cryptofeed, `<time>: <message>` a line or wrapped


def captured(paths: list[Path]) -> dict[str, list[Message]]:
    """The messages by market, of the markets that a whole book was received of."""
    found: dict[str, list[Message]] = defaultdict(list)
    answers: dict[str, bytes] = {}
    texts: dict[str, list[bytes]] = defaultdict(list)
    prices: dict[tuple[str, int], float] = {}  # of BitMEX, whose updates name a number for the price
    for address, text in received(paths):
        if b'"lastUpdateId"' in text:
            answers[address.partition("symbol=")[2].partition("&")[0]] = text
        elif b'"depthUpdate"' in text:
            texts[orjson.loads(text)["data"]["s"]].append(text)
        else:
            for symbol, message in of_venue(text, prices):
                if found[symbol] or message.snapshot:
                    found[symbol].append(message)
    for symbol, updates in texts.items():
        if symbol in answers:
            found[symbol] = list(joined(iter([answers[symbol], *updates])))
    return {symbol: messages for symbol, messages in found.items() if len(messages) > 1}


def received(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    """(address of a request or "", message)."""
    request = re.compile(rb"(?:(https?://\S+) -> )?[0-9.]+: (\{.*)", re.DOTALL)
    for line in lines(paths):
        if line.startswith(b'{"t":"recv"'):
            yield "", orjson.loads(line)["data"].encode()
        elif match := request.match(line):
            yield (match[1] or b"").decode(), match[2]


def of_venue(text: bytes, prices: dict[tuple[str, int], float]) -> Iterator[tuple[str, Message]]:
    """The depth messages in a text of OKX, Bitget, BitMEX, Kraken, Deribit, or Bybit before its fifth version."""
    found = orjson.loads(text)
    argument = found.get("arg", {})
    if isinstance(argument, dict) and argument.get("channel") == "books" and "data" in found:
        for each in found["data"]:
            symbol = f"{argument.get('instType', '')} {argument['instId']}".strip()
            yield symbol, sided(each, "bids", "asks", found["action"] == "snapshot")
    elif found.get("table") == "orderBookL2":
        yield from of_bitmex(found, prices)
    elif found.get("topic", "").startswith("orderBookL2_25."):
        yield of_old_bybit(found)
    elif found.get("feed") == "book_snapshot":
        yield found["product_id"], Message(True, *(
            [(plain(each["price"]), plain(each["qty"])) for each in found[side]] for side in ("bids", "asks")
        ))  # fmt: skip
    elif found.get("feed") == "book" and "price" in found:
        level = [(plain(found["price"]), plain(found["qty"]))]
        yield found["product_id"], Message(False, *((level, []) if found["side"] == "buy" else ([], level)))
    elif found.get("params", {}).get("channel", "").startswith("book."):
        book = found["params"]["data"]
        sides = ([(plain(price), plain(size)) for _, price, size in book[side]] for side in ("bids", "asks"))
        yield book["instrument_name"], Message(book["type"] == "snapshot", *sides)


def of_bitmex(found: dict, prices: dict[tuple[str, int], float]) -> Iterator[tuple[str, Message]]:
    books: dict[str, Message] = {}
    for each in found["data"]:
        key = each["symbol"], each["id"]
        if "price" in each:
            prices[key] = each["price"]
        book = books.setdefault(each["symbol"], Message(found["action"] == "partial", [], []))
        size = "0" if found["action"] == "delete" else plain(each["size"])
        if key in prices:  # else it is of a market whose whole book is not there yet
            (book.bids if each["side"] == "Buy" else book.asks).append((plain(prices[key]), size))
    yield from books.items()


def of_old_bybit(found: dict) -> tuple[str, Message]:
    data = found["data"]
    whole = found["type"] == "snapshot"
    if not whole:
        levels = [*data["delete"], *data["update"], *data["insert"]]
    else:
        levels = data if isinstance(data, list) else data["order_book"]
    message = Message(whole, [], [])
    for each in levels:
        (message.bids if each["side"] == "Buy" else message.asks).append((each["price"], plain(each.get("size", 0))))
    return found["topic"].partition(".")[2], message
