"""The rules by which reports of different sources meet in one vertex. All of them stand here, and in docs/why/meeting.md.

A rule says that two vertices are one; it never says so from a name alone, nor from equal bytes in two artifacts, nor from a
sample or a short digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from lineal.core.events import Level, Reference

NATIVE_REFERENCE = "native-reference"
SAME_HASH = "same-hash"
SYMLINK = "symlink"
MLFLOW_RUN_ID = "mlflow-run-id"
OPENLINEAGE_RUN_ID = "openlineage-run-id"
KFP_RUN_ID = "kfp-run-id"
BY_HAND = "by-hand"

RULES: dict[str, str] = {
    NATIVE_REFERENCE: "both carry the same version of the store that keeps the data (a table's version, a commit, an object's version)",
    SAME_HASH: "both are versions of one artifact and carry the same hash of all its bytes, though each is identified by another one",
    SYMLINK: "one name was declared to be another name of the same dataset, and both are the same version of it",
    MLFLOW_RUN_ID: "a facet or tag of one run names the other by its MLflow run id",
    OPENLINEAGE_RUN_ID: "a facet or tag of one run names the other by its OpenLineage run id",
    KFP_RUN_ID: "a facet or tag of one run names the other by its Kubeflow Pipelines run id",
    BY_HAND: "somebody said so: `lineal same`",
}

# Bytes that are equal are no reason, and what is only declared or sampled is none either.
_SAME_SCHEMES_ONLY = frozenset({"sha256", "frame1", "mlflow-digest", "md5", "crc32", "etag"})
_HASHES = frozenset({"dvc-md5"})  # by which one source identifies what others identify by SHA-256
_TABLES = frozenset({"delta", "iceberg"})  # named by the table's own id, which no other table has
_SYSTEMS = {
    "mlflow": MLFLOW_RUN_ID,
    "openlineage": OPENLINEAGE_RUN_ID,
    "kfp": KFP_RUN_ID,
    "kubeflow": KFP_RUN_ID,
}
_RUN_KEYS = frozenset({"runid", "rootrunid", "runuuid"})
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DEEPEST, _MOST = 8, 2000  # levels and values of a facet that are looked at


def joining(reference: Reference) -> bool:
    """Whether two versions that carry this reference are one: it is a version given by the store that keeps the data."""
    return (
        reference.level == Level.NATIVE
        and reference.scheme not in _SAME_SCHEMES_ONLY
        and bool(reference.value)
    )


def identifying(reference: Reference) -> bool:
    """Whether two versions of one artifact that carry this reference are one: it is a hash of all its bytes."""
    return reference.level == Level.CONTENT and reference.scheme in _HASHES and bool(reference.value)


def contradict(one: Iterable[Reference], other: Iterable[Reference]) -> bool:
    """Whether the native names of two versions exclude that they are one: both are versions of a table by its own id, and no
    such name is common to them."""
    mine, theirs = (
        {(item.scheme, item.value) for item in items if item.scheme in _TABLES and joining(item)}
        for items in (one, other)
    )
    schemes = {scheme for scheme, _ in mine} & {scheme for scheme, _ in theirs}
    return bool(schemes) and not mine & theirs


def mentioned_in_facet(name: str, body: Any) -> Iterator[tuple[str, str, str]]:
    """(rule, run id as 32 hex digits, where it stands) of every run of another system that a facet names.

    A run id counts where a key on the way to it, or the facet itself, is called after the system: `mlflow.run_id`,
    `plugins_output.mlflow.entries.root_run_id.value`, `mlflowRunId`.
    """
    if "parent" in name.lower():
        return
    stack: list[tuple[str, Any, str, bool, int]] = [(name, body, _system(name), False, 0)]
    looked = 0
    while stack and looked < _MOST:
        path, value, rule, is_run, depth = stack.pop()
        looked += 1
        if isinstance(value, Mapping) and depth < _DEEPEST:
            for key, inner in value.items():
                if "parent" in str(key).lower():
                    continue
                plain = re.sub(r"[^a-z]", "", str(key).lower())
                system = _system(str(key)) or rule
                runs = any(plain == known or plain.endswith(known) for known in _RUN_KEYS)
                stack.append(
                    (f"{path}.{key}", inner, system, runs or (is_run and plain == "value"), depth + 1)
                )
        elif isinstance(value, list) and depth < _DEEPEST:
            stack.extend((path, inner, rule, is_run, depth + 1) for inner in value)
        elif rule and is_run and isinstance(value, str) and _ID.fullmatch(value):
            yield rule, value.replace("-", "").lower(), path


def mentioned_in_tag(key: str, value: str) -> Iterator[tuple[str, str, str]]:
    """(rule, run id, where it stands) of the run that a tag names: `openlineage.run_id`, `mlflow.run_id`, `kfp.run_id`.

    Parents are no joins: `mlflow.parentRunId` names another run on purpose.
    """
    if (rule := _rule_of_tag(key)) and _ID.fullmatch(value):
        yield rule, value.replace("-", "").lower(), f"tag {key}"


@lru_cache(maxsize=1024)
def _rule_of_tag(key: str) -> str:
    plain = re.sub(r"[^a-z]", "", key.lower())
    names_run = any(plain.endswith(known) for known in _RUN_KEYS) and "parent" not in plain
    return _system(key) if names_run else ""


def _system(name: str) -> str:
    lowered = name.lower()
    return next((rule for system, rule in _SYSTEMS.items() if system in lowered), "")


def components(pairs: Mapping[tuple[int, int], object] | set[tuple[int, int]]) -> dict[int, int]:
    """By vertex of the pairs, the least of those it is connected with. The plain form of what a store keeps up to date."""
    first: dict[int, int] = {}

    def find(node: int) -> int:
        while first.setdefault(node, node) != node:
            first[node] = first[first[node]]
            node = first[node]
        return node

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        first[high] = low
    return {node: find(node) for node in list(first)}
