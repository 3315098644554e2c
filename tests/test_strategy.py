"""Bots: what they learn and when, when their orders arrive, and that their own ledger ends where the venue's does."""

from pathlib import Path
from typing import ClassVar

import pytest
from perpsim.core import EventKind, Kind, Reject, Side, Tif
from perpsim.exchange import MarketSpec, Strategy, rulebook
from perpsim.exchange.desk import Desk, Terms
from perpsim.replay import host
from perpsim.replay.errors import InputError
from perpsim.replay.plan import make_plan
from perpsim.replay.runner import Runner
from perpsim.replay.scenario import load, parse
from small_tape import SECOND, START_NS, Recording, quiet_market
from tape_commands import ROOT, one_reading  # noqa: F401
from test_outcomes import CRASH

BID, ASK = 299_995, 300_005  # of the quiet market
MILLI = SECOND // 1000


class Recorder(Strategy):
    """Keeps every call: (method, time of the call, what it was told). `plan` says what it sends at which second."""

    actions: ClassVar[dict] = {}

    def __init__(self):
        self.calls = []
        self.ids = {}

    def on_start(self):
        self.calls.append(("on_start", self.time_ns, None))
        for second in self.actions:
            self.timer(second, second)

    def on_timer(self, tag):
        self.ids[tag] = self.actions[tag](self)

    def told(self, name):
        return [what for method, _, what in self.calls if method == name]

    def statuses(self, second):
        return [update.status for update in self.told("on_order") if update.order_id == self.ids[second]]


def keep(name):
    def method(self, what):
        self.calls.append((name, self.time_ns, what))

    return method


for _name in (
    "on_book", "on_trade", "on_order", "on_fill", "on_position", "on_mark", "on_funding", "on_liquidation", "on_adl",
):  # fmt: skip
    setattr(Recorder, _name, keep(_name))


def play(tmp_path: Path, recording: Recording, actions: dict | None = None, extra: str = "", deposit: int = 100_000):
    """Run a Recorder on a recording; `extra` goes into its [strategy] table. Returns (bot, desk, outcome, events)."""
    store = recording.store(tmp_path / "store")
    made = []

    class Bot(Recorder):
        def __init__(self):
            super().__init__()
            self.actions = actions or {}
            made.append(self)

    text = f"""
    [venue]
    rulebook = "binance-usdm"
    date = 2025-10-10
    [tape]
    store = "{store}"
    mark = "taped"
    [fund]
    initial = 100_000
    [strategy]
    use = "test_strategy:Bot"
    deposit = {deposit}
    {extra}
    """
    events = []
    globals()["Bot"] = Bot  # where the scenario finds it
    plan = make_plan(parse(text.encode(), Path("test.toml"), tmp_path))
    sink = type("Sink", (), {"add": lambda self, chunk: events.extend(chunk.tolist())})()
    outcome = Runner(plan, sink).run()
    return made[0], made[0]._desk, outcome, events


def books_agree(desk: Desk, outcome) -> None:
    """The desk's balance and positions are the venue's."""
    account = outcome.engine.accounts()[desk.account]
    assert desk.balance == account["balance"] + account["isolated"]
    held = {p["market"]: (p["lots"], p["cost"]) for p in outcome.engine.positions() if p["account"] == desk.account}
    for (market, _), position in desk.positions.items():
        assert tuple(position) == held[market]
    live = {order["order_id"] for order in outcome.engine.orders() if order["account"] == desk.account}
    assert {number for number, order in desk.orders.items() if order.status != "sent"} == live


