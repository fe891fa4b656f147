"""A classifier whose net takes turns between the sources."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import (
    check_is_fitted,
)
from skorch import (
    NeuralNet,
    NeuralNetBinaryClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from torch import Tensor

from sktandem._cells import (
    as_target,
    class_codes,
    classes_by_source,
)
from sktandem._sources import Sources, counted, did_you_mean
from sktandem._telling import outside
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn._alternating import BaseAlternating
from sktandem.nn._balance import check_balance, row_weights
from sktandem.nn._modules import default_net
from sktandem.nn._net import is_binary
from sktandem.nn._precision import dtype_of
from sktandem.nn._probabilities import as_probabilities, label_accuracy
from sktandem.nn._rows import Rows
from sktandem.nn._targets import checked_classes
from sktandem.schedules import Schedule

__all__ = ["AlternatingClassifier"]


class AlternatingClassifier(ClassifierMixin, BaseAlternating):
    """Train any skorch classifier on several datasets in turns.

    Whoever trains one net on two datasets writes a loop by hand, and has to
    think of the switching, of unequal sizes, of validation by source, and of
    the last dataset having the last word. Here that loop is skorch's own, and
    who trains when is a parameter, to be searched like any other.

    Read more in the :ref:`User Guide <alternating>`.

    Parameters
    ----------
    net : skorch net, default=None
        A ``NeuralNetClassifier``, ``NeuralNetBinaryClassifier``, ``NeuralNet`` or
        a subclass of your own, unfitted. A fitted net, or a module
        that is an instance, is cloned and never trained in place. The sizes
        `n_features` and `n_outputs` are filled in where the module's
        ``__init__`` names them. None means :func:`sktandem.nn.default_net`, a
        perceptron with Adam.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. None
        means that the label comes by the keyword `sample_source`. The column
        is taken out of the features.

    schedule : str or Schedule, default="batches"
        Who trains when: an object of :mod:`sktandem.schedules`, or one of
        "batches", "epochs", "plateau", "sampled", "curriculum", "bandit",
        "joint" and "shuffled" for one with its defaults.

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
        last quarter of the epochs [1]_. Validation, `keep` and predictions
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
        given, where the prediction depends on the source: raise, treat it as
        the primary source's, or take the measure of all rows.

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

    module_ : torch.nn.Module
        Its module.

    history_ : skorch.history.History
        A row for each epoch: `train_loss`, `valid_loss`, for each source
        ``train_loss[red]``, ``valid_loss[red]`` and ``rows_seen[red]`` (rows
        trained on so far), their mean `valid_loss_macro`, and `source`, who was
        in turn. Each batch has its `source`, too.

    classes_ : ndarray of shape (n_classes,)
        The classes of all sources.

    classes_by_source_ : dict of {source: ndarray}
        The classes that each source has in `fit`.

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
    AlternatingRegressor : The same for numbers as target.
    MergedClassifier : Any scikit-learn classifier on the merged rows.
    sktandem.inspection.HistoryDisplay : Draws the losses and the turns.

    Notes
    -----
    Each step trains on a batch of one source, as the schedule says; "joint" on
    a batch of each at once. Rows come in an order that is a function of seed,
    source and pass, and the schedule's only memory is the history. So three
    calls of `partial_fit` with two epochs each end bit for bit where six epochs
    of `fit` with ``keep="last"`` do, and a fit that was killed goes on from a
    checkpoint as if it had not been; only callbacks that count for themselves,
    such as ``StepLR`` or ``EarlyStopping``, begin anew. With ``keep="best"`` the
    weights go back to the best epoch, and the optimizer's own state does not.

    Training runs in skorch's own fit loop, with its callbacks. Where no step of
    the net is overridden, a shorter form of the loop takes over, to the same
    bit. `sample_weight` is not taken: a row of weight 2 is not two rows in a
    shuffled batch.

    References
    ----------
    .. [1] P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov and A. G. Wilson
       (2018), "Averaging Weights Leads to Wider Optima and Better
       Generalization", UAI.

    Examples
    --------
    A tenth of the rows follow another rule than the rest:

    >>> from sktandem import AlternatingClassifier
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import score_by_source
    >>> from sktandem.nn import default_net
    >>> X, y, sample_source = make_two_sources(
    ...     2000, task="classification", size_ratio=9, concept_angle=90, noise=0.2,
    ...     return_X_y=True, random_state=0,
    ... )
    >>> for schedule in ("shuffled", "batches"):
    ...     net = default_net(max_epochs=10)
    ...     model = AlternatingClassifier(net, schedule=schedule, random_state=0)
    ...     model = model.fit(X, y, sample_source=sample_source)
    ...     scores = score_by_source(model, X, y, sample_source).by_source
    ...     print(f"{schedule}: {scores['second']:.1f}")
    shuffled: 0.6
    batches: 0.7

    Turn by turn, the small source is heard.
    """

    def __init__(
        self,
        net: Any = None,
        *,
        source: str | int | None = None,
        schedule: str | Schedule = "batches",
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
            Labels of any kind.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`. With
            neither, all samples are one source.

        validation_data : tuple (X, y) or (X, y, sample_source), default=None
            Rows to validate on instead of a part of X, also of sources that do
            not train. They meet no preprocessing that stands in front of this
            estimator.

        resume_from : str or path, default=None
            The folder of a skorch ``Checkpoint``: training goes on after its
            last epoch, up to the net's `max_epochs`.

        Returns
        -------
        self : AlternatingClassifier
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
            Labels of any kind.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        classes : array-like, default=None
            In the first call: all labels that will ever come.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means the net's `max_epochs`,
            which remains what a schedule takes for the whole of the training.

        Returns
        -------
        self : AlternatingClassifier
            This instance.
        """
        return self._partial_fit(
            X, y, sample_source, classes=classes, sources=sources, epochs=epochs
        )

    def _net(self) -> NeuralNet:
        return default_net() if self.net is None else self.net

    def _check_settings(self) -> None:
        super()._check_settings()
        if isinstance(self._net(), NeuralNetRegressor):
            raise SourceError(
                f"AlternatingClassifier needs a net for classes, got "
                f"{type(self.net).__name__}. AlternatingRegressor takes it."
            )
        check_balance(self.balance)

    def _checked_target(self, y: Any) -> NDArray[Any]:
        return checked_classes(y)

    def _learn_labels(self, rows: Rows, classes: Any = None) -> dict[str, Any]:
        """Return the classes, of all sources and of each."""
        of_y, _ = class_codes(rows.y)
        if classes is None:
            classes = of_y
        else:
            classes, _ = class_codes(as_target(classes))
        if is_binary(self._net()) and len(classes) > 2:
            raise SourceError(
                f"{type(self._net()).__name__} tells two classes apart, and y has "
                f"{len(classes)}: {classes[:10].tolist()}. Use NeuralNetClassifier."
            )
        own = classes_by_source(rows.sources, rows.y)
        single = [name for name, some in own.items() if len(some) == 1]
        if single and len(of_y) > 1:
            label = own[single[0]].tolist()[0]
            more = (
                f" {counted(len(single) - 1, 'other source')} too."
                if single[1:]
                else ""
            )
            warnings.warn(
                f"The source {single[0]!r} has a single class, {label!r}: its batches "
                f"teach the net to say nothing else.{more} schedule='shuffled' mixes "
                "sources within a batch.",
                SourceWarning,
                stacklevel=outside(),
            )
        present = {name: some.tolist() for name, some in own.items() if len(some)}
        if len(present) > 1 and not _share_a_class(present):
            shown = {name: some[:3] for name, some in present.items()}
            warnings.warn(
                f"No two sources have a class in common: {shown}. One output tells "
                "rather the sources apart; MultiHeadClassifier gives each its own "
                "head, TextMultiHeadClassifier where X are texts.",
                SourceWarning,
                stacklevel=outside(),
            )
        return {
            "classes_": classes,
            "classes_by_source_": own,
            "sources_": rows.sources.names,
        }

    def _add_labels(self, rows: Rows) -> dict[str, Any]:
        learned = super()._add_labels(rows)
        now = classes_by_source(rows.sources, rows.y)
        learned["classes_by_source_"] = {
            name: self._in_order({*own.tolist(), *now[name].tolist()})
            for name, own in self.classes_by_source_.items()
        }
        return learned

    def _in_order(self, labels: Any) -> NDArray[Any]:
        return self.classes_[[label in labels for label in self.classes_.tolist()]]

    def _encoded(
        self, y: Any, sources: Sources, learned: dict[str, Any]
    ) -> NDArray[Any]:
        """Return the position of each label among the classes."""
        found, codes = class_codes(y)
        place = {label: code for code, label in enumerate(learned["classes_"].tolist())}
        unseen = [label for label in found.tolist() if label not in place]
        if unseen:
            raise SourceError(
                f"y holds {unseen[:5]}, which fit did not see. The classes are "
                f"{list(place)[:10]}.{did_you_mean(unseen[0], place)} partial_fit "
                "takes all that will come by classes= in its first call."
            )
        order = np.array([place[label] for label in found.tolist()], dtype=np.int64)
        return order[codes]

    def _learn_target_scale(
        self, rows: Rows, used: NDArray[np.intp] | None, learned: dict[str, Any]
    ) -> None:
        pass  # classes have no scale

    def _row_weights(
        self, rows: Rows, used: NDArray[np.intp] | None
    ) -> NDArray[np.float64] | None:
        """Return the weight of each row's loss, 0 for rows held out."""
        return row_weights(self.balance, rows.targets, rows.sources, used)

    def _n_outputs(self, net: NeuralNet, learned: dict[str, Any]) -> tuple[int, str]:
        """Return how many outputs the module needs, and why."""
        n_classes = len(learned["classes_"])
        if is_binary(net):
            return 1, f"{type(net).__name__} tells two classes apart by one number"
        shown = ", ".join(repr(label) for label in learned["classes_"][:5].tolist())
        more = ", ..." if n_classes > 5 else ""
        return max(2, n_classes), f"y has {counted(n_classes, 'class')} ({shown}{more})"

    def _target_tensor(
        self, rows: Rows, learned: dict[str, Any], net: NeuralNet, n_dims: int
    ) -> Tensor:
        targets = torch.from_numpy(rows.targets)
        if not is_binary(net):
            return targets
        shape = (-1,) if n_dims == 1 else (-1, 1)
        return targets.to(dtype_of(net)).reshape(shape)

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted classes.
        """
        check_is_fitted(self)
        own = isinstance(self.net_, NeuralNetClassifier | NeuralNetBinaryClassifier)
        if own:
            codes, _ = self._outputs("predict", X, sample_source)
        else:
            codes = self._class_scores(X, sample_source).argmax(axis=1)
        # A net for one class has a second output that means nothing.
        codes = np.minimum(np.ravel(codes).astype(int), len(self.classes_) - 1)
        return self.classes_[codes]

    def predict_proba(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` is "source".

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        scores = self._class_scores(X, sample_source)
        return as_probabilities(scores, len(self.classes_), self.net_)

    def _class_scores(self, X: Any, sample_source: Any) -> NDArray[np.float64]:
        """Return what the net gives for each class, be it probabilities or not."""
        scores, _ = self._outputs("predict_proba", X, sample_source)
        scores = scores.reshape(len(scores), -1).astype(np.float64)
        if scores.shape[1] == 1:  # of the second of two classes
            scores = np.hstack([1 - scores, scores])
        return scores

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
            The source of each sample, needed where `scale_by` is "source".

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            Share of samples whose class is predicted.
        """
        return label_accuracy(y, self.predict(X, sample_source), sample_weight)


def _share_a_class(by_source: Mapping[Hashable, Sequence[Any]]) -> bool:
    """Tell whether any two sources have a class in common."""
    every = [label for own in by_source.values() for label in own]
    return len(set(every)) < len(every)
