# One number for the content of one record of the state. Header only; pure functions of state.
#
# A hash takes in what a record means, never where it lies: no slot numbers, no pointers, no padding, no capacities. An
# order is named by account and id, a position by account and market, a level by market, side and price. So two states of
# the same content hash alike whatever the histories of their slots, and so does a state restored from a snapshot.
#
# Left out is what other content implies and the audit verifies (holds, counts, indexes, bitmaps, best prices, open
# interest), and what decides only when to look, not what happens (liquidation triggers, lists of the dirty).

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from .ladder cimport NONE, ladder_get
from .mark_inputs cimport BookPrice, MarkInputs, RecentTrade
from .records cimport FLAG_TRAILING, Command
from .rule_numbers cimport MarketRules, VenueRules
from .state cimport (
    BASIS_SAMPLES_MAX, POSITION_LIMIT, POSITION_SEEN, SOURCES_MAX, STATE_ASIDE, STATE_WAITING, TIMER_LIQUIDATION, WALLET_MULTI,
    Claim, FundSamples, Level, Market, Order, Position, Source, State, Timer, Trigger, Wallet, WorldLevel,
)
from .units cimport high_word, low_word, mix64

cdef enum:                              # where each kind of record starts from
    OF_WALLET = 1
    OF_POSITION = 2
    OF_LEVEL = 3
    OF_WAITING = 4
    OF_RECORDED = 5
    OF_MARKET = 6
    OF_VENUE = 7
    OF_TIMER = 8
    OF_FUND = 9
    OF_DECISION = 10

cdef enum:
    COLLATERAL_WORDS = 10               # of a Collateral, up to its price

cdef inline uint64_t fold(uint64_t h, int64_t a, int64_t b) noexcept nogil:
    """Take in two more words."""
    return mix64(h ^ <uint64_t>a ^ <uint64_t>0x9E3779B97F4A7C15, <uint64_t>b ^ <uint64_t>0xD6E8FEB86659FD93) + h

cdef inline uint64_t fold_words(uint64_t h, const int64_t *words, int64_t count) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        h = fold(h, words[i], i)
    return h

cdef inline uint64_t hash_wallet(State *s, int64_t wallet) noexcept nogil:
    """One account in one asset; the account's own fields go with its first asset."""
    cdef Wallet *w = &s.wallets[wallet]
    cdef uint64_t h = fold(OF_WALLET, wallet, w.balance)
    h = fold(h, w.deposited, w.realised)
    h = fold(h, w.fees, w.funding)
    h = fold(h, w.absorbed, w.due_ns)
    h = fold(h, w.work_ns, w.work)
    h = fold(h, w.stage | w.flags & WALLET_MULTI | <int64_t>w.liquidations << 8, w.adl_hits)
    if wallet < s.day_count and s.day_realised[wallet]:
        h = fold(h, s.day_realised[wallet], 1)
    if wallet % s.assets_count == 0:
        h = fold(h, s.accounts[w.account].owner, s.accounts[w.account].stp_group)
        h = fold(h, s.accounts[w.account].flags, s.accounts[w.account].fund_group)
    return h

cdef inline int light_of(State *s, int64_t slot) noexcept nogil:
    return s.lights[slot] if slot < s.lights_count else 0

cdef inline uint64_t fold_claim(State *s, uint64_t h, int64_t slot) noexcept nogil:
    """A position's claim, with the one before it in its queue."""
    cdef Claim *c = &s.claims[slot]
    cdef Position *before
    h = fold(h, s.positions[slot].flags & POSITION_SEEN, 0)
    if c.sent == 0:
        return h
    h = fold(fold(h, c.sent, c.left), c.limit, c.order_id)
    if c.left == 0 or c.previous == NONE:
        return h
    before = &s.positions[c.previous]
    return fold(h, before.account, before.leg)

cdef inline uint64_t hash_position(State *s, Position *p) noexcept nogil:
    cdef uint64_t h = fold(OF_POSITION, <int64_t>p.account << 16 | p.market, p.lots)
    h = fold(h, p.cost, p.isolated_margin)
    if s.accruals and p.lots and s.accrued_from[p - s.positions]:   # by the value: elsewhere nothing may change
        h = fold(h, high_word(s.accrued_from[p - s.positions]), <int64_t>low_word(s.accrued_from[p - s.positions]))
    h = fold(h, <int64_t>p.leverage << 16 | p.leg << 14 | p.mode << 8 | p.stage, p.due_ns)
    if s.claiming:
        h = fold_claim(s, h, p - s.positions)
    return fold(h, light_of(s, p - s.positions), p.cap_tiers if p.flags & POSITION_LIMIT else 0)

