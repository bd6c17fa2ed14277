"""Taking in another store of ML Metadata, part by part: what is here already is known again by its number there."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lineal.core import mlmd
from lineal.core import mlmd_names as names
from lineal.core.errors import Invalid, LinealError
from lineal.core.events import Evidence
from lineal.core.ids import sha256
from lineal.core.mlmd import Event, Kind, Node, Part, Type
from lineal.service.mlmd_graph import project
from lineal.service.mlmd_ledger import Ledger
from lineal.service.operations import Scope, operation

DOOR = "import"
_TYPE = 3  # beside the kinds of nodes
_MOST_LEFT = 1000
_part = msgspec.msgpack.Decoder(Part).decode


class MlmdImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A part of another store. source: its address, without a password; part: `core.mlmd.Part` as msgpack."""

    source: str
    part: bytes


class MlmdImportReply(msgspec.Struct, frozen=True, kw_only=True):
    """How many were new, changed, or here already. renumbered: nodes whose number was somebody else's here.

    left: what was not taken, and why.
    """

    new: int
    changed: int
    known: int
    renumbered: int
    left: list[str]


@operation(
    "import-mlmd",
    permission="record:write",
    path="/import/mlmd",
    summary="Take in a part of another store of ML Metadata; a repeat has no second effect",
    write=True,
    audited=False,
)
def take(scope: Scope, request: MlmdImportRequest) -> MlmdImportReply:
    """Take in a part in one transaction; what cannot be taken is left out and named, the rest stands.

    Raises Invalid: it is no part.
    """
    try:
        part = _part(request.part)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(
            f"that is no part of a store of ML Metadata: {error}", hint="lineal import mlmd"
        ) from None
    taking = _Taking(scope, request.source)
    taking.take(part)
    if taking.ledger.changed:
        project(taking.ledger, _keep(scope, request))
        taking.ledger.write()
    scope.store.mlmd.put_imported(scope.tx, request.source, taking.rows)
    return taking.reply()


def _keep(scope: Scope, request: MlmdImportRequest) -> int:
    digest = sha256(request.part)
    audit = scope.store.audit
    message = audit.add_message(
        scope.tx, door=DOOR, source=request.source, body=request.part, digest=digest, at=scope.at
    )
    entry = {"message": message, "system": "mlmd", "source": request.source, "body": digest}
    audit.add_leaf(
        scope.tx,
        door=DOOR,
        actor=scope.actor,
        action="import",
        digest=digest,
        body=msgspec.json.encode(entry, order="sorted"),
        at=scope.at,
    )
    return message


