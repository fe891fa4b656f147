"""A fitted net without pickle: a record in JSON, and its weights as safetensors."""

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
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import EpochScoring
from skorch.history import History
from torch import Tensor, nn

from sktandem._extras import require
from sktandem._telling import warn
from sktandem.data._rows import Rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError
from sktandem.nn._features import Features
from sktandem.nn._fitted import Fitted
from sktandem.nn._modules import accuracy
from sktandem.nn._net import NETS, OWNED, READING
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
from sktandem.nn._tasks import ClassTask, NumberTask, Task
from sktandem.scaling._affine import AffineMaps
from sktandem.scaling._scalers import ScaledByName

__all__ = ["read_net_folder", "restore", "state_of", "write_net_folder"]

FORMAT = 1
HINT = "resume_from= takes the folder of a skorch Checkpoint."
WEIGHTS = "weights.safetensors"
NET = "net__"  # how the names of the net's own parameters begin
SCALING = "the fitted scaler"
FIXED = (
    *("net", "task", "source", "heads", "stems", "head", "loss_weights", "average"),
    *("scaler", "scale_by", "scale_target_by"),
)
# Without these a net is another one; others, such as callbacks, are of training only.
NEEDED = ("module", "criterion", "predict_nonlinearity")
FOLDER = "Write it to a folder: model.save_pretrained(folder), of safetensors and JSON."


# Folders


def write_net_folder(model: Any, folder: Any) -> None:
    """Write a fitted model."""
    check_is_fitted(model)
    _refuse_bare_folder(model)
    record, weights, _ = _written(model)
    path = Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    # First: a folder without it is not taken for a whole one.
    (path / RECORD).unlink(missing_ok=True)
    (path / WEIGHTS).write_bytes(weights)
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (path / RECORD).write_text(text, encoding="utf8")


def _refuse_bare_folder(model: Any) -> None:
    scaling = model._fitted.features.scaling
    if scaling is not None and not isinstance(scaling, ScaledByName):
        raise SourceError(
            f"scaler={type(model.scaler).__name__} is a fitted transformer, which "
            "safetensors and JSON cannot hold. Write the model by skops.io.dump, or "
            "put the transformer in front of it and write it by itself."
        )


def read_net_folder(kind: Any, folder: Any, changes: Mapping[str, Any]) -> Any:
    """Return a fitted model as it was written."""
    path = Path(folder).expanduser()
    record = read_record(path, kind, FORMAT, HINT)
    left_out = record["left_out"]
    of_net = [name for name in left_out if name.startswith(NET)]
    fixed = [name for name in FIXED if name not in left_out]
    if of_net:
        fixed.remove("net")
    refuse_changes(changes, kind, fixed=fixed, known=kind().get_params(deep=False))
    lost = [name for name in left_out if name not in changes]
    if "net" in changes:
        lost = [name for name in lost if not name.startswith(NET)]
    needed = [name for name in lost if _decides(name)]
    if needed:
        takes = needed[0].split("__")[0]
        raise SourceError(
            f"The folder {os.fspath(folder)!r} does not hold {needed}, which cannot be "
            f"saved: {kind.__name__}.from_pretrained(folder, {takes}=...) takes "
            f"{'the unfitted net that was trained' if takes == 'net' else 'it'}."
        )
    if lost:
        warn_of_lost(lost, folder, kind)
    try:
        weights = (path / WEIGHTS).read_bytes()
    except OSError as error:
        raise SourceError(
            f"{os.fspath(path / WEIGHTS)!r} cannot be read: {error}. Write the folder "
            "anew."
        ) from error
    return restore(kind(), record, weights, changes)


def _decides(name: str) -> bool:
    """Tell a parameter without which predictions would be others."""
    if not name.startswith(NET):
        return name in ("net", "head", "collate")
    return name.removeprefix(NET).split("__")[0] in NEEDED


# skops


