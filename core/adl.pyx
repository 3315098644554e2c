"""The ADL queue: one score a policy (adl_scores.pxd), highest first, ties by account id.

A queue is ranked when it is first needed after a mark group, for one market and side, and then consumed in order;
each candidate is checked again when its turn comes. dYdX draws lots instead: it starts at a random one of the accounts
and goes round, anew for each position; the draw depends on the engine's seed and on how often was drawn before.
"""

from libc.stdint cimport int64_t, uint64_t

from .adl_scores cimport *
from .ladder cimport NONE
from .margin cimport in_asset_of, pnl_at, position_maintenance, unit_equity, unit_maintenance, value_at
from .records cimport *
from .state cimport ACCOUNT_HOUSE, STAGE_NONE, Position, Rank
from .units cimport abs64, high_word, i128, low_word, mul_div_floor

from libc.stdlib cimport realloc


cdef void adl_forget(State *s) noexcept nogil:
    """Prices have moved: rank anew when the queue is needed next."""
    s.ranks_key = -1


cdef void look_at_face(State *s, int32_t slot, Market *m, Face *f) noexcept nogil:
    """What a policy sees of a candidate."""
    cdef Position *p = &s.positions[slot]
    cdef int32_t unit = slot if p.mode == MODE_ISOLATED else NONE
    f.value = abs64(value_at(s, m, p.lots, m.mark))
    f.cost = abs64(p.cost)
    f.gain = pnl_at(s, m, p, m.mark)
    f.balance = p.isolated_margin if p.mode == MODE_ISOLATED else s.wallets[p.wallet].balance
    f.equity = in_asset_of(s, p.wallet, m, unit_equity(s, p.wallet, unit))
    f.maintenance = in_asset_of(s, p.wallet, m, unit_maintenance(s, p.wallet, unit))
    f.share = f.equity
    if p.mode != MODE_ISOLATED and f.maintenance > 0:
        f.share = mul_div_floor(f.equity, position_maintenance(s, m, p), f.maintenance, &s.overflow)
    f.leverage = p.leverage
    f.is_long = p.lots > 0


cdef i128 score_of(int64_t policy, const Face *f) noexcept nogil:
    if policy == ADL_BITMEX:
        return score_bitmex(f.gain, f.cost, f.value, f.share)
    if policy == ADL_BINANCE:
        return score_binance(f.gain, f.balance, f.maintenance, f.equity)
    if policy == ADL_BYBIT:
        return score_bybit(f.gain, f.cost, f.leverage)
    if policy == ADL_OKX:
        return score_okx(f.gain, f.cost, f.value, f.equity)
    if policy == ADL_OKX_ROI:
        return score_okx_roi(f.gain, f.cost, f.leverage, f.maintenance, f.equity)
    if policy == ADL_BITGET:
        return score_bitget(f.gain, f.cost, f.leverage, f.maintenance, f.equity)
    if policy == ADL_BITGET_LEVERAGE:
        return score_bitget_leverage(f.gain, f.cost, f.leverage)
    if policy == ADL_HYPERLIQUID:
        return score_hyperliquid(f.value, f.cost, f.equity, f.is_long)
    if policy == ADL_CUBE:
        return score_cube(f.gain, leverage_of(f.value, f.share))
    if policy == ADL_RESEARCH_RETURN:
        return score_return(f.gain, f.value, f.equity)
    if policy == ADL_RESEARCH_BALANCE:
        return score_balance(f.gain, f.value, f.balance)
    if policy == ADL_RESEARCH_PNL_RATIO:
        return score_pnl_ratio(f.gain, f.balance)
    return 0                            # dYdX: by account, until lots are drawn


cdef bint eligible(State *s, Position *p, bint longs) noexcept nogil:
    """Opposite side, a customer's, not itself in liquidation."""
    if p.lots == 0 or (p.lots > 0) != longs or s.accounts[p.account].flags & ACCOUNT_HOUSE:
        return False
    return (p.stage if p.mode == MODE_ISOLATED else s.wallets[p.wallet].stage) == STAGE_NONE


