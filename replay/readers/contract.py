"""What a reader is, and what it is given: source files, whatever they are packed in, and a place for its findings.

A reader parses and converts, nothing else. It yields blocks of rows in the order of the file; who calls it checks what
holds for every format, sorts, cuts into days and writes. So a reader never holds a whole file.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import COLUMNS, MORE

try:  # decompresses three times as fast; nothing depends on it
    from isal import igzip, isal_zlib

    GZIP_OPEN, GZIP_ERRORS = igzip.open, (EOFError, isal_zlib.error)
except ImportError:
    GZIP_OPEN, GZIP_ERRORS = gzip.open, (EOFError, zlib.error)

HEAD_BYTES = 1 << 16
BUFFER_BYTES = 1 << 20
PIECE_BYTES = 1 << 12  # of a head: what follows it may be damaged
MAGIC = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
DAMAGED = (*GZIP_ERRORS, OSError, zipfile.BadZipFile, tarfile.TarError, pa.ArrowException)


class Market(NamedTuple):
    """Whose recording a file is; day is the file's "YYYY-MM-DD" where its name has one."""

    venue: str
    symbol: str
    day: str | None = None


@dataclass(frozen=True)
class SourceFile:
    """A file with rows: as it lies on the disk, or a member of a zip or tar archive. gzip, zstd and lz4 are undone."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return Path(self.member or self.path).name

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    def open(self) -> BinaryIO:
        """The decompressed bytes. Raises InputError where there is no such file; damage shows while reading."""
        with ExitStack() as opened:
            try:
                stream = self._stream(opened)
            except (*DAMAGED, KeyError) as error:
                raise self.damaged(error) from error
            return io.BufferedReader(_Closing(stream, opened.pop_all()), BUFFER_BYTES)

    def _stream(self, opened: ExitStack) -> BinaryIO:
        if self.member is None:
            return unpacked(opened.enter_context(self.path.open("rb")), opened)
        if _magic(self.path) == "zip":
            archive = opened.enter_context(zipfile.ZipFile(self.path))
            return unpacked(opened.enter_context(archive.open(self.member)), opened)
        raw = unpacked(opened.enter_context(self.path.open("rb")), opened)
        archive = opened.enter_context(tarfile.TarFile.open(fileobj=raw, mode="r|"))
        while (found := archive.next()) is not None:
            if found.name == self.member:
                return unpacked(archive.extractfile(found), opened)
        raise KeyError(f"{self.member} is not in the archive any more")

    def head(self) -> bytes:
        """The first 64 KiB, decompressed, or what there is before damage. Raises InputError where that is nothing."""
        try:
            lies = self.path.stat()
        except OSError as error:
            raise self.damaged(error) from error
        return _head(self, lies.st_ino, lies.st_size, lies.st_mtime_ns)

    def damaged(self, error: Exception, line: int | None = None) -> InputError:
        """What to say of a file that cannot be read on; line is the last whole one."""
        if isinstance(error, OSError) and error.errno is not None:
            return InputError(f"cannot be opened ({error.strerror}); check the path", self.place)
        what = "is cut short" if isinstance(error, EOFError) else f"is damaged ({error})"
        where = "" if line is None else " here or further on"
        return InputError(f"the compressed stream {what}{where}; copy the file again from its source", self.place, line)


@lru_cache(maxsize=32)  # every reader looks at it
def _head(file: SourceFile, *version: int) -> bytes:
    """The head of a file of which no other version is meant."""
    data = b""
    with ExitStack() as opened:
        try:
            stream = file._stream(opened)
            while len(data) < HEAD_BYTES and (piece := stream.read(min(PIECE_BYTES, HEAD_BYTES - len(data)))):
                data += piece
        except (*DAMAGED, KeyError) as error:
            if not data:
                raise file.damaged(error, 1) from error
    if not data:
        raise InputError("is empty; copy the file again from its source", file.place)
    return data


class Rows(NamedTuple):
    """n rows of one file, in its order: whole messages only, at most some 500,000 rows.

    The six columns are those of the tape (see tape.COLUMNS); every row of a message but its last has MORE, and all
    have one time. `line` is int64[n]: the line or record of the file, from 1, that each row came from.
    """

    time_ns: np.ndarray
    receive_ns: np.ndarray
    code: np.ndarray
    price: np.ndarray
    value: np.ndarray
    id: np.ndarray
    file: SourceFile
    line: np.ndarray


class Reader(Protocol):
    """One format. Readers have no state: any of them may be called in several processes at once.

    A reader of files that mix markets also has `markets(file) -> list[Market]`; it yields the rows of one at a time.
    """

    name: str  # what --reader takes
    title: str  # a line for --help
    joined: bool  # the files of a market are one recording that runs on from file to file; else each stands alone

    def recognises(self, file: SourceFile) -> bool:
        """Whether name and head are of this format; cheap, and never true of two readers."""

    def market(self, file: SourceFile) -> Market:
        """Whose recording it is, from its name or first rows; venue or symbol "" where the file does not say."""

    def instrument(self, file: SourceFile) -> Instrument | None:
        """The market's facts, where the file itself says them."""

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        """All rows of the files, in the order given: of one file, or of all where the reader is `joined`.

        What is wrong goes to findings.refuse, which says what may stay; InputError for what makes reading on senseless.
        """


