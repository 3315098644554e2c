"""Databento's DBN: orders, fills and market states from mbo; trades and levels from the other schemas."""

from collections import Counter, defaultdict
from datetime import date
from functools import cache
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from conftest import DATA
from order_replay import assert_whole_messages, bare_engine, play
from perpsim.core import EventKind, MarketState, Side
from perpsim.replay.catalogue import Instrument, instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import Market, sources
from perpsim.replay.readers.databento import LAYOUTS, MBO, RTYPES, UNDEFINED
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import MORE, SELL, SNAPSHOT, Row

dbn = pytest.importorskip("databento_dbn")
FOLDER = DATA / "databento-mbo"
T = 1_703_545_200_000_000_000
NANO = 10**9
ASK = int(SELL)
TICK = Instrument("glbx-mdp3", "MADE", "linear", "0.25", "1")
READER = READERS["databento-mbo"]


def head(schema, symbols=("MADE",)) -> bytes:
    days = {"start_date": date(2023, 12, 25), "end_date": date(2023, 12, 26)}
    mappings = [
        SimpleNamespace(raw_symbol=symbol, intervals=[SimpleNamespace(**days, symbol=str(number))])
        for number, symbol in enumerate(symbols, 1)
    ]
    schemas = {"mbo": dbn.Schema.MBO, "mbp-10": dbn.Schema.MBP_10}
    made = dbn.Metadata(
        dataset="GLBX.MDP3", start=T, stype_in=dbn.SType.RAW_SYMBOL, stype_out=dbn.SType.INSTRUMENT_ID,
        schema=schemas[schema], symbols=list(symbols), partial=[], not_found=[], mappings=mappings,
    )  # fmt: skip
    return made.encode()


def record(at, action, side, number, price, size, last=True, flags=0, market=1):
    """A record of mbo; price in ticks of 0.25."""
    nanos = UNDEFINED if price is None else price * NANO // 4
    return (
        14, 160, 1, market, T + at, number, nanos, size, (128 if last else 0) | flags, 0, ord(action), ord(side),
        T + at + 90_000, 15_000, 0,
    )  # fmt: skip


def stored(folder, records, symbols=("MADE",), name="made.mbo.dbn"):
    path = folder / name
    path.write_bytes(head("mbo", symbols) + np.array(records, MBO).tobytes())
    return path


def read(path, findings=None, facts=TICK):
    (file,) = sources(path)
    findings = findings or Findings()
    blocks = list(READER.rows([file], facts, findings))
    assert_whole_messages(blocks)
    rows = []
    for block in blocks:
        columns = (block.code & (0xFF ^ MORE), block.price, block.value, block.id)
        rows += zip(*(column.tolist() for column in columns), strict=True)
    return rows, findings


