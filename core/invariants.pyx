"""Invariants of one record each, so that an audit can spread them over time. Each function looks at what the record
says about itself and at the records that it points to; all return 1 at the first breach, which is noted in `b`.

They hold between commands; those of risk only while no mark group is open and the wallet waits for no stamp.
"""

from libc.stdint cimport uint32_t

from .accrual cimport accrued_at_worst, accrued_now, accrued_of
from .beyond cimport beyond_holds
from .book cimport NO_PRICE, first_order, price_of, side_of, world_lots
from .contract cimport BEYOND, lot_hold, lot_loss
from .idmap cimport find_leg, find_order, key_hash
from .ladder cimport NONE, ladder_get, ladder_is_marked, ladder_next, ladder_previous
from .margin cimport held_maintenance, unit_equity, unit_maintenance, value_at
from .records cimport (
    FLAG_CLOSE_POSITION, FLAG_REDUCE_ONLY, FLAG_TRAILING, LEG_BOTH, LEG_LONG, LEG_SHORT, MARKET_OPEN, MODE_CROSS,
    MODE_ISOLATED, SIDE_BUY, SIDE_SELL, TIF_GTD,
)
from .state cimport (
    ACCOUNT_HEDGE, ACCOUNT_HOUSE, BASIS_SAMPLES_MAX, STAGE_NONE, STAGE_REDUCING, STATE_ASIDE, STATE_RESTING,
    STATE_WAITING, WALLET_DIRTY, WALLET_HEDGE, WALLET_MULTI, WALLET_QUEUED, Claim, Level, Order, Position, Timer, Trigger,
    Wallet, WorldLevel, pool_first, pool_next,
)
from .units cimport abs64, div_ceil, max64, min64, money_t, value_t


# ---- accounts ------------------------------------------------------------------------------------------------------

cdef int check_wallet(State *s, int32_t wallet, Breach *b) noexcept nogil:
    """M3: every unit of the balance has a reason. The wallet's list holds its positions, and it is in no scratch list.

    Treasury, rounding, clearing and fund wallets get money without a counter of their own; they are checked by sums.
    """
    cdef Wallet *w = &s.wallets[wallet]
    cdef int32_t slot = w.positions_head, seen = 0
    cdef uint64_t held = <uint64_t>w.balance
    cdef uint64_t told = <uint64_t>w.deposited + <uint64_t>w.realised - <uint64_t>w.fees
    told += <uint64_t>w.funding + <uint64_t>w.absorbed
    while slot != NONE:
        if expect(b, 0 <= slot < s.positions_count and s.positions[slot].wallet == wallet and seen <= 3 * s.markets_count,
                  BREACH_POSITION_LISTS, w.account, 0, slot, wallet):
            return 1
        held += <uint64_t>s.positions[slot].isolated_margin
        slot = s.positions[slot].account_next
        seen += 1
    if w.account <= s.world or w.account == s.deficit or w.account == s.backstop:
        if equal(b, BREACH_REASONS, w.account, 0, <int64_t>held, <int64_t>told):
            return 1
    return equal(b, BREACH_FLAGS, w.account, 0, w.flags & WALLET_QUEUED, 0) or \
        equal(b, BREACH_FLAGS, w.account, 1, (w.flags & WALLET_HEDGE) != 0, (s.accounts[w.account].flags & ACCOUNT_HEDGE) != 0)


