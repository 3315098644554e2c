"""Populations: sums are exact, everybody starts healthy, and the same seed draws the same people."""

import time
from dataclasses import replace
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from perpsim.core import Engine, EventKind, Kind
from perpsim.exchange import rulebook
from perpsim.replay.population import Ground, check_healthy, commands, draw
from perpsim.replay.scenario import Entry, Leverage, Population, Size

BOOK = rulebook("binance-usdm", "2025-10-10")
SPEC = BOOK.market("BTCUSDT")
MARK = 2_814_727_373_413  # no multiple of a tick
CROWD = Population(
    accounts=2_000,
    open_interest=5_000,
    leverage=[Leverage(2, 0.5), Leverage(10, 0.3), Leverage(125, 0.2, "brave")],
    long_share=0.6,
    isolated_share=0.4,
    correlation=-0.3,
    cushion=0.5,
    size=Size(sigma=1.6, tail=0.02, alpha=1.3),
    entry=Entry(spread=0.05),
)


class Impossible(Exception):
    pass


def ground(**changes) -> Ground:
    here = Ground(SPEC, 0, MARK, 7, lambda key, message: Impossible(f"{key}: {message}"))
    return replace(here, **changes)


def people(**changes) -> Population:
    return msgspec.structs.replace(CROWD, **changes)


def venue(accounts: int) -> Engine:
    engine = Engine(BOOK, [SPEC], accounts)
    engine.submit(kind=Kind.SET_INDEX, time_ns=1, value=MARK)
    engine.submit(kind=Kind.SET_MARK, value=MARK)
    engine.drain()
    return engine


class TestSums:
    @pytest.mark.parametrize("open_interest", [2, 5_000, "12345.678"])
    def test_both_sides_are_the_open_interest(self, open_interest):
        crowd = draw(people(open_interest=open_interest), ground(), 0, 0)
        lots = int(Fraction(open_interest) * 1000)
        assert crowd.lots[crowd.lots > 0].sum() == lots
        assert crowd.lots[crowd.lots < 0].sum() == -lots
        assert (crowd.lots != 0).all()

    def test_the_engine_agrees(self):
        engine = venue(2_000)
        engine.apply(commands(draw(CROWD, ground(), 0, 0), 2))
        market = engine.market(0)
        assert market["longs_lots"] == market["shorts_lots"] == 5_000_000
        engine.check()

    def test_shares_are_exact(self):
        crowd = draw(CROWD, ground(), 0, 0)
        assert (crowd.lots > 0).sum() == 1_200
        assert np.bincount(crowd.cohort).tolist() == [1_000, 600, 400]
        assert crowd.labels == ["2x", "10x", "brave"]
        assert 700 < crowd.isolated.sum() < 900


