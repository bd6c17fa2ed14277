"""Names that stores of versions have for what a run read and wrote: added to its events, and a table's many files made one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.core import events as ev
from lineal.core.ids import sha256
from lineal.deliver.fingerprint import Fingerprints
from lineal.resolve import addresses, delta, iceberg, lakefs
from lineal.resolve.content import files_below, stat_of
from lineal.resolve.found import Found, Name, TableState
from lineal.resolve.location import file_path, file_uri, url_name
from lineal.resolve.project import Project, artifact_name
from lineal.resolve.tables import Root, is_log
from lineal.resolve.versions import Resolver

if TYPE_CHECKING:
    from lineal.deliver.story import Story

FACET = "lineal.native/1"
_MOST_TOLD = 1000  # versions of one table that one run read or wrote
_MOST_FILES = 200  # part files named when a table was read through them
_Event = ev.VersionUsed | ev.VersionGenerated


class Natives:
    """Resolves what one delivery tells of; what it learnt is kept from one run to the next.

    Args:
        fingerprints: where digests and other hashes are remembered.
    """

    def __init__(self, project: Project, fingerprints: Fingerprints) -> None:
        self._project = project
        self._fingerprints = fingerprints
        self._resolver = Resolver(known=fingerprints.other_hash, learn=fingerprints.learn_other_hash)
        self._resolver.roots = fingerprints.roots
        self._lakefs = lakefs.Server(os.environ)
        self._told: dict[tuple[str, str, str], set[str]] = {}  # by run, operation and place: states told

    def begun_with(self, variables: Mapping[str, str]) -> None:
        """The environment of the program whose data is resolved."""
        self._resolver.variables = variables
        self._lakefs = lakefs.Server(variables)

    def named(self, story: Story, events: Iterable[ev.Event], *, final: bool = False) -> list[ev.Event]:
        """The events with all names that are known for their data, and one for each version of a table in place of those
        for its files. final: the run has ended, so what libraries said of tables and nothing else told of is added."""
        self._resolver.forget()
        self._lakefs.forget()
        kept: list[ev.Event] = []
        parts: dict[tuple[type, str], list[_Event]] = {}
        said = self._said(story)
        for event in events:
            if not isinstance(event, _Event):
                kept.append(event)
                continue
            place = self._table_at(event.version.location) or event.version.location.rstrip("/")
            if (type(event), place) in said or self._table_at(event.version.location):
                parts.setdefault((type(event), place), []).append(event)
            else:
                kept.append(event)
        kept = self._with_names(kept)
        for (kind, place), several in parts.items():
            kept.extend(self._of_table(story, kind, place, several))
        if final:
            for kind, place in said:
                if (kind, place) not in parts:  # else all that was said of it is told already
                    kept.extend(self._of_table(story, kind, place, []))
        return kept

    # ---- files -------------------------------------------------------------------------------------------------------

    def _with_names(self, events: list[ev.Event]) -> list[ev.Event]:
        asked: dict[bytes, str] = {}
        for event in events:
            if isinstance(event, _Event) and (path := self._still_there(event.version)) is not None:
                asked[path] = (event.version.digest or "").removeprefix("sha256:")
        found = self._resolver.files(list(asked.items())) if asked else {}
        named: list[ev.Event] = []
        for event in events:
            if isinstance(event, _Event) and event.version.location:
                state = event.version
                if not state.location.startswith("file:"):
                    state = self._by_address(state)
                elif several := found.get(file_path(state.location)):
                    state = _carrying(state, _of_whole(state, several))
                if state is not event.version:
                    event = msgspec.structs.replace(event, version=state)
            named.append(event)
        return named

    def _still_there(self, state: ev.VersionState) -> bytes | None:
        """The path of a file or folder that still holds the very content of the version; None when it does not."""
        if not state.location.startswith("file:") or state.level != ev.Level.CONTENT or not state.digest:
            return None
        path = file_path(state.location)
        if state.members:
            return path if os.path.isdir(path) else None
        stat = stat_of(path)
        known = self._fingerprints.known(path, stat) if stat is not None else None
        return path if known is not None and state.digest == f"sha256:{known}" else None

    def _by_address(self, state: ev.VersionState) -> ev.VersionState:
        """A remote object, with what its address says of its version."""
        found = addresses.of(state.location)
        if found is None:
            return state
        etag = next((item.value for item in state.references if item.scheme == "etag"), "")
        found = self._lakefs.pinned(found, etag)
        changed = _carrying(state, [found])
        if state.level == ev.Level.NATIVE:
            return changed
        pinned = next((name for name in found.names if name.level == "native"), None)
        if pinned is None:
            return msgspec.structs.replace(changed, reason=found.gap or state.reason)
        digest = "native:" + sha256(f"{pinned.scheme}:{pinned.value}".encode())[7:]
        return msgspec.structs.replace(changed, digest=digest, level=ev.Level.NATIVE, reason="")

    # ---- tables ------------------------------------------------------------------------------------------------------

    def _table_at(self, location: str) -> str:
        """The address of the table that a file or folder is part of; empty when there is none."""
        if not location.startswith("file:"):
            return ""
        root = self._resolver.roots.of(file_path(location))
        return file_uri(root.path) if root is not None else ""

    @staticmethod
    def _said(story: Story) -> dict[tuple[type, str], list[dict[str, Any]]]:
        """What libraries said of tables, by event and address."""
        found: dict[tuple[type, str], list[dict[str, Any]]] = {}
        for record in story.tables:
            kind: type = ev.VersionUsed if record.get("op") == "read" else ev.VersionGenerated
            found.setdefault((kind, record["address"]), []).append(record)
        return found

    def _of_table(self, story: Story, kind: type, place: str, several: list[_Event]) -> Iterator[ev.Event]:
        """One event for each version of the table that was read or written."""
        root = self._resolver.roots.of(file_path(place)) if place.startswith("file:") else None
        states = [  # with the time and the library that told it
            (self._as_said(record, root, place), int(record["at"]), str(record.get("lib") or ""))
            for record in self._said(story).get((kind, place), [])[-_MOST_TOLD:]
        ]
        if not states and root is not None and kind is ev.VersionUsed and _log_only(root, several):
            return  # whoever writes into a table looks into its log first
        if not states and root is not None:
            states = [(state, at, "") for state, at in self._as_seen(story, kind, root, several)]
        told = self._told.setdefault((story.run, kind.__name__, place), set())
        for state, at, lib in states:
            if (key := state.state or state.gap) in told:
                continue
            told.add(key)
            yield self._event(story, kind, place, state, at, [lib] if lib else [], several)
            if (
                kind is ev.VersionGenerated
                and (before := self._before(story, state, root, place)) is not None
            ):
                yield before

    def _as_said(self, record: dict[str, Any], root: Root | None, place: str) -> TableState:
        path = root.path if root is not None else place.encode()
        table = str(record.get("table") or "")
        if record.get("kind") == "iceberg":
            return iceberg.state(
                path, table=table, snapshot=record.get("snapshot"), schema=int(record.get("schema") or 0)
            )
        version = int(record["version"])
        if root is not None:
            return delta.state(path, version=version, table=table)
        if not table:
            return TableState(
                "delta", path, str(version), "", (), {"version": version}, "the table's id is not known"
            )
        name = Name("delta", f"{table}@{version}")
        facts = {"table": table, "version": version}
        return TableState("delta", path, str(version), f"delta:{table}@{version}", (name,), facts)

    def _as_seen(
        self, story: Story, kind: type, root: Root, several: list[_Event]
    ) -> Iterator[tuple[TableState, int]]:
        """The versions by what was seen of the files: those that stood when they were read, or were made in the run's time."""
        at = min((event.at for event in several), default=story.last_at)
        if kind is ev.VersionUsed:
            state = self._resolver.table(root, by=at)
            files = _parts(root, several)
            if files and state.kind == "delta" and state.version:
                fitting = delta.version_with(root.path, set(files), int(state.version))
                if str(fitting) != state.version:
                    state = self._resolver.table(root, version=fitting)
            if files:
                some = {"read_files": files[:_MOST_FILES], "read_file_count": len(files)}
                state = state._replace(facts={**state.facts, **some})
            yield state, at
            return
        begun = int((story.started or {}).get("at") or at)
        last = max((event.at for event in several), default=at)
        if root.kind == "iceberg":
            yield self._resolver.table(root), last
            return
        made = delta.made_by(root.path, begun, max(last, story.last_at))
        for version in made[-_MOST_TOLD:]:
            yield delta.state(root.path, version=version), last
        if not made:
            gap = "files were written into the table's folder, and no version was made of them"
            yield TableState("delta", root.path, "", "", (), {}, gap), last

    def _event(
        self,
        story: Story,
        kind: type,
        place: str,
        state: TableState,
        at: int,
        via: list[str],
        several: list[_Event],
    ) -> ev.Event:
        evidence = several[0].evidence if several else ev.Evidence.OBSERVED
        role = several[0].role if several else "input" if kind is ev.VersionUsed else "output"
        layers = [layer for event in several for layer in event.via] or ["hook"]
        made: ev.Event = kind(
            run=story.run,
            version=self._version(place, state),
            at=at,
            role=role,
            evidence=evidence,
            via=list(dict.fromkeys([*layers, *via])),
        )
        return made

    def _version(self, place: str, state: TableState) -> ev.VersionState:
        path = file_path(place) if place.startswith("file:") else None
        namespace, name = artifact_name(self._project, path) if path is not None else url_name(place)
        facts = {"kind": state.kind, **state.facts, **({"gap": state.gap} if state.gap else {})}
        named = list(state.names)
        if state.version and state.names and state.names[0].level == "native":
            # As senders of OpenLineage name the version of a table at a place.
            known = f"file/{os.fsdecode(path)}" if path is not None else place
            number = str(state.facts.get("snapshot", state.version))
            named.append(Name("ol", f"{known}@{number}"))
        stand_in = f"unknown:{sha256(f'{place} {state.gap}'.encode())[7:]}"
        return ev.VersionState(
            namespace=namespace,
            name=name,
            digest=f"native:{sha256(state.state.encode())[7:]}" if state.state else stand_in,
            level=ev.Level.NATIVE if state.state else ev.Level.NONE,
            reason="" if state.state else state.gap,
            location=place,
            references=[_reference(one) for one in named],
            facets={FACET: msgspec.Raw(msgspec.json.encode({"found": [facts]})), **_schema(path, state)},
        )

    def _before(self, story: Story, state: TableState, root: Root | None, place: str) -> ev.Event | None:
        """That the version before this one was used: rows were added to it or changed in it."""
        if root is None or state.kind != "delta" or not state.state:
            return None
        version = int(state.facts.get("data_version", state.facts["version"]))
        if not delta.continues(root.path, version):
            return None
        before = delta.state(root.path, version=version - 1, table=str(state.facts["table"]))
        made = self._told.get((story.run, ev.VersionGenerated.__name__, place), set())
        used = self._told.setdefault((story.run, ev.VersionUsed.__name__, place), set())
        if not before.state or before.state in made or before.state in used:
            return None
        used.add(before.state)
        at = int((story.started or {}).get("at") or story.last_at)
        return ev.VersionUsed(
            run=story.run, version=self._version(place, before), at=at, role="input", via=["kept", "delta"]
        )


