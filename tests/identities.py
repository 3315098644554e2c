"""`python -m tests.identities [FOLDER]`: the table of docs/IDENTITIES.md, from every recording of levels below FOLDER.

FOLDER is that of the recordings that do not ship (PERPSIM_DATA); those that are not there are left out. Names of
recordings may follow it, and then only these are compared.
"""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from perpsim.replay.import_plan import Given

from bench.against_hftbacktest import write_npz
from tests.identity import Found, compared
from tests.tape_commands import PAIR, shipped_tape


class Recording(NamedTuple):
    """Files below the folder of recordings, in order; `long` ones take more than ten seconds."""

    files: tuple[str, ...]
    long: bool = False


STREAMS, SOCKETS, TARDIS, DATABENTO = "binance-streams/", "raw-websocket/", "tardis-samples/", "databento-mbo/"
RECORDINGS: dict[str, Recording] = {
    "BTCUSDT, 2024": Recording((f"{STREAMS}btcusdt_20240718.gz", f"{STREAMS}btcusdt_20240719.gz"), True),
    "ETHUSDT, 2024": Recording((f"{STREAMS}ethusdt_20240718.gz", f"{STREAMS}ethusdt_20240719.gz"), True),
    "COIN-M, 2024": Recording((f"{STREAMS}btcusd_perp_20240808.gz", f"{STREAMS}btcusd_perp_20240809.gz"), True),
    "spot, 2024": Recording((f"{STREAMS}spot_btcusdt_20240808.gz", f"{STREAMS}spot_btcusdt_20240809.gz"), True),
    "Hyperliquid": Recording((f"{STREAMS}hyperliquid/btcusd_20250126.gz",)),
    "Bybit v5": Recording((f"{SOCKETS}BYBIT.jsonl.zst",)),
    "Tardis, 25 levels": Recording((f"{TARDIS}binance-futures_book_snapshot_25_BTCUSDT.csv",)),
    "Tardis, 5 levels": Recording((f"{TARDIS}binance-futures_book_snapshot_5_BTCUSDT.csv",)),
    "Tardis, Deribit": Recording((f"{TARDIS}deribit_incremental_book_L2_BTC-PERPETUAL.csv",)),
    "Databento mbp-1": Recording((f"{DATABENTO}futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",)),
    "Binance USD-M, 2021": Recording(
        (f"{SOCKETS}BINANCE_FUTURES.http.0.0.zst", f"{SOCKETS}BINANCE_FUTURES.ws.1.0.zst")
    ),
    "Binance COIN-M, 2021": Recording(
        (f"{SOCKETS}BINANCE_DELIVERY.http.0.0.zst", f"{SOCKETS}BINANCE_DELIVERY.ws.1.0.zst")
    ),
    "OKX": Recording((f"{SOCKETS}OKX.ws.1.0.zst",)),
    "BitMEX": Recording((f"{SOCKETS}BITMEX.ws.1.0.zst",)),
    "Deribit": Recording((f"{SOCKETS}DERIBIT.ws.1.0.zst",)),
    "Kraken": Recording((f"{SOCKETS}KRAKEN_FUTURES.ws.1.0.zst",)),
    "Bitget": Recording((f"{SOCKETS}BITGET.jsonl.zst",)),
    "Bybit, linear, 2021": Recording((f"{SOCKETS}BYBIT.ws.25.0.zst",)),
    "Bybit, inverse, 2021": Recording((f"{SOCKETS}BYBIT.ws.26.0.zst",)),
}
SHIPPED, AS_EVENTS = "the shipped recording", "the same as events of hftbacktest"


def row(name: str, found: list[Found]) -> str:
    """A row of the table: all markets of a recording."""
    markets = found[0].market if len(found) == 1 else f"{len(found)} markets"
    reader = found[0].reader if found[0].reader != "captured" else "none"
    updates, mismatches = (sum(each[at] for each in found) for at in (2, 3))
    return f"| {name} | {markets} | {reader} | {updates:,} | {mismatches} |"


def of_shipped(name: str) -> str:
    if name == SHIPPED:
        return row(name, list(compared(PAIR)))
    tape = shipped_tape()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT.npz"
        write_npz(path, tape)
        facts = tape.instrument
        given = Given(venue=facts.venue, symbol=facts.symbol, tick=facts.tick, lot=facts.lot)
        return row(name, list(compared([path], given)))


def of_others(name: str, folder: Path) -> str | None:
    """None where the recording is not there."""
    paths = [folder / file for file in RECORDINGS[name].files]
    return row(name, list(compared(paths))) if all(path.exists() for path in paths) else None


def main() -> int:
    folder, wanted = Path(*sys.argv[1:2]), sys.argv[2:]
    different = False
    print("| recording | market | reader | updates | mismatches |\n|---|---|---|---|---|")
    for name in wanted or (SHIPPED, AS_EVENTS, *RECORDINGS):
        found = of_others(name, folder) if name in RECORDINGS else of_shipped(name)
        if found is not None:
            print(found, flush=True)
            different |= not found.endswith(" 0 |")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
