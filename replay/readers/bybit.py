"""Bybit: public trading CSV, order book archives, and captures of the v5 websocket.

Linear sizes are in base coins, inverse ones in contracts of one dollar. Sides of trades are the taker's; sides of
liquidations are those of the position that was closed, the other way round than on the tape. Orders that only retail
takers meet (RPI) are not in the book, so trades with them are prints off the book.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from perpsim.replay import decimals
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import levels
from perpsim.replay.readers.captures import WRAPPED, Number, Received, decoded, received
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import (
    TEXT,
    WHOLE,
    decimal,
    equals,
    first_line,
    fixed,
    layout,
    numbers_in,
    tables,
    whole,
)
from perpsim.replay.readers.levels import numbers_of
from perpsim.replay.readers.sheet import MARK_DECIMALS, RATE_DECIMALS, REPAIR, Sheet, places, since_1970
from perpsim.replay.readers.text import line_blocks
from perpsim.replay.tape import SELL, Row

CSV_NAME = re.compile(r"(?P<symbol>[A-Z0-9]+)_?-?(?P<day>[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)\.csv")
BOOK_NAME = re.compile(r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})_(?P<symbol>[A-Z0-9]+)_ob[0-9]+\.data")
SECONDS = decimal(9)


class _Csv:
    """What both trade files share."""

    joined = False
    names: tuple[str, ...]
    venue: str

    def recognises(self, file: SourceFile) -> bool:
        """BitMEX's dumps have the same columns, but no numbers for times."""
        row = file.head().split(b"\n", 2)[1:2]
        return set(self.names) <= set(first_line(file)) and not (row and b"D" in row[0].split(b",")[0])

    def market(self, file: SourceFile) -> Market:
        found = CSV_NAME.match(file.name)
        if found is None:
            raise InputError("is not named SYMBOL and day as the archive's files are; rename it", file.place)
        return Market(self.venue, found["symbol"], found["day"] if len(found["day"]) > 7 else None)

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None


class Trades(_Csv):
    """Trades of linear and inverse markets. Files before 2022 run backwards: their rows are sorted by time alone."""

    name, title = "bybit-trades", "Bybit public trading CSV"
    names = ("timestamp", "symbol", "side", "size", "price", "tickDirection", "trdMatchID")
    venue = "bybit"

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        price, size = places(instrument)
        types = {"timestamp": SECONDS, "symbol": TEXT, "side": TEXT, "trdmatchid": TEXT}
        types |= {"size": decimal(size), "price": decimal(price)}
        for file in files:
            shape = layout(file, self.names)
            retail = {"rpi": TEXT} if "rpi" in shape.names else {}
            for table in tables(file, shape, types | retail, findings):
                sheet = Sheet(file, table.line, instrument, findings)
                rows = self._converted(sheet, table.columns)
                if len(rows.line):
                    yield rows

    @staticmethod
    def _converted(sheet: Sheet, column: dict[str, pa.Array]) -> Rows:
        sheet.symbol(column["symbol"], sheet.instrument.symbol)
        seconds, bad = fixed(column["timestamp"])
        sheet.refuse("bad-time", bad, lambda i: f"the timestamp is missing: {REPAIR}")
        code = sheet.side(column["side"], ("Buy",), ("Sell",))
        retail = equals(column["rpi"], "1") if "rpi" in column else np.zeros(len(code), bool)
        code += np.where(retail, Row.OFF_BOOK, Row.TRADE).astype(np.uint8)
        price, value = sheet.price(column["price"]), sheet.size(column["size"])
        return sheet.rows(code, seconds.mantissa, seconds.mantissa, price, value, numbers_in(column["trdmatchid"]))


class SpotTrades(_Csv):
    """Trades of spot markets."""

    name, title = "bybit-spot-trades", "Bybit public spot CSV"
    names = ("id", "timestamp", "price", "volume", "side")
    venue = "bybit-spot"

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        price, size = places(instrument)
        types = {"id": TEXT, "timestamp": WHOLE, "price": decimal(price), "volume": decimal(size), "side": TEXT}
        for file in files:
            shape = layout(file, self.names)
            retail = {"rpi": TEXT} if "rpi" in shape.names else {}
            for table in tables(file, shape, types | retail, findings):
                sheet, column = Sheet(file, table.line, instrument, findings), table.columns
                time_ns = since_1970(whole(column["timestamp"]))
                code = sheet.side(column["side"], ("buy",), ("sell",))
                off_book = equals(column["rpi"], "1") if retail else np.zeros(len(code), bool)
                code += np.where(off_book, Row.OFF_BOOK, Row.TRADE).astype(np.uint8)
                price_ticks, lots = sheet.price(column["price"]), sheet.size(column["volume"], "volume")
                rows = sheet.rows(code, time_ns, time_ns, price_ticks, lots, numbers_in(column["id"]))
                if len(rows.line):
                    yield rows


