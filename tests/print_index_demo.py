"""The demo's crash with its recorded index, and with one made of the prints: the table of docs/THIN_TAPES.md.

`python -m tests.print_index_demo`
"""

from __future__ import annotations

import dataclasses
import tempfile
from decimal import Decimal
from importlib import resources
from pathlib import Path

import numpy as np
from perpsim.replay import outcomes, tape_writer
from perpsim.replay.importing import read
from perpsim.replay.market_plan import RECORDINGS, without
from perpsim.replay.scenario import parse
from perpsim.replay.tape import ROW_MASK, Row, Tape

NAME = "btcusdt-2023-04-04"
PERIODS = ("", "0.1", "1", "3")  # seconds; empty: the recorded index
HEAD = "| index | lowest mark | furthest from the index | liquidated | closed by force | in the book | by ADL |"


def without_prices(tape: Tape) -> Tape:
    """The recording without its index, mark and funding."""
    gone = np.isin(tape.code & ROW_MASK, (Row.INDEX, Row.MARK, Row.FUNDING))
    return dataclasses.replace(tape, **without(tape.columns(), gone))


def row_of(folder: Path, period: str) -> str:
    """One run as a row of the table."""
    text = resources.files("perpsim.replay.scenarios").joinpath("demo.toml").read_text()
    text = text.replace('funding = "taped"', 'funding = "computed"')
    stated = f'store = "bare"\nindex_from_prints = "{period}"' if period else 'store = "whole"'
    scenario = parse(text.replace(f'recording = "{NAME}"', stated).encode(), folder / "demo.toml", folder)
    summary = outcomes.run(scenario, folder / f"out{period}", lambda *_: None, None)
    (market,) = summary["markets"].values()
    sides = market["forced_notional"].values()
    forced = {way: sum(Decimal(side[way]) for side in sides) for way in ("book", "fund", "adl")}
    total = sum(forced.values())
    name = f"last print, every {period} s" if period else "recorded"
    return (
        f"| {name} | {Decimal(market['mark']['min']):,.1f} | {Decimal(market['mark_index_gap']['worst']):.2%} "
        f"| {summary['liquidations']:,} | {total / 10**6:,.1f} M | {forced['book'] / total:.0%} "
        f"| {forced['adl'] / total:.0%} |"
    )


def main() -> None:
    places = [Path(str(resources.files("perpsim.replay.recordings") / name)) for name in RECORDINGS[NAME]]
    tape = read(places)
    print(HEAD + "\n|" + "---|" * (HEAD.count("|") - 1))
    with tempfile.TemporaryDirectory() as folder:
        tape_writer.write(tape, Path(folder, "whole"))
        tape_writer.write(without_prices(tape), Path(folder, "bare"))
        for period in PERIODS:
            print(row_of(Path(folder), period))


if __name__ == "__main__":
    main()
