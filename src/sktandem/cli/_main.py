"""The command line: two files, and whether each helps with the other."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from threadpoolctl import threadpool_limits

from sktandem._extras import is_installed
from sktandem._telling import counted, did_you_mean
from sktandem.cli._models import MODELS, RAREST, WIDTH, clean, fit, predict, prepared
from sktandem.cli._options import (
    COMMANDS,
    MAX_EPOCHS,
    OTHERS,
    check_options,
    check_several,
    files_of,
    parsers,
    reading_from,
    with_options,
)
from sktandem.cli._report import draw_comparison, report_page, versions
from sktandem.cli._writing import inert_cells, outputs_of, refuse_inputs, write_all
from sktandem.data._tables import date_columns, is_frame, numeric_columns
from sktandem.datasets import load_heart_disease, load_wine_quality
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.files import SourceTables
from sktandem.files._gather import read_tables
from sktandem.merge import Merged
from sktandem.model_selection import StrategyComparison, compare_strategies
from sktandem.scaling._scalers import table_preprocessor
from sktandem.shift import ShiftReport, shift_report

# Folds and repeats: a net takes a hundred times as long as a linear model.
EFFORT = {"linear": (10, 1), "trees": (5, 1), "net": (5, 1)}
THOROUGH = (10, 5)
KEEP = (
    "To fit and keep a model: python -m sktandem fit, with the same options and\n"
    "--output model.skops"
)
YOURS = "Your own files: python -m sktandem compare A.csv B.csv --target COLUMN"

MORE = "For surer verdicts, in five times the time: --thorough"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare datasets; write what was found to the screen and to files."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser, commands = parsers()
    if not given or given[0] not in COMMANDS + OTHERS:
        first = given[0] if given else ""
        meant = did_you_mean(first, COMMANDS) if first.isalpha() else ""
        if meant and not Path(first).exists():
            parser.error(f"{first} is neither a command nor a file.{meant}")
        given = ["compare", *given]
    options = parser.parse_args(given)
    command = commands[options.command]
    others = {"clean": clean, "fit": fit, "predict": predict}
    try:
        if options.command in others:
            with _noted([]) as notes:
                told = others[options.command](options)
            print("\n".join([*told, *_noted_down(notes)]), end="\n" * bool(told))
        else:
            _run(options, given)
    except (ValueError, ImportError) as error:
        command.error(with_options(str(error), options))
    except BrokenPipeError:  # whoever read along has seen enough
        _silence()
    except OSError as error:
        if error.filename is None:  # of print: the screen is a file on a full disk
            _silence()
        where = error.filename or "What was found cannot be printed"
        command.error(f"{where}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("Interrupted: nothing was finished.", file=sys.stderr)
        return 130  # as shells say of SIGINT
    return 0


def _silence() -> None:
    """Let nothing more be printed, also by Python when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Run(NamedTuple):
    """What was asked for, read and found, for all that is to be written."""

    tables: SourceTables
    task: list[str]
    comparison: StrategyComparison
    shift: ShiftReport
    notes: list[str]

    def sources(self) -> list[list[str]]:
        """Return name, file and rows of each source."""
        return [
            [name, self.tables.files[name], f"{n:,}"]
            for name, n in _sizes(self.tables).items()
        ]

    def text(self) -> str:
        """Return what was found, for a screen."""
        said = [fill(line, WIDTH) for line in self.comparison.summary().splitlines()]
        return "\n".join([*said, "", repr(self.comparison), "", repr(self.shift)])


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    check_options(options)
    refuse_inputs(outputs_of(options), options.files)
    if options.files:
        reading = reading_from(options)
        tables = read_tables(files_of(options, reading), reading)
        check_several(options, tables)
        _check_tables(options, tables)
        _run_one(options, tables, given)
        return
    for place, (case, tables) in enumerate(_demo(options)):
        if place and not options.quiet:
            print("\n" + "-" * WIDTH + "\n")
        _run_one(case, tables, given)


def _run_one(
    options: argparse.Namespace, tables: SourceTables, given: Sequence[str]
) -> None:
    say = (lambda *_: None) if options.quiet else print
    task = _task_sentences(options, tables)
    say(", ".join(f"{n}: {rows:,} rows" for n, rows in _sizes(tables).items()))
    say("\n".join([*task, *_noted_down(tables.notes), ""]))
    # One thread for each job: two that wait for each other are slower.
    with _noted(list(tables.notes)) as notes, threadpool_limits(1):
        # First, because it is quick and finds out what is wrong with the columns.
        shift = shift_report(
            tables.X,
            tables.y,
            sample_source=tables.sample_source,
            random_state=options.seed,
        )
        notes += [
            f.sentence
            for f in shift.flagged
            if f.check == "schema" and f.subject is not None
        ]
        comparison = _compare(options, tables)
    run = Run(tables, task, comparison, shift, notes)
    written = _write(run, options, given)
    print(run.text())
    noted = _noted_down(notes[len(tables.notes) :])
    more = [KEEP if options.files else YOURS]
    if not (options.thorough or options.net):
        more.append(MORE)
    say("\n".join(["", *noted, *more, *written]))
    sys.stdout.flush()  # here, where an error can still be told


