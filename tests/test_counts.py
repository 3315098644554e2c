"""What a tape says was counted is of the rows that it has: of slices, of days of a file of several, of bars."""

from datetime import date
from pathlib import Path

import pytest
from perpsim.replay import check as checking
from perpsim.replay import tape_tools
from perpsim.replay.check_text import told
from perpsim.replay.contents import contents
from perpsim.replay.counts import RowCounts, of_files, of_part
from perpsim.replay.import_plan import Given
from perpsim.replay.importing import import_files
from perpsim.replay.tape import Row, imports_of, open_tape

MINUTE_NS = 60 * 10**9
MIDNIGHT_US = 1_672_617_600 * 10**6  # 2023-01-02
NAME = "binance-futures_trades_2023-01-01_BTCUSDT.csv"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Prints of every 15 s from two minutes before midnight to two after; ids 105-109, 111 and 117-118 do not come."""
    ids = [100, 101, 102, 103, 104, 110, 112, 113, 114, 115, 116, 119, 120, 121, 122, 123]
    path = tmp_path_factory.mktemp("source") / NAME
    lines = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"]
    for number, name in enumerate(ids):
        at_us = MIDNIGHT_US - 120 * 10**6 + number * 15 * 10**6
        lines.append(f"binance-futures,BTCUSDT,{at_us},{at_us + 2_000 * (number + 1)},{name},buy,16500.0,0.010")
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.fixture(scope="module")
def store(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    import_files(source, folder, workers=1)
    return folder


def counts(path: Path) -> dict[str, int]:
    """But for those of whole files."""
    (card,) = checking.check([path])
    return card["counts"]


WHOLE = {
    "off_book_fills": 8, "off_book_fills 2023-01-01T23:59": 6, "off_book_fills 2023-01-02T00:00": 2, "rows.trade": 16,
}  # fmt: skip


def test_days_of_one_file_have_their_own_counts(store, source):
    first, second = (open_tape(path).quality for path in sorted(store.rglob("part-*.parquet")))
    assert first["counts"] == {"off_book_fills": 6, "off_book_fills 2023-01-01T23:59": 6, "rows.trade": 8}
    assert second["counts"] == {"off_book_fills": 2, "off_book_fills 2023-01-02T00:00": 2, "rows.trade": 8}
    assert counts(store) == WHOLE
    raw = counts(source)
    assert {name: raw[name] for name in WHOLE} == WHOLE
    assert contents(open_tape(store)).rows == {Row.TRADE: 16}
    assert len(list(imports_of(open_tape(store).quality))) == 2  # days that say the same are told apart


def test_what_is_of_the_whole_file_is_said_once(store):
    (whole,) = of_files(open_tape(store).quality)
    assert whole["names"] == [NAME] and whole["samples"]["latency_ns"]["n"] == 16
    assert set(whole["counts"]) == {"negative_latencies", "unknown_sides"}
    (facts,) = tape_tools.info(store)
    lines = list(tape_tools.told(facts))
    assert lines.count(f"    of the whole of {NAME}") == 1 and "    of 2023-01-02" in lines


def test_a_day_left_out_is_not_counted(store, source, tmp_path):
    (path,) = import_files(source, tmp_path, Given(first=date(2023, 1, 2)), workers=1)
    assert counts(path)["off_book_fills"] == 2
    assert path.read_bytes() == next(store.rglob("*2023-01-02/part-0.parquet")).read_bytes()


@pytest.mark.parametrize(
    ("minutes", "wanted"),
    [
        ((-2, -1), {"off_book_fills": 0, "rows.trade": 4}),
        ((-1, 0), {"off_book_fills": 6, "off_book_fills 2023-01-01T23:59": 6, "rows.trade": 4}),
        ((-1, 1), WHOLE | {"rows.trade": 8}),
        ((-2.5, 0.5), WHOLE | {"off_book_fills": 6, "rows.trade": 10}),
    ],
)
def test_counts_of_a_slice_are_of_its_rows(store, tmp_path, minutes, wanted):
    """A minute that is cut is left out: nobody knows where in it the fills were."""
    span = [MIDNIGHT_US * 1_000 + int(minute * MINUTE_NS) for minute in minutes]
    tape_tools.cut(store, tmp_path, *span)
    if minutes[1] == 0.5:
        wanted = {name: count for name, count in wanted.items() if "T00:00" not in name}
    assert counts(tmp_path) == wanted
    tape = open_tape(tmp_path)
    assert contents(tape).rows == {Row.TRADE: len(tape)}
    (card,) = checking.check([tmp_path])
    assert card["off_book_fills"]["n"] == wanted["off_book_fills"]
    assert set(card["counts_of_files"]) == {"negative_latencies", "unknown_sides"}


def test_whole_days_of_a_slice_keep_what_they_say(store, tmp_path):
    start_ns = MIDNIGHT_US * 1_000
    (path,) = tape_tools.cut(store, tmp_path, start_ns, 2**63 - 1, book=False)
    assert open_tape(path).quality == open_tape(next(store.rglob("*2023-01-02/part-0.parquet"))).quality


def test_counts_of_merged_and_cut_imports_add_up():
    each = {"counts": {"gaps 2023-01-01T23:59": 3, "gaps": 3, "snapshots": 1, "rows.trade": 9}, "dropped": {"x": 1}}
    nested = {"imports": [{"imports": [each, each]}, each]}
    start_ns = MIDNIGHT_US * 1_000 - MINUTE_NS
    found = of_part(nested, RowCounts({"rows.trade": 4, "mark_bars": 13}), start_ns, start_ns + MINUTE_NS, ["a"])
    assert found["counts"] == {"gaps": 9, "gaps 2023-01-01T23:59": 9, "mark_bars": 3, "rows.trade": 4}
    assert found["files"] == [{"names": ["a"], "counts": {"snapshots": 1}, "dropped": {"x": 1}, "samples": {}}] * 3


def test_the_card_tells_counts_of_whole_files_apart(store, tmp_path):
    (card,) = checking.check([store])
    card["counts_of_files"] = {"unknown_sides": 3}
    assert "    in whole files    unknown sides 3" in list(told(card))
    assert "    counted           nothing else" in list(told(card))
