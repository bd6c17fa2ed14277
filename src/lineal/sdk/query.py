"""Questions and changes from Python: the same verbs as on the command line.

    import lineal
    lineal.trace("churn@champion")
    lineal.runs("metrics.auc > 0.9 and from dataset:raw_flights").to_pandas()

Everything that answers them is imported at the first question, so that `import lineal` stays cheap. All take
`project=FOLDER` for another project than the working directory's.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineal.deliver.delivery import SyncReport
    from lineal.sdk.answers import Diff, Health, Record, Runs, Trace
    from lineal.service.check import FsckReply
    from lineal.service.client import AnyClient
    from lineal.service.registry import AliasOut, Deployed, Registered, Tagged
    from lineal.service.removal import Deleted
    from lineal.service.runs import MetricHistory

DEPTH = 1000  # hops; more than any chain that people make

__all__ = [
    "alias",
    "aliases",
    "delete",
    "deploy",
    "diff",
    "fsck",
    "health",
    "metric",
    "register",
    "runs",
    "show",
    "sync",
    "tag",
    "trace",
    "undeploy",
]


def runs(where: str = "", *, sort: str = "", limit: int = 100, project: str | None = None) -> Runs:
    """Runs that fulfil every comparison of `where`, newest first.

    Args:
        where: a query: `metrics.auc > 0.9 and (params.lr = 0.1 or state = failed) and from dataset:raw`.
        sort: a field, with ` asc` or ` desc` behind it, for example `metrics.auc desc`.
        limit: 1 to 100,000.
    Raises Invalid: the filter or the order cannot be read. NotFound: no project here.
    """
    from lineal.sdk.answers import Runs
    from lineal.service.runs import RunsRequest

    with reading(project) as client:
        return Runs(client.call("runs", RunsRequest(where=where, order=sort, limit=limit)), sort)


def show(ref: str, *, project: str | None = None) -> Record:
    """A run or version with all that is recorded of it. Raises NotFound, Conflict (ambiguous: with the candidates)."""
    from lineal.sdk.answers import Record
    from lineal.sdk.session import reference
    from lineal.service.show import ShowRequest

    with reading(project) as client:
        return Record(client.call("show", ShowRequest(ref=reference(client, ref))))


def trace(
    ref: str,
    *,
    down: bool = False,
    depth: int = DEPTH,
    as_of: str | datetime | None = None,
    governing: bool = False,
    project: str | None = None,
) -> Trace:
    """What something was made from; with `down`, what it went into.

    Args:
        depth: hops; one hop is one edge, so dataset -> run -> model is 2.
        as_of: as it was recorded by then: a datetime or what `--as-of` takes (`2025-11-23`, `2h ago`).
        governing: also the code and environment under which the runs ran.
    Raises NotFound, Conflict (ambiguous), Invalid (a time or depth that cannot be).
    """
    from lineal.sdk import times
    from lineal.sdk.answers import Trace
    from lineal.sdk.session import reference
    from lineal.service.lineage import TraceRequest

    moment = as_of.isoformat() if isinstance(as_of, datetime) else as_of
    by = times.parse(moment, _now()) if moment is not None else None
    with reading(project) as client:
        request = TraceRequest(
            ref=reference(client, ref),
            direction="down" if down else "up",
            depth=depth,
            as_of=by,
            governing=governing,
        )
        return Trace(client.call("trace", request), aliases_by_version(client, by))


def diff(a: str, b: str, *, project: str | None = None) -> Diff:
    """What differs between two runs or versions and between everything they were made from."""
    from lineal.sdk.answers import Diff
    from lineal.sdk.session import reference
    from lineal.service.compare import DiffRequest

    with reading(project) as client:
        return Diff(client.call("diff", DiffRequest(a=reference(client, a), b=reference(client, b))))


def health(ref: str, *, project: str | None = None) -> Health:
    """How complete the record behind a version or run is, and what exactly is not known."""
    from lineal.sdk.answers import Health
    from lineal.sdk.session import reference
    from lineal.service.health import HealthRequest

    with reading(project) as client:
        return Health(client.call("health", HealthRequest(ref=reference(client, ref))))


def metric(run: str, key: str, *, points: int = 0, project: str | None = None) -> MetricHistory:
    """A metric's points in order of step. points: 0 for every one, else about that many, extremes kept."""
    from lineal.service.runs import MetricsRequest

    with reading(project) as client:
        history: MetricHistory = client.call("metrics", MetricsRequest(run=run, key=key, points=points))
        return history


def register(ref: str, name: str, *, project: str | None = None) -> Registered:
    """The version under its registered name; the same version registered again keeps its number."""
    from lineal.sdk.session import reference
    from lineal.service.registry import RegisterRequest

    with writing(project) as client:
        made: Registered = client.call("register", RegisterRequest(ref=reference(client, ref), name=name))
        return made


