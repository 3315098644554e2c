"""A recorded book built again from the rows of its tape, outside of any engine: for looking at recordings.

A side is an array of levels with the best one last, so that what changes near the best price moves little memory. A
price may be anything: nothing is as large as the prices are.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

import numpy as np

from .records cimport *
from .units cimport max64

cdef int64_t EMPTY = -(<int64_t>1 << 62) * 2
NONE = EMPTY                    # the best price of a side without levels


cdef struct Level:
    int64_t key                 # the price of a bid, the price below zero of an ask
    int64_t lots

cdef struct Side:
    Level *levels               # by key, the best last
    int64_t count
    int64_t capacity


cdef inline int64_t place_of(Side *side, int64_t key) noexcept nogil:
    """Index of the first level whose key is not below."""
    cdef int64_t low = 0, high = side.count, middle
    while low < high:
        middle = (low + high) >> 1
        if side.levels[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef int insert(Side *side, int64_t at, int64_t key, int64_t lots) except -1 nogil:
    cdef int64_t capacity
    cdef Level *levels
    if side.count == side.capacity:
        capacity = max64(64, 2 * side.capacity)
        levels = <Level *>realloc(side.levels, capacity * sizeof(Level))
        if levels == NULL:
            with gil:
                raise MemoryError("no memory for a rebuilt book")
        side.levels, side.capacity = levels, capacity
    memmove(&side.levels[at + 1], &side.levels[at], (side.count - at) * sizeof(Level))
    side.levels[at].key, side.levels[at].lots = key, lots
    side.count += 1
    return 0


cdef int put(Side *side, int64_t key, int64_t lots, bint change) except -1 nogil:
    """A level holds so many lots from now on, or with change so many more; none or fewer removes it."""
    cdef int64_t at = place_of(side, key)
    cdef bint there = at < side.count and side.levels[at].key == key
    if change and there:
        lots += side.levels[at].lots
    if not there:
        if lots > 0:
            insert(side, at, key, lots)
    elif lots > 0:
        side.levels[at].lots = lots
    else:
        side.count -= 1
        memmove(&side.levels[at], &side.levels[at + 1], (side.count - at) * sizeof(Level))
    return 0


cdef int64_t differing(Side *old, Side *new, int64_t *compared) noexcept nogil:
    """Levels in which two sides differ, within the prices of the new one; adds to what was compared."""
    cdef int64_t i, j = 0, found = 0
    if new.count == 0:
        return 0
    i = place_of(old, new.levels[0].key)
    while j < new.count:
        compared[0] += 1
        if i < old.count and old.levels[i].key < new.levels[j].key:
            found += 1
            i += 1
            continue
        if i < old.count and old.levels[i].key == new.levels[j].key:
            found += old.levels[i].lots != new.levels[j].lots
            i += 1
        else:
            found += 1
        j += 1
    return found


cdef class RebuiltBook:
    """Takes the rows of a book in order; no message need be whole in a call."""

    cdef Side sides[2]          # bids, asks
    cdef Side news[2]           # of the snapshot that is being read
    cdef bint reading           # a snapshot
    cdef bint updated           # since the last snapshot
    cdef readonly int64_t snapshots, snapshots_compared, levels_compared, levels_differing

    def __dealloc__(self):
        cdef int side
        for side in range(2):
            free(self.sides[side].levels)
            free(self.news[side].levels)

    def apply(self, const uint8_t[::1] code, const int64_t[::1] price, const int64_t[::1] value):
        """(bid, ask) after each row that ends a message, int64 ticks, NONE (the lowest int64) where a side is empty.

        Rows are of levels and orders, as on the tape; of an order, value is by how much the lots at its price change.
        Other rows count as ends of messages only.
        """
        if price.shape[0] != code.shape[0] or value.shape[0] != code.shape[0]:
            raise ValueError("columns differ in length")
        cdef int64_t row, ends = 0
        best = np.empty((2, code.shape[0]), np.int64)
        cdef int64_t[:, ::1] out = best
        for row in range(code.shape[0]):
            self.take(code[row], price[row], value[row])
            if not code[row] & ROW_MORE_BIT:
                self.finish()
                out[0, ends] = self.best_bid()
                out[1, ends] = self.best_ask()
                ends += 1
        return best[0, :ends], best[1, :ends]

    cdef int take(self, int code, int64_t price, int64_t value) except -1:
        cdef int kind = code & ROW_KIND_BITS, ask = code & ROW_SIDE_BIT != 0
        cdef bint change = kind != ROW_LEVEL
        if change and not ROW_ORDER_ADD <= kind <= ROW_ORDER_EXECUTE:
            return 0
        if not code & ROW_SNAPSHOT_BIT:
            self.updated = True
            return put(&self.sides[ask], -price if ask else price, value, change)
        if not self.reading:
            self.reading = True
            self.news[0].count = self.news[1].count = 0
        return put(&self.news[ask], -price if ask else price, value, change)

    cdef int finish(self) except -1:
        """A message is whole. What a snapshot shows takes the place of what was built.

        Without updates in between it can differ from the one before and nothing be wrong.
        """
        cdef int side
        cdef Side old
        if not self.reading:
            return 0
        if self.snapshots and self.updated:
            self.snapshots_compared += 1
            for side in range(2):
                self.levels_differing += differing(&self.sides[side], &self.news[side], &self.levels_compared)
        for side in range(2):
            old = self.sides[side]
            self.sides[side] = self.news[side]
            self.news[side] = old
        self.snapshots += 1
        self.reading = self.updated = False
        return 0

    cdef int64_t best_bid(self) noexcept:
        cdef Side *bids = &self.sides[0]
        return bids.levels[bids.count - 1].key if bids.count else EMPTY

    cdef int64_t best_ask(self) noexcept:
        cdef Side *asks = &self.sides[1]
        return -asks.levels[asks.count - 1].key if asks.count else EMPTY
