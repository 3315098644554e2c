"""ADL: every policy in crashes, core against twin; what holds for all of them; prices and fees."""

from __future__ import annotations

from collections import Counter

import pytest
from adl_crash import crash, crash_setting
from differential import Pair, check_doors
from model.wire import AdlFee, AdlPolicy, AdlPrice, EventKind

pytestmark = pytest.mark.unshadowed("core against twin, in batches and across a snapshot: check_doors")
POLICIES = {name: number for name, number in vars(AdlPolicy).items() if not name.startswith("_") and number}
PRICES = [AdlPrice.BANKRUPTCY, AdlPrice.MARK, AdlPrice.BANKRUPTCY_NEAR, AdlPrice.PREVIOUS_MARK]


def played(seed: int = 1, fund: int = 0, **rules: int) -> Pair:
    """A crash on both engines, compared after every command."""
    setting = crash_setting(**rules)
    pair = Pair(setting, every=20)
    for c in crash(pair.twin.venue, seed, fund=fund):
        pair.apply(c)
    pair.compare(len(pair.log))
    check_doors(setting, pair)
    return pair


@pytest.mark.parametrize("name", POLICIES)
def test_a_crash_comes_out_alike(name):
    policy = POLICIES[name]
    kinds = Counter()
    for seed in range(2):
        price = PRICES[(policy + seed) % 4]
        kinds += played(policy + seed, 5 * seed, adl_policy=policy, adl_price=price, adl_fee=seed).kinds
    assert kinds[EventKind.ADL] > 20
    assert kinds[EventKind.ADL_FEE] > 5
