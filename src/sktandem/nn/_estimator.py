"""What all estimators with a net share: fit by the engine, predict by its record."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import ClassifierTags, RegressorTags, Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sktandem._callbacks import fit_task
from sktandem._docs import documented
from sktandem._parallel import gathering_now
from sktandem._settings import check_integer, is_integer, refuse_others
from sktandem._telling import warn
from sktandem.data._estimator import all_or_nothing
from sktandem.data._predictor import SourcePredictor
from sktandem.data._rows import Rows
from sktandem.data._sources import ONLY_SOURCE
from sktandem.nn._answers import HeadAnswers, SharedAnswers, answers_of
from sktandem.nn._engine import Engine
from sktandem.nn._holder import HoldsNet
from sktandem.nn._outputs import refuse_without_embedding
from sktandem.nn._reader import Reader
from sktandem.nn._resume import Saved
from sktandem.nn._together import wait_in
from sktandem.schedules import Schedule, Shuffled, resolve_schedule

__all__ = ["FitsNet", "NetEstimator", "PredictsByNet"]

T = TypeVar("T", bound=type)


@documented
class FitsNet(HoldsNet, SourcePredictor):
    """Base: `fit` and `partial_fit` of an estimator with a net.

    A subclass fills `_check_settings` and `_engine`, and `_reader` where X is not a
    table.
    """

    random_state: Any

    def _check_settings(self) -> None:
        """Refuse settings that make no sense whatever the data."""
        raise NotImplementedError

    def _engine(self) -> Engine:
        """Return the engine that these settings make."""
        raise NotImplementedError

    def _reader(self) -> Reader:
        """Return what reads the user's arguments."""
        return Reader(self)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        validation_data: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Train a clone of `net` on all sources in turns.

        Parameters
        ----------
        {X_nd}

        {y_nets}

        {sample_source}

        validation_data : tuple (X, y) or (X, y, sample_source), default=None
            Rows to validate on instead of a part of X, also of sources that do
            not train, where nothing is learned by source. They meet no
            preprocessing that stands in front of this estimator.

        resume_from : str or path, default=None
            The folder of a skorch ``Checkpoint``: training goes on after its
            last epoch, up to the net's `max_epochs`. A checkpoint that is damaged,
            or of other settings or values, is refused.

        Returns
        -------
        self : estimator instance
            The fitted instance.

        Raises
        ------
        SourceError
            If labels, settings and data do not fit each other, the module does
            not fit the data, or the loss is not finite any more.

        KeyboardInterrupt
            On Ctrl-C: nothing half-fitted remains, and a checkpoint goes on.
        """
        with all_or_nothing(self):
            self._check_settings()
            # Read within the block: scikit-learn sets the names of columns while it
            # checks them, and a failed fit must not leave them behind.
            reader = self._reader()
            rows, held = reader.rows(X, y, sample_source), None
            if validation_data is not None:
                by_source = self._engine().preparation.by_source
                held = reader.held(validation_data, rows, by_source=by_source)
            # What a user calls is done when it returns. Only a fit that the package
            # asks for may wait to be one of many.
            how = {"held": held, "resume_from": resume_from, "waits": False}
            fit = partial(self._fit_rows, rows, **how)
            fit_task(self, fit, X, y, sample_source=sample_source)
        return self

    def _fit_rows(
        self,
        rows: Rows,
        *,
        held: Rows | None = None,
        resume_from: Any = None,
        waits: bool = True,
    ) -> None:
        """Fit on rows that were read; it may wait for other fits, to be one of many."""
        self._check_settings()
        engine = self._engine()
        _warn_of_forgotten_source(rows, engine.trainer.schedule)
        # A fit that goes on from a checkpoint takes its seed, too: with it come the
        # same rows held out and the same order, whatever `random_state` is now.
        saved = None if resume_from is None else Saved.of(resume_from)
        seed = self._draw_seed() if saved is None else saved.seed
        if saved is not None and is_integer(self.random_state):
            self._warn_of_other_seed(seed)
        gathering = gathering_now() if waits else None
        # A second fit does not wait: until it came, the attributes of the first would
        # answer, as `__getattr__` is asked only for what is missing.
        if gathering is None or hasattr(self, "_fitted"):
            self._settle(engine.fit(rows, seed, held=held, saved=saved), rows)
        else:
            wait_in(gathering, self, engine, rows, seed)

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

        The scaling is that of the first call. `keep` does not apply: the last
        weights stay.

        Parameters
        ----------
        {X_nd}

        {y_nets}

        {sample_source}

        classes : array-like or dict of {source: array-like}, default=None
            In the first call of a classifier: all classes that will ever come;
            by source where heads are.

        sources : sequence, default=None
            In the first call: all sources that will ever come.

        epochs : int, default=None
            How many epochs to train for. None means the net's `max_epochs`,
            which remains what a schedule takes for the whole of the training.

        Returns
        -------
        self : estimator instance
            This instance.
        """
        # The first call learns what the later ones take as given: columns, sources,
        # classes, scaling and the seed.
        first = not hasattr(self, "_fitted")
        with all_or_nothing(self):
            self._check_settings()
            if epochs is not None:
                check_integer("epochs", epochs, least=0)
            engine, among = self._engine(), sources if first else self.sources_
            how: dict[str, Any] = {"among": among, "reset": first}
            rows = self._reader().rows(X, y, sample_source, **how)
            if first:
                seed = self._draw_seed()
                fitted = engine.begin(rows, seed, classes=classes, epochs=epochs)
            else:
                self._fitted.tasks.refuse_other_classes(classes)
                refuse_others("sources", sources, self.sources_)
                fitted = engine.go_on(rows, self._fitted, epochs=epochs)
            self._remember(fitted)
        return self

    def _deciding(self, more: Sequence[str]) -> dict[str, Any]:
        """Return the settings that a checkpoint must have in common with a fit."""
        names = ("validation_fraction", "average", "loss_weights", *more)
        return {name: getattr(self, name) for name in names}

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _warn_of_other_seed(self, seed: int) -> None:
        if self._draw_seed() != seed:
            warn(
                f"random_state={self.random_state} is not that of the checkpoint, "
                "whose seed is used: rows held out and their order are as in that fit."
            )


