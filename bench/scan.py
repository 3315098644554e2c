"""The slow answers: who is under maintenance, and is all there? Every account, from scratch, in Python integers.

Shares no arithmetic with the core: it reads what accounts hold (balances, lots, costs, margins, stages) and computes
value, maintenance and health from the rulebook by the definitions at the head of core/margin.pxd.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import MARKETS_ALL, Engine, MarginMode
from perpsim.exchange import MarketSpec, Rulebook

from .harness import expect, rows_of

RATE_ONE = 1_000_000_000

Unit = tuple[int, int]  # (account, market of an isolated position, or MARKETS_ALL for the cross positions together)


def maintenance(spec: MarketSpec, notional: int) -> int:
    """Of one position, by the bracket in which its notional lies."""
    tier = next((tier for tier in spec.tiers if notional <= tier.cap), spec.tiers[-1])
    return -(-notional * tier.rate // RATE_ONE) - tier.deduction


def under_maintenance(engine: Engine, book: Rulebook, marks: np.ndarray) -> set[Unit]:
    """Risk units of customers with negative health at `marks`, those in a liquidation stage left out."""
    customers = engine.house["world"]
    mark = [int(value) for value in marks]
    health: dict[Unit, int] = {}
    for account, balance, stage in rows_of(engine.accounts(), "account", "balance", "stage"):
        if account < customers and stage == 0:
            health[account, MARKETS_ALL] = balance
    names = ("account", "market", "mode", "stage", "lots", "cost", "isolated_margin")
    for account, market, mode, stage, lots, cost, margin in rows_of(engine.positions(), *names):
        if account >= customers or lots == 0:
            continue
        spec = book.markets[market]
        value = lots * spec.lot_numerator * mark[market] // spec.lot_denominator
        part = value - cost - maintenance(spec, abs(value))
        if mode == MarginMode.ISOLATED and stage == 0:
            health[account, market] = margin + part
        elif mode == MarginMode.CROSS and (account, MARKETS_ALL) in health:
            health[account, MARKETS_ALL] += part
    return {unit for unit, amount in health.items() if amount < 0}


def conserved(engine: Engine) -> None:
    """Money equals net deposits, and the lots of each market add up to nothing."""
    accounts, positions = engine.accounts(), engine.positions()
    held = sum(accounts["balance"].tolist()) + sum(accounts["isolated"].tolist())
    expect(held == sum(accounts["deposited"].tolist()), "money is conserved")
    for market in np.unique(positions["market"]):
        expect(sum(positions["lots"][positions["market"] == market].tolist()) == 0, f"lots of market {market}")
