"""LOBSTER: pairs of message and orderbook files, one pair a day, rebuilt from NASDAQ's order feed (lobsterdata.com).

Message k says what happened (1 new, 2 reduced, 3 deleted, 4 executed, 5 a hidden order executed, 6 cross, 7 halt), row
k of the orderbook file what the best L levels were after it; `direction` is the side of the resting order. The book is
built from the messages alone and compared with every row. Two things come from the rows, because no message says them:
the levels at the start, and a level that enters the window. That is taken only where it must be: when the message has
ended a level of a side that had L of them, and only as the last level, beyond all others. Anything else is a finding.

A level that leaves the window is dropped: what happens beyond it is not told.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from perpsim.core import MarketState
from perpsim.replay.catalogue import Instrument, step
from perpsim.replay.decimals import Fixed, in_steps
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import WHOLE, Layout, Table, decimal, fixed, tables, whole
from perpsim.replay.readers.lobster_book import ASK, BUY, Window
from perpsim.replay.readers.order_rows import SELL_OF, OrderRows
from perpsim.replay.readers.sheet import Sheet
from perpsim.replay.tape import Row

NAME = re.compile(r"([A-Za-z0-9.\-]+)_(\d{4}-\d\d-\d\d)_(\d+)_(\d+)_(message|orderbook)_(\d+)\.csv(?:\.\w+)?")
NEW, REDUCED, DELETED, EXECUTED, HIDDEN, CROSS, HALT = range(1, 8)
COLUMNS = ("time", "type", "order id", "size", "price", "direction")
TIME_DECIMALS = 14  # nine tell nanoseconds; some files have what a float made of them
TYPES = dict.fromkeys(COLUMNS[1:], WHOLE) | {"time": decimal(TIME_DECIMALS)}
STATES = {-1: MarketState.HALTED, 0: MarketState.PRE_OPEN, 1: MarketState.OPEN}
PRICE_DECIMALS = 4
EMPTY = 9_999_999_999  # price of a level that does not exist, with either sign
SECOND_NS = 1_000_000_000
DIFFERS = "book-differs"


class Name(NamedTuple):
    """What a file's name says."""

    ticker: str
    day: str
    start: int
    end: int
    what: str
    levels: int


class Lobster:
    name = "lobster"
    title = "LOBSTER message and orderbook files (NASDAQ), every order by its id"
    joined = True

    def recognises(self, file: SourceFile) -> bool:
        return NAME.fullmatch(file.name) is not None

    def market(self, file: SourceFile) -> Market:
        told = named(file)
        return Market("nasdaq", told.ticker, told.day)

    def instrument(self, file: SourceFile) -> Instrument:
        """Prices are in 0.0001 USD: hidden orders trade between cents. Sizes are shares."""
        return Instrument("nasdaq", named(file).ticker, "spot", "0.0001", "1")

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        rows = OrderRows()
        before: Window | None = None
        for messages, book in pairs(files):
            day = _Day(messages, book, instrument, findings, rows)
            if before is not None:
                before.clear(1)  # a day's orders do not live on
                rows.end(day.start_ns, day.start_ns)
            before = day.window
            yield from day.rows()


def named(file: SourceFile) -> Name:
    found = NAME.fullmatch(file.name)
    if found is None:
        raise InputError("has no name as LOBSTER gives it (TICKER_DATE_START_END_message_LEVEL.csv)", file.place)
    ticker, day, start, end, what, levels = found.groups()
    return Name(ticker, day, int(start), int(end), what, int(levels))


