"""Data of a case: tables of every library, plain or with one or two oddities."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from scipy import sparse

NAMES = ("a", "b", "c")
DAYS = pd.to_datetime("2024-01-01")

VALUES = {
    "normal": lambda X, rng: X,
    "integers": lambda X, rng: np.round(X * 3),
    "constant": lambda X, rng: np.ones_like(X),
    "missing": lambda X, rng: np.where(rng.random(X.shape) < 0.2, np.nan, X),
    "missing column": lambda X, rng: np.where(np.arange(X.shape[1]) == 0, np.nan, X),
    "infinite": lambda X, rng: np.where(rng.random(X.shape) < 0.1, np.inf, X),
    "large": lambda X, rng: X * 1e30,
    "small": lambda X, rng: X * 1e-30,
    "far from 0": lambda X, rng: X + 1e9,
    "repeated rows": lambda X, rng: np.resize(X[: len(X) // 3 + 1], X.shape),
    "outlier": lambda X, rng: np.where(X.max(initial=-9) == X, 1e9, X),
}


def columns(X):
    return [f"x{i}" for i in range(X.shape[1])]


def frame(X):
    return pd.DataFrame(X, columns=columns(X))


def nullable(X):
    return frame(X).astype("Float64").mask(frame(X) > 1.5)


def mixed(X):
    days = DAYS + pd.to_timedelta(np.arange(len(X)), unit="D")
    sizes = pd.Categorical(np.resize(["low", "high", None], len(X)))
    words = pd.Series(np.resize(["north", "south"], len(X)), dtype=object)
    return frame(X).assign(word=words, size_=sizes, day=days, ok=X.sum(axis=1) > 0)


def repeated_names(X):
    table = frame(X)
    table.columns = ["x"] * X.shape[1]
    return table


def odd_index(X):
    return frame(X).set_axis([7] * len(X))


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


# Names that the plain draw knows come first.
TABLES = {
    "array": np.asarray,
    "frame": frame,
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: np.nan_to_num(X, posinf=9).clip(-1e9, 1e9).astype(np.int64),
    "uint8": lambda X: np.nan_to_num(X, posinf=9).clip(0, 255).astype(np.uint8),
    "bool": lambda X: X > 0,
    "objects": lambda X: X.astype(object),
    "strings": lambda X: X.astype(str),
    "complex": lambda X: X + 1j,
    "by columns": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "read-only": read_only,
    "lists": lambda X: X.tolist(),
    "list of arrays": list,
    "frame with strange index": odd_index,
    "frame of repeated names": repeated_names,
    "frame of numbered columns": pd.DataFrame,
    "nullable frame": nullable,
    "mixed frame": mixed,
    "polars": lambda X: pl.DataFrame(X, schema=columns(X)),
    "lazy polars": lambda X: pl.DataFrame(X, schema=columns(X)).lazy(),
    "mixed polars": lambda X: pl.DataFrame(X, schema=columns(X)).with_columns(
        word=pl.Series(np.resize(["north", "south"], len(X)).tolist(), dtype=pl.String)
    ),
    "csr": sparse.csr_matrix,
    "csc array": sparse.csc_array,
    "coo": sparse.coo_array,
    "tensor": torch.tensor,
    "tensor with gradient": lambda X: torch.tensor(X, requires_grad=True),
    "masked": lambda X: np.ma.masked_array(X, mask=X > 1),
    "structured": lambda X: np.zeros(len(X), dtype=[("u", float), ("v", int)]),
    "vector": lambda X: X[:, 0] if X.shape[1] else X.ravel(),
    "cube": lambda X: X[:, :, None],
    "matrix": np.asmatrix,
    "series": lambda X: pd.Series(X[:, 0] if X.shape[1] else X.ravel()),
    "dict": lambda X: dict(zip(columns(X), X.T)),
    "nothing": lambda X: None,
    "text": lambda X: "X.csv",
    "words": lambda X: ["a word"] * len(X),
    "iterator": lambda X: iter(X.tolist()),
    "number": lambda X: 3.0,
}

CLASSES = {
    "words": lambda k: np.array(["ill", "well", "worse"])[k],
    "numbers": lambda k: k,
    "floats": lambda k: k.astype(float),
    "bool": lambda k: k > 0,
    "objects": lambda k: np.array(["ill", "well", "worse"], dtype=object)[k],
    "one class": lambda k: np.zeros_like(k),
    "one row a class": np.arange,
    "rare class": lambda k: np.where(np.arange(len(k)) == 0, 7, k),
    "mixed kinds": lambda k: np.array([0, "well", 2.5], dtype=object)[k],
    "missing": lambda k: np.array(["ill", None, "well"], dtype=object)[k],
}
NUMBERS = {
    "floats": lambda t: t,
    "integers": lambda t: np.round(t * 9).astype(int),
    "float32": lambda t: t.astype(np.float32),
    "constant": np.zeros_like,
    "far": lambda t: t + 1e12,
    "two columns": lambda t: np.column_stack([t, -t]),
    "one column": lambda t: t[:, None],
    "missing": lambda t: np.where(t > 1, np.nan, t),
    "infinite": lambda t: np.where(t > 1, np.inf, t),
    "strings": lambda t: t.astype(str),
    "complex": lambda t: t + 1j,
}
SOURCES = {
    "two": lambda k: np.array(["a", "b", "b"])[k],
    "three": lambda k: np.array(NAMES)[k],
    "numbers": lambda k: k,
    "objects": lambda k: np.array(NAMES, dtype=object)[k],
    "floats": lambda k: k / 2,
    "bool": lambda k: k > 0,
    "one": lambda k: np.array(["a"] * len(k)),
    "each its own": np.arange,
    "one row of b": lambda k: np.where(np.arange(len(k)) == 0, "b", "a"),
    "missing": lambda k: np.array(["a", "b", None], dtype=object)[k],
    "nan": lambda k: np.array([0, 1, np.nan])[k],
    "mixed kinds": lambda k: np.array(["a", 1, 2.5], dtype=object)[k],
    "two columns": lambda k: np.column_stack([k, k]),
    "number": lambda k: 3,
    "word": lambda k: "a",
    "strange words": lambda k: np.array(["<b>", "__x[0]", "mean, '"])[k],
}
WEIGHTS = {
    "none": lambda n, rng: None,
    "uniform": lambda n, rng: rng.uniform(0.5, 2, n),
    "integers": lambda n, rng: rng.integers(1, 4, n),
    "some zero": lambda n, rng: rng.integers(0, 2, n).astype(float),
    "zero": lambda n, rng: np.zeros(n),
    "negative": lambda n, rng: rng.normal(size=n),
    "nan": lambda n, rng: np.full(n, np.nan),
    "tiny": lambda n, rng: np.full(n, 1e-300),
    "large": lambda n, rng: np.full(n, 1e300),
    "bool": lambda n, rng: rng.random(n) < 0.5,
    "number": lambda n, rng: 2.0,
    "strings": lambda n, rng: ["1"] * n,
    "two columns": lambda n, rng: np.ones((n, 2)),
}
# How one value for each row may come; the first is plain.
VECTORS = {
    "array": lambda v: v,
    "list": lambda v: np.asarray(v).tolist(),
    "series": lambda v: pd.Series(list(v)),
    "category": lambda v: pd.Series(list(v)).astype("category"),
    "nullable": lambda v: pd.Series(list(v)).convert_dtypes(),
    "polars": lambda v: pl.Series("v", np.asarray(v).tolist(), strict=False),
    "tuple": lambda v: tuple(np.asarray(v).tolist()),
    "tensor": lambda v: torch.tensor(np.asarray(v)),
    "objects": lambda v: np.asarray(v).astype(object),
    "strange index": lambda v: pd.Series(list(v), index=[5] * len(v)),
    "too short": lambda v: v[:-1],
    "too long": lambda v: np.concatenate([v, v[:1]]),
    "frame": lambda v: pd.DataFrame({"v": list(v)}),
    "nothing": lambda v: None,
}


class Items:
    """Rows that are read one by one, when they are needed."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.rows[row]


