"""`perpsim calc`: one question of exchange/calculator.py, its answer, and what went into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from perpsim.replay.errors import InputError

if TYPE_CHECKING:
    from perpsim.exchange.calculator import Account
    from perpsim.exchange.rules import MarketSpec, Rulebook, Tier

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Answer what a trader asks about a position or an order."
)

Venue = Annotated[str, typer.Option(help="Rulebook of the venue.")]
Market = Annotated[str, typer.Option(help="Symbol of the market.")]
Date = Annotated[str, typer.Option(help="Day whose rules hold, YYYY-MM-DD.")]
Side = Annotated[str, typer.Option(help="long or short.")]
Size = Annotated[str, typer.Option(help="Size in base units; of inverse contracts, their number.")]
Entry = Annotated[str, typer.Option(help="Average entry price.")]
Price = Annotated[str, typer.Option(help="Limit price of the order.")]
Mark = Annotated[str | None, typer.Option(help="Mark price; without it, the entry or limit price.")]
Leverage = Annotated[int | None, typer.Option(help="Leverage; without it, the venue's default.")]
Mode = Annotated[str | None, typer.Option(help="cross or isolated; without it, cross where there is a balance.")]
Margin = Annotated[str | None, typer.Option(help="Margin in an isolated position; without it, by leverage.")]
Balance = Annotated[str | None, typer.Option(help="Wallet balance, without what is in isolated positions.")]
Position = Annotated[
    list[str] | None,
    typer.Option(help="Another cross position of the account, MARKET:SIDE:SIZE:ENTRY or with :MARK; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]

MARGIN = "|value| / leverage, or by the venue's rate where that asks for more"
HEALTH = "equity = maintenance; equity: balance or margin + sum of (value - cost)"
QUESTIONS: dict[str, tuple[str, str, str, str]] = {  # command: method, words, formula, what it is in
    "liquidation-price": ("liquidation_price", "Last mark that does not liquidate.", HEALTH, "quote"),
    "bankruptcy-price": ("bankruptcy_price", "Last mark at which equity is not negative.", "equity = 0", "quote"),
    "maintenance-margin": ("maintenance_margin", "Maintenance of the position, or of all cross positions.",
                           "sum of (|value| * rate - deduction)", "money"),
    "initial-margin": ("initial_margin", "Initial margin of the position.", MARGIN, "money"),
    "adl-score": ("adl_score", "Score in the venue's ADL queue: the higher, the sooner.", "the policy's", "money"),
    "unrealised-pnl": ("unrealised", "Unrealised profit at the mark.", "value - cost", "money"),
}  # fmt: skip


def _ask(name: str, method: str, words: str, formula: str, unit: str) -> None:
    @app.command(name, help=words)
    def command(
        venue: Venue, market: Market, date: Date, side: Side, size: Size, entry: Entry, mark: Mark = None,
        leverage: Leverage = None, mode: Mode = None, margin: Margin = None, balance: Balance = None,
        position: Position = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        def answer() -> dict[str, Any]:
            book = _book(venue, date)
            account = _account(book, market, side, size, entry, mark, leverage, mode, margin, balance, position)
            value = getattr(account, method)(market)
            at = value if unit == "quote" else None
            return _facts(name, value, formula, book, market) | _position_facts(account, market, at)

        _tell(answer, as_json)


for _name, _question in QUESTIONS.items():
    _ask(_name, *_question)


@app.command("funding-payment")
def funding_payment(
    venue: Venue, market: Market, date: Date, side: Side, size: Size,
    rate: Annotated[str, typer.Option(help="Funding rate of the interval as a fraction: 0.0001 is 0.01 %.")],
    mark: Annotated[str, typer.Option(help="Mark price at the stamp.")], as_json: Json = False,
) -> None:  # fmt: skip
    """What the position pays at a funding stamp; negative: what it gets."""

    def answer() -> dict[str, Any]:
        book = _book(venue, date)
        account = _account(book, market, side, size, mark, mark)
        paid = account.funding_payment(market, rate)
        return _facts("funding-payment", paid, "value * rate", book, market) | {"rate": rate} | _held(account, market)

    _tell(answer, as_json)


@app.command("order-cost")
def order_cost(
    venue: Venue, market: Market, date: Date, side: Side, size: Size, price: Price, leverage: Leverage = None,
    mark: Mark = None, as_json: Json = False,
) -> None:  # fmt: skip
    """What a limit order binds of the balance of an account without positions."""

    def answer() -> dict[str, Any]:
        from perpsim.exchange import calculator

        book = _book(venue, date)
        gear = leverage or calculator.default_leverage(book.market(market))
        cost = calculator.order_cost(book, market, side=side, size=size, price=price, leverage=gear, mark=mark)
        facts = _facts("order-cost", cost, f"{MARGIN} + open loss + fee reserve", book, market)
        order = {"side": side, "size": size, "price": price, "mark": mark or price, "leverage": gear}
        return facts | order | _fees(book, market)

    _tell(answer, as_json)


@app.command("largest-size")
def largest_size(
    venue: Venue, market: Market, date: Date, side: Side, price: Price,
    balance: Annotated[str, typer.Option(help="Balance of the account.")], leverage: Leverage = None,
    mark: Mark = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The largest limit order that an account without positions can place."""

    def answer() -> dict[str, Any]:
        from perpsim.exchange import calculator

        book = _book(venue, date)
        gear = leverage or calculator.default_leverage(book.market(market))
        size, reason = calculator.largest_size(
            book, market, side=side, price=price, balance=balance, leverage=gear, mark=mark
        )
        facts = _facts("largest-size", size, "the largest that the venue takes", book, market)
        order = {"side": side, "price": price, "mark": mark or price, "leverage": gear, "balance": balance}
        refused = {"one more is refused for": reason.name.lower().replace("_", " ")}
        return facts | refused | order | _fees(book, market)

    _tell(answer, as_json)