def pairs(files: Sequence[SourceFile]) -> list[tuple[SourceFile, SourceFile]]:
    """(messages, orderbook) of each day, in order. Raises InputError where one of the two is missing or there twice."""
    found: dict[Name, SourceFile] = {}
    for file in files:
        if found.setdefault(named(file), file) is not file:
            raise InputError(f"is there twice, also as {found[named(file)].place}; give one of them", file.place)
    days: list[tuple[SourceFile, SourceFile]] = []
    for key in sorted(found):
        other = key._replace(what="orderbook" if key.what == "message" else "message")
        if other not in found:
            raise InputError(f"needs its {other.what} file beside it; give both", found[key].place)
        if key.what == "message":
            days.append((found[key], found[other]))
    for (one, _), (two, _) in itertools.pairwise(days):
        if named(one).day == named(two).day:
            raise InputError(f"is of the same day as {one.place}, with other levels; give one of them", two.place)
    return days


def midnight_ns(day: str) -> int:
    """New York's midnight in UTC. Its summer time has been from March's second to November's first Sunday since 2007,
    from April's first to October's last before; the change is at 02:00, on a day without trading."""
    at = date.fromisoformat(day)
    if at.year >= 2007:
        first, last = _sunday(at.year, 3, 8), _sunday(at.year, 11, 1)
    else:
        first, last = _sunday(at.year, 4, 1), _sunday(at.year, 10, 25)
    hours = 4 if first < at <= last else 5
    moment = datetime(at.year, at.month, at.day, tzinfo=UTC) + timedelta(hours=hours)
    return int(moment.timestamp()) * SECOND_NS


def _sunday(year: int, month: int, day: int) -> date:
    """The first Sunday from a day on."""
    start = date(year, month, day)
    return start + timedelta(days=(6 - start.weekday()) % 7)


