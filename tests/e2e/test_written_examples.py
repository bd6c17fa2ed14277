"""What the README and the documentation tell people to type works as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- (run|file: (?P<name>[\w./-]+)) -->\n```\w+\n(?P<body>.*?)```", re.DOTALL)


def pages() -> list[Path]:
    written = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in written if "generated" not in page.parts and BLOCK.search(page.read_text())]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work_in_order(page: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LINEAL_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for block in BLOCK.finditer(page.read_text()):
        if block["name"]:
            (tmp_path / block["name"]).write_text(block["body"])
            continue
        done = subprocess.run(
            ["sh", "-e"],
            input=block["body"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{block['body']}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
