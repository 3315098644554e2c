"""The command line: answers at once, says what is wrong in one sentence, leaves nothing half-written."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import resources
from pathlib import Path

import pytest
from perpsim.replay import cli
from tape_commands import PAIR

PERPSIM = [sys.executable, "-m", "perpsim.replay"]
SCENARIO = """
[run]
end = 20
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
recording = "btcusdt-2023-04-04"
[fund]
initial = 1000
[population]
accounts = 100
open_interest = 10
leverage = [{ leverage = 10, weight = 1 }]
"""


def perpsim(*arguments: object, folder: Path, **options) -> subprocess.CompletedProcess:
    command = [*PERPSIM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **options)


def refused(done: subprocess.CompletedProcess, *parts: str) -> None:
    """Exit code 2 and one sentence on standard error."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("perpsim: ")
    assert all(part in line for part in parts), line
    assert done.stdout == ""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "one.toml").write_text(SCENARIO)
    return tmp_path


class TestCommands:
    def test_run_and_verify(self, folder):
        done = perpsim("run", "one.toml", "-o", "out", folder=folder)
        assert done.returncode == 0, done.stderr
        assert "insurance fund" in done.stdout and "results in out" in done.stdout
        files = {path.name for path in (folder / "out").iterdir()}
        tables = {f"{name}.parquet" for name in ("accounts", "events", "series", "trail")}
        assert files == tables | {"summary.json", "scenario.toml"}
        done = perpsim("verify", "out", folder=folder)
        assert (done.returncode, done.stdout) == (0, "out: same digest and same summary\n")

    def test_verify_finds_a_difference(self, folder):
        perpsim("run", "one.toml", "-o", "out", "-q", folder=folder)
        path = folder / "out" / "summary.json"
        summary = json.loads(path.read_text())
        summary["digest"] = "0" * 64
        path.write_text(json.dumps(summary))
        done = perpsim("verify", "out", folder=folder)
        assert done.returncode == 1
        assert done.stdout.startswith("digest: was 000")

    def test_import_makes_a_store_that_runs(self, folder):
        done = perpsim("import", *PAIR, "-o", "store", folder=folder)
        assert done.returncode == 0, done.stderr
        assert [Path(line).parent.name for line in done.stdout.splitlines()] == ["day=2023-04-04", "day=2023-04-05"]
        (folder / "two.toml").write_text(SCENARIO.replace('recording = "btcusdt-2023-04-04"', 'store = "store"'))
        digests = []
        for name in ("one", "two"):
            perpsim("run", f"{name}.toml", "-o", name, "-q", folder=folder)
            digests.append(json.loads((folder / name / "summary.json").read_text())["digest"])
        assert digests[0] == digests[1]

    def test_bench_is_for_checkouts(self, folder):
        """A copy of the package without bench/ beside it."""
        source = Path(str(resources.files("perpsim.replay") / "cli.py"))
        (folder / "elsewhere").mkdir()
        shutil.copy(source, folder / "elsewhere" / "cli.py")
        code = "import sys; sys.path.insert(0, 'elsewhere'); sys.argv = ['perpsim', 'bench']; import cli; cli.main()"
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        refused(done, "run this in a checkout")


class TestHelp:
    def test_help_names_the_commands(self, folder):
        done = perpsim("--help", folder=folder)
        assert done.returncode == 0
        for command in ("run", "verify", "demo", "import", "bench"):
            assert f"  {command} " in done.stdout

    def test_help_imports_nothing_heavy(self, folder):
        code = "import sys, perpsim.replay.cli; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
        heavy = ["numpy", "pyarrow", "msgspec", "rich"]
        done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"

    def test_help_takes_little_time(self, folder):
        """150 ms on an idle machine; the best of five, with room for a busy one."""
        took = []
        for _ in range(5):
            began = time.perf_counter()
            perpsim("--help", folder=folder)
            took.append(time.perf_counter() - began)
        assert min(took) < 0.3


