from libc.stdint cimport int32_t, int64_t, uint64_t

from .state cimport State
from .state_hash cimport Hashes

cdef enum:
    AUDIT_OFF = 0
    AUDIT_BATCH = 1
    AUDIT_EVENT = 2
    ROTATIONS = 6

cdef struct Sums:                       # over the positions of one market
    uint64_t lots
    uint64_t cost
    uint64_t longs
    uint64_t shorts

cdef struct Seen:                       # of a position, when it was last added up
    int64_t lots
    int64_t cost

cdef struct Shadow:                     # what an audit remembers; `made` from the state when it is first needed
    uint64_t *nets                      # [wallet]: balance + isolated margins - deposits, as last added up
    Seen *seen                          # [position]
    int32_t seen_capacity
    uint64_t *assets                    # [asset]: sum of nets
    Sums *markets
    int64_t cursors[ROTATIONS]
    int64_t steps                       # that the rotation may take; it is paid for by events and tape rows
    int64_t work                        # events and rows until the last audit
    int64_t rounds                      # how often the rotation went through everything
    int turn
    bint made

cdef int check_state(State *s, Shadow *kept, Hashes *hashes, bint risk) except -1
cdef int audit_batch(State *s, Shadow *shadow, Hashes *hashes) except -1
cdef int shadow_forget(Shadow *shadow) noexcept
