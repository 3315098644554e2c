"""A reader for one recorder's layout of Binance streams as CSV, for the tests of `perpsim check`.

A file has a header, before which lines with # may stand, and one row a level or print; the rows of one message agree
in their update ids. Its name says market, kind of stream and day.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile, kept
from perpsim.replay.tape import MORE, SELL, SNAPSHOT, Row

NAME = re.compile(r"(usd_m_futures|coin_m_futures|spot)_([a-z]+(?:_perp)?)_(\d\d)-(\d\d)-(\d{4})")
MILLISECOND, SECOND, DAY = 10**6, 10**9, 86_400 * 10**9  # this recorder stood beside the venue
FAR = 10  # times the price in the middle of the file, or a share of it
SNAPSHOTS = ("DEPTH_SNAPSHOT", "FINAL_DEPTH_SNAPSHOT")


class DataProcessor:
    name, title, joined = "dbp", "Binance streams as CSV, one row a level", False

    def recognises(self, file: SourceFile) -> bool:
        return NAME.search(file.name) is not None and b"TimestampOfReceive" in file.head()

    def market(self, file: SourceFile) -> Market:
        kind, symbol, day, month, year = NAME.search(file.name).groups()
        venue = {"usd_m_futures": "binance-usdm", "coin_m_futures": "binance-coinm", "spot": "binance-spot"}[kind]
        return Market(venue, symbol.upper(), f"{year}-{month}-{day}")

    def instrument(self, file: SourceFile) -> Instrument:
        market = self.market(file)
        kind = {"binance-usdm": "linear", "binance-coinm": "inverse", "binance-spot": "spot"}[market.venue]
        return Instrument(market.venue, market.symbol, kind, "0.00001", "0.00001", "10" if kind == "inverse" else "1")

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        yield _Table(files[0], self.market(files[0]), findings).rows()


class _Table:
    """The rows of a file as lists of text by column; `say` refuses rows, whatever was refused before is left out."""

    def __init__(self, file: SourceFile, market: Market, findings: Findings):
        self.file, self.market, self.findings = file, market, findings
        lines = file.open().read().decode().splitlines()
        head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        names = lines[head].split(",")
        cells = [line.split(",") for line in lines[head + 1 :]]
        good = np.array([not row[0].startswith("#") and len(row) == len(names) for row in cells])
        number = np.arange(head + 2, head + 2 + len(cells))
        findings.refuse("unreadable", ~good, file, number, lambda i: f"the line {lines[head + 1 + i]!r} is no row")
        self.line = number[good]
        self.text = {
            name: [row[at] for row, fine in zip(cells, good, strict=True) if fine] for at, name in enumerate(names)
        }
        self.keep = np.ones(len(self.line), bool)

    def say(self, rule: str, bad: np.ndarray, text: str) -> None:
        self.keep &= self.findings.refuse(rule, bad & self.keep, self.file, self.line, lambda _: text)

    def ints(self, name: str) -> np.ndarray:
        """A column of integers; 0 where it is empty or absent."""
        return np.array([int(text or 0) for text in self.text.get(name, ["0"] * len(self.line))], np.int64)

    def times(self, name: str) -> np.ndarray:
        times = self.ints(name)
        return times * np.where(times < 10**14, MILLISECOND, 1_000)

    def rows(self) -> Rows:
        text, market = self.text, self.market
        stream = np.array(text.get("StreamType", [_stream(self.file.name)] * len(self.line)))
        of_book, whole = stream != "TRADE_STREAM", np.isin(stream, SNAPSHOTS)
        if "Symbol" in text:
            self.say("wrong-symbol", np.array([each != market.symbol for each in text["Symbol"]]), "another market")
        side = np.array([text[_side(ask)][i] for i, ask in enumerate(of_book)])
        self.say("bad-side", ~np.isin(side, ["0", "1"]), "the side is neither 0 nor 1")
        price, lots = (
            np.array([round(float(each) * 10**5) for each in text[name]], np.int64) for name in ("Price", "Quantity")
        )
        on_book = of_book | np.isin(text.get("XUnknownParameter", ["MARKET"] * len(self.line)), ["MARKET"])
        middle = np.median(price)
        far = (stream != "FINAL_DEPTH_SNAPSHOT") & ((price > FAR * middle) | (price * FAR < middle))
        self.say("bad-price", on_book & ((price <= 0) | far), "no price of this market")
        self.say("bad-size", lots < 0, "a negative size")
        receive_ns, time_ns = self.clocks(stream)
        self.trade_ids(~of_book)
        first, last, before = (
            self.ints(name) for name in ("FirstUpdateId", "FinalUpdateId", "FinalUpdateIdInLastStream")
        )
        diff = stream == "DIFFERENCE_DEPTH_STREAM"
        self.chain(diff, first, last, before if "FinalUpdateIdInLastStream" in text else None)
        key = np.array([hash(each) for each in zip(stream, np.where(whole, 0, last), receive_ns.tolist(), strict=True)])
        key[~of_book] = -1 - self.ints("TradeId")[~of_book]
        more = np.append(key[1:] == key[:-1], False)
        if "IsLast" in text:
            ends = np.append(stream[1:] != stream[:-1], True) | (diff & ~more) | ~of_book
            self.say("wrong-layout", (self.ints("IsLast") == 1) & ~ends, "a message ends in the midst of it")
        code = np.where(of_book, Row.LEVEL, np.where(on_book, Row.TRADE, Row.OFF_BOOK)) | np.where(side == "1", SELL, 0)
        code = (code | np.where(whole, SNAPSHOT, 0) | np.where(more, MORE, 0)).astype(np.uint8)
        return self._made(code, time_ns, receive_ns, price, lots, np.where(of_book, last, self.ints("TradeId")))

    def clocks(self, stream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(receive, exchange) time of each row, after refusing those that cannot be."""
        receive_ns = self.times("TimestampOfReceive")
        for name in ("EventTime", "TransactionTime", "MessageOutputTime"):
            if name in self.text:
                given = np.array([bool(each) for each in self.text[name]])
                self.say("bad-time", given & (self.times(name) < DAY), f"{name} is no time")
        if "TimestampOfReceiveUS" in self.text:
            apart = np.abs(self.times("TimestampOfReceiveUS") - receive_ns) >= MILLISECOND
            self.say("bad-time", apart & (stream != "DEPTH_SNAPSHOT"), "the two times of receipt differ")
        since = datetime.strptime(self.market.day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 10**9
        outside = (receive_ns < since) | (receive_ns >= since + DAY)
        self.say("bad-time", outside & (stream != "FINAL_DEPTH_SNAPSHOT"), "received on another day")
        event_ns = self.times("EventTime")
        fallback = np.where(self.times("TransactionTime") > 0, self.times("TransactionTime"), receive_ns)
        time_ns = np.where((event_ns > 0) & (stream != "FINAL_DEPTH_SNAPSHOT"), event_ns, fallback)
        time_ns = np.where(stream == "FINAL_DEPTH_SNAPSHOT", receive_ns, time_ns)
        self.say("time-away", np.abs(receive_ns - time_ns) >= SECOND, "sent and received a second or more apart")
        return receive_ns, time_ns

    def trade_ids(self, trades: np.ndarray) -> None:
        """Each id is one more than that of the trade before."""
        bad, last = {"duplicate-id": [], "id-back": [], "id-jump": []}, None
        ids = self.ints("TradeId")
        for index in np.flatnonzero(trades).tolist():
            if last is not None and ids[index] <= last:
                bad["duplicate-id" if ids[index] == last else "id-back"].append(index)
                last += 1  # the venue counted on
            else:
                if last is not None and ids[index] > last + 1:
                    bad["id-jump"].append(index)
                last = ids[index]
        for rule, found in bad.items():
            self.say(rule, np.isin(np.arange(len(ids)), found), f"the trade id: {rule}")

    def chain(self, diff: np.ndarray, first: np.ndarray, last: np.ndarray, before: np.ndarray | None) -> None:
        """Each message says the last id of the one before, or begins with the one after it.

        Where a link is broken, the message is wrong whose other link is broken, too, or which claims ids of the next.
        """
        place = np.flatnonzero(diff)
        if not len(place):
            return
        heads = place[np.append(True, (first[place][1:] != first[place][:-1]) | (last[place][1:] != last[place][:-1]))]
        bad = np.zeros(len(diff), bool)
        links = before if before is not None else first - 1
        end = None
        for head, follows in zip(heads.tolist(), [*heads[1:].tolist(), None], strict=True):
            message = diff & (first == first[head]) & (last == last[head])
            joins = end is None or links[head] == end
            if last[head] < first[head] or (not joins and last[head] >= first[head]):
                bad |= message
                continue_at = last[head]
            elif follows is not None and first[head] <= links[follows] < last[head]:
                bad |= message
                continue_at = links[follows]
            else:
                continue_at = last[head]
            end = max(continue_at, end or 0)
        self.say("update-gap", bad, "the update ids do not join those of the messages around")

    def _made(self, code, time_ns, receive_ns, price, lots, ids) -> Rows:
        starts = np.append(True, (code[:-1] & MORE) == 0)
        first = np.flatnonzero(starts)[np.cumsum(starts) - 1]
        columns = {"time_ns": time_ns[first], "receive_ns": receive_ns, "price": price, "value": lots, "id": ids}
        rows = Rows(**columns, code=code, file=self.file, line=self.line)
        return kept(rows, self.keep)


def _side(of_book: bool) -> str:
    return "IsAsk" if of_book else "IsBuyerMarketMaker"


def _stream(name: str) -> str:
    return "DIFFERENCE_DEPTH_STREAM" if "difference" in name else "TRADE_STREAM" if "trade" in name else SNAPSHOTS[0]
