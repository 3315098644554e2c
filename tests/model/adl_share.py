"""Allocations: every account of one side gives whole contracts at once, and they sum to what is asked for.

lots = min(room, eta * weight), eta such that they sum up; quotas rounded down, the rest to the largest remainders,
equal ones by account; MIN_MAX instead to the smallest (lots + 1) / weight. Who has no weight gives last, by room.
"""

from fractions import Fraction

from .adl import Candidate, eligible, over, ratio
from .margin import value_of
from .state import Market, Position, Venue
from .wire import RATE_ONE, AdlPolicy

SHARES = range(AdlPolicy.CONTRACT_PRO_RATA, AdlPolicy.RESEARCH_MIRROR_DESCENT + 1)


class Cut:
    def __init__(self, account: int, room: int, weight: int, p: Position | None = None) -> None:
        self.account, self.room, self.weight, self.p, self.lots = account, room, weight, p, 0


def leverage_of(c: Candidate) -> int:
    """In 1e-6, at most 1000."""
    return min(10**9, over(c.value, c.share) // 1000)


def weight_of(policy: int, c: Candidate, room: int) -> int:
    if policy in (AdlPolicy.WEALTH_PRO_RATA, AdlPolicy.MIN_MAX):
        return max(0, c.share)
    if policy == AdlPolicy.RESEARCH_EQUITY_PRO_RATA:
        return max(0, c.equity)
    if policy == AdlPolicy.RESEARCH_PNL_PRO_RATA:
        return max(0, c.gain)
    if policy == AdlPolicy.RISK_AWARE:
        return leverage_of(c) ** 2 * room
    return leverage_of(c) if policy == AdlPolicy.RESEARCH_MIRROR_DESCENT else room


def exposure(p: Position) -> int:
    return abs(value_of(p)) * (1 if p.lots > 0 else -1)


def same_underlying(a: Market, b: Market) -> bool:
    return a is b or (a.underlying != 0 and a.underlying == b.underlying)


def unhedged_lots(v: Venue, p: Position) -> int:
    """What can go without raising |sum of signed notional| of the account in this underlying."""
    held = [q for w in v.wallets[p.account] for q in w.positions if q.lots and same_underlying(q.market, p.market)]
    own, net = exposure(p), sum(map(exposure, held))
    if own == 0:
        return abs(p.lots)
    return min(abs(p.lots), abs(p.lots * net) // abs(own)) if own * net > 0 else 0


def gather(v: Venue, m: Market, longs: bool, unhedged: bool) -> list[Cut]:
    cuts = []
    for p in m.positions:
        if eligible(v, p, longs):
            room = unhedged_lots(v, p) if unhedged else abs(p.lots)
            if room:
                cuts.append(Cut(p.account, room, weight_of(v.adl_policy, Candidate(p), room), p))
    return sorted(cuts, key=lambda c: c.account)


def share_out(policy: int, cuts: list[Cut], wanted: int) -> None:
    if policy == AdlPolicy.RESEARCH_MIRROR_DESCENT:
        mirror_descent(cuts, wanted)
    else:
        fill(cuts, wanted, policy == AdlPolicy.MIN_MAX)


def fill(cuts: list[Cut], wanted: int, min_max: bool = False) -> None:
    """Add to `lots`; rooms are what can be added. `wanted` is at most their sum."""
    total = sum(c.weight for c in cuts)
    cut_off = max(0, total.bit_length() - 62)  # weights are held in 64 bits
    weights = {c: c.weight >> cut_off for c in cuts}
    active = [c for c in cuts if c.room and weights[c]]
    while wanted and (full := drowned(active, weights, wanted)):
        for c in full:
            c.lots += c.room
            wanted -= c.room
        active = [c for c in active if c not in full]
    if not wanted:
        return
    if not active:
        rest = [c for c in cuts if c.room and not weights[c]]
        for c in rest:
            c.weight = c.room
        fill(rest, wanted)
        return
    total = sum(weights[c] for c in active)
    quotas = {c: Fraction(wanted * weights[c], total) for c in active}
    given = {c: int(quotas[c]) for c in active}
    left = wanted - sum(given.values())
    if min_max:
        for _ in range(left):
            open_ones = [c for c in active if given[c] < c.room]
            given[min(open_ones, key=lambda c: (Fraction(given[c] + 1, weights[c]), c.account))] += 1
    else:
        for c in sorted(active, key=lambda c: (given[c] - quotas[c], c.account))[:left]:
            given[c] += 1
    for c in active:
        c.lots += given[c]


def drowned(active: list[Cut], weights: dict[Cut, int], wanted: int) -> list[Cut]:
    """Who is under water at the level that all active ones would have together."""
    total = sum(weights[c] for c in active)
    return [c for c in active if c.room * total <= wanted * weights[c]]


def mirror_descent(cuts: list[Cut], wanted: int) -> None:
    """h = x - tau * c in [0, 1] with the smallest integer tau that cuts no more than is wanted; the rest by room."""
    most_weight, most_room = max((c.weight for c in cuts), default=0), max((c.room for c in cuts), default=0)

    def lots(c: Cut, tau: int) -> int:
        start = ratio(c.weight, max(1, most_weight))
        cost = max(1, ratio(c.room, most_room))
        return c.room * max(0, min(RATE_ONE, start - tau * cost // RATE_ONE)) // RATE_ONE

    low, high = -(10**18), 10**18
    while low < high:
        tau = (low + high) // 2
        if sum(lots(c, tau) for c in cuts) <= wanted:
            high = tau
        else:
            low = tau + 1
    for c in cuts:
        c.lots = lots(c, low)
    missing = wanted - sum(c.lots for c in cuts)
    for c in cuts:
        c.room -= c.lots
        c.weight = c.room
    fill(cuts, missing)
