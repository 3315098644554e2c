"""The `perpsim` command. Nothing heavy is imported before a command needs it: `--help` answers at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from perpsim.replay import calc, tape_cli
from perpsim.replay.errors import BrokenError, DifferenceError, InputError

DIFFERENCE = 1
INPUT_ERROR = 2
BROKEN = 3
INTERRUPTED = 130
TERMINATED = 143
DAY = ["%Y-%m-%d"]  # how days are written


class Audit(StrEnum):
    """Levels of `--audit`."""

    OFF = "off"
    BATCH = "batch"
    EVENT = "event"


app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="A perpetual-futures exchange that you can replay.",
)  # fmt: skip

app.add_typer(calc.app, name="calc")
app.add_typer(tape_cli.app, name="tape")

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
    journal: Annotated[
        Path | None, typer.Option(help="Folder for a journal of the run, so that it can go on after a crash.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the journal that is there, if any.")] = False,
    durable: Annotated[
        bool, typer.Option("--durable/--fast", help="Survive a power cut, or only the death of the process.")
    ] = False,
    audit: Level = None,
    quiet: Quiet = False,
) -> None:
    """Run a scenario and write its results."""
    from perpsim.replay import outcomes
    from perpsim.replay.scenario import load

    if journal is None and (resume or durable):
        raise InputError("--resume and --durable are about a journal; name its folder with --journal")
    out = out or Path("out") / scenario.stem
    file = load(scenario)
    kept = outcomes.Journaling(journal, durable, resume) if journal else None
    with _bar(quiet) as bar:
        summary = outcomes.run(file.audited(audit) if audit else file, out, bar, kept)
    _tell(summary, out, quiet)


@app.command()
def recover(
    folder: Annotated[Path, typer.Argument(help="Folder of a journal.")],
    cut: Annotated[bool, typer.Option("--cut", help="Take a torn end off; resuming does so, too.")] = False,
) -> None:
    """Read a journal after a crash and say what is there; changes nothing without --cut."""
    from perpsim.replay import resume

    for topic, text in resume.report(folder, cut).items():
        typer.echo(f"{topic:18} {text}")


@app.command("replay-journal")
def replay_journal(
    journal: Annotated[Path, typer.Argument(help="A journal, or its folder.")], quiet: Quiet = False
) -> None:
    """Apply a journal to a new engine; exit 0 if every digest in it comes out again, 1 if not."""
    from perpsim.replay import outcomes, resume

    path = resume.find(journal)
    if resume.header_at(path).setup is None:
        with _bar(quiet) as bar:
            digest = outcomes.play(path, bar).engine.digest()
    else:
        digest = resume.replayed(path).engine.digest()
    typer.echo(f"digest {digest}")


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
def realism(
    folder: Annotated[Path, typer.Argument(help="Result folder of `perpsim run`.")],
    metaorders: Annotated[
        int, typer.Option(min=0, help="Run it again with so many random metaorders and fit the law of impact.")
    ] = 0,
    duration: Annotated[float, typer.Option(help="Seconds from a metaorder's first child order to its last.")] = 10.0,
    children: Annotated[int, typer.Option(min=1, max=1_000, help="Orders of equal size of a metaorder.")] = 10,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the metaorders; without it, the scenario's.")] = None,
    market: Annotated[str, typer.Option(help="Where they trade, if the scenario has several markets.")] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Print how like a market a run was: each measure beside the recorded day's own, with bands where there are any."""
    from perpsim.replay.realism import card, text

    with _bar(quiet) as bar:
        found = card.card(folder, card.Metaorders(metaorders, duration, seed, market, children), bar)
    typer.echo(text.as_json(found) if json else text.tell(found))


@app.command()
def demo(out: Out = Path("out/demo"), audit: Level = None, quiet: Quiet = False) -> None:
    """Crash a recorded market with 100,000 accounts in it and say who paid."""
    from perpsim.replay import outcomes
    from perpsim.replay.scenario import shipped

    file = shipped("demo")
    with _bar(quiet) as bar:
        summary = outcomes.run(file.audited(audit) if audit else file, out, bar)
    _tell(summary, out, quiet)


