"""The other sources' rows, by how much they look like one's own."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktandem._callbacks import without_parts
from sktandem._docs import documented
from sktandem._settings import check_number, is_estimator
from sktandem._typing import Floats, RandomState, UnknownSource
from sktandem.data._cells import deal_folds
from sktandem.data._estimator import answer_rows
from sktandem.data._rows import Rows
from sktandem.data._tables import is_frame, numeric_columns
from sktandem.exceptions import SourceError
from sktandem.members._fill import check_weighted
from sktandem.members._models import SourceModels, Units, check_folds, fit_unit
from sktandem.merge import Merged
from sktandem.scaling._scalers import table_preprocessor

__all__ = ["SimilarityWeighted"]


@documented
class SimilarityWeighted(SourceModels):
    r"""Train a model for each source on all rows, weighted by similarity to its own.

    A classifier that distinguishes the source from the others gives, for each
    foreign row, the ratio of the two densities at that place [1]_. Foreign rows
    weighted in this way are distributed like the source's own: right where the
    sources differ in who is in them and not in the rule.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    {member_estimator}

    classifier : classifier instance, default=None
        What tells the sources apart, with `predict_proba`. None means
        ``LogisticRegression(max_iter=1000)`` on prepared columns.

    clip : float, default=10.0
        The largest weight of a row, so that no few rows dominate.

    cv : int, default=5
        The number of folds by which rows get their weight from a classifier
        that has not seen them.

    {source}

    {member_scaler}

    {primary_source}

    {member_unknown_source}

    {random_state}

    Attributes
    ----------
    {models_}

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    WeightedMerge : One weight for all foreign rows, by their worth.

    Notes
    -----
    For probability :math:`p` of the source a foreign row has the weight
    :math:`p / (1 - p) \cdot n_o / n_s`, with :math:`n_s` rows of the source and
    :math:`n_o` of the others: 1 on average.

    References
    ----------
    .. [1] S. Bickel, M. Brückner and T. Scheffer (2009), "Discriminative
       Learning Under Covariate Shift", Journal of Machine Learning Research 10.

    Examples
    --------
    One rule, y = x², met at different places by a straight line.

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem import Merged
    >>> from sktandem.members import SimilarityWeighted
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, 200), rng.normal(2, 1, 2000)])[:, None]
    >>> y, source = X.ravel() ** 2, np.repeat(["near", "far"], [200, 2000])
    >>> for kind in Merged, SimilarityWeighted:
    ...     model = kind(LinearRegression(), random_state=0)
    ...     model = model.fit(X, y, sample_source=source)
    ...     error = model.predict(X[:200], sample_source=source[:200]) - y[:200]
    ...     print(kind.__name__, round(float(np.mean(error**2)), 1))
    Merged 16.0
    SimilarityWeighted 2.2
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        classifier: Any = None,
        clip: float = 10.0,
        cv: int = 5,
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
        self.classifier = classifier
        self.clip = clip
        self.cv = cv

    def _check_settings(self) -> None:
        super()._check_settings()
        check_weighted(self)
        tells = is_estimator(self.classifier) and is_classifier(self.classifier)
        if self.classifier is not None and not tells:
            raise SourceError(
                "SimilarityWeighted needs a classifier to tell the sources apart, got "
                f"{self.classifier!r}."
            )
        if self.classifier is not None and not hasattr(
            self.classifier, "predict_proba"
        ):
            raise SourceError(
                "SimilarityWeighted needs a classifier with predict_proba, got "
                f"{self.classifier!r}. CalibratedClassifierCV gives it one."
            )
        check_folds(self)
        check_number("clip", self.clip, "above 0", lambda clip: clip > 0)

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        own, others = rows.of(name), rows.of_others(name)
        if len(others) == 0:
            return units.fit(rows.take(own))
        ratios = self._ratios(own, others, rows, units)
        weights = np.concatenate([np.ones(len(own)), ratios])
        return units.fit(rows.take(np.concatenate([own, others])), weights)

    def _ratios(
        self, own: NDArray[np.intp], others: NDArray[np.intp], rows: Rows, units: Units
    ) -> Floats:
        """Return the clipped density ratio of each foreign row, cross-fitted."""
        mine = np.ones(len(rows), dtype=np.intp)
        mine[others] = 0
        whose = replace(rows.as_one(), y=mine)
        folds = deal_folds(mine, min(self.cv, len(own), len(others)), units.rng)
        ratios = np.empty(len(rows))
        for fold in range(int(folds.max()) + 1):
            test = np.flatnonzero((folds == fold) & (mine == 0))
            train = np.flatnonzero(folds != fold)
            if len(np.unique(mine[train])) < 2:  # a source of a single row
                ratios[test] = len(own) / len(others)  # a weight of 1
                continue
            with without_parts():  # a means to weights, no model of the data
                teller = fit_unit(self._teller(rows.X, units), whose.take(train))
            p = answer_rows(teller, "predict_proba", whose.take(test))[:, 1]
            ratios[test] = p / np.clip(1 - p, 1e-12, None)
        weights = ratios[others] * len(others) / len(own)
        return np.clip(weights, 0.0, self.clip)

    def _teller(self, X: Any, units: Units) -> Merged:
        """Return an unfitted classifier of membership, for such columns."""
        unit = units.make()
        teller = LogisticRegression(max_iter=1000)
        if self.classifier is not None:
            teller = clone(self.classifier)
        elif is_frame(X) and len(numeric_columns(X)) < X.shape[1]:
            teller = make_pipeline(table_preprocessor(), teller)
        elif getattr(X, "ndim", 2) == 2 and not sparse.issparse(X):
            teller = make_pipeline(SimpleImputer(), teller)
        elif getattr(X, "ndim", 2) != 2 and not hasattr(unit.scaler, "fit"):
            raise SourceError(
                "SimilarityWeighted cannot tell sources apart by X of shape "
                f"{np.shape(X)} alone. Pass classifier=, such as a pipeline that "
                "begins with a vectorizer."
            )
        return Merged(teller, scaler=unit.scaler, random_state=unit.random_state)
