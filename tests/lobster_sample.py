"""A made LOBSTER recording: a market of its own, of which the files show the best levels."""

import random
import zipfile
from pathlib import Path

STEM = "MADE_2012-06-21_34200000_57600000"
CENT = 100
EMPTY = 9_999_999_999


class Venue:
    """Orders of a market, whole, and the messages and rows that a window of L levels shows of it."""

    def __init__(self, levels: int, seed: int):
        self.levels, self.random = levels, random.Random(seed)
        self.orders: dict[int, list[int]] = {}  # id: [side, price, lots], oldest first
        self.messages: list[str] = []
        self.rows: list[str] = []
        self.ids, self.now = 0, 34_200_000_000_000
        for _ in range(40):
            self.new(*self.place())

    def place(self) -> tuple[int, int, int]:
        side = self.random.randrange(2)
        distance = 1 + min(self.random.randrange(12), self.random.randrange(12))
        middle = 5_000 + self.random.randrange(-3, 4)
        price = (middle - distance if side == 0 else middle + distance) * CENT
        best = self.best(1 - side)
        if best is not None:
            price = min(price, best - CENT) if side == 0 else max(price, best + CENT)
        return side, price, self.random.choice((1, 5, 18, 100))

    def best(self, side: int) -> int | None:
        return next(iter(self.prices(side)), None)

    def prices(self, side: int) -> list[int]:
        return sorted({price for at, price, _ in self.orders.values() if at == side}, reverse=side == 0)

    def new(self, side: int, price: int, lots: int) -> int:
        self.ids += 1
        self.orders[self.ids] = [side, price, lots]
        return self.ids

    def run(self, count: int) -> "Venue":
        while len(self.messages) < count:
            self.now += self.random.choice((0, 7, 1_000, 123_456_789))
            if self.random.random() < 0.05:
                self.tell(5, 0, 7, 5_000 * CENT + 50, self.random.choice((1, -1)))
            elif self.random.random() < 0.5 or len(self.orders) < 12:
                self.arrive()
            else:
                self.leave()
        return self

    def arrive(self) -> None:
        side, price, lots = self.place()
        order = self.new(side, price, lots)
        self.event(1, order, side, price, lots)

    def leave(self) -> None:
        """An order is cut, deleted or executed; executions take the oldest at the best price."""
        order = self.random.choice(list(self.orders))
        kind = self.random.choice((2, 3, 4, 4))
        side = self.orders[order][0]
        if kind == 4:
            best = self.best(side)
            order = next(each for each, (at, price, _) in self.orders.items() if (at, price) == (side, best))
        side, price, had = self.orders[order]
        lots = had if kind == 3 else self.random.randint(1, had)
        if kind == 2 and lots == had:
            kind = 3
        shown = price in self.prices(side)[: self.levels]
        self.orders[order][2] -= lots
        if lots == had:
            del self.orders[order]
        self.event(kind, order, side, price, lots, shown)

    def event(self, kind: int, order: int, side: int, price: int, lots: int, shown: bool = False) -> None:
        if shown or price in self.prices(side)[: self.levels]:
            self.tell(kind, order, lots, price, 1 if side == 0 else -1)

    def tell(self, kind: int, order: int, lots: int, price: int, direction: int) -> None:
        seconds, rest = divmod(self.now, 10**9)
        self.messages.append(f"{seconds}.{rest:09d},{kind},{order},{lots},{price},{direction}")
        sides = [self.shown(side) for side in (1, 0)]
        cells = [str(number) for pair in zip(*sides, strict=True) for level in pair for number in level]
        self.rows.append(",".join(cells))

    def shown(self, side: int) -> list[tuple[int, int]]:
        lots: dict[int, int] = {}
        for at, price, size in self.orders.values():
            if at == side:
                lots[price] = lots.get(price, 0) + size
        found = sorted(lots.items(), reverse=side == 0)[: self.levels]
        missing = (-EMPTY if side == 0 else EMPTY, 0)
        return found + [missing] * (self.levels - len(found))


def files(venue: Venue) -> dict[str, str]:
    """The two files by name."""
    return {
        f"{STEM}_message_{venue.levels}.csv": "\n".join(venue.messages) + "\n",
        f"{STEM}_orderbook_{venue.levels}.csv": "\n".join(venue.rows) + "\n",
    }


def packed(path: Path, texts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        archive.writestr("LOBSTER_ReadMe.txt", "about these files\n")
    return path
