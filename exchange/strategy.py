"""The first door for bots: subclass Strategy, answer what you are told, send orders.

A bot lives behind two latencies. What it is told is as old as its feed; what it sends arrives later. Its views
(`market`, `position`, `balance`, `orders`) hold what was delivered, never what the venue knows by now. Nothing here
reads a clock: `time_ns` is the time of the callback, and the same scenario always makes the same calls.
"""

from __future__ import annotations

from typing import Any

from perpsim.core import MARKETS_ALL, Kind, PositionSide, Side

from .desk import Desk, Market, OpenOrder, Terms
from .reports import Adl, Fill, Funding, Liquidation, Mark, OrderUpdate, Position, Quote, Trade
from .units import nanoseconds


class Strategy:
    """A trading bot with one account. Override what you need; a scenario's parameters go to `__init__`.

    Prices are in ticks, sizes in lots, money and marks in 1e-8, times in ns; `market().ticks("28150.1")` and
    `market().lots("0.25")` convert, `price()` and `size()` convert back. Markets are numbered as the scenario lists
    its tapes.
    """

    _desk: Desk | None = None  # attached by whoever runs the strategy

    # What you are told

    def on_start(self) -> None:
        """Once, before anything else; the account is funded."""

    def on_book(self, quote: Quote) -> None:
        """The best bid or ask changed, in price or size."""

    def on_trade(self, trade: Trade) -> None:
        """Somebody traded."""

    def on_order(self, update: OrderUpdate) -> None:
        """An order of yours changed its state."""

    def on_fill(self, fill: Fill) -> None:
        """Your account traded."""

    def on_position(self, position: Position) -> None:
        """Your position changed."""

    def on_mark(self, mark: Mark) -> None:
        """The mark price was set."""

    def on_funding(self, funding: Funding) -> None:
        """You paid or received funding."""

    def on_liquidation(self, liquidation: Liquidation) -> None:
        """A step of your own liquidation."""

    def on_adl(self, adl: Adl) -> None:
        """Your position was cut by auto-deleveraging."""

    def on_timer(self, tag: Any) -> None:
        """A timer that you set."""

    # What you can do

    def buy(self, size_lots: int, price_ticks: int | None = None, *, market: int = 0, **terms: Any) -> int:
        """Send a buy order and return its number. Without a price it is a market order; `terms`: see Terms.

        Raises TypeError for a term that does not exist. A refusal by the venue comes to `on_order`.
        """
        return self._at_desk().place(market, Side.BUY, size_lots, price_ticks, Terms(**terms))

    def sell(self, size_lots: int, price_ticks: int | None = None, *, market: int = 0, **terms: Any) -> int:
        """As `buy`."""
        return self._at_desk().place(market, Side.SELL, size_lots, price_ticks, Terms(**terms))

    def amend(
        self, order_id: int, price_ticks: int, size_lots: int, *, market: int = 0, trigger_ticks: int = 0
    ) -> None:
        """Change price and total size (what is filled counts); a smaller size at the same price keeps its place."""
        fields = {"price_ticks": price_ticks, "size_lots": size_lots, "trigger_ticks": trigger_ticks}
        self._at_desk().send({"kind": Kind.AMEND, "market": market, "order_id": order_id, **fields})

    def cancel(self, order_id: int, *, market: int = 0) -> None:
        """Take an order back."""
        self._at_desk().send({"kind": Kind.CANCEL, "market": market, "order_id": order_id})

    def cancel_all(self, *, market: int = MARKETS_ALL) -> None:
        """Take all orders back, or those in one market."""
        self._at_desk().send({"kind": Kind.CANCEL_ALL, "market": market})

    def set_position_mode(self, *, hedge: bool) -> None:
        """One-way or hedge mode, in all markets; the venue refuses it while you have a position or an order."""
        self._at_desk().send({"kind": Kind.SET_POSITION_MODE, "aux": int(hedge)})

    def timer(self, delay: float | str, tag: Any = None) -> None:
        """Have `on_timer(tag)` called in `delay` seconds."""
        self._at_desk().set_timer(nanoseconds(delay, "delay"), tag)

    # What you know

    @property
    def time_ns(self) -> int:
        """Time of the running callback."""
        return self._at_desk().time_ns

    @property
    def balance(self) -> int:
        """Money of the account without unrealised profit, isolated margin included, 1e-8 of the settlement asset."""
        return self._at_desk().balance

    @property
    def orders(self) -> dict[int, OpenOrder]:
        """Your orders that may be live, by number, those on their way included."""
        return self._at_desk().orders

    def market(self, market: int = 0) -> Market:
        """Quotes, last trade, mark, index and funding rate of a market, and its units."""
        return self._at_desk().markets[market]

    def position(self, market: int = 0, side: PositionSide = PositionSide.BOTH) -> Position:
        """Your position in a market; in hedge mode the leg of a side."""
        desk = self._at_desk()
        return Position(desk.time_ns, market, *desk.positions.get((market, side), (0, 0)), side)

    def _at_desk(self) -> Desk:
        if self._desk is None:
            raise RuntimeError("the strategy is not running yet; use on_start instead of __init__")
        return self._desk
