"""Importing: the same bytes however it is done, resumed or not; bounded memory; nothing half done shows."""

import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from child_memory import PEAK
from perpsim.replay import importing
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given, plan
from perpsim.replay.importing import import_files, read
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, Row, describe, open_tape
from perpsim.replay.validate import check

DAY_US = 86_400 * 10**6
START_US = 1_672_531_200 * 10**6  # 2023-01-01
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
LEVELS = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"


def trades(day: int, count: int = 50, symbol: str = "BTCUSDT", first_us: int = 10**6) -> Iterator[str]:
    """Lines of a day, a second apart; prices in ticks of 0.1."""
    for number in range(count):
        at = START_US + day * DAY_US + first_us + number * 10**6
        side, price, size = "sell" if number % 3 else "buy", 20_000 + number / 10, f"0.00{1 + number % 9}"
        yield f"binance-futures,{symbol},{at},{at + 900},{day * 1000 + number},{side},{price},{size}\n"


def levels(day: int, count: int = 50) -> Iterator[str]:
    for number in range(-1, count):
        at = START_US + day * DAY_US + 10**6 + number * 10**6
        whole = str(number < 0).lower()
        for side, price in (("bid", 19_999.9 - number), ("ask", 20_000.1 + number)):
            yield f"binance-futures,BTCUSDT,{at},{at + 700},{whole},{side},{price:.1f},{1 + number % 5}\n"


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Three days of trades, one of levels, one of another market, in all kinds of packing."""
    folder = tmp_path_factory.mktemp("raw")
    for day in range(3):
        text = TRADES + "".join(trades(day))
        with gzip.GzipFile(folder / f"binance-futures_trades_2023-01-0{day + 1}_BTCUSDT.csv.gz", "w", mtime=0) as file:
            file.write(text.encode())
    book = LEVELS + "".join(levels(1))
    (folder / "binance-futures_incremental_book_L2_2023-01-02_BTCUSDT.csv").write_text(book)
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("binance-futures_trades_2023-01-02_ETHUSDT.csv", TRADES + "".join(trades(1, 20, "ETHUSDT")))
    return folder


@pytest.fixture(scope="module")
def store(raw, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("imported") / "store"
    import_files(raw, root, workers=1)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_in_the_store(store):
    usdm = "venue=binance-usdm"
    assert sorted(files(store)) == [
        *(f"{usdm}/market=BTCUSDT/day=2023-01-0{day}/part-0.parquet" for day in (1, 2, 3)),
        f"{usdm}/market=ETHUSDT/day=2023-01-02/part-0.parquet",
    ]
    tape = open_tape(store / usdm / "market=BTCUSDT").load()
    check(tape)
    assert np.bincount(tape.code & ROW_MASK, minlength=3)[[Row.TRADE, Row.LEVEL]].tolist() == [150, 102]
    second = open_tape(store / usdm / "market=BTCUSDT" / "day=2023-01-02")
    assert [source.name for source in second.sources] == [
        "binance-futures_incremental_book_L2_2023-01-02_BTCUSDT.csv",
        "binance-futures_trades_2023-01-02_BTCUSDT.csv.gz",
    ]
    assert second.readers == ("tardis-incremental-book-l2", "tardis-trades") and second.repairs == ()
    assert second.quality["counts"]["rows.trade"] == 50 and second.quality["samples"]["latency_ns"]["max"] == 900_000


def test_trades_come_before_levels_of_their_time(store):
    tape = open_tape(store / "venue=binance-usdm" / "market=BTCUSDT" / "day=2023-01-02").load()
    same = np.diff(tape.time_ns) == 0
    kinds = tape.code & ROW_MASK
    assert (kinds[:-1][same] == Row.TRADE).sum() == 50
    assert ((kinds[1:][same] == Row.LEVEL) & (kinds[:-1][same] == Row.TRADE)).sum() == 50
    assert tape.id[kinds == Row.TRADE].tolist() == [1000 + number for number in range(50)]
    assert (tape.code[kinds == Row.LEVEL] & MORE != 0).tolist() == [True, False] * 51


@pytest.mark.parametrize("how", ["processes", "other order", "one by one", "again"])
def test_the_same_bytes_however_it_is_done(raw, store, tmp_path, how):
    paths = sorted(raw.iterdir())
    if how == "processes":
        import_files(raw, tmp_path, workers=2)
    elif how == "other order":
        import_files(paths[::-1], tmp_path, workers=1)
    elif how == "one by one":
        for path in (path for path in paths if "2023-01-02" not in path.name):
            import_files(path, tmp_path, workers=1)
        import_files([path for path in paths if "2023-01-02" in path.name], tmp_path, workers=1)
    else:
        import_files(raw, tmp_path, workers=1)
        import_files(raw, tmp_path, workers=1)
    assert files(tmp_path) == files(store)


def test_rows_of_blocks_and_small_buffers_are_the_same(raw, store, tmp_path, monkeypatch):
    from perpsim.replay import sorting
    from perpsim.replay.readers import text

    monkeypatch.setattr(text, "BLOCK_BYTES", 500)
    monkeypatch.setattr(sorting, "SORT_ROWS", 16)
    monkeypatch.setattr(sorting, "READ_ROWS_MAX", 5)
    import_files(raw, tmp_path, workers=1)
    assert files(tmp_path) == files(store)


def test_in_memory(raw, store):
    paths = [path for path in raw.iterdir() if "BTCUSDT" in path.name]
    tape = read(paths)
    stored = open_tape(store / "venue=binance-usdm" / "market=BTCUSDT").load()
    assert all(np.array_equal(getattr(tape, name), getattr(stored, name)) for name in COLUMNS)
    with pytest.raises(InputError, match="of several markets"):
        read(raw)


# Killed


CHILD = """
import os, sys
from perpsim.replay import importing
left = int(sys.argv[3])
plain = getattr(importing, sys.argv[4])
def dying(*args):
    global left
    if left == 0:
        os.kill(os.getpid(), 9)
    left -= 1
    return plain(*args)
