"""What is wrong with a recording, and what was counted in it.

On import the first thing that is wrong is refused, with its file and line, unless its rule is among the repairs: then
it is dropped and counted. A check records everything instead, drops it and reads on. Counts and samples are of nothing
wrong: they are what a quality card is made of. Findings of several files are added up, and what they add up to does not
depend on the order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from perpsim.replay.errors import InputError

if TYPE_CHECKING:
    from perpsim.replay.readers.contract import SourceFile

RULES = {
    "wrong-symbol": "a row is of another market than its file",
    "wrong-layout": "a row has other columns or another type than its format",
    "unreadable": "a row or message cannot be parsed",
    "bad-price": "a price is missing, zero, negative or no number",
    "bad-size": "a size is missing, negative or no number, or the size of a trade is zero",
    "bad-value": "a mark, index, funding rate or open interest is missing, zero or no number",
    "off-grid": "a price or size is no multiple of the market's tick or lot",
    "bad-side": "a side is neither buy nor sell, bid nor ask",
    "bad-time": "a time is missing or outside 2009-2100",
    "time-away": "exchange and receive time lie a day or more apart",
    "time-back": "the time of the book runs back by more than a second",
    "duplicate-id": "an id or row comes twice",
    "id-jump": "ids are missing in between",
    "id-back": "ids run back",
    "update-gap": "updates of the book are missing in between",
    "no-snapshot": "updates of the book come before any whole book",
    "crossed": "a bid stands at or above an ask",
    "unknown-order": "an event is of an order that does not rest",
    "book-differs": "the book that the messages give is not the one that the recording shows",
}

SUSPICIONS = {  # a check tells them by line; an import takes such rows
    "far-print": "a print at twice the price of those around it or more, or at half",
    "far-level": "a level that comes once, at ten times the price of the market or more, or at a tenth",
    "late": "exchange and receive time lie a second or more apart",
    "other-day": "a row was received on another day than its file is of",
}

STEP_BITS = 6
SAMPLE_STEPS = 1 << STEP_BITS  # buckets to a doubling: a percentile is right to 1.6 %
FINDINGS_MAX = 10_000  # recorded of one rule; the rest is only counted
PERCENTILES = (1, 50, 90, 99, 99.9)


class Finding(NamedTuple):
    """One thing that is wrong."""

    rule: str
    place: str  # of the file
    line: int
    sentence: str


class Findings:
    """Takes what a reader finds. repairs: rules whose rows are dropped; record: keep all findings, refuse nothing."""

    def __init__(self, repairs: Iterable[str] = (), record: bool = False):
        self.repairs = frozenset(repairs)
        self.record = record
        self.found: list[Finding] = []
        self.dropped: Counter[str] = Counter()  # by rule
        self.suspected: Counter[str] = Counter()  # by suspicion
        self.counts: Counter[str] = Counter()
        self._samples: dict[str, Counter[int]] = {}
        self._range: dict[str, tuple[int, int]] = {}
        unknown = sorted(self.repairs - set(RULES))
        if unknown:
            raise InputError(f"there is no rule {', '.join(unknown)} to repair by; known: {', '.join(RULES)}")

    def refuse(
        self,
        rule: str,
        bad: np.ndarray,
        file: SourceFile,
        line: np.ndarray,
        sentence: Callable[[int], str],
    ) -> np.ndarray:
        """What may stay of n rows or messages: the others break a rule.

        bad is bool[n], line int64[n] (0: the whole file); sentence(i) says what is wrong with the i-th, and what to do.
        Raises InputError for the first, unless the rule is repaired or findings are recorded.
        """
        if rule not in RULES:
            raise KeyError(f"no rule {rule!r}; add it to RULES")
        if not bad.any():
            return ~bad
        if self.record:
            room = FINDINGS_MAX - self.dropped[rule]
            for index in np.flatnonzero(bad)[: max(0, room)].tolist():
                self.found.append(Finding(rule, file.place, int(line[index]), sentence(index)))
        elif rule not in self.repairs:
            index = int(np.argmax(bad))
            raise InputError(sentence(index), file.place, int(line[index]) or None)
        self.dropped[rule] += int(bad.sum())
        return ~bad

    def count(self, name: str, n: int = 1) -> None:
        """Add to a count of the quality card."""
        self.counts[name] += int(n)

    def sample(self, name: str, values: np.ndarray) -> None:
        """Add integers (nanoseconds, ticks) to a distribution of the quality card; takes bounded memory."""
        if not len(values):
            return
        buckets, counts = np.unique(_buckets(np.asarray(values, np.int64)), return_counts=True)
        self._samples.setdefault(name, Counter()).update(dict(zip(buckets.tolist(), counts.tolist(), strict=True)))
        self._widen(name, int(np.min(values)), int(np.max(values)))

    def add(self, other: Findings) -> None:
        """Take over the findings of other files."""
        self.found += other.found
        self.dropped += other.dropped
        self.suspected += other.suspected
        self.counts.update(other.counts)
        for name, buckets in other._samples.items():
            self._samples.setdefault(name, Counter()).update(buckets)
            self._widen(name, *other._range[name])

    def quality(self) -> dict[str, Any]:
        """For the tape's metadata: counts, what was dropped, and the percentiles of the samples, sorted by name."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "samples": {name: self.percentiles(name) for name in sorted(self._samples)},
        }

    def percentiles(self, name: str) -> dict[str, int]:
        """n, min, p1, p50, p90, p99, p99.9 and max of a distribution; percentiles to 1.6 %."""
        buckets = sorted(self._samples[name].items())
        total = sum(count for _, count in buckets)
        least, most = self._range[name]
        told = {"n": total, "min": least}
        for percent in PERCENTILES:
            passed = 0
            for bucket, count in buckets:
                passed += count
                if passed * 1000 >= total * round(percent * 10):
                    told[f"p{percent}"] = min(max(_value(bucket), least), most)
                    break
        return told | {"max": most}

    def facts(self) -> dict[str, Any]:
        """Everything but the settings as plain data; `restored` is the way back."""
        samples = {name: sorted(buckets.items()) for name, buckets in sorted(self._samples.items())}
        return {
            "found": [list(each) for each in self.found],
            "dropped": dict(sorted(self.dropped.items())),
            "counts": dict(sorted(self.counts.items())),
            "samples": samples,
            "range": {name: list(self._range[name]) for name in samples},
        }

    @classmethod
    def restored(cls, facts: dict[str, Any]) -> Findings:
        """Findings from `facts`."""
        made = cls()
        made.found = [Finding(*each) for each in facts["found"]]
        made.dropped, made.counts = Counter(facts["dropped"]), Counter(facts["counts"])
        made._samples = {name: Counter(dict(map(tuple, pairs))) for name, pairs in facts["samples"].items()}
        made._range = {name: tuple(pair) for name, pair in facts["range"].items()}
        return made

    def _widen(self, name: str, least: int, most: int) -> None:
        before = self._range.get(name, (least, most))
        self._range[name] = min(before[0], least), max(before[1], most)


def _buckets(values: np.ndarray) -> np.ndarray:
    """The bucket of each number: 0 of zero, the same with the other sign below it; equal steps of the logarithm."""
    size = np.abs(values)
    exponent = np.frexp(np.maximum(size, 1).astype(np.float64))[1].astype(np.int64) - 1
    exponent -= (size < np.left_shift(1, exponent)) & (size > 0)  # a float of more than 53 bits may be rounded up
    below = exponent - STEP_BITS
    step = np.where(below >= 0, size >> np.maximum(below, 0), size << np.maximum(-below, 0))
    return np.where(size == 0, 0, np.sign(values) * (exponent * SAMPLE_STEPS + step - SAMPLE_STEPS + 1))


def _value(bucket: int) -> int:
    """The number of a bucket that is the farthest from zero."""
    if bucket == 0:
        return 0
    exponent, step = divmod(abs(bucket) - 1, SAMPLE_STEPS)
    below = exponent - STEP_BITS
    edge = (step + SAMPLE_STEPS + 1 << below) - 1 if below >= 0 else step + SAMPLE_STEPS >> -below
    return edge if bucket > 0 else -edge
