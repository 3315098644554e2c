"""ADL by a user's decision: the engine stops and asks, takes nothing else, and goes on where it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from adl_crash import crash, crash_setting
from differential import Pair, apply_all, as_array, check_doors
from model import Command
from model.adl import rank
from model.adl_share import SHARES, gather, share_out
from model.wire import AdlFault, AdlPolicy, AdlPrice, EventKind, Flag, Kind, Reject, Rule, Takeover
from perpsim.core import COMMAND, Engine, InvariantError, Kernel, Stop, testing
from perpsim.exchange.recovery import JournaledEngine, replay
from stream_settings import MARKET, SECOND, VENUE, Setting
from test_regressions import FLAT_TIER, NOW, PLAIN, Desk

pytestmark = pytest.mark.unshadowed("core against twin, in batches and across a snapshot: check_doors")
POLICIES = (  # queues of which no rank depends on who was cut before, and allocations
    AdlPolicy.BYBIT, AdlPolicy.BITGET_LEVERAGE, AdlPolicy.CONTRACT_PRO_RATA, AdlPolicy.WEALTH_PRO_RATA,
    AdlPolicy.RISK_AWARE,
)  # fmt: skip


def like(venue, policy: int) -> list[Command]:
    """The decision that a built-in policy would take, by the twin's own ranking or shares."""
    p, _ = venue.asked
    venue.adl_policy, left = policy, abs(p.lots)
    if policy in SHARES:
        cuts = gather(venue, p.market, p.lots < 0, unhedged=False)
        share_out(policy, cuts, min(left, sum(c.room for c in cuts)))
        cut = [(c.account, c.lots) for c in cuts]
    else:
        cut = []
        for other in rank(venue, p.market, longs=p.lots < 0):
            cut.append((other.account, min(left, abs(other.lots))))
            left -= cut[-1][1]
    venue.adl_policy, market = AdlPolicy.USER, p.market.number
    parts = [Command(Kind.ADL_DECISION, account=a, market=market, size_lots=n, flags=Flag.MORE) for a, n in cut if n]
    parts[-1].flags = 0
    return parts


def told(setting: Setting, seed: int) -> list[Command]:
    """The commands of a crash, as a venue with a built-in policy led to them."""
    pair = Pair(setting, every=1_000)
    for c in crash(pair.twin.venue, seed, rounds=30):
        pair.apply(c)
    return pair.log


def asked(setting: Setting, commands: list[Command], policy: int) -> Pair:
    """The same commands where a user decides, and decides like a built-in policy."""
    pair = Pair(dataclasses.replace(setting, venue=setting.venue | {"adl_policy": AdlPolicy.USER}), every=50)
    for c in commands:
        pair.apply(c)
        while pair.twin.venue.asked:
            for part in like(pair.twin.venue, policy):
                pair.apply(part)
    return pair


@pytest.mark.parametrize("policy", POLICIES)
def test_a_user_who_decides_like_a_built_in_policy_gets_what_it_gets(policy):
    """To the unit: the engine stops nowhere but where the built-in policy would act, and leaves nothing out."""
    setting = crash_setting(adl_policy=policy, adl_price=AdlPrice.MARK, liquidation_delay_ns=SECOND * (policy % 2))
    commands = told(setting, seed=policy)
    built_in = Engine(setting.venue, setting.markets, setting.accounts)
    events = built_in.apply(as_array(commands))
    pair = asked(setting, commands, policy)
    assert pair.kinds[EventKind.ADL_PENDING] > 10
    check_doors(dataclasses.replace(setting, venue=setting.venue | {"adl_policy": AdlPolicy.USER}), pair)
    theirs, ours = built_in.accounts(), pair.core.accounts()
    assert theirs.tobytes() == ours.tobytes()
    assert (events["kind"] == EventKind.ADL).sum() == pair.kinds[EventKind.ADL]


def pending(**rules: int) -> tuple[Setting, list[Command], Engine]:
    """A crash up to the first question."""
    setting = crash_setting(adl_policy=AdlPolicy.USER, **rules)
    pair = Pair(setting, every=1_000)
    for c in crash(pair.twin.venue, 5):
        pair.apply(c)
        if pair.twin.venue.asked:
            break
    engine = Engine(setting.venue, setting.markets, setting.accounts, audit=2)
    apply_all(engine, as_array(pair.log))
    assert engine.pending_adl is not None
    return setting, pair.log, engine


