"""What a trader asks before a trade, answered by the engine that would do it.

An `Account` is an account of one venue with the positions that it is supposed to have. It sets up a small engine with
the venue's rules, its markets and those positions, and asks that engine: no formula is written here a second time, so
an answer holds for whatever contract, tier method and margin rule the rulebook names.

    book = rulebook("binance-usdm", "2025-10-10")
    account = Account(book, balance="1000").hold("BTCUSDT", "long", "0.1", "60000")
    account.liquidation_price("BTCUSDT")

Prices are in the quote, sizes in base units (of inverse contracts in the quote), money in the settlement asset, rates
as fractions. Numbers come in as text, int, Decimal or float (by its shortest text) and must lie on the market's grid;
answers are exact Decimals. What cannot be asked raises ValueError with a sentence; a market that the rulebook does not
have, KeyError. Nobody else trades in that engine: an answer is about the account, not about the market.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from perpsim.core import Engine, EventKind, Kind, MarginMode, PositionSide, Reject, Side, Tif, questions

from .rules import MarketSpec, Rulebook, Tier
from .units import VALUE_ONE, Number, exact, money, on_grid, rate

ACCOUNT = 0  # its id in the engine
EIGHT_HOURS_NS = 8 * 3600 * 10**9
LEVERAGE_ANY = 0xFFFF  # what a position's margin may be when the margin is given, not the leverage
SIDES = {"long": Side.BUY, "buy": Side.BUY, "short": Side.SELL, "sell": Side.SELL}
MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}


@dataclasses.dataclass(frozen=True)
class Holding:
    """One position as it is supposed: integers in the core's units; `margin` of an isolated one, -1: by leverage."""

    market: str
    side: Side
    lots: int
    entry: int
    mark: int
    leverage: int
    mode: MarginMode
    margin: int


