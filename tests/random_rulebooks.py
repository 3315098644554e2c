"""Random rulebooks for the random streams: every rule that the engine reads is drawn. No perpsim in here.

A drawn rulebook is a venue of one of the hand-made settings, crossed with another one and with single rules drawn anew,
and one to three markets: a contract, a way to make prices, tiers, then single rules drawn anew. What is drawn need not
make sense; combinations that the engine refuses are drawn again by the caller.
"""

from __future__ import annotations

import random

from model.markets import MARKET_RULES, RANGES, VENUE_RULES
from model.wire import RATE_ONE, VALUE_ONE, Attribution, ContractKind, QueueModel, ReduceMethod, TapeWalk, TierMethod
from stream_settings import (
    BINANCE_PRICES,
    BITMEX_PRICES,
    COARSE,
    COLLATERAL,
    COMPUTED,
    DEAR,
    DERIBIT_PRICES,
    DYDX_PRICES,
    HYPERLIQUID_PRICES,
    INVERSE,
    LARGE,
    MARKET,
    NO_TAPE,
    OKX_PRICES,
    SATOSHIS,
    SECOND,
    SETTINGS,
    SMALL,
    STEPS,
    VEGA_PRICES,
    Setting,
    tiers,
)
from stream_venue import RULE_VALUES