class _Day:
    """One pair of files."""

    def __init__(
        self, messages: SourceFile, book: SourceFile, instrument: Instrument, findings: Findings, rows: OrderRows
    ):
        self._file, self._book_file = messages, book
        self._instrument, self._findings, self._out = instrument, findings, rows
        told = named(messages)
        self.midnight_ns = midnight_ns(told.day)
        self.start_ns = self._time_ns = self.midnight_ns + told.start * 1_000_000
        self.window = Window(told.levels, rows)
        self._book = _Book(book, told.levels, instrument, findings)
        self._seeded = False
        self._line = 0
        self._unsure = False  # a line was left out: the next row of the book says what stands

    def rows(self) -> Iterator[Rows]:
        shape = Layout(COLUMNS, False)
        for table in tables(self._file, shape, TYPES, self._findings):
            for message in self._messages(table):
                self._take(*message)
                if self._out.full:
                    yield self._out.take(self._file)
        self._book.finish(self._file)
        if len(self._out):
            yield self._out.take(self._file)

    def _messages(self, table: Table) -> Iterator[tuple[int, ...]]:
        """(line, time_ns, type, order id, size, price in ticks, direction) of the rows that stay; -1 for the type of
        those that do not."""
        c = {name: whole(table.columns[name]) for name in COLUMNS[1:]}
        sheet = Sheet(self._file, table.line, self._instrument, self._findings)
        numbers, bad = fixed(table.columns["time"])
        time = numbers.mantissa // 10 ** (TIME_DECIMALS - 9)
        kind = c["type"]
        sheet.refuse(
            "bad-time", bad | (time < 0) | (time >= 2 * 86_400 * SECOND_NS),
            lambda i: f"the time {time[i] / 1e9} is no second of a day: the line is damaged, take it out",
        )  # fmt: skip
        sheet.refuse(
            "wrong-layout", (kind < NEW) | (kind > HALT),
            lambda i: f"the type {kind[i]} is none of 1 to 7: the line is damaged, take it out",
        )  # fmt: skip
        sheet.refuse(
            "bad-side", (np.abs(c["direction"]) != 1) & (kind <= HIDDEN),
            lambda i: f"the direction {c['direction'][i]} is neither 1 nor -1: the line is damaged, take it out",
        )  # fmt: skip
        sheet.refuse(
            "bad-size", (c["size"] <= 0) & (kind <= HIDDEN),
            lambda i: f"the size is {c['size'][i]}: the line is damaged, take it out",
        )  # fmt: skip
        sheet.refuse(
            "bad-price", (c["price"] <= 0) & (kind <= HIDDEN),
            lambda i: f"the price is {c['price'][i]}: the line is damaged, take it out",
        )  # fmt: skip
        price = sheet.ticks(Fixed(np.where(kind == HALT, 0, c["price"]), PRICE_DECIMALS))
        size = sheet.lots(Fixed(c["size"], 0))
        price = np.where(kind == HALT, c["price"], price)
        kept = np.where(sheet.keep, kind, -1)
        columns = (table.line, time, kept, c["order id"], size, price, c["direction"])
        yield from zip(*(column.tolist() for column in columns), strict=True)

    def _take(self, line: int, time: int, kind: int, order_id: int, size: int, price: int, direction: int) -> None:
        book = self._book.row(line)
        self._unsure |= line != self._line + 1
        self._line = line
        if kind == -1 or book is None:
            self._unsure = True
            return
        self._time_ns = max(self._time_ns, self.midnight_ns + time)
        side = BUY if direction == 1 else ASK
        if not self._seeded:
            self._seed(line, kind, side, size, price, book)
        before = self.window.full(side), len(self.window.lots[side])
        if kind <= EXECUTED:
            self._order(line, kind, side, order_id, size, price)
            self._findings.count("levels_left_window", self.window.trim(side, line))
        elif kind == HALT:
            self._out.add(int(Row.STATE), 0, int(STATES.get(price, MarketState.HALTED)), 0, line)
        else:
            kind_of_row = Row.TRADE if kind == HIDDEN else Row.OFF_BOOK
            self._out.add(int(kind_of_row) | SELL_OF[1 - side], price, size, 0, line)
            self._findings.count("hidden_executions" if kind == HIDDEN else "cross_trades")
        self._compare(line, side, before, book)
        self._out.end(self._time_ns, self._time_ns)

    def _seed(self, line: int, kind: int, side: int, size: int, price: int, book: tuple[list[int], ...]) -> None:
        """What rested before the first message: the first row of the book without that message."""
        self._seeded = True
        for each in (BUY, ASK):
            levels = dict(zip(book[each][::2], book[each][1::2], strict=True))
            if each == side and kind <= EXECUTED:
                levels[price] = levels.get(price, 0) + (-size if kind == NEW else size)
            for at in sorted(levels, reverse=each == BUY)[: self.window.levels]:
                if levels[at] > 0:
                    self.window.adopt(each, at, levels[at], line)
        self._findings.count("levels_at_start", len(self.window.orders))
        self._out.end(self.start_ns, self.start_ns)

    def _order(self, line: int, kind: int, side: int, order_id: int, size: int, price: int) -> None:
        if kind == NEW:
            if self._right("duplicate-id", order_id in self.window.orders, line, f"order {order_id} rests already"):
                self.window.add(side, price, size, order_id, line)
            return
        resting = self.window.resting(side, price, order_id)
        what = f"order {order_id} does not rest at that price"
        if not self._right("unknown-order", resting is None, line, what):
            return
        left = self.window.orders[resting][2]
        what = f"{size} lots leave order {order_id}, which has {left}"
        if self._right("bad-size", size > left or (kind == DELETED and resting > 0 and size != left), line, what):
            self.window.take(resting, size, kind == EXECUTED, line)
            if resting < 0:
                self._findings.count("events_of_unshown_orders")

    def _right(self, rule: str, wrong: bool, line: int, what: str) -> bool:
        """Whether an event may stay."""
        if not wrong:
            return True
        sentence = f"{what}: the line is damaged, or one before it is missing; take it out or get the file again"
        self._unsure = True
        return bool(self._findings.refuse(rule, np.ones(1, bool), self._file, np.array([line]), lambda i: sentence)[0])

    def _compare(self, line: int, side: int, before: tuple[bool, int], book: tuple[list[int], list[int]]) -> None:
        """The book against the row; a level may have entered where the message ended one of a full window."""
        for each in (BUY, ASK):
            mine, row = self.window.flat(each), book[each]
            if mine == row:
                continue
            entered = (
                each == side and before[0] and len(self.window.lots[each]) == before[1] - 1
                and row[:-2] == mine and (not mine or (row[-2] > mine[-2]) == (each == ASK))
            )  # fmt: skip
            if entered:
                self.window.adopt(each, row[-2], row[-1], line)
                self._findings.count("levels_entered_window")
                continue
            if not self._unsure:
                self._findings.refuse(
                    DIFFERS, np.ones(1, bool), self._book_file, np.array([line]),
                    lambda i, each=each: (
                        f"the {('bids', 'asks')[each]} are not those that the messages up to this line give; "
                        "a line of one of the two files is damaged or missing: get the files again"
                    ),
                )  # fmt: skip
            self._resync(each, row, line)
        self._unsure = False

    def _resync(self, side: int, row: list[int], line: int) -> None:
        """From here on the book is what the row says."""
        levels = dict(zip(row[::2], row[1::2], strict=True))
        for price in self.window.prices(side):
            if self.window.lots[side][price] != levels.get(price):
                self.window.drop(side, price, line)
        for price, lots in levels.items():
            if price not in self.window.lots[side]:
                self.window.adopt(side, price, lots, line)


