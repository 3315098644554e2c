"""Tiers, margins, profit and liquidation prices: adapters that ask the calculator about an account."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from perpsim.core import ContractKind, Engine, MaintenanceValue, TierMethod, questions
from perpsim.exchange.calculator import Account, order_cost
from perpsim.exchange.rules import MarketSpec, Rulebook, Tier, parse_tiers
from perpsim.exchange.units import RATE_ONE, VALUE_ONE, exact, rate

from .registry import Inputs, NotApplicable, formula

LARGEST = 10**17  # units of the largest amount of a case
PRICE_BITS = 30
SIZE_DIGITS = 9
TOP = 1 << 61
HALF = Fraction(1, 2)


class Fine:
    """The finest power of ten in which the amounts of a case fit the engine; what has no end is rounded to it."""

    def __init__(self, *amounts: Any) -> None:
        largest = max(abs(exact(amount)) for amount in amounts)
        self.shift = 0
        while largest * VALUE_ONE * 10 ** (self.shift + 1) <= LARGEST and self.shift < 8:
            self.shift += 1
        while largest * VALUE_ONE * Fraction(10) ** self.shift > LARGEST:
            self.shift -= 1

    def amount(self, number: Any) -> Decimal:
        """Money or a price as the calculator is told it."""
        return Decimal(self.units(number)).scaleb(-8)

    def units(self, number: Any) -> int:
        return round(exact(number) * VALUE_ONE * Fraction(10) ** self.shift)

    def number(self, amount: Decimal) -> Fraction:
        """What the calculator answers, as the case counts it."""
        return Fraction(amount) / Fraction(10) ** self.shift


def size_of(number: Any) -> tuple[int, int]:
    """A size as (lots, lots of one unit)."""
    digits = Decimal(str(number)).normalize().as_tuple().exponent
    one = 10 ** min(max(0, -digits), SIZE_DIGITS)
    return round(exact(number) * one), one


def market(symbol: str, price_max: int, lots: int, one: int, tiers: tuple[Tier, ...], **fields: Any) -> MarketSpec:
    """A market for a position of so many lots at prices up to `price_max` units."""
    tick = one
    while price_max // tick >= 1 << PRICE_BITS:
        tick *= 2
    most = min(max(lots, 1), (1 << 38) - 1)
    return MarketSpec(
        symbol, tick, 1, one, -(-price_max // tick), most, tiers, size_max=most, leverage_default=1, **fields
    )


def coin_market(price_min: int, price_max: int, lots: int, tiers: tuple[Tier, ...], **fields: Any) -> MarketSpec:
    """An inverse market with lots of one unit of the quote, for prices between two, in units."""
    tick = 1
    while price_max // tick >= 1 << PRICE_BITS:
        tick *= 2
    most = min(max(lots, 1), (1 << 38) - 1)
    return MarketSpec(
        "X", tick, 1, 1, -(-price_max // tick), most, tiers, size_max=most, price_min=max(1, price_min // tick),
        contract_kind=ContractKind.INVERSE, **({"leverage_default": 1} | fields),
    )  # fmt: skip


def rulebook(*markets: MarketSpec) -> Rulebook:
    return Rulebook("golden", "2025-01-01", "2025-01-01", markets)


def tiers_with(maintenance: int, deduction: int) -> tuple[Tier, ...]:
    """Tiers of which the last has this rate and, exactly, this deduction; the one before ends as low as it can."""
    if not deduction:
        return (Tier(TOP, maintenance, 0, 1),)
    steps = [maintenance] + [digit * 10**power for power in range(9, -1, -1) for digit in (5, 2, 1)]
    for step in steps:
        if step <= maintenance and deduction * RATE_ONE % step == 0:
            return Tier(deduction * RATE_ONE // step, maintenance - step, 0, 1), Tier(TOP, maintenance, deduction, 1)
    raise NotApplicable("no tiers of the engine end in this deduction")


def side_of(inputs: Inputs) -> str:
    return "long" if inputs["side"] > 0 else "short"


@formula("bn_liq", spare=True)
def bn_liq(inputs: Inputs) -> dict[str, Any]:
    """A position and, in one market, whatever the other contracts add: the mark at which the account goes."""
    lots, one = size_of(inputs["q"])
    worth = exact(inputs["q"]) * exact(inputs["EP"])
    needed, profit = exact(inputs.get("TMM", 0)), exact(inputs.get("UPNL", 0))
    fine = Fine(inputs["WB"], worth * 4, exact(inputs["EP"]) * 4, needed * 10, abs(profit) * 3)
    entry = fine.units(inputs["EP"])
    tiers = tiers_with(rate(inputs["MMR"]), fine.units(inputs.get("cum", 0)))
    markets = [market("X", 4 * entry, lots, one, tiers)]
    if needed or profit:
        mark = max(10 * fine.units(needed), 2 * abs(fine.units(profit)))
        share = Fraction(fine.units(needed), mark)
        if (share * RATE_ONE).denominator != 1:
            mark = 10 * fine.units(needed) * 10 ** max(0, len(str(abs(fine.units(profit)) // fine.units(needed))))
        held = Tier(TOP, fine.units(needed) * RATE_ONE // mark, 0, 1)
        markets.append(market("others", 4 * mark, 1, 1, (held,)))
    account = Account(rulebook(*markets), balance=fine.amount(inputs["WB"]))
    account.hold("X", side_of(inputs), exact(inputs["q"]), fine.amount(inputs["EP"]))
    if needed or profit:
        at = Decimal(mark).scaleb(-8)
        account.hold("others", "long", 1, at - Decimal(fine.units(profit)).scaleb(-8), mark=at)
    price = account.liquidation_price("X")
    in_last_tier(account, price)
    return {"liq_price": None if price is None else fine.number(price)}


@formula("mm_linear", spare=True)
def mm_linear(inputs: Inputs) -> dict[str, Any]:
    """Maintenance of a position by its notional, its tier's rate and deduction."""
    fine = Fine(inputs["notional"])
    tiers = tiers_with(rate(inputs["MMR"]), fine.units(inputs["cum"]))
    worth = fine.units(inputs["notional"])
    account = holding(worth, tiers)
    in_last_tier(account, None)
    return {"maintenance_margin": fine.number(account.maintenance_margin("X"))}