class _Taking:
    """One part on its way in. rows: what is to be remembered of it."""

    def __init__(self, scope: Scope, source: str) -> None:
        self._scope, self._source = scope, source
        self.ledger = Ledger(scope, Evidence.IMPORTED)
        self.rows: list[tuple[int, int, int, int]] = []
        self._here: dict[int, dict[int, tuple[int, int]]] = {}
        self._counts = {"new": 0, "changed": 0, "known": 0, "renumbered": 0}
        self._left: list[str] = []

    def reply(self) -> MlmdImportReply:
        return MlmdImportReply(**self._counts, left=self._left[:_MOST_LEFT])

    def take(self, part: Part) -> None:
        self._load(part)
        for type in part.types:
            self._one(f"type {type.name!r}", self._type, type)
        for node in part.nodes:
            self._one(f"{mlmd.missing(node.kind)} {node.id}", self._node, node)
        for event in part.events:
            self._one(
                f"event of artifact {event.artifact} and execution {event.execution}", self._event, event
            )
        for context, kind, member in part.members:
            self._one(
                f"membership of {member} in context {context}", self._member, (context, Kind(kind), member)
            )
        for link in part.parents:
            self._one(f"parent {link[1]} of context {link[0]}", self._parent, link)

    def _one(self, what: str, take: object, thing: object) -> None:
        try:
            with self.ledger.whole():
                take(thing)  # type: ignore[operator]
        except LinealError as error:
            self._left.append(f"{what}: {error.message}")

    def _load(self, part: Part) -> None:
        wanted: dict[int, set[int]] = {_TYPE: {node.type_id for node in part.nodes}}
        wanted[_TYPE] |= {type.id for type in part.types}
        for kind in Kind:
            wanted[kind] = {node.id for node in part.nodes if node.kind == kind}
        wanted[Kind.EXECUTION] |= {event.execution for event in part.events}
        wanted[Kind.EXECUTION] |= {
            parent for node in part.nodes if node.kind == Kind.EXECUTION and (parent := names.parent_of(node))
        }
        wanted[Kind.ARTIFACT] |= {event.artifact for event in part.events}
        for context, of, member in part.members:
            wanted[Kind.CONTEXT].add(context)
            wanted[of].add(member)
        wanted[Kind.CONTEXT] |= {id for link in part.parents for id in link}
        for kind_or_type, numbers in wanted.items():
            self._here[kind_or_type] = self._scope.store.mlmd.get_imported(
                self._scope.tx, self._source, kind_or_type, numbers
            )
        for kind in Kind:
            self.ledger.load_nodes(kind, (ours for ours, _ in self._here[kind].values()))
            self.ledger.load_nodes(kind, (n.id for n in part.nodes if n.kind == kind))
            external = {n.external_id for n in part.nodes if n.kind == kind and n.external_id}
            self.ledger.load_externals(kind, external)
        self.ledger.load_types(ours for ours, _ in self._here[_TYPE].values())
        self.ledger.load_types(type.id for type in part.types)
        self.ledger.executions = {theirs: ours for theirs, (ours, _) in self._here[Kind.EXECUTION].items()}
        self._load_names(part.nodes)
        ends = [
            (self._number(Kind.ARTIFACT, e.artifact), self._number(Kind.EXECUTION, e.execution))
            for e in part.events
        ]
        self.ledger.load_events((a, e) for a, e in ends if a and e)

    def _load_names(self, nodes: Iterable[Node]) -> None:
        self.ledger.load_names(
            (here[0], node.name)
            for node in nodes
            if node.name is not None and (here := self._here[_TYPE].get(node.type_id))
        )

    def _number(self, kind: int, theirs: int) -> int:
        """The number here of something there; 0 when it was not taken."""
        return self._here[kind].get(theirs, (0, 0))[0]

    def _remember(self, kind: int, theirs: int, ours: int, updated: int = 0) -> None:
        self.rows.append((kind, theirs, ours, updated))
        self._here[kind][theirs] = (ours, updated)
        if kind == Kind.EXECUTION:
            self.ledger.executions[theirs] = ours

    # ---- each sort of thing --------------------------------------------------------------------------------------------

    def _type(self, given: Type) -> None:
        theirs = given.id
        stored = self.ledger.type_named(given.kind, given.name, given.version)
        if stored is None:
            mlmd.check_property_types(given.properties)
            id = self.ledger.place_type(theirs)
            ours = self.ledger.put_type(msgspec.structs.replace(given, id=id, base=given.base or 0))
            self._counts["new"] += 1
        else:
            after = mlmd.merged(stored, given, can_add=True, can_omit=True)
            ours = stored.id if after is stored else self.ledger.put_type(after)
            self._counts["known" if after is stored else "changed"] += 1
        self._remember(_TYPE, theirs, ours)

    def _node(self, given: Node) -> None:
        ours, updated = self._here[given.kind].get(given.id, (0, -1))
        if ours and updated == given.updated:
            self._counts["known"] += 1
            return
        type = self.ledger.type(self._number(_TYPE, given.type_id) or -1)
        if type is None:
            raise Invalid(f"its type {given.type_id} is not there")
        mlmd.check_text("name", given.name)
        mlmd.check_text("external id", given.external_id)
        node = msgspec.structs.replace(given, type_id=type.id, type=type.name)
        if ours:
            stored = self.ledger.node(given.kind, ours)
            assert stored is not None
            node.id, node.vertex = ours, stored.vertex
            self._counts["changed"] += 1
        elif same := self._same(node):
            self._remember(given.kind, given.id, same, given.updated)
            self._counts["known"] += 1
            return
        else:
            node.id = self.ledger.place(given.kind, given.id)
            self._counts["new"] += 1
            self._counts["renumbered"] += node.id != given.id
        self._remember(given.kind, given.id, self.ledger.put_node(node), given.updated)

    def _same(self, node: Node) -> int:
        """The number of the node here that has the same type and name, or the same external id."""
        found = self.ledger.named(node.type_id, node.name) if node.name is not None else None
        if found is None and node.external_id:
            found = self.ledger.external(node.kind, node.external_id)
        return found or 0

    def _event(self, given: Event) -> None:
        event = msgspec.structs.replace(
            given,
            artifact=self._number(Kind.ARTIFACT, given.artifact),
            execution=self._number(Kind.EXECUTION, given.execution),
        )
        if not event.artifact or not event.execution:
            raise Invalid("one of the two is not there")
        mlmd.check_event(event)
        if self.ledger.has_event(event):
            self._counts["known"] += 1
            return
        self.ledger.put_event(event)
        self._counts["new"] += 1

    def _member(self, given: tuple[int, Kind, int]) -> None:
        context, member = self._number(Kind.CONTEXT, given[0]), self._number(given[1], given[2])
        if not context or not member:
            raise Invalid("one of the two is not there")
        before = len(self.ledger.new_members)
        self.ledger.put_members([(context, int(given[1]), member)])
        self._counts["new" if len(self.ledger.new_members) > before else "known"] += 1

    def _parent(self, given: tuple[int, int]) -> None:
        child, parent = (self._number(Kind.CONTEXT, id) for id in given)
        if not child or not parent:
            raise Invalid("one of the two is not there")
        if parent in self.ledger.parents_of(child):
            self._counts["known"] += 1
            return
        self.ledger.put_parent(child, parent)
        self._counts["new"] += 1