class TestWhatABotLearns:
    def test_everything_comes_late_by_the_feed_latency(self, tmp_path):
        recording = quiet_market().trade(3.5, 0, ASK, 7).book(4.25, {BID + 5: 9}, {})
        bot, _, _, _ = play(tmp_path, recording, extra="feed_latency = 0.015")
        for name in ("on_trade", "on_book", "on_mark"):
            calls = [(now, what) for method, now, what in bot.calls if method == name]
            assert calls
            assert all(now == what.time_ns + 15 * MILLI for now, what in calls), name

    def test_it_learns_what_was_then(self, tmp_path):
        recording = quiet_market().book(4, {BID + 5: 9}, {}).book(4.001, {BID + 5: 0}, {})
        bot, desk, _, _ = play(tmp_path, recording, extra="feed_latency = 1")
        quotes = [(quote.bid_ticks, quote.bid_lots) for quote in bot.told("on_book")]
        assert quotes == [(BID + 5, 9), (BID, 5_000)]
        assert (desk.markets[0].bid_ticks, desk.markets[0].ask_ticks) == (BID, ASK)

    def test_both_sides_of_one_message_are_one_call(self, tmp_path):
        recording = quiet_market().book(4, {BID: 11}, {ASK: 12})
        bot, _, _, _ = play(tmp_path, recording)
        (quote,) = bot.told("on_book")
        assert (quote.bid_lots, quote.ask_lots) == (11, 12)

    def test_trades_are_public(self, tmp_path):
        recording = quiet_market().trade(3.5, 1, BID, 7)
        bot, desk, _, _ = play(tmp_path, recording)
        (trade,) = bot.told("on_trade")
        assert (trade.side, trade.price_ticks, trade.size_lots) == (Side.SELL, BID, 7)
        assert desk.markets[0].last_ticks == BID

    def test_so_are_simulated_ones(self, tmp_path):
        bot, _, _, _ = play(tmp_path, quiet_market(), {2: lambda bot: bot.buy(30)}, extra="feed_latency = 0.01")
        (trade,) = bot.told("on_trade")
        assert (trade.side, trade.price_ticks, trade.size_lots) == (Side.BUY, ASK, 30)

    def test_marks_and_the_market_at_the_start(self, tmp_path):
        bot, desk, _, _ = play(tmp_path, quiet_market(seconds=3))
        assert desk.markets[0].mark == 30_000 * 10**8
        assert [mark.mark for mark in bot.told("on_mark")] == [30_000 * 10**8] * 2
        assert bot.calls[0][0] == "on_start"


class TestWhenOrdersArrive:
    def test_order_latency(self, tmp_path):
        actions = {2: lambda bot: bot.buy(10, BID)}
        bot, _, outcome, events = play(
            tmp_path, quiet_market(), actions, extra="order_latency = 0.03\nfeed_latency = 0.02"
        )
        sent_ns = outcome.opening.time_ns + 2 * SECOND
        (accepted,) = [row for row in events if row[-4] == EventKind.ACCEPTED]
        assert accepted[1] == sent_ns + 30 * MILLI
        (told,) = [now for name, now, _ in bot.calls if name == "on_order"]
        assert told == sent_ns + 50 * MILLI

    def test_rows_of_the_same_time_come_first(self, tmp_path):
        """The level at the ask is gone in the very instant in which the order arrives, so it rests."""
        recording = quiet_market().book(3, {}, {ASK: 0})
        actions = {2: lambda bot: bot.buy(10, ASK)}
        bot, _, _, _ = play(tmp_path, recording, actions, extra="order_latency = 1")
        assert bot.statuses(2) == ["open"]

    def test_orders_of_one_instant_arrive_as_sent(self, tmp_path):
        actions = {2: lambda bot: [bot.buy(10, BID), bot.sell(10, ASK), bot.buy(10, BID - 10)]}
        bot, _, _, events = play(tmp_path, quiet_market(), actions)
        assert [row[2] for row in events if row[-4] == EventKind.ACCEPTED] == [1, 2, 3]
        assert bot.ids[2] == [1, 2, 3]

    def test_timers_ring_on_time(self, tmp_path):
        rung = []
        actions = {0.0015: lambda bot: rung.append(bot.time_ns), 3: lambda bot: rung.append(bot.time_ns)}
        _, _, outcome, _ = play(tmp_path, quiet_market(), actions)
        start = outcome.opening.time_ns
        assert rung == [start + 1_500_000, start + 3 * SECOND]


