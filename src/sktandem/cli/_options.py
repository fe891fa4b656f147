"""What can be asked for on the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sklearn.metrics import get_scorer_names

from sktandem._extras import require
from sktandem._telling import did_you_mean
from sktandem.data._join import JOINS
from sktandem.exceptions import SourceError
from sktandem.files import SourceTables
from sktandem.files._reading import Reading
from sktandem.files._sources import reading_of, source_names

__all__ = [
    "COMMANDS",
    "FILES",
    "MAX_EPOCHS",
    "OTHERS",
    "check_folder",
    "check_least",
    "check_options",
    "check_several",
    "check_target",
    "files_of",
    "named_file",
    "parsers",
    "reading_from",
    "with_options",
]

COMMANDS = ("compare", "fit", "predict", "clean")
OTHERS = ("-h", "--help", "--version")
FILES = ("summary.txt", "comparison.csv", "comparison.png", "report.html")
MAX_EPOCHS = 30
LEAST = {"folds": 2, "repeats": 1, "jobs": 1, "seed": 0}
MAX_SEED = 2**32 - 1  # of numpy
FEWEST_ROWS = 20
# Parameters that go by another name here.
PARAMETERS = {
    "primary_source": "primary",
    "n_jobs": "jobs",
    "n_splits": "folds",
    "scoring": "metric",
}
# What Python code does about a row's source, and what is done here.
HANDED = r"pass sample_source, or name its column by source\."
UNKNOWN = r"unknown_source='pooled' or .*"
IN_PYTHON = {
    HANDED: "give it by --source NAME, or as NAME=FILE.",
    r" Most tools of scikit-learn do not .*": "",
    UNKNOWN: "--source NAME takes all rows of a file for those of NAME.",
}
# Makes the parser of a command: its name, usage, help in a line, and description.
Command = Callable[[str, str, str, str], argparse.ArgumentParser]
EPILOG = """\
examples:
  python -m sktandem
  python -m sktandem clean clinic.csv lab.csv --target ill
  python -m sktandem compare clinic.csv lab.csv --target ill --report report.html
  python -m sktandem compare A.csv B.csv --target grade --groups pupil --primary A
  python -m sktandem fit A.csv B.csv --target ill --clean safe --output model.skops
  python -m sktandem predict model.skops new.csv --source A

