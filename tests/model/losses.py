"""Who shares a loss that no fund covers: winners since entry, of the day, of the last step of the mark; or all lots."""

from .ledger import transfer
from .margin import Unit, cross_equity, gain_of, pnl_of, value_at
from .numbers import ceil_div
from .state import Market, Position, Venue, Wallet
from .timers import DAY
from .wire import ALL_MARKETS, DAY_NS, ISOLATED, EventKind, Socialise


def unit_event(v: Venue, kind: int, unit: Unit, p: Position | None, **fields: int) -> None:
    market = ALL_MARKETS if p is None else p.market.number
    v.emit(kind, account=unit.wallet.account, asset=unit.wallet.asset, market=market, **fields)


def pay(v: Venue, kind: int, payer: Wallet, unit: Unit, amount: int) -> None:
    transfer(payer, unit.wallet, amount)
    payer.absorbed -= amount
    unit.wallet.absorbed += amount
    if unit.position is not None:
        unit.wallet.balance -= amount
        unit.position.isolated_margin += amount
    unit_event(v, kind, unit, unit.position, maker_account=payer.account, value=amount)


def share_loss(v: Venue, m: Market, unit: Unit, amount: int) -> int:
    """Takes what the rulebook lets others pay; returns what is missing."""
    if v.socialise == Socialise.DAY_WINNERS:
        return share_by_day(v, m, unit, amount)
    positions = [p for p in m.newest_first() if p.wallet is not unit.wallet and not v.is_house(p.account)]
    if v.socialise == Socialise.OPEN_INTEREST:
        return share_by_lots(v, positions, unit, amount)
    if v.socialise == Socialise.PAYOUTS:
        return cut_payouts(v, m, positions, unit, amount)
    total = sum(can_give(p, pnl_of(p)) for p in positions)
    wanted, taken = min(amount, total), 0
    for p in positions:
        give = can_give(p, pnl_of(p))
        part = min(ceil_div(wanted * give, total), give, wanted - taken) if give else 0
        give_up(v, p, unit, part)
        taken += part
    return amount - taken


def can_give(p: Position, gain: int) -> int:
    """A gain, no more than the equity behind it."""
    equity = p.isolated_margin + gain_of(p) if p.mode == ISOLATED else cross_equity(p.wallet)
    return max(0, min(gain, equity))


def give_up(v: Venue, p: Position, unit: Unit, amount: int) -> None:
    if amount == 0:
        return
    if p.mode == ISOLATED:
        p.isolated_margin -= amount
        p.wallet.balance += amount
    pay(v, EventKind.SOCIALISED_LOSS, p.wallet, unit, amount)


def share_by_lots(v: Venue, positions: list[Position], unit: Unit, amount: int) -> int:
    """Longs and shorts pay alike, whatever they have."""
    total, left = sum(abs(p.lots) for p in positions), amount
    for p in positions:
        part = min(left, ceil_div(amount * abs(p.lots), total)) if p.lots else 0
        give_up(v, p, unit, part)
        left -= part
    return left


def cut_payouts(v: Venue, m: Market, positions: list[Position], unit: Unit, amount: int) -> int:
    """Winners of the last step of the mark get a part of it, rounded down; the fund keeps what that leaves over."""

    def step(p: Position) -> int:
        gain = value_at(m, p.lots, m.mark) - value_at(m, p.lots, m.mark_before) if m.mark_before else 0
        return can_give(p, gain)

    total = sum(map(step, positions))
    wanted = left = min(amount, total)
    for p in positions:
        win = step(p) if wanted else 0
        cut = win - win * (total - wanted) // total if win else 0
        if cut > left:
            give_up(v, p, Unit(v.fund(m)), cut - left)
            m.fund_result += cut - left
        give_up(v, p, unit, min(cut, left))
        left -= min(cut, left)
    return amount - wanted + left


# ---- the winners of a day ------------------------------------------------------------------------------------------


def start_day_timer(v: Venue) -> None:
    """Results count from now on, then from the start of each day."""
    v.day_next_ns = 0
    if v.started and v.socialise == Socialise.DAY_WINNERS:
        begin_day(v)
        v.day_next_ns = ((v.time_ns - v.day_start_ns) // DAY_NS + 1) * DAY_NS + v.day_start_ns
        v.timer(v.day_next_ns, DAY, None)


def begin_day(v: Venue) -> None:
    v.day_realised = {(w.account, w.asset): w.realised for wallets in v.wallets for w in wallets}


def day_due(v: Venue) -> None:
    if v.day_next_ns == v.time_ns:
        begin_day(v)
        v.day_next_ns += DAY_NS
        v.timer(v.day_next_ns, DAY, None)


def day_means(v: Venue, w: Wallet) -> int:
    """What was realised in the day, no more than balance and cross equity."""
    gain = w.realised - v.day_realised.get((w.account, w.asset), 0)
    return max(0, min(gain, w.balance, cross_equity(w)))


def share_by_day(v: Venue, m: Market, unit: Unit, amount: int) -> int:
    if not v.day_realised:
        return amount  # before the first time there is no day
    winners = [wallets[m.asset] for wallets in v.wallets[: v.accounts_max] if wallets[m.asset] is not unit.wallet]
    total = sum(day_means(v, w) for w in winners)
    wanted, taken = min(amount, total), 0
    for w in winners:
        give = day_means(v, w)
        part = min(ceil_div(wanted * give, total), give, wanted - taken) if give else 0
        if part:
            pay(v, EventKind.SOCIALISED_LOSS, w, unit, part)
            taken += part
    return amount - taken
