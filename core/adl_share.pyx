"""Allocations: a policy cuts every account of one side at once, in whole contracts that sum to what is asked for.

    given     room (what an account has at most) and a weight each, and the contracts wanted, at most the sum of rooms
    level     lots = min(room, eta * weight), with the water level eta at which they sum to what is wanted: accounts are
              sorted by room / weight, and those that the level drowns give all they have
    whole     of the others each gives its quota rounded down; the contracts that are left go to the largest remainders,
              equal ones by account. MIN_MAX gives them one after the other to the smallest (lots + 1) / weight, which
              makes the largest lots / weight as small as it can be
    weight 0  gives when all others have given everything, then in proportion to room

Weights: contracts (CONTRACT_PRO_RATA); equity behind the position (WEALTH_PRO_RATA, MIN_MAX), so that eta is the capped
haircut h = min(eta, beta); equity of the unit, or profit (RESEARCH_EQUITY_PRO_RATA, RESEARCH_PNL_PRO_RATA); contracts
times leverage squared (RISK_AWARE: h = min(1, tau * lambda * g(lambda)) of each position, g the identity).
RESEARCH_MIRROR_DESCENT projects relative leverages x onto the budget: h = x - tau * c, cut to [0, 1], c the position
relative to the largest, by bisection on tau. Spec: realism.md 5.1.
"""

from libc.stdlib cimport qsort

from .adl_scores cimport leverage_of
from .records cimport *
from .units cimport RATE_ONE, max64, min64, mul_div_floor, narrow, wide_mul

cdef enum:
    WEIGHT_BITS = 62                    # of the sum of weights: products with contracts then fit 128 bits
    LEVERAGE_MOST = 1000 * 1_000_000    # 1e-6

cdef extern from *:
    """
    #define PERPSIM_TAU_MOST INT64_C(1000000000000000000)
    """
    const int64_t TAU_MOST "PERPSIM_TAU_MOST"


cdef bint is_share(int64_t policy) noexcept nogil:
    """Whether a policy cuts all accounts of one side at once."""
    return ADL_CONTRACT_PRO_RATA <= policy <= ADL_RESEARCH_MIRROR_DESCENT


cdef i128 weight_of(int64_t policy, const Face *f, lots_t lots) noexcept nogil:
    cdef int64_t leverage
    if policy == ADL_WEALTH_PRO_RATA or policy == ADL_MIN_MAX:
        return max64(0, f.share)
    if policy == ADL_RESEARCH_EQUITY_PRO_RATA:
        return max64(0, f.equity)
    if policy == ADL_RESEARCH_PNL_PRO_RATA:
        return max64(0, f.gain)
    leverage = min64(LEVERAGE_MOST, leverage_of(f.value, f.share) / 1000)
    if policy == ADL_RISK_AWARE:
        return wide_mul(leverage, leverage) * lots
    if policy == ADL_RESEARCH_MIRROR_DESCENT:
        return leverage
    return lots                         # by contracts, of a whole side or of what an account can give unhedged


cdef int before_full(const void *left, const void *right) noexcept nogil:
    """By room / weight, no weight last, then by account: in the order in which a rising level drowns them."""
    cdef Cut *a = <Cut *>left
    cdef Cut *b = <Cut *>right
    cdef i128 x = wide_mul(a.room, b.weight)
    cdef i128 y = wide_mul(b.room, a.weight)
    if x != y:
        return -1 if x < y else 1
    return -1 if a.account < b.account else 1


cdef int by_rest(const void *left, const void *right) noexcept nogil:
    cdef Cut *a = <Cut *>left
    cdef Cut *b = <Cut *>right
    if a.rest != b.rest:
        return -1 if a.rest > b.rest else 1
    return -1 if a.account < b.account else 1


cdef int by_account(const void *left, const void *right) noexcept nogil:
    return -1 if (<Cut *>left).account < (<Cut *>right).account else 1


cdef int64_t narrow_weights(Cut *cuts, int64_t count) noexcept nogil:
    """Weights as 64-bit numbers, the lowest bits cut off all of them if their sum needs it; returns the sum."""
    cdef i128 total = 0
    cdef int64_t i, narrowed = 0
    cdef int shift = 0, overflow = 0
    for i in range(count):
        total += cuts[i].wide
    while (total >> shift) >> WEIGHT_BITS:
        shift += 1
    for i in range(count):
        cuts[i].weight = narrow(cuts[i].wide >> shift, &overflow) if cuts[i].room else 1    # drowned at once
        narrowed += cuts[i].weight
    return narrowed


cdef int64_t drown(Cut *cuts, int64_t count, lots_t *wanted, int64_t *total) noexcept nogil:
    """Have all that the water level covers give everything; returns how many they are, the first ones."""
    cdef int64_t i = 0
    qsort(cuts, count, sizeof(Cut), before_full)
    while i < count and cuts[i].weight and wide_mul(cuts[i].room, total[0]) <= wide_mul(wanted[0], cuts[i].weight):
        cuts[i].lots = cuts[i].room
        wanted[0] -= cuts[i].room
        total[0] -= cuts[i].weight
        i += 1
    return i


