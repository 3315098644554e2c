"""The part of a book that a LOBSTER recording shows: the orders of its best levels, of some of which it says no id.

A recording lists the events inside its best L levels of each side, and after each event the L levels themselves. Two
kinds of orders are known by their level alone: those that rested before the first message, and those of a level that
enters the window again, about which nothing was said while it was outside. Each such level holds one order with a
negative id, at the head of its queue; an event of an id that was never shown is taken from it, and from nothing else.
"""

from bisect import bisect_left, insort

from perpsim.replay.readers.order_rows import ADD, DELETE, EXECUTE, REDUCE, SELL_OF, OrderRows

BUY, ASK = 0, 1
UNKNOWN = "unknown-order"


class Window:
    """Levels and orders inside the window; every change also becomes a row."""

    def __init__(self, levels: int, rows: OrderRows):
        self.levels = levels
        self.rows = rows
        self.orders: dict[int, list[int]] = {}  # id: [side, price, lots]
        self.lots: tuple[dict[int, int], dict[int, int]] = ({}, {})  # by price
        self._ids: tuple[dict[int, dict[int, None]], dict[int, dict[int, None]]] = ({}, {})
        self._old: tuple[dict[int, int], dict[int, int]] = ({}, {})  # price: id of the order without a known id
        self._keys: tuple[list[int], list[int]] = ([], [])  # prices, best first; of bids negative
        self._next_id = 0

    def prices(self, side: int) -> list[int]:
        """Best first."""
        return [-key for key in self._keys[BUY]] if side == BUY else list(self._keys[ASK])

    def flat(self, side: int) -> list[int]:
        """Price and lots of each level, best first, in one list."""
        lots = self.lots[side]
        return [number for price in self.prices(side) for number in (price, lots[price])]

    def full(self, side: int) -> bool:
        """Whether there may be levels beyond the window."""
        return len(self._keys[side]) >= self.levels

    def add(self, side: int, price: int, lots: int, order_id: int, line: int) -> None:
        self.orders[order_id] = [side, price, lots]
        if price in self.lots[side]:
            self.lots[side][price] += lots
        else:
            self.lots[side][price] = lots
            self._ids[side][price] = {}
            insort(self._keys[side], -price if side == BUY else price)
        self._ids[side][price][order_id] = None
        self.rows.add(ADD | SELL_OF[side], price, lots, order_id, line)

    def adopt(self, side: int, price: int, lots: int, line: int) -> None:
        """A level of which only the size is known."""
        self._next_id -= 1
        self._old[side][price] = self._next_id
        self.add(side, price, lots, self._next_id, line)

    def resting(self, side: int, price: int, order_id: int) -> int | None:
        """The order that an event is of: itself, or the one without a known id at its level; None if neither is."""
        order = self.orders.get(order_id)
        if order is not None:
            return order_id if order[0] == side and order[1] == price else None
        return self._old[side].get(price)

    def take(self, order_id: int, lots: int, executed: bool, line: int) -> None:
        """So many lots, at most all, leave an order that rests."""
        order = self.orders[order_id]
        side, price, left = order
        if lots == left:
            self._forget(order_id)
            self.rows.add((EXECUTE if executed else DELETE) | SELL_OF[side], price, lots, order_id, line)
            return
        order[2] = left - lots
        self.lots[side][price] -= lots
        self.rows.add((EXECUTE if executed else REDUCE) | SELL_OF[side], price, lots, order_id, line)

    def drop(self, side: int, price: int, line: int) -> None:
        """A level leaves the window, or is not there: its orders go."""
        for order_id in list(self._ids[side][price]):
            self.take(order_id, self.orders[order_id][2], False, line)

    def trim(self, side: int, line: int) -> int:
        """Drop what stands beyond the window. Returns how many levels that were."""
        beyond = self.prices(side)[self.levels :]
        for price in beyond:
            self.drop(side, price, line)
        return len(beyond)

    def clear(self, line: int) -> None:
        for side in (BUY, ASK):
            for price in self.prices(side):
                self.drop(side, price, line)

    def _forget(self, order_id: int) -> None:
        side, price, lots = self.orders.pop(order_id)
        del self._ids[side][price][order_id]
        if self._old[side].get(price) == order_id:
            del self._old[side][price]
        self.lots[side][price] -= lots
        if not self.lots[side][price]:
            del self.lots[side][price], self._ids[side][price]
            keys = self._keys[side]
            del keys[bisect_left(keys, -price if side == BUY else price)]
