"""The other sources' rows, by how much they look like one's own."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktandem.data._cells import deal_folds
from sktandem.data._tables import is_frame, numeric_columns, take_rows
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._source_strategy import SourceStrategy
from sktandem.members._strategy import Training
from sktandem.members._units import check_folds, takes_weights
from sktandem.merge import Merged
from sktandem.scaling._scalers import table_preprocessor

__all__ = ["SimilarityWeighted"]


class SimilarityWeighted(SourceStrategy):
    r"""Train a model for each source on all rows, weighed by likeness to its own.

    A classifier that tells the source from the others gives, for each foreign
    row, the ratio of the densities of both at that place [1]_. Foreign rows so
    weighed are spread like the source's own: right where the sources differ in
    who is in them and not in the rule.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    classifier : classifier instance, default=None
        What tells the sources apart, with `predict_proba`. None means
        ``LogisticRegression(max_iter=1000)`` on prepared columns.

    clip : float, default=10.0
        The largest weight of a row, lest a few decide all.

    cv : int, default=5
        The number of folds by which rows get their weight from a classifier
        that has not seen them.

    Notes
    -----
    For probability :math:`p` of the source a foreign row weighs
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
    >>> from sktandem.members import Merged, SimilarityWeighted
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, 200), rng.normal(2, 1, 2000)])[:, None]
    >>> y, source = X.ravel() ** 2, np.repeat(["near", "far"], [200, 2000])
    >>> for strategy in Merged(), SimilarityWeighted():
    ...     model = strategy.build(LinearRegression(), random_state=0)
    ...     model = model.fit(X, y, sample_source=source)
    ...     error = model.predict(X[:200], sample_source=source[:200]) - y[:200]
    ...     print(strategy.name, round(float(np.mean(error**2)), 1))
    merged 16.0
    similarity weighted 2.2
    """

    name = "similarity weighted"

    def __init__(
        self, *, classifier: Any = None, clip: float = 10.0, cv: int = 5
    ) -> None:
        self.classifier = classifier
        self.clip = clip
        self.cv = cv

    def build(self, estimator: Any, **options: Any) -> Any:
        """Return the estimator; see :class:`Strategy`."""
        if not takes_weights(estimator):
            raise SourceError(
                f"SimilarityWeighted weighs rows, and {type(estimator).__name__}.fit "
                "takes no sample_weight. Take an estimator that does, or Merged()."
            )
        if self.classifier is not None and not is_classifier(self.classifier):
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
        if not self.clip > 0:
            raise SourceError(
                f"SimilarityWeighted needs a clip above 0, got {self.clip!r}."
            )
        return super().build(estimator, **options)

    def fit_for(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Return the model of the source's rows and of others that are like them."""
        own, others = data.rows_of(name), data.rows_of_others(name)
        if len(others) == 0:
            return make().fit(*data.take(own))
        ratios = self._ratios(own, others, data, make, rng)
        weights = np.concatenate([np.ones(len(own)), ratios])
        rows = np.concatenate([own, others])
        return make().fit(*data.take(rows), sample_weight=weights)

    def _ratios(
        self,
        own: NDArray[np.intp],
        others: NDArray[np.intp],
        data: Training,
        make: Maker,
        rng: Any,
    ) -> NDArray[np.float64]:
        """Return the clipped density ratio of each foreign row, cross-fitted."""
        mine = np.ones(len(data.y), dtype=np.intp)
        mine[others] = 0
        folds = deal_folds(mine, min(self.cv, len(own), len(others)), rng)
        ratios = np.empty(len(data.y))
        for fold in range(int(folds.max()) + 1):
            test = np.flatnonzero((folds == fold) & (mine == 0))
            train = np.flatnonzero(folds != fold)
            if len(np.unique(mine[train])) < 2:  # a source of a single row
                ratios[test] = len(own) / len(others)  # which weighs 1
                continue
            teller = self._teller(data.X, make)
            teller.fit(take_rows(data.X, train), mine[train])
            p = teller.predict_proba(take_rows(data.X, test))[:, 1]
            ratios[test] = p / np.clip(1 - p, 1e-12, None)
        weights = ratios[others] * len(others) / len(own)
        return np.clip(weights, 0.0, self.clip)

    def _teller(self, X: Any, make: Maker) -> Merged:
        """Return an unfitted classifier of membership, for such columns."""
        unit = make()
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
