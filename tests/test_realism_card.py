"""The realism card: what is looked at in a run, the probe of impact on a book made by hand, the command."""

import json

import numpy as np
import pytest
from perpsim.replay import cli, outcomes
from perpsim.replay.errors import DifferenceError, InputError
from perpsim.replay.plan import make_plan
from perpsim.replay.realism import card, measures, observe, probe, text
from perpsim.replay.realism.rows import ROWS
from perpsim.replay.scenario import parse
from small_tape import SECOND, START_NS, Recording
from typer.testing import CliRunner

SCENARIO = """
[run]
interval = 1
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "{store}"
"""
PEOPLE = """
[population]
accounts = 40
open_interest = 20
leverage = [{ leverage = 50, weight = 1 }]
[shock]
points = [[0, 1], [10, 1], [40, 0.96]]
"""
LEVELS = range(1, 400)


def static_market() -> Recording:
    """200 lots at every tick: a taker of n times that moves his side by n ticks; it stays so, for 240 s."""
    recording = Recording().index(0, 1000.0)
    recording.book(0, {10_000 - each: 200 for each in LEVELS}, {10_000 + each: 200 for each in LEVELS}, snapshot=True)
    for second in range(1, 240):
        recording.index(second, 1000.0)
        price = 20_000 + second % 2
        recording.book(second + 0.5, {}, {price: second % 2 + 1})  # far away; says nothing of the levels in between
    return recording


def moving_market(seconds: int = 240) -> Recording:
    """A book that walks, some 1,000 lots a tick, with a trade of 100 to 600 lots every half second."""
    generator = np.random.Generator(np.random.Philox(key=4))
    recording, price = Recording().index(0, 1000.0), 10_000
    shown: set[int] = set()
    for step in range(2 * seconds):
        at = step / 2
        bids = {price - each: 1000 + each for each in range(1, 30)}
        asks = {price + each: 1000 + each for each in range(1, 30)}
        recording.index(at, price / 10)
        recording.book(at, bids, asks, snapshot=True)
        side = int(generator.integers(2))
        recording.trade(at + 0.2, side, price + (-1 if side else 1), int(generator.integers(100, 600)))
        price += int(generator.integers(-2, 3))
        shown |= {*bids, *asks}
    return recording


def scenario(tmp_path, recording, more=""):
    store = recording.store(tmp_path / "store")
    return parse((SCENARIO.format(store=store) + more).encode(), tmp_path / "small.toml", tmp_path)


def test_a_run_without_accounts_shows_the_recorded_quotes_and_trades(tmp_path):
    recording = moving_market(30)
    plan = make_plan(scenario(tmp_path, recording))
    seen, _ = observe.observe(plan)
    (market,) = seen.markets
    tape = recording.tape()
    assert observe.is_bare(plan)
    lots = tape.value[(tape.code & 15) == 2]
    late = tape.time_ns[(tape.code & 15) == 2] > market.start_ns
    assert market.trade_lots.tolist() == lots[late].tolist()
    assert (market.ask - market.bid >= 1).all() and (np.diff(market.time_ns) >= 0).all()
    book = recording.rows[-80:]
    best = max(price for _, code, price, _ in book if code & 15 == 1 and not code & 16)
    assert market.bid[-1] in (best, best - 1)  # the last trade may have taken it whole
    assert market.depth.shape[1:] == (2, observe.LEVELS) and (market.depth > 0).all()


def test_simulated_takers_are_among_the_orders(tmp_path):
    plan = make_plan(scenario(tmp_path, moving_market(60), PEOPLE))
    run, runner = observe.observe(plan)
    still = observe.bare(plan, run.start_ns)
    history, _ = observe.observe(still)
    assert not observe.is_bare(plan) and still.accounts == 0
    ours, theirs = run.markets[0], history.markets[0]
    forced = sum(int((part["order_id"] < 0).sum()) for part in runner.fills)
    assert forced > 0 and len(ours.trade_ns) > len(theirs.trade_ns)
    assert ours.start_ns == theirs.start_ns
    fills = np.concatenate(runner.fills)
    assert ours.trade_lots.sum() == theirs.trade_lots.sum() + fills["size_lots"].sum()
    assert ours.mid.min() < theirs.mid.min()  # bent by the shock


