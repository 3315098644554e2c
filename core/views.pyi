"""dtypes of the rows that `Engine.accounts`, `Engine.positions` and `Engine.orders` return."""

import numpy as np

ACCOUNT: np.dtype[np.void]
POSITION: np.dtype[np.void]
ORDER: np.dtype[np.void]
