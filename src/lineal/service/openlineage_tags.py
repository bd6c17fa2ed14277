"""Tags that OpenLineage's `tags` facets carry, as tags of the run or version: so they are searched and passed on like any other."""

from __future__ import annotations

from typing import Any

import msgspec

from lineal.core.model import Attribute
from lineal.core.openlineage import DOOR
from lineal.service.operations import Scope

TAGS = frozenset({"tags", "job.tags"})
_MOST, _LONGEST_KEY = 1000, 500


def keep_tags(scope: Scope, node: int, facet: str, body: bytes) -> None:
    """Let the tags of a facet stand on a vertex, in place of those that the facet said before.

    A tag of a single column stays in the facet. Tags that somebody else set are left as they are.
    """
    source = f"{DOOR}:{facet}"
    given = _tags(body)
    standing = {tag.key: tag for tag in scope.store.attributes.get_tags(scope.tx, [node]).get(node, [])}
    for key, tag in standing.items():
        if tag.source == source and key not in given:
            scope.store.corrections.retract_tag(scope.tx, node, key, at=scope.at)
    fresh = [
        Attribute(key=key, value=value, source=source)
        for key, value in given.items()
        if key not in standing or standing[key].source.startswith(DOOR)
    ]
    if fresh:
        scope.store.attributes.set_tags(scope.tx, node, fresh, at=scope.at, actor=scope.actor)


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
