"""The other sources at a weight that cross-validation chooses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from sktandem._docs import documented
from sktandem._typing import RandomState, UnknownSource
from sktandem.data._cells import (
    cross_cells,
    deal_folds,
    refuse_fields,
    target_strata,
)
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.members._fill import as_model, check_weighted
from sktandem.members._inner_losses import inner_losses
from sktandem.members._models import SourceModels, Units, check_folds

__all__ = ["WeightedMerge"]


@documented
class WeightedMerge(SourceModels):
    """Train a model for each source on all rows, those of the others weighted less.

    The weight of a foreign row is the one with the smallest loss on the source's own
    rows, by cross-validation inside `fit`. A weight of 0 leaves the others out, and 1
    is a plain merge, so neither has to be decided beforehand.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    weights : sequence of float, default=(0.0, 0.03, 0.1, 0.3, 1.0)
        What a row of the other sources may count; a row of one's own counts 1.

    cv : int, default=5
        The number of inner folds of the source's own rows.

    scoring : str or callable, default=None
        The metric by which the weight is chosen, as in
        :func:`~sklearn.metrics.check_scoring`. None means the loss of the Notes.

    {source}

    {member_scaler}

    {primary_source}

    {member_unknown_source}

    {random_state}

    Attributes
    ----------
    {models_}

    weight_by_source_ : dict of {source: float}
        The weight that was chosen for the rows of the others.

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    SimilarityWeighted : A weight for each row, by how much it is like one's own.
    Merged : Shares that are set beforehand.

    Notes
    -----
    Without `scoring` the loss is log loss, or the zero-one loss of a classifier without
    probabilities; of regressors the loss they are made for, such as the pinball loss
    of a quantile. The inner folds know no `groups`.

    What takes no weights, such as an encoder or the front of a pipeline, is fitted once
    for an inner fold with the others and once without. Without `scoring`, the losses of
    Ridge and LinearRegression come from sums of products, and those of a
    LogisticRegression with a squared penalty from Newton's method, begun at the fit
    that is most alike: those of single fits, to their `tol`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem.members import WeightedMerge
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> X, y = np.vstack([x, x]), np.concatenate([x, -x]).ravel()
    >>> model = WeightedMerge(Ridge(), random_state=0)
    >>> model = model.fit(X, y, sample_source=["up"] * 40 + ["down"] * 40)
    >>> model.weight_by_source_
    {'down': 0.0, 'up': 0.0}

    The sources contradict each other, and nothing is taken over.
    """

    weight_by_source_: dict[Hashable, float]

    def __init__(
        self,
        estimator: Any = None,
        *,
        weights: Sequence[float] = (0.0, 0.03, 0.1, 0.3, 1.0),
        cv: int = 5,
        scoring: Any = None,
        source: str | int | None = None,
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            estimator,
            source=source,
            scaler=scaler,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )
        self.weights = weights
        self.cv = cv
        self.scoring = scoring

    def _check_settings(self) -> None:
        super()._check_settings()
        check_weighted(self)
        check_folds(self)
        if not _are_weights(self.weights):
            raise SourceError(
                "weights must be a list of numbers of at least 0, got "
                f"{self.weights!r}."
            )
        if self.scoring is not None:
            check_scoring(as_model(self.estimator), self.scoring)

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        self.weight_by_source_ = {}  # which _model_for fills
        return super()._fit_models(names, rows, units)

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        own, others = rows.of(name), rows.of_others(name)
        if len(others) == 0:
            weight = 0.0
        elif len(self.weights) == 1:
            weight = float(self.weights[0])
        else:
            weight = self._best_weight(own, others, rows, units)
        model = _fit(units, rows, own, others, weight)
        self.weight_by_source_[name] = weight
        return model

    def _best_weight(
        self, own: NDArray[np.intp], others: NDArray[np.intp], rows: Rows, units: Units
    ) -> float:
        refuse_fields(rows.y, "weights are chosen by")
        n_folds = min(self.cv, len(own))
        if n_folds < 2:
            return float(max(self.weights))  # a single row judges nothing
        sources = rows.sources.take(own)
        cells = cross_cells(sources, target_strata(sources, rows.y[own]))
        folds = deal_folds(cells, n_folds, units.rng)
        # Of their own, or the next source's folds would hang on how many fits it took.
        seed = units.rng.randint(np.iinfo(np.int32).max)
        inner = replace(units, rng=np.random.RandomState(seed))
        given = rows, own, others, folds, self.weights, self.scoring
        losses = inner_losses(inner, *given)
        return float(self.weights[int(np.argmin(losses))])


def _are_weights(weights: Any) -> bool:
    try:
        numbers = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        return False
    flat = numbers.ndim == 1 and len(numbers) > 0
    return flat and bool(((numbers >= 0) & np.isfinite(numbers)).all())


def _fit(
    units: Units,
    rows: Rows,
    own: NDArray[np.intp],
    others: NDArray[np.intp],
    weight: float,
) -> Any:
    """Return a unit fitted on rows of one's own and on others of this weight."""
    if weight == 0 or len(others) == 0:
        return units.fit(rows.take(own))
    both = rows.take(np.concatenate([own, others]))
    weights = np.repeat([1.0, weight], [len(own), len(others)])
    return units.fit(both, None if weight == 1 else weights)
