"""Text files in blocks of whole lines, and work that a thread does ahead of whoever needs it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, TypeVar

from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import DAMAGED, SourceFile

BLOCK_BYTES = 1 << 22
LINE_BYTES_MAX = 1 << 26  # more without a line end is no text
AHEAD = 2

Item = TypeVar("Item")


class Block(NamedTuple):
    """Whole lines of a file, each with its line end; `first` is the number of the first one, from 1."""

    first: int
    data: bytes


def line_blocks(file: SourceFile) -> Iterator[Block]:
    """All lines of a file in blocks of some BLOCK_BYTES. A text after the last line end counts as a line.

    Raises InputError where a line is longer than LINE_BYTES_MAX, and for a file that is damaged.
    """
    first = 1
    with file.open() as stream:
        try:
            for data in _pieces(file, stream):
                yield Block(first, data)
                first += data.count(b"\n")
        except DAMAGED as error:
            raise file.damaged(error, first) from error


def _pieces(file: SourceFile, stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        elif len(rest := rest + data) > LINE_BYTES_MAX:
            raise InputError("has no line ends; it is no text of one row a line", file.place)
    if rest:
        yield rest + b"\n"


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items of a generator in their order, made by a thread while the one before is in use.

    Decompressing and parsing leave the other processors to Python. An error comes when its item is asked for.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="perpsim-read") as pool:
        done = object()
        waiting = [pool.submit(next, items, done) for _ in range(AHEAD)]
        try:
            while (item := waiting.pop(0).result()) is not done:
                waiting.append(pool.submit(next, items, done))
                yield item
        finally:
            for future in waiting:
                future.cancel()
