"""Recorded prints against recorded best quotes, in a window of time: prints that no quote explains.

The quotes before, at and after a print are asked; the one after, because a sweep is stamped up to a millisecond before
the quote that it leaves behind.
"""

import numpy as np
from perpsim.replay.readers.contract import Findings

WINDOW_NS = 10_000_000_000  # streams of one recorder are not further apart


class QuoteWatch:
    """Takes prints and quotes as they are recorded; counts `off_quote_prints` and `crossed_quotes`."""

    def __init__(self, findings: Findings):
        self._findings = findings
        self._prints = np.zeros((2, 0), np.int64)  # time_ns, price; not yet decided
        self._quotes = np.zeros((3, 0), np.int64)  # time_ns (in order), bid, ask
        self._began_ns: int | None = None

    def prints(self, time_ns: np.ndarray, price: np.ndarray) -> None:
        """Prints on the book, in the order of the file."""
        self._prints = np.concatenate([self._prints, [time_ns, price]], axis=1)

    def quotes(self, time_ns: np.ndarray, bid: np.ndarray, ask: np.ndarray) -> None:
        """Best quotes, in the order of the file; prices in the unit of the prints."""
        if not len(time_ns):
            return
        if self._began_ns is None:
            self._began_ns = int(time_ns[0])
        self._findings.count("crossed_quotes", (bid >= ask).sum())
        ordered = np.maximum.accumulate(np.append(self._quotes[0, -1:], time_ns))[-len(time_ns) :]
        self._quotes = np.concatenate([self._quotes, [ordered, bid, ask]], axis=1)
        self._decide(self._prints[0] < ordered[-1])
        first = np.searchsorted(self._quotes[0], ordered[-1] - WINDOW_NS) - 1
        self._quotes = self._quotes[:, max(0, int(first)) :]

    def pass_on(self, time_ns: int) -> None:
        """All quotes up to this time have come: prints that wait longer than the window are decided without more."""
        late = self._prints[0] < time_ns - WINDOW_NS
        if not late.any():
            return
        if self._began_ns is None:
            self._prints = self._prints[:, ~late]
        else:
            self._decide(late)

    def close(self) -> None:
        """Decide what is left, with the quotes there are."""
        if self._began_ns is not None:
            self._decide(self._prints[0] <= self._quotes[0, -1])

    def _decide(self, ready: np.ndarray) -> None:
        time_ns, price = self._prints[:, ready]
        quote_ns, bid, ask = self._quotes
        before = np.searchsorted(quote_ns, time_ns, side="left") - 1
        at = np.searchsorted(quote_ns, time_ns, side="right") - 1
        around = np.clip([before, at, at + 1], 0, len(quote_ns) - 1)
        outside = (price < bid[around].min(axis=0)) | (price > ask[around].max(axis=0))
        self._findings.count("off_quote_prints", (outside & (time_ns > self._began_ns)).sum())
        self._prints = self._prints[:, ~ready]
