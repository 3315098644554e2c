"""Rows of single recorded orders and of market states in the kernel's feed."""

import numpy as np
import pytest
from perpsim.core import EventKind, Flag, Kernel, Kind, MarketState, Reject, Side, TapeOrder, TapeRow, TriggerSource
from perpsim.core.kernel import Watch
from test_regressions import Desk

ASK = TapeRow.SIDE_BIT
ADD, REDUCE, DELETE, EXECUTE = (
    TapeRow.ORDER_ADD, TapeRow.ORDER_REDUCE, TapeRow.ORDER_DELETE, TapeRow.ORDER_EXECUTE,
)  # fmt: skip
START = 1_700_000_000_000_000_000


def columns(rows) -> dict[str, np.ndarray]:
    """(code, price, value, id) a row; messages are a microsecond apart."""
    table = np.array(rows, np.int64).reshape(-1, 4)
    times = START + 1_000 * np.cumsum(np.append(0, table[:-1, 0] & TapeRow.MORE_BIT == 0))
    return {"time_ns": times, "code": table[:, 0].astype("u1")} | {
        name: np.ascontiguousarray(table[:, i]) for i, name in enumerate(("price", "value", "id"), 1)
    }


def feed(desk: Desk, rows) -> Kernel:
    kernel = Kernel([desk.engine])
    stream = kernel.add_stream(0, 0)
    kernel.feed(stream, columns(rows))
    kernel.finish(stream)
    kernel.run()
    return kernel


def test_rows_mean_what_the_commands_mean():
    rows = [
        (ADD, 999, 10, 1), (ADD | ASK, 1_001, 10, 2), (ADD | ASK, 1_001, 7, 3), (REDUCE | ASK, 1_001, 4, 2),
        (EXECUTE | ASK, 1_001, 6, 2), (EXECUTE | ASK, 1_001, 2, 3), (DELETE, 999, 10, 1), (DELETE, 999, 10, 1),
    ]  # fmt: skip
    one, other = Desk(), Desk()
    feed(one, rows)
    for index, (code, price, lots, order_id) in enumerate(rows):
        other.do(
            Kind.TAPE_ORDER, time_ns=START + 1_000 * index, aux=TapeOrder((code & 15) - ADD), order_id=order_id,
            side=Side.SELL if code & ASK else Side.BUY, price_ticks=price, size_lots=lots, account=-1,
        )  # fmt: skip
    assert one.engine.book(0, Side.SELL).tolist() == other.engine.book(0, Side.SELL).tolist() == [[1_001, 5]]
    assert one.engine.book(0, Side.BUY).tolist() == []
    assert one.engine.digest() == other.engine.digest()
    assert other.of(EventKind.REJECTED)["reason"].tolist() == [Reject.UNKNOWN_ORDER]


@pytest.mark.parametrize("changed", [(ADD, 999, 10, 2), (ADD, 999, 11, 1), (ADD, 998, 10, 1), (ADD | ASK, 999, 10, 1)])
def test_each_field_of_a_row_is_digested(changed):
    one, other = Desk(), Desk()
    feed(one, [(ADD, 999, 10, 1)])
    feed(other, [changed])
    assert one.engine.digest() != other.engine.digest()


def test_an_order_that_shrinks_keeps_its_place_and_one_that_grows_has_lost_it():
    desk = Desk()
    feed(desk, [(ADD, 999, 10, 1), (ADD, 999, 10, 2), (REDUCE, 999, 3, 1)])
    assert [row[1:] for row in desk.engine.queue(0, Side.BUY, 999)] == [(1, 7), (2, 10)]
    desk = Desk()
    feed(desk, [(ADD, 999, 10, 1), (ADD, 999, 10, 2), (DELETE | TapeRow.MORE_BIT, 999, 10, 1), (ADD, 999, 12, 1)])
    assert [row[1:] for row in desk.engine.queue(0, Side.BUY, 999)] == [(2, 10), (1, 12)]


