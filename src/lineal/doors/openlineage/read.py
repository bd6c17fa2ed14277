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
_EXACT = len("2026-03-03T12:00:00.123456Z")
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
    run: msgspec.Raw = _NOTHING
    job: msgspec.Raw = _NOTHING
    dataset: msgspec.Raw = _NOTHING
    inputs: msgspec.Raw = _NOTHING
    outputs: msgspec.Raw = _NOTHING


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
_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_run = msgspec.json.Decoder(_Run).decode
_job = msgspec.json.Decoder(_Job).decode
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


def _datasets(body: bytes, side: str) -> tuple[tuple[Seen, ...], tuple[str, ...]]:
    """The datasets of one side of a run, and what is doubtful about them."""
    seen: list[Seen] = []
    flags: list[str] = []
    parts = _parts(body)
    if len(parts) > MOST_PARTS:
        raise _too_many(len(parts))
    for place, part in enumerate(parts):
        one = bytes(part)
        try:
            found, doubts = _dataset_again(one, side) if len(one) <= _SHORT else _dataset(one, side)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(_placed(error, f"[{place}]")) from None
        seen.append(found)
        flags += doubts
    return tuple(seen), tuple(flags)


class _RunSaid(msgspec.Struct, frozen=True, gc=False):
    """A run as an event names it."""

    run: str
    facets: ol.Facets
    parent: Parent | None
    root: Parent | None
    error: tuple[str, str]
    flags: tuple[str, ...]


class _JobSaid(msgspec.Struct, frozen=True, gc=False):
    """A job as an event names it."""

    name: Name
    facets: ol.Facets
    type: _JobType
    node: str
    reads: tuple[Name, ...]
    writes: tuple[Name, ...]
    flags: tuple[str, ...]


class _OfRun(_Understanding):
    def said(self, body: bytes) -> _RunSaid:
        run = _run(body)
        facets = run.facets or {}
        id = _run_id(run.run_id)
        parent, root = self._links(facets)
        error = self._facet(_Error, facets, "errorMessage")
        told = ("", "") if error is None else (error.message or "failed", error.stack_trace or "")
        return _RunSaid(id, facets, parent, root, told, tuple(self._flags))

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


class _OfJob(_Understanding):
    def said(self, body: bytes) -> _JobSaid:
        job = _job(body)
        facets = job.facets or {}
        type = self._facet(_JobType, facets, "jobType") or _JobType()
        node = self._facet(_DbtNode, facets, "dbt_node") or _DbtNode()
        reads, writes = self._lineage(facets)
        return _JobSaid(_name(job, "job"), facets, type, node.unique_id, reads, writes, tuple(self._flags))

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


# The events of a run name its job and datasets word for word, and so do other runs: what was understood once is the same again.
_SHORT = 8192
_again = lru_cache(maxsize=1024)
_dataset_again = lru_cache(maxsize=2048)(_dataset)
_datasets_again = _again(_datasets)


def _said_of_run(body: bytes) -> _RunSaid:
    return _OfRun().said(body)


def _said_of_job(body: bytes) -> _JobSaid:
    return _OfJob().said(body)


_run_again, _job_again = _again(_said_of_run), _again(_said_of_job)


class _Reading:
    """One event on its way from the message to our words."""

    def __init__(self, event: _Event, digest: bytes) -> None:
        self._event = event
        self._digest = digest

    def told(self) -> Told:
        event = self._event
        at = _time(event.event_time)
        run, job = bytes(event.run), bytes(event.job)
        if run != b"null":
            said = _within("run", _run_again if len(run) <= _SHORT else _said_of_run, run)
            if job == b"null":
                raise Invalid("the event has a run and no job", hint=f"see {_DOC}")
            kind = (event.event_type or ol.OTHER).upper()
            if kind not in ol.TYPES:
                raise Invalid(
                    f"eventType {_short(event.event_type)}", hint=f"known are {', '.join(sorted(ol.TYPES))}"
                )
            return self._told("run", at, kind, said, job)
        if job != b"null":
            return self._told("job", at, ol.OTHER, None, job)
        if event.dataset == _NOTHING:
            raise Invalid("the event has neither a run, a job nor a dataset", hint=f"see {_DOC}")
        dataset, flags = _within("dataset", lambda body: _dataset(body, ""), bytes(event.dataset))
        return Told(kind="dataset", at=at, digest=self._digest, dataset=dataset, flags=flags)

    def _told(self, kind: str, at: int, type: str, run: _RunSaid | None, body: bytes) -> Told:
        job = _within("job", _job_again if len(body) <= _SHORT else _said_of_job, body)
        inputs, doubts = self._side(self._event.inputs, "inputs")
        outputs, more = self._side(self._event.outputs, "outputs")
        if len(inputs) + len(outputs) > MOST_PARTS:
            raise _too_many(len(inputs) + len(outputs))
        flags = (*(run.flags if run else ()), *job.flags, *doubts, *more)
        return Told(
            kind=kind,
            at=at,
            digest=self._digest,
            type=type,
            run=run.run if run else ol.declared_run(job.name),
            job=job.name,
            run_facets=run.facets if run else {},
            job_facets=job.facets,
            inputs=inputs,
            outputs=outputs,
            parent=run.parent if run else None,
            root=run.root if run else None,
            processing=job.type.processing_type.upper(),
            integration=job.type.integration.upper(),
            task=job.type.job_type.upper(),
            node=job.node,
            reads=job.reads,
            writes=job.writes,
            error=run.error if run else ("", ""),
            flags=flags,
        )

    def _side(self, given: msgspec.Raw, side: str) -> tuple[tuple[Seen, ...], tuple[str, ...]]:
        body = bytes(given)
        if body in _NO_DATASETS:
            return (), ()
        return _within(side, _datasets_again if len(body) <= _SHORT else _datasets, body, side)


_NO_DATASETS = frozenset({b"null", b"[]"})


def _too_many(count: int) -> Invalid:
    return Invalid(
        f"the event names {count} inputs and outputs",
        hint=f"at most {MOST_PARTS} are taken; send several events of the run",
    )


def _within(part: str, understand: Callable[..., _T], *given: Any) -> _T:
    """What a part of an event says. Raises Invalid: it does not fit, or is nested too deep to be read."""
    try:
        return understand(*given)
    except msgspec.ValidationError as error:
        what = "a dataset of the event" if part in ("inputs", "outputs", "dataset") else "the event"
        raise Invalid(f"{what} does not fit: {_placed(error, f'.{part}')}", hint=f"see {_DOC}") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"the {part} of the event cannot be read: {error}", hint="send JSON in UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(
            f"the {part} of the event cannot be read: {str(error)[:200]}",
            hint="send JSON that is nested less",
        ) from None


def _placed(error: msgspec.ValidationError, where: str) -> str:
    """What does not fit, with the place of the part in what holds it."""
    said = str(error)
    return said.replace("`$", f"`${where}", 1) if "- at `$" in said else f"{said} - at `${where}`"


def _columns(columns: _Columns) -> list[Named]:
    return [*columns.dataset, *(item for field in columns.fields.values() for item in field.input_fields)]


def _time(text: str) -> int:
    """UTC microseconds of an ISO 8601 time; one without a zone is UTC; digits beyond microseconds are dropped."""
    given = text.strip()
    try:
        at = datetime.fromisoformat(given if len(given) <= _EXACT else _FRACTION.sub(r".\1", given))
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
