"""`python -m tests.queue_truth ZIP [ZIP...]`: how long small orders wait in a real queue, and in models.

At regular times an order of one lot joins each best price of a LOBSTER recording. It stands behind the orders that are
there, each with its id, so what happens before it fills is what happened: executions and cancels before it bring it
forward, those behind it do not. That is the truth. Then the same orders are played into the same recording flattened to
what an L2 feed tells (levels after each message, and trades), once with each queue model.

An order is watched until it fills or until its price leaves the recorded levels (or the recording ends): it is
withdrawn then, in every run at the same moment. Each supplies one lot of an execution, which is all that it changes.
Recommended are files of five levels or more.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from perpsim.core import COMMAND, Engine, EventKind, Flag, Kernel, Kind, QueueModel, Side, Stop
from perpsim.exchange.contracts import contract
from perpsim.exchange.rules import Rulebook, Tier
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Rows, sources
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.lobster import LOBSTER, named, pairs
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, Row

READER = LOBSTER[0]
SECOND_NS = 1_000_000_000
EVERY_S = 10
TRUTH = "every order"
Batch = dict[str, np.ndarray]


@dataclass
class Placed:
    """One hypothetical order. `ahead`: recorded lots before it; `left_ns`: when its price left the window, if ever."""

    time_ns: int
    side: int
    price: int
    ahead: int
    left_ns: int | None = None


class Waits(NamedTuple):
    """What became of the orders: ns from placing to filling, -1 where it never filled."""

    name: str
    wait_ns: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        return self.wait_ns >= 0


class Levels:
    """Lots by price and side, from rows of orders."""

    def __init__(self, window: int):
        self.window = window
        self.lots: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def take(self, code: int, price: int, value: int) -> tuple[int, int] | None:
        """The side and price that a row has changed."""
        kind, side = code & ROW_MASK, int(code & SELL != 0)
        if not Row.ORDER_ADD <= kind <= Row.ORDER_EXECUTE:
            return None
        lots = self.lots[side].get(price, 0) + (value if kind == Row.ORDER_ADD else -value)
        self.lots[side][price] = lots
        if not lots:
            del self.lots[side][price]
        return side, price

    def best(self, side: int) -> int | None:
        return (min if side else max)(self.lots[side], default=None)

    def holds(self, side: int, price: int) -> bool:
        """Whether a price is inside the window: beyond the last of L levels nothing is told."""
        levels = self.lots[side]
        return len(levels) < self.window or (price <= max(levels) if side else price >= min(levels))


def placements(blocks: Iterable[Rows], window: int, every_ns: int) -> list[Placed]:
    """An order at each best price every so often, after all messages of that instant."""
    levels, placed, open_ones = Levels(window), [], []
    due_ns = last_ns = 0
    for time_ns, code, price, value in rows_of(blocks):
        two_sided = levels.lots[0] and levels.lots[1]  # not amid the rows at the start
        if time_ns != last_ns >= due_ns and two_sided:
            due_ns = last_ns + every_ns
            for side in (Side.BUY, Side.SELL):
                best = levels.best(side)
                placed.append(Placed(last_ns, int(side), best, levels.lots[side][best]))
                open_ones.append(placed[-1])
        last_ns = time_ns
        levels.take(code, price, value)
        if not code & MORE:
            for each in [each for each in open_ones if not levels.holds(each.side, each.price)]:
                each.left_ns = time_ns
                open_ones.remove(each)
    return placed


def rows_of(blocks: Iterable[Rows]) -> Iterator[tuple[int, int, int, int]]:
    for block in blocks:
        columns = (block.time_ns.tolist(), block.code.tolist(), block.price.tolist(), block.value.tolist())
        yield from zip(*columns, strict=True)


def flattened(blocks: Iterable[Rows], window: int) -> Batch:
    """What an L2 feed tells of the same: the trades of each message, then the levels that it changed."""
    levels, out = Levels(window), []
    changed: dict[tuple[int, int], None] = {}
    trades: list[tuple[int, int, int, int]] = []
    for time_ns, code, price, value in rows_of(blocks):
        kind = code & ROW_MASK
        if kind == Row.ORDER_EXECUTE:  # the side of a level is that of its orders, the side of a trade the taker's
            trades.append((time_ns, int(Row.TRADE) | (0 if code & SELL else int(SELL)), price, value))
        elif kind == Row.TRADE:
            trades.append((time_ns, code & (0xFF ^ MORE), price, value))
        if (at := levels.take(code, price, value)) is not None:
            changed[at] = None
        if not code & MORE:
            out += trades
            for number, (side, where) in enumerate(changed, 1):
                more = int(MORE) if number < len(changed) else 0
                lots = levels.lots[side].get(where, 0)
                out.append((time_ns, int(Row.LEVEL) | (int(SELL) if side else 0) | more, where, lots))
            trades, changed = [], {}
    table = np.array(out, np.int64).reshape(-1, 4)
    names = ("time_ns", "code", "price", "value")
    columns = {name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(names)}
    return columns | {"code": columns["code"].astype(np.uint8)}


def whole(blocks: Iterable[Rows]) -> Batch:
    """The columns of all blocks."""
    found = list(blocks)
    return {name: np.concatenate([getattr(block, name) for block in found]) for name in COLUMNS}


def waits(name: str, rows: Batch, placed: list[Placed], model: int = QueueModel.BEHIND_FIRST) -> Waits:
    """Play rows with the orders among them."""
    engine = venue(int(rows["price"].max()), len(placed), model)
    commands = np.zeros(2 * len(placed), COMMAND)
    for number, order in enumerate(placed):
        place, cancel = commands[2 * number], commands[2 * number + 1]
        place["kind"], place["time_ns"], place["order_id"] = Kind.PLACE, order.time_ns, number
        place["side"], place["price_ticks"], place["size_lots"] = order.side, order.price, 1
        place["flags"] = Flag.POST_ONLY
        cancel["kind"], cancel["order_id"] = Kind.CANCEL, number
        cancel["time_ns"] = order.left_ns or int(rows["time_ns"][-1]) + 1
    start = np.zeros(2, COMMAND)
    start["kind"], start["time_ns"] = (Kind.DEPOSIT, Kind.SET_MARK), int(rows["time_ns"][0])
    start["value"] = (10**15, placed[0].price * 10_000)
    kernel = Kernel([engine])
    stream = kernel.add_stream(0, 0)
    kernel.schedule(np.concatenate([start, commands]))
    kernel.feed(stream, rows)
    kernel.finish(stream)
    wait_ns = np.full(len(placed), -1, np.int64)
    while True:
        stop = kernel.run()
        events = engine.drain()
        filled = events[(events["kind"] == EventKind.TRADE) & (events["maker_account"] == 0)]
        for number, time_ns in zip(filled["maker_order_id"].tolist(), filled["time_ns"].tolist(), strict=True):
            wait_ns[number] = time_ns - placed[number].time_ns
        taken = events[(events["kind"] == EventKind.REJECTED) & (events["aux"] == Kind.PLACE)]
        assert not len(taken), f"an order was refused: {taken[0]}"
        if stop == Stop.UNTIL:  # it stops before only to have its events read
            return Waits(name, wait_ns)


def venue(highest: int, orders: int, model: int) -> Engine:
    """A market of LOBSTER's ticks and lots with one rich customer."""
    fields = {
        "tiers": (Tier(10**18, 10_000_000, 0, 10),), "queue_model": model, "max_orders": max(orders, 10),
        "maker_fee": 0, "taker_fee": 0, "leverage_default": 1,
    }  # fmt: skip
    spec = contract("STOCK", "0.0001", "1", f"{highest / 10_000:.4f}", **fields)
    return Engine(Rulebook("queue", "", "", (spec,)), [spec], 1, audit=0)


