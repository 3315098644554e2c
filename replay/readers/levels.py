"""Messages of books as rows: lists of levels to ticks and lots, and which updates join the book that stands.

A message has bids and asks, each a JSON list of levels: price and size as text, whatever else follows in a level.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from perpsim.replay import decimals
from perpsim.replay.catalogue import Instrument
from perpsim.replay.errors import InputError
from perpsim.replay.readers.contract import Findings, Rows, SourceFile, kept
from perpsim.replay.readers.csv_columns import id_number
from perpsim.replay.readers.sheet import REPAIR, Sheet
from perpsim.replay.tape import COLUMNS, MORE, SELL, SNAPSHOT, Row

LEVELS = msgspec.json.Decoder(list[list[str | int | float]])


class Books(NamedTuple):
    """m messages of a book in file order: int64[m] but for the lists of 2 m, bids and asks of one after the other.

    `whole`, bool[m]: the message is the whole book. `id`: of the last update in it, 0 where the venue has none.
    """

    line: np.ndarray
    time_ns: np.ndarray
    receive_ns: np.ndarray
    id: np.ndarray
    whole: np.ndarray
    lists: Sequence[bytes]


def rows(books: Books, keep: np.ndarray, file: SourceFile, instrument: Instrument, findings: Findings) -> Rows:
    """The levels of the messages in keep, bool[m], as rows; unreadable lists and numbers off the grid are findings."""
    lists = [text for text, there in zip(books.lists, np.repeat(keep, 2).tolist(), strict=True) if there]
    line = books.line[keep]
    found = decimals.from_level_lists(lists)
    if found is None:
        found = _slowly(lists, Sheet(file, np.repeat(line, 2), instrument, findings))
    counts = found.counts.reshape(-1, 2).sum(axis=1)
    findings.count("empty_books", int((counts == 0).sum()))
    sheet = Sheet(file, np.repeat(line, counts), instrument, findings)
    price, value = sheet.ticks(found.price), sheet.lots(found.size)
    code = np.repeat(np.tile(np.array([Row.LEVEL, Row.LEVEL | SELL], np.uint8), len(line)), found.counts)
    code |= np.repeat(np.where(books.whole[keep], SNAPSHOT, 0).astype(np.uint8), counts) | MORE
    code[np.cumsum(counts)[counts > 0] - 1] &= 0xFF ^ MORE
    by_message = {name: np.repeat(getattr(books, name)[keep], counts) for name in ("time_ns", "receive_ns", "id")}
    made = Rows(**by_message, code=code, price=price, value=value, file=file, line=sheet.line)
    return kept(made, sheet.keep)


def _slowly(lists: Sequence[bytes], sheet: Sheet) -> decimals.Levels:
    """Levels of any layout; a list that is none counts as empty, and is a finding of its line in the sheet."""
    wrong: dict[int, str] = {}
    pairs: list[list[tuple[str, str]]] = []
    for index, text in enumerate(lists):
        try:
            pairs.append([(str(level[0]), str(level[1])) for level in LEVELS.decode(text)])
        except (msgspec.MsgspecError, UnicodeDecodeError, IndexError) as error:
            wrong[index] = str(error)
            pairs.append([])
    while True:
        counts = np.fromiter(map(len, pairs), np.int64, len(pairs))
        try:
            price, size = (decimals.from_strings([pair[at] for each in pairs for pair in each]) for at in (0, 1))
            break
        except decimals.NotDecimal as error:
            index = int(np.searchsorted(np.cumsum(counts), error.index, side="right"))
            wrong[index] = str(error)
            pairs[index] = []
    bad = np.zeros(len(lists), bool)
    bad[list(wrong)] = True
    sheet.refuse("unreadable", bad, lambda i: f"a list of levels is unreadable ({wrong[i]}): {REPAIR}")
    return decimals.Levels(counts, price, size)


class Joins:
    """Follows the updates of a book by their ids: what comes before a whole book, or after a hole, is left out.

    An update joins when the id it follows is that of the message before. A hole is a finding `update-gap`; after it
    nothing joins until the next whole book.
    """

    def __init__(self):
        self._last: int | None = None
        self._hole = False

    def keep(self, books: Books, previous: np.ndarray | None, sheet: Sheet) -> np.ndarray:
        """bool[m]: which messages can be applied; previous is the id that each follows, None where there are no ids.

        The sheet has a line a message."""
        good, gaps = np.zeros(len(books.line), bool), np.zeros(len(books.line), bool)
        left_out = {True: 0, False: 0}
        follows = books.id if previous is None else previous
        last = self._last
        columns = (books.whole.tolist(), books.id.tolist(), follows.tolist(), sheet.keep.tolist())
        for index, (whole, own, before, sound) in enumerate(zip(*columns, strict=True)):
            if not sound:
                continue
            if whole:
                last, self._hole = own, False
            elif last is None:
                left_out[self._hole] += 1
                continue
            elif previous is not None and before != last:
                gaps[index], last, self._hole = True, None, True
                continue
            last = own
            good[index] = True
        self._last = last
        sheet.findings.count("updates_before_snapshot", left_out[False])
        sheet.findings.count("updates_after_gap", left_out[True])
        sheet.refuse(
            "update-gap",
            gaps,
            lambda i: (
                f"the update follows id {int(follows[i])}, which is not the one before it: updates are missing, or out "
                "of order; record again, or repair by update-gap to leave the book out until the next snapshot"
            ),
        )
        return good & sheet.keep


def in_file_order(parts: Sequence[Rows]) -> Rows:
    """Rows of several kinds from one block of lines, put back in the order of their lines."""
    if not parts:
        raise InputError("no rows to put in order")
    order = np.argsort(np.concatenate([part.line for part in parts]), kind="stable")
    columns = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in (*COLUMNS, "line")}
    return parts[0]._replace(**columns)


def numbers_of(texts: list[str]) -> tuple[decimals.Fixed, np.ndarray]:
    """The numbers of texts, 0 of an empty one, and which are none."""
    bad = np.zeros(len(texts), bool)
    clean = [text or "0" for text in texts]
    while True:
        try:
            return decimals.from_strings(clean), bad
        except decimals.NotDecimal as error:
            bad[error.index] = True
            clean[error.index] = "0"


def id_numbers(texts: list[str]) -> np.ndarray:
    """int64 of ids as text: see csv_columns.numbers_in."""
    return np.fromiter(map(id_number, texts), np.int64, len(texts))
