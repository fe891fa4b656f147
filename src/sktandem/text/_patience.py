"""Ending the training when the validation loss falls no more."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

__all__ = ["Patience"]


class Patience(Callback):
    """Ends the training after epochs without a lower validation loss.

    All that it knows is the history, so that a fit that was interrupted ends
    where it would have ended; and it asks for the end rather than make it, so
    that all other callbacks see the last epoch.

    Parameters
    ----------
    patience : int
        The epochs to wait.

    primary : hashable or None
        The source whose loss counts; None for the mean over the sources.
    """

    def __init__(self, patience: int, primary: Hashable = None) -> None:
        self.patience, self.primary = patience, primary

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any
    ) -> None:
        """Take note of who can end the training."""
        self.turns_ = dataset_train.turns

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Ask for the end if the best epoch is long past."""
        own = f"valid_loss[{self.primary}]"
        key = "valid_loss_macro" if self.primary is None else own
        losses = [row[key] for row in net.history if key in row]
        if not losses:
            return
        since = len(losses) - 1 - losses.index(min(losses))
        if since >= self.patience:
            self.turns_.stopped = True
            if net.verbose:
                print(f"Ended: {key} has not fallen for {since} epochs.")

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"turns_": None}  # no data in a checkpoint