cdef int check_position(State *s, int32_t slot, Breach *b) noexcept nogil:
    """What a position is by itself; P5, P6; what it holds for its orders; its place in its trigger bucket."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    if expect(b, p.lots != 0 or (p.cost == 0 and p.isolated_margin == 0), BREACH_FLAT, p.account, p.market, p.cost, 0):
        return 1
    if expect(b, p.mode == MODE_ISOLATED or (p.mode == MODE_CROSS and p.isolated_margin == 0), BREACH_MODE, p.account,
              p.market, p.isolated_margin, 0):
        return 1
    if expect(b, p.leg == LEG_BOTH or (p.leg == LEG_LONG and p.lots >= 0) or (p.leg == LEG_SHORT and p.lots <= 0),
              BREACH_MODE, p.account, p.market, p.leg, 0):
        return 1
    if equal(b, BREACH_POSITION_INDEX, p.account, p.market, find_leg(s, p.account, p.market, p.leg), slot):
        return 1
    if equal(b, BREACH_POSITION_INDEX, p.account, p.market, p.wallet, p.account * s.assets_count + m.asset):
        return 1
    if not s.accounts[p.account].flags & ACCOUNT_HOUSE:
        if expect(b, abs64(p.lots) <= m.position_max, BREACH_CAP, p.account, p.market, p.lots, m.position_max):
            return 1
    if s.claiming and check_claim(s, slot, b):
        return 1
    return check_holds(s, slot, b) or check_bucket(s, slot, b)


cdef int check_claim(State *s, int32_t slot, Breach *b) noexcept nogil:
    """A customer's claim is within its position, which is being liquidated; a claim stands where its neighbours say."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Claim *c = &s.claims[slot]
    cdef int side
    if c.sent == 0:
        return equal(b, BREACH_CLAIM, p.account, p.market, c.left, 0)
    if expect(b, 0 <= c.left <= c.sent and m.rules.attribution, BREACH_CLAIM, p.account, p.market, c.left, c.sent):
        return 1
    if not s.accounts[p.account].flags & ACCOUNT_HOUSE and expect(
            b, c.left <= abs64(p.lots) and (p.stage if p.mode == MODE_ISOLATED else s.wallets[p.wallet].stage) == STAGE_REDUCING,
            BREACH_CLAIM, p.account, p.market, c.left, abs64(p.lots)):
        return 1
    if c.left == 0:
        return 0
    side = SIDE_SELL if c.previous == NONE and m.claims_head[SIDE_SELL] == slot else SIDE_BUY
    if equal(b, BREACH_CLAIM_QUEUE, p.account, p.market,
             m.claims_head[side] if c.previous == NONE else s.claims[c.previous].next, slot):
        return 1
    side = SIDE_SELL if c.next == NONE and m.claims_tail[SIDE_SELL] == slot else SIDE_BUY
    return equal(b, BREACH_CLAIM_QUEUE, p.account, p.market,
                 m.claims_tail[side] if c.next == NONE else s.claims[c.next].previous, slot)


