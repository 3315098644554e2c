# All state of one venue, as flat pools of C structs that refer to each other by index, never by pointer. That makes
# a snapshot a copy of the pools, and lets every pool grow. `State` has one owner: the Engine in engine.pyx.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from .ladder cimport NONE, Ladder
from .mark_inputs cimport MarkInputs
from .order_records cimport (
    LOTS_BITS, POSITIONS_MAX, PRICE_BITS, STATE_ASIDE, STATE_RESTING, STATE_WAITING, BookSide, Level, Order, Trigger,
    WorldLevel, order_set,
)
from .records cimport LEG_BOTH, Command, Event
from .rule_numbers cimport MarketRules, VenueRules
from .terms cimport Collateral, Haircut, Heap, OiBand, Source, Tier, Watch
from .units cimport i128, lots_t, money_t, ns_t, rate_t, ticks_t, value_t

cdef enum:                      # Account.flags
    ACCOUNT_HOUSE = 1           # never margined, never ranked by ADL, pays no fee
    ACCOUNT_NO_FUNDING = 2
    ACCOUNT_NOT_IN_OI = 4
    ACCOUNT_HEDGE = 8           # a long and a short leg in each market that has them

cdef enum:                      # Wallet.flags
    WALLET_DIRTY = 1            # to be stamped at the next mark group
    WALLET_QUEUED = 2           # already among the candidates of this pass
    WALLET_TOUCHED = 4          # already listed in `touched`
    WALLET_STALE = 8            # already listed for the next state hash
    WALLET_HEDGE = 16           # the account's ACCOUNT_HEDGE, where placing an order looks
    WALLET_MULTI = 32           # its account is in multi-asset mode: all its wallets are one risk unit
    WALLET_NOTED = WALLET_DIRTY | WALLET_TOUCHED

cdef enum:                      # `next_free` of a level that is in use
    TOUCHED = -2                # changed since its last hash; NONE: not

cdef enum:                      # Market.special: of what the short way of orders knows nothing
    SPECIAL_CONTRACT = 1
    SPECIAL_ACCRUAL = 2         # funding accrues

cdef enum:                      # Position.flags
    POSITION_SEEN = 1           # nothing more can be had for it in this liquidation step
    POSITION_LIMIT = 2          # its account has chosen a risk limit, see risk_limits.pyx

cdef enum:                      # liquidation stage of a risk unit (a wallet's cross pool, or an isolated position)
    STAGE_NONE = 0
    STAGE_DELAYED = 1           # found; the rulebook's delay is running
    STAGE_REDUCING = 2          # orders cancelled; being reduced in the book

cdef enum:
    TIMER_MARK = 0
    TIMER_FUNDING = 1
    TIMER_PREMIUM = 2
    TIMER_EXPIRY = 3
    TIMER_LIQUIDATION = 4
    TIMER_UNWIND = 5
    TIMER_RESILIENCE = 6
    TIMER_IMPACT = 7
    TIMER_FUND = 10
    TIMER_DAY = 11
    TIMER_ADL_LIGHT = 20

cdef enum:
    BASIS_SAMPLES_MAX = 512
    FUND_SAMPLES_MAX = 512
    OI_BANDS_MAX = 16
    IMPACT_STEPS_MAX = 4096     # entries of an impact kernel
    SOURCES_MAX = 32            # constituents of an index and external perpetuals, of one market

cdef extern from *:
    """
    #define PERPSIM_COLLATERAL_PRICE_MAX INT64_C(100000000000000000)    /* a thousand million of asset 0 */
    """
    const int64_t COLLATERAL_PRICE_MAX "PERPSIM_COLLATERAL_PRICE_MAX"

cdef extern from *:
    """
    #define PERPSIM_NEVER INT64_MAX
    #define PERPSIM_DAY INT64_C(86400000000000)
    """
    const int64_t NEVER "PERPSIM_NEVER"
    const int64_t DAY_NS "PERPSIM_DAY"

