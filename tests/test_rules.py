"""Rulebooks: every value has a source, every era makes an engine, deductions are recomputed, every rule is used."""

import datetime
import json
import re
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from perpsim.core import Engine
from perpsim.exchange import rulebook
from perpsim.exchange import rulebook_files as files
from perpsim.exchange import rules as kinds
from perpsim.exchange.contracts import contract, parse_market, step_rows
from perpsim.replay import outcomes, rules_text
from perpsim.replay.cli import app
from perpsim.replay.errors import InputError
from perpsim.replay.scenario import parse
from perpsim.replay.story import tell
from small_tape import quiet_market
from typer.testing import CliRunner

VENUES = (
    "binance-coinm", "binance-usdm", "bitget", "bitmex", "bybit", "deribit", "dydx-v4", "hyperliquid", "okx",
)  # fmt: skip
ERAS = [(name, era) for name in VENUES for era in files.eras(files.read(name))]
NOT_RULES = {"price_reference"}  # only sizes the numbers
LATEST = "2026-11-01"


def stated(name: str) -> dict[str, kinds.Stated]:
    return dict(rulebook(name, LATEST).sources)


class TestFiles:
    def test_the_venues(self):
        assert tuple(files.names()) == VENUES

    @pytest.mark.parametrize("name", VENUES)
    def test_every_value_has_its_source_and_how_sure_it_is(self, name):
        book = files.read(name)
        assert book["title"]
        for era in book["era"]:
            for scope, table in files.tables(era):
                for key, value in table.items():
                    where = f"{name} {era['from']} {scope} {key}"
                    if key in NOT_RULES:
                        continue
                    assert isinstance(value, dict) and set(value) <= {"value", "source", "sure"}, where
                    assert value["source"].strip() and value["sure"] in files.SURE, where

    @pytest.mark.parametrize("name", VENUES)
    def test_eras_are_in_order(self, name):
        days = [datetime.date.fromisoformat(day) for day in files.eras(files.read(name))]
        assert days == sorted(set(days))

    @pytest.mark.parametrize(("name", "era"), ERAS)
    def test_every_era_makes_an_engine(self, name, era):
        book = rulebook(name, era)
        assert (book.era, book.date) == (era, era)
        assets = 1 + max(market.asset for market in book.markets)
        engine = Engine(book, book.markets, 4, 1, assets=assets)
        assert len(book.markets) >= 2
        assert engine.statistics()["events"] == 0

    def test_the_day_before_an_era_belongs_to_the_one_before(self):
        last = rulebook("binance-usdm", "2026-04-30")
        assert last.era == "2026-01-02"
        assert last.market("BTCUSDT").tiers[0].leverage_max == 125
        assert rulebook("binance-usdm", "2026-05-01").market("BTCUSDT").tiers[0].leverage_max == 150

    def test_eras_of_binance(self):
        def at(day):
            return rulebook("binance-usdm", day).market("BTCUSDT")

        assert [at(day).basis_samples for day in ("2025-09-17", "2025-09-18")] == [150, 30]
        assert [at(day).tiers[0].cap // 10**8 for day in ("2024-10-24", "2026-05-01")] == [50_000, 300_000]
        fees = [at(day).liquidation_fee for day in ("2020-01-01", "2023-01-01", "2025-10-10")]
        assert fees == [3_000_000, 7_500_000, 12_500_000]

    @pytest.mark.parametrize("name", VENUES)
    def test_no_value_is_left_out_whose_rule_there_is(self, name):
        """A commented value waits for its rule; when that has come, it must be switched on."""
        folder = Path(files.__file__).parent / "rulebooks"
        waiting = re.findall(r"^# (\w+) = \{", (folder / f"{name}.toml").read_text("utf-8"), re.MULTILINE)
        known = {*kinds.ENUMS, *kinds.RATES, *kinds.MONEY, *kinds.SECONDS, *kinds.COUNTS, *kinds.TABLES}
        assert [key for key in waiting if key in known] == []

    def test_what_the_files_can_get_wrong_is_said(self):
        with pytest.raises(ValueError, match="BTC has no tick"):
            parse_market("BTC", {"lot": 1})
        good = {"tick": 1, "lot": 1, "price_reference": 100, "tiers": [[100, 0.01, 10]]}
        with pytest.raises(ValueError, match="BTC: adl_policy is a rule of the whole venue"):
            parse_market("BTC", good | {"adl_policy": "bitmex"})
        with pytest.raises(ValueError, match="fee is not a rule; known: "):
            parse_market("BTC", good | {"fee": 1})
        with pytest.raises(ValueError, match="says nothing of its value"):
            files.merge([{"from": "2020-01-01", "venue": {"adl_policy": {"sure": "stated"}}}])


class TestFields:
    def test_every_rule_of_the_core_is_a_field_that_a_file_can_state(self):
        """The rows of core/rules.pyx: m(...) of markets, v(...) of the venue."""
        source = (Path(__file__).resolve().parent.parent / "core" / "rules.pyx").read_text("utf-8")
        rows = re.findall(r'^([mv])\("(\w+)"', source, re.MULTILINE)
        assert len(rows) > 60
        known = {*kinds.ENUMS, *kinds.RATES, *kinds.MONEY, *kinds.SECONDS, *kinds.COUNTS, *kinds.TABLES}
        for kind, name in rows:
            assert name in (kinds.MARKET_FIELDS if kind == "m" else kinds.VENUE_FIELDS), name
            assert name.removesuffix("_ns") in known, name

    def test_defaults_are_those_of_the_core(self):
        """A market or a venue that states nothing is what the core takes it for."""
        market = contract("X", 1, 1, 100, tiers=kinds.parse_tiers([[100, 0.01, 10]]))
        book = kinds.Rulebook(name="", date="", era="", markets=(market,))
        bare = {name: getattr(market, name) for name in BARE}
        plain = SimpleNamespace(**bare, size_max=market.size_max)
        hashes = {
            Engine(rules, [spec], 1, 1).state_hash()
            for rules, spec in ((book, market), (SimpleNamespace(cross_order=0), plain))
        }
        assert len(hashes) == 1
        for changed in (book.changed({"order_maintenance": 1}), book.changed(net_hedges=1)):  # the hash knows rules
            hashes.add(Engine(changed, changed.markets, 1, 1).state_hash())
        assert len(hashes) == 3


BARE = (
    "tick_value", "lot_numerator", "lot_denominator", "price_max", "position_max", "asset", "fund_group", "queue_model",
    "tape_walk", "tiers",
)  # fmt: skip


class TestTiers:
    def test_deductions_are_those_of_the_venues(self):
        """Recomputed for every tier shipped: maintenance is continuous at each edge, and as published where it is."""
        seen = published = 0
        for name, era in ERAS:
            rules = files.merge([e for e in files.read(name)["era"] if str(e["from"]) <= era])
            for market in rulebook(name, era).markets:
                if not marginal(market):
                    continue
                fields = files.of_market(rules, market.symbol)
                rows = fields.get("tiers") or step_rows(market.symbol, fields["steps"])
                cum = floor = before = Fraction(0)
                for tier, row in zip(market.tiers, rows, strict=True):
                    rate = Fraction(str(row[1]))
                    cum += floor * (rate - before)
                    assert Fraction(tier.deduction, 10**8) == cum, (name, era, market.symbol, row)
                    assert Fraction(tier.rate, 10**9) == rate
                    if len(row) >= 4:
                        assert Fraction(str(row[3])) == cum, (name, era, market.symbol, row)
                        published += 1
                    floor, before = Fraction(str(row[0])), rate
                    seen += 1
        assert seen > 400
        assert published > 150

    def test_a_deduction_that_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match="tier 2: its deduction is 49, but the tiers before it make it 50"):
            kinds.parse_tiers([[50_000, 0.004, 125, 0], [600_000, 0.005, 100, 49]])
        with pytest.raises(ValueError, match=r"tier 1: .* is not .cap, maintenance rate, leverage"):
            kinds.parse_tiers([[50_000, 0.004]])


    def test_steps_are_tiers(self):
        """BitMEX: base 200 XBT, step 150, initial 1 %, maintenance 0.5 %; 250 XBT are one step up."""
        steps = {"base": 200, "step": 150, "initial": 0.01, "maintenance": 0.005, "count": 2}
        rows = step_rows("XBTUSD", steps)
        assert [[int(cap), str(rate), leverage, str(initial)] for cap, rate, leverage, _, initial in rows] == [
            [200, "1/200", 100, "1/100"], [350, "1/100", 66, "3/200"], [500, "3/200", 50, "1/50"],
        ]  # fmt: skip
        with pytest.raises(ValueError, match="XBTUSD: steps need base, count, initial, maintenance, step"):
            step_rows("XBTUSD", {"base": 200})
        with pytest.raises(ValueError, match="not more than 0"):
            step_rows("XBTUSD", steps | {"step": 0})