class TestOrders:
    def test_a_market_order_takes_the_book(self, tmp_path):
        bot, desk, outcome, _ = play(tmp_path, quiet_market(), {2: lambda bot: bot.buy(6_000)}, extra="leverage = 20")
        fills = [(fill.price_ticks, fill.size_lots, fill.maker) for fill in bot.told("on_fill")]
        assert fills == [(ASK, 5_000, False), (ASK + 10, 1_000, False)]
        assert bot.told("on_position")[-1].lots == 6_000
        assert bot.statuses(2) == ["open", "filled"]
        books_agree(desk, outcome)

    def test_a_resting_order_waits_its_turn(self, tmp_path):
        """5,000 lots stand before it; the print eats those, and three lots of the order."""
        recording = quiet_market().trade(4, 1, BID, 5_003)
        bot, desk, outcome, _ = play(tmp_path, recording, {2: lambda bot: bot.buy(10, BID)})
        (fill,) = bot.told("on_fill")
        assert (fill.price_ticks, fill.size_lots, fill.maker, fill.forced) == (BID, 3, True, False)
        assert desk.orders[bot.ids[2]].left_lots == 7
        books_agree(desk, outcome)

    def test_post_only_and_refusals(self, tmp_path):
        actions = {
            2: lambda bot: bot.buy(10, ASK, post_only=True),
            3: lambda bot: bot.buy(10_000, BID),
            4: lambda bot: bot.sell(10, reduce_only=True),
        }
        bot, desk, outcome, _ = play(tmp_path, quiet_market(), actions, deposit=100)
        reasons = [update.reason for update in bot.told("on_order")]
        assert reasons == [Reject.WOULD_TAKE, Reject.INSUFFICIENT_MARGIN, Reject.REDUCE_ONLY]
        assert desk.orders == {}
        books_agree(desk, outcome)

    def test_amend_and_cancel(self, tmp_path):
        actions = {
            2: lambda bot: bot.buy(10, BID),
            3: lambda bot: bot.amend(1, BID - 10, 8),
            4: lambda bot: bot.cancel(1),
            5: lambda bot: bot.cancel(1),
            6: lambda bot: bot.amend(1, BID, 5),
        }
        bot, desk, _, _ = play(tmp_path, quiet_market(), actions)
        assert [update.status for update in bot.told("on_order")] == [
            "open", "amended", "cancelled", "cancel_rejected", "amend_rejected",
        ]  # fmt: skip
        assert desk.orders == {}

    def test_cancel_all(self, tmp_path):
        actions = {2: lambda bot: [bot.buy(10, BID), bot.sell(10, ASK)], 3: lambda bot: bot.cancel_all()}
        bot, desk, outcome, _ = play(tmp_path, quiet_market(), actions)
        assert [update.status for update in bot.told("on_order")] == ["open", "open", "cancelled", "cancelled"]
        books_agree(desk, outcome)

    def test_immediate_or_cancel(self, tmp_path):
        actions = {2: lambda bot: bot.buy(6_000, ASK, tif=Tif.IOC)}
        bot, desk, outcome, _ = play(tmp_path, quiet_market(), actions, extra="leverage = 20")
        assert bot.statuses(2) == ["open", "cancelled"]
        assert desk.positions[0, 0][0] == 5_000
        books_agree(desk, outcome)

    def test_a_stop_closes_the_position(self, tmp_path):
        recording = quiet_market()
        recording.mark(6.5, 29_900).mark(6.6, 29_850)
        actions = {
            2: lambda bot: bot.buy(100),
            3: lambda bot: bot.sell(0, stop_ticks=298_600, close_position=True),
        }
        bot, desk, outcome, _ = play(tmp_path, recording, actions)
        assert bot.statuses(3) == ["waiting", "triggered", "filled"]
        assert desk.positions[0, 0] == [0, 0]
        assert bot.told("on_fill")[-1].time_ns == START_NS + int(6.6 * SECOND)
        books_agree(desk, outcome)


