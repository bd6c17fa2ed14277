"""The command line on a real record: what each command answers, for people and as JSON."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.cli import document, lineal, said


def test_runs_is_a_list_newest_first_with_what_every_run_has(told: Path) -> None:
    runs = document(told, "runs", "--all")
    assert {"run_id", "job", "state", "started_at", "ended_at"} <= set(runs[0])
    times = [run["started_at"] for run in runs]
    assert times == sorted(times, reverse=True)
    assert all(re.fullmatch("[0-9a-f]{32}", run["run_id"]) for run in runs)
    assert {run["state"] for run in runs} == {"finished", "failed", "lost", "running"}


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["metrics.auc > 0.87"], ["evaluate.py", "train.py"]),
        (["--where", "metrics.auc > 0.87", "--where", "job = train.py"], ["train.py"]),
        (["state = failed"], ["train.py"]),
        (["params.depth = 4"], ["train.py"]),
        (["job = 'legacy/export.py'"], ["legacy/export.py"]),
        (["metrics.auc > 99"], []),
    ],
)
def test_runs_are_searched_by_what_they_have(told: Path, words: list[str], jobs: list[str]) -> None:
    assert [run["job"] for run in document(told, "runs", *words)] == jobs


def test_runs_are_sorted_and_limited_and_what_is_left_out_is_said(told: Path) -> None:
    done = lineal(told, "runs", "metrics.auc > 0", "--sort", "metrics.auc asc", "--limit", "2", "--json")
    assert '"auc": 0.812' in done.stdout
    assert "0.874" not in done.stdout
    assert done.stderr == "lineal: warning: the first 2 runs; there are more (--limit N or --all)\n"
    assert "there are more" in said(told, "runs", "--limit", "2")


def test_people_see_runs_as_a_table(told: Path) -> None:
    text = said(told, "runs", "metrics.auc > 0.87")
    assert text.splitlines()[0].split() == ["RUN", "JOB", "STATE", "STARTED", "TOOK", "auc", "brier", "loss"]
    assert re.search(r"train\.py +finished +1 d ago +11 min +0\.874", text)


def test_show_of_a_run_has_its_inputs_and_outputs_with_evidence_and_references(recorded: Path) -> None:
    run = document(recorded, "runs")[0]
    shown = document(recorded, "show", f"run:{run['run_id'][:20]}")
    assert [file["path"] for file in shown["outputs"]] == ["model.json"]
    inputs = {file["path"]: file for file in shown["inputs"]}
    file = inputs["clean.csv"]
    assert file["role"] == "input"
    assert file["evidence"] == "observed"
    assert file["uri"].startswith("file:/")
    assert {ref["scheme"] for ref in file["references"]} >= {"sha256"}
    assert len(file["made_by"]) == 1
    assert shown["tags"] == {"team": "risk"}
    assert shown["summary"]["name"] == "second"
    text = said(recorded, "show", f"run:{run['run_id']}")
    assert "clean.csv@1" in text
    assert "team=risk" in text


def test_show_of_a_version_says_who_made_it_and_who_used_it(told: Path) -> None:
    shown = document(told, "show", "churn@champion")
    assert shown["ref"] == "models/churn.json@2"
    assert shown["aliases"] == ["churn@champion"]
    assert [run["job"] for run in shown["made_by"]] == ["train.py"]
    text = said(told, "show", "churn@champion")
    assert "models/churn.json@2  churn@2  (churn@champion)" in text
    assert "deploy/prod  live" in text


def test_a_failed_run_shows_its_error(told: Path) -> None:
    run = document(told, "runs", "state = failed")[0]
    assert "ValueError: could not convert string to float: ''" in said(told, "show", f"run:{run['run_id']}")


def test_a_trace_goes_from_the_model_to_its_sources(recorded: Path) -> None:
    text = said(recorded, "trace", "model.json")
    order = [
        text.index(word)
        for word in ("model.json@1", "train.py", "clean.csv@1", "clean.py", "raw.csv@1", "? origin unknown")
    ]
    assert order == sorted(order)
    graph = document(recorded, "trace", "model.json")
    labels = {node["id"]: node["label"] for node in graph["nodes"]}
    kinds = {(labels[edge["src"]], edge["kind"], labels[edge["dst"]]) for edge in graph["edges"]}
    assert {
        ("train.py", "generated", "model.json"),
        ("clean.csv", "used", "train.py"),
        ("raw.csv", "used", "clean.py"),
    } <= kinds
    assert labels[graph["root"]] == "model.json"


def test_a_trace_downwards_shows_what_a_file_went_into(recorded: Path) -> None:
    assert "→ train.py" in said(recorded, "trace", "raw.csv", "--down")


def test_a_trace_that_was_cut_is_no_unknown_origin(recorded: Path) -> None:
    text = said(recorded, "trace", "model.json", "--depth", "2")
    assert "cut here" in text
    assert "origin unknown" not in text
    assert "cut: stopped at depth 2" in text


def test_a_trace_is_written_as_mermaid_dot_and_json(told: Path) -> None:
    assert said(told, "trace", "churn@1", "--format", "mermaid").startswith("flowchart TB\n")
    assert said(told, "trace", "churn@1", "--format", "dot").startswith("digraph lineage {\n")
    assert said(told, "trace", "churn@1", "--format", "json") == said(told, "trace", "churn@1", "--json")


def test_an_earlier_time_shows_where_the_alias_pointed_then(told: Path) -> None:
    assert said(told, "trace", "churn@champion", "--as-of", "4 days ago").startswith("models/churn.json@1")
    assert said(told, "trace", "churn@champion", "--as-of", "30h ago").startswith("models/churn.json@3")
    assert said(told, "trace", "churn@champion").startswith("models/churn.json@2")


def test_the_story_has_a_gap_two_producers_and_candidates(told: Path) -> None:
    text = said(told, "trace", "churn@champion")
    assert "also produced by extract.py" in text
    assert "? perhaps a copy of vendor/regions-2025.csv@1" in text
    assert "content not known: a table of a remote database" in text


def test_a_difference_goes_down_to_the_changed_columns(told: Path) -> None:
    text = said(told, "diff", "churn@1", "churn@2")
    assert "depth  4 → 6" in text
    assert "auc  0.812 → 0.861  +0.049" in text
    assert "column tenure_months  int64 → double" in text
    assert "missing_age  mean → median" in text
    reply = document(told, "diff", "churn@1", "churn@2")
    assert reply["change"]["params"] == [{"key": "depth", "a": "4", "b": "6"}]
    assert not reply["identical"]


def test_health_is_a_percentage_with_what_is_not_known(told: Path) -> None:
    reply = document(told, "health", "churn@champion")
    assert 0 < reply["percent"] < 100
    missing = [line for check in reply["checks"] for line in check["missing"]]
    assert any("data/regions.csv@1" in line for line in missing)
    text = said(told, "health", "churn@champion")
    assert f"{reply['percent']:.0f} % known" in text


def test_a_version_is_registered_aliased_tagged_and_deployed(recorded: Path) -> None:
    assert document(recorded, "register", "model.json", "churn")["number"] == 1
    assert said(recorded, "register", "model.json", "churn") == "churn@1 was already model.json@1\n"
    moved = document(recorded, "alias", "churn", "champion", "1", "--expect", "0", "--reason", "the first")
    assert (moved["number"], moved["revision"]) == (1, 1)
    assert said(recorded, "tag", "churn@champion", "verdict=good", "note=a = b").splitlines() == [
        "churn@champion  verdict=good",
        "churn@champion  note=a = b",
    ]
    assert said(recorded, "deploy", "churn@champion", "prod", "--url", "https://x.example").startswith(
        "churn@1 is live at prod"
    )
    shown = document(recorded, "show", "churn@1")
    assert shown["tags"] == {"verdict": "good", "note": "a = b"}
    refused = lineal(recorded, "delete", "raw.csv")
    assert refused.returncode == 1
    assert "deployed at prod: churn@1" in refused.stderr
    assert said(recorded, "undeploy", "churn@1", "prod") == "churn@1 is no longer live at prod\n"
    assert "the first" in said(recorded, "alias", "churn", "--history")


def test_an_alias_that_was_moved_meanwhile_is_a_conflict(story: Path) -> None:
    done = lineal(story, "alias", "churn", "champion", "3", "--expect", "3")
    assert done.returncode == 1
    assert "at revision 4, not 3" in done.stderr
    assert said(story, "alias", "churn", "champion", "--remove").startswith("churn@champion is gone")
    assert said(story, "alias") == "no aliases\n"


def test_deleting_leaves_a_tombstone(story: Path) -> None:
    assert "living things depend on it" in lineal(story, "delete", "churn@2").stderr
    forced = said(story, "delete", "churn@2", "--force", "--reason", "it leaks")
    assert "living things depended on it" in forced
    assert "its tombstone" in said(story, "show", "churn@2")
    assert "  deleted" in said(story, "trace", "churn@2").splitlines()[0]
    assert [node for node in document(story, "trace", "churn@2")["nodes"] if node["deleted_at"]]
    assert "  deleted" not in said(story, "trace", "churn@3").splitlines()[0]


def test_a_path_is_meant_from_where_it_is_typed(story: Path) -> None:
    below = story / "data"
    assert document(below, "show", "features.csv")["ref"] == "data/features.csv@3"
    assert document(below, "show", "features.csv@1")["ref"] == "data/features.csv@1"
    assert document(below, "show", "../models/churn.json@2")["ref"] == "models/churn.json@2"
    assert document(below, "show", str(story / "data" / "features.csv"))["ref"] == "data/features.csv@3"
    (below / "features.csv").unlink()
    assert document(below, "show", "features.csv")["ref"] == "data/features.csv@3"
    assert document(below, "show", "churn@champion")["ref"] == "models/churn.json@2"
    assert document(story.parent, "-C", str(below), "show", "./features.csv")["ref"] == "data/features.csv@3"


def test_what_a_program_left_behind_is_delivered_before_the_answer(recorded: Path) -> None:
    script = "import os, sys; open('left.txt', 'w').write('x' * 100); os.kill(os.getppid(), 9)"
    (recorded / "left.py").write_text(script)
    lineal(recorded, "run", "python", "left.py")
    for _ in range(100):
        if "left.txt" in lineal(recorded, "trace", "left.txt").stdout:
            break
        time.sleep(0.05)
    assert "left.py" in said(recorded, "trace", "left.txt")


def test_fsck_finds_a_sound_record_whole(recorded: Path) -> None:
    reply = document(recorded, "fsck")
    assert reply["problems"] == []
    assert reply["checked"]["runs"] == 2
    assert said(recorded, "fsck").endswith("everything is whole\n")


def test_init_sets_the_name_and_the_store_and_hides_passwords(tmp_path: Path) -> None:
    begun = document(tmp_path, "init", "--name", "shop")
    assert (begun["name"], begun["new"]) == ("shop", True)
    assert (tmp_path / ".lineal" / ".gitignore").read_text() == "*\n"
    again = document(tmp_path, "init", "--store", str(tmp_path / "elsewhere.db"))
    assert (again["name"], again["new"]) == ("shop", False)
    assert (tmp_path / "elsewhere.db").exists()
    hidden = lineal(tmp_path, "init", "--store", "postgresql://me:geheim@localhost:1/none")
    assert hidden.returncode == 4
    assert "geheim" not in hidden.stdout + hidden.stderr


def test_sync_says_what_it_delivered(recorded: Path) -> None:
    assert document(recorded, "sync") == {"events": 0, "runs": 0, "problems": []}
    assert said(recorded, "sync") == "nothing to deliver\n"


def test_version_is_one_line_or_one_document(tmp_path: Path) -> None:
    text = said(tmp_path, "version")
    assert re.fullmatch(r"lineal \d+\.\d+\S*\n", text)
    assert said(tmp_path, "--version") == text
    assert document(tmp_path, "version")["version"] == text.split()[1]


def test_python_m_lineal_is_the_same_command(tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "lineal", "version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == said(tmp_path, "version")


def test_every_command_the_demo_names_works_and_it_can_be_seeded_again(tmp_path: Path) -> None:
    import shlex

    begun = time.monotonic()
    seeded = document(tmp_path, "demo")
    assert time.monotonic() - begun < 30  # 5 s on an idle machine
    assert len(seeded["commands"]) >= 6
    for command in seeded["commands"]:
        assert said(tmp_path, *shlex.split(command)[1:]).strip(), command
    assert document(tmp_path, "demo") == seeded


def test_the_demo_never_touches_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    done = lineal(tmp_path, "demo", "mine")
    assert done.returncode == 1
    assert "is not a demo" in done.stderr
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_runs_are_found_by_the_time_they_began(recorded: Path) -> None:
    first, last = sorted(run["started_at"] for run in document(recorded, "runs"))
    assert len(document(recorded, "runs", f"started_at > {first}")) == 1
    assert len(document(recorded, "runs", "started_at > '2025-01-01' AND state = finished")) == 2
    moment = datetime.fromtimestamp(last / 1e6, UTC)
    assert (
        document(recorded, "runs", f"started_at > '{moment + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}'") == []
    )
