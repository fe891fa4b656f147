"""Whether the other dataset helps: every strategy on the same held-out rows."""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from sktandem._kept import folder_of
from sktandem._settings import check_integer, check_known, check_number, is_estimator
from sktandem._telling import counted, told_once, warn
from sktandem._typing import Folder, RandomState
from sktandem.data._cells import classes_by_source
from sktandem.data._rows import Rows, read_rows
from sktandem.exceptions import SourceError
from sktandem.members._names import resolve_members
from sktandem.model_selection._comparison import StrategyComparison
from sktandem.model_selection._folds import (
    Experiment,
    Measured,
    deal,
    kept_folds,
    run_folds,
)
from sktandem.model_selection._judges import Metric, SourceJudge, metric_of
from sktandem.model_selection._verdicts import compared, n_units
from sktandem.model_selection._view import Scoring
from sktandem.report._wording import MIN_ROWS

__all__ = ["compare_strategies"]

FEW = 100
BETWEEN_LINES = 5.0  # seconds


@told_once()
def compare_strategies(
    estimator: Any = None,
    X: Any = None,
    y: Any = None,
    *,
    sample_source: Any = None,
    source: str | int | None = None,
    primary_source: Hashable = None,
    strategies: Literal["default", "all"]
    | Sequence[Any]
    | Mapping[str, Any] = "default",
    scoring: Scoring = None,
    margin: float = 0.01,
    scaler: Any = "standard",
    cv: int = 10,
    n_repeats: int = 1,
    groups: Any = None,
    n_jobs: int | None = None,
    cache: Folder = None,
    random_state: RandomState = None,
    progress: bool = True,
) -> StrategyComparison:
    r"""Find out for each source whether the others help, and with which strategy.

    Pooled cross-validation hides a source that gets worse, and a t-test on the scores
    of repeated folds claims a difference in up to half of all identical pairs. Here
    every strategy meets the same held-out rows, each source is judged against its own
    model, fixed beforehand, and the words follow from an interval and a margin alone.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        A classifier, a regressor, or a skorch net; a pipeline where columns
        need preparing. None means :class:`~sklearn.linear_model.Ridge` where y
        holds floats, and ``LogisticRegression(max_iter=1000)`` elsewhere.

    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Samples of all sources.

    y : array-like of shape (n_samples,)
        Targets.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each sample.

    source : str or int, default=None
        Instead, the name or position of the column of X that holds it.

    primary_source : hashable, default=None
        Judge this source only: all rows of the others are in every training.
        None judges every source.

    strategies : {"default", "all"}, list of estimator or dict, default="default"
        What to compare: a list that suits the estimator; members, which are
        :class:`~sktandem.Merged`, :class:`~sktandem.SharedNet`, those of
        :mod:`sktandem.members` and any estimator whose `fit` takes
        `sample_source`; or these and any other estimators by name. A member
        whose `estimator` (or `net`) is None is filled with `estimator`. The
        reference, ``OwnModels()``, need not be named. Fewer strategies make
        narrower intervals.

    scoring : str or callable, default=None
        The metric reported beside the loss, as in
        :func:`~sklearn.metrics.check_scoring`; None means accuracy or R2. It
        changes no verdict, which goes by the loss, but "neg_brier_score" and
        "neg_log_loss" choose the loss.

    margin : float, default=0.01
        The smallest gain that matters, as a part of the loss of the source's
        own model; of zero-one loss as it stands.

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`, as in :class:`~sktandem.Merged`, in
        members that leave their own `scaler` at its default.

    cv : int, default=10
        Folds. Fewer starve the source that is judged and not the others, which
        then look better than they are.

    n_repeats : int, default=1
        How often the rows are dealt out anew. The intervals are right with one, but
        two seeds then differ in their verdict in 18 of 100 pairs; with five, which
        take five times as long, in 8.

    groups : array-like of shape (n_samples,), default=None
        Rows that must stay together, within sources and across, as those of one
        patient. The interval then rests on groups.

    n_jobs : int, default=None
        How many folds to work on at once. The result does not depend on it.

    cache : path-like, default=None
        A folder that keeps the losses of each fit, so that a comparison that was cut
        short goes on. Needs a `random_state`; see :ref:`long_comparisons`.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds and every model.

    progress : bool, default=True
        Whether to show a bar on the standard error stream; in a file a line every
        few seconds.

    Returns
    -------
    comparison : StrategyComparison
        With `summary()`, `to_frame()`, `plot()`, `to_html()`, `to_markdown()` and
        `best_`.

    Raises
    ------
    SourceError
        If there is one source only, settings do not fit the data, or a
        strategy fails.

    See Also
    --------
    learning_curve_by_source : How the gain changes with the rows of a source.
    sktandem.Tandem : Choose a strategy and fit it.
    sktandem.shift.shift_report : How different the datasets are.

    Notes
    -----
    The verdicts go by a proper loss: log loss, or the Brier score where a
    model gives a true class no chance at all, or the zero-one loss where there
    are no probabilities; of regressors the loss that `scoring` asks for, or else
    the one that `estimator` is made for: the pinball loss of a quantile, absolute
    error, a deviance, or squared error. For row losses
    :math:`d_{ri}` saved in repeat r on row i,

    .. math:: SE^2 = \frac{\overline{s_r^2(d)}}{n} \cdot \frac{k}{k - 1}

    with n - 1 degrees of freedom; rows of a group are first replaced by their
    mean. All intervals are right at once with probability .95, by the largest
    t of all sources and strategies. What is estimated is the expected
    difference between two strategies at these training sizes, given the other
    source; not between two fitted models. No verdict is given below 50 rows of
    a source, or 20 that are not of its most common class.

    References
    ----------
    P. Bayle, A. Bayle, L. Janson and L. Mackey (2020), "Cross-validation
    Confidence Intervals for Test Error", NeurIPS.

    C. Nadeau and Y. Bengio (2003), "Inference for the Generalization Error",
    Machine Learning 52: metrics without a part for each row.

    T. Hothorn, F. Bretz and P. Westfall (2008), "Simultaneous Inference in
    General Parametric Models", Biometrical Journal 50.

    Examples
    --------
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import compare_strategies
    >>> from sktandem import Merged
    >>> X, y, source = make_two_sources(
    ...     1100, size_ratio=0.1, n_features=20, return_X_y=True, random_state=0
    ... )
    >>> comparison = compare_strategies(
    ...     None, X, y, sample_source=source, primary_source="first",
    ...     strategies=[Merged()], random_state=0, progress=False,
    ... )
    >>> comparison.best_
    {'first': 'merged'}
    >>> gain = comparison.contrasts[0]
    >>> round(gain.reference_loss, 2), round(gain.loss, 2)
    (0.34, 0.27)
    """
    check_comparison(margin, cv, n_repeats)
    rows = read_compared(X, y, sample_source, source, groups)
    if primary_source is not None:
        check_known("primary_source", primary_source, rows.names)
    tested, notes = comparable(estimator, rows, primary_source)
    experiment, metric = designed(estimator, rows, strategies, scaler, scoring, tested)
    folder = folder_of(cache, random_state)
    rng = check_random_state(random_state)
    folds = deal(experiment.rows, cv, n_repeats, primary_source, rng)
    names = list(experiment.strategies)
    measured = Measured(experiment.judges, names, n_repeats, cv)
    failed: dict[str, SourceError] = {}
    spared = optional(strategies, names)
    nets: Counter[str] = Counter()
    how: dict[str, Any] = {"optional": spared, "failed": failed, "nets": nets}
    how["kept"] = kept_folds(experiment, folder, teller(progress))
    done = run_folds(experiment, folds, names, n_jobs, **how)
    for fold, name, result in watched(done, len(folds) * len(names), progress):
        measured.add(fold, name, result)
    measured = measured.only(fitted(names, failed))
    notes = [*notes, *left_out(failed)]
    found = compared(experiment, measured, metric, margin, notes)
    return replace(found, nets=dict(nets))


