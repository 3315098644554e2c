"""Attribution in scenarios: the forced flow that a run has found in recorded trades, kept for runs under other rules.

A run with `attribution = "record"` writes attribution.parquet: one row a recorded trade that was forced orders, in
part or whole. A run with `attribution = "against:FOLDER"` reads it and gives it to the venue before the first account
can be liquidated. What the two must have in common is in the file's metadata: the recordings, the population and its
seed, the start, and how many trades each market had seen by then.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from perpsim.core import COMMAND, Attribution, Kind
from perpsim.replay.scenario import Scenario, ScenarioFile
from perpsim.replay.tables import WRITER_OPTIONS

FILE = "attribution.parquet"
RECORD, AGAINST = "record", "against:"
MODES = {"": Attribution.NONE, RECORD: Attribution.RECORD}
META = b"perpsim.attribution"
FORMAT = 1
COLUMNS = {  # of the file: the event's field, unit
    "time_ns": ("time_ns", "ns since the epoch, UTC"),
    "trade": ("order_id", "number of the recorded trade in its market, from 0"),
    "side": ("side", "of the forced orders and of the trade's taker: 0 buy, 1 sell"),
    "price_ticks": ("price_ticks", "price at the venue, ticks of the market"),
    "lots": ("size_lots", "lots of forced orders, those beyond the other run's included"),
    "excess": ("value", "lots beyond the other run's, from the book"),
    "deficit": ("aux", "lots of the other run's that this one does not have"),
}


def mode_of(text: str) -> Attribution:
    """What a tape's key `attribution` asks for. Raises KeyError for anything else."""
    return Attribution.AGAINST if text.startswith(AGAINST) and text != AGAINST else MODES[text]


def population_of(scenario: Scenario) -> str:
    """A hash of who is there: populations and seed."""
    told = json.dumps([msgspec.to_builtins(scenario.population), scenario.run.seed])
    return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Flows:
    """What an attribution run has found in one market, and what it was of."""

    key: str  # of the scenario that reads it
    folder: Path
    symbol: str
    trades: np.ndarray  # numbers of the recorded trades
    lots: np.ndarray
    sha256: str  # of the file
    facts: dict[str, Any]

    def commands(self, market: int) -> np.ndarray:
        """SET_FLOW for each of them."""
        rows = np.zeros(len(self.trades), COMMAND)
        rows["kind"], rows["market"], rows["aux"], rows["size_lots"] = Kind.SET_FLOW, market, self.trades, self.lots
        return rows

    def refuse_other_recording(self, file: ScenarioFile, recording: str) -> None:
        """Raise InputError where the flows are of another recording or another population."""
        if self.facts["recordings"][self.symbol] != recording:
            raise file.wrong(self.key, f"{self.folder} is a run of another recording of {self.symbol}; use its own")
        if self.facts["population"] != population_of(file.scenario):
            raise file.wrong(self.key, f"{self.folder} is a run of another population or seed; state the same here")

    def refuse_other_start(self, file: ScenarioFile, time_ns: int, trades: int) -> None:
        """Raise InputError where the accounts of that run came at another moment of the recording."""
        if (self.facts["start_ns"], self.facts["trades"][self.symbol]) != (time_ns, trades):
            raise file.wrong(self.key, f"{self.folder} is a run with another start or warm-up; state the same in [run]")


def read(file: ScenarioFile, key: str, text: str, symbol: str) -> Flows:
    """The flows of a market. Raises InputError where the folder holds none."""
    folder = file.resolve(text.removeprefix(AGAINST))
    path = folder / FILE
    try:
        data = path.read_bytes()
        table = pq.read_table(pa.BufferReader(data))
        facts = json.loads(table.schema.metadata[META])
    except OSError as error:
        message = f'{folder} has no {FILE} ({error.strerror}); name the folder of a run with attribution = "record"'
        raise file.wrong(key, message) from error
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise file.wrong(key, f"{path} is damaged; do the attribution run again") from error
    if facts["format"] != FORMAT or symbol not in facts["recordings"]:
        known = ", ".join(facts.get("recordings", ())) or "nothing that this release reads"
        raise file.wrong(key, f"{path} has no forced flow of {symbol}; it has {known}")
    mine = table.filter(pa.compute.equal(table["market"], symbol)) if table.num_rows else table
    trades, lots = (mine[name].to_numpy().astype(np.int64) for name in ("trade", "lots"))
    return Flows(key, folder, symbol, trades, lots, hashlib.sha256(data).hexdigest(), facts)


def write(
    path: Path, found: dict[str, list[np.ndarray]], facts: dict[str, Any], said: dict[bytes, bytes] | None = None
) -> None:
    """Write the events of a run by market, what they are of, and what else is `said` of the run."""
    symbols, columns = list(found), {name: [] for name in COLUMNS}
    codes = []
    for number, symbol in enumerate(symbols):
        for events in found[symbol]:
            codes.append(np.full(len(events), number, np.int32))
            for name, (source, _) in COLUMNS.items():
                columns[name].append(np.ascontiguousarray(events[source]))
    names = pa.DictionaryArray.from_arrays(pa.array(_joined(codes, np.int32)), pa.array(symbols, pa.string()))
    arrays = [names, *(pa.array(_joined(parts, np.int64)) for parts in columns.values())]
    fields = [pa.field("market", names.type, nullable=False)]
    fields += [pa.field(name, pa.int64(), False, {"unit": unit}) for name, (_, unit) in COLUMNS.items()]
    schema = pa.schema(fields, (said or {}) | {META: json.dumps({"format": FORMAT} | facts).encode()})
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, **WRITER_OPTIONS)


def _joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts).astype(kind) if parts else np.empty(0, kind)
