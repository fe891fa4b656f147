"""The columns of a fitted table, to which the next file is aligned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sktandem._telling import counted, did_you_mean, warn
from sktandem.data._tables import is_frame, pandas_for
from sktandem.exceptions import SourceError
from sktandem.files._cells import (
    as_dates,
    as_numbers,
    as_strings,
    date_format,
    is_format,
    settled,
    with_meaning,
    written,
)
from sktandem.files._file import read_file, text_columns
from sktandem.files._reading import Reading

__all__ = ["NewRows", "TableLayout"]


class NewRows(NamedTuple):
    """Rows of a new file, with the columns of fit.

    Attributes
    ----------
    X : pandas.DataFrame
        The rows, with the columns of fit in their order.

    sample_source : ndarray or None
        The source of each row.

    apart : dict of {str: list}
        The columns that `fit` left out on demand, such as the number of a patient.
    """

    X: Any
    sample_source: Any
    apart: dict[Any, list[Any]]


@dataclass(frozen=True, eq=False)
class TableLayout:
    """The columns that a model is fitted on, and how each source writes them.

    Part of what :func:`~sktandem.read_sources` returns. scikit-learn's estimators
    refuse data frames whose columns come in another order, and so do ours. A layout
    aligns a new table by name before an estimator gets it.

    Attributes
    ----------
    kinds : dict of {str: str}
        Each column of X in its order, "number", "category" or "date".

    known : tuple of str
        All columns of the files that were read, also those left out.

    absent : dict of {str: tuple of str}
        The columns that a source did not have, filled with missing values.

    reading : Reading
        The settings by which the files were read.

    dates : dict of {str: dict of {str: str}}
        The format of dates by source and column.

    spellings : dict of {str: dict of {str: str}}
        The spelling of each category by column and key.

    codes : dict of {str: int}
        The columns of digits with leading zeros, read as strings, and the length of
        all codes, or 0 where they are of several.
    """

    kinds: dict[Any, str]
    known: tuple[Any, ...]
    absent: dict[Any, tuple[Any, ...]]
    reading: Reading
    dates: Mapping[Any, Mapping[Any, str]] = field(default_factory=dict)
    spellings: Mapping[Any, Mapping[str, str]] = field(default_factory=dict)
    codes: Mapping[Any, int] = field(default_factory=dict)

    def read(self, table: Any, *, name: Any = None) -> NewRows:
        """Read a new file, or take a data frame, with the columns of fit.

        Columns may come in any order. Those that `fit` did not see are left out
        with one warning; those that the source never had are missing, as in fit.

        Parameters
        ----------
        table : path or data frame
            The new rows.

        name : str, default=None
            The source of all rows. None means that the column of sources says it,
            if the files had one, or that it is not known.

        Returns
        -------
        rows : NewRows
            X, sample_source and the columns that `fit` left out.

        Raises
        ------
        SourceError
            If a column is not there, or holds what it did not hold in fit.
        """
        problems: list[str] = []
        label = "The table" if is_frame(table) else str(table)
        frame, commas = read_file(table, name, self.reading, [], problems)
        if problems:
            raise SourceError(problems[0])
        column = self.reading.source
        left = (*self.reading.groups, *self.reading.ignore)
        apart = {c: frame[c].tolist() for c in left if c in frame}
        if name is not None or column is None or column not in frame:
            sources = None if name is None else np.full(len(frame), name, dtype=object)
            return NewRows(self._aligned(frame, name, commas, label), sources, apart)
        n_missing = int(frame[column].isna().sum())
        if n_missing:
            raise SourceError(
                f"{column!r}, the source, is missing in {counted(n_missing, 'row')} of "
                f"{label}."
            )
        sources = frame[column].map(written).to_numpy(dtype=object)
        parts = [
            self._aligned(frame[sources == source], source, commas, label)
            for source in dict.fromkeys(sources)
        ]
        X = pandas_for("reading files").concat(parts).loc[frame.index]
        return NewRows(X, sources, apart)

    def _aligned(self, frame: Any, name: Any, commas: bool, label: str) -> Any:
        frame = with_meaning(frame.copy(deep=False), name, self.reading, commas=commas)
        dates = self.dates.get(name, {})
        frame = settled(frame, self.reading, dates, self.spellings, self.codes)
        # Of a source that is not known any column may be one that it does not have.
        every = dict.fromkeys(c for own in self.absent.values() for c in own)
        absent = self.absent.get(name, tuple(every))
        gone = [c for c in self.kinds if c not in frame and c not in absent]
        if gone:
            of = "" if name is None else f" of {name}"
            raise SourceError(
                f"{label}{of} has no column {', '.join(map(repr, gone))}, which the "
                f"model was fitted on.{did_you_mean(gone[0], frame.columns)} If it has "
                "another name now, rename it in the file."
            )
        new = [c for c in frame if c not in self.known and "Unnamed: " not in str(c)]
        new = [c for c in new if c != self.reading.source]
        if new:
            warn(f"{label} has the columns {new}, which fit did not see: ignored.")
        X = frame.reindex(columns=list(self.kinds))
        for column, kind in self.kinds.items():
            X[column] = self._of_kind(X[column], kind, label, commas)
        return X

    def _of_kind(self, values: Any, kind: str, label: str, commas: bool) -> Any:
        if values.isna().all():
            empty = {"number": "float64", "date": "datetime64[us]"}.get(kind, "object")
            return pandas_for("reading files").Series(index=values.index, dtype=empty)
        if kind == "category":
            strings = as_strings(values)
            self._check_codes(strings, label)
            return strings
        if not text_columns(values.to_frame()):
            return values if kind == "date" else values.astype("float64")
        if kind == "number":
            found = as_numbers(values, commas=commas)
        else:
            strings = values.dropna().astype(str)
            how = date_format(strings, self.reading.of("date_order", None))
            found = None
            if is_format(how):
                found = as_dates(values.astype(object), str(how))
            elif how is not None:
                raise SourceError(
                    f"{values.name!r} of {label} holds dates with {how}, such as "
                    f"{strings.iloc[0]!r}. Write them as 2024-03-16."
                )
        if found is not None:
            return found
        odd = [v for v in values.dropna().unique() if self._is_odd(v, kind, commas)]
        n = counted(int(values.isin(odd).sum()), "cell")
        raise SourceError(
            f"{values.name!r} of {label} holds {', '.join(map(repr, odd[:3]))} in {n}, "
            f"where fit had {kind}s. If that means a missing value, leave it empty, or "
            f"use {self.reading.option('missing', *odd[:3])}."
        )

    def _check_codes(self, strings: Any, label: str) -> None:
        """Warn of codes that have lost their leading zeros, as in a spreadsheet."""
        length = self.codes.get(strings.name, 0)
        short = [v for v in strings.dropna() if v.isdigit() and len(v) < length]
        if short:
            n = counted(len(short), "cell")
            warn(
                f"{strings.name!r} of {label} holds {short[0]!r}, where the codes of "
                f"fit have {length} digits ({n}): other categories. "
                f"{self.reading.option('clean', 'zeros')} adds the leading zeros."
            )

    def _is_odd(self, value: Any, kind: str, commas: bool) -> bool:
        if kind == "date":
            return date_format([str(value)]) is None
        one = pandas_for("reading files").Series([value])
        return as_numbers(one, commas=commas) is None