cdef lots_t quotas(Cut *cuts, int64_t count, lots_t wanted, int64_t total) noexcept nogil:
    """Quotas rounded down, and what each lacks to the next contract; returns the contracts that are left."""
    cdef int64_t i
    cdef int overflow = 0
    cdef lots_t left = wanted
    for i in range(count):
        cuts[i].lots = mul_div_floor(wanted, cuts[i].weight, total, &overflow)
        cuts[i].rest = narrow(wide_mul(wanted, cuts[i].weight) - wide_mul(cuts[i].lots, total), &overflow)
        left -= cuts[i].lots
    return left


cdef inline bint cheaper(Cut *a, Cut *b) noexcept nogil:
    """Whether one more contract of `a` makes a smaller lots / weight than one more of `b`; who is full comes last."""
    cdef i128 x, y
    if (a.lots < a.room) != (b.lots < b.room):
        return a.lots < a.room
    x = wide_mul(a.lots + 1, b.weight)
    y = wide_mul(b.lots + 1, a.weight)
    return x < y if x != y else a.account < b.account


cdef void settle_down(Cut *heap, int64_t count, int64_t i) noexcept nogil:
    cdef Cut moving = heap[i]
    cdef int64_t child
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        if child + 1 < count and cheaper(&heap[child + 1], &heap[child]):
            child += 1
        if not cheaper(&heap[child], &moving):
            break
        heap[i] = heap[child]
        i = child
    heap[i] = moving


cdef void smallest_maximum(Cut *cuts, int64_t count, lots_t left) noexcept nogil:
    """The contracts that are left, one after the other to where the largest lots / weight rises least."""
    cdef int64_t i
    for i in range(count / 2 - 1, -1, -1):
        settle_down(cuts, count, i)
    while left:
        cuts[0].lots += 1
        left -= 1
        settle_down(cuts, count, 0)


cdef void fill(Cut *cuts, int64_t count, lots_t wanted, bint min_max) noexcept nogil:
    cdef int64_t total, first, last = count, i
    cdef lots_t left
    if wanted <= 0 or count == 0:
        return
    total = narrow_weights(cuts, count)
    first = drown(cuts, count, &wanted, &total)
    while last > first and cuts[last - 1].weight == 0:
        last -= 1
    if last > first and wanted:         # the level lies among these
        left = quotas(cuts + first, last - first, wanted, total)
        if min_max:
            smallest_maximum(cuts + first, last - first, left)
        else:
            qsort(cuts + first, last - first, sizeof(Cut), by_rest)
            for i in range(first, first + left):
                cuts[i].lots += 1
    elif wanted:                        # nobody with a weight has anything left
        for i in range(last, count):
            cuts[i].wide = cuts[i].room
        fill(cuts + last, count - last, wanted, False)


cdef lots_t projected(Cut *cuts, int64_t count, int64_t tau, int64_t most_wide, lots_t most_room) noexcept nogil:
    """Lots at a multiplier: h = x - tau * c cut to [0, 1], x and c relative to the largest, all in 1e-9. Their sum."""
    cdef int64_t i, h, cost
    cdef int overflow = 0
    cdef lots_t total = 0
    for i in range(count):
        h = mul_div_floor(narrow(cuts[i].wide, &overflow), RATE_ONE, max64(1, most_wide), &overflow)
        cost = max64(1, mul_div_floor(cuts[i].room, RATE_ONE, max64(1, most_room), &overflow))
        h = max64(0, min64(RATE_ONE, h - mul_div_floor(tau, cost, RATE_ONE, &overflow)))
        cuts[i].lots = mul_div_floor(cuts[i].room, h, RATE_ONE, &overflow)
        total += cuts[i].lots
    return total


cdef void mirror_descent(Cut *cuts, int64_t count, lots_t wanted) noexcept nogil:
    """The smallest tau at which no more than `wanted` is cut; what is missing then goes by what is left of positions."""
    cdef int64_t i, low = -TAU_MOST, high = TAU_MOST, tau, most_wide = 0
    cdef int overflow = 0
    cdef lots_t most_room = 0, missing
    for i in range(count):
        most_wide = max64(most_wide, narrow(cuts[i].wide, &overflow))
        most_room = max64(most_room, cuts[i].room)
    while low < high:
        tau = low + (high - low) / 2
        if projected(cuts, count, tau, most_wide, most_room) <= wanted:
            high = tau
        else:
            low = tau + 1
    missing = wanted - projected(cuts, count, low, most_wide, most_room)
    for i in range(count):
        cuts[i].base = cuts[i].lots
        cuts[i].room -= cuts[i].lots
        cuts[i].wide = cuts[i].room
        cuts[i].lots = 0
    fill(cuts, count, missing, False)
    for i in range(count):
        cuts[i].lots += cuts[i].base
        cuts[i].room += cuts[i].base


cdef void share_out(int64_t policy, Cut *cuts, int64_t count, lots_t wanted) noexcept nogil:
    """Set `lots` of every cut, in the order of accounts; `wanted` is at most the sum of rooms."""
    cdef int64_t i
    if policy == ADL_RESEARCH_MIRROR_DESCENT:
        mirror_descent(cuts, count, wanted)
    else:
        for i in range(count):
            cuts[i].lots = 0
        fill(cuts, count, wanted, policy == ADL_MIN_MAX)
    qsort(cuts, count, sizeof(Cut), by_account)
