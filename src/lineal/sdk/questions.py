"""Questions to the graph from Python: versions and models by a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineal.sdk.query import reading, writing

if TYPE_CHECKING:
    from lineal.sdk.found import Versions
    from lineal.service.meeting import Joined

__all__ = ["joins", "models", "same", "split", "versions"]


def versions(where: str = "", *, sort: str = "", limit: int = 100, project: str | None = None) -> Versions:
    """Versions of data, models and other files that fulfil a query, newest first.

    Args:
        where: `kind = model and metrics.auc > 0.9 and upstream(tag = 'pii')`; docs/reference/query.md.
        sort: a field, with ` asc` or ` desc` behind it.
        limit: 1 to 100,000.
    Raises Invalid: the query or the order cannot be read. NotFound: no project here.
    """
    return _versions(where, sort, limit, project, models=False)


def models(where: str = "", *, sort: str = "", limit: int = 100, project: str | None = None) -> Versions:
    """Versions with a registered name, as `versions`; `name` means that name here and `version` its number."""
    return _versions(where, sort, limit, project, models=True)


def _versions(where: str, sort: str, limit: int, project: str | None, *, models: bool) -> Versions:
    from lineal.sdk.found import Versions
    from lineal.service.versions import VersionsRequest

    with reading(project) as client:
        return Versions(
            client.call("versions", VersionsRequest(where=where, models=models, order=sort, limit=limit))
        )


def same(a: str, b: str, *, reason: str = "", project: str | None = None) -> Joined:
    """Two runs or two versions as one from now on. Raises Conflict: one is a run and the other a version."""
    from lineal.sdk.session import reference
    from lineal.service.meeting import SameRequest

    with writing(project) as client:
        request = SameRequest(a=reference(client, a), b=reference(client, b), reason=reason)
        joined: Joined = client.call("same", request)
        return joined


def split(a: str, b: str = "", *, reason: str = "", project: str | None = None) -> Joined:
    """Two that were one (without `b`: one and everything) as two from now on. Raises Conflict: they are not joined."""
    from lineal.sdk.session import reference
    from lineal.service.meeting import SplitRequest

    with writing(project) as client:
        other = reference(client, b) if b else ""
        joined: Joined = client.call("split", SplitRequest(a=reference(client, a), b=other, reason=reason))
        return joined


def joins(ref: str, *, history: bool = False, project: str | None = None) -> Joined:
    """Why several reports are one thing with this run or version; with `history` also the joins that were taken back."""
    from lineal.sdk.session import reference
    from lineal.service.meeting import JoinsRequest

    with reading(project) as client:
        found: Joined = client.call("joins", JoinsRequest(ref=reference(client, ref), history=history))
        return found
