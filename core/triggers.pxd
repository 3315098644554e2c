# Which accounts must be looked at when a mark moves, without scanning them. See triggers.pyx for why it is safe.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, Position, State
from .units cimport money_t

cdef void trigger_clear(State *s, Market *m, int32_t slot) noexcept nogil
cdef money_t stamp_unit(State *s, int32_t wallet, int32_t position, money_t *maintenance) except? -1 nogil
cdef int collect_crossed(State *s, Market *m) except -1 nogil
cdef void clear_unit(State *s, int32_t wallet, int32_t position) noexcept nogil
