"""All that the package knows of scikit-learn's metadata routing.

The routing interface of scikit-learn still moves, so it is met in one place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from sklearn import config_context, get_config
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import get_scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    MetadataRouter,
    get_routing_for_object,
)
from sklearn.utils.validation import has_fit_parameter

__all__ = [
    "SOURCE_AND_GROUPS",
    "RequestsSource",
    "SplitsBySource",
    "accepts_source",
    "fit_weighted",
    "fit_with_source",
    "fits_by_source",
    "plainly_addressed",
    "score_request",
    "scores_weighted",
    "source_method",
    "unweighted",
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


def _forwards_fit_params(estimator: Any) -> bool:
    kinds = {p.kind for p in inspect.signature(estimator.fit).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


# Weights on their way to every learner ------------------------------------------------


def fit_weighted(estimator: Any, X: Any, y: Any, weights: Any) -> None:
    """Fit an estimator of ours so that weights reach every learner inside it.

    They are routed as a user would who has requested them of each learner; what the
    estimator was set to request is kept. Some of scikit-learn's estimators know no
    routing and hand weights on by name, and then so do we. The mode is this
    thread's and ends with the fit: whichever one the user has chosen stays. Where
    `unweighted` gives a reason, there is no such way.
    """
    key = plainly_addressed(estimator)
    known = key is not None or _stands_alone(estimator)
    routed = not known and _is_routed(estimator)
    key = key if known or routed else _addressed(estimator)
    with config_context(enable_metadata_routing=routed):
        estimator.fit(X, y, **{key or "sample_weight": weights})


def unweighted(estimator: Any) -> str | None:
    """Say which part of an estimator gets no weights; None if every learner does."""
    if _stands_alone(estimator) and _takes_weights(estimator):
        return None
    if plainly_addressed(estimator) is not None:
        return None
    for part in _tree(estimator):
        if hasattr(part, "fit_resample"):
            return (
                f"{type(part).__name__} draws the rows anew, and sample_weight stays "
                "with those before"
            )
    for learner in _learners(estimator):
        if not _inside(learner) and not _takes_weights(learner):
            return f"{type(learner).__name__}.fit takes no sample_weight"
    if _is_routed(clone(estimator)) or _addressed(estimator) is not None:
        return None
    inside = " and ".join(type(part).__name__ for part in _inside(estimator))
    return f"{type(estimator).__name__}.fit hands no sample_weight on to {inside}"


def plainly_addressed(estimator: Any) -> str | None:
    """Name the fit parameter of the last step of a plain pipeline, None for others.

    Where a learner takes weights itself, scikit-learn made all steps, and nobody has
    requested anything, routing would bring weights to just that learner; and finding
    that out takes longer than many a fit.
    """
    if type(estimator) is not Pipeline or getattr(estimator, "transform_input", None):
        return None
    name, last = estimator.steps[-1]
    if not hasattr(last, "fit") or not (is_classifier(last) or is_regressor(last)):
        return None
    if not _stands_alone(last) or not has_fit_parameter(last, "sample_weight"):
        return None
    for part in _tree(estimator):
        maker = type(part).__module__.split(".")[0]
        if maker not in ("sklearn", "sktandem") or "_metadata_request" in vars(part):
            return None
    return f"{name}__sample_weight"


def _takes_weights(estimator: Any) -> bool:
    named = has_fit_parameter(estimator, "sample_weight")
    return named or _forwards_fit_params(estimator)


def _parts(value: Any) -> Iterator[Any]:
    """Yield the estimators in a parameter: itself, or in a list, tuple or dict."""
    if hasattr(value, "fit") and hasattr(value, "get_params"):
        if not isinstance(value, type):
            yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _parts(part)


def _stands_alone(estimator: Any) -> bool:
    """Tell, without a walk through its parameters, that nothing stands inside."""
    if hasattr(estimator, "fit_resample"):
        return False
    return next(_parts(list(vars(estimator).values())), None) is None


def _tree(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and all that stand inside it."""
    yield estimator
    for part in _parts(list(estimator.get_params(deep=False).values())):
        yield from _tree(part)


