"""The harness: whoever writes a test, the engine in it is audited, and recordings are found or the test is skipped.

`perpsim.core.Engine` is replaced, before any test module imports it, by a subclass that verifies every invariant while
it works: after each command as long as the venue is small. In a large venue an audit waits until it costs no more than
100 entries of the state for each command passed (10 after the first 2,000 commands); a batch of more than 10,000 is
audited at its end. Name `audit` in the call to get the bare engine. `PERPSIM_AUDIT=0` turns it off.

When a test has passed, its engines are run again in other ways, and must come out the same: shadow.py.
`PERPSIM_SHADOWS=0` turns it off.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import perpsim.core
import pytest
import shadow

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("PERPSIM_DATA", ROOT.parent / "shared" / "data"))
ENTRIES_A_COMMAND, ENTRIES_LATER = 100, 10
LATER = 2_000
WHOLE_FROM = 10_000

hypothesis.configuration.set_hypothesis_home_dir(ROOT / "build" / "hypothesis")
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)  # a red run stays red
hypothesis.settings.register_profile("search", deadline=None, max_examples=2_000)  # HYPOTHESIS_PROFILE=search, by hand
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.unsanitized("why")` leaves a test out of `make sanitize`."""
    if (marker := item.get_closest_marker("unsanitized")) and "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip(*marker.args)


def pytest_configure(config: pytest.Config) -> None:
    config.option.benchmark_storage = f"file://{ROOT / 'build' / 'benchmarks'}"


class Engine(shadow.Engine):
    """The engine as tests see it. `restore` returns a bare one."""

    def __new__(cls, *args, **options):
        return super().__new__(shadow.Engine if "audit" in options else cls, *args, **options)

    def __init__(self, *args, **options):
        self.commands = self.taken = 0
        self.audit_at = 1  # number of commands
        self.state_hash()  # from now on kept up to date, and compared in every audit

    def apply(self, commands):
        done, pieces = 0, []
        while not pieces or done < len(commands):
            step = len(commands) if len(commands) > WHOLE_FROM else max(1, self.audit_at - self.commands)
            pieces.append(super().apply(commands[done : done + step]))
            taken = super().consumed if self.asks else len(commands[done : done + step])
            done += taken
            self.tick(taken)
            asked = self.asks and self.pending_adl is not None
            if asked and done < len(commands) and commands["kind"][done] != perpsim.core.Kind.ADL_DECISION:
                break
        self.taken = done
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    @property
    def consumed(self):
        return self.taken

    def submit(self, **fields):
        reason = super().submit(**fields)
        self.tick(1)
        return reason

    def tick(self, commands: int) -> None:
        """So many commands have passed: audit if it is time."""
        self.commands += commands
        if self.commands >= self.audit_at:
            self.check()
            share = ENTRIES_A_COMMAND if self.commands < LATER else ENTRIES_LATER
            self.audit_at = self.commands + max(1, self.entries() // share)

    def entries(self) -> int:
        """What an audit walks over."""
        counts, clearing = self.statistics(), self.house["clearing"]
        levels = sum(len(self.book(market, side)) for market in range(len(clearing)) for side in (0, 1))
        return counts["live_orders"] + counts["positions"] + clearing[-1] + levels


class Kernel(shadow.Kernel):
    """The kernel as tests see it: a return of `run` counts as a command."""

    def run(self, until=None):
        stop = super().run(until)
        for engine in self.engines:
            if isinstance(engine, Engine):
                engine.tick(1)
        return stop


if os.environ.get("PERPSIM_AUDIT") != "0":
    perpsim.core.Engine, perpsim.core.Kernel = Engine, Kernel


@pytest.fixture(autouse=True)
def shadows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the engines of a passed test again. `@pytest.mark.unshadowed("why")` opts out."""
    yield
    notes = shadow.take()
    marker = request.node.get_closest_marker("unshadowed")
    assert marker is None or marker.args, "unshadowed needs its reason"
    if marker is None and os.environ.get("PERPSIM_SHADOWS") != "0":
        for note in notes:
            wrong = shadow.run_again(note)
            assert not wrong, f"an engine of {note.count} commands came out otherwise:\n" + "\n".join(wrong)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Path]:
    """`recorded("binance-streams", "x.gz")`: a path among the recordings; skips the test where it is absent."""

    def find(*parts: str) -> Path:
        path = DATA.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"{path} is not here; PERPSIM_DATA names the folder of recordings")
        return path

    return find
