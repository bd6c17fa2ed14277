"""The token that a project's own programs show to whichever process serves its record now."""

from __future__ import annotations

import os

FILE = "token"
_PREFIX = "lin_local"


def token(folder: str) -> str:
    """The token of a project's folder (`.lineal`), made at the first call.

    It lies there, where only the owner may read it, so that a program goes on when another process takes over the
    serving. Without a folder that can be written it is a new one each time, kept nowhere.
    """
    path = os.path.join(folder, FILE)
    if folder and (found := _kept(path)):
        return found
    import secrets  # costs more than all the rest, and is needed once

    made = f"{_PREFIX}{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    if not folder:
        return made
    temporary = f"{path}.{os.getpid()}"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            file.write(made)
        try:
            os.link(temporary, path)  # of several that make one at once, all use the first
        except FileExistsError:
            pass
        os.unlink(temporary)
    except OSError:
        return made
    return _kept(path) or made


def _kept(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = file.read(200).strip()
    except OSError:
        return ""
    return found if found.startswith(_PREFIX) else ""
