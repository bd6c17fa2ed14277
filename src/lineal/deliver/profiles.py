"""Profiles of tables that a run reads or writes: the facet `lineal.profile/1`.

A Parquet file's footer is read always; one pass by Polars follows where it is installed (`pip install 'lineal[data]'`), in a
process of its own that is ended when it takes too long. What was profiled once is remembered by its digest, so that a
sweep over one table pays once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

import msgspec

from lineal.capture import redact
from lineal.core.drift import withheld
from lineal.core.events import Member
from lineal.deliver import parquet_folder, parquet_footer
from lineal.deliver.fingerprint import Fingerprint
from lineal.deliver.kinds import extension

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv"}
MOST_FILES = 64  # of one delivery: a folder of thousands is data, not tables
MOST_SCANNED = 2000  # files of one folder whose rows are looked at
LIMIT_S = 10.0  # seconds for one file
MOST_TIMES = 3  # so many times as long may all tables of one delivery take
KEPT = 500  # profiles remembered
WANTED = "pip install 'lineal[data]'"


def limit_s() -> float:
    """Seconds that the pass over one table may take: LINEAL_PROFILE, else ten; 0: no pass at all."""
    try:
        return max(0.0, float(os.environ["LINEAL_PROFILE"]))
    except (KeyError, ValueError):
        return LIMIT_S


class Profiles:
    """Profiles each content once. folder: where they are remembered."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: dict[str, msgspec.Raw | None] = {}
        self._passes = Passes()

    def close(self) -> None:
        """End the process that passes over tables."""
        self._passes.close()

    def of(self, path: bytes, content: Fingerprint) -> msgspec.Raw | None:
        """The facet of the content that the path holds now; None when it is no table or cannot be read as one."""
        digest, form = content.sha256, FORMATS.get(extension(path))
        files = parquet_folder.parts(content.members)
        if (
            digest is None
            or not content.size
            or (form is None and not files)
            or (content.members and not files)
        ):
            return None
        if digest not in self._made:
            if len(self._made) >= MOST_FILES:
                return None
            body = self._remembered(digest) or self._fresh(
                path, form or "parquet", content.size, digest, files
            )
            self._made[digest] = msgspec.Raw(body) if body else None
        return self._made[digest]

    def _fresh(self, path: bytes, form: str, size: int, digest: str, files: Sequence[Member]) -> bytes | None:
        if files:
            found, lasting = profile_of_folder(path, files, size, self._passes)
        else:
            found, lasting = profile_of(path, form, size, self._passes)
        if found is None:
            return None
        body = msgspec.json.encode(found)
        if lasting:
            self._remember(digest, body)
        return body

    def _remembered(self, digest: str) -> bytes | None:
        try:
            with open(os.path.join(self._folder, digest), "rb") as file:
                body = file.read()
            msgspec.json.decode(body)
        except (OSError, msgspec.DecodeError):
            return None
        return body

    def _remember(self, digest: str, body: bytes) -> None:
        try:
            os.makedirs(self._folder, exist_ok=True)
            names = os.listdir(self._folder)
            if len(names) >= KEPT:
                for name in names[: KEPT // 2]:
                    os.unlink(os.path.join(self._folder, name))
            path = os.path.join(self._folder, digest)
            with open(path + ".new", "wb") as file:
                file.write(body)
            os.replace(path + ".new", path)
        except OSError:
            pass  # made again the next time


def profile_of(path: bytes, form: str, size: int, passes: Passes) -> tuple[dict[str, Any] | None, bool]:
    """(the profile, whether it would be the same the next time); None when nothing can be said of the file."""
    found: dict[str, Any] = {"format": "csv" if form == "tsv" else form}
    if form == "parquet":
        try:
            found |= {**parquet_footer.footer(path), "by": "parquet footer"}
        except (parquet_footer.NotParquet, OSError):
            return None, False
    columns = {column["name"]: column for column in found.get("columns", [])}
    passed, reason = passes.over(path, form, size, found.get("rows"))
    return _together(found, columns, passed, reason)


def profile_of_folder(
    folder: bytes, files: Sequence[Member], size: int, passes: Passes
) -> tuple[dict[str, Any] | None, bool]:
    """The same of a table that is a folder of Parquet files, `size` bytes together."""
    told = parquet_folder.footers(folder, files, time.monotonic() + max(limit_s(), 1.0))
    if told is None:
        return None, False
    found: dict[str, Any] = {"format": "parquet", **told}
    columns = {column["name"]: column for column in found["columns"]}
    paths = [os.path.join(folder, os.fsencode(member.path)) for member in files[:MOST_SCANNED]]
    if len(paths) < len(files):
        passed, reason = None, f"a table of {len(files)} files: their rows were not looked at"
    else:
        passed, reason = passes.over_all(paths, size, found.get("rows"))
    return _together(found, columns, passed, found.get("reason") or reason)


def _together(
    found: dict[str, Any], columns: dict[str, dict[str, Any]], passed: dict[str, Any] | None, reason: str
) -> tuple[dict[str, Any] | None, bool]:
    """What the footer and the pass over the rows say, as one profile."""
    if passed is None:
        if not columns and WANTED not in reason:
            return None, False
        found["reason"] = reason
    else:
        for column in passed["columns"]:
            known = columns.setdefault(column["name"], {})
            kept = (
                "nulls",
                "min",
                "max",
                "nullable",
                "partition",
                "distinct" if "partition" in known else "",
            )
            exact = {key: known[key] for key in kept if key in known}
            known.update({**column, **exact})
        by = [text for text in (found.get("by"), passed["by"]) if text]
        rows = found.get("rows", passed["rows"])
        found |= {
            "rows": rows,
            "rows_read": passed["rows_read"],
            "sample": passed["sample"],
            "by": ", ".join(by),
        }
    found["columns"] = [_discreet(column) for column in columns.values()]
    found.pop("complete", None)
    return found, passed is not None


class Passes:
    """The process that passes over tables, started at the first one and ended with `close`. Use as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._spent_s = 0.0

    def over(self, path: bytes, form: str, size: int, rows: int | None) -> tuple[dict[str, Any] | None, str]:
        """(what a pass over the file found, why there was none)."""
        return self._over({"path": os.fsdecode(path), "format": form, "size": size, "rows": rows})

    def over_all(
        self, paths: Sequence[bytes], size: int, rows: int | None
    ) -> tuple[dict[str, Any] | None, str]:
        """The same over the Parquet files of one table."""
        names = [os.fsdecode(path) for path in paths]
        return self._over({"path": names, "format": "parquet", "size": size, "rows": rows})

    def _over(self, request: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        allowed = limit_s()
        if not allowed:
            return None, "switched off by LINEAL_PROFILE=0"
        if importlib.util.find_spec("polars") is None:
            return None, f"its values were not looked at; for that: {WANTED}"
        if self._spent_s > MOST_TIMES * allowed:
            return None, f"the tables before it took {self._spent_s:.0f} s in all (LINEAL_PROFILE)"
        begun = time.monotonic()
        try:
            return self._ask(request, allowed)
        except (OSError, ValueError):
            self.close()
            return None, "its rows could not be read"
        finally:
            self._spent_s += time.monotonic() - begun

    def _ask(self, request: dict[str, Any], allowed: float) -> tuple[dict[str, Any] | None, str]:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], allowed)
        if not ready:
            self.close()
            return None, f"the pass over its rows took longer than {allowed:g} s (LINEAL_PROFILE)"
        found = json.loads(process.stdout.readline())
        return (found, "") if found is not None else (None, "its rows could not be read")

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": ""}
        environment.pop("LINEAL_RUN", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lineal.deliver.profile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        return self._process

    def close(self) -> None:
        """End the process, whatever it is at."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _discreet(column: dict[str, Any]) -> dict[str, Any]:
    """The column without values, where its name or its values look like secrets or name somebody; else with each redacted."""
    name = str(column["name"])
    why = "secret" if str(redact.value(name, "x")).startswith("[REDACTED") else withheld(column)
    if why:
        kept = {
            k: v
            for k, v in column.items()
            if k not in ("min", "max", "mean", "std", "edges", "counts", "top", "other")
        }
        return {**kept, "withheld": why}
    clean = dict(column)
    for key in ("min", "max"):
        if isinstance(clean.get(key), str):
            clean[key] = redact.text(clean[key])[0]
    if "top" in clean:
        clean["top"] = [[redact.text(v)[0] if isinstance(v, str) else v, n] for v, n in clean["top"]]
    return clean
