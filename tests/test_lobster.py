"""The LOBSTER reader: the book of the messages is the book of the recording, and anything else is found."""

import re
import sys

import numpy as np
import pytest
from conftest import DATA
from lobster_sample import STEM, Venue, files, packed
from perpsim.core import MarketState
from perpsim.replay.errors import InputError
from perpsim.replay.readers import READERS
from perpsim.replay.readers.contract import Market, sources
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.lobster import midnight_ns, pairs
from perpsim.replay.tape import MORE, ROW_MASK, SELL, Row

from tests import lobster

SAMPLES = sorted((DATA / "lobster").glob("*.zip"))
READER = READERS["lobster"]
NINE_THIRTY = 1_340_285_400_000_000_000  # 2012-06-21 13:30 UTC


def read(path, findings=None):
    """(code without MORE, price, value, id, line) of each row, and the findings."""
    found = [each for each in sources(path) if READER.recognises(each)]
    findings = findings or Findings()
    rows = []
    for block in READER.rows(found, READER.instrument(found[0]), findings):
        assert block.code[-1] & MORE == 0
        columns = (block.code & (0xFF ^ MORE), block.price, block.value, block.id, block.line)
        rows += zip(*(column.tolist() for column in columns), strict=True)
    return rows, findings


def made(path, messages, rows, levels=1):
    texts = {
        f"{STEM}_message_{levels}.csv": "\n".join(messages) + "\n",
        f"{STEM}_orderbook_{levels}.csv": "\n".join(rows) + "\n",
    }
    return packed(path, texts)


SMALL = (
    [
        "34200.1,1,11,18,5853300,1", "34200.2,5,0,7,5856650,-1", "34200.3,4,11,8,5853300,1", "34200.4,2,11,4,5853300,1",
        "34200.5,7,0,0,-1,-1", "34200.6,7,0,0,1,1", "34200.7,6,-1,30,5855000,1", "34200.8,3,11,6,5853300,1",
        "34200.9,4,5,40,5859400,-1", "34201,4,6,60,5859400,-1",
    ],
    [
        *["5859400,200,5853300,18"] * 2, "5859400,200,5853300,10", *["5859400,200,5853300,6"] * 4,
        "5859400,200,5853000,9", "5859400,160,5853000,9", "5859400,100,5853000,9",
    ],
)  # fmt: skip
ASK = int(SELL)
SMALL_ROWS = [
    (Row.ORDER_ADD | ASK, 5859400, 200, -1, 1), (Row.ORDER_ADD, 5853300, 18, 11, 1), (Row.TRADE, 5856650, 7, 0, 2),
    (Row.ORDER_EXECUTE, 5853300, 8, 11, 3), (Row.ORDER_REDUCE, 5853300, 4, 11, 4),
    (Row.STATE, 0, MarketState.HALTED, 0, 5), (Row.STATE, 0, MarketState.OPEN, 0, 6),
    (Row.OFF_BOOK | ASK, 5855000, 30, 0, 7), (Row.ORDER_DELETE, 5853300, 6, 11, 8), (Row.ORDER_ADD, 5853000, 9, -2, 8),
    (Row.ORDER_EXECUTE | ASK, 5859400, 40, -1, 9), (Row.ORDER_EXECUTE | ASK, 5859400, 60, -1, 10),
]  # fmt: skip


def test_rows_are_what_the_messages_say(tmp_path):
    rows, findings = read(made(tmp_path / "small.zip", *SMALL))
    assert rows == SMALL_ROWS
    assert findings.counts["levels_entered_window"] == 1
    assert findings.counts["events_of_unshown_orders"] == 2


def test_files_say_whose_they_are_and_when(tmp_path):
    path = made(tmp_path / "small.zip", *SMALL)
    found = [each for each in sources(path) if READER.recognises(each)]
    assert len(found) == 2
    assert {READER.market(each) for each in found} == {Market("nasdaq", "MADE", "2012-06-21")}
    assert (READER.instrument(found[0]).kind, READER.instrument(found[0]).tick) == ("spot", "0.0001")
    (block,) = READER.rows(found, READER.instrument(found[0]), Findings())
    assert block.time_ns[0] == NINE_THIRTY and block.time_ns[-1] == NINE_THIRTY + 1_000_000_000
    assert (block.time_ns == block.receive_ns).all() and (np.diff(block.time_ns) >= 0).all()


@pytest.mark.parametrize(("day", "hours"), [
    ("2012-01-03", 5), ("2012-03-12", 4), ("2012-11-02", 4), ("2012-11-05", 5), ("2006-03-31", 5), ("2006-04-03", 4),
    ("2006-10-30", 5), ("2006-10-27", 4),
])  # fmt: skip
def test_midnight_is_that_of_new_york(day, hours):
    utc = np.datetime64(day, "ns").astype(np.int64)
    assert midnight_ns(day) - utc == hours * 3_600_000_000_000


