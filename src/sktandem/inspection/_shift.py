"""How different are the datasets? The report, and how it is shown."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktandem._cells import as_target
from sktandem._drawing import as_image, draw_alone
from sktandem._page import html_block, html_table
from sktandem._routing import accepts_source
from sktandem._shared_rows import find_shared_rows
from sktandem._sources import Sources, resolve_sources, split_source
from sktandem._tables import (
    as_table,
    column_names,
    is_frame,
    n_rows,
    pandas_for,
)
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.inspection._findings import Checks, Finding, share_level, tell
from sktandem.inspection._shift_displays import ShiftDisplay, ShiftImportanceDisplay
from sktandem.inspection._shift_features import (
    Column,
    FeatureShift,
    compare,
    number_column,
    read_columns,
    word_column,
)
from sktandem.inspection._shift_joint import (
    Concept,
    Joint,
    Target,
    bounded_rows,
    find_concept,
    find_joint,
    read_target,
)
from sktandem.merge._merged import BaseMerged

__all__ = ["ShiftReport", "shift_report"]

LEAST_ROWS, FEW_ROWS = 5, 20
MOST_SPARSE = 1_000
MOST_SHOWN = 30


def shift_report(
    X: Any,
    y: Any = None,
    sample_source: Any = None,
    *,
    source: str | int | None = None,
    after: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> ShiftReport:
    r"""Tell how different the datasets are, and what to do about it.

    Before two datasets become one, look at them side by side: what one of them
    lacks, what is measured in another unit, what is merely higher there, and
    whether the same features still mean the same. No difference is reported
    because there are many rows: it must be surer than chance and larger than
    0.1 on a scale from 0 to 1.

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
    sktandem.find_shared_rows : The rows that are in several sources.

    Notes
    -----
    *Features.* The distance of Kolmogorov and Smirnov for numbers, total
    variation for categories, on the values that are present; with more than two
    sources, between each and all others. Beside it what chance stays below,
    :math:`\sqrt{-\ln(\alpha / 2p) / 2 \cdot (1/n_A + 1/n_B)}` for :math:`p`
    features and :math:`\alpha = 0.05`.

    *Labels* are compared as a feature is. *Joint*: the area under the ROC curve
    of boosted trees that tell the source in 5-fold cross-fitting, with 1.4 times
    its usual standard error. *Concept*: whether trees predict y better on
    held-out rows if they are told the source. Below 1,000 rows that cannot be
    told, nor where the columns give the source away.

    All p-values are adjusted, over features by Benjamini and Hochberg, over the
    questions by Holm. A finding is flagged if its p-value is below .05 and its
    size over 0.1 (concept: 1 percent of the loss). An infinite value counts as
    missing.

    Examples
    --------
    >>> from sktandem.datasets import load_wine_quality
    >>> from sktandem.inspection import shift_report
    >>> from sktandem import SourceScaler
    >>> wine = load_wine_quality(as_frame=True)
    >>> X, source = wine.data, wine.sample_source
    >>> report = shift_report(X, None, source)
    >>> round(report["chlorides"].size, 2)
    0.82
    >>> scaled = shift_report(X, None, source, after=SourceScaler())
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
    through, last = _through(after, X, y, labels, source)
    names = _names_after(last, through, features)
    _check(through, None, sources)
    checks = _measure(through, sources, target, seed, names)
    checks = replace(checks, transformed=True)
    return _report(checks, before=_report(before))


def _check(X: Any, y: Any, sources: Sources) -> Target | None:
    """Refuse what cannot be compared; return what y holds."""
    if len(sources.names) < 2:
        raise SourceError(
            f"shift_report compares sources, and there is only one, "
            f"{sources.names[0]!r}. Pass sample_source, or name its column by source."
        )
    if len(X.shape) != 2:
        raise SourceError(
            f"shift_report compares columns, but X has shape {tuple(X.shape)}. Turn "
            "texts or images into features first: a vectorizer may go into after=."
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
            f"{least!r} has {sizes[least]} rows, too few to compare with anything; "
            f"{LEAST_ROWS} are the least. Leave it out, or join it to another source."
        )
    if sizes[least] < FEW_ROWS:
        warnings.warn(
            f"{least!r} has only {sizes[least]} rows: a difference that is not found "
            "may well be there.",
            SourceWarning,
            stacklevel=3,
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
    rows = bounded_rows(sources, rng)
    few = Sources(sources.names, sources.codes[rows])
    features, kept = [], []
    for place, column in enumerate(read_columns(X, sources)):
        if names is not None:
            column = replace(column, name=names[place])
        feature = compare(column, sources, X.shape[1])
        features.append(feature)
        if column.kind != "clash" and not any(feature.absent):
            kept.append(replace(column, values=column.values[rows]))
    by_size = sorted(features, key=lambda f: -np.nan_to_num(f.size, nan=-1))
    joint = find_joint(kept, few, rng)
    labels, concept = None, None
    if target is not None:
        labels = _compare_labels(target, sources)
        some = replace(target, y=target.y[rows])
        order = [f.name for f in by_size]
        concept = find_concept(kept, few, some, rng, by_size=order)
    if concept is not None:
        known = concept.importance
        by_size = [replace(f, importance=known.get(f.name, np.nan)) for f in by_size]
    return share_level(
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
        )
    )


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
    return find_shared_rows(X, [sources.names[code] for code in sources.codes])


