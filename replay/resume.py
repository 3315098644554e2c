"""The journal of a run: what cannot be drawn again, and marks that show whether the rest came out as before.

Recording, population and shocks are in the scenario, so the journal holds the commands of the bots, where they were
sent, and the digest at the start and every so many samples. To resume, the run is done again from its start: the bots
get the same callbacks, and their commands are compared with the journal until it ends; from there on it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from perpsim.core import Engine, Kernel, Kind
from perpsim.exchange.journal import FILE, Commands, End, Header, Journal, JournalError, Mark, Reader
from perpsim.exchange.recovery import MismatchError, Recovery, recover, replay, state_hash
from perpsim.replay.errors import DifferenceError, InputError
from perpsim.replay.plan import Plan, iso

MARK_SAMPLES = 64  # samples from one mark to the next


class Record(Protocol):
    """What a run tells of itself, in order."""

    def sent(self, commands: np.ndarray, kernel: Kernel) -> None:
        """The bots send commands; they may reach the venue once this returns."""

    def decided(self, ask: Callable[[], np.ndarray], kernel: Kernel) -> np.ndarray:
        """The commands of an ADL decision that is due: the user's, or those on record, and then nobody is asked."""

    def mark(self, engine: Engine, kernel: Kernel) -> None:
        """The engine has come so far."""

    def finish(self, engine: Engine) -> None:
        """The run is over."""


class NoRecord:
    """A run without a journal."""

    def sent(self, commands: np.ndarray, kernel: Kernel) -> None: ...

    def decided(self, ask: Callable[[], np.ndarray], kernel: Kernel) -> np.ndarray:
        return ask()

    def mark(self, engine: Engine, kernel: Kernel) -> None: ...

    def finish(self, engine: Engine) -> None: ...


class Expected:
    """The entries of a journal, one after the other, compared with what happens."""

    def __init__(self, reader: Reader):
        self.entries = iter(reader)
        self.sent_commands = 0
        self._next()

    def _next(self) -> None:
        self.entry: Commands | Mark | End | None = next(self.entries, None)

    @property
    def over(self) -> bool:
        return self.entry is None

    def sent(self, commands: np.ndarray, kernel: Kernel) -> None:
        now = Commands(kernel.rows, kernel.time_ns, commands)
        before = self.entry
        same = isinstance(before, Commands) and (before.rows, before.time_ns) == (now.rows, now.time_ns)
        if not same or before.records.tobytes() != commands.tobytes():
            where = f"at {iso(kernel.time_ns)}"
            raise DifferenceError(f"{where} the bots send {_told(now)}; the journal has {_told(before)}")
        self.sent_commands += len(commands)
        self._next()

    @property
    def sends(self) -> bool:
        """Whether the bots send something next."""
        return isinstance(self.entry, Commands) and self.entry.records["kind"][0] != Kind.ADL_DECISION

    def decided(self, kernel: Kernel) -> np.ndarray:
        before, here = self.entry, (kernel.rows, kernel.time_ns)
        if not isinstance(before, Commands) or self.sends or (before.rows, before.time_ns) != here:
            where = f"at {iso(kernel.time_ns)}"
            raise DifferenceError(f"{where} the venue asks for an ADL decision; the journal has {_told(before)}")
        self.sent_commands += len(before.records)
        self._next()
        return before.records

    def mark(self, engine: Engine, kernel: Kernel) -> None:
        now = Mark(self.sent_commands, kernel.rows, kernel.time_ns, engine.digest(), state_hash(engine))
        before = self.entry
        if isinstance(before, Mark) and None in (before.state_hash, now.state_hash):
            before, now = before._replace(state_hash=None), now._replace(state_hash=None)
        if before != now:
            raise DifferenceError(f"at {iso(kernel.time_ns)} the run has {_told(now)}; the journal has {_told(before)}")
        self._next()

    def finish(self, engine: Engine) -> None:
        if self.entry != End(engine.digest()):
            ours = End(engine.digest())
            raise DifferenceError(f"the run comes to {_told(ours)}; the journal has {_told(self.entry)}")
        self._next()


