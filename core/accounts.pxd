# Commands that change an account: money in and out, leverage, modes, margin, seeded positions.

from .records cimport Command
from .state cimport State

cdef int deposit(State *s, const Command *c) except -1 nogil
cdef int withdraw(State *s, const Command *c) except -1 nogil
cdef int set_leverage(State *s, const Command *c) except -1 nogil
cdef int set_margin_mode(State *s, const Command *c) except -1 nogil
cdef int set_position_mode(State *s, const Command *c) except -1 nogil
cdef int move_margin(State *s, const Command *c) except -1 nogil
cdef int seed_position(State *s, const Command *c) except -1 nogil
cdef int set_account(State *s, const Command *c) except -1 nogil
