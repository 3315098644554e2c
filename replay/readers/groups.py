"""Messages of several kinds, each kind in its own columns, merged into one tape order.

The order at equal times is the engine's: trades, then levels, then marks; then the order of the file. The rows of one
message stay together.
"""

from dataclasses import dataclass

import numpy as np
from perpsim.replay.tape import COLUMNS, MORE


@dataclass(frozen=True, eq=False)
class Groups:
    """m messages of one kind and their n rows, n = rows.sum().

    Per message (int64[m]): time_ns, receive_ns, sequence (place in the file), rows (how many; may be 0).
    Per row: code uint8[n] without the MORE bit, price, value and id int64[n].
    """

    rank: int  # place of the kind at equal times, lowest first
    time_ns: np.ndarray
    receive_ns: np.ndarray
    sequence: np.ndarray
    rows: np.ndarray
    code: np.ndarray
    price: np.ndarray
    value: np.ndarray
    id: np.ndarray


def merge(kinds: list[Groups]) -> dict[str, np.ndarray]:
    """The columns of a tape (see tape.COLUMNS) from all kinds of messages, sorted, with MORE bits set."""
    time_ns = np.concatenate([kind.time_ns for kind in kinds])
    rank = np.concatenate([np.full(len(kind.rows), kind.rank) for kind in kinds])
    sequence = np.concatenate([kind.sequence for kind in kinds])
    rows = np.concatenate([kind.rows for kind in kinds])
    order = np.lexsort((sequence, rank, time_ns))
    starts = np.empty(len(rows), np.int64)  # of each message on the tape
    starts[order] = np.cumsum(rows[order]) - rows[order]
    tape = {name: np.empty(int(rows.sum()), dtype) for name, dtype in COLUMNS.items()}
    done = 0
    for kind in kinds:
        _place(kind, starts[done : done + len(kind.rows)], tape)
        done += len(kind.rows)
    tape["code"] |= MORE
    tape["code"][(starts + rows - 1)[rows > 0]] &= 0xFF ^ MORE
    return tape


def _place(kind: Groups, starts: np.ndarray, tape: dict[str, np.ndarray]) -> None:
    """Copy the rows of a kind to where its messages start on the tape."""
    inside = np.arange(len(kind.code)) - np.repeat(np.cumsum(kind.rows) - kind.rows, kind.rows)
    places = np.repeat(starts, kind.rows) + inside
    tape["time_ns"][places] = np.repeat(kind.time_ns, kind.rows)
    tape["receive_ns"][places] = np.repeat(kind.receive_ns, kind.rows)
    tape["code"][places] = kind.code
    tape["price"][places] = kind.price
    tape["value"][places] = kind.value
    tape["id"][places] = kind.id