cdef inline bint before(Rank *a, Rank *b) noexcept nogil:
    if a.score_high != b.score_high:
        return a.score_high > b.score_high
    if a.score_low != b.score_low:
        return a.score_low > b.score_low
    return a.account < b.account


cdef void sift_down(Rank *heap, int64_t count, int64_t i) noexcept nogil:
    cdef Rank moving = heap[i]
    cdef int64_t child
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        if child + 1 < count and before(&heap[child + 1], &heap[child]):
            child += 1
        if not before(&heap[child], &moving):
            break
        heap[i] = heap[child]
        i = child
    heap[i] = moving


cdef int reserve_ranks(State *s, int64_t wanted) except -1 nogil:
    cdef Rank *bigger
    if s.ranks_capacity >= wanted:
        return 0
    bigger = <Rank *>realloc(s.ranks, wanted * sizeof(Rank))
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the ADL queue")
    s.ranks = bigger
    s.ranks_capacity = wanted
    return 0


cdef inline void set_score(Rank *r, i128 score) noexcept nogil:
    r.score_high = high_word(score)
    r.score_low = low_word(score)


cdef uint64_t draw(State *s) noexcept nogil:
    """The next of the engine's random numbers: SplitMix64 of the seed and a counter."""
    cdef uint64_t z = <uint64_t>s.seed + <uint64_t>(s.draws + 1) * <uint64_t>0x9E3779B97F4A7C15
    s.draws += 1
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef void draw_start(State *s) noexcept nogil:
    """Put the candidates in order of their accounts, beginning with a random one."""
    cdef int64_t i, start, count = s.ranks_count
    if count == 0:
        return
    for i in range(count - 1, 0, -1):   # a heap becomes a list, the last of the queue first
        sink_top(s.ranks, i)
    start = <int64_t>(draw(s) % <uint64_t>count)
    for i in range(count):              # list[i] is number count - 1 - i of the accounts
        set_score(&s.ranks[i], count - (count - 1 - i - start + count) % count)


cdef inline void sink_top(Rank *heap, int64_t last) noexcept nogil:
    cdef Rank top = heap[0]
    heap[0] = heap[last]
    heap[last] = top
    sift_down(heap, last, 0)


cdef void heapify(State *s) noexcept nogil:
    cdef int64_t i
    for i in range(s.ranks_count / 2 - 1, -1, -1):
        sift_down(s.ranks, s.ranks_count, i)


cdef int rank_side(State *s, Market *m, bint longs) except -1 nogil:
    cdef int32_t slot = m.positions_head
    cdef Position *p
    cdef Face face
    reserve_ranks(s, m.positions_count)
    s.ranks_count = 0
    while slot != NONE:
        p = &s.positions[slot]
        if eligible(s, p, longs):
            look_at_face(s, slot, m, &face)
            set_score(&s.ranks[s.ranks_count], score_of(s.rules.adl_policy, &face))
            s.ranks[s.ranks_count].position = slot
            s.ranks[s.ranks_count].account = p.account
            s.ranks_count += 1
        slot = p.market_next
    heapify(s)
    if s.rules.adl_policy == ADL_DYDX:
        draw_start(s)
        heapify(s)
    s.ranks_key = m.id * 2 + longs
    s.ranks_old = 0
    return 0


cdef void adl_skip(State *s) noexcept nogil:
    """Leave out who is next."""
    s.ranks_count -= 1
    s.ranks[0] = s.ranks[s.ranks_count]
    if s.ranks_count:
        sift_down(s.ranks, s.ranks_count, 0)


cdef int32_t adl_next(State *s, Market *m, bint longs) except -2 nogil:
    """The position that is next to be deleveraged among the longs (or shorts) of a market, NONE if nobody is left."""
    cdef Rank *top
    if s.ranks_key != m.id * 2 + longs:
        rank_side(s, m, longs)
    while s.ranks_count:
        top = &s.ranks[0]
        if eligible(s, &s.positions[top.position], longs):
            return top.position
        adl_skip(s)
    if s.ranks_old:                     # nobody is left of those who were ranked: look for newcomers
        rank_side(s, m, longs)
        return s.ranks[0].position if s.ranks_count else NONE
    return NONE
