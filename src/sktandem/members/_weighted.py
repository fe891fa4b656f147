"""The other sources at a weight that cross-validation chooses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from sktandem.data._cells import class_codes, cross_cells, deal_folds, target_strata
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Training
from sktandem.members._units import check_folds, takes_weights
from sktandem.stats._losses import log_losses, squared_errors, with_the_rest

__all__ = ["WeightedMerge"]


class WeightedMerge(SourceStrategy):
    """Train a model for each source on all rows, those of the others weighing less.

    How much a foreign row is worth is a question for the data: the weight is
    the one with the smallest loss on the source's own rows, by
    cross-validation inside `fit`. A weight of 0 leaves the others out, of 1 is
    a plain merge, so that neither has to be believed in beforehand.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    weights : sequence of float, default=(0.0, 0.03, 0.1, 0.3, 1.0)
        What a row of the other sources may weigh; a row of one's own is 1.

    cv : int, default=5
        The number of inner folds of the source's own rows.

    Notes
    -----
    The loss is log loss, or the zero-one loss of a classifier without
    probabilities; of regressors, squared error. The chosen weight stands in
    ``models_[source].weight_``. The inner folds know no `groups`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem.members import WeightedMerge
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> X, y = np.vstack([x, x]), np.concatenate([x, -x]).ravel()
    >>> model = WeightedMerge().build(Ridge(), random_state=0)
    >>> model = model.fit(X, y, sample_source=["up"] * 40 + ["down"] * 40)
    >>> {source: own.weight_ for source, own in model.models_.items()}
    {'down': 0.0, 'up': 0.0}

    The sources contradict each other, and nothing is taken over.
    """

    name = "weighted"

    def __init__(
        self,
        *,
        weights: Sequence[float] = (0.0, 0.03, 0.1, 0.3, 1.0),
        cv: int = 5,
    ) -> None:
        self.weights = weights
        self.cv = cv

    def build(self, estimator: Any, **options: Any) -> Any:
        """Return the estimator; see :class:`Strategy`."""
        if not takes_weights(estimator):
            raise SourceError(
                f"WeightedMerge weighs rows, and {type(estimator).__name__}.fit takes "
                "no sample_weight. Take an estimator that does, or Merged()."
            )
        check_folds(self)
        if not _are_weights(self.weights):
            raise SourceError(
                "WeightedMerge needs weights that are numbers of at least 0, got "
                f"{self.weights!r}."
            )
        return super().build(estimator, **options)

    def fit_for(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Return the model of the weight that serves the source best."""
        own, others = data.rows_of(name), data.rows_of_others(name)
        if len(others) == 0:
            weight = 0.0
        elif len(self.weights) == 1:
            weight = float(self.weights[0])
        else:
            weight = self._best_weight(own, others, data, make, rng)
        model = _fit(make(), data, own, others, weight)
        model.weight_ = weight
        return model

    def _best_weight(
        self,
        own: NDArray[np.intp],
        others: NDArray[np.intp],
        data: Training,
        make: Maker,
        rng: Any,
    ) -> float:
        sources = data.sources.take(own)
        cells = cross_cells(sources, target_strata(sources, data.y[own]))
        n_folds = min(self.cv, len(own))
        if n_folds < 2:
            return float(max(self.weights))  # a single row judges nothing
        folds = deal_folds(cells, n_folds, rng)
        losses, failure = np.zeros(len(self.weights)), None
        for fold in range(n_folds):
            train, test = own[folds != fold], own[folds == fold]
            for place, weight in enumerate(self.weights):
                try:
                    model = _fit(make(), data, train, others, weight)
                except ValueError as error:  # such as a class that few rows lack
                    losses[place], failure = np.inf, error
                    continue
                losses[place] += _loss(model, data, own, test)
        if failure is not None and np.isinf(losses).all():
            raise failure
        return float(self.weights[int(np.argmin(losses))])


def _are_weights(weights: Any) -> bool:
    try:
        numbers = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        return False
    flat = numbers.ndim == 1 and len(numbers) > 0
    return flat and bool(((numbers >= 0) & np.isfinite(numbers)).all())


def _fit(
    model: Any,
    data: Training,
    own: NDArray[np.intp],
    others: NDArray[np.intp],
    weight: float,
) -> Any:
    """Fit on rows of one's own and on others that weigh `weight`."""
    if weight == 0 or len(others) == 0:
        return model.fit(*data.take(own))
    rows = np.concatenate([own, others])
    weights = np.repeat([1.0, weight], [len(own), len(others)])
    return model.fit(*data.take(rows), sample_weight=None if weight == 1 else weights)


def _loss(
    model: Any, data: Training, own: NDArray[np.intp], test: NDArray[np.intp]
) -> float:
    """Return the sum of the losses of some rows, among the classes of one's own."""
    X, y = data.take(test)
    if not is_classifier(model):
        return float(squared_errors(y, model.predict(X)).sum())
    if not hasattr(model, "predict_proba"):
        return float((np.asarray(model.predict(X)) != y).sum())
    classes, codes = class_codes(data.y[own])
    mine = codes[np.searchsorted(own, test)]  # both ascending
    return float(log_losses(_proba(model, X, classes), mine).sum())


def _proba(model: Any, X: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    return with_the_rest(model.predict_proba(X), model.classes_, classes)
