"""What a new rule sets going: timers start, samples are forgotten, those whom it may hurt are looked at."""

from libc.stdint cimport int32_t, int64_t

from .accrual cimport accrual_begin, accrual_end, accrual_rebase
from .adl_light cimport start_light_timer
from .bands cimport refresh_bands
from .cover cimport start_day_timer
from .events cimport event_new
from .fund_trigger cimport forget_samples
from .ladder cimport NONE
from .marks cimport forget_basis
from .orders cimport reject
from .prices cimport start_funding_timer, start_index_timer, start_mark_timer, start_premium_timer
from .records cimport *
from .rules cimport RuleField, fund_rules_fit, market_rule, rounds_fit, venue_rule
from .state cimport WALLET_MULTI, Market, VenueRules, mark_dirty


cdef int set_rule(State *s, const Command *c) except -1 nogil:
    """Change one number of the rulebook at a date."""
    cdef Market *m
    cdef const RuleField *f = venue_rule(c.aux)
    cdef void *rules = &s.rules
    cdef bint of_market = f == NULL and is_market_rule(c.aux)
    cdef Event *e
    if of_market:
        if c.market >= s.markets_count:
            return reject(s, c, REJECT_UNKNOWN_MARKET)
        f = market_rule(c.aux)
        rules = &s.markets[c.market].rules
    if f == NULL:
        return reject(s, c, REJECT_UNKNOWN_RULE)
    if not f.low <= c.value <= f.high or slices_without_period(s, c) or not (of_market or venue_fits(s, f, c.value)):
        return reject(s, c, REJECT_BAD_VALUE)
    if of_market:
        before_rule(s, &s.markets[c.market], c.aux)
    (<int64_t *>(<char *>rules + f.offset))[0] = c.value
    if of_market:
        m = &s.markets[c.market]
        refresh_bands(s, m)
        if c.aux == RULE_MARK_PERIOD:
            start_mark_timer(s, m)
        elif c.aux == RULE_INDEX_PERIOD:
            start_index_timer(s, m)
        elif c.aux == RULE_PREMIUM_PERIOD:
            start_premium_timer(s, m)
        elif c.aux == RULE_INDEX_METHOD and c.value == INDEX_GIVEN:
            m.index_lost = 0
        elif c.aux == RULE_FUNDING_INTERVAL:
            start_funding_timer(s, m)
        elif c.aux == RULE_BASIS_SAMPLES:
            forget_basis(m)
        elif c.aux == RULE_ORDER_MAINTENANCE or c.aux == RULE_MAINTENANCE_VALUE:
            look_at_holders(s, m)
        elif c.aux == RULE_FUNDING_CONTINUOUS and c.value:
            accrual_begin(s, m)
    elif c.aux == RULE_FUND_TRIGGER or c.aux == RULE_DRAWDOWN_WINDOW or c.aux == RULE_FUND_SAMPLE_PERIOD:
        forget_samples(s)
    elif c.aux == RULE_SOCIALISE or c.aux == RULE_DAY_START:
        start_day_timer(s)
    elif c.aux == RULE_ADL_LIGHT or c.aux == RULE_ADL_LIGHT_PERIOD:
        start_light_timer(s)
    if c.aux == RULE_EXCHANGE_LTV:
        stamp_pools_again(s)
    e = event_new(s, EVENT_RULE)
    e.market = c.market
    e.aux = c.aux
    e.value = c.value
    return 0


cdef int before_rule(State *s, Market *m, int64_t rule) except -1 nogil:
    """What has accrued by the rules so far is not touched by new ones."""
    if m.rules.funding_continuous and rule == RULE_FUNDING_CONTINUOUS:
        return accrual_end(s, m)
    accrual_rebase(s, m)
    return 0


cdef int look_at_holders(State *s, Market *m) except -1 nogil:
    """What maintenance is in this market has changed: everybody in it is looked at after the next mark group."""
    cdef int32_t slot = m.positions_head
    while slot != NONE:
        mark_dirty(s, s.positions[slot].wallet)
        slot = s.positions[slot].market_next
    return 0


cdef int stamp_pools_again(State *s) except -1 nogil:
    """What multi-asset accounts are looked at for has changed."""
    cdef int32_t i
    for i in range(s.accounts_max):
        if s.wallets[i * s.assets_count].flags & WALLET_MULTI:
            mark_dirty(s, i * s.assets_count)
    return 0


cdef inline bint is_market_rule(int64_t rule) noexcept nogil:
    """By its number alone, known or not: these need a market."""
    return rule < 20 or 100 <= rule < 200


cdef inline bint venue_fits(State *s, const RuleField *f, int64_t value) noexcept nogil:
    """Whether the venue's rules would still go together."""
    cdef VenueRules changed = s.rules
    (<int64_t *>(<char *>&changed + f.offset))[0] = value
    return fund_rules_fit(&changed) and rounds_fit(&changed)


cdef inline bint slices_without_period(State *s, const Command *c) noexcept nogil:
    if c.aux == RULE_FUND_UNWIND_PERIOD:
        return c.value <= 0
    return c.aux == RULE_FUND_UNWIND and c.value >= UNWIND_SLICES and s.rules.fund_unwind_period_ns <= 0
