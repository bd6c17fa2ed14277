"""`@lineal.step`: each call of a function is a run of its own, below the run it is called in."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, TypeVar, overload

from lineal.sdk import run as _run

F = TypeVar("F", bound=Callable[..., Any])
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    name: str | None = None,
    /,
    *,
    tags: Mapping[str, Any] | None = None,
    group: str | None = None,
    cache: bool = False,
) -> Callable[[F], F]: ...
def step(
    function: Any = None,
    /,
    *,
    tags: Mapping[str, Any] | None = None,
    group: str | None = None,
    cache: bool = False,
) -> Any:
    """Make each call of a function a run, a child of the run it is called in, with the arguments as parameters.

    Written `@lineal.step`, or `@lineal.step("name", tags={...})` to name the job, which else is `script.py:function`. Works on functions, methods,
    coroutines and generators, which run until they are exhausted or closed. What the function raises ends its run as failed and goes on.

    Args:
        cache: do not call the function where an earlier call did the very same (see the guide on recording): what it wrote is put back, and
            what it gave back is given back, which has to be plain values. Only under `lineal run`.
    Raises TypeError: `cache` on a coroutine or a generator.
    """
    if function is None or isinstance(function, str):
        return functools.partial(_wrapped, function, tags, group, cache)
    return _wrapped(None, tags, group, cache, function)


def _wrapped(
    name: str | None,
    tags: Mapping[str, Any] | None,
    group: str | None,
    cache: bool,
    function: Callable[..., Any],
) -> Any:
    inner = getattr(function, "__wrapped__", function)
    flags = getattr(getattr(function, "__code__", getattr(inner, "__code__", None)), "co_flags", 0)

    jobs = [name] if name else []

    def job() -> str:
        if not jobs:
            jobs.append(_job(inner))
        return jobs[0]

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _run.Run:
        values = _arguments(inner, args, kwargs)
        return _run.run(job(), params=values, tags=tags, group=group, kind="step")

    made: Any
    if cache:
        if flags & (_COROUTINE | _ASYNC_GENERATOR | _GENERATOR):
            raise TypeError("cache=True is for plain functions, not for coroutines and generators")

        def made(*args: Any, **kwargs: Any) -> Any:
            from lineal.sdk import cached

            values = _arguments(inner, args, kwargs)
            return cached.call(function, inner, job(), lambda: begin(args, kwargs), values, args, kwargs)
    elif flags & _COROUTINE:
        made = _coroutine(function, begin)
    elif flags & _ASYNC_GENERATOR:
        made = _async_generator(function, begin)
    elif flags & _GENERATOR:
        made = _generator(function, begin)
    else:

        def made(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs):
                return function(*args, **kwargs)

    return functools.wraps(function)(made)


def _coroutine(function: Callable[..., Any], begin: Callable[..., _run.Run]) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> Any:
        with begin(args, kwargs):
            return await function(*args, **kwargs)

    return called


def _generator(function: Callable[..., Any], begin: Callable[..., _run.Run]) -> Callable[..., Any]:
    """Between two values the caller runs, and what it records is not this run's: so the run is open only inside."""

    def called(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        made = begin(args, kwargs)
        _run._open.remove(made)
        inner = function(*args, **kwargs)
        act, given = inner.send, None
        while True:
            try:
                with _inside(made):
                    value = act(given)
            except StopIteration as stop:
                made.end()
                return stop.value
            except BaseException as error:
                made.__exit__(type(error), error, error.__traceback__)
                raise
            try:
                given = yield value
                act = inner.send
            except BaseException as error:  # noqa: BLE001 - whatever it is goes into the generator
                act, given = inner.throw, error

    return called


def _async_generator(function: Callable[..., Any], begin: Callable[..., _run.Run]) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        made = begin(args, kwargs)
        _run._open.remove(made)
        inner = function(*args, **kwargs)
        act, given = inner.asend, None
        while True:
            try:
                with _inside(made):
                    value = await act(given)
            except StopAsyncIteration:
                made.end()
                return
            except BaseException as error:
                made.__exit__(type(error), error, error.__traceback__)
                raise
            try:
                given = yield value
                act = inner.asend
            except BaseException as error:  # noqa: BLE001 - whatever it is goes into the generator
                act, given = inner.athrow, error

    return called


class _inside:  # noqa: N801 - reads as a word in a `with`
    """The run is the innermost one, and neither begins nor ends here."""

    def __init__(self, run: _run.Run) -> None:
        self._run = run

    def __enter__(self) -> None:
        self._token = _run._innermost.set(self._run)

    def __exit__(self, *_: object) -> None:
        _run._innermost.reset(self._token)


def _arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults included; without `self` and `cls`. Read from the code: `inspect` would cost more than the call."""
    code = getattr(function, "__code__", None)
    if code is None:
        return {**{str(number): value for number, value in enumerate(args)}, **kwargs}
    names = code.co_varnames[: code.co_argcount]
    keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    found: dict[str, Any] = dict(
        zip(names[len(names) - len(function.__defaults__ or ()) :], function.__defaults__ or (), strict=True)
    )
    found.update(function.__kwdefaults__ or {})
    found.update(zip(names, args, strict=False))
    if code.co_flags & _VARARGS and len(args) > len(names):
        found[code.co_varnames[len(names) + len(keyword_only)]] = list(args[len(names) :])
    found.update(kwargs)
    if names and names[0] in ("self", "cls") and args:
        found.pop(names[0], None)
    return {
        name: found[name]
        for name in [*(n for n in names if n in found), *(n for n in found if n not in names)]
    }


def _job(function: Any) -> str:
    module = getattr(function, "__module__", None) or ""
    if module == "__main__":
        module = _run._job(_run._project())
    elif module not in sys.modules:
        module = ""
    name = getattr(function, "__qualname__", None) or type(function).__name__
    return f"{module}:{name}" if module else str(name)
