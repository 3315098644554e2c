"""Tick-file readers: one file a format, and the table that lists them."""

from perpsim.replay.readers.binance_streams import BINANCE_STREAMS
from perpsim.replay.readers.bitmex import BITMEX
from perpsim.replay.readers.bitstamp import BITSTAMP
from perpsim.replay.readers.bybit import BYBIT
from perpsim.replay.readers.contract import Reader
from perpsim.replay.readers.databento import DATABENTO
from perpsim.replay.readers.hftbacktest import Events
from perpsim.replay.readers.hyperliquid import HYPERLIQUID
from perpsim.replay.readers.lobster import LOBSTER
from perpsim.replay.readers.okx import OKX
from perpsim.replay.readers.tardis import TARDIS
from perpsim.replay.readers.vision import VISION

READERS: dict[str, Reader] = {
    each.name: each
    for each in (
        BINANCE_STREAMS,
        *LOBSTER,
        *BITSTAMP,
        *DATABENTO,
        *TARDIS,
        *VISION,
        Events(),
        *BYBIT,
        *OKX,
        *BITMEX,
        *HYPERLIQUID,
    )
}
