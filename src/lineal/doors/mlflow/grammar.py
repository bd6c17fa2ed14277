"""MLflow's filters over registered models, versions, logged models and traces: comparisons joined by AND, and, beyond that,
by OR, NOT and parentheses. What a filter means is decided here, one thing at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lineal.doors.mlflow.errors import MlflowError, invalid

LONGEST, MOST, DEEPEST = 100_000, 1000, 50  # characters, comparisons, parentheses inside each other

NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
TEXTUAL = ("=", "!=", "LIKE", "ILIKE")
LISTS = ("IN", "NOT IN")
NULLS = ("IS NULL", "IS NOT NULL")

Value = str | float | tuple[str, ...] | None
Found = str | float | list[str | float] | list[str] | None
Look = Callable[[str, str], Found]
Match = Callable[[Look], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>"[^"]*")|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>(?:[^\W\d]|`)(?:[\w\-]|\.|`[^`]*`|(?<=\.)"[^"]*"|`)*)|(?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,))""",
    re.VERBOSE,
)
_WORDS = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "IS", "NULL"})


class Kind(NamedTuple):
    """What may be compared. numeric: its values are numbers; ops: the operators it knows."""

    numeric: bool
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A filter language.

    attributes: what may be asked of the thing itself, by name. entities: what its parts are called (`tags`), each with the
    entity it means. kinds: by entity, for keys that are not known beforehand.
    """

    attributes: Mapping[str, Kind]
    entities: Mapping[str, str]
    kinds: Mapping[str, Kind]
    keys: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a filter."""

    entity: str
    key: str
    op: str
    value: Value


class _Token(NamedTuple):
    kind: str
    text: str


def parse(text: str, rules: Rules) -> tuple[Match, list[Comparison]]:
    """Whether a thing matches, as a function of how its values are looked up; and those comparisons that must all hold.

    Raises MlflowError: the filter cannot be read, or compares what cannot be compared.
    """
    if not text.strip():
        return lambda look: True, []
    if len(text) > LONGEST:
        raise invalid(f"Invalid filter: it is longer than {LONGEST} characters")
    return _Parser(_tokens(text), rules, text).parse()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise _unread(text, text[at : at + 40])
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "name" and value.upper() in _WORDS:
            kind, value = "word", value.upper()
        found.append(_Token(kind, value))
        at = match.end()
    return found


def _unread(text: str, near: str) -> MlflowError:
    return invalid(f"Invalid clause(s) in filter string: {near!r} in {text[:200]!r}")


class _Parser:
    """Recursive descent; OR binds weakest, then AND, then NOT."""

    def __init__(self, tokens: list[_Token], rules: Rules, text: str) -> None:
        self._tokens, self._rules, self._text = tokens, rules, text
        self._at = self._depth = self._count = 0

    def parse(self) -> tuple[Match, list[Comparison]]:
        match, needed = self._either()
        if self._at < len(self._tokens):
            raise self._unread()
        return match, needed

    def _either(self) -> tuple[Match, list[Comparison]]:
        matches = [self._both()]
        while self._take("word", "OR"):
            matches.append(self._both())
        if len(matches) == 1:
            return matches[0]
        options = [match for match, _ in matches]
        return lambda look: any(match(look) for match in options), []

    def _both(self) -> tuple[Match, list[Comparison]]:
        matches = [self._one()]
        while self._take("word", "AND"):
            matches.append(self._one())
        if len(matches) == 1:
            return matches[0]
        parts = [match for match, _ in matches]
        return lambda look: all(match(look) for match in parts), [c for _, found in matches for c in found]

    def _one(self) -> tuple[Match, list[Comparison]]:
        if self._take("word", "NOT"):
            self._deeper()
            match, _ = self._one()
            self._depth -= 1
            return lambda look: not match(look), []
        if self._take("sign", "("):
            self._deeper()
            found = self._either()
            self._depth -= 1
            if not self._take("sign", ")"):
                raise self._unread()
            return found
        comparison = self._comparison()
        return lambda look: holds(comparison, look(comparison.entity, comparison.key)), [comparison]

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise invalid(f"Invalid filter: more than {DEEPEST} parentheses stand inside each other")

    def _comparison(self) -> Comparison:
        self._count += 1
        if self._count > MOST:
            raise invalid(f"Invalid filter: more than {MOST} comparisons")
        entity, key, kind = self._identifier(self._next("name", "quoted"))
        op = self._operator()
        if op not in kind.ops:
            what = "attribute" if entity == "attribute" else entity
            raise invalid(f"Invalid comparator for {what} {key!r:.200}: {op!r} is not one of {kind.ops}")
        if op in NULLS:
            return Comparison(entity, key, op, None)
        return Comparison(entity, key, op, self._list() if op in LISTS else self._value(kind, entity, key))

    def _identifier(self, said: str) -> tuple[str, str, Kind]:
        head, dot, rest = said.partition(".")
        if not dot:
            entity, key = "attribute", said.strip('`"')
        elif head in self._rules.entities:
            entity, key = self._rules.entities[head], _unquoted(rest)
        else:
            raise invalid(
                f"Invalid entity type '{head[:100]}'. Valid entity types are {tuple(self._rules.entities)}"
            )
        if entity != "attribute":
            if (wanted := self._rules.keys.get(entity)) and not wanted.fullmatch(key):
                raise invalid(
                    f"Invalid {entity} key '{key[:200]}' specified. Valid keys are '{wanted.pattern}'"
                )
            return entity, key, self._rules.kinds[entity]
        if key not in self._rules.attributes:
            raise invalid(
                f"Invalid attribute key '{key[:200]}' specified. Valid keys are '{sorted(self._rules.attributes)}'"
            )
        return entity, key, self._rules.attributes[key]

    def _operator(self) -> str:
        if self._take("word", "NOT"):
            self._next_word("IN")
            return "NOT IN"
        if self._take("word", "IS"):
            negated = self._take("word", "NOT")
            self._next_word("NULL")
            return "IS NOT NULL" if negated else "IS NULL"
        op = self._next("word", "sign")
        return {"==": "=", "<>": "!="}.get(op, op)

    def _value(self, kind: Kind, entity: str, key: str) -> str | float:
        token = self._peek()
        self._at += 1
        if kind.numeric:
            if token.kind == "number":
                return float(token.text) if not token.text.lstrip("+-").isdecimal() else int(token.text)
            text = _unquoted(token.text) if token.kind in {"text", "quoted"} else ""
            if re.fullmatch(r"[+-]?\d{1,20}", text):
                return int(text)
            raise invalid(f"Expected numeric value type for {entity} {key!r:.200}. Found {token.text[:200]}")
        if token.kind in {"text", "quoted"}:
            return _unquoted(token.text)
        raise invalid(
            f"Expected a quoted string value for {entity} (e.g. 'my-value'). Got value {token.text[:200]}"
        )

    def _list(self) -> tuple[str, ...]:
        found: list[str] = []
        if not self._take("sign", "("):
            raise self._unread()
        while True:
            found.append(_unquoted(self._next("text", "quoted")))
            if self._take("sign", ")"):
                return tuple(found)
            if not self._take("sign", ","):
                raise self._unread()
            if self._take("sign", ")"):
                return tuple(found)

    # ---- tokens

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("end", "")

    def _take(self, kind: str, text: str) -> bool:
        if self._peek() == (kind, text):
            self._at += 1
            return True
        return False

    def _next(self, *kinds: str) -> str:
        token = self._peek()
        if token.kind not in kinds:
            raise self._unread()
        self._at += 1
        return token.text

    def _next_word(self, word: str) -> None:
        if not self._take("word", word):
            raise self._unread()

    def _unread(self) -> MlflowError:
        return _unread(self._text, self._peek().text or "its end")


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"`":
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else inner
    return text


