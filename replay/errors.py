"""The one exception for input that a user can put right: a file, a row, a fact."""

from os import PathLike


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence saying where, what, and what to do.

    ``path`` and ``line`` (counted from 1) are kept apart from the text for programs that want them; both may be None.
    The command line prints the message and exits with code 2.
    """

    def __init__(self, message: str, path: str | PathLike | None = None, line: int | None = None):
        self.path = None if path is None else str(path)
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(place + message)


class DifferenceError(Exception):
    """What was done again did not come out as it did before; the message says where. The command line exits with 1."""
