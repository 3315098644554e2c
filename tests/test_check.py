"""The quality card: each of the rules R1-R8 by a recording that breaks it and no other, and the command."""

import json
from itertools import pairwise

import numpy as np
import pytest
import reader_samples_venues  # noqa: F401 - registers its samples
from perpsim.core import MarketState
from perpsim.core.rebuilt import NONE, RebuiltBook
from perpsim.replay import tape_writer
from perpsim.replay.check import check
from perpsim.replay.cli import app
from perpsim.replay.import_plan import Given
from perpsim.replay.readers.findings import Findings
from perpsim.replay.tape import COLUMNS, MORE, SELL, SNAPSHOT, Row, Tape
from reader_samples import SAMPLES
from small_tape import BTC, SECOND, START_NS
from typer.testing import CliRunner

BID, ASK = int(Row.LEVEL), Row.LEVEL | SELL
ADD, REDUCE, EXECUTE = int(Row.ORDER_ADD), int(Row.ORDER_REDUCE), int(Row.ORDER_EXECUTE)
WHOLE = [(0, BID | SNAPSHOT | MORE, 99, 5, 0), (0, ASK | SNAPSHOT, 101, 5, 0)]
CLEAN = [*WHOLE, (1, int(Row.TRADE), 101, 1, 7), (1, ASK, 101, 4, 0), (50, BID, 99, 6, 0)]
ORDERS = [(0, ADD, 99, 5, 1), (0, ADD | SELL, 101, 5, 2), (5, REDUCE, 99, 2, 1), (50, EXECUTE, 99, 3, 1)]
DEEP = [(50, BID | MORE, price, 5, 0) for price in range(50, 70)]
DIFFERING = [
    *CLEAN[:-1], *DEEP, *CLEAN[-1:], *((51, code | SNAPSHOT, *rest) for _, code, *rest in DEEP),
    (51, BID | SNAPSHOT | MORE, 99, 9, 0), (51, ASK | SNAPSHOT, 101, 4, 0),
]  # fmt: skip
PRINTS = [(2, int(Row.TRADE), 101 if number < 20 else 120, 1, number) for number in range(10, 40)]
SAME = [(50, BID | SNAPSHOT | MORE, 99, 6, 0), (50, ASK | SNAPSHOT, 101, 4, 0)]


def card(tmp_path, rows, late_ns=0, counts=(), repairs=()):
    """The card of a stored tape of (second, code, price, value, id)."""
    second, code, price, value, order = map(np.array, zip(*rows, strict=True))
    time_ns = START_NS + second * SECOND
    columns = {"time_ns": time_ns, "receive_ns": time_ns + late_ns, "code": code, "price": price, "value": value}
    arrays = {name: (columns | {"id": order})[name].astype(dtype) for name, dtype in COLUMNS.items()}
    findings = Findings()
    for name, count in counts:
        findings.count(name, count)
    if repairs:
        day = str(np.datetime64(START_NS, "ns").astype("datetime64[D]"))
        writer = tape_writer.PartWriter(tape_writer.part_path(tmp_path, BTC, day))
        writer.add(arrays)
        writer.finish(tape_writer.facts_of(BTC, day, findings.quality(), [], (), repairs))
        writer.show()
    else:
        tape_writer.write(Tape(BTC, **arrays, quality=findings.quality()), tmp_path)
    (made,) = check([tmp_path])
    return made


