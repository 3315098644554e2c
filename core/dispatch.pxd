# One command in, events out: the order of work around every command.

from libc.stdint cimport int64_t

from .records cimport Command
from .state cimport State
from .units cimport ns_t

cdef enum:
    ROW_WAITS = 1               # the row was not read

cdef int apply_command(State *s, const Command *c) except -1 nogil
cdef int64_t apply_commands(State *s, const Command *commands, int64_t count) except -1 nogil
cdef int apply_row(State *s, int market, int code, int64_t price, int64_t value, int64_t id) except -1 nogil
cdef int advance(State *s, ns_t time_ns, bint inclusive) except -1 nogil
cdef int close_group(State *s) except -1 nogil
