"""Margin rates that depend on more than the position."""

from __future__ import annotations

from typing import Any

from perpsim.core import formulas_margin as formulas
from perpsim.exchange.units import rate

from .registry import Inputs, formula, units


@formula("dydx_oi_margin")
def dydx_oi_margin(inputs: Inputs) -> dict[str, Any]:
    """Initial margin at an open interest; amounts are whole quote units."""
    amounts = (units(inputs[key], 1, key) for key in ("oi_notional", "oi_lower_cap", "oi_upper_cap"))
    notional = units(inputs["position_notional"], 1, "position_notional")
    return {"initial_margin": formulas.initial_at_interest(notional, rate(inputs["base_imf"]), *amounts)}
