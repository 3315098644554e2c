"""Snapshot files: the state of an engine and the place in the journal that it belongs to.

| at | bytes | field |
|---|---|---|
| 0 | 8 | magic, "PERPSNAP" |
| 8 | 4 | n, length of the header, at most 64 KiB |
| 12 | n | header: a msgpack map of format, schema, library, rulebook, frames, commands, chain, digest, size, crc32c |
| 12 + n | 4 | CRC-32C of everything before |
| 16 + n | size | `Engine.snapshot()`, whose CRC-32C is in the header |

A file is there whole or not at all. Its name counts the journal's frames before it, so names sort by age.
"""

from __future__ import annotations

import dataclasses
from importlib import metadata
from pathlib import Path
from typing import get_type_hints

import msgpack
from google_crc32c import value as crc32c
from perpsim.core import Engine

from .disk import SYSTEM, System, write_whole
from .journal import Journal, JournalError, rules_fingerprint, schema

FORMAT = 1
MAGIC = b"PERPSNAP"
HEADER_MAX = 1 << 16
KEPT = 2  # snapshots of a journal: the older is there in case that the newer cannot be read


@dataclasses.dataclass(frozen=True)
class Place:
    """What a snapshot is of."""

    format: int
    schema: str
    library: str
    rulebook: str
    frames: int  # of the journal, before it
    commands: int
    chain: bytes  # of the last of those frames
    digest: str
    size: int
    crc32c: int


def write(folder: Path, engine: Engine, journal: Journal, system: System = SYSTEM) -> Path:
    """Save an engine that stands at the end of a journal; drops all but the latest snapshots. Raises OSError."""
    body = engine.snapshot()
    place = Place(
        FORMAT, schema(), metadata.version("perpsim"), rules_fingerprint(engine), journal.frames, journal.commands,
        journal.chain, engine.digest(), len(body), crc32c(body),
    )  # fmt: skip
    header = msgpack.packb(dataclasses.asdict(place))
    first = MAGIC + len(header).to_bytes(4, "little") + header
    path = folder / f"snapshot-{journal.frames:012d}"
    write_whole(path, [first, crc32c(first).to_bytes(4, "little"), body], system)
    for old in find(folder)[KEPT:]:
        system.unlink(old)
    return path


def find(folder: Path) -> list[Path]:
    """The snapshots in a folder, latest first."""
    return sorted(folder.glob("snapshot-*"), reverse=True)


def read_place(path: Path) -> tuple[Place, int]:
    """(what a snapshot is of, offset of its body). Raises JournalError where it cannot be used here."""
    with path.open("rb") as file:
        first = file.read(len(MAGIC) + 4)
        length = int.from_bytes(first[len(MAGIC) :], "little")
        if first[: len(MAGIC)] != MAGIC or not 0 < length <= HEADER_MAX:
            raise JournalError("is not a snapshot", path, 0)
        rest = file.read(length + 4)
    if len(rest) < length + 4 or crc32c(first + rest[:length]) != int.from_bytes(rest[length:], "little"):
        raise JournalError("is damaged in its header", path, 0)
    try:
        fields = msgpack.unpackb(rest[:length])
        if fields["format"] != FORMAT:
            raise JournalError(f"is a snapshot of format {fields['format']}; this release reads {FORMAT}", path, 0)
        place = Place(**fields)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, JournalError):
            raise
        raise JournalError("has a header that this release does not know", path, 0) from error
    if any(type(getattr(place, name)) is not kind for name, kind in get_type_hints(Place).items()):
        raise JournalError("has a header that this release does not know", path, 0)
    if place.schema != schema():
        raise JournalError(f"its records have another layout (written by perpsim {place.library})", path, 0)
    return place, len(first) + len(rest)


def load(path: Path, place: Place, offset: int, audit: int = 0) -> Engine:
    """The engine of a snapshot. Raises JournalError where its bytes are not those that were saved."""
    if path.stat().st_size != offset + place.size:
        found = path.stat().st_size - offset
        raise JournalError(f"is damaged: {place.size} bytes of state were saved, {found} are there", path, offset)
    with path.open("rb") as file:
        file.seek(offset)
        body = file.read()
    if crc32c(body) != place.crc32c:
        raise JournalError("is damaged: its checksum is wrong", path, offset)
    try:
        engine = Engine.restore(body, audit)
    except ValueError as error:
        raise JournalError(str(error), path, offset) from error
    if engine.digest() != place.digest or rules_fingerprint(engine) != place.rulebook:
        raise JournalError("does not have the digest or the rules that its header names", path, offset)
    return engine
