"""NumPy dtypes and enums of the engine's border. ARCHITECTURE.md says what each field means for each kind."""

from enum import IntEnum, IntFlag

import numpy as np

COMMAND: np.dtype[np.void]
EVENT: np.dtype[np.void]
MARKETS_ALL: int
WORLD_ORDER: int

class Side(IntEnum):
    BUY = 0
    SELL = 1

class PositionSide(IntEnum):
    BOTH = 0
    LONG = 1
    SHORT = 2

class Tif(IntEnum):
    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3

class Flag(IntFlag):
    MORE = 1
    MARKET = 2
    POST_ONLY = 4
    REDUCE_ONLY = 8
    CLOSE_POSITION = 16
    STOP = 32
    TAKE_PROFIT = 64
    TRAILING = 128
    SNAPSHOT = 256
    TAPE = 512
    PRICE_PROTECT = 1024

class StpMode(IntEnum):
    NONE = 0
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3

class TriggerSource(IntEnum):
    LAST = 0
    MARK = 1

class Kind(IntEnum):
    PLACE = 1
    CANCEL = 2
    AMEND = 3
    CANCEL_ALL = 4
    SET_LEVERAGE = 5
    SET_MARGIN_MODE = 6
    SET_POSITION_MODE = 7
    DEPOSIT = 8
    WITHDRAW = 9
    MOVE_MARGIN = 10
    SEED_POSITION = 11
    SET_INDEX = 12
    SET_MARK = 13
    SET_COLLATERAL_PRICE = 14
    TAPE_LEVEL = 15
    TAPE_TRADE = 16
    TAPE_ORDER = 17
    TICK = 18
    SET_RULE = 19
    SET_MARKET_STATE = 20
    ADL_DECISION = 21
    SET_FUNDING = 22
    SET_SHOCK = 23
    SET_ACCOUNT = 24
    SET_RISK_LIMIT = 25
    SET_SOURCE = 28
    SET_FLOW = 29

class EventKind(IntEnum):
    REJECTED = 1
    ACCEPTED = 2
    TRADE = 3
    CANCELLED = 4
    AMENDED = 5
    TRIGGERED = 6
    LEVERAGE = 7
    MARGIN_MODE = 8
    POSITION_MODE = 9
    DEPOSIT = 10
    WITHDRAWAL = 11
    MARGIN_MOVED = 12
    POSITION_SEEDED = 13
    MARK = 14
    INDEX = 15
    FUNDING_RATE = 16
    FUNDING_PAYMENT = 17
    FUNDING_SETTLED = 18
    LIQUIDATION_STARTED = 19
    LIQUIDATION_ORDER = 20
    LIQUIDATION_FEE = 21
    TAKEOVER = 22
    ADL = 23
    FUND_COVER = 24
    SOCIALISED_LOSS = 25
    VENUE_DEFICIT = 26
    LIQUIDATION_ENDED = 27
    FUND_ORDER = 28
    MARKET_STATE = 29
    RULE = 30
    SETTLEMENT = 31
    SHOCK = 32
    TAPE_UNFILLED = 33
    ACCOUNT = 34
    LEGS_NETTED = 44
    ADL_FEE = 58
    ADL_LIGHT = 59
    ADL_PENDING = 60
    SOURCE = 46
    INDEX_LOST = 47
    FUNDING_INTERVAL = 48
    FUND_TRIGGER = 54
    WITHDRAW_GATE = 55
    COLLATERAL_PRICE = 62
    AUTO_EXCHANGE = 63
    COLLATERAL_ORDER = 64
    IMPACT = 66
    ATTRIBUTED = 72
    RISK_LIMIT = 42

class MarketState(IntEnum):
    PRE_OPEN = 0
    AUCTION = 1
    OPEN = 2
    HALTED = 3
    REDUCE_ONLY = 4
    SETTLING = 5
    CLOSED = 6

class MarginMode(IntEnum):
    CROSS = 0
    ISOLATED = 1
    MULTI = 2

class TapeOrder(IntEnum):
    ADD = 0
    REDUCE = 1
    DELETE = 2
    EXECUTE = 3

