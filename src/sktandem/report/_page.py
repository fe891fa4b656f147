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
.sktandem .code{background:#8882;padding:.5em .8em}
.sktandem pre{margin:0;font-size:13px;background:none;white-space:pre-wrap;
overflow-wrap:anywhere}
.sktandem button{float:right;font-size:12px}
.sktandem .cards{overflow-x:auto}
.sktandem summary{cursor:pointer}
.sktandem svg{display:block;max-width:100%;height:auto}
.sktandem svg.slim{display:none}
@media(max-width:600px){.sktandem button{float:none;display:block;margin:0 0 .3em auto}
.sktandem svg.broad{display:none}
.sktandem svg.slim{display:block}
.sktandem .cards table,.sktandem .cards tbody{display:block}
.sktandem .cards thead{display:none}
.sktandem .cards tr{display:block;border:1px solid #8886;border-radius:6px;
margin:.6em 0;padding:.3em .7em}
.sktandem .cards td,.sktandem .cards td.number{display:flex;border:0;padding:.1em 0;
justify-content:space-between;gap:1em;white-space:normal;text-align:right}
.sktandem .cards td::before{content:attr(data-label);opacity:.7;text-align:left}
.sktandem .cards td:empty{display:none}}
@media print{.sktandem{max-width:none;font-size:10pt}
.sktandem button{display:none}
.sktandem table,.sktandem svg{page-break-inside:avoid}
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
        # A phone shows a wide table as a card for each row, which names its values.
        label = f' data-label="{escape(headers[place])}"' if is_wide else ""
        label = label if tag == "td" else ""
        return f"<{tag}{kind}{label}>{escape(text)}</{tag}>"

    is_wide = len(headers) > 4

    head = "".join(cell("th", place, text) for place, text in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(cell("td", p, text) for p, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="cards">{table}</div>' if is_wide else table


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
