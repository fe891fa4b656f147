"""All that the package knows of scikit-learn's metadata routing.

The routing interface of scikit-learn still moves, so it is met in one place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from sklearn import config_context, get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import has_fit_parameter

__all__ = [
    "SOURCE_AND_GROUPS",
    "RequestsSource",
    "SplitsBySource",
    "accepts_source",
    "fit_with_source",
    "fits_by_source",
    "score_request",
    "scores_weighted",
    "source_method",
    "weight_key",
    "weights_reach_their_step",
]

SOURCE = {"sample_source": True}
SOURCE_AND_GROUPS = {"groups": True, "sample_source": True}


class RequestsSource:
    """Mixin: whoever passes `sample_source` means it for this estimator.

    Requests stand on the class, so no user has to call ``set_fit_request``.
    The keys are identical on all methods: scikit-learn matches the attribute
    names by substring, so a key of ``predict_proba`` alone would leak into
    ``predict``. Methods that a class does not have are passed over.
    """

    __metadata_request__fit = SOURCE
    __metadata_request__partial_fit = SOURCE
    __metadata_request__transform = SOURCE
    __metadata_request__inverse_transform = SOURCE
    __metadata_request__predict = SOURCE
    __metadata_request__predict_proba = SOURCE
    __metadata_request__predict_log_proba = SOURCE
    __metadata_request__decision_function = SOURCE
    __metadata_request__score = SOURCE


class SplitsBySource:
    """Mixin of the cross-validators: `groups` and `sample_source` reach split."""

    __metadata_request__split = SOURCE_AND_GROUPS


def score_request(owner: object, asked: Mapping[str, Any]) -> MetadataRequest:
    """Publish the requests of a scorer, which has no ``score`` to sniff at.

    A class attribute would be dropped without a word on a class without
    the method, and the scorer would return NaN in every fold. Weights that
    nobody asked for or declined are refused by scikit-learn, by name.
    """
    request = MetadataRequest(owner=owner)
    for param, alias in {**SOURCE, "sample_weight": None, **asked}.items():
        request.score.add_request(param=param, alias=alias)
    return request


def scores_weighted(scoring: Any) -> bool:
    """Tell whether a scorer, made of a metric or not, takes `sample_weight`."""
    parameters = inspect.signature(getattr(scoring, "_score_func", scoring)).parameters
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return any_name or "sample_weight" in parameters


def accepts_source(estimator: Any, method: str) -> bool:
    """Tell whether `method` of a fitted estimator takes `sample_source`."""
    if isinstance(estimator, Pipeline):
        # With routing on, a pipeline hands the label to every step that asks.
        routed = get_config()["enable_metadata_routing"]
        fronts = [step for _, step in estimator.steps[:-1]] if routed else []
        return accepts_source(estimator[-1], method) or any(
            accepts_source(step, "transform") for step in fronts
        )
    function = getattr(estimator, method, None)
    if function is None:
        return False
    return "sample_source" in inspect.signature(function).parameters


def fit_with_source(estimator: Any, X: Any, y: Any, labels: Any) -> Any:
    """Fit any estimator, handing it the sources if it takes them."""
    routed = get_config()["enable_metadata_routing"]
    if isinstance(estimator, Pipeline) and not routed:
        name, last = estimator.steps[-1]
        handed = {f"{name}__sample_source": labels} if fits_by_source(last) else {}
    else:
        handed = {"sample_source": labels} if fits_by_source(estimator) else {}
    return estimator.fit(X, y, **handed)


def fits_by_source(estimator: Any) -> bool:
    """Tell whether the fit of an estimator takes sources, or hands them on."""
    if isinstance(estimator, Pipeline):
        return fits_by_source(estimator[-1])
    if "sample_source" in inspect.signature(estimator.fit).parameters:
        return True
    wrapped = getattr(estimator, "estimator", None)  # of a search
    hands_on = wrapped is not None and _forwards_fit_params(estimator)
    return hands_on and fits_by_source(wrapped)


def source_method(estimator: Any, method: str) -> Callable[..., Any]:
    """Return a method of a fitted estimator, by a way on which the source is kept.

    With routing off, a pipeline hands the label to ``predict`` of its last
    step but drops it on the way to ``score``, without a word.
    """
    routed = get_config()["enable_metadata_routing"]
    if method != "score" or routed or not isinstance(estimator, Pipeline):
        found: Callable[..., Any] = getattr(estimator, method)
        return found

    @wraps(estimator.score)
    def score(X: Any, *args: Any, **kwargs: Any) -> Any:
        for _, step in estimator.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        return source_method(estimator[-1], "score")(X, *args, **kwargs)

    return score


def weight_key(estimator: Any) -> str | None:
    """Name the fit parameter by which `sample_weight` reaches the learner.

    The learner is the last step of a pipeline, or what a search wraps. None
    means that it takes no weights.
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_key(last)
        return None if inner is None else f"{name}__{inner}"
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if not _forwards_fit_params(estimator):
        return None
    # What hands its parameters on to one estimator or to several, as it sees fit.
    wrapped = getattr(estimator, "estimator", None)
    return "sample_weight" if wrapped is None else weight_key(wrapped)


def _forwards_fit_params(estimator: Any) -> bool:
    kinds = {p.kind for p in inspect.signature(estimator.fit).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


@contextmanager
def weights_reach_their_step() -> Iterator[None]:
    """Address weights by step name, whichever mode the user has chosen.

    With routing on, a pipeline asks every step that knows `sample_weight` for
    a request of its own. Here the receiver is known, so the inner fit runs in
    the addressed mode; the setting is this thread's and ends with the block.
    """
    with config_context(enable_metadata_routing=False):
        yield
