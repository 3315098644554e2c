"""Rulebooks: what a venue is, as data.

`rulebook(name, date)` reads `rulebooks/<name>.toml`, takes the era in force at the date, and returns a frozen
`Rulebook`; `Rulebook.market(symbol)` gives the `MarketSpec` that the core's Engine reads. All numbers inside are
integers in the core's units. A changed copy (`dataclasses.replace`, or overrides in a scenario) has its own
`fingerprint`.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import tomllib
from fractions import Fraction
from importlib import resources
from typing import Any

from perpsim.core import (
    AdlPolicy,
    AdlPrice,
    CrossOrder,
    FundUnwind,
    MarkMethod,
    QueueModel,
    ReduceLimit,
    ReduceMethod,
    Socialise,
    TapeWalk,
)

from .units import RATE_ONE, VALUE_ONE, exact, money, nanoseconds, rate

POSITION_NOTIONAL_MAX = 1 << 61
LOTS_MAX = (1 << 38) - 1  # what the core's order record holds
PRICE_MULTIPLE = 8  # prices up to 8 times the reference price can be represented at least


@dataclasses.dataclass(frozen=True)
class Tier:
    """A marginal bracket: maintenance(V) = V * rate - deduction for V up to cap."""

    cap: int
    rate: int
    deduction: int
    leverage_max: int


@dataclasses.dataclass(frozen=True)
class MarketSpec:
    """One market as the core reads it: contract, tiers, fees, bands, mark and funding. Units as in perpsim.core."""

    symbol: str
    tick_value: int
    lot_numerator: int
    lot_denominator: int
    price_max: int
    position_max: int
    tiers: tuple[Tier, ...]
    asset: int = 0
    fund_group: int = 0
    queue_model: int = QueueModel.BEHIND_FIRST
    tape_walk: int = TapeWalk.DEEPER
    maker_fee: int = 0
    taker_fee: int = 0
    liquidation_fee: int = 0
    band_up: int = 0
    band_down: int = 0
    market_bound: int = 0
    trigger_protect: int = 0
    min_notional: int = 0
    size_max: int = 0
    max_orders: int = 200
    max_conditional: int = 10
    leverage_default: int = 20
    mark_method: int = MarkMethod.GIVEN
    mark_period_ns: int = 0
    basis_samples: int = 0
    funding_interval_ns: int = 0
    premium_period_ns: int = 0
    interest_rate: int = 0
    funding_inner: int = 0
    funding_cap: int = 0
    impact_notional: int = 0
    volatility: int = RATE_ONE

    @property
    def tick(self) -> Fraction:
        """Price of one tick in the quote."""
        return Fraction(self.tick_value, VALUE_ONE)

    @property
    def lot(self) -> Fraction:
        """Base units of one lot."""
        return Fraction(self.lot_numerator, self.lot_denominator)


@dataclasses.dataclass(frozen=True)
class Rulebook:
    """A venue's rules in force at one date, with the markets that its file describes."""

    name: str
    date: str
    era: str
    markets: tuple[MarketSpec, ...]
    liquidation_period_ns: int = 0
    liquidation_delay_ns: int = 0
    reduce_method: int = ReduceMethod.TO_SAFE
    reduce_limit: int = ReduceLimit.BANKRUPTCY
    reduce_slice: int = 0
    fund_notional_cap: int = 0
    fund_unwind: int = FundUnwind.HOLD
    fund_unwind_period_ns: int = 0
    fund_unwind_slice: int = 0
    adl_policy: int = AdlPolicy.NONE
    adl_price: int = AdlPrice.BANKRUPTCY
    socialise: int = Socialise.NONE
    cross_order: int = CrossOrder.LARGEST_MAINTENANCE

    def market(self, symbol: str) -> MarketSpec:
        """The specification of one market. Raises KeyError with the known symbols."""
        for spec in self.markets:
            if spec.symbol == symbol:
                return spec
        known = ", ".join(spec.symbol for spec in self.markets)
        raise KeyError(f"{self.name} has no market {symbol!r}; known: {known}")

    @property
    def fingerprint(self) -> str:
        """Hash of every value: two runs with equal fingerprints had equal rules."""
        values = json.dumps(dataclasses.asdict(self), sort_keys=True, default=int)
        return hashlib.sha256(values.encode()).hexdigest()[:16]

    def changed(self, market_changes: dict[str, Any] | None = None, **changes: Any) -> Rulebook:
        """A copy with venue-wide `changes` and, in every market, `market_changes` (integers in the core's units)."""
        markets = tuple(dataclasses.replace(m, **(market_changes or {})) for m in self.markets)
        return dataclasses.replace(self, markets=markets, **changes)


ENUMS = {
    "reduce_method": ReduceMethod,
    "reduce_limit": ReduceLimit,
    "fund_unwind": FundUnwind,
    "adl_policy": AdlPolicy,
    "adl_price": AdlPrice,
    "socialise": Socialise,
    "cross_order": CrossOrder,
    "mark_method": MarkMethod,
    "queue_model": QueueModel,
    "tape_walk": TapeWalk,
}
RATES = {
    "maker_fee", "taker_fee", "liquidation_fee", "band_up", "band_down", "market_bound", "trigger_protect",
    "interest_rate", "funding_inner", "funding_cap", "volatility", "reduce_slice", "fund_notional_cap",
    "fund_unwind_slice",
}  # fmt: skip
MONEY = {"min_notional", "impact_notional"}
SECONDS = {
    "liquidation_period", "liquidation_delay", "fund_unwind_period", "mark_period", "funding_interval",
    "premium_period",
}  # fmt: skip
COUNTS = {"max_orders", "max_conditional", "leverage_default", "basis_samples", "size_max", "fund_group"}


