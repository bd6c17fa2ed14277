"""A library whose functions are recorded behaves in every other way as it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.injected import READ, WRITE, run

HEAD = "import sys\nfrom _lineal.capture import calls, imports, places\n"
LIBRARY = """
import sys, warnings
class Thing:
    '''A thing.'''
    def __init__(self, path, mode='r', *, deep=False): self.path = path
    def save(self, path): open(path, 'w').write('x')
    @classmethod
    def load(cls, path): return cls(path)
    @staticmethod
    def peek(path): return path
def read(path, *, sep=','):
    '''Reads.'''
    if path == 'bad': raise KeyError('bad')
    warnings.warn('old', stacklevel=2)
    return path + sep
"""


def both(tmp_path: Path, code: str) -> str:
    """What the program prints, which must be the same with and without recording."""
    bare = run(tmp_path, code, recorded=False)
    got = run(tmp_path, code)
    assert bare.code == 0, bare.stderr
    assert (got.code, got.stdout, got.stderr) == (bare.code, bare.stdout, bare.stderr)
    return got.stdout


@pytest.mark.peer("pandas", "torch", "joblib", "numpy")
def test_signatures_texts_and_names_stay(tmp_path: Path) -> None:
    code = (
        "import inspect, pandas as pd, torch, joblib, numpy as np\n"
        "for f in (pd.read_csv, pd.read_parquet, pd.DataFrame.to_csv, torch.load, torch.save, joblib.load, joblib.dump, np.load, np.savez):\n"
        "    print(inspect.signature(f), f.__name__, f.__qualname__, f.__doc__[:40], inspect.getsource(f)[:60])"
    )
    assert "read_csv" in both(tmp_path, code)


@pytest.mark.peer("pandas", "torch", "pyarrow", "polars", "cloudpickle")
def test_functions_and_classes_are_pickled_by_name(tmp_path: Path) -> None:
    code = (
        "import pickle, cloudpickle, pandas as pd, pandas.io.api, torch, polars as pl, pyarrow.parquet as pq, h5py, xgboost\n"
        "for f in (pd.read_csv, pandas.io.api.read_csv, pd.read_parquet, pd.DataFrame, pd.HDFStore, pd.DataFrame.to_csv, torch.load,"
        " pl.read_csv, pl.DataFrame.write_csv, pq.read_table, pq.ParquetFile, h5py.File, xgboost.DMatrix):\n"
        "    for p in (pickle, cloudpickle):\n        data = p.dumps(f); assert pickle.loads(data) is f, f\n"
        "        print(b'lineal' in data, len(data) < 120)"
    )
    assert set(both(tmp_path, code).split("\n")) == {"False True", ""}


@pytest.mark.peer("pandas", "torch")
def test_exceptions_are_the_librarys_own(tmp_path: Path) -> None:
    code = (
        "import pandas as pd, torch, numpy as np\n"
        "for f in (lambda: pd.read_csv('none'), lambda: pd.read_csv(), lambda: torch.load(3), lambda: np.load('none'),"
        " lambda: pd.DataFrame().to_parquet('no/such/dir'), lambda: pd.read_csv('a', nonsense=1)):\n"
        "    try: f()\n    except Exception as e: print(type(e), str(e))"
    )
    assert both(tmp_path, code).count("<class") == 6


@pytest.mark.peer("pandas")
def test_warnings_are_attributed_to_the_same_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,x\n")
    code = (
        "import warnings, pandas as pd\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
        "    pd.read_csv('a.csv', sep='::')\nprint([(x.filename, x.lineno, x.category.__name__) for x in w])"
    )
    assert "main.py', 4, 'ParserWarning'" in both(tmp_path, code)


@pytest.mark.peer("duckdb", "pandas")
def test_duckdb_finds_the_callers_data_frames(tmp_path: Path) -> None:
    code = (
        "import duckdb, pandas as pd\ntop = pd.DataFrame({'a': [1, 2]})\ncon = duckdb.connect()\n"
        "def f():\n    mine = top\n    def g():\n        mine\n        return con.execute('select sum(a) from mine').fetchall()\n"
        "    return g(), con.sql('select sum(a) from mine').fetchall(), duckdb.sql('select sum(a) from mine').fetchall()\n"
        "print(f(), con.execute('select sum(a) from top').fetchall(), [con.execute('select sum(a) from top').fetchall() for _ in 'a'])\n"
        "try: con.execute('select * from nothing')\nexcept duckdb.CatalogException as e: print(type(e))"
    )
    assert both(tmp_path, code).count("(3,)") == 5


@pytest.mark.peer("torch", "h5py", "safetensors", "pyarrow")
def test_classes_stay_classes(tmp_path: Path) -> None:
    code = (
        "import h5py, safetensors, pyarrow as pa, pyarrow.parquet as pq, inspect\n"
        "class Mine(h5py.File): pass\nwith Mine('m.h5', 'w') as f: print(isinstance(f, h5py.File), type(f).__mro__[1] is h5py.File)\n"
        "print(inspect.isclass(safetensors.safe_open), safetensors.safe_open.__name__, isinstance(3, safetensors.safe_open))\n"
        "with pa.OSFile('x', 'wb') as s: s.write(b'1'); print(isinstance(s, pa.OSFile), isinstance(s, pa.NativeFile), issubclass(pa.OSFile, pa.NativeFile), type(s).__name__)\n"
        "print(inspect.signature(pq.ParquetFile), inspect.signature(h5py.File))"
    )
    assert both(tmp_path, code)


def test_a_library_is_recorded_by_a_table_of_its_functions(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(LIBRARY)
    (tmp_path / "i").write_text("x")
    code = HEAD + (
        "import warnings; warnings.simplefilter('ignore')\n"
        "def patch(m):\n    calls.reads(m, ('read',), 'library', 0, 'path'); calls.reads(m.Thing, ('load', 'peek'), 'library.Thing', 1, 'path')\n"
        "    calls.writes(m.Thing, ('save',), 'library.Thing', 1, 'path'); calls.reads(m, ('none',), 'library')\n"
        "imports.after('library', patch)\nimport library, pickle, inspect\n"
        "print(library.read('i'), library.read(path='i', sep=';'), library.Thing.load('i').path, library.Thing.peek(path='i'))\n"
        "library.Thing('i').save('o'); assert pickle.loads(pickle.dumps(library.read)) is library.read\n"
        "print(inspect.signature(library.read), library.Thing.load.__self__ is library.Thing)\n"
        "try: library.read('bad')\nexcept KeyError as e: print(e)"
    )
    got = run(tmp_path, code)
    assert (got.code, got.stderr) == (0, "")
    assert got.stdout == "i, i; i i\n(path, *, sep=',') True\n'bad'\n"
    assert {e.lib for e in got.events("i")} == {"library.read"}
    last = got.events("o")[-1]
    assert (last.op, last.layer, last.lib, last.stat is not None) == (WRITE, 2, "library.Thing.save", True)


def test_a_write_that_fails_without_changing_anything_is_no_write(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("x")
    (tmp_path / "library.py").write_text("def save(path): raise OSError(28, 'full')")
    code = HEAD + (
        "imports.after('library', lambda m: calls.writes(m, ('save',), 'library'))\nimport library\n"
        "try: library.save('o')\nexcept OSError as e: print(e.errno)"
    )
    got = run(tmp_path, code)
    assert (got.stdout, got.paths(WRITE)) == ("28\n", set())


def test_a_hook_that_fails_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("def read(path): return path\ndef save(path): return path")
    code = HEAD + (
        "def fail(*a): raise RuntimeError('ours')\n"
        "def patch(m): calls.around(m, 'read', fail, fail); calls.around(m, 'save', lambda a, k: 1, fail); raise ValueError('ours')\n"
        "imports.after('library', patch); imports.after('library', lambda m: print('next'))\n"
        "import library\nprint(library.read('a'), library.save('b'))"
    )
    got = run(tmp_path, code, LINEAL_DEBUG="")
    assert (got.code, got.stdout) == (0, "next\na b\n")


def test_an_odd_argument_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(
        "def read(path=None): return 'fine'\ndef save(path=None): return 'fine'"
    )
    code = HEAD + (
        "imports.after('library', lambda m: (calls.reads(m, ('read',), 'l', 0, 'path'), calls.writes(m, ('save',), 'l', 0, 'path')))\n"
        "import library, io\nclass Bad:\n    def __fspath__(self): raise OSError('no')\n"
        "for a in (None, 3, '', b'', io.BytesIO(), 'a\\0b', 'x' * 9999, '[{\"a\": 1}]', 'a,b\\n1,2\\n', ['a', None, 3], object(), 'http://[', '://', Bad()):\n"
        "    for f in (library.read, library.save):\n        assert f(a) == f(path=a) == 'fine', a\nprint('done')"
    )
    got = run(tmp_path, code, LINEAL_DEBUG="")
    assert (got.stdout, got.paths(READ)) == ("done\n", set())


def test_a_callback_runs_once_after_the_import_and_again_after_a_reload(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("X = 1")
    code = HEAD + (
        "imports.after('library', lambda m: print('after', m.X, m.__loader__.__class__.__name__, 'exec_module' in m.__loader__.__dict__))\n"
        "import library, importlib\nimport library\nimports.after('library', lambda m: print('late'))\nimportlib.reload(library)"
    )
    got = run(tmp_path, code)
    line = "after 1 SourceFileLoader False\n"
    assert got.stdout == f"{line}late\n{line}late\n"


def test_a_module_that_is_imported_lazily_is_patched_when_it_runs(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("print('runs'); X = 1")
    code = HEAD + (
        "import importlib.util\nimports.after('library', lambda m: print('after'))\n"
        "spec = importlib.util.find_spec('library'); spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "m = importlib.util.module_from_spec(spec); sys.modules['library'] = m; spec.loader.exec_module(m)\nprint('lazy'); print(m.X)"
    )
    assert run(tmp_path, code).stdout == "lazy\nruns\nafter\n1\n"


def test_a_failed_import_fails_as_it_would(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("raise RuntimeError('theirs')")
    code = HEAD + (
        "imports.after('library', lambda m: print('never')); imports.after('missing', lambda m: print('never'))\n"
        "for n in ('library', 'missing'):\n    try: __import__(n)\n    except Exception as e: print(type(e).__name__, e, n in sys.modules)"
    )
    got = run(tmp_path, code)
    assert got.stdout == "RuntimeError theirs False\nModuleNotFoundError No module named 'missing' False\n"


def test_a_file_of_ours_is_imported_only_when_its_library_is(tmp_path: Path) -> None:
    code = "import sys; print([m for m in sys.modules if m.startswith(('_lineal.capture.readers.', '_lineal.capture.calls'))])"
    assert run(tmp_path, code).stdout == "[]\n"


def test_every_entry_of_the_tables_names_a_function_that_exists() -> None:
    import importlib

    from lineal.capture import frameworks, readers

    for package in (readers, frameworks):
        for target in package.MODULES.values():
            file, _, function = target.partition(":")
            name = "lineal.capture" + file if file.startswith(".") else f"{package.__name__}.{file}"
            assert callable(getattr(importlib.import_module(name), function)), target