def _inside(estimator: Any) -> list[Any]:
    """Return the classifiers and regressors that an estimator fits to y."""
    if isinstance(estimator, Pipeline):
        return [estimator[-1]]
    parts = _parts(list(estimator.get_params(deep=False).values()))
    return [part for part in parts if is_classifier(part) or is_regressor(part)]


def _learners(estimator: Any) -> list[Any]:
    """Return an estimator and the learners inside, but for those of transformers."""
    inner = [learner for part in _inside(estimator) for learner in _learners(part)]
    return [estimator, *inner]


def _is_routed(estimator: Any) -> bool:
    """Request weights where nothing is set; tell whether all learners get them."""
    learners = _learners(estimator)
    if len(learners) == 1:
        return False
    with config_context(enable_metadata_routing=True):
        for part in reversed(list(_tree(estimator))):
            _request(part, any(part is learner for learner in learners))
        try:
            return all(_is_reached(learner) for learner in learners)
        except NotImplementedError:  # AdaBoost and others know no routing
            return False


def _is_reached(learner: Any) -> bool:
    routing = get_routing_for_object(learner)
    declined = _requests(learner, "fit").get("sample_weight") is False
    return declined or bool(routing.consumes("fit", ["sample_weight"]))


def _requests(consumer: Any, method: str) -> dict[str, Any]:
    if not hasattr(consumer, "_get_metadata_request"):
        return {}
    try:
        requests = consumer._get_metadata_request()
    except ValueError:  # of RFECV, which has none of its own
        return {}
    found: dict[str, Any] = getattr(requests, method).requests
    return found


def _request(part: Any, learns: bool) -> None:
    """Request weights of a learner, and none of others, where nothing was set."""
    params = part.get_params(deep=False)
    if params.get("estimator", part) is None and hasattr(part, "_get_estimator"):
        default = part._get_estimator()  # made in fit, it would request nothing
        _request(default, learns)
        part.set_params(estimator=default)
    if "scoring" in params and _is_router(part):
        part.set_params(scoring=_weighted_scoring(params["scoring"], part))
    for method in ("fit", "score"):
        if _requests(part, method).get("sample_weight", True) is None:
            getattr(part, f"set_{method}_request")(sample_weight=learns)


def _weighted_scoring(scoring: Any, owner: Any) -> Any:
    """Return scorers that take weights where the metric does and nothing was set."""
    if hasattr(owner, "_get_scorer"):  # None may mean a metric of its own
        scoring = owner._get_scorer()
    if isinstance(scoring, list | tuple | set):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, Mapping):
        return {key: _weighted_scoring(one, owner) for key, one in scoring.items()}
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    requests = _requests(scorer, "score")
    if requests.get("sample_weight", True) is None:
        scorer.set_score_request(**{**requests, "sample_weight": True})
    return scorer


def _addressed(estimator: Any) -> str | None:
    """Name the fit parameter by which weights reach all learners without routing."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = _addressed(last)
        return None if inner is None else f"{name}__{inner}"
    if not _takes_weights(estimator):
        return None
    keys = {_addressed(part) for part in _inside(estimator)} or {"sample_weight"}
    if hasattr(estimator, "estimator") and not has_fit_parameter(
        estimator, "sample_weight"
    ):
        # A search hands on whatever it is given, others of scikit-learn nothing.
        hands_on = isinstance(estimator, BaseSearchCV) or not _is_router(estimator)
        return keys.pop() if hands_on and len(keys) == 1 else None
    return "sample_weight" if keys == {"sample_weight"} else None


def _is_router(estimator: Any) -> bool:
    try:
        return isinstance(get_routing_for_object(estimator), MetadataRouter)
    except NotImplementedError:  # of what is inside
        return True
