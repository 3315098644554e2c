"""What the state looks like from Python. Every view is a copy."""

from libc.stdint cimport int64_t

import numpy as np

from .accrual cimport accrued_of
from .book cimport NO_PRICE, best_price, world_lots, worse
from .ladder cimport NONE, Ladder, ladder_get
from .margin cimport gain_now, held_maintenance, orders_maintenance, position_maintenance, value_at
from .records cimport MODE_CROSS, SIDE_BUY, SIDE_SELL
from .state cimport POSITION_LIMIT, Market, Order, Position, Wallet

POSITION = np.dtype([
    ("account", "<i4"), ("market", "<u2"), ("mode", "u1"), ("stage", "u1"), ("leverage", "<u2"), ("orders", "<u2"),
    ("position_side", "u1"), ("lots", "<i8"), ("cost", "<i8"), ("isolated_margin", "<i8"), ("value", "<i8"), ("pnl", "<i8"),
    ("maintenance", "<i8"), ("trigger", "<i8"), ("bid_value", "<i8"), ("ask_value", "<i8"), ("open_loss", "<i8"),
    ("accrued", "<i8"), ("adl_light", "u1"), ("risk_limit", "u1"),
], align=True)
ACCOUNT = np.dtype([
    ("account", "<i4"), ("asset", "<i4"), ("owner", "<i4"), ("stp_group", "<i4"), ("balance", "<i8"),
    ("isolated", "<i8"), ("equity", "<i8"), ("maintenance", "<i8"), ("cross_equity", "<i8"),
    ("cross_maintenance", "<i8"), ("deposited", "<i8"), ("realised", "<i8"), ("unrealised", "<i8"), ("fees", "<i8"),
    ("funding", "<i8"), ("absorbed", "<i8"), ("liquidations", "<i4"), ("adl_hits", "<i4"), ("stage", "<i4"),
], align=True)
ORDER = np.dtype([
    ("account", "<i4"), ("market", "<u2"), ("side", "u1"), ("state", "u1"), ("order_id", "<i8"), ("price_ticks", "<i8"),
    ("size_lots", "<i8"), ("filled_lots", "<i8"), ("world_ahead", "<i8"), ("flags", "<u2"), ("tif", "u1"),
])


cdef object positions_array(State *s):
    """One row a position slot that was ever used, in order of first use."""
    cdef int32_t i
    cdef Position *p
    cdef Market *m
    cdef int64_t value
    rows = np.zeros(s.positions_count, POSITION)
    cdef int32_t[:] account = rows["account"]
    cdef unsigned short[:] market = rows["market"], leverage = rows["leverage"], orders = rows["orders"]
    cdef unsigned char[:] mode = rows["mode"], stage = rows["stage"], leg = rows["position_side"]
    cdef int64_t[:] lots = rows["lots"], cost = rows["cost"], isolated = rows["isolated_margin"]
    cdef int64_t[:] values = rows["value"], pnl = rows["pnl"], maintenance = rows["maintenance"]
    cdef int64_t[:] trigger = rows["trigger"], bids = rows["bid_value"], asks = rows["ask_value"]
    cdef int64_t[:] open_loss = rows["open_loss"], accrued = rows["accrued"]
    cdef unsigned char[:] light = rows["adl_light"], limit = rows["risk_limit"]
    with nogil:
        for i in range(s.positions_count):
            p = &s.positions[i]
            m = &s.markets[p.market]
            value = value_at(s, m, p.lots, m.mark)
            account[i] = p.account
            market[i] = p.market
            mode[i] = p.mode
            stage[i] = p.stage
            leg[i] = p.leg
            leverage[i] = p.leverage
            orders[i] = p.resting_orders + p.waiting_orders
            lots[i] = p.lots
            cost[i] = p.cost
            isolated[i] = p.isolated_margin
            values[i] = value
            pnl[i] = value - p.cost if p.lots else 0
            accrued[i] = accrued_of(s, m, p)
            maintenance[i] = held_maintenance(s, m, p, value) if p.lots else 0
            trigger[i] = p.trigger_value if p.triggered_side else -1
            bids[i] = p.order_value[SIDE_BUY]
            asks[i] = p.order_value[SIDE_SELL]
            open_loss[i] = p.open_loss
            light[i] = s.lights[i] if i < s.lights_count else 0
            limit[i] = p.cap_tiers if p.flags & POSITION_LIMIT else 0
    return rows


