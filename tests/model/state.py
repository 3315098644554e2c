"""The nouns of the twin. Nothing is cached that can be summed up when it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field

from sortedcontainers import SortedDict, SortedList

from .averages import Average
from .collateral import Asset, Pool
from .price_rules import DEFAULTS
from .wire import BUY, CROSS, EIGHT_HOURS_NS, RATE_ONE, SELL, ContractKind, Event, Flag, FundTrigger, Leg, MarketState

RESTING, WAITING, ASIDE = 1, 2, 3  # aside: recorded, off the price grid by a shift; its price is the recorded one
HEALTHY, DELAYED, REDUCING = 0, 1, 2  # stages of a liquidation


@dataclass(eq=False, slots=True)
class Tier:
    floor: int
    cap: int
    rate: int
    deduction: int
    leverage_max: int
    initial: int = 0  # rate; 0: 1 / leverage_max


@dataclass(eq=False, slots=True)
class Order:
    """A live order. While it waits for its trigger it is in no queue."""

    position: Position
    order_id: int
    side: int
    price: int
    lots: int
    filled: int
    flags: int
    tif: int
    stp_mode: int
    expire_ns: int
    premium: int = 0  # by how many ticks it was priced through the mark when it came to rest
    state: int = RESTING
    # conditional orders
    trigger: int = 0
    source: int = 0
    callback: int = 0
    extreme: int = 0
    above: bool = False
    due: bool = False

    @property
    def account(self) -> int:
        return self.position.account

    @property
    def reduce_only(self) -> bool:
        return bool(self.flags & Flag.REDUCE_ONLY)


@dataclass(eq=False, slots=True)
class WorldLots:
    """A segment of recorded liquidity in a queue."""

    lots: int


@dataclass(eq=False, slots=True)
class WorldLevel:
    """Recorded liquidity of one recorded price: R, P and C of the level queue."""

    recorded: int = 0
    printed: int = 0
    consumed: int = 0
    regrown: int = 0  # 1/65536 of a lot of `consumed` that is back

    @property
    def available(self) -> int:
        return max(0, self.recorded - self.printed - self.consumed)


@dataclass(eq=False, slots=True)
class BookSide:
    queues: SortedDict[int, list] = field(default_factory=SortedDict)  # venue price -> segments, head first
    world: SortedDict[int, WorldLevel] = field(default_factory=SortedDict)  # recorded price -> level
    beyond_level: int = 0  # stated levels behind them that are taken whole
    beyond_taken: int = 0  # and what is taken of the next


@dataclass(eq=False, slots=True)
class Claim:
    """A forced order that waits for recorded trades."""

    order_id: int
    side: int
    limit: int
    sent: int
    left: int


@dataclass(eq=False, slots=True)
class Position:
    number: int
    market: Market
    wallet: Wallet
    leverage: int
    lots: int = 0
    cost: int = 0
    accrued_from: int = 0  # the market's funding index at its last settlement
    isolated_margin: int = 0
    mode: int = CROSS
    position_side: int = Leg.BOTH
    in_interest: bool = True  # of the market's open interest
    stage: int = HEALTHY
    due_ns: int = 0
    seen: bool = False
    claim: Claim | None = None
    light: int = 0  # of ADL
    risk_limit: int = 0  # number of the tier that was chosen, from 1
    orders: list[Order] = field(default_factory=list)  # oldest first

    @property
    def account(self) -> int:
        return self.wallet.account

    def resting(self) -> list[Order]:
        return [order for order in self.orders if order.state == RESTING]


@dataclass(eq=False, slots=True)
class Source:
    """A constituent of the index, or a perpetual elsewhere."""

    weight: int
    price: int = 0
    time_ns: int = 0
    inside_ns: int = 0
    left_out: bool = False


@dataclass(eq=False, slots=True)
class Wallet:
    account: int
    asset: int
    balance: int = 0
    deposited: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0
    absorbed: int = 0
    liquidations: int = 0
    adl_hits: int = 0
    stage: int = HEALTHY
    due_ns: int = 0
    work_ns: int = 0  # what a limit in time counts from
    work: int = 0  # what was done since
    positions: list[Position] = field(default_factory=list)  # oldest first
    pool: Pool | None = None  # of a multi-asset account

    def newest_first(self) -> list[Position]:
        return self.positions[::-1]


@dataclass(eq=False, slots=True)
class Account:
    number: int
    house: bool
    funded: bool  # pays and gets funding
    owner: int
    stp_group: int
    hedge: bool = False


class FundRules:
    """What holds where a rulebook does not state it."""

    fund_trigger = FundTrigger.CAPACITY
    drawdown_trigger, drawdown_stop, drawdown_window_ns = 300_000_000, 250_000_000, EIGHT_HOURS_NS
    drawdown_threshold = fund_floor = fund_loss_cap = withdraw_gate_ns = disposal_band = 0
    fund_sample_period_ns, disposal_fraction_max = 60_000_000_000, RATE_ONE
    day_start_ns, cover_from_fees = EIGHT_HOURS_NS, 0


class Market:
    """A market: its rules are attributes by the names that a rulebook gives them."""

    hedge_allowed, order_maintenance, band_outward, disposal_full_lots = 1, 0, 0, 0
    underlying, close_fee_reserved, maintenance_value = 0, 0, 0
    initial_base = initial_slope = oi_lower_cap = oi_upper_cap = 0
    risk_limits = lower_limit_first = oi_floor_lots = 0
    oi_ladder = ()
    impact_step_ns = impact_factor = impact_permanent = impact_index = 0
    impact_kernel = ()
    attribution = 0
    queue_power, resilience_step_ns, resilience_quotes, resilience_keep = 3, 0, 0, RATE_ONE
    beyond_lots = beyond_slope = beyond_ticks = 0

    def __init__(self, number: int, parameters: dict, venue: Venue | None = None) -> None:
        self.number, self.venue = number, venue
        self.accrued_base = self.accrued_since = self.accrued_paid = 0  # funding that accrues
        self.contract_kind, self.value_rounding, self.price_min = ContractKind.LINEAR, 0, 1
        self.tier_method = self.maintenance_base = self.maintenance_slope = self.close_fee_in_maintenance = 0
        for name, value in (DEFAULTS | parameters).items():
            if name != "tiers":
                setattr(self, name, value)
        self.max_orders = min(self.max_orders, 0xFFFF)
        self.max_conditional = min(self.max_conditional, 0xFFFF)
        self.mark_min = 1 if self.contract_kind == ContractKind.LINEAR else self.price_min * self.tick_value
        self.tick_lot_money = self.tick_value * self.lot_numerator // self.lot_denominator
        self.tiers, floor = [], 0
        for cap, rate, deduction, leverage_max, *initial in parameters["tiers"]:
            self.tiers.append(Tier(floor, cap, rate + self.close_fee_in_maintenance, deduction, leverage_max, *initial))
            floor = cap
        self.state = MarketState.OPEN
        self.mark = self.index = self.last = self.mark_before = 0
        self.mark_lowest = self.mark_highest = self.basis_gap_worst = 0
        self.funding_rate = self.funding_next_ns = self.mark_next_ns = 0
        self.shock, self.shift = RATE_ONE, 0
        self.sides = {BUY: BookSide(), SELL: BookSide()}
        self.positions: list[Position] = []  # oldest first
        self.waiting: list[Order] = []  # conditional orders, oldest first
        self.prints: list[int] = []  # trade prices that conditional orders were not shown yet
        self.basis: list[int] = []
        self.constituents = [Source(weight) for weight in (*self.sources, *self.perp_sources)]
        self.index_lost, self.index_ns = False, 0
        self.trades: list[list[int]] = []  # for a composite mark: price, lots, time, oldest first
        self.kept_lots = 0  # of these, since a recorded trade began
        self.books: list[tuple[int, int]] = []  # time and price of the book, oldest first
        self.basis_average, self.local_average = Average(), Average()
        self.index_next_ns = self.premium_next_ns = self.quiet_cycles = 0
        self.premiums: list[int] = []
        self.impact = self.flow = 0  # of simulated takers: what it has moved prices by, lots since the last step
        self.flows: list[int] = []
        self.quotes: list | None = None  # the best recorded ones, as resilience saw them
        self.named: set | None = None  # levels that the open snapshot has named
        self.liquidated_longs = self.liquidated_shorts = self.unfilled = 0
        self.claims = {BUY: [], SELL: []}  # positions with a waiting claim, in order of arrival
        self.flow_ahead: dict[int, int] = {}  # of recorded trades to come, by their numbers
        self.tape_trades = self.attributed = self.excess = self.deficit = self.lapsed = 0
        self.fund_result = 0  # what the fund has made here, covers taken off
        self.world_position = self.fund_position = None

    def newest_first(self) -> list[Position]:
        return self.positions[::-1]

    def matches(self) -> bool:
        return self.state in (MarketState.OPEN, MarketState.REDUCE_ONLY)


class Venue(FundRules):
    """All state. House accounts follow the customers: world, treasury, rounding, deficit, funds, clearing accounts."""

    net_hedges = 0
    collateral_oracle = collateral_spot_price = blend_spot = blend_index = blend_redemption = exchange_ltv = 0
    adl_light, adl_light_levels, adl_light_period_ns, light_next_ns = 0, 5, 0, 0
    adl_price_band, adl_fee = RATE_ONE // 20, 0  # which stored cases may leave out

    def __init__(self, rules: dict, markets: list[dict], accounts_max: int, assets: int, seed: int = 0) -> None:
        for name, value in rules.items():
            setattr(self, name, value)
        self.accounts_max, self.assets = accounts_max, assets
        self.seed, self.draws = seed, 0
        self.world, self.treasury, self.rounding, self.deficit = range(accounts_max, accounts_max + 4)
        self.fund_first = accounts_max + 4
        funds = max(m["fund_group"] for m in markets) + 1
        self.clearing_first = self.fund_first + funds
        self.backstop = self.clearing_first + len(markets)
        count = self.backstop + 1
        self.exchange, terms = count, rules.get("collateral", ())
        count += bool(terms)
        self.collateral = [Asset(number, each) for number, each in enumerate(terms)]
        self.prices_changed = False
        funded_house = {self.world, self.backstop, self.exchange, *range(self.fund_first, self.clearing_first)}
        self.accounts = [
            Account(n, n >= accounts_max, n < accounts_max or n in funded_house, n, n) for n in range(count)
        ]
        self.wallets = [[Wallet(n, asset) for asset in range(assets)] for n in range(count)]
        self.positions: list[Position] = []
        self.by_key: dict[tuple[int, int, int], Position] = {}  # (account, market, leg)
        self.orders: dict[tuple[int, int], Order] = {}  # (account, order id)
        self.time_ns = self.sequence = 0
        self.forced_id = -1
        self.timers: SortedList[tuple] = SortedList()  # by time, kind and number, which is never twice
        self.timers_made = 0
        self.started = False
        self.events: list[Event] = []
        self.marked: list[Market] = []  # markets whose mark changed in the open group
        self.depth_market: Market | None = None
        self.queue_ranked = None  # the ADL queue at hand: (market, longs) and its ranks
        self.liquidations = 0
        self.work = None  # the command that runs, or has stopped to ask
        self.asked = None  # (position, what is left of it) of an ADL that waits for a user's decision
        self.samples: dict[tuple, list[tuple[int, int]]] = {}  # of funds and results: (time, value), oldest first
        self.closed: dict[tuple, int] = {}  # triggers that hold, by the same keys
        self.fund_next_ns = 0
        self.day_realised: dict[tuple[int, int], int] = {}  # when the day began
        self.day_next_ns = 0
        self.gates = [0] * assets  # until when nobody withdraws
        self.markets = [Market(n, parameters, self) for n, parameters in enumerate(markets)]
        for m in self.markets:
            m.world_position = self.position(self.world, m)
            m.fund_position = self.position(self.fund_first + m.fund_group, m)
        for asset in self.collateral:
            if asset.spot_market >= 0:
                self.position(self.exchange, self.markets[asset.spot_market])

    def emit(self, kind: int, **fields: int) -> None:
        self.sequence += 1
        self.events.append(Event(self.sequence, self.time_ns, kind=kind, **fields))

    def wallet(self, account: int, asset: int) -> Wallet:
        return self.wallets[account][asset]

    def clearing(self, m: Market) -> Wallet:
        return self.wallets[self.clearing_first + m.number][m.asset]

    def fund(self, m: Market) -> Wallet:
        return self.wallets[self.fund_first + m.fund_group][m.asset]

    def hedged(self, account: int, m: Market) -> bool:
        """Whether the account has a long and a short leg in this market."""
        return self.accounts[account].hedge and bool(m.hedge_allowed)

    def find_position(self, account: int, m: Market, leg: int = Leg.BOTH) -> Position | None:
        return self.by_key.get((account, m.number, leg))

    def legs(self, account: int, m: Market) -> list[Position]:
        """The account's position in a market, or both legs."""
        return [self.position(account, m, leg) for leg in ((1, 2) if self.hedged(account, m) else (0,))]

    def position(self, account: int, m: Market, leg: int = Leg.BOTH) -> Position:
        """The account's position in a market, made on first use."""
        p = self.by_key.get((account, m.number, leg))
        if p is None:
            wallet = self.wallets[account][m.asset]
            p = Position(len(self.positions), m, wallet, m.leverage_default, position_side=leg)
            p.in_interest = not self.is_house(account) or account == self.backstop
            self.positions.append(p)
            self.by_key[account, m.number, leg] = p
            wallet.positions.append(p)
            m.positions.append(p)
        return p

    def is_house(self, account: int) -> bool:
        return self.accounts[account].house

    def group_of(self, account: int) -> int:
        return self.accounts[account].stp_group

    def timer(self, time_ns: int, kind: int, target, key: int = 0) -> None:
        self.timers.add((time_ns, kind, self.timers_made, target, key))
        self.timers_made += 1