def marginal(market) -> bool:
    return not getattr(market, "tier_method", 0)


class TestUse:
    """A rule that no venue has and nobody can name is a rule too many."""

    @pytest.mark.parametrize("key", sorted(kinds.ENUMS))
    def test_every_method_is_some_venues_or_a_building_block(self, key):
        used = set()
        for name, era in ERAS:
            book = rulebook(name, era)
            for thing in (book, *book.markets):
                if hasattr(thing, key):
                    used.add(int(getattr(thing, key)))
        blocks = BLOCKS.get(key, {})
        words = {member.name.lower().replace("_", "-"): int(member) in used for member in kinds.ENUMS[key]}
        assert [word for word, is_used in words.items() if not is_used and not blocks.get(word)] == []


# Methods that no rulebook chooses: what they are there for.
BLOCKS = {
    "queue_model": {
        word: "set by a scenario's tape" for word in ("behind-first", "proportional", "power", "log", "front-first")
    },
    "tape_walk": {"drop": "set by a scenario's tape", "deeper": "set by a scenario's tape"},
    "attribution": {word: "set by a scenario's tape" for word in ("none", "record", "against")},
    "mark_method": {
        "given": "marks on the tape", "basis-ema": "Deribit", "composite": "building block: several sources (Vega)",
    },
    "mark_composition": {"median": "building block: the median of a mark's sources (Vega)"},
    "funding_formula": {"damper": "Deribit"},
    "premium_source": {"mark": "Deribit", "fair-basis": "BitMEX"},
    "index_method": {"given": "an index on the tape", "mean": "Deribit"},
    "outlier_rule": {"none": "building block: every source counts", "exclude": "building block: out, and back later"},
    "reduce_method": {
        "none": "research: straight to takeover", "tier": "building block: IOC down to the next tier",
        "whole": "building block: the whole position at once", "slice": "building block: a share a step",
        "cure": "building block: what makes the shortage good (Drift)", "clips": "small clips",
    },
    "reduce_limit": {
        "band": "building block: the market's price band", "leave": "building block: what a sale must leave (Cube)",
        "liquidator": "building block: off the mark by a liquidator's fee (Drift)",
    },
    "takeover": {"network": "building block: at the mark (Vega)", "none": "nobody"},
    "liquidation_fee_base": {"collateral": "building block: what the sale leaves over (Drift)"},
    "adl_fee": {"maker": "the older rule of Bybit"},
    "adl_policy": {
        "none": "no ADL", "bitmex": "the published example", "bitget-leverage": "the other version of Bitget's page",
        "cube": "building block: a rank that knows the sign", "contract-pro-rata": "benchmark of the ADL papers",
        "wealth-pro-rata": "benchmark of the ADL papers", "min-max": "benchmark of the ADL papers",
        "risk-aware": "benchmark of the ADL papers", "hedge-aware": "net exposure first", "user": "a caller's function",
        "research-return": "variant", "research-balance": "variant", "research-pnl-ratio": "variant",
        "research-pnl-pro-rata": "variant", "research-equity-pro-rata": "variant", "research-mirror-descent": "variant",
    },
    "fund_unwind": {
        "slices": "building block: in parts", "at-once": "building block: sold as it is taken over",
        "disposal": "building block: bounded by the book (Vega)",
    },
    "socialise": {
        "winners": "building block: pro rata over open profits", "open-interest": "building block: by size (Drift)",
        "payouts": "building block: out of what winners are paid (Vega)", "day-winners": "Deribit",
    },
    "collateral_oracle": {
        "venue-spot": "what happened on 2025-10-10", "redemption": "announced for after it", "index": "the usual",
        "blend": "announced for after it",
    },
    "collateral_spot_price": {"last": "the usual", "mid": "building block: the middle of the spot book"},
    "adl_light": {"none": "no light is kept", "contracts": "BitMEX"},
    "contract_kind": {"inverse": "COIN-M, BitMEX, Deribit"},
    "value_rounding": {"per-lot": "BitMEX"},
    "tier_method": {"linear": "Deribit"},
    "cross_order": {"largest-loss": "research: the position with the largest loss first"},
}  # fmt: skip


