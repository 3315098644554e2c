"""Which way imports point: replay -> exchange -> core, and inside core from a row of LAYERS to the rows above it."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {  # which folders' modules each folder may import, and which packages of others
    "core": ({"perpsim.core"}, {"numpy"}),
    "exchange": ({"perpsim.core", "perpsim.exchange"}, {"google_crc32c", "msgpack", "numpy"}),
    "replay": (
        {"perpsim.core", "perpsim.exchange", "perpsim.replay"},
        {"databento_dbn", "isal", "msgspec", "numpy", "orjson", "pyarrow", "rich", "typer"},
    ),
    "bench": (
        {"perpsim.core", "perpsim.exchange", "perpsim.replay", "bench"},
        {"hftbacktest", "numba", "numpy", "pyarrow", "sortedcontainers"},
    ),
    "examples": ({"perpsim.core", "perpsim.exchange", "perpsim.replay"}, {"numpy"}),
    "tests/model": ({"tests.model"}, {"sortedcontainers"}),
}
# A module of the core cimports modules of the rows before its own; inside a row only what TOGETHER names.
LAYERS = (
    ("units",),
    ("risk_factor",),
    ("fixed_point", "fund_rules", "liquidation_price", "liquidation_size", "loss_sharing"),
    ("ladder", "records", "rule_numbers"),
    ("mark_inputs", "order_records", "rebuilt", "terms"),
    ("state", "idmap"),
    (
        "collateral", "composite_rules", "contract", "funding_rules", "index_rules", "links", "mark_rules", "rules",
        "slot_hash",
    ),
    ("initial",),
    ("events",),
    ("accrual",),
    ("bands", "claims", "ledger", "margin", "snapshot", "timers", "watches"),
    ("adl_scores", "beyond", "impact", "multi", "oi_limit", "recent_trades"),
    ("adl", "book", "fund_trigger", "hedge", "risk_unit", "stops", "triggers"),
    ("adl_light", "adl_share", "queue_models", "resilience"),
    ("invariants", "settle", "state_hash"),
    ("auction", "audit", "deleverage", "index_price", "orders", "overlay", "views"),
    ("composite",),
    (
        "accounts", "adl_decision", "conversion", "cover", "fund", "marks", "oracles", "plain", "recorded_orders",
        "risk_limits",
    ),
    ("funding", "shift", "waterfall"),
    ("forced_size", "prices"),
    ("forced_fee", "forced_price"),
    ("reduction",),
    ("liquidation",),
    ("attribution", "risk"),
    ("rule_changes",),
    ("dispatch",),
    ("formulas_collateral", "formulas_fund", "formulas_margin", "formulas_prices"),
    ("engine",),
    ("formulas_reduce",),
    ("kernel", "questions"),
    ("formulas_adl", "testing"),
)
TOGETHER = {("state", "idmap"), ("idmap", "state")}
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
CIMPORT = re.compile(r"^\s*(?:from\s+(\S+)\s+c?import\b|c?import\s+(\S+))", re.MULTILINE)
OUTSIDE_CORE = {"", "libc", "cython", "numpy", "enum", "json", "struct", "zlib"}
STANDARD = sys.stdlib_module_names | {"__future__"}


def python_files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Absolute names of the modules that a Python file imports, wherever in it."""
    package = list(path.relative_to(ROOT).parent.parts)
    if package[0] in ("core", "exchange", "replay"):
        package.insert(0, "perpsim")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            if base == "perpsim":  # from perpsim import core
                yield from (f"{base}.{name.name}" for name in node.names)


def cimported(path: Path) -> set[str]:
    """Modules of the core that a Cython file cimports or imports."""
    found = (first or second for first, second in CIMPORT.findall(path.read_text("utf-8")))
    return {name.removeprefix(".") for name in found if name.startswith(".")} - {path.stem}


@pytest.mark.parametrize("folder", ALLOWED)
def test_folders_import_only_what_is_below_them(folder):
    ours, others = ALLOWED[folder]
    files = python_files(folder)
    assert files
    for path in files:
        for name in imported(path):
            if name == "perpsim":
                continue  # a namespace: what is taken from it has its own line
            below = any(f"{name}.".startswith(f"{each}.") for each in ours)
            assert below or name.split(".")[0] in others | STANDARD, f"{path.relative_to(ROOT)} imports {name}"


def test_the_core_cimports_only_upwards_in_the_list():
    files = [path for path in sorted((ROOT / "core").iterdir()) if path.suffix in (".pyx", ".pxd")]
    unknown = {path.stem for path in files} - RANK.keys()
    assert not unknown, f"give {unknown} a row in LAYERS"
    for path in files:
        for name in cimported(path):
            allowed = RANK[name] < RANK[path.stem] or (path.stem, name) in TOGETHER
            assert allowed, f"core/{path.name} cimports {name}"


def test_the_core_imports_nothing_of_the_world():
    for path in (ROOT / "core").glob("*.p[yx]*"):
        if path.suffix == ".pyi":
            continue
        for first, second in CIMPORT.findall(path.read_text("utf-8")):
            top = (first or second).split(".")[0]
            assert top in OUTSIDE_CORE, f"core/{path.name} imports {top}"


def test_nobody_imports_the_test_wrappers():
    for folder in ("core", "exchange", "replay", "bench", "examples"):
        for path in python_files(folder):
            assert "perpsim.core.testing" not in imported(path), path


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules that a statement loads in a fresh interpreter."""
    program = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "tests")
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_core_needs_numpy_alone():
    others = {"google_crc32c", "msgpack", "msgspec", "orjson", "pyarrow", "rich", "typer", "pandas", "sortedcontainers"}
    assert not loaded_by("import perpsim.core") & others


def test_the_command_line_starts_light():
    """What takes long to import is imported by the commands that need it."""
    assert not loaded_by("import perpsim.replay.cli") & {"numpy", "pyarrow", "msgspec", "pandas"}


def test_every_package_is_installed():
    """An editable install finds folders that a plain one lacks."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = [file.parent for top in ("core", "exchange", "replay") for file in (ROOT / top).rglob("__init__.py")]
    assert sorted(packages) == sorted("perpsim." + ".".join(each.relative_to(ROOT).parts) for each in folders)
