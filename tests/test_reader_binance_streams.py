"""Binance stream captures: every message of a recording is on the tape, and nothing else."""

import gc
import gzip
import json
import os
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import pytest
from perpsim.replay import catalogue
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given
from perpsim.replay.importing import read
from perpsim.replay.readers import text
from perpsim.replay.tape import MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape

ROOT = Path(__file__).resolve().parent.parent
PAIR = [ROOT / "replay" / "recordings" / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
STREAMS = Path(os.environ.get("PERPSIM_DATA", ROOT / ".." / "shared" / "data")) / "binance-streams"
SIDES = ("b", "a")


@pytest.fixture(scope="module")
def tape() -> Tape:
    return read(PAIR)


@pytest.fixture(scope="module")
def messages() -> list[tuple[int, dict]]:
    """(receive time in us, message) of each line of the pair, read the plain way."""
    return parsed(PAIR)


@pytest.fixture(scope="module")
def head() -> list[str]:
    """The first lines of the pair: a snapshot, depth, trades, quotes and one mark."""
    with gzip.open(PAIR[0], "rt") as file:
        found = [next(file).rstrip("\n") for _ in range(120)]
    assert {"depth", "trade", "markPrice", "bookTicker"} == {line.split("@")[1].split('"')[0] for line in found[20:]}
    return found


def parsed(paths: list[Path], words: tuple[str, ...] = ("",)) -> list[tuple[int, dict]]:
    """(receive time, message) of the lines that hold one of the words."""
    text = b"".join(gzip.decompress(path.read_bytes()) for path in paths).decode()
    pairs = [line.split(" ", 1) for line in text.splitlines() if any(word in line for word in words)]
    gc.disable()  # a million small lists, none of them garbage
    try:
        return [(int(stamp), orjson.loads(body)) for stamp, body in pairs]
    finally:
        gc.enable()


def raw_books(messages, futures: bool = True):
    """Yield both sides of the book after each update from the snapshot on, as {price: size} of decimal strings."""
    snapshot = next(body for _, body in messages if "lastUpdateId" in body)
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    for _, body in messages:
        update = body.get("data", {})
        if update.get("e") != "depthUpdate" or update["u"] < snapshot["lastUpdateId"] + (not futures):
            continue
        for side in SIDES:
            book[side].update(update[side])
        yield book


def tape_books(tape: Tape):
    """Yield both sides of the book after each update on the tape, as {ticks: lots}; the snapshot is no update."""
    book = {"b": {}, "a": {}}
    snapshot = False
    rows = zip(tape.code.tolist(), tape.price.tolist(), tape.value.tolist(), strict=True)
    for code, price, value in rows:
        if code & ROW_MASK != Row.LEVEL:
            continue
        if code & SNAPSHOT and not snapshot:
            book = {"b": {}, "a": {}}
        snapshot = bool(code & SNAPSHOT)
        book["a" if code & SELL else "b"][price] = value
        if not code & (MORE | SNAPSHOT):
            yield book


def in_units(side: dict[str, str], instrument) -> dict[int, int]:
    tick, lot = Decimal(instrument.tick), Decimal(instrument.lot)
    found = {Decimal(price) / tick: Decimal(size) / lot for price, size in side.items()}
    assert all(price == int(price) and size == int(size) for price, size in found.items())
    return {int(price): int(size) for price, size in found.items() if size}


def compare_books(tape: Tape, messages, every: int) -> int:
    """Compare the book from the tape with the book from the messages after each update whose number every divides."""
    count = 0
    for ours, theirs in zip(tape_books(tape), raw_books(messages), strict=True):
        count += 1
        if count % every == 0:
            assert_same_book(ours, theirs, tape)
    return count


def assert_same_book(ours, theirs, tape: Tape) -> None:
    for side in SIDES:
        assert {price: size for price, size in ours[side].items() if size} == in_units(theirs[side], tape.instrument)


# The shipped pair


def test_book_is_the_recorded_book(tape, messages):
    assert compare_books(tape, messages, every=1500) == 16_110


def test_trades_are_the_recorded_trades(tape, messages):
    recorded = [
        (
            message["T"] * 10**6,
            stamp * 1000,
            (Row.TRADE if message["X"] == "MARKET" else Row.OFF_BOOK) | (SELL if message["m"] else 0),
            int(Decimal(message["p"]) * 10),
            int(Decimal(message["q"]) * 1000),
            message["t"],
        )
        for stamp, body in messages
        if (message := body.get("data", {})).get("e") == "trade"
    ]
    assert rows(tape, Row.TRADE, Row.OFF_BOOK) == sorted(recorded, key=lambda row: row[0])


def test_marks_are_groups_of_three(tape, messages):
    recorded = []
    for stamp, body in messages:
        message = body.get("data", {})
        if message.get("e") == "markPriceUpdate":
            at = message["E"] * 10**6, stamp * 1000
            recorded.append((*at, Row.MARK | MORE, 0, int(Decimal(message["p"]) * 10**8), 0))
            recorded.append((*at, Row.INDEX | MORE, 0, int(Decimal(message["i"]) * 10**8), 0))
            recorded.append((*at, Row.FUNDING, message["T"] * 10**6, int(Decimal(message["r"]) * 10**9), 0))
    assert rows(tape, Row.MARK, Row.INDEX, Row.FUNDING) == recorded


def rows(tape: Tape, *kinds: Row) -> list[tuple[int, ...]]:
    chosen = np.isin(tape.code & ROW_MASK, kinds)
    return list(zip(*[column[chosen].tolist() for column in tape.columns().values()], strict=True))


def test_funding_turns_at_the_settlement(tape):
    due = [row[3] for row in rows(tape, Row.FUNDING)]
    assert sorted(set(due)) == [1_680_652_800 * 10**9, 1_680_681_600 * 10**9]
    late = [row for row in rows(tape, Row.FUNDING) if row[0] > row[3]]
    assert [row[0] - row[3] for row in late] == [10_000_000]  # one mark, 10 ms late, still names the settled time


def test_off_book_print_is_kept_apart(tape):
    (found,) = rows(tape, Row.OFF_BOOK)
    assert found[2:5] == (Row.OFF_BOOK | SELL, 287_225, 1)


def test_order_of_the_rows(tape):
    rank = np.array([0, 1, 0, 2, 2, 2, 0])[tape.code & ROW_MASK]
    same = np.diff(tape.time_ns) == 0
    assert (np.diff(tape.time_ns) >= 0).all()
    assert (np.diff(rank)[same] >= 0).all()
    ends = np.flatnonzero((tape.code & MORE) == 0)
    starts = np.append(0, ends[:-1] + 1)
    assert (tape.receive_ns[starts] == tape.receive_ns[ends]).all()


def test_facts_and_quality(tape):
    assert (tape.venue, tape.market, tape.instrument.kind) == ("binance-usdm", "BTCUSDT", "linear")
    assert [source.name for source in tape.sources] == [path.name for path in PAIR]
    counts = tape.quality["counts"]
    assert {name: count for name, count in counts.items() if name.startswith("messages.")} == {
        "messages.depth": 16_110,
        "messages.trade": 12_935,
        "messages.mark": 514,
        "messages.quote": 44_205,
        "messages.snapshot": 1,
        "messages.ignored": 0,
    }
    assert {name: count for name, count in counts.items() if name.startswith("rows.")} == {
        "rows.level": 322_682 + 2_000,
        "rows.trade": 12_934,
        "rows.mark": 514,
        "rows.index": 514,
        "rows.funding": 514,
        "rows.off_book": 1,
    }
    nothing = ("gaps", "duplicate_trade_ids", "missing_trade_ids", "crossed_quotes", "empty_books")
    assert not any(counts[name] for name in nothing) and not tape.quality["dropped"]
    assert (counts["off_quote_prints"], counts["negative_latencies"]) == (3, 7_801)
    assert tape.quality["samples"]["latency_ns"]["min"] == (tape.receive_ns - tape.time_ns).min()
    assert tape.time_ns[-1] - tape.time_ns[0] == 514_229_000_000


def test_blocks_do_not_show(tape, monkeypatch):
    monkeypatch.setattr(text, "BLOCK_BYTES", 65_536)
    done = []
    again = read(PAIR, progress=lambda done_bytes, total_bytes: done.append((done_bytes, total_bytes)))
    assert (again.sha256(), again.quality) == (tape.sha256(), tape.quality)
    assert done == sorted(done) and done[-1][0] == done[-1][1] == sum(path.stat().st_size for path in PAIR)


# Other ways to write the same capture


def save(path: Path, found: list[str]) -> Path:
    path.write_text("\n".join(found) + "\n")
    return path


def respaced(line: str) -> str:
    stamp, body = line.split(" ", 1)
    return f"{stamp} {json.dumps(json.loads(body))}"


def in_nanoseconds(line: str) -> str:
    stamp, body = line.split(" ", 1)
    return f"{stamp}000 {body}"


@pytest.mark.parametrize("change", [respaced, in_nanoseconds, lambda line: line + "\r"])
def test_same_tape_from_other_spellings(tmp_path, head, change):
    expected = read(save(tmp_path / "as-recorded", head))
    assert len(expected) > 2000
    assert read(save(tmp_path / "changed", [change(line) for line in head])).sha256() == expected.sha256()


def test_mixed_decimals_are_exact(tmp_path, head):
    number = place(head, "depth")
    update = json.loads(head[number].split(" ", 1)[1])
    expected = read(save(tmp_path / "as-recorded", head)).sha256()
    for level in update["data"]["b"]:
        level[0] = level[0].rstrip("0") + "00000"
        level[1] = level[1].rstrip("0").rstrip(".")
    changed = [*head]
    changed[number] = f"{head[number].split(' ')[0]} {json.dumps(update, separators=(',', ':'))}"
    assert changed[number] != head[number]
    assert read(save(tmp_path / "changed", changed)).sha256() == expected


def test_zipped_or_plain_and_cut_in_two(tmp_path, head):
    expected = read(save(tmp_path / "whole", head)).sha256()
    (tmp_path / "one.gz").write_bytes(gzip.compress("\n".join(head[:60]).encode()))  # no line end at the end
    save(tmp_path / "two", head[60:])
    assert read([tmp_path / "one.gz", tmp_path / "two"]).sha256() == expected


def test_off_book_prints_may_lie_off_the_grid(tmp_path, head):
    changed = [*head]
    changed[place(head, "trade")] = changed[place(head, "trade")].replace('"MARKET"', '"NA"')
    number = place(head, "trade", 1)
    changed[number] = sub(changed[number], "p", "28145.13").replace('"MARKET"', '"ADL"')
    found = read(save(tmp_path / "capture", changed))
    assert [row[3] for row in rows(found, Row.OFF_BOOK)] == [281_451, 281_451]
    assert found.quality["counts"]["off_grid_off_book"] == 1


def place(found: list[str], stream: str, which: int = 0) -> int:
    """Index of a line of a stream; `snapshot` is a stream here."""
    mark = "lastUpdateId" if stream == "snapshot" else f"@{stream}"
    return [number for number, line in enumerate(found) if mark in line[:80]][which]


def sub(line: str, field: str, value) -> str:
    """The line with another value of a field of its message, or of the snapshot."""
    stamp, body = line.split(" ", 1)
    message = json.loads(body)
    message.get("data", message)[field] = value
    return f"{stamp} {json.dumps(message, separators=(',', ':'))}"


# Snapshots and gaps


def snapshot_line(messages, update_number: int) -> str:
    """A REST answer that stands for the book after an update of the pair, received with it."""
    book = next(islice(raw_books(messages), update_number, None))
    depth = [(stamp, body["data"]) for stamp, body in messages if body.get("data", {}).get("e") == "depthUpdate"]
    stamp, update = depth[update_number]
    sides = {name: [[p, q] for p, q in book[side].items() if float(q)] for name, side in (("bids", "b"), ("asks", "a"))}
    return f"{stamp} {json.dumps({'lastUpdateId': update['u'], 'T': update['T'], **sides})}"


@pytest.fixture(scope="module")
def short(messages) -> list[str]:
    """The first lines up to update 400, and in between, behind update 300, a second snapshot that is not needed."""
    with gzip.open(PAIR[0], "rt") as file:
        found = [line.rstrip("\n") for line in file]
    end, behind = place(found, "depth", 400), place(found, "depth", 300)
    return [*found[: behind + 1], snapshot_line(messages, 295), *found[behind + 1 : end + 1]]


def test_redundant_snapshot_changes_nothing(tmp_path, short):
    found = read(save(tmp_path / "capture", short))
    kept = [line for number, line in enumerate(short) if number != place(short, "snapshot", 1)]
    without = read(save(tmp_path / "other", kept))
    assert (found.quality["counts"]["snapshots"], found.quality["counts"]["redundant_snapshots"]) == (1, 1)
    assert found.sha256() == without.sha256()


def test_gap_is_refused_or_left_out(tmp_path, short, messages):
    broken = [line for number, line in enumerate(short) if number != place(short, "depth", 250)]
    path = save(tmp_path / "capture", broken)
    with pytest.raises(InputError, match=f"capture, line {place(broken, 'depth', 250) + 1}: the depth updates break"):
        read(path)
    found = read(path, repairs=["update-gap"])
    # Updates 251 to 294 follow the gap; the second snapshot holds update 295, which may come again.
    counts = found.quality["counts"]
    assert (counts["gaps"], counts["depth_after_gap"], counts["snapshots"]) == (1, 44, 2)
    same = {249: 249, 250: 295, 355: 400}  # update number on the tape, and in the recording
    assert sum(1 for _ in tape_books(found)) == 356
    for on_tape, recorded in same.items():
        ours = next(islice(tape_books(found), on_tape, None))
        theirs = next(islice(raw_books(messages), recorded, None))
        assert_same_book(ours, theirs, found)


def test_gap_without_a_later_snapshot_ends_the_book(tmp_path, head):
    broken = [line for number, line in enumerate(head) if number != place(head, "depth", 2)]
    found = read(save(tmp_path / "capture", broken), repairs=["update-gap"])
    assert (found.quality["counts"]["gaps"], sum(1 for _ in tape_books(found))) == (1, 2)


def test_updates_before_the_snapshot_are_dropped(tmp_path, head):
    # The snapshot taken as the second update's: the first is older, the second may come again.
    changed = [*head]
    update = json.loads(head[place(head, "depth", 1)].split(" ", 1)[1])["data"]
    changed[16] = head[16].replace("2710246765483", str(update["u"]))
    found = read(save(tmp_path / "capture", changed))
    assert found.quality["counts"]["depth_before_snapshot"] == 1
    first = int(np.argmax((found.code & SNAPSHOT) != 0))
    level = (found.code & ROW_MASK) == Row.LEVEL
    assert first == int(np.argmax(level)) and found.time_ns[first] <= update["T"] * 10**6


def test_without_book(tmp_path, head):
    lines = [line for line in head if "lastUpdateId" not in line]
    found = read(save(tmp_path / "capture", lines), repairs=["no-snapshot"])
    assert "rows.level" not in found.quality["counts"] and found.quality["counts"]["rows.trade"] > 10


def test_small_step_back_in_time_is_raised_and_counted(tmp_path, head):
    changed = [*head]
    number = place(head, "depth", 3)
    before = json.loads(head[place(head, "depth", 2)].split(" ", 1)[1])["data"]["T"]
    changed[number] = sub(head[number], "T", before - 5)
    found = read(save(tmp_path / "capture", changed))
    assert found.quality["counts"]["book_time_regressions"] == 1
    changed[number] = sub(head[number], "T", before - 2000)
    with pytest.raises(InputError, match=f"line {number + 1}: the time of the book runs back by 2.000 s"):
        read(save(tmp_path / "capture", changed))


# Whose facts are used


def test_unknown_market_says_what_to_give(tmp_path, head):
    path = save(tmp_path / "capture", [line.replace("BTCUSDT", "XYZUSDT") for line in head])
    with pytest.raises(InputError, match="tick and lot of XYZUSDT on binance-usdm are not known"):
        read(path)
    given = Given(tick="0.05", lot="0.0005")
    found = read(path, given)
    assert found.instrument == catalogue.Instrument("binance-usdm", "XYZUSDT", "linear", "0.05", "0.0005")
    assert [row[3] for row in rows(found, Row.TRADE)][:1] == [281_451 * 2]
    with pytest.raises(InputError, match="the message is of BTCUSDT, but this is a tape of XYZUSDT"):
        read(save(tmp_path / "other", head), Given(symbol="XYZUSDT", tick="0.05", lot="0.0005"))


# Recordings that are not shipped


OTHERS = [
    (("btcusdt_20240718.gz", "btcusdt_20240719.gz"), "binance-usdm", 9_022 - 5, 10_701),
    (("ethusdt_20240718.gz", "ethusdt_20240719.gz"), "binance-usdm", 8_929 - 5, 13_655),
    (("btcusd_perp_20240808.gz", "btcusd_perp_20240809.gz"), "binance-coinm", 44_795 - 23, 5_235),
    (("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"), "binance-spot", 6_495 - 2, 19_904),
]


@pytest.mark.parametrize(("names", "venue", "updates", "trades"), OTHERS, ids=[row[0][0] for row in OTHERS])
def test_other_recordings(names, venue, updates, trades):
    paths = [STREAMS / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip(f"{STREAMS} does not hold the recording; PERPSIM_DATA names the folder of recordings")
    found = read(paths)
    assert (found.venue, found.quality["counts"]["rows.trade"], found.quality["counts"]["gaps"]) == (venue, trades, 0)
    assert found.quality["counts"]["negative_latencies"] > 0  # these recorders' clocks were over a second behind
    level = (found.code & ROW_MASK) == Row.LEVEL
    assert int((level & (found.code & (MORE | SNAPSHOT) == 0)).sum()) == updates
    *_, last = raw_books(parsed(paths, ("depthUpdate", "lastUpdateId")), venue != "binance-spot")
    asks = (found.code & SELL) != 0
    ours = {
        name: dict(zip(found.price[side].tolist(), found.value[side].tolist(), strict=True))
        for name, side in (("b", level & ~asks), ("a", level & asks))
    }
    assert_same_book(ours, last, found)


def test_spot_without_a_snapshot():
    path = STREAMS / "spot_btcusdt_20230405.dat.gz"
    if not path.exists():
        pytest.skip(f"{STREAMS} does not hold the recording; PERPSIM_DATA names the folder of recordings")
    with pytest.raises(InputError, match="holds no depth snapshot, so the book cannot be built"):
        read(path)
    assert read(path, repairs=["no-snapshot"]).quality["counts"]["rows.trade"] == 3_144
