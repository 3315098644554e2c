"""Event arrays of hftbacktest: `.npz` files with one array of 64-byte records, of two clocks and float prices.

An event that is out of order in one of the clocks is there twice, once for each clock: the rows of the exchange's clock
are the recording. Rows of the book with the same two times are one message; a run of cleared and snapshot levels is one
whole book, and clears of one side are levels that go. The file says nothing of its market: venue, symbol and steps have
to be given.
"""

import re
from collections.abc import Iterator, Sequence
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import DAMAGED, Findings, Market, Rows, SourceFile
from perpsim.replay.readers.sheet import Sheet, joined, lot_size, whole_messages
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Row

MAGIC = b"\x93NUMPY"
FIELDS = ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
RECORD = np.dtype([(name, "<f8" if name in ("px", "qty", "fval") else "<u8") for name in FIELDS])
LAYOUTS = ("uiiffuif",)
HEADER_ERRORS = (ValueError, SyntaxError, TypeError, KeyError, TokenError)  # a header is read as a Python literal
BLOCK_RECORDS = 1 << 16
AT_EXCHANGE, BOUGHT, SOLD = 1 << 31, 1 << 29, 1 << 28
DEPTH, TRADE, CLEAR, WHOLE, BEST = 1, 2, 3, 4, 5
ORDERS_FROM = 10  # kinds from here on are of single orders
KINDS = {DEPTH: Row.LEVEL, CLEAR: Row.LEVEL, WHOLE: Row.LEVEL, TRADE: Row.TRADE, BEST: Row.QUOTE}
CLEARS_ONE, CLEARS_BOTH = -1 << 62, (-1 << 62) + 1  # in the place of a size, until the levels that go are known
NEAR, FLOAT_ERROR = 1e-4, 1e-15  # of a step, of the number: so far may a float lie off the grid
SYMBOL = re.compile(r"[A-Za-z0-9]+")