def state_of(model: Any) -> dict[str, Any]:
    """Return a model as strings, bytes and what skops asks about by name."""
    record, weights, objects = _written(model)
    for name, value in objects.items():
        if name != SCALING:
            _refuse_unsafe(name, value)
    # By pairs of lists: a key that a file brings along is looked at, never set.
    return {
        "record": json.dumps(record),
        "weights": weights,
        "names": list(objects),
        "objects": list(objects.values()),
    }


def _refuse_unsafe(name: str, value: Any) -> None:
    """Refuse what a file of skops could not give back, or not without a pickle."""
    named = name.replace("__", ".", 1) if name.startswith(NET) else name
    if isinstance(value, NeuralNet | nn.Module | Tensor):
        raise SourceError(
            f"skops cannot hold {named}={type(value).__name__}(...), which has tensors "
            f"in it. {FOLDER}"
        )
    if inspect.isclass(value) or inspect.isroutine(value):
        kind = getattr(value, "__name__", "")
        try:
            found = getattr(import_module(value.__module__), kind, None)
        except ImportError:
            found = None
        if found is not value:
            raise SourceError(
                f"skops holds a class or function by its name, and {named} is "
                f"{getattr(value, '__qualname__', value)!r}, which cannot be imported "
                f"by one. Define it at the top of a module. Or: {FOLDER}"
            )
    for part in value.values() if isinstance(value, Mapping) else ():
        _refuse_unsafe(name, part)
    for part in value if isinstance(value, list | tuple) else ():
        _refuse_unsafe(name, part)


# The record


def _written(model: Any) -> tuple[dict[str, Any], bytes, dict[str, Any]]:
    """Return the record, the weights, and what neither of the two can hold."""
    given = model.get_params(deep=False)
    kind, net = None, given["net"]
    # A net of the user's own class is left out as a whole.
    if net is not None and type(net) in NETS.values():
        kind = type(given.pop("net")).__name__
        given |= {NET + key: value for key, value in _settings(net).items()}
    params, left_out = plain_params(given)
    objects = {name: given[name] for name in left_out}
    record: dict[str, Any] = {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "net": kind,
        "params": params,
        "left_out": left_out,
        "fitted": None,
    }
    fitted = getattr(model, "_fitted", None)
    if fitted is None:
        return record, b"", objects
    if isinstance(fitted.features.scaling, ScaledByName):
        scaling: Any = _plain_scaling(fitted.features.scaling)
    else:
        scaling = None
        if fitted.features.scaling is not None:
            objects[SCALING] = fitted.features.scaling
    record["fitted"] = _plain_fitted(model, fitted, scaling)
    return record, _weights_of(fitted.net), objects


def _settings(net: NeuralNet) -> dict[str, Any]:
    """Return what a user has set of a net, but for what is the estimator's."""
    known: dict[str, inspect.Parameter] = {}
    for kind in reversed(type(net).__mro__[:-1]):
        known |= inspect.signature(kind).parameters
    settings = {}
    for key, value in net.get_params(deep=False).items():
        # What the estimator sets by itself in every fit is not a setting of the user's.
        owned = key.split("__")[0] in OWNED and key not in READING
        is_default = key in known and known[key].default is value
        # Those with a line in front are skorch's own.
        if not (owned or is_default or key.startswith("_")):
            settings[key] = "accuracy" if _is_accuracy(value) else value
    return settings


def _is_accuracy(value: Any) -> bool:
    """Tell the scoring that `default_net` brings along."""
    return isinstance(value, EpochScoring) and value.scoring is accuracy


