"""What a number costs: means of rows are scikit-learn's losses, slopes their slopes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
)
from sklearn.linear_model import (
    GammaRegressor,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    mean_tweedie_deviance,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem.exceptions import SourceError
from sktandem.stats._losses import with_the_rest
from sktandem.stats._row_loss import SQUARED_ERROR, RowLoss, loss_of

SEEDS = st.integers(0, 9999)
POWERS = [-1.0, 1.0, 1.5, 2.0, 3.0]


def positive(seed, n=30):
    return np.random.default_rng(seed).uniform(0.1, 5, size=(2, n))


def scikit_learns(loss, y, predicted):
    """Return scikit-learn's mean of a loss."""
    if loss.kind == "squared error":
        return mean_squared_error(y, predicted)
    if loss.kind == "absolute error":
        return mean_absolute_error(y, predicted)
    if loss.kind == "pinball loss":
        return mean_pinball_loss(y, predicted, alpha=loss.level)
    return mean_tweedie_deviance(y, predicted, power=loss.level)


LOSSES = [
    SQUARED_ERROR,
    RowLoss("absolute error"),
    RowLoss("pinball loss", 0.1),
    RowLoss("pinball loss", 0.75),
    *(RowLoss("deviance", power) for power in POWERS),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(seed=SEEDS)
def test_the_mean_over_rows_is_scikit_learns_loss(loss, seed):
    y, predicted = positive(seed)

    ours = loss.of_rows(y, predicted)

    assert ours.shape == y.shape
    assert ours.mean() == pytest.approx(scikit_learns(loss, y, predicted))
    one = loss.of_rows(y[:1], predicted[:1])
    assert ours[0] == pytest.approx(scikit_learns(loss, y[:1], predicted[:1]))
    assert one == pytest.approx(ours[:1])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_of_several_outputs_a_row_costs_their_mean(loss):
    y, predicted = positive(0).reshape(2, 10, 3)

    by_column = [loss.of_rows(y[:, k], predicted[:, k]) for k in range(3)]

    np.testing.assert_allclose(loss.of_rows(y, predicted), np.mean(by_column, axis=0))


@pytest.mark.parametrize("power", [0.0, *POWERS])
@given(seed=SEEDS)
def test_a_slope_is_that_of_a_short_step(power, seed):
    loss = RowLoss("deviance", power) if power else SQUARED_ERROR
    y, predicted = positive(seed)
    step = 1e-5

    after, before = (loss.of_rows(y, predicted + way) for way in (step, -step))

    short = (after - before) / (2 * step)
    np.testing.assert_allclose(loss.slope(y, predicted), short, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(seed=SEEDS)
def test_no_other_number_for_all_rows_costs_less_than_the_constant(loss, seed):
    y = positive(seed, 31).T

    best = loss.constant(y)

    def cost(number):
        return loss.of_rows(y, np.broadcast_to(number, y.shape)).mean()

    assert best.shape == (2,)
    for shift in (-0.05, 0.05):
        assert cost(best) <= cost(best + shift) + 1e-9


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_a_target_of_zero_has_a_deviance_as_in_scikit_learn(power):
    y, predicted = np.array([0.0, 2.0, 0.0]), np.array([0.5, 1.5, 2.0])

    ours = RowLoss("deviance", power).of_rows(y, predicted)

    assert np.isfinite(ours).all()
    theirs = mean_tweedie_deviance(y, predicted, power=power)
    assert ours.mean() == pytest.approx(theirs)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_predictions_of_few_digits_lose_no_more(loss, dtype):
    """Nets predict such, and a zero of theirs is as small as any other."""
    y, predicted = positive(0)
    few = np.append(np.ceil(predicted[1:]), 0).astype(dtype)

    found = loss.of_rows(y, few)

    assert np.isfinite(found).all()
    theirs = scikit_learns(loss, y[:-1], few[:-1].astype(float))
    assert found[:-1].mean() == pytest.approx(theirs, rel=1e-12)


def test_a_prediction_of_zero_costs_a_lot_and_one_below_is_refused():
    loss = RowLoss("deviance", 2.0)

    (cost,) = loss.of_rows([1.0], [0.0])

    assert 1e6 < cost < np.inf
    assert np.isfinite(loss.slope(np.ones(1), np.zeros(1))).all()
    message = r"gamma deviance needs predictions above 0, got -0\.5\. Use an estimator"
    with pytest.raises(SourceError, match=message):
        loss.of_rows([1.0, 1.0], [2.0, -0.5])


@pytest.mark.parametrize(
    ("loss", "name", "of_positive"),
    [
        (SQUARED_ERROR, "squared error", False),
        (RowLoss("pinball loss", 0.9), "pinball loss at 0.9", False),
        (RowLoss("deviance", 1.0), "Poisson deviance", True),
        (RowLoss("deviance", 2.0), "gamma deviance", True),
        (RowLoss("deviance", 1.5), "Tweedie deviance of power 1.5", True),
    ],
)
def test_a_loss_has_a_name_for_tables(loss, name, of_positive):
    assert (loss.name, loss.is_of_positive) == (name, of_positive)


class LikeLightGBM(Ridge):
    """Names its loss as the libraries for boosted trees do."""

    def __init__(self, objective=None, *, alpha=1.0, tweedie_variance_power=None):
        super().__init__(alpha=alpha)
        self.objective = objective
        self.tweedie_variance_power = tweedie_variance_power


class L1Loss:
    """A class, as nets name their criterion."""


NAMED = [
    (Ridge(), SQUARED_ERROR),
    (PoissonRegressor(), RowLoss("deviance", 1.0)),
    (GammaRegressor(), RowLoss("deviance", 2.0)),
    (TweedieRegressor(power=1.5), RowLoss("deviance", 1.5)),
    (TweedieRegressor(power=0), SQUARED_ERROR),
    (QuantileRegressor(quantile=0.2), RowLoss("pinball loss", 0.2)),
    (HistGradientBoostingRegressor(loss="poisson"), RowLoss("deviance", 1.0)),
    (HistGradientBoostingRegressor(loss="gamma"), RowLoss("deviance", 2.0)),
    (
        HistGradientBoostingRegressor(loss="absolute_error"),
        RowLoss("absolute error"),
    ),
    (
        HistGradientBoostingRegressor(loss="quantile", quantile=0.3),
        RowLoss("pinball loss", 0.3),
    ),
    (
        GradientBoostingRegressor(loss="quantile", alpha=0.8),
        RowLoss("pinball loss", 0.8),
    ),
    (GradientBoostingRegressor(loss="huber"), SQUARED_ERROR),
    (LikeLightGBM("tweedie"), RowLoss("deviance", 1.5)),
    (
        LikeLightGBM("reg:tweedie", tweedie_variance_power=1.2),
        RowLoss("deviance", 1.2),
    ),
    (LikeLightGBM("quantile", alpha=0.6), RowLoss("pinball loss", 0.6)),
    (LikeLightGBM("quantile", alpha=1.0), SQUARED_ERROR),
    (LikeLightGBM("reg:absoluteerror"), RowLoss("absolute error")),
    (LikeLightGBM(L1Loss), RowLoss("absolute error")),
    (object(), SQUARED_ERROR),
]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda model: model,
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: TransformedTargetRegressor(model),
        lambda model: GridSearchCV(make_pipeline(StandardScaler(), model), {}),
        lambda model: StackingRegressor([("ridge", Ridge())], model),
    ],
    ids=["alone", "pipeline", "target", "search", "stacking"],
)
@pytest.mark.parametrize(
    ("model", "loss"), NAMED, ids=lambda given: type(given).__name__
)
def test_the_loss_is_what_the_innermost_estimator_is_made_for(wrapped, model, loss):
    assert loss_of(wrapped(model)) == loss


def test_what_goes_to_classes_that_are_not_wanted_is_a_column_of_its_own():
    p = np.array([[0.2, 0.3, 0.5], [0.1, 0.9, 0.0], [0.0, 1.0, 0.0]])
    have, wanted = np.array(["a", "b", "c"]), np.array(["c", "a", "new"])

    whole = with_the_rest(p, have, wanted)

    expected = [[0.5, 0.2, 0, 0.3], [0, 0.1, 0, 0.9], [0, 0, 0, 1]]
    np.testing.assert_allclose(whole, expected, atol=1e-15)
    np.testing.assert_allclose(whole.sum(axis=1), 1)


def test_what_is_left_for_other_classes_is_never_below_zero():
    """Of probabilities in single precision the sum may be a bit above 1."""
    p, classes = np.array([[0.3, 0.7 + 1e-7]]), np.array(["a", "b"])

    whole = with_the_rest(p, classes, classes)

    np.testing.assert_allclose(whole, [[0.3, 0.7 + 1e-7, 0.0]])
    assert whole.min() == 0
