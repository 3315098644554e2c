"""The n-th allocation fails, for every n: the state is unchanged, or the engine has stopped and says so."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from differential import as_array
from model import Twin
from model.wire import EventKind
from stream_settings import BY_NAME
from streams import Stream

TESTS = Path(__file__).resolve().parent
SAID = {  # every place of the core that asks for memory
    "made": {"no memory for the engine's state", "no memory for a hash index", "no memory for the tier tables"},
    "applied": {
        "no memory for the event buffer", "no memory for the engine's pools", "no memory for a price ladder",
    },
    "crowded": {"no memory for a hash index", "no memory for the event buffer"},
    "saved": set(),
    "restored": {"no memory for the snapshot"},
    "played": {"no memory for a stream", "no memory for scheduled commands", "no memory for a price ladder"},
}  # fmt: skip

MORE = ("recording", "slices", "tiers", "whole")


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> Path:
    compiler = os.environ.get("CC", "cc").split()[-1]
    if not sys.platform.startswith("linux") or not shutil.which(compiler):
        pytest.skip("a C compiler on Linux is needed")
    library = tmp_path_factory.mktemp("shim") / "failing_malloc.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-ftls-model=initial-exec", TESTS / "failing_malloc.c", "-o", library],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the C library has other names: {done.stderr}")
    return library


def commands(name: str, count: int, path: Path) -> Path:
    """The first stream of the setting that deleverages somebody; nobody is in those without accounts."""
    for seed in range(1, 30):
        twin, found, deleveraged = Twin(*venue_of(name)), [], False
        stream = Stream(seed, BY_NAME[name], twin)
        while len(found) < count:
            for command in stream.next():
                found.append(dataclasses.replace(command))
                deleveraged |= any(event.kind == EventKind.ADL for event in twin.apply(command))
        if deleveraged or name == "recording":
            break
    np.save(path, as_array(found))
    return path


def venue_of(name: str) -> tuple:
    setting = BY_NAME[name]
    return setting.venue, setting.markets, setting.accounts, setting.assets


def ask(shim: Path, name: str, path: Path, how: str) -> dict:
    environment = os.environ | {"LD_PRELOAD": str(shim), "PYTHONMALLOC": "pymalloc"}
    done = subprocess.run(
        [sys.executable, TESTS / "memory_child.py", name, path, how], capture_output=True, text=True, check=False,
        env=environment, cwd=TESTS,
    )  # fmt: skip
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[-3000:]}"
    assert done.stderr == ""  # no exception was ignored
    return json.loads(done.stdout)


@pytest.mark.unsanitized("a malloc that fails and one that is checked cannot both be in a process")
@pytest.mark.parametrize("how", ["once", "for-good"])
@pytest.mark.parametrize("name", ["waterfall", *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_every_allocation(shim, tmp_path, name, how):
    found = ask(shim, name, commands(name, 1_000, tmp_path / "commands.npy"), how)
    for thing, expected in SAID.items():
        assert expected <= found[thing].keys(), f"{thing} said {found[thing]}"
        assert sum(found[thing].values()) > len(expected)
    assert sum(found["applied"].values()) >= 10
    if name == "waterfall":
        assert "no memory for the ADL queue" in found["applied"]
