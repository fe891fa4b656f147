"""Strategies by name: the user's own, or a list that suits the estimator."""

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged
from sktandem.exceptions import SourceError
from sktandem.members import (
    Merged,
    OnlySource,
    OwnModels,
    StackedPrediction,
    default_strategies,
    resolve_strategies,
)
from sktandem.nn import default_net


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [Ridge(), LogisticRegression(), KNeighborsClassifier(), default_net()],
    ids=lambda e: type(e).__name__,
)
def test_the_lists_begin_with_own_models_and_can_all_be_built(estimator, every):
    strategies = default_strategies(estimator, every=every)

    names = [strategy.name for strategy in strategies]
    assert names[:2] == [OwnModels.name, "merged"]
    assert len(set(names)) == len(names)
    for strategy in strategies:
        assert hasattr(strategy.build(estimator), "fit")
    words = "all" if every else "default"
    assert list(resolve_strategies(words, estimator)) == names


def test_what_cannot_be_weighed_is_offered_no_weights():
    names = {s.name for s in default_strategies(KNeighborsClassifier(), every=True)}

    assert not names & {"weighted", "similarity weighted", "merged, sources balanced"}
    assert "merged" in names


@pytest.mark.parametrize(
    "strategies",
    [
        Merged(),
        [Merged()],
        [Merged(), OwnModels()],
        (Merged(),),
        iter([Merged()]),
        {"merged": Merged()},
    ],
    ids=["one", "list", "with own", "tuple", "iterator", "dict"],
)
def test_the_reference_comes_first_and_need_not_be_named(strategies):
    assert list(resolve_strategies(strategies, Ridge())) == [OwnModels.name, "merged"]


def test_the_reference_may_have_another_name():
    resolved = resolve_strategies({"both": Merged(), "alone": OwnModels()}, Ridge())

    assert list(resolved) == ["alone", "both"]


def test_estimators_go_under_a_name_and_are_cloned():
    mine = make_pipeline(
        StandardScaler(), Merged(LogisticRegression(max_iter=1000), source="ward")
    )

    resolved = resolve_strategies({"mine": mine}, LogisticRegression())

    assert resolved["mine"] is not mine
    assert repr(resolved["mine"]) == repr(mine)


@pytest.mark.parametrize(
    ("strategies", "match"),
    [
        ("merged", r"strategies must be one of \['default', 'all'\].*got 'merged'"),
        ([Merged], r"must be an instance, got the class Merged. Pass Merged\(\)"),
        ({"forest": RandomForestClassifier}, r"Pass RandomForestClassifier\(\)"),
        (["merged"], "object of sktandem.members or an estimator, got 'merged'"),
        ([LogisticRegression()], r"strategies=\{'mine': estimator\}"),
        ([Merged(), Merged()], "Two strategies are called 'merged'. Pass a dict"),
        ([OnlySource("a"), OnlySource("a")], "called 'only a'"),
        ({"own models": Merged()}, "'own models' is the reference"),
        ({"x": 3}, "got 3"),
        (None, "strategies must be a list of strategies.*got None"),
        (3, "got 3"),
        (LogisticRegression(), r"a dict of them by name.*got LogisticRegression\(\)"),
        (make_pipeline(StandardScaler(), Ridge()), "must be a list of strategies"),
    ],
    ids=str,
)
def test_what_is_no_list_of_strategies_is_refused(strategies, match):
    with pytest.raises(SourceError, match=f"(?s){match}"):
        resolve_strategies(strategies, LogisticRegression())


def test_names_tell_settings_apart():
    names = [
        Merged().name,
        Merged(balance="sources").name,
        Merged(balance={"a": 1, "b": 2.5}).name,
        Merged(scale_by="source").name,
        Merged(representation="augmented").name,
        Merged(scale_target_by="source").name,
        OnlySource("a").name,
        StackedPrediction().name,
    ]

    assert len(set(names)) == len(names)
    assert "merged, balanced (a 1, b 2.5)" in names
