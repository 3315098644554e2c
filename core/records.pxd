# The records that cross the engine's border, and their numbers. A table in ARCHITECTURE.md says what each field
# means for each kind. Numbers are part of the format: never reuse one.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef packed struct Command:         # 80 bytes
    int64_t time_ns
    int64_t order_id
    int64_t price_ticks
    int64_t size_lots
    int64_t trigger_ticks
    int64_t expire_ns
    int64_t value
    int64_t aux
    int32_t account
    uint16_t market
    uint16_t flags
    uint8_t kind
    uint8_t venue
    uint8_t asset
    uint8_t side
    uint8_t position_side
    uint8_t tif
    uint8_t trigger_source
    uint8_t stp_mode

cdef packed struct Event:           # 88 bytes
    int64_t sequence
    int64_t time_ns
    int64_t order_id
    int64_t maker_order_id
    int64_t price_ticks
    int64_t size_lots
    int64_t fee
    int64_t value
    int64_t aux
    int32_t account
    int32_t maker_account
    uint16_t market
    uint16_t reason
    uint8_t kind
    uint8_t venue
    uint8_t asset
    uint8_t side

cdef enum:
    ALL_MARKETS = 0xFFFF

cdef extern from *:
    """
    #define PERPSIM_NO_ORDER (-INT64_MAX)
    """
    const int64_t NO_ORDER "PERPSIM_NO_ORDER"   # maker_order_id of recorded liquidity, which carries no id

cdef enum:
    SIDE_BUY = 0
    SIDE_SELL = 1

cdef enum:                      # Command.position_side
    LEG_BOTH = 0
    LEG_LONG = 1
    LEG_SHORT = 2

cdef enum:
    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2
    TIF_GTD = 3
    TIF_LAST = 3

cdef enum:
    FLAG_MORE = 1
    FLAG_MARKET = 2
    FLAG_POST_ONLY = 4
    FLAG_REDUCE_ONLY = 8
    FLAG_CLOSE_POSITION = 16
    FLAG_STOP = 32
    FLAG_TAKE_PROFIT = 64
    FLAG_TRAILING = 128
    FLAG_SNAPSHOT = 256
    FLAG_TAPE = 512
    FLAG_PRICE_PROTECT = 1024

cdef enum:
    STP_NONE = 0
    STP_EXPIRE_TAKER = 1
    STP_EXPIRE_MAKER = 2
    STP_EXPIRE_BOTH = 3
    STP_LAST = 3

cdef enum:
    SOURCE_LAST = 0
    SOURCE_MARK = 1

cdef enum:
    KIND_PLACE = 1
    KIND_CANCEL = 2
    KIND_AMEND = 3
    KIND_CANCEL_ALL = 4
    KIND_SET_LEVERAGE = 5
    KIND_SET_MARGIN_MODE = 6
    KIND_SET_POSITION_MODE = 7
    KIND_DEPOSIT = 8
    KIND_WITHDRAW = 9
    KIND_MOVE_MARGIN = 10
    KIND_SEED_POSITION = 11
    KIND_SET_INDEX = 12
    KIND_SET_MARK = 13
    KIND_SET_COLLATERAL_PRICE = 14
    KIND_TAPE_LEVEL = 15
    KIND_TAPE_TRADE = 16
    KIND_TAPE_ORDER = 17
    KIND_TICK = 18
    KIND_SET_RULE = 19
    KIND_SET_MARKET_STATE = 20
    KIND_ADL_DECISION = 21
    KIND_SET_FUNDING = 22
    KIND_SET_SHOCK = 23
    KIND_SET_ACCOUNT = 24
    KIND_SET_RISK_LIMIT = 25
    KIND_SET_SOURCE = 28
    KIND_SET_FLOW = 29