def in_last_tier(account: Account, price: Decimal | None) -> None:
    """The tier before the one of the case must be left by then."""
    if account.tier("X", price) != account.book.market("X").tiers[-1]:
        raise NotApplicable("no tiers of the engine come to this deduction so early")


def holding(worth: int, tiers: tuple[Tier, ...]) -> Account:
    """An account with one lot that is worth so many units."""
    amount = Decimal(worth).scaleb(-8)
    return Account(rulebook(market("X", 2 * worth, 1, 1, tiers)), balance=amount).hold("X", "long", 1, amount)


@formula("tier_cum", spare=True)
def tier_cum(inputs: Inputs) -> dict[str, Any]:
    """The deductions that continue the tiers."""
    return {"cum": [Fraction(tier.deduction, VALUE_ONE) for tier in tiers_of(inputs["floors"], inputs["mmrs"])]}


def tiers_of(floors: list[Any], rates: list[Any]) -> tuple[Tier, ...]:
    return parse_tiers([[cap, m, 1] for cap, m in zip([*floors[1:], 10**10], rates, strict=True)])


@formula("lookup", spare=True)
def lookup(inputs: Inputs) -> dict[str, Any]:
    """The tier in which a notional lies."""
    tiers = parse_tiers([[cap, m, 1] for cap, m in zip(inputs["caps"], inputs["mmrs"], strict=True)])
    account = holding(int(exact(inputs["notional"]) * VALUE_ONE), tiers)
    tier = account.tier("X")
    return {"MMR": Fraction(tier.rate, RATE_ONE), "cum": Fraction(tier.deduction, VALUE_ONE)}


@formula("coinm_chain", spare=True)
def coinm_chain(inputs: Inputs) -> dict[str, Any]:
    """Deductions from the fourth level on, whose own is given."""
    before = tiers_with(rate(inputs["mmrs"][0]), int(exact(inputs["c4"]) * VALUE_ONE))
    floors = [0, *([Fraction(before[0].cap, VALUE_ONE)] if len(before) > 1 else []), *inputs["floors"]]
    rates = [*([Fraction(before[0].rate, RATE_ONE)] if len(before) > 1 else []), *inputs["mmrs"]]
    tiers = tiers_of(floors, rates)[len(before) - 1 :]
    return {f"L{number}": Fraction(tier.deduction, VALUE_ONE) for number, tier in enumerate(tiers, 4)}


