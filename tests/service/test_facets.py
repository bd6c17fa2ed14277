"""Schemas of facets: what breaks one is kept and flagged or refused, its fields are found, and a change may not break what fitted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineal.connect import items
from lineal.core import events as ev
from lineal.core.errors import Conflict, Invalid, NotFound
from tests.service.conftest import Desk, digest, made, run_id, started, used

CARD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "risk": {"type": "integer", "minimum": 0},
        "owner": {"type": "string"},
        "ok": {"type": "boolean"},
    },
    "required": ["risk"],
}


def define(desk: Desk, schema: Any, name: str = "card", **more: Any) -> Any:
    return desk.call("facet-define", name=name, schema=msgspec.Raw(msgspec.json.encode(schema)), **more)


def card(number: int, body: Any, name: str = "card") -> list[ev.Event]:
    raw = msgspec.Raw(msgspec.json.encode(body))
    return [started(number, "train.py", number), ev.FacetSet(run=run_id(number), name=name, body=raw, at=1)]


def found(desk: Desk, where: str) -> list[int]:
    return sorted(int(run.run_id, 16) for run in desk.call("runs", where=where).runs)


def test_the_fields_of_a_defined_facet_are_found_also_those_that_were_there_before(desk: Desk) -> None:
    desk.ingest(*card(1, {"risk": 3, "owner": "ada"}))
    assert found(desk, "facet.card.risk >= 3") == []
    defined = define(desk, CARD)
    assert (defined.version, defined.revision, defined.checked, defined.broken) == (1, 1, 1, 0)
    desk.ingest(*card(2, {"risk": 5, "owner": "bob", "ok": True}), *card(3, {"risk": 1}, "card/1"))
    assert found(desk, "facet.card.risk >= 3") == [1, 2]
    assert found(desk, "facet.card.risk < 3 or facet.card.owner =~ '^a'") == [1, 3]
    assert found(desk, "facet.card.ok = true") == [2]
    assert found(desk, "facet.card.owner is null") == [3]
    then = desk.at
    desk.ingest(*card(2, {"risk": 0}))
    assert found(desk, "facet.card.risk = 0 and facet.card.owner is null") == [2]
    assert found(desk, f"facet.card.risk >= 3 as of {then}") == [1, 2]


def test_facets_of_versions_are_found_too(desk: Desk) -> None:
    define(desk, CARD)
    version = ev.VersionState(
        namespace="project", name="m.pkl", kind="model", digest=digest("m"), size=1000,
        facets={"card": msgspec.Raw(b'{"risk": 4}')},
    )  # fmt: skip
    desk.ingest(started(1, "j", 1), ev.VersionGenerated(run=run_id(1), version=version, at=2))
    assert [v.ref for v in desk.call("versions", where="facet.card.risk > 3").versions] == ["m.pkl@1"]


def test_a_facet_that_breaks_its_schema_is_kept_and_flagged_until_it_is_right(desk: Desk) -> None:
    define(desk, CARD)
    desk.ingest(*card(1, {"risk": "high", "owner": 3}))
    (fault,) = desk.call("facet-faults").faults
    assert (fault.ref, fault.name, fault.refused) == (f"run:{run_id(1)}", "card", False)
    assert (
        fault.said == "risk: it is string, and integer is wanted; owner: it is integer, and string is wanted"
    )
    assert desk.call("show", ref=f"run:{run_id(1)}").facets["card"] == {"risk": "high", "owner": 3}
    desk.ingest(*card(1, {"risk": 2}))
    assert desk.call("facet-faults", ref=f"run:{run_id(1)}").faults == []


def test_where_the_workspace_says_so_a_broken_facet_is_refused_and_the_rest_is_kept(desk: Desk) -> None:
    define(desk, CARD, refuse=True)
    desk.ingest(*card(1, {"owner": "ada"}), *card(2, {"risk": 1}))
    assert desk.call("show", ref=f"run:{run_id(1)}").facets == {}
    assert found(desk, "facet.card.risk = 1") == [2]
    (fault,) = desk.call("facet-faults").faults
    assert (fault.said, fault.refused) == ("the facet: 'risk' is missing", True)
    assert fault.message > 0


def test_a_change_that_may_break_what_fitted_needs_a_new_version(desk: Desk) -> None:
    define(desk, CARD)
    wider = {**CARD, "properties": {**CARD["properties"], "note": {"type": "string"}}}
    assert define(desk, wider).revision == 2
    stricter = {**wider, "required": ["risk", "owner"]}
    with pytest.raises(Conflict, match="'owner' is required now"):
        define(desk, stricter)
    assert define(desk, stricter, new_version=True).version == 2
    desk.ingest(*card(1, {"risk": 1}, "card/1"), *card(2, {"risk": 1}, "card/2"), *card(3, {"risk": 1}))
    assert sorted((fault.ref, fault.name) for fault in desk.call("facet-faults").faults) == [
        (f"run:{run_id(2)}", "card/2"),
        (f"run:{run_id(3)}", "card"),
    ]
    assert [(f.name, f.version) for f in desk.call("facets").facets] == [("card", 1), ("card", 2)]


def test_schemas_of_openlineage_are_taken_as_they_are(desk: Desk) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://openlineage.io/spec/facets/1-0-1/DocumentationDatasetFacet.json",
        "$defs": {
            "DocumentationDatasetFacet": {
                "allOf": [
                    {"$ref": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetFacet"},
                    {
                        "type": "object",
                        "properties": {"description": {"type": "string"}},
                        "required": ["description"],
                    },
                ],
                "type": "object",
            }
        },
        "allOf": [{"$ref": "#/$defs/DocumentationDatasetFacet"}],
    }
    define(desk, schema, name="documentation")
    desk.ingest(
        *card(1, {"_producer": "p", "description": "orders"}, "inputs.db/orders.documentation"),
        *card(2, {}, "documentation"),
    )
    assert found(desk, "facet.documentation.description = 'orders'") == [1]
    assert [fault.ref for fault in desk.call("facet-faults").faults] == [f"run:{run_id(2)}"]


def test_any_value_of_a_list_is_found_and_not_any_more_when_it_is_gone(desk: Desk) -> None:
    define(desk, {"type": "object", "properties": {"risk": {"type": "array", "items": {"type": "integer"}}}})
    desk.ingest(
        *card(1, {"risk": [1, 7], "who": [{"name": "ada"}, {"name": "bob"}]}), *card(2, {"risk": [2]})
    )
    assert found(desk, "facet.card.risk >= 3") == [1]
    assert found(desk, "facet.card.risk = 1 and facet.card.risk = 7") == [1]
    assert found(desk, "facet.card.risk != 1") == [1, 2]  # some value differs
    assert found(desk, "not facet.card.risk = 1") == [2]  # none is
    assert found(desk, "facet.card.who.name = 'bob'") == [1]
    assert [run.run_id for run in desk.call("runs", order="facet.card.risk desc").runs] == [
        run_id(2),
        run_id(1),
    ]
    then = desk.at
    desk.ingest(*card(1, {"risk": [1]}))
    assert found(desk, "facet.card.risk >= 3") == []
    assert found(desk, f"facet.card.risk >= 3 as of {then}") == [1]


def test_facets_of_edges_and_jobs_are_found_by_themselves(desk: Desk) -> None:
    desk.ingest(*card(1, {"risk": 1}), *card(1, {"risk": 5}, "inputs.db/a.card"))
    define(desk, CARD)
    desk.ingest(
        *card(1, {"risk": 6}, "inputs.db/b.card"),
        *card(1, {"risk": 9}, "outputs.db/c.card"),
        *card(2, {"risk": 5}, "job.card"),
    )
    desk.ingest(*card(3, {"risk": 5}))
    for risk in (5, 6):
        assert found(desk, f"input.facet.card.risk = {risk}") == [1]
    assert found(desk, "output.facet.card.risk > 8") == [1]
    assert found(desk, "job.facet.card.risk = 5") == [1, 2, 3]  # all of that job
    assert found(desk, "facet.card.risk = 5") == [1, 2, 3]
    assert found(desk, "facet.card.risk = 1") == [1]
    desk.ingest(*card(1, {"risk": -1}, "inputs.db/b.card"))
    assert [fault.name for fault in desk.call("facet-faults").faults] == ["inputs.db/b.card"]
    assert found(desk, "input.facet.card.risk >= 5") == [1]
    assert found(desk, "input.facet.card.risk = 6") == []


@pytest.mark.parametrize("refuse", [False, True])
def test_a_facet_is_set_by_hand_on_a_run_a_version_a_job_and_an_edge(desk: Desk, refuse: bool) -> None:
    define(desk, CARD, refuse=refuse)
    desk.ingest(started(1, "train.py", 1), used(1, "a.csv", "a", 1), made(1, "m.pkl", "m", 2))
    run = f"run:{run_id(1)}"
    good = msgspec.Raw(b'{"risk": 4}')
    for more in (
        {"ref": run},
        {"ref": "m.pkl"},
        {"ref": "job:train.py"},
        {"ref": "a.csv", "run": run},
        {"ref": "m.pkl", "run": run},
    ):
        reply = desk.call("facet-set", name="card", body=good, **more)
        assert (reply.said, reply.name.rpartition(".")[2]) == ("", "card")
    assert [v.ref for v in desk.call("versions", where="facet.card.risk = 4").versions] == ["m.pkl@1"]
    for where in ("input.facet.card.risk = 4", "output.facet.card.risk = 4", "job.facet.card.risk = 4"):
        assert found(desk, where) == [1]
    shown = desk.call("show", ref=run)  # each at its edge, too
    assert [file.facets for file in (*shown.inputs, *shown.outputs)] == [{"card": {"risk": 4}}] * 2
    bad = {"ref": run, "name": "card", "body": msgspec.Raw(b'{"risk": "high"}')}
    if refuse:
        with pytest.raises(Invalid, match="integer is wanted"):
            desk.call("facet-set", **bad)
    else:
        assert "integer is wanted" in desk.call("facet-set", **bad).said
    for wrong in (
        {"ref": "a.csv", "run": "m.pkl"},
        {"ref": run, "run": run},
        {"ref": run, "name": "job.card"},
    ):
        with pytest.raises(Invalid):
            desk.call("facet-set", **{"name": "card", "body": good, **wrong})
    with pytest.raises(NotFound):
        desk.call("facet-set", ref="job:nothing", name="card", body=good)


@pytest.mark.parametrize("refuse", [False, True])
def test_facets_of_an_import_are_held_against_their_schemas_too(desk: Desk, refuse: bool) -> None:
    wanted = {"properties": {"framework": {"enum": ["sklearn"]}}, "required": ["framework"]}
    define(desk, wanted, "lineal.model", refuse=refuse)
    model = "m-" + "a" * 32
    digest = "sha256:" + "1" * 64
    taken = [
        items.Experiment(name="e"),
        items.Run(id=run_id(7), experiment="e"),
        items.Model(id=model, experiment="e", name="m", run=run_id(7)),
        items.File(owner=model, model=True, path="MLmodel", digest=digest, size=100),
        items.Whole(model=model, facets={"lineal.model/1": '{"framework": "torch"}', "other": "{}"}),
        items.Registered(name="risk"),
        items.Version(name="risk", number=1, source=f"models:/{model}", model=model, tags={"pii": "yes"}),
    ]
    reply = desk.call("import", system="mlflow", source="http://there", items=taken, bytes=True)
    assert reply.left == []
    [fault] = desk.call("facet-faults").faults
    assert (fault.name, fault.refused) == ("lineal.model/1", refuse)
    shown = desk.call("show", ref="risk@1")
    assert ("lineal.model/1" in shown.facets, "other" in shown.facets) == (not refuse, True)
    assert [
        v.ref for v in desk.call("versions", where="facet.lineal.model.framework = 'torch'").versions
    ] == ([] if refuse else [fault.ref])
    assert shown.tags["pii"] == "yes"  # what the registered version was tagged with, too


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objct"}, "a type is one of"),
        ({"$ref": "http://169.254.169.254/x"}, "nothing is ever fetched"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"properties": {"a": {"pattern": "("}}}, "cannot be read at character"),
        ({"if": {}}, "which is not known here"),
        ([1], "is no schema"),
    ],
)
def test_what_is_no_schema_is_refused(desk: Desk, schema: Any, why: str) -> None:
    with pytest.raises(Invalid) as caught:
        define(desk, schema)
    assert why in str(caught.value)


def test_a_bad_name_and_an_unknown_one_are_refused(desk: Desk) -> None:
    with pytest.raises(Invalid):
        define(desk, CARD, name="card/2")
    with pytest.raises(NotFound):
        desk.call("facets", name="nothing")
