"""A progress bar on standard error for what takes longer than two seconds: rate and time left."""

from __future__ import annotations

import sys
import time
from typing import Any

PATIENCE_SECONDS = 1.0  # no bar for what is over by then


class Bar:
    """`bar(what, done, total)` as often as you like; `with` takes the bar off the screen at the end."""

    def __init__(self, quiet: bool = False):
        self._shown = sys.stderr.isatty() and not quiet
        self._what = ""
        self._began = 0.0
        self._display: Any = None
        self._task: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._shown:
            return
        if what != self._what:
            self.close()
            self._what, self._began = what, time.monotonic()
        if self._display is None and time.monotonic() - self._began > PATIENCE_SECONDS and done < total:
            self._open(total)
        if self._display is not None:
            elapsed = time.monotonic() - self._began
            self._display.update(self._task, completed=done, rate=_rate(what, done, elapsed))

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._display is not None:
            self._display.stop()
        self._display = None
        self._what = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._display = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._display.add_task(self._what, total=total, rate="")
        self._display.start()


def _rate(what: str, done: int, elapsed: float) -> str:
    """Bytes a second of reading; of a replay, how many times faster than the recording."""
    if elapsed <= 0:
        return ""
    if what.startswith("replay"):
        return f"{done / 1e9 / elapsed:,.0f}x recorded speed"
    return f"{done / 1e6 / elapsed:,.1f} MB/s"
