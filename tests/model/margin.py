"""The definitions of the risk page, as formulas over the state of now."""

from .accrual import accrued_of
from .contract import exposure_of, inverse, lot_hold, lot_loss, value_at
from .initial import margin_of
from .numbers import ceil_div
from .state import Market, Position, Tier, Wallet
from .wire import BUY, CROSS, ISOLATED, RATE_ONE, SELL, VALUE_ONE, TierMethod


def value_of(p: Position) -> int:
    return value_at(p.market, p.lots, p.market.mark)


def pnl_of(p: Position) -> int:
    return value_of(p) - p.cost if p.lots else 0


def gain_of(p: Position) -> int:
    """What a position adds to an equity."""
    return pnl_of(p) - accrued_of(p)


def tier_of(m: Market, notional: int) -> Tier:
    for tier in m.tiers:
        if notional <= tier.cap:
            return tier
    return m.tiers[-1]


def maintenance_at(m: Market, notional: int, lots: int) -> int:
    """Maintenance of so many lots of a notional."""
    if m.tier_method == TierMethod.LINEAR:
        coins = notional if inverse(m) else ceil_div(abs(lots) * m.lot_numerator * VALUE_ONE, m.lot_denominator)
        square = ceil_div(ceil_div(notional * coins, VALUE_ONE) * m.maintenance_slope, RATE_ONE)
        rate = m.maintenance_base + m.close_fee_in_maintenance
        return min(ceil_div(notional, 2), ceil_div(notional * rate, RATE_ONE) + square)
    tier = tier_of(m, notional)
    return ceil_div(notional * tier.rate, RATE_ONE) - tier.deduction


def basis_of(p: Position) -> int:
    """What maintenance is a rate of: the value at the mark, or at entry."""
    return abs(p.cost) if p.market.maintenance_value else abs(value_of(p))


def maintenance_of(p: Position) -> int:
    return maintenance_on(p, basis_of(p), p.lots) if p.lots else 0


def maintenance_on(p: Position, basis: int, lots: int) -> int:
    """By the tiers, or at the rate of the risk limit that the account has chosen."""
    if p.risk_limit:
        return fee_of(basis, p.market.tiers[p.risk_limit - 1].rate)
    return maintenance_at(p.market, basis, lots)


def orders_maintenance(p: Position) -> int:
    """Of a cross position's open orders, where the rulebook asks for it: as of a position of their value."""
    if not p.market.order_maintenance or p.mode != CROSS:
        return 0
    lots = orders_lots(p, BUY) + orders_lots(p, SELL)
    return maintenance_on(p, orders_value(p, BUY) + orders_value(p, SELL), lots)


def fee_of(notional: int, rate: int) -> int:
    """Rounded up, so the treasury gains the remainder; a rebate is rounded toward zero."""
    return ceil_div(notional * rate, RATE_ONE)


