"""What the checks found, in plain sentences, each with a remedy."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from sktandem._telling import counted
from sktandem.shift._checks import Checks, can_tell
from sktandem.shift._features import (
    ALPHA,
    SIZE,
    FeatureShift,
)
from sktandem.shift._joint import (
    ENOUGH_FOR_CONCEPT,
)
from sktandem.shift._remedies import REMEDIES

__all__ = ["Finding", "tell"]

Severity = Literal["none", "small", "moderate", "large", "note", "cannot tell"]

LARGE = 0.2
# Of the loss that is gained by knowing the source.
GAIN, LARGE_GAIN = 0.01, 0.05
# Trees that name the source from the columns gain nothing by being told it.
TOLD_APART = 0.9
DATES = "table_preprocessor() makes numbers of dates; or leave it out"
ALIKE = (
    'Write it alike in all datasets before stacking, as read_sources(clean="safe") does'
)
SWAPPED = (
    "Ask whether the two labels are swapped in one source. If so, swap them back "
    "before stacking."
)
WHETHER = "compare_strategies tells whether it matters"
# What each remedy is for, where it could not be tried.
POSSIBLE = {
    "scale": 'scale_by="source" or SourceScaler() may help, if the sources measure the '
    "same thing on other scales",
    "weights": 'representation="augmented", with weights of its own for each source, '
    "may help",
    "level": 'representation="indicator", with a level of its own for each source, may '
    "help",
    "target": 'scale_target_by="source", which takes the level of each source away, '
    "may help",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found, or looked for and not found.

    Attributes
    ----------
    check : str
        The question: "schema", "features", "missing", "labels", "joint",
        "concept" or "shared rows".

    severity : str
        "none"; "small": sure, but of no more than 0.1; "moderate"; "large":
        more than 0.2; "note": a fact that is no alarm; "cannot tell".

    subject : hashable
        The column that is meant; None for the answer to the whole question.

    sentence : str
        What was found, in words and numbers.

    remedy : str
        What this package offers; empty if there is nothing to do.

    size : float
        The distance, NaN where there is none.

    p_value : float
        Adjusted for all that was tested; NaN where nothing was.
    """

    check: str
    severity: Severity
    subject: Hashable
    sentence: str
    remedy: str = ""
    size: float = np.nan
    p_value: float = np.nan

    @property
    def flagged(self) -> bool:
        """Whether it is an alarm."""
        return self.severity in ("moderate", "large")


def _severity(p_value: float, size: float, small: float, large: float) -> Severity:
    if not p_value < ALPHA:
        return "none"
    if size <= small:
        return "small"
    return "moderate" if size <= large else "large"


# The words


def tell(checks: Checks) -> tuple[Finding, ...]:
    """Return every finding, question by question, its answer first."""
    return tuple(
        finding
        for ask in (_schema, _features, _missing, _labels, _joint, _concept_line)
        for finding in ask(checks)
    ) + tuple(_shared(checks))


def _schema(checks: Checks) -> Iterator[Finding]:
    told = [found for f in checks.features for found in _schema_of(f, checks)]
    alarms = [found for found in told if found.flagged]
    n = len(checks.features)
    both = "both" if len(checks.names) == 2 else "all sources"
    if alarms:
        sentence = (
            f"{_some(len({a.subject for a in alarms}), n)} cannot be compared as "
            f"they are: {_listed([a.subject for a in alarms])}."
        )
        if len(alarms) == 1:
            sentence = alarms[0].sentence
        yield Finding("schema", "large", None, sentence, alarms[0].remedy)
    else:
        many = f"All {counted(n, 'column')} are" if n > 1 else "The column is"
        sentence = f"{many} in {both}, with one type."
        if told:
            sentence += f" To look at: {_listed([t.subject for t in told])}."
        yield Finding("schema", "note" if told else "none", None, sentence)
    yield from sorted(told, key=lambda found: not found.flagged)


def _schema_of(feature: FeatureShift, checks: Checks) -> Iterator[Finding]:
    name, names = feature.name, checks.names
    gone = [s for s, absent in zip(names, feature.absent) if absent]
    stuck = [s for s, constant in zip(names, feature.constant) if constant]
    if gone:
        every = len(gone) == len(names)
        yield Finding(
            "schema",
            "note" if every else "large",
            name,
            f"{name!r} has no value in {'any source' if every else _and(gone)}.",
            "Leave it out."
            if every
            else 'stack_sources(join="inner") keeps the columns that all sources have.',
        )
    elif feature.words is not None:
        held = ", ".join(f"{words} in {s}" for s, words in feature.words.items())
        yield Finding(
            "schema",
            "large",
            name,
            f"{name!r} holds {held}.",
            "Convert it to one type in each dataset, before stack_sources.",
        )
    elif stuck:
        every = len(stuck) == len(names) and not feature.size > 0
        where = "all rows" if every else f"all rows of {_and(stuck)}"
        yield Finding(
            "schema",
            "note",
            name,
            f"{name!r} is the same in {where}.",
            "Leave it out." if every else "",
        )
    if feature.flagged:
        yield from _written_otherwise(feature)


