"""Taking part in a run that was begun elsewhere: LINEAL_JOIN names it, for the workers of Dask, Ray and the like."""

from __future__ import annotations

import os

from ..journal.ids import run_id


def run() -> str:
    """The run that LINEAL_JOIN names, "" when it is not set. Raises ValueError: it is no run's id."""
    named = os.environ.get("LINEAL_JOIN", "")
    return run_id(named) if named else ""


def shared(directory: str, run: str) -> bool:
    """Whether the run's own wrapper keeps its journal in this very folder, so that it delivers ours too."""
    from ..journal.read import Record, read

    try:
        names = [name for name in os.listdir(directory) if name.endswith(".lj")]
    except OSError:
        return False
    for name in names:
        try:
            frames, _, _ = read(os.path.join(directory, name), 0, 1 << 16)
        except OSError:
            continue
        if any(
            isinstance(f, Record) and f.type == "run" and f.fields.get("run", "") in ("", run)
            for f in frames[1:4]
        ):
            first = frames[0]
            if isinstance(first, Record) and first.fields.get("run") == run:
                return True
    return False
