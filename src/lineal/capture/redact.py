"""Secrets leave the record before they enter it: each is replaced by `[REDACTED:kind]`.

Two ways to know a secret: by its own shape (redact_shapes), and by the name it is assigned to. Everything is done on the UTF-8 bytes, whose
lower-casing keeps positions, and in time linear in the text. `re` is imported, and a pattern compiled, only when a literal was found.
"""

from __future__ import annotations

from .redact_names import secret_kind
from .redact_shapes import LOOK_BACK, QUERY_NAMES, SHAPES

TYPE_CHECKING = False  # `typing` costs milliseconds inside somebody else's program
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping
    from typing import Any

    Span = tuple[int, int, str]

_MARK = b"[REDACTED:"
_ALNUM = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_TOKEN = frozenset(b"_-") | _ALNUM
_KEY = frozenset(b"_-.") | _ALNUM

_LITERALS = frozenset(
    ("", "none", "null", "nil", "true", "false", "yes", "no", "on", "off", "undefined", "~", "*")
)
_TYPES = frozenset(
    "str int bool float bytes any object string text optional union "
    "list dict secretstr callable type self cls lambda not await".split()
)

# What a secret's name contains, in lower case; only an assignment to a name with one of these is looked at.
_KEYWORDS = (
    b"passw",
    b"passphrase",
    b"pass_phrase",
    b"pass-phrase",
    b"pwd",
    b"secret",
    b"token",
    b"cred",
    b"authorization",
    b"bearer",
    b"key",
    b"conn",
    b"signature",
    b"cookie",
    b"_pass",
    b"_pat",
    b"-pat",
)
# No token is shorter than this, so only words at least as long can hold one.
_SHORTEST = 14
_DISCORD = (
    rb"(?<![A-Za-z0-9_.-])[MNO][A-Za-z0-9_-]{22,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}(?![A-Za-z0-9_.-])"
)
_SHORTEST_DISCORD = 58
_SPACED = bytes(c if c in _KEY or c in b"+/=~%:" else 32 for c in range(256))
_REST = (
    rb"([A-Za-z0-9_.-]{0,64})(?![A-Za-z0-9_.-])(\\{0,3}[\"'`]?\]?)([ \t]{0,8})(=>|:=|==?|:)([ \t]{0,8})"
    rb"(?:(\\{0,3}[\"'`])([^\"'`\r\n]*)|([^\s\"'`,;&|<>(){}\[\]]+))"
)
_FLAG = rb"([A-Za-z0-9_-]{0,64})[ \t]{1,8}([\"']?)([^\s\"'-][^\s\"']*)"

_PASSWORD_FLAGS = {
    "curl": ("-u", "--user", "--proxy-user", "-U"),
    "sshpass": ("-p",),
    "docker": ("-p",),
    "psql": ("-W",),
    "http": ("-a", "--auth"),
}

_compiled: dict[bytes, re.Pattern[bytes]] = {}


def _pattern(source: bytes) -> re.Pattern[bytes]:
    found = _compiled.get(source)
    if found is None:
        import re

        found = _compiled[source] = re.compile(source)
    return found


def _end(source: bytes, data: bytes, at: int) -> int:
    """Where the pattern ends that begins at `at`; `at` itself when it does not match there."""
    match = _pattern(source).match(data, at)
    return match.end() if match else at


def _shapes(data: bytes, spans: list[Span]) -> None:
    # Searching 170 literals in a long text is slow; in its long words that are no numbers, joined, it is not.
    long = [word for word in data.translate(_SPACED).split() if len(word) >= _SHORTEST]
    words = b" ".join([word for word in long if not word.translate(None, b".e+-").isdigit()])
    if any(len(word) >= _SHORTEST_DISCORD and _pattern(_DISCORD).search(word) for word in long):
        spans += [(*match.span(), "discord-token") for match in _pattern(_DISCORD).finditer(data)]
    for kind, literals, tail in SHAPES:
        for literal in literals:
            if literal.split()[-1] in words:
                at = data.find(literal)
                while at >= 0:
                    at = _shape_at(data, at, literal, kind, tail, spans)