cdef struct Position:                   # two cache lines; a look at the account's margin needs the first alone
    lots_t lots                         # signed
    money_t cost                        # exact sum of what was paid for `lots`, signed like them
    money_t isolated_margin             # 0 in cross mode
    value_t trigger_value               # mark at which the account must be looked at
    int32_t bucket_next                 # list of its trigger bucket
    int32_t bucket_previous
    int32_t account_next                # next position of the same wallet
    int32_t wallet
    int32_t account
    uint16_t market
    uint16_t leverage
    uint16_t resting_orders
    uint8_t mode                        # MODE_CROSS or MODE_ISOLATED
    uint8_t triggered_side              # which trigger ladder holds it: 0 none, 1 longs, 2 shorts
    uint8_t stage                       # of an isolated position
    uint8_t flags                       # POSITION_SEEN, POSITION_LIMIT
    uint16_t waiting_orders
    # second line: orders
    money_t order_value[2]              # open buy and sell orders at their prices, reduce-only ones left out
    money_t open_loss                   # sum over open orders of what their price is through the mark
    lots_t order_lots[2]                # open buy and sell orders, reduce-only ones too
    int64_t due_ns                      # when its liquidation steps next
    int32_t market_next                 # positions of one market
    int32_t orders_head
    int32_t orders_tail
    uint16_t reduce_only_orders
    uint8_t cap_tiers                   # tiers that its leverage allows, or the number of the chosen one
    uint8_t leg                         # LEG_BOTH, LEG_LONG or LEG_SHORT, for good

cdef struct Wallet:                     # one account in one asset; its cross positions are one risk unit
    money_t balance                     # without the margin of isolated positions
    int32_t positions_head
    int32_t account
    uint8_t stage
    uint8_t flags
    uint32_t liquidations
    uint32_t adl_hits
    money_t deposited                   # net
    money_t realised                    # trade and transfer pnl, before fees and funding
    money_t fees                        # paid, rebates negative
    money_t funding                     # received, payments negative
    money_t absorbed                    # received from (or left to) the waterfall: covers positive
    int64_t due_ns                      # when its liquidation steps next
    int64_t work_ns                     # what the reduction method counts from, and
    money_t work                        # what it has done since; see reduction.pyx

cdef struct Account:
    int32_t owner
    int32_t stp_group
    uint8_t flags
    uint8_t fund_group                  # of an insurance fund
    int32_t watches                     # of a multi-asset account: its watched prices, NONE

