"""Lasting impact: what simulated takers take moves recorded prices, by its square root, and the move decays."""

from decimal import Decimal

import numpy as np
import pytest
from perpsim.core import EventKind, Flag, Kind, Side
from perpsim.exchange.recorded_book import KERNEL_STEPS_MAX, impact
from stream_settings import MARKET, RATE_ONE, SECOND
from test_regressions import NOW, Desk

TICK = MARKET["tick_value"]
HALF = [RATE_ONE, RATE_ONE // 2, RATE_ONE // 4]  # what is left of a move after one step, two, three; then nothing


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
    assert shifts(first, 5) == [100, 50, 25, 0, 0]  # of a mid of 1,000 ticks
    second = desk_of(factor=10 * RATE_ONE)
    second.buy(0, 400)
    assert shifts(second, 5) == [200, 100, 50, 0, 0]
    sold = desk_of(factor=10 * RATE_ONE)
    sold.sell(0, 100)
    assert shifts(sold, 3) == [-100, -50, -25]


def test_the_permanent_part_is_of_the_net_flow():
    desk = desk_of(factor=10 * RATE_ONE, impact_permanent=RATE_ONE // 5)
    desk.buy(0, 100)
    assert shifts(desk, 5) == [120, 70, 45, 20, 20]
    desk.buy(0, 300)  # sqrt(400) is twice sqrt(100)
    assert shifts(desk, 9)[5:] == [213, 127, 83, 40]
    desk.sell(0, 400)
    assert shifts(desk, 13)[9:] == [-200, -100, -50, 0]  # as much sold as bought: nothing is left


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
    known = dict(coefficient="0.5", volatility="0.02", volume_lots="300000000", memory="60")
    return impact(**{name: Decimal(value) for name, value in (known | changes).items()})


class TestRules:
    def test_the_square_root_law(self):
        """A million lots are a 300th of the day's volume: 0.5 * 2 % / sqrt(300)."""
        assert law()["impact_factor"] == int(0.5 * 0.02 / 300**0.5 * 1e9)

    def test_the_kernel_is_a_power_law_and_a_permanent_part_takes_its_share(self):
        kernel, less = law()["impact_kernel"], law(permanent="0.25")
        assert len(kernel) == 60 and list(kernel) == sorted(kernel, reverse=True)
        assert kernel[9] == pytest.approx(kernel[0] * 10**-0.6)
        assert less["impact_permanent"] == RATE_ONE // 4 and less["impact_kernel"][0] == pytest.approx(0.75 * kernel[0])

    @pytest.mark.parametrize("memory", ["0.5", str(KERNEL_STEPS_MAX + 1)])
    def test_impossible_memories(self, memory):
        with pytest.raises(ValueError, match="a memory of"):
            law(memory=memory)

    @pytest.mark.parametrize("beta", ["0.49", "0.81"])
    def test_a_decay_that_does_not_give_the_law(self, beta):
        with pytest.raises(ValueError, match="does not give the square-root law"):
            law(beta=beta)

    @pytest.mark.parametrize("permanent", ["0", "0.25"])
    @pytest.mark.parametrize("over", [10, 30])
    def test_metaorders_follow_the_law_in_however_many_steps(self, over, permanent):
        """At the end of a metaorder, over any number of steps in a row or spread over `over` of them."""
        rules = law(memory="600", permanent=permanent)
        for steps in (1, 3, 10, 30):
            assert 0.7 <= self.peak(rules, range(steps)) <= 1.3
            if steps <= over:
                assert 0.7 <= self.peak(rules, [over * j // steps for j in range(steps)]) <= 1.3

    def test_between_orders_far_apart_the_move_decays(self):
        assert self.peak(law(memory="600"), range(0, 300, 30)) == pytest.approx(0.43, abs=0.01)

    @staticmethod
    def peak(rules: dict, places) -> float:
        """At the end of flows of equal size at these steps, in units of the law for their sum."""
        ages = np.array([places[-1] - place for place in places])
        kernel = np.array(rules["impact_kernel"]) / RATE_ONE
        return kernel[ages].sum() / len(places) ** 0.5 + rules["impact_permanent"] / RATE_ONE


class TestRoundTrips:
    """Selling what was bought never earns money from the shift, when an order pays for the move that it makes itself.

    A block of q lots walks from where the price stood to where it leaves it: its average is 2/3 of its own move.
    """

    @staticmethod
    def cost(flows: np.ndarray, rules: dict, own_move: float = 2 / 3) -> np.ndarray:
        """Of each row of flows, in units of the sum of |q| ** 1.5; exact for a row of zero sum."""
        kernel, kept = np.array(rules["impact_kernel"]) / RATE_ONE, rules["impact_permanent"] / RATE_ONE
        roots = np.sign(flows) * np.sqrt(np.abs(flows))
        own = (np.abs(flows) ** 1.5).sum(axis=1)
        total = kernel[0] * own * own_move
        for step in range(1, flows.shape[1]):
            total += flows[:, step] * (roots[:, :step] * kernel[step - 1 :: -1][:step]).sum(axis=1)
        net = np.abs(np.cumsum(flows, axis=1)) ** 1.5
        return (total + kept * 2 / 3 * net[:, -1]) / own

    @staticmethod
    def random_trips(steps: int, count: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(key=steps))
        flows = generator.standard_normal((count, steps)) * np.exp(generator.normal(0, 1.5, (count, steps)))
        flows *= generator.random((count, steps)) < generator.random((count, 1))
        flows[:, -1] -= flows.sum(axis=1)
        return flows[np.abs(flows).sum(axis=1) > 0]

    @pytest.mark.parametrize("beta", ["0.5", "0.6", "0.8"])
    @pytest.mark.parametrize("steps", [2, 3, 10, 60])
    def test_random_ones_cost(self, steps, beta):
        assert self.cost(self.random_trips(steps, 20_000), law(beta=beta, permanent="0.2")).min() > 0

    def test_buying_in_some_steps_and_selling_in_others_costs(self):
        shapes = []
        for bought in range(1, 40):
            for sold in range(1, 41 - bought):
                flows = np.zeros(40)
                flows[:bought], flows[40 - sold :] = 1 / bought, -1 / sold
                shapes += [flows, -np.roll(flows, sold)]
        assert self.cost(np.array(shapes), law()).min() > 0.1

    def test_an_order_that_does_not_pay_for_its_own_move_may_earn_it_but_no_more(self):
        for steps in (2, 60):
            trips = self.random_trips(steps, 20_000)
            assert -0.6 < self.cost(trips, law(), own_move=0).min() < -0.3

    def test_the_measure_finds_a_kernel_that_decays_too_slowly(self):
        rules = law() | {"impact_kernel": tuple(int((1 + k / 10) ** -0.5 * RATE_ONE) for k in range(60))}
        assert self.cost(self.random_trips(10, 20_000), rules).min() < -0.05
