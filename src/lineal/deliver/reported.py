"""What frameworks reported of a run: points of runs within it, models and which checkpoint became one."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.core import events as ev
from lineal.resolve.project import artifact_name

if TYPE_CHECKING:
    from lineal.deliver.story import Story

MOST_INPUTS = 2000  # features of one model


def points(story: Story, _journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """Points of a run that lives inside another one's process: a list of key, step, value."""
    found = [
        (_text(key), int(step), float(value))
        for key, step, value in record.get("points") or []
        if key is not None
    ]
    if not found:
        return []
    keys = list(dict.fromkeys(key for key, _, _ in found))
    size = len(found)
    return [
        ev.MetricPoints(
            run=story.run,
            keys=keys,
            key=struct.pack(f"<{size}I", *(keys.index(key) for key, _, _ in found)),
            step=struct.pack(f"<{size}q", *(step for _, step, _ in found)),
            at=struct.pack(f"<{size}q", *([int(record["at"])] * size)),
            value=struct.pack(f"<{size}d", *(value for _, _, value in found)),
        )
    ]


def model(story: Story, _journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """A file or folder holds a model."""
    about = _about(record)
    if isinstance(record.get("checkpoint"), dict):
        about["checkpoint"] = record["checkpoint"]
    story.tracker.model(_path(record["path"]), about)
    origin = record.get("origin")
    if isinstance(origin, dict) and origin.get("checkpoint"):
        lib = _text(origin.get("lib") or "")
        story.tracker.origins.said(_path(record["path"]), _path(origin["checkpoint"]), lib)
    return []


def dumped(story: Story, _journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """Bytes with this digest hold a model, wherever they may have been written."""
    story.tracker.dumped[str(record["sha256"])] = _about(record)
    return []


def best(story: Story, _journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """Of the checkpoints written, this one is the model; `monitor` is the metric that decided, `score` its value."""
    chosen = {"best": True, "monitor": record.get("monitor") or None, "score": record.get("score")}
    story.tracker.chosen(
        _path(record["path"]), {key: value for key, value in chosen.items() if value is not None}
    )
    return []


def notebook(story: Story, _journal: str, record: dict[str, Any]) -> list[ev.Event]:
    """A notebook was executed, and a copy of it lies beside the journal."""
    story.notebooks[str(record["copy"])] = record
    return []


def executed(story: Story, put: Callable[[bytes], str], at: int) -> list[ev.Event]:
    """The executed notebooks: kept bytes, the facet that names them, and a report of each that was written nowhere else."""
    kept: list[dict[str, Any]] = []
    found: list[ev.Event] = []
    written = any(path.endswith(b".ipynb") for path in story.tracker.written())
    for copy, record in story.notebooks.items():
        try:
            with open(copy, "rb") as file:
                data = file.read()
        except OSError:
            continue
        _, name = artifact_name(story.project, _path(record["path"]))
        digest = put(data)
        about = {"path": name, "sha256": digest, "cells": record.get("cells"), "failed": record.get("failed")}
        kept.append(about)
        if not written:
            state = ev.VersionState(
                namespace=story.project.name,
                name=f"{name}#executed",
                kind="report",
                digest=digest,
                size=len(data),
                facets={"lineal.notebook/1": msgspec.Raw(msgspec.json.encode({"notebooks": [about]}))},
            )
            found.append(
                ev.VersionGenerated(run=story.run, version=state, at=at, role="report", via=["nbclient"])
            )
    if kept:
        body = msgspec.Raw(msgspec.json.encode({"notebooks": kept}))
        found.append(ev.FacetSet(run=story.run, name="lineal.notebook/1", body=body, at=at))
    return found


def _about(record: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {
        key: _text(record[key]) for key in ("framework", "class", "lib") if record.get(key)
    }
    inputs = [
        {"name": _text(item[0]), "type": _text(item[1])}
        for item in (record.get("inputs") or [])[:MOST_INPUTS]
        if isinstance(item, list) and len(item) == 2
    ]
    if inputs:
        about["inputs"] = inputs
    return about


def _path(path: Any) -> bytes:
    return path if isinstance(path, bytes) else os.fsencode(str(path))


def _text(value: Any) -> str:
    return os.fsencode(str(value)).decode("utf-8", "backslashreplace")