cdef struct Market:
    MarketRules rules
    # contract
    int64_t tick_value                  # 1e-8 quote a tick
    int64_t lot_numerator               # base units a lot = numerator / denominator
    int64_t lot_denominator
    int64_t tick_lot_money              # money of one lot a tick, exact; 0 where it depends on the price
    ticks_t price_max
    value_t mark_min                    # no mark is below
    lots_t position_max                 # of a customer
    lots_t position_most                # of a house account: its value still fits 64 bits
    int32_t tier_first
    int32_t tier_count
    int32_t asset
    int32_t clearing_wallet
    int32_t fund_account
    int32_t world_position
    int32_t fund_position
    int32_t positions_head
    int64_t positions_count
    int32_t id
    int32_t state
    uint8_t special                     # SPECIAL_: of what the short way of orders knows nothing
    uint8_t initial_rates               # tiers or size have initial rates of their own; see initial.pxd
    # prices
    value_t mark
    value_t mark_before                 # of the mark group before the last
    ticks_t mark_ticks                  # the mark in ticks, rounded down
    ticks_t mark_ticks_up               # and up; 0 before the first mark
    ticks_t band_edge[2]                # highest bid, lowest ask that the price band allows
    value_t index
    ticks_t last
    rate_t funding_rate
    ns_t funding_next_ns
    ns_t mark_next_ns                   # 0: no mark timer runs
    ns_t index_next_ns                  # likewise of the index and of premium samples
    ns_t premium_next_ns
    uint8_t mark_changed                # in the open mark group
    uint8_t snapshot_open
    uint8_t index_lost                  # no valid source was left when the index was last computed
    int32_t sources_count               # of the index
    int32_t perps_count                 # external perpetuals, numbered after them
    int32_t oi_count                    # bands of the ladder of open interest; 0: none
    OiBand oi_bands[OI_BANDS_MAX]
    # books
    BookSide sides[2]
    uint32_t depth_epoch
    ticks_t quote_price[2]              # best recorded price with anything left, and what was recorded there, when
    lots_t quote_lots[2]                # resilience last saw a depth message
    ticks_t beyond_edge[2]              # last recorded level behind which takers have taken, NO_PRICE: none; see beyond.pyx
    int64_t beyond_level[2]             # levels there that are taken whole
    lots_t beyond_taken[2]              # what is taken of the next
    int64_t queue_model
    int64_t tape_walk
    rate_t shock                        # factor on recorded prices, 1e-9
    ticks_t shift                       # venue price = recorded price + shift
    rate_t impact                       # what simulated flow has moved recorded prices by, a share of them
    lots_t impact_flow                  # since the last step, see impact.pyx
    lots_t impact_net                   # of all steps
    int32_t impact_first                # in State.impacts: the kernel, then as many roots of flows, a ring
    int32_t impact_count
    int32_t impact_at                   # of the ring: the newest
    int32_t impact_live                 # entries of the ring that are not 0
    # liquidation triggers and conditional orders
    Ladder longs                        # bucket of trigger -> positions hurt by a fall
    Ladder shorts
    value_t bucket_value                # width of a trigger bucket, a power of two of ticks
    value_t edge_bound                  # no position worth more by a mark beyond it enters a tier (WHOLE tiers)
    value_t edge_from                   # of the marks since these were looked at, the one at which they were worth least
    value_t longs_bound                 # no long trigger is above
    value_t shorts_bound                # no short trigger is below
    Ladder stops[4]                     # [source * 2 + fires_above]: trigger price -> waiting orders
    int32_t trailing_head               # trailing stops, in order of arrival
    int32_t trailing_tail
    int64_t waiting_orders              # conditional orders of this market
    ticks_t print_low                   # range of trade prices since conditional orders were last looked at
    ticks_t print_high                  # 0: no trade since
    # open interest
    i128 longs_lots
    i128 shorts_lots
    # basis average
    int64_t basis_count
    int64_t basis_next
    int64_t basis_sum
    # exponential averages: of what the mark stands off the index, and of the book's own price
    i128 basis_ema                      # 32 binary places behind 1e-8
    i128 local_ema
    int64_t basis_ema_weight            # ns with 16 binary places; 0: no sample yet
    int64_t local_ema_weight
    ns_t index_ns                       # when the index was last given or computed
    lots_t kept_lots                    # lots of trades kept for a composite mark, since a recorded trade began
    ns_t basis_ema_ns                   # of the last sample
    ns_t local_ema_ns
    # premium index of the running funding interval
    int64_t premium_count
    int64_t premium_weighted
    int64_t quiet_cycles                # funding stamps in a row within the quiet rate
    # funding that accrues, see accrual.pxd: money a lot with 32 binary places
    i128 accrued_base                   # when price or rate last changed, which was
    ns_t accrued_since
    i128 accrued                        # at the last decision, which was
    ns_t accrued_ns
    i128 accrued_low                    # band for which triggers are set
    i128 accrued_high
    money_t accrued_paid                # settled, and still with the clearing account
    # statistics that an outcome asks for
    value_t mark_lowest
    value_t mark_highest
    int64_t basis_gap_worst_e9          # largest |mark - index| / index
    lots_t liquidated_long_lots
    lots_t liquidated_short_lots
    int64_t tape_unfilled_lots
    # attribution, see attribution.pyx
    int32_t claims_head[2]              # positions with a claim, by the side of their forced order
    int32_t claims_tail[2]
    int32_t flow_head                   # in State.flows, of trades to come
    int32_t flow_tail
    int64_t prints                      # recorded trades so far
    lots_t attributed_lots              # forced lots that recorded trades were
    lots_t excess_lots                  # and those beyond the attribution run's, from the book
    lots_t deficit_lots                 # and what recorded trades were without
    lots_t lapsed_lots                  # of forced orders that found none until their owners were taken over
    uint64_t flow_hash                  # sum over the flows to come
    # of its fund
    money_t fund_result                 # profit of positions taken over, liquidation fees, less covers

cdef struct Timer:
    int64_t time_ns
    int64_t sequence
    int64_t key                         # order id
    int32_t target                      # market, account, wallet or position
    int32_t target_other
    uint8_t kind

cdef struct Claim:                      # of a position, see claims.pxd; `sent` 0: it has none
    lots_t sent
    lots_t left
    ticks_t limit
    int64_t order_id
    int32_t next                        # of the same market and side, in order of arrival
    int32_t previous

cdef struct Flow:                       # forced lots in a recorded trade, by the attribution run
    int64_t ordinal                     # of the trade in its market, from 0
    lots_t lots
    int32_t next                        # of the same market
    int32_t market

