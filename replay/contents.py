"""Which kinds of rows a tape has, and what cannot be replayed from it because of that."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.replay.errors import InputError
from perpsim.replay.tape import ROW_MASK, Row, StoredTape, Tape

BOOK = (Row.LEVEL, Row.ORDER_ADD)  # rows that a book can be made of


def kinds(tape: Tape | StoredTape) -> Counter[Row]:
    """Number of rows of each kind. Of a stored tape as its import counted them, else its codes are read."""
    if isinstance(tape, Tape):
        return _counted(tape.code)
    found = _told(tape.quality)
    return found if sum(found.values()) == len(tape) else sum((_read(part.path) for part in tape.parts), Counter())


def has_book(found: Counter[Row]) -> bool:
    """Whether there is a recorded book."""
    return any(found[kind] for kind in BOOK)


def _counted(code: np.ndarray) -> Counter[Row]:
    counts = np.bincount(code & ROW_MASK, minlength=ROW_MASK + 1).tolist()
    return Counter({Row(kind): count for kind, count in enumerate(counts) if count})


def _told(quality: dict[str, Any]) -> Counter[Row]:
    """By the counts of an import; of several imports together."""
    found: Counter[Row] = Counter()
    for each in quality.get("imports", [quality]):
        for name, count in each.get("counts", {}).items():
            kind = name.removeprefix("rows.").upper()
            if name.startswith("rows.") and kind in Row.__members__:
                found[Row[kind]] += count
    return found


def _read(path: Any) -> Counter[Row]:
    found: Counter[Row] = Counter()
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, ["code"], use_threads=False).column(0).combine_chunks()
                found += _counted(np.frombuffer(column.buffers()[1], np.uint8, len(column), column.offset))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"is damaged ({error}); import the recording again", path) from error
    return found
