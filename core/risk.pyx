"""Decision time: after a mark group, or when a liquidation timer fires, and at no other moment.

Wallets that changed since the last mark group are stamped again, then those of which a trigger was crossed are looked
at. Whoever's health is negative is found. The found set is ordered once and each unit checked again at its turn; those
hurt meanwhile by fills or ADL form a further pass, until none is left.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport qsort

from .accrual cimport accrue_to_now
from .adl cimport adl_forget
from .book cimport NONE
from .fund cimport unwind
from .liquidation cimport go_on_with_liquidation, is_due, resume, start
from .multi cimport conversion_due
from .oracles cimport refresh_collateral
from .orders cimport fire_conditionals
from .records cimport *
from .risk_unit cimport stage_of
from .state cimport STAGE_NONE, WALLET_DIRTY, WALLET_MULTI, WALLET_QUEUED, Found, Market, Position, Wallet, lead_of, pool_grow
from .triggers cimport clear_unit, collect_crossed, stamp_unit, trigger_clear
from .units cimport RATE_ONE, i128, max64, money_t, prefetch, wide_mul
from .waterfall cimport check_backstop, go_on_with_vault
from .watches cimport watches_crossed


cdef int look(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Stamp one risk unit; if its health is negative, note it as found."""
    cdef money_t maintenance, health
    cdef Found *f
    if position == NONE:
        wallet = lead_of(s, wallet)
    if stage_of(s, wallet, position) != STAGE_NONE:
        clear_unit(s, wallet, position)         # a timer is in charge of it
        return 0
    health = stamp_unit(s, wallet, position, &maintenance)
    if health >= 0 and not (position == NONE and s.wallets[wallet].flags & WALLET_MULTI and conversion_due(s, wallet)):
        return 0
    if s.found_count == s.found_capacity:
        s.found = <Found *>pool_grow(s.found, &s.found_capacity, sizeof(Found))
    f = &s.found[s.found_count]
    s.found_count += 1
    f.health = health
    f.maintenance = maintenance
    f.wallet = wallet
    f.position = position
    return 0


cdef bint other_dirty(State *s, int32_t wallet) noexcept nogil:
    """Whether another wallet of the account is listed too."""
    cdef int32_t first = wallet - wallet % s.assets_count, i
    for i in range(s.assets_count):
        if s.wallets[first + i].flags & WALLET_DIRTY:
            return True
    return False


cdef int look_at_dirty(State *s) except -1 nogil:
    """Stamp every wallet that changed since the last mark group: its cross pool and its isolated positions."""
    cdef int32_t i, slot
    cdef Wallet *w
    cdef Position *p
    for i in range(s.dirty_count):
        w = &s.wallets[s.dirty[i]]
        w.flags &= ~WALLET_DIRTY
        if w.flags & WALLET_MULTI and other_dirty(s, s.dirty[i]):
            continue                    # the last of the account's wallets stands for all of them
        look(s, s.dirty[i], NONE)
        slot = w.positions_head
        while slot != NONE:
            p = &s.positions[slot]
            if p.mode == MODE_ISOLATED:
                if p.lots:
                    look(s, s.dirty[i], slot)
                else:
                    trigger_clear(s, &s.markets[p.market], slot)
            slot = p.account_next
    s.dirty_count = 0
    return 0


cdef inline void prefetch_neighbours(State *s, int32_t crossed, int links) noexcept nogil:
    """Bring near what stamping touches: of the wallet's position `links` on, the next one and those in its bucket."""
    cdef int32_t slot = s.wallets[s.positions[crossed].wallet].positions_head
    while links and slot != NONE:
        slot = s.positions[slot].account_next
        links -= 1
    if slot != NONE:
        prefetch(&s.positions[s.positions[slot].account_next])
        prefetch(&s.positions[s.positions[slot].bucket_next])
        prefetch(&s.positions[s.positions[slot].bucket_previous])


cdef int look_at_crossed(State *s) except -1 nogil:
    """Look once at each risk unit of which a position's trigger was crossed.

    Accounts lie all over memory: what the next ones will touch is brought near in steps, link by link.
    """
    cdef int32_t i
    cdef int32_t count = s.crossed_count
    cdef Position *p
    cdef Wallet *w
    for i in range(count):
        if i + 16 < count:
            prefetch(&s.wallets[s.positions[s.crossed[i + 16]].wallet])
            prefetch(&s.positions[s.wallets[s.positions[s.crossed[i + 12]].wallet].positions_head])
            prefetch_neighbours(s, s.crossed[i + 9], 0)
            prefetch_neighbours(s, s.crossed[i + 6], 1)
            prefetch_neighbours(s, s.crossed[i + 3], 2)
        p = &s.positions[s.crossed[i]]
        w = &s.wallets[p.wallet]
        if p.mode == MODE_ISOLATED:
            s.looks += 1
            look(s, p.wallet, s.crossed[i])
        elif not w.flags & WALLET_QUEUED:
            w.flags |= WALLET_QUEUED
            s.looks += 1
            look(s, p.wallet, NONE)
    for i in range(count):
        s.wallets[s.positions[s.crossed[i]].wallet].flags &= ~WALLET_QUEUED
    s.crossed_count = 0
    return 0


