"""Who pays what is missing: the fund, then others as the rulebook shares losses, then the venue's deficit."""

from libc.stdint cimport int32_t, uint8_t

from .book cimport NONE
from .events cimport event_new
from .fund_rules cimport means_of
from .ledger cimport transfer
from .loss_sharing cimport part_by_means
from .margin cimport cross_equity, pnl_at
from .records cimport *
from .risk_unit cimport unit_event
from .state cimport ACCOUNT_HOUSE, Position, Wallet, mark_dirty, wallet_of
from .units cimport add_checked, max64, min64, money_t


cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil:
    """Make good what a unit owes beyond its equity: the fund's money, then the winners', then the venue's deficit."""
    cdef Wallet *fund = wallet_of(s, m.fund_account, m.asset)
    cdef money_t part = min64(amount, fund_means(s, m))
    if part:
        pay(s, EVENT_FUND_COVER, fund, wallet, position, part)
        m.fund_result -= part
        amount -= part
    if amount and s.rules.withdraw_gate_ns:
        close_gate(s, m.asset)
    if amount and s.rules.socialise == SOCIALISE_WINNERS:
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


cdef money_t capacity_of(State *s, Market *m, Position *p) noexcept nogil:
    """What a winner can give: min(unrealised gain, equity of its unit), in cross mode no more than its balance."""
    cdef money_t gain = pnl_at(s, m, p, m.mark)
    cdef money_t equity
    if gain <= 0 or s.accounts[p.account].flags & ACCOUNT_HOUSE:
        return 0
    equity = p.isolated_margin + gain if p.mode == MODE_ISOLATED else cross_equity(s, &s.wallets[p.wallet])
    return max64(0, min64(gain, equity))


cdef money_t socialise(State *s, Market *m, int32_t wallet, int32_t position, money_t amount) except? -1 nogil:
    """Take `amount` from the market's winners in proportion to what each can give; returns what is missing."""
    cdef int32_t slot = m.positions_head
    cdef money_t total = 0, taken = 0, part, give
    cdef money_t wanted
    cdef Position *p
    while slot != NONE:
        if s.positions[slot].wallet != wallet:
            total = add_checked(total, capacity_of(s, m, &s.positions[slot]), &s.overflow)
        slot = s.positions[slot].market_next
    wanted = min64(amount, total)
    slot = m.positions_head
    while slot != NONE and taken < wanted:
        p = &s.positions[slot]
        give = capacity_of(s, m, p) if p.wallet != wallet else 0
        if give:
            part = min64(part_by_means(wanted, give, total, &s.overflow), wanted - taken)
            if part:
                if p.mode == MODE_ISOLATED:
                    p.isolated_margin -= part
                    s.wallets[p.wallet].balance += part
                pay(s, EVENT_SOCIALISED_LOSS, &s.wallets[p.wallet], wallet, position, part)
                mark_dirty(s, p.wallet)
                taken += part
        slot = p.market_next
    return amount - taken
