"""When a market was recorded: first and last row, and the silences between."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.replay.tape import ROW_MASK, Batch, Row

LONGEST = 100  # silences told one by one


class Spans:
    """Counts rows by kind, and the times without any row that are longer than `silence_ns`."""

    def __init__(self, silence_ns: int):
        self._silence_ns = silence_ns
        self._kinds = np.zeros(16, np.int64)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._silences, self._silent_ns = 0, 0
        self._longest: list[tuple[int, int]] = []  # length, beginning

    def add(self, batch: Batch) -> None:
        """The next rows."""
        times = batch["time_ns"]
        if self._first_ns is None:
            self._first_ns = self._last_ns = int(times[0])
        since = np.diff(times, prepend=self._last_ns)
        self._last_ns = int(times[-1])
        self._kinds += np.bincount(batch["code"] & ROW_MASK, minlength=16)
        found = np.flatnonzero(since > self._silence_ns)
        self._silences += len(found)
        self._silent_ns += int(since[found].sum())
        lengths = [(int(since[index]), int(times[index] - since[index])) for index in found]
        self._longest = sorted([*self._longest, *lengths], key=lambda each: (-each[0], each[1]))[:LONGEST]

    def facts(self) -> dict[str, Any]:
        """first_ns and last_ns are None where there are no rows."""
        return {
            "first_ns": self._first_ns,
            "last_ns": None if self._first_ns is None else self._last_ns,
            "rows": {kind.name.lower(): int(self._kinds[kind]) for kind in Row if self._kinds[kind]},
            "silence_ns": self._silence_ns,
            "silences": self._silences,
            "silent_ns": self._silent_ns,
            "longest": [{"from_ns": begin, "ns": length} for length, begin in self._longest],
        }
