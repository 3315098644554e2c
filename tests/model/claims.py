"""Claims: forced orders that wait for recorded trades; and the flows that another run has found in these trades."""

from .margin import Unit
from .orders import reject
from .state import Claim, Market, Position, Venue
from .wire import BUY, SELL, Attribution, Command, EventKind, Reject


def put_claim(p: Position, order_id: int, side: int, limit: int, lots: int) -> None:
    """At the tail of its queue, in the place of an earlier one of the position."""
    drop(p)
    p.claim = Claim(order_id, side, limit, lots, lots)
    p.market.claims[side].append(p)


def drop(p: Position) -> None:
    for queue in p.market.claims.values():
        if p in queue:
            queue.remove(p)
    p.claim = None


def claimant(unit: Unit) -> Position | None:
    """The unit's position that has a claim, waiting or filled."""
    return next((p for p in unit.positions() if p.claim), None)


def end_claim(v: Venue, p: Position, reason: int) -> int:
    """Forget a claim; returns what was filled of it."""
    claim = p.claim
    if claim is None:
        return 0
    drop(p)
    if claim.left and not v.is_house(p.account):
        v.emit(
            EventKind.CANCELLED, account=p.account, market=p.market.number, order_id=claim.order_id, side=claim.side,
            size_lots=claim.left, price_ticks=claim.limit, reason=reason,
        )  # fmt: skip
    return claim.sent - claim.left


def took(p: Position, lots: int) -> None:
    """Lots of a claim were traded; a filled one leaves the queue."""
    p.claim.left -= lots
    if p.claim.left == 0:
        p.market.claims[p.claim.side].remove(p)


def claimed(m: Market) -> tuple[int, int]:
    """What forced orders of each side wait for."""
    return tuple(sum(p.claim.left for p in m.claims[side]) for side in (BUY, SELL))


def set_flow(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    if m.attribution != Attribution.AGAINST:
        return reject(v, c, Reject.MARKET_STATE)
    if not 0 < c.size_lots <= m.position_max:
        return reject(v, c, Reject.BAD_SIZE)
    if c.aux < m.tape_trades or any(c.aux <= ordinal for ordinal in m.flow_ahead):
        return reject(v, c, Reject.BAD_VALUE)
    m.flow_ahead[c.aux] = c.size_lots
    return Reject.NONE