@dataclass
class Data:
    """The arguments of a call, and in words how they were drawn."""

    X: Any
    y: Any
    source: Any
    weights: Any
    n: int
    told: dict[str, str] = field(default_factory=dict)
    column: str | None = None  # of X that holds the sources, instead of `source`

    @property
    def given(self):
        return self.X, self.y, self.source, self.weights

    def fit_params(self, *, weights=True):
        params = {} if self.column else {"sample_source": self.source}
        weighted = weights and self.weights is not None
        return params | ({"sample_weight": self.weights} if weighted else {})


def pick(rng, pool, oddity, n_plain=2):
    """Draw a name of a pool: one of the first, unless oddities are drawn."""
    names = list(pool)
    return names[int(rng.integers(len(names) if rng.random() < oddity else n_plain))]


def draw_data(rng, task, oddity=None):
    """Draw data for a task; what no library can build is drawn again."""
    oddity = rng.choice([0.0, 0.1, 0.2]) if oddity is None else oddity
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _draw(rng, task, oddity)
        except (TypeError, ValueError, IndexError, pl.exceptions.PolarsError):
            continue


def _draw(rng, task, oddity):
    odd_size = rng.random() < oddity
    n = int(rng.choice([0, 1, 2, 3, 6]) if odd_size else rng.integers(20, 60))
    width = int(rng.choice([0, 1, 2]) if rng.random() < oddity else 3)
    told = {"rows": str(n), "columns": str(width)}
    kinds = rng.integers(3, size=n)
    X = rng.normal(size=(n, width)) + kinds[:, None] * 0.5
    answer = X.sum(axis=1) + rng.normal(size=n)

    def choose(part, pool, n_plain=2, oddity=oddity):
        told[part] = pick(rng, pool, oddity, n_plain)
        return pool[told[part]]

    values = choose("values", VALUES)(X, rng)
    table = choose("table", TABLES)(values)
    if task == "classification":
        y = choose("y", CLASSES)((answer > 0).astype(int) + (answer > 2))
    else:
        y = choose("y", NUMBERS)(answer)
    y = choose("y as", VECTORS, 1, oddity / 2)(y)
    source = choose("source", SOURCES)(kinds)
    column = None
    if (
        isinstance(table, pd.DataFrame)
        and np.shape(source) == (n,)
        and rng.random() < 0.3
    ):
        table, column, told["door"] = table.assign(s=list(source)), "s", "column"
    source = choose("source as", VECTORS, 1, oddity / 2)(source)
    weights = choose("weights", WEIGHTS)(n, rng)
    if weights is not None:
        weights = choose("weights as", VECTORS, 1, oddity / 2)(weights)
    return Data(table, y, None if column else source, weights, n, told, column)


