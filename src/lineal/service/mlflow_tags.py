"""What the tags of MLflow's runs and prompts tell beside themselves: the code behind a run, the text of a prompt; for its door and for imports."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lineal.core.events import Level
from lineal.core.ids import sha256
from lineal.service.operations import Scope

GIT = "mlflow.source.git."
_KIND, _SCRIPT = "mlflow.source.type", "mlflow.source.name"


def code_facts(tags: dict[str, str]) -> dict[str, Any]:
    """A run's checkout in the words of the facet `lineal.code/1`, but for the difference to its commit; empty without a commit."""
    commit = tags.get(GIT + "commit", "")
    if not commit:
        return {}
    facts: dict[str, Any] = {"vcs": "git", "commit": commit}
    if branch := tags.get(GIT + "branch"):
        facts["branch"] = branch
    if remote := tags.get(GIT + "repoURL"):
        facts["remote"] = _public(remote)
    if GIT + "dirty" in tags:
        facts["dirty"] = tags[GIT + "dirty"].lower() == "true"
    if tags.get(_KIND) == "LOCAL" and tags.get(_SCRIPT):
        facts["script"] = {"path": tags[_SCRIPT]}
    return facts


def code_version(scope: Scope, facts: bytes) -> tuple[int, bool]:
    """(the version that this code is, whether it was there before); its facet is attached by who adds it."""
    return scope.store.artifacts.add_version(
        scope.tx,
        namespace=scope.namespace,
        name="code",
        kind="code",
        digest=sha256(facts),
        level=Level.CONTENT,
        reason="",
        size=len(facts),
        location="",
        recorded_at=scope.at,
    )


def prompt_version(scope: Scope, name: str, text: str) -> int:
    """The version that a prompt's text is: MLflow keeps prompts among registered models."""
    body = text.encode()
    node, _ = scope.store.artifacts.add_version(
        scope.tx,
        namespace="mlflow",
        name=f"prompts/{name}",
        kind="prompt",
        digest=sha256(body) if body else None,
        level=Level.CONTENT if body else Level.NONE,
        reason="" if body else "no text was sent",
        size=len(body),
        location="",
        recorded_at=scope.at,
    )
    return node


def _public(remote: str) -> str:
    """The address without a user or password in it."""
    try:
        parts = urlsplit(remote)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else remote
    except ValueError:
        return ""
