"""Plants each bug of tests/planted_bugs.py in a copy of the core and asks the tests: `make mutants`.

A bug is caught by the random streams of the ordinary run, by longer ones, or by other ordinary tests of the core. The
exit code is 1 when one survives them all. Name bugs to plant only those.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from planted_bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent
ORDINARY_SEEDS = 4  # of each setting, as in tests/test_differential.py
STREAM = 770
LONGER_SEEDS = 60
STREAMS_SECONDS = 400  # no stream begins later
JUDGE_SECONDS = 600  # one that has not ended by then hangs: streams take seconds
OTHER_TESTS = (
    "test_contracts.py", "test_regressions.py", "test_ladder.py", "test_risk_index.py", "test_units.py",
    "test_differential.py",
)  # fmt: skip
STREAMS = "test_core_and_twin_agree or test_the_streams_reach_everything"  # the judge has run more of them


class Workshop:
    """A copy of the core that is built in place. `plant` changes one file, `clear` puts everything back."""

    def __init__(self, place: Path) -> None:
        self.clean, self.work = place / "clean", place / "work"
        self.clean.mkdir()
        for name in ("setup.py", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.clean)
        shutil.copytree(ROOT / "core", self.clean / "core", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        packages = place / "site" / "perpsim"
        packages.mkdir(parents=True)
        (packages / "core").symlink_to(self.work / "core")
        for name in ("exchange", "replay"):
            (packages / name).symlink_to(ROOT / name)
        path = os.pathsep.join([str(packages.parent), str(ROOT / "tests")])
        self.environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "CFLAGS": "-O1"}
        self.build(self.clean)

    def build(self, where: Path) -> None:
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count()}"]
        done = subprocess.run(command, cwd=where, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the copy of the core does not build:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def clear(self) -> None:
        """A fresh working copy; times of files are kept, so what is built stays built."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.clean, self.work, symlinks=True)
        link = self.work / "build" / "include" / "perpsim" / "core"
        link.unlink(missing_ok=True)

    def plant(self, bug: Bug) -> None:
        self.clear()
        path = self.work / "core" / bug.file
        path.write_text(planted(path.read_text("utf-8"), bug), "utf-8")
        self.build(self.work)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            timeout=JUDGE_SECONDS,
        )  # fmt: skip


def planted(source: str, bug: Bug) -> str:
    if source.count(bug.old) != 1:
        raise SystemExit(f"{bug.name}: its text stands {source.count(bug.old)} times in core/{bug.file}, not once")
    return source.replace(bug.old, bug.new)


def verdict(shop: Workshop) -> tuple[str, int]:
    """(who caught it, after how many commands); "" where nobody did."""
    try:
        done = shop.run(__file__, "--judge")
    except subprocess.TimeoutExpired:
        return "the streams hang", 0
    if done.returncode:
        return f"the streams crash: {(done.stderr.strip().splitlines() or [str(done.returncode)])[-1]}", 0
    found = json.loads(done.stdout.splitlines()[-1])
    if found["error"]:
        run = "ordinary streams" if found["seed"] <= ORDINARY_SEEDS else "longer streams"
        return f"{run}, {found['error']}", found["commands"]
    paths = [str(ROOT / "tests" / name) for name in OTHER_TESTS]
    done = shop.run("-m", "pytest", "-x", "-q", "-m", "not slow", "-k", f"not ({STREAMS})", *paths)
    return ("other tests" if done.returncode else ""), found["commands"]


def judge() -> None:
    """In a process of its own, with the core that is to be judged: streams until one disagrees."""
    from differential import Mismatch, check_doors, run_stream
    from stream_settings import SETTINGS

    commands, until = 0, time.monotonic() + STREAMS_SECONDS
    for seed in range(1, LONGER_SEEDS + 1):
        for setting in SETTINGS:
            if time.monotonic() > until:
                break
            try:
                pair = run_stream(setting, seed, STREAM)
                commands += len(pair.log)
                check_doors(setting, pair)
            except Mismatch as error:
                what = str(error).split("\n")[0][:120]
                print(json.dumps({"error": what, "seed": seed, "commands": commands + error.number + 1}))
                return
    print(json.dumps({"error": "", "seed": 0, "commands": commands}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant bugs in the core and see whether the tests notice.")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--judge", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        judge()
        return 0
    bugs = [bug for bug in BUGS if not options.names or bug.name in options.names]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        shop = Workshop(Path(place))
        shop.clear()
        print(f"built; {len(bugs)} bugs to plant", flush=True)
        for number, bug in enumerate(bugs, 1):
            started = time.monotonic()
            shop.plant(bug)
            catcher, commands = verdict(shop)
            if not catcher:
                survivors.append(bug)
            seconds = time.monotonic() - started
            print(
                f"{number:2d}/{len(bugs)} {bug.name:24s} {commands:>8,} commands {seconds:4.0f} s  "
                f"{catcher or 'SURVIVES: ' + bug.means}",
                flush=True,
            )
    print(f"{len(bugs) - len(survivors)} of {len(bugs)} planted bugs are caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
