"""A fitted text model as a folder: safetensors and JSON, and no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from sktandem._telling import did_you_mean, warn
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources, plain_label
from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._fitted import Fitted
from sktandem.nn._preparation import Part, Prepared
from sktandem.nn._shared_task import SharedTask
from sktandem.nn._source_tasks import SourceTasks
from sktandem.nn._tasks import ClassTask
from sktandem.text._fine_tuning import FineTuning
from sktandem.text._transformers import quietly

__all__ = ["read_folder", "write_folder"]

FORMAT = 2
RECORD = "sktandem.json"
PLAIN = (str, bool, int, float)
TRAINING = "training__"  # how the names of nested parameters begin
FIXED = ("checkpoint", "heads", "head", "pooling", "prefix", "freeze")
NUMBERS = ("seed_", "precision_", "n_features_in_")


def write_folder(model: Any, folder: Any) -> None:
    """Write a fitted model."""
    from safetensors.torch import save_file

    check_is_fitted(model)
    encoder = _encoder_of(model)
    if getattr(encoder.config, "is_encoder_decoder", False):
        raise SourceError(
            f"{type(encoder).__name__} is the half of an encoder with a decoder, which "
            "cannot be opened again by itself. Fit on one that can, such as "
            "transformers.T5EncoderModel, or pickle the model."
        )
    params, left_out = _plain_params(model)
    sources = [_plain(name, "The source") for name in model.sources_]
    own = [model.classes_by_source_[name] for name in model.sources_]
    named = getattr(model, "feature_names_in_", None)
    record = {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "params": params,
        "left_out": left_out,
        "sources": sources,
        "n_samples": [model.n_samples_by_source_[name] for name in model.sources_],
        "classes": _written(model.classes_),
        "classes_by_source": [_written(classes) for classes in own],
        "columns": None if named is None else named.tolist(),
        **{key: getattr(model, key) for key in NUMBERS if hasattr(model, key)},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    path = Path(folder).expanduser()
    (path / "heads").mkdir(parents=True, exist_ok=True)
    # First: a folder without it is not taken for a whole one.
    (path / RECORD).unlink(missing_ok=True)
    for old in (path / "heads").glob("*.safetensors"):
        old.unlink()
    with quietly():
        encoder.save_pretrained(path / "encoder")
        model.features_.tokenizer.save_pretrained(path / "encoder")
    for place, head in enumerate(_heads_of(model.module_)):
        weights = {k: v.contiguous().cpu() for k, v in head.state_dict().items()}
        save_file(weights, path / "heads" / f"{place}.safetensors")
    model.history_.to_file(os.fspath(path / "history.json"))
    (path / RECORD).write_text(text, encoding="utf8")


def read_folder(kind: Any, folder: Any, changes: dict[str, Any]) -> Any:
    """Return a fitted model as it was written."""
    from safetensors.torch import load_file

    path = Path(folder).expanduser()
    record = _record_of(path, kind)
    _refuse_changes(changes, record, kind)
    lost = [
        name
        for name in record["left_out"]
        if name not in changes and name.partition("__")[0] not in changes
    ]
    if "head" in lost:
        raise SourceError(
            f"The head of the model in {os.fspath(folder)!r} was made by a function, "
            f"which no file can hold: {kind.__name__}.from_pretrained(folder, "
            "head=...) takes it."
        )
    if lost:
        warn(
            f"The folder {os.fspath(folder)!r} does not hold {lost}, which no file can "
            f"hold: they are at their defaults. {kind.__name__}.from_pretrained takes "
            "them by name."
        )
    if not any((path / "encoder").glob("*.safetensors")):
        raise SourceError(
            f"{os.fspath(path / 'encoder')!r} holds no safetensors, and other files "
            "of weights are not opened. Write the folder anew."
        )
    model = _unfitted(kind, record["params"], path / "encoder").set_params(**changes)
    model._check_settings()
    data = _prepared(model, record)
    built = model._engine().builder.build(data)
    net = built.net
    for place, head in enumerate(_heads_of(net.module_)):
        file = path / "heads" / f"{place}.safetensors"
        try:
            head.load_state_dict(load_file(file))
        except Exception as error:  # missing, torn, or of another shape
            raise SourceError(
                f"The head in {os.fspath(file)!r} cannot be read: {error}"
            ) from error
    if model.average is not None:
        Averaged.attach(net, model.average)
    net.history = History.from_file(os.fspath(path / "history.json"))
    net._set_training(False)
    names = data.names
    model._remember(
        Fitted(
            net,
            data.tasks,
            built.data.features,
            names,
            dict(zip(names, record["n_samples"])),
            record["seed_"],
            record["precision_"],
            built.width,
        )
    )
    if "n_features_in_" in record:
        model.n_features_in_ = record["n_features_in_"]
    if record["columns"] is not None:
        model.feature_names_in_ = np.array(record["columns"], dtype=object)
    return model


def _record_of(path: Path, kind: Any) -> dict[str, Any]:
    file = path / RECORD
    if not file.is_file():
        raise SourceError(
            f"{os.fspath(path)!r} holds no {RECORD}: it is not a folder that "
            f"save_pretrained of {kind.__name__} wrote. checkpoint= takes the folder "
            "of a transformers model."
        )
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))
    except ValueError as error:
        raise SourceError(
            f"{os.fspath(file)!r} cannot be read: {error}. Write the folder anew."
        ) from error
    if record["format"] != FORMAT:
        raise SourceError(
            f"{os.fspath(path)!r} is of format {record['format']}, and this version "
            f"reads {FORMAT}. Use the version of sktandem that wrote it."
        )
    if record["estimator"] != kind.__name__:
        raise SourceError(
            f"{os.fspath(path)!r} holds a {record['estimator']}. Read it by "
            f"{record['estimator']}.from_pretrained."
        )
    return record


def _refuse_changes(changes: dict[str, Any], record: Any, kind: Any) -> None:
    """Refuse settings with which the weights would mean something else."""
    fixed = [name for name in FIXED if name in changes]
    others = [name for name in fixed if name not in record["left_out"]]
    if others:
        raise SourceError(
            f"{others} cannot be changed: the weights in the folder were learned with "
            "what they were. Fit a new model."
        )
    known = kind(training=FineTuning()).get_params()
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise SourceError(
            f"{unknown[0]!r} is not a parameter of {kind.__name__}."
            f"{did_you_mean(unknown[0], known)}"
        )


def _plain_params(model: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that JSON can hold, and the names of the others."""
    params, left_out = {}, []
    given = model.get_params(deep=False)
    del given["checkpoint"]  # it is the folder itself
    if type(model.training) is FineTuning:
        own = given.pop("training").get_params(deep=False)
        given |= {TRAINING + name: value for name, value in own.items()}
    for name, value in given.items():
        written = _spelt(value)
        try:
            as_read = _read(json.loads(json.dumps(written)))
        except (TypeError, ValueError):
            as_read = None
        if type(value) is not np.ndarray and as_read == _spelt_plainly(value):
            params[name] = written
        else:
            left_out.append(name)
    return params, left_out


