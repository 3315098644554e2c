# The numbers of a rulebook as the engine holds them: of a market, and of the whole venue. All fields are 64 bits wide;
# rules.pyx has a row for each.

from libc.stdint cimport int64_t

from .units cimport lots_t, money_t, ns_t, rate_t, ticks_t, value_t

cdef struct MarketRules:
    rate_t maker_fee
    rate_t taker_fee
    int64_t contract_kind
    int64_t value_rounding
    int64_t tier_method
    int64_t maintenance_value
    int64_t risk_limits                 # accounts may choose the tier that holds for the whole of their position
    int64_t lower_limit_first           # a liquidation lowers it before anything is sold
    lots_t oi_floor_lots                # a position that no ladder of open interest forbids
    rate_t maintenance_base             # of LINEAR tiers: the rate of a position of nothing
    rate_t maintenance_slope            # and what a coin of size adds to it
    rate_t close_fee_in_maintenance     # added to every maintenance rate
    rate_t initial_base                 # of an initial margin that is linear in size: the rate of a position of nothing
    rate_t initial_slope                # and what a coin of size adds to it; both 0: by the tiers
    money_t oi_lower_cap                # open interest from which the initial rate rises, up to 100 % at
    money_t oi_upper_cap                # this one; 0: it does not
    ticks_t price_min                   # no order, mark or recorded level of the book is below
    rate_t liquidation_fee
    rate_t band_up                      # buy limit price <= mark * band_up; 0: none
    rate_t band_down
    int64_t band_outward                # edges that are no ticks are rounded away from the mark, not toward it
    rate_t market_bound                 # market orders stop at mark * (1 +- bound); 0: none
    rate_t trigger_protect
    money_t min_notional
    lots_t size_max
    int64_t max_orders
    int64_t max_conditional
    int64_t leverage_default
    int64_t mark_method
    ns_t mark_period_ns
    int64_t basis_samples
    ns_t funding_interval_ns            # 0: no funding
    ns_t premium_period_ns              # 0: the rate is given, not computed
    rate_t interest_rate                # per interval
    rate_t funding_inner                # dead band around the interest rate
    rate_t funding_cap
    money_t impact_notional
    int64_t queue_power                 # exponent of the power queue model
    ns_t impact_step_ns                 # simulated flow shifts recorded prices at multiples of this; 0: never
    rate_t impact_factor                # by this share where the kernel is 1, for a million lots in a step
    rate_t impact_permanent             # share of the factor that the net flow of all steps keeps for good
    rate_t impact_index                 # share of that by which a recorded index moves, too
    ns_t resilience_step_ns             # what takers ate comes back: at multiples of this, 0: not with time
    int64_t resilience_quotes           # 1: with each change of the best recorded quotes
    rate_t resilience_keep              # what stays eaten at each step
    lots_t beyond_lots                  # of the first level behind the last recorded one; 0: nobody knows
    rate_t beyond_slope                 # 1e-9 lots by which each level there is larger than the one before
    int64_t beyond_ticks                # how many levels are stated there, a tick apart
    int64_t attribution                 # where forced orders of this market trade, see claims.pxd
    int64_t underlying                  # markets with the same number have the same; 0: one of its own
    int64_t hedge_allowed               # accounts in hedge mode have two legs here
    int64_t close_fee_reserved          # orders and cross positions bind the fee of closing at bankruptcy
    int64_t order_maintenance           # open orders ask for maintenance too
    lots_t clip_lots                    # of one forced order; 0: any
    rate_t volatility                   # weight of the market when slack is shared out
    lots_t disposal_full_lots           # up to here an inventory is disposed of in one order
    # index of constituents
    int64_t index_method
    ns_t index_period_ns                # 0: whenever a source arrives
    int64_t outlier_rule
    rate_t outlier_band
    rate_t outlier_return_band          # EXCLUDE: back after `outlier_return_ns` within this band
    ns_t outlier_return_ns
    ns_t source_stale_ns                # 0: never
    int64_t sources_few                 # fewer valid sources than this are averaged as they are, with equal weights
    int64_t last_price_protection       # 1: no valid source: the mark is the last trade
    # marks
    ns_t mark_ema_ns                    # time constant
    ns_t mark_fallback_ns               # time constant of the third input where only two exist (Hyperliquid)
    rate_t mark_bound_up                # around the index; 0: none
    rate_t mark_bound_down
    rate_t mark_mid_bound               # how far behind the touch an impact price counts
    ns_t mark_step_ns                   # time to funding is counted from multiples of this; 0: from now
    value_t mark_unit                   # the funding basis is rounded to multiples of this; 0: as it is
    # of a composite mark
    int64_t mark_composition
    ns_t mark_window_ns                 # of trades and of the mean of the book; 0: the mark period
    rate_t mark_weight_trades           # 0: the source takes no part
    rate_t mark_weight_book
    rate_t mark_weight_index
    rate_t mark_weight_elsewhere
    rate_t mark_weight_median
    ns_t mark_stale_trades_ns           # after which a source does not count; 0: it never ages
    ns_t mark_stale_book_ns
    ns_t mark_stale_index_ns
    rate_t mark_decay                   # what a trade of the window's whole age has lost of its weight
    int64_t mark_decay_power
    money_t mark_cash                   # margin whose volume is looked for in the book
    rate_t mark_scaling                 # initial margin of a unit of value = scaling * (slippage + risk)
    rate_t mark_slippage
    rate_t mark_risk_long               # 0: by the largest leverage
    rate_t mark_risk_short
    # funding
    int64_t premium_average
    int64_t premium_source
    int64_t funding_formula
    rate_t funding_change_cap           # against the rate before; 0: none
    rate_t funding_cap_margin           # cap as a multiple of initial - maintenance rate of the first tier; 0: funding_cap
    rate_t funding_change_margin        # cap of the change as a multiple of that maintenance rate
    money_t impact_margin               # impact notional as a margin at the largest leverage; 0: impact_notional
    int64_t funding_price
    ns_t funding_offset_ns              # stamps are multiples of the interval and this
    ns_t funding_capped_interval_ns     # the interval after a rate at the cap; 0: as before
    ns_t funding_quiet_interval_ns      # and after so many cycles within the quiet rate
    int64_t funding_quiet_cycles
    rate_t funding_quiet_rate
    int64_t funding_continuous          # funding accrues at a rate per 8 h; a stamp books what has accrued

