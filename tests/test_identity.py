"""The engine's book equals the recorded one; and the comparison would notice if it did not."""

import importlib
import subprocess
import sys

import identities
import identity
import numpy as np
import orjson
import pytest
import raw_books
from perpsim.replay import importing
from perpsim.replay.import_plan import Given
from reader_samples import SAMPLES
from tape_commands import PAIR, ROOT

importlib.import_module("reader_samples_venues")  # adds its samples
OF_BOOKS = [each for each in SAMPLES if each.reader in raw_books.OF_READER]
TABLE = {row.split(" | ")[0].strip("| "): row for row in (ROOT / "docs" / "IDENTITIES.md").read_text().split("\n")}
CAPTURES = {  # of the recordings that do not ship: files, number of updates to compare
    "btcusdt-2024": ("btcusdt_20240718.gz", 400),
    "ethusdt-2024": ("ethusdt_20240718.gz", 400),
    "coin-margined": ("btcusd_perp_20240808.gz", 400),
    "spot": ("spot_btcusdt_20240808.gz", 400),
}


def test_shipped_pair():
    assert identity.compare(PAIR, 2_000) == (2_000, 0)


def test_the_whole_shipped_pair():
    assert identity.compare(PAIR) == (16_110, 0)


@pytest.mark.parametrize(("name", "updates"), CAPTURES.values(), ids=CAPTURES)
def test_other_captures(recorded, name, updates):
    assert identity.compare([recorded("binance-streams", name)], updates) == (updates, 0)


def stored(folder, given) -> tuple:
    """(the file of a sample, what is known of its market)"""
    path = folder / given.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data)
    facts = given.instrument
    return path, Given(
        venue=facts.venue, symbol=facts.symbol, tick=facts.tick, lot=facts.lot, kind=facts.kind,
        contract_size=facts.contract_size,
    )  # fmt: skip


@pytest.mark.parametrize("given", OF_BOOKS, ids=str)
def test_a_small_file_of_every_format(given, tmp_path):
    path, facts = stored(tmp_path, given)
    updates, mismatches = identity.compare([path], None, facts)
    assert updates > 0 and mismatches == 0


def test_every_reader_of_levels_has_one():
    """Binance's has the recording that ships, Databento's are made by its own library."""
    assert set(raw_books.OF_READER) - {each.reader for each in OF_BOOKS} == {
        "binance-streams", "databento-mbp-1", "databento-mbp-10"
    }  # fmt: skip


def test_a_tape_in_memory_can_be_fed_to_a_kernel(tmp_path):
    for given in OF_BOOKS:
        path, facts = stored(tmp_path, given)
        assert all(column.flags.c_contiguous for column in importing.read([path], facts).columns().values())


@pytest.mark.slow
@pytest.mark.unshadowed("many engines, each of thousands of messages")
def test_the_shipped_recording_as_events():
    assert identities.of_shipped(identities.AS_EVENTS) == TABLE[identities.AS_EVENTS]


SHORT = [name for name, each in identities.RECORDINGS.items() if not each.long]


@pytest.mark.unshadowed("many engines, each of thousands of messages")
@pytest.mark.parametrize("name", SHORT)
def test_recordings_of_the_table(recorded, name):
    paths = [recorded(*file.split("/")) for file in identities.RECORDINGS[name].files]
    if name.startswith("Databento"):
        pytest.importorskip("databento_dbn")
    depth = len(identities.RECORDINGS[name].files[0].split("/"))
    assert identities.of_others(name, paths[0].parents[depth - 1]) == TABLE[name]


@pytest.mark.unshadowed("many engines, each of thousands of messages")
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*identities.RECORDINGS} - {*SHORT}))
def test_long_recordings_of_the_table(recorded, name):
    paths = [recorded(*file.split("/")) for file in identities.RECORDINGS[name].files]
    assert identities.of_others(name, paths[0].parents[1]) == TABLE[name]


def test_the_table_is_of_all_recordings():
    assert {identities.SHIPPED, identities.AS_EVENTS, *identities.RECORDINGS} <= TABLE.keys()


def books(action: str, **data) -> dict:
    return {"arg": {"channel": "books", "instId": "X"}, "action": action, "data": [data]}


def of_bitmex(action: str, *levels: tuple) -> dict:
    names = ("id", "side", "size", "price")
    data = [{"symbol": "X"} | dict(zip(names, level, strict=False)) for level in levels]
    return {"table": "orderBookL2", "action": action, "data": data}


def of_deribit(kind: str, bids: list, asks: list) -> dict:
    data = {"type": kind, "instrument_name": "X", "bids": bids, "asks": asks}
    return {"params": {"channel": "book.X.raw", "data": data}}


def of_old_bybit(kind: str, data) -> dict:
    return {"topic": "orderBookL2_25.X", "type": kind, "data": data}


def of_binance(first: int, last: int, bids: list, asks: list) -> dict:
    data = {"e": "depthUpdate", "s": "X", "U": first, "u": last, "pu": first - 1, "b": bids, "a": asks}
    return {"stream": "x@depth", "data": data}


