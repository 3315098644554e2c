"""The journal's own rules: whose it is, what it is of, what it refuses, what a replay verifies."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import msgpack
import numpy as np
import pytest
from journal_stream import SETTING, batches, digests, journalled, new_engine, stream
from perpsim.core import COMMAND, Engine, Kind
from perpsim.exchange import journal as journals
from perpsim.exchange import snapshots
from perpsim.exchange.frames import START, crc32c, encode
from perpsim.exchange.journal import FILE, RECORDS_MAX, Commands, Header, Journal, JournalError, Mark, Reader
from perpsim.exchange.recovery import JournaledEngine, MismatchError, recover, replay

COUNT = 400


@pytest.fixture(scope="module")
def pieces() -> list[np.ndarray]:
    return batches(stream(COUNT), 30)


def framed(*payloads: bytes) -> bytes:
    """A journal of these payloads, whole as far as its frames go."""
    data, chain = b"", START
    for number, payload in enumerate(payloads):
        frame, chain = encode(number, chain, payload)
        data += frame
    return data


def header(**changes) -> bytes:
    return msgpack.packb(dataclasses.asdict(Header.of(new_engine())) | changes)


def refused(data: bytes) -> str:
    with pytest.raises(JournalError) as caught:
        list(Reader(data))
    assert caught.value.offset is not None
    return str(caught.value)


class TestHeader:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"format": 2}, "is a journal of format 2; this release reads format 1"),
            ({"unit": "us"}, "counts time in 'us'; this release counts in 'ns'"),
            ({"schema": "0" * 32, "library": "9.9"}, "other numbers; read it with its writer, perpsim 9.9"),
            ({"flavour": "new"}, "does not have the fields of format 1: flavour"),
        ],
    )
    def test_what_is_not_of_this_release(self, changes, sentence):
        assert sentence in refused(framed(header(**changes)))

    def test_what_is_no_header(self):
        for payload in (b"\xc1", b"\x90", msgpack.packb([1, 2]), msgpack.packb({"a": 1}), b"\x80"):
            assert refused(framed(payload))

    def test_other_frames(self):
        first = bytearray(framed(header()))
        first[3] = ord("2")
        assert "header, is not whole" in refused(bytes(first))
        first[32:36] = crc32c(bytes(first[:32])).to_bytes(4, "little")
        assert "a frame begins with b'\\xc1PJ2', those of this release with b'\\xc1PJ1'" in refused(bytes(first))

    def test_rules_that_are_not_those_of_the_fingerprint(self):
        other = framed(header(rulebook="0" * 16))
        with pytest.raises(JournalError, match="do not have the fingerprint"):
            replay(other)

    @pytest.mark.parametrize("name", ["seed", "setup", "about", "library"])
    def test_fields_of_another_type(self, name):
        assert f"holds something else than format 1 asks for: {name}" in refused(framed(header(**{name: 0.5})))

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            ((0,), "x"), ((0,), {"reduce_method": 99}), ((1, 0), {}), ((1, 0, "tiers"), 3), ((1, 0), None),
            ((2,), 2**40), ((2,), "x"), ((), []),
        ],
    )  # fmt: skip
    def test_parameters_that_make_no_engine(self, place, value):
        setup = fields = json.loads(json.dumps(new_engine().setup))
        for step in place[:-1]:
            fields = fields[step]
        if place:
            fields[place[-1]] = value
        with pytest.raises(JournalError, match="no engine can be made with the parameters in its header"):
            replay(framed(header(setup=setup if place else value)))

    def test_the_schema_knows_layouts_and_numbers(self, monkeypatch):
        before = journals.schema()
        journals.schema.cache_clear()
        monkeypatch.setattr(journals, "COMMAND", np.dtype(COMMAND.descr[1:]))
        changed = journals.schema()
        monkeypatch.undo()
        journals.schema.cache_clear()
        assert journals.schema() == before != changed


class TestEntries:
    @pytest.mark.parametrize(
        "payload",
        [
            [4, "new"], [0], ["1", 0, 0, bytes(80)], {"kind": 1}, 5, [], [1, 0, 0, b""], [1, 0, 0, bytes(79)],
            [1, 0, 0], [1, 0, 0, "x" * 80], [1, 0.5, 0, bytes(80)], [2, 0, 0, 0, "d"], [2, 0, 0, 0, 1, None],
            [3, None], [True, 0, 0], [1, 0, 0, bytes(80), 1], [None],
        ],
    )  # fmt: skip
    def test_that_nobody_wrote(self, payload):
        sentence = refused(framed(header(), msgpack.packb(payload)))
        assert "at byte" in sentence

    def test_an_unknown_kind_is_named(self):
        assert "a frame of kind 4, which this release does not know" in refused(framed(header(), msgpack.packb([4, 1])))

    def test_bytes_that_are_not_msgpack(self):
        deep = b"\x91" * 100_000 + b"\x01"
        for payload in (b"\xc1", b"\x93\x01", msgpack.packb([3, "d"]) + b"\x00", b"\xdd\xff\xff\xff\xff", deep):
            assert refused(framed(header(), payload))

    def test_nothing_follows_the_end(self):
        end = msgpack.packb([3, "d"])
        assert Reader(framed(header(), end)).finished is False
        assert "frames follow the end" in refused(framed(header(), end, msgpack.packb([2, 0, 0, 0, "d", None])))

    def test_a_mark_counts_the_commands_before_it(self):
        mark = msgpack.packb([2, 3, 0, 0, "d", None])
        assert "a mark counts 3 commands, there are 0" in refused(framed(header(), mark))

    def test_large_batches_are_several_frames(self):
        journal = Journal.in_memory(Header.of(new_engine()))
        rows = np.zeros(RECORDS_MAX + 5, COMMAND)
        rows["kind"], rows["aux"] = Kind.TICK, np.arange(len(rows))
        journal.append(rows)
        entries = list(Reader(journal.log.data))
        assert [len(entry.records) for entry in entries] == [RECORDS_MAX, 5]
        assert np.concatenate([entry.records for entry in entries]).tobytes() == rows.tobytes()

    def test_only_commands_can_be_appended(self):
        journal = Journal.in_memory(Header.of(new_engine()))
        for rows in (np.zeros(3), np.zeros((2, 2), COMMAND)):
            with pytest.raises(TypeError):
                journal.append(rows)
        journal.append(np.zeros(0, COMMAND))
        assert list(Reader(journal.log.data)) == []


class TestReplay:
    def test_comes_to_the_same_digest_and_state(self, pieces):
        found = replay(journalled(pieces))
        engine = new_engine()
        engine.apply(stream(COUNT))
        assert found.engine.digest() == engine.digest() and found.engine.snapshot() == engine.snapshot()
        assert (found.commands, found.dropped, found.marks) == (COUNT, 0, len(pieces) // 5)

    def test_a_mark_that_does_not_come_out(self, pieces):
        """Whole frames, but the commands are not those that the mark was made after."""
        forged = Journal.in_memory(Header.of(new_engine()))
        for entry in Reader(journalled(pieces)):
            if isinstance(entry, Commands):
                records = entry.records.copy()
                records["size_lots"] += records["kind"] == Kind.PLACE
                forged.append(records)
            elif isinstance(entry, Mark):
                forged.mark(entry.digest, entry.state_hash)
        with pytest.raises(MismatchError, match=r"the digest is .*, the journal says"):
            replay(forged.log.data)

    def test_submit_and_drain_are_the_same_commands(self, pieces):
        engine = JournaledEngine.in_memory(new_engine())
        for row in stream(COUNT)[:100]:
            engine.submit(**{name: int(row[name]) for name in COMMAND.names if name != "venue"})
        engine.drain()
        assert replay(engine.journal.log.data).engine.digest() == engine.engine.digest()
        entries = list(Reader(engine.journal.log.data))
        assert len(entries) == 100

    def test_an_engine_that_overflows_does_so_again(self):
        setting = SETTING.markets[0] | {"size_max": 600}
        engine = JournaledEngine.in_memory(Engine(SETTING.venue, [setting], 2, audit=0))
        rows = np.zeros(2, COMMAND)
        rows["kind"], rows["value"] = Kind.DEPOSIT, 2**63 - 1
        with pytest.raises(OverflowError):
            engine.apply(rows)
        with pytest.raises(RuntimeError, match="has stopped"):
            engine.apply(rows)
        engine.close()
        found = replay(engine.journal.log.data)
        assert "64 bits" in found.stopped and found.commands == 2

    def test_a_used_engine_cannot_begin_a_journal(self, tmp_path):
        engine = new_engine()
        engine.apply(stream(COUNT)[:20])
        with pytest.raises(JournalError, match="begins with a new engine"):
            JournaledEngine.create(engine, tmp_path / "journal")

    def test_the_journal_of_a_run_is_not_replayed_alone(self):
        run = Journal.in_memory(Header("0" * 16, 1, None, {"scenario": "x"}))
        with pytest.raises(JournalError, match="replayed with its recording"):
            replay(run.log.data)


HOLD = """
import sys, time
from pathlib import Path
from perpsim.exchange.disk import Lock
lock = Lock(Path(sys.argv[1]))
sys.stdout.write("held\\n")
sys.stdout.flush()
time.sleep(60)
"""


class TestOneWriter:
    @pytest.fixture
    def folder(self, tmp_path, pieces) -> Path:
        engine = JournaledEngine.create(new_engine(), tmp_path / "journal", durable=False)
        engine.apply(pieces[0])
        engine.close()
        return tmp_path / "journal"

    def test_two_processes(self, folder):
        child = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE)
        try:
            assert child.stdout.readline() == b"held\n"
            with pytest.raises(JournalError, match=f"{folder}: another process writes the journal there"):
                JournaledEngine.resume(folder)
            assert recover(folder).commands  # reading is free
        finally:
            child.kill()
            child.communicate()
        JournaledEngine.resume(folder)[0].close()  # the lock went with its holder

    def test_twice_in_one_process(self, folder):
        engine, _ = JournaledEngine.resume(folder)
        with pytest.raises(JournalError, match="another process"):
            JournaledEngine.resume(folder)
        engine.close()
        JournaledEngine.resume(folder)[0].close()

    def test_a_journal_is_not_begun_twice(self, folder):
        with pytest.raises(JournalError, match="holds a journal already"):
            JournaledEngine.create(new_engine(), folder)
        JournaledEngine.resume(folder)[0].close()

    def test_reading_changes_nothing(self, folder):
        path = folder / FILE
        path.write_bytes(path.read_bytes() + bytes(100))
        before = path.read_bytes()
        assert recover(folder).dropped == 100 and path.read_bytes() == before
        JournaledEngine.resume(folder)[0].close()
        assert len(path.read_bytes()) < len(before)


class TestSnapshots:
    @pytest.fixture
    def folder(self, tmp_path, pieces) -> Path:
        engine = JournaledEngine.create(new_engine(), tmp_path / "journal", durable=False, snapshot_every=100)
        for piece in pieces:
            engine.apply(piece)
        engine.close()
        assert len(snapshots.find(tmp_path / "journal")) == 2
        return tmp_path / "journal"

    @pytest.fixture
    def end(self, pieces) -> str:
        return digests(pieces)[COUNT]

    def test_spares_the_replay(self, folder, end):
        found = recover(folder)
        assert found.snapshot == snapshots.find(folder)[0] and found.replayed < 110
        assert found.engine.digest() == end
        for path in snapshots.find(folder):
            path.unlink()
        alone = recover(folder)
        assert alone.replayed == COUNT and alone.engine.snapshot() == found.engine.snapshot()

    def test_every_byte_that_is_cut_off(self, folder, end):
        path = snapshots.find(folder)[0]
        whole = path.read_bytes()
        for size in [*range(0, 1_000, 7), *range(1_000, len(whole), 997)]:
            path.write_bytes(whole[:size])
            self.refused(path)
        found = recover(folder)
        assert found.engine.digest() == end and found.snapshot == snapshots.find(folder)[1]
        assert str(path) in found.refused[0]

    def refused(self, path: Path) -> str:
        with pytest.raises(JournalError) as caught:
            snapshots.load(path, *snapshots.read_place(path))
        assert caught.value.offset is not None
        return str(caught.value)

    def test_flipped_bits(self, folder, end):
        """Of the header and of the body."""
        path = snapshots.find(folder)[0]
        whole = bytearray(path.read_bytes())
        _, header_bytes = snapshots.read_place(path)
        rng = np.random.default_rng(1)
        bits = [*range(0, header_bytes * 8, 7), *rng.integers(header_bytes * 8, len(whole) * 8, 100).tolist()]
        for bit in bits:
            whole[bit // 8] ^= 1 << bit % 8
            path.write_bytes(whole)
            self.refused(path)
            whole[bit // 8] ^= 1 << bit % 8

    def test_of_another_journal(self, folder, tmp_path, pieces, end):
        other = JournaledEngine.create(new_engine(), tmp_path / "other", durable=False)
        for piece in batches(stream(COUNT, seed=2), 30):
            other.apply(piece)
        place = other.save()
        other.close()
        (folder / "snapshot-999999999999").write_bytes(place.read_bytes())
        found = recover(folder)
        assert "does not belong to the journal beside it" in found.refused[0]
        assert found.engine.digest() == end and found.snapshot

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"format": 2}, "is a snapshot of format 2; this release reads 1"),
            ({"schema": "0" * 32}, "another layout"),
            ({"flavour": 1}, "a header that this release does not know"),
            ({"digest": "0" * 64}, "does not have the digest or the rules"),
            ({"rulebook": "0" * 16}, "does not have the digest or the rules"),
            ({"size": 10**15}, "bytes of state were saved"),
            ({"size": -1}, "bytes of state were saved"),
            ({"size": None}, "a header that this release does not know"),
            ({"commands": [1]}, "a header that this release does not know"),
        ],
    )
    def test_another_header(self, folder, changes, sentence):
        assert sentence in self.refused(self.with_header(folder, changes))

    @pytest.mark.parametrize("changes", [{"commands": 0}, {"commands": COUNT}, {"frames": 1}, {"frames": 10**9}])
    def test_at_another_place(self, folder, end, changes):
        """Its number of commands was believed, and as many were left out of the replay."""
        path = self.with_header(folder, changes)
        found = recover(folder)
        assert found.refused == [f"{path}: does not belong to the journal beside it"]
        assert found.engine.digest() == end

    def with_header(self, folder: Path, changes: dict) -> Path:
        """The latest snapshot, its header changed."""
        path = snapshots.find(folder)[0]
        place, start = snapshots.read_place(path)
        body = path.read_bytes()[start:]
        packed = msgpack.packb(dataclasses.asdict(place) | changes)
        first = snapshots.MAGIC + len(packed).to_bytes(4, "little") + packed
        path.write_bytes(first + snapshots.crc32c(first).to_bytes(4, "little") + body)
        return path
