"""JSON Schemas of facets: a documented part of the standard, checked without ever fetching anything, and compared with one another.

Known are `type enum const properties required additionalProperties items minItems maxItems minLength maxLength pattern minimum maximum
exclusiveMinimum exclusiveMaximum allOf anyOf oneOf not` and `$ref` inside the document. References to OpenLineage's own base
facets stand for an object. Anything else that would restrict is refused when a schema is defined.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from lineal.core.errors import Invalid
from lineal.core.pattern import Pattern

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_NOTES = frozenset(
    "$schema $id $comment $defs definitions title description default examples example deprecated readOnly writeOnly format _producer "
    "_schemaURL".split()
)
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_KNOWN = frozenset(
    (
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "pattern",
        "allOf",
        "anyOf",
    )
    + ("oneOf", "not", "$ref", *_NUMBERS, *_COUNTS)
)
_BASES = ("https://openlineage.io/spec/",)  # an object with `_producer` and `_schemaURL`
_DEEPEST, _MOST_STEPS, _MOST_FAULTS = 40, 200_000, 20
_MOST_FIELDS = 200

Json = Any
_LIMITS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (operator.ge, "at least"),
    "maximum": (operator.le, "at most"),
    "exclusiveMinimum": (operator.gt, "more than"),
    "exclusiveMaximum": (operator.lt, "less than"),
}


class Schema:
    """A schema that was read and found to be one that can be checked."""

    def __init__(self, document: Json) -> None:
        """Raises Invalid: it is no schema, or uses a word that is not known, with the place."""
        self.document = document
        self._patterns: dict[str, Pattern] = {}
        self._read(document, "#", 0)

    def faults(self, value: Json) -> list[str]:
        """One sentence per way in which the value breaks the schema, each with its place; at most 20."""
        check = _Check(self)
        check.check(self.document, value, "", 0)
        return check.found[:_MOST_FAULTS]

    def resolve(self, schema: Json) -> Json:
        """The schema that a local `$ref` means; the schema itself when it has none."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, Mapping) or "$ref" not in schema:
                return schema
            reference = str(schema["$ref"])
            if reference.startswith(_BASES):
                return {"type": "object"}
            schema = self._at(reference)
        raise Invalid("the schema refers to itself without end", hint="take the circle of $ref out")

    def pattern(self, text: str) -> Pattern:
        """The pattern, compiled once."""
        if text not in self._patterns:
            self._patterns[text] = Pattern(text)
        return self._patterns[text]

    def _at(self, reference: str) -> Json:
        if not reference.startswith("#"):
            raise Invalid(
                f"$ref {reference[:100]!r} leads out of the document, and nothing is ever fetched",
                hint="put what it means under $defs and refer to '#/$defs/NAME'",
            )
        found = self.document
        for step in reference.lstrip("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if key and (not isinstance(found, Mapping) or key not in found):
                raise Invalid(f"$ref {reference!r} leads nowhere", hint="refer to '#/$defs/NAME'")
            found = found[key] if key else found
        return found

    def _read(self, schema: Json, place: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Invalid(f"the schema is more than {_DEEPEST} deep", hint="write it flatter")
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise Invalid(f"{place} is no schema but {schema!r:.60}", hint="a schema is a JSON object")
        for word, said in schema.items():
            if word in _NOTES:
                if word in ("$defs", "definitions"):
                    for name, inner in self._mapping(said, f"{place}/{word}").items():
                        self._read(inner, f"{place}/{word}/{name}", depth + 1)
            elif word not in _KNOWN:
                raise Invalid(
                    f"{place} uses {word!r}, which is not known here",
                    hint="known are: " + " ".join(sorted(_KNOWN)),
                )
            else:
                self._word(word, said, f"{place}/{word}", depth)

    def _word(self, word: str, said: Json, place: str, depth: int) -> None:
        if word == "type":
            given = said if isinstance(said, list) else [said]
            if not given or any(name not in _TYPES for name in given):
                raise Invalid(f"{place} is {said!r:.60}", hint="a type is one of " + ", ".join(_TYPES))
        elif word == "properties":
            for name, inner in self._mapping(said, place).items():
                self._read(inner, f"{place}/{name}", depth + 1)
        elif word in ("allOf", "anyOf", "oneOf"):
            if not isinstance(said, list) or not said:
                raise Invalid(f"{place} is no list of schemas", hint="give one or more")
            for number, inner in enumerate(said):
                self._read(inner, f"{place}/{number}", depth + 1)
        elif word in ("items", "additionalProperties", "not"):
            self._read(said, place, depth + 1)
        elif word == "$ref":
            if not str(said).startswith(_BASES):
                self._at(str(said))
        elif word == "pattern":
            self.pattern(str(said))
        elif word in ("required", "enum"):
            if not isinstance(said, list) or (
                word == "required" and any(not isinstance(n, str) for n in said)
            ):
                raise Invalid(f"{place} is no list", hint=f"{word} is a list")
        elif word in (*_NUMBERS, *_COUNTS) and (isinstance(said, bool) or not isinstance(said, int | float)):
            raise Invalid(f"{place} is {said!r:.60}", hint=f"{word} is a number")

    def _mapping(self, said: Json, place: str) -> Mapping[str, Json]:
        if not isinstance(said, Mapping):
            raise Invalid(f"{place} is {said!r:.60}", hint="an object of schemas is wanted")
        return said


class _Check:
    """One value on its way through a schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.found: list[str] = []
        self._steps = 0

    def check(self, schema: Json, value: Json, place: str, depth: int) -> None:
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            self._fault(place, "it is too deep or too large to be checked")
            return
        if isinstance(schema, Mapping) and "$ref" in schema:
            self.check(self._schema.resolve(schema), value, place, depth + 1)
            schema = {word: said for word, said in schema.items() if word != "$ref"}
        if schema is True or not schema:
            if schema is False:
                self._fault(place, "nothing is allowed here")
            return
        if "type" in schema and not _is(value, schema["type"]):
            self._fault(place, f"it is {_kind(value)}, and {_listed(schema['type'])} is wanted")
            return
        if "enum" in schema and not any(_same(value, item) for item in schema["enum"]):
            self._fault(
                place, f"{_short(value)} is none of {', '.join(_short(item) for item in schema['enum'])}"
            )
        if "const" in schema and not _same(value, schema["const"]):
            self._fault(place, f"{_short(value)} is not {_short(schema['const'])}")
        if isinstance(value, Mapping):
            self._object(schema, value, place, depth)
        elif isinstance(value, list):
            self._list(schema, value, place, depth)
        elif isinstance(value, str):
            self._text(schema, value, place)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(schema, value, place)
        self._combined(schema, value, place, depth)

    def _object(self, schema: Mapping[str, Json], value: Mapping[str, Json], place: str, depth: int) -> None:
        for name in schema.get("required", ()):
            if name not in value:
                self._fault(place, f"{name!r} is missing")
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for name, inner in value.items():
            where = f"{place}.{name}" if place else str(name)
            if name in properties:
                self.check(properties[name], inner, where, depth + 1)
            elif others is False:
                self._fault(where, "no such field is known")
            elif others is not True:
                self.check(others, inner, where, depth + 1)

    def _list(self, schema: Mapping[str, Json], value: list[Json], place: str, depth: int) -> None:
        self._size(schema, len(value), "Items", place)
        if "items" in schema:
            for number, inner in enumerate(value):
                if len(self.found) >= _MOST_FAULTS:
                    return
                self.check(schema["items"], inner, f"{place}[{number}]", depth + 1)

    def _text(self, schema: Mapping[str, Json], value: str, place: str) -> None:
        self._size(schema, len(value), "Length", place)
        if "pattern" in schema and not self._schema.pattern(schema["pattern"]).search(value):
            self._fault(place, f"{_short(value)} does not match {schema['pattern']!r}")

    def _size(self, schema: Mapping[str, Json], size: int, what: str, place: str) -> None:
        if size < schema.get(f"min{what}", 0):
            self._fault(place, f"its length is {size}, at least {schema[f'min{what}']} is wanted")
        if size > schema.get(f"max{what}", size):
            self._fault(place, f"its length is {size}, at most {schema[f'max{what}']} is wanted")

    def _number(self, schema: Mapping[str, Json], value: float, place: str) -> None:
        for word, (test, said) in _LIMITS.items():
            if word in schema and not test(value, schema[word]):
                self._fault(place, f"{value} is not {said} {schema[word]}")

    def _combined(self, schema: Mapping[str, Json], value: Json, place: str, depth: int) -> None:
        for inner in schema.get("allOf", ()):
            self.check(inner, value, place, depth + 1)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                fits = sum(self._fits(inner, value, depth) for inner in schema[word])
                if not fits or (word == "oneOf" and fits > 1):
                    self._fault(place, f"it fits {fits} of the {len(schema[word])} forms, and one is wanted")
        if "not" in schema and self._fits(schema["not"], value, depth):
            self._fault(place, "it has a form that is not allowed")

    def _fits(self, schema: Json, value: Json, depth: int) -> bool:
        inner = _Check(self._schema)
        inner._steps = self._steps
        inner.check(schema, value, "", depth + 1)
        self._steps = inner._steps
        return not inner.found

    def _fault(self, place: str, why: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.append(f"{place or 'the facet'}: {why}")


def _is(value: Json, wanted: Json) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    kind = _kind(value)
    whole = kind == "number" and float(value).is_integer()
    return kind in names or (kind == "integer" and "number" in names) or (whole and "integer" in names)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _same(a: Json, b: Json) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _listed(wanted: Json) -> str:
    return " or ".join(wanted) if isinstance(wanted, list) else str(wanted)


def _short(value: Json) -> str:
    return f"{value!r:.60}"


def narrowed(old: Json, new: Json, place: str = "") -> list[str]:
    """Why a facet that fits `old` may not fit `new`: one sentence per place; empty when every one still fits.

    Careful rather than clever: where it cannot be told (combined forms that differ) it is counted as narrowed. A field that was
    not described before is held to be new, although a facet may have had one of that name.
    """
    if old == new or new is True or new == {}:
        return []
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return [f"{place or 'the facet'}: {_short(new)} where {_short(old)} stood"]
    found: list[str] = []
    where = place or "the facet"
    types_old, types_new = _types(old), _types(new)
    if types_new is not None and (types_old is None or not types_old <= types_new):
        found.append(f"{where}: only {_listed(sorted(types_new))} is allowed now")
    had = old.get("required", ())
    found += [f"{where}: {name!r} is required now" for name in new.get("required", ()) if name not in had]
    if "enum" in new and ("enum" not in old or any(item not in new["enum"] for item in old["enum"])):
        found.append(f"{where}: fewer values are allowed now")
    if "const" in new and old.get("const", new) != new["const"]:
        found.append(f"{where}: only {_short(new['const'])} is allowed now")
    for word in (*_NUMBERS, *_COUNTS):
        if word in new:
            up = word.lower().find("min") >= 0
            limit = old.get(word)
            if limit is None or (new[word] > limit if up else new[word] < limit):
                found.append(f"{where}: {word} is {new[word]} now")
    words = ("pattern", "allOf", "anyOf", "oneOf", "not", "$ref", "$defs", "definitions")
    found += [f"{where}: {word} differs" for word in words if word in new and new[word] != old.get(word)]
    old_properties, new_properties = old.get("properties", {}), new.get("properties", {})
    others_old, others_new = old.get("additionalProperties", True), new.get("additionalProperties", True)
    for name, inner in new_properties.items():
        step = f"{place}.{name}" if place else str(name)
        if name in old_properties:
            found += narrowed(old_properties[name], inner, step)
    if others_new is not True and others_new != {}:
        gone = [name for name in old_properties if name not in new_properties]
        found += [f"{place + '.' if place else ''}{name}: it is gone" for name in gone]
        if others_old != others_new and others_old is not False:
            found.append(f"{where}: other fields are restricted now")
    if "items" in new:
        found += narrowed(old.get("items", True), new["items"], f"{place}[]")
    return found


def _types(schema: Mapping[str, Json]) -> set[str] | None:
    said = schema.get("type")
    if said is None:
        return None
    names = set(said) if isinstance(said, list) else {str(said)}
    return names | {"integer"} if "number" in names else names


def fields(value: Json) -> list[tuple[str, str]]:
    """(path, text) of every plain value of a facet, so that it can be asked for: at most 200. The values of a list all stand under
    the list's own path."""
    stack: list[tuple[str, Json, int]] = [("", value, 0)]
    found: dict[tuple[str, str], None] = {}
    while stack and len(found) < _MOST_FIELDS:
        path, item, depth = stack.pop()
        if isinstance(item, Mapping) and depth < 8:
            stack += [
                (f"{path}.{key}" if path else str(key), inner, depth + 1)
                for key, inner in reversed(list(item.items()))
                if not str(key).startswith("_")
            ]
        elif isinstance(item, list) and depth < 8:
            stack += [(path, inner, depth + 1) for inner in reversed(item[:_MOST_FIELDS])]
        elif isinstance(item, bool):
            found[path, "true" if item else "false"] = None
        elif isinstance(item, str | int | float) and path:
            found[path, str(item)] = None
    return list(found)
