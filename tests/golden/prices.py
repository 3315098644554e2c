"""Index, marks and funding: the cases of the price rules, by the formulas that the engine uses."""

from __future__ import annotations

import datetime
from fractions import Fraction
from typing import Any

from perpsim.core import formulas_prices as prices
from perpsim.exchange.units import exact

from .registry import Inputs, formula, nearest

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
FINE = 10**15  # rates of these cases: as fine as 64 bits allow
VALUE = 10**8
BOUND = 1 << 60


def scale(*numbers: Any) -> int:
    """A unit as fine as fits: so many make 1 of the largest of the numbers."""
    one, most = 10**15, max(abs(exact(n)) for n in numbers)
    while one > 1 and most * one >= BOUND:
        one //= 10
    return one


def instant(text: str) -> int:
    """ns since the epoch of an ISO time."""
    moment = datetime.datetime.fromisoformat(text)
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000


@formula("mark_funding_basis")
def mark_funding_basis(given: Inputs) -> dict[str, Any]:
    one = scale(given["index"])
    index = nearest(given["index"], one)
    interval = nearest(given.get("N", 8), HOUR)
    rate = nearest(given["F"], FINE)
    basis = prices.basis_of_funding(index, rate, FINE, nearest(given["t_left_h"], HOUR), interval)
    return {"mark": Fraction(index + basis, one)}


