"""Ids that have come, against a plain set."""

import numpy as np
import pytest
from perpsim.replay.readers.csv_columns import id_number
from perpsim.replay.readers.ids import Ids


@pytest.mark.parametrize("seed", range(5))
def test_against_a_set(seed):
    rng = np.random.default_rng(seed)
    ids, seen = Ids(), set()
    for _ in range(60):
        block = rng.integers(0, 400, rng.integers(0, 12)) + 10**9
        repeated = 0
        for each in block.tolist():
            repeated += each in seen
            seen.add(each)
        assert ids.add(block) == repeated
        if seen:
            assert ids.missing == max(seen) - min(seen) + 1 - len(seen)
    assert (ids._first[1:] > ids._last[:-1] + 1).all()


def test_long_numbers_are_ids_as_they_are():
    """Two prints of a venue whose ids have 19 digits are two; UUIDs and longer numbers become others of 64 bits."""
    texts = ["2280000001739247420", "2280000001739247421", "9223372036854775807", "7", ""]
    assert [id_number(text) for text in texts] == [int(text or 0) for text in texts]
    assert id_number("9223372036854775808") < 2**63
    assert id_number("19d7df56-4f10-5290-a969-d9d9f2c74cc3") == 0x19D7DF564F10529
