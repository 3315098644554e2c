"""The engine's book equals the recorded one; and the comparison would notice if it did not."""

import subprocess
import sys

import identity
import numpy as np
import pytest
from tape_commands import PAIR, ROOT

CAPTURES = {  # of the recordings that do not ship: files, number of updates to compare
    "btcusdt-2024": ("btcusdt_20240718.gz", 400),
    "ethusdt-2024": ("ethusdt_20240718.gz", 400),
    "coin-margined": ("btcusd_perp_20240808.gz", 400),
    "spot": ("spot_btcusdt_20240808.gz", 400),
}


def test_shipped_pair():
    assert identity.compare(PAIR, 2_000) == (2_000, 0)


def test_the_whole_shipped_pair():
    assert identity.compare(PAIR) == (16_110, 0)


@pytest.mark.parametrize(("name", "updates"), CAPTURES.values(), ids=CAPTURES)
def test_other_captures(recorded, name, updates):
    assert identity.compare([recorded("binance-streams", name)], updates) == (updates, 0)


def test_the_tool_says_so_and_refuses_bad_files(tmp_path):
    command = [sys.executable, "-m", "tests.identity"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage" in done.stderr
    (tmp_path / "x").write_text("nonsense\n")
    done = subprocess.run([*command, tmp_path / "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "is of no format that is known" in done.stderr


def test_one_wrong_level_is_noticed(monkeypatch, capsys):
    """One lot more at one level of one message: the books differ until the level is named again."""
    read = identity.importing.read

    def tampered(paths):
        tape = read(paths)
        end = identity.message_ends(tape)[20]
        value = tape.value.copy()
        value[end - 1] += 1
        return type(tape)(**{**vars(tape), "value": value})

    monkeypatch.setattr(identity.importing, "read", tampered)
    updates, mismatches = identity.compare(PAIR[:1], 60)
    assert updates == 60
    assert 0 < mismatches <= 41
    assert "update 20: the books differ" in capsys.readouterr().out


class TestReferenceBook:
    def test_levels_come_and_go(self):
        half = identity.Half(10**7, 10**5)  # 0.1 and 0.001
        half.take([["100.1", "1"], ["100.3", "2.5"]], snapshot=True)
        half.take([["100.2", "3"], ["100.1", "0"], ["99.0", "0.000"]], snapshot=False)
        assert half.prices.tolist() == [1002, 1003]
        assert half.sizes.tolist() == [3000, 2500]
        half.take([["5", "1"]], snapshot=True)
        assert half.prices.tolist() == [50]

    @pytest.mark.parametrize("text", ["100.15", "1.000000001"])
    def test_off_the_grid_is_refused(self, text):
        with pytest.raises(ValueError, match="not a multiple"):
            identity.steps(text, 10**7)

    def test_rules_of_the_venues(self):
        assert identity.counts({"u": 5, "pu": 4}, 5) and not identity.counts({"u": 4, "pu": 3}, 5)
        assert identity.counts({"u": 6}, 5) and not identity.counts({"u": 5}, 5)


def test_arrays_are_compared_whole():
    """Two books that agree at the top and differ far below are different."""
    engine = type(
        "Engine", (), {"book": lambda self, market, side: np.array([[2, 1], [1, 1]])[:: 1 if side == 0 else -1]}
    )()
    halves = identity.Half(1, 1), identity.Half(1, 1)
    for half in halves:
        half.prices, half.sizes = np.array([1, 2]), np.array([1, 1])
    assert identity.same(engine, halves)
    halves[1].sizes = np.array([1, 9])
    assert not identity.same(engine, halves)
