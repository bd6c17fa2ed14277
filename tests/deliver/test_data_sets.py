"""Folders of many files are one version with a manifest, whoever reads or writes them, and however."""

from __future__ import annotations

import os
import time

import pytest

from lineal.core.errors import Invalid, NotFound
from lineal.core.events import VersionUsed
from lineal.deliver.fingerprint import Fingerprints
from lineal.deliver.profiles import Profiles
from lineal.deliver.schemas import Schemas
from lineal.deliver.tracker import Tracker
from lineal.journal import frames
from lineal.resolve.content import manifest_digest, sha256_of, stat_of
from lineal.resolve.project import Project
from lineal.service.file_lineage import FilesRequest
from tests.deliver.below import files, needs_library, sh
from tests.deliver.conftest import Workshop


def images(workshop: Workshop, count: int = 120) -> str:
    """Files of two classes in `images`; gives back the digest that the folder has as a whole."""
    entries = []
    for number in range(count):
        name = f"{('cat', 'dog')[number % 2]}/{number}.jpg"
        path = workshop.root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"picture {number}")
        entries.append((name.encode(), sha256_of(os.fsencode(path))))
    return "sha256:" + manifest_digest(entries)


READ = "import os\nfor folder in os.scandir('images'):\n    for file in os.scandir(folder): open(file.path).read()\n"


def test_images_read_in_a_loop_are_one_input_with_the_digest_of_the_folder(workshop: Workshop) -> None:
    digest = images(workshop)
    done = workshop.python(READ)
    assert files(done) == (["images"], [])
    assert (done.inputs[0].digest, done.inputs[0].via) == (digest, ["audit"])
    assert len(workshop.version("images@1").members) == 120


def test_a_folder_written_file_by_file_is_what_the_next_run_reads(workshop: Workshop) -> None:
    made = workshop.python(
        "import os\nfor c in ('cat', 'dog'):\n    os.makedirs('images/' + c)\n"
        "    for n in range(60): open(f'images/{c}/{n}.jpg', 'w').write(f'{c}{n}')\n"
    )
    assert files(made) == ([], ["images"])
    read = workshop.python(READ)
    assert files(read) == (["images"], [])
    assert read.inputs[0].digest == made.outputs[0].digest
    assert read.inputs[0].made_by == [made.run_id]


def test_workers_of_one_run_read_one_data_set(workshop: Workshop) -> None:
    digest = images(workshop)
    done = workshop.python(
        "import glob, multiprocessing as m\ndef work(path): return len(open(path).read())\n"
        "if __name__ == '__main__':\n    with m.get_context('spawn').Pool(4) as p: p.map(work, glob.glob('images/*/*'))\n"
    )
    assert files(done) == (["images"], [])
    assert done.inputs[0].digest == digest


@needs_library
def test_a_folder_read_by_other_programs_is_one_too(workshop: Workshop) -> None:
    digest = images(workshop)
    done = sh(workshop, "cat images/*/*.jpg > all.txt; tar cf images.tar images")
    assert files(done) == (["images"], ["all.txt", "images.tar"])
    assert done.inputs[0].digest == digest
    assert done.inputs[0].via == ["preload", "cat", "tar"]


def test_a_partitioned_table_read_by_its_hook_and_from_below_is_one_version(workshop: Workshop) -> None:
    pytest.importorskip("pyarrow")
    made = workshop.python(
        "import pandas as pd\npd.DataFrame({'y': [1, 1, 2], 'v': [1, 2, 3]}).to_parquet('t', partition_cols=['y'])\n"
    )
    assert files(made) == ([], ["t"])
    read = workshop.python("import pandas as pd\nassert len(pd.read_parquet('t')) == 3\n")
    assert files(read) == (["t"], [])
    assert read.inputs[0].made_by == [made.run_id]
    parts = workshop.python("import glob\n[open(p, 'rb').read() for p in glob.glob('t/*/*.parquet')]\n")
    assert files(parts) == (["t"], [])