class TestOverrides:
    @pytest.mark.parametrize("name", VENUES)
    def test_every_value_can_be_put_in_again_and_changes_nothing(self, name):
        """As a scenario would write it: the rules are the same, so is their fingerprint."""
        book = rulebook(name, LATEST)
        again = {key.removeprefix("*."): each.value for key, each in book.sources.items() if not key.startswith("*.")}
        assert rulebook(name, LATEST, again).fingerprint == book.fingerprint

    @pytest.mark.parametrize("name", VENUES)
    def test_every_rule_of_the_venue_can_be_changed(self, name):
        book = rulebook(name, LATEST)
        for key in [key for key in book.sources if "." not in key]:
            other = rulebook(name, LATEST, {key: another(key, book.sources[key].value)})
            assert other.fingerprint != book.fingerprint, key
            assert other.sources[key].sure == files.CHANGED

    @pytest.mark.parametrize("name", VENUES)
    def test_every_rule_of_the_markets_can_be_changed(self, name):
        book = rulebook(name, LATEST)
        for key in [key.removeprefix("*.") for key in book.sources if key.startswith("*.")]:
            value = another(key, book.sources[f"*.{key}"].value)
            every = rulebook(name, LATEST, {key: value})
            one = rulebook(name, LATEST, {f"{book.markets[0].symbol}.{key}": value})
            assert len({book.fingerprint, every.fingerprint, one.fingerprint}) == 3, key

    def test_the_contract_itself(self):
        book = rulebook("binance-usdm", LATEST, {"BTCUSDT.tick": 0.5, "BTCUSDT.tiers": [[1000, 0.01, 10]]})
        assert book.market("BTCUSDT").tick == Fraction(1, 2)
        assert len(book.market("BTCUSDT").tiers) == 1

    def test_what_there_is_not(self):
        with pytest.raises(ValueError, match="there is no market 'DOGE'"):
            rulebook("binance-usdm", LATEST, {"DOGE.taker_fee": 0})
        with pytest.raises(ValueError, match="fee is not a rule"):
            rulebook("binance-usdm", LATEST, {"fee": 0})
        with pytest.raises(ValueError, match="is a rule of the whole venue"):
            rulebook("binance-usdm", LATEST, {"BTCUSDT.adl_policy": "bitmex"})

    def test_sources_are_no_rules(self):
        """What a file says of a value is not in the fingerprint."""
        book = rulebook("binance-usdm", LATEST)
        assert book.changed().fingerprint == book.fingerprint
        assert book.sources["BTCUSDT.tiers"].sure == "live"
        assert book.sources["*.taker_fee"].era == "2019-09-13"