cdef enum:
    EVENT_REJECTED = 1
    EVENT_ACCEPTED = 2
    EVENT_TRADE = 3
    EVENT_CANCELLED = 4
    EVENT_AMENDED = 5
    EVENT_TRIGGERED = 6
    EVENT_LEVERAGE = 7
    EVENT_MARGIN_MODE = 8
    EVENT_POSITION_MODE = 9
    EVENT_DEPOSIT = 10
    EVENT_WITHDRAWAL = 11
    EVENT_MARGIN_MOVED = 12
    EVENT_POSITION_SEEDED = 13
    EVENT_MARK = 14
    EVENT_INDEX = 15
    EVENT_FUNDING_RATE = 16
    EVENT_FUNDING_PAYMENT = 17
    EVENT_FUNDING_SETTLED = 18
    EVENT_LIQUIDATION_STARTED = 19
    EVENT_LIQUIDATION_ORDER = 20
    EVENT_LIQUIDATION_FEE = 21
    EVENT_TAKEOVER = 22
    EVENT_ADL = 23
    EVENT_FUND_COVER = 24
    EVENT_SOCIALISED_LOSS = 25
    EVENT_VENUE_DEFICIT = 26
    EVENT_LIQUIDATION_ENDED = 27
    EVENT_FUND_ORDER = 28
    EVENT_MARKET_STATE = 29
    EVENT_RULE = 30
    EVENT_SETTLEMENT = 31
    EVENT_SHOCK = 32
    EVENT_TAPE_UNFILLED = 33
    EVENT_ACCOUNT = 34
    EVENT_LEGS_NETTED = 44
    EVENT_ADL_FEE = 58
    EVENT_ADL_LIGHT = 59
    EVENT_ADL_PENDING = 60
    EVENT_SOURCE = 46
    EVENT_INDEX_LOST = 47
    EVENT_FUNDING_INTERVAL = 48
    EVENT_FUND_TRIGGER = 54
    EVENT_WITHDRAW_GATE = 55
    EVENT_COLLATERAL_PRICE = 62
    EVENT_AUTO_EXCHANGE = 63
    EVENT_COLLATERAL_ORDER = 64
    EVENT_IMPACT = 66
    EVENT_ATTRIBUTED = 72
    EVENT_RISK_LIMIT = 42

# Reasons, in the order in which the checks run. 1-99 refuse a command; 101 and up say why an order left.
cdef enum:
    REJECT_NONE = 0
    REJECT_UNKNOWN_KIND = 1
    REJECT_UNKNOWN_MARKET = 2
    REJECT_UNKNOWN_ACCOUNT = 3
    REJECT_HOUSE_ACCOUNT = 4
    REJECT_UNKNOWN_ASSET = 5
    REJECT_MARKET_STATE = 6
    REJECT_BAD_ENUM = 7
    REJECT_ONE_WAY_ONLY = 8
    REJECT_BAD_ORDER_ID = 9
    REJECT_DUPLICATE_ORDER_ID = 10
    REJECT_BAD_SIZE = 11
    REJECT_BAD_PRICE = 12
    REJECT_BAD_FLAGS = 13
    REJECT_BAD_EXPIRY = 14
    REJECT_IN_LIQUIDATION = 15
    REJECT_BAD_TRIGGER = 16
    REJECT_WOULD_TRIGGER = 17
    REJECT_NO_MARK = 18
    REJECT_PRICE_BAND = 19
    REJECT_MIN_NOTIONAL = 20
    REJECT_MAX_ORDERS = 21
    REJECT_REDUCE_ONLY = 22
    REJECT_WOULD_TAKE = 23
    REJECT_NOT_FILLABLE = 24
    REJECT_POSITION_CAP = 25
    REJECT_LEVERAGE_CAP = 26
    REJECT_INSUFFICIENT_MARGIN = 27
    REJECT_UNKNOWN_ORDER = 28
    REJECT_BAD_VALUE = 29
    REJECT_POSITION_OPEN = 30
    REJECT_ORDERS_OPEN = 31
    REJECT_NOT_ISOLATED = 32
    REJECT_NOT_COLLATERAL = 33
    REJECT_NO_DECISION_PENDING = 34
    REJECT_UNKNOWN_RULE = 35
    REJECT_TIME_BACKWARDS = 36
    REJECT_HEDGE_ONLY = 40
    REJECT_RISK_LIMIT = 38
    REJECT_OI_LIMIT = 39
    REJECT_UNKNOWN_SOURCE = 43
    REJECT_WITHDRAWALS_GATED = 47
    REJECT_DECISION_PENDING = 50
    REJECT_BAD_DECISION = 51
    REJECT_NOT_CROSS = 52
    REJECT_DEBT = 53
    REJECT_NO_COLLATERAL_PRICE = 54
    REASON_USER = 101
    REASON_IOC = 102
    REASON_FOK = 103
    REASON_EXPIRED = 104
    REASON_SELF_TRADE = 105
    REASON_REDUCE_ONLY = 106
    REASON_LIQUIDATION = 107
    REASON_ADL = 108
    REASON_MARKET_STATE = 109
    REASON_MARGIN = 110
    REASON_AMENDED_AWAY = 111
    REASON_BAND = 112
    REASON_TAPE = 113
    REASON_PRICE_PROTECT = 114
    REASON_UNHEDGED = 150
    REASON_BEYOND_DEPTH = 151

