"""What the mid does after an event at the best prices, by kind of event.

R_e(l) = E[sign * (m_(t+l) - m_t) | event e], l in events; m_t is the mid before the event, and the sign says which way
the event pushes: a bought market order, a bid that grows, an ask that shrinks push up. Where a change of quotes came
with a trade at that side since the change before, it is a market order.
"""

from __future__ import annotations

import numpy as np

KINDS = ("market order", "limit order", "cancel")
MARKET, LIMIT, CANCEL = range(3)


def events_of(
    bid: np.ndarray, bid_lots: np.ndarray, ask: np.ndarray, ask_lots: np.ndarray, bought: np.ndarray, sold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(kind, sign, whether the mid moves) of each change of quotes; index i is the change from quote i to i + 1.

    bid, ask in ticks; bought, sold: whether a taker bought or sold between the two quotes, arrays of n - 1.
    A change of both sides counts as that of the side whose price moved more, the bid's when equal.
    """
    bid_step, ask_step = np.diff(bid), np.diff(ask)
    bid_grown = np.where(bid_step != 0, bid_step, np.sign(np.diff(bid_lots)))
    ask_grown = np.where(ask_step != 0, -ask_step, np.sign(np.diff(ask_lots)))
    of_ask = (np.abs(ask_step) > np.abs(bid_step)) | (bid_grown == 0)
    grown = np.where(of_ask, ask_grown, bid_grown)
    sign = np.sign(np.where(of_ask, -grown, grown))
    traded = np.where(of_ask, bought, sold) & (grown < 0)
    kind = np.where(grown > 0, LIMIT, np.where(traded, MARKET, CANCEL))
    return kind, sign, (bid_step + ask_step) != 0


def response(mid: np.ndarray, sign: np.ndarray, chosen: np.ndarray, lag: int) -> tuple[float, float, int]:
    """(mean, standard error, count) of sign * (mid after lag events - mid before); chosen: mask of the events."""
    at = np.flatnonzero(chosen & (sign != 0))
    at = at[at + lag < len(mid)]
    if len(at) < 2:
        return np.nan, np.nan, len(at)
    moves = sign[at] * (mid[at + lag] - mid[at])
    return float(moves.mean()), float(moves.std(ddof=1) / np.sqrt(len(at))), len(at)


def table(mid: np.ndarray, kind: np.ndarray, sign: np.ndarray, moving: np.ndarray, lag: int) -> dict[str, tuple]:
    """`response` by name of the kind and whether the event itself moved the mid."""
    return {
        f"{name}, {'price-moving' if moves else 'not price-moving'}": response(
            mid, sign, (kind == number) & (moving == moves), lag
        )
        for number, name in enumerate(KINDS)
        for moves in (True, False)
    }
