"""What X and y may be, and how X is scaled on its way into a net."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from skorch import NeuralNetClassifier
from torch import nn

from sktandem import SharedNet, table_preprocessor
from sktandem.data._sources import resolve_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn import default_net
from sktandem.nn._validation import held_out

QUICK = {"max_epochs": 2, "batch_size": 16, "verbose": 0}
SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
}


def two_wards(n=60, seed=0):
    """Return rows of two wards, whose columns differ in place and width."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1, 20, 0.1] + [5, -100, 0]
    source = np.repeat(["east", "west"], [n - n // 3, n // 3])
    X[source == "west"] += [3, 50, 1]
    return X, rng.integers(2, size=n), source


def classifier(**params):
    net = default_net(max_epochs=2, module__hidden_sizes=(4,))
    return SharedNet(net, **{"random_state": 0, **params})


def regressor(**params):
    net = default_net("regression", **{"max_epochs": 2, **params.pop("of_net", {})})
    return SharedNet(net, **{"scale_target_by": None, "random_state": 0, **params})


def as_polars(frame):
    return pl.DataFrame(frame.to_dict("list"))


def given_to_the_module(X, y, source, *, at_predict=None, **params):
    """Return what a fitted net's module is given for X."""
    model = classifier(**params).fit(X, y, sample_source=source)
    held = held_out(0.2, resolve_sources(X, source)[1], y, model.history_[0]["seed"])

    given = []
    handle = model.module_.register_forward_hook(lambda m, x, y: given.append(x[0]))
    model.predict(X, sample_source=source if at_predict is None else at_predict)
    handle.remove()
    return torch.cat(given).numpy(), ~held, model


# Scaling ----------------------------------------------------------------------


@pytest.mark.parametrize("name", SCALERS)
def test_a_named_scaler_is_scikit_learns_on_the_training_rows(name):
    X, y, source = two_wards()

    given, training, _ = given_to_the_module(X, y, source, scaler=name)

    assert training.sum() < len(X)
    expected = SCALERS[name].fit(X[training]).transform(X)
    np.testing.assert_allclose(given, expected)


@pytest.mark.parametrize("name", SCALERS)
def test_by_source_a_named_scaler_is_fitted_to_each(name):
    X, y, source = two_wards()

    given, training, _ = given_to_the_module(
        X, y, source, scaler=name, scale_by="source"
    )

    for ward in ("east", "west"):
        own = source == ward
        scaler = SCALERS[name].fit(X[own & training])
        np.testing.assert_allclose(given[own], scaler.transform(X[own]))


@pytest.mark.parametrize("scale_by", ["pooled", "source"])
def test_a_transformer_is_fitted_on_the_training_rows(scale_by):
    X, y, source = two_wards()
    scaler = PCA(2, whiten=True)

    given, training, _ = given_to_the_module(
        X, y, source, scaler=scaler, scale_by=scale_by
    )

    groups = [source == "east", source == "west"]
    groups = groups if scale_by == "source" else [np.ones(len(X), dtype=bool)]
    assert not hasattr(scaler, "mean_")
    for own in groups:
        by_hand = PCA(2, whiten=True).fit(X[own & training]).transform(X[own])
        np.testing.assert_allclose(given[own], by_hand, rtol=1e-4, atol=1e-5)


def test_without_a_scaler_numbers_come_as_they_are():
    X, y, source = two_wards()

    given, _, _ = given_to_the_module(X, y, source, scaler=None)

    np.testing.assert_allclose(given, X)


def test_the_pooled_rule_gives_an_unknown_source_the_scaling_of_all():
    X, y, source = two_wards()
    north = np.repeat("north", len(X))

    given, training, _ = given_to_the_module(
        X, y, source, at_predict=north, scale_by="source", unknown_source="pooled"
    )

    expected = StandardScaler().fit(X[training]).transform(X)
    np.testing.assert_allclose(given, expected)


def test_the_primary_rule_gives_an_unknown_source_the_scaling_of_the_primary():
    X, y, source = two_wards()
    model = classifier(
        scale_by="source", unknown_source="primary", primary_source="west"
    )
    model.fit(X, y, sample_source=source)

    north, west = (np.repeat(name, len(X)) for name in ("north", "west"))
    primary = model.predict_proba(X, sample_source=west)

    np.testing.assert_array_equal(model.predict_proba(X, sample_source=north), primary)
    np.testing.assert_array_equal(model.predict_proba(X), primary)


def test_scaled_by_source_every_row_needs_one():
    X, y, source = two_wards()
    model = classifier(scale_by="source").fit(X, y, sample_source=source)

    with pytest.raises(SourceError, match="X was scaled by source, so each row's sou"):
        model.predict(X)
    misspelt = ["east"] * 40 + ["wst"] * 20
    message = "20 rows of 60 have no source that was there in fit, the first 'wst'"
    with pytest.raises(SourceError, match=message):
        model.predict(X, sample_source=misspelt)


def test_scaled_together_no_row_needs_a_source():
    X, y, source = two_wards()
    model = classifier().fit(X, y, sample_source=source)

    for other in (None, ["north"] * 60):
        np.testing.assert_array_equal(
            model.predict_proba(X, sample_source=other),
            model.predict_proba(X, sample_source=source),
        )


def mixed_table(n=60, seed=0):
    X, y, source = two_wards(n, seed)
    frame = pd.DataFrame(X, columns=["age", "weight", "dose"])
    frame.loc[::7, "age"] = None
    frame["sex"] = np.where(np.arange(n) % 3, "f", "m")
    return frame.assign(ward=source), y


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_mixed_table_goes_through_table_preprocessor(kind):
    frame, y = mixed_table()
    X = frame if kind == "pandas" else as_polars(frame)
    model = classifier(scaler=table_preprocessor(), source="ward").fit(X, y)

    _, sources = resolve_sources(frame, source="ward")
    training = ~held_out(0.2, sources, y, model.history_[0]["seed"])
    plain = frame.drop(columns="ward")
    made = table_preprocessor().fit(plain[training]).transform(plain)
    logits = model.module_(torch.from_numpy(made).float())

    assert model.n_features_in_ == 5
    np.testing.assert_allclose(
        model.predict_proba(X), logits.softmax(dim=1).detach(), rtol=1e-4
    )


@pytest.mark.filterwarnings("ignore:One output for all sources misses the level")
def test_a_target_is_scaled_by_what_the_training_rows_have():
    X, _, source = two_wards()
    y = np.where(source == "west", 1000.0, 10.0) + X[:, 0]
    for scale in (None, "pooled", "source"):
        model = regressor(scale_target_by=scale).fit(X, y, sample_source=source)
        training = ~held_out(
            0.2,
            resolve_sources(X, source)[1],
            y,
            model.history_[0]["seed"],
            classes=False,
        )
        if scale is None:
            assert model.target_scaler_ is None
            continue
        groups = [training]
        if scale == "source":
            groups = [training & (source == w) for w in ("east", "west")] + groups
        np.testing.assert_allclose(
            model.target_scaler_.center, [[y[own].mean()] for own in groups]
        )
        np.testing.assert_allclose(
            model.target_scaler_.scale, [[y[own].std()] for own in groups]
        )


def test_predictions_come_in_the_units_of_their_source():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 2))
    rule = X @ [1.0, 2.0]
    y = np.r_[4000 + 1000 * rule[:80], 40 + 10 * rule[80:]]
    source = np.repeat(["large", "small"], 80)
    of_net = {"max_epochs": 40, "lr": 0.01, "batch_size": 16}
    model = regressor(scale_target_by="source", of_net=of_net)
    model.fit(X, y, sample_source=source)

    predicted = model.predict(X, sample_source=source)

    of_sources = [
        r2_score(y[source == s], predicted[source == s]) for s in ("large", "small")
    ]
    assert min(of_sources) > 0.9
    macro = model.score(X, y, sample_source=source)
    assert macro == pytest.approx(np.mean(of_sources))
    with pytest.raises(SourceError, match="y was scaled by source, so each row's sour"):
        model.predict(X)


