"""Markets from their rules: the numbers of a contract, sized so that everything the core computes stays in 64 bits."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from perpsim.core import ContractKind, TierMethod

from .rules import COIN_PRICE, MARKET_FIELDS, MarketSpec, Tier, parse_value, refuse_strangers
from .units import RATE_ONE, VALUE_ONE, Number, exact, money, rate

POSITION_NOTIONAL_MAX = 1 << 61
LOTS_MAX = (1 << 38) - 1  # what the core's order record holds
PRICE_MULTIPLE = 8  # prices up to 8 times the reference price can be represented at least
PRICE_DIVISOR = 100  # and of an inverse contract, which is the dearer the lower it stands, down to a hundredth of it
NUMBERS = ("tick", "lot", "price_reference")  # of a contract; they are no rules of their own
BUILT = (*NUMBERS, "steps")  # what markets are built from besides their rules


def contract(symbol: str, tick: Any, lot: Any, price_reference: Any, **fields: Any) -> MarketSpec:
    """A market from its tick, its lot and a price of the right magnitude; sizes the numeric limits to fit."""
    tick_value, lot_size = money(tick, f"{symbol} tick"), exact(lot, f"{symbol} lot")
    reference = exact(price_reference) * VALUE_ONE
    price_max = int(reference * PRICE_MULTIPLE) // tick_value
    tick_lot_money = tick_value * lot_size
    dearest = price_max * tick_lot_money
    if fields.get("contract_kind") == ContractKind.INVERSE:
        fields.setdefault("price_min", max(1, int(reference / PRICE_DIVISOR) // tick_value))
        dearest = lot_size * COIN_PRICE / (fields["price_min"] * tick_value)
    elif tick_lot_money.denominator != 1:
        raise ValueError(f"{symbol}: a tick of one lot is not a whole number of 1e-8 units; take a larger lot or tick")
    if fields.get("tier_method", TierMethod.MARGINAL) != TierMethod.MARGINAL:
        fields["tiers"] = tuple(dataclasses.replace(tier, deduction=0) for tier in fields["tiers"])
    position_max = min(POSITION_NOTIONAL_MAX // math.ceil(dearest), LOTS_MAX)
    fields.setdefault("size_max", position_max)
    fields["size_max"] = min(fields["size_max"] or position_max, position_max)
    return MarketSpec(
        symbol=symbol, tick_value=tick_value, lot_numerator=lot_size.numerator, lot_denominator=lot_size.denominator,
        price_max=price_max, position_max=position_max, **fields,
    )  # fmt: skip


def step_rates(value: Number, base: Number, step: Number, maintenance: Number, initial: Number) -> tuple[int, int]:
    """Maintenance and initial rate, 1e-9, of a position by risk-limit steps (BitMEX riskLimitsExamples).

    Above the base limit each step begun adds the maintenance rate of the base to both.
    """
    steps = max(0, math.ceil((exact(value) - exact(base)) / exact(step)))
    first = rate(maintenance, "maintenance")
    return first * (steps + 1), rate(initial, "initial") + first * steps


def step_tiers(base: Number, step: Number, maintenance: Number, initial: Number, count: int) -> tuple[Tier, ...]:
    """Risk-limit steps as WHOLE tiers: the rate of the step reached holds for the whole position."""
    tiers = []
    for number in range(count):
        cap = exact(base) + number * exact(step)
        needed, margin = step_rates(cap, base, step, maintenance, initial)
        if needed >= RATE_ONE or margin > RATE_ONE:
            break  # nobody may hold so much
        tiers.append(Tier(money(cap, "limit"), needed, 0, RATE_ONE // margin, margin))
    return tuple(tiers)


def parse_market(symbol: str, fields: dict[str, Any]) -> MarketSpec:
    """One market from its rules as a file or a scenario writes them. Raises ValueError with the rule's name."""
    rest = dict(fields)
    steps = rest.pop("steps", None)
    if steps is not None and "tiers" not in rest:
        rest["tiers"] = step_rows(symbol, steps)
    for key in (*NUMBERS, "tiers"):
        if key not in rest:
            raise ValueError(f"{symbol} has no {key}")
    tick, lot, price_reference = numbers = [rest.pop(key) for key in NUMBERS]
    if min(exact(number, f"{symbol} {key}") for key, number in zip(NUMBERS, numbers, strict=True)) <= 0:
        raise ValueError(f"{symbol}: tick, lot and price_reference must be more than 0")
    if exact(price_reference) < exact(tick):
        raise ValueError(f"{symbol}: a price_reference of {price_reference} is less than one tick")
    parsed = dict(parse_value(key, value) for key, value in rest.items())
    refuse_strangers(parsed, MARKET_FIELDS, symbol)
    if parsed.get("tier_method"):  # only marginal tiers have deductions
        parsed["tiers"] = tuple(dataclasses.replace(tier, deduction=0) for tier in parsed["tiers"])
    return contract(symbol, tick, lot, price_reference, **parsed)


def step_rows(symbol: str, steps: dict[str, Any]) -> list[list[Any]]:
    """Tier rows of a base risk limit and `count` steps above it (BitMEX): each adds the base maintenance to both rates.

    steps  base and step (value of the position), initial and maintenance (rates at the base), count
    """
    wanted = {"base", "step", "initial", "maintenance", "count"}
    if not isinstance(steps, dict) or set(steps) != wanted:
        raise ValueError(f"{symbol}: steps need {', '.join(sorted(wanted))}")
    base, step, initial, maintenance = (
        exact(steps[key], f"{symbol} {key}") for key in ("base", "step", "initial", "maintenance")
    )
    if min(base, step, initial, maintenance) <= 0 or not isinstance(steps["count"], int) or steps["count"] < 0:
        raise ValueError(f"{symbol}: a step, a rate or the count of its steps is not more than 0")
    rates = [(maintenance * (1 + n), initial + maintenance * n) for n in range(steps["count"] + 1)]
    return [
        [base + step * n, needed, max(1, int(1 / margin)), "", margin] for n, (needed, margin) in enumerate(rates)
    ]