@pytest.mark.parametrize("levels", [1, 2, 5, 30])
def test_a_made_market_is_rebuilt_message_by_message(levels, tmp_path, capsys, monkeypatch):
    path = packed(tmp_path / "made.zip", files(Venue(levels, seed=levels).run(800)))
    monkeypatch.setattr(sys, "argv", ["lobster", str(path)])
    assert lobster.main() == 0
    assert capsys.readouterr().out.endswith("messages 800, mismatches 0\n")
    _, findings = read(path)
    assert (findings.counts["levels_entered_window"] > 5) == (levels < 30)


def test_a_folder_and_packed_files_do_as_well(tmp_path):
    texts = files(Venue(3, seed=1).run(200))
    rows, _ = read(packed(tmp_path / "made.zip", texts))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    assert read(folder)[0] == rows


DAMAGED = {
    "another size": lambda cells: [*cells[:3], str(int(cells[3]) + 1), *cells[4:]],
    "another price": lambda cells: [*cells[:4], str(int(cells[4]) + 100), *cells[5:]],
    "another side": lambda cells: [*cells[:5], str(-int(cells[5]))],
    "another kind": lambda cells: [*cells[:1], {"1": "4", "2": "1", "3": "1", "4": "1"}[cells[1]], *cells[2:]],
    "no number": lambda cells: [*cells[:3], "x", *cells[4:]],
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("at", (100, 333, 490))
def test_a_damaged_message_is_named(damage, at, tmp_path, capsys):
    venue = Venue(4, seed=9).run(500)
    texts = files(venue)
    while venue.messages[at].split(",")[1] == "5":
        at += 1
    venue.messages[at] = ",".join(DAMAGED[damage](venue.messages[at].split(",")))
    path = packed(tmp_path / "made.zip", texts | files(venue))
    with pytest.raises(InputError) as refused:
        read(path)
    assert refused.value.line == at + 1
    assert "\n" not in str(refused.value)
    (pair,) = pairs([each for each in sources(path) if READER.recognises(each)])
    if damage != "no number":
        assert lobster.compare(*pair)[1] > 0
    _, findings = read(path, Findings(record=True))
    assert {found.line for found in findings.found} <= {at + 1, at + 2}


def test_a_damaged_row_of_the_book_is_named(tmp_path):
    venue = Venue(4, seed=9).run(300)
    cells = venue.rows[200].split(",")
    cells[1] = str(int(cells[1]) + 1)
    venue.rows[200] = ",".join(cells)
    path = packed(tmp_path / "made.zip", files(venue))
    with pytest.raises(InputError, match=re.escape("orderbook_4.csv, line 201: the asks")):
        read(path)


def test_levels_do_not_enter_where_no_level_has_ended(tmp_path):
    """The row shows a second bid that no message brought: the first one still stands, so there is no room for it."""
    messages = ["34200.1,1,11,18,5853300,1", "34200.2,2,11,4,5853300,1"]
    rows = ["5859400,200,5853300,18,5859500,1,5853200,5", "5859400,200,5853300,14,5859500,1,5853200,6"]
    with pytest.raises(InputError, match=r"line 2: the bids"):
        read(made(tmp_path / "small.zip", messages, rows, levels=2))


@pytest.mark.parametrize(("rows", "text"), [
    (SMALL[1][:-1], "ends before message 10"), ([*SMALL[1], SMALL[1][-1]], "has a row 11"),
])  # fmt: skip
def test_the_two_files_belong_together(rows, text, tmp_path):
    with pytest.raises(InputError, match=text):
        read(made(tmp_path / "small.zip", SMALL[0], rows))


def test_one_file_alone_is_not_enough(tmp_path):
    path = packed(tmp_path / "made.zip", {f"{STEM}_message_1.csv": SMALL[0][0] + "\n"})
    with pytest.raises(InputError, match="needs its orderbook file"):
        read(path)


def test_what_the_program_says_of_other_files(tmp_path, capsys, monkeypatch):
    other = tmp_path / "other.csv"
    other.write_text("1,2\n")
    for arguments, text in (([], "usage"), ([str(other)], "no LOBSTER files"), ([str(other) + "x"], "other.csvx")):
        monkeypatch.setattr(sys, "argv", ["lobster", *arguments])
        assert lobster.main() == 2
        assert text in capsys.readouterr().err


@pytest.mark.skipif(not SAMPLES, reason="the official samples are not there")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[18:])
def test_the_official_samples(path):
    """The first messages of each; `python -m tests.lobster` takes all of them."""
    ((messages, book),) = pairs([each for each in sources(path) if READER.recognises(each)])
    assert lobster.compare(messages, book, 3_000)[:2] == (3_000, 0)


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLES, reason="the official samples are not there")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[18:])
def test_the_official_samples_whole(path):
    ((messages, book),) = pairs([each for each in sources(path) if READER.recognises(each)])
    compared, mismatches, _ = lobster.compare(messages, book)
    assert (compared > 50_000, mismatches) == (True, 0)


def test_kinds_of_rows_are_the_tapes_own():
    assert {code & ROW_MASK for code, *_ in SMALL_ROWS} <= set(Row)
