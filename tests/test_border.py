"""What the core refuses from its callers: parameters that do not fit, arrays of another kind, a stopped engine."""

import numpy as np
import pytest
from perpsim.core import COMMAND, Engine, EventKind, FundUnwind, Kernel, Kind, Side, Stop, Watch
from stream_settings import MARKET, SECOND, VENUE

NOW = 1_700_000_000 * SECOND
ONE = 100_000_000
LONG_LADDER = {"price_max": 2**36, "tick_value": 1, "lot_denominator": 1, "position_max": 1, "size_max": 1}


def engine(market=None, accounts=4, **venue) -> Engine:
    return Engine(VENUE | venue, [MARKET | (market or {})], accounts)


def rows(*times: int, code: int = 2, price: int = 1_000, value: int = 1) -> dict[str, np.ndarray]:
    """Columns of a tape: by default prints."""
    return {
        "time_ns": np.array(times, np.int64), "code": np.full(len(times), code, np.uint8),
        "price": np.full(len(times), price, np.int64), "value": np.full(len(times), value, np.int64),
    }  # fmt: skip


class TestParameters:
    @pytest.mark.parametrize(
        ("market", "sentence"),
        [
            ({"basis_samples": 513}, "basis_samples 513 is out of range"),
            ({"tiers": ()}, "needs at least one tier"),
            ({"tiers": ((ONE, 10, 0, 5), (ONE, 20, 0, 5))}, "tier 2: caps and rates must rise"),
            ({"tiers": ((ONE, 10**9, 0, 5),)}, "tier 1: caps and rates must rise"),
            ({"tiers": ((ONE, 10, 0, 5), (2 * ONE, 20, 7, 5))}, "tier 2: deduction 7 does not continue"),
            ({"lot_denominator": 0}, "tick, lot, price_max and position_max must be positive"),
            ({"lot_denominator": 3}, "one lot a tick is not a whole number"),
            ({"position_max": 2**50}, "position_max \\* price_max is above"),
            (LONG_LADDER, "price_max or position_max is too large"),
            ({"asset": 1}, "unknown asset or fund group"),
            ({"size_max": 2_000_001}, "size_max is out of range"),
            ({"leverage_default": 0}, "leverage_default 0 is out of range"),
        ],
    )
    def test_of_a_market(self, market, sentence):
        with pytest.raises(ValueError, match=sentence):
            engine(market)

    def test_of_a_venue(self):
        with pytest.raises(ValueError, match="fund_unwind_period_ns must be positive"):
            engine(fund_unwind=FundUnwind.SLICES, fund_unwind_period_ns=0)
        for markets, accounts, assets in (([], 4, 1), ([MARKET], 0, 1), ([MARKET], 4, 256)):
            with pytest.raises(ValueError, match="1 to 65,534 markets"):
                Engine(VENUE, markets, accounts, assets=assets)

    def test_an_unknown_market_is_the_callers_mistake(self):
        for ask in (Engine.market, lambda e, number: e.book(number, 0), lambda e, number: e.queue(number, 0, 1)):
            with pytest.raises(IndexError, match="market 1 is not one of the engine's 1"):
                ask(engine(), 1)


class TestArrays:
    @pytest.mark.parametrize("commands", [np.zeros(3), np.zeros((2, 2), COMMAND)], ids=["dtype", "dimensions"])
    def test_of_another_kind(self, commands):
        one = engine()
        for door in (one.apply, Kernel([one]).schedule):
            with pytest.raises(TypeError, match="one-dimensional array of dtype"):
                door(commands)

    def test_events_that_somebody_holds_are_not_overwritten(self):
        one = Engine(VENUE, [MARKET], 4, audit=0)
        commands = np.zeros(2, COMMAND)
        commands["kind"], commands["account"], commands["value"], commands["time_ns"] = Kind.DEPOSIT, [0, 1], ONE, NOW
        kept = one.apply(commands)
        copy = kept.copy()
        one.submit(kind=Kind.DEPOSIT, account=2, value=ONE)
        one.apply(commands)
        assert np.array_equal(kept, copy)
        with pytest.raises(ValueError, match="read-only"):
            kept["value"] = 0

    @pytest.mark.parametrize("audit", [1, 2])
    def test_the_engine_audits_itself(self, audit):
        one = Engine(VENUE, [MARKET], 4, audit=audit)
        commands = np.zeros(3, COMMAND)
        commands["kind"], commands["account"], commands["value"] = Kind.DEPOSIT, [0, 1, 2], ONE
        assert len(one.apply(commands)) == 3


