"""Hyperliquid: book snapshots of the public archive or of a websocket capture, and the fills of every block.

Prices have at most six decimals less those of the size, so the finest of them is the tick. A book message is whole, 20
levels a side. A trade is two fills, one of each user: the one that crossed is the taker's. Fills by auto-deleveraging
never touched the book. Which of the fills were forced is said in them, so they are liquidations on the tape besides.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import levels
from perpsim.replay.readers.captures import Number, Received, decoded, received
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.levels import numbers_of
from perpsim.replay.readers.sheet import REPAIR, Sheet, iso_ns, since_1970
from perpsim.replay.tape import MORE, SELL, SNAPSHOT, Row

VENUE = "hyperliquid"
DAY = re.compile(r"(?<![0-9])(20[0-9]{2})-?([0-9]{2})-?([0-9]{2})(?![0-9])")


def _day(file: SourceFile) -> str | None:
    """The day in a file's name, or in the folders of the archive."""
    for part in reversed(file.path.parts):
        found = DAY.search(part)
        if found:
            return "-".join(found.groups())
    return None


class Level(msgspec.Struct, gc=False):
    px: str
    sz: str


class BookData(msgspec.Struct, gc=False):
    coin: str
    time: Number
    levels: tuple[list[Level], list[Level]]  # bids, asks


class Print(msgspec.Struct, gc=False):
    coin: str
    side: str
    px: str
    sz: str
    time: Number
    tid: Number


class Channel(msgspec.Struct, gc=False):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Line(msgspec.Struct, gc=False):
    """A line of the archive wraps the message and has the time of receipt; a capture has the message alone."""

    time: str = ""
    raw: Channel | None = None
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


LINE, BOOK, PRINTS = (msgspec.json.Decoder(kind) for kind in (Line, BookData, list[Print]))


