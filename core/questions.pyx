"""What a trader asks of an engine's state, in the engine's own words; changes nothing.

Doors of `exchange.calculator`: each calls the functions of `margin.pxd` that decide in the engine itself.
"""

from libc.stdint cimport int32_t, int64_t

from .adl cimport Face, eligible, is_queue, look_at_face, score_of
from .engine cimport Engine
from .idmap cimport find_leg
from .ladder cimport NONE
from .margin cimport available, tier_of, unit_equity, unit_maintenance, value_at
from .oi_limit cimport ladder_limit
from .records cimport LEG_BOTH, MODE_CROSS
from .state cimport Market, State, Tier
from .units cimport high_word, i128, low_word, money_t, value_t


cdef int32_t position_at(Engine engine, int32_t account, int32_t market, int leg) except -1:
    engine.known(market)
    if not 0 <= account < engine.state.accounts_count:
        raise IndexError(f"account {account} is not one of the engine's {engine.state.accounts_count}")
    cdef int32_t slot = find_leg(&engine.state, account, market, leg)
    if slot == NONE:
        raise ValueError(f"account {account} has no position in market {market}")
    return slot


def unit_at(Engine engine, int32_t account, int32_t market, int64_t mark, int leg=LEG_BOTH) -> tuple:
    """The account's risk unit in a market as it would be at another mark of that market, 1e-8 of the quote.

    (value of the position, equity of the unit, its maintenance), money in 1e-8: the unit is liquidated where equity is
    less than maintenance. Raises OverflowError where a number leaves 64 bits.
    """
    cdef State *s = &engine.state
    cdef int32_t slot = position_at(engine, account, market, leg)
    cdef int32_t wallet = s.positions[slot].wallet
    cdef Market *m = &s.markets[market]
    cdef value_t before = m.mark
    cdef int overflow = s.overflow
    cdef int32_t position = NONE if s.positions[slot].mode == MODE_CROSS else slot
    cdef bint wide
    cdef money_t value, equity, maintenance
    m.mark = mark
    s.overflow = 0
    value = value_at(s, m, s.positions[slot].lots, mark)
    equity = unit_equity(s, wallet, position)
    maintenance = unit_maintenance(s, wallet, position)
    wide = s.overflow
    s.overflow = overflow
    m.mark = before
    if wide:
        raise OverflowError("a number leaves 64 bits at this mark")
    return value, equity, maintenance


def available_of(Engine engine, int32_t account, int32_t market, int leg=LEG_BOTH) -> int:
    """What the account may use for new orders that are settled as the market is, 1e-8."""
    cdef State *s = &engine.state
    cdef int32_t slot = position_at(engine, account, market, leg)
    return available(s, &s.wallets[s.positions[slot].wallet], NONE, True)


def tier_at(Engine engine, int32_t market, int64_t notional) -> int:
    """Number of the tier, from 0, in which a notional in 1e-8 lies: the one whose rate and deduction it has."""
    engine.known(market)
    cdef Market *m = &engine.state.markets[market]
    cdef Tier *t = tier_of(&engine.state, m, notional)
    return t - &engine.state.tiers[m.tier_first]


def interest_limit_of(Engine engine, int32_t market, int64_t interest) -> int:
    """Largest position by the market's ladder, in lots, at an open interest of so many lots."""
    engine.known(market)
    cdef Market *m = &engine.state.markets[market]
    # rates are at most 1, and the parts of an open interest together no more than it: nothing leaves 64 bits
    return ladder_limit(m.oi_bands, m.oi_count, interest, &engine.state.overflow)


def adl_queue(Engine engine, int32_t market, bint longs) -> list:
    """(account, leg, score) of everybody whom ADL may take among the longs, or shorts, of a market; first in front.

    Scores are those of the venue's policy, units as in adl_scores.pxd; a policy that is no queue has none: ValueError.
    """
    engine.known(market)
    cdef State *s = &engine.state
    cdef Market *m = &s.markets[market]
    cdef int32_t slot = m.positions_head
    cdef Face face
    cdef i128 score
    cdef int overflow = s.overflow
    if not is_queue(s.rules.adl_policy):
        raise ValueError("the venue's ADL policy has no queue")
    found = []
    while slot != NONE:
        if eligible(s, &s.positions[slot], longs):
            look_at_face(s, slot, m, &face)
            score = score_of(s.rules.adl_policy, &face)
            number = int(high_word(score)) << 64 | int(low_word(score))
            found.append((s.positions[slot].account, s.positions[slot].leg, number))
        slot = s.positions[slot].market_next
    if s.overflow != overflow:
        s.overflow = overflow
        raise OverflowError("a score leaves 64 bits")
    return sorted(found, key=lambda entry: (-entry[2], entry[0], entry[1]))
