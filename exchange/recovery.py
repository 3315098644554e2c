"""An engine with a journal, and the way back to it after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from perpsim.core import COMMAND, Engine, Kind

from . import snapshots
from .disk import SYSTEM, System
from .journal import FILE, Commands, End, Header, Journal, JournalError, Mark, Reader
from .snapshots import Place

MARK_EVERY = 16_384  # commands


class MismatchError(ValueError):
    """A replay that does not come out as it did before."""


@dataclass
class Recovery:
    """What was found, and the engine made of it."""

    engine: Engine
    header: Header
    commands: int  # in the journal
    frames: int
    dropped: int  # bytes of a torn end
    marks: int  # that were verified
    snapshot: Path | None  # where the engine was started from
    replayed: int  # commands applied after that
    refused: list[str] = field(default_factory=list)  # snapshots that could not be used, and why
    stopped: str | None = None  # why the engine stopped at the last command, as it did before

    @property
    def time_ns(self) -> int:
        """Of the engine."""
        return self.engine.time_ns


class JournaledEngine:
    """An engine whose `apply` returns events only when the commands that caused them are in the journal.

    durable         False: commands survive the death of the process, but not a power cut
    snapshot_every  commands between two snapshots; 0: none but those that `save` makes
    """

    def __init__(
        self, engine: Engine, journal: Journal, folder: Path | None = None, snapshot_every: int = 0,
        system: System = SYSTEM,
    ):  # fmt: skip
        self.engine, self.journal, self.folder, self.system = engine, journal, folder, system
        self.snapshot_every = snapshot_every
        self.marked = self.saved = journal.commands
        self.unsaved: str | None = None  # why the last snapshot could not be written; the journal is whole without

    @classmethod
    def create(
        cls, engine: Engine, folder: Path, durable: bool = True, snapshot_every: int = 0, system: System = SYSTEM
    ) -> JournaledEngine:
        """Begin a journal for an engine that has done nothing yet."""
        if engine.statistics()["events"] or engine.statistics()["rows"]:
            raise JournalError("a journal begins with a new engine; this one has done something already")
        return cls(engine, Journal.create(folder, Header.of(engine), durable, system), folder, snapshot_every, system)

    @classmethod
    def in_memory(cls, engine: Engine) -> JournaledEngine:
        """The same without files; `journal.log.data` is what `replay` takes."""
        return cls(engine, Journal.in_memory(Header.of(engine)))

    @classmethod
    def resume(
        cls, folder: Path, durable: bool = True, snapshot_every: int = 0, audit: int = 0, system: System = SYSTEM
    ) -> tuple[JournaledEngine, Recovery]:
        """Recover, cut a torn end off, and go on."""
        journal, reader = Journal.reopen(folder, durable, system)
        try:
            found = _recovered(reader, folder, audit)
            journal.go_on(reader)
        except BaseException:
            journal.close()
            raise
        finally:
            reader.close()
        return cls(found.engine, journal, folder, snapshot_every, system), found

    def apply(self, commands: np.ndarray) -> np.ndarray:
        """Journal an array of COMMAND, then apply it; its events. Raises JournalError when it could not be journalled.

        Where a user decides about ADL, an engine may stop before the end of the array (`consumed`): there it is applied
        first, and what was taken is journalled before the events are out.
        After an error of the journal nothing more is taken: whether its last commands are on the disk is unknown.
        """
        self._ready()
        if self.engine.asks or (commands["kind"] == Kind.SET_RULE).any():
            return self._apply_what_is_taken(commands)
        self.journal.append(commands)
        events = self.engine.apply(commands)
        self._after()
        return events

    def _apply_what_is_taken(self, commands: np.ndarray) -> np.ndarray:
        try:
            events = self.engine.apply(commands)
        except OverflowError:
            self.journal.append(commands)  # it stops at the same one in a replay
            raise
        self.journal.append(commands[: self.consumed])
        self._after()
        return events

    @property
    def consumed(self) -> int:
        """Commands of the last `apply` that were taken; see `Engine.apply`."""
        return self.engine.consumed

    def submit(self, **fields: int) -> int:
        """Journal one command, then apply it; its reject code. Its events wait for `drain`."""
        self._ready()
        command = np.zeros(1, COMMAND)
        for name, value in {"venue": self.engine.setup[4], **fields}.items():
            command[name] = value
        self.journal.append(command)
        return self.engine.submit(**fields)

    def drain(self) -> np.ndarray:
        """Events of `submit` calls since the last `drain` or `apply`."""
        events = self.engine.drain()
        self._after()
        return events

    def save(self) -> Path:
        """Write a snapshot, so that less is left to replay. Raises OSError; the journal is whole all the same."""
        if self.folder is None:
            raise JournalError("a journal in memory has no folder for snapshots")
        self.saved, self.unsaved = self.journal.commands, None
        return snapshots.write(self.folder, self.engine, self.journal, self.system)

    def close(self) -> None:
        """Mark the end and let go of the folder."""
        try:
            if self.marked != self.journal.commands and not self.journal.broken and not self.engine.broken:
                self._mark()
        finally:
            self.journal.close()

    def _ready(self) -> None:
        if self.engine.broken:
            raise RuntimeError(f"the engine has stopped: {self.engine.broken}")

    def _after(self) -> None:
        if self.journal.commands - self.marked >= MARK_EVERY:
            self._mark()
        if self.snapshot_every and self.journal.commands - self.saved >= self.snapshot_every:
            try:
                self.save()
            except OSError as error:
                self.unsaved = error.strerror or str(error)

    def _mark(self) -> None:
        self.marked = self.journal.commands
        self.journal.mark(self.engine.digest(), state_hash(self.engine))


def state_hash(engine: Engine) -> str | None:
    """The engine's hash of its state, None in a build that keeps none."""
    made = getattr(engine, "state_hash", None)
    return None if made is None else str(made())