cdef struct FundSamples:                # of a fund's balance or result; each is above all later ones, see fund_trigger.pyx
    int32_t count
    uint8_t closed                      # the trigger that holds
    int64_t time_ns[FUND_SAMPLES_MAX]
    money_t value[FUND_SAMPLES_MAX]

cdef struct Fill:                       # what the book tells of one match; it knows no money
    int64_t maker_id
    int64_t price_ticks
    int64_t size_lots
    int64_t maker_price_ticks           # the maker's own price: differs from the trade's in an auction
    int64_t maker_left_lots
    int64_t maker_premium_ticks
    int32_t maker_position              # NONE: recorded liquidity
    uint16_t maker_flags
    uint8_t dropped                     # not a fill: a maker removed by self-trade prevention
    uint8_t beyond                      # of what is stated behind the recorded depth

cdef struct Found:                      # a risk unit under maintenance
    int64_t health
    int64_t maintenance
    int32_t wallet
    int32_t position                    # NONE: the wallet's cross pool

cdef struct Rank:
    int64_t score_high
    uint64_t score_low
    int32_t position
    int32_t account

cdef struct IdMap:                      # open addressing, linear probing, backward-shift deletion
    uint64_t *entries                   # fingerprint << 32 | slot; 0: empty (slot is stored + 1)
    int64_t mask
    int64_t used

cdef struct Cut:                        # one account of an allocation, see adl_share.pyx
    i128 wide                           # its weight
    int64_t weight                      # the same, cut to 64 bits
    int64_t rest                        # of its quota
    lots_t room                         # contracts that it can give
    lots_t lots                         # contracts that it gives
    lots_t base
    int32_t position
    int32_t account

cdef struct OpenAdl:                    # an ADL that waits for a user's decision, see adl_decision.pyx
    Command waiting                     # a command whose timers asked for the decision; kind 0: none
    money_t value                       # at the mark, of what is left of the position
    money_t share                       # of the equity, of the same
    int32_t wallet                      # the unit
    int32_t position
    int32_t slot                        # the position to be closed
    uint8_t open
    uint8_t of_vault                    # the position is the backstop vault's
    uint8_t of_group                    # asked at the end of a mark group, after which the vault is looked at

