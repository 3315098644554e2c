"""Rules that a reader of the source can rely on: lengths, banned words, what never stands in the core."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("core", "exchange", "replay", "bench", "tests", "examples")
FUNCTION_LINES = 70
FILE_LINES = 600
LONGER_FILES = {}  # name: lines; may shrink, not grow
LINE_CHARACTERS = {".py": 120, ".pyi": 120, ".pyx": 130, ".pxd": 130, ".toml": 180, ".md": 120}
BANNED = re.compile(r"\b(TODO|FIXME|XXX|HACK|breakpoint|pdb|set_trace)\b")
# and bench: what is run to be read
PRINTING = {
    "replay/cli.py",
    "tests/fuzz.py",
    "tests/golden/__main__.py",
    "tests/identities.py", "tests/identity.py",
    "tests/lines.py",
    "tests/lobster.py",
    "tests/queue_truth.py",
    "tests/print_index_demo.py",
    "tests/thin_day.py",
    "tests/many_streams.py",
    "tests/mutants.py",
    "tests/nine_venues.py",
    "examples/collateral_oracle.py",
}
CLOCK_AND_CHANCE = {"datetime", "os", "random", "secrets", "socket", "threading", "time"}
CLOCK_LISTED = {
    ("exchange/rulebook_files.py", "datetime"),  # dates of rulebooks, given by the caller
    ("exchange/disk.py", "os"),  # the journal's files
}
DEFINITION = re.compile(r"^( *)(?:async )?(?:cpdef|cdef|def)\b[^=]*?(\w+)\(")
THIS_FILE = Path(__file__).resolve()


def sources(*suffixes: str) -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n")


def code_of(path: Path) -> Iterator[tuple[int, str]]:
    """(number, line) of a Cython file without comments, texts and the C that it quotes."""
    blank = re.sub(r'"""(.*?)"""', lambda text: "\n" * text.group().count("\n"), path.read_text("utf-8"), flags=re.S)
    for number, line in enumerate(blank.split("\n"), 1):
        line = re.sub(r'"[^"]*"|\'[^\']*\'', '""', line)
        yield number, line.partition("#")[0]


def functions_of(path: Path) -> Iterator[tuple[str, str, int, int]]:
    """(name, head, first line, last line) of every function of a Cython file, told by indentation."""
    name, head, indent, first, last = "", "", 0, 0, 0
    for number, line in [*code_of(path), (0, "end")]:
        if not line.strip():
            continue
        here = len(line) - len(line.lstrip())
        if name and here <= indent and not line.lstrip().startswith(")"):
            yield name, head, first, last
            name = ""
        found = DEFINITION.match(line)
        if found and not name:
            name, head, indent, first = found[2], line, len(found[1]), number
        elif name and head.count("(") > head.count(")"):
            head += line
        last = number


def test_lines_are_short():
    paths = [*sources(".py", ".pyi", ".pyx", ".pxd", ".toml"), *ROOT.glob("*.md"), *ROOT.glob("*.py")]
    for path in paths:
        for number, line in enumerate(lines_of(path), 1):
            if path.suffix == ".md" and line.startswith("|"):
                continue  # a row of a table cannot be broken
            limit = LINE_CHARACTERS[path.suffix]
            assert len(line) <= limit, f"{name_of(path)}:{number} has {len(line)} characters, {limit} are allowed"


def test_files_are_short():
    for path in sources(".py", ".pyx", ".pxd"):
        count, limit = len(lines_of(path)), LONGER_FILES.get(name_of(path), FILE_LINES)
        assert count <= limit, f"{name_of(path)} has {count} lines, {limit} are allowed; split it"
    assert not LONGER_FILES.keys() - {name_of(path) for path in sources(".pyx")}


def test_python_functions_are_short():
    for path in sources(".py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = node.end_lineno - node.lineno + 1
                assert count <= FUNCTION_LINES, f"{name_of(path)}: {node.name} has {count} lines; split it"


def test_cython_functions_are_short():
    seen = 0
    for path in sources(".pyx", ".pxd"):
        for name, _, first, last in functions_of(path):
            seen += 1
            assert last - first < FUNCTION_LINES, f"{name_of(path)}: {name} has {last - first + 1} lines; split it"
    assert seen > 200  # the functions are found at all


def test_nothing_is_left_lying_about():
    for path in sources(".py", ".pyi", ".pyx", ".pxd"):
        if path == THIS_FILE:
            continue
        for number, line in enumerate(lines_of(path), 1):
            assert not BANNED.search(line), f"{name_of(path)}:{number}: {line.strip()}"
            assert line == line.rstrip(), f"{name_of(path)}:{number} ends in blanks"


def test_only_what_is_run_to_be_read_prints():
    for path in sources(".py"):
        name = name_of(path)
        if name in PRINTING or name.startswith(("bench/", "examples/")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            printing = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            assert not printing, f"{name}:{node.lineno} prints"
    for path in sources(".pyx"):
        assert not any(re.search(r"\bprintf?\(", line) for _, line in code_of(path)), f"{name_of(path)} prints"


def test_the_core_has_no_floats():
    for path in sources(".pyx", ".pxd"):
        for number, line in code_of(path):
            assert not re.search(r"\b(double|float|sqrt|pow|exp)\b", line), f"{name_of(path)}:{number}: {line.strip()}"
            assert not re.search(r"\b\d+(\.\d+|e-?\d+)\b", line), f"{name_of(path)}:{number}: {line.strip()}"


def test_the_core_divides_by_name():
    """`//` means C's truncation under cdivision and Python's floor elsewhere, so no nogil code uses it."""
    for path in sources(".pyx", ".pxd"):
        code = dict(code_of(path))
        for name, head, first, last in functions_of(path):
            if "nogil" in head:
                for number in range(first, last + 1):
                    assert "//" not in code[number], f"{name_of(path)}:{number}: // in {name}"


def test_every_core_function_states_its_exception_rule():
    """Without one, Cython checks for an exception after every call, and takes the GIL to do it."""
    for path in sources(".pyx", ".pxd"):
        for name, head, first, _ in functions_of(path):
            if head.lstrip().startswith("cdef") and "nogil" in head:
                stated = "noexcept" in head or "except" in head
                assert stated, f"{name_of(path)}:{first}: {name} has neither except nor noexcept"


@pytest.mark.parametrize("folder", ["core", "exchange"])
def test_no_clock_and_no_chance_below_replay(folder):
    pattern = re.compile(r"^\s*(?:from|c?import)\s+(\w+)", re.MULTILINE)
    for path in sources(".py", ".pyx", ".pxd"):
        if name_of(path).startswith(f"{folder}/"):
            for module in pattern.findall(path.read_text("utf-8")):
                listed = (name_of(path), module) in CLOCK_LISTED
                assert listed or module not in CLOCK_AND_CHANCE, f"{name_of(path)} imports {module}"


def test_nothing_draws_from_a_global_generator():
    of_numpy = r"np\.random\.(?!Generator\b|Philox\b|default_rng\b)\w+|default_rng\(\)"
    of_python = r"(?<!\.)\brandom\.(?!Random\()\w+\("
    for path in sources(".py"):
        found = re.search(f"{of_numpy}|{of_python}", path.read_text("utf-8"))
        assert path == THIS_FILE or not found, f"{name_of(path)}: {found.group()}"
