"""Raw Binance websocket captures, `<receive time> <combined-stream message>` a line: USD-M, COIN-M and spot.

On the tape: depth, trade, markPrice; a REST depth snapshot on a line of its own seeds the book; bookTicker serves the
quality summary only. Depth and trades are stamped with the transaction time `T` (spot depth with `E`, having no other),
marks with `E`. The files of a recording run on from one to the next.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from perpsim.replay import decimals
from perpsim.replay.catalogue import Instrument, step
from perpsim.replay.errors import InputError
from perpsim.replay.readers import levels
from perpsim.replay.readers.binance_chain import Chain, Snapshot, Updates
from perpsim.replay.readers.binance_messages import Depth, Kind, Mark, Messages, Quote, Trade
from perpsim.replay.readers.binance_messages import Snapshot as Answer
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.ids import Ids
from perpsim.replay.readers.levels import Books
from perpsim.replay.readers.lines import Lines, first_lines, stamped_lines
from perpsim.replay.readers.quotes import QuoteWatch
from perpsim.replay.readers.sheet import REPAIR, Sheet
from perpsim.replay.tape import ROW_MASK, SELL, Row

FIRST_LINE = re.compile(rb"[0-9]{13}(?:[0-9]{3}){0,2} \{")
STREAM = re.compile(rb'"stream": ?"[^"@]+@(?:depth|trade|markPrice|bookTicker|aggTrade|forceOrder)')
COIN_MARGINED = re.compile(r".+USD_(PERP|[0-9]{6})")
TIME_US_MIN = 9 * 10**12  # event times from here on are microseconds, below milliseconds
NAMED = (Kind.DEPTH, Kind.TRADE, Kind.MARK, Kind.QUOTE)  # messages that say their symbol
MARK_UNIT, RATE_UNIT = "0.00000001", "0.000000001"


class BinanceStreams:
    """See `contract.Reader`."""

    name = "binance-streams"
    title = "raw Binance streams, a receive time and a combined-stream message a line"
    joined = True

    def recognises(self, file: SourceFile) -> bool:
        head = file.head()
        return bool(FIRST_LINE.match(head)) and (STREAM.search(head) is not None or b'"lastUpdateId"' in head[:200])

    def market(self, file: SourceFile) -> Market:
        findings = Findings(record=True)
        messages = Messages(findings)
        for block in first_lines(file, findings):
            kinds = messages.kinds(block)
            for kind in NAMED:
                found, _ = messages.decode(block, kind, np.flatnonzero(kinds == kind)[:1])
                if found:
                    return Market(_venue(found[0]), found[0].s)
        if findings.found:
            raise InputError(findings.found[0].sentence, file.place, findings.found[0].line)
        raise InputError("holds no stream message, so nobody can say of which market it is", file.place)

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        recording = _Recording(instrument, findings)
        for file in files:
            for block in stamped_lines(file, findings):
                yield from (rows for rows in recording.block(block) if len(rows.code))
        recording.close(files[0])


class _Recording:
    """What is known of a recording from its blocks so far."""

    def __init__(self, instrument: Instrument, findings: Findings):
        self.instrument, self.findings = instrument, findings
        self.spot = instrument.venue == "binance-spot"
        self.chain = Chain(not self.spot, findings)
        self._messages = Messages(findings)
        self._ids = Ids()
        self._quotes = QuoteWatch(findings)
        for kind in Kind:
            findings.count(f"messages.{kind.name.lower()}", 0)
        for name in ("gaps", "duplicate_trade_ids", "off_grid_off_book", "off_quote_prints", "crossed_quotes"):
            findings.count(name, 0)

    def block(self, block: Lines) -> Iterator[Rows]:
        """The rows of a block of lines, kind by kind."""
        kinds = self._messages.kinds(block)
        found = {}
        for kind in Kind:
            messages, indices = self._messages.decode(block, kind, np.flatnonzero(kinds == kind))
            self.findings.count(f"messages.{kind.name.lower()}", len(messages))
            found[kind] = self._of_market(block, kind, messages, indices) if kind in NAMED else (messages, indices)
        for kind, read in ((Kind.TRADE, self._trades), (Kind.MARK, self._marks), (Kind.QUOTE, self._read_quotes)):
            messages, indices = found[kind]
            if messages:
                yield from read(messages, self._sheet(block, indices), block.receive_ns[indices])
        snapshots = self._snapshots(block, *found[Kind.SNAPSHOT])
        yield from self.chain.feed(snapshots, self._depth(block, *found[Kind.DEPTH]))

    def close(self, file: SourceFile) -> None:
        """Counts of the whole; refuses a book that never was one."""
        self._quotes.close()
        self.chain.close()
        self.findings.count("missing_trade_ids", self._ids.missing)
        if self.chain.seeds:
            return
        snapshot = self.chain.first_snapshot
        if snapshot is not None and self.chain.updates:
            file, line = snapshot.rows.file, snapshot.line
            said = (
                f"the depth snapshot of id {snapshot.final} joins no depth update (they start at id "
                f"{self.chain.first_id}); the updates in between are missing: record again"
            )
        else:
            line = 0
            lacking = "snapshot" if self.chain.updates else "update"
            said = f"holds no depth {lacking}, so the book cannot be built; add it"
        self.findings.refuse(
            "no-snapshot",
            np.ones(1, bool),
            file,
            np.array([line]),
            lambda i: f"{said}, or repair by no-snapshot to leave the book out",
        )

    def _sheet(self, block: Lines, indices: np.ndarray) -> Sheet:
        return Sheet(block.file, block.line[indices], self.instrument, self.findings)

    def _of_market(self, block: Lines, kind: Kind, messages: list, indices: np.ndarray) -> tuple[list, np.ndarray]:
        """The messages of this market; spot and USD-M markets share symbols, so fields that only futures have tell."""
        if not messages:
            return messages, indices
        sheet = self._sheet(block, indices)
        symbols = [message.s for message in messages]
        if set(symbols) != {self.instrument.symbol}:
            sheet.refuse(
                "wrong-symbol",
                np.array([symbol != self.instrument.symbol for symbol in symbols]),
                lambda i: (
                    f"the message is of {symbols[i]}, but this is a tape of {self.instrument.symbol}; "
                    "read the files of one market at a time"
                ),
            )
        if kind in OF_FUTURES:
            other = np.array([OF_FUTURES[kind](message) for message in messages]) == self.spot
            sheet.refuse(
                "wrong-symbol",
                other,
                lambda i: (
                    f"the message is of {'futures' if self.spot else 'spot'}, but this is a tape of "
                    f"{self.instrument.venue}; read the files of one market at a time"
                ),
            )
        if sheet.keep.all():
            return messages, indices
        return [messages[index] for index in np.flatnonzero(sheet.keep).tolist()], indices[sheet.keep]

    def _depth(self, block: Lines, messages: list[Depth], indices: np.ndarray) -> Updates | None:
        if not messages:
            return None
        sheet = self._sheet(block, indices)
        final = np.array([message.u for message in messages])
        sheet.refuse(
            "unreadable",
            final < [message.U for message in messages],
            lambda i: f"the update's first id U is above its last id u: {REPAIR}",
        )
        previous = np.array([message.U - 1 if self.spot else message.pu for message in messages])
        time_ns = _time_ns([message.E if self.spot else message.T for message in messages])
        lists = [bytes(side) for each in messages for side in (each.b, each.a)]
        books = Books(sheet.line, time_ns, block.receive_ns[indices], final, np.zeros(len(final), bool), lists)
        rows = levels.rows(books, sheet.keep, block.file, self.instrument, self.findings)
        line = sheet.line[sheet.keep]
        starts = np.append(np.searchsorted(rows.line, line), len(rows.line))
        return Updates(previous[sheet.keep], final[sheet.keep], time_ns[sheet.keep], line, starts, rows)

    def _snapshots(self, block: Lines, messages: list[Answer], indices: np.ndarray) -> list[Snapshot]:
        found = []
        for message, index in zip(messages, indices.tolist(), strict=True):
            at = slice(index, index + 1)
            final, time_ns = np.array([message.lastUpdateId]), _time_ns([message.T])
            books = Books(
                block.line[at], time_ns, block.receive_ns[at], final, np.ones(1, bool),
                [bytes(message.bids), bytes(message.asks)],
            )  # fmt: skip
            rows = levels.rows(books, np.ones(1, bool), block.file, self.instrument, self.findings)
            sheet = self._sheet(block, np.array([index]))
            empty = np.array([not len(rows.code)])
            sheet.refuse("unreadable", empty, lambda i: f"the number of levels of the snapshot is 0: {REPAIR}")
            if sheet.keep.all():
                found.append(Snapshot(int(final[0]), int(time_ns[0]), int(block.line[index]), rows))
        return found

    def _trades(self, messages: list[Trade], sheet: Sheet, receive_ns: np.ndarray) -> Iterator[Rows]:
        on_book = np.array([message.X in ("MARKET", "") for message in messages])
        prices, lots = (_numbers([getattr(message, name) for message in messages], sheet) for name in "pq")
        price = self._trade_prices(prices, on_book, sheet)
        value = sheet.lots(lots)
        code = np.where(on_book, Row.TRADE, Row.OFF_BOOK) | np.where([message.m for message in messages], SELL, 0)
        ids = np.array([message.t for message in messages])
        self.findings.count("duplicate_trade_ids", self._ids.add(ids))
        rows = sheet.rows(code, _time_ns([message.T for message in messages]), receive_ns, price, value, ids)
        printed = (rows.code & ROW_MASK) == Row.TRADE
        self._quotes.prints(rows.time_ns[printed], rows.price[printed])
        yield rows

    def _trade_prices(self, numbers: decimals.Fixed, on_book: np.ndarray, sheet: Sheet) -> np.ndarray:
        """Ticks; an off-book print may stand between two ticks: it is rounded down, being no price of the book."""
        ticks, off = decimals.in_steps(numbers, *step(self.instrument.tick))
        self.findings.count("off_grid_off_book", (off & ~on_book).sum())
        exact = decimals.Fixed(np.where(on_book, numbers.mantissa, 0), numbers.decimals)
        return np.where(on_book, sheet.ticks(exact), ticks)

    def _marks(self, messages: list[Mark], sheet: Sheet, receive_ns: np.ndarray) -> Iterator[Rows]:
        """Up to three rows a message: mark, index, funding; the last two only where the message has them."""
        given = np.array([(True, bool(message.i), bool(message.r)) for message in messages])
        value, price = np.zeros(given.shape, np.int64), np.zeros(given.shape, np.int64)
        for column, (field, unit) in enumerate((("p", MARK_UNIT), ("i", MARK_UNIT), ("r", RATE_UNIT))):
            numbers = _numbers([getattr(message, field) or "0" for message in messages], sheet)
            value[:, column], off = decimals.in_steps(numbers, *step(unit))
            sheet.refuse("bad-value", off, lambda i, f=field, u=unit: f"{f} is no multiple of {u}: {REPAIR}")
        price[:, 2] = _time_ns([message.T for message in messages])
        for bad, name in (
            (value[:, 0] <= 0, "mark price"),
            (given[:, 1] & (value[:, 1] <= 0), "index price"),
            (given[:, 2] & (price[:, 2] <= 0), "next funding time"),
        ):
            sheet.refuse("bad-value", bad, lambda i, n=name: f"the {n} is not above zero: {REPAIR}")
        code = np.broadcast_to(np.array([Row.MARK, Row.INDEX, Row.FUNDING], np.uint8), given.shape)
        time_ns = _time_ns([message.E for message in messages])
        yield sheet.messages(given, code, time_ns, receive_ns, price, value)

    def _read_quotes(self, messages: list[Quote], sheet: Sheet, receive_ns: np.ndarray) -> Iterator[Rows]:
        """No rows; spot quotes have no time, so nothing can be compared with them."""
        bid, ask = (sheet.ticks(_numbers([getattr(each, side) for each in messages], sheet), name)
                    for side, name in (("b", "bid"), ("a", "ask")))  # fmt: skip
        if not self.spot:
            time_ns = _time_ns([message.T for message in messages])
            self._quotes.quotes(time_ns[sheet.keep], bid[sheet.keep], ask[sheet.keep])
        yield from ()


OF_FUTURES: dict[Kind, Callable] = {  # whether a message has what only futures have
    Kind.DEPTH: lambda message: message.pu >= 0,
    Kind.TRADE: lambda message: bool(message.X),
    Kind.QUOTE: lambda message: message.T > 0,
}


def _venue(message: Depth | Trade | Mark | Quote) -> str:
    if COIN_MARGINED.fullmatch(message.s):
        return "binance-coinm"
    futures = isinstance(message, Mark) or getattr(message, "X", "") or (not isinstance(message, Trade) and message.T)
    return "binance-usdm" if futures else "binance-spot"


def _time_ns(times: list[int]) -> np.ndarray:
    """Milliseconds or microseconds since 1970, told apart by magnitude; 0 stays 0."""
    column = np.array(times, np.int64)
    return column * np.where(column >= TIME_US_MIN, 1_000, 1_000_000)


def _numbers(texts: list[str], sheet: Sheet) -> decimals.Fixed:
    """Decimal texts; one that is none is refused, and counts as 0 where it is only recorded."""
    texts = list(texts)
    bad, said = np.zeros(len(texts), bool), {}
    while True:
        try:
            found = decimals.from_strings(texts)
            break
        except decimals.NotDecimal as error:
            bad[error.index], said[error.index], texts[error.index] = True, str(error), "0"
    sheet.refuse("unreadable", bad, lambda i: f"{said[i]}: {REPAIR}")
    return found


BINANCE_STREAMS = BinanceStreams()
