"""A bot's desk: what it has been told so far, and where its orders go out.

A desk knows nothing but what was delivered to it, so it can be behind the venue by the feed's latency. Its ledger does
the venue's own arithmetic on the delivered events and ends at the venue's balance once everything has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from perpsim.core import EventKind, Flag, Kind, PositionSide, Reject, Side, Tif, TriggerSource

from .reports import Adl, Fill, Funding, Liquidation, Mark, OrderUpdate, Overload, Position, Quote, Trade
from .rules import MarketSpec
from .units import decimal_text, on_grid

CONDITIONAL = Flag.STOP | Flag.TAKE_PROFIT | Flag.TRAILING
UNKNOWN = {Kind.PLACE: "unknown", Kind.AMEND: "amend_unknown", Kind.CANCEL: "cancel_unknown"}
REFUSED = {Kind.PLACE: "rejected", Kind.AMEND: "amend_rejected", Kind.CANCEL: "cancel_rejected"}
COVERS = (EventKind.FUND_COVER, EventKind.SOCIALISED_LOSS, EventKind.VENUE_DEFICIT)

Send = Callable[[dict[str, int]], None]  # fields of a COMMAND but time, venue and account
Call = tuple[str, Any]  # (name of the strategy's method, what it is told)


@dataclass(slots=True)
class Market:
    """One market as the bot knows it; -1 and 0 until something was delivered."""

    number: int
    spec: MarketSpec
    bid_ticks: int = -1
    bid_lots: int = 0
    ask_ticks: int = -1
    ask_lots: int = 0
    last_ticks: int = 0
    mark: int = 0  # 1e-8 of the quote
    index: int = 0  # 1e-8 of the quote
    funding_rate: int = 0  # 1e-9

    def ticks(self, price: int | float | str | Decimal) -> int:
        """A price in ticks. Raises ValueError when it is not on the tick grid."""
        return on_grid(price, self.spec.tick, "price")

    def lots(self, size: int | float | str | Decimal) -> int:
        """A size in lots. Raises ValueError when it is not on the lot grid."""
        return on_grid(size, self.spec.lot, "size")

    def price(self, ticks: int) -> Decimal:
        """The price of so many ticks."""
        return Decimal(decimal_text(ticks * self.spec.tick))

    def size(self, lots: int) -> Decimal:
        """The size of so many lots, in base units."""
        return Decimal(decimal_text(lots * self.spec.lot))

    @property
    def mark_ticks(self) -> int:
        """The mark, rounded down to a tick."""
        return self.mark // self.spec.tick_value

    @property
    def tick_lot_money(self) -> int:
        """What one lot gains a tick, 1e-8 of the settlement asset; 0 where that depends on the price."""
        spec = self.spec
        return 0 if spec.inverse else spec.tick_value * spec.lot_numerator // spec.lot_denominator


@dataclass(slots=True)
class OpenOrder:
    """An order of the bot that may still be live."""

    order_id: int
    market: int
    side: Side
    price_ticks: int
    left_lots: int
    trigger_ticks: int
    flags: int
    position_side: PositionSide = PositionSide.BOTH
    status: str = "sent"


@dataclass(frozen=True, slots=True)
class Terms:
    """How an order behaves. `buy(…, post_only=True)` makes Terms(post_only=True).

    stop_ticks, take_profit_ticks  wait for this price, then be an order of now
    trail_rate                     wait until the price has come back by this rate (1e-9) from its extreme;
                                   stop_ticks is then the price from which on the extreme is followed, if any
    trigger                        which price is watched
    expire_ns                      good until then
    position_side                  the leg, which an account in hedge mode must name
    """

    tif: Tif = Tif.GTC
    post_only: bool = False
    reduce_only: bool = False
    close_position: bool = False
    stop_ticks: int = 0
    take_profit_ticks: int = 0
    trail_rate: int = 0
    trigger: TriggerSource = TriggerSource.MARK
    expire_ns: int = 0
    stp_mode: int = 0
    position_side: PositionSide = PositionSide.BOTH

    def fields(self, price_ticks: int | None) -> dict[str, int]:
        """Fields of a PLACE command; a price of None makes a market order."""
        flags = Flag(0)
        for wanted, flag in (
            (price_ticks is None, Flag.MARKET),
            (self.post_only, Flag.POST_ONLY),
            (self.reduce_only, Flag.REDUCE_ONLY),
            (self.close_position, Flag.CLOSE_POSITION),
            (self.stop_ticks and not self.trail_rate, Flag.STOP),
            (self.take_profit_ticks, Flag.TAKE_PROFIT),
            (self.trail_rate, Flag.TRAILING),
        ):
            if wanted:
                flags |= flag
        return {
            "tif": Tif.GTD if self.expire_ns else self.tif,
            "flags": int(flags),
            "trigger_ticks": self.stop_ticks or self.take_profit_ticks,
            "trigger_source": self.trigger,
            "expire_ns": self.expire_ns,
            "stp_mode": self.stp_mode,
            "position_side": self.position_side,
            "aux": self.trail_rate,
        }


@dataclass(slots=True)
class Desk:
    """The state behind a Strategy. `deliver` takes an event or a piece of market data and says whom to call."""

    account: int
    specs: Sequence[MarketSpec]
    send: Send
    set_timer: Callable[[int, Any], None]  # (delay in ns, tag)
    time_ns: int = 0
    balance: int = 0  # wallet and isolated margin together, 1e-8 of the settlement asset
    markets: list[Market] = field(default_factory=list)
    orders: dict[int, OpenOrder] = field(default_factory=dict)
    lights: dict[tuple[int, int], int] = field(default_factory=dict)  # (market, leg) -> ADL light
    positions: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # (market, leg) -> [lots, cost]
    hedged: bool = False  # the account has a long and a short leg in each market
    order_id: int = 0

    def __post_init__(self):
        self.markets = [Market(number, spec) for number, spec in enumerate(self.specs)]

    # What goes out

    def place(self, market: int, side: Side, size_lots: int, price_ticks: int | None, terms: Terms) -> int:
        """Send an order; its number is returned before anybody knows whether the venue takes it."""
        self.order_id += 1
        fields = terms.fields(price_ticks)
        order = OpenOrder(
            self.order_id, market, side, price_ticks or 0, size_lots, fields["trigger_ticks"], fields["flags"],
            terms.position_side,
        )  # fmt: skip
        self.orders[self.order_id] = order
        self.send({
            "kind": Kind.PLACE, "market": market, "order_id": self.order_id, "side": side, "size_lots": size_lots,
            "price_ticks": price_ticks or 0, **fields,
        })  # fmt: skip
        return self.order_id

    # What comes in

    def quote(self, quote: Quote) -> list[Call]:
        market = self.markets[quote.market]
        market.bid_ticks, market.bid_lots = quote.bid_ticks, quote.bid_lots
        market.ask_ticks, market.ask_lots = quote.ask_ticks, quote.ask_lots
        return [("on_book", quote)]

    def trade(self, trade: Trade) -> list[Call]:
        self.markets[trade.market].last_ticks = trade.price_ticks
        return [("on_trade", trade)]

    def event(self, event: dict[str, int]) -> list[Call]:
        """Take in an EVENT (as a dict of its fields) of the bot's account or of a market; whom to call with what."""
        handler = HANDLERS.get(event["kind"])
        return handler(self, event) if handler else []

    def overloaded(self, refusal: tuple[int, dict[str, int], Overload]) -> list[Call]:
        """(time, fields of a request, why) of a request that the venue turned away before its engine saw it."""
        time_ns, fields, reason = refusal
        kind, order_id = fields["kind"], fields.get("order_id", 0)
        order = self.orders.get(order_id)
        names = UNKNOWN if reason == Overload.UNKNOWN else REFUSED
        status = names.get(kind, names[Kind.PLACE])
        if kind == Kind.PLACE and reason == Overload.SHED:
            self.orders.pop(order_id, None)
        elif kind == Kind.PLACE and order and order.status == "sent":
            order.status = status
        left_lots = order.left_lots if order and status != "rejected" else 0
        return [("on_order", OrderUpdate(time_ns, fields.get("market", 0), order_id, status, reason, left_lots))]

    def _mark(self, e: dict) -> list[Call]:
        market = self.markets[e["market"]]
        market.mark, market.index = e["value"], e["aux"]
        return [("on_mark", Mark(e["time_ns"], e["market"], e["value"], e["aux"]))]

    def _funding_rate(self, e: dict) -> list[Call]:
        self.markets[e["market"]].funding_rate = e["value"]
        return []

    def _money(self, e: dict) -> list[Call]:
        self.balance += -e["value"] if e["kind"] == EventKind.WITHDRAWAL else e["value"]
        return []

    def _seeded(self, e: dict) -> list[Call]:
        lots = e["size_lots"] if e["side"] == Side.BUY else -e["size_lots"]
        return [self._moved(e, lots, e["aux"], self._leg(opens=lots))]

    def _rejected(self, e: dict) -> list[Call]:
        order = self.orders.get(e["order_id"])
        status = REFUSED.get(e["aux"], "rejected")
        if e["aux"] == Kind.PLACE or (order and order.status == "unknown" and e["reason"] == Reject.UNKNOWN_ORDER):
            self.orders.pop(e["order_id"], None)
        return [self._update(e, status, order.left_lots if order and status != "rejected" else 0, e["reason"])]

    def _accepted(self, e: dict) -> list[Call]:
        return self._change(e, "waiting" if e["aux"] & CONDITIONAL else "open", e["size_lots"])

    def _amended(self, e: dict) -> list[Call]:
        order = self.orders.get(e["order_id"])
        if order:
            order.price_ticks = e["price_ticks"]
            order.trigger_ticks = e["value"] or order.trigger_ticks
        return self._change(e, "amended", e["size_lots"])

    def _triggered(self, e: dict) -> list[Call]:
        return self._change(e, "triggered", e["size_lots"])

    def _cancelled(self, e: dict) -> list[Call]:
        if e["order_id"] < 0:
            return []  # the rest of a forced order
        if e["reason"] == Reject.BY_REDUCE_ONLY and e["aux"]:
            return self._change(e, "reduced", e["aux"])
        self.orders.pop(e["order_id"], None)
        return [self._update(e, "cancelled", 0, e["reason"])]

    def _traded(self, e: dict) -> list[Call]:
        """Both sides of a trade may be the bot's."""
        calls = []
        value = self.markets[e["market"]].spec.trade_value(e["size_lots"], e["price_ticks"])
        for maker in (False, True):
            if e["maker_account" if maker else "account"] != self.account:
                continue
            side = Side(e["side"] ^ maker)
            order_id, fee = (e["maker_order_id"], e["value"]) if maker else (e["order_id"], e["fee"])
            sign = 1 if side == Side.BUY else -1
            order = self.orders.get(order_id)
            leg = order.position_side if order else self._leg(opens=-sign)
            moved = self._moved(e, sign * e["size_lots"], sign * value, leg)
            self.balance -= fee
            forced = not maker and order_id < 0
            beyond = not maker and e["reason"] == Reject.BY_BEYOND_DEPTH
            made = (e["time_ns"], e["market"], order_id, side, e["price_ticks"], e["size_lots"], fee, maker)
            calls += [("on_fill", Fill(*made, forced, beyond)), moved]
            if order:
                order.left_lots -= e["size_lots"]
                if order.left_lots <= 0:
                    del self.orders[order_id]
                    calls.append(("on_order", OrderUpdate(e["time_ns"], e["market"], order_id, "filled", 0, 0)))
        return calls

    def _paid_funding(self, e: dict) -> list[Call]:
        self.balance += e["value"]
        return [("on_funding", Funding(e["time_ns"], e["market"], e["size_lots"], e["value"]))]

    def _liquidation(self, e: dict) -> list[Call]:
        step = STEPS[e["kind"]]
        if step == "fee":
            self.balance -= e["value"]
        return [("on_liquidation", Liquidation(e["time_ns"], e["market"], step, e["size_lots"], e["value"]))]

    def _takeover(self, e: dict) -> list[Call]:
        lots = -e["size_lots"] if e["side"] == Side.SELL else e["size_lots"]
        moved = self._moved(e, lots, -e["value"], self._leg(opens=-lots))
        step = Liquidation(e["time_ns"], e["market"], "takeover", e["size_lots"], abs(e["value"]))
        return [("on_liquidation", step), moved]

    def _deleveraged(self, e: dict) -> list[Call]:
        """As the counterparty that is cut, or as the account whose position is taken."""
        lots = e["size_lots"] if e["side"] == Side.BUY else -e["size_lots"]
        if e["account"] == self.account:
            moved = self._moved(e, lots, e["value"], self._leg(opens=-lots))
            cut = Adl(e["time_ns"], e["market"], Side(e["side"]), e["size_lots"], abs(e["value"]))
            return [("on_adl", cut), moved]
        value = e["value"] - e["fee"]  # it gets the bankruptcy value, whatever the counterparties pay
        moved = self._moved(e, -lots, -value, self._leg(opens=lots))
        step = Liquidation(e["time_ns"], e["market"], "adl", e["size_lots"], abs(value))
        return [("on_liquidation", step), moved]

    def _light(self, e: dict) -> list[Call]:
        leg = self._leg(opens=1 if e["side"] == Side.BUY else -1)
        self.lights[e["market"], leg] = e["value"]
        held = self.positions.get((e["market"], leg), (0, 0))
        return [("on_position", Position(e["time_ns"], e["market"], *held, leg, e["value"]))]

    def _charged(self, e: dict) -> list[Call]:
        self.balance -= e["value"]
        return []

    def _covered(self, e: dict) -> list[Call]:
        if e["maker_account"] == self.account:
            self.balance -= e["value"]
            return []
        self.balance += e["value"]
        return [("on_liquidation", Liquidation(e["time_ns"], e["market"], "covered", 0, e["value"]))]

    def _settled(self, e: dict) -> list[Call]:
        return [self._moved(e, -e["size_lots"], -e["value"], self._leg(opens=e["size_lots"]))]

    def _mode(self, e: dict) -> list[Call]:
        self.hedged = bool(e["aux"])
        return []

    def _netted(self, e: dict) -> list[Call]:
        """Both legs closed against each other, in a liquidation."""
        lots, value = e["size_lots"], e["value"]
        return [
            self._moved(e, -lots, -value, PositionSide.LONG),
            self._moved(e, lots, value, PositionSide.SHORT),
        ]

    # Ledger

    def _leg(self, opens: int) -> PositionSide:
        """The leg that holds, or would hold, lots of this sign."""
        if not self.hedged:
            return PositionSide.BOTH
        return PositionSide.LONG if opens > 0 else PositionSide.SHORT

    def _moved(self, e: dict, lots: int, value: int, leg: PositionSide) -> Call:
        """Add signed `lots`, worth `value`, to a position and realise what closes, as the venue does."""
        held = self.positions.setdefault((e["market"], leg), [0, 0])
        if held[0] and (held[0] < 0) != (lots < 0):
            closing = min(abs(held[0]), abs(lots))
            closing_value = _part(value, closing, abs(lots))
            released = _part(held[1], closing, abs(held[0]))
            self.balance -= closing_value + released
            held[0] += closing if held[0] < 0 else -closing
            held[1] -= released
            lots += -closing if lots > 0 else closing
            value -= closing_value
        held[0] += lots
        held[1] += value
        light = self.lights.get((e["market"], leg), 0)
        return "on_position", Position(e["time_ns"], e["market"], *held, leg, light)

    def _change(self, e: dict, status: str, left_lots: int) -> list[Call]:
        order = self.orders.get(e["order_id"])
        if order:
            order.status, order.left_lots = status, left_lots
        return [self._update(e, status, left_lots, 0)]

    def _update(self, e: dict, status: str, left_lots: int, reason: int) -> Call:
        return "on_order", OrderUpdate(e["time_ns"], e["market"], e["order_id"], status, reason, left_lots)


