"""Which lines of the core the tests reach: `make coverage` builds a counting core, runs the tests on it, calls this.

The C compiler counts the visits of each C line (gcov), so functions that run without the interpreter are counted like
all others. Cython says in comments which line of a `.pyx` or `.pxd` a stretch of C came from; a line of a source is
reached if any C line of it is. Inlined functions of a header are counted in every module that uses them. The C that
stands in a header as text is found by its text.

Lines that no test can reach are listed in tests/lines.toml, each with its reason. It is an error when fewer than 98 %
of the lines are reached, when one is neither reached nor listed, or when a listed one is gone or reached after all.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "core"
BUILD = ROOT / "build" / "coverage"
LISTED = Path(__file__).parent / "lines.toml"
WANTED = 0.98  # of all lines
MARKER = re.compile(r'\s*/\* "(?:[^"]*/)?(\w+\.(?:pyx|pxd))":(\d+)$')
FUNCTION = re.compile(r"(?:cdef|cpdef|def|class|static inline)\b[^=(]*?(\w+)\s*[(:]")
VERBATIM = re.compile(r'cdef extern from \*:\n    """\n(.*?)\n    """\n', re.S)

Visits = dict[tuple[str, int], int]  # (file, line) -> visits


class Place(NamedTuple):
    """A line of a source by what stands there, so that it is found again when lines above it come or go.

    Where a function has a line twice, the text of the second ends in " (2)".
    """

    file: str
    function: str
    text: str


def c_counts(folder: Path) -> Iterable[tuple[Path, dict[int, int]]]:
    """The generated C files and the visits of their lines, as gcov reports them."""
    for data in sorted(folder.rglob("*.gcda")):
        command = ["gcov", "--json-format", "--stdout", str(data)]
        report = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
        for file in report["files"]:
            if Path(file["file"]).stem == data.stem:
                yield ROOT / file["file"], {line["line_number"]: line["count"] for line in file["lines"]}


def origins(lines: list[str], blocks: dict[str, tuple[int, list[str]]]) -> dict[int, tuple[str, int]]:
    """C line -> (file, line) of the source that it was made from."""
    found: dict[int, tuple[str, int]] = {}
    here: tuple[str, int] | None = None
    for number, line in enumerate(lines, 1):
        if marker := MARKER.match(line):
            here = marker[1], int(marker[2])
        elif "/* function exit code */" in line or line.startswith("}"):
            here = None
        elif here is not None:
            found[number] = here
    for file, (first, text) in blocks.items():
        starts = [at for at, line in enumerate(lines) if line.strip() == text[0].strip()]
        for start in starts:
            if [line.strip() for line in lines[start : start + len(text)]] == [line.strip() for line in text]:
                found |= {start + 1 + at: (file, first + at) for at in range(len(text))}
    return found


def verbatim_blocks(core: Path) -> dict[str, tuple[int, list[str]]]:
    """C that stands in a header as text: file -> (first line, lines)."""
    blocks = {}
    for path in sorted(core.glob("*.p*")):
        text = path.read_text()
        for block in VERBATIM.finditer(text):
            blocks[path.name] = text.count("\n", 0, block.start(1)) + 1, block[1].split("\n")
    return blocks


def visits(core: Path, build: Path) -> Visits:
    """Visits of every line of the core's sources that any code was made from."""
    counted: Visits = defaultdict(int)
    ours = {path.name for path in core.glob("*.p*")}
    blocks = verbatim_blocks(core)
    for path, counts in c_counts(build):
        made_from = origins(path.read_text().split("\n"), blocks)
        for number, count in counts.items():
            if number in made_from and made_from[number][0] in ours:
                counted[made_from[number]] += count
    return dict(counted)


def places(core: Path, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Place]:
    """What stands at each (file, line)."""
    found = {}
    for file in {file for file, _ in wanted}:
        function, indent, before = "", 0, Counter()
        numbers = {number for each, number in wanted if each == file}
        for number, line in enumerate((core / file).read_text().split("\n"), 1):
            text = line.strip()
            if (header := FUNCTION.match(text)) and not text.startswith("class"):
                function, indent = header[1], len(line) - len(line.lstrip())
            elif text and len(line) - len(line.lstrip()) <= indent and not text.startswith((")", "#", "}")):
                function = ""
            before[function, text] += 1
            if number in numbers:
                times = before[function, text]
                found[file, number] = Place(file, function, f"{text} ({times})" if times > 1 else text)
    return found


def listed() -> dict[Place, str]:
    """The lines that are known not to be reached, with their reasons."""
    rows = tomllib.loads(LISTED.read_text())["reason"]
    return {Place(*line.split(" | ", 2)): row["why"] for row in rows for line in row["lines"]}


def report(counted: Visits, core: Path, excused: dict[Place, str]) -> tuple[list[str], list[str]]:
    """(figures by file and lines not reached, what is wrong)."""
    missed = sorted(where for where, count in counted.items() if not count)
    at = places(core, missed)
    shown, wrong = [], []
    for file in sorted({file for file, _ in counted}):
        lines = [count for (each, _), count in counted.items() if each == file]
        reached = sum(map(bool, lines))
        shown.append(f"{file:24} {reached:5} of {len(lines):5}  {100 * reached / len(lines):6.2f} %")
    for where in missed:
        why = excused.get(at[where])
        shown.append(f"core/{where[0]}:{where[1]}: {at[where].text}   ({why or 'no reason given'})")
        if why is None:
            wrong.append(f"core/{where[0]}:{where[1]} is not reached: {' | '.join(at[where])}")
    wrong += [f"listed, but reached or gone: {' | '.join(place)}" for place in excused if place not in at.values()]
    share = 1 - len(missed) / len(counted)
    shown.append(f"core: {len(counted) - len(missed)} of {len(counted)} lines, {100 * share:.2f} %")
    if share < WANTED:
        wrong.append(f"{100 * share:.2f} % of the lines are reached, {100 * WANTED:.0f} % are wanted")
    return shown, wrong


def main() -> int:
    counted = visits(CORE, BUILD / "temp")
    if not counted:
        print("no counts in build/coverage: run `make coverage`", file=sys.stderr)
        return 2
    shown, wrong = report(counted, CORE, listed())
    print("\n".join(shown))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
