"""Reads a query. Recursive descent: or binds weakest, then and, then not; every error points at a character."""

from __future__ import annotations

import re

from lineal.core.query import (
    DEEPEST,
    LONGEST,
    MOST,
    RELATIONS,
    All,
    Any,
    Compare,
    Node,
    Not,
    Query,
    Reference,
    Related,
    Value,
    misread,
)

_SPACE = re.compile(r"\s*")
_TEXT = re.compile(r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*\"""", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.:/-])", re.ASCII)
_PART = r"""(?:`[^`]*`|[^\s=!<>()'"`,;~]+)"""
_NAME = re.compile(rf"""{_PART}(?:\.?(?:`[^`]*`|"[^"]*"))*""")
_BARE = re.compile(r"""[^\s=!<>()'"`,;~]+""")
_OPERATOR = re.compile(r"<=|>=|!=|<>|==|=~|!~|=|<|>")
_REFERENCE = re.compile(r"""[^\s()'"`,;]+""")
_WORD = re.compile(r"[A-Za-z]+(?![\w.:/-])")
_ENTITY = re.compile(r"""(?:(?P<entity>`[^`]*`|[^.`"]+)\.)?(?P<key>.+)""", re.DOTALL)
_KINDS = frozenset(
    "dataset features model prompt code environment report deployment other artifact run version job".split()
)
_RESERVED = frozenset({"and", "or", "not", "in", "like", "ilike", "is", "null", "rlike", "regexp"})
_PATTERNS = {"rlike": "=~", "regexp": "=~"}
_SAME = {"<>": "!=", "==": "="}


def parse(text: str) -> Query:
    """What a query says. Raises Invalid: where it could not be read on, with that place marked."""
    if len(text) > LONGEST:
        raise misread(text, LONGEST, f"it is {len(text):,} characters long, and at most {LONGEST:,} are read")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._count = 0
        self._skip()

    def whole(self) -> Query:
        times: dict[str, str] = {}
        self._times(times)
        condition = None
        if self._at < len(self._text):
            condition = self._either()
        self._times(times)
        if self._at < len(self._text):
            raise self._stuck("AND, OR or the end is wanted here")
        return Query(condition, times.get("as_of", ""), times.get("valid_at", ""), self._text)

    def _times(self, times: dict[str, str]) -> None:
        """`as of T` and `valid at T`, before or behind the condition."""
        while True:
            start = self._at
            if self._words("as", "of"):
                key = "as_of"
            elif self._words("valid", "at"):
                key = "valid_at"
            else:
                return
            if key in times:
                raise misread(self._text, start, "this time was given already")
            times[key] = self._quoted_or_bare("a time such as '2026-03-03'")

    # ---- conditions

    def _either(self) -> Node:
        parts = [self._both()]
        while self._words("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _both(self) -> Node:
        parts = [self._one()]
        while self._words("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._stuck(f"conditions more than {DEEPEST} deep")
        try:
            if self._words("not"):
                return Not(self._one())
            if self._sign("("):
                found = self._either()
                self._need(")")
                return found
            return self._related() or self._compare()
        finally:
            self._depth -= 1

    def _related(self) -> Node | None:
        start = self._at
        word = _WORD.match(self._text, start)
        if word is None:
            return None
        said = word[0].lower()
        if said in ("from", "into"):
            self._move(word.end())
            if not self._operator_follows():
                return Related("upstream" if said == "from" else "downstream", self._reference(), start)
        elif said in RELATIONS:
            self._move(word.end())
            if self._sign("("):
                to = self._argument()
                self._need(")")
                return Related(said, to, start)
        self._move(start)
        return None

    def _operator_follows(self) -> bool:
        if _OPERATOR.match(self._text, self._at):
            return True
        word = _WORD.match(self._text, self._at)
        return word is not None and word[0].lower() in _RESERVED - {"and", "or"}

    def _argument(self) -> Reference | Node:
        """A reference alone, or a condition."""
        start = self._at
        for shape in (_TEXT, _REFERENCE):
            found = shape.match(self._text, start)
            if found:
                self._move(found.end())
                closed = self._text.startswith(")", self._at)
                self._move(start)
                if closed:
                    return self._reference()
        self._count_one()
        return self._either()

    def _reference(self) -> Reference:
        start = self._at
        self._count_one()
        found = _TEXT.match(self._text, start)
        if found:
            self._move(found.end())
            text, kind = _unquoted(found[0]), ""
        elif found := _REFERENCE.match(self._text, start):
            self._move(found.end())
            head, colon, rest = found[0].partition(":")
            if colon and head in _KINDS - {"run"} and not rest.startswith("//"):
                kind, text = head, rest
                if not rest and (quoted := _TEXT.match(self._text, self._at)):
                    self._move(quoted.end())
                    text = _unquoted(quoted[0])
            else:
                kind, text = "", found[0]
        else:
            raise self._stuck("a reference is wanted here, as dataset:raw_flights, churn@3 or run:ab12")
        if not text:
            raise misread(self._text, start, "this names nothing")
        return Reference(text, kind, start)

    def _count_one(self) -> None:
        self._count += 1
        if self._count > MOST:
            raise self._stuck(f"more than {MOST} comparisons")

    def _compare(self) -> Compare:
        self._count_one()
        start = self._at
        found = _NAME.match(self._text, start)
        if found is None or found[0].lower() in _RESERVED:
            raise self._stuck("a comparison is wanted here, as metrics.auc > 0.9")
        self._move(found.end())
        entity, key = _split(found[0])
        if self._words("is"):
            op = "IS NOT NULL" if self._words("not") else "IS NULL"
            if not self._words("null"):
                raise self._stuck("NULL or NOT NULL is wanted here")
            return Compare(entity, key, op, None, False, start, self._at)
        op = self._operator(found[0])
        value_start = self._at
        if op in ("IN", "NOT IN"):
            return Compare(entity, key, op, self._list(), True, start, value_start)
        value, quoted = self._value()
        return Compare(entity, key, op, value, quoted, start, value_start)

    def _operator(self, name: str) -> str:
        negated = self._words("not")
        for word in ("in", "like", "ilike"):
            if self._words(word):
                return ("NOT " if negated else "") + word.upper()
        for word, op in _PATTERNS.items():
            if self._words(word):
                return "!~" if negated else op
        found = None if negated else _OPERATOR.match(self._text, self._at)
        if found is None:
            raise self._stuck(
                f"behind {name[:60]} a comparison is wanted: = != < <= > >= =~ !~ LIKE ILIKE IN, IS NULL"
            )
        self._move(found.end())
        return _SAME.get(found[0], found[0])

    def _value(self) -> tuple[Value, bool]:
        start = self._at
        if found := _TEXT.match(self._text, start):
            self._move(found.end())
            return _unquoted(found[0]), True
        if found := _NUMBER.match(self._text, start):
            self._move(found.end())
            whole = found[0].lstrip("+-").isdigit() and len(found[0]) < 19
            return int(found[0]) if whole else float(found[0]), False
        if found := re.compile(r"`[^`]*`").match(self._text, start):
            self._move(found.end())
            return found[0][1:-1], True
        found = _BARE.match(self._text, start)
        if found is None or found[0].lower() in _RESERVED:
            raise self._stuck("a value is wanted here: a number or a text in quotes")
        self._move(found.end())
        return found[0], False

    def _list(self) -> tuple[str | int | float, ...]:
        self._need("(")
        found: list[str | int | float] = []
        while not (found and self._sign(")")):
            value, _ = self._value()
            assert isinstance(value, str | int | float)
            found.append(value)
            if not self._sign(","):
                self._need(")")
                break
        return tuple(found)

    def _quoted_or_bare(self, wanted: str) -> str:
        found = _TEXT.match(self._text, self._at)
        if found:
            self._move(found.end())
            return _unquoted(found[0])
        found = _REFERENCE.match(self._text, self._at)
        if found is None:
            raise self._stuck(f"{wanted} is wanted here")
        self._move(found.end())
        return found[0]

    # ---- the text

    def _skip(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]

    def _move(self, at: int) -> None:
        self._at = at
        self._skip()

    def _sign(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._move(self._at + len(sign))
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._stuck(f"{sign} is wanted here")

    def _words(self, *wanted: str) -> bool:
        start = self._at
        for word in wanted:
            found = _WORD.match(self._text, self._at)
            if found is None or found[0].lower() != word:
                self._move(start)
                return False
            self._move(found.end())
        return True

    def _stuck(self, why: str) -> Exception:
        if self._text.startswith(("'", '"'), self._at) and not _TEXT.match(self._text, self._at):
            why = "this quotation mark is never closed"
        return misread(self._text, self._at, why if self._at < len(self._text) else f"it ends, and {why}")


def _split(name: str) -> tuple[str, str]:
    """Entity and key of a name, without their quotes."""
    match = _ENTITY.fullmatch(name)
    assert match is not None
    entity, key = match["entity"] or "", match["key"]
    closed = len(key) > 1 and key[0] in '`"' and key[-1] == key[0]
    return entity.strip("`"), key[1:-1] if closed else key


def _unquoted(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote).replace("\\" + quote, quote)
