"""A user's own ADL policy: the venue stops where it asks, takes nothing but the decision, and goes on with it.

To stop in the midst of its work, a command that may ask runs in a thread of its own. Only one of the two threads runs
at a time: `go` waits until the work asks or is over, `ask` until the decision is complete.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .adl import eligible
from .contract import shown_price
from .state import Position, Venue
from .wire import BUY, SELL, AdlFault, Command, EventKind, Flag, Leg

if TYPE_CHECKING:
    from .deleverage import Remainder


class Work:
    """A command at work."""

    def __init__(self, venue: Venue, work: Callable[[], None]) -> None:
        self.venue, self.work = venue, work
        self.inside, self.outside = threading.Semaphore(0), threading.Semaphore(0)
        self.error: BaseException | None = None
        venue.work = self
        threading.Thread(target=self._run, daemon=True).start()
        self.go()

    def _run(self) -> None:
        self.inside.acquire()
        try:
            self.work()
        except BaseException as error:
            self.error = error
        self.venue.work = None
        self.outside.release()

    def go(self) -> None:
        self.inside.release()
        self.outside.acquire()
        if self.error:
            raise self.error

    def ask(self) -> None:
        self.outside.release()
        self.inside.acquire()


def ask_user(v: Venue, p: Position, rest: Remainder) -> None:
    """Others decide about what is left of a position, if there is anybody whom it could be closed against."""
    if not any(eligible(v, other, p.lots < 0) for other in p.market.positions):
        return
    worth = rest.value - rest.share
    v.emit(
        EventKind.ADL_PENDING, account=p.account, market=p.market.number, asset=p.market.asset,
        side=SELL if p.lots > 0 else BUY, size_lots=abs(p.lots), value=worth, aux=rest.share,
        price_ticks=shown_price(p.market, p.lots, worth),
    )  # fmt: skip
    v.asked = p, rest
    v.work.ask()
    v.asked = None


def counterparty(v: Venue, p: Position, account: int) -> Position | None:
    """The account's position on the other side."""
    legs = [v.find_position(account, p.market, leg) for leg in (Leg.BOTH, Leg.LONG, Leg.SHORT)]
    return next((q for q in legs if q and q.lots * p.lots < 0), None)


def fault_of(v: Venue, p: Position, c: Command) -> int:
    """The first thing that is wrong with a part of a decision."""
    if c.market != p.market.number:
        return AdlFault.MARKET
    if c.size_lots == 0 and not c.flags & Flag.MORE:
        return AdlFault.NONE  # nobody, and no more
    if p.lots == 0:
        return AdlFault.LEFT
    if not 0 <= c.account < len(v.accounts):
        return AdlFault.ACCOUNT
    if v.is_house(c.account):
        return AdlFault.HOUSE
    other = counterparty(v, p, c.account)
    if other is None:
        return AdlFault.SIDE
    if not eligible(v, other, p.lots < 0):
        return AdlFault.LIQUIDATION
    if c.size_lots <= 0:
        return AdlFault.SIZE
    if c.size_lots > abs(other.lots):
        return AdlFault.HELD
    return AdlFault.LEFT if c.size_lots > abs(p.lots) else AdlFault.NONE
