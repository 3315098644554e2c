"""Lasting impact: what simulated takers take moves recorded prices, by its square root, and the move decays."""

from decimal import Decimal

import pytest
from perpsim.core import EventKind, Flag, Kind, Side
from perpsim.exchange.recorded_book import KERNEL_STEPS_MAX, impact
from stream_settings import MARKET, RATE_ONE, SECOND
from test_regressions import NOW, Desk

TICK = MARKET["tick_value"]
HALF = [RATE_ONE, RATE_ONE // 2, RATE_ONE // 4]  # what is left of a move after one step, two, and for good


def desk_of(factor: int = 100 * RATE_ONE, kernel=HALF, **more) -> Desk:
    """A recorded book of 1,000 lots at 990 and at 1,010; a million lots would move it by 100 times its price."""
    rules = {"impact_step_ns": SECOND, "impact_factor": factor, "impact_kernel": tuple(kernel), "size_max": 1_000}
    desk = Desk(market=rules | more)
    desk.level(Side.BUY, 990, 1_000, flags=Flag.MORE)
    desk.level(Side.SELL, 1_010, 1_000)
    return desk


def shifts(desk: Desk, seconds: int) -> list[int]:
    found = []
    for second in range(1, seconds + 1):
        desk.do(Kind.TICK, time_ns=NOW + second * SECOND)
        found.append(desk.engine.market(0)["shift_ticks"])
    return found


def test_nothing_moves_without_simulated_takers():
    desk = desk_of()
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=990, size_lots=400)
    desk.buy(0, 50, 990)
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=990, size_lots=1_000)
    assert len(desk.of(EventKind.TRADE))  # an account was hit: what moved the price is in the recording
    assert shifts(desk, 5) == [0] * 5
    assert len(desk.of(EventKind.IMPACT)) == 0


def test_the_move_is_a_square_root_and_decays_by_the_kernel():
    """100 lots: 100 * sqrt(100 / 1,000,000) = 1, clamped to one half. So a tenth of the factor: 10 %, and four times
    the lots twice that."""
    first = desk_of(factor=10 * RATE_ONE)
    first.buy(0, 100)
    assert shifts(first, 5) == [100, 50, 25, 25, 25]  # of a mid of 1,000 ticks
    second = desk_of(factor=10 * RATE_ONE)
    second.buy(0, 400)
    assert shifts(second, 5) == [200, 100, 50, 50, 50]
    sold = desk_of(factor=10 * RATE_ONE)
    sold.sell(0, 100)
    assert shifts(sold, 3) == [-100, -50, -25]


def test_steps_add_up_and_a_round_trip_of_one_step_leaves_nothing():
    desk = desk_of(factor=10 * RATE_ONE)
    desk.buy(0, 100)
    desk.sell(0, 100)
    assert shifts(desk, 3) == [0, 0, 0]
    desk = desk_of(factor=10 * RATE_ONE)
    desk.buy(0, 100)
    assert shifts(desk, 1) == [100]
    desk.buy(0, 100)
    assert shifts(desk, 2)[-1] == 150


def test_an_event_says_it_and_the_book_stands_there():
    desk = desk_of(factor=10 * RATE_ONE)
    desk.buy(0, 100)
    desk.do(Kind.TICK, time_ns=NOW + SECOND)
    (event,) = desk.of(EventKind.IMPACT)
    assert (event["value"], event["aux"]) == (RATE_ONE // 10, 100)
    assert desk.engine.book(0, Side.BUY)[0].tolist() == [1_090, 1_000]
    assert desk.engine.book(0, Side.SELL)[0].tolist() == [1_110, 900]


@pytest.mark.parametrize(("share", "index"), [(0, 1_000), (RATE_ONE // 2, 1_050), (RATE_ONE, 1_100)])
def test_recorded_indices_follow_by_their_share_and_marks_wholly(share, index):
    desk = desk_of(factor=10 * RATE_ONE, impact_index=share)
    desk.buy(0, 100)
    desk.do(Kind.TICK, time_ns=NOW + SECOND)
    desk.do(Kind.SET_INDEX, value=1_000 * TICK, flags=Flag.TAPE)
    desk.do(Kind.SET_MARK, value=1_000 * TICK, flags=Flag.TAPE)
    market = desk.engine.market(0)
    assert (market["index"], market["mark"]) == (index * TICK, 1_100 * TICK)


def test_a_clamp_stands_before_the_absurd():
    desk = desk_of(factor=1_000 * RATE_ONE)
    desk.buy(0, 900)
    assert shifts(desk, 1) == [500]


def law(**changes):
    known = dict(coefficient="0.5", volatility="0.02", volume_lots="300000000", tau="10", beta="0.5", memory="60")
    return impact(**{name: Decimal(value) for name, value in (known | changes).items()})


class TestRules:
    def test_the_square_root_law(self):
        """A million lots are a 300th of the day's volume: 0.5 * 2 % / sqrt(300)."""
        assert law()["impact_factor"] == int(0.5 * 0.02 / 300**0.5 * 1e9)

    def test_the_kernel_is_a_power_law_with_a_permanent_part(self):
        kernel = law(permanent="0.25")["impact_kernel"]
        assert len(kernel) == 60 and kernel[0] == RATE_ONE and kernel[-1] == RATE_ONE // 4
        assert kernel[30] == int((0.75 * 4**-0.5 + 0.25) * 1e9)
        assert list(kernel) == sorted(kernel, reverse=True)

    @pytest.mark.parametrize("memory", ["0.5", str(KERNEL_STEPS_MAX + 1)])
    def test_impossible_memories(self, memory):
        with pytest.raises(ValueError, match="a memory of"):
            law(memory=memory)
