"""What real libraries read and write is seen, also where they do it below Python."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.capture.injected import DIRECTORY_READ, DIRECTORY_WRITE, READ, READ_WRITE, WRITE, Recorded, run


class Case(NamedTuple):
    """`prepare` runs unrecorded, `act` recorded; then each path must have been seen in that way by that function."""

    needs: tuple[str, ...]
    prepare: str
    act: str
    seen: dict[tuple[str, int], str]


FRAME = "import pandas as pd; df = pd.DataFrame({'a': [1, 2], 'b': [3.0, 4.0]})\n"
TABLE = "import pyarrow as pa; t = pa.table({'a': [1, 2], 'b': [3.0, 4.0]})\n"

CASES = {
    "pandas": Case(
        ("pandas", "pyarrow"),
        FRAME
        + "df.to_csv('i.csv'); df.to_csv('i2.csv'); df.to_parquet('i.parquet'); df.to_feather('i.feather');"
        "df.to_pickle('i.pkl'); df.to_json('i.json'); df.to_parquet('dir', partition_cols=['a'])",
        FRAME
        + "pd.read_csv('i.csv'); pd.read_csv('i2.csv', engine='pyarrow'); pd.read_parquet('i.parquet')\n"
        "pd.read_feather('i.feather'); pd.read_pickle('i.pkl'); pd.read_json('i.json'); pd.read_parquet('dir')\n"
        "df.to_csv('o.csv'); df.to_parquet(path='o.parquet'); df.to_feather('o.feather'); df['a'].to_csv('s.csv')\n"
        "df.to_json('o.json'); df.to_parquet('odir', partition_cols=['a'])",
        {
            ("i.csv", READ): "pandas.read_csv",
            ("i2.csv", READ): "pandas.read_csv",
            ("i.parquet", READ): "pandas.read_parquet",
            ("i.feather", READ): "pandas.read_feather",
            ("i.pkl", READ): "pandas.read_pickle",
            ("i.json", READ): "pandas.read_json",
            ("dir", DIRECTORY_READ): "pandas.read_parquet",
            ("o.csv", WRITE): "pandas.DataFrame.to_csv",
            ("s.csv", WRITE): "pandas.Series.to_csv",
            ("o.parquet", WRITE): "pandas.DataFrame.to_parquet",
            ("o.feather", WRITE): "pandas.DataFrame.to_feather",
            ("o.json", WRITE): "pandas.DataFrame.to_json",
            ("odir", DIRECTORY_WRITE): "pandas.DataFrame.to_parquet",
        },
    ),
    "pyarrow": Case(
        ("pyarrow",),
        TABLE
        + "import pyarrow.parquet as pq, pyarrow.feather as f, pyarrow.csv as c, pyarrow.dataset as ds\n"
        "for n in 'abcd': pq.write_table(t, n + '.parquet')\n"
        "f.write_feather(t, 'i.feather', compression='uncompressed'); c.write_csv(t, 'i.csv')\n"
        "f.write_feather(t, 'm.feather', compression='uncompressed')\n"
        "ds.write_dataset(t, 'dir', format='parquet'); pq.write_table(t, 'os.parquet')",
        TABLE
        + "import pyarrow.parquet as pq, pyarrow.feather as f, pyarrow.csv as c, pyarrow.dataset as ds\n"
        "pq.read_table('a.parquet'); pq.ParquetFile('b.parquet').read(); pq.read_schema('c.parquet')\n"
        "ds.dataset('d.parquet').to_table(); ds.dataset('dir').to_table(); c.read_csv('i.csv')\n"
        "f.read_table('i.feather'); pa.ipc.open_file(pa.memory_map('m.feather')).read_all()\n"
        "assert isinstance(pa.OSFile('os.parquet'), pa.OSFile)\n"
        "pq.write_table(t, 'o.parquet'); f.write_feather(t, 'o.feather'); c.write_csv(t, 'o.csv')\n"
        "with pq.ParquetWriter('w.parquet', t.schema) as w: w.write_table(t)\n"
        "with pa.OSFile('o.arrow', 'wb') as s, pa.ipc.new_file(s, t.schema) as w: w.write_table(t)\n"
        "with c.CSVWriter('w.csv', t.schema) as w: w.write_table(t)\n"
        "ds.write_dataset(t, 'odir', format='parquet'); pq.write_to_dataset(t, 'pdir', partition_cols=['a'])",
        {
            ("a.parquet", READ): "pyarrow.parquet.read_table",
            ("b.parquet", READ): "pyarrow.parquet.ParquetFile",
            ("c.parquet", READ): "pyarrow.parquet.read_schema",
            ("d.parquet", READ): "pyarrow.dataset.dataset",
            ("dir", DIRECTORY_READ): "pyarrow.dataset.dataset",
            ("i.csv", READ): "pyarrow.csv.read_csv",
            ("i.feather", READ): "pyarrow.feather.read_table",
            ("m.feather", READ): "pyarrow.memory_map",
            ("os.parquet", READ): "pyarrow.OSFile",
            ("o.parquet", WRITE): "pyarrow.parquet.write_table",
            ("w.parquet", WRITE): "pyarrow.parquet.ParquetWriter",
            ("o.feather", WRITE): "pyarrow.feather.write_feather",
            ("o.csv", WRITE): "pyarrow.csv.write_csv",
            ("w.csv", WRITE): "pyarrow.csv.CSVWriter",
            ("o.arrow", WRITE): "pyarrow.OSFile",
            ("odir", DIRECTORY_WRITE): "pyarrow.dataset.write_dataset",
            ("pdir", DIRECTORY_WRITE): "pyarrow.parquet.write_to_dataset",
        },
    ),
    "polars": Case(
        ("polars",),
        "import polars as pl; df = pl.DataFrame({'a': [1, 2]})\n"
        "for n in 'abcd': df.write_parquet(n + '.parquet')\ndf.write_csv('i.csv'); df.write_ipc('i.arrow')",
        "import polars as pl; df = pl.DataFrame({'a': [1, 2]})\n"
        "pl.read_parquet('a.parquet'); pl.scan_parquet('b.parquet').collect(); pl.read_csv('i.csv')\n"
        "pl.read_ipc('i.arrow'); pl.read_parquet('[cd].parquet')\n"
        "df.write_parquet('o.parquet'); df.write_csv('o.csv'); pl.scan_csv('i.csv').sink_parquet('s.parquet')",
        {
            ("a.parquet", READ): "polars.read_parquet",
            ("b.parquet", READ): "polars.scan_parquet",
            ("c.parquet", READ): "polars.read_parquet",
            ("d.parquet", READ): "polars.read_parquet",
            ("i.csv", READ): "polars.read_csv",
            ("i.arrow", READ): "polars.read_ipc",
            ("o.parquet", WRITE): "polars.DataFrame.write_parquet",
            ("o.csv", WRITE): "polars.DataFrame.write_csv",
            ("s.parquet", WRITE): "polars.LazyFrame.sink_parquet",
        },
    ),
    "duckdb": Case(
        ("duckdb", "pandas"),
        "import duckdb\nfor n in 'abcdef': duckdb.execute(f\"COPY (SELECT 1 AS x) TO '{n}.parquet'\")\n"
        "duckdb.execute(\"COPY (SELECT 1 AS x) TO 'i.csv'\"); duckdb.connect('old.db').execute('create table t(a int)')",
        FRAME + "import duckdb\nprint(duckdb.sql('SELECT sum(a) FROM df').fetchall())\n"
        "con = duckdb.connect('new.db'); duckdb.connect('old.db', read_only=True)\n"
        "def inner():\n    mine = df\n    return con.execute('SELECT sum(b) FROM mine').fetchall()\nprint(inner())\n"
        "duckdb.sql(\"SELECT * FROM 'a.parquet' -- 'f.parquet'\").fetchall()\n"
        "con.execute(\"SELECT * FROM read_parquet(['b.parquet', 'c.parquet'])\").fetchall()\n"
        "con.execute('SELECT * FROM read_parquet(?)', ['d.parquet']).fetchall()\n"
        "con.execute(\"SELECT 1 WHERE 'x' = 'f.parquet'\").fetchall()\n"
        "con.read_csv('i.csv').fetchall(); duckdb.read_parquet('e.parquet').write_parquet('r.parquet')\n"
        "con.execute(\"COPY (SELECT * FROM 'a.parquet') TO 'o.csv'\")",
        {
            ("a.parquet", READ): "duckdb.sql",
            ("b.parquet", READ): "duckdb.execute",
            ("c.parquet", READ): "duckdb.execute",
            ("d.parquet", READ): "duckdb.execute",
            ("e.parquet", READ): "duckdb.read_parquet",
            ("i.csv", READ): "duckdb.read_csv",
            ("old.db", READ): "duckdb.connect",
            ("new.db", READ_WRITE): "duckdb.connect",
            ("o.csv", WRITE): "duckdb.execute",
            ("r.parquet", WRITE): "duckdb.DuckDBPyRelation.write_parquet",
        },
    ),
    "numpy": Case(
        ("numpy",),
        "import numpy as np; np.save('i.npy', np.arange(9)); np.savez('i.npz', a=np.arange(9)); np.arange(9).tofile('i.bin')\n"
        "np.save('mm.npy', np.arange(9)); np.arange(9).tofile('memmap.bin')",
        "import numpy as np; np.load('i.npy'); np.load('i.npz')['a']; np.fromfile('i.bin'); np.load('mm.npy', mmap_mode='r')\n"
        "np.memmap('memmap.bin', mode='r'); np.save('o', np.arange(9)); np.savez('o.npz', a=np.arange(9))\n"
        "np.savetxt('o.txt', np.arange(9))",
        {
            ("i.npy", READ): "numpy.load",
            ("i.npz", READ): "numpy.load",
            ("i.bin", READ): "numpy.fromfile",
            ("mm.npy", READ): "numpy.load",
            ("memmap.bin", READ): "",
            ("o.npy", WRITE): "numpy.save",
            ("o.npz", WRITE): "numpy.savez",
            ("o.txt", WRITE): "numpy.savetxt",
        },
    ),
    "h5py": Case(
        ("h5py",),
        "import h5py\nfor n in 'ab':\n    with h5py.File(n + '.h5', 'w') as f: f['x'] = [1, 2]",
        "import h5py\nwith h5py.File('a.h5') as f: f['x'][:]\nwith h5py.File('b.h5', 'r+') as f: f['y'] = [1]\n"
        "with h5py.File('o.h5', 'w') as f: f['x'] = [1]",
        {
            ("a.h5", READ): "h5py.File",
            ("b.h5", READ_WRITE): "h5py.File",
            ("o.h5", WRITE): "h5py.File",
        },
    ),
    "safetensors": Case(
        ("safetensors", "numpy"),
        "import numpy as np, safetensors.numpy as sn\nfor n in 'ab': sn.save_file({'a': np.zeros(3)}, n + '.safetensors')",
        "import numpy as np, safetensors.numpy as sn\nfrom safetensors import safe_open\n"
        "sn.load_file('a.safetensors')\n"
        "with safe_open('b.safetensors', 'np') as f:\n    f.get_tensor('a'); assert isinstance(f, safe_open)\n"
        "sn.save_file({'a': np.zeros(3)}, 'o.safetensors')",
        {
            ("a.safetensors", READ): "safetensors.safe_open",
            ("b.safetensors", READ): "safetensors.safe_open",
            ("o.safetensors", WRITE): "safetensors.serialize_file",
        },
    ),
    "torch": Case(
        ("torch", "safetensors"),
        "import torch, safetensors.torch as st\nm = torch.nn.Linear(2, 1)\ntorch.save(m.state_dict(), 'i.pt')\n"
        "torch.save(m.state_dict(), 'mm.pt'); torch.jit.save(torch.jit.script(m), 'i.jit')\n"
        "st.save_file({'a': torch.zeros(3)}, 'i.safetensors')",
        "import torch, safetensors.torch as st\nm = torch.nn.Linear(2, 1)\nm.load_state_dict(torch.load('i.pt'))\n"
        "torch.load('mm.pt', mmap=True); torch.jit.load('i.jit'); st.load_file('i.safetensors')\n"
        "torch.save(m.state_dict(), 'o.pt'); torch.jit.save(torch.jit.script(m), 'o.jit')\n"
        "torch.jit.script(m).save('o2.jit'); st.save_file({'a': torch.zeros(3)}, 'o.safetensors')",
        {
            ("i.pt", READ): "torch.load",
            ("mm.pt", READ): "torch.load",
            ("i.jit", READ): "torch.jit.load",
            ("i.safetensors", READ): "safetensors.safe_open",
            ("o.pt", WRITE): "torch.save",
            ("o.jit", WRITE): "torch.jit.save",
            ("o2.jit", WRITE): "torch.jit.RecursiveScriptModule.save",
            ("o.safetensors", WRITE): "safetensors.serialize_file",
        },
    ),
    "joblib": Case(
        ("joblib",),
        "import joblib, pickle; joblib.dump([1], 'i.joblib'); joblib.dump([1], 'w0'); joblib.dump([1], 'w1')\n"
        "pickle.dump([1], open('i.pkl', 'wb'))",
        "import joblib, pickle; joblib.load('i.joblib'); joblib.dump([1], 'o.joblib'); pickle.load(open('i.pkl', 'rb'))\n"
        "joblib.Parallel(n_jobs=2)(joblib.delayed(joblib.load)(f'w{n}') for n in range(2))",
        {
            ("i.joblib", READ): "joblib.load",
            ("w0", READ): "joblib.load",
            ("w1", READ): "joblib.load",
            ("i.pkl", READ): "",
            ("o.joblib", WRITE): "joblib.dump",
        },
    ),
    "images": Case(
        ("cv2", "PIL", "numpy"),
        "from PIL import Image\nfor n in 'abc': Image.new('RGB', (4, 4)).save(n + '.png')",
        "import cv2, numpy as np\nfrom PIL import Image\nImage.open('a.png').load(); assert cv2.imread('b.png') is not None\n"
        "Image.new('RGB', (4, 4)).save('o.png'); cv2.imwrite('o2.png', np.zeros((4, 4, 3), np.uint8))",
        {
            ("a.png", READ): "PIL.Image.open",
            ("b.png", READ): "cv2.imread",
            ("o.png", WRITE): "PIL.Image.Image.save",
            ("o2.png", WRITE): "cv2.imwrite",
        },
    ),
    "xgboost": Case(
        ("xgboost", "numpy"),
        "import xgboost as x, numpy as np\nb = x.train({}, x.DMatrix(np.eye(4), np.arange(4)), 2); b.save_model('i.json')\n"
        "b.save_model('i2.json'); open('i.libsvm', 'w').write('1 0:1\\n0 1:2\\n')",
        "import warnings; warnings.simplefilter('ignore')\nimport xgboost as x\nb = x.Booster(); b.load_model('i.json'); x.Booster(model_file='i2.json')\n"
        "x.DMatrix('i.libsvm?format=libsvm'); b.save_model('o.json')",
        {
            ("i.json", READ): "xgboost.Booster.load_model",
            ("i2.json", READ): "xgboost.Booster",
            ("i.libsvm", READ): "xgboost.DMatrix",
            ("o.json", WRITE): "xgboost.Booster.save_model",
        },
    ),
    "lightgbm": Case(
        ("lightgbm", "numpy"),
        "import lightgbm as l, numpy as np\nr = np.random.rand(100, 3); y = r[:, 0]\n"
        "l.train({'verbose': -1}, l.Dataset(r, y), 2).save_model('i.txt')\n"
        "np.savetxt('i.csv', np.c_[y, r], delimiter=',')",
        "import lightgbm as l\nb = l.Booster(model_file='i.txt'); l.Dataset('i.csv', params={'verbose': -1}).construct()\n"
        "b.save_model('o.txt')",
        {
            ("i.txt", READ): "lightgbm.Booster",
            ("i.csv", READ): "lightgbm.Dataset",
            ("o.txt", WRITE): "lightgbm.Booster.save_model",
        },
    ),
    "onnx": Case(
        ("onnx",),
        "import onnx; from onnx import helper as h, TensorProto as T\n"
        "g = h.make_graph([h.make_node('Relu', ['x'], ['y'])], 'g', [h.make_tensor_value_info('x', T.FLOAT, [1])],"
        "[h.make_tensor_value_info('y', T.FLOAT, [1])]); onnx.save(h.make_model(g), 'i.onnx')",
        "import onnx; onnx.save(onnx.load('i.onnx'), 'o.onnx')",
        {("i.onnx", READ): "onnx.load", ("o.onnx", WRITE): "onnx.save"},
    ),
    "fsspec": Case(
        ("fsspec",),
        "open('i.txt', 'w').write('hello')",
        "import fsspec\nwith fsspec.open('i.txt') as f: f.read()\nwith fsspec.open('file://' + __import__('os').getcwd() + '/o.txt', 'wb') as f: f.write(b'x')",
        {("i.txt", READ): "", ("o.txt", WRITE): ""},
    ),
    "sqlite3": Case(
        (),
        "import sqlite3; c = sqlite3.connect('i.db'); c.execute('create table t(a)'); c.commit(); c.close()",
        "import sqlite3, os; sqlite3.connect('i.db').execute('select * from t')\n"
        "sqlite3.connect(f'file:{os.getcwd()}/i.db?mode=ro', uri=True)\n"
        "c = sqlite3.connect('o.db'); c.execute('create table t(a)'); c.commit(); sqlite3.connect(':memory:')",
        {
            ("i.db", READ_WRITE): "sqlite3.connect",
            ("i.db", READ): "sqlite3.connect",
            ("o.db", READ_WRITE): "sqlite3.connect",
        },
    ),
}
_done: dict[str, Recorded] = {}


def recorded(name: str, folder: Path) -> Recorded:
    """The case's program, run once for all that is asked about it."""
    if name not in _done:
        case = CASES[name]
        for module in case.needs:
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"could not import '{module}'")
        prepared = run(folder, case.prepare, recorded=False)
        assert prepared.code == 0, prepared.stderr
        _done[name] = run(folder, case.act)
    return _done[name]


