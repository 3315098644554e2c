"""The truth about queue positions: a small order behind real ones fills when the real ones before it are gone."""

import sys
from pathlib import Path

import pytest
from lobster_sample import Venue, files, packed
from perpsim.core import QueueModel
from perpsim.replay.readers.contract import SourceFile, sources
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.lobster import pairs
from perpsim.replay.readers.order_rows import ADD, DELETE, EXECUTE, SELL_OF, OrderRows
from perpsim.replay.tape import Row

from tests import queue_truth
from tests.queue_truth import SECOND_NS, TRUTH, measure

START = 1_340_285_400 * SECOND_NS
ASK = SELL_OF[1]


def recording(*messages):
    """(seconds, rows) a message."""
    rows = OrderRows()
    for line, (second, *given) in enumerate(messages, 1):
        for code, price, lots, order_id in given:
            rows.add(code, price, lots, order_id, line)
        rows.end(START + second * SECOND_NS, START + second * SECOND_NS)
    return [rows.take(SourceFile(Path("made")))]


BOOK = [
    (0, (ADD, 1_000, 5, 1)), (0, (ADD, 1_000, 6, 2)), (0, (ADD | ASK, 1_050, 9, 3)),
]  # fmt: skip


def bid(placed, found, name):
    """Seconds until the order at the first bid filled, None if it never did."""
    number = next(at for at, each in enumerate(placed) if each.side == 0)
    wait = next(each for each in found if each.name == name).wait_ns[number]
    return None if wait < 0 else wait / SECOND_NS


def test_executions_and_cancels_before_it_bring_an_order_forward_and_those_behind_do_not():
    """Eleven lots stand before it. Order 4 joins behind; order 2, before it, is cancelled: the L2 feed shows six lots
    less, and the pessimistic model takes them from behind. So it thinks that five more must trade first, and the order
    is then the next one."""
    blocks = recording(
        *BOOK, (1, (ADD, 1_000, 6, 4)), (2, (DELETE, 1_000, 6, 2)), (3, (EXECUTE, 1_000, 5, 1)),
        (4, (EXECUTE, 1_000, 3, 4)), (5, (EXECUTE, 1_000, 3, 4), (ADD, 999, 50, 5)), (6, (ADD, 1_000, 9, 6)),
        (7, (EXECUTE, 1_000, 9, 6)), (9, (ADD, 998, 1, 8)),
    )  # fmt: skip
    placed, found = measure(blocks, window=10, every_ns=100 * SECOND_NS)
    assert [each.ahead for each in placed] == [11, 9]
    assert bid(placed, found, TRUTH) == 4
    assert bid(placed, found, QueueModel.BEHIND_FIRST.name.lower()) == 7
    assert 4 <= bid(placed, found, QueueModel.PROPORTIONAL.name.lower()) <= 7


def test_an_order_whose_price_leaves_the_window_is_withdrawn():
    """With two levels told, two better bids push the first one out."""
    blocks = recording(
        *BOOK, (1, (ADD, 1_001, 6, 4)), (2, (ADD, 1_002, 6, 5), (DELETE, 1_000, 5, 1), (DELETE, 1_000, 6, 2)),
        (3, (EXECUTE, 1_002, 6, 5), (ADD, 1_000, 7, 6)), (4, (EXECUTE, 1_001, 6, 4)), (5, (EXECUTE, 1_000, 7, 6)),
        (6, (ADD, 998, 1, 8)),
    )  # fmt: skip
    placed, found = measure(blocks, window=2, every_ns=100 * SECOND_NS)
    assert placed[0].left_ns == START + 2 * SECOND_NS
    assert all(bid(placed, [each], each.name) is None for each in found)


def test_a_hidden_execution_at_its_price_fills_it():
    """Whoever is shown goes before whoever is not."""
    blocks = recording(
        *BOOK, (1, (DELETE, 1_000, 5, 1), (DELETE, 1_000, 6, 2)), (2, (int(Row.TRADE) | ASK, 1_000, 4, 0)),
        (3, (ADD, 998, 1, 8)),
    )  # fmt: skip
    placed, found = measure(blocks, window=10, every_ns=100 * SECOND_NS)
    assert bid(placed, found, TRUTH) == 2


def test_the_program_prints_a_table(tmp_path, capsys, monkeypatch):
    path = packed(tmp_path / "made.zip", files(Venue(5, seed=3).run(600)))
    monkeypatch.setattr(queue_truth, "EVERY_S", 1)
    monkeypatch.setattr(sys, "argv", ["queue_truth", str(path)])
    assert queue_truth.main() == 0
    out = capsys.readouterr().out
    names = [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("|")]
    assert names == ["queue", "---", TRUTH, *(model.name.lower() for model in QueueModel)]
    monkeypatch.setattr(sys, "argv", ["queue_truth"])
    assert queue_truth.main() == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_pessimistic_model_is_never_early(seed, tmp_path):
    """What leaves without a trade leaves from behind: no order fills before its time."""
    reader = queue_truth.READER
    path = packed(tmp_path / "made.zip", files(Venue(8, seed).run(3_000)))
    (pair,) = pairs([each for each in sources(path) if reader.recognises(each)])
    blocks = list(reader.rows(list(pair), reader.instrument(pair[0]), Findings()))
    placed, found = measure(blocks, 8, 3 * SECOND_NS)
    truth, behind = found[0], next(each for each in found if each.name == "behind_first")
    both = truth.filled & behind.filled
    assert both.sum() > 5 and len(placed) > 20
    assert not (behind.filled & ~truth.filled).any()
    assert (behind.wait_ns[both] >= truth.wait_ns[both]).all()
