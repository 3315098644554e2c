"""What is kept of a run that an audit has stopped: the sentence, where it was, the last events, the command."""

from __future__ import annotations

import json
import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from perpsim.core import COMMAND, Engine, InvariantError, Kernel
from perpsim.replay.errors import BrokenError
from perpsim.replay.plan import Plan, iso
from perpsim.replay.tables import EventFile

LAST_EVENTS = 1_000
BROKEN = "broken.json"


def report(plan: Plan, kernel: Kernel, engine: Engine, recent: list[np.ndarray], error: InvariantError) -> BrokenError:
    """The error to raise for a breach. `recent`: the events that were read before those that the engine still has."""
    events = engine.last_events(LAST_EVENTS)
    if recent and len(events):
        recent = [part[part["sequence"] < events["sequence"][0]] for part in recent]
    events = np.concatenate([*recent, events])[-LAST_EVENTS:]
    commands = engine.suspects
    done = kernel.last
    if commands is None:
        commands = done.pop("command", np.empty(0, COMMAND))
    row = done if "code" in done else None
    facts = {
        "sentence": str(error),
        "found": ("never", "after a batch", "after the command")[engine.audit],
        "command": _plain(commands[-1]) if len(commands) else None,
        "row": row,
        "time": iso(engine.time_ns),
        "event": engine.statistics()["events"],
        "digest": engine.digest(),
        "state_hash": engine.state_hash(),
        "seed": plan.file.scenario.run.seed,
        "scenario": str(plan.file.base / plan.file.path.name),
        "scenario_sha256": plan.file.sha256,
        "rulebook": plan.rulebook.fingerprint,
        "version": metadata.version("perpsim"),
    }
    return BrokenError(facts, events, commands)


def _plain(record: np.void) -> dict[str, Any]:
    return {name: int(record[name]) for name in record.dtype.names}


def folder_beside(out: Path) -> Path:
    """Where the remains of a run into `out` go."""
    return out.with_name(f"{out.name}.broken")


def write(out: Path, error: BrokenError, scenario: bytes) -> Path:
    """Write broken.json, events.parquet, commands.npy and the scenario beside `out`; returns the folder."""
    folder = folder_beside(out)
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    work.mkdir(parents=True)
    try:
        file = EventFile(work / "events.parquet")
        file.add(error.events)
        file.close()
        np.save(work / "commands.npy", error.commands)
        (work / "scenario.toml").write_bytes(scenario)
        (work / BROKEN).write_text(json.dumps(error.facts, indent=2) + "\n", "utf-8")
        if (folder / BROKEN).is_file():
            shutil.rmtree(folder)  # of an earlier run
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
