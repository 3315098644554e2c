# SET_RULE: one number of the rulebook changes at a date, with what depends on it.

from .records cimport Command
from .state cimport State

cdef int set_rule(State *s, const Command *c) except -1 nogil
