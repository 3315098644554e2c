"""Where forced orders of a market trade."""

from enum import IntEnum

class Attribution(IntEnum):
    NONE = 0
    RECORD = 1
    AGAINST = 2
