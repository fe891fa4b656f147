"""What the report says, of made differences and of real pairs."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem import (
    Merged,
    SourceScaler,
    stack_sources,
    table_preprocessor,
)
from sktandem.data._sources import Sources
from sktandem.datasets import load_heart_disease, load_wine_quality
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.report._result import Result
from sktandem.shift import shift_report
from sktandem.shift._columns import read_columns
from sktandem.shift._joint import _energy_p_value, bounded_rows

pytestmark = pytest.mark.slow

TWO = np.repeat(["red", "white"], 150)


def noise(n=300, width=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def answer(report, check):
    return next(finding for finding in report.answers if finding.check == check)


def about(report, check):
    return [f for f in report.findings if f.check == check and f.subject is not None]


# Each question


def test_of_many_sources_some_are_told_apart_and_it_says_so():
    source = np.repeat(np.arange(40), 20)
    X = noise(800) + 5 * (source == 7)[:, None]

    report = shift_report(X, sample_source=source)

    assert report.joint.n_sources == 30
    assert report.joint.n_rows == 600
    told = answer(report, "joint").sentence
    assert "among those of 30 of 40 sources, drawn at random, with AUC" in told
    assert str(report).startswith("ShiftReport: 40 sources of 20 to 20 rows, 3 feat")


def test_the_energy_of_several_sources_is_the_sum_over_pairs():
    codes = np.repeat([0, 1, 2], 20)
    X = noise(60) + 0.4 * codes[:, None]
    columns = read_columns(X, Sources(("a", "b", "c"), codes))
    p_value = _energy_p_value(
        columns,
        Sources(("a", "b", "c"), codes),
        np.random.RandomState(0),
        np.zeros(60, dtype=int),
    )

    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    D = cdist(Z, Z)

    def energy(codes):
        parts = [np.flatnonzero(codes == s) for s in range(3)]
        return sum(
            2 * D[np.ix_(a, b)].mean() - D[np.ix_(a, a)].mean() - D[np.ix_(b, b)].mean()
            for i, a in enumerate(parts)
            for b in parts[:i]
        )

    rng = np.random.default_rng(1)
    by_chance = [energy(rng.permutation(codes)) for _ in range(500)]
    assert p_value == pytest.approx(np.mean(by_chance >= energy(codes)), abs=0.03)


def test_identical_sources_raise_no_alarm():
    rng = np.random.default_rng(1)
    X, y = noise(2000), rng.integers(0, 2, 2000)

    report = shift_report(
        X, y, sample_source=rng.permutation(np.repeat(["red", "white"], 1000))
    )

    assert report.flagged == ()
    assert [f.check for f in report.answers] == [
        "schema",
        "features",
        "missing",
        "labels",
        "joint",
        "concept",
        "shared rows",
    ]
    assert {f.severity for f in report.answers} == {"none"}


def test_a_feature_that_moved_is_the_one_that_is_named():
    X = noise()
    X[TWO == "white", 1] += 1.5

    report = shift_report(X, None, sample_source=TWO)

    assert [f.subject for f in about(report, "features")] == [1]
    assert report.features[0].name == 1
    assert report[1].flagged
    assert not report[0].flagged
    assert answer(report, "features").severity == "large"
    assert 'scale_by="source"' in answer(report, "features").remedy
    with pytest.raises(KeyError):
        report["alcohol"]


def test_a_sure_but_tiny_difference_is_no_alarm():
    X = noise(40_000, 2)
    source = np.repeat(["red", "white"], 20_000)
    X[source == "white", 0] += 0.1

    report = shift_report(X, None, sample_source=source)

    assert report[0].p_value < 1e-6
    assert answer(report, "features").severity == "small"
    assert report.flagged == ()


def test_a_lost_relation_is_seen_by_the_classifier_alone():
    X = noise(2000, 2)
    source = np.repeat(["red", "white"], 1000)
    X[source == "red", 1] = X[source == "red", 0]

    report = shift_report(X, None, sample_source=source)

    assert {f.check for f in report.flagged} == {"joint"}
    assert "relations" in answer(report, "joint").remedy


def test_a_forgotten_unit_is_told_with_the_cure():
    rng = np.random.default_rng(0)
    celsius = pd.DataFrame({"temperature": rng.normal(15, 8, 300), "x": noise()[:, 0]})
    celsius.loc[TWO == "white", "temperature"] *= 1.8
    celsius.loc[TWO == "white", "temperature"] += 32

    report = shift_report(celsius, None, sample_source=TWO)

    (found,) = about(report, "schema")
    assert found.subject == "temperature"
    assert "red × 1.8 + 32 agrees with the other" in found.sentence


def test_an_absent_column_and_a_clash_are_lines_of_the_report():
    red = pd.DataFrame({"a": noise(50)[:, 0], "only": 1.5, "kind": 3})
    white = pd.DataFrame({"a": noise(50)[:, 1], "kind": ["low", "high"] * 25})
    red["only"] += np.arange(50)
    X, _, source = stack_sources(
        {"red": (red.drop(columns="kind"), [0] * 50)}
        | {"white": (white.drop(columns="kind"), [0] * 50)},
        join="outer",
    )
    X["kind"] = [*red["kind"], *white["kind"]]

    report = shift_report(X, None, sample_source=source)

    told = {f.subject: f.sentence for f in about(report, "schema")}
    assert told["only"] == "'only' has no value in white."
    assert told["kind"] == "'kind' holds numbers in red, text in white."
    assert {f.check for f in report.flagged} == {"schema"}


def test_missing_values_are_a_question_of_their_own():
    X = noise()
    X[np.flatnonzero(TWO == "white")[:60], 2] = np.nan

    report = shift_report(X, None, sample_source=TWO)

    assert [f.subject for f in about(report, "missing")] == [2]
    assert "0% of red, 40% of white" in answer(report, "missing").sentence
    assert "table_preprocessor()" in answer(report, "missing").remedy


@pytest.mark.parametrize(
    ("y", "words", "remedy"),
    [
        (np.arange(300) % 4 == 0, None, None),
        (np.where(TWO == "red", "ill", "well"), "other labels", "SharedNet"),
        (
            np.r_[np.zeros(120), np.ones(180)].astype(int),
            "80% of red",
            'representation="indicator"',
        ),
        (noise()[:, 0] + (TWO == "red"), "difference of means -", "scale_target_by"),
        (
            np.array([*np.arange(150) % 3, *["a", "b"] * 75], dtype=object),
            "other labels",
            "SharedNet",
        ),
    ],
    ids=["same", "disjoint", "level", "numbers", "mixed"],
)
def test_labels_are_told_by_share_or_by_mean(y, words, remedy):
    report = shift_report(noise(), y, sample_source=TWO)

    labels = answer(report, "labels")
    assert labels.flagged == (words is not None)
    if words:
        assert words in labels.sentence
        assert remedy in labels.remedy


def test_another_concept_is_found_where_rows_suffice():
    X = noise(3000)
    source = np.tile(["red", "white"], 1500)
    y = (X[:, 0] * np.where(source == "red", 1, -1) > 0).astype(int)

    report = shift_report(X, y, sample_source=source)
    few = shift_report(X[:900], y[:900], sample_source=source[:900])

    assert {f.check for f in report.flagged} == {"concept", "labels"}
    assert 'representation="augmented"' in answer(report, "concept").remedy
    assert answer(few, "concept").sentence.startswith("Cannot tell: 900 rows")


def test_a_moved_level_of_labels_fires_the_concept_and_points_at_the_labels():
    rng = np.random.default_rng(0)
    source = np.tile(["red", "white"], 1500)
    y = (rng.random(3000) < np.where(source == "red", 0.2, 0.7)).astype(int)

    report = shift_report(noise(3000), y, sample_source=source)

    assert "see labels" in answer(report, "concept").sentence


def test_where_the_columns_give_the_source_away_the_concept_cannot_be_told():
    X = noise(2000)
    source = np.repeat(["red", "white"], 1000)
    X[source == "red", 0] += 8

    report = shift_report(X, X[:, 1], sample_source=source)

    assert answer(report, "concept").severity == "cannot tell"
    assert "give the source away" in answer(report, "concept").sentence


def test_importance_is_high_where_y_comes_from():
    X = noise(600)

    report = shift_report(X, X[:, 2], sample_source=np.tile(["red", "white"], 300))

    assert report[2].importance > 0.5
    assert abs(report[0].importance) < 0.1


def test_shared_rows_are_counted_with_the_cure():
    X = noise()
    X[150:160] = X[:10]

    found = answer(shift_report(X, None, sample_source=TWO), "shared rows")

    assert found.sentence == "20 rows are in another source as well."
    assert "find_shared_rows" in found.remedy


# Labels that differ, and remedies that were tried


def by_class(shares, n=300, seed=0):
    """Draw sources alike within classes, whose classes differ in number."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.random(n) < share for share in shares]).astype(int)
    X = rng.normal(size=(len(y), 5))
    X[:, :3] += y[:, None]
    return X, y, np.repeat(["a", "b", "c"][: len(shares)], n)