cdef int check_holds(State *s, int32_t slot, Breach *b) noexcept nogil:
    """What a position holds for its open orders is what its orders say."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Order *o
    cdef int32_t at = p.orders_head, before = NONE
    cdef int64_t bids = 0, asks = 0, losses = 0, resting = 0, waiting = 0, reducing = 0, room = 0, value
    cdef int64_t bid_lots = 0, ask_lots = 0
    while at != NONE:
        o = &s.orders[at]
        if expect(b, o.position == slot and o.position_previous == before, BREACH_ORDER_LISTS, p.account, o.id, o.position,
                  slot):
            return 1
        if o.state == STATE_WAITING:
            waiting += 1
        else:
            resting += 1
            if p.account != s.world:
                bid_lots += o.size_lots if o.side == SIDE_BUY else 0
                ask_lots += o.size_lots if o.side == SIDE_SELL else 0
            if o.flags & FLAG_REDUCE_ONLY:
                reducing += 1
                room += o.size_lots
                if expect(b, (p.lots > 0) == (o.side == SIDE_SELL), BREACH_REDUCE_ONLY, p.account, o.id, o.side, p.lots):
                    return 1
            elif p.account != s.world:
                value = lot_hold(s, m, o.price_ticks) * o.size_lots
                bids += value if o.side == SIDE_BUY else 0
                asks += value if o.side == SIDE_SELL else 0
                losses += lot_loss(s, m, o.side, o.price_ticks, o.premium_ticks) * o.size_lots
        before = at
        at = o.position_next
    if equal(b, BREACH_COUNTS, p.account, p.market, p.resting_orders, resting & 0xFFFF) or \
            equal(b, BREACH_COUNTS, p.account, p.market, p.waiting_orders, waiting) or \
            equal(b, BREACH_COUNTS, p.account, p.market, p.reduce_only_orders, reducing) or \
            equal(b, BREACH_ORDER_LISTS, p.account, 0, p.orders_tail, before):
        return 1
    if equal(b, BREACH_HOLDS, p.account, p.market, p.order_value[SIDE_BUY], bids) or \
            equal(b, BREACH_HOLDS, p.account, p.market, p.order_value[SIDE_SELL], asks) or \
            equal(b, BREACH_HOLDS, p.account, p.market, p.order_lots[SIDE_BUY], bid_lots) or \
            equal(b, BREACH_HOLDS, p.account, p.market, p.order_lots[SIDE_SELL], ask_lots) or \
            equal(b, BREACH_HOLDS, p.account, p.market, p.open_loss, losses):
        return 1
    return expect(b, room <= abs64(p.lots), BREACH_REDUCE_ONLY, p.account, 0, room, abs64(p.lots))


cdef int check_bucket(State *s, int32_t slot, Breach *b) noexcept nogil:
    """A position under a trigger stands in the bucket of that trigger, within the bound of its side."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Ladder *ladder = &m.longs if p.triggered_side == 1 else &m.shorts
    cdef int64_t bucket
    if p.triggered_side == 0:
        return 0
    if expect(b, p.triggered_side <= 2 and 0 <= p.trigger_value <= m.price_max * m.tick_value, BREACH_BUCKET, p.account,
              p.market, p.trigger_value, m.price_max * m.tick_value):
        return 1
    bucket = p.trigger_value / m.bucket_value
    if not ladder_is_marked(ladder, bucket):
        return expect(b, False, BREACH_BUCKET, p.account, p.market, 0, bucket)
    if p.bucket_previous == NONE:
        if equal(b, BREACH_BUCKET, p.account, p.market, ladder_get(ladder, bucket), slot):
            return 1
    elif equal(b, BREACH_BUCKET, p.account, p.market, s.positions[p.bucket_previous].bucket_next, slot):
        return 1
    if p.bucket_next != NONE and equal(
            b, BREACH_BUCKET, p.account, p.market, s.positions[p.bucket_next].bucket_previous, slot):
        return 1
    if p.triggered_side == 1:
        return expect(b, p.trigger_value <= m.longs_bound, BREACH_BOUND, p.account, p.market, m.longs_bound, p.trigger_value)
    return expect(b, p.trigger_value >= m.shorts_bound, BREACH_BOUND, p.account, p.market, m.shorts_bound, p.trigger_value)


# ---- risk ----------------------------------------------------------------------------------------------------------

cdef int check_risk(State *s, int32_t wallet, Breach *b) noexcept nogil:
    """L1: nobody below maintenance outside a liquidation, but while an ADL decision holds up those who are found.

    Risk index: triggers are on the right side, and none too late.
    """
    cdef Wallet *w = &s.wallets[wallet]
    cdef int32_t slot = w.positions_head
    cdef Position *p
    if s.changed_count or s.adl.open or s.accounts[w.account].flags & ACCOUNT_HOUSE or w.flags & WALLET_DIRTY or undecided(s):
        return 0
    if w.flags & WALLET_MULTI:
        return check_pool(s, wallet, b) if wallet % s.assets_count == 0 else 0
    if w.stage == STAGE_NONE and check_unit(s, wallet, NONE, b):
        return 1
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and p.mode == MODE_ISOLATED and p.stage == STAGE_NONE and check_unit(s, wallet, slot, b):
            return 1
        slot = p.account_next
    return 0


cdef bint undecided(State *s) noexcept nogil:
    """Whether funding has accrued since the last decision."""
    cdef int32_t i
    if s.accruing:
        for i in range(s.markets_count):
            if s.markets[i].rules.funding_continuous and s.markets[i].accrued != accrued_now(s, &s.markets[i]):
                return True
    return False


