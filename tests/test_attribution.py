"""Attribution: forced orders are part of recorded trades, and only their difference to another run moves the book.

One lot is worth 1 at 1,000 ticks. Account 0 has 11 and is long 100 lots from 1,000: bankrupt at 890, under maintenance
(half a percent) from 894 on.
"""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from differential import apply_all, as_array, new_core, new_twin
from model.wire import Attribution as Mode
from perpsim.core import (
    COMMAND,
    Engine,
    EventKind,
    Flag,
    InvariantError,
    Kind,
    MarketState,
    ReduceMethod,
    Reject,
    Side,
    TapeOrder,
)
from perpsim.replay import outcomes, tape_writer
from perpsim.replay.attribution import FILE
from perpsim.replay.errors import InputError
from perpsim.replay.market_plan import without
from perpsim.replay.scenario import parse
from perpsim.replay.tape import ROW_MASK, Row
from stream_settings import BY_NAME, MARKET, RATE_ONE, SECOND, Setting, tiers
from streams import Stream
from tape_commands import shipped_tape
from test_regressions import NOW, Desk
from test_snapshot import PIECES, joined, pieces

NO_FLOW = {"flow": 0}
WHOLE = {"reduce_method": ReduceMethod.WHOLE}
MOVED = {"impact_step_ns": SECOND, "impact_factor": 10 * RATE_ONE, "impact_kernel": (RATE_ONE, RATE_ONE // 2)}


def desk_of(mode: int, flows=(), market=None, **venue) -> Desk:
    """Account 0 is long; 50 bids at 892, 300 at 891, as many asks at 894 and 895."""
    desk = Desk(rich=0, market=MOVED | {"attribution": mode} | (market or {}), **(WHOLE | venue))
    desk.deposit(0, 11)
    desk.deposit(1, 10_000)
    desk.seed(0, 100)
    desk.level(Side.BUY, 891, 300, flags=Flag.MORE)
    desk.level(Side.SELL, 894, 50, flags=Flag.MORE)
    desk.level(Side.SELL, 895, 300, flags=Flag.MORE)
    desk.level(Side.BUY, 892, 50)
    for ordinal, lots in enumerate(flows):
        if lots:
            assert desk.do(Kind.SET_FLOW, aux=ordinal, size_lots=lots) == Reject.NONE
    return desk


def fall(desk: Desk) -> None:
    """To where account 0 has 0.3 left and is liquidated."""
    desk.mark(893, time_ns=NOW)


def sold(desk: Desk, price: int, lots: int) -> tuple | None:
    """A recorded sale: what was reported of it, (forced, excess, deficit)."""
    desk.do(Kind.TAPE_TRADE, side=Side.SELL, price_ticks=price, size_lots=lots)
    found = desk.of(EventKind.ATTRIBUTED)
    assert len(found) <= 1
    return tuple(int(found[0][name]) for name in ("size_lots", "value", "aux")) if len(found) else None


def bids(desk: Desk) -> dict[int, int]:
    return dict(desk.engine.book(0, Side.BUY).tolist())


def tick(desk: Desk, seconds: float = 0) -> None:
    desk.do(Kind.TICK, time_ns=desk.engine.time_ns + int(seconds * SECOND))


class TestRecord:
    def test_a_forced_order_waits_and_takes_prints_of_its_side(self):
        desk = desk_of(Mode.RECORD)
        fall(desk)
        (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
        assert (order["size_lots"], order["price_ticks"]) == (100, 890)
        assert not len(desk.of(EventKind.TRADE)) and bids(desk) == {892: 50, 891: 300}
        assert desk.engine.market(0)["claimed_lots"] == (0, 100)
        desk.do(Kind.TAPE_TRADE, side=Side.BUY, price_ticks=894, size_lots=30)
        assert not len(desk.events)
        assert sold(desk, 892, 30) == (30, 0, 0)
        (trade,) = desk.of(EventKind.TRADE)
        assert (trade["account"], trade["price_ticks"], trade["size_lots"], trade["fee"]) == (0, 892, 30, 0)
        assert trade["maker_account"] == desk.engine.house["world"] and trade["order_id"] == order["order_id"]
        assert bids(desk) == {892: 20, 891: 300}  # as recorded: the forced lots are in the print, not beside it
        assert sold(desk, 889, 500) is None  # below bankruptcy
        assert sold(desk, 890, 500) == (70, 0, 0) and desk.lots(0) == 0
        assert desk.wallet(0)["stage"] == 2
        tick(desk)
        assert desk.wallet(0)["stage"] == 0 and len(desk.of(EventKind.LIQUIDATION_ENDED)) == 1
        assert desk.wallet(0)["balance"] == 11 * 10**8 - 30 * 1_080_0000 - 70 * 1_100_0000
        assert desk.engine.market(0)["shift_ticks"] == 0 and desk.engine.market(0)["attributed_lots"] == 100

    def test_the_queue_is_first_come_first_served(self):
        desk = desk_of(Mode.RECORD)
        desk.do(Kind.DEPOSIT, account=2, value=275_000_000)
        desk.seed(2, 40, 960)
        fall(desk)
        assert desk.of(EventKind.LIQUIDATION_ORDER)["account"].tolist() == [2, 0]  # the worse health goes first
        assert sold(desk, 893, 47) == (47, 0, 0)
        assert (desk.lots(2), desk.lots(0)) == (0, 93)

    def test_without_trades_a_unit_claims_on_until_its_equity_is_gone(self):
        desk = desk_of(Mode.RECORD, fund_notional_cap=0)
        desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=10**11)
        fall(desk)
        tick(desk, 30)
        assert desk.wallet(0)["stage"] == 2 and desk.lots(0) == 100
        assert {int(e) for e in desk.of(EventKind.CANCELLED)["size_lots"]} == {100}
        assert len(desk.of(EventKind.LIQUIDATION_ORDER)) == 30  # one a second
        desk.mark(889)
        tick(desk, 1)
        assert desk.engine.market(0)["lapsed_lots"] == 100
        assert len(desk.of(EventKind.TAKEOVER)) == 1 and desk.lots(0) == 0 and desk.wallet(0)["stage"] == 0

    def test_a_unit_that_recovers_keeps_its_position(self):
        desk = desk_of(Mode.RECORD)
        fall(desk)
        desk.mark(950)
        tick(desk, 1)
        assert desk.wallet(0)["stage"] == 0 and desk.lots(0) == 100
        assert sold(desk, 892, 30) is None

    def test_money_paid_in_ends_it_at_the_next_look(self):
        desk = desk_of(Mode.RECORD)
        fall(desk)
        assert desk.do(Kind.WITHDRAW, account=0, value=1) == Reject.IN_LIQUIDATION
        desk.deposit(0, 50)
        tick(desk, 1)
        assert desk.wallet(0)["stage"] == 0 and desk.lots(0) == 100

    def test_the_rulebooks_period_is_its_patience(self):
        desk = desk_of(Mode.RECORD, liquidation_period_ns=5 * SECOND)
        fall(desk)
        tick(desk, 4.5)
        assert not len(desk.events)
        tick(desk, 1)
        assert len(desk.of(EventKind.LIQUIDATION_ORDER)) == 1

    def test_a_position_without_trades_gives_way_to_another(self):
        desk = Desk(markets=2, rich=0, market={"attribution": Mode.RECORD}, **WHOLE)
        desk.deposit(0, 11)
        desk.seed(0, 60)
        desk.seed(0, 40, market=1)
        desk.mark(893, time_ns=NOW, flags=Flag.MORE)
        desk.mark(893, market=1)
        (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
        tick(desk, 1)
        (other,) = desk.of(EventKind.LIQUIDATION_ORDER)
        assert {int(order["market"]), int(other["market"])} == {0, 1}
        tick(desk, 1)
        assert desk.of(EventKind.LIQUIDATION_ORDER)["market"].tolist() == [order["market"]]

    def test_a_halted_market_fills_nothing_and_a_settled_one_ends_claims(self):
        desk = desk_of(Mode.RECORD)
        fall(desk)
        desk.state(MarketState.HALTED)
        assert sold(desk, 892, 30) is None
        desk.state(MarketState.OPEN)
        assert sold(desk, 892, 30) == (30, 0, 0)
        desk.state(MarketState.SETTLING)
        (gone,) = desk.of(EventKind.CANCELLED)
        assert (gone["size_lots"], gone["reason"]) == (70, Reject.BY_MARKET_STATE)
        assert desk.engine.market(0)["claimed_lots"] == (0, 0)
        tick(desk, 1)
        assert desk.wallet(0)["stage"] == 0

    def test_what_a_fund_sells_waits_too(self):
        """Taken over at once (nothing is reduced in the book), and sold to the next recorded trades."""
        desk = desk_of(Mode.RECORD, reduce_method=ReduceMethod.NONE, fund_unwind=1)
        desk.do(Kind.DEPOSIT, account=desk.engine.house["funds"][0], value=10**11)
        fall(desk)
        assert len(desk.of(EventKind.FUND_ORDER)) == 1 and not len(desk.of(EventKind.TRADE))
        assert sold(desk, 892, 30) == (30, 0, 0) and bids(desk) == {892: 20, 891: 300}
        assert desk.lots(desk.engine.house["funds"][0]) == 70

    def test_fill_or_kill_takes_a_whole_order_from_one_trade(self):
        steps = {"tiers": tiers((40, "0.5", 20), (4_000, "1", 10))}
        desk = desk_of(Mode.RECORD, market=steps, reduce_method=ReduceMethod.TIER_FOK)
        desk.mark(892, time_ns=NOW)
        (order,) = desk.of(EventKind.LIQUIDATION_ORDER)
        lots = int(order["size_lots"])
        assert 1 < lots < 100
        assert sold(desk, 892, lots - 1) is None
        assert sold(desk, 892, lots + 1) == (lots, 0, 0)

    def test_single_recorded_orders(self):
        desk = desk_of(Mode.RECORD)
        for number, lots in ((1, 40), (2, 90)):
            desk.do(Kind.TAPE_ORDER, aux=TapeOrder.ADD, order_id=number, side=Side.BUY, size_lots=lots, price_ticks=893)
        fall(desk)
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=1, size_lots=30)
        (found,) = desk.of(EventKind.ATTRIBUTED)
        assert (found["size_lots"], found["price_ticks"], found["side"]) == (30, 893, Side.SELL)
        assert bids(desk)[893] == 100 and desk.lots(0) == 70
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.REDUCE, order_id=2, size_lots=50)  # no trade
        assert not len(desk.of(EventKind.ATTRIBUTED))


    @pytest.mark.parametrize(
        ("fields", "reason"),
        [({"order_id": 1}, Reject.UNKNOWN_ORDER), ({"price_ticks": 0}, Reject.UNKNOWN_ORDER),
         ({"side": 2}, Reject.BAD_ENUM), ({"size_lots": MARKET["position_max"] + 1}, Reject.BAD_SIZE)],
    )  # fmt: skip
    def test_an_execution_that_is_refused_is_no_trade(self, fields, reason):
        """Order 1 stands in the other market; 9 was eaten, so its row must state a side, a price and a size."""
        desk = Desk(markets=2, rich=0, market={"attribution": Mode.RECORD}, **WHOLE)
        desk.deposit(0, 11)
        desk.seed(0, 100)
        row = {"order_id": 1, "side": Side.BUY, "size_lots": 60, "price_ticks": 893}
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.ADD, market=1, **row) == Reject.NONE
        fall(desk)
        row |= {"order_id": 9, "size_lots": 30}
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **row | fields) == reason
        assert not len(desk.of(EventKind.ATTRIBUTED)) and desk.lots(0) == 100
        assert desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, **row) == Reject.NONE
        assert desk.of(EventKind.ATTRIBUTED)["size_lots"].tolist() == [30] and desk.lots(0) == 70