@app.command()
def rules(
    venue: Annotated[str | None, typer.Argument(help="Rulebook; without one, a list of them.")] = None,
    date: Annotated[str | None, typer.Option(help="Day (YYYY-MM-DD); without it, the last era.")] = None,
    diff: Annotated[str | None, typer.Option(help="Only what changes from --date to this day.")] = None,
    diff_venue: Annotated[str | None, typer.Option(help="Only what is different at this venue.")] = None,
    market: Annotated[str | None, typer.Option(help="Rules of one market only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print a venue's rules at a date: each value, its source and how sure it is."""
    from perpsim.replay import rules_text

    typer.echo(rules_text.answer(venue, date, market, (diff, diff_venue), json))


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, folders, zip and tar archives; several markets may mix.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Store to write into.")],
    reader: Annotated[str | None, typer.Option(help="Format; without it, the files tell.")] = None,
    venue: Annotated[str | None, typer.Option(help="Venue, where the files do not say it.")] = None,
    market: Annotated[str | None, typer.Option(help="Symbol, where the files do not say it.")] = None,
    tick: Annotated[str | None, typer.Option(help="Price of a tick, as 0.1; so for the next three.")] = None,
    lot: Annotated[str | None, typer.Option(help="Size of a lot, in base coins or contracts.")] = None,
    kind: Annotated[str | None, typer.Option(help="linear, inverse or spot.")] = None,
    contract_size: Annotated[str | None, typer.Option(help="What a size of 1 is, in base or quote.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="First day, UTC.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Last day, UTC.")] = None,
    repair: Annotated[list[str] | None, typer.Option(help="Drop what breaks this rule; may be given often.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; without it, one a processor.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace days that are stored already.")] = False,
    quiet: Quiet = False,
) -> None:
    """Turn raw tick files into a tape store. After a kill the same command goes on where it was."""
    from perpsim.replay.import_plan import Given
    from perpsim.replay.importing import import_files

    facts = {"tick": tick, "lot": lot, "kind": kind, "contract_size": contract_size}
    days = {"first": first and first.date(), "last": last and last.date()}
    given = Given(reader, venue, market, **facts, **days)
    with _bar(quiet) as bar:
        options = {"repairs": repair or [], "workers": workers, "replace": replace, "progress": bar}
        paths = import_files(files, out, given, **options)
    for path in paths:
        typer.echo(path)


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Raw files, folders, archives; or stores of tapes.")],
    reader: Annotated[str | None, typer.Option(help="Format; without it, the files tell.")] = None,
    venue: Annotated[str | None, typer.Option(help="Venue, where the files do not say it.")] = None,
    market: Annotated[str | None, typer.Option(help="Symbol, where the files do not say it.")] = None,
    tick: Annotated[str | None, typer.Option(help="Price of a tick, as 0.1; so for the next three.")] = None,
    lot: Annotated[str | None, typer.Option(help="Size of a lot, in base coins or contracts.")] = None,
    kind: Annotated[str | None, typer.Option(help="linear, inverse or spot.")] = None,
    contract_size: Annotated[str | None, typer.Option(help="What a size of 1 is, in base or quote.")] = None,
    silence: Annotated[int, typer.Option(min=1, help="Seconds without any row that count as a hole.")] = 60,
    everything: Annotated[bool, typer.Option("--all", help="Every finding and minute, not the first 20.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, with every finding.")] = False,
    quiet: Quiet = False,
) -> None:
    """Print a quality card for each market; exit 0 if it can be replayed, 1 if that would be unsound."""
    from json import dumps

    from perpsim.replay import check as checking
    from perpsim.replay.check_text import told
    from perpsim.replay.import_plan import Given

    given = Given(reader, venue, market, tick=tick, lot=lot, kind=kind, contract_size=contract_size)
    with _bar(quiet or json) as bar:
        cards = checking.check(paths, given, silence * 10**9, bar)
    if json:
        typer.echo(dumps(cards, indent=2))
    else:
        for card in cards:
            for line in told(card, everything):
                typer.echo(line)
    if any(card["unsound"] for card in cards):
        raise typer.Exit(1)


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

        def report(what: str, done: int, total: int) -> None:
            if _signals:  # the exception was lost: it came in the midst of an import, or of a destructor
                raise SystemExit(_signals[0])
            bar(what, done, total)

        yield report


def _tell(summary: dict[str, Any], out: Path, quiet: bool) -> None:
    if not quiet:
        from perpsim.replay.story import tell

        typer.echo(tell(summary))
    typer.echo(f"results in {out}")


_signals: list[int] = []  # exit codes of the signals that came


def _stopped(number: int, *_: object) -> None:
    _signals.append(INTERRUPTED if number == signal.SIGINT else TERMINATED)
    raise SystemExit(_signals[0])


def main() -> None:
    """Entry point.

    Exit codes: 0 done, 1 it came out otherwise than before, 2 unusable input, 3 an audit found that the engine
    contradicts itself, 130 interrupted.
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
    except DifferenceError as error:
        _say(str(error))
        sys.exit(DIFFERENCE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_say(f"{where}{error.strerror or error}"))


def _say(sentence: str) -> int:
    print(f"perpsim: {sentence}", file=sys.stderr)
    return INPUT_ERROR
