"""A fitted text model as a folder: safetensors and JSON, and no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.history import History

from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.nn._average import Averaged
from sktandem.nn._fitted import Fitted
from sktandem.nn._plain import (
    RECORD,
    plain_array,
    plain_name,
    plain_params,
    read_array,
    read_params,
    read_record,
    refuse_changes,
    warn_of_lost,
)
from sktandem.nn._preparation import Part, Prepared
from sktandem.nn._shared_task import SharedTask
from sktandem.nn._source_tasks import SourceTasks
from sktandem.nn._tasks import ClassTask
from sktandem.text._fine_tuning import FineTuning
from sktandem.text._transformers import quietly

__all__ = ["read_folder", "write_folder"]

FORMAT = 2
HINT = "checkpoint= takes the folder of a transformers model."
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
            f"{type(encoder).__name__} is one half of an encoder-decoder model, which "
            "cannot be loaded by itself. Fit an encoder that can, such as "
            "transformers.T5EncoderModel, or pickle the model."
        )
    params, left_out = _plain_params(model)
    sources = [plain_name(name, "The source") for name in model.sources_]
    own = [model.classes_by_source_[name] for name in model.sources_]
    named = getattr(model, "feature_names_in_", None)
    record = {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "params": params,
        "left_out": left_out,
        "sources": sources,
        "n_samples": [model.n_samples_by_source_[name] for name in model.sources_],
        "classes": plain_array(model.classes_),
        "classes_by_source": [plain_array(classes) for classes in own],
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
    path = Path(folder).expanduser()
    record = read_record(path, kind, FORMAT, HINT)
    fixed = [name for name in FIXED if name not in record["left_out"]]
    known = kind(training=FineTuning()).get_params()
    refuse_changes(changes, kind, fixed=fixed, known=known)
    _tell_of_lost(record["left_out"], changes, folder, kind)
    if not any((path / "encoder").glob("*.safetensors")):
        raise SourceError(
            f"{os.fspath(path / 'encoder')!r} holds no safetensors, and other files of "
            "weights are not opened. Save the model again."
        )
    model = _unfitted(kind, record["params"], path / "encoder").set_params(**changes)
    model._check_settings()
    data = _prepared(model, record)
    built = model._engine().builder.build(data)
    net = built.net
    _load_heads(net, path / "heads")
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


def _tell_of_lost(
    left_out: Sequence[str], changes: Mapping[str, Any], folder: Any, kind: Any
) -> None:
    """Refuse to go on without a head, and warn of other parameters that are gone."""
    lost = [
        name
        for name in left_out
        if name not in changes and name.partition("__")[0] not in changes
    ]
    if "head" in lost:
        raise SourceError(
            f"The head of the model in {os.fspath(folder)!r} was made by a function, "
            f"which cannot be saved: {kind.__name__}.from_pretrained(folder, head=...) "
            "takes it."
        )
    if lost:
        warn_of_lost(lost, folder, kind)


def _load_heads(net: NeuralNet, folder: Path) -> None:
    """Give the heads of a net the weights that were written."""
    from safetensors.torch import load_file

    for place, head in enumerate(_heads_of(net.module_)):
        file = folder / f"{place}.safetensors"
        try:
            head.load_state_dict(load_file(file))
        except Exception as error:  # missing, torn, or of another shape
            raise SourceError(
                f"The head in {os.fspath(file)!r} cannot be read: {error}"
            ) from error


def _plain_params(model: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that JSON can hold, and the names of the others."""
    given = model.get_params(deep=False)
    del given["checkpoint"]  # it is the folder itself
    if type(model.training) is FineTuning:
        own = given.pop("training").get_params(deep=False)
        given |= {TRAINING + name: value for name, value in own.items()}
    return plain_params(given)


def _unfitted(kind: Any, written: dict[str, Any], encoder: Path) -> Any:
    """Return an estimator with the parameters that were written."""
    params = read_params(written)
    nested = [name for name in params if name.startswith(TRAINING)]
    own = {name.removeprefix(TRAINING): params.pop(name) for name in nested}
    if own:
        params["training"] = FineTuning(**own)
    return kind(os.fspath(encoder), **params)


def _prepared(model: Any, record: dict[str, Any]) -> Prepared:
    """Return two rows as fit would have prepared them, to size the net by."""
    names, seed = tuple(record["sources"]), record["seed_"]
    own = dict(zip(names, map(read_array, record["classes_by_source"])))
    tasks: SharedTask | SourceTasks
    if model._has_heads:
        heads = tuple(ClassTask(own[name], name) for name in names)
        tasks = SourceTasks(heads, n_targets=1, classifies=True)
    else:
        tasks = SharedTask(ClassTask(read_array(record["classes"])), own)
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
