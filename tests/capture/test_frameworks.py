"""Command lines, seeds, and the models and parameters of further frameworks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lineal.journal import frames
from tests.capture.recorded import accesses, script

VERSIONS = [Path(sys.executable)] + [
    path
    for path in sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
    if int(path.parent.parent.name.split(".")[1]) >= 9
]


def test_argparse_gives_the_namespace_of_the_outermost_parsing(project: Path) -> None:
    told = script(
        project,
        """
        import argparse, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        parser.add_argument("--name", default="ünï\\udcff")
        parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("x/y"))
        parser.add_argument("--layers", type=int, nargs="*", default=[1, 2])
        parser.add_argument("--api-key")
        parser.add_argument("--max-tokens", type=int, default=5)
        parser.add_argument("--flag", action="store_true")
        sub = parser.add_subparsers(dest="command")
        fit = sub.add_parser("fit")
        fit.add_argument("--depth", type=int, default=3)
        fit.set_defaults(func=print)
        args = parser.parse_args()
        print(args.lr, args.depth)
        """,
        *("--lr", "0.5", "--api-key", "abc", "fit", "--depth", "9"),
    )
    assert told.output == "0.5 9\n"
    assert told.params == {
        "lr": 0.5,
        "name": "ünï\udcff",
        "out": "x/y",
        "layers": [1, 2],
        "api_key": "[REDACTED:key]",
        "max_tokens": 5,
        "flag": False,
        "command": "fit",
        "depth": 9,
    }
    assert told.sources == {"argparse"}


def test_a_program_that_only_imports_argparse_has_no_parameters(project: Path) -> None:
    assert script(project, "import argparse; argparse.ArgumentParser()").params == {}


def test_parse_known_args_and_a_list_of_ones_own_count_too(project: Path) -> None:
    told = script(
        project,
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--a", type=int)
        print(parser.parse_known_args(["--a", "1", "--b"]))
        """,
    )
    assert told.params == {"a": 1}
    assert "['--b']" in told.output


def test_click_gives_each_commands_values_with_the_subcommands_as_prefix(project: Path) -> None:
    told = script(
        project,
        """
        import click
        @click.group()
        @click.option("--verbose/--quiet", default=False)
        def main(verbose): pass
        @main.command()
        @click.option("--rate", default=0.1)
        @click.option("--pin", prompt=True, hide_input=True, default="1234")
        @click.argument("files", nargs=-1)
        def train(rate, pin, files): print(rate, files)
        main()
        """,
        *("--verbose", "train", "--rate", "0.5", "--pin", "99", "a", "b"),
    )
    assert told.output == "0.5 ('a', 'b')\n"
    assert told.params == {
        "verbose": True,
        "train.rate": 0.5,
        "train.pin": "[REDACTED:password]",
        "train.files": ["a", "b"],
    }
    assert told.sources == {"click"}


def test_seeds_are_recorded_when_they_are_set(project: Path) -> None:
    pytest.importorskip("numpy")
    told = script(
        project,
        """
        import random
        import numpy as np
        random.seed(1)
        np.random.seed(2)
        first = random.random(), np.random.rand()
        rng = np.random.default_rng(3)
        random.seed(1); np.random.seed(2)
        assert first == (random.random(), np.random.rand())
        random.seed()
        """,
    )
    assert told.seeds == {"random": 1, "numpy": 2, "numpy.default_rng": 3}


def test_xgboost_tells_the_parameters_of_train_and_of_its_estimators_and_what_it_saves(project: Path) -> None:
    pytest.importorskip("xgboost")
    told = script(
        project,
        """
        import numpy as np, xgboost as xgb
        X, y = np.random.default_rng(0).random((60, 3)), np.arange(60) % 2
        booster = xgb.train({"max_depth": 2, "eta": 0.3}, xgb.DMatrix(X, y), num_boost_round=3)
        booster.save_model("native.json")
        model = xgb.XGBClassifier(n_estimators=4, max_depth=1).fit(X, y)
        model.save_model("estimator.ubj")
        model.score(X, y)
        """,
    )
    assert (told.params["xgboost.max_depth"], told.params["xgboost.num_boost_round"]) == (2, 3)
    assert told.params["XGBClassifier.n_estimators"] == 4
    assert not [key for key in told.params if key.startswith("xgboost.") and "objective" in key]
    assert told.models["native.json"]["class"] == "xgboost.core.Booster"
    assert told.models["estimator.ubj"]["class"] == "xgboost.sklearn.XGBClassifier"
    assert {m["framework"] for m in told.models.values()} == {"xgboost"}
    assert list(told.metrics) == ["score"]


