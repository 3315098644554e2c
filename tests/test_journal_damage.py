"""What a crash or a bad disk does to a journal: a whole prefix is recovered, or it is refused with its offset."""

import hashlib
import struct

import numpy as np
import pytest
from journal_stream import batches, digests, journalled, stream
from perpsim.core import COMMAND
from perpsim.exchange.frames import CHECKED, FRAME_MAX, HEAD, PAYLOAD_MAX, START, Scan, Source, crc32c, encode
from perpsim.exchange.journal import Commands, JournalError, Reader
from perpsim.exchange.recovery import replay

KIB = 1024
TRUNCATED = 64 * KIB
PAGE = 4 * KIB


@pytest.fixture(scope="module")
def pieces() -> list[np.ndarray]:
    return batches(stream(830), 100)


@pytest.fixture(scope="module")
def journal(pieces) -> bytes:
    data = journalled(pieces)
    assert TRUNCATED < len(data) < 2 * TRUNCATED
    return data


@pytest.fixture(scope="module")
def ends(journal) -> list[int]:
    """Where the journal's frames end."""
    return [*[frame.offset for frame in Scan(Source(journal))][1:], len(journal)]


def read(data: bytes) -> tuple[bytes, int]:
    """(the commands of a journal, bytes dropped at its end). Raises JournalError."""
    reader = Reader(data)
    records = [entry.records.tobytes() for entry in reader if isinstance(entry, Commands)]
    return b"".join(records), reader.dropped


def refused(data: bytes) -> JournalError:
    """Why a journal is refused; it must be, with an offset."""
    with pytest.raises(JournalError) as caught:
        read(data)
    assert caught.value.offset is not None
    return caught.value


def frame_of(data: bytes, sequence: int) -> tuple[int, int]:
    """(first byte, byte after the last) of a frame."""
    found = [frame.offset for frame in Scan(Source(data))] + [len(data)]
    return found[sequence], found[sequence + 1]


def sealed(sequence: int, before: bytes, length: int, payload: bytes) -> bytes:
    """A frame that claims any length, with checksums that agree with the claim."""
    first = struct.pack("<4sIQ", b"\xc1PJ1", length & 0xFFFFFFFF, sequence)
    chain = hashlib.blake2b(before + first + payload, digest_size=16).digest()
    head = first + chain
    return head + struct.pack("<I", crc32c(head)) + payload + struct.pack("<I4s", crc32c(payload), b"1JP\xc1")


class TestTruncation:
    def test_at_every_byte(self, journal, pieces, ends):
        """Up to 64 KiB: what is left is exactly the whole frames, or nothing was ever a journal."""
        whole = b"".join(piece.tobytes() for piece in pieces)
        header, held, length = ends[0], 0, {}
        for end in ends:
            length[end] = len(read(journal[:end])[0])
        for size in range(TRUNCATED):
            if size < header:
                assert refused(journal[:size]).offset == 0
                continue
            while held + 1 < len(ends) and ends[held + 1] <= size:
                held += 1
            commands, dropped = read(journal[:size])
            assert dropped == size - ends[held]
            assert len(commands) == length[ends[held]] and whole.startswith(commands)

    def test_the_engine_at_every_frame(self, journal, pieces, ends):
        expected = digests(pieces)
        for end in ends:
            for size in (end, min(end + 1, len(journal))):
                found = replay(journal[:size])
                assert found.engine.digest() == expected[found.commands]
                assert found.dropped == size - end if size == end + 1 else found.dropped == 0

    @pytest.mark.parametrize("zeros", [1, 35, 36, 511, 512, 4096, 3 * FRAME_MAX])
    def test_a_tail_of_zeros_is_no_frame(self, journal, zeros):
        assert read(journal + bytes(zeros)) == (read(journal)[0], zeros)


