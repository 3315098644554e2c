"""Rulebooks for the random streams: each setting turns on a different part of the engine. No perpsim in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.wire import (
    RATE_ONE,
    VALUE_ONE,
    AdlFee,
    AdlPolicy,
    AdlPrice,
    Attribution,
    CollateralOracle,
    ContractKind,
    CrossOrder,
    FundingFormula,
    FundingPrice,
    FundTrigger,
    FundUnwind,
    IndexMethod,
    LiquidationFee,
    MaintenanceValue,
    MarkMethod,
    OutlierRule,
    PremiumAverage,
    PremiumSource,
    QueueModel,
    ReduceLimit,
    ReduceMethod,
    Socialise,
    Takeover,
    TapeWalk,
    TierMethod,
    ValueRounding,
)

SECOND = 1_000_000_000
VENUE = {
    "liquidation_period_ns": 0, "liquidation_delay_ns": 0, "reduce_method": ReduceMethod.TO_SAFE,
    "reduce_limit": ReduceLimit.BANKRUPTCY, "reduce_slice": 0, "fund_notional_cap": 0, "fund_unwind": FundUnwind.HOLD,
    "fund_unwind_period_ns": 0, "fund_unwind_slice": 0, "adl_policy": AdlPolicy.BINANCE,
    "adl_price": AdlPrice.BANKRUPTCY,
    "adl_price_band": RATE_ONE // 20, "adl_fee": AdlFee.NONE, "adl_light": 0, "adl_light_levels": 5,
    "adl_light_period_ns": 0,
    "socialise": Socialise.NONE, "cross_order": CrossOrder.LARGEST_MAINTENANCE,
    "takeover": Takeover.FUND, "backstop_at": 0, "slice_above": 0, "slice_cooldown_ns": 0, "hand_over_tier": 2,
    "close_rest": 0, "liquidation_buffer": 0, "reduce_leave": 0, "liquidation_fee_base": LiquidationFee.NOTIONAL,
    "position_block_rate": 0, "position_block_min": 0, "account_block_notional": 0, "cure_period_ns": 0,
    "cure_start": 0, "liquidator_fee": 0, "liquidator_fee_max": 0, "liquidator_fee_step": 0,
    "liquidator_fee_grace_ns": 0, "cure_small": 0, "fillable_spread": 0, "bankruptcy_adjustment": RATE_ONE,
}  # fmt: skip


def tiers(*rows: tuple[int, str, int]) -> tuple[tuple[int, int, int, int], ...]:
    """(cap in whole money, maintenance in percent, leverage) rows; deductions make maintenance continuous."""
    table, floor, before, deduction = [], 0, 0, 0
    for cap, percent, leverage in rows:
        rate = round(float(percent) * RATE_ONE / 100)
        deduction += floor * (rate - before) // RATE_ONE
        table.append((cap * VALUE_ONE, rate, deduction, leverage))
        floor, before = cap * VALUE_ONE, rate
    return tuple(table)


STEPS = tiers((400, "0.5", 50), (2_000, "1", 25), (8_000, "2.5", 10), (40_000, "10", 4), (200_000, "25", 1))
LARGE = tiers((300, "0.5", 50), (1_000, "1", 25), (4_000, "4", 15), (6_000, "10", 4))
MARKET = {
    "tick_value": 10_000_000, "lot_numerator": 1, "lot_denominator": 100, "price_max": 20_000,
    "position_max": 2_000_000, "asset": 0, "fund_group": 0, "queue_model": QueueModel.BEHIND_FIRST,
    "tape_walk": TapeWalk.DEEPER, "maker_fee": 200_000, "taker_fee": 500_000, "liquidation_fee": 3_000_000,
    "band_up": 1_050_000_000, "band_down": 950_000_000, "market_bound": 30_000_000, "trigger_protect": 20_000_000,
    "min_notional": 5 * VALUE_ONE, "size_max": 600, "max_orders": 6, "max_conditional": 4, "leverage_default": 10,
    "mark_method": MarkMethod.GIVEN, "mark_period_ns": 0, "basis_samples": 0, "funding_interval_ns": 0,
    "premium_period_ns": 0, "interest_rate": 0, "funding_inner": 0, "funding_cap": 0, "impact_notional": 0,
    "clip_lots": 0, "volatility": RATE_ONE, "tiers": STEPS,
}  # fmt: skip
COARSE = MARKET | {  # a cheap coin: price 0.00005, a hundred thousand coins a lot, no bands, rebates
    "tick_value": 1, "lot_numerator": 100_000, "lot_denominator": 1, "price_max": 80_000, "position_max": 1_000_000,
    "maker_fee": -50_000, "taker_fee": 450_000, "band_up": 0, "band_down": 0, "market_bound": 0, "min_notional": 0,
    "size_max": 200, "leverage_default": 20, "volatility": 2 * RATE_ONE, "liquidation_fee": 12_500_000,
}  # fmt: skip
DEAR = MARKET | {
    "liquidation_fee": 13_000_000, "size_max": 3_000, "position_max": 30_000, "max_orders": 12, "tiers": LARGE,
}  # fmt: skip
COMPUTED = {
    "mark_method": MarkMethod.MEDIAN3, "mark_period_ns": SECOND, "basis_samples": 5, "funding_interval_ns": 60 * SECOND,
    "premium_period_ns": 5 * SECOND, "interest_rate": 100_000, "funding_inner": 500_000, "funding_cap": 20_000_000,
    "impact_notional": 50 * VALUE_ONE,
}  # fmt: skip
OF_SOURCES = {
    "sources": (300_000_000, 200_000_000, 150_000_000, 50_000_000), "index_method": IndexMethod.WEIGHTED_MEAN,
    "source_stale_ns": 10 * SECOND, "outlier_band": 30_000_000,
}  # fmt: skip
BINANCE_PRICES = COMPUTED | OF_SOURCES | {
    "index_period_ns": SECOND, "outlier_rule": OutlierRule.ZERO_WEIGHT, "last_price_protection": 1,
    "impact_margin": 2 * VALUE_ONE, "funding_capped_interval_ns": 15 * SECOND, "funding_quiet_interval_ns": 45 * SECOND,
    "funding_quiet_cycles": 2, "funding_quiet_rate": 400, "funding_cap": 2_000, "funding_offset_ns": 7 * SECOND,
}  # fmt: skip
OKX_PRICES = COMPUTED | OF_SOURCES | {
    "outlier_rule": OutlierRule.CLAMP, "outlier_band": 20_000_000, "sources_few": 3,
    "mark_method": MarkMethod.BASIS_MEAN, "funding_formula": FundingFormula.PLAIN,
}  # fmt: skip
BITMEX_PRICES = COMPUTED | OF_SOURCES | {
    "index_method": IndexMethod.MEAN, "outlier_rule": OutlierRule.EXCLUDE, "outlier_return_band": 5_000_000,
    "outlier_return_ns": 3 * SECOND, "mark_method": MarkMethod.FUNDING_BASIS, "mark_step_ns": 10 * SECOND,
    "mark_unit": 1_000_000, "premium_source": PremiumSource.FAIR_BASIS, "premium_average": PremiumAverage.EQUAL,
    "funding_formula": FundingFormula.PLAIN, "funding_cap_margin": 750_000_000, "funding_change_margin": 750_000_000,
}  # fmt: skip
DERIBIT_PRICES = COMPUTED | {
    "mark_method": MarkMethod.BASIS_EMA, "mark_ema_ns": 15 * SECOND, "mark_bound_up": 15_000_000,
    "mark_bound_down": 10_000_000, "mark_mid_bound": 1_000_000, "premium_source": PremiumSource.MARK,
    "premium_average": PremiumAverage.EQUAL, "funding_formula": FundingFormula.DAMPER, "funding_inner": 250_000,
    "funding_continuous": 1, "funding_interval_ns": 5 * SECOND, "premium_period_ns": SECOND,
}  # fmt: skip
ACCRUING = {  # rates of a fifth per 8 h and more, booked every minute
    "funding_continuous": 1, "funding_interval_ns": 60 * SECOND, "premium_period_ns": 3 * SECOND,
    "premium_source": PremiumSource.MARK, "funding_formula": FundingFormula.DAMPER, "funding_cap": 10**11,
}  # fmt: skip
DYDX_PRICES = COMPUTED | OF_SOURCES | {
    "index_method": IndexMethod.WEIGHTED_MEDIAN, "mark_method": MarkMethod.ORACLE, "mark_period_ns": 0,
    "premium_average": PremiumAverage.EQUAL, "funding_cap_margin": 6_000_000_000, "funding_price": FundingPrice.INDEX,
}  # fmt: skip
HYPERLIQUID_PRICES = COMPUTED | OF_SOURCES | {
    "perp_sources": (3, 2, 2, 1, 1), "index_method": IndexMethod.WEIGHTED_MEDIAN, "index_period_ns": 3 * SECOND,
    "mark_method": MarkMethod.HYPERLIQUID, "mark_period_ns": 3 * SECOND, "mark_ema_ns": 150 * SECOND,
    "mark_fallback_ns": 30 * SECOND, "funding_interval_ns": 20 * SECOND, "funding_price": FundingPrice.INDEX,
}  # fmt: skip
VEGA_PRICES = COMPUTED | OF_SOURCES | {
    "perp_sources": (2, 1), "index_method": IndexMethod.WEIGHTED_MEAN, "mark_method": MarkMethod.COMPOSITE,
    "mark_window_ns": 5 * SECOND, "mark_weight_trades": 300_000_000, "mark_weight_book": 400_000_000,
    "mark_weight_index": 200_000_000, "mark_weight_elsewhere": 50_000_000, "mark_weight_median": 50_000_000,
    "mark_stale_trades_ns": 3 * SECOND, "mark_stale_book_ns": SECOND, "mark_stale_index_ns": 20 * SECOND,
    "mark_decay": 700_000_000, "mark_decay_power": 2, "mark_cash": 5 * VALUE_ONE, "mark_slippage": 10_000_000,
}  # fmt: skip
COLLATERAL = [  # asset 0, a coin with a book of its own (market 2), a coin that is redeemed for one of asset 0
    {"tiers": [(100_000 * VALUE_ONE, 100_000)]},
    {
        "bid_buffer": 20_000_000, "ask_buffer": 30_000_000, "exchange_bid": 25_000_000, "exchange_ask": 25_000_000,
        "price": 100 * VALUE_ONE, "cap": 900 * VALUE_ONE, "exchange_below": VALUE_ONE // 5, "spot_market": 2,
        "tiers": [(2 * VALUE_ONE, 50_000_000), (5 * VALUE_ONE, 200_000_000), (1_000 * VALUE_ONE, 900_000_000)],
    },
    {
        "ask_buffer": 10_000_000, "exchange_bid": 1_000_000, "exchange_ask": 2_000_000, "underlying": 0,
        "redemption_ratio": 1_010_000_000, "floor": VALUE_ONE // 2,
    },
]  # fmt: skip
COLLATERAL[0]["exchange_below"] = 20 * VALUE_ONE
SMALL = MARKET | {"lot_denominator": 10_000, "min_notional": 0}  # settled in a coin that is worth a hundred
MULTI = VENUE | {"collateral": COLLATERAL, "exchange_ltv": 950_000_000}
VAST = MARKET | {  # notionals up to the engine's limit of 2^62 units; products of two of its numbers need 128 bits
    "tick_value": 1, "lot_numerator": 512, "lot_denominator": 1, "price_max": 2**26 - 1, "position_max": 2**26 - 1,
    "size_max": 2**25, "min_notional": 0,
    "tiers": tiers((40_000_000, "0.5", 50), (400_000_000, "1", 25), (4_000_000_000, "2.5", 10)),
}  # fmt: skip
INVERSE = MARKET | {  # 100 USD a lot, about one coin
    "contract_kind": ContractKind.INVERSE, "value_rounding": ValueRounding.PER_TRADE, "lot_numerator": 100,
    "lot_denominator": 1, "price_min": 50,
}  # fmt: skip
SATOSHIS = INVERSE | {  # every lot is rounded, and rounding is coarse: a lot is worth some 800 units
    "value_rounding": ValueRounding.PER_LOT, "lot_numerator": 1, "lot_denominator": 1_201, "price_min": 300,
    "size_max": 60_000_000, "position_max": 2_000_000_000_000 // 8, "min_notional": 0, "liquidation_fee": 12_500_000,
}  # fmt: skip
LEAPS = {  # maintenance leaps at the edges of the tiers
    "tier_method": TierMethod.WHOLE, "close_fee_in_maintenance": 600_000,
    "tiers": tuple((cap, rate, 0, leverage) for cap, rate, _, leverage in STEPS),
}  # fmt: skip
ENTRY = {"maintenance_value": MaintenanceValue.ENTRY}
CHOSEN = {"risk_limits": 1, "lower_limit_first": 1}
WIDE = tuple((cap, rate, 0, leverage) for cap, rate, _, leverage in LARGE)
LADDER = {"oi_ladder": tuple((band * VALUE_ONE, share) for band, share in (
    (3, 400_000_000), (4, 250_000_000), (100, 150_000_000), (40_000_000, 100_000_000),
)), "oi_floor_lots": 120}  # fmt: skip
SACKS = {"oi_ladder": ((3 * 10**15, 300_000_000), (10**16, 100_000_000)), "oi_floor_lots": 30}
COINS = {"oi_ladder": ((30_000 * VALUE_ONE, 300_000_000), (100_000 * VALUE_ONE, 99_999_999)), "oi_floor_lots": 30}
SLOPED = {"tier_method": TierMethod.LINEAR, "maintenance_base": 10_000_000, "maintenance_slope": 100_000} | {
    "tiers": LEAPS["tiers"]
}

RATED = LEAPS | {
    "tiers": tuple(
        (*row, initial)
        for row, initial in zip(LEAPS["tiers"], (30_000_000, 0, 150_000_000, 400_000_000, RATE_ONE), strict=True)
    )
}
OI_SCALED = {"oi_lower_cap": 500 * VALUE_ONE, "oi_upper_cap": 6_000 * VALUE_ONE, "tiers": tuple(
    (*row, initial) for row, initial in zip(STEPS, (0, 50_000_000, 100_000_000, 250_000_000, RATE_ONE), strict=True)
)}  # fmt: skip
SLOPED_USDC = SLOPED | {
    "maintenance_slope": 4_000_000, "initial_base": 20_000_000, "initial_slope": 3_000_000,
    "oi_upper_cap": 30_000 * VALUE_ONE,
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A venue and what its stream is made of: `weights` multiply the weights of the grammar's productions."""

    name: str
    venue: dict
    markets: list[dict]
    accounts: int = 10
    assets: int = 1
    l3: tuple[int, ...] = ()  # markets whose tape brings single orders
    weights: dict = field(default_factory=dict)
    funds: tuple[int, ...] = (0, 5, 50, 500, 5_000)  # what an insurance fund may start with
    purses: tuple[int, ...] = (30, 100, 400, 400, 3_000)  # what a customer starts with, in each asset
    hedge: float = 0.0  # share of the accounts that start in hedge mode
    scale: int = 1  # prices, and the steps between them, are so many times those of a small venue
    money: int = 1  # amounts of money likewise
    lots: int = 1  # sizes likewise


