"""When invariants are checked, over what, and how a breach is told. The checks of one record are in invariants.pyx.

`check_state` goes over the whole state. `audit_batch` is what a run pays for by default: it adds up the accounts that
changed, compares the totals, and lets a rotation take as many steps over everything else as the work done has earned.

By the numbers of the specification, E after each command or batch, W in the whole check only:
M1 E balances = deposits; M2 E clearing = -(sum of costs); M3 E an account's balance has its reasons; M4 W rounding;
M5, M7 W fees paid = treasury + fund income, which is never negative; P1 E; P2 E; P5 E; P6 E caps; O1 E; O4 E levels,
queues, lists and indexes, both ways; O8 E; L1 E (outside mark groups); L3 W; risk index E: buckets, bounds, no trigger
too late; further E heap of timers, bitmaps of the ladders; W free lists, list lengths, the state hash.

Not statements about one state, so tested elsewhere: M6, M8, M10, P3, P4, O2, O3, O5, O6, L2, L4-L10, T (the twin, over
events); O7 (views); M9 (waterfall); D (digests); R (readers).
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from .invariants cimport *
from .ladder cimport NONE, Ladder, ladder_get, ladder_next
from .records cimport MARKET_SETTLING, TIERS_MARGINAL
from .state cimport (
    ACCOUNT_NOT_IN_OI, NEVER, STATE_ASIDE, STATE_WAITING, WALLET_DIRTY, WALLET_TOUCHED, Market, Position, Tier, Wallet,
    wallet_of,
)
from .state_hash cimport HASH_PARTS, hash_whole, hashes_stale, hashes_update
from .units cimport RATE_ONE, abs64, count_ones, max64, wide_mul

cdef enum:
    EARNED_BY = 32                      # events and tape rows that pay for one step of the rotation
    WORK_A_WALLET = 24                   # and for adding up one wallet
    STEPS_MAX = 1 << 16                 # that can be saved up
    ROTATE_WALLETS = 0
    ROTATE_POSITIONS = 1
    ROTATE_ORDERS = 2
    ROTATE_LEVELS = 3
    ROTATE_RECORDED = 4
    ROTATE_REST = 5


class InvariantError(AssertionError):
    """The state contradicts itself: a bug of the engine. It says which invariant, where, and the two numbers."""


_SENTENCES = {
    BREACH_MONEY: "M1 balances less deposits of asset {0}",
    BREACH_LOTS: "P1 lots of market {0}",
    BREACH_CLEARING: "M2 clearing of market {0} against the positions' costs",
    BREACH_LONGS: "P2 longs of market {0}",
    BREACH_SHORTS: "P2 shorts of market {0}",
    BREACH_REASONS: "M3 account {0}: balance against its deposits, profits, fees, funding and covers",
    BREACH_FEES: "M5 fees of asset {0}: what treasury and funds got against what was paid",
    BREACH_FUND: "M7 fund {0} lost money without a reason",
    BREACH_ROUNDING: "M4 residue of the rounding account of asset {0}",
    BREACH_SILENT_MONEY: "M1 account {0}, asset {1}: money that changed without being noted",
    BREACH_SILENT_LOTS: "P1 account {0}, market {1}: lots that changed without being noted",
    BREACH_SILENT_COST: "M2 account {0}, market {1}: a cost that changed without being noted",
    BREACH_FLAT: "account {0}, market {1}: a flat position has cost or margin",
    BREACH_MODE: "account {0}, market {1}: margin in a position that is not isolated, or lots of the wrong side in a leg",
    BREACH_POSITION_INDEX: "O4 position index of account {0}, market {1}",
    BREACH_POSITION_LISTS: "O4 list of positions of account {0}",
    BREACH_COUNTS: "O4 order counts of account {0}, market {1}",
    BREACH_HOLDS: "holds of account {0}, market {1}",
    BREACH_REDUCE_ONLY: "P5 reduce-only orders of account {0} (order {1}) exceed the position",
    BREACH_CAP: "P6 position of account {0}, market {1} is above its cap",
    BREACH_MAINTENANCE: "L1 account {0} (position {1}) is under maintenance: health",
    BREACH_TRIGGER_SIDE: "risk index: account {0}, market {1}: trigger on the side of longs",
    BREACH_TRIGGER_LATE: "risk index: account {0} (position {1}): health short of its triggers",
    BREACH_BUCKET: "risk index: account {0}, market {1}: trigger bucket",
    BREACH_BOUND: "risk index: account {0}, market {1}: a trigger is beyond the bound of its side",
    BREACH_ORDER_INDEX: "O4 account {0}: index of order {1}",
    BREACH_ORDER_FIELDS: "O4 account {0}: order {1} has an impossible field",
    BREACH_ORDER_LISTS: "O4 account {0}: position list at order {1}",
    BREACH_ORDER_TRIGGER: "O4 account {0}: trigger of order {1}",
    BREACH_QUEUE: "O4 account {0}: queue at order {1}",
    BREACH_LEVEL_LOTS: "O4 market {0}: lots of the level at {1}",
    BREACH_LEVEL_ORDERS: "O4 market {0}: number or tail of the orders at {1}",
    BREACH_LEVEL_PLACE: "O4 market {0}: place of the level at {1}",
    BREACH_SEGMENTS: "O8 market {0}: recorded lots between the orders at {1}",
    BREACH_RECORDED: "O8 market {0}: a part of the recorded level at {1}",
    BREACH_RECORDED_PLACE: "O8 market {0}: place or mark of the recorded level at {1}",
    BREACH_BITS: "bitmap of the ladder page at {0} (row {1})",
    BREACH_BITS_TOTAL: "ladder {1} of market {0}: number of marked cells",
    BREACH_BEST: "O4 market {0}: best price of side {1}",
    BREACH_CROSSED: "O1 market {0} is crossed (side {1})",
    BREACH_LIVE: "O4 live orders",
    BREACH_WAITING: "O4 waiting orders of market {0}",
    BREACH_INDEX_USED: "O4 entries of index {0}",
    BREACH_INDEX_ENTRY: "O4 entry {0} of the order index",
    BREACH_FREE: "free list {0}",
    BREACH_TIMERS: "timers: heap at a timer of kind {0} for {1}",
    BREACH_TIMER_HASH: "timers: their hash",
    BREACH_TIERS: "L3 market {0}, tier {1}",
    BREACH_MARK: "market {0}: mark in ticks",
    BREACH_BASIS: "market {0}: sum of the basis samples",
    BREACH_FLAGS: "list {1} of wallets, account {0}",
    BREACH_MEMBERS: "risk index: market {0}: positions in the buckets of side {1}",
    BREACH_WATCH: "risk index: account {0}: watched price of variable {1} is passed",
    BREACH_CLAIM: "claim of account {0}, market {1}",
    BREACH_CLAIM_QUEUE: "queue of claims at account {0}, market {1}",
    BREACH_HASH: "state hash, part {0}: kept up to date against whole",
}


cdef int tell(Breach *b) except -1:
    if b.what:
        where = _SENTENCES[b.what].format(b.where, b.where_too)
        raise InvariantError(f"{where}: found {b.found}, expected {b.wanted}")
    return 0


# ---- totals, kept by adding up what changed -----------------------------------------------------------------------

cdef int shadow_forget(Shadow *shadow) noexcept:
    """Give the memory back; the next audit starts from the state as it is then."""
    free(shadow.nets)
    free(shadow.seen)
    free(shadow.assets)
    free(shadow.markets)
    memset(shadow, 0, sizeof(Shadow))
    return 0


cdef int make_room(State *s, Shadow *shadow) except -1:
    cdef int64_t capacity
    cdef Seen *bigger
    if shadow.nets == NULL:
        shadow.nets = <uint64_t *>calloc(<int64_t>s.accounts_count * s.assets_count, sizeof(uint64_t))
        shadow.assets = <uint64_t *>calloc(s.assets_count, sizeof(uint64_t))
        shadow.markets = <Sums *>calloc(s.markets_count, sizeof(Sums))
        if shadow.nets == NULL or shadow.assets == NULL or shadow.markets == NULL:
            raise MemoryError("no memory for the audit")
    if s.positions_count > shadow.seen_capacity:
        capacity = max64(s.positions_count, 2 * <int64_t>shadow.seen_capacity)
        bigger = <Seen *>realloc(shadow.seen, capacity * sizeof(Seen))
        if bigger == NULL:
            raise MemoryError("no memory for the audit")
        memset(bigger + shadow.seen_capacity, 0, (capacity - shadow.seen_capacity) * sizeof(Seen))
        shadow.seen = bigger
        shadow.seen_capacity = <int32_t>capacity
    return 0


cdef inline uint64_t net_of(State *s, int64_t wallet) noexcept nogil:
    """What a wallet has beyond its deposits; modulo 2**64, so that a sum cannot leave its word."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    cdef uint64_t net = <uint64_t>s.wallets[wallet].balance - <uint64_t>s.wallets[wallet].deposited
    while slot != NONE:
        net += <uint64_t>s.positions[slot].isolated_margin
        slot = s.positions[slot].account_next
    return net