def _unfitted(kind: Any, written: dict[str, Any], encoder: Path) -> Any:
    """Return an estimator with the parameters that were written."""
    params = {name: _read(value) for name, value in written.items()}
    nested = [name for name in params if name.startswith(TRAINING)]
    own = {name.removeprefix(TRAINING): params.pop(name) for name in nested}
    if own:
        params["training"] = FineTuning(**own)
    return kind(os.fspath(encoder), **params)


def _spelt(value: Any) -> Any:
    """Return a parameter as JSON takes it: a dict as pairs, to keep its keys."""
    if isinstance(value, Mapping):
        return {"pairs": [[_spelt(key), _spelt(part)] for key, part in value.items()]}
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
    if isinstance(written, dict):
        return {key: _read(part) for key, part in written["pairs"]}
    return written


def _plain(name: Any, what: str) -> Any:
    if not isinstance(name, PLAIN):
        raise SourceError(
            f"{what} {name!r} is of type {type(name).__name__}, and a folder holds "
            "strings and numbers. Rename it before fit."
        )
    return name


def _written(classes: Any) -> dict[str, Any]:
    values = [_plain(label, "The class") for label in classes.tolist()]
    return {"values": values, "dtype": classes.dtype.str}


def _array(written: dict[str, Any]) -> Any:
    return np.array(written["values"], dtype=np.dtype(written["dtype"]))


def _prepared(model: Any, record: dict[str, Any]) -> Prepared:
    """Return two rows as fit would have prepared them, to size the net by."""
    names, seed = tuple(record["sources"]), record["seed_"]
    own = dict(zip(names, map(_array, record["classes_by_source"])))
    tasks: SharedTask | SourceTasks
    if model._has_heads:
        heads = tuple(ClassTask(own[name], name) for name in names)
        tasks = SourceTasks(heads, n_targets=1, classifies=True)
    else:
        tasks = SharedTask(ClassTask(_array(record["classes"])), own)
    features = model._engine().builder.reading.features(seed)
    texts = np.array(["a", "b"], dtype=object)
    codes = np.zeros(2, dtype=np.intp)
    rows = Rows(texts, texts, Sources(names, codes))
    part = Part(features.numbers(texts), rows, codes)
    return Prepared(part, None, tasks, features, seed, 2)


def _encoder_of(model: Any) -> Any:
    encoder = model.features_.encoder
    return (model.module_.trunk if encoder is None else encoder).model


def _heads_of(module: Any) -> list[torch.nn.Module]:
    return list(module.heads) if hasattr(module, "heads") else [module.head]
