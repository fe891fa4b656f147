"""The command line: the comparison on the two wines."""

import csv

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler

from sktandem import __main__ as command
from sktandem.datasets import load_wine_quality
from sktandem.model_selection import SourceKFold
from sktandem.nn import AlternatingRegressor, MultiHeadRegressor, default_net


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    results = []
    compare = command.compare
    with pytest.MonkeyPatch.context() as patch:
        # The run itself is kept, so that one run serves all tests.
        def kept(*args):
            for result in compare(*args):
                results.append(result)
                yield result

        patch.setattr(command, "compare", kept)
        lines = []
        patch.setattr("builtins.print", lambda *a, **k: lines.append(" ".join(a)))
        assert command.main(["--output", str(folder)]) == 0
    return folder, results, "\n".join(lines)


BOTH = ["red", "white"]


def by_hand(train_on, by_source=False, balanced=False):
    """Score plain scikit-learn on the same folds, without this package's estimators."""
    X, y, wine = load_wine_quality(return_X_y=True)
    scores = {"red": [], "white": []}
    folds = SourceKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(X, y, sample_source=wine):
        rows = train[np.isin(wine[train], train_on)]
        weight = np.ones(len(wine))
        Z = np.empty_like(X)
        for name in scores:
            if balanced:
                weight[wine == name] = len(rows) / 2 / (wine[rows] == name).sum()
        for name in scores:
            measured = rows[wine[rows] == name] if by_source else rows
            scaler = StandardScaler().fit(X[measured], sample_weight=weight[measured])
            Z[wine == name] = scaler.transform(X[wine == name])
        model = Ridge().fit(Z[rows], y[rows], sample_weight=weight[rows])
        for name in scores:
            own = test[wine[test] == name]
            scores[name].append(r2_score(y[own], model.predict(Z[own])))
    return scores


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ("only red", {"train_on": ["red"]}),
        ("only white", {"train_on": ["white"]}),
        ("merged", {"train_on": BOTH}),
        ("merged, scaled by source", {"train_on": BOTH, "by_source": True}),
        ("merged, sources balanced", {"train_on": BOTH, "balanced": True}),
    ],
)
def test_the_figures_are_those_of_plain_scikit_learn(printed, strategy, settings):
    _, results, text = printed
    ridge = [r for r in results if r.learner == "ridge regression"]
    ours = next(r for r in ridge if r.strategy == strategy)

    expected = by_hand(**settings)

    for source in ("red", "white"):
        np.testing.assert_allclose(ours.scores[source], expected[source], atol=1e-8)
        mean, spread = np.mean(expected[source]), np.std(expected[source], ddof=1)
        assert f"{mean:.3f} ±{spread:.3f}" in text


@pytest.mark.parametrize(
    ("strategy", "wines", "settings"),
    [
        ("only red", ["red"], {}),
        ("merged", BOTH, {"schedule": "shuffled"}),
        ("in turns, averaged", BOTH, {"schedule": "batches", "average": "ema"}),
    ],
)
@pytest.mark.filterwarnings("ignore:Only one source")
def test_the_nets_meet_the_same_folds(printed, strategy, wines, settings):
    """The first fold by hand, with a net made here."""
    X, y, wine = load_wine_quality(return_X_y=True)
    folds = SourceKFold(5, shuffle=True, random_state=0)
    train, test = next(folds.split(X, y, sample_source=wine))
    rows = train[np.isin(wine[train], wines)]
    net = default_net("regression", max_epochs=30)
    model = AlternatingRegressor(
        net, scale_target_by="pooled", random_state=0, **settings
    )
    model.fit(X[rows], y[rows], sample_source=wine[rows])

    _, results, _ = printed
    nets = [r for r in results if r.learner == "neural net"]
    ours = next(r for r in nets if r.strategy == strategy)

    for name in BOTH:
        own = test[wine[test] == name]
        expected = r2_score(y[own], model.predict(X[own]))
        np.testing.assert_allclose(ours.scores[name][0], expected, atol=1e-6)


def test_each_wine_has_a_head_of_its_own(printed):
    """The first fold by hand, with a trunk made here."""
    X, y, wine = load_wine_quality(return_X_y=True)
    folds = SourceKFold(5, shuffle=True, random_state=0)
    train, test = next(folds.split(X, y, sample_source=wine))
    net = default_net(
        "regression",
        max_epochs=30,
        module__hidden_sizes=(64,),
        module__activate_output=True,
    )
    model = MultiHeadRegressor(net, schedule="batches", random_state=0)
    model.fit(X[train], y[train], sample_source=wine[train])

    _, results, _ = printed
    ours = next(r for r in results if r.strategy == "a head each")

    assert ours.learner == "neural net"
    for name in BOTH:
        own = test[wine[test] == name]
        answers = model.predict_heads(X[own])[name]
        np.testing.assert_allclose(
            ours.scores[name][0], r2_score(y[own], answers), atol=1e-6
        )


def test_what_is_written_is_what_was_shown(printed):
    folder, results, text = printed
    with (folder / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    n_strategies = 5 + 5 + 6  # of each learner
    assert len(rows) == n_strategies * 2 * 5  # sources, folds
    merged = [
        float(row["r2"])
        for row in rows
        if (row["learner"], row["strategy"], row["source"])
        == ("boosted trees", "merged", "red")
    ]
    ours = [
        r for r in results if (r.learner, r.strategy) == ("boosted trees", "merged")
    ]
    np.testing.assert_allclose(merged, ours[0].scores["red"], atol=1e-6)
    report = (folder / "report.txt").read_text(encoding="utf-8")
    for line in report.splitlines():
        assert line in text
    assert "1,177 duplicates dropped" in report


def test_the_picture_is_a_picture(printed):
    folder, _, text = printed

    assert (folder / "scores.png").read_bytes().startswith(b"\x89PNG")
    assert "report.txt, scores.csv, scores.png" in text


def test_without_matplotlib_the_rest_is_written(printed, monkeypatch, capsys, tmp_path):
    _, results, _ = printed
    monkeypatch.setattr(command, "has_matplotlib", lambda: False)
    monkeypatch.setattr(command, "compare", lambda *_: iter(results))

    command.main(["--output", str(tmp_path)])

    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.txt", "scores.csv"]
    assert 'pip install "sktandem[notebook]"' in capsys.readouterr().out


def test_classes_are_compared_by_balanced_accuracy():
    first = next(command.compare("classification", n_folds=2))
    _, y, wine = load_wine_quality("classification", return_X_y=True)

    assert first.strategy == "only red"
    assert set(first.scores) == {"red", "white"}
    chance = balanced_accuracy_score(y[wine == "red"], ["low"] * (wine == "red").sum())
    assert first.mean("red") > chance


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "1"], "n_splits must be a whole number of at least 2, got 1"),
        (["--task", "clustering"], "invalid choice: 'clustering'"),
        (["--output", "/dev/null/x"], "Not a directory"),
    ],
)
def test_wrong_arguments_end_with_a_reason(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