def comparable(
    estimator: Any, rows: Rows, primary_source: Hashable
) -> tuple[Sequence[Hashable], list[str]]:
    """Return the sources to test on, and notes on those that can show nothing.

    A single row, or group, is never in training and test. On rows of a single class
    no model can be better than the one that says it.
    """
    asked = rows.names if primary_source is None else (primary_source,)
    estimator = suited_estimator(estimator, rows.y)
    several = rows.y.ndim == 2 and rows.y.shape[1] > 1
    own = {}
    if is_classifier(estimator) and not several:
        own = classes_by_source(rows.sources, rows.y)
    why = {}
    for name in asked:
        places = rows.of(name)
        if len(places if rows.groups is None else np.unique(rows.groups[places])) == 1:
            unit = "row" if rows.groups is None else "group"
            why[name] = f"has a single {unit}, never in training and test at once"
        elif len(own.get(name, "more")) == 1:
            label = own[name].tolist()[0]
            why[name] = f"has a single class, {label!r}: its own model is always right"
    tested = [name for name in asked if name not in why]
    if not tested:
        told = "; ".join(f"{name!r} {reason}" for name, reason in why.items())
        raise SourceError(f"There is nothing to compare: {told}.")
    return tested, [
        f"Left out: {name}, which {reason}. Its rows still train the others."
        for name, reason in why.items()
    ]


