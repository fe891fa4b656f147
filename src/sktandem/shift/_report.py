"""The record of how different the datasets are, and how it is shown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from sktandem._extras import is_installed
from sktandem._settings import check_choice
from sktandem.data._tables import pandas_for
from sktandem.report._drawing import as_svg, draw_alone
from sktandem.report._result import Result, Table
from sktandem.shift._displays import ShiftDisplay, ShiftImportanceDisplay
from sktandem.shift._features import FeatureShift
from sktandem.shift._findings import Finding
from sktandem.shift._joint import Concept, Joint

__all__ = ["ShiftReport"]

MOST_SHOWN = 30
MOST_NAMED = 12  # sources that the first line can list


@dataclass(frozen=True, eq=False, repr=False)
class ShiftReport(Result):
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
    def answers(self) -> tuple[Finding, ...]:
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

    def to_frame(self) -> Any:
        """Return a line for each feature as a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by feature, the largest distance first: kind, size, p-values,
            chance, flagged, importance, and missing, mean and median by source.
        """
        pd = pandas_for("to_frame")
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
        check_choice("kind", kind, ("features", "importance"))
        display = ShiftDisplay if kind == "features" else ShiftImportanceDisplay
        return display(self).plot(ax, **how)

    # In words

    def summary(self) -> str:
        """Return the answer to each question, in sentences.

        Returns
        -------
        text : str
            A line on the sources, then one for each question.
        """
        answers = [self._with_before(finding) for finding in self.answers]
        return "\n".join([self._title(), *answers])

    def __repr__(self) -> str:
        """Answer each question in a line, with what to do about each alarm."""
        lines = [self._title()]
        for finding in self.answers:
            lead = f"  {finding.check:11} {finding.severity:11} "
            lines.append(f"{lead}{finding.sentence}")
            if finding.remedy and finding.flagged:
                lines.append(f"{' ' * 26}→ {finding.remedy}")
        return "\n".join(lines)

    def _title(self) -> str:
        sizes = ", ".join(f"{s} ({n:,} rows)" for s, n in self.sizes.items())
        if len(self.sizes) > MOST_NAMED:
            least, most = min(self.sizes.values()), max(self.sizes.values())
            sizes = f"{len(self.sizes):,} sources of {least:,} to {most:,} rows"
        after = "" if self.before is None else ", after scaling"
        return f"ShiftReport: {sizes}, {len(self.features)} features{after}"

    def _findings(self) -> list[str]:
        return [self._title()]

    def _method(self) -> list[str]:
        more = len(self.features) - MOST_SHOWN
        return [f"{more} more in to_frame()."] if more > 0 else []

    def _tables(self, *, narrow: bool = False) -> list[Table]:
        answers = [
            [f.check, f.severity, self._with_before(f), f.remedy] for f in self.answers
        ]
        heads = ["check", "severity", "finding", "what to do"]
        return [Table(heads, answers, ()), self._table(narrow=narrow)]

    def _with_before(self, finding: Finding) -> str:
        """Return the sentence of a finding, with that of before behind it."""
        if self.before is None or finding.check not in ("features", "joint"):
            return finding.sentence
        was = next(f for f in self.before.answers if f.check == finding.check)
        return f"{finding.sentence} Before: {was.sentence}"

    def _table(self, *, narrow: bool = False) -> Table:
        names, before = " / ".join(map(str, self.sources)), self.size_before
        heads = ["feature", "distance", "chance", "p adjusted", "flagged"]
        heads += [f"missing: {names}", f"median: {names}"]
        rows = []
        for f in self.features[:MOST_SHOWN]:
            row = [str(f.name), f"{f.size:.2f}", f"{f.chance:.2f}"]
            row += [f"{f.p_adjusted:.2g}", "yes" if f.flagged else ""]
            row.append(" / ".join(f"{part:.0%}" for part in f.missing))
            finite = np.isfinite(f.median).all()
            row.append(" / ".join(f"{v:.4g}" for v in f.median) if finite else "")
            rows.append(row)
        if self.before is not None:
            heads.insert(2, "before")
            for row, f in zip(rows, self.features):
                row.insert(2, f"{before.get(f.name, np.nan):.2f}")
        return Table(heads, rows, range(1, len(heads)))

    def _pictures(self) -> list[str]:
        if not is_installed("matplotlib"):
            return []
        drawn = []
        shown = [f for f in self.features if np.isfinite(f.size)]
        if shown:
            figure = draw_alone(figsize=(8, 1.2 + 0.36 * min(20, len(shown))))
            self.plot(figure.subplots())
            drawn.append(as_svg(figure, "Distance of each feature"))
        if any(np.isfinite(f.importance) for f in shown):
            figure = draw_alone(figsize=(6, 4.2))
            self.plot(figure.subplots(), kind="importance")
            drawn.append(as_svg(figure, "Distance and importance"))
        return drawn
