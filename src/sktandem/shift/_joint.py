"""How differently the sources fill all columns together, and what y makes of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.utils.multiclass import type_of_target

from sktandem._telling import counted
from sktandem._typing import Floats
from sktandem.data._cells import cross_cells, deal_folds, mixes_kinds, target_strata
from sktandem.data._sources import Sources, distinct
from sktandem.exceptions import SourceError
from sktandem.shift._columns import Column
from sktandem.stats._inference import Difference, paired_rows, placements

__all__ = [
    "ENOUGH_FOR_CONCEPT",
    "RAREST_CLASS",
    "Concept",
    "Joint",
    "Target",
    "bounded_rows",
    "enough_of_a_class",
    "find_concept",
    "find_joint",
    "read_target",
    "says_something",
    "standardised",
]


MOST_ROWS = 100_000
MOST_ENERGY_ROWS = 500
MOST_IMPORTANCE_ROWS = 1_000
MOST_IMPORTANCES = 100
# A boosted classifier grows a tree for each source in each round, and of all pairs of
# sources the one that is told best is the luckiest.
MOST_TOLD = 30
N_FOLDS = 5
N_PERMUTATIONS = 199
ENOUGH_FOR_CONCEPT = 1_000
RAREST_CLASS = 10
MOST_CLASSES = 20
# The area under the curve of a cross-fitted classifier varies more than that of a
# fixed one: by 1.30 to 1.49 times over 50 to 2000 rows and 5 to 50 columns.
WIDER = 1.4
SMALL_TREES = {
    "max_iter": 50,
    "max_leaf_nodes": 15,
    "early_stopping": False,
    "random_state": 0,
}


@dataclass(frozen=True)
class Joint:
    """How well a row's source is told from all its columns.

    Attributes
    ----------
    auc : float
        The area under the ROC curve of a cross-fitted source classifier; with
        more than two sources of the one that is told best from the others.

    se : float
        Its standard error, 1.4 times that of a fixed classifier.

    p_value : float
        Of an area of 0.5.

    source : hashable
        The source that is told best.

    n_rows : int
        How many rows were used.

    n_sources : int
        Among how many sources; of more than 30 so many are drawn.

    energy_p_value : float
        Of a permutation test of the energy distance, on at most 500 rows of
        each source. Shown beside; the classifier decides.

    p_adjusted : float
        The p-value, adjusted for the number of checks.
    """

    auc: float
    se: float
    p_value: float
    source: Hashable
    n_rows: int
    n_sources: int
    energy_p_value: float
    p_adjusted: float = np.nan

    @property
    def size(self) -> float:
        """Somers' D, 2 AUC - 1, which is 0 to 1 like the other distances."""
        return max(0.0, 2 * self.auc - 1)


@dataclass(frozen=True)
class Concept:
    """Whether knowing the source helps to predict y from the same columns.

    Attributes
    ----------
    gain : Difference
        By how much the held-out loss falls.

    loss : float
        The held-out loss without the source.

    metric : str
        What is lost: "log loss" or "squared error".

    p_value : float
        Of no gain, one-sided.

    n_rows : int
        How many rows were used.

    importance : dict of {column: float}
        How much the held-out loss rises when a column is shuffled.

    p_adjusted : float
        The p-value, adjusted for the number of checks.
    """

    gain: Difference
    loss: float
    metric: str
    p_value: float
    n_rows: int
    importance: dict[Hashable, float] = field(repr=False)
    p_adjusted: float = np.nan

    @property
    def size(self) -> float:
        """The part of the loss that is gained."""
        return max(0.0, self.gain.estimate / self.loss) if self.loss else 0.0


@dataclass(frozen=True, eq=False)
class Target:
    """What y holds: classes as codes, or numbers."""

    kind: Literal["classes", "numbers", "mixed"]
    y: NDArray[Any]
    classes: tuple[Any, ...] = ()

    def shared(self, sources: Sources) -> bool:
        """Tell whether every two sources have a class in common."""
        if self.kind != "classes":
            return self.kind == "numbers"
        n = len(self.classes)
        seen = np.zeros((len(sources.names), n), dtype=bool)
        seen[sources.codes, self.y] = True
        return bool((seen.astype(int) @ seen.T.astype(int)).all())


