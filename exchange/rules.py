"""Rulebooks: what a venue is, as data.

A `Rulebook` is what one venue does at one date, a `MarketSpec` what the core's Engine reads of one of its markets. All
numbers inside are integers in the core's units. A changed copy (`dataclasses.replace`, or overrides in a scenario) has
its own `fingerprint`. `rulebook_files` reads them from TOML, `contracts` builds the markets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from perpsim.core import (
    AdlFee,
    AdlLight,
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
    MarkComposition,
    MarkMethod,
    OutlierRule,
    PremiumAverage,
    PremiumSource,
    QueueModel,
    ReduceLimit,
    ReduceMethod,
    Socialise,
    SpotPrice,
    Takeover,
    TapeWalk,
    TierMethod,
    ValueRounding,
)

from .collateral import Collateral, parse_collateral
from .units import RATE_ONE, VALUE_ONE, money, nanoseconds, rate

COIN_PRICE = 10**16  # units of a coin times units of a price of 1


@dataclasses.dataclass(frozen=True)
class Tier:
    """A marginal bracket: maintenance(V) = V * rate - deduction for V up to cap.

    initial  rate on the whole of a notional that lies in it; 0: 1 / leverage_max
    """

    cap: int
    rate: int
    deduction: int
    leverage_max: int
    initial: int = 0


@dataclasses.dataclass(frozen=True)
class MarketSpec:
    """One market as the core reads it: contract, tiers, fees, bands, mark and funding. Units as in perpsim.core."""

    symbol: str
    tick_value: int
    lot_numerator: int
    lot_denominator: int
    price_max: int
    position_max: int
    tiers: tuple[Tier, ...]
    asset: int = 0
    fund_group: int = 0
    contract_kind: int = ContractKind.LINEAR
    value_rounding: int = ValueRounding.PER_TRADE
    price_min: int = 1
    tier_method: int = TierMethod.MARGINAL
    maintenance_value: int = MaintenanceValue.MARK
    risk_limits: int = 0
    lower_limit_first: int = 0
    oi_floor_lots: int = 0
    maintenance_base: int = 0
    maintenance_slope: int = 0
    close_fee_in_maintenance: int = 0
    initial_base: int = 0
    initial_slope: int = 0
    oi_lower_cap: int = 0
    oi_upper_cap: int = 0
    queue_model: int = QueueModel.BEHIND_FIRST
    tape_walk: int = TapeWalk.DEEPER
    queue_power: int = 3
    impact_step_ns: int = 0
    impact_factor: int = 0
    impact_permanent: int = 0
    impact_index: int = 0
    impact_kernel: tuple[int, ...] = ()  # 1e-9, an entry a step
    resilience_step_ns: int = 0
    resilience_quotes: int = 0
    resilience_keep: int = RATE_ONE
    beyond_lots: int = 0
    beyond_slope: int = 0
    beyond_ticks: int = 0
    attribution: int = Attribution.NONE
    maker_fee: int = 0
    taker_fee: int = 0
    liquidation_fee: int = 0
    band_up: int = 0
    band_down: int = 0
    band_outward: int = 0
    close_fee_reserved: int = 0
    market_bound: int = 0
    trigger_protect: int = 0
    min_notional: int = 0
    size_max: int = 0
    max_orders: int = 200
    max_conditional: int = 10
    leverage_default: int = 20
    underlying: int = 0  # markets with the same number have the same underlying; 0: one of its own
    mark_method: int = MarkMethod.GIVEN
    mark_period_ns: int = 0
    basis_samples: int = 0
    funding_interval_ns: int = 0
    premium_period_ns: int = 0
    interest_rate: int = 0
    funding_inner: int = 0
    funding_cap: int = 0
    impact_notional: int = 0
    clip_lots: int = 0
    volatility: int = RATE_ONE
    hedge_allowed: int = 1
    order_maintenance: int = 0
    disposal_full_lots: int = 0
    index_method: int = IndexMethod.GIVEN
    index_period_ns: int = 0
    outlier_rule: int = OutlierRule.NONE
    outlier_band: int = 0
    outlier_return_band: int = 0
    outlier_return_ns: int = 0
    source_stale_ns: int = 0
    sources_few: int = 0
    last_price_protection: int = 0
    mark_ema_ns: int = 0
    mark_fallback_ns: int = 0
    mark_bound_up: int = 0
    mark_bound_down: int = 0
    mark_mid_bound: int = 0
    mark_step_ns: int = 0
    mark_unit: int = 0
    mark_composition: int = MarkComposition.WEIGHTED
    mark_window_ns: int = 0
    mark_weight_trades: int = 0
    mark_weight_book: int = 0
    mark_weight_index: int = 0
    mark_weight_elsewhere: int = 0
    mark_weight_median: int = 0
    mark_stale_trades_ns: int = 0
    mark_stale_book_ns: int = 0
    mark_stale_index_ns: int = 0
    mark_decay: int = 0
    mark_decay_power: int = 0
    mark_cash: int = 0
    mark_scaling: int = RATE_ONE
    mark_slippage: int = 0
    mark_risk_long: int = 0
    mark_risk_short: int = 0
    premium_average: int = PremiumAverage.LINEAR_WEIGHTS
    premium_source: int = PremiumSource.IMPACT
    funding_formula: int = FundingFormula.SCALED
    funding_change_cap: int = 0
    funding_cap_margin: int = 0
    funding_change_margin: int = 0
    impact_margin: int = 0
    funding_price: int = FundingPrice.MARK
    funding_offset_ns: int = 0
    funding_capped_interval_ns: int = 0
    funding_quiet_interval_ns: int = 0
    funding_quiet_cycles: int = 0
    funding_quiet_rate: int = 0
    funding_continuous: int = 0
    oi_ladder: tuple[tuple[int, int], ...] = ()  # (band of open interest in 1e-8 of a size unit, rate of it)
    sources: tuple[int, ...] = ()  # weights of the index's constituents
    perp_sources: tuple[int, ...] = ()  # of the mids of perpetuals elsewhere, numbered after them

    @property
    def tick(self) -> Fraction:
        """Price of one tick in the quote."""
        return Fraction(self.tick_value, VALUE_ONE)

    def with_given_index(self) -> MarketSpec:
        """The same market where the index is given, not made of constituents: recordings hold the venue's own."""
        return dataclasses.replace(self, index_method=IndexMethod.GIVEN, index_period_ns=0)

    @property
    def lot(self) -> Fraction:
        """Base units of one lot; of an inverse contract units of the quote."""
        return Fraction(self.lot_numerator, self.lot_denominator)

    @property
    def inverse(self) -> bool:
        """Settled in the base coin."""
        return self.contract_kind == ContractKind.INVERSE

    def value_at(self, lots: int, price: int) -> int:
        """Value of signed lots at a price in 1e-8 of the quote, rounded down as the core does."""
        if self.inverse:
            return -lots * self.lot_numerator * COIN_PRICE // (self.lot_denominator * price)
        return lots * self.lot_numerator * price // self.lot_denominator

    def trade_value(self, lots: int, price_ticks: int) -> int:
        """What changes hands for signed lots, signed as the position counts it; the core's rounding."""
        price = price_ticks * self.tick_value
        if not self.inverse:
            return self.value_at(lots, price)
        one = self.value_rounding == ValueRounding.PER_LOT
        worth = Fraction((1 if one else abs(lots)) * self.lot_numerator * COIN_PRICE, self.lot_denominator * price)
        size = math.floor(worth + Fraction(1, 2)) * (abs(lots) if one else 1)
        return -size if lots > 0 else size


