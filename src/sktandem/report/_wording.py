"""How a comparison speaks: numbers with the figures they deserve, and sentences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import floor, isfinite, log10
from typing import Any

from sktandem._telling import counted

__all__ = [
    "MIN_RARER",
    "MIN_ROWS",
    "decimals_for",
    "detail_sentence",
    "fixed",
    "leading",
    "level_text",
    "markdown",
    "markdown_table",
    "method_sentences",
    "moved",
    "named",
    "others_of",
    "plain",
    "spoken",
    "text_table",
    "verdict_sentence",
    "verdict_words",
    "with_interval",
]

MIN_ROWS = 50  # below, no verdict
MIN_RARER = 20  # of the rarer class
FORESEEN = 10  # times the rows there are: no number is told beyond
SPOKEN = {
    **{"roc": "ROC", "auc": "AUC", "r2": "R2", "f1": "F1", "d2": "D2"},
    "brier": "Brier",
}


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


def spoken(metric: str) -> tuple[str, int]:
    """Return a metric as one says it, and -1 where less of that is better."""
    words = metric.removeprefix("neg_").split("_")
    said = " ".join(SPOKEN.get(word, word) for word in words)
    return said, -1 if metric.startswith("neg_") else 1


def verdict_words(contrast: Any) -> str:
    """Put the verdict of a contrast into full words, with its numbers."""
    low, high, margin = contrast.low, contrast.high, contrast.margin
    if contrast.difference.identical:
        return "does no harm: same as its own model"
    if contrast.verdict in ("helps", "harms"):
        little = max(abs(low), abs(high)) < margin
        return f"{contrast.verdict}{' a little' * little}"
    if contrast.verdict == "does no harm":
        return f"does no harm{', no gain' * (high < margin)}"
    why = _why_unsure(contrast)
    return f"cannot tell yet: {why}" if why else "cannot tell yet"


def _why_unsure(contrast: Any) -> str:
    """Return what a contrast needs for a verdict, or what it excludes."""
    units = "rows" if contrast.n_units == contrast.n_rows else "groups"
    if contrast.verdict is not None:
        if contrast.high < contrast.margin:
            return f"any gain is below {plain(contrast.margin)}"
        needed = contrast.n_needed
        if needed is None or needed > FORESEEN * contrast.n_units:
            return ""
        return f"about {needed:,} {units} needed"
    if contrast.n_units < MIN_ROWS:
        return f"{contrast.n_units} {units}, at least {MIN_ROWS} needed"
    if not isfinite(contrast.low):
        return "no interval"
    n_rarer = "" if contrast.n_rarer is None else f"{contrast.n_rarer} "
    return f"{n_rarer}{units} of the rarer class, at least {MIN_RARER} needed"


def moved(
    what: str, before: float, after: float, change: float, low: float, high: float
) -> str:
    """Tell how a number moved: "log loss falls from 0.41 to 0.39, by 0.02 [...]"."""
    course = _course(what, before, after, change, low, high)
    if change > 0:
        return f"{course}, by {with_interval(change, low, high)}"
    if change < 0:
        return f"{course}, by {with_interval(-change, -high, -low)}"
    wide = change == 0 and high > 0
    decimals = _decimals_of(change, low, high)
    return f"{course}, give or take {fixed(high, decimals)}" if wide else course


def _course(
    what: str, before: float, after: float, change: float, low: float, high: float
) -> str:
    if not isfinite(change):
        return f"{what} has no value"
    # Both ends with the decimals of the change, or it could not be seen.
    decimals = max(
        _decimals_of(change, low, high), decimals_for(max(abs(before), abs(after)))
    )
    here, there = fixed(before, decimals), fixed(after, decimals)
    if change == 0:
        return f"{what} stays at {here}"
    return f"{what} {'rises' if change > 0 else 'falls'} from {here} to {there}"


def _in_short(what: str, before: float, after: float) -> str:
    """Tell a move that does not matter, with no more decimals than one would read."""
    decimals = decimals_for(max(abs(before), abs(after)))
    here, there = fixed(before, decimals), fixed(after, decimals)
    if here == there:
        return f"{what} stays at {here}"
    return f"{what} {'rises' if after > before else 'falls'} from {here} to {there}"


def _changed(
    what: str, numbers: tuple[float, float, float, float, float], level: float
) -> str:
    """Tell how a number moved, with its interval in words."""
    _, _, change, low, high = numbers
    course = _course(what, *numbers)
    if not isfinite(change) or not isfinite(high - low) or low == high:
        return course
    kind, ends = "change", (low, high)
    if low > 0:
        kind = "rise"
    elif high < 0:
        kind, ends = "fall", (-high, -low)
    decimals = _decimals_of(change, low, high)
    first, last = (fixed(end, decimals) for end in ends)
    return f"{course} ({level_text(level)} interval of the {kind} {first} to {last})"


def verdict_sentence(contrasts: Sequence[Any], design: Any) -> str:
    """Say of one source whether the others help it, in the metric asked for."""
    lead = leading(contrasts)
    claim = _claim(
        lead, contrasts, f"data from {others_of(lead.source, design.sources)}"
    )
    if lead.verdict is None and not lead.difference.identical:
        return f"{claim}: {_why_unsure(lead)}."
    metric, _ = spoken(design.metric)
    by_metric, by_loss = _score_numbers(lead, design), _loss_numbers(lead)
    if lead.verdict == "does no harm" and lead.high < lead.margin:
        shown = isfinite(lead.score_gain)
        what, numbers = (metric, by_metric) if shown else (design.loss, by_loss)
        return f"{claim}: {_in_short(what, *numbers[:2])}."
    shown = isfinite(lead.score_gain) and metric != design.loss
    told = _changed(metric, by_metric, design.level) if shown else ""
    if not told:
        told = _changed(design.loss, by_loss, design.level)
    if lead.verdict == "cannot tell yet":
        told += f". {_needs(lead, design.loss)}"
    against = _disagreement(lead, metric) if shown else ""
    if against:
        told += f". {against}: the verdict goes by {design.loss}, "
        told += _changed("which", by_loss, design.level)
    return f"{claim}: {told}."


def _needs(lead: Any, loss: str) -> str:
    """Say what it takes to tell; nothing but more rows, where that is far off."""
    why = _why_unsure(lead) or "more rows are needed"
    why = why.replace(" needed", " would be needed") if "about" in why else why
    in_loss = f" in {loss}" if lead.high < lead.margin else ""
    return f"{why[0].upper()}{why[1:]}{in_loss}"


def leading(contrasts: Sequence[Any]) -> Any:
    """Return the best strategy of a source: of those that help, if there are any."""
    helping = [contrast for contrast in contrasts if contrast.verdict == "helps"]
    return max(helping or contrasts, key=lambda contrast: contrast.difference.estimate)


def _claim(lead: Any, contrasts: Sequence[Any], data: str) -> str:
    """Return the verdict on one source as the beginning of a sentence."""
    head = f"For {named(lead.source)}, "
    # What holds for the best alone must not sound like a word on them all.
    best = f' with "{lead.strategy}"' if len(contrasts) > 1 else ""
    if lead.difference.identical:
        return f"{head}{data} do no harm{best} and change nothing"
    if lead.verdict == "helps":
        return f"{head}{data} help{' a little' * (lead.high < lead.margin)}{best}"
    if lead.verdict == "harms":
        return f"{head}{data} harm{', even' * bool(best)}{best}"
    if lead.verdict == "does no harm" and lead.high < lead.margin:
        return f"{head}{data} do no harm{best} and make no difference that matters"
    if lead.verdict == "does no harm":
        return f"{head}{data} do no harm{best}, but may not help"
    units = "rows" if lead.n_units == lead.n_rows else "groups"
    few = f"{lead.n_units:,} {units} are too few to tell"
    return f"{head}{few} whether {data} help{best}"


def _disagreement(lead: Any, metric: str) -> str:
    """Say where the metric asked for would give another verdict than the loss."""
    signs = {"helps": 1, "harms": -1}
    by_loss = signs.get(lead.verdict, 0)
    by_metric = int(lead.score_low > 0) - int(lead.score_high < 0)
    if by_loss and by_loss * lead.score_gain < 0:
        return f"{metric} points the other way"
    if by_loss and not by_metric:
        return f"{metric} alone could not tell"
    if by_metric and not by_loss:
        return f"{metric} alone says that they {'help' if by_metric > 0 else 'harm'}"
    return ""


def _loss_numbers(contrast: Any) -> tuple[float, float, float, float, float]:
    gain, ends = contrast.difference.estimate, (-contrast.high, -contrast.low)
    return contrast.reference_loss, contrast.loss, -gain, *ends


def _score_numbers(
    contrast: Any, design: Any
) -> tuple[float, float, float, float, float]:
    """Return the metric before and after, its change and interval, as one says it."""
    c = contrast
    before, after, change = c.reference_score, c.score, c.score_gain
    if spoken(design.metric)[1] > 0:
        return before, after, change, c.score_low, c.score_high
    return -before, -after, -change, -c.score_high, -c.score_low


def detail_sentence(contrasts: Sequence[Any], design: Any) -> str:
    """Say of one source how its best strategy did, exactly, and name the others."""
    lead = leading(contrasts)
    head = f"On {named(lead.source)} ({lead.n_rows:,} rows)"
    helping = [contrast for contrast in contrasts if contrast.verdict == "helps"]
    metric, loss = spoken(design.metric)[0], design.loss
    numbers = f"{moved(loss, *_loss_numbers(lead))}"
    if metric != loss:
        numbers += f", and {moved(metric, *_score_numbers(lead, design))}"
    with_it = f'with "{lead.strategy}"{_rank(helping, contrasts, design)}'
    rest = _told([contrast for contrast in contrasts if contrast is not lead])
    return f"{head}, {with_it}, {numbers} ({verdict_words(lead)}).{rest}"


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


def _rank(helping: Sequence[Any], contrasts: Sequence[Any], design: Any) -> str:
    if len(contrasts) == 1:
        return ""
    if len(helping) > 1:
        return f", the best of {len(helping)} strategies that help"
    if helping:
        return f", the only one of {len(contrasts)} strategies that helps"
    return f", which has the lowest {design.loss} of {len(contrasts)} strategies"


def method_sentences(n_contrasts: int, design: Any) -> list[str]:
    """Say how a comparison was measured and what its numbers are about."""
    seen = 100 * (design.n_splits - 1) / design.n_splits
    absolute = design.loss == "zero-one loss"
    margin = plain(design.margin) if absolute else f"{plain(100 * design.margin)} %"
    of = "" if absolute else f" of the own model's {design.loss}"
    times = counted(design.n_repeats, "repeat")
    how = (
        f"Measured on held-out {'groups' if design.grouped else 'rows'}, "
        f"{design.n_splits} folds x {times}, against the own model "
        f'of each source ("{design.reference}"). Verdicts go by {design.loss}; a '
        f"difference below {margin}{of} is too small to matter. "
        f"{_intervals(n_contrasts, design)}"
    )
    if len(design.strategies) > 2:
        how += (
            " The best of several was chosen by these same numbers: expect a little "
            "less of it on new rows."
        )
    others = "source" if len(design.sources) == 2 else "sources"
    about = (
        "The numbers are about the expected difference between strategies at these "
        f"training sizes ({plain(seen)} % of a source's rows) given the other "
        f"{others}, not about the difference between two fitted models."
    )
    return [how, about, *design.notes]


def _intervals(n_contrasts: int, design: Any) -> str:
    joint = level_text(design.alpha)
    if n_contrasts < 2:
        return f"Of 100 such intervals about {joint.removesuffix(' %')} are right."
    return (
        f"In {joint} of such comparisons all {n_contrasts} intervals of {design.loss} "
        f"are right, each by itself in {level_text(design.level)}."
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
