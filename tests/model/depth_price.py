"""What a notional costs against the book."""

from .book import better_first
from .contract import COIN_PRICE, inverse, lot_hold
from .numbers import ceil_div
from .state import Market
from .wire import BUY


def impact_price(m: Market, side: int, notional: int) -> int | None:
    """Average price in whole ticks at which `notional` could be taken from a side; None if it does not hold that much.

    The last level gives one lot more than the rest of the notional buys. Bids are rounded down, asks up.
    """
    return mean_price(m, side, notional, in_lots=False)


def price_of_lots(m: Market, side: int, lots: int) -> int | None:
    """The same of so many lots, and not one more."""
    return mean_price(m, side, lots, in_lots=True)


def mean_price(m: Market, side: int, wanted: int, in_lots: bool) -> int | None:
    left, taken, paid = wanted, 0, 0
    for price in better_first(m.sides[side].queues, side):
        if left <= 0:
            break
        if price <= 0:
            continue
        unit = lot_hold(m, price)
        for segment in m.sides[side].queues[price]:
            if left <= 0:
                break
            lots = min(segment.lots, left if in_lots else left // unit + 1)
            taken, paid = taken + lots, paid + lots * (unit if inverse(m) else price)
            left -= lots if in_lots else lots * unit
    if left > 0 or taken == 0:
        return None
    if inverse(m):  # the mean of what a lot is worth, and the price that belongs to it
        quote = taken * m.lot_numerator * COIN_PRICE
        if side == BUY:
            return quote // paid // m.lot_denominator // m.tick_value
        return ceil_div(ceil_div(ceil_div(quote, paid), m.lot_denominator), m.tick_value)
    return paid // taken if side == BUY else ceil_div(paid, taken)
