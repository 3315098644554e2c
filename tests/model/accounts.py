"""Commands that change an account. Each returns a reject code; a refusal changes nothing."""

from .collateral import PRICE_MAX, Pool
from .contract import entry_value
from .initial import beyond_rate, margin_of
from .ledger import change_position, move_isolated
from .margin import Unit, available, gain_of, maintenance_of, orders_lots, tier_of, value_of
from .numbers import ceil_div
from .orders import in_liquidation, refused_leg, reject
from .state import HEALTHY, Position, Venue, Wallet
from .wire import BUY, CROSS, ISOLATED, MULTI, SELL, Command, EventKind, Leg, MarketState, Reject

INT32_MAX = 2**31 - 1


def report(v: Venue, c: Command, kind: int, **fields: int) -> int:
    fields = {"account": c.account, "market": c.market, "asset": c.asset, "value": c.value} | fields
    v.emit(kind, **fields)
    return Reject.NONE


def deposit(v: Venue, c: Command) -> int:
    if c.value <= 0:
        return reject(v, c, Reject.BAD_VALUE)
    w = v.wallet(c.account, c.asset)
    w.balance += c.value
    w.deposited += c.value
    return report(v, c, EventKind.DEPOSIT)


def withdraw(v: Venue, c: Command) -> int:
    """Out of what is free without unrealised gains."""
    if c.value <= 0:
        return reject(v, c, Reject.BAD_VALUE)
    w = v.wallet(c.account, c.asset)
    if w.stage != HEALTHY:
        return reject(v, c, Reject.IN_LIQUIDATION)
    free = w.balance if v.is_house(c.account) else min(available(w, gains=False), w.balance)
    if free < c.value:
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    if v.withdraw_gate_ns and v.gates[c.asset] > v.time_ns and not v.is_house(c.account):
        return reject(v, c, Reject.WITHDRAWALS_GATED)
    w.balance -= c.value
    w.deposited -= c.value
    return report(v, c, EventKind.WITHDRAWAL)


def set_leverage(v: Venue, c: Command) -> int:
    """A lower leverage needs the margin, a higher one must suit the tier of the position; both legs have the same."""
    m = v.markets[c.market]
    if not 1 <= c.value <= m.tiers[0].leverage_max:
        return reject(v, c, Reject.LEVERAGE_CAP)
    legs = v.legs(c.account, m)
    for p in legs:
        if in_liquidation(p):
            return reject(v, c, Reject.IN_LIQUIDATION)
        if p.risk_limit and c.value > m.tiers[p.risk_limit - 1].leverage_max:
            return reject(v, c, Reject.LEVERAGE_CAP)
        if p.lots or p.resting():
            value = abs(value_of(p))
            if c.value > tier_of(m, value).leverage_max or (c.value > p.leverage and beyond_rate(p, value, c.value)):
                return reject(v, c, Reject.LEVERAGE_CAP)
            if p.mode == ISOLATED and p.lots and c.value < p.leverage:
                return reject(v, c, Reject.POSITION_OPEN)  # add margin instead
    before = [p.leverage for p in legs]
    lower = any(c.value < p.leverage and (p.lots or p.resting()) for p in legs)
    for p in legs:
        p.leverage = c.value
    if lower and available(legs[0].wallet, gains=True) < 0:
        for p, old in zip(legs, before, strict=True):
            p.leverage = old
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    return report(v, c, EventKind.LEVERAGE)


def set_margin_mode(v: Venue, c: Command) -> int:
    if c.aux not in (CROSS, ISOLATED, MULTI):
        return reject(v, c, Reject.BAD_ENUM)
    if c.aux == MULTI:
        return enter_multi(v, c)
    if v.wallet(c.account, 0).pool:
        return leave_multi(v, c) if c.aux == CROSS else reject(v, c, Reject.NOT_CROSS)
    legs = v.legs(c.account, v.markets[c.market])
    for p in legs:
        if in_liquidation(p):
            return reject(v, c, Reject.IN_LIQUIDATION)
        if p.lots:
            return reject(v, c, Reject.POSITION_OPEN)
        if p.orders:
            return reject(v, c, Reject.ORDERS_OPEN)
    for p in legs:
        p.mode = c.aux
    return report(v, c, EventKind.MARGIN_MODE, aux=c.aux)


def refused_pool(v: Venue, account: int) -> int:
    """Why the pools of an account can not be joined or parted."""
    wallets = v.wallets[account]
    positions = [p for w in wallets for p in w.positions]
    if any(holder.stage != HEALTHY for holder in [*wallets, *positions]):
        return Reject.IN_LIQUIDATION
    return Reject.ORDERS_OPEN if any(p.orders for p in positions) else Reject.NONE


def covered(w: Wallet) -> bool:
    return available(w, gains=True) >= 0 and Unit(w).health() >= 0


def enter_multi(v: Venue, c: Command) -> int:
    """All assets of the account become collateral of one pool."""
    if not v.collateral:
        return reject(v, c, Reject.NOT_COLLATERAL)
    wallets = v.wallets[c.account]
    reason = refused_pool(v, c.account)
    if not reason and any(p.mode == ISOLATED for w in wallets for p in w.positions):
        reason = Reject.NOT_CROSS
    if not reason and any(asset.price == 0 for asset in v.collateral):
        reason = Reject.NO_COLLATERAL_PRICE
    if reason:
        return reject(v, c, reason)
    pool = Pool(wallets, v.collateral, v)
    for w in wallets:
        w.pool = pool
    if not covered(wallets[0]):
        for w in wallets:
            w.pool = None
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    return report(v, c, EventKind.MARGIN_MODE, aux=c.aux)


