"""What becomes of events: runs, versions, edges and gaps, on both engines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineal.core.openlineage_story import GAPS
from lineal.service import openlineage_catalog as catalog
from lineal.service.conflicts import ConflictsRequest, conflicts
from lineal.service.joining import JoinsRequest, SplitRequest, list_joins, split
from lineal.service.openlineage_lineage import column_lineage, lineage
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.service.references import find
from lineal.service.runs import RunsRequest, list_runs
from lineal.store.open import Store
from tests.doors.openlineage.making import (
    MODES,
    data,
    event,
    facet,
    packed,
    record,
    recorded,
    run_id,
    take,
    time_of,
)

DUCK = "duckdb://shop.duckdb"


def hexed(run: str) -> str:
    return run_id(run).replace("-", "")


def sources(found: dict[str, Any], run: str) -> list[tuple[str, str, str]]:
    """(dataset and version, evidence, rule) of what a run read."""
    return sorted(
        (src, e, rule) for src, dst, kind, _, rule, e, _ in found["edges"] if dst == run and kind == "USED"
    )


def gaps(found: dict[str, Any], run: str) -> list[str]:
    return json.loads(found["facets"][run].get(GAPS, b'{"gaps": []}'))["gaps"]  # type: ignore[no-any-return]


def by_job(found: dict[str, Any], job: str) -> str:
    return next(id for id, run in found["runs"].items() if run[1] == job)


def test_an_input_without_a_version_is_the_newest_one_before_and_marked_inferred(store: Store) -> None:
    take(
        store,
        [
            packed(event("COMPLETE", name, at, outputs=("t",)))
            for name, at in (("w1", 1), ("w2", 5), ("w3", 9))
        ],
    )
    take(store, [packed(event("START", "r", 7, inputs=("t",)))])
    (source,) = sources(record(store), hexed("r"))
    assert f"ol-run:{hexed('w2')}" in source[0]
    assert source[1:] == ("inferred", "newest-before")


def test_a_writer_that_is_told_late_changes_what_was_inferred_and_history_keeps_both(store: Store) -> None:
    take(store, [packed(event("COMPLETE", "w1", 1, outputs=("t",)))], at=10)
    take(store, [packed(event("START", "r", 7, inputs=("t",)))], at=20)
    take(store, [packed(event("COMPLETE", "w2", 5, outputs=("t",)))], at=30)
    assert f"ol-run:{hexed('w2')}" in sources(record(store), hexed("r"))[0][0]
    with store.read() as tx:
        run = store.runs.find_run(tx, hexed("r"))
        assert run is not None
        before = store.edges.get_in(tx, [run], as_of=25)
        versions = store.artifacts.get_versions(tx, [edge.src for edge in before])
        assert [version.digest for version in versions.values()] == [
            d for d in [next(iter(versions.values())).digest] if d and hexed("w1") in d
        ]


def test_a_failed_run_is_not_taken_for_the_writer_of_what_is_read(store: Store) -> None:
    take(
        store,
        [packed(event("COMPLETE", "w1", 1, outputs=("t",))), packed(event("FAIL", "w2", 5, outputs=("t",)))],
    )
    take(store, [packed(event("START", "r", 7, inputs=("t",)))])
    assert f"ol-run:{hexed('w1')}" in sources(record(store), hexed("r"))[0][0]


def test_a_version_that_is_named_is_one_for_writer_and_reader_whoever_is_told_first(store: Store) -> None:
    take(store, [packed(event("START", "r", 3, inputs=(data("t", version="42"),)))])
    take(store, [packed(event("COMPLETE", "w", 9, outputs=(data("t", version="42"),)))])
    found = record(store)
    assert sources(found, hexed("r")) == [("pg://db:1 t ol:pg://db:1/t@42", "observed", "")]
    assert [e[1] for e in found["edges"] if e[0] == hexed("w")] == ["pg://db:1 t ol:pg://db:1/t@42"]
    assert found["references"] == {"pg://db:1 t ol:pg://db:1/t@42": ["pg://db:1/t@42"]}


@pytest.mark.parametrize("namespace", ["pg://db:1", "duckdb:///srv/a b/shop.duckdb", "s3://bucket", "kafka"])
def test_a_dataset_and_its_named_version_are_found_by_what_they_are_called(
    store: Store, namespace: str
) -> None:
    dataset = {"namespace": namespace, "name": "main.t/x", "facets": {"version": facet(datasetVersion="42")}}
    take(store, [packed(event("COMPLETE", "w", 1, outputs=(dataset,)))])
    with store.read() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="a", at=1)
        named = [f"ol:{namespace}/main.t/x@42"]
        if "://" in namespace:
            named += [f"{namespace}/main.t/x", f"{namespace}/main.t/x@1"]
        for text in named:
            found = find(scope, text).version
            assert found is not None, text
            assert (found.namespace, found.name) == (namespace, "main.t/x")


def test_a_symlink_makes_one_series_of_two_names_and_both_names_are_kept(store: Store) -> None:
    take(store, [packed(event("COMPLETE", "w", 1, outputs=("s3_path",)))])
    take(store, [packed(event("START", "r", 7, inputs=("hive_table",)))])
    assert "ol-any" in sources(record(store), hexed("r"))[0][0]
    take(store, [packed(event("START", "x", 8, inputs=(data("s3_path", symlinks=("hive_table",)),)))])
    (source,) = sources(record(store), hexed("r"))
    assert source[0].startswith("pg://db:1 s3_path ol-run:")
    with store.write() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="a", at=2)
        shown = list_joins(scope, JoinsRequest(ref="pg://db:1/hive_table"))
        assert shown.names == ["pg://db:1/hive_table", "pg://db:1/s3_path"]
        assert [(join.rule, join.evidence, join.message > 0) for join in shown.joins] == [
            ("symlink", "declared", True)
        ]
        split(scope, SplitRequest(a="pg://db:1/s3_path"))
    assert "ol-any" in sources(record(store), hexed("r"))[0][0]


def test_a_streaming_run_stays_running_while_its_inputs_and_outputs_change(store: Store) -> None:
    said = {"streaming": True, "job": "stream"}
    take(store, [packed(event("START", "s", 1, inputs=("a",), outputs=("out1",), **said))])
    take(store, [packed(event("COMPLETE", "w", 5, outputs=("b",)))])
    take(store, [packed(event("RUNNING", "s", 9, inputs=("b",), outputs=("out2",), **said))])
    take(store, [packed(event("START", "r", 12, inputs=("out2",)))])
    found = record(store)
    assert found["runs"][hexed("s")][5:7] == ("running", None)
    assert [s[1:] for s in sources(found, hexed("s"))] == [("observed", ""), ("inferred", "newest-before")]
    assert f"out2 ol-run:{hexed('s')}" in sources(found, hexed("r"))[0][0]


def test_both_modes_of_dbt_merge_into_one_graph(store: Store) -> None:
    take(store, [line for mode in MODES for line in recorded(mode)])
    found = record(store)
    for job, inputs in {
        "shop.main.shop.stg_orders.build.run": {"raw_orders"},
        "model.shop.stg_orders": {"raw_orders"},
        "shop.main.shop.features_customer.build.run": {"stg_orders", "raw_customers"},
        "model.shop.features_customer": {"stg_orders", "raw_customers"},
    }.items():
        read = {source[0].split()[1].rpartition(".")[2] for source in sources(found, by_job(found, job))}
        assert read == inputs, job


def test_what_the_default_mode_of_dbt_left_out_is_inferred_from_columns_and_flagged(store: Store) -> None:
    take(store, recorded(MODES[0]))
    found = record(store)
    run = by_job(found, "shop.main.shop.stg_orders.build.run")
    assert [(e, rule) for _, e, rule in sources(found, run)] == [("inferred", "column-lineage")]
    assert f"input {DUCK}/shop.main.raw_orders is named by column lineage only" in gaps(found, run)
    assert any("relative path" in gap for gap in gaps(found, run))


def test_statements_of_dbt_are_folded_and_outputs_of_its_tests_are_no_data(store: Store) -> None:
    take(store, recorded(MODES[1]))
    found = record(store)
    kinds = [run[2] for run in found["runs"].values()]
    assert (kinds.count("statement"), kinds.count("run")) == (27, 8)
    assert all(run[3] for run in found["runs"].values() if run[2] == "statement")
    assert not [edge for edge in found["edges"] if "dbt_test__audit" in str(edge)]
    with store.read() as tx:
        scope = Scope(
            tx=tx,
            store=store,
            blobs=None,
            namespace="p",
            actor="a",
            at=1,
            grants=ALL_PERMISSIONS,
        )
        assert len(list_runs(scope, RunsRequest()).runs) == 8
        assert len(list_runs(scope, RunsRequest(where="kind = 'statement'")).runs) == 27
    test = by_job(found, "test.shop.not_null_features_customer_customer_id.ff93df7cef")
    said = json.loads(found["facets"][test][GAPS])
    assert [name.rpartition(".")[2] for name in said["ignored_outputs"]] == [
        "not_null_features_customer_customer_id"
    ]


def test_explicit_lineage_declares_inputs_and_outputs(store: Store) -> None:
    entry = {
        "namespace": "pg://db:1",
        "name": "enriched",
        "type": "DATASET",
        "inputs": [
            {"namespace": "pg://db:1", "name": "orders", "type": "DATASET"},
            {"namespace": "jobs", "name": "j", "type": "JOB"},
        ],
    }
    take(store, [packed(event("COMPLETE", "r", 5, job_facets={"lineage": facet(entries=[entry])}))])
    found = record(store)
    assert [s[1:] for s in sources(found, hexed("r"))] == [("declared", "lineage-facet")]
    assert [(e[1].split()[1], e[5]) for e in found["edges"] if e[0] == hexed("r")] == [
        ("enriched", "declared")
    ]


def test_a_job_event_declares_and_the_newest_one_counts(store: Store) -> None:
    def said(second: int, *inputs: str) -> bytes:
        found = event("OTHER", "x", second, job="etl", inputs=inputs, outputs=("t",))
        del found["run"], found["eventType"]
        return packed(found)

    for order in ((said(1, "old"), said(2, "new")), (said(4, "newest"), said(3, "late"))):
        for one in order:
            take(store, [one])
    found = record(store)
    (run,) = found["runs"]
    assert found["runs"][run][1:3] == ("etl", "declaration")
    assert [(s[0].split()[1], s[1]) for s in sources(found, run)] == [("newest", "declared")]


def test_a_dataset_event_is_kept_with_the_dataset_and_derives_what_it_declares(store: Store) -> None:
    lineage = facet(inputs=[{"namespace": "pg://db:1", "name": "raw", "type": "DATASET"}])
    said = {
        "eventTime": time_of(1),
        "producer": "p",
        "schemaURL": "s",
        "dataset": data("view", lineage=lineage, ownership=facet(owners=[{"name": "team:a"}])),
    }
    take(store, [packed(said)])
    found = record(store)
    assert [(e[0].split()[1], e[1].split()[1], e[2], e[5]) for e in found["edges"]] == [
        ("raw", "view", "DERIVED", "declared")
    ]
    (named,) = [facets for name, facets in found["facets"].items() if " view " in name]
    assert set(named) == {"lineage", "ownership"}


def test_unknown_facets_are_kept_whole_and_the_event_as_it_came(store: Store) -> None:
    raw = packed(event("COMPLETE", "r", 1, run_facets={"acme_thing": facet(deep={"a": [1, {"b": None}]})}))
    spaced = raw.replace(b'"acme_thing": ', b'"acme_thing":   ')
    take(store, [spaced])
    kept = record(store)["facets"][hexed("r")]["acme_thing"]
    assert json.loads(kept)["deep"] == {"a": [1, {"b": None}]}
    with store.read() as tx:
        events, count = store.stories.list_events(tx, after=-(2**62), before=2**62)
        body = store.audit.get_message(tx, events[0].message)
    assert count == 1
    assert body[events[0].start : events[0].start + events[0].length] == spaced


def test_tags_of_runs_and_datasets_are_tags_and_go_when_they_are_taken_back(store: Store) -> None:
    def tags(*keys: str) -> dict[str, Any]:
        return facet(tags=[{"key": key, "value": "yes", "source": "USER"} for key in keys])

    said = {"run_facets": {"tags": tags("nightly")}}
    take(store, [packed(event("START", "r", 1, outputs=(data("t", tags=tags("pii", "old")),), **said))])
    take(store, [packed(event("COMPLETE", "r", 2, outputs=(data("t", tags=tags("pii")),), **said))])
    found = record(store)["tags"]
    assert found.pop(hexed("r")) == {"nightly": "yes"}
    assert list(found.values()) == [{"pii": "yes"}]


@pytest.mark.parametrize("first", ["dataset", "run"])
def test_tags_of_a_dataset_as_such_are_carried_by_every_version_of_it(store: Store, first: str) -> None:
    tagged = {
        "eventTime": time_of(1),
        "producer": "p",
        "schemaURL": "s",
        "dataset": data("t", tags=facet(tags=[{"key": "pii", "value": "true", "source": "USER"}])),
    }
    events = [packed(tagged), packed(event("COMPLETE", "r", 5, outputs=("t",)))]
    for one in events if first == "dataset" else events[::-1]:
        take(store, [one])
    take(store, [packed(event("COMPLETE", "later", 9, outputs=("t",)))])
    assert list(record(store)["tags"].values()) == [{"pii": "true"}] * 2


def test_an_event_twice_has_no_second_effect(store: Store) -> None:
    raw = [packed(event("START", "r", 1, inputs=("a",))), packed(event("COMPLETE", "r", 2, outputs=("b",)))]
    assert take(store, raw) == 2
    before = record(store)
    with store.read() as tx:
        leaves = store.audit.get_head(tx)
    assert take(store, [*raw, *raw]) == 0
    assert record(store) == before
    with store.read() as tx:
        assert store.audit.get_head(tx) == leaves


def test_parents_in_a_circle_are_opened_at_the_same_place_in_any_order(store: Store) -> None:
    circle = [
        packed(event("START", name, 1, parent=parent))
        for name, parent in (("a", "b"), ("b", "c"), ("c", "a"))
    ]
    for one in circle:
        take(store, [one])
    greatest = max(hexed(name) for name in "abc")
    assert [run for run, said in record(store)["runs"].items() if said[3] is None] == [greatest]
    with store.read() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="t", at=1)
        told = {name: catalog.find_run(scope, hexed(name)).gaps for name in "abc"}
        lacks = conflicts(scope, ConflictsRequest(ref=f"run:{greatest}")).gaps
    circle = [name for name, gaps in told.items() if any("in a circle" in gap for gap in gaps)]
    assert [hexed(name) for name in circle] == [greatest]
    assert "parent-left-out" in {gap.kind for gap in lacks}


def test_what_events_of_a_run_say_against_each_other_is_told_with_its_conflicts(store: Store) -> None:
    events = [packed(event(kind, "r", at, parent=parent)) for kind, at, parent in (
        ("START", 1, "p"), ("COMPLETE", 2, "q"), ("FAIL", 3, "q"),
    )]  # fmt: skip
    for one in events:
        take(store, [one])
    with store.read() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="t", at=1)
        found = conflicts(scope, ConflictsRequest(ref=f"run:{hexed('r')}"))
    (contradiction,) = found.conflicts
    assert contradiction.kind == "parent"
    assert {claim.value for claim in contradiction.claims} == {f"run:{hexed(name)}" for name in "pq"}
    doubts = [gap.said for gap in found.gaps if gap.kind == "doubtful"]
    assert any("several parents" in said for said in doubts)
    assert any("several ways: COMPLETE, FAIL" in said for said in doubts)


def test_a_run_that_is_its_own_parent_and_its_own_input_is_flagged(store: Store) -> None:
    take(store, [packed(event("COMPLETE", "r", 1, parent="r", inputs=("t",), outputs=("t",)))])
    found = record(store)
    assert found["runs"][hexed("r")][3] is None
    assert "the run calls itself its own parent" in gaps(found, hexed("r"))
    assert "ol-any" in sources(found, hexed("r"))[0][0]


def test_contradicting_ends_are_flagged(store: Store) -> None:
    take(
        store,
        [packed(event("COMPLETE", "r", 5)), packed(event("FAIL", "r", 9)), packed(event("START", "r", 7))],
    )
    found = record(store)
    assert found["runs"][hexed("r")][5:7] == ("failed", 1772539209000000)
    assert [gap for gap in gaps(found, hexed("r")) if "ended" in gap] == [
        "the run is said to have ended in several ways: COMPLETE, FAIL"
    ]


def test_a_run_that_another_door_told_of_keeps_what_that_one_said(store: Store) -> None:
    with store.write() as tx:
        store.runs.add_run(
            tx,
            hexed("r"),
            namespace="exp",
            job="train",
            name="nice",
            kind="run",
            parent=None,
            actor="x",
            started_at=7,
            recorded_at=1,
        )
    take(store, [packed(event("COMPLETE", "r", 5, job="other", outputs=("t",)))])
    assert record(store)["runs"][hexed("r")][:6] == ("exp", "train", "run", None, 7, "finished")


def test_a_run_meets_the_mlflow_run_that_a_facet_of_it_names_whoever_is_told_first(store: Store) -> None:
    def mlflow(run: str) -> None:
        with store.write() as tx:
            store.runs.add_run(
                tx,
                hexed(run),
                namespace="exp",
                job="train",
                name="",
                kind="run",
                parent=None,
                actor="x",
                started_at=7,
                recorded_at=1,
            )

    mlflow("m")
    take(store, [packed(event("COMPLETE", "t", 5, run_facets={"mlflow": facet(run_id=hexed("m"))}))])
    take(
        store, [packed(event("COMPLETE", "u", 5, run_facets={"tracking": facet(mlflow_run_id=run_id("t"))}))]
    )
    take(store, [packed(event("COMPLETE", "v", 5, run_facets={"mlflow": facet(run_id=hexed("w"))}))])
    take(store, [packed(event("COMPLETE", "w", 6))])
    with store.read() as tx:
        m, t, u, v, w = (store.runs.find_run(tx, hexed(name)) or 0 for name in "mtuvw")
        assert store.joins.members(tx, m) == sorted([m, t, u])
        assert store.joins.members(tx, v) == sorted([v, w])


@pytest.mark.parametrize("count", [20_000])
def test_an_event_with_20_000_inputs_is_taken(store: Store, count: int) -> None:
    take(store, [packed(event("COMPLETE", "r", 5, inputs=tuple(f"t{n}" for n in range(count))))])
    with store.read() as tx:
        run = store.runs.find_run(tx, hexed("r"))
        assert run is not None
        assert len(store.edges.get_in(tx, [run])) == count


def test_what_spark_tells_of_a_table_and_its_columns_is_one_graph(store: Store) -> None:
    """In the shapes of Spark's listener: an application above its jobs, a table at a path with the catalogue's name as a symlink, an
    empty version, inputs that only columns name, and a reader that knows the catalogue's name alone."""

    def at(name: str, **facets: Any) -> dict[str, Any]:
        return {"namespace": "file", "name": f"/tmp/iceberg/default/{name}", "facets": facets}

    def of(*sources: str) -> dict[str, Any]:
        fields = [{**at(source), "field": "a"} for source in sources]
        return facet(
            fields={"a": {"inputFields": [{k: f[k] for k in ("namespace", "name", "field")} for f in fields]}}
        )

    table = {"namespace": "file:/tmp/iceberg", "name": "default.target"}
    schema = facet(fields=[{"name": "a", "type": "long"}])
    target = at(
        "target",
        schema=schema,
        version=facet(),
        symlinks=facet(identifiers=[{**table, "type": "TABLE"}]),
        columnLineage=of("source1", "source2"),
    )
    told = [
        event("START", "app", 1, job="shop", job_type="APPLICATION"),
        event("START", "ctas", 2, job="shop.ctas.default_target", parent="app"),
        event("RUNNING", "ctas", 3, job="shop.ctas.default_target", parent="app", inputs=(at("source1"),)),
        event("COMPLETE", "ctas", 4, job="shop.ctas.default_target", parent="app", outputs=(target,)),
        event("COMPLETE", "read", 6, job="shop.read", parent="app", inputs=(table,), outputs=(at("report"),)),
        event("COMPLETE", "app", 7, job="shop", job_type="APPLICATION"),
    ]
    for one in reversed(told):
        take(store, [packed(one)])
    found = record(store)
    assert found["runs"][hexed("ctas")][3] == found["runs"][hexed("read")][3] == hexed("app")
    assert {said.partition("/source")[2][:1] for said, *_ in sources(found, hexed("ctas"))} == {"1", "2"}
    assert any("column" in gap for gap in gaps(found, hexed("ctas")))
    with store.read() as tx:
        scope = Scope(tx=tx, store=store, blobs=None, namespace="p", actor="t", at=1)
        report = catalog.find_dataset(scope, "file", "/tmp/iceberg/default/report")
        graph = lineage(scope, dataset=report)
        columns = column_lineage(
            scope,
            [catalog.find_dataset(scope, "file", "/tmp/iceberg/default/target")],
            {"a"},
            depth=5,
            downstream=False,
        )
    links = {(link.dataset.name.rpartition("/")[2], link.job.name, link.written) for link in graph.links}
    assert {("source1", "shop.ctas.default_target", False), ("report", "shop.read", True)} <= links
    assert any(job == "shop.ctas.default_target" and written for _, job, written in links)
    assert "source2" in repr(columns)