class JournaledRun:
    """A run that writes its journal, or first follows the one that it had."""

    def __init__(self, journal: Journal, reader: Reader | None = None):
        self.journal, self.reader = journal, reader
        self.expected = Expected(reader) if reader else None
        self._caught_up()

    def sent(self, commands: np.ndarray, kernel: Kernel) -> None:
        if self.expected:
            self.expected.sent(commands, kernel)
            self._caught_up()
        else:
            self.journal.append(commands, kernel.rows, kernel.time_ns)

    def decided(self, ask: Callable[[], np.ndarray], kernel: Kernel) -> np.ndarray:
        if self.expected:
            commands = self.expected.decided(kernel)
            self._caught_up()
        else:
            commands = ask()
            self.journal.append(commands, kernel.rows, kernel.time_ns)
        return commands

    def mark(self, engine: Engine, kernel: Kernel) -> None:
        if self.expected:
            self.expected.mark(engine, kernel)
            self._caught_up()
        else:
            self.journal.mark(engine.digest(), state_hash(engine), kernel.rows, kernel.time_ns)

    def finish(self, engine: Engine) -> None:
        if self.expected:
            self.expected.finish(engine)
        else:
            self.journal.finish(engine.digest())

    def _caught_up(self) -> None:
        """Where the journal ends, go on writing it, unless that was its end for good."""
        if self.expected and self.expected.over and not self.reader.finished:
            self.journal.go_on(self.reader)
            self.expected = None


class Playback:
    """In the place of the bots: sends what the journal says that they sent, where they sent it. Also the `Record`."""

    def __init__(self, reader: Reader):
        self.reader, self.expected = reader, Expected(reader)
        self.kernel: Kernel | None = None

    def seat(self, kernel: Kernel) -> Playback:
        self.kernel = kernel
        return self

    def start(self) -> None:
        self.deliver()

    @property
    def over(self) -> bool:
        """The journal ends here, though its run did not."""
        return self.expected.over and not self.reader.finished

    @property
    def next_ns(self) -> int | None:
        """When the next commands were sent, if no mark comes before them."""
        return self.expected.entry.time_ns if self.expected.sends else None

    def notice(self, events: np.ndarray) -> None:
        """Nobody listens."""

    def deliver(self) -> None:
        while self.next_ns is not None and self.next_ns <= self.kernel.time_ns:
            commands = self.expected.entry.records
            self.expected.sent(commands, self.kernel)
            self.kernel.schedule(commands)

    def sent(self, commands: np.ndarray, kernel: Kernel) -> None:
        raise AssertionError("nobody sends anything in a playback")

    def decided(self, ask: Callable[[], np.ndarray], kernel: Kernel) -> np.ndarray:
        return self.expected.decided(kernel)

    def mark(self, engine: Engine, kernel: Kernel) -> None:
        if not self.over:
            self.expected.mark(engine, kernel)

    def finish(self, engine: Engine) -> None:
        if not self.over:
            self.expected.finish(engine)


def _told(entry: Commands | Mark | End | None) -> str:
    match entry:
        case Commands():
            first = entry.records[0]
            what = ", ".join(f"{name} {first[name]}" for name in first.dtype.names if first[name])
            return f"{len(entry.records)} command(s) at {iso(entry.time_ns)}, the first with {what}"
        case Mark():
            hashed = f", state {entry.state_hash}" if entry.state_hash else ""
            return f"{entry.commands} commands, {entry.rows} rows and the digest {entry.digest}{hashed}"
        case End():
            return f"its end, with the digest {entry.digest}"
    return "nothing more"


@contextmanager
def in_words() -> Iterator[None]:
    """What is wrong with a journal is input that cannot be used; a replay that comes out otherwise is a difference."""
    try:
        yield
    except JournalError as error:
        raise InputError(str(error)) from error
    except MismatchError as error:
        raise DifferenceError(str(error)) from error


def header_of(plan: Plan) -> Header:
    """What the journal of a run is of."""
    code = [(bot.name, bot.source) for bot in plan.bots]
    if plan.adl:
        code.append((plan.adl.name, plan.adl.source))
    about = {
        "scenario": plan.file.text,
        "path": str(plan.file.path),
        "base": str(plan.file.base),
        "tapes": [market.tape.sha256() for market in plan.markets]
        + [market.flows.sha256 for market in plan.markets if market.flows],
        "bots": [[name, hashlib.sha256(source.read_bytes()).hexdigest()] for name, source in code],
    }
    return Header(plan.rulebook.fingerprint, plan.file.scenario.run.seed, None, about)


