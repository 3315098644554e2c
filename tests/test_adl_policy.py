"""Runs in which a function of one's own decides about ADL: asked once, on record, and never asked again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from perpsim.core import COMMAND, Kind
from perpsim.exchange.adl import decision
from perpsim.exchange.journal import FILE, Commands, Reader
from perpsim.replay import outcomes, resume
from perpsim.replay.errors import DifferenceError, InputError
from perpsim.replay.outcomes import Journaling
from perpsim.replay.plan import make_plan
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import load
from small_tape import quiet_market

EXAMPLE = Path(__file__).parent.parent / "examples" / "spare_hedges.py"
SCENARIO = """
[run]
seed = 3
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
adl = "spare_hedges.py:spare_hedges"
[venue.rules]
adl_policy = "user"
[tape]
store = "store"
mark = "taped"
[fund]
initial = 10
[population]
accounts = 60
open_interest = 20
leverage = [{ leverage = 25, weight = 1 }, { leverage = 50, weight = 1 }]
[shock]
points = [[0, 1.0], [20, 1.0], [30, 0.9], [60, 1.1]]
"""


def write(folder: Path, text: str = SCENARIO, policy: str | None = None) -> Path:
    """A scenario in a folder, with its recording and its policy."""
    if not (folder / "store").exists():
        quiet_market(90).store(folder / "store")
    shutil.copy(EXAMPLE, folder)
    if policy is not None:
        (folder / "spare_hedges.py").write_text(policy)
    (folder / "scenario.toml").write_text(text)
    return folder / "scenario.toml"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A scenario, its result, and its journal."""
    folder = tmp_path_factory.mktemp("own")
    outcomes.run(load(write(folder)), folder / "out", journal=Journaling(folder / "journal", durable=False))
    return folder


def digest(folder: Path) -> str:
    return json.loads((folder / "summary.json").read_text())["digest"]


def decisions(folder: Path) -> list[Commands]:
    return [each for each in Reader(folder / FILE) if isinstance(each, Commands)]


def refuse(question: dict, candidates: np.ndarray) -> None:
    raise AssertionError("nobody is to be asked")


def unasked(path: Path, rest: bool = False):
    """The plan of a scenario, with a function that must not be called: at all, or `rest`: in the journalled part."""
    plan = make_plan(load(path))
    left = [len(decisions(path.parent / "journal"))]

    def policy(question: dict, candidates: np.ndarray) -> np.ndarray:
        assert rest, "nobody is to be asked"
        left.append(1)
        return plan.adl.policy(question, candidates)

    return dataclasses.replace(plan, adl=dataclasses.replace(plan.adl, policy=policy)), left


def test_decisions_are_on_record_and_the_run_is_the_same_again(home):
    told = decisions(home / "journal")
    assert len(told) > 5 and all((each.records["kind"] == Kind.ADL_DECISION).all() for each in told)
    summary = json.loads((home / "out" / "summary.json").read_text())
    assert summary["adl_trades"] == sum(int((each.records["size_lots"] > 0).sum()) for each in told)
    assert outcomes.verify(home / "out") == []


def test_a_replay_of_the_journal_asks_nobody(home, monkeypatch):
    plan, _ = unasked(home / "scenario.toml")
    monkeypatch.setattr(outcomes, "make_plan", lambda file, progress: plan)
    again = outcomes.play(home / "journal" / FILE)
    assert again.engine.digest() == digest(home / "out")


@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_resumed_run_asks_only_for_what_is_not_on_record(home, tmp_path, part):
    """The journal of a run that died: cut off somewhere; the function is called for the rest alone."""
    whole = (home / "journal" / FILE).read_bytes()
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / FILE).write_bytes(whole[: int(len(whole) * part)])
    before = len(decisions(tmp_path / "journal"))
    plan, calls = unasked(home / "scenario.toml", rest=True)
    with resume.journaled_run(plan, tmp_path / "journal", False, True) as record:
        outcome = Runner(plan, None, None, record).run()
    assert outcome.engine.digest() == digest(home / "out")
    assert before and len(calls) - 1 == len(decisions(home / "journal")) - before
    assert (tmp_path / "journal" / FILE).read_bytes() == whole


def test_a_journal_that_fits_no_question_is_a_difference(home, tmp_path):
    """The first question comes at another place than the journal says."""
    (tmp_path / "journal").mkdir()
    shutil.copy(home / "journal" / FILE, tmp_path / "journal" / FILE)
    kernel = type("", (), {"rows": 1, "time_ns": 1})()
    expected = resume.Expected(Reader(tmp_path / "journal" / FILE))
    while not isinstance(expected.entry, Commands):
        expected._next()
    with pytest.raises(DifferenceError, match="asks for an ADL decision; the journal has"):
        expected.decided(kernel)


def test_a_journal_of_another_function_is_refused(home, tmp_path):
    for each in ("store", "journal"):
        shutil.copytree(home / each, tmp_path / each)
    path = write(tmp_path, policy=EXAMPLE.read_text() + "\n# changed\n")
    with pytest.raises(InputError, match="other bots or another ADL function"):
        outcomes.run(load(path), tmp_path / "out", journal=Journaling(tmp_path / "journal", False, resume=True))


