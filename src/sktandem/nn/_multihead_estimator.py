"""A head for each source, of classes for some and of numbers for others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier

from sktandem._cells import as_target
from sktandem._sources import did_you_mean
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.nn._multihead import BaseMultiHead
from sktandem.nn._rows import Rows
from sktandem.nn._targets import numbers_of_objects
from sktandem.nn._tasks import ClassTask, NumberTask, Task, TaskCriterion
from sktandem.schedules import Schedule

__all__ = ["MultiHeadEstimator"]

KINDS = ("classification", "regression")


class MultiHeadEstimator(BaseMultiHead):
    """Train one net on datasets of which some have classes and some numbers.

    Read more in the :ref:`User Guide <multihead>`.

    Parameters
    ----------
    tasks : dict of {source: {"classification", "regression"}}
        What the head of each source learns.

    net : skorch net, default=None
        A ``NeuralNet``, ``NeuralNetRegressor`` or a subclass of your own,
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

    classes_by_source_ : dict of {source: ndarray}
        The classes of each source that has classes.

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
    MultiHeadClassifier : Classes for all sources.
    MultiHeadRegressor : Numbers for all sources.

    Notes
    -----
    Heads of classes have cross-entropy as their loss, heads of numbers squared
    error, whatever the net's criterion. Everything else is as in
    :class:`MultiHeadClassifier`.

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
    One table tells whether somebody fell ill, the other for how long:

    >>> import numpy as np
    >>> from sktandem import MultiHeadEstimator
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 5))
    >>> sample_source = np.repeat(["clinic", "survey"], 300)
    >>> y = np.empty(600, dtype=object)
    >>> y[:300] = np.where(X[:300, 0] > 0, "ill", "well")
    >>> y[300:] = 30 + 10 * X[300:, 0]
    >>> model = MultiHeadEstimator(
    ...     {"clinic": "classification", "survey": "regression"}, random_state=0
    ... )
    >>> model = model.fit(X, y, sample_source=sample_source)
    >>> model.score(X, y, sample_source) > 0.9
    True
    """

    _default_task = "regression"

    def __init__(
        self,
        tasks: Mapping[Any, str],
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
        scaler: Any = "standard",
        scale_by: ScaleBy = "pooled",
        primary_source: Hashable = None,
        unknown_source: UnknownSource = "error",
        history_detail: str = "batch",
        random_state: RandomState = None,
        verbose: int | None = None,
    ) -> None:
        self.tasks = tasks
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
            Labels or numbers, as the source of each sample has them.

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
        self : MultiHeadEstimator
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
            Labels or numbers, as the source of each sample has them.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        classes : dict of {source: array-like}, default=None
            In the first call: all labels that will ever come, for sources that
            have classes.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means the net's `max_epochs`,
            which remains what a schedule takes for the whole of the training.

        Returns
        -------
        self : MultiHeadEstimator
            This instance.
        """
        return self._partial_fit(
            X, y, sample_source, classes=classes, sources=sources, epochs=epochs
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        if not isinstance(self.tasks, dict) or not self.tasks:
            raise SourceError(
                "tasks must be a dict that gives each source 'classification' or "
                f"'regression', got {self.tasks!r}."
            )
        for name, kind in self.tasks.items():
            if kind not in KINDS:
                raise SourceError(
                    f"tasks gives {name!r} the task {kind!r}. It must be one of "
                    f"{list(KINDS)}.{did_you_mean(kind, KINDS)}"
                )
        net = self._net()
        if isinstance(net, NeuralNetClassifier | NeuralNetBinaryClassifier):
            raise SourceError(
                f"MultiHeadEstimator needs a plain net, got {type(net).__name__}, "
                "which knows classes only. skorch.NeuralNet will do."
            )

    def _checked_target(self, y: Any) -> NDArray[Any]:
        y = as_target(y)
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        if y.ndim != 1:
            raise SourceError(
                f"MultiHeadEstimator takes one target for each row, got shape {y.shape}"
                ". MultiHeadRegressor takes several."
            )
        assert_all_finite(y, input_name="y")
        return y

    def _learn_labels(self, rows: Rows, classes: Any = None) -> dict[str, Any]:
        names = rows.sources.names
        missing = [name for name in names if name not in self.tasks]
        if missing:
            raise SourceError(
                f"tasks says nothing of {missing}. The sources are {list(names)}, and "
                f"tasks names {list(self.tasks)}."
            )
        if classes is not None:
            self._check_classes(classes, names)
        learned = super()._learn_labels(rows, classes)
        of_classes = {
            task.source: task.classes
            for task in learned["tasks_"]
            if isinstance(task, ClassTask)
        }
        return learned | {"classes_by_source_": of_classes}

    def _check_classes(self, classes: Any, names: Sequence[Hashable]) -> None:
        """Refuse classes that are not told by source, or belong to a regression."""
        if not isinstance(classes, Mapping):
            raise SourceError(
                "classes must be a dict of labels by source, got "
                f"{type(classes).__name__}."
            )
        for name in classes:
            if name in names and self.tasks[name] == "regression":
                raise SourceError(
                    f"classes gives labels to {name!r}, and tasks has it learn numbers."
                )

    def _task(self, name: Hashable, y: Any, classes: Any) -> Task:
        if self.tasks[name] == "regression":
            return NumberTask.of(name, numbers_of_objects(name, y))
        return ClassTask.of(name, y, None if classes is None else as_target(classes))

    def _set_criterion(self, net: NeuralNet, tasks: Sequence[Task]) -> None:
        net.set_params(criterion=TaskCriterion)

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the target of each sample, by the head of its source.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, whose head answers.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels and numbers: floats if all labels are numbers, else
            objects.
        """
        return self._predicted(X, sample_source)[0]

    def score(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the mean over the sources of accuracy or R2.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        y : array-like of shape (n_samples,)
            True targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            The macro mean.
        """
        return self._macro_score(X, y, sample_source, sample_weight)