@pytest.mark.parametrize("n_sources", [2, 3])
def test_swapped_codes_of_a_label_are_told_by_what_the_others_predict(n_sources):
    X, y, source = by_class((0.5,) * n_sources, n=150)
    swapped = np.where(source == "b", 1 - y, y)

    labels = answer(shift_report(X, swapped, sample_source=source), "labels")
    right = answer(shift_report(X, y, sample_source=source), "labels")

    ranked = "rows of b backwards" if n_sources == 3 else " backwards (ROC AUC 0.1"
    assert labels.sentence.startswith("The labels run the other way: a model of")
    assert ranked in labels.sentence
    assert "swap them back before stacking" in labels.remedy
    assert labels.severity == "large"
    assert right.severity == "none"


def test_labels_that_have_nothing_to_do_with_the_columns_do_not_run_backwards():
    for seed in range(20):
        y = np.random.default_rng(seed).integers(0, 2, 300)
        labels = answer(shift_report(noise(seed=seed), y, sample_source=TWO), "labels")

        assert "other way" not in labels.sentence


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.9, 0.5, 0.2)])
def test_another_balance_of_classes_is_no_reason_to_scale(shares, seed):
    """Scaled by source, the commonest class of each would be moved to zero."""
    X, y, source = by_class(shares, seed=seed)

    report = shift_report(X, y, sample_source=source)

    assert {f.check for f in report.flagged} == {"labels"}
    assert all("scale_by" not in f.remedy for f in report.answers)
    assert "in rows of the same class" in answer(report, "features").sentence
    assert 'representation="indicator" helps' in answer(report, "labels").remedy


