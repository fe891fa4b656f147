"""What every estimator of several sources repeats, written once."""

from __future__ import annotations

import copy
import inspect
from collections import ChainMap
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sktandem._callbacks import fit_task, part_of_fit
from sktandem._routing import (
    RequestsSource,
    accepts_source,
    fit_with_source,
    source_method,
)
from sktandem._settings import is_estimator, is_integer, refuse_nested
from sktandem._telling import told_once
from sktandem.data._rows import Rows, read_rows
from sktandem.exceptions import SourceError

__all__ = [
    "SourceEstimator",
    "all_or_nothing",
    "answer_rows",
    "depends_on_source",
    "fit_rows",
    "is_ours",
    "one_class",
    "score_rows",
    "tags_like",
]


FIT = "fit-model"  # a task's name, for callbacks


@contextmanager
def all_or_nothing(estimator: object) -> Iterator[None]:
    """Give `estimator` its old attributes back if the block raises.

    scikit-learn's own checks set `n_features_in_` before the first number is
    computed; without this a failed fit would look fitted, and a failed refit
    would leave a model of one table with the column names of another.
    """
    # Not a deep copy: `fit` sets attributes and changes none in place. `partial_fit`
    # does, as everywhere: a net's steps `as_before_if_it_fails` takes back.
    before = vars(estimator).copy()
    try:
        with told_once():
            yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class SourceEstimator(RequestsSource, BaseEstimator):
    """Base: the walk from the user's arguments to Rows, and the grammar around it.

    A subclass fills `_fit_rows` and `_answer`, which get rows that were read and
    checked, and `_depends_on_source`. Its public methods read the user's arguments,
    once for each call, and hand rows on. Inside the package `fit_rows`,
    `answer_rows` and `score_rows` do so, and no label is resolved again.
    """

    source: str | int | None
    primary_source: Hashable
    unknown_source: str
    sources_: tuple[Hashable, ...]

    # Whether rows that others in the package have read are as good as its own.
    _takes_rows = True

    def _fit(self, X: Any, y: Any, **given: Any) -> Self:
        """Read the rows and fit on them, or leave everything as it was."""

        def fit() -> None:
            self._fit_rows(read_rows(self, X, y, **given))

        with all_or_nothing(self):
            fit_task(self, fit, X, y, **given)
        return self

    def _check_settings(self) -> None:
        """Refuse settings that make no sense whatever the data."""

    def _fit_rows(self, rows: Rows) -> None:
        """Fit on rows that were read and checked; set what was learned last."""
        raise NotImplementedError

    def _answer(self, method: str, rows: Rows) -> Any:
        """Return what `method` gives for rows with sources known from fit."""
        raise NotImplementedError

    def _read(self, X: Any, y: Any = None, **given: Any) -> Rows:
        """Return the rows to predict for, by the sources known from `fit`."""
        check_is_fitted(self)
        because = self._depends_on_source()
        return read_rows(
            self, X, y, names=self.sources_, needed_because=because, **given
        )

    def _depends_on_source(self) -> str | None:
        """Say why predictions depend on the source of a row; None if they do not."""
        raise NotImplementedError

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, those of an estimator inside as
            ``estimator__name``.

        Returns
        -------
        self : estimator instance
            This estimator.
        """
        refuse_nested(params, self.get_params(deep=False))
        super().set_params(**params)
        return self

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        params = self.get_params(deep=False)
        nets = {key: value for key, value in params.items() if _is_skorch(value)}
        if not nets:
            return str(super().__repr__(N_CHAR_MAX))
        shown = copy.copy(self)  # with the settings of a net that were changed alone
        for key, net in nets.items():
            setattr(shown, key, _Brief(net))
        return str(BaseEstimator.__repr__(shown, N_CHAR_MAX))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "sources_")


def _is_skorch(value: Any) -> bool:
    """Tell a skorch net, without importing torch."""
    return any(kind.__module__ == "skorch.net" for kind in type(value).__mro__)


class _Brief:
    """A net as it is shown: its module and what else is not as by default."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def __repr__(self) -> str:
        kinds = type(self.net).__mro__[:-1]
        known = ChainMap(*(dict(inspect.signature(kind).parameters) for kind in kinds))
        given = [
            f"{key}={getattr(value, '__name__', value)!s}"
            for key, value in self.net.get_params(deep=False).items()
            if not key.startswith("_")
            and " at 0x" not in repr(value)
            and (key not in known or known[key].default is not value)
        ]
        return f"{type(self.net).__name__}({', '.join(given)})"