def _plain_fitted(model: Any, fitted: Fitted, scaling: Any) -> dict[str, Any]:
    if fitted.like is None:
        raise SourceError(
            "The items of X are not tensors of one shape, so the net cannot be rebuilt "
            "without them. Pickle the model."
        )
    assert isinstance(fitted.features, Features)
    names = [plain_name(name, "The source") for name in fitted.sources]
    columns = getattr(model, "feature_names_in_", None)
    dtype = fitted.features.dtype
    return {
        "sources": names,
        "n_samples": [fitted.n_samples[name] for name in fitted.sources],
        "seed": fitted.seed,
        "precision": fitted.precision,
        "columns": fitted.columns,
        "shape": list(fitted.like[0]),
        "dtype": fitted.like[1],
        "scaling": scaling,
        "missing": fitted.features.missing,
        "numbers": None if dtype is None else str(dtype).removeprefix("torch."),
        "tasks": _plain_tasks(fitted.tasks, names),
        "n_features_in": getattr(model, "n_features_in_", None),
        "feature_names_in": None if columns is None else columns.tolist(),
        "history": json.loads(json.dumps(fitted.net.history.to_list(), default=str)),
    }


def _plain_scaling(scaling: ScaledByName) -> dict[str, Any]:
    columns = scaling.columns
    return {
        "scaler": scaling.scaler,
        "maps": _plain_maps(scaling.maps),
        "columns": None if columns is None else [int(place) for place in columns],
    }


def _plain_maps(maps: AffineMaps | None) -> Any:
    if maps is None:
        return None
    return [plain_array(maps.center), plain_array(maps.scale)]


def _plain_tasks(tasks: Any, names: Sequence[Any]) -> dict[str, Any]:
    if isinstance(tasks, SourceTasks):
        return {
            "heads": [_plain_task(task) for task in tasks.heads],
            "n_targets": tasks.n_targets,
            "classifies": tasks.classifies,
        }
    own = tasks.own_classes
    return {
        "task": _plain_task(tasks.task),
        "own": None if own is None else [plain_array(own[name]) for name in names],
        "one_number": tasks.one_number,
    }


def _plain_task(task: Task) -> dict[str, Any]:
    source = plain_name(task.source, "The source")
    if isinstance(task, ClassTask):
        return {"source": source, "classes": plain_array(task.classes)}
    return {
        "source": source,
        "targets": [int(place) for place in task.columns],
        "maps": _plain_maps(task.maps),
        "by_source": task.by_source,
    }


def _weights_of(net: NeuralNet) -> bytes:
    """Return all tensors of a net, of its modules and its criterion."""
    require("A net without pickle", "torch", "safetensors")
    from safetensors.torch import save

    found = {}
    for part in (*net._modules, *net._criteria):
        module = getattr(net, f"{part}_")
        state = module.state_dict() if isinstance(module, nn.Module) else {}
        for key, value in state.items():
            if not isinstance(value, Tensor):
                raise SourceError(
                    f"The {part} of the net keeps {key!r}, of type "
                    f"{type(value).__name__}, and safetensors holds tensors. Pickle "
                    "the model."
                )
            # A copy each: tied weights share their memory, which it does not take.
            found[f"{part}.{key}"] = value.detach().cpu().contiguous().clone()
    return bytes(save(found))


# Back


def restore(
    model: Any,
    record: Mapping[str, Any],
    weights: bytes,
    objects: Mapping[str, Any],
) -> Any:
    """Make a model as it was written, and return it.

    `objects` are the parameters that the record does not hold, or that change.
    """
    objects = dict(objects)
    scaling = objects.pop(SCALING, None)
    params = read_params(record["params"]) | objects
    of_net = {
        key.removeprefix(NET): params.pop(key)
        for key in list(params)
        if key.startswith(NET)
    }
    net = params.pop("net", None)
    if net is None and record["net"] is not None:
        net = _unfitted_net(record["net"], of_net)
    model.set_params(net=net, **params)
    written = record["fitted"]
    if written is None:
        return model
    model._check_settings()
    data = _prepared(written, scaling, model.collate)
    # The net is built as fit builds it, from two rows of zeros, and then gets its
    # weights: a file says what a model is, never how one is made.
    built = model._engine().builder.build(data)
    _load(built.net, weights)
    built.net.history = History(written["history"])
    built.net._set_training(False)
    names = data.names
    model._remember(
        Fitted(
            built.net,
            data.tasks,
            data.features,
            names,
            dict(zip(names, written["n_samples"])),
            written["seed"],
            written["precision"],
            built.width,
            written["columns"],
            (tuple(written["shape"]), written["dtype"]),
        )
    )
    if written["n_features_in"] is not None:
        model.n_features_in_ = written["n_features_in"]
    if written["feature_names_in"] is not None:
        model.feature_names_in_ = np.array(written["feature_names_in"], dtype=object)
    return model


