"""From the user's texts, alone or in a table, to rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sklearn.utils.validation import validate_data

from sktandem._settings import is_integer
from sktandem.data._rows import Rows, read_rows
from sktandem.data._sources import distinct, split_source
from sktandem.data._tables import as_table, column_names, refuse_datasets
from sktandem.exceptions import SourceError
from sktandem.nn._reader import Reader
from sktandem.text._texts import has_columns, texts_of

__all__ = ["TextReader"]


@dataclass(frozen=True)
class TextReader(Reader):
    """Reads rows whose X is texts: a list of them, or a column of a table."""

    def read(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_source: Any = None,
        names: Any = None,
        reset: bool = True,
        **how: Any,
    ) -> Rows:
        """Read one set of arguments; the rows' X is an array of strings."""
        refuse_datasets(X)
        fitting = names is None
        if fitting and reset:
            self._learn_columns(X, y)
        texts = self._texts(X, fitting)
        if not fitting and len(texts) == 0:
            raise SourceError("X holds no texts, so there is nothing to predict.")
        source = self._column_of(X, sample_source, fitting)
        if fitting and source is not None and sample_source is None:
            _refuse_texts_as_sources(X, source)
        how |= {"sample_source": sample_source, "names": names, "reset": reset}
        table = texts if source is None else X
        rows = read_rows(self.estimator, table, y, source=source, columns=False, **how)
        return replace(rows, X=texts)

    def check_columns(self, X: Any) -> None:
        """Leave it to the column of the texts: no other makes a difference."""

    def _learn_columns(self, X: Any, y: Any) -> None:
        model = self.estimator
        if has_columns(X):
            validate_data(model, X, y, skip_check_array=True)
            return
        validate_data(model, y=y, skip_check_array=True)  # forgets names of columns
        vars(model).pop("n_features_in_", None)

    def _texts(self, X: Any, fitting: bool) -> Any:
        model = self.estimator
        has = self._has_sources(X) or (fitting and has_columns(X))
        return texts_of(X, model.text_column, model.source if has else None)

    def _column_of(self, X: Any, sample_source: Any, fitting: bool) -> Any:
        """Return the column with the sources; None if X does not have it.

        Texts by themselves are welcome after a fit on a data frame, and what
        does not depend on the source asks for none.
        """
        needed = fitting and sample_source is None
        return self.estimator.source if needed or self._has_sources(X) else None

    def _has_sources(self, X: Any) -> bool:
        source = self.estimator.source
        if source is None or not has_columns(X):
            return False
        names, width = column_names(X), as_table(X).shape[1]
        if is_integer(source):
            return width > 1 and -width <= source < width
        return names is not None and source in names


def _refuse_texts_as_sources(X: Any, source: Any) -> None:
    """Refuse a column of sources that tells nearly every row from the others."""
    labels = split_source(X, None, source)[1]
    assert labels is not None  # there is a column
    n_labels = len(distinct(labels)[0])
    if n_labels > max(10, len(labels) / 2):
        raise SourceError(
            f"source={source!r} holds {n_labels} different values in "
            f"{len(labels)} rows, and should hold the name of each row's dataset. "
            "Are source and text_column swapped?"
        )
