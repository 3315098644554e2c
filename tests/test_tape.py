"""The tape in memory and at rest: what goes in comes out, to the byte; what is damaged or foreign is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from perpsim.replay import tape as tapes
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.importing import read
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape, iter_batches, open_tape
from perpsim.replay.tape_writer import write
from perpsim.replay.validate import check
from small_tape import quiet_market

ROOT = Path(__file__).resolve().parent.parent
PAIR = [ROOT / "replay" / "recordings" / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
MIDNIGHT_NS = 1_680_652_800 * 10**9
MINUTE_NS = 60 * 10**9
BTC = Instrument("binance-usdm", "BTCUSDT", "linear", "0.1", "0.001")


@pytest.fixture(scope="module")
def tape() -> Tape:
    return read(PAIR)


@pytest.fixture(scope="module")
def root(tape, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write(tape, folder)
    return folder


def small_tape(count: int = 10, start_ns: int = MIDNIGHT_NS - 5, **changes) -> Tape:
    """count trades, a nanosecond apart, around midnight."""
    columns = {
        "time_ns": np.arange(start_ns, start_ns + count, dtype=np.int64),
        "receive_ns": np.arange(start_ns, start_ns + count, dtype=np.int64),
        "code": np.full(count, Row.TRADE, np.uint8),
        "price": np.arange(1, count + 1, dtype=np.int64),
        "value": np.ones(count, np.int64),
        "id": np.arange(count, dtype=np.int64),
    }
    return Tape(**{"instrument": BTC, "quality": {"gaps": 0}, **columns, **changes})


def joined(batches) -> dict[str, np.ndarray]:
    batches = list(batches)
    return {name: np.concatenate([batch[name] for batch in batches]) for name in COLUMNS}


def assert_same_rows(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    for name, dtype in COLUMNS.items():
        assert ours[name].dtype == dtype
        assert np.array_equal(ours[name], theirs[name]), name


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_codes_are_fixed():
    """Stored files and the engine rely on these numbers."""
    assert [(row.name, row.value) for row in Row] == [
        ("LEVEL", 1),
        ("TRADE", 2),
        ("MARK", 3),
        ("INDEX", 4),
        ("FUNDING", 5),
        ("OFF_BOOK", 6),
        ("LIQUIDATION", 7),
        ("OPEN_INTEREST", 8),
        ("ORDER_ADD", 9),
        ("ORDER_REDUCE", 10),
        ("ORDER_DELETE", 11),
        ("ORDER_EXECUTE", 12),
        ("STATE", 13),
        ("QUOTE", 14),
        ("BAR", 15),
    ]
    assert (ROW_MASK, SELL, MORE, SNAPSHOT) == (15, 16, 32, 64)


# Round trip


def test_round_trip(tape, root):
    stored = open_tape(root)
    assert (len(stored), stored.instrument, stored.quality) == (len(tape), tape.instrument, tape.quality)
    assert stored.sources == tape.sources and stored.sha256() == tape.sha256()
    loaded = stored.load()
    assert_same_rows(loaded.columns(), tape.columns())
    assert loaded.sha256() == tape.sha256()
    check(loaded)


def test_files_lie_by_venue_market_and_day(root):
    market = "venue=binance-usdm/market=BTCUSDT"
    names = ("_book-0.parquet", "part-0.parquet")
    assert sorted(files(root)) == [f"{market}/day=2023-04-0{day}/{name}" for day in (4, 5) for name in names]
    for part in open_tape(root).parts:
        times = pq.read_table(part.path, partitioning=None).column("time_ns").to_numpy()
        assert {str(np.datetime64(int(times[at]), "ns"))[:10] for at in (0, -1)} == {part.day}


def test_one_day_can_be_opened_alone(tape, root):
    stored = open_tape(open_tape(root).parts[1].path)
    assert [part.day for part in stored.parts] == ["2023-04-05"]
    assert stored.load().time_ns[0] >= MIDNIGHT_NS
    assert stored.sha256() != tape.sha256()


def test_same_bytes_every_time(tape, root, tmp_path):
    write(read(PAIR), tmp_path)
    assert files(tmp_path) == files(root)
    write(tape, tmp_path)  # and once more over itself
    assert files(tmp_path) == files(root)


def test_name_of_a_tape_is_its_rows_and_instrument(tape):
    same = Tape(tape.instrument, **tape.columns(), quality={}, sources=())
    assert same.sha256() == tape.sha256()
    other = Tape(Instrument("binance-usdm", "BTCUSDT", "linear", "0.1", "0.002"), **tape.columns(), quality={})
    assert other.sha256() != tape.sha256()
    value = tape.value.copy()
    value[-1] += 1
    assert Tape(tape.instrument, **{**tape.columns(), "value": value}, quality={}).sha256() != tape.sha256()


def test_other_programs_read_the_rows(tape, root):
    table = pq.read_table(root)  # finds the parts by their folders
    assert table.num_rows == len(tape)
    assert {"venue", "market", "day"} < set(table.column_names)


# Batches


def test_batches_end_with_a_message(tape, root):
    batches = list(iter_batches(root))
    assert len(batches) > 4
    assert all(batch["code"][-1] & MORE == 0 for batch in batches)
    assert_same_rows(joined(batches), tape.columns())


@pytest.mark.parametrize("rows", [1_000, 65_536, 10**9])
def test_batches_of_a_size(tape, root, rows):
    batches = list(iter_batches(root, rows=rows))
    assert max(len(batch["code"]) for batch in batches) <= rows
    assert_same_rows(joined(batches), tape.columns())


@pytest.mark.parametrize("minute", range(-2, 7))
def test_any_minute_can_be_read_alone(tape, root, minute):
    start_ns = MIDNIGHT_NS + minute * MINUTE_NS
    first, last = np.searchsorted(tape.time_ns, [start_ns, start_ns + MINUTE_NS])
    found = joined(iter_batches(root, start_ns, start_ns + MINUTE_NS))
    assert_same_rows(found, {name: column[first:last] for name, column in tape.columns().items()})


def test_a_minute_reads_only_its_row_groups(root, monkeypatch):
    groups = []
    plain = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, i, *args, **kw: groups.append(i) or plain(self, i, *args, **kw)
    )
    assert list(iter_batches(root, MIDNIGHT_NS + 5 * MINUTE_NS, MIDNIGHT_NS + 6 * MINUTE_NS))
    assert 1 <= len(groups) <= 2
    groups.clear()
    assert list(iter_batches(root, MIDNIGHT_NS + 60 * MINUTE_NS)) == [] and groups == []


def test_a_time_between_two_messages_is_empty(tape, root):
    at = int(np.argmax(np.diff(tape.time_ns) > 10**6))
    assert list(iter_batches(root, int(tape.time_ns[at]) + 1, int(tape.time_ns[at + 1]))) == []


def test_batches_may_be_left_early(root):
    batches = iter_batches(root)
    next(batches)
    batches.close()


# What may stand on a tape


def test_check_accepts_the_recording(tape):
    check(tape)


WRONG = [
    ({"code": np.zeros(10, np.uint8)}, "row 0 .* unknown code"),
    ({"code": np.full(10, Row.BAR, np.uint8)}, "row 0 .* is a bar of nothing known"),
    ({"code": np.full(10, Row.TRADE | 128, np.uint8)}, "row 0 .* unknown code"),
    ({"code": np.full(10, Row.TRADE | SNAPSHOT, np.uint8)}, "row 0 .* snapshot bit but is nothing that stands"),
    ({"code": np.full(10, Row.TRADE | MORE, np.uint8)}, "row 1 .* continues a message of another time"),
    ({"code": np.append(np.full(9, 2, np.uint8), np.uint8(2 | MORE))}, "row 9 .* ends the tape inside a message"),
    ({"time_ns": MIDNIGHT_NS - np.arange(10)}, "row 1 .* earlier than the row before it"),
    ({"time_ns": np.arange(10)}, "row 0 .* time outside 2009-2100"),
    ({"price": np.arange(10)}, "row 0 .* price that is not above zero"),
    ({"value": np.arange(9, -1, -1)}, "row 9 .* size or value that is not above zero"),
    ({"code": np.full(10, Row.LEVEL, np.uint8), "value": np.arange(9, -1, -1) - 1}, "row 9 .* negative size"),
    ({"code": np.full(10, Row.OFF_BOOK, np.uint8), "price": np.arange(10) - 1}, "row 0 .* negative size or price"),
    ({"code": np.full(10, Row.INDEX, np.uint8), "value": np.zeros(10, np.int64)}, "row 0 .* not above zero"),
    ({"code": np.full(10, Row.TRADE, np.int64)}, "column code .* must be uint8"),
    ({"price": np.arange(1, 10)}, "column price .* as long as the others"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[row[1] for row in WRONG])
def test_check_refuses(changes, said):
    check(small_tape())
    with pytest.raises(InputError, match=said):
        check(small_tape(**changes))


def test_check_refuses_an_empty_tape():
    with pytest.raises(InputError, match="no rows"):
        check(small_tape(0))


# Files that cannot be read


def test_missing_foreign_and_newer_files(tmp_path):
    with pytest.raises(InputError, match="absent: does not exist"):
        open_tape(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no tape"):
        open_tape(tmp_path)
    path = tmp_path / "part-0.parquet"
    path.write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match=r"part-0.parquet: cannot be read as Parquet"):
        open_tape(path)
    pq.write_table(pa.table({"price": [1]}), path)
    with pytest.raises(InputError, match="is Parquet but no tape"):
        open_tape(path)


def rewrite(path: Path, table: pa.Table, **facts) -> None:
    """Write a table over a part, with changed facts about itself."""
    metadata = json.loads(pq.read_metadata(path).metadata[tapes.METADATA_KEY]) | facts
    pq.write_table(table.replace_schema_metadata({tapes.METADATA_KEY: json.dumps(metadata)}), path)


def test_changed_files_are_refused(tmp_path):
    (path, _) = write(small_tape(), tmp_path)
    table = pq.read_table(path, partitioning=None)
    changes = [
        ({"format": 3}, table, "is a tape of format 3, this release reads 2; update perpsim"),
        ({"format": 1}, table, "is a tape of format 1, this release reads 2; import the recording again"),
        ({}, table.drop_columns(["price"]), "lacks the column price of type int64"),
        ({}, table.set_column(2, "code", table["code"].cast(pa.int32())), "lacks the column code of type uint8"),
        ({}, table.slice(0, 2), "has 2 rows where 5 were written"),
    ]
    for facts, changed, said in changes:
        rewrite(path, changed, **({"format": 2} | facts))
        with pytest.raises(InputError, match=said):
            open_tape(tmp_path)
    rewrite(path, table.set_column(3, "price", pa.array([1, 2, 3, 4, 6])), format=2)
    with pytest.raises(InputError, match="the rows differ from their checksum"):
        open_tape(tmp_path).load()


def test_truncated_and_flipped_files_are_refused(root, tmp_path):
    whole = open_tape(root).parts[0].path.read_bytes()
    path = tmp_path / "part-0.parquet"
    for length in (0, 3, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"part-0.parquet: cannot be read as Parquet"):
            open_tape(path)
    for at in range(1000, len(whole) - 20_000, len(whole) // 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"part-0.parquet: is damaged"):
            list(iter_batches(path))


def test_several_markets_must_be_named(tmp_path):
    write(small_tape(), tmp_path)
    write(small_tape(instrument=Instrument("binance-usdm", "ETHUSDT", "linear", "0.01", "0.001")), tmp_path)
    with pytest.raises(InputError, match=r"instruments \(binance-usdm BTCUSDT, binance-usdm ETHUSDT\)"):
        open_tape(tmp_path)
    assert open_tape(tmp_path / "venue=binance-usdm" / "market=ETHUSDT").instrument.symbol == "ETHUSDT"


# Writing


def test_another_recording_is_not_overwritten(tmp_path):
    write(small_tape(), tmp_path)
    before = files(tmp_path)
    longer = small_tape(20)
    with pytest.raises(InputError, match=r"day=2023-04-05/part-0.parquet: holds another recording of that day"):
        write(longer, tmp_path)
    assert files(tmp_path) == before
    write(longer, tmp_path, replace=True)
    assert len(open_tape(tmp_path)) == 20


def test_days_from_several_imports(tmp_path):
    write(small_tape(4, MIDNIGHT_NS - 10, quality={"gaps": 0}), tmp_path)
    write(small_tape(4, MIDNIGHT_NS, quality={"gaps": 1}), tmp_path)
    stored = open_tape(tmp_path)
    assert stored.quality == {"imports": [{"gaps": 0}, {"gaps": 1}]}
    assert np.array_equal(stored.load().price, [1, 2, 3, 4] * 2)


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_failure_leaves_nothing_behind(tmp_path, monkeypatch, step):
    """A failure at the second day's write, sync or rename."""
    calls = []

    def fail(plain):
        def call(*args, **kw):
            calls.append(step)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return plain(*args, **kw)

        return call

    owner, name = (pq.ParquetWriter, "write_table") if step == "write" else (tapes.os, step)
    monkeypatch.setattr(owner, name, fail(getattr(owner, name)))
    with pytest.raises(OSError, match="No space left"):
        write(small_tape(), tmp_path / "store")
    whole = [open_tape(path) for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert [len(stored) for stored in whole] == ([5] if step == "replace" else [])


def test_progress_of_writing(tape, tmp_path):
    done = []
    write(tape, tmp_path, progress=lambda done_bytes, total_bytes: done.append((done_bytes, total_bytes)))
    assert done == sorted(done) and done[-1] == (41 * len(tape), 41 * len(tape))


DAMAGES = (b'"format"', b'"f@"'), (b'"sources"', b'"s"'), (b'"venue"', b'"v%"'), (b'"', b"\x80")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_facts_are_refused(tmp_path, damage):
    """They came out as KeyError, TypeError and UnicodeDecodeError."""
    quiet_market(2).store(tmp_path)
    (path,) = tmp_path.rglob("*.parquet")
    table = pq.read_table(path)
    text = pq.read_metadata(path).metadata[tapes.METADATA_KEY].replace(*damage, 1)
    pq.write_table(table.replace_schema_metadata({tapes.METADATA_KEY: text}), path)
    with pytest.raises(InputError, match="is damaged in what it says of itself"):
        open_tape(path)


def test_a_file_whose_column_has_a_name_of_any_bytes(tmp_path):
    """Names are read from the foot of the file, which is not UTF-8 any more."""
    quiet_market(60).store(tmp_path)
    (path,) = tmp_path.rglob("*.parquet")
    data = path.read_bytes()
    name = b"time_ns"
    foot = int.from_bytes(data[-8:-4], "little")
    at = data.index(name, len(data) - 8 - foot)
    path.write_bytes(data[:at] + b"\x9d" + data[at + 1 :])
    with pytest.raises(InputError, match=path.name):
        open_tape(path.parent.parent)


def test_writing_and_reading_import_no_pandas(tmp_path):
    """Arrow would import it where it is installed, for a third of a second; here one is that ends the process."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('pandas was imported')")
    program = (
        "import sys; from perpsim.replay import importing, tape, tape_writer; found = importing.read(sys.argv[2:]); "
        "tape_writer.write(found, sys.argv[1]); assert len(tape.open_tape(sys.argv[1]).load()) == len(found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "store", *PAIR], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "store").rglob("_book-0.parquet"))  # keyframes were written too