cdef enum:
    MARKET_PRE_OPEN = 0
    MARKET_AUCTION = 1
    MARKET_OPEN = 2
    MARKET_HALTED = 3
    MARKET_REDUCE_ONLY = 4
    MARKET_SETTLING = 5
    MARKET_CLOSED = 6

cdef enum:
    MODE_CROSS = 0
    MODE_ISOLATED = 1
    MODE_MULTI = 2              # of the whole account: all its assets are collateral of one pool

cdef enum:
    TAPE_ORDER_ADD = 0
    TAPE_ORDER_REDUCE = 1
    TAPE_ORDER_DELETE = 2
    TAPE_ORDER_EXECUTE = 3

# What a tape row is; replay/tape.py has the same numbers and a test compares them.
cdef enum:
    ROW_LEVEL = 1
    ROW_TRADE = 2
    ROW_MARK = 3
    ROW_INDEX = 4
    ROW_FUNDING = 5
    ROW_OFF_BOOK = 6
    ROW_LIQUIDATION = 7
    ROW_OPEN_INTEREST = 8
    ROW_ORDER_ADD = 9                   # in the order of TAPE_ORDER_*
    ROW_ORDER_REDUCE = 10
    ROW_ORDER_DELETE = 11
    ROW_ORDER_EXECUTE = 12
    ROW_STATE = 13
    ROW_QUOTE = 14
    ROW_KIND_BITS = 15
    ROW_SIDE_BIT = 16
    ROW_MORE_BIT = 32
    ROW_SNAPSHOT_BIT = 64