def another(key: str, value):
    """A value of a rule that is not this one."""
    if isinstance(value, str):
        members: type[IntEnum] = kinds.ENUMS[key]
        words = [member.name.lower().replace("_", "-") for member in members]
        return next(word for word in words if word != value)
    if isinstance(value, dict):
        return {name: number + 1 for name, number in value.items()}
    if isinstance(value, list):
        return value[:-1] or value * 2
    return value + 1 if key in kinds.COUNTS else 0.25 if value == 0.125 else 0.125


class TestText:
    @pytest.mark.parametrize("name", VENUES)
    def test_a_venue_is_told_whole(self, name):
        text = rules_text.tell(name, LATEST)
        for key in stated(name):
            scope, _, rule = key.rpartition(".")
            assert rule in text and (scope in text or scope == "*")

    def test_units_sources_and_signs(self):
        text = rules_text.tell("binance-usdm", "2025-10-10")
        lines = {line[2:].split()[0]: line for line in text.splitlines() if line[2:].split()}
        assert lines["funding_interval"].split()[1:4] == ["8", "h", "stated"]
        assert "0.02 %" in lines["maker_fee"] and lines["maker_fee"].startswith("~ ")
        assert lines["fund_unwind"].startswith("? ") and "unknown" in lines["fund_unwind"]
        assert "support FAQ 360033525471" in lines["adl_policy"] and lines["adl_policy"].endswith("[2019-09-13]")

    def test_one_market_has_its_own_rules_and_those_of_all(self):
        text = rules_text.tell("binance-usdm", "2026-06-01", "BTCUSDT")
        lines = {line[2:].split()[0]: line for line in text.splitlines() if line[2:].split()}
        assert "1.25 %" in lines["liquidation_fee"]
        assert "BTCUSDT" in text.splitlines() and "ETHUSDT" not in text.splitlines()
        assert "premium_period" in lines and "adl_policy" not in lines

    def test_a_difference_is_only_what_changes(self):
        _, found = rules_text.compare("binance-usdm", "2025-10-10", "BTCUSDT", "2025-12-01", None)
        assert found == []
        _, found = rules_text.compare("binance-usdm", "2026-04-30", "BTCUSDT", "2026-05-01", None)
        assert [each["rule"] for each in found] == ["tiers"]
        text = rules_text.tell_difference(("a", "b"), found)
        assert "- to          50,000:    0.4 %, 125x, deduction 0" in text
        assert "+ to         300,000:    0.4 %, 150x, deduction 0" in text

    def test_a_difference_between_venues(self):
        _, found = rules_text.compare("bybit", LATEST, None, None, "bitget")
        changed = {each["rule"]: each for each in found if each["scope"] == "*"}
        assert (changed["taker_fee"]["before"], changed["taker_fee"]["after"]) == (0.00055, 0.0006)
        assert "maker_fee" not in changed

    def test_json_has_every_value(self):
        data = rules_text.as_json("okx", LATEST)
        assert data["fingerprint"] == rulebook("okx", LATEST).fingerprint
        rows = {(row["scope"], row["rule"]): row for row in data["rules"]}
        assert len(rows) == len(stated("okx"))
        assert rows["*", "taker_fee"]["value"] == 0.0005
        assert rows["*", "taker_fee"]["sure"] == "third-party"


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(app, ["rules", *arguments])

    def test_the_list(self):
        lines = self.run().stdout
        assert all(name in lines for name in VENUES)
        assert [book["name"] for book in json.loads(self.run("--json").stdout)] == list(VENUES)

    def test_a_venue_a_difference_and_json(self):
        assert "era of 2025-09-18" in self.run("binance-usdm", "--date", "2025-10-10").stdout
        arguments = ("binance-usdm", "--date", "2025-10-10", "--diff", "2026-06-01", "--market", "BTCUSDT")
        assert "tiers" in self.run(*arguments).stdout
        changes = json.loads(self.run(*arguments, "--json").stdout)["changes"]
        assert "tiers" in [each["rule"] for each in changes]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("binance",), "no rulebook 'binance'; known: binance-coinm, "),
            (("binance-usdm", "--date", "2019-01-01"), "binance-usdm has no rules before 2019-09-13"),
            (("binance-usdm", "--date", "yesterday"), "date 'yesterday' is not of the form YYYY-MM-DD"),
            (("binance-usdm", "--market", "XBTUSD"), "binance-usdm has no market 'XBTUSD' on 2026-05-01; known: BTC"),
            (("binance-usdm", "--diff", "2018-01-01"), "binance-usdm has no rules before 2019-09-13"),
            (("okx", "--diff-venue", "okex"), "no rulebook 'okex'"),
            (("--date", "2025-10-10"), "name a venue; known: binance-coinm"),
        ],
    )
    def test_one_sentence_and_exit_code_2(self, arguments, sentence):
        done = self.run(*arguments)
        assert isinstance(done.exception, InputError)  # main() prints it and exits with 2
        assert sentence in str(done.exception)


