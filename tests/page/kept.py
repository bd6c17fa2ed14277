"""Runs with kept bytes: what they printed, the notebooks they executed, the files they wrote."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import msgspec

from lineal.core import events as ev
from tests.page.seeding import T, opened, started
from tests.server.making import ingest
from tests.server.serving import Serving


def png(width: int = 40, height: int = 20) -> bytes:
    """A picture."""
    rows = b"".join(b"\0" + bytes([n % 256 for n in range(width * 3)]) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def notebook() -> bytes:
    """An executed notebook that printed, drew, tried to bring in a script, and failed."""
    hostile = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["fitted \u001b[32mwell\u001b[0m\n"]},
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(png()).decode()}},
        {"output_type": "execute_result", "data": {"text/html": hostile}},
        {"output_type": "display_data", "data": {"image/svg+xml": hostile}},
        {"output_type": "error", "traceback": ["\u001b[31mValueError\u001b[0m: no more"]},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Training\n", hostile]},
        {"cell_type": "code", "execution_count": 3, "source": "model.fit(x, y)", "outputs": outputs},
    ]
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode()


def wrote(
    served: Serving,
    run: int,
    files: dict[str, bytes],
    *,
    facets: dict[str, Any] | None = None,
    keep: bool = True,
) -> None:
    """A finished run that wrote files whose bytes are kept, with facets."""
    id = f"{run:032x}"
    with opened(served) as remote:
        events: list[ev.Event] = [started(run, "wrote.py")]
        for name, data in files.items():
            digest = remote.blobs.put(data) if keep else f"sha256:{run:064x}"
            state = ev.VersionState(namespace="shop", name=name, kind="report", digest=digest, size=len(data))
            events.append(ev.VersionGenerated(run=id, version=state, at=T + 2))
        for name, body in (facets or {}).items():
            events.append(ev.FacetSet(run=id, name=name, body=raw(body), at=T + 2))
        events.append(ev.RunEnded(run=id, state=ev.State.FINISHED, at=T + 9_000_000))
        remote.call("ingest", ingest(*events, source=f"wrote {run}"))


def put(served: Serving, data: bytes) -> str:
    """Keep bytes; their digest."""
    with opened(served) as remote:
        return str(remote.blobs.put(data))


def raw(body: Any) -> msgspec.Raw:
    """A facet's body."""
    return msgspec.Raw(json.dumps(body).encode())


def printed(served: Serving, text: str) -> dict[str, Any]:
    """The facet of a run that printed a text."""
    data = text.encode()
    one = {
        "pid": 7,
        "command": ["train.py"],
        "main": True,
        "bytes": len(data),
        "cut": 0,
        "sha256": put(served, data),
    }
    return {"processes": [one], "left_out": 0}
