"""Tries the door on a checkout of OpenLineage: `.venv/bin/python tools/openlineage_spec.py CHECKOUT [EXPORTED]`.

Every test message of the specification (spec/tests) is sent inside an event of its kind; it must come back whole, and nothing may be
flagged. Every event found elsewhere in the checkout (`*.json` with an eventType) is taken in, in a store for each folder; what the
integrations' tests only expect of an event (without a time or a run) is completed first. Then every input and output that an event
names must be an edge of its run, and every column that its column lineage names must be found above the column. EXPORTED, a file that
`lineal export openlineage` wrote, is held against the specification's own schemas. Nothing of a checkout is kept here.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineal.core.errors import LinealError
from lineal.doors.openlineage.arrive import received
from lineal.doors.openlineage.read import read
from lineal.service.columns import ColumnsRequest, columns
from lineal.service.openlineage import Received, take_in
from lineal.service.operations import ALL_PERMISSIONS, Scope
from lineal.service.references import artifact_ref
from lineal.store.open import Store, open_store

_RUN = "018f0000-0000-7000-8000-000000000001"


def event(kind: str, facets: dict[str, Any]) -> dict[str, Any]:
    """An event that carries facets where their kind belongs."""
    dataset: dict[str, Any] = {"namespace": "spec://tests", "name": "dataset"}
    output: dict[str, Any] = {"namespace": "spec://tests", "name": "output"}
    found: dict[str, Any] = {
        "eventType": "COMPLETE",
        "eventTime": "2026-03-03T12:00:00Z",
        "producer": "urn:lineal:spec",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": _RUN},
        "job": {"namespace": "spec", "name": kind},
        "inputs": [dataset],
        "outputs": [output],
    }
    if kind.endswith("InputDatasetFacet"):
        dataset["inputFacets"] = facets
    elif kind.endswith("OutputDatasetFacet"):
        output["outputFacets"] = facets
    elif kind.endswith("RunFacet"):
        found["run"]["facets"] = facets
    elif kind.endswith("JobFacet") or (kind == "LineageFacet" and "entries" in str(facets)):
        found["job"]["facets"] = facets
    else:
        output["facets"] = facets
    return found


def vectors(checkout: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, kind of facet, facets) of every test message of the specification that is a facet."""
    for path in sorted((checkout / "spec" / "tests").rglob("*.json")):
        loaded = json.loads(path.read_text())
        kind = path.parent.name
        if "eventTime" not in loaded:
            yield f"{kind}/{path.name}", kind, loaded