def read_target(y: NDArray[Any], sources: Sources) -> Target:
    """Tell classes from numbers.

    Floats with more than two different values are numbers, even if whole: a
    grade from 0 to 10 is one. So are integers with more than 20.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.ndim != 1:
        raise SourceError(
            f"y must be one column, got shape {y.shape}. Report on one target at a "
            "time, or leave y out."
        )
    if y.dtype == object and mixes_kinds(y):
        per_source = {mixes_kinds(y[rows]) for rows in sources.rows}
        if per_source == {False}:  # numbers of one source, words of another
            return Target("mixed", y)
        raise SourceError(
            "y holds numbers and strings in one source. Write them all in one way."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        first = int(np.argmin(np.isfinite(y)))
        raise SourceError(
            f"y leaves {counted(int((~np.isfinite(y)).sum()), 'sample')} without a "
            f"finite number, the first at row {first}. Drop them first."
        )
    kind = type_of_target(y)
    numeric = y.dtype.kind in "iuf"
    if kind.startswith("continuous"):
        return Target("numbers", y.astype(np.float64))
    classes, codes = distinct(y)
    many = len(classes) > (2 if y.dtype.kind == "f" else MOST_CLASSES)
    if numeric and many:
        return Target("numbers", y.astype(np.float64))
    return Target("classes", codes.astype(np.intp), classes)


def bounded_rows(
    sources: Sources, rng: np.random.RandomState, most: int = MOST_ROWS
) -> NDArray[np.intp]:
    """Draw at most so many rows; a small source keeps all of its own."""
    if len(sources.codes) <= most:
        return np.arange(len(sources.codes))
    room, quota = most, dict.fromkeys(range(len(sources.names)), 0)
    for left, code in enumerate(np.argsort(sources.sizes, kind="stable")):
        share = room // (len(quota) - left)
        quota[int(code)] = min(share, int(sources.sizes[code]))
        room -= quota[int(code)]
    drawn = [
        rng.choice(rows, quota[code], replace=False)
        for code, rows in enumerate(sources.rows)
    ]
    return np.sort(np.concatenate(drawn))


# The source from the columns


def find_joint(
    columns: Sequence[Column],
    sources: Sources,
    rng: np.random.RandomState,
    strata: NDArray[np.intp] | None = None,
) -> Joint | None:
    """Return how well the source is told from these columns, None without any.

    With `strata`, the class of each row, among rows of the same class.
    """
    columns = [column for column in columns if says_something(column)]
    if not columns:
        return None
    if len(sources.names) > MOST_TOLD:
        drawn = np.sort(rng.choice(len(sources.names), MOST_TOLD, replace=False))
        rows = np.flatnonzero(np.isin(sources.codes, drawn))
        columns = [replace(column, values=column.values[rows]) for column in columns]
        names = tuple(sources.names[place] for place in drawn)
        sources = Sources(names, np.searchsorted(drawn, sources.codes[rows]))
        strata = None if strata is None else strata[rows]
    X, categorical = _matrix(columns)
    if strata is None:
        strata = np.zeros(len(X), dtype=np.intp)
    else:  # the trees know the class, so that they look at all else
        X, categorical = np.column_stack([X, strata]), [*categorical, False]
    folds = deal_folds(sources.codes.astype(np.intp), N_FOLDS, rng)
    scores = np.zeros((len(X), len(sources.names)))
    for fold in range(N_FOLDS):
        test = folds == fold
        model = _classifier(categorical).fit(X[~test], sources.codes[~test])
        scores[test] = model.predict_proba(X[test])
    told = [
        area_under_roc(sources.codes == s, scores[:, s], strata)
        for s in range(len(sources.names))
    ]
    if len(told) == 2:
        told = told[1:]  # the other is its mirror image
    best = int(np.argmin([p for _, _, p in told]))
    auc, se, p_value = told[best]
    return Joint(
        auc=auc,
        se=se,
        p_value=min(1.0, p_value * len(told)),
        source=sources.names[best],
        n_rows=len(X),
        n_sources=len(sources.names),
        energy_p_value=_energy_p_value(columns, sources, rng, strata),
    )


def says_something(column: Column) -> bool:
    if column.kind == "clash":
        return False
    if column.kind == "number":
        return bool(column.present.any())
    return len(column.categories) > 1 or not column.present.all()


def _classifier(categorical: list[bool]) -> Any:
    marked = categorical if any(categorical) else None
    return HistGradientBoostingClassifier(categorical_features=marked, **SMALL_TREES)


def _matrix(columns: Sequence[Column]) -> tuple[Floats, list[bool]]:
    """Return the columns as numbers, NaN where missing, and which are categories."""
    X = np.empty((len(columns[0].values), len(columns)))
    for place, column in enumerate(columns):
        X[:, place] = column.values
        if column.kind == "category":
            X[column.values < 0, place] = np.nan
    return X, [column.kind == "category" for column in columns]


def area_under_roc(
    positive: NDArray[np.bool_], scores: Floats, strata: NDArray[np.intp]
) -> tuple[float, float, float]:
    """Return the area under the ROC curve, its standard error, and its p-value.

    Within each stratum that has rows of both kinds; those with more count more.
    """
    areas, variances, by_chance, counts = [], [], [], []
    for stratum in np.unique(strata):
        own = strata == stratum
        inside, n = positive[own], int(positive[own].sum())
        m = len(inside) - n
        if min(n, m) == 0:
            continue
        parts = placements(inside, scores[own])
        areas.append(parts[inside].mean())
        variances.append(parts[inside].var() / n + parts[~inside].var() / m)
        by_chance.append((n + m + 1) / (12 * n * m))  # of Mann and Whitney
        counts.append(n * m / (n + m))
    share = np.array(counts) / sum(counts)
    auc = float(share @ areas)
    by_chance_se = np.sqrt(share**2 @ by_chance)
    p_value = float(stats.norm.sf((auc - 0.5) / (WIDER * by_chance_se)))
    return auc, WIDER * float(np.sqrt(share**2 @ variances)), p_value


def _energy_p_value(
    columns: Sequence[Column],
    sources: Sources,
    rng: np.random.RandomState,
    strata: NDArray[np.intp],
) -> float:
    """Return the share of permutations whose energy distance is as large."""
    most = min(MOST_ENERGY_ROWS, 4 * MOST_ENERGY_ROWS // len(sources.names))
    rows = np.concatenate([rng.permutation(own)[:most] for own in sources.rows])
    Z = np.hstack([standardised(column, rows) for column in columns])
    distances = cdist(Z, Z)
    codes = sources.codes[rows]
    order = np.argsort(strata[rows], kind="stable")
    turned = [codes]
    for _ in range(N_PERMUTATIONS):  # within each stratum
        drawn = rng.permutation(len(rows))
        turned.append(np.empty_like(codes))
        turned[-1][order] = codes[drawn[np.argsort(strata[rows][drawn], kind="stable")]]
    labels = np.column_stack(turned)
    shares = [(labels == s) / np.sum(codes == s) for s in np.unique(codes)]
    # Of two distributions, -gap' D gap is their energy. The sum over all pairs of
    # sources is that of each, times their number, less that of their sum.
    total = sum(shares)
    each = sum((share * (distances @ share)).sum(axis=0) for share in shares)
    energy = (total * (distances @ total)).sum(axis=0) - len(shares) * each
    # The labels as they are count among the permutations, so that p is never 0; sums
    # that are equal may round apart.
    return float(np.mean(energy >= energy[0] - 1e-12))


def standardised(column: Column, rows: NDArray[np.intp]) -> Floats:
    values = column.values[rows]
    if column.kind == "category":
        levels = np.arange(len(column.categories))
        return np.asarray(values[:, None] == levels, dtype=np.float64)
    some = values[~np.isnan(values)]
    if len(some) == 0:
        return np.zeros((len(rows), 1))
    filled = np.where(np.isnan(values), np.median(some), values)
    spread = float(filled.std())
    return np.asarray((filled - filled.mean()) / (spread or 1.0))[:, None]


# y from the columns, with and without the source


def find_concept(
    columns: Sequence[Column],
    sources: Sources,
    target: Target,
    rng: np.random.RandomState,
    *,
    by_size: Sequence[Hashable] = (),
) -> Concept | None:
    """Return what the source adds to the columns, None where that means nothing."""
    columns = [column for column in columns if says_something(column)]
    kept = enough_of_a_class(target, rng)
    if not columns or not target.shared(sources) or len(np.unique(target.y[kept])) < 2:
        return None
    present, codes = np.unique(sources.codes[kept], return_inverse=True)
    if len(kept) < 2 * N_FOLDS or len(present) < 2:
        return None
    X, categorical = _matrix(columns)
    X, y = X[kept], target.y[kept]
    own = Sources(tuple(sources.names[s] for s in present), codes.astype(np.intp))
    cells = cross_cells(own, target_strata(own, y))
    folds = deal_folds(cells, N_FOLDS, rng)
    if target.kind == "classes":
        y = np.unique(y, return_inverse=True)[1]
    learn = _Learner(target.kind == "classes", y)
    with_source = np.column_stack([X, codes])
    shuffled = _to_shuffle(columns, by_size)
    without, gained = np.empty(len(y)), np.empty(len(y))
    rises = np.zeros((N_FOLDS, len(shuffled)))
    for fold in range(N_FOLDS):
        test = np.flatnonzero(folds == fold)
        train = np.flatnonzero(folds != fold)
        blind = learn.fit(X[train], train, categorical)
        knowing = learn.fit(with_source[train], train, [*categorical, True])
        without[test] = learn.losses(blind, X[test], test)
        gained[test] = without[test] - learn.losses(knowing, with_source[test], test)
        some = rng.permutation(test)[:MOST_IMPORTANCE_ROWS]
        for place, j in enumerate(shuffled):
            turned = X[some].copy()
            turned[:, j] = rng.permutation(turned[:, j])
            rise = learn.losses(blind, turned, some) - without[some]
            rises[fold, place] = rise.mean()
    gain = paired_rows(gained, N_FOLDS)
    # Only a gain tells of a relation that differs: a loss that rises with the source
    # known is overfitting.
    one_sided = gain.p_value / 2 if gain.estimate > 0 else 1 - gain.p_value / 2
    importance = {columns[j].name: v for j, v in zip(shuffled, rises.mean(axis=0))}
    return Concept(
        gain=gain,
        loss=float(without.mean()),
        metric="log loss" if target.kind == "classes" else "squared error",
        p_value=one_sided,
        n_rows=len(y),
        importance={name: float(v) / learn.unit for name, v in importance.items()},
    )


def enough_of_a_class(target: Target, rng: np.random.RandomState) -> NDArray[np.intp]:
    """Return the rows of the most common classes that have enough rows to learn."""
    if target.kind != "classes":
        return np.arange(len(target.y))
    counts = np.bincount(target.y)
    common = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    common = common[counts[common] >= RAREST_CLASS]
    rows = np.flatnonzero(np.isin(target.y, common))
    # Boosting grows a tree for each class, so many classes get fewer rows.
    most = MOST_ROWS // max(1, len(common) // 2)
    return rows if len(rows) <= most else np.sort(rng.permutation(rows)[:most])


def _to_shuffle(columns: Sequence[Column], by_size: Sequence[Hashable]) -> list[int]:
    """Return the columns whose importance is measured: those that differ most."""
    place = {name: at for at, name in enumerate(by_size)}
    order = sorted(
        range(len(columns)), key=lambda j: place.get(columns[j].name, len(place))
    )
    return order[:MOST_IMPORTANCES]


class _Learner:
    """Boosted trees for classes or for numbers, and their loss on each row."""

    def __init__(self, classes: bool, y: NDArray[Any]) -> None:
        self.classes, self.y = classes, y
        # Importances of numbers are parts of the variance of y.
        self.unit = 1.0 if classes else float(y.var()) or 1.0

    def fit(self, X: Floats, rows: NDArray[np.intp], categorical: list[bool]) -> Any:
        if self.classes:
            return _classifier(categorical).fit(X, self.y[rows])
        marked = categorical if any(categorical) else None
        model = HistGradientBoostingRegressor(
            categorical_features=marked, **SMALL_TREES
        )
        return model.fit(X, self.y[rows])

    def losses(self, model: Any, X: Floats, rows: NDArray[np.intp]) -> Floats:
        if not self.classes:
            return np.asarray((self.y[rows] - model.predict(X)) ** 2)
        # A class may be missing in the rows that this model has learned from.
        given = np.full((len(rows), int(self.y.max()) + 1), 1e-9)
        given[:, model.classes_] = model.predict_proba(X)
        own = np.clip(given[np.arange(len(rows)), self.y[rows]], 1e-9, 1)
        return np.asarray(-np.log(own))