class Account:
    """One account with its positions, on an engine of its own.

    `balance` is the wallet balance in the asset of the first position: deposits and realised profit, without what is in
    isolated positions and without unrealised profit. With `hedge` the account is in hedge mode: a market may be held
    long and short, and questions name a leg, as in "BTCUSDT:long".
    """

    def __init__(self, book: Rulebook, *, balance: Number = 0, hedge: bool = False) -> None:
        self.book, self.hedge = book, hedge
        self.balance = money(balance, "balance")
        self.holdings: dict[str, Holding] = {}
        self._engine: Engine | None = None

    def hold(
        self, market: str, side: str, size: Number, entry: Number, *, mark: Number | None = None,
        leverage: int | None = None, mode: str = "cross", margin: Number | None = None,
    ) -> Account:  # fmt: skip
        """Suppose a position; returns the account. Without a mark, it is the entry price.

        An isolated position has the margin that is given, or its initial margin at the leverage.
        """
        spec = self.book.market(market)
        name = f"{market}:{'long' if _named(SIDES, side, 'side') == Side.BUY else 'short'}" if self.hedge else market
        if name in self.holdings:
            raise ValueError(f"there is a position in {name} already")
        if margin is not None and _named(MODES, mode, "margin mode") != MarginMode.ISOLATED:
            raise ValueError("margin is of an isolated position; a cross position has the balance")
        first = _price(spec, entry, "entry")
        at = first if mark is None else _price(spec, mark, "mark")
        choice = default_leverage(spec) if leverage is None else _whole(leverage)
        shared = at, choice, _named(MODES, mode, "margin mode")
        for held in self.holdings.values():
            if held.market == market and (held.mark, held.leverage, held.mode) != shared:
                raise ValueError(f"both legs of {market} have one mark, one leverage and one margin mode")
        lots = on_grid(size, _size_step(spec), "size")
        if not 0 < lots <= spec.position_max:
            raise ValueError(f"size {size} is not above 0, or more than {market} can hold")
        self.holdings[name] = Holding(
            market, _named(SIDES, side, "side"), lots, first, *shared,
            -1 if margin is None else money(margin, "margin"),
        )  # fmt: skip
        self._engine = None
        return self

    # ---- the engine ----------------------------------------------------------------------------------------------

    def specs(self) -> list[MarketSpec]:
        """The markets as the engine has them: those held, with nothing running by itself."""
        own = {held.market for held in self.holdings.values() if held.margin >= 0}
        return [_still(self.book.market(name), name in own) for name in self._markets()]

    def _markets(self) -> list[str]:
        return list(dict.fromkeys(held.market for held in self.holdings.values()))

    def engine(self) -> Engine:
        """The engine with the positions in it, made when it is first asked for."""
        if self._engine is None:
            if not self.holdings:
                raise ValueError("there is no position to ask about")
            specs = self.specs()
            asset = specs[0].asset
            if any(self.book.market(held.market).asset != asset for held in self.holdings.values()):
                raise ValueError("the positions are settled in different assets; ask about one asset at a time")
            engine = Engine(self.book, specs, 1, audit=0, assets=1 + max(spec.asset for spec in specs))
            for name, held in self.holdings.items():
                _do(engine, "mark", kind=Kind.SET_MARK, market=self.number(name), value=held.mark)
            if self.hedge:
                _do(engine, "hedge mode", kind=Kind.SET_POSITION_MODE, account=ACCOUNT, aux=1)
            for number, spec in enumerate(specs):
                _choose(engine, number, [held for held in self.holdings.values() if held.market == spec.symbol])
            for mode in (MarginMode.ISOLATED, MarginMode.CROSS):  # a loss of cross positions would bind the balance
                for name, held in self.holdings.items():
                    if held.mode == mode:
                        _seed(engine, self.number(name), held, self.leg(name), asset)
                if mode == MarginMode.ISOLATED:
                    _settle_balance(engine, self.balance, asset)
            self._engine = engine
        return self._engine

    def number(self, market: str) -> int:
        """The market's number in the engine."""
        return self._markets().index(self._held(market).market)

    def leg(self, market: str) -> PositionSide:
        """Which of an account's positions in a market it is."""
        if not self.hedge:
            return PositionSide.BOTH
        return PositionSide.LONG if self._held(market).side == Side.BUY else PositionSide.SHORT

    def _row(self, market: str) -> Any:
        rows = self.engine().positions()
        own = (rows["account"] == ACCOUNT) & (rows["market"] == self.number(market))
        return rows[own & (rows["position_side"] == self.leg(market))][0]

    # ---- questions -----------------------------------------------------------------------------------------------

    def liquidation_price(self, market: str) -> Decimal | None:
        """The last mark at which the position's risk unit is not liquidated, to 1e-8; None if no mark does it.

        Other marks stay. A unit that is below its maintenance already has the nearest mark at which it is not.
        Definition: health = equity - maintenance (core/margin.pxd), liquidated below 0.
        """
        return self._last(market, lambda value, equity, maintenance: equity >= maintenance)

    def bankruptcy_price(self, market: str) -> Decimal | None:
        """The last mark at which the unit's equity is not negative, to 1e-8; None if it never is. Other marks stay."""
        return self._last(market, lambda value, equity, maintenance: equity >= 0)

    def maintenance_margin(self, market: str) -> Decimal:
        """Maintenance of the position's risk unit at the mark: an isolated position's own, or of all cross ones."""
        return _money(self.at(market, self._held(market).mark)[2])

    def equity(self, market: str) -> Decimal:
        """Equity of the position's risk unit at the mark: margin, or balance, and unrealised profit."""
        return _money(self.at(market, self._held(market).mark)[1])

    def value(self, market: str) -> Decimal:
        """Value of the position at the mark, without a sign."""
        return _money(abs(self.at(market, self._held(market).mark)[0]))

    def mark(self, market: str) -> Decimal:
        """The mark that is supposed."""
        return _money(self._held(market).mark)

    def entry(self, market: str) -> Decimal:
        """The entry price that is supposed."""
        return _money(self._held(market).entry)

    def size(self, market: str) -> Decimal:
        """The size that is supposed, without a sign."""
        return _decimal(self._held(market).lots * _size_step(self._spec(market)))

    def unrealised(self, market: str) -> Decimal:
        """Unrealised profit of the position at the mark."""
        return _money(int(self._row(market)["pnl"]))

    def margin(self, market: str) -> Decimal:
        """What stands in an isolated position; 0 for a cross one."""
        return _money(int(self._row(market)["isolated_margin"]))

    def initial_margin(self, market: str) -> Decimal:
        """Initial margin: of an isolated position what it holds, of a cross one what it binds of the balance."""
        if self._held(market).mode == MarginMode.ISOLATED:
            return self.margin(market)
        alone = Account(self.book, hedge=self.hedge)
        alone.holdings[market] = self.holdings[market]
        engine = alone.engine()
        left = questions.available_of(engine, ACCOUNT, 0, alone.leg(market))
        return _money(int(alone._row(market)["pnl"]) - left)

    def available(self, market: str) -> Decimal:
        """What new orders may use in the asset in which a market is settled."""
        return _money(questions.available_of(self.engine(), ACCOUNT, self.number(market), self.leg(market)))

    def funding_payment(self, market: str, funding_rate: Number) -> Decimal:
        """What the position pays at a funding stamp at a rate; negative: what it gets. Accruing: in 8 h."""
        engine = Engine.restore(self.engine().snapshot(), audit=0)
        number = self.number(market)
        due = engine.time_ns + (EIGHT_HOURS_NS if self._spec(market).funding_continuous else 1)
        _do(engine, "index", kind=Kind.SET_INDEX, market=number, value=self._held(market).mark)
        _do(engine, "funding rate", kind=Kind.SET_FUNDING, market=number, value=rate(funding_rate), expire_ns=due)
        engine.drain()
        _do(engine, "time", kind=Kind.TICK, time_ns=due)
        events = engine.drain()
        paid = events[(events["kind"] == EventKind.FUNDING_PAYMENT) & (events["account"] == ACCOUNT)]
        return _money(-int(paid["value"].sum()))

    def tier(self, market: str, mark: Number | None = None) -> Tier:
        """The tier in which the position's value lies, at its mark or another."""
        at = self._held(market).mark if mark is None else _price(self._spec(market), mark, "mark")
        value, number = abs(self.at(market, at)[0]), self.number(market)
        return self._spec(market).tiers[questions.tier_at(self.engine(), number, value)]

    def adl_score(self, market: str) -> int:
        """Score of the position in the venue's ADL queue; the higher, the sooner it is taken. Units: adl_scores.pxd."""
        longs = self._held(market).side == Side.BUY
        return questions.adl_queue(self.engine(), self.number(market), longs)[0][2]

    def at(self, market: str, mark: int) -> tuple[int, int, int]:
        """Value of the position, equity and maintenance of its unit at a mark; integers in 1e-8."""
        return questions.unit_at(self.engine(), ACCOUNT, self.number(market), mark, self.leg(market))

    def _held(self, market: str) -> Holding:
        if market not in self.holdings:
            self.book.market(market.split(":")[0] if self.hedge else market)
            raise ValueError(f"there is no position in {market}")
        return self.holdings[market]

    def _spec(self, market: str) -> MarketSpec:
        return self.book.market(self._held(market).market)

    # ---- searching -----------------------------------------------------------------------------------------------

    def _last(self, market: str, safe: Callable[[int, int, int], bool]) -> Decimal | None:
        held, spec = self._held(market), self._spec(market)
        direction = -1 if held.side == Side.BUY else 1
        ends = _lowest(spec), spec.price_max * spec.tick_value
        fits = _memo(lambda mark: safe(*self.at(market, mark)))
        if not fits(held.mark):
            better = self._stops(market, held.mark, ends[direction < 0])
            mark = _first(fits, better)
        else:
            worse = self._stops(market, held.mark, ends[direction > 0])
            mark = _first(lambda mark: not fits(mark), worse)
            mark = None if mark is None else mark - direction
        return None if mark is None else _money(mark)

    def _stops(self, market: str, start: int, end: int) -> list[int]:
        """Marks from `start` to `end` between which the position stays in one tier: health is monotone there."""
        step = 1 if end > start else -1
        size = _memo(lambda mark: abs(self.at(market, mark)[0]))
        stops = {start, end}
        for tier in self._spec(market).tiers:
            cap = tier.cap
            if min(size(start), size(end)) <= cap < max(size(start), size(end)):
                edge = _bisect(lambda mark, cap=cap: (size(mark) > cap) != (size(start) > cap), start, end)
                stops |= {edge, edge - step}
        return sorted(stops, reverse=step < 0)


