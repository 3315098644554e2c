"""`perpsim check`: one card a market, every damaged line named, an exit code that says if a replay would be sound."""

import gzip
import json

import pytest
from perpsim.replay import check as checking
from perpsim.replay.importing import import_files
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
    assert "300 trade" in text and "2020-02-22 00:00:00.000 to 2020-02-22 00:04:59.000" in text
    assert "p50 5,0" in text.replace("p50 5,013,503", "p50 5,0") and text.rstrip().endswith("sound")
    assert "FINDING" not in text


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
    assert not card.sound
    assert {(each.rule, each.line) for each in card.findings.found} >= {(rule, 102)}
    assert any(each.line == 202 for each in card.findings.found)
    assert card.rows["trade"] >= 297
    code, text = run(path)
    assert code == 1 and f"FINDING   {rule}" in text and f"{path.name}:102: " in text and "NOT SOUND" in text


def test_as_json_with_every_finding(tmp_path):
    path = written(tmp_path, {number: {"price": "0"} for number in range(50, 70)})
    code, text = run(path, "--json")
    (card,) = json.loads(text)
    assert code == 1 and card["sound"] is False and card["dropped"] == {"bad-price": 20}
    assert [each["line"] for each in card["findings"]] == list(range(52, 72))


def test_pauses_are_listed(tmp_path):
    late = {number: {"timestamp": DAY_US + (number + 600) * 1_000_000} for number in range(200, 300)}
    (card,) = checking.check([written(tmp_path, late)])
    assert card.silent == 1
    assert [(b - a) // 10**9 for a, b in card.silences] == [601]


def test_a_store_tells_what_was_repaired(tmp_path):
    path = written(tmp_path, {100: {"price": "0"}})
    import_files([path], tmp_path / "store", repairs=["bad-price"])
    code, text = run(tmp_path / "store")
    assert code == 0
    assert "299 trade" in text and "repaired  bad-price" in text


def test_what_no_reader_takes(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    from perpsim.replay.errors import InputError

    with pytest.raises(InputError, match=r"a\.csv"):
        checking.check([tmp_path / "a.csv"])
