"""What members answer, in numbers that can be mixed, and what a mixture costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import assert_all_finite, check_array

from sktandem._settings import is_among, is_number
from sktandem._typing import Floats
from sktandem.data._cells import class_codes, refuse_fields, refuse_words
from sktandem.data._estimator import answer_rows
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.stats._losses import aligned, log_losses
from sktandem.stats._row_loss import SQUARED_ERROR, RowLoss, loss_of
from sktandem.tandem._simplex import Problem

__all__ = ["LOSSES", "Judge", "Limits", "counts_of", "judge_for"]

# By name, besides "auto", and a number for the quantile of a pinball loss.
LOSSES: dict[str, RowLoss | None] = {
    "log_loss": None,
    "brier_score": SQUARED_ERROR,
    "squared_error": SQUARED_ERROR,
    "absolute_error": RowLoss("absolute error"),
    "poisson": RowLoss("deviance", 1),
    "gamma": RowLoss("deviance", 2),
}
# Rows of each class that a blend of probabilities adds, so that a zero never decides.
PRIOR_ROWS = (1.0, 0.25, 0.05)
FEW = 30  # rows, below which a source's own range of y is too narrow to clip to


@dataclass(frozen=True, eq=False)
class Judge:
    """Reads answers as an array of a row for each row and a column for each value.

    A classifier has a column for each class of all sources, with probabilities or
    votes; a regressor one for each output.

    Attributes
    ----------
    classes : ndarray or None
        The classes; None for numbers.

    loss : RowLoss or None
        What a number costs; None is the log loss of probabilities. Votes, and the
        Brier score, are numbers: a square for each class.

    n_outputs : int
        How many numbers there are to predict.
    """

    classes: NDArray[Any] | None
    loss: RowLoss | None
    n_outputs: int = 1

    @property
    def n_values(self) -> int:
        """How many values answer for a row."""
        return self.n_outputs if self.classes is None else len(self.classes)

    @property
    def loss_name(self) -> str:
        """What tables call the loss."""
        if self.loss is None:
            return "log loss"
        return self.loss.name if self.classes is None else "Brier score"

    def target(self, y: NDArray[Any]) -> Floats:
        """Return y as the numbers that answers are compared with."""
        if self.classes is None:
            columns = np.reshape(y, (len(y), -1))
            return np.asarray(check_array(columns, dtype=np.float64, input_name="y"))
        place = {label: column for column, label in enumerate(self.classes.tolist())}
        codes = [place[label] for label in y.ravel().tolist()]
        return np.asarray(np.eye(len(place))[codes])

    def read(self, model: Any, rows: Rows) -> Floats:
        """Return what a fitted model answers for rows."""
        if self.classes is None:
            predicted = answer_rows(model, "predict", rows)
            return np.asarray(predicted, dtype=np.float64).reshape(len(rows), -1)
        if hasattr(model, "predict_proba"):
            given = answer_rows(model, "predict_proba", rows)
            parts, _ = aligned(np.asarray(given), model.classes_, self.classes)
            return parts
        return self.target(np.asarray(answer_rows(model, "predict", rows)))

    def within(self, answers: Floats, codes: NDArray[Any], limits: Limits) -> Floats:
        """Return numbers kept in the range of their source, and probabilities as given.

        A column that is constant in fifty training rows makes a linear model absurd
        on fresh ones.
        """
        if self.classes is not None:
            return answers
        low, high = limits.low[codes], limits.high[codes]
        return np.asarray(np.clip(answers, low, high))

    def evened(self, answers: Floats, part: Floats | float) -> Floats:
        """Return probabilities drawn to equal ones, of which they hold a part."""
        if self.loss is not None:
            return answers
        return np.asarray((1 - part) * answers + part / self.n_values)

    def even_parts(self, n_rows: int) -> tuple[float, ...]:
        """Return the parts of equal probabilities that a blend of n rows may hold.

        They are those of one more row for each class, as Laplace has it, and of less:
        where models are nearly exact, a whole row costs more than all their errors.
        """
        if self.loss is not None:
            return (0.0,)
        k, n_rows = self.n_values, max(n_rows, 1)
        return tuple(count * k / (n_rows + count * k) for count in PRIOR_ROWS)

    def n_clipped(self, raw: Floats, inside: Floats) -> int:
        """Return how many numbers were moved into their range."""
        if self.classes is not None:
            return 0
        return int((inside != raw)[np.isfinite(raw)].sum())

    def costs(self, target: Floats, answers: Floats) -> Floats:
        """Return what answers cost on each row."""
        if self.loss is None:
            return log_losses(answers, target.argmax(axis=1))
        each = self.loss.of_rows(target.ravel(), answers.ravel()).reshape(target.shape)
        if self.classes is None:
            return np.asarray(each.mean(axis=1))
        # As scikit-learn's Brier score: of two classes half the sum.
        return np.asarray(each.sum(axis=1) / (2 if target.shape[1] == 2 else 1))

    def judged(self, target: Floats, answers: Floats) -> Floats:
        """Return what of answers decides their cost: of log loss the true class alone.

        Parameters
        ----------
        target : ndarray of shape (n_rows, n_values)
            What is true.

        answers : ndarray of shape (n_members, n_rows, n_values)
            What each member answers.
        """
        if self.loss is not None:
            return answers
        true = target.argmax(axis=1)[None, :, None]
        return np.take_along_axis(answers, true, axis=2)

    def problem(self, target: Floats, judged: Floats, weights: Floats) -> Problem:
        """Return what the mixtures of members cost on rows of given weights.

        Parameters
        ----------
        target : ndarray of shape (n_rows, n_values)
            What is true.

        judged : ndarray of shape (n_members, n_rows, n_judged)
            What decides the cost of each member's answers.

        weights : ndarray of shape (n_rows, n_values)
            What each value counts.
        """
        flat = judged.reshape(len(judged), -1).T
        if self.loss is None:
            return Problem(flat, None, weights[:, 0], None)
        return Problem(flat, target.ravel(), weights.ravel(), self.loss)

    def scale(self, target: Floats) -> Floats:
        """Return what the best constant costs, output by output: the unit of a loss.

        So a source, or an output, in larger units counts no more than others.
        """
        if self.loss is None or self.classes is not None:
            return np.ones(target.shape[1])
        self._refuse_others(target)
        constant = np.broadcast_to(self.loss.constant(target), target.shape)
        with np.errstate(over="ignore"):
            lost = self.loss.of_rows(target.ravel(), constant.ravel())
            unit = lost.reshape(target.shape).mean(axis=0)
        if not np.isfinite(unit).all():
            raise SourceError(
                f"y holds values up to {np.abs(target).max():.3g}, too large for the "
                f"{self.loss_name}. Correct them, or divide y by a constant."
            )
        return np.where(unit > 0, unit, 1.0)

    def _refuse_others(self, target: Floats) -> None:
        """Refuse a target for which a deviance is not defined."""
        loss, low = self.loss, target.min()
        if loss is None or loss.kind != "deviance" or loss.level < 1:
            return
        if low < 0 or (low == 0 and loss.level >= 2):
            least = "above 0" if loss.level >= 2 else "of at least 0"
            raise SourceError(
                f"y holds {low:.3g}, and the {self.loss_name} needs numbers {least}. "
                "Correct them, or name another loss."
            )

    def can_cost(self, answers: Floats) -> NDArray[np.bool_]:
        """Tell of which rows the loss of raw answers is defined."""
        if self.loss is not None and self.loss.is_of_positive:
            return np.asarray((answers > 0).all(axis=1))
        return np.ones(len(answers), dtype=bool)


def counts_of(rows: Rows) -> Floats:
    """Return what each row counts: its weight, where those above 0 are 1 in the mean.

    What draws weights towards others counts in rows, and must not depend on the unit
    of `sample_weight`.
    """
    if rows.weights is None:
        return np.ones(len(rows))
    return np.asarray(rows.weights / rows.weights[rows.weights > 0].mean())


@dataclass(frozen=True, eq=False)
class Limits:
    """The range of y by source, as training rows know it.

    Attributes
    ----------
    low, high : ndarray of shape (n_sources + 1, n_outputs)
        Between what a prediction stays; the last row is for unknown sources.
    """

    low: Floats
    high: Floats

    @classmethod
    def of(
        cls, judge: Judge, target: Floats, rows: Rows, train: Any = slice(None)
    ) -> Limits:
        """Return the limits that training rows of some weight give."""
        counts = np.zeros(len(target), dtype=bool)
        counts[train] = True
        if rows.weights is not None:
            counts &= rows.weights > 0
        every = np.flatnonzero(counts)
        parts = [*(own[counts[own]] for own in rows.sources.rows), every]
        if judge.classes is not None:
            empty = np.zeros((len(parts), 0))
            return cls(empty, empty)
        lows, highs = [], []
        for part in parts:
            own = target[part if len(part) else every]
            low, high = own.min(axis=0), own.max(axis=0)
            if 0 < len(part) < FEW and len(part) < len(every):
                low, high = _widest(target[every], own, low, high)
            margin = (high - low) / 4
            lows.append(low - margin)
            highs.append(high + margin)
        low, high = np.array(lows), np.array(highs)
        if judge.loss is not None and judge.loss.is_of_positive:
            positive = target[every][target[every] > 0]
            low = np.maximum(low, positive.min() / 2 if len(positive) else 0)
            high = np.maximum(low, high)
        return cls(low, high)


def _widest(
    target: Floats, own: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Return the wider of a small source's range and of all, put on its scale."""
    spread, mean, narrow = target.std(axis=0), target.mean(axis=0), own.std(axis=0)
    # A single row, or equal ones, do not tell how far the others spread.
    ratio = np.where(narrow > 0, narrow / np.where(spread > 0, spread, 1.0), 1.0)
    pooled = (target - mean) * ratio + own.mean(axis=0)
    return np.minimum(low, pooled.min(axis=0)), np.maximum(high, pooled.max(axis=0))


