"""Snapshots: magic, format version, schema, CRC-32 of the body, the engine's parameters, then every pool in order.

The schema is the sizes of all records and the byte order, so a snapshot of another build is refused, never guessed at.
Every piece must have the size that the state's own counts ask for, every index must lead into its pool. What is wrong is
told before the engine at hand is touched.
"""

import struct
import zlib

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from .ladder cimport NONE, Ladder, Page
from .links cimport check_links
from .mark_inputs cimport MarkInputs
from .state cimport (
    BASIS_SAMPLES_MAX, COLLATERAL_PRICE_MAX, OI_BANDS_MAX, POSITIONS_MAX, SOURCES_MAX, SPECIAL_CONTRACT, TOUCHED,
    WALLET_STALE, WALLET_TOUCHED, Account, Claim, Collateral, Flow, Found, FundSamples, Haircut, Heap, Level, Market,
    Order, Position, Source, State, Tier, Timer, Trigger, Wallet, Watch, WorldLevel, state_free,
)
from .units cimport i128, large_pages

cdef extern from "<stdlib.h>" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

MAGIC = b"PERPSIM\x00"
VERSION = 1
HEAD = struct.Struct("<8sIIQI")


cdef int schema_number() except -1:
    sizes = struct.pack(                # in the byte order of the machine, as the records are
        "=18I", sizeof(Collateral), sizeof(Watch), sizeof(Heap), sizeof(State), sizeof(Market), sizeof(Account),
        sizeof(Wallet), sizeof(Position), sizeof(Order), sizeof(Trigger), sizeof(Level), sizeof(WorldLevel), sizeof(Timer),
        sizeof(Tier), sizeof(Ladder), sizeof(Source), sizeof(Claim), sizeof(Flow))
    return zlib.crc32(sizes) & 0x7FFFFFFF


cdef bytes piece(const void *block, int64_t size):
    return struct.pack("<Q", size) + ((<const char *>block)[:size] if size else b"")


cdef list ladder_pieces(Ladder *ladder):
    return [
        piece(ladder.directory, ladder.directory_size * 4), piece(ladder.bits, ladder.directory_size * 8),
        piece(ladder.middle, ladder.directory_size >> 6 << 3), piece(ladder.top, ladder.directory_size >> 12 << 3),
        piece(ladder.pages, ladder.pages_used * sizeof(Page)),
    ]


cdef list market_ladders(Market *m):
    """Addresses of a market's ladders, in the order in which they are written."""
    return [
        <size_t>&m.sides[0].accounts, <size_t>&m.sides[0].world, <size_t>&m.sides[1].accounts,
        <size_t>&m.sides[1].world, <size_t>&m.longs, <size_t>&m.shorts, <size_t>&m.stops[0], <size_t>&m.stops[1],
        <size_t>&m.stops[2], <size_t>&m.stops[3],
    ]


cdef bytearray market_images(State *s):
    """The markets without the addresses of this process."""
    image = bytearray((<const char *>s.markets)[:s.markets_count * sizeof(Market)])
    cdef Market *markets = <Market *><char *>image
    cdef int32_t i
    for i in range(s.markets_count):
        for address in market_ladders(&markets[i]):
            forget_memory(<Ladder *><size_t>address)
    return image


cdef bytearray wallet_images(State *s):
    """The wallets without the marks of an audit and a state hash; those lists are not in a snapshot."""
    cdef int64_t i, count = <int64_t>s.accounts_count * s.assets_count
    image = bytearray((<const char *>s.wallets)[:count * sizeof(Wallet)])
    cdef Wallet *wallets = <Wallet *><char *>image
    for i in range(count):
        wallets[i].flags &= ~(WALLET_TOUCHED | WALLET_STALE)
    return image


cdef list book_images(State *s):
    """Triggers, levels and recorded levels without the marks of a state hash."""
    cdef int32_t i
    triggers = bytearray((<const char *>s.triggers)[:s.triggers_count * sizeof(Trigger)] if s.triggers_count else b"")
    levels = bytearray((<const char *>s.levels)[:s.levels_count * sizeof(Level)] if s.levels_count else b"")
    recorded = bytearray((<const char *>s.world_levels)[:s.world_levels_count * sizeof(WorldLevel)]
                         if s.world_levels_count else b"")
    cdef Trigger *t = <Trigger *><char *>triggers
    cdef Level *level = <Level *><char *>levels
    cdef WorldLevel *w = <WorldLevel *><char *>recorded
    for i in range(s.triggers_count):
        t[i].clean = 0
    for i in range(s.levels_count):
        if level[i].next_free == TOUCHED:
            level[i].next_free = NONE
    for i in range(s.world_levels_count):
        if w[i].next_free == TOUCHED:
            w[i].next_free = NONE
    return [triggers, levels, recorded]


