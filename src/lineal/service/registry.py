"""Names for versions: register, aliases, tags, and where a version is deployed."""

from __future__ import annotations

import os

import msgspec

from lineal.core import events as ev
from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.ids import uuid7
from lineal.core.model import AliasRecord, Attribute, Edge, EdgeKind, VersionRecord
from lineal.service import meeting, references
from lineal.service.operations import Scope, operation

DEPLOYMENT = "deployment"


class RegisterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: the version (a path means its newest); name: the registered name it becomes a version of."""

    ref: str
    name: str


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version: `name@number`; version: the artifact's version that it is."""

    name: str
    number: int
    version: str
    new: bool


class AliasRequest(msgspec.Struct, frozen=True, kw_only=True):
    """version: a number of `name`, `NAME@NUMBER` or any reference to one of its versions; empty: retract the alias.

    expect: the revision that was decided on (0: none yet), None to move it whatever it is.
    """

    name: str
    alias: str
    version: str
    expect: int | None = None
    reason: str = ""


class AliasOut(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alias points. revision: counts its moves from 1; previous: the number it pointed to before, if any."""

    name: str
    alias: str
    number: int
    revision: int
    recorded_at: int
    retracted_at: int | None
    actor: str
    reason: str


class AliasesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """name: None for all names; history: also where they pointed before."""

    name: str | None = None
    history: bool = False


class AliasList(msgspec.Struct, frozen=True, kw_only=True):
    """Aliases by name, alias and revision."""

    aliases: list[AliasOut]


class TagRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: a run or version; the value of a key already set is replaced, the earlier one stays as history."""

    ref: str
    key: str
    value: str


class Tagged(msgspec.Struct, frozen=True, kw_only=True):
    """The tag as it now stands."""

    ref: str
    key: str
    value: str


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """target: where it goes live, for example `prod`; url: where it answers."""

    ref: str
    target: str
    url: str = ""


class UndeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The deployment of `ref` at `target` ends."""

    ref: str
    target: str


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment: a run of kind `deployment` that uses the version until it ends. new: False when it was live before."""

    run_id: str
    target: str
    version: str
    started_at: int
    ended_at: int | None
    replaced: list[str]
    new: bool = True


@operation(
    "register", permission="registry:write", path="/register", summary="Give a version a name", write=True
)
def register(scope: Scope, request: RegisterRequest) -> Registered:
    """The version under its registered name; registering it again gives back the same number.

    Raises Invalid: the name has an `@`, control characters or nothing in it, or reads as another kind of reference.
    """
    check_name(request.name)
    version = references.find_version(scope, request.ref)
    if version.deleted_at is not None:
        raise Conflict(f"{request.ref!r} was deleted", hint="register a version that still stands")
    before = {entry.number for entry in scope.store.registry.list_named(scope.tx, request.name)}
    named = scope.store.registry.register(
        scope.tx, request.name, version.node, actor=scope.actor, at=scope.at
    )
    return Registered(
        name=named.name,
        number=named.number,
        version=references.artifact_ref(version),
        new=named.number not in before,
    )


def check_name(name: str) -> None:
    """Raises Invalid when a registered name could be mistaken for something else."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise Invalid(
            f"{name!r} cannot be a name", hint="use printable characters, without blanks at the ends"
        )
    if "@" in name or ":" in name:
        raise Invalid(
            f"{name!r} cannot be a name: `@` and `:` have a meaning in references", hint="use - or / instead"
        )


@operation(
    "alias", permission="registry:write", path="/alias", summary="Point an alias at a version", write=True
)
def move_alias(scope: Scope, request: AliasRequest) -> AliasOut:
    """The alias as it now stands; every move is kept with actor, reason and revision.

    Raises Conflict: `expect` is not its revision. Raises NotFound: no such name or version.
    """
    registry = scope.store.registry
    if (
        not request.alias.strip()
        or request.alias.isdecimal()
        or "@" in request.alias
        or not request.alias.isprintable()
    ):
        raise Invalid(
            f"{request.alias!r} cannot be an alias", hint="use a word such as champion, not a number"
        )
    if not request.version:
        current = registry.get_alias(scope.tx, request.name, request.alias)
        if current is None:
            raise NotFound(
                f"{request.name!r} has no alias {request.alias!r}", hint="`lineal show NAME` lists them"
            )
        _expected(current, request.expect)
        registry.retract_alias(
            scope.tx, request.name, request.alias, at=scope.at, actor=scope.actor, reason=request.reason
        )
        return msgspec.structs.replace(_alias(current), retracted_at=scope.at)
    number = _number(scope, request.name, request.version)
    return _alias(
        registry.move_alias(
            scope.tx,
            request.name,
            request.alias,
            number,
            expect=request.expect,
            actor=scope.actor,
            reason=request.reason,
            at=scope.at,
        )
    )


def _expected(current: AliasRecord, expect: int | None) -> None:
    if expect is not None and expect != current.revision:
        raise Conflict(
            f"alias {current.alias!r} of {current.name!r} is at revision {current.revision}, not {expect}",
            hint="read it again and decide again",
        )


def _number(scope: Scope, name: str, version: str) -> int:
    named = scope.store.registry.list_named(scope.tx, name)
    if not named:
        raise NotFound(
            f"nothing is registered under {name!r}",
            hint=f"register a version first: lineal register VERSION {name}",
        )
    if version.isdecimal() and any(entry.number == int(version) for entry in named):
        return int(version)
    node = None if version.isdecimal() else references.find_version(scope, version).node
    for entry in named:
        if entry.node == node:
            return entry.number
    raise NotFound(
        f"{version!r} is not a version of {name!r}",
        hint=f"it has {', '.join(str(entry.number) for entry in named[-8:])}; register another: lineal register {version} {name}",
    )


@operation("aliases", permission="record:read", path="/aliases", summary="List aliases and their history")
def list_aliases(scope: Scope, request: AliasesRequest) -> AliasList:
    """Aliases of one name or of all; with history also their earlier places."""
    found = scope.store.registry.list_aliases(scope.tx, request.name, history=request.history)
    return AliasList(aliases=[_alias(alias) for alias in found])


def _alias(alias: AliasRecord) -> AliasOut:
    return AliasOut(
        name=alias.name,
        alias=alias.alias,
        number=alias.number,
        revision=alias.revision,
        recorded_at=alias.recorded_at,
        retracted_at=alias.retracted_at,
        actor=alias.actor,
        reason=alias.reason,
    )


@operation("tag", permission="record:write", path="/tag", summary="Label a run or version", write=True)
def tag(scope: Scope, request: TagRequest) -> Tagged:
    """The tag as it now stands. Raises Invalid: an empty key."""
    if not request.key.strip():
        raise Invalid("a tag without a key", hint="write KEY=VALUE")
    found = references.find(scope, request.ref)
    scope.store.attributes.set_tags(
        scope.tx,
        found.node,
        [Attribute(key=request.key, value=request.value)],
        at=scope.at,
        actor=scope.actor,
    )
    if found.version is None:
        meeting.meet_in_tag(scope, found.node, request.key, request.value, 0)
    return Tagged(ref=request.ref, key=request.key, value=request.value)


@operation(
    "deploy", permission="deploy:write", path="/deploy", summary="Record that a version goes live", write=True
)
def deploy(scope: Scope, request: DeployRequest) -> Deployed:
    """The deployment; the standing one when the version is live there already.

    What was live at the target of the same registered name or artifact until now ends with it.
    """
    if not request.target.strip():
        raise Invalid("a deployment without a target", hint="name where it goes live, for example prod")
    version = references.find_version(scope, request.ref)
    if version.deleted_at is not None:
        raise Conflict(f"{request.ref!r} was deleted", hint="deploy a version that still stands")
    store, tx = scope.store, scope.tx
    there = live(scope, request.target)
    for node in (node for node, used in there if used.node == version.node):
        run = store.runs.get_runs(tx, [node])[node]
        return Deployed(
            run_id=run.run_id,
            target=request.target,
            version=references.version_ref(scope, version),
            started_at=run.started_at,
            ended_at=None,
            replaced=[],
            new=False,
        )
    replaced = []
    for node, used in there:
        if used.artifact == version.artifact or _share_name(scope, used.node, version.node):
            store.runs.set_state(tx, node, ev.State.FINISHED, at=scope.at, recorded_at=scope.at)
            replaced.append(references.version_ref(scope, used))
    return Deployed(
        run_id=_begin(scope, request, version),
        target=request.target,
        version=references.version_ref(scope, version),
        started_at=scope.at,
        ended_at=None,
        replaced=replaced,
    )


def _begin(scope: Scope, request: DeployRequest, version: VersionRecord) -> str:
    """Adds the run that stands for the deployment, with its edge and tags; its id."""
    store, tx = scope.store, scope.tx
    run_id = uuid7(scope.at, os.urandom(10))
    node = store.runs.add_run(
        tx,
        run_id,
        namespace=scope.namespace,
        job=f"deploy/{request.target}",
        name=request.target,
        kind=DEPLOYMENT,
        parent=None,
        actor=scope.actor,
        started_at=scope.at,
        recorded_at=scope.at,
    )
    message = store.audit.add_message(
        tx, door="native", source="deploy", body=msgspec.json.encode(request), digest="", at=scope.at
    )
    edge = Edge(
        src=version.node,
        dst=node,
        kind=EdgeKind.USED,
        at=scope.at,
        role="model" if version.kind == "model" else "input",
        evidence=ev.Evidence.DECLARED,
        via="lineal.deploy",
        batch=message,
    )
    store.edges.add_edges(tx, [edge], recorded_at=scope.at)
    tags = [Attribute(key="lineal.target", value=request.target)]
    if request.url:
        tags.append(Attribute(key="lineal.url", value=request.url))
    store.attributes.set_tags(tx, node, tags, at=scope.at, actor=scope.actor)
    return run_id


@operation(
    "undeploy",
    permission="deploy:write",
    path="/undeploy",
    summary="Record that a version goes down",
    write=True,
)
def undeploy(scope: Scope, request: UndeployRequest) -> Deployed:
    """The deployment that ended. Raises NotFound: the version is not live at that target."""
    version = references.find_version(scope, request.ref)
    for node, used in live(scope, request.target):
        if used.node == version.node:
            scope.store.runs.set_state(scope.tx, node, ev.State.FINISHED, at=scope.at, recorded_at=scope.at)
            run = scope.store.runs.get_runs(scope.tx, [node])[node]
            return Deployed(
                run_id=run.run_id,
                target=request.target,
                version=references.version_ref(scope, used),
                started_at=run.started_at,
                ended_at=scope.at,
                replaced=[],
            )
    standing = [references.version_ref(scope, used) for _, used in live(scope, request.target)]
    raise NotFound(
        f"{request.ref!r} is not live at {request.target!r}",
        hint=f"live there: {', '.join(standing)}" if standing else "nothing is live there",
    )


def live(scope: Scope, target: str | None = None) -> list[tuple[int, VersionRecord]]:
    """Open deployments (at one target, or all): the run's vertex and the version it uses."""
    runs = scope.store.runs
    nodes = runs.list_by_state(scope.tx, ev.State.RUNNING, 100_000)
    records = runs.get_runs(scope.tx, nodes)
    open_runs = [
        node
        for node, run in records.items()
        if run.kind == DEPLOYMENT and (target is None or run.name == target)
    ]
    used = {
        edge.dst: edge.src
        for edge in scope.store.edges.get_in(scope.tx, open_runs)
        if edge.kind == EdgeKind.USED and edge.role not in ("environment", "code")
    }
    versions = scope.store.artifacts.get_versions(scope.tx, sorted(set(used.values())))
    return [(node, versions[used[node]]) for node in open_runs if node in used]


def _share_name(scope: Scope, one: int, other: int) -> bool:
    names = scope.store.registry.list_names_of(scope.tx, [one, other])
    return bool({n.name for n in names if n.node == one} & {n.name for n in names if n.node == other})