def holds(comparison: Comparison, found: Found) -> bool:
    """Whether a value that was looked up, or one of several, is as the comparison wants it; one that is not there only IS NULL."""
    if isinstance(found, list):
        if comparison.op in NULLS:
            return bool(found) == (comparison.op == "IS NOT NULL")
        return any(_holds(comparison, one) for one in found)
    return _holds(comparison, found)


def _holds(comparison: Comparison, found: str | float | None) -> bool:
    op, wanted = comparison.op, comparison.value
    if op in NULLS:
        return (found is None) == (op == "IS NULL")
    if found is None:
        return False
    if isinstance(wanted, tuple):
        return (found in wanted) == (op == "IN")
    if op == "=":
        return found == wanted
    if op == "!=":
        return found != wanted
    if isinstance(found, str) or isinstance(wanted, str) or wanted is None:
        text, pattern = str(found), str(wanted)
        return like(text.lower(), pattern.lower()) if op == "ILIKE" else like(text, pattern)
    return _ORDER[op](found, wanted)


_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def like(text: str, pattern: str) -> bool:
    """Whether the whole text is as the pattern, in which `%` stands for any text and `_` for one character.

    In time proportional to text and pattern: between two `%` the first place that fits is as good as any later one.
    """
    parts = pattern.split("%")
    if len(parts) == 1:
        return len(text) == len(pattern) and _fits(text, pattern, 0)
    first, last = parts[0], parts[-1]
    if len(text) < len(first) + len(last) or not _fits(text, first, 0):
        return False
    if not _fits(text, last, len(text) - len(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in parts[1:-1]:
        at = _seek(text, part, at, end)
        if at < 0:
            return False
    return True


def _fits(text: str, part: str, at: int) -> bool:
    return all(wanted in {"_", char} for wanted, char in zip(part, text[at : at + len(part)], strict=True))


def _seek(text: str, part: str, at: int, end: int) -> int:
    """Where the text goes on behind the first place of the part, or -1."""
    if "_" not in part:
        found = text.find(part, at, end)
        return -1 if found < 0 else found + len(part)
    match = re.compile("".join("." if char == "_" else re.escape(char) for char in part), re.DOTALL).search(
        text, at, end
    )
    return match.end() if match else -1


def order_of(clause: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """What a clause such as `name DESC` orders by, and whether upwards. known: by what is written, what it means.

    Raises MlflowError: it cannot be ordered by.
    """
    words = clause.strip().rsplit(None, 1)
    upward = True
    if len(words) == 2 and words[1].upper() in {"ASC", "DESC"}:
        upward = words[1].upper() == "ASC"
        words = words[:1]
    key = " ".join(words).strip('`"')
    for head in ("attribute.", "attributes.", "attr."):
        key = key.removeprefix(head)
    if key not in known:
        raise invalid(f"Invalid order by key '{key[:200]}' specified. Valid keys are {sorted(known)}")
    return known[key], upward
