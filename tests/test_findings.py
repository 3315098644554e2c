"""What readers find: refused, repaired or recorded; counts and samples add up however files are grouped."""

import json
from pathlib import Path

import numpy as np
import pytest
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import SourceFile
from perpsim.replay.readers.findings import RULES, Findings, _buckets, _value

FILE = SourceFile(Path("day.csv"))
BAD = np.array([False, True, False, True])
LINES = np.array([2, 3, 5, 9])


def said(index: int) -> str:
    return f"row {index} is wrong"


def test_the_first_is_refused_with_its_line():
    with pytest.raises(InputError, match=r"^day.csv, line 3: row 1 is wrong$"):
        Findings().refuse("bad-price", BAD, FILE, LINES, said)
    assert Findings().refuse("bad-price", ~BAD & BAD, FILE, LINES, said).all()


def test_a_repair_drops_and_counts():
    findings = Findings(["bad-price"])
    assert (findings.refuse("bad-price", BAD, FILE, LINES, said) == ~BAD).all()
    assert findings.quality()["dropped"] == {"bad-price": 2} and not findings.found
    with pytest.raises(InputError):
        findings.refuse("bad-size", BAD, FILE, LINES, said)


def test_a_check_records_all():
    findings = Findings(record=True)
    assert (findings.refuse("off-grid", BAD, FILE, LINES, said) == ~BAD).all()
    assert [tuple(each) for each in findings.found] == [
        ("off-grid", "day.csv", 3, "row 1 is wrong"),
        ("off-grid", "day.csv", 9, "row 3 is wrong"),
    ]


def test_unknown_rules():
    with pytest.raises(InputError, match="no rule price to repair by; known: wrong-symbol"):
        Findings(["price"])
    with pytest.raises(KeyError):
        Findings().refuse("price", BAD, FILE, LINES, said)
    assert all(name == name.lower() and sentence for name, sentence in RULES.items())


def test_sums_do_not_depend_on_the_grouping():
    rng = np.random.default_rng(3)
    values = rng.integers(-(10**6), 10**12, 5_000)
    whole, parts = Findings(record=True), Findings(record=True)
    whole.sample("latency", values)
    whole.count("messages", 5_000)
    for part in np.array_split(values, 7):
        one = Findings(record=True)
        one.sample("latency", part)
        one.count("messages", len(part))
        parts.add(Findings.restored(json.loads(json.dumps(one.facts()))))
    assert parts.quality() == whole.quality()


def test_percentiles_are_right_to_a_sixtieth():
    values = np.concatenate([np.arange(-500, 100_000), [10**15]])
    findings = Findings()
    findings.sample("latency", values)
    told = findings.percentiles("latency")
    assert (told["n"], told["min"], told["max"]) == (len(values), -500, 10**15)
    for percent in (1, 50, 90, 99, 99.9):
        exact = np.percentile(values, percent, method="inverted_cdf")
        assert exact <= told[f"p{percent}"] <= exact * 1.016 + 1


def test_every_number_lies_in_its_bucket():
    values = np.unique(np.concatenate([np.arange(2_000), 2 ** np.arange(62), 2 ** np.arange(62) - 1, 3**np.arange(39)]))
    edges = [_value(bucket) for bucket in _buckets(values).tolist()]
    assert all(value <= edge <= value * 65 / 64 for value, edge in zip(values.tolist(), edges, strict=True))
    assert (np.diff(_buckets(np.concatenate([-values[:0:-1], values]))) >= 0).all()


def test_every_rule_is_in_the_docs():
    page = (Path(__file__).resolve().parent.parent / "docs" / "TAPES.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    said = {name for cell in cells for name in cell.split("`")[1::2]}
    assert not set(RULES) - said, "docs/TAPES.md lacks them"
