"""Runs with a journal: killed and resumed they end where an uninterrupted one does; others are refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from perpsim.exchange.frames import Scan, Source
from perpsim.exchange.journal import FILE, Commands, Journal, Reader
from perpsim.replay import outcomes, resume
from perpsim.replay.errors import DifferenceError, InputError
from perpsim.replay.outcomes import Journaling
from perpsim.replay.scenario import load
from small_tape import quiet_market

PERPSIM = [sys.executable, "-m", "perpsim.replay"]
SCENARIO = """
[run]
seed = 3
end = 150
[venue]
rulebook = "binance-usdm"
date = 2025-10-10
[tape]
store = "store"
mark = "taped"
[fund]
initial = 1000
[population]
accounts = 200
open_interest = 2
leverage = [{ leverage = 25, weight = 1 }]
[shock]
points = [[0, 1.0], [40, 1.0], [80, 0.93], [140, 1.0]]
[strategy]
use = "bot.py:Bot"
deposit = 20_000
leverage = 5
feed_latency = 0.02
"""
BOT = """
import pathlib

from perpsim.exchange import Strategy


class Bot(Strategy):
    def on_start(self):
        self.sent = []
        self.quote()

    def quote(self):
        for order in self.sent:
            self.cancel(order)
        self.sent = [self.buy(10, 299_900), self.sell(10, 300_100)]
        self.timer(1)

    def on_timer(self, tag):
        self.quote()

    def on_fill(self, fill):
        (self.buy if fill.side else self.sell)(2)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    quiet_market(seconds=160).store(folder / "store")
    (folder / "bot.py").write_text(BOT)
    (folder / "run.toml").write_text(SCENARIO)
    return folder


@pytest.fixture(scope="module")
def whole(folder) -> dict:
    """An uninterrupted run, with its journal beside it."""
    summary = outcomes.run(load(folder / "run.toml"), folder / "whole", None, Journaling(folder / "whole.journal"))
    del summary["wall"]
    return summary


@pytest.fixture(scope="module")
def journal(folder, whole) -> bytes:
    return (folder / "whole.journal" / FILE).read_bytes()


def resumed(folder: Path, place: Path, data: bytes, durable: bool = False) -> dict:
    """Go on with a journal of these bytes."""
    place.mkdir()
    (place / FILE).write_bytes(data)
    journaling = Journaling(place, durable, resume=True)
    summary = outcomes.run(load(folder / "run.toml"), place.with_suffix(".out"), None, journaling)
    del summary["wall"]
    return summary


def test_a_journal_changes_nothing(folder, whole):
    plain = outcomes.run(load(folder / "run.toml"), folder / "plain")
    del plain["wall"]
    assert plain == whole
    assert whole["accounts"]["liquidated"] > 0
    for name in ("events", "series", "accounts"):
        first, second = (folder / run / f"{name}.parquet" for run in ("plain", "whole"))
        assert first.read_bytes() == second.read_bytes()


def test_what_is_in_it(journal):
    reader = Reader(journal)
    entries = list(reader)
    commands = [entry for entry in entries if isinstance(entry, Commands)]
    assert len(commands) > 60 and reader.commands > 200 and reader.finished
    assert commands[0].time_ns < commands[-1].time_ns and commands[0].rows < commands[-1].rows
    assert len(entries) - len(commands) >= 4  # the opening, two among the samples, the end


@pytest.mark.parametrize("part", [0.0, 0.1, 0.35, 0.7, 0.99, 1.0])
def test_cut_anywhere_and_resumed(folder, whole, journal, tmp_path, part):
    """The journal ends after some of its bytes, as a crash leaves it: the run ends as if nothing had happened."""
    header = next(frame.offset for frame in Scan(Source(journal)) if frame.sequence == 1)
    size = header + int((len(journal) - header) * part)
    assert resumed(folder, tmp_path / "cut", journal[:size], durable=part == 0.7) == whole
    assert (tmp_path / "cut" / FILE).read_bytes() == journal
    for name in ("events", "series", "accounts"):
        first, second = (at / f"{name}.parquet" for at in (tmp_path / "cut.out", folder / "whole"))
        assert first.read_bytes() == second.read_bytes()


