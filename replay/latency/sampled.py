"""Latencies drawn from distributions, with times at which everything takes longer."""

from __future__ import annotations

from dataclasses import dataclass

from .draws import ENTRY, FEED, ONE, RESPONSE, SPIKE, Draws, Stream, Table


@dataclass(frozen=True)
class Spikes:
    """Time is cut into windows of `length_ns`; in one of every_ns / length_ns everything takes `extra_ns` longer."""

    every_ns: int
    length_ns: int
    extra_ns: int


class Sampled:
    """A Latency with draws of its own for each of the three, keyed (seed, component, account, n)."""

    in_order = True

    def __init__(self, tables: tuple[Table, Table, Table], spikes: Spikes | None, seed: int, account: int):
        components = zip((FEED, ENTRY, RESPONSE), tables, strict=True)
        self._feed, self._entry, self._response = (Stream(t, Draws(seed, part, account)) for part, t in components)
        self._spikes, self._windows = spikes, Draws(seed, SPIKE, account)

    def feed(self, time_ns: int, market: int, kind: int) -> int:
        return self._feed.next() + self.spike(time_ns)

    def entry(self, time_ns: int) -> int:
        return self._entry.next() + self.spike(time_ns)

    def response(self, time_ns: int, market: int) -> int:
        return self._response.next() + self.spike(time_ns)

    def spike(self, time_ns: int) -> int:
        """What is added to every message that leaves now; the number of the window is the number of its draw."""
        spikes = self._spikes
        if spikes is None:
            return 0
        window = time_ns // spikes.length_ns
        return spikes.extra_ns if self._windows[window] * spikes.every_ns < spikes.length_ns * ONE else 0
