"""Pairs made to measure: each difference is the one asked for, and no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, xlogy
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score

from sktandem.datasets import make_two_sources
from sktandem.exceptions import SourceError

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=20)


def rows_of(pair, name):
    """Return a source's rows in the common units, and its targets."""
    rows = pair.sample_source == name
    return (pair.data[rows] - pair.offset[name]) / pair.factor[name], pair.target[rows]


def true_values(pair, name):
    X, y = rows_of(pair, name)
    return X @ pair.coef[name] + pair.intercept[name], y


def angle_between(pair):
    cosine = pair.coef["first"] @ pair.coef["second"]
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


# The rule


@FEW
@given(seed=SEEDS, angle=st.floats(0, 180), n_features=st.integers(2, 8))
def test_the_rules_stand_at_the_angle_asked_for(seed, angle, n_features):
    pair = make_two_sources(
        10, n_features=n_features, concept_angle=angle, random_state=seed
    )

    for coef in pair.coef.values():
        assert np.linalg.norm(coef) == pytest.approx(1)
    assert angle_between(pair) == pytest.approx(angle, abs=1e-4)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_without_differences_both_sources_have_one_rule_and_one_score(task):
    pair = make_two_sources(100, task=task, random_state=0)

    np.testing.assert_array_equal(pair.coef["first"], pair.coef["second"])
    assert pair.intercept == {"first": 0, "second": 0}
    assert pair.optimal_scores["first"] == pair.optimal_scores["second"]


def test_without_noise_the_rule_is_the_target():
    pair = make_two_sources(
        300,
        concept_angle=70,
        covariate_shift=2,
        unit_factor=-3,
        noise=0,
        random_state=1,
    )

    for name in pair.coef:
        values, y = true_values(pair, name)
        np.testing.assert_allclose(values, y, atol=1e-12)
        assert pair.optimal_scores[name]["r2"] == 1


def test_one_feature_can_keep_its_rule_or_turn_it_round():
    same, opposite = (
        make_two_sources(10, n_features=1, concept_angle=angle, random_state=0)
        for angle in (0, 180)
    )

    assert same.coef["second"] == same.coef["first"]
    assert opposite.coef["second"] == -opposite.coef["first"]


# Each difference alone


@FEW
@given(seed=SEEDS, ratio=st.floats(0.05, 20), n=st.integers(50, 500))
def test_the_sizes_stand_in_the_ratio_asked_for(seed, ratio, n):
    pair = make_two_sources(n, size_ratio=ratio, n_features=2, random_state=seed)

    n_second = int(np.sum(pair.sample_source == "second"))

    assert len(pair.data) == n
    assert abs(n_second - n / (1 + ratio)) <= 0.5


def test_a_covariate_shift_moves_the_means_and_not_the_rule():
    shift = np.array([0.0, 1.0, -2.0])
    pair = make_two_sources(
        100_000, n_features=3, covariate_shift=shift, random_state=0
    )

    first, _ = rows_of(pair, "first")
    second, y = rows_of(pair, "second")

    np.testing.assert_allclose(second.mean(0) - first.mean(0), shift, atol=0.03)
    np.testing.assert_allclose(second.std(0), 1, atol=0.02)
    np.testing.assert_array_equal(pair.coef["first"], pair.coef["second"])
    fitted = LinearRegression().fit(second, y)
    np.testing.assert_allclose(fitted.coef_, pair.coef["first"], atol=0.02)


def test_a_label_shift_moves_the_shares_and_leaves_each_class_as_it_was():
    plain, shifted = (
        make_two_sources(
            200_000, task="classification", label_shift=move, random_state=0
        )
        for move in (0.0, 0.3)
    )

    X, y = rows_of(shifted, "second")
    X_plain, y_plain = rows_of(plain, "second")

    assert y.mean() - y_plain.mean() == pytest.approx(0.3, abs=0.01)
    for k in (0, 1):
        np.testing.assert_allclose(
            X[y == k].mean(0), X_plain[y_plain == k].mean(0), atol=0.03
        )
    np.testing.assert_array_equal(
        rows_of(shifted, "first")[0], rows_of(plain, "first")[0]
    )


def test_a_label_shift_adds_the_change_of_log_odds_to_the_true_rule():
    noise = 0.5
    pair = make_two_sources(
        400_000, task="classification", label_shift=0.3, noise=noise, random_state=0
    )
    X, y = rows_of(pair, "second")

    fitted = LogisticRegression(C=np.inf).fit(X, y)

    # Half of the rows are in class 1 by themselves, so the log odds move by 1.39.
    assert pair.intercept["second"] == pytest.approx(
        noise * np.log(0.8 / 0.2), abs=1e-6
    )
    assert noise * fitted.intercept_ == pytest.approx(
        pair.intercept["second"], abs=0.02
    )
    np.testing.assert_allclose(noise * fitted.coef_[0], pair.coef["second"], atol=0.02)