cdef int check_pool(State *s, int32_t lead, Breach *b) noexcept nogil:
    """A multi-asset account: its health now; no watched price is passed, and no position has a trigger of its own."""
    cdef int32_t watch = s.accounts[s.wallets[lead].account].watches, slot, i, variable
    cdef money_t health
    cdef value_t now
    if s.prices_changed or s.wallets[lead].stage != STAGE_NONE:
        return 0
    for i in range(s.assets_count):
        if s.wallets[lead + i].flags & WALLET_DIRTY:
            return 0
    health = unit_equity(s, lead, NONE) - unit_maintenance(s, lead, NONE)
    if expect(b, health >= 0, BREACH_MAINTENANCE, s.wallets[lead].account, NONE, health, 0):
        return 1
    while watch != NONE:
        variable = s.watches[watch].heap >> 1
        if variable < s.markets_count:
            now = s.markets[variable].mark
        else:
            now = s.collateral[variable - s.markets_count].price
        if s.watches[watch].value != BEYOND and expect(     # BEYOND: looked at in any case
                b, now <= s.watches[watch].value if s.watches[watch].heap & 1 else now >= s.watches[watch].value,
                BREACH_WATCH, s.wallets[lead].account, variable, now, s.watches[watch].value):
            return 1
        watch = s.watches[watch].next
    slot = pool_first(s, lead)
    while slot != NONE:
        if equal(b, BREACH_TRIGGER_SIDE, s.wallets[lead].account, s.positions[slot].market, s.positions[slot].triggered_side, 0):
            return 1
        slot = pool_next(s, slot)
    return 0


cdef int check_unit(State *s, int32_t wallet, int32_t position, Breach *b) noexcept nogil:
    """A risk unit that is in no liquidation: its health now, and with every mark just short of its trigger."""
    cdef int32_t slot = s.wallets[wallet].positions_head if position == NONE else position
    cdef int32_t account = s.wallets[wallet].account
    cdef Position *p
    cdef Market *m
    cdef money_t health = unit_equity(s, wallet, position) - unit_maintenance(s, wallet, position), worst = health
    cdef money_t value
    cdef bint always = False
    if expect(b, health >= 0, BREACH_MAINTENANCE, account, position, health, 0):
        return 1
    while slot != NONE:
        p = &s.positions[slot]
        if p.lots and (position != NONE or p.mode == MODE_CROSS):
            m = &s.markets[p.market]
            always = always or looked_at(m, p)
            worst -= accrued_at_worst(s, m, p) - accrued_of(s, m, p)
            if p.triggered_side and equal(b, BREACH_TRIGGER_SIDE, account, p.market, p.triggered_side == 1, p.lots > 0):
                return 1
            value = value_at(s, m, p.lots, m.mark)
            worst -= value - held_maintenance(s, m, p, value)
            value = value_at(s, m, p.lots, last_safe_mark(m, p))
            worst += value - held_maintenance(s, m, p, value)
        slot = p.account_next if position == NONE else NONE
    return expect(b, worst >= 0 or always, BREACH_TRIGGER_LATE, account, position, worst, 0)


cdef inline bint looked_at(Market *m, Position *p) noexcept nogil:
    """Whether the unit is looked at at every decision: funding that accrues may be all that it takes."""
    return m.rules.funding_continuous and p.triggered_side and (
        m.mark <= p.trigger_value if p.lots > 0 else m.mark >= p.trigger_value)


cdef inline value_t last_safe_mark(Market *m, Position *p) noexcept nogil:
    """The worst mark at which a position's trigger lets it pass unseen; the mark of now where any other is looked at."""
    if p.lots > 0:
        return max64(min64(p.trigger_value + 1, m.mark), m.mark_min) if p.triggered_side else m.mark_min
    return max64(p.trigger_value - 1, m.mark) if p.triggered_side else m.price_max * m.tick_value


