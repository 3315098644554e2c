"""Bitstamp's order-level channels as CSV: orders.csv (live_orders) and trades.csv (live_trades) of one market.

The first orders come from a snapshot, later rows say what is left of an order: `changed` after a trade, `deleted` with
0 after the last one, `deleted` with a rest when it was cancelled. Trades name both orders, so an execution is known by
the resting order, its size and its price. Sides and prices need care:

- A taker is shown as `created` with all its lots before it trades, at its limit, far through the book (0 of a market
  order). It comes to rest
  on the tape only when its trades are done and something is left; its own rows in between have the prices of trades.
- Other orders that cross the book when they are created are kept back until they cross it no more; most of them are
  deleted within a millisecond, and never rested. One that is still there after a second shows that it is the order
  across that has long gone: that one is a finding `crossed`, and leaves the book if the rule is repaired.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import TEXT, WHOLE, Table, decimal, layout, tables, whole
from perpsim.replay.readers.order_rows import ADD, DELETE, EXECUTE, REDUCE, SELL_OF, OrderRows, Resting
from perpsim.replay.readers.sheet import Sheet

ORDERS = ("id", "timestamp", "exchange_timestamp", "price", "volume", "action", "direction")
TRADES = (
    "trade_id", "timestamp", "exchange_timestamp", "price", "amount", "buy_order_id", "sell_order_id", "side",
)  # fmt: skip
MS_NS, SECOND_NS = 1_000_000, 1_000_000_000
META = "meta.json"
DAMAGED = "the line is damaged, or one before it is missing; take it out or record again"


class BitstampL3:
    name = "bitstamp-l3"
    title = "Bitstamp orders.csv and trades.csv: every order by its id"
    joined = True

    def recognises(self, file: SourceFile) -> bool:
        return kind_of(file) is not None

    def market(self, file: SourceFile) -> Market:
        """The pair stands in a meta.json beside the files, if anywhere."""
        meta = SourceFile(file.path, str(Path(file.member).with_name(META))) if file.member else None
        meta = meta or SourceFile(file.path.with_name(META))
        try:
            pair = json.loads(meta.head())["pair"]
        except (InputError, ValueError, KeyError, TypeError):
            pair = ""
        return Market("bitstamp", str(pair).upper())

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        by_kind: dict[str, list[SourceFile]] = defaultdict(list)
        for file in files:
            by_kind[kind_of(file)].append(file)
        for kind in ("orders", "trades"):
            if len(by_kind[kind]) != 1:
                what = "is without" if not by_kind[kind] else "has more than one"
                raise InputError(f"{what} {kind} file of the recording; give one of each kind", files[0].place)
        yield from _Recording(by_kind["orders"][0], by_kind["trades"][0], instrument, findings).rows()


def kind_of(file: SourceFile) -> str | None:
    """orders, trades or meta."""
    head = file.head()
    line = tuple(head.partition(b"\n")[0].decode("utf-8", "replace").strip().split(","))
    if line in (ORDERS, TRADES):
        return "orders" if line == ORDERS else "trades"
    return "meta" if file.name == META and b'"live_orders_' in head else None


class _Trades:
    """What each order is known to have traded: as a resting one in order, as a taker in sum."""

    def __init__(self, file: SourceFile, instrument: Instrument, findings: Findings):
        self.fills: dict[int, deque[tuple[int, int]]] = defaultdict(deque)  # resting id: (lots, price)
        self.taking: dict[int, int] = defaultdict(int)  # taker's id: lots
        names = {name: WHOLE for name in ("trade_id", "buy_order_id", "sell_order_id", "exchange_timestamp")}
        types = names | {"price": decimal(), "amount": decimal(), "side": TEXT}
        for table in tables(file, layout(file, TRADES), types, findings):
            sheet = Sheet(file, table.line, instrument, findings)
            sold = sheet.side(table.columns["side"], ("buy",), ("sell",)) != 0
            price, lots = sheet.price(table.columns["price"]), sheet.size(table.columns["amount"], "amount")
            buyer, seller = whole(table.columns["buy_order_id"]), whole(table.columns["sell_order_id"])
            makers, takers = np.where(sold, buyer, seller), np.where(sold, seller, buyer)
            columns = (makers, takers, lots, price)
            for maker, taker, size, at in zip(*(each[sheet.keep].tolist() for each in columns), strict=True):
                self.fills[maker].append((size, at))
                self.taking[taker] += size

    def next(self, order_id: int, lots: int) -> int | None:
        """The price at which a resting order has traded so many lots; None if no such trade is next."""
        fills = self.fills.get(order_id)
        if not fills or fills[0][0] != lots:
            return None
        return fills.popleft()[1]


class _Recording:
    def __init__(self, file: SourceFile, trades: SourceFile, instrument: Instrument, findings: Findings):
        self._file, self._instrument, self._findings = file, instrument, findings
        self._trades = _Trades(trades, instrument, findings)
        self._book, self._out = Resting(), OrderRows()
        self._kept_back: dict[int, list[int]] = {}  # id: [side, price, lots, ns of creation]
        self._lines: dict[int, int] = {}  # of the creation of orders that rest
        self._nowhere: set[int] = set()  # orders below the lowest price, and those that had left unseen

    def rows(self) -> Iterator[Rows]:
        types = dict.fromkeys(("id", "timestamp", "exchange_timestamp"), WHOLE)
        types |= {"price": decimal(), "volume": decimal(), "action": TEXT, "direction": TEXT}
        for table in tables(self._file, layout(self._file, ORDERS), types, self._findings):
            for row in self._events(table):
                self._event(*row)
                if self._out.full:
                    yield self._out.take(self._file)
        if len(self._out):
            yield self._out.take(self._file)
        left = sum(len(fills) for fills in self._trades.fills.values())
        self._findings.count("trades_without_order", left)

    def _events(self, table: Table) -> Iterator[tuple]:
        c = table.columns
        sheet = Sheet(self._file, table.line, self._instrument, self._findings)
        side = sheet.side(c["direction"], ("bid",), ("ask",)) != 0
        price, lots = sheet.price(c["price"]), sheet.size(c["volume"], "volume")
        sheet.refuse("bad-price", price < 0, lambda i: f"the price is below zero: {DAMAGED}")
        sheet.refuse("bad-size", lots < 0, lambda i: f"the volume is below zero: {DAMAGED}")
        action = c["action"].to_pylist()
        sheet.refuse(
            "wrong-layout", ~np.isin(np.array(action, object), ("created", "changed", "deleted")),
            lambda i: f"the action is {action[i]!r}, none of created, changed, deleted: {DAMAGED}",
        )  # fmt: skip
        names = ("id", "timestamp", "exchange_timestamp")
        columns = [*(whole(c[name]) for name in names), price, lots, side, table.line]
        kept = np.flatnonzero(sheet.keep)
        listed = [column[kept].tolist() for column in columns]
        yield from zip(*listed, [action[index] for index in kept.tolist()], strict=True)

    def _event(
        self, order_id: int, receive_ms: int, ms: int, price: int, lots: int, ask: bool, line: int, action: str
    ) -> None:
        time_ns = ms * MS_NS
        if action == "created":
            self._created(order_id, int(ask), price, lots, time_ns, line)
        elif order_id in self._book:
            self._resting(order_id, lots, action, line)
        elif order_id in self._kept_back:
            self._taker(order_id, lots, action)
        elif order_id in self._nowhere:
            if action == "deleted":
                self._nowhere.remove(order_id)
        else:
            self._refuse("unknown-order", line, f"order {order_id} does not rest: it was never created, or is gone")
        if self._kept_back:
            self._show(time_ns, line)
        self._out.end(time_ns, receive_ms * MS_NS)

    def _created(self, order_id: int, side: int, price: int, lots: int, time_ns: int, line: int) -> None:
        if order_id in self._book or order_id in self._kept_back:
            self._refuse("duplicate-id", line, f"order {order_id} is there already")
        elif self._trades.taking.get(order_id, 0) > 0 or self._book.crosses(side, price):
            self._kept_back[order_id] = [side, price, lots, time_ns]
        elif price == 0:
            self._nowhere.add(order_id)
            self._findings.count("orders_below_grid")
        else:
            self._add(order_id, side, price, lots, line)

    def _add(self, order_id: int, side: int, price: int, lots: int, line: int) -> None:
        self._book.add(order_id, side, price, lots)
        self._lines[order_id] = line
        self._out.add(ADD | SELL_OF[side], price, lots, order_id, line)

    def _remove(self, order_id: int, code: int, price: int, lots: int, line: int) -> None:
        side = self._book.orders[order_id][0]
        self._book.remove(order_id)
        del self._lines[order_id]
        self._out.add(code | SELL_OF[side], price, lots, order_id, line)

    def _resting(self, order_id: int, lots: int, action: str, line: int) -> None:
        side, price, had = order = self._book.orders[order_id]
        if action == "deleted" and lots:
            if lots != had:
                self._refuse("bad-size", line, f"order {order_id} leaves with {lots} lots where it had {had}")
            self._remove(order_id, DELETE, price, had, line)
            return
        if lots > had:  # it grew: it has lost its place
            self._remove(order_id, DELETE, price, had, line)
            self._add(order_id, side, price, lots, line)
            return
        if lots == had:
            return
        traded = self._trades.next(order_id, had - lots)
        if traded is None:
            self._findings.count("orders_shrank_untraded")
        if lots == 0:
            code = DELETE if traded is None else EXECUTE
            self._remove(order_id, code, price if traded is None else traded, had, line)
            return
        order[2] = lots
        code, at = (REDUCE, price) if traded is None else (EXECUTE, traded)
        self._out.add(code | SELL_OF[side], at, had - lots, order_id, line)

    def _taker(self, order_id: int, lots: int, action: str) -> None:
        """A row of an order that does not rest yet."""
        order = self._kept_back[order_id]
        self._trades.taking[order_id] -= max(0, order[2] - lots)
        order[2] = lots
        if action == "deleted":
            del self._kept_back[order_id]
            self._findings.count("orders_never_shown" if lots else "takers")

    def _show(self, time_ns: int, line: int) -> None:
        """Orders that were kept back come to rest when they have traded and cross nothing any more."""
        for order_id, (side, price, lots, since_ns) in list(self._kept_back.items()):
            if self._trades.taking[order_id] > 0 or not lots or not price:  # a market order has no price to rest at
                continue
            if self._book.crosses(side, price) and time_ns - since_ns > SECOND_NS:
                self._gone(order_id, side, price, line)
            if not self._book.crosses(side, price):
                del self._kept_back[order_id]
                self._add(order_id, side, price, lots, line)

    def _gone(self, order_id: int, side: int, price: int, line: int) -> None:
        """What stands across an order that has rested for a second must have left unseen."""
        for other, (at_side, at, lots) in list(self._book.orders.items()):
            if at_side != side and (at <= price if side == 0 else at >= price):
                what = f"order {other} at {at} ticks is still there when order {order_id}, at {price}, has rested"
                self._refuse("crossed", self._lines[other], f"{what} across it for a second: it must have left unseen")
                self._remove(other, DELETE, at, lots, line)
                self._nowhere.add(other)

    def _refuse(self, rule: str, line: int, what: str) -> None:
        """Raises InputError, unless the rule is repaired or findings are recorded."""
        said = f"{what}; {DAMAGED}"
        self._findings.refuse(rule, np.ones(1, bool), self._file, np.array([line]), lambda i: said)


BITSTAMP = (BitstampL3(),)
