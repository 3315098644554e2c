"""The compiled core: order book, margin, liquidation, ADL. `apply(state, command) -> events`."""

from .engine import Engine
from .kernel import Kernel, Stop, Watch
from .records import (
    COMMAND,
    EVENT,
    MARKETS_ALL,
    WORLD_ORDER,
    AdlPolicy,
    AdlPrice,
    CrossOrder,
    EventKind,
    Flag,
    FundUnwind,
    Kind,
    MarginMode,
    MarketState,
    MarkMethod,
    QueueModel,
    ReduceLimit,
    ReduceMethod,
    Reject,
    Rule,
    Side,
    Socialise,
    StpMode,
    TapeOrder,
    TapeRow,
    TapeWalk,
    Tif,
    TriggerSource,
)
from .views import ACCOUNT, ORDER, POSITION
from .audit import InvariantError

__all__ = [
    "ACCOUNT", "COMMAND", "EVENT", "MARKETS_ALL", "ORDER", "POSITION", "WORLD_ORDER", "AdlPolicy", "AdlPrice",
    "CrossOrder", "Engine", "EventKind", "Flag", "FundUnwind", "InvariantError", "Kernel", "Kind", "MarginMode", "MarkMethod",
    "MarketState", "QueueModel", "ReduceLimit", "ReduceMethod", "Reject", "Rule", "Side", "Socialise", "Stop", "StpMode",
    "TapeOrder", "TapeRow", "TapeWalk", "Tif", "TriggerSource", "Watch",
]