class TapeRow(IntEnum):
    LEVEL = 1
    TRADE = 2
    MARK = 3
    INDEX = 4
    FUNDING = 5
    OFF_BOOK = 6
    LIQUIDATION = 7
    OPEN_INTEREST = 8
    ORDER_ADD = 9
    ORDER_REDUCE = 10
    ORDER_DELETE = 11
    ORDER_EXECUTE = 12
    STATE = 13
    QUOTE = 14
    KIND_BITS = 15
    SIDE_BIT = 16
    MORE_BIT = 32
    SNAPSHOT_BIT = 64

class Rule(IntEnum):
    MAKER_FEE = 1
    TAKER_FEE = 2
    LIQUIDATION_FEE = 3
    BAND_UP = 4
    BAND_DOWN = 5
    MARKET_BOUND = 6
    MIN_NOTIONAL = 7
    MAX_ORDERS = 8
    MAX_CONDITIONAL = 9
    FUNDING_INTERVAL = 10
    MARK_METHOD = 11
    MARK_PERIOD = 12
    BASIS_SAMPLES = 13
    LIQUIDATION_PERIOD = 20
    LIQUIDATION_DELAY = 21
    REDUCE_METHOD = 22
    REDUCE_LIMIT = 23
    REDUCE_SLICE = 24
    FUND_NOTIONAL_CAP = 25
    FUND_UNWIND = 26
    FUND_UNWIND_PERIOD = 27
    FUND_UNWIND_SLICE = 28
    ADL_POLICY = 29
    ADL_PRICE = 30
    SOCIALISE = 31
    CROSS_ORDER = 32
    NET_HEDGES = 33
    ORDER_MAINTENANCE = 121
    ADL_PRICE_BAND = 65
    ADL_FEE = 66
    ADL_LIGHT = 67
    ADL_LIGHT_LEVELS = 68
    ADL_LIGHT_PERIOD = 69
    TAKEOVER = 35
    BACKSTOP_AT = 36
    SLICE_ABOVE = 37
    SLICE_COOLDOWN = 38
    HAND_OVER_TIER = 39
    CLOSE_REST = 40
    LIQUIDATION_BUFFER = 41
    REDUCE_LEAVE = 42
    LIQUIDATION_FEE_BASE = 43
    POSITION_BLOCK_RATE = 44
    POSITION_BLOCK_MIN = 45
    ACCOUNT_BLOCK_NOTIONAL = 46
    CURE_PERIOD = 47
    CURE_START = 48
    LIQUIDATOR_FEE = 49
    OI_LOWER_CAP = 100
    OI_UPPER_CAP = 101
    CLIP_LOTS = 110
    MAINTENANCE_VALUE = 111
    OI_FLOOR_LOTS = 112
    LOWER_LIMIT_FIRST = 113
    INDEX_METHOD = 130
    INDEX_PERIOD = 131
    OUTLIER_RULE = 132
    OUTLIER_BAND = 133
    OUTLIER_RETURN_BAND = 134
    OUTLIER_RETURN = 135
    SOURCE_STALE = 136
    SOURCES_FEW = 137
    LAST_PRICE_PROTECTION = 138
    MARK_EMA = 139
    MARK_FALLBACK = 140
    MARK_BOUND_UP = 141
    MARK_BOUND_DOWN = 142
    MARK_MID_BOUND = 143
    MARK_STEP = 144
    MARK_UNIT = 145
    PREMIUM_AVERAGE = 146
    PREMIUM_SOURCE = 147
    FUNDING_FORMULA = 148
    FUNDING_CHANGE_CAP = 149
    FUNDING_CAP_MARGIN = 150
    FUNDING_CHANGE_MARGIN = 151
    IMPACT_MARGIN = 152
    FUNDING_PRICE = 153
    FUNDING_OFFSET = 154
    FUNDING_CAPPED_INTERVAL = 155
    FUNDING_QUIET_INTERVAL = 156
    FUNDING_QUIET_CYCLES = 157
    FUNDING_QUIET_RATE = 158
    PREMIUM_PERIOD = 159
    INTEREST_RATE = 160
    FUNDING_INNER = 161
    FUNDING_CAP = 162
    IMPACT_NOTIONAL = 163
    FUNDING_CONTINUOUS = 164
    MARK_COMPOSITION = 165
    MARK_WINDOW = 166
    MARK_WEIGHT_TRADES = 167
    MARK_WEIGHT_BOOK = 168
    MARK_WEIGHT_INDEX = 169
    FUND_TRIGGER = 50
    DRAWDOWN_TRIGGER = 51
    DRAWDOWN_STOP = 52
    DRAWDOWN_WINDOW = 53
    DRAWDOWN_THRESHOLD = 54
    FUND_FLOOR = 55
    FUND_SAMPLE_PERIOD = 56
    WITHDRAW_GATE = 57
    DISPOSAL_FRACTION_MAX = 58
    DISPOSAL_BAND = 59
    FUND_LOSS_CAP = 60
    DAY_START = 62
    COVER_FROM_FEES = 63
    COLLATERAL_ORACLE = 80
    COLLATERAL_SPOT_PRICE = 81
    BLEND_SPOT = 82
    BLEND_INDEX = 83
    BLEND_REDEMPTION = 84
    EXCHANGE_LTV = 85

