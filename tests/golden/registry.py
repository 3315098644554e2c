"""Which function answers which formula.

An adapter is a function (inputs) -> outputs, both as JSON has them. It turns numbers into integers of some unit, calls
the product's own code and turns the answer back (Fraction, Decimal, int or float). It never computes a formula itself.
Every module of this folder may hold adapters; loading it registers them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from perpsim.exchange.units import exact, on_grid

Adapter = Callable[[dict[str, Any]], dict[str, Any]]
NO_ADAPTERS = {"__main__", "registry", "runner", "known"}

_formulas: dict[str, Adapter] = {}
_spare: dict[str, Adapter] = {}


class NotApplicable(Exception):
    """The product has no answer to this case, and the text says why."""


class Inputs(dict):
    """The inputs of a case, or an object in them; a name that is not there makes the case not applicable."""

    def __missing__(self, key: str) -> Any:
        raise NotApplicable(f"the case has no input {key!r}")


def formula(*names: str, spare: bool = False) -> Callable[[Adapter], Adapter]:
    """Registers an adapter for formulas; a spare one where there is no other. Raises ValueError for a second one."""

    def register(adapter: Adapter) -> Adapter:
        for name in names:
            if spare:
                _spare[name] = adapter
                continue
            if name in _formulas and _formulas[name].__qualname__ != adapter.__qualname__:
                raise ValueError(f"{name} has two adapters: in {_formulas[name].__module__} and {adapter.__module__}")
            _formulas[name] = adapter
        return adapter

    return register


def load() -> dict[str, Adapter]:
    """Every adapter of this folder, by formula."""
    package = importlib.import_module(__package__)
    for module in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
        if module not in NO_ADAPTERS:
            importlib.import_module(f"{__package__}.{module}")
    return _spare | _formulas


def units(number: Any, one: int, what: str = "number") -> int:
    """A number as an integer, `one` of which make 1. Raises ValueError for what is finer."""
    return on_grid(number, Fraction(1, one), what)


def nearest(number: Any, one: int, what: str = "number") -> int:
    """A number that has no end, as the nearest integer, `one` of which make 1."""
    return round(exact(number, what) * one)
