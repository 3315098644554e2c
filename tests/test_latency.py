"""Latency models: what they draw, what the venue's queue does, and what bots see of both."""

import hashlib
import json
import random
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pyarrow.parquet as pq
import pytest
from perpsim.core import EventKind, Flag, Kind
from perpsim.exchange.journal import FILE
from perpsim.exchange.reports import Overload
from perpsim.replay import outcomes, story
from perpsim.replay.errors import InputError
from perpsim.replay.latency import draws, recorded, sampled, tape
from perpsim.replay.latency.draws import ONE, Draws, Stream, Table
from perpsim.replay.latency.meter import Meter, Ways, percentiles
from perpsim.replay.latency.protocol import BOOK, MARK, PRINT, Channel
from perpsim.replay.latency.recorded import Recorded
from perpsim.replay.latency.sequencer import Answer, Rules, Sequencer
from perpsim.replay.outcomes import Journaling
from perpsim.replay.scenario import load
from perpsim.replay.tape import COLUMNS, MORE, SNAPSHOT, Row, Tape
from small_tape import SECOND, START_NS, Recording, quiet_market
from test_strategy import BID, play

MILLI, MICRO = SECOND // 1000, SECOND // 1_000_000
DRAWS_SHA256 = "9b7329d91807957f17b62de0240d8f019795b137efb63d214910875b331a67d7"
LOGNORMAL_SHA256 = "81b2ce583166e11b397e1bb723e07f4715214685230ad6036e70b18d2ab24916"
PLACE = {"kind": Kind.PLACE, "flags": 0}


