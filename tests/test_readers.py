"""What every reader of tick files owes, tried on a small file of each format; and real recordings where they are."""

import gzip
import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from perpsim.replay import importing
from perpsim.replay.bars import ROWS_A_BAR
from perpsim.replay.catalogue import Instrument, instrument
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given, plan
from perpsim.replay.readers import READERS, text
from perpsim.replay.readers.contract import Rows, SourceFile, sources
from perpsim.replay.readers.databento import DATABENTO
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SNAPSHOT, Row
from reader_samples import ASK, BID, SAMPLES, Damage, Sample, T
from reader_samples_venues import BOTH, BOUGHT, SOLD
from reader_samples_venues import npy as events

EVENT = BOTH | BOUGHT | 2  # of hftbacktest: a trade
# readers with tests of their own
ELSEWHERE = {"binance-streams", "bitstamp-l3", "lobster"} | {each.name for each in DATABENTO}
COLUMN_NAMES = (*COLUMNS, "line")
each_sample = pytest.mark.parametrize("given", SAMPLES, ids=str)


def stored(folder: Path, given: Sample, data: bytes | None = None, suffix: str = "") -> SourceFile:
    path = folder / f"{given.file}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data if data is None else data)
    (source,) = sources(path)
    return source


def read(given: Sample, source: SourceFile, findings: Findings | None = None) -> list[Rows]:
    findings = Findings() if findings is None else findings
    return list(READERS[given.reader].rows([source], given.instrument, findings))


def columns(blocks: list[Rows]) -> dict[str, list[int]]:
    return {name: [int(value) for block in blocks for value in getattr(block, name)] for name in COLUMN_NAMES}


@each_sample
def test_one_reader_recognises_a_file_and_says_whose_it_is(given, tmp_path):
    source = stored(tmp_path, given)
    assert [name for name, reader in READERS.items() if reader.recognises(source)] == [given.reader]
    assert READERS[given.reader].market(source) == given.market
    assert READERS[given.reader].title


def test_every_reader_has_a_sample():
    assert set(READERS) - {each.reader for each in SAMPLES} <= ELSEWHERE


@each_sample
def test_rows_are_what_the_file_says(given, tmp_path):
    found = columns(read(given, stored(tmp_path, given)))
    assert list(zip(found["code"], found["price"], found["value"], found["id"], strict=True)) == given.rows
    if given.rows:
        assert (found["time_ns"][0], found["receive_ns"][0]) == (given.time_ns, given.receive_ns)


@each_sample
def test_blocks_have_the_shape_of_the_contract(given, tmp_path):
    for block in read(given, stored(tmp_path, given)):
        assert_shape(block)


def assert_shape(block: Rows, positive: bool = True) -> None:
    """Columns of their types and one length; whole messages of one time, in the order of the file; known codes.

    That prices and sizes are above zero is checked of every reader's rows later on.
    """
    count = len(block.line)
    assert count
    for name, dtype in COLUMNS.items():
        column = getattr(block, name)
        assert column.dtype == dtype and column.shape == (count,), name
    kind, more = block.code & ROW_MASK, (block.code & MORE) != 0
    assert set(kind.tolist()) <= set(Row) and not more[-1]
    assert (np.diff(block.line) >= 0).all() and block.line[0] >= 1
    inside = more[:-1]
    assert (np.diff(block.time_ns)[inside] == 0).all() and (np.diff(block.receive_ns)[inside] == 0).all()
    assert ((block.code & SNAPSHOT) == 0)[kind != Row.LEVEL].all()
    if not positive:
        return
    printed = np.isin(kind, (Row.TRADE, Row.OFF_BOOK, Row.LIQUIDATION))
    assert (block.price[printed] > 0).all() and (block.value[printed] > 0).all()
    assert (block.value[kind == Row.LEVEL] >= 0).all()


