"""Decimal text to integers, many at a time and exactly: no float is involved.

A column is a `Fixed`: int64 mantissas and one count of decimals for all. `in_steps` turns it into ticks or lots.
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

DECIMALS = 8  # what venues print at most; other counts are met by a second attempt
LEVEL = re.compile(rb'\["([0-9]{1,18}(?:\.[0-9]*)?)","([0-9]{1,18}(?:\.[0-9]*)?)"\]')
DIGITS = b"0123456789"
DIGITS_MAX = 18  # always fits int64


class Fixed(NamedTuple):
    """n numbers of value mantissa / 10**decimals."""

    mantissa: np.ndarray
    decimals: int


NO_NUMBERS = Fixed(np.zeros(0, np.int64), 0)


class NotDecimal(ValueError):
    """The text at `index` of the list is no decimal number that fits 64 bits."""

    def __init__(self, index: int, text: str):
        super().__init__(f"{text!r} is not a decimal number of at most {DIGITS_MAX} digits")
        self.index = index


class Levels(NamedTuple):
    """Price levels of m lists, one after the other: `counts` has m entries, the two columns their sum."""

    counts: np.ndarray
    price: Fixed
    size: Fixed


def from_strings(texts: list[str]) -> Fixed:
    """Decimal strings, signs and any number of decimals allowed; raises NotDecimal."""
    column = _strings(texts)
    found = _scaled(column, DECIMALS)
    if found is None:  # more decimals, or more digits in front: fit the scale to the texts
        found = _scaled(column, max((len(text.partition(".")[2].rstrip("0")) for text in texts), default=0))
    if found is None:
        index = next((i for i, text in enumerate(texts) if _scaled(_strings([text]), DECIMALS) is None), 0)
        raise NotDecimal(index, texts[index])
    return found


def _strings(texts: list[str]) -> pa.Array:
    """As pa.array(texts), which would import pandas where it is installed, and that takes longer than a whole file."""
    data = "".join(texts).encode("ascii", "replace")
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, texts), np.int32, len(texts)), out=offsets[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))


def _scaled(column: pa.Array, decimals: int) -> Fixed | None:
    try:
        wide = column.cast(pa.decimal128(38, min(decimals, DIGITS_MAX)))
    except pa.ArrowInvalid:
        return None
    halves = np.frombuffer(wide.buffers()[1], np.int64, 2 * len(wide), wide.offset * 16).reshape(-1, 2)
    low, high = halves[:, 0], halves[:, 1]
    return Fixed(low.copy(), min(decimals, DIGITS_MAX)) if np.array_equal(high, low >> 63) else None


def from_level_lists(lists: list[bytes]) -> Levels | None:
    """Levels of JSON lists written as venues write them: [["28145.10","0.001"],...], no spaces, no signs.

    All prices have one number of decimals and all sizes one (possibly another). None when the text is anything else:
    the caller then takes the slow road, which says what is wrong. Nothing is assumed: every character that is no
    digit is compared with the layout of the first level, and every decimal point has its place checked.
    """
    counts = np.fromiter((text.count(b'"') for text in lists), np.int64, len(lists)) // 4
    filled = [text for text in lists if text != b"[]"]
    joined = b",".join(filled)
    first = LEVEL.search(joined)
    if first is None:
        return None if filled else Levels(counts, NO_NUMBERS, NO_NUMBERS)
    unit = first.group().translate(None, DIGITS)
    if joined.translate(None, DIGITS) != _skeleton(counts[counts > 0].tolist(), unit):
        return None
    decimals = _decimals(joined, [b"." in text for text in first.groups()])
    if decimals is None:
        return None
    numbers = np.fromstring(joined.translate(None, b'[]".'), np.int64, sep=",").reshape(-1, 2)
    return Levels(counts, Fixed(numbers[:, 0], decimals[0]), Fixed(numbers[:, 1], decimals[1]))


def _skeleton(counts: list[int], unit: bytes) -> bytes:
    """What is left of the joined lists without their digits, if each has so many levels of that layout."""
    known = {count: b"[" + b",".join([unit] * count) + b"]" for count in set(counts)}
    return b",".join([known[count] for count in counts])


def _decimals(joined: bytes, dotted: list[bool]) -> list[int] | None:
    """The count of decimals of prices and of sizes; None if it varies, or if a text is empty or too long."""
    text = np.frombuffer(joined, np.uint8)
    quotes = np.flatnonzero(text == ord('"')).reshape(-1, 4)
    dots = np.flatnonzero(text == ord(".")).reshape(len(quotes), -1)
    found = []
    for column in range(2):
        start, end = quotes[:, 2 * column], quotes[:, 2 * column + 1]
        width = end - start - 1
        if width.min() < 1 or width.max() > DIGITS_MAX:
            return None
        if not dotted[column]:
            found.append(0)
            continue
        places = end - dots[:, sum(dotted[:column])] - 1
        if places[0] < 1 or (places != places[0]).any():
            return None
        found.append(int(places[0]))
    return found


def in_steps(numbers: Fixed, units: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """(count of steps rounded down, whether the number is off the grid) for a step of units / 10**decimals.

    Two arrays of n: int64 and bool. A number too large to be scaled counts as off the grid.
    """
    if numbers.decimals >= decimals:
        scaled, divisor = numbers.mantissa, units * 10 ** (numbers.decimals - decimals)
        too_large = False
    else:
        factor, divisor = 10 ** (decimals - numbers.decimals), units
        too_large = np.abs(numbers.mantissa) > np.iinfo(np.int64).max // factor
        scaled = np.where(too_large, 0, numbers.mantissa) * factor
    if divisor == 1:
        return scaled, np.zeros(len(scaled), bool) | too_large
    steps = scaled // divisor
    return steps, (steps * divisor != scaled) | too_large


def text_of(numbers: Fixed, index: int) -> str:
    """The number at index as people write it, for messages."""
    mantissa = int(numbers.mantissa[index])
    whole, fraction = divmod(abs(mantissa), 10**numbers.decimals)
    places = f"{fraction:0{numbers.decimals}d}".rstrip("0") if numbers.decimals else ""
    return ("-" if mantissa < 0 else "") + str(whole) + ("." + places if places else "")
