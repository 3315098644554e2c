"""Numbers from text to integers: exact for any count of decimals, refused when they are none."""

import random
from decimal import Decimal

import numpy as np
import orjson
import pytest
from perpsim.replay import catalogue, decimals
from perpsim.replay.errors import InputError


def test_instrument_facts_are_checked():
    for facts in (("linear", "0", "1"), ("linear", "0.1", "-1"), ("linear", 0.1, "1"), ("linear", "1e-3", "1")):
        with pytest.raises(InputError, match="must be a positive decimal"):
            catalogue.Instrument("v", "S", *facts)
    with pytest.raises(InputError, match="must be one of"):
        catalogue.Instrument("v", "S", "option", "1", "1")
    steps = {text: catalogue.step(text) for text in ("0.10", "0.25", "10", "1.0", "0.00001")}
    assert steps == {"0.10": (1, 1), "0.25": (25, 2), "10": (10, 0), "1.0": (1, 0), "0.00001": (1, 5)}


def test_numbers_of_any_length_are_exact():
    for texts in (
        ["0.1", "1234567890123.00000000"],
        ["1.23456789012", "2"],
        ["-0.00002760"],
        ["922337203685477580.7"],
        [],
    ):
        numbers = decimals.from_strings(texts)
        assert values(numbers) == [Decimal(text) for text in texts]
        assert [Decimal(decimals.text_of(numbers, index)) for index in range(len(texts))] == values(numbers)
    for texts in (
        ["1", "1.0x"],
        ["1", ""],
        ["1", " 2"],
        ["1", "\u0669"],
        ["1", "9" * 30],
        ["1", "NaN"],
        ["1", "0.1.2"],
    ):
        with pytest.raises(decimals.NotDecimal) as caught:
            decimals.from_strings(texts)
        assert caught.value.index == 1


def values(numbers: decimals.Fixed) -> list[Decimal]:
    return [Decimal(mantissa).scaleb(-numbers.decimals) for mantissa in numbers.mantissa.tolist()]


def test_steps_are_exact():
    numbers = decimals.from_strings(["0.3", "0.35", "-0.1", "1000000000"])
    steps, off = decimals.in_steps(numbers, *catalogue.step("0.1"))
    assert (steps.tolist(), off.tolist()) == ([3, 3, -1, 10**10], [False, True, False, False])
    steps, off = decimals.in_steps(decimals.Fixed(np.array([1, 2**62]), 0), *catalogue.step("0.05"))
    assert (steps[0], off.tolist()) == (20, [False, True])


@pytest.mark.parametrize("seed", range(20))
def test_level_lists_are_exact(seed):
    """Random lists of levels, from the fast road, against decimals read one by one."""
    chance = random.Random(seed)
    places = chance.choice([0, 1, 2, 8]), chance.choice([0, 3, 8])

    def number(decimal_places: int) -> str:
        return str(Decimal(chance.randrange(10**14)).scaleb(-decimal_places))

    sides = [[[number(places[0]), number(places[1])] for _ in range(chance.choice([0, 1, 3]))] for _ in range(50)]
    for lists in (sides, [[]] * 3):
        found = decimals.from_level_lists([orjson.dumps(side) for side in lists])
        assert found.counts.tolist() == [len(side) for side in lists]
        for column, numbers in enumerate((found.price, found.size)):
            assert values(numbers) == [Decimal(level[column]) for side in lists for level in side]


@pytest.mark.parametrize(
    "text",
    [
        '[["1.0","2"],["1","2"]]',
        '[["1.0","2"],["1.00","2"]]',
        '[["1.0", "2"]]',
        '[["1.0","-2"]]',
        '[["1.0","2"],["1.0",""]]',
        '[["1.0","2"],["1.","2"]]',
        '[["1.0","2"],["1.0","2"],[]]',
        '[["1.0","2"],["1.0","2","3"]]',
        '[["1.0","2"],["1.0"]]',
        '[["1.0","2"],{"1.0":"2"}]',
        '[["1.0","2"],["1.0",2]]',
        '[["1.0","1111111111111111111"]]',
        "[ ]",
        "null",
    ],
)
def test_other_layouts_leave_the_fast_road(text):
    assert decimals.from_level_lists([b'[["1.0","2"]]', b"[]", text.encode()]) is None