cdef object accounts_array(State *s):
    """One row an account and asset, house accounts last."""
    cdef int64_t i, n = <int64_t>s.accounts_count * s.assets_count
    cdef int32_t slot
    cdef Wallet *w
    cdef Position *p
    cdef Market *m
    cdef int64_t pnl_cross, pnl_isolated, margin, needed_isolated, needed
    rows = np.zeros(n, ACCOUNT)
    account = np.arange(n, dtype=np.int32) // s.assets_count
    rows["account"] = account
    rows["asset"] = np.arange(n, dtype=np.int32) % s.assets_count
    cdef int32_t[:] owner = rows["owner"], group = rows["stp_group"]
    cdef int32_t[:] liquidations = rows["liquidations"], hits = rows["adl_hits"], stage = rows["stage"]
    cdef int64_t[:] balance = rows["balance"], isolated = rows["isolated"], equity = rows["equity"]
    cdef int64_t[:] maintenance = rows["maintenance"], cross = rows["cross_equity"], deposited = rows["deposited"]
    cdef int64_t[:] cross_maintenance = rows["cross_maintenance"], realised = rows["realised"]
    cdef int64_t[:] unrealised = rows["unrealised"], fees = rows["fees"], funding = rows["funding"]
    cdef int64_t[:] absorbed = rows["absorbed"]
    with nogil:
        for i in range(n):
            w = &s.wallets[i]
            pnl_cross = pnl_isolated = margin = needed = needed_isolated = 0
            slot = w.positions_head
            while slot != NONE:
                p = &s.positions[slot]
                if p.lots:
                    m = &s.markets[p.market]
                    if p.mode == MODE_CROSS:
                        pnl_cross += gain_now(s, m, p)
                        needed += position_maintenance(s, m, p)
                    else:
                        pnl_isolated += gain_now(s, m, p)
                        needed_isolated += position_maintenance(s, m, p)
                if p.resting_orders:
                    needed += orders_maintenance(s, &s.markets[p.market], p)
                margin += p.isolated_margin
                slot = p.account_next
            owner[i] = s.accounts[w.account].owner
            group[i] = s.accounts[w.account].stp_group
            balance[i] = w.balance
            isolated[i] = margin
            cross[i] = w.balance + pnl_cross
            equity[i] = w.balance + margin + pnl_cross + pnl_isolated
            maintenance[i] = needed + needed_isolated
            cross_maintenance[i] = needed
            deposited[i] = w.deposited
            realised[i] = w.realised
            unrealised[i] = pnl_cross + pnl_isolated
            fees[i] = w.fees
            funding[i] = w.funding
            absorbed[i] = w.absorbed
            liquidations[i] = <int32_t>w.liquidations
            hits[i] = <int32_t>w.adl_hits
            stage[i] = w.stage
    return rows


cdef object orders_array(State *s):
    """Live orders in order of their slots."""
    cdef int32_t i
    cdef Order *o
    rows = []
    for i in range(s.orders_count):
        o = &s.orders[i]
        if o.state:
            rows.append((
                s.positions[o.position].account, s.positions[o.position].market, o.side, o.state, o.id, o.price_ticks,
                o.size_lots, o.filled_lots, o.world_ahead, o.flags, o.tif))
    return np.array(rows, ORDER)


