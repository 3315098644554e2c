"""The example of 10 October: one path, five ways to price collateral."""

import runpy

import pytest


@pytest.fixture(scope="module")
def example(root) -> dict:
    return runpy.run_path(str(root / "examples" / "collateral_oracle.py"))


@pytest.mark.parametrize(
    ("oracle", "liquidated", "sold"),
    [
        ("venue-spot", 25, 500_000), ("venue-spot, floor 0.95", 0, 0), ("blend, half and half", 3, 60_000),
        ("index", 0, 0), ("redemption", 0, 0),
    ],
)  # fmt: skip
def test_who_is_liquidated_depends_on_the_oracle(example, oracle, liquidated, sold):
    result = example["run"](oracle)
    assert (result["liquidated"], result["sold"]) == (liquidated, sold)


def test_forced_sales_reach_the_book_that_prices_the_collateral(example):
    """The loop: what is sold for one account lowers what the others' collateral counts for."""
    own, index = (example["run"](oracle)["last"] for oracle in ("venue-spot", "index"))
    assert own < index


def test_its_table_is_printed(example, capsys):
    example["main"]()
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(example["ORACLES"])