def events(checkout: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every event of the checkout, with its file; those of one file in their order."""
    for path in sorted(checkout.rglob("*.json")):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if '"eventType"' in text and not re.search(r"\{\{|\$\{|any\(", text):
            try:
                loaded = json.loads(text)
            except ValueError:
                continue
            for one in loaded if isinstance(loaded, list) else [loaded]:
                if isinstance(one, dict) and isinstance(one.get("eventType"), str):
                    yield path, completed(path, one)


def completed(path: Path, event: dict[str, Any]) -> dict[str, Any]:
    """The event with what an expectation leaves out: its run and job are called after the file, without START and COMPLETE."""
    stem = re.sub(r"(?i)[-_]?(start|complete|running|fail)(event)?", "", path.stem)
    name = hashlib.sha256(f"{path.parent}/{stem}".encode()).hexdigest()
    run = {"runId": f"{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}"} | event.get(
        "run", {}
    )
    return {
        "eventTime": "2026-03-03T12:00:00Z",
        "producer": "urn:lineal:spec",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        **event,
        "run": run,
        "job": {"namespace": "spec", "name": stem} | event.get("job", {}),
    }


def missing(store: Store, event: dict[str, Any]) -> list[str]:
    """Inputs and outputs of an event that are no edges of its run, and columns that are not found above those made of them."""
    found: list[str] = []
    with store.read() as tx:
        run = store.runs.find_run(tx, event["run"]["runId"].replace("-", ""))
        if run is None:
            return ["the run"]
        sides = {
            "inputs": {edge.src for edge in store.edges.get_in(tx, [run])},
            "outputs": {edge.dst for edge in store.edges.get_out(tx, [run])},
        }
        scope = Scope(
            tx=tx, store=store, blobs=None, namespace="spec", actor="spec", at=1, grants=ALL_PERMISSIONS
        )
        for side, nodes in sides.items():
            versions = store.artifacts.get_versions(tx, store.joins.expand(tx, sorted(nodes)))
            by_name = {(v.namespace, v.name): v for v in versions.values()}
            for dataset in event.get(side) or []:
                version = by_name.get((dataset["namespace"], dataset["name"]))
                if version is None:
                    found.append(f"{side}: {dataset['namespace']}/{dataset['name']}")
                elif side == "outputs":
                    found += _columns_missing(scope, artifact_ref(version), dataset)
    return found


def _columns_missing(scope: Scope, ref: str, dataset: dict[str, Any]) -> list[str]:
    told = dataset.get("facets", {}).get("columnLineage", {}).get("fields", {})
    found = []
    for column, entry in told.items():
        wanted = {field["field"] for field in entry.get("inputFields", [])}
        if wanted:
            reply = columns(scope, ColumnsRequest(ref=ref, column=column, depth=1))
            gone = wanted - {node.column for node in reply.nodes}
            found += [f"column {column} of {ref}: {name}" for name in sorted(gone)]
    return found


def take(store: Store, raw: bytes) -> None:
    """Take one event in."""
    with store.write() as tx:
        scope = Scope(
            tx=tx, store=store, blobs=None, namespace="spec", actor="spec", at=1, grants=ALL_PERMISSIONS
        )
        take_in(scope, [Received(raw, read(raw))])


def kept(store: Store) -> list[Any]:
    """Every facet that the store holds."""
    with store.read() as tx:
        nodes = [node for (node,) in tx.rows("SELECT id FROM node")]
        return [json.loads(bytes(f.body)) for node in nodes for f in store.attributes.get_facets(tx, node)]


def faults(checkout: Path, exported: Path) -> list[str]:
    """What the specification's schemas find wrong with exported events and their standard facets."""
    import jsonschema_rs

    paths = [checkout / "spec" / "OpenLineage.json", *sorted((checkout / "spec" / "facets").glob("*.json"))]
    schemas = [json.loads(path.read_text()) for path in paths]
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas])
    whole = jsonschema_rs.validator_for(schemas[0], registry=registry, validate_formats=True)
    by_file = {path.stem: schema for path, schema in zip(paths, schemas, strict=True)}
    found: list[str] = []
    for line in exported.read_text().splitlines():
        event = json.loads(line)
        found += [f"{e.instance_path}: {e.message}" for e in whole.iter_errors(event)]
        parts = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for name, facet in [item for part in parts for item in part.get("facets", {}).items()]:
            schema = by_file.get(facet["_schemaURL"].rpartition("/")[2].partition(".json")[0])
            if facet["_schemaURL"].startswith("https://openlineage.io/") and schema is None:
                found.append(f"{name}: {facet['_schemaURL']} is no schema of the specification")
            elif schema is not None:
                held = jsonschema_rs.validator_for(schema, registry=registry, validate_formats=True)
                found += [f"{name}: {e.message}" for e in held.iter_errors({name: facet})]
    return found


def main() -> int:
    """Try everything; the exit code."""
    if len(sys.argv) not in {2, 3}:
        print(__doc__)
        return 2
    checkout, failed, tried = Path(sys.argv[1]), 0, 0
    if len(sys.argv) == 3:
        wrong = faults(checkout, Path(sys.argv[2]))
        print("\n".join([*wrong, f"{len(wrong)} faults of what was exported"]))
        failed += len(wrong)
    for name, kind, facets in vectors(checkout):
        tried += 1
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(str(Path(folder, "lineal.db")))
            try:
                raw = json.dumps(event(kind, facets)).encode()
                take(store, raw)
                found = kept(store)
                lost = [key for key, body in facets.items() if body not in found]
                flags = received(raw).told.flags
                if lost or flags:
                    failed += 1
                    print(f"{name}: lost {lost}, flagged {flags}")
            except LinealError as error:
                failed += 1
                print(f"{name}: {error.message}")
            finally:
                store.close()
    print(f"{tried} facets of the specification's tests, {failed} not as they should be")
    refused, taken, away, linked = 0, 0, 0, 0
    folders: dict[Path, list[tuple[str, dict[str, Any]]]] = {}
    for path, one in events(checkout):
        folders.setdefault(path.parent, []).append((str(path.relative_to(checkout)), one))
    for listed in folders.values():
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(str(Path(folder, "lineal.db")))
            good = []
            for name, one in listed:
                try:
                    take(store, json.dumps(one).encode())
                    good.append((name, one))
                except LinealError as error:
                    refused += 1
                    print(f"{name}: {error.message}")
            for name, one in good:
                gone = missing(store, one)
                away += len(gone)
                linked += sum(len(one.get(side) or []) for side in ("inputs", "outputs"))
                print("".join(f"{name}: not in the graph: {what}\n" for what in gone), end="")
            taken += len(good)
            store.close()
    print(
        f"{taken} events of the checkout taken, {refused} refused; of {linked} inputs and outputs {away} things not found"
    )
    return 1 if failed or refused or away else 0


if __name__ == "__main__":
    sys.exit(main())
