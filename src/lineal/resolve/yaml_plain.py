"""A reader of the YAML that DVC writes: block mappings and sequences, plain and quoted scalars, text blocks, small `[...]`.

Anchors, tags, several documents and complex keys are refused rather than misread. Every scalar is text; an empty one is "".
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

_LARGEST = 64 << 20  # characters
_DEEPEST = 50
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "a": "\a",
    "v": "\v",
    " ": " ",
}


class Unreadable(ValueError):
    """Text that is no YAML of this kind; the text says where."""


def load(text: str) -> Any:
    """The value of a document: nested dict, list and str. Raises Unreadable."""
    if len(text) > _LARGEST:
        raise Unreadable(f"a file of more than {_LARGEST >> 20} MiB")
    return _Reader(text.replace("\r\n", "\n")).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._raw = text.split("\n")
        self._at = 0

    def document(self) -> Any:
        self._skip()
        if self._at < len(self._raw) and self._raw[self._at].rstrip() == "---":
            self._at += 1
            self._skip()
        if self._at == len(self._raw):
            return {}
        value = self._block(_indent(self._raw[self._at]), 0)
        self._skip()
        if self._at < len(self._raw):
            raise self._wrong("what follows does not belong to what came before")
        return value

    def _wrong(self, why: str) -> Unreadable:
        return Unreadable(f"line {self._at + 1}: {why}")

    def _skip(self) -> None:
        while self._at < len(self._raw):
            line = self._raw[self._at].strip()
            if line and not line.startswith("#"):
                if "\t" in self._raw[self._at][: _indent(self._raw[self._at]) + 1]:
                    raise self._wrong("a tab is used to indent")
                return
            self._at += 1

    def _block(self, indent: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise self._wrong("nested too deeply")
        line = self._raw[self._at][indent:]
        if line == "-" or line.startswith("- "):
            return self._sequence(indent, depth)
        if _key(line) is not None:
            return self._mapping(indent, depth)
        self._at += 1
        return self._scalar(line, indent - 1)

    def _sequence(self, indent: int, depth: int) -> List[Any]:
        found: List[Any] = []
        while self._more(indent):
            line = self._raw[self._at]
            rest = line[indent:]
            if not (rest == "-" or rest.startswith("- ")):
                break
            body = rest[1:].lstrip(" ")
            if not body or body.startswith("#"):
                self._at += 1
                found.append(self._below(indent, depth))
            elif _key(body) is not None or body.startswith("- ") or body == "-":
                inner = indent + len(rest) - len(body)
                self._raw[self._at] = " " * inner + body
                found.append(self._block(inner, depth + 1))
            else:
                self._at += 1
                found.append(self._scalar(body, indent))
        return found

    def _mapping(self, indent: int, depth: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        while self._more(indent):
            entry = _key(self._raw[self._at][indent:])
            if entry is None:
                break
            key, rest = entry
            self._at += 1
            if not rest or rest.startswith("#"):
                found[key] = self._below(indent, depth, listed=True)
            else:
                found[key] = self._scalar(rest, indent)
        return found

    def _more(self, indent: int) -> bool:
        """Whether another entry of this very block follows."""
        self._skip()
        if self._at >= len(self._raw):
            return False
        here = _indent(self._raw[self._at])
        if here > indent:
            raise self._wrong("it is indented more than what it stands beside")
        return here == indent

    def _below(self, indent: int, depth: int, *, listed: bool = False) -> Any:
        """The value that stands below its key, "" when none does; a list may stand no deeper than its key."""
        self._skip()
        if self._at >= len(self._raw):
            return ""
        here = _indent(self._raw[self._at])
        line = self._raw[self._at][here:]
        if here > indent or (listed and here == indent and (line == "-" or line.startswith("- "))):
            return self._block(here, depth + 1)
        return ""

    def _scalar(self, text: str, indent: int) -> Any:
        """A scalar that begins with `text` and may go on in lines that are indented more than `indent`."""
        first = text[0]
        if first in "|>":
            return self._text_block(text, indent)
        if first in "\"'":
            return self._quoted(text, indent)
        if first in "[{":
            while _open(text) and self._at < len(self._raw):
                text += " " + self._raw[self._at].strip()
                self._at += 1
            value, end = _flow(text, 0, self, 0)
            if text[end:].strip() and not text[end:].lstrip().startswith("#"):
                raise self._wrong("something follows a closed bracket")
            return value
        if first in "&*!%@`":
            raise self._wrong(f"{first!r} begins something that is not understood here")
        text = _without_comment(text)
        while self._at < len(self._raw):
            line = self._raw[self._at]
            if line.strip() and (_indent(line) <= indent or line.lstrip().startswith("#")):
                break
            if not line.strip() and not self._goes_on(indent):
                break
            text += " " + _without_comment(line.strip())
            self._at += 1
        text = text.strip()
        return "" if text in {"null", "~"} else text

    def _goes_on(self, indent: int) -> bool:
        for line in self._raw[self._at :]:
            if line.strip():
                return _indent(line) > indent
        return False

    def _quoted(self, text: str, indent: int) -> str:
        quote = text[0]
        while (end := _closing(text, quote)) < 0:
            if self._at >= len(self._raw):
                raise self._wrong("a quoted text is not closed")
            line = self._raw[self._at].strip()
            if quote == '"' and text.endswith("\\"):
                text = text[:-1] + line
            else:
                text += " " + line if line else "\n"
            self._at += 1
        rest = text[end + 1 :].strip()
        if rest and not rest.startswith("#"):
            raise self._wrong("something follows a closed quotation mark")
        return _unquoted(text[1:end], quote)

    def _text_block(self, text: str, indent: int) -> str:
        lines: List[str] = []
        deep = -1
        while self._at < len(self._raw):
            line = self._raw[self._at]
            if line.strip():
                if _indent(line) <= indent:
                    break
                deep = _indent(line) if deep < 0 else deep
            lines.append(line[deep:] if deep >= 0 else "")
            self._at += 1
        while lines and not lines[-1].strip():
            lines.pop()
        if not lines:
            return ""
        return ("\n" if text[0] == "|" else " ").join(lines) + ("" if "-" in text else "\n")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _key(line: str) -> "Tuple[str, str] | None":
    """The key of a mapping's entry and what follows on its line; None when the line is none."""
    if not line or line[0] in "[{|>&*!%@`#":
        return None
    if line[0] in "\"'":
        end = _closing(line, line[0])
        rest = line[end + 1 :] if end > 0 else ""
        if not rest.startswith(":") or (len(rest) > 1 and rest[1] != " "):
            return None
        return _unquoted(line[1:end], line[0]), rest[1:].strip()
    if line.startswith(("- ", "? ")):
        return None
    at = line.find(": ")
    if at < 0:
        bare = line.rstrip()
        return (bare[:-1].strip(), "") if bare.endswith(":") and " #" not in bare else None
    if " #" in line[:at]:
        return None
    return line[:at].strip(), line[at + 2 :].strip()


