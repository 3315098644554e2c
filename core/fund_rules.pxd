# The formulas of insurance funds, over plain integers. Header only; any unit will do as long as all amounts share it.
# The engine and the doors of formulas_fund.pyx call the same functions.

from .units cimport RATE_ONE, abs64, i128, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, rate_t, wide_mul

cdef inline money_t means_of(money_t balance, money_t equity) noexcept nogil:
    """What a fund may give away: no money that it has not, none that it needs for losses which it carries."""
    return max64(min64(balance, equity), 0)

cdef inline bint fund_empty(money_t equity) noexcept nogil:
    """Nothing is left to bear a loss with: pool ADL (venues 13.1), over as soon as there is something."""
    return equity <= 0

cdef inline lots_t fits_loss(lots_t size, money_t loss, money_t room, int *overflow) noexcept nogil:
    """How many of `size` lots that bring a loss may be taken by one that can lose `room`; rounded down."""
    if loss <= room or loss <= 0:
        return size
    return mul_div_floor(size, room, loss, overflow) if room > 0 else 0

cdef inline lots_t fits_notional(
    lots_t lots, money_t value, money_t equity, money_t net, rate_t multiple, int *overflow
) noexcept nogil:
    """How many of signed `lots`, worth `value`, keep |net notional| within a multiple of the equity (venues 12)."""
    cdef money_t room = mul_div_floor(max64(equity, 0), multiple, RATE_ONE, overflow)
    room += abs64(net) if (lots > 0) != (net > 0) else -abs64(net)
    return fits_loss(abs64(lots), abs64(value), room, overflow)

cdef inline bint drawdown_reached(money_t fall, money_t peak, rate_t rate) noexcept nogil:
    """fall / peak >= rate, exactly."""
    return wide_mul(fall, RATE_ONE) >= wide_mul(peak, rate)

cdef inline bint drawdown_holds(
    bint held, money_t fall, money_t peak, money_t balance, money_t threshold, rate_t trigger, rate_t stop
) noexcept nogil:
    """Whether a drawdown ADL is on, and stays on where it was `held` (venues 13.1: at the trigger itself the worked
    example is on; it is over above the stop)."""
    if held:
        return drawdown_reached(fall, peak, stop)
    return balance > threshold and drawdown_reached(fall, peak, trigger)

cdef inline money_t drawdown_room(money_t fall, money_t peak, rate_t trigger, int *overflow) noexcept nogil:
    """What may still be lost until the trigger, rounded down; negative: what goes to ADL (venues 13.1)."""
    return mul_div_floor(peak, trigger, RATE_ONE, overflow) - fall

cdef inline money_t drop_threshold(money_t peak, rate_t drop, money_t least, int *overflow) noexcept nogil:
    """Below it a fund counts as fallen: max(peak * (1 - drop), least), rounded up (venues 13.1)."""
    return max64(mul_div_ceil(peak, RATE_ONE - drop, RATE_ONE, overflow), least)

cdef inline lots_t disposal_size(
    lots_t held, rate_t fraction, lots_t full_size, lots_t available, rate_t fraction_max, int *overflow
) noexcept nogil:
    """Size of one order that disposes of an inventory: a fraction of it, all of it up to `full_size`, and no more than
    a fraction of what stands in the book within the band; both rounded up (open-engines 3)."""
    cdef lots_t size = held if held <= full_size else mul_div_ceil(held, fraction, RATE_ONE, overflow)
    return min64(min64(size, held), mul_div_ceil(available, fraction_max, RATE_ONE, overflow))