def test_the_advice_for_another_balance_holds_on_new_rows():
    X, y, source = by_class((0.9, 0.1))
    X_new, y_new, new = by_class((0.9, 0.1), n=2000, seed=1)

    def loss(**setting):
        model = Merged(LogisticRegression(), **setting).fit(X, y, sample_source=source)
        given = model.predict_proba(X_new, sample_source=new)
        return log_loss(y_new, given)

    assert loss(representation="indicator") < loss() - 0.1
    assert loss(scale_by="source") > loss() + 0.1


def test_a_feature_that_moved_within_classes_is_found_beside_other_labels():
    X, y, source = by_class((0.8, 0.3))
    X[source == "b", 4] += 2

    report = shift_report(X, y, sample_source=source)

    (found,) = about(report, "features")
    assert found.subject == 4
    assert re.match(r"4: in rows of class [01], median ", found.sentence)
    assert report[4].among in (0, 1)
    assert answer(report, "joint").flagged
    assert "Among rows of the same class" in answer(report, "joint").sentence


def test_a_remedy_that_helps_is_said_to_with_its_numbers():
    """The instrument of b has another zero."""
    X, y, source = by_class((0.5, 0.5))
    X[source == "b"] += 4

    remedy = answer(shift_report(X, y, sample_source=source), "features").remedy

    assert re.match(
        r'scale_by="source" helps: the held-out log loss falls from [\d.]+ to [\d.]+, '
        r"by .* \(quick check: logistic regression, 3 folds, 600 rows\)",
        remedy,
    )


def test_a_remedy_that_harms_is_advised_against():
    """What moved is what y comes from: scaled away, it is lost."""
    X, _, source = by_class((0.5, 0.5))
    X[source == "b", 0] += 3
    y = X[:, 0] + 0.1 * X[:, 1]

    report = shift_report(X, y, sample_source=source)

    remedy = answer(report, "features").remedy
    assert remedy.startswith(
        'Not scale_by="source": with it the held-out squared error'
    )
    assert "rises from" in remedy


def test_a_remedy_that_was_not_tried_may_help():
    X, _, source = by_class((0.5, 0.5))
    X[source == "b"] += 4

    remedy = answer(shift_report(X, sample_source=source), "features").remedy

    assert 'scale_by="source" or SourceScaler() may help, if the sources' in remedy


