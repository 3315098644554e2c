"""CSV files of Tardis.dev: trades, book updates, book snapshots, quotes, tickers and liquidations.

Times are microseconds, `timestamp` of the exchange and `local_timestamp` of the recorder; a day is one of the latter.
Sides of trades are the taker's, sides of liquidations the order's: a long that was closed sold. Sizes are as the venue
counts them. There are no sequence numbers, so what is lost cannot be seen, but for the holes in trade ids.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import (
    REAL,
    TEXT,
    WHOLE,
    Table,
    decimal,
    equals,
    first_line,
    layout,
    missing,
    numbers_in,
    real,
    tables,
    values_of,
    whole,
)
from perpsim.replay.readers.sheet import (
    MARK_DECIMALS,
    RATE_DECIMALS,
    Sheet,
    TradeIds,
    in_ns,
    lot_size,
    places,
    whole_messages,
)
from perpsim.replay.tape import SELL, SNAPSHOT, Row

HEAD = ("exchange", "symbol", "timestamp", "local_timestamp")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
VENUES = {
    "binance": "binance-spot",
    "binance-futures": "binance-usdm",
    "binance-delivery": "binance-coinm",
    "okex": "okx",
    "okex-swap": "okx",
    "okex-futures": "okx",
}
GROUPED = re.compile(r"(?:^|_)(?:SPOT|FUTURES|PERPETUALS)\.csv")
HOLES = {  # what a hole in the trade ids is, where a venue counts its trades one by one
    "binance-futures": "off_book_fills",
    "binance-delivery": "off_book_fills",
    "binance": "missing_trade_ids",
    "coinbase": "missing_trade_ids",
}
SIDES = ("asks", "bids")
SNAPSHOT_APART_NS = 1_000_000_000  # snapshot rows received this much later are another snapshot


class _Tardis:
    """What the files of all data types share."""

    joined = False
    type: str  # the vendor's name of the data type
    names: tuple[str, ...]  # of the columns after HEAD

    @property
    def name(self) -> str:
        return f"tardis-{self.type.replace('_', '-').lower()}"

    @property
    def title(self) -> str:
        return f"Tardis.dev CSV, {self.type}"

    def recognises(self, file: SourceFile) -> bool:
        return tuple(first_line(file)) == (*HEAD, *self.names)

    def market(self, file: SourceFile) -> Market:
        cells = file.head().split(b"\n", 2)[1:2]
        row = cells[0].decode("utf-8", "replace").split(",") if cells else []
        if len(row) < len(HEAD):
            raise InputError("has no row after its header; leave it out", file.place)
        return Market(VENUES.get(row[0], row[0]), row[1], _day(file.name, row[3]))

    def markets(self, file: SourceFile) -> list[Market]:
        """One, but for the files of all markets of a kind."""
        market = self.market(file)
        if GROUPED.search(file.name) is None:
            return [market]
        names = values_of(file, layout(file, (*HEAD, *self.names)), "symbol")
        return [market._replace(symbol=symbol) for symbol in names]

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            yield from (rows for rows in self._file(file, instrument, findings) if len(rows.line))

    def _tables(
        self, file: SourceFile, instrument: Instrument, findings: Findings
    ) -> Iterator[tuple[Sheet, Table, np.ndarray, np.ndarray]]:
        """(sheet, columns, time_ns, receive_ns) of each block; rows of other markets are passed over in files that hold
        many, else refused."""
        grouped = GROUPED.search(file.name) is not None
        types = dict(zip(HEAD, (TEXT, TEXT, WHOLE, WHOLE), strict=True)) | self._types(*places(instrument, grouped))
        shape = layout(file, (*HEAD, *self.names))
        exchange = None
        for table in tables(file, shape, types, findings):
            if grouped:
                table = table.where(equals(table.columns["symbol"], instrument.symbol))
                if not len(table.line):
                    continue
            sheet = Sheet(file, table.line, instrument, findings)
            exchange = exchange or str(table.columns["exchange"][0])
            sheet.symbol(table.columns["exchange"], exchange)
            sheet.symbol(table.columns["symbol"], instrument.symbol)
            yield (
                sheet,
                table,
                in_ns(whole(table.columns["timestamp"]), 1_000),
                in_ns(whole(table.columns["local_timestamp"]), 1_000),
            )

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        """The types of the columns after HEAD, of prices and sizes with so many places."""
        raise NotImplementedError

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        raise NotImplementedError


def _of_liquidations(file: SourceFile) -> bool:
    """They have the columns of trades; only the name tells them apart, or the folder that the vendor keeps them in."""
    return "liquidations" in file.name or "liquidations" in file.path.parts


def _day(name: str, received: str) -> str | None:
    """The day in a file's name, else that of its first row; None where that is damaged."""
    found = DAY.search(name)
    if found:
        return found.group()
    return str(np.datetime64(int(received), "us").astype("datetime64[D]")) if received.isdigit() else None


