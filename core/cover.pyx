"""Who pays what is missing: the fund, then others as the rulebook shares losses, then the venue's deficit."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .book cimport NONE
from .events cimport event_new
from .fund_rules cimport means_of
from .ledger cimport transfer
from .loss_sharing cimport collect, part_by_lots, part_by_means, payout
from .margin cimport cross_equity, gain_now, pnl_at
from .records cimport *
from .risk_unit cimport unit_event
from .state cimport ACCOUNT_HOUSE, DAY_NS, TIMER_DAY, Position, Wallet, day_make, mark_dirty, touch, wallet_of
from .timers cimport timer_add
from .units cimport abs64, add_checked, div_floor, max64, min64, money_t, sub_checked


cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil:
    """Make good what a unit owes beyond its equity: the fund's money, then the winners', then the venue's deficit."""
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    cdef money_t part = min64(amount, fund_means(s, m))
    if part:
        pay(s, EVENT_FUND_COVER, fund, wallet, position, part)
        m.fund_result -= part
        amount -= part
    if amount and s.rules.cover_from_fees:
        part = collect(amount, wallet_of(s, s.treasury, m.asset).balance)
        if part:
            pay(s, EVENT_FUND_COVER, wallet_of(s, s.treasury, m.asset), wallet, position, part)
            amount -= part
    if amount and s.rules.withdraw_gate_ns:
        close_gate(s, m.asset)
    if amount and s.rules.socialise == SOCIALISE_DAY_WINNERS:
        amount = share_by_day(s, m, wallet, position, amount)
    elif amount and s.rules.socialise:
        amount = socialise(s, m, wallet, position, amount)
    if amount:
        pay(s, EVENT_VENUE_DEFICIT, wallet_of(s, s.deficit, m.asset), wallet, position, amount)
    return 0


cdef money_t fund_means(State *s, Market *m) noexcept nogil:
    """Money that the market's fund may give: not what it needs for losses it carries already."""
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    return means_of(fund.balance, cross_equity(s, fund))


cdef int close_gate(State *s, int32_t asset) except -1 nogil:
    """A debt that no fund covers: nobody withdraws this asset for a time. The deficit account's wallet keeps the end."""
    cdef Wallet *w = wallet_of(s, s.deficit, asset)
    cdef Event *e
    if w.due_ns >= s.time_ns + s.rules.withdraw_gate_ns:
        return 0
    w.due_ns = s.time_ns + s.rules.withdraw_gate_ns
    e = event_new(s, EVENT_WITHDRAW_GATE)
    e.asset = <uint8_t>asset
    e.value = w.due_ns
    return 0


cdef int cover_without_fund(State *s, int32_t wallet, long long amount) except -1 nogil:
    """The same for a debt in an asset in which no market settles: the venue's deficit."""
    return pay(s, EVENT_VENUE_DEFICIT, wallet_of(s, s.deficit, wallet % s.assets_count), wallet, NONE, amount)


cdef int pay(State *s, int kind, Wallet *payer, int32_t wallet, int32_t position, money_t amount) except -1 nogil:
    """Money that closes a shortfall, into the wallet or the isolated margin it is missing from."""
    cdef Wallet *w = &s.wallets[wallet]
    cdef Event *e = unit_event(s, kind, wallet, position)
    transfer(s, payer, w, amount)
    payer.absorbed -= amount
    w.absorbed += amount
    if position != NONE:
        w.balance -= amount
        s.positions[position].isolated_margin += amount
    e.maker_account = payer.account
    e.value = amount
    return 0


cdef money_t can_give(State *s, Market *m, Position *p) noexcept nogil:
    """What a position counts for where a loss is shared: its lots, or a gain, no more than the equity of its unit.

    The gain is that since entry, or for PAYOUTS that of the last step of the mark.
    """
    cdef money_t gain, equity
    if s.accounts[p.account].flags & ACCOUNT_HOUSE:
        return 0
    if s.rules.socialise == SOCIALISE_OPEN_INTEREST:
        return abs64(p.lots)
    gain = pnl_at(s, m, p, m.mark)
    equity = p.isolated_margin + gain_now(s, m, p) if p.mode == MODE_ISOLATED else cross_equity(s, &s.wallets[p.wallet])
    if s.rules.socialise == SOCIALISE_PAYOUTS:
        gain = sub_checked(gain, pnl_at(s, m, p, m.mark_before), &s.overflow) if m.mark_before else 0
    return max64(0, min64(gain, equity))


cdef money_t share_of_loss(State *s, money_t wanted, money_t counts, money_t total) noexcept nogil:
    """What one gives up who counts so much of a total: by open lots everybody's due, else a part of what can be given."""
    if s.rules.socialise == SOCIALISE_OPEN_INTEREST:
        return part_by_lots(wanted, counts, total, &s.overflow)
    if s.rules.socialise == SOCIALISE_PAYOUTS:
        return counts - payout(counts, total - wanted, total, &s.overflow)
    return part_by_means(wanted, counts, total, &s.overflow)


