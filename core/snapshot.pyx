"""Snapshots: magic, format version, schema, CRC-32 of the body, the engine's parameters, then every pool in order.

The schema is the sizes of all records, so a snapshot of another build is refused, never guessed at.
"""

import struct
import zlib

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from .ladder cimport Ladder, Page, ladder_free
from .state cimport (
    BASIS_SAMPLES_MAX, WALLET_STALE, WALLET_TOUCHED, Account, Level, Market, Order, Position, State, Tier, Timer, Trigger,
    Wallet, WorldLevel,
)

MAGIC = b"PERPSIM\x00"
VERSION = 1
HEAD = struct.Struct("<8sIIQI")


cdef int schema_number() except -1:
    sizes = struct.pack(
        "<12I", sizeof(State), sizeof(Market), sizeof(Account), sizeof(Wallet), sizeof(Position), sizeof(Order),
        sizeof(Trigger), sizeof(Level), sizeof(WorldLevel), sizeof(Timer), sizeof(Tier), sizeof(Ladder))
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


cdef bytes dump_state(State *s, bytes setup):
    pieces = [
        piece(s, sizeof(State)), piece(s.markets, s.markets_count * sizeof(Market)),
        piece(s.tiers, s.tiers_count * sizeof(Tier)),
        piece(s.basis, <int64_t>s.markets_count * BASIS_SAMPLES_MAX * 8),
        piece(s.accounts, s.accounts_count * sizeof(Account)),
        piece(s.wallets, <int64_t>s.accounts_count * s.assets_count * sizeof(Wallet)),
        piece(s.positions, s.positions_count * sizeof(Position)), piece(s.orders, s.orders_count * sizeof(Order)),
        piece(s.triggers, s.triggers_count * sizeof(Trigger)), piece(s.levels, s.levels_count * sizeof(Level)),
        piece(s.world_levels, s.world_levels_count * sizeof(WorldLevel)),
        piece(s.order_index.entries, (s.order_index.mask + 1) * 8),
        piece(s.position_index.entries, (s.position_index.mask + 1) * 8),
        piece(s.timers, s.timers_count * sizeof(Timer)), piece(s.dirty, s.dirty_count * 4),
        piece(s.printed, s.printed_count * 8), piece(s.changed, s.changed_count * 4),
    ]
    cdef int32_t i
    for i in range(s.markets_count):
        for address in market_ladders(&s.markets[i]):
            pieces += ladder_pieces(<Ladder *><size_t>address)
    body = b"".join([struct.pack("<Q", len(setup)), setup, *pieces])
    return HEAD.pack(MAGIC, VERSION, schema_number(), len(body), zlib.crc32(body)) + body


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
    """The engine's parameters, as they were given to `dump_state`. Verifies the whole snapshot first."""
    body = body_of(data)
    (size,) = struct.unpack_from("<Q", body)
    return body[8:8 + size]


cdef class Cursor:
    """Reads the pieces back, each into fresh memory of its own."""
    cdef bytes body
    cdef int64_t at

    cdef void *take(self, int64_t minimum) except NULL:
        cdef int64_t size = struct.unpack_from("<Q", self.body, self.at)[0]
        cdef const char *source = self.body
        cdef void *block = calloc(max(size, minimum, 1), 1)
        if block == NULL:
            raise MemoryError("no memory for the snapshot")
        memcpy(block, source + self.at + 8, size)
        self.at += 8 + size
        return block


cdef int load_ladder(Cursor cursor, Ladder *ladder, Ladder *kept) except -1:
    ladder_free(kept)
    kept[0] = ladder[0]
    kept.directory = <int32_t *>cursor.take(0)
    kept.bits = <uint64_t *>cursor.take(0)
    kept.middle = <uint64_t *>cursor.take(0)
    kept.top = <uint64_t *>cursor.take(0)
    kept.pages = <Page *>cursor.take(0)
    kept.pages_capacity = kept.pages_used
    return 0


