"""What a venue is: rulebooks as data, the venue object, the bot API. Everything inward of it is integers."""

from .contracts import contract
from .rulebook_files import rulebook
from .rules import MarketSpec, Rulebook, Tier
from .strategy import Strategy

__all__ = ["MarketSpec", "Rulebook", "Strategy", "Tier", "contract", "rulebook"]
