"""Strategies on nets: shuffled, in turns, a head for each."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from sktandem import (
    AlternatingClassifier,
    AlternatingRegressor,
    MultiHeadClassifier,
    MultiHeadRegressor,
)
from sktandem.exceptions import SourceError
from sktandem.members import Alternating, Merged, MultiHead, OwnModels
from sktandem.nn import default_net
from sktandem.schedules import EpochAlternation, PlateauAlternation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOURCE = np.repeat(["a", "b"], 30)
Y = np.where(X[:, 0] > 0, "ill", "well")
NUMBERS = X @ [1.0, 2.0, 3.0]


def quick(task="classification"):
    return default_net(task, max_epochs=2, module__hidden_sizes=(4,))


def same(one, two, y=Y):
    for model in one, two:
        model.fit(X, y, sample_source=SOURCE)
    np.testing.assert_array_equal(
        one.predict(X, sample_source=SOURCE), two.predict(X, sample_source=SOURCE)
    )


def test_in_turns_is_the_alternating_classifier_with_this_schedule():
    schedule = EpochAlternation()

    ours = Alternating(schedule).build(quick(), random_state=0)

    same(ours, AlternatingClassifier(quick(), schedule=schedule, random_state=0))
    assert Alternating("plateau").name == "in turns by plateau"
    assert Alternating(PlateauAlternation()).name == "in turns by PlateauAlternation"


def test_heads_are_the_multi_head_estimators_on_this_net():
    same(
        MultiHead("batches").build(quick(), random_state=0),
        MultiHeadClassifier(quick(), schedule="batches", random_state=0),
    )
    same(
        MultiHead().build(quick("regression"), random_state=0),
        MultiHeadRegressor(quick("regression"), schedule="joint", random_state=0),
        NUMBERS,
    )


def test_a_merge_of_a_net_shuffles_its_rows():
    model = Merged().build(quick(), random_state=0)

    assert model.schedule == "shuffled"
    same(model, AlternatingClassifier(quick(), schedule="shuffled", random_state=0))
    assert type(Merged().build(quick("regression"))) is AlternatingRegressor


def test_own_nets_are_trained_apart():
    model = OwnModels().build(quick(), random_state=0)
    model.fit(X, Y, sample_source=SOURCE)

    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    rows = SOURCE == "a"
    alone = AlternatingClassifier(quick(), schedule="shuffled", random_state=seed)
    alone.fit(X[rows], Y[rows])

    ours = model.predict_proba(X[rows], sample_source=SOURCE[rows])
    np.testing.assert_allclose(ours, alone.predict_proba(X[rows]), rtol=1e-6)


def test_a_net_can_stand_beside_a_plain_estimator():
    for strategy in Alternating(net=quick()), MultiHead(net=quick()):
        model = strategy.build(LogisticRegression(), random_state=0)
        model.fit(X, Y, sample_source=SOURCE)
        assert model.predict(X, sample_source=SOURCE).shape == (60,)
        assert clone(strategy).schedule == strategy.schedule
    default = Alternating().build(Ridge())
    assert type(default) is AlternatingRegressor


def test_our_own_nets_keep_their_settings_and_take_the_schedule():
    mine = AlternatingClassifier(quick(), schedule="epochs", batch_size=7)

    turned = Alternating("plateau").build(mine, random_state=0)
    headed = MultiHead().build(mine, random_state=0)

    assert (turned.schedule, turned.batch_size) == ("plateau", 7)
    assert (headed.schedule, headed.batch_size) == ("joint", 7)
    assert mine.schedule == "epochs"


@pytest.mark.parametrize("strategy", [Alternating(net=Ridge()), MultiHead(net=Ridge())])
def test_what_is_no_net_is_refused(strategy):
    with pytest.raises(SourceError, match=r"needs a skorch net, got net=Ridge\(\)"):
        strategy.build(Ridge())


def test_what_a_net_cannot_do_is_refused():
    with pytest.raises(SourceError, match=r"Merged\(repr.*='indicator'\) is not for"):
        Merged(representation="indicator").build(quick())
