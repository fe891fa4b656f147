"""HTML that stands alone: tables, code and pages that need no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_block", "html_code", "html_page", "html_table"]

# Half-transparent greys and inherited colours suit a dark page as well as a light one.
STYLE = """
.sktandem{font:14px/1.45 system-ui,sans-serif;max-width:60em}
.sktandem table{border-collapse:collapse;margin:.6em 0;font-size:13px}
.sktandem th,.sktandem td{padding:.25em .7em;text-align:left;vertical-align:top;
border-bottom:1px solid #8884}
.sktandem thead th{border-bottom:2px solid #888}
.sktandem td.number,.sktandem th.number{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.sktandem p{margin:.5em 0}
.sktandem .note{opacity:.8;font-size:12.5px}
.sktandem .code{background:#8882;padding:.5em .8em;overflow-x:auto}
.sktandem pre{margin:0;font-size:13px;background:none}
.sktandem button{float:right;font-size:12px}
.sktandem summary{cursor:pointer}
.sktandem img{background:#fff}
@media print{.sktandem{max-width:none;font-size:10pt}
.sktandem button{display:none}
.sktandem table,.sktandem img{page-break-inside:avoid}
.sktandem h2{page-break-after:avoid}}
"""
COPY = (
    '<button type="button" onclick="navigator.clipboard.writeText('
    'this.nextElementSibling.textContent)">Copy</button>'
)


def html_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    """Return a table of strings; the columns in `numbers` are set to the right."""

    def cell(tag: str, place: int, text: str) -> str:
        kind = ' class="number"' if place in numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", place, text) for place, text in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(cell("td", p, text) for p, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_code(told: str = "", *lines: str) -> str:
    """Return a sentence and the lines of code that it is about; nothing of nothing."""
    if not told:
        return ""
    code = escape("\n".join(lines))
    block = f'<div class="code">{COPY}<pre><code>{code}</code></pre></div>'
    return f"<p>{escape(told)}</p>{block if lines else ''}"


def html_block(*parts: str) -> str:
    """Return parts of a page as one block with its own style, for a notebook."""
    return f'<div class="sktandem"><style>{STYLE}</style>{"".join(parts)}</div>'


def html_page(title: str, *parts: str) -> str:
    """Return parts as a whole page, in one file."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title></head><body>"
        f"<h1 style='font:600 22px system-ui,sans-serif'>{escape(title)}</h1>"
        f"{html_block(*parts)}</body></html>"
    )
