"""One gate for all readers: what may stand on a tape, what is refused, what is counted.

Refused, with the file and line: numbers off the market's grid, negative sizes, zero prices, times that cannot be.
Counted for the quality summary, never repaired: negative latencies, repeated or missing trade ids, prints outside the
quote, crossed quotes. `check` proves the shape of a finished tape.
"""

from collections.abc import Callable
from os import PathLike

import numpy as np
from perpsim.replay.catalogue import step
from perpsim.replay.decimals import Fixed, in_steps, text_of
from perpsim.replay.errors import InputError
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SNAPSHOT, Row, Tape

TIME_NS_MIN = 1_230_768_000_000_000_000  # 2009: no venue is older
TIME_NS_MAX = 4_102_444_800_000_000_000  # 2100
CLOCK_NS_MAX = 86_400_000_000_000  # a recorder's clock is wrong by seconds; a day is a broken field
REPAIR = "the line is damaged, take it out or record again"

Where = Callable[[int], tuple[str | PathLike, int]]  # index of an element -> file and line it came from


def refuse_any(bad: np.ndarray, where: Where, sentence: Callable[[int], str]) -> None:
    """Raise InputError for the first true element of bad."""
    if bad.any():
        index = int(np.argmax(bad))
        raise InputError(sentence(index), *where(index))


def on_grid(numbers: Fixed, step_text: str, name: str, where: Where) -> np.ndarray:
    """int64 count of steps of each number; refuses numbers off the grid and negative ones.

    step_text is the market's tick or lot as a decimal string; name is the noun for the message.
    """
    steps, off = in_steps(numbers, *step(step_text))
    refuse_any(numbers.mantissa < 0, where, lambda i: f"the {name} is {text_of(numbers, i)}, below zero: {REPAIR}")
    refuse_any(
        off,
        where,
        lambda i: (
            f"the {name} is {text_of(numbers, i)}, not a multiple of {step_text}; take the line out, "
            "or give the market's own tick and lot if they differ from the ones used"
        ),
    )
    return steps


def above_zero(values: np.ndarray, name: str, where: Where) -> None:
    """Refuse values of zero or less."""
    refuse_any(values <= 0, where, lambda i: f"the {name} is {values[i]}, it must be above zero: {REPAIR}")


def check_clock(time_ns: np.ndarray, receive_ns: np.ndarray, where: Where) -> None:
    """Refuse times outside 2009-2100, and exchange times a day or more away from the recorder's clock."""
    for name, column in (("exchange", time_ns), ("receive", receive_ns)):
        bad = (column < TIME_NS_MIN) | (column > TIME_NS_MAX)
        refuse_any(bad, where, lambda i, n=name, c=column: f"the {n} time is {c[i]} ns, no time of 2009-2100: {REPAIR}")
    away_ns = receive_ns - time_ns
    refuse_any(
        np.abs(away_ns) >= CLOCK_NS_MAX,
        where,
        lambda i: f"exchange and receive time lie {abs(away_ns[i]) // 10**9} s apart: {REPAIR}",
    )


def latency(time_ns: np.ndarray, receive_ns: np.ndarray) -> dict[str, int]:
    """Counts for the quality summary, of messages: a negative latency means the recorder's clock is behind."""
    if not len(time_ns):
        return {"negative_latencies": 0, "latency_ns_min": 0, "latency_ns_max": 0}
    difference = receive_ns - time_ns
    return {
        "negative_latencies": int((difference < 0).sum()),
        "latency_ns_min": int(difference.min()),
        "latency_ns_max": int(difference.max()),
    }


def trade_ids(ids: np.ndarray) -> dict[str, int]:
    """How many trade ids came again, and how many between the lowest and the highest never came."""
    unique = np.unique(ids)
    missing = int(unique[-1] - unique[0] + 1 - len(unique)) if len(unique) else 0
    return {"duplicate_trade_ids": len(ids) - len(unique), "missing_trade_ids": missing}


def against_quotes(trades: tuple[np.ndarray, ...], quotes: tuple[np.ndarray, ...]) -> dict[str, int]:
    """Prints outside the best quotes before, at and after them, and quotes with the bid at or above the ask.

    trades is (time_ns, price) and quotes (time_ns, bid, ask), prices in one unit, quotes in their own order of time.
    The quote after a print is asked too, because a sweep is stamped up to
    a millisecond before the quote that it leaves behind.
    """
    time_ns, price = trades
    quote_ns, bid, ask = quotes
    ordered_ns = np.maximum.accumulate(quote_ns)
    before = np.searchsorted(ordered_ns, time_ns, side="left") - 1
    at = np.searchsorted(ordered_ns, time_ns, side="right") - 1
    around = np.clip([before, at, at + 1], 0, len(quote_ns) - 1)
    outside = (price < bid[around].min(axis=0)) | (price > ask[around].max(axis=0))
    known = (time_ns > ordered_ns[0]) & (time_ns <= ordered_ns[-1])
    return {"off_quote_prints": int((known & outside).sum()), "crossed_quotes": int((bid >= ask).sum())}


def check(tape: Tape) -> None:
    """Raise InputError, naming the row, unless the tape has the shape its page promises."""
    columns = tape.columns()
    for name, dtype in COLUMNS.items():
        if columns[name].dtype != dtype or columns[name].shape != tape.time_ns.shape:
            raise InputError(f"column {name} of {tape.market} must be {dtype} and as long as the others")
    if not len(tape):
        raise InputError(f"the tape of {tape.market} has no rows; import the recording again")
    kind, more = tape.code & ROW_MASK, (tape.code & MORE) != 0
    level, trade, off_book = kind == Row.LEVEL, kind == Row.TRADE, kind == Row.OFF_BOOK
    book = level | np.isin(kind, (Row.ORDER_ADD, Row.QUOTE))
    value, quoted = tape.value, (kind == Row.MARK) | (kind == Row.INDEX)
    later = np.diff(tape.time_ns)
    rules = (
        ("has an unknown code", (kind == 0) | (kind > max(Row)) | (tape.code >= 2 * SNAPSHOT)),
        ("carries the snapshot bit but is of no book", ((tape.code & SNAPSHOT) != 0) & ~book),
        ("is earlier than the row before it", np.append(False, later < 0)),
        ("continues a message of another time", np.append(False, (later != 0) & more[:-1])),
        ("ends the tape inside a message", np.append(np.zeros(len(more) - 1, bool), more[-1])),
        ("has a price that is not above zero", (tape.price <= 0) & (level | trade | (kind == Row.FUNDING))),
        ("has a negative size or price", ((value < 0) | (tape.price < 0)) & (level | off_book)),
        ("has a size or value that is not above zero", (value <= 0) & (trade | quoted)),
        ("has a time outside 2009-2100", (tape.time_ns < TIME_NS_MIN) | (tape.time_ns > TIME_NS_MAX)),
    )
    for sentence, bad in rules:
        if bad.any():
            raise InputError(f"row {int(np.argmax(bad))} of the tape of {tape.market} {sentence}; import it again")
