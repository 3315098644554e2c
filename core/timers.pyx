"""A binary heap of timers. Entries are not removed when they lose their purpose: whoever pops one checks it."""

from libc.string cimport memset

from .slot_hash cimport hash_timer
from .state cimport NEVER, pool_grow


cdef inline bint earlier(Timer *a, Timer *b) noexcept nogil:
    if a.time_ns != b.time_ns:
        return a.time_ns < b.time_ns
    if a.kind != b.kind:
        return a.kind < b.kind
    return a.sequence < b.sequence


cdef int timer_add(State *s, ns_t time_ns, uint8_t kind, int32_t target, int32_t other, int64_t key) except -1 nogil:
    cdef int32_t i, parent
    cdef Timer t
    if s.timers_count == s.timers_capacity:
        s.timers = <Timer *>pool_grow(s.timers, &s.timers_capacity, sizeof(Timer))
    memset(&t, 0, sizeof(Timer))        # its padding goes into snapshots
    t.time_ns = time_ns
    t.kind = kind
    t.target = target
    t.target_other = other
    t.key = key
    t.sequence = s.timer_sequence
    s.timer_sequence += 1
    s.timer_hash += hash_timer(s, &t)
    i = s.timers_count
    s.timers_count += 1
    while i > 0:
        parent = (i - 1) / 2
        if not earlier(&t, &s.timers[parent]):
            break
        s.timers[i] = s.timers[parent]
        i = parent
    s.timers[i] = t
    if s.started:                       # until then every command goes the long way, which starts the clock
        s.next_timer_ns = s.timers[0].time_ns
    return 0


cdef Timer timer_pop(State *s) noexcept nogil:
    """Take out the earliest timer; there must be one."""
    cdef Timer top = s.timers[0]
    cdef Timer moving
    cdef int32_t i = 0, child
    s.timer_hash -= hash_timer(s, &top)
    s.timers_count -= 1
    if s.timers_count == 0:
        s.next_timer_ns = NEVER
        return top
    moving = s.timers[s.timers_count]
    while True:
        child = 2 * i + 1
        if child >= s.timers_count:
            break
        if child + 1 < s.timers_count and earlier(&s.timers[child + 1], &s.timers[child]):
            child += 1
        if not earlier(&s.timers[child], &moving):
            break
        s.timers[i] = s.timers[child]
        i = child
    s.timers[i] = moving
    s.next_timer_ns = s.timers[0].time_ns
    return top