def test_scores_are_scikit_learns_where_no_target_is_scaled_by_source():
    X, _, source = two_wards()
    y = X[:, 0]
    weights = np.arange(60.0)
    model = regressor(scale_target_by="pooled").fit(X, y, sample_source=source)

    expected = r2_score(y, model.predict(X), sample_weight=weights)

    assert model.score(X, y, sample_weight=weights) == pytest.approx(expected)


# Kinds of X -------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        lambda X: X.astype(np.float32),
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[::-1][::-1],
        lambda X: X.astype(">f8"),
        lambda X: X.tolist(),
        lambda X: torch.from_numpy(X),
        lambda X: torch.from_numpy(X).requires_grad_(),
        lambda X: pd.DataFrame(X).rename(columns=str),
        lambda X: pl.DataFrame(X, schema=["a", "b", "c"]),
    ],
    ids=[
        "single",
        "fortran",
        "strided",
        "view",
        "endian",
        "list",
        "tensor",
        "with_grad",
        "pandas",
        "polars",
    ],
)
def test_any_container_of_the_same_numbers_gives_the_same_net(made):
    X, y, source = two_wards()
    X = X.astype(np.float32).astype(float)  # so that single precision holds them
    plain = classifier().fit(X, y, sample_source=source).predict_proba(X)

    other = classifier().fit(made(X), y, sample_source=source)

    np.testing.assert_allclose(other.predict_proba(made(X)), plain, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_whole_numbers_are_measurements_to_a_perceptron(dtype):
    X = (np.random.default_rng(0).random((60, 3)) * 5).astype(dtype)
    _, y, source = two_wards()
    for scaler in ("standard", None):
        whole = classifier(scaler=scaler).fit(X, y, sample_source=source)
        broken = classifier(scaler=scaler).fit(X.astype(float), y, sample_source=source)

        np.testing.assert_allclose(
            whole.predict_proba(X), broken.predict_proba(X), rtol=1e-5
        )


@pytest.mark.parametrize(
    ("scaler", "scale_by"),
    [
        ("standard", "pooled"),
        ("standard", "source"),
        (None, "pooled"),
        (StandardScaler(), "pooled"),
        (StandardScaler(), "source"),
    ],
)
def test_inputs_are_never_changed(scaler, scale_by):
    X, y, source = two_wards()
    for dtype in (np.float32, np.float64, np.int64):
        given = X.astype(dtype), y.copy(), source.copy()
        for array in given:
            array.setflags(write=False)
        before = [array.copy() for array in given]

        model = classifier(scaler=scaler, scale_by=scale_by)
        model.fit(given[0], given[1], sample_source=given[2])
        model.predict(given[0], sample_source=given[2])

        for array, copy in zip(given, before):
            np.testing.assert_array_equal(array, copy)


def test_a_frame_keeps_its_columns_and_types():
    frame, y = mixed_table()
    before = frame.copy()

    model = classifier(scaler=table_preprocessor(), source="ward").fit(frame, y)
    model.predict(frame)

    pd.testing.assert_frame_equal(frame, before)


def test_the_source_column_by_name_and_by_position():
    X, y, source = two_wards()
    frame = pd.DataFrame(X, columns=list("abc"))
    frame.insert(1, "ward", source)
    keyword = classifier(scale_by="source").fit(X, y, sample_source=source)
    expected = keyword.predict_proba(X, sample_source=source)

    for column in ("ward", 1, -3):
        for table in (frame, as_polars(frame)):
            by_column = classifier(scale_by="source", source=column).fit(table, y)
            found = by_column.predict_proba(table)
            np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_source_column_of_an_array():
    X, y, source = two_wards()
    codes = (source == "west").astype(float)
    table = np.column_stack([X, codes])

    by_column = classifier(source=3, scale_by="source").fit(table, y)
    by_keyword = classifier(scale_by="source").fit(X, y, sample_source=codes)

    np.testing.assert_allclose(
        by_column.predict_proba(table),
        by_keyword.predict_proba(X, sample_source=codes),
        rtol=1e-5,
    )
    assert by_column.sources_ == (0, 1)
    assert "valid_loss[1]" in by_column.history_[-1]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_columns_in_another_order_are_refused(kind):
    X, y, source = two_wards()
    frame = pd.DataFrame(X, columns=list("abc"))
    frame = frame if kind == "pandas" else as_polars(frame)
    model = classifier().fit(frame, y, sample_source=source)
    if not hasattr(model, "feature_names_in_"):
        pytest.skip("this scikit-learn reads no column names of this polars")

    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(frame[["c", "a", "b"]])


def test_nullable_and_boolean_columns_are_numbers():
    X, y, source = two_wards()
    frame = pd.DataFrame(
        {
            "n": pd.array(np.arange(60), dtype="Int64"),
            "x": X[:, 0].astype(np.float32),
            "yes": X[:, 1] > -100,
        }
    )
    plain = frame.to_numpy(dtype=float)

    ours = classifier().fit(frame, y, sample_source=source).predict_proba(frame)
    theirs = classifier().fit(plain, y, sample_source=source).predict_proba(plain)
    of_polars = as_polars(frame)

    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(
        classifier().fit(of_polars, y, sample_source=source).predict_proba(of_polars),
        theirs,
        rtol=1e-5,
    )


class Seeing(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.head(self.convolution(X).mean(dim=(2, 3)))


class Reading(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.head = nn.Linear(6, n_outputs)

    def forward(self, X):
        return self.head(self.words(X).mean(dim=1))


def network(module, **params):
    return NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, **QUICK | params, lr=0.1
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_images_go_through_untouched(dtype):
    _, y, source = two_wards()
    images = np.random.default_rng(0).integers(0, 9, size=(60, 1, 6, 6)).astype(dtype)
    model = SharedNet(network(Seeing), scaler=None, random_state=0)
    model.fit(images, y, sample_source=source)

    logits = model.module_(torch.from_numpy(images).float())

    expected = logits.softmax(dim=1).detach()
    np.testing.assert_allclose(model.predict_proba(images), expected, rtol=1e-4)
    tensor = torch.from_numpy(images)
    np.testing.assert_array_equal(
        model.predict_proba(tensor), model.predict_proba(images)
    )


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_tokens_stay_whole(dtype):
    _, y, source = two_wards()
    tokens = np.random.default_rng(0).integers(0, 11, size=(60, 5)).astype(dtype)
    model = SharedNet(network(Reading), scaler=None, random_state=0)
    model.fit(tokens, y, sample_source=source)

    logits = model.module_(torch.from_numpy(tokens.astype(np.int64)))

    expected = logits.softmax(dim=1).detach()
    np.testing.assert_allclose(model.predict_proba(tokens), expected, rtol=1e-4)


class Either(nn.Module):
    """Takes numbers of any type, and keeps the type of the last batch."""

    def __init__(self, n_outputs):
        super().__init__()
        self.head = nn.Linear(3, n_outputs)

    def forward(self, X):
        self.seen = X.dtype
        return self.head(self.numbers(X).float())

    def numbers(self, X):
        return X


class Counting(Either):
    """Takes classes only."""

    def numbers(self, X):
        return nn.functional.one_hot(X, 3).sum(dim=1)


@pytest.mark.parametrize(
    ("module", "dtype", "gets"),
    [
        (Either, np.uint8, torch.float32),
        (Either, np.int64, torch.int64),
        (Counting, np.uint8, torch.int64),
        (Counting, np.int32, torch.int64),
    ],
)
def test_bytes_are_measurements_unless_the_module_refuses_them(module, dtype, gets):
    _, y, source = two_wards()
    X = np.random.default_rng(0).integers(0, 3, size=(60, 3)).astype(dtype)
    model = SharedNet(network(module), scaler=None, random_state=0)
    model.fit(X, y, sample_source=source)

    answers = model.predict_proba(X)

    assert model.module_.seen == gets
    logits = model.module_(torch.from_numpy(X).long())
    np.testing.assert_allclose(answers, logits.softmax(dim=1).detach(), rtol=1e-4)


def test_tokens_that_a_scaler_would_break_are_told_of():
    _, y, source = two_wards()
    tokens = np.random.default_rng(0).integers(0, 11, size=(60, 5))
    message = r"Reading did not take a batch of shape \(2, 5\) and type float32"
    with pytest.raises(SourceError, match=rf"(?s){message}.*with scaler=None stays"):
        SharedNet(network(Reading)).fit(tokens, y, sample_source=source)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (
            np.where(np.eye(60, 3, dtype=bool), np.nan, 1.0),
            SourceError,
            r"Input X contains NaN\. scaler=table_preprocessor\(\) fills missing value",
        ),
        (np.full((60, 3), np.inf), ValueError, "Input X contains infinity"),
        (sparse.csr_matrix(np.eye(60, 3)), TypeError, "dense data is required"),
        (
            pd.DataFrame({"x": np.ones(60), "town": ["Bonn"] * 60}),
            SourceError,
            r"A net takes numbers, and the columns \['town'\] are not numeric\. scaler",
        ),
        (
            pl.DataFrame({"x": np.ones(60), "town": ["Bonn"] * 60}),
            SourceError,
            r"A net takes numbers, and the columns \['town'\] are not numeric\. scaler",
        ),
        (
            np.array([[1.0, "Bonn"]] * 60, dtype=object),
            SourceError,
            r"A net takes numbers, and X holds strings such as 'Bonn'\. scaler=table",
        ),
        (
            np.array([["Ulm", "Bonn"]] * 60),
            SourceError,
            r"A net takes numbers, and X holds strings such as 'Ulm'\. scaler=table",
        ),
        (
            np.ones((60, 2, 2)),
            SourceError,
            r"scaler='standard' scales columns, but X has shape \(60, 2, 2\)\. Set sca",
        ),
        (
            [np.ones((30, 2)), np.ones((30, 2))],
            SourceError,
            "stack_sources builds X, y",
        ),
    ],
    ids=["nan", "inf", "sparse", "pandas", "polars", "objects", "texts", "nd", "list"],
)
def test_what_a_net_cannot_take_is_refused_with_a_cure(X, error, message):
    _, y, source = two_wards()
    with pytest.raises(error, match=message):
        classifier().fit(X, y, sample_source=source)


def test_a_scaler_must_make_dense_numbers():
    frame, y = mixed_table()
    encoder = OneHotEncoder(handle_unknown="ignore")
    with pytest.raises(SourceError, match="The scaler gives a sparse matrix, and a ne"):
        classifier(scaler=encoder).fit(frame[["sex"]], y, sample_source=frame["ward"])


def test_missing_values_are_refused_at_predict_too():
    X, y, source = two_wards()
    model = classifier().fit(X, y, sample_source=source)
    X[3, 1] = np.nan

    with pytest.raises(SourceError, match=r"NaN\. scaler=table_preprocessor\(\) fills"):
        model.predict(X)


# Kinds of y -------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["no", "yes"],
        [False, True],
        [-7, 40],
        [0.0, 1.0],
        np.array([3, 200], dtype=np.uint8),
        np.array(["no", "yes"], dtype=object),
        np.array([1, "one"], dtype=object),
        pd.Categorical(["no", "yes"]),
    ],
    ids=["texts", "bools", "gaps", "floats", "bytes", "objects", "mixed", "category"],
)
def test_labels_of_any_kind_come_back_as_they_were(names):
    X, y, source = two_wards()
    labels = pd.Series(names)[y] if isinstance(names, pd.Categorical) else None
    labels = np.asarray(names)[y] if labels is None else labels
    plain = classifier().fit(X, y, sample_source=source)

    model = classifier().fit(X, labels, sample_source=source)

    assert list(model.classes_) == list(names)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert list(model.predict(X)) == [names[code] for code in plain.predict(X)]
    assert model.score(X, labels) == plain.score(X, y)


