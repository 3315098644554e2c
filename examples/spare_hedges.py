"""An ADL policy of one's own: whoever is hedged is cut last.

A scenario asks it with  adl = "spare_hedges.py:spare_hedges"  under [venue] and  adl_policy = "user"  in its rules, see
own_adl.toml. A contract is unhedged if closing it does not raise its account's net exposure in the underlying. First
those go, in proportion; only what is then still missing is taken from what accounts hold as a hedge.
"""

import numpy as np


def spare_hedges(question, candidates):
    """Lots that each candidate gives up, unhedged ones first."""
    wanted, held = abs(question["lots"]), np.abs(candidates["lots"])
    lots = in_proportion(candidates["unhedged"], wanted)
    return lots + in_proportion(held - lots, wanted - lots.sum())


def in_proportion(room, wanted):
    """Whole lots, `wanted` in all or what room there is; what rounding leaves goes to the first who have room."""
    total = room.sum()
    if wanted >= total:
        return room.copy()
    lots = room * wanted // total
    open_ones = np.flatnonzero(lots < room)[: wanted - lots.sum()]
    lots[open_ones] += 1
    return lots