def decision(engine: Engine, lots: dict[int, int]) -> np.ndarray:
    rows = np.zeros(len(lots), COMMAND)
    rows["kind"], rows["market"] = Kind.ADL_DECISION, engine.pending_adl["market"]
    rows["account"], rows["size_lots"] = list(lots), list(lots.values())
    rows["flags"][:-1] = Flag.MORE
    return rows


def test_apply_stops_and_says_how_far_it_came():
    setting, log, _ = pending()
    rows = np.concatenate([as_array(log), np.zeros(3, COMMAND)])
    rows["kind"][-3:] = Kind.TICK
    engine = Engine(setting.venue, setting.markets, setting.accounts)
    events = engine.apply(rows)
    assert engine.consumed == len(log)
    assert events["kind"][-1] == EventKind.ADL_PENDING
    question = engine.pending_adl
    assert (question["account"], question["value"]) == (events["account"][-1], events["value"][-1])
    assert abs(question["lots"]) == events["size_lots"][-1]
    assert (np.sign(question["candidates"]["lots"]) == -np.sign(question["lots"])).all()
    for _ in range(2):  # whoever goes on regardless is refused, and nothing moves
        before = engine.state_hash()
        events = engine.apply(rows[-3:])
        assert (engine.consumed, events["kind"].tolist(), events["reason"].tolist()) == (1, [1], [50])
        assert (engine.state_hash(), engine.pending_adl["account"]) == (before, question["account"])
    more = np.concatenate([decision(engine, {int(question["candidates"]["account"][0]): 1}), rows[-3:]])
    events = engine.apply(more)
    assert events["kind"][0] == EventKind.ADL
    assert engine.pending_adl or engine.consumed == len(more)


def test_a_bad_decision_is_refused_and_says_why():
    """Each fault, and that nothing happens by it."""
    _, _, engine = pending()
    question = engine.pending_adl
    side = question["candidates"]
    first, held = int(side["account"][0]), int(abs(side["lots"][0]))
    left = abs(question["lots"])
    idle = next(a for a in range(20) if a not in side["account"] and a != question["account"])
    wrong = {
        AdlFault.ACCOUNT: {"account": 10_000}, AdlFault.HOUSE: {"account": engine.house["funds"][0]},
        AdlFault.SIDE: {"account": idle}, AdlFault.SIZE: {"size_lots": -1},
        AdlFault.HELD: {"size_lots": held + 1}, AdlFault.MARKET: {"market": 1 - question["market"]},
    }  # fmt: skip
    for fault, fields in wrong.items():
        before = engine.state_hash()
        good = {"account": first, "market": question["market"], "size_lots": 1}
        assert engine.submit(kind=Kind.ADL_DECISION, **good | fields) == Reject.BAD_DECISION
        event = engine.drain()[0]
        assert (event["reason"], event["value"]) == (Reject.BAD_DECISION, fault)
        assert engine.state_hash() == before
    for row in side:
        lots = min(left, int(abs(row["lots"])))
        if lots:
            more = {"account": int(row["account"]), "market": question["market"], "flags": int(Flag.MORE)}
            assert engine.submit(kind=Kind.ADL_DECISION, size_lots=lots, **more) == 0
            left -= lots
    if left == 0:
        assert engine.pending_adl["lots"] == 0
        again = {"account": int(side["account"][-1]), "market": question["market"], "size_lots": 1}
        assert engine.submit(kind=Kind.ADL_DECISION, **again) == Reject.BAD_DECISION
        assert engine.drain()[-1]["value"] == AdlFault.LEFT
    assert engine.submit(kind=Kind.ADL_DECISION, market=question["market"]) == 0
    now = engine.pending_adl
    assert now is None or (now["account"], now["market"]) != (question["account"], question["market"])


def test_a_decision_where_none_is_due_is_refused():
    setting = crash_setting(adl_policy=AdlPolicy.USER)
    engine = Engine(setting.venue, setting.markets, setting.accounts)
    assert engine.pending_adl is None
    assert engine.submit(kind=Kind.ADL_DECISION, time_ns=7) == Reject.NO_DECISION_PENDING
    assert engine.time_ns == 0  # it is of no moment


