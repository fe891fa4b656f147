"""From X, whatever it is, to an array of texts that can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sktandem._telling import counted
from sktandem.data._sources import find_column
from sktandem.data._tables import as_table, column_names, is_missing, take_column
from sktandem.exceptions import SourceError

__all__ = ["has_columns", "texts_of"]


def has_columns(X: Any) -> bool:
    """Tell whether X is a table with columns, and not a list of texts."""
    if isinstance(X, str):
        raise SourceError(
            f"X is one text, {_shown(X)}; expected a list of texts. Pass [text]."
        )
    if isinstance(X, list | tuple):  # which numpy would copy, as wide as its longest
        return any(isinstance(row, list | tuple | np.ndarray) for row in X[:1])
    shape = getattr(X, "shape", None)
    return len(as_table(X).shape if shape is None else shape) == 2


def texts_of(
    X: Any, text_column: str | int | None, source: str | int | None
) -> NDArray[np.object_]:
    """Return the texts in X, each a string with something in it.

    Parameters
    ----------
    X : list, array or series of str, or table of shape (n_samples, n_columns)
        The texts, alone or in a column.

    text_column : str, int or None
        The column that holds them. None means the only one besides `source`.

    source : str, int or None
        The column that holds the source of each text.
    """
    if has_columns(X):
        X = _column(as_table(X), text_column, source)
    shape = (len(X),) if isinstance(X, list | tuple) else np.shape(X)
    if sparse.issparse(X) or len(shape) != 1:
        raise SourceError(
            f"X must be a list, an array or a series of texts, or a data frame with a "
            f"column of them, got shape {shape}."
        )
    texts = np.empty(len(X), dtype=object)
    texts[:] = X.to_list() if hasattr(X, "to_list") else list(X)
    _refuse_others(texts)
    return texts


def _column(table: Any, text_column: Any, source: Any) -> Any:
    width = table.shape[1]
    own = None if source is None else find_column(table, source)
    if text_column is not None:
        place = find_column(table, text_column, parameter="text_column")
        if place == own:
            raise SourceError(
                f"text_column={text_column!r} and source={source!r} are the same "
                "column of X. One holds the texts, the other the name of their dataset."
            )
        return take_column(table, place)
    rest = [place for place in range(width) if place != own]
    if len(rest) == 1:
        return take_column(table, rest[0])
    names = column_names(table)
    shown = [names[place] for place in rest] if names else rest
    besides = "" if own is None else " besides the source"
    raise SourceError(
        f"X has the columns {shown[:10]}{besides}, and one holds the texts. Name it by "
        "text_column, and the one with the name of the dataset, if any, by source."
    )


def _refuse_others(texts: NDArray[np.object_]) -> None:
    """Refuse what no tokenizer can read."""
    missing = [row for row, text in enumerate(texts) if is_missing(text)]
    if missing:
        raise SourceError(
            f"X has no text in {counted(len(missing), 'row')}, the first at row "
            f"{missing[0]} ({texts[missing[0]]!r}). Drop such rows, or write a text "
            "for them."
        )
    others = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if others:
        row = others[0]
        raise SourceError(
            f"X must hold strings, got {_shown(texts[row])} of type "
            f"{type(texts[row]).__name__} at row {row}. Numbers, and tokens made "
            "elsewhere, go into SharedNet."
        )
    torn = [row for row, text in enumerate(texts) if not _is_unicode(text)]
    if torn:
        raise SourceError(
            f"The text at row {torn[0]}, {_shown(texts[torn[0]])}, is not valid "
            "Unicode and cannot be read. Decode it again, for instance with "
            "errors='replace'."
        )
    empty = [row for row, text in enumerate(texts) if not text.strip()]
    if empty:
        raise SourceError(
            f"X holds {counted(len(empty), 'empty text')}, the first at row "
            f"{empty[0]}: there is nothing to read. Drop such rows."
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) < 60 else f"{text[:55]}...{text[-1]}"
