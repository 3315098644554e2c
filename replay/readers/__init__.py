"""Tick-file readers: one file a format, and the table that lists them."""

from perpsim.replay.readers import binance_streams
from perpsim.replay.readers.contract import Reader

READERS: dict[str, Reader] = {
    each.name: each
    for each in ()  # one line a reader
}
OLD_READERS = {"binance-streams": binance_streams.read}  # not yet as the contract says
