"""The example `examples/trips`: one connected graph from a version of a Delta table to a registered model, through several doors,
in whatever order they speak."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lineal.service.lineage import TraceReply, TraceRequest
from tests.connect import peers
from tests.deliver import tables
from tests.deliver.conftest import Workshop
from tests.server.serving import Serving

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "trips"
STEPS = (("load.py", "raw"), ("raw", "clean"), ("clean", "features.py"), ("features.parquet", "train.py"))


def told(folder: Path, *, event_last: bool) -> TraceReply:
    """The ancestry of the registered model after everything happened; the OpenLineage event comes in order, or last."""
    tables.need("deltalake")
    peers.need("mlflow")
    shutil.copytree(EXAMPLE, folder)
    (folder / ".lineal").mkdir()
    shop = Workshop(folder)
    shop.environment |= peers.SETTINGS
    server = Serving(folder).start()

    def unwatched(*words: str) -> None:
        subprocess.run([tables.PYTHON, "clean.py", *words], cwd=folder, check=True)

    try:
        shop.run(str(tables.PYTHON), "load.py", timeout=400)
        unwatched()
        if not event_last:
            unwatched("send", server.url)
        shop.run(str(tables.PYTHON), "features.py", timeout=400)
        shop.run(str(peers.PYTHON), "train.py", timeout=400)
        if event_last:
            unwatched("send", server.url)
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
@pytest.mark.timeout(900)
def test_from_the_registered_model_to_the_delta_version_is_one_graph_whoever_speaks_last(
    tmp_path: Path,
) -> None:
    first = told(tmp_path / "first", event_last=False)
    assert {node.label for node in first.nodes if node.type == "run"} == {
        "load.py",
        "clean",
        "features.py",
        "train.py",
    }
    versions = [(node.label, node.digest) for node in first.nodes if node.type == "version"]
    assert len(versions) == len(set(versions))
    assert [label.rpartition("/")[2] for label, _ in versions].count("clean") == 1
    assert all(edge.evidence and edge.message for edge in first.edges)  # each with its evidence and message
    edges = shape(first)
    for source, target in STEPS:
        assert any((src, dst) == (source, target) for src, _, dst, _ in edges), (source, target, edges)
    assert shape(told(tmp_path / "last", event_last=True)) == edges
