"""Two disks for tests: one whose n-th call fails, and one that remembers what a power cut could leave of it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perpsim.exchange.disk import System

SECTOR = 512
CALLS = ("open", "write", "fsync", "truncate", "rename", "unlink")


class QuickSystem(System):
    """Without waiting for the disk, where no power is cut."""

    fsync = staticmethod(lambda handle: None)


class FaultySystem(System):
    """The n-th call fails, once or from then on. `short` writes a part first, as a full disk does."""

    def __init__(self, number: int, error: int, for_good: bool, short: bool = False):
        self.number, self.error, self.for_good, self.short = number, error, for_good, short
        self.calls = 0
        self.failed: str | None = None  # which call it was

    def __getattribute__(self, name: str) -> Any:
        if name not in CALLS:
            return object.__getattribute__(self, name)
        real = getattr(QuickSystem, name)
        return lambda *arguments: self.call(name, real, arguments)

    def call(self, name: str, real: Any, arguments: tuple) -> Any:
        self.calls += 1
        if self.calls < self.number or (self.calls > self.number and not self.for_good):
            return real(*arguments)
        self.failed = self.failed or name
        if name == "write" and self.short and len(arguments[1]) > 1:
            first, self.short = len(arguments[1]) // 2, self.for_good
            self.number += not self.for_good  # the rest of it fails
            return real(arguments[0], arguments[1][:first])
        raise OSError(self.error, os.strerror(self.error))


@dataclass
class Inode:
    """A file's bytes: those that are safe, and the changes since."""

    safe: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # (offset, data), or None: cut there

    def whole(self) -> bytearray:
        data = bytearray(self.safe)
        for change in self.pending:
            apply(data, *change)
        return data

    def after_a_cut(self, rng: random.Random) -> bytes:
        """Any of the sectors of what was not synced; what is missing reads as zeros or is beyond the end."""
        data = bytearray(self.safe)
        for offset, written in self.pending:
            lost = rng.random()
            if lost < 0.25:
                continue
            if written is None or lost < 0.5:
                apply(data, offset, written)
                continue
            part = written[: rng.randint(0, len(written))] if lost < 0.75 else written
            held = bytearray(part)
            at = 0
            while at < len(held):
                stop = at + SECTOR - (offset + at) % SECTOR
                if rng.random() < 0.4:
                    held[at:stop] = bytes(len(held[at:stop]))
                at = stop
            apply(data, offset, bytes(held))
        return bytes(data)


def apply(data: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del data[offset:]
        return
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(written)] = written


class RecordingSystem(System):
    """Real files, and a record of what of them is safe. `after_a_cut` makes up what a power cut could leave."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` has files that are safe already."""
        found = sorted(folder.iterdir()) if folder else []
        self.names = {path.name: Inode(path.read_bytes()) for path in found}  # as the process sees it
        self.safe_names = dict(self.names)
        self.pending: list[dict[str, Inode | None]] = []  # changes of names since, each whole or not at all
        self.handles: dict[int, Inode | None] = {}  # None: a folder

    def open(self, path: Path, flags: int, mode: int = 0o644) -> int:
        handle = os.open(path, flags, mode)
        if Path(path).is_dir():
            self.handles[handle] = None
            return handle
        if flags & os.O_TRUNC or path.name not in self.names:
            self.rename_to({path.name: Inode()})
        self.handles[handle] = self.names[path.name]
        return handle

    def rename_to(self, change: dict[str, Inode | None]) -> None:
        self.pending.append(change)
        carry_out(self.names, change)

    def write(self, handle: int, data: bytes) -> int:
        inode = self.handles[handle]
        inode.pending.append((len(inode.whole()), bytes(data)))
        return os.write(handle, data)

    def truncate(self, handle: int, size: int) -> None:
        self.handles[handle].pending.append((size, None))
        os.ftruncate(handle, size)

    def fsync(self, handle: int) -> None:
        inode = self.handles[handle]
        if inode is None:
            self.safe_names, self.pending = dict(self.names), []
        else:
            inode.safe, inode.pending = bytes(inode.whole()), []

    def rename(self, old: Path, new: Path) -> None:
        self.rename_to({old.name: None, new.name: self.names[old.name]})
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        self.rename_to({path.name: None})
        os.unlink(path)

    def close(self, handle: int) -> None:
        del self.handles[handle]
        os.close(handle)

    def after_a_cut(self, rng: random.Random) -> dict[str, bytes]:
        """Names and bytes that a power cut may leave now."""
        names = dict(self.safe_names)
        kept = rng.randint(0, len(self.pending))
        for number, change in enumerate(self.pending):
            if number < kept or rng.random() < 0.3:
                carry_out(names, change)
        return {name: inode.after_a_cut(rng) for name, inode in names.items()}


def carry_out(names: dict[str, Inode], change: dict[str, Inode | None]) -> None:
    for name, inode in change.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


class CutSystem(RecordingSystem):
    """Before each call: `look(self)`, which may write down what a power cut would leave."""

    def __init__(self, look: Callable[[RecordingSystem], None], folder: Path | None = None) -> None:
        super().__init__(folder)
        self.look = look

    def __getattribute__(self, name: str) -> Any:
        if name in CALLS:
            object.__getattribute__(self, "look")(self)
        return object.__getattribute__(self, name)
