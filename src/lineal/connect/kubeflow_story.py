"""What a run of Kubeflow Pipelines says, as events: the run, each task below it, what they used and made.

Two forms are read: tasks with `inputs` and `outputs` that hold parameters and artifacts, and links of their own between tasks and
artifacts; and the tasks of servers up to 2.17, whose artifacts are numbers in ML Metadata.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from lineal.core import events as ev
from lineal.core.ids import is_hex, sha256

Said = dict[str, Any]
DOOR = "kfp"
_STATES = {
    "SUCCEEDED": ev.State.FINISHED,
    "SKIPPED": ev.State.FINISHED,
    "CACHED": ev.State.FINISHED,
    "FAILED": ev.State.FAILED,
    "CANCELED": ev.State.KILLED,
    "CANCELLED": ev.State.KILLED,
}
_KINDS = {"Model": "model", "Dataset": "dataset", "HTML": "report", "Markdown": "report"}
_REASON = "declared by Kubeflow Pipelines; its bytes were not seen"
_ROOT = "ROOT"


def run_id(text: str) -> str:
    """The 32 hex digits of a run or task: its own where it is a UUID, else a digest of it."""
    digits = text.replace("-", "").lower()
    return digits if len(digits) == 32 and is_hex(digits) else sha256(f"kfp:{text}".encode())[7:39]


def micros(text: Any) -> int:
    """UTC microseconds of a time as JSON writes it; 0 for none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def has_ended(run: Said) -> bool:
    """Whether nothing more will be said of a run."""
    return str(run.get("state", "")) in _STATES


def events(run: Said, links: Iterable[tuple[Said, Said]]) -> list[ev.Event]:
    """The run and its tasks as events. links: what tasks used and made, each with its artifact."""
    return list(_Telling(run).all(links))


class _Telling:
    def __init__(self, run: Said) -> None:
        self._run = run
        self._id = run_id(str(run["run_id"]))
        self._pipeline = _pipeline(run)
        self._at = micros(run.get("created_at")) or micros(run.get("scheduled_at"))
        details = run.get("run_details") or {}
        self._tasks: list[Said] = list(run.get("tasks") or details.get("task_details") or ())
        # The task that stands for the whole of a run is the run itself.
        self._whole = {task["task_id"] for task in self._tasks if task.get("type") == _ROOT}

    def all(self, links: Iterable[tuple[Said, Said]]) -> Iterator[ev.Event]:
        yield from self._of_run()
        for task in self._tasks:
            if task["task_id"] not in self._whole:
                yield from self._of_task(task)
        seen: set[tuple[str, str, str, bool]] = set()
        for id, made, key, artifact in self._used_and_made(links):
            mark = (id, str(artifact["artifact_id"]), key, made)
            if mark not in seen:
                seen.add(mark)
                yield from self._of_artifact(id, key, artifact, made=made)
        yield from self._ends()

    def _of_run(self) -> Iterator[ev.Event]:
        run = self._run
        yield ev.RunStarted(
            run=self._id,
            namespace=str(run.get("namespace") or ""),
            job=self._pipeline,
            at=self._at,
            kind="pipeline",
            name=str(run.get("display_name") or ""),
            group=f"kfp experiment {run['experiment_id']}" if run.get("experiment_id") else None,
            actor=str(run.get("service_account") or ""),
        )
        for key, value in ((run.get("runtime_config") or {}).get("parameters") or {}).items():
            yield ev.ParamSet(run=self._id, key=key, value=_text(value), at=self._at, source=DOOR)
        kept = (
            "description",
            "pipeline_version_reference",
            "pipeline_version_id",
            "recurring_run_id",
            "plugins_output",
        )
        said = {key: run[key] for key in kept if run.get(key)}
        if said:
            yield ev.FacetSet(run=self._id, name="kfp.run/1", body=_raw(said), at=self._at)

    def _of_task(self, task: Said) -> Iterator[ev.Event]:
        id = run_id(task["task_id"])
        at = micros(task.get("start_time")) or micros(task.get("create_time")) or self._at
        name = str(task.get("name") or task.get("display_name") or task["task_id"])
        above = task.get("parent_task_id")
        yield ev.RunStarted(
            run=id,
            namespace=str(self._run.get("namespace") or ""),
            job=f"{self._pipeline}.{name}",
            at=at,
            kind="step",
            name=str(task.get("display_name") or name),
            parent=self._id if not above or above in self._whole else run_id(above),
        )
        for parameter in _list(task, "inputs", "parameters"):
            key = str(parameter.get("name") or (parameter.get("producer") or {}).get("key") or "")
            if key:
                yield ev.ParamSet(run=id, key=key, value=_text(parameter.get("value")), at=at, source=DOOR)
        for parameter in _list(task, "outputs", "parameters"):
            key = str(parameter.get("name") or (parameter.get("producer") or {}).get("key") or "value")
            yield ev.TagSet(run=id, key=f"output.{key}", value=_text(parameter.get("value")), at=at)
        kept = (
            "type",
            "type_attributes",
            "cache_fingerprint",
            "execution_id",
            "pods",
            "pod_name",
            "status_metadata",
        )
        said = {"task_id": task["task_id"], **{key: task[key] for key in kept if task.get(key)}}
        yield ev.FacetSet(run=id, name="kfp.task/1", body=_raw(said), at=at)

    def _used_and_made(self, links: Iterable[tuple[Said, Said]]) -> Iterator[tuple[str, bool, str, Said]]:
        """Task, whether it made it, under which name, the artifact."""
        for link, artifact in links:
            made = str(link.get("type", "INPUT")) in {"OUTPUT", "1"}
            key = link.get("artifact_key") or (link.get("producer_key") if made else "") or ""
            yield str(link["task_id"]), made, str(key), artifact
        for task in self._tasks:
            for side, made in (("inputs", False), ("outputs", True)):
                for held in _list(task, side, "artifacts"):
                    if held.get("value"):
                        key = held.get("parameter_name") or (held.get("producer") or {}).get("key")
                        yield task["task_id"], made, str(key or ""), held["value"]
                for key, listed in (task.get(side) or {}).items():
                    for number in (listed.get("artifact_ids") or ()) if isinstance(listed, dict) else ():
                        yield task["task_id"], made, key, {"artifact_id": str(number), "in": "mlmd"}

    def _of_artifact(self, task: str, key: str, artifact: Said, *, made: bool) -> Iterator[ev.Event]:
        run = self._id if task in self._whole else run_id(task)
        told = next((one for one in self._tasks if one["task_id"] == task), {})
        at = micros(artifact.get("created_at")) if made else micros(told.get("start_time"))
        at = at or micros(told.get("end_time" if made else "start_time")) or self._at
        number = artifact.get("number_value")
        if made and number is not None:
            name = str(artifact.get("name") or key or "metric")
            yield _point(run, name, at, float(number))
        role = key if key not in {"", "code", "environment"} else "output" if made else "input"
        version, via = _version(str(self._run.get("namespace") or "kfp"), artifact), [DOOR]
        if made:
            yield ev.VersionGenerated(
                run=run, version=version, at=at, role=role, evidence=ev.Evidence.IMPORTED, via=via
            )
        else:
            yield ev.VersionUsed(
                run=run, version=version, at=at, role=role, evidence=ev.Evidence.IMPORTED, via=via
            )

    def _ends(self) -> Iterator[ev.Event]:
        for task in self._tasks:
            if task["task_id"] not in self._whole:
                yield from _end(
                    run_id(task["task_id"]), task, task.get("status") or task.get("state"), "end_time"
                )
        yield from _end(self._id, self._run, self._run.get("state"), "finished_at")


