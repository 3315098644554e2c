"""Kinds of timer, numbered in the order in which they fire at equal times."""

MARK, FUNDING, PREMIUM, EXPIRY, LIQUIDATION, UNWIND = range(6)
RESILIENCE, IMPACT = 6, 7
FUND, DAY = 10, 11
ADL_LIGHT = 20
