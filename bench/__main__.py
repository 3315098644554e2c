"""`python -m bench [--small] [--write] [QUESTION ...]`: ask the questions, each in a process of its own, print a table.

--write adds a row a question to bench/RESULTS.md: date, machine, commit, command, figures, digest.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
from pathlib import Path

from .harness import ROOT

QUESTIONS = ("mark_update", "slide", "gap", "adl", "replay", "importing", "memory", "border", "journal")
ON_REQUEST = ("day", "against_hftbacktest")  # asked by name only: minutes long, or in need of another package
RESULTS = ROOT / "bench" / "RESULTS.md"


def ask(question: str, size: list[str]) -> dict:
    """The line of JSON of one question. A question that fails says why and ends the run."""
    command = [sys.executable, "-m", f"bench.{question}", *size]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def table(line: dict) -> str:
    """A row a figure: name, median, least and most of the repeats."""
    rows = [f"{line['question']} ({line['size']}, seed {line['seed']})"]
    for name, median in line["median"].items():
        least, most = line["range"][name]
        spread = f"   {least:g} to {most:g}" if least < most else ""
        rows.append(f"    {name:<36}{median:>10g}{spread}")
    return "\n".join(rows)


def row(line: dict, size: list[str]) -> str:
    """One row of RESULTS.md."""
    figures = []
    for name, median in line["median"].items():
        least, most = line["range"][name]
        figures.append(f"{name} {median:g}" + (f" ({least:g} to {most:g})" if least < most else ""))
    command = " ".join(["python -m bench." + line["question"], *size])
    today = datetime.date.today().isoformat()
    cells = (today, machine(), commit(), f"`{command}`", "; ".join(figures), line["engine_digest"][:16])
    return "| " + " | ".join(cells) + " |\n"


def machine() -> str:
    """Processor, cores, system and Python."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()
    return f"{processor}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The checkout's commit, with a + where tracked files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ask the questions about speed.")
    known = f"of {', '.join(QUESTIONS)}, which are all asked if none is named; or {' or '.join(ON_REQUEST)}"
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=known)
    parser.add_argument("--small", action="store_true", help="the sizes that run as tests")
    parser.add_argument("--write", action="store_true", help="add the rows to bench/RESULTS.md")
    options = parser.parse_args()
    unknown = sorted(set(options.questions) - {*QUESTIONS, *ON_REQUEST})
    if unknown:
        parser.error(f"no question {', '.join(unknown)}; there are {', '.join((*QUESTIONS, *ON_REQUEST))}")
    size = ["--small"] if options.small else []
    for question in options.questions or QUESTIONS:
        line = ask(question, size)
        print(table(line), flush=True)
        if options.write:
            with RESULTS.open("a") as file:
                file.write(row(line, size))


if __name__ == "__main__":
    main()
