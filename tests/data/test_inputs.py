"""Inputs of odd kinds: taken for what they are, or refused in words of ours."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sktandem import (
    Merged,
    SharedNet,
    SourceError,
    SourceWarning,
    Tandem,
    stack_sources,
    table_preprocessor,
)
from sktandem.datasets import make_two_sources
from sktandem.members import (
    OnlySource,
    OwnModels,
    SimilarityWeighted,
    StackedPrediction,
    WeightedMerge,
)
from sktandem.model_selection import (
    SourceKFold,
    classification_report_by_source,
    compare_strategies,
    score_by_source,
    source_scorer,
    source_scorers,
)
from sktandem.shift import find_shared_rows, shift_report

torch = pytest.importorskip("torch")
nn = pytest.importorskip("sktandem.nn")
as_probabilities = pytest.importorskip("sktandem.nn._answers").as_probabilities

N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] > 0).astype(int)
SOURCE = np.tile(["a", "b"], N // 2)
GIVEN = {"sample_source": SOURCE}
LEARNER = LogisticRegression()
MERGED = Merged(LEARNER, scaler=None).fit(X, Y, **GIVEN)


class Flat(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(6, 2)

    def forward(self, X):
        return self.linear(X.flatten(1))


def test_many_rows_that_are_lists_of_lists_are_no_datasets():
    rows = RNG.normal(size=(N, 2, 3)).astype(np.float32)
    net = nn.default_net(module=Flat, max_epochs=2)

    nested = SharedNet(net, scaler=None, random_state=0).fit(rows.tolist(), Y, **GIVEN)
    plain = SharedNet(net, scaler=None, random_state=0).fit(rows, Y, **GIVEN)

    np.testing.assert_allclose(
        nested.predict_proba(rows), plain.predict_proba(rows), atol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(X, Y), (X, Y)], "a list of 2 datasets.*stack_sources"),
        ({"a": X, "b": X}, "a dict of 2 datasets.*stack_sources"),
        (
            {"u": X[:, 0], "v": X[:, 1]},
            r"datasets, or columns.*pd\.DataFrame\(X",
        ),
        ([list(range(i % 5)) for i in range(N)], "a list of 40 sequences.*one length"),
        (np.array([f"{i}.png" for i in range(N)]), "strings|texts"),
        ([f"{i}.png" for i in range(N)], "strings|texts"),
    ],
)
def test_what_is_no_table_is_refused(given, message):
    for model in Merged(LEARNER), SharedNet(task="classification"):
        with pytest.raises(SourceError, match=message):
            model.fit(given, Y, **GIVEN)


@pytest.mark.parametrize(
    "odd",
    [5, "ridge", LogisticRegression, object(), torch.nn.Linear(2, 2), StandardScaler()],
)
def test_what_is_no_estimator_is_refused_at_every_door(odd):
    get_tags(Merged(odd))  # as with a hole, no tag raises
    repr(Merged(odd))

    for fit in (
        lambda: Merged(odd).fit(X, Y, **GIVEN),
        lambda: OwnModels(odd).fit(X, Y, **GIVEN),
        lambda: WeightedMerge(odd).fit(X, Y, **GIVEN),
        lambda: SharedNet(odd).fit(X, Y, **GIVEN),
        lambda: Tandem(odd).fit(X, Y, **GIVEN),
        lambda: compare_strategies(odd, X, Y, **GIVEN, progress=False),
        lambda: score_by_source(odd, X, Y, **GIVEN),
    ):
        with pytest.raises(SourceError, match=r"got|needs"):
            fit()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "dia", "bsr", "lil", "dok"])
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_any_sparse_format_is_scored(kind, container):
    table = container(X).asformat(kind)
    expected = score_by_source(MERGED, X, Y, **GIVEN)

    assert score_by_source(MERGED, table, Y, **GIVEN).by_source == expected.by_source
    plain = LogisticRegression().fit(X, Y)
    assert score_by_source(plain, table, Y, **GIVEN).macro == expected.macro


def test_frames_of_sparse_columns_are_prepared_as_dense_ones():
    dense = pd.DataFrame(X, columns=list("uvw")).assign(n=np.arange(N) % 2)
    thin = dense.astype({"u": pd.SparseDtype(float, 0.0), "n": pd.SparseDtype(int, 0)})

    made = table_preprocessor().fit(thin).transform(thin)

    np.testing.assert_allclose(made, table_preprocessor().fit_transform(dense))


def test_a_report_takes_y_as_a_column():
    expected = classification_report_by_source(MERGED, X, Y, **GIVEN)

    for y in Y[:, None], pd.DataFrame({"y": Y}):
        assert classification_report_by_source(MERGED, X, y, **GIVEN) == expected
    missing = np.where(np.arange(N) == 3, np.nan, Y)
    with pytest.raises(SourceError, match="y is missing in 1 row of 40"):
        classification_report_by_source(MERGED, X, missing, **GIVEN)


TENSOR = torch.from_numpy(X)


@pytest.mark.parametrize(
    ("tensor", "tolerance"),
    [
        (TENSOR.bfloat16(), 0.05),
        (TENSOR.half(), 0.01),
        (TENSOR.clone().requires_grad_(), 0),
        (torch._neg_view(-TENSOR), 0),
    ],
)
def test_tensors_are_taken_for_their_values(tensor, tolerance):
    np.testing.assert_allclose(
        MERGED.predict_proba(tensor), MERGED.predict_proba(X), atol=tolerance + 1e-12
    )
    SharedNet(task="regression").fit(tensor, tensor[:, 0], **GIVEN)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (TENSOR.to("meta"), "tensor without values.*'meta'"),
        (TENSOR.to_sparse(), r"layout torch\.sparse_coo.*\.to_dense\(\)"),
        (torch.conj(torch.complex(TENSOR, TENSOR)), "Complex data not supported"),
    ],
)
def test_tensors_without_plain_values_are_refused(tensor, message):
    with pytest.raises(SourceError, match=message):
        Merged(LEARNER).fit(tensor, Y, **GIVEN)
    with pytest.raises(SourceError, match=message):
        SharedNet(task="regression").fit(X, tensor[:, 0], **GIVEN)


def test_a_head_must_fit_and_be_made_for_each_source():
    for head, message in (
        (torch.nn.Linear(64, 2), "head must be a function .* got the module"),
        (lambda width: None, r"head\(32, 2\) failed: .*It is called with the width"),
        (lambda width, n: torch.nn.Linear(width + 1, n), "did not take a batch"),
        (lambda width, n: torch.nn.Linear(width, n + 1), "gives 3 outputs, but 'a'"),
    ):
        model = SharedNet(task="classification", heads="source", head=head)
        with pytest.raises(SourceError, match=message):
            model.fit(X, Y, **GIVEN)


def test_a_module_of_columns_on_other_data_says_what_it_needs():
    model = SharedNet(nn.default_net(), scaler=None)

    with pytest.raises(SourceError, match=r"module cannot be made.*\(40, 3, 1\)"):
        model.fit(X.reshape(N, 3, 1), Y, **GIVEN)


def test_of_a_net_what_was_changed_is_shown():
    net = nn.default_net(lr=0.5, module__hidden_sizes=(9,))

    for model in SharedNet(net), OwnModels(net), Tandem(net):
        shown = repr(model)
        assert "_params_to_validate" not in shown
        assert "lr=0.5" in shown
        assert "module__hidden_sizes=(9,)" in shown
        assert "warm_start" not in shown


@pytest.mark.filterwarnings("ignore:There are only")
def test_the_same_warning_comes_once_and_points_at_the_user():
    table = pd.DataFrame(X).assign(o=np.arange(N, dtype=object)).rename(columns=str)
    hidden = "hold numbers but are of dtype object"
    one_class = np.where(SOURCE == "a", Y, 1)
    fitted = Merged(LEARNER).fit(X, one_class, **GIVEN)

    for call, message in (
        (lambda: OwnModels(LEARNER).fit(table, Y, **GIVEN), hidden),
        (lambda: Tandem(LEARNER, cv=2).fit(table, Y, **GIVEN), hidden),
        (
            lambda: compare_strategies(
                LEARNER, table, Y, **GIVEN, cv=2, n_repeats=2, progress=False
            ),
            hidden,
        ),
        (
            lambda: score_by_source(
                fitted, X, one_class, **GIVEN, scoring=["roc_auc", "average_precision"]
            ),
            "have a single class",
        ),
    ):
        with pytest.warns(SourceWarning, match=message) as told:
            call()
        ours = [w for w in told if message in str(w.message)]
        assert len(ours) == 1
        assert ours[0].filename == __file__


FIELDS = np.zeros(N, dtype=[("u", float), ("v", float)])
DAYS = np.arange(3 * N).reshape(N, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (FIELDS, r"structured array with the fields \['u', 'v'\].*pd\.DataFrame\(X\)"),
        (DAYS.astype("M8[D]"), r"X holds dates, .*datetime64\[D\].*numbers first"),
        (
            DAYS.astype("m8[s]"),
            r"X holds dates, times or durations, of dtype timedelta",
        ),
        (TENSOR.to(torch.float8_e4m3fn), r"X is a tensor of torch\.float8.*float32"),
    ],
    ids=["fields", "dates", "durations", "eight bits"],
)
def test_arrays_that_no_estimator_takes_are_refused_at_every_door(given, message):
    for model in (
        Merged(LEARNER),
        Merged(LEARNER, scaler=None),
        StackedPrediction(LEARNER),
        SharedNet(task="classification"),
    ):
        with pytest.raises(SourceError, match=message):
            model.fit(given, Y, **GIVEN)
    with pytest.raises(SourceError, match=message):
        score_by_source(MERGED, given, Y, **GIVEN)


def test_a_splitter_takes_dates_for_rows():
    days = np.arange(N).astype("M8[D]")

    assert len(list(SourceKFold(2).split(days, Y, **GIVEN))) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.where(SOURCE == "a", "x", "y"),
            "sample_weight must hold a number for each row.*'x'",
        ),
        (pd.array([None, 1] * (N // 2), dtype="Int64"), "sample_weight contains NaN"),
        (np.ones((N, 2)), "Sample weights must be 1D array or scalar, got 2D"),
        (torch.ones(N, device="meta"), "^sample_weight is a tensor without values"),
        (len, "^sample_weight must hold a number for each row"),
        (np.ones(N - 1), r"sample_weight\.shape"),
    ],
    ids=["strings", "missing", "columns", "meta", "function", "short"],
)
def test_weights_that_are_none_are_refused_by_name(given, message):
    for call in (
        lambda: Merged(LEARNER).fit(X, Y, **GIVEN, sample_weight=given),
        lambda: Tandem(LEARNER, cv=2).fit(X, Y, **GIVEN, sample_weight=given),
        lambda: MERGED.score(X, Y, **GIVEN, sample_weight=given),
        lambda: score_by_source(MERGED, X, Y, **GIVEN, sample_weight=given),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    "given",
    [
        torch.arange(1.0, N + 1, requires_grad=True),
        torch.arange(1, N + 1).bfloat16(),
        list(range(1, N + 1)),
    ],
    ids=["grad", "bfloat16", "integers"],
)
def test_weights_may_be_tensors_or_integers(given):
    weights = np.arange(1.0, N + 1)
    by_hand = Merged(LEARNER).fit(X, Y, **GIVEN, sample_weight=weights)

    model = Merged(LEARNER).fit(X, Y, **GIVEN, sample_weight=given)

    np.testing.assert_allclose(model.predict_proba(X), by_hand.predict_proba(X))


@pytest.mark.filterwarnings("ignore:There are only")
def test_one_weight_for_all_rows_is_that_of_each():
    alike, each = (
        Tandem(LEARNER, cv=2, random_state=0).fit(X, Y, **GIVEN, sample_weight=weight)
        for weight in (3, np.full(N, 3.0))
    )

    np.testing.assert_allclose(
        alike.predict_proba(X, **GIVEN), each.predict_proba(X, **GIVEN)
    )


@pytest.mark.parametrize("what", ["sample_source", "groups"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "got int 7"),
        (len, "got builtin_function"),
        (set(range(N)), "got set"),
        (dict.fromkeys(range(N)), "got dict"),
        (np.ones((N, 2)), r"got shape \(40, 2\)"),
        (pd.DataFrame({"s": SOURCE, "t": SOURCE}), r"got shape \(40, 2\)"),
        (torch.ones(N, device="meta"), "is a tensor without values"),
    ],
    ids=["number", "function", "set", "dict", "columns", "frame", "meta"],
)
def test_labels_that_are_none_are_refused_by_name(what, given, message):
    labels = {**GIVEN, what: given}

    for call in (
        lambda: list(SourceKFold(2).split(X, Y, **labels)),
        lambda: compare_strategies(LEARNER, X, Y, **labels, progress=False),
        lambda: Tandem(LEARNER, cv=2).fit(X, Y, **labels),
    ):
        with pytest.raises(SourceError, match=f"^{what} .*{message}"):
            call()


@pytest.mark.parametrize("what", ["sample_source", "groups"])
def test_labels_may_be_tensors(what):
    numbers = torch.arange(N) % 2
    plain = {**GIVEN, what: numbers.tolist()}
    expected = [test.tolist() for _, test in SourceKFold(2).split(X, Y, **plain)]

    for tensor in numbers, numbers.bfloat16(), (1.0 * numbers).requires_grad_():
        folds = SourceKFold(2).split(X, Y, **{**plain, what: tensor})
        assert [test.tolist() for _, test in folds] == expected


def test_a_net_of_columns_predicts_for_no_images():
    net = SharedNet(nn.default_net("classification", max_epochs=1), random_state=0)
    net.fit(X, Y, **GIVEN)

    with pytest.raises(
        SourceError, match=r"scales columns, but X has shape \(40, 3, 1\)"
    ):
        net.predict(X.reshape(N, 3, 1))


def test_a_preprocessor_needs_a_table():
    for table in X[:, 0], X.reshape(N, 3, 1):
        for model in (
            Merged(LEARNER, scaler=table_preprocessor()),
            SharedNet(task="classification", scaler=table_preprocessor()),
        ):
            with pytest.raises(SourceError, match="X must be a table of rows and col"):
                model.fit(table, Y, **GIVEN)


TABLE = pd.DataFrame(X, columns=list("uvw"))
DATES = pd.date_range("2024-01-01", periods=N)


@pytest.mark.parametrize(
    "values",
    [
        pd.array(["high", "low"] * (N // 2), dtype="string"),
        pd.Categorical(["high", "low"] * (N // 2)),
        np.array([1, "low"] * (N // 2), dtype=object),
        DATES,
        DATES.tz_localize("UTC"),
        DATES.to_period("D"),
        pd.interval_range(0, N),
    ],
    ids=["string", "category", "object", "dates", "zone", "period", "interval"],
)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_of_numbers_stays_one(library, values):
    changed = TABLE.assign(w=values)
    if library == "polars":
        polars = pytest.importorskip("polars")
        kinds = {"w": [str(value) for value in changed["w"]]}
        changed = polars.DataFrame({**TABLE[["u", "v"]].to_dict("list"), **kinds})

    for model in Merged(LEARNER), Tandem(LEARNER, cv=2), StackedPrediction(LEARNER):
        fitted = model.fit(TABLE, Y, **GIVEN)
        with pytest.raises(
            SourceError, match="Column 'w' of X held numbers in fit, and"
        ):
            fitted.predict(changed, **GIVEN)


def test_dates_of_polars_are_no_numbers_at_predict():
    polars = pytest.importorskip("polars")
    fitted = Merged(LEARNER).fit(polars.DataFrame({"u": X[:, 0]}), Y, **GIVEN)

    with pytest.raises(SourceError, match=r"now holds datetime\.date\(2024, 1, 1\)"):
        fitted.predict(polars.DataFrame({"u": DATES.date.tolist()}))


@pytest.mark.parametrize("dtype", ["string", "object", "float", "boolean", "category"])
def test_a_column_of_numbers_may_come_empty(dtype):
    model = Merged(HistGradientBoostingClassifier(max_iter=5), scaler="standard")
    model.fit(TABLE, Y, **GIVEN)
    empty = TABLE.assign(w=np.nan)

    alike = model.predict_proba(empty.assign(w=pd.Series([None] * N, dtype=dtype)))

    np.testing.assert_array_equal(alike, model.predict_proba(empty))


def test_rows_that_hold_structures_are_not_compared():
    polars = pytest.importorskip("polars")
    rows = polars.DataFrame({"u": [{"n": 1}] * N})

    with pytest.raises(
        SourceError, match="Row 0 holds a dict, which cannot be compared"
    ):
        find_shared_rows(rows, **GIVEN)


ODD = np.arange(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Merged(LEARNER, primary_source=ODD).fit(X, Y, **GIVEN),
            r"primary_source=array.* is not a source",
        ),
        (
            lambda: Merged(LEARNER, balance=ODD).fit(X, Y, **GIVEN),
            r"balance must be one of .*, got array",
        ),
        (
            lambda: Merged(LEARNER, scaler=StandardScaler).fit(X, Y, **GIVEN),
            r"scaler must be one of .*, got <class",
        ),
        (
            lambda: OwnModels(LEARNER, scaler=StandardScaler).fit(X, Y, **GIVEN),
            r"scaler must be one of .*, got <class",
        ),
        (
            lambda: OnlySource(LEARNER, name=ODD).fit(X, Y, **GIVEN),
            r"array\(\[0, 1, 2\]\), which is not a source",
        ),
        (
            lambda: SimilarityWeighted(LEARNER, classifier=5).fit(X, Y, **GIVEN),
            r"needs a classifier to tell the sources apart, got 5",
        ),
        (
            lambda: SharedNet(task="classification", balance=ODD).fit(X, Y, **GIVEN),
            r"balance must be one of .*, got array",
        ),
        (
            lambda: Tandem(LEARNER, cv=["a"]).fit(X, Y, **GIVEN),
            r"cv must be an integer, a splitter or pairs .*, got \['a'\]",
        ),
        (
            lambda: Tandem(LEARNER, loss=ODD).fit(X, Y, **GIVEN),
            r"loss must be 'auto' or one of .*, got array",
        ),
        (
            lambda: score_by_source(MERGED, X, Y, **GIVEN, scoring=7),
            r"scoring must be the name of a metric, .*, got 7",
        ),
        (
            lambda: score_by_source(MERGED, X, Y, **GIVEN, scoring=[]),
            r"scoring must be the name of a metric, .*, got \[\]",
        ),
        (
            lambda: score_by_source(MERGED, X, Y, **GIVEN, scoring=Ridge),
            "scoring must be .* a function, got the class Ridge",
        ),
        (
            lambda: stack_sources({"a": (X, Y), "b": (X, Y)}, column={"a": 1}),
            r"column must be the name of a new column, got \{'a': 1\}",
        ),
        (
            lambda: make_two_sources(9, column=ODD),
            "column must be the name of a new column, got array",
        ),
        (
            lambda: make_two_sources(9, as_frame=ODD),
            "as_frame must be True or False, got array",
        ),
        (
            lambda: make_two_sources(9, return_X_y=1),
            "return_X_y must be True or False, got 1",
        ),
        (
            lambda: source_scorer(Ridge, "a"),
            "scoring must be .* a function, got the class Ridge",
        ),
        (
            lambda: source_scorers((), ["a"]),
            r"scoring must name at least one metric, got \(\)",
        ),
        (
            lambda: source_scorer({"a": "accuracy"}, "a"),
            r"scoring must be the name of a metric or a function, got \{'a'",
        ),
        (lambda: source_scorer("accuracy", ODD), r"name must be that of a source"),
        (
            lambda: source_scorers("accuracy", 7),
            r"names must be a list of at least one source, got 7",
        ),
        (
            lambda: find_shared_rows(X, **GIVEN, subset=1.5),
            r"subset holds 1\.5, which is no position of X",
        ),
        (
            lambda: shift_report(X, Y, **GIVEN, after=ODD),
            r"after=array.* has no transform",
        ),
    ],
)
def test_a_setting_of_an_odd_kind_is_named(call, message):
    with pytest.raises(SourceError, match=message):
        call()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            np.arange(N).astype(str),
            r"y holds strings such as '\d+', and a regressor learns",
        ),
        (
            np.array([*"ab"] * (N // 2), object),
            "y holds strings such as '[ab]'.* classif",
        ),
        (Y.astype("m8[D]"), r"durations, of dtype timedelta64\[D\]"),
        (Y.astype("M8[D]"), r"dates or durations, of dtype datetime64\[D\]"),
    ],
)
@pytest.mark.parametrize("kind", [Merged, OwnModels, StackedPrediction, Tandem])
def test_a_regressor_learns_numbers(kind, y, message):
    with pytest.raises(SourceError, match=message):
        kind(KNeighborsRegressor()).fit(X, y, **GIVEN)


def test_a_part_of_a_regression_holds_numbers():
    with pytest.raises(SourceError, match=r"y holds strings such as '[01]'"):
        Merged(SGDRegressor()).partial_fit(X, Y.astype(str), **GIVEN)


@pytest.mark.parametrize("kind", [Merged, OwnModels, StackedPrediction, WeightedMerge])
def test_a_misspelt_scaler_is_named(kind):
    with pytest.raises(SourceError, match=r"scaler must be one of .*, got 'standart'"):
        kind(Ridge(), scaler="standart").fit(X, Y, **GIVEN)


def test_strings_that_a_learner_takes_for_numbers_are_told_of():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"x": RNG.normal(size=N), "ward": ["ICU", "ER"] * (N // 2)})

    with pytest.raises(
        SourceError, match=r"not numeric \(ward\), which GaussianNB did"
    ):
        Merged(GaussianNB()).fit(table, Y, **GIVEN)


@pytest.mark.parametrize(
    "score",
    [
        lambda: MERGED.score(X, None, **GIVEN),
        lambda: score_by_source(MERGED, X, None, **GIVEN),
        lambda: classification_report_by_source(MERGED, X, None, **GIVEN),
        lambda: source_scorer("accuracy", "a")(MERGED, X, None, **GIVEN),
    ],
)
def test_a_score_without_y_is_refused(score):
    with pytest.raises(SourceError, match=r"y is None\. A score needs the true y of"):
        score()


@pytest.mark.parametrize("kind", [Merged, OwnModels, SimilarityWeighted, Tandem])
@pytest.mark.parametrize("last", [LogisticRegression(), Ridge()])
def test_a_pipeline_needs_y_although_it_does_not_say_so(kind, last):
    model = kind(make_pipeline(StandardScaler(), last))

    with pytest.raises(ValueError, match=f"{kind.__name__} .* requires y to be passed"):
        model.fit(X, None, **GIVEN)


class NoRows(torch.utils.data.Dataset):
    def __len__(self):
        return 0

    def __getitem__(self, row):
        raise IndexError(row)


def test_a_dataset_without_rows_is_refused():
    with pytest.raises(SourceError, match="X is empty"):
        SharedNet(task="classification").fit(NoRows(), [], sample_source=[])


def test_a_net_of_one_class_is_sure_of_it():
    probabilities = as_probabilities(np.array([[0.0, 1.0], [0.4, 0.6]]), 1, None)

    np.testing.assert_array_equal(probabilities, [[1.0], [1.0]])


@pytest.mark.parametrize("empty", [[], ()])
@pytest.mark.parametrize("model", [Merged(), OwnModels(), Tandem(cv=2)])
def test_an_empty_list_is_refused(model, empty):
    model.set_params(estimator=LogisticRegression())
    X, y, source = np.eye(8), [0, 1] * 4, ["a"] * 4 + ["b"] * 4

    with pytest.raises(SourceError, match="X is empty"):
        model.fit(empty, [], sample_source=[])
    with pytest.raises(SourceError, match="X is empty"):
        model.fit(X, y, sample_source=source).predict(empty, sample_source=[])
