# The records of orders and levels; the pools that hold them are in state.pxd, which hands these names on.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from .ladder cimport Ladder
from .units cimport ticks_t

cdef enum:
    STATE_RESTING = 1
    STATE_WAITING = 2           # a conditional order whose trigger has not fired
    STATE_ASIDE = 3             # a recorded order that a shift has moved off the price grid; its price is the recorded one

cdef extern from *:
    """
    #include <string.h>
    /* One cache line. Sizes fit in 38 bits, prices in 31, with bits to spare: the engine refuses markets that could need more. */
    typedef struct {
        int64_t id;
        int64_t size_lots;
        uint64_t flags : 16;
        uint64_t side : 2;
        uint64_t state : 2;
        uint64_t tif : 2;
        uint64_t stp_mode : 2;
        int64_t filled_lots : 40;
        int64_t world_ahead;
        int32_t price_ticks;
        int32_t premium_ticks;
        int32_t position;
        int32_t trigger;
        int32_t next;
        int32_t previous;
        int32_t position_next;
        int32_t position_previous;
    } perpsim_order;

    /* All but the lists. The small fields as one word: assigning bit fields masks and merges each of them. */
    static inline void perpsim_order_set(perpsim_order *o, int64_t id, int64_t size, int64_t filled, int64_t price,
            int64_t premium, int32_t position, int32_t trigger, uint64_t flags, uint64_t side, uint64_t tif,
            uint64_t stp, uint64_t state) {
        const uint64_t word = flags | side << 16 | state << 18 | tif << 20 | stp << 22 | (uint64_t)filled << 24;
        o->id = id;
        o->size_lots = size;
        memcpy(&o->size_lots + 1, &word, sizeof(word));
        o->price_ticks = (int32_t)price;
        o->premium_ticks = (int32_t)premium;
        o->position = position;
        o->trigger = trigger;
    }
    """
    ctypedef struct Order "perpsim_order":
        int64_t id                      # chosen by the caller; negative: the engine's own forced order
        int64_t size_lots               # still open
        int64_t filled_lots
        int64_t price_ticks
        int64_t premium_ticks           # by how much it was placed through the mark, rounded up (open loss)
        int64_t world_ahead             # recorded lots that stand directly before it in its level
        int32_t next                    # queue of its level, or list of its trigger bucket
        int32_t previous
        int32_t position_next           # orders of one position, in order of arrival
        int32_t position_previous
        int32_t position
        int32_t trigger                 # slot of its Trigger, NONE for a plain order
        uint16_t flags
        uint8_t side
        uint8_t tif
        uint8_t stp_mode
        uint8_t state

cdef extern from *:
    void order_set "perpsim_order_set"(
        Order *o, int64_t id, int64_t size_lots, int64_t filled_lots, int64_t price_ticks, int64_t premium_ticks,
        int32_t position, int32_t trigger, uint64_t flags, uint64_t side, uint64_t tif, uint64_t stp_mode,
        uint64_t state) noexcept nogil

cdef enum:
    LOTS_BITS = 38              # sizes that an order can hold, with a bit to spare
    PRICE_BITS = 30             # and prices
    POSITIONS_MAX = 1 << 26

cdef struct Trigger:                    # what a conditional or an expiring order needs besides
    int64_t trigger_ticks
    int64_t callback_e9                 # trailing stop: distance, 1e-9
    int64_t extreme_ticks               # trailing stop: best price since it was armed, 0 before
    int64_t expire_ns                   # 0: never
    int32_t order                       # NONE: free
    uint8_t source                      # SOURCE_LAST or SOURCE_MARK
    uint8_t fires_above                 # fires when the price is at or above the trigger, else at or below
    uint8_t due                         # trailing stop: a price has turned far enough
    uint8_t clean                       # not changed since its last hash

cdef struct Level:                      # the account orders of one price and side
    int64_t lots                        # sum of account orders
    int64_t world_lots                  # sum of their world_ahead
    int32_t head
    int32_t tail
    int32_t orders
    int32_t next_free                   # in use: NONE or TOUCHED

cdef struct WorldLevel:                 # recorded liquidity of one recorded price and side
    int64_t recorded                    # R: what the tape last said
    int64_t printed                     # P: recorded trades since the level was last reconciled
    int64_t consumed                    # C: eaten by simulated takers, not yet confirmed as gone by history
    int64_t where                       # market << 41 | side << 40 | recorded price
    uint32_t epoch                      # depth message that named it last (snapshots)
    uint8_t in_printed                  # already listed among the levels printed since the last depth message
    uint8_t in_eaten                    # and among those that resilience refills
    uint16_t regrown                    # 1/65536 of a lot of C that is back, see resilience.pyx
    int32_t next_free                   # in use: NONE or TOUCHED

cdef struct BookSide:
    Ladder accounts                     # venue price -> Level
    Ladder world                        # recorded price -> WorldLevel, marked while something can be had there
    ticks_t best_accounts               # NO_PRICE where empty
    ticks_t best_world                  # recorded price, NO_PRICE where empty