cdef inline uint64_t fold_order(State *s, uint64_t h, Order *o) noexcept nogil:
    h = fold(h, o.id, <int64_t>s.positions[o.position].account << 32 | o.flags << 8 | o.tif << 4 | o.stp_mode)
    h = fold(h, o.size_lots, o.filled_lots)
    h = fold(h, o.world_ahead, o.premium_ticks)
    return h if o.trigger == NONE else fold(h, s.triggers[o.trigger].expire_ns, 1)

cdef inline uint64_t hash_level(State *s, Level *level) noexcept nogil:
    """A level with its queue, head first; 0 for one that is not in use."""
    cdef int32_t slot = level.head
    cdef Order *o
    cdef uint64_t h
    if slot == NONE:
        return 0
    o = &s.orders[slot]
    h = fold(OF_LEVEL, <int64_t>s.positions[o.position].market << 1 | o.side, o.price_ticks)
    h = fold(h, level.lots, level.world_lots)
    while slot != NONE:
        o = &s.orders[slot]
        h = fold_order(s, h, o)
        slot = o.next
    return h

cdef inline uint64_t hash_waiting(State *s, Trigger *t) noexcept nogil:
    """A conditional order, with the one before it in its list; 0 for a trigger that is free or of a resting order."""
    cdef Order *o
    cdef Order *before
    cdef Market *m
    cdef uint64_t h
    if t.order == NONE or s.orders[t.order].state != STATE_WAITING:
        return 0
    o = &s.orders[t.order]
    m = &s.markets[s.positions[o.position].market]
    h = fold_order(s, fold(OF_WAITING, m.id, <int64_t>o.side << 40 | o.price_ticks), o)
    h = fold(h, t.trigger_ticks, t.callback_e9)
    h = fold(h, t.extreme_ticks, t.source | t.fires_above << 1 | t.due << 2)
    if o.previous != NONE and (
            o.flags & FLAG_TRAILING or ladder_get(&m.stops[t.source * 2 + t.fires_above], t.trigger_ticks) != t.order):
        before = &s.orders[o.previous]
        h = fold(h, before.id, s.positions[before.position].account)
    return h

cdef inline uint64_t hash_recorded(WorldLevel *w) noexcept nogil:
    """A recorded level; 0 for one that is not in use."""
    if w.next_free > NONE or w.recorded == 0:
        return 0
    return fold(fold(OF_RECORDED, w.where, w.recorded), w.printed, w.consumed ^ <int64_t>w.regrown << 46)

cdef inline uint64_t hash_timer(State *s, Timer *t) noexcept nogil:
    cdef int64_t other = t.target_other
    if t.kind == TIMER_LIQUIDATION and other != NONE:
        other = s.positions[other].market
    return fold(fold(OF_TIMER, t.time_ns, t.kind), t.key, <int64_t>t.target << 32 | <uint32_t>other)

cdef inline uint64_t fold_aside(State *s, uint64_t h, Market *m) noexcept nogil:
    """Recorded orders that a shift has moved off the grid: no level names them."""
    cdef int32_t slot = s.positions[m.world_position].orders_head if m.shift else NONE
    while slot != NONE:
        if s.orders[slot].state == STATE_ASIDE:
            h = fold_order(s, fold(h, s.orders[slot].side, s.orders[slot].price_ticks), &s.orders[slot])
        slot = s.orders[slot].position_next
    return h

