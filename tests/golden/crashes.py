"""Crashes of one account: whoever is bankrupt is closed by an engine, and the fund pays or gains.

An account is long, a second one bids, and the mark falls. Statistics of recorded crashes are not the engine's.
"""

from __future__ import annotations

from typing import Any

from perpsim.core import Engine, EventKind, FundUnwind, Kind, MarginMode, ReduceLimit, ReduceMethod, Side
from perpsim.exchange.rules import Tier
from perpsim.exchange.units import RATE_ONE, exact

from .registry import Inputs, NotApplicable, formula
from .trading import Scale, engine, market, must, order, tick_of

LONG, BIDDER = 0, 1
GEAR = 0xFFFF
IN_THE_BOOK = {"reduce_method": ReduceMethod.WHOLE, "reduce_limit": ReduceLimit.NONE}
BY_THE_FUND = {"reduce_method": ReduceMethod.NONE, "fund_unwind": FundUnwind.AT_ONCE}


def crashed(
    scale: Scale, lots: int, entry: int, margin: int, mark: int, fill: int, fund: int, rules: dict[str, Any]
) -> Engine:
    """An engine in which a long with so much isolated margin has met a mark, and a bid of its size at `fill`."""
    tick = tick_of(fill)
    tier = Tier(1 << 61, RATE_ONE // 1_000, 0, GEAR)
    highest = 2 * max(entry, fill, mark)
    made = engine(market(highest // tick * tick, tick, tiers=(tier,)), entry, **rules)
    must(made, kind=Kind.DEPOSIT, account=BIDDER, value=1 << 58)
    must(made, kind=Kind.DEPOSIT, account=LONG, value=margin)
    if fund:
        must(made, kind=Kind.DEPOSIT, account=made.house["funds"][0], value=fund)
    must(made, kind=Kind.SET_MARGIN_MODE, account=LONG, aux=int(MarginMode.ISOLATED))
    must(made, kind=Kind.SET_LEVERAGE, account=LONG, value=GEAR)
    must(made, kind=Kind.SEED_POSITION, account=LONG, side=Side.BUY, size_lots=lots, value=entry)
    left = int(made.accounts()["balance"][LONG])
    if left:
        must(made, kind=Kind.MOVE_MARGIN, account=LONG, value=left)
    order(made, BIDDER, Side.BUY, lots, fill // tick)
    must(made, kind=Kind.SET_MARK, value=mark)
    if not (made.drain()["kind"] == EventKind.LIQUIDATION_STARTED).any():
        raise NotApplicable("the account is not liquidated")
    return made


def fund_of(made: Engine) -> int:
    return int(made.accounts()["balance"][made.house["funds"][0]])


@formula("insurance_flow", spare=True)
def insurance_flow(inputs: Inputs) -> dict[str, Any]:
    """The fund takes a long over at its bankruptcy price and sells it: the sign of what is left."""
    scale = Scale(inputs["bust_long"], inputs["fill"])
    bust, fill = scale.units(inputs["bust_long"]), scale.units(inputs["fill"])
    fund = 1 << 55
    made = crashed(scale, 1, 2 * bust, bust, bust, fill, fund, BY_THE_FUND)
    change = fund_of(made) - fund
    return {"fund_delta_sign": (change > 0) - (change < 0)}


@formula("flox_insurance", spare=True)
def flox_insurance(inputs: Inputs) -> dict[str, Any]:
    """A long is closed in the book at the mark, and the fund covers what its equity does not."""
    numbers = [inputs[key] for key in ("entry", "equity", "mark", "fund")]
    scale = Scale(*numbers)
    entry, equity, mark, fund = map(scale.units, numbers)
    made = crashed(scale, int(inputs["long"]), entry, equity, mark, mark, fund, IN_THE_BOOK)
    return {"fund_after": scale.number(fund_of(made))}


@formula("percolator_drain", spare=True)
def percolator_drain(inputs: Inputs) -> dict[str, Any]:
    """A price gaps through a long's bankruptcy: the fund pays, whoever the counterparty is."""
    lot = exact(inputs["contracts"]) * exact(inputs["unit"])
    numbers = [inputs["user_capital"], *(exact(inputs[key]) * lot for key in ("price_from", "price_to")),
               inputs["insurance"]]  # fmt: skip
    scale = Scale(*numbers)
    capital, entry, mark, fund = map(scale.units, numbers)
    made = crashed(scale, 1, entry, capital, mark, mark, fund, IN_THE_BOOK)
    seller = next(row for row in made.positions() if row["account"] == made.house["world"])
    return {
        "loss": scale.number(-made.accounts()["realised"][LONG]), "counterparty_gain": scale.number(seller["pnl"]),
        "insurance_paid": scale.number(fund - fund_of(made)), "insurance_after": scale.number(fund_of(made)),
    }  # fmt: skip


@formula("oct10_batch", "oct10_statistic", "oct10_policy", spare=True)
def recorded_crash(inputs: Inputs) -> dict[str, Any]:
    raise NotApplicable("a statistic of a data set that the product does not read")
