"""Core and twin agree under rulebooks that nobody has thought of: see random_rulebooks.py.

PERPSIM_DIFFERENTIAL (160,000 in the ordinary run) scales the number of rulebooks, PERPSIM_SEED sets the first. A
failure is cut down and written to tests/corpus/, as those of test_differential.py are.
"""

import os

import pytest
from differential import Mismatch, check_doors, new_core, run_stream, save, shrink
from perpsim.core.rules import rules_of
from random_rulebooks import MARKET_VALUES, OF_CONTRACTS, VENUE_VALUES, drawn_setting
from stream_settings import Setting

COMMANDS = int(os.environ.get("PERPSIM_DIFFERENTIAL", "160000"))
FIRST_SEED = int(os.environ.get("PERPSIM_SEED", "1"))
RULEBOOKS = max(4, COMMANDS // 5_300)
STREAM = 500
TRIES = 50  # rulebooks drawn for one that the engine takes
pytestmark = pytest.mark.unshadowed("these tests are the comparison; check_doors adds batches and a snapshot")


class Asked:
    """States every rule, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> int:
        self.names.add(name)
        return 0


def possible(seed: int) -> Setting:
    """The first rulebook of a seed that the engine does not refuse."""
    refusals = []
    for again in range(TRIES):
        setting = drawn_setting(seed, again)
        try:
            new_core(setting)
        except ValueError as error:
            refusals.append(str(error))
        else:
            return setting
    raise AssertionError(f"the engine refuses every rulebook of seed {seed}: {refusals}")


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + RULEBOOKS))
def test_core_and_twin_agree(seed):
    setting = possible(seed)
    try:
        check_doors(setting, run_stream(setting, seed, STREAM))
    except Mismatch as error:
        path = save(setting, shrink(setting, error.log), f"found-{setting.name}", str(error).split("\n")[0])
        pytest.fail(f"{error}\ncut down to {path}", pytrace=False)


@pytest.mark.parametrize("venue", [False, True])
def test_every_rule_is_drawn(venue):
    asked = Asked()
    rules_of(asked, venue)
    drawn = VENUE_VALUES if venue else MARKET_VALUES
    missing = asked.names - drawn.keys() - OF_CONTRACTS
    assert asked.names and not missing, f"tests/random_rulebooks.py has no values for {missing}"
    single = {name for name, values in drawn.items() if len(set(values)) < 2 and name != "basis_samples"}
    assert not single, f"only one value is ever drawn of {single}"
