"""Donors: fitted models of somebody else, taken as they are and re-calibrated."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from sktandem._telling import counted, warn
from sktandem._typing import Floats
from sktandem.data._rows import Rows
from sktandem.data._sources import UNKNOWN
from sktandem.data._tables import column_names, is_frame
from sktandem.exceptions import SourceError
from sktandem.model_selection._folds import Fold
from sktandem.stats._losses import aligned
from sktandem.tandem._judge import Judge, Limits, counts_of
from sktandem.tandem._out_of_fold import FittedMember, OutOfFold

__all__ = ["check_donors", "with_donors"]

SMALLEST = 1e-6  # a probability of 0 has no logarithm


@dataclass(frozen=True, eq=False)
class Calibration:
    """A line through what a donor says: of numbers, or of logs of probabilities.

    Attributes
    ----------
    slope, offset : float or ndarray
        The line, for each output or class.

    of_logs : bool
        Whether it is of logarithms, whose exponents are made to add up to 1.
    """

    slope: Any = 1.0
    offset: Any = 0.0
    of_logs: bool = False

    def __call__(self, answers: Floats) -> Floats:
        """Return the calibrated answers."""
        if not self.of_logs:
            return np.asarray(self.slope * answers + self.offset)
        logs = np.log(np.clip(answers, SMALLEST, 1))
        return np.asarray(softmax(self.slope * logs + self.offset, axis=1))


Learn = Callable[[Floats, Floats, Floats], Calibration]


@dataclass(frozen=True, eq=False)
class Donor:
    """A fitted model of somebody else: its data are never needed.

    Nothing but `predict`, `predict_proba`, `classes_`, `feature_names_in_` and
    `n_features_in_` is asked for, and it is never fitted, cloned or changed.

    Attributes
    ----------
    name : str
        What the user calls it.

    model : object
        The model.

    classes : dict or None
        Its classes in the words of y, where they differ.
    """

    name: str
    model: Any
    classes: Mapping[Any, Any] | None

    def answers(self, rows: Rows, judge: Judge) -> Floats:
        """Return what it predicts for rows, in the columns of a judge."""
        X = self._columns(rows.X)
        if judge.classes is None:
            return self._numbers("predict", X, len(rows), judge.n_values)
        if not hasattr(self.model, "classes_"):
            raise SourceError(
                f"The donor {self.name!r} must be a fitted classifier, which has "
                f"classes_, got {self.model!r}."
            )
        theirs, ours = np.asarray(self.model.classes_).tolist(), judge.classes.tolist()
        given = dict(self.classes or {})
        known = {label: given.get(label, label) for label in theirs}
        shared = {*known.values()} & {*ours}
        astray = {k: v for k, v in given.items() if k not in theirs or v not in ours}
        # With one class in common it would be sure of that one, whatever it has seen.
        if astray or len(shared) < min(2, len(theirs)):
            raise SourceError(
                f"The donor {self.name!r} knows the classes {theirs} and y has {ours}"
                f"{f', but it came with {given}' if given else ''}. Say which is "
                f"which: donors={{{self.name!r}: (model, {{{theirs[0]!r}: {ours[0]!r}, "
                "...})}."
            )
        if not self.has_probabilities:
            labels = np.ravel(self.model.predict(X)).tolist()
            others = [label for label in labels if label not in known]
            if others:
                raise SourceError(
                    f"The donor {self.name!r} answers {others[0]!r}, which is not one "
                    f"of its classes_, {theirs}."
                )
            said = [known[label] for label in labels]
            return np.array([[float(one == each) for each in ours] for one in said])
        p = self._numbers("predict_proba", X, len(rows), len(theirs))
        return aligned(p, np.array([*known.values()], dtype=object), judge.classes)[0]

    def _numbers(self, method: str, X: Any, n_rows: int, n_columns: int) -> Floats:
        """Return what a method gives as a row of numbers for each row."""
        said = np.asarray(getattr(self.model, method)(X))
        try:
            values = said.astype(np.float64)
        except (TypeError, ValueError):
            raise SourceError(
                f"{method} of the donor {self.name!r} must give numbers, got "
                f"{said.ravel()[0]!r}."
            ) from None
        if values.shape[:1] != (n_rows,) or values.size != n_rows * n_columns:
            raise SourceError(
                f"{method} of the donor {self.name!r} must give numbers of shape "
                f"{(n_rows, n_columns)} for {n_rows} rows, got {values.shape}."
            )
        return values.reshape(n_rows, n_columns)

    @property
    def has_probabilities(self) -> bool:
        """Whether it gives more than labels."""
        return hasattr(self.model, "predict_proba")

    def _columns(self, X: Any) -> Any:
        """Return the columns that it was fitted on, by name where it has names."""
        wanted = getattr(self.model, "feature_names_in_", None)
        if wanted is not None and is_frame(X):
            names = column_names(X) or []
            missing = [name for name in wanted if name not in names]
            if missing:
                raise SourceError(
                    f"The donor {self.name!r} needs the columns {missing[:5]}, which X "
                    "does not have."
                )
            return X[list(wanted)]
        n_wanted = getattr(self.model, "n_features_in_", None)
        n_given = X.shape[1] if len(getattr(X, "shape", ())) == 2 else None
        if n_wanted is not None and n_given is not None and n_wanted != n_given:
            raise SourceError(
                f"The donor {self.name!r} was fitted on {n_wanted} columns and X has "
                f"{n_given}. Wrap it in a pipeline that picks its own."
            )
        return X


@dataclass(frozen=True, eq=False)
class FittedDonor(FittedMember):
    """A donor with a calibration for each source.

    Attributes
    ----------
    donor : Donor
        The donor.

    calibrations : tuple of callable
        One for each source, and the last for unknown ones.
    """

    is_donor: ClassVar[bool] = True

    donor: Any = None
    calibrations: Sequence[Calibration] = field(default=())

    def read(
        self, judge: Judge, rows: Rows, asked: NDArray[np.intp], codes: NDArray[Any]
    ) -> Floats:
        """Return what the donor says, calibrated for each row's source."""
        raw = self.donor.answers(rows.take(asked), judge)
        return _calibrated(raw, codes, self.calibrations)