def test_units_are_undone_by_the_factors_that_come_with_the_pair():
    units = {"unit_factor": [2.54, 1.8], "unit_offset": [0.0, 32.0]}
    plain = make_two_sources(50, n_features=2, random_state=3)
    pair = make_two_sources(50, n_features=2, random_state=3, **units)

    for name in pair.coef:
        X, y = rows_of(pair, name)
        X_plain, y_plain = rows_of(plain, name)
        np.testing.assert_allclose(X, X_plain)
        np.testing.assert_array_equal(y, y_plain)
    assert not np.allclose(pair.data, plain.data)
    assert pair.optimal_scores == plain.optimal_scores


def test_missing_features_are_missing_there_and_nowhere_else():
    pair = make_two_sources(60, n_features=4, missing_features=[1, 3], random_state=0)
    second = pair.sample_source == "second"
    expected = np.outer(second, [False, True, False, True])

    np.testing.assert_array_equal(np.isnan(pair.data), expected)


def test_each_source_can_have_its_own_noise():
    pair = make_two_sources(100_000, noise=(0.1, 2.0), random_state=0)

    for name, noise in [("first", 0.1), ("second", 2.0)]:
        values, y = true_values(pair, name)
        assert np.std(y - values) == pytest.approx(noise, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_same_seed_gives_the_same_pair_and_another_another(task):
    asked = {"task": task, "concept_angle": 30, "missing_features": [0]}
    if task == "classification":
        asked["label_shift"] = 0.2
    pair, again, other = (
        make_two_sources(80, random_state=seed, **asked) for seed in (5, 5, 6)
    )

    np.testing.assert_array_equal(pair.data, again.data)
    np.testing.assert_array_equal(pair.target, again.target)
    assert not np.array_equal(pair.target, other.target)


# The best scores


@pytest.mark.parametrize("angle", [0, 50])
def test_the_best_r2_is_that_of_the_true_function_on_many_rows(angle):
    pair = make_two_sources(
        400_000,
        concept_angle=angle,
        noise=(0.5, 1.5),
        covariate_shift=1,
        random_state=0,
    )

    for name, best in pair.optimal_scores.items():
        values, y = true_values(pair, name)
        assert r2_score(y, values) == pytest.approx(best["r2"], abs=0.005)
        mse = np.mean((y - values) ** 2)
        assert -mse == pytest.approx(best["neg_mean_squared_error"], rel=0.01)


def test_the_best_r2_counts_what_the_source_lacks_as_noise():
    pair = make_two_sources(200_000, missing_features=[0, 2], random_state=0)
    X, y = rows_of(pair, "second")
    seen = ~np.isnan(X).any(axis=0)

    fitted = LinearRegression().fit(X[:, seen], y)

    best = pair.optimal_scores["second"]["r2"]
    assert best < pair.optimal_scores["first"]["r2"]
    assert fitted.score(X[:, seen], y) == pytest.approx(best, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("label_shift", [0.0, 0.25])
@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_the_best_scores_are_those_of_the_true_probabilities(label_shift, noise):
    pair = make_two_sources(
        400_000,
        task="classification",
        noise=noise,
        covariate_shift=0.3,
        label_shift=label_shift,
        concept_angle=45,
        random_state=0,
    )

    for name, best in pair.optimal_scores.items():
        values, y = true_values(pair, name)
        chances = expit(values / noise)
        assert accuracy_score(y, chances > 0.5) == pytest.approx(
            best["accuracy"], abs=0.004
        )
        assert -log_loss(y, chances) == pytest.approx(best["neg_log_loss"], abs=0.005)


@FEW
@given(seed=SEEDS)
def test_without_noise_the_best_accuracy_follows_from_the_angle_to_what_is_seen(seed):
    """Two normal variables correlated by r agree in sign with 1 - arccos(r) / pi."""
    pair = make_two_sources(
        10,
        task="classification",
        n_features=4,
        missing_features=[0, 1],
        noise=0,
        random_state=seed,
    )
    correlation = np.linalg.norm(pair.coef["second"][2:])

    best = pair.optimal_scores["second"]["accuracy"]

    assert best == pytest.approx(1 - np.arccos(correlation) / np.pi, abs=1e-4)


@pytest.mark.slow
@FEW
@given(seed=SEEDS, noise=st.floats(0, 1.5))
def test_lacking_a_feature_never_raises_the_best_scores(seed, noise):
    whole, lacking = (
        make_two_sources(
            10,
            task="classification",
            n_features=3,
            missing_features=missing,
            noise=noise,
            random_state=seed,
        ).optimal_scores["second"]
        for missing in ([], [0])
    )

    for score in whole:
        assert lacking[score] <= whole[score] + 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.05, 0.5])