ODD_INVERSE = INVERSE | {"lot_numerator": 1_001, "lot_denominator": 7, "price_min": 1}
CONTRACTS = (MARKET, MARKET, COARSE, DEAR, SMALL, INVERSE, ODD_INVERSE)
PRICES = (
    {}, {}, {}, COMPUTED, BINANCE_PRICES, OKX_PRICES, BITMEX_PRICES, DERIBIT_PRICES, DYDX_PRICES, HYPERLIQUID_PRICES,
    VEGA_PRICES,
)  # fmt: skip
TABLES = (STEPS, STEPS, LARGE, tiers((50_000, "2", 20)), tiers((100, "1", 50), (1_000, "5", 10), (90_000, "20", 3)))
RUIN = RATE_ONE - 1  # a fee that takes everything: of rule changes, not of rulebooks
# Rules of a contract, which are drawn together with it.
OF_CONTRACTS = {
    "contract_kind", "value_rounding", "price_min", "tier_method", "size_max", "leverage_default", "impact_step_ns",
}  # fmt: skip
MARKET_VALUES = {
    "maintenance_base": (5_000_000, 20_000_000), "maintenance_slope": (0, 100_000, 3_000_000),
    "close_fee_in_maintenance": (0, 600_000), "band_outward": (0, 1), "trigger_protect": (0, 20_000_000),
    "underlying": (0, 0, 3), "hedge_allowed": (0, 1, 1), "close_fee_reserved": (0, 1),
    "volatility": (RATE_ONE // 2, RATE_ONE, 3 * RATE_ONE), "disposal_full_lots": (0, 5, 40),
    "mark_weight_elsewhere": (0, 100_000_000), "mark_weight_median": (0, 100_000_000),
    "mark_stale_trades_ns": (0, 2 * SECOND), "mark_stale_book_ns": (0, 2 * SECOND),
    "mark_stale_index_ns": (0, 9 * SECOND),
    "mark_decay": (0, 500_000_000, RATE_ONE), "mark_decay_power": (0, 1, 2, 3),
    "mark_cash": (0, VALUE_ONE, 40 * VALUE_ONE),
    "mark_scaling": (200_000_000, 1_500_000_000), "mark_slippage": (0, 100_000_000),
    "risk_limits": (0, 1), "mark_risk_long": (0, 300_000_000), "mark_risk_short": (0, 400_000_000),
    "initial_base": (0, 20_000_000), "initial_slope": (0, 200_000), "oi_lower_cap": (0, 500 * VALUE_ONE),
    "oi_upper_cap": (0, 2_000 * VALUE_ONE),
    "queue_power": (1, 2, 3), "resilience_step_ns": (0, SECOND), "resilience_quotes": (0, 1),
    "resilience_keep": (0, RATE_ONE // 2, RATE_ONE), "impact_factor": (0, RATE_ONE, 20 * RATE_ONE),
    "impact_index": (0, RATE_ONE), "impact_permanent": (0, RATE_ONE // 5, RATE_ONE),
    "beyond_lots": (0, 0, 3, 40), "beyond_slope": (0, RATE_ONE // 3, 5 * RATE_ONE), "beyond_ticks": (0, 4, 1_000),
    "attribution": range(3),
}  # fmt: skip
VENUE_VALUES = {
    "liquidator_fee_max": (0, 20_000_000), "liquidator_fee_step": (0, 3_000_000),
    "liquidator_fee_grace_ns": (0, 2 * SECOND), "cure_small": (0, 5 * VALUE_ONE),
    "fillable_spread": (0, 100_000_000, 1_500_000_000), "bankruptcy_adjustment": (RATE_ONE, 2 * RATE_ONE),
}  # fmt: skip


def in_range(number: int) -> tuple[int, ...]:
    """What the streams set a rule to, as far as a rulebook may say it."""
    low, high = RANGES.get(number, (0, 2**63 - 1))
    return tuple(value for value in RULE_VALUES[number] if low <= value <= high and abs(value) != RUIN)


MARKET_VALUES |= {name: in_range(number) for number, name in MARKET_RULES.items()}
MARKET_VALUES |= {
    "mark_method": range(8), "outlier_return_band": (0, 5_000_000), "mark_period_ns": (SECOND, 3 * SECOND),
}  # fmt: skip
VENUE_VALUES |= {name: in_range(number) for number, name in VENUE_RULES.items()}
VENUE_VALUES |= {"fund_unwind_period_ns": (SECOND, 5 * SECOND)}


def drawn_venue(rng: random.Random) -> dict:
    """Two hand-made venues crossed, and some rules drawn anew."""
    one, other = (rng.choice(SETTINGS).venue for _ in range(2))
    venue = {name: (other if rng.random() < 0.3 else one).get(name, value) for name, value in (one | other).items()}
    venue.pop("collateral", None)
    often = rng.choice((0.02, 0.1, 0.3))
    return venue | {name: rng.choice(values) for name, values in VENUE_VALUES.items() if rng.random() < often}


def drawn_market(rng: random.Random, base: dict, assets: int) -> dict:
    """A market of a contract: prices, tiers, its asset, and some rules drawn anew."""
    market = base | rng.choice(PRICES)
    market |= {
        "asset": rng.randrange(assets), "fund_group": rng.choice((0, 0, 1)),
        "queue_model": rng.randrange(QueueModel.FRONT_FIRST + 1),
        "tape_walk": rng.choice((TapeWalk.DROP, TapeWalk.DEEPER)),
    }  # fmt: skip
    if rng.random() < 0.2:
        market |= {"impact_step_ns": rng.choice((SECOND, 7 * SECOND)), "impact_factor": 5 * RATE_ONE}
        market |= {"impact_kernel": tuple(rng.choice((0, RATE_ONE // 3, RATE_ONE)) for _ in range(rng.randint(1, 9)))}
    if rng.random() < 0.2:
        market |= {"attribution": rng.choice((Attribution.RECORD, Attribution.AGAINST, Attribution.AGAINST))}
    table, method = rng.choice(TABLES), TierMethod.MARGINAL
    if rng.random() < 0.4:
        inverse = base.get("contract_kind") == ContractKind.INVERSE
        method = rng.choice((TierMethod.WHOLE, TierMethod.LINEAR) if inverse else (TierMethod.WHOLE,))
        table = tuple((cap, rate, 0, leverage) for cap, rate, _, leverage in table)
    market |= {"tiers": table, "tier_method": method, "maintenance_base": 10_000_000, "maintenance_slope": 100_000}
    often = rng.choice((0.02, 0.1, 0.2))
    changed = {name: rng.choice(values) for name, values in MARKET_VALUES.items() if rng.random() < often}
    if "sources" not in market:
        changed.pop("index_method", None)
    return market | changed


def drawn_setting(seed: int, again: int = 0) -> Setting:
    """One rulebook and the stream for it, the same for the same seed; another one each time it is drawn `again`."""
    rng = random.Random(f"rulebook {seed} {again}")
    venue, count, assets = drawn_venue(rng), rng.choice((1, 2, 2, 3)), rng.choice((1, 1, 2))
    lots, purses, contracts = 1, (30, 100, 400, 400, 3_000), CONTRACTS
    if rng.random() < 0.1:
        lots, contracts = 100_000, (SATOSHIS,)
    bases = [rng.choice(contracts) for _ in range(count)]
    if rng.random() < 0.3:
        venue |= {"collateral": COLLATERAL}
        bases, assets, purses = [rng.choice(contracts), rng.choice(contracts), MARKET], len(COLLATERAL), (0, 0, 30, 100)
    markets = [drawn_market(rng, base, assets) for base in bases]
    if "collateral" in venue:
        markets[2]["asset"] = 0  # the coin's own book
    weights = {
        "jump": rng.choice((1, 3, 6)), "seed": rng.choice((1, 4, 12)), "edge": rng.choice((1, 4)),
        "tick": rng.choice((1, 4)), "deposit": rng.choice((0.5, 1, 2)), "rule": rng.choice((0, 1, 3)),
        "index": rng.choice((1, 4)), "mark": rng.choice((0.5, 1)), "collateral": 1, "conditional": rng.choice((0.3, 1)),
        "withdraw": rng.choice((1, 3)), "amend": rng.choice((0.3, 1)), "source": rng.choice((2, 6)),
    }  # fmt: skip
    if lots > 1:  # the twin looks for the size that restores maintenance lot by lot
        weights["rule"] = 0
        if venue["reduce_method"] == ReduceMethod.TO_SAFE:
            venue["reduce_method"] = ReduceMethod.TIER
    single = (rng.randrange(len(markets)),) if rng.random() < 0.2 else ()
    taped = any(market.get("attribution") for market in markets)
    if taped:
        weights |= {"trade": 8, "flow": 10}
        single = single if len(markets) > 1 else ()
    if not taped and (len(markets) == 1 or rng.random() < 0.4):
        weights |= NO_TAPE
        single = ()
    return Setting(
        f"random-{seed}", venue, markets, accounts=rng.choice((8, 10, 16)), assets=assets, l3=single, weights=weights,
        funds=rng.choice(((0,), (0, 0, 5), (0, 5, 50, 500, 5_000))),
        purses=purses, hedge=rng.choice((0, 0, 0.2, 0.6)), lots=lots,
    )  # fmt: skip
