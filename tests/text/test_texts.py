"""The text estimators among scikit-learn's tools, and the doors for their texts."""

import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktandem import SourceError, SourceWarning, stack_sources
from sktandem.inspection import HistoryDisplay
from sktandem.model_selection import (
    LeaveOneSourceOut,
    SourceKFold,
    score_by_source,
    source_scorer,
    source_scorers,
)
from sktandem.schedules import EpochAlternation, Joint
from sktandem.text import (
    TextAlternatingClassifier,
    TextMultiHeadClassifier,
    small_encoder,
)

pytestmark = pytest.mark.slow

BANK = [f"my card {word} is lost" for word in "abcdefgh"] + [
    f"send some money to {word}, please" for word in "abcdefgh"
]
FOOD = [f"das schmeckt {word} gut" for word in "abcdef"] + [
    f"so ein {word} ist aber wirklich schlecht" for word in "abcdef"
]
TEXTS = BANK + FOOD
SOURCE = np.repeat(["en", "de"], [16, 12])
OWN = np.repeat(["card", "money", "good", "bad"], [8, 8, 6, 6])
SHARED = np.repeat(["no", "yes", "yes", "no"], [8, 8, 6, 6])
MIXED = np.array(["card"] * 8 + ["money"] * 8 + [1] * 6 + [0] * 6, dtype=object)
FRAME = pd.DataFrame({"text": TEXTS, "language": SOURCE})
CHECKPOINT = small_encoder(TEXTS, hidden_size=16, n_layers=1, random_state=0)
QUICK = {"lr": 0.01, "max_epochs": 2, "random_state": 0}


def of_heads(checkpoint=CHECKPOINT, **params):
    return TextMultiHeadClassifier(checkpoint, **QUICK | params)


def of_one(checkpoint=CHECKPOINT, **params):
    return TextAlternatingClassifier(checkpoint, **QUICK | params)


EACH = {"heads": (of_heads, OWN), "one head": (of_one, SHARED)}
EVERY_KIND = pytest.mark.parametrize("kind", EACH)
ROUTING = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])


@pytest.fixture(scope="module")
def fitted():
    """A model of each kind, fitted on bare texts; for tests that only read it."""
    return {
        kind: make(unknown_source="error").fit(TEXTS, y, SOURCE)
        for kind, (make, y) in EACH.items()
    }


