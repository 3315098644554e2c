"""Run by test_kill.py: goes on with the journal in a folder and acknowledges on standard output what is durable.

    python kill_child.py FOLDER COMMANDS.npy BATCH SNAPSHOT_EVERY

Ten bytes a line: how many commands are acknowledged. Ends when all commands are.
"""

import os
import sys
from pathlib import Path

import numpy as np
from perpsim.core import Engine
from perpsim.exchange.recovery import JournaledEngine
from stream_settings import BY_NAME


def main(folder: Path, commands: np.ndarray, batch: int, snapshot_every: int) -> None:
    setting = BY_NAME["slices"]
    if (folder / "journal").exists():
        engine, _ = JournaledEngine.resume(folder, snapshot_every=snapshot_every)
    else:
        new = Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets)
        engine = JournaledEngine.create(new, folder, snapshot_every=snapshot_every)
    done = engine.journal.commands
    while done < len(commands):
        engine.apply(commands[done : done + batch])
        done = min(done + batch, len(commands))
        os.write(1, b"%9d\n" % done)
    engine.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