def _check_tables(options: argparse.Namespace, tables: SourceTables) -> None:
    _check_sources(options, tables)
    _check_metric(options.metric, tables)


def _check_sources(options: argparse.Namespace, tables: SourceTables) -> None:
    primary, (folds, _) = options.primary, _effort(options)
    if primary is not None and primary not in tables.files:
        raise SourceError(
            f"--primary {primary} is not a source. The sources are "
            f"{list(tables.files)}.{did_you_mean(primary, tables.files)}"
        )
    for name, n_rows in _sizes(tables).items():
        if tables.groups is not None:
            n_rows = len(set(tables.groups[tables.sample_source == name]))
        if n_rows < folds:
            kind = "row" if tables.groups is None else "group"
            raise SourceError(
                f"{folds} folds need as many {kind}s, and {name} has "
                f"{counted(n_rows, kind)}: --folds {max(2, min(n_rows, 5))}"
            )


def _check_metric(metric: str | None, tables: SourceTables) -> None:
    """Refuse a metric that cannot score the simplest of all models."""
    if metric is None:
        return
    kind = DummyRegressor if tables.task == "regression" else DummyClassifier
    empty = np.zeros((len(tables.y), 1))
    try:
        get_scorer(metric)(kind().fit(empty, tables.y), empty, tables.y)
    except (ValueError, AttributeError) as error:
        raise SourceError(
            f"--metric {metric} does not suit {tables.task}: {error}"
        ) from None


def _demo(
    options: argparse.Namespace,
) -> Iterator[tuple[argparse.Namespace, SourceTables]]:
    """Yield the bundled cases that suit the options: a clear yes, an honest no."""
    hospitals: dict[str, Any] = {"primary": options.primary or "va"}
    # That by which the verdict goes: others may hang back behind it.
    hospitals["metric"] = options.metric or "neg_log_loss"
    if not options.net:  # one question has a sharper answer than six
        hospitals["strategies"] = [Merged(representation="indicator")]
    cases = [(hospitals, _hospitals())] if options.task != "regression" else []
    cases.append(({}, _wines("regression" if options.task == "auto" else options.task)))
    first, refused = True, None
    for changes, tables in cases:
        case = argparse.Namespace(**vars(options) | changes)
        try:
            _check_tables(case, tables)
        except SourceError as error:
            refused = error
            continue
        yield case if first else _beside(case, "wines"), tables
        first = False
    if first and refused is not None:
        raise refused


