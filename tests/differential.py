"""Core and twin side by side: the same commands, the same events, the same state; what differs is cut down and kept."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from operator import attrgetter, itemgetter
from pathlib import Path

import numpy as np
from model import EVENT_FIELDS, Command, Twin, views
from model.wire import BUY, SELL, EventKind
from perpsim.core import COMMAND, Engine
from stream_settings import VENUE, Setting
from streams import Stream

CORPUS = Path(__file__).parent / "corpus"
FIELDS = [field.name for field in dataclasses.fields(Command)]
values_of = attrgetter(*FIELDS)
terms_of = itemgetter(*views.STORED_MARKET)


class Mismatch(AssertionError):
    """Core and twin disagree, or the core found a fault in itself. `number` counts commands from 0."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number


def new_core(setting: Setting) -> Engine:
    return Engine(setting.venue, setting.markets, setting.accounts, assets=setting.assets)


def new_twin(setting: Setting) -> Twin:
    return Twin(setting.venue, setting.markets, setting.accounts, setting.assets)


def fields_of(c: Command) -> dict[str, int]:
    """What a command says, zeros left out."""
    return {name: value for name, value in zip(FIELDS, values_of(c), strict=True) if value or name == "kind"}


def show(events: list[tuple]) -> str:
    lines = ({n: x for n, x in zip(EVENT_FIELDS, event, strict=True) if x not in (0, -1)} for event in events)
    return "\n".join(f"    {line}" for line in lines) or "    (none)"


class Pair:
    """The two engines. `apply` raises Mismatch at the first difference.

    After each command are compared: its events, and all state that is stored (wallets, positions, orders, lots at each
    price, terms of each market) of everybody, touched or not. What follows from that state at the marks of now
    (equity, maintenance, holds, place in the queue of a price) is compared after every `every`-th command and after
    every one that caused more than a dozen events, together with the core's own audit. A difference in it cannot stay
    without consequence for long: the next liquidation, order or fill turns it into money. `every` is 1 wherever a
    failure is looked for: when a stream is cut down, and in the corpus.
    """

    def __init__(self, setting: Setting, every: int = 10) -> None:
        self.core, self.twin = new_core(setting), new_twin(setting)
        self.every = every
        self.log: list[Command] = []
        self.kinds: Counter = Counter()
        self.reasons: Counter = Counter()
        self.rules: Counter = Counter()
        self.decoded: dict[str, tuple[bytes, list[tuple]]] = {}

    def apply(self, c: Command) -> None:
        """The command is kept and must not be changed afterwards."""
        number = len(self.log)
        self.log.append(c)
        expected = self.twin.apply(c)
        try:
            self.core.submit(**dict(zip(FIELDS, values_of(c), strict=True)))
            found = self.core.drain().tolist()
        except (AssertionError, OverflowError) as error:
            raise Mismatch(number, f"command {number} {fields_of(c)}: {error}") from error
        if found != expected:
            raise Mismatch(number, f"command {number} {fields_of(c)}\n  core\n{show(found)}\n  twin\n{show(expected)}")
        for event in expected:
            self.kinds[event.kind] += 1
            self.reasons[event.reason] += 1
            if event.kind == EventKind.RULE:
                self.rules[event.aux] += 1
        self.compare_stored(number)
        if number % self.every == 0 or len(found) > 12:
            self.compare(number)

    def compare_stored(self, number: int) -> None:
        """All that is stored, of everybody."""
        v, core = self.twin.venue, self.core
        wallets = [views.wallet_row(w) for wallets in v.wallets for w in wallets]
        self.same_table(number, "account", core.accounts(), wallets, views.STORED_WALLET)
        positions = [views.held_row(p) for p in v.positions]
        self.same_table(number, "position", core.positions(), positions, views.STORED_POSITION)
        orders = sorted(core.orders()[views.ORDER_FIELDS].tolist())
        self.same(number, "order", orders, sorted(map(views.order_row, v.orders.values())), views.ORDER_FIELDS)
        for m in v.markets:
            row = [terms_of(core.market(m.number))]
            self.same(number, f"market {m.number}", row, [views.terms_row(m)], views.STORED_MARKET)
            for side in (BUY, SELL):
                found = [tuple(level) for level in core.book(m.number, side).tolist()]
                book = views.totals(v, m.number, side)
                self.same(number, f"book {m.number} side {side}", found, book, ["price", "lots"])

    def compare(self, number: int) -> None:
        """Every account, position, order, market and queue; and the core's own invariants."""
        v = self.twin.venue
        self.compare_stored(number)
        try:
            self.core.check()
        except AssertionError as error:
            raise Mismatch(number, f"after command {number}: {error}") from error
        accounts = [views.account_row(v, w) for wallets in v.wallets for w in wallets]
        positions = [views.position_row(v, p) for p in v.positions]
        self.same_table(number, "account", self.core.accounts(), accounts, views.ACCOUNT_FIELDS)
        self.same_table(number, "position", self.core.positions(), positions, views.POSITION_FIELDS)
        for m in v.markets:
            shown = self.core.market(m.number)
            row = [tuple(shown[name] for name in views.MARKET_FIELDS)]
            self.same(number, f"market {m.number}", row, [views.market_row(v, m.number)], views.MARKET_FIELDS)
            for side in (BUY, SELL):
                for price, queue in views.queues(v, m.number, side).items():
                    found = self.core.queue(m.number, side, price)
                    self.same(number, f"queue at {price}", found, queue, ["account", "order_id", "lots"])

    def same_table(self, number: int, what: str, found: np.ndarray, expected: list[tuple], names: list[str]) -> None:
        """Most commands leave most tables alone: rows that are the same bytes as before are not decoded again."""
        raw, key = found.tobytes(), f"{what} {len(names)}"
        if self.decoded.get(key, (b"", []))[0] != raw:
            self.decoded[key] = raw, found[names].tolist()
        self.same(number, what, self.decoded[key][1], expected, names)

    def same(self, number: int, what: str, found: list[tuple], expected: list[tuple], names: list[str]) -> None:
        if found == expected:
            return
        for row, (one, other) in enumerate(zip(found, expected, strict=False)):
            if one != other:
                differing = {n: (a, b) for n, a, b in zip(names, one, other, strict=True) if a != b}
                raise Mismatch(number, f"after command {number}: {what} {row} {one[:2]}: (core, twin) {differing}")
        raise Mismatch(number, f"after command {number}: core has {len(found)} rows of {what}, twin {len(expected)}")


