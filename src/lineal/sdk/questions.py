"""Questions to the graph from Python: versions and models by a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineal.sdk.query import reading

if TYPE_CHECKING:
    from lineal.sdk.found import Versions

__all__ = ["models", "versions"]


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