cdef money_t socialise(State *s, Market *m, int32_t wallet, int32_t position, money_t amount) except? -1 nogil:
    """Take `amount` from the market's positions, as the rulebook shares it; returns what is missing.

    What the roundings of payouts take beyond it goes to the fund.
    """
    cdef int32_t slot = m.positions_head
    cdef money_t total = 0, taken = 0, part, counts, wanted
    cdef Position *p
    while slot != NONE:
        if s.positions[slot].wallet != wallet:
            total = add_checked(total, can_give(s, m, &s.positions[slot]), &s.overflow)
        slot = s.positions[slot].market_next
    wanted = amount if s.rules.socialise == SOCIALISE_OPEN_INTEREST and total else min64(amount, total)
    slot = m.positions_head
    while slot != NONE and wanted:
        p = &s.positions[slot]
        counts = can_give(s, m, p) if p.wallet != wallet else 0
        if counts:
            part = share_of_loss(s, wanted, counts, total)
            if s.rules.socialise == SOCIALISE_PAYOUTS and part > wanted - taken:
                give_up(s, p, m.fund_account * s.assets_count + m.asset, NONE, part - (wanted - taken))
                m.fund_result += part - (wanted - taken)
            give_up(s, p, wallet, position, min64(part, wanted - taken))
            taken += min64(part, wanted - taken)
        slot = p.market_next
    return amount - taken


cdef int give_up(State *s, Position *p, int32_t wallet, int32_t position, money_t amount) except -1 nogil:
    """Money of a position's unit goes where a loss is shared."""
    if amount == 0:
        return 0
    if p.mode == MODE_ISOLATED:
        p.isolated_margin -= amount
        s.wallets[p.wallet].balance += amount
    pay(s, EVENT_SOCIALISED_LOSS, &s.wallets[p.wallet], wallet, position, amount)
    return mark_dirty(s, p.wallet)


# ---- the winners of a day ------------------------------------------------------------------------------------------

cdef int start_day_timer(State *s) except -1 nogil:
    """At the start, and when the rules change: results count from now on, then from the start of each day."""
    s.day_next_ns = 0
    if s.started and s.rules.socialise == SOCIALISE_DAY_WINNERS:
        day_make(s)
        begin_day(s)
        s.day_next_ns = (
            div_floor(s.time_ns - s.rules.day_start_ns, DAY_NS) + 1) * DAY_NS + s.rules.day_start_ns
        timer_add(s, s.day_next_ns, TIMER_DAY, 0, 0, 0)
    return 0


cdef void begin_day(State *s) noexcept nogil:
    cdef int64_t i
    for i in range(s.day_count):
        if s.day_realised[i] != s.wallets[i].realised:
            s.day_realised[i] = s.wallets[i].realised
            touch(s, <int32_t>i)


cdef int day_due(State *s) except -1 nogil:
    """The timer of the day's start."""
    if s.day_next_ns != s.time_ns:
        return 0                        # the rules have changed since it was set
    begin_day(s)
    s.day_next_ns = s.time_ns + DAY_NS
    return timer_add(s, s.day_next_ns, TIMER_DAY, 0, 0, 0)


cdef money_t day_means(State *s, int32_t wallet) noexcept nogil:
    """What a winner of the day can give: what it has realised, no more than its balance and its cross equity."""
    cdef Wallet *w = &s.wallets[wallet]
    cdef money_t gain = w.realised - s.day_realised[wallet]
    return max64(0, min64(gain, min64(w.balance, cross_equity(s, w)))) if gain > 0 else 0


cdef money_t share_by_day(State *s, Market *m, int32_t wallet, int32_t position, money_t amount) except? -1 nogil:
    """Take `amount` from the day's winners, in proportion; returns what is missing. Spec: Deribit."""
    cdef int64_t i = m.asset
    cdef money_t total = 0, taken = 0, wanted, part
    while i < s.day_count:
        if i != wallet:
            total = add_checked(total, day_means(s, <int32_t>i), &s.overflow)
        i += s.assets_count
    wanted = min64(amount, total)
    i = m.asset
    while i < s.day_count and taken < wanted:
        part = day_means(s, <int32_t>i) if i != wallet else 0
        if part:
            part = min64(part_by_means(wanted, part, total, &s.overflow), wanted - taken)
            pay(s, EVENT_SOCIALISED_LOSS, &s.wallets[i], wallet, position, part)
            mark_dirty(s, <int32_t>i)
            taken += part
        i += s.assets_count
    return amount - taken
