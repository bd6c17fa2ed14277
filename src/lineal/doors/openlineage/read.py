"""Words in: from the bytes of an event to `core.openlineage.Told`, or a clear refusal.

What the specification requires is required; what it does not know is kept. A facet that is not shaped as its schema says is
kept whole as well and flagged, for the rest of its event is still worth having. No URL in an event is ever fetched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from lineal.core import openlineage as ol
from lineal.core.errors import Invalid
from lineal.core.ids import is_hex
from lineal.core.openlineage import Name, Parent, Seen, Told
from lineal.doors.native.depth import refuse_deep

DEEPEST = 200  # levels of an event
MOST_PARTS = 50_000  # inputs and outputs of one event
_SHOWN = 80
_DOC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"\.(\d{6})\d+")
_T = TypeVar("_T")


class _Ours(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    pass


class _Dataset(_Ours, frozen=True, gc=False):
    namespace: str
    name: str
    facets: dict[str, msgspec.Raw] | None = None
    input_facets: dict[str, msgspec.Raw] | None = None
    output_facets: dict[str, msgspec.Raw] | None = None


class _Job(_Ours, frozen=True, gc=False):
    namespace: str
    name: str
    facets: dict[str, msgspec.Raw] | None = None


class _Run(_Ours, frozen=True, gc=False):
    run_id: str
    facets: dict[str, msgspec.Raw] | None = None


_NOTHING = msgspec.Raw(b"null")


class _Event(_Ours, frozen=True, gc=False):
    event_time: str
    producer: str = ""
    event_type: str | None = None
    run: _Run | None = None
    job: _Job | None = None
    dataset: msgspec.Raw = _NOTHING
    inputs: list[msgspec.Raw] | None = None
    outputs: list[msgspec.Raw] | None = None


class Named(msgspec.Struct, frozen=True, gc=False):
    """A name as messages write it."""

    namespace: str
    name: str


class _RunOnly(_Ours, frozen=True, gc=False):
    run_id: str


class _Link(_Ours, frozen=True, gc=False):
    run: _RunOnly
    job: Named | None = None


class _Parent(_Ours, frozen=True, gc=False):
    run: _RunOnly
    job: Named
    root: _Link | None = None


class _JobType(_Ours, frozen=True, gc=False):
    processing_type: str = ""
    integration: str = ""
    job_type: str = ""


class _DbtNode(msgspec.Struct, frozen=True, gc=False):
    unique_id: str = ""


class _Error(_Ours, frozen=True, gc=False):
    message: str = ""
    stack_trace: str | None = None


class _Version(_Ours, frozen=True, gc=False):
    dataset_version: str


class _Change(_Ours, frozen=True, gc=False):
    lifecycle_state_change: str
    previous_identifier: Named | None = None


class _Symlinks(_Ours, frozen=True, gc=False):
    identifiers: list[Named] = []


class _Field(msgspec.Struct, frozen=True, rename="camel"):
    input_fields: list[Named] = []


class _Columns(msgspec.Struct, frozen=True, gc=False):
    fields: dict[str, _Field] = {}
    dataset: list[Named] = []


class _Source(msgspec.Struct, frozen=True, gc=False):
    type: str
    namespace: str = ""
    name: str = ""


class _Sources(msgspec.Struct, frozen=True, gc=False):
    inputs: list[_Source] = []


class _Target(msgspec.Struct, frozen=True, gc=False):
    type: str
    namespace: str = ""
    name: str = ""
    inputs: list[_Source] = []
    fields: dict[str, _Sources] = {}


class _DatasetLineage(msgspec.Struct, frozen=True, gc=False):
    inputs: list[_Source] = []
    fields: dict[str, _Sources] = {}


class _JobLineage(msgspec.Struct, frozen=True, gc=False):
    entries: list[_Target] = []


# The facets of a dataset that say more than the record keeps of every facet.
_TOLD = frozenset({"version", "lifecycleStateChange", "symlinks", "columnLineage", "lineage"})
_event = msgspec.json.Decoder(_Event).decode
_part = msgspec.json.Decoder(_Dataset).decode
_DECODERS: dict[type, Callable[[msgspec.Raw], Any]] = {
    kind: msgspec.json.Decoder(kind).decode
    for kind in (
        _Parent,
        _JobType,
        _DbtNode,
        _Error,
        _Version,
        _Change,
        _Symlinks,
        _Columns,
        _DatasetLineage,
        _JobLineage,
    )
}


def read(raw: bytes) -> Told:
    """What an event says.

    Raises Invalid: it is no JSON object, lacks what the specification requires, or names things beyond what can be kept.
    """
    digest = hashlib.sha256(raw).digest()
    try:
        event = _event(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        event = _patiently(raw, error)
    return _Reading(event, digest).told()


def _patiently(raw: bytes, first: Exception) -> _Event:
    """The event of a text with NaN or infinities in it, which many programs write; these become texts. Raises Invalid."""
    if isinstance(first, msgspec.ValidationError):
        raise Invalid(f"the event does not fit: {first}", hint=f"see {_DOC}") from None
    try:
        refuse_deep(raw, DEEPEST)
        loaded = json.loads(raw, parse_constant=str)
        return _event(msgspec.json.encode(loaded))
    except msgspec.ValidationError as error:
        raise Invalid(f"the event does not fit: {error}", hint=f"see {_DOC}") from None
    except (ValueError, RecursionError, UnicodeError) as error:
        raise Invalid(
            f"the event is not JSON that can be read: {str(error)[:200]}", hint="send one JSON object"
        ) from None


class _Understanding:
    """What is shaped as its schema says, in our words; what is not is flagged."""

    def __init__(self) -> None:
        self._flags: list[str] = []

    def _sources(self, lists: list[list[_Source]]) -> tuple[Name, ...]:
        datasets = [Named(s.namespace, s.name) for inputs in lists for s in inputs if s.type == "DATASET"]
        return self._names(datasets, "lineage")

    def _names(self, given: list[Named], facet: str, *, besides: Name | None = None) -> tuple[Name, ...]:
        # Column lineage names the same few datasets again and again.
        each = {(item.namespace, item.name): item for item in given}
        kept = [self._kept(item, facet) for item in each.values()]
        return tuple(sorted(name for name in kept if name is not None and name != besides))

    def _kept(self, given: Named, facet: str) -> Name | None:
        try:
            return _checked(given, "dataset")
        except Invalid as error:
            self._flags.append(f"in the facet {facet}: {error.message}")
            return None

    def _facet(self, kind: type[_T], facets: ol.Facets, name: str) -> _T | None:
        raw = facets.get(name)
        if raw is None:
            return None
        try:
            found: _T = _DECODERS[kind](raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._flags.append(f"the facet {name} is not shaped as its schema says: {str(error)[:160]}")
            return None
        return found


class _Part(_Understanding):
    """A dataset as an event names it."""

    def seen(self, part: _Dataset, own: ol.Facets) -> tuple[Seen, tuple[str, ...]]:
        """The dataset, and what is doubtful about it."""
        return self._seen(_name(part, "dataset"), part.facets or {}, own), tuple(self._flags)

    def _seen(self, name: Name, facets: ol.Facets, own: ol.Facets) -> Seen:
        if _TOLD.isdisjoint(facets):
            return Seen(name, facets, own)
        version = self._facet(_Version, facets, "version")
        change = self._facet(_Change, facets, "lifecycleStateChange")
        before = None
        if change is not None and change.previous_identifier is not None:
            before = self._kept(change.previous_identifier, "lifecycleStateChange")
        symlinks = self._facet(_Symlinks, facets, "symlinks")
        columns = self._facet(_Columns, facets, "columnLineage")
        lineage = self._facet(_DatasetLineage, facets, "lineage")
        return Seen(
            name,
            facets,
            own,
            "" if version is None else _version(version.dataset_version),
            "" if change is None else change.lifecycle_state_change.lower()[:40],
            None if before == name else before,
            () if symlinks is None else self._names(symlinks.identifiers, "symlinks", besides=name),
            () if columns is None else self._names(_columns(columns), "columnLineage"),
            ()
            if lineage is None
            else self._sources([lineage.inputs, *(f.inputs for f in lineage.fields.values())]),
        )


def _dataset(body: bytes, side: str) -> tuple[Seen, tuple[str, ...]]:
    part = _part(body)
    own = {"inputs": part.input_facets, "outputs": part.output_facets}.get(side)
    return _Part().seen(part, own or {})


# The events of a run name its datasets word for word, and so do other runs: what was understood once is the same again.
_SHORT = 8192
_dataset_again = lru_cache(maxsize=2048)(_dataset)


class _Reading(_Understanding):
    """One event on its way from the message to our words."""

    def __init__(self, event: _Event, digest: bytes) -> None:
        super().__init__()
        self._event = event
        self._digest = digest

    def told(self) -> Told:
        event = self._event
        at = _time(event.event_time)
        if event.run is not None:
            return self._run(event, event.run, at)
        if event.job is not None:
            return self._job(event, event.job, at, kind="job", run=ol.declared_run(_name(event.job, "job")))
        if event.dataset == _NOTHING:
            raise Invalid("the event has neither a run, a job nor a dataset", hint=f"see {_DOC}")
        dataset = self._seen(event.dataset, "")
        return Told(kind="dataset", at=at, digest=self._digest, dataset=dataset, flags=tuple(self._flags))

    def _run(self, event: _Event, run: _Run, at: int) -> Told:
        if event.job is None:
            raise Invalid("the event has a run and no job", hint=f"see {_DOC}")
        kind = (event.event_type or ol.OTHER).upper()
        if kind not in ol.TYPES:
            raise Invalid(
                f"eventType {_short(event.event_type)}", hint=f"known are {', '.join(sorted(ol.TYPES))}"
            )
        return self._job(event, event.job, at, kind="run", run=_run_id(run.run_id), type=kind)

    def _job(self, event: _Event, job: _Job, at: int, *, kind: str, run: str, type: str = ol.OTHER) -> Told:
        ours = event.run.facets or {} if event.run else {}
        facets = job.facets or {}
        inputs, outputs = event.inputs or [], event.outputs or []
        if len(inputs) + len(outputs) > MOST_PARTS:
            raise Invalid(
                f"the event names {len(inputs) + len(outputs)} inputs and outputs",
                hint=f"at most {MOST_PARTS} are taken; send several events of the run",
            )
        parent, root = self._links(ours)
        job_type = self._facet(_JobType, facets, "jobType") or _JobType()
        node = self._facet(_DbtNode, facets, "dbt_node") or _DbtNode()
        error = self._facet(_Error, ours, "errorMessage")
        reads, writes = self._lineage(facets)
        return Told(
            kind=kind,
            at=at,
            digest=self._digest,
            type=type,
            run=run,
            job=_name(job, "job"),
            run_facets=ours,
            job_facets=facets,
            inputs=tuple([self._seen(part, "inputs") for part in inputs]),
            outputs=tuple([self._seen(part, "outputs") for part in outputs]),
            parent=parent,
            root=root,
            processing=job_type.processing_type.upper(),
            integration=job_type.integration.upper(),
            task=job_type.job_type.upper(),
            node=node.unique_id,
            reads=reads,
            writes=writes,
            error=("", "") if error is None else (error.message or "failed", error.stack_trace or ""),
            flags=tuple(self._flags),
        )

    def _links(self, facets: ol.Facets) -> tuple[Parent | None, Parent | None]:
        found = self._facet(_Parent, facets, "parent")
        if found is None:
            return None, None
        try:
            parent = Parent(_run_id(found.run.run_id), _checked(found.job, "parent job"))
            root = None
            if found.root is not None and found.root.job is not None:
                root = Parent(_run_id(found.root.run.run_id), _checked(found.root.job, "root job"))
        except Invalid as error:
            self._flags.append(f"the parent facet was not understood: {error.message}")
            return None, None
        return parent, root

    def _seen(self, part: msgspec.Raw, side: str) -> Seen:
        body = bytes(part)
        try:
            seen, flags = _dataset_again(body, side) if len(body) <= _SHORT else _dataset(body, side)
        except msgspec.ValidationError as error:
            raise Invalid(f"a dataset of the event does not fit: {error}", hint=f"see {_DOC}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(
                f"a dataset of the event cannot be read: {str(error)[:200]}",
                hint="send JSON that is nested less",
            ) from None
        self._flags += flags
        return seen

    def _lineage(self, facets: ol.Facets) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
        """The datasets that a job's explicit lineage says it reads and writes."""
        found = self._facet(_JobLineage, facets, "lineage")
        if found is None:
            return (), ()
        lists = [
            inputs
            for entry in found.entries
            for inputs in (entry.inputs, *(f.inputs for f in entry.fields.values()))
        ]
        targets = [Named(entry.namespace, entry.name) for entry in found.entries if entry.type == "DATASET"]
        return self._sources(lists), self._names(targets, "lineage")


