"""A fingerprint differs wherever a fit would, and is the same in every process."""

import functools
import os
import subprocess
import sys
import textwrap
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktandem import Merged, SourceError
from sktandem.data._fingerprint import fingerprint, fingerprint_of_rows
from sktandem.data._lazy import LazyTable, as_lazy, dataset_of, files_of
from sktandem.data._rows import read_rows


def module_of(text, name="somebodys"):
    """Return what a module of the user's defines."""
    space = {"__name__": name}
    exec(textwrap.dedent(text), space)
    return space


def told(text, what="f"):
    return fingerprint("it", module_of(text)[what])


# Values

DIFFERENT = [
    *(None, True, False, 1, 1.0, 1j, "1", b"1", float("nan"), -0.0, 0.0, ...),
    *([], (), {}, set(), [1], (1,), {1}, {1: 2}, {"1": 2}, [[1], 2], [[1, 2]]),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, OrderedDict(a=1), ["a", "bc"], ["ab", "c"]),
    *(np.int64(1), np.float64(1), np.float32(1), np.array(1.0), np.array([1.0])),
    *(np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3), np.float32)),
    *(np.array(["a", 1], object), np.array(["a", "1"], object), np.array(["a", "1"])),
    *(np.dtype("f8"), np.dtype("f4"), np.float64, float, np.add, np.dot, len, sum),
    *(sparse.eye(3, format="csr"), sparse.eye(3, format="csc")),
    *(np.random.RandomState(0), np.random.RandomState(1), np.random.default_rng(0)),
    *(Ridge(), Ridge(alpha=2.0), Ridge, Merged(Ridge()), Merged(Ridge(), scaler=None)),
    *(make_pipeline(Ridge()), LogisticRegression(), KFold(3), KFold(4)),
    *(Path("a"), slice(1), slice(2), range(2), functools.partial(sum, [1])),
    *(make_scorer(mean_squared_error), threading.Thread, np),
]


def test_values_that_differ_are_told_apart():
    found = [fingerprint("it", value) for value in DIFFERENT]
    assert len(set(found)) == len(found)
    assert [fingerprint("it", value) for value in DIFFERENT] == found


def test_tables_are_told_by_what_they_hold():
    pd = pytest.importorskip("pandas")
    X = np.arange(6.0).reshape(3, 2)

    def frame(**settings):
        return pd.DataFrame(X.copy(), **settings)

    tables = [
        frame(),
        frame(columns=["a", "b"]),
        frame(index=[1, 2, 3]),
        frame(dtype=np.float32),
        frame().assign(word=["x", "y", "z"]),
        frame().assign(word=pd.Categorical(["x", "y", "z"])),
        frame().assign(word=["x", "y", None]),
        frame()[0],
    ]
    found = [fingerprint("it", table) for table in tables]
    assert len(set(found)) == len(found)
    assert [fingerprint("it", table.copy()) for table in tables] == found
    polars = pytest.importorskip("polars")
    words = {"v": [1, 2], "w": ["x", "y"]}
    first, other = polars.DataFrame(words), polars.DataFrame(words | {"w": ["x", "z"]})
    assert fingerprint("it", first) == fingerprint("it", polars.DataFrame(words))
    assert fingerprint("it", first) != fingerprint("it", other)


def test_a_memory_map_is_told_as_what_it_holds(tmp_path):
    X = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert fingerprint("it", mapped) == fingerprint("it", X)


def test_what_was_derived_from_rows_does_not_matter():
    X, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    rows = read_rows(None, X, y, sample_source=["a", "b", "b"])
    expected = fingerprint_of_rows(rows)
    assert rows.labels.tolist() == ["a", "b", "b"]
    assert rows.of("b").tolist() == [1, 2]
    assert fingerprint_of_rows(rows) == expected
    other = read_rows(None, X, y, sample_source=["a", "a", "b"])
    assert fingerprint_of_rows(other) != expected
    for more in ({"sample_weight": [1, 2, 1]}, {"groups": [0, 1, 1]}):
        given = read_rows(None, X, y, sample_source=["a", "b", "b"], **more)
        assert fingerprint_of_rows(given) != expected


