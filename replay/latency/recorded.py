"""What latencies need of the recording: its two clocks, and how many messages a venue had at a time.

The runner hands each chunk of a recording over as the kernel gets it, so everything up to the kernel's time is here.
Nothing depends on how a recording is cut into chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from perpsim.replay.latency.protocol import BOOK, MARK, PRINT
from perpsim.replay.tape import ROW_MASK, SNAPSHOT, Row

SECOND = 10**9
KINDS = {
    BOOK: (Row.LEVEL, Row.QUOTE, Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE),
    PRINT: (Row.TRADE, Row.OFF_BOOK, Row.ORDER_EXECUTE),
    MARK: (Row.MARK, Row.INDEX, Row.FUNDING),
}
REQUESTS = (Row.LEVEL, Row.TRADE, Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE)
KIND_OF = np.full(16, -1, np.int8)
IS_REQUEST = np.zeros(16, bool)
for _kind, _rows in KINDS.items():
    KIND_OF[list(_rows)] = _kind
IS_REQUEST[list(REQUESTS)] = True

Batch = Mapping[str, np.ndarray]


def delays(batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(time_ns, receive_ns - time_ns, kind) of the rows of a chunk that were messages: no snapshots."""
    kind = KIND_OF[batch["code"] & ROW_MASK]
    told = (kind >= 0) & ((batch["code"] & SNAPSHOT) == 0)
    time_ns = batch["time_ns"][told]
    return time_ns, batch["receive_ns"][told] - time_ns, kind[told]


class Recorded:
    """The chunks of all markets so far, as far as they are still needed.

    clocks      some bot's latency is that of the recording
    queued      some bot's requests stand in the venue's queue with the recorded ones
    noticed_ns  everything before it is past for the bots; set by the runner
    rates       second since the epoch -> recorded requests in it
    """

    def __init__(self, markets: int, clocks: bool, queued: bool):
        self.clocks, self.queued, self.noticed_ns = clocks, queued, 0
        self.rates: Counter[int] = Counter()
        empty = np.zeros(0, np.int64)
        self._delays = [[(empty, empty) for _ in KINDS] for _ in range(markets)]
        self._requests: list[list[np.ndarray]] = [[] for _ in range(markets)]

    def add(self, market: int, batch: Batch) -> None:
        """The next chunk of a market."""
        code = batch["code"]
        wanted = IS_REQUEST[code & ROW_MASK] & ((code & SNAPSHOT) == 0)
        times = batch["time_ns"][wanted]
        for second, count in zip(*np.unique(times // SECOND, return_counts=True), strict=True):
            self.rates[int(second)] += int(count)
        if self.queued and len(times):
            self._requests[market].append(times)
        if self.clocks:
            self._add_delays(market, batch)

    def _add_delays(self, market: int, batch: Batch) -> None:
        time_ns, delay_ns, kinds = delays(batch)
        for kind, (times, late) in enumerate(self._delays[market]):
            first = max(0, int(np.searchsorted(times, self.noticed_ns, "right")) - 1)  # the last one past still counts
            chosen = kinds == kind
            grown = np.concatenate((times[first:], time_ns[chosen])), np.concatenate((late[first:], delay_ns[chosen]))
            self._delays[market][kind] = grown

    def delay(self, market: int, kind: int | None, time_ns: int) -> int | None:
        """receive_ns - time_ns of the last message of a kind up to a time, of any kind if there was none or for None.

        None before the first message of the market.
        """
        latest, found = -1, None
        for each, (times, late) in enumerate(self._delays[market]):
            place = int(np.searchsorted(times, time_ns, "right")) - 1
            if place < 0:
                continue
            if each == kind:
                return int(late[place])
            if times[place] >= latest:
                latest, found = int(times[place]), int(late[place])
        return found

    @property
    def chunks_waiting(self) -> int:
        """Chunks that `requests` has not taken."""
        return sum(map(len, self._requests))

    def requests(self, until_ns: int) -> Iterable[tuple[int, int]]:
        """(time, how many) for each time up to `until_ns` at which there were recorded requests, once each."""
        taken = []
        for market, parts in enumerate(self._requests):
            if not parts or parts[0][0] > until_ns:
                continue
            times = np.concatenate(parts) if len(parts) > 1 else parts[0]
            end = int(np.searchsorted(times, until_ns, "right"))
            taken.append(times[:end])
            self._requests[market] = [times[end:]] if end < len(times) else []
        if not taken:
            return ()
        times, counts = np.unique(np.concatenate(taken), return_counts=True)
        return zip(times.tolist(), counts.tolist(), strict=True)
