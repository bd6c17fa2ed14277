"""Run by a Python that has the package: logs a run. Arguments: `trackio` or `wandb`, a folder."""

from __future__ import annotations

import os
import sys

package, folder = sys.argv[1:]
CONFIG = {"lr": 0.1, "name": "a b", "optimizer": {"kind": "adam", "betas": [0.9, 0.99]}}
VALUES = [
    {"loss": 1.0, "count": -5, "odd": float("nan")},
    {"loss": 0.1 + 0.2, "count": 7, "odd": float("inf")},
    {"loss": 1e-300, "count": 2**40, "odd": float("-inf"), "note": "hello"},
]
if package == "trackio":
    os.environ["TRACKIO_DIR"] = folder
    import trackio

    trackio.init(project="churn", name="first", config=CONFIG)
    for values in VALUES:
        trackio.log(values)
    trackio.finish()
else:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": folder, "WANDB_SILENT": "true"}
    import wandb

    run = wandb.init(
        project="churn",
        name="first",
        id="abc123",
        config=CONFIG,
        tags=["best"],
        settings=wandb.Settings(console="off"),
    )
    for values in VALUES:
        run.log(values)
    for number in range(2000):
        run.log({"many": number / 7})
    run.summary["best"] = 0.5
    run.finish(exit_code=0)
