"""What users of Marquez write by its own routes, said in OpenLineage's events, which are taken in like any other.

Namespaces, sources and tags are nothing by themselves here: they are listed once a job or dataset is in them, or carries them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.core.errors import Invalid
from lineal.core.openlineage import DOOR, Name
from lineal.doors.desk import Desk
from lineal.doors.openlineage import answers, marquez, shapes
from lineal.doors.openlineage.arrive import received
from lineal.service import openlineage_catalog as catalog
from lineal.service import openlineage_hidden as deleted
from lineal.service.openlineage import take_in
from lineal.service.openlineage_lineage import loaded_facet
from lineal.service.operations import Caller, Scope

Json = dict[str, Any]
_PRODUCER = "urn:lineal:marquez"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
_PROCESSING = {"BATCH": "BATCH", "STREAM": "STREAMING", "SERVICE": "SERVICE"}


class Told(marquez.Asked):
    """A request that writes: its body, and the time at which it is answered."""

    def __init__(self, scope: Scope, request: Request, body: bytes) -> None:
        super().__init__(scope, request)
        try:
            said = msgspec.json.decode(body) if body.strip() else {}
        except (msgspec.DecodeError, RecursionError) as error:
            raise Invalid(f"the body is no JSON: {error}", hint="send a JSON object") from None
        if not isinstance(said, dict):
            raise Invalid("the body is no JSON object", hint="send what Marquez' clients send")
        self.said: Json = said

    def tell(self, event: Json) -> None:
        """Take an event in. Raises Invalid: it says what no event can."""
        raw = msgspec.json.encode({"producer": _PRODUCER, "eventTime": self.at(), **event})
        take_in(replace(self.scope, door=DOOR), [received(raw)])

    def at(self) -> str:
        """`at` of the query, else now; ISO 8601."""
        return str(shapes.time(self.moment("at", self.scope.at)))

    def given(self, name: str) -> str:
        """A text of the body, empty if there is none. Raises Invalid: it is something else."""
        found = self.said.get(name)
        if found is not None and not isinstance(found, str):
            raise Invalid(f"{name} is {found!r:.60}", hint="a text is wanted")
        return found or ""

    def listed(self, name: str) -> list[Any]:
        """A list of the body. Raises Invalid: it is something else."""
        found = self.said.get(name) or []
        if not isinstance(found, list):
            raise Invalid(f"{name} is {found!r:.60}", hint="a list is wanted")
        return found


def facet(**fields: Any) -> Json:
    """A facet as events carry it."""
    return {"_producer": _PRODUCER, "_schemaURL": "urn:lineal:marquez", **fields}


# ---- namespaces, sources, tags ----------------------------------------------------------------------------------------------


def put_namespace(told: Told) -> Json:
    """What a namespace is called; it is listed once something is in it."""
    return shapes.namespace(told.part("namespace"), told.scope.at, told.scope.at)


def put_source(told: Told) -> Json:
    """Where datasets are; it is listed once something is in it."""
    return marquez.source(told.part("source"), told.scope.at, told.scope.at)


def put_tag(told: Told) -> Json:
    """What a tag is called; it is listed once something carries it."""
    return {"name": told.part("tag"), "description": told.given("description") or None}


# ---- datasets and jobs ------------------------------------------------------------------------------------------------------


def put_dataset(told: Told) -> Json:
    """A dataset with its columns, description and tags; with `runId`, as that run wrote it."""
    namespace, name = told.part("namespace"), told.part("dataset")
    fields = [field for field in told.listed("fields") if isinstance(field, dict)]
    facets: Json = {}
    if fields:
        kept = ("name", "type", "description")
        facets["schema"] = facet(fields=[{k: f[k] for k in kept if f.get(k) is not None} for f in fields])
    if text := told.given("description"):
        facets["documentation"] = facet(description=text)
    if text := told.given("sourceName"):
        facets["dataSource"] = facet(name=text, uri=text)
    tags = [_tag(tag) for tag in told.listed("tags")]
    tags += [_tag(tag, str(field.get("name", ""))) for field in fields for tag in field.get("tags") or []]
    if tags:
        facets["tags"] = facet(tags=tags)
    dataset = {"namespace": namespace, "name": name, "facets": facets}
    if run := told.given("runId"):
        told.tell(_of_run(told, run, "OTHER", outputs=[dataset]))
    else:
        told.tell({"schemaURL": _SCHEMA + "DatasetEvent", "dataset": dataset})
    deleted.show_again(told.scope, deleted.DATASET, namespace, name)
    return marquez.get_dataset(told)


def put_job(told: Told) -> Json:
    """A job with its declared inputs and outputs, place and description; with `runId`, what that run read and wrote."""
    facets: Json = {}
    if text := told.given("description"):
        facets["documentation"] = facet(description=text)
    if text := told.given("location"):
        facets["sourceCodeLocation"] = facet(type="git", url=text)
    context = told.said.get("context")
    if isinstance(context, dict) and isinstance(context.get("sql"), str):
        facets["sql"] = facet(query=context["sql"])
    if kind := _PROCESSING.get(told.given("type").upper(), ""):
        facets["jobType"] = facet(processingType=kind, integration="MARQUEZ", jobType="JOB")
    sides = {side: [_named(item) for item in told.listed(side)] for side in ("inputs", "outputs")}
    job = {"namespace": told.part("namespace"), "name": told.part("job"), "facets": facets}
    if run := told.given("runId"):
        told.tell({**_of_run(told, run, "OTHER", **sides), "job": job})
    else:
        told.tell({"schemaURL": _SCHEMA + "JobEvent", "job": job, **sides})
    deleted.show_again(told.scope, deleted.JOB, told.part("namespace"), told.part("job"))
    return marquez.get_job(told)


def _named(item: Any) -> Json:
    if not isinstance(item, dict) or not all(isinstance(item.get(k), str) for k in ("namespace", "name")):
        raise Invalid(f"{item!r:.80} is no dataset", hint="an object with namespace and name is wanted")
    return {"namespace": item["namespace"], "name": item["name"]}


# ---- runs -------------------------------------------------------------------------------------------------------------------


def post_run(told: Told) -> Json:
    """A run of a job, to be started."""
    run = told.given("id") or str(uuid4())
    facets: Json = {}
    times = {name: told.given(name) for name in ("nominalStartTime", "nominalEndTime") if told.given(name)}
    if times:
        facets["nominalTime"] = facet(**times)
    if isinstance(told.said.get("args"), dict) and told.said["args"]:
        facets["args"] = facet(**{str(key): value for key, value in told.said["args"].items()})
    told.tell(
        {
            "schemaURL": _SCHEMA + "RunEvent",
            "eventType": "OTHER",
            "run": {"runId": run, "facets": facets},
            "job": {"namespace": told.part("namespace"), "name": told.part("job")},
        }
    )
    return shapes.run(catalog.find_run(told.scope, run))


def _mark(type: str) -> Callable[[Told], Json]:
    def mark(told: Told) -> Json:
        run = told.part("id")
        told.tell(_of_run(told, run, type))
        return shapes.run(catalog.find_run(told.scope, run))

    mark.__name__ = f"post_{type.lower()}"
    return mark


def _of_run(told: Told, run: str, type: str, **sides: list[Json]) -> Json:
    """An event about a run that is known. Raises NotFound: it is not."""
    known = catalog.find_run(told.scope, run).run
    return {
        "schemaURL": _SCHEMA + "RunEvent",
        "eventType": type,
        "run": {"runId": run},
        "job": {"namespace": known.namespace, "name": known.job},
        **sides,
    }


# ---- tags of datasets, columns and jobs --------------------------------------------------------------------------------------


def _tag(said: Any, field: str = "") -> Json:
    name = said.get("name") if isinstance(said, dict) else said
    if not isinstance(name, str) or not name:
        raise Invalid(f"{said!r:.80} is no tag", hint="the name of a tag is wanted")
    return {"key": name, "value": "true", "source": "USER", **({"field": field} if field else {})}


def _tagged(standing: Json, tag: Json, *, gone: bool) -> Json:
    """The tags facet with one more, or one less."""

    def same(other: Any) -> bool:
        return isinstance(other, dict) and all(other.get(k) == tag.get(k) for k in ("key", "field"))

    left = [other for other in standing.get("tags") or [] if not same(other)]
    return facet(tags=left if gone else [*left, tag])


def tag_dataset(told: Told) -> Json:
    """A tag on a dataset or one of its columns, or no more (DELETE)."""
    view = catalog.dataset_views(told.scope, [told.dataset()])[0]
    tag = _tag(told.part("tag"), str(told.path("field")))
    tags = _tagged(loaded_facet(view.facets, "tags"), tag, gone=told.method == "DELETE")
    name = {"namespace": told.part("namespace"), "name": told.part("dataset")}
    told.tell({"schemaURL": _SCHEMA + "DatasetEvent", "dataset": {**name, "facets": {"tags": tags}}})
    return marquez.get_dataset(told)


def tag_job(told: Told) -> Json:
    """A tag on a job, or no more (DELETE)."""
    told.job()
    name = Name(told.part("namespace"), told.part("job"))
    standing = {"tags": [_tag(tag) for tag in marquez.get_job(told)["tags"]]}
    tags = _tagged(standing, _tag(told.part("tag")), gone=told.method == "DELETE")
    job = {"namespace": name.namespace, "name": name.name, "facets": {"tags": tags}}
    told.tell({"schemaURL": _SCHEMA + "JobEvent", "job": job})
    return marquez.get_job(told)


# ---- deleting ----------------------------------------------------------------------------------------------------------------


def delete_dataset(told: Told) -> Json:
    """Hide a dataset from these questions until it is written or put again."""
    found = marquez.get_dataset(told)
    deleted.hide(told.scope, deleted.DATASET, told.part("namespace"), told.part("dataset"))
    return {**found, "deleted": True}


def delete_job(told: Told) -> Json:
    """Hide a job from these questions until it runs or is put again."""
    found = marquez.get_job(told)
    deleted.hide(told.scope, deleted.JOB, told.part("namespace"), told.part("job"))
    return {**found, "deleted": True}


def delete_namespace(told: Told) -> Json:
    """Hide all jobs and datasets of a namespace."""
    found = marquez.get_namespace(told)
    deleted.hide(told.scope, deleted.NAMESPACE, told.part("namespace"))
    return {**found, "isHidden": True}


# ---- the routes --------------------------------------------------------------------------------------------------------------


def _writing(write: Callable[[Told], Json], status: int) -> marquez.Handler:
    async def written(desk: Desk, request: Request, caller: Caller) -> Response:
        body = await request.body()
        reply: Response = await desk.write(
            lambda scope: answers.answer(write(Told(scope, request, body)), status),
            caller,
            action="",
            body=b"",
        )
        return reply

    written.__name__ = getattr(write, "__name__", "write")
    return written


_N = "/namespaces/{namespace}"
_D = f"{_N}/datasets/{{dataset}}"
_J = f"{_N}/jobs/{{job}}"
_WRITES: tuple[tuple[str, str, Callable[[Told], Json], int], ...] = (
    ("PUT", _N, put_namespace, 200),
    ("PUT", "/sources/{source}", put_source, 200),
    ("PUT", "/tags/{tag}", put_tag, 200),
    ("PUT", _D, put_dataset, 200),
    ("PUT", _J, put_job, 200),
    ("DELETE", _N, delete_namespace, 200),
    ("DELETE", _D, delete_dataset, 200),
    ("DELETE", _J, delete_job, 200),
    ("POST", f"{_J}/runs", post_run, 201),
    *(
        (("POST", f"/jobs/runs/{{id}}/{word}", _mark(word.upper()), 200))
        for word in ("start", "complete", "fail", "abort")
    ),
    *((method, f"{_D}/tags/{{tag}}", tag_dataset, 200) for method in ("POST", "DELETE")),
    *((method, f"{_D}/fields/{{field}}/tags/{{tag}}", tag_dataset, 200) for method in ("POST", "DELETE")),
    *((method, f"{_J}/tags/{{tag}}", tag_job, 200) for method in ("POST", "DELETE")),
)
ROUTES: tuple[tuple[str, str, marquez.Handler], ...] = tuple(
    (method, path, _writing(write, status)) for method, path, write, status in _WRITES
)
WRITING: tuple[marquez.Handler, ...] = tuple(handler for _, _, handler in ROUTES)