def test_crossed_recorded_orders_rest_until_history_uncrosses_them():
    """Before an opening a recorded book may be crossed: nothing of it trades but what the tape says has traded."""
    desk = Desk()
    state = (TapeRow.STATE, 0, MarketState.PRE_OPEN, 0)
    feed(desk, [state, (ADD, 1_003, 10, 1), (ADD | ASK, 1_000, 4, 2), (ADD | ASK, 1_004, 5, 3)])
    assert desk.engine.market(0)["best_bid_ticks"] == 1_003
    assert desk.engine.market(0)["best_ask_ticks"] == 1_000
    desk.buy(0, 2, 1_003)
    kernel = Kernel([desk.engine])
    stream = kernel.add_stream(0, 0)
    later = columns([
        (EXECUTE, 1_001, 4, 1), (EXECUTE | ASK, 1_001, 4, 2), (TapeRow.STATE, 0, MarketState.OPEN, 0),
    ])  # fmt: skip
    later["time_ns"] = later["time_ns"] + 1_000_000
    kernel.feed(stream, later)
    kernel.finish(stream)
    kernel.run()
    assert desk.engine.market(0)["state"] == MarketState.OPEN
    assert desk.engine.market(0)["last_ticks"] == 1_001
    assert desk.lots(0) == 0
    assert desk.engine.book(0, Side.BUY).tolist() == [[1_003, 8]]
    assert desk.engine.book(0, Side.SELL).tolist() == [[1_004, 5]]


@pytest.mark.parametrize("state", [MarketState.SETTLING, MarketState.CLOSED, -1])
def test_a_tape_ends_no_market(state):
    desk = Desk()
    feed(desk, [(TapeRow.STATE, 0, MarketState.HALTED, 0), (TapeRow.STATE, 0, state, 0)])
    assert desk.engine.market(0)["state"] == MarketState.HALTED


def test_rows_for_bots_and_results_pass_the_engine_by():
    desk = Desk()
    before = desk.engine.digest()
    kinds = (TapeRow.OFF_BOOK, TapeRow.LIQUIDATION, TapeRow.OPEN_INTEREST, TapeRow.QUOTE)
    feed(desk, [(kind, 1_000, 5, 0) for kind in kinds])
    assert desk.engine.digest() == before


def test_an_execution_wakes_those_who_watch_trades():
    desk = Desk()
    kernel = Kernel([desk.engine])
    stream = kernel.add_stream(0, 0)
    kernel.watch_market(0, 0, Watch.TRADE)
    kernel.feed(stream, columns([(ADD | ASK, 1_001, 10, 2), (EXECUTE | ASK, 1_001, 6, 2)]))
    kernel.finish(stream)
    kernel.run()
    (woken,) = kernel.woken
    assert woken[:6] == (Watch.TRADE, 0, 0, Side.BUY, 1_001, 6)


def test_an_execution_fires_stops_before_the_next_row():
    """Of 10 lots history takes 6 at the trigger; the stop has the 4 that are left, then history deletes them."""
    desk = Desk(mark=1_001)
    stop = {"flags": Flag.STOP, "trigger_ticks": 1_001, "trigger_source": TriggerSource.LAST, "time_ns": START}
    assert desk.buy(0, 5, 1_001, **stop) == Reject.NONE
    feed(desk, [(ADD | ASK, 1_001, 10, 2), (EXECUTE | ASK, 1_001, 6, 2), (DELETE | ASK, 1_001, 4, 2)])
    assert desk.lots(0) == 4
    assert desk.engine.book(0, Side.BUY).tolist() == [[1_001, 1]]


def test_ids_are_as_many_as_rows():
    kernel = Kernel([Desk().engine])
    stream = kernel.add_stream(0, 0)
    short = columns([(ADD, 999, 10, 1)]) | {"id": np.zeros(2, np.int64)}
    with pytest.raises(ValueError, match="differ in length"):
        kernel.feed(stream, short)