@pytest.mark.parametrize("n", [5, 12])
@pytest.mark.filterwarnings("ignore::sktandem.exceptions.SourceWarning")
def test_few_rows_and_rare_classes_try_no_remedy_that_fails(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + 60, 3))
    source = np.repeat(["few", "many"], [n, 60])
    X[source == "few"] += 9
    targets = [
        (source == "few").astype(int) * (np.arange(n + 60) % 5 > 0),
        X[:, 0],
        np.arange(n + 60) % 7,
    ]

    for y in targets:
        assert answer(shift_report(X, y, sample_source=source), "features").flagged


# Sources and tables


def test_real_hospitals_are_told_apart_by_name():
    heart = load_heart_disease(as_frame=True)

    report = shift_report(heart.data, heart.target, sample_source=heart.sample_source)

    assert about(report, "schema")[0].sentence == "'chol' has no value in switzerland."
    assert "cleveland" in answer(report, "joint").sentence
    assert answer(report, "labels").size == pytest.approx(report.labels.size, abs=1e-12)


def test_the_column_door_is_the_keyword_door():
    wine = load_wine_quality(column="wine", as_frame=True)
    red = wine.data.groupby("wine", sort=False).head(200)
    features, source = red.drop(columns="wine"), red["wine"]

    by_column = shift_report(red, None, source="wine")
    by_keyword = shift_report(features, None, sample_source=source)

    assert repr(by_column) == repr(by_keyword)
    assert "wine" not in [f.name for f in by_column.features]


def test_every_kind_of_table_gets_the_same_report():
    X = noise()
    X[TWO == "white", 1] += 1

    whole = [f.size for f in shift_report(X, None, sample_source=TWO).features]

    for table in (X.tolist(), pd.DataFrame(X), pl.DataFrame(X), sparse.csr_array(X)):
        sizes = [f.size for f in shift_report(table, None, sample_source=TWO).features]
        np.testing.assert_allclose(sizes, whole)


def test_a_report_is_repeatable_and_leaves_the_data_alone():
    heart = load_heart_disease(as_frame=True)
    before = heart.data.copy()

    one, other = (
        shift_report(heart.data, heart.target, sample_source=heart.sample_source)
        for _ in range(2)
    )

    assert one.to_markdown() == other.to_markdown()
    pd.testing.assert_frame_equal(heart.data, before)


def test_a_small_source_keeps_its_rows_when_rows_are_drawn():
    sources = Sources(("large", "small"), np.repeat([0, 1], [5000, 40]))

    rows = bounded_rows(sources, np.random.RandomState(0), most=1000)

    assert np.bincount(sources.codes[rows]).tolist() == [960, 40]
    assert len(np.unique(rows)) == 1000


# After


@pytest.mark.parametrize(
    "after",
    [
        SourceScaler(),
        Merged(Ridge(), scale_by="source"),
        make_pipeline(SourceScaler(), Ridge()),
        make_pipeline(SourceScaler(), StandardScaler()),
    ],
    ids=["scaler", "merged", "before a model", "pipeline"],
)
def test_scaling_by_source_takes_a_moved_level_away(after):
    X, rng = noise(), np.random.default_rng(1)
    X[TWO == "white"] = X[TWO == "white"] * 3 + 10
    table = pd.DataFrame(X, columns=["a", "b", "c"])

    for given in (after, fitted(after, table, rng.normal(size=300))):
        report = shift_report(
            table, rng.normal(size=300), sample_source=TWO, after=given
        )

        assert report.before["b"].size > 0.9
        assert report["b"].size < 0.2
        assert set(report.size_before) == {"a", "b", "c"}
        assert "Before:" in report.to_markdown()


def fitted(after, X, y):
    from sklearn.base import clone

    after = clone(after)
    if hasattr(after, "steps"):
        for _, step in after.steps:
            takes = {"sample_source": TWO} if isinstance(step, SourceScaler) else {}
            step.fit(X, y, **takes)
        return after
    return after.fit(X, y, sample_source=TWO)


def test_after_takes_the_column_door():
    X = noise()
    X[TWO == "white"] += 10
    table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(wine=TWO)

    for after in (SourceScaler(source="wine"), StandardScaler()):
        report = shift_report(table, None, source="wine", after=after)

        assert {f.name for f in report.features} == {"a", "b", "c"}
        assert (report["a"].size < 0.2) == isinstance(after, SourceScaler)


