"""An MLflow tracking server, asked through its REST API."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode, urlsplit

from lineal.connect.items import (
    Dataset,
    Experiment,
    Found,
    Left,
    Link,
    Model,
    ModelMetric,
    Points,
    Registered,
    Run,
    Version,
    points_of,
)
from lineal.connect.mlflow_database import exact, model_in
from lineal.connect.values import number_text
from lineal.core.errors import Denied, Invalid, LinealError, NotFound, Unavailable

Said = dict[str, Any]
_API = "/api/2.0/mlflow"
_AGAIN = (429, 502, 503, 504)
_PATIENCE_S = 30.0


class Server:
    """A tracking server as a source. `MLFLOW_TRACKING_TOKEN`, or `_USERNAME` and `_PASSWORD`, let in as they do MLflow's client."""

    def __init__(self, url: str) -> None:
        """Raises Invalid: it is no address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(f"{url!r} is no address of a server", hint="write http://HOST:PORT")
        self.name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self.left: list[Left] = []
        self._base = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=60)
        self._headers = {"User-Agent": "lineal", **_login(parts.username, parts.password)}
        self._links: list[Link] = []
        self._ids: dict[str, str] = {}  # names of experiments
        self._runs: dict[str, list[str]] = {}  # keys of the metrics of every run that was read
        self._models: list[str] = []
        self._latest: dict[str, str] = {}  # and their latest values
        self._counts: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def count(self) -> dict[str, int]:
        """How many of each kind the server told of. A server cannot be asked for counts: they are known after reading."""
        return dict(self._counts)

    def experiments(self) -> Iterator[Experiment]:
        """Every experiment, deleted ones too."""
        for said in self._pages(
            "/experiments/search", {"view_type": "ALL", "max_results": 1000}, "experiments"
        ):
            self._ids[said["experiment_id"]] = said["name"]
            self._told("experiments")
            yield Experiment(
                name=said["name"],
                created=int(said.get("creation_time", 0)),
                updated=int(said.get("last_update_time", 0)),
                deleted=said.get("lifecycle_stage") == "deleted",
                location=said.get("artifact_location", ""),
                tags=_pairs(said.get("tags")),
            )

    def runs(self) -> Iterator[Run]:
        """Every run, by experiment in order of their start."""
        self._links = []
        for id, experiment in self._ids.items():
            ask = {
                "experiment_ids": [id],
                "run_view_type": "ALL",
                "max_results": 500,
                "order_by": ["attributes.start_time ASC"],
            }
            for said in self._pages("/runs/search", ask, "runs"):
                yield self._run(said, experiment)

    def mark(self, run: Run) -> str:
        """The run's latest values."""
        return self._latest.get(run.id, "")

    def skip(self, run: Run, points: int) -> None:
        """Count the points that need not be read again."""
        self._told("metric points", points)

    def points(self, run: Run) -> Iterator[Points]:
        """All points of a run."""
        return points_of(run.id, self._history(run.id))

    def models(self) -> Iterator[Model]:
        """Every logged model that is not deleted; none from a server older than MLflow 3."""
        for id, experiment in self._ids.items():
            ask = {"experiment_ids": [id], "max_results": 50}
            try:
                for said in self._pages("/logged-models/search", ask, "models"):
                    self._told("logged models")
                    self._models.append(said["info"]["model_id"])
                    yield _model(said, experiment)
            except NotFound:
                return

    def links(self) -> Iterator[Link]:
        """Which runs used and made logged models, as the runs told that were read before."""
        yield from self._links

    def registered(self) -> Iterator[Registered | Version]:
        """Registered names, each before its versions, which come by number."""
        ask = {"max_results": 100}
        for said in self._pages("/registered-models/search", ask, "registered_models", method="GET"):
            self._told("registered models")
            yield Registered(
                name=said["name"],
                created=int(said.get("creation_timestamp", 0)),
                updated=int(said.get("last_updated_timestamp", 0)),
                description=said.get("description", ""),
                user=said.get("user_id", ""),
                tags=_pairs(said.get("tags")),
            )
            aliases: dict[str, list[str]] = {}
            for item in said.get("aliases", []):
                aliases.setdefault(str(item["version"]), []).append(item["alias"])
            mark = '"' if "'" in said["name"] else "'"
            chosen = {"filter": f"name={mark}{said['name']}{mark}", "max_results": 1000}
            found = list(self._pages("/model-versions/search", chosen, "model_versions", method="GET"))
            for of in sorted(found, key=lambda one: int(one["version"])):
                self._told("model versions")
                self._told("aliases", len(aliases.get(str(of["version"]), [])))
                yield _version(of, aliases.get(str(of["version"]), []))

    def files(self) -> Iterator[Found]:
        """The files of runs and models, as the server lists them."""
        for id in self._runs:
            for path in self._listed(f"{_API}/artifacts/list", {"run_id": id}, "path"):
                query = urlencode({"run_uuid": id, "path": path})
                yield self._file(id, path, f"/get-artifact?{query}", model=False)
        for id in self._models:
            listing = f"{_API}/logged-models/{quote(id)}/artifacts/directories"
            for path in self._listed(listing, {}, "artifact_directory_path"):
                query = urlencode({"artifact_file_path": path})
                place = f"/ajax-api/2.0/mlflow/logged-models/{quote(id)}/artifacts/files?{query}"
                yield self._file(id, path, place, model=True)

    # ---- what is said of a run -------------------------------------------------------------------------------------------

    def _told(self, kind: str, more: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + more

    def _run(self, said: Said, experiment: str) -> Run:
        info, data = said["info"], said.get("data", {})
        id = info.get("run_id") or info["run_uuid"]
        self._runs[id] = [metric["key"] for metric in data.get("metrics", [])]
        self._latest[id] = json.dumps(data.get("metrics", []), sort_keys=True)
        params, tags = _pairs(data.get("params")), _pairs(data.get("tags"))
        datasets = [_dataset(item) for item in said.get("inputs", {}).get("dataset_inputs", [])]
        links = [
            Link(run=id, model=item["model_id"], made=False)
            for item in said.get("inputs", {}).get("model_inputs", [])
        ] + [
            Link(run=id, model=item["model_id"], made=True, step=int(item.get("step", 0)))
            for item in said.get("outputs", {}).get("model_outputs", [])
        ]
        self._links += links
        for kind, more in (
            ("runs", 1),
            ("params", len(params)),
            ("tags", len(tags)),
            ("dataset inputs", len(datasets)),
            ("model inputs and outputs", len(links)),
        ):
            self._told(kind, more)
        return Run(
            id=id,
            experiment=experiment,
            name=info.get("run_name", "") or tags.get("mlflow.runName", ""),
            user=info.get("user_id", ""),
            status=info.get("status", "FINISHED"),
            start=int(info.get("start_time", 0)),
            end=int(info["end_time"]) if info.get("end_time") else None,
            deleted=info.get("lifecycle_stage") == "deleted",
            location=info.get("artifact_uri", ""),
            params=params,
            tags=tags,
            datasets=datasets,
        )

    def _history(self, run: str) -> Iterator[tuple[str, float, int, int]]:
        for key in self._runs.get(run, ()):
            ask = {"run_id": run, "metric_key": key, "max_results": 25_000}
            for said in self._pages("/metrics/get-history", ask, "metrics", method="GET"):
                self._told("metric points")
                yield (
                    key,
                    exact(float(said["value"])),
                    int(said.get("timestamp", 0)) * 1000,
                    int(said.get("step", 0)),
                )

    # ---- files -----------------------------------------------------------------------------------------------------------

    def _listed(self, listing: str, ask: Said, folder: str) -> Iterator[str]:
        """The paths of all files, folder by folder. What the server cannot list is left."""
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            query = {**ask, **({folder: inside} if inside else {})}
            try:
                found = self._ask("GET", listing, query).get("files", [])
            except LinealError as error:
                self.left.append(Left(kind="files", name=f"{ask or listing}", reason=error.message))
                return
            for entry in found:
                if entry.get("is_dir"):
                    waiting.append(entry["path"])
                else:
                    yield entry["path"]

    def _file(self, owner: str, path: str, place: str, *, model: bool) -> Found:
        return Found(owner=owner, model=model, path=path, open=lambda: self._open(place))

    def _open(self, place: str) -> BinaryIO:
        answer = self._send("GET", place, None)
        if answer.status != 200:
            self._refuse(answer.status, answer.read(), place)
        return cast("BinaryIO", answer)

    # ---- asking ----------------------------------------------------------------------------------------------------------

    def _pages(self, path: str, ask: Said, name: str, *, method: str = "POST") -> Iterator[Said]:
        token = ""
        while True:
            reply = self._ask(method, _API + path, {**ask, **({"page_token": token} if token else {})})
            yield from reply.get(name, [])
            before, token = token, reply.get("next_page_token", "")
            if not token or token == before:
                return

    def _ask(self, method: str, path: str, said: Said) -> Said:
        if method == "GET":
            path, body = f"{path}?{urlencode(said)}", None
        else:
            body = json.dumps(said).encode()
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._send(method, path, body)
            content = answer.read()
            if answer.status not in _AGAIN or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        if answer.status != 200:
            self._refuse(answer.status, content, path)
        try:
            reply = json.loads(content or b"{}")
        except ValueError as error:
            raise Unavailable(
                f"{self.name} does not answer as MLflow does: {error}",
                hint="is this the address of a tracking server?",
            ) from error
        return cast("Said", reply)

    def _send(self, method: str, path: str, body: bytes | None) -> http.client.HTTPResponse:
        headers = {**self._headers, **({"Content-Type": "application/json"} if body is not None else {})}
        for last in (False, True):
            try:
                self._connection.request(method, self._base + path, body, headers)
                return self._connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if last:
                    raise Unavailable(
                        f"{self.name} does not answer: {str(error) or type(error).__name__}",
                        hint="is it running, and is this its address?",
                    ) from error
        raise AssertionError

    def _refuse(self, status: int, content: bytes, path: str) -> None:
        try:
            message = str(json.loads(content).get("message", ""))
        except (ValueError, AttributeError):
            message = ""
        said = f"{self.name} answered {path.partition('?')[0]} with {status}: {message[:300] or 'no reason given'}"
        if status in (401, 403):
            raise Denied(said, hint="set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD")
        if status == 404:
            raise NotFound(said, hint="")
        raise Unavailable(said, hint="see the log of that server")


def _login(user: str | None, password: str | None) -> dict[str, str]:
    user = user or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    password = password or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _pairs(given: Iterable[Said] | None) -> dict[str, str]:
    return {str(item["key"]): str(item.get("value", "")) for item in given or ()}


def _dataset(said: Said) -> Dataset:
    of = said["dataset"]
    return Dataset(
        name=of["name"],
        digest=of["digest"],
        source_type=of.get("source_type", ""),
        source=of.get("source", ""),
        schema=of.get("schema"),
        profile=of.get("profile"),
        use=_pairs(said.get("tags")),
    )


def _model(said: Said, experiment: str) -> Model:
    info, data = said["info"], said.get("data", {})
    return Model(
        id=info["model_id"],
        experiment=experiment,
        name=info.get("name", ""),
        type=info.get("model_type", ""),
        run=info.get("source_run_id", ""),
        status=info.get("status", "LOGGED_MODEL_STATUS_UNSPECIFIED"),
        created=int(info.get("creation_timestamp_ms", 0)),
        updated=int(info.get("last_updated_timestamp_ms", 0)),
        location=info.get("artifact_uri", ""),
        tags=_pairs(info.get("tags")),
        params=_pairs(data.get("params")),
        metrics=[
            ModelMetric(
                key=item["key"],
                value=number_text(exact(float(item["value"]))),
                at=int(item.get("timestamp", 0)),
                step=int(item.get("step", 0)),
                run=item.get("run_id", ""),
                dataset=item.get("dataset_name", ""),
                digest=item.get("dataset_digest", ""),
            )
            for item in data.get("metrics", [])
        ],
    )


def _version(of: Said, aliases: list[str]) -> Version:
    return Version(
        name=of["name"],
        number=int(of["version"]),
        source=of.get("source", ""),
        run=of.get("run_id", ""),
        model=of.get("model_id", "") or model_in(of.get("source", "")),
        run_link=of.get("run_link", ""),
        stage=of.get("current_stage", "None"),
        created=int(of.get("creation_timestamp", 0)),
        updated=int(of.get("last_updated_timestamp", 0)),
        description=of.get("description", ""),
        user=of.get("user_id", ""),
        tags=_pairs(of.get("tags")),
        aliases=aliases,
    )
