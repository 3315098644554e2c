"""Binance's stream messages as typed records, and which line holds which.

A field that is missing or of another type is refused, with the line.
"""

from enum import IntEnum
from itertools import repeat
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np
from perpsim.replay.readers.contract import Findings
from perpsim.replay.readers.lines import Lines

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
BARE = (Kind.SNAPSHOT, Kind.IGNORED)  # without the wrapping


class Messages:
    """Sorts lines by what they hold and decodes them; remembers the stream names met."""

    def __init__(self, findings: Findings):
        self._findings = findings
        self._known: dict[bytes, Kind] = {}

    def kinds(self, block: Lines) -> np.ndarray:
        """uint8 Kind of each line; 0 of lines that are refused."""
        head = block.body + len(PREFIX)
        names = [
            text[head : text.find(b'"', head)] if text.startswith(PREFIX, block.body) else b"" for text in block.texts
        ]
        known = self._known
        kinds = np.fromiter(map(known.get, names, repeat(0)), np.uint8, len(names))
        for index in np.flatnonzero(kinds == 0).tolist():
            name = names[index]
            kind = known.get(name)
            if kind is None:
                kind = self._kind(block, index)
                if name and kind:  # b"": other spacing, or no stream message; each such line is looked at
                    known[name] = Kind(kind)
            kinds[index] = kind
        return kinds

    def decode(self, block: Lines, kind: Kind, indices: np.ndarray) -> tuple[list, np.ndarray]:
        """(the messages on those lines, all of one kind; which lines they are on, without those refused)."""
        decode, body, texts = DECODERS[kind].decode, block.body, block.texts
        try:
            found = [decode(texts[index][body:]) for index in indices.tolist()]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found, indices = self._one_by_one(block, kind, indices)
        return (found if kind in BARE else [each.data for each in found]), indices

    def _kind(self, block: Lines, index: int) -> int:
        try:
            outline = OUTLINE.decode(block.texts[index][block.body :])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._refuse(block, index, f"no capture message ({error}); take it out or record again")
            return 0
        if outline.lastUpdateId is not None and not outline.stream:
            return Kind.SNAPSHOT
        channel = outline.stream.split("@")[1:2]
        if channel and channel[0] in STREAMS:
            return STREAMS[channel[0]]
        what = f"a message of the stream {outline.stream!r}" if outline.stream else "no stream message and no snapshot"
        known = ", ".join(STREAMS)
        self._refuse(block, index, f"{what}; this reader knows {known} and REST depth snapshots: take such lines out")
        return 0

    def _one_by_one(self, block: Lines, kind: Kind, indices: np.ndarray) -> tuple[list, np.ndarray]:
        found, good = [], []
        for index in indices.tolist():
            try:
                found.append(DECODERS[kind].decode(block.texts[index][block.body :]))
                good.append(index)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._refuse(block, index, f"no {kind.name.lower()} message ({error}); take it out or record again")
        return found, np.array(good, np.int64)

    def _refuse(self, block: Lines, index: int, what: str) -> None:
        line = block.line[index : index + 1]
        self._findings.refuse("unreadable", np.ones(1, bool), block.file, line, lambda i: f"the line is {what}")