class Trades(_Tardis):
    """One print a row. A print of unknown side counts as off the book: nobody can say which side it took."""

    type = "trades"
    names = ("id", "side", "price", "amount")

    def recognises(self, file: SourceFile) -> bool:
        return super().recognises(file) and not _of_liquidations(file)

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"id": TEXT, "side": TEXT, "price": decimal(price), "amount": decimal(size)}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        ids = None
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            column = table.columns
            unknown = equals(column["side"], "unknown")
            findings.count("unknown_sides", int(unknown.sum()))
            sold = sheet.side(column["side"], ("buy", "unknown"), ("sell",))
            code = sold + np.where(unknown, Row.OFF_BOOK, Row.TRADE).astype(np.uint8)
            price, value = sheet.price(column["price"]), sheet.size(column["amount"], "amount")
            hole = HOLES.get(str(column["exchange"][0]))
            number = sheet.ids(column["id"]) if hole else numbers_in(column["id"])
            if hole:
                ids = ids or TradeIds(hole)
                ids.check(sheet, number, time_ns)
            yield sheet.rows(code, time_ns, receive_ns, price, value, number)


class Liquidations(_Tardis):
    """One forced order a row."""

    type = "liquidations"
    names = Trades.names

    def recognises(self, file: SourceFile) -> bool:
        return super().recognises(file) and _of_liquidations(file)

    _types = Trades._types

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            column = table.columns
            code = sheet.side(column["side"], ("buy",), ("sell",)) + np.uint8(Row.LIQUIDATION)
            price, value = sheet.price(column["price"]), sheet.size(column["amount"], "amount")
            yield sheet.rows(code, time_ns, receive_ns, price, value, numbers_in(column["id"]))


