"""A venue with a random stream of commands, for tests of the journal: what enters, and what must come out."""

from __future__ import annotations

import dataclasses
import functools
from itertools import pairwise

import numpy as np
from differential import as_array
from model import Twin
from perpsim.core import Engine
from perpsim.exchange.recovery import JournaledEngine
from stream_settings import BY_NAME
from streams import Stream

SETTING = BY_NAME["slices"]  # a tape, timers, liquidations in slices, an unwinding fund


def new_engine() -> Engine:
    """Without the harness's audits: these tests ask about bytes."""
    return Engine(SETTING.venue, SETTING.markets, SETTING.accounts, assets=SETTING.assets, audit=0)


@functools.cache
def stream(count: int, seed: int = 1) -> np.ndarray:
    """So many COMMAND records."""
    twin, commands = Twin(SETTING.venue, SETTING.markets, SETTING.accounts, SETTING.assets), []
    source = Stream(seed, SETTING, twin)
    while len(commands) < count:
        for command in source.next():
            commands.append(dataclasses.replace(command))
            twin.apply(command)
    return as_array(commands[:count])


def batches(commands: np.ndarray, most: int, seed: int = 1) -> list[np.ndarray]:
    """The same in pieces of 1 to `most`."""
    rng = np.random.default_rng(seed)
    cuts = [0]
    while cuts[-1] < len(commands):
        cuts.append(min(len(commands), cuts[-1] + int(rng.integers(1, most + 1))))
    return [commands[first:last] for first, last in pairwise(cuts)]


def digests(pieces: list[np.ndarray]) -> dict[int, str]:
    """Commands so far -> digest of an engine that nothing happens to."""
    engine, count = new_engine(), 0
    found = {0: engine.digest()}
    for piece in pieces:
        engine.apply(piece)
        count += len(piece)
        found[count] = engine.digest()
    return found


def journalled(pieces: list[np.ndarray], marks: int = 5) -> bytes:
    """Bytes of a journal of these batches, with a mark after each so many of them."""
    engine = JournaledEngine.in_memory(new_engine())
    for number, piece in enumerate(pieces, 1):
        engine.apply(piece)
        if number % marks == 0:
            engine.journal.mark(engine.engine.digest())
    return bytes(engine.journal.log.data)
