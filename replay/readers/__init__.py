"""Tick-file readers: one file a format, and the table that lists them.

Each reader turns the files of one recording of one market into a `perpsim.replay.tape.Tape`:
`read(paths, instrument=None, *, ..., progress=None) -> Tape`, raising `InputError` with file and line.
"""

from perpsim.replay.readers import binance_streams

READERS = {
    "binance-streams": binance_streams.read,
}