def _schema(root: bytes | None, state: TableState) -> dict[str, msgspec.Raw]:
    """The facet of a table's columns, where the table lies here and its log says them."""
    if root is None or not state.state:
        return {}
    if state.kind == "delta":
        columns = delta.columns(root, int(state.facts["version"]))
    else:
        columns = iceberg.columns(root, int(state.facts["schema"]))
    if not columns:
        return {}
    body = {"columns": columns, "by": state.kind}
    return {"lineal.schema/1": msgspec.Raw(msgspec.json.encode(body))}


def _log_only(root: Root, several: list[_Event]) -> bool:
    """Whether nothing of a table was read but the files that tell of its versions."""
    return bool(several) and all(is_log(root, file_path(event.version.location)) for event in several)


def _parts(root: Root, several: list[_Event]) -> list[str]:
    """The data files of a table through which it was read, relative to it; none when it was read as a folder."""
    found: list[str] = []
    for event in several:
        path = file_path(event.version.location)
        if path == root.path or os.path.isdir(path):
            found += [member.path for member in event.version.members]
            if path == root.path and not event.version.members:
                return []
        elif path.endswith((b".parquet", b".orc", b".avro")):
            found.append(os.fsdecode(os.path.relpath(path, root.path)))
    return sorted(set(found))


def _of_whole(state: ev.VersionState, several: list[Found]) -> list[Found]:
    """Of a folder, what identifies all of it only where all of it was read."""
    if not state.members:
        return several
    everything = {os.fsdecode(path) for path in files_below(file_path(state.location))}
    if everything == {member.path for member in state.members}:
        return several
    return [
        one._replace(
            names=tuple(name._replace(level="declared") for name in one.names),
            gap=one.gap or "only a part of the folder was read",
        )
        for one in several
    ]


def _carrying(state: ev.VersionState, several: list[Found]) -> ev.VersionState:
    """The version with all names that were found, and a facet of what else was."""
    there = {(item.scheme, item.value) for item in state.references}
    more = [
        _reference(name) for one in several for name in one.names if (name.scheme, name.value) not in there
    ]
    facts = [{"kind": one.kind, **one.facts, **({"gap": one.gap} if one.gap else {})} for one in several]
    body = msgspec.Raw(msgspec.json.encode({"found": facts}))
    return msgspec.structs.replace(
        state, references=[*state.references, *more], facets={**state.facets, FACET: body}
    )


def _reference(name: Name) -> ev.Reference:
    value = name.value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return ev.Reference(scheme=name.scheme, value=value, level=ev.Level(name.level))
