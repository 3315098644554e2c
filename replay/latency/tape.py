"""Latencies from the two clocks of a recording: receive_ns - time_ns, plus an offset of the recorder's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from .recorded import Batch, Recorded, delays


@dataclass(frozen=True)
class Offset:
    """What is added to every receive_ns of a market, and the smallest latency that this leaves, ns."""

    offset_ns: int
    smallest_ns: int


def smallest_delay(batches: Iterable[Batch]) -> tuple[int, int] | None:
    """(smallest, largest) receive_ns - time_ns of a recording; None where no row was a message."""
    ranges = [(int(late.min()), int(late.max())) for _, late, _ in map(delays, batches) if len(late)]
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


class Taped:
    """A Latency: public messages arrive when the recorder had them. The last one of the same kind and market says it.

    A request takes a multiple of what the last public message took that the bot has; news of its own account take
    a multiple of what the last recorded message of the market took. So orders are slow when the feed is.
    """

    in_order = True

    def __init__(self, recorded: Recorded, offsets: list[Offset], entry: Fraction, response: Fraction):
        self._recorded, self._offsets = recorded, offsets
        self._entry, self._response = entry, response
        self._told: deque[tuple[int, int]] = deque()  # (time at the bot, latency) of public messages

    def feed(self, time_ns: int, market: int, kind: int) -> int:
        late = self._late(market, kind, time_ns)
        self._told.append((time_ns + late, late))
        self._forget(time_ns)
        return late

    def entry(self, time_ns: int) -> int:
        self._forget(time_ns)
        known = self._told and self._told[0][0] <= time_ns
        late = self._told[0][1] if known else self._late(0, None, time_ns)
        return _times(late, self._entry)

    def response(self, time_ns: int, market: int) -> int:
        return _times(self._late(market, None, time_ns), self._response)

    def _late(self, market: int, kind: int | None, time_ns: int) -> int:
        offset = self._offsets[market]
        delay = self._recorded.delay(market, kind, time_ns)
        return offset.smallest_ns if delay is None else delay + offset.offset_ns

    def _forget(self, time_ns: int) -> None:
        """Keep the last message that has arrived, and those on their way."""
        while len(self._told) > 1 and self._told[1][0] <= time_ns:
            self._told.popleft()


def _times(late_ns: int, multiple: Fraction) -> int:
    return late_ns * multiple.numerator // multiple.denominator
