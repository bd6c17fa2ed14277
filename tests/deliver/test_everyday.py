"""Ordinary programs and libraries that no table of ours names: one edge per file and direction, and nothing else."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.deliver.below import files, gaps, needs_library
from tests.deliver.conftest import Workshop

pytestmark = needs_library

# a text for bash, what it reads, what it leaves
SHELL = (
    ("sort -o data.txt data.txt", ["data.txt"], ["data.txt"]),
    ("sort -o old.txt data.txt", ["data.txt"], ["old.txt"]),
    ("sed -i s/a/z/ data.txt", ["data.txt"], ["data.txt"]),
    ("perl -i -pe s/a/z/ data.txt", ["data.txt"], ["data.txt"]),
    ("dd if=data.txt of=old.txt conv=notrunc status=none", ["data.txt", "old.txt"], ["old.txt"]),
    ("dd if=data.txt of=old.txt status=none", ["data.txt"], ["old.txt"]),
    ("cp --reflink=auto data.txt copy.txt", ["data.txt"], ["copy.txt"]),
    ("mv data.txt /dev/shm/$$.txt; mv /dev/shm/$$.txt back.txt", ["data.txt"], ["back.txt"]),
    ("diff <(sort data.txt) <(sort old.txt) > found.txt; true", ["data.txt", "old.txt"], ["found.txt"]),
    ("cat <<X > here.txt\nhello\nX", [], ["here.txt"]),
    ("exec 3<data.txt; cat <&3 > out.txt", ["data.txt"], ["out.txt"]),
    ("coproc cat data.txt; cat <&${COPROC[0]} > out.txt", ["data.txt"], ["out.txt"]),
    ("while read -r line; do echo $line >> log.txt; done < data.txt", ["data.txt"], ["log.txt"]),
    ("tee a.txt b.txt < data.txt > /dev/null", ["data.txt"], ["a.txt", "b.txt"]),
    ("awk '{print > ($1 \".txt\")}' data.txt", ["data.txt"], ["a.txt", "b.txt"]),
    ("gzip data.txt; gunzip data.txt.gz; gzip -k data.txt", ["data.txt"], ["data.txt", "data.txt.gz"]),
    ("tar cf many.tar many; rm -r many; tar xf many.tar", ["many"], ["many", "many.tar"]),
    ("ls many/* | xargs -P 4 -n 30 cat > all.txt", ["many"], ["all.txt"]),
    ("git init -q . && git add data.txt && git show :data.txt > shown.txt", ["data.txt"], ["shown.txt"]),
    ("jq -R . data.txt > lines.json", ["data.txt"], ["lines.json"]),
    ("sqlite3 new.db '.mode csv' '.import data.txt t'; sqlite3 new.db 'select 1' > one.txt", ["data.txt"], ["new.db", "one.txt"]),
    ("zip -q two.zip data.txt old.txt; rm data.txt old.txt; unzip -q two.zip data.txt", ["data.txt", "old.txt"], ["data.txt", "two.zip"]),
    ("openssl dgst -sha256 -out digest.txt data.txt", ["data.txt"], ["digest.txt"]),
    ("truncate -s 2 old.txt; install -m 600 data.txt put.txt", ["data.txt", "old.txt"], ["old.txt", "put.txt"]),
)  # fmt: skip
# a Python program, what it needs, what it reads, what it leaves
PYTHON = (
    ("import shelve\nfor n in range(2):\n    with shelve.open('db') as s: s['a'] = n\n", "dbm.dumb", [], None),
    (("import apsw\nc = apsw.Connection('a.db'); c.execute('create table t(a)'); c.close()\n"
     "list(apsw.Connection('a.db').execute('select * from t'))\n"), "apsw", [], ["a.db"]),
    ("from obstore.store import LocalStore\ns = LocalStore('.'); s.put('out.bin', bytes(s.get('data.txt').bytes()))\n",
     "obstore", ["data.txt"], ["out.bin"]),
    ("import numpy as np\nm = np.memmap('m.bin', 'u1', 'w+', shape=4); m[:] = np.memmap('data.txt', 'u1', 'r')[:4]; m.flush()\n",
     "numpy", ["data.txt"], ["m.bin"]),
    (("import zipfile, glob\nz = zipfile.ZipFile('z.zip', 'w'); [z.write(p) for p in glob.glob('many/*')]; z.close()\n"
     "zipfile.ZipFile('z.zip').extractall('made')\n"), "zipfile", ["many"], ["made/many", "z.zip"]),
    ("import cv2\nv = cv2.FileStorage('fs.yml', cv2.FILE_STORAGE_WRITE); v.write('a', 1); v.release()\n", "cv2", [], ["fs.yml"]),
    ("import os\na = os.open('data.txt', 0); b = os.open('out.txt', os.O_CREAT | os.O_WRONLY); os.copy_file_range(a, b, 4)\n",
     "os", ["data.txt"], ["out.txt"]),
    (("import os\nf = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600); os.write(f, b'x')\n"
     "os.link(f'/proc/self/fd/{f}', 'named.txt', src_dir_fd=0, follow_symlinks=True)\n"), "os", [], ["named.txt"]),
    ("import os\nfor n in range(3):\n    open('new', 'w').write(str(n)); os.rename('new', f'kept{n}.txt')\n",
     "os", [], ["kept0.txt", "kept1.txt", "kept2.txt"]),
    ("import mmap\nf = open('data.txt', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[0:1] = b'z'; m.close()\n",
     "mmap", ["data.txt"], ["data.txt"]),
)  # fmt: skip


def prepare(workshop: Workshop) -> None:
    (workshop.root / "data.txt").write_text("b 2\na 1\n")
    (workshop.root / "old.txt").write_text("b 2\nold content that is longer\n")
    (workshop.root / "many").mkdir()
    for number in range(120):
        (workshop.root / "many" / f"{number}.txt").write_text(f"{number}\n")


@pytest.mark.parametrize(
    ("text", "read", "left"), SHELL, ids=[text.split("\n")[0][:40] for text, _, _ in SHELL]
)
def test_an_ordinary_program_has_one_edge_for_each_file(
    workshop: Workshop, text: str, read: list[str], left: list[str]
) -> None:
    program = text.split()[0]
    if program in ("git", "jq", "sqlite3", "zip", "openssl", "perl") and not shutil.which(program):
        pytest.skip(f"{program} is not installed here")
    prepare(workshop)
    workshop.run("bash", "-c", text)
    done = workshop.newest()
    assert files(done) == (read, left)
    assert gaps(done) == []


@pytest.mark.parametrize(
    ("text", "needed", "read", "left"), PYTHON, ids=[one[0].split(chr(10))[-2][:40] for one in PYTHON]
)
def test_a_library_that_no_table_names_has_one_edge_for_each_file(
    workshop: Workshop, text: str, needed: str, read: list[str], left: list[str] | None
) -> None:
    pytest.importorskip(needed)
    prepare(workshop)
    before = {path.name for path in workshop.root.iterdir()}
    workshop.script("step.py", text)
    workshop.run(sys.executable, "step.py")
    done = workshop.newest()
    there = {path.name for path in workshop.root.iterdir()} - before - {"step.py"}
    assert files(done) == (read, sorted(there) if left is None else left)
    assert gaps(done) == []