def test_after_may_change_the_columns():
    heart = load_heart_disease(as_frame=True)
    given = heart.data, heart.target
    source = heart.sample_source

    report = shift_report(*given, sample_source=source, after=table_preprocessor())
    merged = shift_report(
        *given,
        sample_source=source,
        after=Merged(LogisticRegression(max_iter=5000), scaler=table_preprocessor()),
    )

    names = {f.name for f in report.features}
    assert {"age", "cp_asymptomatic"} <= names
    assert set(report.size_before) >= {"age", "oldpeak"}
    assert "cp" not in report.size_before
    assert [f.size for f in merged.features] == [f.size for f in report.features]


# Errors


def test_one_source_cannot_be_compared():
    with pytest.raises(SourceError, match=r"only one, 'all'\. Pass sample_source"):
        shift_report(noise())


def test_a_tiny_source_is_refused_and_a_small_one_warned_of():
    source = np.array(["red"] * 296 + ["lab"] * 4)
    with pytest.raises(SourceError, match="'lab' has 4 rows, too few to compare"):
        shift_report(noise(), None, sample_source=source)
    source[281:] = "lab"

    with pytest.warns(SourceWarning, match="'lab' has only 19 rows") as told:
        shift_report(noise(), None, sample_source=source)

    assert len(told) == 1
    with pytest.warns(SourceWarning, match="has only 19 rows") as told:
        shift_report(noise(), None, sample_source=source, after=SourceScaler())
    assert len(told) == 1


