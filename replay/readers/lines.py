"""Captures of `<receive time> <json>` lines: several files, gzip or plain, as one run of numbered lines.

Blocks of a few megabytes bound the memory. The times are read for a whole block at once: a recorder writes all of a
file in one unit, told by the number of digits.
"""

import gzip
import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from perpsim.replay.errors import InputError
from perpsim.replay.tape import Source

try:  # decompresses three times as fast; nothing depends on it
    from isal import igzip, isal_zlib

    GZIP_OPEN, GZIP_ERRORS = igzip.open, (EOFError, OSError, isal_zlib.error)
except ImportError:
    GZIP_OPEN, GZIP_ERRORS = gzip.open, (EOFError, OSError, zlib.error)

BLOCK_BYTES = 1 << 21
LINE_BYTES_MAX = 1 << 26  # more without a line end is no capture
GZIP_MAGIC = b"\x1f\x8b"
UNIT_NS = {13: 1_000_000, 16: 1_000, 19: 1}  # by digits of the time: ms, us, ns since 1970

Progress = Callable[[int, int], None]


class Lines(NamedTuple):
    """A block of n whole lines of one file; line i has the JSON text lines[i][body:]."""

    first: int  # number of lines[0] in the run of all files, from 0
    lines: list[bytes]
    receive_ns: np.ndarray
    body: int


class Capture:
    """The files of one recording, in the order given."""

    def __init__(self, paths: Sequence[str | PathLike] | str | PathLike, progress: Progress | None = None):
        given = [paths] if isinstance(paths, (str, PathLike)) else list(paths)
        self.paths = [Path(path) for path in given]
        if not self.paths:
            raise InputError("no file was given to read; give the files of one recording in their order")
        self.sources = tuple(_source(path) for path in self.paths)
        self.bytes_total = sum(source.size_bytes for source in self.sources)
        self.lines_count = 0
        self._starts: list[int] = []
        self._progress = progress or (lambda done_bytes, total_bytes: None)

    def where(self, number: int) -> tuple[Path, int]:
        """(file, line in it from 1) of a line read so far, by its number in the run of all files."""
        index = bisect_right(self._starts, number) - 1
        return self.paths[index], number - self._starts[index] + 1

    def opens_file(self, number: int) -> bool:
        """Whether a later file than the first starts at or shortly before that line."""
        index = bisect_right(self._starts, number) - 1
        return index > 0 and number - self._starts[index] < 100

    def blocks(self) -> Iterator[Lines]:
        """All lines, block by block; calls progress(bytes read, bytes in all) after each."""
        done_bytes = 0
        for path, source in zip(self.paths, self.sources, strict=True):
            self._starts.append(self.lines_count)
            with path.open("rb") as raw:
                for block in self._file_blocks(path, raw):
                    lines = block.split(b"\n")
                    del lines[-1]  # what follows the last line end: nothing
                    yield self._stamped(block, lines)
                    self.lines_count += len(lines)
                    self._progress(done_bytes + min(raw.tell(), source.size_bytes), self.bytes_total)
            done_bytes += source.size_bytes
        self._progress(self.bytes_total, self.bytes_total)

    def _file_blocks(self, path: Path, raw: BinaryIO) -> Iterator[bytes]:
        """Blocks that end with a line end; the text after the last line end of a file counts as a line."""
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = GZIP_OPEN(raw) if zipped else raw
        rest = b""
        while True:
            try:
                data = stream.read(BLOCK_BYTES)
            except GZIP_ERRORS as error:
                raise self._damaged(path, zipped, error) from error
            if not data:
                break
            cut = data.rfind(b"\n") + 1
            if cut:
                yield rest + data[:cut]
                rest = data[cut:]
            elif len(rest := rest + data) > LINE_BYTES_MAX:
                raise InputError("has no line ends; it is no capture of one message a line", path)
        if rest:
            yield rest + b"\n"

    def _damaged(self, path: Path, zipped: bool, error: Exception) -> InputError:
        line = self.lines_count - self._starts[-1] + 1
        if not zipped:
            return InputError(f"the file cannot be read on ({error}); copy it again from its source", path, line)
        what = "is cut short" if isinstance(error, EOFError) else f"is damaged ({error})"
        return InputError(f"the gzip stream {what} here or further on; copy the file again from its source", path, line)

    def _stamped(self, block: bytes, lines: list[bytes]) -> Lines:
        """Read the times in front of the lines; refuses the first line that has none."""
        width = lines[0].find(b" ")
        if width not in UNIT_NS:
            raise self._no_time(lines, 0)
        text = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(text == ord("\n"))
        starts = np.concatenate(([0], ends[:-1] + 1))
        head = text[np.minimum(starts[:, None] + np.arange(width + 1), len(text) - 1)]
        digits = head[:, :width] - ord("0")
        good = (ends - starts > width + 1) & (head[:, width] == ord(" ")) & (digits < 10).all(axis=1)
        if not good.all():
            raise self._no_time(lines, int(np.argmin(good)))
        powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
        return Lines(self.lines_count, lines, digits.astype(np.int64) @ powers * UNIT_NS[width], width + 1)

    def _no_time(self, lines: list[bytes], index: int) -> InputError:
        return InputError(
            f"the line starts with {lines[index][:24]!r}, not with a receive time in ms, us or ns and a message; "
            "take it out or record again",
            *self.where(self.lines_count + index),
        )


def _source(path: Path) -> Source:
    """Name, size and sha256 of a file as it lies on the disk; refuses what cannot be opened or is empty."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size_bytes = file.tell()
    except OSError as error:
        raise InputError(f"cannot be opened ({error.strerror}); check the path", path) from error
    if size_bytes == 0:
        raise InputError("is empty; copy the file again from its source", path)
    return Source(path.name, digest, size_bytes)
