"""Binance Vision archives: the daily and monthly CSV files of data.binance.vision, spot, USD-M and COIN-M.

Which market a file is of is in its name, which venue in its folder (`futures/um/`, `futures/cm/`, `spot/`); without the
folder, the name and the number of columns tell where they can. Futures files have a header since 2022, older ones and
all of spot have none. Times are milliseconds, of spot microseconds since 2025: told by magnitude. There is only the
venue's clock, so the receive time is the venue's too.
"""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
from perpsim.replay.bars import PARTS, ROWS_A_BAR
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import (
    REAL,
    TEXT,
    WHOLE,
    Table,
    decimal,
    first_line,
    fixed,
    layout,
    real,
    tables,
    whole,
)
from perpsim.replay.readers.sheet import MARK_DECIMALS, RATE_DECIMALS, Sheet, TradeIds, lot_size, places, since_1970
from perpsim.replay.tape import SELL, Row

NAME = re.compile(
    r"(?P<symbol>[A-Z0-9]+(?:_[A-Z0-9]+)?)-(?P<type>[A-Za-z0-9]+)-(?P<day>[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)\."
)
COIN_MARGINED = re.compile(r".+USD(_PERP|_[0-9]{6})?")
FOLDERS = {"spot": "binance-spot", "um": "binance-usdm", "cm": "binance-coinm"}
INTERVAL = re.compile(r"[0-9]+[smhdwM]o?")
CLOCK = pa.timestamp("ns")
BEFORE_FUNDING_NS = 1_000_000_000  # so much before its settlement a rate is said
BAND = -1.0  # per cent: the band of the depth file whose standing still is measured
BAR_FOLDERS = {"markPriceKlines", "indexPriceKlines", "premiumIndexKlines", "klines"}
BARS = ("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count")


