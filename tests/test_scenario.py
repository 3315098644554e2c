"""Scenario files: what is there is taken, what cannot be is refused in one sentence with the key's name."""

from pathlib import Path

import numpy as np
import pytest
from perpsim.core import Kind, MarkMethod, QueueModel, TapeWalk
from perpsim.replay import tape_writer
from perpsim.replay.errors import InputError
from perpsim.replay.market_plan import without_funding
from perpsim.replay.plan import iso, make_plan
from perpsim.replay.scenario import load, parse, shipped
from perpsim.replay.shock import path_commands
from perpsim.replay.tape import MORE, ROW_MASK, Row
from tape_commands import PAIR, ROOT, one_reading, shipped_tape  # noqa: F401

VENUE = '[venue]\nrulebook = "binance-usdm"\ndate = 2025-10-10\n'
TAPE = '[tape]\nrecording = "btcusdt-2023-04-04"\n'
BASE = VENUE + TAPE
PEOPLE = "[population]\naccounts = 10\nopen_interest = 1\nleverage = [{leverage = 10, weight = 1}]\n"
SECOND = 10**9


def scenario(text: str, folder: Path = ROOT):
    return parse(text.encode(), Path("bad.toml"), folder)


# One row: the file's text, and what the sentence must say. None of these needs more than the file.
IMPOSSIBLE = {
    "broken TOML": ("[run\n", "is not valid TOML"),
    "no venue": (TAPE, "key venue is missing"),
    "no tape": (VENUE, "key tape is missing"),
    "unknown table": (BASE + "[runs]\n", "key runs is unknown; did you mean run?"),
    "unknown key": (BASE + "[run]\nsede = 1\n", "key run.sede is unknown; did you mean seed?"),
    "unknown key deep down": (
        BASE + PEOPLE.replace("weight = 1", "weight = 1, wight = 2"),
        "key population[0].leverage[0].wight is unknown; did you mean weight?",
    ),
    "wrong type": (BASE + '[run]\nseed = "x"\n', "key run.seed: 'x' is impossible: expected int, got str"),
    "negative seed": (BASE + "[run]\nseed = -1\n", "key run.seed: -1 is impossible: expected int >= 0"),
    "share above one": (
        BASE + PEOPLE + "isolated_share = 1.5\n",
        "key population[0].isolated_share: 1.5 is impossible",
    ),
    "one account": (BASE + PEOPLE.replace("= 10\n", "= 1\n"), "key population[0].accounts: 1 is impossible"),
    "no leverage": (BASE + PEOPLE.replace("[{leverage = 10, weight = 1}]", "[]"), "key population[0].leverage: []"),
    "unknown word": (BASE + 'queue_model = "front"\n', "key tape[0].queue_model: 'front' is impossible"),
    "three numbers in a point": (BASE + "[shock]\npoints = [[1, 2, 3]]\n", "key shock[0].points[0]: [1, 2, 3]"),
    "two sources": (BASE + 'store = "x"\n', "not recording and store"),
    "no source": (VENUE + '[tape]\nreader = "x"\n', "none is there"),
    "no time zone": (BASE + "[run]\nstart = 2023-04-04T23:59:00\n", "has no time zone"),
    "no date": (BASE.replace("2025-10-10", '"October"'), "key venue.date: 'October' is impossible"),
}
# These need rulebook and recording.
NO_SUCH_RUN = {
    "unknown rulebook": (BASE.replace("binance-usdm", "binance"), "key venue.rulebook: no rulebook 'binance'; known:"),
    "too early": (BASE.replace("2025-10-10", "2010-01-01"), "key venue.date: binance-usdm has no rules before"),
    "unknown rule": (BASE + "[venue.rules]\ntaker_fees = 1\n", "key venue.rules.taker_fees: taker_fees is not a rule"),
    "impossible rule": (
        BASE + '[venue.rules]\nadl_policy = "dice"\n',
        "key venue.rules.adl_policy: adl_policy: 'dice' is not one of",
    ),
    "rule of the venue in a market": (
        BASE + '[venue.markets.BTCUSDT]\nadl_policy = "bitmex"\n',
        "key venue.markets.BTCUSDT.adl_policy: is a rule of the whole venue",
    ),
    "unknown market changed": (
        BASE + "[venue.markets.ADAUSDT]\ntaker_fee = 0\n",
        "key venue.markets.ADAUSDT: binance-usdm has no such market; known: BTCUSDT",
    ),
    "bad tiers": (
        BASE + "[venue.markets.BTCUSDT]\ntiers = [[100, 0.5, 2], [50, 0.6, 1]]\n",
        "key venue: tier 2",
    ),
    "unknown recording": (BASE.replace("2023-04-04", "2023"), "key tape[0].recording: 'btcusdt-2023' does not ship"),
    "unknown reader": (
        VENUE + '[tape]\nfiles = ["a.gz"]\nreader = "telex"\n',
        "key tape[0].reader: no reader 'telex'; known: binance-streams",
    ),
    "missing file": (VENUE + '[tape]\nfiles = ["nowhere.gz"]\n', "nowhere.gz: cannot be opened"),
    "missing store": (VENUE + '[tape]\nstore = "nowhere"\n', "nowhere: does not exist"),
    "unknown market": (BASE + 'market = "ADAUSDT"\n', "key tape[0].market: binance-usdm has no market 'ADAUSDT'"),
    "another grid": (
        BASE + 'market = "ETHUSDT"\n',
        "key tape[0]: the recording's tick is 0.1, that of ETHUSDT is 0.01",
    ),
    "one market twice": (BASE.replace("[tape]", "[[tape]]") + TAPE.replace("[tape]", "[[tape]]"), "has a tape already"),
    "end before start": (
        BASE + "[run]\nstart = 100\nend = 50\n",
        "key run.start, run.end: 2023-04-05T00:00:00.452Z is not before 2023-04-04T23:59:10.452Z; swap them",
    ),
    "end after the recording": (
        BASE + "[run]\nend = 50_000\n",
        "the recording lasts from 2023-04-04T23:58:20.452Z to",
    ),
    "no interval": (BASE + "[run]\ninterval = 0\n", "key run.interval: must be longer than nothing"),
    "no strategy": (
        BASE + '[strategy]\nuse = "nowhere.py:Bot"\ndeposit = 1\n',
        "nowhere.py does not exist",
    ),
    "no class": (
        BASE + '[strategy]\nuse = "examples/market_maker.py:Bot"\ndeposit = 1\n',
        "has no Strategy class named Bot",
    ),
    "wrong parameters": (
        BASE + '[strategy]\nuse = "examples/market_maker.py:MarketMaker"\ndeposit = 1\nparameters = {sise = 1}\n',
        "key strategy[0].parameters: MarketMaker does not take them",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_files(text, sentence):
    with pytest.raises(InputError) as caught:
        scenario(text)
    check_sentence(str(caught.value), sentence)


@pytest.mark.parametrize(("text", "sentence"), NO_SUCH_RUN.values(), ids=NO_SUCH_RUN)
def test_impossible_plans(text, sentence):
    from perpsim.replay.runner import Runner

    with pytest.raises(InputError) as caught:
        Runner(make_plan(scenario(text)))
    check_sentence(str(caught.value), sentence)


def check_sentence(message: str, part: str) -> None:
    assert part in message
    assert "\n" not in message


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be opened"):
        load("nowhere.toml")


class TestWhatIsTaken:
    def test_the_shipped_demo_and_the_examples_load(self):
        assert shipped("demo").scenario.population[0].accounts == 100_000
        for path in sorted((ROOT / "examples").glob("*.toml")):
            assert load(path).scenario.tape

    def test_tables_may_be_one_or_many(self):
        one, many = scenario(BASE + PEOPLE), scenario(BASE + PEOPLE.replace("[population]", "[[population]]"))
        assert one.scenario == many.scenario

    def test_defaults_leave_the_rulebook_alone(self):
        plan = make_plan(scenario(BASE))
        assert plan.rulebook.fingerprint == plan.base_fingerprint
        assert plan.changes == {}

    def test_changes_are_seen_in_the_fingerprint(self):
        text = BASE + "[venue.rules]\nfund_notional_cap = 0.5\ntaker_fee = 0.0004\n"
        plan = make_plan(scenario(text + "[venue.markets.BTCUSDT]\nmaker_fee = 0.0001\n"))
        assert plan.rulebook.fingerprint != plan.base_fingerprint
        assert plan.rulebook.fund_notional_cap == 500_000_000
        assert plan.markets[0].spec.taker_fee == 400_000
        assert plan.markets[0].spec.maker_fee == 100_000
        assert plan.rulebook.market("ETHUSDT").taker_fee == 400_000
        assert plan.rulebook.market("ETHUSDT").maker_fee == 200_000
        assert plan.changes == {"fund_notional_cap": 0.5, "taker_fee": 0.0004, "BTCUSDT.maker_fee": 0.0001}

    def test_settings_of_the_tape_are_not_changes_of_the_rules(self):
        text = BASE + 'queue_model = "proportional"\nwalk = "drop"\nmark = "taped"\n'
        plan = make_plan(scenario(text))
        assert plan.rulebook.fingerprint == plan.base_fingerprint
        spec = plan.markets[0].spec
        assert (spec.queue_model, spec.tape_walk) == (QueueModel.PROPORTIONAL, TapeWalk.DROP)
        assert (spec.mark_method, spec.premium_period_ns) == (MarkMethod.GIVEN, 0)

    def test_moments_are_dates_or_seconds(self):
        dates = "start = 2023-04-04T23:59:20.452Z\nend = 2023-04-05T00:01:00+00:00\n"
        by_date = make_plan(scenario(BASE + "[run]\n" + dates))
        by_seconds = make_plan(scenario(BASE + "[run]\nstart = 60\nend = 159.548\n"))
        assert (by_date.start_ns, by_date.end_ns) == (by_seconds.start_ns, by_seconds.end_ns)
        assert iso(by_date.start_ns) == "2023-04-04T23:59:20.452Z"

    def test_files_and_stores(self, tmp_path):
        tape_writer.write(shipped_tape(), tmp_path)
        names = [str(path) for path in PAIR]
        from_files = make_plan(scenario(VENUE + f"[tape]\nfiles = {names}\n"))
        from_store = make_plan(scenario(VENUE + f'[tape]\nstore = "{tmp_path}"\n'))
        shipped_one = make_plan(scenario(BASE))
        for plan in (from_files, from_store):
            market, same = plan.markets[0], shipped_one.markets[0]
            assert market.tape.sha256() == same.tape.sha256()
            assert (market.first_ns, market.last_ns) == (same.first_ns, same.last_ns)

    def test_relative_paths_start_at_the_file(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "bot.py").write_text("from perpsim.exchange import Strategy\nclass Bot(Strategy): pass\n")
        (tmp_path / "one.toml").write_text(BASE + '[strategy]\nuse = "sub/bot.py:Bot"\ndeposit = 1\n')
        plan = make_plan(load(tmp_path / "one.toml"))
        assert type(plan.bots[0].strategy).__name__ == "Bot"


class TestFundingRows:
    def test_messages_stay_whole_without_them(self):
        batch = shipped_tape().columns()
        left = without_funding(batch)
        funding = (batch["code"] & ROW_MASK) == Row.FUNDING
        assert len(left["code"]) == len(funding) - funding.sum()
        assert not ((left["code"] & ROW_MASK) == Row.FUNDING).any()
        later = np.diff(left["time_ns"]) != 0
        assert not ((left["code"][:-1] & MORE) != 0)[later].any()
        ends = (batch["code"] & MORE) == 0
        assert ((left["code"] & MORE) == 0).sum() == ends.sum()  # as many messages as before

    def test_the_rest_is_untouched(self):
        batch = shipped_tape().columns()
        left = without_funding(batch)
        kept = (batch["code"] & ROW_MASK) != Row.FUNDING
        for name in ("time_ns", "price", "value"):
            assert np.array_equal(left[name], batch[name][kept])


class TestShockPath:
    def test_linear_between_points_and_exact_at_them(self):
        points = [(0, 10**9), (2 * SECOND, 10**9), (4 * SECOND, 900_000_000), (5 * SECOND, 950_000_000)]
        commands = path_commands(points, SECOND // 2, 100 * SECOND, [0])
        assert (commands["kind"] == Kind.SET_SHOCK).all()
        seconds = (commands["time_ns"] / SECOND - 100).tolist()
        factors = (commands["value"] / 10**9).tolist()
        assert seconds == [2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
        assert factors == [0.975, 0.95, 0.925, 0.9, 0.925, 0.95]

    def test_every_market_moves_at_once(self):
        commands = path_commands([(0, 10**9), (SECOND, 5 * 10**8)], SECOND, 0, [0, 2])
        assert commands["market"].tolist() == [0, 2]
        assert commands["time_ns"].tolist() == [SECOND, SECOND]

    @pytest.mark.parametrize(
        ("points", "step_ns", "sentence"),
        [
            ([(0, 10**9)], 0, "step must be longer"),
            ([(0, 10**9), (0, 10**9)], 1, "point 1: its time"),
            ([(0, 0)], 1, "point 0: the factor"),
            ([(0, 10**12)], 1, "point 0: the factor"),
        ],
    )
    def test_impossible_paths(self, points, step_ns, sentence):
        with pytest.raises(ValueError, match=sentence):
            path_commands(points, step_ns, 0, [0])
