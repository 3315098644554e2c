"""Snapshots of an engine: equal states, equal bytes; sizes and indices that do not fit are refused."""

import contextlib
import json
import struct
import zlib

import numpy as np
import pytest
from journal_stream import batches, new_engine, stream
from perpsim.core import Engine, Flag, InvariantError, Kind
from test_adl_decision import pending
from test_collateral import Venue
from test_regressions import Desk

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
        """Too large, negative, or larger by what a product with 8 loses: refused, or a state that can be walked."""
        number = PIECES.index(piece)
        engine = new_engine()
        engine.apply(stream(900))
        engine.submit(kind=Kind.DEPOSIT, account=0, value=1)
        small = engine.snapshot()
        parts, refusals = pieces(small), 0
        for at in range(0, min(len(parts[number]), 2_000), 4):
            word = int.from_bytes(parts[number][at : at + 4], "little")
            for value in (0x7FFFFFF0, 0xFFFFFF00, word ^ 1 << 29, word ^ 1 << 30):
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


LADDERS = 5 * 10  # pieces of a market's


def spoiled(whole: bytes, number: int, at: int, layout: str, *values: int) -> bytes:
    """A snapshot with other numbers from a byte of a piece on."""
    parts = pieces(whole)
    part = bytearray(parts[number])
    struct.pack_into(layout, part, at, *values)
    return joined(whole, [*parts[:number], bytes(part), *parts[number + 1 :]])


class TestCollateral:
    """Of a multi-asset account with a position: pieces after the ladders of its two markets."""

    FIRST = len(PIECES) + 2 * LADDERS
    COLLATERAL, HAIRCUTS, WATCHES, HEAPS, ITEMS = range(FIRST, FIRST + 5)
    WATCH = struct.Struct("<qiiii")  # value, account, heap, place, next
    TERMS, HEAP = 104, 16  # bytes

    @pytest.fixture
    def whole(self) -> bytes:
        venue = Venue()
        venue.hold(btc=2)
        venue.long(100)
        venue.mark(99_000)
        data = venue.engine.snapshot()
        assert Engine.restore(data).snapshot() == data
        assert Engine.restore(joined(data, pieces(data))).digest() == venue.engine.digest()
        return data

    def watch(self, whole) -> int:
        """The first byte of a watch in use."""
        part = pieces(whole)[self.WATCHES]
        return next(at for at in range(0, len(part), self.WATCH.size) if self.WATCH.unpack_from(part, at)[1] >= 0)

    @pytest.mark.parametrize("price", [-1, 1 << 62])
    def test_a_price_beyond_its_range(self, whole, price):
        assert len(pieces(whole)[self.COLLATERAL]) == 3 * self.TERMS
        assert "the collateral in the snapshot is not" in refused(spoiled(whole, self.COLLATERAL, 72, "<q", price))

    def test_other_terms(self, whole):
        assert "the collateral in the snapshot is not" in refused(
            spoiled(whole, self.COLLATERAL, self.TERMS, "<q", 1))
        assert "the haircuts in the snapshot are not" in refused(spoiled(whole, self.HAIRCUTS, 8, "<q", 1))

    def test_sizes_of_heaps(self, whole):
        assert "has an impossible size" in refused(spoiled(whole, self.HEAPS, 8, "<i", -1))
        parts = pieces(whole)
        watches = len(parts[self.WATCHES]) // self.WATCH.size
        heaps = bytearray(parts[self.HEAPS])
        struct.pack_into("<i", heaps, 8, watches + 1)
        parts[self.HEAPS], parts[self.ITEMS] = bytes(heaps), bytes(4 * (watches + 1))
        assert "more watched prices than watches" in refused(joined(whole, parts))

    @pytest.mark.parametrize(("field", "value"), [
        (20, 1 << 20), (20, -2), (8, 1 << 20), (8, -2), (12, 1 << 20), (12, -1), (16, 1 << 20), (16, -1),
    ])  # fmt: skip
    def test_a_watch_that_leads_nowhere(self, whole, field, value):
        assert "leads nowhere" in refused(spoiled(whole, self.WATCHES, self.watch(whole) + field, "<i", value))

    def test_an_account_whose_watches_are_not_there(self, whole):
        accounts = pieces(whole)[PIECES.index("accounts")]
        head = self.watch(whole) // self.WATCH.size
        size = len(accounts) // len(set(Engine.restore(whole).accounts()["account"].tolist()))
        found = 0
        for at in range(0, size, 4):  # of account 0, which has some
            if struct.unpack_from("<i", accounts, at)[0] >= head:
                with contextlib.suppress(ValueError):
                    Engine.restore(spoiled(whole, PIECES.index("accounts"), at, "<i", 1 << 20))
                    continue
                found += 1
        assert found

    def test_a_heap_that_leads_nowhere_or_to_a_watch_of_another(self, whole):
        parts = pieces(whole)
        number = next(number for number in range(self.ITEMS, len(parts)) if parts[number])
        for value in (1 << 20, -1, len(parts[self.WATCHES]) // self.WATCH.size - 1, 0):
            if struct.unpack_from("<i", parts[number])[0] != value:
                assert "leads nowhere" in refused(spoiled(whole, number, 0, "<i", value))


class TestIndices:
    def test_a_trigger_at_no_price(self):
        desk = Desk()
        desk.buy(1, 1, 900)
        desk.sell(0, 1, 890, flags=Flag.STOP, trigger_ticks=900)
        data = desk.engine.snapshot()
        number = PIECES.index("triggers")
        moved = Engine.restore(spoiled(data, number, 0, "<q", 901))
        assert moved.state_hash() != desk.engine.state_hash()
        for price in (-1, 1 << 30):
            assert "leads nowhere" in refused(spoiled(data, number, 0, "<q", price))

    def test_rings_of_prices_beyond_their_ends(self):
        data, number = Desk().engine.snapshot(), PIECES.index("mark inputs")
        assert Engine.restore(spoiled(data, number, 0, "<4q2q", 1, 1, 0, 0, 5, 1))
        for ring in ((129, 0, 0, 0), (-1, 0, 0, 0), (0, 128, 0, 0), (0, 0, 129, 0), (0, 0, 0, 128)):
            assert "leads nowhere" in refused(spoiled(data, number, 0, "<4q", *ring))
        for trade in ((-1, 1), (1 << 30, 1), (5, 0), (5, (1 << 38) + 1)):
            assert "leads nowhere" in refused(spoiled(data, number, 0, "<4q2q", 1, 1, 0, 0, *trade))

    def test_a_decision_about_nobody(self):
        """Of the state's record, the wallet, the position and the slot of the question; of the units after it all."""
        _, _, engine = pending()
        data, question = engine.snapshot(), engine.pending_adl
        unit = struct.pack("<i", question["account"])
        state = pieces(data)[PIECES.index("state")]
        known, at = [], state.find(unit)
        while at >= 0:
            known.append(at)
            at = state.find(unit, at + 1)
        refusals = 0
        for at in known:
            with contextlib.suppress(ValueError):
                Engine.restore(spoiled(data, PIECES.index("state"), at, "<i", 1 << 28))
                continue
            refusals += 1
        assert refusals
        found = PIECES.index("found")
        if pieces(data)[found]:
            assert "leads nowhere" in refused(spoiled(data, found, 16, "<i", 1 << 28))
            assert "leads nowhere" in refused(spoiled(data, found, 20, "<i", 1 << 28))
