"""Feeds that stand still while others of the same market go on: bids, asks, or the whole book beside its prints."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.replay.tape import ROW_MASK, SELL, Batch, Row

GOES_ON = 100  # rows of the other feed in that time; fewer is a quiet market
LONGEST = 5  # told one by one
OF_BOOK = (Row.LEVEL, Row.QUOTE, Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
NEVER = np.iinfo(np.int64).max
FEEDS = ("bids", "asks", "book")


class Frozen:
    """Watches for times longer than `silence_ns` without a row of a feed, but with GOES_ON of its counterpart."""

    def __init__(self, silence_ns: int):
        self._silence_ns = silence_ns
        self._last = dict.fromkeys(FEEDS, (0, 0))  # time of the last row; rows of the counterpart since
        self._now_ns = 0
        self._found: list[tuple[int, int, str]] = []  # length, beginning, feed; the longest
        self._count, self._ns = 0, 0

    def add(self, batch: Batch) -> None:
        """The next rows."""
        kind, ask, times = batch["code"] & ROW_MASK, (batch["code"] & SELL) != 0, batch["time_ns"]
        book = np.isin(kind, OF_BOOK)
        bids, asks = book & ~ask, book & ask
        for feed, own, other in (("bids", bids, asks), ("asks", asks, bids), ("book", book, kind == Row.TRADE)):
            self._feed(feed, times, own, other)
        self._now_ns = int(times[-1])

    def _feed(self, feed: str, times: np.ndarray, own: np.ndarray, other: np.ndarray) -> None:
        """Rows of the counterpart at the very times of a feed's own rows are no sign that it stands still."""
        last_ns, since = self._last[feed]
        place = np.flatnonzero(own)
        before = np.maximum.accumulate(np.where(own, times, last_ns))
        after = np.minimum.accumulate(np.where(own, times, NEVER)[::-1])[::-1]
        other = other & (times > before) & (times < after)
        if not len(place):
            self._last[feed] = last_ns, since + int(other.sum())
            return
        passed = np.cumsum(other)
        lengths = np.diff(times[place], prepend=last_ns or times[place[0]])
        others = np.diff(passed[place], prepend=-since)
        for index in np.flatnonzero((lengths > self._silence_ns) & (others >= GOES_ON)).tolist():
            self._tell(int(lengths[index]), int(times[place[index]] - lengths[index]), feed)
        self._last[feed] = int(times[place[-1]]), int(passed[-1] - passed[place[-1]])

    def _tell(self, length: int, begin: int, feed: str) -> None:
        self._count += 1
        self._ns += length
        self._found = sorted([*self._found, (length, begin, feed)], key=lambda each: (-each[0], each[1:]))[:LONGEST]

    def close(self) -> dict[str, Any]:
        """How often, how long together, and the longest; a feed that stops before the others stands still, too."""
        for feed, (last_ns, since) in self._last.items():
            if last_ns and self._now_ns - last_ns > self._silence_ns and since >= GOES_ON:
                self._tell(self._now_ns - last_ns, last_ns, feed)
        longest = [{"feed": feed, "from_ns": begin, "ns": length} for length, begin, feed in self._found]
        return {"n": self._count, "ns": self._ns, "longest": longest}
