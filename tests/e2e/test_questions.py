"""The questions on the command line, asked of the demo's story and of two recorded programs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.cli import document, lineal, said


def test_the_way_from_raw_data_to_the_model_is_drawn_step_by_step(recorded: Path) -> None:
    lines = said(recorded, "path", "raw.csv", "model.json").splitlines()
    assert [line.split()[0 if not number else 1] for number, line in enumerate(lines)] == [
        "raw.csv@1",
        "clean.py",
        "clean.csv@1",
        "train.py",
        "model.json@1",
    ]
    none = lineal(recorded, "path", "model.json", "train.py")
    assert none.returncode != 0


def test_impact_why_common_and_tags_are_told(told: Path) -> None:
    reply = document(told, "impact", "data/raw/customers.csv@1")
    assert reply["exact"] is True
    assert reply["counts"]["model"] == 1
    assert "began here" in said(told, "why", "churn@1", "churn@champion")
    assert "nearest" in said(told, "common", "churn@1", "churn@champion")
    assert said(told, "inherited", "churn@champion").strip() == "no tag reaches it"
    assert "gap:" in said(told, "conflicts", "churn@champion")


def test_versions_and_models_are_found_by_what_they_were_made_from(story: Path) -> None:
    said(story, "tag", "data/raw/customers.csv@1", "pii=true")
    found = document(story, "versions", "kind = model and upstream(tag = 'pii')")
    assert [version["names"] for version in found] == [["churn@1"]]
    assert [m["names"] for m in document(story, "models", "alias = champion")] == [["churn@2"]]
    assert said(story, "inherited", "churn@1").splitlines()[0] == "pii=true  from data/raw/customers.csv@1"
    wrong = lineal(story, "models", "metrics.auc > and")
    assert wrong.returncode == 2
    assert "^" in wrong.stderr


def test_two_are_joined_and_split_by_hand_and_the_story_stays(story: Path) -> None:
    joined = document(
        story, "same", "data/raw/customers.csv@1", "data/raw/customers.csv@2", "--reason", "one export"
    )
    assert len(joined["members"]) == 2
    found = [
        conflict
        for conflict in document(story, "conflicts", "churn@1")["conflicts"]
        if conflict["kind"] == "digest"
    ]
    (conflict,) = found
    said(story, "resolve", conflict["id"], conflict["claims"][0]["value"], "--reason", "looked")
    assert "decided:" in said(story, "conflicts", "churn@1", "--resolved")
    said(story, "split", "data/raw/customers.csv@1")
    history = document(story, "joins", "data/raw/customers.csv@1", "--history")["joins"]
    assert [entry["apart"] for entry in history] == [False, True]


def test_a_facet_is_defined_and_its_fields_are_found(recorded: Path) -> None:
    schema = recorded / "launch.json"
    schema.write_text(
        json.dumps({"type": "object", "required": ["entry"], "properties": {"entry": {"type": "string"}}})
    )
    defined = document(recorded, "facet", "define", "lineal.launch", str(schema))
    assert (defined["checked"], defined["broken"]) == (2, 0)
    assert [
        run["job"] for run in document(recorded, "runs", "facet.lineal.launch.entry like '%train.py'")
    ] == ["train.py"]
    assert said(recorded, "facet", "faults").strip() == "every facet fits its schema"
    schema.write_text(json.dumps({"type": "object", "required": ["nothing"]}))
    refused = lineal(recorded, "facet", "define", "lineal.launch", str(schema))
    assert (refused.returncode, "--new-version" in refused.stderr) == (1, True)


def test_facets_are_set_by_hand_and_a_broken_one_is_told(recorded: Path) -> None:
    card = recorded / "card.json"
    card.write_text(
        '{"type": "object", "properties": {"risk": {"type": "array", "items": {"type": "integer"}}}}'
    )
    said(recorded, "facet", "define", "card", str(card))
    card.write_text('{"risk": [2, 5]}')
    run = document(recorded, "runs", "job = train.py")[0]["run_id"]
    for words in (
        ["clean.csv", "card", str(card), "--run", f"run:{run}"],
        ["job:train.py", "card", str(card)],
    ):
        assert document(recorded, "facet", "set", *words)["said"] == ""
    for where in ("input.facet.card.risk > 4", "job.facet.card.risk = 2"):
        assert [found["run_id"] for found in document(recorded, "runs", where)] == [run]
    card.write_text('{"risk": "high"}')
    assert "array is wanted" in said(recorded, "facet", "set", "model.json", "card", str(card))
    assert "array is wanted" in said(recorded, "facet", "faults", "model.json")


def test_contradictions_and_columns_are_asked_as_of_a_time(told: Path) -> None:
    assert "gap:" in said(told, "conflicts", "churn@champion", "--as-of", "now")
    early = lineal(told, "conflicts", "churn@champion", "--as-of", "1999-01-01")
    assert early.returncode == 3
    assert document(told, "conflicts", "churn@champion", "--valid-at", "1999-01-01")["conflicts"] == []
    assert lineal(told, "columns", "data/raw/customers.csv@1", "--as-of", "whenever").returncode == 2


def test_a_message_is_shown_word_for_word(recorded: Path) -> None:
    graph = document(recorded, "trace", "model.json")
    number = next(edge["message"] for edge in graph["edges"] if edge["message"])
    message = document(recorded, "message", str(number))
    assert (message["number"], message["cut"]) == (number, False)
    assert message["digest"].startswith("sha256:")
    assert message["text"]
    assert said(recorded, "message", str(number)).startswith(f"message {number}  ")
    assert lineal(recorded, "message", "999999").returncode == 3
