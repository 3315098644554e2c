from libc.stdint cimport int32_t, int64_t, uint64_t

from .state cimport WALLET_STALE, State

cdef enum:                              # parts of a state hash
    HASH_ACCOUNTS = 0
    HASH_POSITIONS = 1
    HASH_ORDERS = 2
    HASH_RECORDED = 3
    HASH_MARKETS = 4
    HASH_TIMERS = 5
    HASH_PARTS = 6

cdef struct Slots:                      # hashes of the records of one pool
    uint64_t *hashes
    int32_t capacity

cdef struct Hashes:
    Slots wallets
    Slots positions
    Slots levels
    Slots triggers
    Slots recorded
    uint64_t parts[HASH_PARTS]
    int32_t *stale                      # wallets that an audit has taken from `State.touched`; room for all
    int32_t stale_count
    bint made

cdef int hashes_update(State *s, Hashes *h, bint keep_touched) except -1
cdef int hashes_forget(Hashes *h) noexcept
cdef int hash_whole(State *s, uint64_t *parts) noexcept nogil

cdef inline void hashes_stale(State *s, Hashes *h, int32_t wallet) noexcept nogil:
    """A wallet leaves `touched`: it is still to be hashed."""
    if h.made and not s.wallets[wallet].flags & WALLET_STALE:
        s.wallets[wallet].flags |= WALLET_STALE
        h.stale[h.stale_count] = wallet
        h.stale_count += 1