def check_donors(donors: Any) -> list[Donor]:
    """Return the donors that the user gives, or refuse what is none."""
    if donors is None:
        return []
    if not isinstance(donors, Mapping):
        raise SourceError(
            "donors must be a dict of fitted models by name, such as "
            f"{{'published': model}}, got {donors!r}."
        )
    found = []
    for name, given in donors.items():
        pair = isinstance(given, tuple) and len(given) == 2
        model, classes = given if pair else (given, None)
        if isinstance(model, type) or not hasattr(model, "predict"):
            raise SourceError(
                f"The donor {name!r} must be a fitted model with predict, got "
                f"{model!r}."
            )
        found.append(Donor(str(name), model, classes))
    return found


def with_donors(
    found: OutOfFold,
    donors: Sequence[Donor],
    rows: Rows,
    folds: Sequence[Fold],
    judge: Judge,
    target: Floats,
    *,
    unknown: bool = False,
) -> OutOfFold:
    """Add donors to what was found: as they are, and calibrated inside the folds.

    A donor is asked once. Its data never held a row of these, so that what it says
    is out of sample; only calibrations, which are learned here, need the folds. With
    `unknown` held-out rows are asked as those of unknown sources.
    """
    names, answers, models = list(found.names), list(found.answers), dict(found.models)
    clipped = dict(found.clipped)
    every, asked = np.arange(len(rows)), rows.sources.codes
    if unknown:
        asked = np.full_like(asked, UNKNOWN)
    for donor in donors:
        raw = donor.answers(rows, judge)
        failures = _unanswered(donor, raw, rows)
        for how, learn in _ways(donor, judge).items():
            name = f"{donor.name}, {how}" if how else donor.name
            if name in models:
                raise SourceError(f"Two members are called {name!r}. Rename the donor.")
            held, clipped[name] = np.full_like(raw, np.nan), 0
            for fold in folds:
                made = _learned(learn, raw, target, rows, fold.train)
                codes = asked[fold.test]
                limits = Limits.of(judge, target, rows, fold.train)
                said = _calibrated(raw[fold.test], codes, made)
                held[fold.test] = judge.within(said, codes, limits)
                clipped[name] += judge.n_clipped(said, held[fold.test])
            for source in failures:
                held[rows.of(source)] = np.nan
            made = _learned(learn, raw, target, rows, every)
            names.append(name)
            answers.append(held)
            models[name] = FittedDonor(donor.model, failures, donor, made)
    return replace(
        found,
        names=tuple(names),
        answers=np.array(answers),
        models=models,
        clipped=clipped,
    )


