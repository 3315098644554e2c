"""How long a bot's messages took and how many requests were turned away, against the venue's message rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

SECOND = 10**9
FINE_NS, COARSE_NS = 1_000_000, 1_000  # from a millisecond on, ways are kept to the microsecond


class Ways:
    """How long messages took on one way, counted; from FINE_NS on cut to COARSE_NS, so that memory stays bounded."""

    def __init__(self):
        self._counts: Counter[int] = Counter()

    def add(self, ns: int) -> None:
        self._counts[ns if ns < FINE_NS else ns - ns % COARSE_NS] += 1

    def percentiles(self) -> dict[str, int]:
        """As the function of that name."""
        count = self._counts.total()
        if not count:
            return {"count": 0}
        wanted = {"p50": -(-50 * count // 100), "p99": -(-99 * count // 100), "max": count}
        found, seen = {"count": count}, 0
        for ns in sorted(self._counts):
            seen += self._counts[ns]
            found |= {name: ns for name, place in wanted.items() if name not in found and place <= seen}
        return found


class Meter:
    """Of one bot. A round trip is the time from sending an order to the first news of it at the bot."""

    def __init__(self):
        self.requests = self.shed = self.unknown = 0
        self.orders, self.feed = Ways(), Ways()  # from sending a request to its effect; from a change to the bot
        self._open: dict[int, int] = {}  # order -> when it was sent
        self._trips: list[tuple[int, int]] = []  # (second of sending, ns)
        self._sent: Counter[int] = Counter()  # second -> requests
        self._refused: Counter[int] = Counter()  # second -> requests turned away

    def send(self, time_ns: int, order_id: int | None) -> None:
        """A request leaves the bot; `order_id` of a new order."""
        self.requests += 1
        self._sent[time_ns // SECOND] += 1
        if order_id is not None:
            self._open[order_id] = time_ns

    def refuse(self, sent_ns: int, unknown: bool) -> None:
        """A request was turned away, or the bot is told that nobody knows."""
        self.unknown += unknown
        self.shed += not unknown
        self._refused[sent_ns // SECOND] += 1

    def answer(self, time_ns: int, order_id: int) -> None:
        """News of an order reach the bot."""
        sent_ns = self._open.pop(order_id, None)
        if sent_ns is not None:
            self._trips.append((sent_ns // SECOND, time_ns - sent_ns))

    def summary(self, rates: Counter[int]) -> dict[str, Any]:
        """For summary.json, times in ns. `rates`: second -> recorded messages."""
        by_rate: dict[int, list[int]] = {}  # bits of the rate -> round trips
        sent, refused = Counter(), Counter()
        for second, trip_ns in self._trips:
            by_rate.setdefault(rates[second].bit_length(), []).append(trip_ns)
        for second, count in self._sent.items():
            sent[rates[second].bit_length()] += count
            refused[rates[second].bit_length()] += self._refused[second]
        return {
            "requests": self.requests,
            "shed": self.shed,
            "shed_share": f"{self.shed / self.requests:.6f}" if self.requests else "0",
            "unknown": self.unknown,
            "order_ns": self.orders.percentiles(),
            "feed_ns": self.feed.percentiles(),
            "round_trip_ns": percentiles([trip_ns for _, trip_ns in self._trips]),
            "by_message_rate": [
                {
                    "messages_per_second": [1 << bits - 1 if bits else 0, (1 << bits) - 1],
                    "requests": sent[bits],
                    "turned_away": refused[bits],
                    "round_trip_ns": percentiles(by_rate.get(bits, [])),
                }
                for bits in sorted(sent)
            ],
        }


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """Count, median, 99 % and largest: the smallest value that so large a share does not exceed."""
    if not values:
        return {"count": 0}
    ordered = sorted(values)

    def at(percent: int) -> int:
        return ordered[-(-percent * len(ordered) // 100) - 1]

    return {"count": len(ordered), "p50": at(50), "p99": at(99), "max": ordered[-1]}
