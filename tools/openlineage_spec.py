"""Tries the door on a checkout of OpenLineage: `.venv/bin/python tools/openlineage_spec.py CHECKOUT [EXPORTED]`.

Every test message of the specification (spec/tests) is sent inside an event of its kind; it must come back whole, and nothing may be
flagged. Every event found elsewhere in the checkout (`*.json` with an eventTime) is taken in. EXPORTED, a file that
`lineal export openlineage` wrote, is held against the specification's own schemas. Nothing of a checkout is kept here.
"""

from __future__ import annotations

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
from lineal.service.openlineage import Received, take_in
from lineal.service.operations import ALL_PERMISSIONS, Scope
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


def events(checkout: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the checkout that is one event."""
    for path in sorted(checkout.rglob("*.json")):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if '"eventTime"' in text and not re.search(r"\{\{|\$\{|any\(", text):
            try:
                loaded = json.loads(text)
            except ValueError:
                continue
            for one in loaded if isinstance(loaded, list) else [loaded]:
                if isinstance(one, dict) and "eventTime" in one:
                    yield str(path.relative_to(checkout)), json.dumps(one).encode()


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
    refused, read_ = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(str(Path(folder, "lineal.db")))
        for name, raw in events(checkout):
            try:
                take(store, raw)
                read_ += 1
            except LinealError as error:
                refused += 1
                print(f"{name}: {error.message}")
        store.close()
    print(f"{read_} events of the checkout taken, {refused} refused")
    return 1 if failed or refused else 0


if __name__ == "__main__":
    sys.exit(main())