def test_each_source_knows_its_own_classes():
    X, _, source = two_wards()
    y = np.where(source == "east", np.arange(60) % 2, 1 + np.arange(60) % 2)

    model = classifier().fit(X, y, sample_source=source)

    own = {name: list(classes) for name, classes in model.classes_by_source_.items()}
    assert own == {"east": [0, 1], "west": [1, 2]}
    assert model.predict_proba(X).shape == (60, 3)


@pytest.mark.parametrize(
    "made", [torch.from_numpy, np.ndarray.tolist, pd.Series, pl.Series]
)
def test_targets_may_be_in_any_container(made):
    X, y, source = two_wards()
    plain = classifier().fit(X, y, sample_source=source).predict_proba(X)
    of_numbers = regressor().fit(X, X[:, 0], sample_source=source).predict(X)

    other = classifier().fit(X, made(y), sample_source=source)

    np.testing.assert_array_equal(other.predict_proba(X), plain)
    assert other.score(X, made(y)) == other.score(X, y)
    found = regressor().fit(X, made(X[:, 0].copy()), sample_source=source).predict(X)
    np.testing.assert_allclose(found, of_numbers, rtol=1e-5, atol=1e-5)


def test_a_target_may_be_a_view_that_is_read_only():
    """Pandas gives such arrays; torch warns of them, once in a process."""
    X, _, source = two_wards()
    y = X[::-1, 0]
    y.setflags(write=False)
    expected = regressor().fit(X, y.copy(), sample_source=source).predict(X)

    torch.set_warn_always(True)
    try:
        model = regressor().fit(X, y, sample_source=source)
    finally:
        torch.set_warn_always(False)

    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-5)


