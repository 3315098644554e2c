"""Triggers that keep a fund from taking anything over: what comes then goes to ADL. Spec: venues 13.1.

    EMPTY      the fund's margin balance is not positive (BitMEX, Bitget)
    DRAWDOWN   of one market (Bybit): what the fund has made in it is `drawdown_trigger` of the fund's highest balance
               below its own highest, the balance being above `drawdown_threshold`; over when less than `drawdown_stop`
    DROP       of the fund (OKX, Bitget): it has fallen by `drawdown_trigger` from its highest balance, or below
               `fund_floor`; over when by less than `drawdown_stop`

An empty fund takes nothing under any of the three. The highest is that of the last `drawdown_window_ns`, over samples
taken at the start, then at multiples of `fund_sample_period_ns`, and the number of now. Kept are only samples that no later one
reaches: they fall from the oldest to the latest, so the first that is not too old is the highest, exactly.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memmove, memset

from .events cimport event_new
from .fund_rules cimport drawdown_holds, drawdown_room, drop_threshold, fund_empty
from .margin cimport cross_equity, pnl_at
from .records cimport ALL_MARKETS, EVENT_FUND_TRIGGER, FUND_DRAWDOWN, FUND_DROP, FUND_EMPTY, Event
from .state cimport FUND_SAMPLES_MAX, TIMER_FUND, FundSamples, fund_samples_make, wallet_of
from .timers cimport timer_add
from .units cimport add_checked, max64

cdef enum:                              # FundSamples.closed
    CLOSED_BY_FALL = 1
    CLOSED_EMPTY = 2


cdef inline FundSamples *of_fund(State *s, int32_t account, int32_t asset) noexcept nogil:
    return &s.fund_samples[s.markets_count + (account - s.fund_first) * s.assets_count + asset]


cdef inline money_t fund_pnl(State *s, Market *m) noexcept nogil:
    """What the fund has made in a market: positions closed and open, liquidation fees, less covers; funding left out."""
    return add_checked(m.fund_result, pnl_at(s, m, &s.positions[m.fund_position], m.mark), &s.overflow)


cdef money_t highest(State *s, FundSamples *f, money_t now) noexcept nogil:
    """Of the samples that are not too old, and of now."""
    cdef int32_t i
    for i in range(f.count):
        if f.time_ns[i] > s.time_ns - s.rules.drawdown_window_ns:
            return max64(f.value[i], now)
    return now


cdef void take_sample(State *s, FundSamples *f, money_t value) noexcept nogil:
    cdef int32_t old = 0
    while old < f.count and f.time_ns[old] <= s.time_ns - s.rules.drawdown_window_ns:
        old += 1
    f.count -= old
    memmove(&f.time_ns[0], &f.time_ns[old], f.count * sizeof(int64_t))
    memmove(&f.value[0], &f.value[old], f.count * sizeof(int64_t))
    while f.count and (f.value[f.count - 1] <= value or f.count == FUND_SAMPLES_MAX):     # full: damaged, see fund_rules_fit
        f.count -= 1
    f.time_ns[f.count] = s.time_ns
    f.value[f.count] = value
    f.count += 1
    memset(&f.time_ns[f.count], 0, (FUND_SAMPLES_MAX - f.count) * sizeof(int64_t))     # equal states are equal bytes
    memset(&f.value[f.count], 0, (FUND_SAMPLES_MAX - f.count) * sizeof(int64_t))


cdef void take_samples(State *s) noexcept nogil:
    """Every fund's balance, every market's result."""
    cdef int32_t i, asset
    for i in range(s.fund_first, s.fund_first + s.fund_count):
        for asset in range(s.assets_count):
            take_sample(s, of_fund(s, i, asset), cross_equity(s, wallet_of(s, i, asset)))
    for i in range(s.markets_count):
        take_sample(s, &s.fund_samples[i], fund_pnl(s, &s.markets[i]))


cdef int start_fund_timer(State *s) except -1 nogil:
    """At the start, and when the rules of the trigger change: a timer that runs already is not the next one any more."""
    s.fund_next_ns = 0
    if s.started and (s.rules.fund_trigger == FUND_DRAWDOWN or s.rules.fund_trigger == FUND_DROP):
        fund_samples_make(s)
        take_samples(s)
        s.fund_next_ns = (s.time_ns / s.rules.fund_sample_period_ns + 1) * s.rules.fund_sample_period_ns
        timer_add(s, s.fund_next_ns, TIMER_FUND, 0, 0, 0)
    return 0


cdef int forget_samples(State *s) except -1 nogil:
    """The trigger, its window or its period has changed: samples are gathered anew."""
    if s.fund_samples_count:
        memset(s.fund_samples, 0, s.fund_samples_count * sizeof(FundSamples))
    return start_fund_timer(s)


cdef int fund_sample_due(State *s) except -1 nogil:
    """The sampling timer: samples, then whether a trigger starts or stops."""
    cdef int32_t i
    if s.fund_next_ns != s.time_ns:
        return 0                        # the rules have changed since it was set
    take_samples(s)
    for i in range(s.markets_count):
        fund_closed(s, &s.markets[i])
    s.fund_next_ns = s.time_ns + s.rules.fund_sample_period_ns
    return timer_add(s, s.fund_next_ns, TIMER_FUND, 0, 0, 0)


cdef bint has_fallen(State *s, Market *m, FundSamples *own, money_t equity) noexcept nogil:
    """Whether the trigger holds: the level to start at, or the one to stop at where it holds already."""
    cdef bint held = own.closed & CLOSED_BY_FALL
    cdef money_t peak = highest(s, of_fund(s, m.fund_account, m.asset), equity)
    cdef money_t pnl
    if s.rules.fund_trigger == FUND_DROP:
        return equity < drop_threshold(
            peak, s.rules.drawdown_stop if held else s.rules.drawdown_trigger, s.rules.fund_floor, &s.overflow)
    pnl = fund_pnl(s, m)
    return drawdown_holds(
        held, highest(s, own, pnl) - pnl, peak, equity, s.rules.drawdown_threshold, s.rules.drawdown_trigger,
        s.rules.drawdown_stop)


cdef bint fund_closed(State *s, Market *m) except -1 nogil:
    """Whether the fund takes nothing over from this market now. A trigger that starts or stops is an event."""
    cdef money_t equity
    cdef FundSamples *own
    cdef uint8_t closed
    cdef Event *e
    if s.rules.fund_trigger < FUND_EMPTY:
        return False
    equity = cross_equity(s, wallet_of(s, m.fund_account, m.asset))
    if s.rules.fund_trigger == FUND_EMPTY or s.fund_samples_count == 0:
        return fund_empty(equity)       # before the first time: nothing was sampled
    own = &s.fund_samples[m.id] if s.rules.fund_trigger == FUND_DRAWDOWN else of_fund(s, m.fund_account, m.asset)
    closed = CLOSED_EMPTY if fund_empty(equity) else 0
    if has_fallen(s, m, own, equity):
        closed |= CLOSED_BY_FALL
    if closed != own.closed:
        own.closed = closed
        e = event_new(s, EVENT_FUND_TRIGGER)
        e.account = m.fund_account
        e.market = <uint16_t>m.id if s.rules.fund_trigger == FUND_DRAWDOWN else <uint16_t>ALL_MARKETS
        e.asset = <uint8_t>m.asset
        e.value = equity
        e.aux = closed
    return closed != 0


cdef money_t loss_left(State *s, Market *m) noexcept nogil:
    """What the fund may still lose in a market until the drawdown trigger; asked while it is not closed."""
    cdef money_t equity = cross_equity(s, wallet_of(s, m.fund_account, m.asset)), pnl
    if s.rules.fund_trigger != FUND_DRAWDOWN or s.fund_samples_count == 0 or equity <= s.rules.drawdown_threshold:
        return max64(equity, 0)
    pnl = fund_pnl(s, m)
    return drawdown_room(
        highest(s, &s.fund_samples[m.id], pnl) - pnl, highest(s, of_fund(s, m.fund_account, m.asset), equity),
        s.rules.drawdown_trigger, &s.overflow)
