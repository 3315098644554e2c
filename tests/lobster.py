"""`python -m tests.lobster ZIP [ZIP...]`: the engine's book beside LOBSTER's own, level by level, after every message.

The product's reader turns the messages into rows, the kernel plays them into an engine without accounts, and after each
message the whole book of the engine is compared with the same row of the orderbook file, which is read here anew.
A mismatch is a message

- after which the engine's book is not that row, or
- of which the reader found anything wrong, or
- whose row is not what `Plain` allows: the messages alone, applied to a table of prices and sizes. Its only licence is
  a level that enters the window: one that stands beyond all others, on the side of the message, when that message has
  just ended a level of a side that had L of them. So nothing that a message does say is ever taken from the answer.

The orders at the start come from the first row, less the first message.
"""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from perpsim.core import Engine, Kernel, Side
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, Tier
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Rows, SourceFile, sources
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.lobster import LOBSTER, named, pairs
from perpsim.replay.tape import COLUMNS

READER = LOBSTER[0]
EMPTY = 9_999_999_999
SHOWN = 5
Levels = dict[int, int]  # lots by price
Row = tuple[list[list[int]], list[list[int]]]  # bids, asks: [price, lots], best first


class Plain:
    """Two tables of prices and sizes, and what a row of the book may say after a message."""

    def __init__(self, levels: int):
        self.levels = levels
        self.sides: tuple[Levels, Levels] | None = None
        self.entered = 0

    def allows(self, message: list[str], row: Row) -> bool:
        kind, lots, price = int(message[1]), int(message[3]), int(message[4])
        side = 0 if int(message[5]) == 1 else 1
        if self.sides is None:
            self.sides = dict(row[0]), dict(row[1])
            if kind <= 4:
                table = self.sides[side]
                table[price] = table.get(price, 0) + (-lots if kind == 1 else lots)
                self.sides[side].update({price: table[price]} if table[price] else {})
                self.tidy(side)
        had = len(self.sides[side])
        if kind <= 4:
            table = self.sides[side]
            table[price] = table.get(price, 0) + (lots if kind == 1 else -lots)
            if table[price] < 0:
                return False
            self.tidy(side)
        right = True
        for each in (0, 1):
            mine = [list(level) for level in self.ordered(each)]
            if mine == row[each]:
                continue
            ended = each == side and had == self.levels and len(mine) == had - 1
            beyond = row[each][:-1] == mine and (not mine or (row[each][-1][0] > mine[-1][0]) == (each == 1))
            right &= ended and beyond
            self.entered += ended and beyond
            self.sides = tuple(dict(row[at]) if at == each else table for at, table in enumerate(self.sides))
        return right

    def ordered(self, side: int) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side == 0)

    def tidy(self, side: int) -> None:
        """Without empty levels, and no more than the window shows."""
        kept = [level for level in self.ordered(side) if level[1]][: self.levels]
        self.sides = tuple(dict(kept) if each == side else table for each, table in enumerate(self.sides))


def text(file: SourceFile) -> Iterator[list[str]]:
    with file.open() as stream:
        yield from csv.reader(io.TextIOWrapper(stream, "ascii"))


def book_rows(file: SourceFile) -> Iterator[Row]:
    for cells in text(file):
        numbers = [int(cell) for cell in cells]
        yield tuple(
            [numbers[at : at + 2] for at in range(first, len(numbers), 4) if abs(numbers[at]) != EMPTY]
            for first in (2, 0)
        )


def rows_of_messages(blocks: Iterator[Rows]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(line, columns) of the rows of each message; the rows at the start belong to the first."""
    for block in blocks:
        columns = {name: getattr(block, name) for name in COLUMNS}
        cuts = np.flatnonzero(np.diff(block.line)) + 1
        for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), len(block.line)], strict=True):
            yield int(block.line[first]), {name: column[first:last] for name, column in columns.items()}


def bare_engine(highest: int) -> Engine:
    """An engine whose ticks and lots are LOBSTER's: 0.0001 USD and a share."""
    tiers = (Tier(10**18, 10_000_000, 0, 10),)
    spec = contract("STOCK", "0.0001", "1", f"{highest / 10_000:.4f}", tiers=tiers)
    return Engine(Rulebook("lobster", "", "", (spec,)), [spec], 1, audit=0)


def highest_price(book: SourceFile) -> int:
    return max(level[0] for row in book_rows(book) for side in row for level in side)


def compare(messages: SourceFile, book: SourceFile, messages_max: int | None = None) -> tuple[int, int, int]:
    """(messages compared, messages after which something differs, levels that entered the window)."""
    levels = named(messages).levels
    findings = Findings(record=True)
    reader = READER.rows([messages, book], READER.instrument(messages), findings)
    kernel = Kernel([engine := bare_engine(highest_price(book))])
    stream, plain = kernel.add_stream(0, 0), Plain(levels)
    pieces = rows_of_messages(reader)
    piece = next(pieces, None)
    named_wrong: set[int] = set()
    compared = mismatches = seen = 0
    for number, (message, row) in enumerate(zip(text(messages), book_rows(book), strict=True), 1):
        while piece is not None and piece[0] <= number:
            kernel.feed(stream, piece[1])
            kernel.run()
            piece = next(pieces, None)
        same = plain.allows(message, row)
        for side in (Side.BUY, Side.SELL):
            same &= engine.book(0, side).tolist() == row[side]
        named_wrong.update(finding.line for finding in findings.found[seen:])
        seen = len(findings.found)
        same &= number not in named_wrong
        compared += 1
        mismatches += not same
        if not same and mismatches <= SHOWN:
            print(f"message {number}: the books differ")
        if compared == messages_max:
            return compared, mismatches, plain.entered
    return compared, mismatches, plain.entered


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m tests.lobster ZIP...", file=sys.stderr)
        return 2
    total = wrong = 0
    try:
        for name in sys.argv[1:]:
            for messages, book in pairs([each for each in sources(Path(name)) if READER.recognises(each)]):
                compared, mismatches, entered = compare(messages, book)
                print(f"{messages.name}: {compared} messages, {mismatches} mismatches, {entered} levels entered")
                total, wrong = total + compared, wrong + mismatches
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if not total:
        print("there are no LOBSTER files in what was given", file=sys.stderr)
        return 2
    print(f"messages {total}, mismatches {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
