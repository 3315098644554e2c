# Writing events, and the rolling digest over them. Header only.
#
# An event is written in place: `event_new` fills what all events share, the caller the rest. The digest takes in
# finished events later, in order, so it does not depend on how commands were batched.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from .records cimport NO_ORDER, Event
from .state cimport State, events_grow
from .units cimport mix64

cdef extern from *:
    """
    /* written out: gcc turns a loop or a memset of this odd size into a call, which costs more than the stores */
    typedef uint64_t __attribute__((may_alias, aligned(1))) perpsim_word;
    static inline void perpsim_clear_event(void *event) {
        perpsim_word *w = (perpsim_word *)event;
        w[0] = 0; w[1] = 0; w[2] = 0; w[3] = 0; w[4] = 0; w[5] = 0; w[6] = 0; w[7] = 0; w[8] = 0;
        w[9] = ~UINT64_C(0);            /* account and maker_account: nobody */
        w[10] = 0;
    }
    """
    void clear_event "perpsim_clear_event"(void *event) noexcept nogil

cdef inline Event *event_new(State *s, uint8_t kind) except NULL nogil:
    """The next event, all fields zero but sequence, time, venue, kind and the two 'nobody' accounts."""
    cdef Event *e
    if s.events_count == s.events_capacity:
        events_grow(s)
    e = &s.events[s.events_count]
    s.events_count += 1
    clear_event(e)
    s.sequence += 1
    e.sequence = s.sequence
    e.time_ns = s.time_ns
    e.kind = kind
    e.venue = <uint8_t>s.venue
    return e

cdef inline void digest_events(State *s) noexcept nogil:
    """Take in every event that was not digested yet. Four lanes, so that the multiplications overlap."""
    cdef int64_t i
    cdef uint64_t w[11]
    cdef uint64_t a = s.digest[0], b = s.digest[1], c = s.digest[2], d = s.digest[3]
    for i in range(s.events_digested, s.events_count):
        memcpy(w, &s.events[i], sizeof(Event))
        a = mix64(a ^ w[0], w[1] ^ <uint64_t>0xA0761D6478BD642F)
        b = mix64(b ^ w[2], w[3] ^ <uint64_t>0xE7037ED1A0B428DB)
        c = mix64(c ^ w[4], w[5] ^ <uint64_t>0x8EBC6AF09C88C6E3)
        d = mix64(d ^ w[6], w[7] ^ <uint64_t>0x589965CC75374CC3)
        a = mix64(a ^ w[8], w[9] ^ <uint64_t>0x1D8E4E27C47D124F)
        b ^= w[10] * <uint64_t>0x9E3779B97F4A7C15
    s.digest[0] = a
    s.digest[1] = b
    s.digest[2] = c
    s.digest[3] = d
    s.events_digested = s.events_count

cdef inline void digest_row(State *s, int64_t head, int64_t price, int64_t value) noexcept nogil:
    """Take in a tape row. `head` packs kind, side, flags and market; the time is digested with it."""
    s.row_digest = mix64(
        s.row_digest ^ <uint64_t>price ^ (<uint64_t>s.time_ns << 7),
        (<uint64_t>value * <uint64_t>0x9E3779B97F4A7C15) ^ <uint64_t>head ^ <uint64_t>0xE7037ED1A0B428DB)
    s.rows += 1
