from __future__ import annotations

import math
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lineal.journal import append
from lineal.journal.append import Journal
from lineal.journal.read import FileEvent, Frame, Key, Point, Record, read

RUN = "ab" * 16


def frames(journal: Journal | Path) -> list[Frame]:
    path = journal.path if isinstance(journal, Journal) else str(journal)
    found, offset, damage = read(path)
    assert damage is None
    assert offset == os.path.getsize(path)
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.lj"))


def child(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    head = (
        f"import os, sys\nfrom lineal.journal.append import Journal\nj = Journal({str(folder)!r}, {RUN!r})\n"
    )
    return subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, timeout=60)


def test_nothing_is_created_before_the_first_record(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    assert files(tmp_path) == []
    journal.json("tag", key="a", value="b")
    assert len(files(tmp_path)) == 1


def test_a_journal_begins_with_who_writes_it(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN, argv=["python", "x.py"], main=True)
    journal.open()
    first = frames(journal)[0]
    assert isinstance(first, Record)
    assert first.type == "open"
    said = {key: first.fields[key] for key in ("run", "pid", "ppid", "argv", "cwd", "forked", "main")}
    assert said == {
        "run": RUN,
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "argv": ["python", "x.py"],
        "cwd": os.getcwd(),
        "forked": False,
        "main": True,
    }
    assert first.fields["start"] > 0
    assert len(first.fields["boot"]) == 36


def test_records_come_back_as_they_went_in(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    value = {"a": [1, 2.5, None, True, "é\n\ud800"], "deep": {"x": -0.0}}
    journal.json("param", key="lr", value=value, at=7)
    journal.json("tag", key="k", value="v", run="cd" * 16)
    journal.file(1, 2, b"/tmp/\xff\n", (3, 1, 2, 4, 5), "pandas.read_csv", at=9)
    journal.file(2, 1, "/tmp/x")
    _, param, tag, event, bare = frames(journal)
    assert param == Record("param", 7, {"t": "param", "at": 7, "key": "lr", "value": value})
    assert isinstance(tag, Record)
    assert tag.fields["run"] == "cd" * 16
    assert event == FileEvent(1, 2, 9, (3, 1, 2, 4, 5), "pandas.read_csv", b"/tmp/\xff\n")
    assert isinstance(bare, FileEvent)
    assert (bare.stat, bare.path) == (None, b"/tmp/x")


def test_the_run_is_left_out_when_it_is_the_journals_own(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    journal.json("tag", key="k", value="v", run=RUN)
    assert "run" not in frames(journal)[1].fields  # type: ignore[union-attr]


def test_a_point_without_a_step_counts_on_for_its_key(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    for key, step in [("loss", None), ("loss", None), ("auc", None), ("loss", 10), ("loss", None)]:
        journal.metric(key, step, 1.0)
    points = [f for f in frames(journal) if isinstance(f, Point)]
    names = {f.id: f.name for f in frames(journal) if isinstance(f, Key)}
    assert [(names[p.key], p.step) for p in points] == [
        ("loss", 0),
        ("loss", 1),
        ("auc", 0),
        ("loss", 10),
        ("loss", 11),
    ]


def test_values_that_are_no_numbers_round_trip_exactly(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    for value in (math.nan, math.inf, -math.inf, -0.0, 5e-324):
        journal.metric("x", None, value)
    journal.json("param", key="x", value=[math.nan, math.inf, -math.inf])
    got = [f.value for f in frames(journal) if isinstance(f, Point)]
    assert math.isnan(got[0])
    assert got[1:] == [math.inf, -math.inf, -0.0, 5e-324]
    assert math.copysign(1, got[3]) == -1
    value = frames(journal)[-1].fields["value"]  # type: ignore[union-attr]
    assert math.isnan(value[0])
    assert value[1:] == [math.inf, -math.inf]


def test_what_cannot_be_a_point_is_told_and_does_not_raise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    journal = Journal(str(tmp_path), RUN)
    journal.metric("bad", None, "text")  # type: ignore[arg-type]
    journal.metric("bad", 1 << 70, 1.0)
    journal.metric("good", None, 1.0)
    assert "lineal: a point of metric 'bad' was not written" in capsys.readouterr().err
    assert [f.value for f in frames(journal) if isinstance(f, Point)] == [1.0]


def test_a_forked_child_writes_a_file_of_its_own_and_counts_on(tmp_path: Path) -> None:
    code = (
        "j.metric('loss', None, 0.0)\n"
        "if os.fork() == 0:\n    j.metric('loss', None, 1.0); os._exit(0)\n"
        "os.wait(); j.metric('loss', None, 2.0)"
    )
    done = child(tmp_path, code)
    assert (done.returncode, done.stderr) == (0, "")
    found = [frames(path) for path in files(tmp_path)]
    assert sorted(f[0].fields["forked"] for f in found) == [False, True]  # type: ignore[union-attr]
    said = {f[0].fields["forked"]: [(p.step, p.value) for p in f if isinstance(p, Point)] for f in found}  # type: ignore[union-attr]
    assert said == {False: [(0, 0.0), (1, 2.0)], True: [(1, 1.0)]}
    assert all(isinstance(f[1], Key) for f in found)


def test_a_child_that_records_nothing_leaves_no_file(tmp_path: Path) -> None:
    child(tmp_path, "j.open()\nif os.fork() == 0: os._exit(0)\nos.wait()")
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_every_record_that_was_made_survives_a_sudden_end(end: str, tmp_path: Path) -> None:
    child(tmp_path, f"for n in range(500): j.metric('loss', None, n)\n{end}")
    (path,) = files(tmp_path)
    assert [p.value for p in frames(path) if isinstance(p, Point)] == list(range(500))


def test_a_program_that_closes_every_descriptor_goes_on_being_recorded(tmp_path: Path) -> None:
    code = (
        "j.metric('a', None, 1.0); os.closerange(3, 2000)\n"
        f"fd = os.open({str(tmp_path / 'own')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "j.metric('a', None, 2.0); j.json('tag', key='k', value='v'); os.write(fd, b'mine')"
    )
    assert child(tmp_path, code).returncode == 0
    assert (tmp_path / "own").read_bytes() == b"mine"
    values = [p.value for path in files(tmp_path) for p in frames(path) if isinstance(p, Point)]
    assert sorted(values) == [1.0, 2.0]
    assert all(any(isinstance(f, Key) for f in frames(path)) for path in files(tmp_path))


def test_threads_share_a_journal_without_tearing_or_losing_points(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    workers = [
        threading.Thread(target=lambda w=w: [journal.metric(f"k{w % 3}", None, n) for n in range(500)])
        for w in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = frames(journal)
    defined: dict[int, str] = {}
    for frame in found:
        if isinstance(frame, Key):
            defined[frame.id] = frame.name
        elif isinstance(frame, Point):
            assert frame.key in defined
    assert sum(isinstance(f, Point) for f in found) == 3000
    assert set(defined.values()) == {"k0", "k1", "k2"}


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_a_folder_that_cannot_be_written_is_told_once_and_nothing_raises(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    if what == "a file":
        folder.write_text("")
    done = child(
        folder, "for n in range(3):\n    j.metric('a', None, 1); j.json('x'); j.file(1, 1, '/a')\nprint('on')"
    )
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert done.stderr.count("lineal: recording stopped") == 1


def test_a_full_disk_in_the_middle_leaves_a_whole_journal(tmp_path: Path) -> None:
    # A limit on the size of files cuts a write short just as a full disk does.
    code = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "for n in range(200): j.json('tag', key='k', value='x' * 90)\nj.metric('a', None, 1)\nprint('on')"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY or signal.SIGXFSZ
    done = child(tmp_path, code)
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert done.stderr.count("lineal: recording stopped") == 1
    (path,) = files(tmp_path)
    assert 20 < len(frames(path)) < 60


def test_every_journal_is_private_to_its_owner(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    journal.open()
    assert os.stat(journal.path).st_mode & 0o777 == 0o600


def test_a_closed_journal_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), RUN)
    journal.open()
    journal.close()
    assert journal not in append._journals
