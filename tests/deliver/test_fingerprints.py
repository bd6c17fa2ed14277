"""A file's identity is what it held when it was read, whatever happened to it afterwards."""

from __future__ import annotations

import hashlib
import os

import msgspec

from lineal.core.events import Level
from lineal.service.show import RunDetail

from .conftest import Workshop, named


def gaps(run: RunDetail) -> list[str]:
    """What the run's record says is missing from it."""
    notes = run.facets.get("lineal.notes/1")
    return list(msgspec.convert(notes, dict[str, list[str]])["gaps"]) if notes else []


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


OLD = b"old content, long enough to be told from other files\n" * 3
NEW = b"new content, of the very same length as the old one\n\n" * 3


def test_what_is_rewritten_in_place_was_read_as_it_was_and_written_as_it_is(workshop: Workshop) -> None:
    (workshop.root / "data.txt").write_bytes(OLD)
    run = workshop.python("text = open('data.txt').read()\nopen('data.txt', 'w').write(text.upper())\n")
    assert [f.digest for f in named(run.inputs, "data.txt")] == [sha(OLD)]
    assert [f.digest for f in named(run.outputs, "data.txt")] == [sha(OLD.upper())]


def test_what_was_read_and_then_deleted_is_still_identified(workshop: Workshop) -> None:
    (workshop.root / "data.txt").write_bytes(OLD)
    run = workshop.python("import os\nopen('data.txt').read()\nos.remove('data.txt')\n")
    assert [f.digest for f in named(run.inputs, "data.txt")] == [sha(OLD)]
    assert not named(run.outputs, "data.txt")


def test_what_was_renamed_over_is_identified_before_and_after(workshop: Workshop) -> None:
    (workshop.root / "data.txt").write_bytes(OLD)
    run = workshop.python(
        """
        import os
        open('data.txt').read()
        with open('data.txt.tmp', 'wb') as file:
            file.write(b"new content, of the very same length as the old one\\n\\n" * 3)
        os.replace('data.txt.tmp', 'data.txt')
        """
    )
    assert [f.digest for f in named(run.inputs, "data.txt")] == [sha(OLD)]
    assert [f.digest for f in named(run.outputs, "data.txt")] == [sha(NEW)]
    assert not named(run.outputs, "data.txt.tmp")


def test_appending_uses_what_was_there_and_generates_what_is_there_now(workshop: Workshop) -> None:
    (workshop.root / "log.csv").write_bytes(OLD)
    run = workshop.python("open('log.csv', 'ab').write(b'one more')\n")
    assert [f.digest for f in named(run.inputs, "log.csv")] == [sha(OLD)]
    assert [f.digest for f in named(run.outputs, "log.csv")] == [sha(OLD + b"one more")]


