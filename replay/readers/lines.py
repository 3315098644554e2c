"""Captures of `<receive time> <json>` lines, block by block.

The times are read for a whole block at once: a recorder writes all of a file in one unit, told by the number of digits.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from perpsim.replay.readers.contract import Findings, SourceFile
from perpsim.replay.readers.text import Block, ahead, line_blocks

UNIT_NS = {13: 1_000_000, 16: 1_000, 19: 1}  # by digits of the time: ms, us, ns since 1970


class Lines(NamedTuple):
    """n whole lines of a file: line i has the number line[i] and the JSON text texts[i][body:]."""

    file: SourceFile
    line: np.ndarray
    texts: list[bytes]
    receive_ns: np.ndarray
    body: int


def stamped_lines(file: SourceFile, findings: Findings) -> Iterator[Lines]:
    """All lines of a file that start with a time; the others are findings `unreadable`."""
    for block in ahead(line_blocks(file)):
        found = _stamped(file, block, findings)
        if found.texts:
            yield found


def first_lines(file: SourceFile, findings: Findings) -> Iterator[Lines]:
    """The lines of a file's head, then all lines from the start: for whoever looks for a line that comes early."""
    head = file.head()
    cut = head.rfind(b"\n") + 1
    if cut and (found := _stamped(file, Block(1, head[:cut]), findings)).texts:
        yield found
    yield from stamped_lines(file, findings)


def _stamped(file: SourceFile, block: Block, findings: Findings) -> Lines:
    lines = block.data.split(b"\n")
    del lines[-1]  # what follows the last line end: nothing
    number = np.arange(block.first, block.first + len(lines))
    width = next((at for each in lines if (at := each.find(b" ", 0, 20)) in UNIT_NS), 0)
    text = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    head = text[np.minimum(starts[:, None] + np.arange(width + 1), len(text) - 1)]
    digits = head[:, :width] - ord("0")
    good = (ends - starts > width + 1) & (head[:, width] == ord(" ")) & (digits < 10).all(axis=1) & (width > 0)
    keep = findings.refuse(
        "unreadable",
        ~good,
        file,
        number,
        lambda i: (
            f"the line starts with {lines[i][:24]!r}, not with a receive time in ms, us or ns and a message; "
            "take it out or record again"
        ),
    )
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    receive_ns = digits[keep].astype(np.int64) @ powers * UNIT_NS.get(width, 1)
    if not keep.all():
        lines = [lines[index] for index in np.flatnonzero(keep).tolist()]
    return Lines(file, number[keep], lines, receive_ns, width + 1)