def test_what_nobody_decides_goes_to_the_next_step():
    """Nobody is cut: the loss is covered and the fund has the position."""
    _, _, engine = pending()
    question = engine.pending_adl
    fund = engine.house["funds"][0]
    engine.submit(kind=Kind.ADL_DECISION, market=question["market"])
    events = engine.drain()
    assert (events["kind"] != EventKind.ADL).all()
    taken = events[events["kind"] == EventKind.TAKEOVER][0]
    assert (taken["account"], taken["maker_account"]) == (question["account"], fund)
    assert taken["size_lots"] == abs(question["lots"])


@pytest.mark.parametrize("delay", [0, SECOND])
def test_a_snapshot_with_an_open_question_goes_on_alike(delay):
    """Under a delay the question comes at a timer, with the command that led to it waiting."""
    _, _, engine = pending(liquidation_delay_ns=delay)
    restored = Engine.restore(engine.snapshot())
    assert restored.snapshot() == engine.snapshot() and restored.state_hash() == engine.state_hash()
    for each in (engine, restored):
        while each.pending_adl:
            side = each.pending_adl["candidates"][-1]
            lots = min(abs(each.pending_adl["lots"]), abs(side["lots"]))
            each.apply(decision(each, {int(side["account"]): int(lots)}))
        each.check()
    assert restored.digest() == engine.digest() and restored.snapshot() == engine.snapshot()


def test_a_kernel_stops_for_each_decision():
    """Scheduled commands and timers; the answers by `decide` lead to what the same commands lead to elsewhere."""
    setting = crash_setting(adl_policy=AdlPolicy.USER, liquidation_delay_ns=SECOND)
    pair = Pair(setting, every=1_000)
    twin = pair.twin.venue
    for c in crash(twin, 3, rounds=10):
        pair.apply(c)
        while twin.asked:
            for part in like(twin, AdlPolicy.BITMEX):
                pair.apply(part)
    engine = Engine(setting.venue, setting.markets, setting.accounts)
    rows = as_array(pair.log)
    times = np.maximum.accumulate(rows["time_ns"])  # 0 means now
    kernel, answers = Kernel([engine]), iter(np.flatnonzero(rows["kind"] == Kind.ADL_DECISION))
    rows["time_ns"] = np.where(rows["time_ns"] == 0, times, rows["time_ns"])
    kernel.schedule(rows[rows["kind"] != Kind.ADL_DECISION])
    stops = 0
    while kernel.run() == Stop.DECISION:
        assert kernel.deciding == 0
        stops += 1
        assert kernel.run() == Stop.DECISION  # still due: nothing goes on
        while engine.pending_adl is not None:  # one answer may lead to the next question
            number = next(answers)
            kernel.decide(0, rows[number : number + 1])
    assert stops > 5
    assert engine.digest() == pair.core.digest()


def test_the_policy_may_be_left_to_a_user_for_a_time():
    """SET_RULE, there and back, while the crash goes on."""
    pair = Pair(crash_setting(adl_policy=AdlPolicy.BYBIT), every=50)
    twin = pair.twin.venue
    for number, c in enumerate(crash(twin, 8, rounds=30)):
        pair.apply(c)
        while twin.asked:
            for part in like(twin, AdlPolicy.CONTRACT_PRO_RATA):
                pair.apply(part)
        if number % 250 == 200:
            to = AdlPolicy.BYBIT if twin.adl_policy == AdlPolicy.USER else AdlPolicy.USER
            pair.apply(Command(Kind.SET_RULE, aux=Rule.ADL_POLICY, value=to))
    assert pair.kinds[EventKind.ADL] > pair.kinds[EventKind.ADL_PENDING] > 5


