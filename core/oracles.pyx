"""Collateral prices by the rulebook's `collateral_oracle`; they change at the end of a mark group, never inside one.

index        the index of a market, or the price that SET_COLLATERAL_PRICE has given
venue-spot   last or mid of the asset's own book at this venue: a forced sale there lowers what the asset counts for
redemption   ratio * price of the asset that it is redeemed for
blend        weighted mean of those of them that there are
An asset without a book (or without an underlying asset) has its index price. No price counts as less than its floor. Where
there is none now, the one before stays. (Facts and proposals of 10 October 2025: spec, section 8.5.)
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport realloc

from .book cimport NO_PRICE, best_price
from .events cimport event_new
from .ladder cimport NONE
from .orders cimport reject
from .records cimport *
from .state cimport COLLATERAL_PRICE_MAX, Collateral, Haircut, Market, position_new
from .units cimport RATE_ONE, VALUE_ONE, div_floor, max64, min64, mul_div_floor, rate_t, value_t
from .watches cimport watches_crossed

FIELDS = (
    "bid_buffer", "ask_buffer", "exchange_bid", "exchange_ask", "cap", "exchange_below", "floor", "redemption_ratio",
    "spot_market", "index_market", "underlying", "price",
)


cdef int set_haircuts(State *s, Collateral *c, int asset, tiers) except -1:
    """[cap, haircut] rows: caps rise, and haircuts do not fall, so that what counts is concave in the quantity."""
    cdef Haircut *grown
    floor = before = 0
    c.tier_first = s.haircuts_count
    c.tier_count = <int32_t>len(tiers)
    grown = <Haircut *>realloc(s.haircuts, (s.haircuts_count + len(tiers) + 1) * sizeof(Haircut))
    if grown == NULL:
        raise MemoryError("no memory for the haircuts")
    s.haircuts = grown
    for cap, haircut in tiers:
        if not (cap > floor and before <= haircut <= RATE_ONE):
            raise ValueError(f"collateral {asset}: caps of haircut tiers must rise, haircuts must not fall or pass 1")
        s.haircuts[s.haircuts_count].cap = floor = cap
        s.haircuts[s.haircuts_count].haircut = before = haircut
        s.haircuts_count += 1
    return 0


cdef int set_terms(State *s, Collateral *c, int asset, dict terms) except -1:
    unknown = set(terms) - {*FIELDS, "tiers"}
    if unknown:
        raise ValueError(f"collateral {asset}: {', '.join(sorted(unknown))}: not a term")
    values = dict.fromkeys(FIELDS, 0) | {"spot_market": NONE, "index_market": NONE, "underlying": NONE} | terms
    for name in ("bid_buffer", "ask_buffer", "exchange_bid", "exchange_ask"):
        if not 0 <= values[name] < RATE_ONE:
            raise ValueError(f"collateral {asset}: {name} {values[name]} is not in 0 .. 1")
    for name in ("cap", "exchange_below", "floor", "redemption_ratio", "price"):
        if not 0 <= values[name] <= COLLATERAL_PRICE_MAX:
            raise ValueError(f"collateral {asset}: {name} {values[name]} is out of range")
    if not (NONE <= values["spot_market"] < s.markets_count and NONE <= values["index_market"] < s.markets_count):
        raise ValueError(f"collateral {asset}: spot_market and index_market are numbers of markets, or -1")
    if not NONE <= values["underlying"] < asset:
        raise ValueError(f"collateral {asset}: its underlying asset must be one before it")
    c.bid_buffer, c.ask_buffer = values["bid_buffer"], values["ask_buffer"]
    c.exchange_bid, c.exchange_ask = values["exchange_bid"], values["exchange_ask"]
    c.cap, c.exchange_below, c.floor = values["cap"], values["exchange_below"], values["floor"]
    c.redemption_ratio, c.given = values["redemption_ratio"], values["price"]
    c.price = VALUE_ONE if asset == 0 else max64(c.given, c.floor) if c.given else 0
    c.spot_market, c.index_market = values["spot_market"], values["index_market"]
    c.underlying = values["underlying"]
    return set_haircuts(s, c, asset, values.get("tiers", ()))


cdef int set_collateral(State *s, list terms) except -1:
    """The terms of all assets, and a position of the exchange account in each asset's own book. Raises ValueError."""
    cdef int asset
    cdef Collateral *c
    if len(terms) != s.assets_count:
        raise ValueError(f"the rulebook describes {len(terms)} collateral assets, the engine has {s.assets_count}")
    for asset in range(s.assets_count):
        c = &s.collateral[asset]
        set_terms(s, c, asset, terms[asset])
        if c.spot_market != NONE:
            if asset == 0 or s.markets[c.spot_market].asset or s.markets[c.spot_market].lot_numerator > 1 << 30 \
                    or s.markets[c.spot_market].rules.contract_kind != CONTRACT_LINEAR:
                raise ValueError(f"collateral {asset}: its own book must be linear, in asset 0, in lots below 2**30 coins")
            for other in range(asset):
                if s.collateral[other].spot_market == c.spot_market:
                    raise ValueError(f"collateral {asset}: market {c.spot_market} is the book of asset {other} already")
            position_new(s, s.exchange, c.spot_market)
    return 0


