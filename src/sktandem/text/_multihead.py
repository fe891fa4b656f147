"""A head for each text dataset on one pretrained encoder."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, Self

from sktandem._typing import RandomState, UnknownSource
from sktandem.nn._multihead_classifier import MultiHeadClassifier
from sktandem.schedules import Schedule
from sktandem.text._finetuning import FineTunesEncoder

__all__ = ["TextMultiHeadClassifier"]


class TextMultiHeadClassifier(FineTunesEncoder, MultiHeadClassifier):
    """Fine-tune one pretrained encoder on several text datasets with their own labels.

    Bank questions in English with 77 intents and tweets in German with two
    labels are usually given a model each, at twice the memory, with nothing
    learned in common. Here both go through one encoder, and each dataset has a
    head of its own.

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

    schedule : str or Schedule, default="joint"
        Who trains when: an object of :mod:`sktandem.schedules`, or one of
        "joint", "batches", "epochs", "plateau", "sampled", "curriculum",
        "bandit" and "shuffled" for one with its defaults.

    loss_weights : {"size", "uncertainty", "dwa"}, dict or None, default=None
        What the loss of each source counts, whoever is in turn.

        - None: every source the same.
        - "size": by its rows.
        - dict: as given, a weight for each source.
        - "uncertainty": by a variance for each source that is trained with the
          net [1]_.
        - "dwa": more for a source whose loss falls more slowly [2]_.

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
        The learning rate of the heads, which begin at random and so need more than
        the encoder. None means 0.01.

    warmup_ratio : float, default=0.1
        The part of all steps in which the rates rise in a straight line from 0.
        After it they fall in a straight line to 0.

    weight_decay : float, default=0.01
        The decoupled decay of AdamW [3]_. Biases and the weights of
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
        What stands on the encoder for each source: None for a linear layer, the
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
        Averaged weights, as of :class:`~sktandem.MultiHeadClassifier`.

    balance : {"classes", "both"} or None, default=None
        Weighs the loss of rows, as in :class:`~sktandem.MultiHeadClassifier`.

    primary_source : hashable, default=None
        The source you care about most: `keep` and `patience` go by its
        validation loss.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a text whose source was not there in `fit`, or is not
        given: raise, ask the head of the primary source, or take the mean over
        the heads, where they answer the same question.

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

    module_ : MultiHead
        Its module: the encoder is `trunk`, and `heads` are in the order of
        `sources_`.

    history_ : skorch.history.History
        A row for each epoch: `train_loss`, `valid_loss`, for each source
        ``train_loss[en]``, ``valid_loss[en]`` and ``rows_seen[en]``, their mean
        `valid_loss_macro`, `source`, who was in turn, and `lr`, the learning
        rate of the encoder at the end, or the heads' where the encoder is frozen.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes of each source.

    tasks_ : tuple
        What each head learns.

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
    TextAlternatingClassifier : One head for all, where the labels are the same.
    sktandem.MultiHeadClassifier : The same for tables, with any torch module.
    sktandem.inspection.HistoryDisplay : Draws the losses and the turns.

    Notes
    -----
    It is a :class:`~sktandem.MultiHeadClassifier` whose trunk reads texts:
    schedules, history, validation by source and going on after an interruption
    are the same. Texts are cut into tokens once. Batches hold texts of like
    length and are as wide as their longest; a step of two sources goes through
    the encoder in two parts where one's texts are much shorter.

    The rates of step :math:`t` of :math:`T` are :math:`t / wT` of their largest
    value in the warm-up of the share :math:`w`, and
    :math:`(T - t) / (T - wT)` after it. Gradients are clipped after they were
    accumulated.

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla (2018), "Multi-Task Learning Using
       Uncertainty to Weigh Losses for Scene Geometry and Semantics", CVPR.
    .. [2] S. Liu, E. Johns and A. J. Davison (2019), "End-to-End Multi-Task
       Learning with Attention", CVPR.
    .. [3] I. Loshchilov and F. Hutter (2019), "Decoupled Weight Decay
       Regularization", ICLR.

    Examples
    --------
    Questions to a bank, and what Germans say of their food:

    >>> from sktandem import stack_sources
    >>> from sktandem.text import TextMultiHeadClassifier, small_encoder
    >>> bank = ["my card is lost", "where is my card", "i lost the card",
    ...         "send me money", "my money is not there", "where is the money"]
    >>> food = ["das schmeckt gut", "sehr gut", "gut und billig",
    ...         "das ist schlecht", "schlecht und teuer", "sehr schlecht"]
    >>> checkpoint = small_encoder(bank + food, random_state=0)
    >>> model = TextMultiHeadClassifier(
    ...     checkpoint, lr=3e-3, max_epochs=15, validation_fraction=None,
    ...     random_state=0,
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
        checkpoint: Any,
        *,
        source: str | int | None = None,
        text_column: str | int | None = None,
        schedule: str | Schedule = "joint",
        loss_weights: str | Mapping[Any, float] | None = None,
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
        self.loss_weights = loss_weights
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
        """Fine-tune the encoder and train the heads on all sources.

        Parameters
        ----------
        X : list, array or series of str, or data frame
            Texts of all sources, alone or in the column `text_column`.

        y : array-like of shape (n_samples,)
            Labels of any kind, each of its own source.

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
        self : TextMultiHeadClassifier
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
            Labels of any kind, each of its own source.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each text.

        classes : dict or array-like, default=None
            In the first call: all labels that will ever come, by source or for
            every source.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means all that are left.

        Returns
        -------
        self : TextMultiHeadClassifier
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