Without files it asks about two bundled cases: four hospitals, then red and white
wines. It needs no network.
"""


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of everything, and that of each command."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m sktandem",
        description="Two datasets, one model: does each help with the other?",
        epilog=EPILOG,
        formatter_class=layout,
    )
    parser.add_argument(
        "--version", action="version", version=f"sktandem {version('sktandem')}"
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, usage: str, told: str, more: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            usage=f"python -m sktandem {name} {usage} [options]",
            help=told,
            description=more,
            epilog=EPILOG,
            formatter_class=layout,
        )

    _add_compare(command)
    _add_fit(command)
    _add_predict(command)
    _add_clean(command)
    return parser, commands.choices


def _add_compare(command: Command) -> None:
    compare = command(
        "compare",
        "[FILE FILE ... --target COLUMN]",
        "compare ways of using several files (what happens by default)",
        "Train on each file alone and on all of them in several ways, test on held-out "
        "rows of each, and report a verdict for each.",
    )
    compare.set_defaults(strategies="default")  # the demo asks about one
    _add_files(compare)
    _add_model(compare.add_argument_group("the comparison"))
    _add_output(compare.add_argument_group("what comes out"))


def _add_fit(command: Command) -> None:
    fit = command(
        "fit",
        "FILE FILE ... --target COLUMN --output MODEL",
        "fit a blend of the ways of using the files, and save it",
        "Fit Tandem on all files and save it with what it takes to read the next file.",
    )
    _add_files(fit)
    fit.add_argument("--model", choices=("linear", "trees"), default="linear")
    fit.add_argument("--seed", type=int, default=0, help="of folds and models")
    fit.add_argument("--jobs", type=int, default=1, help="fits at once (default: 1)")
    fit.add_argument(
        "--output", type=Path, metavar="MODEL", help="a file of .skops or .joblib"
    )


def _add_predict(command: Command) -> None:
    predict = command(
        "predict",
        "MODEL FILE ... [--source NAME]",
        "predict with a saved model",
        "Predict for new files: columns may come in any order.",
    )
    predict.add_argument("model", type=Path, metavar="MODEL", help="what fit wrote")
    predict.add_argument(
        "files", nargs="+", metavar="FILE", help="new rows, also as NAME=FILE"
    )
    predict.add_argument("--source", metavar="NAME", help="the source of the rows")
    predict.add_argument(
        "--output", type=Path, metavar="CSV", help="default: on the screen"
    )


def _add_clean(command: Command) -> None:
    clean = command(
        "clean",
        "FILE FILE ... [--target COLUMN]",
        "list what the files write differently, and what settles it",
        "List what is the same but written differently, each with a count and the "
        "option that settles it, and everything else that keeps the files apart.",
    )
    _add_files(clean)


def _add_files(command: argparse.ArgumentParser) -> None:
    _add_data(command.add_argument_group("the data"))
    _add_reading(command.add_argument_group("how files are written"))


def _add_data(data: Any) -> None:
    data.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="CSV, parquet or Excel files, a source each, named by its file or as "
        "NAME=FILE",
    )
    data.add_argument("--target", metavar="COLUMN", help="the column to predict")
    data.add_argument(
        "--source", metavar="COLUMN", help="the column of one file with the source"
    )
    data.add_argument("--primary", metavar="SOURCE", help="judge this source alone")
    data.add_argument(
        "--groups",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN",
        help="the columns that identify groups, whose rows stay together",
    )
    data.add_argument(
        "--ignore",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN",
        help="columns to leave out",
    )
    data.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="auto: strings, yes and no, and numbers of two values are classes, all "
        "other numbers a quantity",
    )
    data.add_argument(
        "--join",
        choices=JOINS,
        default="exact",
        help="which columns: the same in all files, those that all have, or every one",
    )
    data.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="leave out rows that repeat another of their file in every value",
    )


def _add_reading(reading: Any) -> None:
    for option, told in (
        ("--separator", "a character or tab; default: as the header suggests"),
        ("--decimal", "default: as written"),
        ("--encoding", "of files that are not UTF-8"),
        ("--date-order", "day or month: what comes first in 03/04/2024"),
    ):
        reading.add_argument(
            option,
            action="append",
            default=[],
            metavar="[SOURCE=]VALUE",
            help=f"{told}; again for another source",
        )
    for option, metavar, told in (
        ("--clean", "WAY", "settle safe, or case, blanks, dates, decimals, "
         "accents, thousands, zeros"),
        ("--missing", "[COLUMN:]VALUE", "what stands for a missing value, besides an "
         "empty cell and NA"),
        ("--map", "[COLUMN:]VALUE=NEW", "values to replace"),
        ("--rename", "OLD=NEW", "columns to rename"),
        ("--convert", "SOURCE:COLUMN*FACTOR", "units to convert, such as B:t*1.8+32"),
    ):  # fmt: skip
        how = {"nargs": "+", "action": "extend", "default": []}
        reading.add_argument(option, metavar=metavar, help=told, **how)
    reading.add_argument(
        "--fold-case", action="store_true", help="short for --clean case blanks"
    )


def reading_from(options: argparse.Namespace) -> Reading:
    """Return how the files are to be read."""
    folded = ("case", "blanks") if options.fold_case else ()
    return reading_of(
        target=options.target or "",
        source=options.source,
        groups=options.groups,
        ignore=options.ignore,
        task=options.task,
        join=options.join,
        clean=[*options.clean, *folded],
        missing=options.missing,
        map={old: _value(new) for old, new in _pairs("map", options.map)},
        rename=dict(_pairs("rename", options.rename)),
        convert=options.convert,
        separator=_by_source(options.separator),
        decimal=_by_source(options.decimal),
        encoding=_by_source(options.encoding),
        date_order=_by_source(options.date_order),
        drop_duplicates=options.drop_duplicates,
        fewest=FEWEST_ROWS,
        typed=True,
    )


def files_of(options: argparse.Namespace, reading: Reading) -> dict[Any, Path]:
    """Return the files by source: by the name before "=", else by that of the file."""
    named = [named_file(file) for file in options.files]
    if not all(name for name, _ in named):
        names = source_names([path for _, path in named], reading)
        named = [(name or own, path) for (name, path), own in zip(named, names)]
    return dict(named)


def named_file(file: str) -> tuple[str, Path]:
    """Return the name before "=", "" where there is none, and the path."""
    name, equals, path = file.partition("=")
    return (
        (name, Path(path)) if equals and not Path(file).exists() else ("", Path(file))
    )


def _by_source(given: list[str]) -> Any:
    """Return one value for all sources, or one for each that is named."""
    pairs = [value.partition("=") for value in given]
    named = {name: value for name, equals, value in pairs if equals and name}
    plain = [name or "=" for name, equals, value in pairs if not (equals and name)]
    return named or (plain[-1] if plain else None)


def _pairs(option: str, given: list[str]) -> list[tuple[str, str]]:
    for pair in given:
        if "=" not in pair:
            raise SourceError(f"--{option} takes OLD=NEW, got {pair!r}.")
    return [(old, new) for old, _, new in (pair.partition("=") for pair in given)]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _add_model(model: Any) -> None:
    model.add_argument("--model", choices=("linear", "trees"), default="linear")
    model.add_argument(
        "--net",
        action="store_true",
        help=f"a neural net of {MAX_EPOCHS} epochs instead: some minutes",
    )
    model.add_argument("--metric", help="shown beside the loss, as scikit-learn names")
    model.add_argument("--folds", type=int, help="default: 10; of trees and nets 5")
    model.add_argument("--repeats", type=int, help="default: 1")
    model.add_argument(
        "--thorough",
        action="store_true",
        help="10 folds x 5 repeats: verdicts hang less on how rows were dealt",
    )
    model.add_argument(
        "--margin",
        type=float,
        default=0.01,
        help="the smallest gain that matters, as a part of the loss (default: 0.01)",
    )
    model.add_argument("--seed", type=int, default=0, help="of folds and models")
    model.add_argument("--jobs", type=int, default=1, help="folds at once (default: 1)")


def _add_output(output: Any) -> None:
    output.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"for {', '.join(FILES)}"
    )
    output.add_argument(
        "--report", type=Path, metavar="HTML", help="the report alone, in one file"
    )
    output.add_argument(
        "--quiet", action="store_true", help="print nothing but what was found"
    )


def check_target(options: argparse.Namespace) -> None:
    """Refuse files without a target."""
    if options.files and options.target is None:
        raise SourceError("--target is needed: the name of the column to predict.")


def check_several(options: argparse.Namespace, tables: SourceTables) -> None:
    """Refuse one file whose column names a single source."""
    if len(tables.files) == 1:
        ((name, file),) = tables.files.items()
        raise SourceError(
            f"--source {options.source}: all rows of {file} are of one source, "
            f"{name!r}. Two or more are needed."
        )


def check_folder(option: str, options: argparse.Namespace) -> None:
    """Refuse a file in a folder that is not there."""
    path = getattr(options, option)
    if path is not None and not path.parent.is_dir():
        raise SourceError(f"--{option}: there is no folder {path.parent}.")


def check_least(options: argparse.Namespace) -> None:
    """Refuse numbers that are too small, of options that the command has."""
    for name, least in LEAST.items():
        value = getattr(options, name, None)
        if value is not None and value < least:
            raise SourceError(f"--{name} must be at least {least}, got {value}.")
    if options.seed > MAX_SEED:
        raise SourceError(f"--seed must be at most {MAX_SEED}, got {options.seed}.")


def with_options(told: str, options: argparse.Namespace) -> str:
    """Return a message of a function with the options that the command has for it."""
    for in_python, typed in IN_PYTHON.items():
        told = re.sub(in_python, typed, told)
    for parameter, option in PARAMETERS.items():
        if option in options:
            told = re.sub(rf"\b{parameter}='?([^'\s]*)'?", rf"--{option} \1", told)
            told = re.sub(rf"\b{parameter}\b", f"--{option}", told)
    return told


def check_options(options: argparse.Namespace) -> None:
    """Refuse what cannot be done before any work is."""
    check_target(options)
    if not options.files and (options.target or options.groups or options.ignore):
        raise SourceError("--target, --groups and --ignore need files of your own.")
    if options.net:
        require("--net", "torch", "skorch")
    if options.metric is not None and options.metric not in get_scorer_names():
        raise SourceError(
            f"--metric {options.metric} is not known to scikit-learn."
            f"{did_you_mean(options.metric, get_scorer_names())}"
        )
    check_least(options)
    if not options.margin > 0:
        raise SourceError(f"--margin must be above 0, got {options.margin:g}.")
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    check_folder("report", options)
    if options.report is not None and options.report.is_dir():
        raise SourceError(f"--report {options.report} is a folder. Name a file in it.")
