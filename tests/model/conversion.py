"""Forced conversion: collateral is sold to the exchange account, debts are bought from it, all through asset 0."""

from .claims import drop, put_claim
from .ledger import transfer
from .matching import Taker, match
from .numbers import ceil_div
from .orders import band_limit
from .state import Venue
from .wire import BUY, RATE_ONE, SELL, VALUE_ONE, EventKind


def trade(v: Venue, pool, asset: int, amount: int, money: int) -> None:
    """The account gives `amount` of an asset for `money` of asset 0; both negative: it gets and pays."""
    held, cash = pool.wallets[asset], pool.wallets[0]
    theirs, their_cash = v.wallet(v.exchange, asset), v.wallet(v.exchange, 0)
    transfer(held, theirs, amount)
    transfer(their_cash, cash, money)
    held.absorbed -= amount
    theirs.absorbed += amount
    cash.absorbed += money
    their_cash.absorbed -= money
    v.emit(
        EventKind.AUTO_EXCHANGE, account=cash.account, maker_account=v.exchange, asset=asset, value=-amount, aux=money
    )


def trade_books(v: Venue) -> None:
    """The exchange account sells in an asset's own book what it holds of it beyond what it has sold there already."""
    for asset in v.collateral[1:]:
        if asset.spot_market < 0:
            continue
        m = v.markets[asset.spot_market]
        if not m.matches():
            continue
        p = v.find_position(v.exchange, m)
        target = -(v.wallet(v.exchange, asset.number).balance * m.lot_denominator // (m.lot_numerator * VALUE_ONE))
        lots = max(-m.position_max, min(m.position_max, target)) - p.lots
        if m.attribution:
            drop(p)
        if lots == 0:
            continue
        side = BUY if lots > 0 else SELL
        limit = band_limit(m, side, m.band_up if side == BUY else m.band_down)
        order_id, v.forced_id = v.forced_id, v.forced_id - 1
        v.emit(
            EventKind.COLLATERAL_ORDER, account=v.exchange, market=m.number, order_id=order_id, side=side,
            price_ticks=limit, size_lots=abs(lots),
        )  # fmt: skip
        if m.attribution:
            put_claim(p, order_id, side, limit, abs(lots))
        else:
            match(v, Taker(p, order_id, side, limit, abs(lots)))


def convert_debts(v: Venue, pool, everything: bool) -> None:
    """Sell collateral pro rata for the debts beyond their limits, or all of them."""
    pairs = pool.pairs()
    chosen = [a for w, a in pairs if w.balance < 0 and (everything or 0 < a.exchange_below < -w.balance)]
    need = sum(-pool.wallets[0].balance if a.number == 0 else a.costs(-pool.wallets[a.number].balance) for a in chosen)
    if need == 0:
        return
    funds = min(need, sell_for(v, pool, need))
    if chosen[0].number == 0:
        funds = max(0, funds - chosen.pop(0).cash_debt)
    for asset in chosen:
        debt = -pool.wallets[asset.number].balance
        cost = asset.costs(debt)
        if cost > funds:
            debt = min(debt, funds * RATE_ONE // (RATE_ONE + asset.exchange_ask) * VALUE_ONE // max(asset.price, 1))
            cost = funds
        if debt or cost:
            trade(v, pool, asset.number, -debt, -cost)
        funds -= cost
    trade_books(v)


def sell_for(v: Venue, pool, need: int) -> int:
    """What the collateral there is brings in if all of it goes; no more is sold than is needed."""
    pool.assets[0].cash_debt = max(0, -pool.wallets[0].balance)
    brings = [0] + [a.brings(max(0, w.balance)) for w, a in pool.pairs()[1:]]
    total = sum(brings) + max(0, pool.wallets[0].balance)
    for wallet, asset in pool.pairs()[1:]:
        if wallet.balance > 0:
            part, amount = brings[asset.number], wallet.balance
            if total > need:
                part = ceil_div(need * part, total)
                amount = min(amount, asset.to_sell(part))
            trade(v, pool, asset.number, amount, part)
    return total


def convert_all(v: Venue, pool) -> None:
    for wallet, asset in pool.pairs()[1:]:
        if wallet.balance > 0:
            trade(v, pool, asset.number, wallet.balance, asset.brings(wallet.balance))
        elif wallet.balance < 0:
            trade(v, pool, asset.number, wallet.balance, -asset.costs(-wallet.balance))
    trade_books(v)


def settle_remainders(v: Venue, pool) -> None:
    for wallet, asset in pool.pairs()[1:]:
        if wallet.balance > 0:
            trade(v, pool, asset.number, wallet.balance, asset.worth(wallet.balance))
        elif wallet.balance < 0:
            trade(v, pool, asset.number, wallet.balance, -asset.owed(-wallet.balance))
