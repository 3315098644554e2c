"""When prices are computed. At one instant: the index, then the mark, then funding, then premium samples."""

from .funding import next_stamp, sample_premium
from .index_price import change_index, change_source, compute_index
from .marks import compute_mark, follow_index
from .state import Market, Venue
from .timers import FUNDING, MARK, PREMIUM
from .wire import RATE_ONE, IndexMethod


def shocked(m: Market, recorded: int, share: int) -> int:
    """A recorded price, moved as the recorded book is, by `share` of its impact."""
    return recorded * m.shock // RATE_ONE * (RATE_ONE + m.impact * share // RATE_ONE) // RATE_ONE


def following(v: Venue, period: int) -> int:
    """Timers stand at the multiples of their periods."""
    return (v.time_ns // period + 1) * period


def start_index_timer(v: Venue, m: Market) -> None:
    m.index_next_ns = following(v, m.index_period_ns) if m.index_period_ns and v.started else 0
    if m.index_next_ns:
        v.timer(m.index_next_ns, MARK, m)


def start_mark_timer(v: Venue, m: Market) -> None:
    """At the start, and whenever the period changes; what was due by the old period is not."""
    m.mark_next_ns = following(v, m.mark_period_ns) if m.mark_period_ns and v.started else 0
    if m.mark_next_ns:
        v.timer(m.mark_next_ns, MARK, m)


def start_funding_timer(v: Venue, m: Market) -> None:
    """At the start, and when there was no stamp; one that is announced stays."""
    if m.funding_interval_ns and v.started and not m.funding_next_ns:
        m.funding_next_ns = next_stamp(v, m)
        v.timer(m.funding_next_ns, FUNDING, m)


def start_premium_timer(v: Venue, m: Market) -> None:
    m.premium_next_ns = following(v, m.premium_period_ns) if m.premium_period_ns and v.started else 0
    if m.premium_next_ns:
        v.timer(m.premium_next_ns, PREMIUM, m)


def start_timers(v: Venue, m: Market) -> None:
    start_index_timer(v, m)
    start_mark_timer(v, m)
    start_premium_timer(v, m)
    start_funding_timer(v, m)


def set_index(v: Venue, m: Market, index: int, recorded: bool) -> None:
    if not recorded or m.index_method == IndexMethod.GIVEN:
        change_index(v, m, index)
        follow_index(v, m)


def set_source(v: Venue, m: Market, number: int, price: int) -> None:
    change_source(v, m, number, price)
    if m.index_method != IndexMethod.GIVEN and not m.index_period_ns and number < len(m.sources):
        compute_index(v, m)
        follow_index(v, m)


def mark_due(v: Venue, m: Market) -> None:
    """Index and mark have a timer of one kind; the index goes first."""
    if m.index_period_ns and m.index_next_ns == v.time_ns:
        m.index_next_ns += m.index_period_ns
        v.timer(m.index_next_ns, MARK, m)
        if m.index_method != IndexMethod.GIVEN:
            compute_index(v, m)
            follow_index(v, m)
    if m.mark_period_ns and m.mark_next_ns == v.time_ns:
        m.mark_next_ns += m.mark_period_ns
        v.timer(m.mark_next_ns, MARK, m)
        compute_mark(v, m)


def premium_due(v: Venue, m: Market) -> None:
    if m.premium_period_ns and m.premium_next_ns == v.time_ns:
        m.premium_next_ns += m.premium_period_ns
        v.timer(m.premium_next_ns, PREMIUM, m)
        sample_premium(v, m)
