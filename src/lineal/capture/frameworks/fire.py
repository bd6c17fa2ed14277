"""fire: the arguments of each function or class on the way to the one that runs."""

from __future__ import annotations

from . import seam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_root: list[Any] = []


def hook(module: ModuleType) -> None:
    """After `fire.core`."""
    seam.before(module, "Fire", _began)

    def parsing(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        function = seam.argument(args, kwargs, 0, "fn")
        spec = module.inspectutils.GetFullArgSpec(function)
        names = spec.args
        prefix = "" if not _root or function is _root[0] else getattr(function, "__name__", "") + "."
        if isinstance(function, type) or getattr(function, "__name__", "") == "<lambda>":
            prefix = ""

        def told(parsed: Any) -> None:
            (given, named), *_ = parsed
            more = {"args": given[len(names) :]} if given[len(names) :] else {}
            usual = dict(spec.kwonlydefaults or {})
            seam.params({**dict(zip(names, given)), **usual, **more, **named}, "fire", prefix)

        return told

    seam.around(module, "_MakeParseFn", lambda original: _telling(original, parsing))


def _began(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _root[:] = [seam.argument(args, kwargs, 0, "component")]


def _telling(original: Any, parsing: Any) -> Any:
    """The maker of parsers, whose parsers tell what they made of the words."""

    def make(*args: Any, **kwargs: Any) -> Any:
        parse = original(*args, **kwargs)
        told = seam.safely(parsing, parse, args, kwargs)

        def call(words: Any) -> Any:
            parsed = parse(words)
            if told is not None:
                seam.safely(told, parsed)
            return parsed

        return call

    return make
