"""Inputs and outputs that a program declares: paths and URIs, frames by their content, and objects, which are written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lineal.sdk import frame

if TYPE_CHECKING:
    from lineal.resolve.project import Project

Tell = Callable[..., object]


def declare(
    tell: Tell,
    project: Project | None,
    run: str,
    type: str,
    op: str,
    what: Any,
    role: str,
    name: str,
    kind: str,
) -> Any:
    """Record that the run reads (`op` read) or wrote `what`; gives back the path where an object was written, else `what`."""
    if isinstance(what, (str, bytes, os.PathLike)):
        _path(tell, type, what, role, name, kind)
        return what
    if frame.is_frame(what):
        found = frame.digest(what)
        columns = [[column.name, column.type, column.digest] for column in found.columns]
        fields = {"digest": found.digest, "columns": columns, "rows": found.rows, "reason": found.reason}
        tell("frame", name=name or "frame", role=role, op=op, kind=kind or "dataset", sampled=False, **fields)
        return what
    if type == "use":
        raise TypeError("what a run uses is a path, a URI or a data frame")
    if project is None:
        return what
    return _object(tell, project, run, what, role, name, kind)


def _path(
    tell: Tell, type: str, what: str | bytes | os.PathLike[Any], role: str, name: str, kind: str
) -> None:
    text = os.fsdecode(os.fspath(what))
    more = {"kind": kind} if type == "save" else {}
    if "://" in text and not text.startswith("file://"):
        from lineal.capture import redact

        tell(type, uri=redact.uri(text), role=role, name=name, **more)
        return
    path = os.path.abspath(text.removeprefix("file://"))
    try:
        found = os.stat(path)
        more["stat"] = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]  # type: ignore[assignment]
    except OSError:
        pass
    tell(type, path=path, role=role, name=name, **more)


def _object(tell: Tell, project: Project, run: str, what: Any, role: str, name: str, kind: str) -> str:
    """Write an object as its framework does and declare the file; gives back its path."""
    is_model, framework, cls = _kind(what)
    title = name or type(what).__name__
    folder = os.path.join(project.dir, "saved", run)
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, re.sub(r"[^\w.-]+", "-", title).strip(".-") or "object")
    path = _write(what, framework, stem)
    model = is_model or kind == "model"
    described = {"framework": framework, "class": cls}
    if model:
        tell("model", path=path, lib="lineal.save", **described)
    tell(
        "save",
        path=path,
        name=title,
        kind="model" if model else kind,
        role="model" if model else role,
        **described,
    )
    return path


def _kind(what: Any) -> tuple[bool, str, str]:
    """(is a model, framework, full name of the class)."""
    kind = type(what)
    name = f"{kind.__module__}.{kind.__qualname__}"
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        if (package, base.__name__) in (("torch", "Module"), ("xgboost", "Booster"), ("lightgbm", "Booster")):
            return True, package, name
        if (package, base.__name__) in (("sklearn", "BaseEstimator"), ("keras", "Model")):
            return True, kind.__module__.partition(".")[0] if package == "sklearn" else package, name
    return hasattr(kind, "fit") and hasattr(kind, "predict"), kind.__module__.partition(".")[0], name


def _write(what: Any, framework: str, stem: str) -> str:
    if isinstance(what, (bytearray, memoryview)):
        with open(stem + ".bin", "wb") as file:
            file.write(what)
        return stem + ".bin"
    if framework == "torch":
        sys.modules["torch"].save(what, stem + ".pt")
        return stem + ".pt"
    if framework in ("xgboost", "lightgbm") and type(what).__name__ == "Booster":
        path = stem + (".ubj" if framework == "xgboost" else ".txt")
        what.save_model(path)
        return path
    if framework == "keras":
        what.save(stem + ".keras")
        return stem + ".keras"
    if "joblib" in sys.modules:
        sys.modules["joblib"].dump(what, stem + ".joblib")
        return stem + ".joblib"
    import pickle

    with open(stem + ".pkl", "wb") as file:
        pickle.dump(what, file)
    return stem + ".pkl"
