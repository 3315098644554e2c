"""One crash at nine venues: the same accounts, prices and book under each rulebook, and what came of it.

    python -m tests.nine_venues            print the table
    python -m tests.nine_venues --write    put it into docs/VENUES.md

tests/scenarios/crash.toml says what happens, one file a venue where. Everything is whole numbers from a counter-based
generator, so a venue's digest is the same everywhere. Money is USD; a coin is worth the last index.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from perpsim.core import COMMAND, Engine, EventKind, Flag, Kind, Side, Tif
from perpsim.exchange import MarketSpec, Rulebook, rulebook

ROOT = Path(__file__).resolve().parent.parent
FOLDER, DOCUMENT = ROOT / "tests" / "scenarios", ROOT / "docs" / "VENUES.md"
BEGIN, END = "<!-- nine venues: begin -->", "<!-- nine venues: end -->"
OPENING = 30  # seconds after which every venue has a mark, and the accounts come
STEP_USD, SECOND, ONE = 6_000, 10**9, 10**8
VENUES = (
    "binance-usdm", "binance-coinm", "bybit", "okx", "bitget", "bitmex", "deribit", "hyperliquid", "dydx-v4",
)  # fmt: skip


def read(name: str) -> dict:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Person:
    """An account as the scenario has it, whatever the venue."""

    side: Side
    usd: int  # notional at the first price
    leverage: int
    deposit_usd: int
    entry_usd: int


def people(crash: dict) -> list[Person]:
    """The accounts: pairs of a long and a short of the same size, drawn apart."""
    found = []
    first = crash["path"][0][1]
    for group in crash["accounts"]:
        for pair in range(group["pairs"]):

            def draw(what: str, low: int, high: int, key=(crash["seed"], group["name"], pair)) -> int:
                text = ".".join(map(str, (*key, what)))
                return low + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % (high - low + 1)

            low, high = group["steps"]
            usd = STEP_USD * (low + (high - low) * draw("size", 0, 999) ** 2 // 998_001)  # most are small
            for side in (Side.BUY, Side.SELL):
                cushion = draw(f"cushion{side}", *group["cushion"])
                off = draw(f"entry{side}", -group["spread"], group["spread"])
                margin = usd // group["leverage"]
                entry = first + first * off // 10_000
                lacking = max(0, (entry - first if side == Side.BUY else first - entry) * usd // first)
                deposit = margin + lacking + margin * cushion // 1000
                found.append(Person(side, usd, group["leverage"], deposit, entry))
    return found


def linear(points: list[list[int]], at: int) -> int:
    """A path at a second, rounded down."""
    for (t0, v0), (t1, v1) in pairwise(points):
        if t0 <= at <= t1:
            return v0 + (v1 - v0) * (at - t0) // (t1 - t0)
    return points[-1][1]


@dataclass
class Place:
    """One venue's market: what USD, prices and sizes are there."""

    book: Rulebook
    spec: MarketSpec
    engine: Engine
    price: int = 0  # USD, of the scenario's path

    @property
    def inverse(self) -> bool:
        return bool(getattr(self.spec, "contract_kind", 0))

    @property
    def number(self) -> int:
        return 0

    def lots(self, usd: int, price: int) -> int:
        """Lots worth so many USD, rounded down."""
        return int(Fraction(usd) / (self.spec.lot if self.inverse else price * self.spec.lot))

    def usd_of_lots(self, lots: int, price_value: int) -> Fraction:
        value = lots * self.spec.lot
        return value if self.inverse else value * Fraction(price_value, ONE)

    def money(self, usd: int | Fraction, price: int) -> int:
        """Units of the settlement asset that so many USD buy."""
        return int(Fraction(usd) * ONE / (price if self.inverse else 1))

    def usd(self, units: int) -> Fraction:
        """What units of the settlement asset are worth at the last price."""
        return Fraction(units, ONE) * (self.price if self.inverse else 1)

    def ticks(self, usd: int | Fraction) -> int:
        return int(usd / self.spec.tick)


@dataclass
class Outcome:
    """What came of it, in USD."""

    liquidated: set[int] = field(default_factory=set)
    book: Fraction = Fraction(0)  # liquidated positions that were closed in the book
    taken: Fraction = Fraction(0)  # taken over by the fund or a vault
    adl: Fraction = Fraction(0)  # closed by ADL
    cut: set[int] = field(default_factory=set)  # whom ADL has cut
    fees: Fraction = Fraction(0)
    fund: Fraction = Fraction(0)  # change of the equity of funds and vaults
    socialised: Fraction = Fraction(0)
    deficit: Fraction = Fraction(0)
    lowest: int = 0  # mark, 1e-8 USD
    digest: str = ""


