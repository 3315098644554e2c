# Marks composed of several sources.

from .state cimport Market, State
from .units cimport value_t

cdef value_t composite_mark(State *s, Market *m) noexcept nogil
