"""Fees, payments, profit, the balance check, bands, order cost: adapters that ask a small engine.

An engine keeps money in 1e-8 of something; what that something is does not matter to it. `Scale` chooses it, so that
the numbers of a case are whole and fit.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import ContractKind, Engine, EventKind, Kind, Reject, Side, Tif, ValueRounding, questions
from perpsim.exchange.rules import MarketSpec, Rulebook, Tier
from perpsim.exchange.units import RATE_ONE, VALUE_ONE, exact, rate

from .registry import Inputs, NotApplicable, formula

LARGEST = 10**16  # units of the largest number of a case, so that sums and products still fit
PRICE_BITS = 30  # of a price in ticks
SEAT = 0, 1  # ids of two accounts


class Scale:
    """A power of ten by which numbers become whole units of money, none above LARGEST."""

    def __init__(self, *numbers: Any) -> None:
        values = [exact(number) for number in numbers]
        largest = max((abs(value) for value in values), default=Fraction(0))
        self.one = 10**8
        while largest * self.one > LARGEST:
            self.one //= 10
            if not self.one:
                raise NotApplicable("its numbers are larger than the engine's money")
        while any((value * self.one).denominator != 1 for value in values) and largest * self.one * 10 <= LARGEST:
            self.one *= 10
        if any((value * self.one).denominator != 1 for value in values):
            raise NotApplicable("its numbers have more digits than the engine's money")

    def units(self, number: Any) -> int:
        return int(exact(number) * self.one)

    def number(self, units: int) -> Fraction:
        return Fraction(int(units), self.one)


def market(price_max: int, tick: int = 0, **fields: Any) -> MarketSpec:
    """A linear market with lots of one base unit; `price_max` in units. Without a tick, nothing is traded in it."""
    if tick and price_max // tick >= 1 << PRICE_BITS:
        raise NotApplicable("a price has more digits than an order book has ticks")
    tick = tick or 1 + (price_max >> PRICE_BITS - 1)
    lots = max(1, min(10**6, (1 << 60) // price_max))
    fields.setdefault("tiers", (Tier(1 << 61, 0, 0, 1),))
    return MarketSpec("X", tick, 1, 1, price_max // tick, lots, size_max=lots, leverage_default=1, **fields)


def engine(spec: MarketSpec, mark: int, **rules: Any) -> Engine:
    """An engine with one market, its mark set, and two rich accounts."""
    made = Engine(Rulebook("golden", "2025-01-01", "2025-01-01", (spec,), **rules), [spec], len(SEAT), audit=0)
    must(made, kind=Kind.SET_MARK, value=mark)
    return made


def must(made: Engine, **command: Any) -> None:
    """Do a command that is not refused."""
    reason = Reject(made.submit(**command))
    if reason != Reject.NONE:
        raise ValueError(f"the engine refuses {Kind(command['kind']).name}: {reason.name}")


def order(made: Engine, account: int, side: int, lots: int, ticks: int) -> None:
    must(made, kind=Kind.PLACE, account=account, side=side, tif=Tif.GTC, size_lots=lots, price_ticks=ticks, order_id=1)


def tick_of(units: int) -> int:
    """The largest power of ten of which a price is a multiple."""
    tick = 1
    while units % (tick * 10) == 0:
        tick *= 10
    return tick


@formula("mul")
def mul(inputs: Inputs) -> dict[str, Any]:
    """A position worth `a` pays funding at the rate `b`: value times rate, at the stamp."""
    scale = Scale(inputs["a"])
    worth = scale.units(inputs["a"])
    if not worth:
        return {"value": 0}
    fine = max(1, 10**17 // abs(worth))  # payments are rounded up to a unit: take more lots, and share
    made = engine(market(4 * abs(worth)), abs(worth))
    lots = min(fine, made.setup[1][0]["position_max"])
    must(made, kind=Kind.SEED_POSITION, side=Side.BUY if worth > 0 else Side.SELL, size_lots=lots, value=abs(worth))
    must(made, kind=Kind.SET_FUNDING, value=rate(inputs["b"]), expire_ns=1)
    must(made, kind=Kind.TICK, time_ns=1)
    events = made.drain()
    paid = events[(events["kind"] == EventKind.FUNDING_PAYMENT) & (events["account"] == 0)]["value"].astype(object)
    return {"value": -scale.number(paid.sum()) / lots}


@formula("fee")
def fee(inputs: Inputs) -> dict[str, Any]:
    """The fee on a trade of notional `n` at the rate `r`: the taker's, or the maker's where it is a rebate."""
    scale, charged = Scale(inputs["n"]), rate(inputs["r"])
    notional = scale.units(inputs["n"])
    spec = market(2 * notional, tick_of(notional), taker_fee=max(0, charged), maker_fee=min(0, charged))
    made = engine(spec, notional)
    for account in SEAT:
        must(made, kind=Kind.DEPOSIT, account=account, value=1 << 60)
    for account, side in zip(SEAT, (Side.SELL, Side.BUY), strict=True):
        order(made, account, side, 1, notional // spec.tick_value)
    trade = made.drain()
    trade = trade[trade["kind"] == EventKind.TRADE][0]
    return {"fee": scale.number(trade["fee"] if charged >= 0 else trade["value"])}


@formula("ups")
def ups(inputs: Inputs) -> dict[str, Any]:
    """Profit at the last price, margin of a position that is paid in full, and what is left for orders."""
    numbers = [inputs[key] for key in ("Q", "last", "entry", "bal")]
    if exact(numbers[0]).denominator != 1 or not numbers[0]:
        raise NotApplicable("Q is not a number of contracts")
    lots, side = abs(int(numbers[0])), Side.BUY if numbers[0] > 0 else Side.SELL
    scale = Scale(*numbers[1:], exact(numbers[1]) * lots, exact(numbers[2]) * lots)
    last, entry, balance = (scale.units(number) for number in numbers[1:])
    made = engine(market(2 * max(last, entry)), last)
    must(made, kind=Kind.DEPOSIT, value=balance)
    must(made, kind=Kind.SEED_POSITION, side=side, size_lots=lots, value=entry)
    row, account = made.positions()[-1], made.accounts()[0]
    left = questions.available_of(made, 0, 0)
    return {
        "upnl": scale.number(row["pnl"]), "margin_balance": scale.number(account["equity"]),
        "position_margin": scale.number(int(account["equity"]) - left), "available": scale.number(left),
    }  # fmt: skip


@formula("liq_check")
def liq_check(inputs: Inputs) -> dict[str, Any]:
    """An account with this balance, profit and maintenance at a mark: its margin balance, and whether it goes."""
    needed, balance, profit = (exact(inputs[key]) for key in ("TMM", "WB", "UPNL"))
    shift = next(power for power in range(1, 9) if needed * 10**power > abs(profit) or not needed)
    worth = needed * 10**shift if needed else abs(profit) + 1
    scale = Scale(worth, balance, profit)
    mark, gain = scale.units(worth), scale.units(profit)
    tier = Tier(1 << 61, RATE_ONE // 10**shift if needed else 0, 0, 1)
    made = engine(market(4 * (mark + abs(gain)), tiers=(tier,)), mark)
    if balance > 0:
        must(made, kind=Kind.DEPOSIT, value=scale.units(balance))
    must(made, kind=Kind.SEED_POSITION, side=Side.BUY, size_lots=1, value=mark - gain)
    equity = scale.number(made.accounts()[0]["equity"])
    must(made, kind=Kind.SET_MARK, value=mark)
    started = (made.drain()["kind"] == EventKind.LIQUIDATION_STARTED).any()
    return {"margin_balance": equity, "liquidate": bool(started)}


@formula("bitmex_cost", spare=True)
def bitmex_cost(inputs: Inputs) -> dict[str, Any]:
    """A trade in an inverse contract whose every lot is rounded: its cost in 1e-8 coin, and the commission on it."""
    price, lots, charged = round(exact(inputs["px"]) * VALUE_ONE), int(inputs["Q"]), rate(inputs["fee"])
    tick = tick_of(price)
    spec = MarketSpec(
        "X", tick, 1, 1, 4 * price // tick, lots, (Tier(1 << 61, 0, 0, 1),), size_max=lots, leverage_default=1,
        contract_kind=ContractKind.INVERSE, value_rounding=ValueRounding.PER_LOT, price_min=max(1, price // tick // 4),
        taker_fee=max(0, charged), maker_fee=min(0, charged),
    )  # fmt: skip
    made = engine(spec, price)
    for account, side in zip(SEAT, (Side.SELL, Side.BUY), strict=True):
        must(made, kind=Kind.DEPOSIT, account=account, value=1 << 58)
        order(made, account, side, lots, price // tick)
    trade = made.drain()
    trade = trade[trade["kind"] == EventKind.TRADE][0]
    cost = next(abs(int(row["cost"])) for row in made.positions() if row["account"] == SEAT[1])
    return {"execCost_sat": cost, "execComm_sat": int(trade["fee"] if charged >= 0 else trade["value"])}


@formula("deribit_band")
def deribit_band(inputs: Inputs) -> dict[str, Any]:
    """The highest bid and the lowest ask that a book takes: one tick further is refused."""
    scale = Scale(inputs["tk"], inputs["mark"])
    mark, tick, width = scale.units(inputs["mark"]), scale.units(inputs["tk"]), rate(inputs["band"])
    bands = {"band_up": RATE_ONE + width, "band_down": RATE_ONE - width, "band_outward": 1}
    made = engine(market(2 * (mark + mark * width // RATE_ONE), tick, **bands), mark)
    must(made, kind=Kind.DEPOSIT, value=1 << 61)
    ends = {}
    for side, last in ((Side.BUY, made.setup[1][0]["price_max"]), (Side.SELL, 1)):
        taken, refused = mark // tick, last
        while abs(refused - taken) > 1:
            middle = (taken + refused) // 2
            place = {"kind": Kind.PLACE, "side": side, "order_id": 1, "size_lots": 1, "price_ticks": middle}
            if made.submit(**place) == Reject.PRICE_BAND:
                refused = middle
            else:
                must(made, kind=Kind.CANCEL, order_id=1)
                taken = middle
        ends[side] = scale.number(taken * tick)
    return {"max_price": ends[Side.BUY], "min_price": ends[Side.SELL]}


@formula("exchange_core_partial")
def exchange_core_partial(inputs: Inputs) -> dict[str, Any]:
    """Sell a part of a position. The other engine keeps realised profit in its sum of prices until the position is
    closed: that sum is our cost less what was realised."""
    long, sold = int(inputs["long"]), int(inputs["sell"])
    scale = Scale(inputs["entry"], inputs["at"])
    entry, at = scale.units(inputs["entry"]), scale.units(inputs["at"])
    tick = tick_of(at)
    made = engine(market(2 * max(entry, at) // tick * tick, tick), at)
    for account in SEAT:
        must(made, kind=Kind.DEPOSIT, account=account, value=1 << 58)
    must(made, kind=Kind.SEED_POSITION, account=0, side=Side.BUY, size_lots=long, value=entry)
    order(made, 1, Side.BUY, sold, at // tick)
    order(made, 0, Side.SELL, sold, at // tick)
    row = next(row for row in made.positions() if row["account"] == 0)
    realised = int(made.accounts()[0]["realised"])
    profit = scale.number(int(row["pnl"]) + realised)
    return {
        "open_volume": int(row["lots"]), "open_price_sum": scale.number(int(row["cost"]) - realised),
        f"estimated_profit_at_{inputs['at']}": profit,
    }  # fmt: skip


@formula("exchange_core_margin")
def exchange_core_margin(inputs: Inputs) -> dict[str, Any]:
    """What a position binds with orders of one side, each side with its own margin a contract; the larger of them.

    An order that only reduces binds nothing there, so the side opposite to the position has what goes beyond it.
    """
    position = int(inputs["position"])
    pending = int(inputs["pending_buy"]), int(inputs["pending_sell"])
    margins = inputs["margin_buy"], inputs["margin_sell"]
    scale = Scale(*margins)
    needed = []
    for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
        held = max(0, sign * position)
        lots = max(0, pending[side] + min(0, sign * position))
        price = scale.units(margins[side])
        if not price or not held + lots:
            continue
        tick = tick_of(price)
        made = engine(market(2 * price, tick), price)
        must(made, kind=Kind.DEPOSIT, value=1 << 58)
        must(made, kind=Kind.SET_LEVERAGE, value=1)
        if held:
            must(made, kind=Kind.SEED_POSITION, side=side, size_lots=held, value=price)
        if lots:
            order(made, 0, side, lots, price // tick)
        needed.append((1 << 58) - questions.available_of(made, 0, 0))
    return {"required": scale.number(max(needed, default=0))}
