"""Queue positions on the shipped recording: in the order that theory says, and as the document has them."""

import numpy as np
import pytest
from queue_times import BEHIND, MODELS, PATIENCE_NS, cell, measure, placements, rows_of_book, table
from tape_commands import ROOT, shipped_tape

NEVER = 1 << 62
BEHIND_FIRST, *GUESSES, FRONT_FIRST = range(len(MODELS))


@pytest.fixture(scope="module")
def measured():
    return measure(shipped_tape())


def test_the_table_of_the_document(measured):
    assert table(*measured) in (ROOT / "docs" / "QUEUE.md").read_text()


def test_an_order_fills_between_the_two_bounds(measured):
    """Each order: front-first fills it first, behind-first last."""
    placed, found = measured
    waited = np.array([np.where(each.filled, each.wait_ns, NEVER) for each in found])
    assert len(placed) == waited.shape[1] > 1_000
    for guess in GUESSES:
        assert (waited[FRONT_FIRST] <= waited[guess]).all()
        assert (waited[guess] <= waited[BEHIND_FIRST]).all()
    assert (waited[FRONT_FIRST] < waited[BEHIND_FIRST]).any()


def test_waits_are_within_the_patience(measured):
    for each in measured[1]:
        assert (each.wait_ns[each.filled] > 0).all() and (each.wait_ns <= PATIENCE_NS).all()


def test_places_are_where_the_book_says(measured):
    """Every side, every place; the nearer one has filled if the farther one has, or they would have crossed."""
    placed, found = measured
    assert len(placed) % (2 * len(BEHIND)) == 0
    group = np.array([order.price for order in placed]).reshape(-1, len(BEHIND), 2)
    assert (group[:, 0, 0] < group[:, 0, 1]).all()
    assert (group[:, 0, 0, None] - group[:, :, 0] == BEHIND).all()
    assert (group[:, :, 1] - group[:, 0, 1, None] == BEHIND).all()
    waited = np.where(found[0].filled, found[0].wait_ns, NEVER).reshape(-1, len(BEHIND), 2)
    assert (np.diff(waited, axis=1) >= 0).all()


def test_orders_stand_behind_what_is_there():
    rows = {name: column[:60_000] for name, column in rows_of_book(shipped_tape()).items()}
    first, *_ = placements(rows)
    tape = shipped_tape()
    at = (tape.time_ns <= first.time_ns) & (tape.price == first.price) & (tape.code & 31 == 1)
    assert first.ahead == tape.value[at][-1] > 0


def test_a_cell():
    assert cell(np.array([-1, -1])) == "0"
    assert cell(np.array([10**9, -1, 3 * 10**9])) == "2: 1.5, 2.0, 2.5"
