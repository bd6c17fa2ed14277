"""What MLflow takes as names and how long things may be, with the words in which it refuses."""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from typing import Any

from lineal.doors.mlflow.errors import MlflowError, invalid

KEY = 250  # characters of the key of a parameter, tag or metric
PARAM_SHOWN = 6000  # characters of a parameter that this protocol carries; all of it is kept
TAG_SHOWN = 8000
EXPERIMENT_NAME = 500
EXPERIMENT_TAG = 20_000
LONGEST_VALUE = 1_000_000  # characters of a parameter or tag; a request is not longer
METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
BATCH = 1000
BATCH_BYTES = 1_000_000
DATASETS_PER_BATCH = 1000
DATASET = {"name": 500, "digest": 36, "schema": 1_048_575, "source": 65_535, "profile": 16_777_215}
INPUT_TAG_KEY, INPUT_TAG_VALUE = 255, 500
LATEST_MS = 2**63 // 1000 - 1  # a later time does not fit the record's microseconds

_KEY = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def key(name: str, path: str, what: str) -> str:
    """The key of a metric, parameter or tag. Raises MlflowError: it has other characters, is a path in disguise, too long."""
    if not _KEY.fullmatch(name):
        raise invalid(
            _refused(path, name)
            + ": Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
            "spaces ( ), colon(:) and slashes (/)."
        )
    norm = posixpath.normpath(name)
    if norm != name or norm == "." or norm.startswith(("..", "/")):
        raise invalid(
            _refused(path, name)
            + ": Names may be treated as files in certain cases, and must not resolve to other names"
            f" when treated as such. This name would resolve to {norm!r}"
        )
    return within(name, KEY, what)


def within(value: str, most: int, what: str) -> str:
    """The text itself. Raises MlflowError: it is longer than `most` characters."""
    if len(value) > most:
        raise invalid(f"'{what}' exceeds the maximum length of {most} characters")
    return value


def run_id(text: str) -> str:
    """The text itself. Raises MlflowError: no run can have such an id."""
    if not _RUN_ID.fullmatch(text):
        raise invalid(_refused("run_id", text))
    return text


def visible(name: str, what: str) -> str:
    """A name in Unicode's composed form. Raises MlflowError: it holds characters that are not seen or that reorder it."""
    composed = unicodedata.normalize("NFC", name)
    for char in composed:
        if char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}:
            raise invalid(f"Invalid {what}: it contains the invisible character U+{ord(char):04X}")
    return composed


def experiment_name(name: str) -> str:
    """The name as it is kept. Raises MlflowError."""
    if not name.strip():
        raise invalid(f"Invalid experiment name: '{name}'")
    return within(visible(name, "experiment name"), EXPERIMENT_NAME, "name")


def millis(value: int, path: str) -> int:
    """A time. Raises MlflowError: it is too far from 1970 to be one in milliseconds."""
    if abs(value) > LATEST_MS:
        raise invalid(f"{_refused(path, value)}: times are milliseconds since 1970")
    return value


def location(uri: str) -> str:
    """Where a client keeps artifacts: text that this server never follows.

    Raises MlflowError: it names a place on a machine's disk, or hides one.
    """
    uri = visible(within(uri, 2048, "artifact_location"), "artifact_location")
    scheme = uri.partition(":")[0].lower() if "://" in uri or ":/" in uri else ""
    plain = uri.replace("\\", "/").lower()
    for _ in range(3):
        plain = re.sub(r"%([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), plain)
    hidden = ".." in plain.split("/") or "\x00" in plain or any(mark in plain for mark in "#?;")
    if (
        hidden
        or scheme in {"file", "runs", "models"}
        or uri.startswith(("/", "~", "\\"))
        or re.match("[a-z]:", plain)
    ):
        raise MlflowError(
            "INVALID_PARAMETER_VALUE",
            f"{_refused('artifact_location', uri)}: a server does not write below paths that clients name",
            hint="leave it out, and artifacts go through the server; or name a bucket, as s3://bucket/path",
        )
    return uri


def _refused(path: str, value: Any) -> str:
    shown = json.dumps(value)
    return (
        f"Invalid value {shown if len(shown) < 500 else shown[:500] + '...'} for parameter '{path}' supplied"
    )
