"""Searching registered models and model versions, and the registry's table of verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from lineal.doors.mlflow import grammar, registry, versions
from lineal.doors.mlflow.errors import invalid
from lineal.doors.mlflow.grammar import LISTS, NUMERIC, TEXTUAL, Comparison, Kind, Rules
from lineal.doors.mlflow.sources import IS_PROMPT
from lineal.doors.mlflow.wire import Message, offset_of, page_size, token_of
from lineal.service.operations import Scope

MODELS_USUAL, MODELS_MOST = 100, 1000
VERSIONS_USUAL, VERSIONS_MOST = 200_000, 200_000

_TEXT, _LISTED, _NUMBER = Kind(False, TEXTUAL), Kind(False, TEXTUAL + LISTS), Kind(True, NUMERIC)
_ENTITIES = {"attribute": "attribute", "attributes": "attribute", "tag": "tag", "tags": "tag"}
_MODEL_RULES = Rules({"name": _LISTED}, _ENTITIES, {"tag": _TEXT})
_VERSION_RULES = Rules(
    {"name": _LISTED, "run_id": _LISTED, "source_path": _TEXT, "version_number": _NUMBER},
    _ENTITIES,
    {"tag": _TEXT},
)
_MODEL_ORDER = {
    "name": "name",
    "timestamp": "updated",
    "last_updated_timestamp": "updated",
    "creation_timestamp": "created",
}
_VERSION_ORDER = {
    "name": "name",
    "version_number": "number",
    "creation_timestamp": "created",
    "last_updated_timestamp": "updated",
}
_Item = TypeVar("_Item", registry.Known, versions.Known)


def search_models(scope: Scope, message: Message) -> Message:
    """Registered models that match, a page of them."""
    size = page_size(message, MODELS_USUAL, MODELS_MOST)
    match, needed = grammar.parse(message.get("filter", ""), _MODEL_RULES)
    start = offset_of(message.get("page_token"))
    prompts = _wants_prompts(needed)
    name = _only(needed, "name")
    candidates = registry.every(scope) if name is None else _one(registry.look(scope, name))
    found = [
        known
        for known in candidates
        if registry.is_prompt(known) == prompts and match(_looked(known.body.tags, name=known.name))
    ]
    _order(found, message.get("order_by", []), _MODEL_ORDER, {"name": lambda known: known.name})
    page = found[start : start + size]
    return {
        "registered_models": [registry.shown(scope, known) for known in page],
        **_next(len(found), start + size),
    }


def search_versions(scope: Scope, message: Message) -> Message:
    """Model versions that match, a page of them."""
    size = page_size(message, VERSIONS_USUAL, VERSIONS_MOST)
    match, needed = grammar.parse(message.get("filter", ""), _VERSION_RULES)
    start = offset_of(message.get("page_token"))
    prompts = _prompts(scope)
    wanted = _wants_prompts(needed)
    found = [
        known
        for known in _candidates(scope, needed)
        if (known.name in prompts) == wanted
        and match(
            _looked(
                known.body.tags,
                name=known.name,
                run_id=known.body.run or None,
                source_path=known.body.source,
                version_number=known.number,
            )
        )
    ]
    clauses = message.get("order_by", []) or [
        "last_updated_timestamp DESC",
        "name ASC",
        "version_number DESC",
    ]
    usual: dict[str, Callable[[versions.Known], Any]] = {
        "name": lambda k: k.name,
        "number": lambda k: -k.number,
    }
    _order(found, clauses, _VERSION_ORDER, usual)
    page = found[start : start + size]
    return {
        "model_versions": [versions.shown(scope, known) for known in page],
        **_next(len(found), start + size),
    }


def _candidates(scope: Scope, needed: list[Comparison]) -> list[versions.Known]:
    name, run_id = _only(needed, "name"), _only(needed, "run_id")
    if name is not None:
        return versions.of_name(scope, name)
    if run_id is not None and (node := scope.store.runs.find_run(scope.tx, run_id)) is not None:
        return versions.of_run(scope, node)
    return versions.every(scope)


def _only(needed: list[Comparison], key: str) -> str | None:
    """The one value that an attribute must have."""
    for comparison in needed:
        if (comparison.entity, comparison.key, comparison.op) == ("attribute", key, "="):
            return str(comparison.value)
    return None


def _one(known: registry.Known | None) -> list[registry.Known]:
    return [] if known is None else [known]


def _wants_prompts(needed: list[Comparison]) -> bool:
    """Whether prompts are asked for; models and versions of models otherwise."""
    for comparison in needed:
        if (comparison.entity, comparison.key) == ("tag", IS_PROMPT):
            value = str(comparison.value).lower()
            return (comparison.op, value) in {("=", "true"), ("!=", "false")}
    return False


def _prompts(scope: Scope) -> set[str]:
    return {known.name for known in registry.every(scope) if registry.is_prompt(known)}


def _looked(tags: dict[str, str], **attributes: str | float | None) -> grammar.Look:
    def look(entity: str, key: str) -> str | float | None:
        if entity == "tag":
            # A model has no such tag, and is none.
            return tags.get(key, "false" if key == IS_PROMPT else None)
        return attributes[key]

    return look


def _order(
    found: list[_Item],
    clauses: Iterable[str],
    known: dict[str, str],
    usual: dict[str, Callable[[_Item], Any]],
) -> None:
    """Order in place by the clauses, ties as is usual. Raises MlflowError."""
    wanted: dict[str, bool] = {}
    for clause in clauses:
        key, upward = grammar.order_of(clause, known)
        if key in wanted:
            raise invalid(f"`order_by` contains duplicate fields: {key}")
        wanted[key] = upward
    for tie in reversed(usual.values()):
        found.sort(key=tie)
    for key, upward in reversed(wanted.items()):
        found.sort(key=_key(key), reverse=not upward)


def _key(name: str) -> Callable[[Any], Any]:
    if name in {"name", "number"}:
        return lambda known: getattr(known, name)
    return lambda known: getattr(known.body, name)


def _next(count: int, end: int) -> Message:
    return {"next_page_token": token_of(end)} if end < count else {}
