"""Processes of one distributed program are one run: torchrun, multiprocessing, workers of Dask and Ray, a fresh environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.capture.recorded import records, run


def points(project: Path) -> set[tuple[str, int]]:
    return {(r["key"], r["step"]) for r in records(project) if r["t"] == "point"}


LOGS = "import lineal, sys\nfor n in range(3): lineal.log(loss=n)\n"


@pytest.mark.parametrize(
    "variables",
    [
        ("RANK", "WORLD_SIZE"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("SLURM_PROCID", "SLURM_NTASKS"),
    ],
)
def test_ranks_have_metrics_of_their_own_and_the_first_keeps_the_plain_name(
    variables: tuple[str, str], project: Path
) -> None:
    (project / "rank.py").write_text(LOGS)
    start = "&".join(f"{variables[0]}={n} {variables[1]}=2 {sys.executable} rank.py " for n in range(2))
    done = run("sh", "-c", start + "& wait", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert points(project) == {(key, n) for key in ("loss", "rank1/loss") for n in range(3)}
    assert len({r["run"] for r in records(project)}) == 1


def test_a_single_process_that_is_called_a_rank_keeps_the_plain_names(project: Path) -> None:
    (project / "rank.py").write_text(LOGS)
    run("sh", "-c", f"RANK=1 WORLD_SIZE=1 {sys.executable} rank.py", cwd=project)
    assert {key for key, _ in points(project)} == {"loss"}


@pytest.mark.slow
@pytest.mark.peer("torch")
def test_what_torchrun_starts_is_one_run_with_metrics_by_rank(project: Path) -> None:
    (project / "train.py").write_text(
        "import os, lineal, torch.distributed as dist\ndist.init_process_group('gloo')\n"
        "open(f'shard{dist.get_rank()}.txt', 'w').write('x')\nfor n in range(2): lineal.log(loss=n)\n"
        "dist.barrier(); dist.destroy_process_group()\n"
    )
    command = (
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "train.py",
    )
    done = run(*command, cwd=project, env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert {key for key, _ in points(project)} == {"loss", "rank1/loss"}
    assert len({r["run"] for r in records(project)}) == 1


def test_ranks_that_torch_distributed_knows_of_need_no_variables(project: Path) -> None:
    (project / "torch").mkdir()
    (project / "torch" / "__init__.py").touch()
    (project / "torch" / "distributed.py").write_text(
        "def is_initialized(): return True\ndef get_rank(): return 2\ndef get_world_size(): return 3\n"
    )
    (project / "rank.py").write_text("import torch.distributed\n" + LOGS)
    run(sys.executable, "rank.py", cwd=project)
    assert {key for key, _ in points(project)} == {"rank2/loss"}
