"""Every number of a rulebook that the engine reads, once: a row here is all that a new rule needs besides its field.

`set_rules` fills the fields of a market or venue from a dict at the start; SET_RULE changes those that have a number.
"""

from libc.stdint cimport int64_t

from .records cimport *
from .state cimport BASIS_SAMPLES_MAX, FUND_SAMPLES_MAX, DAY_NS, SOURCES_MAX
from .units cimport RATE_ONE

cdef enum:
    FIELDS_MAX = 128

cdef extern from *:
    """
    #define PERPSIM_PERIOD_MAX INT64_C(1000000000000000000)     /* ns, 31 years */
    #define PERPSIM_ANY INT64_MAX
    #define PERPSIM_SIZE_MAX (INT64_C(1) << 40)
    #define PERPSIM_MINUTE INT64_C(60000000000)
    #define PERPSIM_EIGHT_HOURS INT64_C(28800000000000)
    #define PERPSIM_EMA_MAX INT64_C(10000000000000)             /* ns, 2.8 hours: a weight has 16 places more */
    #define PERPSIM_FACTOR_MAX INT64_C(1000000000000)           /* a thousand */
    #define PERPSIM_IMPACT_MAX (INT64_MAX / 0xFFFF)             /* times the largest leverage */
    """
    const int64_t PERIOD_MAX "PERPSIM_PERIOD_MAX"
    const int64_t ANY "PERPSIM_ANY"
    const int64_t SIZE_MAX "PERPSIM_SIZE_MAX"
    const int64_t EMA_MAX "PERPSIM_EMA_MAX"
    const int64_t FACTOR_MAX "PERPSIM_FACTOR_MAX"
    const int64_t IMPACT_MAX "PERPSIM_IMPACT_MAX"
    const int64_t MINUTE "PERPSIM_MINUTE"
    const int64_t EIGHT_HOURS "PERPSIM_EIGHT_HOURS"

cdef RuleField market_fields[FIELDS_MAX]
cdef RuleField venue_fields[FIELDS_MAX]
cdef int market_count = 0
cdef int venue_count = 0
cdef MarketRules of_market                      # these two for the places of their fields only
cdef VenueRules of_venue


cdef RuleField row(const char *name, void *base, void *field, int64_t number, int64_t low, int64_t high, int64_t usual):
    cdef RuleField f
    f.name = name
    f.number = number
    f.offset = <char *>field - <char *>base
    f.low = low
    f.high = high
    f.usual = usual
    return f


cdef void m(const char *name, void *field, int64_t number, int64_t low, int64_t high, int64_t usual=0):
    """A row of a market's rules."""
    global market_count
    market_fields[market_count] = row(name, &of_market, field, number, low, high, usual)
    market_count += 1


cdef void v(const char *name, void *field, int64_t number, int64_t low, int64_t high, int64_t usual=0):
    """A row of the venue's rules."""
    global venue_count
    venue_fields[venue_count] = row(name, &of_venue, field, number, low, high, usual)
    venue_count += 1