@contextmanager
def journaled_run(plan: Plan, folder: Path, durable: bool, resume: bool) -> Iterator[JournaledRun]:
    """The record of a run in a folder. Raises InputError where another run's journal is there, or one in use."""
    with in_words():
        if not (folder / FILE).exists():
            journal, reader = Journal.create(folder, header_of(plan), durable), None
        elif resume:
            journal, reader = Journal.reopen(folder, durable)
        else:
            raise InputError("holds a journal already; go on with --resume, or choose another folder", folder)
        try:
            if reader:
                refuse_other(header_of(plan), reader.header, folder)
            yield JournaledRun(journal, reader)
        finally:
            journal.close()
            if reader:
                reader.close()


def refuse_other(ours: Header, theirs: Header, folder: Path) -> None:
    """Raise InputError unless a journal is of the same scenario, rulebook, recordings and bots."""
    if theirs.setup is not None:
        raise InputError("is the journal of an engine, not of a run", folder)
    for key, what in (
        ("scenario", "another scenario, or of this one before it was changed"),
        ("tapes", "another recording, or beside another attribution run"),
        ("bots", "other bots or another ADL function, or of these before their code was changed"),
    ):
        if ours.about[key] != theirs.about.get(key):
            raise InputError(f"holds the journal of a run with {what}; run it anew in another folder", folder)
    if ours.rulebook != theirs.rulebook:
        message = f"holds the journal of a run under the rulebook {theirs.rulebook}, this one has {ours.rulebook}"
        raise InputError(f"{message}; run it anew in another folder", folder)


@contextmanager
def playback(path: Path) -> Iterator[tuple[Header, Playback]]:
    """The journal of a run, to be played without its bots."""
    with in_words():
        reader = Reader(path)
        try:
            yield reader.header, Playback(reader)
        finally:
            reader.close()


def find(path: Path) -> Path:
    """A journal, named by its file or its folder. Raises InputError where there is none."""
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError("there is no journal", path)
    return path


def header_at(path: Path) -> Header:
    """What a journal is of."""
    with in_words():
        reader = Reader(path)
        reader.close()
        return reader.header


def replayed(path: Path) -> Recovery:
    """The journal of an engine, applied to a new one."""
    with in_words():
        return replay(path)


def report(folder: Path, cut: bool = False) -> dict[str, Any]:
    """What is in a journal's folder, as text by topic; with `cut`, a torn end is taken off."""
    path = find(folder)
    with in_words():
        header = header_at(path)
        found = _of_run(path, header) if header.setup is None else _of_engine(path.parent)
        if cut:
            journal, reader = Journal.reopen(path.parent)
            try:
                for _ in reader:
                    pass
                if reader.dropped:
                    journal.go_on(reader)
            finally:
                journal.close()
            found["cut off"] = f"{reader.dropped} bytes"
    return found


def _of_run(path: Path, header: Header) -> dict[str, Any]:
    reader, last, time_ns = Reader(path), None, 0
    for entry in reader:
        last = entry if isinstance(entry, Mark) else last
        time_ns = getattr(entry, "time_ns", time_ns)
    return {
        "journal": f"of a run of {header.about['path']}, {'finished' if reader.finished else 'not finished'}",
        "rulebook": header.rulebook,
        "commands": f"{reader.commands} of bots, in {reader.scan.sequence} frames",
        "last time": iso(time_ns) if time_ns else "none",
        "torn end": f"{reader.dropped} bytes",
        "digest": f"{last.digest} at {iso(last.time_ns)}" if last else "none yet",
    }


def _of_engine(folder: Path) -> dict[str, Any]:
    found = recover(folder)
    engine = found.engine
    counts = engine.statistics()
    told = {
        "journal": "of an engine",
        "rulebook": found.header.rulebook,
        "commands": f"{found.commands}, in {found.frames} frames",
        "last time": iso(found.time_ns) if found.time_ns else "none",
        "torn end": f"{found.dropped} bytes",
        "started from": found.snapshot.name if found.snapshot else "the beginning",
        "replayed": f"{found.replayed} commands, {found.marks} marks verified",
        "state": f"{counts['events']} events, {counts['live_orders']} live orders, {counts['positions']} positions",
        "digest": engine.digest(),
    }
    if state_hash(engine) is not None:
        told["state hash"] = state_hash(engine)
    for number, sentence in enumerate(found.refused, 1):
        told[f"refused snapshot {number}"] = sentence
    if found.stopped:
        told["engine stopped"] = found.stopped
    return told
