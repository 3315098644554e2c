# Forced conversion of a multi-asset account's collateral into its debts.

from libc.stdint cimport int32_t

from .state cimport State

cdef int convert_debts(State *s, int32_t lead, bint everything) except -1 nogil
cdef int convert_all(State *s, int32_t lead) except -1 nogil
cdef int settle_remainders(State *s, int32_t lead) except -1 nogil
