"""What a tape says was counted, where it has some rows of a recording only: a slice, a day of a file of several.

Rows by kind and counts by minute are of the rows that are there. The rest was counted over files as a whole; it is kept
beside them, under `files`, and is never added to what is of the rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from perpsim.replay.bars import PARTS, ROWS_A_BAR
from perpsim.replay.tape import ROW_MASK, Batch, Row, imports_of

BARS = {"mark_bars": Row.MARK, "index_bars": Row.INDEX}  # counts of an import
MINUTE = re.compile(r"(\S+) (\d{4}-\d{2}-\d{2}T\d{2}:\d{2})")  # counted in this minute; in all minutes without it
MINUTE_NS = 60_000_000_000


class RowCounts:
    """Counts rows by kind, and those of bars by what they are of."""

    def __init__(self, rows: dict[str, int] | None = None):
        self.rows: Counter[str] = Counter(rows or {})  # rows.KIND, and mark_bars and index_bars in rows

    def add(self, batch: Batch) -> RowCounts:
        """The next rows."""
        kinds = batch["code"] & ROW_MASK
        for kind, count in enumerate(np.bincount(kinds).tolist()):
            if count:
                self.rows[f"rows.{Row(kind).name.lower()}"] += count
        if (bars := kinds == Row.BAR).any():
            of = batch["price"][bars] // PARTS
            for name, kind in BARS.items():
                self.rows[name] += int((of == kind).sum())
        return self

    def counts(self) -> dict[str, int]:
        """As an import names them."""
        return {name: -(-n // ROWS_A_BAR) if name in BARS else n for name, n in self.rows.items() if n}


def of_part(quality: dict[str, Any], rows: RowCounts, start_ns: int, end_ns: int, files: list[str]) -> dict[str, Any]:
    """The quality of some rows, of start_ns <= time < end_ns, of a recording of these files with that quality.

    A minute that is in the span in part cannot be told apart, and is left out.
    """
    counts: Counter[str] = Counter(rows.counts())
    told: list[dict[str, Any]] = []
    for each in imports_of(quality):
        found = {name: MINUTE.fullmatch(name) for name in each.get("counts", {})}
        in_all = {match[1] for match in found.values() if match}
        counts.update(dict.fromkeys(in_all, 0))
        rest = {}
        for name, count in each.get("counts", {}).items():
            if (match := found[name]) is not None:
                at_ns = int(np.datetime64(match[2], "ns").astype(np.int64))
                if start_ns <= at_ns and at_ns + MINUTE_NS <= end_ns:
                    counts[name] += count
                    counts[match[1]] += count
            elif name not in in_all and name not in BARS and not name.startswith("rows."):
                rest[name] = count
        whole = {"counts": rest} | {key: each.get(key, {}) for key in ("dropped", "samples")}
        told += each.get("files", [])
        if any(whole.values()):
            told.append({"names": files} | whole)
    made = {"counts": dict(sorted(counts.items())), "dropped": {}, "samples": {}}
    return made | ({"files": told} if told else {})


def of_files(quality: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What was counted over whole files, though the tape has some of their rows only; each once."""
    seen = []
    for each in imports_of(quality):
        for whole in each.get("files", []):
            if whole not in seen:
                seen.append(whole)
                yield whole
