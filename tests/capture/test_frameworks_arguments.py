"""What a program is told on its command line, by libraries that read it in ways of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.frameworks import below, need, own, trained
from tests.capture.recorded import Told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    need("fire", "typer", "jsonargparse", "omegaconf")
    return trained(
        tmp_path_factory.mktemp("arguments"),
        """
        import sys, fire, typer, jsonargparse
        from omegaconf import OmegaConf
        def train(lr: float = 0.1, *, depth: int = 3): return None
        class Tool:
            def __init__(self, seed=1): self.seed = seed
            def fit(self, rate=0.5, api_key="sk-abc"): return "fitted"
        fire.Fire(train, command=["--lr", "0.5"])
        fire.Fire(Tool, command=["--seed=9", "fit", "--rate", "0.25"])
        parser = jsonargparse.ArgumentParser()
        parser.add_argument("--model.layers", type=int, default=2)
        parser.add_argument("--config", action="config")
        parser.add_class_arguments(Tool, "tool")
        with open("settings.yaml", "w") as file: file.write("model: {layers: 7}")
        parsed = parser.parse_args(["--config", "settings.yaml", "--tool.seed", "4"])
        print(parsed.model.layers, parsed.tool.seed)
        app = typer.Typer()
        @app.command()
        def go(width: int = 5, secret_token: str = "abcdefgh"): pass
        sys.argv = ["x", "--width", "6"]
        try: app()
        except SystemExit as end: print(end.code)
        print(OmegaConf.from_cli(["data.rows=10"]).data.rows)
        """,
    )


def test_the_programs_get_what_they_would_have_got(told: Told) -> None:
    assert told.output.split() == ["fitted", "7", "4", "0", "10"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fire", {"lr": 0.5, "depth": 3, "seed": 9, "fit.rate": 0.25, "fit.api_key": "[REDACTED:key]"}),
        ("jsonargparse", {"model.layers": 7, "tool.seed": 4}),
        ("click", {"width": 6, "secret_token": "[REDACTED:secret]"}),
        ("omegaconf", {"data.rows": 10}),
    ],
)
def test_each_librarys_arguments_are_parameters_defaults_too(
    told: Told, source: str, expected: dict[str, object]
) -> None:
    found = {r["key"]: r["value"] for r in told.records if r["t"] == "param" and r["source"] == source}
    assert found == expected


HYDRA = """
from dataclasses import dataclass, field
import hydra
from hydra.core.config_store import ConfigStore
@dataclass
class Optimizer: lr: float = 0.1
@dataclass
class Settings:
    optimizer: Optimizer = field(default_factory=Optimizer)
    epochs: int = 3
    twice: int = "${epochs}"
ConfigStore.instance().store("settings", Settings)
@hydra.main(version_base=None, config_name="settings")
def main(settings): print(settings.optimizer.lr)
main()
"""


def test_hydras_configuration_is_parameters_with_its_references_followed(tmp_path: Path) -> None:
    need("hydra")
    told = trained(tmp_path, HYDRA, "epochs=5")
    assert told.params == {"optimizer.lr": 0.1, "epochs": 5, "twice": 5}
    assert told.sources == {"hydra"}


def test_each_job_of_hydras_multirun_is_a_run_of_its_own(tmp_path: Path) -> None:
    need("hydra")
    told = trained(tmp_path, HYDRA, "-m", "optimizer.lr=0.1,0.2")
    jobs = below(told, "job")
    assert [job.params["optimizer.lr"] for job in jobs] == [0.1, 0.2]
    assert own(told, "param") == []
    assert told.output.split()[-1] == "0.2"
