"""kill -9 at random moments of a process that journals: what it acknowledged is there, and it goes on as if unhurt."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from journal_stream import new_engine, stream
from perpsim.exchange.recovery import recover

TESTS = Path(__file__).resolve().parent


class Victim:
    """A child that journals until it is killed, and the folder that its successors take over."""

    def __init__(self, folder: Path, commands: Path, rng: random.Random):
        self.folder, self.commands, self.rng = folder, commands, rng
        self.acknowledged = 0

    def life(self, kill_after: int | None) -> bool:
        """Start a child; kill it once so many further commands are acknowledged. Whether it came to its end."""
        batch, every = self.rng.choice((1, 2, 7, 30)), self.rng.choice((0, 200, 900))
        command = [sys.executable, TESTS / "kill_child.py", self.folder, self.commands, str(batch), str(every)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TESTS)
        try:
            if kill_after is not None:
                target = self.acknowledged + kill_after
                while self.acknowledged < target and self.read(child):
                    pass
                time.sleep(self.rng.random() * 0.004)  # anywhere between two acknowledgements
                child.send_signal(signal.SIGKILL)
            while self.read(child):  # what it still said before it died was said
                pass
            errors = child.stderr.read().decode()
        finally:
            child.kill()
            child.communicate()
        assert child.returncode in (0, -signal.SIGKILL), errors
        return child.returncode == 0

    def read(self, child: subprocess.Popen) -> bool:
        line = os.read(child.stdout.fileno(), 10)
        if len(line) < 10:
            return False
        assert int(line) > self.acknowledged
        self.acknowledged = int(line)
        return True


def kills(folder: Path, count: int, length: int, seed: int) -> None:
    """So many kills, in lives of one journal after the other, each of which ends like an engine that nothing hurt."""
    path, rng, left = folder / "commands.npy", random.Random(seed), count
    commands = stream(length)
    np.save(path, commands)
    unhurt = new_engine()
    unhurt.apply(commands)
    journals = 0
    while left:
        journals += 1
        victim = Victim(folder / f"journal-{journals}", path, rng)
        ended = False
        while not ended:
            ended = victim.life(rng.choice((0, 1, 5, 50)) if left else None)
            left -= not ended
            if not (victim.folder / "journal").exists():
                assert victim.acknowledged == 0  # killed before there was a journal
                continue
            found = recover(victim.folder)
            assert found.commands >= victim.acknowledged
            assert not found.refused
            prefix = new_engine()
            prefix.apply(commands[: found.commands])
            assert found.engine.digest() == prefix.digest()
        assert found.commands == length and found.engine.digest() == unhurt.digest()
        assert found.engine.snapshot() == unhurt.snapshot()


def test_killed_ten_times(tmp_path):
    kills(tmp_path, 10, 1_000, seed=1)


@pytest.mark.slow
def test_killed_two_hundred_times(tmp_path):
    """`make kill`."""
    kills(tmp_path, 200, 3_000, seed=2)
