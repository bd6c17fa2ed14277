"""What programs do to files is seen below any library: compiled ones, shells, and libraries that no table of ours names."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.deliver.below import c, compiled, files, gaps, needs_library, put, sh
from tests.deliver.conftest import LINEAL, Workshop, named

pytestmark = needs_library


def test_a_shell_script_of_ordinary_programs_is_recorded_without_naming_a_file(workshop: Workshop) -> None:
    put(workshop.root, data="b 2\na 1\n")
    (workshop.root / "steps.sh").write_text(
        "sort data.txt > sorted.txt\ncp sorted.txt copy.txt\nmv copy.txt moved.txt\nawk '{print $2}' < moved.txt > second.txt\n"
        "dd if=second.txt of=dd.txt 2>/dev/null\ntar cf all.tar sorted.txt\nrm second.txt\necho more >> moved.txt\n"
    )
    workshop.run("sh", "steps.sh")
    done = workshop.newest()
    assert files(done) == (["data.txt"], ["all.tar", "dd.txt", "moved.txt", "sorted.txt"])
    assert named(done.inputs, "data.txt")[0].via == ["preload", "sort"]
    assert named(done.inputs, "data.txt")[0].evidence == "observed"
    assert gaps(done) == []
    programs = {os.path.basename(p["program"]) for p in done.facets["lineal.processes/1"]["processes"]}
    assert {"sort", "cp", "mv", "dd", "tar", "rm"} <= programs


def test_one_edge_names_every_layer_that_saw_the_file(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    done = workshop.python(
        "import subprocess\nopen('data.txt').read()\nsubprocess.run(['sort', 'data.txt', '-o', 'out.txt'], check=True)\n"
        "open('out.txt', 'a').write('c')\n"
    )
    assert files(done) == (["data.txt"], ["out.txt"])
    assert done.inputs[0].via[:2] == ["audit", "preload"]
    assert set(named(done.outputs, "out.txt")[0].via[:2]) == {"audit", "preload"}


def test_a_reader_that_no_table_names_is_seen_at_work(workshop: Workshop) -> None:
    """Polars, written in Rust, with our hooks for it taken away."""
    pytest.importorskip("polars")
    done = workshop.python(
        "import sys\nsys.modules['_lineal.capture.imports']._waiting.pop('polars', None)\nimport polars as pl\n"
        "pl.DataFrame({'a': [1, 2]}).write_parquet('made.parquet')\n"
        "open('in.csv', 'w').write('x\\n1\\n')\n"
    )
    assert files(done)[1] == ["in.csv", "made.parquet"]
    done = workshop.python(
        "import sys\nsys.modules['_lineal.capture.imports']._waiting.pop('polars', None)\nimport polars as pl\n"
        "pl.read_csv('in.csv').join(pl.read_parquet('made.parquet'), how='cross').write_ipc('out.arrow')\n"
    )
    assert files(done) == (["in.csv", "made.parquet"], ["out.arrow"])
    assert {file.via[0] for file in [*done.inputs, *done.outputs]} == {"preload"}


def test_every_way_of_the_c_library_to_open_a_file_is_seen(workshop: Workshop) -> None:
    for number in range(1, 7):
        put(workshop.root, **{f"i{number}": str(number)})
    done = c(
        workshop,
        """open("i1.txt", O_RDONLY); open64("i2.txt", O_RDONLY); openat(AT_FDCWD, "i3.txt", O_RDONLY); fopen("i4.txt", "r");
        fopen64("i5.txt", "rb"); freopen("i6.txt", "r", stdin);
        write(creat("o1.txt", 0600), "x", 1); FILE *f = fopen("o2.txt", "w"); fputs("x", f); fclose(f);
        char name[] = "o3XXXXXX"; write(mkstemp(name), "x", 1); rename(name, "o3.txt");
        truncate("i1.txt", 0); write(open("o4.txt", O_RDWR | O_CREAT, 0600), "x", 1);""",
    )
    inputs, outputs = files(done)
    assert inputs == ["i1.txt", "i2.txt", "i3.txt", "i4.txt", "i5.txt", "i6.txt"]
    assert outputs == ["i1.txt", "o1.txt", "o2.txt", "o3.txt", "o4.txt"]


def test_what_is_opened_for_a_program_as_it_is_started_is_seen(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n", out="old")
    done = c(
        workshop,
        """posix_spawn_file_actions_t opens; posix_spawn_file_actions_init(&opens);
        posix_spawn_file_actions_addopen(&opens, 0, "data.txt", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&opens, 1, "out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        pid_t child; char *words[] = {"sort", 0}; extern char **environ;
        if (posix_spawnp(&child, "sort", &opens, 0, words, environ)) return 1;
        posix_spawn_file_actions_destroy(&opens); waitpid(child, 0, 0);""",
    )
    assert files(done) == (["data.txt"], ["out.txt"])
    assert (workshop.root / "out.txt").read_text() == "a\nb\n"


def test_a_text_that_a_program_was_started_to_run_is_code_whatever_its_name(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    texts = {
        "named": "#!/bin/sh\nsort data.txt\n",
        "plain": "sort data.txt\n",
        "given": "sort data.txt\n",
        "prog": "{print}\n",
    }
    for name, text in texts.items():
        (workshop.root / name).write_text(text)
        (workshop.root / name).chmod(0o755)
    done = sh(workshop, "./named > 1.txt; ./plain > 2.txt; sh given > 3.txt; awk -f prog data.txt > 4.txt")
    assert files(done) == (["data.txt"], ["1.txt", "2.txt", "3.txt", "4.txt"])
    assert set(done.facets["lineal.sources/1"]["files"]) == set(texts)


def test_a_file_that_is_the_standard_input_is_an_input(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n")
    with (workshop.root / "data.txt").open() as file:
        workshop.run("sort", "-o", "out.txt", stdin=file)
    done = workshop.newest()
    assert files(done) == (["data.txt"], ["out.txt"])
    assert done.inputs[0].via == ["descriptor"]


def test_archives_are_one_input_however_many_members_are_read(workshop: Workshop) -> None:
    with zipfile.ZipFile(workshop.root / "data.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.csv", str(number))
    sh(workshop, "echo 1 > a.txt; tar cf data.tar a.txt")
    done = workshop.python(
        "import zipfile, tarfile\n[zipfile.ZipFile('data.zip').read(f'{n}.csv') for n in range(20)]\n"
        "tarfile.open('data.tar').extractfile('a.txt').read()\n"
    )
    assert files(done)[0] == ["data.tar", "data.zip"]
    done = sh(workshop, "tar xOf data.tar a.txt > out.txt")
    assert files(done) == (["data.tar"], ["out.txt"])


def test_a_memory_map_is_the_file_it_maps(workshop: Workshop) -> None:
    put(workshop.root, data="mapped")
    done = c(
        workshop,
        """int in = open("data.txt", O_RDONLY); char *from = mmap(0, 6, PROT_READ, MAP_PRIVATE, in, 0); close(in);
        int out = open("out.txt", O_RDWR | O_CREAT, 0600); ftruncate(out, 6);
        char *to = mmap(0, 6, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0); close(out); memcpy(to, from, 6);""",
    )
    assert files(done) == (["data.txt"], ["out.txt"])
    assert named(done.inputs, "data.txt")[0].digest == named(done.outputs, "out.txt")[0].digest


def test_names_relative_to_a_folder_are_understood_wherever_the_program_stands(workshop: Workshop) -> None:
    for folder in ("a", "b"):
        (workshop.root / folder).mkdir()
        put(workshop.root / folder, data=folder)
    done = c(
        workshop,
        """int a = open("a", O_RDONLY | O_DIRECTORY); openat(a, "data.txt", O_RDONLY); chdir("b");
        write(openat(a, "../b/./out.txt", O_WRONLY | O_CREAT, 0600), "x", 1); open("data.txt", O_RDONLY);
        renameat(AT_FDCWD, "out.txt", a, "out.txt");""",
    )
    assert files(done) == (["a/data.txt", "b/data.txt"], ["a/out.txt"])
    done = workshop.python(
        "import os\nfd = os.open('a', os.O_RDONLY)\nos.chdir('b')\nos.open('../b/data.txt', 0)\n"
        "os.write(os.open('made.txt', os.O_WRONLY | os.O_CREAT, dir_fd=fd), b'x')\n"
        "os.rename('out.txt', 'other.txt', src_dir_fd=fd, dst_dir_fd=fd)\n"
    )
    assert files(done) == (["a/out.txt", "b/data.txt"], ["a/made.txt", "a/other.txt"])


def test_the_name_of_a_link_is_no_content(workshop: Workshop) -> None:
    (workshop.root / "runs").mkdir()
    put(workshop.root / "runs", data="x")
    links = "ln -s runs latest; ln -s nothing log.1; mv log.1 log; ln -s runs/data.txt old.1"
    subprocess.run(["sh", "-c", "ln -s runs/data.txt there"], cwd=workshop.root, check=True)
    assert files(sh(workshop, f"{links}; mv there here; rm old.1")) == (["runs/data.txt"], [])
    made = "import os\nos.symlink('runs', 'newest'); os.symlink('nothing', 'a'); os.rename('a', 'b'); os.rename('here', 'back')\n"
    assert files(workshop.python(made)) == ([], [])


def test_links_lead_to_what_they_were_made_from(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    done = sh(workshop, "ln data.txt hard.txt; ln -s data.txt soft.txt; cat soft.txt hard.txt > out.txt")
    inputs, outputs = files(done)
    assert (inputs, "out.txt" in outputs) == (["data.txt"], True)
    assert set(outputs) <= {"hard.txt", "soft.txt", "out.txt"}


def test_copies_made_by_the_kernel_have_both_ends(workshop: Workshop) -> None:
    put(workshop.root, data="x" * 100)
    done = c(
        workshop,
        """int in = open("data.txt", O_RDONLY), out = open("range.txt", O_WRONLY | O_CREAT, 0600);
        copy_file_range(in, 0, out, 0, 100, 0); lseek(in, 0, SEEK_SET);
        sendfile(open("send.txt", O_WRONLY | O_CREAT, 0600), in, 0, 100);""",
    )
    assert files(done) == (["data.txt"], ["range.txt", "send.txt"])
    digest = named(done.inputs, "data.txt")[0].digest
    assert {file.digest for file in done.outputs} == {digest}


def test_a_file_written_under_a_temporary_name_is_known_by_its_last(workshop: Workshop) -> None:
    put(workshop.root, data="b\na\n", target="old")
    done = sh(workshop, "sort data.txt > .part-1; mv .part-1 target.txt; sort -o data.txt data.txt")
    assert files(done) == (["data.txt"], ["data.txt", "target.txt"])


@pytest.mark.parametrize(
    "command",
    [
        "sort -o data.txt data.txt",
        "sed -i s/a/c/ data.txt",
        "cat data.txt > kept; sort kept > data.txt",
        "cat data.txt > kept; sort kept > new; mv new data.txt",
        "awk 1 data.txt | tail -c 1 >> data.txt",
    ],
)
def test_what_a_program_overwrites_keeps_its_identity(command: str, workshop: Workshop) -> None:
    content = "b\na\n" + "x" * 100_000
    put(workshop.root, data=content)
    done = sh(workshop, command)
    digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
    assert named(done.inputs, "data.txt")[0].digest == digest
    assert named(done.outputs, "data.txt")[0].digest not in {digest, None}


def test_a_file_that_had_no_name_is_an_output_when_it_gets_one(workshop: Workshop) -> None:
    text = """int fd = open(".", O_TMPFILE | O_RDWR, 0600); if (fd < 0) return 77; write(fd, "x", 1);
        char from[64]; sprintf(from, "/proc/self/fd/%d", fd); return linkat(AT_FDCWD, from, AT_FDCWD, "out.txt", AT_SYMLINK_FOLLOW);"""
    done = workshop.run(compiled(workshop, text), check=False)
    if done.returncode == 77:
        pytest.skip("this file system makes no files without a name")
    assert files(workshop.newest()) == ([], ["out.txt"])
    done = workshop.python(
        "import os\nfd = os.open('.', os.O_TMPFILE | os.O_RDWR)\nos.write(fd, b'y')\n"
        "os.link(f'/proc/self/fd/{fd}', 'py.txt', src_dir_fd=0)\n"
    )
    assert files(done) == ([], ["py.txt"])


def test_what_was_removed_again_is_no_output_and_what_was_read_before_stays_an_input(
    workshop: Workshop,
) -> None:
    put(workshop.root, data="x")
    done = c(
        workshop,
        """open("data.txt", O_RDONLY); unlink("data.txt"); close(creat("gone.txt", 0600)); remove("gone.txt");
        close(creat("also.txt", 0600)); unlinkat(AT_FDCWD, "also.txt", 0);""",
    )
    assert files(done) == (["data.txt"], [])


def test_the_programs_of_a_child_that_left_its_folder_and_parent_are_recorded(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    (workshop.root / "sub").mkdir()
    done = c(
        workshop,
        """if (vfork() == 0) { execlp("cp", "cp", "data.txt", "v.txt", (char *)0); _exit(1); } wait(0);
        if (fork() == 0) { chdir("sub"); execl("/bin/cp", "cp", "../data.txt", "f.txt", (char *)0); } wait(0);
        if (fork() == 0) { open("v.txt", O_RDONLY); write(creat("own.txt", 0600), "x", 1); _exit(0); } wait(0);
        system("cp data.txt s.txt"); pclose(popen("cp data.txt p.txt", "r")); write(creat("last.txt", 0600), "x", 1);""",
    )
    assert files(done) == (["data.txt"], ["last.txt", "own.txt", "p.txt", "s.txt", "sub/f.txt", "v.txt"])


def test_an_interpreter_that_ignores_its_environment_is_still_seen_from_below(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    workshop.script("step.py", "import json; open('out.txt', 'w').write(open('data.txt').read())")
    workshop.run(sys.executable, "-I", "step.py")
    done = workshop.newest()
    assert files(done) == (["data.txt"], ["out.txt"])
    said = f"not observed inside: {sys.executable} -I does not let Lineal in"
    assert gaps(done) == [f"{said}; its files are recorded, its parameters and metrics are not"]


def test_a_program_linked_statically_is_not_seen_and_the_record_says_so(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    static = compiled(workshop, 'write(creat("out.txt", 0600), "x", 1);', "-static", name="static")
    workshop.run(static)
    assert gaps(workshop.newest()) == [f"not observed inside: {static}: it is linked statically"]
    done = sh(workshop, f"cat data.txt > copy.txt; {static}")
    assert gaps(done) == [f"not observed inside: {static}: it is linked statically"]
    assert files(done) == (["data.txt"], ["copy.txt"])
    health = workshop.lineal("health", "copy.txt").stdout
    assert "observed inside         0 of 1" in health
    assert "linked statically" in health


def test_what_a_run_leaves_running_is_delivered_when_it_has_ended_and_leaves_nothing_behind(
    workshop: Workshop,
) -> None:
    put(workshop.root, data="x")
    left = "exec >/dev/null 2>&1; read x < data.txt; while ! test -e go; do :; done; cat data.txt > late.txt; : > end"
    done = sh(workshop, f"({left}) & echo x > now.txt")
    assert (done.state, "late.txt" in files(done)[1]) == ("finished", False)
    (workshop.root / "go").touch()
    journals = workshop.root / ".lineal" / "journal"
    wait = f'while test -n "$(ls {journals})"; do {LINEAL[0]} -m lineal sync >/dev/null; done'
    subprocess.run(["sh", "-c", wait], cwd=workshop.root, env=workshop.environment, check=True, timeout=100)
    after = workshop.detail(done.run_id)
    assert (after.state, "late.txt" in files(after)[1]) == ("finished", True)


def test_where_no_compiler_is_the_run_says_what_was_not_observed(workshop: Workshop) -> None:
    put(workshop.root, data="x")
    tools = workshop.root / "tools"
    tools.mkdir()
    for tool in ("cat", "sh"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    bare = {"XDG_CACHE_HOME": str(workshop.root / "cache"), "PATH": str(tools), "CC": ""}
    workshop.script("step.py", "import subprocess; subprocess.run(['cat', 'data.txt'], stdout=-3)")
    workshop.run(sys.executable, "step.py", env=bare)
    done = workshop.newest()
    assert gaps(done) == ["files of non-Python children not observed"]
    assert named(done.inputs, "data.txt")[0].evidence == "inferred"
    assert done.facets["lineal.processes/1"]["layers"] == {"missing": "there is no C compiler"}
    workshop.run("sh", "-c", f"{sys.executable} step.py", env=bare)
    done = workshop.newest()
    assert gaps(done) == ["files of non-Python children not observed"]
    assert (
        "files of non-Python children not observed" in workshop.lineal("health", f"run:{done.run_id}").stdout
    )
