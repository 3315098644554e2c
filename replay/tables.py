"""Result tables as Parquet: the same content gives the same bytes, and every column says its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.core import EVENT

EVENT_ROWS = 1 << 17  # rows of a row group of events.parquet
WRITER_OPTIONS = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True}
EVENT_UNITS = {
    "price_ticks": "ticks of the market",
    "size_lots": "lots of the market",
    "fee": "1e-8 of the settlement asset",
    "value": "by kind, see ARCHITECTURE.md",
    "aux": "by kind, see ARCHITECTURE.md",
    "time_ns": "ns since the epoch, UTC",
}


def _field(name: str, kind: pa.DataType, unit: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit} if unit else None)


EVENT_SCHEMA = pa.schema(
    [_field(name, pa.from_numpy_dtype(EVENT[name]), EVENT_UNITS.get(name, "")) for name in EVENT.names]
)


class EventFile:
    """events.parquet, written as the events come; memory stays at one row group. metadata: of the whole table."""

    def __init__(self, path: Path, metadata: Mapping[bytes, bytes] | None = None):
        self._schema = EVENT_SCHEMA.with_metadata(metadata or None)
        self._writer = pq.ParquetWriter(path, self._schema, **WRITER_OPTIONS)
        self._rows = np.empty(EVENT_ROWS, EVENT)
        self._filled = 0

    def add(self, events: np.ndarray) -> None:
        """Append an array of EVENT; it is copied, so the engine may reuse its memory."""
        done = 0
        while done < len(events):
            part = events[done : done + EVENT_ROWS - self._filled]
            self._rows[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            done += len(part)
            if self._filled == EVENT_ROWS:
                self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        rows = self._rows[: self._filled]
        if len(rows):
            columns = [_column(np.ascontiguousarray(rows[name]), EVENT_SCHEMA.field(name).type) for name in EVENT.names]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=len(rows))
        self._filled = 0


def write_table(
    path: Path,
    columns: Sequence[tuple[str, str, Sequence[Any] | np.ndarray]],
    metadata: Mapping[bytes, bytes] | None = None,
) -> None:
    """Write (name, unit, values) columns; values are NumPy arrays, or sequences of text. metadata: of the table."""
    fields, arrays = [], []
    for name, unit, values in columns:
        if isinstance(values, np.ndarray):
            kind = pa.from_numpy_dtype(values.dtype)
            arrays.append(_column(values, kind))
        else:
            kind, array = _text(values)
            arrays.append(array)
        fields.append(_field(name, kind, unit))
    schema = pa.schema(fields, metadata or None)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, **WRITER_OPTIONS)


def _column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """A NumPy array as an Arrow one. Not by pa.array, which would import pandas where that is installed."""
    bits = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(bits)])


def _text(values: Sequence[str]) -> tuple[pa.DataType, pa.Array]:
    """A text column of few different values, as a dictionary."""
    known = list(dict.fromkeys(values))
    place = {text: index for index, text in enumerate(known)}
    codes = np.fromiter((place[text] for text in values), np.int32, len(values))
    lengths = np.cumsum([0, *(len(text.encode()) for text in known)]).astype(np.int32)
    words = pa.StringArray.from_buffers(len(known), pa.py_buffer(lengths), pa.py_buffer("".join(known).encode()))
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [None, pa.py_buffer(codes)])
    return pa.dictionary(pa.int32(), pa.string()), pa.DictionaryArray.from_arrays(indices, words)
