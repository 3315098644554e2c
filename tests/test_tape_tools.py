"""`perpsim tape`: what it says is what is stored; parts and merged tapes have the rows that they should have."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from perpsim.replay import tape_tools
from perpsim.replay.bars import PARTS, Part
from perpsim.replay.errors import InputError
from perpsim.replay.importing import read
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape, describe, open_tape
from perpsim.replay.tape_writer import write
from perpsim.replay.validate import check
from small_tape import BTC, ETH, Recording, quiet_market

ROOT = Path(__file__).resolve().parent.parent
PAIR = [ROOT / "replay" / "recordings" / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
MIDNIGHT_NS = 1_680_652_800 * 10**9
MINUTE_NS = 60 * 10**9


@pytest.fixture(scope="module")
def tape() -> Tape:
    return read(PAIR)


@pytest.fixture(scope="module")
def root(tape, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write(tape, folder)
    return folder


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    for name in COLUMNS:
        assert np.array_equal(found[name], wanted[name]), name


def part(tape: Tape, chosen) -> dict[str, np.ndarray]:
    return {name: column[chosen] for name, column in tape.columns().items()}


def book_at(tape: Tape, time_ns: int) -> dict[tuple[bool, int], int]:
    """(ask, price) -> lots that stand before a time, row by row."""
    book, whole = {}, False
    columns = [getattr(tape, name).tolist() for name in ("time_ns", "code", "price", "value")]
    for time, code, price, value in zip(*columns, strict=True):
        if time >= time_ns:
            break
        if code & ROW_MASK == Row.LEVEL:
            if code & SNAPSHOT and not whole:
                book = {}
            whole = bool(code & SNAPSHOT and code & MORE)
            book[bool(code & SELL), price] = value
    return {level: lots for level, lots in book.items() if lots}


# info and head


def test_info(tape, root):
    (facts,) = tape_tools.info(root)
    assert (facts["venue"], facts["symbol"], facts["tick"]) == ("binance-usdm", "BTCUSDT", "0.1")
    assert facts["rows"] == len(tape)
    assert facts["sha256"] == tape.sha256() and list(facts["days"]) == ["2023-04-04", "2023-04-05"]
    assert [source["name"] for source in facts["sources"]] == [path.name for path in PAIR]
    assert "        rows.off_book                                1" in tape_tools.told(facts)


def test_info_of_several_markets(tmp_path):
    quiet_market(2).store(tmp_path)
    quiet_market(2, instrument=ETH).store(tmp_path)
    assert [facts["symbol"] for facts in tape_tools.info(tmp_path)] == ["BTCUSDT", "ETHUSDT"]


def test_head_in_human_units(tmp_path):
    recording = Recording(BTC).book(0, {300_000: 5_000}, {300_005: 7}, snapshot=True).trade(1, 1, 300_000, 12)
    recording.index(2, 30_000.25).store(tmp_path)
    rows = list(tape_tools.head(tmp_path, 10))
    assert rows[0] == tape_tools.HEADINGS
    assert [row[2:6] for row in rows[1:]] == [
        ("level", "bid", "30000.0", "5.000"),
        ("level", "ask", "30000.5", "0.007"),
        ("trade", "sell", "30000.0", "0.012"),
        ("index", "", "", "30000.25000000"),
    ]
    assert [row[7] for row in rows[1:]] == ["snapshot more", "snapshot", "", ""]
    assert rows[3][0] == "2023-11-14T22:13:21.000000000"
    assert len(list(tape_tools.head(tmp_path, 2))) == 3


def test_head_of_bars(tmp_path):
    """Which price of a bar it is, and the price as those of marks are written."""
    recording = Recording(BTC)
    bars = [(0, Row.MARK, Part.OPEN, "123277.8306468"), (20, Row.INDEX, Part.LOW_FIRST, "0.5")]
    for at, of, part, price in bars:
        value = int(Decimal(price) * 10**8)
        recording.rows.append((1_700_000_000 * 10**9 + at * 10**9, int(Row.BAR), of * PARTS + part, value))
    recording.store(tmp_path)
    found = [row[2:6] for row in list(tape_tools.head(tmp_path, 10))[1:]]
    assert found == [
        ("bar", "", "mark open", "123277.83064680"),
        ("bar", "", "index low first", "0.50000000"),
    ]


def test_head_from_a_time(tape, root):
    rows = list(tape_tools.head(root, 3, MIDNIGHT_NS))
    first = int(np.searchsorted(tape.time_ns, MIDNIGHT_NS))
    times = [np.datetime64(row[0], "ns").astype(np.int64) for row in rows[1:]]
    assert times == tape.time_ns[first : first + 3].tolist()


# slice


@pytest.mark.parametrize(("start", "minutes"), [(-1, 2), (0, 1), (3, 1)])
def test_a_part_has_its_rows_and_the_book_before_them(tape, root, tmp_path, start, minutes):
    start_ns = MIDNIGHT_NS + start * MINUTE_NS
    end_ns = start_ns + minutes * MINUTE_NS
    inside = (tape.time_ns >= start_ns) & (tape.time_ns < end_ns)
    tape_tools.cut(root, tmp_path / "plain", start_ns, end_ns, book=False)
    same(open_tape(tmp_path / "plain").load().columns(), part(tape, inside))
    tape_tools.cut(root, tmp_path / "whole", start_ns, end_ns)
    found = open_tape(tmp_path / "whole").load()
    check(found)
    count = len(found) - int(inside.sum())
    same(part(found, slice(count, None)), part(tape, inside))
    begin = part(found, slice(0, count))
    assert (begin["time_ns"] == start_ns).all() and (begin["code"] & SNAPSHOT != 0).all()
    levels = (begin["code"] & ROW_MASK) == Row.LEVEL
    assert (begin["code"][~levels] & ROW_MASK).tolist()[:2] == [Row.INDEX, Row.MARK]
    begin = part(found, slice(0, count := int(levels.sum())))
    assert (begin["code"] & MORE != 0).tolist() == [True] * (count - 1) + [False]
    sides = (begin["code"] & SELL != 0).tolist()
    levels = dict(zip(zip(sides, begin["price"].tolist(), strict=True), begin["value"].tolist(), strict=True))
    assert levels == book_at(tape, start_ns) and count > 1_000


def test_the_book_starts_anew_at_each_snapshot(tmp_path):
    recording = Recording(BTC).book(0, {100: 1, 99: 2}, {101: 3}, snapshot=True).book(1, {98: 4}, {})
    recording.book(2, {80: 1}, {85: 6}, snapshot=True).book(2, {90: 5}, {95: 6}, snapshot=True)
    recording.book(3, {90: 0, 89: 7}, {}).trade(5, 0, 95, 1)
    recording.store(tmp_path)
    tape = open_tape(tmp_path)
    for second, levels in ((1, {100: 1, 99: 2, 101: 3}), (2, {98: 4, 99: 2, 100: 1, 101: 3}), (4, {89: 7, 95: 6})):
        found = tape_tools.standing(tape, 1_700_000_000 * 10**9 + second * 10**9)
        assert dict(zip(found["price"].tolist(), found["value"].tolist(), strict=True)) == levels


def test_what_cannot_be_cut(root, tmp_path):
    with pytest.raises(InputError, match="has no rows of that time"):
        tape_tools.cut(root, tmp_path, 0, 10)
    tape_tools.cut(root, tmp_path, MIDNIGHT_NS, MIDNIGHT_NS + MINUTE_NS)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="holds another recording of that day"):
        tape_tools.cut(root, tmp_path, MIDNIGHT_NS, MIDNIGHT_NS + 2 * MINUTE_NS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    tape_tools.cut(root, tmp_path, MIDNIGHT_NS, MIDNIGHT_NS + 2 * MINUTE_NS, replace=True)


def test_a_span_begins_before_it_ends(root, tmp_path):
    for end_ns in (MIDNIGHT_NS, MIDNIGHT_NS - 1):
        with pytest.raises(InputError, match="the start is not before the end; give a --from that is before --to"):
            tape_tools.cut(root, tmp_path / "out", MIDNIGHT_NS, end_ns)
    assert not (tmp_path / "out").exists()


def test_a_store_is_a_folder(root, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "store"):
        with pytest.raises(InputError, match="file: is a file; name a folder to store the tape in"):
            tape_tools.cut(root, out, 0, 2**63 - 1)
    assert file.read_text() == "mine"


def test_a_damaged_tape_leaves_nothing(tape, tmp_path):
    """Neither a store nor the folders above it; what was there before stays."""
    paths = write(tape, tmp_path / "damaged")
    data = bytearray(paths[1].read_bytes())
    data[len(data) // 2] ^= 0xFF
    paths[1].write_bytes(data)
    (tmp_path / "kept").mkdir()
    for out in (tmp_path / "new" / "store", tmp_path / "kept"):
        with pytest.raises(InputError, match="is damaged"):
            tape_tools.cut(tmp_path / "damaged", out, 0, 2**63 - 1)
    assert not (tmp_path / "new").exists() and not list((tmp_path / "kept").iterdir())


# merge


def test_trades_book_and_marks_come_together_again(tape, tmp_path):
    """Taken apart by kind, and put together: the same rows in the same order."""
    kind = tape.code & ROW_MASK
    parts = {"trades": (Row.TRADE, Row.OFF_BOOK), "book": (Row.LEVEL,), "marks": (Row.MARK, Row.INDEX, Row.FUNDING)}
    for name, rows in parts.items():
        write(Tape(tape.instrument, **part(tape, np.isin(kind, rows)), quality={"counts": {name: 1}}), tmp_path / name)
    made = tape_tools.merge([tmp_path / name for name in ("marks", "trades", "book")], tmp_path / "all")
    found = open_tape(tmp_path / "all")
    same(found.load().columns(), tape.columns())
    assert describe(made[0])["quality"] == {"imports": [{"counts": {name: 1}} for name in ("marks", "trades", "book")]}
    assert [part.day for part in found.parts] == ["2023-04-04", "2023-04-05"]


def test_what_cannot_be_merged(root, tape, tmp_path):
    quiet_market(2, instrument=ETH).store(tmp_path / "eth")
    with pytest.raises(InputError, match=r"is of binance-usdm ETHUSDT \(linear, 0.01, 0.001, 1\), but"):
        tape_tools.merge([root, tmp_path / "eth"], tmp_path / "out")
    with pytest.raises(InputError, match="give at least two tapes"):
        tape_tools.merge([root], tmp_path / "out")
    write(tape, tmp_path / "copy")
    with pytest.raises(InputError, match=r"has rows of btcusdt_20230404.dat.gz, as .* has"):
        tape_tools.merge([root, tmp_path / "copy"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tape_is_not_merged_with_itself(tmp_path):
    """However its folder is written, and whether or not its files name what they were made from."""
    store = quiet_market(2).store(tmp_path / "one")
    (tmp_path / "link").symlink_to(store)
    day = next(store.rglob("day=*"))
    for other in (store, f"{store}/", tmp_path / "link" / ".." / "one", tmp_path / "link", day):
        with pytest.raises(InputError, match="is given twice; give each tape once"):
            tape_tools.merge([store, other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


# The commands


def perpsim(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "perpsim.replay", "tape", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_commands(root, tape, tmp_path):
    done = perpsim("info", root, "--json")
    assert json.loads(done.stdout)[0]["rows"] == len(tape)
    done = perpsim("head", root, "-n", "2", "--from", "2023-04-05T00:01")
    assert done.stdout.splitlines()[1].startswith("2023-04-05T00:01:00.000000000")
    done = perpsim("slice", root, "--from", "2023-04-05T00:01", "--to", "2023-04-05T00:01:30.5", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    span = [MIDNIGHT_NS + MINUTE_NS, MIDNIGHT_NS + MINUTE_NS + 30_500_000_000]
    found = open_tape(done.stdout.strip()).load()
    assert found.time_ns[0] == span[0] and span[1] - 10**9 < found.time_ns[-1] < span[1]
    done = perpsim("merge", root, tmp_path / "absent", "-o", tmp_path)
    assert done.returncode == 2 and "absent: does not exist" in done.stderr
