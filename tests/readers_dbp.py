"""A reader for one recorder's layout of Binance streams as CSV, for the tests of `perpsim check`.

A file has a header, before which lines with # may stand, and one row a level or print; the rows of one message agree
in their update ids. Its name says market, kind of stream and day. Only what is of this layout is decided here: all else
is left to the parts that the product's readers use, and to what a check looks at behind them.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from perpsim.replay.catalogue import Instrument
from perpsim.replay.decimals import from_strings
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile, kept
from perpsim.replay.readers.sheet import Sheet, TradeIds, since_1970
from perpsim.replay.readers.update_ids import out_of_joint
from perpsim.replay.tape import MORE, SNAPSHOT, Row

NAME = re.compile(r"(usd_m_futures|coin_m_futures|spot)_([a-z]+(?:_perp)?)_(\d\d)-(\d\d)-(\d{4})")
VENUES = {"usd_m_futures": "binance-usdm", "coin_m_futures": "binance-coinm", "spot": "binance-spot"}
KINDS = {"binance-usdm": "linear", "binance-coinm": "inverse", "binance-spot": "spot"}
DIFF, TRADES, WHOLE, STANDING = "DIFFERENCE_DEPTH_STREAM", "TRADE_STREAM", "DEPTH_SNAPSHOT", "FINAL_DEPTH_SNAPSHOT"


class DataProcessor:
    name, title, joined = "dbp", "Binance streams as CSV, one row a level", False

    def recognises(self, file: SourceFile) -> bool:
        return NAME.search(file.name) is not None and b"TimestampOfReceive" in file.head()

    def market(self, file: SourceFile) -> Market:
        kind, symbol, day, month, year = NAME.search(file.name).groups()
        return Market(VENUES[kind], symbol.upper(), f"{year}-{month}-{day}")

    def instrument(self, file: SourceFile) -> Instrument:
        market = self.market(file)
        kind = KINDS[market.venue]
        lot, size = ("1", "10") if kind == "inverse" else ("0.00001", "1")
        return Instrument(market.venue, market.symbol, kind, "0.00001", lot, size)

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        yield _Table(files[0], instrument, findings).rows()


class _Table:
    """The rows of a file as lists of text by column."""

    def __init__(self, file: SourceFile, instrument: Instrument, findings: Findings):
        lines = file.open().read().decode().splitlines()
        head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        names = lines[head].split(",")
        cells = [line.split(",") for line in lines[head + 1 :]]
        good = np.array([not row[0].startswith("#") and len(row) == len(names) for row in cells])
        number = np.arange(head + 2, head + 2 + len(cells))
        findings.refuse("unreadable", ~good, file, number, lambda i: f"the line {lines[head + 1 + i]!r} is no row")
        rows = [row for row, fine in zip(cells, good, strict=True) if fine]
        self.text = {name: [row[at] for row in rows] for at, name in enumerate(names)}
        self.sheet = Sheet(file, number[good], instrument, findings)
        self.stream = np.array(self.text.get("StreamType", [_stream(file.name)] * len(rows)))

    def ints(self, name: str) -> np.ndarray:
        """A column of integers; 0 where it is empty or absent."""
        return np.array([int(text or 0) for text in self.text.get(name, ["0"] * len(self.stream))], np.int64)

    def rows(self) -> Rows:
        text, sheet, stream = self.text, self.sheet, self.stream
        of_book = stream != TRADES
        if "Symbol" in text:
            sheet.symbol(pa.array(text["Symbol"]), sheet.instrument.symbol)
        sides = [text["IsAsk" if book else "IsBuyerMarketMaker"][index] for index, book in enumerate(of_book)]
        side = sheet.side(pa.array(sides), ("0",), ("1",))
        price, lots = sheet.ticks(from_strings(text["Price"])), sheet.lots(from_strings(text["Quantity"]))
        time_ns, receive_ns = self.clocks()
        trades = np.flatnonzero(~of_book)
        ids = np.where(of_book, self.ints("FinalUpdateId"), self.ints("TradeId"))
        self.trade_ids(trades, ids[trades], time_ns[trades])
        heads = self.heads(ids, time_ns, receive_ns)
        self.join(heads, ids)
        more = np.append(~heads[1:], False)
        self.ends(more)
        on_book = np.isin(text.get("XUnknownParameter", ["MARKET"] * len(stream)), ["MARKET"])
        code = np.where(of_book, Row.LEVEL, np.where(on_book, Row.TRADE, Row.OFF_BOOK)) | side
        code |= np.where(np.isin(stream, (WHOLE, STANDING)), SNAPSHOT, 0) | np.where(more, MORE, 0)
        columns = {"time_ns": time_ns, "receive_ns": receive_ns, "price": price, "value": lots, "id": ids}
        return kept(Rows(**columns, code=code.astype(np.uint8), file=sheet.file, line=sheet.line), sheet.keep)

    def clocks(self) -> tuple[np.ndarray, np.ndarray]:
        """(exchange, receive) time of each row. Levels that stand at midnight are as of then."""
        receive_ns = since_1970(self.ints("TimestampOfReceive"))
        if "TimestampOfReceiveUS" in self.text:
            apart = np.abs(since_1970(self.ints("TimestampOfReceiveUS")) - receive_ns) >= 1_000_000
            apart &= self.stream != WHOLE
            self.sheet.refuse("bad-time", apart, lambda i: "the two times of its receipt differ")
        if "TransactionTime" in self.text and "EventTime" in self.text:
            bad = (self.ints("TransactionTime") == 0) & (self.ints("EventTime") != 0)
            self.sheet.refuse("bad-time", bad, lambda i: "the time of the transaction is 0")
        given = np.array([bool(text) for text in self.text.get("EventTime", [""] * len(receive_ns))])
        sent = given & (self.stream != STANDING)
        return np.where(sent, since_1970(self.ints("EventTime")), receive_ns), receive_ns

    def trade_ids(self, trades: np.ndarray, ids: np.ndarray, time_ns: np.ndarray) -> None:
        """The prints by their ids, as one row of them."""
        sheet = self.sheet
        part = Sheet(sheet.file, sheet.line[trades], sheet.instrument, sheet.findings)
        TradeIds("missing_trade_ids").check(part, ids, time_ns)
        sheet.keep[trades] &= part.keep

    def heads(self, ids: np.ndarray, *times: np.ndarray) -> np.ndarray:
        """bool[n]: rows that begin a message; a snapshot is one, whatever set its levels."""
        own = np.where(np.isin(self.stream, (WHOLE, STANDING)), 0, ids)
        changed = np.logical_or.reduce([np.diff(each) != 0 for each in (own, *times)])
        changed |= (self.stream[1:] != self.stream[:-1]) | (self.stream[1:] == TRADES)
        return np.append(True, changed)

    def join(self, heads: np.ndarray, final: np.ndarray) -> None:
        """Updates of the book follow one another: futures name the last id before them, spot begins after it."""
        diff = np.flatnonzero(self.stream == DIFF)
        if not len(diff):
            return
        first = self.ints("FirstUpdateId")
        before = self.ints("FinalUpdateIdInLastStream") if "FinalUpdateIdInLastStream" in self.text else first - 1
        message = np.cumsum(np.append(True, (first[diff][1:] != first[diff][:-1]) | (np.diff(final[diff]) != 0))) - 1
        each = diff[np.append(True, np.diff(message) != 0)]
        wrong = out_of_joint(first[each], final[each], before[each])
        bad = np.zeros(len(final), bool)
        bad[diff] = wrong[message]
        self.sheet.refuse("update-gap", bad, lambda i: "the update ids do not join those of the messages around")

    def ends(self, more: np.ndarray) -> None:
        """Where the rows say themselves which ones end a message."""
        if "IsLast" not in self.text:
            return
        inside = (self.ints("IsLast") == 1) & np.append(self.stream[1:] == self.stream[:-1], False)
        inside &= more | np.isin(self.stream, (WHOLE, STANDING))
        self.sheet.refuse("wrong-layout", inside, lambda i: "it ends a message, but more rows of it follow")


def _stream(name: str) -> str:
    return DIFF if "difference" in name else TRADES if "trade" in name else WHOLE