class MarkMethod(IntEnum):
    GIVEN = 0
    MEDIAN3 = 1
    BASIS_MEAN = 2
    BASIS_EMA = 3
    FUNDING_BASIS = 4
    ORACLE = 5
    HYPERLIQUID = 6
    COMPOSITE = 7

class MarkComposition(IntEnum):
    WEIGHTED = 0
    MEDIAN = 1

class IndexMethod(IntEnum):
    GIVEN = 0
    WEIGHTED_MEAN = 1
    WEIGHTED_MEDIAN = 2
    MEAN = 3

class OutlierRule(IntEnum):
    NONE = 0
    ZERO_WEIGHT = 1
    CLAMP = 2
    EXCLUDE = 3

class PremiumAverage(IntEnum):
    LINEAR_WEIGHTS = 0
    EQUAL = 1

class PremiumSource(IntEnum):
    IMPACT = 0
    MARK = 1
    FAIR_BASIS = 2

class FundingFormula(IntEnum):
    SCALED = 0
    PLAIN = 1
    DAMPER = 2

class FundingPrice(IntEnum):
    MARK = 0
    INDEX = 1

class ReduceMethod(IntEnum):
    NONE = 0
    TO_SAFE = 1
    TIER = 2
    WHOLE = 3
    SLICE = 4
    TIER_FOK = 5
    TWO_TIERS = 6
    LOWEST_TIER = 7
    CLIPS = 8
    SLICE_COOLDOWN = 9
    BLOCK = 10
    CURE = 11

class ReduceLimit(IntEnum):
    BANKRUPTCY = 0
    BAND = 1
    NONE = 2
    FILLABLE = 3
    LEAVE = 4
    LIQUIDATOR = 5

class Takeover(IntEnum):
    FUND = 0
    BACKSTOP = 1
    NONE = 2
    NETWORK = 3
    ADL = 4

class LiquidationFee(IntEnum):
    NOTIONAL = 0
    RESIDUE = 1
    BANKRUPTCY = 2
    COLLATERAL = 3

class FundUnwind(IntEnum):
    HOLD = 0
    AT_ONCE = 1
    SLICES = 2
    DISPOSAL = 3

class FundTrigger(IntEnum):
    CAPACITY = 0
    EMPTY = 1
    DRAWDOWN = 2
    DROP = 3

class AdlPolicy(IntEnum):
    NONE = 0
    BITMEX = 1
    BINANCE = 2
    BYBIT = 3
    OKX = 4
    OKX_ROI = 5
    BITGET = 6
    BITGET_LEVERAGE = 7
    HYPERLIQUID = 8
    DYDX = 9
    CUBE = 10
    RESEARCH_RETURN = 11
    RESEARCH_BALANCE = 12
    RESEARCH_PNL_RATIO = 13
    CONTRACT_PRO_RATA = 14
    WEALTH_PRO_RATA = 15
    MIN_MAX = 16
    RISK_AWARE = 17
    HEDGE_AWARE = 18
    RESEARCH_PNL_PRO_RATA = 19
    RESEARCH_EQUITY_PRO_RATA = 20
    RESEARCH_MIRROR_DESCENT = 21
    USER = 22

