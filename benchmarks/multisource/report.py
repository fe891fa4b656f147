"""The page: what came out, as HTML, Markdown and reStructuredText."""

import html
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from textwrap import shorten

import numpy as np
from scipy import stats

from .figures import Results, critical_difference, holm, in_hindsight, ratios_of
from .peers import PEER_WAYS, PEERS
from .ways import BLEND, CONTROL, LEARNERS, OWN, ways_of

SIDES = {"tuning": "Problems to tune on", "last": "The last third"}
COMMAND = "make bench-multisource"
PACKAGES = ("sktandem", "scikit-learn", "numpy", "lightgbm", "torch")
READ = (
    "A cell is the test loss as a part of the own models' loss, the mean over sources "
    "and draws, with its standard error: the larger of that by rows and that by draws. "
    "Bold is lower than the blend; with a dagger, by more than two standard errors of "
    "the difference. A dash has no answer, and counts as own models in the ranks."
)


def write_pages(cache, problems, out, machine=""):
    """Write the page in three formats; return the blocks that it is made of."""
    out.mkdir(parents=True, exist_ok=True)
    blocks = [("text", setting(machine))]
    for learner in LEARNERS:
        results = Results(cache, problems, learner)
        for side in SIDES:
            names = [n for n in results.names() if problems[n].side == side]
            if names:
                blocks += section(results, names, side)
    blocks += described(problems)
    (out / "page.md").write_text(markdown(blocks), encoding="utf-8")
    (out / "page.html").write_text(page(blocks), encoding="utf-8")
    (out / "page.inc").write_text(rst(blocks), encoding="utf-8")
    return blocks


def setting(machine):
    """Return the command, the versions and the machine, in words."""
    have = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            have.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{'; '.join([COMMAND, ', '.join(have), *([machine] if machine else [])])}."


def section(results, names, side):
    """Return the blocks of one learner and one side."""
    title = f"{SIDES[side]}: {results.learner}"
    ways = [*ways_of(results.learner), *PEER_WAYS]
    ways = [w for w in ways if any(results.cell(n, w) is not None for n in names)]
    # What was not run everywhere would be ranked as own models where it was not.
    partly = [way for way in ways if not all(was_run(results, n, way) for n in names)]
    ways = [way for way in ways if way not in partly]
    draws = sorted({results.cell(name, OWN).draws for name in names})
    counted = " to ".join(str(n) for n in dict.fromkeys([draws[0], draws[-1]]))
    text = f"Problems: {len(names)}. Draws of each: {counted}. {READ}"
    blocks = [("title", title), ("text", text)]
    blocks.append(("table", matrix(results, names, ways)))
    blocks.append(("table", summary(results, names, ways)))
    blocks += [("text", ranks_in_words(results, names, ways))]
    if side == "last":
        blocks += [("text", "Aims of the blend:"), ("list", aims(results, names, ways))]
    blocks.append(("list", [in_words(results, name, ways) for name in names]))
    if partly:
        blocks.append(
            ("text", f"Not run on all yet, and left out: {', '.join(partly)}.")
        )
    failed = failures(results, names)
    return blocks + ([("text", "No answer:"), ("list", failed)] if failed else [])


def was_run(results, name, way):
    """Return whether a way has an answer, or a reason why it has none."""
    key = name, way
    peers = [peer for peer in PEERS if way in peer.ways]
    meant = all(results.problems[name].task in peer.tasks for peer in peers)
    return key in results.losses or key in results.errors or not meant


def matrix(results, names, ways):
    """Return problems by ways, the first line being the heads."""
    shown = [way for way in ways if way != OWN]
    lines = [["problem", *shown]]
    for name in names:
        cells = [_cell(results, name, way) for way in shown]
        lines.append([name, *cells])
    return lines


def _cell(results, name, way):
    cell = results.cell(name, way)
    if cell is None:
        return "–"
    text = f"{_number(cell.ratio)} ± {_number(cell.se)}"
    if way == BLEND or results.cell(name, BLEND) is None:
        return text
    less = results.difference(name, way, BLEND)
    if less.mean >= 0:
        return text
    return f"**{text} †**" if less.mean < -2 * less.se else f"**{text}**"


