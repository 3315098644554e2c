"""Numbers of scenario files: what they are, or a refusal that names their key."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from perpsim.exchange.units import exact, nanoseconds
from perpsim.replay.errors import InputError
from perpsim.replay.scenario import Number, ScenarioFile


@dataclass(frozen=True)
class Place:
    """A key of a scenario. What converts its value raises InputError for values that cannot be."""

    file: ScenarioFile
    key: str

    def under(self, name: str) -> Place:
        """A key of the table that this one is."""
        return Place(self.file, f"{self.key}.{name}")

    def ns(self, seconds: Number, negative: bool = False) -> int:
        """Seconds in nanoseconds, at least 0 unless they may be negative."""
        try:
            value = nanoseconds(seconds, "the number of seconds")
        except ValueError as error:
            raise self.wrong(str(error)) from error
        if value < 0 and not negative:
            raise self.wrong(f"{seconds} seconds are less than none")
        return value

    def positive_ns(self, seconds: Number) -> int:
        """Seconds in nanoseconds, at least 1."""
        value = self.ns(seconds)
        if value == 0:
            raise self.wrong("must be longer than nothing")
        return value

    def positive(self, number: Number, most: int | None = None) -> Fraction:
        """A number above 0, as it is written."""
        try:
            value = exact(number)
        except ValueError as error:
            raise self.wrong(str(error)) from error
        if value <= 0 or (most is not None and value > most):
            raise self.wrong("must be above 0" + (f" and at most {most}" if most is not None else ""))
        return value

    def decimal(self, number: Number) -> Decimal:
        """A number of 0 or more, as it is written."""
        try:
            value = Decimal(str(number))
        except InvalidOperation as error:
            raise self.wrong(f"{number!r} is no number") from error
        if not value.is_finite() or value < 0:
            raise self.wrong(f"{number!r} is impossible; zero or more")
        return value

    def wrong(self, message: str) -> InputError:
        """To be raised: the key and what is wrong with it."""
        return self.file.wrong(self.key, message)
