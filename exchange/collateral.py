"""Collateral of multi-asset accounts: the terms of each asset, as a rulebook states them.

    collateral = [
        { symbol = "USDT", haircuts = [[1e9, 0.0001]], exchange_below = 5000 },
        { symbol = "BTC", price = 60000, bid_buffer = 0.05, ask_buffer = 0.05, exchange_bid = 0.025 },
    ]

The first is the valuation unit. Rows of `haircuts` are [quantity up to which it holds, haircut].
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .units import money, rate

RATES = ("bid_buffer", "ask_buffer", "exchange_bid", "exchange_ask", "redemption_ratio")
AMOUNTS = ("cap", "exchange_below", "floor", "price")
NUMBERS = ("spot_market", "index_market", "underlying")


@dataclasses.dataclass(frozen=True)
class Collateral:
    """One asset. Rates in 1e-9, amounts in 1e-8 of the asset, `price` and `floor` in 1e-8 of the first asset.

    bid_buffer, ask_buffer      a balance counts at price * (1 - buffer), a debt at price * (1 + buffer)
    exchange_bid, exchange_ask  the same for forced conversion
    tiers                       (quantity up to which it holds, haircut), rising
    cap                         no more than this counts; 0: no limit
    exchange_below              a larger debt is converted at once; 0: never for its size
    floor                       the price never counts as less; 0: none
    spot_market, index_market   numbers of the engine's markets: the asset's own book, the index that prices it; or -1
    underlying                  number of an asset before this one, `redemption_ratio` of which are paid for one; or -1
    price                       at the start; 0: unknown until it is given
    """

    symbol: str
    bid_buffer: int = 0
    ask_buffer: int = 0
    exchange_bid: int = 0
    exchange_ask: int = 0
    cap: int = 0
    exchange_below: int = 0
    floor: int = 0
    redemption_ratio: int = 0
    spot_market: int = -1
    index_market: int = -1
    underlying: int = -1
    price: int = 0
    tiers: tuple[tuple[int, int], ...] = ()


def parse_collateral(rows: Any) -> tuple[Collateral, ...]:
    """Rows as a file states them -> terms. Raises ValueError with asset and key."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "symbol" in row for row in rows):
        raise ValueError("collateral: a list of tables, each with a symbol and the terms of one asset")
    return tuple(parse_asset(row) for row in rows)


def parse_asset(row: dict[str, Any]) -> Collateral:
    symbol, fields = str(row["symbol"]), {}
    for key, value in row.items():
        where = f"collateral {symbol}: {key}"
        if key in RATES:
            fields[key] = rate(value, where)
        elif key in AMOUNTS:
            fields[key] = money(value, where)
        elif key in NUMBERS:
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{where}: {value!r} is not a number of a market or an asset")
            fields[key] = value
        elif key == "haircuts":
            fields["tiers"] = tuple((money(cap, where), rate(haircut, where)) for cap, haircut in value)
        elif key != "symbol":
            known = ", ".join((*RATES, *AMOUNTS, *NUMBERS, "haircuts"))
            raise ValueError(f"{where} is not a term; known: {known}")
    return Collateral(symbol, **fields)
