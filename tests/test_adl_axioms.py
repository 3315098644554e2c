"""Which ADL policies keep the axioms of the literature, and what allocations must give for small cases.

Sybil     an account gains nothing by standing as two, whatever it gives to each of them
monotone  who has more equity behind the same position does not give less
scale     with all sizes and all money k times as large, everybody gives k times as much

Queues look at leverage: they keep scale alone. Allocations by wealth keep all three where no cap binds, those by
contracts too, since wealth is nothing to them. Risk weights rise with the square of leverage: whoever splits up pays
more, whoever is richer less.
"""

from __future__ import annotations

import itertools
import random

import pytest
from perpsim.core import AdlPolicy
from perpsim.core.formulas_adl import moved, queue, queue_fills, score, shares, weight

MARK, ENTRY, MONEY = 120, 100, 1000
QUEUES = (AdlPolicy.BITMEX, AdlPolicy.BINANCE, AdlPolicy.OKX, AdlPolicy.OKX_ROI, AdlPolicy.BITGET,
          AdlPolicy.HYPERLIQUID, AdlPolicy.CUBE, AdlPolicy.RESEARCH_RETURN, AdlPolicy.RESEARCH_BALANCE)  # fmt: skip
BY_WEALTH = (AdlPolicy.WEALTH_PRO_RATA, AdlPolicy.MIN_MAX, AdlPolicy.RESEARCH_EQUITY_PRO_RATA)
BY_SIZE = (AdlPolicy.CONTRACT_PRO_RATA, AdlPolicy.HEDGE_AWARE, AdlPolicy.RESEARCH_PNL_PRO_RATA)
BY_RISK = (AdlPolicy.RISK_AWARE, AdlPolicy.RESEARCH_MIRROR_DESCENT)


def face(lots: int, balance: int) -> dict[str, int]:
    """A long with a profit, its money, and a maintenance of 1 %."""
    value, cost = lots * MARK * MONEY, lots * ENTRY * MONEY
    equity = balance + value - cost
    return {
        "value": value, "cost": cost, "gain": value - cost, "balance": balance, "equity": equity, "share": equity,
        "maintenance": value // 100, "leverage": max(1, cost // max(1, balance)),
    }  # fmt: skip


def cuts(policy: AdlPolicy, people: list[tuple[int, int]], wanted: int) -> list[int]:
    """Lots that each of (lots, balance) gives."""
    faces = [face(lots, balance) for lots, balance in people]
    rooms = [lots for lots, _ in people]
    if policy in QUEUES:
        places = queue(policy, faces)
        given = dict(zip(places, queue_fills([rooms[i] for i in places], wanted), strict=True))
        return [given[i] for i in range(len(people))]
    weights = [weight(policy, lots, **seen) for lots, seen in zip(rooms, faces, strict=True)]
    shift = max(0, sum(weights).bit_length() - 62)
    return shares(policy, wanted, rooms, [w >> shift for w in weights])


CROWD = [(1_000, 9_000_000), (1_000, 5_000_000), (2_000, 21_000_000), (1_500, 4_000_000), (900, 30_000_000)]
WANTED, FEW = 900, 90  # so few that no cap binds, of a tenth of a position either


@pytest.mark.parametrize("policy", [*QUEUES, *BY_WEALTH, *BY_SIZE, *BY_RISK])
def test_the_cuts_sum_to_what_is_liquidated(policy):
    for wanted in (0, 1, 2, 7, WANTED, sum(lots for lots, _ in CROWD)):
        given = cuts(policy, CROWD, wanted)
        assert sum(given) == wanted
        assert all(0 <= lots <= held for lots, (held, _) in zip(given, CROWD, strict=True))


@pytest.mark.parametrize("policy", [*QUEUES, *BY_WEALTH, *BY_SIZE])
def test_scale(policy):
    small = cuts(policy, CROWD, WANTED)
    large = cuts(policy, [(7 * lots, 7 * balance) for lots, balance in CROWD], 7 * WANTED)
    assert all(abs(b - 7 * a) <= 7 for a, b in zip(small, large, strict=True))


def sybil_gain(policy: AdlPolicy, number: int, wanted: int) -> int:
    """The most that one account saves by putting a part of its lots and of its money into a second one."""
    lots, balance = CROWD[number]
    alone, best = cuts(policy, CROWD, wanted)[number], 0
    for part in range(1, 10):
        for money in range(10):
            second = lots * part // 10, balance * money // 10
            people = [*CROWD, second]
            people[number] = lots - second[0], balance - second[1]
            given = cuts(policy, people, wanted)
            best = max(best, alone - given[number] - given[-1])
    return best


@pytest.mark.parametrize("policy", [*BY_WEALTH, *BY_SIZE, AdlPolicy.RISK_AWARE])
def test_allocations_keep_out_sybils(policy):
    assert max(sybil_gain(policy, number, FEW) for number in range(len(CROWD))) <= 2  # roundings of two accounts


@pytest.mark.parametrize("policy", QUEUES)
def test_queues_do_not(policy):
    """Money that leaves the larger part of a position takes its leverage, and so its place in the queue, along."""
    assert max(sybil_gain(policy, number, WANTED) for number in range(len(CROWD))) > 50


def richer(policy: AdlPolicy, number: int) -> list[int]:
    """What one account gives as its money grows."""
    lots, balance = CROWD[number]
    given = []
    for times in (1, 2, 4, 8):
        people = list(CROWD)
        people[number] = lots, balance * times
        given.append(cuts(policy, people, WANTED)[number])
    return given


@pytest.mark.parametrize("policy", [*BY_WEALTH, *BY_SIZE])
def test_allocations_are_monotone(policy):
    for number in range(len(CROWD)):
        given = richer(policy, number)
        assert all(b >= a - 1 for a, b in itertools.pairwise(given))