def _closing(text: str, quote: str) -> int:
    """Where the quotation that `text` begins with is closed, -1 when it is not."""
    at = 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 2
            continue
        if text[at] == quote:
            if quote == "'" and text[at + 1 : at + 2] == "'":
                at += 2
                continue
            return at
        at += 1
    return -1


def _unquoted(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("''", "'")
    parts: List[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\":
            parts.append(text[at])
            at += 1
            continue
        sign = text[at + 1 : at + 2]
        length = {"x": 2, "u": 4, "U": 8}.get(sign, 0)
        if length:
            try:
                parts.append(chr(int(text[at + 2 : at + 2 + length], 16)))
            except (ValueError, OverflowError):
                raise Unreadable(f"{text[at : at + 2 + length]!r} is no character") from None
        else:
            parts.append(_ESCAPES.get(sign, sign))
        at += 2 + length
    return "".join(parts)


def _without_comment(text: str) -> str:
    at = text.find(" #")
    return text[:at].rstrip() if at >= 0 else text.rstrip()


def _open(text: str) -> bool:
    """Whether brackets in it are not closed yet."""
    level, quote = 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[{":
            level += 1
        elif sign in "]}":
            level -= 1
    return level > 0 or bool(quote)


def _flow(text: str, at: int, reader: _Reader, depth: int) -> "Tuple[Any, int]":
    """The `[...]` or `{...}` or scalar at a position, and where it ends."""
    if depth > _DEEPEST:
        raise reader._wrong("nested too deeply")
    while text[at : at + 1] == " ":
        at += 1
    sign = text[at : at + 1]
    if sign in ("[", "{"):
        close = "]" if sign == "[" else "}"
        items: List[Any] = []
        pairs: Dict[str, Any] = {}
        at += 1
        while True:
            while text[at : at + 1] in (" ", ","):
                at += 1
            if at >= len(text):
                raise reader._wrong("a bracket is not closed")
            if text[at] == close:
                return (items if sign == "[" else pairs), at + 1
            value, end = _flow(text, at, reader, depth + 1)
            if end == at:
                raise reader._wrong("something in brackets is not understood")
            at = end
            if sign == "[":
                items.append(value)
                continue
            while text[at : at + 1] == " ":
                at += 1
            if text[at : at + 1] == ":":
                pairs[str(value)], at = _flow(text, at + 1, reader, depth + 1)
            else:
                pairs[str(value)] = ""
    if sign in ("'", '"'):
        end = _closing(text[at:], sign)
        if end < 0:
            raise reader._wrong("a quoted text is not closed")
        return _unquoted(text[at + 1 : at + end], sign), at + end + 1
    end = at
    while (
        end < len(text)
        and text[end] not in ",[]{}"
        and not (text[end] == ":" and text[end + 1 : end + 2] in ("", " "))
    ):
        end += 1
    said = text[at:end].strip()
    return ("" if said in {"null", "~"} else said), end
