"""HTML that stands alone: tables and pages without a network or a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_block", "html_page", "html_table"]

STYLE = """
.sktandem{font:14px/1.45 system-ui,sans-serif;color:#202020;max-width:60em}
.sktandem table{border-collapse:collapse;margin:.6em 0;font-size:13px}
.sktandem th,.sktandem td{padding:.25em .7em;text-align:left;vertical-align:top;
border-bottom:1px solid #ddd}
.sktandem thead th{border-bottom:2px solid #888}
.sktandem td.number,.sktandem th.number{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.sktandem p{margin:.5em 0}
.sktandem .note{color:#555;font-size:12.5px}
@media print{.sktandem{max-width:none;font-size:10pt}
.sktandem table,.sktandem img{page-break-inside:avoid}
.sktandem h2{page-break-after:avoid}}
"""


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


def html_block(*parts: str) -> str:
    """Return parts of a page as one block with its own style, for a notebook."""
    return f'<div class="sktandem"><style>{STYLE}</style>{"".join(parts)}</div>'


def html_page(title: str, *parts: str) -> str:
    """Return parts as a whole page, in one file."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title></head><body>"
        f"<h1 style='font:600 22px system-ui,sans-serif'>{escape(title)}</h1>"
        f"{html_block(*parts)}</body></html>"
    )