cdef object book_arrays(State *s, int32_t market, int side):
    """(price_ticks, lots) of one side, best first: account orders and recorded lots together, venue prices."""
    cdef Market *m = &s.markets[market]
    cdef Ladder *accounts = &m.sides[side].accounts
    cdef Ladder *world = &m.sides[side].world
    rows = np.empty((accounts.marked + world.marked, 2), np.int64)
    cdef int64_t[:, ::1] out = rows
    cdef int64_t n = 0
    cdef int64_t a = m.sides[side].best_accounts, w = m.sides[side].best_world
    cdef int64_t price
    while a != NO_PRICE or w != NO_PRICE:
        if w == NO_PRICE or (a != NO_PRICE and (a > w + m.shift if side == SIDE_BUY else a < w + m.shift)):
            price = a
        else:
            price = w + m.shift
        out[n, 0] = price
        out[n, 1] = 0
        if a == price:
            out[n, 1] = s.levels[ladder_get(accounts, a)].lots
            a = worse(accounts, side, a + (1 if side else -1))
        if w != NO_PRICE and w + m.shift == price:
            out[n, 1] += world_lots(&s.world_levels[ladder_get(world, w)])
            w = worse(world, side, w + (1 if side else -1))
        n += 1
    return rows[:n]


cdef object queue_list(State *s, int32_t market, int side, long long price):
    """Segments of one price from head to tail: (account, order_id, lots); recorded lots as (world, None, lots)."""
    cdef Market *m = &s.markets[market]
    cdef int32_t at = ladder_get(&m.sides[side].accounts, price) if price >= 0 else NONE
    cdef int32_t slot, world = NONE
    cdef int64_t tail = 0
    rows = []
    if price - m.shift >= 0:
        world = ladder_get(&m.sides[side].world, price - m.shift)
    if world != NONE:
        tail = world_lots(&s.world_levels[world])
    if at != NONE:
        slot = s.levels[at].head
        tail -= s.levels[at].world_lots
        while slot != NONE:
            if s.orders[slot].world_ahead:
                rows.append((s.world, None, s.orders[slot].world_ahead))
            rows.append((s.positions[s.orders[slot].position].account, s.orders[slot].id, s.orders[slot].size_lots))
            slot = s.orders[slot].next
    if tail:
        rows.append((s.world, None, tail))
    return rows


cdef int64_t claimed_lots(State *s, Market *m, int side) noexcept nogil:
    """What forced orders of a side wait for."""
    cdef int32_t slot = m.claims_head[side]
    cdef int64_t lots = 0
    while slot != NONE:
        lots += s.claims[slot].left
        slot = s.claims[slot].next
    return lots


cdef dict market_dict(State *s, int32_t market):
    cdef Market *m = &s.markets[market]
    return {
        "state": m.state, "mark": m.mark, "index": m.index, "last_ticks": m.last, "shift_ticks": m.shift,
        "shock_e9": m.shock, "funding_rate_e9": m.funding_rate, "funding_next_ns": m.funding_next_ns,
        "best_bid_ticks": best_price(m, 0), "best_ask_ticks": best_price(m, 1),
        "longs_lots": int(<int64_t>m.longs_lots), "shorts_lots": int(<int64_t>m.shorts_lots),
        "mark_lowest": m.mark_lowest, "mark_highest": m.mark_highest, "basis_gap_worst_e9": m.basis_gap_worst_e9,
        "liquidated_long_lots": m.liquidated_long_lots, "liquidated_short_lots": m.liquidated_short_lots,
        "tape_unfilled_lots": m.tape_unfilled_lots, "tape_trades": m.prints, "attributed_lots": m.attributed_lots,
        "excess_lots": m.excess_lots, "deficit_lots": m.deficit_lots, "lapsed_lots": m.lapsed_lots,
        "claimed_lots": (claimed_lots(s, m, 0), claimed_lots(s, m, 1)), "tick_lot_money": m.tick_lot_money,
        "tick_value": m.tick_value, "lot_numerator": m.lot_numerator, "lot_denominator": m.lot_denominator,
    }


cdef dict statistics_dict(State *s):
    return {
        "time_ns": s.time_ns, "events": s.sequence, "rows": s.rows, "looks": s.looks, "liquidations": s.liquidations,
        "live_orders": s.orders_live, "positions": s.positions_count,
        "bytes_per_order": sizeof(Order), "bytes_per_position": sizeof(Position), "bytes_per_wallet": sizeof(Wallet),
    }
