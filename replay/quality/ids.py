"""Prints that stand on a tape twice (rule R8), and ids that are missing, minute by minute."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import ROW_MASK, Batch, Row

MISSING, OFF_BOOK = "missing_trade_ids", "off_book_fills"  # readers count so, in all and with a minute behind it


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
        time_ns, ids = np.concatenate([self._held, [batch["time_ns"][prints], batch["id"][prints]]], axis=1)
        if not _rising(time_ns, ids):
            order = np.lexsort((ids, time_ns))
            time_ns, ids = time_ns[order], ids[order]
            fresh = np.append(True, (np.diff(time_ns) != 0) | (np.diff(ids) != 0))
            self.count += int((~fresh).sum())
            time_ns, ids = time_ns[fresh], ids[fresh]
        self._held = np.stack([time_ns, ids])[:, time_ns == time_ns[-1]]


def _rising(time_ns: np.ndarray, ids: np.ndarray) -> bool:
    """Whether ids rise wherever times are equal: then none comes twice."""
    return bool((np.diff(ids)[np.diff(time_ns) == 0] > 0).all())


def holes(findings: Findings) -> dict[str, dict[str, Any]]:
    """Ids that are missing, and off-book fills known by their missing ids: in all, by minute, the minute of most."""
    told = {}
    for name in (MISSING, OFF_BOOK):
        counts = sorted(findings.counts.items())
        minutes = {key.removeprefix(f"{name} "): n for key, n in counts if key.startswith(f"{name} ")}
        peak = max(minutes, key=lambda minute: (minutes[minute], minute), default=None)
        told[name] = {"n": findings.counts[name], "peak_minute": peak, "minutes": minutes}
    return told