def _written_otherwise(feature: FeatureShift) -> Iterator[Finding]:
    """Yield what another spelling, or another unit, may explain of a difference."""
    if feature.spelling is not None:
        one, other, after = feature.spelling
        yield Finding(
            "schema",
            "large",
            feature.name,
            f"{feature.name!r} is written differently, such as {one!r} and {other!r}: "
            f"written alike, the distance is {after:.2f}, not {feature.size:.2f}.",
            f"{ALIKE}.",
            feature.size,
        )
    if feature.unit is not None:
        unit = feature.unit
        offset = f" + {unit.offset:g}" if unit.offset else ""
        # A few factors are so close together that mere size can look like one.
        looks = "looks like" if unit.sure else "could be"
        yield Finding(
            "schema",
            "large" if unit.sure else "note",
            feature.name,
            f"{feature.name!r} {looks} another unit, {unit.words}: {unit.source} × "
            f"{unit.factor:g}{offset} agrees with the other (distance "
            f"{unit.before:.2f} before, {unit.after:.2f} after).",
            "Convert it before stacking.",
            unit.before,
        )


def _features(checks: Checks) -> Iterator[Finding]:
    compared = [f for f in checks.features if np.isfinite(f.size)]
    if not compared:
        yield Finding("features", "cannot tell", None, "No column can be compared.")
        return
    compared.sort(key=lambda f: -f.size)
    details = [
        Finding(
            "features",
            _severity(f.p_adjusted, f.size, SIZE, LARGE),
            f.name,
            _compared(f, checks.names),
            f"{_remedy_of(f, checks)}.",
            f.size,
            f.p_adjusted,
        )
        for f in compared
    ]
    yield _of_all_features(compared, details, within=checks.within)
    yield from (d for d in details if d.flagged)


def _of_all_features(
    compared: list[FeatureShift], details: list[Finding], *, within: bool
) -> Finding:
    """Return what the findings of single features, the farthest first, come to."""
    flagged = [d for d in details if d.flagged]
    sure = [d for d in details if d.severity == "small"]
    first, same = compared[0], " in rows of the same class" if within else ""
    most = (
        f"{first.name!r} {first.size:.2f}, where chance alone stays below "
        f"{first.chance:.2f}"
    )
    worst, remedy = details[0], ""
    if flagged:
        worst = flagged[0]
        first = next(f for f in compared if f.name == worst.subject)
        remedy = f"{worst.remedy[:-1]}; {WHETHER}."
        sentence = (
            f"{_some(len(flagged), len(compared))} differ{_s(flagged)}{same}, most "
            f"{first.name!r}: {first.size:.2f}, where chance alone stays below "
            f"{first.chance:.2f}."
        )
    elif sure:
        worst = sure[0]
        sentence = (
            f"{_some(len(sure), len(compared))} differ{_s(sure)}, by {SIZE} at "
            f"most. The largest distance: {most}."
        )
    else:
        sentence = f"No sign of a difference{same}. The largest distance: {most}."
    return Finding(
        "features", worst.severity, None, sentence, remedy, worst.size, worst.p_value
    )


def _remedy_of(feature: FeatureShift, checks: Checks) -> str:
    if feature.dated:
        return DATES
    if feature.spelling is not None:
        return ALIKE
    measured = feature.kind == "number" and not checks.transformed
    return _advised("scale" if measured else "weights", checks)


def _advised(remedy: str, checks: Checks) -> str:
    """Return what was measured of a remedy, or else that it may help."""
    trial = checks.trials.get(remedy)
    if trial is None:
        return POSSIBLE[remedy]
    ((name, value),) = REMEDIES[remedy].items()
    setting = f'{name}="{value}"'
    if trial.sign < 0:
        return f"Not {setting}: with it the {trial.words}"
    if trial.sign > 0:
        return f"{setting} helps: the {trial.words}"
    return f"{setting} is not shown to help: the {trial.words}"


def _missing(checks: Checks) -> Iterator[Finding]:
    gaps = [f for f in checks.features if np.isfinite(f.missing_p_value)]
    if not gaps:
        any_absent = any(any(f.absent) for f in checks.features)
        told = (
            "Only whole columns are missing." if any_absent else "No value is missing."
        )
        yield Finding("missing", "none", None, told)
        return
    remedy = (
        "table_preprocessor() fills numbers by their median and makes missing words a "
        'category; representation="indicator" beside it may help.'
    )
    details = [
        Finding(
            "missing",
            _severity(f.missing_p_adjusted, f.missing_size, SIZE, LARGE),
            f.name,
            f"{f.name!r} is missing in {_each(f.missing, checks.names)}.",
            remedy,
            f.missing_size,
            f.missing_p_adjusted,
        )
        for f in sorted(gaps, key=lambda f: -f.missing_size)
    ]
    yield _of_all_gaps(details, len(checks.features), remedy)
    yield from (d for d in details if d.flagged)