# ---- orders --------------------------------------------------------------------------------------------------------

cdef int check_order(State *s, int32_t slot, Breach *b) noexcept nogil:
    """O4 for one slot: a live order is where its index, its lists and its level say; a free one is nowhere."""
    cdef Order *o = &s.orders[slot]
    cdef Position *p
    cdef Market *m
    if o.state == 0:
        return 0
    if expect(b, 0 <= o.position < s.positions_count, BREACH_ORDER_FIELDS, o.id, slot, o.state, STATE_RESTING):
        return 1
    p = &s.positions[o.position]
    m = &s.markets[p.market]
    if o.state == STATE_ASIDE and expect(
            b, o.position == m.world_position and not m.rules.price_min <= o.price_ticks + m.shift <= m.price_max,
            BREACH_ORDER_FIELDS, p.account, o.id, o.price_ticks, m.shift):
        return 1
    if equal(b, BREACH_ORDER_INDEX, p.account, o.id, find_order(s, p.account, o.id), slot):
        return 1
    if expect(b, o.filled_lots >= 0 and o.world_ahead >= 0 and o.price_ticks <= m.price_max and (
            o.size_lots > 0 or o.flags & FLAG_CLOSE_POSITION), BREACH_ORDER_FIELDS, p.account, o.id, o.size_lots, 1):
        return 1
    if o.position_next != NONE:
        if equal(b, BREACH_ORDER_LISTS, p.account, o.id, s.orders[o.position_next].position_previous, slot):
            return 1
    elif equal(b, BREACH_ORDER_LISTS, p.account, o.id, p.orders_tail, slot):
        return 1
    if expect(b, (o.trigger != NONE) == (o.state == STATE_WAITING or o.tif == TIF_GTD), BREACH_ORDER_TRIGGER, p.account,
              o.id, o.trigger, NONE):
        return 1
    if o.trigger != NONE and equal(b, BREACH_ORDER_TRIGGER, p.account, o.id, s.triggers[o.trigger].order, slot):
        return 1
    return check_place(s, m, slot, b)


cdef int check_place(State *s, Market *m, int32_t slot, Breach *b) noexcept nogil:
    """An order's place: at its price on its side, or under its trigger, its neighbours pointing back."""
    cdef Order *o = &s.orders[slot]
    cdef Trigger *t
    cdef int32_t account = s.positions[o.position].account, at, head
    if o.next != NONE and equal(b, BREACH_QUEUE, account, o.id, s.orders[o.next].previous, slot):
        return 1
    if o.state == STATE_RESTING:
        at = ladder_get(&m.sides[o.side].accounts, o.price_ticks)
        if expect(b, at != NONE, BREACH_LEVEL_PLACE, m.id, o.price_ticks, at, o.id):
            return 1
        if o.previous == NONE:
            return equal(b, BREACH_QUEUE, account, o.id, s.levels[at].head, slot)
        return equal(b, BREACH_QUEUE, account, o.id, s.orders[o.previous].next, slot)
    if o.state == STATE_ASIDE:
        return 0                        # it stands nowhere
    if o.flags & FLAG_TRAILING:
        head = m.trailing_head
    else:
        t = &s.triggers[o.trigger]
        head = ladder_get(&m.stops[t.source * 2 + t.fires_above], t.trigger_ticks)
        if slot == head:                # its `previous` is the tail
            return expect(b, o.previous != NONE and s.orders[o.previous].next == NONE, BREACH_QUEUE, account, o.id,
                          o.previous, slot)
    if o.previous == NONE:
        return equal(b, BREACH_QUEUE, account, o.id, head, slot)
    return equal(b, BREACH_QUEUE, account, o.id, s.orders[o.previous].next, slot)


