# A state as bytes, and back. Pools refer to each other by index, so a snapshot is a copy of them.

from .state cimport State

cdef bytes dump_state(State *s, bytes setup)
cdef bytes read_setup(bytes data)
cdef int load_state(State *s, bytes data) except -1
