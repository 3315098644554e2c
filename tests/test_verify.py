"""Two runs that differ: the first event that does is named, and the part of the state where no event does.

A run that an audit stops leaves the last events, the command and the seed behind.
"""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import perpsim.replay.runner
import pyarrow.parquet as pq
import pytest
from perpsim.core import COMMAND, testing
from perpsim.replay import cli, compare, outcomes, trail
from perpsim.replay.errors import BrokenError, InputError
from perpsim.replay.scenario import load, parse
from small_tape import Recording, quiet_market

SHORT = """
[run]
seed = 3
interval = 2
trail = 100
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "STORE"
[fund]
initial = 1_000
[population]
accounts = 200
open_interest = 20
leverage = [{ leverage = 20, weight = 1 }, { leverage = 100, weight = 1 }]
[shock]
points = [[0, 1], [10, 1], [30, 0.95]]
"""


def deep(lots: int) -> Recording:
    """A recording in which a level that nobody reaches has so many lots at second 30."""
    return quiet_market(60).book(30, {200_000: lots}, {})


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a recording and the result of a run."""
    folder = tmp_path_factory.mktemp("verify")
    deep(7).store(folder / "tape")
    run(folder, "ours")
    return folder


def run(folder: Path, name: str, text: str = SHORT, store: str = "tape") -> Path:
    file = folder / f"{name}.toml"
    file.write_text(text.replace("STORE", store))
    outcomes.run(load(file), folder / name)
    return folder / name


def against(ours: Path, theirs: Path) -> str:
    lines = outcomes.verify_against(ours, theirs)
    assert lines == [line.rstrip() for line in lines]
    return "\n".join(lines)


def events(folder: Path) -> list[dict]:
    return pq.read_table(folder / "events.parquet").to_pylist()


def first_unequal(ours: list, theirs: list) -> int:
    return next(i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1])


class TestAgainst:
    def test_the_same_run_twice(self, home):
        assert against(home / "ours", run(home, "again")) == ""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("seed", SHORT.replace("seed = 3", "seed = 4")),
            ("rule", SHORT.replace("[tape]", "rules = { liquidation_fee = 0.001 }\n[tape]")),
            ("shock", SHORT.replace("0.95", "0.951")),
        ],
    )
    def test_the_first_event_that_differs(self, home, name, text):
        other = run(home, name, text)
        ours, theirs = events(home / "ours"), events(other)
        at = first_unequal(ours, theirs)
        told = against(home / "ours", other)
        assert f"first difference: event {ours[at]['sequence']} at " in told
        assert ("state then: markets differ" in told) == (name == "rule")  # from the start
        for field in ours[at]:
            starred = f"\n* {field}: " in told
            assert starred == (ours[at][field] != theirs[at][field]), field

    def test_without_stored_events_both_run_again(self, home):
        other = run(home, "bare", SHORT.replace("0.95", "0.951"))
        told = against(home / "ours", other)
        (other / "events.parquet").unlink()
        assert against(home / "ours", other) == told

    def test_without_trails_all_events_are_compared(self, home):
        other = run(home, "trailless", SHORT.replace("0.95", "0.951").replace("trail = 100", "trail = 0"))
        assert not (other / "trail.parquet").exists()
        at = first_unequal(events(home / "ours"), events(other))
        assert f"first difference: event {events(other)[at]['sequence']} at " in against(home / "ours", other)

    def test_a_tape_row_that_no_event_shows(self, home):
        deep(8).store(home / "other_tape")
        other = run(home, "row", store="other_tape")
        assert events(home / "ours") == events(other)
        told = against(home / "ours", other)
        assert "the events between are the same, the tape rows not" in told
        assert "state then: recorded differ" in told

    def test_stored_events_that_are_not_those_of_the_run(self, home):
        again, other = run(home, "swapped"), run(home, "donor", SHORT.replace("seed = 3", "seed = 4"))
        shutil.copy(other / "events.parquet", again / "events.parquet")
        told = against(home / "ours", again)
        assert "the same run by its trail, but events.parquet of one was changed afterwards" in told
        assert "first difference: event" in told
        whole = (other / "events.parquet").read_bytes()
        (again / "events.parquet").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match="is damaged; run the scenario again"):
            against(home / "ours", again)

    def test_one_run_is_longer(self, home):
        other = run(home, "longer", SHORT.replace("interval = 2", "interval = 2\nend = 40"))
        told = against(home / "ours", other)
        assert f"first difference: event {len(events(other)) + 1} at " in told

    def test_the_command(self, home, monkeypatch, capsys):
        run(home, "again")
        other = run(home, "told", SHORT.replace("seed = 3", "seed = 5"))
        for folder, code in ((home / "again", 0), (other, 1)):
            monkeypatch.setattr("sys.argv", ["perpsim", "verify", str(home / "ours"), "--against", str(folder)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            assert ended.value.code == code
        assert "first difference: event" in capsys.readouterr().out


class TestAgain:
    def test_verify_names_the_first_event(self, home):
        result = home / "changed"
        shutil.copytree(home / "ours", result)
        changed = (result / "scenario.toml").read_text().replace("0.95", "0.951")
        (result / "scenario.toml").write_text(changed)
        told = "\n".join(outcomes.verify(result))
        other = run(home, "changed_whole", SHORT.replace("0.95", "0.951"))
        at = first_unequal(events(home / "ours"), events(other))
        assert "digest: was " in told
        assert f"first difference: event {events(other)[at]['sequence']} at " in told
        assert "the same up to event " in told

    def test_stored_events_that_were_changed(self, home, tmp_path):
        result = tmp_path / "out"
        shutil.copytree(home / "ours", result)
        table = pq.read_table(result / "events.parquet")
        pq.write_table(table.slice(0, len(table) - 1), result / "events.parquet")
        (first, *_) = outcomes.verify(result)
        assert first.startswith(f"first difference: event {len(table)} at ")


class TestTrail:
    def test_points_are_as_far_apart_as_asked(self, home):
        points = trail.read(home / "ours")
        done = [point.event + point.rows for point in points]
        assert len(points) > 5
        assert all(after - before >= 100 for before, after in itertools.pairwise(done[:-1]))
        summary = json.loads((home / "ours" / "summary.json").read_text())
        assert (points[-1].event, points[-1].digest) == (summary["end"]["event"], summary["digest"])

    def test_bisection(self):
        def point(number: int, same: bool, state: int = 0) -> trail.Point:
            return trail.Point(number, 0, number, f"{number} {same}", {"orders": state})

        ours = [point(number, True) for number in range(20)]
        for first in range(20):
            theirs = [point(number, number < first) for number in range(20)]
            ((before, mine, other),) = trail.differences(ours, theirs)
            assert (mine.event, other.event) == (first, first)
            assert before == (ours[first - 1] if first else None)
        theirs = [point(number, True, int(number == 7)) for number in range(20)]
        ((_, mine, _),) = trail.differences(ours, theirs)
        assert mine.event == 7
        theirs = [point(number, number < 12, int(number >= 7)) for number in range(20)]
        assert [mine.event for _, mine, _ in trail.differences(ours, theirs)] == [7, 12]
        assert trail.differences(ours, ours) == []

    def test_windows_of_events(self, home):
        whole = np.concatenate(list(compare.stored_events(home / "ours" / "events.parquet", 0)))
        assert whole["sequence"].tolist() == list(range(1, len(whole) + 1))
        rest = np.concatenate(list(compare.stored_events(home / "ours" / "events.parquet", 100)))
        assert rest["sequence"][0] == 101


@pytest.mark.unshadowed("the state is damaged by hand")
class TestBroken:
    @pytest.fixture
    def wound(self, monkeypatch):
        """Damages the engine's state at a time, as a bug would; returns the time."""
        advance = perpsim.replay.runner.Runner._advance

        def wounded(self, until_ns):
            advance(self, until_ns)
            if self.host and self.kernel.time_ns % 60_000_000_000 > 40_000_000_000 and not hasattr(self, "hurt"):
                self.hurt = testing.py_damage(self.engine, "wallet", "balance", 5, 1)

        monkeypatch.setattr(perpsim.replay.runner.Runner, "_advance", wounded)

    @pytest.mark.parametrize("level", ["batch", "event"])
    def test_a_breach_stops_the_run(self, home, wound, tmp_path, level):
        file = parse(SHORT.replace("STORE", str(home / "tape")).encode(), tmp_path / "x.toml", tmp_path)
        with pytest.raises(BrokenError, match="expected"):
            outcomes.run(file.audited(level), tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["out.broken"]
        facts = json.loads((tmp_path / "out.broken" / "broken.json").read_text())
        assert facts["seed"] == 3 and facts["scenario_sha256"] == file.sha256
        assert facts["sentence"].startswith(("M1", "M3"))
        assert facts["command"] or facts["row"]
        last = events(tmp_path / "out.broken")
        assert last[-1]["sequence"] == facts["event"]
        assert len(last) == min(1_000, facts["event"])
        assert [event["sequence"] for event in last] == list(range(facts["event"] - len(last) + 1, facts["event"] + 1))
        commands = np.load(tmp_path / "out.broken" / "commands.npy")
        assert commands.dtype == COMMAND

    def test_the_command_says_so(self, home, wound, tmp_path, monkeypatch, capsys):
        (tmp_path / "x.toml").write_text(SHORT.replace("STORE", str(home / "tape")))
        for _ in range(2):  # the second takes the place of the first
            arguments = ["perpsim", "run", str(tmp_path / "x.toml"), "-o", str(tmp_path / "out"), "--audit", "event"]
            monkeypatch.setattr("sys.argv", arguments)
            with pytest.raises(SystemExit) as ended:
                cli.main()
            assert ended.value.code == cli.BROKEN == 3
        said = capsys.readouterr().err
        assert "the engine contradicts itself" in said and "out.broken" in said

    def test_without_an_audit_the_end_finds_it(self, home, wound, tmp_path):
        file = parse(SHORT.replace("STORE", str(home / "tape")).encode(), tmp_path / "x.toml", tmp_path)
        with pytest.raises(BrokenError) as raised:
            outcomes.run(file.audited("off"), tmp_path / "out")
        assert raised.value.facts["event"] > 500


def test_no_result_depends_on_the_level(home, tmp_path):
    digests = set()
    for level in ("off", "batch", "event"):
        file = load(home / "ours.toml").audited(level)
        digests.add(outcomes.run(file, tmp_path / level)["digest"])
    assert len(digests) == 1
