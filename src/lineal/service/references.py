"""From what people write to vertices: resolves references, lists candidates when ambiguous and near names when unknown."""

from __future__ import annotations

import msgspec

from lineal.core import mlmd, refs
from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.model import EdgeKind, VersionRecord
from lineal.service.operations import Scope

_CANDIDATES = 10
_CUTS = 40
_TABLES = frozenset({"delta", "iceberg"})


class Found(msgspec.Struct, frozen=True):
    """What a reference names: a run's or a version's vertex; `version` is set for a version."""

    node: int
    version: VersionRecord | None


def find(scope: Scope, text: str, *, as_of: int | None = None) -> Found:
    """The one run or version that `text` names; with `as_of`, by the names, aliases, versions and joins recorded by then.

    Of several that are one and the same, it is the one that stands for them all. Raises NotFound (with near names), Conflict
    (with the candidates), Invalid (not a reference).
    """
    found = find_own(scope, text, as_of=as_of)
    first = scope.store.joins.canonical(scope.tx, [found.node], as_of=as_of).get(found.node)
    if first is None:
        return found
    return Found(
        first, scope.store.artifacts.get_versions(scope.tx, [first])[first] if found.version else None
    )


def find_own(scope: Scope, text: str, *, as_of: int | None = None) -> Found:
    """As `find`, but the very vertex that is named, whatever it was joined with."""
    ref = refs.parse(text)
    if isinstance(ref, refs.RunPrefix):
        return Found(find_run(scope, ref.prefix), None)
    found = (
        _by_digest(scope, ref.prefix) if isinstance(ref, refs.DigestPrefix) else _by_name(scope, ref, as_of)
    )
    if found.version and as_of is not None and found.version.recorded_at > as_of:
        raise NotFound(
            f"{text!r} was not recorded yet at that time",
            hint="ask for a later time, or leave the time out",
            name=text,
        )
    return found


def find_version(scope: Scope, text: str) -> VersionRecord:
    """The one version that `text` names. Raises Invalid when it names a run."""
    found = find(scope, text)
    if found.version is None:
        raise Invalid(
            f"{text!r} is a run, and a version is wanted",
            hint="`lineal show " + text + "` lists what it generated",
        )
    return found.version


def find_run(scope: Scope, prefix: str) -> int:
    """The vertex of the one run whose id starts with `prefix`."""
    runs = scope.store.runs.list_runs_by_prefix(scope.tx, prefix, _CANDIDATES + 1)
    if not runs:
        raise NotFound(
            f"no run's id starts with {prefix!r}", hint="`lineal runs` lists what is recorded", run=prefix
        )
    if len(runs) > 1:
        lines = "\n".join(f"  run:{run.run_id[:20]}  {run.job}" for run in runs[:_CANDIDATES])
        raise Conflict(
            f"{len(runs)}{'+' if len(runs) > _CANDIDATES else ''} runs start with {prefix!r}:\n{lines}",
            hint="write more digits",
            run=prefix,
        )
    return runs[0].node


def artifact_of(scope: Scope, text: str) -> tuple[str | None, str]:
    """(namespace, name) of an artifact written as a name: a path inside the project, an absolute path or a URL."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme and scheme.isalnum():
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}", path
    if text.startswith("/"):
        return "file", text
    return None, text


def versions_of(scope: Scope, text: str) -> list[VersionRecord]:
    """All versions of the artifact that `text` names, oldest first; the project's own before other namespaces."""
    namespace, name = artifact_of(scope, text)
    found = scope.store.artifacts.list_versions(scope.tx, namespace or scope.namespace, name)
    if not found and "://" in text:
        found = _within(scope, text)
    if not found and namespace is None:
        found = scope.store.artifacts.list_versions(scope.tx, None, name)
        spaces = sorted({version.namespace for version in found})
        if len(spaces) > 1:
            raise Conflict(
                f"{name!r} stands in {len(spaces)} namespaces: {', '.join(spaces)}",
                hint="name a version by its digest: sha256:PREFIX",
            )
    return found[::-1]


