"""The documentation is whole: nothing is missing from the reference, no link leads nowhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_reference", ROOT / "tools" / "gen_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_every_command_has_a_heading_and_says_what_it_does(reference: ModuleType) -> None:
    listed = headings(reference.cli())
    names = [name for name, _, _ in reference.commands()]
    assert {"lineal run", "lineal trace", "lineal diff", "lineal register"} <= set(names)
    assert names == listed
    assert [name for name, command, _ in reference.commands() if not (command.help or "").strip()] == []


def test_every_option_says_what_it_does(reference: ModuleType) -> None:
    silent = [
        f"{name} {parameter.opts[-1]}"
        for name, command, _ in reference.commands()
        for parameter in command.params
        if parameter.param_type_name == "option" and not (getattr(parameter, "help", "") or "").strip()
    ]
    assert silent == []


def test_every_operation_has_a_heading_and_every_type_it_speaks_of(reference: ModuleType) -> None:
    from lineal.service.operations import table

    text = reference.operations()
    assert set(table()) <= set(headings(text))
    linked = set(re.findall(r"\]\(#(\w+)\)", text))
    assert linked <= {heading.lower() for heading in headings(text)}


def test_every_event_has_a_heading(reference: ModuleType) -> None:
    text = reference.events()
    linked = set(re.findall(r"\]\(#(\w+)\)", text))
    assert linked
    assert linked <= {heading.lower() for heading in headings(text)}


def test_every_error_code_has_a_heading(reference: ModuleType) -> None:
    assert set(headings(reference.errors())) == {kind.code for kind in reference.error_types()}
    assert {"not_found", "conflict", "invalid", "unavailable"} <= set(headings(reference.errors()))


def source() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "src" / "lineal").rglob("*.py")))


def test_every_setting_is_documented() -> None:
    page = (DOCS / "reference" / "settings.md").read_text()
    read = set(re.findall(r"[\"'](LINEAL_[A-Z]+)[\"']", source()))
    assert read
    assert {name for name in read if f"`{name}`" not in page} == set()


def test_every_facet_has_a_heading() -> None:
    made = set(re.findall(r"[\"'](lineal\.[a-z]+/\d+)[\"']", source()))
    assert made
    assert made <= set(headings((DOCS / "reference" / "facets.md").read_text()))


@pytest.mark.parametrize("layer", ["runtime", "dev", "build", "installer"])
def test_every_dependency_has_its_line(layer: str) -> None:
    page = (DOCS / "why" / "dependencies.md").read_text()
    listed = (ROOT / "requirements" / f"{layer}.in").read_text().splitlines()
    names = [re.split(r"[\[>=<\s]", line)[0] for line in listed if line and line[0] not in "#-"]
    assert [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page)] == []


def written() -> list[Path]:
    return [path for path in sorted(DOCS.rglob("*.md")) if "generated" not in path.parts]


@pytest.mark.parametrize("page", [*written(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=str)
def test_no_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
        if "generated/" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "mkdocs.yml").read_text()
    missing = [str(page.relative_to(DOCS)) for page in written() if str(page.relative_to(DOCS)) not in config]
    assert missing == [], "add them to `nav` in mkdocs.yml"
    for named in re.findall(r"[\w/-]+\.md", config):
        assert (
            "generated/" in named
            or (DOCS / named).exists()
            or not named.startswith(("guide", "tutorial", "reference", "why"))
        )
