"""Secrets never reach the record: thirty shapes in every place where people leave them, searched for in every byte kept."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from lineal.store.open import open_store

from .conftest import Workshop

_spec = importlib.util.spec_from_file_location(
    "planted", Path(__file__).parents[1] / "unit" / "test_redact.py"
)
assert _spec
assert _spec.loader
_shapes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shapes)

TOKENS: list[tuple[str, str]] = [
    (text, secret or text)
    for _, text, secret in _shapes.PLANTED
    if "\n" not in text and '"' not in text and "'" not in text and len(secret or text) >= 12
]


def git(workshop: Workshop, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=workshop.root,
        check=True,
        capture_output=True,
    )


def everything_kept(root: Path) -> bytes:
    """Every byte of the store, its messages unpacked, the kept objects, the journals and the cache."""
    store = open_store(str(root / ".lineal" / "lineal.db"))
    with store.read() as tx:
        numbers = [row[0] for row in tx.rows("SELECT id FROM message")]
        messages = b"\n".join(store.audit.get_message(tx, number) for number in numbers)
    store.close()
    assert numbers
    files = b"\n".join(path.read_bytes() for path in sorted((root / ".lineal").rglob("*")) if path.is_file())
    return messages + files


def found_in(kept: bytes) -> list[str]:
    return [secret for _, secret in TOKENS if secret.encode() in kept]


def test_at_least_thirty_shapes_are_planted() -> None:
    assert len({secret for _, secret in TOKENS}) >= 30


def test_no_planted_secret_is_in_the_store_the_kept_bytes_or_the_journal(workshop: Workshop) -> None:
    root = workshop.root
    git(workshop, "init", "-q")
    git(workshop, "remote", "add", "origin", f"https://someone:{TOKENS[3][1]}@git.example.org/team/repo.git")
    (root / "tracked.py").write_text("VALUE = 1\n")
    git(workshop, "add", "tracked.py")
    git(workshop, "commit", "-q", "-m", "one")
    lines = "\n".join(f"key_{n} = '{text}'" for n, (text, _) in enumerate(TOKENS))
    (root / "tracked.py").write_text(f"VALUE = 2\n{lines}\n")
    (root / "untracked.py").write_text(lines)
    (root / "config.yaml").write_text("\n".join(f'entry_{n}: "{text}"' for n, (text, _) in enumerate(TOKENS)))
    workshop.script(
        "step.py",
        """
        import argparse, sys
        parser = argparse.ArgumentParser()
        parser.add_argument('words', nargs='*')
        parser.add_argument('--password')
        print(len(parser.parse_args().words))
        open('config.yaml').read()
        open('made.txt', 'w').write('x' * 99)
        raise RuntimeError('cannot log in with ' + ' and '.join(sys.argv[3:]))
        """,
    )
    words = [text for text, _ in TOKENS]
    planted = (
        {"OMP_NUM_THREADS": "2"}
        | {f"CUDA_TOKEN_{n}": text for n, text in enumerate(words)}
        | {"AWS_SECRET_ACCESS_KEY": TOKENS[2][1]}
    )
    parameters = [
        part for n, text in enumerate(words) for part in ("--param", f"p{n}={text}", "--tag", f"t{n}={text}")
    ]
    done = workshop.run(
        *parameters,
        sys.executable,
        "step.py",
        "--password",
        "correct horse battery",
        *words,
        check=False,
        env=planted,
    )
    assert done.returncode == 1
    kept = everything_kept(root)
    assert found_in(kept) == []
    assert b"correct horse battery" not in kept
    run = workshop.newest()
    assert run.error is not None
    assert "[REDACTED:" in run.error.message
    assert any("[REDACTED:" in param.value for param in run.params if param.source == "cli")
    assert any("[REDACTED:" in param.value for param in run.params if param.source == "config")
    assert "[REDACTED:" in run.code["remote"]
    assert run.code["remote"].endswith("git.example.org/team/repo.git")
    assert run.environment["variables"]["OMP_NUM_THREADS"] == "2"
    assert any("[REDACTED:" in value for value in run.environment["variables"].values())
    assert b"[REDACTED:" in kept


def test_no_planted_secret_waits_in_a_journal_that_was_never_delivered(workshop: Workshop) -> None:
    words = [text for text, _ in TOKENS]
    workshop.script(
        "step.py", "import os, signal, sys\nprint(sys.argv)\nos.kill(os.getppid(), signal.SIGKILL)\n"
    )
    parameters = [part for n, text in enumerate(words) for part in ("--param", f"p{n}={text}")]
    workshop.run(*parameters, sys.executable, "step.py", *words, check=False)
    journals = b"".join(path.read_bytes() for path in (workshop.root / ".lineal" / "journal").iterdir())
    assert len(journals) > 1000
    assert found_in(journals) == []
    assert os.path.exists(workshop.root / "step.py")
