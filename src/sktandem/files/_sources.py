"""The user's own files as the sources of one table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from sktandem._telling import counted
from sktandem.data._tables import is_frame
from sktandem.exceptions import SourceError
from sktandem.files._gather import SourceTables, read_tables, report_on
from sktandem.files._reading import SAFE, Reading, check_reading
from sktandem.files._report import CleaningReport

__all__ = ["cleaning_report", "read_sources", "reading_of", "source_names"]


def read_sources(
    files: Any,
    *,
    target: str,
    source: str | None = None,
    groups: Sequence[str] = (),
    ignore: Sequence[str] = (),
    task: Literal["auto", "classification", "regression"] = "auto",
    join: Literal["exact", "inner", "outer"] = "exact",
    clean: Literal["safe"] | Sequence[str] | None = None,
    missing: Sequence[Any] = (),
    map: Mapping[Any, Any] | None = None,
    rename: Mapping[str, str] | None = None,
    convert: Sequence[str] = (),
    separator: str | Mapping[str, str] | None = None,
    decimal: str | Mapping[str, str] | None = None,
    encoding: str | Mapping[str, str] | None = None,
    date_order: str | Mapping[str, str] | None = None,
    drop_duplicates: bool = False,
) -> SourceTables:
    r"""Read several files, or one with a column of sources, as one table.

    Real files differ in more than their rows: separators, decimal commas,
    encodings, 'ICU ' here and 'icu' there. Each file is read in its own way, what is
    only written differently is listed in `report` or settled by `clean`, and all
    that keeps the files apart is said in one error.

    Read more in the :ref:`User Guide <files>`.

    Parameters
    ----------
    files : dict of {str: path or data frame}, list of paths, or one path
        CSV, parquet or Excel files by the name of their source. In a list each is
        named by its file. One file needs `source`.

    target : str
        The column to predict.

    source : str, default=None
        The column of one file that holds the source.

    groups, ignore : sequence of str, default=()
        The columns that identify groups, and those to leave out.

    task : {"auto", "classification", "regression"}, default="auto"
        What the target is. "auto": strings, booleans and numbers of two values are
        classes, all other numbers a quantity.

    join : {"exact", "inner", "outer"}, default="exact"
        Which columns to keep, as in :func:`~sktandem.stack_sources`.

    clean : "safe" or sequence of str, default=None
        What to settle of that which is only written differently: "case", "blanks",
        "dates", "decimals", "accents", "thousands" for commas between thousands, and
        "zeros" for codes such as 01067 that have lost their leading zero. "safe" is the
        first four.

    missing : sequence, default=()
        What stands for a missing value besides an empty cell and NA: a value, or
        for one column "column:value".

    map : dict, default=None
        Values to replace, such as ``{"yes": 1}``; of one column ``{"ill:yes": 1}``.

    rename : dict of {str: str}, default=None
        New names of columns, such as ``{"Blutdruck": "blood_pressure"}``.

    convert : sequence of str, default=()
        Conversions of units, such as ``["A:height*2.54", "B:temp*1.8+32"]``.

    separator, decimal, encoding : str or dict by source, default=None
        How CSV files are written, where they do not say so themselves.

    date_order : {"day", "month"} or dict by source, default=None
        What comes first in dates such as 03/04/2024.

    drop_duplicates : bool, default=False
        Whether to leave out rows that repeat another of their file throughout.

    Returns
    -------
    tables : SourceTables
        X, y and sample_source, what was found, and a method ``fit``.

    Raises
    ------
    SourceError
        If the files cannot be read or do not fit together. It lists all that is
        wrong, each with the setting that settles it.

    See Also
    --------
    stack_sources : Stack data frames and arrays as they are.
    sktandem.files.cleaning_report : The list of what is written differently alone.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sktandem import read_sources
    >>> with TemporaryDirectory() as folder:
    ...     clinic, lab = Path(folder, "clinic.csv"), Path(folder, "lab.csv")
    ...     _ = clinic.write_text("age,ward,ill\n41,ICU,1\n67,icu ,0\n")
    ...     _ = lab.write_text("ward;age;ill\nIcu;38,5;1\nICU;70;0\n")
    ...     tables = read_sources(
    ...         {"clinic": clinic, "lab": lab}, target="ill", clean="safe"
    ...     )
    >>> tables.X
        age ward
    0  41.0  ICU
    1  67.0  ICU
    2  38.5  ICU
    3  70.0  ICU
    >>> tables.sample_source
    array(['clinic', 'clinic', 'lab', 'lab'], dtype=object)
    """
    given = locals()
    reading = reading_of(**{k: v for k, v in given.items() if k != "files"})
    return read_tables(_by_source(files, reading), reading)


def cleaning_report(
    files: Any, *, target: str | None = None, **settings: Any
) -> CleaningReport:
    r"""List what is the same in several tables, but written differently.

    Before any modelling: case, blanks, accents, dates in two formats, decimal commas,
    yes and no beside 1 and 0, codes for missing values, numbers that are strings
    because of a few cells, columns of two names or in two units. Each with a count
    and the setting of :func:`~sktandem.read_sources` that settles it.

    Read more in the :ref:`User Guide <files>`.

    Parameters
    ----------
    files : dict of {str: path or data frame}, list of paths, or one path
        As for :func:`~sktandem.read_sources`.

    target : str, default=None
        The column to predict. With it, what else keeps the tables apart is found.

    **settings : dict
        All other parameters of :func:`~sktandem.read_sources`.

    Returns
    -------
    report : CleaningReport
        A table with a line for each difference.

    See Also
    --------
    sktandem.shift.shift_report : How different the datasets are in what they hold.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktandem.files import cleaning_report
    >>> a = pd.DataFrame({"sex": ["m", "f", "f"], "crp": ["1,5", "2", "0,3"]})
    >>> b = pd.DataFrame({"sex": ["M", "F", "F"], "crp": [1.4, 0.7, 2.2]})
    >>> cleaning_report({"A": a, "B": b})
    column  differs by  in    cells  settle it by
    sex     case        B         3  clean='safe'
    crp     decimals    A         3  clean='safe'
    To paste: clean='safe'
    """
    reading = reading_of(target="" if target is None else target, **settings)
    return report_on(_by_source(files, reading), reading)


def reading_of(*, clean: Any = None, **settings: Any) -> Reading:
    """Return the settings as a record, checked."""
    ways = _several("clean", clean)
    ways = list(chain(*(SAFE if way == "safe" else (way,) for way in ways)))
    for name in ("groups", "ignore", "missing", "convert"):
        settings[name] = tuple(_several(name, settings.get(name)))
    for name in ("map", "rename"):
        value = settings.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise SourceError(f"{name} must be a dict of {{old: new}}, got {value!r}.")
        settings[name] = dict(value or {})
    reading = Reading(clean=tuple(dict.fromkeys(ways)), **settings)
    check_reading(reading)
    return reading


def _several(setting: str, value: Any) -> list[Any]:
    """Return what may be one string or several values as a list."""
    if isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, Iterable):
        raise SourceError(f"{setting} must be a list, got {value!r}.")
    return [] if value is None else list(value)


def _by_source(files: Any, reading: Reading) -> dict[Any, Any]:
    """Return the files by the names of their sources."""
    if isinstance(files, Mapping):
        return dict(files)
    if isinstance(files, str | os.PathLike) or is_frame(files):
        files = [files]
    if reading.source is not None and len(files) == 1 and is_frame(files[0]):
        return {"X": files[0]}
    paths = [Path(file) for file in files]
    return dict(zip(source_names(paths, reading), paths))


def source_names(paths: Sequence[Path], reading: Reading) -> list[str]:
    """Name each source by its file; by its folder as well where files are alike."""
    if len(paths) < 2 and reading.source is None:
        raise SourceError(
            f"Two files or more are needed, got {counted(len(paths), 'file')}. Of one "
            f"file, {reading.option('source', 'COLUMN')} says which column holds the "
            "source."
        )
    names = [re.sub(r"(\.csv|\.txt|\.tsv)?(\.\w+)?$", "", p.name) for p in paths]
    names = [name or path.name for name, path in zip(names, paths)]
    if len(set(names)) < len(names):
        parents = [path.resolve().parent.name for path in paths]
        names = [f"{parent}/{name}" for parent, name in zip(parents, names)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(
            f"Two files would both be called {twice!r}. Sources are named by their "
            "files: rename one of them."
        )
    return names