# Messages of the v5 websocket, which the order book archives consist of too


class Outline(msgspec.Struct, gc=False):
    """Any message of a topic; others (answers to subscriptions) have none."""

    topic: str = ""
    type: str = ""
    ts: Number = 0
    cts: Number = 0
    data: msgspec.Raw = msgspec.Raw(b"")


class Book(msgspec.Struct, gc=False):
    s: str
    u: Number
    b: msgspec.Raw
    a: msgspec.Raw


class Print(msgspec.Struct, gc=False):
    """A trade, or a liquidation of the topic allLiquidation, which lacks i."""

    T: Number
    s: str
    S: str
    v: str
    p: str
    i: str = ""
    RPI: bool = False


class Ticker(msgspec.Struct, gc=False):
    """What is absent has not changed."""

    symbol: str
    markPrice: str = ""
    indexPrice: str = ""
    openInterest: str = ""
    fundingRate: str = ""
    nextFundingTime: str = ""


class Liquidation(msgspec.Struct, gc=False):
    """The topic liquidation, until 2025."""

    updatedTime: Number
    symbol: str
    side: str
    size: str
    price: str


class Filter(msgspec.Struct, gc=False):
    """The steps of a market, of prices or of sizes."""

    tickSize: str = ""
    qtyStep: str = ""
    basePrecision: str = ""


class Listed(msgspec.Struct, gc=False):
    """A market in an answer to instruments-info."""

    symbol: str
    priceFilter: Filter
    lotSizeFilter: Filter
    contractType: str = ""


class Listing(msgspec.Struct, gc=False):
    category: str
    list: list[Listed]


class Answer(msgspec.Struct, gc=False):
    result: Listing


ANSWER = msgspec.json.Decoder(Answer)
OUTLINE = msgspec.json.Decoder(Outline)
BOOK = msgspec.json.Decoder(Book)
PRINTS = msgspec.json.Decoder(list[Print])
TICKER = msgspec.json.Decoder(Ticker)
LIQUIDATION = msgspec.json.Decoder(Liquidation)
TICKER_FIELDS = (
    ("markPrice", Row.MARK, MARK_DECIMALS),
    ("indexPrice", Row.INDEX, MARK_DECIMALS),
    ("fundingRate", Row.FUNDING, RATE_DECIMALS),
    ("openInterest", Row.OPEN_INTEREST, 0),
)


class _Stream:
    """Messages to rows. The book is stamped with the matching engine's time where that is said."""

    joined: bool

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        state = _State(instrument, findings)
        for file in files:
            if not self.joined:
                state = _State(instrument, findings)
            for block in received(file, findings):
                parts = [rows for rows in state.read(file, block) if len(rows.line)]
                if parts:
                    yield levels.in_file_order(parts)


class OrderBook(_Stream):
    """The order book archives: one market a file, no time of receipt."""

    name, title = "bybit-book", "Bybit order book archive (ob200, ob500)"
    joined = False  # every day starts with a whole book

    def recognises(self, file: SourceFile) -> bool:
        return file.head().startswith(b'{"topic":"orderbook.')

    def market(self, file: SourceFile) -> Market:
        found = BOOK_NAME.match(file.name)
        symbol = (
            found["symbol"]
            if found
            else file.head()[:200]
            .partition(b'"topic":"')[2]
            .partition(b'"')[0]
            .rpartition(b".")[2]
            .decode("utf-8", "replace")
        )
        spot = "spot" in file.path.parts
        return Market("bybit-spot" if spot else "bybit", symbol, found["day"] if found else None)