class _Vision:
    """What the files of all types share."""

    joined = False
    type: str  # as in the name of the file, or the folder for bars
    names: tuple[str, ...]  # of the columns, for files without a header
    spot_columns = 0  # how many a spot file has, where that tells it from a futures file

    @property
    def name(self) -> str:
        return "vision-" + re.sub("[A-Z]", lambda found: f"-{found.group().lower()}", self.type)

    @property
    def title(self) -> str:
        return f"Binance Vision CSV, {self.type}"

    def recognises(self, file: SourceFile) -> bool:
        found = NAME.match(file.name)
        return found is not None and found["type"] == self.type and len(first_line(file)) >= len(self.names) - 1

    def market(self, file: SourceFile) -> Market:
        found = NAME.match(file.name)
        if found is None:
            raise InputError("is not named SYMBOL-TYPE-DAY as the archive's files are; rename it", file.place)
        return Market(
            self._venue(file, found["symbol"]), found["symbol"], found["day"] if len(found["day"]) > 7 else None
        )

    def _venue(self, file: SourceFile, symbol: str) -> str:
        for part in reversed(file.path.parts[:-1]):
            if part in FOLDERS:
                return FOLDERS[part]
        if self.spot_columns and len(first_line(file)) >= self.spot_columns:
            return "binance-spot"
        return "binance-coinm" if COIN_MARGINED.fullmatch(symbol) else "binance-usdm"

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            yield from (rows for rows in self._file(file, instrument, findings) if len(rows.line))

    def _tables(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[tuple[Sheet, Table]]:
        types = self._types(*places(instrument))
        for table in tables(file, layout(file, self.names), types, findings):
            yield Sheet(file, table.line, instrument, findings), table

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        """The types of the columns in use, of prices and sizes with so many places."""
        raise NotImplementedError

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        raise NotImplementedError


class Trades(_Vision):
    """One print a row."""

    type = "trades"
    names = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
    spot_columns = 7
    columns: ClassVar = {"size": "qty", "time": "time", "first": "id", "last": "id"}

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        column = self.columns
        wholes = dict.fromkeys((column["first"], column["last"], column["time"]), WHOLE)
        return wholes | {"price": decimal(price), column["size"]: decimal(size), "is_buyer_maker": TEXT}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        name = self.columns
        ids = TradeIds("missing_trade_ids" if instrument.venue == "binance-spot" else "off_book_fills")
        for sheet, table in self._tables(file, instrument, findings):
            column = table.columns
            time_ns = since_1970(whole(column[name["time"]]))
            code = sheet.side(column["is_buyer_maker"], ("false", "False"), ("true", "True")) + np.uint8(Row.TRADE)
            price, value = sheet.price(column["price"]), sheet.size(column[name["size"]], "quantity")
            first, last = whole(column[name["first"]]), whole(column[name["last"]])
            ids.check(sheet, last, time_ns, first)
            yield sheet.rows(code, time_ns, time_ns, price, value, last)


class AggTrades(Trades):
    """What one order took at one price a row; its id on the tape is that of its last trade."""

    type = "aggTrades"
    names = (
        "agg_trade_id",
        "price",
        "quantity",
        "first_trade_id",
        "last_trade_id",
        "transact_time",
        "is_buyer_maker",
        "is_best_match",
    )
    spot_columns = 8
    columns: ClassVar = {
        "size": "quantity",
        "time": "transact_time",
        "first": "first_trade_id",
        "last": "last_trade_id",
    }


class BookTicker(_Vision):
    """Best bid and best ask a row."""

    type = "bookTicker"
    names = (
        "update_id",
        "best_bid_price",
        "best_bid_qty",
        "best_ask_price",
        "best_ask_qty",
        "transaction_time",
        "event_time",
    )

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        numbers = {name: decimal(price if name.endswith("price") else size) for name in self.names[1:5]}
        return numbers | {"update_id": WHOLE, "transaction_time": WHOLE}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        code = np.array([Row.QUOTE, Row.QUOTE | SELL], np.uint8)
        for sheet, table in self._tables(file, instrument, findings):
            column = table.columns
            time_ns = since_1970(whole(column["transaction_time"]))
            price = np.stack([sheet.price(column[f"best_{side}_price"]) for side in ("bid", "ask")], axis=1)
            value = np.stack([sheet.size(column[f"best_{side}_qty"]) for side in ("bid", "ask")], axis=1)
            given = price > 0  # an empty side has price and size 0
            yield sheet.messages(given, code, time_ns, time_ns, price, value, whole(column["update_id"]))


class _Bars(_Vision):
    """Bars of a price that is no trade: six rows a bar, of which a replay takes those of a path (replay/bars.py).

    Low and high stand at both thirds of the bar. When they really were is not in the file.
    """

    names = (*BARS, "taker_buy_volume", "taker_buy_quote_volume", "ignore")
    row: Row

    def recognises(self, file: SourceFile) -> bool:
        found = NAME.match(file.name)
        named = found is not None and INTERVAL.fullmatch(found["type"]) and len(first_line(file)) == len(self.names)
        if not named or self.type in file.path.parts:
            return bool(named)
        return not BAR_FOLDERS & set(file.path.parts) and self._is_it(file, found["symbol"])

    def _is_it(self, file: SourceFile, symbol: str) -> bool:
        """Whether a file without its folder can only be of this type."""
        return False

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        prices = dict.fromkeys(("open", "high", "low", "close"), decimal(MARK_DECIMALS))
        return {"open_time": WHOLE, "close_time": WHOLE} | prices

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for sheet, table in self._tables(file, instrument, findings):
            findings.count(f"{self.row.name.lower()}_bars", len(table.line))
            yield self._path(sheet, table)

    def _path(self, sheet: Sheet, table: Table) -> Rows:
        column = table.columns
        start, end = (since_1970(whole(column[f"{name}_time"])) for name in ("open", "close"))
        sheet.refuse("bad-time", end <= start, lambda i: "the bar ends before it starts: take the line out")
        prices = {name: self._price(sheet, column[name], name) for name in ("open", "high", "low", "close")}
        low, high = prices["low"], prices["high"]
        inner = np.minimum(prices["open"], prices["close"]), np.maximum(prices["open"], prices["close"])
        sheet.refuse(
            "bad-value",
            (low > inner[0]) | (high < inner[1]),
            lambda i: "the bar's open or close lies outside its low and high: take the line out",
        )
        reach = np.maximum(high - inner[1], inner[0] - low)[sheet.keep]
        sheet.findings.sample(f"{self.row.name.lower()}_bar_reach_ppm", reach * 1e6 // inner[0][sheet.keep])
        value = np.stack([prices["open"], low, high, low, high, prices["close"]], axis=1)
        third = (end - start) // 3
        first, second = start + third, start + 2 * third
        time_ns = np.stack([start, first, first, second, second, end], axis=1)
        part = np.tile(np.arange(ROWS_A_BAR) + self.row * PARTS, len(start))
        wide = Sheet(sheet.file, np.repeat(sheet.line, ROWS_A_BAR), sheet.instrument, sheet.findings)
        wide.keep = np.repeat(sheet.keep, ROWS_A_BAR)
        return wide.rows(np.uint8(Row.BAR), time_ns.ravel(), time_ns.ravel(), part, value.ravel())

    @staticmethod
    def _price(sheet: Sheet, column: pa.Array, name: str) -> np.ndarray:
        numbers, bad = fixed(column)
        sheet.refuse("bad-value", bad, lambda i: f"the {name} is missing or beyond all measure: take the line out")
        return numbers.mantissa


class MarkBars(_Bars):
    type = "markPriceKlines"
    row = Row.MARK

    def _is_it(self, file: SourceFile, symbol: str) -> bool:
        """Bars without volume are of a mark or an index; COIN-M indices are named by pair, marks by contract."""
        lines = file.head().split(b"\n")
        cells = lines[1].split(b",") if len(lines) > 1 else []
        return "_" in symbol and len(cells) == len(self.names) and cells[5].strip(b"0.") == b""


class IndexBars(_Bars):
    """Of COIN-M the index is of a pair; its rows go to the perpetual of the pair."""

    type = "indexPriceKlines"
    row = Row.INDEX

    def market(self, file: SourceFile) -> Market:
        found = super().market(file)
        pair = found.venue == "binance-coinm" and "_" not in found.symbol
        return found._replace(symbol=f"{found.symbol}_PERP") if pair else found


class Metrics(_Vision):
    """Open interest every five minutes, rounded to a lot; the ratios are left out."""

    type = "metrics"
    names = ("create_time", "symbol", "sum_open_interest")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"create_time": CLOCK, "symbol": TEXT, "sum_open_interest": REAL}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for sheet, table in self._tables(file, instrument, findings):
            sheet.symbol(table.columns["symbol"], instrument.symbol)
            interest = real(table.columns["sum_open_interest"])
            sheet.refuse("bad-value", np.isnan(interest), lambda i: "the open interest is missing: take the line out")
            value = sheet.rounded(interest / lot_size(instrument), 0, "open interest")
            time_ns = whole(table.columns["create_time"])
            yield sheet.rows(np.uint8(Row.OPEN_INTEREST), time_ns, time_ns, 0, value)


class Liquidations(_Vision):
    """Forced orders with what they filled at what price on the average (rounded to a tick); COIN-M only.

    The archive has many rows twice; those are left out and counted, and so are orders that filled nothing.
    """

    type = "liquidationSnapshot"
    names = (
        "time",
        "side",
        "order_type",
        "time_in_force",
        "original_quantity",
        "price",
        "average_price",
        "order_status",
        "last_fill_quantity",
        "accumulated_fill_quantity",
    )

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        texts = dict.fromkeys(self.names, TEXT)
        return texts | {"time": WHOLE, "average_price": REAL, "accumulated_fill_quantity": decimal(size)}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        seen: set[tuple] = set()
        tick = float(instrument.tick)
        for sheet, table in self._tables(file, instrument, findings):
            column = table.columns
            time_ns = since_1970(whole(column["time"]))
            code = sheet.side(column["side"], ("BUY", "buy"), ("SELL", "sell")) + np.uint8(Row.LIQUIDATION)
            price = sheet.rounded(real(column["average_price"]) / tick, 0, "average price")
            value = sheet.size(column["accumulated_fill_quantity"], "filled quantity")
            again = np.array(
                [_add(seen, row) for row in zip(*(column[n].to_pylist() for n in self.names), strict=True)]
            )
            findings.count("duplicate_rows", int(again.sum()))
            findings.count("unfilled_liquidations", int((~again & (value == 0)).sum()))
            sheet.keep &= ~again & (value > 0)
            yield sheet.rows(code, time_ns, time_ns, price, value)


def _add(seen: set[tuple], row: tuple) -> bool:
    """Whether a row was there already."""
    before = len(seen)
    seen.add(row)
    return len(seen) == before


class FundingRate(_Vision):
    """The rate of each settlement, said a second before it."""

    type = "fundingRate"
    names = ("calc_time", "funding_interval_hours", "last_funding_rate")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"calc_time": WHOLE, "last_funding_rate": REAL}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for sheet, table in self._tables(file, instrument, findings):
            rate = real(table.columns["last_funding_rate"])
            sheet.refuse("bad-value", np.isnan(rate), lambda i: "the funding rate is missing: take the line out")
            settled_ns = since_1970(whole(table.columns["calc_time"]))
            settled_ns -= settled_ns % 60_000_000_000  # stamped some milliseconds late
            value = sheet.rounded(rate, RATE_DECIMALS, "funding rate")
            time_ns = settled_ns - BEFORE_FUNDING_NS
            yield sheet.rows(np.uint8(Row.FUNDING), time_ns, time_ns, settled_ns, value)


