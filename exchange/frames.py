"""Frames: how a journal's bytes are cut up, so that a torn end is told from damage.

| at | bytes | field |
|---|---|---|
| 0 | 4 | mark, C1 50 4A 31 |
| 4 | 4 | n, length of the payload, 1 to 16 MiB |
| 8 | 8 | sequence of the frame, from 0 |
| 16 | 16 | chain: BLAKE2b of the chain before, bytes 0 to 15 of this frame, and its payload |
| 32 | 4 | CRC-32C of bytes 0 to 31 |
| 36 | n | payload |
| 36 + n | 4 | CRC-32C of the payload |
| 40 + n | 4 | end mark, 31 4A 50 C1 |

Numbers are little-endian. A durable journal syncs a frame before it writes the next one, so a crash can leave one
frame that is cut short, or that has sectors of zeros. That is a *torn end*: the journal stops before it. Anything else
that is wrong is *damage*, and is refused with its offset: nothing is ever skipped.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google_crc32c import value as crc32c

HEAD = struct.Struct("<4sIQ16sI")
END = struct.Struct("<I4s")
MARK, END_MARK = b"\xc1PJ1", b"1JP\xc1"
CHAINED = 16  # bytes of a head that its chain covers
CHECKED = HEAD.size - 4
PAYLOAD_MAX = 1 << 24
FRAME_MAX = HEAD.size + PAYLOAD_MAX + END.size
SECTOR = 512  # what a disk writes wholly or not at all
SEARCHED = 1 << 20  # bytes at a time
START = bytes(16)  # the chain before the first frame


class Frame(NamedTuple):
    """One whole frame that follows the one before it."""

    sequence: int
    offset: int
    payload: bytes
    chain: bytes


class DamageError(ValueError):
    """A journal that is not a whole prefix with a torn end. `offset` says where."""

    def __init__(self, offset: int, sentence: str):
        self.offset = offset
        super().__init__(f"damaged at byte {offset}: {sentence}")


class Source:
    """Bytes to read from, in memory or in a file; keeps the size that it had at first."""

    def __init__(self, data: bytes | bytearray | Path):
        self.file = data.open("rb") if isinstance(data, Path) else None
        self.data = b"" if self.file else bytes(data)
        self.size = self.file.seek(0, 2) if self.file else len(self.data)

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes, fewer where the source ends."""
        if not self.file:
            return self.data[at : at + count]
        self.file.seek(at)
        return self.file.read(min(count, max(0, self.size - at)))

    def close(self) -> None:
        if self.file:
            self.file.close()


def encode(sequence: int, before: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """(bytes of a frame, its chain) after a frame with the chain `before`."""
    if not 0 < len(payload) <= PAYLOAD_MAX:
        raise ValueError(f"a payload has 1 to {PAYLOAD_MAX} bytes, not {len(payload)}")
    first = struct.pack("<4sIQ", MARK, len(payload), sequence)
    chain = link(before, first, payload)
    checked = first + chain
    ends = END.pack(crc32c(payload), END_MARK)
    return b"".join((checked, crc32c(checked).to_bytes(4, "little"), payload, ends)), chain


def link(before: bytes, first: bytes, payload: bytes) -> bytes:
    """The chain of a frame."""
    hashed = hashlib.blake2b(before + first, digest_size=16)
    hashed.update(payload)
    return hashed.digest()


class Scan:
    """Reads frames in order; iterate once.

    `end` is the offset after the last whole frame, `chain` and `sequence` what the next one continues, `dropped` the
    bytes of a torn end. Raises DamageError.
    """

    def __init__(self, source: Source):
        self.source = source
        self.end = self.sequence = self.dropped = 0
        self.chain = START

    def __iter__(self) -> Iterator[Frame]:
        while self.end < self.source.size:
            frame = self._whole(self.source.read(self.end, HEAD.size))
            if frame is None:
                self.dropped = self.source.size - self.end
                return
            yield frame

    def _whole(self, head: bytes) -> Frame | None:
        """The frame at `end`, None where the journal ends torn."""
        at = self.end
        if len(head) < HEAD.size or crc32c(head[:CHECKED]) != int.from_bytes(head[CHECKED:], "little"):
            return self._tail(None)
        mark, length, sequence, chain, _ = HEAD.unpack(head)
        if mark != MARK:
            raise DamageError(at, f"a frame begins with {mark!r}, those of this release with {MARK!r}")
        if not 0 < length <= PAYLOAD_MAX:
            raise DamageError(at, f"a frame claims {length} bytes, {PAYLOAD_MAX} is the most")
        if sequence != self.sequence:
            raise DamageError(at, f"frame {sequence} stands where frame {self.sequence} belongs")
        rest = self.source.read(at + HEAD.size, length + END.size)
        payload = rest[:length]
        if len(rest) < length + END.size or END.unpack(rest[length:]) != (crc32c(payload), END_MARK):
            return self._tail(length)
        if link(self.chain, head[:CHAINED], payload) != chain:
            raise DamageError(at, f"frame {sequence} does not follow the frame before it")
        self.end, self.sequence, self.chain = at + HEAD.size + len(rest), sequence + 1, chain
        return Frame(sequence, at, payload, chain)

    def _tail(self, length: int | None) -> None:
        """Return if what is left can be one frame of which a crash kept a part; `length` is known if its head is."""
        at, left = self.end, self.source.size - self.end
        if at == 0:
            raise DamageError(0, "its first frame, the header, is not whole")
        later = self._later()
        if later is not None:
            raise DamageError(at, f"frame {self.sequence} is not whole, but a frame follows at byte {later}")
        rest = self.source.read(at, FRAME_MAX)
        extent = HEAD.size + (PAYLOAD_MAX if length is None else length) + END.size
        if not rest.strip(b"\0") and self._zeros(at + len(rest)):
            return
        if not self._zeros(at + extent):
            raise DamageError(at, f"frame {self.sequence} is not whole, and more follows it")
        cut = left < extent if length is not None else left < HEAD.size and self._begins(rest)
        if not cut and not lost_sector(rest[:extent], at):
            raise DamageError(at, f"frame {self.sequence} is there, but its checksum is wrong")

    def _begins(self, rest: bytes) -> bool:
        """So few bytes that not even a head is whole; they begin like the next frame."""
        sequence = self.sequence.to_bytes(8, "little")
        return MARK.startswith(rest[:4]) and sequence.startswith(rest[8:16])

    def _zeros(self, at: int) -> bool:
        """Whether nothing but zeros follows."""
        while at < self.source.size:
            piece = self.source.read(at, SEARCHED)
            if piece.strip(b"\0"):
                return False
            at += len(piece)
        return True

    def _later(self) -> int | None:
        """Offset of a head of a later frame behind the one at `end`. For the report only: nothing is resumed there."""
        at = self.end + 1
        while at < self.source.size:
            piece = self.source.read(at, SEARCHED + HEAD.size)
            found = piece.find(MARK)
            while 0 <= found < SEARCHED:
                head = piece[found : found + HEAD.size]
                whole = len(head) == HEAD.size and crc32c(head[:CHECKED]) == int.from_bytes(head[CHECKED:], "little")
                if whole and HEAD.unpack(head)[2] > self.sequence:
                    return at + found
                found = piece.find(MARK, found + 1)
            at += SEARCHED
        return None


def lost_sector(frame: bytes, at: int) -> bool:
    """Whether a sector of the disk that a frame at offset `at` should have written holds only zeros."""
    first = 0
    while first < len(frame):
        last = first + SECTOR - (at + first) % SECTOR
        if not frame[first:last].strip(b"\0"):
            return True
        first = last
    return False
