"""The twin's state in the shape of the core's views, for comparison field by field.

A view is (names of fields, row of an object). The *stored* views hold what only an event can change; they are cheap.
The others add what follows from it at the marks of now.
"""

from operator import attrgetter

from .accrual import accrued_of
from .book import best_price, better_first, check_queues
from .claims import claimed
from .margin import (
    cross_equity,
    cross_positions,
    gain_of,
    maintenance_of,
    open_loss_of,
    orders_maintenance,
    orders_value,
    pnl_of,
    value_of,
)
from .state import Order, Position, Venue, Wallet
from .wire import BUY, ISOLATED, SELL

POSITION_FIELDS = [
    "account", "market", "mode", "stage", "leverage", "orders", "position_side", "lots", "cost", "isolated_margin",
    "value", "pnl", "maintenance", "bid_value", "ask_value", "open_loss", "accrued", "adl_light", "risk_limit",
]  # fmt: skip
ACCOUNT_FIELDS = [
    "account", "asset", "owner", "stp_group", "balance", "isolated", "equity", "maintenance", "cross_equity",
    "cross_maintenance", "deposited", "realised", "unrealised", "fees", "funding", "absorbed", "liquidations",
    "adl_hits", "stage",
]  # fmt: skip
ORDER_FIELDS = [
    "account", "market", "side", "state", "order_id", "price_ticks", "size_lots", "filled_lots", "flags", "tif",
]  # fmt: skip
MARKET_FIELDS = [
    "state", "mark", "index", "last_ticks", "shift_ticks", "shock_e9", "funding_rate_e9", "funding_next_ns",
    "best_bid_ticks", "best_ask_ticks", "longs_lots", "shorts_lots", "mark_lowest", "mark_highest",
    "basis_gap_worst_e9", "liquidated_long_lots", "liquidated_short_lots", "tape_unfilled_lots", "claimed_lots",
]  # fmt: skip
STORED_WALLET = [
    "account", "asset", "balance", "deposited", "realised", "fees", "funding", "absorbed", "liquidations", "adl_hits",
    "stage",
]  # fmt: skip
wallet_row = attrgetter(*STORED_WALLET)
STORED_POSITION = ["account", "market", "mode", "stage", "leverage", "position_side", "lots", "cost", "isolated_margin"]
held_row = attrgetter("account", "market.number", *STORED_POSITION[2:])
order_row = attrgetter(
    "account", "position.market.number", "side", "state", "order_id", "price", "lots", "filled", "flags", "tif"
)
STORED_MARKET = [
    "state", "mark", "index", "last_ticks", "shift_ticks", "shock_e9", "funding_rate_e9", "funding_next_ns",
    "liquidated_long_lots", "liquidated_short_lots", "tape_unfilled_lots", "tape_trades", "attributed_lots",
    "excess_lots", "deficit_lots", "lapsed_lots",
]  # fmt: skip
terms_row = attrgetter(
    "state",
    "mark",
    "index",
    "last",
    "shift",
    "shock",
    "funding_rate",
    "funding_next_ns",
    "liquidated_longs",
    "liquidated_shorts",
    "unfilled",
    "tape_trades",
    "attributed",
    "excess",
    "deficit",
    "lapsed",
)


def position_row(v: Venue, p: Position) -> tuple:
    held = p.account != v.world  # recorded orders hold nothing
    return (
        p.account, p.market.number, p.mode, p.stage, p.leverage, len(p.orders), p.position_side, p.lots, p.cost,
        p.isolated_margin,
        value_of(p), pnl_of(p), maintenance_of(p), held * orders_value(p, BUY), held * orders_value(p, SELL),
        held * open_loss_of(p), accrued_of(p), p.light, p.risk_limit,
    )  # fmt: skip


def account_row(v: Venue, w: Wallet) -> tuple:
    account = v.accounts[w.account]
    held = w.account != v.world  # recorded orders hold nothing
    isolated = [p for p in w.positions if p.mode == ISOLATED]
    margin = sum(p.isolated_margin for p in w.positions)
    pnl_isolated = sum(gain_of(p) for p in isolated)
    cross = cross_equity(w)
    needed = sum(maintenance_of(p) + held * orders_maintenance(p) for p in cross_positions(w))
    return (
        w.account, w.asset, account.owner, account.stp_group, w.balance, margin, cross + margin + pnl_isolated,
        needed + sum(maintenance_of(p) for p in isolated), cross, needed, w.deposited, w.realised,
        cross - w.balance + pnl_isolated, w.fees, w.funding, w.absorbed, w.liquidations, w.adl_hits, w.stage,
    )  # fmt: skip


def market_row(v: Venue, number: int) -> tuple:
    m = v.markets[number]
    check_queues(m)
    bid, ask = (best_price(m, side) for side in (BUY, SELL))
    open_interest = [p.lots for p in m.positions if p.in_interest]
    return (
        m.state, m.mark, m.index, m.last, m.shift, m.shock, m.funding_rate, m.funding_next_ns,
        -1 if bid is None else bid, -1 if ask is None else ask, sum(q for q in open_interest if q > 0),
        -sum(q for q in open_interest if q < 0), m.mark_lowest, m.mark_highest, m.basis_gap_worst,
        m.liquidated_longs, m.liquidated_shorts, m.unfilled, claimed(m),
    )  # fmt: skip


def totals(v: Venue, number: int, side: int) -> list[tuple[int, int]]:
    """(venue price, lots) of one side, best first."""
    queues = v.markets[number].sides[side].queues
    return [(price, sum(s.lots for s in queues[price])) for price in better_first(queues, side)]


def queues(v: Venue, number: int, side: int) -> dict[int, list[tuple]]:
    """Venue price -> segments (account, order id or None, lots), head first."""
    return {
        price: [
            (s.account, s.order_id, s.lots) if isinstance(s, Order) else (v.world, None, s.lots) for s in queue
        ]
        for price, queue in v.markets[number].sides[side].queues.items()
    }  # fmt: skip