cdef int forget_memory(Ladder *ladder) except -1:
    ladder.directory, ladder.bits, ladder.middle, ladder.top, ladder.pages = NULL, NULL, NULL, NULL, NULL
    ladder.pages_capacity = ladder.pages_used
    return 0


cdef bytes dump_state(State *s, bytes setup):
    """Equal states give equal bytes."""
    cdef State image = s[0]
    markets, wallets = market_images(s), wallet_images(s)
    triggers, levels, recorded = book_images(s)
    forget_pools(&image)
    pieces = [
        piece(&image, sizeof(State)), piece(<char *>markets, len(markets)),
        piece(s.tiers, s.tiers_count * sizeof(Tier)), piece(s.impacts, s.impacts_count * sizeof(int64_t)),
        piece(s.basis, <int64_t>s.markets_count * BASIS_SAMPLES_MAX * 8),
        piece(s.sources, <int64_t>s.markets_count * SOURCES_MAX * sizeof(Source)),
        piece(s.mark_inputs, s.markets_count * sizeof(MarkInputs)),
        piece(s.accounts, s.accounts_count * sizeof(Account)),
        piece(<char *>wallets, len(wallets)),
        piece(s.positions, s.positions_count * sizeof(Position)), piece(s.orders, s.orders_count * sizeof(Order)),
        piece(<char *>triggers, len(triggers)), piece(<char *>levels, len(levels)),
        piece(<char *>recorded, len(recorded)),
        piece(s.order_index.entries, (s.order_index.mask + 1) * 8),
        piece(s.position_index.entries, (s.position_index.mask + 1) * 8),
        piece(s.timers, s.timers_count * sizeof(Timer)), piece(s.dirty, s.dirty_count * sizeof(int32_t)),
        piece(s.printed, s.printed_count * sizeof(int64_t)), piece(s.eaten, s.eaten_count * sizeof(int64_t)),
        piece(s.changed, s.changed_count * sizeof(int32_t)),
        piece(s.lights, s.lights_count), piece(s.found, s.found_count * sizeof(Found)),
        piece(s.fund_samples, s.fund_samples_count * sizeof(FundSamples)), piece(s.day_realised, s.day_count * sizeof(int64_t)),
        piece(s.accrued_from, s.positions_count * sizeof(i128) if s.accruals else 0),
        piece(s.claims, s.positions_count * sizeof(Claim) if s.claiming else 0), piece(s.flows, s.flows_count * sizeof(Flow)),
    ]
    cdef int32_t i
    for i in range(s.markets_count):
        for address in market_ladders(&s.markets[i]):
            pieces += ladder_pieces(<Ladder *><size_t>address)
    if s.collateral != NULL:
        pieces += collateral_pieces(s)
    body = b"".join([struct.pack("<Q", len(setup)), setup, *pieces])
    return HEAD.pack(MAGIC, VERSION, schema_number(), len(body), zlib.crc32(body)) + body


cdef list collateral_pieces(State *s):
    """Terms and prices of the collateral assets, the watches and their heaps."""
    cdef int32_t i
    heaps = bytearray((<const char *>s.heaps)[:s.heaps_count * sizeof(Heap)])
    for i in range(s.heaps_count):
        (<Heap *><char *>heaps)[i].items = NULL
        (<Heap *><char *>heaps)[i].capacity = s.heaps[i].count
    return [
        piece(s.collateral, s.assets_count * sizeof(Collateral)), piece(s.haircuts, s.haircuts_count * sizeof(Haircut)),
        piece(s.watches, s.watches_count * sizeof(Watch)), piece(<char *>heaps, len(heaps)),
        *[piece(s.heaps[i].items, s.heaps[i].count * sizeof(int32_t)) for i in range(s.heaps_count)],
    ]


