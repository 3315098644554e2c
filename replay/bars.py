"""Mark and index prices that were recorded as bars only: which of a bar's prices a replay is told, and when.

A bar on the tape is six BAR rows, each at the time at which some path shows it: the open at the bar's start, low and
high at both thirds of it, the close at its end. Only what the chosen path takes becomes a MARK or INDEX row; the rest
is left out. The close is known when the bar is over and the open when it begins, so these two paths know nothing ahead
of its time. Where in a bar its low and its high were is not recorded: a path through them is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from perpsim.replay.tape import ROW_MASK, Batch, Row

PARTS = 8  # a BAR row's `price` is kind * PARTS + part, kind Row.MARK or Row.INDEX
ROWS_A_BAR = 6


class Part(IntEnum):
    """What a row of a bar is."""

    OPEN = 0  # at the bar's start
    LOW_FIRST = 1  # at the first third
    HIGH_FIRST = 2
    LOW_SECOND = 3  # at the second
    HIGH_SECOND = 4
    CLOSE = 5  # at its end


PATHS = {
    "close": (Part.CLOSE,),
    "open": (Part.OPEN,),
    "open-low-high-close": (Part.OPEN, Part.LOW_FIRST, Part.HIGH_SECOND, Part.CLOSE),
    "open-high-low-close": (Part.OPEN, Part.HIGH_FIRST, Part.LOW_SECOND, Part.CLOSE),
}


def driven(batch: Batch, path: str, series: Sequence[Row]) -> Batch:
    """A batch in which the bars of these series are prices along a path; other bars are left out."""
    bars = (batch["code"] & ROW_MASK) == Row.BAR
    if not bars.any():
        return batch
    code, price = batch["code"].copy(), batch["price"].copy()
    kind, part = np.divmod(price, PARTS)
    chosen = bars & np.isin(kind, series) & np.isin(part, PATHS[path])
    code[chosen] = (code[chosen] & (0xFF ^ ROW_MASK)) | kind[chosen].astype(np.uint8)
    price[chosen] = 0
    keep = chosen | ~bars
    return {name: column[keep] for name, column in (batch | {"code": code, "price": price}).items()}
