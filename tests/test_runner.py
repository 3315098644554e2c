"""Runs: the same digest however the work is cut up, and each part of a scenario does what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from perpsim.core import COMMAND, EVENT, Engine, EventKind, Kernel, Kind, Stop
from perpsim.exchange import rulebook
from perpsim.replay import tape_writer
from perpsim.replay.errors import InputError
from perpsim.replay.plan import make_plan
from perpsim.replay.population import Ground, commands, draw
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import Leverage, Population, Size, parse
from perpsim.replay.shock import path_commands
from perpsim.replay.tape import ROW_MASK, Row
from small_tape import ETH, SECOND, START_NS, Recording, quiet_market
from tape_commands import merged, one_reading, shipped_tape, tape_commands  # noqa: F401

MIDNIGHT_NS = 1_680_652_800 * SECOND
CRASH = """
[run]
seed = 5
start = 1
interval = 20
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
recording = "btcusdt-2023-04-04"
[fund]
initial = 5_000_000
[population]
accounts = 2_000
open_interest = 10_000
isolated_share = 0.5
leverage = [{ leverage = 5, weight = 1 }, { leverage = 50, weight = 1 }]
[shock]
points = [[0, 1], [30, 1], [90, 0.9], [200, 0.97]]
"""


class Events:
    """A sink that keeps everything."""

    def __init__(self):
        self.chunks = [np.empty(0, EVENT)]

    def add(self, events):
        self.chunks.append(events.copy())

    def of(self, kind):
        events = np.concatenate(self.chunks)
        return events[events["kind"] == kind]


def run(text: str, folder: Path | None = None):
    sink = Events()
    plan = make_plan(parse(text.encode(), Path("test.toml"), folder or Path.cwd()))
    return Runner(plan, sink).run(), sink


@pytest.fixture(scope="module")
def crash():
    return run(CRASH)


@pytest.fixture(scope="module")
def tape():
    return shipped_tape()


@pytest.fixture(scope="module")
def clients(tape):
    """Fund, population and shock as commands; enough to go through the whole waterfall."""
    book = rulebook("binance-usdm", "2025-10-10")
    people = Population(
        accounts=2_000, open_interest=15_000, leverage=[Leverage(3, 1), Leverage(20, 1), Leverage(100, 1)],
        isolated_share=0.5, size=Size(tail=0.01, alpha=1.3),
    )  # fmt: skip
    start_ns = (int(tape.time_ns[0]) // SECOND + 2) * SECOND
    crowd = draw(people, Ground(book.market("BTCUSDT"), 0, 2_814_700_000_000, 7, ValueError), 0, 0)
    fund = np.zeros(1, COMMAND)
    fund["kind"], fund["time_ns"], fund["value"] = Kind.DEPOSIT, start_ns, 10**15
    fund["account"] = new_engine().house["funds"][0]
    points = [(0, 10**9), (60 * SECOND, 10**9), (120 * SECOND, 880_000_000), (400 * SECOND, 950_000_000)]
    return np.concatenate([fund, commands(crowd, start_ns), path_commands(points, SECOND // 2, start_ns, [0])])


def new_engine() -> Engine:
    book = rulebook("binance-usdm", "2025-10-10")
    spec = book.market("BTCUSDT").with_given_index()
    return Engine(book, [spec], 2_000, audit=0)  # the stream is audited once, in `whole`


@pytest.fixture(scope="module")
def whole(tape, clients) -> str:
    """The digest of everything in one batch."""
    engine = new_engine()
    kinds = engine.apply(merged(tape_commands(tape), clients))["kind"]
    for kind in (EventKind.LIQUIDATION_STARTED, EventKind.TAKEOVER, EventKind.ADL, EventKind.FUNDING_PAYMENT):
        assert (kinds == kind).any(), kind
    engine.check()
    return engine.digest()


class TestOneDigest:
    @pytest.mark.parametrize("size", [1, 7, 1_000])
    def test_batches(self, tape, clients, whole, size):
        engine, stream = new_engine(), merged(tape_commands(tape), clients)
        for first in range(0, len(stream), size):
            engine.apply(stream[first : first + size])
        assert engine.digest() == whole

    @pytest.mark.parametrize("size", [7, 1_000, 1_000_000])
    def test_kernel_and_chunks(self, tape, clients, whole, size):
        engine = new_engine()
        kernel = Kernel([engine])
        stream, columns, first = kernel.add_stream(0, 0), tape.columns(), 0
        kernel.schedule(clients)
        while (stop := kernel.run(int(tape.time_ns[-1]))) != Stop.UNTIL:
            if stop == Stop.DATA and first < len(tape):
                kernel.feed(stream, {name: column[first : first + size] for name, column in columns.items()})
                first += size
            elif stop == Stop.DATA:
                kernel.finish(stream)
            else:
                engine.drain()
        assert engine.digest() == whole

    def test_the_runner_samples_without_a_trace(self, crash):
        outcome, _ = run(CRASH.replace("interval = 20", "interval = 0.7"))
        assert outcome.engine.digest() == crash[0].engine.digest()

    def test_stored_and_raw_recordings(self, crash, tape, tmp_path):
        tape_writer.write(tape, tmp_path)
        outcome, _ = run(CRASH.replace('recording = "btcusdt-2023-04-04"', f'store = "{tmp_path}"'))
        assert outcome.engine.digest() == crash[0].engine.digest()

    def test_processes_and_their_surroundings(self, tmp_path):
        """Hash seeds, time zone, language, no asserts."""
        scenario = CRASH.replace("start = 1", "start = 2023-04-04T23:59:00Z")
        (tmp_path / "crash.toml").write_text(scenario)
        far = {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"}
        surroundings = [
            ({"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}, []),
            ({"PYTHONHASHSEED": "2"} | far, []),
            ({"PYTHONHASHSEED": "3"}, ["-O"]),
        ]
        children = [
            subprocess.Popen(
                [sys.executable, *options, "-m", "perpsim.replay", "run", "crash.toml", "--quiet", "-o", str(number)],
                cwd=tmp_path, env=os.environ | environment, stdout=subprocess.DEVNULL,
            )
            for number, (environment, options) in enumerate(surroundings)
        ]  # fmt: skip
        assert [child.wait() for child in children] == [0, 0, 0]
        summaries = [json.loads((tmp_path / str(number) / "summary.json").read_text()) for number in range(3)]
        for summary in summaries:
            del summary["wall"]
        assert summaries[1] == summaries[0] and summaries[2] == summaries[0]
        assert summaries[0]["digest"] == run(scenario)[0].engine.digest()

    def test_another_seed_another_digest(self, crash):
        outcome, _ = run(CRASH.replace("seed = 5", "seed = 6"))
        assert outcome.engine.digest() != crash[0].engine.digest()


class TestTimes:
    def test_start_and_end(self):
        outcome, sink = run(CRASH.replace("start = 1", "start = 2023-04-04T23:59:00Z\nend = 2023-04-04T23:59:30Z"))
        assert outcome.opening.time_ns == MIDNIGHT_NS - 60 * SECOND
        assert outcome.engine.time_ns == MIDNIGHT_NS - 30 * SECOND
        seeded = sink.of(EventKind.POSITION_SEEDED)
        assert (seeded["time_ns"] == MIDNIGHT_NS - 60 * SECOND).all()

    def test_without_a_start_it_begins_as_soon_as_there_is_a_mark(self):
        outcome, _ = run(CRASH.replace("start = 1\n", "").replace("interval = 20", "interval = 1\nend = 5"))
        assert outcome.opening.time_ns == 1_680_652_701 * SECOND

    def test_a_start_before_the_first_mark_is_refused(self):
        with pytest.raises(InputError, match=r"key run\.start: there is no mark price yet at 2023-04-04T23:58:20\.8"):
            run(CRASH.replace("start = 1", "start = 0.348"))

    def test_a_recording_without_marks_has_room_for_nobody(self, tmp_path):
        recording = Recording().book(0, {299_990: 5}, {300_010: 5}, snapshot=True).trade(9, 0, 300_010, 1)
        store = f'store = "{recording.store(tmp_path)}"'
        text = CRASH.replace('recording = "btcusdt-2023-04-04"', store).replace("start = 1\n", "")
        with pytest.raises(InputError, match="never has a mark price"):
            run(text.replace("interval = 20", "interval = 1"))

    def test_a_bare_replay_needs_no_marks(self, tmp_path):
        recording = Recording().book(0, {299_990: 5}, {300_010: 5}, snapshot=True).trade(9, 0, 300_010, 1)
        text = CRASH[: CRASH.index("[fund]")].replace("start = 1\n", "").replace("interval = 20", "interval = 1")
        outcome, _ = run(text.replace('recording = "btcusdt-2023-04-04"', f'store = "{recording.store(tmp_path)}"'))
        assert outcome.rows == 3
        assert outcome.engine.book(0, 1).tolist() == [[300_010, 4]]


class TestMarkAndFunding:
    def test_taped_marks(self, tape):
        _, sink = run(CRASH[: CRASH.index("[shock]")].replace("[fund]", 'mark = "taped"\n[fund]'))
        recorded = tape.value[(tape.code & ROW_MASK) == Row.MARK]
        assert np.array_equal(sink.of(EventKind.MARK)["value"], recorded)

    def test_computed_marks_follow_the_recorded_ones(self, tape):
        _, sink = run(CRASH[: CRASH.index("[population]")])
        computed = sink.of(EventKind.MARK)
        row = (tape.code & ROW_MASK) == Row.MARK
        recorded = np.interp(computed["time_ns"], tape.time_ns[row], tape.value[row])
        away = np.abs(computed["value"][90:] / recorded[90:] - 1)
        assert np.median(away) < 0.00005
        assert away.max() < 0.0005

    def test_taped_funding_pays_the_recorded_rate(self, tape):
        _, sink = run(CRASH)
        (settled,) = sink.of(EventKind.FUNDING_SETTLED)
        rates = (tape.code & ROW_MASK) == Row.FUNDING
        before = rates & (tape.time_ns < MIDNIGHT_NS)
        assert settled["time_ns"] == MIDNIGHT_NS
        assert settled["value"] == tape.value[before][-1]

    def test_computed_funding_pays_its_own(self, tape):
        _, sink = run(CRASH[: CRASH.index("[shock]")].replace("[fund]", 'funding = "computed"\n[fund]'))
        (settled,) = sink.of(EventKind.FUNDING_SETTLED)
        assert settled["time_ns"] == MIDNIGHT_NS
        assert settled["value"] not in tape.value[(tape.code & ROW_MASK) == Row.FUNDING]
        assert len(sink.of(EventKind.FUNDING_RATE)) == 0


class TestParts:
    def test_everybody_is_healthy_at_the_start(self, crash):
        outcome, sink = crash
        started = sink.of(EventKind.LIQUIDATION_STARTED)
        assert (started["time_ns"] > outcome.opening.time_ns).all()
        assert outcome.opening.fund_balance == 5_000_000 * 10**8
        assert outcome.opening.open_interest_lots == [(10_000_000, 10_000_000)]

    def test_shocks_come_on_time(self, crash):
        outcome, sink = crash
        shocks = sink.of(EventKind.SHOCK)
        seconds = (shocks["time_ns"] - outcome.opening.time_ns) // SECOND
        lowest = int(np.argmin(shocks["value"]))
        assert (seconds[0], seconds[lowest], seconds[-1]) == (31, 90, 200)
        assert (shocks["value"][lowest], shocks["value"][-1]) == (900_000_000, 970_000_000)

    def test_progress_reaches_its_end(self):
        calls = []
        plan = make_plan(parse(CRASH.encode(), Path("x"), Path.cwd()), lambda *call: calls.append(call))
        Runner(plan, None, lambda *call: calls.append(call)).run()
        assert {what for what, _, _ in calls} == {"reading the recording", "replaying"}
        for what in ("reading the recording", "replaying"):
            done = [(done, total) for name, done, total in calls if name == what]
            assert done == sorted(done) and done[-1][0] == done[-1][1]

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("open_interest = 10_000", "open_interest = 0.0005", r"key population\[0\]\.open_interest: open interest"),
            ("leverage = 5,", "leverage = 126,", r"key population\[0\]\.leverage: 126 is above 125"),
            ("accounts = 2_000", 'market = "ETHUSDT"\naccounts = 2_000', r"key population\[0\]\.market: 'ETHUSDT'"),
            ("initial = 5_000_000", "initial = -1", r"key fund\.initial: the venue refused DEPOSIT for BAD_VALUE"),
            ("initial = 5_000_000", 'initial = "all"', r"key fund\.initial: amount 'all' is not a finite number"),
            ("[30, 1]", "[0, 1]", r"key shock\[0\]: point 1: its time is not after the one before"),
            ("[30, 1]", "[30, 0]", r"key shock\[0\]: point 1: the factor must be above 0"),
            ("[[0, 1]", "[[-1, 1]", r"key shock\[0\]\.points: -1 seconds are less than none"),
            ("[shock]", '[shock]\nmarket = "X"', r"key shock\[0\]\.market: 'X' is no market of this scenario"),
            ("[shock]", "[shock]\nstep = 0", r"key shock\[0\]: the step must be longer"),
        ],
    )
    def test_what_turns_out_to_be_impossible(self, old, new, sentence):
        assert old in CRASH
        with pytest.raises(InputError, match=sentence):
            run(CRASH.replace(old, new, 1))


def test_two_markets_share_a_timeline(tmp_path):
    btc = quiet_market(30).store(tmp_path / "btc")
    eth = quiet_market(30, price=200_000, instrument=ETH).store(tmp_path / "eth")
    people = "accounts = 50\nopen_interest = 2\nleverage = [{ leverage = 20, weight = 1 }]\n"
    text = f"""
    [venue]
    rulebook = "binance-usdm"
    date = 2025-10-10
    [[tape]]
    store = "{btc}"
    mark = "taped"
    [[tape]]
    store = "{eth}"
    mark = "taped"
    [fund]
    initial = 1000
    [[population]]
    market = "BTCUSDT"
    {people}
    [[population]]
    market = "ETHUSDT"
    {people}
    [[shock]]
    market = "ETHUSDT"
    points = [[0, 1], [10, 0.8]]
    """
    outcome, sink = run(text)
    assert outcome.opening.time_ns == START_NS + SECOND
    assert outcome.opening.marks == [30_000 * 10**8, 2_000 * 10**8]
    started = sink.of(EventKind.LIQUIDATION_STARTED)
    assert len(started) and (started["account"] >= 50).all()
    assert [market["mark"] for market in map(outcome.engine.market, (0, 1))] == [30_000 * 10**8, 1_600 * 10**8]
    assert {row[1] for row in outcome.series.rows} == {"BTCUSDT", "ETHUSDT"}


def test_what_is_recorded_above_the_highest_price_is_left_out(tmp_path):
    """Somebody sells at ten times the price in many a book; the venue's own limit is lower."""
    plain, high = quiet_market(5), quiet_market(5)
    for recording, asks in ((plain, {300_055: 9}), (high, {300_055: 9, 5_000_000: 7, 60_000_000: 1})):
        recording.book(2.5, {}, asks)
    high.book(3.5, {}, {5_000_000: 8}).trade(4.5, 0, 60_000_000, 1)
    scenario = CRASH.split("[fund]")[0].replace("start = 1\n", "").replace("interval = 20", "interval = 1")
    outcomes = []
    for name, recording in (("plain", plain), ("high", high)):
        store = recording.store(tmp_path / name)
        outcomes.append(run(scenario.replace('recording = "btcusdt-2023-04-04"', f'store = "{store}"'))[0])
    assert [each.rows_left_out for each in outcomes] == [[0], [4]]
    assert outcomes[0].engine.digest() == outcomes[1].engine.digest() and outcomes[0].rows == outcomes[1].rows


@pytest.mark.parametrize("start", ["", "start = 2"])
def test_a_recording_that_no_mark_can_be_made_of(tmp_path, start):
    recording = quiet_market(5)
    recording.rows = [row for row in recording.rows if row[1] & ROW_MASK not in (Row.INDEX, Row.MARK)]
    recording.trade(4, 0, 300_005, 1)
    store = recording.store(tmp_path)
    scenario = CRASH.replace('recording = "btcusdt-2023-04-04"', f'store = "{store}"').replace("start = 1", start)
    with pytest.raises(InputError, match=r"mark price.*; the recording of BTCUSDT has no index and no mark"):
        run(scenario.replace("interval = 20", "interval = 1"))