class Capture(_Stream):
    """Captures of the public v5 websocket by cryptofeed: several markets in one file."""

    name, title = "bybit-stream", "Bybit v5 websocket captures"
    joined = True

    def recognises(self, file: SourceFile) -> bool:
        head = file.head()
        return b"bybit.com" in head and head.startswith((b'{"t":"', b"wss://", b"https://")) and b"/v5/" in head

    def market(self, file: SourceFile) -> Market:
        return self.markets(file)[0]

    def markets(self, file: SourceFile) -> list[Market]:
        """All markets of the file that there are rows of."""
        found: dict[Market, None] = {}
        for block in received(file, Findings(record=True)):
            for address, text in zip(block.connection, block.texts, strict=True):
                topic = text[:80].partition(b'"topic":"')[2].partition(b'"')[0].decode("ascii", "replace")
                if topic.startswith(TOPICS):
                    found[Market(_venue(address), topic.rpartition(".")[2])] = None
        if not found:
            raise InputError("holds no message of a topic that is known; leave it out", file.place)
        return sorted(found)

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        """The market's facts, where the recorder asked the venue for them."""
        market = market or self.market(file)
        block = next(iter(line_blocks(file)))
        for line in block.data.split(b"\n")[:FACTS_IN]:
            if b"/v5/market/instruments-info" not in line[:300]:
                continue
            try:
                listing = ANSWER.decode(WRAPPED.decode(line).data).result
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            of_venue = (listing.category == "spot") == (market.venue == "bybit-spot")
            found = next((each for each in listing.list if of_venue and each.symbol == market.symbol), None)
            if found is not None:
                lot = found.lotSizeFilter.qtyStep or found.lotSizeFilter.basePrecision
                return Instrument(
                    market.venue, market.symbol, listing.category, _trimmed(found.priceFilter.tickSize), _trimmed(lot)
                )
        return None


def _trimmed(number: str) -> str:
    """Without zeros at the end of the fraction."""
    return number.rstrip("0").rstrip(".") if "." in number else number


FACTS_IN = 20  # lines of a capture that may say what markets there are
TOPICS = ("orderbook.", "publicTrade.", "tickers.", "allLiquidation.", "liquidation.")


def _venue(address: str) -> str:
    return "bybit-spot" if address.endswith("/spot") else "bybit"


class _State:
    """What is carried from message to message: whether the book stands, and the last rate and its time."""

    def __init__(self, instrument: Instrument, findings: Findings):
        self._instrument, self._findings = instrument, findings
        self._joins = levels.Joins()
        self._funding = ["", ""]  # rate, next time

    def read(self, file: SourceFile, block: Received) -> Iterator[Rows]:
        """The rows of a block, kind by kind."""
        symbol = self._instrument.symbol
        of_kind: dict[str, list[tuple[int, Outline]]] = {"orderbook": [], "publicTrade": [], "tickers": []}
        of_kind |= {"allLiquidation": [], "liquidation": []}
        for index, message in decoded(block, OUTLINE, file, self._findings):
            kind, _, rest = message.topic.partition(".")
            if kind not in of_kind:
                continue
            mine = rest.rpartition(".")[2] == symbol
            if mine and (not block.connection[index] or _venue(block.connection[index]) == self._instrument.venue):
                of_kind[kind].append((index, message))
        sheets = _Sheets(file, block, self._instrument, self._findings)
        if of_kind["orderbook"]:
            yield self._books(sheets, of_kind["orderbook"])
        for kind in ("publicTrade", "allLiquidation", "liquidation"):
            if of_kind[kind]:
                yield sheets.prints(of_kind[kind], kind)
        if of_kind["tickers"]:
            yield self._tickers(sheets, of_kind["tickers"])

    def _books(self, sheets: "_Sheets", messages: list[tuple[int, Outline]]) -> Rows:
        found = sheets.bodies(messages, BOOK)
        index = np.array([index for index, _, _ in found], np.int64)
        sheet = sheets.sheet(index)
        time_ns = since_1970(np.array([message.cts or message.ts for _, message, _ in found], np.int64))
        ids = np.array([body.u for _, _, body in found], np.int64)
        whole_book = np.array([message.type == "snapshot" for _, message, _ in found], bool)
        lists = [bytes(side) for _, _, body in found for side in (body.b, body.a)]
        books = levels.Books(sheet.line, time_ns, sheets.receive_ns(index, time_ns), ids, whole_book, lists)
        keep = self._joins.keep(books, ids - 1, sheet)
        return levels.rows(books, keep, sheet.file, sheet.instrument, sheet.findings)

    def _tickers(self, sheets: "_Sheets", messages: list[tuple[int, Outline]]) -> Rows:
        """Up to four rows a message: mark, index, funding rate, open interest. A rate is said again when its time
        changes."""
        found = sheets.bodies(messages, TICKER)
        index = np.array([index for index, _, _ in found], np.int64)
        sheet = sheets.sheet(index)
        time_ns = since_1970(np.array([message.ts for _, message, _ in found], np.int64))
        texts = [[getattr(body, name) for _, _, body in found] for name, _, _ in TICKER_FIELDS]
        next_times = [body.nextFundingTime for _, _, body in found]
        for place, rate in enumerate(texts[2]):
            changed = bool(rate or next_times[place])
            self._funding = [rate or self._funding[0], next_times[place] or self._funding[1]]
            texts[2][place], next_times[place] = self._funding if changed and all(self._funding) else ("", "0")
        given = np.array([[bool(text) for text in column] for column in texts], bool).T.reshape(-1, 4)
        value, price = np.zeros(given.shape, np.int64), np.zeros(given.shape, np.int64)
        for place, (name, _, digits) in enumerate(TICKER_FIELDS):
            numbers, bad = numbers_of(texts[place])
            sheet.refuse("unreadable", bad, lambda i, n=name, t=texts[place]: f"{n} is {t[i]!r}, no number: {REPAIR}")
            if name == "openInterest":
                value[:, place] = sheet.lots(numbers, "open interest")
            else:
                value[:, place], _ = decimals.in_steps(numbers, 1, digits)
        times, bad = numbers_of(next_times)
        sheet.refuse("bad-time", bad, lambda i: f"nextFundingTime is {next_times[i]!r}: {REPAIR}")
        price[:, 2] = since_1970(decimals.in_steps(times, 1, 0)[0]) * given[:, 2]
        code = np.array([row for _, row, _ in TICKER_FIELDS], np.uint8)
        return sheet.messages(given, code, time_ns, sheets.receive_ns(index, time_ns), price, value)