def test_a_stated_book_and_index_stand_where_they_stood(tmp_path):
    """Of prints alone: what is made of them is made again, and the resumed run meets it as the first one did."""
    recording = quiet_market(seconds=160)
    recording.rows = []
    for number in range(2 * 160):
        recording.trade(number / 2, number % 2, 300_000 + (number % 7 - 3) * 4, 3)
    recording.store(tmp_path / "store")
    stated = "index_from_prints = 1\nsynthetic = { depth = 0.5, levels = 40, slope = 0.1 }"
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "run.toml").write_text(SCENARIO.replace('mark = "taped"', stated))
    place = tmp_path / "whole.journal"
    whole = outcomes.run(load(tmp_path / "run.toml"), tmp_path / "whole", None, Journaling(place))
    del whole["wall"]
    assert whole["accounts"]["liquidated"] > 0 and len(whole["labels"]) == 2
    journal = (place / FILE).read_bytes()
    for part in (0.3, 0.8):
        assert resumed(tmp_path, tmp_path / f"cut{part}", journal[: int(len(journal) * part)]) == whole


def test_killed_and_resumed_from_the_command_line(folder, whole, journal, tmp_path):
    """kill -9 while it writes, twice; the third time it ends."""
    arguments = ["run", folder / "run.toml", "-o", tmp_path / "out", "--journal", tmp_path / "journal", "--durable"]
    command = [*PERPSIM, *map(str, arguments), "--resume", "-q"]
    path, header = tmp_path / "journal" / FILE, len(journal) // 20
    for kill in (1, 2):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while not path.exists() or path.stat().st_size < header + kill * len(journal) // 4:
            assert child.poll() is None and time.monotonic() < until
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert journal.startswith(path.read_bytes())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["digest"] == whole["digest"]
    assert path.read_bytes() == journal


