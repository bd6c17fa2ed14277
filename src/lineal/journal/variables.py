"""Which environment variables say under what a run ran: those of the machine's libraries, ranks, locale and build, by name."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Plain words rather than a pattern: `re` costs milliseconds that every `lineal run` would pay.
_BEGINNINGS = (
    "CUDA_", "NCCL_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "TF_", "XLA_", "JAX_", "PYTORCH_", "TORCH_",
    "TRANSFORMERS_", "SLURM_JOB", "LC_",
)  # fmt: skip
_NAMES = frozenset((
    "HF_HOME", "HF_DATASETS_OFFLINE", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID",
    "SLURM_NNODES", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "LANG", "TZ",
    "CI", "GITHUB_SHA", "GITHUB_REF", "GITHUB_RUN_ID", "GITHUB_REPOSITORY", "CI_COMMIT_SHA", "CI_JOB_ID", "BUILD_ID",
    "KUBERNETES_SERVICE_HOST", "HOSTNAME",
))  # fmt: skip
IMAGES = ("CONTAINER_IMAGE", "IMAGE_NAME", "DOCKER_IMAGE")  # where a container's image may be named
_ASKED = ("PACH_", "PPS_", "LAKEFS_ENDPOINT", "LAKECTL_SERVER_ENDPOINT_URL", "LINEAL_LAKEFS")


def told(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that are part of an environment, in order of their names; secrets in them are still there."""
    return {
        name: variables[name] for name in sorted(variables) if name in _NAMES or name.startswith(_BEGINNINGS)
    }


def kept(variables: Mapping[str, str]) -> dict[str, str]:
    """Those, and the ones by which delivery knows what a run read: its container's image, its commits in stores of versions."""
    within = (
        "PACH_JOB_ID" in variables
    )  # a worker of Pachyderm, to which the commit of each repository is told
    asked = {
        name: value
        for name, value in variables.items()
        if name in IMAGES or name.startswith(_ASKED) or (within and name.endswith("_COMMIT"))
    }
    return {**told(variables), **asked}


def caused(environment: Mapping[str, str]) -> dict[str, str]:
    """The tag that everything carries which one change from outside caused; none where nothing was before this run."""
    cause = environment.get("LINEAL_CAUSE_ID", "")
    return {"cause_id": cause} if cause else {}
