"""How the held-out rows of a source are judged: a loss and a metric for each."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer

from sktandem._typing import Floats
from sktandem.data._cells import class_codes
from sktandem.data._estimator import answer_rows
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.model_selection._view import Scored, Scoring, metric_name
from sktandem.stats._inference import (
    Difference,
    corrected_resampled,
    paired_rows,
    placements,
)
from sktandem.stats._losses import (
    aligned,
    brier_scores,
    log_losses,
    with_the_rest,
)
from sktandem.stats._row_loss import SQUARED_ERROR, RowLoss, loss_of

__all__ = ["ZERO", "Answers", "Metric", "SourceJudge", "metric_of"]

ZERO = "a probability of 0"
BY_CLASS = {"balanced_accuracy", "roc_auc"}
OF_LOSS = {
    "neg_log_loss": "log loss",
    "neg_brier_score": "Brier score",
    "neg_mean_squared_error": "squared error",
}
# What these ask for: the best they can get is the least of that loss.
OF_ROW_LOSS = {
    "r2": SQUARED_ERROR,
    "neg_mean_squared_error": SQUARED_ERROR,
    "neg_root_mean_squared_error": SQUARED_ERROR,
    "neg_mean_absolute_error": RowLoss("absolute error"),
    "neg_median_absolute_error": RowLoss("absolute error"),
    "neg_mean_poisson_deviance": RowLoss("deviance", 1),
    "neg_mean_gamma_deviance": RowLoss("deviance", 2),
}
BY_ROW = {"accuracy", "r2", "neg_mean_absolute_error", *OF_LOSS}


class Answers:
    """What a fitted model answers for some rows, each question asked once."""

    def __init__(self, fitted: Any, rows: Rows) -> None:
        self.fitted = fitted
        self.rows = rows

    def ask(self, method: str) -> Any:
        """Return what a method gives, with the sources where it takes them."""
        return answer_rows(self.fitted, method, self.rows)

    @cached_property
    def predicted(self) -> NDArray[Any]:
        """The predictions."""
        return np.asarray(self.ask("predict"))

    @cached_property
    def probabilities(self) -> Floats | None:
        """The probabilities of the classes, None where there are none."""
        if not hasattr(self.fitted, "predict_proba"):
            return None
        return np.asarray(self.ask("predict_proba"), dtype=np.float64)


@dataclass(frozen=True)
class Metric:
    """The user's metric: by rows where it is made of rows, else by folds.

    Attributes
    ----------
    scoring : str or callable
        The metric.

    loss : RowLoss
        What numbers are judged by: what the metric asks for, or else what the
        estimator is made for.
    """

    scoring: Scoring
    loss: RowLoss = SQUARED_ERROR

    @property
    def name(self) -> str:
        """What scikit-learn calls it."""
        return metric_name(self.scoring)

    def made_of_rows(self, judge: SourceJudge) -> bool:
        """Tell whether each row of a source has a part in it."""
        if not isinstance(self.scoring, str):
            return False
        if self.scoring == "roc_auc":
            return judge.classes is not None and len(judge.classes) == 2
        if self.scoring == "balanced_accuracy":
            return judge.classes is not None
        if self.scoring in ("r2", "neg_mean_absolute_error"):
            return judge.y.ndim == 1
        return self.scoring in BY_ROW


class SourceJudge:
    """Judges models on the rows of one source, among its own classes.

    Parameters
    ----------
    name : hashable
        The source.

    rows : ndarray of int
        Its row numbers.

    y : ndarray
        The targets of these rows.

    classifies : bool
        Whether targets are classes.

    metric : Metric
        The metric reported beside the loss.
    """

    def __init__(
        self,
        name: Hashable,
        rows: NDArray[np.intp],
        y: NDArray[Any],
        classifies: bool,
        metric: Metric,
    ) -> None:
        self.name = name
        self.rows = rows
        self.y = y
        self.metric = metric
        self.classes: NDArray[Any] | None = None
        if classifies:
            self.classes, self.codes = class_codes(y)

    def n_rarer(self, groups: NDArray[np.intp] | None = None) -> int:
        """Return the rows that are not of the most common class, or their groups."""
        rarer = self.codes != np.bincount(self.codes).argmax()
        return int(rarer.sum() if groups is None else len(np.unique(groups[rarer])))

    @property
    def by_row(self) -> bool:
        """Whether the metric is made of rows here."""
        return self.metric.made_of_rows(self)

    def measure(self, answers: Answers, test: NDArray[np.intp]) -> dict[str, Any]:
        """Return the losses and the metric on some rows of this source.

        Parameters
        ----------
        answers : Answers
            Of a fitted model, for the rows `test`.

        test : ndarray of int
            Row numbers of all sources, ascending.

        Returns
        -------
        measured : dict of {str: ndarray or float}
            A loss of each row by its name, and "metric": the part of each row,
            or a single number where rows have none.
        """
        inside = np.isin(test, self.rows)
        own = np.searchsorted(self.rows, test[inside])
        losses = self._losses(answers, inside, own)
        if self.by_row:
            self._check_metric(losses)
            losses["metric"] = self._parts(answers, inside, own, losses)
        else:
            losses["metric"] = self._score(answers, inside, own)
        return losses

    def _check_metric(self, losses: dict[str, Any]) -> None:
        """Refuse a metric made of a loss that models of this kind do not have."""
        needed = {
            "accuracy": "zero-one loss",
            "balanced_accuracy": "zero-one loss",
            "r2": "squared error",
            **OF_LOSS,
        }.get(str(self.metric.scoring))
        if needed is not None and needed not in losses:
            raise SourceError(
                f"scoring={self.metric.scoring!r} does not suit this model, which has "
                f"{sorted(set(losses) - {ZERO})}."
            )

    def _losses(
        self, answers: Answers, inside: NDArray[np.bool_], own: NDArray[np.intp]
    ) -> dict[str, Any]:
        if self.classes is None:
            y, predicted = self.y[own], answers.predicted[inside]
            both = {loss.name: loss for loss in (self.metric.loss, SQUARED_ERROR)}
            return {name: loss.of_rows(y, predicted) for name, loss in both.items()}
        wrong = self.y[own] != answers.predicted[inside]
        losses: dict[str, Any] = {"zero-one loss": np.asarray(wrong, dtype=np.float64)}
        if answers.probabilities is not None:
            classes, codes = self.classes, self.codes[own]
            given = answers.probabilities[inside]
            p = with_the_rest(given, answers.fitted.classes_, classes)
            losses["log loss"] = log_losses(p, codes)
            losses["Brier score"] = brier_scores(p, codes, len(classes))
            losses[ZERO] = bool((p[np.arange(len(own)), codes] == 0).any())
        return losses

    def _probabilities(self, answers: Answers, inside: NDArray[np.bool_]) -> Floats:
        """Return the probabilities of the classes of this source."""
        given, classes = answers.probabilities, self.classes
        assert given is not None
        assert classes is not None
        return aligned(given[inside], answers.fitted.classes_, classes)[0]

    def _parts(
        self,
        answers: Answers,
        inside: NDArray[np.bool_],
        own: NDArray[np.intp],
        losses: dict[str, Any],
    ) -> Floats:
        scoring = self.metric.scoring
        if scoring in ("accuracy", "balanced_accuracy"):
            return np.asarray(1 - losses["zero-one loss"])
        if scoring == "roc_auc":
            ranking = self._ranking(answers, inside)
            return placements(self.codes[own] == 1, ranking)
        if scoring == "neg_mean_absolute_error":
            errors = self.y[own].astype(float) - answers.predicted[inside]
            return np.asarray(-np.abs(errors))
        if scoring == "r2":
            spread = self.y.astype(float).var()
            parts = losses["squared error"] / (spread if spread > 0 else np.nan)
            return np.asarray(1 - parts)
        return -np.asarray(losses[OF_LOSS[str(scoring)]])

    def _ranking(self, answers: Answers, inside: NDArray[np.bool_]) -> Floats:
        if answers.probabilities is not None:
            return np.asarray(self._probabilities(answers, inside)[:, 1])
        return np.asarray(answers.ask("decision_function"))[inside]

    def _score(
        self, answers: Answers, inside: NDArray[np.bool_], own: NDArray[np.intp]
    ) -> float:
        if len(own) == 0:
            return np.nan
        part = Scored(answers.fitted, answers.rows.take(np.flatnonzero(inside)))
        return part.score(check_scoring(answers.fitted, self.metric.scoring))

    def metric_difference(
        self,
        reference: Floats,
        other: Floats,
        n_splits: int,
        groups: NDArray[np.intp] | None,
    ) -> tuple[float, float, Difference]:
        """Return the metric of the reference and of another, and the difference.

        Parameters
        ----------
        reference, other : ndarray of shape (n_repeats, n_rows or n_splits)
            Parts of rows, or scores of folds.

        n_splits : int
            The folds of each repeat.

        groups : ndarray of shape (n_rows,) or None
            The group of each row.
        """
        if not self.by_row:
            judged = corrected_resampled(other - reference, n_splits)
            return float(np.nanmean(reference)), float(np.nanmean(other)), judged
        # Rows that have a part in the metric.
        told = np.asarray(np.isfinite(other - reference).all(axis=0))
        if not told.any():
            return np.nan, np.nan, Difference(np.nan, np.nan, 1, 0)
        groups = None if groups is None else groups[told]
        of_two, of_one, of_other = (
            self._of_rows(parts[:, told], n_splits, groups, told)
            for parts in (other - reference, reference, other)
        )
        return of_one.estimate, of_other.estimate, of_two

    def _of_rows(
        self,
        parts: Floats,
        n_splits: int,
        groups: NDArray[np.intp] | None,
        told: NDArray[np.bool_],
    ) -> Difference:
        """Return the mean of parts, by class where the metric is, and its error."""
        if self.metric.scoring not in BY_CLASS:
            return paired_rows(parts, n_splits, groups=groups)
        strata = self.codes[told]
        if self.metric.scoring == "balanced_accuracy":
            return paired_rows(parts, n_splits, groups=groups, strata=strata)
        # Either class's mean is the area: half of their sum, whose variance is
        # the sum of theirs.
        both = paired_rows(
            parts, n_splits, groups=groups, strata=strata, weights=(1, 1)
        )
        return Difference(both.estimate / 2, both.se, both.df, both.n)

    def chance_loss(self, loss: str) -> float:
        """Return the loss of giving every row what the source has on the whole."""
        if self.classes is None:
            y, judged = self.y.astype(float), self.metric.loss
            judged = judged if judged.name == loss else SQUARED_ERROR
            constant = np.broadcast_to(judged.constant(y), y.shape)
            return float(judged.of_rows(y, constant).mean())
        shares = np.bincount(self.codes) / len(self.codes)
        even = np.tile(shares, (len(self.codes), 1))
        if loss == "zero-one loss":
            return float(1 - shares.max())
        if loss == "log loss":
            return float(log_losses(even, self.codes).mean())
        return float(brier_scores(even, self.codes, len(shares)).mean())


def metric_of(scoring: Scoring, estimator: Any) -> Metric:
    """Return the metric; None means what `score` of scikit-learn gives."""
    loss = SQUARED_ERROR if is_classifier(estimator) else loss_of(estimator)
    if scoring is None:
        return Metric("accuracy" if is_classifier(estimator) else "r2", loss)
    if isinstance(scoring, str):
        get_scorer(scoring)  # which refuses a name that there is not
        loss = OF_ROW_LOSS.get(scoring, loss)
    return Metric(scoring, loss)