class Stream:
    """Books and trades as the websocket sends them."""

    name, title = "hyperliquid-stream", "Hyperliquid l2Book archive and websocket captures"
    joined = False

    def recognises(self, file: SourceFile) -> bool:
        start = file.head()[:300]
        return b'"channel":"l2Book"' in start or (b'"channel":"trades"' in start and b'"coin":' in start)

    def market(self, file: SourceFile) -> Market:
        coin = file.head().partition(b'"coin":"')[2].partition(b'"')[0].decode("utf-8", "replace")
        return Market(VENUE, coin, _day(file))

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            for block in received(file, findings):
                parts = [rows for rows in self._parts(file, block, instrument, findings) if len(rows.line)]
                if parts:
                    yield levels.in_file_order(parts)

    def _parts(self, file: SourceFile, block: Received, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        lines, stamps, bodies = [], [], {"l2Book": [], "trades": []}
        for index, line in decoded(block, LINE, file, findings):
            channel = line.raw or line
            if channel.channel in bodies:
                bodies[channel.channel].append((len(lines), channel.data))
                lines.append(block.line[index])
                stamps.append(iso_ns(line.time) if line.time else block.receive_ns[index])
        sheet = _Lines(file, np.array(lines, np.int64), np.array(stamps, np.int64), instrument, findings)
        if bodies["l2Book"]:
            yield sheet.books(sheet.decoded(bodies["l2Book"], BOOK))
        if bodies["trades"]:
            yield sheet.prints(sheet.decoded(bodies["trades"], PRINTS))


class _Lines:
    """The messages of a block: int64[m] line numbers and times of receipt (0: not said)."""

    def __init__(self, file: SourceFile, line: np.ndarray, stamp_ns: np.ndarray, instrument: Instrument, findings):
        self._file, self._line, self._stamp_ns = file, line, stamp_ns
        self._instrument, self._findings = instrument, findings

    def _sheet(self, index: list[int]) -> Sheet:
        return Sheet(self._file, self._line[index], self._instrument, self._findings)

    def decoded(self, bodies: list[tuple[int, msgspec.Raw]], decoder: msgspec.json.Decoder) -> list[tuple]:
        """(index, body); what cannot be read is a finding."""
        found = []
        for index, body in bodies:
            try:
                found.append((index, decoder.decode(body)))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._sheet([index]).refuse(
                    "unreadable", np.ones(1, bool), lambda i, e=error: f"the message cannot be read ({e}): {REPAIR}"
                )
        return found

    def books(self, found: list[tuple[int, BookData]]) -> Rows:
        """Each message as a whole book, bids before asks."""
        index = [index for index, _ in found]
        sheet = self._sheet(index)
        _refuse_others(sheet, [body.coin for _, body in found])
        each = [(place, level) for place, (_, body) in enumerate(found) for side in body.levels for level in side]
        place = np.array([place for place, _ in each], np.int64)
        counts = np.bincount(place, minlength=len(found))
        self._findings.count("empty_books", int((counts == 0).sum()))
        sides = np.array([(len(body.levels[0]), len(body.levels[1])) for _, body in found], np.int64).reshape(-1)
        wide = Sheet(self._file, sheet.line[place], self._instrument, self._findings)
        wide.keep &= sheet.keep[place]
        price, value = _steps(wide, [level for _, level in each])
        code = np.repeat(np.tile(np.array([Row.LEVEL, Row.LEVEL | SELL], np.uint8), len(found)), sides)
        code |= SNAPSHOT | MORE
        code[np.cumsum(counts)[counts > 0] - 1] &= 0xFF ^ MORE
        time_ns = since_1970(np.array([body.time for _, body in found], np.int64))
        stamp_ns = self._received(index, time_ns)
        whole = wide.keep.copy()
        wide.keep[:] = True
        return levels.kept(wide.rows(code, time_ns[place], stamp_ns[place], price, value), whole)

    def prints(self, found: list[tuple[int, list[Print]]]) -> Rows:
        """Trades, several a message; B is a taker who bought."""
        each = [(index, one) for index, body in found for one in body]
        index = [index for index, _ in each]
        sheet = self._sheet(index)
        _refuse_others(sheet, [one.coin for _, one in each])
        time_ns = since_1970(np.array([one.time for _, one in each], np.int64))
        price, value = _steps(sheet, [one for _, one in each])
        code = _side(sheet, [one.side for _, one in each]) + np.uint8(Row.TRADE)
        ids = np.array([one.tid for _, one in each], np.int64)
        return sheet.rows(code, time_ns, self._received(index, time_ns), price, value, ids)

    def _received(self, index: list[int], time_ns: np.ndarray) -> np.ndarray:
        stamps = self._stamp_ns[index]
        return np.where(stamps == 0, time_ns, stamps)


class Fill(msgspec.Struct, gc=False):
    """One user's half of a trade."""

    coin: str
    px: str
    sz: str
    side: str
    time: Number
    dir: str
    crossed: bool
    tid: Number
    liquidation: msgspec.Raw = msgspec.Raw(b"null")


class Block(msgspec.Struct, gc=False):
    """A line of node_fills_by_block."""

    local_time: str
    block_time: str
    events: list[tuple[str, Fill]]


class Coins(msgspec.Struct, gc=False):
    coin: str


class BlockCoins(msgspec.Struct, gc=False):
    events: list[tuple[str, Coins]]


BLOCK, BLOCK_COINS = msgspec.json.Decoder(Block), msgspec.json.Decoder(BlockCoins)
DELEVERAGED = "Auto-Deleveraging"


class Fills:
    """The node's fills by block, of all markets in one file."""

    name, title = "hyperliquid-fills", "Hyperliquid node_fills_by_block"
    joined = False

    def recognises(self, file: SourceFile) -> bool:
        start = file.head()[:300]
        return start.startswith(b"{") and b'"block_time":' in start and b'"events":' in start

    def market(self, file: SourceFile) -> Market:
        return self.markets(file)[0]

    def markets(self, file: SourceFile) -> list[Market]:
        """All markets of the file."""
        coins: set[str] = set()
        findings = Findings(record=True)
        for block in received(file, findings):
            for _, body in decoded(block, BLOCK_COINS, file, findings):
                coins.update(fill.coin for _, fill in body.events)
        if not coins:
            raise InputError("holds no fill; leave it out", file.place)
        return [Market(VENUE, coin, _day(file)) for coin in sorted(coins)]

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            for block in received(file, findings):
                found = decoded(block, BLOCK, file, findings)
                rows = self._converted(file, block, found, instrument, findings)
                if len(rows.line):
                    yield rows

    @staticmethod
    def _converted(
        file: SourceFile, block: Received, found: list[tuple[int, Block]], instrument: Instrument, findings: Findings
    ) -> Rows:
        """A row for each trade, at the taker's fill, and one more for each that was forced."""
        each = [
            (index, body, fill)
            for index, body in found
            for fill in _takers([fill for _, fill in body.events if fill.coin == instrument.symbol])
        ]
        sheet = Sheet(file, block.line[[index for index, _, _ in each]], instrument, findings)
        fills = [fill for _, _, fill in each]
        time_ns = since_1970(np.array([fill.time for fill in fills], np.int64))
        stamp_ns = np.array([iso_ns(body.local_time) for _, body, _ in each], np.int64)
        price, value = _steps(sheet, fills)
        side = _side(sheet, [fill.side for fill in fills])
        off_book = np.array([fill.dir.startswith(DELEVERAGED) for fill in fills], bool)
        forced = np.array([bytes(fill.liquidation) != b"null" for fill in fills], bool) & ~off_book
        code = np.stack([np.where(off_book, Row.OFF_BOOK, Row.TRADE), np.full(len(fills), Row.LIQUIDATION)], axis=1)
        code = code.astype(np.uint8) | side[:, None]
        both = (np.repeat(column[:, None], 2, axis=1) for column in (price, value))
        rows = sheet.messages(
            np.column_stack([np.ones(len(fills), bool), forced]),
            code,
            time_ns,
            np.where(stamp_ns == 0, time_ns, stamp_ns),
            *both,
            np.array([fill.tid for fill in fills], np.int64),
        )
        return rows._replace(code=rows.code & np.uint8(0xFF ^ MORE))


def _takers(fills: list[Fill]) -> list[Fill]:
    """One fill of each trade: the one that crossed, or the first where neither did (auto-deleveraging)."""
    found: dict[int, Fill] = {}
    for fill in fills:
        if fill.tid not in found or (fill.crossed and not found[fill.tid].crossed):
            found[fill.tid] = fill
    return list(found.values())


def _refuse_others(sheet: Sheet, coins: list[str]) -> None:
    names = np.array(coins, str)
    symbol = sheet.instrument.symbol
    sheet.refuse(
        "wrong-symbol", names != symbol, lambda i: f"the message is of {names[i]}, not of {symbol}: take the line out"
    )


def _side(sheet: Sheet, texts: list[str]) -> np.ndarray:
    sides = np.array(texts, str)
    sheet.refuse("bad-side", ~np.isin(sides, ("A", "B")), lambda i: f"the side is {sides[i]!r}, not A or B: {REPAIR}")
    return np.where(sides == "A", SELL, 0).astype(np.uint8)


def _steps(sheet: Sheet, each: Sequence[Level | Print | Fill]) -> tuple[np.ndarray, np.ndarray]:
    """Ticks and lots."""
    steps = []
    for name, texts, convert in (
        ("price", [one.px for one in each], sheet.ticks),
        ("size", [one.sz for one in each], sheet.lots),
    ):
        numbers, bad = numbers_of(texts)
        sheet.refuse("unreadable", bad, lambda i, n=name, t=texts: f"the {n} is {t[i]!r}, no number: {REPAIR}")
        steps.append(convert(numbers, name))
    return steps[0], steps[1]


HYPERLIQUID = (Stream(), Fills())