cdef int check_level(State *s, int32_t slot, Breach *b) noexcept nogil:
    """O4, O8: a level's sums are those of its queue, and it stands at its price."""
    cdef Level *level = &s.levels[slot]
    cdef int32_t at = level.head, before = NONE, recorded = NONE
    cdef Order *o
    cdef Market *m
    cdef int64_t lots = 0, ahead = 0, count = 0, world = 0, price
    cdef int side
    if at == NONE:                      # not in use
        return 0
    if expect(b, s.orders[at].state == STATE_RESTING, BREACH_LEVEL_PLACE, NONE, s.orders[at].price_ticks, at, slot):
        return 1
    m = &s.markets[s.positions[s.orders[at].position].market]
    price = s.orders[at].price_ticks
    side = s.orders[at].side
    if expect(b, ladder_get(&m.sides[side].accounts, price) == slot and ladder_is_marked(&m.sides[side].accounts, price),
              BREACH_LEVEL_PLACE, m.id, price, ladder_get(&m.sides[side].accounts, price), slot):
        return 1
    while at != NONE:
        o = &s.orders[at]
        if expect(b, o.previous == before and o.state == STATE_RESTING and o.price_ticks == price and o.side == side
                  and o.size_lots > 0 and o.world_ahead >= 0 and s.positions[o.position].market == m.id,
                  BREACH_QUEUE, s.positions[o.position].account, o.id, o.previous, before):
            return 1
        lots += o.size_lots
        ahead += o.world_ahead
        count += 1
        before = at
        at = o.next
    if price - m.shift >= 0:
        recorded = ladder_get(&m.sides[side].world, price - m.shift)
    if recorded != NONE:
        world = world_lots(&s.world_levels[recorded])
    if equal(b, BREACH_LEVEL_ORDERS, m.id, price, level.orders, count) or \
            equal(b, BREACH_LEVEL_ORDERS, m.id, price, level.tail, before) or \
            equal(b, BREACH_LEVEL_LOTS, m.id, price, level.lots, lots) or \
            equal(b, BREACH_SEGMENTS, m.id, price, level.world_lots, ahead):
        return 1
    return expect(b, ahead <= world, BREACH_SEGMENTS, m.id, price, ahead, world)


cdef int check_recorded(State *s, int32_t slot, Breach *b) noexcept nogil:
    """O8: a recorded level stands at its price, and is marked while something can be had there."""
    cdef WorldLevel *w = &s.world_levels[slot]
    cdef Market *m
    cdef Ladder *ladder
    cdef int64_t price
    if w.recorded == 0:                 # not in use
        return equal(b, BREACH_RECORDED, slot, 0, w.printed | w.consumed, 0)
    price = price_of(w.where)
    if expect(b, 0 <= w.where >> 41 < s.markets_count, BREACH_RECORDED_PLACE, w.where >> 41, price, slot, NONE):
        return 1
    m = &s.markets[w.where >> 41]
    ladder = &m.sides[side_of(w.where)].world
    if equal(b, BREACH_RECORDED_PLACE, m.id, price, ladder_get(ladder, price), slot):
        return 1
    if expect(b, w.recorded > 0 and w.printed >= 0 and w.consumed >= 0, BREACH_RECORDED, m.id, price,
              w.recorded if w.recorded < 0 else (w.printed if w.printed < 0 else w.consumed), 0):
        return 1
    return equal(b, BREACH_RECORDED_PLACE, m.id, price, ladder_is_marked(ladder, price),
                 world_lots(w) > 0 and m.rules.price_min <= price + m.shift <= m.price_max)


# ---- structures ----------------------------------------------------------------------------------------------------