BAD = {  # body of a function -> what the sentence says
    "return [0.5] * len(candidates)": r"key venue.adl: .* gives numbers of type float64; lots are whole, give integers",
    "return [1]": r"gives an array of shape \(1,\) for \d+ candidates; give one number each",
    "return -abs(candidates['lots'])": r"wants -\d+ lots of account \d+, which holds \d+",
    "return abs(candidates['lots']) + 1": r"wants \d+ lots of account \d+, which holds \d+",
    "return abs(candidates['lots'])": r"wants \d+ lots in all, of a position of \d+",
    "return 1 // 0": r"spare_hedges.py, line 2: spare_hedges.py:spare_hedges raised ZeroDivisionError",
}


@pytest.mark.parametrize("body", BAD)
def test_a_bad_answer_is_told_in_a_sentence(tmp_path, body):
    path = write(tmp_path, policy=f"def spare_hedges(question, candidates):\n    {body}\n")
    with pytest.raises(InputError, match=BAD[body]):
        outcomes.run(load(path), tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('adl_policy = "user"', "", 'key venue.adl: is asked only under adl_policy = "user"'),
        ("adl = ", "# adl = ", 'key venue.adl: adl_policy is "user"; name the function'),
        (":spare_hedges", "", "'spare_hedges.py' is not of the form file.py:function"),
        (":spare_hedges", ":hedges", "spare_hedges.py has no function named hedges"),
        ("spare_hedges.py:", "spare.py:", "spare.py does not exist"),
        ("spare_hedges.py:spare_hedges", "perpsim.nowhere:policy", "perpsim.nowhere cannot be imported"),
    ],
)
def test_a_scenario_that_names_no_function_is_refused(tmp_path, old, new, sentence):
    with pytest.raises(InputError, match=sentence):
        make_plan(load(write(tmp_path, SCENARIO.replace(old, new))))


def test_nobody_may_be_chosen():
    """A decision of zeros is a decision: one command that names nobody."""
    rows = np.array([(4, 10), (9, 10)], [("account", "<i4"), ("lots", "<i8")])
    told = decision({"candidates": rows, "lots": -15, "market": 2, "time_ns": 77}, [0, 0])
    expected = np.zeros(1, COMMAND)
    expected["kind"], expected["market"], expected["time_ns"] = Kind.ADL_DECISION, 2, 77
    assert told.tobytes() == expected.tobytes()
    both = decision({"candidates": rows, "lots": -15, "market": 2, "time_ns": 77}, np.array([10, 5], np.uint8))
    assert (both["account"].tolist(), both["size_lots"].tolist(), both["flags"].tolist()) == ([4, 9], [10, 5], [1, 0])


BOT = """
from perpsim.exchange import Strategy


class Bot(Strategy):
    def on_start(self):
        self.timer(1)

    def on_timer(self, tag):
        if not self.orders:
            self.buy(5, self.market().bid_ticks)
            self.sell(5, self.market().ask_ticks)
        self.timer(1)

    def on_adl(self, adl):
        self.buy(1) if adl.side else self.sell(1)
"""


def test_bots_hear_of_what_was_decided(tmp_path):
    """A kernel that is watched stops at the same places, and wakes the bots after the decision."""
    bot = '[strategy]\nuse = "bot.py:Bot"\ndeposit = 20_000\nfeed_latency = 0.01\n'
    path = write(tmp_path, SCENARIO + bot)
    (tmp_path / "bot.py").write_text(BOT)
    outcomes.run(load(path), tmp_path / "out", journal=Journaling(tmp_path / "journal", durable=False))
    asked = [(each.records["kind"] == Kind.ADL_DECISION).any() for each in decisions(tmp_path / "journal")]
    assert True in asked and False in asked
    assert outcomes.play(tmp_path / "journal" / FILE).engine.digest() == digest(tmp_path / "out")
    with pytest.raises(InputError, match="holds a journal already"):
        outcomes.run(load(path), tmp_path / "out", journal=Journaling(tmp_path / "journal", durable=False))


class TestTheExample:
    def policy(self):
        names: dict = {}
        exec(EXAMPLE.read_text(), names)
        return names["spare_hedges"]

    def test_hedges_go_last(self):
        """As far as unhedged contracts reach, nobody's net exposure rises."""
        rows = np.zeros(3, [("lots", "<i8"), ("unhedged", "<i8")])
        rows["lots"], rows["unhedged"] = [-100, -60, -40], [50, 0, 40]
        policy = self.policy()
        assert policy({"lots": 45}, rows).tolist() == [25, 0, 20]
        assert policy({"lots": 90}, rows).tolist() == [50, 0, 40]
        assert policy({"lots": 145}, rows).tolist() == [75, 30, 40]
        assert policy({"lots": 1_000}, rows).tolist() == [100, 60, 40]

    @pytest.mark.parametrize("wanted", range(0, 24, 5))
    def test_whole_contracts_that_sum_up(self, wanted):
        rng = np.random.default_rng(wanted)
        rows = np.zeros(6, [("lots", "<i8"), ("unhedged", "<i8")])
        rows["lots"] = rng.integers(1, 9, 6)
        rows["unhedged"] = rng.integers(0, rows["lots"] + 1)
        lots = self.policy()({"lots": wanted}, rows)
        assert lots.sum() == min(wanted, rows["lots"].sum()) and (lots >= 0).all() and (lots <= rows["lots"]).all()
