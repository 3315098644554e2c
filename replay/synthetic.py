"""A book for tapes that have trades only: stated depth around the last print, made of LEVEL rows.

A print that bought was at the best ask, one that sold at the best bid; the other side stands `spread` ticks away. Level
k of a side, counted from 0 at the best price, a tick a level, holds depth * (1 + slope * k) lots, rounded down. Prints
come first: they meet the book that stood before them. After the last print of a time the book is centred on it anew,
in one depth message that names the levels whose size is another now; the level of that print is always named, so what
was printed is refilled, as of any recorded book.

To the engine these rows are a recording like any other. What they say of liquidity is an assumption, and every result
names it (replay/labels.py). The rows depend on the prints alone, not on how the recording is cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from perpsim.replay.tape import MORE, ROW_MASK, SELL, Batch, Row

PIECE = 1 << 15  # rows of a recording that are worked on at a time
MADE_MAX = 1 << 19  # rows that are handed on at a time, if one message has not more
LOTS_MAX = 1 << 40  # of a level


@dataclass(frozen=True)
class Shape:
    """The stated book: lots of level k are floor(depth * (1 + slope * k)), for `levels` levels a side."""

    depth: Fraction  # lots
    slope: Fraction  # share of the depth that each level is larger than the one before
    levels: int
    spread: int  # ticks from the best bid to the best ask

    def lots(self) -> np.ndarray:
        """Lots of the levels, from the best price outward."""
        step = self.depth * self.slope
        return np.array([int(self.depth + step * level) for level in range(self.levels)], np.int64)


class Book:
    """Follows one recording. `around` takes its batches in order and yields them with the book's rows in place.

    prints   trades so far: [at a price where the book had lots on the maker's side, between the best prices or beyond
             the touch of the other side, beyond the last level]
    rows     rows of the book so far; both counted up to `end_ns`
    """

    def __init__(self, shape: Shape, end_ns: int):
        self.shape, self.end_ns = shape, end_ns
        self.ask: int | None = None  # best ask; None before the first print
        self.prints = [0, 0, 0]
        self.rows = 0
        self._lots = shape.lots()
        self._changes: dict[int | None, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def around(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The recording with the book's rows. Rows of a batch's last time wait for the next batch: more may follow."""
        held: Batch | None = None
        for batch in batches:
            columns = batch if held is None else {name: np.concatenate((held[name], batch[name])) for name in batch}
            times = columns["time_ns"]
            if not len(times):
                continue
            ready = int(np.searchsorted(times, times[-1]))
            held = {name: column[ready:] for name, column in columns.items()}
            yield from self._pieces({name: column[:ready] for name, column in columns.items()})
        if held is not None:
            yield from self._pieces(held)

    def _pieces(self, columns: Batch) -> Iterator[Batch]:
        """Whole times, some at once."""
        times = columns["time_ns"]
        first = 0
        while first < len(times):
            last = min(first + PIECE, len(times))
            if last < len(times):  # to the end of its time
                last = int(np.searchsorted(times, times[last - 1], "right"))
            yield from self._piece({name: column[first:last] for name, column in columns.items()})
            first = last

    def _piece(self, columns: Batch) -> Iterator[Batch]:
        """One piece of whole times: messages are made for each last print of a time, and put behind it."""
        trades = np.flatnonzero((columns["code"] & ROW_MASK) == Row.TRADE)
        times = columns["time_ns"][trades]
        ends = np.flatnonzero(np.append(times[1:] != times[:-1], True)) if len(trades) else trades
        last = trades[ends]  # the last print of each time
        asks = self._centres(columns["price"][last], (columns["code"][last] & SELL) != 0)
        self._count(columns, trades, ends, asks)
        size, first = np.empty(len(last), np.int64), 0
        moves = np.diff(asks)
        if len(last) and self.ask is None:
            size[0], first = len(self._change(None)[0]), 1
        for move in np.unique(moves[first:]).tolist():
            size[first:][moves[first:] == move] = len(self._change(move)[0])
        done = row = 0
        while done < len(last):
            reach = int(np.searchsorted(np.cumsum(size[done:]), MADE_MAX, "right"))
            end = done + max(1, reach)
            stop = int(last[end - 1]) + 1 if end < len(last) else len(columns["code"])
            part = {name: column[row:stop] for name, column in columns.items()}
            yield self._merged(part, last[done:end] - row, asks[done : end + 1], size[done:end])
            done, row = end, stop
        if row < len(columns["code"]):
            yield {name: column[row:] for name, column in columns.items()}

    def _centres(self, price: np.ndarray, sold: np.ndarray) -> np.ndarray:
        """Best asks: before the first of these prints (any number, if there was none), then after each."""
        after = np.where(sold, price + self.shape.spread, price)
        before = self.ask if self.ask is not None else (after[0] if len(after) else 0)
        return np.concatenate(([before], after)).astype(np.int64)

    def _count(self, columns: Batch, trades: np.ndarray, ends: np.ndarray, asks: np.ndarray) -> None:
        """Where the prints were, seen from the book that stood before their time."""
        group = np.searchsorted(ends, np.arange(len(trades)))
        known = columns["time_ns"][trades] <= self.end_ns
        if self.ask is None:
            known &= group > 0
        sold = (columns["code"][trades] & SELL) != 0
        ask = asks[group]
        price = columns["price"][trades]
        level = np.where(sold, ask - self.shape.spread - price, price - ask)[known]
        inside, beyond = int((level < 0).sum()), int((level >= self.shape.levels).sum())
        for place, count in enumerate((len(level) - inside - beyond, inside, beyond)):
            self.prints[place] += count

    def _change(self, move: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(code, price less best ask, lots) of the rows of a message that moves the book by so many ticks.

        None: the first message. A book that does not move is one row, of either side: see `_merged`.
        """
        found = self._changes.get(move)
        if found is None:
            if len(self._changes) > 4_096:
                self._changes.clear()
            found = self._changes[move] = self._made(move)
        return found

    def _made(self, move: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lots, levels = self._lots, self.shape.levels
        sides = []
        for sell in (0, SELL):
            sign = 1 if sell else -1
            place = np.arange(levels, dtype=np.int64)  # levels of the new book, from its best price outward
            size, before = lots, np.zeros(levels, np.int64)
            if move is not None:
                old = place + sign * move  # where they were in the old book
                there = (old >= 0) & (old < levels)
                before[there] = lots[old[there]]
                left = np.arange(levels, dtype=np.int64) - sign * move  # levels of the old book, counted in the new
                left = left[(left < 0) | (left >= levels)]
                place = np.concatenate((place, left))
                size = np.concatenate((size, np.zeros(len(left), np.int64)))
                before = np.concatenate((before, np.ones(len(left), np.int64)))
            named = size != before
            named[0] = True  # the best price: what was printed there is refilled
            offset = sign * place[named] - (0 if sell else self.shape.spread)
            sides.append((np.full(len(offset), Row.LEVEL | sell | MORE, np.uint8), offset, size[named]))
        code, offset, size = (np.concatenate(pair) for pair in zip(*sides, strict=True))
        code[-1] &= 0xFF ^ MORE
        return code, offset, size

    def _merged(self, part: Batch, last: np.ndarray, asks: np.ndarray, size: np.ndarray) -> Batch:
        """Recorded rows with a message after each of the rows `last`; asks: one more than messages, from before."""
        moves: list[int | None] = np.diff(asks).tolist()
        if self.ask is None:
            moves[0] = None
        self.ask = int(asks[-1])
        changes = [self._change(move) for move in moves]
        code, offset, lots = (np.concatenate(column) for column in zip(*changes, strict=True))
        price = offset + np.repeat(asks[1:], size)
        count = len(part["code"])
        behind = np.zeros(count, np.int64)  # rows put behind each recorded row
        behind[last] = size
        place = np.arange(count) + np.concatenate(([0], np.cumsum(behind)[:-1]))
        total = count + len(code)
        made = np.ones(total, bool)
        made[place] = False
        columns = {
            "time_ns": np.repeat(part["time_ns"], behind + 1),
            "receive_ns": np.repeat(part["receive_ns"], behind + 1),
        }
        for name, rows in (("code", code), ("price", price), ("value", lots), ("id", np.zeros(len(code), np.int64))):
            columns[name] = np.empty(total, part[name].dtype)
            columns[name][place] = part[name]
            columns[name][made] = rows
        above = ~made | (columns["price"] >= 1)  # no price stands at zero or below
        self.rows += int((made & above & (columns["time_ns"] <= self.end_ns)).sum())
        return columns if above.all() else {name: column[above] for name, column in columns.items()}