def _first(wanted: Callable[[int], bool], stops: list[int]) -> int | None:
    """The first mark from stop to stop with what is wanted, which turns once at most between two of them."""
    for start, end in itertools.pairwise(stops):
        if wanted(start):
            return start
        if wanted(end):
            return _bisect(wanted, start, end)
    return stops[-1] if wanted(stops[-1]) else None


def _bisect(wanted: Callable[[int], bool], start: int, end: int) -> int:
    """Where it turns on the way from `start`, where it is not, to `end`, where it is."""
    while abs(end - start) > 1:
        middle = (start + end) // 2
        start, end = (start, middle) if wanted(middle) else (middle, end)
    return end


def _memo(function: Callable[[int], Any]) -> Callable[[int], Any]:
    known: dict[int, Any] = {}

    def ask(mark: int) -> Any:
        if mark not in known:
            known[mark] = function(mark)
        return known[mark]

    return ask


# ---- orders --------------------------------------------------------------------------------------------------------


def largest_size(
    book: Rulebook, market: str, *, side: str, price: Number, balance: Number, leverage: int,
    mark: Number | None = None,
) -> tuple[Decimal, Reject]:  # fmt: skip
    """The largest limit order that an account without positions can place, and why one lot more is refused.

    0 if not even one lot is taken. The order rests: the venue's admission decides, with its fee reserve, bands, tiers.
    """
    spec = book.market(market)
    engine = _desk(book, spec, balance, leverage, price if mark is None else mark)
    ticks = on_grid(price, spec.tick, "price")

    def refusal(lots: int) -> Reject:
        reason = Reject(_order(engine, side, lots, ticks))
        if reason == Reject.NONE:
            _do(engine, "cancel", kind=Kind.CANCEL, account=ACCOUNT, order_id=1)
        return reason

    smallest = _smallest(refusal, spec)
    if smallest is None:
        return Decimal(0), refusal(1)
    if refusal(spec.size_max) == Reject.NONE:
        return _decimal(spec.size_max * _size_step(spec)), refusal(spec.size_max + 1)
    lots = _bisect(lambda lots: refusal(lots) != Reject.NONE, smallest, spec.size_max) - 1
    return _decimal(lots * _size_step(spec)), refusal(lots + 1)