def test_a_same_size_edit_with_its_time_restored_is_another_version(workshop: Workshop) -> None:
    path = workshop.root / "data.txt"
    path.write_bytes(OLD)
    first = workshop.python("open('data.txt').read()\n")
    before = path.stat()
    path.write_bytes(NEW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = workshop.python("open('data.txt').read()\n")
    assert [f.digest for f in named(first.inputs, "data.txt")] == [sha(OLD)]
    assert [f.digest for f in named(second.inputs, "data.txt")] == [sha(NEW)]


def test_a_file_changed_by_somebody_else_meanwhile_is_flagged_and_not_guessed(workshop: Workshop) -> None:
    (workshop.root / "data.txt").write_bytes(OLD)
    run = workshop.python(
        """
        import subprocess
        open('data.txt').read()
        subprocess.run(['sh', '-c', 'echo other > data.txt'])
        """
    )
    [used] = [f for f in named(run.inputs, "data.txt") if f.digest != sha(OLD)] or [None]
    if used is not None:  # unless it was hashed in time, which is right as well
        assert used.level == Level.NONE
        assert "changed" in used.reason


def test_what_a_run_wrote_and_read_again_is_not_its_input(workshop: Workshop) -> None:
    run = workshop.python("open('made.txt', 'w').write('x' * 100)\nopen('made.txt').read()\n")
    assert not named(run.inputs, "made.txt")
    assert len(named(run.outputs, "made.txt")) == 1


def test_names_that_are_no_text_and_hold_newlines_are_kept_exactly(workshop: Workshop) -> None:
    run = workshop.python("open(b'new\\nline \\xff.bin', 'wb').write(b'x' * 80)\n")
    [made] = [f for f in run.outputs if f.path and f.path.startswith("new")]
    assert made.path == "new%0Aline %FF.bin"
    assert made.uri.endswith("/new%0Aline%20%FF.bin")


def test_a_pipe_is_never_opened_or_hashed(workshop: Workshop) -> None:
    os.mkfifo(workshop.root / "pipe")
    run = workshop.python(
        """
        import os
        fd = os.open('pipe', os.O_RDWR | os.O_NONBLOCK)
        os.write(fd, b'x')
        """
    )
    assert run.state == "finished"
    assert not named([*run.outputs, *run.inputs], "pipe")


def test_an_input_that_is_moved_away_is_identified_and_its_new_place_is_written(workshop: Workshop) -> None:
    (workshop.root / "inbox.txt").write_bytes(OLD)
    run = workshop.python("import os\nopen('inbox.txt').read()\nos.rename('inbox.txt', 'done.txt')\n")
    assert [f.digest for f in named(run.inputs, "inbox.txt")] == [sha(OLD)]
    assert [f.digest for f in named(run.outputs, "done.txt")] == [sha(OLD)]


def test_a_folder_written_aside_and_renamed_takes_its_files_along(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import os
        os.mkdir('build.tmp')
        open('build.tmp/part.txt', 'w').write('a part of the result ' * 9)
        os.rename('build.tmp', 'result')
        """
    )
    assert {f.path for f in run.outputs} == {"result/part.txt"}


def test_a_hard_link_is_an_output_and_what_it_links_stays(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import os
        open('one.txt', 'w').write('the same for both ' * 9)
        os.link('one.txt', 'two.txt')
        """
    )
    assert {f.path for f in run.outputs} == {"one.txt", "two.txt"}
    assert len({f.digest for f in run.outputs}) == 1


def test_a_remote_object_with_a_version_of_its_store_is_identified_by_it(workshop: Workshop) -> None:
    from lineal.deliver import sync
    from lineal.journal.append import Journal
    from lineal.resolve.project import ensure

    project = ensure(str(workshop.root))
    journal = Journal(project.journal_dir, "02" * 16)
    journal.json("run", run="02" * 16, job="train", wrapper=False)
    journal.json("url", url="s3://bucket/key.csv", op="read", lib="boto3", version="v123", etag="abc")
    journal.json("url", url="https://example.org/data.csv", op="read", lib="urllib")
    journal.json("end", run="02" * 16, state="finished", exit_code=0)
    sync(project)
    by_uri = {f.uri: f for f in workshop.newest().inputs}
    versioned, plain = by_uri["s3://bucket/key.csv"], by_uri["https://example.org/data.csv"]
    assert versioned.level == Level.NATIVE
    assert ("s3", "bucket/key.csv@v123", "native") in {
        (r.scheme, r.value, r.level) for r in versioned.references
    }
    assert (plain.level, plain.reason) == (Level.NONE, "remote: its version is not known")


def test_a_folder_the_run_made_itself_is_no_input_when_it_is_renamed(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import os
        os.makedirs('build.tmp/deep')
        open('build.tmp/deep/part.txt', 'w').write('a part of the result ' * 9)
        os.rename('build.tmp', 'half')
        os.rename('half/deep', 'result')
        """
    )
    assert run.inputs == []
    assert {f.path for f in run.outputs} == {"result/part.txt"}


def test_a_temporary_file_that_a_later_run_reads_is_its_input(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import tempfile
        with tempfile.NamedTemporaryFile('w', delete=False) as file:
            file.write('handed over to the next step ' * 9)
        with tempfile.NamedTemporaryFile('w') as other:
            other.write('of no use to anybody ' * 9)
        print(file.name, file=open('where.txt', 'w'))
        """,
        name="one.py",
    )
    assert len(run.outputs) == 2
    path = (workshop.root / "where.txt").read_text().strip()
    try:
        later = workshop.python(f"open('end.txt', 'w').write(open({path!r}).read())\n", name="two.py")
    finally:
        os.unlink(path)
    assert [f.made_by for f in named(later.inputs, path)] == [[run.run_id]]


def test_what_is_declared_and_not_there_is_said(workshop: Workshop) -> None:
    run = workshop.python(
        """
        import lineal
        lineal.use('never.csv')
        lineal.save('nothing.bin')
        open('later.bin', 'wb').write(lineal.save('later.bin').encode() * 20)
        """
    )
    assert [f.reason for f in named(run.inputs, "never.csv")] == ["it was not there"]
    assert {f.path for f in run.outputs} == {"later.bin"}
    assert any("nothing.bin" in line for line in gaps(run))
    assert not any("later.bin" in line for line in gaps(run))
