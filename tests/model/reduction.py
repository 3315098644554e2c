"""Forced orders: how much of a position goes to the book, at what worst price, and what it costs."""

from dataclasses import dataclass

from .beyond import beyond_within
from .book import segments_within
from .claims import put_claim
from .contract import closing_limit
from .ledger import move_isolated, transfer
from .margin import Unit, basis_of, fee_of, maintenance_at, maintenance_of, pnl_of, tier_of, value_of
from .matching import Taker, match
from .numbers import ceil_div
from .orders import band_limit
from .state import Market, Position, Tier, Venue, WorldLots
from .waterfall import cover_shortfall, first_position, fund_means, share_of, unit_event
from .wire import BUY, RATE_ONE, SELL, EventKind, LiquidationFee, ReduceLimit, ReduceMethod, Reject, Takeover

ONCE = (ReduceMethod.TO_SAFE, ReduceMethod.WHOLE)  # one order a position, whatever is left
SECOND = 1_000_000_000
WAITS = -1  # for recorded trades
PARTS = 10_000  # a share of a shortage is counted in so many parts


def in_unit(unit: Unit, p: Position, amount: int) -> int:
    """What is owed in a position's asset, in the terms of its unit."""
    return unit.pool.assets[p.market.asset].owed(amount) if unit.pool else amount


def shortage(v: Venue, unit: Unit) -> int:
    """What is missing of maintenance and of a buffer on value and open loss."""
    missing = -unit.health()
    for p in unit.positions():
        buffer = ceil_div(abs(value_of(p)) * v.liquidation_buffer, RATE_ONE)
        buffer += ceil_div(max(0, -pnl_of(p)) * v.liquidation_buffer, RATE_ONE)
        missing += in_unit(unit, p, buffer)
    return missing


def shortage_in(v: Venue, unit: Unit, p: Position) -> int:
    """The same in a position's asset."""
    return -unit.in_asset_of(p.market, -shortage(v, unit))


def reduce_once(v: Venue, unit: Unit) -> int:
    """Send reducing orders, one position after the other, until one fills: how many lots; or WAITS; 0: none did."""
    if v.reduce_method == ReduceMethod.NONE:
        return 0
    while (p := first_position(v, unit)) is not None:
        lots = reduce_size(v, unit, p)
        filled = forced_order(v, unit, p, lots) if lots else 0
        if filled == WAITS:
            return WAITS
        p.seen = v.reduce_method in ONCE or lots == 0 or filled < lots
        if filled:
            return filled
    return 0


def rounds_fit(v: Venue, name: str, value: int) -> bool:
    """A takeover that waits for rounds has rounds, with one rule changed."""
    rules = {"takeover": v.takeover, "liquidation_period_ns": v.liquidation_period_ns} | {name: value}
    return rules["takeover"] in (Takeover.FUND, Takeover.NETWORK) or rules["liquidation_period_ns"] > 0


# ---- sizes ---------------------------------------------------------------------------------------------------------


def reduce_size(v: Venue, unit: Unit, p: Position) -> int:
    held, value, method = abs(p.lots), abs(value_of(p)), v.reduce_method
    slice_lots = min(held, max(1, ceil_div(held * v.reduce_slice, RATE_ONE)))
    if method == ReduceMethod.TO_SAFE:
        return size_to_safe(unit, p, held, value)
    if method == ReduceMethod.WHOLE:
        return held
    if method == ReduceMethod.SLICE:
        return slice_lots
    if method == ReduceMethod.SLICE_COOLDOWN:
        w = unit.wallet
        rested = w.work_ns == 0 or v.time_ns - w.work_ns >= v.slice_cooldown_ns
        return slice_lots if 0 < v.slice_above < value and rested else held
    if method == ReduceMethod.TIER:
        floor = tier_of(p.market, tier_basis(p)).floor
        return down_to(held, tier_basis(p), floor) if floor else 0
    if method == ReduceMethod.TIER_FOK:
        return size_to_tier(unit, p, held, value)
    if method in (ReduceMethod.TWO_TIERS, ReduceMethod.LOWEST_TIER):
        return size_by_tiers(v, unit, p, held, tier_basis(p))
    if method == ReduceMethod.CLIPS:
        return min(held, p.market.clip_lots or held)
    if method == ReduceMethod.BLOCK:
        return size_of_block(v, unit, held, value)
    return size_of_cure(v, unit, p, held, value)


