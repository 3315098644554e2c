"""Which depth updates of a Binance capture can be trusted: ids joined end to end, and to a snapshot.

Futures updates name the last id of the one before (`pu`); a spot update starts at the id after it. An unbroken row of
updates is a run. A run counts from the update that a REST snapshot joins: the first with `u >= lastUpdateId`
(spot: `u > lastUpdateId`), if no update between the two is missing. All before it in the run is left out.
"""

from typing import NamedTuple

import numpy as np
from perpsim.replay.errors import InputError
from perpsim.replay.readers.lines import Capture

REGRESSION_NS_MAX = 1_000_000_000
PER_ROW = ("code", "price", "value", "id")

Columns = dict[str, np.ndarray]


class Seed(NamedTuple):
    """Snapshot number `snapshot` stands right before depth update number `update`."""

    snapshot: int
    update: int


class Chain(NamedTuple):
    """Which updates are sound, bool[m]; what seeds them, in order; which updates lost touch with a sound book."""

    keep: np.ndarray
    seeds: list[Seed]
    gaps: list[int]


class Book(NamedTuple):
    """Columns of the trusted updates and of the snapshots that seed them, and counts for the quality summary."""

    updates: Columns
    snapshots: Columns
    quality: dict[str, int]


def build(depth: Columns, snapshots: Columns, futures: bool, capture: Capture, allow_gaps: bool) -> Book:
    """The book's rows out of all depth updates and snapshots in file order.

    Per message: time_ns, receive_ns, sequence, rows, final (last id), and for updates previous (the id they follow).
    Per row: code, price, value, id. Raises InputError at a gap unless allow_gaps, and when no snapshot joins the
    updates.
    """
    _refuse_backwards(depth, capture)
    chain = follow(depth["previous"], depth["final"], snapshots["final"].tolist(), futures)
    if not chain.seeds:
        raise _joins_nothing(depth, snapshots, capture)
    if chain.gaps and not allow_gaps:
        raise _gap(chain.gaps[0], depth, capture)
    first = chain.seeds[0].update
    updates = _select(depth, np.flatnonzero(chain.keep))
    raised = np.maximum.accumulate(updates["time_ns"])
    late_ns = raised - updates["time_ns"]
    if late_ns.max() > REGRESSION_NS_MAX:
        worst = int(np.argmax(late_ns > REGRESSION_NS_MAX))
        raise InputError(
            f"the transaction time runs back by {late_ns[worst] / 1e9:.3f} s while the update ids run on; "
            "the line is damaged: take it out or record again",
            *capture.where(int(updates["sequence"][worst])),
        )
    quality = {
        "snapshots": len(chain.seeds),
        "redundant_snapshots": len(snapshots["final"]) - len(chain.seeds),
        "depth_before_snapshot": first,
        "gaps": len(chain.gaps),
        "depth_after_gap": len(chain.keep) - first - int(chain.keep.sum()),
        "empty_depth": int((updates["rows"] == 0).sum()),
        "depth_time_regressions": int((late_ns > 0).sum()),
    }
    updates["time_ns"] = raised
    return Book(updates, _seeding(snapshots, depth, updates, chain), quality)


def follow(previous: np.ndarray, final: np.ndarray, snapshot_ids: list[int], futures: bool) -> Chain:
    """Follow the ids of m updates from run to run. Snapshots inside a sound run are redundant and get no seed."""
    starts = [0, *(np.flatnonzero(previous[1:] != final[:-1]) + 1).tolist()]
    chain = Chain(np.zeros(len(final), bool), [], [])
    for start, end in zip(starts, [*starts[1:], len(final)], strict=True):
        if chain.seeds:
            chain.gaps.append(start)
        joins = []
        for number, last_id in enumerate(snapshot_ids):
            update = start + int(np.searchsorted(final[start:end], last_id, side="left" if futures else "right"))
            if previous[start] <= last_id and update < end:
                joins.append(Seed(number, update))
        if joins:
            seed = min(joins, key=lambda found: found.update)
            chain.seeds.append(seed)
            chain.keep[seed.update : end] = True
    return chain


def _seeding(snapshots: Columns, depth: Columns, updates: Columns, chain: Chain) -> Columns:
    """The snapshots in use, stamped and placed right before the updates they seed.

    A snapshot's line lies after updates that it precedes (it had to be asked for), and a spot snapshot has no time.
    """
    chosen = _select(snapshots, np.array([seed.snapshot for seed in chain.seeds]))
    seeded = np.array([seed.update for seed in chain.seeds])
    kept = np.cumsum(chain.keep)[seeded] - 1  # places of the seeded updates among the kept ones
    before_ns = np.where(kept > 0, updates["time_ns"][kept - 1], 0)
    own_ns = np.where(chosen["time_ns"] > 0, chosen["time_ns"], updates["time_ns"][kept])
    chosen["time_ns"] = np.clip(own_ns, before_ns, updates["time_ns"][kept])
    chosen["sequence"] = depth["sequence"][seeded]
    return chosen


def _select(columns: Columns, messages: np.ndarray) -> Columns:
    """The columns of some messages, by their numbers in the order wanted, with their rows."""
    rows = columns["rows"]
    starts = np.cumsum(rows) - rows
    counts = rows[messages]
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(starts[messages], counts) + inside
    return {name: column[places if name in PER_ROW else messages] for name, column in columns.items()}


def _refuse_backwards(depth: Columns, capture: Capture) -> None:
    """Ids never fall, not even after a lost connection: a fall is another file's turn, or a line that came twice."""
    last = np.maximum.accumulate(depth["final"])
    back = depth["final"][1:] <= last[:-1]
    if back.any():
        update = int(np.argmax(back)) + 1
        raise InputError(
            f"the depth update ids run back from {last[update - 1]} to {depth['final'][update]}; give the files in the "
            "order of recording, each once",
            *capture.where(int(depth["sequence"][update])),
        )


def _gap(update: int, depth: Columns, capture: Capture) -> InputError:
    number = int(depth["sequence"][update])
    fix = "check that no file is missing in between, or " if capture.opens_file(number) else ""
    return InputError(
        f"the depth updates break: this one follows id {depth['previous'][update]}, the one before ended at id "
        f"{depth['final'][update - 1]}; {fix}allow gaps to leave the book out until the next snapshot",
        *capture.where(number),
    )


def _joins_nothing(depth: Columns, snapshots: Columns, capture: Capture) -> InputError:
    return InputError(
        f"the depth snapshot of id {snapshots['final'][0]} joins no depth update (they run from id "
        f"{depth['previous'][0]} to {depth['final'][-1]}); the updates in between are missing: record again, or read "
        "without the book",
        *capture.where(int(snapshots["sequence"][0])),
    )
