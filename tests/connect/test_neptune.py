"""Importing what Neptune's exporter wrote: on files made by its own writer, and on files made here in the same layout."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineal.store.open import open_store
from tests.connect.test_others import counts
from tests.e2e.cli import document, lineal, told
from tests.server.serving import begun

WRITTEN = Path(__file__).parent / "neptune"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return begun(folder)


def points(project: Path, run_id: str, key: str) -> list[tuple[int, int, float]]:
    store = open_store(str(project / ".lineal" / "lineal.db"))
    try:
        with store.read() as tx:
            node = store.runs.find_run(tx, run_id)
            assert node is not None
            step, at, value = store.metrics.get_points(tx, node, key)
            return list(zip(step.tolist(), at.tolist(), value.tolist(), strict=True))
    finally:
        store.close()


def test_runs_of_neptune_come_with_every_number(project: Path) -> None:
    reply = document(project, "import", "neptune", str(WRITTEN), "--step-multiplier", "2")
    found = counts(reply)
    assert found.pop("texts") == (2, 0, 2)
    assert found.pop("models") == (1, 0, 1)
    assert all(there == here for there, here, _ in found.values()), found
    assert (found["experiments"], found["runs"], found["metric points"]) == ((2, 2, 0), (4, 4, 0), (9, 9, 0))
    runs = {(run["name"], *run["groups"]): run for run in document(project, "runs", "--limit", "10")}
    first = runs["first", "team/churn"]
    assert first["params"] == {
        "config/lr": "0.1",
        "config/epochs": "9007199254740993",
        "config/name": "a b",
        "config/shuffle": "true",
        "config/data/made": "2025-01-02T03:04:05+00:00",
        "config/layers": '["b","a"]',
    }
    assert first["tags"]["neptune.run"] == "first/try"
    assert first["tags"]["neptune.tag.a b"] == "true"
    assert first["tags"]["neptune.description"] == "the first one"
    begun_at = 1762162215_250_000
    assert first["started_at"] == begun_at
    assert first["ended_at"] == begun_at + 12_500_000
    second = 1_000_000
    assert points(project, first["run_id"], "metrics/loss") == [
        (0, begun_at, 1.0),
        (2, begun_at + second, 0.1 + 0.2),
        (4, begun_at + 2 * second, 1e-300),
    ]
    odd = [value for _, _, value in points(project, first["run_id"], "metrics/odd")]
    assert repr(odd) == repr([math.nan, math.inf, -math.inf])
    assert runs["second", "team/churn"]["state"] == "failed"
    assert runs["only", "team/fraud"]["state"] == "finished"


def test_a_step_that_would_not_be_whole_is_left_and_named_not_rounded(project: Path) -> None:
    done = lineal(project, "import", "neptune", str(WRITTEN / "data"))
    assert done.returncode == 1
    assert "second: metrics/loss: 2 of its steps are no whole numbers" in " ".join(done.stdout.split())
    again = json.loads(lineal(project, "import", "neptune", str(WRITTEN / "data"), "--json").stdout)
    assert counts(again)["metric points"] == (9, 7, 2)


def test_a_second_import_reads_no_points_and_adds_nothing(project: Path) -> None:
    arguments = ("import", "neptune", str(WRITTEN), "--step-multiplier", "2")
    first, again = document(project, *arguments), document(project, *arguments)
    assert (first["known"], again["known"]) == (0, 4)
    assert counts(first) == counts(again)


SCHEMA = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
    ]
)


def wrote(path: Path, run: str, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [{"project_id": "team/x", "run_id": run, **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), path)


def series(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "attribute_path": "loss",
            "attribute_type": "float_series",
            "step": Decimal(step),
            "timestamp": datetime.fromtimestamp(step, UTC),
            "float_value": step / 7,
        }
        for step in range(start, start + count)
    ]


def test_parts_of_one_run_are_one_run_and_an_unfinished_one_is_not_taken(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "team_x-1"
    wrote(folder / "a_part_1-9_part_0.parquet", "a_part_1", series(3))
    wrote(folder / "a_part_1-9_part_1.parquet", "a_part_1", series(70_000, 3))
    wrote(folder / "b-9_part_1.parquet", "b", series(3))
    reply = document(project, "import", "neptune", str(tmp_path / "out"))
    found = counts(reply)
    assert (found["runs"], found["metric points"]) == ((1, 1, 0), (70_003, 70_003, 0))


def test_a_damaged_file_is_named_and_the_others_are_taken(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "team_x-1"
    wrote(folder / "a-1_part_0.parquet", "a", series(3))
    whole = (folder / "a-1_part_0.parquet").read_bytes()
    (folder / "b-1_part_0.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "c-1_part_0.parquet").write_bytes(b"")
    pq.write_table(pa.table({"x": [1]}), folder / "d-1_part_0.parquet")
    wrote(folder / "e-1_part_0.parquet", "e", [])
    done = lineal(project, "import", "neptune", str(tmp_path / "out"))
    assert done.returncode == 1, done
    for name in "bcde":
        assert f"{name}-1_part_0.parquet" in done.stdout
    assert [run["name"] for run in document(project, "runs")] == ["a"]


def test_a_folder_with_nothing_of_the_kind_is_refused_in_words(project: Path) -> None:
    done = lineal(project, "import", "neptune", ".")
    assert (done.returncode, "are wanted" in done.stderr) == (2, True)


def test_an_import_may_be_the_first_that_is_recorded_in_a_folder(tmp_path: Path) -> None:
    done = lineal(tmp_path, "import", "neptune", str(WRITTEN), "--step-multiplier", "2")
    assert (done.returncode, told(done)) == (0, "")
    assert len(document(tmp_path, "runs")) == 3  # and one that was archived