def _columns(columns: _Columns) -> list[Named]:
    return [*columns.dataset, *(item for field in columns.fields.values() for item in field.input_fields)]


def _time(text: str) -> int:
    """UTC microseconds of an ISO 8601 time; one without a zone is UTC; digits beyond microseconds are dropped."""
    given = text.strip()
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r".\1", given))
    except ValueError:
        raise Invalid(
            f"eventTime {_short(text)}", hint="wanted is a time as 2026-03-03T12:00:00.123456Z"
        ) from None
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _run_id(text: str) -> str:
    """The 32 hex digits of a run's UUID."""
    digits = text.strip().lower()
    digits = digits.removeprefix("urn:uuid:").replace("-", "")
    if len(digits) != 32 or not is_hex(digits):
        raise Invalid(f"runId {_short(text)}", hint="a run id is a UUID")
    return digits


def _name(given: _Job | _Dataset, what: str) -> Name:
    return _checked(given, what)


def _checked(given: Any, what: str) -> Name:
    """The name of a job or dataset. Raises Invalid: it is empty or too long, or holds what no encoding can carry."""
    if 0 < len(given.namespace) <= ol.LONGEST_NAME and 0 < len(given.name) <= ol.LONGEST_NAME:
        return Name(given.namespace, given.name)
    for part, text in (("namespace", given.namespace), ("name", given.name)):
        if not text or len(text) > ol.LONGEST_NAME:
            raise Invalid(
                f"the {part} of a {what} has {len(text):,} characters: {_short(text)}",
                hint=f"between 1 and {ol.LONGEST_NAME:,} are wanted",
            )
    return Name(given.namespace, given.name)


def _version(text: str) -> str:
    if not text or len(text) > ol.LONGEST_NAME:
        raise Invalid(
            f"a dataset's version has {len(text):,} characters",
            hint=f"between 1 and {ol.LONGEST_NAME:,} are wanted",
        )
    return text


def _short(text: str | None) -> str:
    if text is None:
        return "is missing"
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
