"""Insurance funds: levels at which a trigger starts and stops, its window, the gate, the disposal; loss sharing."""

import pytest
from perpsim.core import (
    AdlPolicy,
    Engine,
    EventKind,
    Flag,
    FundTrigger,
    FundUnwind,
    Kind,
    ReduceMethod,
    Reject,
    Rule,
    Side,
    Socialise,
    formulas_fund,
)
from stream_settings import MARKET, RATE_ONE, SECOND, VALUE_ONE, VENUE

MINUTE = 60 * SECOND
FLAT = MARKET | {  # one lot of a price of 100 is worth 100; no bands, one wide tier
    "tick_value": VALUE_ONE, "lot_numerator": 1, "lot_denominator": 1, "price_max": 10_000, "position_max": 100_000,
    "size_max": 100_000, "band_up": 0, "band_down": 0, "liquidation_fee": 0, "maker_fee": 0, "taker_fee": 0,
    "tiers": ((1_000_000_000 * VALUE_ONE, 10_000_000, 0, 100),), "leverage_default": 100,
}  # fmt: skip
RULES = VENUE | {"reduce_method": ReduceMethod.NONE, "adl_policy": AdlPolicy.NONE}


class Fund:
    """A venue with a fund of 1,000 at a price of 100, in which longs go bankrupt on demand."""

    def __init__(self, balance: int = 1_000, **rules: int) -> None:
        self.engine = Engine(RULES | rules, [FLAT], 20)
        self.account = 0
        self.account_of_fund = self.engine.house["funds"][0]
        self.do(Kind.DEPOSIT, time_ns=MINUTE, account=self.account_of_fund, value=balance * VALUE_ONE)
        self.mark(100)
        self.wait(60)

    def do(self, kind: Kind, **fields: int) -> int:
        return self.engine.submit(kind=kind, **fields)

    def mark(self, price: int) -> list:
        self.engine.drain()
        self.do(Kind.SET_MARK, value=price * VALUE_ONE)
        return self.engine.drain()

    def wait(self, seconds: int) -> list:
        self.engine.drain()
        self.do(Kind.TICK, time_ns=self.engine.time_ns + seconds * SECOND)
        return self.engine.drain()

    def bankrupt(self, lots: int, loss: int) -> tuple[int, int]:
        """A long that loses `loss` more than it has: lots that the fund took at bankruptcy value, its cover."""
        account, self.account = self.account, self.account + 1
        mark = int(self.engine.market(0)["mark"])
        self.do(Kind.DEPOSIT, account=account, value=(40 * lots - loss) * VALUE_ONE)
        self.do(Kind.SEED_POSITION, account=account, side=Side.BUY, size_lots=lots, value=mark + 40 * VALUE_ONE)
        self.events = self.mark(mark // VALUE_ONE)
        took = self.events[(self.events["kind"] == EventKind.TAKEOVER) & (self.events["aux"] != 0)]
        paid = self.events[self.events["kind"] == EventKind.FUND_COVER]
        return int(took["size_lots"].sum()), int(paid["value"].sum()) // VALUE_ONE

    def states(self, events: list) -> list[int]:
        return events["aux"][events["kind"] == EventKind.FUND_TRIGGER].tolist()


DRAWDOWN = {"fund_trigger": FundTrigger.DRAWDOWN}


class TestDrawdown:
    def test_the_part_beyond_the_trigger_is_not_taken(self):
        """30 % of 1,000 may be lost: of a loss of 400 on 40 lots the fund takes 30 lots, and covers the rest."""
        assert Fund(**DRAWDOWN).bankrupt(40, 400) == (30, 100)

    def test_it_starts_at_the_trigger_itself_and_stops_above_the_stop(self):
        fund = Fund(**DRAWDOWN)
        assert fund.bankrupt(10, 299) == (10, 0)
        assert fund.states(fund.wait(60)) == []  # 29.9 %
        assert fund.bankrupt(10, 1) == (10, 0)
        assert fund.states(fund.wait(60)) == [1]  # 30 %: on
        fund.mark(102)  # the 20 lots gain 40: 26 %
        assert fund.states(fund.wait(60)) == []
        fund.mark(103)  # 24 %: over
        assert fund.states(fund.wait(60)) == [0]

    def test_at_the_stop_itself_it_still_holds(self):
        fund = Fund(**DRAWDOWN)
        fund.bankrupt(50, 300)
        assert fund.states(fund.wait(60)) == [1]
        fund.mark(101)  # exactly 25 %
        assert fund.states(fund.wait(60)) == []

    def test_nothing_is_taken_while_it_holds(self):
        fund = Fund(**DRAWDOWN)
        fund.bankrupt(10, 300)
        fund.wait(60)
        assert fund.bankrupt(10, 20) == (0, 20)

    @pytest.mark.parametrize(("threshold", "states"), [(999, []), (500, [1])])
    def test_a_fund_at_its_threshold_is_not_watched(self, threshold, states):
        fund = Fund(**DRAWDOWN, drawdown_threshold=threshold * VALUE_ONE)
        fund.bankrupt(10, 300)
        assert fund.states(fund.wait(60)) == states

    @pytest.mark.parametrize(("early", "took"), [(1, 0), (0, 10)])
    def test_a_command_of_the_tape_comes_before_the_sample_of_its_instant(self, early, took):
        """999 at the sample, of which 10 lots lose 450: more than 30 %, as long as the sample is not a window old.

        At the end of the window no sample is left, the next being taken after what the tape brings: the highest is the
        balance of now.
        """
        rules = {"fund_trigger": FundTrigger.DROP, "drawdown_window_ns": MINUTE, "fund_sample_period_ns": MINUTE}
        fund = Fund(**rules)
        assert fund.bankrupt(10, 1) == (10, 0)
        fund.wait(60)
        fund.do(Kind.DEPOSIT, account=19, value=440 * VALUE_ONE)
        fund.do(Kind.SEED_POSITION, account=19, side=Side.BUY, size_lots=10, value=100 * VALUE_ONE)
        fund.engine.drain()
        at = fund.engine.time_ns + MINUTE - early
        fund.do(Kind.SET_MARK, value=55 * VALUE_ONE, time_ns=at, flags=Flag.TAPE)
        events = fund.engine.drain()
        assert fund.states(events) == ([1] if early else [])
        taken = events[(events["kind"] == EventKind.TAKEOVER) & (events["aux"] != 0)]
        assert int(taken["size_lots"].sum()) == took

    def test_the_peak_leaves_the_window(self):
        """A result of +200 is forgotten after the window; until then the fall counts from it."""
        fund = Fund(**DRAWDOWN, drawdown_window_ns=10 * MINUTE, fund_sample_period_ns=MINUTE)
        fund.bankrupt(20, 0)
        fund.mark(110)
        fund.wait(60)  # sampled at +200, balance 1,200
        fund.mark(92)  # -160: a fall of 360 from the peak is 30 % of 1,200
        assert fund.states(fund.wait(60)) == [1]
        assert fund.states(fund.wait(7 * 60)) == []
        assert fund.states(fund.wait(3 * 60)) == [0]

    def test_an_empty_fund(self):
        fund = Fund(**DRAWDOWN)
        fund.bankrupt(100, 300)
        fund.mark(90)  # 1,000 more are lost
        assert fund.states(fund.wait(60)) == [2]  # it has no more than the threshold: no drawdown


DROP = {"fund_trigger": FundTrigger.DROP, "drawdown_stop": 270_000_000}


class TestDrop:
    def test_below_the_threshold_not_at_it(self):
        fund = Fund(**DROP)
        fund.wait(60)
        fund.bankrupt(10, 300)
        assert fund.states(fund.wait(60)) == []  # 700 of 1,000
        fund.bankrupt(10, 1)
        assert fund.states(fund.wait(60)) == [1]
        fund.mark(101)  # 719 < 730
        assert fund.states(fund.wait(60)) == []
        fund.mark(102)  # 739
        assert fund.states(fund.wait(60)) == [0]

    def test_the_floor(self):
        fund = Fund(**DROP, fund_floor=900 * VALUE_ONE)
        fund.wait(60)
        fund.bankrupt(10, 101)
        assert fund.states(fund.wait(60)) == [1]

    def test_a_withdrawal_counts(self):
        fund = Fund(**DROP)
        fund.wait(60)
        fund.do(Kind.WITHDRAW, account=fund.account_of_fund, value=301 * VALUE_ONE)
        assert fund.states(fund.wait(60)) == [1]


def test_an_empty_fund_takes_nothing():
    assert Fund(1, fund_trigger=FundTrigger.EMPTY).bankrupt(10, 1) == (10, 0)
    fund = Fund(0, fund_trigger=FundTrigger.EMPTY)
    assert fund.bankrupt(10, 1) == (0, 0)
    assert EventKind.VENUE_DEFICIT in fund.events["kind"].tolist()


def test_the_loss_cap():
    """Half of the fund may be lost unrealised: of 800 on 80 lots, 50 lots are taken at bankruptcy value."""
    fund = Fund(fund_loss_cap=RATE_ONE // 2)
    assert fund.bankrupt(80, 800) == (50, 300)


@pytest.mark.parametrize(
    "changes",
    [
        {"drawdown_stop": 300_000_001},
        {"fund_sample_period_ns": 0},
        {"drawdown_window_ns": 511 * MINUTE},
        {"fund_sample_period_ns": 9 * 3600 * SECOND},
    ],
)
def test_rules_that_do_not_fit(changes):
    with pytest.raises(ValueError, match="drawdown_stop may not be above drawdown_trigger"):
        Fund(**DRAWDOWN, **changes)
    Fund(**changes)  # without the trigger they mean nothing


def test_samples_survive_a_snapshot():
    fund = Fund(**DRAWDOWN)
    fund.bankrupt(20, 100)
    fund.mark(110)
    fund.wait(180)
    again = Engine.restore(fund.engine.snapshot())
    assert again.state_hash() == fund.engine.state_hash() and again.snapshot() == fund.engine.snapshot()
    for engine in (again, fund.engine):
        engine.drain()
        engine.submit(kind=Kind.SET_MARK, value=80 * VALUE_ONE)
        engine.submit(kind=Kind.TICK, time_ns=engine.time_ns + MINUTE)
    assert again.drain().tolist() == fund.engine.drain().tolist() and again.digest() == fund.engine.digest()


class TestGate:
    def withdraw(self, fund: Fund) -> int:
        return fund.do(Kind.WITHDRAW, account=19, value=1)

    def test_withdrawals_wait_after_an_uncovered_debt(self):
        fund = Fund(10, withdraw_gate_ns=MINUTE)
        fund.do(Kind.DEPOSIT, account=19, value=100)
        fund.bankrupt(10, 5)
        assert EventKind.WITHDRAW_GATE not in fund.events["kind"].tolist()
        assert self.withdraw(fund) == Reject.NONE
        fund.bankrupt(10, 50)
        assert EventKind.WITHDRAW_GATE in fund.events["kind"].tolist()
        assert self.withdraw(fund) == Reject.WITHDRAWALS_GATED
        fund.wait(59)
        assert self.withdraw(fund) == Reject.WITHDRAWALS_GATED
        fund.wait(1)
        assert self.withdraw(fund) == Reject.NONE

    def test_no_gate_without_the_rule(self):
        fund = Fund(0)
        fund.do(Kind.DEPOSIT, account=19, value=100)
        fund.bankrupt(10, 50)
        assert self.withdraw(fund) == Reject.NONE


def test_disposal_is_bounded_by_the_book():
    """10 % of 50 lots, but at most 20 % of what is bid within 5 % of the mark."""
    fund = Fund(
        fund_unwind=FundUnwind.DISPOSAL, fund_unwind_period_ns=SECOND, fund_unwind_slice=100_000_000,
        disposal_fraction_max=200_000_000, disposal_band=50_000_000,
    )  # fmt: skip
    fund.do(Kind.DEPOSIT, account=19, value=100_000 * VALUE_ONE)
    fund.bankrupt(50, 0)
    orders = []
    for lots, price in ((10, 96), (30, 97), (500, 94)):
        fund.do(Kind.PLACE, account=19, order_id=price, side=Side.BUY, price_ticks=price, size_lots=lots)
        events = fund.wait(1)
        orders += events["size_lots"][events["kind"] == EventKind.FUND_ORDER].tolist()
    assert orders == [2, 5, 5]  # 20 % of 10; 10 % of 48; 10 % of 43, rounded up


def test_formulas_refuse_what_does_not_fit():
    with pytest.raises(OverflowError):
        formulas_fund.loss_of_lots(2**62, 4, 1, 0)
    with pytest.raises(ValueError, match="nobody"):
        formulas_fund.loss_of_lots(1, 1, 0, 0)


def test_payouts_leave_nothing():
    collected, payouts, margins, fund = formulas_fund.scaled_payouts(7, [5, 100], [50, 10], [20, 20, 20])
    assert (collected, fund, margins) == (22, 0, [0, 90])
    assert payouts == [7, 7, 8] and sum(payouts) == collected




class TestSharedLosses:
    """A long goes bankrupt with a debt and an empty fund; others hold positions of the same market."""

    def test_every_lot_pays_whatever_it_has_won(self):
        fund = Fund(0, socialise=Socialise.OPEN_INTEREST)
        for account, lots, side, entry in ((17, 4, Side.SELL, 120), (18, 8, Side.BUY, 120), (19, 3, Side.BUY, 90)):
            fund.do(Kind.DEPOSIT, account=account, value=1_000 * VALUE_ONE)
            fund.do(Kind.SEED_POSITION, account=account, side=side, size_lots=lots, value=entry * VALUE_ONE)
        fund.bankrupt(10, 30)
        assert sorted(self.paid(fund)) == [(17, 8 * VALUE_ONE), (18, 16 * VALUE_ONE), (19, 6 * VALUE_ONE)]

    def test_a_loss_of_one_unit_is_one_holders(self):
        """Each of two is due half a unit, rounded up: the first has paid it all, and of the other nothing is taken."""
        fund = Fund(0, socialise=Socialise.OPEN_INTEREST)
        for account in (17, 18):
            fund.do(Kind.DEPOSIT, account=account, value=1_000 * VALUE_ONE)
            fund.do(Kind.SEED_POSITION, account=account, side=Side.SELL, size_lots=4, value=100 * VALUE_ONE)
        fund.do(Kind.DEPOSIT, account=0, value=30 * VALUE_ONE - 1)
        fund.do(Kind.SEED_POSITION, account=0, side=Side.BUY, size_lots=10, value=100 * VALUE_ONE)
        fund.events = fund.mark(97)
        ((payer, paid),) = self.paid(fund)
        rows = fund.engine.accounts()
        assert paid == 1 and rows["balance"][[17, 18]].sum() == 2_000 * VALUE_ONE - 1
        assert rows["absorbed"][payer] == -1 and rows["absorbed"][0] == 1

    def test_winners_of_the_day(self):
        fund = Fund(0, socialise=Socialise.DAY_WINNERS, day_start_ns=10 * MINUTE)
        fund.do(Kind.DEPOSIT, account=18, value=1_000 * VALUE_ONE)
        fund.do(Kind.DEPOSIT, account=19, value=1_000 * VALUE_ONE)
        fund.do(Kind.SEED_POSITION, account=18, side=Side.BUY, size_lots=10, value=90 * VALUE_ONE)
        fund.do(Kind.PLACE, account=19, order_id=1, side=Side.BUY, price_ticks=95, size_lots=10)
        fund.do(Kind.PLACE, account=18, order_id=1, side=Side.SELL, price_ticks=95, size_lots=10)  # gains 50
        fund.bankrupt(10, 30)
        assert self.paid(fund) == [(18, 30 * VALUE_ONE)]
        fund.wait(10 * 60)  # a new day
        fund.bankrupt(10, 30)
        assert self.paid(fund) == []

    def test_a_day_whose_start_was_moved_goes_on_at_the_old_hour(self):
        fund = Fund(0, socialise=Socialise.DAY_WINNERS, day_start_ns=10 * MINUTE)
        for account in (18, 19):
            fund.do(Kind.DEPOSIT, account=account, value=1_000 * VALUE_ONE)
        assert fund.do(Kind.SET_RULE, aux=Rule.DAY_START, value=30 * MINUTE) == Reject.NONE
        fund.do(Kind.SEED_POSITION, account=18, side=Side.BUY, size_lots=10, value=90 * VALUE_ONE)
        fund.do(Kind.PLACE, account=19, order_id=1, side=Side.BUY, price_ticks=95, size_lots=10)
        fund.do(Kind.PLACE, account=18, order_id=1, side=Side.SELL, price_ticks=95, size_lots=10)  # gains 50
        fund.wait(10 * 60)
        fund.bankrupt(10, 30)
        assert self.paid(fund) == [(18, 30 * VALUE_ONE)]
        fund.wait(20 * 60)
        fund.bankrupt(10, 10)
        assert self.paid(fund) == []

    def paid(self, fund: Fund) -> list[tuple[int, int]]:
        rows = fund.events[fund.events["kind"] == EventKind.SOCIALISED_LOSS]
        return [(int(e["maker_account"]), int(e["value"])) for e in rows]

    def test_fees_come_first(self):
        fund = Fund(0, socialise=Socialise.OPEN_INTEREST, cover_from_fees=1)
        fund.do(Kind.DEPOSIT, account=fund.engine.house["treasury"], value=20 * VALUE_ONE)
        fund.do(Kind.DEPOSIT, account=19, value=1_000 * VALUE_ONE)
        fund.do(Kind.SEED_POSITION, account=19, side=Side.BUY, size_lots=1, value=100 * VALUE_ONE)
        assert fund.bankrupt(10, 30) == (0, 20) and self.paid(fund) == [(19, 10 * VALUE_ONE)]
        fund.engine.check()

    def test_a_step_of_the_mark_pays_for_the_debts_it_makes(self):
        """100 -> 97: the long loses 30 beyond nothing; shorts win 3 a lot and give up half."""
        fund = Fund(0, socialise=Socialise.PAYOUTS)
        for account, lots in ((17, 7), (18, 13)):
            fund.do(Kind.DEPOSIT, account=account, value=1_000 * VALUE_ONE)
            fund.do(Kind.SEED_POSITION, account=account, side=Side.SELL, size_lots=lots, value=100 * VALUE_ONE)
        fund.do(Kind.DEPOSIT, account=0, value=10 * VALUE_ONE)
        fund.do(Kind.SEED_POSITION, account=0, side=Side.BUY, size_lots=10, value=100 * VALUE_ONE)
        fund.events = fund.mark(97)
        assert sorted(self.paid(fund)) == [(17, 7 * VALUE_ONE), (18, 13 * VALUE_ONE)]  # 20 of 60
