"""The walk of files: read, list what differs, settle it, stack."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from sktandem._routing import fit_with_source
from sktandem._telling import counted
from sktandem.data._spelling import FOLDS
from sktandem.data._stack import stack_sources
from sktandem.data._tables import date_columns, is_frame, numeric_columns
from sktandem.exceptions import SourceError
from sktandem.files._cells import (
    as_strings,
    code_lengths,
    date_format,
    is_format,
    learn_spellings,
    settled,
    with_meaning,
    written,
)
from sktandem.files._columns import (
    features_of,
    groups_of,
    refuse_unknown,
    rows_kept,
    without_clashes,
    without_empty,
)
from sktandem.files._differences import find_differences
from sktandem.files._file import holds_codes, read_file, text_columns
from sktandem.files._idle import idle_settings
from sktandem.files._layout import TableLayout
from sktandem.files._model import TableModel
from sktandem.files._reading import Reading
from sktandem.files._report import CleaningReport
from sktandem.files._targets import read_targets
from sktandem.files._twins import Difference

__all__ = ["SourceTables", "read_tables", "report_on"]


@dataclass(frozen=True, eq=False)
class SourceTables:
    """Several files as one table, and what was found on the way.

    What :func:`read_sources` returns.

    Attributes
    ----------
    X, y, sample_source : array-like
        All rows, as :func:`~sktandem.stack_sources` gives them.

    groups : ndarray or None
        The group of each row.

    task : {"classification", "regression"}
        What y is.

    target : str
        What y is called.

    files : dict of {str: str}
        Where each source comes from.

    notes : tuple of str
        A sentence for each thing that was found or decided on the way.

    report : CleaningReport or None
        What is, or was, only written differently.

    layout : TableLayout or None
        The columns of X, to which the next file of a source is aligned.
    """

    X: Any
    y: Any
    sample_source: Any
    groups: Any
    task: str
    target: str
    files: dict[str, str]
    notes: tuple[str, ...] = ()
    report: CleaningReport | None = None
    layout: TableLayout | None = None

    def fit(self, estimator: Any) -> TableModel:
        """Fit an estimator, and keep with it how the next file is to be read.

        Parameters
        ----------
        estimator : estimator instance
            Fitted in place, with the sources and groups where it takes them.

        Returns
        -------
        model : TableModel
            The estimator and the layout of the tables, which predicts for files
            and data frames.
        """
        assert self.layout is not None
        if self.groups is not None and has_fit_parameter(estimator, "groups"):
            handed = {"sample_source": self.sample_source, "groups": self.groups}
            estimator.fit(self.X, self.y, **handed)
        else:
            fit_with_source(estimator, self.X, self.y, self.sample_source)
        return TableModel(estimator, self.layout)


@contextmanager
def _kept(problems: list[str]) -> Iterator[None]:
    """Note what is wrong, to go on and find the rest."""
    try:
        yield
    except SourceError as error:
        problems.append(str(error))


@dataclass
class _Gathered:
    """The tables as they were read and cleaned, and what came to light."""

    frames: dict[Any, Any]
    files: dict[Any, str]
    differences: list[Difference]
    dates: dict[Any, dict[Any, str]]
    spellings: dict[Any, dict[str, str]]
    codes: dict[Any, int]
    notes: list[str]
    problems: list[str]
    whole: bool  # every file could be read
    read: list[Any]  # the names by which files were given
    columns: list[Any]  # as they were read

    def report(self, reading: Reading) -> CleaningReport:
        return CleaningReport(
            {name: len(frame) for name, frame in self.frames.items()},
            tuple(self.differences),
            tuple(dict.fromkeys(self.problems)),
            reading,
            self.whole,
        )


def _gather(files: dict[Any, Any], reading: Reading) -> _Gathered:
    notes: list[str] = []
    problems: list[str] = []
    frames, named, read, columns_read = {}, {}, 0, dict[Any, None]()
    for name, file in files.items():
        label = str(name) if is_frame(file) else Path(file).name
        with _kept(problems):
            frame, commas = read_file(file, name, reading, notes, problems)
            columns_read |= dict.fromkeys(frame)
            for source, part in _parts(frame, name, label, reading):
                frames[source] = with_meaning(part, source, reading, commas=commas)
                named[source] = label
            read += 1
    apart = {*reading.groups, *reading.ignore, reading.source}
    codes = code_lengths(f.drop(columns=[*reading.ignore], errors="ignore")
                         for f in frames.values())  # fmt: skip
    differences = find_differences(
        frames,
        apart=apart,
        clean=reading.clean,
        date_order=lambda name: reading.of("date_order", name),
        codes=codes,
    )
    notes += [_of_codes(c, frames, reading) for c in codes if c not in apart]
    dates = {n: _date_formats(f, n, apart, reading) for n, f in frames.items()}
    ways = set(reading.clean) & set(FOLDS)
    columns = {c for f in frames.values() for c in text_columns(f)} - apart
    spellings = learn_spellings(frames.values(), columns, ways) if ways else {}
    clean = {
        n: settled(f, reading, dates[n], spellings, codes) for n, f in frames.items()
    }
    whole = read == len(files)
    return _Gathered(
        clean, named, differences, dates, spellings, codes, notes, problems, whole,
        list(files), list(columns_read),
    )  # fmt: skip


def _of_codes(column: Any, frames: dict[Any, Any], reading: Reading) -> str:
    """Say that a column is read as strings, and how to have numbers."""
    own = {name: f[column] for name, f in frames.items() if column in f}
    first = next(
        code
        for cells in own.values()
        if holds_codes(cells)
        for code in as_strings(cells).dropna()
        if re.match(r"\s*0\d", code)
    )
    told = (
        f"{column!r} holds codes with leading zeros, such as {first!r}: read as "
        "strings."
    )
    if column == reading.target:
        return told
    numbers = reading.option("convert", *(f"{name}:{column}*1" for name in own))
    return f"{told} If they are numbers: {numbers}"


def _parts(
    frame: Any, name: Any, label: str, reading: Reading
) -> Iterator[tuple[Any, Any]]:
    """Yield a file as it is, or the rows of each source that its column names."""
    column = reading.source
    if column is None:
        yield name, frame
        return
    refuse_unknown("source", [column], {label: frame}, reading, label)
    if frame[column].isna().any():
        n = counted(int(frame[column].isna().sum()), "row")
        raise SourceError(f"{column!r}, the source, is missing in {n} of {label}.")
    for source, rows in frame.groupby(frame[column].map(written), sort=False):
        yield source, rows.drop(columns=column).reset_index(drop=True)


def _date_formats(
    frame: Any, name: Any, apart: set[Any], reading: Reading
) -> dict[Any, str]:
    found = {}
    for column in set(text_columns(frame)) - apart:
        present = frame[column].dropna()
        strings = present[present.map(lambda v: isinstance(v, str))].unique()
        how = date_format(strings, reading.of("date_order", name))
        if how is not None and is_format(how):
            found[column] = how
    return found


def report_on(files: dict[Any, Any], reading: Reading) -> CleaningReport:
    """Return what is written differently, and what else is wrong."""
    got = _gather(files, reading)
    if reading.target:
        _put_together(got, reading)
    return got.report(reading)


def read_tables(files: dict[Any, Any], reading: Reading) -> SourceTables:
    """Return the rows of several files, checked; raise all that is wrong at once."""
    got = _gather(files, reading)
    tables = _put_together(got, reading)
    report = got.report(reading)
    if tables is None or report.problems:
        raise SourceError(_told(report))
    return tables


def _told(report: CleaningReport) -> str:
    """Return all problems as one message, and what settles the rest."""
    told = report.problems[0]
    if len(report.problems) > 1:
        listed = "\n".join(f"- {problem}" for problem in report.problems)
        told = f"{len(report.problems)} problems:\n{listed}"
    if report.unsettled:
        n = counted(len(report.unsettled), "thing")
        told += f"\nOnly written differently: {n}."
    return f"{told}\nTo paste: {report.options}" if report.options else told


def _put_together(got: _Gathered, reading: Reading) -> SourceTables | None:
    """Return the tables as one; None, with the problems noted, if they do not fit."""
    problems, notes, files = got.problems, got.notes, got.files
    if reading.source is not None:
        files = {name: f"{reading.source}={name} of {f}" for name, f in files.items()}
    if got.whole:
        with _kept(problems):
            refuse_unknown("ignore", reading.ignore, got.frames, reading)
        problems += idle_settings(got.frames, got.read, got.columns, reading)
    known = tuple(dict.fromkeys(c for f in got.frames.values() for c in f))
    kept = {}
    for name, frame in got.frames.items():
        with _kept(problems):
            kept[name] = rows_kept(frame, files[name], reading, notes)
    if not kept:
        return None
    whole = got.whole and len(kept) == len(got.frames)
    task, targets = "", dict[Any, Any]()
    with _kept(problems):
        values = {name: frame[reading.target] for name, frame in kept.items()}
        task, targets = read_targets(values, files, reading, notes, whole=whole)
    groups, features = [], {}
    for name, frame in kept.items():
        with _kept(problems):
            groups.append(groups_of(frame, files[name], reading))
        features[name] = features_of(frame, files[name], reading, notes, problems)
    features = without_clashes(features, files, got.differences, reading, problems)
    stacked = _stacked(features, targets, reading, problems)
    if stacked is None or problems or not targets:
        return None
    X = without_empty(stacked.X, notes)
    report = got.report(reading)
    notes += _notes_of(report)
    absent = {n: tuple(c for c in X if c not in f) for n, f in features.items()}
    return SourceTables(
        X,
        stacked.y,
        stacked.sample_source,
        np.concatenate(groups) if reading.groups else None,
        task,
        reading.target,
        got.files,
        tuple(dict.fromkeys(notes)),
        report,
        TableLayout(
            _kinds_of(X),
            known,
            absent,
            replace(reading, typed=False, when=" in fit"),
            got.dates,
            got.spellings,
            got.codes,
        ),
    )


def _notes_of(report: CleaningReport) -> list[str]:
    """Return what was settled, and what is not and how it would be."""
    notes = [f"{d.sentence} Settled." for d in report.differences if d.settled]
    if report.unsettled:
        notes += [d.sentence for d in report.unsettled]
        notes.append(f"To settle what is written differently: {report.options}")
    return notes


def _kinds_of(X: Any) -> dict[Any, str]:
    """Return what each column holds, by its name."""
    dated, numeric = set(date_columns(X)), set(numeric_columns(X))
    return {
        c: "date" if c in dated else "number" if place in numeric else "category"
        for place, c in enumerate(X)
    }


def _stacked(
    features: dict[Any, Any], targets: dict[Any, Any], reading: Reading, bad: list[str]
) -> Any:
    """Stack the features; try the columns in common too, to find all that is wrong."""
    stacked = None
    for join in dict.fromkeys((reading.join, "inner")):
        try:
            datasets: dict[Hashable, Any] = {
                name: (X, targets.get(name)) for name, X in features.items()
            }
            if not targets or set(targets) != set(features):
                datasets = {name: (X, None) for name, X in features.items()}
            stacked = stack_sources(datasets, join=join)
            break
        except SourceError as error:
            # There, settings are parameters; here, they may be options.
            bad.append(
                re.sub(
                    r"join='(\w+)'", lambda m: reading.option("join", m[1]), str(error)
                )
            )
    return stacked
