"""The reader of Bitstamp's orders: what rests, what trades, and what never was in the book."""

from collections import Counter

import pytest
from conftest import DATA
from order_replay import assert_whole_messages, bare_engine, play
from perpsim.core import EventKind, Side
from perpsim.replay.catalogue import instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import Market, sources
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import MORE, SELL, Row

READER = READERS["bitstamp-l3"]
BTCUSD = instrument("bitstamp", "BTCUSD")
FOLDER = DATA / "bitstamp-l3"
T = 1_777_689_380_000
LOT = 100_000_000
ASK = int(SELL)
HEADS = {
    "orders.csv": "id,timestamp,exchange_timestamp,price,volume,action,direction",
    "trades.csv": "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side",
}


def order(number, at, price, volume, action, direction):
    return f"{number},{T + at + 70},{T + at},{price}.0,{volume},{action},{direction}"


def trade(number, at, price, amount, buyer, seller, side):
    return f"{number},{T + at + 80},{T + at},{price}.0,{amount},{buyer},{seller},{side}"


BOOK = [
    order(1, 0, 100, "2.0", "created", "bid"), order(2, 0, 102, "1.0", "created", "ask"),
    order(3, 0, 102, "0.5", "created", "ask"), order(4, 0, 103, "3.0", "created", "ask"),
]  # fmt: skip
BOOK_ROWS = [
    (Row.ORDER_ADD, 100, 2 * LOT, 1), (Row.ORDER_ADD | ASK, 102, LOT, 2), (Row.ORDER_ADD | ASK, 102, LOT // 2, 3),
    (Row.ORDER_ADD | ASK, 103, 3 * LOT, 4),
]  # fmt: skip


def read(folder, orders, trades=(), findings=None):
    for name, rows in (("orders.csv", [*BOOK, *orders]), ("trades.csv", trades)):
        (folder / name).write_text("\n".join([HEADS[name], *rows]) + "\n")
    findings = findings or Findings()
    blocks = list(READER.rows(sources(folder), BTCUSD, findings))
    assert_whole_messages(blocks)
    columns = [(block.code & (0xFF ^ MORE), block.price, block.value, block.id) for block in blocks]
    return [row for block in columns for row in zip(*(column.tolist() for column in block), strict=True)], findings


def test_a_taker_rests_after_its_trades_with_what_is_left(tmp_path):
    """Created at 105, through both asks: it would have met everything up to there."""
    orders = [
        order(9, 5, 105, "2.0", "created", "bid"), order(9, 5, 102, "1.0", "changed", "bid"),
        order(2, 5, 102, "0.0", "deleted", "ask"), order(9, 5, 102, "0.5", "changed", "bid"),
        order(3, 5, 102, "0.0", "deleted", "ask"), order(9, 5, 103, "0.25", "changed", "bid"),
        order(4, 5, 103, "2.75", "changed", "ask"), order(4, 6, 103, "2.75", "deleted", "ask"),
    ]  # fmt: skip
    trades = [
        trade(71, 5, 102, "1.0", 9, 2, "buy"), trade(72, 5, 102, "0.5", 9, 3, "buy"),
        trade(73, 5, 103, "0.25", 9, 4, "buy"),
    ]  # fmt: skip
    rows, findings = read(tmp_path, orders, trades)
    assert rows == [
        *BOOK_ROWS, (Row.ORDER_EXECUTE | ASK, 102, LOT, 2), (Row.ORDER_EXECUTE | ASK, 102, LOT // 2, 3),
        (Row.ORDER_EXECUTE | ASK, 103, LOT // 4, 4), (Row.ORDER_DELETE | ASK, 103, 11 * LOT // 4, 4),
        (Row.ORDER_ADD, 105, LOT // 4, 9),
    ]  # fmt: skip
    assert findings.counts["trades_without_order"] == 0


def test_a_market_order_has_no_price(tmp_path):
    orders = [
        order(9, 5, 0, "1.0", "created", "ask"), order(9, 5, 100, "0.0", "deleted", "ask"),
        order(1, 5, 100, "1.0", "changed", "bid"),
    ]  # fmt: skip
    rows, _ = read(tmp_path, orders, [trade(71, 5, 100, "1.0", 1, 9, "sell")])
    assert rows == [*BOOK_ROWS, (Row.ORDER_EXECUTE, 100, LOT, 1)]


def test_an_order_that_crosses_and_is_gone_at_once_never_rested(tmp_path):
    orders = [order(9, 5, 102, "1.0", "created", "bid"), order(9, 5, 102, "1.0", "deleted", "bid")]
    rows, findings = read(tmp_path, orders)
    assert rows == BOOK_ROWS
    assert findings.counts["orders_never_shown"] == 1


def test_an_order_that_crosses_for_a_second_shows_that_the_other_has_left(tmp_path):
    orders = [
        order(9, 5, 102, "1.0", "created", "bid"), order(8, 600, 99, "1.0", "created", "bid"),
        order(7, 1_200, 98, "1.0", "created", "bid"), order(2, 1_300, 102, "1.0", "deleted", "ask"),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"orders.csv, line 3: order 2 at 102 ticks is still there") as refused:
        read(tmp_path, orders)
    assert "\n" not in str(refused.value)
    rows, findings = read(tmp_path, orders, findings=Findings(repairs=["crossed"]))
    assert findings.dropped == Counter(crossed=2)
    bid = [(Row.ORDER_ADD, 99, LOT, 8), (Row.ORDER_ADD, 98, LOT, 7)]
    gone = [(Row.ORDER_DELETE | ASK, 102, LOT, 2), (Row.ORDER_DELETE | ASK, 102, LOT // 2, 3)]
    assert rows == [*BOOK_ROWS, *bid, *gone, (Row.ORDER_ADD, 102, LOT, 9)]


def test_an_order_that_grows_joins_the_tail_and_one_that_shrinks_stays(tmp_path):
    orders = [order(2, 5, 102, "0.75", "changed", "ask"), order(2, 6, 102, "1.5", "changed", "ask")]
    rows, findings = read(tmp_path, orders)
    assert rows == [
        *BOOK_ROWS, (Row.ORDER_REDUCE | ASK, 102, LOT // 4, 2), (Row.ORDER_DELETE | ASK, 102, 3 * LOT // 4, 2),
        (Row.ORDER_ADD | ASK, 102, 3 * LOT // 2, 2),
    ]  # fmt: skip
    assert findings.counts["orders_shrank_untraded"] == 1


@pytest.mark.parametrize(("line", "rule", "text"), [
    (order(77, 5, 102, "1.0", "deleted", "ask"), "unknown-order", "order 77 does not rest"),
    (order(77, 5, 102, "1.0", "changed", "ask"), "unknown-order", "order 77 does not rest"),
    (order(2, 5, 102, "1.0", "created", "ask"), "duplicate-id", "order 2 is there already"),
    (order(2, 5, 102, "0.5", "deleted", "ask"), "bad-size", "order 2 leaves with 50000000 lots where it had 100000000"),
    (order(9, 5, 102, "1.0", "moved", "ask"), "wrong-layout", "the action is 'moved'"),
    (order(9, 5, 102, "1.0", "created", "sell"), "bad-side", "the side is 'sell'"),
    (order(9, 5, 102, "-1.0", "created", "ask"), "bad-size", "the volume is below zero"),
    (order(9, 5, -102, "1.0", "created", "ask"), "bad-price", "the price is below zero"),
])  # fmt: skip
def test_a_damaged_line_is_named(line, rule, text, tmp_path):
    with pytest.raises(InputError, match=f"orders.csv, line 6: {text}"):
        read(tmp_path, [line])
    for findings in (Findings(repairs=[rule]), Findings(record=True)):
        assert read(tmp_path, [line], findings=findings)[1].dropped == Counter({rule: 1})


def test_both_files_are_needed(tmp_path):
    (tmp_path / "orders.csv").write_text(HEADS["orders.csv"] + "\n")
    with pytest.raises(InputError, match="is without trades file"):
        list(READER.rows(sources(tmp_path), BTCUSD, Findings()))


def test_the_pair_stands_beside_the_files(tmp_path):
    (tmp_path / "orders.csv").write_text(HEADS["orders.csv"] + "\n")
    (found,) = sources(tmp_path)
    assert READER.market(found) == Market("bitstamp", "")
    (tmp_path / "meta.json").write_text('{"pair": "btcusd", "channels": ["live_orders_btcusd"]}')
    assert all(READER.recognises(each) for each in sources(tmp_path))
    assert READER.market(found) == Market("bitstamp", "BTCUSD")


@pytest.mark.skipif(not FOLDER.exists(), reason="the recording is not there")
def test_the_recorded_half_hour():
    """Each of the 284 trades is an execution of its resting order, with its size and price, in its order; the engine
    knows every order that is cancelled; 13 deletions of orders that were never created, and two orders that had left
    unseen, are what is wrong with the recording, and are left out by name."""
    files = sources(FOLDER)
    with pytest.raises(InputError, match=r"line 6518: order 2002347648110592 does not rest"):
        list(READER.rows(files, BTCUSD, Findings()))
    findings = Findings(repairs=["unknown-order", "crossed"])
    blocks = list(READER.rows(files, BTCUSD, findings))
    assert_whole_messages(blocks)
    assert findings.dropped == Counter({"unknown-order": 13, "crossed": 2})
    assert findings.counts["trades_without_order"] == 0
    executed = [
        row
        for block in blocks
        for row in zip(
            (block.code & (0xFF ^ MORE)).tolist(),
            block.id.tolist(),
            block.value.tolist(),
            block.price.tolist(),
            strict=True,
        )
        if row[0] & 15 == Row.ORDER_EXECUTE
    ]
    assert executed == list(recorded_trades())
    engine = bare_engine(800_000, BTCUSD.tick, BTCUSD.lot)
    last = blocks[-1]
    names = ("time_ns", "receive_ns", "code", "price", "value", "id", "line")
    alive = (last.line <= 307_540).sum()  # the recording ends with a deletion of all that is left
    blocks[-1] = last._replace(**{name: getattr(last, name)[:alive] for name in names})
    events = play(engine, blocks)
    assert not (events["kind"] == EventKind.TRADE).any()
    refused = events[events["kind"] == EventKind.REJECTED]
    beyond = set()  # prices that this market does not have, sizes that no order of the engine holds
    for block in blocks:
        beyond.update(block.id[(block.price > 1_600_000) | (block.value >= 1 << 38)].tolist())
    assert set(refused["order_id"].tolist()) == beyond and len(beyond) < 200
    bids, asks = engine.book(0, Side.BUY), engine.book(0, Side.SELL)
    assert len(bids) > 1_000 and bids[0][0] < asks[0][0]


def recorded_trades():
    """(code, resting order, lots, price) of each row of trades.csv."""
    for line in (FOLDER / "trades.csv").read_text().splitlines()[1:]:
        _, _, _, price, amount, buyer, seller, side = line.split(",")
        bought = side == "buy"
        lots = round(float(amount) * LOT)
        yield int(Row.ORDER_EXECUTE) | (ASK if bought else 0), int(seller if bought else buyer), lots, int(float(price))