@dataclasses.dataclass(frozen=True)
class Stated:
    """A value as a file states it, where it is from, how sure that is, and the era that set it."""

    value: Any
    source: str
    sure: str
    era: str


@dataclasses.dataclass(frozen=True)
class Rulebook:
    """A venue's rules in force at one date, with the markets that its file describes.

    sources  what the file says of each value, by "rule", "*.rule" (of every market) or "SYMBOL.rule"
    """

    name: str
    date: str
    era: str
    markets: tuple[MarketSpec, ...]
    liquidation_period_ns: int = 0
    liquidation_delay_ns: int = 0
    reduce_method: int = ReduceMethod.TO_SAFE
    reduce_limit: int = ReduceLimit.BANKRUPTCY
    reduce_slice: int = 0
    fund_notional_cap: int = 0
    fund_unwind: int = FundUnwind.HOLD
    fund_unwind_period_ns: int = 0
    fund_unwind_slice: int = 0
    adl_policy: int = AdlPolicy.NONE
    adl_price: int = AdlPrice.BANKRUPTCY
    adl_price_band: int = RATE_ONE // 20
    adl_fee: int = AdlFee.NONE
    adl_light: int = AdlLight.NONE
    adl_light_levels: int = 5
    adl_light_period_ns: int = 0
    socialise: int = Socialise.NONE
    cross_order: int = CrossOrder.LARGEST_MAINTENANCE
    net_hedges: int = 0
    takeover: int = Takeover.FUND
    backstop_at: int = 0
    slice_above: int = 0
    slice_cooldown_ns: int = 0
    hand_over_tier: int = 2
    close_rest: int = 0
    liquidation_buffer: int = 0
    reduce_leave: int = 0
    liquidation_fee_base: int = LiquidationFee.NOTIONAL
    position_block_rate: int = 0
    position_block_min: int = 0
    account_block_notional: int = 0
    cure_period_ns: int = 0
    cure_start: int = 0
    liquidator_fee: int = 0
    liquidator_fee_max: int = 0
    liquidator_fee_step: int = 0
    liquidator_fee_grace_ns: int = 0
    cure_small: int = 0
    fillable_spread: int = 0
    bankruptcy_adjustment: int = RATE_ONE
    fund_trigger: int = FundTrigger.CAPACITY
    drawdown_trigger: int = 300_000_000
    drawdown_stop: int = 250_000_000
    drawdown_window_ns: int = 28_800_000_000_000
    drawdown_threshold: int = 0
    fund_floor: int = 0
    fund_sample_period_ns: int = 60_000_000_000
    fund_loss_cap: int = 0
    withdraw_gate_ns: int = 0
    disposal_fraction_max: int = RATE_ONE
    disposal_band: int = 0
    day_start_ns: int = 28_800_000_000_000
    cover_from_fees: int = 0
    collateral: tuple[Collateral, ...] = ()
    collateral_oracle: int = CollateralOracle.INDEX
    collateral_spot_price: int = SpotPrice.LAST
    blend_spot: int = 0
    blend_index: int = 0
    blend_redemption: int = 0
    exchange_ltv: int = 0
    sources: Mapping[str, Stated] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def market(self, symbol: str) -> MarketSpec:
        """The specification of one market. Raises KeyError with the known symbols."""
        for spec in self.markets:
            if spec.symbol == symbol:
                return spec
        known = ", ".join(spec.symbol for spec in self.markets)
        raise KeyError(f"{self.name} has no market {symbol!r}; known: {known}")

    @property
    def fingerprint(self) -> str:
        """Hash of every value: two runs with equal fingerprints had equal rules."""
        plain = dataclasses.asdict(dataclasses.replace(self, sources={}))
        del plain["sources"]
        values = json.dumps(plain, sort_keys=True, default=int)
        return hashlib.sha256(values.encode()).hexdigest()[:16]

    def changed(self, market_changes: dict[str, Any] | None = None, **changes: Any) -> Rulebook:
        """A copy with venue-wide `changes` and, in every market, `market_changes` (integers in the core's units)."""
        markets = tuple(dataclasses.replace(m, **(market_changes or {})) for m in self.markets)
        return dataclasses.replace(self, markets=markets, **changes)


