"""References: how people and programs name a run, a version or an artifact. Written the same everywhere.

`run:PREFIX`      a run by the start of its id (4 hex digits or more, or all 32 without the `run:`)
`sha256:PREFIX`   versions by the start of their digest (4 hex digits or more)
`NAME@NUMBER`     version NUMBER of a registered name, else of an artifact
`NAME@ALIAS`      where a registered name's alias points
`SCHEME:VALUE`    the version that carries this native reference, for example `ol:NAMESPACE/NAME@VERSION`
`mlmd:NUMBER`     the artifact that clients of ML Metadata know by that number; `mlmd:execution/NUMBER` likewise
`NAME` or a path  the newest version of a registered name, else of an artifact
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lineal.core.errors import Invalid
from lineal.core.ids import is_hex

_SHORTEST = 4


class RunPrefix(msgspec.Struct, frozen=True):
    """A run whose id starts with `prefix`."""

    prefix: str


class DigestPrefix(msgspec.Struct, frozen=True):
    """Versions whose digest starts with `prefix`, which includes its scheme."""

    prefix: str


class Named(msgspec.Struct, frozen=True):
    """A name, and what stands behind the last `@` if anything. A name may itself hold an `@`: `whole` is the text."""

    name: str
    selector: str
    whole: str


Ref = RunPrefix | DigestPrefix | Named


def parse(text: str) -> Ref:
    """The reference that `text` writes.

    Raises Invalid: it is empty, or a prefix is too short or no hex.
    """
    text = text.strip()
    if not text:
        raise Invalid(
            "an empty reference", hint="write run:ID, NAME@VERSION, NAME@ALIAS, a path or sha256:DIGEST"
        )
    for scheme, make in (("run:", RunPrefix), ("sha256:", DigestPrefix)):
        if text.startswith(scheme):
            prefix = text[len(scheme) :].replace("-", "").lower()
            if len(prefix) < _SHORTEST or not is_hex(prefix):
                raise Invalid(
                    f"{text!r} names nothing: after {scheme!r} come at least {_SHORTEST} hex digits",
                    hint="`lineal runs` lists run ids; `lineal show` prints digests",
                )
            return make(prefix) if scheme == "run:" else make(scheme + prefix)
    bare = text.replace("-", "").lower()
    if len(bare) == 32 and is_hex(bare):
        return RunPrefix(bare)
    name, at, selector = text.rpartition("@")
    if at and name and selector:
        return Named(name, selector, text)
    return Named(text, "", text)


def nearest(wanted: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` known names that look like `wanted`, best first (by edit similarity, then by shared ending)."""
    from difflib import get_close_matches

    names = list(dict.fromkeys(known))
    close = get_close_matches(wanted, names, n=most, cutoff=0.6)
    tail = wanted.rsplit("/", 1)[-1].lower()
    for name in names:
        if len(close) >= most:
            break
        if tail and name not in close and (tail in name.lower() or name.lower().rsplit("/", 1)[-1] in tail):
            close.append(name)
    return close
