"""When the files of a folder are one data set."""

from __future__ import annotations

from lineal.deliver.fold import FEWEST, folders

ROOT = b"/p"


def many(folder: bytes, ending: bytes = b".jpg", count: int = FEWEST) -> list[bytes]:
    return [folder + b"/%d" % number + ending for number in range(count)]


def test_a_folder_of_many_files_is_one_and_of_few_is_not() -> None:
    assert set(folders(many(b"/p/images"), ROOT).values()) == {b"/p/images"}
    assert folders(many(b"/p/images", count=FEWEST - 1), ROOT) == {}


def test_sibling_folders_of_one_kind_are_one_up_to_the_highest_that_holds_nothing_else() -> None:
    paths = [
        *many(b"/p/d/train/cat"),
        *many(b"/p/d/train/dog", count=3),
        *many(b"/p/d/val/cat", count=2),
        *many(b"/p/d/val/dog", count=2),
    ]
    assert set(folders(paths, ROOT).values()) == {b"/p/d"}
    labelled = folders([*paths, b"/p/d/labels.csv"], ROOT)
    assert b"/p/d/labels.csv" not in labelled
    assert labelled[b"/p/d/train/dog/1.jpg"] == b"/p/d/train"


def test_folders_of_different_kinds_stay_apart() -> None:
    found = folders([*many(b"/p/d/images"), b"/p/d/raw/table.csv"], ROOT)
    assert set(found.values()) == {b"/p/d/images"}
    assert b"/p/d/raw/table.csv" not in found


def test_a_partitioned_table_and_a_chunked_array_are_one_from_two_files_on() -> None:
    table = [b"/p/t/year=2020/m=1/a.parquet", b"/p/t/year=2021/m=2/b.parquet"]
    assert folders(table, ROOT) == dict.fromkeys(table, b"/p/t")
    array = [b"/p/a.zarr/zarr.json", b"/p/a.zarr/x/c/0/0"]
    assert folders(array, ROOT) == dict.fromkeys(array, b"/p/a.zarr")
    assert folders(table[:1], ROOT) == {}
    assert folders([b"/p/lr=1/metrics.json", b"/p/lr=2/metrics.json"], ROOT) == {}


def test_neither_the_project_nor_what_is_around_it_is_a_data_set() -> None:
    assert folders(many(b"/p"), ROOT) == {}
    assert folders([*many(b"/p/a"), *many(b"/p/b")], ROOT)[b"/p/a/1.jpg"] == b"/p/a"
    assert folders(many(b"/data"), ROOT) == {}
    assert set(folders(many(b"/data/set"), ROOT).values()) == {b"/data/set"}
