"""One net for several text datasets, on a pretrained encoder."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from skorch import NeuralNetClassifier
from torch import nn

from sktandem._docs import documented
from sktandem._settings import check_choice, check_integer, check_number, is_integer
from sktandem.exceptions import SourceError
from sktandem.nn._aim import Aim
from sktandem.nn._average import check_average
from sktandem.nn._engine import Engine
from sktandem.nn._estimator import NetEstimator
from sktandem.nn._heads import check_head
from sktandem.nn._net_settings import check_balance, refuse_idle
from sktandem.nn._trainer import Trainer
from sktandem.nn._validation import check_fraction
from sktandem.nn._weighing import check_loss_weights
from sktandem.text._building import Reading, TextBuilder, TextPreparation
from sktandem.text._device import autocast_of, check_device, device_of
from sktandem.text._encoder import check_encoder_settings
from sktandem.text._fine_tuning import FineTuning, check_positive
from sktandem.text._folder import read_folder, write_folder
from sktandem.text._optimizer import AccumulatedAdamW
from sktandem.text._patience import Patience
from sktandem.text._rate import BatchProgress, WarmupDecay
from sktandem.text._reader import TextReader
from sktandem.text._transformers import check_checkpoint, named

__all__ = ["SharedTextNet"]

DECIDING = ("heads", "pooling", "max_length", "prefix", "freeze", "balance")
HEAD_LR = 1e-2  # a head begins with nothing, the encoder knows something already
REMEDY = (
    "Lower lr, or pass training=FineTuning(...) with a lower head_lr, a higher "
    "warmup_ratio or a lower max_grad_norm."
)


@documented
class SharedTextNet(NetEstimator):
    """Fine-tune one pretrained encoder on several text datasets with their own labels.

    Bank questions in English with 77 intents and tweets in German with two
    labels are usually given a model each, at twice the memory, with nothing
    learned in common. Here both go through one encoder, and each dataset has a
    head of its own.

    Read more in the :ref:`User Guide <text>`.

    Parameters
    ----------
    checkpoint : str, path or tuple, default=None
        The encoder: the folder of a transformers model, the name of one on the
        Hugging Face hub, or a loaded ``(model, tokenizer)``, which is copied
        and never trained in place. :func:`small_encoder` makes one that is
        untrained.

    {source}

    text_column : str or int, default=None
        Name or position of the column of X that holds the texts. None means the
        only one besides `source`. X may also be a list of texts.

    {heads}

    {schedule}

    {loss_weights}

    pooling : {"mean", "cls", "max", "pooler"}, default="mean"
        How the vectors of a text's tokens become one: their mean, that of the
        first token, the largest of each value, or the encoder's own pooler.

    max_length : int, default=128
        The most tokens of a text. What is beyond is cut off, and `fit` warns if
        more than a hundredth of the texts are that long.

    prefix : str, default=""
        What is put in front of every text; some encoders were trained with one,
        such as ``"query: "``.

    batch_size : int or dict, default=16
        Rows in a batch, or a number for each source.

    freeze : {"embeddings", "encoder"}, int or None, default="embeddings"
        What stays as it is, without gradients: the embeddings of the tokens,
        these and as many of the first layers, or all of the encoder, which then
        reads each text once, whatever the number of epochs. None trains it all.

    lr : float, default=2e-5
        The learning rate of the encoder.

    max_epochs : int, default=3
        How often the schedule's epoch is run.

    training : FineTuning, default=None
        The finer settings of the training: the learning rate of the heads, warm-up,
        decay, gradients, patience, precision, callbacks and the detail of the
        history. None means ``FineTuning()``.

    head : sequence of int, callable or None, default=None
        What stands on the encoder for each source: None for a linear layer, the
        sizes of hidden layers, or a function ``(width, n_outputs) -> module``.

    dropout : float, default=0.1
        Share of the pooled vector's values that are dropped in training, before
        the head. The encoder has its own.

    device : str, default="auto"
        Where to train. "auto" is a CUDA GPU, if there is one.

    validation_fraction : float, dict or None, default=0.1
        The part of each source that is held out to validate on,
        the same of each class. A
        dict gives the part by source, and sources it does not name are not
        validated. None turns validation off.

    {keep}

    {average}

    {balance_loss}

    primary_source : hashable, default=None
        The source you care about most: `keep`, and the patience of `training`, go
        by its validation loss.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a text whose source was not there in `fit`, or is not
        given: raise, ask the head of the primary source, or take the mean over
        the heads, where they answer the same question.

    random_state : int, RandomState instance or None, default=None
        Seeds the heads, the split, the order of rows, the schedule and dropout.

    verbose : int, default=0
        1 prints a line for each epoch and shows how far the reading of the
        texts has come, 2 also how far the epoch has.

    Attributes
    ----------
    net_ : skorch.NeuralNetClassifier
        The trained net.

    module_ : torch.nn.Module
        Its module: the encoder is `trunk`. With one output its head is `head`;
        by source `heads` are in the order of `sources_`.

    history_ : skorch.history.History
        A row for each epoch: `train_loss`, `valid_loss`, for each source
        ``train_loss[en]``, ``valid_loss[en]`` and ``rows_seen[en]``, their mean
        `valid_loss_macro`, `source`, who was in turn, and `lr`, the learning
        rate of the encoder at the end, or the heads' where the encoder is frozen.

    {classes_}

    {classes_by_source_}

    tasks_ : tuple
        What each head learns, where heads are by source.

    width_ : int
        Width of the embedding.

    features_ : object
        The tokenizer, and how it is used.

    {sources_}

    {n_samples_by_source_}

    {seed_}

    precision_ : {"float64", "float32"}
        The precision of predictions: single, but double for the heads of a
        frozen encoder on the CPU.

    n_features_in_ : int
        Number of columns seen in `fit`, where X has columns.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where they are all texts.

    See Also
    --------
    FineTuning : The finer settings of the training.
    sktandem.SharedNet : The same for tables, with any torch module.
    sktandem.inspection.HistoryDisplay : Draws the losses and the turns.

    Notes
    -----
    It is a :class:`~sktandem.SharedNet` whose trunk reads texts:
    schedules, history, validation by source and going on after an interruption
    are the same. Texts are cut into tokens once. Batches hold texts of like
    length and are as wide as their longest; a step of two sources goes through
    the encoder in two parts where one's texts are much shorter.

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla (2018), "Multi-Task Learning Using
       Uncertainty to Weigh Losses for Scene Geometry and Semantics", CVPR.
    .. [2] S. Liu, E. Johns and A. J. Davison (2019), "End-to-End Multi-Task
       Learning with Attention", CVPR.
    .. [3] P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov and A. G. Wilson
       (2018), "Averaging Weights Leads to Wider Optima and Better
       Generalization", UAI.

    Examples
    --------
    Questions to a bank, and what Germans say of their food:

    >>> from sktandem import stack_sources
    >>> from sktandem.text import SharedTextNet, small_encoder
    >>> bank = ["my card is lost", "where is my card", "i lost the card",
    ...         "send me money", "my money is not there", "where is the money"]
    >>> food = ["das schmeckt gut", "sehr gut", "gut und billig",
    ...         "das ist schlecht", "schlecht und teuer", "sehr schlecht"]
    >>> checkpoint = small_encoder(bank + food, random_state=0)
    >>> model = SharedTextNet(
    ...     checkpoint, heads="source", lr=3e-3, max_epochs=15,
    ...     validation_fraction=None, random_state=0,
    ... )
    >>> texts, labels = bank + food, ["card"] * 3 + ["money"] * 3 + [1] * 3 + [0] * 3
    >>> sample_source = ["en"] * 6 + ["de"] * 6
    >>> model = model.fit(texts, labels, sample_source=sample_source)
    >>> model.predict(["the card", "gut"], sample_source=["en", "de"])
    array(['card', 1], dtype=object)
    >>> model.score(texts, labels, sample_source=sample_source)
    1.0
    """

    def __init__(
        self,
        checkpoint: Any = None,
        *,
        source: str | int | None = None,
        text_column: str | int | None = None,
        heads: str = "shared",
        schedule: Any = "auto",
        loss_weights: Any = None,
        pooling: str = "mean",
        max_length: int = 128,
        prefix: str = "",
        batch_size: Any = 16,
        freeze: Any = "embeddings",
        lr: float = 2e-5,
        max_epochs: int = 3,
        training: FineTuning | None = None,
        head: Any = None,
        dropout: float = 0.1,
        device: str = "auto",
        validation_fraction: Any = 0.1,
        keep: str = "best",
        average: Any = None,
        balance: str | None = None,
        primary_source: Hashable = None,
        unknown_source: str = "error",
        random_state: Any = None,
        verbose: int | None = 0,
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.text_column = text_column
        self.heads = heads
        self.schedule = schedule
        self.loss_weights = loss_weights
        self.pooling = pooling
        self.max_length = max_length
        self.prefix = prefix
        self.batch_size = batch_size
        self.freeze = freeze
        self.lr = lr
        self.max_epochs = max_epochs
        self.training = training
        self.head = head
        self.dropout = dropout
        self.device = device
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.average = average
        self.balance = balance
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.random_state = random_state
        self.verbose = verbose

    _kind = "classification"
    _embeds = True
    _takes_rows = False  # a column of texts is found by the reader of texts only

    def _check_settings(self) -> None:
        check_checkpoint(self.checkpoint)
        check_encoder_settings(self.pooling, self.freeze)
        check_choice("heads", self.heads, ("shared", "source"))
        check_integer("max_length", self.max_length, least=3)
        check_integer("max_epochs", self.max_epochs)
        check_positive("lr", self.lr)
        check_number(
            "dropout", self.dropout, "at least 0 and below 1", lambda v: 0 <= v < 1
        )
        self._training.check()
        check_head(self.head)
        check_device(self.device)
        if self.verbose is not None and not isinstance(self.verbose, int | np.integer):
            raise SourceError(f"verbose must be 0, 1 or 2, got {self.verbose!r}.")
        if not isinstance(self.prefix, str):
            raise SourceError(
                "prefix must be a string to put in front of every text, got "
                f"{self.prefix!r}."
            )
        check_fraction(self.validation_fraction)
        check_average(self.average)
        check_choice("keep", self.keep, ("best", "last"))
        check_balance(self.balance)
        check_loss_weights(self.loss_weights)
        if not self._has_heads:
            refuse_idle({"loss_weights": self.loss_weights})

    @property
    def _training(self) -> FineTuning:
        if self.training is None:
            return FineTuning()
        if not isinstance(self.training, FineTuning):
            raise SourceError(
                f"training must be a FineTuning or None, got {self.training!r}. Pass "
                "one, such as training=FineTuning(patience=2)."
            )
        return self.training

    def _net(self) -> NeuralNetClassifier:
        how = self._training
        callbacks: list[Any] = [("rate", WarmupDecay(how.warmup_ratio))]
        if how.patience is not None:
            callbacks.append(("patience", Patience(how.patience, self.primary_source)))
        if self.verbose and self.verbose > 1:
            callbacks.append(("progress", BatchProgress()))
        size = self.batch_size
        return NeuralNetClassifier(
            nn.Identity,
            criterion=nn.CrossEntropyLoss,
            optimizer=AccumulatedAdamW,
            optimizer__param_groups=[("trunk.*", {"lr": self.lr})],
            optimizer__weight_decay=how.weight_decay,
            optimizer__accumulation=how.gradient_accumulation_steps,
            optimizer__max_norm=how.max_grad_norm,
            lr=HEAD_LR if how.head_lr is None else how.head_lr,
            max_epochs=self.max_epochs,
            batch_size=int(size) if is_integer(size) else 16,
            device=device_of(self.device),
            callbacks=[*callbacks, *(how.callbacks or ())],
            verbose=int(self.verbose or 0),
        )

    def _reader(self) -> TextReader:
        return TextReader(self)

    def _engine(self) -> Engine:
        heads, device = self._has_heads, device_of(self.device)
        training = self._training
        reading = Reading(
            self.checkpoint,
            self.pooling,
            self.max_length,
            self.prefix,
            self.freeze,
            self.dropout,
            device,
            autocast_of(training.mixed_precision, device),
            bool(self.verbose),
        )
        return Engine(
            TextPreparation(
                Aim("classification", heads=heads, balance=self.balance),
                reading.fit,
                self.validation_fraction,
                by_source=heads,
                patience=training.patience,
                primary_source=self.primary_source,
                settings=self._deciding(DECIDING),
            ),
            TextBuilder(
                self._net(),
                average=self.average,
                head=self.head,
                loss_weights=self.loss_weights,
                embeds=True,
                reading=reading,
            ),
            Trainer(
                self._schedule,
                self.batch_size,
                self.keep,
                self.primary_source,
                training.history_detail,
                self.loss_weights,
                REMEDY,
            ),
        )

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        validation_data: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Fine-tune the encoder and train the heads on all sources.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts of all sources, alone or in the column `text_column`.

        y : array-like of shape (n_samples,)
            Labels of any kind; with heads by source each source may have its own.

        {sample_source}

        validation_data : tuple (X, y) or (X, y, sample_source), default=None
            Texts to validate on instead of a part of X.

        resume_from : str or path, default=None
            The folder of a skorch ``Checkpoint``: training goes on after its
            last epoch, up to `max_epochs`. A checkpoint that is damaged, or of
            other settings or values, is refused.

        Returns
        -------
        self : SharedTextNet
            The fitted instance.

        Raises
        ------
        SourceError
            If texts are missing, empty or not strings, the checkpoint is not there
            or does not fit its tokenizer, labels and settings do not fit each
            other, or the loss is not finite any more.

        KeyboardInterrupt
            On Ctrl-C: nothing half-fitted remains, and a checkpoint goes on.
        """
        return super().fit(
            X,
            y,
            sample_source=sample_source,
            validation_data=validation_data,
            resume_from=resume_from,
        )

    def partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        classes: Any = None,
        sources: Sequence[Hashable] | None = None,
        epochs: int | None = None,
    ) -> Self:
        """Go on training, from where the last call stopped.

        The learning rate goes on, too: it falls to 0 at the end of `max_epochs`,
        which must be set to all the epochs that will come. Other settings of the
        training are those of the first call.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts.

        y : array-like of shape (n_samples,)
            Labels of any kind.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each text.

        classes : array-like or dict of {source: array-like}, default=None
            In the first call: all labels that will ever come; by source where
            heads are.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means all that are left.

        Returns
        -------
        self : SharedTextNet
            This instance.
        """
        self._check_settings()
        done = len(self.history_) if hasattr(self, "net_") else 0
        if epochs is None:
            epochs = max(1, self.max_epochs - done)
        check_integer("epochs", epochs, least=0)
        if done + epochs > self.max_epochs:
            raise SourceError(
                "The learning rate falls to 0 at the end of "
                f"max_epochs={self.max_epochs}: {done} epochs are done, and {epochs} "
                f"more do not fit. Set max_epochs={done + epochs} before the first."
            )
        if done:
            self.net_.max_epochs = self.max_epochs
        return super().partial_fit(
            X,
            y,
            sample_source=sample_source,
            classes=classes,
            sources=sources,
            epochs=epochs,
        )

    def save_pretrained(self, folder: Any) -> None:
        """Write the fitted model to a folder that can be shared.

        The encoder and its tokenizer stand in ``encoder/``, as a transformers
        folder of their own, each head in ``heads/``, all weights as
        safetensors; settings and classes are JSON. Nothing in it is a pickle.

        Parameters
        ----------
        folder : str or path
            Where to. It is made if it is not there.
        """
        write_folder(self, folder)

    @classmethod
    def from_pretrained(cls, folder: Any, **params: Any) -> Self:
        """Read a model that :meth:`save_pretrained` wrote.

        It predicts as the one that was written. The optimizer's state is not
        kept, so that `partial_fit` goes on with the weights only.

        Parameters
        ----------
        folder : str or path
            The folder.

        **params : dict
            Parameters to change, such as `device`.

        Returns
        -------
        model : estimator instance
            The fitted estimator.
        """
        model: Self = read_folder(cls, folder, params)
        return model

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        shown = object.__new__(type(self))
        shown.__dict__.update(self.__dict__)
        if isinstance(self.checkpoint, tuple | list) and len(self.checkpoint) == 2:
            shown.checkpoint = _Shown(named(self.checkpoint))
        return str(BaseEstimator.__repr__(shown, N_CHAR_MAX))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Shown(str):
    """A text that is shown without quotation marks."""

    def __repr__(self) -> str:
        return str(self)
