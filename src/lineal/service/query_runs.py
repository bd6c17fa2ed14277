"""What the names of a query mean for runs. MLflow's names (`status`, `start_time`, `run_name` ...) mean here what they mean there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from lineal.core.events import State
from lineal.core.query import Compare
from lineal.store.conditions import Condition, Every, Some, Term, Without

ATTRIBUTES = frozenset(
    "run_id job namespace name state kind actor started_at ended_at group group_id tag".split()
)
MLFLOW = frozenset("status start_time end_time run_name user_id artifact_uri".split())
ALIASES = {
    "created": "start_time",
    "Created": "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
}
LINKS = {
    "dataset": {"name": "input.name", "digest": "input.digest", "context": "input.role"},
    "input": {"name": "input.name", "digest": "input.digest", "role": "input.role"},
    "output": {"name": "output.name", "digest": "output.digest", "role": "output.role"},
    "lineage": {
        "input": "input.name",
        "input_digest": "input.digest",
        "output": "output.name",
        "output_digest": "output.digest",
    },
}
LINKS["datasets"] = LINKS["dataset"]
_NAME_TAG, _SCHEDULED = "mlflow.runName", "lineal.scheduled"
_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
_URI = re.compile(r"(.*)/([^/]+)/artifacts", re.DOTALL)
_LATEST_MS = 2**53

Wrong = Callable[[Compare, str], Exception]


def mlflow(said: Compare, wrong: Wrong) -> Condition:
    """A comparison of one of MLflow's attributes of a run."""
    key = ALIASES.get(said.key, said.key)
    if key in {"start_time", "end_time"}:
        return _milliseconds(said, "started_at" if key == "start_time" else "ended_at", wrong)
    if key == "status":
        return _status(said, wrong)
    if key == "artifact_uri":
        return _artifact_uri(said, wrong)
    field = f"tags.{_NAME_TAG}" if key == "run_name" else "actor"
    return Term(field, said.op, _texts(said))


def _texts(said: Compare) -> str | tuple[str, ...]:
    if isinstance(said.value, tuple):
        return tuple(str(value) for value in said.value)
    return "" if said.value is None else str(said.value)


def _milliseconds(said: Compare, field: str, wrong: Wrong) -> Condition:
    """A time in milliseconds, where the record has microseconds: a millisecond is the thousand from its beginning."""
    number = said.value
    if isinstance(number, str | tuple) or number is None or said.op not in {"=", "!=", "<", "<=", ">", ">="}:
        raise wrong(said, f"{said.key} is compared with a number of milliseconds; started_at takes dates")
    if not math.isfinite(number):
        number = math.copysign(_LATEST_MS, number)
    if not float(number).is_integer():
        if said.op in {"=", "!="}:
            return Term(field, said.op, 0.5)
        number = math.floor(number) if said.op in {"<=", ">"} else math.ceil(number)
    first = max(-_LATEST_MS, min(_LATEST_MS, int(number))) * 1000
    if said.op == "=":
        return Every((Term(field, ">=", float(first)), Term(field, "<", float(first + 1000))))
    if said.op == "!=":
        return Some((Term(field, "<", first), Term(field, ">=", first + 1000)))
    op, edge = {"<": ("<", first), ">=": (">=", first), ">": (">=", first + 1000), "<=": ("<", first + 1000)}[
        said.op
    ]
    return Term(field, op, float(edge))


def _status(said: Compare, wrong: Wrong) -> Condition:
    """Statuses are states of the record; a run that was lost failed, one that is scheduled has a tag that says so."""
    chosen = [status for status in _STATUSES if holds(status, said, wrong)]
    states = tuple(
        str(state)
        for state in (State.FINISHED, State.FAILED, State.KILLED, State.LOST)
        if ("FAILED" if state == State.LOST else state.upper()) in chosen
    )
    parts: list[Condition] = [Term("state", "IN", states)] if states else []
    waiting = Term(f"tags.{_SCHEDULED}", "IS NOT NULL")
    running = Term("state", "=", "running")
    if "RUNNING" in chosen:
        parts.append(running if "SCHEDULED" in chosen else Every((running, Without(waiting))))
    elif "SCHEDULED" in chosen:
        parts.append(Every((running, waiting)))
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


def _artifact_uri(said: Compare, wrong: Wrong) -> Condition:
    """Where a run's files are follows from its id."""
    if said.op not in {"=", "!=", "IN", "NOT IN"}:
        raise wrong(said, "artifact_uri is compared by =, !=, IN and NOT IN")
    wanted = said.value if isinstance(said.value, tuple) else (said.value,)
    ids = tuple(match[2] for uri in wanted if (match := _URI.fullmatch(str(uri))))
    inside: Condition = Term("run_id", "IN", ids) if ids else Some(())
    return inside if said.op in {"=", "IN"} else Without(inside)


def holds(value: str, said: Compare, wrong: Wrong) -> bool:
    """Whether a comparison of text holds for a value that is known beforehand."""
    from lineal.core.pattern import Pattern

    wanted = said.value
    if said.op in {"IN", "NOT IN"} and isinstance(wanted, tuple):
        return (value in wanted) == (said.op == "IN")
    if said.op in {"=", "!="}:
        return (value == str(wanted)) == (said.op == "=")
    if said.op in {"=~", "!~"}:
        return Pattern(str(wanted)).search(value) == (said.op == "=~")
    if said.op.endswith("LIKE"):
        text, pattern = (value.lower(), str(wanted).lower()) if "ILIKE" in said.op else (value, str(wanted))
        return like(text, pattern) != said.op.startswith("NOT")
    raise wrong(said, f"{said.name} is one of {', '.join(_STATUSES)}, and {said.op} cannot be asked of it")


def like(text: str, pattern: str) -> bool:
    """Whether a text is like a pattern: `%` any characters, `_` one. For short texts."""
    reach = {0}
    for sign in pattern:
        if sign == "%":
            reach = set(range(min(reach), len(text) + 1)) if reach else reach
        else:
            reach = {at + 1 for at in reach if at < len(text) and sign in ("_", text[at])}
    return len(text) in reach