class TestOthers:
    """What is not this run's journal, or not this run any more."""

    def refused(self, folder: Path, place: Path, *parts: str, resume: bool = True) -> None:
        with pytest.raises(InputError) as caught:
            outcomes.run(load(folder / "run.toml"), place.with_suffix(".out"), None, Journaling(place, resume=resume))
        assert all(part in str(caught.value) for part in parts), caught.value
        assert not place.with_suffix(".out").exists()

    @pytest.fixture
    def copy(self, folder, journal, tmp_path) -> Path:
        for name in ("bot.py", "run.toml"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        (tmp_path / "store").symlink_to(folder / "store")
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / FILE).write_bytes(journal[: len(journal) // 2])
        return tmp_path

    def test_one_that_is_there_is_not_replaced(self, copy):
        self.refused(copy, copy / "kept", "holds a journal already", "--resume", resume=False)

    def test_another_scenario(self, copy):
        (copy / "run.toml").write_text(SCENARIO.replace("seed = 3", "seed = 4"))
        self.refused(copy, copy / "kept", "another scenario")

    def test_another_recording(self, copy):
        (copy / "store").unlink()
        quiet_market(seconds=160, price=300_010).store(copy / "store")
        self.refused(copy, copy / "kept", "another recording")

    def test_other_code_of_the_bot(self, copy):
        (copy / "bot.py").write_text(BOT + "\n")
        self.refused(copy, copy / "kept", "code was changed")

    def test_one_in_use(self, copy):
        held, reader = Journal.reopen(copy / "kept")
        self.refused(copy, copy / "kept", "another process writes the journal there")
        held.close()
        reader.close()

    def test_one_that_is_damaged(self, copy):
        path = copy / "kept" / FILE
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.refused(copy, copy / "kept", str(path), "damaged at byte")

    def test_one_inside_the_results(self, copy):
        with pytest.raises(InputError, match="in the result folder"):
            outcomes.run(load(copy / "run.toml"), copy / "out", None, Journaling(copy / "out" / "journal"))

    def test_a_bot_that_does_otherwise_stops_the_run(self, copy):
        """Its code is the same, but it reads something that is not."""
        place, bot = copy / "moody", BOT.replace("299_900", 'int(pathlib.Path(__file__ + ".price").read_text())')
        (copy / "bot.py").write_text(bot)
        (copy / "bot.py.price").write_text("299900")
        outcomes.run(load(copy / "run.toml"), copy / "first", None, Journaling(place))
        (copy / "bot.py.price").write_text("299899")
        with pytest.raises(DifferenceError, match=r"the bots send .* price_ticks 299899.*; the journal has .* 299900"):
            outcomes.run(load(copy / "run.toml"), copy / "again", None, Journaling(place, resume=True))
        assert not (copy / "again").exists()


class TestPlayback:
    """A journalled run again, without its bots."""

    def test_of_a_whole_run(self, folder, whole):
        assert outcomes.play(folder / "whole.journal" / FILE).engine.digest() == whole["digest"]

    def test_of_a_part(self, folder, journal, tmp_path):
        (tmp_path / FILE).write_bytes(journal[: len(journal) // 2])
        outcome = outcomes.play(tmp_path / FILE)
        assert outcome.engine.time_ns < outcome.plan.end_ns

    def test_a_command_that_was_not_sent(self, folder, journal, tmp_path):
        """A journal that is whole but not of what happened: the next mark does not come out."""
        reader, forged = Reader(journal), Journal.in_memory(Reader(journal).header)
        for number, entry in enumerate(reader):
            if isinstance(entry, Commands):
                records = entry.records.copy()
                if number == 5:
                    records["price_ticks"][-1] += 1
                forged.append(records, entry.rows, entry.time_ns)
            elif hasattr(entry, "rows"):
                forged.mark(entry.digest, entry.state_hash, entry.rows, entry.time_ns)
        (tmp_path / FILE).write_bytes(forged.log.data)
        with pytest.raises(DifferenceError, match=r"the run has .* the journal has"):
            outcomes.play(tmp_path / FILE)


class TestCommandLine:
    def perpsim(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([*PERPSIM, *map(str, arguments)], capture_output=True, text=True, check=False)

    def test_recover_tells_what_is_there_and_cuts_when_asked(self, folder, whole, journal, tmp_path):
        cut = journal[: len(journal) * 2 // 3]
        (tmp_path / FILE).write_bytes(cut)
        done = self.perpsim("recover", tmp_path)
        assert done.returncode == 0 and "not finished" in done.stdout and "torn end" in done.stdout
        assert (tmp_path / FILE).read_bytes() == cut
        done = self.perpsim("recover", tmp_path, "--cut")
        scan = Scan(Source(cut))
        list(scan)
        assert f"{scan.dropped} bytes" in done.stdout and scan.dropped
        assert (tmp_path / FILE).read_bytes() == cut[: scan.end]

    def test_replay_journal(self, folder, whole, tmp_path):
        done = self.perpsim("replay-journal", folder / "whole.journal", "-q")
        assert done.returncode == 0 and whole["digest"] in done.stdout
        done = self.perpsim("replay-journal", tmp_path)
        assert done.returncode == 2 and "there is no journal" in done.stderr

    def test_a_difference_ends_with_one(self, folder, tmp_path):
        reader = Reader(folder / "whole.journal" / FILE)
        forged = Journal.create(tmp_path / "forged", reader.header)
        for entry in reader:
            if not isinstance(entry, Commands) and hasattr(entry, "rows"):
                forged.mark("0" * 64, None, entry.rows, entry.time_ns)
                break
        forged.close()
        done = self.perpsim("replay-journal", tmp_path / "forged")
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "0000" in done.stderr

    def test_options_of_no_journal(self, folder):
        done = self.perpsim("run", folder / "run.toml", "--resume")
        assert done.returncode == 2 and "--journal" in done.stderr


def test_report_names_an_engine_as_such(tmp_path):
    with pytest.raises(InputError, match="there is no journal"):
        resume.report(tmp_path)
    assert os.listdir(tmp_path) == []
