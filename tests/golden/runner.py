"""One case: is what the product answers what was published?"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import numbers
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from .known import DISAGREEMENTS
from .registry import Adapter, Inputs, NotApplicable

RATIO = re.compile(r"-?\d+/[1-9]\d*")
CONTROL = re.compile(r"\bcontrol\b|known[- ]defect|defect to avoid", re.IGNORECASE)
NEEDED = "formula", "inputs", "expected"


class BadFile(Exception):
    """The file does not hold cases; the text is one sentence."""


class Verdict(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True)
class Result:
    id: str
    verdict: Verdict
    text: str = ""


def read(path: Path) -> list[dict[str, Any]]:
    """The cases of a file: a list of objects, or an object with such a list named "cases". Raises BadFile."""
    try:
        content = json.loads(path.read_text("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{path} is not UTF-8 text") from None
    except RecursionError:
        raise BadFile(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise BadFile(f"{path} is not JSON: {error}") from None
    cases = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(cases, list):
        raise BadFile(f"{path} holds no list of cases")
    for number, case in enumerate(cases, 1):
        if not isinstance(case, dict):
            raise BadFile(f"{path}: case {number} is not an object")
    return cases


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def run(case: dict[str, Any], number: int, formulas: dict[str, Adapter], data: Path | None = None) -> Result:
    """Judge one case. `data` is the folder in which the files that cases name are looked for."""
    name = str(case.get("id", f"case {number}"))
    try:
        wrong = differences(case, formulas, data)
    except NotApplicable as reason:
        return Result(name, Verdict.NOT_APPLICABLE, str(reason))
    except Exception as error:  # whatever an adapter or the product raises is the verdict on this case alone
        return Result(name, Verdict.FAILED, f"{case['formula']} raised {type(error).__name__}: {_line(error)}")
    if is_control(case):
        text = f"{case['formula']} gives a number that is known to be wrong: {case['expected']}"
        return Result(name, Verdict.PASSED) if wrong else Result(name, Verdict.FAILED, text)
    if not wrong:
        return Result(name, Verdict.PASSED)
    if name in DISAGREEMENTS:
        return Result(name, Verdict.NOT_APPLICABLE, f"known disagreement: {DISAGREEMENTS[name]}")
    return Result(name, Verdict.FAILED, f"{case['formula']}: {'; '.join(wrong)}")


def is_control(case: dict[str, Any]) -> bool:
    """A number that must not come out: a control, a defect of another project, or one that was not reproduced."""
    said = " ".join(str(case.get(key, "")) for key in ("id", "mechanism", "note"))
    reproduced = case.get("reproduced")
    return reproduced is False or (reproduced is not True and bool(CONTROL.search(said)))


def differences(case: dict[str, Any], formulas: dict[str, Adapter], data: Path | None) -> list[str]:
    """What the product says otherwise than the case, a text each. Raises NotApplicable."""
    for key in NEEDED:
        if key not in case:
            raise NotApplicable(f"the case has no {key!r}")
    tolerance = case.get("tolerance")
    if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float)):
        raise NotApplicable(f"its tolerance {tolerance!r} is not a number")
    if not isinstance(case["inputs"], dict) or not isinstance(case["expected"], dict):
        raise NotApplicable("its inputs and what is expected are not objects")
    adapter = formulas.get(str(case["formula"]))
    if adapter is None:
        raise NotApplicable(f"no adapter for formula {case['formula']!r}")
    inputs = _wrapped(case["inputs"])
    if "file" in inputs and data is not None:
        inputs["root"] = data
    answer = adapter(inputs)
    return list(compare(case["expected"], answer, None if tolerance is None else exact(tolerance), ""))


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Inputs({key: _wrapped(inner) for key, inner in value.items()})
    return [_wrapped(inner) for inner in value] if isinstance(value, list) else value


def compare(expected: Any, got: Any, tolerance: Fraction | None, where: str) -> list[str]:
    """Differences, leaf by leaf. Without a tolerance a number may be off by half of its last printed digit."""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return [f"{where or 'the answer'} is {got!r}, not an object"]
        named = {str(key): value for key, value in got.items()}
        inner = ((key, f"{where}.{key}" if where else key) for key in expected)
        return [text for key, at in inner for text in (
            compare(expected[key], named[key], tolerance, at) if key in named else [f"there is no answer {at}"])]
    if isinstance(expected, list):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return [f"{where} is {got!r}, expected {expected!r}"]
        pairs = enumerate(zip(expected, got, strict=True))
        return [text for at, (one, other) in pairs for text in compare(one, other, tolerance, f"{where}[{at}]")]
    if _same_leaf(expected, got, tolerance):
        return []
    return [f"{where} is {_shown(got)}, expected {expected!r}" + (f" +- {float(tolerance):g}" if tolerance else "")]


def _same_leaf(expected: Any, got: Any, tolerance: Fraction | None) -> bool:
    if expected is None or isinstance(expected, bool):
        return got is expected or (isinstance(expected, bool) and str(got) == str(expected))  # NumPy's too
    if isinstance(expected, str) and not (RATIO.fullmatch(expected) and not isinstance(got, str)):
        return got == expected or (bool(RATIO.fullmatch(expected)) and _ratio(got) == Fraction(expected))
    want, have = exact(expected), exact(got)
    if want is None or have is None:
        return want is None and str(expected) == str(got)
    return abs(want - have) <= (last_digit(expected) if tolerance is None else tolerance)


def exact(value: Any) -> Fraction | None:
    """A number as a fraction, a float by its shortest text; None if it is no number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Number | Decimal):
        return _ratio(value)
    if isinstance(value, numbers.Rational | Decimal):
        return Fraction(value) if not isinstance(value, Decimal) or value.is_finite() else None
    return Fraction(Decimal(repr(float(value)))) if math.isfinite(value) else None


def _ratio(value: Any) -> Fraction | None:
    return Fraction(value) if isinstance(value, str) and RATIO.fullmatch(value) else None


def last_digit(value: Any) -> Fraction:
    """Half a unit of the last printed digit; 0 for a whole number."""
    if not isinstance(value, float):
        return Fraction(0)
    return Fraction(10) ** Decimal(repr(value)).as_tuple().exponent / 2


def _shown(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else f"{float(value)!r}"
    return f"{value}" if isinstance(value, Decimal) else f"{value!r}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
