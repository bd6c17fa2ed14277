"""Lineal records what a model is and where it came from.

    with lineal.run("train", params={"lr": 0.1}) as run:
        run.log(step=1, loss=0.3)

    lineal.trace("churn@champion")

Every name below is loaded when it is first used, so that `import lineal` costs a training program nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lineal.core.errors import Conflict, Invalid, LinealError, NotFound, Unavailable
    from lineal.sdk.facets import attach, define_facet, facet_faults, facets
    from lineal.sdk.query import (
        alias,
        aliases,
        delete,
        deploy,
        diff,
        fsck,
        health,
        metric,
        register,
        runs,
        show,
        sync,
        trace,
        undeploy,
    )
    from lineal.sdk.questions import (
        columns,
        common,
        conflicts,
        decide,
        files,
        impact,
        inherited,
        joins,
        models,
        path,
        same,
        split,
        versions,
        why,
    )
    from lineal.sdk.run import NoRun, Run, current, log, param, run, save, tag, use
    from lineal.sdk.step import step

_WHERE = {
    "lineal.core.errors": ("Conflict", "Invalid", "LinealError", "NotFound", "Unavailable"),
    "lineal.sdk.facets": ("attach", "define_facet", "facet_faults", "facets"),
    "lineal.sdk.query": (
        *(
            "alias",
            "aliases",
            "delete",
            "deploy",
            "diff",
            "fsck",
            "health",
            "metric",
            "register",
            "runs",
            "show",
        ),
        *("sync", "trace", "undeploy"),
    ),
    "lineal.sdk.questions": (
        "columns",
        "common",
        "conflicts",
        "decide",
        "files",
        "impact",
        "inherited",
        "joins",
        "models",
        "path",
        "same",
        "split",
        "versions",
        "why",
    ),
    "lineal.sdk.run": ("NoRun", "Run", "current", "log", "param", "run", "save", "tag", "use"),
    "lineal.sdk.step": ("step",),
}

__all__ = [
    "Conflict",
    "Invalid",
    "LinealError",
    "NoRun",
    "NotFound",
    "Run",
    "Unavailable",
    "alias",
    "aliases",
    "attach",
    "columns",
    "common",
    "conflicts",
    "current",
    "decide",
    "define_facet",
    "delete",
    "deploy",
    "diff",
    "facet_faults",
    "facets",
    "files",
    "fsck",
    "health",
    "impact",
    "inherited",
    "joins",
    "log",
    "metric",
    "models",
    "param",
    "path",
    "register",
    "run",
    "runs",
    "same",
    "save",
    "show",
    "split",
    "step",
    "sync",
    "tag",
    "trace",
    "undeploy",
    "use",
    "versions",
    "why",
]


def __getattr__(name: str) -> object:
    for module, names in _WHERE.items():
        if name in names:
            from importlib import import_module

            found: object = getattr(import_module(module), name)
            globals()[name] = found
            return found
    if name == "__version__":
        from importlib.metadata import version

        return version("lineal")
    raise AttributeError(f"module 'lineal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", *(name for name in globals() if name.startswith("__"))})
