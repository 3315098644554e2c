"""Run a file of published cases: a line a failure, the reasons of what was not applicable, and the counts.

Exit code 1 if a case failed, 2 if the file is not one of cases.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from .registry import load
from .runner import BadFile, Verdict, read, run

USAGE = "usage: python -m tests.golden FILE.json [--data FOLDER]"


def main(arguments: list[str]) -> int:
    data = None
    if "--data" in arguments:
        at = arguments.index("--data")
        data = Path(arguments[at + 1]) if at + 1 < len(arguments) else None
        arguments = arguments[:at] + arguments[at + 2 :]
        if data is None or not data.is_dir():
            print("golden: --data names the folder of the recordings, and it must be there", file=sys.stderr)
            return 2
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        cases = read(Path(arguments[0]))
    except BadFile as error:
        print(f"golden: {error}", file=sys.stderr)
        return 2
    formulas = load()
    counts: Counter[Verdict] = Counter()
    reasons: dict[str, list[str]] = {}
    for number, case in enumerate(cases, 1):
        result = run(case, number, formulas, data)
        counts[result.verdict] += 1
        if result.verdict is Verdict.FAILED:
            print(f"FAILED {result.id}: {result.text}")
        elif result.verdict is Verdict.NOT_APPLICABLE:
            reasons.setdefault(result.text, []).append(result.id)
    for reason, ids in reasons.items():
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        print(f"not applicable: {', '.join(ids[:3])}{more}: {reason}")
    passed, failed, rest = (counts[verdict] for verdict in Verdict)
    print(f"{passed} passed, {failed} failed, {rest} not applicable")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
