"""Where a registered version says that it comes from: text that is checked and understood, and never followed.

`runs:/ID/path`, `models:/m-ID` and `mlflow-artifacts:/...` name what is recorded here; other addresses are kept as they are
written. A place on a machine's disk is refused: whoever loads the model would read there.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from lineal.doors.mlflow import limits, paths
from lineal.doors.mlflow.errors import MlflowError, invalid

RUN, MODEL, VERSION, OTHER, PROMPT = "run", "model", "version", "other", "prompt"
IS_PROMPT = "mlflow.prompt.is_prompt"

_PLACEHOLDERS = frozenset({"dummy-source", "prompt-template"})
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]+):")
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_LONGEST = 2048


class Source(msgspec.Struct, frozen=True):
    """What an address names.

    kind: RUN (id: the run, path: below its files), MODEL (id: the logged model, path: below its files), VERSION (id: the
    registered name, path: what selects its version), PROMPT or OTHER.
    """

    kind: str
    uri: str
    id: str = ""
    path: str = ""


def parse(uri: str, *, prompt: bool) -> Source:
    """What an address names. Raises MlflowError: it names a disk, or hides where it leads."""
    if prompt:
        if uri not in _PLACEHOLDERS:
            raise invalid(
                f"Invalid prompt source: '{uri[:200]}'. Prompt sources must use an MLflow placeholder."
            )
        return Source(PROMPT, uri)
    _refuse_hidden(uri)
    found = _SCHEME.match(uri)
    assert found is not None
    scheme = found[1].lower()
    if scheme == "runs":
        id, _, path = _path(uri).partition("/")
        if not id:
            raise refused(uri, "run_id")
        return Source(RUN, uri, id, path)
    if scheme == "models":
        return _model(uri)
    below = _proxied(uri, scheme)
    if below is None:
        return Source(OTHER, uri)
    place = paths.place_of(paths.checked(below))
    if place.kind == paths.RUN:
        return Source(RUN, uri, place.owner, place.path)
    if place.kind == paths.MODEL:
        return Source(MODEL, uri, place.owner, place.path)
    raise refused(uri, "run_id")


def refused(uri: str, name: str) -> MlflowError:
    """That the request does not name what the source lies in."""
    return invalid(
        f"Invalid model version source: '{uri[:500]}'. The {name} request parameter must identify the resource that "
        "contains the source."
    )


def _refuse_hidden(uri: str) -> None:
    """Raises MlflowError: quoted or not, it is a path on a disk, or leads elsewhere than it seems to."""
    limits.visible(limits.within(uri, _LONGEST, "source"), "model version source")
    for spelling in paths.spellings(uri):
        scheme = _SCHEME.match(spelling)
        parts = re.split(r"[/\\]", spelling)
        if (
            scheme is None
            or scheme[1].lower() == "file"
            or spelling != spelling.strip()
            or "\\" in spelling
            or "\x00" in spelling
            or any(part.strip() in {".", ".."} for part in parts)
        ):
            raise invalid(
                f"Invalid model version source: '{uri[:500]}'. To use a local path as a model version source, log the "
                "files as artifacts of a run or model first; an address must be absolute, without relative references."
            )


def _path(uri: str) -> str:
    """What follows the scheme. Raises MlflowError: a host stands there."""
    rest = uri.partition(":")[2]
    if rest.startswith("//") and not rest.startswith("///"):
        raise refused(uri, "run_id" if uri.lower().startswith("runs") else "model_id")
    return rest.strip("/")


def _model(uri: str) -> Source:
    path = _path(uri)
    first, slash, rest = path.partition("/")
    if _MODEL_ID.fullmatch(first):
        return Source(MODEL, uri, first, rest)
    if not slash and "@" in first:
        name, _, alias = first.rpartition("@")
        if name and alias:
            return Source(VERSION, uri, name, "@" + alias)
    if first and rest and "/" not in rest:
        return Source(VERSION, uri, first, rest)
    raise refused(uri, "model_id")


def _proxied(uri: str, scheme: str) -> str | None:
    """The path below the root of all artifacts when the address leads through this or another MLflow server."""
    if scheme == "mlflow-artifacts":
        return paths.root_of(uri) or ""
    if scheme in {"http", "https"}:
        for spelling in paths.spellings(urlsplit(uri).path):
            path = re.sub(r"/+", "/", spelling)
            if _PROXY in path:
                return path.partition(_PROXY)[2].strip("/")
    return None