class TestAgainst:
    def test_the_same_flow_changes_nothing(self):
        one, other = desk_of(Mode.RECORD), desk_of(Mode.AGAINST, (30, 0, 70))
        for desk in (one, other):
            fall(desk)
            assert sold(desk, 892, 30) == (30, 0, 0)
            assert sold(desk, 889, 20) is None
            assert sold(desk, 891, 200) == (70, 0, 0)
            tick(desk, 2)
        assert one.engine.digest() == other.engine.digest()
        assert one.engine.accounts().tobytes() == other.engine.accounts().tobytes()

    def test_more_than_history_goes_into_the_book_and_pushes_it_down(self):
        """Of 30 lots that claim, history has 10: 20 more hit the bids, then the print of 30 finds 20 of its lots eaten
        and takes them deeper in the same level. 10 * sqrt(20 / 10**6) of a mid of 892.5 is 39.9 ticks."""
        desk = desk_of(Mode.AGAINST, (10,))
        fall(desk)
        assert sold(desk, 892, 30) == (30, 20, 0)
        assert desk.of(EventKind.TRADE)["size_lots"].tolist() == [10, 20] and desk.lots(0) == 70
        assert bids(desk) == {891: 300}  # history alone would have left 20 at 892
        tick(desk, 1)
        assert desk.engine.market(0)["shift_ticks"] == -40
        (count,) = {desk.engine.market(0)[name] for name in ("excess_lots",)}
        assert count == 20 and desk.engine.market(0)["attributed_lots"] == 10

    def test_less_than_history_makes_the_print_smaller_and_lifts_the_book(self):
        """Nobody claims what history had: a print of 40 is one of 10. 10 * sqrt(30 / 10**6) of 893 is 48.9 ticks."""
        desk = desk_of(Mode.AGAINST, (30,))
        assert sold(desk, 892, 40) == (0, 0, 30)
        assert bids(desk) == {892: 40, 891: 300}
        tick(desk, 1)
        assert desk.engine.market(0)["shift_ticks"] == 49
        assert desk.engine.market(0)["deficit_lots"] == 30

    def test_a_print_that_was_all_forced_does_not_take_place(self):
        desk = desk_of(Mode.AGAINST, (40,))
        desk.buy(1, 5, 893)
        assert sold(desk, 892, 40) == (0, 0, 40)
        assert not len(desk.of(EventKind.TRADE)) and desk.engine.market(0)["last_ticks"] == 0
        assert sold(desk, 892, 40) is None and desk.lots(1) == 5

    def test_the_excess_keeps_its_limit(self):
        """At 890 only 891 and 892 may be hit; what the book does not have waits on."""
        desk = desk_of(Mode.AGAINST)
        desk.level(Side.BUY, 891, 0, flags=Flag.MORE)
        desk.level(Side.BUY, 880, 500)
        fall(desk)
        assert sold(desk, 891, 400) == (50, 50, 0)
        assert desk.engine.market(0)["claimed_lots"] == (0, 50)

    def test_what_is_missing_of_a_single_order_leaves_it_without_a_trade(self):
        desk = desk_of(Mode.AGAINST, (30, 20))
        desk.do(Kind.TAPE_ORDER, aux=TapeOrder.ADD, order_id=1, side=Side.BUY, size_lots=60, price_ticks=893)
        desk.buy(1, 5, 893)
        for left in (20, 0):
            desk.do(Kind.TAPE_ORDER, aux=TapeOrder.EXECUTE, order_id=1, size_lots=40 if left else 20)
            assert bids(desk)[893] == left + 5
        assert desk.engine.market(0)["deficit_lots"] == 50

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [({"size_lots": 0}, Reject.BAD_SIZE), ({"size_lots": -1}, Reject.BAD_SIZE),
         ({"size_lots": MARKET["position_max"] + 1}, Reject.BAD_SIZE), ({"aux": 2}, Reject.BAD_VALUE),
         ({"aux": -1}, Reject.BAD_VALUE), ({"market": 1}, Reject.UNKNOWN_MARKET)],
    )  # fmt: skip
    def test_flows_that_cannot_be(self, fields, reason):
        desk = desk_of(Mode.AGAINST, (0, 0, 5))
        assert desk.do(Kind.SET_FLOW, **({"aux": 3, "size_lots": 1} | fields)) == reason

    def test_only_a_market_that_compares_takes_flows(self):
        for mode in (Mode.NONE, Mode.RECORD):
            assert desk_of(mode).do(Kind.SET_FLOW, aux=0, size_lots=1) == Reject.MARKET_STATE
        desk = desk_of(Mode.AGAINST)
        sold(desk, 892, 1)
        assert desk.do(Kind.SET_FLOW, aux=0, size_lots=1) == Reject.BAD_VALUE  # that trade was

    def test_a_snapshot_keeps_claims_and_flows(self):
        desk = desk_of(Mode.AGAINST, (10, 60))
        fall(desk)
        sold(desk, 892, 30)
        desk.engine, before = Engine.restore(desk.engine.snapshot()), desk.engine
        assert desk.engine.state_hash() == before.state_hash()
        assert sold(desk, 891, 90) == (70, 10, 0)


    @pytest.mark.parametrize("piece", ["claims", "flows"])
    def test_a_snapshot_with_impossible_claims_or_flows_is_refused(self, piece):
        """Every word too large, or negative: refused, or a state that can be walked over and audited."""
        desk = desk_of(Mode.AGAINST, (10, 60, 5))
        fall(desk)
        whole = desk.engine.snapshot()
        parts, number, refused = pieces(whole), PIECES.index(piece), 0
        for at in range(0, len(parts[number]), 4):
            for value in (0x7FFFFFF0, 0xFFFFFF00):
                changed = parts[number][:at] + value.to_bytes(4, "little") + parts[number][at + 4 :]
                try:
                    engine = Engine.restore(joined(whole, [*parts[:number], changed, *parts[number + 1 :]]))
                except ValueError:
                    refused += 1
                    continue
                assert engine.market(0)["claimed_lots"] and engine.state_hash()
                with contextlib.suppress(InvariantError, OverflowError):
                    engine.check()
        assert refused > 4

    @pytest.mark.parametrize("what", ["claims", "flows"])
    def test_a_snapshot_whose_lists_begin_or_end_nowhere_is_refused(self, what):
        """Head and tail of the market's list are the words of it that led nowhere before there was a list."""
        desk = desk_of(Mode.AGAINST)
        number = PIECES.index("markets")
        before = np.frombuffer(pieces(desk.engine.snapshot())[number], np.int32)
        if what == "claims":
            fall(desk)
        else:
            assert desk.do(Kind.SET_FLOW, aux=0, size_lots=5) == Reject.NONE
        filled = desk.engine.snapshot()
        after = np.frombuffer(pieces(filled)[number], np.int32)
        ends = np.flatnonzero((before == -1) & (after >= 0))
        assert len(ends) == 2

        def refused(snapshot: bytes, end: int, value: int) -> bool:
            parts = pieces(snapshot)
            words = np.frombuffer(parts[number], np.int32).copy()
            words[end] = value
            try:
                Engine.restore(joined(snapshot, [*parts[:number], words.tobytes(), *parts[number + 1 :]]))
            except ValueError as error:
                return "leads nowhere" in str(error)
            return False

        for end in ends:
            assert not refused(filled, end, int(after[end]))
            assert refused(filled, end, 1 << 30) and refused(filled, end, -2)
        assert refused(Desk().engine.snapshot(), ends[0], 0)  # a venue that knows no such lists