cdef inline uint64_t reasons_of(Wallet *w) noexcept nogil:
    """What a customer's wallet says that it has beyond its deposits."""
    return <uint64_t>w.realised - <uint64_t>w.fees + <uint64_t>w.funding + <uint64_t>w.absorbed


cdef inline void add_up(State *s, Shadow *shadow, int64_t wallet) noexcept nogil:
    """Bring the totals in line with one wallet and its positions."""
    cdef int32_t slot = s.wallets[wallet].positions_head
    cdef uint64_t net = <uint64_t>s.wallets[wallet].balance - <uint64_t>s.wallets[wallet].deposited
    cdef Position *p
    cdef Seen *seen
    cdef Sums *sums
    while slot != NONE:
        p = &s.positions[slot]
        seen = &shadow.seen[slot]
        net += <uint64_t>p.isolated_margin
        if p.lots != seen.lots or p.cost != seen.cost:
            sums = &shadow.markets[p.market]
            sums.lots += <uint64_t>p.lots - <uint64_t>seen.lots
            sums.cost += <uint64_t>p.cost - <uint64_t>seen.cost
            if not s.accounts[p.account].flags & ACCOUNT_NOT_IN_OI:
                sums.longs += <uint64_t>(max64(p.lots, 0) - max64(seen.lots, 0))
                sums.shorts += <uint64_t>(max64(-p.lots, 0) - max64(-seen.lots, 0))
            seen.lots = p.lots
            seen.cost = p.cost
        slot = p.account_next
    shadow.assets[wallet % s.assets_count] += net - shadow.nets[wallet]
    shadow.nets[wallet] = net


