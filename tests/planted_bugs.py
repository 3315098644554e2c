"""Bugs to plant in the core, one at a time, and see whether the tests notice: `make mutants`.

A list of data: each row replaces one piece of text, which stands exactly once in its file. When the core changes, a
test in tests/test_differential.py says which rows must follow it.
"""

from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    file: str  # in core/
    old: str
    new: str
    means: str


BUGS = [
    # ---- the book ----
    Bug(
        "larger-keeps-place", "orders.pyx",
        "    if c.price_ticks == o.price_ticks and left <= o.size_lots:",
        "    if c.price_ticks == o.price_ticks:",
        "an order that is amended to a larger size keeps its place in the queue",
    ),
    Bug(
        "both-expire", "book.pyx",
        "            if t.stp_mode != STP_EXPIRE_TAKER:",
        "            if t.stp_mode == STP_EXPIRE_MAKER:",
        "self-trade prevention of both sides spares the maker",
    ),
    Bug(
        "maker-beyond-position", "book.pyx",
        "        if o.flags & FLAG_REDUCE_ONLY and slot != t.checked:",
        "        if False:",
        "a reduce-only maker fills beyond what earlier fills of the same sweep have left of its position",
    ),
    Bug(
        "taker-keeps-reduce-only", "settle.pyx",
        "        if taker.reduce_only_orders:",
        "        if False:",
        "a taker's resting reduce-only orders outlive its position",
    ),
    Bug(
        "auction-far-from-mark", "auction.pyx",
        "abs64(at - reference) < abs64(best - reference)",
        "abs64(at - reference) > abs64(best - reference)",
        "of auction prices alike in volume and surplus, the farthest from the mark is taken",
    ),
    Bug(
        "beyond-sold-twice", "beyond.pyx",
        "    m.beyond_taken[side] += lots\n",
        "    m.beyond_taken[side] += 0\n",
        "what is stated beyond the recorded depth is sold again to the next taker",
    ),
    Bug(
        "beyond-never-told", "overlay.pyx",
        "    if m.beyond_edge[side] != NO_PRICE:\n",
        "    if False:\n",
        "a depth message does not renew what is stated beyond the recorded depth",
    ),
    Bug(
        "beyond-before-orders", "book.pyx",
        "crosses(side, limit, further) and better(maker_side, further, price)",
        "crosses(side, limit, further)",
        "stated lots beyond the recorded depth go before account orders",
    ),
    # ---- money ----
    Bug(
        "hold-lost", "orders.pyx",
        "    if reason:\n        hold(s, m, o)\n        return reason",
        "    if reason:\n        return reason",
        "an order whose amendment is refused holds no margin any more",
    ),
    Bug(
        "fee-down", "margin.pxd",
        "    return mul_div_ceil(notional, rate, RATE_ONE, &s.overflow)\n\n",
        "    return mul_div_floor(notional, rate, RATE_ONE, &s.overflow)\n\n",
        "fees are rounded for the account",
    ),
    Bug(
        "funding-down", "funding_rules.pxd",
        "return mul_div_ceil(value, rate, one, overflow)",
        "return mul_div_floor(value, rate, one, overflow)",
        "funding is rounded for the account",
    ),
    Bug(
        "funding-twice", "funding.pyx",
        "        m.funding_next_ns = 0           # paid: another timer of this instant finds nothing to do\n",
        "        pass\n",
        "funding is paid twice at a stamp that was moved away and back",
    ),
    Bug(
        "forced-sale-frees", "forced_fee.pyx",
        "        move_isolated(s, p, w.balance - sale.balance)   # a forced sale frees no margin",
        "        pass  #",
        "a forced sale frees margin of an isolated position",
    ),
    Bug(
        "claims-at-any-price", "attribution.pyx",
        "    if c.limit <= 0 or not crosses(side, c.limit, price):",
        "    if c.limit <= 0:",
        "a forced order has recorded trades beyond its limit",
    ),
    Bug(
        "deficit-pushes-on", "attribution.pyx",
        "        note_flow(m, 1 - side, known - history)",
        "        note_flow(m, side, known - history)",
        "forced flow that is missing moves the book as if it were there",
    ),
    Bug(
        "one-turn-for-all", "liquidation.pyx",
        "        s.positions[slot].flags |= POSITION_SEEN\n        touch(s, s.positions[slot].wallet)\n    return work",
        "        pass\n    return work",
        "a forced order that finds no trade is sent again and again, and the unit's other positions never are",
    ),
    # ---- who is looked at ----
    Bug(
        "trigger-late", "triggers.pyx",
        "return BEYOND if beyond else mark + 1",
        "return BEYOND if beyond else mark - 40",
        "the trigger of a long lies below its liquidation price",
    ),
    Bug(
        "trigger-tier", "triggers.pyx",
        "        while t > first and wanted < t.floor:",
        "        while False:",
        "the trigger of a long uses the bracket of now, not that of the price at which it is reached",
    ),
    Bug(
        "bound-forgets", "triggers.pyx",
        "                    bound = max64(bound, s.positions[slot].trigger_value)",
        "                    pass",
        "a bucket that was looked at once is passed over by the next mark inside it",
    ),
    Bug(
        "stale-after-withdrawal", "accounts.pyx",
        "    account_event(s, c, EVENT_WITHDRAWAL)\n    return mark_dirty(s, c.account * s.assets_count + c.asset)",
        "    account_event(s, c, EVENT_WITHDRAWAL)\n    return 0",
        "triggers are not set anew after a withdrawal",
    ),
    Bug(
        "edge-unwatched", "triggers.pyx",
        "    if m.rules.tier_method == TIERS_WHOLE and m.rules.maintenance_value != MAINTENANCE_ENTRY:\n"
        "        collect_edges(s, m)\n",
        "",
        "a leap of maintenance on the winning side is not looked at",
    ),
    Bug(
        "inverse-direction", "triggers.pyx",
        "    elif (p.lots > 0) != inverse(m):",
        "    elif p.lots > 0:",
        "an inverse long is watched as if a rise hurt it",
    ),
    Bug(
        "legs-netted", "triggers.pyx",
        "            health = add_checked(health, value - p.cost - part, &s.overflow)\n",
        "            if p.leg == 2:\n                health += part\n"
        "            health = add_checked(health, value - p.cost - part, &s.overflow)\n",
        "the short leg of a hedge asks for no maintenance when it is looked at",
    ),
    Bug(
        "orders-unwatched", "orders.pxd",
        "    if m.rules.order_maintenance:\n        mark_dirty(",
        "    if False:\n        mark_dirty(",
        "an order that asks for maintenance leaves the triggers as they were",
    ),
    Bug(
        "box-one-sided", "multi.pyx",
        "            watch_add(s, account, s.markets_count + a, True, i.high)",
        "            pass",
        "the rise of a collateral price that makes a debt dearer is not watched",
    ),
    Bug(
        "box-too-wide", "multi.pyx",
        "    width = widest_box(s, lead)",
        "    width = widest_box(s, lead) * 2",
        "the prices of a multi-asset account are watched farther out than its health bears",
    ),
    Bug(
        "accrual-unreserved", "triggers.pyx",
        "    return accrued_at_worst(s, m, p) - accrued_of(s, m, p)",
        "    return 0",
        "triggers leave no slack for funding that accrues",
    ),
    Bug(
        "accrual-band-left", "accrual.pyx",
        "(s.positions[slot].lots > 0) == longs:",
        "(s.positions[slot].lots > 0) != longs:",
        "when the funding index leaves its band, those who gain by it are stamped again, not those who pay",
    ),
    Bug(
        "accrual-waits-for-marks", "risk.pyx",
        "    if s.accruing:\n        collect_accrued(s)\n    if s.crossed_count:",
        "    if s.crossed_count:",
        "a unit that funding alone can take is looked at only when its own mark moves",
    ),
    # ---- the waterfall ----
    Bug(
        "size-past-the-tiers", "forced_size.pyx",
        "        if t.floor == 0 or one_rate:\n            return held",
        "        if True:\n            return held",
        "the whole is sold where a part restores maintenance, the fee being above the rate of the lower brackets",
    ),
    Bug(
        "portion-down", "deleverage.pxd",
        "        return -mul_div_floor(-whole, abs64(part), abs64(lots), &s.overflow)",
        "        return mul_div_floor(whole, abs64(part), abs64(lots), &s.overflow)",
        "the part of a short's value that goes with a part of it is rounded away from zero",
    ),
    Bug(
        "capacity-direction", "fund_rules.pxd",
        "(lots > 0) != (net > 0) else -abs64(net)",
        "(lots > 0) == (net > 0) else -abs64(net)",
        "what the fund carries makes room for more of the same side",
    ),
    Bug(
        "adl-ties", "adl.pyx",
        "    return a.account < b.account",
        "    return a.account > b.account",
        "equal ranks are deleveraged from the last account on",
    ),
    Bug(
        "adl-losers", "adl_scores.pxd",
        "    return wide_mul(gain, RATE_ONE) / max64(1, factor) * RATE_ONE",
        "    return wide_mul(gain, factor)",
        "among losers the most leveraged comes last",
    ),
    Bug(
        "winners-give-less", "loss_sharing.pxd",
        "min64(mul_div_ceil(wanted, means, total, overflow), means)",
        "min64(mul_div_floor(wanted, means, total, overflow), means)",
        "shares of a socialised loss are rounded down, so a unit of it is left",
    ),
    # ---- recorded liquidity ----
    Bug(
        "cancels-from-the-head", "queue_models.pyx",
        "    gone -= min64(before - level.world_lots, gone)\n",
        "",
        "recorded lots that are cancelled leave from before account orders too",
    ),
    Bug(
        "print-repays-nothing", "overlay.pyx",
        "        w.printed += repaid\n",
        "",
        "a recorded trade in what simulated takers ate puts it back into the book",
    ),
    # ---- time, batches, restarts ----
    Bug(
        "timers-by-age", "timers.pyx",
        "    if a.kind != b.kind:\n        return a.kind < b.kind\n",
        "",
        "timers of one instant fire in the order in which they were set",
    ),
    Bug(
        "restored-clean", "snapshot.pyx",
        "    fresh.dirty = <int32_t *>cursor.take(saved.dirty_count * sizeof(int32_t))\n",
        "    fresh.dirty = <int32_t *>cursor.take(saved.dirty_count * sizeof(int32_t))\n    fresh.dirty_count = 0\n",
        "a restored engine has forgotten whose triggers were to be set anew",
    ),
    Bug(
        "waiting-command-lost", "dispatch.pyx",
        "    if waiting.kind:\n        apply_any(s, &waiting)\n",
        "",
        "a command whose timers led to an ADL decision is not done after it",
    ),
    Bug(
        "digest-of-large-batches", "engine.pyx",
        "        digest_events(&self.state)\n        self.buffer.memory",
        "        if count < 100:\n            digest_events(&self.state)\n        self.buffer.memory",
        "the events of a large batch are left out of the digest",
    ),
]  # fmt: skip
