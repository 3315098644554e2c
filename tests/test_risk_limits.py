"""Maintenance of the entry value, and limits on how large a position may be."""

from perpsim.core import EventKind, Kind, MaintenanceValue, Reject, Rule
from test_regressions import FLAT_TIER, ONE, Desk

ENTRY = {"maintenance_value": MaintenanceValue.ENTRY, "tiers": FLAT_TIER}


class TestEntryValue:
    def test_no_mark_moves_it(self):
        desk = Desk(market=ENTRY)
        desk.seed(0, 100)
        for mark in (1_000, 700, 1_900):
            desk.mark(mark)
            assert desk.row(0)["maintenance"] == 5 * ONE

    def test_fills_do(self):
        desk = Desk(market=ENTRY)
        desk.seed(0, 100)
        desk.mark(1_200)
        desk.buy(1, 50, 1_200)
        desk.sell(0, 50, 1_200)
        assert desk.row(0)["maintenance"] == 5 * ONE // 2
        assert desk.row(1)["maintenance"] == 3 * ONE

    def test_the_first_mark_below_it(self):
        """100 with 10 of margin ask for 5: a loss of 5 is borne, one of 5.1 is not."""
        desk = Desk(market=ENTRY, rich=0)
        desk.deposit(0, 10)
        desk.isolate(0)
        assert desk.seed(0, 100) == Reject.NONE
        desk.mark(950)
        assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
        desk.mark(949)
        assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 1

    def test_a_rule_that_comes_into_force_is_felt_at_the_next_mark(self):
        desk = Desk(market={"tiers": FLAT_TIER}, rich=0)
        desk.deposit(0, 10)
        desk.isolate(0)
        desk.seed(0, 100)
        desk.mark(949)
        assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
        desk.do(Kind.SET_RULE, aux=Rule.MAINTENANCE_VALUE, value=MaintenanceValue.ENTRY)
        desk.mark(949)
        assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 1
