"""Requests that tests send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineal.core import events as ev
from lineal.resolve.project import Project
from lineal.service.ingest import IngestRequest
from lineal.service.remote import RemoteClient
from tests.server.serving import Serving

API = "/api/lineal/v1"


def client(serving: Serving, **more: Any) -> RemoteClient:
    folder: Path = serving.folder
    return RemoteClient(serving.url, project=Project(str(folder), str(folder / ".lineal")), **more)


def started(run: int, job: str = "train") -> ev.RunStarted:
    return ev.RunStarted(run=f"{run:032x}", namespace="shop", job=job, at=1_700_000_000_000_000 + run)


def ingest(*events: ev.Event, source: str = "test", start: int = 0, position: int = 0) -> IngestRequest:
    batch = ev.Batch(
        door="test", source=source, start=start, position=position, digest="", actor="me", events=list(events)
    )
    return IngestRequest(batches=[batch])
