"""BitMEX: the daily trade and quote dumps, of all markets in one file each.

Times are ISO with nanoseconds and a D between day and hour. Sizes are in contracts, sides the taker's.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import (
    TEXT,
    decimal,
    equals,
    first_line,
    layout,
    letters_of,
    missing,
    numbers_in,
    tables,
    values_of,
)
from perpsim.replay.readers.sheet import REPAIR, Sheet, iso_ns, places
from perpsim.replay.tape import SELL, Row

VENUE = "bitmex"
DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
TIME = "2020-01-01D00:00:00.000000000"
LETTERS = np.frombuffer(TIME.encode(), np.uint8)
DIGITS = np.array([letter.isdigit() for letter in TIME])
DAY_ENDS = TIME.index("D")


class _Dump:
    """What both dumps share."""

    joined = False
    names: tuple[str, ...]

    def recognises(self, file: SourceFile) -> bool:
        """Bybit's files have the same columns, but numbers for times."""
        row = file.head().split(b"\n", 2)[1:2]
        return first_line(file)[: len(self.names)] == list(self.names) and bool(row) and b"D" in row[0].split(b",")[0]

    def market(self, file: SourceFile) -> Market:
        return self.markets(file)[0]

    def markets(self, file: SourceFile) -> list[Market]:
        """All markets of the file."""
        symbols = values_of(file, layout(file, self.names), "symbol")
        if not symbols:
            raise InputError("has no row after its header; leave it out", file.place)
        found = DAY.search(file.name)
        return [Market(VENUE, symbol, "-".join(found.groups()) if found else None) for symbol in symbols]

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        types = {"timestamp": TEXT, "symbol": TEXT} | self._types(*places(instrument, of_many=True))
        for file in files:
            shape = layout(file, self.names)
            for table in tables(file, shape, types, findings):
                table = table.where(equals(table.columns["symbol"], instrument.symbol))
                sheet = Sheet(file, table.line, instrument, findings)
                rows = self._converted(sheet, table.columns, _times(sheet, table.columns["timestamp"]))
                if len(rows.line):
                    yield rows

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        raise NotImplementedError

    def _converted(self, sheet: Sheet, column: dict[str, pa.Array], time_ns: np.ndarray) -> Rows:
        raise NotImplementedError


class Trades(_Dump):
    """One print a row. Settlements have no side: they never touched the book."""

    name, title = "bitmex-trades", "BitMEX trade dump"
    names = ("timestamp", "symbol", "side", "size", "price")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"side": TEXT, "size": decimal(size), "price": decimal(price), "trdmatchid": TEXT}

    def _converted(self, sheet: Sheet, column: dict[str, pa.Array], time_ns: np.ndarray) -> Rows:
        sideless = equals(column["side"], "")
        code = sheet.side(column["side"], ("Buy", ""), ("Sell",))
        code += np.where(sideless, Row.OFF_BOOK, Row.TRADE).astype(np.uint8)
        price, value = sheet.price(column["price"]), sheet.size(column["size"])
        return sheet.rows(code, time_ns, time_ns, price, value, numbers_in(column["trdmatchid"]))


class Quotes(_Dump):
    """Best bid and best ask a row; an empty side has no row."""

    name, title = "bitmex-quotes", "BitMEX quote dump"
    names = ("timestamp", "symbol", "bidSize", "bidPrice", "askPrice", "askSize")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        prices = dict.fromkeys(("bidprice", "askprice"), decimal(price))
        return prices | dict.fromkeys(("bidsize", "asksize"), decimal(size))

    def _converted(self, sheet: Sheet, column: dict[str, pa.Array], time_ns: np.ndarray) -> Rows:
        there = [~missing(column[f"{side}price"]) for side in ("bid", "ask")]
        pairs = list(zip(("bid", "ask"), there, strict=True))
        price = np.stack([sheet.price(column[f"{side}price"], f"{side} price", at) for side, at in pairs], axis=1)
        value = np.stack([sheet.size(column[f"{side}size"], f"{side} size", at) for side, at in pairs], axis=1)
        code = np.array([Row.QUOTE, Row.QUOTE | SELL], np.uint8)
        return sheet.messages(np.stack(there, axis=1), code, time_ns, time_ns, price, value)


def _times(sheet: Sheet, column: pa.Array) -> np.ndarray:
    """int64 ns of texts written as TIME; 0 of others, which are refused."""
    offsets, letters = letters_of(column)
    if len(column) and (np.diff(offsets) == len(TIME)).all():
        text = letters[offsets[0] : offsets[-1]].reshape(len(column), len(TIME)).copy()
        if (text[:, ~DIGITS] == LETTERS[~DIGITS]).all() and (text[:, DIGITS] - ord("0") < 10).all():
            text[:, DAY_ENDS] = ord("T")
            try:
                return text.view(f"S{len(TIME)}").ravel().astype(str).astype("datetime64[ns]").astype(np.int64)
            except ValueError:
                pass  # one of them is none
    times = np.fromiter(map(iso_ns, column.to_pylist()), np.int64, len(column))
    sheet.refuse(
        "bad-time", times == 0, lambda i: f"the timestamp is {column[i].as_py()!r}, not written as {TIME}: {REPAIR}"
    )
    return times


BITMEX = (Trades(), Quotes())
