"""Kubeflow Pipelines run locally (`kfp.local`): each component is a run of its own, below the run of the program that started the pipeline.

What goes in and out is told by kfp itself, for its files name outputs alone; the component's own process records into the same run.
"""

from __future__ import annotations

import os
import re

from .. import report
from ..current import journal
from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_STAMP = re.compile(r"(-\d+){6,}$")  # when the pipeline was started, behind its name
_GOVERNING = frozenset({"code", "environment"})  # roles that mean more than the name of an argument may
_KINDS = {"Model": "model", "Dataset": "dataset", "Metrics": "report", "HTML": "report", "Markdown": "report"}


def tasks(module: ModuleType) -> None:
    """After `kfp.local.task_dispatcher`."""
    seam.around(module, "run_single_task_implementation", _task)


def processes(module: ModuleType) -> None:
    """After `kfp.local.subprocess_task_handler`."""
    seam.around(module, "run_local_subprocess", _process)


def _task(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_single_task_implementation(*args: Any, **kwargs: Any) -> Any:
        child = seam.safely(_begun, kwargs)
        try:
            found = original(*args, **kwargs)
        except BaseException as error:
            if child is not None:
                seam.safely(child.end, "failed", None, error)
            raise
        if child is not None:
            seam.safely(_ended, child, found)
        return found

    return run_single_task_implementation


def _process(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_local_subprocess(*args: Any, **kwargs: Any) -> Any:
        run = report.within.run
        if run and len(args) < 2:
            # It takes part in the component's run, which is told of here: its own command line is kfp's matter.
            kwargs["env_vars"] = {**(kwargs.get("env_vars") or {}), "LINEAL_RUN": run, "LINEAL_JOIN": run}
        return original(*args, **kwargs)

    return run_local_subprocess


def _begun(given: dict[str, Any]) -> seam.Child:
    component = str(given.get("component_name") or "").replace("comp-", "", 1)
    started = str(given.get("pipeline_resource_name") or "")
    pipeline = _STAMP.sub("", started)
    job = component if pipeline in {"", component} else f"{pipeline}.{component}"
    child = seam.Child("step", job, name=component, group=started)
    child.enter()
    arguments = {**_defaults(given.get("component_spec")), **(given.get("arguments") or {})}
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        artifacts = [one for one in _several(value) if _is_artifact(one)]
        for artifact in artifacts:
            _tell(child, "use", name, artifact)
        if not artifacts:
            values[name] = value
    child.params(values, "kfp")
    return child


def _ended(child: seam.Child, found: Any) -> None:
    outputs, status = found
    try:
        for name, value in (outputs or {}).items():
            artifacts = [one for one in _several(value) if _is_artifact(one)]
            for artifact in artifacts:
                _made(child, name, artifact)
            if not artifacts:
                child.tag(f"output.{name}", str(report.plain(value)))
    finally:
        child.end("failed" if str(getattr(status, "name", status)) == "FAILURE" else "finished")


def _made(child: seam.Child, name: str, artifact: Any) -> None:
    _tell(child, "save", name, artifact)
    said = {key: value for key, value in dict(artifact.metadata or {}).items() if key != "display_name"}
    if "Metrics" in _type(artifact):
        child.metrics(said)
    for key, value in said.items():
        if isinstance(value, (str, int, float, bool)):
            child.tag(f"{name}.{key}", str(report.plain(value)))


def _tell(child: seam.Child, record: str, name: str, artifact: Any) -> None:
    """That the run reads, or has written, the file or address of an artifact."""
    found = journal()
    if found is None or not child.run:
        return
    role = "" if name in _GOVERNING else name
    kind = _KINDS.get(_type(artifact), "")
    uri = str(artifact.uri)
    about: dict[str, Any] = {"role": role, "name": "", "run": child.run}
    if record == "save" and kind:
        about["kind"] = kind
        about["framework"] = str((artifact.metadata or {}).get("framework") or "declared")
    if "://" in uri:
        found.json(record, uri=uri, **about)
        return
    path = os.path.abspath(uri)
    if os.path.exists(path):
        at = os.stat(path)
        found.json(
            record,
            path=path,
            stat=[at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino, at.st_dev],
            **about,
        )


def _defaults(spec: Any) -> dict[str, Any]:
    """What parameters are where the pipeline gives none."""
    definitions = getattr(spec, "input_definitions", None)
    if definitions is None:
        return {}
    found: dict[str, Any] = {}
    for name, definition in definitions.parameters.items():
        if definition.HasField("default_value"):
            value = definition.default_value
            kind = value.WhichOneof("kind")
            if kind in {"number_value", "string_value", "bool_value"}:
                said = getattr(value, kind)
                found[name] = int(said) if kind == "number_value" and said == int(said) else said
    return found


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_artifact(value: Any) -> bool:
    return hasattr(value, "uri") and hasattr(value, "metadata")


def _type(artifact: Any) -> str:
    """`Model`, of `system.Model`."""
    return str(getattr(artifact, "schema_title", "") or type(artifact).__name__).rpartition(".")[2]
