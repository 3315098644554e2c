"""The state hash: a sum of slot hashes by part, so it does not depend on an order, and is kept up to date on touch.

What writes a record leaves a mark at it: wallets (with their positions) are listed in `State.touched`, levels carry
TOUCHED in `next_free`, conditional orders lose `clean`. An update takes the old hash of what is marked out of the sum
and the new one in. Markets and house accounts are few and always hashed; timers keep their sum themselves.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from .ladder cimport NONE
from .slot_hash cimport (
    hash_decision, hash_fund, hash_level, hash_market, hash_position, hash_recorded, hash_timer, hash_venue, hash_waiting,
    hash_wallet,
)
from .state cimport TOUCHED, WALLET_TOUCHED


cdef int grow(Slots *slots, int32_t wanted) except -1:
    """Room for `wanted` slots; new ones hash to 0."""
    cdef int64_t capacity = max(64, 2 * <int64_t>slots.capacity)
    cdef uint64_t *bigger
    if wanted <= slots.capacity:
        return 0
    capacity = max(capacity, wanted)
    bigger = <uint64_t *>realloc(slots.hashes, capacity * sizeof(uint64_t))
    if bigger == NULL:
        raise MemoryError("no memory for the state hash")
    memset(bigger + slots.capacity, 0, (capacity - slots.capacity) * sizeof(uint64_t))
    slots.hashes = bigger
    slots.capacity = <int32_t>capacity
    return 0


cdef int hashes_forget(Hashes *h) noexcept:
    """Give the memory back; the next update hashes everything."""
    free(h.wallets.hashes)
    free(h.positions.hashes)
    free(h.levels.hashes)
    free(h.triggers.hashes)
    free(h.recorded.hashes)
    free(h.stale)
    memset(h, 0, sizeof(Hashes))
    return 0


cdef int make_room(State *s, Hashes *h) except -1:
    cdef int64_t wallets = <int64_t>s.accounts_count * s.assets_count
    grow(&h.wallets, <int32_t>wallets)
    grow(&h.positions, s.positions_count)
    grow(&h.levels, s.levels_count)
    grow(&h.triggers, s.triggers_count)
    grow(&h.recorded, s.world_levels_count)
    if h.stale == NULL:
        h.stale = <int32_t *>calloc(wallets, sizeof(int32_t))
        if h.stale == NULL:
            raise MemoryError("no memory for the state hash")
    return 0


cdef inline void put(Slots *slots, int64_t slot, uint64_t hashed, uint64_t *part) noexcept nogil:
    part[0] += hashed - slots.hashes[slot]
    slots.hashes[slot] = hashed


cdef void put_wallet(State *s, Hashes *h, int64_t wallet) noexcept nogil:
    cdef int32_t slot = s.wallets[wallet].positions_head
    put(&h.wallets, wallet, hash_wallet(s, wallet), &h.parts[HASH_ACCOUNTS])
    while slot != NONE:
        put(&h.positions, slot, hash_position(s, &s.positions[slot]), &h.parts[HASH_POSITIONS])
        slot = s.positions[slot].account_next


cdef void put_wallets(State *s, Hashes *h, bint keep_touched) noexcept nogil:
    cdef int64_t i, wallets = <int64_t>s.accounts_count * s.assets_count
    for i in range(s.accounts_max * s.assets_count if h.made else 0, wallets):      # at first all, then the house
        put_wallet(s, h, i)
    for i in range(h.stale_count):
        s.wallets[h.stale[i]].flags &= ~WALLET_STALE
        put_wallet(s, h, h.stale[i])
    h.stale_count = 0
    for i in range(s.touched_count):
        put_wallet(s, h, s.touched[i])
        if not keep_touched:
            s.wallets[s.touched[i]].flags &= ~WALLET_TOUCHED
    if not keep_touched:
        s.touched_count = 0


cdef void put_books(State *s, Hashes *h) noexcept nogil:
    """Levels and conditional orders that changed; what is free by now hashes to 0."""
    cdef int32_t i
    for i in range(s.levels_count):
        if s.levels[i].head == NONE:
            put(&h.levels, i, 0, &h.parts[HASH_ORDERS])
        elif s.levels[i].next_free == TOUCHED or not h.made:
            put(&h.levels, i, hash_level(s, &s.levels[i]), &h.parts[HASH_ORDERS])
            s.levels[i].next_free = NONE
    for i in range(s.triggers_count):
        if not s.triggers[i].clean or not h.made:
            put(&h.triggers, i, hash_waiting(s, &s.triggers[i]), &h.parts[HASH_ORDERS])
            s.triggers[i].clean = 1
    for i in range(s.world_levels_count):
        if s.world_levels[i].next_free == TOUCHED or not h.made:
            put(&h.recorded, i, hash_recorded(&s.world_levels[i]), &h.parts[HASH_RECORDED])
            if s.world_levels[i].next_free == TOUCHED:
                s.world_levels[i].next_free = NONE
        elif s.world_levels[i].recorded == 0:
            put(&h.recorded, i, 0, &h.parts[HASH_RECORDED])


cdef uint64_t hash_markets(State *s) noexcept nogil:
    cdef uint64_t total = hash_venue(s) + hash_decision(s)
    cdef int32_t i
    for i in range(s.markets_count):
        total += hash_market(s, &s.markets[i])
    for i in range(s.fund_samples_count):
        total += hash_fund(&s.fund_samples[i], i)
    return total


cdef int hashes_update(State *s, Hashes *h, bint keep_touched) except -1:
    """Bring the parts up to date. `keep_touched`: an audit will come for the list of touched wallets."""
    make_room(s, h)
    with nogil:
        put_wallets(s, h, keep_touched)
        put_books(s, h)
        h.parts[HASH_MARKETS] = hash_markets(s)
        h.parts[HASH_TIMERS] = s.timer_hash
    h.made = True
    return 0


cdef int hash_whole(State *s, uint64_t *parts) noexcept nogil:
    """The same numbers from the state alone, by looking at everything."""
    cdef int64_t i
    memset(parts, 0, HASH_PARTS * sizeof(uint64_t))
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        parts[HASH_ACCOUNTS] += hash_wallet(s, i)
    for i in range(s.positions_count):
        parts[HASH_POSITIONS] += hash_position(s, &s.positions[i])
    for i in range(s.levels_count):
        parts[HASH_ORDERS] += hash_level(s, &s.levels[i])
    for i in range(s.triggers_count):
        parts[HASH_ORDERS] += hash_waiting(s, &s.triggers[i])
    for i in range(s.world_levels_count):
        parts[HASH_RECORDED] += hash_recorded(&s.world_levels[i])
    for i in range(s.timers_count):
        parts[HASH_TIMERS] += hash_timer(s, &s.timers[i])
    parts[HASH_MARKETS] = hash_markets(s)
    return 0