def place(name: str) -> Place:
    """The venue's engine, with one market and its own accounts."""
    where = read(name)
    book = rulebook(where["rulebook"], where["date"])
    spec = book.market(where["market"])
    accounts = len(people(read("crash")))
    return Place(book, spec, Engine(book, [spec], accounts, 1, assets=1 + spec.asset, audit=1))


def command(kind: Kind, at: int, **fields) -> np.ndarray:
    row = np.zeros(1, COMMAND)
    row["kind"], row["time_ns"] = kind, at
    for name, value in fields.items():
        row[name] = value
    return row


def opening(here: Place, crash: dict, at: int) -> Iterator[np.ndarray]:
    """Funds, deposits, leverages and positions, at the first price."""
    first, asset = crash["path"][0][1], here.spec.asset
    for account in vaults(here):
        yield command(Kind.DEPOSIT, at, account=account, asset=asset, value=here.money(crash["fund"], first))
    for account, person in enumerate(people(crash)):
        lots = here.lots(person.usd, first)
        most = max(t.leverage_max for t in here.spec.tiers if t.cap >= here.money(person.usd, first))
        deposit = here.money(person.deposit_usd, first)
        yield command(Kind.DEPOSIT, at, account=account, asset=asset, value=deposit)
        yield command(Kind.SET_LEVERAGE, at, account=account, value=min(person.leverage, most))
        entry = here.ticks(person.entry_usd) * here.spec.tick_value
        yield command(Kind.SEED_POSITION, at, account=account, side=person.side, size_lots=lots, value=entry)


def profits(here: Place, crash: dict, now: int) -> Iterator[np.ndarray]:
    """Some shorts buy back a part of their position at the market; whom ADL has cut may have less."""
    taken = crash["profits"]
    for account, person in enumerate(people(crash)):
        if person.side == Side.SELL and account // 2 % taken["every"] == 0:
            lots = here.lots(person.usd, crash["path"][0][1]) // taken["part"]
            yield command(
                Kind.PLACE, now, account=account, order_id=1, side=Side.BUY, tif=Tif.IOC, size_lots=max(1, lots),
                flags=Flag.MARKET | Flag.REDUCE_ONLY,
            )  # fmt: skip


def vaults(here: Place) -> list[int]:
    """The house accounts that pay: funds, and a backstop where there is one."""
    house = here.engine.house
    funds = [house["funds"][here.spec.fund_group]]
    return funds + ([house["backstop"]] if "backstop" in house and backstopped(here.book) else [])


def backstopped(book: Rulebook) -> bool:
    return bool(getattr(book, "backstop_at", 0))


