from .state cimport State

cdef int check_state(State *s, bint risk) except -1
