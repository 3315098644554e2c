"""What assets count for as collateral, and the pool that a multi-asset account has."""

from __future__ import annotations

from .numbers import ceil_div
from .wire import RATE_ONE, VALUE_ONE

PRICE_MAX = 10**17


class Asset:
    """The terms of one collateral asset, and its price."""

    def __init__(self, number: int, terms: dict) -> None:
        self.number = number
        self.bid_buffer = self.ask_buffer = self.exchange_bid = self.exchange_ask = 0
        self.cap = self.exchange_below = self.floor = self.redemption_ratio = self.price = 0
        self.spot_market = self.index_market = self.underlying = -1
        self.tiers: list[tuple[int, int]] = []
        for name, value in terms.items():
            setattr(self, name, value)
        self.given = self.price
        self.price = VALUE_ONE if number == 0 else max(self.given, self.floor) if self.given else 0

    def worth(self, amount: int) -> int:
        return amount * self.price // VALUE_ONE

    def owed(self, amount: int) -> int:
        return ceil_div(amount * self.price, VALUE_ONE)

    def counted(self, amount: int) -> int:
        """What of a quantity the tiers count."""
        if self.cap:
            amount = min(amount, self.cap)
        if not self.tiers:
            return amount
        total = below = 0
        for cap, haircut in self.tiers:
            part = max(0, min(amount, cap) - below)
            total += part * (RATE_ONE - haircut) // RATE_ONE
            below = cap
        return total

    def counts_for(self, amount: int) -> int:
        if amount < 0:
            return -self.owed(ceil_div(-amount * (RATE_ONE + self.ask_buffer), RATE_ONE))
        return self.worth(self.counted(amount) * (RATE_ONE - self.bid_buffer) // RATE_ONE)

    def brings(self, amount: int) -> int:
        """Proceeds of a forced sale, in asset 0."""
        return self.worth(amount) * (RATE_ONE - self.exchange_bid) // RATE_ONE

    def costs(self, amount: int) -> int:
        """Cost of a forced purchase, in asset 0."""
        return ceil_div(self.owed(amount) * (RATE_ONE + self.exchange_ask), RATE_ONE)

    def to_sell(self, deficit: int) -> int:
        value = ceil_div(deficit * RATE_ONE, RATE_ONE - self.exchange_bid)
        return ceil_div(value * VALUE_ONE, max(self.price, 1))


class Pool:
    """The wallets of a multi-asset account."""

    def __init__(self, wallets: list, assets: list[Asset], venue) -> None:
        self.wallets, self.assets, self.venue = wallets, assets, venue

    def pairs(self) -> list[tuple]:
        return list(zip(self.wallets, self.assets, strict=True))

    def flat(self) -> bool:
        return not any(p.lots for w in self.wallets for p in w.positions)

    def conversion_due(self) -> str:
        """"" , "large" (debts beyond their limits) or "everything"."""
        if not any(w.balance > 0 for w in self.wallets):
            return ""
        debts = sum(a.owed(-w.balance) for w, a in self.pairs() if w.balance < 0)
        held = sum(a.worth(w.balance) for w, a in self.pairs() if w.balance >= 0)
        owing = any(w.balance < 0 for w in self.wallets)
        limit = self.venue.exchange_ltv
        if limit and owing and self.flat() and debts and held * limit // RATE_ONE <= debts:
            return "everything"
        return "large" if any(0 < a.exchange_below < -w.balance for w, a in self.pairs()) else ""
