"""The list of lines that no test reaches must stay true: tests/lines.py."""

import lines
import pytest

SOURCE = """\
cdef int add(State *s) except -1 nogil:
    if s.full:
        return 0
    grow(s)
    if s.full:
        return 0
    return 1
"""
REACHED = {2: 5, 3: 1, 4: 4, 5: 4, 6: 0, 7: 4}
REASON = {lines.Place("pool.pyx", "add", "return 0 (2)"): "grow raises"}


@pytest.fixture
def judge(tmp_path):
    (tmp_path / "pool.pyx").write_text(SOURCE)

    def judge(reached, reasons):
        counted = {("pool.pyx", number): count for number, count in reached.items()}
        counted |= {("pool.pyx", 100 + number): 1 for number in range(100)}
        return lines.report(counted, tmp_path, reasons)[1]

    return judge


def test_a_line_with_a_reason_may_be_left_out(judge):
    assert judge(REACHED, REASON) == []


def test_a_line_without_one_may_not(judge):
    (wrong,) = judge(REACHED, {})
    assert wrong == "core/pool.pyx:6 is not reached: pool.pyx | add | return 0 (2)"
    assert len(judge(REACHED | {3: 0}, REASON)) == 1  # the same text, but not the same line


def test_a_reason_for_a_line_that_is_reached(judge):
    (wrong,) = judge(REACHED | {6: 1}, REASON)
    assert wrong == "listed, but reached or gone: pool.pyx | add | return 0 (2)"


def test_a_reason_for_a_line_that_is_gone(judge):
    assert len(judge(REACHED, REASON | {lines.Place("pool.pyx", "add", "return 2"): "never"})) == 1


def test_too_few_lines(judge):
    missed = dict.fromkeys(range(2, 5), 0)
    reasons = {lines.Place("pool.pyx", "add", SOURCE.split("\n")[number - 1].strip()): "why not" for number in missed}
    (wrong,) = judge(REACHED | missed, reasons | REASON)
    assert wrong.endswith("98 % are wanted") and wrong.startswith("96.2")


def test_the_list_names_lines_of_the_core():
    for place, why in lines.listed().items():
        texts = [line.strip() for line in (lines.CORE / place.file).read_text().split("\n")]
        text, _, times = place.text.partition(" (")
        assert place.text in texts or (times and texts.count(text) >= int(times.rstrip(")"))), place
        assert len(why) > 10


def test_lines_of_generated_c_lead_to_their_source():
    """By Cython's comments; the end of a function and text of a header apart."""
    c = [
        '  /* "perpsim/core/pool.pyx":3',
        " * comment",
        "*/",
        "  x = 1;",
        "  /* function exit code */",
        "  return x;",
        "}",
    ]
    found = lines.origins([*c, "static int quoted(void) {", "  return 1;"], {})
    assert found == {2: ("pool.pyx", 3), 3: ("pool.pyx", 3), 4: ("pool.pyx", 3)}
    quoted = {"pool.pxd": (12, ["static int quoted(void) {", "  return 1;"])}
    found = lines.origins([*c, "    static int quoted(void) {", "      return 1;"], quoted)
    assert found[8] == ("pool.pxd", 12) and found[9] == ("pool.pxd", 13)
