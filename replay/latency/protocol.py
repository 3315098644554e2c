"""What a latency model is: three times that a message takes, each asked for once a message, in order of time."""

from __future__ import annotations

from typing import Protocol

BOOK, PRINT, MARK = range(3)  # what a public message is about


class Latency(Protocol):
    """The distance between one account and the venue, in ns, never below 0.

    in_order  messages of one channel keep their order: one that would overtake another arrives with it. A constant
              distance needs no such rule.
    """

    in_order: bool

    def feed(self, time_ns: int, market: int, kind: int) -> int:
        """What a public message takes that leaves the venue now; `kind` is BOOK, PRINT or MARK."""
        ...

    def entry(self, time_ns: int) -> int:
        """What a request takes that leaves the bot now."""
        ...

    def response(self, time_ns: int, market: int) -> int:
        """What news of the bot's own account take that leave the venue now."""
        ...


class Channel:
    """Keeps the messages of one connection in order."""

    def __init__(self, in_order: bool):
        self.in_order, self.last_ns = in_order, 0

    def arrival(self, time_ns: int) -> int:
        """When a message is there that would, alone, be there at `time_ns`."""
        if self.in_order:
            self.last_ns = time_ns = max(self.last_ns, time_ns)
        return time_ns
