"""The record of how different the datasets are, and how it is shown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from sktandem.data._tables import (
    pandas_for,
)
from sktandem.exceptions import SourceError
from sktandem.report._drawing import as_image, draw_alone
from sktandem.report._page import html_block, html_table
from sktandem.shift._displays import ShiftDisplay, ShiftImportanceDisplay
from sktandem.shift._features import (
    FeatureShift,
)
from sktandem.shift._findings import Finding
from sktandem.shift._joint import (
    Concept,
    Joint,
)

__all__ = ["ShiftReport"]

MOST_SHOWN = 30


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

    @overload
    def plot(
        self, ax: Any = None, *, kind: Literal["features"] = "features", **how: Any
    ) -> ShiftDisplay: ...
    @overload
    def plot(
        self, ax: Any = None, *, kind: Literal["importance"], **how: Any
    ) -> ShiftImportanceDisplay: ...
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
                " / ".join(f"{value:.4g}" for value in f.median)
                if np.isfinite(f.median).all()
                else "",
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
