"""Going on from the files of skorch's Checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import PassthroughScoring
from skorch.history import History

from sktandem._telling import counted, warn
from sktandem.exceptions import SourceError
from sktandem.nn._checkpoint import SEAL, found, learns_by

__all__ = ["Saved", "recall_best"]

ANEW = "Resume from another checkpoint, or start again without resume_from."


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is whole.

    Attributes
    ----------
    folder : str
        Where it is.

    told : dict
        What its seal tells of the fit that wrote it.

    paths : dict of {str: str}
        Its files, by skorch's names for them.
    """

    folder: str
    told: Mapping[str, Any]
    paths: Mapping[str, str]

    @classmethod
    def of(cls, folder: Any) -> Saved:
        """Return the checkpoint in a folder, or say what is wrong with it."""
        if not isinstance(folder, str | os.PathLike):
            raise SourceError(
                "resume_from must be the folder of a skorch Checkpoint, got "
                f"{type(folder).__name__}."
            )
        folder = os.fspath(folder)
        seal = Path(folder) / SEAL
        try:
            told = json.loads(seal.read_text(encoding="utf-8"))
            files = {
                str(key): (str(n), str(f)) for key, (n, f) in told["files"].items()
            }
            seed = int(told["seed"])
        except FileNotFoundError:
            raise SourceError(
                f"resume_from={folder!r} has no {SEAL}, which is written last. The "
                "skorch callback Checkpoint(monitor=None, dirname=...) of the net "
                "writes a checkpoint with one after every epoch of fit."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"resume_from={folder!r} is damaged: {SEAL} cannot be read "
                f"({type(error).__name__}: {error}). {ANEW}"
            ) from None
        places = found(os.fspath(seal), files)
        torn = [files[key][0] for key, path in places.items() if path is None]
        if torn:
            raise SourceError(
                f"resume_from={folder!r} is damaged: {torn} are not as they were "
                f"written with {SEAL}. {ANEW}"
            )
        paths = {key: path for key, path in places.items() if path is not None}
        return cls(folder, {**told, "seed": seed}, paths)

    @property
    def seed(self) -> int:
        """The seed of the fit that wrote it."""
        seed: int = self.told["seed"]
        return seed

    def refuse_others(self, net: NeuralNet, identity: Mapping[str, Any]) -> None:
        """Refuse to go on with another set-up or other data; warn of another way."""
        where = f"The checkpoint in {self.folder!r} was trained"
        now = {**identity["settings"], **learns_by(net)}
        before = {**self.told.get("settings", {}), **self.told}
        for what in ("sources", "classes", "n_features", *now):
            has = now[what] if what in now else identity[what]
            if before.get(what) != has:
                raise SourceError(
                    f"{where} on {what}={before.get(what)}, and fit has {has}. Give it "
                    "the data and settings of that fit, or start again without "
                    "resume_from."
                )
        if before.get("n_rows") != identity["n_rows"]:
            # More rows may be meant, but the split is then another one.
            warn(
                f"{where} on {before.get('n_rows')} rows by source, and fit has "
                f"{identity['n_rows']}: other rows may be held out."
            )
        else:
            values = ("X", "y", "sample_source")
            others = [what for what in values if before.get(what) != identity[what]]
            if others:
                raise SourceError(
                    f"{where} on other values of {' and '.join(others)} than fit has, "
                    "in the same number of rows. Give it the data of that fit in the "
                    "same order and container, or start again without resume_from."
                )
        for what in ("schedule", "batch_size"):
            if before.get(what) != identity[what]:
                warn(
                    f"{where} with {what}={before.get(what)}, and goes on with "
                    f"{identity[what]}: the result is not that of one uninterrupted "
                    "fit."
                )

    def load(self, net: NeuralNet, *, keep: str) -> None:
        """Put an initialized net where the checkpoint left off."""
        for name in (*net._modules, *net._criteria, *net._optimizers):
            key = "f_params" if name == "module" else f"f_{name}"
            part = getattr(net, f"{name}_")
            if key in self.paths:
                self._into(part, self.paths[key], net)
            elif getattr(part, "state_dict", dict)():
                # Where weights are averaged, the criterion holds the average.
                raise SourceError(
                    f"resume_from={self.folder!r} has no file for the net's {name}, "
                    f"which has values that were learned. Let Checkpoint write it: "
                    f"{key}='{name}.pt'."
                )
        try:
            net.history = History.from_file(self.paths["f_history"])
            n_epochs = len(net.history)
        except (KeyError, ValueError, TypeError) as error:
            raise SourceError(
                f"resume_from={self.folder!r} has no history that can be read. Leave "
                "Checkpoint's f_history as it is by default."
            ) from error
        if n_epochs >= net.max_epochs:
            warn(
                f"The checkpoint has {counted(n_epochs, 'epoch')}, max_epochs is "
                f"{net.max_epochs}: nothing is left to train."
            )
        recall_best(net)
        # The checkpoint holds the weights of its last epoch, not those of the best.
        best = [row.get("valid_loss_macro_best", False) for row in net.history]
        if keep == "best" and any(best) and not best[-1]:
            last_best = n_epochs - best[::-1].index(True)
            warn(
                f"keep='best' can only restore epochs from {n_epochs} on: the best one "
                f"so far, {last_best}, came {counted(n_epochs - last_best, 'epoch')} "
                "before the checkpoint. A Checkpoint with "
                "monitor='valid_loss_macro_best' keeps the best."
            )

    def _into(self, part: Any, path: str, net: NeuralNet) -> None:
        try:
            # Weights only: a pickle of any other kind could run code.
            state = torch.load(path, map_location=net.device, weights_only=True)
            part.load_state_dict(state)
        except Exception as error:  # whatever torch, pickle or the part says of it
            raise SourceError(
                f"The checkpoint in {self.folder!r} does not fit the net: "
                f"{os.path.basename(path)}: {error}\nIts module, optimizer and average "
                "must be those of the fit that wrote it."
            ) from error


def recall_best(net: NeuralNet) -> None:
    """Tell skorch's callbacks the best losses so far, which they do not look up."""
    # Without them the first epoch after the pause would count as the best so far, and a
    # Checkpoint would overwrite the weights that are.
    for _, callback in net.callbacks_:
        if isinstance(callback, PassthroughScoring):
            seen = [row[callback.name] for row in net.history if callback.name in row]
            lowest = callback.lower_is_better
            if seen and lowest is not None:
                callback.best_score_ = min(seen) if lowest else max(seen)
