"""The own models' predictions as a feature of one merged model."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.utils import Tags, check_random_state

from sktandem._docs import documented
from sktandem._typing import Floats, RandomState, UnknownSource
from sktandem.data._cells import (
    class_codes,
    classes_by_source,
    cross_cells,
    deal_folds,
    target_strata,
)
from sktandem.data._estimator import answer_rows, fit_rows, one_class, tags_like
from sktandem.data._predictor import SourcePredictor
from sktandem.data._rows import Rows
from sktandem.members._fill import as_model, check_estimator
from sktandem.members._models import check_folds
from sktandem.members._own import OwnModels
from sktandem.members._stacked import opinion_of, widened, with_columns
from sktandem.merge import Merged
from sktandem.scaling._scalers import check_scaler

__all__ = ["StackedOwnModels"]


@documented
class StackedOwnModels(MetaEstimatorMixin, SourcePredictor):
    """Give one merged model what each source's own model predicts, as a feature.

    The merged model starts from the own models and learns, from all sources at
    once, how far each can be trusted and what it misses. With many rows and
    trees this is often the best single model.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    cv : int, default=5
        Folds in which the own models predict the rows that the merged model is
        trained on. A row's own prediction never comes from a model that saw it.

    {source}

    {member_scaler}

    {primary_source}

    {member_unknown_source}

    {random_state}

    Attributes
    ----------
    own_models_ : OwnModels
        The fitted model of each source.

    merged_ : Merged or None
        The fitted model of all rows, with an indicator of the source and the
        prediction of its own model. None where there is one source, whose own
        model is all there is.

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    StackedPrediction : Gives each source's model what the others' model predicts.

    Notes
    -----
    It is stacked generalization [1]_ with the features passed through. The cost
    is `cv` and one more fits on each source, and one on all rows. The inner folds
    know no `groups`.

    References
    ----------
    .. [1] D. H. Wolpert (1992), "Stacked Generalization", Neural Networks 5.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.members import StackedOwnModels
    >>> X, y, source = make_two_sources(400, return_X_y=True, random_state=0)
    >>> model = StackedOwnModels(Ridge(), random_state=0)
    >>> model = model.fit(X, y, sample_source=source)
    >>> model.merged_.n_features_in_ - X.shape[1]
    1
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        cv: int = 5,
        source: str | int | None = None,
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.source = source
        self.scaler = scaler
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_source: Any = None) -> Self:
        """Fit the own models, then one merged model on what they predict.

        Parameters
        ----------
        {X}

        {y}

        {sample_source}

        Returns
        -------
        self : StackedOwnModels
            The fitted instance.

        Raises
        ------
        SourceError
            If labels or settings do not fit the data.
        """
        self._check_settings()
        return self._fit(X, y, sample_source=sample_source)

    def _check_settings(self) -> None:
        check_estimator(self)
        check_scaler(self.scaler, "pooled")
        check_folds(self)

    def _fit_rows(self, rows: Rows) -> None:
        self._check_settings()
        rng = check_random_state(self.random_state)
        classifies = is_classifier(as_model(self.estimator))
        classes = class_codes(rows.y)[0] if classifies else None
        merged = None
        if len(rows.names) > 1:  # or the own model is all that there is
            opinion = self._out_of_fold(rows, rng, classes)
            merged = self._merged(rows, opinion, rng)
        own = fit_rows(self._own(rng), rows)
        for name in ("classes_", "classes_by_source_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        if classes is not None:
            self.classes_ = classes
            self.classes_by_source_ = classes_by_source(rows.sources, rows.y)
        self.own_models_, self.merged_, self.sources_ = own, merged, rows.names

    def _merged(
        self, rows: Rows, opinion: Floats, rng: np.random.RandomState
    ) -> Merged:
        """Return the merged model, fitted on X and what own models predict."""
        merged = Merged(
            self.estimator,
            scaler=self.scaler,
            representation="indicator",
            unknown_source="pooled",
            random_state=self._seed(rng),
        )
        if hasattr(self.scaler, "fit"):
            width = rows.X.shape[1]
            merged.scaler = widened(self.scaler, width, width + opinion.shape[1])
        widened_rows = replace(rows, X=with_columns(rows.X, opinion, "own"))
        fitted: Merged = fit_rows(merged, widened_rows)
        return fitted

    def _own(self, rng: np.random.RandomState) -> OwnModels:
        return OwnModels(
            self.estimator,
            scaler=self.scaler,
            unknown_source="pooled",
            random_state=self._seed(rng),
        )

    def _seed(self, rng: np.random.RandomState) -> int | None:
        seeded = self.random_state is not None
        return int(rng.randint(np.iinfo(np.int32).max)) if seeded else None

    def _out_of_fold(
        self, rows: Rows, rng: np.random.RandomState, classes: Any
    ) -> Floats:
        """Return what own models that did not see a row predict for it."""
        cells = cross_cells(rows.sources, target_strata(rows.sources, rows.y))
        # A source of a single row has the mean of the others' models.
        n_folds = max(2, min(self.cv, int(rows.sources.sizes.min())))
        folds = deal_folds(cells, n_folds, rng)
        places, parts = [], []
        for fold in range(n_folds):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            own = fit_rows(self._own(rng), rows.take(train))
            parts.append(opinion_of(own, rows.take(test), classes))
            places.append(test)
        return np.asarray(np.concatenate(parts)[np.argsort(np.concatenate(places))])

    def _depends_on_source(self) -> str | None:
        return None if len(self.sources_) == 1 else "Own models differ by source"

    def _answer(self, method: str, rows: Rows) -> NDArray[Any]:
        if self.merged_ is None:
            return np.asarray(answer_rows(self.own_models_, method, rows))
        classes = getattr(self, "classes_", None)
        opinion = opinion_of(self.own_models_, rows, classes)
        rows = replace(rows, X=with_columns(rows.X, opinion, "own"))
        return np.asarray(answer_rows(self.merged_, method, rows))

    def _inner(self) -> list[Any]:
        fitted = getattr(self, "own_models_", None)
        merged = getattr(self, "merged_", None)
        known = [each for each in (merged, fitted) if each is not None]
        return known[:1] or [as_model(self.estimator)]

    def __sklearn_tags__(self) -> Tags:
        model = as_model(self.estimator)
        return one_class(tags_like(super().__sklearn_tags__(), model, self.scaler))
