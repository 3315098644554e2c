"""What of a run is stated rather than recorded, in sentences that go into every result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction

from perpsim.exchange.units import decimal_text
from perpsim.replay.market_plan import MarketPlan
from perpsim.replay.plan import Plan

KEY = b"perpsim.labels"  # of the metadata of the Parquet files of a result: a JSON list of sentences


def labels(plan: Plan) -> list[str]:
    """One sentence for each assumption, by market. A run of recordings that have everything has none."""
    return [f"{market.spec.symbol}: {sentence}" for market in plan.markets for sentence in _of_market(market)]


def metadata(said: Sequence[str]) -> dict[bytes, bytes]:
    """For the schema of a Parquet file; nothing where there is nothing to say."""
    return {KEY: json.dumps(list(said)).encode()} if said else {}


def _of_market(market: MarketPlan) -> Iterator[str]:
    if market.shape:
        stated = market.settings.synthetic
        yield (
            f"the book is synthetic, not recorded: {stated.levels} levels a side around the last print, "
            f"{stated.depth} at the best, slope {stated.slope} a level, spread {stated.spread} ticks"
        )
    if market.settings.beyond:
        stated = market.settings.beyond
        yield (
            f"beyond the recorded depth {stated.ticks} levels are stated, {stated.depth} at the first, slope "
            f"{stated.slope} a level; fills from there are flagged"
        )
    if market.index_period_ns:
        yield (
            f"the index is not recorded: it is the last print of this recording, every "
            f"{decimal_text(Fraction(market.index_period_ns, 10**9))} s, so it follows the market that it should hold"
        )
    for kind, count in market.bars:
        yield f"{kind.name.lower()} prices are {count:,} bars, {PATHS[market.path]}; prices in between are unknown"


PATHS = {
    "close": "their closes at their ends, lows and highs left out",
    "open": "their opens at their starts, lows and highs left out",
    "open-low-high-close": "walked through as open, low, high, close, of which the times are assumed",
    "open-high-low-close": "walked through as open, high, low, close, of which the times are assumed",
}
