"""Binance's stream messages as typed records, and which line holds which.

A field that is missing or of another type is refused, with the line.
"""

from enum import IntEnum
from itertools import repeat
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np
from perpsim.replay.errors import InputError
from perpsim.replay.readers.lines import Capture, Lines

Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Time = Annotated[int, msgspec.Meta(ge=0, lt=9 * 10**15)]
Body = TypeVar("Body")

PREFIX = b'{"stream":"'


class Kind(IntEnum):
    """What a line holds."""

    DEPTH = 1
    TRADE = 2
    MARK = 3
    QUOTE = 4
    SNAPSHOT = 5
    IGNORED = 6


STREAMS = {
    "depth": Kind.DEPTH,
    "trade": Kind.TRADE,
    "markPrice": Kind.MARK,
    "bookTicker": Kind.QUOTE,
    "aggTrade": Kind.IGNORED,  # the trades once more, without the off-book ones
    "forceOrder": Kind.IGNORED,  # at most one a second, so no record of liquidations
}


class Depth(msgspec.Struct, gc=False):
    """depthUpdate; the levels stay text until all of a block are read at once. Spot has neither T nor pu."""

    E: Time
    s: str
    U: Id
    u: Id
    b: msgspec.Raw
    a: msgspec.Raw
    T: Time = 0
    pu: Annotated[int, msgspec.Meta(ge=-1, le=2**62)] = -1


class Trade(msgspec.Struct, gc=False):
    """trade; m: the buyer was the maker, so the taker sold. Spot has no X."""

    T: Time
    s: str
    t: Id
    p: str
    q: str
    m: bool
    X: str = ""


class Mark(msgspec.Struct, gc=False):
    """markPriceUpdate; a dated future has an empty funding rate, an old COIN-M capture no index."""

    E: Time
    s: str
    p: str
    T: Time = 0
    i: str = ""
    r: str = ""


class Quote(msgspec.Struct, gc=False):
    """bookTicker; spot has no T."""

    s: str
    b: str
    a: str
    T: Time = 0


class Snapshot(msgspec.Struct, gc=False):
    """The answer to a REST depth request; spot has no T."""

    lastUpdateId: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    T: Time = 0


class Envelope(msgspec.Struct, Generic[Body], gc=False):
    """The combined stream's wrapping."""

    data: Body


class Outline(msgspec.Struct):
    """Enough of any line to tell what it is."""

    stream: str = ""
    lastUpdateId: int | None = None


OUTLINE = msgspec.json.Decoder(Outline)
DECODERS = {
    Kind.DEPTH: msgspec.json.Decoder(Envelope[Depth]),
    Kind.TRADE: msgspec.json.Decoder(Envelope[Trade]),
    Kind.MARK: msgspec.json.Decoder(Envelope[Mark]),
    Kind.QUOTE: msgspec.json.Decoder(Envelope[Quote]),
    Kind.SNAPSHOT: msgspec.json.Decoder(Snapshot),
    Kind.IGNORED: OUTLINE,
}


class Messages:
    """Sorts lines by what they hold and decodes them; remembers the stream names met."""

    def __init__(self, capture: Capture):
        self._capture = capture
        self._known: dict[bytes, Kind] = {}

    def kinds(self, block: Lines) -> np.ndarray:
        """uint8 Kind of each line; refuses lines of no known kind."""
        head = block.body + len(PREFIX)
        names = [
            line[head : line.find(b'"', head)] if line.startswith(PREFIX, block.body) else b"" for line in block.lines
        ]
        known = self._known
        kinds = np.fromiter(map(known.get, names, repeat(0)), np.uint8, len(names))
        for index in np.flatnonzero(kinds == 0).tolist():
            name = names[index]
            kinds[index] = known.get(name) or self._kind(block, index)
            if name:  # b"": other spacing, or no stream message; each such line is looked at
                known[name] = Kind(kinds[index])
        return kinds

    def decode(self, block: Lines, kind: Kind, indices: np.ndarray) -> list:
        """The messages on those lines, all of one kind."""
        decode, body, lines = DECODERS[kind].decode, block.body, block.lines
        try:
            if kind in (Kind.SNAPSHOT, Kind.IGNORED):
                return [decode(lines[index][body:]) for index in indices.tolist()]
            return [decode(lines[index][body:]).data for index in indices.tolist()]
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._first_bad(block, kind, indices) from error

    def _kind(self, block: Lines, index: int) -> Kind:
        path, line = self._capture.where(block.first + index)
        try:
            outline = OUTLINE.decode(block.lines[index][block.body :])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _corrupt(error, path, line) from error
        if outline.lastUpdateId is not None and not outline.stream:
            return Kind.SNAPSHOT
        channel = outline.stream.split("@")[1:2]
        if channel and channel[0] in STREAMS:
            return STREAMS[channel[0]]
        what = f"a message of the stream {outline.stream!r}" if outline.stream else "no stream message and no snapshot"
        raise InputError(
            f"the line is {what}; this reader knows {', '.join(STREAMS)} and REST depth snapshots: take such lines out",
            path,
            line,
        )

    def _first_bad(self, block: Lines, kind: Kind, indices: np.ndarray) -> InputError:
        """Decode line by line to find the one that cannot be."""
        for index in indices.tolist():
            try:
                DECODERS[kind].decode(block.lines[index][block.body :])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                return _corrupt(error, *self._capture.where(block.first + index), kind.name.lower())
        raise AssertionError("a line decoded the second time")


def _corrupt(error: Exception, path, line: int, what: str = "capture") -> InputError:
    return InputError(f"the line is no {what} message ({error}); take it out or record again", path, line)
