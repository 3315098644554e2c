"""Every question of bench/ at its small size. Each checks its own outcome, and ends with SystemExit if it is wrong."""

import importlib
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import ON_REQUEST, QUESTIONS, RESULTS
from bench.flow import report
from bench.harness import SEED, Result

BENCH = Path(RESULTS).parent
HELPERS = {"__init__", "__main__", "crowd", "flow", "harness", "scan"}


def ask(question: str, seed: int = SEED) -> Result:
    module = importlib.import_module(f"bench.{question}")
    return module.measure(seed, **module.SMALL)


@pytest.mark.parametrize("question", [*QUESTIONS, *ON_REQUEST])
def test_a_question_is_asked_in_two_sizes(question):
    module = importlib.import_module(f"bench.{question}")
    assert module.__doc__.split("\n\n")[0].endswith("?")
    assert module.SMALL.keys() == module.LARGE.keys()


def test_every_file_is_a_question_or_helps_one():
    assert {path.stem for path in BENCH.glob("*.py")} == {*QUESTIONS, *ON_REQUEST, *HELPERS}


@pytest.mark.parametrize("question", sorted({*QUESTIONS, "day"} - {"slide"}))
def test_small_size(question):
    figures, details, digest = ask(question)
    assert figures and all(len(values) > 0 for values in figures.values())
    assert details
    assert re.fullmatch("[0-9a-f]{64}", digest)


@pytest.mark.parametrize("seed", [1, 2])
def test_slide_finds_whom_a_full_scan_finds(seed):
    details = ask("slide", seed).details
    assert details["looks"] >= details["liquidations"] > 10


def test_gap_liquidates_the_chosen_by_book_and_fund():
    details, digest = ask("gap", 3)[1:]
    assert details["liquidated"] == 40
    assert details["lots_filled"] > details["lots_taken_over"] > 0
    assert ask("gap", 3).digest == digest != ask("gap", 4).digest


def random_flow(count: int, seed: int) -> tuple[np.ndarray, dict]:
    """A flow in the form that bench/flow.py takes, and what a plain book makes of it."""
    rng = np.random.default_rng(seed)
    flow = np.zeros(count, [("op", "u1"), ("order_id", "i8"), ("side", "u1"), ("price_tick", "i4"), ("qty", "i4")])
    live: OrderedDict[int, list[int]] = OrderedDict()  # id: side, price, size, in order of arrival
    trades, volume = 0, 0
    for number in range(count):
        side, away, size = int(rng.integers(2)), int(rng.integers(1, 20)), int(rng.integers(1, 50))
        makers = [order for order, (its_side, _, _) in live.items() if its_side != side]
        makers.sort(key=lambda order: live[order][1], reverse=side == 1)  # stable: best price, then oldest
        draw = rng.random()
        if draw < 0.25 and live:
            order_id = int(rng.choice(list(live)))
            flow[number] = (1, order_id, *live.pop(order_id))
        elif draw < 0.4 and makers:
            limit = live[makers[-1]][1]
            size = left = min(size, sum(live[order][2] for order in makers))
            flow[number] = (2, number, side, limit, size)
            for order in makers:
                filled = min(left, live[order][2])
                trades, volume, left = trades + (filled > 0), volume + filled, left - filled
                live[order][2] -= filled
                if live[order][2] == 0:
                    del live[order]
        else:
            price = 100_000 - away if side == 0 else 100_000 + away
            live[number] = [side, price, size]
            flow[number] = (0, number, side, price, size)
    bids = [price for side, price, _ in live.values() if side == 0]
    asks = [price for side, price, _ in live.values() if side == 1]
    best = {"best_bid": max(bids), "best_ask": min(asks)}
    return flow, {"trades": trades, "volume": volume, "live_end": len(live), **best}


@pytest.mark.parametrize("margined", [False, True])
def test_flow_matches_a_plain_book(margined):
    flow, wanted = random_flow(1_500, seed=7)
    answer = report(flow, margined, passes=1, batch=100)
    assert {name: answer[name] for name in wanted} == wanted
    assert answer["trade_hash"] == report(flow, not margined, passes=1, batch=1_000)["trade_hash"]


def test_results_are_rows_of_one_table():
    rows = [line for line in RESULTS.read_text().splitlines() if line.startswith("|")]
    width = rows[0].count("|")
    assert len(rows) >= 2  # the head
    for line in rows:
        assert line.count("|") == width, line
