"""What every result answers to: a frame, sentences, a picture, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from sktandem._extras import is_installed
from sktandem.report._drawing import as_svg, draw_alone
from sktandem.report._page import html_block, html_code, html_table
from sktandem.report._wording import markdown, markdown_table, text_table

__all__ = ["Result", "Table"]


class Table(NamedTuple):
    """A table of strings.

    Attributes
    ----------
    headers : sequence of str
        The names of the columns.

    rows : sequence of rows
        The cells.

    numbers : sequence of int
        The columns that are set to the right.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int]


class Pictured:
    """Base: what is drawn by `plot` on axes of the user's, and shown as a picture.

    A subclass fills `plot` and `_caption`, and says what its figure is like.
    """

    def plot(self, ax: Any = None, *, name: str | None = None) -> Any:
        """Draw the numbers, and return the display."""
        raise NotImplementedError

    def _figure(self) -> dict[str, Any]:
        """Return what the figure of the picture is made with."""
        return {}

    def _axes(self, figure: Any) -> Any:
        return figure.subplots()

    def _caption(self) -> str:
        """Return what the picture shows, for those who cannot see it."""
        raise NotImplementedError

    def _pictures(self) -> list[str]:
        """Return the pictures as HTML; none where matplotlib is not installed."""
        if not is_installed("matplotlib"):
            return []
        figure = draw_alone(**self._figure())
        self.plot(self._axes(figure))
        return [as_svg(figure, self._caption())]


class Result(Pictured):
    """Base of all results: `to_frame`, `summary`, `plot`, `to_html`, `to_markdown`.

    A subclass fills `to_frame` and `plot`, and says what it found, how, and in
    which table. It prints as that table, and shows itself in a notebook as HTML.
    """

    def to_frame(self) -> Any:
        """Return all numbers as a data frame."""
        raise NotImplementedError

    def _findings(self) -> list[str]:
        """Return what was found, a sentence or more for each finding."""
        raise NotImplementedError

    def _advice(self) -> list[str]:
        """Return what to do now: a sentence, and then lines of code."""
        return []

    def _details(self) -> list[str]:
        """Return the exact statement behind each finding."""
        return []

    def _method(self) -> list[str]:
        """Return how it was found, and what a reader ought to know besides."""
        return []

    def _table(self, *, narrow: bool = False) -> Table:
        """Return the table; a narrow one for screens and pages."""
        raise NotImplementedError

    def _tables(self, *, narrow: bool = False) -> list[Table]:
        """Return all tables, for a result that has several."""
        return [self._table(narrow=narrow)]

    def summary(self) -> str:
        """Return what was found, in sentences.

        Returns
        -------
        text : str
            A line for each finding, then what to do now and how it was measured,
            where that has to be said.
        """
        advice = [f"    {line}" if i else line for i, line in enumerate(self._advice())]
        exact = [*self._details(), *self._method()]
        return "\n".join([*self._findings(), *advice, *exact])

    def to_html(self) -> str:
        """Return the findings, the picture and the table as a piece of HTML.

        Returns
        -------
        html : str
            A block that stands alone, with its style and its picture inside.
            There is no picture where matplotlib is not installed.
        """
        findings = "".join(f"<p>{escape(line)}</p>" for line in self._findings())
        return html_block(findings, html_code(*self._advice()), *self._evidence())

    def _evidence(self) -> list[str]:
        """Return as HTML what findings stand on: pictures, tables and how."""
        exact = [*self._details(), *self._method()]
        notes = "".join(f'<p class="note">{escape(line)}</p>' for line in exact)
        if self._details():
            notes = f"<details><summary>The exact statement</summary>{notes}</details>"
        tables = [html_table(*table) for table in self._tables(narrow=True)]
        return [*self._pictures(), *tables, notes]

    def to_markdown(self) -> str:
        """Return the findings and the table as Markdown.

        Returns
        -------
        text : str
            Ready for an issue or a report.
        """
        findings = map(markdown, self._findings())
        exact = map(markdown, [*self._details(), *self._method()])
        tables = [markdown_table(*table) for table in self._tables()]
        do, *code = self._advice() or [""]
        advice = [markdown(do), "\n".join(["```python", *code, "```"])] if do else []
        return "\n\n".join([*findings, *advice, *tables, *exact]) + "\n"

    def __repr__(self) -> str:
        return text_table(*self._table(narrow=True))

    def _repr_html_(self) -> str:
        return self.to_html()