def flows_of(events: np.ndarray) -> np.ndarray:
    """The commands that tell what a RECORD run has found."""
    found = events[events["kind"] == EventKind.ATTRIBUTED]
    commands = np.zeros(len(found), COMMAND)
    commands["kind"], commands["market"] = Kind.SET_FLOW, found["market"]
    commands["aux"], commands["size_lots"] = found["order_id"], found["size_lots"]
    return commands


def commands_of(setting: Setting, seed: int, count: int) -> np.ndarray:
    """A random stream, steered by a twin."""
    twin, commands = new_twin(setting), []
    stream = Stream(seed, setting, twin)
    while len(commands) < count:
        for c in stream.next():
            commands.append(c)
            twin.apply(c)
    return as_array(commands)


@pytest.mark.unshadowed("the comparison with the twin is that of the streams")
@pytest.mark.parametrize("name", ["attribution", "attribution-rounds", "attribution-multi"])
@pytest.mark.parametrize("seed", [11, 12])
def test_identical_rules_find_identical_flows(name, seed):
    """Any accounts, orders, marks and recorded rows: beside a run of the same rules nothing is more, or missing."""
    setting = BY_NAME[name]
    setting = replace(setting, weights=setting.weights | NO_FLOW)
    record, against = (
        replace(setting, markets=[m | {"attribution": mode} for m in setting.markets])
        for mode in (Mode.RECORD, Mode.AGAINST)
    )
    commands = commands_of(record, seed, 1_200)
    one, other = new_core(record), new_core(against)
    found = apply_all(one, commands)
    assert (found["kind"] == EventKind.ATTRIBUTED).any()
    assert len(other.apply(flows_of(found))) == 0
    assert found.tobytes() == apply_all(other, commands).tobytes()
    assert one.accounts().tobytes() == other.accounts().tobytes()
    assert one.positions().tobytes() == other.positions().tobytes()
    for number in range(len(setting.markets)):
        ours, theirs = one.market(number), other.market(number)
        assert ours == theirs and (ours["excess_lots"], ours["deficit_lots"]) == (0, 0)
        for side in Side:
            assert one.book(number, side).tolist() == other.book(number, side).tolist()


