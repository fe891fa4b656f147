"""What a model loses on a source's own rows, by how much the others' rows count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from sktandem._typing import Floats
from sktandem.data._cells import class_codes
from sktandem.data._estimator import answer_rows
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.members._layout import Layout
from sktandem.members._least_squares import least_squares_losses
from sktandem.members._logistic import Logistic
from sktandem.members._models import Units
from sktandem.scaling._affine import AffineMaps
from sktandem.stats._losses import log_losses, with_the_rest
from sktandem.stats._row_loss import loss_of

__all__ = ["inner_losses"]

LAST = -1.0  # in the place of a weight


def inner_losses(
    units: Units,
    rows: Rows,
    own: NDArray[np.intp],
    others: NDArray[np.intp],
    folds: NDArray[np.intp],
    weights: Sequence[float],
    scoring: Any = None,
) -> Floats:
    """Return the loss in all at each weight of the others' rows.

    They are those of units that are fitted on the rows of one's own outside each fold,
    and all others.

    Raises
    ------
    ValueError
        If no fit succeeds, the error of the last. Where some fail, their weight
        has an infinite loss.
    """
    if scoring is None:
        given = units.estimator, units.scaler, rows, own, others, folds
        found = least_squares_losses(*given, weights)
        if found is not None:
            return found
    losses, failure = np.zeros(len(weights)), None
    fits = InnerFits(units, rows, scoring)
    for fold in range(folds.max() + 1):
        train, test = own[folds != fold], own[folds == fold]
        for donors in (others[:0], others):
            places = [i for i, w in enumerate(weights) if (w > 0) == (len(donors) > 0)]
            if not places:
                continue
            layout = fits.laid_out(train, donors, test)
            quick = fits.quickly(layout, [float(weights[place]) for place in places])
            for place in places:
                weight = float(weights[place])
                try:
                    known = quick.get(weight)
                    losses[place] += (
                        fits.loss(layout, weight) if known is None else known
                    )
                except SourceError:  # weights that do not reach the learner
                    raise
                except ValueError as error:  # such as a class that few rows have
                    losses[place], failure = np.inf, error
    if failure is not None and np.isinf(losses).all():
        raise failure
    return losses


@dataclass(eq=False)
class InnerFits:
    """Fits that are asked for their losses alone, and what they can have in common.

    Attributes
    ----------
    units : Units
        What is fitted.

    rows : Rows
        All rows.

    scoring : str, callable or None
        The metric, None for the loss. A scorer gets X as it came.

    slopes : dict of {float: ndarray}
        Of a logistic regression what the last fit at each weight found, and at any.
    """

    units: Units
    rows: Rows
    scoring: Any
    slopes: dict[float, Floats] = field(default_factory=dict)

    def laid_out(
        self, own: NDArray[np.intp], others: NDArray[np.intp], test: NDArray[np.intp]
    ) -> Layout:
        """Return training and test rows, ready for every weight of the others."""
        train = self.rows.take(np.concatenate([own, others])).as_one()
        tested = self.rows.take(test).as_one()
        if self.scoring is not None:
            return Layout(self.units, train, tested, len(own))
        return Layout.of(self.units, train, tested, len(own))

    def loss(self, layout: Layout, weight: float) -> float:
        """Return the sum of the losses of the test rows, the others at a weight."""
        layout = layout.at(weight)
        weights = None if weight in (0, 1) else layout.counts(weight)
        model = layout.units.fit(layout.train, weights)
        if self.scoring is not None:
            return _minus_score(model, layout.test, self.scoring)
        return _summed(_losses(model, layout.test), layout.test)

    def quickly(self, layout: Layout, weights: Sequence[float]) -> dict[float, float]:
        """Return the losses of logistic regressions, by weight; others are left out.

        Each is begun at the one in the fold before of the same weight, or at the last.
        """
        how = Logistic.of(layout.units.estimator)
        if how is None or self.scoring is not None or not layout.is_plain:
            return {}
        classes, codes = class_codes(layout.train.y)
        if len(classes) < 2:
            return {}
        mine, given, found = class_codes(layout.test.y), layout.train.weights, {}
        train, test = how.design(layout.train.X), how.design(layout.test.X)
        for weight in weights:
            maps = layout.maps_at(weight)
            counts = layout.counts(weight) * (1.0 if given is None else given)
            start = self.slopes.get(weight, self.slopes.get(LAST))
            slopes = how.fit(_scaled(train, maps), codes, counts, start)
            if slopes is None:
                continue
            self.slopes[weight] = self.slopes[LAST] = slopes
            p = how.proba(_scaled(test, maps), slopes).T
            p = np.hstack([1 - p, p]) if len(classes) == 2 else p
            found[weight] = _summed(_log_losses(p, classes, *mine), layout.test)
        return found


def _scaled(columns: Floats, maps: AffineMaps | None) -> Floats:
    """Return the columns of X, which are rows here, with the first of them scaled."""
    if maps is None:
        return columns
    scaled, n = columns.copy(), maps.center.shape[1]
    scaled[:n] -= maps.center[-1][:, None]
    scaled[:n] /= maps.scale[-1][:, None]
    return scaled


def _summed(losses: Floats, rows: Rows) -> float:
    return float(losses.sum() if rows.weights is None else losses @ rows.weights)


def _minus_score(model: Any, rows: Rows, scoring: Any) -> float:
    score = float(check_scoring(model, scoring)(model, rows.X, rows.y))
    if not np.isfinite(score):
        raise ValueError(f"scoring={scoring!r} gives {score} on an inner fold.")
    return -score * len(rows)


def _losses(model: Any, rows: Rows) -> Floats:
    """Return the loss of each row."""
    if not is_classifier(model):
        return loss_of(model).of_rows(rows.y, answer_rows(model, "predict", rows))
    if not hasattr(model, "predict_proba"):
        return np.asarray(answer_rows(model, "predict", rows) != rows.y, dtype=float)
    given = answer_rows(model, "predict_proba", rows)
    return _log_losses(given, model.classes_, *class_codes(rows.y))


def _log_losses(
    given: Floats, classes: NDArray[Any], wanted: NDArray[Any], codes: NDArray[Any]
) -> Floats:
    """Return log losses of rows by their codes among the classes that are `wanted`."""
    # One that the model never met costs what a probability of 0 does.
    return log_losses(with_the_rest(given, classes, wanted), codes)
