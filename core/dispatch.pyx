"""What happens around a command: timers first, then the command, then what depends on its group, then stops.

At equal times the order is: recorded trades, recorded levels, marks, funding, expiry, liquidation steps, client
commands. So rows of a tape see the timers of earlier times only; client commands see those of their own time too.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.string cimport memset

from .accounts cimport (
    deposit, move_margin, seed_position, set_account, set_leverage, set_margin_mode, set_position_mode, withdraw,
)
from .adl_decision cimport decide
from .adl_light cimport light_due, start_light_timer
from .auction cimport uncross
from .attribution cimport attribute
from .book cimport NONE, matches_now
from .claims cimport end_claim, set_flow
from .events cimport digest_row, event_new
from .cover cimport day_due, start_day_timer
from .fund cimport unwind_due
from .fund_trigger cimport fund_sample_due, start_fund_timer
from .funding cimport change_funding, funding_due
from .impact cimport start_impact
from .index_price cimport shocked
from .ledger cimport change_position, transfer
from .margin cimport value_at
from .marks cimport change_mark
from .oracles cimport set_collateral_price
from .orders cimport amend, cancel, cancel_all, expire_order, fire_conditionals, place, reject
from .overlay cimport tape_depth_end, tape_level, tape_trade, trade_crossed
from .plain cimport apply_calm
from .prices cimport mark_due, premium_due, set_index, set_source, start_timers
from .recorded_orders cimport execution_price, recorded_crossed, tape_order, withhold
from .records cimport *
from .resilience cimport refill_due, start_resilience
from .risk cimport go_on, liquidation_due, mark_group_end
from .risk_limits cimport set_risk_limit
from .rule_changes cimport set_rule
from .settle cimport cancel_orders_of
from .shift cimport impact_due, set_shock
from .state cimport (
    NEVER, TIMER_ADL_LIGHT, TIMER_DAY, TIMER_EXPIRY, TIMER_FUND, TIMER_FUNDING, TIMER_IMPACT, TIMER_MARK, TIMER_PREMIUM,
    TIMER_RESILIENCE, TIMER_UNWIND, Market, OpenAdl, Timer, wallet_of,
)
from .timers cimport timer_pop
from .units cimport RATE_ONE, money_t, value_t


cdef int fire_all(State *s) except -1 nogil:
    """Waiting orders on the last price, in every market that traded."""
    cdef int32_t i
    if s.waiting_orders:
        for i in range(s.markets_count):
            if s.markets[i].print_high:
                fire_conditionals(s, &s.markets[i], SOURCE_LAST)
    return 0


cdef int close_group(State *s) except -1 nogil:
    """The last command of a group was seen: a depth message is whole, a set of marks is whole.

    The liquidations of a mark group may have to wait for a user's ADL decision: `State.adl` is then open.
    """
    cdef int32_t market = s.depth_market
    if market != NONE:
        s.depth_market = NONE
        tape_depth_end(s, &s.markets[market])
        if s.markets[market].print_high:
            fire_conditionals(s, &s.markets[market], SOURCE_LAST)
    if s.changed_count or s.prices_changed:
        mark_group_end(s)
        if not s.adl.open:
            fire_all(s)
    return 0


cdef int timer_fired(State *s, Timer *t) except -1 nogil:
    if t.kind == TIMER_MARK:
        return mark_due(s, &s.markets[t.target])
    if t.kind == TIMER_FUNDING:
        return funding_due(s, &s.markets[t.target])
    if t.kind == TIMER_PREMIUM:
        return premium_due(s, &s.markets[t.target])
    if t.kind == TIMER_EXPIRY:
        return expire_order(s, t.target, t.key)
    if t.kind == TIMER_DAY:
        return day_due(s)
    if t.kind == TIMER_ADL_LIGHT:
        return light_due(s)
    if t.kind == TIMER_FUND:
        return fund_sample_due(s)
    if t.kind == TIMER_IMPACT:
        impact_due(s, &s.markets[t.target])
        return fire_all(s)
    if t.kind == TIMER_RESILIENCE:
        refill_due(s, &s.markets[t.target])
        trade_crossed(s, &s.markets[t.target])
        return fire_all(s)
    if t.kind == TIMER_UNWIND:
        unwind_due(s, &s.markets[t.target])
    else:
        liquidation_due(s, t.target, t.target_other)
    return 0 if s.adl.open else fire_all(s)


cdef int advance(State *s, ns_t time_ns, bint inclusive) except -1 nogil:
    """Fire the timers due before `time_ns` (at it too if `inclusive`) and set the clock.

    Stops at the timer that leads to a user's ADL decision, with the clock at its time.
    """
    cdef Timer t
    cdef int32_t i
    if not s.started and time_ns > 0:
        s.started = 1
        s.next_timer_ns = s.timers[0].time_ns if s.timers_count else NEVER
        s.time_ns = time_ns
        for i in range(s.markets_count):
            start_timers(s, &s.markets[i])
            start_resilience(s, &s.markets[i])
            start_impact(s, &s.markets[i])
        start_fund_timer(s)
        start_day_timer(s)
        start_light_timer(s)
    while s.timers_count and (s.timers[0].time_ns < time_ns or (inclusive and s.timers[0].time_ns == time_ns)):
        t = timer_pop(s)
        if t.time_ns > s.time_ns:
            s.time_ns = t.time_ns
        timer_fired(s, &t)
        if s.adl.open:
            return 0
        if s.changed_count and not (
                s.timers_count and s.timers[0].kind == TIMER_MARK and s.timers[0].time_ns == s.time_ns):
            close_group(s)              # all marks of one instant are one group
        if s.overflow or s.adl.open:
            return 0
    if time_ns > s.time_ns:
        s.time_ns = time_ns
    return 0


cdef int set_market_state(State *s, const Command *c) except -1 nogil:
    cdef Market *m = &s.markets[c.market]
    cdef int before = m.state
    cdef Event *e
    if c.aux < MARKET_PRE_OPEN or c.aux > (MARKET_REDUCE_ONLY if c.flags & FLAG_TAPE else MARKET_CLOSED):
        return reject(s, c, REJECT_BAD_ENUM)            # no tape ends a market: that takes a price of settlement
    if before >= MARKET_SETTLING and c.aux < before:
        return reject(s, c, REJECT_MARKET_STATE)
    if c.aux == MARKET_CLOSED and before < MARKET_SETTLING:
        return reject(s, c, REJECT_MARKET_STATE)        # positions are settled first
    if c.aux == MARKET_SETTLING:
        if c.value > m.price_max * m.tick_value or 0 < c.value < m.mark_min:
            return reject(s, c, REJECT_BAD_VALUE)
        if c.value <= 0 and m.mark == 0:
            return reject(s, c, REJECT_NO_MARK)
    m.state = <int32_t>c.aux
    e = event_new(s, EVENT_MARKET_STATE)
    e.market = c.market
    e.aux = c.aux
    e.value = before
    if matches_now(m) and before != MARKET_OPEN and before != MARKET_REDUCE_ONLY:
        uncross(s, m)                   # whatever gathered while nothing was matched
        trade_crossed(s, m)
        recorded_crossed(s, m)
    if c.aux == MARKET_SETTLING and before < MARKET_SETTLING:
        settle_market(s, m, c.value)
    return 0


cdef int settle_market(State *s, Market *m, value_t price) except -1 nogil:
    """End a contract: orders go, every position is closed against the clearing account at one price.

    Values are rounded down, so a few units stay in the clearing account; they go to the rounding account.
    """
    cdef int32_t slot = m.positions_head
    cdef money_t value
    cdef Event *e
    if price > 0:
        change_mark(s, m, price)
    while slot != NONE:
        cancel_orders_of(s, slot, REASON_MARKET_STATE)
        if s.claiming:
            end_claim(s, slot, REASON_MARKET_STATE)
        if s.positions[slot].lots:
            value = value_at(s, m, s.positions[slot].lots, m.mark)
            e = event_new(s, EVENT_SETTLEMENT)
            e.account = s.positions[slot].account
            e.market = s.positions[slot].market
            e.size_lots = s.positions[slot].lots
            e.value = value
            change_position(s, slot, -s.positions[slot].lots, -value)
            s.roundings += 1
        slot = s.positions[slot].market_next
    transfer(s, &s.wallets[m.clearing_wallet], wallet_of(s, s.rounding, m.asset), s.wallets[m.clearing_wallet].balance)
    m.accrued_paid = 0                  # went with the rest
    return mark_group_end(s)


cdef int price_command(State *s, const Command *c) except -1 nogil:
    """SET_MARK, SET_INDEX, SET_SOURCE, SET_FUNDING: from a client, or from the tape (then moved by the shock)."""
    cdef Market *m = &s.markets[c.market]
    cdef bint tape = c.flags & FLAG_TAPE
    cdef value_t value = c.value
    if c.kind == KIND_SET_FUNDING:
        if not -RATE_ONE < value < RATE_ONE:
            return reject(s, c, REJECT_BAD_VALUE)
        return change_funding(s, m, value, c.expire_ns)
    if tape:
        value = shocked(s, m, value, RATE_ONE if c.kind == KIND_SET_MARK else m.rules.impact_index)
    if c.kind == KIND_SET_SOURCE and not 0 <= c.aux < m.sources_count + m.perps_count:
        return reject(s, c, REJECT_UNKNOWN_SOURCE)
    if value < (0 if c.kind == KIND_SET_SOURCE else m.mark_min) or value > m.price_max * m.tick_value:
        return reject(s, c, REJECT_BAD_VALUE)
    if c.kind == KIND_SET_SOURCE:
        return set_source(s, m, c.aux, value)
    if c.kind == KIND_SET_INDEX:
        return set_index(s, m, value, tape)
    if tape and m.rules.mark_method != MARK_GIVEN:
        return 0                        # this market computes its mark
    return change_mark(s, m, value)


cdef enum:                              # sets of kinds, one bit each
    MARKETLESS = (
        1 << KIND_CANCEL_ALL | 1 << KIND_DEPOSIT | 1 << KIND_WITHDRAW | 1 << KIND_TICK | 1 << KIND_SET_RULE
        | 1 << KIND_SET_ACCOUNT | 1 << KIND_SET_COLLATERAL_PRICE | 1 << KIND_SET_POSITION_MODE
    )
    GROUPED = (
        1 << KIND_TAPE_LEVEL | 1 << KIND_SET_MARK | 1 << KIND_SET_INDEX | 1 << KIND_SET_FUNDING
        | 1 << KIND_SET_COLLATERAL_PRICE | 1 << KIND_SET_SOURCE
    )
    KNOWN = ((1 << (KIND_SET_ACCOUNT + 1)) - 2) | 1 << KIND_SET_RISK_LIMIT | 1 << KIND_SET_SOURCE | 1 << KIND_SET_FLOW
    KIND_LAST = KIND_SET_FLOW
    OF_TAPE = 1 << KIND_TAPE_LEVEL | 1 << KIND_TAPE_TRADE | 1 << KIND_TAPE_ORDER
    OF_ACCOUNT = ((1 << (KIND_SEED_POSITION + 1)) - 2) | 1 << KIND_SET_ACCOUNT | 1 << KIND_SET_RISK_LIMIT
    OF_HOUSE_TOO = 1 << KIND_DEPOSIT | 1 << KIND_WITHDRAW


cdef inline bint kind_in(int kind, int kinds) noexcept nogil:
    return (kinds >> kind) & 1


cdef inline bint joins_group(int kind) noexcept nogil:
    return kind_in(kind, GROUPED)


cdef int run_command(State *s, const Command *c) except -1 nogil:
    """The command itself, after the checks that all commands share."""
    cdef int kind = c.kind, reason
    if kind == KIND_PLACE:
        return place(s, c)
    if kind == KIND_CANCEL:
        return cancel(s, c)
    if kind == KIND_AMEND:
        return amend(s, c)
    if kind == KIND_CANCEL_ALL:
        return cancel_all(s, c)
    if kind == KIND_TAPE_LEVEL or kind == KIND_TAPE_TRADE:
        return tape_command(s, c)
    if kind == KIND_TAPE_ORDER:
        return recorded_row(s, c)
    if kind_in(kind, 1 << KIND_SET_MARK | 1 << KIND_SET_INDEX | 1 << KIND_SET_FUNDING | 1 << KIND_SET_SOURCE):
        return price_command(s, c)
    if kind == KIND_SET_LEVERAGE:
        return set_leverage(s, c)
    if kind == KIND_SET_RISK_LIMIT:
        return set_risk_limit(s, c)
    if kind == KIND_SET_MARGIN_MODE:
        return set_margin_mode(s, c)
    if kind == KIND_SET_POSITION_MODE:
        return set_position_mode(s, c)
    if kind == KIND_DEPOSIT:
        return deposit(s, c) if c.asset < s.assets_count else reject(s, c, REJECT_UNKNOWN_ASSET)
    if kind == KIND_WITHDRAW:
        return withdraw(s, c) if c.asset < s.assets_count else reject(s, c, REJECT_UNKNOWN_ASSET)
    if kind == KIND_MOVE_MARGIN:
        return move_margin(s, c)
    if kind == KIND_SEED_POSITION:
        return seed_position(s, c)
    if kind == KIND_SET_ACCOUNT:
        return set_account(s, c)
    if kind == KIND_SET_RULE:
        return set_rule(s, c)
    if kind == KIND_SET_MARKET_STATE:
        return set_market_state(s, c)
    if kind == KIND_SET_SHOCK:
        if c.value <= 0 or c.value > 100 * <int64_t>RATE_ONE:
            return reject(s, c, REJECT_BAD_VALUE)
        return set_shock(s, &s.markets[c.market], c.value)
    if kind == KIND_SET_COLLATERAL_PRICE:
        return set_collateral_price(s, c)
    if kind == KIND_SET_FLOW:
        reason = set_flow(s, c)
        return reject(s, c, reason) if reason else 0
    return 0                            # TICK: time has passed


cdef inline int digest_order(State *s, const Command *c) noexcept nogil:
    digest_row(s, (KIND_TAPE_ORDER << 24) | ((c.aux & 15) << 20) | (c.side << 16) | c.market, c.price_ticks, c.size_lots)
    digest_row(s, KIND_TAPE_ORDER << 24, c.order_id, 0)
    s.rows -= 1                         # one row of two parts
    return 0


cdef int tape_command(State *s, const Command *c) except -1 nogil:
    """TAPE_LEVEL and TAPE_TRADE as commands; they mean what the same rows mean in `apply_row`."""
    cdef Market *m = &s.markets[c.market]
    if c.side > SIDE_SELL:
        return reject(s, c, REJECT_BAD_ENUM)
    if c.price_ticks < 0 or c.price_ticks > m.price_max:
        return reject(s, c, REJECT_BAD_PRICE)
    if c.size_lots < 0 or (c.size_lots == 0 and c.kind == KIND_TAPE_TRADE):
        return reject(s, c, REJECT_BAD_SIZE)
    if c.kind == KIND_TAPE_LEVEL:
        if message_ends(s, m) and s.adl.open:
            return hold(s, c)
        return level_row(s, m, c.side, c.price_ticks, c.size_lots, c.flags & FLAG_SNAPSHOT, c.flags & FLAG_MORE)
    return trade_row(s, m, c.side, c.price_ticks, c.size_lots)


cdef inline int trade_row(State *s, Market *m, int side, int64_t price, int64_t lots) except -1 nogil:
    digest_row(s, (ROW_TRADE << 8) | side | (<int64_t>m.id << 16), price, lots)
    if m.rules.attribution:
        lots = attribute(s, m, side, price + m.shift, lots)
        if lots == 0:
            return 0
    return tape_trade(s, m, side, price, lots)


cdef inline int recorded_row(State *s, const Command *c) except -1 nogil:
    """A row of a single recorded order."""
    cdef Command rest
    cdef int side = 0
    cdef int64_t price, lots
    digest_order(s, c)
    if s.markets[c.market].rules.attribution:
        price = execution_price(s, c, &side)
        if price > 0:
            lots = attribute(s, &s.markets[c.market], side, price, c.size_lots)
            if lots < c.size_lots:
                rest = c[0]
                rest.size_lots = lots
                if lots:
                    tape_order(s, &rest)
                return withhold(s, c, c.size_lots - lots)
    return tape_order(s, c)


cdef inline bint message_ends(State *s, Market *m) except -1 nogil:
    """Close the depth message of another market; whether there was one."""
    if s.depth_market == m.id or s.depth_market == NONE:
        return False
    close_group(s)
    return True


cdef inline int level_row(
    State *s, Market *m, int side, int64_t price, int64_t lots, bint snapshot, bint more
) except -1 nogil:
    s.depth_market = m.id
    digest_row(
        s, (ROW_LEVEL << 8) | side | ((snapshot != 0) << 2) | ((more != 0) << 3) | (<int64_t>m.id << 16), price, lots)
    return tape_level(s, m, side, price, lots, snapshot)


cdef inline int refused_at_once(State *s, const Command *c) noexcept nogil:
    """What all commands are checked for: market and account exist, and the account may do this."""
    if c.market >= s.markets_count and not (
            kind_in(c.kind, MARKETLESS) and (c.kind != KIND_CANCEL_ALL or c.market == ALL_MARKETS)):
        return REJECT_UNKNOWN_MARKET
    if kind_in(c.kind, OF_ACCOUNT) and <uint32_t>c.account >= <uint32_t>s.accounts_max:
        if c.account < 0 or c.account >= s.accounts_count:
            return REJECT_UNKNOWN_ACCOUNT
        # clearing is nobody's to pay into
        if not kind_in(c.kind, OF_HOUSE_TOO) or s.clearing_first <= c.account < s.backstop:
            return REJECT_HOUSE_ACCOUNT
    return REJECT_NONE


cdef int hold(State *s, const Command *c) except -1 nogil:
    """What comes before a command has led to a user's ADL decision: the command is taken, and runs after that."""
    s.adl.waiting = c[0]
    return 0


