"""CSV files as typed columns, block by block, every row with its line number.

The names come from the file's own header where it has one, so that columns added later do no harm; a file without one
has the names that its format had before there was one. Decimals are read as decimals: no float is involved.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
from perpsim.replay.decimals import Fixed
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, SourceFile
from perpsim.replay.readers.text import Block, ahead, line_blocks

TEXT, WHOLE, REAL = pa.string(), pa.int64(), pa.float64()
PLACES = 8  # of decimals: what venues print at most, unless a market's own step has more
UNREADABLE_MAX = 1_000  # more of one file, and it is of another format
ROW_NUMBER = re.compile(r"Row #([0-9]+): ?(.*)", re.DOTALL)
BOM = b"\xef\xbb\xbf"
INT64_MAX = (1 << 63) - 1
HEX = re.compile(r"[0-9a-fA-F]{1,32}")
ODD = 0x9E3779B97F4A7C15  # 2**64 by the golden ratio: a multiplication that loses nothing
UUID = "00000000-0000-0000-0000-000000000000"
DASHES = np.array([letter == "-" for letter in UUID])
NIBBLES = np.full(256, 255, np.uint8)
NIBBLES[list(b"0123456789abcdef")] = NIBBLES[list(b"0123456789ABCDEF")] = np.arange(16)


class Table(NamedTuple):
    """Some consecutive rows: pyarrow arrays by column name, and the line number of each row, int64."""

    columns: dict[str, pa.Array]
    line: np.ndarray

    def where(self, keep: np.ndarray) -> "Table":
        """The rows of a mask."""
        if keep.all():
            return self
        mask = pa.Array.from_buffers(pa.bool_(), len(keep), [None, pa.py_buffer(np.packbits(keep, bitorder="little"))])
        return Table({name: column.filter(mask) for name, column in self.columns.items()}, self.line[keep])


class Layout(NamedTuple):
    """The names of a file's columns in order, and whether its first line holds them."""

    names: tuple[str, ...]
    header: bool


def decimal(places: int = PLACES) -> pa.DataType:
    """Decimals with at most so many places: a text with more is off every grid."""
    return pa.decimal128(38, places)


def first_line(file: SourceFile) -> list[str]:
    """The cells of a file's first line, "" stripped; one empty cell where there is no text."""
    line = file.head().partition(b"\n")[0].removeprefix(BOM).strip()
    return [cell.strip() for cell in line.decode("utf-8", "replace").split(",")]


def layout(file: SourceFile, names: Sequence[str]) -> Layout:
    """The layout of a file whose format has these names when the file does not say its own.

    A first line is a header when it holds the name of a column, in any place and any case.
    """
    cells = [cell.lower() for cell in first_line(file)]
    if {name.lower() for name in names} & set(cells):
        return Layout(tuple(cells), True)
    return Layout(tuple(names[: len(cells)]), False)


def tables(
    file: SourceFile,
    shape: Layout,
    types: Mapping[str, pa.DataType],
    findings: Findings,
) -> Iterator[Table]:
    """The columns named in types of all rows of a file. A line that is no row is a finding `unreadable`; numbers with
    more places than their type has are `off-grid`.

    Raises InputError when the file lacks one of the columns, or more than UNREADABLE_MAX lines are no rows.
    """
    missing = [name for name in types if name not in shape.names]
    if missing:
        raise InputError(f"has no column {missing[0]} (it has {', '.join(shape.names)})", file.place, 1)
    parse = _Parser(file, shape, types, findings)
    for first, data, table in ahead(parse.blocks(ahead(line_blocks(file)))):
        if table is not None:
            yield table
        else:
            yield from parse.rows(first, data)


