"""Forced conversion (auto-exchange): collateral is sold to the exchange account, debts are bought from it.

Each asset sold brings price * (1 - exchange_bid), each debt costs price * (1 + exchange_ask), all through asset 0; what
is sold of each asset is its part of the deficit, pro rata by value, divided by 1 - exchange_bid (Binance: auto-exchange).
The exchange account is a house account, so every asset's balances sum to its deposits as before. Of an asset that has a
book at this venue it sells there what it has taken (and buys what it has given), at once and inside the band: slippage is
its own, the print is everybody's. Lots that found nobody are tried again with its next conversion.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .bands cimport band_limit
from .book cimport matches_now
from .claims cimport claim, end_claim
from .collateral cimport amount_to_sell, at_ask, at_bid, owed, worth
from .events cimport event_new
from .idmap cimport find_leg
from .ladder cimport NONE
from .ledger cimport transfer
from .orders cimport match_and_settle
from .records cimport *
from .state cimport Collateral, Market, Wallet, mark_dirty, wallet_of
from .units cimport RATE_ONE, VALUE_ONE, abs64, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, ticks_t


cdef inline money_t proceeds(State *s, int32_t asset, money_t amount) noexcept nogil:
    """What the sale of an amount brings in, in asset 0."""
    return at_bid(worth(amount, s.collateral[asset].price, &s.overflow), s.collateral[asset].exchange_bid, &s.overflow)


cdef inline money_t price_of_debt(State *s, int32_t asset, money_t amount) noexcept nogil:
    """What the purchase of an amount costs, in asset 0."""
    return at_ask(owed(amount, s.collateral[asset].price, &s.overflow), s.collateral[asset].exchange_ask, &s.overflow)


cdef int trade(State *s, int32_t lead, int32_t asset, money_t amount, money_t money) except -1 nogil:
    """The account gives `amount` of an asset for `money` of asset 0; both negative: it gets and pays."""
    cdef Wallet *held = &s.wallets[lead + asset]
    cdef Wallet *cash = &s.wallets[lead]
    cdef Event *e
    transfer(s, held, wallet_of(s, s.exchange, asset), amount)
    transfer(s, wallet_of(s, s.exchange, 0), cash, money)
    held.absorbed -= amount
    wallet_of(s, s.exchange, asset).absorbed += amount
    cash.absorbed += money
    wallet_of(s, s.exchange, 0).absorbed -= money
    e = event_new(s, EVENT_AUTO_EXCHANGE)
    e.account = cash.account
    e.maker_account = s.exchange
    e.asset = <uint8_t>asset
    e.value = -amount
    e.aux = money
    mark_dirty(s, lead + asset)
    return mark_dirty(s, lead)


cdef int trade_in_book(State *s, int32_t asset) except -1 nogil:
    """The exchange account brings its position in the asset's own book to what it holds of the asset, with one order."""
    cdef Collateral *c = &s.collateral[asset]
    cdef Market *m
    cdef int32_t slot
    cdef lots_t wanted
    cdef int side
    cdef ticks_t limit
    cdef int64_t order_id = s.forced_id
    cdef bint expired
    cdef Event *e
    if c.spot_market == NONE:
        return 0
    m = &s.markets[c.spot_market]
    if not matches_now(m):
        return 0
    slot = find_leg(s, s.exchange, m.id, LEG_BOTH)
    wanted = -mul_div_floor(
        wallet_of(s, s.exchange, asset).balance, m.lot_denominator, m.lot_numerator * VALUE_ONE, &s.overflow)
    wanted = max64(-m.position_max, min64(m.position_max, wanted)) - s.positions[slot].lots
    if m.rules.attribution:
        end_claim(s, slot, REASON_IOC)
    if wanted == 0:
        return 0
    side = SIDE_BUY if wanted > 0 else SIDE_SELL
    wanted = abs64(wanted)
    limit = band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down)
    s.forced_id -= 1
    e = event_new(s, EVENT_COLLATERAL_ORDER)
    e.account = s.exchange
    e.market = <uint16_t>m.id
    e.order_id = order_id
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = wanted
    if m.rules.attribution:
        return claim(s, m, slot, order_id, side, limit, wanted)
    s.ranks_old = 1
    return match_and_settle(s, m, slot, order_id, side, limit, &wanted, STP_NONE, &expired)


