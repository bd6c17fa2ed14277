"""Evaluation datasets, asked over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doors.mlflow.asking import Asking, fresh
from tests.doors.mlflow.serving_doors import door as door

DATASETS = "/api/3.0/mlflow/datasets"
ROWS = [
    {"inputs": {"q": "What?", "n": 1}, "expectations": {"answer": "That"}, "tags": {"mlflow.user": "ada"}},
    {
        "inputs": {"q": "Why?"},
        "outputs": {"a": "Because"},
        "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}},
    },
]


def made(door: Asking, **said: Any) -> dict[str, Any]:
    created = door.post(f"{DATASETS}/create", **{"name": fresh("questions"), **said})
    return created["dataset"]  # type: ignore[no-any-return]


def rows_of(door: Asking, id: str, **query: Any) -> tuple[list[dict[str, Any]], str]:
    said = door.get(f"{DATASETS}/{id}/records", **query)
    return json.loads(said["records"]), said.get("next_page_token", "")


def test_a_dataset_is_told_as_it_was_made(door: Asking) -> None:
    experiment = door.experiment()
    dataset = made(door, experiment_ids=[experiment], tags=json.dumps({"team": "ml", "mlflow.user": "ada"}))
    assert door.get(f"{DATASETS}/{dataset['dataset_id']}")["dataset"] == dataset
    assert json.loads(dataset["tags"]) == {"team": "ml", "mlflow.user": "ada"}
    assert dataset["created_by"] == "ada"
    assert dataset["experiment_ids"] == [experiment]
    assert door.get(f"{DATASETS}/{dataset['dataset_id']}/experiment-ids") == {"experiment_ids": [experiment]}


def test_a_row_with_the_same_inputs_is_changed_and_not_added(door: Asking) -> None:
    id = made(door)["dataset_id"]
    put = f"{DATASETS}/{id}/records"
    assert door.post(put, records=json.dumps(ROWS)) == {"inserted_count": 2, "updated_count": 0}
    again = {"inputs": {"n": 1, "q": "What?"}, "expectations": {"sure": True}, "outputs": [1]}
    assert door.post(put, records=json.dumps([again])) == {"inserted_count": 0, "updated_count": 1}
    rows, token = rows_of(door, id)
    assert token == ""
    assert [row["inputs"] for row in rows] == [{"q": "What?", "n": 1}, {"q": "Why?"}]
    assert rows[0]["expectations"] == {"answer": "That", "sure": True}
    assert rows[0]["outputs"] == [1]
    assert rows[0]["created_by"] == "ada"
    assert (rows[1]["source_type"], rows[1]["source_id"]) == ("TRACE", "tr-1")
    told = door.get(f"{DATASETS}/{id}")["dataset"]
    assert json.loads(told["profile"]) == {"num_records": 2}
    assert json.loads(told["schema"])["inputs"] == {"q": "string", "n": "integer"}


def test_rows_come_in_pages_and_go_by_their_ids(door: Asking) -> None:
    id = made(door)["dataset_id"]
    given = [{"inputs": {"n": n}} for n in range(5)]
    door.post(f"{DATASETS}/{id}/records", records=json.dumps(given))
    first, token = rows_of(door, id, max_results=3)
    rest, end = rows_of(door, id, max_results=3, page_token=token)
    assert [row["inputs"]["n"] for row in first + rest] == list(range(5))
    assert end == ""
    gone = [row["dataset_record_id"] for row in rest]
    assert door.ask("DELETE", f"{DATASETS}/{id}/records", {"dataset_record_ids": [*gone, "edr-none"]}) == {
        "deleted_count": 2
    }
    assert len(rows_of(door, id)[0]) == 3


def test_datasets_are_found_by_experiment_filter_and_order(door: Asking) -> None:
    first, second = door.experiment(), door.experiment()
    team = fresh("team")
    names = [
        made(door, experiment_ids=ids, tags=json.dumps({"team": team}))["name"]
        for ids in ([first], [first, second], [second])
    ]

    def found(**query: Any) -> list[str]:
        return [one["name"] for one in door.post(f"{DATASETS}/search", **query)["datasets"]]

    assert sorted(found(experiment_ids=[first])) == names[:2]
    assert found(filter_string=f"tags.team = '{team}'", order_by=["name ASC"]) == names
    assert (
        found(filter_string=f"tags.team = '{team}' AND name != '{names[0]}'", order_by=["name DESC"])
        == names[:0:-1]
    )
    page = door.post(f"{DATASETS}/search", filter_string=f"tags.team = '{team}'", max_results=2)
    assert len(page["datasets"]) == 2
    assert len(found(filter_string=f"tags.team = '{team}'", page_token=page["next_page_token"])) == 1
    assert door.refused("POST", f"{DATASETS}/search", {"filter_string": "colour = 'red'"})[0] == 400


def test_experiments_and_tags_of_a_dataset_come_and_go(door: Asking) -> None:
    first, second = door.experiment(), door.experiment()
    id = made(door, experiment_ids=[first])["dataset_id"]
    for _ in range(2):
        added = door.post(f"{DATASETS}/{id}/add-experiments", experiment_ids=[second])
        assert added["dataset"]["experiment_ids"] == [first, second]
    assert door.refused("POST", f"{DATASETS}/{id}/add-experiments", {"experiment_ids": ["999999"]})[0] == 404
    for _ in range(2):
        left = door.post(f"{DATASETS}/{id}/remove-experiments", experiment_ids=[first])
        assert left["dataset"]["experiment_ids"] == [second]
    door.ask("PATCH", f"{DATASETS}/{id}/tags", {"tags": json.dumps({"a": "1", "b": "2"})})
    for _ in range(2):
        door.ask("DELETE", f"{DATASETS}/{id}/tags/a")
    assert json.loads(door.get(f"{DATASETS}/{id}")["dataset"]["tags"]) == {"b": "2"}


def test_a_deleted_dataset_is_gone_with_its_rows(door: Asking) -> None:
    id = made(door)["dataset_id"]
    door.post(f"{DATASETS}/{id}/records", records=json.dumps(ROWS))
    for _ in range(2):
        assert door.ask("DELETE", f"{DATASETS}/{id}") == {}
    assert door.refused("GET", f"{DATASETS}/{id}")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert door.refused("GET", f"{DATASETS}/{id}/records")[0] == 404


@pytest.mark.parametrize(
    "records",
    [
        "",
        "[",
        "{}",
        "[1]",
        '[{"inputs": 1}]',
        '[{"inputs": {}, "tags": {"a": 1}}]',
        '[{"expectations": [1]}]',
    ],
)
def test_rows_of_another_shape_are_refused_whole(door: Asking, records: str) -> None:
    id = made(door)["dataset_id"]
    status, code, _ = door.refused("POST", f"{DATASETS}/{id}/records", {"records": records})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert rows_of(door, id)[0] == []
