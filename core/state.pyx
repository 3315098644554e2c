"""Pools of the venue's state: allocation, growth, free lists. See state.pxd for the records."""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

cdef extern from "<stdlib.h>" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

from .idmap cimport idmap_init, idmap_put, key_hash, leg_key
from .ladder cimport ladder_free
from .units cimport i128, large_pages


cdef void *pool_grow(void *pool, int32_t *capacity, size_t item_size) except NULL nogil:
    cdef int64_t wanted = <int64_t>capacity[0] * 2 if capacity[0] else 64
    cdef void *bigger
    if wanted > 0x7FFFFFFF:
        with gil:
            raise MemoryError("a pool of the engine has reached two billion entries")
    bigger = realloc(pool, wanted * item_size)
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the engine's pools")
    large_pages(bigger, wanted * item_size)
    capacity[0] = <int32_t>wanted
    return bigger


cdef void *zeroed(int64_t count, size_t item_size) except NULL nogil:
    cdef void *block = calloc(count if count > 0 else 1, item_size)
    if block == NULL:
        with gil:
            raise MemoryError("no memory for the engine's state")
    large_pages(block, count * item_size)
    return block


cdef int state_init(State *s, int32_t markets, int32_t assets, int32_t accounts_max, int32_t funds,
                    bint collateral) except -1 nogil:
    cdef int32_t i
    memset(s, 0, sizeof(State))
    s.markets_count = markets
    s.assets_count = assets
    s.accounts_max = accounts_max
    s.world = accounts_max
    s.treasury = accounts_max + 1
    s.rounding = accounts_max + 2
    s.deficit = accounts_max + 3
    s.fund_first = accounts_max + 4
    s.fund_count = funds
    s.clearing_first = s.fund_first + funds
    s.backstop = s.clearing_first + markets
    s.accounts_count = s.backstop + 1
    s.exchange = NONE
    if collateral:
        s.exchange = s.accounts_count
        s.accounts_count += 1
    s.forced_id = -1
    s.next_timer_ns = 1
    s.depth_market = NONE
    s.ranks_key = -1
    s.orders_free = s.triggers_free = s.levels_free = s.world_levels_free = s.watches_free = NONE
    for i in range(5):
        s.digest[i] = <uint64_t>0x243F6A8885A308D3 + <uint64_t>i * <uint64_t>0x9E3779B97F4A7C15
    s.row_digest = <uint64_t>0x13198A2E03707344
    orders_grow(s)                      # never without a slot 0: what is brought near may be an order that is not there
    s.markets = <Market *>zeroed(markets, sizeof(Market))
    s.accounts = <Account *>zeroed(s.accounts_count, sizeof(Account))
    s.wallets = <Wallet *>zeroed(<int64_t>s.accounts_count * assets, sizeof(Wallet))
    s.basis = <int64_t *>zeroed(<int64_t>markets * BASIS_SAMPLES_MAX, sizeof(int64_t))
    s.sources = <Source *>zeroed(<int64_t>markets * SOURCES_MAX, sizeof(Source))
    s.mark_inputs = <MarkInputs *>zeroed(markets, sizeof(MarkInputs))
    for i in range(s.accounts_count):
        s.accounts[i].owner = i
        s.accounts[i].stp_group = i
        s.accounts[i].watches = NONE
        if i >= accounts_max:
            s.accounts[i].flags = ACCOUNT_HOUSE if i == s.backstop else ACCOUNT_HOUSE | ACCOUNT_NOT_IN_OI
            if i not in (s.world, s.backstop, s.exchange) and not s.fund_first <= i < s.clearing_first:
                s.accounts[i].flags |= ACCOUNT_NO_FUNDING
    for i in range(s.accounts_count * assets):
        s.wallets[i].account = i / assets
        s.wallets[i].positions_head = NONE
    if collateral:
        s.collateral = <Collateral *>zeroed(assets, sizeof(Collateral))
        s.heaps_count = 2 * (markets + assets)
        s.heaps = <Heap *>zeroed(s.heaps_count, sizeof(Heap))
    s.changed = <int32_t *>zeroed(markets, sizeof(int32_t))
    s.touched = <int32_t *>zeroed(<int64_t>s.accounts_count * assets, sizeof(int32_t))
    idmap_init(&s.order_index, 1024)
    idmap_init(&s.position_index, 1024)
    s.events_capacity = 4096
    s.events = <Event *>zeroed(s.events_capacity, sizeof(Event))
    return 0


