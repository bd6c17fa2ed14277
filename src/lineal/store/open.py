"""Opens a store: an engine with one object per noun."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lineal.core.errors import Invalid, LinealError
from lineal.store.arriving import Arriving
from lineal.store.artifacts import Artifacts
from lineal.store.attributes import Attributes
from lineal.store.audit import Audit
from lineal.store.base import (
    ArtifactStore,
    AttributeStore,
    AuditStore,
    CatalogStore,
    CorrectionStore,
    EdgeStore,
    FacetSchemaStore,
    GroupingStore,
    GroupStore,
    MetricStore,
    RegistryStore,
    RunStore,
    SearchStore,
    TokenStore,
    ViewStore,
)
from lineal.store.base_doors import (
    ArrivingStore,
    FileStore,
    LeaseStore,
    LinkedStore,
    ManyStore,
    MlmdStore,
    MomentStore,
    RecordStore,
    ReplyStore,
    StoryStore,
)
from lineal.store.base_graph import JoinStore, LogicalStore, NameJoinStore, NeighbourStore
from lineal.store.catalog import Catalog
from lineal.store.check import check
from lineal.store.corrections import Corrections
from lineal.store.edges import Edges
from lineal.store.engine.sqlite import SqliteEngine
from lineal.store.facet_schemas import FacetSchemas
from lineal.store.files import Files
from lineal.store.grouping import Grouping
from lineal.store.groups import Groups
from lineal.store.idempotency import Replies
from lineal.store.joins import Joins
from lineal.store.leases import Leases
from lineal.store.linked import Linked
from lineal.store.logical import Logical
from lineal.store.many import Many
from lineal.store.metrics import Metrics
from lineal.store.mlmd import Mlmd
from lineal.store.moments import Moments
from lineal.store.name_joins import NameJoins
from lineal.store.neighbours import Neighbours
from lineal.store.records import Records
from lineal.store.registry import Registry
from lineal.store.runs import Runs
from lineal.store.schema import migrate
from lineal.store.search import Search
from lineal.store.stories import Stories
from lineal.store.tokens import Tokens
from lineal.store.tx import Engine, Tx
from lineal.store.views import Views

if TYPE_CHECKING:
    from lineal.store.csr import Snapshots
    from lineal.store.mlmd_events import Events


@dataclass(frozen=True)
class Store:
    """An open store. Its parts hold nothing of their own; each works in the transaction it is given.

    A store is used by the thread that opened it, or by several under a lock. It survives a fork: the child opens
    connections of its own.
    """

    engine: Engine
    runs: RunStore
    attributes: AttributeStore
    metrics: MetricStore
    artifacts: ArtifactStore
    edges: EdgeStore
    neighbours: NeighbourStore
    joins: JoinStore
    name_joins: NameJoinStore
    logical: LogicalStore
    facet_schemas: FacetSchemaStore
    registry: RegistryStore
    groups: GroupStore
    audit: AuditStore
    search: SearchStore
    catalog: CatalogStore
    records: RecordStore
    files: FileStore
    corrections: CorrectionStore
    tokens: TokenStore
    replies: ReplyStore
    stories: StoryStore
    moments: MomentStore
    many: ManyStore
    arriving: ArrivingStore
    linked: LinkedStore
    mlmd: MlmdStore
    leases: LeaseStore
    grouping: GroupingStore
    views: ViewStore

    @cached_property
    def snapshots(self) -> Snapshots:
        """The snapshots of the graph, beside a file; of a server's database in the user's cache folder."""
        from lineal.store.csr import Snapshots

        return Snapshots(_snapshot_folder(self.engine.url), self.engine.url)

    @cached_property
    def mlmd_events(self) -> Events:
        """ML Metadata's events, as far as they are in memory: of one store once in a process."""
        from lineal.store.mlmd_events import shared

        return shared(self.engine.url, _inode(self.engine.url))

    def has_snapshot(self) -> bool:
        """Whether there is a snapshot of the graph, found out without loading what reads it."""
        return (_snapshot_folder(self.engine.url) / "current").exists()

    def read(self) -> AbstractContextManager[Tx]:
        """A transaction that sees one state of the store."""
        return self.engine.read()

    def write(self) -> AbstractContextManager[Tx]:
        """A transaction that may change the store; what it changed is on disk when its block has ended."""
        return self.engine.write()

    def check(self) -> list[str]:
        """One sentence per thing found broken: by the engine, and in the record. Reads the whole store."""
        found = self.engine.check()
        try:
            with self.read() as tx:
                return found + check(tx)
        except LinealError as error:
            return found or [error.message]

    def close(self) -> None:
        """Give files and connections back."""
        self.engine.close()


def open_store(place: str, *, create: bool = True, timeout_s: float = 30.0) -> Store:
    """The store at a path, `sqlite:///PATH` or `postgresql://...`, brought to the newest schema.

    Args:
        create: make the file when there is none.
        timeout_s: seconds to wait for a lock or a connection.

    Raises:
        Invalid: the address is of no known kind.
        Unavailable: it cannot be opened, is damaged, or is not a store.
        Conflict: it was written by a newer version.
    """
    engine = connect(place, create=create, timeout_s=timeout_s)
    try:
        migrate(engine)
    except BaseException:
        engine.close()
        raise
    return Store(
        engine=engine,
        runs=Runs(),
        attributes=Attributes(),
        metrics=Metrics(),
        artifacts=Artifacts(),
        edges=Edges(),
        neighbours=Neighbours(),
        joins=Joins(),
        name_joins=NameJoins(),
        logical=Logical(),
        facet_schemas=FacetSchemas(),
        registry=Registry(),
        groups=Groups(),
        audit=Audit(),
        search=Search(),
        catalog=Catalog(),
        records=Records(),
        files=Files(),
        corrections=Corrections(),
        tokens=Tokens(),
        replies=Replies(),
        stories=Stories(),
        moments=Moments(),
        many=Many(),
        arriving=Arriving(),
        linked=Linked(),
        mlmd=Mlmd(),
        leases=Leases(),
        grouping=Grouping(),
        views=Views(),
    )


def connect(place: str, *, create: bool = True, timeout_s: float = 30.0) -> Engine:
    """The engine for an address, connected. Raises as `open_store`."""
    scheme = place.split("://", 1)[0] if "://" in place else "sqlite"
    if scheme in {"postgresql", "postgres"}:
        from lineal.store.engine.postgres import PostgresEngine

        return PostgresEngine(place, timeout_s=timeout_s)
    if scheme != "sqlite":
        raise Invalid(
            f"{scheme}:// is no kind of store",
            hint="give a path, sqlite:///PATH or postgresql://HOST/DATABASE",
        )
    return SqliteEngine(_path(place), create=create, timeout_s=timeout_s)


def _snapshot_folder(url: str) -> Path:
    if url.startswith("sqlite:///"):
        return Path(_path("sqlite:////" + url.removeprefix("sqlite:///")) + ".csr")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "lineal" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _inode(url: str) -> int:
    """What tells a file from another that took its place; 0 for a server's database."""
    if not url.startswith("sqlite:///"):
        return 0
    return os.stat(_path("sqlite:////" + url.removeprefix("sqlite:///"))).st_ino


def _path(place: str) -> str:
    if "://" not in place:
        return place
    parts = urlsplit(place)
    if parts.netloc:
        raise Invalid(
            f"{place} names the host {parts.netloc!r}", hint="a file is sqlite:///PATH, with three slashes"
        )
    # As elsewhere: three slashes and a relative path, four and an absolute one; most write three for an absolute one.
    path = unquote(parts.path)
    return path if os.path.isabs(path) else os.path.abspath(path)
