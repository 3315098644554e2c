"""Recordings and their damaged twins: each damaged line is found and named by its rule, each clean one is clean."""

import gzip
import re

import pytest
from conftest import DATA
from perpsim.replay.check import check
from perpsim.replay.readers import READERS
from readers_dbp import DataProcessor

TWINS = DATA / "corrupted-twins"
SNAPSHOT = "binance_depth_snapshot_spot_btcusdt_14-04-2025.csv.gz"
COIN_M = "binance_difference_depth_stream_coin_m_futures_trxusd_perp_04-03-2025.csv.gz"
SPOT = "binance_difference_depth_stream_spot_trxusdt_04-03-2025.csv.gz"
USD_M = "binance_difference_depth_stream_usd_m_futures_trxusdt_04-03-2025.csv.gz"
COIN_M_TRADES = "binance_trade_stream_coin_m_futures_trxusd_perp_04-03-2025.csv.gz"
SPOT_TRADES = "binance_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
USD_M_TRADES = "binance_trade_stream_usd_m_futures_trxusdt_04-03-2025.csv.gz"
MERGED = "merged_depth_snapshot_difference_depth_stream_trade_stream_usd_m_futures_trxusdt_14-04-2025_{}.csv.gz"
DAMAGE = {  # by file: (line, rule) of each damaged line; nothing else may be found
    "test_{}_" + SNAPSHOT: {(32, "bad-time"), (10_031, "unreadable")},
    "test_{}_" + COIN_M: {
        (2, "wrong-symbol"), (3, "bad-time"), (4, "bad-side"), (8, "far-level"), (10, "update-gap"),
        (10_001, "late"), (10_001, "other-day"),
    },
    "test_{}_" + SPOT: {(2, "bad-time"), (9, "update-gap"), (10, "update-gap"), (10_001, "other-day")},
    "test_{}_" + USD_M: set(),  # this twin was published without damage: it is the clean one
    "test_{}_" + COIN_M_TRADES: {(2, "late"), (4, "duplicate-id"), (10_001, "late")},
    "test_{}_" + SPOT_TRADES: {(4, "duplicate-id"), (10_001, "late")},
    "test_{}_" + USD_M_TRADES: {(2, "bad-price")},
    MERGED: {(146, "bad-time"), (147, "wrong-layout")} | {(line, "update-gap") for line in range(5_667, 5_692)},
}  # fmt: skip
AHEAD = {MERGED: 1}  # lines put before all others of the damaged twin: a remark of who made it
DAMAGE_NAMES = [re.search("((?:merged|depth|difference|trade).*)_[0-9]{2}-", name)[1] for name in DAMAGE]

pytestmark = pytest.mark.skipif(not TWINS.is_dir(), reason=f"the recordings are not in {TWINS}")


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setitem(READERS, "dbp", DataProcessor())


def lines(name: str) -> list[bytes]:
    return gzip.decompress((TWINS / name).read_bytes()).splitlines()


@pytest.mark.parametrize("name", DAMAGE, ids=DAMAGE_NAMES)
def test_the_truth_is_where_the_twins_differ(name):
    """One of them ends early: what it lacks is no damaged line."""
    clean, damaged = lines(name.format("positive")), lines(name.format("negative"))
    ahead = AHEAD.get(name, 0)
    pairs = zip(clean, damaged[ahead:], strict=False)
    differing = {number + ahead for number, (one, other) in enumerate(pairs, 1) if one != other}
    assert differing == {line for line, _ in DAMAGE[name]}


@pytest.mark.parametrize("name", DAMAGE, ids=DAMAGE_NAMES)
def test_clean(name):
    (card,) = check([TWINS / name.format("positive")])
    assert card["findings"] == [] and card["sound"], card["unsound"]


@pytest.mark.parametrize(("name", "damage"), DAMAGE.items(), ids=DAMAGE_NAMES)
def test_damaged(name, damage):
    path = TWINS / name.format("negative")
    (card,) = check([path])
    assert {(each["line"], each["rule"]) for each in card["findings"]} == damage
    assert len(card["findings"]) == len(damage)
    assert {each["place"] for each in card["findings"]} <= {str(path)}
    assert card["sound"] == (not damage)
