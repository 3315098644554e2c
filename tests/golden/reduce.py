"""Liquidations: how much is sold, at what worst price, what the fund gets of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import formulas_reduce as formulas
from perpsim.exchange.units import RATE_ONE, exact, rate

from .registry import Inputs, formula, nearest

QUANTUM = 10**6  # quote quantums of 1
BASE_DIGITS = {"BTC": 8, "ETH": 9}  # of one base quantum
SIZE = 10**9
PRICE = 10**6
LOT = 100  # lots of 0.01, the step of the published calls
SMALL = 50  # below it all is sold at once
LARGEST = 10**18


def fine(*amounts: Any) -> int:
    """Units of 1, as many as the amounts of a case let fit."""
    one, largest = 10**15, max(abs(exact(amount)) for amount in amounts)
    while one > 1 and largest * one > LARGEST:
        one //= 10
    return one


class Unit:
    """An account's quote balance and positions, and what a change of one of them means. `one` units of money are 1."""

    def __init__(self, inputs: Inputs, one: int, size: Any) -> None:
        self.one, self.margin_rate = one, rate(inputs["mm_fraction"])
        values = {p["perp"]: self.value(p["size"], p["oracle"]) for p in inputs["positions"]}
        self.equity = nearest(inputs["quote_usd"], one) + sum(values.values())
        self.margin = sum(self.of_margin(value) for value in values.values())
        closed = next(p for p in inputs["positions"] if p["perp"] == inputs["close_perp"])
        self.size = exact(closed["size"])
        self.whole = values[closed["perp"]]
        rest = self.value(self.size - exact(size), closed["oracle"])
        self.part = self.value(size, closed["oracle"])
        self.part_margin = self.of_margin(self.whole) - self.of_margin(rest)

    def value(self, size: Any, price: Any) -> int:
        return formulas.value_of(nearest(size, SIZE), nearest(price, PRICE), SIZE * PRICE // self.one)

    def of_margin(self, value: int) -> int:
        return formulas.margin_of(value, self.margin_rate)

    def bankruptcy(self) -> int:
        return formulas.bankruptcy(self.part, self.equity, self.part_margin, self.margin)


@formula("dydx_bankruptcy")
def dydx_bankruptcy(inputs: Inputs) -> dict[str, Any]:
    unit = Unit(inputs, QUANTUM, -exact(inputs["delta_base"]))
    quantums = unit.bankruptcy()
    return {"bankruptcy_quote_usd": Fraction(quantums, QUANTUM), "quote_quantums": quantums}


@formula("dydx_fillable")
def dydx_fillable(inputs: Inputs) -> dict[str, Any]:
    amounts = [exact(p["size"]) * exact(p["oracle"]) for p in inputs["positions"]]
    unit = Unit(inputs, fine(inputs["quote_usd"], *amounts, 1), -exact(inputs["delta_base"]))
    worst = formulas.fillable(
        unit.whole, unit.of_margin(unit.whole), unit.equity, unit.margin, rate(inputs["bankruptcy_adjustment"]),
        rate(inputs["spread_to_mm_ratio"]),
    )  # fmt: skip
    price = Fraction(worst, unit.one) / unit.size
    quantum = Fraction(10) ** BASE_DIGITS.get(inputs["close_perp"], 9)
    return {"fillable_price_usd": price, "quote_quantums_per_base_quantum": price * QUANTUM / quantum}


@formula("dydx_insurance_delta")
def dydx_insurance_delta(inputs: Inputs) -> dict[str, Any]:
    size = exact(inputs["fill_base"]) * (-1 if inputs["is_buy"] else 1)
    unit = Unit(inputs, QUANTUM, size)
    paid = unit.value(size, inputs["fill_price_usd"])
    delta = formulas.fund_delta(paid, unit.bankruptcy(), rate(inputs["max_liquidation_fee"]))
    return {"insurance_delta_usd": Fraction(delta, QUANTUM)}


@formula("drift_cure_size")
def drift_cure_size(inputs: Inputs) -> dict[str, Any]:
    shortage, price = inputs["margin_shortage_usd"], inputs["oracle"]
    one, held = fine(shortage, price), 10**12
    lots = formulas.cure_size(
        held, nearest(price, one), nearest(shortage, one), rate(inputs["maint_margin_ratio"]),
        rate(inputs["liquidator_fee"]), rate(inputs["if_fee"]), rate(inputs["quote_oracle"]),
    )  # fmt: skip
    return {"base": Fraction(lots, held)}


@formula("drift_if_fee")
def drift_if_fee(inputs: Inputs) -> dict[str, Any]:
    value = exact(inputs["base"]) * exact(inputs["oracle"]) * exact(inputs.get("quote_oracle", 1))
    one = fine(inputs["margin_shortage_usd"], value, 1)
    fee = formulas.fund_fee(
        nearest(inputs["margin_shortage_usd"], one), nearest(value, one), rate(inputs["maint_margin_ratio"]),
        rate(inputs["liquidator_fee"]), rate(inputs["max_if_fee"]),
    )  # fmt: skip
    return {"if_fee": Fraction(fee, RATE_ONE)}


@formula("drift_fee_ramp")
def drift_fee_ramp(inputs: Inputs) -> dict[str, Any]:
    fee = formulas.liquidator_fee(
        rate(inputs["base_fee"]), rate(inputs["max_fee"]), inputs["slots_elapsed"], inputs["grace_slots"],
        rate(inputs["inc_per_slot"]), 1,
    )  # fmt: skip
    return {"fee": Fraction(fee, RATE_ONE)}


@formula("drift_liquidate")
def drift_liquidate(inputs: Inputs) -> dict[str, Any]:
    """One call, or several; the first cancels the orders. A call is (slot, the most that the liquidator takes)."""
    price, margin, buffer = inputs["oracle"], rate(inputs["mmr"]), rate(inputs["buffer"])
    one = fine(exact(inputs["base"]) * exact(price), inputs["quote"], inputs["deposit"], 1) // 10**3
    lots, lot = nearest(inputs["base"], LOT), nearest(exact(price) / LOT, one)
    quote, deposit = nearest(inputs["quote"], one), nearest(inputs["deposit"], one)
    held, freed = abs(lots), 0
    if "open_orders" in inputs:
        worst = held + nearest(inputs.get("open_bids", 0) if lots > 0 else inputs.get("open_asks", 0), LOT)
        pnl = lots * lot + quote
        with_orders = formulas.shortage_of(worst * lot, pnl, deposit, margin, buffer)
        freed = with_orders - formulas.shortage_of(held * lot, pnl, deposit, margin, buffer)
        freed += nearest(Fraction(inputs["open_orders"], 100), one)
    steps, fees = [], 0
    calls = inputs.get("calls", [(0, None)])
    for slot, most in calls:
        step = formulas.cure_step(
            lots, lot, quote, deposit, margin, buffer, rate(inputs["liq_fee"]), rate(inputs["if_fee_max"]),
            abs(lots) if most is None else nearest(most, LOT), slot - calls[0][0], inputs.get("duration_slots", 0),
            rate(inputs.get("initial_pct", 1)), SMALL * one, freed,
        )  # fmt: skip
        lots, quote, freed = step["lots"], step["quote"], step["freed"]
        fees += step["fund_fee"]
        steps.append((slot, Fraction(lots, LOT), Fraction(freed, one)))
    answer: dict[str, Any] = {
        "base": Fraction(lots, LOT), "quote": Fraction(quote, one), "if_fee": Fraction(fees, one),
        "margin_freed_usd": Fraction(freed, one), "steps_slot_base_marginfreed": steps,
    }  # fmt: skip
    if lots:
        value = lots * lot
        answer["margin_ratio_after"] = Fraction(deposit + value + quote, abs(value))
    return answer


@formula("cube_close_limit")
def cube_close_limit(inputs: Inputs) -> dict[str, Any]:
    size = exact(inputs["position"])
    value = size * exact(inputs["mark"])
    one = fine(value, inputs["equity"], inputs["maintenance"])
    worst = formulas.leaving(
        nearest(value, one), nearest(inputs["equity"], one), nearest(inputs["maintenance"], one),
        rate(inputs.get("leave", "0.7")),
    )  # fmt: skip
    return {"limit": Fraction(worst, one) / size}


@formula("okx_partial")
def okx_partial(inputs: Inputs) -> dict[str, Any]:
    """Contracts are their own value: tiers are counted in contracts."""
    return {"contracts_closed": formulas.above(inputs["n"], inputs["n"], inputs["tier_max"])}


@formula("vega_margin_levels")
def vega_margin_levels(inputs: Inputs) -> dict[str, Any]:
    size, mark = exact(inputs.get("position", 0)), exact(inputs["mark"])
    bids, asks = (exact(inputs.get(f"open_{side}_orders", 0)) * mark for side in ("buy", "sell"))
    owed = exact(inputs.get("funding_per_unit", 0)) * size
    one = fine(size * mark, bids, asks, owed, 1) // 1_000
    margin = formulas.factor_margin(
        nearest(size * mark, one), nearest(abs(size), 10**6), 10**6, nearest(bids, one), nearest(asks, one),
        *(nearest(inputs.get(name, 0), RATE_ONE) for name in
          ("rf_long", "rf_short", "linear_slippage", "quadratic_slippage")), nearest(owed, one),
    )  # fmt: skip
    scaling = inputs["scaling"]
    levels = {name: formulas.scaled(margin, rate(scaling[name])) for name in scaling}
    return {name: Fraction(level, one) for name, level in ({"maintenance": margin} | levels).items()}


@formula("vega_liq_price")
def vega_liq_price(inputs: Inputs) -> dict[str, Any]:
    size, mark = exact(inputs["position"]), exact(inputs["mark"])
    owed = exact(inputs.get("funding_per_unit", 0)) * size
    one = fine(size * mark, inputs["collateral"], owed, 1) // 10
    value, collateral = nearest(size * mark, one), nearest(inputs["collateral"], one)
    held, units = nearest(abs(size), 10**6), nearest(owed, one)
    risks = [nearest(inputs[f"rf_{side}"], RATE_ONE) for side in ("long", "short")]
    slips = [nearest(inputs.get(f"{name}_slippage", 0), RATE_ONE) for name in ("linear", "quadratic")]
    there = formulas.factor_value(value, collateral, units, held, 10**6, risks[size < 0], *slips)
    there = there if size > 0 else -there
    needed = formulas.factor_margin(there, held, 10**6, 0, 0, *risks, *slips, units)
    left = collateral + there - value
    return {"liq_price": Fraction(there, one) / size, "property_holds": abs(needed - left) <= 3}