def judge_for(estimator: Any, loss: Any, y: NDArray[Any]) -> Judge:
    """Return the judge for an estimator: by the loss it is made for, or one named."""
    refuse_fields(y, "a blend needs")
    classifies = bool(is_classifier(estimator))
    if not classifies:
        refuse_words(y)
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    classes = class_codes(y)[0] if classifies else None
    n_outputs = y.shape[1] if y.ndim == 2 else 1
    if is_number(loss):
        if classifies or not 0 < loss < 1:
            raise SourceError(
                f"loss={loss!r} is the quantile of a pinball loss: a number between 0 "
                "and 1, for regressors."
            )
        return Judge(None, RowLoss("pinball loss", float(loss)), n_outputs)
    suit = ("log_loss", "brier_score") if classifies else tuple(LOSSES)[2:]
    if not isinstance(loss, str) or loss != "auto":
        if not is_among(loss, suit):
            kind = "classifier" if classifies else "regressor"
            raise SourceError(
                f"loss must be 'auto' or one of {list(suit)} for a {kind}, got "
                f"{loss!r}."
            )
        if loss == "log_loss" and not hasattr(estimator, "predict_proba"):
            raise SourceError(
                f"loss='log_loss' needs probabilities, and {estimator!r} gives none. "
                "Leave it at 'auto': votes are judged by the Brier score."
            )
        return Judge(classes, LOSSES[loss], n_outputs)
    if not classifies:
        return Judge(None, loss_of(estimator), n_outputs)
    proba = hasattr(estimator, "predict_proba")
    return Judge(classes, None if proba else SQUARED_ERROR)