def down_to(held: int, value: int, cap: int) -> int:
    """Lots above a cap of value."""
    return min(held, ceil_div(held * (value - cap), value)) if value > cap else 0


def freed_by(p: Position, held: int, value: int, size: int) -> int:
    """Maintenance that a sale at the mark frees, less its fee."""
    left, part = ceil_div(value * (held - size), held), ceil_div(basis_of(p) * (held - size), held)
    needed = maintenance_at(p.market, part, held - size)
    if p.risk_limit:
        needed = fee_of(part, limit_left(p, left).rate)
    return maintenance_of(p) - needed - fee_of(value - left, p.market.liquidation_fee)


def limit_left(p: Position, worth: int) -> Tier:
    """The chosen tier, or the lower one to which the liquidation brings it."""
    chosen, fits = p.market.tiers[p.risk_limit - 1], tier_of(p.market, worth)
    return fits if p.market.lower_limit_first and fits.cap < chosen.cap else chosen


def tier_basis(p: Position) -> int:
    """By what a position's tier is told: a chosen limit is one of its value."""
    return abs(value_of(p)) if p.risk_limit else basis_of(p)


def size_to_safe(unit: Unit, p: Position, held: int, value: int) -> int:
    """The smallest size whose sale at the mark would restore maintenance, its fee paid; if there is none, the whole."""
    missing = -unit.in_asset_of(p.market, unit.health())
    for size in range(1, held + 1):
        if freed_by(p, held, value, size) >= missing:
            return size
    return held


def size_to_tier(unit: Unit, p: Position, held: int, value: int) -> int:
    """Down to the highest lower tier that would do; 0 if none would."""
    tiers, basis = p.market.tiers, tier_basis(p)
    lower = tiers[: p.risk_limit - 1 if p.risk_limit else tiers.index(tier_of(p.market, basis))]
    for tier in reversed(lower):
        size = down_to(held, basis, tier.cap)
        if freed_by(p, held, value, size) >= -unit.in_asset_of(p.market, unit.health()):
            return size
    return 0


def size_by_tiers(v: Venue, unit: Unit, p: Position, held: int, basis: int) -> int:
    """Two tiers down, or to the lowest; nothing, or the whole, where the position is handed over."""
    tiers = p.market.tiers
    number = tiers.index(tier_of(p.market, basis)) + 1
    lowest = sum(in_unit(unit, q, fee_of(basis_of(q), q.market.tiers[0].rate)) for q in unit.positions())
    if number <= v.hand_over_tier or unit.equity() < lowest:
        return held if v.close_rest else 0
    target = 1 if v.reduce_method == ReduceMethod.LOWEST_TIER else max(1, number - 2)
    return down_to(held, basis, tiers[target - 1].cap)


def block_room(v: Venue, unit: Unit) -> int | None:
    """Notional that may still be sold of the account in the block of now; None: any."""
    if not v.account_block_notional:
        return None
    w = unit.wallet
    return v.account_block_notional - (w.work if w.work_ns == v.time_ns else 0)


