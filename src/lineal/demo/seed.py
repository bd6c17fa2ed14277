"""Seeds the story into a folder of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable

from lineal.core.errors import Conflict, Unavailable
from lineal.demo.book import Book
from lineal.demo.story import tell
from lineal.resolve import project as projects

_MARK = "demo"  # a file of this name in .lineal says that the folder is ours
_SETTINGS = '[project]\nname = "lineal-demo"\n'


def seed(folder: str | None, now: int, progress: Callable[[str], None] | None = None) -> projects.Project:
    """Seed the story; gives back its project.

    folder: None for `lineal-demo` below the working directory, or a temporary one where nothing can be written. now:
    microseconds UTC, shortly after the story's end.

    Raises Conflict: the folder holds something that is not an earlier demo. Unavailable: it cannot be written.
    """
    root = os.path.abspath(folder or "lineal-demo")
    if folder is None and not _can_be_made(root):
        root = os.path.join(tempfile.mkdtemp(prefix="lineal-"), "lineal-demo")
    try:
        project = _begin(root)
        _write(project, now, progress)
    except OSError as error:
        raise Unavailable(
            f"the demo's folder {root} cannot be written: {error.strerror}",
            hint="name another folder: lineal demo DIR",
        ) from error
    return project


def _can_be_made(root: str) -> bool:
    return os.access(root if os.path.isdir(root) else os.path.dirname(root), os.W_OK | os.X_OK)


def _begin(root: str) -> projects.Project:
    project = projects.Project(root, os.path.join(root, projects.FOLDER))
    mark = os.path.join(project.dir, _MARK)
    if os.path.lexists(root) and (not os.path.isdir(root) or os.listdir(root)):
        if not os.path.exists(mark):
            raise Conflict(
                f"{root} is there already and is not a demo", hint="name another folder: lineal demo DIR"
            )
        shutil.rmtree(project.dir)
    os.makedirs(project.journal_dir)
    for name, text in ((".gitignore", "*\n"), ("config.toml", _SETTINGS), (_MARK, "")):
        with open(os.path.join(project.dir, name), "w", encoding="utf-8") as file:
            file.write(text)
    return project


def _write(project: projects.Project, now: int, progress: Callable[[str], None] | None) -> None:
    from lineal.deliver.lock import store_lock
    from lineal.store.open import open_store

    with store_lock(project, progress=progress):
        store = open_store(os.path.join(project.dir, "lineal.db"))
        try:
            book = Book(project, store)
            tell(book, now)
        finally:
            store.close()
    for path, text in book.disk.items():
        full = os.path.join(project.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