def _shape_at(data: bytes, at: int, literal: bytes, kind: str, tail: bytes, spans: list[Span]) -> int:
    """Adds the span of the secret whose literal is at `at`, if it is one; returns where the literal is found next."""
    start, end = at, at + len(literal)
    back = LOOK_BACK.get(kind)
    if back:
        while start > 0 and at - start < back[1] and data[start - 1] in back[0]:
            start -= 1
        fits = at - start >= back[2]
    else:
        # A literal in the middle of a run is not a beginning. `-` counts as inside for tokens that contain it: else a long run of
        # literals would be matched from each of them.
        inside = _TOKEN if tail.startswith((b"[A-Za-z0-9_-]", b"[A-Za-z0-9_.-]")) else _ALNUM
        fits = start == 0 or data[start - 1] not in inside or _escaped(data, start)
    if fits:
        match = _pattern(tail).match(data, end)
        if match:
            spans.append((start, match.end(), kind))
            end = match.end()
    return data.find(literal, end)


def _escaped(data: bytes, start: int) -> bool:
    """Whether the letter before `start` belongs to an escape such as `\\n`, `%3D`."""
    return data[start - 2 : start] in (b"\\n", b"\\t", b"\\r") or data[start - 3 : start - 2] == b"%"


def _pem(data: bytes, spans: list[Span]) -> None:
    at = data.find(b"-----BEGIN ")
    no_end = False
    while at >= 0:
        head = _pattern(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,8}-----").match(data, at)
        end = at + 11
        if head:
            close = -1 if no_end else data.find(b"-----END ", head.end())
            no_end = close < 0
            if no_end:
                end = _end(rb"[A-Za-z0-9+/=\s\\:,.-]*", data, head.end())
            else:
                end = _end(rb"-----END [A-Z0-9 ]{0,60}(?:-----)?", data, close)
            spans.append((at, end, "private-key"))
        at = data.find(b"-----BEGIN ", end)


def _urls(data: bytes, lowered: bytes, spans: list[Span]) -> None:
    at = data.find(b"://")
    while at >= 0:
        match = _pattern(rb"[^\s/@:?#\"'<>]{0,256}:([^\s/\"'<>]{1,1024})@").match(data, at + 3)
        if match:
            spans.append((match.start(1), match.end(1), "password"))
        elif data[at - 4 : at].lower() in (b"http", b"ttps"):
            match = _pattern(rb"([^\s/@:?#\"'<>]{16,512})@").match(data, at + 3)
            if match:
                spans.append((match.start(1), match.end(1), "token"))
        at = data.find(b"://", at + 3)
    for name in QUERY_NAMES:
        at = lowered.find(name + b"=")
        while at >= 0:
            end = at + len(name) + 1
            if at and data[at - 1] in b"?&;#":
                match = _pattern(rb"[^\s&#;\"'<>]+").match(data, end)
                if match:
                    spans.append((end, match.end(), "signature"))
                    end = match.end()
            at = lowered.find(name + b"=", end)


def _headers(data: bytes, lowered: bytes, spans: list[Span]) -> None:
    for scheme in (b"bearer ", b"basic "):
        at = lowered.find(scheme)
        while at >= 0:
            end = at + len(scheme)
            if at == 0 or data[at - 1] not in _TOKEN:
                match = _pattern(rb"\s*([A-Za-z0-9._~+/-]{8,}=*)").match(data, end)
                if match and (_looks_random(match.group(1)) or _after_header(lowered, at)):
                    spans.append((match.start(1), match.end(), "authorization"))
                    end = match.end()
            at = lowered.find(scheme, end)


def _after_header(lowered: bytes, at: int) -> bool:
    before = lowered[max(0, at - 24) : at].rstrip(b" \"'")
    return before.endswith((b"authorization:", b"authorization", b"authorization="))


def _looks_random(value: bytes) -> bool:
    """Whether a word is more likely a credential than prose: long, with a digit or padding, or in mixed case inside."""
    if len(value) < 12:
        return False
    return (
        any(48 <= c <= 57 for c in value)
        or value.endswith(b"=")
        or (value != value.lower() and value[1:] != value[1:].lower())
    )


