"""The level queue: who gains when recorded lots leave without a trade, and how what takers ate comes back."""

import math

import pytest
from model.book import log2_floor
from perpsim.core import EventKind, Kind, QueueModel, Side
from perpsim.exchange.recorded_book import RESILIENCE_STEPS, resilience
from stream_settings import SECOND
from test_regressions import NOW, Desk

ROOM = {"size_max": 1_000}


def place_in_queue(desk: Desk) -> int:
    """Recorded lots before account 0's order at 990."""
    ahead = 0
    for account, order_id, lots in desk.engine.queue(0, Side.BUY, 990):
        if account == 0:
            return ahead
        assert order_id is None
        ahead += lots
    raise AssertionError("no order at 990")


@pytest.mark.parametrize(
    ("model", "power", "ahead"),
    [
        (QueueModel.BEHIND_FIRST, 3, 100),
        (QueueModel.PROPORTIONAL, 3, 80),
        (QueueModel.POWER, 1, 80),
        (QueueModel.POWER, 2, 92),  # 80 * 1 / (1 + 9)
        (QueueModel.POWER, 3, 98),  # 80 * 1 / (1 + 27), rounded down
        (QueueModel.LOG, 3, 65),  # 80 * ln(101) / (ln(101) + ln(301))
        (QueueModel.FRONT_FIRST, 3, 20),
    ],
)
def test_who_gains_when_lots_are_cancelled(model, power, ahead):
    """100 recorded lots stand before the order and 300 behind it; 80 leave without a trade."""
    desk = Desk(market={"queue_model": model, "queue_power": power})
    desk.level(Side.BUY, 990, 100)
    desk.buy(0, 5, 990)
    desk.level(Side.BUY, 990, 400)
    assert place_in_queue(desk) == 100
    desk.level(Side.BUY, 990, 320)
    assert place_in_queue(desk) == ahead
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=990, size_lots=ahead)
    assert len(desk.of(EventKind.TRADE)) == 0
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=990, size_lots=1)
    assert desk.of(EventKind.TRADE)["size_lots"].tolist() == [1]


@pytest.mark.parametrize("model", QueueModel)
def test_a_level_that_empties_leaves_nothing_before_anybody(model):
    desk = Desk(market={"queue_model": model})
    desk.level(Side.BUY, 990, 7)
    desk.buy(0, 5, 990)
    desk.level(Side.BUY, 990, 20)
    desk.level(Side.BUY, 990, 0)
    assert place_in_queue(desk) == 0


def test_logarithms_are_those_of_the_field():
    for x in (1, 2, 3, 7, 100, 12_345, 2**31 - 1, 2**31 + 1, 10**12):
        assert abs(log2_floor(x) / 65_536 - math.log2(x)) < 2e-4


class TestResilience:
    def test_a_half_life_brings_half_of_it_back(self):
        desk = Desk(market=ROOM | resilience(half_life_ns=16 * SECOND))
        desk.level(Side.BUY, 990, 1_000)
        desk.sell(0, 640)
        assert recorded(desk) == 360
        seen = []
        for second in range(1, 65):
            desk.do(Kind.TICK, time_ns=NOW + second * SECOND)
            seen.append(recorded(desk))
        assert seen == sorted(seen)
        assert seen[15] == 680 and seen[31] == 840 and seen[63] == 960

    def test_small_sizes_decay_at_the_same_pace(self):
        """One lot is gone for a half-life and more, not for a sixteenth of it."""
        desk = Desk(market=ROOM | resilience(half_life_ns=16 * SECOND))
        desk.level(Side.BUY, 990, 10)
        desk.sell(0, 2)
        desk.do(Kind.TICK, time_ns=NOW + 15 * SECOND)
        assert recorded(desk) == 8
        desk.do(Kind.TICK, time_ns=NOW + 17 * SECOND)
        assert recorded(desk) == 9

    def test_it_comes_back_behind_those_who_came_meanwhile(self):
        desk = Desk(market=ROOM | resilience(half_life_ns=16 * SECOND))
        desk.level(Side.BUY, 990, 100)
        desk.sell(1, 100)
        desk.buy(0, 5, 990)
        desk.do(Kind.TICK, time_ns=NOW + 16 * SECOND)
        assert next((account, lots) for account, _, lots in desk.engine.queue(0, Side.BUY, 990)) == (0, 5)
        assert recorded(desk) == 50

    def test_what_comes_back_across_an_order_trades_with_it(self):
        desk = Desk(market=ROOM | resilience(half_life_ns=16 * SECOND))
        desk.level(Side.SELL, 1_000, 100)
        desk.buy(1, 100)
        desk.buy(0, 5, 1_000)
        desk.do(Kind.TICK, time_ns=NOW + 16 * SECOND)
        assert desk.of(EventKind.TRADE)["price_ticks"].tolist() == [1_000, 1_000]  # 4 lots at the first step, then 1
        assert desk.lots(0) == 5

    def test_a_level_that_history_has_emptied_does_not_come_back(self):
        desk = Desk(market=ROOM | resilience(half_life_ns=16 * SECOND))
        desk.level(Side.BUY, 990, 100)
        desk.sell(1, 60)
        desk.level(Side.BUY, 990, 0)
        desk.do(Kind.TICK, time_ns=NOW + 160 * SECOND)
        assert recorded(desk) == 0
        desk.level(Side.BUY, 990, 30)
        assert recorded(desk) == 30

    def test_by_updates_of_the_best_quotes(self):
        """Each depth message that moves a best quote is a step; others are none."""
        desk = Desk(market=ROOM | resilience(updates=2))
        desk.level(Side.BUY, 990, 1_000)
        desk.sell(0, 640)
        desk.level(Side.SELL, 1_010, 5)
        desk.level(Side.SELL, 1_020, 5)
        desk.do(Kind.TICK, time_ns=NOW + 100 * SECOND)
        assert recorded(desk) == 1_000 - 453  # 640 * 2 ** -0.5, rounded up
        desk.level(Side.SELL, 1_009, 5)
        assert recorded(desk) == 680

    def test_steps_of_a_half_life(self):
        assert resilience(half_life_ns=16)["resilience_step_ns"] == 1
        for steps, rules in ((RESILIENCE_STEPS, resilience(half_life_ns=1_000)), (20, resilience(updates=20))):
            keep = rules["resilience_keep"] / 1e9
            assert keep**steps <= 0.5 < (keep + 1e-9) ** steps
        assert resilience() == {}


def recorded(desk: Desk) -> int:
    """Recorded lots on the touched level of the test: bids at 990."""
    return sum(lots for account, _, lots in desk.engine.queue(0, Side.BUY, 990) if account != 0)