def _unanswered(donor: Donor, raw: Floats, rows: Rows) -> dict[Hashable, Exception]:
    """Return the sources that a donor has no number for, and say so."""
    lost = np.asarray(~np.isfinite(raw).all(axis=1))
    counts = {name: int(lost[rows.of(name)].sum()) for name in rows.names}
    told = {name: counted(n, "row") for name, n in counts.items() if n}
    if told:
        warn(
            f"The donor {donor.name!r} gives nan or infinity, and has no weight, for "
            f"{list(told)}: for {' and '.join(told.values())} of theirs."
        )
    return {
        name: SourceError(f"The donor {donor.name!r} gives no number for {n}.")
        for name, n in told.items()
    }


def _ways(donor: Donor, judge: Judge) -> dict[str, Learn]:
    """Return how the answers of a donor are calibrated, by name."""
    ways: dict[str, Learn] = {"": lambda raw, target, counts: Calibration()}
    if judge.classes is not None:
        if donor.has_probabilities:
            ways |= {"intercept": _intercepts, "slope": _slope}
        return ways
    loss = judge.loss
    assert loss is not None
    if loss.kind == "deviance":
        return ways | {"scaled": _ratio}
    if loss.kind == "squared error":
        return ways | {"intercept": _shift, "slope": _line}
    return ways | {
        "intercept": lambda raw, target, counts: Calibration(
            offset=loss.constant(target - raw)
        )
    }


def _learned(
    learn: Learn, raw: Floats, target: Floats, rows: Rows, train: NDArray[np.intp]
) -> tuple[Calibration, ...]:
    """Return a calibration for each source, and one for all."""
    weights = counts_of(rows)
    inside = np.zeros(len(rows), dtype=bool)
    inside[train] = True
    inside &= (weights > 0) & np.isfinite(raw).all(axis=1)
    parts = [own[inside[own]] for own in rows.sources.rows] + [np.flatnonzero(inside)]
    return tuple(
        learn(raw[part], target[part], weights[part]) if len(part) else Calibration()
        for part in parts
    )


def _calibrated(
    raw: Floats, codes: NDArray[Any], calibrations: Sequence[Calibration]
) -> Floats:
    answers = np.array(raw)
    for code in np.unique(codes):
        own = codes == code
        answers[own] = calibrations[int(code)](raw[own])
    return answers


def _shift(raw: Floats, target: Floats, counts: Floats) -> Calibration:
    return Calibration(offset=np.average(target - raw, axis=0, weights=counts))


def _ratio(raw: Floats, target: Floats, counts: Floats) -> Calibration:
    return Calibration((counts @ target) / np.maximum(counts @ raw, SMALLEST))


def _line(raw: Floats, target: Floats, counts: Floats) -> Calibration:
    """Least squares by the prediction, the slope drawn to 1 by the weight of a row."""
    center = np.average(raw, axis=0, weights=counts)
    middle = np.average(target, axis=0, weights=counts)
    x, y = raw - center, target - middle
    spread = counts @ x**2
    prior = np.where(spread > 0, spread / counts.sum(), 1.0)
    slope = (counts @ (x * y) + prior) / (spread + prior)
    return Calibration(slope, middle - slope * center)


def _intercepts(raw: Floats, target: Floats, counts: Floats) -> Calibration:
    return _softmax_fit(raw, target, counts, slope=False)


def _slope(raw: Floats, target: Floats, counts: Floats) -> Calibration:
    return _softmax_fit(raw, target, counts, slope=True)


def _softmax_fit(
    raw: Floats, target: Floats, counts: Floats, *, slope: bool
) -> Calibration:
    """Fit an intercept for each class, and one slope, on logarithms of probabilities.

    Both are drawn to no change, with the weight of a row or so: a source of ten rows
    must not turn a published score round.
    """
    logs = np.log(np.clip(raw, SMALLEST, 1))
    start = np.append(1.0, np.zeros(raw.shape[1]))

    def cost(params: Floats) -> tuple[float, Floats]:
        chances = log_softmax(params[0] * logs + params[1:], axis=1)
        off = counts[:, None] * (np.exp(chances) - target)
        change = params - start
        value = -(counts @ (target * chances).sum(axis=1)) + change @ change / 2
        gradient = np.append((off * logs).sum(), off.sum(axis=0)) + change
        gradient[0] *= slope
        return float(value), gradient

    found = minimize(cost, start, jac=True, method="L-BFGS-B").x
    return Calibration(found[0], found[1:], of_logs=True)