def _assignments(data: bytes, lowered: bytes, spans: list[Span]) -> None:
    for keyword in _KEYWORDS:
        at = lowered.find(keyword)
        while at >= 0:
            end = at + len(keyword)
            tail = _pattern(_REST).match(data, end)
            flag = None if tail else _pattern(_FLAG).match(data, end)
            if tail or flag:
                end = max(end, _assignment_at(data, at, tail, flag, spans))
            at = lowered.find(keyword, end)


def _assignment_at(
    data: bytes, at: int, tail: re.Match[bytes] | None, flag: re.Match[bytes] | None, spans: list[Span]
) -> int:
    """Adds the span of what is assigned to the name around `at`, if that is a secret; returns where it ends, or 0."""
    start = at
    while start > 0 and at - start < 64 and data[start - 1] in _KEY:
        start -= 1
    named = tail or flag
    key = data[start : named.end(1)] if named else b""
    kind = secret_kind(key.decode("ascii", "replace"))
    span = None
    if kind and tail:
        shell = tail.group(6) is None and not tail.group(3) + tail.group(5) and _on_own_line(data, start)
        span = _assigned(data, key, kind, tail, code=not (shell and key.isupper()))
        if span and shell:
            span = span[0], _end(rb"[^\s\"'`]*", data, span[1])
    elif kind and flag and key.startswith(b"--"):
        span = flag.start(3), flag.end(3)
    if not span:
        return 0
    spans.append((span[0], span[1], kind))
    return span[1]


def _assigned(
    data: bytes, key: bytes, kind: str, rest: re.Match[bytes], *, code: bool
) -> tuple[int, int] | None:
    """The span of the secret in `key = value`, or None when the value is a placeholder or, if this may be `code`, a type or an expression."""
    if rest.group(6) is not None:
        value: bytes = rest.group(7).rstrip(b"\\")
        start = rest.start(7)
        if value.lower().decode("utf-8", "replace").strip() in _LITERALS or value.startswith(
            (b"${", b"$(", b"{{", b"<", b"***", _MARK)
        ):
            return None
        return start, start + len(value)
    value = rest.group(8)
    start, end = rest.start(8), rest.end(8)
    word = value.lower().decode("utf-8", "replace").rstrip(".:")
    if word in _LITERALS or word in _TYPES or value.startswith((b"$", b"%", b"*", b"\\")):
        return None
    if kind == "authorization" and word in ("bearer", "basic", "token", "digest", "negotiate", "apikey"):
        more = _pattern(rb"[ \t]+([^\s\"',;]+)").match(data, end)
        return (more.start(1), more.end(1)) if more else None
    if not code:
        return start, end
    if data[end : end + 1] in (b"(", b"[", b"{") and _identifier(value):
        return None
    if data[end : end + 1] in (b'"', b"'") and value.lower() in (b"f", b"r", b"b", b"rb", b"u"):
        return None
    spaced = bool(rest.group(5)) and rest.group(4) != b":"
    if kind == "token" and b"." in value and _identifier(value):
        return None
    if _identifier(value) and (word == key.lower().decode("ascii", "replace") or (b"." in value and spaced)):
        return None
    if kind == "token" and ((spaced and _identifier(value)) or (value.isdigit() and len(value) < 6)):
        return None
    return start, end


def _on_own_line(data: bytes, start: int) -> bool:
    """Whether `KEY=value` is a line of an environment file or shell script (or of a diff of one): its value then ends at the white space."""
    before = data[max(0, start - 16) : start]
    line = before[before.rfind(b"\n") + 1 :].lstrip(b"+- ")
    return (line in (b"", b"export ")) and (len(before) < 16 or b"\n" in before)


def _identifier(value: bytes) -> bool:
    return _pattern(rb"[A-Za-z_][A-Za-z_]*(?:\.[A-Za-z_][A-Za-z_]*)*\Z").match(value) is not None