def _of_all_gaps(details: list[Finding], n_features: int, remedy: str) -> Finding:
    """Return what the findings of single features, the widest first, come to."""
    flagged = [d for d in details if d.flagged]
    if flagged:
        first, severity = flagged[0], flagged[0].severity
        sentence = (
            f"{_some(len(flagged), n_features)} missing more in one source, most: "
            f"{first.sentence}"
        )
    else:
        first, remedy = details[0], ""
        small = any(d.severity == "small" for d in details)
        severity = "small" if small else "none"
        told = "Little" if small else "No sign of a"
        sentence = f"{told} difference: {first.sentence}"
    return Finding(
        "missing", severity, None, sentence, remedy, first.size, first.p_value
    )


def _labels(checks: Checks) -> Iterator[Finding]:
    labels, target = checks.labels, checks.target
    if labels is None or target is None:
        return
    if checks.other_labels:
        who = "The" if len(checks.names) == 2 else "Some"
        yield Finding(
            "labels",
            "large",
            None,
            f"{who} sources have other labels: none of one is found in the other.",
            "SharedNet(heads='source') has a head for each source.",
            1.0,
        )
        return
    severity = _severity(labels.p_adjusted, labels.size, SIZE, LARGE)
    remedy = ""
    if severity in ("moderate", "large"):
        level = "level" if target.kind == "classes" else "target"
        remedy = f"{_advised(level, checks)}; {WHETHER}."
    told = _compared(labels, checks.names, is_target=True)
    told = f"{told[:-1]}{_apart(labels, checks)}."
    lead = {"none": "No sign of a difference: ", "small": "A small one: "}
    sentence = lead.get(severity, "") + (
        told if severity in lead else f"{told[0].upper()}{told[1:]}"
    )
    if checks.backwards is not None:
        severity, remedy = "large", SWAPPED
        sentence = f"{_backwards(checks)} {sentence}"
    yield Finding(
        "labels", severity, None, sentence, remedy, labels.size, labels.p_adjusted
    )


def _backwards(checks: Checks) -> str:
    assert checks.backwards is not None
    name, auc = checks.backwards.source, checks.backwards.auc
    others = [other for other in checks.names if other != name]
    what = f"of {others[0]}" if len(others) == 1 else "of the other sources"
    return (
        f"The labels run the other way: a model {what} ranks the rows of {name} "
        f"backwards (ROC AUC {auc:.2f}, where 0.5 is chance)."
    )


def _joint(checks: Checks) -> Iterator[Finding]:
    joint = checks.joint
    if joint is None:
        yield Finding("joint", "cannot tell", None, "No column can be compared.")
        return
    severity = _severity(joint.p_adjusted, joint.size, SIZE, LARGE)
    whom = "the source of a row"
    if len(checks.names) > 2:
        whom = f"the rows of {joint.source} among all"
    if joint.n_sources < len(checks.names):
        drawn = f"{joint.n_sources} of {len(checks.names):,} sources, drawn at random"
        whom = f"the rows of {joint.source} among those of {drawn},"
    among = "Among rows of the same class a" if checks.within else "From all columns a"
    sentence = (
        f"{among} classifier tells {whom} with AUC {joint.auc:.2f} ± "
        f"{1.96 * joint.se:.2f}, where 0.5 is chance; energy test p = "
        f"{joint.energy_p_value:.2g}."
    )
    remedy = ""
    if severity in ("moderate", "large"):
        alone = any(f.flagged for f in checks.features)
        if _written_differently(checks):
            remedy = f"{ALIKE}: {_listed(_written_differently(checks))}."
        elif alone and not checks.transformed:
            remedy = f"Pass after=SourceScaler() to see what scaling leaves; {WHETHER}."
        elif alone:
            remedy = f"{_advised('weights', checks)}; {WHETHER}."
        else:
            remedy = "No column differs alone, so their relations do. "
            remedy += f"{_advised('weights', checks)}."
    yield Finding(
        "joint", severity, None, sentence, remedy, joint.size, joint.p_adjusted
    )


