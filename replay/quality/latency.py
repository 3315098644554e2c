"""The two clocks of a recording: receive less exchange time (rule R7)."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import MORE, Batch


class Latency:
    """A distribution over messages; rows whose two clocks agree to the nanosecond throughout have one clock."""

    def __init__(self):
        self._samples = Findings()
        self._negative = 0
        self._differ = False

    def add(self, batch: Batch) -> None:
        """The next rows."""
        latency = (batch["receive_ns"] - batch["time_ns"])[(batch["code"] & MORE) == 0]
        self._differ |= bool(latency.any())
        self._negative += int((latency < 0).sum())
        self._samples.sample("latency_ns", np.asarray(latency))

    def facts(self) -> dict[str, Any] | None:
        """None where there is one clock. The skew is how far the clocks are apart at least, by what was received."""
        if not self._differ:
            return None
        told = self._samples.percentiles("latency_ns")
        return {"negative": self._negative, "skew_ns": max(0, -told["min"]), "percentiles": told}
