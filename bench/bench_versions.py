"""Resolving which version of its store a path is: the first time, and when it was seen before, for each kind that lies on the disk.

Medians of single calls, as the delivering process makes them. Beside them, where `.venv-tables` is there, what Delta Lake's own
library takes to say the version of the same table.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure, report
from lineal.resolve.versions import Resolver

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / ".venv-tables" / "bin" / "python"
COMMITS, FILES, ROUNDS = 500, 2_000, 200
PEER = """
import sys, time, statistics, deltalake
spent = []
for _ in range(20):
    begun = time.perf_counter(); deltalake.DeltaTable(sys.argv[1]).version(); spent.append(time.perf_counter() - begun)
print(statistics.median(spent) * 1e3)
"""


def _delta(folder: Path) -> Path:
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    for version in range(COMMITS):
        part = {
            "path": f"part-{version}.parquet",
            "partitionValues": {},
            "size": 9,
            "modificationTime": 1,
            "dataChange": True,
        }
        actions: list[dict[str, object]] = [{"commitInfo": {"operation": "WRITE"}}, {"add": part}]
        if version == 0:
            schema = json.dumps(
                {
                    "type": "struct",
                    "fields": [{"name": "n", "type": "long", "nullable": True, "metadata": {}}],
                }
            )
            about = {"id": "0" * 36, "format": {"provider": "parquet", "options": {}}, "schemaString": schema}
            actions += [
                {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
                {"metaData": {**about, "partitionColumns": [], "configuration": {}}},
            ]
        (log / f"{version:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))
        (folder / part["path"]).write_bytes(b"PAR1")  # type: ignore[operator]
    return folder


def _iceberg(folder: Path) -> Path:
    (folder / "metadata").mkdir(parents=True)
    snapshots = [
        {"snapshot-id": n, "manifest-list": f"/nowhere/{n}.avro", "summary": {"operation": "append"}}
        for n in range(COMMITS)
    ]
    said = {
        "format-version": 2,
        "table-uuid": "1" * 36,
        "current-snapshot-id": COMMITS - 1,
        "current-schema-id": 0,
        "snapshots": snapshots,
    }
    (folder / "metadata" / f"{COMMITS:05}-a.metadata.json").write_text(json.dumps(said))
    return folder


def _git(folder: Path) -> Path:
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.csv").write_text(f"{number}\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder / "7.csv"


def _dvc(folder: Path) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    path = folder / "data.csv"
    path.write_bytes(b"a\n1\n" * 250_000)
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    (folder / "data.csv.dvc").write_text(
        f"outs:\n- md5: {md5}\n  size: {path.stat().st_size}\n  hash: md5\n  path: data.csv\n"
    )
    return path


def _hub(folder: Path) -> Path:
    home = folder / "hub" / "datasets--org--flights"
    (home / "blobs").mkdir(parents=True)
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    blob = home / "blobs" / hashlib.sha256(b"x").hexdigest()
    blob.write_bytes(b"x")
    (snapshot / "train.parquet").symlink_to(blob)
    return snapshot / "train.parquet"


def _times(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the first call, and the median of those after it."""
    spent = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begun) * 1e3)
    return spent[0], statistics.median(spent[1:])


def main() -> None:
    """Print the table."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        folder = Path(name)
        tables = {
            "Delta, 500 versions": _delta(folder / "delta"),
            "Iceberg, 500 snapshots": _iceberg(folder / "iceberg"),
        }
        files = {
            "git, 2,000 files": (_git(folder / "git"), ""),
            "DVC, 1 MB": (_dvc(folder / "dvc"), ""),
            "Hugging Face cache": (_hub(folder / "hf"), hashlib.sha256(b"x").hexdigest()),
        }
        time.sleep(0.1)
        for what, path in tables.items():
            resolver, inside = Resolver(), os.fsencode(path / "part-1.parquet")

            def table(resolver: Resolver = resolver, inside: bytes = inside) -> object:
                resolver.forget()
                root = resolver.roots.of(inside)
                assert root is not None
                found = resolver.table(root)
                assert found.state
                return found

            first, again = _times(table)
            figures += [Figure(f"{what}: first", first, "ms"), Figure(f"{what}: seen before", again, "ms", 1)]
        for what, asked in files.items():
            resolver = Resolver()
            listed = [(os.fsencode(asked[0]), asked[1])]

            def file(resolver: Resolver = resolver, listed: list[tuple[bytes, str]] = listed) -> object:
                resolver.forget()
                found = resolver.files(listed)
                assert found
                return found

            first, again = _times(file)
            figures += [Figure(f"{what}: first", first, "ms"), Figure(f"{what}: seen before", again, "ms", 1)]
        if TABLES.exists():
            done = subprocess.run(
                [TABLES, "-c", PEER, folder / "delta"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                figures.append(
                    Figure("the same Delta table's version by deltalake", float(done.stdout), "ms")
                )
            else:
                print(done.stderr, file=sys.stderr)
    report("data versions", figures)


if __name__ == "__main__":
    main()
