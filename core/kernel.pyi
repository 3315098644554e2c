"""The event loop: one timeline for several engines, their tapes, and scheduled commands."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import Engine

class Stop(IntEnum):
    """Why `Kernel.run` returned."""

    UNTIL = 0
    DATA = 1
    WAKE = 2
    EVENTS = 3

class Watch(IntEnum):
    """What wakes the caller."""

    TRADE = 1
    QUOTE = 2
    MARK = 4
    ACCOUNT = 8

class Kernel:
    """Engine number i is venue i of streams and scheduled commands."""

    def __init__(self, engines: Sequence[Engine]) -> None: ...
    @property
    def engines(self) -> list[Engine]: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def hungry(self) -> int: ...
    @property
    def woken(self) -> list[tuple[Watch, int, int, int, int, int, int]]: ...
    @property
    def last(self) -> dict[str, Any]: ...
    def add_stream(self, venue: int, market: int) -> int: ...
    def feed(self, stream: int, columns: Mapping[str, NDArray[np.generic]]) -> None: ...
    def finish(self, stream: int) -> None: ...
    def schedule(self, commands: NDArray[np.void]) -> None: ...
    def watch_market(self, venue: int, market: int, mask: int) -> None: ...
    def watch_account(self, venue: int, account: int) -> None: ...
    def quote(self, venue: int, market: int) -> tuple[int, int, int, int]: ...
    def run(self, until: int | None = None) -> Stop: ...
