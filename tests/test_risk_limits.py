"""Maintenance of the entry value, and limits on how large a position may be."""

import pytest
from perpsim.core import Engine, EventKind, Kind, MaintenanceValue, Reject, Rule, TierMethod
from perpsim.exchange import rulebook
from perpsim.exchange.contracts import parse_market
from stream_settings import MARKET, VENUE, tiers
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


STEPS = tiers((200, "1", 50), (400, "2", 25), (800, "5", 10))
WHOLE = tuple((cap, rate, 0, leverage) for cap, rate, _, leverage in STEPS)
CHOICE = {"risk_limits": 1, "lower_limit_first": 1, "tier_method": TierMethod.WHOLE, "tiers": WHOLE}


class TestChosenLimit:
    """100 lots at 1,000 are worth 100: tiers of 1, 2 and 5 % end at 200, 400 and 800."""

    def choose(self, desk, number, account=0):
        return desk.do(Kind.SET_RISK_LIMIT, account=account, value=number)

    def test_none_is_chosen_in_liquidation(self):
        """Of the cross pool, or of the isolated position."""
        desk = Desk(rich=0, market=CHOICE, liquidation_delay_ns=10**10)
        for account in (0, 1):
            desk.deposit(account, 11)
        desk.isolate(1)
        desk.seed(0, 100)
        desk.seed(1, 100)
        desk.mark(890)
        assert len(desk.of(EventKind.LIQUIDATION_STARTED)) == 2
        assert [self.choose(desk, number, account) for number in (0, 2) for account in (0, 1)] == 4 * [
            Reject.IN_LIQUIDATION]

    def test_its_rate_holds_for_the_whole_position(self):
        desk = Desk(market=CHOICE)
        desk.seed(0, 100)
        assert desk.row(0)["maintenance"] == ONE
        assert self.choose(desk, 3) == Reject.NONE
        event = desk.of(EventKind.RISK_LIMIT)[0]
        assert (event["account"], event["value"], event["aux"], event["reason"]) == (0, 3, 0, Reject.NONE)
        assert (desk.row(0)["maintenance"], desk.row(0)["risk_limit"]) == (5 * ONE, 3)
        assert self.choose(desk, 0) == Reject.NONE
        assert (desk.row(0)["maintenance"], desk.row(0)["risk_limit"]) == (ONE, 0)

    def test_it_bounds_position_and_orders(self):
        desk = Desk(market=CHOICE)
        assert self.choose(desk, 1) == Reject.NONE
        assert desk.buy(0, 150, 1_000) == Reject.NONE
        assert desk.buy(0, 51, 1_000) == Reject.RISK_LIMIT
        assert desk.buy(0, 50, 1_000) == Reject.NONE
        assert self.choose(desk, 2) == Reject.NONE
        assert desk.buy(0, 51, 1_000) == Reject.NONE
        assert self.choose(desk, 1) == Reject.RISK_LIMIT
        assert desk.row(0)["risk_limit"] == 2

    def test_its_leverage_bounds_the_accounts(self):
        desk = Desk(market=CHOICE)
        assert desk.do(Kind.SET_LEVERAGE, account=0, value=25) == Reject.NONE
        assert self.choose(desk, 3) == Reject.LEVERAGE_CAP
        assert self.choose(desk, 2) == Reject.NONE
        assert desk.do(Kind.SET_LEVERAGE, account=0, value=26) == Reject.LEVERAGE_CAP
        assert desk.do(Kind.SET_LEVERAGE, account=0, value=5) == Reject.NONE
        assert desk.buy(0, 500, 1_000) == Reject.RISK_LIMIT

    def test_what_it_asks_must_be_there(self):
        desk = Desk(market=CHOICE, rich=0)
        desk.deposit(0, 10)
        desk.seed(0, 100)
        desk.mark(945)
        assert self.choose(desk, 3) == Reject.INSUFFICIENT_MARGIN
        assert (desk.row(0)["maintenance"], desk.row(0)["risk_limit"]) == (ONE * 945 // 1_000, 0)
        assert self.choose(desk, 2) == Reject.NONE

    @pytest.mark.parametrize("number", [-1, 4])
    def test_tiers_that_are_not_there(self, number):
        assert self.choose(Desk(market=CHOICE), number) == Reject.BAD_VALUE

    def test_where_nobody_chooses(self):
        assert self.choose(Desk(), 1) == Reject.BAD_VALUE

    def test_a_snapshot_keeps_it(self):
        desk = Desk(market=CHOICE)
        desk.seed(0, 100)
        hashes = [desk.engine.state_hash()]
        self.choose(desk, 3)
        hashes.append(desk.engine.state_hash())
        desk.engine = Engine.restore(desk.engine.snapshot(), audit=2)
        hashes.append(desk.engine.state_hash())
        assert hashes[0] != hashes[1] == hashes[2]
        assert desk.row(0)["maintenance"] == 5 * ONE


class TestLoweredFirst:
    def loser(self, **market):
        """10 of money, 100 lots long, 5 % asked of their value by choice: 5.2 lost is borne, 5.3 is not."""
        desk = Desk(market=CHOICE | market, rich=0)
        desk.deposit(0, 10)
        desk.seed(0, 100)
        assert desk.do(Kind.SET_RISK_LIMIT, account=0, value=3) == Reject.NONE
        return desk

    def test_that_is_enough_and_orders_stay(self):
        desk = self.loser()
        assert desk.sell(0, 150, 1_040) == Reject.NONE
        desk.mark(948)
        assert not len(desk.of(EventKind.LIQUIDATION_STARTED))
        desk.mark(947)
        kinds = [EventKind.LIQUIDATION_STARTED, EventKind.RISK_LIMIT, EventKind.LIQUIDATION_ENDED]
        assert [kind for kind in desk.events["kind"] if kind != EventKind.MARK] == kinds
        assert desk.of(EventKind.RISK_LIMIT)[0]["reason"] == Reject.BY_LIQUIDATION
        assert (desk.row(0)["risk_limit"], desk.row(0)["orders"], desk.lots(0)) == (1, 1, 100)

    def test_orders_that_keep_it_up_go(self):
        """With orders of 300 the limit comes down to the second tier only; without them to the first."""
        desk = self.loser()
        desk.deposit(0, 30)
        assert desk.sell(0, 350, 1_040) == Reject.NONE
        assert desk.do(Kind.WITHDRAW, account=0, value=4 * ONE) == Reject.NONE
        desk.mark(650)
        kinds = desk.events["kind"].tolist()
        assert kinds.count(EventKind.RISK_LIMIT) == 2
        assert kinds.index(EventKind.RISK_LIMIT) < kinds.index(EventKind.CANCELLED)
        assert (desk.row(0)["risk_limit"], desk.row(0)["orders"], desk.lots(0)) == (1, 0, 100)

    def test_where_the_venue_does_not(self):
        desk = self.loser(lower_limit_first=0)
        desk.mark(946)
        assert not len(desk.of(EventKind.RISK_LIMIT))
        assert desk.lots(0) < 100


LADDER = {"oi_ladder": ((4 * ONE, 500_000_000), (6 * ONE, 250_000_000)), "oi_floor_lots": 100}


class TestOpenInterest:
    def desk(self, interest):
        """Base units are 100 lots. Half of the first 400 lots of open interest, a quarter of the next 600."""
        desk = Desk(market=LADDER)
        for account in range(1, 5):
            desk.seed(account, interest // 4)
        return desk

    @pytest.mark.parametrize(("interest", "limit"), [(0, 100), (160, 100), (400, 200), (800, 300), (1_600, 350)])
    def test_its_share_is_the_limit(self, interest, limit):
        desk = self.desk(interest)
        assert desk.buy(0, limit + 1, 1_000) == Reject.OI_LIMIT
        assert desk.buy(0, limit - 50, 1_000) == Reject.NONE
        assert desk.buy(0, 51, 1_000) == Reject.OI_LIMIT
        assert desk.sell(0, limit, 1_001) == Reject.NONE

    def test_reducing_is_always_possible(self):
        desk = self.desk(1_600)
        desk.seed(0, 600)
        assert desk.buy(0, 1, 1_000) == Reject.OI_LIMIT
        assert desk.sell(0, 600, 1_000) == Reject.NONE

    def test_the_ladder_of_a_rulebook(self):
        market = rulebook("bybit", "2025-10-10").market("LTCUSD")
        assert market.oi_ladder[0] == (5_000_000 * ONE, 200_000_000)
        assert len(market.oi_ladder) == 10

    @pytest.mark.parametrize("rows", [[[5, 0.2, 1]], [5]])
    def test_a_row_that_is_no_band(self, rows):
        fields = {"tick": "0.1", "lot": "0.001", "price_reference": 100, "tiers": [[1_000, 0.01, 10]]}
        with pytest.raises(ValueError, match=r"is not \[open interest, rate\]"):
            parse_market("X", fields | {"oi_ladder": rows})

    def test_a_band_of_nothing(self):
        with pytest.raises(ValueError, match="band 1 of open interest is empty"):
            Engine(VENUE, [MARKET | {"oi_ladder": ((1, 1),)}], 1)
