"""ADL: every policy in crashes, core against twin; what holds for all of them; prices and fees."""

from __future__ import annotations

import dataclasses
from collections import Counter
from types import SimpleNamespace

import pytest
from adl_crash import crash, crash_setting
from differential import Pair, as_array, check_doors
from model import EVENT_FIELDS
from model.wire import AdlPolicy, AdlPrice, EventKind, Reject
from perpsim.core import Engine
from perpsim.exchange.desk import Desk
from stream_settings import SECOND

pytestmark = pytest.mark.unshadowed("core against twin, in batches and across a snapshot: check_doors")
POLICIES = {  # built in; test_adl_decision.py has the user's own
    name: number for name, number in vars(AdlPolicy).items() if name.isupper() and name not in ("NONE", "USER")
}
LIT = {name for name, policy in POLICIES.items() if policy <= AdlPolicy.RESEARCH_PNL_RATIO} - {"DYDX"}
PRICES = [AdlPrice.BANKRUPTCY, AdlPrice.MARK, AdlPrice.BANKRUPTCY_NEAR, AdlPrice.PREVIOUS_MARK]


def played(seed: int = 1, fund: int = 0, **rules: int) -> Pair:
    """A crash on both engines, compared after every command."""
    setting = crash_setting(**{"adl_light_period_ns": 3 * SECOND, "adl_light": 1 + seed % 2} | rules)
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
    assert (kinds[EventKind.ADL_LIGHT] > 50) == (name in LIT)
    assert kinds[EventKind.ADL_FEE] > 5


@pytest.mark.parametrize("price", PRICES)
def test_a_desk_ends_at_the_venues_balances(price):
    """Whoever is cut, and whoever is closed, books what the events say and has what the venue says."""
    setting = crash_setting(adl_policy=AdlPolicy.BITMEX, adl_price=price, adl_fee=1)
    pair = played(3, 20, **{name: setting.venue[name] for name in ("adl_policy", "adl_price", "adl_fee")})
    engine = Engine(setting.venue, setting.markets, setting.accounts)
    specs = [SimpleNamespace(**market, tick=0, lot=0) for market in setting.markets]
    desks = [Desk(account, specs, send=None, set_timer=None) for account in range(setting.accounts)]
    kinds = Counter()
    for event in engine.apply(as_array(pair.log)).tolist():
        e = dict(zip(EVENT_FIELDS, event, strict=True))
        kinds[e["kind"]] += 1
        for account in {e["account"], e["maker_account"]} & set(range(setting.accounts)):
            desks[account].event(e)
    assert kinds[EventKind.ADL] > 10
    rows = engine.accounts()[: setting.accounts]
    assert [desk.balance for desk in desks] == (rows["balance"] + rows["isolated"]).tolist()


@pytest.mark.parametrize("one", [0, 1])
def test_hedged_accounts_are_cut_last(one):
    """With one underlying for both markets a hedge is one; contracts of it go only where nothing else is left."""
    setting = crash_setting(adl_policy=AdlPolicy.HEDGE_AWARE)
    markets = [market | {"underlying": one} for market in setting.markets]
    pair = Pair(dataclasses.replace(setting, markets=markets), every=20)
    for c in crash(pair.twin.venue, 11):
        pair.apply(c)
    assert pair.kinds[EventKind.ADL] > 20
    assert (pair.reasons[Reject.BY_UNHEDGED] > 0) == bool(one)
