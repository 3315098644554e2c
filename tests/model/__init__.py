"""The naive twin: the whole engine once more, in plain Python, obvious rather than fast.

It imports nothing of perpsim. What it shares with the core is the wire: fields, numbers and order of commands and
events, and the rounding that each division names. Everything else is written from the specification: a price level is
a list of segments, an account's holds are summed over its orders when they are needed, and who is under maintenance is
found by looking at everybody after each mark group.
"""

from .twin import Twin
from .wire import EVENT_FIELDS, Command

__all__ = ["EVENT_FIELDS", "Command", "Twin"]