def _smallest(refusal: Callable[[int], Reject], spec: MarketSpec) -> int | None:
    """The smallest size that is taken: below it an order is refused as too small. None if none is."""
    if refusal(1) != Reject.MIN_NOTIONAL:
        return 1 if refusal(1) == Reject.NONE else None
    if refusal(spec.size_max) == Reject.MIN_NOTIONAL:
        return None
    lots = _bisect(lambda lots: refusal(lots) != Reject.MIN_NOTIONAL, 1, spec.size_max)
    return lots if refusal(lots) == Reject.NONE else None


def order_cost(
    book: Rulebook, market: str, *, side: str, size: Number, price: Number, leverage: int, mark: Number | None = None
) -> Decimal:
    """What a limit order of an account without positions binds: initial margin, open loss and fee reserve."""
    spec = book.market(market)
    engine = _desk(book, spec, Fraction(1 << 59, VALUE_ONE), leverage, price if mark is None else mark)
    before = questions.available_of(engine, ACCOUNT, 0)
    lots, ticks = on_grid(size, _size_step(spec), "size"), on_grid(price, spec.tick, "price")
    reason = Reject(_order(engine, side, lots, ticks))
    if reason != Reject.NONE:
        raise ValueError(f"the venue refuses the order: {reason.name}")
    return _money(before - questions.available_of(engine, ACCOUNT, 0))


def _desk(book: Rulebook, spec: MarketSpec, balance: Number, leverage: int, mark: Number) -> Engine:
    """An engine with one account that has money and no position."""
    engine = Engine(book, [_still(spec)], 1, audit=0, assets=1 + spec.asset)
    _do(engine, "mark", kind=Kind.SET_MARK, value=_price(spec, mark, "mark"))
    _do(engine, "leverage", kind=Kind.SET_LEVERAGE, account=ACCOUNT, value=_whole(leverage))
    if exact(balance, "balance"):
        _do(engine, "balance", kind=Kind.DEPOSIT, account=ACCOUNT, asset=spec.asset, value=money(balance, "balance"))
    return engine


def _order(engine: Engine, side: str, lots: int, ticks: int) -> int:
    return engine.submit(
        kind=Kind.PLACE, account=ACCOUNT, order_id=1, side=_named(SIDES, side, "side"), tif=Tif.GTC, size_lots=lots,
        price_ticks=ticks,
    )  # fmt: skip