class TestStopped:
    def test_a_number_that_leaves_64_bits_stops_the_engine_for_good(self):
        one = engine()
        one.submit(kind=Kind.DEPOSIT, account=0, value=2**63 - 1, time_ns=NOW)
        with pytest.raises(OverflowError, match="left 64 bits; the engine has stopped"):
            one.submit(kind=Kind.DEPOSIT, account=0, value=2**63 - 1)
        assert one.broken == "a number left 64 bits"
        for door in (lambda: one.submit(kind=Kind.TICK), lambda: one.apply(np.zeros(1, COMMAND))):
            with pytest.raises(RuntimeError, match="the engine has stopped: a number left 64 bits"):
                door()
        with pytest.raises(RuntimeError, match="the engine has stopped"):
            Kernel([one]).run(NOW + 1)
        one.drain()
        with pytest.raises(RuntimeError, match="the engine has stopped"):
            Kernel([one]).run(NOW + 1)

    def test_so_does_one_amid_a_batch_or_a_tape(self):
        commands = np.zeros(9, COMMAND)
        commands["kind"], commands["value"], commands["time_ns"] = Kind.DEPOSIT, 2**63 - 1, NOW
        one, other = engine(), engine()
        with pytest.raises(OverflowError):
            one.apply(commands)
        kernel = Kernel([other])
        kernel.schedule(commands)
        with pytest.raises(OverflowError):
            kernel.run()
        assert one.broken and other.broken


class TestKernel:
    def test_takes_engines(self):
        with pytest.raises(TypeError, match="takes a list of Engine"):
            Kernel([1])

    def test_unknown_streams(self):
        kernel = Kernel([engine()])
        for door in (lambda: kernel.feed(0, rows(NOW)), lambda: kernel.finish(0)):
            with pytest.raises(IndexError, match="stream 0 is unknown"):
                door()

    def test_chunks_that_cannot_be_taken(self):
        kernel = Kernel([engine()])
        stream = kernel.add_stream(0, 0)
        with pytest.raises(ValueError, match="differ in length"):
            kernel.feed(stream, rows(NOW) | {"price": np.zeros(2, np.int64)})
        kernel.feed(stream, rows(NOW, NOW + 1))
        with pytest.raises(ValueError, match="still has rows"):
            kernel.feed(stream, rows(NOW + 2))
        assert kernel.run() == Stop.DATA
        with pytest.raises(ValueError, match="goes back in time"):
            kernel.feed(stream, rows(NOW))

    def test_commands_of_the_past_and_for_nobody(self):
        kernel = Kernel([engine()])
        kernel.run(NOW)
        late, astray = np.zeros(1, COMMAND), np.zeros(1, COMMAND)
        late["time_ns"], astray["time_ns"], astray["venue"] = NOW - 1, NOW, 1
        for commands in (late, astray):
            with pytest.raises(ValueError, match="for known venues"):
                kernel.schedule(commands)

    def test_a_message_whose_end_never_comes_is_left_when_the_stream_ends(self):
        """Its rows stand, and another stream goes on."""
        one = Engine(VENUE, [MARKET, MARKET], 4)
        kernel = Kernel([one])
        first, second = kernel.add_stream(0, 0), kernel.add_stream(0, 1)
        kernel.feed(first, rows(NOW, code=1 | 32))
        kernel.finish(first)
        kernel.feed(second, rows(NOW, NOW + 5))
        kernel.finish(second)
        assert kernel.run() == Stop.UNTIL
        assert one.book(0, 0).tolist() == [[1_000, 1]]
        assert one.market(1)["last_ticks"] == 1_000

    def test_a_watched_timer_is_told_before_the_row_after_it(self):
        """The order expires between two prints; whoever watches it hears of that first."""
        one = engine()
        one.submit(kind=Kind.DEPOSIT, account=0, value=10_000 * ONE, time_ns=NOW)
        one.submit(kind=Kind.SET_MARK, value=1_000 * MARKET["tick_value"])
        order = {"kind": Kind.PLACE, "order_id": 1, "side": Side.BUY, "size_lots": 100, "price_ticks": 999}
        assert one.submit(**order, tif=3, expire_ns=NOW + 3) == 0
        one.drain()
        kernel = Kernel([one])
        stream = kernel.add_stream(0, 0)
        kernel.watch_account(0, 0)
        kernel.watch_market(0, 0, Watch.TRADE)
        kernel.feed(stream, rows(NOW + 1, NOW + 5, price=1_005))
        kernel.finish(stream)
        woken = []
        while kernel.run() == Stop.WAKE:
            woken += [(kind, time_ns) for kind, *_, time_ns in kernel.woken]
        assert woken == [(Watch.TRADE, NOW + 1), (Watch.ACCOUNT, NOW + 3), (Watch.TRADE, NOW + 5)]
        assert (one.drain()["kind"] == EventKind.CANCELLED).sum() == 1
