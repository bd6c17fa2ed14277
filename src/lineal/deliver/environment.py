"""What a run ran in: interpreter, system, hardware, container, every installed distribution, the lock file, variables.

Collected beside the program from what its interpreter said of itself (its `sys.path`), never inside it.
"""

from __future__ import annotations

import functools
import os
import platform
import re
from collections.abc import Mapping
from typing import Any

from lineal.capture import redact
from lineal.journal import variables as names

LOCKS = (
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "conda-lock.yml",
    "pixi.lock",
    "requirements.lock",
    "requirements.txt",
    "environment.yml",
)
_DIST = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+?)(?:-py[\d.]+)?\.(?:dist-info|egg-info)$")


def collect(
    opened: Mapping[str, Any] | None, variables: Mapping[str, str], root: str, *, here: bool = True
) -> dict[str, Any]:
    """The environment as one JSON-ready mapping, the same for equal environments.

    Args:
        opened: the `open` record of the run's main Python process, None when there was none.
        variables: the environment variables the run was started with, as it recorded them; only allow-listed ones are kept.
        root: the project's folder, where a lock file is looked for.
        here: whether the run was on this machine, in this container; else nothing is said of what it ran on.
    """
    facts: dict[str, Any] = {**_machine(), "container": _container(variables)} if here else {}
    facts["variables"] = {name: redact.env(name, value) for name, value in names.told(variables).items()}
    if opened:
        facts["python"] = opened.get("python")
        facts["implementation"] = opened.get("implementation", "CPython")
        facts["packages"] = packages([str(path) for path in opened.get("sys_path", [])])
    if lock := lock_file(root):
        facts["lock"] = {"path": lock}
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


@functools.cache
def _machine() -> dict[str, Any]:
    return {
        "os": f"{platform.system()} {platform.release()}",
        "distribution": _distribution(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": _memory(),
        "gpu": _gpu(),
    }


def packages(sys_path: list[str]) -> dict[str, str]:
    """Every installed distribution found on the path: normalised name -> version; the first on the path wins (PEP 503)."""
    found: dict[str, str] = {}
    for folder in sys_path:
        try:
            changed = os.stat(folder or ".").st_mtime_ns
        except OSError:
            continue
        for name, version in _distributions(folder or ".", changed):
            found.setdefault(name, version)
    return dict(sorted(found.items()))


@functools.lru_cache(maxsize=100)
def _distributions(folder: str, changed: int) -> list[tuple[str, str]]:
    """The distributions in a folder that was last changed then."""
    found: dict[str, str] = {}
    try:
        for entry in os.listdir(folder):
            if match := _DIST.match(entry):
                found.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
    except OSError:
        return []
    return list(found.items())


def lock_file(root: str) -> str | None:
    """The project's lock file, relative to its root; the most exact kind first."""
    for name in LOCKS:
        if os.path.isfile(os.path.join(root, name)):
            return name
    folder = os.path.join(root, "requirements")
    try:
        listed = sorted(name for name in os.listdir(folder) if name.endswith(".txt"))
    except OSError:
        return None
    return f"requirements/{listed[0]}" if listed else None


def _read(path: str, most: int = 1 << 16) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(most)
    except OSError:
        return ""


def _distribution() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    return match[1] if match else platform.platform(terse=True)


def _cpu() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return match[1].strip() if match else platform.processor()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _gpu() -> list[dict[str, str]]:
    """NVIDIA devices as the kernel driver lists them; no program is started for it."""
    folder = "/proc/driver/nvidia/gpus"
    try:
        cards = sorted(os.listdir(folder))
    except OSError:
        return []
    driver = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", _read("/proc/driver/nvidia/version"))
    found = []
    for card in cards:
        model = re.search(r"^Model:\s*(.+)$", _read(f"{folder}/{card}/information"), re.MULTILINE)
        found.append(
            {"model": model[1].strip() if model else "unknown", "driver": driver[1] if driver else "unknown"}
        )
    return found


def _container(variables: Mapping[str, str]) -> dict[str, str] | None:
    facts: dict[str, str] = {}
    if podman := re.search(r'^image="?([^"\n]+)', _read("/run/.containerenv"), re.MULTILINE):
        facts["image"] = podman[1]
    for name in names.IMAGES:
        if variables.get(name):
            facts.setdefault("image", redact.text(variables[name])[0])
    if found := re.search(r"(?:docker|containerd|crio|libpod)[-/]([0-9a-f]{64})", _read("/proc/self/cgroup")):
        facts["id"] = found[1]
    if os.path.exists("/.dockerenv"):
        facts.setdefault("runtime", "docker")
    return facts or None
