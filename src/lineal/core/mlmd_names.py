"""What ML Metadata's nodes are in the graph: how jobs are called, what artifacts hold, where runs stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lineal.core.events import State
from lineal.core.mlmd import Event, Node, Of

# Types of contexts that are a whole pipeline, and one step of it that is called PIPELINE.STEP, by who makes them.
PIPELINES = frozenset({"system.Pipeline", "pipeline"})
STEPS = frozenset({"node"})
PIPELINE_EXECUTION = "system.DAGExecution"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TASK = ("task_name", "display_name")
_STATES = {3: State.FINISHED, 4: State.FAILED, 5: State.FINISHED, 6: State.KILLED}
_KINDS = (
    ("model", "model"),
    ("metrics", "report"),
    ("evaluation", "report"),
    ("statistics", "report"),
    ("html", "report"),
    ("markdown", "report"),
    ("schema", "report"),
    ("dataset", "dataset"),
    ("examples", "dataset"),
)
_BASES = {1: "dataset", 2: "model", 3: "report", 4: "report"}
_METRICS = 3
_GOVERNING = frozenset({"code", "environment"})  # roles that mean more than a key of a path may


def job_of(execution: Node, contexts: Iterable[tuple[str, str]]) -> str:
    """The job of an execution, `PIPELINE.STEP` if its pipeline is known. contexts: type and name of each it is in."""
    pipeline = ""
    for type, name in contexts:
        if type in STEPS:
            return name
        if type in PIPELINES:
            pipeline = name
    said = (_text(execution, key) for key in _TASK)
    step = next((text for text in said if text), execution.type or "")
    return f"{pipeline}.{step}" if pipeline else step


def kubeflow_run(execution: Node, contexts: Iterable[tuple[str, str]]) -> str:
    """The id, as 32 hex digits, of the run of Kubeflow Pipelines that an execution is as a whole; empty when it is none."""
    if execution.type != PIPELINE_EXECUTION or parent_of(execution):
        return ""
    said = (name for type, name in contexts if type == "system.PipelineRun" and _UUID.fullmatch(name))
    return next(said, "").replace("-", "").lower()


def parent_of(execution: Node) -> int:
    """The execution that this one is a step of, as Kubeflow Pipelines says it; 0 for none."""
    of, value = execution.custom.get("parent_dag_id", (0, 0))
    return value if of == Of.INT and isinstance(value, int) and value != execution.id else 0


def kind_of_run(execution: Node) -> str:
    """Whether an execution is a pipeline or a step."""
    return "pipeline" if execution.type == PIPELINE_EXECUTION else "step"


def state_of(execution: Node) -> State:
    """Where a run stands."""
    return _STATES.get(execution.state or 0, State.RUNNING)


def kind_of(artifact: Node, base: int) -> str:
    """What an artifact is, by its type's base type or name."""
    if base in _BASES:
        return _BASES[base]
    name = (artifact.type or "").rpartition(".")[2].lower()
    return next((kind for part, kind in _KINDS if part in name), "other")


def is_metrics(type: str, base: int) -> bool:
    """Whether the numbers in an artifact of that type are metrics of the execution that made it."""
    return base == _METRICS or type.rpartition(".")[2] == "Metrics"


def numbers(artifact: Node) -> dict[str, float]:
    """The properties of an artifact that are one number, by name."""
    return {
        name: float(value)
        for side in (artifact.properties, artifact.custom)
        for name, (of, value) in side.items()
        if of in (Of.INT, Of.DOUBLE) and isinstance(value, (int, float))
    }


def name_of(artifact: Node) -> str:
    """What an artifact without an address is called."""
    return f"{artifact.type}/{artifact.name or artifact.id}"


def role_of(event: Event, role: str) -> str:
    """What an artifact was to an execution: the key under which it was passed, if there was one."""
    keys = [step for step in event.path or () if isinstance(step, str)]
    said = keys[0] if len(keys) == 1 else ""
    return said if said and said not in _GOVERNING else role


def _text(node: Node, key: str) -> Any:
    of, value = node.custom.get(key, (0, ""))
    return value if of == Of.STRING else ""