class TestLostSectors:
    """The last frame may have been written in part, sector by sector, in any order."""

    def test_any_sectors_of_the_last_frame(self, journal, ends):
        first, kept = ends[-2], read(journal[: ends[-2]])[0]
        sectors = range(first // 512, (len(journal) - 1) // 512 + 1)
        assert len(sectors) >= 3
        rng = np.random.default_rng(3)
        for _ in range(500):
            data = bytearray(journal)
            lost = [sector for sector in sectors if rng.random() < 0.5] or [sectors[0]]
            for sector in lost:
                start, stop = max(first, sector * 512), min(len(journal), sector * 512 + 512)
                data[start:stop] = bytes(stop - start)
            commands, dropped = read(bytes(data))
            assert commands == kept and dropped == len(journal) - first

    def test_of_an_earlier_frame_are_damage(self, journal, ends):
        """Frames follow it, so it was synced, and its sectors are gone since."""
        data = bytearray(journal)
        sector = (ends[3] // 512 + 1) * 512
        data[sector : sector + 512] = bytes(512)
        assert refused(bytes(data)).offset == max(end for end in ends if end <= sector)


class TestFlippedBits:
    def expect_refused(self, journal: bytes, first: int, ends: list[int]) -> int:
        """Flip each bit of a page; each is refused, at the frame that it is in. How many there were."""
        data = bytearray(journal)
        starts, count = [0, *ends], 0
        for at in range(first, first + PAGE):
            offset = max(start for start in starts if start <= at)
            for bit in range(8):
                data[at] ^= 1 << bit
                try:
                    read(bytes(data))
                except JournalError as error:
                    assert error.offset == offset
                    count += 1
                data[at] ^= 1 << bit
        return count

    def test_every_bit_of_a_page(self, journal, ends):
        pages = range(0, TRUNCATED, PAGE)
        most = max(pages, key=lambda page: sum(page <= end < page + PAGE for end in ends))
        assert sum(most <= end < most + PAGE for end in ends) >= 3  # heads and ends of frames are among its bytes
        assert self.expect_refused(journal, most, ends) == 32_768

    @pytest.mark.slow
    def test_every_bit_of_the_last_page(self, journal, ends):
        """Nothing follows that would tell damage from a torn end; still no acknowledged frame is dropped."""
        assert self.expect_refused(journal, len(journal) - PAGE, ends) == 32_768

    @pytest.mark.slow
    def test_every_bit_of_the_first_page(self, journal, ends):
        assert self.expect_refused(journal, 0, ends) == 32_768


class TestWrongPlaces:
    """Frames that are whole, where they do not belong."""

    def test_a_frame_over_another(self, journal):
        source, target = frame_of(journal, 4), frame_of(journal, 7)
        data = journal[: target[0]] + journal[slice(*source)] + journal[target[1] :]
        error = refused(data)
        assert error.offset == target[0] and "frame 4 stands where frame 7 belongs" in str(error)

    def test_a_frame_twice(self, journal, ends):
        error = refused(journal + journal[ends[-2] :])
        assert error.offset == len(journal)

    def test_a_frame_left_out(self, journal):
        first, last = frame_of(journal, 5)
        assert refused(journal[:first] + journal[last:]).offset == first

    def test_a_frame_of_another_journal(self, journal):
        """The same number, its own checksums right: only the chain tells."""
        other = journalled(batches(stream(830, seed=2), 100))
        first, last = frame_of(journal, 3)
        stranger = slice(*frame_of(other, 3))
        error = refused(journal[:first] + other[stranger] + journal[last:])
        assert error.offset == first and "does not follow" in str(error)


class TestLengths:
    @pytest.mark.parametrize("length", [0, -1, 0x7FFFFFFF, PAYLOAD_MAX + 1])
    def test_impossible_ones_are_refused_before_memory_is_asked_for(self, journal, length):
        scan = Scan(Source(journal))
        list(scan)
        error = refused(journal + sealed(scan.sequence, scan.chain, length, b"x" * 100))
        assert error.offset == len(journal) and "claims" in str(error)

    def test_one_that_hides_the_frames_behind_it(self, journal):
        first, last = frame_of(journal, 5)
        before = Scan(Source(journal[:first]))
        list(before)
        hiding = sealed(5, before.chain, PAYLOAD_MAX, journal[first + HEAD.size : last - 8])
        assert refused(journal[:first] + hiding + journal[last:]).offset == first

    def test_of_a_head_alone(self, journal):
        """Nothing but a head that promises: a torn end."""
        scan = Scan(Source(journal))
        list(scan)
        head = sealed(scan.sequence, scan.chain, 1000, b"")[: HEAD.size]
        assert read(journal + head) == (read(journal)[0], HEAD.size)
        assert refused(journal + bytes(3) + head[3:] + b"more").offset == len(journal)

    def test_a_payload_has_a_length(self):
        for payload in (b"", bytes(PAYLOAD_MAX + 1)):
            with pytest.raises(ValueError, match="1 to 16777216 bytes"):
                encode(0, START, payload)


def test_garbage_is_refused():
    rng = np.random.default_rng(5)
    for size in (0, 1, 35, 36, 37, 1000, 100_000):
        assert refused(rng.bytes(size)).offset == 0


def test_the_head_is_as_documented(journal):
    """Offsets of the table in ARCHITECTURE.md and frames.py."""
    first, last = frame_of(journal, 2)
    frame = journal[first:last]
    length = int.from_bytes(frame[4:8], "little")
    assert frame[:4] == bytes.fromhex("C1504A31") and len(frame) == 44 + length
    assert int.from_bytes(frame[8:16], "little") == 2
    assert int.from_bytes(frame[32:36], "little") == crc32c(frame[:32]) and CHECKED == 32
    assert int.from_bytes(frame[36 + length : 40 + length], "little") == crc32c(frame[36 : 36 + length])
    assert frame[40 + length :] == bytes.fromhex("314A50C1")
    previous = journal[slice(*frame_of(journal, 1))]
    expected = hashlib.blake2b(previous[16:32] + frame[:16] + frame[36 : 36 + length], digest_size=16).digest()
    assert frame[16:32] == expected
    assert COMMAND.itemsize == 80 and all(code[0] in "<|" for _, code in COMMAND.descr)
