# A user's own ADL policy: what it is asked, and what its decision does. See adl_decision.pyx.

from .records cimport Command
from .state cimport State

cdef int decide(State *s, const Command *c) except -1 nogil
cdef object pending_dict(State *s)