def _warn_of_forgotten_source(rows: Rows, schedule: Schedule) -> None:
    # Shuffled takes no turns: it is plain training on the merged rows. Otherwise one
    # source is lawful, but rarely what was meant.
    if len(rows.names) > 1 or isinstance(schedule, Shuffled):
        return
    remedy = (
        "Pass sample_source, or name its column by source."
        if rows.names == (ONLY_SOURCE,)
        else "A fold of sorted rows may hold a single one: SourceKFold deals out each."
    )
    warn(f"Only one source, {rows.names[0]!r}: nothing to alternate with. {remedy}")


@documented
class PredictsByNet(FitsNet):
    """Base: what a fitted net answers, by one output or by a head for each source.

    A subclass has a `_kind` and the parameters `heads` and `schedule`.
    """

    heads: Any
    schedule: Any

    @property
    def _kind(self) -> Any:
        """What y holds: "classification", "regression", a dict, or None if open."""
        raise NotImplementedError

    @property
    def _classifies(self) -> bool:
        return isinstance(self._kind, str) and self._kind == "classification"

    @property
    def _has_heads(self) -> bool:
        """Whether each source has a head of its own."""
        of_both = isinstance(self._kind, Mapping)
        return of_both or (isinstance(self.heads, str) and self.heads == "source")

    @property
    def _schedule(self) -> Schedule:
        """The schedule, "auto" being settled."""
        # With heads a step of one source would move the trunk for it alone; with one
        # output for all, turns are what keeps a small source heard.
        auto = isinstance(self.schedule, str) and self.schedule == "auto"
        settled = "joint" if self._has_heads else "batches"
        return resolve_schedule(settled if auto else self.schedule)

    @property
    def _embeds(self) -> bool:
        """Whether `transform` gives an embedding: without heads nothing is one."""
        return self._has_heads

    @property
    def _answers(self) -> SharedAnswers | HeadAnswers:
        if "_fitted" not in vars(self):
            check_is_fitted(self)
        return answers_of(self._fitted)

    def _depends_on_source(self) -> str | None:
        return self._answers.depends_on_source()

    def _answer(self, method: str, rows: Rows) -> Any:
        return getattr(self._answers, method)(rows)

    def _read(self, X: Any, y: Any = None, **given: Any) -> Rows:
        because = self._depends_on_source()
        return self._reader().to_predict(X, y, because=because, **given)

    def _offers(self, method: str) -> bool:
        return method == "predict_proba" and self._classifies

    def _score(self, rows: Rows) -> float:
        return self._answers.score(rows)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self._classifies:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        elif isinstance(self._kind, str) and self._kind == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
            tags.target_tags.multi_output = True
        return tags