def _concept_line(checks: Checks) -> Iterator[Finding]:
    if checks.target is None:
        return
    concept = checks.concept
    if concept is None:
        sentence = "Not asked: the sources have no labels in common to learn."
        yield Finding("concept", "cannot tell", None, sentence)
        return
    if not can_tell(checks):
        sentence = (
            f"Cannot tell: {concept.n_rows:,} rows, and a difference shows only from "
            f"about {ENOUGH_FOR_CONCEPT:,} on."
        )
        yield Finding("concept", "cannot tell", None, sentence)
        return
    low, high = concept.gain.interval(ALPHA)
    told = (
        f"knowing the source changes the held-out {concept.metric} by "
        f"{0 - concept.gain.estimate:+.3g} [{0 - high:+.3g}, {0 - low:+.3g}] of "
        f"{concept.loss:.3g}"
    )
    severity = _severity(concept.p_adjusted, concept.size, GAIN, LARGE_GAIN)
    remedy, sentence = "", f"{told[0].upper()}{told[1:]}."
    if severity in ("moderate", "large"):
        remedy = f"{_advised('weights', checks)}; {WHETHER}."
        if _written_differently(checks):
            remedy = f"{ALIKE}: {_listed(_written_differently(checks))}."
        if _flagged_labels(checks):
            sentence += " Labels of another level alone do that: see labels."
    elif severity == "none":
        sentence = f"No sign: {told}."
        if checks.joint is not None and checks.joint.auc > TOLD_APART:
            severity = "cannot tell"
            sentence = f"Cannot tell: the columns give the source away, and {told}."
    yield Finding(
        "concept", severity, None, sentence, remedy, concept.size, concept.p_adjusted
    )


def _written_differently(checks: Checks) -> list[Hashable]:
    """Return the columns whose categories are the same in several spellings."""
    return [f.name for f in checks.features if f.spelling is not None and f.flagged]


def _flagged_labels(checks: Checks) -> bool:
    return checks.labels is not None and checks.labels.flagged


def _shared(checks: Checks) -> Iterator[Finding]:
    if checks.shared is None:
        return
    n = checks.shared.n_rows_across
    if not n:
        yield Finding("shared rows", "none", None, "No row is in two sources.")
        return
    yield Finding(
        "shared rows",
        "note",
        None,
        f"{counted(n, 'row')} {'is' if n == 1 else 'are'} in another source as well.",
        "If they are the same thing, pass find_shared_rows(X, sample_source).groups as "
        "groups= of SourceKFold.",
        n / len(checks.shared.groups),
    )


# Pieces of sentences


def _compared(
    feature: FeatureShift, names: tuple[Hashable, ...], *, is_target: bool = False
) -> str:
    """Say how the sources fill a column."""
    lead = "" if is_target else f"{feature.name!r}: "
    if feature.within is not None:
        lead, feature = f"{lead}in rows of class {feature.among!r}, ", feature.within
    if feature.kind == "number":
        # A mean, of y, is what a model has to get right; of features it may be lost
        # among a few large values.
        what, values = (
            ("mean", feature.center) if is_target else ("median", feature.median)
        )
        shown = _dates(values, names) if feature.dated else _values(values, names)
        return f"{lead}{what} {shown}; distance {feature.size:.2f}."
    at = int(np.ptp(feature.shares, axis=0).argmax())
    told = _each(tuple(feature.shares[:, at]), names)
    return f"{lead}{feature.edges[at]!r} is {told}; distance {feature.size:.2f}."


def _apart(labels: FeatureShift, checks: Checks) -> str:
    """Say how far two sources' labels are apart, with an interval."""
    if len(checks.names) != 2:
        return ""
    n, m = checks.sizes
    if labels.kind == "number":
        a, b = labels.center
        variance = labels.spread[0] ** 2 / n + labels.spread[1] ** 2 / m
    else:
        a, b = labels.shares[:, int(np.ptp(labels.shares, axis=0).argmax())]
        variance = a * (1 - a) / n + b * (1 - b) / m
    half = stats.norm.ppf(1 - ALPHA / 2) * np.sqrt(variance)
    what = "difference of means" if labels.kind == "number" else "difference"
    return f", {what} {b - a:+.2g} [{b - a - half:+.2g}, {b - a + half:+.2g}]"


def _values(values: Sequence[float], names: Sequence[Hashable]) -> str:
    return ", ".join(f"{value:.4g} in {name}" for value, name in zip(values, names))


def _dates(values: Sequence[float], names: Sequence[Hashable]) -> str:
    days = [str(np.datetime64(int(value), "s"))[:10] for value in values]
    return ", ".join(f"{day} in {name}" for day, name in zip(days, names))


def _each(parts: Sequence[float], names: Sequence[Hashable]) -> str:
    return ", ".join(f"{part:.0%} of {name}" for part, name in zip(parts, names))


def _and(names: Sequence[Hashable]) -> str:
    told = [str(name) for name in names]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _listed(names: Sequence[Hashable], most: int = 4) -> str:
    told = list(dict.fromkeys(repr(name) for name in names))
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def _some(n: int, of: int) -> str:
    return f"{n} of {counted(of, 'column')}"


def _s(found: Sequence[Finding]) -> str:
    return "s" if len(found) == 1 else ""