cdef void market_free(Market *m) noexcept nogil:
    cdef int i
    for i in range(2):
        ladder_free(&m.sides[i].accounts)
        ladder_free(&m.sides[i].world)
    ladder_free(&m.longs)
    ladder_free(&m.shorts)
    for i in range(4):
        ladder_free(&m.stops[i])


cdef void state_free(State *s) noexcept nogil:
    cdef int32_t i
    if s.markets != NULL:
        for i in range(s.markets_count):
            market_free(&s.markets[i])
    free(s.markets)
    if s.heaps != NULL:
        for i in range(s.heaps_count):
            free(s.heaps[i].items)
    free(s.heaps)
    free(s.watches)
    free(s.collateral)
    free(s.haircuts)
    free(s.tiers)
    free(s.impacts)
    free(s.basis)
    free(s.fund_samples)
    free(s.day_realised)
    free(s.sources)
    free(s.mark_inputs)
    free(s.accounts)
    free(s.wallets)
    free(s.positions)
    free(s.accrued_from)
    free(s.claims)
    free(s.flows)
    free(s.orders)
    free(s.triggers)
    free(s.levels)
    free(s.world_levels)
    free(s.order_index.entries)
    free(s.position_index.entries)
    free(s.timers)
    free(s.events)
    free(s.fills)
    free(s.dirty)
    free(s.changed)
    free(s.touched)
    free(s.crossed)
    free(s.found)
    free(s.printed)
    free(s.eaten)
    free(s.ranks)
    free(s.cuts)
    free(s.lights)
    memset(s, 0, sizeof(State))


cdef void *lines_grow(void *pool, int32_t *capacity, int64_t item_size, int64_t most) except NULL nogil:
    """Twice as many items of whole cache lines, kept on lines of their own, which realloc would not ensure."""
    cdef int64_t wanted = max(64, <int64_t>capacity[0] * 2)
    cdef void *bigger = aligned_alloc(64, wanted * item_size) if wanted <= most else NULL
    if bigger == NULL:
        with gil:
            raise MemoryError(f"no memory for {wanted} orders or positions; an engine holds at most {most}")
    large_pages(bigger, wanted * item_size)
    if capacity[0]:
        memcpy(bigger, pool, capacity[0] * item_size)
    free(pool)
    capacity[0] = <int32_t>wanted
    return bigger


cdef int orders_grow(State *s) except -1 nogil:
    s.orders = <Order *>lines_grow(s.orders, &s.orders_capacity, sizeof(Order), <int64_t>POSITIONS_MAX * 4)
    return 0


cdef int32_t trigger_new(State *s) except -1 nogil:
    cdef int32_t slot = s.triggers_free
    if slot != NONE:
        s.triggers_free = <int32_t>s.triggers[slot].trigger_ticks
    else:
        if s.triggers_count == s.triggers_capacity:
            s.triggers = <Trigger *>pool_grow(s.triggers, &s.triggers_capacity, sizeof(Trigger))
        slot = s.triggers_count
        s.triggers_count += 1
    memset(&s.triggers[slot], 0, sizeof(Trigger))
    return slot


cdef void trigger_free(State *s, int32_t slot) noexcept nogil:
    memset(&s.triggers[slot], 0, sizeof(Trigger))
    s.triggers[slot].order = NONE
    s.triggers[slot].trigger_ticks = s.triggers_free
    s.triggers_free = slot


cdef int levels_grow(State *s) except -1 nogil:
    s.levels = <Level *>pool_grow(s.levels, &s.levels_capacity, sizeof(Level))
    return 0


cdef int32_t world_level_new(State *s) except -1 nogil:
    cdef int32_t slot = s.world_levels_free
    if slot != NONE:
        s.world_levels_free = s.world_levels[slot].next_free
    else:
        if s.world_levels_count == s.world_levels_capacity:
            s.world_levels = <WorldLevel *>pool_grow(
                s.world_levels, &s.world_levels_capacity, sizeof(WorldLevel))
        slot = s.world_levels_count
        s.world_levels_count += 1
    memset(&s.world_levels[slot], 0, sizeof(WorldLevel))
    s.world_levels[slot].next_free = TOUCHED
    return slot


cdef void world_level_free(State *s, int32_t slot) noexcept nogil:
    memset(&s.world_levels[slot], 0, sizeof(WorldLevel))
    s.world_levels[slot].next_free = s.world_levels_free
    s.world_levels_free = slot


