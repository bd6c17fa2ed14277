"""One connected graph from a version of a Delta table to a registered model, through four doors, in whatever order they speak.

Raw and cleaned tables lie in Delta Lake. What cleans them tells of it in OpenLineage events, as Spark's integration does; what makes
features and trains is recorded by `lineal run`; the model is logged and registered with MLflow's own client.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lineal.service.lineage import TraceReply, TraceRequest
from tests.connect import peers
from tests.deliver import tables
from tests.deliver.conftest import Workshop
from tests.server.serving import Serving

RAW = """
import deltalake, pandas
deltalake.write_deltalake("raw", pandas.DataFrame({"x": [1.0, 2.0, 3.0, None], "y": [0, 1, 0, 1]}))
deltalake.write_deltalake("raw", pandas.DataFrame({"x": [4.0, 5.0], "y": [1, 0]}), mode="append")
"""
CLEAN = """
import deltalake
rows = deltalake.DeltaTable("raw").to_pandas().dropna()
deltalake.write_deltalake("clean", rows)
"""
FEATURES = """
import deltalake
rows = deltalake.DeltaTable("clean").to_pandas()
rows.assign(squared=rows.x**2).to_parquet("features.parquet")
"""
TRAIN = """
import mlflow, pandas
from sklearn.linear_model import LogisticRegression
rows = pandas.read_parquet("features.parquet")
with mlflow.start_run():
    model = LogisticRegression().fit(rows[["x", "squared"]], rows.y)
    mlflow.log_metric("score", model.score(rows[["x", "squared"]], rows.y))
    mlflow.sklearn.log_model(model, name="model", registered_model_name="trips", pip_requirements=["scikit-learn"])
"""


def event(root: Path, at: str) -> dict[str, Any]:
    """What Spark's integration says of a job that read one version of a table and wrote one of another."""

    def table(name: str, version: str) -> dict[str, Any]:
        facet = {"_producer": "spark", "_schemaURL": "s", "datasetVersion": version}
        return {"namespace": "file", "name": str(root / name), "facets": {"version": facet}}

    return {
        "eventTime": at,
        "eventType": "COMPLETE",
        "producer": "spark",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
        "run": {"runId": "01890b1e-0000-7000-8000-000000000001"},
        "job": {"namespace": "spark", "name": "clean"},
        "inputs": [table("raw", "1")],
        "outputs": [table("clean", "0")],
    }


def told(folder: Path, *, event_last: bool) -> TraceReply:
    """The ancestry of the registered model after everything happened; what OpenLineage says comes in order, or last."""
    tables.need("deltalake")
    peers.need("mlflow")
    folder.mkdir()
    (folder / ".lineal").mkdir()
    shop = Workshop(folder)
    shop.environment |= peers.SETTINGS
    for name, text in (("raw.py", RAW), ("features.py", FEATURES), ("train.py", TRAIN)):
        shop.script(name, text)
    server = Serving(folder).start()
    try:
        shop.run(str(tables.PYTHON), "raw.py")
        subprocess.run([tables.PYTHON, "-c", CLEAN], cwd=folder, check=True)
        said = event(folder, datetime.now(UTC).isoformat())
        if not event_last:
            assert server.post("/api/v1/lineage", said).status == 201
        shop.run(str(tables.PYTHON), "features.py")
        shop.run(str(peers.PYTHON), "train.py")
        if event_last:
            assert server.post("/api/v1/lineage", said).status == 201
    finally:
        server.close()
    reply = shop.call("trace", TraceRequest(ref="trips@1"))
    assert isinstance(reply, TraceReply)
    return reply


def shape(reply: TraceReply) -> set[tuple[str, str, str, str]]:
    """Edges by what they connect, and how they are known."""
    named = {node.id: node.label.rpartition("/")[2] for node in reply.nodes}
    return {(named[edge.src], edge.kind, named[edge.dst], edge.evidence) for edge in reply.edges}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_the_registered_model_to_the_delta_version_is_one_graph_whoever_speaks_last(
    tmp_path: Path,
) -> None:
    first = told(tmp_path / "first", event_last=False)
    jobs = {node.label for node in first.nodes if node.type == "run"}
    assert jobs == {"raw.py", "clean", "features.py", "train.py"}
    versions = [(node.label, node.digest) for node in first.nodes if node.type == "version"]
    assert len(versions) == len(set(versions))
    assert [label.rpartition("/")[2] for label, _ in versions].count("clean") == 1
    assert all(edge.evidence and edge.message for edge in first.edges)
    assert {edge.evidence for edge in first.edges} >= {"observed", "declared"}
    edges = shape(first)
    for source, target in (
        ("raw.py", "raw"),
        ("raw", "clean"),
        ("clean", "features.py"),
        ("features.parquet", "train.py"),
    ):
        assert any((a, b) == (source, target) for a, _, b, _ in edges), (source, target, edges)
    last = told(tmp_path / "last", event_last=True)
    assert shape(last) == edges
