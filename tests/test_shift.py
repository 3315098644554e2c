"""Single recorded orders (L3) under a shock and under the impact of simulated flow."""

import numpy as np
from perpsim.core import Engine, EventKind, Kind, Reject, Side, TapeOrder
from stream_settings import MARKET, RATE_ONE, SECOND
from test_regressions import NOW, VENUE, Desk

IMPACT = {"impact_step_ns": SECOND, "impact_factor": 10 * RATE_ONE, "impact_kernel": (RATE_ONE, RATE_ONE // 2)}


def row(desk: Desk, what: TapeOrder, order_id: int, side: Side = Side.BUY, price: int = 0, lots: int = 0) -> Reject:
    return desk.do(Kind.TAPE_ORDER, aux=what, order_id=order_id, side=side, price_ticks=price, size_lots=lots)


def add(desk: Desk, order_id: int, side: Side, price: int, lots: int) -> None:
    assert row(desk, TapeOrder.ADD, order_id, side, price, lots) == Reject.NONE


def desk_of(**market) -> Desk:
    """Two bids of one price, one behind; an ask; a stub quote of each side."""
    desk = Desk(market=market)
    for order_id, side, price, lots in (
        (11, Side.BUY, 990, 30), (12, Side.BUY, 990, 40), (13, Side.BUY, 980, 50), (14, Side.SELL, 1_010, 60),
        (15, Side.BUY, 1, 5), (16, Side.SELL, 1_100, 7),
    ):  # fmt: skip
        add(desk, order_id, side, price, lots)
    return desk


def shock(desk: Desk, factor: float) -> None:
    assert desk.do(Kind.SET_SHOCK, value=round(factor * RATE_ONE)) == Reject.NONE


def queues(desk: Desk) -> dict[int, list]:
    """Price -> (order id or None, lots) from the head."""
    found = {}
    for side in (Side.BUY, Side.SELL):
        for price in desk.engine.book(0, side)[:, 0].tolist():
            found[price] = [(order_id, lots) for _, order_id, lots in desk.engine.queue(0, side, price)]
    return found


def test_orders_move_with_a_shock_in_their_order():
    desk = desk_of()
    shock(desk, 1.05)  # of a mid of 1,000
    assert queues(desk) == {
        1_040: [(11, 30), (12, 40)], 1_030: [(13, 50)], 51: [(15, 5)], 1_060: [(14, 60)], 1_150: [(16, 7)]
    }  # fmt: skip
    add(desk, 17, Side.SELL, 1_010, 8)  # as recorded
    assert queues(desk)[1_060] == [(14, 60), (17, 8)]


def test_a_shock_and_its_end_restore_the_book_even_of_orders_off_the_grid():
    desk = desk_of(price_max=1_120)
    before, state = queues(desk), desk.engine.state_hash()
    for factor in (0.9, 1.2, 0.3, 1.0):
        shock(desk, factor)
    assert queues(desk) == before
    assert desk.engine.state_hash() == state


def test_orders_off_the_grid_trade_with_nobody_and_their_rows_find_them():
    desk = desk_of()
    shock(desk, 0.9)
    assert 1 not in queues(desk) and -99 not in queues(desk)
    assert row(desk, TapeOrder.REDUCE, 15, lots=2) == Reject.NONE
    add(desk, 18, Side.BUY, 3, 9)
    desk.sell(0, 200, 1)
    assert desk.of(EventKind.TRADE)["maker_order_id"].tolist() == [11, 12, 13]
    assert Engine.restore(desk.engine.snapshot()).state_hash() == desk.engine.state_hash()
    assert row(desk, TapeOrder.DELETE, 18) == Reject.NONE
    desk.do(Kind.CANCEL_ALL, account=0, market=0)
    shock(desk, 1)
    assert queues(desk)[1] == [(15, 3)]
    assert row(desk, TapeOrder.EXECUTE, 15, price=1, lots=3) == Reject.NONE
    assert 1 not in queues(desk)


def test_recorded_orders_join_behind_account_orders_at_their_new_price():
    desk = desk_of()
    desk.buy(0, 3, 985)
    desk.sell(1, 4, 1_005)
    desk.sell(1, 2, 1_015)
    shock(desk, 0.995)
    assert queues(desk)[985] == [(1, 3), (11, 30), (12, 40)] and queues(desk)[1_005] == [(2, 4), (14, 60)]


def test_a_moved_order_that_crosses_an_account_order_trades_with_it_at_its_price():
    desk = desk_of()
    desk.sell(0, 50, 1_000)
    shock(desk, 1.02)
    trades = desk.of(EventKind.TRADE)
    assert trades[["price_ticks", "size_lots", "order_id"]].tolist() == [(1_000, 30, 11), (1_000, 20, 12)]
    assert queues(desk)[1_010] == [(12, 20)]


def test_rows_find_their_order_where_it_stands():
    desk = desk_of()
    shock(desk, 1.05)
    assert row(desk, TapeOrder.REDUCE, 12, lots=15) == Reject.NONE
    assert row(desk, TapeOrder.DELETE, 13) == Reject.NONE
    desk.buy(0, 5, 1_040)
    desk.buy(1, 5, 1_045)
    row(desk, TapeOrder.EXECUTE, 11, Side.BUY, 990, 30)  # the account in front at a better price is hit first
    assert desk.of(EventKind.TRADE)[["price_ticks", "size_lots"]].tolist() == [(1_045, 5)]
    assert queues(desk)[1_040] == [(12, 25), (1, 5)]


def test_takers_of_single_orders_move_the_recording_and_rows_without_accounts_do_not():
    desk = desk_of(**IMPACT)
    row(desk, TapeOrder.EXECUTE, 14, Side.SELL, 1_010, 20)
    desk.do(Kind.TICK, time_ns=NOW + SECOND)
    assert desk.engine.market(0)["shift_ticks"] == 0
    desk.sell(0, 25)
    desk.do(Kind.TICK, time_ns=NOW + 2 * SECOND)
    (event,) = desk.of(EventKind.IMPACT)
    assert event["value"] == -RATE_ONE // 20 and event["aux"] == -50  # 10 * sqrt(25 / 1,000,000) of 1,000
    assert queues(desk)[940] == [(11, 5), (12, 40)]
    desk.do(Kind.TICK, time_ns=NOW + 4 * SECOND)
    assert queues(desk)[990] == [(11, 5), (12, 40)]
    desk.buy(0, 10, 990)
    row(desk, TapeOrder.EXECUTE, 12, Side.BUY, 990, 40)  # an account that is hit moves nothing
    desk.do(Kind.TICK, time_ns=NOW + 6 * SECOND)
    assert desk.engine.market(0)["shift_ticks"] == 0


def test_without_accounts_a_random_tape_under_impact_is_the_recorded_book():
    generator = np.random.Generator(np.random.Philox(key=8))
    engine = Engine(VENUE, [MARKET | IMPACT], 1, audit=1)
    known: dict[int, list] = {}
    for step in range(400):
        side = int(generator.integers(2))
        if known and generator.random() < 0.5:
            order_id = int(generator.choice(list(known)))
            what = TapeOrder(int(generator.integers(1, 4)))
            lots = known[order_id][2]
            lots = lots if what == TapeOrder.DELETE else int(generator.integers(1, lots + 1))
            known[order_id][2] -= lots
            fields = {"side": known[order_id][0], "price_ticks": 0}
            known = {number: order for number, order in known.items() if order[2]}
        else:
            order_id, what, lots = step + 1, TapeOrder.ADD, int(generator.integers(1, 90))
            price = 1_000 + int(generator.integers(1, 9)) * (1 if side else -1)
            known[order_id] = [side, price, lots]
            fields = {"side": side, "price_ticks": price}
        row = {"aux": what, "order_id": order_id, "size_lots": lots, "time_ns": NOW + step * SECOND // 3}
        assert engine.submit(kind=Kind.TAPE_ORDER, **row, **fields) == Reject.NONE
        for each in (Side.BUY, Side.SELL):
            wanted: dict[int, int] = {}
            for of, price, left in known.values():
                if of == each:
                    wanted[price] = wanted.get(price, 0) + left
            assert dict(engine.book(0, each).tolist()) == wanted
    assert engine.market(0)["shift_ticks"] == 0