def _unfitted_net(kind: str, settings: dict[str, Any]) -> NeuralNet:
    if kind not in NETS:
        raise SourceError(
            f"A file names the net {kind!r}. It must be one of {[*NETS]}."
        )
    for key, value in settings.items():
        if key.startswith("callbacks__") and value == "accuracy":
            settings[key] = EpochScoring(
                accuracy, name="valid_acc", lower_is_better=False
            )
    device = str(settings.get("device", "cpu"))
    if device.startswith("cuda") and not torch.cuda.is_available():
        warn(f"The net was on {device!r}, which is not here: it is on the CPU now.")
        settings["device"] = "cpu"
    net: NeuralNet = NETS[kind](**settings)
    return net


def _prepared(written: Mapping[str, Any], scaling: Any, collate: Any) -> Prepared:
    """Return two rows as fit would have prepared them, to size the net by."""
    names = tuple(written["sources"])
    if written["scaling"] is not None:
        kept = written["scaling"]
        maps = _read_maps(kept["maps"])
        assert maps is not None
        scaling = ScaledByName(kept["scaler"], maps, kept["columns"])
    numbers, dtype = written["numbers"], None
    if numbers is not None:
        dtype = getattr(torch, numbers)
    features = Features(scaling, dtype, written["missing"], collate)
    tasks = _read_tasks(written["tasks"], names)
    # Zeros are fine for all that asks a module for its sizes: the values that it gives
    # are not looked at, and the weights are replaced.
    rows = np.zeros((2, *written["shape"]), dtype=written["dtype"])
    codes = np.zeros(2, dtype=np.intp)
    part = Part(rows, Rows(rows, codes, Sources(names, codes)), codes)
    columns = written["columns"]
    return Prepared(part, None, tasks, features, written["seed"], 2, columns)


def _read_maps(written: Any) -> AffineMaps | None:
    if written is None:
        return None
    center, scale = map(read_array, written)
    return AffineMaps(center, scale)


def _read_tasks(
    written: Mapping[str, Any], names: Sequence[Any]
) -> SharedTask | SourceTasks:
    if "heads" in written:
        heads = tuple(_read_task(task) for task in written["heads"])
        return SourceTasks(heads, written["n_targets"], written["classifies"])
    own = written["own"]
    by_source = None if own is None else dict(zip(names, map(read_array, own)))
    return SharedTask(_read_task(written["task"]), by_source, written["one_number"])


def _read_task(written: Mapping[str, Any]) -> Task:
    if "classes" in written:
        return ClassTask(read_array(written["classes"]), written["source"])
    maps, by_source = _read_maps(written["maps"]), written["by_source"]
    return NumberTask(written["targets"], written["source"], maps, by_source)


def _load(net: NeuralNet, weights: bytes) -> None:
    require("A net without pickle", "torch", "safetensors")
    from safetensors.torch import load

    try:
        found = load(weights)
        for part in (*net._modules, *net._criteria):
            module, start = getattr(net, f"{part}_"), f"{part}."
            own = {k.removeprefix(start): v for k, v in found.items()
                   if k.startswith(start)}  # fmt: skip
            if isinstance(module, nn.Module):
                module.load_state_dict(own)
    except Exception as error:  # torn, or of another module
        raise SourceError(
            f"The weights do not fit {type(net.module_).__name__}: {error}"
        ) from error
