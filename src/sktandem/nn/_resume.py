"""Going on from the files of skorch's Checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import PassthroughScoring
from skorch.history import History

from sktandem._telling import counted, warn
from sktandem.exceptions import SourceError

__all__ = ["history_of", "load_checkpoint", "refuse_other_data"]

FILES = ("params.pt", "optimizer.pt", "criterion.pt", "history.json")


def _paths(folder: Any) -> dict[str, Path]:
    if not isinstance(folder, str | os.PathLike):
        raise SourceError(
            "resume_from must be the folder of a skorch Checkpoint, got "
            f"{type(folder).__name__}."
        )
    return {name: Path(folder) / name for name in FILES}


def history_of(folder: Any) -> History:
    """Return the history of a checkpoint, or say which files are missing."""
    paths = _paths(folder)
    missing = [
        name
        for name in ("params.pt", "optimizer.pt", "history.json")
        if not paths[name].exists()
    ]
    if missing:
        raise SourceError(
            f"resume_from={os.fspath(folder)!r} has no {missing}. The skorch callback "
            "Checkpoint(monitor=None, dirname=...) writes them after every epoch."
        )
    history = History.from_file(paths["history.json"])
    if not history or "seed" not in history[0]:
        raise SourceError(
            f"The history in {os.fspath(folder)!r} was not written by an estimator of "
            "this package: its first epoch has no seed. Give fit the folder of a "
            "checkpoint of its own."
        )
    return history


def _recall_best(net: NeuralNet) -> None:
    """Tell skorch's callbacks the best losses so far, which they do not look up."""
    # Without them the first epoch after the pause would count as the best so far, and a
    # Checkpoint would overwrite the weights that are.
    for _, callback in net.callbacks_:
        if isinstance(callback, PassthroughScoring):
            seen = [row[callback.name] for row in net.history if callback.name in row]
            lowest = callback.lower_is_better
            if seen and lowest is not None:
                callback.best_score_ = min(seen) if lowest else max(seen)


def refuse_other_data(history: History, data: dict[str, Any], folder: Any) -> None:
    """Refuse to go on with other labels than before; warn of other rows."""
    # Other labels make other outputs, and are refused. Other rows may be meant, for
    # instance more of them, but the split is then another one.
    before = history[0].get("data") or {}
    where = f"The checkpoint in {os.fspath(folder)!r} was trained on"
    for what in ("sources", "classes", "n_features"):
        if before.get(what) != data[what]:
            raise SourceError(
                f"{where} {what}={before.get(what)}, and fit has {data[what]}. Give it "
                "the data of that fit, or begin anew without resume_from."
            )
    if before.get("n_rows") != data["n_rows"]:
        warn(
            f"{where} {before.get('n_rows')} rows by source, and fit has "
            f"{data['n_rows']}: other rows may be held out."
        )


def load_checkpoint(net: NeuralNet, folder: Any, *, keep: str, average: Any) -> None:
    """Put an initialized net where a checkpoint left off."""
    paths = _paths(folder)
    state = {
        "f_params": paths["params.pt"],
        "f_optimizer": paths["optimizer.pt"],
        "f_history": paths["history.json"],
    }
    if paths["criterion.pt"].exists():
        state["f_criterion"] = paths["criterion.pt"]
    elif average is not None:
        raise SourceError(
            f"resume_from={os.fspath(folder)!r} has no criterion.pt, where the "
            f"averaged weights of average={average!r} are. Leave Checkpoint's "
            "f_criterion as it is by default."
        )
    try:
        net.load_params(**{key: os.fspath(path) for key, path in state.items()})
    except (RuntimeError, ValueError) as error:
        raise SourceError(
            f"The checkpoint in {os.fspath(folder)!r} does not fit the net: {error}\n"
            "Its module, optimizer and average must be those of the fit that wrote it."
        ) from error
    if len(net.history) >= net.max_epochs:
        warn(
            f"The checkpoint has {counted(len(net.history), 'epoch')}, max_epochs is "
            f"{net.max_epochs}: nothing is left to train."
        )
    _recall_best(net)
    # The checkpoint holds the weights of its last epoch, not those of the best.
    best = [row.get("valid_loss_macro_best", False) for row in net.history]
    if keep == "best" and any(best) and not best[-1]:
        last_best = len(best) - best[::-1].index(True)
        warn(
            f"keep='best' can only restore epochs from {len(best)} on: the best one so "
            f"far, {last_best}, came {counted(len(best) - last_best, 'epoch')} before "
            "the checkpoint. A Checkpoint with "
            "monitor='valid_loss_macro_best' keeps the best."
        )
