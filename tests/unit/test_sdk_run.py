"""Runs that a program begins itself: what reaches the journal, and what a program may expect of the calls."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lineal
from lineal.sdk import run as sdk_run
from tests.capture.recorded import Told, one, records

SCRIPT = "import lineal, sys\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is also the working directory; no run surrounds it and no process is started to deliver."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LINEAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LINEAL_DELIVER", "off")
    monkeypatch.setattr(sdk_run, "_surrounding", [])
    return tmp_path


def told(project: Path) -> Told:
    return Told(project, "")


def metrics(project: Path) -> dict[str, list[tuple[int, float]]]:
    return told(project).metrics


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_a_run_has_its_parameters_metrics_tags_and_end(project: Path) -> None:
    with lineal.run(
        "train", name="first", params={"lr": 0.1, "api_key": "x"}, tags={"team": "a"}, group="g"
    ) as run:
        run.log(step=1, loss=0.3)
        run.log(step=2, loss=0.2, auc=0.9)
        run.param("layers", [1, 2])
        run.param(depth=3, path=Path("a/b"))
        run.tag({"stage": "dev"}, owner="me")
    begun = one(project, "run")
    assert (begun["run"], begun["job"], begun["name"], begun["group"]) == (run.id, "train", "first", "g")
    assert begun["params"] == {"lr": 0.1, "api_key": "[REDACTED:key]"}
    assert begun["tags"] == {"team": "a"}
    assert (begun["parent"], begun["wrapper"], begun["project_root"]) == (None, False, str(project))
    assert told(project).params == {"layers": [1, 2], "depth": 3, "path": "a/b"}
    assert [(r["key"], r["value"]) for r in records(project) if r["t"] == "tag"] == [
        ("stage", "dev"),
        ("owner", "me"),
    ]
    assert metrics(project) == {"loss": [(1, 0.3), (2, 0.2)], "auc": [(2, 0.9)]}
    end = one(project, "end")
    assert (end["state"], end["error"]) == ("finished", None)


def test_steps_are_counted_for_each_metric_when_none_is_given(project: Path) -> None:
    with lineal.run("t") as run:
        run.log(a=1.0)
        run.log(a=2.0, b=1.0)
        run.log(a=5.0, step=9)
        run.log({"a": 6.0, "val/loss %": 1})
    assert metrics(project) == {
        "a": [(0, 1.0), (1, 2.0), (9, 5.0), (10, 6.0)],
        "b": [(0, 1.0)],
        "val/loss %": [(0, 1.0)],
    }


def test_nan_and_infinities_are_kept(project: Path) -> None:
    with lineal.run("t") as run:
        for value in (math.nan, math.inf, -math.inf, -0.0, 5e-324):
            run.log(x=value)
    found = [value for _, value in metrics(project)["x"]]
    assert math.isnan(found[0])
    assert found[1:3] == [math.inf, -math.inf]
    assert math.copysign(1, found[3]) == -1
    assert found[4] == 5e-324


@pytest.mark.parametrize(
    ("value", "kept"),
    [(True, 1.0), (3, 3.0), (np.float32(0.5), 0.5), (np.int64(7), 7.0), (np.bool_(True), 1.0), (np.array(2.5), 2.5), (np.array([2.5]), 2.5),
     (Fraction(1, 4), 0.25), (2**53, 2.0**53), (10**400, math.inf)],
)  # fmt: skip
def test_any_single_number_is_a_value(project: Path, value: Any, kept: float) -> None:
    with lineal.run("t") as run:
        run.log(x=value)
    assert metrics(project)["x"] == [(0, kept)]


def test_a_torch_scalar_is_a_value(project: Path) -> None:
    torch = pytest.importorskip("torch")
    with lineal.run("t") as run:
        run.log(x=torch.tensor(1.5, requires_grad=True), y=torch.tensor([2]))
    assert metrics(project) == {"x": [(0, 1.5)], "y": [(0, 2.0)]}


@pytest.mark.parametrize("value", ["0.5", None, 1j, [1.0], {}, np.array([1.0, 2.0]), np.array("a"), object()])
def test_what_is_no_number_is_refused_with_the_key_and_what_was_found(value: Any) -> None:
    with lineal.run("t") as run, pytest.raises(TypeError, match="metric 'loss' must be a number, not "):
        run.log(loss=value)


@pytest.mark.parametrize("step", ["1", 1.5, 2**63, None.__class__])
def test_a_step_that_is_no_whole_number_is_refused(step: Any) -> None:
    with lineal.run("t") as run, pytest.raises(TypeError, match="step must be a whole number"):
        run.log(step=step, loss=1.0)


def test_steps_of_other_integer_types_are_whole_numbers(project: Path) -> None:
    with lineal.run("t") as run:
        run.log(step=np.int32(3), x=1)
        run.log(step=4.0, x=1)
    assert metrics(project)["x"] == [(3, 1.0), (4, 1.0)]


def test_a_whole_number_that_a_float_cannot_hold_is_noted_once(project: Path) -> None:
    with lineal.run("t") as run:
        run.log(rows=2**53 + 1)
        run.log(rows=2**53 + 3)
        run.log(rows=2**60)
    assert str(2**53 + 1) in one(project, "note")["text"]


def test_texts_are_kept_exactly(project: Path) -> None:
    odd = "ünï \x00 \n \udcff \U0001f600"
    with lineal.run(odd, params={odd: odd}) as run:
        run.log({odd: 1.0})
        run.tag(odd, odd)
    begun = one(project, "run")
    assert begun["job"] == odd
    assert begun["params"] == {odd: odd}
    assert list(metrics(project)) == [odd]
    assert one(project, "tag")["value"] == odd


def test_paths_and_uris_are_declared(project: Path) -> None:
    Path("raw.csv").write_text("a\n")
    with lineal.run("t") as run:
        assert run.use("raw.csv", role="config") == "raw.csv"
        run.use("s3://key:secret@bucket/raw.csv?X-Amz-Signature=abc")
        assert run.save(Path("model.bin"), name="churn", kind="model") == Path("model.bin")
    used = [r for r in records(project) if r["t"] == "use"]
    assert (used[0]["path"], used[0]["role"], used[0]["stat"][0]) == (str(project / "raw.csv"), "config", 2)
    assert (
        used[1]["uri"] == "s3://key:[REDACTED:password]@bucket/raw.csv?X-Amz-Signature=[REDACTED:signature]"
    )
    saved = one(project, "save")
    assert (saved["path"], saved["name"], saved["kind"], saved["role"]) == (
        str(project / "model.bin"),
        "churn",
        "model",
        "model",
    )


def test_an_object_is_written_and_declared(project: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression

    with lineal.run("t") as run:
        path = run.save(LinearRegression().fit([[1], [2]], [1, 2]), name="churn model", kind="model")
        other = run.save({"a": 1}, name="settings")
    import joblib

    assert joblib.load(path).coef_ == pytest.approx([1.0])
    assert joblib.load(other) == {"a": 1}
    assert Path(path).is_relative_to(project / ".lineal" / "saved" / run.id)
    model = one(project, "model")
    assert (model["path"], model["framework"], model["class"]) == (
        path,
        "sklearn",
        "sklearn.linear_model._base.LinearRegression",
    )
    assert [r["name"] for r in records(project) if r["t"] == "save"] == ["churn model", "settings"]


def test_a_data_frame_is_declared_by_its_content(project: Path) -> None:
    frame = pytest.importorskip("pandas").DataFrame({"a": [1, 2], "b": ["x", None]})
    with lineal.run("t") as run:
        assert run.use(frame, name="flights") is frame
        run.save(frame, name="clean")
    used, saved = (r for r in records(project) if r["t"] == "frame")
    assert used["digest"] == saved["digest"]
    assert used["digest"].startswith("frame1:")
    assert (used["name"], used["op"], used["rows"], saved["op"]) == ("flights", "read", 2, "write")
    assert [column[:2] for column in used["columns"]] == [["a", "int64"], ["b", "string"]]


def test_what_cannot_be_used_or_saved_is_a_warning_and_the_program_goes_on(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with lineal.run("t") as run:
        run.use(object())
        run.save(lambda: None, name="not picklable")
    said = capfd.readouterr().err
    assert "use of object" in said
    assert "save of function 'not picklable'" in said
    assert one(project, "end")["state"] == "finished"


# --- how a run ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "kind"),
    [(ValueError("bad sk-proj-" + "a1" * 20), "failed", "ValueError"), (KeyboardInterrupt(), "killed", "KeyboardInterrupt"),
     (SystemExit(3), "failed", "SystemExit"), (SystemExit(0), "finished", None)],
)  # fmt: skip
def test_what_leaves_the_block_decides_how_the_run_ended(
    project: Path, error: BaseException, state: str, kind: str | None
) -> None:
    with pytest.raises(type(error)), lineal.run("t"):
        raise error
    end = one(project, "end")
    assert end["state"] == state
    assert (end["error"] or {}).get("type") == kind
    if kind == "ValueError":
        assert end["error"]["message"] == "bad [REDACTED:openai-key]"
        assert "raise error" in end["error"]["traceback"]
        assert "a1a1" not in end["error"]["traceback"]


def run_script(text: str, **more: Any) -> subprocess.CompletedProcess[str]:
    Path("script.py").write_text(SCRIPT + text)
    return subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=60, **more)


def test_a_run_that_nobody_ended_ends_with_the_interpreter(project: Path) -> None:
    assert run_script("run = lineal.run(); run.log(x=1)").returncode == 0
    assert one(project, "run")["job"] == "script.py"
    assert one(project, "end")["state"] == "finished"


def test_a_run_that_nobody_ended_has_failed_when_the_program_did(project: Path) -> None:
    run_script("run = lineal.run('t')\nraise RuntimeError('boom')")
    assert one(project, "end")["error"]["message"] == "boom"


def test_what_was_logged_is_there_after_a_sudden_death(project: Path) -> None:
    run_script(
        "import os\nrun = lineal.run('t')\nfor i in range(1000): run.log(x=i)\nos.kill(os.getpid(), 9)"
    )
    assert len(metrics(project)["x"]) == 1000
    assert [r for r in records(project) if r["t"] == "end"] == []


# --- which run -------------------------------------------------------------------------------------------------------


def test_without_a_run_there_is_an_error_that_names_both_ways() -> None:
    for act in (
        lambda: lineal.log(x=1),
        lambda: lineal.param("a", 1),
        lambda: lineal.use("x"),
        lambda: lineal.tag("a", "b"),
    ):
        with pytest.raises(lineal.NoRun, match=r"lineal run python .*with lineal.run"):
            act()


def test_the_module_functions_act_on_the_innermost_run(project: Path) -> None:
    with lineal.run("outer") as outer:
        lineal.log(a=1)
        with lineal.run("inner") as inner:
            lineal.log(a=2)
            lineal.param("p", 1)
            lineal.tag("stage", "dev")
        lineal.log(a=3)
        assert lineal.current() is outer
    points = [(r["run"], r["value"]) for r in records(project) if r["t"] == "point"]
    assert points == [(outer.id, 1.0), (inner.id, 2.0), (outer.id, 3.0)]
    assert one(project, "param")["run"] == one(project, "tag")["run"] == inner.id
    assert {r["job"]: r["parent"] for r in records(project) if r["t"] == "run"} == {
        "outer": None,
        "inner": outer.id,
    }


def test_inside_lineal_run_the_module_functions_act_on_its_run(project: Path) -> None:
    script = "lineal.log(a=1)\nlineal.use('x.csv')\nwith lineal.run('part') as run: lineal.log(b=1)\n"
    Path("script.py").write_text(SCRIPT + script)
    command = [
        sys.executable,
        "-c",
        "import sys; from lineal.capture.launch import main; sys.exit(main(sys.argv[1:]))",
    ]
    done = subprocess.run([*command, sys.executable, "script.py"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    runs = {r["job"]: r for r in records(project) if r["t"] == "run"}
    points = {r["key"]: r["run"] for r in records(project) if r["t"] == "point"}
    assert points == {"a": runs["script.py"]["run"], "b": runs["part"]["run"]}
    assert runs["part"]["parent"] == runs["script.py"]["run"]
    assert one(project, "use")["run"] == runs["script.py"]["run"]


def test_threads_and_tasks_record_into_the_run_they_belong_to(project: Path) -> None:
    async def task(n: int) -> None:
        with lineal.run(f"task{n}") as run:
            await asyncio.sleep(0.01 * (3 - n))
            assert lineal.current() is run

    async def tasks() -> None:
        await asyncio.gather(*(task(n) for n in range(3)))

    with lineal.run("outer") as outer:
        threads = [threading.Thread(target=lineal.log, kwargs={"x": n}) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(tasks())
    points = [r for r in records(project) if r["t"] == "point"]
    assert {r["run"] for r in points} == {outer.id}
    assert sorted(r["value"] for r in points) == list(range(8))
    assert {r["parent"] for r in records(project) if r["t"] == "run"} == {None, outer.id}


def _work(run: str, number: int) -> None:
    with lineal.run(id=run) as here:
        here.log({f"worker{number}": number})


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_several_processes_write_one_run_and_only_its_owner_ends_it(project: Path, method: Any) -> None:
    context = multiprocessing.get_context(method)
    with lineal.run("t") as run:
        workers = [context.Process(target=_work, args=(run.id, n)) for n in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    assert set(metrics(project)) == {"worker0", "worker1", "worker2"}
    assert {r["run"] for r in records(project)} == {run.id}
    assert one(project, "end")["run"] == run.id
    assert one(project, "run")["job"] == "t"


def test_a_forked_child_that_leaves_the_block_does_not_end_the_run(project: Path) -> None:
    done = run_script(
        "import os\nwith lineal.run('t') as run:\n    pid = os.fork()\n    run.log(x=pid == 0)\nif pid: os.waitpid(pid, 0); print('parent')\n"
    )
    assert done.stdout == "parent\n"
    assert len([r for r in records(project) if r["t"] == "end"]) == 1
    assert sorted(v for _, v in metrics(project)["x"]) == [0.0, 1.0]


def test_a_run_is_gone_on_with_by_its_id(project: Path) -> None:
    run_script("with lineal.run('t') as run: run.log(x=1)\nprint(run.id)")
    first = one(project, "run")["run"]
    with lineal.run("t", id=f"run:{first}") as run:
        run.log(x=2)
    assert run.id == first
    assert [r["run"] for r in records(project) if r["t"] == "run"] == [first, first]
    assert len([r for r in records(project) if r["t"] == "end"]) == 2


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        lineal.run(id="abc")


# --- steps -----------------------------------------------------------------------------------------------------------


def test_a_step_is_a_child_run_with_the_arguments_as_parameters(project: Path) -> None:
    @lineal.step
    def clean(path: str, *more: int, rate: float = 0.5, **rest: int) -> str:
        "Cleans."
        lineal.log(rows=3)
        return path + "!"

    with lineal.run("pipeline") as run:
        assert clean("raw", 1, 2, depth=4) == "raw!"
    assert clean.__name__ == "clean"
    assert clean.__doc__ == "Cleans."
    step = next(r for r in records(project) if r["t"] == "run" and r["kind"] == "step")
    assert step["parent"] == run.id
    assert step["params"] == {"path": "raw", "more": [1, 2], "rate": 0.5, "depth": 4}
    assert step["job"].endswith("clean")
    assert next(r for r in records(project) if r["t"] == "point")["run"] == step["run"]


def test_a_step_may_have_a_name_and_tags_and_stand_alone(project: Path) -> None:
    @lineal.step("cleaning", tags={"team": "a"})
    def clean() -> int:
        return 1

    @lineal.step()
    def other() -> int:
        return clean() + 1

    assert other() == 2
    jobs = {r["job"]: r for r in records(project) if r["t"] == "run"}
    assert jobs["cleaning"]["tags"] == {"team": "a"}
    assert jobs["cleaning"]["parent"] == next(r["run"] for job, r in jobs.items() if job != "cleaning")


def test_a_method_step_leaves_self_out_and_large_arguments_are_named_not_copied(project: Path) -> None:
    class Pipeline:
        @lineal.step
        def fit(self, frame: Any, names: list[int]) -> None:
            pass

    Pipeline().fit(np.zeros((1000, 5)), list(range(5000)))
    assert one(project, "run")["params"] == {"frame": "ndarray (1000 x 5)", "names": "list (5000 items)"}


def test_a_step_that_fails_is_a_failed_run_and_the_error_goes_on(project: Path) -> None:
    @lineal.step
    def fails() -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        fails()
    assert one(project, "end")["error"]["type"] == "OSError"


def test_a_coroutine_step_is_one_run_from_start_to_end(project: Path) -> None:
    @lineal.step
    async def fetch(n: int) -> int:
        await asyncio.sleep(0)
        lineal.log(n=n)
        return n

    async def main() -> list[int]:
        return await asyncio.gather(fetch(1), fetch(2))

    assert asyncio.run(main()) == [1, 2]
    runs = {r["run"]: r["params"]["n"] for r in records(project) if r["t"] == "run"}
    assert {runs[r["run"]]: r["value"] for r in records(project) if r["t"] == "point"} == {1: 1.0, 2: 2.0}


def test_a_generator_step_is_open_only_while_it_runs(project: Path) -> None:
    @lineal.step
    def batches(n: int) -> Any:
        got = []
        for i in range(n):
            lineal.log(inside=i)
            got.append((yield i))
        return got

    with lineal.run("outer") as outer:
        generator = batches(2)
        assert next(generator) == 0
        lineal.log(outside=1)
        assert generator.send("a") == 1
        with pytest.raises(StopIteration) as stop:
            generator.send("b")
        assert stop.value.value == ["a", "b"]
        closed = batches(5)
        next(closed)
        closed.close()
    by = {r["run"]: r["job"] for r in records(project) if r["t"] == "run"}
    assert {by[r["run"]] for r in records(project) if r.get("key") == "outside"} == {"outer"}
    assert outer.id not in {r["run"] for r in records(project) if r.get("key") == "inside"}
    assert [r["state"] for r in records(project) if r["t"] == "end"] == ["finished"] * 3


def test_an_async_generator_step_works_too(project: Path) -> None:
    @lineal.step
    async def ticks(n: int) -> Any:
        for i in range(n):
            lineal.log(i=i)
            yield i

    async def main() -> list[int]:
        return [i async for i in ticks(3)]

    assert asyncio.run(main()) == [0, 1, 2]
    assert one(project, "end")["state"] == "finished"
    assert len(metrics(project)["i"]) == 3


# --- never in the way ------------------------------------------------------------------------------------------------


def test_without_a_writable_place_everything_works_and_one_warning_is_said(project: Path) -> None:
    text = "with lineal.run('t') as run:\n    run.log(x=1); run.param('a', 1); run.use('x'); run.save('y'); lineal.log(z=2)\nprint('on')"
    done = run_script(text, env={**os.environ, "LINEAL_DIR": "/proc/nowhere"})
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert done.stderr.count("lineal:") == 1
    assert "nothing is recorded" in done.stderr


def test_a_journal_that_vanishes_is_no_error(project: Path) -> None:
    text = "import shutil\nwith lineal.run('t') as run:\n    run.log(x=1)\n    shutil.rmtree('.lineal')\n    run.log(x=2)\nprint('on')"
    assert run_script(text).stdout == "on\n"


def test_one_process_that_delivers_is_started_and_the_program_has_no_child_of_it(project: Path) -> None:
    text = """
