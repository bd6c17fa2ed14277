"""Steps are joined by what they wrote and read, whatever they are called; folders are one version with their files kept."""

from __future__ import annotations

import shutil
import sys

import pytest

from lineal.service.lineage import TraceRequest

from .conftest import Workshop, named


def labels(workshop: Workshop, ref: str, **more: object) -> set[str]:
    reply = workshop.call("trace", TraceRequest(ref=ref, **more))  # type: ignore[arg-type]
    return {node.label for node in reply.nodes}


WRITE = "import sys\nopen(sys.argv[1], 'w').write('made by the first step ' * 9)\n"
COPY = "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read() + 'and more')\n"


def test_three_scripts_become_one_pipeline(workshop: Workshop) -> None:
    workshop.python(WRITE, "a.txt", name="one.py")
    workshop.python(COPY, "a.txt", "b.txt", name="two.py")
    workshop.python(COPY, "b.txt", "c.txt", name="three.py")
    assert labels(workshop, "c.txt") == {"one.py", "a.txt", "two.py", "b.txt", "three.py", "c.txt"}
    assert labels(workshop, "a.txt", direction="down") == labels(workshop, "c.txt") - {"one.py"}


def test_a_file_copied_by_hand_is_followed_and_marked_as_inferred(workshop: Workshop) -> None:
    workshop.python(WRITE, "a.txt", name="one.py")
    (workshop.root / "elsewhere").mkdir()
    shutil.copy(workshop.root / "a.txt", workshop.root / "elsewhere" / "renamed.txt")
    workshop.python(COPY, "elsewhere/renamed.txt", "c.txt", name="two.py")
    reply = workshop.call("trace", TraceRequest(ref="c.txt"))
    assert "one.py" in {node.label for node in reply.nodes}
    [link] = [edge for edge in reply.edges if edge.kind == "derived"]
    assert (link.evidence, link.rule) == ("inferred", "same-bytes")


def test_a_file_nobody_made_is_a_source_of_unknown_origin(workshop: Workshop) -> None:
    (workshop.root / "given.txt").write_text("from outside " * 20)
    run = workshop.python(COPY, "given.txt", "c.txt")
    [given] = named(run.inputs, "given.txt")
    assert given.origin_unknown
    assert workshop.version("given.txt").origin_unknown


def test_empty_files_join_nothing(workshop: Workshop) -> None:
    workshop.python("open('empty-1', 'w')\n", name="one.py")
    (workshop.root / "empty-2").touch()
    workshop.python("open('empty-2').read()\nopen('c.txt', 'w').write('x' * 99)\n", name="two.py")
    assert "one.py" not in labels(workshop, "c.txt")


def test_running_the_same_pipeline_twice_stays_a_story_without_circles(workshop: Workshop) -> None:
    for _ in range(2):
        workshop.python(WRITE, "a.txt", name="one.py")
        workshop.python(COPY, "a.txt", "b.txt", name="two.py")
    reply = workshop.call("trace", TraceRequest(ref="b.txt"))
    assert len([node for node in reply.nodes if node.type == "version"]) == 2
    assert reply.also
    assert not reply.loops
    assert workshop.version("b.txt").number == 1


def test_a_partitioned_dataset_is_one_version_with_a_manifest(workshop: Workshop) -> None:
    pytest.importorskip("pyarrow")
    write = workshop.python(
        """
        import pandas as pd
        frame = pd.DataFrame({'year': [2020, 2020, 2021, 2021], 'x': [1.0, 2.0, 3.0, 4.0]})
        frame.to_parquet('table', partition_cols=['year'])
        """,
        name="write.py",
    )
    [table] = named(write.outputs, "table")
    read = workshop.python(
        "import pandas as pd\npd.read_parquet('table').to_csv('all.csv')\n",
        name="read.py",
    )
    assert table.version in {file.version for file in read.inputs}
    shown = workshop.version("table")
    assert sorted(member["path"].split("/")[0] for member in shown.members) == ["year=2020", "year=2021"]
    assert "write.py" in labels(workshop, "all.csv")


def test_a_changed_column_is_named_by_the_difference(workshop: Workshop) -> None:
    pytest.importorskip("pyarrow")
    from lineal.service.compare import DiffRequest

    workshop.script(
        "clean.py",
        """
        import sys
        import pandas as pd
        frame = pd.DataFrame({'kept': range(50), 'scaled': [n * float(sys.argv[1]) for n in range(50)]})
        frame.to_parquet('clean.parquet')
        """,
    )
    workshop.script("train.py", "import pandas as pd\npd.read_parquet('clean.parquet').to_csv('model.csv')\n")
    runs = []
    for factor in ("1.0", "2.0"):
        workshop.run(sys.executable, "clean.py", factor)
        workshop.run(sys.executable, "train.py")
        runs.append(workshop.newest().run_id)
    found = workshop.call("diff", DiffRequest(a=f"run:{runs[0]}", b=f"run:{runs[1]}"))
    [changed] = found.change.inputs
    assert [column.key for column in changed.columns] == ["scaled"]
    assert changed.columns_same == 1
    assert [change.job for change in found.upstream] == ["clean.py"]


