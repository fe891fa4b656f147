"""The target of the user's files: of one kind in all, and what it asks for."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NoReturn

import numpy as np

from sktandem.data._spelling import as_answers
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.files._file import text_columns
from sktandem.files._reading import Reading

__all__ = ["read_targets"]

FEWEST_PER_CLASS = 5
FEW_NUMBERS = 20


def read_targets(
    targets: dict[str, Any],
    files: dict[str, str],
    how: Reading,
    notes: list[str],
    *,
    whole: bool = True,
) -> tuple[str, dict[str, Any]]:
    """Return what is to be done, and the targets all of one kind.

    Unless they are the `whole`, of all files, they need not have classes in common.
    """
    texts = {name: bool(text_columns(y.to_frame()) or y.dtype.kind == "b")
             for name, y in targets.items()}  # fmt: skip
    if len(set(texts.values())) > 1:
        _refuse_two_kinds(targets, texts, files, how)
    if texts[next(iter(texts))]:
        if how.task == "regression":
            first = str(next(iter(targets.values())).iloc[0])
            raise SourceError(
                f"{how.option('task', 'regression')} needs numbers, and {how.target!r} "
                f"holds strings, such as {first!r}."
            )
        task = "classification"
        read = {n: y.astype(str).to_numpy(dtype=object) for n, y in targets.items()}
    else:
        read = {n: _finite(y, files[n]) for n, y in targets.items()}
        if whole and how.task == "auto":
            _refuse_other_pairs(read, files, how)
        task = _task_of_numbers(np.concatenate(list(read.values())), how, notes)
        if task == "classification":
            largest = max(np.abs(y).max() for y in read.values())
            if largest >= 2**53:  # floats no longer tell neighbours apart
                raise SourceError(
                    f"{how.target!r} holds {largest:g}, too large for a class label. "
                    "Write classes as strings."
                )
            read = {name: y.astype(np.int64) for name, y in read.items()}
    for name, y in read.items():
        if len(set(y)) < 2:
            raise SourceError(
                f"{how.target!r} is {_written(y[0])} in every row of {files[name]}, so "
                "that there is nothing to predict."
            )
    if task == "classification" and whole:
        _check_classes(read, files, how, notes)
    return task, read


def _refuse_two_kinds(
    targets: dict[str, Any],
    texts: dict[str, bool],
    files: dict[str, str],
    how: Reading,
) -> NoReturn:
    """Say which file holds strings, and what they may mean."""
    worded = next(name for name, is_text in texts.items() if is_text)
    other = next(name for name, is_text in texts.items() if not is_text)
    odd = _odd_string(targets[worded])
    remedy = f"If that means a missing value: {how.option('missing', odd)}."
    answers = as_answers(targets[worded].unique())
    if answers is not None:
        pairs = how.option("map", *((str(k), v) for k, v in answers.items()))
        remedy = f"Write it alike in all files: {pairs}."
    raise SourceError(
        f"The targets differ: {how.target!r} holds numbers in {files[other]} and "
        f"strings in {files[worded]}, such as {odd!r}. {remedy} A comparison needs "
        "one kind; for two tasks see task= of sktandem.SharedNet."
    )


def _odd_string(values: Any) -> str:
    """Return a string that is not a number, if there is one."""
    numbers = pandas_for("reading files").to_numeric(values, errors="coerce")
    odd = values[numbers.isna()]
    return str((odd if len(odd) else values).iloc[0])


def _written(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{value:g}"


def _finite(y: Any, name: str) -> Any:
    values = y.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise SourceError(f"{y.name!r} of {name} holds infinite values. Drop them.")
    return values


def _refuse_other_pairs(
    read: dict[str, Any], files: dict[str, str], how: Reading
) -> None:
    """Refuse 0 and 1 here beside 1 and 2 there: four classes, or two."""
    pairs = {name: tuple(np.unique(y).tolist()) for name, y in read.items()}
    different = set(pairs.values())
    if len(different) < 2 or {len(pair) for pair in different} != {2}:
        return
    (first, a), (second, b) = next(
        pair for pair in combinations(pairs.items(), 2) if pair[0][1] != pair[1][1]
    )
    shift = how.option("convert", f"{second}:{how.target}*1{a[0] - b[0]:+g}")
    raise SourceError(
        f"The targets differ: {how.target!r} is {a[0]:g} or {a[1]:g} in {files[first]} "
        f"and {b[0]:g} or {b[1]:g} in {files[second]}. If {b[0]:g} means {a[0]:g}: "
        f"{shift}. If they are a quantity: {how.option('task', 'regression')}."
    )


def _task_of_numbers(y: Any, how: Reading, notes: list[str]) -> str:
    n_values = len(np.unique(y))
    whole = bool((y == np.round(y)).all())
    if how.task == "classification" and not whole:
        raise SourceError(
            f"{how.option('task', 'classification')} needs classes, and "
            f"{how.target!r} holds numbers such as {y[y != np.round(y)][0]:g}."
        )
    if how.task != "auto":
        return how.task
    if n_values == 2 and whole:
        return "classification"
    if whole and n_values <= FEW_NUMBERS:
        notes.append(
            f"{how.target!r} has {n_values} different numbers, taken for a quantity. "
            f"If each is a class: {how.option('task', 'classification')}"
        )
    return "regression"


def _check_classes(
    targets: dict[str, Any], files: dict[str, str], how: Reading, notes: list[str]
) -> None:
    target = how.target
    owned = {name: set(y.tolist()) for name, y in targets.items()}
    every = set.union(*owned.values())
    n_rows = sum(map(len, targets.values()))
    if len(every) > 2 and n_rows < FEWEST_PER_CLASS * len(every):
        raise SourceError(
            f"{target!r} holds {len(every):,} different values in {n_rows:,} rows, too "
            f"many to be classes. If they are numbers, {how.option('missing', 'k.A.')} "
            f"or {how.option('decimal', ',')} may make them readable."
        )
    if len(owned) > 1 and sum(map(len, owned.values())) == len(every):
        told = "; ".join(
            f"{files[name]} has {_few(classes)}" for name, classes in owned.items()
        )
        raise SourceError(
            f"The files share no class of {target!r}: {told}. If they are written "
            "differently, spell them alike; if they differ, sktandem."
            "SharedNet with heads='source' learns both with a head for each."
        )
    for name, classes in owned.items():
        if classes != every:
            lacking = _few(every - classes)
            notes.append(
                f"{files[name]} does not have the classes {lacking} of {target!r}."
            )


def _few(classes: set[Any]) -> str:
    ordered = sorted(classes)
    return f"{ordered[:5]}{' and more' if len(ordered) > 5 else ''}"