# Rules that SET_RULE can change at a date (aux = rule, value = new value in the rule's unit).
cdef enum:
    RULE_MAKER_FEE = 1
    RULE_TAKER_FEE = 2
    RULE_LIQUIDATION_FEE = 3
    RULE_BAND_UP = 4
    RULE_BAND_DOWN = 5
    RULE_MARKET_BOUND = 6
    RULE_MIN_NOTIONAL = 7
    RULE_MAX_ORDERS = 8
    RULE_MAX_CONDITIONAL = 9
    RULE_FUNDING_INTERVAL = 10
    RULE_MARK_METHOD = 11
    RULE_MARK_PERIOD = 12
    RULE_BASIS_SAMPLES = 13
    RULE_LIQUIDATION_PERIOD = 20
    RULE_LIQUIDATION_DELAY = 21
    RULE_REDUCE_METHOD = 22
    RULE_REDUCE_LIMIT = 23
    RULE_REDUCE_SLICE = 24
    RULE_FUND_NOTIONAL_CAP = 25
    RULE_FUND_UNWIND = 26
    RULE_FUND_UNWIND_PERIOD = 27
    RULE_FUND_UNWIND_SLICE = 28
    RULE_ADL_POLICY = 29
    RULE_ADL_PRICE = 30
    RULE_SOCIALISE = 31
    RULE_CROSS_ORDER = 32
    RULE_NET_HEDGES = 33
    RULE_ORDER_MAINTENANCE = 121
    RULE_ADL_PRICE_BAND = 65
    RULE_ADL_FEE = 66
    RULE_ADL_LIGHT = 67
    RULE_ADL_LIGHT_LEVELS = 68
    RULE_ADL_LIGHT_PERIOD = 69
    RULE_TAKEOVER = 35
    RULE_BACKSTOP_AT = 36
    RULE_SLICE_ABOVE = 37
    RULE_SLICE_COOLDOWN = 38
    RULE_HAND_OVER_TIER = 39
    RULE_CLOSE_REST = 40
    RULE_LIQUIDATION_BUFFER = 41
    RULE_REDUCE_LEAVE = 42
    RULE_LIQUIDATION_FEE_BASE = 43
    RULE_POSITION_BLOCK_RATE = 44
    RULE_POSITION_BLOCK_MIN = 45
    RULE_ACCOUNT_BLOCK_NOTIONAL = 46
    RULE_CURE_PERIOD = 47
    RULE_CURE_START = 48
    RULE_LIQUIDATOR_FEE = 49
    RULE_OI_LOWER_CAP = 100
    RULE_OI_UPPER_CAP = 101
    RULE_CLIP_LOTS = 110
    RULE_MAINTENANCE_VALUE = 111
    RULE_OI_FLOOR_LOTS = 112
    RULE_LOWER_LIMIT_FIRST = 113
    RULE_INDEX_METHOD = 130
    RULE_INDEX_PERIOD = 131
    RULE_OUTLIER_RULE = 132
    RULE_OUTLIER_BAND = 133
    RULE_OUTLIER_RETURN_BAND = 134
    RULE_OUTLIER_RETURN = 135
    RULE_SOURCE_STALE = 136
    RULE_SOURCES_FEW = 137
    RULE_LAST_PRICE_PROTECTION = 138
    RULE_MARK_EMA = 139
    RULE_MARK_FALLBACK = 140
    RULE_MARK_BOUND_UP = 141
    RULE_MARK_BOUND_DOWN = 142
    RULE_MARK_MID_BOUND = 143
    RULE_MARK_STEP = 144
    RULE_MARK_UNIT = 145
    RULE_PREMIUM_AVERAGE = 146
    RULE_PREMIUM_SOURCE = 147
    RULE_FUNDING_FORMULA = 148
    RULE_FUNDING_CHANGE_CAP = 149
    RULE_FUNDING_CAP_MARGIN = 150
    RULE_FUNDING_CHANGE_MARGIN = 151
    RULE_IMPACT_MARGIN = 152
    RULE_FUNDING_PRICE = 153
    RULE_FUNDING_OFFSET = 154
    RULE_FUNDING_CAPPED_INTERVAL = 155
    RULE_FUNDING_QUIET_INTERVAL = 156
    RULE_FUNDING_QUIET_CYCLES = 157
    RULE_FUNDING_QUIET_RATE = 158
    RULE_PREMIUM_PERIOD = 159
    RULE_INTEREST_RATE = 160
    RULE_FUNDING_INNER = 161
    RULE_FUNDING_CAP = 162
    RULE_IMPACT_NOTIONAL = 163
    RULE_FUNDING_CONTINUOUS = 164
    RULE_MARK_COMPOSITION = 165
    RULE_MARK_WINDOW = 166
    RULE_MARK_WEIGHT_TRADES = 167
    RULE_MARK_WEIGHT_BOOK = 168
    RULE_MARK_WEIGHT_INDEX = 169
    RULE_FUND_TRIGGER = 50
    RULE_DRAWDOWN_TRIGGER = 51
    RULE_DRAWDOWN_STOP = 52
    RULE_DRAWDOWN_WINDOW = 53
    RULE_DRAWDOWN_THRESHOLD = 54
    RULE_FUND_FLOOR = 55
    RULE_FUND_SAMPLE_PERIOD = 56
    RULE_WITHDRAW_GATE = 57
    RULE_DISPOSAL_FRACTION_MAX = 58
    RULE_DISPOSAL_BAND = 59
    RULE_FUND_LOSS_CAP = 60
    RULE_DAY_START = 62
    RULE_COVER_FROM_FEES = 63
    RULE_COLLATERAL_ORACLE = 80
    RULE_COLLATERAL_SPOT_PRICE = 81
    RULE_BLEND_SPOT = 82
    RULE_BLEND_INDEX = 83
    RULE_BLEND_REDEMPTION = 84
    RULE_EXCHANGE_LTV = 85

cdef enum:
    MARK_GIVEN = 0              # SET_MARK only
    MARK_MEDIAN3 = 1            # median(P1, P2, last), spec: Binance and Bybit
    MARK_BASIS_MEAN = 2         # index + mean basis: OKX
    MARK_BASIS_EMA = 3          # index + exponential average of the bounded middle - index, bounded: Deribit
    MARK_FUNDING_BASIS = 4      # index + what funding still to come is worth: BitMEX
    MARK_ORACLE = 5             # the index itself: dYdX
    MARK_HYPERLIQUID = 6        # median of oracle + average, own book, perpetuals elsewhere
    MARK_COMPOSITE = 7          # of trades, book, index and others, by weights or their median: Vega

cdef enum:
    COMPOSITION_WEIGHTED = 0
    COMPOSITION_MEDIAN = 1

cdef enum:
    INDEX_GIVEN = 0             # SET_INDEX only
    INDEX_WEIGHTED_MEAN = 1
    INDEX_WEIGHTED_MEDIAN = 2
    INDEX_MEAN = 3              # weights aside

