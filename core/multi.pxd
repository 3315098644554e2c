# Triggers of multi-asset accounts: how far all prices may move together before one of them must be looked at.

from libc.stdint cimport int32_t, int64_t

from .state cimport State
from .units cimport money_t

cdef money_t stamp_multi(State *s, int32_t lead, money_t *maintenance) except? -1 nogil
cdef enum:
    CONVERT_NOTHING = 0
    CONVERT_LARGE = 1           # debts beyond their limits
    CONVERT_EVERYTHING = 2

cdef int conversion_due(State *s, int32_t lead) noexcept nogil
cdef money_t worst_in_box(State *s, int32_t lead, int64_t width, int *overflow) noexcept nogil