@pytest.mark.parametrize("name", CASES)
def test_a_program_using_a_library_runs_as_it_would_without_us(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    got = recorded(name, tmp_path_factory.mktemp(name))
    assert (got.code, got.stderr) == (0, "")


@pytest.mark.parametrize(("name", "path", "op"), [(n, *k) for n, case in CASES.items() for k in case.seen])
def test_what_a_library_reads_or_writes_is_seen(
    name: str, path: str, op: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    got = recorded(name, tmp_path_factory.mktemp(name))
    events = [event for event in got.events(path) if event.op == op]
    assert CASES[name].seen[path, op] in {event.lib for event in events}
    if op == READ:
        assert all(event.stat for event in events)
    if op == WRITE and CASES[name].seen[path, op] and path not in {"o.arrow", "w.csv"}:
        written = (got.folder / path).stat()
        assert (written.st_size, written.st_mtime_ns) in {event.stat[:2] for event in events if event.stat}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_seen_that_is_not_data(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    got = recorded(name, tmp_path_factory.mktemp(name))
    wanted = {path for path, _ in CASES[name].seen}
    outside = {p for p in got.paths(READ, WRITE) if p.startswith("/")}
    inside = {p for p in got.paths(READ, WRITE) if not p.startswith("/") and p.split("/")[0] not in wanted}
    assert (outside, inside) == (set(), set())
