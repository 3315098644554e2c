"""Nine venues, one crash: what the rules must lead to, and the table of the document, cell by cell."""

import re

import nine_venues
import pytest
from nine_venues import DOCUMENT, HEAD, VENUES, Outcome, people, place, play, read
from perpsim.exchange import rulebook
from perpsim.exchange.rulebook_files import names

NEAR = 1_000  # USD; residues of rounding are far below


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {name: play(name) for name in VENUES}


def documented() -> dict[str, list[str]]:
    """Venue -> cells of its row in the document."""
    text = DOCUMENT.read_text("utf-8").split(nine_venues.BEGIN)[1].split(nine_venues.END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert tuple(rows[0]) == HEAD
    return {row[0]: row for row in rows[2:]}


class TestScenario:
    def test_every_rulebook_has_its_scenario(self):
        assert sorted(VENUES) == names()
        assert {path.stem for path in nine_venues.FOLDER.glob("*.toml")} == {"crash", *VENUES}
        for name in VENUES:
            assert read(name)["rulebook"] == name

    def test_accounts_are_the_same_everywhere(self):
        """The positions are as large, in USD at the first price, and longs and shorts are the same in number."""
        crowd, crash = people(read("crash")), read("crash")
        assert len(crowd) > 500
        first = crash["path"][0][1]
        for name in VENUES:
            here = place(name)
            for person in crowd:
                lots = here.lots(person.usd, first)
                assert here.usd_of_lots(lots, first * 10**8) == person.usd, name


class TestOutcomes:
    def test_the_document_has_what_comes_out(self, outcomes):
        """Made again by `python -m tests.nine_venues --write`."""
        table = documented()
        assert list(table) == list(VENUES)
        for name, out in outcomes.items():
            assert table[name] == list(nine_venues.row(name, out)), name

    def test_nine_outcomes(self, outcomes):
        assert len({out.digest for out in outcomes.values()}) == len(VENUES)
        money = {(out.fund, out.fees, out.book, out.taken, out.adl) for out in outcomes.values()}
        assert len(money) == len(VENUES)

    def test_digests_do_not_depend_on_the_run(self, outcomes):
        assert play("bybit").digest == outcomes["bybit"].digest

    def test_everybody_has_victims(self, outcomes):
        for name, out in outcomes.items():
            assert 50 < len(out.liquidated) < 500, name
            assert out.lowest > 30_000 * 10**8, name

    def test_venues_without_adl_cut_nobody(self, outcomes):
        for name, out in outcomes.items():
            if not rulebook(name, read(name)["date"]).adl_policy:
                assert out.adl == 0 and not out.cut, name
            assert bool(out.cut) == bool(out.adl), name

    def test_marks_without_the_book_are_no_lower_than_the_index(self, outcomes):
        """A mark that takes nothing from the venue's own book cannot be pushed by the forced orders in it."""
        bottom = min(price for _, price in read("crash")["path"])
        for name in ("bitmex", "dydx-v4"):
            assert outcomes[name].lowest == bottom * 10**8, name

    def test_who_has_no_fee_and_who_has(self, outcomes):
        for name in ("hyperliquid",):
            assert outcomes[name].fees == 0
        for name in ("binance-usdm", "okx", "bitget", "deribit"):
            assert outcomes[name].fees > NEAR


def test_the_document_explains_every_venue():
    text = DOCUMENT.read_text("utf-8")
    for name in VENUES:
        assert re.search(rf"^\*\*`{name}`\*\* ", text, re.MULTILINE), f"docs/VENUES.md does not explain {name}"
