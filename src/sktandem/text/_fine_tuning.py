"""The finer settings of a fine-tuning, in one record."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from sktandem._docs import documented
from sktandem._settings import check_choice, check_integer, check_number
from sktandem.exceptions import SourceError

__all__ = ["FineTuning", "check_positive"]


@documented
class FineTuning(BaseEstimator):
    """How the training of a :class:`SharedTextNet` runs, in its finer settings.

    What most users set, such as `lr` and `max_epochs`, is set on the net itself.
    These are the rest, with defaults that suit most encoders. They are parameters of
    the net as well, by the names ``training__patience`` and so on, which sit in a
    search grid.

    Read more in the :ref:`User Guide <text>`.

    Parameters
    ----------
    head_lr : float, default=None
        The learning rate of the heads, which begin at random and so need more than
        the encoder. None means 0.01.

    warmup_ratio : float, default=0.1
        The part of all steps in which the rates rise in a straight line from 0.
        After it they fall in a straight line to 0.

    weight_decay : float, default=0.01
        The decoupled decay of AdamW [1]_. Biases and the weights of
        normalisations do not decay.

    max_grad_norm : float or None, default=1.0
        Gradients with a larger norm are scaled down to it.

    gradient_accumulation_steps : int, default=1
        The batches whose mean gradient makes one step of the optimizer. What is
        left over at the end of an epoch makes a step of its own.

    patience : int or None, default=None
        Training ends after so many epochs without a lower validation loss. None
        runs all of them. The learning rate falls as `max_epochs` says, so that a
        fit that ends early has not seen the low ones.

    mixed_precision : {"auto", "bf16"} or None, default="auto"
        The precision in which the encoder computes; weights, heads and losses
        stay single. "auto" takes bfloat16 on a GPU that has it, and single
        precision on others. "bf16" takes it
        anywhere: on a processor with the instructions for it (AMX) it halves the
        time, on others it takes longer.

    callbacks : list of skorch callbacks, default=None
        Further callbacks, such as a ``Checkpoint``.

    {history_detail}

    See Also
    --------
    SharedTextNet : Takes it as `training`.

    Notes
    -----
    The rates of step :math:`t` of :math:`T` are :math:`t / wT` of their largest
    value in the warm-up of the share :math:`w`, and
    :math:`(T - t) / (T - wT)` after it. Gradients are clipped after they were
    accumulated.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter (2019), "Decoupled Weight Decay
       Regularization", ICLR.

    Examples
    --------
    >>> from sktandem.text import FineTuning, SharedTextNet
    >>> model = SharedTextNet(training=FineTuning(patience=2))
    >>> model.set_params(training__warmup_ratio=0.2).training
    FineTuning(patience=2, warmup_ratio=0.2)
    """

    def __init__(
        self,
        *,
        head_lr: float | None = None,
        warmup_ratio: float = 0.1,
        weight_decay: float = 0.01,
        max_grad_norm: float | None = 1.0,
        gradient_accumulation_steps: int = 1,
        patience: int | None = None,
        mixed_precision: str | None = "auto",
        callbacks: Any = None,
        history_detail: str = "batch",
    ) -> None:
        self.head_lr = head_lr
        self.warmup_ratio = warmup_ratio
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.patience = patience
        self.mixed_precision = mixed_precision
        self.callbacks = callbacks
        self.history_detail = history_detail

    def check(self) -> None:
        """Refuse settings that make no sense whatever the data.

        Raises
        ------
        SourceError
            If there is one.
        """
        for name in ("head_lr", "max_grad_norm"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        check_number(
            "warmup_ratio", self.warmup_ratio, "from 0 to 1", lambda v: 0 <= v <= 1
        )
        check_number("weight_decay", self.weight_decay, "0 or above", lambda v: v >= 0)
        check_integer("gradient_accumulation_steps", self.gradient_accumulation_steps)
        if self.patience is not None:
            check_integer("patience", self.patience)
        check_choice("mixed_precision", self.mixed_precision, ("auto", "bf16", None))
        if self.callbacks is not None and not isinstance(self.callbacks, list | tuple):
            raise SourceError(
                f"callbacks must be a list of skorch callbacks, got {self.callbacks!r}."
            )
        check_choice("history_detail", self.history_detail, ("batch", "epoch"))


def check_positive(setting: str, given: Any) -> None:
    """Refuse what is not a finite number above 0."""
    check_number(setting, given, "above 0", lambda v: 0 < v < float("inf"))
