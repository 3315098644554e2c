"""The shadows can fail: whatever a shadow does differently is told, and fails the test that it belongs to."""

import conftest
import numpy as np
import perpsim.core
import pytest
import shadow
from perpsim.core import Kind
from test_regressions import Desk

pytestmark = pytest.mark.skipif(perpsim.core.Engine is shadow.BareEngine, reason="PERPSIM_AUDIT=0: nothing is noted")
SHADOWS = ("whole", "restored", "journal", "twin")


@pytest.fixture
def note() -> shadow.Note:
    """An engine with a few orders, and what was noted of it."""
    desk = Desk()
    desk.buy(0, 5, 990)
    desk.sell(1, 3, 990)
    desk.sell(1, 3, 1_010)
    return desk.engine.note


def test_all_agree(note):
    assert shadow.run_again(note) == []


@pytest.mark.parametrize("name", SHADOWS)
def test_one_that_leaves_a_command_out(note, monkeypatch, name):
    honest = getattr(shadow, name)
    monkeypatch.setattr(shadow, name, lambda note, commands: honest(note, commands[:-1]))
    (wrong,) = shadow.run_again(note)
    assert wrong.startswith(f"{name}: digest ")


@pytest.mark.parametrize("name", SHADOWS)
def test_one_that_stops(note, monkeypatch, name):
    def stop(*_):
        raise RuntimeError("no more")

    monkeypatch.setattr(shadow, name, stop)
    assert shadow.run_again(note) == [f"{name}: RuntimeError: no more"]


def test_a_twin_that_does_otherwise(note):
    """Told another limit than the engine has."""
    note.markets[0] = note.markets[0] | {"max_orders": 0}
    note.new_engine = lambda: shadow.BareEngine(note.rules, [note.engine.setup[1][0]], note.accounts)
    assert [line.partition(":")[0] for line in shadow.run_again(note)] == ["twin"]


def test_a_state_that_differs_under_the_same_digest(note, monkeypatch):
    class Other:
        """The same engine, but for one balance."""

        def __init__(self, engine):
            self.engine = engine

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def accounts(self):
            rows = self.engine.accounts().copy()
            rows["balance"][0] += 1
            return rows

    honest = shadow.whole
    monkeypatch.setattr(shadow, "whole", lambda note, commands: Other(honest(note, commands)))
    assert shadow.run_again(note) == ["whole: same digest, but another table of accounts"]


def test_a_difference_fails_the_test(request, monkeypatch):
    """conftest asks the shadows when a test has passed."""
    monkeypatch.delenv("PERPSIM_SHADOWS", raising=False)

    def played() -> None:
        harness = conftest.shadows.__wrapped__(request)
        next(harness)
        Desk()
        next(harness, None)

    played()
    monkeypatch.setattr(shadow, "run_again", lambda note: [f"whole: {note.count} commands differ"])
    with pytest.raises(AssertionError, match="an engine of 9 commands came out otherwise"):
        played()


def test_engines_of_tests_are_noted():
    desk = Desk()
    desk.do(Kind.TICK)
    (note,) = shadow.take()
    assert note.count == 10 and np.array_equal(note.commands()["kind"][-1:], [Kind.TICK])