# After a transformation


def _through(
    after: Any, X: Any, y: Any, labels: list[Hashable], source: str | int | None
) -> tuple[Any, Any]:
    """Return the features as they leave an estimator, and its last fitted step."""
    last = None
    steps = list(after) if isinstance(after, Pipeline) else [after]
    by_column = any(getattr(step, "source", None) is not None for step in steps)
    if source is not None and not by_column:
        X, _ = split_source(X, None, source)
    for step in steps:
        if step in (None, "passthrough"):
            continue
        merged = isinstance(step, BaseMerged)
        if not merged and not hasattr(step, "transform"):
            if step is steps[-1] and len(steps) > 1:
                break  # the model at the end of a pipeline gets X as it now is
            raise SourceError(
                f"after={step!r} has no transform. Pass a transformer, a pipeline, or "
                "a merged estimator, whose scaling is then shown."
            )
        X, last = _through_one(step, X, y, labels)
        if merged:
            return as_table(X), last
    if by_column and source is not None:
        X, _ = split_source(X, None, source)
    return as_table(X), last


def _through_one(step: Any, X: Any, y: Any, labels: list[Hashable]) -> tuple[Any, Any]:
    """Return X as it leaves one step, and the step, fitted first if need be."""
    by_column = getattr(step, "source", None) is not None
    given = {} if by_column else {"sample_source": labels}
    merged = isinstance(step, BaseMerged)
    try:
        check_is_fitted(step)
    except NotFittedError:
        if merged and y is None:
            raise SourceError(
                f"after={step!r} is not fitted, and fitting it needs y. Pass y, or "
                "fit it first."
            ) from None
        step = clone(step)
        step.fit(X, y, **(given if accepts_source(step, "fit") else {}))
    if merged:
        return step._prepare(X, given.get("sample_source"))[0], step
    takes = given if accepts_source(step, "transform") else {}
    return step.transform(X, **takes), step


def _names_after(step: Any, through: Any, features: Any) -> Sequence[Hashable] | None:
    """Return the names of the columns as the last step made them."""
    if is_frame(through):
        return None
    came = column_names(features)
    try:
        names = list(step.get_feature_names_out())
    except (AttributeError, ValueError, NotFittedError):
        names = []
    width = through.shape[1]
    if len(names) == width and names != [f"x{place}" for place in range(width)]:
        return names
    return came if came is not None and len(came) == width else None


# The report


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


