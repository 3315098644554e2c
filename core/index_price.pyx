"""The index price: given by SET_INDEX."""

from libc.stdint cimport uint16_t

from .events cimport event_new
from .records cimport EVENT_INDEX, Event
from .units cimport RATE_ONE, mul_div_floor


cdef value_t shocked(State *s, Market *m, value_t recorded) noexcept nogil:
    """A recorded index or mark, moved as the recorded book is."""
    if m.shock == RATE_ONE:
        return recorded
    return mul_div_floor(recorded, m.shock, RATE_ONE, &s.overflow)


cdef int change_index(State *s, Market *m, value_t index) except -1 nogil:
    cdef Event *e
    if m.index == index:
        return 0
    m.index = index
    e = event_new(s, EVENT_INDEX)
    e.market = <uint16_t>m.id
    e.value = index
    return 0