@formula("upnl_linear", spare=True)
def upnl_linear(inputs: Inputs) -> dict[str, Any]:
    """Unrealised profit of a linear position at a mark."""
    lots, one = size_of(inputs["q"])
    fine = Fine(*(exact(inputs[key]) * max(1, exact(inputs["q"])) for key in ("EP", "mark")))
    highest = max(fine.units(inputs["EP"]), fine.units(inputs["mark"]))
    book = rulebook(market("X", 2 * highest, lots, one, (Tier(TOP, 0, 0, 1),)))
    prices = {"entry": fine.amount(inputs["EP"]), "mark": fine.amount(inputs["mark"])}
    account = Account(book).hold("X", side_of(inputs), exact(inputs["q"]), **prices)
    return {"upnl": fine.number(account.unrealised("X"))}


@formula("hl_margin_tier", spare=True)
def hl_margin_tier(inputs: Inputs) -> dict[str, Any]:
    """Maintenance where each tier's rate is half of one over its leverage."""
    rows = inputs["tiers_lower_bound_maxlev"]
    rates = [Fraction(round(Fraction(RATE_ONE, 2 * gear)), RATE_ONE) for _, gear in rows]
    tiers = tiers_of([floor for floor, _ in rows], rates)
    account = holding(int(exact(inputs["notional"]) * VALUE_ONE), tiers)
    return {"maintenance_margin": Fraction(account.maintenance_margin("X"))}


@formula("hl_liq_price", spare=True)
def hl_liq_price(inputs: Inputs) -> dict[str, Any]:
    """Liquidation price of a cross position whose maintenance is half of its initial margin at the top leverage."""
    lots, one = size_of(inputs["size"])
    worth = exact(inputs["size"]) * exact(inputs["price"])
    fine = Fine(worth * 4, exact(inputs["price"]) * 4, inputs["account_value"])
    tiers = (Tier(TOP, round(Fraction(RATE_ONE, 2 * inputs["max_leverage"])), 0, 1),)
    book = rulebook(market("X", 4 * fine.units(inputs["price"]), lots, one, tiers))
    account = Account(book, balance=fine.amount(inputs["account_value"]))
    account.hold("X", side_of(inputs), exact(inputs["size"]), fine.amount(inputs["price"]))
    price = account.liquidation_price("X")
    if price is None:
        return {"liq_price": None, "equity_equals_mm": False}
    units = int(price * VALUE_ONE)
    over = [equity - needed for _, equity, needed in (account.at("X", units + away) for away in (-1, 0, 1))]
    return {"liq_price": fine.number(price), "equity_equals_mm": min(over) < 0 <= over[1] <= max(over)}


