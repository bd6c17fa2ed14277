"""Regular expressions that are matched in time proportional to text and pattern, so that no pattern can hold a store up.

Known are `. [abc] [^a-z] | ( ) * + ? {2} {2,} {2,5} ^ $`, `\\d \\w \\s \\D \\W \\S` (ASCII) and `\\` before any sign that means
itself. A pattern is found anywhere in a text unless `^` or `$` bind it. What a program would call lazy, possessive, a look
around or a back reference is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from lineal.core.errors import Invalid

LONGEST = 1000  # characters of a pattern
_MOST_STATES = 5000  # after {m,n} was written out
_MOST_REPEATS = 1000
_MOST_SETS = 2000  # sets of states remembered
_SPECIAL = frozenset("\\.[]|()*+?{}^$")

Test = Callable[[str], bool]


class Pattern:
    """A compiled pattern. `search(text)` tells whether it is found in the text."""

    def __init__(self, text: str) -> None:
        """Raises Invalid: the pattern cannot be read, with the character where; or it is too long."""
        if len(text) > LONGEST:
            raise Invalid(f"a pattern of {len(text)} characters", hint=f"at most {LONGEST} are taken")
        self.text = text
        self._tests: list[Test | None] = []  # by state: what it takes; None where it only goes on
        self._next: list[list[int]] = []
        self._marks: dict[int, str] = {}  # states that only stand at the start or end of the text
        reader = _Reader(text, self._state, self._join, self._mark)
        self._first, self._last = reader.whole()
        self._known: dict[frozenset[int], dict[str, frozenset[int]]] = {}
        self._begin = self._spread([self._first], start=True, end=False)
        self._again = self._spread([self._first], start=False, end=False)

    def search(self, text: str) -> bool:
        """Whether the pattern is found anywhere in the text."""
        now = self._begin if text else self._spread([self._first], start=True, end=True)
        if self._last in now:
            return True
        for char in text:
            cached = self._known.get(now)
            if cached is None:
                if len(self._known) >= _MOST_SETS:
                    self._known.clear()
                cached = self._known[now] = {}
            after = cached.get(char)
            if after is None:
                taken = [goal for state in now if self._takes(state, char) for goal in self._next[state]]
                after = cached[char] = self._spread(taken, start=False, end=False) | self._again
            now = after
            if self._last in now:
                return True
        return self._last in self._spread(list(now), start=not text, end=True)

    def _takes(self, state: int, char: str) -> bool:
        test = self._tests[state]
        return test is not None and test(char)

    def _spread(self, states: list[int], *, start: bool, end: bool) -> frozenset[int]:
        """The states that are reached without taking a character."""
        found: set[int] = set()
        stack = list(states)
        while stack:
            state = stack.pop()
            if state in found:
                continue
            found.add(state)
            mark = self._marks.get(state)
            if (mark == "^" and not start) or (mark == "$" and not end):
                continue
            if self._tests[state] is None:
                stack.extend(self._next[state])
        return frozenset(found)

    def _state(self, test: Test | None) -> int:
        if len(self._tests) >= _MOST_STATES:
            raise Invalid(f"the pattern {self.text[:60]!r} is too large", hint="use smaller repetitions")
        self._tests.append(test)
        self._next.append([])
        return len(self._tests) - 1

    def _join(self, src: int, dst: int) -> None:
        self._next[src].append(dst)

    def _mark(self, state: int, mark: str) -> None:
        self._marks[state] = mark


Piece = tuple[int, int]


class _Reader:
    """Recursive descent over the pattern; builds Thompson's automaton."""

    def __init__(
        self,
        text: str,
        state: Callable[[Test | None], int],
        join: Callable[[int, int], None],
        mark: Callable[[int, str], None],
    ) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._state, self._join, self._mark = state, join, mark

    def whole(self) -> Piece:
        piece = self._either()
        if self._at < len(self._text):
            raise self._stuck("there is no ( before this )")
        return piece

    def _either(self) -> Piece:
        self._depth += 1
        if self._depth > 50:
            raise self._stuck("brackets more than 50 deep")
        pieces = [self._row()]
        while self._take("|"):
            pieces.append(self._row())
        self._depth -= 1
        if len(pieces) == 1:
            return pieces[0]
        begin, end = self._state(None), self._state(None)
        for first, last in pieces:
            self._join(begin, first)
            self._join(last, end)
        return begin, end

    def _row(self) -> Piece:
        begin = end = self._state(None)
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            first, last = self._repeated()
            self._join(end, first)
            end = last
        return begin, end

    def _repeated(self) -> Piece:
        start = self._at
        piece = self._one()
        stop = self._at
        least, most = 1, 1
        if self._take("*"):
            least, most = 0, -1
        elif self._take("+"):
            least, most = 1, -1
        elif self._take("?"):
            least, most = 0, 1
        elif self._at < len(self._text) and self._text[self._at] == "{":
            least, most = self._counts()
        else:
            return piece
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise self._stuck("a repetition of a repetition")
        after = self._at
        found = self._times(start, stop, piece, least, most)
        self._at = after
        return found

    def _times(self, start: int, stop: int, piece: Piece, least: int, most: int) -> Piece:
        """The piece so many times, written out."""
        begin = end = self._state(None)
        copies = max(least, most, 1)
        for number in range(copies):
            if number:
                self._at = start
                piece = self._one()
                assert self._at == stop
            first, last = piece
            self._join(end, first)
            after = self._state(None)
            self._join(last, after)
            if number >= least:
                self._join(end, after)
            if most < 0 and number == copies - 1:
                self._join(after, first)
            end = after
        if most == 0:
            return (lone := self._state(None)), lone
        return begin, end

    def _counts(self) -> tuple[int, int]:
        close = self._text.find("}", self._at)
        said = self._text[self._at + 1 : close] if close > 0 else ""
        low, comma, high = said.partition(",")
        if not low.isdecimal() or (high and not high.isdecimal()) or not said.isascii() or len(said) > 9:
            raise self._stuck("{2}, {2,} or {2,5} is wanted")
        least, most = int(low), int(high) if high else (-1 if comma else int(low))
        if max(least, most) > _MOST_REPEATS or 0 <= most < least:
            raise self._stuck(f"repetitions are ordered and at most {_MOST_REPEATS}")
        self._at = close + 1
        return least, most

    def _one(self) -> Piece:
        char = self._text[self._at] if self._at < len(self._text) else ""
        if char == "(":
            self._at += 1
            if self._take("?:") is False and self._text[self._at : self._at + 1] == "?":
                raise self._stuck("(?...) is not known")
            piece = self._either()
            if not self._take(")"):
                raise self._stuck("this bracket is not closed")
            return piece
        if char in ("^", "$"):
            self._at += 1
            state = self._state(None)
            self._mark(state, char)
            after = self._state(None)
            self._join(state, after)
            return state, after
        test = self._test()
        state, after = self._state(test), self._state(None)
        self._join(state, after)
        return state, after

    def _test(self) -> Test:
        char = self._text[self._at] if self._at < len(self._text) else ""
        if not char or char in "*+?{":
            raise self._stuck("there is nothing to repeat")
        self._at += 1
        if char == ".":
            return lambda given: given != "\n"
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escaped()
        return lambda given: given == char

    def _escaped(self) -> Test:
        char = self._text[self._at : self._at + 1]
        if char in _CLASSES:
            self._at += 1
            return _CLASSES[char]
        if not char or (char.isalnum() and char not in _SIGNS):
            raise self._stuck(f"\\{char} is not known")
        self._at += 1
        wanted = _SIGNS.get(char, char)
        return lambda given: given == wanted

    def _set(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        while True:
            if self._at >= len(self._text):
                raise self._stuck("this [ is not closed")
            if self._text[self._at] == "]" and tests:
                self._at += 1
                break
            tests.append(self._member())
        if negated:
            return lambda given: not any(test(given) for test in tests)
        return lambda given: any(test(given) for test in tests)

    def _member(self) -> Test:
        char = self._text[self._at]
        if char == "\\":
            self._at += 1
            if self._text[self._at : self._at + 1] in _CLASSES:
                return self._escaped()
        low = self._text[self._at : self._at + 1]
        if char == "\\":
            if not low or (low.isalnum() and low not in _SIGNS):
                raise self._stuck(f"\\{low} is not known")
            low = _SIGNS.get(low, low)
        self._at += 1
        if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in (
            "]",
            "",
        ):
            high = self._text[self._at + 1]
            if high == "\\":
                raise self._stuck("a range ends with a plain character")
            if high < low:
                raise self._stuck(f"the range {low}-{high} runs backwards")
            self._at += 2
            return lambda given: low <= given <= high
        return lambda given: given == low

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _stuck(self, why: str) -> Invalid:
        return Invalid(
            f"the pattern {self._text[:200]!r} cannot be read at character {self._at + 1}: {why}",
            hint=r"write \ before a sign that means itself",
        )


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _space(char: str) -> bool:
    return char in " \t\n\r\f\v"


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


_CLASSES: dict[str, Test] = {
    "d": _digit,
    "w": _word,
    "s": _space,
    "D": lambda char: not _digit(char),
    "W": lambda char: not _word(char),
    "S": lambda char: not _space(char),
}
_SIGNS = {"n": "\n", "t": "\t", "r": "\r"}