cdef struct VenueRules:
    ns_t liquidation_period_ns
    ns_t liquidation_delay_ns
    int64_t reduce_method
    int64_t reduce_limit
    rate_t reduce_slice
    rate_t fund_notional_cap            # of the fund's balance; 0: none
    int64_t fund_unwind
    ns_t fund_unwind_period_ns
    rate_t fund_unwind_slice
    int64_t adl_policy
    int64_t adl_price
    rate_t adl_price_band               # how near the mark a bankruptcy price must lie to be taken
    int64_t adl_fee
    int64_t adl_light
    int64_t adl_light_levels
    ns_t adl_light_period_ns
    int64_t socialise
    int64_t cross_order
    int64_t net_hedges                  # the legs of one market are closed against each other first
    int64_t takeover                    # who gets what the book could not save
    rate_t backstop_at                  # rate of maintenance below which the backstop takes over; 0: never
    money_t slice_above                 # notional above which a first order is a slice
    ns_t slice_cooldown_ns              # after a slice, so long orders are for the whole
    int64_t hand_over_tier              # at or below it no order is sent any more, counted from 1
    int64_t close_rest                  # it is sent whole instead
    rate_t liquidation_buffer           # rate asked beyond maintenance until a liquidation ends
    rate_t reduce_leave                 # rate of maintenance that a sale leaves
    int64_t liquidation_fee_base
    rate_t position_block_rate          # of a position's notional in one block; 0: all
    money_t position_block_min
    money_t account_block_notional      # 0: any
    ns_t cure_period_ns                 # in which all of a shortage may be made good; 0: at once
    rate_t cure_start                   # of it, from the first moment
    rate_t liquidator_fee               # by which a forced order may be off the mark
    rate_t liquidator_fee_max
    rate_t liquidator_fee_step          # by which it grows a second, after the grace
    ns_t liquidator_fee_grace_ns
    money_t cure_small                  # a shortage or a position below it is dealt with whole
    rate_t fillable_spread              # of maintenance, at bankruptcy
    rate_t bankruptcy_adjustment
    int64_t fund_trigger
    rate_t drawdown_trigger
    rate_t drawdown_stop
    ns_t drawdown_window_ns
    money_t drawdown_threshold          # a fund that has no more is not watched for a drawdown
    money_t fund_floor
    ns_t fund_sample_period_ns
    rate_t fund_loss_cap                # unrealised loss, of the fund's balance; 0: none
    ns_t withdraw_gate_ns               # 0: none
    rate_t disposal_fraction_max        # of what stands in the book
    rate_t disposal_band                # around the mark; 0: none
    ns_t day_start_ns                   # after midnight UTC
    int64_t cover_from_fees             # the treasury pays before anybody shares a loss
    int64_t collateral_oracle
    int64_t collateral_spot_price       # what an asset's own book says
    rate_t blend_spot                   # weights of BLEND
    rate_t blend_index
    rate_t blend_redemption
    rate_t exchange_ltv                 # debts per collateral at which they are converted, without positions; 0: never
