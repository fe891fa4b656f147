"""Members by name: the user's own, or a list that suits the estimator."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import Merged, SharedNet, SourceError
from sktandem.members import (
    OnlySource,
    OwnModels,
    SimilarityWeighted,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.members._fill import filled
from sktandem.members._names import default_members, member_name, resolve_members
from sktandem.nn import default_net
from sktandem.schedules import PlateauAlternation

OWN = "own models"


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [Ridge(), LogisticRegression(), KNeighborsClassifier(), default_net()],
    ids=lambda e: type(e).__name__,
)
def test_the_lists_begin_with_own_models_and_can_all_be_filled(estimator, every):
    members = default_members(estimator, every=every)

    names = [member_name(member) for member in members]
    assert names[:2] == [OWN, "merged"]
    assert len(set(names)) == len(names)
    for member in members:
        filled(member, estimator)._check_settings()
    words = "all" if every else "default"
    assert list(resolve_members(words, estimator)) == names


def test_what_cannot_be_weighted_is_offered_no_weights():
    members = default_members(KNeighborsClassifier(), every=True)

    names = {member_name(member) for member in members}
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
    assert list(resolve_members(strategies, Ridge())) == [OWN, "merged"]


def test_the_reference_may_have_another_name():
    resolved = resolve_members({"both": Merged(), "alone": OwnModels()}, Ridge())

    assert list(resolved) == ["alone", "both"]


def test_own_models_of_another_estimator_are_not_the_reference():
    resolved = resolve_members([OwnModels(Ridge(9.0)), Merged()], Ridge())

    assert list(resolved) == [OWN, "own models, of Ridge", "merged"]


def test_estimators_are_cloned_whether_they_have_a_name_or_not():
    mine = make_pipeline(
        StandardScaler(), Merged(LogisticRegression(max_iter=1000), source="ward")
    )

    for strategies in {"mine": mine}, [mine]:
        resolved = resolve_members(strategies, LogisticRegression())
        ours = list(resolved.values())[1]
        assert ours is not mine
        assert repr(ours) == repr(mine)


@pytest.mark.parametrize(
    ("strategies", "match"),
    [
        ("merged", r"strategies must be one of \['default', 'all'\].*got 'merged'"),
        ([Merged], r"must be an instance, got the class Merged. Pass Merged\(\)"),
        ({"forest": RandomForestClassifier}, r"Pass RandomForestClassifier\(\)"),
        (
            ["merged"],
            r"a member such as Merged\(\), or another estimator, got 'merged'",
        ),
        ([LogisticRegression()], r"take sample_source, got Log.*\{'mine': estimator\}"),
        ([Merged(), Merged()], "Two strategies are called 'merged'. Pass a dict"),
        ([OnlySource(name="a"), OnlySource(name="a")], "called 'only a'"),
        ({"own models": Merged()}, "'own models' is the reference"),
        ({"x": 3}, "got 3"),
        (None, "strategies must be a list of members.*got None"),
        (3, "got 3"),
        (LogisticRegression(), r"a dict of them by name.*got LogisticRegression\(\)"),
        (make_pipeline(StandardScaler(), Ridge()), "must be a list of members"),
    ],
    ids=str,
)
def test_what_is_no_list_of_members_is_refused(strategies, match):
    with pytest.raises(SourceError, match=f"(?s){match}"):
        resolve_members(strategies, LogisticRegression())


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (OwnModels(), OWN),
        (OnlySource(name="red"), "only red"),
        (WeightedMerge(), "weighted"),
        (WeightedMerge(weights=(0.0, 1.0), cv=3), "weighted"),
        (SimilarityWeighted(clip=3.0), "similarity weighted"),
        (StackedPrediction(random_state=3), "stacked"),
        (Merged(), "merged"),
        (Merged(balance="sources"), "merged, sources balanced"),
        (Merged(balance={"a": 1, "b": 2.5}), "merged, balanced (a 1, b 2.5)"),
        (Merged(scale_by="source"), "merged, scaled by source"),
        (Merged(representation="indicator"), "merged, with indicator"),
        (Merged(representation="augmented"), "merged, augmented"),
        (Merged(scale_target_by="source"), "merged, target scaled by source"),
        (
            Merged(scale_by="source", balance="both", representation="indicator"),
            "merged, scaled by source, both balanced, with indicator",
        ),
        (SharedNet(), "in turns by batches"),
        (SharedNet(schedule="plateau"), "in turns by plateau"),
        (SharedNet(schedule=PlateauAlternation()), "in turns by PlateauAlternation"),
        (SharedNet(schedule="shuffled"), "merged"),
        (
            SharedNet(schedule="shuffled", scale_by="source"),
            "merged, scaled by source",
        ),
        (SharedNet(heads="source"), "a head for each"),
        (SharedNet(heads="source", schedule="joint"), "a head for each"),
        (SharedNet(heads="source", schedule="batches"), "a head for each, by batches"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_are_those_that_tables_have_always_had(member, name):
    assert member_name(member) == name


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (Merged(scaler="robust"), "merged, scaler='robust'"),
        (Merged(scaler=None), "merged, scaler=None"),
        (Merged(scaler=StandardScaler()), "merged, scaler StandardScaler"),
        (Merged(balance_by="oversample"), "merged, balance_by='oversample'"),
        (OwnModels(Ridge()), "own models, of Ridge"),
        (SharedNet(default_net()), "in turns by batches, of NeuralNetClassifier"),
        (
            SharedNet(task="regression", batch_size=7),
            "in turns by batches, batch_size=7",
        ),
        (make_pipeline(StandardScaler(), Merged()), "Pipeline"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_settings_are_told_as_they_are_written(member, name):
    assert member_name(member) == name


def test_a_setting_that_is_an_array_does_not_confuse_the_name():
    assert member_name(WeightedMerge(weights=np.array([0.0, 1.0]))) == "weighted"
