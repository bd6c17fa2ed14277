"""The filter language: MLflow's comparisons joined by AND, and as a superset OR, NOT and parentheses.

    metrics.acc > 0.9 and (params.lr = '0.01' or tags.`my tag` like 'a%') and not attributes.status in ('FAILED')

What the names mean is decided by who asks: runs, experiments, models each know other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lineal.doors.mlflow.errors import invalid

LONGEST = 1_000_000  # characters
_DEEPEST = 40
_MOST = 400  # comparisons
_LONGEST_PATTERN = 4000  # characters

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*")
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<op><=|>=|!=|<>|==|=|<|>)
    | (?P<mark>[(),])
    | (?P<name>(?:`[^`]*`|[^\s=!<>()'"`,;]+)(?:\.?(?:`[^`]*`|"[^"]*"))?)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"""(?:(?P<entity>`[^`]*`|[^.`"]+)\.)?(?P<key>`[^`]*`|"[^"]*"|.+)""", re.DOTALL)
_WORDS = frozenset({"and", "or", "not", "like", "ilike", "in", "is", "null", "rlike"})


class Compare(NamedTuple):
    """One comparison. entity: as it was written, empty when there was none; value: None for IS NULL and IS NOT NULL.

    quoted: the value was written in quotes; a bare one is a number or a list.
    """

    entity: str
    key: str
    op: str
    value: str | float | tuple[str, ...] | None
    quoted: bool = False

    def __str__(self) -> str:
        return f"{self.entity + '.' if self.entity else ''}{self.key} {self.op} {self.value!r:.200}"


class And(NamedTuple):
    """All parts hold."""

    parts: tuple[Expression, ...]


class Or(NamedTuple):
    """One of the parts holds."""

    parts: tuple[Expression, ...]


class Not(NamedTuple):
    """The part does not hold."""

    part: Expression


Expression = Compare | And | Or | Not


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


def parse(text: str) -> Expression | None:
    """What a filter says; None for an empty one. Raises MlflowError: where it could not be read on."""
    if not text.strip():
        return None
    if len(text) > LONGEST:
        raise invalid(f"A filter of {len(text)} characters; at most {LONGEST} are taken")
    return _Parser(text).whole()


def comparisons(expression: Expression | None) -> Iterator[Compare]:
    """Every comparison in it."""
    if isinstance(expression, Compare):
        yield expression
    elif isinstance(expression, Not):
        yield from comparisons(expression.part)
    elif expression is not None:
        for part in expression.parts:
            yield from comparisons(part)


class _Parser:
    """Reads by recursive descent: or < and < not < comparison."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._count = 0
        self._depth = 0

    def whole(self) -> Expression:
        found = self._or()
        if (token := self._peek()) is not None:
            raise self._stuck(token)
        return found

    def _or(self) -> Expression:
        parts = [self._and()]
        while self._word("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Expression:
        parts = [self._not()]
        while self._word("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise invalid(f"Invalid filter: it is more than {_DEEPEST} conditions deep")
        try:
            if self._word("not"):
                return Not(self._not())
            token = self._peek()
            if token is not None and token.text == "(" and token.kind == "mark":
                self._at += 1
                found = self._or()
                self._need("mark", ")")
                return found
            return self._compare()
        finally:
            self._depth -= 1

    def _compare(self) -> Compare:
        self._count += 1
        if self._count > _MOST:
            raise invalid(f"Invalid filter: it has more than {_MOST} comparisons")
        entity, key = _name(self._need("name", what="a name such as metrics.acc"))
        if self._word("is"):
            op = "IS NOT NULL" if self._word("not") else "IS NULL"
            if not self._word("null"):
                raise self._stuck(self._peek())
            return Compare(entity, key, op, None)
        if self._word("not"):
            if not self._word("in"):
                raise self._stuck(self._peek())
            return Compare(entity, key, "NOT IN", self._list())
        if self._word("in"):
            return Compare(entity, key, "IN", self._list())
        for word in ("like", "ilike"):
            if self._word(word):
                return Compare(
                    entity, key, word.upper(), _unquoted(self._need("text", what="a quoted text")), True
                )
        op = self._need("op", what="a comparison such as = or LIKE")
        return Compare(entity, key, {"<>": "!=", "==": "="}.get(op, op), *self._value())

    def _value(self) -> tuple[str | float, bool]:
        token = self._peek()
        if token is not None and token.kind == "text":
            self._at += 1
            return _unquoted(token.text), True
        if token is not None and token.kind == "number":
            self._at += 1
            return (int if token.text.lstrip("+-").isdigit() and len(token.text) < 19 else float)(
                token.text
            ), False
        if token is not None and token.kind == "name" and token.text.startswith("`"):
            self._at += 1
            return token.text[1:-1], True
        raise self._stuck(token, "a number or a quoted text")

    def _list(self) -> tuple[str, ...]:
        self._need("mark", "(")
        found = [_unquoted(self._need("text", what="a quoted text"))]
        while (token := self._peek()) is not None and token.text == ",":
            self._at += 1
            if (after := self._peek()) is not None and after.text == ")":
                break
            found.append(_unquoted(self._need("text", what="a quoted text")))
        self._need("mark", ")")
        return tuple(found)

    # ---- tokens

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token is None or token.kind != "name" or token.text.lower() != word:
            return False
        self._at += 1
        return True

    def _need(self, kind: str, text: str = "", *, what: str = "") -> str:
        token = self._peek()
        wrong = token is None or token.kind != kind or (text and token.text != text)
        if wrong or (token and kind == "name" and token.text.lower() in _WORDS):
            raise self._stuck(token, what or f"'{text}'")
        assert token is not None
        self._at += 1
        return token.text

    def _stuck(self, token: _Token | None, wanted: str = "AND, OR or the end") -> Exception:
        rest = self._text[token.start :].strip()[:80] if token else ""
        where = f"'{rest}'" if rest else "its end"
        return invalid(f"Invalid clause(s) in filter string: {where}; {wanted} was expected there")


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise invalid(f"Invalid clause(s) in filter string: '{text[position:].strip()[:80]}'")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
        if len(found) > 200_000:
            raise invalid("Invalid filter: it is too long")
    return found


def _name(text: str) -> tuple[str, str]:
    """Entity and key of a name, without their quotes."""
    match = _NAME.fullmatch(text)
    assert match is not None
    entity, key = match["entity"] or "", match["key"]
    return entity.strip("`"), key[1:-1] if key[0] in '`"' and len(key) > 1 and key[-1] == key[0] else key


def _unquoted(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote).replace("\\" + quote, quote)


def holds(value: Any, op: str, wanted: Any) -> bool:
    """Whether a comparison holds for a value."""
    if op in {"LIKE", "ILIKE"}:
        return like(value, wanted) if op == "LIKE" else like(value.lower(), wanted.lower())
    if op in {"IN", "NOT IN"}:
        return bool((value in wanted) == (op == "IN"))
    if op in {"=", "!="}:
        return bool((value == wanted) == (op == "="))
    return bool({"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[op])


def like(text: str, pattern: str) -> bool:
    """Whether a text is like a pattern: `%` any characters, `_` one. In time linear in the length of both, times each other."""
    first, *rest = pattern.split("%")
    if not rest:
        return len(text) == len(first) and _fits(text, first, 0)
    *middle, last = rest
    if (
        len(text) < len(first) + len(last)
        or not _fits(text, first, 0)
        or not _fits(text, last, len(text) - len(last))
    ):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        found = _find(text, part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _find(text: str, part: str, start: int, end: int) -> int:
    if "_" not in part:
        return text.find(part, start, end)
    return next((i for i in range(start, end - len(part) + 1) if _fits(text, part, i)), -1)


def _fits(text: str, part: str, start: int) -> bool:
    return all(char == "_" or char == text[start + n] for n, char in enumerate(part))


# ---- orders --------------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """One key of an order; see Compare."""

    entity: str
    key: str
    descending: bool


_ORDER = re.compile(
    r"""\s*(?P<name>(?:`[^`]*`|"[^"]*"|[^\s`"]+)(?:\.?(?:`[^`]*`|"[^"]*"))?)(?:\s+(?P<way>\w+))?\s*""",
    re.DOTALL,
)


def parse_order(text: str) -> Key:
    """What one entry of `order_by` says: a name, and `ASC` (the default) or `DESC`. Raises MlflowError."""
    match = _ORDER.fullmatch(text[:2000])
    if match is None or len(text) > 2000:
        raise invalid(f"Invalid order_by clause '{text[:200]}'. Could not be parsed.")
    way = (match["way"] or "asc").lower()
    if way not in {"asc", "desc"}:
        raise invalid(f"Invalid ordering key in order_by clause '{text[:200]}'.")
    name = match["name"]
    if name[0] == '"' and name[-1] == '"' and len(name) > 1:
        name = name[1:-1]
    return Key(*_name(name), way == "desc")
