"""What crosses the border: numbers of kinds, flags and reasons, and the two records. A test compares the core's."""

from dataclasses import dataclass
from typing import NamedTuple

BUY, SELL = 0, 1
GTC, IOC, FOK, GTD = range(4)
CROSS, ISOLATED = 0, 1
LAST, MARK = 0, 1
NO_ORDER = -(2**63 - 1)
ALL_MARKETS = 0xFFFF
RATE_ONE = 1_000_000_000
VALUE_ONE = 100_000_000
EIGHT_HOURS_NS = 8 * 3600 * 1_000_000_000


class Kind:
    PLACE, CANCEL, AMEND, CANCEL_ALL, SET_LEVERAGE, SET_MARGIN_MODE, SET_POSITION_MODE, DEPOSIT = range(1, 9)
    WITHDRAW, MOVE_MARGIN, SEED_POSITION, SET_INDEX, SET_MARK, SET_COLLATERAL_PRICE, TAPE_LEVEL = range(9, 16)
    TAPE_TRADE, TAPE_ORDER, TICK, SET_RULE, SET_MARKET_STATE, ADL_DECISION, SET_FUNDING = range(16, 23)
    SET_SHOCK, SET_ACCOUNT = range(23, 25)


class Flag:
    MORE, MARKET, POST_ONLY, REDUCE_ONLY, CLOSE_POSITION, STOP = (1 << bit for bit in range(6))
    TAKE_PROFIT, TRAILING, SNAPSHOT, TAPE, PRICE_PROTECT = (1 << bit for bit in range(6, 11))


CONDITIONAL = Flag.STOP | Flag.TAKE_PROFIT | Flag.TRAILING
FLAGS_KEPT = Flag.MARKET | Flag.POST_ONLY | Flag.REDUCE_ONLY | Flag.CLOSE_POSITION | CONDITIONAL | Flag.PRICE_PROTECT


class Leg:
    BOTH, LONG, SHORT = range(3)


class StpMode:
    NONE, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH = range(4)


class EventKind:
    REJECTED, ACCEPTED, TRADE, CANCELLED, AMENDED, TRIGGERED, LEVERAGE, MARGIN_MODE, POSITION_MODE = range(1, 10)
    DEPOSIT, WITHDRAWAL, MARGIN_MOVED, POSITION_SEEDED, MARK, INDEX, FUNDING_RATE, FUNDING_PAYMENT = range(10, 18)
    FUNDING_SETTLED, LIQUIDATION_STARTED, LIQUIDATION_ORDER, LIQUIDATION_FEE, TAKEOVER, ADL = range(18, 24)
    FUND_COVER, SOCIALISED_LOSS, VENUE_DEFICIT, LIQUIDATION_ENDED, FUND_ORDER, MARKET_STATE = range(24, 30)
    RULE, SETTLEMENT, SHOCK, TAPE_UNFILLED, ACCOUNT = range(30, 35)
    LEGS_NETTED = 44
    ADL_FEE = 58
    FUND_TRIGGER, WITHDRAW_GATE = range(54, 56)


class Reject:
    NONE, UNKNOWN_KIND, UNKNOWN_MARKET, UNKNOWN_ACCOUNT, HOUSE_ACCOUNT, UNKNOWN_ASSET, MARKET_STATE = range(7)
    BAD_ENUM, ONE_WAY_ONLY, BAD_ORDER_ID, DUPLICATE_ORDER_ID, BAD_SIZE, BAD_PRICE, BAD_FLAGS = range(7, 14)
    BAD_EXPIRY, IN_LIQUIDATION, BAD_TRIGGER, WOULD_TRIGGER, NO_MARK, PRICE_BAND, MIN_NOTIONAL = range(14, 21)
    MAX_ORDERS, REDUCE_ONLY, WOULD_TAKE, NOT_FILLABLE, POSITION_CAP, LEVERAGE_CAP = range(21, 27)
    INSUFFICIENT_MARGIN, UNKNOWN_ORDER, BAD_VALUE, POSITION_OPEN, ORDERS_OPEN, NOT_ISOLATED = range(27, 33)
    NOT_COLLATERAL, NO_DECISION_PENDING, UNKNOWN_RULE, TIME_BACKWARDS = range(33, 37)
    HEDGE_ONLY = 40
    WITHDRAWALS_GATED = 47
    BY_USER, BY_IOC, BY_FOK, BY_EXPIRED, BY_SELF_TRADE, BY_REDUCE_ONLY, BY_LIQUIDATION, BY_ADL = range(101, 109)
    BY_MARKET_STATE, BY_MARGIN, BY_AMENDED_AWAY, BY_BAND, BY_TAPE, BY_PRICE_PROTECT = range(109, 115)


class MarketState:
    PRE_OPEN, AUCTION, OPEN, HALTED, REDUCE_ONLY, SETTLING, CLOSED = range(7)


