"""From held-out losses to verdicts, every interval in view of the others."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sktandem._telling import counted
from sktandem.data._sources import Sources
from sktandem.members import SimilarityWeighted, StackedPrediction, WeightedMerge
from sktandem.model_selection._comparison import Contrast, Design, StrategyComparison
from sktandem.model_selection._folds import Experiment, Measured
from sktandem.model_selection._judges import Metric, SourceJudge
from sktandem.report._wording import MIN_RARER, MIN_ROWS
from sktandem.stats._inference import (
    Difference,
    group_means,
    judge,
    paired_rows,
    rows_needed,
    simultaneous_alpha,
)

__all__ = ["ALPHA", "compared", "correlation", "loss_for", "n_units", "too_few"]

ALPHA = 0.05
SURER_REPEATS = 5
# With steps inside that cut rows anew, and know nothing of groups.
INNER = SimilarityWeighted, StackedPrediction, WeightedMerge


def n_units(judge: SourceJudge, groups: NDArray[np.intp] | None) -> int:
    """Return how many rows of a source, or groups, an interval rests on."""
    if groups is None:
        return len(judge.rows)
    return len(np.unique(groups[judge.rows]))


def compared(
    experiment: Experiment,
    measured: Measured,
    metric: Metric,
    margin: float,
    notes: Sequence[str] = (),
) -> StrategyComparison:
    """Judge all that was measured, every interval in view of the others."""
    groups = experiment.rows.groups
    reference, *others = measured.names
    loss = loss_for(measured, metric)
    n_splits = measured.shape[1]
    gains: dict[tuple[Hashable, str], Difference] = {}
    correlations, dfs = [], []
    for judged in measured.judges:
        own = None if groups is None else groups[judged.rows]
        base = measured.of(reference, judged.name, loss)
        saved = [base - measured.of(name, judged.name, loss) for name in others]
        for name, d in zip(others, saved):
            gains[judged.name, name] = paired_rows(d, n_splits, groups=own)
        if not too_few(judged, groups):
            units = saved if own is None else [group_means(d, own) for d in saved]
            different = [d.mean(axis=0) for d in units if d.any()]
            correlations.append(correlation(different))
            dfs.append(float(n_units(judged, groups) - 1))
    level = simultaneous_alpha(correlations, dfs, ALPHA)
    design = Design(
        loss=loss,
        metric=metric.name,
        reference=reference,
        strategies={name: experiment.strategies[name] for name in measured.names},
        estimator=experiment.estimator,
        sources=experiment.rows.names,
        n_splits=n_splits,
        n_repeats=measured.shape[0],
        margin=margin,
        alpha=ALPHA,
        level=level,
        grouped=groups is not None,
        notes=(*_notes(experiment, measured, loss), *notes),
        scaler=experiment.scaler,
    )
    contrasts = [
        _contrast(judged, name, gains[judged.name, name], measured, design, groups)
        for judged in measured.judges
        for name in others
    ]
    return StrategyComparison(tuple(contrasts), design)


def loss_for(measured: Measured, metric: Metric) -> str:
    """Return the loss to decide on: the metric's own if it is a proper one."""
    proper = {"neg_brier_score": "Brier score", "neg_log_loss": "log loss"}
    return measured.loss([proper.get(metric.name, metric.loss.name)])


def correlation(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return how the columns vary together."""
    if len(columns) < 2:
        return np.eye(len(columns))
    # A constant difference varies with nothing.
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(columns)
    correlation = np.where(np.isfinite(correlation), correlation, 0.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def rarer(judge: SourceJudge, groups: NDArray[np.intp] | None) -> int:
    """Return the rows, or groups, that are not of the most common class."""
    return judge.n_rarer(None if groups is None else groups[judge.rows])


def too_few(judge: SourceJudge, groups: NDArray[np.intp] | None) -> bool:
    """Tell whether a source has too few rows for any verdict."""
    rare = judge.classes is not None and rarer(judge, groups) < MIN_RARER
    return rare or n_units(judge, groups) < MIN_ROWS


def _contrast(
    judged: SourceJudge,
    name: str,
    gain: Difference,
    measured: Measured,
    design: Design,
    groups: NDArray[np.intp] | None,
) -> Contrast:
    own = None if groups is None else groups[judged.rows]

    def cost(strategy: str) -> float:  # in means of groups where there are any
        losses = measured.of(strategy, judged.name, design.loss)
        return paired_rows(losses, design.n_splits, groups=own).estimate

    base = cost(design.reference)
    margin = design.margin * (1.0 if design.loss == "zero-one loss" else base)
    low, high = gain.interval(design.level)
    verdict = None if too_few(judged, groups) else judge(low, high, margin)
    if verdict == "cannot tell yet" and gain.identical:
        verdict = "does no harm"  # to a model without any loss
    # Where any gain is too small to matter, no number of rows is worth naming.
    unsure = verdict == "cannot tell yet" and not high < margin
    score, other_score, by_metric = judged.metric_difference(
        measured.of(design.reference, judged.name, "metric"),
        measured.of(name, judged.name, "metric"),
        design.n_splits,
        own,
    )
    score_low, score_high = by_metric.interval(design.level)
    return Contrast(
        source=judged.name,
        strategy=name,
        n_rows=len(judged.rows),
        n_units=gain.n,
        reference_loss=base,
        loss=cost(name),
        difference=gain,
        low=low,
        high=high,
        margin=margin,
        verdict=verdict,
        n_needed=rows_needed(gain.n, low, high, margin) if unsure else None,
        reference_score=score,
        score=other_score,
        score_gain=by_metric.estimate,
        score_low=score_low,
        score_high=score_high,
        n_rarer=None if judged.classes is None else rarer(judged, groups),
    )


def _span_sources(groups: NDArray[np.intp], sources: Sources) -> bool:
    """Tell whether a group has rows of more than one source."""
    pairs = np.unique(np.column_stack([groups, sources.codes]), axis=0)
    return len(pairs) > len(np.unique(groups))


def _notes(experiment: Experiment, measured: Measured, loss: str) -> Iterator[str]:
    groups = experiment.rows.groups
    X = experiment.rows.X
    width = int(X.shape[1]) if getattr(X, "ndim", 2) == 2 else 0
    thin = [j.name for j in measured.judges if len(j.rows) < 5 * width]
    if thin:
        yield (
            f"{', '.join(map(str, thin))} has fewer than 5 rows for each of the "
            f"{width} features: intervals may be too narrow."
        )
    reference = measured.names[0]
    for judged in measured.judges:
        own = measured.of(reference, judged.name, loss).mean()
        chance = judged.chance_loss(loss)
        if own >= chance:
            yield (
                f"The own model of {judged.name} has a {loss} of {own:.3g}, no better "
                f"than predicting the same for every row ({chance:.3g}): a gain may "
                "come from a more cautious model, not from the other rows."
            )
    tried = measured.names
    inner = [n for n in tried if isinstance(experiment.strategies[n], INNER)]
    if inner and groups is not None and _span_sources(groups, experiment.rows.sources):
        yield (
            "Some groups are in several sources, of which the steps inside "
            f"{', '.join(inner)} know nothing: they may trust the others too far."
        )
    if measured.zeros and loss == "Brier score":
        yield (
            "Some model gave the true class no chance at all, where log loss is "
            "infinite; the Brier score decides instead."
        )
    if measured.shape[0] < SURER_REPEATS:
        yield (
            f"With {counted(measured.shape[0], 'repeat')}, another seed may change a "
            f"close verdict; {SURER_REPEATS} repeats are surer."
        )