def second(here: Place, crash: dict, at: int, now: int) -> Iterator[np.ndarray]:
    """One second of the market: index, a print, and the book anew around the price."""
    here.price = linear(crash["path"], at)
    book = here.price - here.price * linear(crash["discount"], at) // 10_000
    falling = here.price < linear(crash["path"], max(0, at - 1))
    depth = linear(crash["depth"], at)
    yield from index(here, now, book)
    rows = []
    for side in (Side.BUY, Side.SELL):
        for bp, usd in crash["levels"]:
            away = book * bp // 10_000
            price = book - away if side == Side.BUY else book + away
            ticks = here.ticks(price) + (side == Side.SELL)
            rows.append((side, ticks, max(1, here.lots(usd * depth // 1000, book))))
    block = np.zeros(len(rows), COMMAND)
    block["kind"], block["time_ns"], block["flags"] = Kind.TAPE_LEVEL, now, Flag.MORE | Flag.SNAPSHOT
    block["side"], block["price_ticks"], block["size_lots"] = zip(*rows, strict=True)
    block["flags"][-1] = Flag.SNAPSHOT
    yield block
    touch = next(row for row in rows if row[0] == (Side.BUY if falling else Side.SELL))
    yield command(
        Kind.TAPE_TRADE, now, side=Side.SELL if falling else Side.BUY, price_ticks=touch[1],
        size_lots=max(1, here.lots(2_000, book)),
    )  # fmt: skip


def index(here: Place, now: int, book: int) -> Iterator[np.ndarray]:
    """The prices from outside, in the way in which the market takes them: spot venues, and perpetuals elsewhere."""
    value = here.price * ONE
    if here.spec.index_method:
        spots, perps = len(here.spec.sources), len(here.spec.perp_sources)
        block = np.zeros(spots + perps, COMMAND)
        block["kind"], block["time_ns"], block["aux"] = Kind.SET_SOURCE, now, np.arange(spots + perps)
        block["value"] = [value] * spots + [book * ONE] * perps
        block["flags"][:-1] = Flag.MORE
        yield block
    else:
        yield command(Kind.SET_INDEX, now, value=value)
    if not here.spec.mark_method:
        yield command(Kind.SET_MARK, now, value=value)


def play(name: str) -> Outcome:
    """The whole crash at one venue."""
    crash, here, out = read("crash"), place(name), Outcome()
    start = int(crash["start"].timestamp()) * SECOND
    for at in range(OPENING):
        count(here, out, here.engine.apply(np.concatenate(list(second(here, crash, at, start + at * SECOND)))))
    events = here.engine.apply(np.concatenate(list(opening(here, crash, start + OPENING * SECOND))))
    refused = events[events["kind"] == EventKind.REJECTED]
    if len(refused):
        raise RuntimeError(f"{name} refused {Kind(int(refused[0]['aux'])).name} for reason {refused[0]['reason']}")
    before = fund_equity(here)
    out.lowest = 0
    for at in range(OPENING, crash["path"][-1][0] + 1):
        count(here, out, here.engine.apply(np.concatenate(list(second(here, crash, at, start + at * SECOND)))))
        if at == crash["profits"]["at"]:
            count(here, out, here.engine.apply(np.concatenate(list(profits(here, crash, start + at * SECOND)))))
    here.engine.check()
    out.fund = here.usd(fund_equity(here)) - here.usd(before)
    out.digest = here.engine.digest()
    return out


def fund_equity(here: Place) -> int:
    rows = here.engine.accounts()
    return sum(int(rows[account]["equity"]) for account in vaults(here))


def count(here: Place, out: Outcome, events: np.ndarray) -> None:
    """Add a batch's events to the outcome."""
    customers = here.engine.house["world"]
    for event in events:
        kind, value, lots = int(event["kind"]), int(event["value"]), int(event["size_lots"])
        account, mark = int(event["account"]), here.price * ONE
        if kind == EventKind.MARK:
            out.lowest = min(out.lowest or value, value)
        elif kind == EventKind.LIQUIDATION_STARTED and account < customers:
            out.liquidated.add(account)
        elif kind == EventKind.TRADE and int(event["order_id"]) < 0 and account < customers:
            price = int(event["price_ticks"]) * here.spec.tick_value
            out.book += here.usd_of_lots(lots, price)
        elif kind == EventKind.TAKEOVER and account < customers:
            out.taken += here.usd_of_lots(lots, mark)
        elif kind == EventKind.ADL:
            out.adl += here.usd_of_lots(lots, mark)
            out.cut.add(account)
        elif kind == EventKind.LIQUIDATION_FEE:
            out.fees += here.usd(value)
        elif kind == EventKind.SOCIALISED_LOSS:
            out.socialised += here.usd(value)
        elif kind == EventKind.VENUE_DEFICIT:
            out.deficit += here.usd(value)


HEAD = (
    "venue", "liquidated", "closed in the book", "taken over", "fees", "fund", "ADL'd", "by ADL", "socialised",
    "deficit", "lowest mark", "digest",
)  # fmt: skip


def row(name: str, out: Outcome) -> tuple[str, ...]:
    """One line of the table: accounts as numbers, money in thousands of USD."""

    def thousands(usd: Fraction) -> str:
        return f"{round(usd / 1000):,}"

    return (
        name, str(len(out.liquidated)), thousands(out.book), thousands(out.taken), thousands(out.fees),
        f"{round(out.fund / 1000):+,}", str(len(out.cut)), thousands(out.adl), thousands(out.socialised),
        thousands(out.deficit), f"{out.lowest // ONE:,}", out.digest[:12],
    )  # fmt: skip


def table(outcomes: dict[str, Outcome]) -> str:
    lines = [HEAD, tuple("---" if place == 0 else "---:" for place in range(len(HEAD)))]
    lines += [row(name, out) for name, out in outcomes.items()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def written(text: str, new: str) -> str:
    """The document with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def main() -> None:
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or VENUES
    outcomes = {name: play(name) for name in chosen}
    if "--write" in sys.argv:
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), table(outcomes)), "utf-8")
    print(table(outcomes))


if __name__ == "__main__":
    main()