def test_parameters_of_a_config_file_that_was_read_are_recorded(workshop: Workshop) -> None:
    (workshop.root / "train.yaml").write_text("model:\n  depth: 6\n  name: forest\nseed: 1\n")
    run = workshop.python("open('train.yaml').read()\n")
    found = {param.key: param.value for param in run.params if param.source == "config"}
    assert found == {"train.model.depth": "6", "train.model.name": "forest", "train.seed": "1"}
    assert named(run.inputs, "train.yaml")[0].role == "config"


def test_a_folder_that_a_run_renamed_is_followed_to_its_old_name(workshop: Workshop) -> None:
    (workshop.root / "inbox").mkdir()
    for name in ("1.txt", "2.txt"):
        (workshop.root / "inbox" / name).write_text(f"given to us as {name} " * 9)
    run = workshop.python("import os\nos.rename('inbox', 'done')\n", name="one.py")
    [before], [after] = named(run.inputs, "inbox"), named(run.outputs, "done")
    assert before.digest == after.digest is not None
    workshop.python(COPY, "done/1.txt", "c.txt", name="two.py")
    assert {"inbox", "one.py", "done"} <= labels(workshop, "c.txt")


def test_a_table_written_as_a_folder_is_followed_when_its_files_are_read_one_by_one(
    workshop: Workshop,
) -> None:
    pytest.importorskip("pyarrow")
    workshop.python(
        """
        import pandas as pd
        frame = pd.DataFrame({'year': [2020, 2020, 2021, 2021], 'x': [1.0, 2.0, 3.0, 4.0]})
        frame.to_parquet('table', partition_cols=['year'])
        """,
        name="write.py",
    )
    workshop.python(
        """
        import glob
        parts = sorted(glob.glob('table/year=2021/*.parquet'))
        open('copy.bin', 'wb').write(open(parts[0], 'rb').read() + b'more')
        """,
        name="read.py",
    )
    assert {"write.py", "table"} <= labels(workshop, "copy.bin")
    assert "copy.bin" in labels(workshop, "table", direction="down")


def test_files_written_one_by_one_are_followed_when_their_folder_is_read_as_one(workshop: Workshop) -> None:
    pytest.importorskip("pyarrow")
    workshop.python(
        """
        import os
        os.makedirs('shards/deep')
        for name in ('a.csv', 'deep/b.csv'):
            open(f'shards/{name}', 'w').write('x,y\\n' + f'1,{len(name)}\\n' * 50)
        """,
        name="write.py",
    )
    workshop.python(
        """
        import pyarrow.dataset
        table = pyarrow.dataset.dataset('shards', format='csv').to_table()
        open('count.txt', 'w').write(f'{table.num_rows} rows ' * 20)
        """,
        name="read.py",
    )
    assert {"write.py", "shards/a.csv", "shards/deep/b.csv"} <= labels(workshop, "count.txt")


def test_a_file_that_a_run_only_renamed_is_followed_to_its_old_name(workshop: Workshop) -> None:
    workshop.python(WRITE, "a.txt", name="one.py")
    workshop.python("import os\nos.rename('a.txt', 'b.txt')\n", name="two.py")
    workshop.python(COPY, "b.txt", "c.txt", name="three.py")
    (workshop.root / "given.txt").write_text("given to us by hand " * 9)
    workshop.python("import os\nos.rename('given.txt', 'ours.txt')\n", name="take.py")
    assert labels(workshop, "c.txt") == {"one.py", "a.txt", "two.py", "b.txt", "three.py", "c.txt"}
    assert labels(workshop, "ours.txt") == {"given.txt", "take.py", "ours.txt"}
    assert labels(workshop, "given.txt") == {"given.txt"}


def test_a_table_that_a_run_added_files_to_is_made_from_what_it_was(workshop: Workshop) -> None:
    pytest.importorskip("pyarrow")
    add = """
        import sys, pyarrow, pyarrow.parquet
        pyarrow.parquet.write_to_dataset(pyarrow.table({'a': [int(sys.argv[1])] * 5}), 'table')
        """
    first = workshop.python(add, "1", name="first.py")
    second = workshop.python(add, "2", name="second.py")
    [one], [two] = named(first.outputs, "table"), named(second.outputs, "table")
    assert [file.version for file in named(second.inputs, "table")] == [one.version] != [two.version]
    assert labels(workshop, "table") == {"table", "second.py", "first.py"}
    assert first.inputs == []


def test_a_script_has_one_name_from_wherever_it_is_started(workshop: Workshop) -> None:
    workshop.script("step.py", "print('hello')\n")
    (workshop.root / "below").mkdir()
    workshop.run(sys.executable, "step.py")
    workshop.run(sys.executable, "../step.py", cwd=workshop.root / "below")
    one, two = (workshop.detail(run.run_id) for run in workshop.runs())
    assert one.job == two.job == "step.py"
    assert one.code == two.code is not None