def test_impact_on_a_book_that_keeps_it_is_what_was_eaten(tmp_path):
    plan = make_plan(scenario(tmp_path, static_market()))
    control, _ = observe.observe(plan)
    around = probe.Round(
        np.array([10, 60, 110]) * SECOND + START_NS, np.array([1, -1, 1]),
        np.repeat([[200], [400], [600]], 10, axis=1),
    )  # fmt: skip
    labels, shape = np.repeat(np.arange(3), 10).reshape(3, -1), probe.Shape(20 * SECOND)
    sent = probe.commands(plan, 0, around, plan.accounts, shape, 1000 * 10**8, labels)
    seen, runner = observe.observe(observe.probed(plan, 3), None, sent)
    assert probe._executed(runner.fills, plan.accounts, 0, 3, 10).tolist() == [2000, 4000, 6000]
    paths = probe._paths(seen.markets[0], control.markets[0], around, shape)
    middle = 10_000.0
    moved = [np.log((middle + 5) / middle), -np.log((middle + 5 - 10) / (middle + 5)), None]
    moved[2] = np.log((middle + 5 - 10 + 15) / (middle + 5 - 10))
    assert paths[:, probe.PATH // 2] == pytest.approx(moved)
    assert paths[:, -1] == pytest.approx(moved)  # nothing brings it back
    assert (paths[:, 0] == 0).all() and (np.diff(paths, axis=1) >= 0).all()


def test_metaorders_are_the_same_for_the_same_seed_and_names_do_not_matter(tmp_path):
    plan = make_plan(scenario(tmp_path, moving_market()))
    control, _ = observe.observe(plan)
    shape = probe.Shape(5 * SECOND)
    first, again = (probe.draw(control.markets[0], plan.markets[0].spec, 12, shape, 3) for _ in range(2))
    other = probe.draw(control.markets[0], plan.markets[0].spec, 12, shape, 4)
    assert all(np.array_equal(a.lots, b.lots) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.lots, b.lots) for a, b in zip(first, other, strict=True))
    assert sum(len(each.sign) for each in first) == 12
    plain, scrambled = (probe.measure(plan, control, 0, first, shape, scrambled=each) for each in (False, True))
    assert np.array_equal(plain.path, scrambled.path) and np.array_equal(plain.size, scrambled.size)
    assert plain.lost == 0 and (plain.final >= 0).all() and plain.final.max() > 0
    with pytest.raises(InputError, match="too short for metaorders of 500 s"):
        probe.draw(control.markets[0], plan.markets[0].spec, 12, probe.Shape(500 * SECOND), 3)


def test_trades_between_quotes_are_assigned_to_them():
    seen = observe.Observation(
        "X", 0, 100, *(np.array(each) for each in ([10, 20, 30], [5, 5, 5], [1, 2, 1], [6, 6, 6], [1, 1, 1])),
        np.empty(0), np.empty((0, 2, 10)), np.array([10, 15, 30]), np.array([1, 1, -1]), np.array([1, 1, 1]),
    )  # fmt: skip
    assert measures._traded_between(seen, 1).tolist() == [True, False]
    assert measures._traded_between(seen, -1).tolist() == [False, True]


def test_the_command_prints_every_row_and_json(tmp_path):
    out = tmp_path / "out"
    outcomes.run(scenario(tmp_path, moving_market(300), PEOPLE), out)
    done = CliRunner().invoke(cli.app, ["realism", str(out), "-q", "--metaorders", "12", "--duration", "5"])
    assert done.exit_code == 0, done.output
    for row in ROWS:
        assert row.title in done.output
    assert "12 metaorders of 10 market orders over 5 s" in done.output
    assert "needs --metaorders" not in done.output
    done = CliRunner().invoke(cli.app, ["realism", str(out), "-q", "--json"])
    market = json.loads(done.output)["markets"]["BTCUSDT"]
    graded = {row["name"]: row for row in market["graded"]}
    assert set(graded) == {row.name for row in ROWS if row.band}
    assert graded["impact-delta"]["run"] is None and graded["impact-delta"]["verdict"] == ""
    assert graded["hurst"]["pure_replay"] in ("pass", "open", "fail")
    reported = {row["name"]: row for row in market["reported"]}
    assert reported["spread-l1"]["run"]["value"] > 0 and reported["spread-l1"]["recorded"] is None


def test_rows_that_say_nothing_are_told_apart():
    verdicts = ("pass", "pass"), ("pass", "fail"), ("open", "pass"), ("pass", "")
    rows = [
        {"title": title, "verdict": mine, "pure_replay": replay}
        for title, (mine, replay) in zip("abcd", verdicts, strict=True)
    ]
    assert list(text._trivial(rows)) == ["  passed, and a pure replay passes too: a",
                                         "  passed, and a pure replay does not pass: b, d"]  # fmt: skip
    assert list(text._trivial(rows[2:3])) == []


def test_a_result_that_does_not_come_out_again_gets_no_card(tmp_path):
    out = tmp_path / "out"
    outcomes.run(scenario(tmp_path, moving_market(20)), out)
    summary = json.loads((out / outcomes.SUMMARY).read_text("utf-8"))
    summary["digest"] = "0" * 64
    (out / outcomes.SUMMARY).write_text(json.dumps(summary), "utf-8")
    with pytest.raises(DifferenceError, match="perpsim verify"):
        card.card(out)