cdef int add_up_changed(State *s, Shadow *shadow, Hashes *hashes, Breach *b) noexcept nogil:
    """The customers that changed since the last audit, with the reasons of their money (M3); then the house."""
    cdef int64_t i, wallets = <int64_t>s.accounts_count * s.assets_count
    cdef Wallet *w
    for i in range(s.touched_count):
        w = &s.wallets[s.touched[i]]
        w.flags &= ~WALLET_TOUCHED
        hashes_stale(s, hashes, s.touched[i])
        add_up(s, shadow, s.touched[i])
        if shadow.nets[s.touched[i]] != reasons_of(w):
            equal(b, BREACH_REASONS, w.account, 0, <int64_t>shadow.nets[s.touched[i]], <int64_t>reasons_of(w))
    s.touched_count = 0
    for i in range(s.accounts_max * s.assets_count if shadow.made else 0, wallets):     # at first all, then the house
        add_up(s, shadow, i)
    return b.what


cdef int check_totals(State *s, Shadow *shadow, Breach *b) noexcept nogil:
    """M1, M2, P1, P2."""
    cdef int32_t i
    cdef Market *m
    cdef Sums *sums
    for i in range(s.assets_count):
        if equal(b, BREACH_MONEY, i, 0, <int64_t>shadow.assets[i], 0):
            return 1
    for i in range(s.markets_count):
        m = &s.markets[i]
        sums = &shadow.markets[i]
        if equal(b, BREACH_LOTS, i, 0, <int64_t>sums.lots, 0) or \
                equal(b, BREACH_LONGS, i, 0, <int64_t>m.longs_lots, <int64_t>sums.longs) or \
                equal(b, BREACH_SHORTS, i, 0, <int64_t>m.shorts_lots, <int64_t>sums.shorts):
            return 1
        if m.state < MARKET_SETTLING and equal(
                b, BREACH_CLEARING, i, 0, s.wallets[m.clearing_wallet].balance,
                <int64_t>(<uint64_t>m.accrued_paid - sums.cost)):
            return 1
    return 0