def test_lightgbm_tells_the_parameters_of_train_and_of_its_estimators_and_what_it_saves(
    project: Path,
) -> None:
    pytest.importorskip("lightgbm")
    told = script(
        project,
        """
        import numpy as np, lightgbm as lgb
        X, y = np.random.default_rng(0).random((200, 3)), np.arange(200) % 2
        booster = lgb.train({"num_leaves": 4, "verbose": -1}, lgb.Dataset(X, y), 3)
        booster.save_model("native.txt")
        lgb.LGBMClassifier(n_estimators=4, verbose=-1).fit(X, y)
        """,
    )
    assert (told.params["lightgbm.num_leaves"], told.params["lightgbm.num_boost_round"]) == (4, 3)
    assert told.params["LGBMClassifier.n_estimators"] == 4
    assert told.sources == {"lightgbm"}
    assert told.models["native.txt"]["framework"] == "lightgbm"


@pytest.mark.peer("lightgbm")
def test_a_model_that_lightgbm_writes_in_two_goes_was_not_read_by_it(project: Path) -> None:
    """It appends to what it wrote in C++ through Python's `open`."""
    script(
        project,
        """
        import lightgbm, numpy
        x = numpy.arange(200.0).reshape(100, 2)
        lightgbm.train({"verbose": -1}, lightgbm.Dataset(x, x[:, 0]), 2).save_model("m.txt")
        """,
    )
    ops = {event.op for event in accesses(project) if event.path.endswith(b"/m.txt")}
    assert ops <= {frames.WRITE, frames.CLOSED}


@pytest.mark.peer("joblib")
def test_the_command_lines_of_a_librarys_workers_are_no_parameters(project: Path) -> None:
    told = script(
        project,
        """
        import argparse
        from joblib import Parallel, delayed
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", default=0.1)
        parser.parse_args()
        print(Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(3)))
        """,
    )
    assert told.output == "[0, 1, 2]\n"
    assert told.params == {"lr": 0.1}


def test_torch_tells_seeds_and_saved_modules_weights_and_checkpoints(project: Path) -> None:
    pytest.importorskip("torch")
    told = script(
        project,
        """
        import torch
        torch.manual_seed(5)
        net = torch.nn.Linear(2, 1)
        torch.save(net, "module.pt")
        torch.save(net.state_dict(), "weights.pt")
        torch.save({"epoch": 1, "model": net.state_dict()}, "checkpoint.pt")
        with open("file.pt", "wb") as file: torch.save(net.state_dict(), file)
        torch.save({"loss": 1.0}, "no-model.pt")
        torch.save(torch.ones(3), "tensor.pt")
        """,
    )
    assert told.seeds["torch"] == 5
    assert {name: m["class"] for name, m in told.models.items()} == {
        "module.pt": "torch.nn.modules.linear.Linear",
        "weights.pt": "state_dict",
        "checkpoint.pt": "checkpoint",
        "file.pt": "state_dict",
    }


def test_onnx_and_safetensors_files_are_models(project: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("safetensors")
    told = script(
        project,
        """
        import numpy, onnx, safetensors.numpy
        from onnx import helper
        graph = helper.make_graph([], "g", [], [])
        onnx.save(helper.make_model(graph), "m.onnx")
        safetensors.numpy.save_file({"w": numpy.ones(3)}, "m.safetensors")
        """,
    )
    assert told.models["m.onnx"]["framework"] == "onnx"
    assert told.models["m.safetensors"]["class"] == "safetensors"


@pytest.mark.parametrize("python", VERSIONS, ids=lambda path: path.parent.parent.name)
def test_every_interpreter_from_3_9_tells_the_same(project: Path, python: Path) -> None:
    told = script(
        project,
        """
        import argparse, pickle, random
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float)
        parser.add_argument("--api-key", default="x")
        parser.parse_args()
        random.seed(4)
        class Mine:
            def fit(self): pass
            def predict(self): pass
        with open("m.pkl", "wb") as file: pickle.dump(Mine(), file)
        """,
        *("--lr", "0.5"),
        python=str(python),
    )
    assert told.params == {"lr": 0.5, "api_key": "[REDACTED:key]"}
    assert told.seeds == {"random": 4}
    assert (told.models["m.pkl"]["framework"], told.models["m.pkl"]["class"]) == ("python", "__main__.Mine")


def test_worker_processes_and_forks_keep_recording(project: Path) -> None:
    told = script(
        project,
        """
        import multiprocessing, random
        def work(n):
            random.seed(n)
            return n
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(pool.map(work, [11, 12]))
        """,
    )
    assert told.output == "[11, 12]\n[11, 12]\n"
    assert {r["value"] for r in told.records if r["t"] == "seed"} == {11, 12}
