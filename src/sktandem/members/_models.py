"""A fitted model for each source, behind one estimator."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.utils import Tags, check_random_state

from sktandem._docs import documented
from sktandem._settings import check_integer
from sktandem._telling import counted
from sktandem._typing import Floats, RandomState, UnknownSource
from sktandem.data._cells import class_codes, classes_by_source
from sktandem.data._estimator import (
    answer_rows,
    fit_rows,
    one_class,
    tags_like,
)
from sktandem.data._predictor import SourcePredictor
from sktandem.data._rows import Rows
from sktandem.data._sources import UNKNOWN, distinct
from sktandem.exceptions import SourceError
from sktandem.members._fill import as_model, check_estimator, made_unit
from sktandem.merge import Merged
from sktandem.scaling._scalers import check_scaler
from sktandem.stats._losses import aligned

__all__ = ["SourceModels", "Units", "check_folds", "fit_unit"]

BECAUSE = "Each source has a model of its own"


@dataclass(frozen=True)
class Units:
    """Makes and fits units: an estimator with its scaling, and a seed of its own.

    Attributes
    ----------
    estimator : estimator instance
        What a unit is made around.

    scaler : str, transformer or None
        Its scaling.

    seeded : bool
        Whether the units get seeds.

    rng : numpy.random.RandomState
        Where seeds, and the folds of those who deal some, come from.
    """

    estimator: Any
    scaler: Any
    seeded: bool
    rng: np.random.RandomState

    def seed(self) -> int | None:
        """Return a new seed, None if nothing is to be seeded."""
        return int(self.rng.randint(np.iinfo(np.int32).max)) if self.seeded else None

    def make(self) -> Any:
        """Return an unfitted unit."""
        return made_unit(self.estimator, scaler=self.scaler, random_state=self.seed())

    def fit(self, rows: Rows, weights: Floats | None = None) -> Any:
        """Return a new unit, fitted."""
        return fit_unit(self.make(), rows, weights)


def fit_unit(unit: Any, rows: Rows, weights: Floats | None = None) -> Any:
    """Fit a unit on rows, to which their sources are all one.

    `weights` multiply those of the user. Rows of a single class, which many
    classifiers refuse, leave nothing to learn: a constant answers it.
    """
    if weights is not None and rows.weights is not None:
        weights = weights * rows.weights
    weights = rows.weights if weights is None else weights
    if (
        isinstance(unit, Merged)
        and is_classifier(unit)
        and len(distinct(rows.y.ravel())[0]) < 2
    ):
        unit = Merged(DummyClassifier(), scaler=None)
    return fit_rows(unit, replace(rows.as_one(), weights=weights))


def check_folds(member: Any) -> None:
    """Refuse a number of inner folds that leaves nothing to train on."""
    check_integer(f"cv of {type(member).__name__}", member.cv, least=2)


@documented
class SourceModels(MetaEstimatorMixin, SourcePredictor):
    """Base: a fitted model for each source, with more or less of the others in it.

    A subclass fills the one hook, `_model_for`.
    """

    models_: dict[Hashable, Any]

    def __init__(
        self,
        estimator: Any = None,
        *,
        source: str | int | None = None,
        scaler: Any = "standard",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.source = source
        self.scaler = scaler
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_source: Any = None) -> Self:
        """Fit a model for each source.

        Parameters
        ----------
        {X}

        {y}

        {sample_source}

        Returns
        -------
        self : estimator instance
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

    def _fit_rows(
        self, rows: Rows, *, for_sources: Sequence[Hashable] | None = None
    ) -> None:
        """Fit a model for each source, or for those alone that will be asked."""
        self._check_settings()
        classifies = is_classifier(as_model(self.estimator))
        if classifies and rows.y.ndim == 2 and rows.y.shape[1] > 1:
            raise SourceError(
                f"{type(self).__name__} takes one class for each row, got y of shape "
                f"{rows.y.shape}."
            )
        rng = check_random_state(self.random_state)
        seeded = self.random_state is not None
        units = Units(self.estimator, self.scaler, seeded, rng)
        names = rows.names if for_sources is None else tuple(for_sources)
        models = self._fit_models(names, rows, units)
        for name in ("classes_", "classes_by_source_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        if classifies:
            self.classes_, _ = class_codes(rows.y)
            self.classes_by_source_ = classes_by_source(rows.sources, rows.y)
        self.models_, self.sources_ = models, rows.names

    def _fit_models(
        self, names: Sequence[Hashable], rows: Rows, units: Units
    ) -> dict[Hashable, Any]:
        """Return a fitted model for each of the sources `names`."""
        return {name: self._named_fit(name, rows, units) for name in names}

    def _named_fit(self, name: Hashable, rows: Rows, units: Units) -> Any:
        """Fit for one source, which an error then names."""
        try:
            return self._model_for(name, rows, units)
        except ValueError as error:
            if isinstance(error, SourceError) or len(rows.names) == 1:
                raise
            whose = self._told(name, len(rows.of(name)))
            raise SourceError(f"The model {whose} failed: {error}") from error

    def _told(self, name: Hashable, n_rows: int) -> str:
        """Return what a message calls the model of a source."""
        return f"of {name!r} ({counted(n_rows, 'row')} of its own)"

    def _model_for(self, name: Hashable, rows: Rows, units: Units) -> Any:
        """Return a fitted unit for the rows of one source."""
        raise NotImplementedError

    # Answers ----------------------------------------------------------------------

    def _depends_on_source(self) -> str | None:
        return None if len(self.sources_) == 1 else BECAUSE

    def _answer(self, method: str, rows: Rows) -> NDArray[Any]:
        codes, nameless = rows.sources.codes, rows.as_one()
        places, parts = [], []
        for code in np.unique(codes):
            own = np.flatnonzero(codes == code)
            part = nameless if len(own) == len(codes) else nameless.take(own)
            places.append(own)
            parts.append(
                self._mean(method, part)
                if code == UNKNOWN
                else self._of(self.sources_[code], method, part)
            )
        together = np.concatenate(parts)
        return np.asarray(together[np.argsort(np.concatenate(places), kind="stable")])

    def _ask(self, name: Hashable, method: str, rows: Rows) -> Any:
        """Return what the model of a source answers for rows of one kind."""
        return answer_rows(self.models_[name], method, rows)

    def _of(self, name: Hashable, method: str, rows: Rows) -> NDArray[Any]:
        """Return the answer of a source's model, in the classes of all sources."""
        answer = np.asarray(self._ask(name, method, rows))
        if not hasattr(self, "classes_"):
            return answer
        if method == "predict":
            # Of one type, or strings beside numbers would all become strings.
            return answer.astype(self.classes_.dtype)
        known = self.models_[name].classes_
        if method == "predict_proba":
            return aligned(answer, known, self.classes_)[0]
        if not np.array_equal(known, self.classes_):
            every = {n: m.classes_.tolist() for n, m in self.models_.items()}
            raise SourceError(
                "The models know different classes, so their decision functions do not "
                f"fit in one array: {every}."
            )
        return answer

    def _mean(self, method: str, rows: Rows) -> NDArray[Any]:
        """Return the mean answer of all models; of classes the likeliest."""
        if method == "predict" and hasattr(self, "classes_"):
            if not hasattr(self, "predict_proba"):
                raise SourceError(
                    "unknown_source='pooled' takes the mean of probabilities, and "
                    f"{self.estimator!r} gives none. Use unknown_source='primary'."
                )
            likeliest = np.argmax(self._mean("predict_proba", rows), axis=1)
            return np.asarray(self.classes_[likeliest])
        every = [self._of(name, method, rows) for name in self.models_]
        return np.asarray(np.mean(every, axis=0))

    def _inner(self) -> list[Any]:
        fitted = getattr(self, "models_", None)
        return list(fitted.values()) if fitted else [self.estimator]

    def __sklearn_tags__(self) -> Tags:
        model = as_model(self.estimator)
        return one_class(tags_like(super().__sklearn_tags__(), model, self.scaler))