def _where(allowed: str, *methods: str) -> Callable[[T], T]:
    """Let methods appear only where a property allows them.

    As a decorator of the class: scikit-learn wraps `transform` for `set_output` when
    a class is made, and cannot wrap what `available_if` leaves.
    """

    def decorate(kind: T) -> T:
        for name in methods:
            found = available_if(attrgetter(allowed))(getattr(kind, name))
            setattr(kind, name, found)
        return kind

    return decorate


@_where("_embeds", "transform", "fit_transform", "get_feature_names_out")
@_where("_has_heads", "predict_heads")
@documented
class NetEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, PredictsByNet):
    """All that an estimator with a net offers; some of it only with heads by source.

    A subclass has its parameters, `_kind`, `_check_settings` and `_engine`.
    """

    def predict_heads(
        self, X: Any, *, sample_source: Any = None
    ) -> dict[Hashable, NDArray[Any]]:
        """Return the answer of every head for every row.

        Parameters
        ----------
        {X_seen}

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, by whose measure its features are scaled
            where `scale_by` is "source". Without it a head scales them as its
            own source's.

        Returns
        -------
        answers : dict of {source: ndarray of shape (n_samples,) or more}
            What `predict` would say of the rows if they were that source's.
        """
        answers = self._answers
        # Every head is asked, so the rule for unknown sources has nothing to decide.
        rows = self._reader().to_predict(
            X, sample_source=sample_source, because="", settled=False
        )
        return answers.predict_heads(rows)

    def transform(self, X: Any, *, sample_source: Any = None) -> NDArray[Any]:
        """Return what the trunk makes of each row: the shared embedding.

        Parameters
        ----------
        {X_seen}

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `stems` or `scale_by` is
            "source", or the module has heads of its own.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The embedding.
        """
        answers = self._answers
        because = answers.embedding_depends_on_source()
        rows = self._reader().to_predict(
            X, sample_source=sample_source, because=because
        )
        return answers.transform(rows)

    def fit_transform(
        self, X: Any, y: Any = None, *, sample_source: Any = None, **fit_params: Any
    ) -> NDArray[Any]:
        """Fit, and return the embedding of the rows.

        Parameters
        ----------
        {X_nd}

        {y_nets}

        {sample_source}

        **fit_params : dict
            Further parameters of `fit`.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The embedding.
        """
        fitted = self.fit(X, y, sample_source=sample_source, **fit_params)
        return fitted.transform(X, sample_source=sample_source)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of the embedding.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used.

        Returns
        -------
        names : ndarray of str
            The name of this class in lower case, and a number.
        """
        check_is_fitted(self)
        if self._fitted.width is None:
            refuse_without_embedding(self.module_)
        return np.asarray(super().get_feature_names_out(input_features))

    @property
    def _n_features_out(self) -> int:
        if self._fitted.width is None:
            raise AttributeError("there is no embedding")
        return self._fitted.width

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self._embeds:
            tags.transformer_tags.preserves_dtype = []
        else:
            tags.transformer_tags = None
        return tags
