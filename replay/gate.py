"""The gate that the rows of all readers pass before they are sorted: what holds for every format.

Refused, or dropped where the rule is repaired: times that cannot be, prices and sizes that cannot be. The time of the
book is made to run forward: messages of a book only make sense in the order in which they came.
"""

from __future__ import annotations

import numpy as np
from perpsim.replay.readers.contract import Rows, kept
from perpsim.replay.readers.findings import Findings
from perpsim.replay.sorting import RANKS
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SNAPSHOT, Batch, Row

TIME_NS_MIN = 1_230_768_000_000_000_000  # 2009: no venue is older
TIME_NS_MAX = 4_102_444_800_000_000_000  # 2100
CLOCK_NS_MAX = 86_400_000_000_000  # a recorder's clock is wrong by seconds; a day is a broken field
BACK_NS_MAX = 1_000_000_000
DAMAGED = "the line is damaged, take it out or record again"


def _kinds(*kinds: Row) -> np.ndarray:
    """bool[256]: which codes are of these kinds."""
    return np.isin(np.arange(256) & ROW_MASK, kinds)


ORDERS = (Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
PRICED = _kinds(Row.LEVEL, Row.TRADE, Row.LIQUIDATION, Row.QUOTE, Row.ORDER_ADD, Row.FUNDING)
SIZED = _kinds(Row.TRADE, Row.LIQUIDATION, Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_EXECUTE)  # of more than nothing
UNSIGNED = _kinds(Row.LEVEL, Row.OFF_BOOK, Row.QUOTE, Row.ORDER_DELETE, Row.OPEN_INTEREST, Row.STATE)
VALUED = _kinds(Row.MARK, Row.INDEX, Row.BAR)
OF_BOOK = _kinds(Row.LEVEL, Row.STATE, *ORDERS)
KNOWN = _kinds(*Row) & (np.arange(256) < 2 * SNAPSHOT)


class Gate:
    """One stream of rows: a file's, or a joined recording's. Feeds its findings with what every card shows."""

    def __init__(self, findings: Findings):
        self._findings = findings
        self._book_ns = 0  # the latest time of the book so far

    def check(self, rows: Rows) -> Batch:
        """The rows that may stay, with their `rank`."""
        _refuse_broken(rows)
        rows = self._checked(rows)
        if not len(rows.code):
            return {name: getattr(rows, name) for name in COLUMNS} | {"rank": rows.code}
        more = (rows.code & MORE) != 0
        kind_code = _codes_of_messages(rows.code)
        time_ns = self._forward(rows, OF_BOOK[kind_code], more)
        self._count(rows, more)
        columns = {name: np.ascontiguousarray(getattr(rows, name)) for name in COLUMNS}  # a kernel takes no other
        return columns | {"time_ns": np.ascontiguousarray(time_ns), "rank": RANKS[kind_code & ROW_MASK]}

    def _checked(self, rows: Rows) -> Rows:
        """Without the rows that break a rule. What breaks none is looked at once."""
        code, price, value = rows.code, rows.price, rows.value
        for name, times in (("exchange", rows.time_ns), ("receive", rows.receive_ns)):
            if times.min(initial=TIME_NS_MAX) < TIME_NS_MIN or times.max(initial=0) > TIME_NS_MAX:
                bad = (times < TIME_NS_MIN) | (times > TIME_NS_MAX)
                keep = self._refuse(
                    "bad-time", bad, rows, lambda i, n=name, t=times: f"the {n} time is {t[i]} ns, no time of 2009-2100"
                )
                return self._checked(kept(rows, keep))
        away_ns = rows.receive_ns - rows.time_ns
        away = np.abs(away_ns) >= CLOCK_NS_MAX
        unpriced = PRICED[code] & (price <= 0)
        unsized = (SIZED[code] & (value <= 0)) | (UNSIGNED[code] & ((value < 0) | (price < 0)))
        unvalued = VALUED[code] & (value <= 0)
        keep = self._refuse(
            "time-away", away, rows, lambda i: f"exchange and receive time lie {abs(away_ns[i]) // 10**9} s apart"
        )
        for rule, bad, said in (
            ("bad-price", unpriced, lambda i: f"the price is {price[i]} ticks, it must be above zero"),
            ("bad-size", unsized, lambda i: f"the size is {value[i]} lots, it must be above zero"),
            ("bad-value", unvalued, lambda i: f"the value is {value[i]}e-8, it must be above zero"),
        ):
            keep &= self._refuse(rule, bad & keep, rows, said)
        return kept(rows, keep)

    def _refuse(self, rule: str, bad: np.ndarray, rows: Rows, said) -> np.ndarray:
        return self._findings.refuse(rule, bad, rows.file, rows.line, lambda i: f"{said(i)}: {DAMAGED}")

    def _forward(self, rows: Rows, book: np.ndarray, more: np.ndarray) -> np.ndarray:
        """Times of the rows, those of the book raised to the latest before; a second is the most."""
        if not book.any():
            return rows.time_ns
        whole = book.all()
        times = rows.time_ns if whole else rows.time_ns[book]
        if times[0] >= self._book_ns and (len(times) < 2 or np.diff(times).min() >= 0):
            self._book_ns = int(times[-1])
            return rows.time_ns
        raised = np.maximum(np.maximum.accumulate(times), self._book_ns)
        self._book_ns = int(raised[-1])
        back_ns = np.zeros(len(book), np.int64)
        back_ns[book] = raised - times
        self._findings.refuse(
            "time-back",
            back_ns > BACK_NS_MAX,
            rows.file,
            rows.line,
            lambda i: f"the time of the book runs back by {back_ns[i] / 1e9:.3f} s: {DAMAGED}",
        )  # repaired or recorded, it is raised all the same: the order of messages decides
        self._findings.count("book_time_regressions", ((back_ns > 0) & ~more).sum())
        return rows.time_ns + back_ns

    def _count(self, rows: Rows, more: np.ndarray) -> None:
        counts = np.bincount(rows.code & ROW_MASK, minlength=16)
        for kind in Row:
            if counts[kind]:
                self._findings.count(f"rows.{kind.name.lower()}", counts[kind])
        latency = (rows.receive_ns - rows.time_ns)[~more]
        if latency.any():  # else the file has one clock
            self._findings.sample("latency_ns", latency)
            self._findings.count("negative_latencies", (latency < 0).sum())


def ranks(code: np.ndarray) -> np.ndarray:
    """The place at equal times of each row of whole messages: that of its message's first row."""
    return RANKS[_codes_of_messages(code) & ROW_MASK]


def _codes_of_messages(code: np.ndarray) -> np.ndarray:
    """The code of the first row of the message of each row."""
    more = (code & MORE) != 0
    if not more.any():
        return code
    starts = np.append(True, ~more[:-1])
    return code[np.flatnonzero(starts)[np.cumsum(starts) - 1]]


def _refuse_broken(rows: Rows) -> None:
    """A reader that yields this has a bug."""
    count = len(rows.line)
    for name, dtype in COLUMNS.items():
        column = getattr(rows, name)
        if column.dtype != dtype or column.shape != (count,):
            raise AssertionError(f"column {name} is {column.dtype}{column.shape}, not {dtype}({count},)")
    if not count:
        return
    more = (rows.code & MORE) != 0
    if not KNOWN[rows.code].all():
        raise AssertionError(f"code {rows.code[~KNOWN[rows.code]][0]} is unknown")
    if more[-1] or (more[:-1] & (np.diff(rows.time_ns) != 0)).any():
        raise AssertionError("a message is cut, or its rows differ in time")
