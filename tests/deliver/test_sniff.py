"""A model is told from its bytes where nobody was seen saving one; nothing is unpickled for it."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lineal.deliver.sniff import model_in


def told(path: Path, data: bytes) -> tuple[str, str] | None:
    path.write_bytes(data)
    found = model_in(bytes(path), len(data))
    assert found is None or found.pop("by") == "bytes"
    return (found["framework"], found["class"]) if found else None


def linear() -> Any:
    return pytest.importorskip("sklearn.linear_model").LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])


LINEAR = ("sklearn", "sklearn.linear_model._base.LinearRegression")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickled_estimator_by_every_protocol(tmp_path: Path, protocol: int) -> None:
    assert told(tmp_path / "a", pickle.dumps(linear(), protocol)) == LINEAR
    assert told(tmp_path / "b", pickle.dumps({"model": linear(), "n": 1}, protocol)) == LINEAR


def test_a_compressed_one(tmp_path: Path) -> None:
    assert told(tmp_path / "a", gzip.compress(pickle.dumps(linear()))) == LINEAR
    joblib = pytest.importorskip("joblib")
    for compress in (0, 3):
        data = io.BytesIO()
        joblib.dump(linear(), data, compress=compress)
        assert told(tmp_path / "b", data.getvalue()) == LINEAR


def test_torch_by_what_its_archive_holds(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for value, expected in (
        (torch.nn.Linear(2, 1), ("torch", "torch.nn.modules.linear.Linear")),
        (torch.nn.Linear(2, 1).state_dict(), ("torch", "state_dict")),
        (torch.ones(30), None),
        ({"loss": 1.0, "words": list("abcdef" * 9)}, None),
    ):
        data = io.BytesIO()
        torch.save(value, data)
        assert told(tmp_path / "a", data.getvalue()) == expected


def test_formats_that_say_their_own_name(tmp_path: Path) -> None:
    tensors = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}'
    safe = len(tensors).to_bytes(8, "little") + tensors + bytes(4)
    assert told(tmp_path / "a", safe) == ("torch", "safetensors")
    assert told(tmp_path / "b", b"GGUF" + bytes(60)) == ("gguf", "gguf")
    assert told(tmp_path / "c", b"tree\nversion=v4\n" + bytes(60)) == ("lightgbm", "lightgbm.basic.Booster")
    assert told(tmp_path / "d", b'{"learner":{"attributes":{}}}' + bytes(60)) == (
        "xgboost",
        "xgboost.core.Booster",
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", '{"module": "keras", "class_name": "Sequential"}')
        file.writestr("model.weights.h5", "")
    assert told(tmp_path / "e", archive.getvalue()) == ("keras", "keras.Sequential")


class Evil:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(list(range(1000))),
        pickle.dumps({"a": {"b": "sklearn.linear_model"}} | dict.fromkeys(map(str, range(50)))),
        pickle.dumps([Evil()] * 30),
        b"\x80\x04" + b"\xff" * 100,
        b"PK\x03\x04" + bytes(100),
        b"\x1f\x8b" + bytes(100),
        (1 << 62).to_bytes(8, "little") + b'{"dtype":"F32","data_offsets":[0,4]}' + bytes(50),
        b"name,value\n" * 50,
        bytes(1000),
        b"short",
    ],
    ids=lambda data: f"{len(data)} bytes, {data[:6]!r}",
)
def test_other_files_and_damaged_ones_are_no_models(tmp_path: Path, data: bytes) -> None:
    assert told(tmp_path / "a.onnx" if data[:1] == b"\0" else tmp_path / "a", data) is None


def test_onnx_needs_its_name_too(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "g", [], [])
    data = onnx.helper.make_model(graph, producer_name="somebody who exports models").SerializeToString()
    assert told(tmp_path / "m.onnx", data) == ("onnx", "onnx.ModelProto")
    assert told(tmp_path / "m.bin", data) is None