def run_stream(setting: Setting, seed: int, count: int, every: int = 10) -> Pair:
    """`count` commands of a seed on both engines. Raises Mismatch, its text naming setting and seed."""
    pair = Pair(setting, every)
    stream = Stream(seed, setting, pair.twin)
    try:
        while len(pair.log) < count:
            for c in stream.next():
                pair.apply(c)
        pair.compare(len(pair.log))
    except Mismatch as error:
        error.args = (f"setting {setting.name}, seed {seed}: {error}",)
        error.log = pair.log
        raise
    return pair


def apply_all(engine: Engine, commands: np.ndarray) -> np.ndarray:
    """All of a batch, however often the engine stops for an ADL decision; the events."""
    pieces = [engine.apply(commands)]
    while engine.consumed < len(commands):
        commands = commands[engine.consumed :]
        pieces.append(engine.apply(commands))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def check_doors(setting: Setting, pair: Pair) -> None:
    """The same commands in batches, and across a snapshot, lead to the same digest."""
    commands, digest, last = as_array(pair.log), pair.core.digest(), len(pair.log) - 1
    whole, halves = new_core(setting), new_core(setting)
    apply_all(whole, commands)
    half = len(commands) // 2
    apply_all(halves, commands[:half])
    restored = Engine.restore(halves.snapshot())
    for start in range(half, len(commands), 7):
        apply_all(restored, commands[start : start + 7])
    for found, door in ((whole, "one batch"), (restored, "batches of 7 from a snapshot on")):
        if found.digest() != digest:
            mismatch = Mismatch(last, f"setting {setting.name}: another digest by {door}")
            mismatch.log = pair.log
            raise mismatch


def replay(setting: Setting, commands: list[Command], every: int = 10) -> Mismatch | None:
    """Run a command list on a fresh pair; the mismatch if there is one."""
    pair = Pair(setting, every)
    try:
        for c in commands:
            pair.apply(c)
        pair.compare(len(commands))
    except Mismatch as error:
        return error
    return None


def shrink(setting: Setting, commands: list[Command]) -> list[Command]:
    """Delta debugging: drop ever smaller chunks as long as core and twin still disagree somewhere."""
    found = replay(setting, commands, every=1)
    if found is None:
        return commands
    commands = commands[: found.number + 1]
    chunk = max(1, len(commands) // 2)
    while True:
        start, dropped = 0, False
        while start < len(commands):
            shorter = commands[:start] + commands[start + chunk :]
            found = replay(setting, shorter, every=1) if shorter else None
            if found is None:
                start += chunk
            else:
                commands, dropped = shorter[: found.number + 1], True
        if chunk == 1 and not dropped:
            return simplify(setting, commands)
        chunk = max(1, chunk // 2)


def simplify(setting: Setting, commands: list[Command]) -> list[Command]:
    """Fields that the disagreement does not need become 0, so that the case can be read."""
    for number, command in enumerate(commands):
        for name in fields_of(command):
            if name != "kind":
                plainer = [*commands]
                plainer[number] = dataclasses.replace(commands[number], **{name: 0})
                if replay(setting, plainer, every=1) is not None:
                    commands = plainer
    return commands


def save(setting: Setting, commands: list[Command], name: str, story: str) -> Path:
    """Write a command list to the corpus, one command a line, with the rules it ran under: they may change later."""
    CORPUS.mkdir(exist_ok=True)
    parts = {
        "story": story, "setting": setting.name, "accounts": setting.accounts, "assets": setting.assets,
        "venue": setting.venue, "markets": setting.markets,
    }  # fmt: skip
    head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
    rows = ",\n  ".join(json.dumps(fields_of(c)) for c in commands)
    path = CORPUS / f"{name}.json"
    path.write_text(f'{{\n {head},\n "commands": [\n  {rows}\n ]\n}}\n')
    return path


def load(path: Path) -> tuple[Setting, list[Command]]:
    """A stored case. Rules that are younger than it are those of `VENUE`."""
    data = json.loads(path.read_text())
    markets = [market | {"tiers": tuple(map(tuple, market["tiers"]))} for market in data["markets"]]
    setting = Setting(data["setting"], VENUE | data["venue"], markets, data["accounts"], data["assets"])
    return setting, [Command(**row) for row in data["commands"]]


def as_array(commands: list[Command]) -> np.ndarray:
    """Commands as the batch door takes them."""
    rows = np.zeros(len(commands), COMMAND)
    for name in COMMAND.names:
        if name != "venue":
            rows[name] = [getattr(c, name) for c in commands]
    return rows
