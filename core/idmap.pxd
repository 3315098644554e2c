# Hash indexes: (account, order id) -> order slot, and (account, market) -> position slot.
# The key lives in the record, so an entry is 8 bytes: 32 bits of hash to skip most misses, and the slot.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from .ladder cimport NONE
from .state cimport IdMap, Order, State
from .units cimport mix64, prefetch

cdef int idmap_init(IdMap *index, int64_t capacity) except -1 nogil
cdef int idmap_grow(IdMap *index) except -1 nogil

cdef inline uint64_t key_hash(int64_t a, int64_t b) noexcept nogil:
    return mix64(<uint64_t>a ^ <uint64_t>0x9E3779B97F4A7C15, <uint64_t>b ^ <uint64_t>0xD1B54A32D192ED03)

cdef inline int64_t idmap_place(IdMap *index, uint64_t hashed) noexcept nogil:
    """First free entry of a key that is known to be absent; there is room."""
    cdef int64_t i = <int64_t>(hashed >> 32) & index.mask
    while index.entries[i]:
        i = (i + 1) & index.mask
    return i

cdef inline int idmap_reserve(IdMap *index) except -1 nogil:
    """Make sure that one more entry fits."""
    if index.used * 2 >= index.mask:    # at most half full: probes stay short
        idmap_grow(index)
    return 0

cdef inline void idmap_set(IdMap *index, int64_t at, uint64_t hashed, int32_t slot) noexcept nogil:
    """Fill a free entry."""
    index.entries[at] = (hashed >> 32 << 32) | <uint64_t><uint32_t>(slot + 1)
    index.used += 1

cdef inline int idmap_put(IdMap *index, uint64_t hashed, int32_t slot) except -1 nogil:
    idmap_reserve(index)
    idmap_set(index, idmap_place(index, hashed), hashed, slot)
    return 0

cdef inline void idmap_remove_at(IdMap *index, int64_t i) noexcept nogil:
    """Take out one entry; the holes behind it are closed."""
    cdef int64_t j = i, home
    cdef int64_t mask = index.mask
    cdef uint64_t *entries = index.entries
    cdef uint64_t entry
    while True:
        j = (j + 1) & mask
        entry = entries[j]
        if entry == 0:
            break
        home = <int64_t>(entry >> 32) & mask
        if ((j - home) & mask) >= ((j - i) & mask):
            entries[i] = entry
            i = j
    entries[i] = 0
    index.used -= 1

cdef inline void idmap_remove(IdMap *index, uint64_t hashed, int32_t slot) noexcept nogil:
    """Take out the entry of a slot that is known to be there."""
    cdef uint64_t wanted = (hashed >> 32 << 32) | <uint64_t><uint32_t>(slot + 1)
    cdef int64_t i = <int64_t>(hashed >> 32) & index.mask
    while index.entries[i] != wanted:
        i = (i + 1) & index.mask
    idmap_remove_at(index, i)

cdef inline uint64_t *index_home(State *s, uint64_t hashed) noexcept nogil:
    """Where an order's entry stands unless others were there first."""
    return &s.order_index.entries[<int64_t>(hashed >> 32) & s.order_index.mask]

cdef inline void prefetch_order(State *s, uint64_t hashed) noexcept nogil:
    """Bring near what is likely to be the order of a key; without one, nothing that matters."""
    prefetch(&s.orders[<int64_t><uint32_t>index_home(s, hashed)[0] - 1])

cdef inline int32_t find_order_at(State *s, int32_t account, int64_t order_id, uint64_t hashed, int64_t *at) noexcept nogil:
    """Slot of a live order, NONE if there is none; `at` is its index entry, or the free one where it would go."""
    cdef int64_t mask = s.order_index.mask
    cdef int64_t i = <int64_t>(hashed >> 32) & mask
    cdef uint64_t *entries = s.order_index.entries
    cdef uint64_t entry
    cdef int32_t slot
    while True:
        entry = entries[i]
        if entry == 0:
            at[0] = i
            return NONE
        if entry >> 32 == hashed >> 32:
            slot = <int32_t><uint32_t>entry - 1
            if s.orders[slot].id == order_id and s.positions[s.orders[slot].position].account == account:
                at[0] = i
                return slot
        i = (i + 1) & mask

cdef inline int32_t find_order(State *s, int32_t account, int64_t order_id) noexcept nogil:
    cdef int64_t at
    return find_order_at(s, account, order_id, key_hash(account, order_id), &at)

cdef inline int64_t leg_key(int32_t market, int leg) noexcept nogil:
    return market | <int64_t>leg << 32

cdef inline int32_t find_leg(State *s, int32_t account, int32_t market, int leg) noexcept nogil:
    """Slot of an account's position in a market, NONE if it never had one; `leg` is LEG_BOTH in one-way mode."""
    cdef uint64_t hashed = key_hash(account, leg_key(market, leg))
    cdef int64_t i = <int64_t>(hashed >> 32) & s.position_index.mask
    cdef uint64_t entry
    cdef int32_t slot
    while True:
        entry = s.position_index.entries[i]
        if entry == 0:
            return NONE
        if entry >> 32 == hashed >> 32:
            slot = <int32_t><uint32_t>entry - 1
            if s.positions[slot].account == account and s.positions[slot].market == market and s.positions[slot].leg == leg:
                return slot
        i = (i + 1) & s.position_index.mask