@each_sample
def test_rows_do_not_depend_on_the_size_of_blocks(given, tmp_path, monkeypatch):
    source = stored(tmp_path, given)
    whole, counts = read(given, source, first := Findings()), first.quality()
    for size in (1, 50, 300):
        monkeypatch.setattr(text, "BLOCK_BYTES", size)
        blocks = read(given, source, findings := Findings())
        for block in blocks:
            assert_shape(block)
        assert columns(blocks) == columns(whole)
        assert findings.quality() == counts


def zipped(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return packed.getvalue()


def with_arrow(kind: str, data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@each_sample
def test_packing_makes_no_difference(given, tmp_path):
    plain = columns(read(given, stored(tmp_path, given)))
    name = given.file.rpartition("/")[2]
    packings = {
        ".gz": gzip.compress(given.data),
        ".zip": zipped(name, given.data),
        ".zst": with_arrow("zstd", given.data),
        ".lz4": with_arrow("lz4", given.data),
    }
    for suffix, data in packings.items():
        source = stored(tmp_path, given, data, suffix)
        assert READERS[given.reader].recognises(source), suffix
        assert READERS[given.reader].market(source) == given.market
        assert columns(read(given, source)) == plain, suffix


def test_line_ends_of_windows_make_no_difference(tmp_path):
    for given in SAMPLES:
        if given.file.endswith(".csv"):
            plain = columns(read(given, stored(tmp_path, given)))
            assert columns(read(given, stored(tmp_path, given, given.data.replace(b"\n", b"\r\n")))) == plain


DAMAGES = [(given, damage) for given in SAMPLES for damage in given.damage]


@pytest.mark.parametrize(
    ("given", "damage"), DAMAGES, ids=[f"{given}-{damage.line}-{damage.rule}" for given, damage in DAMAGES]
)
def test_a_damaged_line_is_named(given, damage, tmp_path):
    """On import it is refused; when its rule is repaired it is left out and counted; a check records it and goes on"""
    source = stored(tmp_path, given, damaged(given.data, damage))
    with pytest.raises(InputError, match=re.escape(f"{source.place}, line {damage.line}: ")) as refused:
        read(given, source)
    assert refused.value.line == damage.line and str(refused.value).count("\n") == 0
    whole = columns(read(given, stored(tmp_path, given)))
    source = stored(tmp_path, given, damaged(given.data, damage))
    for findings in (Findings(repairs=[damage.rule]), Findings(record=True)):
        left = columns(read(given, source, findings))
        assert findings.dropped == Counter({damage.rule: 1})
        assert [(found.rule, found.line) for found in findings.found] == [(damage.rule, damage.line)] * findings.record
        assert len(left["line"]) == len(whole["line"]) - damage.rows
        assert {*zip(left["line"], left["price"], strict=True)} <= {*zip(whole["line"], whole["price"], strict=True)}


def damaged(data: bytes, damage: Damage) -> bytes:
    lines = data.split(b"\n")
    assert damage.old in lines[damage.line - 1]
    lines[damage.line - 1] = lines[damage.line - 1].replace(damage.old, damage.new, 1)
    return b"\n".join(lines)


@each_sample
def test_every_sample_can_be_imported(given, tmp_path):
    """The rows pass the gate that all rows pass, and stand on the tape in order of time."""
    path = stored(tmp_path, given).path
    if not given.rows:
        with pytest.raises(InputError, match="no rows"):
            importing.read(path, asked(given))
        return
    tape = importing.read(path, asked(given))
    assert tape.instrument == given.instrument
    found = zip(*(getattr(tape, name).tolist() for name in ("code", "price", "value", "id")), strict=True)
    assert Counter(found) == Counter((int(code), *numbers) for code, *numbers in given.rows)
    assert (np.diff(tape.time_ns) >= 0).all()


def asked(given: Sample) -> Given:
    """What a user would have to say of a sample to have its rows; its reader is told from the file."""
    facts = given.instrument
    return Given(None, facts.venue, facts.symbol, facts.tick, facts.lot, facts.kind, facts.contract_size)


# What only some formats have

OF_MANY_MARKETS = {
    "bitmex-trades": ["ETHUSD", "XBTUSD"],
    "bitmex-quotes": ["XBTUSD"],
    "okx-trades": ["BTC-USDT-SWAP", "ETH-USDT-SWAP"],
    "okx-funding": ["BTC-USDT-SWAP", "ETH-USDT-SWAP"],
    "bybit-stream": ["BTCUSDT", "BTCUSDT"],
    "hyperliquid-fills": ["BTC", "ETH"],
}


@pytest.mark.parametrize("given", [each for each in SAMPLES if each.reader in OF_MANY_MARKETS], ids=str)
def test_files_of_many_markets_name_them_all(given, tmp_path):
    found = READERS[given.reader].markets(stored(tmp_path, given))
    assert [market.symbol for market in found] == OF_MANY_MARKETS[given.reader]
    assert {market.day for market in found} == {given.market.day}
    assert given.market in found


def test_all_readers_of_many_markets_were_asked():
    asked = {name for name, reader in READERS.items() if hasattr(reader, "markets")}
    assert {name for name in asked if not name.startswith("tardis-")} == set(OF_MANY_MARKETS)


def test_markets_are_imported_each_for_itself(tmp_path):
    (given,) = [each for each in SAMPLES if each.reader == "okx-funding"]
    path = stored(tmp_path, given).path
    units = plan(path, Given(tick="0.1", lot="0.1", kind="linear"))
    assert [unit.instrument.symbol for unit in units] == ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]
    with pytest.raises(InputError, match="holds no rows of XRP; it has BTC-USDT-SWAP, ETH-USDT-SWAP"):
        plan(path, Given(symbol="XRP"))


def test_a_file_that_does_not_say_its_market_is_asked_for_it(tmp_path):
    (given,) = [each for each in SAMPLES if each.reader == "hftbacktest"]
    with pytest.raises(InputError, match="give --venue and --market"):
        plan(stored(tmp_path, given).path)


def test_a_vendors_file_of_all_perpetuals(tmp_path):
    """The rows of one market are those that its own file would have."""
    given = SAMPLES[0]
    lines = given.data.split(b"\n")
    other = [re.sub(rb",36[0-9.]*", b",7.1234567890", line.replace(b"BTCUSDT", b"ETHUSDT")) for line in lines[1:]]
    mixed = b"\n".join([lines[0], *(line for pair in zip(lines[1:], other, strict=True) for line in pair if line), b""])
    source = stored(tmp_path, given._replace(file="binance-futures_trades_2023-11-14_PERPETUALS.csv"), mixed)
    assert [market.symbol for market in READERS[given.reader].markets(source)] == ["BTCUSDT", "ETHUSDT"]
    single, found = columns(read(given, stored(tmp_path, given))), columns(read(given, source))
    assert found.pop("line") == [2, 4, 6, 8] and single.pop("line")
    assert found == single


def test_a_capture_says_the_steps_of_its_markets(tmp_path):
    (given,) = [each for each in SAMPLES if each.reader == "bybit-stream"]
    reader, source = READERS["bybit-stream"], stored(tmp_path, given)
    linear, spot = sorted(reader.markets(source))
    assert reader.instrument(source, linear) == Instrument("bybit", "BTCUSDT", "linear", "0.1", "0.001")
    assert reader.instrument(source, spot) is None


def test_files_are_read_one_after_the_other(tmp_path):
    """Each stands alone unless the reader joins them: ids and books start anew."""
    for given in SAMPLES:
        reader, source = READERS[given.reader], stored(tmp_path, given)
        once = columns(read(given, source))
        twice = columns(list(reader.rows([source, source], given.instrument, Findings())))
        assert all(column == 2 * once[name] for name, column in twice.items()), str(given)


def test_events_of_another_layout_are_refused(tmp_path):
    (given,) = [each for each in SAMPLES if each.reader == "hftbacktest"]
    wrong = np.zeros(2, [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8")])
    np.save(tmp_path / "other.npy", wrong)
    cases = {
        "not of the events of version 2": (tmp_path / "other.npy").read_bytes(),
        "is cut short": given.data[:-1],
        "holds events of single orders": events([(EVENT | 10, T, T, 1.0, 1.0)]),
    }
    for sentence, data in cases.items():
        with pytest.raises(InputError, match=sentence):
            read(given, stored(tmp_path, given, data))


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ((EVENT, T, T, 36500.12, 1.0), "off-grid"),
        ((EVENT, T, T, float("nan"), 1.0), "bad-price"),
        ((EVENT, T, T, 36500.1, float("inf")), "bad-size"),
        ((EVENT & ~BOUGHT, T, T, 36500.1, 1.0), "bad-side"),
        ((EVENT | 3, T, T, 36500.12, 0.0), "off-grid"),
    ],
)
def test_a_damaged_event_is_named(event, rule, tmp_path):
    (given,) = [each for each in SAMPLES if each.reader == "hftbacktest"]
    source = stored(tmp_path, given, events([(EVENT, T, T, 36500.1, 1.0), event]))
    with pytest.raises(InputError, match="line 2: "):
        read(given, source)
    assert columns(read(given, source, findings := Findings(record=True)))["line"] == [1]
    assert [(found.rule, found.line) for found in findings.found] == [(rule, 2)]


# Damage of any kind


@each_sample
def test_no_damage_gets_past_a_reader(given, tmp_path):
    """Bytes changed, lost and put in: rows have their shape, or one sentence names the file."""
    numbers = np.random.Generator(np.random.Philox(sum(given.data)))
    for _ in range(60):
        data = bytearray(given.data)
        for place, value, how in numbers.integers(0, (len(data), 256, 3), size=(numbers.integers(1, 4), 3)).tolist():
            data[place : place + (how > 0)] = bytes([value]) if how < 2 else b""
        source = stored(tmp_path, given, bytes(data))
        findings = Findings(record=True)
        try:
            if READERS[given.reader].recognises(source):
                READERS[given.reader].market(source)
            blocks = read(given, source, findings)
        except InputError as error:
            assert str(error).startswith(str(source.path)) and "\n" not in str(error)
            continue
        for block in blocks:
            assert_shape(block, positive=False)
        assert all("\n" not in found.sentence for found in findings.found)


@each_sample
def test_a_file_that_is_cut_short_is_refused(given, tmp_path):
    data = gzip.compress(given.data * 200 if given.reader != "hftbacktest" else given.data)
    source = stored(tmp_path, given, data[: len(data) // 2], ".gz")
    with pytest.raises(InputError, match=re.escape(f"{source.path}")):
        read(given, source, Findings(record=True))


def test_the_catalogue_knows_markets_by_day():
    """The tick of BTCUSDT grew tenfold; what is asked without a day is what holds now."""
    days = ("2020-02-22", "2021-12-31", "2022-01-01", None)
    ticks = [instrument("binance-usdm", "BTCUSDT", day).tick for day in days]
    assert ticks == ["0.01", "0.01", "0.1", "0.1"]


# Recordings, where they are


def import_all(paths: list[Path]) -> dict[str, tuple[int, Findings]]:
    """(rows, findings) of each file, by its name, with the market's facts from the catalogue; findings are recorded."""
    found = {}
    for source in sources(paths):
        (reader,) = [each for each in READERS.values() if each.recognises(source)]
        market = reader.market(source)
        findings, count = Findings(record=True), 0
        for block in reader.rows([source], instrument(*market), findings):
            assert_shape(block)
            count += len(block.line)
        found[source.name] = count, findings
    return found


def test_tardis_samples(recorded):
    """Every row is on the grid that the catalogue says, and nothing is found."""
    files = sorted(recorded("tardis-samples").glob("*.csv*"))
    found = import_all([path for path in files if "options" not in path.name])
    assert all(not findings.found for _, findings in found.values())
    assert {name.partition("_2020")[0].removesuffix(".csv"): count for name, (count, _) in found.items()} == {
        "binance-futures_book_snapshot_25_BTCUSDT": 500,
        "binance-futures_book_snapshot_5_BTCUSDT": 100,
        "binance-futures_quotes": 2 * 9_999,
        "binance-futures_trades": 9_999,
        "bitmex_trades_XBTUSD": 10,
        "deribit_incremental_book_L2_BTC-PERPETUAL": 15,
        "huobi-dm-swap_quotes_BTC-USD": 20,
    }


def test_the_crash_of_october_2025(recorded):
    """Seven markets of COIN-M: the holes in their trade ids are fills off the book, and when they were."""
    found = import_all(sorted(recorded("oct10-trades", "coinm").glob("*.csv.gz")))
    assert all(not findings.found for _, findings in found.values())
    fills = {
        name.split("_")[3]: (count, findings.counts["off_book_fills"]) for name, (count, findings) in found.items()
    }
    assert fills == {
        "AVAXUSD": (137_632, 1_295),
        "BCHUSD": (206_692, 92),
        "DOTUSD": (206_062, 2_937),
        "ETCUSD": (216_608, 901),
        "FILUSD": (147_888, 2_530),
        "TRXUSD": (60_772, 10),
        "WLDUSD": (259_547, 979),
    }
    for _, findings in found.values():
        minutes = {name.split()[1]: n for name, n in findings.counts.items() if name.startswith("off_book_fills ")}
        assert sum(minutes.values()) == findings.counts["off_book_fills"]
        worst = max(minutes, key=minutes.get)
        assert "2025-10-10T21:13" <= worst <= "2025-10-10T22:10"


def test_spot_trades_of_october_2025(recorded):
    found = import_all(sorted(recorded("oct10-trades", "spot").glob("*.csv.gz")))
    assert all(not findings.found for _, findings in found.values())
    assert sum(count for count, _ in found.values()) == 600_457


def test_binance_vision_of_october_2025(recorded):
    """The depth file stood still for three hours, and one of its lines is damaged."""
    found = import_all(sorted(recorded("oct10-trades", "vision").glob("*[zg][iz]*")))
    depth = found.pop("BTCUSDT-bookDepth-2025-10-10.csv.gz")[1]
    assert all(not findings.found for _, findings in found.values())
    assert {name: count for name, (count, _) in found.items()} == {
        "BTCUSDC-aggTrades-2025-10-04.csv": 140_489,
        "BTCUSDC-aggTrades-2025-10-08.csv": 256_978,
        "BTCUSD_PERP-1m-2025-10-09.csv": ROWS_A_BAR * 1_440,
        "BTCUSD_PERP-1m-2025-10-10.csv": ROWS_A_BAR * 1_440,
    }
    assert [(finding.rule, finding.line) for finding in depth.found] == [("unreadable", 25_883)]
    assert depth.percentiles("depth_band_unchanged_ns")["max"] == 11_336 * 10**9


def test_bybit_capture(recorded):
    """Two thirds of a minute of six markets: no update is lost, no book crosses, all is on the file's own grid."""
    (source,) = sources(recorded("raw-websocket", "BYBIT.jsonl.zst"))
    reader = READERS["bybit-stream"]
    found = {}
    for market in reader.markets(source):
        findings = Findings(record=True)
        facts = reader.instrument(source, market)
        assert facts == instrument(*market)
        blocks = list(reader.rows([source], facts, findings))
        assert not findings.found
        assert crossings(blocks) == 0
        kinds = Counter(Row(kind).name for block in blocks for kind in (block.code & ROW_MASK).tolist())
        found[market.venue, market.symbol] = kinds["LEVEL"] > 0, kinds["TRADE"], kinds["MARK"]
    assert found == {
        ("bybit", "BTCUSDT"): (True, 56, 42),
        ("bybit", "DOGEUSDT"): (True, 83, 7),
        ("bybit", "ETHUSDT"): (True, 23, 10),
        ("bybit", "SOLUSDT"): (True, 165, 30),
        ("bybit-spot", "BTCUSDT"): (True, 11, 0),
        ("bybit-spot", "ETHUSDT"): (True, 9, 0),
    }


def crossings(blocks: list[Rows]) -> int:
    """After how many messages the best bid stood at or above the best ask."""
    sides: tuple[dict, dict] = {}, {}
    count, opened = 0, False
    for block in blocks:
        levels = (block.code & ROW_MASK) == Row.LEVEL
        rows = (column[levels].tolist() for column in (block.code, block.price, block.value))
        for code, price, value in zip(*rows, strict=True):
            if code & SNAPSHOT and not opened:
                sides = {}, {}
            opened = bool(code & SNAPSHOT and code & MORE)
            sides[code >> 4 & 1][price] = value
            if not value:
                del sides[code >> 4 & 1][price]
            if not code & MORE and all(sides):
                count += max(sides[0]) >= min(sides[1])
    return count


def test_hyperliquid_capture(recorded):
    found = import_all([recorded("binance-streams", "hyperliquid", "btcusd_20250126.gz")])
    ((count, findings),) = found.values()
    assert count == 46 * 40 + 64 and not findings.found


def test_the_page_of_formats_names_every_reader(root):
    text_of_page = (root / "docs" / "FORMATS.md").read_text("utf-8")
    named = set(re.findall(r"^\| (`[^|]*`) \|", text_of_page, re.MULTILINE))
    names = {name for cell in named for name in re.findall(r"`([^`]*)`", cell)}
    names |= {f"tardis-book-snapshot{name}" for name in names if name.startswith("-")}
    assert not set(READERS) - ELSEWHERE - names, "docs/FORMATS.md lacks them"


@pytest.mark.parametrize(
    ("flags", "price", "gone"),
    [
        (BOUGHT, 36500.0, [(BID, 365001), (BID, 365000)]),
        (BOUGHT, 0.0, [(BID, 365001), (BID, 365000), (BID, 364990)]),
        (SOLD, 36500.3, [(ASK, 365002), (ASK, 365003)]),
        (SOLD, float("nan"), [(ASK, 365002), (ASK, 365003), (ASK, 365100)]),
    ],
)
def test_hftbacktest_clears_of_one_side(tmp_path, flags, price, gone):
    """They empty it from the best price up to the given one; the other side and what lies beyond stay."""
    bids, asks = (36500.1, 36500.0, 36499.0, 36498.0), (36500.2, 36500.3, 36510.0)
    made = [(BOTH | BOUGHT | 4, T, T + 5, each, 1.0) for each in bids]
    made += [(BOTH | SOLD | 4, T, T + 5, each, 1.0) for each in asks]
    made += [(BOTH | BOUGHT | 1, T + 1, T + 6, 36498.0, 0.0), (BOTH | flags | 3, T + 2, T + 7, price, 0.0)]
    given = next(each for each in SAMPLES if each.reader == "hftbacktest")
    found = columns(read(given, stored(tmp_path, given, events(made))))
    rows = list(zip(found["code"], found["price"], found["value"], strict=True))[8:]
    assert sorted((code & ~MORE, ticks) for code, ticks, _ in rows) == sorted(gone)
    assert not any(size for _, _, size in rows) and [code & MORE for code, _, _ in rows][-1] == 0


def test_hftbacktest_a_side_is_cleared_and_given_anew(tmp_path):
    """Its new levels are no whole book: the other side stays, and so do levels beyond the price."""
    made = [(BOTH | BOUGHT | 4, T, T + 5, each, 1.0) for each in (36500.1, 36499.0, 36400.0)]
    made += [(BOTH | SOLD | 4, T, T + 5, 36500.2, 1.0), (BOTH | BOUGHT | 3, T + 1, T + 6, 36499.0, 0.0)]
    made += [(BOTH | BOUGHT | 4, T + 1, T + 6, 36500.0, 0.5), (BOTH | BOUGHT | 3, T + 2, T + 7, 36400.0, 0.0)]
    (given,) = [each for each in SAMPLES if each.reader == "hftbacktest"]
    found = columns(read(given, stored(tmp_path, given, events(made))))
    rows = list(zip(found["code"], found["price"], (size > 0 for size in found["value"]), strict=True))[4:]
    assert rows == [
        *[(BID | MORE, 364990, False), (BID | MORE, 365001, False), (BID, 365000, True)],
        *[(BID | MORE, 364000, False), (BID, 365000, False)],
    ]
