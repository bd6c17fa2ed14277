"""Another package adds a framework by an entry point; the example of the documentation is one that works."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.capture.recorded import Told, one, run, script

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "frameworks.md"
ACME = """
class Net:
    features = ("age", "income")
    def on_round(self, number, loss): pass
    def save(self, path):
        with open(path, "w") as file: file.write("a net of acme's, longer than nothing")
def train(net, rate=0.1, rounds=2):
    for number in range(rounds): net.on_round(number, loss=1 / (number + 1))
    return net
"""
TRAINS = "import acme; acme.train(acme.Net(), rate=0.5, rounds=3).save('net.acme')"


@pytest.fixture
def packages(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with the library and the page's hook for it."""
    text = PAGE.read_text()
    code = re.search(r"```python\n# lineal_acme\.py\n(.*?)```", text, re.DOTALL)
    points = re.search(
        r"```toml\n# pyproject\.toml\n\[project\.entry-points\.\"(.*?)\"\]\n(.*?)```", text, re.DOTALL
    )
    assert code is not None
    assert points is not None
    folder = project / "site-packages"
    install(folder, "lineal_acme", f"[{points[1]}]\n{points[2].replace(chr(34), '')}")
    (folder / "lineal_acme.py").write_text(code[1])
    (folder / "acme.py").write_text(ACME)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def install(folder: Path, name: str, entry_points: str) -> None:
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "entry_points.txt").write_text(entry_points)


def test_the_example_of_the_page_is_short_and_records(project: Path, packages: Path) -> None:
    assert len((packages / "lineal_acme.py").read_text().strip().splitlines()) <= 35
    told = script(project, TRAINS)
    assert told.params == {"acme.rate": 0.5, "acme.rounds": 3}
    assert told.sources == {"acme"}
    assert told.metrics == {"loss": [(0, 1.0), (1, 0.5), (2, 1 / 3)]}
    assert told.models["net.acme"]["class"] == "acme.Net"
    assert told.models["net.acme"]["inputs"] == [["age", "float64"], ["income", "float64"]]


def test_what_is_installed_is_looked_for_once_and_again_when_it_changed(
    project: Path, packages: Path
) -> None:
    kept = project / ".lineal" / "frameworks"
    script(project, "print(1)")
    first = kept.read_text()
    assert f"{packages} " in first
    assert "\tacme\tlineal_acme:hook\n" in first
    script(project, "print(1)")
    assert kept.read_text() == first
    install(packages, "other", "[lineal.frameworks]\njson = nothing_there:hook\n")
    told = script(project, TRAINS)
    assert told.params == {"acme.rate": 0.5, "acme.rounds": 3}
    assert "\tjson\tnothing_there:hook\n" in kept.read_text()


@pytest.mark.parametrize(
    "hook",
    [
        "raise RuntimeError",
        "import nothing_of_that_name",
        "def hook(): pass",
        "hook = 5",
        "def hook(*a): a[1].none()",
    ],
)
def test_a_hook_that_fails_leaves_the_program_alone(project: Path, packages: Path, hook: str) -> None:
    (packages / "lineal_acme.py").write_text(hook)
    told = script(project, TRAINS)
    assert told.params == {}
    assert one(project, "end")["exit_code"] == 0


def test_a_damaged_list_of_what_is_installed_is_no_harm(project: Path, packages: Path) -> None:
    script(project, "print(1)")
    kept = project / ".lineal" / "frameworks"
    kept.write_bytes(b"\xff\t\n\tx\n" + os.urandom(100) + b"\n")
    assert Told(project, "").params == {}
    assert script(project, TRAINS).params == {"acme.rate": 0.5, "acme.rounds": 3}
    kept.unlink()
    kept.mkdir()
    done = run("python3", "-c", "print(2)", cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