@pytest.mark.parametrize(
    ("X", "y", "after", "words"),
    [
        (np.zeros((300, 4, 4)), None, None, "has shape (300, 4, 4). Turn text"),
        (["text"] * 300, None, None, "has shape (300,). Turn text"),
        (sparse.csr_array((300, 1001)), None, None, "sparse with 1,001 columns"),
        (noise(), np.zeros(7), None, "X has 300, y has 7"),
        (noise(), np.zeros((300, 2)), None, "y must be one column, got shape (300, 2)"),
        (noise(), np.full(300, np.nan), None, "y leaves 300 samples without a finite"),
        (noise(), None, Ridge(), "after=Ridge() has no transform"),
        (noise(), None, Merged(Ridge()), "is not fitted, and fitting it needs y"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_remedy(X, y, after, words):
    with pytest.raises(SourceError, match=re.escape(words)):
        shift_report(X, y, sample_source=TWO, after=after)


def test_the_report_answers_to_the_five_of_every_result():
    X = noise()
    report = shift_report(X, X[:, 0], sample_source=TWO)

    lines = report.summary().splitlines()

    assert isinstance(report, Result)
    assert lines[0].startswith("ShiftReport: ")
    assert lines[1:] == [finding.sentence for finding in report.answers]
    assert list(report.to_frame().index) == [f.name for f in report.features]
    assert all(finding.remedy in report.to_html() for finding in report.flagged)
    tables = [line for line in report.to_markdown().splitlines() if "---" in line]
    assert [line.count("---") for line in tables] == [4, 7]


def test_a_plot_of_another_kind_is_refused():
    report = shift_report(noise(), None, sample_source=TWO)

    with pytest.raises(
        SourceError,
        match=r"kind must be one of \['features', 'importance'\], got 'gauge'",
    ):
        report.plot(kind="gauge")


def test_every_column_may_be_beyond_comparing():
    X = pd.DataFrame({"a": np.where(TWO == "red", 1.5, np.nan)})

    report = shift_report(X, np.arange(300) % 2, sample_source=TWO)

    assert answer(report, "joint").severity == "cannot tell"
    assert answer(report, "features").sentence == "No column can be compared."
    assert answer(report, "concept").sentence.startswith("Not asked")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "'a' has no value in white" in report.findings[1].sentence
        assert "<table>" in report.to_html()


# Showing


def test_the_frame_has_a_line_for_each_feature():
    heart = load_heart_disease(as_frame=True)
    report = shift_report(heart.data, heart.target, sample_source=heart.sample_source)

    frame = report.to_frame()

    assert set(frame.index) == set(heart.data.columns)
    assert frame["size"].dropna().is_monotonic_decreasing
    ca = heart.data["ca"].isna().groupby(heart.sample_source).mean()
    assert frame.loc["ca", "missing[va]"] == pytest.approx(ca["va"])
    means = heart.data["age"].groupby(heart.sample_source).mean()
    assert frame.loc["age", "mean[hungarian]"] == pytest.approx(means["hungarian"])


def test_text_is_escaped_in_html_and_markdown():
    X = pd.DataFrame(noise(), columns=["<b>", "a|b", "c"])
    X.loc[TWO == "white", ["<b>", "a|b"]] += 3

    report = shift_report(
        X, None, sample_source=np.where(TWO == "red", "<red>", "white")
    )

    assert "<b></b>" not in report.to_html()
    assert "&lt;red&gt;" in report.to_html()
    assert "a\\|b" in report.to_markdown()


def test_a_page_of_many_features_stays_small():
    X = noise(300, 120)
    X[TWO == "white"] += 1

    html = shift_report(X, X[:, 0], sample_source=TWO).to_html()

    assert len(html) < 150_000
    assert html.count("<svg") == 2
    assert "90 more in to_frame()" in html


def test_a_column_that_is_the_source_is_told_and_stops_nothing():
    X = np.column_stack([np.where(TWO == "red", 2019.0, 2020.0), noise()[:, 0]])

    report = shift_report(X, None, sample_source=TWO)

    assert report[0].size == 1
    assert not about(report, "shared rows")


@pytest.mark.parametrize("ratio", [2.0, 2.4, 3.0])
def test_a_population_that_is_merely_larger_is_no_unit(ratio):
    rng = np.random.default_rng(0)
    weight = rng.lognormal(np.log(10), 0.35, 2000)
    source = np.repeat(["red", "white"], 1000)
    weight[source == "white"] *= ratio

    report = shift_report(weight[:, None], None, sample_source=source)

    assert not [f for f in report.flagged if f.check == "schema"]


def test_many_rare_categories_are_not_one():
    ids = [f"{letter}{n:03}" for letter in "ab" for n in range(150)]
    X = pd.DataFrame({"id": ids, "x": noise()[:, 0]})

    told = [f.sentence for f in shift_report(X, None, sample_source=TWO).findings]

    assert not [sentence for sentence in told if "is the same in all rows" in sentence]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_dates_are_told_as_dates_and_not_to_be_scaled(library):
    days = np.datetime64("2019-01-01", "us") + np.arange(300) * np.timedelta64(1, "D")
    X = library.DataFrame({"seen": days.astype("datetime64[us]"), "x": noise()[:, 0]})

    (found,) = [
        f
        for f in shift_report(X, None, sample_source=TWO).flagged
        if f.subject == "seen"
    ]

    assert "2019-03-" in found.sentence
    assert "table_preprocessor() makes numbers of dates" in found.remedy


def test_a_spelling_is_not_a_matter_of_the_model():
    """'m' here and 'M' there: the advice is to write it alike, not to augment."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["m", "f"], 600)
    X = pd.DataFrame({"sex": sex, "age": rng.normal(60, 9, 600)})
    source = np.repeat(["A", "B"], 300)
    X.loc[source == "B", "sex"] = X["sex"].str.upper()

    report = shift_report(X, None, sample_source=source)

    spelling = report["sex"].spelling
    assert report["sex"].size == 1
    assert {spelling.one.lower(), spelling.other.lower()} in ({"m"}, {"f"})
    share = [np.mean(sex[source == name] == "m") for name in "AB"]
    np.testing.assert_allclose(spelling.after, abs(share[0] - share[1]), atol=1e-12)
    (schema,) = [f for f in report.flagged if f.check == "schema" and f.subject]
    assert "'sex' is written differently, such as " in schema.sentence
    assert all("augmented" not in f.remedy for f in report.findings)
    assert all('read_sources(clean="safe")' in f.remedy for f in report.flagged)


def test_categories_that_differ_in_more_than_writing_are_no_spelling():
    X = pd.DataFrame({"ward": ["a", "A"] * 20 + ["b"] * 260, "x": noise()[:, 0]})

    assert shift_report(X, None, sample_source=TWO)["ward"].spelling is None


def test_labels_of_two_kinds_in_one_source_are_refused():
    y = np.array([1, "ill", "well"] * 100, dtype=object)

    with pytest.raises(SourceError, match="numbers and strings in one source"):
        shift_report(noise(), y, sample_source=TWO)


def test_a_table_without_rows_is_refused():
    with pytest.raises(SourceError, match="X has no rows"):
        shift_report(np.empty((0, 2)), sample_source=[])
