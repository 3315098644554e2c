"""Databento DBN files (zstd or plain): mbo as single orders, trades and mbp-1 / mbp-10 as trades and levels.

The header is read by Databento's own library, `pip install "perpsim[databento]"`; the records, whose layout has not
changed since version 1, are read as they lie. `definition` files give tick and contract size, and no rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from perpsim.replay.catalogue import Instrument, step
from perpsim.replay.decimals import Fixed, in_steps
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import DAMAGED, Findings, Market, Rows, SourceFile
from perpsim.replay.readers.databento_orders import MboBook
from perpsim.replay.readers.sheet import Sheet, whole_messages
from perpsim.replay.tape import MORE, SELL, SNAPSHOT, Row

HEADER = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
]  # fmt: skip
MBO = np.dtype([
    *HEADER, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"),
    ("action", "u1"), ("side", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
])  # fmt: skip
PAIR = np.dtype([
    ("bid_px", "<i8"), ("ask_px", "<i8"), ("bid_sz", "<u4"), ("ask_sz", "<u4"), ("bid_ct", "<u4"), ("ask_ct", "<u4"),
])  # fmt: skip
TRADE = [
    *HEADER, ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1"), ("flags", "u1"), ("depth", "u1"),
    ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip
LAYOUTS = {
    "mbo": MBO, "trades": np.dtype(TRADE), "tbbo": np.dtype([*TRADE, ("levels", PAIR, (1,))]),
    "mbp-1": np.dtype([*TRADE, ("levels", PAIR, (1,))]), "mbp-10": np.dtype([*TRADE, ("levels", PAIR, (10,))]),
}  # fmt: skip
RTYPES = {"mbo": 160, "trades": 0, "tbbo": 1, "mbp-1": 1, "mbp-10": 10}
UNDEFINED = (1 << 63) - 1
UNTIMED = (1 << 64) - 1
PRICE_DECIMALS = 9
LAST = 128
BLOCK_RECORDS = 1 << 15


class Header(NamedTuple):
    """What a file says of itself; first: where its records begin."""

    dataset: str
    schema: str
    symbols: dict[str, set[int]]  # instrument ids of each symbol
    first: int


def header(file: SourceFile) -> Header:
    """Raises InputError for what is no DBN file, and where the library is missing."""
    try:
        from databento_dbn import Metadata
    except ImportError as error:
        raise InputError(
            'needs the library databento-dbn to be read; pip install "perpsim[databento]"', file.place
        ) from error
    with file.open() as stream:
        try:
            start = stream.read(8)
            size = struct.unpack("<I", start[4:8])[0]
            told = Metadata.decode(start + stream.read(size))
        except (*DAMAGED, struct.error) as error:
            raise file.damaged(error) from error
        except Exception as error:  # the library's own kinds of errors
            raise InputError(f"has a header that cannot be read ({error}); get the file again", file.place) from error
    symbols: dict[str, set[int]] = {}
    for symbol, intervals in told.mappings.items():
        for interval in intervals:
            if str(interval["symbol"]).isdigit():
                symbols.setdefault(symbol, set()).add(int(interval["symbol"]))
    return Header(str(told.dataset), str(told.schema), symbols, 8 + size)


class _Databento:
    joined = True

    def __init__(self, schema: str, title: str):
        self.schema, self.name, self.title = schema, f"databento-{schema}", title

    def recognises(self, file: SourceFile) -> bool:
        head = file.head()
        return head[:3] == b"DBN" and header(file).schema == self.schema

    def market(self, file: SourceFile) -> Market:
        told = header(file)
        symbol = next(iter(told.symbols)) if len(told.symbols) == 1 else ""
        return Market(told.dataset.lower().replace(".", "-"), symbol)

    def instrument(self, file: SourceFile) -> Instrument | None:
        return None

    def rows(self, files: Sequence[SourceFile], instrument: Instrument, findings: Findings) -> Iterator[Rows]:
        book = MboBook(findings)
        for file in files:
            if self.schema == "mbo":
                yield from self._orders(file, instrument, findings, book)
            elif self.schema in LAYOUTS:
                blocks = (self._levels(*block, file, instrument, findings) for block in self._blocks(file, instrument))
                yield from whole_messages(blocks)

    def _blocks(self, file: SourceFile, instrument: Instrument) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(records, their numbers from 1) of the market."""
        told = header(file)
        ids = told.symbols.get(instrument.symbol)
        if ids is None and len(told.symbols) > 1:
            names = ", ".join(list(told.symbols)[:10])
            raise InputError(f"has no {instrument.symbol}; name one of its markets ({names})", file.place)
        wanted = np.fromiter(ids or (), np.uint32)
        for records, number in records_of(file, self.schema, told.first):
            keep = np.isin(records["instrument_id"], wanted) if len(wanted) else np.ones(len(records), bool)
            yield records[keep], number[keep]

    def _orders(
        self, file: SourceFile, instrument: Instrument, findings: Findings, book: MboBook
    ) -> Iterator[Rows]:
        book.begin(file)
        opens = book.opens_in_auction(self._sheeted(file, instrument, Findings(record=True)))
        for records, price, lots in self._sheeted(file, instrument, findings):
            yield from book.take(records, price, lots, opens)
            opens = None
        yield from book.end()

    def _sheeted(self, file: SourceFile, instrument: Instrument, findings: Findings) -> Iterator[tuple[Any, ...]]:
        """(columns as lists, ticks, lots) of blocks of records that can be used."""
        for records, number in self._blocks(file, instrument):
            sheet = Sheet(file, number, instrument, findings)
            priced = np.isin(records["action"], np.frombuffer(b"ACMTF", np.uint8))
            price, lots = steps(sheet, records, priced)
            columns = [records[name][sheet.keep] for name in ("action", "side", "flags", "order_id")]
            columns += [times(records)[sheet.keep], records["ts_recv"].astype(np.int64)[sheet.keep], number[sheet.keep]]
            yield [column.tolist() for column in columns], price[sheet.keep].tolist(), lots[sheet.keep].tolist()

    def _levels(
        self, records: np.ndarray, number: np.ndarray, file: SourceFile, instrument: Instrument, findings: Findings
    ) -> tuple[Rows, np.ndarray]:
        """Rows of trades and, where the schema has them, of all levels after each event; and which start a message."""
        sheet = Sheet(file, number, instrument, findings)
        traded = records["action"] == ord("T")
        price, lots = steps(sheet, records, traded)
        depth = 0 if self.schema in ("trades", "tbbo") else records["levels"].shape[1]
        given = np.zeros((len(records), 1 + 2 * depth), bool)
        code = np.zeros(given.shape, np.uint8)
        prices, values = np.zeros(given.shape, np.int64), np.zeros(given.shape, np.int64)
        sided = np.isin(records["side"], np.frombuffer(b"AB", np.uint8))
        given[:, 0] = traded
        code[:, 0] = np.where(sided, Row.TRADE, Row.OFF_BOOK) | np.where(records["side"] == ord("A"), SELL, 0)
        prices[:, 0], values[:, 0] = price, lots
        units, decimals = step(instrument.tick)
        for level in range(depth):
            for at, side in enumerate(("bid", "ask")):
                column = 1 + 2 * level + at
                numbers = records["levels"][:, level][f"{side}_px"]
                there = (numbers != UNDEFINED) & ~traded
                numbers = np.where(there, numbers, 0)
                prices[:, column], off = in_steps(Fixed(numbers, PRICE_DECIMALS), units, decimals)
                sizes = records["levels"][:, level][f"{side}_sz"].astype(np.int64)
                values[:, column] = sheet.lots(Fixed(sizes, 0))
                sheet.refuse("off-grid", off, lambda i, n=numbers: f"the price {n[i] / 1e9} is no multiple of the tick")
                given[:, column] = there & (values[:, column] > 0)
                code[:, column] = Row.LEVEL | SNAPSHOT | (SELL if at else 0)
        made = sheet.messages(
            given, code, times(records), records["ts_recv"].astype(np.int64), prices, values,
            records["sequence"].astype(np.int64),
        )  # fmt: skip
        return made, np.append(True, (made.code[:-1] & MORE) == 0)[: len(made.code)]


