"""Lineage of columns: told by OpenLineage's facet, or inferred where both hold the very same values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineal.core import events as ev
from lineal.core.errors import Invalid, NotFound
from tests.service.conftest import Desk, digest, run_id, started, used


def table(name: str, content: str, **facets: Any) -> ev.VersionState:
    raw = {
        key.replace("__", "/").replace("_", "."): msgspec.Raw(msgspec.json.encode(body))
        for key, body in facets.items()
    }
    return ev.VersionState(namespace="project", name=name, digest=digest(content), size=1000, facets=raw)


def told(*fields: tuple[str, str, str], how: str = "") -> dict[str, Any]:
    """columnLineage that says (column, artifact, its column)."""
    steps = [{"type": "DIRECT", "subtype": how}] if how else []
    lineage: dict[str, Any] = {}
    for column, name, field in fields:
        entry = lineage.setdefault(column, {"inputFields": []})
        entry["inputFields"].append(
            {"namespace": "project", "name": name, "field": field, "transformations": steps}
        )
    return {"fields": lineage, "dataset": []}


@pytest.fixture
def story(desk: Desk) -> Desk:
    """raw.amount -> clean.amount -> report.total, told; report.copy is a copy of clean.day by its values."""
    clean = table(
        "clean",
        "c",
        columnLineage=told(("amount", "raw", "amount"), ("day", "raw", "ts"), how="TRANSFORMATION"),
    )
    desk.ingest(
        started(1, "clean", 1),
        used(1, "raw", "r", 1),
        ev.VersionGenerated(run=run_id(1), version=clean, at=2),
    )
    report = table(
        "report", "p", columnLineage=told(("total", "clean", "amount"), ("label", "elsewhere", "name"))
    )
    desk.ingest(
        started(2, "report", 3),
        used(2, "clean", "c", 3),
        ev.VersionGenerated(run=run_id(2), version=report, at=4),
    )
    return desk


def pairs(reply: Any) -> set[tuple[str, str]]:
    names = {node.id: f"{node.ref}.{node.column}" for node in reply.nodes}
    return {(names[edge.src], names[edge.dst]) for edge in reply.edges}


def test_a_column_is_followed_to_its_source_and_to_where_it_went(story: Desk) -> None:
    up = story.call("columns", ref="report", column="total")
    assert pairs(up) == {("clean@1.amount", "report@1.total"), ("raw@1.amount", "clean@1.amount")}
    assert [edge.how for edge in up.edges if edge.how] == [["DIRECT TRANSFORMATION"]]
    assert {edge.evidence for edge in up.edges} == {"declared"}
    down = story.call("columns", ref="raw", column="amount", direction="down")
    assert pairs(down) == pairs(up)
    assert not down.cut
    assert story.call("columns", ref="report", column="total", depth=1).cut


def test_all_columns_of_a_version_are_followed_and_an_unknown_version_is_shown_as_such(story: Desk) -> None:
    reply = story.call("columns", ref="report")
    assert ("elsewhere.name", "report@1.label") in pairs(reply)
    assert [node.ref for node in reply.nodes if not node.known] == ["elsewhere"]
    assert len(reply.roots) == 2


def test_columns_with_the_very_same_values_are_linked_and_marked_inferred(desk: Desk) -> None:
    def schema(**digests: str) -> dict[str, Any]:
        return {
            "columns": [{"name": name, "type": "int64", "digest": value} for name, value in digests.items()]
        }

    a, b = ev.VersionState, ev.VersionState
    raw = a(namespace="project", name="raw", digest=digest("r"), size=1000,
            facets={"lineal.schema/1": msgspec.Raw(msgspec.json.encode(schema(id="x", ts="y")))})  # fmt: skip
    out = b(namespace="project", name="out", digest=digest("o"), size=1000,
            facets={"lineal.schema/1": msgspec.Raw(msgspec.json.encode(schema(key="x", made="z")))})  # fmt: skip
    desk.ingest(
        started(1, "j", 1),
        ev.VersionUsed(run=run_id(1), version=raw, at=1),
        ev.VersionGenerated(run=run_id(1), version=out, at=2),
    )
    for reply in (
        desk.call("columns", ref="out"),
        desk.call("columns", ref="raw", column="id", direction="down"),
    ):
        assert pairs(reply) == {("raw@1.id", "out@1.key")}
        assert [(edge.evidence, edge.rule) for edge in reply.edges] == [("inferred", "same-values")]


def test_facets_that_are_not_what_they_should_be_do_no_harm(desk: Desk) -> None:
    for number, body in enumerate(
        [{"fields": []}, {"fields": {"a": 1}}, {"fields": {"a": {"inputFields": [1, {"name": 2}]}}}, []], 1
    ):
        version = ev.VersionState(
            namespace="project", name=f"t{number}", digest=digest(str(number)), size=1000,
            facets={"columnLineage": msgspec.Raw(msgspec.json.encode(body))},
        )  # fmt: skip
        desk.ingest(started(number, "j", 1), ev.VersionGenerated(run=run_id(number), version=version, at=2))
        assert desk.call("columns", ref=f"t{number}", column="a").edges == []


def test_what_has_no_columns_is_refused(story: Desk) -> None:
    with pytest.raises(NotFound):
        story.call("columns", ref="raw")
    with pytest.raises(Invalid):
        story.call("columns", ref=f"run:{run_id(1)}")
