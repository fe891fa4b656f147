"""Callbacks that several tests of nets share."""

from skorch.callbacks import Callback


class Ruins(Callback):
    """From an epoch on, the net learns to be wrong.

    Which epoch of a training is the best depends on the last digits of every
    sum, and so on the machine. Here it is certain that it is an earlier one.
    """

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) >= self.epoch:
            for group in net.optimizer_.param_groups:
                group["lr"] = -0.1  # uphill