cdef struct State:
    int64_t time_ns
    int64_t sequence
    int reason                          # reject code of the last plain order or cancel
    uint64_t digest[5]
    uint64_t row_digest
    int64_t rows                        # tape rows absorbed
    int64_t forced_id
    int64_t timer_sequence
    int64_t seed
    int64_t draws                       # random numbers drawn so far
    ns_t next_timer_ns                  # when the earliest timer is due; NEVER without one, 1 before the first time
    int64_t waiting_orders              # conditional orders of all markets
    int64_t looks                       # accounts looked at because a trigger was crossed
    int64_t liquidations
    int64_t roundings                   # amounts that were rounded at the cost of the rounding account
    uint64_t timer_hash                 # sum over the timers, see slot_hash.pxd
    int overflow                        # sticky: a number left 64 bits
    int venue
    int32_t markets_count
    int32_t assets_count
    int32_t accounts_max
    int32_t accounts_count
    int32_t world
    int32_t treasury
    int32_t rounding
    int32_t deficit
    int32_t fund_first
    int32_t fund_count
    int32_t clearing_first
    int32_t backstop                    # vault that takes over positions with their margin
    int32_t exchange                    # the house account that forced conversions trade with; NONE without collateral
    int32_t depth_market                # market whose depth message is being read, NONE: none
    uint8_t started                     # the first time was seen: timers run
    uint8_t forced                      # the taker at hand is an order of the liquidation engine
    uint8_t prices_changed              # a collateral price was set in the open group
    OpenAdl adl
    VenueRules rules
    Collateral *collateral              # [asset]; NULL where no asset is described
    Haircut *haircuts
    int32_t haircuts_count
    Heap *heaps                         # [2 * variable + rise]: marks, then collateral prices
    int32_t heaps_count
    Watch *watches
    int32_t watches_count
    int32_t watches_capacity
    int32_t watches_free
    Market *markets
    Tier *tiers
    int32_t tiers_count
    int64_t *impacts                    # kernels of the markets that have one, each with its ring
    int32_t impacts_count
    int64_t *basis                      # [market][BASIS_SAMPLES_MAX]
    FundSamples *fund_samples           # a market each, then a fund and asset each; none until a trigger needs them
    int32_t fund_samples_count
    ns_t fund_next_ns                   # when they are taken next; 0: no timer runs
    money_t *day_realised               # Wallet.realised of customers at the day's start; none until it is needed
    int64_t day_count
    ns_t day_next_ns                    # when the next day starts; 0: no timer runs
    Source *sources                     # [market][SOURCES_MAX]
    MarkInputs *mark_inputs             # [market]
    Account *accounts
    Wallet *wallets                     # [account][asset]
    Position *positions
    int32_t positions_count
    int32_t positions_capacity
    i128 *accrued_from                  # of each position: the index of its last settlement; none until a market needs it
    Claim *claims                       # [position]; none where no market has an attribution
    uint8_t claiming                    # whether there is `claims`
    Flow *flows
    int32_t flows_count
    int32_t flows_capacity
    int32_t accruing                    # markets in which funding accrues
    uint8_t accruals                    # whether there is `accrued_from`
    Order *orders
    int32_t orders_count
    int32_t orders_capacity
    int32_t orders_free
    int32_t orders_live
    Trigger *triggers
    int32_t triggers_count
    int32_t triggers_capacity
    int32_t triggers_free
    Level *levels
    int32_t levels_count
    int32_t levels_capacity
    int32_t levels_free
    WorldLevel *world_levels
    int32_t world_levels_count
    int32_t world_levels_capacity
    int32_t world_levels_free
    IdMap order_index
    IdMap position_index
    Timer *timers
    int32_t timers_count
    int32_t timers_capacity
    # scratch, empty between commands
    Event *events
    int64_t events_count
    int64_t events_capacity
    int64_t events_digested
    Fill *fills
    int32_t fills_count
    int32_t fills_capacity
    int32_t *changed                    # markets whose mark changed in the open group
    int32_t changed_count
    int32_t *dirty
    int32_t dirty_count
    int32_t dirty_capacity
    int32_t *touched                    # wallets of customers that changed since the last audit; room for all
    int32_t touched_count
    int32_t *crossed
    int32_t crossed_count
    int32_t crossed_capacity
    Found *found                        # empty between commands, but for those whose turn comes after a user's decision
    int32_t found_count
    int32_t found_next                  # whose turn it is
    int32_t found_capacity
    int64_t *printed                    # (market << 41 | side << 40 | price) of levels printed since the last depth
    int32_t printed_count
    int32_t printed_capacity
    int64_t *eaten                      # likewise of levels with C that resilience refills
    int32_t eaten_count
    int32_t eaten_capacity
    Rank *ranks                         # a heap, see adl.pyx
    int64_t ranks_count
    int64_t ranks_capacity
    int64_t ranks_key                   # market * 2 + side of the ranking at hand, -1: none
    uint8_t *lights                     # ADL light of each position that there was at the last look
    int32_t lights_count
    ns_t light_next_ns                  # 0: no timer runs
    uint8_t ranks_old                   # forced orders have filled since it was made
    Cut *cuts                           # the allocation at hand
    int64_t cuts_capacity

cdef int state_init(State *s, int32_t markets, int32_t assets, int32_t accounts_max, int32_t funds,
                    bint collateral) except -1 nogil
cdef void state_free(State *s) noexcept nogil
cdef void *pool_grow(void *pool, int32_t *capacity, size_t item_size) except NULL nogil
cdef int orders_grow(State *s) except -1 nogil
cdef int32_t trigger_new(State *s) except -1 nogil
cdef void trigger_free(State *s, int32_t slot) noexcept nogil
cdef int levels_grow(State *s) except -1 nogil
cdef int32_t world_level_new(State *s) except -1 nogil
cdef void world_level_free(State *s, int32_t slot) noexcept nogil
cdef int32_t leg_new(State *s, int32_t account, int32_t market, int leg) except -1 nogil
cdef int events_grow(State *s) except -1 nogil
cdef int note_changed(State *s, int32_t wallet) except -1 nogil
cdef int push_crossed(State *s, int32_t position) except -1 nogil
cdef int fills_grow(State *s) except -1 nogil
cdef int fund_samples_make(State *s) except -1 nogil
cdef int day_make(State *s) except -1 nogil
cdef int accrued_make(State *s) except -1 nogil
cdef int claims_make(State *s) except -1 nogil

cdef inline int32_t position_new(State *s, int32_t account, int32_t market) except -1 nogil:
    return leg_new(s, account, market, LEG_BOTH)