class TestTrouble:
    def test_a_liquidation_is_told_and_the_ledger_holds(self, tmp_path):
        recording = quiet_market().mark(6.5, 29_600)
        bot, desk, outcome, _ = play(
            tmp_path, recording, {2: lambda bot: bot.buy(1_000)}, extra="leverage = 100", deposit=400
        )
        steps = [step.step for step in bot.told("on_liquidation")]
        assert steps[0] == "started" and steps[-1] == "ended"
        assert desk.positions[0, 0][0] == 0
        books_agree(desk, outcome)

    def test_an_error_in_a_bot_names_its_line(self, tmp_path):
        def broken(bot):
            return 1 // 0

        with pytest.raises(InputError, match=r"test_strategy.py, line \d+: Bot.on_timer raised ZeroDivisionError"):
            play(tmp_path, quiet_market(), {2: broken})

    def test_a_loop_without_latency_is_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(host, "DELIVERIES_MAX", 1_000)
        monkeypatch.setattr(Recorder, "on_order", lambda bot, update: bot.cancel(99))
        with pytest.raises(InputError, match="a bot without latency answers every answer"):
            play(tmp_path, quiet_market(), {2: lambda bot: bot.cancel(99)})

    def test_a_deposit_of_nothing_is_refused(self, tmp_path):
        with pytest.raises(InputError, match=r"key strategy\[0\]: the venue refused DEPOSIT for BAD_VALUE"):
            play(tmp_path, quiet_market(), deposit=0)

    def test_a_bot_that_does_not_run_says_so(self):
        with pytest.raises(RuntimeError, match="use on_start"):
            Strategy().buy(1)

    def test_unknown_terms_are_the_callers_mistake(self):
        with pytest.raises(TypeError):
            Terms(iceberg=3)

    def test_ledgers_hold_through_a_crash(self, tmp_path):
        """A long that is liquidated and a short that is deleveraged, isolated and cross."""
        (tmp_path / "bots.py").write_text(
            "from perpsim.exchange import Strategy\n"
            "class Trader(Strategy):\n"
            "    bots = []\n"
            "    def __init__(self, lots):\n"
            "        self.lots, self.cuts, self.steps = lots, [], []\n"
            "        self.bots.append(self)\n"
            "    def on_start(self):\n"
            "        self.buy(self.lots) if self.lots > 0 else self.sell(-self.lots)\n"
            "    def on_adl(self, adl):\n"
            "        self.cuts.append(adl)\n"
            "    def on_liquidation(self, liquidation):\n"
            "        self.steps.append(liquidation.step)\n"
        )
        text = CRASH.replace("interval = 5", "interval = 5\nend = 110")
        for lots, deposit in ((3_000, 5_000), (-3_000, 1_000)):
            for mode in ("isolated", "cross"):
                text += (
                    f'[[strategy]]\nuse = "bots.py:Trader"\nmargin_mode = "{mode}"\nleverage = 100\n'
                    f"deposit = {deposit}\nparameters = {{ lots = {lots} }}\n"
                )
        outcome = Runner(make_plan(parse(text.encode(), Path("crash.toml"), tmp_path))).run()
        bots = [bot.strategy for bot in outcome.plan.bots]
        for bot in bots:
            books_agree(bot._desk, outcome)
        assert all("started" in bot.steps for bot in bots[:2])
        assert all(bot.cuts for bot in bots[2:])


def test_the_example_quotes_fills_and_stops_out():
    events = []
    sink = type("Sink", (), {"add": lambda self, chunk: events.extend(chunk.tolist())})()
    outcome = Runner(make_plan(load(ROOT / "examples" / "market_maker.toml")), sink).run()
    desk = outcome.plan.bots[0].strategy._desk
    books_agree(desk, outcome)
    mine = [row for row in events if desk.account in (row[9], row[10])]
    kinds = {EventKind(row[-4]) for row in mine}
    assert {EventKind.TRADE, EventKind.AMENDED, EventKind.TRIGGERED, EventKind.FUNDING_PAYMENT} <= kinds
    assert {row[9] == desk.account for row in mine if row[-4] == EventKind.TRADE} == {True, False}  # taker and maker


class TestUnits:
    def test_conversions_refuse_what_is_off_the_grid(self):
        spec: MarketSpec = rulebook("binance-usdm", "2025-10-10").market("BTCUSDT")
        market = Desk(0, [spec], lambda fields: None, lambda delay, tag: None).markets[0]
        assert market.ticks("28150.1") == 281_501
        assert market.lots(0.25) == 250
        assert str(market.price(281_501)) == "28150.1"
        assert str(market.size(250)) == "0.25"
        with pytest.raises(ValueError, match=r"not a multiple of 0\.1"):
            market.ticks("28150.15")
        with pytest.raises(ValueError, match=r"not a multiple of 0\.001"):
            market.lots("0.0005")

    def test_terms_become_a_command(self):
        fields = Terms(post_only=True, expire_ns=5).fields(100)
        assert (fields["tif"], fields["flags"]) == (Tif.GTD, 4)
        sent = []
        desk = Desk(0, [rulebook("binance-usdm", "2025-10-10").market("BTCUSDT")], sent.append, lambda *_: None)
        desk.place(0, Side.SELL, 3, None, Terms(reduce_only=True))
        assert sent[0]["kind"] == Kind.PLACE and sent[0]["flags"] == 2 | 8
