"""The documents say what is: every number of the border, every file, every command line, and the example's output."""

import dataclasses
import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import typer
from differential import apply_all, as_array, new_core
from model import Twin
from perpsim.core import COMMAND, EVENT, EventKind, Flag, Kind, Reject
from perpsim.replay.cli import app
from stream_settings import SETTINGS
from streams import Stream

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md", "ARCHITECTURE.md", "HACKING.md", "CHANGELOG.md", "bench/README.md", "docs/VENUES.md",
    "docs/LATENCY.md", "docs/QUEUE.md", "docs/REALISM.md", "docs/THIN_TAPES.md",
)  # fmt: skip
FOREIGN = re.compile(r"/(?:tmp|home|root|work|opt)/|\bissue #?\d|\bsession\b", re.IGNORECASE)
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def section(title: str) -> str:
    """Text below a heading of ARCHITECTURE.md, up to the next one."""
    return ARCHITECTURE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str, first: str) -> dict[str, list[str]]:
    """Rows of the table of a section whose head starts with `first`: name in the first cell -> the other cells."""
    table = section(title).split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:] if line]
    return {name: rest for first_cell, *rest in cells for name in re.findall(r"`(\w+)`", first_cell)}


def fields_in(text: str) -> set[str]:
    """Field names between backticks, alone or in lists."""
    return {name.strip() for group in re.findall(r"`([a-z_ ,]+)`", text) for name in group.split(",")}


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def command_lines() -> list[tuple[str, str]]:
    """(document, line) of every shell line, and of the indented ones of bench/README.md, comments taken off."""
    found = []
    for document in DOCUMENTS:
        lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
        if document == "bench/README.md":
            lines += re.findall(r"^    (python .*)$", (ROOT / document).read_text("utf-8"), re.MULTILINE)
        found += [(document, line.partition("#")[0].strip()) for line in lines]
    return [pair for pair in found if pair[1]]


def mentions() -> list[tuple[str, str]]:
    """(document, command) wherever one is named within a sentence or a table."""
    found = []
    for document in DOCUMENTS:
        text = re.sub(r"^```.*?^```$", "", (ROOT / document).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        found += [(document, line) for line in re.findall(r"`((?:make|perpsim|python -m) [^`]*)`", text)]
    return list(dict.fromkeys(found))


# ARCHITECTURE.md


def test_every_command_has_its_row():
    table = rows("Commands", "kind")
    assert list(table) == [kind.name for kind in Kind]
    for name, (text,) in table.items():
        assert fields_in(text) <= {*COMMAND.names}, f"{name} names {fields_in(text) - {*COMMAND.names}}"


def test_every_flag_has_its_row():
    assert list(dict.fromkeys(rows("Commands", "flag"))) and {*rows("Commands", "flag")} == {flag.name for flag in Flag}


def event_fields() -> dict[str, set[str]]:
    """Kind of event -> the fields that its row names."""
    return {name: fields_in(text) for name, (text,) in rows("Events", "kind").items()}


def test_every_event_has_its_row():
    table = event_fields()
    assert list(table) == [kind.name for kind in EventKind]
    for name, named in table.items():
        assert named <= {*EVENT.names}, f"{name} names {named - {*EVENT.names}}"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_events_fill_only_the_fields_that_their_rows_name(setting):
    """In a stream of random commands, whatever is not named is 0, or -1 for an account."""
    twin, commands = Twin(setting.venue, setting.markets, setting.accounts, setting.assets), []
    stream = Stream(1, setting, twin)
    while len(commands) < 900:
        for command in stream.next():
            commands.append(dataclasses.replace(command))
            twin.apply(command)
    events = apply_all(new_core(setting), as_array(commands))
    named = event_fields()
    for kind in map(EventKind, np.unique(events["kind"])):
        mine = events[events["kind"] == kind]
        for field in {*EVENT.names} - named[kind.name] - {"sequence", "time_ns", "kind", "venue"}:
            default = -1 if field in ("account", "maker_account") else 0
            assert (mine[field] == default).all(), f"{kind.name} fills {field}, which its row does not name"


def test_every_reason_has_its_row():
    table = rows("Reject codes", "code")
    assert {name: int(number) for name, (number, _) in table.items()} == {code.name: code.value for code in Reject}
    assert all(text for _, text in table.values())


@pytest.mark.parametrize("folder", ["core", "exchange", "replay"])
def test_every_file_is_on_the_map(folder):
    named = set()
    for first, more in re.findall(r"^\| `([\w/.]+)`((?: `[\w/.]+`)*) \|", section("Modules"), re.MULTILINE):
        named.add(first)
        for other in re.findall(r"`([\w/.]+)`", more):
            named.add(other if "/" in other else str(Path(first).with_suffix(other)))
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".pyx", ".pxd")]
    existing = {path.relative_to(ROOT).as_posix() for path in files if path.stat().st_size}
    existing -= {"core/__init__.py", "exchange/__init__.py"}  # they only gather names
    assert existing == {name for name in named if name.startswith(f"{folder}/")}


