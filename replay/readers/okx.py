"""OKX: trade archives, order book archives (400 and 5,000 levels), and funding rates of all swaps.

Sizes of swaps and futures are in contracts, what a contract is the catalogue says. A day of trades runs from 16:00 to
16:00 UTC. The book has a whole one every quarter of an hour, and no ids: what is lost between two cannot be seen.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers import levels
from perpsim.replay.readers.captures import decoded, received
from perpsim.replay.readers.contract import Findings, Market, Rows, SourceFile
from perpsim.replay.readers.csv_columns import (
    REAL,
    TEXT,
    WHOLE,
    Layout,
    decimal,
    equals,
    first_line,
    real,
    tables,
    values_of,
    whole,
)
from perpsim.replay.readers.sheet import RATE_DECIMALS, Sheet, places, since_1970
from perpsim.replay.tape import Row

VENUE = "okx"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TRADE_NAMES = ("instrument_name", "trade_id", "side", "price", "size", "created_time")
FUNDING_NAMES = ("instrument_name", "funding_rate", "real_funding_rate", "funding_time")
MILLISECONDS = re.compile(r"[0-9]{1,18}")
BEFORE_FUNDING_NS = 1_000_000_000  # so much before its settlement a rate is said


def _layout(file: SourceFile) -> Layout:
    """The names of the columns; the files of 2021 and 2022 have Chinese ones behind a slash."""
    cells = [cell.lower() for cell in first_line(file)]
    names = [next((part for part in cell.split("/") if part in KNOWN), cell) for cell in cells]
    return Layout(tuple(names), True)


KNOWN = {*TRADE_NAMES, *FUNDING_NAMES}


def _day(file: SourceFile) -> str | None:
    found = DAY.search(file.name) or DAY.search(file.path.name)
    return found.group() if found else None


class _Csv:
    """Files of one market, or of many, which are then told apart by their first column."""

    joined = False
    names: tuple[str, ...]

    def recognises(self, file: SourceFile) -> bool:
        return set(self.names) <= set(_layout(file).names)

    def market(self, file: SourceFile) -> Market:
        return self.markets(file)[0]

    def markets(self, file: SourceFile) -> list[Market]:
        """All markets of the file."""
        found = values_of(file, _layout(file), "instrument_name")
        if not found:
            raise InputError("has no row after its header; leave it out", file.place)
        return [Market(VENUE, symbol, _day(file)) for symbol in found]

    def instrument(self, file: SourceFile, market: Market | None = None) -> Instrument | None:
        return None


class Trades(_Csv):
    """One print a row; of dated futures all of an underlying are in one file."""

    name, title = "okx-trades", "OKX trade archive"
    names = TRADE_NAMES

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        price, size = places(instrument, of_many=True)
        types = {"instrument_name": TEXT, "trade_id": TEXT, "side": TEXT, "created_time": WHOLE}
        types |= {"price": decimal(price), "size": decimal(size)}
        for file in files:
            for table in tables(file, _layout(file), types, findings):
                table = table.where(equals(table.columns["instrument_name"], instrument.symbol))
                sheet, column = Sheet(file, table.line, instrument, findings), table.columns
                time_ns = since_1970(whole(column["created_time"]))
                code = sheet.side(column["side"], ("buy", "BUY"), ("sell", "SELL")) + np.uint8(Row.TRADE)
                number = sheet.ids(column["trade_id"])
                price_ticks, lots = sheet.price(column["price"]), sheet.size(column["size"])
                rows = sheet.rows(code, time_ns, time_ns, price_ticks, lots, number)
                if len(rows.line):
                    yield rows


class Funding(_Csv):
    """The rate of each settlement, said a second before it."""

    name, title = "okx-funding", "OKX funding rate archive"
    names = ("instrument_name", "funding_rate", "funding_time")

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            shape = _layout(file)
            rate = "real_funding_rate" if "real_funding_rate" in shape.names else "funding_rate"
            for table in tables(file, shape, {"instrument_name": TEXT, rate: REAL, "funding_time": WHOLE}, findings):
                table = table.where(equals(table.columns["instrument_name"], instrument.symbol))
                sheet = Sheet(file, table.line, instrument, findings)
                rates = real(table.columns[rate])
                sheet.refuse("bad-value", np.isnan(rates), lambda i: "the funding rate is missing: take the line out")
                settled_ns = since_1970(whole(table.columns["funding_time"]))
                time_ns = settled_ns - BEFORE_FUNDING_NS
                value = sheet.rounded(rates, RATE_DECIMALS, "funding rate")
                rows = sheet.rows(np.uint8(Row.FUNDING), time_ns, time_ns, settled_ns, value)
                if len(rows.line):
                    yield rows


class Message(msgspec.Struct, gc=False):
    """A line of the order book archive: price, size and number of orders of each level."""

    instId: str
    action: str
    ts: str
    asks: msgspec.Raw
    bids: msgspec.Raw


MESSAGE = msgspec.json.Decoder(Message)


class OrderBook:
    """The order book archive: one market a file."""

    name, title = "okx-book", "OKX order book archive"
    joined = False

    def recognises(self, file: SourceFile) -> bool:
        start = file.head()[:200]
        return start.startswith(b"{") and b'"instId":' in start and b'"action":' in start and b'"arg":' not in start

    def market(self, file: SourceFile) -> Market:
        line = file.head().partition(b"\n")[0]
        symbol = line.partition(b'"instId":')[2].partition(b'"')[2].partition(b'"')[0].decode("utf-8", "replace")
        return Market(VENUE, symbol, _day(file))

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        for file in files:
            joins = levels.Joins()
            for block in received(file, findings):
                found = decoded(block, MESSAGE, file, findings)
                line = block.line[[index for index, _ in found]]
                sheet = Sheet(file, line, instrument, findings)
                symbols = np.array([message.instId for _, message in found], str)
                sheet.refuse(
                    "wrong-symbol",
                    symbols != instrument.symbol,
                    lambda i, names=symbols: f"the message is of {names[i]}, not of {instrument.symbol}: take it out",
                )
                whole_book = np.array([message.action == "snapshot" for _, message in found], bool)
                times = [
                    int(message.ts) if message.ts.isascii() and message.ts.isdigit() and len(message.ts) < 19 else 0
                    for _, message in found
                ]
                sheet.refuse("bad-time", np.array(times) == 0, lambda i: "the time is no number: take the line out")
                time_ns = since_1970(np.array(times, np.int64))
                lists = [bytes(side) for _, message in found for side in (message.bids, message.asks)]
                books = levels.Books(line, time_ns, time_ns, np.zeros_like(line), whole_book, lists)
                rows = levels.rows(books, joins.keep(books, None, sheet), file, instrument, findings)
                if len(rows.line):
                    yield rows


OKX = (Trades(), Funding(), OrderBook())
