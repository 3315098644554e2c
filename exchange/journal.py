"""The journal: every command that entered an engine, on the disk before its events leave.

A journal is a sequence of frames (frames.py). The payload of the first is a msgpack map, the header; of every other a
msgpack array that begins with its kind:

    COMMANDS  [1, rows, time_ns, records]     records: COMMAND, 80 bytes each, little-endian
    MARK      [2, commands, rows, time_ns, digest, state hash or nil]
    END       [3, digest]                     nothing follows

`rows` and `time_ns` say where on a tape the commands were handed over; both are 0 where there is no tape, for then the
commands' own times are all there is. A mark holds what the engine must look like at that point.

In durable mode `append` returns when the commands survive a power cut, in fast mode when they survive the death of the
process. After any failure to write, the journal has stopped: nobody knows what is on the disk until it is read again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator
from enum import IntEnum
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np
import perpsim.core as core
from perpsim.core import COMMAND, EVENT, Engine

from .disk import SYSTEM, FileLog, Lock, Log, MemoryLog, System, make_folder, write_whole
from .frames import PAYLOAD_MAX, START, DamageError, Scan, Source, encode

FORMAT = 1
UNIT = "ns"
FILE = "journal"  # in its folder
COMMANDS, MARK, END = 1, 2, 3  # kinds of frame
RECORDS_MAX = (PAYLOAD_MAX - 64) // COMMAND.itemsize  # of one frame


class JournalError(ValueError):
    """A journal or snapshot that cannot be used, in one sentence. `offset` is None where no byte is to blame."""

    def __init__(self, message: str, path: Path | None = None, offset: int | None = None):
        self.path, self.offset = path, offset
        super().__init__(message if path is None else f"{path}: {message}")


class Commands(NamedTuple):
    """Commands that entered together."""

    rows: int
    time_ns: int
    records: np.ndarray  # COMMAND, read-only


class Mark(NamedTuple):
    """What the engine looked like."""

    commands: int  # so far
    rows: int
    time_ns: int
    digest: str
    state_hash: str | None


class End(NamedTuple):
    """The last word: whoever wrote the journal had finished."""

    digest: str


@functools.cache
def schema() -> str:
    """Hash of the layouts of COMMAND and EVENT and of every enum's names and numbers."""
    enums = {
        name: {member.name: int(member) for member in made}
        for name in sorted(core.__all__)
        if isinstance(made := getattr(core, name), type(IntEnum))
    }
    text = json.dumps([COMMAND.descr, EVENT.descr, enums], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def rules_fingerprint(engine: Engine) -> str:
    """Hash of the rules and markets that an engine was made with."""
    text = json.dumps(engine.setup[:2], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Header:
    """What a journal is of. `about` is the writer's own: of a run, the scenario and its tapes."""

    rulebook: str  # fingerprint
    seed: int
    setup: list[Any] | None  # arguments of Engine; None where the writer makes the engine itself
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT
    unit: str = UNIT
    schema: str = dataclasses.field(default_factory=schema)
    library: str = dataclasses.field(default_factory=lambda: metadata.version("perpsim"))

    @classmethod
    def of(cls, engine: Engine) -> Header:
        """For a journal from which the engine itself can be made again."""
        return cls(rules_fingerprint(engine), engine.setup[3], json.loads(json.dumps(engine.setup)))

    def engine(self, audit: int = 0) -> Engine:
        """A new engine with the parameters of the one that was journalled."""
        if self.setup is None:
            raise JournalError("is the journal of a run; it is replayed with its recording, not alone")
        try:
            rules, markets, accounts_max, seed, venue, assets = self.setup
            markets = [market | {"tiers": tuple(map(tuple, market["tiers"]))} for market in markets]
            engine = Engine(rules, markets, accounts_max, seed, venue=venue, assets=assets, audit=audit)
        except (AttributeError, LookupError, MemoryError, OverflowError, TypeError, ValueError) as error:
            raise JournalError(f"no engine can be made with the parameters in its header ({error})") from error
        if rules_fingerprint(engine) != self.rulebook:
            raise JournalError("its rules do not have the fingerprint that it names")
        return engine

    def pack(self) -> bytes:
        """The header's payload."""
        return msgpack.packb(dataclasses.asdict(self))

    @classmethod
    def unpack(cls, payload: bytes) -> Header:
        """Raises JournalError for a header of another release or build."""
        fields = _unpacked(payload)
        if not isinstance(fields, dict) or "format" not in fields:
            raise JournalError("its first frame is not the header of a journal")
        if fields["format"] != FORMAT:
            raise JournalError(f"is a journal of format {fields['format']}; this release reads format {FORMAT}")
        known = {field.name for field in dataclasses.fields(cls)}
        if fields.keys() != known:
            odd = ", ".join(sorted(map(str, fields.keys() ^ known)))
            raise JournalError(f"its header does not have the fields of format {FORMAT}: {odd}")
        types = {"seed": int, "setup": list | None, "about": dict}
        wrong = [name for name in sorted(known) if not isinstance(fields[name], types.get(name, str | int))]
        if wrong:
            raise JournalError(f"its header holds something else than format {FORMAT} asks for: {', '.join(wrong)}")
        header = cls(**fields)
        if header.unit != UNIT:
            raise JournalError(f"counts time in {header.unit!r}; this release counts in {UNIT!r}")
        if header.schema != schema():
            writer = f"perpsim {header.library}"
            raise JournalError(f"its commands have another layout or other numbers; read it with its writer, {writer}")
        return header


def _unpacked(payload: bytes) -> Any:
    try:
        return msgpack.unpackb(payload, strict_map_key=True)
    except Exception as error:  # msgpack has no common class for what can be wrong with bytes
        raise JournalError(f"holds a frame that is not msgpack ({error})") from error


def parse(payload: bytes) -> Commands | Mark | End:
    """One frame after the header. Raises JournalError for what this release does not know."""
    fields = _unpacked(payload)
    if not isinstance(fields, list) or not fields:
        raise JournalError("holds a frame that is not a list")
    kind, types = fields[0], tuple(map(type, fields[1:]))
    if kind == COMMANDS and types == (int, int, bytes) and fields[3] and len(fields[3]) % COMMAND.itemsize == 0:
        return Commands(fields[1], fields[2], np.frombuffer(fields[3], COMMAND))
    if kind == MARK and types in ((int, int, int, str, str), (int, int, int, str, type(None))):
        return Mark(*fields[1:])
    if kind == END and types == (str,):
        return End(fields[1])
    if kind not in (COMMANDS, MARK, END):
        raise JournalError(f"holds a frame of kind {kind!r}, which this release does not know")
    raise JournalError("holds a frame whose fields are not those of its kind")


class Reader:
    """Iterate once over the entries after the header. Raises JournalError, with the offset of what is wrong.

    `frames`, `commands`, `end` (offset), `chain` are those of what was read so far; `dropped` counts the bytes of a
    torn end, known afterwards, as is `finished`: the writer came to its end.
    """

    def __init__(self, source: bytes | bytearray | Path):
        self.path = source if isinstance(source, Path) else None
        self.source = Source(source)
        self.scan = Scan(self.source)
        self.frames = iter(self.scan)
        self.commands = 0
        self.finished = False
        try:
            first = next(self.frames)
            self.header = Header.unpack(first.payload)
        except (StopIteration, JournalError, DamageError) as error:
            self.close()
            what = "is empty, so it is no journal" if isinstance(error, StopIteration) else str(error)
            raise JournalError(what, self.path, 0) from error

    def __iter__(self) -> Iterator[Commands | Mark | End]:
        at = self.scan.end
        try:
            for frame in self.frames:
                at = frame.offset
                if self.finished:
                    raise DamageError(at, "frames follow the end of the run")
                entry = parse(frame.payload)
                if isinstance(entry, Commands):
                    self.commands += len(entry.records)
                elif isinstance(entry, Mark) and entry.commands != self.commands:
                    raise DamageError(at, f"a mark counts {entry.commands} commands, there are {self.commands}")
                self.finished = isinstance(entry, End)
                yield entry
        except DamageError as error:
            raise JournalError(str(error), self.path, error.offset) from error
        except JournalError as error:
            raise JournalError(f"{error}, at byte {at}", self.path, at) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; reading to the end does so, too."""
        self.source.close()

    @property
    def dropped(self) -> int:
        return self.scan.dropped


class Journal:
    """The writing end of a journal. Make one with `create`, `reopen` or `in_memory`; one process at a time has it."""

    def __init__(self, log: Log, durable: bool, lock: Lock | None = None):
        self.log, self.durable, self.lock = log, durable, lock
        self.frames = self.commands = 0
        self.chain = START
        self.broken: str | None = None

    @classmethod
    def in_memory(cls, header: Header) -> Journal:
        """A journal whose bytes are in `log.data`."""
        journal = cls(MemoryLog(), durable=False)
        journal._write(header.pack())
        return journal

    @classmethod
    def create(cls, folder: Path, header: Header, durable: bool = True, system: System = SYSTEM) -> Journal:
        """A new journal in a folder. Raises JournalError where there is one, or another process writes there."""
        make_folder(folder, system)
        lock = _lock(folder)
        try:
            path = folder / FILE
            if path.exists():
                raise JournalError("holds a journal already; resume it, or choose another folder", folder)
            frame, chain = encode(0, START, header.pack())
            write_whole(path, [frame], system)
            journal = cls(FileLog(path, system), durable, lock)
        except BaseException:
            lock.release()
            raise
        journal.frames, journal.chain = 1, chain
        return journal

    @classmethod
    def reopen(cls, folder: Path, durable: bool = True, system: System = SYSTEM) -> tuple[Journal, Reader]:
        """Take over the journal in a folder: (journal, a reader that has not begun).

        Read it to its end, then call `go_on`; a torn end is cut off there.
        """
        lock = _lock(folder)
        try:
            reader = Reader(folder / FILE)
            return cls(FileLog(folder / FILE, system), durable, lock), reader
        except BaseException:
            lock.release()
            raise

    def go_on(self, reader: Reader) -> None:
        """Continue after the last frame that `reader` has read to the end."""
        if reader.finished:
            raise JournalError("is finished; nothing can be added to it", reader.path)
        self.frames, self.commands, self.chain = reader.scan.sequence, reader.commands, reader.scan.chain
        if reader.dropped:
            try:
                self.log.cut(reader.scan.end)
            except OSError as error:
                raise self._stop(error) from error

    def append(self, commands: np.ndarray, rows: int = 0, time_ns: int = 0) -> None:
        """Journal COMMAND records; in durable mode they are safe when this returns. Raises JournalError if not."""
        if commands.dtype != COMMAND or commands.ndim != 1:
            raise TypeError("commands must be a one-dimensional array of dtype perpsim.core.COMMAND")
        for first in range(0, len(commands), RECORDS_MAX):
            part = commands[first : first + RECORDS_MAX]
            self._write(msgpack.packb([COMMANDS, rows, time_ns, part.tobytes()]))
            self.commands += len(part)

    def mark(self, digest: str, state_hash: str | None = None, rows: int = 0, time_ns: int = 0) -> None:
        """Journal what the engine looks like after all commands so far."""
        self._write(msgpack.packb([MARK, self.commands, rows, time_ns, digest, state_hash]))

    def finish(self, digest: str) -> None:
        """Journal that this is the end."""
        self._write(msgpack.packb([END, digest]))

    def close(self) -> None:
        """Let go of the file and of the lock."""
        self.log.close()
        if self.lock:
            self.lock.release()

    def _write(self, payload: bytes) -> None:
        if self.broken:
            raise JournalError(f"the journal has stopped: {self.broken}")
        frame, chain = encode(self.frames, self.chain, payload)
        try:
            self.log.append(frame)
            if self.durable:
                self.log.sync()
        except OSError as error:
            raise self._stop(error) from error
        self.frames, self.chain = self.frames + 1, chain

    def _stop(self, error: OSError) -> JournalError:
        """Never retried: what a failed write or sync has left on the disk is known only once it is read again."""
        self.broken = f"{error.strerror or error}; what was acknowledged before is safe"
        return JournalError(f"the journal has stopped: {self.broken}")


def _lock(folder: Path) -> Lock:
    try:
        return Lock(folder)
    except BlockingIOError as error:
        raise JournalError("another process writes the journal there; wait for it, or stop it", folder) from error
    except OSError as error:
        raise JournalError(f"cannot be locked ({error.strerror})", folder) from error
