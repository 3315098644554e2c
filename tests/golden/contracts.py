"""Rates on the whole position: risk-limit steps, and rates that rise with the size."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from perpsim.core import TierMethod
from perpsim.exchange.calculator import LEVERAGE_ANY, Account
from perpsim.exchange.contracts import step_tiers
from perpsim.exchange.rules import Tier
from perpsim.exchange.units import VALUE_ONE, exact, rate

from .positions import TOP, coin_market, rulebook
from .registry import Inputs, NotApplicable, formula

STEPS = 100
PRICE = 10_000  # at which a position of whole coins is a whole number of contracts


def held(coins: Any, price: Any, tiers: tuple[Tier, ...], gear: int = 1, **fields: int) -> Account:
    """An account with an inverse position of so many coins at a price, "X"."""
    contracts, at = exact(coins) * exact(price), int(exact(price) * VALUE_ONE)
    if contracts.denominator != 1:
        raise NotApplicable("the position is no whole number of contracts of one unit of the quote")
    lots = int(contracts)
    account = Account(rulebook(coin_market(at // 2, 2 * at, lots, tiers, **fields)), balance=10**6)
    return account.hold("X", "long", lots, exact(price), leverage=gear)


@formula("deribit_margin")
def deribit_margin(inputs: Inputs) -> dict[str, Any]:
    """Margin of a position whose rate rises with its size."""
    rates = {"maintenance_base": rate(inputs["base"]), "maintenance_slope": rate(inputs["slope"])}
    tiers = (Tier(TOP, 0, 0, 1),)
    account = held(inputs["pos"], inputs["price"], tiers, tier_method=TierMethod.LINEAR, **rates)
    coins = Fraction(account.maintenance_margin("X"))
    return {"rate": coins / exact(inputs["pos"]), "margin_coin": coins, "margin_usd": coins * exact(inputs["price"])}


@formula("bitmex_risk")
def bitmex_risk(inputs: Inputs) -> dict[str, Any]:
    """Rates of a position by the steps of its risk limit, and its maintenance."""
    limits = [inputs[key] for key in ("base_lim", "step", "mm0", "im0")]
    tiers = tuple(dataclasses.replace(tier, leverage_max=LEVERAGE_ANY) for tier in step_tiers(*limits, STEPS))
    account = held(inputs["pos"], PRICE, tiers, LEVERAGE_ANY, tier_method=TierMethod.WHOLE)
    rates = {
        name: Fraction(margin) / exact(inputs["pos"])
        for name, margin in (("MMR", account.maintenance_margin("X")), ("IMR", account.initial_margin("X")))
    }
    return rates | {"maintenance_margin": account.maintenance_margin("X")}
