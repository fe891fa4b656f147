"""The loss that a regressor is made for: it judges what the regressor predicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import xlogy
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sktandem._typing import Floats
from sktandem.exceptions import SourceError
from sktandem.stats._losses import SMALLEST

__all__ = ["SQUARED_ERROR", "RowLoss", "loss_of"]

Kind = Literal["squared error", "absolute error", "pinball loss", "deviance"]


@dataclass(frozen=True)
class RowLoss:
    """What a prediction of a number costs.

    Attributes
    ----------
    kind : {"squared error", "absolute error", "pinball loss", "deviance"}
        Which loss.

    level : float, default=0.0
        The quantile of a pinball loss; the power of a Tweedie deviance, 1 for
        Poisson and 2 for gamma.
    """

    kind: Kind
    level: float = 0.0

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.kind == "pinball loss":
            return f"pinball loss at {self.level:g}"
        if self.kind == "deviance":
            known = {1.0: "Poisson deviance", 2.0: "gamma deviance"}
            return known.get(self.level, f"Tweedie deviance of power {self.level:g}")
        return self.kind

    @property
    def is_of_positive(self) -> bool:
        """Whether predictions must be above 0."""
        return self.kind == "deviance"

    def of_rows(self, y: Any, predicted: Any) -> Floats:
        """Return the loss of each row, the mean over the outputs of several."""
        y = np.asarray(y, dtype=np.float64)
        # A column of y beside flat predictions would be broadcast to a square.
        predicted = np.asarray(predicted, dtype=np.float64).reshape(y.shape)
        losses = self._of(y, predicted).reshape(len(y), -1)
        return np.asarray(losses.mean(axis=1))

    def slope(self, y: Floats, predicted: Floats) -> Floats:
        """Return the derivative of each loss that has one by its prediction."""
        if self.kind == "squared error":
            return np.asarray(2 * (predicted - y))
        mu = np.maximum(predicted, SMALLEST)
        return np.asarray(2 * (mu ** (1 - self.level) - y * mu**-self.level))

    def constant(self, y: Floats) -> Floats:
        """Return the number, for each output, that costs least for all rows."""
        if self.kind == "absolute error":
            return np.asarray(np.median(y, axis=0))
        if self.kind == "pinball loss":
            # Between two rows, as by default, none of them is best.
            at = np.quantile(y, self.level, axis=0, method="inverted_cdf")
            return np.asarray(at)
        # The best constant by squared error, and by a Tweedie deviance of any power.
        return np.asarray(np.mean(y, axis=0))

    def _of(self, y: Floats, predicted: Floats) -> Floats:
        if self.kind == "squared error":
            return np.asarray((y - predicted) ** 2)
        if self.kind == "absolute error":
            return np.asarray(np.abs(y - predicted))
        if self.kind == "pinball loss":
            short = y - predicted
            return np.asarray(np.maximum(self.level * short, (self.level - 1) * short))
        if (predicted < 0).any():
            raise SourceError(
                f"{self.name} needs predictions above 0, got {predicted.min():g}. Use "
                "an estimator that predicts such, or name another loss by scoring."
            )
        # A forest may predict 0: it costs a lot there, but not everything.
        return _tweedie(y, np.maximum(predicted, SMALLEST), self.level)


SQUARED_ERROR = RowLoss("squared error")


def _tweedie(y: Floats, mu: Floats, power: float) -> Floats:
    """Return the unit deviance of each value, as scikit-learn's mean has it."""
    # Row by row what scikit-learn's mean_tweedie_deviance is the mean of.
    if power == 1:
        return np.asarray(2 * (xlogy(y, y / mu) - y + mu))
    if power == 2:
        return np.asarray(2 * (np.log(mu / y) + y / mu - 1))
    # Of a power below 0 or from 1 to 2 zeros, or less, are lawful.
    first = np.power(np.maximum(y, 0), 2 - power) / ((1 - power) * (2 - power))
    second = y * np.power(mu, 1 - power) / (1 - power)
    return np.asarray(2 * (first - second + np.power(mu, 2 - power) / (2 - power)))


# By a parameter and its value; names are those of scikit-learn, LightGBM, XGBoost
# and CatBoost.
BY_NAME: dict[str, tuple[Kind, float]] = {
    "absolute_error": ("absolute error", 0.0),
    "L1Loss": ("absolute error", 0.0),
    "lad": ("absolute error", 0.0),
    "mae": ("absolute error", 0.0),
    "regression_l1": ("absolute error", 0.0),
    "reg:absoluteerror": ("absolute error", 0.0),
    "poisson": ("deviance", 1.0),
    "count:poisson": ("deviance", 1.0),
    "gamma": ("deviance", 2.0),
    "reg:gamma": ("deviance", 2.0),
}
OF_CLASS: dict[str, tuple[Kind, float]] = {
    "PoissonRegressor": ("deviance", 1.0),
    "GammaRegressor": ("deviance", 2.0),
}
INNER = ("final_estimator", "estimator", "regressor", "net")
LOSSES = ("loss", "criterion", "objective")


def loss_of(estimator: Any) -> RowLoss:
    """Return the loss that a regressor's own parameters say it is made for.

    Squared error where they say nothing. A pipeline is what its last step is; a
    search or another wrapper what it wraps.
    """
    for inner in _innermost(estimator):
        found = _named(inner)
        if found is not None:
            return found
    return SQUARED_ERROR


def _innermost(estimator: Any) -> Iterator[Any]:
    """Yield an estimator, and then what it wraps, layer by layer."""
    while estimator is not None:
        yield estimator
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
            continue
        if not isinstance(estimator, BaseEstimator):
            return
        params = estimator.get_params(deep=False)
        inner = (params.get(key) for key in INNER)
        estimator = next((each for each in inner if each is not None), None)


def _named(estimator: Any) -> RowLoss | None:
    """Return the loss that one estimator's class or parameters name."""
    kind = type(estimator).__name__
    if kind in OF_CLASS:
        return RowLoss(*OF_CLASS[kind])
    if not hasattr(estimator, "get_params"):
        return None
    params = estimator.get_params(deep=False)
    if kind == "QuantileRegressor":
        return RowLoss("pinball loss", float(params["quantile"]))
    if kind == "TweedieRegressor":
        power = float(params["power"])
        return SQUARED_ERROR if power == 0 else RowLoss("deviance", power)
    for name in LOSSES:
        said = params.get(name)
        said = said.__name__ if isinstance(said, type) else said  # of torch
        if not isinstance(said, str):
            continue
        if said in ("quantile", "reg:quantileerror"):
            return _pinball(params)
        if said in ("tweedie", "reg:tweedie"):
            power = params.get("tweedie_variance_power")
            return RowLoss("deviance", 1.5 if power is None else float(power))
        if said in BY_NAME:
            return RowLoss(*BY_NAME[said])
    return None


def _pinball(params: dict[str, Any]) -> RowLoss | None:
    """Return the loss of a quantile, by whichever name a library has for it."""
    for key in ("quantile", "quantile_alpha", "alpha"):
        if isinstance(level := params.get(key), int | float) and 0 < level < 1:
            return RowLoss("pinball loss", float(level))
    return None
