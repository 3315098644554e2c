"""Which ids of a long row have come: as spans, so that memory grows with the holes and not with the ids."""

import numpy as np


class Ids:
    """`add` ids in any order; `missing` counts those between the lowest and the highest that have not come."""

    def __init__(self):
        self._first = np.zeros(0, np.int64)  # of each span, ascending; spans neither overlap nor touch
        self._last = np.zeros(0, np.int64)

    @property
    def missing(self) -> int:
        """Ids in the holes."""
        return int((self._first[1:] - self._last[:-1] - 1).sum())

    def add(self, ids: np.ndarray) -> int:
        """Take int64 ids; returns how many of them had come before, in this call or earlier."""
        if not len(ids):
            return 0
        unique = np.unique(ids)
        span = np.searchsorted(self._first, unique, side="right") - 1
        known = (span >= 0) & (unique <= self._last[span]) if len(self._first) else np.zeros(len(unique), bool)
        fresh = unique[~known]
        if len(fresh):
            cuts = np.flatnonzero(np.diff(fresh) > 1)
            self._merge(fresh[np.append(0, cuts + 1)], fresh[np.append(cuts, len(fresh) - 1)])
        return len(ids) - len(fresh)

    def _merge(self, first: np.ndarray, last: np.ndarray) -> None:
        """Add spans of ids that are in none, and join those that touch."""
        first, last = np.concatenate([self._first, first]), np.concatenate([self._last, last])
        order = np.argsort(first)
        first, last = first[order], last[order]
        apart = first[1:] > last[:-1] + 1
        self._first, self._last = first[np.append(True, apart)], last[np.append(apart, True)]
