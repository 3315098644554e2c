"""The rows that are given to hftbacktest are those of the tape."""

import sys

import numpy as np
import pytest
from perpsim.replay import importing
from perpsim.replay.import_plan import Given
from perpsim.replay.tape import MORE, ROW_MASK, Row
from tape_commands import shipped_tape

from bench import against_hftbacktest
from bench.harness import SEED


def test_the_file_reads_back_as_the_tape(tmp_path):
    """Levels and trades alike, but for the receive times, which are made the exchange's."""
    tape = shipped_tape()
    against_hftbacktest.write_npz(tmp_path / "BTCUSDT.npz", tape)
    given = Given(venue="binance-usdm", symbol="BTCUSDT", tick=tape.instrument.tick, lot=tape.instrument.lot)
    read = importing.read(tmp_path / "BTCUSDT.npz", given)
    kind = tape.code & ROW_MASK
    kept = (kind == Row.LEVEL) | (kind == Row.TRADE)
    code = tape.code[kept] & ~np.uint8(MORE)
    clears = (read.value == 0) & (read.price == 1)  # the event before a snapshot
    assert clears.sum() == 1
    assert np.array_equal(read.code[~clears] & ~np.uint8(MORE), code)
    for name in ("time_ns", "price", "value"):
        assert np.array_equal(getattr(read, name)[~clears], getattr(tape, name)[kept])


def test_small_size():
    pytest.importorskip("hftbacktest", reason="hftbacktest is not installed: pip install 'perpsim[compare]'")
    assert against_hftbacktest.measure(SEED, **against_hftbacktest.SMALL).figures["ratio"][0] > 0


def test_it_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "hftbacktest", None)
    with pytest.raises(SystemExit, match=r"perpsim\[compare\]"):
        against_hftbacktest.hftbacktest(shipped_tape())
