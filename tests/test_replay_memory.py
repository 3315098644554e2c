"""A long tape replays, and is checked, in the memory that a short one takes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from child_memory import PEAK
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, Row, Tape, open_tape
from perpsim.replay.tape_writer import PartWriter, facts_of, part_path
from tape_commands import shipped_tape

SECOND = 10**9
SCENARIO = """
[run]
interval = 60
[venue]
rulebook = "binance-usdm"
date = 2023-04-04
[tape]
store = "store"
funding = "computed"
"""
CHILD = PEAK + """
import json, sys
from pathlib import Path
from perpsim.replay import outcomes
from perpsim.replay.scenario import load
summary = outcomes.run(load(Path(sys.argv[1])), Path(sys.argv[2]), lambda *_: None, None)
print(json.dumps([summary, peak()]))
"""


CHECKER = PEAK + """
import json, sys
from pathlib import Path
from perpsim.replay.check import check
(card,) = check([Path(sys.argv[1])])
print(json.dumps([card["spans"]["rows"], peak()]))
"""


def rounds_of(tape: Tape, count: int, root: Path) -> int:
    """Store the tape `count` times end to end, a file a day; returns its rows."""
    last = int(np.flatnonzero((tape.code & ROW_MASK == Row.LEVEL) & (tape.code & MORE == 0))[-1]) + 1
    columns = {name: getattr(tape, name)[:last] for name in COLUMNS}
    period_ns = (int(columns["time_ns"][-1] - columns["time_ns"][0]) // SECOND + 2) * SECOND
    writers: dict[str, PartWriter] = {}
    for number in range(count):
        moved = columns | {name: columns[name] + number * period_ns for name in ("time_ns", "receive_ns")}
        days = moved["time_ns"] // (86_400 * SECOND)
        for day in np.unique(days).tolist():
            name = str(np.datetime64(day, "D"))
            if name not in writers:
                writers[name] = PartWriter(part_path(root, tape.instrument, name))
            writers[name].add({key: column[days == day] for key, column in moved.items()})
    for day, writer in writers.items():
        writer.finish(facts_of(tape.instrument, day, {}, []))
        writer.show()
    return last * count


def replayed(folder: Path, rounds: int) -> int:
    """Peak resident KiB of a run over so many rounds."""
    folder.mkdir()
    rows = rounds_of(shipped_tape(), rounds, folder / "store")
    assert len(open_tape(folder / "store")) == rows
    (folder / "long.toml").write_text(SCENARIO)
    command = [sys.executable, "-c", CHILD, folder / "long.toml", folder / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary, peak = json.loads(done.stdout)
    assert summary["rows"] > rows * 0.99  # funding is computed, so its rows are left out
    return peak


@pytest.mark.slow
def test_the_memory_of_a_replay_does_not_grow_with_the_tape(tmp_path):
    short, long = replayed(tmp_path / "short", 2), replayed(tmp_path / "long", 24)
    assert long < short + 60_000, f"{short} KiB of 0.7 million rows, {long} KiB of 8 million"


def checked(folder: Path, rounds: int) -> int:
    """Peak resident KiB of a check of so many rounds."""
    rows = rounds_of(shipped_tape(), rounds, folder)
    done = subprocess.run([sys.executable, "-c", CHECKER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts, peak = json.loads(done.stdout)
    assert sum(counts.values()) == rows
    return peak


@pytest.mark.slow
def test_the_memory_of_a_check_does_not_grow_with_the_tape(tmp_path):
    short, long = checked(tmp_path / "short", 2), checked(tmp_path / "long", 24)
    assert long < short + 60_000, f"{short} KiB of 0.7 million rows, {long} KiB of 8 million"
