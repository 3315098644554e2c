"""`perpsim check`: one card a market, every damaged line named, an exit code that says if a replay would be sound."""

import gzip
import json
import re
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import DATA, ROOT
from perpsim.replay import check as checking
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given
from perpsim.replay.importing import import_files
from perpsim.replay.readers.findings import RULES, SUSPICIONS
from perpsim.replay.tape import METADATA_KEY
from typer.testing import CliRunner

HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
DAY_US = 1_582_329_600_000_000


def line(number: int, **changed: object) -> str:
    row = {
        "exchange": "binance-futures", "symbol": "BTCUSDT", "timestamp": DAY_US + number * 1_000_000,
        "local_timestamp": DAY_US + number * 1_000_000 + 5_000, "id": 1_000 + number, "side": "buy", "price": "9700.5",
        "amount": "0.25",
    }  # fmt: skip
    return ",".join(str(value) for value in (row | changed).values())


def written(tmp_path, changes: dict[int, dict] | None = None):
    path = tmp_path / "binance-futures_trades_2020-02-22_BTCUSDT.csv.gz"
    lines = [HEADER, *(line(number, **(changes or {}).get(number, {})) for number in range(300))]
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return path


def run(*arguments) -> tuple[int, str]:
    from perpsim.replay.cli import app

    done = CliRunner().invoke(app, ["check", *map(str, arguments), "-q"])
    return done.exit_code, done.output


def test_a_sound_recording(tmp_path):
    code, text = run(written(tmp_path))
    assert code == 0
    assert "trade 300" in text and "2020-02-22 00:00:00.000 to 2020-02-22 00:04:59.000" in text
    assert "p50 5." in text and "  sound " in text and "UNSOUND" not in text


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"price": "0"}, "bad-price"),
        ({"price": "-1"}, "bad-price"),
        ({"price": "9700.555"}, "off-grid"),
        ({"amount": "-0.25"}, "bad-size"),
        ({"side": "up"}, "bad-side"),
        ({"symbol": "ETHUSDT"}, "wrong-symbol"),
        ({"timestamp": 0}, "bad-time"),
        ({"local_timestamp": DAY_US + 5 * 86_400_000_000}, "time-away"),
        ({"id": 1_099}, "duplicate-id"),
    ],
)
def test_each_damage_is_found_and_named_and_the_rest_read(tmp_path, changed, rule):
    path = written(tmp_path, {100: changed, 200: {"price": "zero"}})
    (card,) = checking.check([path])
    assert not card["sound"]
    assert {(each["rule"], each["line"]) for each in card["findings"]} >= {(rule, 102)}
    assert any(each["line"] == 202 for each in card["findings"])
    assert card["spans"]["rows"]["trade"] >= 297
    code, text = run(path)
    assert code == 1 and f"{path.name}:102: {rule}: " in text and "UNSOUND" in text


@pytest.mark.parametrize("text", ["abc", "0x1f", "19d7df56-4f10-5290-a969-d9d9f2c74cc3", ""])
@pytest.mark.parametrize("number", [0, 100, 299])
def test_an_id_that_is_no_number_is_named_and_nothing_else(tmp_path, text, number):
    """A venue that counts has no such ids: taken for a hexadecimal number they would be holes, or blame the next."""
    (card,) = checking.check([written(tmp_path, {number: {"id": text}})])
    assert [(each["rule"], each["line"]) for each in card["findings"]] == [("unreadable", number + 2)]
    assert card["spans"]["rows"]["trade"] == 299 and card["counts"].get("off_book_fills", 0) == (number == 100)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"price": "19401"}, "far-print"),
        ({"price": "4850"}, "far-print"),
        ({"local_timestamp": DAY_US + 101_000_000}, "late"),
        ({"timestamp": DAY_US - 500_000, "local_timestamp": DAY_US - 400_000}, "other-day"),
    ],
)
@pytest.mark.parametrize("number", [0, 100, 299])
def test_odd_lines_are_named_and_make_nothing_unsound(tmp_path, changed, name, number):
    first = {key: value + (number - 100) * 1_000_000 if name == "late" else value for key, value in changed.items()}
    (card,) = checking.check([written(tmp_path, {number: first})])
    assert card["sound"] and card["suspicions"] == {name: 1}
    assert [(each["rule"], each["line"]) for each in card["findings"]] == [(name, number + 2)]
    code, text = run(tmp_path)
    assert code == 0 and f":{number + 2}: {name}: " in text


def test_what_many_lines_have_is_how_the_file_is(tmp_path):
    """A recorder three seconds behind, and a crash: no line of it is odd."""
    slow = {number: {"local_timestamp": DAY_US + (number + 3) * 1_000_000} for number in range(300)}
    falls = {number: {"price": "4000.5"} for number in range(150, 300)}
    (card,) = checking.check([written(tmp_path, slow)])
    assert card["findings"] == [] and card["counts"]["lines_late"] == 300
    (card,) = checking.check([written(tmp_path, falls)])
    assert card["findings"] == [] and card["sound"]


def test_a_level_far_from_the_market(tmp_path):
    header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
    rows = [
        f"binance-futures,BTCUSDT,{DAY_US + n * 1000},{DAY_US + n * 1000 + 500},{'true' if n < 2 else 'false'},"
        f"{'bid' if n % 2 else 'ask'},{9700 - n % 2 * 10 if n != 200 else 97_101},{n % 7 + 1}"
        for n in range(400)
    ]
    rows[0] = rows[0].replace(",9700,", ",99999,")  # that stands in a snapshot: it is no odd line
    path = tmp_path / "binance-futures_incremental_book_L2_2020-02-22_BTCUSDT.csv"
    path.write_text("\n".join([header, *rows, ""]))
    (card,) = checking.check([path])
    assert card["sound"] and [(each["rule"], each["line"]) for each in card["findings"]] == [("far-level", 202)]