import os, lineal.sdk.deliverer as d
seen = []
os.posix_spawn, real = (lambda *a, **k: seen.append((a, k)) or real("/bin/true", ["true"], {})), os.posix_spawn
for _ in range(3):
    with lineal.run('t') as run: run.log(x=1)
print(len(seen), seen[0][0][1][-3:-1], seen[0][1]['setsid'], 'LINEAL_RUN' in seen[0][0][2])
try: os.waitpid(-1, os.WNOHANG)
except ChildProcessError: print('no child')
"""
    done = run_script(text, env={k: v for k, v in os.environ.items() if k != "LINEAL_DELIVER"})
    assert done.stdout.splitlines() == [
        f"1 ['{sys.executable}', '{project}/.lineal'] True False",
        "no child",
    ], done.stderr


def test_importing_lineal_imports_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import lineal; print(set(sys.modules) - before - {'__future__'}); lineal.run, lineal.step"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "{'lineal'}\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        lineal.nothing  # noqa: B018
    assert set(lineal.__all__) <= set(dir(lineal))


def test_logging_from_many_threads_loses_and_mixes_nothing(project: Path) -> None:
    def work(run: lineal.Run) -> Callable[[int], None]:
        return lambda n: [run.log({f"k{n}": i}) for i in range(200)] and None

    with lineal.run("t") as run, concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work(run), range(8)))
    assert {key: [v for _, v in points] for key, points in metrics(project).items()} == {
        f"k{n}": list(range(200)) for n in range(8)
    }