setattr(importing, sys.argv[4], dying)
importing.import_files(sys.argv[1], sys.argv[2], workers=1)
"""


@pytest.mark.parametrize(("where", "after"), [("parse", 0), ("parse", 3), ("_write_day", 0), ("_write_day", 2)])
def test_killed_and_gone_on_with(raw, store, tmp_path, monkeypatch, where, after):
    root = tmp_path / "store"
    command = [sys.executable, "-c", CHILD, raw, root, str(after), where]
    assert subprocess.run(command, check=False).returncode == -9
    shown = list(root.glob("venue=*/**/part-*.parquet"))
    assert len(shown) == (after if where == "_write_day" else 0)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shown}
    calls = []
    plain = importing.parse
    monkeypatch.setattr(importing, "parse", lambda *args: calls.append(args) or plain(*args))
    import_files(raw, root, workers=1)
    assert len(calls) == (5 - after if where == "parse" else 0)
    assert files(root) == files(store)
    for path, (data, written) in before.items():
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (data, written)


def test_killed_inside_a_day(raw, store, tmp_path):
    """The unfinished file is hidden, and goes."""
    root = tmp_path / "store"
    child = CHILD.replace("getattr(importing, sys.argv[4])", "importing.PartWriter.finish").replace(
        "setattr(importing, sys.argv[4], dying)", "importing.PartWriter.finish = dying"
    )
    assert subprocess.run([sys.executable, "-c", child, raw, root, "1", ""], check=False).returncode == -9
    assert len([path for path in root.rglob("part-*.parquet") if open_tape(path)]) == 1
    assert list(root.rglob(".part-0.parquet.unfinished"))
    import_files(raw, root, workers=1)
    assert files(root) == files(store)


def test_runs_of_another_boot_are_read_again(raw, store, tmp_path, monkeypatch):
    """They were never forced to the disk."""
    root = tmp_path / "store"
    command = [sys.executable, "-c", CHILD, raw, root, "0", "_write_day"]
    assert subprocess.run(command, check=False).returncode == -9
    monkeypatch.setattr(importing, "BOOT", tmp_path / "absent")
    calls = []
    plain = importing.parse
    monkeypatch.setattr(importing, "parse", lambda *args: calls.append(args) or plain(*args))
    import_files(raw, root, workers=1)
    assert len(calls) == 5 and files(root) == files(store)


def test_interrupted_workers_end_and_are_gone_on_with(raw, store, tmp_path):
    """SIGTERM to the command, which has workers: it ends at once, and the rest is done the next time."""
    many = tmp_path / "many"
    many.mkdir()
    for day in range(4):
        text = TRADES + "".join(trades(day, 40_000))
        (many / f"binance-futures_trades_2023-01-0{day + 1}_BTCUSDT.csv").write_text(text)
    root = tmp_path / "store"
    command = [sys.executable, "-m", "perpsim.replay", "import", many, "-o", root, "--workers", "2", "-q"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(root.glob(f"{importing.WORK}/*/unit.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode in (143, 0) and "Traceback" not in said
    import_files(many, root, workers=1)
    import_files(many, tmp_path / "plain", workers=1)
    assert files(root) == files(tmp_path / "plain")


# What is refused, and what is left then


def test_a_damaged_file_leaves_nothing(raw, tmp_path):
    bad = tmp_path / "binance-futures_trades_2023-01-05_BTCUSDT.csv"
    bad.write_text(TRADES + "".join(trades(4)).replace(",20001.3,", ",20001.35,"))
    for workers in (1, 2):
        with pytest.raises(InputError, match=r"2023-01-05_BTCUSDT.csv, line 15: the price is 20001.35") as caught:
            import_files([raw, bad], tmp_path / "store", workers=workers)
        assert (caught.value.path, caught.value.line) == (str(bad), 15)
        assert not (tmp_path / "store").exists()


def test_a_repair_is_recorded(tmp_path):
    bad = tmp_path / "binance-futures_trades_2023-01-05_BTCUSDT.csv"
    bad.write_text(TRADES + "".join(trades(4)).replace(",20001.3,", ",20001.35,"))
    (path,) = import_files(bad, tmp_path / "store", repairs=["off-grid"], workers=1)
    facts = describe(path)
    assert (facts["rows"], facts["repairs"], facts["quality"]["dropped"]) == (49, ["off-grid"], {"off-grid": 1})
    with pytest.raises(InputError, match="no rule wish to repair by"):
        import_files(bad, tmp_path / "other", repairs=["wish"])


def test_a_day_that_is_stored_is_replaced_only_when_asked(raw, store, tmp_path):
    root = tmp_path / "store"
    import_files(raw, root, workers=1)
    again = tmp_path / "binance-futures_trades_2023-01-03_BTCUSDT.csv"
    again.write_text(TRADES + "".join(trades(2, 7)))
    with pytest.raises(InputError, match=r"day=2023-01-03/part-0.parquet: holds another recording of that day"):
        import_files(again, root, workers=1)
    assert files(root) == files(store)
    import_files(again, root, workers=1, replace=True)
    assert len(open_tape(root / "venue=binance-usdm" / "market=BTCUSDT" / "day=2023-01-03")) == 7


def test_one_import_at_a_time(raw, tmp_path):
    (tmp_path / importing.WORK).mkdir()
    with (tmp_path / importing.WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another import writes into it"):
            import_files(raw, tmp_path, workers=1)
        assert (tmp_path / importing.WORK / "lock").exists()


def test_what_cannot_be_planned(raw, tmp_path):
    path = sorted(raw.iterdir())[0]
    note, twice = tmp_path / "note.txt", tmp_path / f"copy-{path.name}"
    note.write_text("buy milk\n")
    twice.write_bytes(path.read_bytes())
    unknown = tmp_path / "binance-futures_trades_2023-01-01_XYZUSDT.csv"
    unknown.write_text(TRADES + "".join(trades(0, symbol="XYZUSDT")))
    for paths, given, said in (
        (note, None, "note.txt: is of no format that is known"),
        ([path, twice], None, "is the same file as"),
        (unknown, None, "the tick and lot of XYZUSDT on binance-usdm are not known"),
        (path, Given(reader="telex"), "no reader 'telex'"),
        (raw, Given(first=date(2024, 1, 1)), "none of the files is of the days asked for"),
    ):
        with pytest.raises(InputError, match=said):
            plan(paths, given)
    found = plan(unknown, Given(tick="0.1", lot="0.001"))
    assert found[0].instrument.facts() | {"venue": "", "symbol": ""} == {
        "venue": "", "symbol": "", "kind": "linear", "tick": "0.1", "lot": "0.001", "contract_size": "1",
    }  # fmt: skip


def test_days_of_a_range(raw, store, tmp_path):
    import_files(raw, tmp_path, Given(first=date(2023, 1, 2), last=date(2023, 1, 2)), workers=1)
    wanted = {name: data for name, data in files(store).items() if "day=2023-01-02" in name}
    assert files(tmp_path) == wanted


def test_days_and_folders_that_cannot_be(raw, tmp_path):
    turned = Given(first=date(2023, 1, 3), last=date(2023, 1, 2))
    with pytest.raises(InputError, match="the first day, 2023-01-03, is after the last, 2023-01-02; give a --from"):
        import_files(raw, tmp_path / "store", turned, workers=1)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match="file: is a file; name a folder to store the tape in"):
        import_files(raw, file, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "mine"


def test_rows_beyond_midnight_go_to_their_day(tmp_path):
    """A vendor's day is one of the recorder's clock; two of its files make three days."""
    for day in range(2):
        path = tmp_path / f"binance-futures_trades_2023-01-0{day + 1}_BTCUSDT.csv"
        path.write_text(TRADES + "".join(trades(day, 4, first_us=DAY_US - 2 * 10**6)))
    root = tmp_path / "store"
    paths = import_files(sorted(tmp_path.glob("*.csv")), root, workers=1)
    assert [(describe(path)["day"], describe(path)["rows"], len(describe(path)["sources"])) for path in paths] == [
        ("2023-01-01", 2, 1), ("2023-01-02", 4, 2), ("2023-01-03", 2, 1),
    ]  # fmt: skip


def test_the_command(raw, store, tmp_path):
    command = [sys.executable, "-m", "perpsim.replay", "import", raw, "-o", tmp_path / "store", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4 and not done.stderr
    assert files(tmp_path / "store") == files(store)
    done = subprocess.run([*command, "--from", "2025-01-01"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "none of the files is of the days asked for" in done.stderr


# Memory


MEASURE = PEAK + """
import json, sys
from perpsim.replay.importing import import_files
before = peak()
import_files(sys.argv[1], sys.argv[2], workers=1)
print(json.dumps([before, peak()]))
"""


def shuffled_day(path: Path, count: int) -> None:
    """Prints of a day in no order at all of the exchange's time, ids running on."""
    rng = np.random.default_rng(4)
    chunk = 500_000
    with path.open("w") as file:
        file.write(TRADES)
        for first in range(0, count, chunk):
            at = START_US + rng.integers(0, DAY_US, chunk)
            price = rng.integers(200_000, 210_000, chunk)
            lots = rng.integers(1, 5_000, chunk)
            rows = zip(at.tolist(), range(first, first + chunk), price.tolist(), lots.tolist(), strict=True)
            file.writelines(
                f"binance-futures,BTCUSDT,{time},{time + 900},{number},buy,{tick / 10},{lot / 1000}\n"
                for time, number, tick, lot in rows
            )


@pytest.mark.slow
def test_ten_million_rows_in_no_order_in_bounded_memory(tmp_path):
    path = tmp_path / "binance-futures_trades_2023-01-01_BTCUSDT.csv"
    shuffled_day(path, 10_000_000)
    command = [sys.executable, "-c", MEASURE, path, tmp_path / "store"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    before, peak = json.loads(done.stdout)
    assert peak < 1_000_000, f"{peak} KiB, {before} before"
    stored = open_tape(tmp_path / "store")
    assert len(stored) == 10_000_000
    last = 0
    from perpsim.replay.tape import iter_batches

    for batch in iter_batches(stored):
        assert batch["time_ns"][0] >= last and (np.diff(batch["time_ns"]) >= 0).all()
        last = batch["time_ns"][-1]