class _Parser:
    """Blocks of lines to tables; counts the lines that are none."""

    def __init__(self, file: SourceFile, shape: Layout, types: Mapping[str, pa.DataType], findings: Findings):
        self._file, self._shape, self._types, self._findings = file, shape, types, findings
        self._bad = 0
        self._read = pyarrow.csv.ReadOptions(column_names=list(shape.names), use_threads=False, block_size=1 << 28)
        self._parse = pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False)
        self._convert = pyarrow.csv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=False,
        )

    def blocks(self, blocks: Iterator[Block]) -> Iterator[tuple[int, bytes, Table | None]]:
        """(number of the first line, text, its rows) of each block without the header; None where a line is no row."""
        for first, data in blocks:
            if first == 1 and self._shape.header:
                first, data = 2, data[data.find(b"\n") + 1 :]
            if b"\r" in data:  # Arrow takes one that stands alone for a line end: the numbers of lines would be wrong
                data = data.replace(b"\r\n", b"\n").replace(b"\r", b"?")
            if data:
                try:
                    yield first, data, self._table(first, data)
                except pa.ArrowInvalid:
                    yield first, data, None

    def _table(self, first: int, data: bytes) -> Table:
        table = pyarrow.csv.read_csv(pa.BufferReader(data), self._read, self._parse, self._convert)
        columns = {name: table.column(name).combine_chunks() for name in self._types}
        return Table(columns, np.arange(first, first + len(table), dtype=np.int64))

    def rows(self, first: int, data: bytes) -> Iterator[Table]:
        """The rows of a block around the lines that are none, which become findings."""
        while data:
            try:
                yield self._table(first, data)
                return
            except pa.ArrowInvalid as error:
                row, what = self._place(error, data)
                start, end = _line_at(data, row)
                if end <= start:
                    why = f"cannot be read as CSV from here on ({error})"
                    raise InputError(why, self._file.place, first) from error
                yield from self.rows(first, data[:start])
                self._refuse(first + row, data[start:end], what)
                first, data = first + row + 1, data[end:]

    def _place(self, error: pa.ArrowInvalid, data: bytes) -> tuple[int, str]:
        """Which row of the block, from 0, is no row, and why."""
        found = ROW_NUMBER.search(str(error))
        if found is None:  # pragma: no cover - every error of this reader has a row
            raise InputError(f"cannot be read as CSV ({error})", self._file.place) from error
        return int(found.group(1)) - 1, found.group(2)

    def _refuse(self, line: int, text: bytes, what: str) -> None:
        self._bad += 1
        if self._bad > UNREADABLE_MAX:
            raise InputError(
                f"has more than {UNREADABLE_MAX} lines that cannot be read; it is of another format, or damaged "
                "throughout: copy it again from its source",
                self._file.place,
                line,
            )
        rule = "off-grid" if "data loss" in what else "unreadable"
        short = text[:80].decode("utf-8", "replace").rstrip("\r\n")
        why = "a number has more decimals than the market's steps" if rule == "off-grid" else what.split("\n")[0][:120]
        self._findings.refuse(
            rule,
            np.ones(1, bool),
            self._file,
            np.array([line]),
            lambda i: f"the line {short!r} cannot be read ({why}): it is damaged, take it out or record again",
        )


def _line_at(data: bytes, row: int) -> tuple[int, int]:
    """Where line number `row` (from 0) of a text starts and ends."""
    start = 0
    for _ in range(row):
        start = data.find(b"\n", start) + 1
    return start, data.find(b"\n", start) + 1


def fixed(column: pa.Array) -> tuple[Fixed, np.ndarray]:
    """Decimals as mantissas, and which of them are missing or do not fit 64 bits (their mantissa is 0)."""
    halves = np.frombuffer(column.buffers()[1], np.int64, 2 * len(column), column.offset * 16).reshape(-1, 2)
    low, high = halves[:, 0], halves[:, 1]
    bad = high != low >> 63
    if column.null_count:
        bad |= missing(column)
    return Fixed(np.where(bad, 0, low), column.type.scale), bad


def whole(column: pa.Array) -> np.ndarray:
    """int64; 0 where the cell is empty."""
    values = np.frombuffer(column.buffers()[1], np.int64, len(column), column.offset * 8)
    return np.where(missing(column), 0, values) if column.null_count else values


def real(column: pa.Array) -> np.ndarray:
    """float64; NaN where the cell is empty."""
    values = np.frombuffer(column.buffers()[1], np.float64, len(column), column.offset * 8)
    return np.where(missing(column), np.nan, values) if column.null_count else values