def _number(value):
    return f"{value:.3f}" if value < 10 else f"{value:.0f}"


def _percent(part):
    return f"{100 * part:.1f} %" if abs(part) < 10 else f"{100 * part:.0f} %"


def summary(results, names, ways):
    """Return for each way its rank, regret, harm and time, the best rank first."""
    table = ratios_of(results, names, ways)
    ranks = np.apply_along_axis(stats.rankdata, 1, table).mean(axis=0)
    best = np.array([results.cell(n, in_hindsight(results, n, ways)).ratio
                     for n in names])  # fmt: skip
    heads = [
        "way",
        "mean rank",
        "geometric mean",
        "worst",
        "regret, mean",
        "regret, worst",
    ]
    heads += ["worse by 2 SE", "worse by Holm", "s", "MB", "no answer"]
    lines = [heads]
    for at in np.argsort(ranks, kind="stable"):
        way = ways[at]
        cells = [results.cell(name, way) for name in names]
        have = [cell for cell in cells if cell is not None]
        worse = sum(cell.ratio - 1 > 2 * cell.se > 0 for cell in have)
        regret = table[:, at] - best
        lines.append([
            way, f"{ranks[at]:.2f}", f"{np.exp(np.log(table[:, at]).mean()):.3f}",
            _number(table[:, at].max()), _percent(regret.mean()),
            _percent(regret.max()), f"{worse}",
            f"{holm([cell.p_worse for cell in have]).sum()}",
            f"{np.median([cell.seconds for cell in have]):.2f}",
            f"{max((cell.memory for cell in have if cell.memory >= 0), default=0):.0f}",
            f"{len(cells) - len(have)}",
        ])  # fmt: skip
    return lines


def ranks_in_words(results, names, ways):
    """Say which ways no test of ranks tells from the first."""
    if len(names) < 3 or len(ways) < 3:
        return "Too few problems for a test of ranks."
    table = ratios_of(results, names, ways)
    ranks = np.apply_along_axis(stats.rankdata, 1, table).mean(axis=0)
    far = critical_difference(len(ways), len(names))
    p = stats.friedmanchisquare(*table.T).pvalue
    order = np.argsort(ranks, kind="stable")
    first, *rest = [(ways[at], ranks[at]) for at in order]
    near = [way for way, rank in rest if rank - first[1] < far]
    apart = f"Nemenyi's critical difference is {far:.1f} ranks (Friedman p = {p:.1g})"
    told = ", ".join(near) if near else "no other way"
    return f"{apart}: the first, {first[0]}, is not told from {told}."


def aims(results, names, ways):
    """Say which of the aims, set beforehand, the blend meets."""
    names = [name for name in names if results.cell(name, BLEND) is not None]
    if not names or CONTROL not in ways:
        return ["not measured"]
    table = dict(zip(ways, ratios_of(results, names, ways).T))
    ranks = np.apply_along_axis(stats.rankdata, 0, np.array([*table.values()]))
    place = int((ranks.mean(axis=1) < ranks.mean(axis=1)[ways.index(BLEND)]).sum())
    best = [results.cell(n, in_hindsight(results, n, ways)).ratio for n in names]
    regret = 100 * (table[BLEND] - best)
    worse = holm([results.cell(name, BLEND).p_worse for name in names]).sum()
    gain, control = 1 - table[BLEND].mean(), 1 - table[CONTROL].mean()
    told = [
        (place == 0, f"first in mean rank: {place} ways before it"),
        (regret.mean() <= 1, f"mean regret of 1 %: {regret.mean():.1f} %"),
        (regret.max() <= 4, f"worst regret of 4 %: {regret.max():.1f} %"),
        (worse == 0, f"worse than own models nowhere, by Holm: {worse} problems"),
        (gain - control >= gain / 2, "better than bagging by half of its gain: "
         f"{100 * gain:.1f} % and {100 * control:.1f} %"),
    ]  # fmt: skip
    return [f"{'met' if met else 'missed'}, {text}" for met, text in told]


