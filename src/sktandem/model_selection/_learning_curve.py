"""How the gain from the others changes with the rows of one source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktandem._kept import folder_of
from sktandem._settings import check_known, is_integer, is_number
from sktandem._telling import told_once, warn
from sktandem._typing import Folder, RandomState
from sktandem.data._cells import cross_cells, target_strata
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.model_selection._compare import (
    check_comparison,
    comparable,
    designed,
    fitted,
    left_out,
    optional,
    read_compared,
    teller,
    watched,
)
from sktandem.model_selection._curve import SourceLearningCurve
from sktandem.model_selection._folds import (
    Experiment,
    Fold,
    Measured,
    deal,
    kept_folds,
    run_folds,
)
from sktandem.model_selection._verdicts import ALPHA, correlation, loss_for, too_few
from sktandem.model_selection._view import Scoring
from sktandem.stats._inference import group_means, paired_rows, simultaneous_alpha

__all__ = ["learning_curve_by_source"]


@told_once()
def learning_curve_by_source(
    estimator: Any = None,
    X: Any = None,
    y: Any = None,
    *,
    primary_source: Hashable,
    sample_source: Any = None,
    source: str | int | None = None,
    strategies: Literal["default", "all"]
    | Sequence[Any]
    | Mapping[str, Any] = "default",
    train_sizes: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    scoring: Scoring = None,
    margin: float = 0.01,
    scaler: Any = "standard",
    cv: int = 5,
    n_repeats: int = 5,
    groups: Any = None,
    n_jobs: int | None = None,
    cache: Folder = None,
    random_state: RandomState = None,
    progress: bool = True,
) -> SourceLearningCurve:
    """Measure how the gain from other sources changes with the rows of one's own.

    A second dataset helps most while the first is small; on one data set the
    answer changes its sign with the number of rows. The curve shows where the
    help ends, and about how many more rows of one's own it is worth.

    Read more in the :ref:`User Guide <comparing>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        As in :func:`compare_strategies`.

    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Samples of all sources.

    y : array-like of shape (n_samples,)
        Targets.

    primary_source : hashable
        The source whose rows are varied and tested. All rows of the others
        are in every training.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each sample.

    source : str or int, default=None
        Instead, the name or position of the column of X that holds it.

    strategies : {"default", "all"}, list of estimator or dict, default="default"
        What to compare, as in :func:`compare_strategies`.

    train_sizes : sequence of float or int, default=(0.1, 0.2, 0.4, 0.7, 1.0)
        Training rows of the source: floats as parts of those of a fold, integers
        as they are. Smaller sets are parts of larger ones.

    scoring : str or callable, default=None
        The metric reported beside the loss; None means accuracy or R2.

    margin : float, default=0.01
        The smallest gain that matters, as in :func:`compare_strategies`.

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`.

    cv : int, default=5
        Folds of the source.

    n_repeats : int, default=5
        How often the rows are dealt out and drawn anew.

    groups : array-like of shape (n_samples,), default=None
        Rows that must stay together.

    n_jobs : int, default=None
        How many fits to run at once. The result does not depend on it.

    cache : path-like, default=None
        A folder that keeps the losses of each fit, as in :func:`compare_strategies`.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds, the draws and every model.

    progress : bool, default=True
        Whether to show a bar on the standard error stream.

    Returns
    -------
    curve : SourceLearningCurve
        With `summary()`, `to_frame()`, `plot()`, `to_html()`, `to_markdown()` and
        `worth_`.

    Raises
    ------
    SourceError
        If settings do not fit the data, or a strategy fails.

    See Also
    --------
    compare_strategies : Verdicts at the rows there are.

    Notes
    -----
    The intervals are right at once over all sizes and strategies. Draws keep the
    shares of the classes, or of the target's quantiles.

    Examples
    --------
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import learning_curve_by_source
    >>> from sktandem import Merged
    >>> X, y, source = make_two_sources(
    ...     800, concept_angle=30, noise=1.0, n_features=20, return_X_y=True,
    ...     random_state=0,
    ... )
    >>> curve = learning_curve_by_source(
    ...     None, X, y, primary_source="first", sample_source=source,
    ...     strategies=[Merged()], train_sizes=(40, 320), n_repeats=1,
    ...     random_state=0, progress=False,
    ... )
    >>> curve.gains["merged"].round(2)
    array([ 0.66, -0.04])

    With 40 rows of one's own, another source whose rule is 30 degrees off is a
    great help; with 320 it is in the way.
    """
    check_comparison(margin, cv, n_repeats)
    rows = read_compared(X, y, sample_source, source, groups)
    check_known("primary_source", primary_source, rows.names)
    tested, _ = comparable(estimator, rows, primary_source)
    experiment, metric = designed(estimator, rows, strategies, scaler, scoring, tested)
    folder = folder_of(cache, random_state)
    rows, rng = experiment.rows, check_random_state(random_state)
    folds = deal(rows, cv, n_repeats, primary_source, rng)
    orders = [_stratified_order(rows, fold, primary_source, rng) for fold in folds]
    sizes = _sizes(train_sizes, min(map(len, orders)), primary_source)
    tasks = [
        (size, _shortened(fold, order, size, rows, primary_source))
        for size in sizes
        for fold, order in zip(folds, orders)
    ]
    tried, judges = list(experiment.strategies), experiment.judges
    measured = {size: Measured(judges, tried, n_repeats, cv) for size in sizes}
    failed: dict[str, SourceError] = {}
    spared = optional(strategies, tried)
    each = [fold for _, fold in tasks]
    nets: Counter[str] = Counter()
    how: dict[str, Any] = {"optional": spared, "failed": failed, "nets": nets}
    how["kept"] = kept_folds(experiment, folder, teller(progress))
    done = run_folds(experiment, each, tried, n_jobs, **how)
    of_task = iter([size for size, _ in tasks for _ in tried])
    for fold, name, result in watched(done, len(tasks) * len(tried), progress):
        measured[next(of_task)].add(fold, name, result)
    for note in left_out(failed):
        warn(note)
    kept = fitted(tried, failed)
    measured = {size: one.only(kept) for size, one in measured.items()}
    own = {name: experiment.strategies[name] for name in kept}
    experiment = replace(experiment, strategies=own)
    found = _curve(experiment, measured, metric.name, margin)
    return replace(found, nets=dict(nets))


def _stratified_order(
    rows: Rows, fold: Fold, name: Hashable, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Return a source's training rows, of which every beginning is stratified."""
    code = rows.names.index(name)
    own = rng.permutation(fold.train[rows.sources.codes[fold.train] == code])
    sources = rows.sources.take(own)
    cells = cross_cells(sources, target_strata(sources, rows.y[own]))
    sizes = np.bincount(cells)
    rank = np.empty(len(own))
    for cell, size in enumerate(sizes):
        rank[cells == cell] = (np.arange(size) + rng.uniform()) / size
    return np.asarray(own[np.argsort(rank, kind="stable")])


