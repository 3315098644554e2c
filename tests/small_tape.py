"""Small recordings written by hand, for tests: a book, prints and index prices at chosen times."""

from pathlib import Path

import numpy as np
from perpsim.replay import tape_writer
from perpsim.replay.catalogue import Instrument
from perpsim.replay.tape import COLUMNS, MORE, SELL, SNAPSHOT, Row, Tape

SECOND = 10**9
START_NS = 1_700_000_000 * SECOND
BTC = Instrument("binance-usdm", "BTCUSDT", "linear", "0.1", "0.001")
ETH = Instrument("binance-usdm", "ETHUSDT", "linear", "0.01", "0.001")
QUOTE = 10**8  # 1e-8 units


class Recording:
    """Rows in the order in which they are added; times in seconds after START_NS."""

    def __init__(self, instrument: Instrument = BTC):
        self.instrument = instrument
        self.rows: list[tuple[int, int, int, int]] = []

    def book(self, at: float, bids: dict[int, int], asks: dict[int, int], snapshot: bool = False) -> "Recording":
        """One depth message: price in ticks -> lots."""
        levels = [(price, lots, 0) for price, lots in bids.items()]
        levels += [(price, lots, SELL) for price, lots in asks.items()]
        for number, (price, lots, side) in enumerate(levels, 1):
            code = Row.LEVEL | side | (SNAPSHOT if snapshot else 0) | (MORE if number < len(levels) else 0)
            self.rows.append((self._ns(at), code, price, lots))
        return self

    def trade(self, at: float, side: int, price: int, lots: int) -> "Recording":
        """A print; side 0: the taker bought, 1: sold."""
        self.rows.append((self._ns(at), Row.TRADE | (SELL if side else 0), price, lots))
        return self

    def index(self, at: float, price: float) -> "Recording":
        self.rows.append((self._ns(at), int(Row.INDEX), 0, round(price * QUOTE)))
        return self

    def mark(self, at: float, price: float) -> "Recording":
        self.rows.append((self._ns(at), int(Row.MARK), 0, round(price * QUOTE)))
        return self

    def tape(self) -> Tape:
        rows = sorted(self.rows, key=lambda row: row[0])  # stable
        columns = dict(zip(("time_ns", "code", "price", "value"), zip(*rows, strict=True), strict=True))
        columns["receive_ns"] = columns["time_ns"]
        columns["id"] = [0] * len(rows)
        arrays = {name: np.array(columns[name], dtype) for name, dtype in COLUMNS.items()}
        return Tape(self.instrument, **arrays, quality={})

    def store(self, folder: Path) -> Path:
        """Write it below a folder, for a scenario's `store`."""
        tape_writer.write(self.tape(), folder)
        return folder

    def _ns(self, at: float) -> int:
        return START_NS + round(at * SECOND)


def quiet_market(seconds: int = 20, price: int = 300_000, lots: int = 5_000, instrument: Instrument = BTC) -> Recording:
    """Ten levels on each side of a price in ticks, an index and a mark at it every second, nothing else."""
    recording = Recording(instrument)
    quote = price * float(instrument.tick)
    bids = {price - 5 - 10 * step: lots for step in range(10)}
    asks = {price + 5 + 10 * step: lots for step in range(10)}
    recording.book(0, bids, asks, snapshot=True)
    for second in range(seconds + 1):
        recording.index(second, quote).mark(second, quote)
    return recording