cdef enum:
    OUTLIER_NONE = 0
    OUTLIER_ZERO_WEIGHT = 1     # one source beyond the band counts for nothing; several: the index is the median
    OUTLIER_CLAMP = 2           # to the nearest edge of the band
    OUTLIER_EXCLUDE = 3         # out beyond the band; back after a time within a narrower one

cdef enum:
    AVERAGE_LINEAR_WEIGHTS = 0  # the n-th sample of an interval weighs n
    AVERAGE_EQUAL = 1

cdef enum:
    PREMIUM_IMPACT = 0          # of impact prices against the index
    PREMIUM_MARK = 1            # (mark - index) / index
    PREMIUM_FAIR_BASIS = 2      # of impact prices against the mark, and the mark's own basis

cdef enum:
    FORMULA_SCALED = 0          # (P + clamp(I - P)) * interval / 8 h, capped
    FORMULA_PLAIN = 1           # P + clamp(I - P), capped: the rate of the interval
    FORMULA_DAMPER = 2          # max(d, P) + min(-d, P), capped, per 8 h

cdef enum:
    FUNDING_AT_MARK = 0         # price at which a payment's notional is taken
    FUNDING_AT_INDEX = 1

cdef enum:
    REDUCE_NONE = 0             # straight to takeover
    REDUCE_TO_SAFE = 1          # one IOC of the size that would restore maintenance, at most the whole
    REDUCE_TIER = 2             # down to the cap of the next lower tier, again and again
    REDUCE_WHOLE = 3            # one IOC of the whole position
    REDUCE_SLICE = 4            # a fraction of the position a step
    REDUCE_TIER_FOK = 5         # fill-or-kill down to the highest tier that restores maintenance, again and again
    REDUCE_TWO_TIERS = 6        # down by two tiers, until `hand_over_tier`
    REDUCE_LOWEST_TIER = 7      # straight to the lowest tier, until `hand_over_tier`
    REDUCE_CLIPS = 8            # `clip_lots` a step
    REDUCE_SLICE_COOLDOWN = 9   # the whole; of a large position first a slice
    REDUCE_BLOCK = 10           # limits of a position and of an account in one block
    REDUCE_CURE = 11            # what makes the shortage good, in parts that grow with time

cdef enum:
    LIMIT_BANKRUPTCY = 0
    LIMIT_BAND = 1
    LIMIT_NONE = 2
    LIMIT_FILLABLE = 3          # off the mark by a part of maintenance that grows toward bankruptcy
    LIMIT_LEAVE = 4             # leaves a rate of maintenance
    LIMIT_LIQUIDATOR = 5        # off the mark by the liquidator's fee

cdef enum:
    TAKEOVER_FUND = 0           # at bankruptcy value, as far as it can; ADL the rest
    TAKEOVER_BACKSTOP = 1       # the backstop vault with the margin, below a rate of maintenance; ADL below zero
    TAKEOVER_NONE = 2           # nobody: what is left is sold in later rounds
    TAKEOVER_NETWORK = 3        # the fund at the mark; what is left of the equity goes to it
    TAKEOVER_ADL = 4            # nobody while there is equity; then ADL

cdef enum:
    FEE_NOTIONAL = 0            # a rate of what was liquidated
    FEE_RESIDUE = 1             # what is left of a unit that forced orders have closed
    FEE_BANKRUPTCY = 2          # what was paid above bankruptcy value, up to a rate of it; the fund pays what is below
    FEE_COLLATERAL = 3          # a rate of what was liquidated, up to what the sale leaves over

cdef enum:
    UNWIND_HOLD = 0
    UNWIND_AT_ONCE = 1
    UNWIND_SLICES = 2
    UNWIND_DISPOSAL = 3         # slices, bounded by what stands in the book; spec: Vega

cdef enum:
    FUND_CAPACITY = 0           # a fund takes what it can bear
    FUND_EMPTY = 1              # this one and the next two: nothing while the trigger holds, see fund_trigger.pyx
    FUND_DRAWDOWN = 2
    FUND_DROP = 3

