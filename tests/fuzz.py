"""Fuzzing: inputs that nobody would write, for a bounded time each. `make fuzz`, or

    python -m tests.fuzz --seconds 60 --seed 1 commands captures

    commands   records of any content, in batches, a part of them from the random streams; every invariant after each
    snapshots  snapshots of engines with bytes changed, checksum mended; what is restored must pass its own check
    journals   journals with bytes, fields and commands changed, checksums and chains mended or not
    saved      a journal beside a snapshot file with bytes and fields changed, checksums mended or not
    captures   raw captures: lines changed, dropped, repeated, files cut off
    store      tape files: bytes changed, cut off
    scenarios  scenario files: lines changed, values exchanged

A refusal is one of the kinds of error that the README promises. Anything else is a finding: another exception, a number
of seconds beyond TOO_LONG, an end of the process. The input is written to build/fuzz/<target> before it is tried, so it
is there after a crash; `--only FILE` tries it again.
"""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import sys
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "fuzz"
TOO_LONG = 20  # seconds of the processor for one input
FAR = 1_700_100_000 * 10**9  # a day after the streams; to go further, every timer on the way would have to fire
Try = Callable[[bytes, Path], bool]  # False: refused


def mutated(rng: random.Random, data: bytes, seeds: list[bytes]) -> bytes:
    """A few of: change, remove, repeat or exchange a stretch; put in what often breaks things; cut off."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at, size = rng.randrange(len(out) + 1), rng.choice((1, 1, 2, 4, 8, 32))
        other = rng.choice(seeds)
        start = rng.randrange(len(other) + 1)
        match rng.randrange(7):
            case 0 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 1:
                out[at : at + size] = rng.randbytes(size)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = out[at : at + size] * rng.choice((1, 2, 50))
            case 4:
                out[at : at + size] = other[start : start + size]
            case 5:
                words = (b"-1", b"0", b"1e999", b"NaN", b"9" * 40, b"{", b'"', b"\x00", b"\xff\xfe", b"\n", b"[]")
                out[at : at + size] = rng.choice(words)
            case 6 if rng.random() < 0.3:
                del out[at:]
    return bytes(out)


class Commands:
    """Batches of COMMAND records of any bytes."""

    def __init__(self, rng: random.Random) -> None:
        from differential import as_array, new_twin
        from stream_settings import SETTINGS
        from streams import Stream

        self.settings, self.seeds = SETTINGS, []
        for setting in SETTINGS:
            twin, told = new_twin(setting), []
            words = Stream(rng.randrange(1000), setting, twin)
            while len(told) < 300:
                for c in words.next():
                    told.append(c)
                    twin.apply(c)
            self.seeds.append(as_array(told).tobytes())

    def make(self, rng: random.Random) -> bytes:
        """Number of the setting, then records: a stream with every tenth or so changed in any field."""
        from perpsim.core import COMMAND

        number = rng.randrange(len(self.seeds))
        rows = np.frombuffer(self.seeds[number], COMMAND).copy()
        edges = (0, 1, -1, 2**31, 2**62, 2**63 - 1, -(2**63), 255, 65535, 10**9)
        for at in rng.sample(range(len(rows)), rng.choice((1, 10, 60))):
            name = rng.choice(COMMAND.names)
            bits = COMMAND[name].itemsize * 8
            value = rng.choice((rng.choice(edges), rng.getrandbits(bits), int(rows[name][rng.randrange(len(rows))])))
            rows[name][at] = np.array(value % 2**bits, f"u{bits // 8}").view(COMMAND[name])
        if rng.random() < 0.3:
            rows = rows[np.array(rng.sample(range(len(rows)), len(rows)))]
        rows["time_ns"][rows["time_ns"] > FAR] = 0
        return bytes([number]) + rows.tobytes()

    def attempt(self, data: bytes, folder: Path) -> bool:
        from differential import apply_all
        from perpsim.core import COMMAND, Engine

        setting = self.settings[data[0] % len(self.settings)]
        engines = [
            Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets, audit=audit)
            for audit in (2, 0)
        ]
        rows = np.frombuffer(data[1:], COMMAND)
        for engine in engines:
            step = 7 if engine.audit else len(rows)
            try:
                for first in range(0, len(rows), step):
                    apply_all(engine, rows[first : first + step])
            except OverflowError:
                return False
        assert engines[0].digest() == engines[1].digest(), "batches matter"
        return True


class Snapshots(Commands):
    """Snapshots with bytes changed and the checksum made right again, so that the contents are looked at."""

    HEAD = 24  # bytes before the checksum

    def make(self, rng: random.Random) -> bytes:
        from perpsim.core import COMMAND, Engine

        number = rng.randrange(len(self.seeds))
        setting = self.settings[number]
        engine = Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets)
        engine.apply(np.frombuffer(self.seeds[number], COMMAND)[: rng.choice((0, 50, 300))])
        data = bytearray(engine.snapshot())
        for _ in range(rng.choice((1, 2, 8))):
            at = rng.randrange(self.HEAD + 4, len(data))
            data[at] = rng.choice((0, 1, 255, data[at] ^ 1 << rng.randrange(8)))
        if rng.random() < 0.8:
            data[self.HEAD : self.HEAD + 4] = zlib.crc32(data[self.HEAD + 4 :]).to_bytes(4, "little")
        return bytes(data)

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.core import Engine

        try:
            Engine.restore(data).check()
        except (ValueError, AssertionError, OverflowError):
            return False
        return True


def exchanged(rng: random.Random, fields: list | dict) -> None:
    """Change one value in fields that were packed, as deep as it may lie: by a little, or to anything else."""
    keys = list(fields) if isinstance(fields, dict) else list(range(len(fields)))
    if not keys:
        return
    key = rng.choice(keys)
    value = fields[key]
    if isinstance(value, (list, dict)) and rng.random() < 0.8:
        exchanged(rng, value)
    elif isinstance(value, int) and rng.random() < 0.5:
        fields[key] = max(-(2**63), min(value + rng.choice((-1, 1, 1 << rng.randrange(40))), 2**63 - 1))
    elif isinstance(value, (str, bytes)) and rng.random() < 0.5:
        fields[key] = value[: rng.randrange(len(value) + 1)]
    elif rng.random() < 0.2:
        del fields[key]
    else:
        fields[key] = rng.choice((None, True, 0, -1, 2**32, 2**63 - 1, 2**64 - 1, -(2**63), 0.5, "", b"", "x", [], {}))


class Journals:
    """Journals of a venue that has seen most things."""

    def __init__(self, rng: random.Random) -> None:
        from journal_stream import batches, journalled, stream

        self.seeds = [journalled(batches(stream(count, seed), 40), 3) for count, seed in ((20, 1), (250, 2), (400, 3))]

    def make(self, rng: random.Random) -> bytes:
        """Half are changed as bytes, half in what their frames hold, with all that follows made to agree."""
        data = rng.choice(self.seeds)
        return mutated(rng, data, self.seeds) if rng.random() < 0.5 else self.reframed(rng, data)

    def reframed(self, rng: random.Random, data: bytes) -> bytes:
        from perpsim.exchange.frames import START, Scan, Source, encode

        payloads = [frame.payload for frame in Scan(Source(data))]
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.choice((0, rng.randrange(len(payloads))))
            match rng.randrange(6):
                case 0:
                    payloads[at] = mutated(rng, payloads[at], payloads) or b"\0"
                case 1:
                    payloads.insert(at, rng.choice(payloads))
                case 2 if len(payloads) > 1:
                    del payloads[at]
                case _:
                    payloads[at] = self.changed(rng, payloads[at])
        out, chain = [], START
        for number, payload in enumerate(payloads):
            frame, chain = encode(number, chain, payload)
            out.append(frame)
        return b"".join(out)

    def changed(self, rng: random.Random, payload: bytes) -> bytes:
        """One field of a frame is another; of commands, mostly some bits of a record."""
        import msgpack
        from perpsim.core import COMMAND

        try:
            fields = msgpack.unpackb(payload)
        except Exception:  # it was changed before
            return payload
        if isinstance(fields, list) and len(fields) == 4 and isinstance(fields[3], bytes) and rng.random() < 0.7:
            records = bytearray(fields[3])
            for _ in range(rng.choice((1, 5)) if records else 0):
                records[rng.randrange(len(records))] ^= 1 << rng.randrange(8)
            if len(records) % COMMAND.itemsize == 0:
                rows = np.frombuffer(records, COMMAND)
                rows["time_ns"][rows["time_ns"] > FAR] = 0
            fields[3] = bytes(records)
        elif isinstance(fields, (list, dict)):
            exchanged(rng, fields)
            self.keep_small(fields)
        return msgpack.packb(fields)

    @staticmethod
    def keep_small(fields: list | dict) -> None:
        """An engine of a hundred million accounts is in order, but takes its time."""
        setup = fields.get("setup") if isinstance(fields, dict) else None
        if isinstance(setup, list) and len(setup) > 2 and isinstance(setup[2], int) and 10**5 < setup[2] < 2**31:
            setup[2] = 10**5

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.exchange.journal import JournalError
        from perpsim.exchange.recovery import MismatchError, replay

        path = folder / "journal"
        path.write_bytes(data)
        digests = []
        for source in (data, path):
            try:
                digests.append(replay(source, audit=1).engine.digest())
            except (JournalError, MismatchError):
                digests.append(None)
        assert digests[0] == digests[1], "a file is read otherwise than its bytes"
        return digests[0] is not None


class Saved(Journals):
    """Snapshot files of an engine in the middle of its journal."""

    def __init__(self, rng: random.Random) -> None:
        from journal_stream import batches, new_engine, stream
        from perpsim.exchange import recovery, snapshots

        home = FOLDER / "seed-saved"
        shutil.rmtree(home, ignore_errors=True)
        engine = recovery.JournaledEngine.create(new_engine(), home, durable=False)
        for piece in batches(stream(200, 2), 40):
            engine.apply(piece)
        self.path = engine.save().relative_to(home)
        for piece in batches(stream(400, 2)[200:], 40):
            engine.apply(piece)
        engine.close()
        self.journal, self.digest = (home / "journal").read_bytes(), engine.engine.digest()
        self.offset = snapshots.read_place(home / self.path)[1]
        self.seeds = [(home / self.path).read_bytes()]

    def make(self, rng: random.Random) -> bytes:
        from perpsim.exchange.frames import crc32c
        from perpsim.exchange.snapshots import MAGIC

        if rng.random() < 0.3:
            return mutated(rng, self.seeds[0], self.seeds)
        header, body = self.seeds[0][12 : self.offset - 4], bytearray(self.seeds[0][self.offset :])
        if rng.random() < 0.6:
            for _ in range(rng.choice((1, 4))):
                body[rng.randrange(Snapshots.HEAD + 4, len(body))] ^= 1 << rng.randrange(8)
            body[Snapshots.HEAD : Snapshots.HEAD + 4] = zlib.crc32(body[Snapshots.HEAD + 4 :]).to_bytes(4, "little")
            header = self.mended(header, bytes(body))
        if rng.random() < 0.5:
            header = self.changed(rng, header)
        first = MAGIC + len(header).to_bytes(4, "little") + header
        return first + crc32c(first).to_bytes(4, "little") + bytes(body)

    def mended(self, header: bytes, body: bytes) -> bytes:
        import msgpack
        from perpsim.exchange.frames import crc32c

        return msgpack.packb(msgpack.unpackb(header) | {"crc32c": crc32c(body), "size": len(body)})

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.exchange.journal import JournalError
        from perpsim.exchange.recovery import MismatchError, recover

        (folder / "journal").write_bytes(self.journal)
        (folder / self.path).write_bytes(data)
        try:
            found = recover(folder)
        except (JournalError, MismatchError):
            return False
        assert found.engine.digest() == self.digest
        return found.snapshot is not None


class Captures:
    """Raw Binance captures, as lines of text and as gzip files."""

    def __init__(self, rng: random.Random) -> None:
        with gzip.open(next(iter(sorted((ROOT / "replay" / "recordings").glob("*.gz"))))) as file:
            lines = [file.readline() for _ in range(2_000)]
        self.seeds = [b"".join(lines[at : at + 100]) for at in (0, 400, 1_900)]

    def make(self, rng: random.Random) -> bytes:
        lines = mutated(rng, rng.choice(self.seeds), self.seeds)
        if rng.random() < 0.5:
            return lines
        packed = gzip.compress(lines, 1, mtime=0)
        return mutated(rng, packed, [packed]) if rng.random() < 0.5 else packed

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.replay.errors import InputError
        from perpsim.replay.import_plan import Given
        from perpsim.replay.importing import read

        path = folder / ("x.dat.gz" if data[:2] == b"\x1f\x8b" else "x.dat")
        path.write_bytes(data)
        try:
            read([path], Given("binance-streams"))
        except InputError:
            return False
        finally:
            path.unlink()
        return True


class Store:
    """Tape files with bytes changed."""

    def __init__(self, rng: random.Random) -> None:
        from small_tape import quiet_market

        folder = FOLDER / "seed"
        shutil.rmtree(folder, ignore_errors=True)
        quiet_market(60).store(folder)
        (self.path,) = (path.relative_to(folder) for path in folder.rglob("*.parquet"))
        self.seeds = [(folder / self.path).read_bytes()]

    def make(self, rng: random.Random) -> bytes:
        return mutated(rng, self.seeds[0], self.seeds)

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.replay import tape
        from perpsim.replay.errors import InputError

        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        try:
            stored = tape.open_tape(folder / self.path.parent.parent)
            for _ in tape.iter_batches(stored):
                pass
        except InputError:
            return False
        return True


class Scenarios:
    """Scenario files."""

    def __init__(self, rng: random.Random) -> None:
        files = [*sorted((ROOT / "replay" / "scenarios").glob("*.toml")), *sorted((ROOT / "examples").glob("*.toml"))]
        self.seeds = [path.read_bytes() for path in files]

    def make(self, rng: random.Random) -> bytes:
        return mutated(rng, rng.choice(self.seeds), self.seeds)

    def attempt(self, data: bytes, folder: Path) -> bool:
        from perpsim.replay.errors import InputError
        from perpsim.replay.scenario import parse

        try:
            parse(data, folder / "x.toml", folder)
        except InputError:
            return False
        return True


TARGETS = {
    "commands": Commands, "snapshots": Snapshots, "journals": Journals, "saved": Saved, "captures": Captures,
    "store": Store, "scenarios": Scenarios,
}  # fmt: skip


def fuzz(name: str, seconds: float, seed: int) -> int:
    """Try inputs of one kind; the number of findings."""
    rng = random.Random(f"{name} {seed}")
    target = TARGETS[name](rng)
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    tried = taken = found = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and found < 10:
        data = target.make(rng)
        (folder / "last").write_bytes(data)
        began = time.process_time()
        try:
            taken += target.attempt(data, folder)
        except Exception:
            found += 1
            (folder / f"found-{found}").write_bytes(data)
            traceback.print_exc()
        if time.process_time() - began > TOO_LONG:
            found += 1
            (folder / f"found-{found}").write_bytes(data)
            print(f"{name}: {time.process_time() - began:.0f} s for one input", file=sys.stderr)
        tried += 1
    print(f"{name}: {tried} inputs, {taken} taken, {tried - taken} refused or found, {found} findings", flush=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="default: all")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=Path, help="try this one input again")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "tests"))
    targets = chosen.targets or list(TARGETS)
    if chosen.only:
        TARGETS[targets[0]](random.Random(0)).attempt(chosen.only.read_bytes(), FOLDER)
        return 0
    return 1 if sum(fuzz(name, chosen.seconds, chosen.seed) for name in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