class TestDraws:
    def test_a_draw_is_a_function_of_its_number(self):
        one, other = Draws(7, draws.FEED, 3), Draws(7, draws.FEED, 3)
        forwards = [one[n] for n in range(3000)]
        chosen = random.Random(1).sample(range(3000), 200)
        assert [other[n] for n in chosen] == [forwards[n] for n in chosen]

    def test_seeds_components_and_accounts_have_their_own(self):
        keys = [(7, draws.FEED, 3), (8, draws.FEED, 3), (7, draws.ENTRY, 3), (7, draws.FEED, 4)]
        assert len({tuple(Draws(*key)[n] for n in range(4)) for key in keys}) == 4

    def test_they_never_change(self):
        """Runs of an earlier release come out the same, on every platform."""
        told = ",".join(str(Draws(1, draws.ENTRY, 2)[n]) for n in range(2000))
        assert hashlib.sha256(told.encode()).hexdigest() == DRAWS_SHA256

    def test_no_normal_quantile_is_near_a_rounding_boundary(self):
        """So the last bit of a logarithm, which differs between processors, changes no table."""
        for share, z in draws.normal_quantiles():
            exact = NormalDist().inv_cdf(share / ONE) * draws.MILLIONTH
            assert abs(exact - z) < 0.5 - 1e-6

    def test_a_lognormal_has_its_median_and_p99(self):
        sigma = draws.sigma_of(20 * MILLI, 90 * MILLI, Fraction(99, 100))
        values = drawn(draws.lognormal(20 * MILLI, sigma), 200_000)
        assert abs(values[100_000] / (20 * MILLI) - 1) < 0.02
        assert abs(values[198_000] / (90 * MILLI) - 1) < 0.03
        assert abs(np.log(np.array(values) / (20 * MILLI)).std() / float(sigma) - 1) < 0.02

    def test_quantiles_are_those_stated(self):
        stated = [(0, 1), (Fraction(1, 2), 5), (Fraction(9, 10), 20), (Fraction(99, 100), 80), (1, 300)]
        table = draws.from_quantiles([(Fraction(share), ms * MILLI) for share, ms in stated])
        values = drawn(table, 200_000)
        for share, ms in stated[1:4]:
            assert abs(values[int(share * 200_000)] / (ms * MILLI) - 1) < 0.03, share
        assert values[0] >= MILLI and values[-1] <= 300 * MILLI
        assert table.at(0) == MILLI and table.at(ONE - 1) <= 300 * MILLI

    def test_tables_are_whole_numbers(self):
        table = draws.lognormal(5 * MILLI, Decimal("0.7"))
        told = ",".join(str(table.at(n * (ONE // 4096))) for n in range(4096))
        assert hashlib.sha256(told.encode()).hexdigest() == LOGNORMAL_SHA256

    def test_spikes_have_their_share_and_their_length(self):
        spikes = sampled.Spikes(10 * SECOND, SECOND // 2, 100 * MILLI)
        model = sampled.Sampled((Table([(0, 0)]),) * 3, spikes, 5, 1)
        late = [model.spike(START_NS + n * SECOND // 4) for n in range(80_000)]
        assert set(late) == {0, 100 * MILLI}
        assert abs(sum(map(bool, late)) / len(late) - 0.05) < 0.005
        assert late[::2] == late[1::2]  # two in each window


def drawn(table: Table, count: int) -> list[int]:
    stream = Stream(table, Draws(11, draws.FEED, 0))
    return sorted(stream.next() for _ in range(count))


# The queue


class NaiveQueue:
    """Every request on its own, in lists; shares nothing with the product."""

    def __init__(self, depth: int, services: list[int]):
        self.depth, self.services, self.leaves = depth, iter(services), []

    def length(self, now: int) -> int:
        return len([leave for leave in self.leaves if leave > now])

    def join(self, now: int, service: int) -> int:
        begin = max([now, *self.leaves[-1:]])
        self.leaves.append(begin + service)
        return begin + service

    def recorded(self, now: int, count: int) -> None:
        free = min(count, self.depth - self.length(now))
        if free > 0:
            service = next(self.services)
            for _ in range(free):
                self.join(now, service)

    def bot(self, now: int, exempt: bool) -> int | None:
        if self.length(now) >= self.depth and not exempt:
            return None
        return self.join(now, next(self.services))


class Arrivals:
    """Recorded requests by hand: (time, how many), each told once."""

    def __init__(self, items: list[tuple[int, int]]):
        self.items = list(items)

    def __call__(self, until_ns: int) -> list[tuple[int, int]]:
        told = [item for item in self.items if item[0] <= until_ns]
        self.items = self.items[len(told) :]
        return told


def sequencer(rules: Rules, arrivals: list[tuple[int, int]] = ()) -> Sequencer:
    return Sequencer(rules, Arrivals(arrivals), Draws(3, draws.SERVICE, 0), Draws(3, draws.TAKEN, 0))


@pytest.mark.parametrize("seed", range(30))
def test_the_queue_is_the_naive_one(seed):
    chance = random.Random(seed)
    table = Table([(0, chance.randrange(0, 5)), (ONE // 2, 10), (ONE, chance.randrange(10, 200))])
    services = Stream(table, Draws(3, draws.SERVICE, 0))
    depth = chance.choice([1, 2, 5, 20])
    naive = NaiveQueue(depth, [services.next() for _ in range(2_000)])
    times = sorted(chance.randrange(20_000) for _ in range(800))
    background = {time: chance.randrange(1, 8) for time in times if chance.random() < 0.5}
    ours = sequencer(Rules(table, depth), sorted(background.items()))
    left = sorted(background.items())
    seen = set()
    for time in times:
        exempt = chance.random() < 0.2
        if chance.random() < 0.5:
            continue
        while left and left[0][0] <= time:
            naive.recorded(*left.pop(0))
        expected = naive.bot(time, exempt)
        answer, leaves = ours.arrive(time, {"kind": Kind.CANCEL} if exempt else PLACE)
        assert (answer, leaves) == ((Answer.SHED, 0) if expected is None else (Answer.TAKEN, expected))
        assert ours.length(time) == naive.length(time)
        seen.add((answer, exempt))
    if depth < 20:
        assert {(Answer.SHED, False), (Answer.TAKEN, True), (Answer.TAKEN, False)} <= seen


class TestShedding:
    def full(self, **changes) -> Sequencer:
        queue = sequencer(Rules(Table([(0, 100)]), 3, **changes))
        assert [queue.arrive(0, PLACE) for _ in range(3)] == [(Answer.TAKEN, 100 * n) for n in (1, 2, 3)]
        return queue

    def test_beyond_the_depth_requests_are_rejected(self):
        queue = self.full()
        assert queue.arrive(0, PLACE) == queue.arrive(99, {"kind": Kind.AMEND}) == (Answer.SHED, 0)
        assert queue.arrive(100, PLACE) == (Answer.TAKEN, 400)  # the first is done

    def test_cancels_and_full_closes_are_exempt(self):
        queue = self.full()
        closes = {"kind": Kind.PLACE, "flags": Flag.REDUCE_ONLY | Flag.MARKET}
        stop = {"kind": Kind.PLACE, "flags": Flag.CLOSE_POSITION | Flag.STOP}
        exempt = [{"kind": Kind.CANCEL}, {"kind": Kind.CANCEL_ALL}, closes, stop]
        assert [queue.arrive(1, each)[1] for each in exempt] == [400, 500, 600, 700]
        assert queue.arrive(1, {"kind": Kind.PLACE, "flags": Flag.REDUCE_ONLY}) == (Answer.SHED, 0)

    def test_unless_the_venue_has_no_exemptions(self):
        queue = self.full(cancels=False, closes=False)
        closes = {"kind": Kind.PLACE, "flags": Flag.REDUCE_ONLY | Flag.MARKET}
        assert queue.arrive(1, {"kind": Kind.CANCEL}) == queue.arrive(1, closes) == (Answer.SHED, 0)

    def test_or_nobody_knows(self):
        queue = self.full(taken=ONE // 4)
        answers = [queue.arrive(1, PLACE)[0] for _ in range(4_000)]
        assert set(answers) == {Answer.LOST, Answer.UNKNOWN}
        assert abs(answers.count(Answer.UNKNOWN) / 4_000 - 0.25) < 0.03

    def test_recorded_requests_stand_in_line_too(self):
        queue = sequencer(Rules(Table([(0, 100)]), 10, recorded=2), [(0, 3), (50, 1)])
        assert queue.arrive(50, PLACE) == (Answer.TAKEN, 900)
        assert queue.length(50) == 9


# The recording


def columns(rows: list[tuple[int, int, int]]) -> dict[str, np.ndarray]:
    """Chunk of rows (time, delay, code)."""
    chunk = {name: np.zeros(len(rows), dtype) for name, dtype in COLUMNS.items()}
    chunk["time_ns"][:] = [time for time, _, _ in rows]
    chunk["receive_ns"][:] = [time + delay for time, delay, _ in rows]
    chunk["code"][:] = [code for _, _, code in rows]
    return chunk


def some_rows(count: int, seed: int) -> list[tuple[int, int, int]]:
    chance = random.Random(seed)
    codes = [Row.LEVEL, Row.LEVEL | MORE, Row.TRADE, Row.MARK, Row.LEVEL | SNAPSHOT, Row.OPEN_INTEREST]
    times = sorted(chance.randrange(3 * SECOND) for _ in range(count))
    times[1::3] = times[: len(times[1::3]) * 3 : 3]  # some at one time
    return [(time, chance.randrange(1, 10**6), chance.choice(codes)) for time in sorted(times)]


def test_nothing_depends_on_the_chunks():
    rows, found = some_rows(600, 4), []
    for size in (1, 7, 600):
        known = Recorded(1, clocks=True, queued=True)
        told, chunks = [], [rows[n : n + size] for n in range(0, len(rows), size)]
        upcoming = 0
        for time in range(0, 3 * SECOND, 10 * MILLI):
            while upcoming < len(chunks) and (upcoming == 0 or chunks[upcoming - 1][-1][0] <= time):
                known.add(0, columns(chunks[upcoming]))
                upcoming += 1
            known.noticed_ns = time
            told.append([known.delay(0, kind, time) for kind in (BOOK, PRINT, MARK, None)])
            told.append(list(known.requests(time)))
        found.append((told, {second: known.rates[second] for second in range(3)}))
    assert found[0] == found[1] == found[2]


def test_the_last_message_of_its_kind_says_the_delay():
    rows = some_rows(400, 9)
    known = Recorded(1, clocks=True, queued=False)
    known.add(0, columns(rows))
    for time in range(0, 3 * SECOND, 37 * MILLI):
        for kind in (BOOK, PRINT, MARK):
            codes = [code for code in recorded.KINDS[kind]]
            past = [late for at, late, code in rows if at <= time and code & 15 in codes and not code & SNAPSHOT]
            if past:
                assert known.delay(0, kind, time) == past[-1]


def test_requests_take_a_multiple_of_what_the_bot_last_saw():
    known = Recorded(1, clocks=True, queued=False)
    known.add(0, columns([(0, 10, Row.LEVEL), (100, 50, Row.LEVEL), (200, 20, Row.LEVEL)]))
    model = tape.Taped(known, [tape.Offset(5, 15)], Fraction(3, 2), Fraction(1))
    assert [model.feed(time, 0, BOOK) for time in (0, 100)] == [15, 55]
    assert model.entry(154) == 22  # the second arrives at 155
    assert model.entry(155) == 82
    assert model.response(200, 0) == 25


def test_a_channel_keeps_its_order():
    channel = Channel(in_order=True)
    assert [channel.arrival(time) for time in (5, 3, 9)] == [5, 5, 9]
    assert [Channel(in_order=False).arrival(time) for time in (5, 3)] == [5, 3]


# Runs


def received(recording: Recording, delay) -> Recording:
    """The recording with a second clock: `delay(number of the row)` in ns."""
    made = recording.tape

    def with_clock() -> Tape:
        whole = made()
        late = np.array([delay(number) for number in range(len(whole.time_ns))], np.int64)
        return Tape(whole.instrument, **{**whole.columns(), "receive_ns": whole.time_ns + late}, quality={})

    recording.tape = with_clock
    return recording


def busy(seconds: int = 12) -> Recording:
    recording = quiet_market(seconds)
    for number in range(1, 10 * seconds):
        recording.book(number / 10 + 0.005, {BID: 5_000 + number}, {})
    return recording


class TestRuns:
    def test_three_constants(self, tmp_path):
        extra = 'latency = { model = "constant", feed = 0.01, entry = 0.03, response = 0.002 }'
        bot, _, outcome, events = play(tmp_path, busy(), {2: lambda bot: bot.buy(10, BID)}, extra)
        sent = outcome.opening.time_ns + 2 * SECOND
        (accepted,) = [row for row in events if row[-4] == EventKind.ACCEPTED]
        assert accepted[1] == sent + 30 * MILLI
        assert [now for name, now, _ in bot.calls if name == "on_order"] == [sent + 32 * MILLI]
        assert all(now == what.time_ns + 10 * MILLI for name, now, what in bot.calls if name == "on_book")
        (measured,) = outcome.latencies
        assert measured["round_trip_ns"] == {"count": 1, "p50": 32 * MILLI, "p99": 32 * MILLI, "max": 32 * MILLI}
        assert (measured["requests"], measured["shed"], measured["unknown"]) == (1, 0, 0)
        assert measured["order_ns"] == {"count": 1, "p50": 30 * MILLI, "p99": 30 * MILLI, "max": 30 * MILLI}
        assert measured["feed_ns"]["count"] > 100
        assert {measured["feed_ns"][name] for name in ("p50", "p99", "max")} == {10 * MILLI}

    def test_by_the_recordings_clocks(self, tmp_path):
        recording = received(busy(), lambda number: 4 * MILLI + number * MICRO)
        whole = recording.tape()
        by_time = dict(zip(whole.time_ns.tolist(), whole.receive_ns.tolist(), strict=True))
        bot, _, _, _ = play(tmp_path, recording, extra='latency = { model = "tape" }')
        calls = [(now, what.time_ns) for name, now, what in bot.calls if name == "on_book"]
        assert len(calls) > 50
        assert all(now == by_time[time] for now, time in calls)

    def test_a_recorder_behind_the_venue_is_refused(self, tmp_path):
        recording = received(busy(), lambda number: -1500 * MILLI + number * MILLI)
        with pytest.raises(InputError, match=r"arrives 1\.[45]\d* s before it was sent.*offset = \"1\.[45]"):
            play(tmp_path, recording, extra='latency = { model = "tape" }')

    def test_unless_its_clock_is_put_forward(self, tmp_path):
        recording = received(busy(), lambda number: -1500 * MILLI + number * MILLI)
        extra = 'latency = { model = "tape", offset = "auto", smallest = 0.002 }'
        bot, _, outcome, _ = play(tmp_path, recording, {2: lambda bot: bot.buy(10, BID)}, extra)
        smallest = int(delays_of(recording).min())
        told = outcome.plan.bots[0].latency.facts["clocks"]["BTCUSDT"]
        assert Decimal(told["offset"]) * SECOND == 2 * MILLI - smallest and told["smallest"] == "0.002"
        assert all(now >= what.time_ns + 2 * MILLI for name, now, what in bot.calls if name == "on_book")
        assert bot.statuses(2) == ["open"]

    def test_one_clock_is_no_latency(self, tmp_path):
        with pytest.raises(InputError, match="has one clock only"):
            play(tmp_path, busy(), extra='latency = { model = "tape" }')

    def test_drawn_latencies_keep_the_order_and_come_again(self, tmp_path):
        extra = """latency = { model = "sampled", feed = { median = 0.05, sigma = 1 }, entry = { quantiles =
            [[0, 0.001], [0.5, 0.02], [1, 0.5]] }, spikes = { every = 3, length = 0.5, extra = 0.1 } }"""
        extra = " ".join(extra.split())
        actions = {second: lambda bot: [bot.buy(10, BID - n) for n in range(5)] for second in range(2, 9)}
        first = play(tmp_path / "1", busy(), actions, extra)
        again = play(tmp_path / "2", busy(), actions, extra)
        assert first[0].calls == again[0].calls and first[2].engine.digest() == again[2].engine.digest()
        assert [row[2] for row in first[3] if row[-4] == EventKind.ACCEPTED] == list(range(1, 36))
        late = [now - what.time_ns for name, now, what in first[0].calls if name == "on_book"]
        assert len(set(late)) > 20 and min(late) > 0
        assert late == [now - what.time_ns for name, now, what in again[0].calls if name == "on_book"]

    def test_orders_stand_in_the_queue(self, tmp_path):
        extra = 'latency = { model = "load", network = { model = "constant", entry = 0.01, feed = 0.01 } }\n'
        extra += "[load]\nservice = 0.1\ndepth = 3\nrecorded = 0\n"
        actions = {2: lambda bot: [bot.buy(10, BID) for _ in range(5)]}
        bot, desk, outcome, events = play(tmp_path, busy(), actions, extra)
        sent = outcome.opening.time_ns + 2 * SECOND
        accepted = [row[1] - sent for row in events if row[-4] == EventKind.ACCEPTED]
        assert accepted == [110 * MILLI, 210 * MILLI, 310 * MILLI]
        shed = [(now - sent, what) for name, now, what in bot.calls if name == "on_order" and what.reason < 0]
        assert [(now, what.status, what.reason) for now, what in shed] == [(20 * MILLI, "rejected", Overload.SHED)] * 2
        assert sorted(desk.orders) == [1, 2, 3]
        (measured,) = outcome.latencies
        assert (measured["requests"], measured["shed"]) == (5, 2)
        (row,) = measured["by_message_rate"]
        assert row["messages_per_second"] == [8, 15] and row["turned_away"] == 2

    def test_unknown_is_done_or_not(self, tmp_path):
        extra = 'latency = { model = "load" }\n[load]\nservice = 0.01\ndepth = 1\nrecorded = 0\nbeyond = "unknown"\n'
        actions = {
            2: lambda bot: [bot.buy(10, BID) for _ in range(41)],
            8: lambda bot: [bot.cancel(n) for n in range(2, 42)],
        }
        bot, desk, outcome, events = play(tmp_path, busy(), actions, extra)
        told = [what.order_id for what in bot.told("on_order") if what.status == "unknown"]
        assert told == list(range(2, 42))
        accepted = {row[2] for row in events if row[-4] == EventKind.ACCEPTED}
        assert 5 < len(accepted) < 36 and 1 in accepted
        assert outcome.latencies[0]["unknown"] == 40
        assert list(desk.orders) == [1]  # cancelled, or found not to be there
        cancels = [what.status for what in bot.told("on_order") if what.status in ("cancelled", "cancel_rejected")]
        assert len(cancels) == 40 and cancels.count("cancelled") == len(accepted) - 1

    def test_the_feed_publishes_the_newest_at_times(self, tmp_path):
        extra = 'latency = { model = "load" }\n[load]\nservice = 0\ndepth = 10\nconflate = 0.25\n'
        bot, _, _, _ = play(tmp_path, busy(), extra=extra)
        calls = [(now, what.bid_lots, what.time_ns) for name, now, what in bot.calls if name == "on_book"]
        assert calls and all(now % (SECOND // 4) == 0 and 0 <= now - time < SECOND // 4 for now, _, time in calls)
        assert len({now for now, _, _ in calls}) == len(calls)
        for now, lots, _ in calls:
            tenths = (now - START_NS - 5 * MILLI) // (100 * MILLI)
            assert lots == 5_000 + min(tenths, 119)

    def test_a_run_that_is_resumed(self, tmp_path):
        busy(30).store(tmp_path / "store")
        (tmp_path / "bot.py").write_text(BOT)
        (tmp_path / "run.toml").write_text(SCENARIO)
        folder = tmp_path / "journal"
        whole = outcomes.run(load(tmp_path / "run.toml"), tmp_path / "whole", None, Journaling(folder))
        measured = whole["bots"][0]["latency"]
        assert measured["shed"] > 5 and measured["round_trip_ns"]["count"] > 20
        assert json.loads((tmp_path / "whole" / "summary.json").read_text())["bots"][0]["latency"] == measured
        accounts = pq.read_table(tmp_path / "whole" / "accounts.parquet").to_pydict()
        bot = accounts["cohort"].index(whole["bots"][0]["name"])
        for way in ("order", "feed"):
            for name in ("p50", "p99"):
                column = accounts[f"{way}_latency_{name}"]
                assert column[bot] == measured[f"{way}_ns"][name] > 0 and set(column[:bot] + column[bot + 1 :]) == {-1}
        assert "latency" in story.tell(whole)
        path = folder / FILE
        data = path.read_bytes()
        for number, cut in enumerate((len(data) // 3, len(data) * 2 // 3)):
            place = tmp_path / f"resumed-{number}"
            place.mkdir()
            (place / path.name).write_bytes(data[:cut])
            again = outcomes.run(
                load(tmp_path / "run.toml"), tmp_path / f"out-{number}", None, Journaling(place, False, resume=True)
            )
            assert {**again, "wall": 0} == {**whole, "wall": 0}
            assert (place / path.name).read_bytes() == data
        assert outcomes.play(path).engine.digest() == whole["digest"]
        assert outcomes.verify(tmp_path / "whole") == []


SCENARIO = """
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "store"
mark = "taped"
[strategy]
use = "bot.py:Bot"
deposit = 20_000
[strategy.latency]
model = "load"
network = { model = "sampled", feed = { median = 0.02, p99 = 0.2 }, entry = 0.01 }
[load]
service = { quantiles = [[0, 0.001], [0.9, 0.05], [1, 0.4]] }
depth = 4
"""
BOT = """
from perpsim.exchange import Strategy


class Bot(Strategy):
    def on_start(self):
        self.timer(0.5)

    def on_timer(self, tag):
        self.cancel_all()
        for n in range(3):
            self.buy(10, 299_900 - n)
        self.timer(0.5)

    def on_order(self, update):
        if update.reason == -1:
            self.sell(10, 300_500)
"""


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ('latency = { model = "load" }', r"strategy\[0\]\.latency: the queue is the venue's; describe it"),
        ('feed_latency = 1\nlatency = { model = "constant" }', "keep one of both ways"),
        ('latency = { model = "sampled", feed = 1, entry = { median = 0.1 } }', "either sigma or p99"),
        ('latency = { model = "sampled", feed = 1, entry = { quantiles = [[0, 1], [0.5, 2]] } }', "that of 0 and the"),
        ('latency = { model = "sampled", feed = 1, entry = { quantiles = [[0, 1], [1, 0.5]] } }', "must grow"),
        ('latency = { model = "constant", feed = -1 }', r"latency\.feed: -1 seconds are less than none"),
        ('latency = { model = "constant", fed = 1 }', "latency.fed is unknown; did you mean feed"),
        ('latency = { model = "fast" }', "is impossible"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, extra, message):
    with pytest.raises(InputError, match=message):
        play(tmp_path, quiet_market(), extra=extra)


def test_percentiles_are_values_that_were_there():
    assert percentiles([]) == {"count": 0}
    assert percentiles([5]) == {"count": 1, "p50": 5, "p99": 5, "max": 5}
    assert percentiles(range(1, 201)) == {"count": 200, "p50": 100, "p99": 198, "max": 200}


def test_ways_are_counted_finely_below_a_millisecond():
    ways = Ways()
    assert ways.percentiles() == {"count": 0}
    for ns in [3] * 98 + [999_999, 1_234_567]:
        ways.add(ns)
    assert ways.percentiles() == {"count": 100, "p50": 3, "p99": 999_999, "max": 1_234_000}


def test_round_trips_are_told_by_the_rate_of_their_second():
    meter = Meter()
    for order, second in enumerate((1, 1, 2)):
        meter.send(second * SECOND, order)
    meter.answer(SECOND + 7, 0)
    meter.answer(2 * SECOND + 9, 2)
    meter.answer(2 * SECOND + 10, 2)  # not the first news
    meter.refuse(SECOND, unknown=False)
    slow, fast = meter.summary(recorded.Counter({1: 0, 2: 100}))["by_message_rate"]
    assert (slow["messages_per_second"], slow["requests"], slow["turned_away"]) == ([0, 0], 2, 1)
    assert slow["round_trip_ns"] == {"count": 1, "p50": 7, "p99": 7, "max": 7}
    assert (fast["messages_per_second"], fast["requests"], fast["turned_away"]) == ([64, 127], 1, 0)
    assert fast["round_trip_ns"]["p50"] == 9


def delays_of(recording: Recording) -> np.ndarray:
    return recorded.delays(recording.tape().columns())[1]