cdef int adl_command(State *s, const Command *c) except -1 nogil:
    """A part of a user's decision. It belongs to the moment that asked for it: no timer runs before it."""
    cdef Command waiting
    cdef int fault
    if not s.adl.open:
        return reject(s, c, REJECT_NO_DECISION_PENDING)
    fault = decide(s, c)
    if fault:
        reject(s, c, REJECT_BAD_DECISION)
        s.events[s.events_count - 1].value = fault
        return REJECT_BAD_DECISION
    if c.flags & FLAG_MORE:
        return 0
    go_on(s)
    if s.adl.open:
        return 0
    fire_all(s)
    waiting = s.adl.waiting
    memset(&s.adl, 0, sizeof(OpenAdl))
    if waiting.kind:
        apply_any(s, &waiting)
    return 0


cdef int apply_any(State *s, const Command *c) except -1 nogil:
    """Any command: timers, the checks that all share, the command, its group, the stops that it sets off."""
    cdef ns_t time_ns = c.time_ns if c.time_ns else s.time_ns      # 0 means now
    cdef int kind = c.kind
    cdef int reason
    cdef bint tape, due
    if kind > KIND_LAST or not kind_in(kind, KNOWN):
        return reject(s, c, REJECT_UNKNOWN_KIND)
    tape = c.flags & FLAG_TAPE or kind_in(kind, OF_TAPE)
    if time_ns < s.time_ns:
        return reject(s, c, REJECT_TIME_BACKWARDS)
    if kind == KIND_ADL_DECISION:
        return adl_command(s, c)
    if s.adl.open:
        return reject(s, c, REJECT_DECISION_PENDING)
    due = time_ns > s.time_ns or (not tape and s.next_timer_ns <= time_ns)
    if (s.depth_market != NONE or s.changed_count or s.prices_changed) and (due or not joins_group(kind)):
        close_group(s)                  # nobody may act inside a group, and no timer fires there
    if due and not s.adl.open:
        advance(s, time_ns, not tape)
    if s.adl.open:
        return hold(s, c)
    reason = refused_at_once(s, c)
    if reason:
        reject(s, c, reason)            # it may be the last of its group all the same
    else:
        reason = run_command(s, c)
    if s.adl.open:
        return reason
    if joins_group(kind):
        if not c.flags & FLAG_MORE:
            close_group(s)
    elif s.waiting_orders:
        fire_all(s)
    return reason