@pytest.mark.parametrize("rows", [CLEAN, ORDERS, [*CLEAN, *SAME]], ids=["levels", "orders", "snapshots"])
def test_clean(tmp_path, rows):
    made = card(tmp_path, rows)
    assert made["unsound"] == [] and made["rules"] == {} and made["latency"] is None
    assert made["spans"]["first_ns"] == START_NS and made["spans"]["silences"] == 0
    assert made["book"]["crossings"] == made["book"]["levels_differing"] == made["book"]["off_quote_prints"] == 0
    assert made["book"]["levels_compared"] == (2 if len(rows) > 5 else 0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([*ORDERS, (51, REDUCE, 99, 1, 1)], "orders that do not rest", id="R1"),
        pytest.param([*ORDERS[:3], (50, EXECUTE, 99, 4, 1)], "more lots off an order", id="R2"),
        pytest.param([*WHOLE, (1, BID, 101, 3, 0), (2, BID, 101, 0, 0), (20, BID, 98, 1, 0)], "crossed", id="R3"),
        pytest.param(DIFFERING, "4.55 % of the levels differ", id="R5"),
        pytest.param([*CLEAN[:4], *PRINTS, (2, int(Row.TRADE), 98, 1, 8), *CLEAN[4:]],
                     "65.62 % of the prints lie outside", id="R6"),
        pytest.param([*CLEAN[:3], *CLEAN[2:]], "twice", id="R8"),
    ],
)  # fmt: skip
def test_a_rule_is_broken(tmp_path, rows, said):
    (sentence,) = card(tmp_path, rows)["unsound"]
    assert said in sentence


def test_a_snapshot_after_a_repaired_gap_differs_and_is_sound(tmp_path):
    made = card(tmp_path, DIFFERING, repairs=["update-gap"])
    assert made["repairs"] == ["update-gap"] and made["book"]["levels_differing"] == 1 and made["sound"]


def test_r4_a_gap_is_found_and_the_book_left_out_until_a_snapshot(tmp_path):
    sample = next(each for each in SAMPLES if any(damage.rule == "update-gap" for damage in each.damage))
    damage = next(each for each in sample.damage if each.rule == "update-gap")
    lines = sample.data.split(b"\n")
    lines[damage.line - 1] = lines[damage.line - 1].replace(damage.old, damage.new)
    path = tmp_path / sample.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines))
    result = CliRunner().invoke(app, ["check", str(path), *facts(sample), "--json"])
    (made,) = json.loads(result.stdout)
    assert result.exit_code == 1 and made["rules"] == {"update-gap": 1}
    assert [each["line"] for each in made["findings"]] == [damage.line]
    (sentence,) = made["unsound"]
    assert sentence.startswith("update-gap 1: ")


def facts(sample) -> list[str]:
    market = sample.instrument
    given = {"reader": sample.reader, "venue": market.venue, "market": market.symbol, "tick": market.tick}
    given |= {"lot": market.lot, "kind": market.kind, "contract-size": market.contract_size}
    return [text for name, value in given.items() for text in (f"--{name}", value)]


def in_vain(sample, damage) -> bool:
    """The first row of a Tardis file says what it is of: a symbol in the wrong column is another market's file."""
    return sample.reader.startswith("tardis") and damage.line == 2 and damage.rule == "unreadable"


DAMAGES = [(sample, damage) for sample in SAMPLES for damage in sample.damage if not in_vain(sample, damage)]


@pytest.mark.parametrize("sample", SAMPLES, ids=map(str, SAMPLES))
def test_nothing_is_found_in_a_clean_file_of_any_format(tmp_path, sample):
    assert of_file(tmp_path, sample, sample.data)["findings"] == []


@pytest.mark.parametrize(
    ("sample", "damage"), DAMAGES, ids=[f"{sample}-{damage.line}-{damage.rule}" for sample, damage in DAMAGES]
)
def test_each_damage_of_each_format_is_named(tmp_path, sample, damage):
    lines = sample.data.split(b"\n")
    lines[damage.line - 1] = lines[damage.line - 1].replace(damage.old, damage.new, 1)
    made = of_file(tmp_path, sample, b"\n".join(lines))
    assert [(each["rule"], each["line"]) for each in made["findings"]] == [(damage.rule, damage.line)]
    assert made["rules"] == {damage.rule: 1} and not made["sound"]


def of_file(tmp_path, sample, data: bytes):
    path = tmp_path / sample.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    market = sample.instrument
    facts = {"tick": market.tick, "lot": market.lot, "kind": market.kind, "contract_size": market.contract_size}
    (made,) = check([path], Given(sample.reader, market.venue, market.symbol, **facts))
    return made