class TestResults:
    """Rules changed by a scenario: what the results of the run say of it."""

    SCENARIO = '[venue]\nrulebook = "binance-usdm"\ndate = 2025-10-10\n[run]\nend = 10\n[tape]\nstore = "tape"\n'

    def run(self, folder, changes: str = "") -> dict:
        quiet_market(12).store(folder / "tape")
        file = parse((self.SCENARIO + changes).encode(), folder / "one.toml", folder)
        return outcomes.run(file, folder / "out")

    def test_as_published(self, tmp_path):
        summary = self.run(tmp_path)
        book = rulebook("binance-usdm", "2025-10-10")
        assert summary["rulebook"]["fingerprint"] == book.fingerprint
        assert (summary["rulebook"]["modified"], summary["rulebook"]["changes"]) == (False, {})
        assert "modified" not in tell(summary)

    def test_modified(self, tmp_path):
        changes = '[venue.rules]\nadl_price = "mark"\n[venue.markets.BTCUSDT]\ntiers = [[1_000, 0.01, 10]]\n'
        summary = self.run(tmp_path, changes)
        told = summary["rulebook"]
        keys = {"adl_price": "mark", "BTCUSDT.tiers": [[1_000, 0.01, 10]]}
        assert told["fingerprint"] == rulebook("binance-usdm", "2025-10-10", keys).fingerprint
        assert told["fingerprint"] != rulebook("binance-usdm", "2025-10-10").fingerprint
        assert (told["modified"], told["changes"]) == (True, keys)
        written = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert written["rulebook"] == told
        assert "modified: adl_price, BTCUSDT.tiers" in tell(summary)
        assert outcomes.verify(tmp_path / "out") == []

    def test_wrong_changes_name_the_key(self, tmp_path):
        for changes, sentence in (
            ("[venue.rules]\nfee = 1\n", "key venue.rules.fee: fee is not a rule"),
            ('[venue.markets.BTCUSDT]\nadl_price = "mark"\n', "key venue.markets.BTCUSDT.adl_price: is a rule of the"),
            ("[venue.markets.BTCUSDT]\ntick = 0.5\n", "the recording's tick is 0.1, that of BTCUSDT is 0.5"),
            ("[venue.markets.BTCUSDT]\ntick = 0\n", "key venue.rules: BTCUSDT"),
        ):
            with pytest.raises(InputError) as caught:
                self.run(tmp_path, changes)
            assert sentence in str(caught.value)
