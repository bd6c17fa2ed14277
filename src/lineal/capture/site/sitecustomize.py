# The only file of the folder that `lineal run` puts on PYTHONPATH. Any Python may find it, version 2 included, so it is
# written in what all of them can parse, and starts recording only in CPython 3.9 and later. Nothing may escape from it.
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
import sys


def _start():
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if p != here]
    try:
        if _wanted(os):
            package = type(sys)("_lineal")
            package.__path__ = [os.path.dirname(os.path.dirname(here))]
            sys.modules["_lineal"] = package
            kept, sys.dont_write_bytecode = sys.dont_write_bytecode, False
            try:  # compiled once for each interpreter, in our own folder: else every start costs four times as much
                try:
                    __import__("_lineal.capture.bundle")
                except (EOFError, ValueError, TypeError):  # a compiled file was cut off by a full disk
                    from _frozen_importlib_external import cache_from_source

                    for name in ("__init__.py", "bundle.py"):
                        path = cache_from_source(os.path.join(os.path.dirname(here), name))
                        if os.path.exists(path):
                            os.unlink(path)
                    __import__("_lineal.capture.bundle")
                sys.modules["_lineal.capture.bundle"].load("program", "_lineal")
                __import__("_lineal.capture.start")
                sys.modules["_lineal.capture.start"].begin()
            finally:
                sys.dont_write_bytecode = kept
        elif os.environ.get("LINEAL_RUN") and sys.version_info >= (3, 9) and _own(os):
            try:  # to the preloaded library: what Lineal itself does is no part of the run
                os.open("\x01lineal:off", os.O_RDONLY)
            except OSError:
                pass
    except Exception:
        if "LINEAL_DEBUG" in os.environ:
            raise


def _wanted(os):
    """Whether this process is to be recorded; Lineal's own processes are not."""
    if not os.environ.get("LINEAL_RUN") or sys.version_info < (3, 9) or "_lineal" in sys.modules:
        return False
    return sys.implementation.name == "cpython" and not _own(os)


def _own(os):
    """Whether this process runs Lineal itself."""
    argv = getattr(sys, "orig_argv", None)
    if argv is None:
        with open("/proc/self/cmdline", "rb") as file:
            argv = [os.fsdecode(part) for part in file.read().split(b"\0")]
    rest = iter(argv[1:])
    for part in rest:
        if part in ("-X", "-W", "--check-hash-based-pycs"):
            next(rest, "")
        elif part == "-m":
            return next(rest, "").split(".")[0] == "lineal"
        elif part[:1] != "-" or part in ("-", "-c"):
            return os.path.basename(part) == "lineal"
    return False


def _chain():
    """Run the sitecustomize that would have been found had this one not been here, and leave it in our place."""
    if sys.version_info < (3, 5):
        return
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_start()
_chain()