def alias(
    name: str,
    alias: str,
    version: str | int,
    *,
    expect: int | None = None,
    reason: str = "",
    project: str | None = None,
) -> AliasOut:
    """Where the alias now points.

    Args:
        version: a number of `name` or a reference to one of its versions; empty: take the alias away.
        expect: the revision that was decided on (0: none yet); None moves it whatever it is.
    Raises Conflict: it was moved meanwhile. NotFound: no such name or version.
    """
    from lineal.service.registry import AliasRequest

    request = AliasRequest(name=name, alias=alias, version=str(version), expect=expect, reason=reason)
    with writing(project) as client:
        moved: AliasOut = client.call("alias", request)
        return moved


def aliases(name: str | None = None, *, history: bool = False, project: str | None = None) -> list[AliasOut]:
    """The aliases of one name or of all; with `history` also where they pointed before."""
    from lineal.service.registry import AliasesRequest

    with reading(project) as client:
        listed: list[AliasOut] = client.call("aliases", AliasesRequest(name=name, history=history)).aliases
        return listed


def tag(ref: str, *, project: str | None = None, **tags: str) -> list[Tagged]:
    """Set tags on a run or version; an earlier value of a key stays as history."""
    from lineal.sdk.session import reference
    from lineal.service.registry import TagRequest

    with writing(project) as client:
        known = reference(client, ref)
        return [
            client.call("tag", TagRequest(ref=known, key=key, value=value)) for key, value in tags.items()
        ]


def deploy(ref: str, target: str, *, url: str = "", project: str | None = None) -> Deployed:
    """Record that a version goes live at a target; what was live there under the same name ends with it."""
    from lineal.sdk.session import reference
    from lineal.service.registry import DeployRequest

    with writing(project) as client:
        request = DeployRequest(ref=reference(client, ref), target=target, url=url)
        made: Deployed = client.call("deploy", request)
        return made


def undeploy(ref: str, target: str, *, project: str | None = None) -> Deployed:
    """Record that a version goes down. Raises NotFound: it is not live at that target."""
    from lineal.sdk.session import reference
    from lineal.service.registry import UndeployRequest

    with writing(project) as client:
        ended: Deployed = client.call("undeploy", UndeployRequest(ref=reference(client, ref), target=target))
        return ended


def delete(ref: str, *, force: bool = False, reason: str = "", project: str | None = None) -> Deleted:
    """Mark a run or version as deleted; a tombstone stays. Raises Conflict: something living depends on it."""
    from lineal.sdk.session import reference
    from lineal.service.removal import DeleteRequest

    with writing(project) as client:
        request = DeleteRequest(ref=reference(client, ref), force=force, reason=reason)
        gone: Deleted = client.call("delete", request)
        return gone


def sync(*, project: str | None = None) -> SyncReport:
    """Deliver what ended or crashed programs left in the journal; says how many events and runs that were."""
    from lineal.deliver.delivery import sync as deliver
    from lineal.sdk.session import project_here

    return deliver(project_here(project))


def fsck(*, project: str | None = None) -> FsckReply:
    """What is broken in the store, the kept bytes and the journal; an empty list of problems when all is whole."""
    from lineal.sdk import session

    here = session.project_here(project)
    session.bring_up_to_date(here, warn=_warn)
    return session.checked(here)


def aliases_by_version(client: AnyClient, by: int | None = None) -> dict[str, list[str]]:
    """By `name@number`, the aliases that point there (or pointed there at `by`, UTC microseconds)."""
    from lineal.service.registry import AliasesRequest

    found: dict[str, list[str]] = {}
    for entry in client.call("aliases", AliasesRequest(history=by is not None)).aliases:
        gone = entry.retracted_at is not None and (by is None or entry.retracted_at <= by)
        if not gone and (by is None or entry.recorded_at <= by):
            found.setdefault(f"{entry.name}@{entry.number}", []).append(entry.alias)
    return found


def _now() -> int:
    return time.time_ns() // 1000


@contextlib.contextmanager
def reading(folder: str | None) -> Iterator[Any]:
    """A client for questions about the project in a folder, its journals delivered."""
    from lineal.sdk import session

    with session.reading(session.project_here(folder), warn=_warn) as client:
        yield client


@contextlib.contextmanager
def writing(folder: str | None) -> Iterator[Any]:
    """A client for changes to the project in a folder, its journals delivered."""
    from lineal.sdk import session

    with session.writing(session.project_here(folder), warn=_warn) as client:
        yield client


def _warn(text: str) -> None:
    warnings.warn(f"lineal: {text}", stacklevel=5)
