"""What the files inside a model say of it: its environment and its framework. Read as text and never run."""

from __future__ import annotations

import re
from typing import Any

import msgspec

LARGEST = 256 << 10  # bytes; a longer file is not read
_DEEPEST = 40
ENVIRONMENT, MODEL = "lineal.environment/1", "lineal.model/1"

_REQUIREMENTS = "requirements.txt"
_PYTHON = (
    ("python_env.yaml", re.compile(r"""^python:\s*["']?(\d[\w.]*)""", re.MULTILINE)),
    ("conda.yaml", re.compile(r"""^\s*-\s*["']?python\s*={1,2}\s*(\d[\w.]*)""", re.MULTILINE)),
    ("conda.yml", re.compile(r"""^\s*-\s*["']?python\s*={1,2}\s*(\d[\w.]*)""", re.MULTILINE)),
)
_PINNED = re.compile(r"([A-Za-z0-9][\w.\-]*)(?:\[[\w,.\- ]*\])?\s*===?\s*([\w.!+*\-]+)")
_MLMODEL = "MLmodel"
# The files that tell something, by their path inside the model.
TOLD_BY = (_MLMODEL, _REQUIREMENTS, *(name for name, _ in _PYTHON))


def facets(texts: dict[str, str]) -> dict[str, bytes]:
    """The facets of a model, by the texts of those of its files that `TOLD_BY` names."""
    found: dict[str, Any] = {}
    if environment := _environment(texts):
        found[ENVIRONMENT] = environment
    if model := _model(texts.get(_MLMODEL, "")):
        found[MODEL] = model
    try:
        return {name: msgspec.json.encode(body) for name, body in found.items()}
    except (UnicodeError, RecursionError):
        return {}


def _environment(texts: dict[str, str]) -> dict[str, Any]:
    packages: dict[str, str] = {}
    loose: list[str] = []
    for line in texts.get(_REQUIREMENTS, "").splitlines():
        line = line.partition("#")[0].partition(";")[0].strip()
        if pinned := _PINNED.fullmatch(line):
            packages[re.sub(r"[-_.]+", "-", pinned[1]).lower()] = pinned[2]
        elif line:
            loose.append(line[:500])
    facts: dict[str, Any] = {"packages": dict(sorted(packages.items())), "not_pinned": loose[:1000]}
    for name, pattern in _PYTHON:
        if said := pattern.search(texts.get(name, "")):
            facts.setdefault("python", said[1])
    facts = {key: value for key, value in facts.items() if value}
    if facts:
        facts["files"] = sorted(name for name in texts if name != _MLMODEL)
    return facts


def _model(text: str) -> dict[str, Any]:
    """Framework, versions and signature as an `MLmodel` file tells them; empty when it cannot be read."""
    said = _yaml(text)
    if not isinstance(said, dict):
        return {}
    flavors = said.get("flavors")
    names = [str(name)[:100] for name in flavors] if isinstance(flavors, dict) else []
    facts: dict[str, Any] = {
        "framework": next((name for name in names if name != "python_function"), "".join(names[:1])),
        "flavors": names[:20],
        "mlflow_version": _short(said.get("mlflow_version")),
    }
    signature = said.get("signature")
    if isinstance(signature, dict):
        facts["signature"] = {str(key): value for key, value in signature.items() if isinstance(value, str)}
    return {key: value for key, value in facts.items() if value}


def _short(value: Any) -> str:
    return value[:100] if isinstance(value, str) else ""


def _yaml(text: str) -> Any:
    """What the text says, None when it cannot be read.

    Text that refers to itself is not, since that may stand for more than any memory holds, nor what is nested deeply, since
    reading that would end the process.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
                return None
        return yaml.load(text, loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
