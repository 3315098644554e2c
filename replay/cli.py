"""The `perpsim` command. Nothing heavy is imported before a command needs it: `--help` answers at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from perpsim.replay.errors import BrokenError, InputError

INPUT_ERROR = 2
BROKEN = 3
INTERRUPTED = 130
TERMINATED = 143


class Audit(StrEnum):
    """Levels of `--audit`."""

    OFF = "off"
    BATCH = "batch"
    EVENT = "event"


app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="A perpetual-futures exchange that you can replay.",
)  # fmt: skip

Out = Annotated[Path, typer.Option("--out", "-o", help="Result folder; an earlier result in it is replaced.")]
Level = Annotated[
    Audit | None, typer.Option(help="When invariants are checked; without it, as the scenario says (batch).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no story.")]


@app.command()
def run(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (TOML).")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Result folder; without it, out/<name of the file>.")
    ] = None,
    audit: Level = None,
    quiet: Quiet = False,
) -> None:
    """Run a scenario and write its results."""
    from perpsim.replay import outcomes
    from perpsim.replay.scenario import load

    out = out or Path("out") / scenario.stem
    file = load(scenario)
    with _bar(quiet) as bar:
        summary = outcomes.run(file.audited(audit) if audit else file, out, bar)
    _tell(summary, out, quiet)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Result folder of `perpsim run`.")],
    against: Annotated[Path | None, typer.Option(help="Another result: compare, do not run.")] = None,
    quiet: Quiet = False,
) -> None:
    """Run a result's scenario again, or compare two results; exit 0 if they are the same, 1 if not."""
    from perpsim.replay import outcomes

    with _bar(quiet) as bar:
        differences = outcomes.verify_against(folder, against, bar) if against else outcomes.verify(folder, bar)
    for line in differences:
        typer.echo(line)
    if differences:
        raise typer.Exit(1)
    if not quiet:
        typer.echo(f"{folder}: same digest and same {'events' if against else 'summary'}")


@app.command()
def demo(out: Out = Path("out/demo"), audit: Level = None, quiet: Quiet = False) -> None:
    """Crash a recorded market with 100,000 accounts in it and say who paid."""
    from perpsim.replay import outcomes
    from perpsim.replay.scenario import shipped

    file = shipped("demo")
    with _bar(quiet) as bar:
        summary = outcomes.run(file.audited(audit) if audit else file, out, bar)
    _tell(summary, out, quiet)


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Raw files of one recording of one market, in their order.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Store to write into.")],
    reader: Annotated[str, typer.Option(help="Format of the files.")] = "binance-streams",
    replace: Annotated[bool, typer.Option(help="Replace days that are stored already.")] = False,
    quiet: Quiet = False,
) -> None:
    """Turn raw tick files into a tape store."""
    from perpsim.replay import tape
    from perpsim.replay.readers import READERS

    if reader not in READERS:
        raise InputError(f"no reader {reader!r}; known: {', '.join(READERS)}")
    with _bar(quiet) as bar:
        read = READERS[reader](files, progress=lambda done, total: bar("reading the recording", done, total))
        paths = tape.write(read, out, replace=replace, progress=lambda done, total: bar("writing", done, total))
    for path in paths:
        typer.echo(path)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Run the benchmarks of a checkout; arguments go to `python -m bench`."""
    places = Path.cwd(), Path(__file__).resolve().parent.parent
    marks = "bench/__init__.py", "pyproject.toml"
    root = next((place for place in places if all((place / mark).is_file() for mark in marks)), None)
    if root is None:
        raise InputError("the benchmarks are not installed; run this in a checkout of the project")
    done = subprocess.run([sys.executable, "-m", "bench", *context.args], cwd=root, check=False)
    raise typer.Exit(done.returncode)


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    from perpsim.replay.progress import Bar

    with Bar(quiet) as bar:
        yield bar


def _tell(summary: dict[str, Any], out: Path, quiet: bool) -> None:
    if not quiet:
        from perpsim.replay.story import tell

        typer.echo(tell(summary))
    typer.echo(f"results in {out}")


def _stopped(number: int, *_: object) -> None:
    raise SystemExit(INTERRUPTED if number == signal.SIGINT else TERMINATED)


def main() -> None:
    """Entry point.

    Exit codes: 0 done, 1 `verify` found a difference, 2 input that cannot be used,
    3 an audit found that the engine contradicts itself, 130 interrupted.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # ends like any exception does: unfinished folders are taken away
        signal.signal(number, _stopped)
    try:
        app()
    except InputError as error:
        sys.exit(_say(str(error)))
    except BrokenError as error:
        where = error.facts.get("folder")
        _say(f"the engine contradicts itself, a bug: {error}{f'; what is known of it is in {where}' if where else ''}")
        sys.exit(BROKEN)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_say(f"{where}{error.strerror or error}"))


def _say(sentence: str) -> int:
    print(f"perpsim: {sentence}", file=sys.stderr)
    return INPUT_ERROR