VENUE_FIELDS = frozenset(f.name for f in dataclasses.fields(Rulebook)) - {"name", "date", "era", "markets", "sources"}
MARKET_FIELDS = frozenset(f.name for f in dataclasses.fields(MarketSpec))
ENUMS = {
    "reduce_method": ReduceMethod,
    "reduce_limit": ReduceLimit,
    "fund_trigger": FundTrigger,
    "fund_unwind": FundUnwind,
    "adl_policy": AdlPolicy,
    "adl_price": AdlPrice,
    "adl_fee": AdlFee,
    "adl_light": AdlLight,
    "socialise": Socialise,
    "cross_order": CrossOrder,
    "collateral_oracle": CollateralOracle,
    "collateral_spot_price": SpotPrice,
    "takeover": Takeover,
    "liquidation_fee_base": LiquidationFee,
    "mark_method": MarkMethod,
    "mark_composition": MarkComposition,
    "queue_model": QueueModel,
    "contract_kind": ContractKind,
    "tier_method": TierMethod,
    "maintenance_value": MaintenanceValue,
    "value_rounding": ValueRounding,
    "tape_walk": TapeWalk,
    "attribution": Attribution,
    "index_method": IndexMethod,
    "outlier_rule": OutlierRule,
    "premium_average": PremiumAverage,
    "premium_source": PremiumSource,
    "funding_formula": FundingFormula,
    "funding_price": FundingPrice,
}
RATES = {
    "maker_fee", "taker_fee", "liquidation_fee", "band_up", "band_down", "market_bound", "trigger_protect",
    "interest_rate", "funding_inner", "funding_cap", "volatility", "reduce_slice", "maintenance_base",
    "maintenance_slope", "close_fee_in_maintenance", "fund_notional_cap",
    "fund_unwind_slice", "adl_price_band", "backstop_at", "liquidation_buffer", "reduce_leave", "position_block_rate",
    "cure_start", "liquidator_fee", "liquidator_fee_max", "liquidator_fee_step", "fillable_spread",
    "bankruptcy_adjustment", "drawdown_trigger", "drawdown_stop", "fund_loss_cap", "disposal_fraction_max",
    "disposal_band", "resilience_keep",
    "blend_spot", "blend_index", "blend_redemption", "exchange_ltv",
}  # fmt: skip
MONEY = {
    "min_notional", "impact_notional", "slice_above", "position_block_min", "account_block_notional", "cure_small",
    "drawdown_threshold", "fund_floor",
}  # fmt: skip
SECONDS = {
    "liquidation_period", "liquidation_delay", "fund_unwind_period", "mark_period", "funding_interval",
    "premium_period", "slice_cooldown", "adl_light_period", "cure_period", "liquidator_fee_grace",
    "drawdown_window", "fund_sample_period", "withdraw_gate", "day_start",
}  # fmt: skip
COUNTS = {
    "asset", "hedge_allowed", "order_maintenance", "net_hedges",
    "max_orders", "max_conditional", "leverage_default", "basis_samples", "size_max", "fund_group", "hand_over_tier",
    "close_rest", "clip_lots", "band_outward", "disposal_full_lots", "cover_from_fees", "price_min",
    "underlying", "adl_light_levels",
}  # fmt: skip
# Of index, marks and funding.
RATES |= {
    "outlier_band", "outlier_return_band", "mark_bound_up", "mark_bound_down", "mark_mid_bound", "funding_change_cap",
    "funding_cap_margin", "funding_change_margin", "funding_quiet_rate",
}  # fmt: skip
MONEY |= {"mark_unit", "impact_margin"}
SECONDS |= {
    "index_period", "outlier_return", "source_stale", "mark_ema", "mark_fallback", "mark_step", "funding_offset",
    "funding_capped_interval", "funding_quiet_interval",
}  # fmt: skip
COUNTS |= {"sources_few", "last_price_protection", "funding_quiet_cycles", "funding_continuous"}
COUNTS |= {"close_fee_reserved", "risk_limits", "lower_limit_first", "oi_floor_lots"}
# Of initial margin.
RATES |= {"initial_base", "initial_slope"}
MONEY |= {"oi_lower_cap", "oi_upper_cap"}
# Of composite marks.
RATES |= {
    "mark_weight_trades", "mark_weight_book", "mark_weight_index", "mark_weight_elsewhere", "mark_weight_median",
    "mark_decay", "mark_scaling", "mark_slippage", "mark_risk_long", "mark_risk_short",
}  # fmt: skip
MONEY |= {"mark_cash"}
SECONDS |= {"mark_window", "mark_stale_trades", "mark_stale_book", "mark_stale_index"}
COUNTS |= {"mark_decay_power"}
# Of a recorded book: set by a scenario's tape.
RATES |= {"impact_factor", "impact_permanent", "impact_index", "beyond_slope"}
SECONDS |= {"impact_step", "resilience_step"}
COUNTS |= {"queue_power", "resilience_quotes", "beyond_lots", "beyond_ticks"}