def measure(blocks: list[Rows], window: int, every_ns: int = EVERY_S * SECOND_NS) -> tuple[list[Placed], list[Waits]]:
    """The truth, then each queue model, for the rows of one day."""
    placed = placements(blocks, window, every_ns)
    if not placed:
        raise InputError("the recording has no moment with a best price on each side")
    levels = flattened(blocks, window)
    models = [waits(model.name.lower(), levels, placed, model) for model in QueueModel]
    return placed, [waits(TRUTH, whole(blocks), placed), *models]


def table(placed: list[Placed], found: list[Waits]) -> str:
    """A row a run: orders filled, quartiles of their waits, and against the truth: filled by both or by one alone, the
    share that filled at the same moment, and the median of the difference in time."""
    truth = found[0]
    lines = [
        f"{len(placed)} orders, {np.median([each.ahead for each in placed]):g} lots before the median one",
        "| queue | filled | wait: quartiles, s | both | only truth | only model | same moment | model later by, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        quartiles = np.percentile(each.wait_ns[each.filled], (25, 50, 75)) / SECOND_NS if each.filled.any() else [0] * 3
        both = truth.filled & each.filled
        late = (each.wait_ns - truth.wait_ns)[both]
        cells = [
            each.name, f"{each.filled.sum()}", " ".join(f"{value:.1f}" for value in quartiles), f"{both.sum()}",
            f"{(truth.filled & ~each.filled).sum()}", f"{(each.filled & ~truth.filled).sum()}",
            *((f"{np.mean(late == 0):.0%}", f"{np.median(late) / SECOND_NS:.3f}") if both.any() else ("", "")),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m tests.queue_truth ZIP...", file=sys.stderr)
        return 2
    try:
        for name in sys.argv[1:]:
            for messages, book in pairs([each for each in sources(Path(name)) if READER.recognises(each)]):
                rows = list(READER.rows([messages, book], READER.instrument(messages), Findings()))
                print(f"{messages.name}\n{table(*measure(rows, named(messages).levels))}\n")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