@pytest.mark.parametrize("batch", [1, 7, 10_000])
def test_a_journal_has_what_was_taken_and_asks_nobody(batch):
    """An engine's own journal, whatever the batches: refused commands and decisions are in it, once."""
    setting, log, _ = pending()
    log = [*log, Command(Kind.TICK), Command(Kind.ADL_DECISION, market=9), Command(Kind.TICK)]
    rows = as_array(log)
    journaled = JournaledEngine.in_memory(Engine(setting.venue, setting.markets, setting.accounts, audit=1))
    for first in range(0, len(rows), batch):
        apply_all(journaled, rows[first : first + batch])
    while journaled.engine.pending_adl:
        journaled.submit(kind=Kind.ADL_DECISION, market=journaled.engine.pending_adl["market"])
    journaled.close()
    found = replay(journaled.journal.log.data)
    assert found.engine.digest() == journaled.engine.digest() and found.commands > len(rows)


def test_an_engine_comes_back_with_its_question(tmp_path):
    """A snapshot and a journal, left while a decision is due."""
    setting, log, _ = pending()
    journaled = JournaledEngine.create(Engine(setting.venue, setting.markets, setting.accounts, audit=1), tmp_path)
    apply_all(journaled, as_array(log))
    journaled.save()
    journaled.apply(as_array([Command(Kind.TICK)]))  # refused: a decision is due
    journaled.close()
    again, found = JournaledEngine.resume(tmp_path)
    question, before = again.engine.pending_adl, journaled.engine.pending_adl
    assert found.snapshot and found.replayed == 1
    assert question.pop("candidates").tobytes() == before.pop("candidates").tobytes() and question == before
    for engine in (again, journaled.engine):
        engine.apply(as_array([Command(Kind.ADL_DECISION, market=question["market"])]))
    assert again.engine.digest() == journaled.engine.digest()
    again.close()


def test_a_kernel_takes_decisions_where_one_is_due_and_nothing_else():
    _, _, engine = pending()
    kernel = Kernel([engine])
    tick = np.zeros(1, COMMAND)
    tick["kind"] = Kind.TICK
    with pytest.raises(ValueError, match="taken where one is due, and no others"):
        kernel.decide(0, tick)
    with pytest.raises(TypeError, match="dtype"):
        kernel.decide(0, np.zeros(1))
    assert kernel.run(engine.time_ns) == Stop.DECISION
    bad = decision(engine, {0: 10**12})
    kernel.decide(0, bad)
    assert engine.drain()["reason"].tolist() == [Reject.BAD_DECISION] and engine.pending_adl
    while engine.pending_adl:
        nobody = np.zeros(1, COMMAND)
        nobody["kind"], nobody["market"] = Kind.ADL_DECISION, engine.pending_adl["market"]
        kernel.decide(0, nobody)
    assert kernel.run(engine.time_ns) == Stop.UNTIL
    with pytest.raises(ValueError, match="taken where one is due"):
        kernel.decide(0, nobody)


def test_the_vault_is_asked_about_one_position_after_the_other():
    """Its lots are bankrupt at 900: at 899 it owes a half for each market, of which the first two are in one asset.

    Both of that asset are decided about before the other asset is looked at.
    """
    rules = {
        "adl_policy": AdlPolicy.USER, "reduce_method": 0, "takeover": Takeover.BACKSTOP, "backstop_at": 666_666_667,
        "liquidation_period_ns": SECOND,
    }  # fmt: skip
    markets = [PLAIN | {"tiers": FLAT_TIER, "asset": asset} for asset in (0, 0, 1)]
    engine = Engine(VENUE | rules, markets, 2, assets=2, audit=2)
    vault = engine.house["backstop"]

    def marks(price: int) -> None:
        for market in range(3):
            more = Flag.MORE if market < 2 else 0
            engine.submit(kind=Kind.SET_MARK, value=price * MARKET["tick_value"], market=market, flags=more)

    marks(1_000)
    for asset, market in ((0, 0), (0, 1), (1, 2)):
        for account, money in ((0, 50), (1, 1_000)):
            money *= 10**8
            engine.submit(kind=Kind.DEPOSIT, account=account, asset=asset, value=money)
            seed = {"side": account, "size_lots": 500, "value": 1_000 * MARKET["tick_value"]}
            assert engine.submit(kind=Kind.SEED_POSITION, account=account, market=market, **seed) == Reject.NONE
    marks(925)
    rows = engine.positions()
    assert rows["lots"][rows["account"] == vault].tolist() == [500] * 3
    marks(899)
    for market, debts in ((0, (100, 50)), (1, (50, 50)), (2, (0, 50))):
        question = engine.pending_adl
        assert (question["account"], question["market"], question["lots"]) == (vault, market, 500)
        equity = engine.accounts()["equity"][vault * 2 : vault * 2 + 2]
        assert equity.tolist() == [-debt * 10**6 for debt in debts]
        assert engine.submit(kind=Kind.ADL_DECISION, account=1, market=market, size_lots=500) == Reject.NONE
    assert engine.pending_adl is None
    rows = engine.positions()
    assert not rows["lots"].any()