def _part(whole: int, part: int, lots: int) -> int:
    """whole * part / lots toward zero."""
    return -(-whole * part // lots) if whole < 0 else whole * part // lots


STEPS = {
    EventKind.LIQUIDATION_STARTED: "started",
    EventKind.LIQUIDATION_ORDER: "order",
    EventKind.LIQUIDATION_FEE: "fee",
    EventKind.LIQUIDATION_ENDED: "ended",
}
HANDLERS = {
    EventKind.MARK: Desk._mark,
    EventKind.FUNDING_RATE: Desk._funding_rate,
    EventKind.DEPOSIT: Desk._money,
    EventKind.WITHDRAWAL: Desk._money,
    EventKind.POSITION_SEEDED: Desk._seeded,
    EventKind.REJECTED: Desk._rejected,
    EventKind.ACCEPTED: Desk._accepted,
    EventKind.AMENDED: Desk._amended,
    EventKind.TRIGGERED: Desk._triggered,
    EventKind.CANCELLED: Desk._cancelled,
    EventKind.TRADE: Desk._traded,
    EventKind.FUNDING_PAYMENT: Desk._paid_funding,
    EventKind.TAKEOVER: Desk._takeover,
    EventKind.ADL: Desk._deleveraged,
    EventKind.ADL_FEE: Desk._charged,
    EventKind.ADL_LIGHT: Desk._light,
    EventKind.SETTLEMENT: Desk._settled,
    EventKind.POSITION_MODE: Desk._mode,
    EventKind.LEGS_NETTED: Desk._netted,
    **dict.fromkeys(STEPS, Desk._liquidation),
    **dict.fromkeys(COVERS, Desk._covered),
}
