"""The filter of ML Metadata's lists: `uri = 'x' AND contexts_a.name LIKE 'run%' AND custom_properties.depth.int_value < 3`.

Names of the node itself, of its properties, and of its neighbours, which are given any name behind `contexts_`, `events_`,
`artifacts_`, `executions_`, `parent_contexts_`, `child_contexts_`. The same name means the same neighbour throughout.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from lineal.core.errors import Invalid
from lineal.core.mlmd import ARTIFACT_STATES, EVENT_NAMES, EXECUTION_STATES, Kind

Sort = Literal["int", "float", "text", "bool"]

_HINT = "for example: type = 'system.Model' AND custom_properties.epochs.int_value > 3"
_LONGEST = 100_000
_DEEPEST = 60
_MOST_NEIGHBOURS = 40
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>[rR]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))
      | (?P<name>[A-Za-z_]\w*|`[^`]+`)
      | (?P<op><=|>=|<>|!=|=|<|>|\(|\)|,|\.|-|\+)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_WORDS = frozenset({"and", "or", "not", "in", "like", "is", "null", "true", "false", "between"})
_COMPARING = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

_TIMES: dict[str, Sort] = {"create_time_since_epoch": "int", "last_update_time_since_epoch": "int"}
_COMMON: dict[str, Sort] = {"id": "int", "name": "text", "type": "text", "external_id": "text", **_TIMES}
_OWN: dict[Kind, dict[str, Sort]] = {
    Kind.ARTIFACT: {**_COMMON, "type_id": "int", "uri": "text", "state": "int"},
    Kind.EXECUTION: {**_COMMON, "type_id": "int", "last_known_state": "int"},
    Kind.CONTEXT: {**_COMMON, "type_id": "int"},
}
_PROPERTY: dict[str, Sort] = {
    "int_value": "int",
    "double_value": "float",
    "string_value": "text",
    "bool_value": "bool",
}
_ABOUT: dict[str, dict[str, Sort]] = {
    "contexts": _COMMON,
    "parent_contexts": _COMMON,
    "child_contexts": _COMMON,
    "artifacts": {**_COMMON, "uri": "text", "state": "int"},
    "executions": {**_COMMON, "last_known_state": "int"},
    "events": {"type": "int", "milliseconds_since_epoch": "int", "artifact_id": "int", "execution_id": "int"},
}
_BESIDE: dict[Kind, tuple[str, ...]] = {
    Kind.ARTIFACT: ("contexts", "events"),
    Kind.EXECUTION: ("contexts", "events"),
    Kind.CONTEXT: ("parent_contexts", "child_contexts", "artifacts", "executions"),
}
_ENUMS: dict[tuple[str, str], dict[str, int]] = {
    ("", "state"): {name: number for number, name in enumerate(ARTIFACT_STATES)},
    ("artifacts", "state"): {name: number for number, name in enumerate(ARTIFACT_STATES)},
    ("", "last_known_state"): {name: number for number, name in enumerate(EXECUTION_STATES)},
    ("executions", "last_known_state"): {name: number for number, name in enumerate(EXECUTION_STATES)},
    ("events", "type"): {name: number for number, name in EVENT_NAMES.items()},
}


class Field(msgspec.Struct, frozen=True):
    """What is compared. of: empty for the node itself, `properties`, `custom_properties`, or the sort of neighbour.

    which: the property's or the neighbour's name. attribute: what of it.
    """

    of: str
    which: str
    attribute: str
    sort: Sort


class Literal_(msgspec.Struct, frozen=True):  # noqa: N801 - `Literal` is taken
    """A number, text or truth value."""

    value: int | float | str | bool
    sort: Sort


Operand = Field | Literal_


class Compare(msgspec.Struct, frozen=True):
    """One comparison. op: `= != < <= > >= like`; values: for `in`. negated: with NOT before the word."""

    op: str
    left: Operand
    right: Operand | None = None
    values: tuple[Literal_, ...] = ()
    negated: bool = False


class Both(msgspec.Struct, frozen=True):
    """Parts of which all (`and`) or one (`or`) must hold."""

    op: Literal["and", "or"]
    parts: tuple[Filter, ...]


class Not(msgspec.Struct, frozen=True):
    """The part does not hold."""

    part: Filter


Filter = Compare | Both | Not


def parse(text: str, kind: Kind) -> Filter:
    """The filter that a text writes, for lists of nodes of that kind. Raises Invalid: it is none, with the place."""
    if len(text) > _LONGEST:
        raise Invalid(
            f"a filter of {len(text)} characters was sent, at most {_LONGEST} are read",
            hint="ask for less at once",
        )
    return _Parser(text, kind).parse()


class _Parser:
    def __init__(self, text: str, kind: Kind) -> None:
        self._text = text
        self._kind = kind
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        self._depth = 0
        self._neighbours: set[tuple[str, str]] = set()
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._wrong("it cannot be read", place)
            sort = found.lastgroup or ""
            self._tokens.append((sort, found[sort], found.start(sort)))
            place = found.end()

    def parse(self) -> Filter:
        found = self._either()
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._peek()[1]!r} was not expected", self._peek()[2])
        return found

    # ---- grammar -------------------------------------------------------------------------------------------------------

    def _either(self) -> Filter:
        return self._several("or", lambda: self._several("and", self._inverted))

    def _several(self, word: Literal["and", "or"], part: Callable[[], Filter]) -> Filter:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def _inverted(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"it is nested more than {_DEEPEST} deep", self._peek()[2])
        try:
            return Not(self._inverted()) if self._take("not") else self._primary()
        finally:
            self._depth -= 1

    def _primary(self) -> Filter:
        if self._take("("):
            found = self._either()
            self._expect(")")
            return found
        left = self._operand()
        sort, word, place = self._peek()
        if sort == "op" and word in _COMPARING:
            self._at += 1
            right = self._operand(left)
            self._check(left, right, place)
            return Compare(_COMPARING[word], left, right)
        negated = self._take("not")
        if self._take("like"):
            pattern = self._operand(left)
            if left.sort != "text" or not isinstance(pattern, Literal_) or pattern.sort != "text":
                raise self._wrong("LIKE compares a text with a pattern in quotes", place)
            return Compare("like", left, pattern, negated=negated)
        if self._take("in"):
            return Compare("in", left, values=self._list(left, place), negated=negated)
        if self._take("between"):
            low = self._operand(left)
            self._expect("and")
            high = self._operand(left)
            self._check(left, low, place)
            self._check(left, high, place)
            both = Both("and", (Compare(">=", left, low), Compare("<=", left, high)))
            return Not(both) if negated else both
        if not negated and self._take("is"):
            negated = self._take("not")
            self._expect("null")
            return Compare("null", left, negated=negated)
        if not negated and left.sort == "bool":
            return Compare("=", left, Literal_(True, "bool"))
        raise self._wrong("it is no comparison", place)

    def _list(self, left: Operand, place: int) -> tuple[Literal_, ...]:
        self._expect("(")
        values: list[Literal_] = []
        while True:
            value = self._operand(left)
            self._check(left, value, place)
            if not isinstance(value, Literal_):
                raise self._wrong("IN compares with numbers and texts", place)
            values.append(value)
            if not self._take(","):
                break
        self._expect(")")
        return tuple(values)

    # ---- operands ------------------------------------------------------------------------------------------------------

    def _operand(self, beside: Operand | None = None) -> Operand:
        """A name or a value; a bare word is a state or type of event where such a one is compared."""
        sort, word, place = self._peek()
        self._at += 1
        if sort == "text":
            return Literal_(_unquoted(word), "text")
        if sort == "number" or (sort == "op" and word in "+-" and self._peek()[0] == "number"):
            if sort == "op":
                sign, word = word, self._peek()[1]
                self._at += 1
                word = sign + word
            return self._number(word, place)
        if sort != "name":
            raise self._wrong("a name or a value was expected", place)
        if word.lower() in {"true", "false"}:
            return Literal_(word.lower() == "true", "bool")
        if isinstance(beside, Field) and (known := _ENUMS.get((beside.of, beside.attribute))):
            if self._peek()[1] != ".":
                if word not in known:
                    raise self._wrong(f"{word!r} is none of {', '.join(known)}", place)
                return Literal_(known[word], "int")
        if word.lower() in _WORDS:
            raise self._wrong(f"a name or a value was expected before {word!r}", place)
        return self._field(word, place)

    def _number(self, word: str, place: int) -> Literal_:
        if not re.fullmatch(r"[+-]?\d+", word):
            return Literal_(float(word), "float")
        if len(word) > 20 or not -(1 << 63) <= int(word) < 1 << 63:
            raise self._wrong(f"{word[:24]} is no number of 64 bits", place)
        return Literal_(int(word), "int")

    def _field(self, word: str, place: int) -> Field:
        parts = [word.strip("`")]
        while self._peek()[1] == "." and self._peek()[0] == "op":
            self._at += 1
            sort, name, _ = self._peek()
            if sort not in {"name", "number"}:
                raise self._wrong("a name was expected behind the dot", place)
            parts.append(name.strip("`"))
            self._at += 1
        field = self._resolved(parts)
        if field is None:
            own = ", ".join(sorted(_OWN[self._kind]))
            beside = ", ".join(f"{each}_NAME" for each in _BESIDE[self._kind])
            raise self._wrong(
                f"{'.'.join(parts)!r} is no name here",
                place,
                f"known are {own}, properties.NAME.int_value, {beside}",
            )
        if field.which:
            self._neighbours.add((field.of, field.which))
            if len(self._neighbours) > _MOST_NEIGHBOURS:
                raise self._wrong(f"it names more than {_MOST_NEIGHBOURS} properties and neighbours", place)
        return field

    def _resolved(self, parts: list[str]) -> Field | None:
        if len(parts) == 1 and (sort := _OWN[self._kind].get(parts[0])):
            return Field("", "", parts[0], sort)
        if len(parts) == 3 and parts[0] in {"properties", "custom_properties"}:
            if sort := _PROPERTY.get(parts[2]):
                return Field(parts[0], parts[1], parts[2], sort)
        if len(parts) == 2:
            for of in _BESIDE[self._kind]:
                if parts[0].startswith(f"{of}_") and (sort := _ABOUT[of].get(parts[1])):
                    return Field(of, parts[0].removeprefix(f"{of}_"), parts[1], sort)
        return None

    # ---- tokens --------------------------------------------------------------------------------------------------------

    def _peek(self) -> tuple[str, str, int]:
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return "end", "", len(self._text)

    def _take(self, word: str) -> bool:
        sort, found, _ = self._peek()
        if (sort == "op" and found == word) or (sort == "name" and found.lower() == word):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong(f"{word.upper()!r} was expected", self._peek()[2])

    def _check(self, left: Operand, right: Operand, place: int) -> None:
        if left.sort != right.sort and {left.sort, right.sort} != {"int", "float"}:
            raise self._wrong(f"{_CALLED[left.sort]} is compared with {_CALLED[right.sort]}", place)

    def _wrong(self, why: str, place: int, hint: str = _HINT) -> Invalid:
        near = self._text[max(0, place - 20) : place + 20]
        return Invalid(f"the filter query is wrong at character {place + 1} ({near!r}): {why}", hint=hint)


_CALLED = {"int": "a number", "float": "a number", "text": "a text", "bool": "a truth value"}


def _unquoted(word: str) -> str:
    raw = word[0] in "rR"
    inner = word[2:-1] if raw else word[1:-1]
    if raw or "\\" not in inner:
        return inner

    def plain(found: re.Match[str]) -> Any:
        if found[1]:
            return chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else found[0]
        return _ESCAPES.get(found[2], found[2])

    return re.sub(r"\\(?:[xX]([0-9a-fA-F]{2})|(.))", plain, inner, flags=re.DOTALL)