class _Book:
    """The orderbook file, row by row."""

    def __init__(self, file: SourceFile, levels: int, instrument: Instrument, findings: Findings):
        self._file, self._levels, self._instrument, self._findings = file, levels, instrument, findings
        names = [f"{side}{what}{level}" for level in range(levels) for side in ("ask", "bid") for what in ("P", "Q")]
        self._tables = tables(file, Layout(tuple(names), False), dict.fromkeys(names, WHOLE), findings)
        self._names = names
        self._rows: Iterator[tuple[int, list[int]]] = iter(self._all())
        self._next: tuple[int, list[int]] | None = None

    def _all(self) -> Iterator[tuple[int, list[int]]]:
        units, decimals = step(self._instrument.tick)
        lot = step(self._instrument.lot)
        for table in self._tables:
            columns = []
            for index, name in enumerate(self._names):
                values = whole(table.columns[name])
                if index % 2 == 0:
                    values = np.where(np.abs(values) == EMPTY, 0, values)
                    values, off = in_steps(Fixed(values, PRICE_DECIMALS), units, decimals)
                else:
                    values, off = in_steps(Fixed(values, 0), *lot)
                self._findings.refuse(
                    "off-grid", off, self._file, table.line,
                    lambda i, name=name: f"{name} is no multiple of the market's tick or lot; give its own",
                )  # fmt: skip
                columns.append(values)
            yield from zip(table.line.tolist(), np.stack(columns, axis=1).tolist(), strict=True)

    def row(self, line: int) -> tuple[list[int], list[int]] | None:
        """(bids, asks) after message number `line`, each price and lots by level; None where the line is damaged."""
        while self._next is None or self._next[0] < line:
            self._next = next(self._rows, None)
            if self._next is None:
                raise InputError(f"ends before message {line}; the two files do not belong together", self._file.place)
        if self._next[0] > line:
            return None
        flat = self._next[1]
        halves = []
        for first in (2, 0):
            half = []
            for at in range(first, len(flat), 4):
                if flat[at + 1] > 0:
                    half += flat[at : at + 2]
            halves.append(half)
        return halves[0], halves[1]

    def finish(self, messages: SourceFile) -> None:
        """There is no row without a message."""
        extra = next(self._rows, None)
        if extra is not None:
            raise InputError(
                f"has a row {extra[0]} for which {messages.name} has no message; the two files do not belong together",
                self._file.place, extra[0],
            )  # fmt: skip


LOBSTER = (Lobster(),)