NO_TAPE = {"depth": 0, "snapshot": 0, "trade": 0, "l3": 0, "shock": 0}
MOVED = {"impact_step_ns": 2 * SECOND, "impact_factor": RATE_ONE, "impact_kernel": (RATE_ONE, RATE_ONE // 10)}
CLAIMED = {
    "flow": 40, "trade": 8, "depth": 3, "jump": 3, "seed": 8, "edge": 3, "tick": 2, "conditional": 0.3, "amend": 0.3,
}  # fmt: skip
SETTINGS = [
    Setting("orders", VENUE, [MARKET | {"max_orders": 3}, COARSE], weights=NO_TAPE | {"mark": 0.3, "jump": 0.2}),
    Setting(
        "crowd", VENUE, [MARKET | {"band_outward": 1, "close_fee_reserved": 1}], accounts=25,
        weights=NO_TAPE | {"conditional": 2, "amend": 2},
    ),
    Setting("waterfall", VENUE, [MARKET, COARSE | {"fund_group": 1}, MARKET], weights=NO_TAPE | {"mark": 2, "jump": 3}),
    Setting(
        "dear", VENUE, [DEAR],
        weights=NO_TAPE | {"deposit": 3, "edge": 4, "jump": 2, "conditional": 0.2, "seed": 6},
    ),
    Setting(
        "whole", VENUE | {
            "reduce_method": ReduceMethod.WHOLE, "reduce_limit": ReduceLimit.BAND, "adl_policy": AdlPolicy.BITMEX,
            "adl_price": AdlPrice.MARK, "fund_unwind": FundUnwind.AT_ONCE, "cross_order": CrossOrder.LARGEST_LOSS,
            "fund_notional_cap": RATE_ONE,
        }, [MARKET, COARSE], weights={"jump": 3},
    ),
    Setting(
        "slices", VENUE | {
            "reduce_method": ReduceMethod.SLICE, "reduce_slice": 300_000_000, "liquidation_period_ns": SECOND,
            "liquidation_delay_ns": 2 * SECOND, "fund_unwind": FundUnwind.SLICES, "fund_unwind_period_ns": 3 * SECOND,
            "fund_unwind_slice": 250_000_000, "reduce_limit": ReduceLimit.NONE, "adl_policy": AdlPolicy.NONE,
            "socialise": Socialise.WINNERS,
        }, [MARKET, COARSE], weights={"jump": 5, "tick": 3, "seed": 4}, funds=(0, 0, 5),
    ),
    Setting(
        "tiers", VENUE | {
            "reduce_method": ReduceMethod.TIER, "adl_policy": AdlPolicy.BITMEX, "fund_notional_cap": RATE_ONE // 2,
            "liquidation_period_ns": SECOND // 2, "socialise": Socialise.WINNERS,
        }, [MARKET | {"size_max": 3_000, "max_orders": 12}, MARKET], weights={"jump": 2, "deposit": 2},
    ),
    Setting(
        "direct", VENUE | {"reduce_method": ReduceMethod.NONE, "socialise": Socialise.WINNERS},
        [MARKET, COARSE | {"asset": 1, "fund_group": 1}], assets=2, weights={"jump": 3},
    ),
    Setting(
        "drawdown", VENUE | {
            "fund_trigger": FundTrigger.DRAWDOWN, "drawdown_trigger": 50_000_000, "drawdown_stop": 20_000_000,
            "drawdown_window_ns": 20 * SECOND, "fund_sample_period_ns": 2 * SECOND, "drawdown_threshold": VALUE_ONE,
            "adl_policy": AdlPolicy.BITMEX, "withdraw_gate_ns": 5 * SECOND, "fund_unwind": FundUnwind.DISPOSAL,
            "fund_unwind_period_ns": SECOND, "fund_unwind_slice": 300_000_000, "disposal_band": 20_000_000,
            "disposal_fraction_max": 600_000_000,
        }, [MARKET | {"disposal_full_lots": 5}, COARSE, MARKET | {"asset": 1}], assets=2,
        weights={"jump": 4, "tick": 3, "seed": 4}, funds=(5, 50, 50, 500),
    ),
    Setting(
        "drop", VENUE | {
            "fund_trigger": FundTrigger.DROP, "drawdown_trigger": 30_000_000, "drawdown_stop": 10_000_000,
            "drawdown_window_ns": 10 * SECOND, "fund_sample_period_ns": SECOND, "fund_floor": 20 * VALUE_ONE,
            "adl_price": AdlPrice.MARK, "fund_loss_cap": RATE_ONE // 10, "withdraw_gate_ns": 20 * SECOND,
        }, [MARKET, COARSE | {"fund_group": 1}], weights={"jump": 4, "tick": 3, "seed": 4}, funds=(0, 50, 50, 500),
    ),
    Setting(
        "empty", VENUE | {
            "fund_trigger": FundTrigger.EMPTY, "adl_policy": AdlPolicy.NONE, "withdraw_gate_ns": 3 * SECOND,
            "socialise": Socialise.OPEN_INTEREST, "cover_from_fees": 1,
        }, [MARKET, COARSE], weights={"jump": 4, "seed": 4, "withdraw": 3}, funds=(0, 0, 5, 50),
    ),
    Setting(
        "day", VENUE | {
            "reduce_method": ReduceMethod.NONE, "socialise": Socialise.DAY_WINNERS, "adl_policy": AdlPolicy.NONE,
            "day_start_ns": 60 * SECOND,
        }, [MARKET, MARKET | {"asset": 1}, COARSE], assets=2, weights={"jump": 4, "seed": 2}, funds=(0, 0, 5),
    ),
    Setting(
        "payouts", VENUE | {
            "reduce_method": ReduceMethod.NONE, "socialise": Socialise.PAYOUTS, "adl_policy": AdlPolicy.NONE,
        }, [MARKET, COARSE], weights={"jump": 5, "seed": 4}, funds=(0, 0, 5),
    ),
    Setting("tape", VENUE, [MARKET, COARSE | {"queue_model": QueueModel.PROPORTIONAL, "tape_walk": TapeWalk.DROP}]),
    Setting(
        "inverse", VENUE | {"socialise": Socialise.WINNERS, "fund_notional_cap": RATE_ONE},
        [INVERSE | {"close_fee_reserved": 1}, MARKET,
         INVERSE | {"lot_numerator": 1_001, "lot_denominator": 7, "price_min": 1}],
        weights={"jump": 2, "edge": 2}, hedge=0.1,
    ),
    Setting(
        "satoshis", VENUE | {
            "adl_policy": AdlPolicy.BITMEX, "adl_price": AdlPrice.MARK, "reduce_method": ReduceMethod.TIER,
        },
        [SATOSHIS, SATOSHIS | COMPUTED], lots=100_000, weights={"jump": 2, "edge": 2, "index": 2, "rule": 0},
    ),
    Setting(
        "leaps", VENUE | {"reduce_method": ReduceMethod.TIER, "adl_policy": AdlPolicy.BITMEX},
        [MARKET | LEAPS, INVERSE | LEAPS, COARSE | LEAPS],
        weights={"jump": 4, "edge": 3, "seed": 4, "rule": 0, "deposit": 2}, hedge=0.1,
    ),
    Setting(  # Deribit: equity falls although no mark moves
        "accruing", VENUE | {"liquidation_period_ns": SECOND, "reduce_method": ReduceMethod.TIER},
        [MARKET | ACCRUING, INVERSE | ACCRUING, MARKET | ACCRUING | {"premium_period_ns": 0, "order_maintenance": 1},
         MARKET],
        weights={"jump": 2, "edge": 3, "index": 4, "funding": 4, "tick": 4, "rule": 0.5, "seed": 3}, hedge=0.1,
    ),
    Setting(
        "sloped", VENUE | {"reduce_method": ReduceMethod.SLICE, "reduce_slice": 300_000_000},
        [INVERSE | SLOPED, MARKET, INVERSE | SLOPED | {"lot_numerator": 1_001, "lot_denominator": 7, "price_min": 1}],
        weights={"jump": 3, "edge": 3, "seed": 3, "rule": 0},
    ),
    Setting(  # BitMEX, dYdX: the tiers' own initial rates, and open interest that scales them
        "initial", VENUE | {"fund_notional_cap": RATE_ONE},
        [MARKET | RATED, MARKET | OI_SCALED, INVERSE | RATED | {"oi_upper_cap": 40 * VALUE_ONE}],
        weights=NO_TAPE | {"margin": 3, "mode": 2, "leverage": 3, "withdraw": 3, "conditional": 0.5}, hedge=0.1,
    ),
    Setting(  # Deribit: margins by size, of contracts in coin and in USDC
        "initial-sloped", VENUE,
        [INVERSE | SLOPED | {"initial_base": 20_000_000, "initial_slope": 50_000_000}, MARKET | SLOPED_USDC,
         COARSE | SLOPED_USDC | {"maintenance_slope": 3, "initial_slope": 5, "order_maintenance": 1}],
        weights=NO_TAPE | {"leverage": 3, "withdraw": 3, "rule": 0, "jump": 4, "edge": 4, "seed": 6},
    ),
    Setting(
        "recording", VENUE, [
            MARKET | {"queue_model": QueueModel.PROPORTIONAL},
            MARKET | {"max_orders": 12},
            MARKET | {  # single orders that a shock and what takers take move
                "impact_step_ns": 2 * SECOND, "impact_factor": RATE_ONE,
                "impact_kernel": (RATE_ONE, 600_000_000, 300_000_000), "impact_permanent": 100_000_000,
                "price_max": 1_012,
            },
        ], l3=(1, 2),
        weights={"depth": 3, "trade": 3, "shock": 3, "snapshot": 2, "l3": 4, "mark": 0.5},
    ),
    Setting(  # forced orders are part of recorded trades, or differ from those of another run
        "attribution", VENUE, [
            MARKET | {"attribution": Attribution.AGAINST} | MOVED, MARKET | {"attribution": Attribution.RECORD}, COARSE,
            COARSE | {"attribution": Attribution.AGAINST, "tape_walk": TapeWalk.DROP},
        ], weights=CLAIMED | {"rule": 0.3}, hedge=0.1,
    ),
    Setting(
        "attribution-rounds", VENUE | {
            "reduce_method": ReduceMethod.SLICE, "reduce_slice": 400_000_000, "liquidation_period_ns": 2 * SECOND,
            "reduce_limit": ReduceLimit.BAND, "fund_unwind": FundUnwind.SLICES, "fund_unwind_period_ns": 3 * SECOND,
            "fund_unwind_slice": 250_000_000, "takeover": Takeover.BACKSTOP, "backstop_at": 300_000_000,
        }, [MARKET | {"attribution": Attribution.AGAINST}, INVERSE | {"attribution": Attribution.AGAINST}, MARKET],
        weights=CLAIMED | {"rule": 0, "l3": 2}, l3=(1,), hedge=0.1,
    ),
    Setting(
        "attribution-multi", MULTI | {"reduce_method": ReduceMethod.TIER_FOK, "fund_unwind": FundUnwind.AT_ONCE},
        [MARKET | {"attribution": Attribution.AGAINST}, SMALL | {"asset": 1, "attribution": Attribution.RECORD},
         MARKET | {"attribution": Attribution.AGAINST}], assets=3, purses=(0, 0, 30, 100),
        weights=CLAIMED | {"collateral": 2, "limit": 0.7, "withdraw": 2, "deposit": 0.4, "index": 3, "funding": 3},
    ),
    Setting(  # queue models that guess, and takers' lots that come back
        "queues", VENUE, [
            MARKET | {"queue_model": QueueModel.POWER, "resilience_step_ns": SECOND, "resilience_keep": 957_603_280},
            MARKET | {"queue_model": QueueModel.LOG, "resilience_quotes": 1, "resilience_keep": 700_000_000},
            COARSE | {"queue_model": QueueModel.FRONT_FIRST, "queue_power": 1, "resilience_keep": 0,
                      "resilience_step_ns": 7 * SECOND},
            MARKET | {  # what takers take moves the recording, by up to some percent
                "queue_model": QueueModel.POWER, "queue_power": 2, "impact_step_ns": 2 * SECOND,
                "impact_factor": 2 * RATE_ONE, "impact_permanent": 150_000_000, "impact_index": 500_000_000,
                "impact_kernel": (RATE_ONE, 700_000_000, 500_000_000, 400_000_000, 100_000_000),
            },
        ], weights={"depth": 4, "trade": 3, "shock": 1, "snapshot": 1, "limit": 2, "mark": 0.5},
    ),
    Setting(  # takers who go on where the recording ends
        "beyond", VENUE | {"reduce_limit": ReduceLimit.NONE}, [
            MARKET | {"beyond_lots": 7, "beyond_slope": 400_000_000, "beyond_ticks": 400},
            COARSE | {"beyond_lots": 3, "beyond_ticks": 25, "order_maintenance": 1},
            INVERSE | {"beyond_lots": 30, "beyond_slope": 3 * RATE_ONE, "beyond_ticks": 2_000},
            MARKET | {
                "beyond_lots": 1, "beyond_slope": RATE_ONE, "beyond_ticks": 50, "impact_step_ns": 2 * SECOND,
                "impact_factor": 2 * RATE_ONE, "impact_kernel": (RATE_ONE, 500_000_000),
                "resilience_step_ns": SECOND, "resilience_keep": 500_000_000,
            },
        ], weights={"depth": 0.7, "trade": 1, "snapshot": 0.5, "jump": 2, "market": 3, "edge": 2},
    ),
    Setting(
        "deep", VENUE, [MARKET | {"max_orders": 40, "max_conditional": 12}], accounts=40,
        weights=NO_TAPE | {
            "limit": 2, "mark": 0.3, "cancel_all": 0.1, "jump": 0.1, "edge": 0.3, "depth": 1, "tick": 0.2,
        },
    ),
    Setting(
        "vast", VENUE | {"fund_notional_cap": RATE_ONE, "reduce_method": ReduceMethod.TIER},
        [VAST, VAST | {"volatility": 2 * RATE_ONE}],
        scale=2_000, money=200_000, lots=1_000, weights={"deposit": 0.2, "rule": 0},
    ),
    Setting(
        "hedge", VENUE | {"net_hedges": 1}, [MARKET, COARSE, MARKET | {"hedge_allowed": 0}], hedge=0.6,
        weights=NO_TAPE | {"conditional": 1.5, "jump": 8, "edge": 4, "seed": 12, "mode": 2, "margin": 2},
    ),
    Setting(  # a rulebook that changes its ADL often; tests/test_adl.py has a crash for each policy
        "adl", VENUE | {
            "reduce_method": ReduceMethod.NONE, "adl_policy": AdlPolicy.DYDX, "adl_price": AdlPrice.BANKRUPTCY_NEAR,
            "adl_fee": AdlFee.MAKER, "adl_price_band": 20_000_000, "adl_light": 1, "adl_light_period_ns": 5 * SECOND,
        }, [MARKET, MARKET], accounts=16, weights=NO_TAPE | {"jump": 8, "seed": 30, "deposit": 2, "rule": 6},
        funds=(0, 0, 5),
    ),
    Setting(
        "adl-hedge", VENUE | {
            "reduce_method": ReduceMethod.NONE, "adl_policy": AdlPolicy.HEDGE_AWARE,
            "adl_price": AdlPrice.PREVIOUS_MARK,
        }, [MARKET | {"underlying": 3}] * 3, accounts=16, hedge=0.2,
        weights=NO_TAPE | {"jump": 8, "seed": 40, "deposit": 2, "rule": 0}, funds=(0,),
    ),
    Setting(  # a user decides: at mark groups and at timers; the fund moves, orders wait
        "asked", VENUE | {
            "reduce_method": ReduceMethod.NONE, "adl_policy": AdlPolicy.USER, "adl_price": AdlPrice.MARK,
            "liquidation_delay_ns": SECOND, "adl_fee": AdlFee.MAKER, "fund_unwind": FundUnwind.AT_ONCE,
        }, [MARKET, COARSE, MARKET | COMPUTED], accounts=16, hedge=0.2,
        weights=NO_TAPE | {"jump": 8, "seed": 30, "deposit": 2, "rule": 0, "depth": 1, "index": 3}, funds=(0, 0, 5),
    ),
    Setting(
        "asked-multi", MULTI | {"adl_policy": AdlPolicy.USER, "fund_notional_cap": RATE_ONE // 20},
        [MARKET, SMALL | {"asset": 1, "fund_group": 1}, MARKET], assets=3, purses=(0, 0, 30, 100), funds=(0,),
        weights=NO_TAPE | {"jump": 5, "collateral": 2, "seed": 12, "limit": 0.7, "deposit": 0.4, "rule": 0},
    ),
    Setting(
        "asked-vault", VENUE | {
            "reduce_method": ReduceMethod.NONE, "takeover": Takeover.BACKSTOP, "backstop_at": RATE_ONE,
            "liquidation_period_ns": SECOND, "adl_policy": AdlPolicy.USER,
        }, [MARKET, COARSE | {"asset": 1}, MARKET | {"asset": 1}], assets=2, accounts=16, funds=(0, 5),
        weights=NO_TAPE | {"jump": 10, "tick": 3, "rule": 0, "seed": 20},
    ),
    Setting(
        "held", VENUE | {"reduce_method": ReduceMethod.TIER},
        [MARKET | {"order_maintenance": 1}, COARSE | {"order_maintenance": 1}, MARKET],
        weights=NO_TAPE | {"limit": 2, "withdraw": 5, "edge": 3, "jump": 2},
    ),
    Setting(  # BitMEX, Bybit: fill-or-kill by tiers
        "by-tiers", VENUE | {
            "reduce_method": ReduceMethod.TIER_FOK, "liquidation_fee_base": LiquidationFee.RESIDUE,
        }, [DEAR | {"liquidation_fee": 1_000_000}],
        weights={"deposit": 3, "edge": 5, "conditional": 0.2, "seed": 6, "limit": 2, "rule": 0, "depth": 3},
    ),
    Setting(  # BitMEX: maintenance of what positions were opened for
        "entry", VENUE | {"reduce_method": ReduceMethod.TIER_FOK, "net_hedges": 1},
        [DEAR | LEAPS | ENTRY, COARSE | ENTRY, INVERSE | LEAPS | ENTRY, INVERSE | SLOPED | ENTRY, MARKET], hedge=0.2,
        weights={"jump": 3, "edge": 5, "seed": 6, "deposit": 2, "rule": 0.2},
    ),
    Setting(  # accounts choose their tier; a liquidation lowers it first
        "risk-limits", VENUE | {"reduce_method": ReduceMethod.TIER_FOK, "liquidation_period_ns": SECOND},
        [DEAR | LEAPS | CHOSEN | ENTRY | {"tiers": WIDE}, MARKET | CHOSEN, INVERSE | LEAPS | CHOSEN, COARSE | CHOSEN],
        hedge=0.2, weights={"jump": 2, "edge": 6, "seed": 6, "deposit": 3, "rule": 0.2, "depth": 2, "limit": 2},
    ),
    Setting(
        "risk-multi", MULTI | {"reduce_method": ReduceMethod.TO_SAFE},
        [MARKET | CHOSEN, SMALL | {"asset": 1, "fund_group": 1} | CHOSEN, MARKET | {"risk_limits": 1}], assets=3,
        purses=(0, 0, 30, 100),
        weights=NO_TAPE | {"jump": 3, "collateral": 2, "seed": 8, "limit": 0.7, "withdraw": 2, "deposit": 0.4},
    ),
    Setting(  # largest positions by the open interest
        "interest", VENUE, [MARKET | LADDER, COARSE | SACKS, INVERSE | COINS | CHOSEN],
        hedge=0.2, weights={"limit": 2, "seed": 6},
    ),
    Setting(
        "entry-multi", MULTI | {"reduce_method": ReduceMethod.TIER},
        [MARKET | ENTRY, SMALL | {"asset": 1, "fund_group": 1} | ENTRY, MARKET], assets=3, purses=(0, 0, 30, 100),
        weights=NO_TAPE | {"jump": 3, "collateral": 2, "seed": 8, "limit": 0.7, "withdraw": 2, "deposit": 0.4},
    ),
    Setting(  # OKX, Bitget: two tiers a step
        "two-tiers", VENUE | {
            "reduce_method": ReduceMethod.TWO_TIERS, "liquidation_period_ns": SECOND, "close_rest": 1,
            "hand_over_tier": 1, "reduce_limit": ReduceLimit.LEAVE, "reduce_leave": 700_000_000,
        }, [DEAR | {"liquidation_fee": 2_000_000}],
        weights={"deposit": 3, "edge": 5, "conditional": 0.2, "seed": 6, "limit": 2, "rule": 0, "depth": 2, "tick": 2},
    ),
    Setting(  # Deribit: clips, nobody takes over
        "clips", VENUE | {
            "reduce_method": ReduceMethod.CLIPS, "reduce_limit": ReduceLimit.NONE, "takeover": Takeover.NONE,
            "liquidation_period_ns": SECOND, "adl_policy": AdlPolicy.NONE, "socialise": Socialise.WINNERS,
        }, [MARKET | {"clip_lots": 5}, COARSE | {"clip_lots": 30}],
        weights={"jump": 4, "tick": 4, "rule": 0, "seed": 4}, funds=(0, 0, 5),
    ),
    Setting(  # Hyperliquid: a slice, then the whole, then the vault
        "vault", VENUE | {
            "reduce_method": ReduceMethod.SLICE_COOLDOWN, "reduce_limit": ReduceLimit.NONE, "reduce_slice": 200_000_000,
            "slice_above": 50 * VALUE_ONE, "slice_cooldown_ns": 4 * SECOND, "takeover": Takeover.BACKSTOP,
            "backstop_at": 666_666_667, "liquidation_period_ns": SECOND,
        }, [MARKET | {"liquidation_fee": 0}, COARSE], weights={"jump": 3, "tick": 3, "rule": 0, "seed": 6},
    ),
    Setting(  # dYdX: limits of a block, the fund pays fills below bankruptcy
        "blocks", VENUE | {
            "reduce_method": ReduceMethod.BLOCK, "position_block_rate": 100_000_000,
            "position_block_min": 20 * VALUE_ONE, "account_block_notional": 100 * VALUE_ONE,
            "reduce_limit": ReduceLimit.FILLABLE, "fillable_spread": 1_500_000_000,
            "liquidation_fee_base": LiquidationFee.BANKRUPTCY, "takeover": Takeover.ADL,
            "liquidation_period_ns": SECOND,
        }, [MARKET | {"liquidation_fee": 15_000_000}, COARSE], weights={"jump": 3, "tick": 3, "rule": 0, "seed": 4},
    ),
    Setting(  # Drift: what cures the shortage, in time; Vega: the network takes the rest at the mark
        "cure", VENUE | {
            "reduce_method": ReduceMethod.CURE, "liquidation_buffer": 2_000_000, "cure_period_ns": 6 * SECOND,
            "cure_start": 100_000_000, "cure_small": 5 * VALUE_ONE, "reduce_limit": ReduceLimit.LIQUIDATOR,
            "liquidator_fee": 2_000_000, "liquidator_fee_max": 20_000_000, "liquidator_fee_step": 3_000_000,
            "liquidator_fee_grace_ns": SECOND, "liquidation_fee_base": LiquidationFee.COLLATERAL,
            "takeover": Takeover.NETWORK, "liquidation_period_ns": SECOND,
        }, [MARKET, COARSE], weights={"jump": 2, "mark": 2, "tick": 3, "rule": 0, "seed": 4},
    ),
    Setting(
        "multi", MULTI, [MARKET, SMALL | {"asset": 1, "fund_group": 1}, MARKET], assets=3, purses=(0, 0, 30, 100),
        weights=NO_TAPE | {"jump": 3, "collateral": 2, "seed": 8, "limit": 0.7, "withdraw": 2, "deposit": 0.4},
    ),
    Setting(
        "multi-spot", MULTI | {
            "collateral_oracle": CollateralOracle.VENUE_SPOT, "reduce_method": ReduceMethod.WHOLE,
            "reduce_limit": ReduceLimit.NONE, "liquidation_period_ns": SECOND, "cross_order": CrossOrder.LARGEST_LOSS,
        }, [COARSE | {"asset": 2}, SMALL | {"asset": 1}, MARKET], assets=3, purses=(0, 0, 30, 100),
        weights={"jump": 3, "collateral": 2, "seed": 8, "withdraw": 2, "deposit": 0.4},
    ),
    Setting(
        "accruing-multi", MULTI, [MARKET | ACCRUING, SMALL | {"asset": 1, "fund_group": 1} | ACCRUING, MARKET],
        assets=3, purses=(0, 0, 30, 100),
        weights=NO_TAPE | {
            "jump": 3, "collateral": 2, "seed": 8, "index": 3, "funding": 3, "limit": 0.7, "tick": 4, "deposit": 0.4,
        },
    ),
    Setting("computed", VENUE, [MARKET | COMPUTED, COARSE | COMPUTED], weights={"index": 6, "tick": 6, "mark": 0.2}),
    Setting(
        "sources", VENUE, [MARKET | BINANCE_PRICES, MARKET | OKX_PRICES, COARSE | BITMEX_PRICES],
        weights={"index": 1, "source": 12, "tick": 4, "mark": 0.1},
    ),
    Setting(
        "oracles", VENUE, [MARKET | DERIBIT_PRICES, COARSE | DYDX_PRICES, MARKET | HYPERLIQUID_PRICES],
        weights={"index": 4, "source": 8, "tick": 4, "mark": 0.1, "depth": 2},
    ),
    Setting(  # Vega: marks made of trades, book and oracles
        "composite", VENUE, [
            MARKET | VEGA_PRICES,
            COARSE | VEGA_PRICES | {"mark_composition": 1, "mark_decay_power": 1, "mark_risk_long": 300_000_000},
            INVERSE | VEGA_PRICES | {"mark_window_ns": 0, "mark_scaling": 200_000_000, "mark_cash": VALUE_ONE // 20},
        ], weights={"index": 2, "source": 5, "tick": 4, "mark": 0.1, "depth": 2, "trade": 2}, l3=(2,),
    ),
]  # fmt: skip
BY_NAME = {setting.name: setting for setting in SETTINGS}
