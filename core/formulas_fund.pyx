"""Formulas of insurance funds and of shared losses as Python functions, for calculators: those that the engine uses.

Amounts are integers of one unit, whichever; sizes of another; rates are 1e-9. OverflowError where a result leaves 64
bits. The pages are named at the functions of fund_rules.pxd and loss_sharing.pxd.
"""

from libc.stdint cimport int64_t

from .fund_rules cimport (
    disposal_size, drawdown_holds, drawdown_reached, drawdown_room, drop_threshold, fund_empty, means_of,
)
from .loss_sharing cimport collect, part_by_lots, payout
from .units cimport RATE_ONE, mul_div_floor


cdef int64_t checked(int64_t result, int overflow) except? -1:
    if overflow:
        raise OverflowError("the result left 64 bits")
    return result


def drawdown_ratio(int64_t pnl, int64_t highest_pnl, int64_t highest_balance):
    """(pnl - its highest) / highest balance, 1e-9, rounded down."""
    cdef int overflow = 0
    cdef int64_t result = mul_div_floor(pnl - highest_pnl, RATE_ONE, highest_balance, &overflow)
    return checked(result, overflow)


def drawdown_adl(int64_t pnl, int64_t highest_pnl, int64_t balance, int64_t highest_balance, int64_t threshold,
                 int64_t trigger, int64_t stop, bint held=False):
    """Whether a drawdown keeps a fund from taking over, and what is beyond the trigger, so that ADL gets it."""
    cdef int overflow = 0
    cdef int64_t fall = highest_pnl - pnl
    cdef int64_t room = drawdown_room(fall, highest_balance, trigger, &overflow)
    checked(room, overflow)
    return drawdown_holds(held, fall, highest_balance, balance, threshold, trigger, stop), max(0, -room)


def fallen(int64_t fall, int64_t highest_balance, int64_t trigger):
    """Whether a fall is the trigger's part of the highest balance, or more."""
    return drawdown_reached(fall, highest_balance, trigger)


def threshold_of_drop(int64_t highest, int64_t drop, int64_t least):
    """The balance below which a fund counts as fallen."""
    cdef int overflow = 0
    cdef int64_t result = drop_threshold(highest, drop, least, &overflow)
    return checked(result, overflow)


def disposal(int64_t held, int64_t fraction, int64_t full_size, int64_t available, int64_t fraction_max):
    """Size of the next order that disposes of an inventory; 0: none."""
    cdef int overflow = 0
    cdef int64_t result = disposal_size(held, fraction, full_size, available, fraction_max, &overflow)
    return checked(result, overflow)


def from_fund(int64_t missing, int64_t balance, int64_t equity):
    """What a fund pays of a debt."""
    return collect(missing, means_of(balance, equity))


def loss_of_lots(int64_t loss, int64_t lots, int64_t longs, int64_t shorts):
    """What so many lots pay of a loss that all open positions share. ValueError where none is open."""
    cdef int overflow = 0
    cdef int64_t result
    if longs + abs(shorts) <= 0:
        raise ValueError("nobody is open to share the loss")
    result = part_by_lots(loss, lots, longs + abs(shorts), &overflow)
    return checked(result, overflow)


def scaled_payouts(int64_t fund, margins, losses, wins):
    """(collected, payouts in the order of `wins`, margins after losses, fund left): losers pay what they have, the fund
    what is missing as far as it goes, winners get their part of it; the last one also what the roundings leave."""
    cdef int overflow = 0
    cdef int64_t collected = 0, owed = sum(losses), expected = sum(wins), part
    left = list(margins)
    for i, loss in enumerate(losses):
        part = collect(loss, left[i])
        left[i] -= part
        collected += part
    part = collect(owed - collected, fund)
    collected += part
    payouts = [payout(win, collected, expected, &overflow) if expected else 0 for win in wins]
    if payouts and expected:
        payouts[len(payouts) - 1] += collected - sum(payouts)
    checked(0, overflow)
    return collected, payouts, left, fund - part


def empty(int64_t balance):
    """Whether a fund of this margin balance takes nothing over, whatever its trigger."""
    return fund_empty(balance)


def value_of_lots(int64_t each, int64_t lots, int64_t unit):
    """What `lots` pay at `each` for `unit` lots; rounded up."""
    cdef int overflow = 0
    cdef int64_t result = part_by_lots(each, lots, unit, &overflow)
    return checked(result, overflow)