def replay(source: bytes | bytearray | Path, audit: int = 0) -> Recovery:
    """Apply a whole journal to a new engine, verifying its marks. Raises JournalError, and MismatchError."""
    return _played(Reader(source), None, audit)


def recover(folder: Path, audit: int = 0) -> Recovery:
    """The engine of a folder: its latest snapshot that can be used, and the journal from there. Changes no file."""
    return _recovered(Reader(folder / FILE), folder, audit)


def _recovered(reader: Reader, folder: Path, audit: int) -> Recovery:
    """From the latest snapshot that belongs to the journal. A snapshot that cannot be used is told of, not trusted."""
    refused = []
    for path in snapshots.find(folder):
        try:
            place, offset = snapshots.read_place(path)
            engine = snapshots.load(path, place, offset, audit)
            if place.rulebook != reader.header.rulebook:
                raise JournalError("is of other rules than the journal", path)
            _expect_place(folder / FILE, path, place)
        except (JournalError, OSError) as error:
            refused.append(str(error))
            continue
        found = _played(reader, (path, place, engine), audit)
        found.refused = refused
        return found
    found = _played(reader, None, audit)
    found.refused = refused
    return found


def _expect_place(journal: Path, path: Path, place: Place) -> None:
    """Raise JournalError unless a snapshot's frames and commands are the first of the journal."""
    reader = Reader(journal)
    entries = iter(reader)
    try:
        while reader.scan.sequence < place.frames and next(entries, None):
            pass
        if (reader.scan.sequence, reader.scan.chain, reader.commands) == (place.frames, place.chain, place.commands):
            return
    finally:
        reader.close()
    raise JournalError("does not belong to the journal beside it", path)


def _played(reader: Reader, begun: tuple[Path, Place, Engine] | None, audit: int) -> Recovery:
    """Read a journal to its end and apply what comes after the snapshot `begun`, if there is one."""
    path, place, engine = begun or (None, None, reader.header.engine(audit))
    skipped = place.commands if place else 0
    found = Recovery(engine, reader.header, 0, 0, 0, 0, path, 0)
    for entry in reader:
        if found.stopped:
            raise JournalError(f"goes on after the engine had stopped ({found.stopped})", reader.path)
        if isinstance(entry, Commands) and reader.commands > skipped:
            found.stopped = _applied(engine, entry.records)
            found.replayed += len(entry.records)
        elif isinstance(entry, Mark) and reader.commands >= skipped:
            _expect(engine, entry)
            found.marks += 1
        elif isinstance(entry, End) and engine.digest() != entry.digest:
            raise MismatchError(f"the digest at the end is {engine.digest()}, the journal says {entry.digest}")
    found.commands, found.frames, found.dropped = reader.commands, reader.scan.sequence, reader.dropped
    return found


def _applied(engine: Engine, records: np.ndarray) -> str | None:
    """Apply commands; why the engine stopped, if it did."""
    try:
        engine.apply(records)
        while engine.consumed < len(records):  # it has stopped for an ADL decision, and the next command was refused
            records = records[engine.consumed :]
            engine.apply(records)
    except OverflowError:
        return engine.broken
    return None


def _expect(engine: Engine, mark: Mark) -> None:
    if engine.digest() != mark.digest:
        raise MismatchError(
            f"after {mark.commands} commands the digest is {engine.digest()}, the journal says {mark.digest}"
        )
    now = state_hash(engine)
    if mark.state_hash is not None and now is not None and now != mark.state_hash:
        raise MismatchError(
            f"after {mark.commands} commands the state hash is {now}, the journal says {mark.state_hash}"
        )