def in_words(results, name, ways):
    """Say in a sentence what a problem showed."""
    best = in_hindsight(results, name, ways)
    least = results.cell(name, best)
    text = f"{name}: {best} is best, {least.ratio:.2f} of own models' loss"
    if best == OWN:
        text = f"{name}: nothing beats own models"
    blend = results.cell(name, BLEND)
    if blend is not None:
        text += f"; the blend has {blend.ratio:.3f} ± {blend.se:.3f}"
        more = 100 * (blend.ratio - least.ratio)
        text += f", {abs(more):.1f} % of own {'more' if more > 0 else 'less'}"
    control = results.cell(name, CONTROL)
    if control is not None:
        text += f", and bagged own models {control.ratio:.2f}"
    merged = results.cell(name, "merged")
    if merged is not None and best != "merged":
        text += f"; merged {merged.ratio:.2f}"
    return text + "."


def failures(results, names):
    """Return what has no answer, and why, ways of one message together."""
    told = {}
    for (name, way), message in results.errors.items():
        if name in names and results.cell(name, way) is None:
            # A column, a source or a number differs from problem to problem.
            alike = shorten(re.sub(r"'[^']*'|\d+", "…", message), 100, placeholder=" …")
            told.setdefault((way, alike), []).append(name)
    return [
        f"{way}, {len(where)} of {len(names)}: {message}"
        for (way, message), where in told.items()
    ]


def described(problems):
    """Return the list of problems: why each is in, and its licence."""
    lines = [["problem", "table", "side", "loss", "why", "licence"]]
    for name, problem in problems.items():
        lines.append([name, problem.table, problem.side, problem.loss, problem.why,
                      problem.licence])  # fmt: skip
    return [("title", "The problems"), ("table", lines)]


# Formats ------------------------------------------------------------------------------


def markdown(blocks):
    """Return the blocks as Markdown."""
    parts = ["# How good is it?"]
    for kind, what in blocks:
        if kind == "title":
            parts.append(f"## {what}")
        elif kind == "text":
            parts.append(what)
        elif kind == "list":
            parts.append("\n".join(f"- {line}" for line in what))
        else:
            heads, *lines = [[cell.replace("|", "/") for cell in row] for row in what]
            rows = [heads, ["---"] * len(heads), *lines]
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts) + "\n"


def page(blocks):
    """Return the blocks as a page of HTML."""
    parts = ["<!doctype html><meta charset='utf-8'><title>How good is it?</title>"]
    parts.append("<style>body{font:15px sans-serif;margin:2em}table{border-collapse:"
                 "collapse;font-size:13px;display:block;overflow-x:auto}td,th{padding:"
                 "2px 8px;text-align:left;white-space:nowrap}</style>")  # fmt: skip
    parts.append("<h1>How good is it?</h1>")
    for kind, what in blocks:
        if kind == "title":
            parts.append(f"<h2>{html.escape(what)}</h2>")
        elif kind == "text":
            parts.append(f"<p>{html.escape(what)}</p>")
        elif kind == "list":
            items = "".join(f"<li>{html.escape(line)}</li>" for line in what)
            parts.append(f"<ul>{items}</ul>")
        else:
            parts.append(f"<table>{''.join(_html_row(row) for row in what)}</table>")
    return "\n".join(parts) + "\n"


def _html_row(row):
    cells = []
    for text in row:
        bold = text.startswith("**")
        shown = html.escape(text.replace("**", ""))
        cells.append(f"<td>{f'<b>{shown}</b>' if bold else shown}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def rst(blocks):
    """Return the blocks for the documentation, to be included."""
    parts = []
    for kind, what in blocks:
        if kind == "title":
            parts.append(f"{what}\n{'-' * len(what)}")
        elif kind == "text":
            parts.append(_escaped(what))
        elif kind == "list":
            parts.append("\n".join(f"- {_escaped(line)}" for line in what))
        else:
            lines = [", ".join(f'"{_rst_cell(cell)}"' for cell in row) for row in what]
            body = "\n".join(f"   {line}" for line in lines)
            parts.append(f".. csv-table::\n   :header-rows: 1\n\n{body}")
    return "\n\n".join(parts) + "\n"


def _rst_cell(text):
    return text if text.startswith("**") else _escaped(text).replace('"', '""')


def _escaped(text):
    return re.sub(r"([*`|_\\])", r"\\\1", text)
