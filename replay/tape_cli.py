"""`perpsim tape`: what is in a store, its first rows, a part of it, several together."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at stored tapes, cut and merge them.")

MOMENT = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"]
Store = Annotated[Path, typer.Argument(help="A store, a market's folder in it, or a file of it.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Store to write into.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace days that are stored already.")]


@app.command()
def info(store: Store, json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Market facts, days, sources, repairs and counts of each tape, without reading its rows."""
    from perpsim.replay import tape_tools

    found = tape_tools.info(store)
    if json:
        typer.echo(json_text.dumps(found, indent=2))
        return
    for facts in found:
        for line in tape_tools.told(facts):
            typer.echo(line)


@app.command()
def head(
    store: Store,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many.")] = 20,
    start: Annotated[datetime | None, typer.Option("--from", formats=MOMENT, help="First time, UTC.")] = None,
) -> None:
    """The first rows of a tape, from a time on, in the market's own units."""
    from perpsim.replay import tape_tools

    table = list(tape_tools.head(store, rows, _ns(start)))
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command("slice")
def cut(
    store: Store,
    out: Out,
    start: Annotated[datetime | None, typer.Option("--from", formats=MOMENT, help="First time, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=MOMENT, help="Time not in it any more, UTC.")] = None,
    book: Annotated[bool, typer.Option("--book/--no-book", help="Begin with the book that stands then.")] = True,
    replace: Replace = False,
) -> None:
    """Store a part of a tape."""
    from perpsim.replay import tape_tools

    span = _ns(start) or 0, _ns(end) or 2**63 - 1
    for path in tape_tools.cut(store, out, *span, book=book, replace=replace):
        typer.echo(path)


@app.command()
def merge(
    stores: Annotated[list[Path], typer.Argument(help="Tapes of one market.")], out: Out, replace: Replace = False
) -> None:
    """Put tapes of one market together: its trades, its book, its marks."""
    from perpsim.replay import tape_tools

    for path in tape_tools.merge(stores, out, replace=replace):
        typer.echo(path)


def _ns(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
