"""How a comparison speaks: numbers with the figures they deserve, and sentences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import floor, isfinite, log10
from typing import Any

from sktandem.stats._inference import rows_needed

__all__ = [
    "MIN_RARER",
    "MIN_ROWS",
    "decimals_for",
    "fixed",
    "level_text",
    "markdown",
    "markdown_table",
    "method_sentences",
    "moved",
    "named",
    "others_of",
    "plain",
    "source_sentences",
    "text_table",
    "verdict_words",
    "with_interval",
]

MIN_ROWS = 50  # below, no verdict
MIN_RARER = 20  # of the rarer class


def decimals_for(size: float, figures: int = 3) -> int:
    """Return how many decimals show a number with so many figures."""
    if not isfinite(size) or size == 0:
        return figures
    return max(0, figures - 1 - floor(log10(abs(size))))


def fixed(value: float, decimals: int) -> str:
    """Return a number with so many decimals; where they grow long, in powers."""
    if decimals > 8 and value != 0 and isfinite(value):
        after_point = max(0, decimals + floor(log10(abs(value))))
        return f"{value:.{after_point}e}"
    return f"{value:z,.{min(decimals, 8)}f}"  # z: no minus before a zero


def plain(value: float) -> str:
    """Return a number with three figures, such as 0.000012, 0.5 or 1,234."""
    text = fixed(value, decimals_for(value))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def with_interval(value: float, low: float, high: float) -> str:
    """Return a number and its interval, such as "0.019 [0.007, 0.031]"."""
    if value == low == high == 0:
        return "0"
    decimals = _decimals_of(value, low, high)
    if not (isfinite(low) and isfinite(high)):
        return fixed(value, decimals)
    ends = f"{fixed(low, decimals)}, {fixed(high, decimals)}"
    return f"{fixed(value, decimals)} [{ends}]"


def _decimals_of(value: float, low: float, high: float) -> int:
    """Return the decimals that show half the width of an interval by two figures."""
    half = (high - low) / 2
    if not isfinite(half) or half <= 0:
        return decimals_for(value)
    decimals = decimals_for(half, 2)
    # "helps" beside an interval from 0.000 would look like a mistake.
    nearest = min((abs(end) for end in (low, high) if end != 0), default=half)
    return max(decimals, min(decimals + 3, decimals_for(nearest, 1)))


def named(source: Hashable) -> str:
    """Return the name of a source as it stands in a sentence."""
    return source if isinstance(source, str) else f"source {source!r}"


def others_of(source: Hashable, sources: Sequence[Hashable]) -> str:
    """Return what the sources besides this one are called."""
    others = [other for other in sources if other != source]
    return named(others[0]) if len(others) == 1 else "the other sources"


def verdict_words(contrast: Any) -> str:
    """Put the verdict of a contrast into full words, with its numbers."""
    low, high, margin = contrast.low, contrast.high, contrast.margin
    worth = plain(margin)
    if contrast.difference.identical:
        return "identical to its own model"
    if contrast.verdict is None:
        return f"no verdict: {_lacking(contrast)}"
    if contrast.verdict in ("helps", "hurts"):
        near, far = sorted((abs(low), abs(high)))
        extent = f" by more than {worth}" if near > margin > 0 else ""
        extent = f" by less than {worth}" if far < margin else extent
        return f"{contrast.verdict}{extent}"
    if contrast.verdict == "no worse":
        return f"no {'difference larger' if high < margin else 'worse'} than {worth}"
    if contrast.verdict == "no gain":
        return f"no gain worth {worth}"
    needed = f": about {_needed(contrast)} needed" if contrast.n_needed else ""
    return f"too few rows to tell{needed}"


def _needed(contrast: Any) -> str:
    # What counts is groups where there are any, and rows go without saying.
    grouped = contrast.n_units != contrast.n_rows
    return f"{contrast.n_needed:,}{' groups' if grouped else ''}"


def _lacking(contrast: Any) -> str:
    units = "rows" if contrast.n_units == contrast.n_rows else "groups"
    rarer = f"{units} of the rarer class"
    if contrast.n_units < MIN_ROWS:
        return f"{contrast.n_units} {units}, {MIN_ROWS} are needed"
    if contrast.n_rarer is not None and contrast.n_rarer < MIN_RARER:
        return f"{contrast.n_rarer} {rarer}, {MIN_RARER} are needed"
    if not isfinite(contrast.low):
        return "no interval could be had"
    return f"{MIN_RARER} {rarer} are needed"


def moved(
    what: str, before: float, after: float, change: float, low: float, high: float
) -> str:
    """Tell how a number moved: "log loss falls from 0.41 to 0.39, by 0.02 [...]"."""
    if not isfinite(change):
        return f"{what} has no value"
    # Both ends with the decimals of the change, or it could not be seen.
    decimals = max(
        _decimals_of(change, low, high), decimals_for(max(abs(before), abs(after)))
    )
    here, there = fixed(before, decimals), fixed(after, decimals)
    if change == 0:
        wide = f", give or take {fixed(high, decimals)}" if high > 0 else ""
        return f"{what} stays at {here}{wide}"
    if change > 0:
        return f"{what} rises from {here} to {there}, by " + with_interval(
            change, low, high
        )
    by = with_interval(-change, -high, -low)
    return f"{what} falls from {here} to {there}, by {by}"


def source_sentences(contrasts: Sequence[Any], design: Any) -> str:
    """Say of one source whether the others help it."""
    helping = [contrast for contrast in contrasts if contrast.verdict == "helps"]
    lead = max(helping or contrasts, key=lambda contrast: contrast.difference.estimate)
    head = f"On {named(lead.source)} ({lead.n_rows:,} rows), "
    moving = [contrast for contrast in contrasts if not contrast.difference.identical]
    if moving and all(contrast.verdict is None for contrast in contrasts):
        return f"{head}{verdict_words(moving[0])}."
    claim = _claim(lead, contrasts, others_of(lead.source, design.sources))
    numbers = ""
    if lead in moving:
        numbers = f' With "{lead.strategy}"{_rank(helping, contrasts, design)}, '
        numbers += (
            f"{_loss_moved(lead, design.loss)}, and {_score_moved(lead, design)}."
        )
    rest = [c for c in contrasts if c is not lead and moving]
    return f"{head}{claim}.{numbers}{_told(rest)}"


def _told(rest: Sequence[Any]) -> str:
    """Name the other strategies by what became of them."""
    fates: dict[str, list[str]] = {}
    for contrast in rest:
        # How many rows each would need is for the table.
        fate = verdict_words(contrast).partition(": about ")[0]
        fates.setdefault(fate, []).append(f'"{contrast.strategy}"')
    if not fates:
        return ""
    told = "; ".join(f"{', '.join(names)} ({fate})" for fate, names in fates.items())
    return f" The other {'strategies' if len(rest) > 1 else 'strategy'}: {told}."


def _claim(lead: Any, contrasts: Sequence[Any], others: str) -> str:
    """Return what the best strategy of a source tells of the other sources."""
    worth, s = plain(lead.margin), "" if others == "the other sources" else "s"
    are = "is" if s else "are"
    # What holds for the best alone must not sound like a word on them all.
    best = len({verdict_words(contrast) for contrast in contrasts}) > 1
    if lead.difference.identical:
        same = f"leave{s} every held-out loss as it was"
        if not best:
            return f"{others} {same}"
        with_it = f'with "{lead.strategy}"'
        return f"{others} {are} not shown to help, and {with_it} {same}"
    if lead.verdict == "helps":
        little = f", by less than {worth}" if lead.high < lead.margin else ""
        return f"{others} help{s}{little}"
    if lead.verdict == "hurts":
        return f"{others} hurt{s}{', even at best' * best}"
    if lead.verdict == "no gain":
        return f"{others} bring{s} no gain worth {worth}{', even at best' * best}"
    if lead.verdict == "too few rows":
        claim = f"there are too few rows to tell whether {others} help{s}"
        return f"{claim}{_rows_it_takes(lead)}"
    if lead.high < lead.margin:
        return f"{others} make{s} no difference larger than {worth}{' at best' * best}"
    they = "it" if s else "they"
    claim = f"{others} {are} not shown to help; {'at best ' * best}"
    return f"{claim}{they} {are} no worse than {worth}"


def _rows_it_takes(lead: Any) -> str:
    """Say what it takes to tell: the gain as it looks, or any worth having."""
    if not lead.n_needed:
        return ""
    every = f"about {_needed(lead)}"
    if lead.difference.estimate <= lead.margin:
        return f": {every} would be needed"
    shown = rows_needed(lead.n_units, lead.low, lead.high, lead.gain)
    return (
        f": if the gain is as large as it looks, about {shown:,} would show it; to "
        f"tell of any gain worth {plain(lead.margin)} takes {every}"
    )


def _rank(helping: Sequence[Any], contrasts: Sequence[Any], design: Any) -> str:
    if len(contrasts) == 1:
        return ""
    if len(helping) > 1:
        return f", the best of {len(helping)} strategies that help"
    if helping:
        return f", the only one of {len(contrasts)} strategies that helps"
    return f", which has the lowest {design.loss} of {len(contrasts)} strategies"


def _loss_moved(contrast: Any, loss: str) -> str:
    gain = contrast.difference.estimate
    ends = -contrast.high, -contrast.low
    return moved(loss, contrast.reference_loss, contrast.loss, -gain, *ends)


def _score_moved(contrast: Any, design: Any) -> str:
    ends = contrast.score_low, contrast.score_high
    scores = contrast.reference_score, contrast.score
    return moved(design.metric, *scores, contrast.score_gain, *ends)


def method_sentences(n_contrasts: int, design: Any) -> list[str]:
    """Say how a comparison was measured and what its numbers are about."""
    seen = 100 * (design.n_splits - 1) / design.n_splits
    absolute = design.loss == "zero-one loss"
    margin = plain(design.margin) if absolute else f"{plain(100 * design.margin)} %"
    of = "" if absolute else f" of the own model's {design.loss}"
    times = f"{design.n_repeats} repeat{'s' * (design.n_repeats > 1)}"
    how = (
        f"Measured on held-out {'groups' if design.grouped else 'rows'}, "
        f"{design.n_splits} folds x {times}, against the own model "
        f'of each source ("{design.reference}"). Decided on {design.loss}, with '
        f"{margin}{of} as the margin. {_intervals(n_contrasts, design)}"
    )
    if len(design.strategies) > 2:
        how += " The best of several is named by these same numbers, which flatter it."
    others = "source" if len(design.sources) == 2 else "sources"
    about = (
        "The numbers are about the expected difference between strategies at these "
        f"training sizes ({plain(seen)} % of a source's rows) given the other "
        f"{others}, not about the difference between two fitted models."
    )
    return [how, about, *design.notes]


def _intervals(n_contrasts: int, design: Any) -> str:
    joint = level_text(design.alpha)
    if n_contrasts == 0:
        return f"No verdict is given, and each interval stands alone, with {joint}."
    if n_contrasts == 1:
        return f"The interval of {design.loss} holds with {joint}."
    return (
        f"The {n_contrasts} intervals of {design.loss} that have a verdict hold "
        f"together with {joint}, "
        f"each by itself with {level_text(design.level)}; no verdict rests on the "
        "metric."
    )


def level_text(alpha: float) -> str:
    """Return how sure an interval is that misses with probability alpha."""
    return f"{fixed(100 * (1 - alpha), decimals_for(100 * alpha, 1))} %"


def text_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]
) -> str:
    """Return a table for a fixed-width font; `numbers` are set to the right."""
    lines = [headers, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    sides = [">" if place in numbers else "<" for place in range(len(headers))]
    return "\n".join(
        "  ".join(f"{t:{side}{w}}" for t, side, w in zip(line, sides, widths)).rstrip()
        for line in lines
    )


def markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    signs = {ord(sign): f"\\{sign}" for sign in "\\`*_<>|#[]$~"}
    return " ".join(text.split()).translate(signs)


def markdown_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]
) -> str:
    """Return a table for Markdown; `numbers` are set to the right."""
    rules = ["---:" if place in numbers else "---" for place in range(len(headers))]
    lines = [list(map(markdown, headers)), rules]
    lines += [list(map(markdown, row)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
