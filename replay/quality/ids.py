"""Prints that stand on a tape twice (rule R8), and ids that are missing, minute by minute."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import ROW_MASK, Batch, Row

MINUTE = "missing_trade_ids "  # readers count by minute under this, and the minute's name


class Twice:
    """A print comes twice when time and id are those of another; so only the prints of one time need be held."""

    def __init__(self):
        self._held = np.zeros((2, 0), np.int64)
        self.count = 0

    def add(self, batch: Batch) -> None:
        """The next rows."""
        prints = np.isin(batch["code"] & ROW_MASK, (Row.TRADE, Row.OFF_BOOK)) & (batch["id"] != 0)
        if not prints.any():
            return
        pairs = np.concatenate([self._held, [batch["time_ns"][prints], batch["id"][prints]]], axis=1)
        unique = np.unique(pairs, axis=1)
        self.count += pairs.shape[1] - unique.shape[1]
        self._held = unique[:, unique[0] == unique[0, -1]]


def off_book(findings: Findings) -> dict[str, Any]:
    """Trade ids that are missing, in all and by minute: where a source leaves off-book fills out, those fills."""
    minutes = {name.removeprefix(MINUTE): n for name, n in sorted(findings.counts.items()) if name.startswith(MINUTE)}
    peak = max(minutes, key=lambda minute: (minutes[minute], minute), default=None)
    return {"missing": findings.counts[MINUTE.strip()], "peak_minute": peak, "minutes": minutes}
