"""Tags that OpenLineage's `tags` facets carry, as tags of the run or version: so they are searched and passed on like any other."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.model import Attribute
from lineal.core.openlineage import DOOR, Name
from lineal.service.operations import Scope

RUN_FACETS = ("job.tags", "tags")  # what the run says itself counts more
TAGS = frozenset(RUN_FACETS)
_MOST, _LONGEST_KEY = 1000, 500


def settle_tags(scope: Scope, node: int, dataset: int | None = None) -> None:
    """Let the tags that the facets of a vertex say stand on it, and no others that facets said before.

    A tag of a single column stays in the facet. Tags that somebody else set are left as they are.

    Args:
        dataset: the vertex of the dataset as such, whose tags every version of it carries too, beside its own.
    """
    given: dict[str, str] = {}
    for place in ([] if dataset is None else [dataset]) + [node]:
        facets = {f.name: f.body for f in scope.store.attributes.get_facets(scope.tx, place)}
        for name in RUN_FACETS:
            if name in facets:
                given |= _tags(bytes(facets[name]))
    standing = {tag.key: tag for tag in scope.store.attributes.get_tags(scope.tx, [node]).get(node, [])}
    for key, tag in standing.items():
        if tag.source == DOOR and key not in given:
            scope.store.corrections.retract_tag(scope.tx, node, key, at=scope.at)
    fresh = [
        Attribute(key=key, value=value, source=DOOR)
        for key, value in given.items()
        if key not in standing or (standing[key].source == DOOR and standing[key].value != value)
    ]
    if fresh:
        scope.store.attributes.set_tags(scope.tx, node, fresh, at=scope.at, actor=scope.actor)


def tag_versions(scope: Scope, name: Name, dataset: int) -> None:
    """Let every version of a dataset carry the tags of the dataset as such, whose vertex is `dataset`."""
    for version in scope.store.artifacts.list_versions(scope.tx, name.namespace, name.name, limit=_MOST):
        if version.node != dataset:
            settle_tags(scope, version.node, dataset)


def tag_new(scope: Scope, versions: dict[int, int | None]) -> None:
    """The same for versions that have just become known, given with the vertices of their datasets as such."""
    datasets = {dataset for dataset in versions.values() if dataset is not None}
    tagged = scope.store.attributes.get_tags(scope.tx, sorted(datasets)) if datasets else {}
    for node, dataset in versions.items():
        if dataset is not None and any(tag.source == DOOR for tag in tagged.get(dataset, [])):
            settle_tags(scope, node, dataset)


def _tags(body: bytes) -> dict[str, str]:
    try:
        loaded: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    listed = loaded.get("tags") if isinstance(loaded, dict) else None
    found: dict[str, str] = {}
    for tag in listed[:_MOST] if isinstance(listed, list) else []:
        if isinstance(tag, dict) and isinstance(tag.get("key"), str) and not tag.get("field"):
            if 0 < len(tag["key"]) <= _LONGEST_KEY:
                found[tag["key"]] = str(tag.get("value", ""))
    return found
