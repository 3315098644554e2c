"""Recordings without an index: the one that is made of their prints, and how results say so."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from perpsim.core import EventKind
from perpsim.replay import outcomes
from perpsim.replay.errors import InputError
from perpsim.replay.labels import KEY
from perpsim.replay.plan import make_plan
from perpsim.replay.print_index import PrintIndex
from perpsim.replay.realism import card, text
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, Row
from small_tape import SECOND, START_NS, Recording

TICK = 10_000_000  # 0.1 in 1e-8 of the quote
FOREVER = 1 << 62
SCENARIO = """
[run]
seed = 5
interval = 1
{run}
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "{store}"
{keys}
[fund]
initial = 10_000
[population]
accounts = 60
open_interest = 1
leverage = [{{ leverage = 40, weight = 1 }}]
[shock]
points = [[0, 1], [5, 1], [20, 0.95]]
"""
STATED = "index_from_prints = 1"


def market(seconds: int = 60, seed: int = 1) -> Recording:
    """A book and prints around a walking price, several prints of one time at times, none for a while at times."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    recording, price, at = Recording(), 300_000, 0.0
    while at < seconds:
        bids, asks = ({price + sign * step: 5_000 for step in range(5, 105, 10)} for sign in (-1, 1))
        recording.book(at, bids, asks, snapshot=True)
        for _ in range(int(draw.choice((0, 1, 1, 3)))):
            recording.trade(at, int(draw.integers(2)), price, int(draw.integers(1, 9)))
        price += int(draw.integers(-9, 10))
        at = round(at + float(draw.choice((0.1, 0.25, 0.5, 3), p=(0.4, 0.3, 0.25, 0.05))), 3)
    return recording


def batches_of(recording: Recording, sizes) -> list[dict[str, np.ndarray]]:
    """The recording in pieces, each of so many messages."""
    columns = recording.tape().columns()
    ends = np.flatnonzero((columns["code"] & MORE) == 0) + 1
    batches, first, message = [], 0, 0
    while first < len(columns["code"]):
        message = min(message + next(sizes), len(ends))
        last = int(ends[message - 1])
        batches.append({name: column[first:last] for name, column in columns.items()})
        first = last
    return batches


def made_by_hand(recording: Recording, period_ns: int) -> list[tuple[int, int]]:
    """(time, value) of every index row, by the sentence of the document."""
    tape = recording.tape()
    traded = (tape.code & ROW_MASK) == Row.TRADE
    trades = list(zip(tape.time_ns[traded].tolist(), tape.price[traded].tolist(), strict=True))
    told, at = [], int(tape.time_ns[0]) // period_ns * period_ns
    while at <= tape.time_ns[-1]:
        since = [price for time, price in trades if at - period_ns <= time < at]
        told += [(at, since[-1] * TICK)] if since else []
        at += period_ns
    return told