def parse_value(key: str, value: Any) -> tuple[str, Any]:
    """One rule as a file or a scenario writes it -> (field name, value). Raises ValueError with the key."""
    if isinstance(value, dict) and "value" in value:
        value = value["value"]
    if key in ENUMS:
        return key, parse_member(key, value)
    if key in RATES:
        return key, rate(value, key)
    if key in MONEY:
        return key, money(value, key)
    if key in SECONDS:
        return f"{key}_ns", nanoseconds(value, key)
    if key in COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{key}: {value!r} is not a whole number")
        return key, value
    if key in TABLES:
        return key, TABLES[key](value)
    known = {*ENUMS, *RATES, *MONEY, *SECONDS, *COUNTS, *TABLES}
    raise ValueError(f"{key} is not a rule; known: {', '.join(sorted(known))}")


def refuse_strangers(found: Mapping[str, Any], fields: frozenset[str], what: str) -> None:
    """Raise ValueError for a rule that stands where it means nothing: a market's at the venue, or the other way."""
    strangers = sorted(found.keys() - fields)
    if strangers:
        where = "markets" if strangers[0] in MARKET_FIELDS else "the whole venue"
        raise ValueError(f"{what}: {strangers[0]} is a rule of {where}")


def parse_member(key: str, value: Any) -> int:
    """The number of a method by its name, written in lower case with hyphens."""
    names = {member.name.lower().replace("_", "-"): member for member in ENUMS[key]}
    if not isinstance(value, str) or value.replace("_", "-") not in names:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(names)}")
    return int(names[value.replace("_", "-")])


