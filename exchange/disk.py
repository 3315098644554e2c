"""Files that survive a crash: the only place of this folder that touches them.

Nothing is assumed but what POSIX gives: what was written before an `fsync` that returned is there afterwards; what was
written since may be there in part, sector by sector, in any order; a rename happens wholly or not at all, and is there
for certain once its folder was synced. After a failed `fsync` nobody knows what is on the disk, so it is never retried.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Protocol


class System:
    """The calls that can fail. Tests hand over one that does."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)
    truncate = staticmethod(os.ftruncate)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    close = staticmethod(os.close)


SYSTEM = System()
NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
AT_END = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class Log(Protocol):
    """Where a journal's bytes go."""

    def append(self, data: bytes) -> None:
        """Write all of it. Raises OSError; what was written of it is then unknown."""

    def sync(self) -> None:
        """Return once all that was appended survives a power cut. Raises OSError."""

    def close(self) -> None: ...


class FileLog:
    """A file that grows at its end."""

    def __init__(self, path: Path, system: System = SYSTEM):
        self.system = system
        self.handle = system.open(path, AT_END)

    def append(self, data: bytes) -> None:
        write_all(self.system, self.handle, data)

    def sync(self) -> None:
        self.system.fsync(self.handle)

    def cut(self, size: int) -> None:
        """Forget everything from an offset on, and have that on the disk before anything follows."""
        self.system.truncate(self.handle, size)
        self.system.fsync(self.handle)

    def close(self) -> None:
        if self.handle >= 0:
            self.handle, handle = -1, self.handle
            self.system.close(handle)


class MemoryLog:
    """The same in memory: for tests, and for journals that are shipped elsewhere."""

    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, data: bytes) -> None:
        self.data += data

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Lock:
    """An exclusive hold on a folder by one process; it ends with the process, however that ends."""

    def __init__(self, folder: Path):
        self.handle = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.handle)
            raise

    def release(self) -> None:
        if self.handle >= 0:
            self.handle, handle = -1, self.handle
            os.close(handle)


def write_all(system: System, handle: int, data: bytes) -> None:
    """Write every byte, however many calls that takes. Raises OSError."""
    view = memoryview(data)
    while view:
        written = system.write(handle, view)
        if written <= 0:
            raise OSError(errno.EIO, "the disk took nothing")
        view = view[written:]


def write_whole(path: Path, pieces: list[bytes], system: System = SYSTEM) -> None:
    """A file that is there whole or not at all: written beside its place, synced, renamed, the folder synced."""
    beside = path.with_name(f".{path.name}.unfinished")
    handle = system.open(beside, NEW, 0o644)
    try:
        for piece in pieces:
            write_all(system, handle, piece)
        system.fsync(handle)
    finally:
        system.close(handle)
    system.rename(beside, path)
    sync(path.parent, system)


def sync(path: Path, system: System = SYSTEM) -> None:
    """Have a file's content, or the names in a folder, on the disk."""
    handle = system.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        system.fsync(handle)
    finally:
        system.close(handle)


def make_folder(folder: Path, system: System = SYSTEM) -> None:
    """A folder that is still there after a power cut."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync(folder.parent, system)
