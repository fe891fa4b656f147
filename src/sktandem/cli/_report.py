"""One page for a reader without Python: the comparison, the shift, how it was made."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sktandem._extras import is_installed
from sktandem.inspection import StrategyComparisonDisplay
from sktandem.model_selection import StrategyComparison
from sktandem.report._drawing import draw_alone
from sktandem.report._page import html_block, html_code, html_page, html_table
from sktandem.report._wording import leading
from sktandem.shift import ShiftReport

__all__ = ["draw_comparison", "fit_command", "report_page", "versions"]

LIBRARIES = ("sktandem", "scikit-learn", "numpy", "pandas", "skorch", "torch")
# The blocks of the page bring their own style; this places them on paper.
STYLE = """<style>
body{max-width:1080px;margin:1.5em auto;padding:0 1.2em}
.sktandem{max-width:none}
.sktandem h2{font-size:17px;margin:1.8em 0 .4em;padding-top:.5em;
border-top:1px solid #8888}
.sktandem code{font-size:12.5px;overflow-wrap:anywhere}
.sktandem .wide{overflow-x:auto}
.sktandem .short{background:#8882;border-left:4px solid #888;font-size:16px;
padding:.5em 1em;margin:1em 0;print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media(max-width:600px){body{margin:.8em auto;padding:0 .7em}}
@page{size:A4 landscape;margin:14mm}
@media print{body{max-width:none;margin:0;padding:0}
.sktandem table{font-size:8.5pt;page-break-inside:auto}
.sktandem tr,.sktandem svg,.sktandem .short{page-break-inside:avoid}
.sktandem svg{max-height:105mm;width:auto!important}
.sktandem thead{display:table-header-group}}
</style>"""
HOW_TO_READ = """\
Every dataset has its own model, trained on its rows alone. A strategy also uses the
rows of the others, and is tested on the same held-out rows. Its gain is how far the
loss falls: right of zero helps, left of zero harms. The bar shows how uncertain the
gain is. Within the grey band it is too small to matter.
"""
UNSURE = "cannot tell yet"
SIGNS = {"helps": "▲", "does no harm": "●", "harms": "▼", UNSURE: "?"}
HELPS_SOME = (
    "What to do now: fit one model on all datasets, a blend, which uses for each what "
    "helps it."
)
HELPS_ALL = (
    'What to do now: fit "{}" on the rows of all datasets, or a blend, which uses for '
    "each what helps it."
)
HELPS_NONE = (
    "What to do now: keep a model of its own for each dataset. If you want one model "
    "for all, a blend uses the others for each dataset only as far as they help it."
)
# What the command "fit" has no use for; flags are followed by no value.
FLAGS = ("--net", "--quiet", "--thorough")
OF_COMPARING = (
    *FLAGS,
    *("--primary", "--metric", "--folds", "--repeats", "--margin"),
    *("--output", "--report"),
)
NO_PICTURES = 'For the pictures: pip install "sktandem[notebook]"'


def report_page(
    title: str,
    comparison: StrategyComparison,
    shift: ShiftReport,
    *,
    sources: Sequence[Sequence[str]],
    task: Sequence[str],
    notes: Sequence[str],
    settings: Mapping[str, str],
) -> str:
    """Return the whole report as one HTML file that needs no network.

    Parameters
    ----------
    title : str
        What the page is called.

    comparison : StrategyComparison
        Whether the datasets help each other.

    shift : ShiftReport
        How different they are.

    sources : sequence of rows
        Name, file and number of rows of each source.

    task : sequence of str
        Sentences that tell what was predicted from what.

    notes : sequence of str
        What was decided or found while reading.

    settings : dict of {str: str}
        What it takes to make the report again.
    """
    parts = [
        f'<div class="short">{_in_short(comparison)}',
        f"{_to_do(comparison, settings)}</div>",
        _heading("What was compared"),
        html_table(["dataset", "from", "rows"], sources, numbers=[2]),
        *(f"<p>{escape(sentence)}</p>" for sentence in task),
        _listed(notes),
        _heading("Does the other dataset help?"),
        f'<p class="note">{escape(HOW_TO_READ)}</p>',
        *comparison._evidence(),
        ""
        if is_installed("matplotlib")
        else f'<p class="note">{escape(NO_PICTURES)}</p>',
        _heading("How different are the datasets?"),
        f'<div class="wide">{shift.to_html()}</div>',
        _heading("How this report was made"),
        html_table(["setting", "value"], settings.items()),
    ]
    # The style comes last, so that it has the last word.
    return html_page(title, html_block(*parts), STYLE)


def _in_short(comparison: StrategyComparison) -> str:
    """Return the verdict on each source: a sign and a word, then a sentence."""
    told = []
    for (source, contrasts), sentence in zip(
        comparison._by_source().items(), comparison._findings()
    ):
        verdict = leading(contrasts).verdict or UNSURE
        word = escape(f"{SIGNS[verdict]} {source}: {verdict}.")
        told.append(f"<p><b>{word}</b> {escape(sentence)}</p>")
    return "".join(told)


def _to_do(comparison: StrategyComparison, settings: Mapping[str, str]) -> str:
    """Return what to do now, and the command for it; none for the bundled wines."""
    told = fit_command(settings.get("command", ""))
    # As the text in the terminal says it; the command fits the blend.
    best, *others = set(comparison.best_.values())
    what = HELPS_SOME if others else HELPS_ALL.format(best)
    if not others and best == comparison.design.reference:
        what = HELPS_NONE
    return html_code(what, *filter(None, [told]))


def fit_command(command: str) -> str:
    """Turn the command of a comparison into that which fits a blend of the files.

    Parameters
    ----------
    command : str
        As typed, such as "python -m sktandem compare A.csv B.csv --target ill".

    Returns
    -------
    command : str
        The same files, read in the same way; empty where no file was given.
    """
    head, _, rest = command.partition("compare ")
    kept, words = [], shlex.split(rest)
    while words:
        word = words.pop(0)
        option, equals, _ = word.partition("=")
        if option not in OF_COMPARING:
            kept.append(word)
        elif not equals and option not in FLAGS:
            del words[:1]  # its value
    if not any(word.startswith("--target") for word in kept):
        return ""
    return f"{head}fit {shlex.join(kept)} --output model.skops"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _listed(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="note">{items}</ul>' if items else ""


def versions() -> str:
    """Return the versions of all that had a hand in it."""
    told = [f"Python {platform.python_version()}"]
    for library in LIBRARIES:
        try:
            told.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return ", ".join(told)


def draw_comparison(comparison: StrategyComparison, path: Path) -> None:
    """Write the forest of gains as a picture."""
    display: Any = StrategyComparisonDisplay(comparison.contrasts, comparison.design)
    figure = draw_alone(figsize=display.figsize)
    display.plot(figure.subplots())
    figure.savefig(path, dpi=150)
