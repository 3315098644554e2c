"""Raw Binance websocket captures, `<receive time> <combined-stream message>` a line: USD-M, COIN-M and spot.

On the tape: depth, trade, markPrice; a REST depth snapshot on a line of its own seeds the book; bookTicker serves the
quality summary only. Depth and trades are stamped with the transaction time `T` (spot depth with `E`, having no other),
marks with `E`. Within the depth the update ids rule: a time that runs back by under a second is raised to the one
before, and counted.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from os import PathLike

import msgspec
import numpy as np
from perpsim.replay import decimals, validate
from perpsim.replay.catalogue import Instrument
from perpsim.replay.catalogue import instrument as known_instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.binance_chain import Book, build
from perpsim.replay.readers.binance_messages import Depth, Kind, Mark, Messages, Quote, Snapshot, Trade
from perpsim.replay.readers.groups import Groups, merge
from perpsim.replay.readers.lines import Capture, Lines, Progress
from perpsim.replay.tape import ROW_MASK, SELL, SNAPSHOT, Row, Tape

COIN_MARGINED = re.compile(r".+USD_(PERP|[0-9]{6})")
TIME_US_MIN = 9 * 10**12  # event times from here on are microseconds, below milliseconds
LEVEL_LIST = msgspec.json.Decoder(list[tuple[str, str]])
RANK_TRADE, RANK_LEVEL, RANK_MARK = 0, 1, 2  # at equal times

Columns = dict[str, np.ndarray]


def read(
    paths: Sequence[str | PathLike] | str | PathLike,
    instrument: Instrument | None = None,
    *,
    allow_gaps: bool = False,
    with_book: bool = True,
    progress: Progress | None = None,
) -> Tape:
    """The tape of one continuous recording of one market, from its files in their order, gzip or plain text.

    instrument  the market's facts; without it the catalogue is asked
    allow_gaps  leave the book out from a gap in the update ids to the next snapshot and count it, rather than refuse
    with_book   False reads trades and marks only; needed where a capture has no snapshot
    progress    called as progress(done_bytes, total_bytes)

    Raises InputError, with file and line, for anything that cannot be put on a tape as it stands.
    """
    capture = Capture(paths, progress)
    recording = Recording(capture, instrument, with_book)
    for block in capture.blocks():
        recording.add(block)
    tape = recording.tape(allow_gaps)
    validate.check(tape)
    return tape


class Recording:
    """The columns of all messages so far, kind by kind in file order; `tape` merges them."""

    def __init__(self, capture: Capture, instrument: Instrument | None, with_book: bool):
        self.capture = capture
        self.given = instrument
        self.instrument: Instrument | None = None  # known from the first message on
        self.with_book = with_book
        self._messages = Messages(capture)
        self._parts: dict[Kind, list[Columns]] = defaultdict(list)
        self._counts = dict.fromkeys(Kind, 0)
        self._off_grid_off_book = 0

    def add(self, block: Lines) -> None:
        """Read a block of lines; refuses the first thing in it that cannot be on a tape."""
        kinds = self._messages.kinds(block)
        decoded = {}
        for kind in Kind:
            indices = np.flatnonzero(kinds == kind)
            self._counts[kind] += len(indices)
            if len(indices):
                decoded[kind] = indices, self._messages.decode(block, kind, indices)
        for kind, (indices, messages) in decoded.items():
            if kind in NAMED:
                self._check_symbol(messages, block.first + indices)
        for kind, (indices, messages) in decoded.items():
            if kind in READ and (self.with_book or kind != Kind.SNAPSHOT):
                sequence = block.first + indices
                columns = READ[kind](self, messages, sequence)
                columns |= {"sequence": sequence, "receive_ns": block.receive_ns[indices]}
                if kind in TIMED:
                    validate.check_clock(columns["time_ns"], columns["receive_ns"], self._where(sequence))
                self._parts[kind].append(columns)

    def _where(self, sequence: np.ndarray, rows: np.ndarray | None = None) -> validate.Where:
        """Place of message i, or of row i where rows counts the rows of each message."""
        if rows is None:
            return lambda i: self.capture.where(int(sequence[i]))
        return lambda i: self.capture.where(int(sequence[np.searchsorted(np.cumsum(rows), i, side="right")]))

    # Which market it is

    def _check_symbol(self, messages: list, sequence: np.ndarray) -> None:
        if self.instrument is None:
            self.instrument = self._identify(messages[0])
        symbols = {message.s for message in messages}
        if symbols != {self.instrument.symbol}:
            other = np.array([message.s != self.instrument.symbol for message in messages])
            validate.refuse_any(
                other,
                self._where(sequence),
                lambda i: (
                    f"the message is of {messages[i].s}, but this is a tape of {self.instrument.symbol}; "
                    "read the files of one market at a time"
                ),
            )

    def _check_venue(self, futures: np.ndarray, sequence: np.ndarray) -> None:
        """Spot and USD-M markets share symbols; futures says which messages have a field that only futures have."""
        of_futures = self.instrument.venue != "binance-spot"
        validate.refuse_any(
            futures != of_futures,
            self._where(sequence),
            lambda i: (
                f"the message is of {'spot' if of_futures else 'futures'}, but this is a tape of "
                f"{self.instrument.venue}; read the files of one market at a time"
            ),
        )

    def _identify(self, message: Depth | Trade | Mark | Quote) -> Instrument:
        """The facts of the market that a message belongs to: given ones must be of that venue and symbol."""
        if COIN_MARGINED.fullmatch(message.s):
            venue = "binance-coinm"
        elif isinstance(message, Mark) or getattr(message, "X", "") or (not isinstance(message, Trade) and message.T):
            venue = "binance-usdm"
        else:
            venue = "binance-spot"
        if self.given is None:
            return known_instrument(venue, message.s)
        if (self.given.venue, self.given.symbol) != (venue, message.s):
            raise InputError(
                f"holds {message.s} of {venue}, but the instrument given is {self.given.symbol} of "
                f"{self.given.venue}; give the facts of the market in the files",
                self.capture.paths[0],
            )
        return self.given

    # One kind each: decoded messages to columns

    def _depth(self, messages: list[Depth], sequence: np.ndarray) -> Columns:
        spot = self.instrument.venue == "binance-spot"
        self._check_venue(np.array([message.pu >= 0 for message in messages]), sequence)
        previous = np.array([message.U - 1 if spot else message.pu for message in messages])
        columns = {
            "time_ns": _time_ns([message.E if spot else message.T for message in messages]),
            "previous": previous,
            "final": np.array([message.u for message in messages]),
        }
        validate.refuse_any(
            columns["final"] < [message.U for message in messages],
            self._where(sequence),
            lambda i: f"the update's first id U is above its last id u: {validate.REPAIR}",
        )
        if self.with_book:
            columns |= self._levels([bytes(side) for each in messages for side in (each.b, each.a)], sequence)
            columns["id"] = np.repeat(columns["final"], columns["rows"])
        return columns

    def _snapshot(self, messages: list[Snapshot], sequence: np.ndarray) -> Columns:
        columns = {
            "time_ns": _time_ns([message.T for message in messages]),
            "final": np.array([message.lastUpdateId for message in messages]),
        }
        if self.instrument is None:
            raise InputError(
                "is a depth snapshot with no stream message near it to say of which market; put it after the first one",
                *self.capture.where(int(sequence[0])),
            )
        levels = self._levels([bytes(side) for each in messages for side in (each.bids, each.asks)], sequence)
        validate.above_zero(levels["rows"], "number of levels of the snapshot", self._where(sequence))
        levels["code"] |= SNAPSHOT
        levels["id"] = np.repeat(columns["final"], levels["rows"])
        return columns | levels

    def _levels(self, lists: list[bytes], sequence: np.ndarray) -> Columns:
        """Rows of price levels; lists holds the bids and the asks of each message, so twice as many as messages."""
        where = self._where(sequence)
        found = decimals.from_level_lists(lists) or _levels_slowly(lists, where)
        rows = found.counts.reshape(-1, 2).sum(axis=1)
        where = self._where(sequence, rows)
        price = validate.on_grid(found.price, self.instrument.tick, "price", where)
        validate.above_zero(price, "price", where)
        value = validate.on_grid(found.size, self.instrument.lot, "size", where)
        sides = np.tile(np.array([Row.LEVEL, Row.LEVEL | SELL], np.uint8), len(rows))
        return {"rows": rows, "code": np.repeat(sides, found.counts), "price": price, "value": value}

    def _trades(self, messages: list[Trade], sequence: np.ndarray) -> Columns:
        where = self._where(sequence)
        self._check_venue(np.array([bool(message.X) for message in messages]), sequence)
        on_book = np.array([message.X in ("MARKET", "") for message in messages])
        price = self._trade_prices(_numbers([message.p for message in messages], where), on_book, where)
        value = validate.on_grid(
            _numbers([message.q for message in messages], where), self.instrument.lot, "size", where
        )
        validate.above_zero(np.where(on_book, price, 1), "price", where)
        validate.above_zero(np.where(on_book, value, 1), "size", where)
        code = np.where(on_book, Row.TRADE, Row.OFF_BOOK) | np.where([message.m for message in messages], SELL, 0)
        return {
            "time_ns": _time_ns([message.T for message in messages]),
            "rows": np.ones(len(messages), np.int64),
            "id": np.array([message.t for message in messages]),
            "code": code.astype(np.uint8),
            "price": price,
            "value": value,
        }

    def _trade_prices(self, numbers: decimals.Fixed, on_book: np.ndarray, where: validate.Where) -> np.ndarray:
        """Ticks; an off-book print may stand between two ticks: it is rounded down, being no price of the book."""
        ticks, off = decimals.in_steps(numbers, *validate.step(self.instrument.tick))
        self._off_grid_off_book += int((off & ~on_book).sum())
        exact = decimals.Fixed(np.where(on_book, numbers.mantissa, 0), numbers.decimals)
        return np.where(on_book, validate.on_grid(exact, self.instrument.tick, "price", where), ticks)

    def _marks(self, messages: list[Mark], sequence: np.ndarray) -> Columns:
        """Up to three rows a message: mark, index, funding; the last two only where the message has them."""
        where = self._where(sequence)
        given = np.array([(True, bool(message.i), bool(message.r)) for message in messages])
        value = np.zeros(given.shape, np.int64)
        for column, (field, unit) in enumerate((("p", "0.00000001"), ("i", "0.00000001"), ("r", "0.000000001"))):
            numbers = _numbers([getattr(message, field) or "0" for message in messages], where)
            value[:, column], off = decimals.in_steps(numbers, *validate.step(unit))
            validate.refuse_any(off, where, lambda i, f=field, u=unit: f"{f} is no multiple of {u}: {validate.REPAIR}")
        for column, name in enumerate(("mark price", "index price")):
            validate.above_zero(np.where(given[:, column], value[:, column], 1), name, where)
        price = np.zeros(given.shape, np.int64)
        price[:, 2] = _time_ns([message.T for message in messages])
        validate.above_zero(np.where(given[:, 2], price[:, 2], 1), "next funding time", where)
        code = np.broadcast_to(np.array([Row.MARK, Row.INDEX, Row.FUNDING], np.uint8), given.shape)
        return {
            "time_ns": _time_ns([message.E for message in messages]),
            "rows": given.sum(axis=1),
            "code": code[given],
            "price": price[given],
            "value": value[given],
            "id": np.zeros(int(given.sum()), np.int64),
        }

    def _quotes(self, messages: list[Quote], sequence: np.ndarray) -> Columns:
        where, tick = self._where(sequence), self.instrument.tick
        time_ns = _time_ns([message.T for message in messages])
        self._check_venue(time_ns > 0, sequence)
        return {
            "time_ns": time_ns,
            "bid": validate.on_grid(_numbers([message.b for message in messages], where), tick, "bid", where),
            "ask": validate.on_grid(_numbers([message.a for message in messages], where), tick, "ask", where),
        }

    # All kinds together

    def tape(self, allow_gaps: bool) -> Tape:
        """The finished tape with its quality summary; refuses a recording whose book cannot be trusted."""
        trades, marks = self._joined(Kind.TRADE), self._joined(Kind.MARK)
        groups = [_groups(columns, rank) for columns, rank in ((trades, RANK_TRADE), (marks, RANK_MARK)) if columns]
        book = self._book(allow_gaps) if self.with_book else None
        if book:
            groups += [_groups(book.snapshots, RANK_LEVEL, before=1), _groups(book.updates, RANK_LEVEL)]
        if not groups:
            raise InputError("holds no trade and no mark price: nothing to put on a tape", self.capture.paths[0])
        columns = merge(groups)
        quality = self._quality(columns, groups, trades) | (book.quality if book else {})
        return Tape(self.instrument, **columns, quality=quality, sources=self.capture.sources)

    def _book(self, allow_gaps: bool) -> Book:
        depth, snapshots = self._joined(Kind.DEPTH), self._joined(Kind.SNAPSHOT)
        if depth is None or snapshots is None:
            raise InputError(
                f"holds no depth {'update' if depth is None else 'snapshot'}, so the book cannot be built; add it, "
                "or read without the book",
                self.capture.paths[0],
            )
        return build(depth, snapshots, self.instrument.venue != "binance-spot", self.capture, allow_gaps)

    def _joined(self, kind: Kind) -> Columns | None:
        """All blocks of a kind in one, or None where there are none; the parts are let go."""
        parts = self._parts.pop(kind, None)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else None

    def _quality(self, columns: Columns, groups: list[Groups], trades: Columns | None) -> dict:
        """Counts of the whole recording, explained in validate.py; None where there is nothing to compare."""
        row_counts = np.bincount(columns["code"] & ROW_MASK, minlength=len(Row) + 1)
        quality = {
            "messages": sum(self._counts.values()),
            "messages_by_kind": {kind.name.lower(): count for kind, count in self._counts.items()},
            "rows": {row.name.lower(): int(row_counts[row]) for row in Row},
            "first_ns": int(columns["time_ns"][0]),
            "last_ns": int(columns["time_ns"][-1]),
            "off_grid_off_book": self._off_grid_off_book,
            "off_quote_prints": None,
            "crossed_quotes": None,
        }
        quality |= validate.latency(
            np.concatenate([each.time_ns for each in groups]), np.concatenate([each.receive_ns for each in groups])
        )
        quality |= validate.trade_ids(trades["id"] if trades else np.zeros(0, np.int64))
        quotes = self._joined(Kind.QUOTE)
        if trades and quotes and self.instrument.venue != "binance-spot":  # spot quotes have no time
            printed = (trades["code"] & ROW_MASK) == Row.TRADE
            quality |= validate.against_quotes(
                (trades["time_ns"][printed], trades["price"][printed]),
                (quotes["time_ns"], quotes["bid"], quotes["ask"]),
            )
        return quality


READ = {
    Kind.DEPTH: Recording._depth,
    Kind.SNAPSHOT: Recording._snapshot,
    Kind.TRADE: Recording._trades,
    Kind.MARK: Recording._marks,
    Kind.QUOTE: Recording._quotes,
}
TIMED = (Kind.DEPTH, Kind.TRADE, Kind.MARK)
NAMED = (*TIMED, Kind.QUOTE)  # messages that say their symbol


def _groups(columns: Columns, rank: int, before: int = 0) -> Groups:
    """As messages to merge, in file order; before=1 puts each ahead of the line of its number."""
    fields = {name: columns[name] for name in ("time_ns", "receive_ns", "rows", "code", "price", "value", "id")}
    return Groups(rank=rank, sequence=2 * columns["sequence"] - before, **fields)


def _time_ns(times: list[int]) -> np.ndarray:
    """Milliseconds or microseconds since 1970, told apart by magnitude; 0 stays 0."""
    column = np.array(times, np.int64)
    return column * np.where(column >= TIME_US_MIN, 1_000, 1_000_000)


def _numbers(texts: list[str], where: validate.Where) -> decimals.Fixed:
    try:
        return decimals.from_strings(texts)
    except decimals.NotDecimal as error:
        raise InputError(f"{error}: {validate.REPAIR}", *where(error.index)) from error


def _levels_slowly(lists: list[bytes], where: validate.Where) -> decimals.Levels:
    """As decimals.from_level_lists, for any JSON spacing and any mix of decimals; refuses what are no levels."""
    pairs: list[tuple[str, str]] = []
    counts = []
    for index, text in enumerate(lists):
        try:
            found = LEVEL_LIST.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(f"a price level is unreadable ({error}): {validate.REPAIR}", *where(index // 2)) from error
        counts.append(len(found))
        pairs += found
    ends = np.cumsum(counts)

    def of_pair(index: int):
        return where(int(np.searchsorted(ends, index, side="right")) // 2)

    price, size = (_numbers([pair[column] for pair in pairs], of_pair) for column in range(2))
    return decimals.Levels(np.array(counts, np.int64), price, size)