def test_a_column_of_labels_is_taken_as_scikit_learn_takes_it():
    X, y, source = two_wards()
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        model = classifier().fit(X, y[:, None], sample_source=source)

    plain = classifier().fit(X, y, sample_source=source)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_a_column_of_numbers_is_one_target():
    X, _, source = two_wards()
    flat = regressor().fit(X, X[:, 0], sample_source=source)

    column = regressor().fit(X, X[:, :1], sample_source=source)

    np.testing.assert_allclose(column.predict(X), flat.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [None, "pooled", "source"])
def test_several_targets_at_once(scale):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    source = np.repeat(["a", "b"], 60)
    Y = X @ [[1.0, -1.0, 0.5], [2.0, 0.0, 1.0]] + [0.0, 1.0, -1.0]
    of_net = {"max_epochs": 40, "lr": 0.01, "batch_size": 16}
    model = regressor(scale_target_by=scale, of_net=of_net)

    model.fit(X, Y, sample_source=source)

    assert model.predict(X, sample_source=source).shape == (120, 3)
    assert model.n_outputs_ == 3
    assert model.score(X, Y, sample_source=source) > 0.9


def test_whole_numbers_are_as_good_a_target_as_others():
    X, _, source = two_wards()
    y = np.arange(60)

    whole = regressor().fit(X, y, sample_source=source)

    assert whole.n_outputs_ == 1
    assert np.isfinite(whole.predict(X)).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(np.arange(60) == 7, np.nan, 1.0), "Input y contains NaN"),
        (
            np.array(["no", None] * 30, dtype=object),
            r"y leaves 30 samples without a label, the first at row 1\. Drop them",
        ),
        (np.linspace(0, 1, 60), "Unknown label type: continuous"),
        (np.eye(60, 2, dtype=int), "y should be a 1d array"),
        (np.zeros(9, dtype=int), "inconsistent numbers of samples"),
    ],
    ids=["nan", "none", "numbers", "columns", "length"],
)
def test_labels_that_are_none(y, message):
    X, _, source = two_wards()
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y, sample_source=source)


