"""A recorded book built again from the rows of its tape, outside of any engine."""

import numpy as np
from numpy.typing import NDArray

NONE: int

class RebuiltBook:
    """Takes the rows of a book in order; no message need be whole in a call."""

    snapshots: int
    snapshots_compared: int
    levels_compared: int
    levels_differing: int
    def apply(
        self, code: NDArray[np.uint8], price: NDArray[np.int64], value: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(bid, ask) after each row that ends a message, NONE where a side is empty."""