m("maker_fee", &of_market.maker_fee, RULE_MAKER_FEE, 1 - RATE_ONE, RATE_ONE - 1)
m("taker_fee", &of_market.taker_fee, RULE_TAKER_FEE, 0, RATE_ONE - 1)
m("contract_kind", &of_market.contract_kind, 0, CONTRACT_LINEAR, CONTRACT_INVERSE)
m("value_rounding", &of_market.value_rounding, 0, VALUE_PER_TRADE, VALUE_PER_LOT)
m("tier_method", &of_market.tier_method, 0, TIERS_MARGINAL, TIERS_LINEAR)
m("maintenance_value", &of_market.maintenance_value, RULE_MAINTENANCE_VALUE, MAINTENANCE_MARK, MAINTENANCE_ENTRY)
m("risk_limits", &of_market.risk_limits, 0, 0, 1)
m("lower_limit_first", &of_market.lower_limit_first, RULE_LOWER_LIMIT_FIRST, 0, 1)
m("oi_floor_lots", &of_market.oi_floor_lots, RULE_OI_FLOOR_LOTS, 0, ANY)
m("maintenance_base", &of_market.maintenance_base, 0, 0, RATE_ONE / 2)
m("maintenance_slope", &of_market.maintenance_slope, 0, 0, RATE_ONE)
m("close_fee_in_maintenance", &of_market.close_fee_in_maintenance, 0, 0, RATE_ONE / 2)
m("initial_base", &of_market.initial_base, 0, 0, RATE_ONE)
m("initial_slope", &of_market.initial_slope, 0, 0, RATE_ONE)
m("oi_lower_cap", &of_market.oi_lower_cap, RULE_OI_LOWER_CAP, 0, ANY)
m("oi_upper_cap", &of_market.oi_upper_cap, RULE_OI_UPPER_CAP, 0, ANY)
m("price_min", &of_market.price_min, 0, 1, ANY, 1)
m("liquidation_fee", &of_market.liquidation_fee, RULE_LIQUIDATION_FEE, 0, RATE_ONE - 1)
m("band_up", &of_market.band_up, RULE_BAND_UP, 0, ANY)
m("band_down", &of_market.band_down, RULE_BAND_DOWN, 0, RATE_ONE)
m("band_outward", &of_market.band_outward, 0, 0, 1)
m("market_bound", &of_market.market_bound, RULE_MARKET_BOUND, 0, RATE_ONE - 1)
m("trigger_protect", &of_market.trigger_protect, 0, 0, ANY)
m("min_notional", &of_market.min_notional, RULE_MIN_NOTIONAL, 0, ANY)
m("size_max", &of_market.size_max, 0, 1, ANY)
m("max_orders", &of_market.max_orders, RULE_MAX_ORDERS, 0, 0xFFFF, 200)
m("max_conditional", &of_market.max_conditional, RULE_MAX_CONDITIONAL, 0, 0xFFFF, 10)
m("leverage_default", &of_market.leverage_default, 0, 1, 0xFFFF, 20)
m("mark_method", &of_market.mark_method, RULE_MARK_METHOD, MARK_GIVEN, MARK_COMPOSITE)
m("mark_period_ns", &of_market.mark_period_ns, RULE_MARK_PERIOD, 0, PERIOD_MAX)
m("basis_samples", &of_market.basis_samples, RULE_BASIS_SAMPLES, 0, BASIS_SAMPLES_MAX)
m("funding_interval_ns", &of_market.funding_interval_ns, RULE_FUNDING_INTERVAL, 0, PERIOD_MAX)
m("premium_period_ns", &of_market.premium_period_ns, RULE_PREMIUM_PERIOD, 0, PERIOD_MAX)
m("interest_rate", &of_market.interest_rate, RULE_INTEREST_RATE, -FACTOR_MAX, FACTOR_MAX)
m("funding_inner", &of_market.funding_inner, RULE_FUNDING_INNER, 0, FACTOR_MAX)
m("funding_cap", &of_market.funding_cap, RULE_FUNDING_CAP, 0, FACTOR_MAX)
m("impact_notional", &of_market.impact_notional, RULE_IMPACT_NOTIONAL, 0, ANY)
m("queue_power", &of_market.queue_power, 0, 1, 3, 3)
m("impact_step_ns", &of_market.impact_step_ns, 0, 0, PERIOD_MAX)
m("impact_factor", &of_market.impact_factor, 0, 0, FACTOR_MAX)
m("impact_permanent", &of_market.impact_permanent, 0, 0, RATE_ONE)
m("impact_index", &of_market.impact_index, 0, 0, RATE_ONE)
m("resilience_step_ns", &of_market.resilience_step_ns, 0, 0, PERIOD_MAX)
m("resilience_quotes", &of_market.resilience_quotes, 0, 0, 1)
m("resilience_keep", &of_market.resilience_keep, 0, 0, RATE_ONE, RATE_ONE)
m("beyond_lots", &of_market.beyond_lots, 0, 0, SIZE_MAX)
m("beyond_slope", &of_market.beyond_slope, 0, 0, PERIOD_MAX)
m("beyond_ticks", &of_market.beyond_ticks, 0, 0, SIZE_MAX)
m("attribution", &of_market.attribution, 0, ATTRIBUTION_NONE, ATTRIBUTION_AGAINST)
m("underlying", &of_market.underlying, 0, 0, 0xFFFF)
m("hedge_allowed", &of_market.hedge_allowed, 0, 0, 1, 1)
m("close_fee_reserved", &of_market.close_fee_reserved, 0, 0, 1)
m("order_maintenance", &of_market.order_maintenance, RULE_ORDER_MAINTENANCE, 0, 1)
m("clip_lots", &of_market.clip_lots, RULE_CLIP_LOTS, 0, ANY)
m("volatility", &of_market.volatility, 0, 0, ANY, RATE_ONE)
m("disposal_full_lots", &of_market.disposal_full_lots, 0, 0, ANY)
m("index_method", &of_market.index_method, RULE_INDEX_METHOD, INDEX_GIVEN, INDEX_MEAN)
m("index_period_ns", &of_market.index_period_ns, RULE_INDEX_PERIOD, 0, PERIOD_MAX)
m("outlier_rule", &of_market.outlier_rule, RULE_OUTLIER_RULE, OUTLIER_NONE, OUTLIER_EXCLUDE)
m("outlier_band", &of_market.outlier_band, RULE_OUTLIER_BAND, 0, RATE_ONE)
m("outlier_return_band", &of_market.outlier_return_band, RULE_OUTLIER_RETURN_BAND, 0, RATE_ONE)
m("outlier_return_ns", &of_market.outlier_return_ns, RULE_OUTLIER_RETURN, 0, PERIOD_MAX)
m("source_stale_ns", &of_market.source_stale_ns, RULE_SOURCE_STALE, 0, PERIOD_MAX)
m("sources_few", &of_market.sources_few, RULE_SOURCES_FEW, 0, SOURCES_MAX)
m("last_price_protection", &of_market.last_price_protection, RULE_LAST_PRICE_PROTECTION, 0, 1)
m("mark_ema_ns", &of_market.mark_ema_ns, RULE_MARK_EMA, 0, EMA_MAX)
m("mark_fallback_ns", &of_market.mark_fallback_ns, RULE_MARK_FALLBACK, 0, EMA_MAX)
m("mark_bound_up", &of_market.mark_bound_up, RULE_MARK_BOUND_UP, 0, RATE_ONE)
m("mark_bound_down", &of_market.mark_bound_down, RULE_MARK_BOUND_DOWN, 0, RATE_ONE)
m("mark_mid_bound", &of_market.mark_mid_bound, RULE_MARK_MID_BOUND, 0, RATE_ONE)
m("mark_step_ns", &of_market.mark_step_ns, RULE_MARK_STEP, 0, PERIOD_MAX)
m("mark_unit", &of_market.mark_unit, RULE_MARK_UNIT, 0, FACTOR_MAX)
m("mark_composition", &of_market.mark_composition, RULE_MARK_COMPOSITION, COMPOSITION_WEIGHTED, COMPOSITION_MEDIAN)
m("mark_window_ns", &of_market.mark_window_ns, RULE_MARK_WINDOW, 0, PERIOD_MAX)
m("mark_weight_trades", &of_market.mark_weight_trades, RULE_MARK_WEIGHT_TRADES, 0, RATE_ONE)
m("mark_weight_book", &of_market.mark_weight_book, RULE_MARK_WEIGHT_BOOK, 0, RATE_ONE)
m("mark_weight_index", &of_market.mark_weight_index, RULE_MARK_WEIGHT_INDEX, 0, RATE_ONE)
m("mark_weight_elsewhere", &of_market.mark_weight_elsewhere, 0, 0, RATE_ONE)
m("mark_weight_median", &of_market.mark_weight_median, 0, 0, RATE_ONE)
m("mark_stale_trades_ns", &of_market.mark_stale_trades_ns, 0, 0, PERIOD_MAX)
m("mark_stale_book_ns", &of_market.mark_stale_book_ns, 0, 0, PERIOD_MAX)
m("mark_stale_index_ns", &of_market.mark_stale_index_ns, 0, 0, PERIOD_MAX)
m("mark_decay", &of_market.mark_decay, 0, 0, RATE_ONE)
m("mark_decay_power", &of_market.mark_decay_power, 0, 0, 3)
m("mark_cash", &of_market.mark_cash, 0, 0, PERIOD_MAX)
m("mark_scaling", &of_market.mark_scaling, 0, 1, FACTOR_MAX, RATE_ONE)
m("mark_slippage", &of_market.mark_slippage, 0, 0, RATE_ONE)
m("mark_risk_long", &of_market.mark_risk_long, 0, 0, FACTOR_MAX)
m("mark_risk_short", &of_market.mark_risk_short, 0, 0, FACTOR_MAX)
m("premium_average", &of_market.premium_average, RULE_PREMIUM_AVERAGE, AVERAGE_LINEAR_WEIGHTS, AVERAGE_EQUAL)
m("premium_source", &of_market.premium_source, RULE_PREMIUM_SOURCE, PREMIUM_IMPACT, PREMIUM_FAIR_BASIS)
m("funding_formula", &of_market.funding_formula, RULE_FUNDING_FORMULA, FORMULA_SCALED, FORMULA_DAMPER)
m("funding_change_cap", &of_market.funding_change_cap, RULE_FUNDING_CHANGE_CAP, 0, FACTOR_MAX)
m("funding_cap_margin", &of_market.funding_cap_margin, RULE_FUNDING_CAP_MARGIN, 0, FACTOR_MAX)
m("funding_change_margin", &of_market.funding_change_margin, RULE_FUNDING_CHANGE_MARGIN, 0, FACTOR_MAX)
m("impact_margin", &of_market.impact_margin, RULE_IMPACT_MARGIN, 0, IMPACT_MAX)
m("funding_price", &of_market.funding_price, RULE_FUNDING_PRICE, FUNDING_AT_MARK, FUNDING_AT_INDEX)
m("funding_offset_ns", &of_market.funding_offset_ns, RULE_FUNDING_OFFSET, 0, PERIOD_MAX)
m("funding_capped_interval_ns", &of_market.funding_capped_interval_ns, RULE_FUNDING_CAPPED_INTERVAL, 0, PERIOD_MAX)
m("funding_quiet_interval_ns", &of_market.funding_quiet_interval_ns, RULE_FUNDING_QUIET_INTERVAL, 0, PERIOD_MAX)
m("funding_quiet_cycles", &of_market.funding_quiet_cycles, RULE_FUNDING_QUIET_CYCLES, 0, 0xFFFF)
m("funding_quiet_rate", &of_market.funding_quiet_rate, RULE_FUNDING_QUIET_RATE, 0, FACTOR_MAX)
m("funding_continuous", &of_market.funding_continuous, RULE_FUNDING_CONTINUOUS, 0, 1)

