"""Adapters of ADL: ranks, fills, matches, and what is kept of a profit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import AdlPolicy, formulas_adl
from perpsim.exchange.units import VALUE_ONE, exact

from .registry import formula, nearest, units

FINE = 10**9  # of money and of ratios: results are ratios, so the unit is free
E15, E18 = 10**15, 10**18


@formula("bn_adl")
def binance(inputs: dict[str, Any]) -> dict[str, Any]:
    """PnL% is the score at a margin ratio of 1."""
    money = {
        "gain": units(inputs["UPNL"], VALUE_ONE), "balance": units(inputs["WB"], VALUE_ONE), "equity": FINE,
    }  # fmt: skip
    ratio = nearest(inputs["margin_ratio"], FINE)
    return {
        "pnl_percent": Fraction(formulas_adl.score(AdlPolicy.BINANCE, maintenance=FINE, **money), E18),
        "leverage_pnl": Fraction(formulas_adl.score(AdlPolicy.BINANCE, maintenance=ratio, **money), E18),
    }


@formula("bitmex_adl")
def bitmex(inputs: dict[str, Any]) -> dict[str, Any]:
    """Accounts whose ranks are given, as candidates that differ in their profit alone."""
    accounts, sizes = inputs["accounts"], inputs["qty"]
    faces = [{"gain": nearest(rank, 1000), "cost": FINE, "value": FINE, "share": FINE} for rank in inputs["rank"]]
    places = formulas_adl.queue(AdlPolicy.BITMEX, faces)
    steps = formulas_adl.percentiles([sizes[place] for place in places], 5)
    fills = formulas_adl.queue_fills([sizes[place] for place in places], inputs["liq_size"])
    cut = {place: lots for place, lots in zip(places, fills, strict=True) if lots}
    return {
        "order": [accounts[place] for place in places],
        "percentile_light": {str(accounts[p]): 20 * step for p, step in zip(places, steps, strict=True)},
        "adl_fills": {str(accounts[place]): lots for place, lots in cut.items()},
        "remaining": {str(accounts[place]): sizes[place] - lots for place, lots in cut.items()},
        "price": inputs["price"],
    }


@formula("hl_adl_index")
def hyperliquid(inputs: dict[str, Any]) -> dict[str, Any]:
    """Sizes have no sign in these cases: a profit below the entry price is a short's."""
    entry, mark, size = (exact(inputs[key]) for key in ("entry", "mark", "size"))
    is_long = inputs["side"] > 0 if "side" in inputs else size > 0 and mark >= entry
    face = {
        "value": nearest(abs(size) * mark, FINE), "cost": nearest(abs(size) * entry, FINE),
        "equity": nearest(inputs["account_value"], FINE), "is_long": is_long,
    }  # fmt: skip
    return {"index": Fraction(formulas_adl.score(AdlPolicy.HYPERLIQUID, **face), E15)}


@formula("dydx_deleverage")
def dydx(inputs: dict[str, Any]) -> dict[str, Any]:
    """A match at the bankruptcy value of the liquidated account, refused where it leaves the other one invalid."""
    oracle, rate = exact(inputs["oracle_btc"]), exact(inputs["mm_fraction"])
    bankrupt, offset = Account(inputs["liquidated"]), Account(inputs["offsetting"])
    part = units(inputs["delta_btc_for_liquidated"], FINE) * (1 if bankrupt.lots < 0 else -1)
    paid = formulas_adl.moved(bankrupt.value(oracle), bankrupt.equity(oracle), -part, bankrupt.lots)
    before = offset.equity(oracle), offset.maintenance(oracle, rate)
    offset.lots -= part
    offset.quote -= paid
    if not formulas_adl.valid_match(*before, offset.equity(oracle), offset.maintenance(oracle, rate)):
        return {"error": "rejected: bankruptcy prices do not overlap"}
    return {"offsetting_quote_usd": Fraction(offset.quote, FINE), "transfer_usd": Fraction(abs(paid), FINE)}


class Account:
    """Quote and base of one account, in 1e-9."""

    def __init__(self, holdings: dict[str, Any]) -> None:
        self.quote, self.lots = units(holdings["quote_usd"], FINE), units(holdings["btc"], FINE)

    def value(self, price: Fraction) -> int:
        return int(self.lots * price)

    def equity(self, price: Fraction) -> int:
        return self.quote + self.value(price)

    def maintenance(self, price: Fraction, rate: Fraction) -> int:
        return -int(-abs(self.value(price)) * rate)


@formula("cube_rank")
def cube(inputs: dict[str, Any]) -> dict[str, Any]:
    def rank(position: dict[str, Any]) -> Fraction:
        leverage, gain = nearest(position["lev"], FINE), units(position["upnl"], VALUE_ONE)
        score = formulas_adl.score(AdlPolicy.CUBE, gain=gain, value=leverage, share=FINE)
        return Fraction(score, FINE * VALUE_ONE)

    return {"rank": [rank(position) for position in inputs["pos"]]}


def _faces(inputs: dict[str, Any], names: list[str]) -> list[dict[str, int]]:
    """Positions at a mark; their equity is what they had without the profit."""
    mark, faces = exact(inputs["mark"]), []
    for name in names:
        size, entry = exact(inputs[name]["qty"]), exact(inputs[name]["entry"])
        gain, equity = units(size * (mark - entry), FINE), units(inputs[name]["equity"], FINE)
        value = units(abs(size) * mark, FINE)
        faces.append({
            "gain": gain, "balance": equity, "value": value, "cost": units(abs(size) * entry, FINE),
            "equity": equity + gain, "share": equity + gain,
        })  # fmt: skip
    return faces


@formula("flox_rank_pnl_vs_lev")
def flox_ranks(inputs: dict[str, Any]) -> dict[str, Any]:
    names = sorted(name for name in inputs if name not in ("deficit", "mark"))
    faces = _faces(inputs, names)
    policies = {"pnl_ratio_order": AdlPolicy.RESEARCH_PNL_RATIO, "pnl_x_lev_order": AdlPolicy.CUBE}
    return {key: [names[i] for i in formulas_adl.queue(policy, faces)] for key, policy in policies.items()}


@formula("flox_adl_retained")
def flox_retained(inputs: dict[str, Any]) -> dict[str, Any]:
    """A winner's equity after it has given its part of a deficit, as much as its profit holds."""
    (face,) = _faces(inputs, ["winner"])
    wanted = min(units(inputs["deficit"], FINE), max(0, face["gain"]))
    given = formulas_adl.shares(AdlPolicy.CONTRACT_PRO_RATA, wanted, [face["gain"]], [face["gain"]])
    return {"winner_equity": Fraction(face["equity"] - given[0], FINE)}


@formula("flox_nonconserving")
def flox_contracts(inputs: dict[str, Any]) -> dict[str, Any]:
    """A defect of another engine: more contracts of the winners go than the bankrupt account has."""
    rooms = [abs(size) for size in inputs["pnl_ratio_winners"]]
    wanted = min(inputs["bankrupt_long"], sum(rooms))
    fills = formulas_adl.queue_fills(rooms, wanted)
    return {"contracts_closed_bankrupt": wanted, "contracts_closed_winners": sum(fills)}