def optional(strategies: Any, names: Sequence[str]) -> Sequence[str]:
    """Return those that may fail: of a list of ours all but the reference."""
    return names[1:] if isinstance(strategies, str) else ()


def fitted(names: Sequence[str], failed: Mapping[str, SourceError]) -> list[str]:
    """Return the strategies that could be fitted, which must be more than one."""
    kept = [name for name in names if name not in failed]
    if len(kept) < 2:
        raise next(iter(failed.values()))
    return kept


def left_out(failed: Mapping[str, SourceError]) -> list[str]:
    """Return a note for each strategy that failed."""
    return [f"Left out: {n}. {str(e).splitlines()[0]}" for n, e in failed.items()]


def check_comparison(margin: Any, cv: Any, n_repeats: Any) -> None:
    """Refuse settings that make no sense."""
    check_number("margin", margin, "above 0", lambda margin: 0 < margin < np.inf)
    no_splitter = " Splitters are not taken." if hasattr(cv, "split") else ""
    check_integer("cv", cv, least=2, note=no_splitter)
    check_integer("n_repeats", n_repeats)


def read_compared(
    X: Any, y: Any, sample_source: Any, source: str | int | None, groups: Any
) -> Rows:
    """Return the rows to compare on, checked."""
    if X is None or y is None:
        raise SourceError(
            "A comparison needs an estimator, X and y, in this order. The estimator "
            "may be None."
        )
    given = {"sample_source": sample_source, "source": source, "groups": groups}
    rows = read_rows(None, X, y, **given)
    if rows.y.dtype.kind == "f" and np.isnan(rows.y).any():
        n_missing = int(np.isnan(rows.y.reshape(len(rows), -1)).any(axis=1).sum())
        raise SourceError(
            f"y is missing in {counted(n_missing, 'row')} of {len(rows):,}. Drop "
            "them first."
        )
    if len(rows.names) < 2:
        raise SourceError(
            f"A comparison needs at least two sources, got {list(rows.names)}. Pass "
            "sample_source, or name the column that holds each row's source by source."
        )
    return rows


