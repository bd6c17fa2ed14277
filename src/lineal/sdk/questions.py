"""Questions to the graph from Python: versions and models by a query."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lineal.sdk.query import reading, writing

if TYPE_CHECKING:
    from lineal.sdk.found import Versions
    from lineal.service.columns import ColumnsReply
    from lineal.service.conflicts import ConflictsReply, Resolved
    from lineal.service.file_lineage import FilesReply
    from lineal.service.impact import ImpactReply
    from lineal.service.joining import Joined
    from lineal.service.questions import CommonReply, InheritedReply, PathReply, WhyReply

__all__ = [
    "columns",
    "common",
    "conflicts",
    "decide",
    "files",
    "impact",
    "inherited",
    "joins",
    "models",
    "path",
    "same",
    "split",
    "versions",
    "why",
]


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
    from lineal.service.joining import SameRequest

    with writing(project) as client:
        request = SameRequest(a=reference(client, a), b=reference(client, b), reason=reason)
        joined: Joined = client.call("same", request)
        return joined


def split(a: str, b: str = "", *, reason: str = "", project: str | None = None) -> Joined:
    """Two that were one (without `b`: one and everything) as two from now on. Raises Conflict: they are not joined."""
    from lineal.sdk.session import reference
    from lineal.service.joining import SplitRequest

    with writing(project) as client:
        other = reference(client, b) if b else ""
        joined: Joined = client.call("split", SplitRequest(a=reference(client, a), b=other, reason=reason))
        return joined


def joins(ref: str, *, history: bool = False, project: str | None = None, **moments: Any) -> Joined:
    """Why several reports are one thing with this run or version; with `history` also the joins that were taken back.

    moments: `as_of`.
    """
    from lineal.sdk.session import reference
    from lineal.service.joining import JoinsRequest

    with reading(project) as client:
        found: Joined = client.call(
            "joins", JoinsRequest(ref=reference(client, ref), history=history, **_narrowed(moments))
        )
        return found


def path(a: str, b: str, *, most: int = 5, project: str | None = None, **narrow: Any) -> PathReply:
    """The shortest ways by which a came to be in b, or b in a; `paths` is empty when there is none.

    narrow: `as_of`, `valid_at`, `since` (a datetime or what `--as-of` takes), `evidence`, `kinds` (lists), `namespace`, `tag`,
    `governing`; so in every question here.
    """
    reply: PathReply = _pair("path", "PathRequest", a, b, project, {**narrow, "most": most})
    return reply


def impact(ref: str, *, limit: int = 100, project: str | None = None, **narrow: Any) -> ImpactReply:
    """What depends on something: how much of which kind, what is live, the nearest `limit` with their owners."""
    reply: ImpactReply = _one("impact", "ImpactRequest", ref, project, {**narrow, "limit": limit})
    return reply


def common(a: str, b: str, *, project: str | None = None, **narrow: Any) -> CommonReply:
    """What both were made from, the nearest first."""
    reply: CommonReply = _pair("common", "PairRequest", a, b, project, narrow)
    return reply


def why(a: str, b: str, *, project: str | None = None, **narrow: Any) -> WhyReply:
    """How the ancestries of two things differ; what is marked as `cause` is where the difference began."""
    reply: WhyReply = _pair("why", "PairRequest", a, b, project, narrow)
    return reply


def inherited(ref: str, *, project: str | None = None, **narrow: Any) -> InheritedReply:
    """Which tags reach something from what it was made from, each with the way that carries it."""
    reply: InheritedReply = _one("inherited", "InheritedRequest", ref, project, narrow)
    return reply


def columns(
    ref: str, column: str = "", *, down: bool = False, project: str | None = None, **moments: Any
) -> ColumnsReply:
    """From which columns the columns of a version (or one of them) were made; with `down`, into which they went.

    moments: `as_of`, `valid_at`.
    """
    from lineal.sdk.session import reference
    from lineal.service.columns import ColumnsRequest

    with reading(project) as client:
        request = ColumnsRequest(
            ref=reference(client, ref),
            column=column,
            direction="down" if down else "up",
            **_narrowed(moments),
        )
        found: ColumnsReply = client.call("columns", request)
        return found


def conflicts(
    ref: str = "", *, resolved: bool = False, project: str | None = None, **moments: Any
) -> ConflictsReply:
    """What contradicts in what something was made from, and what nobody told; without a reference, among what runs live.

    moments: `as_of`, `valid_at`.
    """
    from lineal.sdk.session import reference
    from lineal.service.conflicts import ConflictsRequest

    with reading(project) as client:
        named = reference(client, ref) if ref else ""
        request = ConflictsRequest(ref=named, resolved=resolved, **_narrowed(moments))
        found: ConflictsReply = client.call("conflicts", request)
        return found


def decide(id: str, choice: str, *, reason: str = "", project: str | None = None) -> Resolved:
    """Decide a contradiction: which claim counts, or any word on how it was settled; an empty choice takes the decision back.

    Raises Invalid: it is no id of a contradiction (`conflicts` has them). NotFound: nothing is there to be taken back.
    """
    from lineal.service.conflicts import ResolveRequest

    with writing(project) as client:
        found: Resolved = client.call("resolve", ResolveRequest(id=id, choice=choice, reason=reason))
        return found


def _one(name: str, request: str, ref: str, project: str | None, fields: dict[str, Any]) -> Any:
    from lineal.sdk.session import reference
    from lineal.service import impact, questions

    with reading(project) as client:
        made = getattr(impact if name == "impact" else questions, request)(
            ref=reference(client, ref), **_narrowed(fields)
        )
        return client.call(name, made)


def _pair(name: str, request: str, a: str, b: str, project: str | None, fields: dict[str, Any]) -> Any:
    from lineal.sdk.session import reference
    from lineal.service import questions

    with reading(project) as client:
        made = getattr(questions, request)(
            a=reference(client, a), b=reference(client, b), **_narrowed(fields)
        )
        return client.call(name, made)


def _narrowed(fields: dict[str, Any]) -> dict[str, Any]:
    """Times as microseconds; everything else as it is."""
    from lineal.sdk import times

    found = dict(fields)
    for name in ("as_of", "valid_at", "since"):
        if (moment := found.get(name)) is not None:
            text = moment.isoformat() if isinstance(moment, datetime) else str(moment)
            found[name] = times.parse(text, times.now())
    return found


def files(
    ref: str, path: str = "", *, down: bool = False, limit: int = 100, project: str | None = None
) -> FilesReply:
    """From which files a file was made, or, `down`, which were made from it; by run, and whether exactly these.

    Args:
        ref: the folder, commit or other version that the file lies in.
        path: of the file in it; empty where the version is one file.
        limit: most files listed of each run, 1 to 10,000.
    Raises NotFound (no such version or file), Invalid (several files, and none is named).
    """
    from lineal.sdk.session import reference
    from lineal.service.file_lineage import FilesRequest

    with reading(project) as client:
        request = FilesRequest(ref=reference(client, ref), path=path, down=down, limit=limit)
        found: FilesReply = client.call("files", request)
    return found