def tags_like(tags: Tags, estimator: Any, *others: Any) -> Tags:
    """Take over the kind and the targets of `estimator`, and what all can take.

    None is a hole, which has no kind. Names of scalers have no tags: they take
    sparse X and missing values.
    """
    parts = [part for part in (estimator, *others) if is_estimator(part)]
    inputs = [get_tags(part).input_tags for part in parts]
    tags.input_tags.sparse = all(part.sparse for part in inputs)
    tags.input_tags.allow_nan = all(part.allow_nan for part in inputs)
    if not is_estimator(estimator):
        return tags
    inner = get_tags(estimator)
    tags.estimator_type = inner.estimator_type
    tags.target_tags = inner.target_tags
    # A scikit-learn pipeline does not say that its last step needs y.
    tags.target_tags.required |= inner.estimator_type in ("classifier", "regressor")
    tags.classifier_tags = inner.classifier_tags
    tags.regressor_tags = inner.regressor_tags
    return tags


def one_class(tags: Tags) -> Tags:
    """Say of a classifier that each row has one class."""
    if tags.classifier_tags is not None:
        tags.classifier_tags.multi_label = False
        tags.target_tags.multi_output = False
    return tags


def is_ours(model: Any, method: str) -> bool:
    """Tell whether rows may go straight to what a method of this package does.

    A subclass of the user's may do more in its own `fit` or `predict`, and an
    estimator of texts looks for their column in X itself.
    """
    if not isinstance(model, SourceEstimator) or not model._takes_rows:
        return False
    module: str = getattr(type(model), method).__module__
    return module.split(".")[0] == "sktandem"


def fit_rows(model: Any, rows: Rows, **how: Any) -> Any:
    """Fit any estimator on rows; those of this package get them as they are.

    `how` is for the `_fit_rows` of an estimator that is known to take it.
    """
    if not is_ours(model, "fit"):
        _settle_text_column(model, rows)
        with part_of_fit(FIT, model, rows.X, rows.y):
            return fit_with_source(model, rows.X, rows.y, rows.labels)

    def fit() -> None:
        validate_data(model, rows.X, rows.y, skip_check_array=True)
        model._fit_rows(rows, **how)

    with all_or_nothing(model), part_of_fit(FIT, model, rows.X, rows.y):
        fit_task(model, fit, rows.X, rows.y)
    return model


def _settle_text_column(model: Any, rows: Rows) -> None:
    """Let a model find its column of texts in X without the column of sources.

    A position counts the columns of the user's X. The model is a clone, at whatever
    depth the estimator of texts is in it.
    """
    taken = rows.source_column
    if taken is None or not hasattr(model, "get_params"):
        return
    width = rows.X.shape[1] + 1
    for name, place in model.get_params().items():
        texts = name.rpartition("__")[2] == "text_column" and is_integer(place)
        if not texts or not -width <= place < width:
            continue
        if place % width == taken:
            raise SourceError(
                f"text_column={place} is the column of X that holds the sources. One "
                "column holds the texts, another the name of their dataset."
            )
        model.set_params(**{name: place % width - (place % width > taken)})


def answer_rows(model: Any, method: str, rows: Rows) -> Any:
    """Return what a method of any fitted estimator gives for rows."""
    if is_ours(model, method):
        return model._answer(method, rows.known_to(model, model._depends_on_source()))
    handed = {"sample_source": rows.labels} if accepts_source(model, method) else {}
    return getattr(model, method)(rows.X, **handed)


def score_rows(model: Any, rows: Rows) -> float:
    """Return the score of any fitted estimator on rows with y."""
    if is_ours(model, "score"):
        score: float = model._score(model._to_score(rows))
        return score
    handed = {"sample_source": rows.labels} if accepts_source(model, "score") else {}
    if rows.weights is not None:
        handed["sample_weight"] = rows.weights
    return float(source_method(model, "score")(rows.X, rows.y, **handed))


def depends_on_source(model: Any) -> str | None:
    """Say why what any fitted estimator predicts depends on a row's source."""
    if isinstance(model, SourceEstimator):
        return model._depends_on_source()
    if isinstance(model, Pipeline):
        fronts = [step for _, step in model.steps[:-1]]
        if not any(accepts_source(step, "transform") for step in fronts):
            return depends_on_source(model[-1])
    if accepts_source(model, "predict"):
        return f"{type(model).__name__} takes each row's source"
    return None