class Book(_Tardis):
    """Levels with what they hold from now on. Rows received at one time with one exchange time are one message.

    A run of snapshot rows is one whole book. What comes before the first one is of no use: it is left out and counted.
    """

    type = "incremental_book_L2"
    names = ("is_snapshot", "side", "price", "amount")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {"is_snapshot": TEXT, "side": TEXT, "price": decimal(price), "amount": decimal(size)}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        blocks = self._levels(file, instrument, findings)
        yield from whole_messages(_started(blocks))

    def _levels(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        """Rows of levels from the first whole book on."""
        seeded = False
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            column = table.columns
            whole_book = equals(column["is_snapshot"], "true")
            sheet.refuse(
                "unreadable",
                ~(whole_book | equals(column["is_snapshot"], "false")),
                lambda i, cells=column["is_snapshot"]: f"is_snapshot is {cells[i]}, neither true nor false",
            )
            if not seeded:
                before = len(whole_book) if not whole_book.any() else int(np.argmax(whole_book))
                findings.count("rows_before_snapshot", before)
                sheet.keep[:before] = False
                seeded = before < len(whole_book)
            code = sheet.side(column["side"], ("bid",), ("ask",)) + np.uint8(Row.LEVEL)
            code += np.where(whole_book, SNAPSHOT, 0).astype(np.uint8)
            price, value = sheet.price(column["price"]), sheet.size(column["amount"], "amount")
            yield sheet.rows(code, time_ns, receive_ns, price, value)


def _started(blocks: Iterator[Rows]) -> Iterator[tuple[Rows, np.ndarray]]:
    """With which rows start a message: another receive or exchange time, or a snapshot's begin or end."""
    last = None
    for rows in blocks:
        if not len(rows.line):
            continue
        columns = (rows.receive_ns, rows.time_ns, (rows.code & SNAPSHOT).astype(np.int64))
        last = last or tuple(column[0] for column in columns)
        before = [np.concatenate(([value], column[:-1])) for value, column in zip(last, columns, strict=True)]
        received, stamped, flagged = (column != was for column, was in zip(columns, before, strict=True))
        inside = (columns[2] != 0) & ~flagged  # a snapshot runs on, whatever its times
        inside &= columns[0] - before[0] < SNAPSHOT_APART_NS
        yield rows, flagged | ((received | stamped) & ~inside)
        last = tuple(column[-1] for column in columns)


def _level_names(depth: int) -> tuple[str, ...]:
    cells = [(f"{side}[{level}]", what) for level in range(depth) for side in SIDES for what in ("price", "amount")]
    return tuple(f"{side}.{what}" for side, what in cells)


class _Snapshots(_Tardis):
    """The best levels of both sides a row, each row a whole book as far as it goes. A thin book has empty cells."""

    depth: int

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {name: decimal(price if name.endswith("price") else size) for name in self.names}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        code = np.tile(np.array([Row.LEVEL | SNAPSHOT | SELL, Row.LEVEL | SNAPSHOT], np.uint8), self.depth)
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            shape = len(table.line), 2 * self.depth
            given, price, value = (np.zeros(shape, kind) for kind in (bool, np.int64, np.int64))
            for place, (name, amount) in enumerate(zip(self.names[::2], self.names[1::2], strict=True)):
                there = given[:, place] = ~missing(table.columns[name])
                price[:, place] = sheet.price(table.columns[name], name, there)
                value[:, place] = sheet.size(table.columns[amount], amount, there)
            yield sheet.messages(given, code, time_ns, receive_ns, price, value)


class Snapshots5(_Snapshots):
    depth, type, names = 5, "book_snapshot_5", _level_names(5)


class Snapshots25(_Snapshots):
    depth, type, names = 25, "book_snapshot_25", _level_names(25)


class Quotes(_Tardis):
    """Best ask and best bid a row; a side that is empty has no row."""

    type = "quotes"
    names = ("ask_amount", "ask_price", "bid_price", "bid_amount")

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return {name: decimal(price if name.endswith("price") else size) for name in self.names}

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        code = np.array([Row.QUOTE | SELL, Row.QUOTE], np.uint8)
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            column, sides = table.columns, ("ask", "bid")
            there = [~missing(column[f"{side}_price"]) for side in sides]
            pairs = list(zip(sides, there, strict=True))
            prices = [sheet.price(column[f"{side}_price"], f"{side} price", at) for side, at in pairs]
            sizes = [sheet.size(column[f"{side}_amount"], f"{side} amount", at) for side, at in pairs]
            given, price, value = (np.stack(columns, axis=1) for columns in (there, prices, sizes))
            yield sheet.messages(given, code, time_ns, receive_ns, price, value)


class Ticker(_Tardis):
    """Mark, index, funding rate and open interest, each where it changes: rows repeat the last known values.

    The prices come from floats and are rounded to 1e-8, the rates to 1e-9, open interest to a lot.
    """

    type = "derivative_ticker"
    names = (
        "funding_timestamp",
        "funding_rate",
        "predicted_funding_rate",
        "open_interest",
        "last_price",
        "index_price",
        "mark_price",
    )

    def _types(self, price: int, size: int) -> dict[str, pa.DataType]:
        return dict.fromkeys(("funding_rate", "open_interest", "index_price", "mark_price"), REAL) | {
            "funding_timestamp": WHOLE
        }

    def _file(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        code = np.array([Row.INDEX, Row.MARK, Row.FUNDING, Row.OPEN_INTEREST], np.uint8)
        lots = 1 / lot_size(instrument)
        last = np.zeros((1, 5), np.int64)
        for sheet, table, time_ns, receive_ns in self._tables(file, instrument, findings):
            column = table.columns
            index, mark = (
                sheet.rounded(real(column[f"{name}_price"]), MARK_DECIMALS, f"{name} price")
                for name in ("index", "mark")
            )
            rate = sheet.rounded(real(column["funding_rate"]), RATE_DECIMALS, "funding rate")
            interest = sheet.rounded(real(column["open_interest"]) * lots, 0, "open interest")
            next_ns = in_ns(whole(column["funding_timestamp"]), 1_000)
            present = [
                ~missing(column[name]) for name in ("index_price", "mark_price", "funding_rate", "open_interest")
            ]
            value = np.stack([index, mark, rate, interest], axis=1)
            there = np.stack(present, axis=1)
            there[:, 2] &= next_ns > 0  # a rate without its time settles nothing
            known = np.concatenate([last, np.column_stack([value, next_ns])])
            known = _carried(known, np.concatenate([np.ones((1, 5), bool), there[:, [0, 1, 2, 3, 2]]]))
            changed = known[1:] != known[:-1]
            changed[:, 2] |= changed[:, 4]
            last = known[-1:]
            price = np.zeros_like(value)
            price[:, 2] = next_ns
            yield sheet.messages(there & changed[:, :4], code, time_ns, receive_ns, price, value)


def _carried(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Each column with what is missing replaced by the last value before it; the first row is there."""
    place = np.where(there, np.arange(len(values))[:, None], 0)
    return np.take_along_axis(values, np.maximum.accumulate(place, axis=0), axis=0)


TARDIS = (Trades(), Book(), Snapshots5(), Snapshots25(), Quotes(), Ticker(), Liquidations())