cdef int compare_found(const void *left, const void *right) noexcept nogil:
    """Worst health per maintenance first, then account, then position: a total order."""
    cdef Found *a = <Found *>left
    cdef Found *b = <Found *>right
    cdef i128 x = wide_mul(a.health, max64(b.maintenance, 1))
    cdef i128 y = wide_mul(b.health, max64(a.maintenance, 1))
    if x != y:
        return -1 if x < y else 1
    if a.wallet != b.wallet:
        return -1 if a.wallet < b.wallet else 1
    return -1 if a.position < b.position else (1 if a.position > b.position else 0)


cdef int list_hurt(State *s) except -1 nogil:
    """Multi-asset accounts that the marks and collateral prices of this group can have hurt."""
    cdef int32_t i
    refresh_collateral(s)
    for i in range(s.changed_count):
        watches_crossed(s, s.changed[i], s.markets[s.changed[i]].mark)
    return 0


cdef int list_accrued(State *s) except -1 nogil:
    """Multi-asset accounts that funding alone can have hurt."""
    cdef int32_t i
    if s.collateral != NULL:
        for i in range(s.markets_count):
            if s.markets[i].rules.funding_continuous:
                watches_crossed(s, i, s.markets[i].mark)
    return 0


cdef int collect_accrued(State *s) except -1 nogil:
    """Positions that are looked at whatever the mark, in markets whose mark may not have moved."""
    cdef int32_t i
    for i in range(s.markets_count):
        if s.markets[i].rules.funding_continuous:
            collect_crossed(s, &s.markets[i])
    return 0


cdef int mark_group_end(State *s) except -1 nogil:
    """After the last mark of an instant: stops on the mark, then liquidations in passes until nobody is left."""
    cdef int32_t i
    cdef Market *m
    adl_forget(s)
    if s.accruing:
        accrue_to_now(s)
    for i in range(s.changed_count):
        m = &s.markets[s.changed[i]]
        if m.waiting_orders:
            fire_conditionals(s, m, SOURCE_MARK)
    if s.collateral != NULL:
        list_hurt(s)
    if s.accruing:
        list_accrued(s)
    look_at_dirty(s)
    for i in range(s.changed_count):
        m = &s.markets[s.changed[i]]
        m.mark_changed = 0
        collect_crossed(s, m)
    s.changed_count = 0
    if s.accruing:
        collect_accrued(s)
    if s.crossed_count:
        look_at_crossed(s)
    s.adl.of_group = 1
    passes(s)
    return end_of_group(s)


cdef int end_of_group(State *s) except -1 nogil:
    """After the last pass of a mark group the vault is looked at, unless a user's decision comes first."""
    if not s.adl.open:
        check_backstop(s)
    if not s.adl.open:
        s.adl.of_group = 0
    return 0


cdef int look_again(State *s) except -1 nogil:
    """Find those who were hurt meanwhile by fills or ADL, or by time: they form a further pass."""
    if s.collateral != NULL:
        refresh_collateral(s)                   # forced sales may have moved the book that prices an asset
    if s.accruing:
        accrue_to_now(s)
        list_accrued(s)
    look_at_dirty(s)
    if s.accruing:
        collect_accrued(s)
        look_at_crossed(s)
    return 0


cdef int passes(State *s) except -1 nogil:
    """Pass after pass until nobody is left, or until a user's decision is due: then `go_on` does the rest."""
    while s.found_count:
        if s.found_next == 0:
            qsort(s.found, s.found_count, sizeof(Found), compare_found)
        work_off(s)
        if s.adl.open:
            return 0
        look_again(s)
    return 0


cdef int work_off(State *s) except -1 nogil:
    """One pass over the found set, in its order, from whose turn it is; each unit is checked again at its turn."""
    cdef int32_t i
    while s.found_next < s.found_count:
        i = s.found_next
        s.found_next += 1
        if i + 4 < s.found_count:
            prefetch(&s.wallets[s.found[i + 4].wallet])
        start(s, s.found[i].wallet, s.found[i].position)
        if s.adl.open:
            return 0
    s.found_count = s.found_next = 0
    if s.rules.fund_unwind == UNWIND_AT_ONCE:
        for i in range(s.markets_count):
            unwind(s, &s.markets[i], RATE_ONE)
    return 0


cdef int liquidation_due(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """A liquidation timer fires: one unit's next step, then whoever it hurt."""
    if not is_due(s, wallet, position):
        return 0
    resume(s, wallet, position)
    if s.adl.open:
        return 0
    look_again(s)
    return passes(s)


cdef int go_on(State *s) except -1 nogil:
    """A user's decision is complete: the work goes on where it stopped. It may stop again, with `State.adl` open."""
    if s.adl.of_vault:
        go_on_with_vault(s)
        s.adl.of_group = s.adl.open             # the vault comes last
        return 0
    go_on_with_liquidation(s)
    if s.adl.open:
        return 0
    if s.found_count == 0:                      # a timer's unit: nobody else was found yet
        look_again(s)
    passes(s)
    return end_of_group(s) if s.adl.of_group else 0