def test_r7_negative_latency_is_told_and_sound(tmp_path):
    made = card(tmp_path, CLEAN, late_ns=-2_000_000)
    assert made["latency"]["negative"] == 4 and made["latency"]["skew_ns"] == 2_000_000
    assert made["latency"]["percentiles"]["n"] == 4 and made["unsound"] == []


def test_a_crossed_auction_is_none(tmp_path):
    auction, opened = int(MarketState.AUCTION), int(MarketState.OPEN)
    crossed = [(1, BID, 101, 3, 0), (2, BID, 101, 0, 0)]
    rows = [*WHOLE, (1, int(Row.STATE), 0, auction, 0), *crossed, (3, int(Row.STATE), 0, opened, 0), (9, BID, 98, 1, 0)]
    made = card(tmp_path, rows)
    assert made["book"]["crossings"] == 0 and made["unsound"] == []


def test_crossings_are_timed(tmp_path):
    made = card(tmp_path, [*WHOLE, (1, BID, 101, 3, 0), (2, ASK, 101, 0, 0), (4, ASK, 101, 1, 0), (5, BID, 101, 0, 0)])
    told = made["book"]
    assert (told["crossings"], told["crossed_ns"], told["crossed_longest_ns"]) == (2, 2 * SECOND, SECOND)


def test_a_shallower_snapshot_says_nothing_of_what_lies_beyond(tmp_path):
    deeper = [(1, BID, 90, 7, 0)]
    made = card(tmp_path, [*WHOLE, *deeper, (9, BID | SNAPSHOT | MORE, 99, 5, 0), (9, ASK | SNAPSHOT, 101, 5, 0)])
    assert made["book"]["levels_compared"] == 2 and made["book"]["levels_differing"] == 0


def test_silences(tmp_path):
    made = card(tmp_path, [*CLEAN, (150, BID, 99, 5, 0), (400, BID, 99, 4, 0)])
    spans = made["spans"]
    assert (spans["silences"], spans["silent_ns"]) == (2, 350 * SECOND)
    assert spans["longest"][0] == {"from_ns": START_NS + 150 * SECOND, "ns": 250 * SECOND}


def test_holes_by_minute(tmp_path):
    counts = [("off_book_fills", 5), ("off_book_fills 2025-10-10T21:18", 3), ("off_book_fills 2025-10-10T21:19", 2)]
    made = card(tmp_path, CLEAN, counts=counts)
    assert made["off_book_fills"]["n"] == 5 and made["off_book_fills"]["peak_minute"] == "2025-10-10T21:18"
    shown = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert shown.exit_code == 0 and "2025-10-10 21:18       3 a minute" in shown.stdout


def test_the_rebuilt_book_wants_columns_of_one_length():
    with pytest.raises(ValueError, match="columns differ in length"):
        RebuiltBook().apply(np.zeros(2, np.uint8), np.zeros(2, np.int64), np.zeros(1, np.int64))


@pytest.mark.parametrize("seed", range(4))
def test_the_rebuilt_book_against_two_plain_ones(seed):
    """Random levels and snapshots, cut into calls anywhere; prices beyond all bounds."""
    rng = np.random.default_rng(seed)
    count = 3_000
    code = np.where(rng.random(count) < 0.5, BID, ASK).astype(np.uint8)
    starts = np.flatnonzero(rng.random(count) < 0.3)
    code |= np.where(np.isin(np.arange(1, count + 1), starts), 0, MORE).astype(np.uint8)
    message = np.searchsorted(starts, np.arange(count), side="right")
    code |= np.where(np.isin(message, rng.choice(message[-1], 40)), SNAPSHOT, 0).astype(np.uint8)
    price = np.where(code & SELL, 200, 100) + rng.integers(-60, 60, count)
    price[rng.random(count) < 0.01] = 2**62
    value = rng.integers(0, 4, count)
    book, plain = RebuiltBook(), PlainBook()
    rows = zip(code.tolist(), price.tolist(), value.tolist(), strict=True)
    wanted = [best for row in rows if (best := plain.row(*row))]
    cuts = [0, *np.sort(rng.integers(0, count, 5)).tolist(), count]
    told = [book.apply(code[a:b], price[a:b], value[a:b]) for a, b in pairwise(cuts)]
    assert [pair for bid, ask in told for pair in zip(bid.tolist(), ask.tolist(), strict=True)] == wanted
    assert (book.snapshots, book.levels_compared, book.levels_differing) == (plain.whole, plain.compared, plain.differ)
    assert book.snapshots_compared > 10