cdef inline uint64_t hash_market(State *s, Market *m) noexcept nogil:
    cdef MarkInputs *inputs = &s.mark_inputs[m.id]
    cdef uint64_t h = fold(OF_MARKET, m.id, m.state)
    h = fold_words(h, <int64_t *>&m.rules, sizeof(MarketRules) / 8)
    h = fold(h, m.mark, m.index)
    h = fold(h, m.mark_before, 0)
    h = fold(h, m.last, m.funding_rate)
    h = fold(h, m.funding_next_ns, m.mark_next_ns)
    h = fold(h, m.shock, 0)
    h = fold(h, m.impact, m.impact_flow)
    h = fold_aside(s, fold(h, m.impact_net, 0), m)
    h = fold_words(h, s.impacts + m.impact_first, 2 * m.impact_count)
    h = fold_words(h, <int64_t *>m.beyond_edge, 6)
    h = fold(h, m.shift, m.mark_changed | m.snapshot_open << 1)
    h = fold(h, m.print_low, m.print_high)
    h = fold(h, m.basis_count, m.basis_next)
    h = fold_words(h, &s.basis[m.id * BASIS_SAMPLES_MAX], m.basis_count)
    h = fold(h, m.premium_count, m.premium_weighted)
    h = fold(h, m.premium_next_ns, m.index_next_ns)
    h = fold(h, m.quiet_cycles, m.index_lost)
    h = fold(h, high_word(m.accrued_base), <int64_t>low_word(m.accrued_base))
    h = fold(h, m.accrued_since, m.accrued_paid)
    h = fold(h, high_word(m.basis_ema), <int64_t>low_word(m.basis_ema))
    h = fold(h, high_word(m.local_ema), <int64_t>low_word(m.local_ema))
    h = fold(h, m.basis_ema_weight, m.local_ema_weight)
    h = fold(h, m.basis_ema_ns, m.local_ema_ns)
    h = fold_words(
        h, <int64_t *>&s.sources[<int64_t>m.id * SOURCES_MAX], (m.sources_count + m.perps_count) * sizeof(Source) / 8)
    h = fold(h, m.index_ns, inputs.trades_count << 32 | inputs.books_count)
    h = fold_words(h, <int64_t *>inputs.trades, inputs.trades_count * sizeof(RecentTrade) / 8)
    h = fold_words(h, <int64_t *>inputs.books, inputs.books_count * sizeof(BookPrice) / 8)
    h = fold(h, inputs.trades_next, inputs.books_next)
    if m.rules.attribution:
        h = fold(fold(h, m.prints, m.attributed_lots), m.excess_lots, m.deficit_lots)
        h = fold(h, <int64_t>m.flow_hash, m.lapsed_lots)
    h = fold(h, m.mark_lowest, m.mark_highest)
    h = fold(h, m.basis_gap_worst_e9, m.tape_unfilled_lots)
    return fold(fold(h, m.liquidated_long_lots, m.liquidated_short_lots), m.fund_result, 0)

cdef inline uint64_t hash_fund(FundSamples *f, int64_t place) noexcept nogil:
    cdef uint64_t h = fold(fold(OF_FUND, place, 0), f.count, f.closed)
    return fold_words(fold_words(h, f.time_ns, f.count), f.value, f.count)

cdef inline uint64_t hash_venue(State *s) noexcept nogil:
    cdef int32_t a
    cdef uint64_t h = fold(OF_VENUE, s.time_ns, s.started)
    h = fold_words(h, <int64_t *>&s.rules, sizeof(VenueRules) / 8)
    h = fold(h, s.forced_id, s.liquidations)
    h = fold(h, s.seed, s.draws)
    if s.collateral != NULL:
        for a in range(s.assets_count):
            h = fold_words(h, <int64_t *>&s.collateral[a], COLLATERAL_WORDS)
        h = fold(h, s.prices_changed, 0)
    h = fold(h, s.light_next_ns, 0)
    return fold(fold(h, s.roundings, s.depth_market), s.fund_next_ns ^ s.day_next_ns, s.fund_samples_count + s.day_count)

cdef inline uint64_t hash_unit(State *s, uint64_t h, int32_t wallet, int32_t position) noexcept nogil:
    return fold(h, wallet, NONE if position == NONE else s.positions[position].market << 2 | s.positions[position].leg)

cdef inline uint64_t hash_decision(State *s) noexcept nogil:
    """What a user is asked, and what waits for the answer; 0 where nothing is asked."""
    cdef int32_t i
    cdef uint64_t h
    if not s.adl.open:
        return 0
    h = hash_unit(s, fold(OF_DECISION, s.adl.value, s.adl.share), s.adl.wallet, s.adl.position)
    h = hash_unit(s, fold(h, s.adl.of_vault, s.adl.of_group), s.positions[s.adl.slot].wallet, s.adl.slot)
    h = fold_words(h, <int64_t *>&s.adl.waiting, sizeof(Command) / 8)
    for i in range(s.found_next, s.found_count):
        h = hash_unit(s, h, s.found[i].wallet, s.found[i].position)
    return fold(h, s.found_count > 0, 0)
