"""Where collateral prices come from."""

from .book import best_price
from .collateral import PRICE_MAX, Asset
from .state import Venue
from .wire import BUY, RATE_ONE, SELL, CollateralOracle, EventKind, SpotPrice


def spot_price(v: Venue, asset: Asset) -> int:
    if asset.spot_market < 0:
        return 0
    m = v.markets[asset.spot_market]
    if v.collateral_spot_price == SpotPrice.LAST:
        return m.last * m.tick_value
    bid, ask = best_price(m, BUY), best_price(m, SELL)
    return 0 if bid is None or ask is None else (bid + ask) * m.tick_value // 2


def index_price(v: Venue, asset: Asset) -> int:
    return asset.given if asset.index_market < 0 else v.markets[asset.index_market].index


def redemption_price(v: Venue, asset: Asset) -> int:
    return 0 if asset.underlying < 0 else v.collateral[asset.underlying].price * asset.redemption_ratio // RATE_ONE


def blended(v: Venue, asset: Asset) -> int:
    parts = [
        (spot_price(v, asset), v.blend_spot), (index_price(v, asset), v.blend_index),
        (redemption_price(v, asset), v.blend_redemption),
    ]  # fmt: skip
    parts = [(price, weight) for price, weight in parts if price > 0]
    total = sum(weight for _, weight in parts)
    return sum(price * weight // total for price, weight in parts) if total else 0


def oracle_price(v: Venue, asset: Asset) -> int:
    if v.collateral_oracle == CollateralOracle.VENUE_SPOT and asset.spot_market >= 0:
        price = spot_price(v, asset)
    elif v.collateral_oracle == CollateralOracle.REDEMPTION and asset.underlying >= 0:
        price = redemption_price(v, asset)
    elif v.collateral_oracle == CollateralOracle.BLEND:
        price = blended(v, asset)
    else:
        price = index_price(v, asset)
    return min(max(price, asset.floor), PRICE_MAX) if price > 0 else asset.price


def refresh(v: Venue) -> None:
    """Collateral prices change at the end of a mark group, in order of assets."""
    v.prices_changed = False
    for asset in v.collateral[1:]:
        price = oracle_price(v, asset)
        if price != asset.price:
            v.emit(EventKind.COLLATERAL_PRICE, asset=asset.number, value=price, aux=asset.price)
            asset.price = price
