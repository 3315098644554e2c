"""Growth and long searches of the sparse price array; see ladder.pxd for what it promises."""


cdef int ladder_init(Ladder *ladder, int64_t price_max) except -1 nogil:
    memset(ladder, 0, sizeof(Ladder))
    ladder.price_max = price_max
    return 0


cdef void ladder_free(Ladder *ladder) noexcept nogil:
    free(ladder.directory)
    free(ladder.bits)
    free(ladder.middle)
    free(ladder.top)
    free(ladder.pages)
    memset(ladder, 0, sizeof(Ladder))


cdef void *regrow(void *block, int64_t size_old, int64_t size_new, int fill) except NULL nogil:
    cdef char *bigger = <char *>realloc(block, size_new)
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for a price ladder")
    large_pages(bigger, size_new)
    memset(bigger + size_old, fill, size_new - size_old)
    return bigger


cdef int ladder_grow(Ladder *ladder, int64_t page) except -1 nogil:
    cdef int64_t size, old = ladder.directory_size
    cdef int32_t capacity, i
    if page > ladder.price_max >> 6:
        with gil:
            raise IndexError(f"price {page << 6} is above the ladder's limit {ladder.price_max}")
    if page >= old:
        size = max(old, 4096)
        while size <= page:
            size *= 2
        ladder.directory = <int32_t *>regrow(ladder.directory, old * 4, size * 4, 0xFF)
        ladder.bits = <uint64_t *>regrow(ladder.bits, old * 8, size * 8, 0)
        ladder.middle = <uint64_t *>regrow(ladder.middle, old >> 6 << 3, size >> 6 << 3, 0)
        ladder.top = <uint64_t *>regrow(ladder.top, old >> 12 << 3, size >> 12 << 3, 0)
        ladder.directory_size = size
    if ladder.directory[page] == NONE:
        if ladder.pages_used == ladder.pages_capacity:
            capacity = max(8, ladder.pages_capacity * 2)
            ladder.pages = <Page *>regrow(
                ladder.pages, ladder.pages_capacity * sizeof(Page), capacity * sizeof(Page), 0xFF)
            ladder.pages_capacity = capacity
        ladder.directory[page] = ladder.pages_used
        for i in range(PAGE_CELLS):
            ladder.pages[ladder.pages_used].cell[i] = NONE
        ladder.pages_used += 1
    return 0


cdef int64_t ladder_next_far(Ladder *ladder, int64_t price) noexcept nogil:
    cdef int64_t page = (price >> 6) + 1
    cdef int64_t group = page >> 6
    cdef int64_t block
    cdef uint64_t word
    if page >= ladder.directory_size:
        return NO_PRICE
    word = ladder.middle[group] >> (page & 63)
    if word:
        page += count_trailing_zeros(word)
        return (page << 6) + count_trailing_zeros(ladder.bits[page])
    group += 1
    block = group >> 6
    if group >= ladder.directory_size >> 6:
        return NO_PRICE
    word = ladder.top[block] >> (group & 63) << (group & 63)
    while word == 0:
        block += 1
        if block >= ladder.directory_size >> 12:
            return NO_PRICE
        word = ladder.top[block]
    group = (block << 6) + count_trailing_zeros(word)
    page = (group << 6) + count_trailing_zeros(ladder.middle[group])
    return (page << 6) + count_trailing_zeros(ladder.bits[page])


cdef int64_t ladder_previous_far(Ladder *ladder, int64_t price) noexcept nogil:
    cdef int64_t page = (price >> 6) - 1
    cdef int64_t group, block
    cdef uint64_t word
    if page < 0:
        return NO_PRICE
    group = page >> 6
    word = ladder.middle[group] << (63 - (page & 63))
    if word:
        page -= count_leading_zeros(word)
        return (page << 6) + 63 - count_leading_zeros(ladder.bits[page])
    group -= 1
    if group < 0:
        return NO_PRICE
    block = group >> 6
    word = ladder.top[block] << (63 - (group & 63)) >> (63 - (group & 63))
    while word == 0:
        block -= 1
        if block < 0:
            return NO_PRICE
        word = ladder.top[block]
    group = (block << 6) + 63 - count_leading_zeros(word)
    page = (group << 6) + 63 - count_leading_zeros(ladder.middle[group])
    return (page << 6) + 63 - count_leading_zeros(ladder.bits[page])
