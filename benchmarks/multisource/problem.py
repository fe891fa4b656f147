"""What a problem is: rows of several sources, a target, a loss, and fixed splits."""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

EPS = 1e-6  # what a probability, or a count, is kept above


@dataclass(frozen=True)
class Rows:
    """Some rows of a problem, in the order of their sources."""

    X: object  # an array or a data frame
    y: np.ndarray
    source: np.ndarray


class Problem:
    """One table and what is asked of it. A subclass is a problem.

    `why` says what the problem is in the benchmark for, `table` which table it is
    made of: all problems of a table are on one side. `train` holds the rows to train
    on of sources that are to be small.
    """

    name: str
    table: str
    licence: str
    why: str
    task = "regression"  # or "classification" or "counts"
    learners = ("linear", "boosted")
    bundled = False
    made = False  # anew from each seed
    train: dict = {}  # noqa: RUF012, never changed
    n_train = 2000
    n_test = 1500
    fewest = 16  # rows of a source, or of each of its classes
    most_sources = 50
    dear = False  # takes minutes: two draws of linear models, one of others

    def load(self):
        """Return X, y, source; of a made problem, for a seed."""
        raise NotImplementedError

    @property
    def loss(self):
        kinds = {"classification": "log loss", "counts": "Poisson deviance"}
        return kinds.get(self.task, "squared error")

    @property
    def side(self):
        """Tune on it, or report on it once?

        What comes with the package is for tuning. Of other tables the checksum of the
        name decides: no result can move a table, nor can a new table move an old one.
        """
        last = not self.bundled and crc32(self.table.encode()) % 2 == 1
        return "last" if last else "tuning"

    def draw(self, seed):
        """Return the rows to train on and those to test, the same for a seed."""
        X, y, source = _made(type(self), seed) if self.made else _loaded(type(self))
        rng = np.random.default_rng(seed)
        train, test = [], []
        for _, rows in cells_of(y, source, self.task):
            half = rng.permutation(rows)
            train.append(half[: len(rows) // 2])
            test.append(half[len(rows) // 2 :])
        train, test = np.concatenate(train), np.concatenate(test)
        train = self._fewer(rng.permutation(train), source)
        test = even_out(rng.permutation(test), source, self.n_test)
        return rows_of(X, y, source, train), rows_of(X, y, source, test)

    def _fewer(self, train, source):
        kept = []
        share = min(1, self.n_train / len(train))
        for name in np.unique(source[train]):
            rows = train[source[train] == name]
            # A tenth of a table may leave a small source nothing to learn from.
            size = max(round(share * len(rows)), min(len(rows), self.fewest))
            kept.append(rows[: self.train.get(name, size)])
        return np.concatenate(kept)


def cells_of(y, source, task):
    """Yield the rows of each source, or of each class of each source."""
    for name in np.unique(source):
        rows = np.flatnonzero(source == name)
        if task != "classification":
            yield name, rows
            continue
        for label in np.unique(y[rows]):
            yield name, rows[y[rows] == label]


def even_out(rows, source, most):
    """Return at most so many rows, fewer of the sources that have the most."""
    counts = np.unique(source[rows], return_counts=True)[1]
    limit = int(counts.max())
    while np.minimum(counts, limit).sum() > max(most, len(counts)):
        limit = max(1, int(limit * 0.95))
    return np.concatenate([rows[source[rows] == s][:limit] for s in np.unique(source)])


def rows_of(X, y, source, rows):
    """Return some rows, sorted by their source."""
    rows = rows[np.argsort(source[rows], kind="stable")]
    X = X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]
    return Rows(X, y[rows], source[rows])


def losses_of(answers, y, task, classes=None):
    """Return the loss of each row: log loss, Poisson deviance or squared error."""
    if task == "classification":
        place = {label: at for at, label in enumerate(classes.tolist())}
        column = [place[label] for label in y.tolist()]
        return -np.log(np.clip(answers[np.arange(len(y)), column], EPS, 1))
    if task == "counts":
        mean = np.clip(np.ravel(answers), EPS, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * (np.where(y > 0, y * np.log(y / mean), 0) - y + mean)
    return (y - np.ravel(answers)) ** 2


@lru_cache(maxsize=8)
def _loaded(kind):
    return _checked(kind(), *kind().load())


@lru_cache(maxsize=8)
def _made(kind, seed):
    return _checked(kind(), *kind().load(seed))


def _checked(problem, X, y, source):
    """Return the rows of the sources that have enough, the largest of them."""
    source = np.asarray(source).astype(str)
    numbers = problem.task != "classification"
    y = np.asarray(y, dtype=float) if numbers else np.asarray(y).astype(str)
    if hasattr(X, "dtypes"):
        words = {c: object for c in X.columns if X[c].dtype.kind not in "fiu"}
        X = X.astype({c: float for c in X.columns if c not in words} | words)
    few = {
        name
        for name, rows in cells_of(y, source, problem.task)
        if len(rows) < problem.fewest
    }
    names, counts = np.unique(source, return_counts=True)
    large = names[np.argsort(-counts, kind="stable")]
    kept = [name for name in large if name not in few][: problem.most_sources]
    rows = np.flatnonzero(np.isin(source, kept))
    return (X.iloc[rows] if hasattr(X, "iloc") else X[rows]), y[rows], source[rows]