def premium_of(m: Market, side: int, price: int) -> int:
    """By how many ticks a price is through the mark, rounded up."""
    if side == BUY:
        return max(0, price - m.mark // m.tick_value)
    return max(0, ceil_div(m.mark, m.tick_value) - price)


def orders_value(p: Position, side: int) -> int:
    """Value of the resting orders of one side at their prices; reduce-only orders open nothing and hold nothing."""
    return sum(lot_hold(p.market, o.price) * o.lots for o in p.resting() if o.side == side and not o.reduce_only)


def orders_lots(p: Position, side: int) -> int:
    """Lots of the resting orders of one side."""
    return sum(o.lots for o in p.resting() if o.side == side)


def open_loss_of(p: Position) -> int:
    """What open orders lose at once if they fill: the ticks by which they were priced through the mark."""
    m = p.market
    return sum(lot_loss(m, o.side, o.price, o.premium) * o.lots for o in p.resting() if not o.reduce_only)


def initial_of(p: Position, extra_bids: int = 0, extra_asks: int = 0) -> int:
    """Initial margin asked of the wallet for a position and its open orders, and for further orders of given values."""
    m = p.market
    held = exposure_of(m, value_of(p))
    bids = orders_value(p, BUY) + extra_bids
    asks = orders_value(p, SELL) + extra_asks
    exposure = max(abs(held), abs(held + bids), abs(held - asks))
    own = ceil_div(exposure - abs(held), p.leverage)  # of an isolated position: its margin covers the rest
    asked = own if p.mode == ISOLATED else margin_of(m, p.leverage, exposure)
    closing = closing_fee(p, held if p.mode == CROSS else 0, bids, asks) if m.close_fee_reserved else 0
    fees = fee_of(bids + asks, max(m.taker_fee, m.maker_fee)) + closing
    return asked + open_loss_of(p) + fees


def closing_fee(p: Position, held: int, bids: int, asks: int) -> int:
    """Taker fee of closing everything where 1/leverage of its notional is lost."""
    longs, shorts = bids + max(held, 0), asks + max(-held, 0)
    lost = {True: 0, False: 0}
    for long in (True, False):
        parts = (bids, max(held, 0)) if long else (asks, max(-held, 0))
        up = long == inverse(p.market)
        lost[long] = sum(ceil_div(part, p.leverage) if up else -(part // p.leverage) for part in parts)
    return fee_of(longs + shorts + lost[True] + lost[False], p.market.taker_fee)


def cross_positions(w: Wallet) -> list[Position]:
    return [p for p in w.positions if p.mode == CROSS]


def cross_equity(w: Wallet) -> int:
    return w.balance + sum(gain_of(p) for p in cross_positions(w))


def available(w: Wallet, gains: bool) -> int:
    """What the wallet may use for new orders; gains count only if `gains`. Multi: as an amount of its asset."""
    if w.pool is None:
        return w.balance + pnl_counted(w, gains) - wallet_initial(w)
    total = 0
    for wallet, asset in w.pool.pairs():
        total += asset.counts_for(wallet.balance + pnl_counted(wallet, gains)) - asset.owed(wallet_initial(wallet))
    return total * VALUE_ONE // max(w.pool.assets[w.asset].price, 1)


def pnl_counted(w: Wallet, gains: bool) -> int:
    pnl = sum(gain_of(p) for p in cross_positions(w))
    return pnl if gains else min(pnl, 0)


def wallet_initial(w: Wallet) -> int:
    return sum(initial_of(p) for p in w.positions if p.lots or p.resting())


def cross_maintenance(w: Wallet) -> int:
    return sum(maintenance_of(p) + orders_maintenance(p) for p in cross_positions(w))


class Unit:
    """What is liquidated as one: an isolated position, or all cross positions of a wallet or a multi-asset account."""

    def __init__(self, wallet: Wallet, position: Position | None = None) -> None:
        self.wallet, self.position = wallet, position

    @property
    def pool(self):
        return self.wallet.pool if self.position is None else None

    @property
    def owner(self) -> Wallet | Position:
        """Who keeps the stage of the liquidation."""
        return self.wallet if self.position is None else self.position

    def set_stage(self, stage: int) -> None:
        self.owner.stage = stage
        if self.pool:
            for wallet in self.pool.wallets:
                wallet.stage = stage

    def positions(self) -> list[Position]:
        if self.pool:
            return [p for wallet in reversed(self.pool.wallets) for p in cross_positions(wallet)]
        return cross_positions(self.wallet) if self.position is None else [self.position]

    def equity(self) -> int:
        if self.pool:
            return sum(asset.counts_for(cross_equity(wallet)) for wallet, asset in self.pool.pairs())
        if self.position is None:
            return cross_equity(self.wallet)
        return self.position.isolated_margin + gain_of(self.position)

    def maintenance(self) -> int:
        if self.pool:
            return sum(asset.owed(cross_maintenance(wallet)) for wallet, asset in self.pool.pairs())
        return cross_maintenance(self.wallet) if self.position is None else maintenance_of(self.position)

    def health(self) -> int:
        return self.equity() - self.maintenance()

    def net(self) -> int:
        """What there is to share out: equity, or of a pool what forced conversion and closing at the mark leave."""
        if not self.pool:
            return self.equity()
        total = 0
        for wallet, asset in self.pool.pairs():
            pnl = cross_equity(wallet) - wallet.balance
            if asset.number == 0:
                total += cross_equity(wallet)
            elif wallet.balance >= 0:
                total += asset.brings(wallet.balance) + asset.worth(pnl)
            else:
                total += asset.worth(pnl) - asset.costs(-wallet.balance)
        return total

    def in_asset_of(self, m: Market, amount: int) -> int:
        """An amount in the unit's own terms as one of the market's asset."""
        return amount * VALUE_ONE // max(self.pool.assets[m.asset].price, 1) if self.pool else amount


def units_of(w: Wallet) -> list[Unit]:
    """The wallet's cross pool, then its isolated positions; a multi-asset account's pool goes by its first wallet."""
    pool = [Unit(w)] if w.pool is None or w.asset == 0 else []
    return pool + [Unit(w, p) for p in w.positions if p.mode == ISOLATED and p.lots]