# ---- the rotation --------------------------------------------------------------------------------------------------

cdef int rotate_wallet(State *s, Shadow *shadow, int64_t i, Breach *b) noexcept nogil:
    """One wallet as a record, its risk, and whether it changed without being noted."""
    cdef Wallet *w = &s.wallets[i]
    if w.account >= s.accounts_max:
        return check_wallet(s, <int32_t>i, b)
    if not w.flags & WALLET_TOUCHED and equal(
            b, BREACH_SILENT_MONEY, w.account, i % s.assets_count, <int64_t>net_of(s, i), <int64_t>shadow.nets[i]):
        return 1
    return check_wallet(s, <int32_t>i, b) or check_risk(s, <int32_t>i, b)


cdef int rotate_position(State *s, Shadow *shadow, int32_t i, Breach *b) noexcept nogil:
    cdef Position *p = &s.positions[i]
    if equal(b, BREACH_SILENT_LOTS, p.account, p.market, p.lots, shadow.seen[i].lots) or \
            equal(b, BREACH_SILENT_COST, p.account, p.market, p.cost, shadow.seen[i].cost):
        return 1
    return check_position(s, i, b)


cdef Ladder *ladder_number(Market *m, int number, bint *whole) noexcept nogil:
    """A market's ladders by number; in a `whole` one every cell that holds something is marked."""
    whole[0] = number != 2 and number != 3
    if number < 4:
        return &m.sides[number & 1].accounts if number < 2 else &m.sides[number & 1].world
    if number < 6:
        return &m.longs if number == 4 else &m.shorts
    return &m.stops[number - 6]


cdef int check_pages(State *s, Ladder *ladder, int64_t group, bint whole, Breach *b) noexcept nogil:
    """The bitmaps of 64 pages."""
    cdef int64_t page
    for page in range(group << 6, (group + 1) << 6):
        if (ladder.directory[page] != NONE or ladder.bits[page]) and check_page(s, ladder, page, whole, b):
            return 1
    return 0


cdef bint rotate_rest(State *s, int64_t i, Breach *b) noexcept nogil:
    """Number `i` of what is left: timers, index entries, markets and their ladders; False beyond the last."""
    cdef Ladder *ladder
    cdef int number
    cdef int32_t market
    cdef bint whole
    if i < s.timers_count:
        check_timer(s, <int32_t>i, b)
        return True
    i -= s.timers_count
    if i <= s.order_index.mask:
        check_index_entry(s, i, b)
        return True
    i -= s.order_index.mask + 1
    for market in range(s.markets_count):
        if i == 0:
            check_market(s, &s.markets[market], b)
            return True
        i -= 1
        for number in range(10):
            ladder = ladder_number(&s.markets[market], number, &whole)
            if i < ladder.directory_size >> 6:
                check_pages(s, ladder, i, whole, b)
                return True
            i -= ladder.directory_size >> 6
    return False


cdef int64_t rotate_one(State *s, Shadow *shadow, Breach *b) noexcept nogil:
    """Check the next record; returns how many steps it took, 0: there is no next one of its kind."""
    cdef int64_t at = shadow.cursors[shadow.turn]
    if shadow.turn == ROTATE_WALLETS and at < <int64_t>s.accounts_count * s.assets_count:
        rotate_wallet(s, shadow, at, b)
        return 3
    if shadow.turn == ROTATE_POSITIONS and at < s.positions_count:
        rotate_position(s, shadow, <int32_t>at, b)
        return 2 + s.positions[at].resting_orders / 2
    if shadow.turn == ROTATE_ORDERS and at < s.orders_count:
        check_order(s, <int32_t>at, b)
        return 2
    if shadow.turn == ROTATE_LEVELS and at < s.levels_count:
        check_level(s, <int32_t>at, b)
        return 2 + s.levels[at].orders / 2
    if shadow.turn == ROTATE_RECORDED and at < s.world_levels_count:
        check_recorded(s, <int32_t>at, b)
        return 1
    return shadow.turn == ROTATE_REST and rotate_rest(s, at, b)