# All documents


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text("utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (ROOT / document).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_speak_of_the_project_alone(document):
    assert not FOREIGN.search((ROOT / document).read_text("utf-8"))


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert {word for word in words if "=" not in word} <= targets


def check_perpsim(words: list[str], whole: bool = True) -> None:
    """Parse, but do not run; of a mere mention, the command's name."""
    name, *arguments = words
    command = typer.main.get_command(app).commands[name]
    if whole:
        command.make_context(name, arguments)


def check_python(words: list[str]) -> None:
    if words[0] == "-m":
        module = words[1].replace(".", "/")
        known = words[1] == "pytest" or (ROOT / f"{module}.py").exists() or (ROOT / module / "__main__.py").exists()
        assert known, f"no module {words[1]}"
        for word in words[2:]:
            assert not word.startswith("tests/") or (ROOT / word).exists()


CHECKS = {"make": check_make, "perpsim": check_perpsim, "python": check_python}
TAKEN_AS_THEY_ARE = {"sudo", ".", "pip", ".ci/run", "./my_book"}


@pytest.mark.parametrize(("document", "line"), command_lines())
def test_command_lines_can_be_parsed(document, line):
    for part in line.split("&&"):
        words = shlex.split(part)
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words[0] not in TAKEN_AS_THEY_ARE:
            CHECKS[words[0]](words[1:])
        for word in words:
            if word.startswith(("examples/", "replay/", "core/")):
                assert (ROOT / word).exists(), f"{document} names {word}"


@pytest.mark.parametrize(("document", "line"), mentions())
def test_commands_that_are_mentioned_exist(document, line):
    first, *words = line.split()
    if first == "perpsim":
        check_perpsim(words, whole=False)
    else:
        CHECKS[first](words)


def test_the_example_prints_what_it_says(monkeypatch):
    (program,), (printed,) = blocks("README.md", "python"), blocks("README.md", "text")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    found = io.StringIO()
    with redirect_stdout(found):
        exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert found.getvalue() == printed


def test_figures_have_a_row_in_the_results():
    results = (ROOT / "bench" / "RESULTS.md").read_text("utf-8").splitlines()
    section_of_figures = (ROOT / "README.md").read_text("utf-8").split("\n## Performance\n")[1].split("\n## ")[0]
    figures = re.findall(r"^\| [^|]+ \| `(python [^`]+)` \| (.+) \|$", section_of_figures, re.MULTILINE)
    assert figures
    for command, cells in figures:
        for figure in re.findall(r"`([^`]+)`", cells):
            whole = re.compile(rf"\b{re.escape(figure)}(?![\d.])")
            assert any(f"`{command}" in row and whole.search(row) for row in results), f"{command}: {figure}"


def test_the_changelog_has_fixed_headings():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for release in text.split("\n## ")[1:]:
        assert re.findall(r"^### (.*)$", release, re.MULTILINE) == ["Added", "Changed", "Fixed"]