@pytest.mark.parametrize("period_ns", [SECOND // 10, SECOND, 3 * SECOND, 7 * SECOND + 1])
def test_the_last_print_before_each_multiple_of_the_period(period_ns):
    recording = market()
    draw = np.random.Generator(np.random.Philox(key=2))
    found = []
    for sizes in (iter(lambda: 1, 0), iter(lambda: 1 << 30, 0), iter(lambda: int(draw.integers(1, 9)), 0)):
        index = PrintIndex(period_ns, TICK, FOREVER)
        rows = list(index.among(iter(batches_of(recording, sizes))))
        whole = {name: np.concatenate([batch[name] for batch in rows]) for name in COLUMNS}
        made = (whole["code"] & ROW_MASK) == Row.INDEX
        found.append(list(zip(whole["time_ns"][made].tolist(), whole["value"][made].tolist(), strict=True)))
        assert index.rows == len(found[-1])
        assert (np.diff(whole["time_ns"]) >= 0).all()
        assert {name: whole[name].dtype for name in COLUMNS} == dict(COLUMNS)
        for name, column in recording.tape().columns().items():
            assert np.array_equal(whole[name][~made], column), name
        before = np.flatnonzero(made) - 1
        assert not (whole["code"][before[before >= 0]] & MORE).any()  # never within a message
    assert found[0] == found[1] == found[2] == made_by_hand(recording, period_ns) != []


def test_prints_off_the_book_do_not_count():
    recording = Recording().trade(0.5, 0, 300_000, 1).book(2.5, {299_000: 1}, {301_000: 1})
    recording.rows.append((START_NS + 600_000_000, int(Row.OFF_BOOK), 400_000, 1))
    (batch,) = PrintIndex(SECOND, TICK, FOREVER).among(iter([recording.tape().columns()]))
    made = (batch["code"] & ROW_MASK) == Row.INDEX
    assert batch["value"][made].tolist() == [300_000 * TICK]
    assert batch["time_ns"][made].tolist() == [START_NS + SECOND]


def scenario(tmp_path, recording: Recording, keys: str = STATED, run: str = ""):
    recording.store(tmp_path / "store")
    made = SCENARIO.format(store=tmp_path / "store", keys=keys, run=run).encode()
    return parse(made, tmp_path / "scenario.toml", tmp_path)


def test_accounts_live_on_the_marks_that_are_made_of_it(tmp_path):
    outcome = Runner(make_plan(scenario(tmp_path, market()))).run()
    assert outcome.tally.count(EventKind.LIQUIDATION_STARTED) > 0
    (index,) = outcome.indices
    now = outcome.engine.market(0)
    last = made_by_hand(market(), SECOND)
    assert index.rows == len(last)
    assert now["index"] == last[-1][1] * now["shock_e9"] // 10**9  # a shock bends it as any index


def test_an_index_that_is_recorded_is_taken(tmp_path):
    recording = market().index(0.5, 30_000)
    with pytest.raises(InputError, match=r"tape\[0\].index_from_prints: the recording has an index; take the key out"):
        make_plan(scenario(tmp_path, recording))


def test_a_recording_without_prints_is_refused(tmp_path):
    recording = market()
    recording.rows = [row for row in recording.rows if row[1] & ROW_MASK != Row.TRADE]
    with pytest.raises(InputError, match=r"index_from_prints: the recording has no trades; import an index beside it"):
        make_plan(scenario(tmp_path, recording))


@pytest.mark.parametrize("stated", ["-1", '"soon"', "0.0000000001"])
def test_impossible_periods_are_refused(tmp_path, stated):
    with pytest.raises(InputError, match="index_from_prints"):
        make_plan(scenario(tmp_path, market(), f"index_from_prints = {stated}"))


def test_every_result_says_that_the_index_was_made(tmp_path):
    folder = tmp_path / "out"
    summary = outcomes.run(scenario(tmp_path, market()), folder)
    (sentence,) = summary["labels"]
    assert "the index is not recorded: it is the last print of this recording, every 1 s" in sentence
    assert summary["markets"]["BTCUSDT"]["tape"]["print_index"] == {
        "seconds": "1", "rows": len(made_by_hand(market(), SECOND)),
    }  # fmt: skip
    for path in folder.glob("*.parquet"):
        assert json.loads(pq.read_schema(path).metadata[KEY]) == [sentence], path.name
    assert f"ASSUMED  {sentence}" in tell(summary) and "of them of an index of prints" in tell(summary)
    assert f"ASSUMED  {sentence}" in text.tell(card.card(folder))
    assert outcomes.verify(folder) == []


def test_a_run_from_the_middle_has_the_index_of_the_whole(tmp_path):
    recording, digests = market(120), []
    for warm_up in (600, 30):
        given = scenario(tmp_path, recording, STATED, f"start = 60\nwarm_up = {warm_up}")
        digests.append(Runner(make_plan(given)).run().engine.market(0)["index"])
    assert digests[0] == digests[1]