v("liquidation_period_ns", &of_venue.liquidation_period_ns, RULE_LIQUIDATION_PERIOD, 0, ANY)
v("liquidation_delay_ns", &of_venue.liquidation_delay_ns, RULE_LIQUIDATION_DELAY, 0, ANY)
v("reduce_method", &of_venue.reduce_method, RULE_REDUCE_METHOD, REDUCE_NONE, REDUCE_CURE, REDUCE_TO_SAFE)
v("reduce_limit", &of_venue.reduce_limit, RULE_REDUCE_LIMIT, LIMIT_BANKRUPTCY, LIMIT_LIQUIDATOR)
v("reduce_slice", &of_venue.reduce_slice, RULE_REDUCE_SLICE, 0, RATE_ONE)
v("fund_notional_cap", &of_venue.fund_notional_cap, RULE_FUND_NOTIONAL_CAP, 0, ANY)
v("fund_unwind", &of_venue.fund_unwind, RULE_FUND_UNWIND, UNWIND_HOLD, UNWIND_DISPOSAL)
v("fund_unwind_period_ns", &of_venue.fund_unwind_period_ns, RULE_FUND_UNWIND_PERIOD, 0, ANY)
v("fund_unwind_slice", &of_venue.fund_unwind_slice, RULE_FUND_UNWIND_SLICE, 0, RATE_ONE)
v("adl_policy", &of_venue.adl_policy, RULE_ADL_POLICY, ADL_NONE, ADL_USER)
v("adl_price", &of_venue.adl_price, RULE_ADL_PRICE, ADL_PRICE_BANKRUPTCY, ADL_PRICE_PREVIOUS_MARK)
v("adl_price_band", &of_venue.adl_price_band, RULE_ADL_PRICE_BAND, 0, RATE_ONE, RATE_ONE / 20)
v("adl_light", &of_venue.adl_light, RULE_ADL_LIGHT, ADL_LIGHT_NONE, ADL_LIGHT_CONTRACTS)
v("adl_light_levels", &of_venue.adl_light_levels, RULE_ADL_LIGHT_LEVELS, 1, 100, 5)
v("adl_light_period_ns", &of_venue.adl_light_period_ns, RULE_ADL_LIGHT_PERIOD, 0, PERIOD_MAX)
v("adl_fee", &of_venue.adl_fee, RULE_ADL_FEE, ADL_FEE_NONE, ADL_FEE_MAKER)
v("socialise", &of_venue.socialise, RULE_SOCIALISE, SOCIALISE_NONE, SOCIALISE_PAYOUTS)
v("cross_order", &of_venue.cross_order, RULE_CROSS_ORDER, FIRST_LARGEST_MAINTENANCE, FIRST_LARGEST_LOSS)
v("net_hedges", &of_venue.net_hedges, RULE_NET_HEDGES, 0, 1)
v("takeover", &of_venue.takeover, RULE_TAKEOVER, TAKEOVER_FUND, TAKEOVER_ADL)
v("backstop_at", &of_venue.backstop_at, RULE_BACKSTOP_AT, 0, RATE_ONE)
v("slice_above", &of_venue.slice_above, RULE_SLICE_ABOVE, 0, ANY)
v("slice_cooldown_ns", &of_venue.slice_cooldown_ns, RULE_SLICE_COOLDOWN, 0, PERIOD_MAX)
v("hand_over_tier", &of_venue.hand_over_tier, RULE_HAND_OVER_TIER, 1, 0xFFFF, 2)
v("close_rest", &of_venue.close_rest, RULE_CLOSE_REST, 0, 1)
v("liquidation_buffer", &of_venue.liquidation_buffer, RULE_LIQUIDATION_BUFFER, 0, RATE_ONE)
v("reduce_leave", &of_venue.reduce_leave, RULE_REDUCE_LEAVE, 0, RATE_ONE)
v("liquidation_fee_base", &of_venue.liquidation_fee_base, RULE_LIQUIDATION_FEE_BASE, FEE_NOTIONAL, FEE_COLLATERAL)
v("position_block_rate", &of_venue.position_block_rate, RULE_POSITION_BLOCK_RATE, 0, RATE_ONE)
v("position_block_min", &of_venue.position_block_min, RULE_POSITION_BLOCK_MIN, 0, ANY)
v("account_block_notional", &of_venue.account_block_notional, RULE_ACCOUNT_BLOCK_NOTIONAL, 0, ANY)
v("cure_period_ns", &of_venue.cure_period_ns, RULE_CURE_PERIOD, 0, PERIOD_MAX)
v("cure_start", &of_venue.cure_start, RULE_CURE_START, 0, RATE_ONE)
v("liquidator_fee", &of_venue.liquidator_fee, RULE_LIQUIDATOR_FEE, 0, RATE_ONE - 1)
v("liquidator_fee_max", &of_venue.liquidator_fee_max, 0, 0, RATE_ONE - 1)
v("liquidator_fee_step", &of_venue.liquidator_fee_step, 0, 0, RATE_ONE)
v("liquidator_fee_grace_ns", &of_venue.liquidator_fee_grace_ns, 0, 0, PERIOD_MAX)
v("cure_small", &of_venue.cure_small, 0, 0, ANY)
v("fillable_spread", &of_venue.fillable_spread, 0, 0, 10 * <int64_t>RATE_ONE)
v("bankruptcy_adjustment", &of_venue.bankruptcy_adjustment, 0, RATE_ONE, 10 * <int64_t>RATE_ONE, RATE_ONE)
v("fund_trigger", &of_venue.fund_trigger, RULE_FUND_TRIGGER, FUND_CAPACITY, FUND_DROP)
v("drawdown_trigger", &of_venue.drawdown_trigger, RULE_DRAWDOWN_TRIGGER, 0, RATE_ONE, RATE_ONE / 10 * 3)
v("drawdown_stop", &of_venue.drawdown_stop, RULE_DRAWDOWN_STOP, 0, RATE_ONE, RATE_ONE / 4)
v("drawdown_window_ns", &of_venue.drawdown_window_ns, RULE_DRAWDOWN_WINDOW, 0, PERIOD_MAX, EIGHT_HOURS)
v("drawdown_threshold", &of_venue.drawdown_threshold, RULE_DRAWDOWN_THRESHOLD, 0, ANY)
v("fund_floor", &of_venue.fund_floor, RULE_FUND_FLOOR, 0, ANY)
v("fund_sample_period_ns", &of_venue.fund_sample_period_ns, RULE_FUND_SAMPLE_PERIOD, 0, PERIOD_MAX, MINUTE)
v("fund_loss_cap", &of_venue.fund_loss_cap, RULE_FUND_LOSS_CAP, 0, ANY)
v("withdraw_gate_ns", &of_venue.withdraw_gate_ns, RULE_WITHDRAW_GATE, 0, PERIOD_MAX)
v("disposal_fraction_max", &of_venue.disposal_fraction_max, RULE_DISPOSAL_FRACTION_MAX, 0, RATE_ONE, RATE_ONE)
v("disposal_band", &of_venue.disposal_band, RULE_DISPOSAL_BAND, 0, RATE_ONE - 1)
v("day_start_ns", &of_venue.day_start_ns, RULE_DAY_START, 0, DAY_NS - 1, EIGHT_HOURS)
v("cover_from_fees", &of_venue.cover_from_fees, RULE_COVER_FROM_FEES, 0, 1)
v("collateral_oracle", &of_venue.collateral_oracle, RULE_COLLATERAL_ORACLE, ORACLE_INDEX, ORACLE_BLEND)
v("collateral_spot_price", &of_venue.collateral_spot_price, RULE_COLLATERAL_SPOT_PRICE, SPOT_LAST, SPOT_MID)
v("blend_spot", &of_venue.blend_spot, RULE_BLEND_SPOT, 0, RATE_ONE)
v("blend_index", &of_venue.blend_index, RULE_BLEND_INDEX, 0, RATE_ONE)
v("blend_redemption", &of_venue.blend_redemption, RULE_BLEND_REDEMPTION, 0, RATE_ONE)
v("exchange_ltv", &of_venue.exchange_ltv, RULE_EXCHANGE_LTV, 0, RATE_ONE)


