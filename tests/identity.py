"""Does the engine's book equal the recorded one? `python -m tests.identity FILE...` (files of one market, in order).

The tape of the files goes through a kernel into an engine without accounts. After each depth message all levels of both
sides are compared with a reference book that is built here, straight from the messages, by the venue's own rules: no
code of ours but the engine stands behind one side, none at all behind the other. Ends with `updates N, mismatches M`;
exit code 1 if M is above zero.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from perpsim.core import Engine, Kernel, Side, Stop
from perpsim.exchange import Rulebook, Tier, contract
from perpsim.replay import importing
from perpsim.replay.errors import InputError
from perpsim.replay.tape import MORE, ROW_MASK, Row, Tape

UNIT = 10**8
SHOWN = 10  # mismatches that are printed


class Message(NamedTuple):
    """A depth update or a snapshot, levels as (price, size) texts."""

    snapshot: bool
    bids: list
    asks: list


class Half:
    """One side of the reference book: prices rising, and the sizes at them."""

    def __init__(self, tick: int, lot: int):
        self.tick, self.lot = tick, lot
        self.prices = np.zeros(0, np.int64)
        self.sizes = np.zeros(0, np.int64)

    def take(self, levels: list, snapshot: bool) -> None:
        """Set the levels named; a snapshot leaves no others."""
        named = {steps(price, self.tick): steps(size, self.lot) for price, size in levels}
        if snapshot:
            self.prices = self.sizes = np.zeros(0, np.int64)
        prices = np.array(sorted(named), np.int64)
        sizes = np.array([named[price] for price in prices.tolist()], np.int64)
        places = np.searchsorted(self.prices, prices)
        known = np.zeros(len(prices), bool)
        inside = places < len(self.prices)
        known[inside] = self.prices[places[inside]] == prices[inside]
        self.sizes[places[known]] = sizes[known]
        new = ~known & (sizes > 0)
        if new.any():
            self.prices = np.insert(self.prices, places[new], prices[new])
            self.sizes = np.insert(self.sizes, places[new], sizes[new])
        if (sizes == 0).any():
            left = self.sizes > 0
            self.prices, self.sizes = self.prices[left], self.sizes[left]


def steps(text: str, step: int) -> int:
    """How many steps (each of 1e-8 units) a decimal text is."""
    whole, _, fraction = text.partition(".")
    count, rest = divmod(int(whole + f"{fraction:0<8}"), step)
    if rest or len(fraction.rstrip("0")) > 8:
        raise InputError(f"{text} is not a multiple of {step} / {UNIT}")
    return count


def raw_messages(paths: list[Path]) -> Iterator[Message]:
    """Depth messages that count, in order of their ids: a snapshot, then every update from the one it joins."""
    waiting, seeded, last_id = [], False, 0
    for line in lines(paths):
        if b'"lastUpdateId"' in line:
            if seeded:
                continue
            found = orjson.loads(line)
            seeded, last_id = True, found["lastUpdateId"]
            yield Message(True, found["bids"], found["asks"])
            for update in waiting:
                if counts(update, last_id):
                    yield Message(False, update["b"], update["a"])
        elif b'"depthUpdate"' in line:
            update = orjson.loads(line)["data"]
            if not seeded:
                waiting.append(update)
            elif counts(update, last_id):
                yield Message(False, update["b"], update["a"])


def counts(update: dict, last_id: int) -> bool:
    """The venue's rule: futures drop updates with u < lastUpdateId, spot those with u <= lastUpdateId."""
    return update["u"] >= last_id if "pu" in update else update["u"] > last_id


def lines(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with (gzip.open if zipped else open)(path, "rb") as file:
            for line in file:
                yield line.partition(b" ")[2]


def bare_engine(tape: Tape) -> Engine:
    """An engine without accounts for a tape's grid; any kind of contract will do where nobody trades."""
    facts = tape.instrument
    highest = int(tape.price[(tape.code & ROW_MASK) == Row.LEVEL].max())
    spec = contract(
        facts.symbol, facts.tick, facts.lot, f"{highest * steps(facts.tick, 1) / UNIT:.8f}",
        tiers=(Tier(10**18, 10_000_000, 0, 10),),
    )  # fmt: skip
    return Engine(Rulebook("identity", "", "", (spec,)), [spec], 1, audit=0)


def message_ends(tape: Tape) -> np.ndarray:
    """One past the last row of each depth message on the tape."""
    return np.flatnonzero(((tape.code & ROW_MASK) == Row.LEVEL) & ((tape.code & MORE) == 0)) + 1


def same(engine: Engine, halves: tuple[Half, Half]) -> bool:
    for side, half in zip((Side.BUY, Side.SELL), halves, strict=True):
        book = engine.book(0, side)
        book = book[::-1] if side == Side.BUY else book
        if len(book) != len(half.prices):
            return False
        if not (np.array_equal(book[:, 0], half.prices) and np.array_equal(book[:, 1], half.sizes)):
            return False
    return True


def compare(paths: list[Path], updates_max: int | None = None) -> tuple[int, int]:
    """(updates compared, updates after which the books differed), of all updates or of the first so many."""
    tape = importing.read(paths)
    engine = bare_engine(tape)
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    grid = steps(tape.instrument.tick, 1), steps(tape.instrument.lot, 1)
    halves = Half(*grid), Half(*grid)
    columns, ends = tape.columns(), iter(message_ends(tape).tolist())
    updates = mismatches = begin = 0
    for message in raw_messages(paths):
        for half, levels in zip(halves, (message.bids, message.asks), strict=True):
            half.take(levels, message.snapshot)
        if message.bids or message.asks:
            end = next(ends)
            kernel.feed(stream, {name: column[begin:end] for name, column in columns.items()})
            assert kernel.run() == Stop.DATA
            begin = end
        updates += not message.snapshot
        if not same(engine, halves):
            mismatches += 1
            if mismatches <= SHOWN:
                print(f"update {updates}: the books differ")
        if updates == updates_max:
            return updates, mismatches
    assert next(ends, None) is None, "the tape has more depth messages than the files"
    return updates, mismatches


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m tests.identity FILE...", file=sys.stderr)
        return 2
    try:
        updates, mismatches = compare([Path(name) for name in sys.argv[1:]])
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"updates {updates}, mismatches {mismatches}")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
