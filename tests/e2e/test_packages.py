"""What is given to others holds the built page, and the page stays small."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from lineal.ui import STATIC

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024

pytestmark = pytest.mark.skipif(
    not (STATIC / "index.html").exists(), reason="the page is not built (make ui, which needs Node 20)"
)


def parts() -> set[str]:
    """Every file of the built page."""
    return {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}


def made(kind: str, source: Path, target: Path) -> Path:
    """A distribution of a source tree, made where there is no Node."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    env = {**os.environ, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, cwd=source, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = target.glob("lineal-*.whl" if kind == "wheel" else "lineal-*.tar.gz")
    return found


def test_the_source_distribution_and_a_wheel_made_of_it_hold_the_built_page(tmp_path: Path) -> None:
    with tarfile.open(made("sdist", ROOT, tmp_path)) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        assert {f"src/lineal/ui/static/{part}" for part in parts()} <= set(names)
        assert not [name for name in names if "node_modules" in name or name.endswith(".map")]
        archive.extractall(tmp_path / "unpacked", filter="data")
    (tree,) = (tmp_path / "unpacked").iterdir()
    held = zipfile.ZipFile(made("wheel", tree, tmp_path)).namelist()
    assert {f"lineal/ui/static/{part}" for part in parts()} <= set(held)
    assert not [name for name in held if name.startswith("ui/")]


def test_a_first_visit_downloads_little_and_all_of_the_page_is_small() -> None:
    page = (STATIC / "index.html").read_text()
    first = {"index.html", *re.findall(r'(?:src|href)="\./(ui/[^"]+)"', page)}
    first |= {part for part in parts() if re.search(r"inter-latin-wght-normal.*woff2$", part)}
    assert len(first) > 3, "the page names its script, its style and its font"

    def sent(part: str) -> int:
        packed = STATIC / f"{part}.gz"
        return (packed if packed.exists() else STATIC / part).stat().st_size

    assert sum(map(sent, first)) <= 350 * KIB
    whole = [part for part in parts() if not part.endswith((".gz", ".br"))]
    assert sum((STATIC / part).stat().st_size for part in whole) <= 2048 * KIB
    assert not [part for part in whole if part.endswith(".map")]