cdef int check_page(State *s, Ladder *ladder, int64_t page, bint whole, Breach *b) noexcept nogil:
    """The bitmaps of one page of a ladder: a marked cell holds something (where `whole`, the others nothing)."""
    cdef uint64_t bits = ladder.bits[page], cells = 0
    cdef int32_t i, slot = ladder.directory[page]
    if slot != NONE:
        for i in range(64):
            if ladder.pages[slot].cell[i] != NONE:
                cells |= <uint64_t>1 << i
    if expect(b, bits & ~cells == 0 and (not whole or bits == cells), BREACH_BITS, page << 6, 0, <int64_t>bits,
              <int64_t>cells):
        return 1
    if equal(b, BREACH_BITS, page << 6, 1, ladder.middle[page >> 6] >> (page & 63) & 1, bits != 0):
        return 1
    return equal(b, BREACH_BITS, page << 6, 2, ladder.top[page >> 12] >> ((page >> 6) & 63) & 1,
                 ladder.middle[page >> 6] != 0)


cdef int check_timer(State *s, int32_t place, Breach *b) noexcept nogil:
    """The heap: nobody is due before its parent; the first is the one that the clock waits for."""
    cdef Timer *t = &s.timers[place]
    cdef Timer *parent = &s.timers[(place - 1) / 2]
    if place == 0:
        return equal(b, BREACH_TIMERS, t.kind, t.target, s.next_timer_ns, t.time_ns if s.started else 1)
    return expect(b, parent.time_ns < t.time_ns or (parent.time_ns == t.time_ns and (
        parent.kind < t.kind or (parent.kind == t.kind and parent.sequence < t.sequence))),
        BREACH_TIMERS, t.kind, t.target, t.time_ns, parent.time_ns)


cdef int check_index_entry(State *s, int64_t place, Breach *b) noexcept nogil:
    """An entry of the order index leads to a live order with the entry's hash."""
    cdef uint64_t entry = s.order_index.entries[place]
    cdef int64_t slot = <int64_t><uint32_t>entry - 1
    cdef Order *o
    if entry == 0:
        return 0
    if expect(b, 0 <= slot < s.orders_count and s.orders[slot].state, BREACH_INDEX_ENTRY, place, 0, slot, NONE):
        return 1
    o = &s.orders[slot]
    return equal(b, BREACH_INDEX_ENTRY, place, o.id, <int64_t>(entry >> 32),
                 <int64_t>(key_hash(s.positions[o.position].account, o.id) >> 32))


cdef int check_market(State *s, Market *m, Breach *b) noexcept nogil:
    """What is kept beside the books: best prices, O1, the mark in ticks, the basis sum, the conditional orders."""
    cdef int side
    cdef int32_t i, slot
    cdef int64_t best, price, total = 0
    for side in range(2):
        best = ladder_previous(&m.sides[side].accounts, m.price_max) if side == SIDE_BUY else ladder_next(
            &m.sides[side].accounts, 0)
        if equal(b, BREACH_BEST, m.id, side, m.sides[side].best_accounts, best):
            return 1
        best = ladder_previous(&m.sides[side].world, m.sides[side].world.price_max) if side == SIDE_BUY else ladder_next(
            &m.sides[side].world, 0)
        if equal(b, BREACH_BEST, m.id, side, m.sides[side].best_world, best):
            return 1
        if expect(b, beyond_holds(s, m, side), BREACH_BEST, m.id, side, m.beyond_level[side], m.beyond_taken[side]):
            return 1
        if m.state == MARKET_OPEN and s.depth_market == NONE:   # recorded orders may cross each other: nothing is repaired
            slot = first_order(s, m, side, False)
            price = NO_PRICE if slot == NONE else s.orders[slot].price_ticks
            best = m.sides[1 - side].best_accounts
            if expect(b, best == NO_PRICE or price == NO_PRICE or (price < best if side == SIDE_BUY else price > best),
                      BREACH_CROSSED, m.id, side, price, best):
                return 1
    if equal(b, BREACH_MARK, m.id, 0, m.mark_ticks, m.mark / m.tick_value) or \
            equal(b, BREACH_MARK, m.id, 1, m.mark_ticks_up, div_ceil(m.mark, m.tick_value)):
        return 1
    for i in range(<int32_t>m.basis_count):
        total += s.basis[m.id * BASIS_SAMPLES_MAX + i]
    return equal(b, BREACH_BASIS, m.id, 0, m.basis_sum, total)
