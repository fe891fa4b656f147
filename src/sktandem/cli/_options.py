"""What can be asked for on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sklearn.metrics import get_scorer_names

from sktandem._extras import require
from sktandem._telling import did_you_mean
from sktandem.data._join import JOINS
from sktandem.exceptions import SourceError

__all__ = ["COMMANDS", "FILES", "MAX_EPOCHS", "check_options", "parsers"]

COMMANDS = ("compare", "-h", "--help")
FILES = ("summary.txt", "comparison.csv", "comparison.png", "report.html")
MAX_EPOCHS = 30
MAX_SEED = 2**32 - 1  # of numpy
TABS = {"tab": "\t", "\\t": "\t"}
EPILOG = """\
examples:
  python -m sktandem
  python -m sktandem compare clinic.csv lab.csv --target ill --report report.html
  python -m sktandem compare A.csv B.csv --target grade --groups pupil --primary A

Without files it compares the bundled red and white wines. It needs no network.
"""


def parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return the parser of everything, and that of the command."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m sktandem",
        description="Two datasets, one model: does each help with the other?",
        epilog=EPILOG,
        formatter_class=layout,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare",
        usage="python -m sktandem compare [FILE FILE ... --target COLUMN] [options]",
        help="compare ways of using several files (what happens by default)",
        description="Train on each file alone and on all of them in several ways, test "
        "on held-out rows of each, and say what can be said.",
        epilog=EPILOG,
        formatter_class=layout,
    )
    _add_data(compare.add_argument_group("the data"))
    _add_reading(compare.add_argument_group("how files are written"))
    _add_model(compare.add_argument_group("the comparison"))
    _add_output(compare.add_argument_group("what comes out"))
    return parser, compare


def _add_data(data: Any) -> None:
    data.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="two files or more, CSV or parquet, a source each, named by its file",
    )
    data.add_argument("--target", metavar="COLUMN", help="the column to predict")
    data.add_argument("--primary", metavar="SOURCE", help="judge this source alone")
    data.add_argument(
        "--groups",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="the columns that identify groups, whose rows stay together",
    )
    data.add_argument(
        "--ignore", nargs="+", default=[], metavar="COLUMN", help="columns to leave out"
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
    reading.add_argument(
        "--separator", metavar="SIGN", help="default: what the header suggests"
    )
    reading.add_argument(
        "--decimal", choices=(".", ","), metavar="SIGN", help="default: as written"
    )
    reading.add_argument("--encoding", help="of files that are not UTF-8")
    reading.add_argument(
        "--missing",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="what stands for a missing value, besides an empty cell and NA",
    )


def _add_model(model: Any) -> None:
    model.add_argument("--model", choices=("linear", "trees"), default="linear")
    model.add_argument(
        "--net",
        action="store_true",
        help=f"a neural net of {MAX_EPOCHS} epochs instead: some minutes",
    )
    model.add_argument("--metric", help="shown beside the loss, as scikit-learn names")
    model.add_argument("--folds", type=int, help="default: 10; of trees and nets 5")
    model.add_argument("--repeats", type=int, help="default: 5; of trees and nets 1")
    model.add_argument(
        "--margin",
        type=float,
        default=0.01,
        help="the smallest gain worth having, as a part of the loss (default: 0.01)",
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


def check_options(options: argparse.Namespace) -> None:
    """Refuse what cannot be done before any work is."""
    if options.files and options.target is None:
        raise SourceError("--target is needed: the name of the column to predict.")
    if not options.files and (options.target or options.groups or options.ignore):
        raise SourceError("--target, --groups and --ignore are for files of yours.")
    if options.net:
        require("--net", "torch", "skorch")
    if options.metric is not None and options.metric not in get_scorer_names():
        raise SourceError(
            f"--metric {options.metric} is not known to scikit-learn."
            f"{did_you_mean(options.metric, get_scorer_names())}"
        )
    for option, value, least in (
        ("--folds", options.folds, 2),
        ("--repeats", options.repeats, 1),
        ("--jobs", options.jobs, 1),
        ("--seed", options.seed, 0),
    ):
        if value is not None and value < least:
            raise SourceError(f"{option} must be at least {least}, got {value}.")
    if options.seed > MAX_SEED:
        raise SourceError(f"--seed must be at most {MAX_SEED}, got {options.seed}.")
    if not options.margin > 0:
        raise SourceError(f"--margin must be above 0, got {options.margin:g}.")
    options.separator = TABS.get(options.separator, options.separator)
    if options.separator is not None and len(options.separator) != 1:
        raise SourceError(
            f"--separator must be one sign or tab, got {options.separator!r}."
        )
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    if options.report is not None and not options.report.parent.is_dir():
        raise SourceError(f"--report: there is no folder {options.report.parent}.")
    if options.report is not None and options.report.is_dir():
        raise SourceError(f"--report {options.report} is a folder. Name a file in it.")
