"""The rows of one block while a reader makes them: what a rule refuses is left out of what follows.

Readers hand over columns as the file has them; here they become ticks, lots and rows. What holds for rows of every
format (times, positive prices and sizes) is checked by who calls the reader.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from perpsim.replay.catalogue import Instrument, step
from perpsim.replay.decimals import Fixed, in_steps, text_of
from perpsim.replay.readers import csv_columns
from perpsim.replay.readers.contract import Findings, Rows, SourceFile
from perpsim.replay.tape import COLUMNS, MORE, SELL

REPAIR = "the line is damaged, take it out or record again"
RATE_DECIMALS, MARK_DECIMALS = 9, 8  # of funding rates, and of marks and indices, on the tape
JUMP_MAX = 10_000_000  # trade ids that can be missing in a file; beyond that an id is damaged
ISO = re.compile(r"(20[0-9]{2}-[0-9]{2}-[0-9]{2})[TD ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)Z?")
PLACES_OF_MANY = 12
INT64_MAX = np.iinfo(np.int64).max


class Sheet:
    """n rows of a file, `line` int64[n]; `keep` says which of them nothing was found against."""

    def __init__(self, file: SourceFile, line: np.ndarray, instrument: Instrument, findings: Findings):
        self.file, self.line, self.instrument, self.findings = file, line, instrument, findings
        self.keep = np.ones(len(line), bool)

    def refuse(self, rule: str, bad: np.ndarray, sentence: Callable[[int], str]) -> None:
        """The rows of a mask break a rule; those already refused are not refused again."""
        bad = bad & self.keep
        if bad.any():
            self.keep &= self.findings.refuse(rule, bad, self.file, self.line, sentence)

    def symbol(self, column: pa.Array, name: str) -> None:
        """Refuse the rows of other markets."""
        self.refuse(
            "wrong-symbol",
            ~csv_columns.equals(column, name),
            lambda i: f"the row is of {csv_columns.at(column, i)!r}, but this is a recording of {name}: {REPAIR}",
        )

    def side(self, column: pa.Array, buys: tuple[str, ...], sells: tuple[str, ...]) -> np.ndarray:
        """uint8: SELL or 0 for each text; any other text is refused."""
        sold = np.logical_or.reduce([csv_columns.equals(column, text) for text in sells])
        bought = np.logical_or.reduce([csv_columns.equals(column, text) for text in buys])
        self.refuse(
            "bad-side",
            ~(sold | bought),
            lambda i: f"the side is {csv_columns.at(column, i)!r}, neither {buys[0]} nor {sells[0]}: {REPAIR}",
        )
        return np.where(sold, SELL, 0).astype(np.uint8)

    def ids(self, column: pa.Array) -> np.ndarray:
        """int64 of ids of a venue that counts; -1 where the text is no whole number, which is refused."""
        numbers = csv_columns.whole_ids(column)
        self.refuse(
            "unreadable",
            numbers < 0,
            lambda i: f"the id is {csv_columns.at(column, i)!r}, no whole number: {REPAIR}",
        )
        return numbers

    def price(self, column: pa.Array, name: str = "price", needed: np.ndarray | None = None) -> np.ndarray:
        """int64 ticks of a decimal column; needed says in which rows it must not be empty (default: in all)."""
        numbers, bad = csv_columns.fixed(column)
        return self.ticks(numbers, name, bad if needed is None else bad & needed)

    def size(self, column: pa.Array, name: str = "size", needed: np.ndarray | None = None) -> np.ndarray:
        """int64 lots of a decimal column of sizes as the venue counts them."""
        numbers, bad = csv_columns.fixed(column)
        return self.lots(numbers, name, bad if needed is None else bad & needed)

    def ticks(self, numbers: Fixed, name: str = "price", bad: np.ndarray | None = None) -> np.ndarray:
        """int64 ticks; refuses numbers off the grid, and those marked bad (missing, or beyond 64 bits)."""
        return self._steps(numbers, self.instrument.tick, "bad-price", name, bad)

    def lots(self, numbers: Fixed, name: str = "size", bad: np.ndarray | None = None) -> np.ndarray:
        """int64 lots. Linear sizes in contracts become base coins first, by the contract size."""
        numbers, too_large = in_base(numbers, self.instrument)
        bad = too_large if bad is None else bad | too_large
        return self._steps(numbers, self.instrument.lot, "bad-size", name, bad)

    def _steps(self, numbers: Fixed, step_text: str, rule: str, name: str, bad: np.ndarray | None) -> np.ndarray:
        if bad is not None:
            self.refuse(rule, bad, lambda i: f"the {name} is missing or beyond all measure: {REPAIR}")
        steps, off = in_steps(numbers, *step(step_text))
        self.refuse(
            "off-grid",
            off,
            lambda i: (
                f"the {name} is {text_of(numbers, i)}, not a multiple of {step_text}; take the line out, "
                "or give the market's own tick and lot if they differ from the ones used"
            ),
        )
        return steps

    def rounded(self, values: np.ndarray, decimals: int, name: str) -> np.ndarray:
        """int64 of real numbers in units of 10**-decimals, to the nearest; refuses infinite and too large ones. NaN is
        0: the cell is empty."""
        scaled = np.where(np.isnan(values), 0.0, values) * 10.0**decimals
        too_large = ~(np.abs(scaled) < 2.0**62)
        self.refuse("bad-value", too_large, lambda i: f"the {name} is {values[i]}: {REPAIR}")
        return np.rint(np.where(too_large, 0, scaled)).astype(np.int64)

    def rows(self, code, time_ns, receive_ns, price, value, id=0) -> Rows:
        """The rows that stay, each a message of its own; scalars stand for columns of one value."""
        given = {
            "time_ns": time_ns,
            "receive_ns": receive_ns,
            "code": code,
            "price": price,
            "value": value,
            "id": id,
        }
        full = {name: np.broadcast_to(np.asarray(given[name], kind), self.keep.shape) for name, kind in COLUMNS.items()}
        if not self.keep.all():
            full = {name: column[self.keep] for name, column in full.items()}
            return Rows(**full, file=self.file, line=self.line[self.keep])
        return Rows(**full, file=self.file, line=self.line)

    def messages(self, given: np.ndarray, code, time_ns, receive_ns, price, value, id=0) -> Rows:
        """The rows that stay, up to k of each line: given says which of bool[n, k] there are; code is of k rows, price
        and value of n lines by k, times and ids of n lines."""
        shape = given.shape
        given = given & self.keep[:, None]
        last = given & (np.cumsum(given[:, ::-1], axis=1)[:, ::-1] == 1)
        code = np.broadcast_to(np.asarray(code, np.uint8), shape) | np.where(last, 0, MORE).astype(np.uint8)
        by_line = {"time_ns": time_ns, "receive_ns": receive_ns, "id": id, "line": self.line}
        columns = {
            name: np.broadcast_to(np.asarray(column, np.int64).reshape(-1, 1), shape)[given]
            for name, column in by_line.items()
        }
        return Rows(**columns, code=code[given], price=price[given], value=value[given], file=self.file)


def lot_size(instrument: Instrument) -> float:
    """What one lot is in a file's sizes."""
    lot = float(instrument.lot)
    return lot if instrument.kind == "inverse" else lot / float(instrument.contract_size)


