"""What a fitted net is, in words that JSON can hold: settings, classes, scales."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sktandem._telling import did_you_mean, warn
from sktandem.data._sources import plain_label
from sktandem.exceptions import SourceError

__all__ = [
    "RECORD",
    "plain_array",
    "plain_name",
    "plain_params",
    "read_array",
    "read_params",
    "read_record",
    "refuse_changes",
    "warn_of_lost",
]

RECORD = "sktandem.json"
PLAIN = (str, bool, int, float)
# A class is written by its name where it is one of these. Any other would mean that a
# file decides what is imported and called.
KNOWN = ("torch.nn", "torch.optim", "sktandem.nn")


def plain_params(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that JSON can hold, and the names of the others."""
    params, left_out = {}, []
    for name, value in given.items():
        written = _spelt(value)
        try:
            as_read = _read(json.loads(json.dumps(written)))
        except (TypeError, ValueError):
            as_read = None
        # Only what JSON gives back as it was, but for tuples, which come as lists. That
        # it can be written is not enough.
        if type(value) is not np.ndarray and as_read == _spelt_plainly(value):
            params[name] = written
        else:
            left_out.append(name)
    return params, left_out


def read_params(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that `plain_params` wrote."""
    return {name: _read(value) for name, value in written.items()}


def _spelt(value: Any) -> Any:
    """Return a parameter as JSON takes it: a dict as pairs, to keep its keys."""
    if isinstance(value, Mapping):
        return {"pairs": [[_spelt(key), _spelt(part)] for key, part in value.items()]}
    if inspect.isclass(value):
        names = (f"{module}.{value.__name__}" for module in KNOWN)
        return {"class": next((n for n in names if _found(n) is value), None)}
    return _spelt_plainly(value)


def _spelt_plainly(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_spelt_plainly(part) for part in value]
    if isinstance(value, Mapping):
        return {plain_label(key): _spelt_plainly(part) for key, part in value.items()}
    return value


def _read(written: Any) -> Any:
    if isinstance(written, dict) and "class" in written:
        return _found(written["class"])
    if isinstance(written, dict):
        return {key: _read(part) for key, part in written["pairs"]}
    return written


def _found(name: Any) -> Any:
    """Return the class of a known module, None for anything else."""
    module, _, kind = str(name).rpartition(".")
    found = getattr(import_module(module), kind, None) if module in KNOWN else None
    made = (nn.Module, torch.optim.Optimizer)
    return found if inspect.isclass(found) and issubclass(found, made) else None


# What was learned


def plain_name(name: Any, what: str) -> Any:
    """Return a name that JSON can hold."""
    if name is not None and not isinstance(name, PLAIN):
        raise SourceError(
            f"{what} {name!r} is of type {type(name).__name__}, and only strings and "
            "numbers can be saved. Rename it before fit."
        )
    return name


def plain_array(classes: Any) -> dict[str, Any]:
    """Return classes, or numbers, with their type."""
    values = classes.tolist()
    if classes.ndim == 1:
        values = [plain_name(label, "The class") for label in values]
    return {"values": values, "dtype": classes.dtype.str}


def read_array(written: Mapping[str, Any]) -> Any:
    """Return what `plain_array` wrote."""
    return np.array(written["values"], dtype=np.dtype(written["dtype"]))


# Folders


def read_record(path: Path, kind: Any, known: int, hint: str) -> dict[str, Any]:
    """Return the record of a folder; refuse one that another version, or kind, wrote.

    `known` is the format that is read, `hint` what else the folder may be for.
    """
    file = path / RECORD
    if not file.is_file():
        raise SourceError(
            f"{os.fspath(path)!r} holds no {RECORD}: it is not a folder that "
            f"save_pretrained of {kind.__name__} wrote. {hint}"
        )
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))
    except ValueError as error:
        raise SourceError(
            f"{os.fspath(file)!r} cannot be read: {error}. Save the model again."
        ) from error
    if record["estimator"] != kind.__name__:
        raise SourceError(
            f"{os.fspath(path)!r} holds a {record['estimator']}. Read it by "
            f"{record['estimator']}.from_pretrained."
        )
    if record["format"] != known:
        raise SourceError(
            f"{os.fspath(path)!r} is of format {record['format']}, and this version "
            f"reads {known}. Use the version of sktandem that wrote it."
        )
    return record


def refuse_changes(
    changes: Mapping[str, Any],
    kind: Any,
    *,
    fixed: Sequence[str],
    known: Mapping[str, Any],
) -> None:
    """Refuse settings with which the weights would mean something else."""
    others = [name for name in fixed if name in changes]
    if others:
        raise SourceError(
            f"{others} cannot be changed: the weights in the folder were trained with "
            "the saved values. Fit a new model."
        )
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise SourceError(
            f"{unknown[0]!r} is not a parameter of {kind.__name__}."
            f"{did_you_mean(unknown[0], known)}"
        )


def warn_of_lost(lost: Sequence[str], folder: Any, kind: Any) -> None:
    """Warn of parameters that a folder does not hold, and that nobody has passed."""
    warn(
        f"The folder {os.fspath(folder)!r} does not hold {lost}, which cannot be "
        "saved: they get their defaults. Pass them to "
        f"{kind.__name__}.from_pretrained by name."
    )