def test_a_chunked_array_is_one_version(workshop: Workshop) -> None:
    made = workshop.python(
        "import os\nos.makedirs('a.zarr/c/0')\nfor n in range(5): open(f'a.zarr/c/0/{n}', 'w').write(str(n))\n"
        "open('a.zarr/zarr.json', 'w').write('{}')\n"
    )
    assert files(made) == ([], ["a.zarr"])
    assert files(workshop.python("open('a.zarr/zarr.json'); open('a.zarr/c/0/1')"))[0] == ["a.zarr"]


def test_only_a_file_that_was_named_stays_an_input_of_its_own_among_many(workshop: Workshop) -> None:
    images(workshop)
    done = workshop.python(READ + "open('images/cat/0.jpg')\n")
    assert files(done)[0] == ["images"]
    (workshop.root / "images" / "cat" / "labels.csv").write_text("1")
    done = workshop.python(READ + "import lineal\nlineal.use('images/cat/labels.csv')\n")
    assert files(done)[0] == ["images", "images/cat/labels.csv"]


def test_from_which_file_a_file_was_made_is_told_as_far_as_it_is_known(workshop: Workshop) -> None:
    images(workshop)
    workshop.script("one.txt", "one picture among many\n" * 3)
    workshop.python(
        """
        import lineal, os

        os.makedirs('small')

        @lineal.step
        def shrink(path):
            with open('small/' + os.path.basename(path), 'w') as file:
                file.write(open(path).read() + ', smaller')

        @lineal.step
        def mix():
            os.makedirs('mixed')
            for n in range(120):
                text = open(f"images/{('cat', 'dog')[n % 2]}/{n}.jpg").read()
                open(f'mixed/{n}.txt', 'w').write(text + open('one.txt').read())

        for n in (3, 5):
            shrink(f'images/dog/{n}.jpg')
        mix()
        """
    )
    up = workshop.call("files", FilesRequest(ref="small/3.jpg"))
    [by] = up.runs
    assert (by.exact, by.rule, [file.version for file in by.files]) == (True, "only", ["images/dog/3.jpg@1"])
    [by] = workshop.call("files", FilesRequest(ref="images/dog/3.jpg", down=True)).runs
    assert (by.exact, [file.version for file in by.files]) == (True, ["small/3.jpg@1"])
    [by] = workshop.call("files", FilesRequest(ref="mixed", path="7.txt", limit=5)).runs
    assert (by.exact, by.rule, len(by.files), by.total) == (False, "run", 5, 121)
    [by] = workshop.call("files", FilesRequest(ref="one.txt", down=True)).runs
    assert (by.exact, by.total) == (False, 120)
    with pytest.raises(Invalid, match="holds 120 files"):
        workshop.call("files", FilesRequest(ref="mixed"))
    with pytest.raises(NotFound, match="no file 'cat/none'"):
        workshop.call("files", FilesRequest(ref="mixed", path="cat/none"))
    assert "each of them may have" in workshop.lineal("files", "mixed", "7.txt").stdout


def test_a_data_set_that_is_read_on_slowly_is_not_told_anew_with_every_part(workshop: Workshop) -> None:
    images(workshop)
    project = Project(str(workshop.root), str(workshop.root / ".lineal"))
    cache = Fingerprints(project)
    tracker = Tracker("0" * 32, project, cache, Schemas(Profiles(str(workshop.root / "profiles"))))
    paths = sorted(str(path).encode() for path in (workshop.root / "images").rglob("*.jpg"))
    now = time.time_ns() // 1000

    def read(some: list[bytes], ago_s: int) -> int:
        for path in some:
            tracker.file(frames.READ, frames.AUDIT, now - ago_s * 1_000_000, stat_of(path), "", path)
        return len(tracker.inputs(final=False))

    assert read(paths[:100], 20) == 1  # nothing more came for seconds
    assert [read(paths[at : at + 5], 10) for at in (100, 105, 110, 115)] == [0, 0, 0, 0]
    (last,) = tracker.inputs()
    assert isinstance(last, VersionUsed)
    assert len(last.version.members) == 120
    cache.close()
