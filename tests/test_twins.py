"""Recordings and their damaged twins: each damaged line is found and named by its rule, each clean one is clean."""

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
DAMAGE = {  # line: rule, of each line in which the twins differ
    "test_{}_" + SNAPSHOT: {32: "bad-time", 10_031: "unreadable"},
    "test_{}_" + COIN_M: {
        2: "wrong-symbol", 3: "bad-time", 4: "bad-side", 8: "bad-price", 10: "update-gap", 10_001: "bad-time"
    },
    "test_{}_" + SPOT: {2: "bad-price", 9: "update-gap", 10: "update-gap", 10_001: "bad-time"},
    "test_{}_" + USD_M: {},
    "test_{}_" + COIN_M_TRADES: {2: "time-away", 4: "duplicate-id", 10_001: "time-away"},
    "test_{}_" + SPOT_TRADES: {4: "duplicate-id", 10_001: "time-away"},
    "test_{}_" + USD_M_TRADES: {2: "bad-price"},
    MERGED: {146: "bad-time", 147: "wrong-layout"} | dict.fromkeys(range(5_667, 5_692), "update-gap"),
}  # fmt: skip
DAMAGE_NAMES = [name.format("twin").partition("stream_")[2] or name for name in DAMAGE]

pytestmark = pytest.mark.skipif(not TWINS.is_dir(), reason="the recordings are not here")


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setitem(READERS, "dbp", DataProcessor())


@pytest.mark.parametrize("name", DAMAGE, ids=DAMAGE_NAMES)
def test_clean(name):
    (card,) = check([TWINS / name.format("positive")])
    assert card["findings"] == []


@pytest.mark.parametrize(("name", "damage"), DAMAGE.items(), ids=DAMAGE_NAMES)
def test_damaged(name, damage):
    path = TWINS / name.format("negative")
    (card,) = check([path])
    assert {each["line"]: each["rule"] for each in card["findings"]} == damage
    assert {each["place"] for each in card["findings"]} <= {str(path)}
    assert bool(card["unsound"]) == bool(damage)