class TestDelayed:
    """A long that is bankrupt at 890 and a short that is under maintenance there; ten seconds later they are closed."""

    @pytest.fixture
    def desk(self) -> Desk:
        desk = Desk(rich=0, adl_policy=AdlPolicy.USER, reduce_method=0, liquidation_delay_ns=10 * SECOND)
        for account, money in ((0, 10), (2, 9), (3, 1_000)):
            desk.deposit(account, money)
        desk.seed(0, 100)
        desk.seed(2, -50, price=711)
        desk.seed(3, -50)
        return desk

    def question(self, desk: Desk) -> dict:
        assert desk.engine.pending_adl["account"] == 0
        return {"market": 0, "size_lots": 1}

    def test_who_is_in_liquidation_is_not_taken(self, desk):
        desk.mark(890)
        assert sorted(desk.of(EventKind.LIQUIDATION_STARTED)["account"].tolist()) == [0, 2]
        desk.do(Kind.TICK, time_ns=NOW + 10 * SECOND)
        part = self.question(desk)
        assert desk.engine.pending_adl["candidates"]["account"].tolist() == [3]
        assert desk.do(Kind.ADL_DECISION, account=2, **part) == Reject.BAD_DECISION
        assert desk.events[-1]["value"] == AdlFault.LIQUIDATION
        assert desk.do(Kind.ADL_DECISION, account=3, **part) == Reject.NONE
        assert desk.lots(3) == -49

    def rows(self, desk: Desk, *rows: tuple[int, int, int, int, int]) -> Kernel:
        kernel = Kernel([desk.engine])
        names = ("time_ns", "code", "price", "value", "id")
        columns = {name: np.array([row[at] for row in rows], np.int64) for at, name in enumerate(names)}
        kernel.feed(kernel.add_stream(0, 0), columns | {"code": columns["code"].astype(np.uint8)})
        kernel.finish(0)
        return kernel

    def answer(self, desk: Desk, kernel: Kernel) -> None:
        part = np.zeros(1, COMMAND)
        part["kind"], part["account"], part["size_lots"] = Kind.ADL_DECISION, 3, 50
        assert kernel.run() == Stop.DECISION
        assert desk.engine.book(0, 0).tolist() == [[700, 4]]  # the rows after it wait
        self.question(desk)
        kernel.decide(0, part)
        assert kernel.run() == Stop.UNTIL
        assert desk.lots(3) == 0
        assert desk.engine.book(0, 0).tolist() == [[701, 5], [700, 4]]

    def test_a_decision_in_a_damaged_state_stops_the_engine(self, desk):
        """A unit of money has appeared while the kernel stood: what the decision leaves does not add up."""
        desk.mark(890)
        kernel = Kernel([desk.engine])
        assert kernel.run(NOW + 11 * SECOND) == Stop.DECISION
        self.question(desk)
        testing.py_damage(desk.engine, "wallet", "balance", 3, 1)
        part = np.zeros(1, COMMAND)
        part["kind"], part["account"], part["size_lots"] = Kind.ADL_DECISION, 3, 50
        with pytest.raises(InvariantError) as raised:
            kernel.decide(0, part)
        assert desk.engine.broken == str(raised.value)
        with pytest.raises(RuntimeError, match="has stopped"):
            kernel.run(NOW + 11 * SECOND)

    def test_a_clock_that_is_set_stops_at_a_decision(self, desk):
        desk.mark(890)
        kernel = Kernel([desk.engine])
        assert kernel.run(NOW + 11 * SECOND) == Stop.DECISION
        part = np.zeros(1, COMMAND)
        part["kind"], part["account"], part["size_lots"] = Kind.ADL_DECISION, 3, 50
        self.question(desk)
        kernel.decide(0, part)
        assert kernel.run(NOW + 11 * SECOND) == Stop.UNTIL
        assert (desk.lots(3), desk.engine.time_ns) == (0, NOW + 11 * SECOND)

    def test_a_recorded_level_waits_for_a_decision(self, desk):
        desk.mark(890)
        assert desk.level(0, 701, 5, time_ns=NOW + 11 * SECOND) == Reject.NONE
        self.question(desk)
        assert desk.engine.book(0, 0).tolist() == []
        assert desk.do(Kind.ADL_DECISION, account=3, market=0, size_lots=50) == Reject.NONE
        assert desk.engine.pending_adl is None
        assert desk.engine.book(0, 0).tolist() == [[701, 5]]

    def test_a_recorded_level_waits_for_what_another_market_led_to(self):
        """The level ends the message of market 1, and with it the group in which the mark came."""
        desk = self.between()
        assert desk.level(0, 701, 5) == Reject.NONE
        self.question(desk)
        assert desk.engine.book(0, 0).tolist() == []
        assert desk.do(Kind.ADL_DECISION, account=3, market=0, size_lots=50) == Reject.NONE
        assert desk.engine.book(0, 0).tolist() == [[701, 5]]

    @pytest.mark.parametrize("code", [1, 2])
    def test_a_row_of_a_level_or_a_trade_waits_too(self, code):
        desk = self.between()
        kernel = self.rows(desk, (desk.engine.time_ns, code | 16 * (code == 2), 701, 5, 1))
        assert kernel.run() == Stop.DECISION
        self.question(desk)
        part = np.zeros(1, COMMAND)
        part["kind"], part["account"], part["size_lots"] = Kind.ADL_DECISION, 3, 50
        kernel.decide(0, part)
        assert kernel.run() == Stop.UNTIL
        assert desk.lots(3) == 0
        assert desk.engine.book(0, 0).tolist() == ([[701, 5]] if code == 1 else [])
        assert desk.engine.market(0)["last_ticks"] == (0 if code == 1 else 701)

    def between(self) -> Desk:
        """A mark has come that leads to a question, in a group that a message of market 1 holds open."""
        desk = Desk(markets=2, rich=0, adl_policy=AdlPolicy.USER, reduce_method=0)
        desk.deposit(0, 10)
        desk.deposit(3, 1_000)
        desk.seed(0, 50)
        desk.seed(3, -50)
        desk.mark(780, flags=Flag.MORE)
        desk.level(0, 990, 5, market=1, flags=Flag.MORE)
        assert desk.engine.pending_adl is None
        return desk

    def test_a_batch_that_is_audited_stops_where_others_do(self, desk):
        desk.mark(890)
        rows = np.zeros(4, COMMAND)
        rows["kind"], rows["time_ns"] = Kind.TICK, NOW + 11 * SECOND
        rows["kind"][1], rows["account"][1], rows["size_lots"][1] = Kind.ADL_DECISION, 3, 50
        again = Engine.restore(desk.engine.snapshot())
        for engine in (desk.engine, again):
            engine.apply(rows[[0, 2, 3]])
            assert engine.consumed == 1
            engine.apply(rows[1:])
            assert engine.consumed == 3
        assert desk.engine.state_hash() == again.state_hash()

    def test_a_row_waits_for_a_decision_that_a_timer_asks_for(self, desk):
        """Once: it is taken when the decision is there, and not again."""
        desk.mark(890)
        late = NOW + 11 * SECOND
        self.answer(desk, self.rows(desk, (NOW, 9, 700, 4, 1), (late, 9, 701, 5, 2)))

    def test_a_row_waits_for_a_decision_that_its_own_message_leads_to(self, desk):
        """Without a delay: a mark that begins a message, then an order, which nobody may act before."""
        desk.do(Kind.SET_RULE, aux=Rule.LIQUIDATION_DELAY, value=0)
        mark = 890 * MARKET["tick_value"]
        rows = [(NOW, 9, 700, 4, 1), (NOW + 1, 3 | 32, 0, mark, 0), (NOW + 1, 9, 701, 5, 2)]
        self.answer(desk, self.rows(desk, *rows))
