"""Ids that have come, against a plain set."""

import numpy as np
import pytest
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