def test_as_json_with_every_finding(tmp_path):
    path = written(tmp_path, {number: {"price": "0"} for number in range(50, 70)})
    code, text = run(path, "--json")
    (card,) = json.loads(text)
    assert code == 1 and card["sound"] is False and card["rules"] == {"bad-price": 20}
    assert [each["line"] for each in card["findings"]] == list(range(52, 72))


def test_pauses_are_listed(tmp_path):
    late = {number: {"timestamp": DAY_US + (number + 600) * 1_000_000} for number in range(200, 300)}
    (card,) = checking.check([written(tmp_path, late)])
    spans = card["spans"]
    assert spans["silences"] == 1 and [each["ns"] // 10**9 for each in spans["longest"]] == [601]


def test_a_store_tells_what_was_repaired(tmp_path):
    path = written(tmp_path, {100: {"price": "0"}})
    import_files([path], tmp_path / "store", repairs=["bad-price"])
    code, text = run(tmp_path / "store")
    assert code == 0
    assert "trade 299" in text and re.search("repaired +bad-price", text)


def test_nothing_is_repaired_that_is_not_named(tmp_path):
    path = written(tmp_path, {100: {"price": "0"}, 200: {"side": "up"}})
    with pytest.raises(InputError, match=r"\.csv\.gz, line 202: the side is 'up'"):
        import_files([path], tmp_path / "store", repairs=["bad-price"])
    assert not (tmp_path / "store").exists()


def test_a_stored_tape_is_held_against_its_checksum(tmp_path):
    """Rows of another day's file under the facts of this one."""
    import_files([written(tmp_path)], tmp_path / "store")
    (part,) = (tmp_path / "store").rglob("part-0.parquet")
    table = pq.read_table(part)
    value = table["value"].to_numpy().copy()
    value[17] += 1
    table = table.set_column(table.schema.get_field_index("value"), table.schema.field("value"), [value])
    told = pq.ParquetFile(part).metadata.metadata[METADATA_KEY]
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: told}), part)
    with pytest.raises(InputError, match="the rows differ from their checksum"):
        checking.check([tmp_path / "store"])


def test_what_no_reader_takes(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"a\.csv"):
        checking.check([tmp_path / "a.csv"])


def test_the_page_shows_a_true_card_and_all_rules():
    page = (ROOT / "docs" / "CHECK.md").read_text()
    _, command, shown = re.search(r"## A card\n\n    (perpsim check (.*))\n\n```\n(.*?)```", page, re.DOTALL).group(
        0, 1, 3
    )
    code, text = run(*(ROOT / each for each in command.split()[2:]))
    assert code == 0 and shown.split() == text.split()
    named = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert named == {*RULES, *SUSPICIONS}


@pytest.mark.skipif(not (DATA / "oct10-trades").is_dir(), reason=f"the recordings are not in {DATA}")
def test_the_tenth_of_october():
    """The page's table, from the files: fills off the book by the minute, and days that are sound."""
    cards = {card["market"]["symbol"]: card for card in checking.check([DATA / "oct10-trades" / "coinm"])}
    page = (ROOT / "docs" / "CHECK.md").read_text()
    table = re.findall(r"^\| ([A-Z]+_PERP) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) at (\d\d:\d\d) \|", page, re.MULTILINE)
    assert len(table) == len(cards) == 7
    for symbol, *numbers, minute in table:
        card = cards[symbol]
        fills = card["off_book_fills"]
        peak = fills["peak_minute"]
        assert [f"{n:,}" for n in (card["spans"]["rows"]["trade"], fills["n"], fills["minutes"][peak])] == numbers
        assert peak == f"2025-10-10T{minute}" and sum(fills["minutes"].values()) == fills["n"]
        assert card["sound"] and card["findings"] == []


def band(folder: Path, day: str) -> Path:
    """A file that serves the card only."""
    path = folder / f"BTCUSDT-bookDepth-{day}.csv"
    lines = [f"{day} 00:0{minute}:08,-1,{minute + 1}.5,100.0" for minute in range(5)]
    path.write_text("\n".join(["timestamp,percentage,depth,notional", *lines, ""]))
    return path


def test_what_serves_the_card_only_cannot_be_replayed(tmp_path):
    """Alone it is nothing to replay; beside rows of its market it is a line of their card."""
    depth = band(tmp_path, "2020-02-22")
    code, text = run(depth)
    assert code == 1
    assert "UNSOUND           files of this kind serve the quality card only: there is nothing to replay; give" in text
    code, text = run(depth, written(tmp_path))
    assert code == 0 and "UNSOUND" not in text and "depth band samples 5" in text


def test_a_recording_whose_rows_are_all_refused_cannot_be_replayed(tmp_path):
    path = tmp_path / "binance-futures_trades_2020-02-22_BTCUSDT.csv"
    path.write_text("\n".join([HEADER, line(0, price="0"), ""]))
    (card,) = checking.check([path])
    assert [each.split(":")[0] for each in card["unsound"]] == ["there is not one row", "bad-price 1"]


def test_what_serves_the_card_only_is_not_imported_alone(tmp_path):
    depth = band(tmp_path, "2020-02-22")
    for given in (Given(), Given(first=date(2020, 2, 21))):
        with pytest.raises(InputError, match="there is nothing to put on a tape: files of this kind serve the quality"):
            import_files(depth, tmp_path / "store", given, workers=1)
    with pytest.raises(InputError, match="none of the files has rows of the days asked for; widen --from and --to"):
        import_files(written(tmp_path), tmp_path / "store", Given(last=date(2020, 2, 21)), workers=1)
    assert not (tmp_path / "store").exists()
