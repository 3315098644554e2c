"""One venue, many markets, many accounts: `apply(state, command) -> events`."""

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

NOTIONAL_LIMIT: Final[int]
CONTRACT: Final[tuple[str, ...]]
STATE_PARTS: Final[tuple[str, ...]]
COLLATERAL_FIELDS: Final[tuple[str, ...]]

def market_parameters(market: Any) -> dict[str, Any]:
    """The integers that the core reads from a market's specification, by name; tiers as tuples."""

def venue_parameters(rulebook: Any) -> dict[str, Any]:
    """The venue's rules by name, as integers, and the terms of its collateral where it states them."""

def collateral_parameters(terms: Any) -> dict[str, Any]:
    """The terms on which an asset counts as collateral, by name, as integers; haircut tiers as tuples."""

@final
class EventBuffer:
    """Memory behind the event arrays; not for direct use."""

class Engine:
    """Rules of a venue, its markets, and everybody's orders, positions and money.

    `rulebook` and `markets` are objects with integer attributes (perpsim.exchange.Rulebook and MarketSpec), or the
    dicts that `rules.rules_of` and `market_parameters` make of them. Raises ValueError for parameters that do not fit
    together, OverflowError when a number leaves 64 bits, InvariantError from `check` or an audit.
    """

    def __init__(
        self,
        rulebook: Any,
        markets: Sequence[Any],
        accounts_max: int,
        seed: int = 0,
        *,
        venue: int = 0,
        assets: int = 1,
        audit: int = 1,
    ) -> None: ...
    @property
    def audit(self) -> int: ...
    @property
    def consumed(self) -> int: ...
    @property
    def pending_adl(self) -> dict[str, Any] | None: ...
    @property
    def asks(self) -> bool: ...
    @property
    def broken(self) -> str | None: ...
    @property
    def suspects(self) -> NDArray[np.void] | None: ...
    @property
    def setup(self) -> tuple[dict[str, int], list[dict[str, Any]], int, int, int, int]: ...
    @property
    def house(self) -> dict[str, Any]: ...
    @property
    def time_ns(self) -> int: ...
    def apply(self, commands: NDArray[np.void]) -> NDArray[np.void]: ...
    def submit(
        self,
        *,
        kind: int,
        time_ns: int = 0,
        account: int = 0,
        market: int = 0,
        order_id: int = 0,
        side: int = 0,
        position_side: int = 0,
        tif: int = 0,
        flags: int = 0,
        price_ticks: int = 0,
        size_lots: int = 0,
        trigger_ticks: int = 0,
        trigger_source: int = 0,
        stp_mode: int = 0,
        expire_ns: int = 0,
        asset: int = 0,
        value: int = 0,
        aux: int = 0,
    ) -> int: ...
    def drain(self) -> NDArray[np.void]: ...
    def digest(self) -> str: ...
    def check(self, *, risk: bool = True) -> None: ...
    def last_events(self, count: int = 1000) -> NDArray[np.void]: ...
    def state_hash(self) -> str: ...
    def state_hashes(self) -> dict[str, int]: ...
    def audited_rounds(self) -> int: ...
    def snapshot(self) -> bytes: ...
    @staticmethod
    def restore(data: bytes, audit: int = 1) -> Engine: ...
    def accounts(self) -> NDArray[np.void]: ...
    def positions(self) -> NDArray[np.void]: ...
    def orders(self) -> NDArray[np.void]: ...
    def book(self, market: int, side: int) -> NDArray[np.int64]: ...
    def queue(self, market: int, side: int, price_ticks: int) -> list[tuple[int, int | None, int]]: ...
    def market(self, market: int) -> dict[str, int]: ...
    def statistics(self) -> dict[str, int]: ...
    def known(self, market: int) -> None: ...
