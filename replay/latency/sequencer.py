"""The venue's sequencer: one queue with service times and a depth, in front of the engine.

Recorded messages and the requests of bots stand in it in the order in which they come; recorded ones first where the
times are equal. The recorded messages of one instant take a service time together from the distribution, each of them
as long as the other, and so does each request of a bot: an M/G/1 queue whose arrivals are those of the day.

A request of a bot that finds `depth` requests in the queue, the one in work included, is turned away, unless it is of
a kind that is exempt. Recorded messages that find it full are not counted: at the venue they had not come through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from perpsim.core import Flag, Kind

from .draws import Draws, Stream, Table


class Answer(IntEnum):
    """What the sequencer says of a request."""

    TAKEN = 0  # it has a place
    SHED = 1  # it was turned away
    LOST = 2  # it was turned away, and the bot is told that nobody knows
    UNKNOWN = 3  # it has a place, and the bot is told that nobody knows


@dataclass(frozen=True)
class Rules:
    """How a venue sheds load.

    recorded     requests that one recorded message stands for
    taken        share of 2 ** 32 of the requests beyond the depth that are taken all the same; None: all are rejected
    cancels      cancels are exempt
    closes       reduce-only market orders, and orders that close a position, are exempt
    conflate_ns  the feed publishes at multiples of it, the newest quotes and marks only; 0: everything at once
    """

    service: Table
    depth: int
    recorded: int = 1
    taken: int | None = None
    cancels: bool = True
    closes: bool = True
    conflate_ns: int = 0

    def exempts(self, request: dict[str, int]) -> bool:
        """Whether a request (fields of a COMMAND) is never turned away."""
        if request["kind"] in (Kind.CANCEL, Kind.CANCEL_ALL):
            return self.cancels
        flags = request.get("flags", 0)
        market_close = flags & Flag.REDUCE_ONLY and flags & Flag.MARKET
        return bool(self.closes and request["kind"] == Kind.PLACE and (market_close or flags & Flag.CLOSE_POSITION))

    def published(self, time_ns: int) -> int:
        """When what happens now is published."""
        return -(-time_ns // self.conflate_ns) * self.conflate_ns if self.conflate_ns else time_ns


@dataclass(slots=True)
class _Batch:
    """Requests that came together: when the last of them is done, how many they are, what each takes."""

    done_ns: int
    count: int
    service_ns: int


class Sequencer:
    """The queue of one venue. Times must not go backwards.

    recorded  (time, how many) of the recorded messages up to a time, each once
    """

    def __init__(
        self, rules: Rules, recorded: Callable[[int], Iterable[tuple[int, int]]], service: Draws, taken: Draws
    ):
        self.rules, self._recorded = rules, recorded
        self._service, self._taken = Stream(rules.service, service), taken
        self._batches: deque[_Batch] = deque()
        self._count = self._beyond = 0
        self._done_ns = 0  # when all of it is done

    def arrive(self, time_ns: int, request: dict[str, int]) -> tuple[Answer, int]:
        """A request of a bot comes. (answer, when the engine gets it; 0 where it never does)"""
        self.catch_up(time_ns)
        answer = Answer.TAKEN
        if self.length(time_ns) >= self.rules.depth and not self.rules.exempts(request):
            answer = self._turn_away()
        taken = answer in (Answer.TAKEN, Answer.UNKNOWN)
        return answer, self._add(time_ns, 1) if taken else 0

    def catch_up(self, time_ns: int) -> None:
        """Take in the recorded messages up to a time."""
        for when_ns, messages in self._recorded(time_ns):
            count = min(messages * self.rules.recorded, self.rules.depth - self.length(when_ns))
            if count > 0:
                self._add(when_ns, count)

    def length(self, time_ns: int) -> int:
        """Requests in the queue, the one in work included."""
        while self._batches and self._batches[0].done_ns <= time_ns:
            self._count -= self._batches.popleft().count
        if not self._batches:
            return 0
        head = self._batches[0]
        return self._count - head.count - (time_ns - head.done_ns) // head.service_ns  # rounded up: one is in work

    def _turn_away(self) -> Answer:
        if self.rules.taken is None:
            return Answer.SHED
        self._beyond += 1
        return Answer.UNKNOWN if self._taken[self._beyond - 1] < self.rules.taken else Answer.LOST

    def _add(self, time_ns: int, count: int) -> int:
        service_ns = self._service.next()
        self._done_ns = max(time_ns, self._done_ns) + count * service_ns
        self._batches.append(_Batch(self._done_ns, count, service_ns))
        self._count += count
        return self._done_ns
