"""Balances and positions from events alone: a bookkeeper who sees nothing but events.parquet."""

from collections import defaultdict
from dataclasses import dataclass

from perpsim.core import EventKind, Side

COVERS = (EventKind.FUND_COVER, EventKind.SOCIALISED_LOSS, EventKind.VENUE_DEFICIT)


@dataclass
class Account:
    deposits: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0
    absorbed: int = 0
    income: int = 0  # liquidation fees that a fund got
    lots: int = 0
    cost: int = 0

    @property
    def balance(self) -> int:
        """Isolated margin included."""
        return self.deposits + self.realised - self.fees + self.funding + self.absorbed + self.income

    def trade(self, lots: int, value: int) -> None:
        """Signed lots for a value signed alike; what closes is realised, fractions going toward zero."""
        if self.lots and (self.lots < 0) != (lots < 0):
            closing = min(abs(self.lots), abs(lots))
            share = toward_zero(value, closing, abs(lots))
            released = toward_zero(self.cost, closing, abs(self.lots))
            self.realised -= share + released
            self.cost -= released
            value -= share
            sign = 1 if self.lots > 0 else -1
            self.lots -= sign * closing
            lots += sign * closing
        self.lots += lots
        self.cost += value


class Ledger:
    """Takes events (dicts) of one market in order. `world` is the counterparty of seeded positions."""

    def __init__(self, world: int, tick_lot_money: int):
        self.accounts: dict[int, Account] = defaultdict(Account)
        self.world, self.money = world, tick_lot_money
        self.mark = 0
        self.treasury = 0

    def take(self, e: dict) -> None:
        kind, me, other = e["kind"], self.accounts[e["account"]], self.accounts[e["maker_account"]]
        sign = 1 if e["side"] == Side.BUY else -1
        lots = sign * e["size_lots"]
        if kind == EventKind.DEPOSIT:
            me.deposits += e["value"]
        elif kind == EventKind.WITHDRAWAL:
            me.deposits -= e["value"]
        elif kind == EventKind.POSITION_SEEDED:
            me.trade(lots, e["aux"])
            self.accounts[self.world].trade(-lots, -e["aux"])
        elif kind == EventKind.TRADE:
            value = e["price_ticks"] * self.money * lots
            me.trade(lots, value)
            other.trade(-lots, -value)
            me.fees += e["fee"]
            other.fees += e["value"]
            self.treasury += e["fee"] + e["value"]
        elif kind == EventKind.TAKEOVER:  # the account gives, the fund takes
            me.trade(lots, -e["value"])
            other.trade(-lots, e["value"])
        elif kind == EventKind.ADL:  # the counterparty takes, the liquidated account gives
            me.trade(lots, e["value"])
            other.trade(-lots, e["fee"] - e["value"])  # the fund pays the fee, so that the counterparty gets the mark
        elif kind == EventKind.LIQUIDATION_FEE:
            me.fees += e["value"]
            other.income += e["value"]
        elif kind == EventKind.FUNDING_PAYMENT:
            me.funding += e["value"]
        elif kind in COVERS:
            me.absorbed += e["value"]
            other.absorbed -= e["value"]
        elif kind == EventKind.MARK:
            self.mark = e["value"]

    def unrealised(self, account: int, tick_value: int) -> int:
        """At the last mark; values are rounded down."""
        of = self.accounts[account]
        return of.lots * self.mark * self.money // tick_value - of.cost if of.lots else 0


def toward_zero(whole: int, part: int, lots: int) -> int:
    return -(-whole * part // lots) if whole < 0 else whole * part // lots