class _Definitions(_Databento):
    """Facts of a market: no rows."""

    def __init__(self) -> None:
        super().__init__("definition", "Databento DBN definitions: tick and contract size of the markets beside them")

    def instrument(self, file: SourceFile) -> Instrument | None:
        from databento_dbn import DBNDecoder, InstrumentDefMsg

        told, decoder = header(file), DBNDecoder()
        with file.open() as stream:
            decoder.write(stream.read())
        for message in decoder.decode():
            if not isinstance(message, InstrumentDefMsg) or not 0 < message.min_price_increment < UNDEFINED:
                continue
            size = message.unit_of_measure_qty  # of a future: what one contract is
            size = decimal_text(size) if 0 < size < UNDEFINED else "1"
            kind = "spot" if str(message.instrument_class) == "K" else "linear"
            tick = decimal_text(message.min_price_increment)
            return Instrument(told.dataset.lower().replace(".", "-"), message.raw_symbol, kind, tick, size, size)
        return None


def steps(sheet: Sheet, records: np.ndarray, needed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ticks and lots; where a record needs a price and has none, it is refused."""
    numbers = records["price"].astype(np.int64)
    missing = numbers == UNDEFINED
    price = sheet.ticks(Fixed(np.where(missing, 0, numbers), PRICE_DECIMALS), bad=missing & needed)
    return price, sheet.lots(Fixed(records["size"].astype(np.int64), 0))


def times(records: np.ndarray) -> np.ndarray:
    """The venue's time; of orders of a snapshot, which is older, the time at which they were told."""
    told = ((records["flags"] & 32) != 0) | (records["ts_event"] == UNTIMED)
    return np.where(told, records["ts_recv"], records["ts_event"]).astype(np.int64)


def decimal_text(nanos: int) -> str:
    """A positive number of 1e-9 as a decimal."""
    whole, rest = divmod(int(nanos), 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def records_of(file: SourceFile, schema: str, first: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All records of the schema in blocks, with their numbers from 1; others, such as symbol mappings, are left out."""
    layout, number, rest = LAYOUTS[schema], 1, b""
    with file.open() as stream:
        try:
            stream.read(first)
            while data := stream.read(BLOCK_RECORDS * layout.itemsize):
                data = rest + data
                found, rest, count = _whole(data, layout)
                at = np.arange(number, number + count)
                number += count
                own = found[1]["rtype"] == RTYPES[schema]
                if own.any():
                    yield found[1][own], at[found[0]][own]
        except DAMAGED as error:
            raise file.damaged(error, number) from error
    if rest:
        raise InputError("ends within a record; it is cut short, get the file again", file.place, number)


def _whole(data: bytes, layout: np.dtype) -> tuple[tuple[np.ndarray, np.ndarray], bytes, int]:
    """((places among all records, records) of the layout's length, what is left over, records in all)."""
    count = len(data) // layout.itemsize
    records = np.frombuffer(data, layout, count)
    if (records["length"] * 4 == layout.itemsize).all():
        return (np.arange(count), records), data[count * layout.itemsize :], count
    at = number = 0
    places, kept = [], []
    while at < len(data) and data[at] and at + 4 * data[at] <= len(data):
        if 4 * data[at] == layout.itemsize:
            places.append(number)
            kept.append(data[at : at + layout.itemsize])
        at, number = at + 4 * data[at], number + 1
    if at < len(data) and not data[at]:
        raise OSError(f"a record of no length at number {number + 1} of a block")
    return (np.array(places, np.int64), np.frombuffer(b"".join(kept), layout)), data[at:], number


DATABENTO = (
    _Databento("mbo", "Databento DBN mbo: every order by its id"),
    _Databento("mbp-10", "Databento DBN mbp-10: ten levels and trades"),
    _Databento("mbp-1", "Databento DBN mbp-1: best levels and trades"),
    _Databento("tbbo", "Databento DBN tbbo: trades"),
    _Databento("trades", "Databento DBN trades"),
    _Definitions(),
)
