# Writing events, and the rolling digest over them. Header only.
#
# An event is written in place: `event_new` fills what all events share, the caller the rest. The digest takes in
# finished events later, in order, so it does not depend on how commands were batched.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

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
    /* a whole event, one store a word */
    static inline void perpsim_put_event(void *event, int64_t sequence, int64_t time_ns, int64_t order_id,
            int64_t maker_order_id, int64_t price, int64_t size, int64_t fee, int64_t value, int64_t aux,
            int32_t account, int32_t maker_account, uint64_t market, uint64_t reason, uint64_t kind, uint64_t venue,
            uint64_t asset, uint64_t side) {
        perpsim_word *w = (perpsim_word *)event;
        w[0] = sequence; w[1] = time_ns; w[2] = order_id; w[3] = maker_order_id; w[4] = price; w[5] = size;
        w[6] = fee; w[7] = value; w[8] = aux;
        w[9] = (uint64_t)(uint32_t)account | (uint64_t)(uint32_t)maker_account << 32;
        w[10] = market | reason << 16 | kind << 32 | venue << 40 | asset << 48 | side << 56;
    }
    /* five lanes, one a pair of words, so that the multiplications overlap */
    static inline void perpsim_digest(const void *events, int64_t count, uint64_t *lanes) {
        const perpsim_word *w = (const perpsim_word *)events;
        const perpsim_word *end = w + 11 * count;
        const uint64_t k = UINT64_C(0xA0761D6478BD642F);
        uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3], e = lanes[4];
        for (; w != end; w += 11) {
            a = perpsim_mix(a ^ w[0], w[1] ^ k);
            b = perpsim_mix(b ^ w[2], w[3] ^ k);
            c = perpsim_mix(c ^ w[4], w[5] ^ k);
            d = perpsim_mix(d ^ w[6], w[7] ^ k);
            e = perpsim_mix(e ^ w[8], w[9] ^ k) ^ w[10];
        }
        lanes[0] = a; lanes[1] = b; lanes[2] = c; lanes[3] = d; lanes[4] = e;
    }
    """
    void digest_words "perpsim_digest"(const void *events, int64_t count, uint64_t *lanes) noexcept nogil
    void event_put "perpsim_put_event"(
        void *event, int64_t sequence, int64_t time_ns, int64_t order_id, int64_t maker_order_id, int64_t price_ticks,
        int64_t size_lots, int64_t fee, int64_t value, int64_t aux, int32_t account, int32_t maker_account,
        uint64_t market, uint64_t reason,
        uint64_t kind, uint64_t venue, uint64_t asset, uint64_t side) noexcept nogil
    void clear_event "perpsim_clear_event"(void *event) noexcept nogil

cdef enum:
    NO_ACCOUNT = -1             # nobody

cdef inline Event *next_event(State *s) except NULL nogil:
    """Room for one more event, to be written whole by `event_put`."""
    if s.events_count == s.events_capacity:
        events_grow(s)
    s.events_count += 1
    s.sequence += 1
    return &s.events[s.events_count - 1]

cdef inline Event *event_new(State *s, uint8_t kind) except NULL nogil:
    """The next event, all fields zero but sequence, time, venue, kind and the two 'nobody' accounts."""
    cdef Event *e = next_event(s)
    clear_event(e)
    e.sequence = s.sequence
    e.time_ns = s.time_ns
    e.kind = kind
    e.venue = <uint8_t>s.venue
    return e

cdef inline void digest_events(State *s) noexcept nogil:
    """Take in every event that was not digested yet."""
    digest_words(&s.events[s.events_digested], s.events_count - s.events_digested, s.digest)
    s.events_digested = s.events_count

cdef inline void digest_row(State *s, int64_t head, int64_t price, int64_t value) noexcept nogil:
    """Take in a tape row. `head` packs kind, side, flags and market; the time is digested with it."""
    s.row_digest = mix64(
        s.row_digest ^ <uint64_t>price ^ (<uint64_t>s.time_ns << 7),
        (<uint64_t>value * <uint64_t>0x9E3779B97F4A7C15) ^ <uint64_t>head ^ <uint64_t>0xE7037ED1A0B428DB)
    s.rows += 1
