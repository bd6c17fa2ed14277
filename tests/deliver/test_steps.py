"""Runs opened within a recorded program: what is read and written within them is theirs."""

from __future__ import annotations

from .conftest import Workshop, named


def test_files_and_metrics_within_a_step_belong_to_the_step(workshop: Workshop) -> None:
    workshop.python(
        """
        import lineal

        @lineal.step
        def clean(factor):
            open('clean.txt', 'w').write(open('raw.txt').read() * factor)

        @lineal.step
        def train():
            lineal.log(loss=0.5)
            text = open('clean.txt').read()
            open('model.txt', 'w').write(text.upper())

        open('raw.txt', 'w').write('some raw words ' * 9)
        clean(2)
        train()
        open('report.txt', 'w').write('done ' * 20)
        """
    )
    by_job = {run.job: workshop.detail(run.run_id) for run in workshop.runs()}
    outer = by_job["step.py"]
    clean = next(run for job, run in by_job.items() if job.endswith("clean"))
    train = next(run for job, run in by_job.items() if job.endswith("train"))
    assert {f.path for f in outer.outputs} == {"raw.txt", "report.txt"}
    assert {f.path for f in clean.outputs} == {"clean.txt"}
    assert {f.path for f in train.outputs} == {"model.txt"}
    assert named(train.inputs, "clean.txt")[0].made_by == [clean.run_id]
    assert named(clean.inputs, "raw.txt")[0].made_by == [outer.run_id]
    assert [metric.key for metric in train.metrics] == ["loss"]
    assert {child.job for child in outer.children} == {clean.job, train.job}
    assert [run.state for run in (outer, clean, train)] == ["finished"] * 3


def test_what_several_steps_read_is_an_input_of_each(workshop: Workshop) -> None:
    workshop.script("raw.txt", "some raw words " * 9)
    workshop.python(
        """
        import lineal

        @lineal.step
        def first():
            return second(open('raw.txt').read())

        @lineal.step
        def second(text):
            with open('log.txt', 'a') as file:
                file.write(open('raw.txt').read())

        open('raw.txt').read()
        first()
        open('raw.txt').read()
        second('')
        """
    )
    runs = [workshop.detail(run.run_id) for run in workshop.runs()]
    assert [len(named(run.inputs, "raw.txt")) for run in runs] == [1, 1, 1, 1]
    assert sorted(len(named(run.outputs, "log.txt")) for run in runs) == [0, 0, 1, 1]


def test_a_version_saved_under_a_name_is_found_by_it(workshop: Workshop) -> None:
    workshop.python(
        """
        import lineal
        open('weights.bin', 'w').write('w' * 200)
        lineal.save('weights.bin', name='churn', kind='model')
        lineal.save({'threshold': 0.5}, name='settings')
        """
    )
    assert workshop.version("churn").name == "weights.bin"
    assert workshop.version("churn@1").kind == "model"
    assert workshop.version("settings").made_by[0].job == "step.py"
