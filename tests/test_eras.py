"""A market whose tick changed: each day has the tick of its own day, and each of its tapes can be used."""

from pathlib import Path

import pytest
from perpsim.replay import check as checking
from perpsim.replay import tape_tools
from perpsim.replay.errors import InputError
from perpsim.replay.importing import import_files, read
from perpsim.replay.tape import describe, open_tape

DAYS = {"2021-12-30": "0.01", "2021-12-31": "0.01", "2022-01-02": "0.1", "2022-01-03": "0.1"}
SECOND_US = {"2021-12-30": 1_640_822_400, "2021-12-31": 1_640_908_800, "2022-01-02": 1_641_081_600,
             "2022-01-03": 1_641_168_000}  # fmt: skip
SPLIT_NS = 1_641_000_000 * 10**9  # between the two ticks


def trades(folder: Path, day: str, first_id: int = 100, start_s: int = 0) -> Path:
    path = folder / f"binance-futures_trades_{day}_BTCUSDT.csv"
    lines = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"]
    for number in range(5):
        at_us = ((start_s or SECOND_US[day]) + number) * 10**6
        lines.append(f"binance-futures,BTCUSDT,{at_us},{at_us + 2_000},{first_id + number},buy,47000.5,0.010")
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for day in DAYS:
        trades(folder, day)
    return folder


@pytest.fixture(scope="module")
def store(raw, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    import_files(raw, folder, workers=1)
    return folder


def ticks(store: Path) -> dict[str, str]:
    told = [describe(path) for path in sorted(store.rglob("part-*.parquet"))]
    return {facts["day"]: facts["instrument"]["tick"] for facts in told}


def test_each_day_has_its_own_tick_whatever_else_is_imported(raw, store, tmp_path):
    assert ticks(store) == DAYS
    for day in DAYS:
        import_files(next(raw.glob(f"*{day}*")), tmp_path, workers=1)
    files = [sorted(folder.rglob("part-*")) for folder in (tmp_path, store)]
    alone, together = ({path.parent.name: path.read_bytes() for path in each} for each in files)
    assert alone == together


def test_a_store_of_both_says_which_days_have_which(store):
    with pytest.raises(InputError) as raised:
        open_tape(store)
    assert "2021-12-30 to 2021-12-31: linear, tick 0.01, lot 0.001, contract size 1; 2022-01-02 to" in str(raised.value)
    assert "name the folder of a day, or store the days of one by `perpsim tape slice" in str(raised.value)
    assert open_tape(next(store.rglob("day=2022-01-02"))).instrument.tick == "0.1"


def test_each_can_be_looked_at_checked_and_cut(raw, store, tmp_path):
    assert [(facts["tick"], facts["rows"]) for facts in tape_tools.info(store)] == [("0.01", 10), ("0.1", 10)]
    for paths in ([store], [raw]):
        cards = checking.check(paths)
        assert [card["market"]["tick"] for card in cards] == ["0.01", "0.1"] and all(card["sound"] for card in cards)
    tape_tools.cut(store, tmp_path / "early", 0, SPLIT_NS)
    tape_tools.cut(store, tmp_path / "late", SPLIT_NS, 2**63 - 1)
    assert ticks(tmp_path / "early") | ticks(tmp_path / "late") == DAYS
    for name, price in (("early", "47000.50"), ("late", "47000.5")):
        assert list(tape_tools.head(tmp_path / name, 1))[1][4] == price
    assert list(tape_tools.head(store, 1, SPLIT_NS))[1][4] == "47000.5"


def test_one_tape_and_one_day_have_one_tick(raw, tmp_path):
    with pytest.raises(InputError, match="of days on which BTCUSDT had other ticks or lots; give those of one"):
        read(sorted(raw.iterdir()))
    late = trades(tmp_path, "2021-12-31", 500, 1_641_081_600)  # its rows are of 2022-01-02
    with pytest.raises(InputError, match="the rows of 2022-01-02 come from files with different ticks or lots"):
        import_files([late, next(raw.glob("*2022-01-02*"))], tmp_path / "store", workers=1)