def take(table, rows):
    """Return rows of any table, as a user would."""
    if table is None or isinstance(table, str):
        return table
    if isinstance(table, (pd.DataFrame, pd.Series)):
        return table.iloc[rows]
    if isinstance(table, dict):
        return {key: take(value, rows) for key, value in table.items()}
    if isinstance(table, Items):
        return Items(table.rows[rows])
    if isinstance(table, (list, tuple)):
        return type(table)(table[i] for i in rows)
    if isinstance(table, sparse.coo_array):
        return table.tocsr()[rows]
    return table[rows]


def fingerprint(table):
    """Return a text of all values and types, to see whether a call changed them."""
    if sparse.issparse(table):
        return repr((table.dtype, table.format, table.toarray().tolist()))
    if isinstance(table, pd.DataFrame):
        labels = table.columns.tolist(), table.index.tolist()
        return repr((table.dtypes.tolist(), *labels, table.to_numpy().tolist()))
    if isinstance(table, pd.Series):
        return repr((table.dtype, table.index.tolist(), table.tolist(), table.name))
    if isinstance(table, pl.DataFrame):
        return repr((table.schema, table.rows()))
    if isinstance(table, np.ndarray):
        return repr((table.dtype, table.flags.writeable, table.tolist()))
    if isinstance(table, pl.Series):
        return repr((table.dtype, table.to_list()))
    if isinstance(table, torch.Tensor):
        return repr((table.dtype, table.tolist()))
    if isinstance(table, Items):
        return fingerprint(table.rows)
    if isinstance(table, dict):
        return repr({key: fingerprint(value) for key, value in table.items()})
    if isinstance(table, (list, tuple)):
        return repr([fingerprint(value) for value in table])
    return str(type(table)) if hasattr(table, "__next__") else repr(table)
