"""How different are the datasets? The report, and how it is shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from sktandem._telling import told_once, warn
from sktandem._typing import RandomState
from sktandem.data._cells import as_target
from sktandem.data._sources import Sources, resolve_sources
from sktandem.data._tables import (
    n_rows,
)
from sktandem.exceptions import SourceError
from sktandem.shift._after import names_after, through
from sktandem.shift._backwards import find_backwards
from sktandem.shift._checks import Checks, share_level
from sktandem.shift._columns import (
    Column,
    number_column,
    read_columns,
    word_column,
)
from sktandem.shift._features import FeatureShift, compare
from sktandem.shift._findings import tell
from sktandem.shift._joint import (
    Target,
    bounded_rows,
    find_concept,
    find_joint,
    read_target,
)
from sktandem.shift._remedies import try_remedies
from sktandem.shift._report import ShiftReport
from sktandem.shift._shared_rows import find_shared_rows
from sktandem.shift._within import common_classes, compare_within

__all__ = ["shift_report"]

LEAST_ROWS, FEW_ROWS = 5, 20
MOST_SPARSE = 1_000


@told_once()
def shift_report(
    X: Any,
    y: Any = None,
    *,
    sample_source: Any = None,
    source: str | int | None = None,
    after: Any = None,
    random_state: RandomState = 0,
) -> ShiftReport:
    r"""Report how different the datasets are, and what to do about it.

    Before two datasets become one, compare them: what is missing in one, what is
    measured in another unit, what is merely higher there, and whether the same features
    still mean the same. A large number of rows alone raises no alarm: a difference must
    be significant and larger than 0.1 on a scale from 0 to 1.

    Read more in the :ref:`User Guide <shift>`.

    Parameters
    ----------
    X : table of shape (n_samples, n_features)
        Array, data frame or sparse matrix; rows of all sources.

    y : array-like of shape (n_samples,), default=None
        Targets. Without them labels and concept are not asked for. Whole floats
        with more than two values are numbers, as are integers with more than 20.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each row.

    source : str or int, default=None
        Instead, the name or position of the column of X that holds the source.

    after : estimator, default=None
        Report on X as it leaves this: a merged estimator, whose own estimator
        gets it so; a transformer such as :class:`~sktandem.SourceScaler`; or a
        pipeline of them. If it is not fitted, a clone of it is, on these rows.
        The report of X as it came is then its `before`.

    random_state : int, RandomState instance or None, default=0
        Seeds folds, permutations and the choice of rows, where there are more
        than 100,000.

    Returns
    -------
    report : ShiftReport
        Findings in words, a line for each feature, pictures.

    Raises
    ------
    SourceError
        If there are fewer than two sources, a source has fewer than 5 rows, X is
        not a table, or `after` cannot transform it.

    See Also
    --------
    sktandem.shift.find_shared_rows : The rows that are in several sources.

    Notes
    -----
    *Features.* The distance of Kolmogorov and Smirnov for numbers, total
    variation for categories, on the values that are present; with more than two
    sources, between each and all others. Beside it what chance stays below,
    :math:`\sqrt{-\ln(\alpha / 2p) / 2 \cdot (1/n_A + 1/n_B)}` for :math:`p`
    features and :math:`\alpha = 0.05`.

    *Labels* are compared as a feature is. Where classes differ in number, features
    and joint are judged within classes that have 10 rows in every source: of
    features the surest difference of one class, its p-value adjusted for the
    number of classes. *Joint*: the area under the ROC curve
    of boosted trees that tell the source in 5-fold cross-fitting, with 1.4 times
    its usual standard error; of more than 30 sources, among 30 drawn at random.
    *Concept*: whether trees predict y better on
    held-out rows if they are told the source. Below 1,000 rows that cannot be
    told, nor where the columns give the source away.

    All p-values are adjusted, over features by Benjamini and Hochberg, over the
    questions by Holm. A finding is flagged if its p-value is below .05 and its
    size over 0.1 (concept: 1 percent of the loss). An infinite value counts as
    missing.

    *Remedies* that are one setting of :class:`~sktandem.Merged` are tried where
    something is flagged: logistic or ridge regression with and without it, in 3
    folds of at most 3,000 rows, on the 100 features that differ most. Without y,
    or labels in common, they are worded as a possibility.

    Examples
    --------
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.shift import shift_report
    >>> from sktandem import SourceScaler
    >>> wine = load_wine_quality(as_frame=True)
    >>> X, source = wine.data, wine.sample_source
    >>> report = shift_report(X, None, sample_source=source)
    >>> round(report["chlorides"].size, 2)
    0.82
    >>> scaled = shift_report(X, None, sample_source=source, after=SourceScaler())
    >>> round(scaled["chlorides"].size, 2)
    0.12

    Red wine has far more chlorides than white; scaled by source, hardly any.
    """
    features, sources = resolve_sources(X, sample_source, source=source)
    target = _check(features, y, sources)
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    before = _measure(features, sources, target, seed)
    if after is None:
        return _report(before)
    labels = [sources.names[code] for code in sources.codes]
    moved, last = through(after, X, y, labels, source)
    names = names_after(last, moved, features)
    _check(moved, None, sources)
    checks = _measure(moved, sources, target, seed, names)
    checks = replace(checks, transformed=True)
    return _report(checks, before=_report(before))


def _check(X: Any, y: Any, sources: Sources) -> Target | None:
    """Refuse what cannot be compared; return what y holds."""
    if not sources.names:
        raise SourceError("X has no rows to compare.")
    if len(sources.names) < 2:
        raise SourceError(
            f"shift_report compares sources, and there is only one, "
            f"{sources.names[0]!r}. Pass sample_source, or name its column by source."
        )
    if len(X.shape) != 2:
        raise SourceError(
            f"shift_report compares columns, but X has shape {tuple(X.shape)}. Turn "
            "text or images into features first: a vectorizer may go into after=."
        )
    if sparse.issparse(X) and X.shape[1] > MOST_SPARSE:
        raise SourceError(
            f"X is sparse with {X.shape[1]:,} columns; at most {MOST_SPARSE:,} can be "
            "compared one by one. after=TruncatedSVD(50) compares its components."
        )
    sizes = dict(zip(sources.names, sources.sizes.tolist()))
    least = min(sizes, key=lambda name: sizes[name])
    if sizes[least] < LEAST_ROWS:
        raise SourceError(
            f"{least!r} has {sizes[least]} rows, too few to compare; at least "
            f"{LEAST_ROWS} are needed. Leave it out, or merge it with another source."
        )
    if sizes[least] < FEW_ROWS:
        warn(
            f"{least!r} has only {sizes[least]} rows: real differences may not be "
            "found."
        )
    if y is None:
        return None
    y = as_target(y)
    if len(y) != n_rows(X):
        raise SourceError(
            f"y must hold a target for every sample: X has {n_rows(X)}, y has {len(y)}."
        )
    return read_target(y, sources)


# Measuring


def _measure(
    X: Any,
    sources: Sources,
    target: Target | None,
    seed: int,
    names: Sequence[Hashable] | None = None,
) -> Checks:
    """Ask every question of one table."""
    rng = np.random.RandomState(seed)
    # What has to learn gets a part of the rows; single columns are compared on all.
    rows = bounded_rows(sources, rng)
    few = Sources(sources.names, sources.codes[rows])
    labels = None if target is None else _compare_labels(target, sources)
    classes = common_classes(target, labels, sources)
    features, kept = [], []
    for place, column in enumerate(read_columns(X, sources)):
        if names is not None:
            column = replace(column, name=names[place])
        if target is not None and classes:
            feature = compare_within(column, sources, target, classes, X.shape[1])
        else:
            feature = compare(column, sources, X.shape[1])
        features.append(feature)
        if column.kind != "clash" and not any(feature.absent):
            kept.append(replace(column, values=column.values[rows]))
    by_size = sorted(features, key=lambda f: -np.nan_to_num(f.size, nan=-1))
    strata = target.y[rows] if target is not None and classes else None
    joint = find_joint(kept, few, rng, strata)
    concept = backwards = None
    if target is not None:
        some = replace(target, y=target.y[rows])
        order = [f.name for f in by_size]
        concept = find_concept(kept, few, some, rng, by_size=order)
        backwards = find_backwards(kept, few, some, rng)
    if concept is not None:
        known = concept.importance
        by_size = [replace(f, importance=known.get(f.name, np.nan)) for f in by_size]
    checks = share_level(
        Checks(
            names=sources.names,
            sizes=tuple(sources.sizes.tolist()),
            features=tuple(by_size),
            target=target,
            labels=labels,
            joint=joint,
            concept=concept,
            shared=_find_shared(X, sources),
            other_labels=target is not None and not target.shared(sources),
            within=bool(classes),
            backwards=backwards,
        )
    )
    if target is None or not any(finding.flagged for finding in tell(checks)):
        return checks
    rank = {feature.name: at for at, feature in enumerate(by_size)}
    kept = sorted(kept, key=lambda column: rank[column.name])
    return replace(checks, trials=try_remedies(kept, few, some, rng))


def _compare_labels(target: Target, sources: Sources) -> FeatureShift:
    if target.kind == "numbers":
        return compare(number_column("y", target.y), sources, 1)
    if target.kind == "classes":
        column = Column("y", "category", target.y, target.classes)
        return compare(column, sources, 1)
    values = np.array([str(value) for value in target.y], dtype=object)
    return compare(word_column("y", values, sources), sources, 1)


def _find_shared(X: Any, sources: Sources) -> Any:
    # Rows of a single column, or of columns with few values, coincide by chance.
    if X.shape[1] < 2:
        return None
    try:
        return find_shared_rows(
            X, sample_source=[sources.names[code] for code in sources.codes]
        )
    except SourceError:  # a column is the source, or holds what cannot be compared
        return None


def _report(checks: Checks, before: ShiftReport | None = None) -> ShiftReport:
    return ShiftReport(
        sources=checks.names,
        sizes=dict(zip(checks.names, checks.sizes)),
        features=checks.features,
        labels=checks.labels,
        joint=checks.joint,
        concept=checks.concept,
        findings=tell(checks),
        before=before,
    )
