"""Metric logs that a run writes are read as its metrics, once, with the file as evidence."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from lineal.core import events as ev
from lineal.deliver import event_files
from lineal.deliver.metric_logs import MetricLogs
from tests.capture.frameworks import PYTHON, need
from tests.deliver.conftest import Workshop

RUN = "0" * 31 + "1"


class Reading:
    """Reads the logs of a folder as a delivery does; `recorded`: the positions a store would know."""

    def __init__(self, recorded: dict[str, int] | None = None) -> None:
        self.logs = MetricLogs(RUN)
        self.recorded: dict[str, int] = {} if recorded is None else recorded

    def take(
        self, *paths: Path, known: set[str] | None = None, final: bool = False
    ) -> dict[str, list[tuple[int, float]]]:
        batches = self.logs.batches(
            [bytes(path) for path in paths],
            known or set(),
            lambda sources: {s: self.recorded.get(s, 0) for s in sources},
            final=final,
        )
        found: dict[str, list[tuple[int, float]]] = {}
        for batch in batches:
            assert batch.start == self.recorded.get(batch.source, 0)
            self.recorded[batch.source] = batch.position
            for event in batch.events:
                assert isinstance(event, ev.MetricPoints)
                size = len(event.step) // 8
                rows = zip(
                    *(
                        struct.unpack(f"<{size}{c}", b)
                        for c, b in (("I", event.key), ("q", event.step), ("d", event.value))
                    ),
                    strict=True,
                )
                for key, step, value in rows:
                    found.setdefault(event.keys[key], []).append((step, value))
        return found


def test_lines_of_json_are_read_on_as_they_grow(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"step": 1, "eval": {"acc": 0.5}, "note": "x"}\n{"step": 2, "eval": {"acc": 0.6}}\n{"step": 3, "ev'
    )
    reading = Reading()
    assert reading.take(log) == {"eval/acc": [(1, 0.5), (2, 0.6)]}
    assert reading.take(log) == {}
    with log.open("a") as file:
        file.write('al": {"acc": 0.7}}\n')
    assert reading.take(log) == {"eval/acc": [(3, 0.7)]}
    # Another delivery goes on where the store says that this one was.
    with log.open("a") as file:
        file.write('{"step": 4, "eval": {"acc": 0.8}}\n')
    assert Reading(reading.recorded).take(log, final=True) == {"eval/acc": [(4, 0.8)]}


def test_lines_without_a_step_are_counted_where_their_names_are_figures(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"loss": 3, "time": 1.5}\n{"loss": 2}\n')
    assert Reading().take(log) == {"loss": [(0, 3.0), (1, 2.0)]}


def test_a_csv_file_with_a_column_of_steps_is_read_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "history.csv"
    log.write_text("epoch,loss,val_loss,time\n0,1.0,,1.5\n1,0.5,2.0,3\n2,nan,inf,4")
    reading = Reading()
    assert reading.take(log) == {}
    found = reading.take(log, final=True)
    assert found["loss"][:2] == [(0, 1.0), (1, 0.5)]
    assert found["val_loss"] == [(1, 2.0), (2, float("inf"))]
    assert str(found["loss"][2]) == "(2, nan)"
    assert "time" not in found


def test_figures_beside_texts_are_a_log_and_a_text_tells_the_lines_of_one_step_apart(tmp_path: Path) -> None:
    log = tmp_path / "history.csv"
    log.write_text("epoch,phase,loss\n0,train,3\n0,val,4\n1,train,1\n1,val,2\n")
    assert Reading().take(log, final=True) == {
        "train/loss": [(0, 3.0), (1, 1.0)],
        "val/loss": [(0, 4.0), (1, 2.0)],
    }
    log = tmp_path / "named.csv"
    log.write_text("step,name,val_loss\n0,a,3\n1,b,4\n")
    assert Reading().take(log, final=True) == {"val_loss": [(0, 3.0), (1, 4.0)]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("text.csv", "step,name,size\n1,ann,7\n2,bo,8\n"),
        ("data.csv", "id,age,step\n1,2,3\n5,6,2\n"),
        ("people.csv", "step,name\n1,ann\n2,bo\n"),
        ("times.csv", "epoch,value\n1764000000,2\n1764000060,3\n"),
        ("one.csv", "epoch\n1\n2\n"),
        ("half.csv", "epoch,loss\n0.5,1\n1.5,2\n"),
        ("rows.jsonl", '{"label": 1, "text": "a"}\n{"label": 0, "text": "b"}\n'),
        ("list.jsonl", "[1]\n[2]\n"),
        ("broken.jsonl", '{"loss": \n{"loss": 1}\n'),
        ("empty.csv", ""),
        ("empty.jsonl", ""),
        ("bytes.csv", "\0\1\2\n" * 50),
    ],
)
def test_data_is_not_taken_for_a_log(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert Reading().take(tmp_path / name, final=True) == {}


def test_what_was_told_live_is_not_told_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "loss": 2, "held": 3}\n')
    reading = Reading()
    assert reading.take(log, known={"loss"}, final=True) == {"held": [(1, 3.0)]}
    facet = reading.logs.facet(lambda path: path.decode(), 5)[0]
    assert isinstance(facet, ev.FacetSet)
    body = json.loads(bytes(facet.body))["files"][0]
    assert (body["keys"], body["left_out"], body["kind"]) == (["held"], ["loss"], "jsonl")


def test_a_damaged_event_file_is_read_until_the_damage(tmp_path: Path) -> None:
    assert event_files.scalars(b"\xff" * 100) == ([], 0)
    assert event_files.scalars(struct.pack("<QI", 5, 0) + b"\xff" * 5 + bytes(4))[1] == 21
    assert event_files.scalars(b"") == ([], 0)


def test_event_files_and_logs_of_a_run_become_its_metrics(workshop: Workshop) -> None:
    need("torch", "tensorboard", "tensorboardX")
    workshop.script(
        "train.py",
        """
        import json
        from tensorboardX import SummaryWriter as Other
        from torch.utils.tensorboard import SummaryWriter
        writer, other = SummaryWriter("tb/train"), Other("tb/held")
        for step in range(5):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_scalar("rate", 0.1, step, new_style=True)
            other.add_scalar("loss", 2.0, step)
        writer.add_histogram("weights", __import__("numpy").arange(9.0), 0)
        writer.close(); other.close()
        with open("history.csv", "w") as file: file.write("epoch,acc\\n0,0.5\\n1,0.75\\n")
        with open("events.jsonl", "w") as file: file.write(json.dumps({"step": 3, "f1": 0.25}) + "\\n")
        """,
    )
    workshop.run(str(PYTHON), "train.py")
    run = workshop.newest()
    metrics = {metric.key: (metric.count, metric.last) for metric in run.metrics}
    pair = {"loss", "held/loss"} if "held/loss" in metrics else {"loss", "train/loss"}
    assert set(metrics) == {*pair, "rate", "acc", "f1"}
    assert {metrics[key][0] for key in pair} == {5}
    assert (metrics["acc"], metrics["f1"]) == ((2, 0.75), (1, 0.25))
    files = {f["path"]: f for f in run.facets["lineal.metric_logs/1"]["files"]}
    assert files["history.csv"] == {
        "path": "history.csv",
        "kind": "csv",
        "points": 2,
        "keys": ["acc"],
        "left_out": [],
    }
    assert sum(f["kind"] == "tensorboard" for f in files.values()) == 2