@dataclass(frozen=True, eq=False, repr=False)
class ShiftReport:
    """How different the datasets are.

    What :func:`shift_report` returns. Printed, it answers each question in a
    line; in a notebook it has pictures.

    Attributes
    ----------
    sources : tuple
        The names of the sources.

    sizes : dict of {source: int}
        The rows of each source.

    features : tuple of FeatureShift
        A record for each feature, the largest distance first. ``report[name]``
        is that of one.

    labels : FeatureShift or None
        The same of y.

    joint : Joint or None
        How well a classifier tells the sources apart.

    concept : Concept or None
        Whether knowing the source helps to predict y.

    findings : tuple of Finding
        All findings, question by question. That without a subject answers the
        question; those that follow name a column each.

    before : ShiftReport or None
        The report of X as it came, if this one is `after` an estimator.
    """

    sources: tuple[Hashable, ...]
    sizes: dict[Hashable, int]
    features: tuple[FeatureShift, ...]
    labels: FeatureShift | None
    joint: Joint | None
    concept: Concept | None
    findings: tuple[Finding, ...]
    before: ShiftReport | None = None

    def __getitem__(self, name: Hashable) -> FeatureShift:
        """Return the record of one feature."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    @property
    def flagged(self) -> tuple[Finding, ...]:
        """The findings that are alarms."""
        return tuple(finding for finding in self.findings if finding.flagged)

    @property
    def summary(self) -> tuple[Finding, ...]:
        """The answer to each question."""
        return tuple(finding for finding in self.findings if finding.subject is None)

    @property
    def size_before(self) -> dict[Hashable, float]:
        """The distance of each feature before `after`, for features still there."""
        if self.before is None:
            return {}
        still = {feature.name for feature in self.features}
        return {
            feature.name: feature.size
            for feature in self.before.features
            if feature.name in still and np.isfinite(feature.size)
        }

    def frame(self) -> Any:
        """Return a line for each feature as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by feature, the largest distance first: kind, size, p-values,
            chance, flagged, importance, and missing, mean and median by source.
        """
        pd = pandas_for("frame")
        before = self.size_before
        rows = {}
        for f in self.features:
            row: dict[str, Any] = {"kind": f.kind, "size": f.size}
            if self.before is not None:
                row["size_before"] = before.get(f.name, np.nan)
            row |= {
                "chance": f.chance,
                "p_value": f.p_value,
                "p_adjusted": f.p_adjusted,
                "flagged": f.flagged,
                "importance": f.importance,
            }
            for head, values in (
                ("missing", f.missing),
                ("mean", f.center),
                ("median", f.median),
            ):
                row |= {f"{head}[{s}]": v for s, v in zip(self.sources, values)}
            rows[f.name] = row
        frame = pd.DataFrame(list(rows.values()), index=list(rows))
        return frame.rename_axis("feature")

    def plot(
        self,
        ax: Any = None,
        *,
        kind: Literal["features", "importance"] = "features",
        **how: Any,
    ) -> ShiftDisplay | ShiftImportanceDisplay:
        """Draw the features.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes object to plot on. If None, a new figure and axes is created.

        kind : {"features", "importance"}, default="features"
            "features" draws a bar for each over what chance gives, with the
            values of each source beside it. "importance" draws a point for each,
            its distance against what it says about y.

        **how : dict
            Handed to the display's own ``plot``.

        Returns
        -------
        display : ShiftDisplay or ShiftImportanceDisplay
            The display, with what was drawn.
        """
        if kind not in ("features", "importance"):
            raise SourceError(f"kind must be 'features' or 'importance', got {kind!r}.")
        display = ShiftDisplay if kind == "features" else ShiftImportanceDisplay
        return display(self).plot(ax, **how)

    # In words

    def __repr__(self) -> str:
        """Answer each question in a line, then list the features that differ most."""
        told = [self._title()]
        for finding in self.summary:
            lead = f"  {finding.check:11} {finding.severity:11} "
            told.append(f"{lead}{finding.sentence}")
            if finding.remedy and finding.flagged:
                told.append(f"{' ' * 26}→ {finding.remedy}")
        return "\n".join(told)

    def _title(self) -> str:
        sizes = ", ".join(f"{s} ({n:,} rows)" for s, n in self.sizes.items())
        after = "" if self.before is None else ", after scaling"
        return f"ShiftReport: {sizes}, {len(self.features)} features{after}"

    def _lines(self) -> list[list[str]]:
        return [
            [f.check, f.severity, self._with_before(f), f.remedy] for f in self.summary
        ]

    def _with_before(self, finding: Finding) -> str:
        """Return the sentence of a finding, with that of before behind it."""
        if self.before is None or finding.check not in ("features", "joint"):
            return finding.sentence
        was = next(f for f in self.before.summary if f.check == finding.check)
        return f"{finding.sentence} Before: {was.sentence}"

    def _feature_lines(self) -> list[list[str]]:
        before = self.size_before
        return [
            [
                str(f.name),
                f"{f.size:.2f}",
                *([f"{before.get(f.name, np.nan):.2f}"] if self.before else []),
                f"{f.chance:.2f}",
                f"{f.p_adjusted:.2g}",
                "yes" if f.flagged else "",
                " / ".join(f"{part:.0%}" for part in f.missing),
                " / ".join(f"{value:.4g}" for value in f.median),
            ]
            for f in self.features[:MOST_SHOWN]
        ]

    def _feature_heads(self) -> list[str]:
        names = " / ".join(map(str, self.sources))
        return [
            "feature",
            "distance",
            *(["before"] if self.before else []),
            "chance",
            "p adjusted",
            "flagged",
            f"missing: {names}",
            f"median: {names}",
        ]

    def to_markdown(self) -> str:
        """Return the report as text with tables, to paste into an issue or a log.

        Returns
        -------
        text : str
            Markdown.
        """
        lines = [self._title(), ""]
        for heads, rows in (
            (["check", "severity", "finding", "what to do"], self._lines()),
            (self._feature_heads(), self._feature_lines()),
        ):
            lines.append("| " + " | ".join(heads) + " |")
            lines.append("|" + " --- |" * len(heads))
            for row in rows:
                cells = [cell.replace("|", "\\|") for cell in row]
                lines.append("| " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return the report as part of a page, with pictures if there is matplotlib.

        Returns
        -------
        html : str
            A block of HTML that needs neither a network nor a script.
        """
        from html import escape

        heads = ["check", "severity", "finding", "what to do"]
        more = len(self.features) - MOST_SHOWN
        parts = [
            f"<p><b>{escape(self._title())}</b></p>",
            html_table(heads, self._lines()),
            *self._pictures(),
            html_table(
                self._feature_heads(),
                self._feature_lines(),
                numbers=range(1, len(self._feature_heads())),
            ),
        ]
        if more > 0:
            parts.append(f'<p class="note">{more} more in frame().</p>')
        return html_block(*parts)

    def _repr_html_(self) -> str:
        return self.to_html()

    def _pictures(self) -> list[str]:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            return []
        drawn = []
        shown = [f for f in self.features if np.isfinite(f.size)]
        if shown:
            figure = draw_alone(figsize=(8, 1.2 + 0.36 * min(20, len(shown))))
            self.plot(figure.subplots())
            drawn.append(as_image(figure, "Distance of each feature", dpi=80))
        if any(np.isfinite(f.importance) for f in shown):
            figure = draw_alone(figsize=(6, 4.2))
            self.plot(figure.subplots(), kind="importance")
            drawn.append(as_image(figure, "Distance and importance", dpi=80))
        return drawn
