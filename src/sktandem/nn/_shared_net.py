"""One net for several datasets."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any, Self

from skorch import NeuralNet, NeuralNetRegressor

from sktandem._docs import documented
from sktandem._settings import check_choice, is_integer
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.nn._aim import Aim
from sktandem.nn._average import check_average
from sktandem.nn._builder import WIDTH, Builder
from sktandem.nn._engine import Engine
from sktandem.nn._estimator import NetEstimator
from sktandem.nn._features import fit_features
from sktandem.nn._fitted import Fitted
from sktandem.nn._modules import default_net
from sktandem.nn._net import check_net, is_binary
from sktandem.nn._net_settings import (
    OF_CLASSES,
    check_heads,
    check_items,
    check_target,
    check_task,
    refuse_idle,
)
from sktandem.nn._preparation import Preparation
from sktandem.nn._saved import read_net_folder, restore, state_of, write_net_folder
from sktandem.nn._shared_task import warn_of_levels
from sktandem.nn._tasks import TaskCriterion
from sktandem.nn._trainer import Trainer
from sktandem.nn._validation import check_fraction
from sktandem.scaling._scalers import check_scaler

__all__ = ["SharedNet"]

WAYS = ("shared", "source")
DECIDING = (
    *("heads", "stems", "scaler", "scale_by", "scale_target_by", "balance"),
    *("augment", "collate"),
)


@documented
class SharedNet(NetEstimator):
    """Train any skorch net on several datasets in turns.

    A hand-written loop over two datasets has to handle switching, unequal sizes and
    validation by source, and keep the last dataset from dominating. Here that loop is
    skorch's own. Who trains when, and which parts of the net the datasets share, are
    parameters that can be searched like any other.

    Read more in the :ref:`User Guide <nets>`.

    Parameters
    ----------
    net : skorch net, default=None
        A ``NeuralNetClassifier``, ``NeuralNetBinaryClassifier``,
        ``NeuralNetRegressor``, ``NeuralNet`` or a subclass of your own, unfitted.
        A fitted net, or a module that is an instance, is cloned and never trained
        in place. The sizes `n_features` and `n_outputs` are filled in where the
        module's ``__init__`` names them. With heads by source the module is the
        trunk: it maps (n_rows, n_features) to (n_rows, width), and `n_outputs`,
        if it names one, is the width. None with a `task` means
        :func:`sktandem.nn.default_net`, a perceptron with Adam; None without one
        is a hole that a comparison fills.

    task : {"classification", "regression"} or dict, default=None
        What y holds. None takes it from the net; a plain ``NeuralNet`` does not
        say. A dict gives each source one of the two: then heads are by source,
        with cross-entropy and squared error as their losses, the net is a plain
        ``NeuralNet`` or ``NeuralNetRegressor``, and the estimator is neither a
        classifier nor a regressor.

    {source}

    {schedule}

    {heads}

    stems : {"shared", "source"}, default="shared"
        Whether all rows enter the trunk as they are, or, where heads are by
        source, each source through an input layer of its own, which sees only the
        columns that the source has. A column that it does not have is missing in
        all of its rows, as ``stack_sources(..., join="outer")`` leaves it.

    {head}

    {loss_weights}

    {batch_size}

    {validation_fraction}

    {keep}

    {average}

    {balance_loss}

    scaler : str, transformer or None, default="standard"
        "standard", "minmax" or "robust" scales columns, a batch at a time, so
        that X is never copied. A transformer, such as
        :func:`~sktandem.table_preprocessor`, gets every column but the source.
        It is fitted inside `fit`, on training rows only. None leaves images
        and tokens as they are.

    {scale_by}

    augment : callable or dict of {source: callable}, default=None
        What is done to each item when it trains, such as a random crop: called with
        an item as a tensor, or as the dataset gives it if that is no array. Rows
        that are validated or predicted come as they are. What it draws from the
        random states of Python, NumPy and torch depends on `random_state`, source,
        pass and item only.

    collate : callable, default=None
        What makes a batch of a list of items, where X is read item by item. It
        returns a tensor, or a dict of tensors by the parameters of the module's
        ``forward``, such as :func:`~sktandem.nn.pad_sequences` for sequences of
        unequal length. None stacks items of one shape.

    scale_target_by : {"auto", "pooled", "source"} or None, default="auto"
        How numbers to predict are standardised in `fit`; `predict` gives them
        back in their own units. "pooled" takes the mean and the standard deviation
        of all training rows, "source" each source's own. "auto" is "pooled" with
        one output for all, and "source" with heads by source, which know no other
        way. Without it a net takes long to reach a target far from 0.

    primary_source : hashable, default=None
        The source you care about most: `keep` goes by its validation loss.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given, where the prediction depends on the source: raise, treat it as the
        primary source's, or treat it by what all sources have in common, which is
        the scale of all rows, and the mean over heads that answer the same
        question.

    {history_detail}

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
        Its module; with heads by source a :class:`~sktandem.nn.MultiHead` of a
        `trunk` and `heads` in the order of `sources_`, or the user's own.

    {history_}

    {classes_}

    {classes_by_source_}

    n_outputs_ : int
        Number of targets; of regressors, and where heads are by source.

    target_scaler_ : AffineMaps or None
        The fitted scaling of y; of regressors with one output for all.

    tasks_ : tuple
        What each head learns, where heads are by source.

    width_ : int
        Width of the embedding, where heads are by source.

    columns_ : list of list of int
        The columns that each source's stem sees, where there are stems.

    features_ : object
        The fitted scaling of X.

    {sources_}

    {n_samples_by_source_}

    {seed_}

    {precision_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    Merged : Any scikit-learn estimator on the merged rows.
    sktandem.text.SharedTextNet : The same for text.
    sktandem.inspection.HistoryDisplay : Draws the losses and the turns.

    Notes
    -----
    Each step trains on a batch of one source, as the schedule says; "joint" on
    a batch of each at once, of which it sums the losses. Rows come in an order that
    is a function of seed, source and pass, and the schedule's only memory is the
    history. So three calls of `partial_fit` with two epochs each end bit for bit
    where six epochs of `fit` with ``keep="last"`` do, and a fit that was killed
    goes on from a checkpoint as if it had not been; only callbacks that count for
    themselves, such as ``StepLR`` or ``EarlyStopping``, begin anew. With
    ``keep="best"`` the weights go back to the best epoch, and the optimizer's own
    state does not.

    Training runs in skorch's own fit loop, with its callbacks. A head gets no
    gradient from rows of another source. `sample_weight` is not taken: a row of
    weight 2 is not two rows in a shuffled batch.

    With heads by source, a module whose ``forward`` takes ``(X, source)`` is taken
    whole, heads and all. Rows come sorted by source. It returns a tensor if all rows
    have one source, else a list with a tensor for each source present, in order. Its
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
    A tenth of the rows follow another rule than the rest:

    >>> from sktandem import SharedNet
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.model_selection import score_by_source
    >>> from sktandem.nn import default_net
    >>> X, y, sample_source = make_two_sources(
    ...     2000, task="classification", size_ratio=9, concept_angle=90, noise=0.2,
    ...     return_X_y=True, random_state=0,
    ... )
    >>> for schedule in ("shuffled", "batches"):
    ...     net = default_net(max_epochs=10)
    ...     model = SharedNet(net, schedule=schedule, random_state=0)
    ...     model = model.fit(X, y, sample_source=sample_source)
    ...     scores = score_by_source(model, X, y, sample_source=sample_source).by_source
    ...     print(f"{schedule}: {scores['second']:.1f}")
    shuffled: 0.6
    batches: 0.7

    Turn by turn, the small source is heard.

    Two laboratories measure other quantities on samples of one kind, so each has a
    head of its own:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 5))
    >>> sample_source = np.repeat(["acid", "sugar"], 300)
    >>> y = np.where(sample_source == "acid", 1e-3 * X[:, 0], 50 + 20 * X[:, 1])
    >>> model = SharedNet(task="regression", heads="source", random_state=0)
    >>> model = model.fit(X, y, sample_source=sample_source)
    >>> model.score(X, y, sample_source=sample_source) > 0.95
    True

    The score is the mean of both: neither drowns in the other's units.
    """

    def __init__(
        self,
        net: Any = None,
        *,
        task: str | Mapping[Hashable, str] | None = None,
        source: str | int | None = None,
        schedule: Any = "auto",
        heads: str = "shared",
        stems: str = "shared",
        head: Any = None,
        loss_weights: Any = None,
        batch_size: Any = None,
        validation_fraction: Any = 0.2,
        keep: str = "best",
        average: Any = None,
        balance: str | None = None,
        scaler: Any = "standard",
        scale_by: str = "pooled",
        augment: Any = None,
        collate: Any = None,
        scale_target_by: str | None = "auto",
        primary_source: Hashable = None,
        unknown_source: str = "error",
        history_detail: str = "batch",
        random_state: Any = None,
        verbose: int | None = None,
    ) -> None:
        self.net = net
        self.task = task
        self.source = source
        self.schedule = schedule
        self.heads = heads
        self.stems = stems
        self.head = head
        self.loss_weights = loss_weights
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.average = average
        self.balance = balance
        self.scaler = scaler
        self.scale_by = scale_by
        self.augment = augment
        self.collate = collate
        self.scale_target_by = scale_target_by
        self.primary_source = primary_source
        self.unknown_source = unknown_source
        self.history_detail = history_detail
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _kind(self) -> Any:
        if self.task is not None:
            return self.task
        if isinstance(self.net, NeuralNetRegressor):
            return "regression"
        return "classification" if isinstance(self.net, OF_CLASSES) else None

    def _default(self) -> NeuralNet:
        """Return the net that None stands for."""
        kind = "regression" if isinstance(self._kind, Mapping) else self._kind
        if not self._has_heads:
            return default_net(kind)
        # A trunk ends in what heads build on: a width and an activation, no logits.
        trunk = {"hidden_sizes": (64,), "n_outputs": WIDTH, "activate_output": True}
        return default_net(kind, **{f"module__{key}": v for key, v in trunk.items()})

    def _net(self) -> Any:
        return self._default() if self.net is None else self.net

    @property
    def _scales_target_by(self) -> str | None:
        """By which rows numbers are standardised, "auto" being settled."""
        given = self.scale_target_by
        if not isinstance(given, str) or given != "auto":
            return given
        if self._classifies:
            return None
        return "source" if self._has_heads else "pooled"

    # Files ----------------------------------------------------------------------

    def save_pretrained(self, folder: Any) -> None:
        """Write the fitted model to a folder, without pickle.

        Weights are safetensors, all else is JSON. What neither can hold, such as a
        module of your own, is to be given to :meth:`from_pretrained` again.

        Parameters
        ----------
        folder : str or path
            Where to. It is made if it is not there.
        """
        write_net_folder(self, folder)

    @classmethod
    def from_pretrained(cls, folder: Any, **params: Any) -> Self:
        """Read a model that :meth:`save_pretrained` wrote.

        It predicts as the one that was written. The optimizer's state is not kept,
        so that `partial_fit` goes on with the weights only.

        Parameters
        ----------
        folder : str or path
            The folder.

        **params : dict
            Parameters that the folder does not hold, such as the `net` of a module
            of your own, or that are to change, such as `verbose`.

        Returns
        -------
        model : SharedNet
            The fitted estimator.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from sktandem import SharedNet
        >>> from sktandem.datasets import make_two_sources
        >>> X, y, sample_source = make_two_sources(200, return_X_y=True, random_state=0)
        >>> model = SharedNet(task="regression", random_state=0)
        >>> model = model.fit(X, y, sample_source=sample_source)
        >>> with TemporaryDirectory() as folder:
        ...     model.save_pretrained(folder)
        ...     again = SharedNet.from_pretrained(folder)
        >>> bool((again.predict(X) == model.predict(X)).all())
        True
        """
        model: Self = read_net_folder(cls, folder, params)
        return model

    def _plain_state(self) -> dict[str, Any]:
        return state_of(self)

    def _restore(self, state: dict[str, Any]) -> None:
        objects = dict(zip(state["names"], state["objects"]))
        restore(self, json.loads(state["record"]), state["weights"], objects)

    # Settings -------------------------------------------------------------------

    def _check_settings(self) -> None:
        if self.net is not None:
            check_net(self.net, type(self).__name__)
        check_task(self._kind, self.net)
        for name in ("heads", "stems"):
            check_choice(name, getattr(self, name), WAYS)
        check_scaler(self.scaler, self.scale_by)
        if self.scaler is None and self.scale_by == "source":
            raise SourceError(
                "scale_by='source' has nothing to scale, because scaler is None. Scale "
                "each source before, or set a scaler."
            )
        check_items(self.augment, self.collate, self.scaler)
        check_fraction(self.validation_fraction)
        check_average(self.average)
        check_choice("keep", self.keep, ("best", "last"))
        check_choice("history_detail", self.history_detail, ("batch", "epoch"))
        check_target(self._kind, self.balance, self.scale_target_by)
        of_heads = {
            name: getattr(self, name) for name in ("loss_weights", "head", "stems")
        }
        if self._has_heads:
            check_heads(self._net(), self._kind, self.scale_target_by, **of_heads)
        else:
            refuse_idle(of_heads)

    # The engine -----------------------------------------------------------------

    def _settle(self, fitted: Fitted, rows: Rows) -> None:
        super()._settle(fitted, rows)
        if not self._has_heads and not self._classifies:
            warn_of_levels(self, rows)

    def _engine(self) -> Engine:
        # The parameters meet the collaborators here, and nowhere else: each gets the
        # few that it needs, settled, so that none of them knows the estimator.
        net, kind, heads = self._net(), self._kind, self._has_heads
        scale_target_by, stems = self._scales_target_by, self.stems == "source"
        one_number = type(net).__name__ if is_binary(net) else ""
        settings = {} if self.verbose is None else {"verbose": self.verbose}
        if is_integer(self.batch_size):
            settings["batch_size"] = int(self.batch_size)
        return Engine(
            Preparation(
                Aim(kind, heads, scale_target_by, self.balance, one_number),
                partial(
                    fit_features,
                    scaler=self.scaler,
                    scale_by=self.scale_by,
                    missing=stems,
                    collate=self.collate,
                ),
                self.validation_fraction,
                by_source=heads or "source" in (self.scale_by, scale_target_by),
                stems=stems,
                settings=self._deciding(DECIDING),
            ),
            Builder(
                net,
                settings,
                self.average,
                criterion=TaskCriterion if isinstance(kind, Mapping) else None,
                head=self.head,
                loss_weights=self.loss_weights,
                embeds=self._embeds,
                may_be_tokens=self.scaler is None,
            ),
            Trainer(
                self._schedule,
                self.batch_size,
                self.keep,
                self.primary_source,
                self.history_detail,
                self.loss_weights,
                augment=self.augment,
            ),
        )