def _numbered(scope: Scope, text: str, number: int) -> list[VersionRecord]:
    """The version of that number of the artifact that `text` names, however many it has."""
    namespace, name = artifact_of(scope, text)
    find, tx = scope.store.artifacts.list_by_number, scope.tx
    found = find(tx, namespace or scope.namespace, name, number)
    if found or not (known := versions_of(scope, text)):
        return found
    return find(tx, known[-1].namespace, known[-1].name, number)


def _within(scope: Scope, text: str) -> list[VersionRecord]:
    """The versions of an artifact whose namespace is itself a path (a database file): every way to cut the text is tried."""
    begin = text.index("://") + 3
    cuts = [at for at in range(begin, len(text)) if text[at] == "/"][:_CUTS]
    for cut in reversed(cuts):
        if found := scope.store.artifacts.list_versions(scope.tx, text[:cut], text[cut + 1 :]):
            return found
    return []


def _by_digest(scope: Scope, prefix: str) -> Found:
    versions = scope.store.artifacts.list_by_digest(scope.tx, prefix, _CANDIDATES + 1)
    if not versions:
        raise NotFound(
            f"no version's digest starts with {prefix!r}", hint="`lineal show NAME` prints digests"
        )
    if len(versions) > 1:
        digests = {version.digest for version in versions}
        same = "the same bytes stand in" if len(digests) == 1 else "several digests start so, in"
        lines = "\n".join(f"  {version_ref(scope, v)}  {v.digest or ''}" for v in versions[:_CANDIDATES])
        raise Conflict(
            f"{prefix!r} is ambiguous: {same} {len(versions)} versions:\n{lines}", hint="name one of them"
        )
    return Found(versions[0].node, versions[0])


def _by_name(scope: Scope, ref: refs.Named, as_of: int | None) -> Found:
    node = _registered(scope, ref, as_of)
    if node is not None:
        return Found(node, scope.store.artifacts.get_versions(scope.tx, [node])[node])
    if versions := versions_of(scope, ref.whole):
        then = [version for version in versions if as_of is None or version.recorded_at <= as_of]
        newest = _newest(scope, then or versions, as_of)
        return Found(newest.node, newest)
    if ref.selector.isdecimal() and str(int(ref.selector)) == ref.selector:
        for version in _numbered(scope, ref.name, int(ref.selector)):
            return Found(version.node, version)
    if (node := _by_reference(scope, ref)) is not None:
        return Found(node, scope.store.artifacts.get_versions(scope.tx, [node])[node])
    scheme, _, value = ref.whole.partition(":")
    if scheme == mlmd.DOOR and (found := _by_number(scope, value)):
        return found
    raise _unknown(scope, ref)


def _by_number(scope: Scope, text: str) -> Found | None:
    """What ML Metadata's clients know by a number: `42` an artifact, `execution/42` an execution."""
    kind = mlmd.Kind.EXECUTION if text.startswith("execution/") else mlmd.Kind.ARTIFACT
    number = text.rpartition("/")[2]
    if not number.isdecimal() or len(number) > 18:
        return None
    for node in scope.store.mlmd.get_nodes(scope.tx, kind, [int(number)]).values():
        versions = scope.store.artifacts.get_versions(scope.tx, [node.vertex])
        return Found(node.vertex, versions.get(node.vertex))
    return None


def _by_reference(scope: Scope, ref: refs.Named) -> int | None:
    """The version that carries a reference. Raises Conflict when several that are not one carry it."""
    nodes = carrying(scope, ref)
    if not nodes:
        return None
    stands = scope.store.joins.canonical(scope.tx, nodes)
    if len({stands.get(node, node) for node in nodes}) > 1:
        versions = scope.store.artifacts.get_versions(scope.tx, nodes[:_CANDIDATES])
        lines = "\n".join(f"  {version_ref(scope, version)}" for version in versions.values())
        raise Conflict(
            f"{ref.whole!r} is ambiguous: {len(nodes)} versions carry it:\n{lines}", hint="name one of them"
        )
    return nodes[0]