def parse_value(key: str, value: Any) -> tuple[str, int]:
    """One rule as a file or a scenario writes it -> (field name, integer). Raises ValueError with the key."""
    if isinstance(value, dict):
        value = value["value"]
    if key in ENUMS:
        names = {member.name.lower(): member for member in ENUMS[key]}
        if not isinstance(value, str) or value.replace("-", "_") not in names:
            raise ValueError(f"{key}: {value!r} is not one of {', '.join(n.replace('_', '-') for n in names)}")
        return key, int(names[value.replace("-", "_")])
    if key in RATES:
        return key, rate(value, key)
    if key in MONEY:
        return key, money(value, key)
    if key in SECONDS:
        return f"{key}_ns", nanoseconds(value, key)
    if key in COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{key}: {value!r} is not a whole number")
        return key, value
    raise ValueError(f"{key} is not a rule; known: {', '.join(sorted({*ENUMS, *RATES, *MONEY, *SECONDS, *COUNTS}))}")


def parse_tiers(rows: list[list[Any]]) -> tuple[Tier, ...]:
    """[cap, maintenance rate, leverage] rows -> tiers.

    The deductions are computed: cum_n = cum_{n-1} + floor_n * (m_n - m_{n-1}).
    """
    tiers: list[Tier] = []
    floor = deduction = before = 0
    for number, (cap, maintenance, leverage) in enumerate(rows, 1):
        now = rate(maintenance, f"tier {number} rate")
        step = floor * (now - before)
        if step % RATE_ONE:
            raise ValueError(f"tier {number}: its deduction is not a whole number of 1e-8 units")
        deduction += step // RATE_ONE
        tiers.append(Tier(money(cap, f"tier {number} cap"), now, deduction, int(leverage)))
        floor, before = tiers[-1].cap, now
    return tuple(tiers)


def contract(symbol: str, tick: Any, lot: Any, price_reference: Any, **fields: Any) -> MarketSpec:
    """A linear market from its tick, its lot and a price of the right magnitude; sizes the numeric limits to fit."""
    tick_value, lot_size = money(tick, f"{symbol} tick"), exact(lot, f"{symbol} lot")
    tick_lot_money = tick_value * lot_size
    if tick_lot_money.denominator != 1:
        raise ValueError(f"{symbol}: a tick of one lot is not a whole number of 1e-8 units; take a larger lot or tick")
    price_max = int(exact(price_reference) * VALUE_ONE * PRICE_MULTIPLE) // tick_value
    position_max = min(POSITION_NOTIONAL_MAX // (price_max * int(tick_lot_money)), LOTS_MAX)
    fields.setdefault("size_max", position_max)
    fields["size_max"] = min(fields["size_max"] or position_max, position_max)
    return MarketSpec(
        symbol=symbol, tick_value=tick_value, lot_numerator=lot_size.numerator, lot_denominator=lot_size.denominator,
        price_max=price_max, position_max=position_max, **fields,
    )  # fmt: skip


def names() -> list[str]:
    """The rulebooks that ship with the package."""
    folder = resources.files("perpsim.exchange.rulebooks")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def rulebook(name: str, date: str | datetime.date) -> Rulebook:
    """The rulebook of a venue as it was on `date` (ISO). Raises KeyError or ValueError with what is known."""
    if name not in names():
        raise KeyError(f"no rulebook {name!r}; known: {', '.join(names())}")
    try:
        day = datetime.date.fromisoformat(str(date))
    except ValueError:
        raise ValueError(f"date {date!r} is not of the form YYYY-MM-DD") from None
    text = (resources.files("perpsim.exchange.rulebooks") / f"{name}.toml").read_text("utf-8")
    book = tomllib.loads(text)
    eras = [era for era in book["era"] if datetime.date.fromisoformat(str(era["from"])) <= day]
    if not eras:
        raise ValueError(f"{name} has no rules before {book['era'][0]['from']}")
    merged: dict[str, Any] = {"venue": {}, "market": {}, "contract": {}}
    for era in eras:  # later eras change single values
        merged["venue"] |= era.get("venue", {})
        merged["market"] |= era.get("market", {})
        for symbol, fields in era.get("contract", {}).items():
            merged["contract"].setdefault(symbol, {}).update(fields)
    venue = dict(parse_value(key, value) for key, value in merged["venue"].items())
    markets = tuple(parse_market(symbol, merged["market"] | fields) for symbol, fields in merged["contract"].items())
    return Rulebook(name=name, date=day.isoformat(), era=str(eras[-1]["from"]), markets=markets, **venue)


def parse_market(symbol: str, fields: dict[str, Any]) -> MarketSpec:
    """One market's table of a rulebook file."""
    rest = dict(fields)
    tick, lot, reference, rows = (rest.pop(key) for key in ("tick", "lot", "price_reference", "tiers"))
    parsed = dict(parse_value(key, value) for key, value in rest.items())
    return contract(symbol, tick, lot, reference, tiers=parse_tiers(rows), **parsed)