def test_tensors_and_modules_are_told_by_their_values():
    torch = pytest.importorskip("torch")
    from sktandem.nn import default_net

    values = torch.arange(3.0), torch.arange(3), torch.zeros(3), torch.float32
    found = {fingerprint("it", value) for value in values}
    assert len(found) == len(values)
    assert fingerprint("it", torch.arange(3.0)) in found
    linear, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    assert fingerprint("it", linear) != fingerprint("it", other)
    other.load_state_dict(linear.state_dict())
    assert fingerprint("it", linear) == fingerprint("it", other)
    net = fingerprint("it", default_net("regression"))
    assert net == fingerprint("it", default_net("regression"))
    assert net != fingerprint("it", default_net("regression", lr=0.3))


# Functions and classes: what changed under the same name is another

FUNCTION = """
    import math
    LIMIT = 3
    def helper(x):
        return x + 1
    def f(x, y=1, *, z=2):
        return [helper(v) * LIMIT * math.e for v in x]
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x + 1", "x + 2"),
        ("x + 1", "x - 1"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("y=1", "y=2"),
        ("z=2", "z=3"),
        ("math.e", "math.pi"),
        ("import math", "import cmath as math"),
        ("[helper", "[abs"),
    ],
)
def test_a_function_is_told_by_all_that_it_calls(old, new):
    assert FUNCTION.count(old) == 1
    assert told(FUNCTION) != told(FUNCTION.replace(old, new))


def test_a_function_is_not_told_by_where_it_stands():
    moved = "\n\n    OTHER = open\n" + FUNCTION + "\n    LATER = 8\n"
    assert told(FUNCTION) == told(moved)


def test_what_a_function_encloses_tells_it():
    text = """
        def made(limit):
            def f(x):
                return (lambda y: y * limit)(x)
            return f
        a, b, c = made(1), made(1), made(2)
    """
    assert told(text, "a") == told(text, "b") != told(text, "c")


def test_functions_that_call_each_other_are_told():
    text = """
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
    """
    assert told(text, "even") == told(text, "even") != told(text, "odd")
    assert told(text, "even") != told(text.replace("n != 0", "n != 1"), "even")


CLASS = """
    import functools
    from sklearn.base import BaseEstimator, TransformerMixin
    class Base:
        limit = 1
        def step(self, x):
            return x + 1
    class f(TransformerMixin, Base, BaseEstimator):
        def __init__(self, a=1):
            self.a = a
        def fit(self, X, y=None):
            return self
        @property
        def width(self):
            return 5
        @staticmethod
        def area():
            return 6
        @functools.lru_cache
        def old(self):
            return 7
        def transform(self, X):
            return super().step(X)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit = 1", "limit = 2"),
        ("x + 1", "x + 2"),
        ("return 5", "return 55"),
        ("return 6", "return 66"),
        ("return 7", "return 77"),
        ("a=1", "a=2"),
        ("Base, BaseEstimator", "BaseEstimator"),
    ],
)
def test_a_class_is_told_by_its_methods_and_its_bases(old, new):
    assert CLASS.count(old) == 1
    assert told(CLASS) == told(CLASS)
    assert told(CLASS) != told(CLASS.replace(old, new))
    one = module_of(CLASS)["f"]()
    other = module_of(CLASS.replace(old, new))["f"]()
    assert fingerprint("it", one) != fingerprint("it", other)
    assert fingerprint("it", one) != fingerprint("it", type(one)(a=2))


@dataclass(frozen=True)
class Point:
    x: int = 0
    tags: list = field(default_factory=list)


class Colour(Enum):
    RED = 1
    BLUE = 2


def test_records_are_told():
    values = Point(), Point(1), Point(0, ["a"]), Point, Colour.RED, Colour.BLUE
    assert len({fingerprint("it", value) for value in values}) == len(values)
    assert fingerprint("it", Point()) == fingerprint("it", Point(0, []))


def test_a_module_of_the_users_is_told_by_what_is_asked_of_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "somebodys_helpers.py"
    user = """
        import somebodys_helpers
        def f(x):
            return somebodys_helpers.step(x)
    """

    def now(text):
        file.write_text(text)
        sys.modules.pop("somebodys_helpers", None)
        sys.path_importer_cache.clear()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return told(user)

    first = now("def step(x):\n    return x\ndef other(x):\n    return 1\n")
    assert now("def step(x):\n    return x\ndef other(x):\n    return 2\n") == first
    assert now("def step(x):\n    return -x\n") != first
    sys.modules.pop("somebodys_helpers", None)
    with pytest.raises(SourceError, match="imports 'somebodys_helpers', which is no"):
        told("def f(x):\n    import somebodys_helpers\n    return x")
    told("def f(x):\n    import json\n    from numpy import linalg\n    return x")