cdef int rotate(State *s, Shadow *shadow, Breach *b) noexcept nogil:
    """Go on through the state until the steps are used up."""
    cdef int64_t taken
    while shadow.steps > 0 and not b.what:
        taken = rotate_one(s, shadow, b)
        shadow.steps -= max64(taken, 1)
        shadow.cursors[shadow.turn] += 1
        if taken == 0:
            shadow.cursors[shadow.turn] = 0
            shadow.turn = (shadow.turn + 1) % ROTATIONS
            shadow.rounds += shadow.turn == 0
    return b.what


cdef int audit_batch(State *s, Shadow *shadow, Hashes *hashes) except -1:
    """What changed, the totals, and a part of everything. Waits until there was work enough to pay for it.

    So it costs the same small part of a run whatever the sizes of batches; nothing waits for longer than 24 events
    or rows an account.
    """
    cdef int64_t work = s.sequence + s.rows
    cdef Breach b
    if shadow.made and work - shadow.work < WORK_A_WALLET * s.touched_count + s.accounts_count - s.accounts_max:
        return 0
    make_room(s, shadow)
    b.what = BREACH_NONE
    with nogil:
        if shadow.made:
            shadow.steps = min(shadow.steps + (work - shadow.work + EARNED_BY - 1) / EARNED_BY, <int64_t>STEPS_MAX)
        shadow.work = work
        if not add_up_changed(s, shadow, hashes, &b) and not check_totals(s, shadow, &b):
            rotate(s, shadow, &b)
        shadow.made = True
    return tell(&b)


# ---- everything at once --------------------------------------------------------------------------------------------

cdef int check_records(State *s, bint risk, Breach *b) noexcept nogil:
    """Every record by itself."""
    cdef int64_t i
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        if check_wallet(s, <int32_t>i, b) or (risk and check_risk(s, <int32_t>i, b)):
            return 1
    for i in range(s.positions_count):
        if check_position(s, <int32_t>i, b):
            return 1
    for i in range(s.orders_count):
        if check_order(s, <int32_t>i, b):
            return 1
    for i in range(s.levels_count):
        if check_level(s, <int32_t>i, b):
            return 1
    for i in range(s.world_levels_count):
        if check_recorded(s, <int32_t>i, b):
            return 1
    i = 0
    while rotate_rest(s, i, b):
        i += 1
    return b.what


cdef int check_fees(State *s, Breach *b) noexcept nogil:
    """M4, M5, M7: what was paid has arrived, funds lose nothing without a reason, little is left over."""
    cdef int32_t asset, i
    cdef Wallet *w
    cdef uint64_t paid, income
    for asset in range(s.assets_count):
        paid = 0
        for i in range(s.accounts_count):
            paid += <uint64_t>wallet_of(s, i, asset).fees
        w = wallet_of(s, s.treasury, asset)
        income = <uint64_t>w.balance - <uint64_t>w.deposited - <uint64_t>w.absorbed
        for i in range(s.fund_first, s.fund_first + s.fund_count):
            w = wallet_of(s, i, asset)
            if expect(b, w.balance - w.deposited - w.realised - w.funding - w.absorbed >= 0, BREACH_FUND,
                      i - s.fund_first, 0, w.balance, w.deposited + w.realised + w.funding + w.absorbed):
                return 1
            income += <uint64_t>(w.balance - w.deposited - w.realised - w.funding - w.absorbed)
        if equal(b, BREACH_FEES, asset, 0, <int64_t>income, <int64_t>paid):
            return 1
        w = wallet_of(s, s.rounding, asset)
        if expect(b, abs64(w.balance - w.deposited) <= s.roundings, BREACH_ROUNDING, asset, 0, w.balance - w.deposited,
                  s.roundings):
            return 1
    return 0


cdef int check_tiers(State *s, Breach *b) noexcept nogil:
    """L3: caps and rates rise, and maintenance is the same from both sides of every edge."""
    cdef int32_t market, i
    cdef Market *m
    cdef Tier *t
    cdef Tier *before
    for market in range(s.markets_count):
        m = &s.markets[market]
        for i in range(m.tier_count):
            t = &s.tiers[m.tier_first + i]
            if expect(b, t.cap > t.floor and 0 <= t.rate < RATE_ONE, BREACH_TIERS, market, i, t.rate, t.cap):
                return 1
            before = t - 1
            if i and expect(b, t.floor == before.cap and t.rate >= before.rate, BREACH_TIERS, market, i, t.floor, before.cap):
                return 1
            if i and m.rules.tier_method == TIERS_MARGINAL and expect(
                    b, wide_mul(t.deduction - before.deduction, RATE_ONE) == wide_mul(t.floor, t.rate - before.rate),
                    BREACH_TIERS, market, i, t.deduction, before.deduction):
                return 1
            if i == 0 and equal(b, BREACH_TIERS, market, i, t.floor | t.deduction, 0):
                return 1
    return 0