BOOK = [
    record(0, "A", "B", 1, 400, 5), record(1, "A", "B", 2, 400, 6), record(2, "A", "A", 3, 402, 7),
    record(3, "A", "A", 4, 403, 8),
]  # fmt: skip
BOOK_ROWS = [
    (Row.ORDER_ADD, 400, 5, 1), (Row.ORDER_ADD, 400, 6, 2), (Row.ORDER_ADD | ASK, 402, 7, 3),
    (Row.ORDER_ADD | ASK, 403, 8, 4),
]  # fmt: skip
CASES = {
    "cancelled in part and whole": (
        [record(9, "C", "B", 2, 400, 4), record(10, "C", "B", 2, 400, 2)],
        [(Row.ORDER_REDUCE, 400, 4, 2), (Row.ORDER_DELETE, 400, 2, 2)],
    ),
    "smaller keeps its place": ([record(9, "M", "B", 1, 400, 2)], [(Row.ORDER_REDUCE, 400, 3, 1)]),
    "the same changes nothing": ([record(9, "M", "B", 1, 400, 5)], []),
    "larger has lost its place": (
        [record(9, "M", "B", 1, 400, 6)], [(Row.ORDER_DELETE, 400, 5, 1), (Row.ORDER_ADD, 400, 6, 1)],
    ),
    "elsewhere has lost its place": (
        [record(9, "M", "B", 1, 399, 5)], [(Row.ORDER_DELETE, 400, 5, 1), (Row.ORDER_ADD, 399, 5, 1)],
    ),
    "cleared": (
        [record(9, "R", "N", 0, None, 0)],
        [(Row.ORDER_DELETE, 400, 5, 1), (Row.ORDER_DELETE, 400, 6, 2), (Row.ORDER_DELETE | ASK, 402, 7, 3),
         (Row.ORDER_DELETE | ASK, 403, 8, 4)],
    ),
    "filled whole and in part": (
        [record(9, "T", "A", 50, 400, 7, False), record(9, "F", "B", 1, 400, 5, False),
         record(9, "F", "B", 2, 400, 2, False), record(9, "C", "B", 1, 400, 5, False), record(9, "M", "B", 2, 400, 4)],
        [(Row.ORDER_EXECUTE, 400, 5, 1), (Row.ORDER_EXECUTE, 400, 2, 2)],
    ),
    "an iceberg shows more and joins the tail": (
        [record(9, "T", "A", 50, 400, 5, False), record(9, "F", "B", 1, 400, 5, False), record(9, "M", "B", 1, 400, 3)],
        [(Row.ORDER_EXECUTE, 400, 5, 1), (Row.ORDER_ADD, 400, 3, 1)],
    ),
    "an iceberg trades more than it shows": (
        [record(9, "T", "A", 50, 400, 13, False), record(9, "F", "B", 1, 400, 13, False),
         record(9, "C", "B", 1, 400, 5)],
        [(Row.ORDER_EXECUTE, 400, 5, 1), (Row.TRADE | ASK, 400, 8, 1)],
    ),
    "the aggressor had rested": (
        [record(9, "T", "B", 1, 402, 5, False), record(9, "F", "B", 1, 402, 5, False),
         record(9, "F", "A", 3, 402, 5, False), record(9, "C", "B", 1, 400, 5, False), record(9, "C", "A", 3, 402, 5)],
        [(Row.ORDER_DELETE, 400, 5, 1), (Row.ORDER_EXECUTE | ASK, 402, 5, 3)],
    ),
    "implied liquidity": ([record(9, "T", "B", 50, 401, 2)], [(Row.TRADE, 401, 2, 0)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_rows_are_what_the_records_say(case, tmp_path):
    records, expected = CASES[case]
    rows, findings = read(stored(tmp_path, BOOK + records))
    if case == "an iceberg trades more than it shows":
        assert findings.counts["iceberg_lots_unshown"] == 8
    assert rows == BOOK_ROWS + expected


def test_a_partly_filled_order_that_is_cancelled_with_the_rest(tmp_path):
    """C of an execution has the lots that traded; what is left stays."""
    records = [
        record(9, "T", "A", 50, 400, 3, False), record(9, "F", "B", 1, 400, 3, False), record(9, "C", "B", 1, 400, 3),
        record(10, "C", "B", 1, 400, 2),
    ]  # fmt: skip
    rows, _ = read(stored(tmp_path, BOOK + records))
    assert rows == [*BOOK_ROWS, (Row.ORDER_EXECUTE, 400, 3, 1), (Row.ORDER_DELETE, 400, 2, 1)]


AUCTION = [
    record(0, "A", "B", 1, 404, 5, False, 32), record(0, "A", "A", 2, 400, 3, True, 32),
    record(5, "A", "A", 3, 404, 2), record(6, "A", "A", 4, 406, 9),
    record(9, "T", "N", 0, 402, 5, False), record(9, "F", "N", 1, 402, 5, False), record(9, "F", "N", 2, 402, 3, False),
    record(9, "F", "N", 99, 402, 2, False), record(9, "C", "B", 1, 404, 5, False), record(9, "C", "A", 2, 400, 3),
    record(11, "A", "B", 5, 403, 1),
]  # fmt: skip


def test_a_book_that_opens_with_an_auction(tmp_path):
    rows, findings = read(stored(tmp_path, AUCTION))
    assert rows == [
        (Row.STATE, 0, MarketState.PRE_OPEN, 0), (Row.ORDER_ADD, 404, 5, 1), (Row.ORDER_ADD | ASK, 400, 3, 2),
        (Row.ORDER_ADD | ASK, 404, 2, 3), (Row.ORDER_ADD | ASK, 406, 9, 4), (Row.ORDER_EXECUTE, 402, 5, 1),
        (Row.ORDER_EXECUTE | ASK, 402, 3, 2), (Row.STATE, 0, MarketState.OPEN, 0), (Row.ORDER_ADD, 403, 1, 5),
    ]  # fmt: skip
    assert findings.counts["fills_of_unshown_orders"] == 1


def test_a_snapshot_of_the_next_day_keeps_what_rests_in_its_place(tmp_path):
    """Order 1 is as before, 2 has shrunk unseen, 3 and 4 are gone, 5 is new."""
    stored(tmp_path, BOOK, name="day1.mbo.dbn")
    told = [
        record(50, "R", "N", 0, None, 0, False, 32), record(50, "A", "B", 1, 400, 5, False, 32),
        record(50, "A", "B", 2, 400, 1, False, 32), record(50, "A", "A", 5, 404, 2, True, 32),
        record(60, "C", "B", 1, 400, 5),
    ]  # fmt: skip
    stored(tmp_path, told, name="day2.mbo.dbn")
    blocks = list(READER.rows(sources(tmp_path), TICK, Findings()))
    assert_whole_messages(blocks)
    second = blocks[-1]
    rows = zip((second.code & (0xFF ^ MORE)).tolist(), second.value.tolist(), second.id.tolist(), strict=True)
    assert list(rows) == [
        (Row.ORDER_DELETE, 6, 2), (Row.ORDER_ADD, 1, 2), (Row.ORDER_ADD | ASK, 2, 5), (Row.ORDER_DELETE | ASK, 7, 3),
        (Row.ORDER_DELETE | ASK, 8, 4), (Row.ORDER_DELETE, 5, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("flags", [0, 32])
def test_a_file_that_ends_within_an_event(flags, tmp_path):
    rows, _ = read(stored(tmp_path, [record(0, "A", "B", 1, 400, 5, False, flags)]))
    assert rows == BOOK_ROWS[:1]


def test_an_auction_amid_the_day(tmp_path):
    trade = [
        record(4, "T", "A", 50, 400, 1, False), record(4, "F", "B", 1, 400, 1, False), record(4, "M", "B", 1, 400, 4),
    ]  # fmt: skip
    crossed = [record(5, "A", "B", 7, 402, 1), record(6, "A", "B", 8, 402, 1)]
    gone = [record(7, "C", "B", 7, 402, 1), record(8, "C", "B", 8, 402, 1)]
    rows, _ = read(stored(tmp_path, BOOK + trade + crossed + gone))
    states = [(index, row[2]) for index, row in enumerate(rows) if row[0] == Row.STATE]
    assert states == [(6, MarketState.AUCTION), (10, MarketState.OPEN)]


@pytest.mark.parametrize(("bad", "rule", "text"), [
    (record(9, "C", "B", 77, 400, 1), "unknown-order", "order 77 is cancelled or changed, but does not rest"),
    (record(9, "M", "B", 77, 400, 1), "unknown-order", "order 77 is cancelled or changed, but does not rest"),
    (record(9, "A", "B", 1, 400, 1), "duplicate-id", "order 1 rests already"),
    (record(9, "A", "N", 9, 400, 1), "bad-side", "order 9 has no side"),
    (record(9, "A", "B", 9, 400, 0), "bad-size", "order 9 is added with 0 lots"),
    (record(9, "C", "B", 1, 400, 6), "bad-size", "6 lots of order 1 are cancelled; it has 5"),
    (record(9, "A", "B", 9, None, 1), "bad-price", "the price is missing"),
])  # fmt: skip
def test_a_damaged_record_is_named(bad, rule, text, tmp_path):
    path = stored(tmp_path, [*BOOK, bad, record(20, "A", "B", 10, 399, 1)])
    with pytest.raises(InputError, match=rf"made.mbo.dbn, line 5: {text}"):
        read(path)
    for findings in (Findings(repairs=[rule]), Findings(record=True)):
        rows, _ = read(path, findings)
        assert findings.dropped == Counter({rule: 1})
        assert rows == [*BOOK_ROWS, (Row.ORDER_ADD, 399, 1, 10)]


def test_a_price_between_ticks_is_named(tmp_path):
    with pytest.raises(InputError, match=r"line 3: the price is 100\.5"):
        read(stored(tmp_path, BOOK), facts=Instrument("glbx-mdp3", "MADE", "linear", "1", "1"))


def test_files_of_several_markets(tmp_path):
    path = stored(tmp_path, [*BOOK, record(4, "A", "B", 5, 401, 1, market=2)], symbols=("MADE", "OTHER"))
    (file,) = sources(path)
    assert READER.recognises(file)
    assert READER.market(file) == Market("glbx-mdp3", "")
    assert read(path)[0] == BOOK_ROWS
    assert read(path, facts=Instrument("glbx-mdp3", "OTHER", "linear", "0.25", "1"))[0] == [(Row.ORDER_ADD, 401, 1, 5)]
    with pytest.raises(InputError, match="has no THIRD; name one of its markets"):
        read(path, facts=Instrument("glbx-mdp3", "THIRD", "linear", "0.25", "1"))


def test_packed_and_cut_files(tmp_path):
    path = stored(tmp_path, BOOK)
    data = path.read_bytes()
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    path.write_bytes(sink.getvalue().to_pybytes())
    assert read(path)[0] == BOOK_ROWS
    path.write_bytes(data[:-7])
    with pytest.raises(InputError, match="ends within a record"):
        read(path)
    path.write_bytes(data[:40])
    with pytest.raises(InputError, match="header"):
        READER.recognises(*sources(path))


def levels(at, action, size, asks, bids, flags=128):
    pairs = [(bid * NANO // 4, ask * NANO // 4, 3, 4, 1, 1) for bid, ask in zip(bids, asks, strict=True)]
    pairs += [(UNDEFINED, UNDEFINED, 0, 0, 0, 0)] * (10 - len(pairs))
    return (
        92, 10, 1, 1, T + at, 401 * NANO // 4, size, ord(action), ord("A"), flags, 0, T + at + 1, 0, 55, pairs,
    )  # fmt: skip


def test_ten_levels(tmp_path):
    layout = LAYOUTS["mbp-10"]
    records = [
        levels(0, "A", 1, [402, 403], [400, 399]), levels(1, "T", 6, [402], [400], 0), levels(1, "C", 6, [403], [400]),
    ]  # fmt: skip
    path = tmp_path / "made.mbp-10.dbn"
    path.write_bytes(head("mbp-10") + np.array(records, layout).tobytes())
    reader = READERS["databento-mbp-10"]
    (file,) = sources(path)
    assert [name for name, each in READERS.items() if each.recognises(file)] == ["databento-mbp-10"]
    blocks = list(reader.rows([file], TICK, Findings()))
    assert_whole_messages(blocks)
    rows = [row for b in blocks for row in zip(b.code.tolist(), b.price.tolist(), b.value.tolist(), strict=True)]
    bid, ask = Row.LEVEL | SNAPSHOT, Row.LEVEL | SNAPSHOT | SELL
    assert [(code & (0xFF ^ MORE), *rest) for code, *rest in rows] == [
        (bid, 400, 3), (ask, 402, 4), (bid, 399, 3), (ask, 403, 4), (Row.TRADE | SELL, 401, 6), (bid, 400, 3),
        (ask, 403, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("schema", ["mbo", "trades", "mbp-1", "mbp-10"])
def test_layouts_are_those_of_the_library(schema):
    kinds = {"mbo": dbn.MBOMsg, "trades": dbn.TradeMsg, "mbp-1": dbn.MBP1Msg, "mbp-10": dbn.MBP10Msg}
    assert LAYOUTS[schema].itemsize == kinds[schema].size_hint
    assert RTYPES[schema] == {"mbo": 160, "trades": 0, "mbp-1": 1, "mbp-10": 10}[schema]


@pytest.mark.skipif(not FOLDER.exists(), reason="the samples are not there")
@pytest.mark.parametrize("schema", ["trades", "tbbo", "mbp-1", "mbp-10"])
@pytest.mark.parametrize("version", ["", ".v1", ".v2", ".v3"])
def test_samples_of_all_versions(schema, version):
    path = FOLDER / "dbn-schema-samples" / f"test_data.{schema}{version}.dbn{'.zst' if version else ''}"
    (file,) = sources(path)
    reader = READERS[f"databento-{schema}"]
    assert reader.recognises(file)
    blocks = list(reader.rows([file], Instrument("x", reader.market(file).symbol, "linear", "0.01", "1"), Findings()))
    kinds = {int(code) & 15 for block in blocks for code in block.code}
    assert kinds == ({Row.LEVEL} if schema.startswith("mbp") else {Row.TRADE})


@cache
def two_hours():
    (file,) = sources(FOLDER / "esh4-glbx-mdp3-20231225.mbo.dbn.zst")
    findings = Findings()
    return file, list(READER.rows([file], instrument("glbx-mdp3", "ESH4"), findings)), findings


@pytest.mark.skipif(not FOLDER.exists(), reason="the samples are not there")
class TestTwoHoursOfEs:
    """ESH4 on 25 December 2023: a snapshot, pre-open from 22:00, the opening auction at 23:00, an hour of trading."""

    def test_nothing_is_wrong_with_it(self):
        """Not one cancel or change of an unknown order."""
        _, blocks, findings = two_hours()
        assert_whole_messages(blocks)
        assert not findings.dropped
        assert findings.counts["fills_of_unshown_orders"] == 7

    def test_each_fill_is_an_execution_of_its_order(self):
        """Order by order: the lots at each price that F tells of are those of its executions, in their order."""
        file, blocks, _ = two_hours()
        expected: dict[int, list[tuple[int, int]]] = defaultdict(list)
        with file.open() as stream:
            data = stream.read()
        records = np.frombuffer(data[8 + int.from_bytes(data[4:8], "little") :], MBO)
        live: set[int] = set()
        aggressor = None
        for action, number, price, size, flags in records[["action", "order_id", "price", "size", "flags"]].tolist():
            if action == ord("A"):
                live.add(number)
            elif action == ord("T"):
                aggressor = number
            elif action == ord("F") and number in live and number != aggressor:
                add(expected[number], price // (NANO // 4), size * 50)
            aggressor = None if flags & 128 else aggressor
        executed: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for block in blocks:
            kinds = np.isin(block.code & 15, (Row.ORDER_EXECUTE, Row.TRADE)) & (block.id != 0)
            columns = (block.id[kinds].tolist(), block.price[kinds].tolist(), block.value[kinds].tolist())
            for number, price, lots in zip(*columns, strict=True):
                add(executed[number], price, lots * 50)
        assert len(expected) > 4_000
        assert executed == expected

    def test_the_engine_follows_it_through_the_auction(self):
        _, blocks, _ = two_hours()
        engine = bare_engine(max(int(block.price.max()) for block in blocks), "0.25", "1")
        events = play(engine, blocks)
        assert not np.isin(events["kind"], (EventKind.REJECTED, EventKind.TRADE)).any()
        states = events[events["kind"] == EventKind.MARKET_STATE]
        assert states["aux"].tolist() == [MarketState.PRE_OPEN, MarketState.OPEN]
        assert states["time_ns"][1] == T
        assert len(engine.orders()) == 11_217
        assert engine.book(0, Side.BUY)[0][0] == 4810 * 4
        assert engine.book(0, Side.SELL)[0][0] == 4810 * 4 + 1


def add(fills: list[tuple[int, int]], price: int, lots: int) -> None:
    """Add a fill; those at one price that follow each other are one."""
    if fills and fills[-1][0] == price:
        fills[-1] = (price, fills[-1][1] + lots)
    else:
        fills.append((price, lots))
