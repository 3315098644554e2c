"""Commands that change a market or the rulebook: states with the auction and the settlement, rules at a date."""

from . import accrual, price_rules
from .adl_light import start_light_timer
from .book import best_order, tidy
from .claims import end_claim
from .fund import rules_fit, start_fund_timer
from .ledger import settle_at_mark, transfer
from .liquidation import mark_group_end
from .losses import start_day_timer
from .margin import value_of
from .marks import change_mark
from .matching import Taker, cancel_orders_of, fill_order, forget
from .orders import reject
from .prices import start_funding_timer, start_index_timer, start_mark_timer, start_premium_timer
from .recorded import recorded_crossed
from .reduction import rounds_fit
from .state import Market, Order, Venue
from .tape import trade_crossed
from .wire import (
    BUY,
    DAY_NS,
    RATE_ONE,
    SELL,
    Command,
    EventKind,
    Flag,
    FundUnwind,
    IndexMethod,
    MarketState,
    Reject,
    Rule,
)

ENDED = (MarketState.SETTLING, MarketState.CLOSED)
MARKET_RULES = {
    Rule.MAKER_FEE: "maker_fee", Rule.TAKER_FEE: "taker_fee", Rule.LIQUIDATION_FEE: "liquidation_fee",
    Rule.BAND_UP: "band_up", Rule.BAND_DOWN: "band_down", Rule.MARKET_BOUND: "market_bound",
    Rule.MIN_NOTIONAL: "min_notional", Rule.MAX_ORDERS: "max_orders", Rule.MAX_CONDITIONAL: "max_conditional",
    Rule.FUNDING_INTERVAL: "funding_interval_ns", Rule.MARK_METHOD: "mark_method", Rule.MARK_PERIOD: "mark_period_ns",
    Rule.BASIS_SAMPLES: "basis_samples", Rule.ORDER_MAINTENANCE: "order_maintenance", Rule.CLIP_LOTS: "clip_lots",
    Rule.MAINTENANCE_VALUE: "maintenance_value", Rule.OI_FLOOR_LOTS: "oi_floor_lots",
    Rule.LOWER_LIMIT_FIRST: "lower_limit_first", Rule.OI_LOWER_CAP: "oi_lower_cap", Rule.OI_UPPER_CAP: "oi_upper_cap",
} | price_rules.NAMES  # fmt: skip
VENUE_RULES = {
    Rule.LIQUIDATION_PERIOD: "liquidation_period_ns", Rule.LIQUIDATION_DELAY: "liquidation_delay_ns",
    Rule.REDUCE_METHOD: "reduce_method", Rule.REDUCE_LIMIT: "reduce_limit", Rule.REDUCE_SLICE: "reduce_slice",
    Rule.FUND_NOTIONAL_CAP: "fund_notional_cap", Rule.FUND_UNWIND: "fund_unwind",
    Rule.FUND_UNWIND_PERIOD: "fund_unwind_period_ns", Rule.FUND_UNWIND_SLICE: "fund_unwind_slice",
    Rule.ADL_POLICY: "adl_policy", Rule.ADL_PRICE: "adl_price", Rule.SOCIALISE: "socialise",
    Rule.CROSS_ORDER: "cross_order", Rule.NET_HEDGES: "net_hedges",
    Rule.ADL_PRICE_BAND: "adl_price_band", Rule.ADL_FEE: "adl_fee", Rule.ADL_LIGHT: "adl_light",
    Rule.ADL_LIGHT_LEVELS: "adl_light_levels", Rule.ADL_LIGHT_PERIOD: "adl_light_period_ns",
    Rule.TAKEOVER: "takeover",
    Rule.BACKSTOP_AT: "backstop_at",
    Rule.SLICE_ABOVE: "slice_above",
    Rule.SLICE_COOLDOWN: "slice_cooldown_ns",
    Rule.HAND_OVER_TIER: "hand_over_tier",
    Rule.CLOSE_REST: "close_rest",
    Rule.LIQUIDATION_BUFFER: "liquidation_buffer",
    Rule.REDUCE_LEAVE: "reduce_leave",
    Rule.LIQUIDATION_FEE_BASE: "liquidation_fee_base",
    Rule.POSITION_BLOCK_RATE: "position_block_rate",
    Rule.POSITION_BLOCK_MIN: "position_block_min",
    Rule.ACCOUNT_BLOCK_NOTIONAL: "account_block_notional",
    Rule.CURE_PERIOD: "cure_period_ns",
    Rule.CURE_START: "cure_start",
    Rule.LIQUIDATOR_FEE: "liquidator_fee",
    Rule.FUND_TRIGGER: "fund_trigger", Rule.DRAWDOWN_TRIGGER: "drawdown_trigger", Rule.DRAWDOWN_STOP: "drawdown_stop",
    Rule.DRAWDOWN_WINDOW: "drawdown_window_ns", Rule.DRAWDOWN_THRESHOLD: "drawdown_threshold",
    Rule.FUND_FLOOR: "fund_floor", Rule.FUND_SAMPLE_PERIOD: "fund_sample_period_ns",
    Rule.WITHDRAW_GATE: "withdraw_gate_ns", Rule.DISPOSAL_FRACTION_MAX: "disposal_fraction_max",
    Rule.DISPOSAL_BAND: "disposal_band", Rule.FUND_LOSS_CAP: "fund_loss_cap",
    Rule.DAY_START: "day_start_ns", Rule.COVER_FROM_FEES: "cover_from_fees",
    Rule.COLLATERAL_ORACLE: "collateral_oracle", Rule.COLLATERAL_SPOT_PRICE: "collateral_spot_price",
    Rule.BLEND_SPOT: "blend_spot", Rule.BLEND_INDEX: "blend_index", Rule.BLEND_REDEMPTION: "blend_redemption",
    Rule.EXCHANGE_LTV: "exchange_ltv",
}  # fmt: skip
RANGES = {
    Rule.MAKER_FEE: (1 - RATE_ONE, RATE_ONE - 1), Rule.TAKER_FEE: (0, RATE_ONE - 1),
    Rule.LIQUIDATION_FEE: (0, RATE_ONE - 1), Rule.MARKET_BOUND: (0, RATE_ONE - 1), Rule.BAND_DOWN: (0, RATE_ONE),
    Rule.REDUCE_SLICE: (0, RATE_ONE), Rule.FUND_UNWIND_SLICE: (0, RATE_ONE), Rule.FUND_UNWIND_PERIOD: (1, 2**63),
    Rule.REDUCE_METHOD: (0, 11), Rule.REDUCE_LIMIT: (0, 5), Rule.FUND_UNWIND: (0, 3), Rule.ADL_POLICY: (0, 22),
    Rule.ADL_LIGHT: (0, 2), Rule.ADL_LIGHT_LEVELS: (1, 100), Rule.ADL_LIGHT_PERIOD: (0, 10**18),
    Rule.ADL_PRICE_BAND: (0, RATE_ONE), Rule.ADL_FEE: (0, 1), Rule.NET_HEDGES: (0, 1),
    Rule.ADL_PRICE: (0, 3), Rule.SOCIALISE: (0, 4), Rule.CROSS_ORDER: (0, 1), Rule.MARK_METHOD: (0, 7),
    Rule.ORDER_MAINTENANCE: (0, 1), Rule.MAINTENANCE_VALUE: (0, 1), Rule.LOWER_LIMIT_FIRST: (0, 1),
    Rule.COLLATERAL_ORACLE: (0, 3), Rule.COLLATERAL_SPOT_PRICE: (0, 1), Rule.BLEND_SPOT: (0, RATE_ONE),
    Rule.BLEND_INDEX: (0, RATE_ONE), Rule.BLEND_REDEMPTION: (0, RATE_ONE), Rule.EXCHANGE_LTV: (0, RATE_ONE),
    Rule.MARK_PERIOD: (0, 10**18), Rule.FUNDING_INTERVAL: (0, 10**18), Rule.BASIS_SAMPLES: (0, 512),
    Rule.TAKEOVER: (0, 4),
    Rule.BACKSTOP_AT: (0, RATE_ONE),
    Rule.SLICE_COOLDOWN: (0, 10**18),
    Rule.HAND_OVER_TIER: (1, 0xFFFF),
    Rule.CLOSE_REST: (0, 1),
    Rule.LIQUIDATION_BUFFER: (0, RATE_ONE),
    Rule.REDUCE_LEAVE: (0, RATE_ONE),
    Rule.LIQUIDATION_FEE_BASE: (0, 3),
    Rule.POSITION_BLOCK_RATE: (0, RATE_ONE),
    Rule.CURE_PERIOD: (0, 10**18),
    Rule.CURE_START: (0, RATE_ONE),
    Rule.LIQUIDATOR_FEE: (0, RATE_ONE - 1),
    Rule.MAX_ORDERS: (0, 0xFFFF), Rule.MAX_CONDITIONAL: (0, 0xFFFF),
    Rule.DAY_START: (0, DAY_NS - 1), Rule.COVER_FROM_FEES: (0, 1),
    Rule.FUND_TRIGGER: (0, 3), Rule.DRAWDOWN_TRIGGER: (0, RATE_ONE), Rule.DRAWDOWN_STOP: (0, RATE_ONE),
    Rule.DRAWDOWN_WINDOW: (0, 10**18), Rule.FUND_SAMPLE_PERIOD: (0, 10**18), Rule.WITHDRAW_GATE: (0, 10**18),
    Rule.DISPOSAL_FRACTION_MAX: (0, RATE_ONE), Rule.DISPOSAL_BAND: (0, RATE_ONE - 1),
} | price_rules.RANGES  # fmt: skip


