"""Ids that have come, against a plain set."""

import numpy as np
import pyarrow as pa
import pytest
from perpsim.replay.readers.csv_columns import UUID, id_number, numbers_in, whole_ids
from perpsim.replay.readers.ids import Ids


@pytest.mark.parametrize("seed", range(5))
def test_against_a_set(seed):
    rng = np.random.default_rng(seed)
    ids, seen = Ids(), set()
    for _ in range(60):
        block = rng.integers(0, 400, rng.integers(0, 12)) + 10**9
        repeated = 0
        for each in block.tolist():
            repeated += each in seen
            seen.add(each)
        assert ids.add(block) == repeated
        if seen:
            assert ids.missing == max(seen) - min(seen) + 1 - len(seen)
    assert (ids._first[1:] > ids._last[:-1] + 1).all()


def test_long_numbers_are_ids_as_they_are():
    """Two prints of a venue whose ids have 19 digits are two; UUIDs and longer numbers become others of 64 bits."""
    texts = ["2280000001739247420", "2280000001739247421", "9223372036854775807", "7", ""]
    assert [id_number(text) for text in texts] == [int(text or 0) for text in texts]
    assert id_number("9223372036854775808") < 2**63


def test_uuids_that_differ_in_one_digit_are_two_ids():
    """BitMEX's begin alike and count in the last digits, those of others are random; a column gives what each gives."""
    texts = [f"00000000-006d-1000-0000-00367d{each:06x}" for each in range(0x215623, 0x216623)]
    for place in [at for at, letter in enumerate(UUID) if letter != "-"]:
        texts += [f"{UUID[:place]}{digit:x}{UUID[place + 1 :]}" for digit in range(1, 8)]
    texts.append("19D7DF56-4F10-5290-A969-D9D9F2C74CC3")
    numbers = numbers_in(pa.array(texts))
    assert len(np.unique(numbers)) == len(texts)
    assert numbers.min() >= 0
    assert numbers.tolist() == [id_number(text) for text in texts] == numbers_in(pa.array([*texts, "x"]))[:-1].tolist()
    assert numbers_in(pa.array(texts)[7:9]).tolist() == numbers[7:9].tolist()


def test_other_texts_are_ids_of_63_bits():
    texts = [f"trade {each}" for each in range(1_000)] + ["z" * 36, "0x1f", "_1"]
    numbers = numbers_in(pa.array(texts))
    assert len(np.unique(numbers)) == len(texts)
    assert numbers.min() >= 0


def test_ids_that_are_counted_are_whole_numbers():
    texts = ["12", "007", "9223372036854775807", "9223372036854775808", "abc", "0x1f", "-5", "", "1.5", "+3", "1_0"]
    assert whole_ids(pa.array(texts)).tolist() == [12, 7, 2**63 - 1, *[-1] * 8]
    assert whole_ids(pa.array(texts[:3])).tolist() == [12, 7, 2**63 - 1]
    assert whole_ids(pa.array([], pa.string())).tolist() == []
