"""Command streams for tests: a tape, a population and a shock as one array, in the engine's own order."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from perpsim.core import COMMAND, Flag, Kind
from perpsim.replay import importing
from perpsim.replay.tape import MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape

ROOT = Path(__file__).resolve().parent.parent
PAIR = [ROOT / "replay" / "recordings" / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
KINDS = {
    Row.LEVEL: Kind.TAPE_LEVEL, Row.TRADE: Kind.TAPE_TRADE, Row.MARK: Kind.SET_MARK, Row.INDEX: Kind.SET_INDEX,
    Row.FUNDING: Kind.SET_FUNDING,
}  # fmt: skip


@cache
def shipped_tape() -> Tape:
    return importing.read(PAIR)


@pytest.fixture(autouse=True, scope="module")
def one_reading() -> Iterator[None]:
    """A test module that imports this reads the shipped recording but once."""

    plainly = importing.read

    def read(paths, given=None, *, progress=None):
        if [Path(path) for path in paths] != PAIR:
            return plainly(paths, given, progress=progress)
        tape = shipped_tape()
        if progress:
            progress(1, 1)
        return tape

    shipped_tape()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "read", read)
        yield


def tape_commands(tape: Tape, market: int = 0) -> np.ndarray:
    """The rows of a tape as commands that mean the same; off-book prints mean nothing."""
    row = tape.code & ROW_MASK
    commands = np.zeros(len(tape), COMMAND)
    commands["time_ns"], commands["market"] = tape.time_ns, market
    commands["side"] = (tape.code & SELL) != 0
    commands["flags"] = np.where(tape.code & MORE, Flag.MORE, 0) | np.where(tape.code & SNAPSHOT, Flag.SNAPSHOT, 0)
    for each, kind in KINDS.items():
        commands["kind"][row == each] = kind
    book = (row == Row.LEVEL) | (row == Row.TRADE)
    commands["price_ticks"][book], commands["size_lots"][book] = tape.price[book], tape.value[book]
    commands["flags"][~book] |= np.uint16(Flag.TAPE)
    commands["value"][~book] = tape.value[~book]
    commands["expire_ns"][row == Row.FUNDING] = tape.price[row == Row.FUNDING]
    return commands[row != Row.OFF_BOOK]


def merged(rows: np.ndarray, clients: np.ndarray) -> np.ndarray:
    """Rows and client commands in one stream: at equal times the clients come last, each kind in its own order."""
    everything = np.concatenate([rows, clients])
    rank = np.repeat([0, 1], [len(rows), len(clients)])
    return everything[np.lexsort((np.arange(len(everything)), rank, everything["time_ns"]))]
