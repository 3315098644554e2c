"""Published numbers: the runner itself, and every case of `golden/cases` through it."""

import json
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from golden import registry
from golden.known import DISAGREEMENTS
from golden.runner import BadFile, Verdict, compare, read, run

CASES = "tests/golden/cases"
UNANSWERED = {"oct10_policy", "oct10_statistic"}  # formulas; the list may shrink, not grow
COUNTS = {"centralised.json": 92, "open-engines.json": 125}


def judged(case, answer):
    """The verdict on a case whose formula gives `answer`."""
    return run({"id": "x", "formula": "f", "inputs": {}, **case}, 1, {"f": lambda inputs: answer})


@pytest.mark.parametrize(
    ("expected", "answer", "tolerance", "same"),
    [
        (0.1, Fraction(1, 10), 0, True),
        (0.1, 0.1, 0, True),
        (0.3, 0.1 + 0.2, 0, False),
        (0.3, Decimal("0.31"), 0.01, True),
        (0.3, Decimal("0.3101"), 0.01, False),
        (1300, 1301, 0, False),
        ("49999/100", Fraction(49999, 100), 0, True),
        ("49999/100", "99998/200", 0, True),
        ("49999/100", 500, 0, False),
        ("rejected", "rejected", 0, True),
        ("rejected", "taken", 0, False),
        (None, None, 0, True),
        (None, 0, 1, False),
        (True, True, 0, True),
        (True, 1, 0, False),
        (1, True, 0, False),
        ([1, [2.5]], (1, (2.5,)), 0, True),
        ([1, 2], [1], 0, False),
        (5, float("nan"), 9, False),
        (5, float("inf"), 9, False),
        (5, "5", 0, False),
        ({"2": 20}, {2: 20, 3: 30}, 0, True),
        ({"2": 20}, {3: 20}, 0, False),
        (97849.76, 97849.7551, None, True),
        (97849.76, 97849.7549, None, False),
    ],
)
def test_a_leaf_is_compared(expected, answer, tolerance, same):
    limit = None if tolerance is None else Fraction(str(tolerance))
    assert (not compare({"value": expected}, {"value": answer}, limit, "")) is same


def test_verdicts():
    assert judged({"expected": {"a": 1}, "tolerance": 0}, {"a": 1}).verdict is Verdict.PASSED
    failed = judged({"expected": {"a": 1, "b": 2}, "tolerance": 0}, {"a": 2})
    assert failed.verdict is Verdict.FAILED
    assert failed.text == "f: a is 2, expected 1; there is no answer b"
    for sign in ({"reproduced": False}, {"note": "a negative control"}, {"mechanism": "KNOWN DEFECT to avoid"}):
        assert judged({"expected": {"a": 1}, "tolerance": 0, **sign}, {"a": 1}).verdict is Verdict.FAILED
        assert judged({"expected": {"a": 1}, "tolerance": 0, **sign}, {"a": 2}).verdict is Verdict.PASSED


def test_what_cannot_be_judged_says_why():
    whole = {"id": "x", "formula": "f", "inputs": {"deep": [{"a": 1}]}, "expected": {"a": 1}, "tolerance": 0}
    adapters = {"f": lambda inputs: {"a": inputs["deep"][0]["price"]}}
    assert run(whole, 1, adapters).text == "the case has no input 'price'"
    assert run(whole, 1, {}).text == "no adapter for formula 'f'"
    for key in ("formula", "inputs", "expected"):
        result = run({name: value for name, value in whole.items() if name != key}, 1, adapters)
        assert (result.verdict, result.text) == (Verdict.NOT_APPLICABLE, f"the case has no {key!r}")
    assert run(whole | {"tolerance": "small"}, 1, adapters).verdict is Verdict.NOT_APPLICABLE
    assert run(whole | {"inputs": 5}, 1, adapters).verdict is Verdict.NOT_APPLICABLE
    raised = run(whole, 1, {"f": lambda inputs: 1 // 0})
    assert (raised.verdict, raised.text) == (
        Verdict.FAILED, "f raised ZeroDivisionError: integer division or modulo by zero")  # fmt: skip


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not UTF-8 text"),
        (b"{}", "holds no list of cases"),
        (b"[1]", "case 1 is not an object"),
        (b'[{"id": NaN}]', "NaN is not a number"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_files(tmp_path, content, sentence):
    path = tmp_path / "cases.json"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=sentence):
        read(path)


def test_the_command(tmp_path, root):
    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "tests.golden", *map(str, arguments)],
            cwd=root, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done

    path = tmp_path / "cases.json"
    path.write_text(json.dumps([{"id": "a", "formula": "no such", "inputs": {}, "expected": {}, "tolerance": 0}]))
    done = command(path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "not applicable: a: no adapter for formula 'no such'", "0 passed, 0 failed, 1 not applicable"
    ]  # fmt: skip
    for arguments in ([], [path, path], [tmp_path / "none.json"], [tmp_path], [path, "--data", tmp_path / "none"]):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_a_formula_has_one_adapter():
    assert registry.load() == registry.load()

    def adapter():
        @registry.formula("a formula of this test")
        def other(inputs):
            return inputs

    try:
        adapter()
        adapter()  # a module that is loaded twice
        with pytest.raises(ValueError, match="has two adapters"):
            registry.formula("a formula of this test")(judged)
    finally:
        del registry._formulas["a formula of this test"]


@pytest.mark.unshadowed("the engines of some adapters are as small as a formula")
def test_every_case(root):
    formulas, unanswered = registry.load(), set()
    for name, count in COUNTS.items():
        cases = read(root / CASES / name)
        assert len(cases) == count
        results = [run(case, number, formulas) for number, case in enumerate(cases, 1)]
        assert [f"{result.id}: {result.text}" for result in results if result.verdict is Verdict.FAILED] == []
        pairs = zip(cases, results, strict=True)
        unanswered |= {case["formula"] for case, result in pairs
                       if result.verdict is Verdict.NOT_APPLICABLE and result.id not in DISAGREEMENTS}  # fmt: skip
    assert unanswered == UNANSWERED


def test_known_disagreements_disagree(root):
    cases = {case["id"]: case for name in COUNTS for case in read(root / CASES / name)}
    formulas = registry.load()
    for name, reason in DISAGREEMENTS.items():
        assert reason
        assert run(cases[name], 1, formulas).verdict is Verdict.NOT_APPLICABLE, f"{name} agrees: take it off the list"
