"""What a contract is worth: linear in the quote; inverse in the base coin, where a long is a debt of coin."""

from .numbers import ceil_div, trunc_div
from .state import Market
from .wire import BUY, ContractKind, ValueRounding

COIN_PRICE = 10**16  # units of a coin times units of a price of 1


def inverse(m: Market) -> bool:
    return m.contract_kind == ContractKind.INVERSE


def coins(m: Market, lots: int, price: int) -> tuple[int, int]:
    """Exact worth of lots in coin at a price in 1e-8, as numerator and denominator."""
    return lots * m.lot_numerator * COIN_PRICE, m.lot_denominator * price


def value_at(m: Market, lots: int, price: int) -> int:
    """Signed value, rounded down: a position is never worth more, and never owes less."""
    if not inverse(m):
        return lots * m.lot_numerator * price // m.lot_denominator
    if lots == 0 or price <= 0:
        return 0
    above, below = coins(m, -lots, price)
    return above // below


def exposure_of(m: Market, value: int) -> int:
    """A value with the sign of its lots."""
    return -value if inverse(m) else value


def entry_value(m: Market, lots: int, price: int) -> int:
    """What signed lots cost at a price in 1e-8. Inverse: half up, of the whole or of one lot times the lots."""
    sign = 1 if lots > 0 else -1
    if not inverse(m):
        return sign * (abs(lots) * m.lot_numerator * price // m.lot_denominator)
    one = m.value_rounding == ValueRounding.PER_LOT
    above, below = coins(m, 1 if one else abs(lots), price)
    return -sign * ((2 * above + below) // (2 * below)) * (abs(lots) if one else 1)


def trade_value(m: Market, lots: int, ticks: int) -> int:
    return entry_value(m, lots, ticks * m.tick_value) if inverse(m) else lots * ticks * m.tick_lot_money


def lot_hold(m: Market, ticks: int) -> int:
    """What an order reserves a lot."""
    if not inverse(m):
        return ticks * m.tick_lot_money
    return ceil_div(*coins(m, 1, max(ticks, m.price_min) * m.tick_value))


def lot_loss(m: Market, side: int, ticks: int, premium: int) -> int:
    """What a lot of an order loses when it fills so many ticks through the mark."""
    if not inverse(m):
        return premium * m.tick_lot_money
    low, high = (ticks - premium, ticks) if side == BUY else (ticks, ticks + premium)
    if premium == 0:
        return 0
    above, below = coins(m, 1, high * m.tick_value)
    return lot_hold(m, low) - above // below


def shown_price(m: Market, lots: int, value: int) -> int:
    """In ticks toward zero; 0 where no price gives the value."""
    if not inverse(m):
        return trunc_div(trunc_div(value, lots), m.tick_lot_money)
    if value == 0 or (value > 0) == (lots > 0):
        return 0
    price = abs(lots) * m.lot_numerator * COIN_PRICE // abs(value)
    return 0 if price >= 2**63 else price // m.lot_denominator // m.tick_value


def closing_limit(m: Market, lots: int, value: int) -> int:
    """Worst price at which lots can be closed for what leaves them worth `value`."""
    if not inverse(m):
        if lots > 0:
            return max(1, ceil_div(ceil_div(value, lots), m.tick_lot_money))
        return min(m.price_max, -value // -lots // m.tick_lot_money)
    if m.value_rounding == ValueRounding.PER_LOT and (lots < 0 or value < 0):
        value = ceil_div(value, abs(lots)) * abs(lots)
    quote = abs(lots) * m.lot_numerator * COIN_PRICE
    if lots > 0:
        if value >= 0 or ceil_div(quote, -value) >= 2**63:
            return m.price_max + 1
        price = ceil_div(ceil_div(quote, -value), m.lot_denominator)
        return max(m.price_min, ceil_div(price, m.tick_value))
    if value <= 0 or quote // value >= 2**63:
        return m.price_max
    return min(m.price_max, quote // value // m.lot_denominator // m.tick_value)