def designed(
    estimator: Any,
    rows: Rows,
    strategies: Any,
    scaler: Any,
    scoring: Scoring,
    tested: Sequence[Hashable],
) -> tuple[Experiment, Metric]:
    """Return what is to be compared, checked before the work, and the metric."""
    estimator = suited_estimator(estimator, rows.y)
    rows = with_flat_classes(rows, estimator)
    metric = metric_of(scoring, estimator)
    experiment = Experiment(
        rows=rows,
        strategies=several_strategies(strategies, estimator, rows, scaler),
        estimator=estimator,
        scaler=scaler,
        judges=judges_for(rows, tested, is_classifier(estimator), metric),
    )
    experiment.check()
    warn_of_few(experiment)
    return experiment, metric


def suited_estimator(estimator: Any, y: NDArray[Any]) -> Any:
    """Return the estimator; None means a linear model for such a target.

    By the dtype: numbers with a point may all be whole and mean a quantity.
    """
    if estimator is not None:
        if not is_estimator(estimator):
            raise SourceError(
                "A comparison needs an estimator that can be fitted, got "
                f"{estimator!r}. Pass an instance, such as LogisticRegression()."
            )
        return estimator
    return Ridge() if y.dtype.kind == "f" else LogisticRegression(max_iter=1000)


def with_flat_classes(rows: Rows, estimator: Any) -> Rows:
    """Return the rows with classes in one dimension."""
    if not is_classifier(estimator) or rows.y.ndim == 1:
        return rows
    return replace(rows, y=column_or_1d(rows.y, warn=True))


def several_strategies(
    strategies: Any, estimator: Any, rows: Rows, scaler: Any
) -> dict[str, Any]:
    """Return the strategies by name, which must be more than the reference."""
    named = resolve_members(
        strategies, estimator, columns=has_columns(rows), scaler=scaler
    )
    if len(named) < 2:
        raise SourceError(
            "A comparison needs a strategy beside own models, such as "
            "strategies=[Merged()]."
        )
    return named


def has_columns(rows: Rows) -> bool:
    """Tell whether X is a table; a list of strings is not."""
    return len(getattr(rows.X, "shape", ())) == 2


def judges_for(
    rows: Rows, names: Iterable[Hashable], classifies: bool, metric: Metric
) -> tuple[SourceJudge, ...]:
    """Return a judge for each of some sources."""
    return tuple(
        SourceJudge(name, rows.of(name), rows.y[rows.of(name)], classifies, metric)
        for name in names
    )


def warn_of_few(experiment: Experiment) -> None:
    """Warn of sources whose intervals are rough."""
    groups = experiment.rows.groups
    units = {judge.name: n_units(judge, groups) for judge in experiment.judges}
    few = {name: n for name, n in units.items() if n < FEW}
    if few:
        kind = "rows" if groups is None else "groups"
        told = ", ".join(f"{n} {kind} of {name!r}" for name, n in few.items())
        warn(
            f"There are only {told}: an interval from fewer than {FEW} is rough, and "
            f"below {MIN_ROWS} no verdict is given."
        )


def teller(progress: bool) -> Callable[[str], None]:
    """Return what shows a line beside the progress, or does not."""

    def tell(line: str) -> None:
        if progress:
            print(line, file=sys.stderr, flush=True)

    return tell


def watched(done: Iterator[Any], total: int, progress: bool) -> Iterator[Any]:
    """Show how far the work has come: by a bar, or in a file by lines."""
    if not progress:
        return done
    if not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        return _in_lines(done, total)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of notebooks without widgets
        from tqdm.auto import tqdm

        return iter(tqdm(done, total=total, desc="comparing", unit="fit"))


def _in_lines(done: Iterator[Any], total: int) -> Iterator[Any]:
    """Print a line now and then, without the signs that move a cursor."""
    begun = told = time.monotonic()
    for n_done, result in enumerate(done, start=1):
        yield result
        now = time.monotonic()
        if now - told >= BETWEEN_LINES or n_done == total:
            told = now
            line = f"comparing: {n_done:,} of {total:,} fits, {now - begun:.0f} s"
            print(line, file=sys.stderr, flush=True)