def test_without_a_scaler_nothing_can_be_scaled_by_source():
    X, y, source = two_wards()

    with pytest.raises(SourceError, match="has nothing to scale, because scaler is No"):
        classifier(scaler=None, scale_by="source").fit(X, y, sample_source=source)


class Embeds(nn.Module):
    def __init__(self, n_outputs, n_tokens=9):
        super().__init__()
        self.words = nn.Embedding(n_tokens, 4)
        self.out = nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.out(self.words(X).mean(dim=1))


@pytest.mark.parametrize("kind", ["array", "pandas", "polars"])
def test_tokens_stay_whole_in_any_container(kind):
    rng = np.random.default_rng(0)
    tokens, y = rng.integers(0, 9, size=(80, 5)), rng.integers(2, size=80)
    source = np.repeat(["a", "b"], 40)
    frame = pd.DataFrame(tokens, columns=list("vwxyz"))
    X = {"array": tokens, "pandas": frame, "polars": as_polars(frame)}[kind]
    net = default_net(module=Embeds, max_epochs=2)

    model = SharedNet(net, scaler=None, random_state=0).fit(X, y, sample_source=source)

    assert model.features_.dtype is None
    assert model.predict_proba(X).shape == (80, 2)


def test_a_token_too_many_is_told_as_it_is():
    tokens = np.repeat([[0, 5, 12]], 40, axis=0)
    net = default_net(module=Embeds, max_epochs=2)
    model = SharedNet(net, scaler=None)

    with pytest.raises(SourceError, match=r"out of range in self\nAn nn\.Embedding"):
        model.fit(tokens, np.arange(40) % 2, sample_source=np.arange(40) // 20)


def test_a_column_that_is_the_source_is_pointed_out():
    X, y, source = two_wards()
    frame = pd.DataFrame(X, columns=list("xyz")).assign(ward=source)

    with pytest.warns(SourceWarning, match="column 'ward' of X holds the sou"):
        classifier(scaler=table_preprocessor()).fit(frame, y, sample_source=source)


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_a_value_too_large_for_a_scale_is_named(heads):
    X, _, source = two_wards()
    frame, y = pd.DataFrame(X).add_prefix("v"), X[:, 0].copy()
    frame.iloc[3, 1] = y[3] = -1e308
    model = regressor(heads=heads, scale_target_by="auto", validation_fraction=None)

    with pytest.raises(SourceError, match=r"hold.* -1e\+308.*too large to be scaled"):
        model.fit(X, y, sample_source=source)
    with pytest.raises(SourceError, match=r"Column 'v1' of X holds -1e\+308 in row 3"):
        model.fit(frame, X[:, 0], sample_source=source)