def _end(run: str, said: Said, state: Any, at: str) -> Iterator[ev.Event]:
    ended = _STATES.get(str(state))
    if ended is not None:
        error = said.get("error") or {}
        message = str(error.get("message") or "")
        yield ev.RunEnded(
            run=run,
            at=micros(said.get(at)) or micros(said.get("start_time")) or micros(said.get("created_at")),
            state=ended,
            error=ev.ErrorInfo(type="Error", message=message) if message else None,
        )


def _version(namespace: str, artifact: Said) -> ev.VersionState:
    id, uri = str(artifact["artifact_id"]), str(artifact.get("uri") or "")
    within = "mlmd" if artifact.get("in") == "mlmd" else DOOR
    kind = str(artifact.get("type") or "")
    scheme, separator, rest = uri.partition("://")
    name = str(artifact.get("name") or id)
    if separator:
        host, _, path = rest.partition("/")
        namespace, name = f"{scheme}://{host}", path or uri
    elif within == "mlmd":
        namespace, name = "mlmd", f"artifact {id}"
    kept = {key: artifact[key] for key in ("name", "type", "metadata", "description") if artifact.get(key)}
    return ev.VersionState(
        namespace=namespace,
        name=name,
        kind=_KINDS.get(kind, "report" if "Metric" in kind else "other"),
        digest=f"{within}:{id}",
        level=ev.Level.DECLARED,
        reason=_REASON,
        location=uri,
        references=[ev.Reference(scheme=within, value=id, level=ev.Level.DECLARED)],
        facets={"kfp.artifact/1": _raw({"artifact_id": id, **kept})},
    )


def _pipeline(run: Said) -> str:
    spec = run.get("pipeline_spec") or {}
    spec = spec.get("pipeline_spec") or spec
    info = spec.get("pipelineInfo") or spec.get("pipeline_info") or {}
    return str(info.get("name") or run.get("display_name") or run["run_id"])


def _list(task: Said, side: str, what: str) -> list[Said]:
    held = (task.get(side) or {}).get(what)
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _point(run: str, name: str, at: int, value: float) -> ev.MetricPoints:
    packed = (struct.pack("<I", 0), struct.pack("<q", 0), struct.pack("<q", at), struct.pack("<d", value))
    key, step, when, number = packed
    return ev.MetricPoints(run=run, keys=[name], key=key, step=step, at=when, value=number)
