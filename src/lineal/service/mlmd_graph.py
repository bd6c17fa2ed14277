"""What ML Metadata's rows mean, written into the one graph in the same transaction.

An execution is a run, an artifact a version, a context a group; events are edges. What is changed in place remains as the
history of a facet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from struct import pack
from typing import Any

import msgspec

from lineal.core import mlmd
from lineal.core import mlmd_names as names
from lineal.core import mlmd_struct as values
from lineal.core.events import Level, State, VersionState
from lineal.core.ids import uuid7
from lineal.core.mlmd import DOOR, Event, Kind, Node
from lineal.core.model import Attribute, Edge, EdgeKind
from lineal.resolve.location import url_name
from lineal.service import facets, meeting
from lineal.service.mlmd_ledger import Ledger
from lineal.store.many import ManyRun, ManyState

FACETS = {Kind.ARTIFACT: "mlmd.artifact/1", Kind.EXECUTION: "mlmd.execution/1"}
_REASON = "declared by a client of ML Metadata; its bytes were not seen"
_GROUP = "mlmd"


def project(ledger: Ledger, message: int) -> None:
    """Bring the graph up to date with what the ledger changed, and give new nodes their vertices."""
    _Projecting(ledger, message).project()


class _Projecting:
    def __init__(self, ledger: Ledger, message: int) -> None:
        self._ledger = ledger
        self._scope = ledger.scope
        self._message = message
        self._changed = list(ledger.changed_nodes())
        self._fresh: set[int] = set()

    def project(self) -> None:
        self._add_groups([new for new, old in self._changed if old is None and new.kind == Kind.CONTEXT])
        self._add_runs([new for new, old in self._changed if old is None and new.kind == Kind.EXECUTION])
        self._add_versions([new for new, old in self._changed if old is None and new.kind == Kind.ARTIFACT])
        self._set_states()
        self._keep_facets()
        self._keep_params()
        self._add_edges()
        self._add_metrics()
        self._add_members()
        for child, parent in self._ledger.new_parents:
            ends = [self._node(Kind.CONTEXT, id).vertex for id in (child, parent)]
            self._scope.store.groups.nest(self._scope.tx, ends[0], ends[1])

    def _node(self, kind: Kind, id: int) -> Node:
        node = self._ledger.node(kind, id)
        assert node is not None
        return node

    # ---- vertices ------------------------------------------------------------------------------------------------------

    def _add_groups(self, contexts: list[Node]) -> None:
        wanted = [(context.name or "", context.type or "") for context in contexts]
        made = self._scope.store.groups.add_groups(self._scope.tx, wanted, at=self._scope.at)
        for context, key in zip(contexts, wanted, strict=True):
            context.vertex = made[key]

    def _add_runs(self, executions: list[Node]) -> None:
        if not executions:
            return
        contexts = self._contexts_of({execution.id for execution in executions})
        ids, taken = self._name_runs(executions, contexts)
        here = self._ledger.executions
        said = {execution.id: names.parent_of(execution) for execution in executions}
        parents = {id: here.get(parent, parent) for id, parent in said.items()}
        known = self._run_ids({parent for parent in parents.values() if parent and parent not in ids})
        made = self._scope.store.many.add_runs(
            self._scope.tx,
            [
                ManyRun(
                    run_id=ids[execution.id],
                    job=(self._scope.namespace, names.job_of(execution, contexts.get(execution.id, ()))),
                    kind=names.kind_of_run(execution),
                    parent=ids.get(parents[execution.id])
                    or known.get(parents[execution.id], ("", 0))[0]
                    or None,
                    started_at=execution.created * 1000,
                    name=execution.name or "",
                )
                for execution in executions
            ],
            known=dict(known.values()),
            actor=self._scope.actor,
            at=self._scope.at,
        )
        for execution in executions:
            execution.vertex = made[ids[execution.id]]
        self._fresh |= set(made.values())
        meeting.meet_awaited(self._scope, made)
        for id, run_id in taken.items():
            meeting.meet_in_tag(self._scope, made[ids[id]], "kfp.run_id", run_id, self._message)

    def _name_runs(
        self, executions: list[Node], contexts: dict[int, list[tuple[str, str]]]
    ) -> tuple[dict[int, str], dict[int, str]]:
        """By execution the id of its run, Kubeflow's own where it is one; and Kubeflow's of those where that is somebody's already."""
        wanted = {e.id: names.kubeflow_run(e, contexts.get(e.id, ())) for e in executions}
        known = set(self._scope.store.many.find_runs(self._scope.tx, {run for run in wanted.values() if run}))
        ids: dict[int, str] = {}
        taken: dict[int, str] = {}
        for id, run in wanted.items():
            if run and run not in known:
                known.add(run)
                ids[id] = run
                continue
            ids[id] = uuid7(self._scope.at, os.urandom(10))
            if run:
                taken[id] = run
        return ids, taken

    def _run_ids(self, executions: set[int]) -> dict[int, tuple[str, int]]:
        """By execution: its run's id and vertex."""
        self._ledger.load_nodes(Kind.EXECUTION, executions)
        found = [node for id in executions if (node := self._ledger.node(Kind.EXECUTION, id)) is not None]
        records = self._scope.store.runs.get_runs(self._scope.tx, [node.vertex for node in found])
        return {node.id: (records[node.vertex].run_id, node.vertex) for node in found}

    def _contexts_of(self, executions: set[int]) -> dict[int, list[tuple[str, str]]]:
        """By execution: type and name of the contexts that it was put into just now."""
        found: dict[int, list[tuple[str, str]]] = {}
        for context, kind, member in self._ledger.new_members:
            if kind == Kind.EXECUTION and member in executions:
                node = self._node(Kind.CONTEXT, context)
                found.setdefault(member, []).append((self._type_name(node), node.name or ""))
        return found

    def _type_name(self, node: Node) -> str:
        type = self._ledger.type(node.type_id)
        return node.type or (type.name if type else "")

    def _add_versions(self, artifacts: list[Node]) -> None:
        if not artifacts:
            return
        made = self._scope.store.artifacts.add_versions(
            self._scope.tx, [self._state(artifact) for artifact in artifacts], recorded_at=self._scope.at
        )
        for artifact, (vertex, _) in zip(artifacts, made, strict=True):
            artifact.vertex = vertex
            self._fresh.add(vertex)

    def _state(self, artifact: Node) -> VersionState:
        type = self._ledger.type(artifact.type_id)
        namespace, name = self._scope.namespace, names.name_of(artifact)
        if artifact.uri:
            namespace, name = url_name(artifact.uri)
        return VersionState(
            namespace=namespace,
            name=name or artifact.uri or names.name_of(artifact),
            kind=names.kind_of(artifact, type.base or 0 if type else 0),
            digest=None,
            level=Level.DECLARED,
            reason=_REASON,
            location=artifact.uri or "",
        )

    # ---- what is said of them ------------------------------------------------------------------------------------------

    def _set_states(self) -> None:
        states = []
        for new, old in self._changed:
            if new.kind != Kind.EXECUTION:
                continue
            now, before = names.state_of(new), names.state_of(old) if old else State.RUNNING
            if now != before:
                states.append(ManyState(node=new.vertex, state=now, at=new.updated * 1000))
        self._scope.store.many.set_states(self._scope.tx, states, at=self._scope.at)

    def _keep_facets(self) -> None:
        rows = [
            (new.vertex, FACETS[new.kind], msgspec.json.encode(_said(new)))
            for new, _ in self._changed
            if new.kind in FACETS
        ]
        for node, name, body in rows:
            if name == FACETS[Kind.EXECUTION] and b"mlflow" in body.lower():
                meeting.meet_in_facet(self._scope, node, name, body, self._message)
        if rows:
            self._scope.store.many.add_facets(
                self._scope.tx,
                facets.admit(self._scope, rows, self._message),
                fresh=self._fresh,
                batch=self._message,
                at=self._scope.at,
            )

    def _keep_params(self) -> None:
        fresh: list[tuple[int, list[Attribute]]] = []
        for new, old in self._changed:
            if new.kind != Kind.EXECUTION:
                continue
            params = [
                Attribute(key=key, value=value, source=DOOR)
                for side in (new.properties, new.custom)
                for key, value in values.scalars(side)
            ]
            if old is None and params:
                fresh.append((new.vertex, params))
            elif (new.properties, new.custom) != ((old.properties, old.custom) if old else ({}, {})):
                self._scope.store.attributes.add_params(self._scope.tx, new.vertex, params, at=self._scope.at)
        self._scope.store.many.add_first_params(self._scope.tx, fresh, at=self._scope.at)

    # ---- edges and groups ----------------------------------------------------------------------------------------------

    def _add_edges(self) -> None:
        events = list(self._ledger.new_events.values())
        again = self._made_before(events)
        edges = [self._edge(event, again) for event in events if event.type != mlmd.PENDING_OUTPUT]
        self._scope.store.edges.add_edges(self._scope.tx, edges, recorded_at=self._scope.at)

    def _add_metrics(self) -> None:
        """The numbers of artifacts that are metrics, as metrics of the runs that made them; of a changed one what is new."""
        made = [
            (event.artifact, event.execution)
            for event in self._ledger.new_events.values()
            if event.type in mlmd.OUTPUTS
        ]
        changed = {
            new.id: (new, old)
            for new, old in self._changed
            if new.kind == Kind.ARTIFACT and old is not None and self._is_metrics(new)
        }
        if changed:
            known = self._scope.store.mlmd.list_events(self._scope.tx, "artifact", sorted(changed))
            made += [(event.artifact, event.execution) for event in known if event.type in mlmd.OUTPUTS]
        for artifact, execution in dict.fromkeys(made):
            node = self._node(Kind.ARTIFACT, artifact)
            if not self._is_metrics(node):
                continue
            new, old = changed.get(artifact, (node, None))
            before = names.numbers(old) if old is not None else {}
            found = {key: value for key, value in names.numbers(new).items() if before.get(key) != value}
            self._add_numbers(self._node(Kind.EXECUTION, execution).vertex, found, node.updated * 1000)

    def _is_metrics(self, artifact: Node) -> bool:
        type = self._ledger.type(artifact.type_id)
        return names.is_metrics(artifact.type or (type.name if type else ""), type.base or 0 if type else 0)

    def _add_numbers(self, run: int, found: dict[str, float], at: int) -> None:
        count = len(found)
        self._scope.store.metrics.add_new_points(
            self._scope.tx,
            run,
            list(found),
            pack(f"<{count}I", *range(count)),
            bytes(8 * count),
            pack(f"<{count}q", *[at] * count),
            pack(f"<{count}d", *found.values()),
        )

    def _made_before(self, events: list[Event]) -> set[int]:
        """The artifacts that another execution made before: a cached step gives what is there again."""
        new = {node.id for node, old in self._changed if old is None and node.kind == Kind.ARTIFACT}
        asked = {event.artifact for event in events if event.type in mlmd.OUTPUTS} - new
        if not asked:
            return set()
        known = self._scope.store.mlmd.list_events(self._scope.tx, "artifact", sorted(asked))
        return {event.artifact for event in known if event.type in mlmd.OUTPUTS}

    def _edge(self, event: Event, again: set[int]) -> Edge:
        artifact = self._node(Kind.ARTIFACT, event.artifact).vertex
        run = self._node(Kind.EXECUTION, event.execution).vertex
        used = event.type in mlmd.INPUTS
        return Edge(
            src=artifact if used else run,
            dst=run if used else artifact,
            kind=EdgeKind.USED if used else EdgeKind.GENERATED,
            at=(event.at or 0) * 1000,
            role=names.role_of(event, "input" if used else "output"),
            evidence=self._ledger.evidence,
            via=_GROUP,
            again=not used and event.artifact in again,
            batch=self._message,
        )

    def _add_members(self) -> None:
        members = [
            (self._node(Kind.CONTEXT, context).vertex, self._node(Kind(kind), id).vertex)
            for context, kind, id in self._ledger.new_members
        ]
        self._scope.store.groups.add_members(self._scope.tx, members, at=self._scope.at)
        self._rename(
            {
                id
                for context, kind, id in self._ledger.new_members
                if kind == Kind.EXECUTION
                and (id_node := self._node(Kind.EXECUTION, id)).vertex not in self._fresh
                and self._type_name(self._node(Kind.CONTEXT, context)) in names.PIPELINES | names.STEPS
                and id_node.vertex
            }
        )

    def _rename(self, executions: Iterable[int]) -> None:
        """Call the runs of executions after the pipeline that they turn out to be steps of."""
        wanted = set(executions)
        if not wanted:
            return
        contexts = self._contexts_of(wanted)
        records = self._scope.store.runs.get_runs(
            self._scope.tx, [self._node(Kind.EXECUTION, id).vertex for id in wanted]
        )
        parents = self._scope.store.many.get_parents(self._scope.tx, list(records))
        rows: dict[int, ManyRun] = {}
        for id in wanted:
            node = self._node(Kind.EXECUTION, id)
            node.type = node.type or self._type_name(node)
            record = records[node.vertex]
            rows[node.vertex] = ManyRun(
                run_id=record.run_id,
                job=(record.namespace, names.job_of(node, contexts[id])),
                kind=record.kind,
                parent=parents.get(record.run_id),
                started_at=record.started_at,
            )
        known = self._scope.store.many.find_runs(
            self._scope.tx, [r.parent for r in rows.values() if r.parent]
        )
        self._scope.store.many.update_runs(self._scope.tx, rows, known=known)


def _said(node: Node) -> dict[str, Any]:
    """A node as a document."""
    said: dict[str, Any] = {"id": node.id, "type": node.type}
    for name in ("name", "uri", "external_id"):
        if getattr(node, name) is not None:
            said[name] = getattr(node, name)
    if node.state is not None:
        said["state"] = mlmd.STATES[node.kind][node.state]
    for name, side in (("properties", node.properties), ("custom_properties", node.custom)):
        if side:
            said[name] = values.plain(side)
    return said
