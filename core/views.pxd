# Read-only pictures of the state as NumPy arrays and dicts. Not for inner loops.

from libc.stdint cimport int32_t

from .state cimport State

cdef object positions_array(State *s)
cdef object accounts_array(State *s)
cdef object book_arrays(State *s, int32_t market, int side)
cdef object queue_list(State *s, int32_t market, int side, long long price)
cdef dict market_dict(State *s, int32_t market)
cdef dict statistics_dict(State *s)
cdef object orders_array(State *s)