cdef int apply_command(State *s, const Command *c) except -1 nogil:
    """One command, timers before it and consequences after it. Returns its reject code; events are in the state."""
    if apply_calm(s, c, 0, 1):
        return s.reason
    return apply_any(s, c)


cdef int64_t apply_commands(State *s, const Command *commands, int64_t count) except -1 nogil:
    """A batch; returns how many commands of it were taken: where a user's ADL decision is due, and the next is none, it
    stops. Placing and cancelling while all is calm is most of what a venue does, and goes straight through.
    """
    cdef int64_t i = 0
    while i < count:
        i = apply_calm(s, commands, i, count)
        if i < count and not s.overflow:
            apply_any(s, &commands[i])
            i += 1
        if s.overflow or (s.adl.open and i < count and commands[i].kind != KIND_ADL_DECISION):
            break
    return i


cdef int order_row(State *s, int market, int kind, int side, int64_t price, int64_t value, int64_t id) except -1 nogil:
    """A row of a single recorded order, or of the market's state: nobody acts inside a group, then as its command."""
    cdef Command c
    if s.depth_market != NONE or s.changed_count or s.prices_changed:
        close_group(s)
        if s.adl.open:
            return ROW_WAITS
    clear_command(s, &c, market)
    if kind == ROW_STATE:
        c.kind = KIND_SET_MARKET_STATE
        c.aux = value
        set_market_state(s, &c)
    else:
        c.kind = KIND_TAPE_ORDER
        c.aux = kind - ROW_ORDER_ADD + TAPE_ORDER_ADD
        c.side = <uint8_t>side
        c.price_ticks = price
        c.size_lots = value
        c.order_id = id
        recorded_row(s, &c)
    if s.waiting_orders:
        fire_all(s)
    return 0


