"""Every facet that the specification knows is taken in without a flag and kept whole; what we send out has the specification's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from lineal.core.events import ErrorInfo, Evidence, Level, State
from lineal.core.model import Edge, EdgeKind, RunRecord, VersionRecord
from lineal.doors.openlineage.read import read
from lineal.export.openlineage import Part, Run, to_openlineage
from lineal.store.open import open_store
from tests.doors.openlineage.making import data, event, facet, packed, run_id, take

_RUN = {"runId": run_id("x")}
_JOB = {"namespace": "jobs", "name": "j"}
_DATA = {"namespace": "pg://db:1", "name": "other"}
_COLUMN = {**_DATA, "field": "a"}
_HOW = [{"type": "DIRECT", "subtype": "IDENTITY", "description": "as it is", "masking": False}]
RUN_FACETS: dict[str, dict[str, Any]] = {
    "environmentVariables": {"environmentVariables": [{"name": "A", "value": "b"}]},
    "errorMessage": {"message": "ValueError: no", "programmingLanguage": "PYTHON", "stackTrace": "line 1"},
    "executionParameters": {"parameters": [{"key": "date", "value": "2026-03-03"}]},
    "externalQuery": {"externalQueryId": "q-1", "source": "bigquery"},
    "extractionError": {
        "totalTasks": 2,
        "failedTasks": 1,
        "errors": [{"errorMessage": "no", "task": "t", "taskNumber": 1}],
    },
    "jobDependencies": {
        "upstream": [{"job": _JOB, "run": _RUN, "dependency_type": "DIRECT"}],
        "trigger_rule": "ALL_SUCCESS",
    },
    "nominalTime": {"nominalStartTime": "2026-03-03T00:00:00Z", "nominalEndTime": "2026-03-04T00:00:00Z"},
    "parent": {"run": _RUN, "job": _JOB, "root": {"run": _RUN, "job": _JOB}},
    "processing_engine": {"name": "spark", "version": "3.5.0", "openlineageAdapterVersion": "1.54.0"},
    "tags": {"tags": [{"key": "nightly", "value": "true", "source": "USER"}]},
    "test": {"tests": [{"name": "not_null", "status": "pass", "severity": "error"}]},
}
JOB_FACETS: dict[str, dict[str, Any]] = {
    "documentation": {"description": "what it does", "contentType": "text/markdown"},
    "jobType": {"processingType": "BATCH", "integration": "SPARK", "jobType": "QUERY"},
    "lineage": {
        "entries": [{**_DATA, "type": "DATASET", "inputs": [{**_DATA, "name": "src", "type": "DATASET"}]}]
    },
    "ownership": {"owners": [{"name": "team:data", "type": "MAINTAINER"}]},
    "sourceCode": {"language": "python", "sourceCode": "print(1)"},
    "sourceCodeLocation": {"type": "git", "url": "https://example.org/r/blob/main/x.py", "version": "abc"},
    "sql": {"query": "select 1", "dialect": "ansi"},
    "tags": {"tags": [{"key": "team", "value": "ml", "source": "USER"}]},
}
DATASET_FACETS: dict[str, dict[str, Any]] = {
    "catalog": {
        "framework": "iceberg",
        "type": "rest",
        "name": "main",
        "metadataUri": "http://c",
        "warehouseUri": "s3://w",
    },
    "columnLineage": {
        "fields": {"a": {"inputFields": [{**_COLUMN, "transformations": _HOW}]}},
        "dataset": [_COLUMN],
    },
    "dataQualityAssertions": {"assertions": [{"assertion": "not_null", "success": True, "column": "a"}]},
    "dataQualityMetrics": {
        "rowCount": 5,
        "bytes": 10,
        "columnMetrics": {"a": {"nullCount": 0, "quantiles": {"0.5": 1.5}}},
    },
    "dataSource": {"name": "pg", "uri": "pg://db:1"},
    "datasetType": {"datasetType": "TABLE", "subType": "EXTERNAL"},
    "documentation": {"description": "what it holds"},
    "hierarchy": {"hierarchy": [{"type": "DATABASE", "name": "db"}, {"type": "TABLE", "name": "t"}]},
    "lifecycleStateChange": {
        "lifecycleStateChange": "RENAME",
        "previousIdentifier": {**_DATA, "name": "before"},
    },
    "lineage": {
        "inputs": [{**_DATA, "type": "DATASET"}],
        "fields": {"a": {"inputs": [{**_COLUMN, "type": "DATASET"}]}},
    },
    "ownership": {"owners": [{"name": "team:data"}]},
    "schema": {"fields": [{"name": "a", "type": "STRUCT", "fields": [{"name": "b", "type": "INT"}]}]},
    "storage": {"storageLayer": "iceberg", "fileFormat": "parquet"},
    "symlinks": {"identifiers": [{**_DATA, "type": "TABLE"}]},
    "tags": {"tags": [{"key": "pii", "value": "true", "field": "a"}]},
    "version": {"datasetVersion": "7"},
}
PART_FACETS: dict[str, tuple[str, dict[str, Any]]] = {
    "dataQualityMetrics": ("inputs", {"rowCount": 5, "columnMetrics": {}}),
    "inputStatistics": ("inputs", {"rowCount": 5, "size": 100, "fileCount": 1}),
    "icebergScanReport": ("inputs", {"snapshotId": 5, "filterDescription": "true"}),
    "subset": (
        "inputs",
        {"inputCondition": {"type": "partition", "partitions": [{"dimensions": {"day": "1"}}]}},
    ),
    "outputStatistics": ("outputs", {"rowCount": 5, "size": 100, "fileCount": 1}),
    "icebergCommitReport": ("outputs", {"snapshotId": 6, "sequenceNumber": 1}),
}


def kept(folder: Path, said: dict[str, Any]) -> list[Any]:
    store = open_store(str(folder / "lineal.db"))
    take(store, [packed(said)])
    with store.read() as tx:
        nodes = [node for (node,) in tx.rows("SELECT id FROM node")]
        found = [json.loads(bytes(f.body)) for node in nodes for f in store.attributes.get_facets(tx, node)]
    store.close()
    return found


def tried(folder: Path, said: dict[str, Any], body: dict[str, Any]) -> None:
    assert read(packed(said)).flags == ()
    assert body in kept(folder, said)


@pytest.mark.parametrize("name", RUN_FACETS)
def test_a_facet_of_a_run_is_kept_whole(name: str, tmp_path: Path) -> None:
    body = facet(**RUN_FACETS[name])
    tried(tmp_path, event("FAIL", "r", 1, run_facets={name: body}), body)


@pytest.mark.parametrize("name", JOB_FACETS)
def test_a_facet_of_a_job_is_kept_whole(name: str, tmp_path: Path) -> None:
    body = facet(**JOB_FACETS[name])
    tried(tmp_path, event("COMPLETE", "r", 1, job_facets={name: body}), body)


@pytest.mark.parametrize("side", ["inputs", "outputs", "dataset"])
@pytest.mark.parametrize("name", DATASET_FACETS)
def test_a_facet_of_a_dataset_is_kept_whole(name: str, side: str, tmp_path: Path) -> None:
    body = facet(**DATASET_FACETS[name])
    dataset = {**data("t"), "facets": {name: body}}
    said = event("COMPLETE", "r", 1, **({side: (dataset,)} if side != "dataset" else {}))
    if side == "dataset":
        said = {key: said[key] for key in ("eventTime", "producer", "schemaURL")} | {"dataset": dataset}
    tried(tmp_path, said, body)


@pytest.mark.parametrize("name", PART_FACETS)
def test_a_facet_of_a_datasets_part_in_a_run_is_kept_whole(name: str, tmp_path: Path) -> None:
    side, given = PART_FACETS[name]
    body = facet(**given)
    dataset = {**data("t"), f"{side[:-1]}Facets": {name: body}}
    tried(tmp_path, event("COMPLETE", "r", 1, **{side: (dataset,)}), body)


# What specification 2-0-2 requires of a RunEvent, in our own words.
_FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {name: {"type": "string", "format": "uri"} for name in ("_producer", "_schemaURL")},
        "required": ["_producer", "_schemaURL"],
    },
}
_NAMED = {
    "type": "object",
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": _FACETS},
    "required": ["namespace", "name"],
}
_EVENT = {
    "type": "object",
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"type": "string", "format": "uri"},
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "run": {
            "type": "object",
            "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": _FACETS},
            "required": ["runId"],
        },
        "job": _NAMED,
        "inputs": {"type": "array", "items": _NAMED},
        "outputs": {"type": "array", "items": _NAMED},
    },
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("at", [0, -1, 1772539200123456, 2**62, -(2**62)])
def test_what_goes_out_has_the_form_of_the_specification(state: State, at: int) -> None:
    record = RunRecord(
        node=1,
        run_id="0" * 31 + "1",
        namespace="",
        job="",
        name="",
        kind="run",
        parent=2,
        actor="a",
        started_at=at,
        state=state,
        ended_at=None if state is State.RUNNING else at,
        error=ErrorInfo(type="ValueError", message="no", traceback="line 1"),
    )
    version = VersionRecord(
        node=3,
        artifact=1,
        namespace="",
        name="t",
        kind="dataset",
        number=1,
        digest=None,
        level=Level.NONE,
        reason="",
        size=None,
        location="",
        recorded_at=1,
    )
    part = Part(
        version, Edge(src=3, dst=1, kind=EdgeKind.USED, at=at, evidence=Evidence.OBSERVED), [("a", "int64")]
    )
    run = Run(
        run=record,
        parent=record,
        reads=[part],
        writes=[part],
        params={"p": "1"},
        tags={"t": "x"},
        metrics={"nan": float("nan"), "inf": float("-inf"), "m": 0.5},
        code=("https://example.org/r.git", "abc", "train.py"),
    )
    check = jsonschema_rs.validator_for(_EVENT, validate_formats=True)
    events = to_openlineage(run)
    assert len(events) == (1 if state is State.RUNNING else 2)
    for one in events:
        raw = json.dumps(one, allow_nan=False).encode()
        assert [error.message for error in check.iter_errors(json.loads(raw))] == []
        assert read(raw).flags == ()
