"""An index for tapes that have none: the last print of the recording itself, told every so often.

Times are whole multiples of the period since the epoch. At each of them before which there was a print since the one
before, an INDEX row tells the last of these prints, so nothing is known before it was printed. Prints off the book do
not count. The rows depend on the prints alone, not on how the recording is cut into batches.

A real index is of several spot markets, which hold a perpetual's price; this one follows the perpetual wherever it
goes. It is an assumption, and every result names it (replay/labels.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from perpsim.replay.tape import ROW_MASK, Batch, Row


class PrintIndex:
    """Follows one recording. `rows` counts the rows made so far, up to `end_ns`."""

    def __init__(self, period_ns: int, tick_value: int, end_ns: int):
        self.period_ns, self.tick_value, self.end_ns = period_ns, tick_value, end_ns
        self.rows = 0
        self._due_ns: int | None = None  # of the price below; None: told already
        self._ticks = 0

    def among(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The recording's batches in order, each with the index rows that are due within it."""
        for batch in batches:
            if len(batch["time_ns"]):
                yield self._with(batch)

    def _with(self, batch: Batch) -> Batch:
        times = batch["time_ns"]
        trades = np.flatnonzero((batch["code"] & ROW_MASK) == Row.TRADE)
        due, ticks = (times[trades] // self.period_ns + 1) * self.period_ns, batch["price"][trades]
        if self._due_ns is not None:
            due, ticks = np.append(self._due_ns, due), np.append(self._ticks, ticks)
        last = np.append(due[1:] != due[:-1], True)[: len(due)]
        due, ticks = due[last], ticks[last]
        told = due <= times[-1]
        self._due_ns, self._ticks = (None, 0) if told.all() else (int(due[-1]), int(ticks[-1]))
        due, ticks = due[told], ticks[told]
        self.rows += int(np.count_nonzero(due <= self.end_ns))
        place = np.searchsorted(times, due)  # before all rows of that time, so never within a message
        made = {
            "time_ns": due, "receive_ns": due, "code": Row.INDEX, "price": 0, "value": ticks * self.tick_value, "id": 0,
        }  # fmt: skip
        return {name: np.insert(column, place, made[name]) for name, column in batch.items()}