cdef value_t spot_price(State *s, Collateral *c) noexcept nogil:
    cdef Market *m
    cdef int64_t bid, ask
    if c.spot_market == NONE:
        return 0
    m = &s.markets[c.spot_market]
    if s.rules.collateral_spot_price == SPOT_LAST:
        return m.last * m.tick_value
    bid = best_price(m, SIDE_BUY)
    ask = best_price(m, SIDE_SELL)
    return 0 if bid == NO_PRICE or ask == NO_PRICE else div_floor((bid + ask) * m.tick_value, 2)


cdef value_t index_price(State *s, Collateral *c) noexcept nogil:
    return c.given if c.index_market == NONE else s.markets[c.index_market].index


cdef value_t redemption_price(State *s, Collateral *c) noexcept nogil:
    if c.underlying == NONE:
        return 0
    return mul_div_floor(s.collateral[c.underlying].price, c.redemption_ratio, RATE_ONE, &s.overflow)


cdef value_t blended(State *s, Collateral *c) noexcept nogil:
    """Weighted mean of the prices that there are; 0 without any of them."""
    cdef value_t prices[3]
    cdef rate_t weights[3]
    cdef rate_t total = 0
    cdef value_t mean = 0
    cdef int i
    prices[0], prices[1], prices[2] = spot_price(s, c), index_price(s, c), redemption_price(s, c)
    weights[0], weights[1], weights[2] = s.rules.blend_spot, s.rules.blend_index, s.rules.blend_redemption
    for i in range(3):
        if prices[i] > 0:
            total += weights[i]
    if total == 0:
        return 0
    for i in range(3):
        if prices[i] > 0:
            mean += mul_div_floor(prices[i], weights[i], total, &s.overflow)
    return mean


cdef value_t oracle_price(State *s, Collateral *c) noexcept nogil:
    """The price of now; where the rulebook's oracle says none, the one before."""
    cdef value_t price
    if s.rules.collateral_oracle == ORACLE_VENUE_SPOT and c.spot_market != NONE:
        price = spot_price(s, c)
    elif s.rules.collateral_oracle == ORACLE_REDEMPTION and c.underlying != NONE:
        price = redemption_price(s, c)
    elif s.rules.collateral_oracle == ORACLE_BLEND:
        price = blended(s, c)
    else:
        price = index_price(s, c)
    if price <= 0:
        return c.price
    return min64(max64(price, c.floor), COLLATERAL_PRICE_MAX)


cdef int refresh_collateral(State *s) except -1 nogil:
    """Bring all collateral prices up to date, in order of assets, and list whom a change can hurt."""
    cdef int32_t a
    cdef Collateral *c
    cdef value_t price
    cdef Event *e
    s.prices_changed = 0
    for a in range(1, s.assets_count):
        c = &s.collateral[a]
        price = oracle_price(s, c)
        if price == c.price:
            continue
        e = event_new(s, EVENT_COLLATERAL_PRICE)
        e.asset = <uint8_t>a
        e.value = price
        e.aux = c.price
        c.price = price
        watches_crossed(s, s.markets_count + a, price)
    return 0


cdef int set_collateral_price(State *s, const Command *c) except -1 nogil:
    """Give an asset's price in asset 0; it is part of the mark group."""
    if s.collateral == NULL or c.asset == 0:
        return reject(s, c, REJECT_NOT_COLLATERAL)
    if c.asset >= s.assets_count:
        return reject(s, c, REJECT_UNKNOWN_ASSET)
    if c.value <= 0 or c.value > COLLATERAL_PRICE_MAX:
        return reject(s, c, REJECT_BAD_VALUE)
    s.collateral[c.asset].given = c.value
    s.prices_changed = 1
    return 0