@formula("bitmex_fair")
def bitmex_fair(given: Inputs) -> dict[str, Any]:
    one = 10**10
    index, rate = nearest(given["index"], one), nearest(given["F"], FINE)
    left = prices.left_of_interval(instant(given["now"]), instant(given["funding_ts"]), 60 * SECOND)
    basis = prices.basis_of_funding(index, rate, FINE, left, 8 * HOUR, one // 100)
    return {
        "fair_basis": Fraction(basis, one), "fair_price": Fraction(index + basis, one),
        "fair_basis_rate": Fraction(prices.yearly_rate(rate, 8 * HOUR), FINE),
    }  # fmt: skip


@formula("funding_bn")
def funding_bn(given: Inputs) -> dict[str, Any]:
    """Binance: interest 0.01 %, dead band 0.05 %, eight hours, where the case does not say otherwise."""
    interest, inner = nearest(given.get("I", "0.0001"), FINE), nearest(given.get("inner", "0.0005"), FINE)
    rate = prices.rate_with_dead_band(nearest(given["P"], FINE), interest, inner)
    rate = prices.scaled_rate(rate, nearest(given.get("N", 8), HOUR), 8 * HOUR)
    if "cap" in given:
        rate = prices.capped_rate(rate, nearest(given["cap"], FINE))
    return {"F": Fraction(rate, FINE)}


@formula("funding_interest")
def funding_interest(given: Inputs) -> dict[str, Any]:
    quote, base = nearest(given["q"], FINE), nearest(given["b"], FINE)
    return {"I": Fraction(prices.interest(quote, base, int(given.get("intervals", 3))), FINE)}


@formula("funding_deribit")
def funding_deribit(given: Inputs) -> dict[str, Any]:
    one = scale(given["mark"], given["index"])
    premium = prices.relative_to_index(nearest(given["mark"], one), nearest(given["index"], one), FINE)
    rate = prices.rate_with_damper(premium, nearest(given["damper"], FINE))
    rate = prices.capped_rate(rate, nearest(given["cap"], FINE))
    answer = {"F": Fraction(rate, FINE)}
    if "pos" in given:
        unit = scale(given["pos"])
        time = nearest(given["minutes"], 60 * SECOND)
        paid = prices.funding_payment_of_time(nearest(given["pos"], unit), rate, FINE, time, 8 * HOUR)
        answer["payment"] = Fraction(paid, unit)
    return answer


@formula("bitmex_caps")
def bitmex_caps(given: Inputs) -> dict[str, Any]:
    initial, maintenance = nearest(given["IM"], FINE), nearest(given["MM"], FINE)
    factor = nearest("0.75", FINE)
    return {
        "F_cap": Fraction(prices.cap_of_margin(factor, initial - maintenance, FINE), FINE),
        "dF_cap": Fraction(prices.cap_of_margin(factor, maintenance, FINE), FINE),
    }


@formula("imn")
def imn(given: Inputs) -> dict[str, Any]:
    margin = nearest(given.get("margin", 200), VALUE)
    return {"IMN": Fraction(prices.impact_notional(margin, int(given["max_lev"])), VALUE)}


@formula("index_clamp")
def index_clamp(given: Inputs) -> dict[str, Any]:
    one = scale(given["median"])
    price = nearest(exact(given["median"]) * (1 + exact(given["dev"])), one)
    used = prices.held_to_median(price, nearest(given["median"], one), nearest(given["band"], 10**9))
    return {"used_price": Fraction(used, one)}


@formula("index_weighted")
def index_weighted(given: Inputs) -> dict[str, Any]:
    one = scale(*given["prices"])
    weights = [nearest(weight, 10**12) for weight in given["weights"]]
    return {"index": Fraction(prices.mean_by_weight([nearest(p, one) for p in given["prices"]], weights), one)}


@formula("deribit_old_mark")
def deribit_old_mark(given: Inputs) -> dict[str, Any]:
    one = scale(given["bid"], given["ask"], given["last"])
    three = (nearest(given[name], one) for name in ("bid", "ask", "last"))
    return {"mark": Fraction(prices.median_of_three(*three), one)}


@formula("hl_funding")
def hl_funding(given: Inputs) -> dict[str, Any]:
    """Hyperliquid: dead band 0.05 %, an eighth each hour, at most 4 % an hour, on the oracle's notional."""
    inner, cap = nearest("0.0005", FINE), nearest("0.04", FINE)
    rate = prices.rate_with_dead_band(nearest(given["avg_premium"], FINE), nearest(given["interest_8h"], FINE), inner)
    hourly = prices.capped_rate(prices.scaled_rate(rate, HOUR, 8 * HOUR), cap)
    notional = exact(given["position"]) * exact(given["oracle"])
    one = scale(notional)
    paid = prices.funding_payment(nearest(notional, one), hourly, FINE)
    return {"rate_8h": Fraction(rate, FINE), "hourly_payment_long_pays": Fraction(paid, one)}


@formula("hl_ema")
def hl_ema(given: Inputs) -> dict[str, Any]:
    one = scale(*(x for x, _ in given["samples"]))
    samples = [(nearest(x, one), nearest(step, SECOND)) for x, step in given["samples"]]
    return {"ema": Fraction(prices.exponential_average(samples, nearest(given["tau_s"], SECOND)), one << 32)}


@formula("hl_mark")
def hl_mark(given: Inputs) -> dict[str, Any]:
    one = 10**8
    oracle = nearest(exact(given["oracle"]) + exact(given["ema"]), one)
    book = (nearest(given[name], one) for name in ("best_bid", "best_ask", "last"))
    elsewhere = nearest(given.get("external_perp_median") or 0, one)
    third = nearest(given.get("local_ema") or 0, one)
    return {"mark": Fraction(prices.robust_mark(oracle, prices.median_of_three(*book), elsewhere, third), one)}


@formula("dydx_funding_clamp")
def dydx_funding_clamp(given: Inputs) -> dict[str, Any]:
    initial = exact(given["imf"])
    above = initial - initial * exact(given["maintenance_fraction"])
    one = 10**9
    cap = prices.cap_of_margin(nearest(given["clamp_factor"], one), nearest(above, one), one)
    return {"max_abs_rate": Fraction(cap, one)}


@formula("dydx_funding_index")
def dydx_funding_index(given: Inputs) -> dict[str, Any]:
    """Quote quantums (1e-6) for a base quantum, in 1e-6: the price is 10^(exponent + atomic + 12) of them."""
    power = int(given["exponent"]) + int(given["atomic_resolution"]) + 12
    value, one = int(given["price"]) * 10 ** max(0, power), 10**6 * 10 ** max(0, -power)
    step = prices.funding_index_step(value, int(given["rate_8h_ppm"]), one, int(given["dt_s"]), 28_800)
    return {"index_delta": step}


@formula("median")
def median(given: Inputs) -> dict[str, Any]:
    one = scale(*given["prices"]) if any(exact(p).denominator > 1 for p in given["prices"]) else 1
    return {"median": Fraction(prices.median([nearest(p, one) for p in given["prices"]]), one)}


def whole(given: Inputs, *names: str) -> int:
    """How many units make 1, so that every number of these inputs is whole: 1 where they are whole already."""
    numbers = [number for name in names for number in (given[name] if isinstance(given[name], list) else [given[name]])]
    one = 1
    while one < 10**6 and any((exact(number) * one).denominator > 1 for number in numbers):
        one *= 10
    return one


def moments(given: Inputs) -> list[list[int]]:
    return [[nearest(time, SECOND) for time in given[name]] for name in ("last_update", "max_age")]


@formula("vega_mark_weights")
def vega_mark_weights(given: Inputs) -> dict[str, Any]:
    one, (updated, age) = whole(given, "prices"), moments(given)
    quotes, weights = [nearest(p, one) for p in given["prices"]], [nearest(w, 10**12) for w in given["weights"]]
    fresh = prices.fresh_sources(quotes, weights, updated, age, nearest(given["now"], SECOND))
    mark = prices.mean_by_weight(*fresh)
    return {"mark": None if mark is None else mark // one}


@formula("vega_mark_median")
def vega_mark_median(given: Inputs) -> dict[str, Any]:
    one, (updated, age) = whole(given, "prices"), moments(given)
    quotes = [nearest(p, one) for p in given["prices"]]
    fresh, _ = prices.fresh_sources(quotes, quotes, updated, age, nearest(given["now"], SECOND))
    mark = prices.median(fresh)
    return {"mark": None if mark is None else mark // one}


@formula("vega_mark_trades")
def vega_mark_trades(given: Inputs) -> dict[str, Any]:
    """Prices and sizes are whole numbers at Vega, as they are in the core's book."""
    trades = [(int(price), int(size), nearest(time, SECOND)) for price, size, time in given["trades"]]
    decay, power = nearest(given["alpha"], 10**9), int(given["decay_power"])
    now, window = nearest(given["now"], SECOND), nearest(given["lam"], SECOND)
    return {"mark": prices.mean_of_trades(trades, now, window, decay, power)}


@formula("vega_mark_book")
def vega_mark_book(given: Inputs) -> dict[str, Any]:
    """One level a side: its price is the mean price, if it holds the volume."""
    one = whole(given, "C", "best_bid", "best_ask")
    cash, scaling, slippage, short, long = (
        nearest(given[name], unit) for name, unit in zip(
            ("C", "initial_scaling", "slippage", "rf_short", "rf_long"), (one, 10**9, 10**9, 10**9, 10**9), strict=True)
    )  # fmt: skip
    bid, ask = nearest(given["best_bid"], one), nearest(given["best_ask"], one)
    sold = prices.volume_in_book(cash, scaling, slippage, short, bid)
    bought = prices.volume_in_book(cash, scaling, slippage, long, ask)
    if sold > given["bid_size"] or bought > given["ask_size"]:
        return {"mark": None}
    return {"mark": prices.middle(bid, ask) // one}


@formula("vega_mark_twap")
def vega_mark_twap(given: Inputs) -> dict[str, Any]:
    points = [(nearest(time, SECOND), int(price)) for time, price in given["points"].items()]
    return {"mark": prices.mean_of_time(points, nearest(given["now"], SECOND), nearest(given["period"], SECOND))}
