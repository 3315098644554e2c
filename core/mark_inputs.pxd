# What a composite mark is made of, as records: trades of late, prices of the book.

from libc.stdint cimport int64_t

from .units cimport lots_t, ns_t, ticks_t, value_t

cdef enum:
    MARK_TRADES_MAX = 128
    MARK_BOOKS_MAX = 128

cdef struct RecentTrade:
    ticks_t price
    lots_t lots
    ns_t time_ns

cdef struct BookPrice:
    value_t price
    ns_t time_ns

cdef struct MarkInputs:                 # of a composite mark: rings, used from their start until they are full
    int64_t trades_count
    int64_t trades_next
    int64_t books_count
    int64_t books_next
    RecentTrade trades[MARK_TRADES_MAX]
    BookPrice books[MARK_BOOKS_MAX]
