"""Lines of JSON as a recorder wrote them: bare, or with the time of receipt in front or around.

bare          {...}                                              a venue's own dump
stamped       1618677785.48: {...}   or   1737918843893903000 {...}
wrapped       {"t":"recv","conn":"...","ts":1786310817.6,"data":"{...}"}; {"t":"connect",...,"addr":"wss://..."}

Lines that are no received message (requests, connections, what was sent) are passed over.
"""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from perpsim.replay.readers.contract import Findings, SourceFile
from perpsim.replay.readers.sheet import REPAIR
from perpsim.replay.readers.text import Block, ahead, line_blocks


class Received(NamedTuple):
    """m messages of a block: JSON texts, int64[m] line numbers and receive times (0: not said), and each one's
    connection ("": not said)."""

    texts: list[bytes]
    line: np.ndarray
    receive_ns: np.ndarray
    connection: list[str]


class Wrapped(msgspec.Struct, gc=False):
    """A line of the wrapped layout."""

    t: str = ""
    conn: str = ""
    ts: float = 0.0
    data: str = ""
    addr: str = ""
    url: str = ""


Number = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]  # an id or a time
WRAPPED = msgspec.json.Decoder(Wrapped)
BARE = (b"{", b"[")


def received(file: SourceFile, findings: Findings) -> Iterator[Received]:
    """The messages of a file, block by block, in order. Lines of no known layout are findings `unreadable`."""
    wrapped = file.head().startswith(b'{"t":"')
    addresses: dict[str, str] = {}
    for block in ahead(line_blocks(file)):
        yield _unwrapped(file, block, findings, addresses) if wrapped else _stamped(file, block, findings)


def _unwrapped(file: SourceFile, block: Block, findings: Findings, addresses: dict[str, str]) -> Received:
    texts, lines, times, connections = [], [], [], []
    for line, text in enumerate(block.data.splitlines(), block.first):
        try:
            found = WRAPPED.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _unreadable(file, findings, line, text, str(error))
            continue
        if found.t == "connect":
            addresses[found.conn] = found.addr
        if found.t != "recv":
            continue
        texts.append(found.data.encode())
        lines.append(line)
        times.append(found.ts)
        connections.append(addresses.get(found.conn, ""))
    return Received(texts, np.array(lines, np.int64), _from_seconds(times), connections)


def _stamped(file: SourceFile, block: Block, findings: Findings) -> Received:
    texts, lines, times, connections = [], [], [], []
    for line, text in enumerate(block.data.split(b"\n")[:-1], block.first):
        if text.startswith(BARE):
            head, body = b"0", text
        else:
            head, _, body = text.partition(b" ")
            if not body.startswith(BARE):
                if b"://" not in head and not head.startswith(b"configuration"):
                    _unreadable(file, findings, line, text, "it starts with no time of receipt and no message")
                continue
        try:
            times.append(_time_ns(head.removesuffix(b":")))
        except ValueError as error:
            if b"://" not in text[:300] and not head.startswith(b"configuration"):
                _unreadable(file, findings, line, text, str(error))
            continue
        texts.append(body)
        lines.append(line)
        connections.append("")
    return Received(texts, np.array(lines, np.int64), np.array(times, np.int64), connections)


def _time_ns(text: bytes) -> int:
    """Seconds with a fraction, or whole s, ms, us or ns; raises ValueError for anything else."""
    whole, dot, fraction = text.partition(b".")
    if not whole.isdigit() or len(whole) > (10 if dot else 19) or not (fraction.isdigit() or not dot):
        raise ValueError(f"{text[:24]!r} is no time of receipt")
    if dot:
        return int(whole) * 10**9 + int(fraction[:9].ljust(9, b"0"))
    return min(int(whole) * 10 ** (9 - 3 * max(0, (len(whole) - 8) // 3)), 2**63 - 1)


def _from_seconds(times: list[float]) -> np.ndarray:
    """Nanoseconds, right to the microsecond, which is all that a float of seconds holds."""
    return np.rint(np.array(times, np.float64) * 1e6).astype(np.int64) * 1_000


def _unreadable(file: SourceFile, findings: Findings, line: int, text: bytes, why: str) -> None:
    short = text[:60].decode("utf-8", "replace")
    findings.refuse(
        "unreadable",
        np.ones(1, bool),
        file,
        np.array([line]),
        lambda i: f"the line {short!r} cannot be read ({why}): {REPAIR}",
    )


def decoded(messages: Received, decoder: msgspec.json.Decoder, file: SourceFile, findings: Findings) -> list[tuple]:
    """(index of the message, what the decoder makes of it) for those that it can read; the others are findings."""
    found = []
    for index, text in enumerate(messages.texts):
        try:
            found.append((index, decoder.decode(text)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _unreadable(file, findings, int(messages.line[index]), text, str(error))
    return found