@pytest.mark.parametrize("policy", [*QUEUES, *BY_RISK])
def test_queues_and_risk_weights_are_not(policy):
    assert any(richer(policy, number)[-1] < richer(policy, number)[0] for number in range(len(CROWD)))


@pytest.mark.parametrize("policy", [*BY_RISK])
def test_more_leverage_never_gives_less(policy):
    given = cuts(policy, [(1_000, 2_000_000 * k) for k in (1, 2, 3, 4, 5)], 1_500)
    assert given == sorted(given, reverse=True)
    assert given[0] > given[-1]


# Small cases


@pytest.mark.parametrize(
    "policy, rooms, weights, wanted, expected",
    [
        (AdlPolicy.CONTRACT_PRO_RATA, [10, 20, 30], [10, 20, 30], 6, [1, 2, 3]),
        (AdlPolicy.CONTRACT_PRO_RATA, [10, 10, 10], [10, 10, 10], 4, [2, 1, 1]),  # equal remainders: by account
        (AdlPolicy.CONTRACT_PRO_RATA, [5, 7, 8], [5, 7, 8], 13, [3, 5, 5]),  # quotas 3.25, 4.55, 5.2
        (AdlPolicy.WEALTH_PRO_RATA, [2, 100, 100], [50, 50, 100], 32, [2, 10, 20]),  # the first drowns
        (AdlPolicy.WEALTH_PRO_RATA, [2, 3, 100], [50, 50, 1], 32, [2, 3, 27]),
        (AdlPolicy.WEALTH_PRO_RATA, [5, 5, 10], [1, 0, 0], 8, [5, 1, 2]),  # without wealth: last, by contracts
        (AdlPolicy.MIN_MAX, [100, 100, 100], [6, 3, 1], 12, [8, 3, 1]),  # (7 + 1) / 6 is less than (1 + 1) / 1
        (AdlPolicy.WEALTH_PRO_RATA, [100, 100, 100], [6, 3, 1], 12, [7, 4, 1]),
        (AdlPolicy.WEALTH_PRO_RATA, [0, 4], [5, 5], 4, [0, 4]),
    ],
)
def test_allocations_by_hand(policy, rooms, weights, wanted, expected):
    assert shares(policy, wanted, rooms, weights) == expected


def test_min_max_is_the_best_there_is():
    """Against every allocation of small cases."""
    rng = random.Random(5)
    for _ in range(60):
        rooms, weights = [rng.randrange(6) for _ in range(3)], [rng.randrange(1, 9) for _ in range(3)]
        wanted = rng.randrange(sum(rooms) + 1)
        given = shares(AdlPolicy.MIN_MAX, wanted, rooms, weights)
        every = [
            (a, b, wanted - a - b)
            for a in range(rooms[0] + 1) for b in range(rooms[1] + 1) if 0 <= wanted - a - b <= rooms[2]
        ]  # fmt: skip
        best = min(max(lots / w for lots, w in zip(each, weights, strict=True)) for each in every)
        assert max(lots / w for lots, w in zip(given, weights, strict=True)) == pytest.approx(best)


def test_scores_by_hand():
    """10 % profit on 5 times leverage; a short that has halved its value is as far in front as a long that doubled."""
    seen = {"value": 110, "cost": 100, "gain": 10, "balance": 12, "equity": 22, "share": 22, "maintenance": 2}
    e18 = 10**18
    assert score(AdlPolicy.BITMEX, **seen) == e18 // 2
    assert score(AdlPolicy.OKX, **seen) == e18 // 2
    assert score(AdlPolicy.BYBIT, **seen, leverage=8) == 833_333_333 * 10**9  # a margin of 12
    assert score(AdlPolicy.BITGET, **seen, leverage=8) == 833_333_333 * 90_909_090
    assert score(AdlPolicy.BITGET_LEVERAGE, **seen, leverage=8) == 8 * 833_333_333 * 10**9
    assert score(AdlPolicy.BITGET_LEVERAGE, **seen | {"gain": -10}, leverage=8) == 0
    longs = score(AdlPolicy.HYPERLIQUID, value=200, cost=100, equity=50, is_long=True)
    shorts = score(AdlPolicy.HYPERLIQUID, value=200, cost=400, equity=50, is_long=False)
    assert longs == shorts == 8 * 10**15
    assert score(AdlPolicy.HYPERLIQUID, value=200, cost=100, equity=-1) > 2**63  # nothing left: in front of all
    losers = [seen | {"gain": -10, "share": share} for share in (100, 10, 1)]
    assert queue(AdlPolicy.BITMEX, losers) == [2, 1, 0]  # the more leverage, the less behind


@pytest.mark.parametrize(
    "call", [lambda: score(AdlPolicy.MIN_MAX), lambda: shares(AdlPolicy.BITMEX, 1, [1], [1]),
             lambda: shares(AdlPolicy.MIN_MAX, 3, [1], [1]), lambda: weight(AdlPolicy.BITMEX, 1)],
)  # fmt: skip
def test_a_formula_of_another_policy_is_refused(call):
    with pytest.raises(ValueError, match=r"queue|shares"):
        call()


def test_what_a_formula_does_not_know_or_cannot_hold():
    with pytest.raises(TypeError, match="'colour' is not what a policy sees; known: value, cost"):
        score(AdlPolicy.BITMEX, value=1, colour=2)
    assert moved(1_000, -50, 5, 10) == 525  # half of the value, less half of the equity
    with pytest.raises(OverflowError, match="leaves 64 bits"):
        moved(1 << 62, 0, 8, 1)
