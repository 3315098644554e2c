"""Core and twin as one state machine: Hypothesis picks few accounts, few prices and the values next to each limit.

The random streams are long and broad. These runs are short, and what fails is cut down to the fewest, smallest steps.
"""

import pytest
from differential import Mismatch, Pair
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from model import Command, matching
from model.margin import available
from model.wire import FOK, GTC, GTD, IOC, VALUE_ONE, Flag, Kind
from stream_settings import MARKET, RATE_ONE, SECOND, VENUE, AdlPrice, ReduceMethod, Setting, Socialise

ACCOUNTS = 4
TICK = MARKET["tick_value"]
SETTING = Setting(
    "machine",
    VENUE | {"reduce_method": ReduceMethod.SLICE, "reduce_slice": RATE_ONE // 2, "adl_price": AdlPrice.MARK,
             "socialise": Socialise.WINNERS, "fund_notional_cap": RATE_ONE},
    [MARKET | {"max_orders": 3, "min_notional": 0}], accounts=ACCOUNTS,
)  # fmt: skip
accounts = st.integers(0, ACCOUNTS - 1)
sides = st.integers(0, 1)
prices = st.sampled_from([990, 995, 999, 1000, 1001, 1005, 1010, 950, 1050, 949, 1051, 1, MARKET["price_max"]])
sizes = st.sampled_from([1, 2, 3, 10, 100, 400, MARKET["size_max"], MARKET["size_max"] + 1, 0])
marks = st.sampled_from([TICK * ticks for ticks in (1000, 999, 1020, 900, 1100)] + [1000 * TICK + 1, 985 * TICK - 1])
times = st.sampled_from([0, 0, 0, 1, SECOND, 60 * SECOND])


class TwoEngines(RuleBasedStateMachine):
    """Each rule is one command; both engines take it, and everything is compared after it."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(SETTING, every=1)
        self.ids = 0

    def apply(self, kind: int, later: int = 0, **fields: int) -> None:
        now = self.pair.twin.venue.time_ns
        self.pair.apply(Command(kind, now + later if later else 0, **fields))

    @initialize(mark=marks, money=st.sampled_from([30, 100, 1_000]), fund=st.sampled_from([0, 1, 100]))
    def open(self, mark, money, fund):
        self.apply(Kind.SET_MARK, later=SECOND, value=mark)
        for account in range(ACCOUNTS):
            self.apply(Kind.DEPOSIT, account=account, value=money * VALUE_ONE)
        if fund:
            self.apply(Kind.DEPOSIT, account=self.pair.twin.venue.fund_first, value=fund * VALUE_ONE)

    @rule(
        account=accounts, side=sides, price=prices, size=sizes, later=times, tif=st.sampled_from([GTC, GTC, IOC, FOK]),
        flags=st.sampled_from([0, 0, Flag.MARKET, Flag.POST_ONLY, Flag.REDUCE_ONLY]), stp=st.integers(0, 3),
    )  # fmt: skip
    def place(self, account, side, price, size, later, tif, flags, stp):
        self.ids += 1
        self.apply(
            Kind.PLACE, later, account=account, order_id=self.ids, side=side, price_ticks=price, size_lots=size,
            tif=tif, flags=flags, stp_mode=stp,
        )  # fmt: skip

    @rule(account=accounts, side=sides, price=prices, size=sizes, life=st.sampled_from([0, 1, SECOND]))
    def place_until(self, account, side, price, size, life):
        self.ids += 1
        self.apply(
            Kind.PLACE, account=account, order_id=self.ids, side=side, price_ticks=price, size_lots=size, tif=GTD,
            expire_ns=self.pair.twin.venue.time_ns + life,
        )  # fmt: skip

    @rule(
        account=accounts, side=sides, trigger=prices, size=sizes, source=st.integers(0, 1),
        condition=st.sampled_from([Flag.STOP, Flag.TAKE_PROFIT, Flag.TRAILING]),
        more=st.sampled_from([0, Flag.MARKET, Flag.MARKET | Flag.CLOSE_POSITION]),
    )  # fmt: skip
    def wait(self, account, side, trigger, size, source, condition, more):
        self.ids += 1
        self.apply(
            Kind.PLACE, account=account, order_id=self.ids, side=side, price_ticks=trigger,
            size_lots=0 if more & Flag.CLOSE_POSITION else size, flags=condition | more, trigger_ticks=trigger,
            trigger_source=source, aux=5_000_000 if condition == Flag.TRAILING else 0,
        )  # fmt: skip

    @rule(number=st.integers(0, 20), price=prices, size=sizes)
    def amend(self, number, price, size):
        order = self.live(number)
        if order:
            self.apply(
                Kind.AMEND, account=order.account, order_id=order.order_id, price_ticks=price, size_lots=size,
                trigger_ticks=0,
            )  # fmt: skip

    @rule(number=st.integers(0, 20))
    def cancel(self, number):
        order = self.live(number)
        if order:
            self.apply(Kind.CANCEL, account=order.account, order_id=order.order_id)

    def live(self, number):
        orders = list(self.pair.twin.venue.orders.values())
        return orders[number % len(orders)] if orders else None

    @rule(mark=marks, later=times)
    def mark(self, mark, later):
        self.apply(Kind.SET_MARK, later, value=mark)

    @rule(account=accounts, mode=st.integers(0, 1), leverage=st.sampled_from([1, 10, 50, 51]))
    def terms(self, account, mode, leverage):
        self.apply(Kind.SET_MARGIN_MODE, account=account, aux=mode)
        self.apply(Kind.SET_LEVERAGE, account=account, value=leverage)

    @rule(account=accounts, beyond=st.integers(-1, 1))
    def withdraw(self, account, beyond):
        """All that is free, one unit less, or one more."""
        wallet = self.pair.twin.venue.wallet(account, 0)
        self.apply(Kind.WITHDRAW, account=account, value=min(available(wallet, False), wallet.balance) + beyond)

    @rule(account=accounts, side=sides, size=sizes, entry=marks)
    def seed_position(self, account, side, size, entry):
        self.apply(Kind.SEED_POSITION, account=account, side=side, size_lots=size, value=entry)

    @rule(side=sides, price=prices, size=sizes, more=st.sampled_from([0, 0, Flag.MORE]))
    def level(self, side, price, size, more):
        self.apply(Kind.TAPE_LEVEL, side=side, price_ticks=price, size_lots=size, flags=more)

    @rule(side=sides, price=prices, size=sizes)
    def trade(self, side, price, size):
        self.apply(Kind.TAPE_TRADE, side=side, price_ticks=price, size_lots=size)

    @rule(rate=st.sampled_from([0, 1, 10_000_000, -10_000_000]), later=times)
    def funding(self, rate, later):
        self.apply(Kind.SET_FUNDING, value=rate, expire_ns=self.pair.twin.venue.time_ns + later)

    @rule(state=st.integers(0, 6))
    def state(self, state):
        self.apply(Kind.SET_MARKET_STATE, aux=state)
        if state != 2 and self.ids % 3:
            self.apply(Kind.SET_MARKET_STATE, aux=2)


TestTwoEngines = TwoEngines.TestCase
TestTwoEngines.settings = settings(max_examples=60, stateful_step_count=40)


def test_a_wrong_twin_is_found(monkeypatch):
    right = matching.fee_of
    monkeypatch.setattr(matching, "fee_of", lambda notional, rate: right(notional, rate) + 1)
    short = settings(max_examples=60, stateful_step_count=40, phases=[Phase.generate], print_blob=False)
    with pytest.raises(Mismatch, match="fee"):
        run_state_machine_as_test(TwoEngines, settings=short)
