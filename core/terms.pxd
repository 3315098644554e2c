# Records of what a rulebook states as tables, with the prices that belong to them: collateral, tiers, bands, sources;
# and of the prices at which multi-asset accounts are looked at.

from libc.stdint cimport int32_t, int64_t

from .units cimport lots_t, money_t, ns_t, rate_t, value_t

cdef struct Haircut:                    # of a collateral asset: what lies above the tier before and up to `cap`
    money_t cap                         # of the asset
    rate_t haircut

cdef struct Collateral:                 # one asset as collateral; its words without the indexes are terms, then prices
    rate_t bid_buffer                   # a balance counts at price * (1 - buffer), after its haircuts
    rate_t ask_buffer                   # a debt at price * (1 + buffer)
    rate_t exchange_bid                 # forced conversion: what the price loses when the asset is sold
    rate_t exchange_ask                 # and gains when it is bought
    money_t cap                         # no more than this of it counts; 0: no limit
    money_t exchange_below              # a debt beyond this is converted; 0: never for its size
    value_t floor                       # the price never counts as less; 0: none
    rate_t redemption_ratio             # units of the underlying asset that one is redeemed for
    value_t given                       # by SET_COLLATERAL_PRICE
    value_t price                       # in asset 0, 1e-8; 0: none yet
    int32_t spot_market                 # whose book is the asset's own, NONE
    int32_t index_market                # whose index is its price, NONE: the given one
    int32_t underlying                  # asset, NONE
    int32_t tier_first
    int32_t tier_count

cdef struct Watch:                      # a price beyond which a multi-asset account must be looked at
    value_t value
    int32_t account                     # NONE: free
    int32_t heap                        # 2 * variable + 1 for a rise
    int32_t place                       # in its heap
    int32_t next                        # of the account, or of the free list

cdef struct Heap:                       # of watches, the first to be passed on top
    int32_t *items
    int32_t count
    int32_t capacity

cdef struct Tier:                       # marginal bracket: maintenance(V) = ceil(V * rate) - deduction
    money_t floor                       # notional above which it holds
    money_t cap
    rate_t rate
    money_t deduction
    int64_t leverage_max
    rate_t initial                      # on the whole of a notional that lies in it; 0: 1 / leverage_max

cdef struct OiBand:                     # a band of open interest, and what one position may be of it
    lots_t lots
    rate_t rate

cdef struct Source:                     # a constituent of the index, or the mid of a perpetual elsewhere
    int64_t weight
    value_t price                       # 0: none yet, or lost
    ns_t time_ns                        # of that price
    ns_t inside_ns                      # left out: since when it is within the band of return again; 0: it is not
    int64_t left_out                    # EXCLUDE: 1 from leaving the outer band until it has returned
