"""What a run printed, for `lineal show RUN --console`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from lineal.cli import exits
from lineal.core.errors import Invalid, LinealError
from lineal.service.show import RunDetail, Shown


def answer(shown: Shown, get: Callable[[str], bytes], *, as_json: bool) -> None:
    """Write it to stdout as it was kept; of several processes each under a line that names it.

    Raises Invalid: it is no run.
    """
    if not isinstance(shown, RunDetail):
        raise Invalid(f"{shown.ref} is a version, and only runs print", hint="name a run: run:ID")
    facet = shown.facets.get("lineal.console/1") or shown.facets.get("lineal.console_tail/1")
    processes: list[dict[str, Any]] = facet.get("processes", []) if isinstance(facet, dict) else []
    texts = [_text(process, get) for process in processes]
    if as_json:
        told = [{**process, "text": text} for process, text in zip(processes, texts, strict=True)]
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    if not processes:
        exits.warn("nothing that it printed was recorded")
    for process, text in zip(processes, texts, strict=True):
        if len(processes) > 1:
            words = " ".join(str(word) for word in process.get("command") or [])
            sys.stdout.write(f"[lineal: process {process.get('pid')}: {words}]\n")
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    if left := (facet or {}).get("left_out"):
        exits.warn(f"{left:,} more processes printed something, which was not kept")


def notebook(shown: Shown, get: Callable[[str], bytes]) -> None:
    """Write the notebook that a run executed, the last of several, to stdout.

    Raises Invalid: it executed none.
    """
    facet = shown.facets.get("lineal.notebook/1")
    kept = facet.get("notebooks", []) if isinstance(facet, dict) else []
    if not kept:
        raise Invalid(
            "no executed notebook is kept of that", hint="name a run of `lineal run jupyter execute X.ipynb`"
        )
    sys.stdout.buffer.write(get(str(kept[-1].get("sha256"))))


def _text(process: dict[str, Any], get: Callable[[str], bytes]) -> str:
    if process.get("binary"):
        return f"[lineal: {process.get('bytes', 0):,} bytes that are no text]\n"
    if isinstance(process.get("text"), str):  # the end of what a run that goes on printed so far
        return str(process["text"])
    digest = process.get("sha256")
    if not isinstance(digest, str):
        return ""
    try:
        return get(digest).decode("utf-8", "replace")
    except LinealError as error:
        return f"[lineal: not kept any more: {error.message}]\n"