cdef int check_free(State *s, Breach *b) noexcept nogil:
    """Free lists: what is not in use is on its list, once."""
    cdef int64_t count = 0, used = 0, i
    cdef int32_t slot = s.orders_free
    while slot != NONE and count <= s.orders_count:
        count += 1
        slot = s.orders[slot].next if s.orders[slot].state == 0 else s.orders_count
        if slot >= s.orders_count:
            break
    if equal(b, BREACH_FREE, 0, 0, count + s.orders_live, s.orders_count):
        return 1
    count, slot = 0, s.levels_free
    while slot != NONE and count <= s.levels_count:
        count += 1
        slot = s.levels[slot].next_free
    for i in range(s.levels_count):
        used += s.levels[i].head != NONE
    if equal(b, BREACH_FREE, 1, 0, count + used, s.levels_count):
        return 1
    count, used, slot = 0, 0, s.triggers_free
    while slot != NONE and count <= s.triggers_count:
        count += 1
        slot = <int32_t>s.triggers[slot].trigger_ticks
    for i in range(s.triggers_count):
        used += s.triggers[i].order != NONE
    if equal(b, BREACH_FREE, 2, 0, count + used, s.triggers_count):
        return 1
    count, used, slot = 0, 0, s.world_levels_free
    while slot != NONE and count <= s.world_levels_count:
        count += 1
        slot = s.world_levels[slot].next_free
    for i in range(s.world_levels_count):
        used += s.world_levels[i].recorded != 0
    return equal(b, BREACH_FREE, 3, 0, count + used, s.world_levels_count)


cdef int check_counts(State *s, Breach *b) noexcept nogil:
    """Counters against what they count: orders, index entries, flags against lists."""
    cdef int64_t i, live = 0, waiting = 0, resting = 0, aside = 0, dirty = 0, touched = 0
    for i in range(s.orders_count):
        live += s.orders[i].state != 0
        waiting += s.orders[i].state == STATE_WAITING
        aside += s.orders[i].state == STATE_ASIDE
    for i in range(s.levels_count):
        resting += s.levels[i].orders if s.levels[i].head != NONE else 0
    if equal(b, BREACH_LIVE, 0, 0, live, s.orders_live) or \
            equal(b, BREACH_LIVE, 0, 0, resting + waiting + aside, s.orders_live) or \
            equal(b, BREACH_WAITING, NONE, 0, s.waiting_orders, waiting) or \
            equal(b, BREACH_INDEX_USED, 0, 0, s.order_index.used, live) or \
            equal(b, BREACH_INDEX_USED, 1, 0, s.position_index.used, s.positions_count):
        return 1
    live = 0
    for i in range(s.order_index.mask + 1):
        live += s.order_index.entries[i] != 0
    if equal(b, BREACH_INDEX_USED, 0, 0, live, s.order_index.used):
        return 1
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        dirty += s.wallets[i].flags & WALLET_DIRTY != 0
        touched += s.wallets[i].flags & WALLET_TOUCHED != 0
    return equal(b, BREACH_FLAGS, NONE, 0, dirty, s.dirty_count) or equal(b, BREACH_FLAGS, NONE, 1, touched, s.touched_count)


cdef int64_t bucket_members(State *s, Ladder *ladder) noexcept nogil:
    cdef int64_t count = 0, bucket = ladder_next(ladder, 0)
    cdef int32_t slot
    while bucket >= 0:
        slot = ladder_get(ladder, bucket)
        while slot != NONE and count <= s.positions_count:
            count += 1
            slot = s.positions[slot].bucket_next
        bucket = ladder_next(ladder, bucket + 1)
    return count


