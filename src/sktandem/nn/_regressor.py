"""A regressor whose net takes turns between the sources."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import Tensor

from sktandem._affine import AffineMaps, fit_affine
from sktandem._cells import as_target
from sktandem._macro import macro_r2
from sktandem._sources import ONLY_SOURCE, Codes, Sources, counted
from sktandem._typing import RandomState, ScaleBy, UnknownSource
from sktandem.exceptions import SourceError
from sktandem.nn._alternating import BaseAlternating
from sktandem.nn._features import as_tensor
from sktandem.nn._modules import default_net
from sktandem.nn._precision import dtype_of
from sktandem.nn._rows import Rows
from sktandem.nn._targets import checked_numbers
from sktandem.schedules import Schedule

__all__ = ["AlternatingRegressor"]

TARGET_SCALES = (None, "pooled", "source")


class AlternatingRegressor(RegressorMixin, BaseAlternating):
    """Train any skorch regressor on several datasets in turns.

    Whoever trains one net on two datasets writes a loop by hand, and has to
    think of the switching, of unequal sizes, of validation by source, and of
    the last dataset having the last word. Here that loop is skorch's own, and
    who trains when is a parameter, to be searched like any other.

    Read more in the :ref:`User Guide <alternating>`.

    Parameters
    ----------
    net : skorch net, default=None
        A ``NeuralNetRegressor``, ``NeuralNet`` or a subclass of your own,
        unfitted. A fitted net, or a module
        that is an instance, is cloned and never trained in place. The sizes
        `n_features` and `n_outputs` are filled in where the module's
        ``__init__`` names them. None means ``sktandem.nn.default_net('regression')``, a
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
        the same of each tenth of its targets. A
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

    scaler : str, transformer or None, default="standard"
        "standard", "minmax" or "robust" scales columns, a batch at a time, so
        that X is never copied. A transformer, such as
        :func:`~sktandem.table_preprocessor`, gets every column but the source.
        It is fitted inside `fit`, on training rows only. None leaves images
        and tokens as they are.

    scale_by : {"pooled", "source"}, default="pooled"
        Whether one scaler serves all rows, or each source has its own.

    scale_target_by : {"pooled", "source"} or None, default=None
        "pooled" standardises the target in `fit` by the mean and the standard
        deviation of all training rows, "source" each source's by its own;
        `predict` gives it back in its own units. Without it a net takes long to
        reach a target far from 0.

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

    features_ : object
        The fitted scaling of X.

    target_scaler_ : AffineMaps or None
        The fitted scaling of y.

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

    n_outputs_ : int
        Number of targets.

    n_features_in_ : int
        Number of features seen in `fit`, the source column included.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all texts.

    See Also
    --------
    AlternatingClassifier : The same for classes as target.
    MergedRegressor : Any scikit-learn regressor on the merged rows.
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
    Two laboratories follow one rule, and write it down in other units:

    >>> import numpy as np
    >>> from sktandem import AlternatingRegressor
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.nn import default_net
    >>> X, y, sample_source = make_two_sources(
    ...     2000, size_ratio=4, return_X_y=True, random_state=0
    ... )
    >>> y = np.where(sample_source == "second", 1000 + 100 * y, y)
    >>> net = default_net("regression", max_epochs=10)
    >>> model = AlternatingRegressor(net, scale_target_by="source", random_state=0)
    >>> model = model.fit(X, y, sample_source=sample_source)
    >>> print(f"{model.score(X, y, sample_source):.1f}")
    0.8

    That is all the noise leaves: 1 / (1 + 0.5 ** 2) = 0.8 of the variance.
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
        scaler: Any = "standard",
        scale_by: ScaleBy = "pooled",
        scale_target_by: Literal["pooled", "source"] | None = None,
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
        self.scaler = scaler
        self.scale_by = scale_by
        self.scale_target_by = scale_target_by
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

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

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
        self : AlternatingRegressor
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

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means the net's `max_epochs`,
            which remains what a schedule takes for the whole of the training.

        Returns
        -------
        self : AlternatingRegressor
            This instance.
        """
        return self._partial_fit(X, y, sample_source, sources=sources, epochs=epochs)

    def _net(self) -> NeuralNet:
        return default_net("regression") if self.net is None else self.net

    def _check_settings(self) -> None:
        super()._check_settings()
        if isinstance(self._net(), NeuralNetClassifier | NeuralNetBinaryClassifier):
            raise SourceError(
                f"AlternatingRegressor needs a net for numbers, got "
                f"{type(self.net).__name__}. AlternatingClassifier takes it."
            )
        if self.scale_target_by not in TARGET_SCALES:
            raise SourceError(
                f"scale_target_by must be one of {list(TARGET_SCALES)}, got "
                f"{self.scale_target_by!r}."
            )

    def _checked_target(self, y: Any) -> NDArray[Any]:
        return checked_numbers(y)

    def _learn_labels(self, rows: Rows, classes: Any = None) -> dict[str, Any]:
        n_outputs = 1 if rows.y.ndim == 1 else rows.y.shape[1]
        return {
            "sources_": rows.sources.names,
            "n_outputs_": n_outputs,
        }

    def _encoded(
        self, y: Any, sources: Sources, learned: dict[str, Any]
    ) -> NDArray[Any]:
        return y

    def _row_weights(
        self, rows: Rows, used: NDArray[np.intp] | None
    ) -> NDArray[np.float64] | None:
        return None

    def _learn_target_scale(
        self, rows: Rows, used: NDArray[np.intp] | None, learned: dict[str, Any]
    ) -> None:
        learned["target_scaler_"] = None
        if self.scale_target_by is None:
            return
        columns = rows.y.reshape(len(rows.y), -1)
        by_source = rows.sources if self.scale_target_by == "source" else None
        learned["target_scaler_"] = fit_affine(
            "standard", columns, by_source, rows=used
        )

    def _n_outputs(self, net: NeuralNet, learned: dict[str, Any]) -> tuple[int, str]:
        """Return how many outputs the module needs, and why."""
        n_outputs = learned["n_outputs_"]
        return n_outputs, f"y has {counted(n_outputs, 'column')}"

    def _target_tensor(
        self, rows: Rows, learned: dict[str, Any], net: NeuralNet, n_dims: int
    ) -> Tensor:
        columns = rows.targets.reshape(len(rows.targets), -1)
        maps = learned["target_scaler_"]
        if maps is not None:
            columns = maps.forward(columns, _codes_for(maps, rows.sources.codes))
        targets = as_tensor(columns).to(dtype_of(net))
        return targets.reshape(-1) if n_dims == 1 else targets

    def _trains_by_source(self) -> bool:
        return super()._trains_by_source() or self.scale_target_by == "source"

    def _needs_source(self) -> str | None:
        if self.sources_ != (ONLY_SOURCE,) and self._targets_by_source():
            return "y was scaled by source"
        return super()._needs_source()

    def _targets_by_source(self) -> bool:
        return self.target_scaler_ is not None and len(self.target_scaler_.center) > 1

    def predict(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Predict the target of each sample, in the units of its source.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `scale_by` or
            `scale_target_by` is "source".

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._predict_with_codes(X, sample_source)[0]

    def _predict_with_codes(
        self, X: Any, sample_source: Any
    ) -> tuple[NDArray[Any], Codes]:
        values, codes = self._outputs("predict", X, sample_source)
        columns = values.reshape(len(values), -1).astype(np.float64)
        maps = self.target_scaler_
        if maps is not None:
            columns = maps.inverse(columns, _codes_for(maps, codes))
        return (columns[:, 0] if self.n_outputs_ == 1 else columns), codes

    def score(
        self, X: Any, y: Any, sample_source: Any = None, sample_weight: Any = None
    ) -> float:
        """Return R2 over all samples, or its mean over the sources.

        Where `scale_target_by` is "source" the score is the mean of the
        sources' R2: over all samples, R2 is near 1 for a model that knows
        nothing but each source's mean. Rows of unknown sources count as one.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts.

        Returns
        -------
        score : float
            R2, or the macro mean of R2.
        """
        y, (predicted, codes) = as_target(y), self._predict_with_codes(X, sample_source)
        if not self._targets_by_source() or len(self.sources_) == 1:
            return r2_score(y, predicted, sample_weight=sample_weight)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return macro_r2(y, predicted, codes, weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _codes_for(maps: AffineMaps, codes: Codes) -> Codes | None:
    return codes if len(maps.center) > 1 else None
