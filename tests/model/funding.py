"""Premium index, funding rate, payments.

premium   [max(0, impact bid - R) - max(0, R - impact ask)] / index with R the index; or (mark - index) / index; or the
          first with R the mark, and the second. The n-th sample of an interval weighs n, or all weigh the same
rate      P + clamp(interest - P, +-inner), or max(d, P) + min(-d, P); for the interval or per 8 h; capped
accruing  the rate is that of the last sample, and the stamp settles what has accrued, see accrual.py
payment   value at mark (or index) * rate, rounded against the payer; the roundings' rest goes to the rounding account
"""

from .accrual import set_rate, settle_all
from .contract import exposure_of, value_at
from .depth_price import impact_price
from .marks import impact_size
from .numbers import ceil_div, clamp
from .state import Market, Position, Venue
from .timers import FUNDING
from .wire import (
    BUY,
    EIGHT_HOURS_NS,
    ISOLATED,
    RATE_ONE,
    SELL,
    EventKind,
    FundingFormula,
    FundingPrice,
    PremiumAverage,
    PremiumSource,
    TierMethod,
)


def change_funding(v: Venue, m: Market, rate: int, next_ns: int) -> None:
    """A given rate, and the end of the running interval; a time that has passed is a late message and is ignored."""
    moves = next_ns > v.time_ns and next_ns != m.funding_next_ns
    if rate == m.funding_rate and not moves:
        return
    set_rate(m, rate)
    if moves:
        m.funding_next_ns = next_ns
        v.timer(next_ns, FUNDING, m)
    v.emit(EventKind.FUNDING_RATE, market=m.number, value=rate, aux=m.funding_next_ns)


def next_stamp(v: Venue, m: Market) -> int:
    """The first multiple of the interval, moved by the offset, after now."""
    offset = m.funding_offset_ns % m.funding_interval_ns
    return ((v.time_ns - offset) // m.funding_interval_ns + 1) * m.funding_interval_ns + offset


def premium_now(m: Market) -> int:
    off_index = (m.mark - m.index) * RATE_ONE // m.index if m.mark else 0
    if m.premium_source == PremiumSource.MARK:
        return off_index
    fair = m.premium_source == PremiumSource.FAIR_BASIS and m.mark
    reference = m.mark if fair else m.index
    bid, ask = (impact_price(m, side, impact_size(m)) for side in (BUY, SELL))
    above = 0 if bid is None else max(0, bid * m.tick_value - reference)
    below = 0 if ask is None else max(0, reference - ask * m.tick_value)
    return (above - below) * RATE_ONE // m.index + (off_index if fair else 0)


def sample_premium(v: Venue, m: Market) -> None:
    if m.index and not m.index_lost and m.funding_continuous:
        m.premiums = [premium_now(m)]  # the premium of now makes the rate of now
        rate, m.premiums = computed_rate(m), []
        if rate != m.funding_rate:
            set_rate(m, rate)
            v.emit(EventKind.FUNDING_RATE, market=m.number, value=rate, aux=m.funding_next_ns)
    elif m.index and not m.index_lost:
        n = len(m.premiums) + 1 if m.premium_average == PremiumAverage.LINEAR_WEIGHTS else 1
        m.premiums.append(premium_now(m) * n)


def average_premium(m: Market) -> int:
    n = len(m.premiums)
    weights = n * (n + 1) // 2 if m.premium_average == PremiumAverage.LINEAR_WEIGHTS else n
    return sum(m.premiums) // weights if n else 0


def funding_cap(m: Market) -> int:
    if not m.funding_cap_margin:
        return m.funding_cap
    first = m.tiers[0]
    initial = m.initial_base or first.initial or RATE_ONE // first.leverage_max
    return m.funding_cap_margin * max(0, initial - maintenance_rate(m)) // RATE_ONE


def maintenance_rate(m: Market) -> int:
    """Of the smallest position, without the fee of closing it."""
    linear = m.tier_method == TierMethod.LINEAR
    return m.maintenance_base if linear else m.tiers[0].rate - m.close_fee_in_maintenance


def computed_rate(m: Market) -> int:
    premium, inner = average_premium(m), m.funding_inner
    if m.funding_formula == FundingFormula.DAMPER:
        rate = max(inner, premium) + min(-inner, premium)
    else:
        rate = premium + clamp(-inner, m.interest_rate - premium, inner)
    if m.funding_formula != FundingFormula.PLAIN and not m.funding_continuous:
        rate = rate * m.funding_interval_ns // EIGHT_HOURS_NS
    cap, step = funding_cap(m), m.funding_change_cap
    rate = clamp(-cap, rate, cap)
    if m.funding_change_margin:
        step = m.funding_change_margin * maintenance_rate(m) // RATE_ONE
    return m.funding_rate + clamp(-step, rate - m.funding_rate, step) if step else rate


def pay_funding(v: Venue, p: Position) -> None:
    m = p.market
    price = m.index if m.funding_price == FundingPrice.INDEX and m.index else m.mark
    paid = ceil_div(exposure_of(m, value_at(m, p.lots, price)) * m.funding_rate, RATE_ONE)
    if paid == 0:
        return
    p.wallet.funding -= paid
    if p.mode == ISOLATED:
        p.isolated_margin -= paid
    else:
        p.wallet.balance -= paid
    v.wallet(v.rounding, p.wallet.asset).balance += paid
    v.emit(
        EventKind.FUNDING_PAYMENT, account=p.account, market=m.number, asset=p.wallet.asset, size_lots=p.lots,
        value=-paid,
    )  # fmt: skip


def adapt_interval(v: Venue, m: Market) -> bool:
    """At the cap funding becomes due more often, after quiet cycles less often again; whether it has changed."""
    if not m.premium_period_ns:
        return False
    size, interval = abs(m.funding_rate), m.funding_interval_ns
    m.quiet_cycles = m.quiet_cycles + 1 if size <= m.funding_quiet_rate else 0
    if m.funding_capped_interval_ns and size >= funding_cap(m):
        interval, m.quiet_cycles = m.funding_capped_interval_ns, 0
    elif 0 < m.funding_quiet_cycles <= m.quiet_cycles and interval < m.funding_quiet_interval_ns:
        interval = m.funding_quiet_interval_ns
    if interval == m.funding_interval_ns:
        return False
    m.funding_interval_ns, m.quiet_cycles = interval, 0
    v.emit(EventKind.FUNDING_INTERVAL, market=m.number, value=interval)
    return True


def funding_due(v: Venue, m: Market) -> None:
    """The stamp. A timer that is not the stamp of now belongs to a stamp that the venue has moved."""
    if m.funding_next_ns != v.time_ns:
        return
    if m.funding_continuous:
        settle_all(v, m)
    else:
        if m.premium_period_ns:
            m.funding_rate = computed_rate(m)
            m.premiums = []
        for p in m.newest_first():
            if p.lots and v.accounts[p.account].funded:
                pay_funding(v, p)
    v.emit(EventKind.FUNDING_SETTLED, market=m.number, value=m.funding_rate, aux=m.mark)
    if m.funding_interval_ns:
        changed = adapt_interval(v, m)
        m.funding_next_ns = next_stamp(v, m) if changed else m.funding_next_ns + m.funding_interval_ns
        v.timer(m.funding_next_ns, FUNDING, m)
    else:
        m.funding_next_ns = 0  # paid once, whatever timers are left