def size_of_block(v: Venue, unit: Unit, held: int, value: int) -> int:
    most = max(value * (v.position_block_rate or RATE_ONE) // RATE_ONE, v.position_block_min)
    room = block_room(v, unit)
    if room is not None:
        most = min(most, room)
    if most <= 0:
        return 0
    return held if most >= value else max(1, held * most // value)


def liquidator_fee(v: Venue, unit: Unit) -> int:
    """By how much a forced order may be off the mark: it grows with the seconds since the liquidation began."""
    elapsed = v.time_ns - unit.wallet.work_ns
    if elapsed <= v.liquidator_fee_grace_ns or v.liquidator_fee_max <= v.liquidator_fee:
        return v.liquidator_fee
    return min(v.liquidator_fee_max, v.liquidator_fee + elapsed // SECOND * v.liquidator_fee_step)


def fund_fee(v: Venue, unit: Unit, p: Position) -> int:
    """The fund's rate: 95 % of what the margin of the sale leaves over, up to the market's liquidation fee."""
    value, missing = abs(value_of(p)), shortage_in(v, unit, p)
    if value == 0 or missing >= value:
        return 0
    margin = tier_of(p.market, value).rate + v.liquidation_buffer
    left = margin - liquidator_fee(v, unit) - ceil_div(max(0, missing) * RATE_ONE, value)
    return 0 if left <= 0 else min(p.market.liquidation_fee, left * 95 // 100)


def cure_parts(v: Venue, unit: Unit) -> int:
    """How many of the parts of the shortage may be made good by now."""
    missing, w = shortage(v, unit), unit.wallet
    elapsed, parts = v.time_ns - w.work_ns, PARTS
    if v.cure_period_ns and elapsed < v.cure_period_ns:
        parts = min(PARTS, elapsed * PARTS // v.cure_period_ns + v.cure_start * PARTS // RATE_ONE)
    if parts == PARTS or missing < v.cure_small:
        return PARTS
    allowed = (missing + w.work) * parts // PARTS - w.work
    return min(PARTS, allowed * PARTS // missing) if allowed > 0 else 0


def size_of_cure(v: Venue, unit: Unit, p: Position, held: int, value: int) -> int:
    if value <= v.cure_small or value == 0:
        return held
    margin = tier_of(p.market, value).rate + v.liquidation_buffer
    freed = value * (margin - liquidator_fee(v, unit) - fund_fee(v, unit, p)) // RATE_ONE
    whole = held if freed <= 0 else min(held, ceil_div(shortage_in(v, unit, p) * held, freed))
    return ceil_div(whole * cure_parts(v, unit), PARTS)


def throttled(v: Venue, unit: Unit) -> bool:
    """A limit in time keeps the method from selling more."""
    if v.reduce_method == ReduceMethod.BLOCK:
        room = block_room(v, unit)
        return room is not None and room <= 0
    return v.reduce_method == ReduceMethod.CURE and cure_parts(v, unit) < PARTS


# ---- prices --------------------------------------------------------------------------------------------------------


def forced_limit(v: Venue, unit: Unit, p: Position, side: int, lots: int) -> int:
    """Worst price of a forced order, by the rulebook."""
    m = p.market
    if v.reduce_limit == ReduceLimit.BAND:
        return band_limit(m, side, m.band_up if side == BUY else m.band_down)
    if v.reduce_limit == ReduceLimit.NONE:
        return m.price_max if side == BUY else m.price_min
    worst = worst_value(v, unit, p, lots)
    return closing_limit(m, p.lots, worst)


def worst_value(v: Venue, unit: Unit, p: Position, lots: int) -> int:
    """What the whole position is worth at the worst price."""
    value, share, margin = value_of(p), share_of(unit, p), maintenance_of(p)
    worst = bankruptcy = value - share
    if v.reduce_limit == ReduceLimit.FILLABLE:
        total = max(1, unit.maintenance())
        part = ceil_div(margin * max(0, total - unit.equity()), total)
        part = min(margin, ceil_div(part * v.bankruptcy_adjustment, RATE_ONE))
        worst = value - ceil_div(part * v.fillable_spread, RATE_ONE)
    elif v.reduce_limit == ReduceLimit.LEAVE:
        worst = value - share + ceil_div(margin * v.reduce_leave, RATE_ONE)
    elif v.reduce_limit == ReduceLimit.LIQUIDATOR:
        worst = value - fee_of(abs(value), liquidator_fee(v, unit))
    if v.liquidation_fee_base == LiquidationFee.BANKRUPTCY and worst < bankruptcy:
        means = fund_means(v, p.market)  # which must be able to pay what is below bankruptcy
        if (bankruptcy - worst) * lots > means * abs(p.lots):
            worst = bankruptcy - means * abs(p.lots) // lots
    return worst


# ---- the order and its fee -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sale:
    """A forced order: what was so before it, and what came of it."""

    held: int
    sent: int
    long: bool
    bankruptcy: int
    shortage: int
    fund_fee: int
    filled: int = 0
    notional: int = 0
    returned: int = 0


def all_there(m: Market, side: int, limit: int, lots: int) -> bool:
    """Whether the book has all of a fill-or-kill order; reduce-only orders may go while it sweeps."""
    found = 0
    for _, segment in segments_within(m, side, limit):
        if isinstance(segment, WorldLots) or not segment.reduce_only:
            found += segment.lots
    return found + beyond_within(m, side, limit, lots) >= lots


def forced_order(v: Venue, unit: Unit, p: Position, lots: int) -> int:
    """An order of the liquidation engine: exempt from fees, minimums and caps. Returns what was filled, or WAITS."""
    m = p.market
    side = SELL if p.lots > 0 else BUY
    limit = forced_limit(v, unit, p, side, lots)
    fok = v.reduce_method == ReduceMethod.TIER_FOK
    order_id, v.forced_id = v.forced_id, v.forced_id - 1
    unit_event(
        v, EventKind.LIQUIDATION_ORDER, unit, p, order_id=order_id, side=side, price_ticks=limit, size_lots=lots,
        value=m.mark, aux=m.index,
    )  # fmt: skip
    if m.attribution:
        put_claim(p, order_id, side, limit, lots)
        return WAITS
    before = open_sale(v, unit, p, lots)
    taker = Taker(p, order_id, side, limit, lots, pays=False)
    if limit > 0 and m.matches() and (not fok or all_there(m, side, limit, lots)):
        match(v, taker)
    filled = lots - taker.lots
    if taker.lots:
        v.emit(
            EventKind.CANCELLED, account=p.account, market=m.number, order_id=order_id, side=side,
            size_lots=taker.lots, price_ticks=limit, reason=Reject.BY_FOK if fok else Reject.BY_IOC,
        )  # fmt: skip
    if filled:
        sold(v, unit, p, before, side, filled)
    return filled


def open_sale(v: Venue, unit: Unit, p: Position, lots: int) -> tuple:
    """What was so before a forced order trades."""
    sale = Sale(
        abs(p.lots), lots, p.lots > 0, value_of(p) - share_of(unit, p), shortage(v, unit), fund_fee(v, unit, p)
    )
    return sale, p.wallet.balance, p.wallet.realised, p.cost


def sold(v: Venue, unit: Unit, p: Position, before: tuple, side: int, filled: int) -> None:
    """A forced order has traded: what it moved, and what it costs."""
    sale, balance, realised, cost = before
    m, w = p.market, p.wallet
    sale.filled = filled
    if side == SELL:
        m.liquidated_longs += filled
    else:
        m.liquidated_shorts += filled
    if unit.position is not None and p.lots:
        move_isolated(p, w.balance - balance)  # a forced sale frees no margin: what is left must carry the rest
    sale.notional = abs(w.realised - realised + cost - p.cost)
    sale.returned = w.balance - balance
    after_sale(v, unit, p, sale)


def after_sale(v: Venue, unit: Unit, p: Position, sale: Sale) -> None:
    """The fee goes to the fund, never more than the equity left. A shortfall of what is now closed is made good first.

    Of an isolated position that is gone, what `returned` to the wallet is its equity; its loss is not the wallet's.
    """
    m, w, base = p.market, p.wallet, v.liquidation_fee_base
    isolated_gone = unit.position is not None and p.lots == 0
    all_gone = isolated_gone or (unit.position is None and not unit.pool and unit.maintenance() == 0)
    left = sale.returned if isolated_gone else unit.in_asset_of(m, unit.equity())
    fee = fee_of(sale.notional, m.liquidation_fee)
    if base == LiquidationFee.BANKRUPTCY:
        paid = sale.notional if sale.long else -sale.notional
        fee = min(paid - sale.bankruptcy * sale.filled // sale.held, sale.notional * m.liquidation_fee // RATE_ONE)
        if fee < 0:
            cover_shortfall(v, m, Unit(w, None if isolated_gone else unit.position), -fee)
            left -= fee
    if all_gone and left < 0:
        cover_shortfall(v, m, Unit(w), -left)
    if base == LiquidationFee.RESIDUE:
        fee = left if all_gone else 0
    elif base == LiquidationFee.COLLATERAL:
        fee = fee_of(sale.notional, sale.fund_fee)
    fee = max(0, min(fee, left))
    if fee:
        if unit.position is not None and not isolated_gone:
            p.isolated_margin -= fee
            w.balance += fee
        w.fees += fee
        transfer(w, v.fund(m), fee)
        m.fund_result += fee
        unit_event(
            v, EventKind.LIQUIDATION_FEE, Unit(w), p, value=fee, aux=sale.notional, maker_account=v.fund(m).account,
        )  # fmt: skip
    count_work(v, unit, sale)


def count_work(v: Venue, unit: Unit, sale: Sale) -> None:
    w = unit.wallet
    if v.reduce_method == ReduceMethod.SLICE_COOLDOWN and sale.sent < sale.held:
        w.work_ns = v.time_ns
    elif v.reduce_method == ReduceMethod.BLOCK:
        w.work = (w.work if w.work_ns == v.time_ns else 0) + sale.notional
        w.work_ns = v.time_ns
    elif v.reduce_method == ReduceMethod.CURE:
        w.work += max(0, sale.shortage - shortage(v, unit))
