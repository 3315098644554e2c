"""The core's divisions, products and sums against Python's integers, at the edges of 64 bits and at random."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from perpsim.core import testing as core

LOW, HIGH = -(2**63), 2**63 - 1
EDGES = sorted({
    sign * value + delta
    for value in (0, 1, 3, 7, 10**9, 10**18, 2**31, 2**32, 2**62, 2**63 - 1)
    for sign in (1, -1)
    for delta in (-1, 0, 1)
    if LOW <= sign * value + delta <= HIGH
})  # fmt: skip
words = st.one_of(st.sampled_from(EDGES), st.integers(LOW, HIGH))
positive = st.one_of(st.sampled_from([edge for edge in EDGES if edge > 0]), st.integers(1, HIGH))


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def agrees(found, wanted: int) -> None:
    """`found()` returns `wanted`, or raises OverflowError where that does not fit 64 bits."""
    if LOW <= wanted <= HIGH:
        assert found() == wanted
    else:
        with pytest.raises(OverflowError):
            found()


@given(words, words, positive)
@example(-9219238735854283444, 2802569234094234743, 1400656654617924231)  # magnitude 2**64 - 1 and a remainder
@example(LOW, LOW, HIGH)
@example(LOW, 1, 1)
@example(LOW, HIGH, HIGH)
def test_mul_div_floor_rounds_down_or_overflows(a, b, c):
    agrees(lambda: core.py_mul_div_floor(a, b, c), a * b // c)


@given(st.integers(2, 2**61), st.integers(0, HIGH), st.integers(0, 2), st.booleans())
def test_mul_div_floor_near_the_ends_of_64_bits(c, pick, near, negative):
    """Quotients close to 2**64 - 1 (the divide instruction succeeds, the result does not fit) and close to 2**63."""
    a = 2 * c + pick % (HIGH - 2 * c)
    b = ((2**64 - 1) * c // a, (2**64 * c - 1) // a, (2**63 * c - 1) // a)[near]
    a = -a if negative else a
    agrees(lambda: core.py_mul_div_floor(a, b, c), a * b // c)


@given(words, words, positive)
@example(HIGH, HIGH, HIGH)
def test_mul_div_ceil_rounds_up_or_overflows(a, b, c):
    if a == LOW or ceil_div(a * b, c) == LOW:  # refused whatever the result: LOW has no negative
        with pytest.raises(OverflowError):
            core.py_mul_div_ceil(a, b, c)
    else:
        agrees(lambda: core.py_mul_div_ceil(a, b, c), ceil_div(a * b, c))


@given(words, words.filter(bool))
def test_plain_divisions_round_as_they_say(a, b):
    if (a, b) == (LOW, -1):
        return  # no such quotient, and no caller divides by a negative number
    assert core.py_div_floor(a, b) == a // b
    assert core.py_div_ceil(a, b) == ceil_div(a, b)


def check_sums_and_products(a: int, b: int) -> None:
    agrees(lambda: core.py_add_checked(a, b), a + b)
    agrees(lambda: core.py_sub_checked(a, b), a - b)
    agrees(lambda: core.py_mul_checked(a, b), a * b)
    agrees(lambda: core.py_narrow_product(a, b), a * b)


def test_sums_and_products_at_the_edges():
    for a, b in itertools.product(EDGES, repeat=2):
        check_sums_and_products(a, b)


@given(words, words)
def test_sums_and_products_anywhere(a, b):
    check_sums_and_products(a, b)


@given(words, words)
def test_a_product_has_128_bits(a, b):
    high, low = core.py_wide_mul(a, b)
    assert (high << 64) + low == a * b


@given(words, positive)
def test_a_ratio_saturates(a, b):
    wanted = a * 10**9 // b
    if not LOW <= wanted <= HIGH:
        wanted = -HIGH if a < 0 else HIGH
    assert core.py_ratio_e9(a, b) == wanted


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_mixing_folds_the_whole_product(a, b):
    product = a * b
    assert core.py_mix64(a, b) == (product ^ (product >> 64)) & (2**64 - 1)