# ---- scenarios -----------------------------------------------------------------------------------------------------

SCENARIO = """
[run]
seed = 7
end = 200
audit = "off"
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[venue.rules]
{rules}
[tape]
{tape}
attribution = "{attribution}"
impact = {{ volatility = 0.02, volume = 300_000, permanent = 0.5 }}
[fund]
initial = 1_000_000
[population]
accounts = {accounts}
open_interest = 300
isolated_share = 0.5
leverage = [{{ leverage = 50, weight = 1 }}, {{ leverage = 100, weight = 2 }}]
[shock]
points = [[0, 1.0], [10, 1.0], [100, 0.99], [180, 0.985]]
"""
SHIPPED = 'recording = "btcusdt-2023-04-04"'


def scenario(
    folder: Path, name: str, attribution: str, rules: str = "", accounts: int = 400, journal=None, tape: str = SHIPPED,
    **changes,
) -> dict:  # fmt: skip
    text = SCENARIO.format(attribution=attribution, rules=rules, accounts=accounts, tape=tape)
    for old, new in changes.items():
        text = text.replace(f"{old} = ", f"{old} = {new} # ", 1)
    return outcomes.run(parse(text.encode(), folder / f"{name}.toml", folder), folder / name, journal=journal)


def told(summary: dict) -> dict:
    return summary["markets"]["BTCUSDT"]["attribution"]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A folder with the attribution run of the rules as they are."""
    folder = tmp_path_factory.mktemp("attribution")
    scenario(folder, "base", "record")
    return folder


def events_of(folder: Path, kind: EventKind) -> np.ndarray:
    return pq.read_table(folder / "events.parquet", filters=[("kind", "=", int(kind))])


def test_the_attribution_run_leaves_the_book_to_history(base):
    summary = outcomes.read_summary(base / "base")
    assert float(told(summary)["attributed"]) > 10 and told(summary)["excess"] == told(summary)["deficit"] == "0"
    assert events_of(base / "base", EventKind.IMPACT).num_rows == 0
    rows = pq.read_table(base / "base" / FILE)
    assert sum(rows["lots"].to_pylist()) == round(float(told(summary)["attributed"]) * 1_000)
    assert summary["markets"]["BTCUSDT"]["tape"]["unfilled"] == "0"
    assert events_of(base / "base", EventKind.LIQUIDATION_ORDER).num_rows > 100


def test_the_same_rules_again_give_the_same_run(base):
    summary = scenario(base, "same", "against:base")
    assert summary["digest"] == outcomes.read_summary(base / "base")["digest"]
    assert told(summary)["excess"] == told(summary)["deficit"] == "0"
    assert (base / "same" / "events.parquet").read_bytes() == (base / "base" / "events.parquet").read_bytes()
    assert outcomes.verify(base / "same") == []


def test_fewer_forced_sales_lift_the_price_and_more_of_them_lower_it(base):
    """Without orders of the liquidation engine, all that history had of them is missing; and the other way round."""
    none = scenario(base, "none", "against:base", 'reduce_method = "none"')
    assert told(none)["excess"] == "0" and float(told(none)["deficit"]) > 10
    last = {name: float(each["markets"]["BTCUSDT"]["mark"]["last"]) for name, each in
            (("base", outcomes.read_summary(base / "base")), ("none", none))}
    assert last["none"] > last["base"] + 1
    scenario(base, "quiet", "record", 'reduce_method = "none"')
    more = scenario(base, "more", "against:quiet")
    assert told(more)["deficit"] == "0" and float(told(more)["excess"]) > 10
    assert float(more["markets"]["BTCUSDT"]["mark"]["last"]) < last["base"] - 1


def test_prints_alone_with_a_stated_book(tmp_path):
    """Claims wait for recorded prints, which a tape without a book has; the same rules again, the same run."""
    whole = shipped_tape()
    prints = without(whole.columns(), (whole.code & ROW_MASK) != Row.TRADE)
    tape_writer.write(replace(whole, **prints), tmp_path / "store")
    stated = 'store = "store"\nindex_from_prints = 1\nsynthetic = { depth = 20, levels = 100, slope = 0.05 }'
    runs = [
        scenario(tmp_path, name, mode, tape=stated)
        for name, mode in (("first", "record"), ("second", "against:first"))
    ]
    assert float(told(runs[0])["attributed"]) > 10 and len(runs[0]["labels"]) == 2
    assert runs[0]["digest"] == runs[1]["digest"]
    assert told(runs[1])["excess"] == told(runs[1])["deficit"] == "0"
    assert (tmp_path / "first" / "events.parquet").read_bytes() == (tmp_path / "second" / "events.parquet").read_bytes()


@pytest.mark.parametrize(
    ("attribution", "changes", "sentence"),
    [
        ("history", {}, "'history' is impossible"),
        ("against:", {}, "'against:' is impossible"),
        ("against:nowhere", {}, "has no attribution.parquet"),
        ("against:base", {"accounts": 500}, "another population or seed"),
        ("against:base", {"seed": 8}, "another population or seed"),
        ("against:base", {"end": "150\nstart = 100"}, "another start or warm-up"),
    ],
)
def test_folders_that_do_not_suit(base, attribution, changes, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        scenario(base, "bad", attribution, **changes)
    assert "tape[0].attribution" in str(caught.value) and str(caught.value).count("\n") == 0


def test_another_recording_and_damage_are_refused(base, tmp_path):
    table = pq.read_table(base / "base" / FILE)
    facts = json.loads(table.schema.metadata[b"perpsim.attribution"])
    facts["recordings"]["BTCUSDT"] = "0" * 64
    (tmp_path / "other").mkdir()
    (tmp_path / "torn").mkdir()
    changed = table.replace_schema_metadata({b"perpsim.attribution": json.dumps(facts)})
    pq.write_table(changed, tmp_path / "other" / FILE)
    (tmp_path / "torn" / FILE).write_bytes((base / "base" / FILE).read_bytes()[:-50])
    for name, sentence in (("other", "another recording"), ("torn", "is damaged")):
        with pytest.raises(InputError, match=sentence):
            scenario(tmp_path, "bad", f"against:{name}")


def test_a_run_does_not_replace_what_it_is_compared_with(base):
    with pytest.raises(InputError, match="is the result folder"):
        scenario(base, "base", "against:base")


def test_a_journal_belongs_to_one_attribution_run(base, tmp_path):
    """Its run goes on beside the same flows, and beside no others."""
    shutil.copytree(base / "base", tmp_path / "base")
    journal = outcomes.Journaling(tmp_path / "journal")
    digest = scenario(tmp_path, "same", "against:base", journal=journal)["digest"]
    again = replace(journal, resume=True)
    assert scenario(tmp_path, "same", "against:base", journal=again)["digest"] == digest
    table = pq.read_table(tmp_path / "base" / FILE)
    pq.write_table(table.slice(1), tmp_path / "base" / FILE)
    with pytest.raises(InputError, match="beside another attribution run"):
        scenario(tmp_path, "same", "against:base", journal=again)