def missing(column: pa.Array) -> np.ndarray:
    """bool: where the cell is empty."""
    valid = column.buffers()[0]
    if valid is None:
        return np.zeros(len(column), bool)
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)] == 0


def equals(column: pa.Array, text: str) -> np.ndarray:
    """bool: where the cell holds exactly this text. Arrow's own comparison takes half a second to load."""
    wanted = text.encode()
    offsets, letters = letters_of(column)
    same = np.diff(offsets) == len(wanted)
    if same.all():
        cells = letters[offsets[0] : offsets[-1]]
        if cells.tobytes() == wanted * len(column):
            return same
        found = [cells[place :: len(wanted)] for place in range(len(wanted))]
    else:
        starts = offsets[:-1][same]
        found = [letters[starts + place] for place in range(len(wanted))]
    alike = np.ones(int(same.sum()), bool)
    for letter, cell in zip(wanted, found, strict=True):
        alike &= cell == letter
    same[same] = alike
    return same


def numbers_in(column: pa.Array) -> np.ndarray:
    """int64 of texts: whole numbers as they are; of other ids, such as UUIDs, a number of 63 bits from all of the text;
    0 of an empty text."""
    found = _uuids(column)
    if found is not None:
        return found
    try:
        return column.cast(WHOLE).to_numpy() if len(column) else np.zeros(0, np.int64)
    except pa.ArrowInvalid:
        return np.fromiter(map(id_number, column.to_pylist()), np.int64, len(column))


def id_number(text: str) -> int:
    """An id as a number, as numbers_in says."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and (number := int(text)) < 1 << 63:
        return number
    digits = text.replace("-", "")
    if HEX.fullmatch(digits):
        high, low = divmod(int(digits, 16), 1 << 64)
        spread = high * ODD % (1 << 64)
        return (low ^ spread ^ spread >> 32) & INT64_MAX
    if not text:
        return 0
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) & INT64_MAX


def _uuids(column: pa.Array) -> np.ndarray | None:
    """Their numbers, when all texts are UUIDs. A venue may count in the low half or in the high one: both tell,
    and the high one is spread over all bits so that they do not cancel."""
    offsets, letters = letters_of(column)
    if not len(column) or not (np.diff(offsets) == len(UUID)).all():
        return None
    text = letters[offsets[0] : offsets[-1]].reshape(len(column), len(UUID))
    digits = NIBBLES[text[:, ~DASHES]]
    if (text[:, DASHES] != ord("-")).any() or (digits > 15).any():
        return None
    halves = np.ascontiguousarray(digits[:, ::2] << 4 | digits[:, 1::2]).view(">u8").astype(np.uint64)
    spread = halves[:, 0] * np.uint64(ODD)
    return ((halves[:, 1] ^ spread ^ spread >> np.uint64(32)) & np.uint64(INT64_MAX)).astype(np.int64)


def whole_ids(column: pa.Array) -> np.ndarray:
    """int64 of ids that a venue counts; -1 of a text that is no whole number of 63 bits."""
    offsets, letters = letters_of(column)
    try:
        if (letters[offsets[0] : offsets[-1]] - np.uint8(ord("0")) < 10).all():
            return column.cast(WHOLE).to_numpy() if len(column) else np.zeros(0, np.int64)
    except pa.ArrowInvalid:
        pass  # one of them is empty or too long
    numbers = (int(text) if text.isascii() and text.isdigit() else -1 for text in column.to_pylist())
    return np.fromiter((number if number <= INT64_MAX else -1 for number in numbers), np.int64, len(column))


def values_of(file: SourceFile, shape: Layout, name: str) -> list[str]:
    """The different texts of a column of a file, sorted; lines that are no rows are passed over."""
    found: set[str] = set()
    for table in tables(file, shape, {name: TEXT}, Findings(record=True)):
        found.update(table.columns[name].dictionary_encode().dictionary.to_pylist())
    return sorted(found)


def at(column: pa.Array, index: int) -> str:
    """One cell as text, for messages."""
    return str(column[index].as_py())


def letters_of(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each text starts (n + 1 offsets), and the bytes of all."""
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4)
    return starts, np.frombuffer(data or b"", np.uint8)