def _spans(data: bytes) -> list[Span]:
    spans: list[Span] = []
    lowered = data.lower()
    _shapes(data, spans)
    _pem(data, spans)
    _urls(data, lowered, spans)
    _headers(data, lowered, spans)
    _assignments(data, lowered, spans)
    return spans


def text(value: str) -> tuple[str, int]:
    """`value` with every secret replaced by `[REDACTED:kind]`, and how many there were. Linear in the length; any text is accepted."""
    if len(value) < _SHORTEST and not any(sign in value for sign in "=: \t"):
        return value, 0  # too short for a shape, and nothing in it is assigned
    data = value.encode("utf-8", "surrogatepass")
    spans = _spans(data)
    if not spans:
        return value, 0
    spans.sort(key=lambda span: (span[0], -span[1]))
    parts: list[bytes] = []
    position = count = 0
    start, end, kind = spans[0]
    for span in [*spans[1:], (len(data) + 1, 0, "")]:
        if span[0] < end:
            if span[0] > start and kind in ("password", "secret", "token", "key"):
                kind = span[2]
            end = max(end, span[1])
            continue
        parts += (data[position:start], _MARK, kind.encode("ascii"), b"]")
        position, count = end, count + 1
        start, end, kind = span
    parts.append(data[position:])
    return b"".join(parts).decode("utf-8", "surrogatepass"), count


def uri(value: str) -> str:
    """A URI without its password, token or signature; the rest of it is kept as it was."""
    return text(value)[0]


def env(name: str, value: str) -> str:
    """An environment variable's value as it may be recorded."""
    return _by_key(name, value)


def value(key: str, found: Any) -> Any:
    """A parameter's value (anything JSON holds) as it may be recorded under `key`."""
    return _value(key, found)


def _by_key(name: str, value: str) -> str:
    kind = secret_kind(name)
    if kind and value.strip().lower() not in _LITERALS and not value.startswith("[REDACTED:"):
        return "[REDACTED:%s]" % kind
    return text(value)[0]


def mapping(values: Mapping[Any, Any], depth: int = 0) -> dict[Any, Any]:
    """A copy of `values` in which what is secret by its key or its shape is replaced, at any depth of dicts, lists and tuples."""
    return {key: _value(str(key), value, depth) for key, value in values.items()}


def _value(key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _by_key(key, value)
    if isinstance(value, bytes):
        return (
            _by_key(key, value.decode("utf-8", "replace")).encode("utf-8", "replace")
            if secret_kind(key)
            else value
        )
    if depth > 50:
        return "[too deeply nested]"
    if isinstance(value, dict):
        return mapping(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return [_value(key, item, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    kind = secret_kind(key)
    return "[REDACTED:%s]" % kind if kind else value


def argv(items: Iterable[str]) -> list[str]:
    """A command line's arguments as they may be recorded: same number, same order.

    A value is secret by its shape, by the option it belongs to (`--password X`, `--api-key=X`, `db.password=X`), or by a few commands' own
    short options (`curl -u name:X`).
    """
    out: list[str] = []
    waiting = ""
    command = ""
    for item in items:
        if not out:
            command = item.rsplit("/", 1)[-1]
        if (
            waiting
            and not (item.startswith("-") and len(item) > 1 and item[1:2].isalpha())
            and not item.startswith("--")
        ):
            name, colon, _rest = item.partition(":")
            out.append(
                name + ":[REDACTED:password]" if waiting == "user" and colon else "[REDACTED:%s]" % waiting
            )
            waiting = ""
            continue
        waiting = ""
        name, equals, value = item.partition("=")
        kind = (
            secret_kind(name)
            if name and not name.startswith(("http", "/")) and "://" not in name and len(name) < 100
            else ""
        )
        if equals and kind and value.lower() not in _LITERALS and " " not in name.strip():
            out.append("%s=[REDACTED:%s]" % (name, kind))
            continue
        if item in _PASSWORD_FLAGS.get(command, ()):
            waiting = "user" if command in ("curl", "http") else "password"
        elif item.startswith("-") and kind and not equals:
            waiting = kind
        out.append(text(item)[0])
    return out
