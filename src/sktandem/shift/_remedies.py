"""Whether a remedy helps: each tried on held-out rows, quickly."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sktandem._typing import Floats
from sktandem.data._cells import cross_cells, deal_folds, target_strata
from sktandem.data._sources import Sources
from sktandem.merge import Merged
from sktandem.report._wording import moved
from sktandem.shift._columns import Column
from sktandem.shift._features import ALPHA
from sktandem.shift._joint import (
    Target,
    bounded_rows,
    enough_of_a_class,
    says_something,
    standardised,
)
from sktandem.stats._inference import Difference, paired_rows
from sktandem.stats._losses import aligned, log_losses

__all__ = ["REMEDIES", "Trial", "try_remedies"]

N_FOLDS = 3
MOST_ROWS = 3_000
MOST_COLUMNS = 100
REMEDIES: dict[str, dict[str, str]] = {
    "scale": {"scale_by": "source"},
    "weights": {"representation": "augmented"},
    "level": {"representation": "indicator"},
    "target": {"scale_target_by": "source"},
}


@dataclass(frozen=True)
class Trial:
    """What one setting does to the held-out loss of a plain merge.

    Attributes
    ----------
    before, after : float
        The mean loss without and with it.

    gain : Difference
        By how much the loss falls.

    how : str
        The loss, the model and the rows it was tried with.
    """

    before: float
    after: float
    gain: Difference
    how: str

    @property
    def sign(self) -> int:
        """1 if the loss surely falls, -1 if it surely rises, 0 otherwise."""
        low, high = self.gain.interval(ALPHA)
        return int(low > 0) - int(high < 0)

    @property
    def words(self) -> str:
        """What was measured, such as "log loss falls from 0.5 to 0.4, by ..."."""
        low, high = self.gain.interval(ALPHA)
        loss, _, how = self.how.partition(": ")
        told = moved(loss, self.before, self.after, -self.gain.estimate, -high, -low)
        return f"{told} (quick check: {how})"


def try_remedies(
    columns: Sequence[Column],
    sources: Sources,
    target: Target,
    rng: np.random.RandomState,
) -> dict[str, Trial]:
    """Return what each remedy does to the held-out loss of a linear model.

    Three folds of at most 3,000 rows, and the first 100 columns. Nothing where the
    sources have no labels in common, or too few rows to learn from.
    """
    columns = [column for column in columns if says_something(column)][:MOST_COLUMNS]
    if not columns or not target.shared(sources):
        return {}
    kept = enough_of_a_class(target, rng)
    kept = kept[
        bounded_rows(Sources(sources.names, sources.codes[kept]), rng, MOST_ROWS)
    ]
    codes, y = sources.codes[kept], target.y[kept]
    if len(np.unique(y)) < 2 or len(np.unique(codes)) < 2 or len(y) < 2 * N_FOLDS:
        return {}
    present, codes = np.unique(codes, return_inverse=True)
    own = Sources(tuple(sources.names[s] for s in present), codes.astype(np.intp))
    folds = deal_folds(cross_cells(own, target_strata(own, y)), N_FOLDS, rng)
    X, measured = _matrix(columns, kept)
    classifies = target.kind == "classes"
    model = LogisticRegression(max_iter=200) if classifies else Ridge()
    scaler = ColumnTransformer(
        [("measured", StandardScaler(), measured)], remainder="passthrough"
    )

    def losses(**setting: str) -> Floats:
        merged = Merged(model, scaler=scaler, **setting)
        return _held_out(merged, X, y, codes, folds)

    # On the same folds as each remedy: losses are compared row by row, and what makes a
    # row hard is in both.
    base = losses()
    words = "logistic regression" if classifies else "ridge regression"
    loss = "log loss" if classifies else "squared error"
    trials = {}
    for name, setting in REMEDIES.items():
        if name == "target" and classifies:
            continue
        after = losses(**setting)
        trials[name] = Trial(
            before=float(base.mean()),
            after=float(after.mean()),
            gain=paired_rows(base - after, N_FOLDS),
            how=f"held-out {loss}: {words}, {N_FOLDS} folds, {len(y):,} rows",
        )
    return trials


def _matrix(
    columns: Sequence[Column], rows: NDArray[np.intp]
) -> tuple[Floats, list[int]]:
    """Return the columns as numbers, and the places of those that were measured."""
    parts = [standardised(column, rows) for column in columns]
    ends = np.cumsum([part.shape[1] for part in parts])
    measured = [
        int(end) - 1 for end, column in zip(ends, columns) if column.kind == "number"
    ]
    return np.hstack(parts), measured


def _held_out(
    model: Any, X: Floats, y: NDArray[Any], codes: NDArray[Any], folds: NDArray[Any]
) -> Floats:
    """Return the loss of each row, by models of the other folds."""
    losses = np.empty(len(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is a rough check
        for fold in range(N_FOLDS):
            test = folds == fold
            fitted = model.fit(X[~test], y[~test], sample_source=codes[~test])
            given = {"sample_source": codes[test]}
            if not hasattr(fitted, "predict_proba"):
                losses[test] = (y[test] - fitted.predict(X[test], **given)) ** 2
                continue
            known = fitted.classes_
            parts, _ = aligned(fitted.predict_proba(X[test], **given), known, known)
            losses[test] = log_losses(parts, np.searchsorted(known, y[test]))
    return losses
