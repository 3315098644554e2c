"""Numbers of scenario files: seconds and decimals, refused by the name of their key."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from perpsim.exchange.units import nanoseconds
from perpsim.replay.scenario import ScenarioFile


def decimal(file: ScenarioFile, key: str, number: int | float | str) -> Decimal:
    """A number of zero or more, as it is written."""
    try:
        value = Decimal(str(number))
    except InvalidOperation as error:
        raise file.wrong(key, f"{number!r} is no number") from error
    if not value.is_finite() or value < 0:
        raise file.wrong(key, f"{number!r} is impossible; zero or more")
    return value


def to_ns(file: ScenarioFile, key: str, seconds: int | float | str) -> int:
    """Seconds of a scenario in nanoseconds, at least 0."""
    try:
        duration = nanoseconds(seconds, "the number of seconds")
    except ValueError as error:
        raise file.wrong(key, str(error)) from error
    if duration < 0:
        raise file.wrong(key, f"{seconds} seconds are less than none")
    return duration


def positive_ns(file: ScenarioFile, key: str, seconds: int | float | str) -> int:
    """The same, at least 1."""
    duration = to_ns(file, key, seconds)
    if duration == 0:
        raise file.wrong(key, "must be longer than nothing")
    return duration