cdef bytes body_of(bytes data):
    if len(data) < HEAD.size or data[:8] != MAGIC:
        raise ValueError("these bytes are not a snapshot of an engine")
    _, version, schema, size, checksum = HEAD.unpack_from(data)
    if version != VERSION or schema != schema_number():
        raise ValueError(f"the snapshot has format {version}, schema {schema}; this build reads {VERSION}, {schema_number()}")
    body = data[HEAD.size:]
    if len(body) != size or zlib.crc32(body) != checksum:
        raise ValueError("the snapshot is damaged: its length or checksum does not agree")
    return body


cdef bytes read_setup(bytes data):
    """The engine's parameters, as they were given to `dump_state`. Verifies the checksum of the whole snapshot first."""
    return Cursor(body_of(data)).setup()


cdef class Cursor:
    """Reads the pieces back, each into fresh memory of its own."""
    cdef bytes body
    cdef int64_t at
    cdef int number

    def __cinit__(self, bytes body):
        self.body = body

    cdef int64_t size(self) except -1:
        """Of the next piece, which is whole."""
        cdef int64_t left = len(self.body) - self.at - 8
        cdef uint64_t size
        if left < 0:
            raise ValueError(f"the snapshot ends before piece {self.number}")
        memcpy(&size, <const char *>self.body + self.at, 8)
        if size > <uint64_t>left:
            raise ValueError(f"piece {self.number} of the snapshot claims {size} bytes, {left} are left")
        return <int64_t>size

    cdef bytes setup(self):
        size = self.size()
        self.at = 8 + size
        return self.body[8:8 + size]

    cdef int copy(self, void *block, int64_t expected) except -1:
        """The next piece, which must have the size that is expected."""
        cdef int64_t size = self.size()
        if size != expected:
            raise ValueError(f"piece {self.number} of the snapshot has {size} bytes, its state asks for {expected}")
        if size:                            # of nothing there may be no block
            memcpy(block, <const char *>self.body + self.at + 8, size)
        self.at += 8 + size
        self.number += 1
        return 0

    cdef void *take(self, int64_t expected, int64_t room=0) except NULL:
        """The next piece in memory of its own, with room for as many bytes at least."""
        cdef int64_t lines = (max(expected, room, 1) + 63) // 64 * 64
        cdef void *block
        if self.size() != expected:             # before memory is asked for
            raise ValueError(f"piece {self.number} of the snapshot has {self.size()} bytes, not {expected}")
        block = aligned_alloc(64, lines)
        if block == NULL:
            raise MemoryError("no memory for the snapshot")
        large_pages(block, lines)
        try:
            self.copy(block, expected)
        except BaseException:
            free(block)
            raise
        memset(<char *>block + expected, 0, lines - expected)
        return block


cdef int load_state(State *s, bytes data) except -1:
    """Replace the state of an engine that was made with the same parameters; on an error it stays as it was."""
    cdef Cursor cursor = Cursor(body_of(data))
    cdef State fresh
    cdef State old
    memset(&fresh, 0, sizeof(State))
    cursor.setup()
    try:
        take_state(cursor, &fresh, s)
        if cursor.at != len(cursor.body):
            raise ValueError("the snapshot goes on after its last piece")
        check_links(&fresh)
    except BaseException:
        state_free(&fresh)
        raise
    keep_scratch(s, &fresh)
    old = s[0]
    s[0] = fresh
    old.touched, old.events, old.fills, old.crossed, old.ranks, old.cuts = NULL, NULL, NULL, NULL, NULL, NULL
    state_free(&old)
    return 0


