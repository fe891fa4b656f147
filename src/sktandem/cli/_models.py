"""The commands about a model: fit it, predict with it; and the list of cleaning."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any, TextIO

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from sktandem._telling import counted, did_you_mean
from sktandem.cli._options import (
    check_folder,
    check_least,
    check_several,
    check_target,
    files_of,
    named_file,
    reading_from,
)
from sktandem.cli._writing import inert, refuse_inputs, write_all
from sktandem.exceptions import SourceError
from sktandem.files import TableModel, load_model
from sktandem.files._gather import read_tables, report_on
from sktandem.files._model import checked_path
from sktandem.scaling._scalers import table_preprocessor
from sktandem.tandem import Tandem

__all__ = ["MODELS", "RAREST", "WIDTH", "clean", "fit", "predict", "prepared"]

MODELS = {
    ("linear", "regression"): ("ridge regression", Ridge),
    ("linear", "classification"): (
        "logistic regression",
        lambda: LogisticRegression(max_iter=1000),
    ),
    ("trees", "regression"): (
        "boosted trees",
        lambda: HistGradientBoostingRegressor(max_iter=60),
    ),
    ("trees", "classification"): (
        "boosted trees",
        lambda: HistGradientBoostingClassifier(max_iter=60),
    ),
}
WIDTH = 88  # of sentences on the screen
RAREST = 5  # rows of a category that has a column of its own


def prepared(estimator: Any) -> Any:
    """Return an estimator that takes mixed columns."""
    prepare = table_preprocessor(scaler=None, min_frequency=RAREST)
    return make_pipeline(prepare, estimator)


def clean(options: argparse.Namespace) -> list[str]:
    """List what is written differently."""
    if not options.files:
        raise SourceError("clean needs the files to look at.")
    reading = reading_from(options)
    report = report_on(files_of(options, reading), reading)
    return [repr(report)]


def fit(options: argparse.Namespace) -> list[str]:
    """Fit a blend on all files, and save it."""
    check_target(options)
    if not options.files:
        raise SourceError("fit needs files to fit on.")
    if options.output is None:
        raise SourceError("--output is needed: a file such as model.skops.")
    check_least(options)
    checked_path(options.output)
    check_folder("output", options)
    refuse_inputs([("--output", options.output)], options.files)
    reading = reading_from(options)
    tables = read_tables(files_of(options, reading), reading)
    check_several(options, tables)
    _, estimator = MODELS[options.model, tables.task]
    blend = Tandem(
        prepared(estimator()),
        primary_source=options.primary,
        n_jobs=options.jobs,
        random_state=options.seed,
    )
    with threadpool_limits(1):
        fitted = tables.fit(blend)
    write_all({options.output: fitted.save})
    notes = [f"Note: {note}" for note in tables.notes]
    told = [fill(line, WIDTH) for line in blend.gain_.summary().splitlines()]
    first = shlex.quote(f"{next(iter(tables.files))}=FILE")
    model = shlex.quote(str(options.output))
    then = f"To predict: python -m sktandem predict {model} {first}"
    written = f"Written: {options.output}"
    return [*notes, "", *told, "", repr(blend.gain_), "", written, then]


def predict(options: argparse.Namespace) -> list[str]:
    """Predict for new files, and write the predictions as CSV."""
    if options.output is not None:
        check_folder("output", options)
        refuse_inputs([("--output", options.output)], [options.model, *options.files])
    model = load_model(options.model)
    reading = replace(model.layout.reading, typed=True)  # errors name options
    model = TableModel(model.estimator, replace(model.layout, reading=reading))
    rows: list[list[Any]] = []
    head: list[str] = []
    for file, name in _named_files(options, model):
        head, own = _predictions(model, file, name)
        rows += own
    if options.output is None:
        _write(sys.stdout, head, rows)
        return []

    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            _write(file, head, rows)

    write_all({options.output: write})
    return [f"Written: {options.output}, {counted(len(rows), 'prediction')}"]


def _named_files(
    options: argparse.Namespace, model: TableModel
) -> list[tuple[Any, str | None]]:
    """Return each file with the source of its rows, where it is known."""
    found = []
    known = list(model.layout.absent)
    for given in options.files:
        name, file = named_file(given)
        source = name or options.source
        if source is not None and source not in known:
            raise SourceError(
                f"{source!r} is not a source of the model. Its sources are {known}."
                f"{did_you_mean(source, known)}"
            )
        found.append((file, source))
    return found


def _predictions(
    model: TableModel, file: Any, name: str | None
) -> tuple[list[str], list[list[Any]]]:
    """Return the rows of the output: whose they are, then what is predicted."""
    read = model.layout.read(file, name=name)
    target = model.layout.reading.target
    predicted = model.predict(read)
    unknown = [""] * len(predicted)
    columns: dict[str, Any] = {
        "source": unknown if read.sample_source is None else read.sample_source,
        **read.apart,
        target: predicted,
    }
    if hasattr(model.estimator, "predict_proba"):
        shares = np.round(model.predict_proba(read), 4)
        for label, share in zip(model.estimator.classes_, shares.T):
            columns[f"{target}={label}"] = share
    return list(columns), [list(row) for row in zip(*columns.values())]


def _write(file: TextIO, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(inert, head))
    writer.writerows(map(inert, row) for row in rows)
