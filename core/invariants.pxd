from libc.stdint cimport int32_t, int64_t, uint64_t

from .ladder cimport Ladder
from .state cimport Market, State

cdef enum:                              # what is broken; the sentences are in audit.pyx
    BREACH_NONE = 0
    BREACH_MONEY = 1
    BREACH_LOTS = 2
    BREACH_CLEARING = 3
    BREACH_LONGS = 4
    BREACH_SHORTS = 5
    BREACH_REASONS = 6
    BREACH_FEES = 7
    BREACH_FUND = 8
    BREACH_ROUNDING = 9
    BREACH_SILENT_MONEY = 10
    BREACH_SILENT_LOTS = 11
    BREACH_SILENT_COST = 12
    BREACH_FLAT = 13
    BREACH_MODE = 14
    BREACH_POSITION_INDEX = 15
    BREACH_POSITION_LISTS = 16
    BREACH_COUNTS = 17
    BREACH_HOLDS = 18
    BREACH_REDUCE_ONLY = 19
    BREACH_CAP = 20
    BREACH_MAINTENANCE = 21
    BREACH_TRIGGER_SIDE = 22
    BREACH_TRIGGER_LATE = 23
    BREACH_BUCKET = 24
    BREACH_BOUND = 25
    BREACH_ORDER_INDEX = 26
    BREACH_ORDER_FIELDS = 27
    BREACH_ORDER_LISTS = 28
    BREACH_ORDER_TRIGGER = 29
    BREACH_QUEUE = 30
    BREACH_LEVEL_LOTS = 31
    BREACH_LEVEL_ORDERS = 32
    BREACH_LEVEL_PLACE = 33
    BREACH_SEGMENTS = 34
    BREACH_RECORDED = 35
    BREACH_RECORDED_PLACE = 36
    BREACH_BITS = 37
    BREACH_BITS_TOTAL = 38
    BREACH_BEST = 39
    BREACH_CROSSED = 40
    BREACH_LIVE = 41
    BREACH_WAITING = 42
    BREACH_INDEX_USED = 43
    BREACH_INDEX_ENTRY = 44
    BREACH_FREE = 45
    BREACH_TIMERS = 46
    BREACH_TIMER_HASH = 47
    BREACH_TIERS = 48
    BREACH_MARK = 49
    BREACH_BASIS = 50
    BREACH_FLAGS = 51
    BREACH_MEMBERS = 52
    BREACH_HASH = 53
    BREACH_WATCH = 90
    BREACH_CLAIM = 91
    BREACH_CLAIM_QUEUE = 92

cdef struct Breach:
    int what
    int64_t where                       # account, market, price: see the sentence
    int64_t where_too
    int64_t found
    int64_t wanted

cdef inline int expect(Breach *b, bint holds, int what, int64_t where, int64_t where_too, int64_t found,
                       int64_t wanted) noexcept nogil:
    """Keep the first breach; 1 where there is one."""
    if holds or b.what:
        return b.what != 0
    b.what = what
    b.where = where
    b.where_too = where_too
    b.found = found
    b.wanted = wanted
    return 1

cdef inline int equal(Breach *b, int what, int64_t where, int64_t where_too, int64_t found, int64_t wanted) noexcept nogil:
    return expect(b, found == wanted, what, where, where_too, found, wanted)

cdef int check_position(State *s, int32_t slot, Breach *b) noexcept nogil
cdef int check_wallet(State *s, int32_t wallet, Breach *b) noexcept nogil
cdef int check_risk(State *s, int32_t wallet, Breach *b) noexcept nogil
cdef int check_order(State *s, int32_t slot, Breach *b) noexcept nogil
cdef int check_level(State *s, int32_t slot, Breach *b) noexcept nogil
cdef int check_recorded(State *s, int32_t slot, Breach *b) noexcept nogil
cdef int check_page(State *s, Ladder *ladder, int64_t page, bint whole, Breach *b) noexcept nogil
cdef int check_timer(State *s, int32_t place, Breach *b) noexcept nogil
cdef int check_index_entry(State *s, int64_t place, Breach *b) noexcept nogil
cdef int check_market(State *s, Market *m, Breach *b) noexcept nogil
