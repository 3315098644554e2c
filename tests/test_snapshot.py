"""Snapshots of an engine: equal states, equal bytes; sizes and indices that do not fit are refused."""

import contextlib
import json
import struct
import zlib

import numpy as np
import pytest
from journal_stream import batches, new_engine, stream
from perpsim.core import Engine, InvariantError, Kind

HEAD = struct.Struct("<8sIIQI")


@pytest.fixture(scope="module")
def whole() -> bytes:
    engine = new_engine()
    engine.apply(stream(900))
    return engine.snapshot()


def sealed(whole: bytes, body: bytes) -> bytes:
    """A snapshot with this body, whose length and checksum agree."""
    magic, version, schema, _, _ = HEAD.unpack_from(whole)
    return HEAD.pack(magic, version, schema, len(body), zlib.crc32(body)) + body


PIECES = (  # the first of a snapshot, in their order; five of each ladder follow
    "setup", "state", "markets", "tiers", "impacts", "basis", "sources", "mark inputs", "accounts", "wallets",
    "positions", "orders", "triggers", "levels", "recorded", "order index", "position index", "timers", "dirty",
    "printed", "eaten", "changed", "lights", "found", "fund samples", "day", "accrued",
    "claims", "flows",
)  # fmt: skip


def pieces(whole: bytes) -> list[bytes]:
    body, at, found = whole[HEAD.size :], 0, []
    while at < len(body):
        size = int.from_bytes(body[at : at + 8], "little")
        found.append(body[at + 8 : at + 8 + size])
        at += 8 + size
    return found


def joined(whole: bytes, parts: list[bytes]) -> bytes:
    return sealed(whole, b"".join(len(part).to_bytes(8, "little") + part for part in parts))


