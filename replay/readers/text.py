"""Text files in blocks of whole lines, decompressed ahead of whoever parses them, so that two cores have work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple

from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import DAMAGED, SourceFile

BLOCK_BYTES = 1 << 22
LINE_BYTES_MAX = 1 << 26  # more without a line end is no text
AHEAD = 2


class Block(NamedTuple):
    """Whole lines of a file, each with its line end; `first` is the number of the first one, from 1."""

    first: int
    data: bytes


def line_blocks(file: SourceFile) -> Iterator[Block]:
    """All lines of a file in blocks of some BLOCK_BYTES. A text after the last line end counts as a line.

    Raises InputError where a line is longer than LINE_BYTES_MAX, and what `SourceFile.open` raises of a damaged file.
    """
    first = 1
    with file.open() as stream, ThreadPoolExecutor(max_workers=1, thread_name_prefix="perpsim-read") as pool:
        pieces = _pieces(file, stream, BLOCK_BYTES)
        waiting = [pool.submit(next, pieces, None) for _ in range(AHEAD)]
        try:
            while (data := waiting.pop(0).result()) is not None:
                waiting.append(pool.submit(next, pieces, None))
                yield Block(first, data)
                first += data.count(b"\n")
        except DAMAGED as error:
            raise file.damaged(error, first) from error
        finally:
            for future in waiting:
                future.cancel()


def _pieces(file: SourceFile, stream: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(block_bytes):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        elif len(rest := rest + data) > LINE_BYTES_MAX:
            raise InputError("has no line ends; it is no text of one row a line", file.place)
    if rest:
        yield rest + b"\n"
