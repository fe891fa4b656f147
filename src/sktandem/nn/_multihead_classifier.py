"""A classifier with a head for each source, for labels that differ."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetRegressor

from sktandem._cells import as_target, class_codes
from sktandem._sources import UNKNOWN
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.nn._balance import check_balance, row_weights
from sktandem.nn._multihead import BaseMultiHead
from sktandem.nn._probabilities import as_probabilities
from sktandem.nn._rows import Rows
from sktandem.nn._targets import checked_classes
from sktandem.nn._tasks import ClassTask, Task
from sktandem.schedules import Schedule

__all__ = ["MultiHeadClassifier"]


class MultiHeadClassifier(ClassifierMixin, BaseMultiHead):
    """Train one net with a head for each dataset, whose labels differ.

    Two datasets with other labels cannot be merged, and yet may have much in
    common. Here they share the body of a net, the trunk, and each keeps an
    output of its own, its head. What one teaches the trunk serves the other.

    Read more in the :ref:`User Guide <multihead>`.

    Parameters
    ----------
    net : skorch net, default=None
        A ``NeuralNetClassifier``, ``NeuralNet`` or a subclass of your own,
        unfitted. Its module is the trunk: it maps (n_rows, n_features) to
        (n_rows, width). `n_features` is filled in where the module's
        ``__init__`` names it, and `n_outputs`, if it names one, is the width.
        None means a perceptron with a hidden layer of 64 and a width of 32, and
        Adam.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that the label comes by the keyword `sample_source`. The column
        is taken out of the features.

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

    stems : {"shared", "source"}, default="shared"
        Whether all rows enter the trunk as they are, or each source through an
        input layer of its own, which sees only the columns that the source has.
        What it lacks altogether is missing in all of its rows, as
        ``stack_sources(..., join="outer")`` leaves it.

    head : sequence of int, callable or None, default=None
        What stands on the trunk for each source: None for a linear layer, the
        sizes of hidden layers, or a function ``(width, n_outputs) -> module``.

    batch_size : int or dict, default=None
        Rows in a batch, or a number for each source. -1 takes all rows of a
        source. None keeps the net's.

    validation_fraction : float, dict or None, default=0.2
        The part of each source that is held out to validate on,
        the same of each class. A
        dict gives the part by source, and sources it does not name are not
        validated. None turns validation off. Which rows it is depends on
        `random_state` and their place only.

    keep : {"best", "last"}, default="best"
        "best" goes back to the weights of the epoch with the best validation
        loss when `fit` ends: its mean over the sources, or that of
        `primary_source`. Without validation, and in `partial_fit`, the last
        weights stay.

    average : {"ema", "swa"}, float or None, default=None
        The source that trained last decides where the weights end. Averaged
        weights cure that: "ema" is an exponential moving average over steps
        with a decay of 0.99, a number is its decay, "swa" is the mean over the
        last quarter of the epochs [3]_. Validation, `keep` and predictions
        then concern the averaged weights. Running statistics, as of batch
        normalisation, are not averaged.

    balance : {"classes", "both"} or None, default=None
        Weighs the loss of rows. "classes" lets the classes count the same
        within each source, "both" every class of every source. What part the
        sources have in the training is for the schedule to say.

    scaler : str, transformer or None, default="standard"
        "standard", "minmax" or "robust" scales columns, a batch at a time, so
        that X is never copied. A transformer, such as
        :func:`~sktandem.table_preprocessor`, gets every column but the source.
        It is fitted inside `fit`, on training rows only. None leaves images
        and tokens as they are.

    scale_by : {"pooled", "source"}, default="pooled"
        Whether one scaler serves all rows, or each source has its own.

    primary_source : hashable, default=None
        The source you care about most: `keep` goes by its validation loss.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given: raise, ask the head of the primary source, or take the mean over
        the heads, where they answer the same question.

    history_detail : {"batch", "epoch"}, default="batch"
        Whether the history keeps a row for each batch of every epoch, or only
        of the present one. A row takes about 200 bytes.

    random_state : int, RandomState instance or None, default=None
        Seeds the weights, the split, the order of rows, the schedule and
        dropout. Torch's own random state stays as it was.

    verbose : int, default=None
        Whether to print a line for each epoch. None keeps the net's.

    Attributes
    ----------
    net_ : skorch net
        The trained net, of the class of `net`.

    module_ : MultiHead
        Its module, of a `trunk` and `heads` in the order of `sources_`, or the
        user's own.

    history_ : skorch.history.History
        A row for each epoch: `train_loss`, `valid_loss`, for each source
        ``train_loss[red]``, ``valid_loss[red]`` and ``rows_seen[red]`` (rows
        trained on so far), their mean `valid_loss_macro`, and `source`, who was
        in turn. Each batch has its `source`, too.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes of each source.

    tasks_ : tuple
        What each head learns.

    width_ : int
        Width of the embedding.

    features_ : object
        The fitted scaling of X.

    sources_ : tuple
        The names of the sources, in order.

    n_samples_by_source_ : dict of {source: int}
        The number of rows of each source that were trained on, those held out
        not counted.

    seed_ : int
        The seed that was drawn from `random_state`.

    precision_ : {"float64", "float32"}
        The precision of predictions. It is double on the CPU wherever the
        module can be cast to it and has less than 10 million weights. A row
        alone and the same row among others then agree to about 15 digits, in
        single precision to about 7: rounding depends on the rows of a batch.

    n_features_in_ : int
        Number of features seen in `fit`, the source column included.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all texts.

    See Also
    --------
    MultiHeadRegressor : The same for numbers as targets.
    MultiHeadEstimator : Classes for some sources and numbers for others.
    AlternatingClassifier : One output for all, where the labels are the same.

    Notes
    -----
    A step of "joint" passes a batch of every source through the trunk together,
    sums the losses of the heads and takes one optimizer step; it lasts until
    the longest source has been seen. A head gets no gradient from rows of
    another source. Everything else is as in
    :class:`AlternatingClassifier`: the order of rows, validation by source,
    the history, going on after an interruption.

    A module whose ``forward`` takes ``(X, source)`` is taken whole, heads and
    all. Rows come sorted by source. It returns a tensor if all rows have one
    source, else a list with a tensor for each source present, in order. Its
    ``__init__`` may name `n_outputs_by_source`, the outputs of each head, and
    it may offer ``embed(X, source)`` for :meth:`transform`.

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
    Three kinds of wine in one table, two verdicts on hearts in the other:

    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer, load_wine
    >>> from sktandem import MultiHeadClassifier, stack_sources
    >>> wine, breast = load_wine(), load_breast_cancer()
    >>> X, y, sample_source = stack_sources({
    ...     "breast": (breast.data[:, :13], breast.target_names[breast.target]),
    ...     "wine": (wine.data, wine.target_names[wine.target]),
    ... })
    >>> model = MultiHeadClassifier(scale_by="source", random_state=0)
    >>> model = model.fit(X, y, sample_source=sample_source)
    >>> model.classes_by_source_["wine"]
    array(['class_0', 'class_1', 'class_2'], dtype='<U9')
    >>> model.score(X, y, sample_source) > 0.95
    True
    """

    _default_task = "classification"

    def __init__(
        self,
        net: Any = None,
        *,
        source: str | int | None = None,
        schedule: str | Schedule = "joint",
        loss_weights: str | Mapping[Any, float] | None = None,
        stems: str = "shared",
        head: Any = None,
        batch_size: int | str | None = None,
        validation_fraction: float | None = 0.2,
        keep: str = "best",
        average: str | float | None = None,
        balance: str | None = None,
        scaler: Any = "standard",
        scale_by: ScaleBy = "pooled",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        history_detail: str = "batch",
        random_state: RandomState = None,
        verbose: int | None = None,
    ) -> None:
        self.net = net
        self.source = source
        self.schedule = schedule
        self.loss_weights = loss_weights
        self.stems = stems
        self.head = head
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.average = average
        self.balance = balance
        self.scaler = scaler
        self.scale_by = scale_by
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.history_detail = history_detail
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_source: Any = None,
        *,
        validation_data: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Train a clone of `net` on all sources in turns.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, n_features, ...)
            Samples of all sources. More than two dimensions need
            ``scaler=None``.

        y : array-like of shape (n_samples,)
            Labels of any kind, each of its own source.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source.

        validation_data : tuple (X, y) or (X, y, sample_source), default=None
            Rows to validate on instead of a part of X. They meet no
            preprocessing that stands in front of this estimator.

        resume_from : str or path, default=None
            The folder of a skorch ``Checkpoint``: training goes on after its
            last epoch, up to the net's `max_epochs`.

        Returns
        -------
        self : MultiHeadClassifier
            The fitted instance.

        Raises
        ------
        SourceError
            If labels, settings and data do not fit each other, the module does
            not fit the data, or the loss is no number any more.
        """
        return super().fit(
            X,
            y,
            sample_source,
            validation_data=validation_data,
            resume_from=resume_from,
        )

    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_source: Any = None,
        *,
        classes: Any = None,
        sources: Any = None,
        epochs: int | None = None,
    ) -> Self:
        """Go on training, from where the last call stopped.

        The scaling is that of the first call. `keep` does not apply: the last
        weights stay.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        y : array-like of shape (n_samples,)
            Labels of any kind, each of its own source.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        classes : dict or array-like, default=None
            In the first call: all labels that will ever come, by source or for
            every source.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means the net's `max_epochs`,
            which remains what a schedule takes for the whole of the training.

        Returns
        -------
        self : MultiHeadClassifier
            This instance.
        """
        return self._partial_fit(
            X, y, sample_source, classes=classes, sources=sources, epochs=epochs
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        if isinstance(self._net(), NeuralNetRegressor):
            raise SourceError(
                f"MultiHeadClassifier needs a net for classes, got "
                f"{type(self.net).__name__}. MultiHeadRegressor takes it."
            )
        check_balance(self.balance)

    def _checked_target(self, y: Any) -> NDArray[Any]:
        return checked_classes(y, by_head=True)

    def _task(self, name: Hashable, y: Any, classes: Any) -> Task:
        return ClassTask.of(name, y, None if classes is None else as_target(classes))

    def _learn_labels(self, rows: Rows, classes: Any = None) -> dict[str, Any]:
        learned = super()._learn_labels(rows, classes)
        own = {task.source: task.classes for task in learned["tasks_"]}
        every = np.array([label for c in own.values() for label in c.tolist()], object)
        union = class_codes(every)[0]
        kinds = {c.dtype.kind for c in own.values()}
        if len(kinds) == 1 and "O" not in kinds:
            union = np.array(union.tolist())
        return learned | {"classes_": union, "classes_by_source_": own}

    def _row_weights(
        self, rows: Rows, used: NDArray[np.intp] | None
    ) -> NDArray[np.float64] | None:
        return row_weights(
            self.balance, rows.targets[:, 0].astype(int), rows.sources, used
        )

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the class of each sample, one of its own source.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, whose head answers.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """
        check_is_fitted(self)
        codes = self._read_to_predict(X, sample_source)[1]
        if (codes == UNKNOWN).any():
            proba = self.predict_proba(X, sample_source)
            return self.classes_[proba.argmax(axis=1)]
        predicted = np.empty(len(codes), dtype=self.classes_.dtype)
        for task, rows, _, scores in self._parts("predict_proba", X, sample_source):
            predicted[rows] = task.decode(scores)
        return predicted

    def predict_proba(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, whose head answers.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`: 0 for classes that the
            sample's source does not have.
        """
        check_is_fitted(self)
        place = {label: column for column, label in enumerate(self.classes_.tolist())}
        n_rows = len(self._read_to_predict(X, sample_source)[1])
        total = np.zeros((n_rows, len(place)))
        for task, rows, known, scores in self._parts("predict_proba", X, sample_source):
            assert isinstance(task, ClassTask)  # as are all of a classifier
            columns = np.array([place[label] for label in task.classes.tolist()])
            share = np.where(known, 1.0, 1 / len(self.tasks_))[:, None]
            proba = as_probabilities(scores, len(columns), self.net_)
            total[np.ix_(rows, columns)] += share * proba
        return total

    def score(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the accuracy over all samples.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        y : array-like of shape (n_samples,)
            True classes.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            Share of samples whose class is predicted.
        """
        right = np.ravel(as_target(y)) == self.predict(X, sample_source)
        return float(np.average(right, weights=sample_weight))