@formula("upnl_inverse", spare=True)
def upnl_inverse(inputs: Inputs) -> dict[str, Any]:
    """Unrealised profit in coin of an inverse position of Q units of the quote; many of them, for the digits."""
    entry, mark = (round(exact(inputs[key]) * VALUE_ONE) for key in ("EP", "mark"))
    times = 10**6
    lots = round(exact(inputs["Q"]) * times)
    book = rulebook(coin_market(min(entry, mark) // 4, 4 * max(entry, mark), lots, (Tier(TOP, 0, 0, 1),)))
    account = Account(book).hold(
        "X", side_of(inputs), lots, Decimal(entry).scaleb(-8), mark=Decimal(mark).scaleb(-8)
    )
    return {"pnl": Fraction(account.unrealised("X")) / times}


@formula("coinm_liq", spare=True)
def coinm_liq(inputs: Inputs) -> dict[str, Any]:
    """Liquidation price of a cross position in coin, cut to the tick as it is shown."""
    entry = round(exact(inputs["EP"]) * VALUE_ONE)
    rows = [Fraction(str(floor)) for floor in inputs["floors"]], inputs["mmrs"]
    book = rulebook(coin_market(entry // 20, 20 * entry, int(inputs["Q"]), tiers_of(*rows)))
    account = Account(book, balance=inputs["WB"])
    account.hold("X", side_of(inputs), inputs["Q"], Decimal(entry).scaleb(-8))
    price = account.liquidation_price("X")
    if price is None:
        return {"liq_price": None, "cum": None}
    tick = exact(inputs["tick_size"])
    shown = Fraction(price) // tick * tick
    return {"liq_price": shown, "cum": Fraction(account.tier("X", price).deduction, VALUE_ONE)}


@formula("inv_bust_iso_long", spare=True)
def inv_bust_iso_long(inputs: Inputs) -> dict[str, Any]:
    """Bankruptcy price of an isolated long in coin, and the tick at or above it."""
    entry, lots = round(exact(inputs["EP"]) * VALUE_ONE), 10**9
    tiers = (Tier(TOP, RATE_ONE // 10_000, 0, 0xFFFF),)
    account = Account(rulebook(coin_market(entry // 20, 20 * entry, lots, tiers)))
    account.hold("X", "long", lots, Decimal(entry).scaleb(-8), mode="isolated", leverage=int(inputs["L"]))
    price = account.bankruptcy_price("X")
    if price is None:
        return {"bankruptcy_raw": None, "bankruptcy_price": None}
    tick = exact(inputs["tick_size"])
    return {"bankruptcy_raw": Fraction(price), "bankruptcy_price": -(-Fraction(price) // tick) * tick}


@formula("cost_linear")
def cost_linear(inputs: Inputs) -> dict[str, Any]:
    """What an order binds: margin, the fee to open, the fee to close at bankruptcy; each is what its rule adds."""
    lots, one = size_of(inputs["q"])
    worth = exact(inputs["q"]) * exact(inputs["P"])
    fine = Fine(worth * 4, exact(inputs["P"]) * 4)
    price = fine.units(inputs["P"])
    tick = one * (price // one) or one
    if price % tick:
        raise NotApplicable("its price and size have more digits than the engine's money")
    tiers = (Tier(TOP, 0, 0, 0xFFFF),)

    def spec(**fields: int) -> MarketSpec:
        return MarketSpec("X", tick, 1, one, 4, lots, tiers, size_max=lots, leverage_default=1, **fields)

    return costs(spec, inputs, exact(inputs["q"]), fine.amount(inputs["P"]), fine.number)


@formula("cost_inverse")
def cost_inverse(inputs: Inputs) -> dict[str, Any]:
    """The same of an inverse contract of Q units of the quote, in coin; many of them, for the digits."""
    price, times = round(exact(inputs["P"]) * VALUE_ONE), 10**4
    lots = round(exact(inputs["Q"]) * times)
    tiers = (Tier(TOP, 0, 0, 0xFFFF),)

    def spec(**fields: int) -> MarketSpec:
        return MarketSpec(
            "X", price, 1, 1, 4, lots, tiers, size_max=lots, leverage_default=1, contract_kind=ContractKind.INVERSE,
            **fields,
        )  # fmt: skip

    return costs(spec, inputs, lots, Decimal(price).scaleb(-8), lambda cost: Fraction(cost) / times)


def costs(
    spec: Callable[..., MarketSpec], inputs: Inputs, size: Any, price: Decimal, number: Callable[[Decimal], Fraction]
) -> dict[str, Any]:
    """Order cost without fees, with the fee to open, and with both."""
    fee, order = rate(inputs["fee"]), {"side": side_of(inputs), "size": size, "price": price}
    total = [
        number(order_cost(rulebook(spec(**fields)), "X", leverage=int(inputs["L"]), **order))
        for fields in ({}, {"taker_fee": fee}, {"taker_fee": fee, "close_fee_reserved": 1})
    ]
    parts = {"open_fee": total[1] - total[0], "close_fee": total[2] - total[1]}
    return {"IM": total[0], "order_cost": total[2], **parts}


@formula("okx_iso", spare=True)
def okx_iso(inputs: Inputs) -> dict[str, Any]:
    """An isolated position whose maintenance holds the fee of closing, a rate on the same value."""
    lots, one = size_of(inputs["q"])
    worth = exact(inputs["q"]) * exact(inputs["EP"])
    fine = Fine(worth * 4, exact(inputs["EP"]) * 4, inputs["margin"])
    tiers, fee = (Tier(TOP, rate(inputs["mmr"]), 0, 1),), {"close_fee_in_maintenance": rate(inputs["fee"])}
    account = Account(rulebook(market("X", 4 * fine.units(inputs["EP"]), lots, one, tiers, **fee)))
    own = {"mode": "isolated", "margin": fine.amount(inputs["margin"])}
    account.hold("X", side_of(inputs), exact(inputs["q"]), fine.amount(inputs["EP"]), **own)
    price = account.liquidation_price("X")
    return {"liq_price": None if price is None else fine.number(price)}


@formula("oi_limit", spare=True)
def oi_limit(inputs: Inputs) -> dict[str, Any]:
    """The largest position where the open interest is at the end of each band; so many lots a unit, for the digits."""
    one, bands = 10**4, [exact(band) for band in inputs["tiers"]]
    ladder = tuple((round(band * VALUE_ONE), rate(share)) for band, share in zip(bands, inputs["pcts"], strict=True))
    book = rulebook(market("X", 4 * one, 1, one, (Tier(TOP, 0, 0, 1),), oi_ladder=ladder))
    engine = Engine(book, book.markets, 1, audit=0)
    ends = itertools.accumulate(bands)
    return {"max_position": [Fraction(questions.interest_limit_of(engine, 0, int(end * one)), one) for end in ends]}


@formula("bybit_iso", spare=True)
def bybit_iso(inputs: Inputs) -> dict[str, Any]:
    """An isolated position whose margins are of its entry value; `extra` is margin put in, or taken by funding."""
    lots, one = size_of(inputs["q"])
    worth = exact(inputs["q"]) * exact(inputs["EP"])
    extra = exact(inputs.get("extra", 0))
    fine = Fine(worth * 4, exact(inputs["EP"]) * 4, extra)
    entry = {"maintenance_value": MaintenanceValue.ENTRY}
    spec = market("X", 4 * fine.units(inputs["EP"]), lots, one, (Tier(TOP, rate(inputs["MMR"]), 0, 0xFFFF),), **entry)
    position = "X", side_of(inputs), exact(inputs["q"]), fine.amount(inputs["EP"])
    usual = Account(rulebook(spec)).hold(*position, mode="isolated", leverage=int(inputs["lev"]))
    margin = usual.margin("X")
    account = Account(rulebook(spec)).hold(*position, mode="isolated", margin=margin + fine.amount(extra))
    price = account.liquidation_price("X")
    return {
        "IM": fine.number(margin), "MM": fine.number(account.maintenance_margin("X")),
        "liq_price": None if price is None else fine.number(price),
    }  # fmt: skip


@formula("bybit_inv_liq_cross", spare=True)
def bybit_inv_liq_cross(inputs: Inputs) -> dict[str, Any]:
    """A cross long in coin whose maintenance is of its entry value, the fee of closing of that at bankruptcy.

    Long prices are shown at the tick above, half a dollar.
    """
    bust = bybit_inv_bust_cross(inputs)["bankruptcy_price"]
    if bust is None:
        return {"liq_price": None}
    entry, times = round(exact(inputs["EP"]) * VALUE_ONE), 10**4
    lots = round(exact(inputs["Q"]) * times)
    rules = {
        "close_fee_in_maintenance": round(rate(inputs["fee"]) * exact(inputs["EP"]) / bust),
        "maintenance_value": MaintenanceValue.ENTRY,
    }
    book = rulebook(coin_market(entry // 20, 20 * entry, lots, (Tier(TOP, rate(inputs["MMR"]), 0, 1),), **rules))
    account = Account(book, balance=exact(inputs["bal"]) * times)
    account.hold("X", "long", lots, Decimal(entry).scaleb(-8))
    price = account.liquidation_price("X")
    return {"liq_price": None if price is None else -(-Fraction(price) // HALF) * HALF}


@formula("bybit_inv_bust_cross", spare=True)
def bybit_inv_bust_cross(inputs: Inputs) -> dict[str, Any]:
    """The price at which a cross long in coin can just pay the fee of closing: no other maintenance."""
    entry, times = round(exact(inputs["EP"]) * VALUE_ONE), 10**4
    lots = round(exact(inputs["Q"]) * times)
    tiers, fee = (Tier(TOP, 0, 0, 1),), {"close_fee_in_maintenance": rate(inputs["fee"])}
    book = rulebook(coin_market(entry // 20, 20 * entry, lots, tiers, **fee))
    account = Account(book, balance=exact(inputs["bal"]) * times)
    account.hold("X", "long", lots, Decimal(entry).scaleb(-8))
    price = account.liquidation_price("X")
    return {"bankruptcy_price": None if price is None else Fraction(price)}


def closed_fee_spec(worth: int, maintenance: int, fee: int) -> MarketSpec:
    """One lot worth so many units, of which closing at bankruptcy is held in the initial margin."""
    spec = market("X", 4 * worth, 1, 1, (Tier(TOP, maintenance, 0, 0xFFFF),), taker_fee=fee)
    return dataclasses.replace(spec, close_fee_reserved=1)


@formula("bybit_mark_margin", spare=True)
def bybit_mark_margin(inputs: Inputs) -> dict[str, Any]:
    """Initial margin and maintenance at the mark, the fee of closing at bankruptcy in both."""
    worth, gear, fee = exact(inputs["q"]) * exact(inputs["mark"]), int(inputs["L"]), rate(inputs["fee"])
    fine = Fine(worth * 4)
    left = Fraction(gear + (1 if inputs["side"] < 0 else -1), gear)  # of the value, at bankruptcy
    spec = closed_fee_spec(fine.units(worth), rate(inputs["MMR"]) + round(fee * left), fee)
    account = Account(rulebook(spec), balance=fine.amount(worth))
    account.hold("X", side_of(inputs), 1, fine.amount(worth), leverage=gear)
    return {"IM": fine.number(account.initial_margin("X")), "MM": fine.number(account.maintenance_margin("X"))}


@formula("bybit_mark_margin_diff", spare=True)
def bybit_mark_margin_diff(inputs: Inputs) -> dict[str, Any]:
    """Initial margin less maintenance: the fee of closing is in both."""
    fine = Fine(exact(inputs["V"]) * 4)
    worth = fine.units(inputs["V"])
    account = Account(rulebook(closed_fee_spec(worth, rate(inputs["MMR"]), 0)), balance=fine.amount(inputs["V"]))
    account.hold("X", "long", 1, fine.amount(inputs["V"]), leverage=int(inputs["L"]))
    return {"IM_minus_MM": fine.number(account.initial_margin("X") - account.maintenance_margin("X"))}


@formula("bitmex_posmargin")
def bitmex_posmargin(inputs: Inputs) -> dict[str, Any]:
    """Margins of an isolated position's cost and of the commission on it, in satoshis.

    They are asked of many such positions, for the digits; each is rounded to the nearest, as the venue prints it.
    """
    times = 10**6
    cost, fee = abs(int(inputs["posCost"])) * times, rate(inputs["comm"])
    tiers = (Tier(TOP, rate(inputs["mm"]), 0, 0xFFFF),)

    def asked(**fields: int) -> tuple[int, int]:
        spec = market("X", 4 * cost, 1, 1, tiers, maintenance_value=MaintenanceValue.ENTRY, **fields)
        account = Account(rulebook(spec))
        account.hold("X", "long", 1, Decimal(cost).scaleb(-8), mode="isolated", leverage=int(inputs["lev"]))
        return tuple(int(margin.scaleb(8)) for margin in (account.margin("X"), account.maintenance_margin("X")))

    initial, without = asked()
    commission = asked(close_fee_in_maintenance=fee)[1] - without
    initial, without, commission = (round(Fraction(part, times)) for part in (initial, without, commission))
    held = {"posMargin": initial + commission, "posMaint": without + commission}
    return {"posInit": initial, "posComm": commission} | held


@formula("deribit_margin", spare=True)
def deribit_margin(inputs: Inputs) -> dict[str, Any]:
    """Margin of an inverse position worth `pos` coins, at a rate that rises with its size; initial or maintenance."""
    price, coins = round(exact(inputs["price"]) * VALUE_ONE), exact(inputs["pos"])
    lots = round(coins * price / VALUE_ONE)
    rates = {"maintenance_base": rate(inputs["base"]), "maintenance_slope": rate(inputs["slope"])}
    tiers = (Tier(TOP, 0, 0, 1),)
    book = rulebook(coin_market(price // 4, 4 * price, lots, tiers, tier_method=TierMethod.LINEAR, **rates))
    account = Account(book, balance=coins).hold("X", "long", lots, Decimal(price).scaleb(-8))
    margin = Fraction(account.maintenance_margin("X"))
    return {"rate": margin / coins, "margin_coin": margin, "margin_usd": margin * Fraction(price, VALUE_ONE)}