cdef enum:
    ADL_NONE = 0
    ADL_BITMEX = 1
    ADL_BINANCE = 2             # 1 to 13 are queues, see adl_scores.pxd
    ADL_BYBIT = 3
    ADL_OKX = 4
    ADL_OKX_ROI = 5
    ADL_BITGET = 6
    ADL_BITGET_LEVERAGE = 7
    ADL_HYPERLIQUID = 8
    ADL_DYDX = 9                # by lot
    ADL_CUBE = 10
    ADL_RESEARCH_RETURN = 11
    ADL_RESEARCH_BALANCE = 12
    ADL_RESEARCH_PNL_RATIO = 13
    ADL_CONTRACT_PRO_RATA = 14   # 14 to 21 cut everybody at once, see adl_share.pyx
    ADL_WEALTH_PRO_RATA = 15
    ADL_MIN_MAX = 16
    ADL_RISK_AWARE = 17
    ADL_HEDGE_AWARE = 18
    ADL_RESEARCH_PNL_PRO_RATA = 19
    ADL_RESEARCH_EQUITY_PRO_RATA = 20
    ADL_RESEARCH_MIRROR_DESCENT = 21
    ADL_USER = 22               # by commands, see adl_decision.pyx

cdef enum:                              # what is wrong with an ADL decision, in the order of the checks
    FAULT_NONE = 0
    FAULT_MARKET = 1            # another market than the one that is asked about
    FAULT_ACCOUNT = 2           # no such account
    FAULT_HOUSE = 3             # house accounts are not deleveraged
    FAULT_SIDE = 4              # the account holds nothing on the other side
    FAULT_LIQUIDATION = 5       # it is in liquidation itself
    FAULT_SIZE = 6              # not a positive number of lots
    FAULT_HELD = 7              # more than it holds
    FAULT_LEFT = 8              # more than is left to be closed

cdef enum:
    ADL_PRICE_BANKRUPTCY = 0
    ADL_PRICE_MARK = 1
    ADL_PRICE_BANKRUPTCY_NEAR = 2   # bankruptcy if it is near the mark, else the mark
    ADL_PRICE_PREVIOUS_MARK = 3

cdef enum:
    ADL_FEE_NONE = 0
    ADL_FEE_MAKER = 1

cdef enum:
    ADL_LIGHT_NONE = 0
    ADL_LIGHT_USERS = 1
    ADL_LIGHT_CONTRACTS = 2

cdef enum:
    SOCIALISE_NONE = 0
    SOCIALISE_WINNERS = 1       # in proportion to unrealised gains
    SOCIALISE_OPEN_INTEREST = 2     # every open lot, longs and shorts alike; spec: Drift
    SOCIALISE_DAY_WINNERS = 3   # in proportion to what was realised since the day's start; spec: Deribit
    SOCIALISE_PAYOUTS = 4       # in proportion to the gains of the last step of the mark; spec: Vega

cdef enum:
    FIRST_LARGEST_MAINTENANCE = 0
    FIRST_LARGEST_LOSS = 1

cdef enum:
    ORACLE_INDEX = 0            # an index, or the price given by SET_COLLATERAL_PRICE
    ORACLE_VENUE_SPOT = 1       # the asset's own book at this venue
    ORACLE_REDEMPTION = 2       # a ratio times the price of the asset that it is redeemed for
    ORACLE_BLEND = 3            # a weighted mean of those

cdef enum:
    SPOT_LAST = 0
    SPOT_MID = 1

cdef enum:
    QUEUE_BEHIND_FIRST = 0
    QUEUE_PROPORTIONAL = 1
    QUEUE_POWER = 2             # the front loses f(front) / (f(front) + f(back)), f(x) = x ** queue_power
    QUEUE_LOG = 3               # likewise, f(x) = ln(1 + x)
    QUEUE_FRONT_FIRST = 4

cdef enum:
    WALK_DROP = 0               # mode D of the level queue
    WALK_DEEPER = 1             # mode W

cdef enum:
    ATTRIBUTION_NONE = 0        # forced orders go into the book
    ATTRIBUTION_RECORD = 1      # they are part of recorded trades
    ATTRIBUTION_AGAINST = 2     # and their difference to such a run goes into the book

cdef enum:
    CONTRACT_LINEAR = 0
    CONTRACT_INVERSE = 1

cdef enum:
    TIERS_MARGINAL = 0          # a tier's rate on what lies in it
    TIERS_WHOLE = 1             # the rate of the tier on the whole position
    TIERS_LINEAR = 2            # a rate that rises with the size

cdef enum:
    MAINTENANCE_MARK = 0        # a rate of what the position is worth
    MAINTENANCE_ENTRY = 1       # of what it was opened for: only fills change it

cdef enum:
    VALUE_PER_TRADE = 0         # what an inverse trade is worth is rounded as a whole
    VALUE_PER_LOT = 1           # or lot by lot
