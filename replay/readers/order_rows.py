"""Rows of single orders while a reader makes them, message by message, in the order of the file.

Readers of order-level recordings read row after row: what a row means depends on the order that it names.
"""

import numpy as np
from perpsim.replay.readers.contract import Rows, SourceFile
from perpsim.replay.tape import MORE, SELL, Row

ROWS_MAX = 200_000  # of a block
ADD, REDUCE, DELETE, EXECUTE = (
    int(row) for row in (Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
)
SELL_OF = (0, int(SELL))  # by side: 0 a bid, 1 an ask


class OrderRows:
    """Collects rows; `end` closes a message, `take` hands over a block of whole messages."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._messages: list[tuple[int, int, int]] = []
        self._ended = 0

    def add(self, code: int, price: int, value: int, order_id: int, line: int) -> None:
        self._rows.append((code, price, value, order_id, line))

    def end(self, time_ns: int, receive_ns: int) -> None:
        """The rows since the last call are a message; none is no message."""
        count = len(self._rows) - self._ended
        if count:
            self._messages.append((time_ns, receive_ns, count))
            self._ended = len(self._rows)

    @property
    def full(self) -> bool:
        return self._ended >= ROWS_MAX

    def __len__(self) -> int:
        return self._ended

    def take(self, file: SourceFile) -> Rows:
        """All ended messages as one block; the collection is empty after that."""
        table = np.array(self._rows, np.int64).reshape(-1, 5)
        times = np.array(self._messages, np.int64).reshape(-1, 3)
        counts = times[:, 2]
        code = (table[:, 0] | MORE).astype(np.uint8)
        code[np.cumsum(counts) - 1] &= 0xFF ^ MORE
        self.__init__()
        return Rows(
            time_ns=np.repeat(times[:, 0], counts), receive_ns=np.repeat(times[:, 1], counts), code=code,
            price=table[:, 1].copy(), value=table[:, 2].copy(), id=table[:, 3].copy(), file=file,
            line=table[:, 4].copy(),
        )  # fmt: skip
