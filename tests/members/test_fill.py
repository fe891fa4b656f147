"""Holes: an estimator with None inside, and what a comparison puts in."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sktandem import Merged, SharedNet, SourceError, Tandem
from sktandem.members import (
    OnlySource,
    OwnModels,
    SimilarityWeighted,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.members._fill import filled, hole_of
from sktandem.members._names import resolve_members
from sktandem.nn import default_net

X, Y = np.eye(4), [0, 1, 0, 1]
SOURCE = ["a", "a", "b", "b"]
WITH_A_HOLE = [
    Merged(),
    OwnModels(),
    OnlySource(name="a"),
    WeightedMerge(),
    SimilarityWeighted(),
    StackedPrediction(),
    SharedNet(),
    Tandem(),
]
each = pytest.mark.parametrize("member", WITH_A_HOLE, ids=lambda m: type(m).__name__)


@each
def test_an_open_hole_hinders_nothing_but_fit(member):
    assert get_tags(member).estimator_type is None
    assert not is_classifier(member)
    assert not is_regressor(member)
    assert not hasattr(member, "predict_proba")
    assert not hasattr(member, "decision_function")
    assert repr(clone(member)) == repr(member)
    assert repr(pickle.loads(pickle.dumps(member))) == repr(member)
    assert type(member).__name__ in member._repr_html_()


@each
def test_fit_says_what_to_pass(member):
    match = r"(has no estimator to fit|needs a class|neither a net nor a task)[^$]*Pass"
    with pytest.raises(SourceError, match=match):
        member.fit(X, Y, sample_source=SOURCE)
    assert not [name for name in vars(member) if name.endswith("_")]


@each
def test_a_hole_is_filled_with_a_clone(member):
    net = default_net() if isinstance(member, SharedNet) else None
    estimator = net or LogisticRegression(C=3.0)

    model = filled(member, estimator)

    inside = model.get_params(deep=False)[hole_of(member)]
    assert inside is not estimator
    assert repr(inside) == repr(estimator)
    assert is_classifier(model)
    assert hole_of(model) is None
    assert hole_of(member) in ("estimator", "net")


def test_the_settings_of_a_comparison_go_where_a_member_has_none_of_its_own():
    given = {"scaler": "minmax", "random_state": 3, "unknown_source": "pooled"}

    plain = filled(Merged(), Ridge(), **given)
    robust = filled(Merged(scaler="robust", random_state=5), Ridge(), **given)

    assert (plain.scaler, plain.random_state) == ("minmax", 3)
    assert (robust.scaler, robust.random_state) == ("robust", 5)
    assert plain.unknown_source == robust.unknown_source == "pooled"


def test_a_scaler_that_is_an_object_is_cloned_for_every_member():
    scaler = StandardScaler()

    one, two = (filled(Merged(), Ridge(), scaler=scaler) for _ in range(2))

    assert len({id(scaler), id(one.scaler), id(two.scaler)}) == 3


def test_what_has_no_hole_keeps_its_own_scaler_and_reads_no_column():
    mine = Merged(Ridge(alpha=3.0), source="ward", scaler="robust")
    rng = np.random.RandomState(0)

    model = filled(mine, LogisticRegression(), rng=rng, scaler=None, random_state=7)

    assert model.estimator.alpha == 3.0
    assert (model.scaler, model.source) == ("robust", None)
    assert isinstance(model.random_state, int)  # drawn from rng
    assert mine.source == "ward"


def test_a_hole_in_the_last_step_of_a_pipeline_or_in_a_search_is_filled():
    piped = make_pipeline(PCA(2), Merged(scale_by="source"))
    searched = GridSearchCV(Merged(), {"balance": [None, "sources"]})

    assert filled(piped, Ridge()).steps[-1][1].estimator.alpha == 1.0
    assert isinstance(filled(searched, Ridge()).estimator.estimator, Ridge)
    assert piped[-1].estimator is None
    assert hole_of(searched) == "estimator__estimator"


def test_a_hole_elsewhere_in_a_pipeline_is_refused_by_name():
    early = make_pipeline(SharedNet(heads="source"), LogisticRegression())

    with pytest.raises(SourceError, match="The step 'sharednet' of the pipeline has a"):
        resolve_members({"early": early}, LogisticRegression())


@pytest.mark.parametrize(
    "estimator",
    [
        BaggingClassifier(),
        make_pipeline(SelectFromModel(Ridge()), BaggingClassifier()),
        SharedNet(task="classification"),
        LogisticRegression(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_none_that_means_a_default_is_no_hole(estimator):
    assert hole_of(estimator) is None


class Mine(BaseEstimator):
    """An estimator of the user's own that takes sources."""

    def __init__(self, estimator=None, *, shift=0.0):
        self.estimator = estimator
        self.shift = shift

    def fit(self, X, y, sample_source=None):
        self.labels_ = sample_source
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def predict(self, X):
        return self.estimator_.predict(X) + self.shift


def test_an_estimator_of_the_users_own_may_have_a_hole():
    model = filled(Mine(shift=2.0), Ridge(), scaler=None, random_state=0)

    assert isinstance(model.estimator, Ridge)
    assert model.shift == 2.0


# Nets


def test_a_net_is_put_where_members_take_one(quick):
    own = filled(OwnModels(), quick())
    turned = filled(SharedNet(schedule="plateau"), quick(), random_state=4)

    assert own.estimator.max_epochs == 2
    assert (turned.schedule, turned.net.max_epochs) == ("plateau", 2)
    assert turned.random_state == 4


def test_beside_a_plain_estimator_a_net_is_the_default_one_of_its_task():
    classes = filled(SharedNet(), LogisticRegression(), scaler="minmax")
    numbers = filled(SharedNet(heads="source"), Ridge())

    assert (classes.task, classes.net, classes.scaler) == (
        "classification",
        None,
        "minmax",
    )
    assert is_regressor(numbers)


def test_our_own_nets_keep_their_settings_and_take_how_they_are_shared(quick):
    mine = SharedNet(quick(), schedule="epochs", batch_size=7, scaler="robust")
    given = {"scaler": None, "random_state": 0}

    turned = filled(SharedNet(schedule="plateau"), mine, **given)
    headed = filled(SharedNet(heads="source"), mine, **given)
    larger = filled(SharedNet(schedule="shuffled", batch_size=9), mine, **given)

    assert (turned.schedule, turned.heads, turned.batch_size) == (
        "plateau",
        "shared",
        7,
    )
    assert (headed.schedule, headed.heads, headed.batch_size) == ("auto", "source", 7)
    assert (larger.schedule, larger.batch_size) == ("shuffled", 9)
    assert {model.scaler for model in (turned, headed, larger)} == {"robust"}
    assert mine.schedule == "epochs"


def test_a_merge_of_rows_is_refused_for_a_net_with_the_net_that_merges(quick):
    with pytest.raises(SourceError, match=r"Of a net the merge is SharedNet\(schedule"):
        filled(Merged(scale_by="source"), quick())