def test_the_best_scores_count_what_the_source_lacks_as_noise(noise):
    """Rows alike in what is seen have the true chances as their class shares."""
    pair = make_two_sources(
        800_000,
        task="classification",
        noise=noise,
        missing_features=[0, 1],
        covariate_shift=0.4,
        label_shift=-0.2,
        random_state=0,
    )
    X, y = rows_of(pair, "second")
    order = np.argsort(np.nan_to_num(X) @ pair.coef["second"])
    shares = y[order].reshape(400, 1000).mean(axis=1)

    accuracy = np.maximum(shares, 1 - shares).mean()
    log_likelihood = np.mean(xlogy(shares, shares) + xlogy(1 - shares, 1 - shares))

    best = pair.optimal_scores["second"]
    assert accuracy == pytest.approx(best["accuracy"], abs=0.004)
    assert log_likelihood == pytest.approx(best["neg_log_loss"], abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_no_fitted_model_beats_the_best_score_on_fresh_rows(task):
    pair = make_two_sources(
        60_000, task=task, covariate_shift=0.5, missing_features=[1], random_state=0
    )
    fresh = np.random.default_rng(0).random(len(pair.data)) < 0.5
    scorer = accuracy_score if task == "classification" else r2_score
    score = "accuracy" if task == "classification" else "r2"

    for name, best in pair.optimal_scores.items():
        train = (pair.sample_source == name) & ~fresh
        test = (pair.sample_source == name) & fresh
        X = np.nan_to_num(pair.data)
        models = [LogisticRegression(), HistGradientBoostingClassifier(random_state=0)]
        for model in models if task == "classification" else [LinearRegression()]:
            model.fit(X[train], pair.target[train])
            reached = scorer(pair.target[test], model.predict(X[test]))
            # Three standard errors of a score on 15,000 rows.
            assert best[score] - 0.03 < reached < best[score] + 0.012


# What is returned


def test_names_columns_and_frames_are_as_in_the_loaders():
    pair = make_two_sources(
        40, names=("north", "south"), column="city", as_frame=True, random_state=0
    )
    X, y, _ = make_two_sources(40, return_X_y=True, random_state=0)

    assert set(pair.coef) == set(pair.optimal_scores) == {"north", "south"}
    assert pair.data["city"].tolist() == pair.sample_source.tolist()
    assert pair.feature_names == ["x0", "x1", "x2", "x3", "x4", "city"]
    assert X.shape == (40, 5)
    np.testing.assert_array_equal(y, pair.target)


def test_classes_are_0_and_1():
    pair = make_two_sources(40, task="classification", random_state=0)

    assert pair.target.dtype.kind == "i"
    assert np.unique(pair.target).tolist() == [0, 1]
    assert pair.target_names == ["0", "1"]


# Errors


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"task": "ranking"},
            "task must be 'regression' or 'classification', got 'ran",
        ),
        ({"names": ("a", "a")}, r"two different strings, got \('a', 'a'\)"),
        ({"names": "ab"}, "two different strings, got 'ab'"),
        ({"names": (1, 2)}, r"two different strings, got \(1, 2\)"),
        ({"size_ratio": 0}, "size_ratio must be a positive number, got 0"),
        ({"n_samples": 3, "size_ratio": 9}, "n_samples=3 at size_ratio=9 leaves a sou"),
        ({"covariate_shift": [1, 2]}, r"each of the 5 features, got shape \(2,\)"),
        ({"unit_factor": 0}, "unit_factor must not be 0"),
        ({"missing_features": [5]}, r"positions from 0 to 4, got \[5\]"),
        ({"missing_features": range(5)}, "missing_features names all 5 features"),
        ({"noise": -1}, "noise must be a number from 0 on, or a pair of them, got -1"),
        ({"noise": (1, 2, 3)}, r"a pair of them, got \(1, 2, 3\)"),
        ({"n_features": 1, "concept_angle": 10}, "concept_angle=10 needs two features"),
        (
            {"n_samples": "many"},
            "n_samples must be an integer of at least 2, got 'many'",
        ),
        ({"n_features": 0}, "n_features must be an integer of at least 1, got 0"),
        ({"names": None}, "two different strings, got None"),
        ({"size_ratio": np.ones(2)}, "size_ratio must be a positive number, got array"),
        ({"covariate_shift": "a"}, "each of the 5 features, got 'a'"),
        ({"unit_factor": np.nan}, "each of the 5 features, got nan"),
        ({"noise": None}, "a pair of them, got None"),
        ({"missing_features": "a"}, r"positions from 0 to 4, got \['a'\]"),
        ({"label_shift": "a"}, "label_shift must be a number that is finite, got 'a'"),
        ({"concept_angle": None}, "concept_angle must be a number that is finite"),
        ({"label_shift": 0.2}, "label_shift=0.2 moves the shares of classes, but task"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_came(asked, message):
    with pytest.raises(SourceError, match=message):
        make_two_sources(**asked)


def test_a_label_shift_must_leave_both_classes_some_rows():
    with pytest.raises(
        SourceError, match=r"a share of 1\.10 in 'second', where it has"
    ):
        make_two_sources(task="classification", label_shift=0.6, random_state=0)
    with pytest.raises(SourceError, match="covariate_shift leaves class 1 a sh"):
        make_two_sources(
            task="classification", covariate_shift=50, label_shift=0.1, random_state=0
        )
