"""Order-level rows in an engine without accounts, for tests of readers."""

from collections.abc import Iterable

import numpy as np
from perpsim.core import Engine, Kernel
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, Tier
from perpsim.replay.readers.contract import Rows
from perpsim.replay.tape import COLUMNS, MORE


def bare_engine(highest_ticks: int, tick: str = "1", lot: str = "1") -> Engine:
    """A market of a grid; any kind of contract will do where nobody trades."""
    reference = highest_ticks * float(tick) / 4
    spec = contract("MARKET", tick, lot, f"{reference:.8f}", tiers=(Tier(10**18, 10_000_000, 0, 20),))
    return Engine(Rulebook("orders", "", "", (spec,)), [spec], 1, audit=0)


def play(engine: Engine, blocks: Iterable[Rows]) -> np.ndarray:
    """All rows through the kernel; the engine's events."""
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    for block in blocks:
        columns = {name: np.ascontiguousarray(getattr(block, name)) for name in COLUMNS}
        columns["time_ns"] = np.maximum.accumulate(columns["time_ns"])
        kernel.feed(stream, columns)
        kernel.run()
    return engine.drain()


def assert_whole_messages(blocks: Iterable[Rows]) -> None:
    for block in blocks:
        more = (block.code & MORE) != 0
        assert not more[-1]
        assert (np.diff(block.time_ns)[more[:-1]] == 0).all() and (np.diff(block.line) >= 0).all()
        for name, dtype in COLUMNS.items():
            assert getattr(block, name).dtype == dtype
