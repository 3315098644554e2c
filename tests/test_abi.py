"""The border of the core: dtypes are the C structs, stubs are the modules, each number has one name everywhere."""

import ast
import enum
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import perpsim.core
import pytest
from perpsim.core import ACCOUNT, COMMAND, EVENT, ORDER, POSITION, TapeRow, records, testing
from perpsim.replay import tape

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = ("audit", "engine", "kernel", "rebuilt", "records", "views")
SHARED_WITH_EVENTS = ("order_id", "price_ticks", "size_lots", "value", "aux", "account", "market", "asset", "side")
PREFIXES = {  # enums of records.pxd and the Python enum that mirrors each
    "SIDE": "Side", "LEG": "PositionSide", "TIF": "Tif", "FLAG": "Flag", "STP": "StpMode",
    "SOURCE": "TriggerSource", "KIND": "Kind",
    "EVENT": "EventKind", "REJECT": "Reject", "REASON": "Reject", "MARKET": "MarketState", "MODE": "MarginMode",
    "TAPE_ORDER": "TapeOrder", "ROW": "TapeRow", "RULE": "Rule", "MARK": "MarkMethod",
    "COMPOSITION": "MarkComposition", "REDUCE": "ReduceMethod",
    "LIMIT": "ReduceLimit", "UNWIND": "FundUnwind", "FUND": "FundTrigger", "ADL": "AdlPolicy", "ADL_PRICE": "AdlPrice",
    "ADL_FEE": "AdlFee", "ADL_LIGHT": "AdlLight", "TAKEOVER": "Takeover", "FEE": "LiquidationFee",
    "INDEX": "IndexMethod", "OUTLIER": "OutlierRule", "AVERAGE": "PremiumAverage", "PREMIUM": "PremiumSource",
    "FORMULA": "FundingFormula", "FUNDING_AT": "FundingPrice",
    "SOCIALISE": "Socialise", "FIRST": "CrossOrder", "QUEUE": "QueueModel", "WALK": "TapeWalk",
    "CONTRACT": "ContractKind", "TIERS": "TierMethod",
    "MAINTENANCE": "MaintenanceValue", "VALUE": "ValueRounding", "ORACLE": "CollateralOracle",
    "SPOT": "SpotPrice", "FAULT": "AdlFault",
}  # fmt: skip
BOUNDS = {"TIF_LAST", "STP_LAST"}  # the largest member once more


def distinct(dtype: np.dtype) -> np.ndarray:
    """One record with another value in every field."""
    record = np.zeros(1, dtype)
    for number, name in enumerate(dtype.names, 3):
        record[name] = number
    return record


@pytest.mark.parametrize(
    "dtype, read", [(COMMAND, testing.py_read_command), (EVENT, testing.py_read_event)], ids=["COMMAND", "EVENT"]
)
def test_numpy_and_c_see_the_same_fields(dtype, read):
    record = distinct(dtype)
    assert read(record.view("u1")) == {name: int(record[name][0]) for name in dtype.names}
    assert dtype.itemsize == sum(dtype[name].itemsize for name in dtype.names)  # no padding
    with pytest.raises(ValueError, match="bytes"):
        read(record.view("u1")[:-1])


def test_records_have_the_promised_sizes():
    sizes = testing.py_sizes()
    assert (sizes["command"], sizes["event"], sizes["order"]) == (80, 88, 64)
    assert sizes["account"] + sizes["wallet"] + sizes["position"] <= 400
    assert sizes["order"] + 2 * 8 <= 96  # with its entry in a half-full index


def test_commands_have_every_field_that_an_event_echoes():
    for name in SHARED_WITH_EVENTS:
        assert COMMAND[name] == EVENT[name]


@pytest.mark.parametrize("dtype", [COMMAND, EVENT, ACCOUNT, POSITION, ORDER])
def test_records_are_packed_little_endian_integers(dtype):
    for name in dtype.names:
        assert dtype[name].kind in "iu" and dtype[name].byteorder in "<|=", name


def enums() -> dict[str, type[enum.IntEnum]]:
    kinds = {
        name: kind for name, kind in vars(records).items() if isinstance(kind, type) and issubclass(kind, enum.Enum)
    }
    return {name: kind for name, kind in kinds.items() if kind.__module__ == records.__name__}


@pytest.mark.parametrize("name", enums())
def test_a_number_has_one_name(name):
    members = enums()[name].__members__
    assert len(set(members.values())) == len(members)