class PlainBook:
    """The same with dictionaries."""

    def __init__(self):
        self.sides, self.news, self.updated = ({}, {}), None, False
        self.whole = self.compared = self.differ = 0

    def row(self, code, price, value):
        if code & SNAPSHOT:
            self.news = self.news or ({}, {})
        self.updated |= not code & SNAPSHOT
        side = (self.news if code & SNAPSHOT else self.sides)[bool(code & SELL)]
        side.pop(price, None) if not value else side.update({price: value})
        if code & MORE:
            return None
        if self.news is not None:
            self.replace()
        bids, asks = self.sides
        return max(bids, default=NONE), min(asks, default=NONE)

    def replace(self):
        if self.whole and self.updated:
            for old, new in zip(self.sides, self.news, strict=True):
                inside = {p: n for p, n in old.items() if new and min(new) <= p <= max(new)}
                self.compared += len(inside.keys() | new.keys())
                self.differ += sum(inside.get(price) != new.get(price) for price in inside.keys() | new.keys())
        self.sides, self.news, self.updated, self.whole = self.news, None, False, self.whole + 1


def test_quotes_stand_for_a_book_where_there_is_none(tmp_path):
    bid, ask = int(Row.QUOTE), Row.QUOTE | SELL
    rows = [(0, bid | MORE, 99, 5, 0), (0, ask, 101, 5, 0), (1, int(Row.TRADE), 101, 1, 7), (2, bid, 101, 1, 0)]
    rows += [(3, bid | MORE, 100, 1, 0), (3, ask, 102, 0, 0), (4, int(Row.TRADE), 90, 1, 8), (9, ask, 101, 1, 0)]
    told = card(tmp_path, rows)["book"]
    assert (told["crossings"], told["crossed_ns"], told["book_ns"]) == (1, SECOND, 9 * SECOND)
    assert (told["prints"], told["off_quote_prints"]) == (2, 1)


@pytest.mark.parametrize("still", ["bids", "asks", "book"])
def test_a_feed_that_stands_still_while_others_go_on(tmp_path, still):
    """Two minutes without a bid, an ask or any level, while a hundred others come."""
    other = {"bids": (ASK, 101), "asks": (BID, 99), "book": (int(Row.TRADE), 101)}[still]
    going = [(2 + number, other[0], other[1], 1 + number % 7, 100 + number) for number in range(120)]
    made = card(tmp_path, [*WHOLE, *going, (122, BID | MORE, 99, 5, 0), (122, ASK, 101, 5, 0)])
    assert made["frozen"]["longest"] == [{"feed": still, "from_ns": START_NS, "ns": 122 * SECOND}]
    (sentence,) = made["unsound"]
    assert "stand still for 100.00 %" in sentence
    few = card(tmp_path / "few", [*WHOLE, *going[:99], (122, BID | MORE, 99, 5, 0), (122, ASK, 101, 5, 0)])
    assert few["frozen"]["n"] == 0 and few["sound"]


def test_stores_and_raw_files_do_not_mix(tmp_path):
    card(tmp_path / "store", CLEAN)
    (tmp_path / "raw.csv").write_text("a,b\n")
    assert CliRunner().invoke(app, ["check", str(tmp_path / "store"), str(tmp_path / "raw.csv")]).exit_code
