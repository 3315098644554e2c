from libc.stdint cimport int64_t

from .audit cimport Shadow
from .state cimport State
from .state_hash cimport Hashes

cdef class EventBuffer:
    cdef void *memory
    cdef Py_ssize_t size
    cdef int exports

cdef class Engine:
    cdef State state
    cdef Shadow shadow
    cdef Hashes hashes
    cdef EventBuffer buffer
    cdef readonly int audit             # 0: never, 1: after each batch, 2: after each command
    cdef readonly int64_t consumed      # commands of the last `apply` or `submit` that were taken
    cdef readonly object broken         # why the engine stopped for good, None while it works
    cdef readonly object suspects       # commands of which one broke an invariant, None while it works
    cdef readonly tuple setup           # what it was made with: (rules, markets, accounts_max, seed, venue, assets)

    cdef int begin_batch(self) except -1
    cdef object end_batch(self)
    cdef int guard(self) except -1
    cdef int verify(self, bint whole) except -1
    cdef int batch_done(self) except -1
    cdef void failed(self, bint of_memory) noexcept