def refused(data: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        Engine.restore(data)
    return str(caught.value)


def test_equal_states_give_equal_bytes(whole):
    """Whatever the batches, the process's addresses and the room in its pools."""
    for most in (1, 13):
        engine = new_engine()
        for piece in batches(stream(900), most):
            engine.apply(piece)
        assert engine.snapshot() == whole
    restored = Engine.restore(whole)
    assert restored.snapshot() == whole
    assert Engine.restore(restored.snapshot()).digest() == engine.digest()


def test_a_restored_engine_goes_on_alike(whole):
    engine = new_engine()
    engine.apply(stream(900))
    restored = Engine.restore(whole)
    more = stream(1_500)[900:]
    assert restored.apply(more).tobytes() == engine.apply(more).tobytes()
    assert restored.snapshot() == engine.snapshot()


def test_a_stopped_engine_has_no_snapshot():
    engine = new_engine()
    rows = stream(900)[:2].copy()
    rows["kind"], rows["account"], rows["value"] = Kind.DEPOSIT, 0, 2**63 - 1
    with pytest.raises(OverflowError):
        engine.apply(rows)
    with pytest.raises(RuntimeError, match="has stopped"):
        engine.snapshot()


class TestDamage:
    def test_truncated(self, whole):
        for size in (0, 7, 8, 27, 28, 29, 36, len(whole) // 2, len(whole) - 1):
            assert refused(whole[:size])
        refused(whole + b"x")

    def test_flipped(self, whole):
        rng = np.random.default_rng(1)
        data = bytearray(whole)
        for bit in [*range(HEAD.size * 8), *rng.integers(0, len(whole) * 8, 500).tolist()]:
            data[bit // 8] ^= 1 << bit % 8
            refused(bytes(data))
            data[bit // 8] ^= 1 << bit % 8

    def test_lengths_of_pieces(self, whole):
        """With a checksum that agrees: every length field, at values that lie."""
        body, at = whole[HEAD.size :], 0
        assert len(pieces(whole)) == len(PIECES) + 5 * 10 * 2
        for part in pieces(whole):
            for lie in (0, 1, len(part) - 1, len(part) + 1, len(part) + 64, 2**31, 2**63 - 1, 2**63, 2**64 - 1):
                if lie != len(part) and lie >= 0:
                    refused(sealed(whole, body[:at] + lie.to_bytes(8, "little") + body[at + 8 :]))
            at += 8 + len(part)

    def test_pieces_that_are_left_out_cut_or_added(self, whole):
        parts = pieces(whole)
        for number, part in enumerate(parts):
            if part:
                refused(joined(whole, [*parts[:number], part[:-1], *parts[number + 1 :]]))
                refused(joined(whole, [*parts[:number], part + bytes(8), *parts[number + 1 :]]))
            refused(joined(whole, parts[:number] + parts[number + 1 :]))
        assert "goes on after its last piece" in refused(joined(whole, [*parts, b""]))

    def test_indices_that_lead_nowhere(self, whole):
        """Any word of any piece at values beyond every pool: refused, or a state that can be walked over."""
        parts, rng, refusals = pieces(whole), np.random.default_rng(2), 0
        for number, part in enumerate(parts):
            for _ in range(12 if len(part) >= 4 else 0):
                at = int(rng.integers(0, len(part) // 4)) * 4
                value = [0x7FFFFFFF, 0x80000000, 0x00FFFFFF, 0xFFFFFFF0][int(rng.integers(4))]
                changed = part[:at] + value.to_bytes(4, "little") + part[at + 4 :]
                data = joined(whole, [*parts[:number], changed, *parts[number + 1 :]])
                try:
                    engine = Engine.restore(data)
                except ValueError:
                    refusals += 1
                    continue
                assert engine.digest() and len(engine.positions()) and engine.statistics()
        assert refusals > 150

    @pytest.mark.parametrize("piece", ["state", "markets", "wallets", "triggers", "dirty"])
    def test_any_word_of_a_small_piece(self, piece):
        """Too large, or negative: refused, or a state that can be walked over and audited."""
        number = PIECES.index(piece)
        engine = new_engine()
        engine.apply(stream(900))
        engine.submit(kind=Kind.DEPOSIT, account=0, value=1)
        small = engine.snapshot()
        parts, refusals = pieces(small), 0
        for at in range(0, min(len(parts[number]), 2_000), 4):
            for value in (0x7FFFFFF0, 0xFFFFFF00):
                changed = parts[number][:at] + value.to_bytes(4, "little") + parts[number][at + 4 :]
                data = joined(small, [*parts[:number], changed, *parts[number + 1 :]])
                try:
                    engine = Engine.restore(data)
                except ValueError:
                    refusals += 1
                    continue
                assert engine.digest() and engine.statistics()
                with contextlib.suppress(InvariantError, OverflowError):
                    engine.check()
        assert refusals

    def test_numbers_whose_products_would_leave_64_bits(self, whole):
        """The value of such a position was computed when it was looked at."""
        parts = pieces(whole)
        lots = max(Engine.restore(whole).positions()["lots"].tolist())
        changes = (("positions", lots, 2**62 + 1), ("positions", lots, -(2**63)), ("markets", 2_000_000, 2**50))
        for piece, at_first, then in changes:
            number = PIECES.index(piece)
            changed = parts[number].replace(struct.pack("<q", at_first), struct.pack("<q", then), 1)
            assert changed != parts[number]
            refused(joined(whole, [*parts[:number], changed, *parts[number + 1 :]]))

    def test_another_build(self, whole):
        magic, version, schema, size, checksum = HEAD.unpack_from(whole)
        for head in ((magic, version + 1, schema), (magic, version, schema ^ 1)):
            assert "this build reads" in refused(HEAD.pack(*head, size, checksum) + whole[HEAD.size :])
        assert "not a snapshot" in refused(b"x" + whole[1:])

    def test_parameters_that_are_no_parameters(self, whole):
        parts = pieces(whole)
        renamed = parts[0].replace(b'"tiers"', b'"bears"')
        no_rule = parts[0].replace(b'"lot_denominator"', b'"lot_denominatos"')
        no_rules = json.dumps([None, *json.loads(parts[0])[1:]]).encode()
        for setup in (b"", b"{}", b"[]", b"[1,2,3,4,5,6]", b"\xff", parts[0][:-1], renamed, no_rule, no_rules):
            refused(joined(whole, [setup, *parts[1:]]))
