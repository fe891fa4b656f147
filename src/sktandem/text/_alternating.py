"""One classifier for several text datasets with the same labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, Self

from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from sktandem._typing import RandomState, UnknownSource
from sktandem.nn._classifier import AlternatingClassifier
from sktandem.nn._predicting import embedded
from sktandem.nn._rows import Piece
from sktandem.schedules import Schedule
from sktandem.text._encoder import OneHeadOn
from sktandem.text._finetuning import FineTunesEncoder

__all__ = ["TextAlternatingClassifier"]


class TextAlternatingClassifier(
    FineTunesEncoder,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    AlternatingClassifier,
):
    """Fine-tune one pretrained encoder on several text datasets with the same labels.

    Reviews in English and in German, complaints of two firms: the labels are
    the same, the words are not. One encoder and one head learn them all, in
    turns, so that a small dataset is heard beside a large one.

    Read more in the :ref:`User Guide <text>`.

    Parameters
    ----------
    checkpoint : str, path or tuple
        The encoder: the folder of a transformers model, the name of one on the
        Hugging Face hub, or a loaded ``(model, tokenizer)``, which is copied
        and never trained in place. :func:`small_encoder` makes one that is
        untrained.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that the label comes by the keyword `sample_source`.

    text_column : str or int, default=None
        Name or position of the column of X that holds the texts. None means the
        only one besides `source`. X may also be a list of texts.

    schedule : str or Schedule, default="batches"
        Who trains when: an object of :mod:`sktandem.schedules`, or one of
        "joint", "batches", "epochs", "plateau", "sampled", "curriculum",
        "bandit" and "shuffled" for one with its defaults.

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

    head_lr : float, default=None
        The learning rate of the head, which begins at random and so needs more than
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

    max_epochs : int, default=3
        How often the schedule's epoch is run.

    patience : int or None, default=None
        Training ends after so many epochs without a lower validation loss. None
        runs all of them. The learning rate falls as `max_epochs` says, so that a
        fit that ends early has not seen the low ones.

    head : sequence of int, callable or None, default=None
        What stands on the encoder: None for a linear layer, the
        sizes of hidden layers, or a function ``(width, n_outputs) -> module``.

    dropout : float, default=0.1
        Share of the pooled vector's values that are dropped in training, before
        the head. The encoder has its own.

    mixed_precision : {"auto", "bf16"} or None, default="auto"
        The precision in which the encoder computes; weights, heads and losses
        stay single. "auto" takes bfloat16 on a GPU that has it, and single
        precision on others. "bf16" takes it
        anywhere: on a processor with the instructions for it (AMX) it halves the
        time, on others it takes longer.

    device : str, default="auto"
        Where to train. "auto" is a CUDA GPU, if there is one.

    validation_fraction : float, dict or None, default=0.1
        The part of each source that is held out to validate on,
        the same of each class. A
        dict gives the part by source, and sources it does not name are not
        validated. None turns validation off.

    keep : {"best", "last"}, default="best"
        "best" goes back to the weights of the epoch with the best validation
        loss when `fit` ends: its mean over the sources, or that of
        `primary_source`.

    average : {"ema", "swa"}, float or None, default=None
        Averaged weights, as of :class:`~sktandem.AlternatingClassifier`.

    balance : {"classes", "both"} or None, default=None
        Weighs the loss of rows, as in :class:`~sktandem.AlternatingClassifier`.

    primary_source : hashable, default=None
        The source you care about most: `keep` and `patience` go by its
        validation loss.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        Nothing here depends on the source of a row once the training is over, so
        that it matters only for names that must be there.

    callbacks : list of skorch callbacks, default=None
        Further callbacks, such as a ``Checkpoint``.

    history_detail : {"batch", "epoch"}, default="batch"
        Whether the history keeps a row for each batch of every epoch, or only
        of the present one.

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
        Its module: the encoder is `trunk`, the head is `head`.

    history_ : skorch.history.History
        A row for each epoch: `train_loss`, `valid_loss`, for each source
        ``train_loss[en]``, ``valid_loss[en]`` and ``rows_seen[en]``, their mean
        `valid_loss_macro`, `source`, who was in turn, and `lr`, the learning
        rate of the encoder at the end, or the head's where the encoder is frozen.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes of each source.

    width_ : int
        Width of the embedding.

    features_ : object
        The tokenizer, and how it is used.

    sources_ : tuple
        The names of the sources, in order.

    n_samples_by_source_ : dict of {source: int}
        The number of rows of each source that were trained on, those held out
        not counted.

    seed_ : int
        The seed that was drawn from `random_state`.

    precision_ : {"float64", "float32"}
        The precision of predictions: single, but double for the heads of a
        frozen encoder on the CPU.

    n_features_in_ : int
        Number of columns seen in `fit`, where X has columns.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where they are all texts.

    See Also
    --------
    TextMultiHeadClassifier : A head for each dataset, where the labels differ.
    sktandem.AlternatingClassifier : The same for tables, with any torch module.
    sktandem.inspection.HistoryDisplay : Draws the losses and the turns.

    Notes
    -----
    It is an :class:`~sktandem.AlternatingClassifier` whose module reads texts;
    see :class:`TextMultiHeadClassifier` for how.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter (2019), "Decoupled Weight Decay
       Regularization", ICLR.

    Examples
    --------
    >>> from sktandem.text import TextAlternatingClassifier, small_encoder
    >>> texts = ["this is good", "so good", "good food", "this is bad", "so bad",
    ...          "bad food", "das ist gut", "sehr gut", "das ist schlecht",
    ...          "sehr schlecht"]
    >>> labels = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    >>> sample_source = ["en"] * 6 + ["de"] * 4
    >>> model = TextAlternatingClassifier(
    ...     small_encoder(texts, random_state=0), lr=3e-3, max_epochs=15,
    ...     validation_fraction=None, random_state=0,
    ... )
    >>> model = model.fit(texts, labels, sample_source=sample_source)
    >>> model.predict(["bad", "gut"])
    array([0, 1])
    >>> model.score(texts, labels)
    1.0
    """

    def __init__(
        self,
        checkpoint: Any,
        *,
        source: str | int | None = None,
        text_column: str | int | None = None,
        schedule: str | Schedule = "batches",
        pooling: Literal["mean", "cls", "max", "pooler"] = "mean",
        max_length: int = 128,
        prefix: str = "",
        batch_size: int | str | None = 16,
        freeze: Literal["embeddings", "encoder"] | int | None = "embeddings",
        lr: float = 2e-5,
        head_lr: float | None = None,
        warmup_ratio: float = 0.1,
        weight_decay: float = 0.01,
        max_grad_norm: float | None = 1.0,
        gradient_accumulation_steps: int = 1,
        max_epochs: int = 3,
        patience: int | None = None,
        head: Any = None,
        dropout: float = 0.1,
        mixed_precision: Literal["auto", "bf16"] | None = "auto",
        device: str = "auto",
        validation_fraction: float | None = 0.1,
        keep: str = "best",
        average: str | float | None = None,
        balance: str | None = None,
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        callbacks: Sequence[Any] | None = None,
        history_detail: str = "batch",
        random_state: RandomState = None,
        verbose: int | None = 0,
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.text_column = text_column
        self.schedule = schedule
        self.pooling = pooling
        self.max_length = max_length
        self.prefix = prefix
        self.batch_size = batch_size
        self.freeze = freeze
        self.lr = lr
        self.head_lr = head_lr
        self.warmup_ratio = warmup_ratio
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.max_epochs = max_epochs
        self.patience = patience
        self.head = head
        self.dropout = dropout
        self.mixed_precision = mixed_precision
        self.device = device
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.average = average
        self.balance = balance
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.callbacks = callbacks
        self.history_detail = history_detail
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        validation_data: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Fine-tune the encoder and train the head on all sources.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts of all sources, alone or in the column `text_column`.

        y : array-like of shape (n_samples,)
            Labels of any kind.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each text; it wins over the column `source`. With
            neither, all texts are one source.

        validation_data : tuple (X, y) or (X, y, sample_source), default=None
            Texts to validate on instead of a part of X.

        resume_from : str or path, default=None
            The folder of a skorch ``Checkpoint``: training goes on after its
            last epoch, up to `max_epochs`.

        Returns
        -------
        self : TextAlternatingClassifier
            The fitted instance.

        Raises
        ------
        SourceError
            If texts are missing, empty or no texts, the checkpoint is not there
            or does not fit its tokenizer, labels and settings do not fit each
            other, or the loss is no number any more.
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
        sources: Any = None,
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

        classes : array-like, default=None
            In the first call: all labels that will ever come.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means all that are left.

        Returns
        -------
        self : TextAlternatingClassifier
            This instance.
        """
        epochs = self._left_to_train(epochs)
        return super().partial_fit(
            X,
            y,
            sample_source=sample_source,
            classes=classes,
            sources=sources,
            epochs=epochs,
        )

    def transform(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Return what the encoder makes of each text.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts.

        sample_source : array-like of shape (n_samples,), default=None
            Not needed: all texts go the same way.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The pooled vectors of the encoder.
        """
        check_is_fitted(self)
        return self._outputs(embedded, X, sample_source)[0]

    def fit_transform(
        self, X: Any, y: Any = None, *, sample_source: Any = None, **fit_params: Any
    ) -> NDArray[Any]:
        """Fit, and return what the encoder makes of each text.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts of all sources.

        y : array-like
            Labels.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each text.

        **fit_params : dict
            Further parameters of `fit`.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The pooled vectors of the encoder.
        """
        return self.fit(X, y, sample_source=sample_source, **fit_params).transform(X)

    @property
    def _n_features_out(self) -> int:
        return self.width_

    def _net_for(self, X: Any, learned: dict[str, Any]) -> NeuralNet:
        trunk = self._trunk_of(learned["features_"])
        module = OneHeadOn(trunk, self.head, self._example(X))
        return self._net().set_params(module=module)

    def _built(
        self, data: tuple[Piece, Piece | None], learned: dict[str, Any], seed: int
    ) -> NeuralNet:
        net = super()._built(data, learned, seed)
        learned["width_"] = net.module_.width
        return net
