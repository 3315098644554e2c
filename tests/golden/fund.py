"""Insurance funds and shared losses: adapters that ask the formulas of the core."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from perpsim.core import formulas_fund
from perpsim.exchange.units import RATE_ONE, exact

from .registry import Inputs, formula

LARGEST = 1 << 60
MICRO = 10**6  # Drift counts quote in 1e-6, and a funding index in 1e-9
TRIGGER, STOP, THRESHOLD = "0.3", "0.25", 1  # those of the page, where a case does not say


class Unit:
    """The finest power of ten, down to 1e-12, in which the amounts of a case fit 60 bits."""

    def __init__(self, *amounts: Any) -> None:
        self.one, largest = 1, max(abs(exact(amount)) for amount in amounts)
        while self.one < 10**12 and largest * self.one * 10 < LARGEST:
            self.one *= 10

    def count(self, amount: Any) -> int:
        return round(exact(amount) * self.one)

    def number(self, count: int) -> Fraction:
        return Fraction(count, self.one)


def per_billion(rate: Any) -> int:
    return round(abs(exact(rate)) * RATE_ONE)


@formula("bybit_adl_state")
def bybit_adl_state(inputs: Inputs) -> dict[str, Any]:
    """Drawdown of a symbol's result against the pool."""
    numbers = [inputs[key] for key in ("cur_pnl", "max_pnl_8h", "balance", "max_bal_8h")]
    threshold = inputs.get("threshold", inputs.get("adlTriggerThreshold", THRESHOLD))
    unit = Unit(*numbers, threshold)
    pnl, highest_pnl, balance, highest = map(unit.count, numbers)
    trigger = per_billion(inputs.get("trig", inputs.get("insurancePnlRatio", TRIGGER)))
    stop = per_billion(inputs.get("stop", inputs.get("adlStopRatio", STOP)))
    on, pushed = formulas_fund.drawdown_adl(
        pnl, highest_pnl, balance, highest, unit.count(threshold), trigger, stop, bool(inputs.get("active", False))
    )
    ratio = formulas_fund.drawdown_ratio(pnl, highest_pnl, highest)
    return {
        "pnlRatio": Fraction(ratio, RATE_ONE), "drawdown_adl": on, "equity_adl": formulas_fund.empty(balance),
        "loss_pushed_to_adl": unit.number(pushed),
    }  # fmt: skip


@formula("bybit_adl_help")
def bybit_adl_help(inputs: Inputs) -> dict[str, Any]:
    """The version of the help page: the loss beyond the margin of the position, against the fund's highest."""
    numbers = [inputs[key] for key in ("loss", "position_margin", "fund_max_8h")]
    unit = Unit(*numbers)
    loss, margin, highest = map(unit.count, numbers)
    ratio = formulas_fund.drawdown_ratio(margin - loss, 0, highest)
    on = formulas_fund.fallen(loss - margin, highest, per_billion(inputs.get("trig", TRIGGER)))
    return {"drawdown": Fraction(-ratio, RATE_ONE), "adl": on}


@formula("okx_threshold")
def okx_threshold(inputs: Inputs) -> dict[str, Any]:
    unit = Unit(inputs["peak"], inputs["floor"])
    level = formulas_fund.threshold_of_drop(
        unit.count(inputs["peak"]), per_billion(inputs["drop"]), unit.count(inputs["floor"])
    )
    answer = {"threshold": unit.number(level)}
    if "current" in inputs:
        answer["adl"] = unit.count(inputs["current"]) < level
    return answer


@formula("drift_socialise")
def drift_socialise(inputs: Inputs) -> dict[str, Any]:
    """What one unit of base pays of a loss, on both sides."""
    lots = Unit(inputs["long_base"], inputs["short_base"], 1)
    delta = formulas_fund.loss_of_lots(
        round(exact(inputs["loss_usd"]) * MICRO), lots.count(1), lots.count(inputs["long_base"]),
        lots.count(inputs["short_base"]),
    )  # fmt: skip
    return {"delta_per_base_usd": Fraction(delta, MICRO), "funding_units_1e9": delta * 1_000}


@formula("drift_bankruptcy")
def drift_bankruptcy(inputs: Inputs) -> dict[str, Any]:
    """A bad debt: the fund, the fees, then both sides by contract."""
    lots = Unit(inputs["long_base"], inputs["short_base"], 1)
    debt, fund, fees, long_quote, short_quote = (
        round(exact(inputs[key]) * MICRO) for key in ("bad_debt", "insurance", "fee_pool", "long_quote", "short_quote")
    )
    longs, shorts = lots.count(inputs["long_base"]), lots.count(inputs["short_base"])
    debt -= formulas_fund.from_fund(debt, fund, fund)
    debt -= formulas_fund.from_fund(debt, fees, fees)
    delta = formulas_fund.loss_of_lots(debt, lots.one, longs, shorts)
    paid = [formulas_fund.value_of_lots(delta, size, lots.one) for size in (longs, abs(shorts))]
    return {
        "funding_delta": Fraction(delta, MICRO), "socialised": Fraction(debt, MICRO),
        "long_quote_after": Fraction(long_quote - paid[0], MICRO),
        "short_quote_after": Fraction(short_quote - paid[1], MICRO),
    }  # fmt: skip


@formula("vega_loss_sharing")
def vega_loss_sharing(inputs: Inputs) -> dict[str, Any]:
    """Losers pay what they have, the pool the rest as far as it goes, winners share it."""
    margins, losses, wins = inputs["margin"], inputs["losses"], inputs["wins"]
    names = list(dict.fromkeys([*margins, *losses, *wins]))
    collected, payouts, left, fund = formulas_fund.scaled_payouts(
        inputs["insurance"], [margins.get(name, 0) for name in names], [losses.get(name, 0) for name in names],
        [wins[name] for name in wins],
    )  # fmt: skip
    got = dict(zip(wins, payouts, strict=True))
    balances = {name: left[number] + got.get(name, 0) for number, name in enumerate(names)}
    answer = {"collected": collected, "payouts": got, "balances": balances, "insurance_after": fund}
    if payouts:
        answer["payout_each"] = payouts[0]
    return answer


@formula("vega_disposal")
def vega_disposal(inputs: Inputs) -> dict[str, Any]:
    size = formulas_fund.disposal(
        abs(inputs["position"]), per_billion(inputs["fraction"]), inputs["full_size"], inputs["available"],
        per_billion(inputs["max_fraction"]),
    )  # fmt: skip
    return {"size": size}