def test_every_number_of_the_header_has_its_python_name():
    header = (ROOT / "core" / "records.pxd").read_text("utf-8")
    found: dict[str, set[int]] = {}
    for name, number in re.findall(r"^    ([A-Z][A-Z0-9_]+) = (\d+)\b", header, re.MULTILINE):
        prefixes = [prefix for prefix in PREFIXES if name.startswith(f"{prefix}_")]
        if name not in BOUNDS and prefixes:
            found.setdefault(PREFIXES[max(prefixes, key=len)], set()).add(int(number))
    assert found == {name: {int(member) for member in kind.__members__.values()} for name, kind in enums().items()}


def test_reasons_are_numbered_in_two_rows():
    """Refusals below 100, ends of orders above; a gap is a number that was kept free."""
    refusals = [int(code) for code in records.Reject if 0 < code < 100]
    ends = [int(code) for code in records.Reject if code >= 100]
    assert refusals[:36] == list(range(1, 37)) and refusals == sorted(set(refusals))
    assert ends[:14] == list(range(101, 115)) and ends == sorted(set(ends))


def test_the_tape_and_the_core_number_rows_alike():
    bits = {"KIND_BITS": tape.ROW_MASK, "SIDE_BIT": tape.SELL, "MORE_BIT": tape.MORE, "SNAPSHOT_BIT": tape.SNAPSHOT}
    rows = {row.name: row.value for row in tape.Row}  # the core knows those that drive it
    assert TapeRow.__members__.items() <= (rows | bits).items()
    assert bits.items() <= TapeRow.__members__.items()


def test_what_the_package_exports_exists():
    assert len(set(perpsim.core.__all__)) == len(perpsim.core.__all__)
    for name in perpsim.core.__all__:
        assert hasattr(perpsim.core, name)
    assert not enums().keys() - set(perpsim.core.__all__)


# Stubs


def stub(name: str) -> ast.Module:
    return ast.parse((ROOT / "core" / f"{name}.pyi").read_text("utf-8"))


def module(name: str):
    return importlib.import_module(f"perpsim.core.{name}")


def names_in(body: list[ast.stmt]) -> set[str]:
    """Public names that a stub or a class of it declares."""
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names |= {target.id for target in targets}
    return {name for name in names if not name.startswith("_")}


def names_of(built) -> set[str]:
    """Public names that a built module defines itself."""
    own = set()
    for name, value in vars(built).items():
        elsewhere = inspect.ismodule(value) or getattr(value, "__module__", built.__name__) != built.__name__
        if not name.startswith("_") and not elsewhere:
            own.add(name)
    return own


@pytest.mark.parametrize("name", PUBLIC)
def test_stubs_name_what_the_module_has(name):
    declared, built = names_in(stub(name).body), names_of(module(name))
    built -= {"COMMAND", "EVENT"} if name in ("engine", "kernel") else set()  # imported there, at home in records
    assert declared == built


@pytest.mark.parametrize("name", PUBLIC)
def test_stubs_name_what_the_classes_have(name):
    for node in stub(name).body:
        if not isinstance(node, ast.ClassDef):
            continue
        built = getattr(module(name), node.name)
        if issubclass(built, enum.Enum):
            declared = {
                each.targets[0].id: ast.literal_eval(each.value) for each in node.body if isinstance(each, ast.Assign)
            }
            assert declared == {member: int(value) for member, value in built.__members__.items()}
        else:
            assert names_in(node.body) == {each for each in vars(built) if not each.startswith("_")}, node.name


@pytest.mark.parametrize("name", PUBLIC)
def test_stubs_name_the_parameters(name):
    functions = [(None, node) for node in stub(name).body if isinstance(node, ast.FunctionDef)]
    for parent in stub(name).body:
        if isinstance(parent, ast.ClassDef):
            functions += [(parent.name, node) for node in parent.body if isinstance(node, ast.FunctionDef)]
    for parent, node in functions:
        home = getattr(module(name), parent) if parent else module(name)
        built = getattr(home, node.name)
        if node.name == "__init__" or inspect.isdatadescriptor(built):
            continue
        arguments = node.args
        declared = [each.arg for each in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
        assert declared == list(inspect.signature(built).parameters), f"{name}: {parent}.{node.name}"


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "core" / "py.typed").exists()
