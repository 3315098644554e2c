"""Whether every index of a loaded state leads into its pool: what a snapshot says is not believed before."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from .ladder cimport NO_PRICE, NONE, PAGE_CELLS, Ladder
from .mark_inputs cimport MARK_BOOKS_MAX, MARK_TRADES_MAX, MarkInputs
from .state cimport (
    BASIS_SAMPLES_MAX, FUND_SAMPLES_MAX, LOTS_BITS, POSITION_LIMIT, PRICE_BITS, SOURCES_MAX, WALLET_MULTI, Claim, Heap, IdMap,
    Market,    Order, Position, Watch,
)


cdef inline bint leads(int64_t index, int64_t count) noexcept nogil:
    return NONE <= index < count


cdef bint ladder_leads(Ladder *ladder, int64_t count) noexcept nogil:
    """Cells lead into a pool of `count`; bitmaps are of pages that exist, and agree with each other."""
    cdef int64_t i, j
    cdef uint64_t word
    for i in range(ladder.directory_size):
        if not leads(ladder.directory[i], ladder.pages_used) or (ladder.directory[i] == NONE and ladder.bits[i]):
            return False
    for i in range(ladder.pages_used):
        for j in range(PAGE_CELLS):
            if not leads(ladder.pages[i].cell[j], count):
                return False
    for i in range(ladder.directory_size >> 6):
        word = 0
        for j in range(64):
            word |= <uint64_t>(ladder.bits[(i << 6) + j] != 0) << j
        if word != ladder.middle[i] or ((ladder.top[i >> 6] >> (i & 63)) & 1) != (word != 0):
            return False
    return True


cdef bint index_leads(IdMap *index, int64_t count) noexcept nogil:
    cdef int64_t i, used = 0
    for i in range(index.mask + 1):
        if index.entries[i]:
            used += 1
            if not 0 <= <int64_t><uint32_t>index.entries[i] - 1 < count:
                return False
    return used == index.used and used <= index.mask


cdef bint orders_lead(State *s) noexcept nogil:
    cdef int64_t i
    cdef Order *o
    for i in range(s.orders_count):
        o = &s.orders[i]
        if not leads(o.next, s.orders_count):
            return False
        if o.state and not (
                leads(o.previous, s.orders_count) and leads(o.position_next, s.orders_count)
                and leads(o.position_previous, s.orders_count) and leads(o.trigger, s.triggers_count)
                and 0 <= o.position < s.positions_count):
            return False
    for i in range(s.triggers_count):
        if not leads(s.triggers[i].order, s.orders_count) or s.triggers[i].source > 1 or s.triggers[i].fires_above > 1:
            return False
        if s.triggers[i].order == NONE and not leads(s.triggers[i].trigger_ticks, s.triggers_count):
            return False
        if s.triggers[i].order != NONE and not 0 <= s.triggers[i].trigger_ticks < <int64_t>1 << PRICE_BITS:
            return False
    for i in range(s.levels_count):
        if not (leads(s.levels[i].next_free, s.levels_count) and leads(s.levels[i].head, s.orders_count)
                and leads(s.levels[i].tail, s.orders_count)):
            return False
    for i in range(s.world_levels_count):
        if not leads(s.world_levels[i].next_free, s.world_levels_count):
            return False
    return (leads(s.orders_free, s.orders_count) and leads(s.triggers_free, s.triggers_count)
            and leads(s.levels_free, s.levels_count) and leads(s.world_levels_free, s.world_levels_count)
            and leads(s.depth_market, s.markets_count))


cdef bint positions_lead(State *s) noexcept nogil:
    cdef int joined
    cdef int64_t i, wallets = <int64_t>s.accounts_count * s.assets_count
    cdef Position *p
    for i in range(s.positions_count):
        p = &s.positions[i]
        if not (leads(p.bucket_next, s.positions_count) and leads(p.bucket_previous, s.positions_count)
                and leads(p.account_next, s.positions_count) and leads(p.market_next, s.positions_count)
                and leads(p.orders_head, s.orders_count) and leads(p.orders_tail, s.orders_count)
                and 0 <= p.wallet < wallets and 0 <= p.account < s.accounts_count and p.market < s.markets_count
                and -s.markets[p.market].position_most <= p.lots <= s.markets[p.market].position_most
                and p.cap_tiers <= s.markets[p.market].tier_count
                and (p.cap_tiers > 0 or not p.flags & POSITION_LIMIT)):
            return False
    for i in range(wallets):
        if not leads(s.wallets[i].positions_head, s.positions_count) or s.wallets[i].account != i / s.assets_count:
            return False
        joined = s.wallets[i].flags & WALLET_MULTI      # all wallets of a customer, or none
        if joined != s.wallets[i - i % s.assets_count].flags & WALLET_MULTI \
                or (joined and (s.collateral == NULL or s.wallets[i].account >= s.accounts_max)):
            return False
    for i in range(s.dirty_count):
        if not 0 <= s.dirty[i] < wallets:
            return False
    return True


cdef bint market_leads(State *s, Market *m) noexcept nogil:
    cdef int i
    for i in range(2):
        if not (ladder_leads(&m.sides[i].accounts, s.levels_count)
                and ladder_leads(&m.sides[i].world, s.world_levels_count)):
            return False
        if not NO_PRICE <= m.beyond_edge[i] < m.sides[i].world.directory_size << 6:
            return False
    for i in range(4):
        if not ladder_leads(&m.stops[i], s.orders_count):
            return False
    return (ladder_leads(&m.longs, s.positions_count) and ladder_leads(&m.shorts, s.positions_count)
            and leads(m.positions_head, s.positions_count) and leads(m.trailing_head, s.orders_count)
            and leads(m.trailing_tail, s.orders_count) and 0 <= m.world_position < s.positions_count
            and 0 <= m.fund_position < s.positions_count and m.tier_first >= 0 and m.tier_count > 0
            and <int64_t>m.tier_first + m.tier_count <= s.tiers_count and 0 <= m.basis_count <= BASIS_SAMPLES_MAX
            and 0 <= m.basis_next < BASIS_SAMPLES_MAX and 0 <= m.sources_count <= SOURCES_MAX
            and 0 <= m.perps_count <= SOURCES_MAX - m.sources_count and rings_fit(&s.mark_inputs[m.id])
            and 0 <= m.impact_first and 0 <= m.impact_count
            and <int64_t>m.impact_first + 2 * <int64_t>m.impact_count <= s.impacts_count and 0 <= m.impact_at <= m.impact_count)


cdef bint rings_fit(MarkInputs *inputs) noexcept nogil:
    """Rings are filled from their start, and what is in them can be weighed."""
    cdef int64_t i
    if not (0 <= inputs.trades_count <= MARK_TRADES_MAX and 0 <= inputs.trades_next < MARK_TRADES_MAX
            and 0 <= inputs.books_count <= MARK_BOOKS_MAX and 0 <= inputs.books_next < MARK_BOOKS_MAX):
        return False
    for i in range(inputs.trades_count):
        if not (0 <= inputs.trades[i].price < <int64_t>1 << PRICE_BITS and 0 < inputs.trades[i].lots <= <int64_t>1 << LOTS_BITS):
            return False
    return True


cdef bint watches_lead(State *s) noexcept nogil:
    """Watches in use lead to an account and to their place in a heap, and heaps to watches that know it."""
    cdef int64_t i, j
    cdef Watch *w
    cdef Heap *h
    if not leads(s.watches_free, s.watches_count):
        return False
    for i in range(s.accounts_count):
        if not leads(s.accounts[i].watches, s.watches_count):
            return False
    for i in range(s.watches_count):
        w = &s.watches[i]
        if not leads(w.next, s.watches_count) or not leads(w.account, s.accounts_max):
            return False
        if w.account != NONE and not (0 <= w.heap < s.heaps_count and 0 <= w.place < s.heaps[w.heap].count):
            return False
    for i in range(s.heaps_count):
        h = &s.heaps[i]
        for j in range(h.count):
            if not 0 <= h.items[j] < s.watches_count:
                return False
            w = &s.watches[h.items[j]]
            if w.account == NONE or w.heap != i or w.place != j:
                return False
    return True


cdef bint unit_leads(State *s, int32_t wallet, int32_t position) noexcept nogil:
    return 0 <= wallet < <int64_t>s.accounts_count * s.assets_count and leads(position, s.positions_count)


cdef bint decision_leads(State *s) noexcept nogil:
    """Where a user is asked about an ADL: the unit, its position, the units after it."""
    cdef int32_t i
    if not s.adl.open:
        return s.found_count == 0 and s.found_next == 0
    if not unit_leads(s, s.adl.wallet, s.adl.position) or not 0 <= s.adl.slot < s.positions_count:
        return False
    for i in range(s.found_count):
        if not unit_leads(s, s.found[i].wallet, s.found[i].position):
            return False
    return 0 <= s.found_next <= s.found_count


cdef bint claims_lead(State *s) noexcept nogil:
    """Queues of claims and lists of flows lead on to the next of their market."""
    cdef int32_t i, side
    cdef Claim *c
    cdef Market *m
    for i in range(s.positions_count if s.claiming else 0):
        c = &s.claims[i]
        if not (leads(c.next, s.positions_count) and leads(c.previous, s.positions_count) and 0 <= c.left <= c.sent):
            return False
    for i in range(s.flows_count):
        if not (i < s.flows[i].next < s.flows_count or s.flows[i].next == NONE):
            return False
    for i in range(s.markets_count):
        m = &s.markets[i]
        if not leads(m.flow_head, s.flows_count) or not leads(m.flow_tail, s.flows_count) \
                or (m.flow_head == NONE) != (m.flow_tail == NONE):
            return False
        for side in range(2):
            if not (leads(m.claims_head[side], s.positions_count) and leads(m.claims_tail[side], s.positions_count)):
                return False
            if not s.claiming and m.claims_head[side] != NONE:
                return False
    return True


cdef int check_links(State *s) except -1:
    """Raise ValueError unless every index in a state leads where its pool has an entry."""
    cdef int64_t i
    cdef bint holds
    holds = orders_lead(s) and positions_lead(s) and index_leads(&s.order_index, s.orders_count) \
        and index_leads(&s.position_index, s.positions_count)
    for i in range(s.markets_count):
        holds = holds and s.markets[i].id == i and market_leads(s, &s.markets[i]) \
            and (s.accruals or not s.markets[i].rules.funding_continuous)
    for i in range(s.changed_count):
        holds = holds and 0 <= s.changed[i] < s.markets_count
    for i in range(s.fund_samples_count):
        holds = holds and 0 <= s.fund_samples[i].count <= FUND_SAMPLES_MAX
    holds = holds and watches_lead(s) and decision_leads(s) and claims_lead(s)
    for i in range(s.printed_count):
        holds = holds and 0 <= s.printed[i] >> 41 < s.markets_count     # see note_printed
    for i in range(s.eaten_count):
        holds = holds and 0 <= s.eaten[i] >> 41 < s.markets_count       # see eat
    if not holds:
        raise ValueError("the snapshot is damaged: an index in it leads nowhere, or a position is too large")
    return 0