def leave_multi(v: Venue, c: Command) -> int:
    """A pool a wallet again."""
    wallets = v.wallets[c.account]
    reason = refused_pool(v, c.account)
    if not reason and any(w.balance < 0 for w in wallets):
        reason = Reject.DEBT
    if reason:
        return reject(v, c, reason)
    pool = wallets[0].pool
    for w in wallets:
        w.pool = None
    if not all(map(covered, wallets)):
        for w in wallets:
            w.pool = pool
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    return report(v, c, EventKind.MARGIN_MODE, aux=c.aux)


def set_collateral_price(v: Venue, c: Command) -> int:
    """An asset's price in asset 0; it is part of the mark group."""
    if not v.collateral or c.asset == 0:
        return reject(v, c, Reject.NOT_COLLATERAL)
    if c.asset >= v.assets:
        return reject(v, c, Reject.UNKNOWN_ASSET)
    if not 0 < c.value <= PRICE_MAX:
        return reject(v, c, Reject.BAD_VALUE)
    v.collateral[c.asset].given = c.value
    v.prices_changed = True
    return Reject.NONE


def set_position_mode(v: Venue, c: Command) -> int:
    if c.aux not in (0, 1):
        return reject(v, c, Reject.BAD_ENUM)
    for w in v.wallets[c.account]:
        if w.stage != HEALTHY or any(p.stage != HEALTHY for p in w.positions):
            return reject(v, c, Reject.IN_LIQUIDATION)
        if any(p.lots for p in w.positions):
            return reject(v, c, Reject.POSITION_OPEN)
        if any(p.orders for p in w.positions):
            return reject(v, c, Reject.ORDERS_OPEN)
    v.accounts[c.account].hedge = bool(c.aux)
    return report(v, c, EventKind.POSITION_MODE, aux=c.aux)


def removable(p: Position) -> int:
    """What may leave an isolated position's margin."""
    value = value_of(p)
    return min(
        p.isolated_margin - maintenance_of(p),
        p.isolated_margin + gain_of(p) - margin_of(p.market, p.leverage, abs(value)),
    )


def move_margin(v: Venue, c: Command) -> int:
    """Into (value > 0) or out of an isolated position; what goes out must leave maintenance and initial margin."""
    reason = refused_leg(v, v.markets[c.market], c)
    if reason:
        return reject(v, c, reason)
    p = v.find_position(c.account, v.markets[c.market], c.position_side)
    if c.value == 0:
        return reject(v, c, Reject.BAD_VALUE)
    if p is None or p.mode != ISOLATED or p.lots == 0:
        return reject(v, c, Reject.NOT_ISOLATED)
    if in_liquidation(p):
        return reject(v, c, Reject.IN_LIQUIDATION)
    room = min(available(p.wallet, gains=True), p.wallet.balance) if c.value > 0 else removable(p)
    if abs(c.value) > room:
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    move_isolated(p, c.value)
    return report(v, c, EventKind.MARGIN_MOVED)


def seed_position(v: Venue, c: Command) -> int:
    """Give an account a position at an entry price, the world being the counterparty."""
    m = v.markets[c.market]
    if m.state in (MarketState.SETTLING, MarketState.CLOSED):
        return reject(v, c, Reject.MARKET_STATE)
    if c.side > SELL:
        return reject(v, c, Reject.BAD_ENUM)
    if not 0 < c.size_lots <= m.position_max:
        return reject(v, c, Reject.BAD_SIZE)
    if m.mark == 0:
        return reject(v, c, Reject.NO_MARK)
    if not m.mark_min <= c.value <= m.price_max * m.tick_value or c.aux < 0:
        return reject(v, c, Reject.BAD_VALUE)
    leg = (Leg.LONG if c.side == BUY else Leg.SHORT) if v.hedged(c.account, m) else Leg.BOTH
    p = v.position(c.account, m, leg)
    if p.lots:
        return reject(v, c, Reject.POSITION_OPEN)
    if c.size_lots + orders_lots(p, c.side) > m.position_max:
        return reject(v, c, Reject.POSITION_CAP)
    lots = c.size_lots if c.side == BUY else -c.size_lots
    cost = entry_value(m, lots, c.value)
    if p.mode == ISOLATED and ceil_div(abs(cost), p.leverage) + c.aux > p.wallet.balance:
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    change_position(v, p, lots, cost)
    change_position(v, m.world_position, -lots, -cost)
    if p.mode == ISOLATED:
        move_isolated(p, c.aux)
    return report(v, c, EventKind.POSITION_SEEDED, side=c.side, size_lots=c.size_lots, aux=cost)


def set_account(v: Venue, c: Command) -> int:
    if not 0 <= c.value <= INT32_MAX or not 0 <= c.aux <= INT32_MAX:
        return reject(v, c, Reject.BAD_VALUE)
    v.accounts[c.account].stp_group = c.value
    v.accounts[c.account].owner = c.aux
    return report(v, c, EventKind.ACCOUNT, aux=c.aux)