cdef const RuleField *market_rule(int64_t number) noexcept nogil:
    """A market's rule that SET_RULE knows by this number, NULL if there is none."""
    cdef int i
    for i in range(market_count):
        if number > 0 and market_fields[i].number == number:
            return &market_fields[i]
    return NULL


cdef const RuleField *venue_rule(int64_t number) noexcept nogil:
    """A rule of the whole venue that SET_RULE knows by this number, NULL if there is none."""
    cdef int i
    for i in range(venue_count):
        if number > 0 and venue_fields[i].number == number:
            return &venue_fields[i]
    return NULL


cdef tuple names(const RuleField *fields, int count):
    return tuple(fields[i].name.decode() for i in range(count))


cdef int set_rules(const RuleField *fields, int count, void *rules, dict stated) except -1:
    cdef int i
    for i in range(count):
        name = fields[i].name.decode()
        value = stated.get(name, fields[i].usual)
        if not fields[i].low <= value <= fields[i].high:
            raise ValueError(f"{name} {value} is out of range: {fields[i].low} to {fields[i].high}")
        (<int64_t *>(<char *>rules + fields[i].offset))[0] = value
    return 0


cdef int set_market_rules(MarketRules *rules, dict stated) except -1:
    """Fill in a market's rules. Raises ValueError, with the rule's name."""
    return set_rules(market_fields, market_count, rules, stated)