def default_leverage(spec: MarketSpec) -> int:
    """The leverage of who has not chosen one."""
    return min(spec.leverage_default, spec.tiers[0].leverage_max)


# ---- setting up ----------------------------------------------------------------------------------------------------


def _still(spec: MarketSpec, any_leverage: bool = False) -> MarketSpec:
    """A market in which no timer runs. With `any_leverage` a position's margin may be as small as one likes."""
    still = dataclasses.replace(spec, mark_period_ns=0, premium_period_ns=0, funding_interval_ns=0)
    if any_leverage:
        tiers = tuple(dataclasses.replace(tier, leverage_max=LEVERAGE_ANY) for tier in spec.tiers)
        still = dataclasses.replace(still, tiers=tiers)
    return still


def _choose(engine: Engine, number: int, legs: list[Holding]) -> None:
    """Margin mode and leverage of the account in a market."""
    held = legs[0]
    leverage = LEVERAGE_ANY if any(leg.margin >= 0 for leg in legs) else held.leverage
    if held.mode == MarginMode.ISOLATED:
        _do(engine, "margin mode", kind=Kind.SET_MARGIN_MODE, account=ACCOUNT, market=number, aux=int(held.mode))
    _do(engine, f"leverage {leverage}", kind=Kind.SET_LEVERAGE, account=ACCOUNT, market=number, value=leverage)


def _seed(engine: Engine, number: int, held: Holding, leg: PositionSide, asset: int) -> None:
    """Give the account the position, and an isolated one its margin."""
    where = {"account": ACCOUNT, "market": number, "position_side": leg}
    if held.mode == MarginMode.ISOLATED:
        _do(engine, "balance", kind=Kind.DEPOSIT, account=ACCOUNT, asset=asset, value=1 << 59)
    position = {"kind": Kind.SEED_POSITION, "side": held.side, "size_lots": held.lots, "value": held.entry, **where}
    _do(engine, "position", **position)
    rows = engine.positions()
    row = rows[(rows["account"] == ACCOUNT) & (rows["market"] == number) & (rows["position_side"] == leg)][0]
    if held.margin < 0 or held.margin == row["isolated_margin"]:
        return
    more = held.margin - int(row["isolated_margin"])
    if more < 0:
        raise ValueError(f"margin is below a {LEVERAGE_ANY}th of the position")
    _do(engine, "margin", kind=Kind.MOVE_MARGIN, value=more, **where)


def _settle_balance(engine: Engine, balance: int, asset: int) -> None:
    """Bring the wallet to the balance that is supposed."""
    rows = engine.accounts()
    there = int(rows["balance"][(rows["account"] == ACCOUNT) & (rows["asset"] == asset)][0])
    if there < balance:
        _do(engine, "balance", kind=Kind.DEPOSIT, account=ACCOUNT, asset=asset, value=balance - there)
    elif there > balance:
        _do(engine, "balance", kind=Kind.WITHDRAW, account=ACCOUNT, asset=asset, value=there - balance)


def _do(engine: Engine, what: str, **command: Any) -> None:
    reason = Reject(engine.submit(**command))
    if reason != Reject.NONE:
        raise ValueError(f"the venue refuses the {what}: {reason.name}")


def _size_step(spec: MarketSpec) -> Fraction:
    return spec.lot


def _price(spec: MarketSpec, price: Number, what: str) -> int:
    value = money(price, what)
    if not _lowest(spec) <= value <= spec.price_max * spec.tick_value:
        raise ValueError(f"{what} {price} is lower or higher than {spec.symbol} can have")
    return value


def _lowest(spec: MarketSpec) -> int:
    """The lowest mark, 1e-8 of the quote."""
    return spec.price_min * spec.tick_value if spec.inverse else 1


def _whole(leverage: int) -> int:
    if isinstance(leverage, bool) or not isinstance(leverage, int) or not 1 <= leverage <= LEVERAGE_ANY:
        raise ValueError(f"leverage {leverage!r} is not a whole number of 1 or more")
    return leverage


def _named(members: dict[str, Any], name: str, what: str) -> Any:
    if name not in members:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(members)}")
    return members[name]


def _money(units: int) -> Decimal:
    """1e-8 units as they are."""
    return Decimal(units).scaleb(-8)


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)
