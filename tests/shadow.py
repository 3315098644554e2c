"""Shadows: every engine that a test uses is run again in other ways, and must come out the same.

`Engine` and `Kernel` here note what they are told. When a test has passed, conftest hands each note to `run_again`,
which plays it on

    twin      the naive twin and, beside it, a core that gets one command at a time; events and state compared
    whole     a core that gets everything in one batch
    restored  a core that is replaced by its own snapshot again and again
    journal   a core rebuilt from a journal of the commands

and compares the digests, and the state where the note reaches to the end of the test. Rows of a tape that a kernel has
played are noted as the commands that mean the same, in an order that is worked out here, not taken from the kernel.

What is not run again is decided here, with its reason:
- commands after the first COMMANDS_MAX of an engine: a test may play a day; what breaks a shadow breaks it early;
- the twin, beyond TWIN_ACCOUNTS accounts or TWIN_COMMANDS commands: it is a hundred times slower; and where a position
  may have more than TWIN_LOTS lots: it finds the size of a forced order by trying;
- an engine that has stopped, by an overflow or a broken invariant: it answers nothing any more;
- what a kernel's engine is told while the kernel stands amid an instant, and all after it: the order cannot be told
  from outside;
- a test that is marked `unshadowed("the reason")`.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import NamedTuple

import numpy as np
import perpsim.core
from perpsim.core import COMMAND, Flag, Kind, Stop, TapeRow
from perpsim.core.engine import market_parameters, venue_parameters
from perpsim.exchange.recovery import JournaledEngine, replay

BareEngine, BareKernel = perpsim.core.Engine, perpsim.core.Kernel
COMMANDS_MAX = 3_000
TWIN_ACCOUNTS, TWIN_COMMANDS, TWIN_LOTS = 100, 300, 2**30
RESTORES = 4
JOURNAL_BATCHES = 3
STOPPED = (AssertionError, OverflowError, MemoryError, RuntimeError)
LEVEL, TRADE, MARK, INDEX, FUNDING, OFF_BOOK = range(1, 7)  # rows of a tape, ARCHITECTURE.md
ROW_SELL, ROW_MORE, ROW_SNAPSHOT = 16, 32, 64
ROW_KINDS = {
    LEVEL: Kind.TAPE_LEVEL, TRADE: Kind.TAPE_TRADE, MARK: Kind.SET_MARK, INDEX: Kind.SET_INDEX,
    FUNDING: Kind.SET_FUNDING, TapeRow.STATE: Kind.SET_MARKET_STATE,
} | dict.fromkeys(range(TapeRow.ORDER_ADD, TapeRow.STATE), Kind.TAPE_ORDER)  # fmt: skip
NOTES: list[Note] = []  # of the engines made since the last `take`


class Note:
    """What an engine was told, and the digest that it must have after that."""

    def __init__(self, engine: Engine, rulebook, markets, accounts_max, seed=0, *, venue=0, assets=1, audit=0) -> None:
        self.rules = rulebook if isinstance(rulebook, dict) else venue_parameters(rulebook)
        self.markets = [m if isinstance(m, dict) else market_parameters(m) for m in markets]
        self.accounts, self.seed, self.venue, self.assets = accounts_max, seed, venue, assets
        self.engine: Engine | None = engine  # None: it has stopped, so there is nothing to compare
        self.pieces: list[np.ndarray] = []
        self.count = 0
        self.digest: str | None = None  # after the pieces; None while no more is known than the engine itself
        self.open = True  # what comes is still noted
        self.amid = False  # the engine has been told more than is noted so far

    def commands(self) -> np.ndarray:
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, COMMAND)

    def add(self, commands: np.ndarray) -> None:
        self.pieces.append(commands.copy())
        self.count += len(commands)

    def keep(self) -> None:
        """The pieces are all that the engine was told so far."""
        self.digest, self.amid = self.engine.digest(), False

    def close(self) -> None:
        """What comes is not noted any more."""
        if self.open and not self.amid:
            self.keep()
        self.open = False

    def drop(self) -> None:
        self.engine, self.open, self.pieces, self.count = None, False, [], 0

    def expected(self) -> str | None:
        """The digest after the pieces."""
        return self.engine.digest() if self.open and not self.amid else self.digest

    def new_engine(self) -> BareEngine:
        return BareEngine(self.rules, self.markets, self.accounts, self.seed, venue=self.venue, assets=self.assets)


def take() -> list[Note]:
    """The notes since the last call that say anything."""
    notes = [note for note in NOTES if note.engine is not None and note.count and note.expected()]
    NOTES.clear()
    return notes


class Engine(BareEngine):
    """An engine that notes what it is told."""

    before = 0  # commands of an `apply` in two parts that the first of them has taken

    def __new__(cls, *arguments, **options):
        engine = super().__new__(cls, *arguments, **options)
        engine.note = Note(engine, *arguments, **options)
        NOTES.append(engine.note)
        return engine

    def apply(self, commands):
        note, self.before = self.note, 0
        if note.amid or self.asks:  # what stops for a user's decision is compared by tests of its own
            note.close()
        if not note.open or not isinstance(commands, np.ndarray):
            return super().apply(commands)
        room = COMMANDS_MAX - note.count
        if len(commands) <= room:
            return self.told(super().apply, commands)
        first = self.told(super().apply, commands[:room])
        note.close()
        self.before = room
        return np.concatenate([first, super().apply(commands[room:])])

    @property
    def consumed(self):
        return self.before + super().consumed

    def submit(self, **fields):
        note = self.note
        if note.amid or self.asks or note.count == COMMANDS_MAX:
            note.close()
        if not note.open:
            return super().submit(**fields)
        command = np.zeros(1, COMMAND)
        try:
            for name, value in fields.items():
                command[name] = value
        except (OverflowError, TypeError, ValueError):
            return super().submit(**fields)  # which says what is wrong with them
        return self.told(lambda _: super(Engine, self).submit(**fields), command)

    def told(self, door, commands):
        try:
            answer = door(commands)
        except STOPPED:
            self.note.drop()
            raise
        self.note.add(commands)
        return answer


class Row(NamedTuple):
    time_ns: int
    priority: int  # among rows of one time
    more: bool
    command: np.ndarray | None  # None for an off-book print, which means nothing


class Kernel(BareKernel):
    """A kernel that notes, for each of its engines, what it has told them by the end of each `run`."""

    def __new__(cls, engines):
        kernel = super().__new__(cls, engines)
        kernel.notes = [engine.note for engine in kernel.engines if isinstance(engine, Engine)]
        if len(kernel.notes) != len(kernel.engines):
            kernel.notes = []
        kernel.timeline = Timeline()
        return kernel

    def add_stream(self, venue, market):
        self.timeline.streams.append((venue, market, deque()))
        return super().add_stream(venue, market)

    def feed(self, stream, columns):
        super().feed(stream, columns)
        if self.noting():
            self.timeline.feed(stream, columns)

    def finish(self, stream):
        super().finish(stream)
        self.timeline.finished.add(stream)

    def schedule(self, commands):
        super().schedule(commands)
        if self.noting():
            self.timeline.schedule(commands)

    def noting(self) -> bool:
        return any(note.open for note in self.notes)

    def run(self, until=None):
        if not self.noting():
            return super().run(until)
        for note in self.notes:
            if note.open and not note.amid:
                note.keep()
                note.amid = True
        try:
            stop = super().run(until)
        except STOPPED:
            for note in self.notes:
                note.drop()
            raise
        if stop in (Stop.UNTIL, Stop.DATA):
            self.settle(stop)
        return stop

    def settle(self, stop) -> None:
        """Note what was played, if all of it is known."""
        told = self.timeline.until(self.rows, self.time_ns if stop == Stop.UNTIL else None)
        for venue, note in enumerate(self.notes):
            if told is None or note.count + len(told[venue]) > COMMANDS_MAX:
                note.close()
            elif note.open:
                for command in told[venue]:
                    note.add(command)
                note.keep()


class Timeline:
    """What a kernel has been given and has not played yet, merged by a plain reading of the order of work."""

    def __init__(self) -> None:
        self.streams: list[tuple[int, int, deque[Row]]] = []
        self.scheduled: list[tuple[int, int, np.ndarray]] = []
        self.rows = self.sequence = 0
        self.inside: int | None = None  # the stream that is amid a message
        self.finished: set[int] = set()
        self.partial = False  # not all rows were kept

    def feed(self, stream: int, columns) -> None:
        _, market, rows = self.streams[stream]
        self.partial |= len(columns["time_ns"]) > COMMANDS_MAX
        kept = [columns[name][:COMMANDS_MAX].tolist() for name in ("time_ns", "code", "price", "value")]
        kept.append(columns["id"][:COMMANDS_MAX].tolist() if "id" in columns else [0] * len(kept[0]))
        rows.extend(meaning(market, *row) for row in zip(*kept, strict=True))

    def schedule(self, commands: np.ndarray) -> None:
        for at in range(len(commands)):
            heapq.heappush(self.scheduled, (int(commands["time_ns"][at]), self.sequence, commands[at : at + 1].copy()))
            self.sequence += 1

    def until(self, rows: int, time_ns: int | None) -> dict[int, list[np.ndarray]] | None:
        """Commands for each venue, up to a time or to a number of rows; None if that is not known."""
        told: dict[int, list[np.ndarray]] = {venue: [] for venue in range(256)}
        while self.rows < rows if time_ns is None else self.due(time_ns):
            number = self.next_stream()
            if number is None and not self.scheduled:
                return None
            if number is None or (self.inside is None and self.next_command_ns() < self.head(number)[0]):
                command = heapq.heappop(self.scheduled)[2]
                told[int(command["venue"][0])].append(command)
                continue
            row = self.streams[number][2].popleft()
            self.rows += 1
            self.inside = number if row.more else None
            if row.command is not None:
                told[self.streams[number][0]].append(row.command)
        if self.rows != rows:
            assert self.partial, f"the kernel has played {rows} rows, by their times it should be {self.rows}"
            return None
        if time_ns:
            tick = np.zeros(1, COMMAND)
            tick["kind"], tick["time_ns"] = Kind.TICK, time_ns
            for commands in told.values():
                commands.append(tick)
        return told

    def due(self, time_ns: int) -> bool:
        number = self.next_stream()
        rows_due = number is not None and (self.inside is not None or self.head(number)[0] <= time_ns)
        return rows_due or self.next_command_ns() <= time_ns

    def next_command_ns(self) -> int:
        return self.scheduled[0][0] if self.scheduled else 2**63

    def next_stream(self) -> int | None:
        """The stream whose row comes next; a message is finished first."""
        if self.inside is not None:
            if self.streams[self.inside][2]:
                return self.inside
            if self.inside not in self.finished:
                return None
            self.inside = None  # the end of its message never came
        waiting = [number for number, (_, _, rows) in enumerate(self.streams) if rows]
        return min(waiting, key=self.head, default=None)

    def head(self, number: int) -> tuple[int, int, int]:
        row = self.streams[number][2][0]
        return row.time_ns, row.priority, number


def meaning(market: int, time_ns: int, code: int, price: int, value: int, order_id: int) -> Row:
    """A row of a tape as the command that means the same."""
    kind = code & 15
    orders = TapeRow.ORDER_ADD <= kind <= TapeRow.STATE
    priority = 0 if kind in (TRADE, OFF_BOOK) else 1 if kind == LEVEL or orders else 2
    if kind not in ROW_KINDS:
        return Row(time_ns, priority, bool(code & ROW_MORE), None)
    c = np.zeros(1, COMMAND)
    c["kind"], c["time_ns"], c["market"], c["account"] = ROW_KINDS[kind], time_ns, market, -1
    c["flags"] = (Flag.MORE if code & ROW_MORE else 0) | (Flag.SNAPSHOT if code & ROW_SNAPSHOT else 0)
    if kind in (LEVEL, TRADE):
        c["side"], c["price_ticks"], c["size_lots"] = bool(code & ROW_SELL), price, value
    elif orders:
        c["flags"] = Flag.TAPE
        c["aux"] = value if kind == TapeRow.STATE else kind - TapeRow.ORDER_ADD
        if kind != TapeRow.STATE:
            c["side"], c["price_ticks"], c["size_lots"], c["order_id"] = bool(code & ROW_SELL), price, value, order_id
    else:
        c["flags"] |= np.uint16(Flag.TAPE)
        c["value"] = value
        if kind == FUNDING:
            c["expire_ns"] = price
    return Row(time_ns, priority, bool(code & ROW_MORE), c)


# ---- the shadows ---------------------------------------------------------------------------------------------------


def run_again(note: Note) -> list[str]:
    """What the shadows do differently; nothing if all is well."""
    expected, commands = note.expected(), note.commands()
    made = {"whole": whole, "restored": restored, "journal": journal}
    lots = max(market["position_max"] for market in note.markets)
    if note.accounts <= TWIN_ACCOUNTS and note.count <= TWIN_COMMANDS and note.venue == 0 and lots <= TWIN_LOTS:
        made["twin"] = twin
    wrong = []
    for name, make in made.items():
        try:
            engine = make(note, commands)
        except Exception as error:  # whatever a shadow stops with, it should not have stopped
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if engine.digest() != expected:
            wrong.append(f"{name}: digest {engine.digest()}, not {expected}")
        elif note.open and not note.amid and (table := differing_table(engine, note.engine)):
            wrong.append(f"{name}: same digest, but another table of {table}")
    NOTES.clear()
    return wrong


def differing_table(one: BareEngine, other: BareEngine) -> str | None:
    """The first part of the state that is not the same in two engines."""
    for table in ("accounts", "positions"):
        if not np.array_equal(getattr(one, table)(), getattr(other, table)()):
            return table
    if not np.array_equal(np.sort(one.orders()), np.sort(other.orders())):
        return "orders"
    for market in range(len(one.house["clearing"])):
        if one.market(market) != other.market(market):
            return f"market {market}"
        if any(not np.array_equal(one.book(market, side), other.book(market, side)) for side in (0, 1)):
            return f"the book of market {market}"
    return None


def whole(note: Note, commands: np.ndarray) -> BareEngine:
    engine = note.new_engine()
    engine.apply(commands)
    return engine


def restored(note: Note, commands: np.ndarray) -> BareEngine:
    engine = note.new_engine()
    for piece in np.array_split(commands, min(RESTORES, len(commands))):
        engine = BareEngine.restore(engine.snapshot())
        engine.apply(piece)
    return engine


def journal(note: Note, commands: np.ndarray) -> BareEngine:
    journaled = JournaledEngine.in_memory(note.new_engine())
    for piece in np.array_split(commands, min(JOURNAL_BATCHES, len(commands))):
        journaled.apply(piece)
    journaled.close()
    found = replay(journaled.journal.log.data)
    assert found.commands == len(commands) and not found.dropped
    return found.engine


def twin(note: Note, commands: np.ndarray) -> BareEngine:
    """One command at a time, on the twin too. Raises Mismatch where they differ."""
    from differential import Pair
    from model import Command
    from stream_settings import Setting

    setting = Setting("shadow", note.rules, note.markets, note.accounts, note.assets)
    pair = Pair(setting, every=max(1, len(commands) // 10))
    pair.core = note.new_engine()
    names = [name for name in COMMAND.names if name != "venue"]
    for row in commands[names].tolist():
        pair.apply(Command(**dict(zip(names, row, strict=True))))
    pair.compare(len(commands))
    return pair.core
