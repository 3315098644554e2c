"""Disks that fail and power that goes: what was acknowledged is there afterwards, and the journal goes on."""

import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
from crash_disk import CutSystem, FaultySystem, QuickSystem
from journal_stream import batches, digests, new_engine, stream
from perpsim.exchange.disk import System
from perpsim.exchange.journal import FILE, JournalError
from perpsim.exchange.recovery import JournaledEngine, recover

COUNT = 260
QUICK = QuickSystem()


@pytest.fixture(scope="module")
def pieces() -> list[np.ndarray]:
    return batches(stream(COUNT), 40)


@pytest.fixture(scope="module")
def expected(pieces) -> dict[int, str]:
    return digests(pieces)


def begin(folder: Path, system: System = QUICK) -> JournaledEngine:
    """Start, or go on where a predecessor has stopped."""
    if (folder / FILE).exists():
        return JournaledEngine.resume(folder, snapshot_every=70, system=system)[0]
    return JournaledEngine.create(new_engine(), folder, snapshot_every=70, system=system)


def work(folder: Path, system: System, acknowledged: list[int]) -> None:
    """Apply the whole stream; notes how many commands are acknowledged. A fault ends it, as it would a process."""
    engine = begin(folder, system)
    try:
        done = engine.journal.commands
        for piece in batches(stream(COUNT)[done:], 40, seed=done):
            engine.apply(piece)
            acknowledged.append(engine.journal.commands)
        engine.close()
    except BaseException:
        die(engine)
        raise


def die(engine: JournaledEngine) -> None:
    """What the end of a process does: handles and locks are gone."""
    engine.journal.lock.release()
    if engine.journal.log.handle >= 0:
        os.close(engine.journal.log.handle)
        engine.journal.log.handle = -1


def expect_whole(folder: Path, acknowledged: int, expected: dict[int, str]) -> None:
    """Everything acknowledged is there, the digest is that of a prefix, and the rest can follow."""
    if not (folder / FILE).exists():
        assert acknowledged == 0
    else:
        found = recover(folder)
        assert found.commands >= acknowledged
        assert found.engine.digest() == prefix(found.commands)
        assert not found.refused
    work(folder, QUICK, [])
    assert recover(folder).engine.digest() == expected[COUNT]


def prefix(count: int, known: dict[int, str] = {}) -> str:  # noqa: B006 -- remembered from test to test
    if count not in known:
        engine = new_engine()
        engine.apply(stream(COUNT)[:count])
        known[count] = engine.digest()
    return known[count]


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for-good"])
@pytest.mark.parametrize(
    ("error", "short"), [(errno.EIO, False), (errno.ENOSPC, False), (errno.ENOSPC, True)], ids=["io", "full", "short"]
)
def test_the_nth_call_fails(tmp_path, expected, error, short, for_good):
    """Write, sync, open, rename ...: n = 1, 2, 3 until nothing fails any more."""
    hit = set()
    for number in range(1, 200):
        folder, acknowledged = tmp_path / str(number), []
        folder.mkdir()
        system = FaultySystem(number, error, for_good, short)
        try:
            work(folder, system, acknowledged)
        except JournalError as caught:
            assert "has stopped" in str(caught)
        except OSError as caught:
            assert caught.errno == error
        hit.add(system.failed)
        expect_whole(folder, max(acknowledged, default=0), expected)
        if system.failed is None:
            break
    assert hit == {"open", "write", "fsync", "rename", "unlink", None}


def test_after_a_failed_sync_nothing_more_is_written(tmp_path):
    system = FaultySystem(10**9, errno.EIO, for_good=False)
    engine = JournaledEngine.create(new_engine(), tmp_path / "journal", system=system)
    engine.apply(stream(COUNT)[:10])
    system.number = system.calls + 2  # the sync of the next frame
    with pytest.raises(JournalError, match="has stopped: Input/output error; what was acknowledged before is safe"):
        engine.apply(stream(COUNT)[10:20])
    calls, size = system.calls, (tmp_path / "journal" / FILE).stat().st_size
    for _ in range(3):
        with pytest.raises(JournalError, match="has stopped"):
            engine.apply(stream(COUNT)[10:20])
    assert engine.engine.digest() == prefix(10)
    engine.close()
    assert (system.calls, (tmp_path / "journal" / FILE).stat().st_size) == (calls, size)


def test_a_full_disk_for_snapshots_stops_nothing(tmp_path):
    """A snapshot is a shortcut; the journal is whole without it."""
    system = FaultySystem(10**9, errno.ENOSPC, for_good=False)
    engine = JournaledEngine.create(new_engine(), tmp_path / "journal", snapshot_every=10, system=system)
    system.number = system.calls + 3  # the snapshot's open, after write and sync of the frame
    assert len(engine.apply(stream(COUNT)[:12])) > 0
    assert engine.unsaved == os.strerror(errno.ENOSPC)
    engine.apply(stream(COUNT)[12:30])
    assert engine.unsaved is None
    engine.close()
    assert recover(tmp_path / "journal").engine.digest() == prefix(30)


class PowerCuts:
    """Materialises some of the states that each moment of a piece of work could leave, and looks at them."""

    def __init__(self, place: Path, states: int, seed: int):
        self.place, self.states = place, states
        self.rng = random.Random(seed)
        self.acknowledged: list[int] = [0]
        self.count = 0

    def look(self, system: CutSystem) -> None:
        for _ in range(self.states):
            self.count += 1
            folder = self.place / f"state-{self.count}"
            folder.mkdir(parents=True)
            for name, data in system.after_a_cut(self.rng).items():
                (folder / name).write_bytes(data)
            self.check(folder)

    def check(self, folder: Path) -> None:
        if not (folder / FILE).exists():
            assert self.acknowledged[-1] == 0
            return
        found = recover(folder)
        assert found.commands >= self.acknowledged[-1]
        assert found.engine.digest() == prefix(found.commands)


def test_power_goes_at_any_call(tmp_path, expected):
    """Unsynced writes lost, in part and out of order; names back to what they were."""
    cuts = PowerCuts(tmp_path / "states", 6, seed=1)
    folder = tmp_path / "journal"
    folder.mkdir()
    work(folder, CutSystem(cuts.look), cuts.acknowledged)
    assert recover(folder).engine.digest() == expected[COUNT]
    assert cuts.count > 300


@pytest.mark.parametrize("torn", [lambda whole: whole[:-9], lambda whole: whole + bytes(700)], ids=["cut", "zeros"])
def test_power_goes_during_recovery(tmp_path, expected, pieces, torn):
    """The second time, it hits the cutting of the torn end and what follows it."""
    folder = tmp_path / "journal"
    folder.mkdir()
    engine = begin(folder)
    for piece in pieces[:5]:
        engine.apply(piece)
    die(engine)
    (folder / FILE).write_bytes(torn((folder / FILE).read_bytes()))
    found = recover(folder)
    assert found.dropped
    cuts = PowerCuts(tmp_path / "states", 5, seed=1)
    cuts.acknowledged = [found.commands]
    work(folder, CutSystem(cuts.look, folder), cuts.acknowledged)
    assert recover(folder).engine.digest() == expected[COUNT]
    assert cuts.count > 50


def test_a_disk_that_takes_a_few_bytes_at_a_time(tmp_path, pieces, expected):
    class Slow(QuickSystem):
        write = staticmethod(lambda handle, data: os.write(handle, data[:7]))

    work(tmp_path, Slow(), [])
    found = recover(tmp_path)
    assert found.engine.digest() == expected[COUNT] and found.dropped == 0 and found.snapshot