class TapeOrder:
    ADD, REDUCE, DELETE, EXECUTE = range(4)


class Rule:
    MAKER_FEE, TAKER_FEE, LIQUIDATION_FEE, BAND_UP, BAND_DOWN, MARKET_BOUND, MIN_NOTIONAL, MAX_ORDERS = range(1, 9)
    MAX_CONDITIONAL, FUNDING_INTERVAL, MARK_METHOD, MARK_PERIOD, BASIS_SAMPLES = range(9, 14)
    LIQUIDATION_PERIOD, LIQUIDATION_DELAY, REDUCE_METHOD, REDUCE_LIMIT, REDUCE_SLICE = range(20, 25)
    FUND_NOTIONAL_CAP, FUND_UNWIND, FUND_UNWIND_PERIOD, FUND_UNWIND_SLICE, ADL_POLICY = range(25, 30)
    ADL_PRICE, SOCIALISE, CROSS_ORDER = range(30, 33)
    NET_HEDGES = 33
    ORDER_MAINTENANCE = 121
    ADL_PRICE_BAND, ADL_FEE = range(65, 67)
    TAKEOVER, BACKSTOP_AT, SLICE_ABOVE, SLICE_COOLDOWN, HAND_OVER_TIER, CLOSE_REST = range(35, 41)
    LIQUIDATION_BUFFER, REDUCE_LEAVE, LIQUIDATION_FEE_BASE, POSITION_BLOCK_RATE = range(41, 45)
    POSITION_BLOCK_MIN, ACCOUNT_BLOCK_NOTIONAL, CURE_PERIOD, CURE_START, LIQUIDATOR_FEE = range(45, 50)
    CLIP_LOTS = 110
    FUND_TRIGGER, DRAWDOWN_TRIGGER, DRAWDOWN_STOP, DRAWDOWN_WINDOW, DRAWDOWN_THRESHOLD, FUND_FLOOR = range(50, 56)
    FUND_SAMPLE_PERIOD, WITHDRAW_GATE, DISPOSAL_FRACTION_MAX, DISPOSAL_BAND, FUND_LOSS_CAP = range(56, 61)


class MarkMethod:
    GIVEN, MEDIAN3 = range(2)


class ReduceMethod:
    NONE, TO_SAFE, TIER, WHOLE, SLICE, TIER_FOK, TWO_TIERS, LOWEST_TIER = range(8)
    CLIPS, SLICE_COOLDOWN, BLOCK, CURE = range(8, 12)


class ReduceLimit:
    BANKRUPTCY, BAND, NONE, FILLABLE, LEAVE, LIQUIDATOR = range(6)


class Takeover:
    FUND, BACKSTOP, NONE, NETWORK, ADL = range(5)


class LiquidationFee:
    NOTIONAL, RESIDUE, BANKRUPTCY, COLLATERAL = range(4)


class FundUnwind:
    HOLD, AT_ONCE, SLICES, DISPOSAL = range(4)


class FundTrigger:
    CAPACITY, EMPTY, DRAWDOWN, DROP = range(4)


class AdlPolicy:
    NONE, BITMEX, BINANCE, BYBIT, OKX, OKX_ROI, BITGET, BITGET_LEVERAGE, HYPERLIQUID, DYDX, CUBE = range(11)
    RESEARCH_RETURN, RESEARCH_BALANCE, RESEARCH_PNL_RATIO = range(11, 14)


class AdlPrice:
    BANKRUPTCY, MARK, BANKRUPTCY_NEAR, PREVIOUS_MARK = range(4)


class AdlFee:
    NONE, MAKER = range(2)


class Socialise:
    NONE, WINNERS = range(2)


class CrossOrder:
    LARGEST_MAINTENANCE, LARGEST_LOSS = range(2)


class QueueModel:
    BEHIND_FIRST, PROPORTIONAL = range(2)


class TapeWalk:
    DROP, DEEPER = range(2)


@dataclass(slots=True)
class Command:
    kind: int
    time_ns: int = 0
    account: int = 0
    market: int = 0
    order_id: int = 0
    side: int = 0
    position_side: int = 0
    tif: int = 0
    flags: int = 0
    price_ticks: int = 0
    size_lots: int = 0
    trigger_ticks: int = 0
    trigger_source: int = 0
    stp_mode: int = 0
    expire_ns: int = 0
    asset: int = 0
    value: int = 0
    aux: int = 0


class Event(NamedTuple):
    """Fields in the order of the record on the wire; what a kind does not use is 0, nobody is account -1."""

    sequence: int
    time_ns: int
    order_id: int = 0
    maker_order_id: int = 0
    price_ticks: int = 0
    size_lots: int = 0
    fee: int = 0
    value: int = 0
    aux: int = 0
    account: int = -1
    maker_account: int = -1
    market: int = 0
    reason: int = 0
    kind: int = 0
    venue: int = 0
    asset: int = 0
    side: int = 0


EVENT_FIELDS = Event._fields