class Events:
    """The event array of one file."""

    name = "hftbacktest"
    title = "hftbacktest .npz"
    joined = False

    def recognises(self, file: SourceFile) -> bool:
        head = file.head()
        return head.startswith(MAGIC) and b"'exch_ts'" in head[:1024] and b"'local_ts'" in head[:1024]

    def market(self, file: SourceFile) -> Market:
        """The name of the file is all there is to go by."""
        found = SYMBOL.match(file.path.name)
        return Market("", found.group().upper() if found else "")

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            yield from self._whole(file, instrument, findings)

    def _whole(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        """Whole messages. A whole book of one side only is counted: the other side is then empty on the tape."""
        book = _Standing()
        for block in whole_messages(_started(self._blocks(file, instrument, findings))):
            rows = book.cleared(block)
            if not len(rows.line):
                continue
            starts = np.append(True, (rows.code[:-1] & MORE) == 0)
            message = np.cumsum(starts) - 1
            sold = np.bincount(message, (rows.code & SELL) != 0)
            size = np.bincount(message)
            one_sided = starts & ((rows.code & SNAPSHOT) != 0) & ((sold == 0) | (sold == size))[message]
            findings.count("one_sided_snapshots", int(one_sided.sum()))
            yield rows

    def _blocks(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        first = 1
        for records in _records(file):
            sheet = Sheet(file, np.arange(first, first + len(records)), instrument, findings)
            yield _converted(sheet, records)
            first += len(records)


class _Standing:
    """The levels that stand, so that a clear of one side up to a price can say which of them go.

    Clears among snapshot levels of both sides, and a clear of both sides, are part of a whole book.
    """

    def __init__(self):
        self._key = np.zeros(0, np.int64)  # price and side of the levels that stand, ascending

    def cleared(self, rows: Rows) -> Rows:
        """Whole messages without clears."""
        starts = np.flatnonzero(np.append(True, (rows.code[:-1] & MORE) == 0))
        clear = (rows.value == CLEARS_ONE) | (rows.value == CLEARS_BOTH)
        parts, done = [], 0
        for at in np.unique(np.searchsorted(starts, np.flatnonzero(clear), side="right") - 1).tolist():
            end = int(starts[at + 1]) if at + 1 < len(starts) else len(rows.line)
            message = _part(rows, int(starts[at]), end)
            whole = clear[starts[at] : end]
            sides = message.code & SELL
            if (message.value == CLEARS_BOTH).any() or (not whole.all() and len(np.unique(sides)) == 2):
                continue
            parts += [_part(rows, done, int(starts[at])), self._of_side(rows, done, message)]
            done = end
        parts.append(_part(rows, done, len(rows.line)))
        self._take(parts[-1])
        made = joined(parts)
        clear = (made.value == CLEARS_ONE) | (made.value == CLEARS_BOTH)
        price = np.where(clear, np.maximum(made.price, 1), made.price)
        return made._replace(price=price, value=np.where(clear, 0, made.value))

    def _of_side(self, rows: Rows, done: int, message: Rows) -> Rows:
        """The levels that a message of clears takes, and those that it has, as one message of levels."""
        self._take(_part(rows, done, int(np.searchsorted(rows.line, message.line[0]))))
        parts = []
        for index in range(len(message.line)):
            row = _part(message, index, index + 1)
            if row.value[0] == CLEARS_ONE:
                row = self._gone(row)
            else:
                row = row._replace(code=row.code & ~np.uint8(SNAPSHOT) | MORE)
            self._take(row)
            parts.append(row)
        made = joined(parts)
        made.code[-1:] &= 0xFF ^ MORE
        return made

    def _gone(self, row: Rows) -> Rows:
        """A row of size 0 for each level from the best up to a price; price 0 is the whole side."""
        sold, limit = int((row.code[0] & SELL) != 0), int(row.price[0])
        price = self._key[(self._key & 1) == sold] >> 1
        if limit:
            price = price[price <= limit] if sold else price[price >= limit]
        place = np.zeros(len(price), np.int64)
        columns = {name: getattr(row, name)[place] for name in (*COLUMNS, "line")}
        columns |= {"price": price, "value": place, "code": columns["code"] & ~np.uint8(SNAPSHOT) | MORE}
        return row._replace(**columns)

    def _take(self, rows: Rows) -> None:
        """Apply whole messages, or rows of one that is no whole book."""
        book = (rows.code & ROW_MASK) == Row.LEVEL
        whole = np.flatnonzero(book & ((rows.code & SNAPSHOT) != 0))
        if len(whole):
            earlier = np.flatnonzero((rows.code[: whole[-1]] & MORE) == 0)
            book[: earlier[-1] + 1 if len(earlier) else 0] = False
            self._key = self._key[:0]
        if book.any():
            key = rows.price[book] << 1 | ((rows.code[book] & SELL) != 0)
            stands = np.append(np.ones(len(self._key), bool), rows.value[book] > 0)[::-1]
            keys, last = np.unique(np.append(self._key, key)[::-1], return_index=True)
            self._key = keys[stands[last]]


def _part(rows: Rows, start: int, end: int) -> Rows:
    return rows._replace(**{name: getattr(rows, name)[start:end] for name in (*COLUMNS, "line")})


def _records(file: SourceFile) -> Iterator[np.ndarray]:
    """The records, block by block; refuses arrays of another layout."""
    with file.open() as stream:
        try:
            _check_header(file, stream)
            while data := _read(stream, BLOCK_RECORDS * RECORD.itemsize):
                if len(data) % RECORD.itemsize:
                    raise InputError("is cut short; copy the file again from its source", file.place)
                yield np.frombuffer(data, RECORD)
        except DAMAGED as error:
            raise file.damaged(error) from error


def _read(stream: BinaryIO, count: int) -> bytes:
    """So many bytes, fewer only at the end."""
    parts = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _check_header(file: SourceFile, stream: BinaryIO) -> None:
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(stream)
    except HEADER_ERRORS as error:
        raise InputError(f"is no NumPy array ({error}); copy the file again from its source", file.place) from error
    kinds = "".join(dtype[name].kind for name in dtype.names or ())
    if dtype.names != FIELDS or dtype.itemsize != RECORD.itemsize or len(shape) != 1 or kinds not in LAYOUTS:
        raise InputError(f"holds an array of {dtype}, not of the events of version 2; convert it with that", file.place)


def _converted(sheet: Sheet, records: np.ndarray) -> Rows:
    """The rows of a block, each a message of its own."""
    flags, kind = records["ev"], (records["ev"] & 0xFF).astype(np.int64)
    if (kind >= ORDERS_FROM).any():
        raise InputError(
            "holds events of single orders, which this reader does not know; convert it from its own source",
            sheet.file.place,
            int(sheet.line[int(np.argmax(kind >= ORDERS_FROM))]),
        )
    known = np.isin(kind, list(KINDS))
    sheet.keep &= known & ((flags & AT_EXCHANGE) != 0)
    sheet.findings.count("rows_of_other_kinds", int((~known).sum()))
    sheet.findings.count("rows_of_the_other_clock", int((known & ~sheet.keep).sum()))
    sold = (flags & SOLD) != 0
    neither = (sold == ((flags & BOUGHT) != 0)) & (kind != CLEAR)
    sheet.refuse("bad-side", neither, lambda i: f"the event has the flags {int(flags[i]):#x}, no side: leave it out")
    of_side = (kind == CLEAR) & (sold != ((flags & BOUGHT) != 0)) & np.isfinite(records["px"]) & (records["px"] > 0)
    needed = (kind != CLEAR) | of_side
    price = _steps(sheet, records["px"], float(sheet.instrument.tick), "bad-price", "price", needed)
    value = _steps(sheet, records["qty"], lot_size(sheet.instrument), "bad-size", "size", kind != CLEAR)
    value[kind == CLEAR] = np.where(sold == ((flags & BOUGHT) != 0), CLEARS_BOTH, CLEARS_ONE)[kind == CLEAR]
    price[(kind == CLEAR) & ~of_side] = 0
    code = np.zeros(len(kind), np.uint8)
    for number, row in KINDS.items():
        code[kind == number] = row
    code |= np.where(sold, SELL, 0).astype(np.uint8) | np.where((kind == CLEAR) | (kind == WHOLE), SNAPSHOT, 0).astype(
        np.uint8
    )
    return sheet.rows(code, records["exch_ts"].view(np.int64), records["local_ts"].view(np.int64), price, value)


def _steps(sheet: Sheet, numbers: np.ndarray, step: float, rule: str, name: str, needed: np.ndarray) -> np.ndarray:
    """int64 steps of floats; refuses what is no number, and what lies off the grid by more than a float's error."""
    with np.errstate(invalid="ignore"):
        ratio = numbers / step
        wrong = ~(np.abs(ratio) < 2.0**52)
        steps = np.rint(np.where(wrong, 0, ratio))
        off = np.abs(np.where(wrong, 0, ratio) - steps) > NEAR + np.abs(steps) * FLOAT_ERROR
    sheet.refuse(rule, wrong & needed, lambda i: f"the {name} is {numbers[i]}: leave the event out or convert it again")
    sheet.refuse(
        "off-grid",
        off & needed,
        lambda i: f"the {name} is {numbers[i]}, not a multiple of {step}; give the market's own tick and lot",
    )
    return steps.astype(np.int64)


def _started(blocks: Iterator[Rows]) -> Iterator[tuple[Rows, np.ndarray]]:
    """With which rows start a message: rows of the book with the same times and snapshot bit go together."""
    last = None
    for rows in blocks:
        if not len(rows.line):
            continue
        keys = np.stack([rows.time_ns, rows.receive_ns, (rows.code & ~np.uint8(SELL)).astype(np.int64)], axis=1)
        before = np.concatenate([keys[:1] - 1 if last is None else last, keys[:-1]])
        book = (rows.code & 15) == Row.LEVEL
        yield rows, ~book | (keys != before).any(axis=1)
        last = keys[-1:]
