"""The result folder: every number in it can be found again in its events, and it is whole or not there."""

import io
import itertools
import json
import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ledger import Ledger
from perpsim.core import EventKind, Side
from perpsim.exchange import rulebook
from perpsim.replay import outcomes, progress
from perpsim.replay.errors import InputError
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from tape_commands import one_reading  # noqa: F401

CUSTOMERS = 3_000
CRASH = f"""
[run]
name = "crash"
seed = 3
interval = 5
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
recording = "btcusdt-2023-04-04"
[fund]
initial = 20_000_000
[population]
accounts = {CUSTOMERS}
open_interest = 20_000
isolated_share = 0.5
cushion = 0.3
leverage = [{{ leverage = 3, weight = 1 }}, {{ leverage = 20, weight = 1 }}, {{ leverage = 100, weight = 1 }}]
[shock]
points = [[0, 1], [30, 1], [60, 0.88], [90, 0.88], [91, 0.86], [200, 0.95]]
step = 0.5
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "crash"
    outcomes.run(scenario(), folder)
    return folder


@pytest.fixture(scope="module")
def summary(result) -> dict:
    return json.loads((result / "summary.json").read_text())


@pytest.fixture(scope="module")
def events(result) -> dict[str, np.ndarray]:
    return columns(result / "events.parquet")


@pytest.fixture(scope="module")
def accounts(result) -> dict[str, np.ndarray]:
    return columns(result / "accounts.parquet")


@pytest.fixture(scope="module")
def ledger(events, accounts) -> Ledger:
    spec = rulebook("binance-usdm", "2025-10-10").market("BTCUSDT")
    kept = Ledger(house(accounts, "world"), spec.tick_value * spec.lot_numerator // spec.lot_denominator)
    names = list(events)
    for row in zip(*(events[name].tolist() for name in names), strict=True):
        kept.take(dict(zip(names, row, strict=True)))
    return kept


def scenario(text: str = CRASH, folder: Path | None = None):
    return parse(text.encode(), Path("crash.toml"), folder or Path.cwd())


def columns(path: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(path)
    return {name: np.array(table.column(name).to_pylist()) for name in table.column_names}


def house(accounts: dict, name: str) -> int:
    return int(accounts["account"][accounts["cohort"] == name][0])


def units(text: str) -> int:
    scaled = Decimal(text) * 10**8
    assert scaled == int(scaled)
    return int(scaled)


def after_start(summary: dict, events: dict) -> np.ndarray:
    return events["sequence"] > summary["start"]["event"]


class TestSummaryFromEvents:
    def test_the_scenario_goes_through_the_whole_waterfall(self, summary):
        assert summary["accounts"]["liquidated"] > 0
        assert summary["accounts"]["deleveraged"] > 0
        assert units(summary["fund"]["taken_over"]) > 0
        assert units(summary["fund"]["used"]) > 0

    def test_accounts(self, summary, events):
        kind = events["kind"]
        for name, column, which in (
            ("liquidated", "account", EventKind.LIQUIDATION_STARTED),
            ("deleveraged", "account", EventKind.ADL),
            ("taken_over", "account", EventKind.TAKEOVER),
        ):
            assert summary["accounts"][name] == len(np.unique(events[column][kind == which])), name
        assert summary["liquidations"] == (kind == EventKind.LIQUIDATION_STARTED).sum()
        assert summary["adl_trades"] == (kind == EventKind.ADL).sum()
        assert summary["accounts"]["total"] == CUSTOMERS

    def test_forced_notional(self, summary, events, ledger):
        kind, side = events["kind"], events["side"]
        orders = set(events["order_id"][kind == EventKind.LIQUIDATION_ORDER].tolist())
        forced = (kind == EventKind.TRADE) & np.isin(events["order_id"], list(orders))
        notional = events["price_ticks"] * events["size_lots"] * ledger.money
        stated = summary["markets"]["BTCUSDT"]["forced_notional"]
        for name, sells in (("long", Side.SELL), ("short", Side.BUY)):
            found = {
                "book": notional[forced & (side == sells)].sum(),
                "fund": np.abs(events["value"][(kind == EventKind.TAKEOVER) & (side == sells)]).sum(),
                "adl": np.abs(events["value"][(kind == EventKind.ADL) & (side != sells)]).sum(),
            }
            assert {way: units(text) for way, text in stated[name].items()} == found
            assert units(summary["forced_notional"][name]) == sum(found.values())

    def test_fund_and_losses(self, summary, events, accounts, ledger):
        kind, fund = events["kind"], house(accounts, "fund 0")
        start = ~after_start(summary, events)
        put_in = events["value"][start & (kind == EventKind.DEPOSIT) & (events["account"] == fund)].sum()
        stated = {name: units(text) for name, text in summary["fund"].items()}
        assert stated["before"] == put_in
        assert stated["after"] == ledger.accounts[fund].balance
        result = ledger.accounts[fund].realised + ledger.unrealised(fund, 10_000_000)
        assert stated["result_on_positions"] == result
        assert stated["equity_after"] == stated["after"] + ledger.unrealised(fund, 10_000_000)
        assert stated["liquidation_fees"] == events["value"][kind == EventKind.LIQUIDATION_FEE].sum()
        assert stated["covered"] == events["value"][kind == EventKind.FUND_COVER].sum()
        assert stated["used"] == stated["covered"] - result
        assert units(summary["deficit"]) == events["value"][kind == EventKind.VENUE_DEFICIT].sum()
        assert units(summary["socialised_loss"]) == events["value"][kind == EventKind.SOCIALISED_LOSS].sum()

    def test_prices(self, summary, events):
        marks = (events["kind"] == EventKind.MARK) & after_start(summary, events)
        first = events["value"][(events["kind"] == EventKind.MARK) & ~after_start(summary, events)][-1]
        values = np.append(first, events["value"][marks])
        stated = {name: units(text) for name, text in summary["markets"]["BTCUSDT"]["mark"].items()}
        assert stated == {"first": first, "min": values.min(), "max": values.max(), "last": values[-1]}
        gaps = np.abs(events["value"][marks] - events["aux"][marks]) / events["aux"][marks]
        assert float(summary["markets"]["BTCUSDT"]["mark_index_gap"]["worst"]) == pytest.approx(gaps.max(), abs=1e-9)

    def test_open_interest(self, summary, events, ledger):
        seeded = events["kind"] == EventKind.POSITION_SEEDED
        stated = summary["markets"]["BTCUSDT"]["open_interest"]
        for name, side in (("long", Side.BUY), ("short", Side.SELL)):
            lots = events["size_lots"][seeded & (events["side"] == side)].sum()
            assert int(Decimal(stated["before"][name]) * 1000) == int(lots) == 20_000_000
        positions = [ledger.accounts[account].lots for account in range(CUSTOMERS)]
        assert Decimal(stated["after"]["long"]) * 1000 == sum(lots for lots in positions if lots > 0)
        assert Decimal(stated["after"]["short"]) * 1000 == -sum(lots for lots in positions if lots < 0)

    def test_counts(self, summary, events):
        assert summary["end"]["event"] == len(events["kind"])
        assert np.array_equal(events["sequence"], np.arange(1, len(events["kind"]) + 1))


class TestAccounts:
    def test_every_column_follows_from_the_events(self, accounts, ledger):
        for account in [*range(CUSTOMERS), house(accounts, "world")]:
            of = ledger.accounts[account]
            for name in ("deposits", "realised", "fees", "funding", "absorbed"):
                assert accounts[name][account] == getattr(of, name), (account, name)
            unrealised = ledger.unrealised(account, 10_000_000)
            assert accounts["unrealised"][account] == unrealised
            assert accounts["final_equity"][account] == of.balance + unrealised

    def test_house_accounts(self, accounts, ledger):
        fund, treasury = house(accounts, "fund 0"), house(accounts, "treasury")
        assert accounts["final_equity"][fund] == ledger.accounts[fund].balance + ledger.unrealised(fund, 10_000_000)
        assert accounts["final_equity"][treasury] == ledger.treasury
        assert accounts["house"].sum() == 7
        assert not accounts["house"][:CUSTOMERS].any()

    def test_money_is_conserved(self, accounts):
        balances = accounts["final_equity"] - accounts["unrealised"]
        assert balances.sum() == accounts["deposits"].sum()

    def test_worst_moments(self, accounts, events):
        liquidated = np.unique(events["account"][events["kind"] == EventKind.LIQUIDATION_STARTED])
        ratio, customers = accounts["min_margin_ratio"][:CUSTOMERS], np.arange(CUSTOMERS)
        assert (ratio[liquidated] < 1).all()
        spared = np.setdiff1d(customers, liquidated)
        assert (ratio[spared] >= 1).all()
        assert (accounts["max_drawdown"] >= 0).all()
        ruined = liquidated[accounts["final_equity"][liquidated] == 0]
        assert len(ruined)
        assert (accounts["max_drawdown"][ruined] > 0).all()

    def test_cohorts(self, accounts):
        labels, counts = np.unique(accounts["cohort"][:CUSTOMERS], return_counts=True)
        assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == {"3x": 1000, "20x": 1000, "100x": 1000}


class TestSeries:
    def test_rows_and_sums(self, result, summary, events):
        series = columns(result / "series.parquet")
        times = series["time_ns"]
        assert (np.diff(times) > 0).all()
        assert (times[1:-1] % (5 * 10**9) == 0).all()
        for name in ("long", "short"):
            assert series[f"liquidated_{name}"].sum() == units(summary["forced_notional"][name])
        assert series["liquidations"].sum() == summary["liquidations"]
        assert series["adl"].sum() == summary["adl_trades"]
        assert series["mark"][-1] == units(summary["markets"]["BTCUSDT"]["mark"]["last"])
        assert series["fund_balance"][-1] == units(summary["fund"]["after"])
        assert (series["spread"] == series["ask"] - series["bid"]).all()
        assert (series["bid_depth_lots"] > 0).any()

    def test_shock_moves_book_and_index(self, result):
        series = columns(result / "series.parquet")
        low = int(np.argmin(series["shock"]))
        factor = series["shock"][low] / 10**9
        assert 0.86 <= factor < 0.87
        middle = (series["bid"] + series["ask"]) / 2
        assert middle[low] / middle[0] == pytest.approx(factor, abs=0.003)
        assert series["index"][low] / series["index"][0] == pytest.approx(factor, abs=0.003)


class TestFolder:
    def test_an_earlier_result_is_replaced(self, result, tmp_path):
        folder = tmp_path / "again"
        shutil.copytree(result, folder)
        (folder / "note.txt").write_text("old")
        outcomes.run(scenario(short(CRASH)), folder)
        assert not (folder / "note.txt").exists()
        assert (folder / "summary.json").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["again"]

    def test_a_foreign_folder_is_refused(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(InputError, match="holds no earlier result"):
            outcomes.run(scenario(), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "out").write_text("x")
        with pytest.raises(InputError, match="is a file"):
            outcomes.run(scenario(), tmp_path / "out")

    def test_a_failing_run_leaves_nothing(self, tmp_path):
        text = CRASH.replace("open_interest = 20_000", "open_interest = 0.001")
        with pytest.raises(InputError, match="population"):
            outcomes.run(scenario(text), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_a_failing_run_keeps_the_earlier_result(self, result, tmp_path, monkeypatch):
        folder = tmp_path / "out"
        shutil.copytree(result, folder)
        before = (folder / "summary.json").read_bytes()
        monkeypatch.setattr(Runner, "run", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            outcomes.run(scenario(), folder)
        assert (folder / "summary.json").read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_the_same_run_writes_the_same_bytes(self, result, tmp_path):
        outcomes.run(scenario(), tmp_path / "again")
        for name in ("accounts.parquet", "events.parquet", "series.parquet", "scenario.toml"):
            assert (result / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


class TestVerify:
    def test_a_result_verifies(self, tmp_path):
        outcomes.run(scenario(short(CRASH)), tmp_path / "out")
        assert outcomes.verify(tmp_path / "out") == []

    def test_a_changed_summary_does_not(self, tmp_path):
        summary = outcomes.run(scenario(short(CRASH)), tmp_path / "out")
        summary["accounts"]["liquidated"] += 1
        (tmp_path / "out" / "summary.json").write_text(json.dumps(summary))
        (line,) = outcomes.verify(tmp_path / "out")
        assert line.startswith("accounts.liquidated: was ")

    def test_a_changed_scenario_does_not(self, tmp_path):
        outcomes.run(scenario(short(CRASH)), tmp_path / "out")
        changed = (tmp_path / "out" / "scenario.toml").read_text().replace("seed = 3", "seed = 4")
        (tmp_path / "out" / "scenario.toml").write_text(changed)
        assert any(line.startswith("digest: ") for line in outcomes.verify(tmp_path / "out"))

    def test_what_is_no_result_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="no result"):
            outcomes.verify(tmp_path)
        (tmp_path / "summary.json").write_text("{")
        with pytest.raises(InputError, match="damaged"):
            outcomes.verify(tmp_path)


class TestStory:
    def test_it_names_who_was_closed_and_who_paid(self, summary):
        lines = tell(summary).splitlines()
        assert lines[0].startswith("crash: 2023-04-04T23:58:25Z to 2023-04-05T00:06:54.681Z, rules of binance-usdm on ")
        found = {line[:28].strip(): line[28:] for line in lines if line.startswith("  ")}
        people = summary["accounts"]
        assert found["liquidated"].startswith(f"{people['liquidated']:,} (")
        assert found["deleveraged by ADL"] == f"{people['deleveraged']:,}, in {summary['adl_trades']:,} trades"
        assert found["insurance fund"].startswith("20.00 m before, ")
        assert found["open interest"].startswith("20,000 BTC before, ")
        assert "in the book" in found["longs closed by force"] and "by ADL" in found["longs closed by force"]
        assert f"digest {summary['digest']}" in lines

    def test_changed_rules_are_named(self, summary):
        changed = summary | {"rulebook": summary["rulebook"] | {"modified": True, "changes": {"taker_fee": 0}}}
        assert "modified: taker_fee" in tell(changed)


class TestProgress:
    def test_a_bar_shows_what_takes_long_and_goes_away(self, monkeypatch):
        screen = io.StringIO()
        screen.isatty = lambda: True
        now = itertools.count()
        monkeypatch.setattr(progress.sys, "stderr", screen)
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
        with progress.Bar() as bar:
            for done in range(0, 50, 10):
                bar("replaying", done * 10**9, 50 * 10**9)
        assert "replaying" in screen.getvalue() and "x recorded speed" in screen.getvalue()
        assert bar._display is None

    def test_a_pipe_gets_none(self, capsys):
        with progress.Bar() as bar:
            bar("replaying", 1, 2)
        assert capsys.readouterr().err == ""


def short(text: str) -> str:
    """Eighty seconds of it."""
    return text.replace("interval = 5", "interval = 5\nend = 80").replace("accounts = 3000", "accounts = 300")
