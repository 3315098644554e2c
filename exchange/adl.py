"""ADL by a function of one's own: from what an engine asks to the commands that answer.

A policy is a function `policy(question, candidates) -> lots`. `question` says what is to be closed
(`Engine.pending_adl` without its candidates), `candidates` is an array with a row a counterparty, by account:

    account, mode, leverage    who, its margin mode and chosen leverage
    lots                       signed; the other side of the question's
    value, cost, pnl           of its position: notional at the mark, notional at entry, their difference; 1e-8
    balance                    of the wallet, or the margin of an isolated position
    equity, maintenance        of the unit that the position is part of
    share                      of the equity, by maintenance: what is behind this position
    unhedged                   lots that can go without one that raises the account's net exposure in this underlying

It returns how many lots of each are closed: whole numbers, none above what is held, together at most what is asked for.
What it leaves goes to the next step of the venue's waterfall.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from perpsim.core import COMMAND, Flag, Kind

Policy = Callable[[dict[str, Any], np.ndarray], Any]


def ask(policy: Policy, pending: dict[str, Any]) -> Any:
    """What the policy says about `Engine.pending_adl`."""
    question = {key: value for key, value in pending.items() if key != "candidates"}
    return policy(question, pending["candidates"].copy())


def decision(pending: dict[str, Any], lots: Any) -> np.ndarray:
    """COMMAND records that close `lots` (one number a candidate). Raises ValueError, naming what is wrong."""
    rows, left = pending["candidates"], abs(pending["lots"])
    wanted = np.asarray(lots)
    if wanted.shape != (len(rows),):
        raise ValueError(f"gives an array of shape {wanted.shape} for {len(rows)} candidates; give one number each")
    if wanted.dtype.kind not in "iu":
        raise ValueError(f"gives numbers of type {wanted.dtype}; lots are whole, give integers")
    held = np.abs(rows["lots"])
    for bad in np.flatnonzero((wanted < 0) | (wanted > held))[:1]:
        raise ValueError(f"wants {wanted[bad]} lots of account {rows['account'][bad]}, which holds {held[bad]}")
    total = sum(wanted.tolist())
    if total > left:
        raise ValueError(f"wants {total} lots in all, of a position of {left}")
    chosen = np.flatnonzero(wanted)
    commands = np.zeros(max(1, len(chosen)), COMMAND)
    commands["kind"], commands["time_ns"] = Kind.ADL_DECISION, pending["time_ns"]
    commands["market"] = pending["market"]
    commands["flags"][:-1] = Flag.MORE
    if len(chosen):
        commands["account"], commands["size_lots"] = rows["account"][chosen], wanted[chosen]
    return commands