cdef bint fund_rules_fit(VenueRules *rules) noexcept nogil:
    """The window holds a sample at least and at most what there is room for; what stops an ADL does not start it."""
    if rules.fund_trigger != FUND_DRAWDOWN and rules.fund_trigger != FUND_DROP:
        return True
    return (
        0 < rules.fund_sample_period_ns <= rules.drawdown_window_ns
        and rules.drawdown_window_ns / rules.fund_sample_period_ns < FUND_SAMPLES_MAX - 1
        and rules.drawdown_stop <= rules.drawdown_trigger)


cdef bint rounds_fit(VenueRules *rules) noexcept nogil:
    """A takeover that waits for further rounds in the book has rounds."""
    return rules.takeover == TAKEOVER_FUND or rules.takeover == TAKEOVER_NETWORK or rules.liquidation_period_ns > 0


cdef int set_venue_rules(VenueRules *rules, dict stated) except -1:
    """Fill in the venue's rules. Raises ValueError, with the rule's name."""
    set_rules(venue_fields, venue_count, rules, stated)
    if rules.fund_unwind >= UNWIND_SLICES and rules.fund_unwind_period_ns <= 0:
        raise ValueError("fund_unwind_period_ns must be positive where the fund unwinds in slices")
    if not rounds_fit(rules):
        raise ValueError("liquidation_period_ns must be positive where takeover is backstop, none or adl")
    if not fund_rules_fit(rules):
        raise ValueError(
            "fund_sample_period_ns must be positive and at most drawdown_window_ns, which may hold "
            f"{FUND_SAMPLES_MAX - 2} periods; drawdown_stop may not be above drawdown_trigger")
    return 0


def rules_of(thing, bint venue):
    """The rules that an object states as attributes, by name, as integers. Raises ValueError if it states none."""
    wanted = names(venue_fields, venue_count) if venue else names(market_fields, market_count)
    stated = {name: int(getattr(thing, name)) for name in wanted if hasattr(thing, name)}
    if not stated:
        raise ValueError(f"{thing!r} states no rules")
    return stated