def test_a_file_named_like_a_module_of_python_is_the_users(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "colorsys.py").write_text("def step(x):\n    return x\n")
    sys.modules.pop("colorsys", None)
    import colorsys

    before = fingerprint("it", colorsys.step)
    colorsys.step.__code__ = (lambda x: -x).__code__
    assert fingerprint("it", colorsys.step) != before
    del sys.modules["colorsys"]


# The same in every process

ELSEWHERE = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sktandem import Merged
from sktandem.data._fingerprint import circumstances, fingerprint

class Shift(TransformerMixin, BaseEstimator):
    known = frozenset(["alpha", "beta", "gamma", "delta"])
    def __init__(self, by=1):
        self.by = by
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X + self.by if "alpha" in {"alpha", "beta", "gamma"} else X

pipe = make_pipeline(
    FunctionTransformer(lambda X: np.log1p(abs(X))), Shift(), LogisticRegression()
)
values = [Merged(pipe), {"a", "b", "c"}, np.array(["x", 1], object), make_pipeline]
try:
    import pandas as pd
    values.append(pd.DataFrame({"v": [1, 2], "w": ["x", "y"]}))
except ImportError:
    pass
try:
    from sktandem.nn import default_net
    from sktandem import SharedNet
    values += [default_net("regression"), SharedNet(schedule="joint")]
except ImportError:
    pass
print(circumstances(), *(fingerprint("it", value) for value in values))
"""


@pytest.mark.slow
def test_fingerprints_are_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ELSEWHERE)
    lines = [
        subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert lines[0] == lines[1]


# What is refused

STREAM = threading.Lock()


def reads_stream(x):
    return STREAM.locked()


@pytest.mark.parametrize(
    ("value", "where", "why"),
    [
        ((v for v in [1]), "it", "cannot pickle 'generator' object"),
        ({"a": [threading.Lock()]}, r"it\.a\[0\]", "cannot pickle '_thread.lock'"),
        (FunctionTransformer(reads_stream), r"it\.func\.STREAM", "cannot pickle"),
        (sys.modules[__name__], "it", "its code is not that of a package"),
    ],
)
def test_what_would_not_be_the_same_again_is_refused(value, where, why):
    with pytest.raises(SourceError, match=rf"cannot tell {where}, a .*{why}"):
        fingerprint("it", value)


def test_what_is_too_deep_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SourceError, match="a list, from another: maximum recursion"):
        fingerprint("it", deep)
    while deep:  # which would be too deep for the garbage collector as well
        deep = deep.pop()


def test_items_are_told_by_their_values_or_their_files(tmp_path):
    unequal = [np.arange(3.0), np.arange(4.0)]
    items = as_lazy(unequal)
    assert isinstance(items, LazyTable)
    assert fingerprint("X", items) == fingerprint("X", as_lazy(unequal[:]))
    assert fingerprint("X", items) != fingerprint("X", as_lazy(unequal[::-1]))
    assert fingerprint("X", items) != fingerprint("X", items[[1, 0]])
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    read = fingerprint("X", files_of(files, len))
    assert read == fingerprint("X", files_of(map(str, files), len))
    assert read != fingerprint("X", files_of(files, abs))
    files[0].write_text("c")
    assert read != fingerprint("X", files_of(files, len))
    files[0].unlink()
    told = r"cannot tell X.*, a .*Path, from another: .*No such file"
    with pytest.raises(SourceError, match=told):
        fingerprint("X", files_of(files, len))


def test_a_dataset_whose_items_are_not_known_is_refused():
    data = pytest.importorskip("torch.utils.data")

    class Numbers(data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, place):
            return place, place

    told = "X, a DatasetItems, from another: its items are known when they are read"
    with pytest.raises(SourceError, match=told):
        fingerprint("X", dataset_of(Numbers()))
