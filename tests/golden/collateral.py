"""Collateral: rates of an asset, what of its value counts, and how much is sold for a debt."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import formulas_collateral as formulas
from perpsim.exchange.units import RATE_ONE, exact, rate

from .registry import Inputs, NotApplicable, formula

LARGEST = 10**17
RATES = {
    "bidRate": ("bidBuffer", formulas.bid_rate), "askRate": ("askBuffer", formulas.ask_rate),
    "autoExchangeBidRate": ("aeBid", formulas.bid_rate), "autoExchangeAskRate": ("aeAsk", formulas.ask_rate),
}  # fmt: skip


def unit_of(*numbers: Any) -> int:
    """A power of ten in which numbers fit the engine's money."""
    one, largest = 10**16, max(abs(exact(number)) for number in numbers)
    while largest * one > LARGEST and one > 1:
        one //= 10
    if largest * one > LARGEST:
        raise NotApplicable("its numbers are larger than the engine's money")
    return one


@formula("collateral_rates", spare=True)
def collateral_rates(inputs: Inputs) -> dict[str, Any]:
    """Bid and ask rates of an asset by its index price and its buffers."""
    one = unit_of(inputs["index"])
    index = round(exact(inputs["index"]) * one)
    return {
        name: Fraction(ask(index, rate(inputs[buffer])), one)
        for name, (buffer, ask) in RATES.items() if buffer in inputs
    }  # fmt: skip


@formula("haircut", spare=True)
def haircut(inputs: Inputs) -> dict[str, Any]:
    """Margin value of an asset by the part of its market value that counts."""
    one = unit_of(inputs["mv"])
    value = round(exact(inputs["mv"]) * one)
    return {"margin_value": Fraction(formulas.bid_rate(value, RATE_ONE - rate(inputs["ratio"])), one)}


@formula("auto_exchange", spare=True)
def auto_exchange(inputs: Inputs) -> dict[str, Any]:
    """Value to sell for a deficit, at a haircut."""
    one = unit_of(inputs["deficit"])
    value = formulas.conversion_value(round(exact(inputs["deficit"]) * one), rate(inputs["haircut"]))
    answer = Fraction(value, one)
    return {"sold": answer, "amount": answer, "value": answer}
