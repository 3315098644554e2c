"""Rates on the whole position: risk-limit steps, and rates that rise with the size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import TierMethod
from perpsim.exchange.calculator import Account
from perpsim.exchange.contracts import step_rates, step_tiers
from perpsim.exchange.rules import Tier
from perpsim.exchange.units import RATE_ONE, VALUE_ONE, exact, rate

from .positions import TOP, coin_market, rulebook
from .registry import Inputs, NotApplicable, formula

STEPS = 100
PRICE = 10_000  # at which a position of whole coins is a whole number of contracts


def margin_of(coins: Any, price: Any, tiers: tuple[Tier, ...], **fields: int) -> Fraction:
    """Maintenance, in coin, of an inverse position of so many coins at a price."""
    contracts, at = exact(coins) * exact(price), int(exact(price) * VALUE_ONE)
    if contracts.denominator != 1:
        raise NotApplicable("the position is no whole number of contracts of one unit of the quote")
    lots = int(contracts)
    account = Account(rulebook(coin_market(at // 2, 2 * at, lots, tiers, **fields)), balance=10**6)
    return Fraction(account.hold("X", "long", lots, exact(price)).maintenance_margin("X"))


@formula("deribit_margin")
def deribit_margin(inputs: Inputs) -> dict[str, Any]:
    """Margin of a position whose rate rises with its size."""
    rates = {"maintenance_base": rate(inputs["base"]), "maintenance_slope": rate(inputs["slope"])}
    tiers = (Tier(TOP, 0, 0, 1),)
    coins = margin_of(inputs["pos"], inputs["price"], tiers, tier_method=TierMethod.LINEAR, **rates)
    return {"rate": coins / exact(inputs["pos"]), "margin_coin": coins, "margin_usd": coins * exact(inputs["price"])}


@formula("bitmex_risk")
def bitmex_risk(inputs: Inputs) -> dict[str, Any]:
    """Rates of a position by the steps of its risk limit, and its maintenance."""
    limits = [inputs[key] for key in ("base_lim", "step", "mm0", "im0")]
    needed, initial = step_rates(inputs["pos"], *limits)
    tiers = step_tiers(*limits, STEPS)
    coins = margin_of(inputs["pos"], PRICE, tiers, tier_method=TierMethod.WHOLE)
    rates = {"MMR": Fraction(needed, RATE_ONE), "IMR": Fraction(initial, RATE_ONE)}
    return rates | {"maintenance_margin": coins}