cdef inline void clear_command(State *s, Command *c, int market) noexcept nogil:
    """A command of the tape, at the state's time, with nothing in it yet."""
    c.time_ns = s.time_ns
    c.market = <uint16_t>market
    c.flags = FLAG_TAPE
    c.order_id = c.price_ticks = c.size_lots = c.trigger_ticks = c.aux = c.value = c.expire_ns = 0
    c.account = -1
    c.venue = c.asset = c.side = c.position_side = c.tif = c.trigger_source = c.stp_mode = 0


cdef int apply_row(State *s, int market, int code, int64_t price, int64_t value, int64_t id) except -1 nogil:
    """One row of a tape at the state's time (the caller has advanced it). Same meaning as the command of its kind.

    Returns ROW_WAITS where the message before it has led to a user's ADL decision: the row is to be given again.
    """
    cdef Market *m = &s.markets[market]
    cdef int kind = code & ROW_KIND_BITS
    cdef int side = (code & ROW_SIDE_BIT) != 0
    cdef Command c
    if kind == ROW_LEVEL:
        if message_ends(s, m) and s.adl.open:
            return ROW_WAITS
        level_row(s, m, side, price, value, code & ROW_SNAPSHOT_BIT, code & ROW_MORE_BIT)
        if not code & ROW_MORE_BIT:
            close_group(s)
        return 0
    if kind == ROW_TRADE:
        if s.depth_market != NONE or s.changed_count or s.prices_changed:
            close_group(s)
            if s.adl.open:
                return ROW_WAITS
        trade_row(s, m, side, price, value)
        if s.waiting_orders:
            fire_all(s)
        return 0
    if ROW_ORDER_ADD <= kind <= ROW_STATE:
        return order_row(s, market, kind, side, price, value, id)
    if not ROW_MARK <= kind <= ROW_FUNDING:
        return 0                        # for bots and results: off-book prints, liquidations, open interest, quotes
    clear_command(s, &c, market)
    c.flags |= FLAG_MORE if code & ROW_MORE_BIT else 0
    c.value = value
    c.expire_ns = price if kind == ROW_FUNDING else 0
    c.kind = KIND_SET_MARK if kind == ROW_MARK else (KIND_SET_INDEX if kind == ROW_INDEX else KIND_SET_FUNDING)
    price_command(s, &c)
    if not code & ROW_MORE_BIT:
        close_group(s)
    return 0