cdef int expect_counts(State *saved, State *made) except -1:
    """The sizes of pools and tables are possible, and those of an engine with the same parameters."""
    if (saved.markets_count, saved.assets_count, saved.accounts_max, saved.accounts_count, saved.tiers_count,
            saved.impacts_count, saved.fund_count, saved.venue) != (
            made.markets_count, made.assets_count, made.accounts_max, made.accounts_count, made.tiers_count,
            made.impacts_count, made.fund_count, made.venue):
        raise ValueError("the state in the snapshot is not that of an engine with its parameters")
    if (saved.world, saved.treasury, saved.rounding, saved.deficit, saved.fund_first, saved.clearing_first,
            saved.backstop) != (
            made.world, made.treasury, made.rounding, made.deficit, made.fund_first, made.clearing_first,
            made.backstop) \
            or not NONE <= saved.depth_market < saved.markets_count:
        raise ValueError("the house accounts in the snapshot are not those of an engine with its parameters")
    if (saved.exchange, saved.haircuts_count, saved.heaps_count) != (
            made.exchange, made.haircuts_count, made.heaps_count) or (made.collateral == NULL and saved.watches_count):
        raise ValueError("the collateral in the snapshot is not that of an engine with its parameters")
    counts = (saved.positions_count, saved.orders_count, saved.triggers_count, saved.levels_count,
              saved.world_levels_count, saved.timers_count, saved.dirty_count, saved.printed_count,
              saved.eaten_count, saved.found_count, saved.flows_count)
    if saved.watches_count < 0 or min(counts) < 0 or saved.positions_count > POSITIONS_MAX \
            or not 0 <= saved.changed_count <= saved.markets_count:
        raise ValueError("the state in the snapshot counts fewer than none")
    if saved.claiming != made.claiming:
        raise ValueError("the snapshot does not have the claims of an engine with its parameters")
    if saved.accruals > 1:
        raise ValueError("the snapshot does not say whether positions accrue funding")
    if not 0 <= saved.lights_count <= saved.positions_count:
        raise ValueError("the snapshot has more ADL lights than positions")
    if saved.fund_samples_count not in (0, saved.markets_count + saved.fund_count * saved.assets_count) \
            or saved.day_count not in (0, <int64_t>saved.accounts_max * saved.assets_count):
        raise ValueError("the snapshot's samples of funds and results are not those of an engine with its parameters")
    for index in (saved.order_index.mask, saved.position_index.mask):
        if not 0 < index < 1 << 40 or index & (index + 1):
            raise ValueError("a hash index in the snapshot has an impossible size")
    return 0


cdef void *take_if(Cursor cursor, int64_t size) except? NULL:
    """The next piece, in memory of its own where it has any."""
    if size:
        return cursor.take(size)
    cursor.copy(NULL, 0)
    return NULL


cdef int take_state(Cursor cursor, State *fresh, State *made) except -1:
    """All pieces in the order of `dump_state`. `fresh` is at every moment a state that can be freed."""
    cdef State saved
    cursor.copy(&saved, sizeof(State))
    forget_pools(&saved)
    expect_counts(&saved, made)
    fresh[0] = saved
    fresh.markets = take_markets(cursor, made)
    fresh.tiers = <Tier *>cursor.take(saved.tiers_count * sizeof(Tier))
    fresh.impacts = <int64_t *>take_if(cursor, saved.impacts_count * sizeof(int64_t))
    fresh.basis = <int64_t *>cursor.take(<int64_t>saved.markets_count * BASIS_SAMPLES_MAX * 8)
    fresh.sources = <Source *>cursor.take(<int64_t>saved.markets_count * SOURCES_MAX * sizeof(Source))
    fresh.mark_inputs = <MarkInputs *>cursor.take(saved.markets_count * sizeof(MarkInputs))
    fresh.accounts = <Account *>cursor.take(<int64_t>saved.accounts_count * sizeof(Account))
    fresh.wallets = <Wallet *>cursor.take(<int64_t>saved.accounts_count * saved.assets_count * sizeof(Wallet))
    fresh.positions = <Position *>cursor.take(saved.positions_count * sizeof(Position))
    fresh.orders = <Order *>cursor.take(saved.orders_count * sizeof(Order), sizeof(Order))     # never without a slot 0
    fresh.triggers = <Trigger *>cursor.take(saved.triggers_count * sizeof(Trigger))
    fresh.levels = <Level *>cursor.take(saved.levels_count * sizeof(Level))
    fresh.world_levels = <WorldLevel *>cursor.take(saved.world_levels_count * sizeof(WorldLevel))
    fresh.order_index.entries = <uint64_t *>cursor.take((saved.order_index.mask + 1) * 8)
    fresh.position_index.entries = <uint64_t *>cursor.take((saved.position_index.mask + 1) * 8)
    fresh.timers = <Timer *>cursor.take(saved.timers_count * sizeof(Timer))
    fresh.dirty = <int32_t *>cursor.take(saved.dirty_count * sizeof(int32_t))
    fresh.printed = <int64_t *>cursor.take(saved.printed_count * sizeof(int64_t))
    fresh.eaten = <int64_t *>cursor.take(saved.eaten_count * sizeof(int64_t))
    fresh.changed = <int32_t *>cursor.take(saved.changed_count * sizeof(int32_t), saved.markets_count * sizeof(int32_t))
    fresh.lights = <uint8_t *>take_if(cursor, saved.lights_count)
    fresh.found = <Found *>take_if(cursor, saved.found_count * sizeof(Found))
    fresh.fund_samples = <FundSamples *>take_if(cursor, saved.fund_samples_count * sizeof(FundSamples))
    fresh.day_realised = <int64_t *>take_if(cursor, saved.day_count * sizeof(int64_t))
    fresh.accrued_from = <i128 *>take_if(cursor, saved.positions_count * sizeof(i128) if saved.accruals else 0)
    fresh.claims = <Claim *>take_if(cursor, saved.positions_count * sizeof(Claim) if saved.claiming else 0)
    fresh.flows = <Flow *>take_if(cursor, saved.flows_count * sizeof(Flow))
    cdef int32_t i
    for i in range(saved.markets_count):
        expect_contract(&fresh.markets[i], &made.markets[i])
        take_ladders(cursor, &fresh.markets[i], &made.markets[i])
    if made.collateral != NULL:
        take_collateral(cursor, fresh, made)
    return 0