def _book(venue: str, date: str) -> Rulebook:
    from perpsim.exchange import rulebook

    return rulebook(venue, date)


def _account(
    book: Rulebook, market: str, side: str, size: str, entry: str, mark: str | None = None,
    leverage: int | None = None, mode: str | None = None, margin: str | None = None, balance: str | None = None,
    others: list[str] | None = None,
) -> Account:  # fmt: skip
    """The account that the options describe. Raises ValueError."""
    from perpsim.exchange.calculator import Account

    mode = mode or ("isolated" if balance is None else "cross")
    account = Account(book, balance=balance or 0)
    account.hold(market, side, size, entry, mark=mark, leverage=leverage, mode=mode, margin=margin)
    for text in others or []:
        parts = text.split(":")
        if len(parts) not in (4, 5):
            raise ValueError(f"position {text!r} is not MARKET:SIDE:SIZE:ENTRY or MARKET:SIDE:SIZE:ENTRY:MARK")
        account.hold(*parts[:4], mark=parts[4] if len(parts) == 5 else None)
    return account


def _facts(question: str, value: Any, formula: str, book: Rulebook, market: str) -> dict[str, Any]:
    """Question, answer, formula and the rules: what every answer says first."""
    answer = "none: no mark does it" if value is None else plain(value)
    inverse = book.market(market).inverse
    return {
        "question": question, "answer": answer, "formula": formula, "venue": book.name,
        "rules": f"of {book.date}, in force since {book.era}", "market": market,
        "contract": "inverse: value = size / price, in coin" if inverse else "linear: value = size * price",
    }  # fmt: skip


def _fees(book: Rulebook, market: str) -> dict[str, Any]:
    """What the venue takes of a trade."""
    from perpsim.exchange.units import RATE_ONE

    spec = book.market(market)
    facts = {"taker fee": f"{spec.taker_fee / RATE_ONE:.6g}", "maker fee": f"{spec.maker_fee / RATE_ONE:.6g}"}
    return facts | ({"closing fee": "held too, at bankruptcy"} if spec.close_fee_reserved else {})


def _held(account: Account, market: str) -> dict[str, Any]:
    held = account.holdings[market]
    words = {"side": "long" if held.side == 0 else "short", "mark": plain(account.mark(market))}
    return words | {"size": plain(account.size(market)), "value": plain(account.value(market))}


def _position_facts(account: Account, market: str, at: Any) -> dict[str, Any]:
    facts = _held(account, market) | {"entry": plain(account.entry(market))}
    facts |= {"equity": plain(account.equity(market)), "maintenance": plain(account.maintenance_margin(market))}
    words = tier_text(account.tier(market, at), account.book.market(market))
    return facts | {"tier" if at is None else "tier at the answer": words}


def tier_text(tier: Tier, spec: MarketSpec) -> str:
    """A tier in words, as the market means its tiers."""
    from perpsim.core import TierMethod
    from perpsim.exchange.units import RATE_ONE, show_money

    base, slope = spec.maintenance_base / RATE_ONE, spec.maintenance_slope / RATE_ONE
    meant = {
        TierMethod.MARGINAL: f"rate {tier.rate / RATE_ONE:.6g}, deduction {show_money(tier.deduction)}",
        TierMethod.WHOLE: f"rate {tier.rate / RATE_ONE:.6g} on the whole position",
        TierMethod.LINEAR: f"rate {base:.6g} + {slope:.6g} a coin",
    }[spec.tier_method]
    fee = spec.close_fee_in_maintenance / RATE_ONE
    closing = f", closing fee {fee:.6g}" if fee else ""
    rest = f"{closing}{initial_text(tier, spec)}, leverage up to {tier.leverage_max}"
    return f"up to {show_money(tier.cap, 0)}: {meant}{rest}"


def initial_text(tier: Tier, spec: MarketSpec) -> str:
    """The venue's own initial rate, as far as it states one."""
    from perpsim.exchange.units import RATE_ONE, show_money

    base, slope = spec.initial_base / RATE_ONE, spec.initial_slope / RATE_ONE
    text = f", initial rate {tier.initial / RATE_ONE:.6g}" if tier.initial else ""
    if base or slope:
        text = f", initial rate {base:.6g} + {slope:.6g} a coin"
    if not spec.oi_upper_cap:
        return text
    caps = f"{show_money(spec.oi_lower_cap, 0)} to {show_money(spec.oi_upper_cap, 0)}"
    return f"{text}, rising to 1 as open interest goes from {caps}"


def plain(number: Any) -> str:
    """A Decimal without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _tell(answer: Callable[[], dict[str, Any]], as_json: bool) -> None:
    try:
        facts = answer()
    except (KeyError, ValueError, OverflowError) as error:
        raise InputError(str(error.args[0])) from None
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name:24} {value}")