cdef int32_t leg_new(State *s, int32_t account, int32_t market, int leg) except -1 nogil:
    """A flat position, linked and indexed, of an account that does not have this leg in this market yet."""
    cdef int32_t slot = s.positions_count
    cdef Market *m = &s.markets[market]
    cdef Wallet *w = wallet_of(s, account, m.asset)
    cdef Position *p
    if s.positions_count == s.positions_capacity:
        s.positions = <Position *>lines_grow(s.positions, &s.positions_capacity, sizeof(Position), POSITIONS_MAX)
        if s.accruals:
            accrued_grow(s)
        if s.claiming:
            claims_grow(s)
    if s.accruals:
        s.accrued_from[slot] = 0
    if s.claiming:
        memset(&s.claims[slot], 0, sizeof(Claim))
    s.positions_count += 1
    p = &s.positions[slot]
    memset(p, 0, sizeof(Position))
    p.account = account
    p.market = market
    p.leg = <uint8_t>leg
    p.wallet = account * s.assets_count + m.asset
    p.leverage = <uint16_t>m.rules.leverage_default
    p.cap_tiers = tiers_of_leverage(s, m, p.leverage)
    p.bucket_next = p.bucket_previous = NONE
    p.orders_head = p.orders_tail = NONE
    p.account_next = w.positions_head
    w.positions_head = slot
    p.market_next = m.positions_head
    m.positions_head = slot
    m.positions_count += 1
    idmap_put(&s.position_index, key_hash(account, leg_key(market, leg)), slot)
    touch(s, p.wallet)
    return slot


cdef int accrued_grow(State *s) except -1 nogil:
    """As many entries as there is room for positions."""
    cdef i128 *bigger = <i128 *>realloc(s.accrued_from, <int64_t>max(s.positions_capacity, 1) * sizeof(i128))
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the funding that positions accrue")
    s.accrued_from = bigger
    return 0


cdef int accrued_make(State *s) except -1 nogil:
    """Room for the index at which each position was settled, where there is none yet."""
    if not s.accruals:
        accrued_grow(s)
        memset(s.accrued_from, 0, <int64_t>s.positions_count * sizeof(i128))
        s.accruals = 1
    return 0


cdef int claims_grow(State *s) except -1 nogil:
    """As many entries as there is room for positions."""
    cdef Claim *bigger = <Claim *>realloc(s.claims, <int64_t>max(s.positions_capacity, 1) * sizeof(Claim))
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the claims of positions")
    s.claims = bigger
    return 0


cdef int claims_make(State *s) except -1 nogil:
    """Room for a claim of each position, where there is none yet."""
    if not s.claiming:
        claims_grow(s)
        memset(s.claims, 0, <int64_t>s.positions_count * sizeof(Claim))
        s.claiming = 1
    return 0


cdef int events_grow(State *s) except -1 nogil:
    cdef Event *bigger = <Event *>realloc(s.events, s.events_capacity * 2 * sizeof(Event))
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the event buffer")
    s.events = bigger
    s.events_capacity *= 2
    return 0


cdef int note_changed(State *s, int32_t wallet) except -1 nogil:
    """List a wallet for the next mark group and for the next audit, where it is not listed yet."""
    touch(s, wallet)
    if s.wallets[wallet].flags & WALLET_DIRTY:
        return 0
    if s.dirty_count == s.dirty_capacity:
        s.dirty = <int32_t *>pool_grow(s.dirty, &s.dirty_capacity, sizeof(int32_t))
    s.wallets[wallet].flags |= WALLET_DIRTY
    s.dirty[s.dirty_count] = wallet
    s.dirty_count += 1
    return 0


cdef int push_crossed(State *s, int32_t position) except -1 nogil:
    if s.crossed_count == s.crossed_capacity:
        s.crossed = <int32_t *>pool_grow(s.crossed, &s.crossed_capacity, sizeof(int32_t))
    s.crossed[s.crossed_count] = position
    s.crossed_count += 1
    return 0


cdef int fills_grow(State *s) except -1 nogil:
    s.fills = <Fill *>pool_grow(s.fills, &s.fills_capacity, sizeof(Fill))
    return 0


cdef int fund_samples_make(State *s) except -1 nogil:
    """Room for the samples of every market and fund, where there is none yet."""
    if s.fund_samples == NULL:
        s.fund_samples = <FundSamples *>zeroed(s.markets_count + s.fund_count * s.assets_count, sizeof(FundSamples))
        s.fund_samples_count = s.markets_count + s.fund_count * s.assets_count
    return 0


cdef int day_make(State *s) except -1 nogil:
    """Room for what every customer's wallet had realised when the day began, where there is none yet."""
    if s.day_realised == NULL:
        s.day_realised = <money_t *>zeroed(<int64_t>s.accounts_max * s.assets_count, sizeof(money_t))
        s.day_count = <int64_t>s.accounts_max * s.assets_count
    return 0
