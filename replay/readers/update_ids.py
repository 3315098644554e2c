"""Updates of a book whose ids do not join those around them: which of two neighbours is the wrong one."""

import numpy as np


def out_of_joint(first: np.ndarray, final: np.ndarray, previous: np.ndarray, ended: int | None = None) -> np.ndarray:
    """bool[m]: which updates of a row break it; each names its own first and last id and the one it follows, int64[m].

    ended is the last id before the row. Where a link is broken, the later update is named, as what came before it is
    missing; the earlier one where it claims ids that the later one follows in the midst of. What follows an update that
    ends before it begins, or that does not join and brings nothing new, is not named for that.
    """
    ends = np.append(previous[:1] if ended is None else ended, final[:-1])
    backwards = final < first
    bad = backwards.copy()
    for at in np.flatnonzero(previous != ends).tolist():
        if at and (backwards[at - 1] or (bad[at - 1] and final[at - 1] <= ends[at - 1])):
            continue
        claims = at > 0 and not bad[at - 1] and previous[at - 1] < previous[at] < final[at - 1]
        bad[at - 1 if claims else at] = True
    return bad
