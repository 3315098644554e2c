"""Exceptions that the command line prints: input that a user can put right, and a state that contradicts itself."""

import traceback
from os import PathLike
from pathlib import Path
from typing import Any


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


def raised(what: str, source: Path, error: Exception) -> InputError:
    """An error of a user's own code, with the line of its file where it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([each for each in frames if Path(each.filename) == source] or frames)[-1]
    return InputError(f"{what} raised {type(error).__name__}: {error}", frame.filename, frame.lineno)


class BrokenError(Exception):
    """An audit has found that the engine contradicts itself, so the run has stopped: a bug of the engine.

    ``facts`` says what and where, ``events`` are the last ones (array of EVENT), ``commands`` those of which one broke
    it (array of COMMAND, empty where it was a row of a tape). The command line prints the message; exit code 3.
    """

    def __init__(self, facts: dict[str, Any], events: Any, commands: Any):
        self.facts, self.events, self.commands = facts, events, commands
        super().__init__(facts["sentence"])


class DifferenceError(Exception):
    """What was done again did not come out as it did before; the message says where. The command line exits with 1."""
