"""Which kinds of rows a tape has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.replay.bars import PARTS, ROWS_A_BAR
from perpsim.replay.counts import BARS
from perpsim.replay.errors import InputError
from perpsim.replay.tape import ROW_MASK, Row, StoredTape, Tape, imports_of

BOOK = (Row.LEVEL, Row.ORDER_ADD)  # rows that a book can be made of


@dataclass(frozen=True)
class Contents:
    """Rows of a tape by kind, and bars by what they are of, Row.MARK or Row.INDEX."""

    rows: Counter[Row]
    bars: Counter[Row]

    @property
    def has_book(self) -> bool:
        """Whether there is a recorded book."""
        return any(self.rows[kind] for kind in BOOK)


def contents(tape: Tape | StoredTape) -> Contents:
    """Of a stored tape as its import counted them, else its rows are read."""
    if isinstance(tape, Tape):
        return _counted(tape.code, tape.price)
    told = _told(tape.quality)
    return told if sum(told.rows.values()) == len(tape) else _read(tape)


def _counted(code: np.ndarray, price: np.ndarray) -> Contents:
    kinds = code & ROW_MASK
    rows = {Row(kind): count for kind, count in enumerate(np.bincount(kinds).tolist()) if count}
    bars: Counter[Row] = Counter()
    if Row.BAR in rows:
        of, counts = np.unique(price[kinds == Row.BAR] // PARTS, return_counts=True)
        bars.update(
            {Row(kind): -(-count // ROWS_A_BAR) for kind, count in zip(of.tolist(), counts.tolist(), strict=True)}
        )
    return Contents(Counter(rows), bars)


def _told(quality: dict[str, Any]) -> Contents:
    """By the counts of an import; of several imports together."""
    found = Contents(Counter(), Counter())
    for each in imports_of(quality):
        for name, count in each.get("counts", {}).items():
            kind = name.removeprefix("rows.").upper()
            if name.startswith("rows.") and kind in Row.__members__:
                found.rows[Row[kind]] += count
            elif name in BARS:
                found.bars[BARS[name]] += count
    return found


def _read(tape: StoredTape) -> Contents:
    found = Contents(Counter(), Counter())
    for path in [part.path for part in tape.parts]:
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, ["code", "price"], use_threads=False)
                    code, price = (table.column(name).to_numpy() for name in ("code", "price"))
                    part = _counted(code, price)
                    found.rows.update(part.rows)
                    found.bars.update(part.bars)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"is damaged ({error}); import the recording again", path) from error
    return found