class TestHealth:
    @pytest.mark.parametrize("spread", [0.0, 0.05, 0.5])
    def test_nobody_is_refused_or_liquidated_at_the_start(self, spread):
        crowd = draw(people(entry=Entry(spread=spread)), ground(), 0, 0)
        engine = venue(2_000)
        assert not (engine.apply(commands(crowd, 2))["kind"] == EventKind.REJECTED).any()
        check_healthy(crowd, engine.accounts(), ground().refuse)
        engine.submit(kind=Kind.SET_MARK, value=MARK)
        assert not (engine.drain()["kind"] == EventKind.LIQUIDATION_STARTED).any()

    def test_equity_at_the_mark_is_the_initial_margin_at_least(self):
        crowd = draw(people(cushion=0.0), ground(), 0, 0)
        engine = venue(2_000)
        engine.apply(commands(crowd, 2))
        accounts = engine.accounts()[: len(crowd)]
        positions = engine.positions()
        value = np.zeros(len(crowd), np.int64)
        held = positions[positions["account"] < len(crowd)]
        value[held["account"]] = np.abs(held["value"])
        assert (accounts["equity"] >= -(-value // crowd.leverage)).all()
        in_loss = accounts["unrealised"] < 0
        assert in_loss.any()
        assert (accounts["equity"][in_loss] <= -(-value[in_loss] // crowd.leverage[in_loss]) + 2).all()

    def test_brackets_cap_the_leverage(self):
        crowd = draw(people(open_interest=50_000), ground(), 0, 0)
        notional = np.abs(crowd.lots) * (MARK / 10**11)
        assert (crowd.leverage[notional > 50_000] <= 100).all()
        assert (crowd.leverage[notional > 3_000_000] <= 50).all()
        assert crowd.leverage.max() == 125

    def test_somebody_under_maintenance_is_reported(self):
        crowd = draw(CROWD, ground(), 0, 0)
        engine = venue(2_000)
        engine.apply(commands(crowd, 2))
        accounts = engine.accounts()
        for names in (("maintenance", "cross_maintenance"), ("maintenance",)):  # in the cross pool, in an isolated one
            one = accounts.copy()
            for name in names:
                one[name][5] = one["equity"][5] * 2
            with pytest.raises(Impossible, match="1 accounts would be liquidated at the start"):
                check_healthy(crowd, one, ground().refuse)


class TestDraws:
    def test_same_seed_same_people(self):
        one, other = draw(CROWD, ground(), 0, 0), draw(CROWD, ground(), 0, 0)
        assert np.array_equal(commands(one, 5), commands(other, 5))

    def test_seed_and_number_change_everything(self):
        base = draw(CROWD, ground(), 0, 0)
        for other in (draw(CROWD, ground(seed=8), 0, 0), draw(CROWD, ground(), 1, 0)):
            for name in ("cohort", "lots", "entry_value", "isolated", "deposit"):
                assert not np.array_equal(getattr(base, name), getattr(other, name)), name

    def test_more_isolated_accounts_are_the_same_ones_and_more(self):
        few, many = draw(CROWD, ground(), 0, 0), draw(people(isolated_share=0.7), ground(), 0, 0)
        assert np.array_equal(few.lots, many.lots)
        assert (many.isolated >= few.isolated).all()

    def test_ids_follow_on(self):
        crowd = draw(CROWD, ground(), 1, 500)
        assert np.unique(commands(crowd, 0)["account"]).tolist() == list(range(500, 2_500))

    def test_the_rich_use_less_leverage_where_told(self):
        def correlation(rho: float) -> float:
            crowd = draw(people(correlation=rho, size=Size(sigma=1.0)), ground(), 0, 0)
            equity = np.abs(crowd.lots) / np.array([2, 10, 125])[crowd.cohort]
            return float(np.corrcoef(np.log(equity), np.log([2, 10, 125])[crowd.cohort])[0, 1])

        assert correlation(-0.8) < -0.5
        assert abs(correlation(0.0)) < 0.1
        assert correlation(0.8) > 0.5

    def test_the_tail_is_pareto(self):
        alpha = 1.3
        crowd = draw(
            people(
                accounts=100_000, open_interest=100_000, leverage=[Leverage(1, 1.0)],
                size=Size(sigma=1.0, tail=0.1, alpha=alpha),
            ),
            ground(), 0, 0,
        )  # fmt: skip
        sizes = np.sort(np.abs(crowd.lots[crowd.lots > 0]))[::-1][:4_001].astype(float)
        hill = 4_000 / np.log(sizes[:4_000] / sizes[4_000]).sum()
        assert hill == pytest.approx(alpha, rel=0.1)


class TestImpossible:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"open_interest": 0.5}, "open_interest: 1200 accounts cannot share 500 lots, at least one each"),
            ({"open_interest": "0.0005"}, "open_interest: open interest 0.0005 is not a multiple of 0.001"),
            ({"open_interest": "many"}, "open_interest: open interest 'many' is not a finite number"),
            ({"long_share": 0.0001}, "long_share: there is nobody on one side"),
            ({"leverage": [Leverage(200, 1)]}, "leverage: 200 is above 125, the most that BTCUSDT allows"),
            ({"open_interest": 5_000_000}, "the largest position is beyond"),
        ],
    )
    def test_what_cannot_be(self, changes, sentence):
        with pytest.raises(Impossible, match=sentence):
            draw(people(**changes), ground(), 0, 0)


@pytest.mark.unsanitized("checked code takes several times as long")
def test_a_hundred_thousand_accounts_take_less_than_two_seconds():
    began = time.perf_counter()
    crowd = draw(people(accounts=100_000, open_interest=50_000), ground(), 0, 0)
    engine = venue(100_000)
    engine.apply(commands(crowd, 2))
    check_healthy(crowd, engine.accounts(), ground().refuse)
    assert time.perf_counter() - began < 2
