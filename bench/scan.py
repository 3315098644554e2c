"""The slow answers: who is under maintenance, and is all there? Every account, from scratch, in Python integers.

Shares no arithmetic with the core: it reads what accounts hold (balances, lots, costs, stages) and computes value,
maintenance and health from the rulebook by the definitions at the head of core/margin.pxd. Cross positions only.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import Engine
from perpsim.exchange import MarketSpec, Rulebook

from .harness import expect, rows_of

RATE_ONE = 1_000_000_000


def maintenance(spec: MarketSpec, notional: int) -> int:
    """Of one position, by the bracket in which its notional lies."""
    tier = next((tier for tier in spec.tiers if notional <= tier.cap), spec.tiers[-1])
    return -(-notional * tier.rate // RATE_ONE) - tier.deduction


def under_maintenance(engine: Engine, book: Rulebook, marks: np.ndarray) -> set[int]:
    """Customers with negative health at `marks`, those in a liquidation stage left out."""
    customers = engine.house["world"]
    mark = marks.tolist()
    health = {
        account: balance
        for account, balance, stage in rows_of(engine.accounts(), "account", "balance", "stage")
        if account < customers and stage == 0
    }
    for account, market, lots, cost in rows_of(engine.positions(), "account", "market", "lots", "cost"):
        if lots and account in health:
            spec = book.markets[market]
            value = lots * spec.lot_numerator * mark[market] // spec.lot_denominator
            health[account] += value - cost - maintenance(spec, abs(value))
    return {account for account, amount in health.items() if amount < 0}


def conserved(engine: Engine) -> None:
    """Money equals net deposits, and the lots of each market add up to nothing."""
    accounts, positions = engine.accounts(), engine.positions()
    held = sum(accounts["balance"].tolist()) + sum(accounts["isolated"].tolist())
    expect(held == sum(accounts["deposited"].tolist()), "money is conserved")
    for market in np.unique(positions["market"]):
        expect(sum(positions["lots"][positions["market"] == market].tolist()) == 0, f"lots of market {market}")
