"""Divisions that say how they round. Python's integers do not overflow, so nothing here can."""


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def trunc_div(a: int, b: int) -> int:
    """Toward zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def part_of(whole: int, part: int, of: int) -> int:
    """whole * part / of, toward zero, for 0 < part <= of."""
    return trunc_div(whole * part, of)


def clamp(low: int, value: int, high: int) -> int:
    return max(low, min(high, value))