cdef inline uint8_t tiers_of_leverage(State *s, Market *m, int64_t leverage) noexcept nogil:
    """How many of the tiers allow a leverage, from the first on."""
    cdef int32_t i
    for i in range(m.tier_count):
        if s.tiers[m.tier_first + i].leverage_max < leverage:
            return <uint8_t>i
    return <uint8_t>m.tier_count

cdef inline money_t notional_cap(State *s, Market *m, Position *p) noexcept nogil:
    """Largest notional that the position's leverage allows; 0 if none is."""
    return s.tiers[m.tier_first + p.cap_tiers - 1].cap if p.cap_tiers else 0

cdef inline Fill *push_fill(State *s) except NULL nogil:
    if s.fills_count == s.fills_capacity:
        fills_grow(s)
    s.fills_count += 1
    return &s.fills[s.fills_count - 1]

cdef inline Wallet *wallet_of(State *s, int32_t account, int32_t asset) noexcept nogil:
    return &s.wallets[account * s.assets_count + asset]

cdef inline int32_t lead_of(State *s, int32_t wallet) noexcept nogil:
    """The wallet that stands for the cross pool a wallet belongs to: in multi-asset mode the account's first."""
    return wallet - wallet % s.assets_count if s.wallets[wallet].flags & WALLET_MULTI else wallet

cdef inline int32_t head_after(State *s, int32_t wallet) noexcept nogil:
    """First position in the account's wallets after this one."""
    wallet += 1
    while wallet % s.assets_count:
        if s.wallets[wallet].positions_head != NONE:
            return s.wallets[wallet].positions_head
        wallet += 1
    return NONE

cdef inline int32_t pool_first(State *s, int32_t wallet) noexcept nogil:
    """First position, of either mode, of a wallet; of all wallets of its account if it is the lead of a multi-asset one."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    return head_after(s, wallet) if slot == NONE and s.wallets[wallet].flags & WALLET_MULTI else slot

cdef inline int32_t pool_next(State *s, int32_t slot) noexcept nogil:
    """The position after `slot`, in the same sense."""
    cdef int32_t following = s.positions[slot].account_next
    if following != NONE or not s.wallets[s.positions[slot].wallet].flags & WALLET_MULTI:
        return following
    return head_after(s, s.positions[slot].wallet)

cdef inline int mark_dirty(State *s, int32_t wallet) except -1 nogil:
    """Have the wallet's triggers stamped again at the next mark group."""
    cdef Wallet *w = &s.wallets[wallet]
    if w.flags & WALLET_NOTED != WALLET_NOTED and not s.accounts[w.account].flags & ACCOUNT_HOUSE:
        note_changed(s, wallet)
    return 0

cdef inline void touch(State *s, int32_t wallet) noexcept nogil:
    """Have the wallet and its positions audited and hashed again; house wallets always are."""
    cdef Wallet *w = &s.wallets[wallet]
    if not w.flags & WALLET_TOUCHED and not s.accounts[w.account].flags & ACCOUNT_HOUSE:
        w.flags |= WALLET_TOUCHED
        s.touched[s.touched_count] = wallet
        s.touched_count += 1

cdef inline int32_t order_new(State *s) except -1 nogil:
    """A free order slot; pointers to orders may have moved."""
    cdef int32_t slot = s.orders_free
    s.orders_live += 1
    if slot != NONE:
        s.orders_free = s.orders[slot].next
        return slot
    if s.orders_count == s.orders_capacity:
        orders_grow(s)
    slot = s.orders_count
    s.orders_count += 1
    return slot

cdef inline void order_free(State *s, int32_t slot) noexcept nogil:
    s.orders[slot].state = 0
    s.orders[slot].next = s.orders_free
    s.orders_free = slot
    s.orders_live -= 1

cdef inline int32_t level_new(State *s) except -1 nogil:
    """An empty level."""
    cdef int32_t slot = s.levels_free
    cdef Level *level
    if slot != NONE:
        s.levels_free = s.levels[slot].next_free
    else:
        if s.levels_count == s.levels_capacity:
            levels_grow(s)
        slot = s.levels_count
        s.levels_count += 1
    level = &s.levels[slot]
    level.lots = level.world_lots = 0
    level.head = level.tail = NONE
    level.next_free = TOUCHED
    level.orders = 0
    return slot

cdef inline void level_free(State *s, int32_t slot) noexcept nogil:
    s.levels[slot].next_free = s.levels_free
    s.levels_free = slot
