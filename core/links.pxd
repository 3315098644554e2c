# Whether the indices of a state that came from outside can be followed.

from .state cimport State

cdef int check_links(State *s) except -1