def carrying(scope: Scope, ref: refs.Named) -> list[int]:
    """The versions that carry a reference `SCHEME:VALUE`, or, of a table, have that number: `delta:PATH@3`."""
    scheme, colon, value = ref.whole.partition(":")
    if not colon:
        return []
    nodes = scope.store.artifacts.list_by_reference(scope.tx, scheme, value)
    if nodes or scheme not in _TABLES or not ref.selector:
        return nodes
    of_table = {version.node for version in versions_of(scope, ref.name.partition(":")[2])}
    carried = scope.store.artifacts.get_references(scope.tx, sorted(of_table))
    return [
        node
        for node, items in carried.items()
        if any(
            item.scheme == scheme and item.value.rpartition("@")[2].partition("+")[0] == ref.selector
            for item in items
        )
    ]


def _newest(scope: Scope, versions: list[VersionRecord], as_of: int | None) -> VersionRecord:
    """The version written last, which after a return to earlier bytes is not the one with the highest number."""
    written: dict[int, int] = {}
    nodes = [version.node for version in versions]
    for edge in scope.store.edges.get_in(scope.tx, nodes, as_of=as_of):
        if edge.kind == EdgeKind.GENERATED:
            written[edge.dst] = max(edge.at, written.get(edge.dst, edge.at))
    return max(versions, key=lambda version: (written.get(version.node, -1), version.number))


def _registered(scope: Scope, ref: refs.Named, as_of: int | None) -> int | None:
    registry = scope.store.registry
    named = registry.list_named(scope.tx, ref.whole, as_of=as_of) or registry.list_named(scope.tx, ref.whole)
    if named:
        return named[-1].node
    if not ref.selector:
        return None
    if ref.selector.isdecimal():
        then = registry.list_named(scope.tx, ref.name, as_of=as_of)
        for version in then or registry.list_named(scope.tx, ref.name):
            if version.number == int(ref.selector):
                return version.node
        return None
    alias = registry.get_alias(scope.tx, ref.name, ref.selector, as_of=as_of)
    return alias.node if alias else None


def _unknown(scope: Scope, ref: refs.Named) -> NotFound:
    named = scope.store.registry.list_named(scope.tx, ref.name) if ref.selector else []
    numbers = [str(v.number) for v in named] or [str(v.number) for v in versions_of(scope, ref.name)]
    if ref.selector and numbers:
        aliases = [a.alias for a in scope.store.registry.list_aliases(scope.tx, ref.name)]
        return NotFound(
            f"{ref.name!r} has no version or alias {ref.selector!r}",
            hint=f"it has version{'s' if len(numbers) > 1 else ''} {', '.join(numbers[-8:])}"
            + (f" and alias{'es' if len(aliases) > 1 else ''} {', '.join(aliases)}" if aliases else ""),
            name=ref.name,
        )
    names = [v.name for v in scope.store.registry.list_named(scope.tx, None)]
    artifacts = [name for _, name, _ in scope.store.artifacts.list_artifacts(scope.tx, limit=5000)]
    near = refs.nearest(ref.name, names + artifacts)
    hint = (
        f"did you mean {', '.join(near)}?"
        if near
        else "`lineal runs` and `lineal show run:ID` show what is recorded"
    )
    return NotFound(f"nothing is recorded under {ref.whole!r}", hint=hint, name=ref.whole)


def version_ref(scope: Scope, version: VersionRecord) -> str:
    """How to write this version: by its registered name if it has one, else `artifact@number`."""
    names = scope.store.registry.list_names_of(scope.tx, [version.node])
    if names:
        return f"{names[0].name}@{names[0].number}"
    return artifact_ref(version)


def artifact_ref(version: VersionRecord) -> str:
    """`artifact@number`, with the namespace where the artifact is not a path of the project."""
    name = f"{version.namespace}/{version.name}" if "://" in version.namespace else version.name
    return f"{name}@{version.number}"
