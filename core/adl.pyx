"""The ADL queue: one score a policy, highest first, ties by account id.

A queue is ranked when it is first needed after a mark group, for one market and side, and then consumed in order;
each candidate is checked again when its turn comes. Scores are integers: ratios in 1e-9, products in 1e-18.

BitMEX   (app page autoDeleveraging): PnL% = pnl / |entry value|; leverage = |mark value| / (mark value - bankrupt value);
         score = PnL% * leverage where PnL% > 0, else PnL% / leverage.
Binance  (support 360033525471): PnL% = max(0, pnl) / max(1, wallet balance); margin ratio = maintenance / margin balance,
         0 where the balance is not positive; score = PnL% * margin ratio.
"""

from libc.stdint cimport int64_t

from .ladder cimport NONE
from .margin cimport cross_equity, maintenance_of, unit_maintenance, value_at
from .records cimport ADL_BINANCE, ADL_BITMEX, MODE_ISOLATED
from .state cimport ACCOUNT_HOUSE, STAGE_NONE, Position, Rank, Wallet
from .units cimport (
    RATE_ONE, VALUE_ONE, abs64, high_word, i128, low_word, max64, money_t, mul_div_floor, ratio_e9, wide_mul,
)

from libc.stdlib cimport realloc


cdef void adl_forget(State *s) noexcept nogil:
    """Prices have moved: rank anew when the queue is needed next."""
    s.ranks_key = -1


cdef money_t equity_share(State *s, Position *p, Market *m, money_t value) noexcept nogil:
    """Equity behind one position: its own when isolated, else its part of the wallet's by maintenance weight."""
    cdef money_t equity, total
    cdef Wallet *w = &s.wallets[p.wallet]
    if p.mode == MODE_ISOLATED:
        return p.isolated_margin + value - p.cost
    equity = cross_equity(s, w)
    total = unit_maintenance(s, p.wallet, NONE)
    if total <= 0:
        return equity
    return mul_div_floor(equity, maintenance_of(s, m, abs64(value)), total, &s.overflow)


cdef i128 bitmex_score(State *s, Position *p, Market *m) noexcept nogil:
    cdef money_t value = value_at(s, m, p.lots, m.mark)
    cdef money_t share = equity_share(s, p, m, value)
    cdef int64_t gain = ratio_e9(value - p.cost, max64(1, abs64(p.cost)))
    cdef int64_t leverage = ratio_e9(abs64(value), share) if share > 0 else 0x7FFFFFFFFFFFFFFF
    if gain > 0:
        return wide_mul(gain, leverage)
    if leverage <= 0:
        leverage = 1
    return wide_mul(gain, RATE_ONE) / leverage * RATE_ONE


cdef i128 binance_score(State *s, Position *p, Market *m) noexcept nogil:
    cdef money_t value = value_at(s, m, p.lots, m.mark)
    cdef money_t gain = max64(0, value - p.cost)
    cdef bint isolated = p.mode == MODE_ISOLATED
    cdef money_t balance = p.isolated_margin if isolated else s.wallets[p.wallet].balance
    cdef money_t equity, needed
    if gain == 0:
        return 0
    if isolated:
        equity = balance + value - p.cost
        needed = maintenance_of(s, m, abs64(value))
    else:
        equity = cross_equity(s, &s.wallets[p.wallet])
        needed = unit_maintenance(s, p.wallet, NONE)
    if equity <= 0:
        return 0
    return wide_mul(ratio_e9(gain, max64(VALUE_ONE, balance)), ratio_e9(needed, equity))


cdef inline bint eligible(State *s, Position *p, bint longs) noexcept nogil:
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


cdef int rank_side(State *s, Market *m, bint longs) except -1 nogil:
    cdef int32_t slot = m.positions_head
    cdef int64_t i
    cdef Position *p
    cdef i128 score
    reserve_ranks(s, m.positions_count)
    s.ranks_count = 0
    while slot != NONE:
        p = &s.positions[slot]
        if eligible(s, p, longs):
            score = bitmex_score(s, p, m) if s.rules.adl_policy == ADL_BITMEX else binance_score(s, p, m)
            s.ranks[s.ranks_count].score_high = high_word(score)
            s.ranks[s.ranks_count].score_low = low_word(score)
            s.ranks[s.ranks_count].position = slot
            s.ranks[s.ranks_count].account = p.account
            s.ranks_count += 1
        slot = p.market_next
    for i in range(s.ranks_count / 2 - 1, -1, -1):
        sift_down(s.ranks, s.ranks_count, i)
    s.ranks_key = m.id * 2 + longs
    s.ranks_old = 0
    return 0


cdef int32_t adl_next(State *s, Market *m, bint longs) except -2 nogil:
    """The position that is next to be deleveraged among the longs (or shorts) of a market, NONE if nobody is left."""
    cdef Rank *top
    if s.rules.adl_policy != ADL_BITMEX and s.rules.adl_policy != ADL_BINANCE:
        return NONE
    if s.ranks_key != m.id * 2 + longs:
        rank_side(s, m, longs)
    while s.ranks_count:
        top = &s.ranks[0]
        if eligible(s, &s.positions[top.position], longs):
            return top.position
        s.ranks_count -= 1
        s.ranks[0] = s.ranks[s.ranks_count]
        if s.ranks_count:
            sift_down(s.ranks, s.ranks_count, 0)
    if s.ranks_old:                     # nobody is left of those who were ranked: look for newcomers
        rank_side(s, m, longs)
        return s.ranks[0].position if s.ranks_count else NONE
    return NONE