CAPTURED = {  # messages of captures that no reader takes, written here: a book of each venue and a change
    "okx": (
        books("snapshot", asks=[["5.2", "60", "0", "1"]], bids=[["5.1", "7", "0", "1"]]),
        books("update", asks=[["5.2", "0", "0", "0"]], bids=[]),
    ),
    "bitmex": (
        of_bitmex("partial", (1, "Sell", 30, 0.00010699), (2, "Buy", 20, 0.0001)),
        of_bitmex("delete", (1, "Sell")),
    ),
    "kraken": (
        {"feed": "book_snapshot", "product_id": "X", "bids": [{"price": 439.3, "qty": 20.0}],
         "asks": [{"price": 440.0, "qty": 3.0}]},
        {"feed": "book", "product_id": "X", "side": "sell", "price": 440.0, "qty": 0.0},
    ),
    "deribit": (
        of_deribit("snapshot", [["new", 0.0015, 4714.0]], [["new", 0.002, 1.0]]),
        of_deribit("change", [], [["delete", 0.002, 0.0]]),
    ),
    "bybit, once": (
        of_old_bybit("snapshot", [{"price": "7.9", "side": "Buy", "size": 4},
                                  {"price": "8.1", "side": "Sell", "size": 5}]),
        of_old_bybit("delta", {"delete": [{"price": "8.1", "side": "Sell"}], "update": [], "insert": []}),
    ),
    "binance": (
        {"lastUpdateId": 5, "bids": [["7.6", "6"]], "asks": [["7.7", "1"]]},
        of_binance(1, 4, [["9", "9"]], []),
        of_binance(5, 9, [], [["7.7", "0"]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("venue", CAPTURED)
def test_captures_that_no_reader_takes(venue, tmp_path):
    """The change takes the best ask away, so a book that missed it would differ."""
    request = b"https://x/depth?symbol=X&limit=10 -> " if venue == "binance" else b""
    texts = [b"1.5: " + orjson.dumps(each) for each in CAPTURED[venue]]
    (tmp_path / "capture").write_bytes(request + b"\n".join(texts) + b"\n")
    (found,) = identity.compared([tmp_path / "capture"])
    assert found == ("X", identity.WEBSOCKETS, 1 if venue == "binance" else 2, 0)
    (messages,) = raw_books.captured([tmp_path / "capture"]).values()
    halves = identity.Half(1, 1), identity.Half(1, 1)
    for message in messages:
        for half, levels in zip(halves, message[1:3], strict=True):
            half.take(levels, message.snapshot)
    assert len(halves[0].prices) == 1 and len(halves[1].prices) == 0


def test_a_change_that_is_lost_is_noticed(tmp_path, monkeypatch, capsys):
    """The rows that go to the engine lack the change."""
    lose = identity.rows_of
    monkeypatch.setattr(
        identity, "rows_of", lambda message, *more: lose(message._replace(asks=[["5.3", "1"]]), *more)
    )
    texts = [b"1.5: " + orjson.dumps(each) for each in CAPTURED["okx"]]
    (tmp_path / "capture").write_bytes(b"\n".join(texts) + b"\n")
    (found,) = identity.compared([tmp_path / "capture"])
    assert found.mismatches == 2 and "the books differ" in capsys.readouterr().out


def test_the_tool_says_so_and_refuses_bad_files(tmp_path):
    command = [sys.executable, "-m", "tests.identity"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage" in done.stderr
    (tmp_path / "x").write_text("nonsense\n")
    done = subprocess.run([*command, tmp_path / "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "is of no format that is known" in done.stderr


def test_one_wrong_level_is_noticed(monkeypatch, capsys):
    """One lot more at one level of one message: the books differ until the level is named again."""
    read = identity.importing.read

    def tampered(paths, given=None):
        tape = read(paths, given)
        end = identity.message_ends(tape)[20]
        value = tape.value.copy()
        value[end - 1] += 1
        return type(tape)(**{**vars(tape), "value": value})

    monkeypatch.setattr(identity.importing, "read", tampered)
    updates, mismatches = identity.compare(PAIR[:1], 60)
    assert updates == 60
    assert 0 < mismatches <= 41
    assert "update 20: the books differ" in capsys.readouterr().out


class TestReferenceBook:
    def test_levels_come_and_go(self):
        half = identity.Half(identity.UNIT // 10, identity.UNIT // 1000)
        half.take([["100.1", "1"], ["100.3", "2.5"]], snapshot=True)
        half.take([["100.2", "3"], ["100.1", "0"], ["99.0", "0.000"]], snapshot=False)
        assert half.prices.tolist() == [1002, 1003]
        assert half.sizes.tolist() == [3000, 2500]
        half.take([["5", "1"]], snapshot=True)
        assert half.prices.tolist() == [50]

    @pytest.mark.parametrize("text", ["100.15", "1.000000001", "0.0000000000001"])
    def test_off_the_grid_is_refused(self, text):
        with pytest.raises(ValueError, match=r"not a multiple|twelve decimals"):
            identity.steps(text, identity.UNIT // 10)

    def test_rules_of_the_venues(self):
        assert raw_books.counts({"u": 5, "pu": 4}, 5) and not raw_books.counts({"u": 4, "pu": 3}, 5)
        assert raw_books.counts({"u": 6}, 5) and not raw_books.counts({"u": 5}, 5)


def test_arrays_are_compared_whole():
    """Two books that agree at the top and differ far below are different."""
    engine = type(
        "Engine", (), {"book": lambda self, market, side: np.array([[2, 1], [1, 1]])[:: 1 if side == 0 else -1]}
    )()
    halves = identity.Half(1, 1), identity.Half(1, 1)
    for half in halves:
        half.prices, half.sizes = np.array([1, 2]), np.array([1, 1])
    assert identity.same(engine, halves)
    halves[1].sizes = np.array([1, 9])
    assert not identity.same(engine, halves)