cdef int check_members(State *s, Market *m, Breach *b) noexcept nogil:
    """The lists of one market: positions, those under triggers, conditional orders; marked cells of its ladders."""
    cdef int64_t count = 0, longs = 0, shorts = 0, waiting = 0, page, marked
    cdef int32_t slot = m.positions_head
    cdef int number
    cdef bint whole
    cdef Ladder *ladder
    while slot != NONE and count <= s.positions_count:
        count += 1
        longs += s.positions[slot].triggered_side == 1
        shorts += s.positions[slot].triggered_side == 2
        waiting += s.positions[slot].waiting_orders
        slot = s.positions[slot].market_next
    if equal(b, BREACH_POSITION_LISTS, NONE, m.id, m.positions_count, count) or \
            equal(b, BREACH_MEMBERS, m.id, 1, bucket_members(s, &m.longs), longs) or \
            equal(b, BREACH_MEMBERS, m.id, 2, bucket_members(s, &m.shorts), shorts) or \
            equal(b, BREACH_WAITING, m.id, 0, m.waiting_orders, waiting):
        return 1
    for number in range(10):
        ladder = ladder_number(m, number, &whole)
        marked = 0
        for page in range(ladder.directory_size):
            if ladder.bits[page]:           # hardly ever; counting ones takes a call
                marked += count_ones(ladder.bits[page])
        if equal(b, BREACH_BITS_TOTAL, m.id, number, ladder.marked, marked):
            return 1
    return 0


cdef int check_whole(State *s, bint risk, Breach *b) noexcept nogil:
    cdef int32_t i
    if check_records(s, risk, b) or check_fees(s, b) or check_tiers(s, b) or check_free(s, b) or check_counts(s, b):
        return 1
    for i in range(s.markets_count):
        if check_members(s, &s.markets[i], b):
            return 1
    if s.timers_count == 0:             # NEVER, or 1 before the first time
        return expect(b, s.next_timer_ns == NEVER or not s.started, BREACH_TIMERS, NONE, NONE, s.next_timer_ns, NEVER)
    return 0


cdef int check_hash(State *s, Hashes *hashes) except -1:
    """The state hash kept up to date is the one that the whole state has."""
    cdef uint64_t parts[HASH_PARTS]
    cdef Breach b
    cdef int i
    b.what = BREACH_NONE
    hashes_update(s, hashes, True)
    hash_whole(s, parts)
    for i in range(HASH_PARTS):
        equal(&b, BREACH_HASH, i, 0, <int64_t>hashes.parts[i], <int64_t>parts[i])
    return tell(&b)


cdef int check_silent(State *s, Shadow *shadow, Hashes *hashes, Breach *b) noexcept nogil:
    """Where totals are kept: nobody changed without being noted."""
    cdef int64_t i
    if add_up_changed(s, shadow, hashes, b) or check_totals(s, shadow, b):
        return 1
    for i in range(s.accounts_max * s.assets_count):
        if equal(b, BREACH_SILENT_MONEY, s.wallets[i].account, i % s.assets_count, <int64_t>net_of(s, i),
                 <int64_t>shadow.nets[i]):
            return 1
    for i in range(s.positions_count):
        if equal(b, BREACH_SILENT_LOTS, s.positions[i].account, s.positions[i].market, s.positions[i].lots,
                 shadow.seen[i].lots):
            return 1
    return 0


cdef int check_state(State *s, Shadow *kept, Hashes *hashes, bint risk) except -1:
    """All invariants over the whole state; those of risk where `risk` and no mark group is open."""
    cdef Shadow fresh
    cdef Breach b
    memset(&fresh, 0, sizeof(Shadow))
    b.what = BREACH_NONE
    try:
        make_room(s, &fresh)
        with nogil:
            sum_whole(s, &fresh)
            if not check_totals(s, &fresh, &b):
                check_whole(s, risk, &b)
        tell(&b)
        if kept.made:
            make_room(s, kept)
            check_silent(s, kept, hashes, &b)
            tell(&b)
    finally:
        shadow_forget(&fresh)
    return check_hash(s, hashes) if hashes.made else 0


cdef void sum_whole(State *s, Shadow *fresh) noexcept nogil:
    cdef int64_t i
    for i in range(<int64_t>s.accounts_count * s.assets_count):
        add_up(s, fresh, i)