class BookDepth(_Vision):
    """Liquidity within some per cent of the price, every half minute: no book, so nothing of it is on a tape.

    What serves the quality card is how long the band of 1 % below the price stood still: a feed that froze.
    """

    type = "bookDepth"
    rowless = True
    names = ("timestamp", "percentage", "depth", "notional")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"timestamp": CLOCK, "percentage": REAL, "depth": REAL}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        unchanged = _Unchanged()
        for _, table in self._tables(file, instrument, findings):
            band = real(table.columns["percentage"]) == BAND
            findings.count("depth_band_samples", int(band.sum()))
            spans = unchanged.spans(whole(table.columns["timestamp"])[band], real(table.columns["depth"])[band])
            findings.sample("depth_band_unchanged_ns", spans)
        findings.sample("depth_band_unchanged_ns", unchanged.last_span())
        yield from ()


class _Unchanged:
    """How long a sampled value stood still each time, block by block."""

    def __init__(self):
        self._value, self._since_ns, self._seen_ns = np.nan, 0, 0

    def spans(self, time_ns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The spans that end in a block: from one change to the next."""
        if not len(values):
            return time_ns
        if np.isnan(self._value):
            self._value, self._since_ns = values[0], int(time_ns[0])
        changes = time_ns[np.diff(values, prepend=self._value) != 0]
        times = np.concatenate(([self._since_ns], changes))
        self._value, self._since_ns, self._seen_ns = values[-1], int(times[-1]), int(time_ns[-1])
        return np.diff(times)

    def last_span(self) -> np.ndarray:
        """The span that the recording ends in."""
        return np.array([self._seen_ns - self._since_ns] if self._seen_ns else [], np.int64)


VISION = (
    AggTrades(),
    Trades(),
    BookTicker(),
    MarkBars(),
    IndexBars(),
    Metrics(),
    Liquidations(),
    FundingRate(),
    BookDepth(),
)