@pytest.fixture(scope="module")
def framed():
    """A model of each kind, fitted on a data frame with a column of sources."""
    return {
        kind: make(source="language").fit(FRAME, y) for kind, (make, y) in EACH.items()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint as a folder of the library transformers."""
    path = tmp_path_factory.mktemp("checkpoint")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in CHECKPOINT:
            part.save_pretrained(path)
    return path


# Parameters -------------------------------------------------------------------


@EVERY_KIND
def test_the_constructor_only_stores(kind):
    head, callbacks, schedule = (8,), [], Joint()
    model = EACH[kind][0](
        head=head, callbacks=callbacks, schedule=schedule, prefix="query: "
    )

    assert model.checkpoint is CHECKPOINT
    assert model.head is head
    assert model.callbacks is callbacks
    assert model.schedule is schedule
    assert set(vars(model)) == set(model.get_params(deep=False))


@pytest.mark.parametrize("form", ["pair", "folder", "text", "hub"])
@EVERY_KIND
def test_a_clone_is_unfitted_and_has_the_same_parameters(kind, form, folder):
    forms = {"pair": CHECKPOINT, "folder": folder, "text": str(folder), "hub": "a/b"}
    make, y = EACH[kind]
    model = make(forms[form], head=(4,), freeze=1)
    if form != "hub":
        model.fit(TEXTS, y, SOURCE)

    twin = clone(model)

    assert not hasattr(twin, "net_")
    params = model.get_params()
    params.pop("checkpoint")
    assert {name: twin.get_params()[name] for name in params} == params
    if form != "pair":
        assert twin.checkpoint == forms[form]
    if form != "hub":
        expected = model.predict_proba(TEXTS, SOURCE)
        found = twin.fit(TEXTS, y, SOURCE).predict_proba(TEXTS, SOURCE)
        np.testing.assert_array_equal(found, expected)


@EVERY_KIND
def test_a_folder_and_what_is_in_it_are_the_same_checkpoint(kind, folder, fitted):
    make, y = EACH[kind]
    found = make(folder).fit(TEXTS, y, SOURCE).predict_proba(TEXTS, SOURCE)
    expected = fitted[kind].predict_proba(TEXTS, SOURCE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@EVERY_KIND
def test_parameters_are_set_by_name(kind):
    model = EACH[kind][0]().set_params(
        lr=0.5, schedule=EpochAlternation(), schedule__epoch_length="longest"
    )

    assert model.lr == 0.5
    assert model.get_params()["schedule__epoch_length"] == "longest"
    with pytest.raises(ValueError, match="Invalid parameter 'net' for estimator Text"):
        model.set_params(net__lr=0.1)
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
        model.set_params(learning_rate=0.1)
    with pytest.raises(SourceError, match=r"schedule is 'joint'.* schedule=Joint\(\)"):
        model.set_params(schedule="joint", schedule__epoch_length=3)


@EVERY_KIND
def test_a_model_prints_in_few_words(kind, fitted):
    for model in (EACH[kind][0](), fitted[kind]):
        assert len(repr(model)) < 250
        assert "checkpoint=(BertModel, " in repr(model)
        assert type(model).__name__ in model._repr_html_()
    assert model.checkpoint is CHECKPOINT


# Fitting ----------------------------------------------------------------------


@EVERY_KIND
def test_a_fit_changes_nothing_that_it_was_given(kind):
    make, y = EACH[kind]
    model, tokenizer = CHECKPOINT
    weights = {name: w.clone() for name, w in model.state_dict().items()}
    vocabulary, trains = tokenizer.get_vocab(), model.training
    frame, labels = FRAME.copy(), y.copy()
    estimator = make(source="language", freeze=None)
    params = dict(vars(estimator))

    estimator.fit(frame, labels)

    pd.testing.assert_frame_equal(frame, FRAME)
    np.testing.assert_array_equal(labels, y)
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())
    assert all(w.requires_grad for w in model.parameters())
    assert model.training == trains
    assert tokenizer.get_vocab() == vocabulary
    assert all(vars(estimator)[name] is value for name, value in params.items())
    own = set(vars(estimator)) - set(params)
    assert all(name.endswith("_") and not name.startswith("_") for name in own)


@EVERY_KIND
def test_a_fit_that_fails_leaves_everything_as_it_was(kind, framed):
    make, y = EACH[kind]
    fresh, before = make(), set(vars(make()))
    with pytest.raises(SourceError, match="1 empty text"):
        fresh.fit([*TEXTS[:-1], " "], y, SOURCE)
    assert set(vars(fresh)) == before

    fitted = pickle.loads(pickle.dumps(framed[kind]))
    names, expected = set(vars(fitted)), fitted.predict_proba(FRAME)
    fitted.set_params(freeze=9)
    with pytest.raises(SourceError, match="freeze=9 layers, but BertModel has 1"):
        fitted.fit(FRAME.rename(columns={"text": "words"}), y)
    assert set(vars(fitted)) == names
    np.testing.assert_array_equal(fitted.predict_proba(FRAME), expected)


@EVERY_KIND
def test_a_pickle_predicts_the_same(kind, fitted):
    make, y = EACH[kind]
    expected = fitted[kind].predict_proba(TEXTS, SOURCE)

    again = pickle.loads(pickle.dumps(fitted[kind]))
    unfitted = pickle.loads(pickle.dumps(make()))

    np.testing.assert_array_equal(again.predict_proba(TEXTS, SOURCE), expected)
    found = unfitted.fit(TEXTS, y, SOURCE).predict_proba(TEXTS, SOURCE)
    np.testing.assert_array_equal(found, expected)


@EVERY_KIND
def test_a_seed_and_a_generator_seeded_with_it_are_the_same(kind, fitted):
    make, y = EACH[kind]
    model = make(random_state=np.random.RandomState(0)).fit(TEXTS, y, SOURCE)
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, SOURCE), fitted[kind].predict_proba(TEXTS, SOURCE)
    )


@EVERY_KIND
def test_labels_keep_their_kind(kind):
    make, _ = EACH[kind]
    yes = SHARED == "yes"
    for y in (yes, yes.astype(int), SHARED, SHARED.astype(object)):
        predicted = make().fit(TEXTS, y, SOURCE).predict(TEXTS, SOURCE)
        assert predicted.dtype == y.dtype
        assert set(predicted) <= set(y)


def test_labels_of_two_kinds_stay_what_they_are():
    model = of_heads(max_epochs=12).fit(TEXTS, MIXED, SOURCE)

    predicted = model.predict(TEXTS, SOURCE)

    assert predicted.dtype == object
    assert {type(label) for label in predicted[SOURCE == "de"]} == {int}
    assert {type(label) for label in predicted[SOURCE == "en"]} == {str}
    assert model.score(TEXTS, MIXED, SOURCE) == np.mean(predicted == MIXED)
    assert score_by_source(model, TEXTS, MIXED, SOURCE).by_source == {
        name: np.mean((predicted == MIXED)[name == SOURCE]) for name in ("de", "en")
    }


def test_stacked_texts_with_labels_as_text_are_learned():
    texts, y, source = stack_sources(
        {"en": (BANK, ["card"] * 8 + ["money"] * 8), "de": (FOOD, [1] * 6 + [0] * 6)},
        labels="str",
    )
    model = of_heads().fit(texts, y, source)
    assert model.classes_by_source_["de"].tolist() == ["0", "1"]
    assert model.classes_by_source_["en"].tolist() == ["card", "money"]


@EVERY_KIND
def test_other_texts_may_be_given_to_validate_on(kind):
    make, y = EACH[kind]
    for given in ((TEXTS[::3], y[::3], SOURCE[::3]), (FRAME[::3], y[::3])):
        data = (FRAME, y) if len(given) == 2 else (TEXTS, y, SOURCE)
        model = make(source="language" if len(given) == 2 else None)
        model.fit(*data, validation_data=given)
        assert model.n_samples_by_source_ == {"de": 12, "en": 16}
        assert np.isfinite(model.history_[:, "valid_loss[de]"]).all()


# Warnings ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("heads", "one source"),
        pytest.param("heads", "long texts"),
        ("heads", "single class"),
        ("one head", "one source"),
        ("one head", "long texts"),
        ("one head", "single class"),
    ],
)
def test_a_warning_comes_once_and_points_at_the_call_of_fit(kind, case):
    make, y = EACH[kind]
    model, labels = make(), SOURCE
    if case == "one source":
        y, labels, told = SHARED, None, "Only one source, 'all': nobody to take turns"
    elif case == "long texts":
        model.set_params(max_length=4)
        told = "28 texts of 28 have max_length=4 tokens or more; what is beyond"
    else:
        y = np.where(SOURCE == "en", SHARED, "yes")
        told = "The source 'de' has a single class, 'yes'"

    with pytest.warns(SourceWarning, match=told) as caught:
        model.fit(TEXTS, y, labels)

    assert len(caught) == 1
    assert caught[0].filename == __file__


@EVERY_KIND
def test_a_hundredth_of_long_texts_is_not_worth_a_word(kind):
    make, y = EACH[kind]
    long = " ".join(TEXTS)
    texts = TEXTS * 4
    texts[3] = long
    model = make(max_length=32, max_epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(texts, np.tile(y, 4), np.tile(SOURCE, 4))
    texts[40] = long
    with pytest.warns(SourceWarning, match="2 texts of 112 have max_length=32 tokens"):
        model.fit(texts, np.tile(y, 4), np.tile(SOURCE, 4))


# Doors ------------------------------------------------------------------------

ODD = pd.Index(range(100, 100 + 3 * len(TEXTS), 3))[::-1]
BARE = {
    "list": list,
    "tuple": tuple,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "array of texts": np.array,
    "series": pd.Series,
    "series of objects": lambda texts: pd.Series(texts, dtype=object),
    "series of categories": lambda texts: pd.Series(texts, dtype="category"),
    "series with an odd index": lambda texts: pd.Series(texts, index=ODD),
    "index": pd.Index,
    "one column": lambda texts: np.array(texts, dtype=object)[:, None],
    "frame of one column": lambda texts: pd.DataFrame({"words": texts}),
}


@pytest.mark.parametrize("container", BARE)
@EVERY_KIND
def test_texts_may_come_in_any_container(kind, container, fitted):
    make, y = EACH[kind]
    X = BARE[container](TEXTS)

    model = make().fit(X, y, SOURCE)

    expected = fitted[kind].predict_proba(TEXTS, SOURCE)
    np.testing.assert_array_equal(model.predict_proba(X, SOURCE), expected)
    np.testing.assert_array_equal(model.predict_proba(TEXTS, SOURCE), expected)


@EVERY_KIND
def test_a_series_of_polars_is_as_good_as_a_list(kind, fitted):
    polars = pytest.importorskip("polars")
    make, y = EACH[kind]
    X = polars.Series(TEXTS)
    expected = fitted[kind].predict_proba(TEXTS, SOURCE)
    found = make().fit(X, polars.Series(y.tolist()), polars.Series(SOURCE.tolist()))
    np.testing.assert_array_equal(found.predict_proba(X, SOURCE), expected)


WIDE = FRAME.assign(row=[f"row {i}" for i in range(28)])[["row", "text", "language"]]
COLUMNS = {
    "by name": (FRAME, {"source": "language", "text_column": "text"}),
    "the other one": (FRAME, {"source": "language"}),
    "by place": (FRAME, {"source": 1, "text_column": 0}),
    "from behind": (FRAME, {"source": -1, "text_column": -2}),
    "the source from behind": (FRAME, {"source": -1}),
    "one of three": (WIDE, {"source": "language", "text_column": "text"}),
    "one of three by place": (WIDE, {"source": 2, "text_column": 1}),
    "an odd index": (FRAME.set_axis(ODD), {"source": "language"}),
    "categories": (FRAME.astype("category"), {"source": "language"}),
    "an array": (FRAME.to_numpy(dtype=object), {"source": 1}),
    "rows": (FRAME.to_numpy().tolist(), {"source": 1, "text_column": 0}),
}


@pytest.mark.parametrize("table", COLUMNS)
@EVERY_KIND
def test_texts_may_be_a_column_of_a_table(kind, table, fitted):
    make, y = EACH[kind]
    X, columns = COLUMNS[table]

    model = make(**columns).fit(X, y)

    expected = fitted[kind].predict_proba(TEXTS, SOURCE)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.n_features_in_ == np.shape(X)[1]


@EVERY_KIND
@pytest.mark.filterwarnings("ignore:X has feature names")  # of older scikit-learn
def test_a_frame_of_polars_is_a_frame(kind, framed):
    polars = pytest.importorskip("polars")
    make, y = EACH[kind]
    X = polars.DataFrame({"text": TEXTS, "language": SOURCE.tolist()})
    expected = framed[kind].predict_proba(FRAME)
    for columns in ({"source": "language"}, {"source": -1, "text_column": "text"}):
        model = make(**columns).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
        np.testing.assert_array_equal(model.predict_proba(FRAME), expected)


@EVERY_KIND
def test_the_keyword_wins_over_the_column(kind, framed):
    make, y = EACH[kind]
    wrong = FRAME.assign(language="en")
    model = make(source="language").fit(wrong, y, sample_source=SOURCE)
    expected = framed[kind].predict_proba(FRAME)
    np.testing.assert_array_equal(model.predict_proba(wrong, SOURCE), expected)


@EVERY_KIND
def test_texts_by_themselves_are_welcome_after_a_fit_on_a_frame(kind, framed):
    model = framed[kind]
    expected = model.predict_proba(FRAME)
    np.testing.assert_array_equal(model.predict_proba(TEXTS, SOURCE), expected)
    np.testing.assert_array_equal(
        model.predict(pd.Series(TEXTS), sample_source=SOURCE), model.predict(FRAME)
    )


@EVERY_KIND
def test_the_order_of_texts_and_their_company_do_not_matter(kind, fitted):
    model = fitted[kind]
    expected = model.predict_proba(TEXTS, SOURCE)
    order = np.random.default_rng(0).permutation(28)
    for rows in (order, order[:9], order[:1]):
        found = model.predict_proba([TEXTS[i] for i in rows], SOURCE[rows])
        np.testing.assert_allclose(found, expected[rows], atol=1e-5)
    many = model.predict_proba(TEXTS * 40, np.tile(SOURCE, 40))
    np.testing.assert_allclose(many, np.tile(expected, (40, 1)), atol=1e-5)


# Predicting -------------------------------------------------------------------


@EVERY_KIND
def test_the_score_is_the_accuracy(kind, fitted, framed):
    y = EACH[kind][1]
    predicted = fitted[kind].predict(TEXTS, SOURCE)
    expected = accuracy_score(y, predicted)
    assert fitted[kind].score(TEXTS, y, SOURCE) == pytest.approx(expected)
    assert framed[kind].score(FRAME, y) == pytest.approx(expected)
    weights = np.arange(28.0)
    assert fitted[kind].score(TEXTS, y, SOURCE, weights) == pytest.approx(
        accuracy_score(y, predicted, sample_weight=weights)
    )


@EVERY_KIND
def test_the_likeliest_class_is_predicted(kind, fitted):
    model = fitted[kind]
    proba = model.predict_proba(TEXTS, SOURCE)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    likeliest = model.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(likeliest, model.predict(TEXTS, SOURCE))


def test_a_heads_answer_for_its_own_texts_is_the_prediction(fitted, framed):
    model = fitted["heads"]
    answers = model.predict_heads(TEXTS)
    assert set(answers) == {"de", "en"}
    predicted = model.predict(TEXTS, SOURCE)
    for name, answer in answers.items():
        assert len(answer) == 28
        own = name == SOURCE
        np.testing.assert_array_equal(answer[own], predicted[own])
        np.testing.assert_array_equal(answer, model.predict(TEXTS, [name] * 28))
        np.testing.assert_array_equal(
            answer, framed["heads"].predict_heads(FRAME)[name]
        )


@EVERY_KIND
def test_the_embedding_is_what_the_heads_stand_on(kind, fitted, framed):
    model = fitted[kind]
    embedding = model.transform(TEXTS, SOURCE)
    np.testing.assert_array_equal(model.transform(TEXTS), embedding)
    np.testing.assert_array_equal(framed[kind].transform(FRAME), embedding)
    assert embedding.shape == (28, model.width_) == (28, 16)

    modules = getattr(model.module_, "heads", None) or [model.module_.head] * 2
    for name, module in zip(("de", "en"), modules):
        rows = np.flatnonzero(name == SOURCE)
        with torch.no_grad():
            scores = module(torch.from_numpy(embedding[rows])).softmax(dim=1).numpy()
        own = np.isin(model.classes_, model.classes_by_source_[name])
        proba = model.predict_proba(TEXTS, SOURCE)[rows][:, own]
        np.testing.assert_allclose(scores, proba, atol=1e-5)


@EVERY_KIND
def test_the_embedding_has_names_and_may_be_a_frame(kind, framed):
    model = clone(framed[kind]).set_output(transform="pandas")
    made = model.fit_transform(FRAME, EACH[kind][1])

    names = model.get_feature_names_out()
    kind_of = type(model).__name__.lower()
    assert names.tolist() == [f"{kind_of}{i}" for i in range(16)]
    assert made.columns.tolist() == names.tolist()
    np.testing.assert_array_equal(made.to_numpy(), framed[kind].transform(FRAME))


@EVERY_KIND
def test_with_a_frozen_encoder_the_embedding_is_the_encoders(kind):
    make, y = EACH[kind]
    model = make(freeze="encoder").fit(TEXTS, y, SOURCE)
    encoder, tokenizer = CHECKPOINT
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = encoder.eval()(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).last_hidden_state
    own = inputs["attention_mask"][..., None]
    expected = (hidden * own).sum(dim=1) / own.sum(dim=1)
    np.testing.assert_allclose(model.transform(TEXTS), expected.numpy(), atol=1e-5)


def test_an_unknown_source_may_ask_the_primary_head():
    model = of_heads(unknown_source="primary", primary_source="de")
    model.fit(TEXTS, OWN, SOURCE)
    answers = model.predict_heads(TEXTS)["de"]
    np.testing.assert_array_equal(model.predict(TEXTS, ["fr"] * 28), answers)
    np.testing.assert_array_equal(model.predict(TEXTS), answers)


def test_an_unknown_source_may_take_the_mean_over_heads_of_one_label_space():
    model = of_heads(unknown_source="pooled").fit(TEXTS, SHARED, SOURCE)
    each = [model.predict_proba(TEXTS, [name] * 28) for name in ("de", "en")]
    found = model.predict_proba(TEXTS, ["fr"] * 28)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)

    other = of_heads(unknown_source="pooled").fit(TEXTS, OWN, SOURCE)
    with pytest.raises(SourceError, match="they do not answer the same question"):
        other.predict(TEXTS, ["fr"] * 28)


def test_one_head_answers_for_texts_of_anywhere(fitted, framed):
    expected = fitted["one head"].predict_proba(TEXTS)
    for given in (SOURCE, ["fr"] * 28, [None] * 28):
        found = fitted["one head"].predict_proba(TEXTS, given)
        np.testing.assert_array_equal(found, expected)
    found = framed["one head"].predict_proba(FRAME.assign(language="fr"))
    np.testing.assert_array_equal(found, expected)


@EVERY_KIND
def test_the_curves_are_drawn(kind, fitted):
    display = HistoryDisplay.from_estimator(fitted[kind])

    plt.close(display.figure_)
    assert {"train_loss[de]", "valid_loss[en]"} <= set(display.to_frame())
    history = fitted[kind].history_
    assert len(history) == 2
    assert {"lr", "rows_seen[en]", "valid_loss_macro", "source"} <= set(history[-1])


# scikit-learn's tools ---------------------------------------------------------


@ROUTING
@EVERY_KIND
@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss"])
def test_named_scorers_are_right_by_the_column_door(kind, scoring, routing):
    make, y = EACH[kind]
    cv = SourceKFold(2, source="language")
    with config_context(enable_metadata_routing=routing):
        model = make(source="language", max_epochs=1)
        scores = cross_val_score(model, FRAME, y, cv=cv, scoring=scoring)

    assert np.isfinite(scores).all()
    if scoring == "f1_macro":
        train, test = next(iter(cv.split(FRAME, y)))
        one = clone(model).fit(FRAME.iloc[train], y[train])
        predicted = one.predict(FRAME.iloc[test])
        assert scores[0] == f1_score(y[test], predicted, average="macro")


@ROUTING
@EVERY_KIND
def test_predictions_of_folds_are_those_by_hand(kind, routing):
    make, y = EACH[kind]
    cv = SourceKFold(2, source="language")
    model = make(source="language")
    with config_context(enable_metadata_routing=routing):
        found = cross_val_predict(model, FRAME, y, cv=cv)

    for train, test in cv.split(FRAME, y):
        one = clone(model).fit(FRAME.iloc[train], y[train])
        np.testing.assert_array_equal(found[test], one.predict(FRAME.iloc[test]))


def test_a_language_that_is_left_out_is_predicted_by_the_shared_head():
    cv = LeaveOneSourceOut(source="language")
    model = of_one(source="language", schedule="shuffled")
    scores = cross_val_score(model, FRAME, SHARED, cv=cv, scoring="f1_macro")
    assert len(scores) == 2
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("door", "routing"), [("column", False), ("column", True), ("keyword", True)]
)
@EVERY_KIND
def test_a_search_over_schedule_and_rate(kind, door, routing):
    make, y = EACH[kind]
    column = "language" if door == "column" else None
    X = FRAME if door == "column" else np.array(TEXTS, dtype=object)
    labels = {} if door == "column" else {"sample_source": SOURCE}
    scorers = source_scorers("f1_macro", ["de", "en"], source=column)
    search = GridSearchCV(
        make(source=column, max_epochs=1),
        {"schedule": ["joint", EpochAlternation()], "lr": [1e-9, 0.01]},
        cv=SourceKFold(2, source=column),
        scoring=scorers,
        refit="f1_macro.worst",
        error_score="raise",
    )
    with config_context(enable_metadata_routing=routing):
        search.fit(X, y, **labels)

    worst = search.cv_results_["mean_test_f1_macro.worst"]
    assert worst[search.best_index_] == max(worst)
    alone = clone(search.estimator).set_params(**search.best_params_)
    alone.fit(X, y, **labels)
    np.testing.assert_array_equal(
        search.best_estimator_.predict_proba(X, **labels),
        alone.predict_proba(X, **labels),
    )


def test_a_search_finds_the_same_in_two_processes():
    grid = {"schedule": ["joint", "epochs"], "lr": [1e-9, 0.01]}
    found = []
    for n_jobs in (1, 2):
        model = of_heads(source="language", max_epochs=1)
        search = GridSearchCV(
            model, grid, cv=2, scoring="neg_log_loss", n_jobs=n_jobs, refit=False
        )
        found.append(search.fit(FRAME, OWN).cv_results_["mean_test_score"])
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


def shout(texts):
    return np.array([text.upper() for text in texts], dtype=object)


def shout_in_frame(frame):
    return frame.assign(text=frame["text"].str.upper())


@ROUTING
@EVERY_KIND
def test_texts_may_be_mended_in_a_pipeline(kind, routing, fitted):
    make, y = EACH[kind]
    expected = fitted[kind].predict_proba(TEXTS, SOURCE)  # which takes no capitals
    with config_context(enable_metadata_routing=routing):
        column = make_pipeline(
            FunctionTransformer(shout_in_frame), make(source="language")
        ).fit(FRAME, y)
        np.testing.assert_array_equal(column.predict_proba(FRAME), expected)
        assert np.isfinite(
            cross_val_score(column, FRAME, y, cv=SourceKFold(2, source="language"))
        ).all()
        if not routing:
            return
        keyword = make_pipeline(FunctionTransformer(shout), make())
        keyword.fit(TEXTS, y, sample_source=SOURCE)
        found = keyword.predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_array_equal(found, expected)


def test_the_embedding_serves_another_model_in_a_pipeline():
    model = make_pipeline(
        of_one(source="language", freeze="encoder"), LogisticRegression()
    )
    assert model.fit(FRAME, SHARED).score(FRAME, SHARED) > 0.5


@ROUTING
@EVERY_KIND
def test_each_source_has_an_f1_of_its_own(kind, routing, fitted, framed):
    y = EACH[kind][1]
    predicted = fitted[kind].predict(TEXTS, SOURCE)
    expected = {
        name: f1_score(y[name == SOURCE], predicted[name == SOURCE], average="macro")
        for name in ("de", "en")
    }
    with config_context(enable_metadata_routing=routing):
        by_keyword = score_by_source(fitted[kind], TEXTS, y, SOURCE, scoring="f1_macro")
        by_column = score_by_source(framed[kind], FRAME, y, scoring="f1_macro")
        one = source_scorer("f1_macro", "de", source="language")
        of_de = one(framed[kind], FRAME, y)
    assert by_keyword.by_source == pytest.approx(expected)
    assert by_column.by_source == pytest.approx(expected)
    assert of_de == pytest.approx(expected["de"])
    assert by_column.worst == pytest.approx(min(expected.values()))


# In several calls -------------------------------------------------------------


@EVERY_KIND
def test_two_calls_are_one_fit(kind):
    make, y = EACH[kind]
    settings = {"keep": "last", "validation_fraction": None}
    whole = make(**settings).fit(TEXTS, y, SOURCE)
    parts = make(**settings).partial_fit(TEXTS, y, SOURCE, epochs=1)
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(TEXTS, y, SOURCE)
    np.testing.assert_allclose(
        parts.predict_proba(TEXTS, SOURCE),
        whole.predict_proba(TEXTS, SOURCE),
        atol=1e-6,
    )
    assert len(parts.history_) == 2


@EVERY_KIND
def test_training_ends_where_the_rate_has_fallen_to_zero(kind, fitted):
    make, y = EACH[kind]
    told = r"max_epochs=2: 2 are done, and 1 more go beyond. Set max_epochs=3 befor"
    model = make().fit(TEXTS, y, SOURCE)
    expected = model.predict_proba(TEXTS, SOURCE)
    for epochs in (None, 1):
        with pytest.raises(SourceError, match=told):
            model.partial_fit(TEXTS, y, SOURCE, epochs=epochs)
    with pytest.raises(SourceError, match="Set max_epochs=3 before"):
        make().partial_fit(TEXTS, y, SOURCE, epochs=3)
    for epochs in (-1, 0.5):
        with pytest.raises(SourceError, match="epochs must be a whole number of at"):
            make().partial_fit(TEXTS, y, SOURCE, epochs=epochs)
    np.testing.assert_array_equal(model.predict_proba(TEXTS, SOURCE), expected)


def test_later_calls_bring_no_other_classes():
    one = of_heads().partial_fit(TEXTS, OWN, SOURCE, epochs=1)
    with pytest.raises(SourceError, match=r"classes=\{'en': \['a'\]\} are not those"):
        one.partial_fit(TEXTS, OWN, SOURCE, classes={"en": ["a"]})
    with pytest.raises(SourceError, match=r"rows of 'de' hold the classes \['money'\]"):
        one.partial_fit(TEXTS, np.repeat(["card", "money"], 14), SOURCE)
    with pytest.raises(SourceError, match="holds 'fr', which is not among the sources"):
        one.partial_fit(TEXTS, OWN, np.where(SOURCE == "de", "fr", SOURCE))
    assert len(one.history_) == 1

    other = of_one().partial_fit(TEXTS, SHARED, SOURCE, epochs=1)
    with pytest.raises(SourceError, match=r"y holds \['noo'\].* Did you mean 'no'"):
        other.partial_fit(TEXTS, np.where(SHARED == "no", "noo", "yes"), SOURCE)
    with pytest.raises(SourceError, match="are not those of the first partial_fit"):
        other.partial_fit(TEXTS, SHARED, SOURCE, classes=["yes", "no", "maybe"])


# What cannot be read ----------------------------------------------------------

REFUSED = {
    "one text": (TEXTS[0], r"X is one text, 'my card a is lost'.* Pass \[text\]"),
    "empty": ([*TEXTS[:9], "", *TEXTS[10:]], "holds 1 empty text, the first at row 9"),
    "blank": ([" \n\t"] * 2 + TEXTS[2:], "holds 2 empty texts, the first at row 0"),
    "None": ([None, *TEXTS[1:]], r"X lacks 1 text, the first at row 0 \(None\)"),
    "NaN": ([*TEXTS[:27], float("nan")], r"lacks 1 text, the first at row 27 \(nan\)"),
    "NA": ([pd.NA, pd.NA, *TEXTS[2:]], r"X lacks 2 texts, the first at row 0 \(<NA>\)"),
    "missing": (pd.Series([None, *TEXTS[1:]]), "X lacks 1 text, the first at row 0"),
    "a number": ([*TEXTS[:27], 3], "X must hold texts, got 3 of type int at row 27"),
    "bytes": ([b"text"] * 28, "X must hold texts, got b'text' of type bytes at row 0"),
    "floats": (
        np.ones(28),
        "got 1.0 of type float64 at row 0. Numbers and",
    ),
    "a tensor": (torch.ones(28), "of type Tensor at row 0. Numbers and tokens made"),
    "a column of numbers": (np.ones((28, 1)), "of type float64 at row 0"),
    "three dimensions": (np.array(TEXTS)[:, None, None], r"got shape \(28, 1, 1\)"),
    "two columns": (
        FRAME.to_numpy().tolist(),
        r"X has the columns \[0, 1\], and one holds",
    ),
    "unnamed columns": (
        FRAME.to_numpy(),
        r"X has the columns \[0, 1\], and one .* by tex",
    ),
    "datasets": ({"en": BANK}, "X is a dict of 1 datasets.* stack_sources builds"),
    "a generator": (
        (text for text in TEXTS),
        "hold a row for each sample, got generator",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@EVERY_KIND
def test_what_is_no_text_is_refused_in_fit_and_in_predict(kind, case, fitted):
    make, y = EACH[kind]
    X, message = REFUSED[case]
    model = make()
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, SOURCE)
    assert not hasattr(model, "net_")
    for method in ("predict", "transform"):
        with pytest.raises(SourceError, match=message):
            getattr(fitted[kind], method)(X, SOURCE)


@pytest.mark.parametrize(
    "kind",
    [pytest.param("heads"), "one head"],
)
def test_one_text_has_no_probabilities(kind, fitted):
    with pytest.raises(SourceError, match=r"X is one text.* Pass \[text\]"):
        fitted[kind].predict_proba(TEXTS[0], SOURCE)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"text_column": "txet"},
            r"text_column='txet' is not a column of X\. The columns are \['text', 'lang"
            r"uage'\]\. Did you mean 'text'\?",
        ),
        ({"text_column": 5}, "text_column=5 is not a column of X, which has 2 columns"),
        (
            {"text_column": "language"},
            "text_column='language' and source='language' are the same column of X",
        ),
        ({"text_column": -1, "source": 1}, "text_column=-1 and source=1 are the same"),
        ({"source": "langage"}, r"source='langage' .* Did you mean 'language'\?"),
        ({"source": "text"}, "source='text' holds 28 different values in 28 rows"),
        ({"source": None}, r"X has the columns \['text', 'language'\], and one holds"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
@EVERY_KIND
def test_columns_that_are_not_there(kind, params, message):
    make, y = EACH[kind]
    with pytest.raises(SourceError, match=message):
        make(**{"source": "language", **params}).fit(FRAME, y)


@EVERY_KIND
def test_a_frame_for_predict_needs_only_its_texts_and_sources(kind, framed):
    expected = framed[kind].predict_proba(FRAME)
    swapped = framed[kind].predict_proba(FRAME[["language", "text"]])
    np.testing.assert_array_equal(swapped, expected)
    with pytest.raises(SourceError, match=r"one holds the texts. Name it by text_col"):
        framed[kind].predict(FRAME.assign(place="Ulm"))


@EVERY_KIND
def test_a_source_for_each_text_and_a_label_for_each(kind, fitted):
    make, y = EACH[kind]
    with pytest.raises(SourceError, match="X has 28, sample_source has 27"):
        make().fit(TEXTS, y, SOURCE[:27])
    with pytest.raises(SourceError, match="source='language' names a column, but X ha"):
        make(source="language").fit(TEXTS, y)
    with pytest.raises(SourceError, match="sample_source leaves 12 samples unlabelled"):
        make().fit(TEXTS, y, np.where(SOURCE == "de", None, SOURCE))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(TEXTS, y[:20], SOURCE)
    with pytest.raises(SourceError, match="y leaves 28 samples without a label"):
        make().fit(TEXTS, [None] * 28, SOURCE)


@pytest.mark.parametrize(
    "kind",
    ["heads", pytest.param("one head")],
)
def test_a_short_list_of_sources_is_refused_in_predict(kind, fitted):
    with pytest.raises(SourceError, match="X has 28, sample_source has 3"):
        fitted[kind].predict(TEXTS, SOURCE[:3])


def test_a_head_must_be_known(fitted, framed):
    model = fitted["heads"]
    with pytest.raises(
        SourceError, match="28 of 28 have none, the first 'fr' at row 0"
    ):
        model.predict(TEXTS, ["fr"] * 28)
    with pytest.raises(SourceError, match=r"the first 'enn'.* Did you mean 'en'"):
        model.predict(TEXTS, np.where(SOURCE == "en", "enn", SOURCE))
    with pytest.raises(SourceError, match="so each row's source is needed: pass samp"):
        model.predict(TEXTS)
    with pytest.raises(SourceError, match=r"the first 'fr' at row 0.* \['de', 'en'\]"):
        framed["heads"].predict(FRAME.assign(language="fr"))
    with pytest.raises(SourceError, match="so each row's source is needed: pass samp"):
        framed["heads"].predict(TEXTS)


def test_an_unknown_source_of_bare_texts_is_told_after_a_fit_on_a_frame(framed):
    with pytest.raises(
        SourceError, match="28 of 28 have none, the first 'fr' at row 0"
    ):
        framed["heads"].predict(TEXTS, ["fr"] * 28)


@pytest.mark.filterwarnings("ignore:Only one source")
def test_labels_of_two_kinds_without_sources_are_told_in_words():
    with pytest.raises(
        SourceError, match=r"are numbers and texts: .* Pass sample_source"
    ):
        of_heads().fit(TEXTS, MIXED)


@EVERY_KIND
def test_an_unfitted_model_says_so(kind):
    make, y = EACH[kind]
    for method in ("predict", "predict_proba", "transform"):
        with pytest.raises(NotFittedError, match="instance is not fitted yet"):
            getattr(make(), method)(TEXTS, SOURCE)
    with pytest.raises(NotFittedError, match="instance is not fitted yet"):
        make().score(TEXTS, y, SOURCE)
    with pytest.raises(NotFittedError, match="instance is not fitted yet"):
        make().get_feature_names_out()