class _Sheets:
    """Makes the sheets of one block's messages."""

    def __init__(self, file: SourceFile, block: Received, instrument: Instrument, findings: Findings):
        self._file, self._block, self._instrument, self._findings = file, block, instrument, findings

    def sheet(self, index: np.ndarray) -> Sheet:
        return Sheet(self._file, self._block.line[index], self._instrument, self._findings)

    def receive_ns(self, index: np.ndarray, time_ns: np.ndarray) -> np.ndarray:
        """The times of receipt; those of the venue where the file has none."""
        stamps = self._block.receive_ns[index]
        return np.where(stamps == 0, time_ns, stamps)

    def bodies(self, messages: list[tuple[int, Outline]], decoder: msgspec.json.Decoder) -> list[tuple]:
        """(index, message, what is in its data); what cannot be read is a finding."""
        found = []
        for index, message in messages:
            try:
                found.append((index, message, decoder.decode(message.data)))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self.sheet(np.array([index])).refuse(
                    "unreadable",
                    np.ones(1, bool),
                    lambda i, e=error, m=message: f"the message of {m.topic} cannot be read ({e}): {REPAIR}",
                )
        return found

    def prints(self, messages: list[tuple[int, Outline]], kind: str) -> Rows:
        """Trades and liquidations, several a message."""
        old = kind == "liquidation"
        found = self.bodies(messages, LIQUIDATION if old else PRINTS)
        each = [(index, one) for index, _, body in found for one in ([_as_print(body)] if old else body)]
        index = np.array([index for index, _ in each], np.int64)
        sheet = self.sheet(index)
        time_ns = since_1970(np.array([one.T for _, one in each], np.int64))
        sides = np.array([one.S for _, one in each], str)
        sheet.refuse("bad-side", ~np.isin(sides, ("Buy", "Sell")), lambda i: f"the side is {sides[i]!r}: {REPAIR}")
        if kind == "publicTrade":
            row = np.where([one.RPI for _, one in each], Row.OFF_BOOK, Row.TRADE)
            sold = sides == "Sell"
        else:  # of a long that was closed, so its order sold
            row, sold = np.full(len(each), Row.LIQUIDATION), sides == "Buy"
        steps = []
        for name, field, convert in (("price", "p", sheet.ticks), ("size", "v", sheet.lots)):
            texts = [getattr(one, field) for _, one in each]
            numbers, bad = numbers_of(texts)
            sheet.refuse("unreadable", bad, lambda i, n=name, t=texts: f"the {n} is {t[i]!r}, no number: {REPAIR}")
            steps.append(convert(numbers, name))
        code = (row | np.where(sold, SELL, 0)).astype(np.uint8)
        ids = levels.id_numbers([one.i for _, one in each])
        return sheet.rows(code, time_ns, self.receive_ns(index, time_ns), *steps, ids)


def _as_print(body: Liquidation) -> Print:
    return Print(T=body.updatedTime, s=body.symbol, S=body.side, v=body.size, p=body.price)


BYBIT = (Trades(), SpotTrades(), OrderBook(), Capture())
