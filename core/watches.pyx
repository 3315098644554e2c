"""Heaps of watched prices: for each variable (a market's mark, an asset's collateral price) one of falls and one of rises.

The top is the watch that goes first, so a move that passes none costs one comparison, whatever the number of accounts.
A watch is passed when the price is beyond it: it is the last price at which nobody needs to look.
"""

from libc.stdint cimport int32_t

from .ladder cimport NONE
from .state cimport Heap, Watch, mark_dirty, pool_grow


cdef inline bint before(State *s, int32_t a, int32_t b) noexcept nogil:
    """Of two watches in one heap: the one that is passed first."""
    if s.watches[a].heap & 1:
        return s.watches[a].value < s.watches[b].value
    return s.watches[a].value > s.watches[b].value


cdef inline void put(State *s, Heap *h, int32_t place, int32_t watch) noexcept nogil:
    h.items[place] = watch
    s.watches[watch].place = place


cdef void sift(State *s, Heap *h, int32_t place, int32_t watch) noexcept nogil:
    """Put a watch where it belongs, starting from a free place."""
    cdef int32_t child
    while place and before(s, watch, h.items[(place - 1) >> 1]):
        put(s, h, place, h.items[(place - 1) >> 1])
        place = (place - 1) >> 1
    while True:
        child = 2 * place + 1
        if child >= h.count:
            break
        if child + 1 < h.count and before(s, h.items[child + 1], h.items[child]):
            child += 1
        if not before(s, h.items[child], watch):
            break
        put(s, h, place, h.items[child])
        place = child
    put(s, h, place, watch)


cdef int watch_add(State *s, int32_t account, int32_t variable, bint rise, value_t value) except -1 nogil:
    """Have an account looked at when a variable rises above (or falls below) a value."""
    cdef int32_t watch = s.watches_free
    cdef Heap *h = &s.heaps[2 * variable + rise]
    cdef Watch *w
    if watch != NONE:
        s.watches_free = s.watches[watch].next
    else:
        if s.watches_count == s.watches_capacity:
            s.watches = <Watch *>pool_grow(s.watches, &s.watches_capacity, sizeof(Watch))
        watch = s.watches_count
        s.watches_count += 1
    if h.count == h.capacity:
        h.items = <int32_t *>pool_grow(h.items, &h.capacity, sizeof(int32_t))
    w = &s.watches[watch]
    w.value = value
    w.account = account
    w.heap = 2 * variable + rise
    w.next = s.accounts[account].watches
    s.accounts[account].watches = watch
    h.count += 1
    sift(s, h, h.count - 1, watch)
    return 0


cdef void watches_clear(State *s, int32_t account) noexcept nogil:
    """Forget all watches of an account."""
    cdef int32_t watch = s.accounts[account].watches, following, last
    cdef Heap *h
    while watch != NONE:
        h = &s.heaps[s.watches[watch].heap]
        h.count -= 1
        last = h.items[h.count]
        if last != watch:
            sift(s, h, s.watches[watch].place, last)
        following = s.watches[watch].next
        s.watches[watch].value = 0
        s.watches[watch].account = s.watches[watch].heap = s.watches[watch].place = NONE
        s.watches[watch].next = s.watches_free
        s.watches_free = watch
        watch = following
    s.accounts[account].watches = NONE


cdef int watches_crossed(State *s, int32_t variable, value_t now) except -1 nogil:
    """List the accounts of all watches that a variable has passed, to be looked at with the dirty ones."""
    cdef Heap *falls = &s.heaps[2 * variable]
    cdef Heap *rises = falls + 1
    cdef int32_t account
    while falls.count and now < s.watches[falls.items[0]].value:
        account = s.watches[falls.items[0]].account
        watches_clear(s, account)
        mark_dirty(s, account * s.assets_count)
        s.looks += 1
    while rises.count and now > s.watches[rises.items[0]].value:
        account = s.watches[rises.items[0]].account
        watches_clear(s, account)
        mark_dirty(s, account * s.assets_count)
        s.looks += 1
    return 0
