"""What a tape promises, looked at as a whole."""

import numpy as np
from perpsim.replay.bars import PARTS, Part
from perpsim.replay.errors import InputError
from perpsim.replay.gate import TIME_NS_MAX, TIME_NS_MIN
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SNAPSHOT, Row, Tape

BAR_ROWS = [kind * PARTS + part for kind in (Row.MARK, Row.INDEX) for part in Part]  # what a bar's row may be


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
    stands = np.isin(kind, (Row.LEVEL, Row.ORDER_ADD, Row.QUOTE, Row.STATE, Row.MARK, Row.INDEX, Row.FUNDING))
    value, quoted = tape.value, np.isin(kind, (Row.MARK, Row.INDEX, Row.BAR))
    later = np.diff(tape.time_ns)
    rules = (
        ("has an unknown code", (kind == 0) | (kind > max(Row)) | (tape.code >= 2 * SNAPSHOT)),
        ("carries the snapshot bit but is nothing that stands", ((tape.code & SNAPSHOT) != 0) & ~stands),
        ("is earlier than the row before it", np.append(False, later < 0)),
        ("continues a message of another time", np.append(False, (later != 0) & more[:-1])),
        ("ends the tape inside a message", np.append(np.zeros(len(more) - 1, bool), more[-1])),
        ("has a price that is not above zero", (tape.price <= 0) & (level | trade | (kind == Row.FUNDING))),
        ("has a negative size or price", ((value < 0) | (tape.price < 0)) & (level | off_book)),
        ("has a size or value that is not above zero", (value <= 0) & (trade | quoted)),
        ("is a bar of nothing known", (kind == Row.BAR) & ~np.isin(tape.price, BAR_ROWS)),
        ("has a time outside 2009-2100", (tape.time_ns < TIME_NS_MIN) | (tape.time_ns > TIME_NS_MAX)),
    )
    for sentence, bad in rules:
        if bad.any():
            raise InputError(f"row {int(np.argmax(bad))} of the tape of {tape.market} {sentence}; import it again")
