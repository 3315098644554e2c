# A sparse array over prices: price -> int32, with the next occupied price found by counting zeros.
#
# The order book (price -> level), the recorded book (price -> world level), the stop orders (price -> list) and
# the liquidation triggers (bucket -> list) all stand on it. Cells live in pages of 64; a three-level bitmap says
# which cells are *marked*. A cell may hold a value without being marked (a recorded level that is eaten up).
# Pages are made on first use and kept, so insert, remove and find are O(1) apart from one scan of the top words.

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from .units cimport large_pages, count_leading_zeros, count_trailing_zeros

cdef enum:
    NONE = -1               # no slot, no list
    NO_PRICE = -1           # returned by the searches
    PAGE_CELLS = 64

cdef struct Page:
    int32_t cell[PAGE_CELLS]

cdef struct Ladder:
    int64_t price_max           # prices are 0 .. price_max
    int64_t directory_size      # pages that the directory can name, a multiple of 4096
    int32_t *directory          # page number -> page slot, NONE where there is none
    uint64_t *bits              # per page: which of its 64 cells are marked
    uint64_t *middle            # per 64 pages: which of them have a marked cell
    uint64_t *top               # per 4,096 pages
    Page *pages
    int32_t pages_used
    int32_t pages_capacity
    int64_t marked              # number of marked cells

cdef int ladder_init(Ladder *ladder, int64_t price_max) except -1 nogil
cdef void ladder_free(Ladder *ladder) noexcept nogil
cdef int ladder_grow(Ladder *ladder, int64_t page) except -1 nogil
cdef int64_t ladder_next_far(Ladder *ladder, int64_t price) noexcept nogil
cdef int64_t ladder_previous_far(Ladder *ladder, int64_t price) noexcept nogil

cdef inline int32_t ladder_get(Ladder *ladder, int64_t price) noexcept nogil:
    """The value of a cell, NONE where nothing was ever set."""
    cdef int64_t page = price >> 6
    cdef int32_t slot
    if page >= ladder.directory_size:
        return NONE
    slot = ladder.directory[page]
    if slot == NONE:
        return NONE
    return ladder.pages[slot].cell[price & 63]

cdef inline int32_t *ladder_cell(Ladder *ladder, int64_t price) except NULL nogil:
    """Where the value of `price` is kept; makes its page. Valid until the next call."""
    cdef int64_t page = price >> 6
    if page >= ladder.directory_size or ladder.directory[page] == NONE:
        ladder_grow(ladder, page)
    return &ladder.pages[ladder.directory[page]].cell[price & 63]

cdef inline bint ladder_is_marked(Ladder *ladder, int64_t price) noexcept nogil:
    cdef int64_t page = price >> 6
    return page < ladder.directory_size and (ladder.bits[page] >> (price & 63)) & 1

cdef inline void ladder_mark(Ladder *ladder, int64_t price) noexcept nogil:
    """Mark a cell whose page exists."""
    cdef int64_t page = price >> 6
    cdef uint64_t bit = <uint64_t>1 << (price & 63)
    cdef uint64_t word = ladder.bits[page]
    if word & bit:
        return
    ladder.bits[page] = word | bit
    ladder.marked += 1
    if word == 0:
        ladder.middle[page >> 6] |= <uint64_t>1 << (page & 63)
        ladder.top[page >> 12] |= <uint64_t>1 << ((page >> 6) & 63)

cdef inline void ladder_unmark(Ladder *ladder, int64_t price) noexcept nogil:
    cdef int64_t page = price >> 6
    cdef uint64_t bit = <uint64_t>1 << (price & 63)
    if page >= ladder.directory_size or not ladder.bits[page] & bit:
        return
    ladder.bits[page] &= ~bit
    ladder.marked -= 1
    if ladder.bits[page] == 0:
        ladder.middle[page >> 6] &= ~(<uint64_t>1 << (page & 63))
        if ladder.middle[page >> 6] == 0:
            ladder.top[page >> 12] &= ~(<uint64_t>1 << ((page >> 6) & 63))

cdef inline int64_t ladder_next(Ladder *ladder, int64_t price) noexcept nogil:
    """The lowest marked price at or above `price`, NO_PRICE if there is none."""
    cdef int64_t page
    cdef uint64_t word
    if price < 0:
        price = 0
    page = price >> 6
    if page >= ladder.directory_size:
        return NO_PRICE
    word = ladder.bits[page] >> (price & 63)
    if word:
        return price + count_trailing_zeros(word)
    return ladder_next_far(ladder, price)

cdef inline int64_t ladder_previous(Ladder *ladder, int64_t price) noexcept nogil:
    """The highest marked price at or below `price`, NO_PRICE if there is none."""
    cdef int64_t page
    cdef uint64_t word
    if price < 0:
        return NO_PRICE
    page = price >> 6
    if page >= ladder.directory_size:
        if ladder.directory_size == 0:
            return NO_PRICE
        page = ladder.directory_size - 1
        price = (page << 6) + 63
    word = ladder.bits[page] << (63 - (price & 63))
    if word:
        return price - count_leading_zeros(word)
    return ladder_previous_far(ladder, price)
