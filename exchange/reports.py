"""What a bot is told: small immutable records, prices in ticks, sizes in lots, money and marks in 1e-8, times in ns.

`time_ns` is when it happened at the venue, not when the bot learns of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from perpsim.core import PositionSide, Side


class Overload(IntEnum):
    """Why the venue turned a request away before its engine saw it, beside the reasons of perpsim.core.Reject."""

    SHED = -1  # there were too many requests; this one was not done
    UNKNOWN = -2  # there were too many; it may be done or not, and nobody will say


@dataclass(frozen=True, slots=True)
class Quote:
    """Best quotes; price -1 and size 0 where a side is empty."""

    time_ns: int
    market: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; `side` is the taker's."""

    time_ns: int
    market: int
    side: Side
    price_ticks: int
    size_lots: int


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """What became of an order of the bot.

    status  open, waiting (for its trigger), triggered, amended, reduced, filled, cancelled, rejected;
            amend_rejected and cancel_rejected leave the order as it was; unknown, amend_unknown and
            cancel_unknown: the venue was overloaded, and the request may have been done or not
    reason  a perpsim.core.Reject, an Overload (below 0), 0 where there is none
    """

    time_ns: int
    market: int
    order_id: int
    status: str
    reason: int
    left_lots: int


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of the bot's own account. `forced`: by the liquidation engine; then order_id is negative.

    `beyond`: what was taken is stated behind the recorded depth, no recording shows it.
    """

    time_ns: int
    market: int
    order_id: int
    side: Side
    price_ticks: int
    size_lots: int
    fee: int
    maker: bool
    forced: bool
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A position: signed lots, and what they cost, signed alike, 1e-8 of the settlement asset.

    In hedge mode a leg: `side` says which. `adl_light` is as of the venue's last look: 0 none, more is nearer to the
    front of the ADL queue.
    """

    time_ns: int
    market: int
    lots: int
    cost: int
    side: PositionSide = PositionSide.BOTH
    adl_light: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark price and index, both in 1e-8 of the quote."""

    time_ns: int
    market: int
    mark: int
    index: int


@dataclass(frozen=True, slots=True)
class Funding:
    """A funding payment of the bot's account: positive is received."""

    time_ns: int
    market: int
    lots: int
    amount: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A step of the bot's own liquidation.

    step    started, order, fee, takeover, adl (a counterparty took the position), covered, ended
    amount  equity (started, ended), fee, value of what was taken (takeover, adl), money received (covered)
    """

    time_ns: int
    market: int
    step: str
    size_lots: int
    amount: int


@dataclass(frozen=True, slots=True)
class Adl:
    """The bot's position was cut by auto-deleveraging: it traded `side` for `value`."""

    time_ns: int
    market: int
    side: Side
    size_lots: int
    value: int
