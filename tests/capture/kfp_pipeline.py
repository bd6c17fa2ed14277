"""A pipeline of Kubeflow's, run by its local runner. Runs in `.venv-kfp`; knows nothing of Lineal. The second word says what fails."""

import sys

from kfp import dsl, local
from kfp.dsl import Dataset, Input, Metrics, Model, Output

local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="outputs")


@dsl.component(install_kfp_package=False)
def prepare(rows: int, data: Output[Dataset]):
    with open("/".join([data.path.split("/outputs/")[0], "raw.csv"])) as file:
        source = file.read()
    with open(data.path, "w") as file:
        file.write(source + "".join(f"{n},{n * 2}\n" for n in range(rows)))
    data.metadata["rows"] = rows


@dsl.component(install_kfp_package=False)
def train(
    data: Input[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
    epochs: int = 3,
    rate: float = 0.5,
    fail: bool = False,
) -> float:
    if fail:
        raise ValueError("no gradient")
    with open(data.path) as file:
        size = len(file.read())
    with open(model.path, "w") as file:
        file.write(f"weights of {size} characters")
    model.metadata["framework"] = "none"
    metrics.log_metric("accuracy", 0.75)
    return 0.5


@dsl.component(install_kfp_package=False)
def evaluate(model: Input[Model], loss: float) -> str:
    with open(model.path) as file:
        return file.read() + str(loss)


@dsl.pipeline(name="churn")
def churn(rows: int = 10, fail: bool = False):
    made = prepare(rows=rows)
    trained = train(data=made.outputs["data"], fail=fail)
    evaluate(model=trained.outputs["model"], loss=trained.outputs["Output"])


churn(rows=20, fail="fail" in sys.argv)
