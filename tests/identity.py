"""Does the engine's book equal the recorded one? `python -m tests.identity [--venue V --market M ...] FILE...`

The tape of the files goes through a kernel into an engine without accounts. After each depth message all levels of both
sides are compared with a reference book that is built here, straight from the messages, by the venue's own rules: no
code of ours but the engine stands behind one side, none at all behind the other (`tests/raw_books.py`). Captures of
venues that no reader takes are compared too; the messages themselves are then the tape.

Prints for each market `updates N, mismatches M`; exit code 1 if an M is above zero. --table prints rows of a table.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
from perpsim.core import Engine, Kernel, Side, Stop
from perpsim.exchange import Rulebook, Tier, contract
from perpsim.exchange.contracts import PRICE_MULTIPLE
from perpsim.replay import importing
from perpsim.replay.errors import InputError
from perpsim.replay.import_plan import Given, plan
from perpsim.replay.tape import MORE, ROW_MASK, SELL, SNAPSHOT, Row, Tape

from tests.raw_books import OF_READER, Market, Message, captured

UNIT = 10**12
SECOND_NS = 10**9
SHOWN = 10  # mismatches that are printed
WEBSOCKETS = "captured"  # in the place of a reader's name: there is none


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


def units(text: str) -> int:
    """A decimal text in units of 1e-12."""
    whole, _, fraction = text.partition(".")
    if len(fraction.rstrip("0")) > 12:
        raise InputError(f"{text} has more than twelve decimals")
    return int(whole + f"{fraction[:12]:0<12}")


def steps(text: str, step: int) -> int:
    """How many steps (each of 1e-12 units) a decimal text is."""
    count, rest = divmod(units(text), step)
    if rest:
        raise InputError(f"{text} is not a multiple of {step} / {UNIT}")
    return count


def bare_engine(highest: int) -> Engine:
    """An engine without accounts for prices up to so many ticks; any contract will do where nobody trades.

    What simulated takers do to the recorded book is switched on: without them it must do nothing.
    """
    reference = f"{Decimal(highest // PRICE_MULTIPLE + 1) / 10_000:f}"
    flow = {"impact_step_ns": SECOND_NS, "impact_factor": 10**9, "impact_kernel": (10**9, 10**8)}
    flow |= {"resilience_quotes": 1, "resilience_keep": 10**8}
    tiers = (Tier(10**18, 10_000_000, 0, 10),)
    spec = contract("MARKET", "0.0001", "0.0001", reference, tiers=tiers, **flow)  # steps as fine as can be
    return Engine(Rulebook("identity", "", "", (spec,)), [spec], 1, audit=0)


def message_ends(tape: Tape) -> np.ndarray:
    """One past the last row of each depth message on the tape."""
    return np.flatnonzero(((tape.code & ROW_MASK) == Row.LEVEL) & ((tape.code & MORE) == 0)) + 1


def same(engine: Engine, halves: tuple[Half, Half]) -> bool:
    """All levels where the venue has them: a shift would show too."""
    for side, half in zip((Side.BUY, Side.SELL), halves, strict=True):
        book = engine.book(0, side)
        book = book[::-1] if side == Side.BUY else book
        if len(book) != len(half.prices):
            return False
        if not (np.array_equal(book[:, 0], half.prices) and np.array_equal(book[:, 1], half.sizes)):
            return False
    return True


class Found(NamedTuple):
    """What came of one market. `reader`: or WEBSOCKETS."""

    market: str
    reader: str
    updates: int
    mismatches: int


def follow(
    engine: Engine,
    messages: Iterator[Message],
    chunks: Iterator[dict[str, np.ndarray]],
    halves: tuple[Half, Half],
    size: Callable[[str], str],
    updates_max: int | None = None,
) -> tuple[int, int]:
    """(updates compared, those after which the books differed). chunks: rows up to the end of each depth message."""
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    updates = mismatches = 0
    for message in messages:
        for half, levels in zip(halves, (message.bids, message.asks), strict=True):
            half.take([(price, size(lots)) for price, lots in levels], message.snapshot)
        if message.bids or message.asks:
            kernel.feed(stream, next(chunks))
            while kernel.run() != Stop.DATA:
                engine.drain()
            engine.drain()
        updates += message.update
        if not same(engine, halves):
            mismatches += 1
            if mismatches <= SHOWN:
                print(f"update {updates}: the books differ")
        if updates == updates_max:
            return updates, mismatches
    assert next(chunks, None) is None, "the tape has more depth messages than the files"
    return updates, mismatches


def compare(paths: list[Path], updates_max: int | None = None, given: Given | None = None) -> tuple[int, int]:
    """As `follow`, for files of one market that readers take."""
    (unit, *rest) = plan(paths, given or Given())
    tape = importing.read(paths, given)
    facts = tape.instrument
    if unit.reader not in OF_READER:
        raise InputError(f"the reader {unit.reader} gives no levels; give a recording of a book", paths[0])
    files = [file.path for each in (unit, *rest) for file in each.files]
    messages = OF_READER[unit.reader](files, Market(facts.venue, facts.symbol))
    ends = message_ends(tape).tolist()
    columns = tape.columns()
    chunks = (
        {name: column[first:last] for name, column in columns.items()}
        for first, last in zip([0, *ends], ends, strict=False)
    )
    halves = Half(units(facts.tick), units(facts.lot)), Half(units(facts.tick), units(facts.lot))
    in_coins = facts.kind != "inverse" and facts.contract_size != "1"
    each = Decimal(facts.contract_size)
    size = (lambda text: f"{Decimal(text) * each:f}") if in_coins else (lambda text: text)
    highest = int(tape.price[(tape.code & ROW_MASK) == Row.LEVEL].max())
    return follow(bare_engine(highest), messages, chunks, halves, size, updates_max)


def compare_messages(messages: list[Message]) -> tuple[int, int]:
    """As `follow`, for messages that no reader takes: their steps are the largest that all numbers are multiples of."""
    texts = [[level[at] for each in messages for side in each[1:3] for level in side] for at in range(2)]
    tick, lot = (math.gcd(*map(units, column)) for column in texts)
    halves = Half(tick, lot), Half(tick, lot)
    highest = max(map(units, texts[0])) // tick
    chunks = (rows_of(message, number, tick, lot) for number, message in enumerate(messages, 1) if any(message[1:3]))
    return follow(bare_engine(highest), iter(messages), chunks, halves, lambda text: text)


def rows_of(message: Message, number: int, tick: int, lot: int) -> dict[str, np.ndarray]:
    """A message as rows of a tape, at the time `number`."""
    rows = [
        (number, number, Row.LEVEL | flag | (SNAPSHOT if message.snapshot else 0) | MORE, steps(price, tick),
         steps(size, lot), 0)
        for side, flag in ((message.bids, 0), (message.asks, SELL))
        for price, size in side
    ]  # fmt: skip
    table = np.array(rows, np.int64)
    table[-1, 2] &= ~MORE
    columns = dict(zip(("time_ns", "receive_ns", "code", "price", "value", "id"), table.T.copy(), strict=True))
    return columns | {"code": columns["code"].astype(np.uint8)}


def compared(paths: list[Path], given: Given | None = None) -> Iterator[Found]:
    """Every market of the files."""
    given = given or Given()
    try:
        units = plan(paths, given)
    except InputError as error:
        if not (markets := captured(paths)):
            raise error
        for symbol, messages in markets.items():
            yield Found(symbol, WEBSOCKETS, *compare_messages(messages))
        return
    markets = {(unit.instrument.venue, unit.instrument.symbol): unit for unit in units}
    for (venue, symbol), unit in markets.items():
        of_one = Given(**(vars(given) | {"venue": venue, "symbol": symbol}))
        yield Found(f"{venue} {symbol}", unit.reader, *compare(paths, None, of_one))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.identity", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="of one recording, in order")
    for name in ("venue", "market", "tick", "lot", "kind", "contract-size", "reader"):
        parser.add_argument(f"--{name}", help="where the files do not say it")
    parser.add_argument("--table", action="store_true", help="a row of a Markdown table a market")
    asked = parser.parse_args()
    given = Given(
        reader=asked.reader, venue=asked.venue, symbol=asked.market, tick=asked.tick, lot=asked.lot, kind=asked.kind,
        contract_size=asked.contract_size,
    )  # fmt: skip
    different = False
    try:
        for found in compared(asked.files, given):
            cells = f"| {found.market} | `{found.reader}` | {found.updates:,} | {found.mismatches} |"
            plain = f"updates {found.updates}, mismatches {found.mismatches}"
            print(cells if asked.table else f"{found.market}: {plain}", flush=True)
            different |= found.mismatches > 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
