"""Logged models: what is kept of them, what becomes of them in the record, and how they are found."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from lineal.resolve.content import manifest_digest
from tests.doors.mlflow.asking import API, Asking, fresh
from tests.doors.mlflow.serving_doors import door as door

ML = b"flavors:\n  python_function:\n    loader_module: m\n  sklearn:\n    sklearn_version: 1.9.1\nmlflow_version: 3.17.2\n"


def info(door: Asking, id: str) -> dict[str, Any]:
    return door.get(f"/logged-models/{id}")["model"]["info"]  # type: ignore[no-any-return]


def native(door: Asking, ref: str) -> Any:
    found = door.serving.get(f"/api/lineal/v1/show?ref={ref}")
    assert found.status == 200, found.body
    return found.json


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_model_is_told_as_it_was_made(door: Asking) -> None:
    run = door.run()
    params = [{"key": "depth", "value": "3"}]
    made = door.model(
        name="forest",
        model_type="tree",
        source_run_id=run["run_id"],
        params=params,
        tags=[{"key": "a", "value": "b"}],
    )
    assert made["model_id"].startswith("m-")
    assert made["artifact_uri"] == f"mlflow-artifacts:/0/models/{made['model_id']}/artifacts"
    found = door.get(f"/logged-models/{made['model_id']}")["model"]
    assert found["info"] == made
    assert (made["status"], made["model_type"], made["source_run_id"]) == (
        "LOGGED_MODEL_PENDING",
        "tree",
        run["run_id"],
    )
    assert found["data"] == {"params": params, "metrics": []}


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "a%b", "it's", ' " ', "  "])
def test_a_model_name_that_reads_as_a_path_is_refused(door: Asking, name: str) -> None:
    said = {"experiment_id": "0", "name": name}
    assert door.refused("POST", "/logged-models", said)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_a_whole_model_has_the_digest_that_a_folder_with_its_files_has(door: Asking) -> None:
    run, name = door.run(), fresh("digest")
    model = door.model(name=name, source_run_id=run["run_id"])
    for path, content in (("MLmodel", ML), ("data/model.pkl", b"weights"), ("requirements.txt", b"a==1\n")):
        door.put(model["artifact_uri"], path, content)
    assert native(door, f"{name}@1")["digest"] is None
    assert door.finalize(model["model_id"])["status"] == "LOGGED_MODEL_READY"
    after = native(door, f"{name}@1")
    expected = manifest_digest(
        [
            (b"MLmodel", sha(ML)),
            (b"data/model.pkl", sha(b"weights")),
            (b"requirements.txt", sha(b"a==1\n")),
        ]
    )
    assert after["digest"] == f"sha256:{expected}"
    assert run["run_id"] in str(after)


def test_what_the_files_of_a_model_say_becomes_its_environment_and_framework(door: Asking) -> None:
    name = fresh("environment")
    model = door.model(name=name)
    requirements = b"scikit-learn==1.9.1 ; python_version > '3'\nnumpy\n# nothing\nMy_Package[x]===2.0\n"
    for path, content in (
        ("MLmodel", ML),
        ("requirements.txt", requirements),
        ("python_env.yaml", b"python: 3.11.7\nbuild_dependencies:\n- pip\n"),
    ):
        door.put(model["artifact_uri"], path, content)
    door.finalize(model["model_id"])
    facets = native(door, f"{name}@1")["facets"]
    assert facets["lineal.environment/1"] == {
        "packages": {"my-package": "2.0", "scikit-learn": "1.9.1"},
        "not_pinned": ["numpy"],
        "python": "3.11.7",
        "files": ["python_env.yaml", "requirements.txt"],
    }
    assert facets["lineal.model/1"]["framework"] == "sklearn"


def test_facets_made_from_a_models_files_are_held_against_their_schemas(door: Asking) -> None:
    wanted = {"required": ["framework"], "properties": {"framework": {"enum": ["torch"]}}}
    for refuse in (False, True):
        said = {"name": "lineal.model", "schema": wanted, "refuse": refuse}
        defined = door.serving.post("/api/lineal/v1/facets/define", said)
        assert defined.status == 200, defined.body
        name = fresh("schema")
        model = door.model(name=name)
        door.put(model["artifact_uri"], "MLmodel", ML)
        door.finalize(model["model_id"])
        assert ("lineal.model/1" in native(door, f"{name}@1")["facets"]) == (not refuse)
        found = door.serving.get(f"/api/lineal/v1/facets/faults?ref={name}@1").json["faults"]
        assert [(fault["name"], fault["refused"]) for fault in found] == [("lineal.model/1", refuse)]
    said |= {"schema": {}, "refuse": False}  # the other tests of this module share the server
    assert door.serving.post("/api/lineal/v1/facets/define", said).status == 200


@pytest.mark.parametrize(
    "content",
    [
        b"!!python/object/apply:os.system ['touch /tmp/pwned']",
        b"a: &a [1]\nb: [*a, *a]",
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"flavors: 3",
        b"- - - -",
        b'flavors: {"\\uD800": 1}',
    ],
)
def test_a_description_that_cannot_be_read_is_kept_and_says_nothing(door: Asking, content: bytes) -> None:
    model = door.model(name=fresh("odd"))
    door.put(model["artifact_uri"], "MLmodel", content)
    assert door.finalize(model["model_id"])["status"] == "LOGGED_MODEL_READY"
    assert door.fetch(model["artifact_uri"], "MLmodel").body == content


def test_a_registered_version_is_the_logged_model(door: Asking) -> None:
    run = door.run()
    model = door.ready_model(name=fresh("same"), source_run_id=run["run_id"])
    name = door.registered(model)
    shown = native(door, f"{name}@1")
    assert model["name"] in str(shown)
    trace = door.serving.get(f"/api/lineal/v1/trace?ref={name}@1").json
    assert run["run_id"] in str(trace)
    registrations = info(door, model["model_id"])["registrations"]
    assert registrations == [{"name": name, "version": "1"}]


def test_a_models_tag_lists_its_registrations_as_mlflow_writes_them(door: Asking) -> None:
    model = door.ready_model()
    name = door.registered(model)
    door.registered(model, name)
    told = door.get(f"/logged-models/{model['model_id']}")["model"]["info"]
    tags = {tag["key"]: tag["value"] for tag in told["tags"]}
    wanted = [{"name": name, "version": 1}, {"name": name, "version": 2}]
    assert tags["mlflow.modelVersions"] == json.dumps(wanted)


def test_the_same_model_registered_twice_has_two_numbers(door: Asking) -> None:
    model = door.ready_model(name=fresh("twice"))
    name = door.registered(model)
    door.registered(model, name)
    found = door.get("/model-versions/search", filter=f"name='{name}'")["model_versions"]
    assert [one["version"] for one in found] == ["2", "1"]
    assert {one["source"] for one in found} == {f"models:/{model['model_id']}"}


def test_what_a_living_version_descends_from_is_not_deleted(door: Asking) -> None:
    run = door.run()
    model = door.ready_model(name=fresh("needed"), source_run_id=run["run_id"])
    name = door.registered(model)
    id = model["model_id"]
    file = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{id}/artifacts/model.pkl"
    for method, path, document in (
        ("DELETE", f"/logged-models/{id}", None),
        ("POST", "/runs/delete", {"run_id": run["run_id"]}),
        ("DELETE", file, None),
    ):
        status, code, message = door.refused(method, path, document)
        assert (status, code) == (409, "RESOURCE_CONFLICT")
        assert f"registered {name}@1" in message
    changed = door.serving.ask("PUT", file, b"other weights")
    assert (changed.status, changed.json["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert door.serving.ask("PUT", file, b"weights").status == 200
    assert door.fetch(model["artifact_uri"], "model.pkl").body == b"weights"
    door.ask("DELETE", "/registered-models/delete", {"name": name})
    door.ask("DELETE", f"/logged-models/{id}")
    assert door.refused("GET", f"/logged-models/{id}")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert door.get(f"/logged-models/{id}", allow_deleted="true")["model"]["info"]["model_id"] == id


def test_a_tag_lets_a_needed_model_be_deleted(door: Asking) -> None:
    model = door.ready_model(name=fresh("forced"))
    door.registered(model)
    id = model["model_id"]
    force = {"model_id": id, "tags": [{"key": "lineal.force_delete", "value": "true"}]}
    door.ask("PATCH", f"/logged-models/{id}/tags", force)
    door.ask("DELETE", f"/logged-models/{id}")
    assert door.refused("GET", f"/logged-models/{id}")[0] == 404


def test_tags_and_parameters_of_a_model_are_set_and_deleted(door: Asking) -> None:
    id = door.model(name=fresh("tags"))["model_id"]
    door.ask(
        "PATCH",
        f"/logged-models/{id}/tags",
        {"tags": [{"key": "a/b", "value": "1"}, {"key": "c", "value": ""}]},
    )
    door.ask("DELETE", f"/logged-models/{id}/tags/a%2Fb")
    assert info(door, id)["tags"] == [{"key": "c", "value": ""}]
    assert door.refused("DELETE", f"/logged-models/{id}/tags/a%2Fb")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    lr = {"params": [{"key": "lr", "value": "0.1"}]}
    for _ in range(2):
        door.ask("POST", f"/logged-models/{id}/params", lr)
    other = {"params": [{"key": "lr", "value": "0.2"}]}
    assert "Changing param values" in door.refused("POST", f"/logged-models/{id}/params", other)[2]
    assert door.get(f"/logged-models/{id}")["model"]["data"]["params"] == lr["params"]


def test_a_file_written_after_a_model_was_whole_is_told(door: Asking) -> None:
    model = door.ready_model(name=fresh("altered"))
    door.put(model["artifact_uri"], "later.txt", b"x")
    assert "lineal.altered" in str(native(door, f"{model['name']}@1"))


def test_an_upload_that_failed_is_told_and_has_no_digest(door: Asking) -> None:
    model = door.model(name=fresh("failed"))
    assert (
        door.finalize(model["model_id"], "LOGGED_MODEL_UPLOAD_FAILED")["status"]
        == "LOGGED_MODEL_UPLOAD_FAILED"
    )
    wrong = {"model_id": model["model_id"], "status": "BEST"}
    assert door.refused("PATCH", f"/logged-models/{model['model_id']}", wrong)[:2] == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_models_are_found_by_what_was_measured_of_them(door: Asking) -> None:
    experiment = door.experiment()
    run = door.run(experiment)["run_id"]
    ids = []
    for number, (accuracy, dataset) in enumerate([(0.7, "a"), (0.9, "b"), (0.8, "a")]):
        model = door.ready_model(experiment, name=f"m{number}", content=str(number).encode())
        ids.append(model["model_id"])
        point = {
            "key": "acc",
            "value": accuracy,
            "timestamp": 5,
            "model_id": model["model_id"],
            "dataset_name": dataset,
            "dataset_digest": "d",
        }
        door.post("/runs/log-batch", run_id=run, metrics=[{**point, "value": 0.1, "timestamp": 1}, point])
    door.model(experiment, name="nothing-measured", params=[{"key": "lr", "value": "0.1"}])

    def search(**said: Any) -> list[str]:
        found = door.post("/logged-models/search", experiment_ids=[experiment], **said).get("models", [])
        return [one["info"]["name"] for one in found]

    assert set(search()) == {"nothing-measured", "m2", "m1", "m0"}
    assert set(search(filter="metrics.acc > 0.75")) == {"m1", "m2"}
    assert search(filter="metrics.acc > 0.75", datasets=[{"dataset_name": "a"}]) == ["m2"]
    assert set(search(datasets=[{"dataset_name": "a", "dataset_digest": "d"}])) == {"m0", "m2"}
    upward = [{"field_name": "metrics.acc"}]
    assert search(order_by=upward) == ["m0", "m2", "m1", "nothing-measured"]
    assert search(order_by=[{"field_name": "metrics.acc", "ascending": False}])[:3] == ["m1", "m2", "m0"]
    assert search(filter="params.lr = '0.1' AND status = 'PENDING'") == ["nothing-measured"]
    assert set(search(filter="name LIKE 'm%' AND name NOT IN ('m0')")) == {"m1", "m2"}
    assert search(filter=f"model_id = '{ids[1]}'") == ["m1"]
    page = door.post("/logged-models/search", experiment_ids=[experiment], max_results=3, order_by=upward)
    rest = door.post(
        "/logged-models/search",
        experiment_ids=[experiment],
        max_results=3,
        order_by=upward,
        page_token=page["next_page_token"],
    )
    assert [one["info"]["name"] for one in rest["models"]] == ["nothing-measured"]
    measured = door.get(f"/logged-models/{ids[1]}")["model"]["data"]["metrics"]
    assert measured == [
        {
            "key": "acc",
            "value": 0.9,
            "timestamp": 5,
            "step": 0,
            "model_id": ids[1],
            "run_id": run,
            "dataset_name": "b",
            "dataset_digest": "d",
        }
    ]


def test_the_files_of_a_model_are_listed_folder_by_folder(door: Asking) -> None:
    model = door.model(name=fresh("files"))
    for path in ("MLmodel", "data/a.txt", "data/deep/b.txt"):
        door.put(model["artifact_uri"], path, b"xx")
    path = f"/logged-models/{model['model_id']}/artifacts/directories"
    assert door.get(path) == {
        "root_uri": model["artifact_uri"],
        "files": [{"path": "MLmodel", "is_dir": False, "file_size": 2}, {"path": "data", "is_dir": True}],
    }
    assert door.get(path, artifact_directory_path="data")["files"] == [
        {"path": "data/a.txt", "is_dir": False, "file_size": 2},
        {"path": "data/deep", "is_dir": True},
    ]
    assert door.answer("GET", f"{path}?artifact_directory_path=../..").status == 400


def test_the_pages_prefix_and_both_versions_lead_to_the_same(door: Asking) -> None:
    model = door.model(name=fresh("prefix"))
    for prefix in (API, "/api/3.0/mlflow", "/ajax-api/2.0/mlflow", "/ajax-api/3.0/mlflow"):
        assert door.get(f"{prefix}/logged-models/{model['model_id']}")["model"]["info"] == model
