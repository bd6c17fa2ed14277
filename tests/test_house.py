"""The rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.service import operations
from lineal.service.client import module_of

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "lineal"
BIN = Path(sys.executable).parent
CLIENT_SIDE = ["capture", "journal", "resolve"]

PURE = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "hashlib", "heapq", "hmac", "itertools", "json",
    "math", "numbers", "operator", "re", "statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata",
    "uuid", "zlib", "msgspec", "lineal",
}  # fmt: skip


def committed() -> list[Path]:
    """Every file under version control (or all sources, in an unpacked source distribution)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    rooms = ["src", "tests", "tools", "docs", "examples", "requirements", "bench"]
    return [
        p for room in rooms for p in (ROOT / room).rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ]


def texts() -> Iterator[tuple[Path, str]]:
    for path in committed():
        if path == Path(__file__).resolve():
            continue
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:
            continue


def offences(pattern: str, *, under: str = "", besides: str = "-", flags: int = 0) -> list[str]:
    """`path:line: text` of each match in files whose path starts with `under` and not with `besides`."""
    rule = re.compile(pattern, flags)
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts()
        if str(path).startswith(under) and not str(path).startswith(besides)
        for number, line in enumerate(text.splitlines(), 1)
        if rule.search(line)
    ]


def modules(room: str) -> list[Path]:
    return sorted((SRC / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.partition(".")[0] for name in names}


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and length of each function in lines, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            words = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - words


# --- direction of imports --------------------------------------------------------------------------------------------


def test_imports_point_one_way_only() -> None:
    done = subprocess.run([BIN / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", modules("core"), ids=lambda path: path.name)
def test_the_core_imports_only_what_is_pure(path: Path) -> None:
    assert imported(path) <= PURE


def test_importing_the_client_side_loads_nothing_third_party() -> None:
    names = [
        ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")
        for room in [*CLIENT_SIDE, "sdk"]
        for path in modules(room)
        if "site" not in path.relative_to(SRC).parts
    ]
    script = (
        "import sys, json, importlib\n"
        "before = set(sys.modules)\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "rooms = sorted(n for n in sys.modules if n.count('.') == 1 and n.startswith('lineal.'))\n"
        "print(json.dumps([sorted(new - set(sys.stdlib_module_names)), rooms]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(["lineal", *names])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    foreign, rooms = json.loads(done.stdout)
    assert foreign == ["lineal"]
    assert {room.partition(".")[2] for room in rooms} <= {*CLIENT_SIDE, "sdk"}


@pytest.mark.parametrize("room", CLIENT_SIDE)
def test_what_runs_in_a_foreign_interpreter_imports_relatively(room: str) -> None:
    for path in modules(room):
        assert "lineal" not in imported(path), (
            f"{path}: the package has another name there; use `from . import`"
        )
        # What stands in site/ is found by any Python at all, version 2 included, and says there that it is too old.
        if path.read_text().strip() and "site" not in path.relative_to(SRC).parts:
            assert "from __future__ import annotations" in path.read_text(), path


# --- the public API --------------------------------------------------------------------------------------------------


def test_the_public_names_are_those_in_all() -> None:
    script = (
        "import json, lineal, types\n"
        "offered = {n for n in dir(lineal) if not n.startswith('_')}\n"
        "offered -= {n for n in offered if isinstance(getattr(lineal, n), types.ModuleType)}\n"
        "print(json.dumps([sorted(offered), sorted(lineal.__all__)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    offered, promised = json.loads(done.stdout)
    assert offered == [name for name in promised if not name.startswith("_")]


def test_every_public_name_is_documented() -> None:
    import lineal

    for name in lineal.__all__:
        if not name.startswith("_"):
            assert getattr(lineal, name).__doc__, name


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_file_is_split_before_it_has_800_lines() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in modules("")}
    assert {path: lines for path, lines in long.items() if lines >= 800} == {}


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in modules("")
        for name, lines in functions(ast.parse(path.read_text()))
        if lines > 60
    ]
    assert long == []


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "helpers", "common", "misc", "helper", "util"}
    assert [str(p.relative_to(ROOT)) for p in modules("") if p.stem in drawers] == []
    assert offences(r"^class \w*(Manager|Helper|Utils?)\b", under="src/") == []


# --- words -----------------------------------------------------------------------------------------------------------


def test_nothing_is_left_for_later_in_the_text() -> None:
    assert offences(r"\b(TODO|FIXME|XXX|HACK)\b") == []


def test_no_path_of_a_particular_machine_is_committed() -> None:
    assert (
        offences(r"(?<![\w.])/(?:(work|root)/\w|opt/(?!homebrew))|/home/(?!me\b|you\b|user\b|ana\b)\w+/")
        == []
    )


def test_no_registry_is_named() -> None:
    hosts = r"--(extra-)?index-url[ =]|--find-links|pypi\.org|pythonhosted|registry\.npmjs"
    # The tests of redaction hold such addresses as something to leave alone.
    assert offences(hosts, besides="tests/") == []


def test_the_example_knows_nothing_of_lineal() -> None:
    # How to record an example stands beside its programs, for people.
    assert (
        offences(
            r"lineal|provenance", under="examples/", besides="examples/trips/README.md", flags=re.IGNORECASE
        )
        == []
    )


# --- what is installed -----------------------------------------------------------------------------------------------


def test_the_runtime_lock_is_made_from_the_dependencies_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    of_servers = ("postgres", "server", "pachyderm", "kubeflow")
    declared = {*project["dependencies"], *(name for extra in of_servers for name in extras[extra])}
    listed = (ROOT / "requirements" / "runtime.in").read_text().splitlines()
    assert {line for line in listed if line and not line.startswith("#")} == declared


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_locked_requirement_is_pinned_and_has_hashes(path: Path) -> None:
    for block in re.split(r"\n(?=\S)", path.read_text()):
        if block and not block.startswith("#"):
            assert re.match(r"[\w.\[\]-]+==\S+", block), block.splitlines()[0]
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_no_lock_brings_torch_or_a_graphics_cards_libraries() -> None:
    names = {
        line.partition("==")[0].lower()
        for path in (ROOT / "requirements").glob("*.txt")
        for line in path.read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert not {name for name in names if name == "torch" or name.startswith("nvidia")}


def test_the_build_calls_make_test_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith(("#", "set", "cd"))] == ["exec make test"]


def test_make_alone_lists_every_target() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in ["setup", "demo", "test", "check", "bench", "soak", "docs", "clean"]:
        assert f"make {target} " in said


def test_every_operation_is_found_in_the_module_that_the_clients_load() -> None:
    for name, row in operations.table().items():
        assert row.function.__module__ == f"lineal.service.{module_of(name)}", name