def in_base(numbers: Fixed, instrument: Instrument) -> tuple[Fixed, np.ndarray]:
    """Sizes in what lots count, contracts for inverse markets, base coins for all others; which do not fit 64 bits."""
    units, decimals = step("1" if instrument.kind == "inverse" else instrument.contract_size)
    too_large = np.abs(numbers.mantissa) > INT64_MAX // units
    return Fixed(np.where(too_large, 0, numbers.mantissa) * units, numbers.decimals + decimals), too_large


def places(instrument: Instrument, of_many: bool = False) -> tuple[int, int]:
    """How many decimals to read of prices and of sizes, so that a market's own steps are read to the last digit.

    of_many: the file has rows of other markets, whose prices may be finer; they are read before they are passed over.
    """
    price, size = (step(text)[1] for text in (instrument.tick, instrument.lot))
    return max(PLACES_OF_MANY if of_many else csv_columns.PLACES, price), max(csv_columns.PLACES, size)


def joined(parts: list[Rows]) -> Rows:
    """Blocks of one file as one block."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*COLUMNS, "line")}
    return parts[0]._replace(**columns)


def whole_messages(blocks: Iterable[tuple[Rows, np.ndarray]]) -> Iterator[Rows]:
    """Blocks of a file with the rows of each message joined by MORE, no message cut.

    A block comes with bool[n]: which rows start a message (the first one: seen from the last row of the block before).
    A message has the times of its last row.
    """
    waiting: list[Rows] = []
    for rows, starts in blocks:
        if not len(rows.line):
            continue
        cuts = np.flatnonzero(starts)
        if not len(cuts):
            waiting.append(rows)
            continue
        before, after = _cut(rows, int(cuts[-1]))
        if len(before.line):
            waiting.append(before)
        begun = starts[: cuts[-1]]
        if waiting:
            ahead = sum(len(part.line) for part in waiting) - len(before.line)
            yield _marked(joined(waiting), np.concatenate([_first(ahead), begun]))
        waiting = [after]
    if waiting:
        whole = joined(waiting)
        yield _marked(whole, _first(len(whole.line)))


def _first(count: int) -> np.ndarray:
    """bool[count]: only the first row starts a message."""
    return np.arange(count) == 0


def _cut(rows: Rows, at: int) -> tuple[Rows, Rows]:
    names = (*COLUMNS, "line")
    halves = [{name: getattr(rows, name)[part] for name in names} for part in (slice(0, at), slice(at, None))]
    return rows._replace(**halves[0]), rows._replace(**halves[1])


def _marked(rows: Rows, starts: np.ndarray) -> Rows:
    """Set MORE and one time a message; the first row of all starts one, whatever is said."""
    ends = np.append(np.flatnonzero(starts[1:]), len(starts) - 1)
    counts = np.diff(ends, prepend=-1)
    code = rows.code | MORE
    code[ends] &= 0xFF ^ MORE
    times = {name: np.repeat(getattr(rows, name)[ends], counts) for name in ("time_ns", "receive_ns")}
    return rows._replace(code=code, **times)


class TradeIds:
    """Trade ids of a venue that counts its trades one by one: what is missing, and when; what comes again or too late.

    Binance's fills by the insurance fund and by ADL have ids, but the cleaned feeds leave them out: so a hole there is
    no loss, it is a fill off the book. Holes are counted by the minute of the trade after them.
    """

    def __init__(self, hole: str):
        self._hole = hole  # the name of the count
        self._last: int | None = None

    def check(self, sheet: Sheet, ids: np.ndarray, time_ns: np.ndarray, first: np.ndarray | None = None) -> None:
        """Look at a block's ids; `first` where a row has several trades: from first[i] to ids[i].

        Negative ids are none; those that nothing was found against yet run back."""
        if not len(ids):
            return
        first = ids if first is None else first
        start = int(first[0]) - 1 if self._last is None else self._last
        gap = first - np.concatenate(([start], ids[:-1])) - 1
        if gap.min() >= 0 and gap.max() <= JUMP_MAX and ids.min() >= 0:
            self._last = int(ids[-1])
        elif self._last is None and (ids >= 0).any():
            gap = self._slowly(sheet, ids, first, int(first[ids >= 0][0]) - 1)
        else:
            gap = self._slowly(sheet, ids, first, start)
        self._count(sheet.findings, gap, time_ns)

    def _slowly(self, sheet: Sheet, ids: np.ndarray, first: np.ndarray, last: int) -> np.ndarray:
        """The holes before each row, after refusing those whose ids come again, run back or jump."""
        gap = np.zeros(len(ids), np.int64)
        wrong: dict[str, dict[int, int]] = {"duplicate-id": {}, "id-back": {}, "id-jump": {}}
        for index, (begin, end) in enumerate(zip(first.tolist(), ids.tolist(), strict=True)):
            if end >= 0 and last < begin <= last + 1 + JUMP_MAX:
                gap[index], last = begin - last - 1, end
            elif end >= 0 or sheet.keep[index]:
                rule = "duplicate-id" if begin == last else "id-back" if begin < last else "id-jump"
                wrong[rule][index] = last
        for rule, found in wrong.items():
            bad = np.zeros(len(ids), bool)
            bad[list(found)] = True
            sheet.refuse(
                rule,
                bad,
                lambda i, found=found: (
                    f"the trade id {first[i]} follows {found[i]}: the line is damaged, out of order or "
                    "there twice; take it out or record again"
                ),
            )
        self._last = last if (ids >= 0).any() else self._last
        return gap

    def _count(self, findings: Findings, gap: np.ndarray, time_ns: np.ndarray) -> None:
        holes = np.flatnonzero(gap)
        if not len(holes):
            return
        findings.count(self._hole, int(gap[holes].sum()))
        minutes, place = np.unique(time_ns[holes] // 60_000_000_000, return_inverse=True)
        for minute, count in zip(minutes.tolist(), np.bincount(place, gap[holes]).tolist(), strict=True):
            findings.count(f"{self._hole} {np.datetime64(minute, 'm')}", int(count))


def since_1970(times: np.ndarray) -> np.ndarray:
    """Nanoseconds of times in s, ms, us or ns, told apart by magnitude: right for times from 1973 to 2255."""
    factor = np.where(times < 10**14, 1_000_000, np.where(times < 10**17, 1_000, 1))
    return in_ns(times, np.where(times < 10**11, 10**9, factor))


def in_ns(times: np.ndarray, factor: np.ndarray | int) -> np.ndarray:
    """Nanoseconds of times in units of so many. What is negative or beyond 64 bits comes out as no time of this age."""
    return np.clip(times, 0, INT64_MAX // factor) * factor


def iso_ns(text: str) -> int:
    """Nanoseconds of an ISO time in UTC, between day and hour a T, a D or a space; 0 of any other text."""
    found = ISO.fullmatch(text)
    if found is None:
        return 0
    try:
        return int(np.datetime64(f"{found[1]}T{found[2]}", "ns").astype(np.int64))
    except ValueError:
        return 0