cdef int load_state(State *s, bytes data) except -1:
    """Replace the state of an engine that was made with the same parameters."""
    body = body_of(data)
    cdef Cursor cursor = Cursor.__new__(Cursor)
    cdef Market *markets
    cdef State saved
    cdef void *block
    cdef int32_t i
    cursor.body = body
    cursor.at = 8 + struct.unpack_from("<Q", body)[0]
    block = cursor.take(0)
    saved = (<State *>block)[0]
    free(block)
    markets = <Market *>cursor.take(0)
    take_pools(s, &saved, cursor)
    for i in range(s.markets_count):
        load_market(cursor, &markets[i], &s.markets[i])
    free(markets)
    saved.markets = s.markets
    saved.events = s.events
    saved.events_capacity = s.events_capacity
    saved.events_count = saved.events_digested = 0
    keep_scratch(s, &saved)
    s[0] = saved
    for i in range(s.accounts_count * s.assets_count):
        s.wallets[i].flags &= ~(WALLET_TOUCHED | WALLET_STALE)  # those lists are not in a snapshot
    return 0


cdef int load_market(Cursor cursor, Market *from_file, Market *kept) except -1:
    """Ladders first (their memory is new), then all the numbers."""
    cdef int i
    cdef Ladder ladders[10]
    old, new = market_ladders(kept), market_ladders(from_file)
    for i in range(10):
        load_ladder(cursor, <Ladder *><size_t>new[i], <Ladder *><size_t>old[i])
        ladders[i] = (<Ladder *><size_t>old[i])[0]
    kept[0] = from_file[0]
    for i in range(10):
        (<Ladder *><size_t>old[i])[0] = ladders[i]
    return 0


cdef int take_pools(State *s, State *saved, Cursor cursor) except -1:
    """Fresh memory for every pool, in the order of `dump_state`; the old memory is given back."""
    for block in (<size_t>s.tiers, <size_t>s.basis, <size_t>s.accounts, <size_t>s.wallets, <size_t>s.positions,
                  <size_t>s.orders, <size_t>s.triggers, <size_t>s.levels, <size_t>s.world_levels,
                  <size_t>s.order_index.entries, <size_t>s.position_index.entries, <size_t>s.timers, <size_t>s.dirty,
                  <size_t>s.printed, <size_t>s.changed):
        free(<void *><size_t>block)
    saved.tiers = <Tier *>cursor.take(0)
    saved.basis = <int64_t *>cursor.take(0)
    saved.accounts = <Account *>cursor.take(0)
    saved.wallets = <Wallet *>cursor.take(0)
    saved.positions = <Position *>cursor.take(0)
    saved.orders = <Order *>cursor.take(sizeof(Order))      # never without a slot 0
    saved.triggers = <Trigger *>cursor.take(0)
    saved.levels = <Level *>cursor.take(0)
    saved.world_levels = <WorldLevel *>cursor.take(0)
    saved.order_index.entries = <uint64_t *>cursor.take(0)
    saved.position_index.entries = <uint64_t *>cursor.take(0)
    saved.timers = <Timer *>cursor.take(0)
    saved.dirty = <int32_t *>cursor.take(0)
    saved.printed = <int64_t *>cursor.take(0)
    saved.changed = <int32_t *>cursor.take(s.markets_count * 4)
    saved.positions_capacity = saved.positions_count
    saved.orders_capacity = saved.orders_count
    saved.triggers_capacity = saved.triggers_count
    saved.levels_capacity = saved.levels_count
    saved.world_levels_capacity = saved.world_levels_count
    saved.timers_capacity = saved.timers_count
    saved.dirty_capacity = saved.dirty_count
    saved.printed_capacity = saved.printed_count
    return 0


cdef int keep_scratch(State *s, State *saved) except -1:
    """Scratch arrays are empty between commands: keep this engine's own."""
    saved.fills, saved.fills_count, saved.fills_capacity = s.fills, 0, s.fills_capacity
    saved.crossed, saved.crossed_count, saved.crossed_capacity = s.crossed, 0, s.crossed_capacity
    saved.found, saved.found_count, saved.found_capacity = s.found, 0, s.found_capacity
    saved.ranks, saved.ranks_count, saved.ranks_capacity = s.ranks, 0, s.ranks_capacity
    saved.ranks_key = -1
    saved.touched, saved.touched_count = s.touched, 0
    return 0
