"""The other sources' model as a feature."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from sktandem.data._tables import append_columns, column_names, is_frame
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Training

__all__ = ["StackedPrediction"]

SMALLEST = 1e-6


class StackedPrediction(SourceStrategy):
    """Give each source's model what the others' model predicts, as a feature.

    The others never share a rule with the source, only their opinion; how far
    it is to be trusted is learnt. It serves where the sources differ in their
    rules, in the units of the target, or even in their classes.

    Read more in the :ref:`User Guide <comparing>`.

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
    >>> model = StackedPrediction().build(LinearRegression())
    >>> model = model.fit(X, y, sample_source=source)
    >>> model.predict([[1.0, 1.0, 1.0]], sample_source=["clinic"]).round(3)
    array([6.])
    """

    name = "stacked"

    def fit_for(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Return the model of the source on its features and the others' opinion."""
        others = data.rows_of_others(name)
        X, y = data.take(data.rows_of(name))
        model = make()
        donor_X, donor_y = data.take(others)
        of_one = len(others) == 0 or _is_one_class(model, donor_y)
        if of_one:  # whose opinion is always the same
            return model.fit(X, y)
        donor = make().fit(donor_X, donor_y)
        wider = _with_opinion(donor, X)
        if hasattr(model.scaler, "fit"):
            model.scaler = _widened(model.scaler, X.shape[1], wider.shape[1])
        return StackedModel(donor, model.fit(wider, y))


def _is_one_class(model: Any, y: NDArray[Any]) -> bool:
    return bool(is_classifier(model) and y.ndim == 1 and len(set(y.tolist())) == 1)


class StackedModel:
    """A fitted model together with the one that it listens to."""

    def __init__(self, donor: Any, model: Any) -> None:
        self.donor = donor
        self.model = model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "model":  # copying asks before __init__
            raise AttributeError(name)
        value = getattr(self.model, name)
        if name not in ("predict", "predict_proba", "decision_function"):
            return value
        return lambda X: value(_with_opinion(self.donor, X))


def _with_opinion(donor: Any, X: Any) -> Any:
    """Return X with what the donor predicts as further columns."""
    opinion = _opinion(donor, X)
    if is_frame(X):
        return append_columns(X, opinion, _names(X, opinion.shape[1]))
    if sparse.issparse(X):
        return sparse.hstack([X, sparse.csr_matrix(opinion)], format="csr")
    if getattr(X, "ndim", 0) != 2:
        raise SourceError(
            "StackedPrediction adds a column to X, which needs a table, got "
            f"{type(X).__name__} of shape {np.shape(X)}. Leave it out of strategies."
        )
    return np.hstack([X, opinion])


def _names(X: Any, n_columns: int) -> list[Any]:
    """Return the names of the new columns: numbers where the others are numbers."""
    known = column_names(X) or []
    if known and all(isinstance(name, int | np.integer) for name in known):
        return [max(known) + 1 + place for place in range(n_columns)]
    return [f"others__{place}" for place in range(n_columns)]


def _opinion(donor: Any, X: Any) -> NDArray[np.float64]:
    if not is_classifier(donor):
        return np.asarray(donor.predict(X), dtype=float).reshape(X.shape[0], -1)
    if hasattr(donor, "predict_proba"):
        logs = np.log(np.clip(donor.predict_proba(X), SMALLEST, 1.0))
        # Of two classes one column says all.
        return np.asarray(logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs)
    if hasattr(donor, "decision_function"):
        return np.asarray(donor.decision_function(X)).reshape(X.shape[0], -1)
    predicted = np.asarray(donor.predict(X))
    return np.asarray(predicted[:, None] == donor.classes_[None, :], dtype=float)


def _widened(scaler: Any, width: int, wider: int) -> ColumnTransformer:
    """Return a transformer that hands the new columns past the user's own."""
    columns = list(range(width)), list(range(width, wider))
    return ColumnTransformer(
        [("features", scaler, columns[0]), ("others", StandardScaler(), columns[1])],
        verbose_feature_names_out=False,
    )