cdef int take_collateral(Cursor cursor, State *fresh, State *made) except -1:
    """Terms must be those of the engine's parameters, prices in their range; heaps take what watches there are."""
    cdef Collateral *ours
    cdef Collateral *theirs
    cdef int64_t i, watched = 0
    fresh.collateral = <Collateral *>cursor.take(fresh.assets_count * sizeof(Collateral))
    fresh.haircuts = <Haircut *>cursor.take(fresh.haircuts_count * sizeof(Haircut))
    for i in range(fresh.assets_count):
        ours, theirs = &made.collateral[i], &fresh.collateral[i]
        if memcmp(ours, theirs, 8 * sizeof(int64_t)) \
                or memcmp(&ours.spot_market, &theirs.spot_market, 5 * sizeof(int32_t)) \
                or not (0 <= theirs.price <= COLLATERAL_PRICE_MAX and 0 <= theirs.given <= COLLATERAL_PRICE_MAX):
            raise ValueError("the collateral in the snapshot is not that of an engine with its parameters")
    if memcmp(made.haircuts, fresh.haircuts, made.haircuts_count * sizeof(Haircut)):
        raise ValueError("the haircuts in the snapshot are not those of an engine with its parameters")
    fresh.watches = <Watch *>cursor.take(fresh.watches_count * sizeof(Watch))
    fresh.heaps = <Heap *>cursor.take(fresh.heaps_count * sizeof(Heap))
    for i in range(fresh.heaps_count):
        fresh.heaps[i].items = NULL
        fresh.heaps[i].capacity = fresh.heaps[i].count
    for i in range(fresh.heaps_count):
        if fresh.heaps[i].count < 0:
            raise ValueError("a heap of watched prices in the snapshot has an impossible size")
        fresh.heaps[i].items = <int32_t *>cursor.take(fresh.heaps[i].count * sizeof(int32_t))
        watched += fresh.heaps[i].count
    if watched > fresh.watches_count:
        raise ValueError("the snapshot has more watched prices than watches")
    return 0


