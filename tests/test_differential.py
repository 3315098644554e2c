"""Two engines agree: random streams through the core and the naive twin, events and state compared.

PERPSIM_DIFFERENTIAL sets the number of commands (160,000 in the ordinary run), PERPSIM_SEED the first seed. A failure
prints setting, seed, command and both sides' events; the stream is cut down and written to tests/corpus/, which every
run replays. `make differential` runs ten million commands.
"""

import enum
import os
from collections import Counter

import differential
import perpsim.core
import pytest
from differential import CORPUS, Mismatch, Pair, check_doors, load, replay, run_stream, save, shrink
from model import EVENT_FIELDS, Command, markets, matching, wire
from perpsim.core import COMMAND, EVENT, EventKind, Reject
from planted_bugs import BUGS
from stream_settings import BY_NAME, SETTINGS

COMMANDS = int(os.environ.get("PERPSIM_DIFFERENTIAL", "160000"))
FIRST_SEED = int(os.environ.get("PERPSIM_SEED", "1"))
pytestmark = pytest.mark.unshadowed("these tests are the comparison; check_doors adds batches and a snapshot")
SEEDS = max(4, COMMANDS // 1_500 // len(SETTINGS))
STREAM = max(  # commands of one seed; in the ordinary run enough to come to everything, however many settings there are
    -(-COMMANDS // SEEDS // len(SETTINGS)), 800 if COMMANDS >= 160_000 else 0
)
UNREACHED = {
    Reject.NONE: "no refusal",
    Reject.BY_TAPE: "not in use",
}


@pytest.fixture(scope="module")
def reached() -> tuple[Counter, Counter, Counter]:
    """How often the streams of this run have caused each kind of event and each reason, and changed each rule."""
    return Counter(), Counter(), Counter()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_core_and_twin_agree(setting, seed, reached):
    try:
        pair = run_stream(setting, seed, STREAM)
        check_doors(setting, pair)
    except Mismatch as error:
        path = save(setting, shrink(setting, error.log), f"found-{setting.name}-{seed}", str(error).split("\n")[0])
        pytest.fail(f"{error}\ncut down to {path}", pytrace=False)
    for counts, more in zip(reached, (pair.kinds, pair.reasons, pair.rules), strict=True):
        counts.update(more)


@pytest.mark.skipif(COMMANDS < 160_000 or FIRST_SEED != 1, reason="asked of the ordinary run and of longer ones")
def test_the_streams_reach_everything(reached):
    kinds, reasons, rules = reached
    if not kinds:
        pytest.skip("no stream has run")
    missing = {kind.name for kind in EventKind if not kinds[kind]}
    assert not missing, f"no stream of this run caused {missing}"
    missing = {reason.name for reason in Reject if not reasons[reason] and reason not in UNREACHED}
    assert not missing, f"no stream of this run was refused or cancelled for {missing}"
    missing = {rule for rule in (*markets.MARKET_RULES, *markets.VENUE_RULES) if not rules[rule]}
    assert not missing, f"no stream of this run changed the rules {missing}"
    assert not any(reasons[reason] for reason in UNREACHED if reason), "one that was thought unreachable was reached"


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_corpus(path):
    """What once went wrong, replayed with everything compared after each command."""
    setting, commands = load(path)
    error = replay(setting, commands, every=1)
    assert error is None, f"{path.name}: {error}"


def test_a_wrong_twin_is_found_and_cut_down(monkeypatch, tmp_path):
    """The harness must be able to fail: makers who pay one unit more are caught, and in a handful of commands."""
    right = matching.fee_of
    monkeypatch.setattr(matching, "fee_of", lambda notional, rate: right(notional, rate) + 1)
    monkeypatch.setattr(differential, "CORPUS", tmp_path)
    with pytest.raises(Mismatch) as caught:
        run_stream(BY_NAME["orders"], 1, STREAM)
    assert "setting orders, seed 1" in str(caught.value) and "core" in str(caught.value)
    few = shrink(BY_NAME["orders"], caught.value.log)
    assert 3 <= len(few) <= 12
    assert sum(len(differential.fields_of(c)) for c in few) <= 6 * len(few)
    setting, again = load(save(BY_NAME["orders"], few, "cut-down", "a fee"))
    assert [differential.fields_of(c) for c in again] == [differential.fields_of(c) for c in few]
    assert replay(setting, again) is not None
    monkeypatch.undo()
    assert replay(setting, again) is None


def test_a_wrong_state_is_found_too():
    pair = Pair(BY_NAME["orders"])
    pair.apply(Command(wire.Kind.DEPOSIT, 1, value=5))
    pair.twin.venue.wallet(0, 0).balance += 1
    with pytest.raises(Mismatch, match="balance"):
        pair.compare(0)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bugs_fit_the_core(bug, root):
    """The list for `make mutants` must follow the core: each text stands in it exactly once."""
    assert (root / "core" / bug.file).read_text("utf-8").count(bug.old) == 1, f"{bug.name}: look for a new place"
    assert bug.new != bug.old


def test_the_list_of_planted_bugs_is_long_enough():
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25


def test_the_twin_speaks_the_same_wire():
    """Numbers of the enums, and names and order of the records' fields."""
    for name, numbers in vars(perpsim.core).items():
        if isinstance(numbers, type) and issubclass(numbers, enum.IntEnum | enum.IntFlag) and hasattr(wire, name):
            ours = {key: value for key, value in vars(getattr(wire, name)).items() if not key.startswith("_")}
            assert ours == {member.name: member.value for member in numbers}, name
    assert EVENT.names == EVENT_FIELDS
    assert set(Command.__slots__) | {"venue"} == set(COMMAND.names)
    assert (wire.NO_ORDER, wire.ALL_MARKETS) == (perpsim.core.WORLD_ORDER, perpsim.core.MARKETS_ALL)