def set_market_state(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    before, matched = m.state, m.matches()
    last = MarketState.REDUCE_ONLY if c.flags & Flag.TAPE else MarketState.CLOSED  # no tape ends a market
    if not MarketState.PRE_OPEN <= c.aux <= last:
        return reject(v, c, Reject.BAD_ENUM)
    if before in ENDED and c.aux < before:
        return reject(v, c, Reject.MARKET_STATE)
    if c.aux == MarketState.CLOSED and before not in ENDED:
        return reject(v, c, Reject.MARKET_STATE)  # positions must be settled first
    if c.aux == MarketState.SETTLING:
        if c.value > m.price_max * m.tick_value or 0 < c.value < m.mark_min:
            return reject(v, c, Reject.BAD_VALUE)
        if c.value <= 0 and m.mark == 0:
            return reject(v, c, Reject.NO_MARK)
    m.state = c.aux
    v.emit(EventKind.MARKET_STATE, market=c.market, aux=c.aux, value=before)
    if m.matches() and not matched:
        uncross(v, m)
        trade_crossed(v, m)
        recorded_crossed(v, m)
    if c.aux == MarketState.SETTLING and before not in ENDED:
        settle_market(v, m, c.value)
    return Reject.NONE


def settle_market(v: Venue, m: Market, price: int) -> None:
    """Orders go, every position is closed at one price; what the roundings leave goes to the rounding account."""
    if price > 0:
        change_mark(v, m, price)
    for p in m.newest_first():
        cancel_orders_of(v, p, Reject.BY_MARKET_STATE)
        end_claim(v, p, Reject.BY_MARKET_STATE)
        if p.lots:
            lots, value = p.lots, value_of(p)
            v.emit(EventKind.SETTLEMENT, account=p.account, market=m.number, size_lots=lots, value=value)
            settle_at_mark(v, p)
    clearing = v.clearing(m)
    transfer(clearing, v.wallet(v.rounding, m.asset), clearing.balance)
    m.accrued_paid = 0
    mark_group_end(v)


# ---- the auction ---------------------------------------------------------------------------------------------------


def account_orders(m: Market, side: int) -> list[Order]:
    orders = [s for queue in m.sides[side].queues.values() for s in queue if isinstance(s, Order)]
    return [o for o in orders if o.position is not m.world_position]  # recorded orders take no part in an auction


def auction_price(m: Market) -> int | None:
    """The order price with the largest volume; then the smallest surplus; then nearest to the mark; then the lowest."""
    bids, asks = account_orders(m, BUY), account_orders(m, SELL)
    if not bids or not asks:
        return None
    lowest, highest = min(o.price for o in asks), max(o.price for o in bids)
    reference = m.mark // m.tick_value

    def merit(price: int) -> tuple[int, int, int, int]:
        buyers = sum(o.lots for o in bids if o.price >= price)
        sellers = sum(o.lots for o in asks if o.price <= price)
        return -min(buyers, sellers), abs(buyers - sellers), abs(price - reference), price

    return min((o.price for o in bids + asks if lowest <= o.price <= highest), key=merit, default=None)


def uncross(v: Venue, m: Market) -> None:
    """All crossing account orders trade at one price, in price-time priority; the buyer counts as the taker."""
    price = auction_price(m)
    if price is None:
        return
    while True:
        buy, sell = best_order(m, BUY), best_order(m, SELL)
        if buy is None or sell is None or buy.price < price or sell.price > price:
            return
        lots = min(buy.lots, sell.lots)
        pair(v, m, buy, sell, lots, price)


def pair(v: Venue, m: Market, buy: Order, sell: Order, lots: int, price: int) -> None:
    buy.lots -= lots
    buy.filled += lots
    if buy.lots == 0:
        forget(v, buy)
        tidy(m, BUY, buy.price)
    taker = Taker(buy.position, buy.order_id, BUY, buy.price, lots)
    fill_order(v, taker, sell, lots, price)


# ---- rules ---------------------------------------------------------------------------------------------------------


def set_rule(v: Venue, c: Command) -> int:
    """One number of the rulebook changes at a date."""
    target, name = v, VENUE_RULES.get(c.aux)
    if c.aux < 20 or 100 <= c.aux < 200:
        if c.market >= len(v.markets):
            return reject(v, c, Reject.UNKNOWN_MARKET)
        target, name = v.markets[c.market], MARKET_RULES.get(c.aux)
    if name is None:
        return reject(v, c, Reject.UNKNOWN_RULE)
    low, high = RANGES.get(c.aux, (0, 2**63))
    slices_without_period = c.aux == Rule.FUND_UNWIND and c.value >= FundUnwind.SLICES and v.fund_unwind_period_ns <= 0
    if not low <= c.value <= high or slices_without_period or not (
        target is not v or (rules_fit(v, name, c.value) and rounds_fit(v, name, c.value))
    ):
        return reject(v, c, Reject.BAD_VALUE)
    if target is not v:
        if c.aux == Rule.FUNDING_CONTINUOUS and target.funding_continuous:
            accrual.settle_all(v, target)
        accrual.rebase(target)
    setattr(target, name, c.value)
    if c.aux == Rule.MARK_PERIOD:
        start_mark_timer(v, target)
    elif c.aux == Rule.INDEX_PERIOD:
        start_index_timer(v, target)
    elif c.aux == Rule.PREMIUM_PERIOD:
        start_premium_timer(v, target)
    elif c.aux == Rule.INDEX_METHOD and c.value == IndexMethod.GIVEN:
        target.index_lost = False
    elif c.aux == Rule.FUNDING_INTERVAL:
        start_funding_timer(v, target)
    elif c.aux == Rule.BASIS_SAMPLES:
        target.basis = []
    elif c.aux == Rule.FUNDING_CONTINUOUS and c.value:
        accrual.begin(target)
    elif c.aux in (Rule.FUND_TRIGGER, Rule.DRAWDOWN_WINDOW, Rule.FUND_SAMPLE_PERIOD):
        start_fund_timer(v)
    elif c.aux in (Rule.SOCIALISE, Rule.DAY_START):
        start_day_timer(v)
    elif c.aux in (Rule.ADL_LIGHT, Rule.ADL_LIGHT_PERIOD):
        start_light_timer(v)
    v.emit(EventKind.RULE, market=c.market, aux=c.aux, value=c.value)
    return Reject.NONE
