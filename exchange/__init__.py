"""What a venue is: rulebooks as data, the venue object, the bot API. Everything inward of it is integers."""

from .rules import MarketSpec, Rulebook, Tier, contract, rulebook
from .strategy import Strategy

__all__ = ["MarketSpec", "Rulebook", "Strategy", "Tier", "contract", "rulebook"]