class TestBadInput:
    def test_unknown_key(self, folder):
        (folder / "one.toml").write_text(SCENARIO.replace("end =", "ende ="))
        refused(perpsim("run", "one.toml", folder=folder), "one.toml: key run.ende is unknown; did you mean end?")

    def test_impossible_value(self, folder):
        (folder / "one.toml").write_text(SCENARIO.replace("accounts = 100", "accounts = -1"))
        refused(perpsim("run", "one.toml", folder=folder), "one.toml: key population[0].accounts: -1 is impossible")

    def test_unknown_market(self, folder):
        (folder / "one.toml").write_text(SCENARIO.replace("[fund]", 'market = "ADAUSDT"\n[fund]'))
        refused(perpsim("run", "one.toml", folder=folder), "one.toml: key tape[0].market", "'ADAUSDT'", "BTCUSDT")

    def test_size_off_the_lot_grid(self, folder):
        (folder / "one.toml").write_text(SCENARIO.replace("open_interest = 10", "open_interest = 10.0005"))
        done = perpsim("run", "one.toml", folder=folder)
        refused(done, "one.toml: key population[0].open_interest", "10.0005 is not a multiple of 0.001")

    def test_missing_scenario(self, folder):
        refused(perpsim("run", "nowhere.toml", folder=folder), "nowhere.toml: cannot be opened")

    @pytest.mark.parametrize("damage", ["truncated", "corrupted"])
    def test_damaged_recordings(self, folder, damage):
        """From the reader to the shell: file and line are named, and no result is there."""
        name = PAIR[0].name
        if damage == "truncated":
            (folder / name).write_bytes(PAIR[0].read_bytes()[:100_000])
            said = "is cut short"
        else:
            (folder / name).write_text('1680652700423575 {"stream":"btcusdt@trade","data":{"e":"trade"\n')
            said = "line 1: "
        (folder / "one.toml").write_text(SCENARIO.replace('recording = "btcusdt-2023-04-04"', f'files = ["{name}"]'))
        refused(perpsim("run", "one.toml", "-o", "out", folder=folder), name, said)
        refused(perpsim("import", name, "-o", "store", folder=folder), name, said)
        assert sorted(path.name for path in folder.iterdir()) == sorted([name, "one.toml"])

    def test_foreign_folder(self, folder):
        refused(perpsim("run", "one.toml", "-o", ".", folder=folder), "holds no earlier result")

    def test_not_a_result(self, folder):
        refused(perpsim("verify", ".", folder=folder), "is no result of perpsim run")

    def test_unknown_reader(self, folder):
        refused(perpsim("import", "x", "-o", "y", "--reader", "telex", folder=folder), "no reader 'telex'")

    def test_unwritable_place(self, folder):
        (folder / "file").write_text("")
        refused(perpsim("run", "one.toml", "-o", "file/out", folder=folder), "file")

    def test_error_in_a_bot(self, folder):
        (folder / "bot.py").write_text(
            "from perpsim.exchange import Strategy\nclass Bot(Strategy):\n    def on_start(self):\n        1 / 0\n"
        )
        (folder / "one.toml").write_text(SCENARIO + '[strategy]\nuse = "bot.py:Bot"\ndeposit = 1\n')
        refused(perpsim("run", "one.toml", folder=folder), "bot.py, line 4: Bot.on_start raised ZeroDivisionError")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_nothing(folder, number, code):
    (folder / "one.toml").write_text(SCENARIO.replace("end = 20", "interval = 0.001"))
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell may have had its jobs ignore it
    command = [*PERPSIM, "run", "one.toml", "-o", "out"]
    with subprocess.Popen(command, cwd=folder, env=os.environ, preexec_fn=heeds) as running:
        try:
            deadline = time.monotonic() + 20
            while not list(folder.glob(".out.unfinished-*")):
                assert time.monotonic() < deadline and running.poll() is None
                time.sleep(0.02)
            running.send_signal(number)
            assert running.wait(60) == code
        finally:
            running.kill()
    assert [path.name for path in folder.iterdir()] == ["one.toml"]


def test_a_stop_whose_exception_is_lost_is_heeded_at_the_next_progress(monkeypatch):
    """In the midst of an import or of a destructor an exception is dropped, and the run went on."""
    monkeypatch.setattr(cli, "_signals", [])
    with contextlib.suppress(SystemExit):
        cli._stopped(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped, cli._bar(quiet=True) as bar:
        bar("replaying", 1, 2)
    assert stopped.value.code == 143
