"""The shift that simulated flow leaves on recorded prices:

    S = factor * (sum over the steps k of the kernel of G(k) * f(flow k steps ago) + permanent * f(net flow))

    f          f(q) = sign(q) * sqrt(|q|), q in lots, signed: what takers bought of recorded liquidity less what they sold
    G          a table of integers (1e-9), an entry a step; the first is of the step that has just ended
    net flow   of all steps there ever were: it leaves S(its size) for good, and nothing where as much was sold as bought
    S          a share of the price, 1e-9; `impact_factor` is that of f = 1,000, a million lots

Steps are at multiples of `impact_step_ns`. Only what simulated takers ate counts, so without them nothing shifts. The
square root within a step and the decay between steps are those of the propagator models (Bouchaud and others). With G
falling as k^-0.6 a metaorder of Q lots moves the price by about the square root of Q in however many steps it comes
(exchange/recorded_book.py). A venue price is then recorded * (1 + S), in whole ticks.
"""

from libc.stdint cimport int64_t

from .state cimport TIMER_IMPACT
from .timers cimport timer_add
from .units cimport RATE_ONE, abs64, add_checked, i128, isqrt, min64

cdef enum:
    ROOT_PLACES = 10            # binary places of a square root
    MILLION_ROOT = 1_000        # square root of the flow that `impact_factor` speaks of
    SHIFT_LIMIT = 500_000_000   # no price is moved by more than half of itself

cdef extern from *:
    """
    #define PERPSIM_FLOW_LIMIT (INT64_C(1) << 41)
    """
    const int64_t FLOW_LIMIT "PERPSIM_FLOW_LIMIT"


cdef int start_impact(State *s, Market *m) except -1 nogil:
    """The first step, at the next multiple of the period; the clock has just started, or a step is done."""
    if m.impact_count == 0:
        return 0
    return timer_add(s, (s.time_ns / m.rules.impact_step_ns + 1) * m.rules.impact_step_ns, TIMER_IMPACT, m.id, 0, 0)


cdef int64_t root_of(lots_t flow) noexcept nogil:
    """sign(flow) * sqrt(|flow|), with ROOT_PLACES binary places; a flow beyond FLOW_LIMIT counts as that."""
    cdef int64_t root = isqrt(min64(abs64(flow), FLOW_LIMIT) << 2 * ROOT_PLACES)
    return -root if flow < 0 else root


cdef bint impact_step(State *s, Market *m) except -1 nogil:
    """Take in the flow since the last step. Returns whether the shift is another one now."""
    cdef int64_t *kernel = &s.impacts[m.impact_first]
    cdef int64_t *roots = kernel + m.impact_count
    cdef int64_t i, before = m.impact
    cdef i128 total, shift
    if m.impact_live == 0 and m.impact_flow == 0:
        return False
    m.impact_at = (m.impact_at + 1) % m.impact_count    # the oldest makes room
    m.impact_live -= roots[m.impact_at] != 0
    roots[m.impact_at] = root_of(m.impact_flow)
    m.impact_live += roots[m.impact_at] != 0
    m.impact_net = add_checked(m.impact_net, m.impact_flow, &s.overflow)
    m.impact_flow = 0
    total = <i128>m.rules.impact_permanent * root_of(m.impact_net)
    for i in range(m.impact_count):
        total += <i128>kernel[i] * roots[(m.impact_at - i + m.impact_count) % m.impact_count]
    shift = (total / RATE_ONE) * m.rules.impact_factor / (MILLION_ROOT << ROOT_PLACES)      # toward zero, as C divides
    m.impact = SHIFT_LIMIT if shift > SHIFT_LIMIT else (-SHIFT_LIMIT if shift < -SHIFT_LIMIT else <int64_t>shift)
    return m.impact != before
