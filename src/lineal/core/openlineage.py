"""What an OpenLineage event says, in our words: the door reads messages into these, the rules of order work on nothing else.

Facets are kept as the JSON they came as. Times are UTC microseconds; a run is named by its 32 hex digits. The rules on
this page follow the OpenLineage specification 2-0-2 (spec/OpenLineage.json and spec/facets).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

DOOR = "openlineage"
START, RUNNING, COMPLETE, ABORT, FAIL, OTHER = "START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"
TYPES = frozenset({START, RUNNING, COMPLETE, ABORT, FAIL, OTHER})
ENDS = (COMPLETE, ABORT, FAIL)
LONGEST_NAME = 4096  # characters of a namespace, name or version; what is longer is no name
_LONGEST_DIGEST = 400

Facets = dict[str, msgspec.Raw]


class Name(msgspec.Struct, gc=False, frozen=True, array_like=True, order=True):
    """What a job or dataset is called: unique within its namespace, both kept exactly."""

    namespace: str
    name: str


class Seen(msgspec.Struct, gc=False, frozen=True):
    """A dataset as one event names it.

    facets: of the dataset; own: of its part in the run (`inputFacets`, `outputFacets`). version: its `version` facet's.
    change: its lifecycle's, in lower case; before: what it was called before a rename. symlinks: other names of the same.
    sources: datasets that its column lineage or its explicit lineage names, and whether they were declared (not inferred).
    """

    name: Name
    facets: Facets = {}
    own: Facets = {}
    version: str = ""
    change: str = ""
    before: Name | None = None
    symlinks: tuple[Name, ...] = ()
    columns: tuple[Name, ...] = ()
    declared: tuple[Name, ...] = ()


class Parent(msgspec.Struct, gc=False, frozen=True, array_like=True, order=True):
    """A run that started another one."""

    run: str
    job: Name


class Told(msgspec.Struct, gc=False, frozen=True):
    """One event. kind: `run`, `job` or `dataset`; run: empty but for a run's; job: None for a dataset's.

    processing: BATCH, STREAMING or SERVICE, if it says; integration, task: its job's type, for example DBT and MODEL.
    node: what dbt calls the job in every mode (`unique_id`). reads, writes: datasets that the explicit lineage of the job
    names. flags: what is doubtful about the event itself, in words.
    """

    kind: str
    at: int
    digest: bytes
    type: str = OTHER
    run: str = ""
    job: Name | None = None
    run_facets: Facets = {}
    job_facets: Facets = {}
    inputs: tuple[Seen, ...] = ()
    outputs: tuple[Seen, ...] = ()
    dataset: Seen | None = None
    parent: Parent | None = None
    root: Parent | None = None
    processing: str = ""
    integration: str = ""
    task: str = ""
    node: str = ""
    reads: tuple[Name, ...] = ()
    writes: tuple[Name, ...] = ()
    error: tuple[str, str] = ("", "")
    flags: tuple[str, ...] = ()


def reference(name: Name, version: str) -> str:
    """How a version that its writer named is referred to everywhere: `ol:NAMESPACE/NAME@VERSION`."""
    return f"ol:{name.namespace}/{name.name}@{version}"


def named_digest(name: Name, version: str) -> str:
    """What identifies a version that was named by whoever wrote it: its reference, or that one's digest when it is long."""
    text = reference(name, version)
    return text if len(text) <= _LONGEST_DIGEST else "ol:sha256:" + hashlib.sha256(text.encode()).hexdigest()


def written_digest(name: Name, run: str) -> str:
    """What identifies the state of a dataset that a run wrote and gave no version of its own."""
    return f"ol-run:{run}:{_short(name)}"


def state_unknown(name: Name) -> str:
    """What identifies a dataset of which no state is known: read before anybody was seen writing it."""
    return f"ol-any:{_short(name)}"


def declared_run(job: Name) -> str:
    """The id under which a job's declared (not observed) inputs and outputs stand: 32 hex digits."""
    return hashlib.sha256(f"job\0{job.namespace}\0{job.name}".encode()).hexdigest()[:32]


@lru_cache(maxsize=8192)
def _short(name: Name) -> str:
    return hashlib.sha256(f"{name.namespace}\0{name.name}".encode()).hexdigest()[:32]
