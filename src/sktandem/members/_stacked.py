"""The other sources' model as a feature."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from sktandem._docs import documented
from sktandem._typing import Floats
from sktandem.data._estimator import answer_rows
from sktandem.data._rows import Rows
from sktandem.data._tables import append_columns, column_names, is_frame
from sktandem.exceptions import SourceError
from sktandem.members._models import SourceModels, Units, fit_unit
from sktandem.stats._losses import aligned

__all__ = ["StackedPrediction", "opinion_of", "widened", "with_columns"]

SMALLEST = 1e-6


@documented
class StackedPrediction(SourceModels):
    """Give each source's model what the others' model predicts, as a feature.

    The sources share no rule: each learns how far to trust the others' prediction. Use
    it where the sources differ in their rules, in the units of the target, or even in
    their classes.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    {source}

    {member_scaler}

    {primary_source}

    {member_unknown_source}

    {random_state}

    Attributes
    ----------
    {models_}

    donors_ : dict of {source: estimator or None}
        The fitted model of the others, which each source's model listens to; None
        where there is none, or it knows a single class.

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    Notes
    -----
    The others' model never saw a row of the source, so that what it predicts
    in training is as much out of sample as it is later [1]_. Probabilities go
    in as logarithms. The feature comes last, behind the columns of X: a
    ColumnTransformer inside `estimator` that drops the remainder drops it.

    References
    ----------
    .. [1] D. H. Wolpert (1992), "Stacked Generalization", Neural Networks 5.

    Examples
    --------
    The clinic has four rows; the lab has many, with the sign turned round.

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.members import StackedPrediction
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(204, 3))
    >>> y = X @ [1.0, 2.0, 3.0]
    >>> y[:200] *= -1
    >>> source = ["lab"] * 200 + ["clinic"] * 4
    >>> model = StackedPrediction(LinearRegression())
    >>> model = model.fit(X, y, sample_source=source)
    >>> model.predict([[1.0, 1.0, 1.0]], sample_source=["clinic"]).round(3)
    array([6.])
    """

    donors_: dict[Hashable, Any]

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        self.donors_ = {}  # which _model_for fills
        return super()._fit_models(names, rows, units)

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        own, others = rows.take(rows.of(name)), rows.take(rows.of_others(name))
        model, donor = units.make(), None
        # A donor of one class always has the same opinion.
        if len(others) > 0 and not _is_one_class(model, others.y):
            donor = units.fit(others)
            width = own.X.shape[1] if len(getattr(own.X, "shape", ())) == 2 else 0
            own = replace(own, X=_with_opinion(donor, own))
            if hasattr(getattr(model, "scaler", None), "fit"):
                scaler = widened(model.scaler, width, own.X.shape[1])
                model.set_params(scaler=scaler)
        self.donors_[name] = donor
        return fit_unit(model, own)

    def _ask(self, name: Hashable, method: str, rows: Rows) -> Any:
        donor = self.donors_[name]
        if donor is not None:
            rows = replace(rows, X=_with_opinion(donor, rows))
        return super()._ask(name, method, rows)


def _is_one_class(model: Any, y: NDArray[Any]) -> bool:
    return bool(is_classifier(model) and y.ndim == 1 and len(set(y.tolist())) == 1)


def _with_opinion(donor: Any, rows: Rows) -> Any:
    """Return X with what the donor predicts as further columns."""
    return with_columns(rows.X, opinion_of(donor, rows.as_one()), "others")


def with_columns(X: Any, columns: Floats, name: str) -> Any:
    """Return X with further columns, called by a name and a number in a frame."""
    if is_frame(X):
        return append_columns(X, columns, _names(X, columns.shape[1], name))
    if sparse.issparse(X):
        return sparse.hstack([X, sparse.csr_matrix(columns)], format="csr")
    if getattr(X, "ndim", 0) != 2:
        raise SourceError(
            "Stacking adds a column to X, which needs a table, got "
            f"{type(X).__name__} of shape {np.shape(X)}. Leave it out of strategies."
        )
    return np.hstack([X, columns])


def _names(X: Any, n_columns: int, name: str) -> list[Any]:
    """Return the names of the new columns: numbers where the others are numbers."""
    known = column_names(X) or []
    if known and all(isinstance(name, int | np.integer) for name in known):
        return [max(known) + 1 + place for place in range(n_columns)]
    return [f"{name}__{place}" for place in range(n_columns)]


def opinion_of(model: Any, rows: Rows, classes: Any = None) -> Floats:
    """Return what a fitted model says of rows, as numbers in columns.

    `classes` are those that the columns stand for, by default the model's own.
    """
    if not is_classifier(model):
        predicted = answer_rows(model, "predict", rows)
        return np.asarray(predicted, dtype=float).reshape(len(rows), -1)
    if classes is None:
        classes = model.classes_
    if hasattr(model, "predict_proba"):
        p = answer_rows(model, "predict_proba", rows)
        logs = np.log(np.clip(aligned(p, model.classes_, classes)[0], SMALLEST, 1.0))
        # Of two classes one column says all.
        return np.asarray(logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs)
    if hasattr(model, "decision_function") and len(classes) == len(model.classes_):
        decision = answer_rows(model, "decision_function", rows)
        return np.asarray(decision).reshape(len(rows), -1)
    predicted = np.asarray(answer_rows(model, "predict", rows))
    return np.asarray(predicted[:, None] == classes[None, :], dtype=float)


def widened(scaler: Any, width: int, wider: int) -> ColumnTransformer:
    """Return a transformer that hands the new columns past the user's own."""
    columns = list(range(width)), list(range(width, wider))
    return ColumnTransformer(
        [("features", scaler, columns[0]), ("others", StandardScaler(), columns[1])],
        verbose_feature_names_out=False,
    )