@runtime_checkable
class Rowless(Protocol):
    """What a reader has besides, whose files serve the quality card only."""

    rowless: bool  # True


@runtime_checkable
class ManyMarkets(Protocol):
    """What a reader has besides, whose files hold rows of many markets: `rows` passes over those of the others."""

    def markets(self, file: SourceFile) -> list[Market]:
        """All markets that the file has rows of, sorted."""

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        """The facts of one of them, where the file says them."""


def sources(paths: Sequence[str | PathLike] | str | PathLike) -> list[SourceFile]:
    """Files, folders (all files below, by name) and archives (all members, by name) as source files.

    Hidden files and checksum files are passed over in folders. Raises InputError for what is not there.
    """
    given = [paths] if isinstance(paths, (str, PathLike)) else list(paths)
    if not given:
        raise InputError("no file was given to read; give files or a folder")
    found: list[SourceFile] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = [each for each in sorted(path.rglob("*")) if each.is_file() and _is_data(each.relative_to(path))]
            if not inside:
                raise InputError("holds no files; check the path", path)
            found += [source for each in inside for source in _members(each)]
        else:
            found += _members(path)
    return found


def unpacked(raw: BinaryIO, opened: ExitStack) -> BinaryIO:
    """A stream without its gzip, zstd or lz4 packing, told by the first bytes, not by a name; opened closes it."""
    raw = raw if hasattr(raw, "peek") else opened.enter_context(io.BufferedReader(raw))
    kind = next((kind for magic, kind in MAGIC.items() if raw.peek(4).startswith(magic)), None)
    if kind == "gzip":
        return opened.enter_context(GZIP_OPEN(raw))
    if kind in ("zstd", "lz4"):
        return opened.enter_context(pa.CompressedInputStream(raw, kind))
    return raw


class _Closing(io.RawIOBase):
    """A stream that closes all that it reads through."""

    def __init__(self, stream: BinaryIO, opened: ExitStack):
        self._stream, self._opened = stream, opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._opened.close()
        super().close()


def kept(rows: Rows, keep: np.ndarray) -> Rows:
    """The rows of a mask, each message ending with the last of its rows that stay."""
    if keep.all():
        return rows
    ends = np.flatnonzero((rows.code & MORE) == 0)
    message = np.searchsorted(ends, np.arange(len(keep)))[keep]
    code = rows.code[keep] | MORE
    code[np.append(message[1:] != message[:-1], True)[: len(code)]] &= 0xFF ^ MORE
    columns = {name: getattr(rows, name)[keep] for name in (*COLUMNS, "line")}
    return rows._replace(**(columns | {"code": code}))


def _members(path: Path) -> list[SourceFile]:
    try:
        kind = _magic(path)
        if kind == "zip":
            with zipfile.ZipFile(path) as archive:
                names = [each.filename for each in archive.infolist() if not each.is_dir()]
        elif kind == "tar":
            with ExitStack() as opened:
                raw = unpacked(opened.enter_context(path.open("rb")), opened)
                archive = opened.enter_context(tarfile.TarFile.open(fileobj=raw, mode="r|"))
                names = [each.name for each in archive if each.isfile()]
        else:
            return [SourceFile(path)]
    except DAMAGED as error:
        raise SourceFile(path).damaged(error) from error
    return [SourceFile(path, name) for name in sorted(names) if _is_data(Path(name))]


def _magic(path: Path) -> str | None:
    """How a file is packed: a compressed tar counts as tar."""
    with ExitStack() as opened:
        raw = opened.enter_context(path.open("rb"))
        head = raw.peek(512)
        kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
        if kind in ("gzip", "zstd", "lz4"):
            try:
                head = unpacked(raw, opened).read(512)
            except DAMAGED:
                return kind  # said when it is read
        return "tar" if kind != "zip" and head[TAR_MAGIC_AT:].startswith(TAR_MAGIC) else kind


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    about = path.suffix.lower() in (".checksum", ".md", ".sha256") or "readme" in path.name.lower()
    return not hidden and not about