def parse_tiers(rows: list[list[Any]]) -> tuple[Tier, ...]:
    """[cap, maintenance rate, leverage] rows, or with a deduction, or with a deduction and an initial rate -> tiers.

    Deductions are computed: cum_n = cum_{n-1} + floor_n * (m_n - m_{n-1}). One that is stated must equal that;
    "" states none.
    """
    tiers: list[Tier] = []
    floor = deduction = before = 0
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) not in (3, 4, 5):
            form = "[cap, maintenance rate, leverage], a deduction and an initial rate behind it"
            raise ValueError(f"tier {number}: {row!r} is not {form}")
        now = rate(row[1], f"tier {number} rate")
        step = floor * (now - before)
        if step % RATE_ONE:
            raise ValueError(f"tier {number}: its deduction is not a whole number of 1e-8 units")
        deduction += step // RATE_ONE
        if len(row) >= 4 and row[3] != "" and money(row[3], f"tier {number} deduction") != deduction:
            known = f"{deduction / VALUE_ONE:,.8g}"
            raise ValueError(f"tier {number}: its deduction is {row[3]}, but the tiers before it make it {known}")
        initial = rate(row[4], f"tier {number} initial rate") if len(row) == 5 else 0
        if initial and not now <= initial <= RATE_ONE:
            raise ValueError(f"tier {number}: its initial rate is less than its maintenance rate, or more than 1")
        tiers.append(Tier(money(row[0], f"tier {number} cap"), now, deduction, int(row[2]), initial))
        floor, before = tiers[-1].cap, now
    return tuple(tiers)


def parse_weights(stated: Any) -> tuple[int, ...]:
    """Weights of sources, as a list or as a table name -> weight, in the order of their numbers; integers of 1e-9."""
    values = stated.values() if isinstance(stated, dict) else stated
    return tuple(rate(weight, f"weight of source {number}") for number, weight in enumerate(values))


def parse_ladder(rows: list[list[Any]]) -> tuple[tuple[int, int], ...]:
    """[band of open interest in base units (inverse: quote units), rate] rows, lowest first."""
    bands = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list | tuple) or len(row) != 2:
            raise ValueError(f"oi_ladder, band {number}: {row!r} is not [open interest, rate]")
        bands.append((money(row[0], f"oi_ladder, band {number}"), rate(row[1], f"oi_ladder, rate {number}")))
    return tuple(bands)


# Rules that are more than one number: key -> parser of what TOML gives.
TABLES: dict[str, Callable[[Any], Any]] = {
    "collateral": parse_collateral, "tiers": parse_tiers, "sources": parse_weights, "perp_sources": parse_weights,
    "impact_kernel": parse_weights,
    "oi_ladder": parse_ladder,
}  # fmt: skip