cdef int trade_books(State *s) except -1 nogil:
    cdef int32_t a
    for a in range(1, s.assets_count):
        trade_in_book(s, a)
    return 0


cdef inline bint to_convert(State *s, int32_t lead, int32_t asset, bint everything) noexcept nogil:
    cdef money_t debt = -s.wallets[lead + asset].balance
    return debt > 0 and (everything or 0 < s.collateral[asset].exchange_below < debt)


cdef money_t sell_for(State *s, int32_t lead, money_t need) except? -1 nogil:
    """Sell collateral pro rata for `need` of asset 0, a balance in asset 0 being its own part; returns what there is."""
    cdef money_t pool = max64(s.wallets[lead].balance, 0), part, balance, sold
    cdef int32_t a
    for a in range(1, s.assets_count):
        pool += proceeds(s, a, max64(s.wallets[lead + a].balance, 0))
    for a in range(1, s.assets_count):
        balance = s.wallets[lead + a].balance
        if balance <= 0:
            continue
        part = proceeds(s, a, balance)
        sold = balance
        if pool > need:
            part = mul_div_ceil(need, part, pool, &s.overflow)
            sold = min64(
                balance, amount_to_sell(part, s.collateral[a].price, s.collateral[a].exchange_bid, &s.overflow))
        trade(s, lead, a, sold, part)
    return min64(pool, need)


cdef int buy_back(State *s, int32_t lead, int32_t asset, money_t *funds, bint all_of_it) except -1 nogil:
    """Pay a debt as far as the funds go; `all_of_it`: what is left of them goes too."""
    cdef money_t debt = -s.wallets[lead + asset].balance, cost = price_of_debt(s, asset, debt)
    if cost > funds[0]:
        cost = mul_div_floor(funds[0], RATE_ONE, RATE_ONE + s.collateral[asset].exchange_ask, &s.overflow)
        debt = min64(debt, mul_div_floor(cost, VALUE_ONE, max64(s.collateral[asset].price, 1), &s.overflow))
        cost = funds[0] if all_of_it else price_of_debt(s, asset, debt)
    if debt or cost:
        trade(s, lead, asset, -debt, -cost)
    funds[0] -= cost
    return 0


cdef int convert_debts(State *s, int32_t lead, bint everything) except -1 nogil:
    """Sell collateral to cover the debts that are beyond their limits, or `everything` that is owed.

    Where it does not suffice all of it is sold, and nothing positive is left: a conversion is not due again.
    """
    cdef money_t need = 0, funds
    cdef int32_t a
    for a in range(s.assets_count):
        if to_convert(s, lead, a, everything):
            need += -s.wallets[lead].balance if a == 0 else price_of_debt(s, a, -s.wallets[lead + a].balance)
    if need == 0:
        return 0
    funds = sell_for_debts(s, lead, need, to_convert(s, lead, 0, everything))
    for a in range(1, s.assets_count):
        if to_convert(s, lead, a, everything):
            buy_back(s, lead, a, &funds, True)
    return trade_books(s)


cdef money_t sell_for_debts(State *s, int32_t lead, money_t need, bint cash_too) except? -1 nogil:
    """Sell; what is left for debts in other assets once that in asset 0 is paid."""
    cdef money_t cash_debt = max64(-s.wallets[lead].balance, 0) if cash_too else 0
    return max64(sell_for(s, lead, need) - cash_debt, 0)


cdef int convert_all(State *s, int32_t lead) except -1 nogil:
    """Everything into asset 0: the account is being taken over."""
    cdef int32_t a
    cdef money_t balance
    for a in range(1, s.assets_count):
        balance = s.wallets[lead + a].balance
        if balance > 0:
            trade(s, lead, a, balance, proceeds(s, a, balance))
        elif balance < 0:
            trade(s, lead, a, balance, -price_of_debt(s, a, -balance))
    return trade_books(s)


cdef int settle_remainders(State *s, int32_t lead) except -1 nogil:
    """What the closing of positions has left in other assets, into asset 0 at the price itself."""
    cdef int32_t a
    cdef money_t balance
    for a in range(1, s.assets_count):
        balance = s.wallets[lead + a].balance
        if balance > 0:
            trade(s, lead, a, balance, worth(balance, s.collateral[a].price, &s.overflow))
        elif balance < 0:
            trade(s, lead, a, balance, -owed(-balance, s.collateral[a].price, &s.overflow))
    return 0