cdef int forget_pools(State *s) except -1:
    """Addresses of the process that saved the state mean nothing here; pools are as large as they are full."""
    s.markets = NULL
    s.tiers, s.impacts = NULL, NULL
    s.collateral, s.haircuts, s.heaps = NULL, NULL, NULL
    s.watches, s.watches_capacity = NULL, s.watches_count
    s.basis = NULL
    s.fund_samples, s.day_realised = NULL, NULL
    s.lights = NULL
    s.sources = NULL
    s.mark_inputs = NULL
    s.accounts = NULL
    s.wallets = NULL
    s.positions, s.positions_capacity = NULL, s.positions_count
    s.accrued_from = NULL
    s.claims = NULL
    s.flows, s.flows_capacity = NULL, s.flows_count
    s.orders, s.orders_capacity = NULL, s.orders_count
    s.triggers, s.triggers_capacity = NULL, s.triggers_count
    s.levels, s.levels_capacity = NULL, s.levels_count
    s.world_levels, s.world_levels_capacity = NULL, s.world_levels_count
    s.order_index.entries = NULL
    s.position_index.entries = NULL
    s.timers, s.timers_capacity = NULL, s.timers_count
    s.dirty, s.dirty_capacity = NULL, s.dirty_count
    s.printed, s.printed_capacity = NULL, s.printed_count
    s.eaten, s.eaten_capacity = NULL, s.eaten_count
    s.changed = NULL
    s.touched, s.touched_count = NULL, 0
    s.events, s.events_count, s.events_capacity, s.events_digested = NULL, 0, 0, 0
    s.fills, s.fills_count, s.fills_capacity = NULL, 0, 0
    s.crossed, s.crossed_count, s.crossed_capacity = NULL, 0, 0
    s.found, s.found_capacity = NULL, s.found_count
    s.ranks, s.ranks_count, s.ranks_capacity, s.ranks_key, s.ranks_old = NULL, 0, 0, -1, 0
    s.cuts, s.cuts_capacity = NULL, 0
    return 0


cdef int keep_scratch(State *s, State *fresh) except -1:
    """Scratch arrays are empty between commands: keep this engine's own."""
    fresh.touched = s.touched
    fresh.events, fresh.events_capacity = s.events, s.events_capacity
    fresh.fills, fresh.fills_capacity = s.fills, s.fills_capacity
    fresh.crossed, fresh.crossed_capacity = s.crossed, s.crossed_capacity
    fresh.ranks, fresh.ranks_capacity = s.ranks, s.ranks_capacity
    fresh.cuts, fresh.cuts_capacity = s.cuts, s.cuts_capacity
    return 0


cdef Market *take_markets(Cursor cursor, State *made) except NULL:
    """The markets, their ladders still without memory."""
    cdef Market *markets = <Market *>cursor.take(made.markets_count * sizeof(Market))
    cdef int32_t i
    for i in range(made.markets_count):
        for address in market_ladders(&markets[i]):
            forget_memory(<Ladder *><size_t>address)
    return markets


cdef tuple fixed_terms(Market *m):
    """What of a market is the same as long as its engine lives."""
    return (
        m.tick_value, m.lot_numerator, m.lot_denominator, m.tick_lot_money, m.price_max, m.mark_min, m.position_max,
        m.position_most, m.special & SPECIAL_CONTRACT, m.rules.contract_kind, m.rules.value_rounding, m.rules.price_min,
        m.rules.tier_method, m.id, m.asset, m.tier_first, m.tier_count, m.clearing_wallet, m.fund_account, m.rules.risk_limits,
        m.rules.attribution,
        m.oi_count, tuple((m.oi_bands[i].lots, m.oi_bands[i].rate) for i in range(OI_BANDS_MAX)))


cdef int expect_contract(Market *m, Market *made) except -1:
    """What bounds every product of a market's numbers is that of the engine's parameters."""
    if fixed_terms(m) != fixed_terms(made):
        raise ValueError("a market in the snapshot is not that of the engine's parameters")
    return 0


cdef int take_ladders(Cursor cursor, Market *fresh, Market *made) except -1:
    """The memory of a market's ladders. What they say of themselves is checked against the engine's own."""
    cdef Ladder *ladder
    cdef int64_t size
    for address, ours in zip(market_ladders(fresh), market_ladders(made)):
        ladder = <Ladder *><size_t>address
        size = ladder.directory_size
        if ladder.price_max != (<Ladder *><size_t>ours).price_max or ladder.pages_used < 0 \
                or not 0 <= size <= 1 << 40 or size % 4096:
            raise ValueError("a price ladder in the snapshot has an impossible size")
        ladder.directory = <int32_t *>cursor.take(size * 4)
        ladder.bits = <uint64_t *>cursor.take(size * 8)
        ladder.middle = <uint64_t *>cursor.take(size >> 6 << 3)
        ladder.top = <uint64_t *>cursor.take(size >> 12 << 3)
        ladder.pages = <Page *>cursor.take(ladder.pages_used * sizeof(Page))
    return 0
