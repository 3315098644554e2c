"""Updates of a book whose ids do not join those around them: which of two neighbours is the wrong one."""

import numpy as np


def out_of_joint(previous: np.ndarray, final: np.ndarray, ended: int | None = None) -> np.ndarray:
    """bool[m]: which updates of a row break it; each names the id that it follows and its own last one, int64[m].

    ended is the last id before the row. Where a link is broken, the later update is named, as what came before it is
    missing; the earlier one where it claims ids that the later one follows in the midst of. What follows an update that
    brings nothing new and does not join is not named for that.
    """
    ends = np.append(previous[:1] if ended is None else ended, final[:-1])
    bad = np.zeros(len(final), bool)
    for at in np.flatnonzero(previous != ends).tolist():
        if at and bad[at - 1] and final[at - 1] <= ends[at - 1]:
            continue
        claims = at > 0 and not bad[at - 1] and previous[at - 1] < previous[at] < final[at - 1]
        bad[at - 1 if claims else at] = True
    return bad
