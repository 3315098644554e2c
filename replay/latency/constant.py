"""Constant latencies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """A Latency of three numbers, ns."""

    feed_ns: int
    entry_ns: int
    response_ns: int
    in_order = False

    def feed(self, time_ns: int, market: int, kind: int) -> int:
        return self.feed_ns

    def entry(self, time_ns: int) -> int:
        return self.entry_ns

    def response(self, time_ns: int, market: int) -> int:
        return self.response_ns
