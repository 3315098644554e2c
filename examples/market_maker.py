"""A market maker that keeps one bid and one ask around the mid, and a stop under its inventory.

Run it:  perpsim run examples/market_maker.toml -o out/market_maker
"""

from perpsim.exchange import Strategy


class MarketMaker(Strategy):
    """Quotes `size` on both sides, `distance` away from the mid; leans against its inventory; stops out.

    size       base units a quote
    distance   quote units between the mid and a quote
    requote    quote units that the mid must move before the quotes follow
    limit      base units of inventory at which the filled side is no longer quoted
    stop       share of the entry price at which the inventory is closed at the market
    """

    def __init__(self, size="0.05", distance="2", requote="1", limit="0.5", stop=0.01):
        self.settings = size, distance, requote, limit
        self.stop = stop
        self.quotes = {}  # side name -> order number
        self.stop_id = None
        self.middle = 0

    def on_start(self):
        market = self.market()
        size, distance, requote, limit = self.settings
        self.size, self.limit = market.lots(size), market.lots(limit)
        self.distance, self.requote = market.ticks(distance), market.ticks(requote)
        self.timer(1, "quote")

    def on_timer(self, tag):
        self.quote()
        self.timer(1, tag)

    def on_book(self, quote):
        if quote.bid_ticks > 0 and quote.ask_ticks > 0:
            middle = (quote.bid_ticks + quote.ask_ticks) // 2
            if abs(middle - self.middle) >= self.requote:
                self.middle = middle
                self.quote()

    def quote(self):
        """Put both quotes where they belong; an order that is still on its way is left alone."""
        if not self.middle:
            return
        inventory = self.position().lots
        lean = inventory * self.distance // max(1, self.limit)
        self.put("bid", self.middle - self.distance - lean, inventory < self.limit)
        self.put("ask", self.middle + self.distance - lean, inventory > -self.limit)

    def put(self, side, price_ticks, wanted):
        order_id = self.quotes.get(side)
        order = self.orders.get(order_id)
        if order is None and wanted:
            send = self.buy if side == "bid" else self.sell
            self.quotes[side] = send(self.size, price_ticks, post_only=True)
        elif order is not None and order.status in ("open", "amended"):
            if not wanted:
                self.cancel(order_id)
            elif abs(order.price_ticks - price_ticks) >= self.requote:
                self.amend(order_id, price_ticks, self.size)

    def on_position(self, position):
        """The stop always closes whatever there is; it moves when the inventory changes its side."""
        stop = self.orders.get(self.stop_id)
        if stop is not None and (position.lots == 0 or (position.lots > 0) == (stop.side == 0)):
            self.cancel(self.stop_id)
            self.stop_id = stop = None
        if position.lots and stop is None:
            tick_lot_money = self.market().tick_lot_money
            entry_ticks = position.cost // position.lots // tick_lot_money
            send, sign = (self.sell, -1) if position.lots > 0 else (self.buy, 1)
            self.stop_id = send(0, stop_ticks=int(entry_ticks * (1 + sign * self.stop)), close_position=True)