class AdlFault(IntEnum):
    """What is wrong with an ADL decision: `value` of the rejection."""

    NONE = 0
    MARKET = 1
    ACCOUNT = 2
    HOUSE = 3
    SIDE = 4
    LIQUIDATION = 5
    SIZE = 6
    HELD = 7
    LEFT = 8

class AdlPrice(IntEnum):
    BANKRUPTCY = 0
    MARK = 1
    BANKRUPTCY_NEAR = 2
    PREVIOUS_MARK = 3

class AdlFee(IntEnum):
    NONE = 0
    MAKER = 1

class AdlLight(IntEnum):
    NONE = 0
    USERS = 1
    CONTRACTS = 2

class Socialise(IntEnum):
    NONE = 0
    WINNERS = 1
    OPEN_INTEREST = 2
    DAY_WINNERS = 3
    PAYOUTS = 4

class CrossOrder(IntEnum):
    LARGEST_MAINTENANCE = 0
    LARGEST_LOSS = 1

class CollateralOracle(IntEnum):
    INDEX = 0
    VENUE_SPOT = 1
    REDEMPTION = 2
    BLEND = 3

class SpotPrice(IntEnum):
    LAST = 0
    MID = 1

class QueueModel(IntEnum):
    BEHIND_FIRST = 0
    PROPORTIONAL = 1
    POWER = 2
    LOG = 3
    FRONT_FIRST = 4

class TapeWalk(IntEnum):
    DROP = 0
    DEEPER = 1

class ContractKind(IntEnum):
    LINEAR = 0
    INVERSE = 1

class TierMethod(IntEnum):
    MARGINAL = 0
    WHOLE = 1
    LINEAR = 2

class MaintenanceValue(IntEnum):
    MARK = 0
    ENTRY = 1

class ValueRounding(IntEnum):
    PER_TRADE = 0
    PER_LOT = 1

class Reject(IntEnum):
    NONE = 0
    UNKNOWN_KIND = 1
    UNKNOWN_MARKET = 2
    UNKNOWN_ACCOUNT = 3
    HOUSE_ACCOUNT = 4
    UNKNOWN_ASSET = 5
    MARKET_STATE = 6
    BAD_ENUM = 7
    ONE_WAY_ONLY = 8
    BAD_ORDER_ID = 9
    DUPLICATE_ORDER_ID = 10
    BAD_SIZE = 11
    BAD_PRICE = 12
    BAD_FLAGS = 13
    BAD_EXPIRY = 14
    IN_LIQUIDATION = 15
    BAD_TRIGGER = 16
    WOULD_TRIGGER = 17
    NO_MARK = 18
    PRICE_BAND = 19
    MIN_NOTIONAL = 20
    MAX_ORDERS = 21
    REDUCE_ONLY = 22
    WOULD_TAKE = 23
    NOT_FILLABLE = 24
    POSITION_CAP = 25
    LEVERAGE_CAP = 26
    INSUFFICIENT_MARGIN = 27
    UNKNOWN_ORDER = 28
    BAD_VALUE = 29
    POSITION_OPEN = 30
    ORDERS_OPEN = 31
    NOT_ISOLATED = 32
    NOT_COLLATERAL = 33
    NO_DECISION_PENDING = 34
    UNKNOWN_RULE = 35
    TIME_BACKWARDS = 36
    RISK_LIMIT = 38
    OI_LIMIT = 39
    HEDGE_ONLY = 40
    UNKNOWN_SOURCE = 43
    WITHDRAWALS_GATED = 47
    DECISION_PENDING = 50
    BAD_DECISION = 51
    NOT_CROSS = 52
    DEBT = 53
    NO_COLLATERAL_PRICE = 54
    BY_USER = 101
    BY_IOC = 102
    BY_FOK = 103
    BY_EXPIRED = 104
    BY_SELF_TRADE = 105
    BY_REDUCE_ONLY = 106
    BY_LIQUIDATION = 107
    BY_ADL = 108
    BY_MARKET_STATE = 109
    BY_MARGIN = 110
    BY_AMENDED_AWAY = 111
    BY_BAND = 112
    BY_TAPE = 113
    BY_PRICE_PROTECT = 114
    BY_UNHEDGED = 150
    BY_BEYOND_DEPTH = 151
