"""A model for each source, with more or less of the others' rows in it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from sklearn.base import is_regressor

from sktandem._telling import counted
from sktandem._typing import RandomState, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.members._models import Maker
from sktandem.members._models_classifier import SourceModelsClassifier
from sktandem.members._models_regressor import SourceModelsRegressor
from sktandem.members._strategy import Strategy, Training
from sktandem.members._units import make_unit

__all__ = ["SourceStrategy"]


class SourceStrategy(Strategy):
    """A strategy that fits a model for each source, with more or less of the others.

    Subclasses fill the one hook, `fit_for`.
    """

    def fit_for(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Return a fitted model for the rows of one source.

        Parameters
        ----------
        name : hashable
            The source.

        data : Training
            The rows of all sources.

        make : Maker
            ``make(**settings)`` returns a fresh, unfitted unit: the estimator
            with its scaling, as a merge.

        rng : numpy.random.RandomState
            Random numbers.

        Returns
        -------
        model : fitted estimator
            With `predict`, and `predict_proba` for classes.
        """
        raise NotImplementedError

    def fit_models(
        self, names: Sequence[Hashable], data: Training, make: Maker, rng: Any
    ) -> dict[Hashable, Any]:
        """Return a fitted model for each of the sources `names`."""
        return {name: self._named_fit(name, data, make, rng) for name in names}

    def _named_fit(self, name: Hashable, data: Training, make: Maker, rng: Any) -> Any:
        """Fit for one source, which an error then names."""
        try:
            return self.fit_for(name, data, make, rng)
        except ValueError as error:
            if isinstance(error, SourceError) or len(data.sources.names) == 1:
                raise
            rows = counted(len(data.rows_of(name)), "row")
            raise SourceError(
                f"The model of {name!r} ({rows} of its own) failed: {error}"
            ) from error

    def build(
        self,
        estimator: Any,
        *,
        scaler: Any = "standard",
        source: str | int | None = None,
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        random_state: RandomState = None,
    ) -> Any:
        """Return an estimator with a model for each source; see the base class."""
        make_unit(estimator)  # which refuses what is neither
        regresses = is_regressor(estimator)
        kind = SourceModelsRegressor if regresses else SourceModelsClassifier
        return kind(
            estimator,
            strategy=self,
            scaler=scaler,
            source=source,
            primary_source=primary_source,
            unknown_source=unknown_source,
            random_state=random_state,
        )