def _sizes(train_sizes: Any, most: int, name: Hashable) -> tuple[int, ...]:
    """Return the rows that are meant, ascending and different."""
    sizes = set()
    if isinstance(train_sizes, str) or not isinstance(train_sizes, Iterable):
        raise SourceError(f"train_sizes must be a list of sizes, got {train_sizes!r}.")
    for size in train_sizes:
        if not is_number(size):
            raise SourceError(f"train_sizes holds {size!r}, which is not a number.")
        n = int(size) if is_integer(size) else round(float(size) * most)
        if not 2 <= n <= most:
            raise SourceError(
                f"train_sizes holds {size!r}, which is {n:,} of {name!r}; a fold "
                f"has {most:,} of them to train on, and 2 are the least."
            )
        sizes.add(n)
    if not sizes:
        raise SourceError("train_sizes is empty. Give at least one size.")
    return tuple(sorted(sizes))


def _shortened(
    fold: Fold,
    order: NDArray[np.intp],
    size: int,
    rows: Rows,
    name: Hashable,
) -> Fold:
    """Return the fold with fewer training rows of one source."""
    code = rows.names.index(name)
    others = fold.train[rows.sources.codes[fold.train] != code]
    return replace(fold, train=np.sort(np.concatenate([others, order[:size]])))


def _curve(
    experiment: Experiment,
    measured: dict[int, Measured],
    metric: str,
    margin: float,
) -> SourceLearningCurve:
    (judged,) = experiment.judges
    every = experiment.rows.groups
    groups = None if every is None else every[judged.rows]
    sizes = tuple(measured)
    reference, *others = experiment.strategies
    # One loss for the whole curve: what the hardest size allows.
    zeros = set().union(*(one.zeros for one in measured.values()))
    measured[sizes[0]].zeros = zeros
    loss = loss_for(measured[sizes[0]], judged.metric)
    first = measured[sizes[0]]
    losses = {
        name: np.array(
            [m.of(name, judged.name, loss).mean() for m in measured.values()]
        )
        for name in experiment.strategies
    }
    saved = {
        (name, size): m.of(reference, judged.name, loss) - m.of(name, judged.name, loss)
        for name in others
        for size, m in measured.items()
    }
    n_splits = first.shape[1]
    gains = {key: paired_rows(d, n_splits, groups=groups) for key, d in saved.items()}
    units = list(saved.values())
    if groups is not None:
        units = [group_means(d, groups) for d in units]
    together = correlation([d.mean(axis=0) for d in units if d.any()])
    n_units = next(iter(gains.values())).n
    level = simultaneous_alpha([together], [n_units - 1], ALPHA)
    ends = {key: gain.interval(level) for key, gain in gains.items()}
    return SourceLearningCurve(
        source=judged.name,
        strategies=tuple(others),
        sizes=sizes,
        gains={n: np.array([gains[n, s].estimate for s in sizes]) for n in others},
        lows={n: np.array([ends[n, s][0] for s in sizes]) for n in others},
        highs={n: np.array([ends[n, s][1] for s in sizes]) for n in others},
        reference_losses=losses[reference],
        losses={name: losses[name] for name in others},
        loss=loss,
        metric=metric,
        scores=_scores(experiment, measured, n_splits, groups),
        margin=margin,
        level=level,
        reference=reference,
        n_other=len(experiment.rows.of_others(judged.name)),
        n_repeats=first.shape[0],
        sources=experiment.rows.names,
        too_few=too_few(judged, every),
    )


def _scores(
    experiment: Experiment,
    measured: dict[int, Measured],
    n_splits: int,
    groups: NDArray[np.intp] | None,
) -> dict[str, NDArray[np.float64]]:
    (judged,) = experiment.judges
    return {
        name: np.array(
            [
                judged.metric_difference(
                    *2 * (m.of(name, judged.name, "metric"),), n_splits, groups
                )[0]
                for m in measured.values()
            ]
        )
        for name in experiment.strategies
    }
