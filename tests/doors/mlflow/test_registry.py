"""Registered models and their versions, asked for as MLflow's clients do, on both engines."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.doors.mlflow.asking import Asking, fresh
from tests.doors.mlflow.serving_doors import door as door


def make(door: Asking, name: str, count: int = 1) -> str:
    name = fresh(name)
    door.post("/registered-models/create", name=name)
    for _ in range(count):
        door.post("/model-versions/create", name=name, source="runs:/abc/model", run_id="abc")
    return name


def get(door: Asking, name: str) -> dict[str, Any]:
    return door.get("/registered-models/get", name=name)["registered_model"]  # type: ignore[no-any-return]


def version(door: Asking, name: str, number: int) -> dict[str, Any]:
    return door.get("/model-versions/get", name=name, version=str(number))["model_version"]  # type: ignore[no-any-return]


def numbers(door: Asking, **query: Any) -> list[str]:
    return [one["version"] for one in door.get("/model-versions/search", **query).get("model_versions", [])]


def test_a_registered_model_is_told_as_it_was_made(door: Asking) -> None:
    name = fresh("churn")
    tags = [{"key": "team", "value": "growth"}, {"key": "team", "value": "sales"}]
    door.post("/registered-models/create", name=name, tags=tags, description="who leaves")
    found = get(door, name)
    assert (found["name"], found["description"]) == (name, "who leaves")
    assert found["tags"] == [{"key": "team", "value": "sales"}]
    assert found["latest_versions"] == found["aliases"] == []
    assert isinstance(found["creation_timestamp"], int)
    status, code, message = door.refused("POST", "/registered-models/create", {"name": name})
    assert (status, code) == (400, "RESOURCE_ALREADY_EXISTS")
    assert message.startswith(f"Registered Model (name={name}) already exists")


def test_the_newest_version_of_each_stage_is_the_latest(door: Asking) -> None:
    name = make(door, "stages", 4)
    for number, stage in ((1, "Production"), (2, "production"), (3, "Staging")):
        moved = door.post("/model-versions/transition-stage", name=name, version=str(number), stage=stage)
        assert moved["model_version"]["current_stage"] == stage.capitalize()
    latest = {one["current_stage"]: one["version"] for one in get(door, name)["latest_versions"]}
    assert latest == {"Production": "2", "Staging": "3", "None": "4"}
    asked = door.post("/registered-models/get-latest-versions", name=name, stages=["staging"])
    assert [one["version"] for one in asked["model_versions"]] == ["3"]
    assert len(door.get("/registered-models/get-latest-versions", name=name)["model_versions"]) == 3


def test_a_transition_archives_what_was_there_only_when_asked(door: Asking) -> None:
    name = make(door, "archive", 3)
    for number in (1, 2):
        door.post("/model-versions/transition-stage", name=name, version=str(number), stage="Production")
    assert [version(door, name, n)["current_stage"] for n in (1, 2, 3)] == [
        "Production",
        "Production",
        "None",
    ]
    said = {"name": name, "version": "3", "stage": "Production", "archive_existing_versions": True}
    door.post("/model-versions/transition-stage", **said)
    assert [version(door, name, n)["current_stage"] for n in (1, 2, 3)] == [
        "Archived",
        "Archived",
        "Production",
    ]
    assert door.refused("POST", "/model-versions/transition-stage", {**said, "stage": "None"})[:2] == (
        400,
        "INVALID_PARAMETER_VALUE",
    )
    assert (
        "Invalid Model Version stage"
        in door.refused("POST", "/model-versions/transition-stage", {**said, "stage": "Best"})[2]
    )


def test_an_alias_points_at_one_version_and_goes_with_it(door: Asking) -> None:
    name = make(door, "alias", 2)
    for number in ("1", "2"):
        door.post("/registered-models/alias", name=name, alias="champion", version=number)
    assert get(door, name)["aliases"] == [{"alias": "champion", "version": "2"}]
    found = door.get("/registered-models/alias", name=name, alias="champion")["model_version"]
    assert (found["version"], found["aliases"]) == ("2", ["champion"])
    door.ask("DELETE", "/model-versions/delete", {"name": name, "version": "2"})
    assert get(door, name)["aliases"] == []
    asked = f"/registered-models/alias?{urlencode({'name': name, 'alias': 'champion'})}"
    assert door.refused("GET", asked)[:2] == (400, "INVALID_PARAMETER_VALUE")
    door.ask("DELETE", "/registered-models/alias", {"name": name, "alias": "champion"})


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V27", "a/b", "a b", "", "x" * 256])
def test_an_alias_that_means_something_else_is_refused(door: Asking, alias: str) -> None:
    name = make(door, "reserved")
    said = {"name": name, "alias": alias, "version": "1"}
    assert door.refused("POST", "/registered-models/alias", said)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert get(door, name)["aliases"] == []


def test_latest_is_the_newest_version_without_being_set(door: Asking) -> None:
    name = make(door, "newest", 3)
    found = door.get("/registered-models/alias", name=name, alias="latest")["model_version"]
    assert found["version"] == "3"


def test_a_renamed_model_keeps_versions_aliases_and_tags(door: Asking) -> None:
    name, new = make(door, "before", 2), fresh("after")
    door.post("/registered-models/alias", name=name, alias="champion", version="1")
    door.post("/registered-models/set-tag", name=name, key="k", value="v")
    renamed = door.post("/registered-models/rename", name=name, new_name=new)["registered_model"]
    assert (renamed["name"], renamed["tags"]) == (new, [{"key": "k", "value": "v"}])
    assert version(door, new, 2)["name"] == new
    assert get(door, new)["aliases"] == [{"alias": "champion", "version": "1"}]
    asked = f"/registered-models/get?{urlencode({'name': name})}"
    assert door.refused("GET", asked) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        f"Registered Model with name={name} not found",
    )
    taken = {"name": new, "new_name": make(door, "taken")}
    assert door.refused("POST", "/registered-models/rename", taken)[:2] == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_deleted_name_is_free_and_its_versions_count_from_one_again(door: Asking) -> None:
    name = make(door, "deleted", 3)
    door.post("/registered-models/alias", name=name, alias="champion", version="2")
    door.ask("DELETE", "/registered-models/delete", {"name": name})
    assert door.refused("DELETE", "/registered-models/delete", {"name": name})[:2] == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    assert numbers(door, filter=f"name = '{name}'") == []
    door.post("/registered-models/create", name=name)
    assert get(door, name)["latest_versions"] == []
    made = door.post("/model-versions/create", name=name, source="s3://bucket/model")
    assert made["model_version"]["version"] == "1"
    assert get(door, name)["aliases"] == []


def test_a_deleted_versions_number_is_not_given_again(door: Asking) -> None:
    name = make(door, "numbers", 3)
    door.ask("DELETE", "/model-versions/delete", {"name": name, "version": "3"})
    asked = f"/model-versions/get?{urlencode({'name': name, 'version': '3'})}"
    assert door.refused("GET", asked)[1:] == (
        "RESOURCE_DOES_NOT_EXIST",
        f"Model Version (name={name}, version=3) not found",
    )
    assert door.refused("PATCH", "/model-versions/update", {"name": name, "version": "3"})[0] == 404
    made = door.post("/model-versions/create", name=name, source="runs:/abc/model", run_id="abc")
    assert made["model_version"]["version"] == "4"
    assert numbers(door, filter=f"name='{name}'") == ["4", "2", "1"]


def test_a_version_says_what_it_was_told(door: Asking) -> None:
    name = make(door, "told", 0)
    said = {
        "source": "runs:/abc/model",
        "run_id": "abc",
        "run_link": "http://here",
        "description": "d",
        "tags": [{"key": "a", "value": ""}],
    }
    door.post("/model-versions/create", name=name, **said)
    found = version(door, name, 1)
    assert {key: found[key] for key in said} == said
    assert (found["status"], found["current_stage"]) == ("READY", "None")
    door.ask("PATCH", "/model-versions/update", {"name": name, "version": "1", "description": "e"})
    door.post("/model-versions/set-tag", name=name, version="1", key="b", value="2")
    door.ask("DELETE", "/model-versions/delete-tag", {"name": name, "version": "1", "key": "a"})
    found = version(door, name, 1)
    assert (found["description"], found["tags"]) == ("e", [{"key": "b", "value": "2"}])
    uri = door.get("/model-versions/get-download-uri", name=name, version="1")
    assert uri == {"artifact_uri": "runs:/abc/model"}
    wrong = f"/model-versions/get?{urlencode({'name': name, 'version': 'no number'})}"
    assert "Parameter 'version' must be an integer, got 'no number'." in door.refused("GET", wrong)[2]


def test_a_copy_of_a_version_is_that_version(door: Asking) -> None:
    name = make(door, "copied")
    door.post("/registered-models/alias", name=name, alias="champion", version="1")
    for source in (f"models:/{name}@champion", f"models:/{name}/1", f"models:/{name}/latest"):
        copy = door.post("/model-versions/create", name=name, source=source)["model_version"]
        assert copy["run_id"] == "abc"
        assert copy["source"].startswith(f"models:/{name}/")
        uri = door.get("/model-versions/get-download-uri", name=name, version=copy["version"])
        assert uri == {"artifact_uri": "runs:/abc/model"}
    other = {"name": name, "source": f"models:/{name}/1", "run_id": "another"}
    assert (
        "must match the referenced model version" in door.refused("POST", "/model-versions/create", other)[2]
    )


def test_versions_are_found_by_filter_in_order_and_page_by_page(door: Asking) -> None:
    first, second = make(door, "search-a", 3), make(door, "search-b", 2)
    door.post("/model-versions/set-tag", name=first, version="2", key="my key", value="it's")
    either = f"name IN ('{first}', '{second}')"
    assert numbers(door, filter=f"name='{first}' and version_number >= 2", order_by="version_number ASC") == [
        "2",
        "3",
    ]
    assert numbers(door, filter=f"name='{first}' AND tags.`my key` = 'it''s'") == ["2"]
    assert numbers(door, filter=f"name='{first}' AND NOT (version_number = 1 OR version_number = 2)") == ["3"]
    assert numbers(
        door, filter=f"{either} AND run_id = 'abc'", order_by=["name DESC", "version_number ASC"]
    ) == [
        "1",
        "2",
        "1",
        "2",
        "3",
    ]
    assert len(numbers(door, filter=f"name LIKE '{first[:-1]}%' AND source_path ILIKE 'RUNS:%MODEL'")) >= 3
    token, found = "", []
    while True:
        page = door.get("/model-versions/search", filter=either, max_results=2, page_token=token)
        found += [(one["name"], one["version"]) for one in page["model_versions"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert len(found) == len(set(found)) == 5


def test_models_are_found_by_filter_in_order_and_page_by_page(door: Asking) -> None:
    stem = fresh("find")
    names = [f"{stem}-{letter}" for letter in "abc"]
    for name in names:
        door.post("/registered-models/create", name=name, tags=[{"key": "stem", "value": stem}])

    def search(**query: Any) -> list[str]:
        found = door.get("/registered-models/search", **query).get("registered_models", [])
        return [one["name"] for one in found]

    assert search(filter=f"tags.stem = '{stem}'") == names
    assert search(filter=f"name LIKE '{stem}-%'", order_by="name DESC") == names[::-1]
    assert search(filter=f"name = '{names[1]}'") == [names[1]]
    assert search(filter=f"name ILIKE '{stem.upper()}-%' AND name != '{names[0]}'") == names[1:]
    first = door.get("/registered-models/search", filter=f"tags.stem='{stem}'", max_results=2)
    assert [one["name"] for one in first["registered_models"]] == names[:2]
    rest = door.get(
        "/registered-models/search",
        filter=f"tags.stem='{stem}'",
        max_results=2,
        page_token=first["next_page_token"],
    )
    assert [one["name"] for one in rest["registered_models"]] == names[2:]
    assert "next_page_token" not in rest


@pytest.mark.parametrize(
    "filter",
    [
        "name",
        "name =",
        "name = churn",
        "name > 'a'",
        "nothing = 'a'",
        "params.x = 'a'",
        "name = 'a' name = 'b'",
        "name = 'a' AND",
        "(name = 'a'",
        "name IN ()",
        "name = 'a'; DROP TABLE x",
        "name = 'a' -- x",
        "tags.x IN ('a')",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(door: Asking, filter: str) -> None:
    for path in ("/registered-models/search", "/model-versions/search"):
        asked = f"{path}?{urlencode({'filter': filter})}"
        assert door.refused("GET", asked)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_prompts_are_kept_apart_from_models(door: Asking) -> None:
    name = fresh("prompt")
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    door.post("/registered-models/create", name=name, tags=prompt)
    text = {"key": "mlflow.prompt.text", "value": "Say hello to {{name}}"}
    door.post("/model-versions/create", name=name, source="dummy-source", tags=[*prompt, text])
    plain = f"name = '{name}'"
    asked = f"{plain} AND tags.`mlflow.prompt.is_prompt` = 'true'"
    for path, key in (
        ("/registered-models/search", "registered_models"),
        ("/model-versions/search", "model_versions"),
    ):
        assert door.get(path, filter=plain).get(key, []) == []
        assert [one["name"] for one in door.get(path, filter=asked)[key]] == [name]
    other = {"name": name, "source": "s3://bucket/x", "tags": prompt}
    assert "Invalid prompt source" in door.refused("POST", "/model-versions/create", other)[2]


def test_what_was_registered_otherwise_is_seen_here(door: Asking) -> None:
    model = door.ready_model(name=fresh("native-model"))
    name = fresh("native")
    native = {"ref": f"{model['name']}@1", "name": name}
    assert door.serving.post("/api/lineal/v1/register", native).status == 200
    found = get(door, name)
    assert [one["version"] for one in found["latest_versions"]] == ["1"]
    assert version(door, name, 1)["source"] == f"models:/{model['model_id']}"
    door.post("/registered-models/alias", name=name, alias="champion", version="1")
    moved = door.serving.get(f"/api/lineal/v1/aliases?name={name}").json["aliases"]
    assert [(one["alias"], one["number"]) for one in moved] == [("champion", 1)]
    door.post("/model-versions/transition-stage", name=name, version="1", stage="Staging")
    assert version(door, name, 1)["current_stage"] == "Staging"
