"""Allocation and growth of the hash indexes; see idmap.pxd."""

from libc.stdlib cimport calloc, free

from .units cimport large_pages

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    #endif
    /* freed tables would otherwise stay with the process: as much again as the live one */
    static inline void perpsim_give_back(void) {
    #ifdef __GLIBC__
        malloc_trim(0);
    #endif
    }
    """
    void give_back "perpsim_give_back"() noexcept nogil

cdef enum:
    LARGE_TABLE = 1 << 17


cdef int idmap_init(IdMap *index, int64_t capacity) except -1 nogil:
    """Room for `capacity` entries, a power of two."""
    cdef uint64_t *entries = <uint64_t *>calloc(capacity, sizeof(uint64_t))
    if entries == NULL:
        with gil:
            raise MemoryError("no memory for a hash index")
    large_pages(entries, capacity * sizeof(uint64_t))
    index.entries = entries
    index.mask = capacity - 1
    index.used = 0
    return 0


cdef int idmap_grow(IdMap *index) except -1 nogil:
    cdef uint64_t *old = index.entries
    cdef int64_t size = index.mask + 1
    cdef int64_t i, j
    idmap_init(index, size * 2)
    for i in range(size):
        if old[i]:
            j = <int64_t>(old[i] >> 32) & index.mask
            while index.entries[j]:
                j = (j + 1) & index.mask
            index.entries[j] = old[i]
            index.used += 1
    free(old)
    if size >= LARGE_TABLE:
        give_back()
    return 0