def _beside(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """Return the options of a second case, which writes beside the first."""
    changes = {}
    if options.output is not None:
        changes["output"] = options.output / name
        changes["output"].mkdir(exist_ok=True)
    if options.report is not None:
        changes["report"] = options.report.with_stem(f"{options.report.stem}-{name}")
    return argparse.Namespace(**vars(options) | changes)


def _hospitals() -> SourceTables:
    heart = load_heart_disease()
    X = heart.data
    if is_installed("pandas"):
        from pandas import DataFrame

        X = DataFrame(X, columns=heart.feature_names)
    files = dict.fromkeys(
        np.unique(heart.sample_source).tolist(), "bundled patients, Detrano et al. 1989"
    )
    return SourceTables(
        X, heart.target, heart.sample_source, None, "classification", "ill", files,
    )  # fmt: skip


def _wines(task: Literal["regression", "classification"]) -> SourceTables:
    wine = load_wine_quality(task, as_frame=is_installed("pandas"))
    dropped = f"{wine.n_duplicates_dropped:,} duplicates are left out."
    files = dict.fromkeys(("red", "white"), "bundled wines, Cortez et al. 2009")
    return SourceTables(
        wine.data, np.asarray(wine.target), wine.sample_source, None, task, "quality",
        files, (dropped,),
    )  # fmt: skip


def _sizes(tables: SourceTables) -> dict[str, int]:
    return {name: int((tables.sample_source == name).sum()) for name in tables.files}


def _all_numbers(X: Any) -> bool:
    return not is_frame(X) or len(numeric_columns(X)) == X.shape[1]


def _model_name(options: argparse.Namespace, task: str) -> str:
    return "neural net" if options.net else MODELS[options.model, task][0]


def _effort(options: argparse.Namespace) -> tuple[int, int]:
    folds, repeats = EFFORT["net" if options.net else options.model]
    if options.thorough:
        folds, repeats = THOROUGH
    return (
        folds if options.folds is None else options.folds,
        repeats if options.repeats is None else options.repeats,
    )


def _task_sentences(options: argparse.Namespace, tables: SourceTables) -> list[str]:
    """Say what is predicted, from what, by which model and how often."""
    X, classes = tables.X, np.unique(tables.y)
    kind = f"one of {len(classes)} classes (classification)"
    if tables.task == "regression":
        kind = "a quantity (regression)"
    n_texts = 0 if _all_numbers(X) else X.shape[1] - len(numeric_columns(X))
    n_dates = len(date_columns(X))
    parts = {"categories": n_texts - n_dates, "dates": n_dates}
    told = [counted(X.shape[1] - n_texts, "column") + " of numbers"]
    told += [f"{n} of {what}" for what, n in parts.items() if n]
    folds, repeats = _effort(options)
    return [
        f"To predict: {tables.target!r}, {kind}, from {_listed(told)}.",
        f"Model: {_model_name(options, tables.task)}; {folds} folds x "
        f"{counted(repeats, 'repeat')}, seed {options.seed}.",
    ]


def _compare(options: argparse.Namespace, tables: SourceTables) -> StrategyComparison:
    """Run the comparison; all that is learnt of columns is learnt within folds."""
    X, scaler, estimator = tables.X, "standard", None
    if options.net:
        from sktandem.nn import default_net  # loads torch

        estimator = default_net(tables.task, max_epochs=MAX_EPOCHS)
    else:
        estimator = MODELS[options.model, tables.task][1]()
    holes = X.isna().to_numpy() if is_frame(X) else np.isnan(X)
    if _all_numbers(X) and not holes.any():
        X = np.asarray(X, dtype=np.float64)  # nothing to prepare: several times faster
    elif options.net:
        scaler = table_preprocessor(min_frequency=RAREST)
    else:
        estimator = prepared(estimator)
    folds, repeats = _effort(options)
    return compare_strategies(
        estimator,
        X,
        tables.y,
        sample_source=tables.sample_source,
        primary_source=options.primary,
        strategies=options.strategies,
        scoring=options.metric,
        margin=options.margin,
        scaler=scaler,
        cv=folds,
        n_repeats=repeats,
        groups=tables.groups,
        n_jobs=options.jobs,
        random_state=options.seed,
        progress=not options.quiet,
    )


@contextmanager
def _noted(notes: list[str]) -> Iterator[list[str]]:
    """Take the warnings meant for users down as notes, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        for category in SourceWarning, ConvergenceWarning:
            warnings.simplefilter("always", category)
        yield notes
    told = [str(w.message).split("\n")[0] for w in caught]
    notes += dict.fromkeys(told)


def _write(run: Run, options: argparse.Namespace, given: Sequence[str]) -> list[str]:
    """Write the files that were asked for, and say which."""
    page = _page(run, options, given) if options.report or options.output else ""
    files: dict[Path, Callable[[Path], Any]] = {}
    told = []
    if options.report is not None:
        files[options.report] = partial(Path.write_text, data=page, encoding="utf-8")
        told.append(f"Written: {options.report}")
    if options.output is not None:
        inside = _files_of_folder(run, page)
        files |= {options.output / name: write for name, write in inside.items()}
        told.append(f"Written to {options.output}: {', '.join(inside)}")
        if "comparison.png" not in inside:
            told.append('For the pictures: pip install "sktandem[notebook]"')
    write_all(files)
    return told


def _noted_down(notes: Sequence[str]) -> list[str]:
    return [fill(f"Note: {n}", WIDTH, subsequent_indent="      ") for n in notes]


def _files_of_folder(run: Run, page: str) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file of FILES, by its name."""
    said = [*run.task, *_noted_down(run.notes), "", run.text()]
    text = "\n".join(said) + "\n"
    files: dict[str, Callable[[Path], Any]] = {
        "summary.txt": partial(Path.write_text, data=text, encoding="utf-8")
    }
    if is_installed("pandas"):
        table = inert_cells(run.comparison.to_frame())
        files["comparison.csv"] = partial(table.to_csv, index=False)
    if is_installed("matplotlib"):
        files["comparison.png"] = partial(draw_comparison, run.comparison)
    files["report.html"] = partial(Path.write_text, data=page, encoding="utf-8")
    return files


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*filter(None, [", ".join(names[:-1])]), names[-1]])


def _page(run: Run, options: argparse.Namespace, given: Sequence[str]) -> str:
    names = [str(name) for name in run.tables.files]
    others = [name for name in names if name != options.primary]
    title = f"{_listed(names)}: do they help each other?"
    if options.primary is not None:
        verb = "does it" if len(others) == 1 else "do they"
        title = f"{_listed(others)}: {verb} help with {options.primary}?"
    return report_page(
        title,
        run.comparison,
        run.shift,
        sources=run.sources(),
        task=run.task,
        notes=run.notes,
        settings={
            "command": _as_typed(given),
            "made on": date.today().isoformat(),
            "versions": versions(),
        },
    )


def _as_typed(given: Sequence[str]) -> str:
    """Return the command without the folders, which are nobody else's business."""
    plain = []
    for word in given:
        option, equals, value = word.rpartition("=")
        if os.sep in value:
            value = Path(value).name
        plain.append(f"{option}{equals}{value}")
    return shlex.join(["python", "-m", "sktandem", *plain])
