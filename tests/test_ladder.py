"""The sparse price array against a dict and a sorted list."""

import random
from bisect import bisect_left, bisect_right, insort

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perpsim.core.testing import LadderProbe

NONE = NO_PRICE = -1
CLUSTERS = (0, 63, 64, 4_095, 4_096, 64 * 64 - 1, 64**3 - 1, 64**3, 2**24, 2**24 + 17, 2**27)
PRICE_MAX = 2**27


class Plain:
    """What the ladder promises, said slowly."""

    def __init__(self):
        self.values: dict[int, int] = {}
        self.marked: list[int] = []

    def put(self, price, value):
        self.values[price] = value
        if price not in self.marked:
            insort(self.marked, price)

    def hide(self, price):
        if price in self.marked:
            self.marked.remove(price)

    def take(self, price):
        self.values.pop(price, None)
        self.hide(price)

    def get(self, price):
        return self.values.get(price, NONE)

    def next(self, price):
        at = bisect_left(self.marked, price)
        return self.marked[at] if at < len(self.marked) else NO_PRICE

    def previous(self, price):
        at = bisect_right(self.marked, price)
        return self.marked[at - 1] if at else NO_PRICE


def price_near(rng: random.Random) -> int:
    """Mostly near a few far-apart places, so that every level of the bitmap is crossed."""
    if rng.random() < 0.1:
        return rng.randrange(PRICE_MAX + 1)
    return min(PRICE_MAX, max(0, rng.choice(CLUSTERS) + rng.randrange(-70, 71)))


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_agree_with_a_sorted_list(seed):
    rng = random.Random(seed)
    ladder, plain = LadderProbe(PRICE_MAX), Plain()
    for number in range(4_000):
        price = price_near(rng)
        action = rng.choice(("put", "put", "hide", "take", "take"))
        for each in (ladder, plain):
            getattr(each, action)(price, *([number] if action == "put" else []))
        at = price_near(rng)
        assert ladder.get(at) == plain.get(at)
        assert ladder.is_marked(at) == (at in plain.marked)
        assert ladder.next(at) == plain.next(at), (action, price, at)
        assert ladder.previous(at) == plain.previous(at), (action, price, at)
        assert len(ladder) == len(plain.marked)
    walked, price = [], ladder.next(0)
    while price != NO_PRICE:
        walked.append(price)
        price = ladder.next(price + 1)
    assert walked == plain.marked


@given(st.sets(st.integers(0, PRICE_MAX), min_size=1, max_size=20), st.integers(-5, PRICE_MAX + 5_000))
def test_searches_from_anywhere(prices, at):
    ladder, plain = LadderProbe(PRICE_MAX), Plain()
    for price in prices:
        ladder.put(price, price)
        plain.put(price, price)
    assert ladder.next(at) == plain.next(at)
    assert ladder.previous(at) == plain.previous(at)


def test_an_empty_ladder_finds_nothing():
    ladder = LadderProbe(PRICE_MAX)
    for price in (-1, 0, 63, 64, PRICE_MAX, PRICE_MAX + 1):
        assert (ladder.next(price), ladder.previous(price)) == (NO_PRICE, NO_PRICE)
    assert (ladder.get(PRICE_MAX), ladder.is_marked(PRICE_MAX), len(ladder), ladder.pages) == (NONE, False, 0, 0)


def test_nothing_above_in_the_last_pages():
    ladder = LadderProbe(PRICE_MAX)
    ladder.put(64**3 - 100, 1)
    assert ladder.next(64**3 - 99) == NO_PRICE


def test_a_hidden_cell_keeps_its_value():
    ladder = LadderProbe(PRICE_MAX)
    ladder.put(1_000, 7)
    ladder.hide(1_000)
    assert (ladder.get(1_000), ladder.next(0), len(ladder)) == (7, NO_PRICE, 0)


def test_prices_far_apart_cost_two_pages():
    ladder = LadderProbe(2**34)
    ladder.put(0, 1)
    ladder.put(2**26, 2)
    assert (ladder.pages, ladder.next(1), ladder.previous(2**26 - 1)) == (2, 2**26, 0)


def test_a_price_beyond_the_limit_is_refused():
    ladder = LadderProbe(1_000)
    with pytest.raises(IndexError, match="above the ladder's limit 1000"):
        ladder.put(2_000, 1)
    assert len(ladder) == 0
