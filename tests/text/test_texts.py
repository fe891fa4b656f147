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
from small_texts import EITHER_HEADS

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
from sktandem.text import FineTuning, SharedTextNet, small_encoder

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


def of(heads, checkpoint=CHECKPOINT, **params):
    return SharedTextNet(checkpoint, heads=heads, **QUICK | params)


LABELS = {"source": OWN, "shared": SHARED}
ROUTING = pytest.mark.parametrize("routing", [False, True], ids=["off", "on"])


@pytest.fixture(scope="module")
def fitted():
    """A model with either heads, fitted on bare texts; for tests that only read it."""
    return {
        heads: of(heads).fit(TEXTS, y, sample_source=SOURCE)
        for heads, y in LABELS.items()
    }


@pytest.fixture(scope="module")
def framed():
    """A model with either heads, fitted on a data frame with a column of sources."""
    return {
        heads: of(heads, source="language").fit(FRAME, y) for heads, y in LABELS.items()
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


@EITHER_HEADS
def test_the_constructor_only_stores(heads):
    head, training, schedule = (8,), FineTuning(), Joint()
    model = of(heads, head=head, training=training, schedule=schedule, prefix="query: ")

    assert model.checkpoint is CHECKPOINT
    assert model.head is head
    assert model.training is training
    assert model.schedule is schedule
    assert set(vars(model)) == set(model.get_params(deep=False))


@pytest.mark.parametrize("form", ["pair", "folder", "text", "hub"])
@EITHER_HEADS
def test_a_clone_is_unfitted_and_has_the_same_parameters(heads, form, folder):
    forms = {"pair": CHECKPOINT, "folder": folder, "text": str(folder), "hub": "a/b"}
    y = LABELS[heads]
    model = of(heads, forms[form], head=(4,), freeze=1)
    if form != "hub":
        model.fit(TEXTS, y, sample_source=SOURCE)

    twin = clone(model)

    assert not hasattr(twin, "net_")
    params = model.get_params()
    params.pop("checkpoint")
    assert {name: twin.get_params()[name] for name in params} == params
    if form != "pair":
        assert twin.checkpoint == forms[form]
    if form != "hub":
        expected = model.predict_proba(TEXTS, sample_source=SOURCE)
        found = twin.fit(TEXTS, y, sample_source=SOURCE).predict_proba(
            TEXTS, sample_source=SOURCE
        )
        np.testing.assert_array_equal(found, expected)


@EITHER_HEADS
def test_a_folder_and_what_is_in_it_are_the_same_checkpoint(heads, folder, fitted):
    y = LABELS[heads]
    found = (
        of(heads, folder)
        .fit(TEXTS, y, sample_source=SOURCE)
        .predict_proba(TEXTS, sample_source=SOURCE)
    )
    expected = fitted[heads].predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@EITHER_HEADS
def test_parameters_are_set_by_name(heads):
    model = of(heads).set_params(
        lr=0.5, schedule=EpochAlternation(), schedule__epoch_length="longest"
    )

    assert model.lr == 0.5
    assert model.get_params()["schedule__epoch_length"] == "longest"
    with pytest.raises(ValueError, match="Invalid parameter 'net' for estimator"):
        model.set_params(net__lr=0.1)
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
        model.set_params(learning_rate=0.1)
    with pytest.raises(SourceError, match=r"schedule is 'joint'\. .* schedule=Batch"):
        model.set_params(schedule="joint", schedule__epoch_length=3)


@EITHER_HEADS
def test_a_model_prints_in_few_words(heads, fitted):
    for model in (of(heads), fitted[heads]):
        assert len(repr(model)) < 250
        assert "checkpoint=(BertModel, " in repr(model)
        assert type(model).__name__ in model._repr_html_()
    assert model.checkpoint is CHECKPOINT


# Fitting ----------------------------------------------------------------------


@EITHER_HEADS
def test_a_fit_changes_nothing_that_it_was_given(heads):
    y = LABELS[heads]
    model, tokenizer = CHECKPOINT
    weights = {name: w.clone() for name, w in model.state_dict().items()}
    vocabulary, trains = tokenizer.get_vocab(), model.training
    frame, labels = FRAME.copy(), y.copy()
    estimator = of(heads, source="language", freeze=None)
    params = dict(vars(estimator))

    estimator.fit(frame, labels)

    pd.testing.assert_frame_equal(frame, FRAME)
    np.testing.assert_array_equal(labels, y)
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())
    assert all(w.requires_grad for w in model.parameters())
    assert model.training == trains
    assert tokenizer.get_vocab() == vocabulary
    assert all(vars(estimator)[name] is value for name, value in params.items())
    own = set(vars(estimator)) - set(params) - {"_fitted"}
    assert all(name.endswith("_") and not name.startswith("_") for name in own)


@EITHER_HEADS
def test_a_fit_that_fails_leaves_everything_as_it_was(heads, framed):
    y = LABELS[heads]
    fresh, before = of(heads), set(vars(of(heads)))
    with pytest.raises(SourceError, match="1 empty text"):
        fresh.fit([*TEXTS[:-1], " "], y, sample_source=SOURCE)
    assert set(vars(fresh)) == before

    fitted = pickle.loads(pickle.dumps(framed[heads]))
    names, expected = set(vars(fitted)), fitted.predict_proba(FRAME)
    fitted.set_params(freeze=9)
    with pytest.raises(SourceError, match="freeze=9 layers, but BertModel has 1"):
        fitted.fit(FRAME.rename(columns={"text": "words"}), y)
    assert set(vars(fitted)) == names
    np.testing.assert_array_equal(fitted.predict_proba(FRAME), expected)


@EITHER_HEADS
def test_a_pickle_predicts_the_same(heads, fitted):
    y = LABELS[heads]
    expected = fitted[heads].predict_proba(TEXTS, sample_source=SOURCE)

    again = pickle.loads(pickle.dumps(fitted[heads]))
    unfitted = pickle.loads(pickle.dumps(of(heads)))

    np.testing.assert_array_equal(
        again.predict_proba(TEXTS, sample_source=SOURCE), expected
    )
    found = unfitted.fit(TEXTS, y, sample_source=SOURCE).predict_proba(
        TEXTS, sample_source=SOURCE
    )
    np.testing.assert_array_equal(found, expected)


@EITHER_HEADS
def test_a_seed_and_a_generator_seeded_with_it_are_the_same(heads, fitted):
    y = LABELS[heads]
    model = of(heads, random_state=np.random.RandomState(0)).fit(
        TEXTS, y, sample_source=SOURCE
    )
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, sample_source=SOURCE),
        fitted[heads].predict_proba(TEXTS, sample_source=SOURCE),
    )


@EITHER_HEADS
def test_labels_keep_their_kind(heads):
    yes = SHARED == "yes"
    for y in (yes, yes.astype(int), SHARED, SHARED.astype(object)):
        predicted = (
            of(heads)
            .fit(TEXTS, y, sample_source=SOURCE)
            .predict(TEXTS, sample_source=SOURCE)
        )
        assert predicted.dtype == y.dtype
        assert set(predicted) <= set(y)


def test_labels_of_two_kinds_stay_what_they_are():
    model = of("source", max_epochs=12).fit(TEXTS, MIXED, sample_source=SOURCE)

    predicted = model.predict(TEXTS, sample_source=SOURCE)

    assert predicted.dtype == object
    assert {type(label) for label in predicted[SOURCE == "de"]} == {int}
    assert {type(label) for label in predicted[SOURCE == "en"]} == {str}
    assert model.score(TEXTS, MIXED, sample_source=SOURCE) == np.mean(
        predicted == MIXED
    )
    assert score_by_source(model, TEXTS, MIXED, sample_source=SOURCE).by_source == {
        name: np.mean((predicted == MIXED)[name == SOURCE]) for name in ("de", "en")
    }


def test_stacked_texts_with_labels_as_text_are_learned():
    texts, y, source = stack_sources(
        {"en": (BANK, ["card"] * 8 + ["money"] * 8), "de": (FOOD, [1] * 6 + [0] * 6)},
        labels="str",
    )
    model = of("source").fit(texts, y, sample_source=source)
    assert model.classes_by_source_["de"].tolist() == ["0", "1"]
    assert model.classes_by_source_["en"].tolist() == ["card", "money"]


@EITHER_HEADS
def test_other_texts_may_be_given_to_validate_on(heads):
    y = LABELS[heads]
    by_keyword = of(heads).fit(
        TEXTS,
        y,
        sample_source=SOURCE,
        validation_data=(TEXTS[::3], y[::3], SOURCE[::3]),
    )
    by_column = of(heads, source="language").fit(
        FRAME, y, validation_data=(FRAME[::3], y[::3])
    )
    for model in (by_keyword, by_column):
        assert model.n_samples_by_source_ == {"de": 12, "en": 16}
        assert np.isfinite(model.history_[:, "valid_loss[de]"]).all()


# Warnings ---------------------------------------------------------------------


@pytest.mark.parametrize("case", ["one source", "long texts", "single class"])
@EITHER_HEADS
def test_a_warning_comes_once_and_points_at_the_call_of_fit(heads, case):
    y = LABELS[heads]
    model, labels = of(heads), SOURCE
    if case == "one source":
        y, labels, told = SHARED, None, "Only one source, 'all': nothing to alternate"
    elif case == "long texts":
        model.set_params(max_length=4)
        told = "28 texts of 28 have max_length=4 tokens or more; what is beyond"
    else:
        y = np.where(SOURCE == "en", SHARED, "yes")
        told = "The source 'de' has a single class, 'yes'"

    with pytest.warns(SourceWarning, match=told) as caught:
        model.fit(TEXTS, y, sample_source=labels)

    assert len(caught) == 1
    assert caught[0].filename == __file__


@EITHER_HEADS
def test_a_hundredth_of_long_texts_is_not_worth_a_word(heads):
    y = LABELS[heads]
    long = " ".join(TEXTS)
    texts = TEXTS * 4
    texts[3] = long
    model = of(heads, max_length=32, max_epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(texts, np.tile(y, 4), sample_source=np.tile(SOURCE, 4))
    texts[40] = long
    with pytest.warns(SourceWarning, match="2 texts of 112 have max_length=32 tokens"):
        model.fit(texts, np.tile(y, 4), sample_source=np.tile(SOURCE, 4))


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
@EITHER_HEADS
def test_texts_may_come_in_any_container(heads, container, fitted):
    y = LABELS[heads]
    X = BARE[container](TEXTS)

    model = of(heads).fit(X, y, sample_source=SOURCE)

    expected = fitted[heads].predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_array_equal(
        model.predict_proba(X, sample_source=SOURCE), expected
    )
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, sample_source=SOURCE), expected
    )


@EITHER_HEADS
def test_a_series_of_polars_is_as_good_as_a_list(heads, fitted):
    polars = pytest.importorskip("polars")
    y = LABELS[heads]
    X = polars.Series(TEXTS)
    expected = fitted[heads].predict_proba(TEXTS, sample_source=SOURCE)
    found = of(heads).fit(
        X, polars.Series(y.tolist()), sample_source=polars.Series(SOURCE.tolist())
    )
    np.testing.assert_array_equal(
        found.predict_proba(X, sample_source=SOURCE), expected
    )


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
@EITHER_HEADS
def test_texts_may_be_a_column_of_a_table(heads, table, fitted):
    y = LABELS[heads]
    X, columns = COLUMNS[table]

    model = of(heads, **columns).fit(X, y)

    expected = fitted[heads].predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.n_features_in_ == np.shape(X)[1]


@EITHER_HEADS
@pytest.mark.filterwarnings("ignore:X has feature names")  # of older scikit-learn
def test_a_frame_of_polars_is_a_frame(heads, framed):
    polars = pytest.importorskip("polars")
    y = LABELS[heads]
    X = polars.DataFrame({"text": TEXTS, "language": SOURCE.tolist()})
    expected = framed[heads].predict_proba(FRAME)
    for columns in ({"source": "language"}, {"source": -1, "text_column": "text"}):
        model = of(heads, **columns).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
        np.testing.assert_array_equal(model.predict_proba(FRAME), expected)


@EITHER_HEADS
def test_the_keyword_wins_over_the_column(heads, framed):
    y = LABELS[heads]
    wrong = FRAME.assign(language="en")
    model = of(heads, source="language").fit(wrong, y, sample_source=SOURCE)
    expected = framed[heads].predict_proba(FRAME)
    np.testing.assert_array_equal(
        model.predict_proba(wrong, sample_source=SOURCE), expected
    )


@EITHER_HEADS
def test_texts_by_themselves_are_welcome_after_a_fit_on_a_frame(heads, framed):
    model = framed[heads]
    expected = model.predict_proba(FRAME)
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, sample_source=SOURCE), expected
    )
    np.testing.assert_array_equal(
        model.predict(pd.Series(TEXTS), sample_source=SOURCE), model.predict(FRAME)
    )


@EITHER_HEADS
def test_the_order_of_texts_and_their_company_do_not_matter(heads, fitted):
    model = fitted[heads]
    expected = model.predict_proba(TEXTS, sample_source=SOURCE)
    order = np.random.default_rng(0).permutation(28)
    for rows in (order, order[:9], order[:1]):
        found = model.predict_proba(
            [TEXTS[i] for i in rows], sample_source=SOURCE[rows]
        )
        np.testing.assert_allclose(found, expected[rows], atol=1e-5)
    many = model.predict_proba(TEXTS * 40, sample_source=np.tile(SOURCE, 40))
    np.testing.assert_allclose(many, np.tile(expected, (40, 1)), atol=1e-5)


# Predicting -------------------------------------------------------------------


@EITHER_HEADS
def test_the_score_is_the_accuracy(heads, fitted, framed):
    y = LABELS[heads]
    predicted = fitted[heads].predict(TEXTS, sample_source=SOURCE)
    expected = accuracy_score(y, predicted)
    assert fitted[heads].score(TEXTS, y, sample_source=SOURCE) == pytest.approx(
        expected
    )
    assert framed[heads].score(FRAME, y) == pytest.approx(expected)
    weights = np.arange(28.0)
    assert fitted[heads].score(
        TEXTS, y, sample_source=SOURCE, sample_weight=weights
    ) == pytest.approx(accuracy_score(y, predicted, sample_weight=weights))


@EITHER_HEADS
def test_the_likeliest_class_is_predicted(heads, fitted):
    model = fitted[heads]
    proba = model.predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    likeliest = model.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(likeliest, model.predict(TEXTS, sample_source=SOURCE))


def test_a_heads_answer_for_its_own_texts_is_the_prediction(fitted, framed):
    model = fitted["source"]
    answers = model.predict_heads(TEXTS)
    assert set(answers) == {"de", "en"}
    predicted = model.predict(TEXTS, sample_source=SOURCE)
    for name, answer in answers.items():
        assert len(answer) == 28
        own = name == SOURCE
        np.testing.assert_array_equal(answer[own], predicted[own])
        np.testing.assert_array_equal(
            answer, model.predict(TEXTS, sample_source=[name] * 28)
        )
        np.testing.assert_array_equal(
            answer, framed["source"].predict_heads(FRAME)[name]
        )


@EITHER_HEADS
def test_the_embedding_is_what_the_heads_stand_on(heads, fitted, framed):
    model = fitted[heads]
    embedding = model.transform(TEXTS, sample_source=SOURCE)
    np.testing.assert_array_equal(model.transform(TEXTS), embedding)
    np.testing.assert_array_equal(framed[heads].transform(FRAME), embedding)
    assert embedding.shape == (28, model.width_) == (28, 16)

    modules = getattr(model.module_, "heads", None) or [model.module_.head] * 2
    for name, module in zip(("de", "en"), modules):
        rows = np.flatnonzero(name == SOURCE)
        with torch.no_grad():
            scores = module(torch.from_numpy(embedding[rows])).softmax(dim=1).numpy()
        own = np.isin(model.classes_, model.classes_by_source_[name])
        proba = model.predict_proba(TEXTS, sample_source=SOURCE)[rows][:, own]
        np.testing.assert_allclose(scores, proba, atol=1e-5)


@EITHER_HEADS
def test_the_embedding_has_names_and_may_be_a_frame(heads, framed):
    model = clone(framed[heads]).set_output(transform="pandas")
    made = model.fit_transform(FRAME, LABELS[heads])

    names = model.get_feature_names_out()
    name = type(model).__name__.lower()
    assert names.tolist() == [f"{name}{i}" for i in range(16)]
    assert made.columns.tolist() == names.tolist()
    np.testing.assert_array_equal(made.to_numpy(), framed[heads].transform(FRAME))


@EITHER_HEADS
def test_with_a_frozen_encoder_the_embedding_is_the_encoders(heads):
    y = LABELS[heads]
    model = of(heads, freeze="encoder").fit(TEXTS, y, sample_source=SOURCE)
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
    model = of("source", unknown_source="primary", primary_source="de")
    model.fit(TEXTS, OWN, sample_source=SOURCE)
    answers = model.predict_heads(TEXTS)["de"]
    np.testing.assert_array_equal(
        model.predict(TEXTS, sample_source=["fr"] * 28), answers
    )
    np.testing.assert_array_equal(model.predict(TEXTS), answers)


def test_an_unknown_source_may_take_the_mean_over_heads_of_one_label_space():
    model = of("source", unknown_source="pooled").fit(
        TEXTS, SHARED, sample_source=SOURCE
    )
    each = [
        model.predict_proba(TEXTS, sample_source=[name] * 28) for name in ("de", "en")
    ]
    found = model.predict_proba(TEXTS, sample_source=["fr"] * 28)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)

    other = of("source", unknown_source="pooled").fit(TEXTS, OWN, sample_source=SOURCE)
    with pytest.raises(SourceError, match="they do not predict the same thing"):
        other.predict(TEXTS, sample_source=["fr"] * 28)


def test_one_head_answers_for_texts_of_anywhere(fitted, framed):
    expected = fitted["shared"].predict_proba(TEXTS)
    for given in (SOURCE, ["fr"] * 28, [None] * 28):
        found = fitted["shared"].predict_proba(TEXTS, sample_source=given)
        np.testing.assert_array_equal(found, expected)
    found = framed["shared"].predict_proba(FRAME.assign(language="fr"))
    np.testing.assert_array_equal(found, expected)


@EITHER_HEADS
def test_the_curves_are_drawn(heads, fitted):
    display = HistoryDisplay.from_estimator(fitted[heads])

    plt.close(display.figure_)
    assert {"train_loss[de]", "valid_loss[en]"} <= set(display.to_frame())
    history = fitted[heads].history_
    assert len(history) == 2
    assert {"lr", "rows_seen[en]", "valid_loss_macro", "source"} <= set(history[-1])


# scikit-learn's tools ---------------------------------------------------------


@ROUTING
@EITHER_HEADS
@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss"])
def test_named_scorers_are_right_by_the_column_door(heads, scoring, routing):
    y = LABELS[heads]
    cv = SourceKFold(2, source="language")
    with config_context(enable_metadata_routing=routing):
        model = of(heads, source="language", max_epochs=1)
        scores = cross_val_score(model, FRAME, y, cv=cv, scoring=scoring)

    assert np.isfinite(scores).all()
    if scoring == "f1_macro":
        train, test = next(iter(cv.split(FRAME, y)))
        one = clone(model).fit(FRAME.iloc[train], y[train])
        predicted = one.predict(FRAME.iloc[test])
        assert scores[0] == f1_score(y[test], predicted, average="macro")


@ROUTING
@EITHER_HEADS
def test_predictions_of_folds_are_those_by_hand(heads, routing):
    y = LABELS[heads]
    cv = SourceKFold(2, source="language")
    model = of(heads, source="language")
    with config_context(enable_metadata_routing=routing):
        found = cross_val_predict(model, FRAME, y, cv=cv)

    for train, test in cv.split(FRAME, y):
        one = clone(model).fit(FRAME.iloc[train], y[train])
        np.testing.assert_array_equal(found[test], one.predict(FRAME.iloc[test]))


def test_a_language_that_is_left_out_is_predicted_by_the_shared_head():
    cv = LeaveOneSourceOut(source="language")
    model = of("shared", source="language", schedule="shuffled")
    scores = cross_val_score(model, FRAME, SHARED, cv=cv, scoring="f1_macro")
    assert len(scores) == 2
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("door", "routing"), [("column", False), ("column", True), ("keyword", True)]
)
@EITHER_HEADS
def test_a_search_over_schedule_and_rate(heads, door, routing):
    y = LABELS[heads]
    column = "language" if door == "column" else None
    X = FRAME if door == "column" else np.array(TEXTS, dtype=object)
    labels = {} if door == "column" else {"sample_source": SOURCE}
    scorers = source_scorers("f1_macro", ["de", "en"], source=column)
    search = GridSearchCV(
        of(heads, source=column, max_epochs=1),
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
        model = of("source", source="language", max_epochs=1)
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
@EITHER_HEADS
def test_texts_may_be_mended_in_a_pipeline(heads, routing, fitted):
    y = LABELS[heads]
    expected = fitted[heads].predict_proba(
        TEXTS, sample_source=SOURCE
    )  # which takes no capitals
    with config_context(enable_metadata_routing=routing):
        column = make_pipeline(
            FunctionTransformer(shout_in_frame), of(heads, source="language")
        ).fit(FRAME, y)
        np.testing.assert_array_equal(column.predict_proba(FRAME), expected)
        assert np.isfinite(
            cross_val_score(column, FRAME, y, cv=SourceKFold(2, source="language"))
        ).all()
        if not routing:
            return
        keyword = make_pipeline(FunctionTransformer(shout), of(heads))
        keyword.fit(TEXTS, y, sample_source=SOURCE)
        found = keyword.predict_proba(TEXTS, sample_source=SOURCE)
    np.testing.assert_array_equal(found, expected)


def test_the_embedding_serves_another_model_in_a_pipeline():
    model = make_pipeline(
        of("shared", source="language", freeze="encoder"), LogisticRegression()
    )
    assert model.fit(FRAME, SHARED).score(FRAME, SHARED) > 0.5


@ROUTING
@EITHER_HEADS
def test_each_source_has_an_f1_of_its_own(heads, routing, fitted, framed):
    y = LABELS[heads]
    predicted = fitted[heads].predict(TEXTS, sample_source=SOURCE)
    expected = {
        name: f1_score(y[name == SOURCE], predicted[name == SOURCE], average="macro")
        for name in ("de", "en")
    }
    with config_context(enable_metadata_routing=routing):
        by_keyword = score_by_source(
            fitted[heads], TEXTS, y, sample_source=SOURCE, scoring="f1_macro"
        )
        by_column = score_by_source(framed[heads], FRAME, y, scoring="f1_macro")
        one = source_scorer("f1_macro", "de", source="language")
        of_de = one(framed[heads], FRAME, y)
    assert by_keyword.by_source == pytest.approx(expected)
    assert by_column.by_source == pytest.approx(expected)
    assert of_de == pytest.approx(expected["de"])
    assert by_column.worst == pytest.approx(min(expected.values()))


# In several calls -------------------------------------------------------------


@EITHER_HEADS
def test_two_calls_are_one_fit(heads):
    y = LABELS[heads]
    settings = {"keep": "last", "validation_fraction": None}
    whole = of(heads, **settings).fit(TEXTS, y, sample_source=SOURCE)
    parts = of(heads, **settings).partial_fit(TEXTS, y, sample_source=SOURCE, epochs=1)
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(
        TEXTS, y, sample_source=SOURCE
    )
    np.testing.assert_allclose(
        parts.predict_proba(TEXTS, sample_source=SOURCE),
        whole.predict_proba(TEXTS, sample_source=SOURCE),
        atol=1e-6,
    )
    assert len(parts.history_) == 2


@EITHER_HEADS
def test_training_ends_where_the_rate_has_fallen_to_zero(heads, fitted):
    y = LABELS[heads]
    told = r"max_epochs=2: 2 epochs are done, and 1 more do not fit. Set max_epochs=3"
    model = of(heads).fit(TEXTS, y, sample_source=SOURCE)
    expected = model.predict_proba(TEXTS, sample_source=SOURCE)
    for epochs in (None, 1):
        with pytest.raises(SourceError, match=told):
            model.partial_fit(TEXTS, y, sample_source=SOURCE, epochs=epochs)
    with pytest.raises(SourceError, match="Set max_epochs=3 before"):
        of(heads).partial_fit(TEXTS, y, sample_source=SOURCE, epochs=3)
    for epochs in (-1, 0.5):
        with pytest.raises(SourceError, match="epochs must be an integer of at"):
            of(heads).partial_fit(TEXTS, y, sample_source=SOURCE, epochs=epochs)
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, sample_source=SOURCE), expected
    )


def test_later_calls_bring_no_other_classes():
    one = of("source").partial_fit(TEXTS, OWN, sample_source=SOURCE, epochs=1)
    with pytest.raises(SourceError, match=r"classes=\{'en': \['a'\]\} are not those"):
        one.partial_fit(TEXTS, OWN, sample_source=SOURCE, classes={"en": ["a"]})
    with pytest.raises(
        SourceError, match=r"y of 'de' holds \['money'\], which fit did"
    ):
        one.partial_fit(TEXTS, np.repeat(["card", "money"], 14), sample_source=SOURCE)
    with pytest.raises(SourceError, match="holds 'fr', which is not among the sources"):
        one.partial_fit(
            TEXTS, OWN, sample_source=np.where(SOURCE == "de", "fr", SOURCE)
        )
    assert len(one.history_) == 1

    other = of("shared").partial_fit(TEXTS, SHARED, sample_source=SOURCE, epochs=1)
    with pytest.raises(SourceError, match=r"y holds \['noo'\].* Did you mean 'no'"):
        other.partial_fit(
            TEXTS, np.where(SHARED == "no", "noo", "yes"), sample_source=SOURCE
        )
    with pytest.raises(SourceError, match="are not those of the first partial_fit"):
        other.partial_fit(
            TEXTS, SHARED, sample_source=SOURCE, classes=["yes", "no", "maybe"]
        )


# What cannot be read ----------------------------------------------------------

REFUSED = {
    "one text": (TEXTS[0], r"X is one text, 'my card a is lost'.* Pass \[text\]"),
    "empty": ([*TEXTS[:9], "", *TEXTS[10:]], "holds 1 empty text, the first at row 9"),
    "blank": ([" \n\t"] * 2 + TEXTS[2:], "holds 2 empty texts, the first at row 0"),
    "None": ([None, *TEXTS[1:]], r"no text in 1 row, the first at row 0 \(None\)"),
    "NaN": ([*TEXTS[:27], float("nan")], r"in 1 row, the first at row 27 \(nan\)"),
    "NA": ([pd.NA, pd.NA, *TEXTS[2:]], r"in 2 rows, the first at row 0 \(<NA>\)"),
    "missing": (pd.Series([None, *TEXTS[1:]]), "no text in 1 row, the first at row 0"),
    "a number": ([*TEXTS[:27], 3], "X must hold strings, got 3 of type int at row 27"),
    "bytes": ([b"text"] * 28, "strings, got b'text' of type bytes at row 0"),
    "floats": (
        np.ones(28),
        "got 1.0 of type float64 at row 0. Numbers, and",
    ),
    "a tensor": (torch.ones(28), "of type Tensor at row 0. Numbers, and tokens"),
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
@EITHER_HEADS
def test_what_is_no_text_is_refused_in_fit_and_in_predict(heads, case, fitted):
    y = LABELS[heads]
    X, message = REFUSED[case]
    model = of(heads)
    with pytest.raises(SourceError, match=message):
        model.fit(X, y, sample_source=SOURCE)
    assert not hasattr(model, "net_")
    for method in ("predict", "transform"):
        with pytest.raises(SourceError, match=message):
            getattr(fitted[heads], method)(X, sample_source=SOURCE)


@EITHER_HEADS
def test_one_text_has_no_probabilities(heads, fitted):
    with pytest.raises(SourceError, match=r"X is one text.* Pass \[text\]"):
        fitted[heads].predict_proba(TEXTS[0], sample_source=SOURCE)


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
@EITHER_HEADS
def test_columns_that_are_not_there(heads, params, message):
    y = LABELS[heads]
    with pytest.raises(SourceError, match=message):
        of(heads, **{"source": "language", **params}).fit(FRAME, y)


@EITHER_HEADS
def test_a_frame_for_predict_needs_only_its_texts_and_sources(heads, framed):
    expected = framed[heads].predict_proba(FRAME)
    swapped = framed[heads].predict_proba(FRAME[["language", "text"]])
    np.testing.assert_array_equal(swapped, expected)
    with pytest.raises(SourceError, match=r"one holds the texts. Name it by text_col"):
        framed[heads].predict(FRAME.assign(place="Ulm"))


@EITHER_HEADS
def test_a_source_for_each_text_and_a_label_for_each(heads, fitted):
    y = LABELS[heads]
    with pytest.raises(SourceError, match="X has 28, sample_source has 27"):
        of(heads).fit(TEXTS, y, sample_source=SOURCE[:27])
    with pytest.raises(SourceError, match="source='language' names a column, but X ha"):
        of(heads, source="language").fit(TEXTS, y)
    with pytest.raises(SourceError, match="sample_source leaves 12 samples unlabelled"):
        of(heads).fit(TEXTS, y, sample_source=np.where(SOURCE == "de", None, SOURCE))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        of(heads).fit(TEXTS, y[:20], sample_source=SOURCE)
    with pytest.raises(SourceError, match="y leaves 28 samples without a label"):
        of(heads).fit(TEXTS, [None] * 28, sample_source=SOURCE)


@EITHER_HEADS
def test_a_short_list_of_sources_is_refused_in_predict(heads, fitted):
    with pytest.raises(SourceError, match="X has 28, sample_source has 3"):
        fitted[heads].predict(TEXTS, sample_source=SOURCE[:3])


def test_a_head_must_be_known(fitted, framed):
    model = fitted["source"]
    told = r"28 rows of 28 have no source .* the first 'fr' at row 0"
    with pytest.raises(SourceError, match=told):
        model.predict(TEXTS, sample_source=["fr"] * 28)
    with pytest.raises(SourceError, match=r"the first 'enn'.* Did you mean 'en'"):
        model.predict(TEXTS, sample_source=np.where(SOURCE == "en", "enn", SOURCE))
    with pytest.raises(SourceError, match="so each row's source is needed: pass samp"):
        model.predict(TEXTS)
    with pytest.raises(SourceError, match=r"the first 'fr' at row 0.* \['de', 'en'\]"):
        framed["source"].predict(FRAME.assign(language="fr"))
    with pytest.raises(SourceError, match="so each row's source is needed: pass samp"):
        framed["source"].predict(TEXTS)


def test_an_unknown_source_of_bare_texts_is_told_after_a_fit_on_a_frame(framed):
    told = r"28 rows of 28 have no source .* the first 'fr' at row 0"
    with pytest.raises(SourceError, match=told):
        framed["source"].predict(TEXTS, sample_source=["fr"] * 28)


@pytest.mark.filterwarnings("ignore:Only one source")
def test_labels_of_two_kinds_without_sources_are_told_in_words():
    with pytest.raises(
        SourceError, match=r"are numbers and strings: .* Pass sample_source"
    ):
        of("source").fit(TEXTS, MIXED)


@EITHER_HEADS
def test_there_are_texts_and_labels(heads, fitted):
    for X in (TEXTS, FRAME[["text"]]):
        with pytest.raises(ValueError, match="requires y to be passed, but the target"):
            of(heads).fit(X, None, sample_source=SOURCE)
    with pytest.raises(SourceError, match="X has no rows to fit"):
        of(heads).fit([], [])
    for method in ("predict", "predict_proba", "transform"):
        with pytest.raises(SourceError, match="no texts, so there is nothing to pred"):
            getattr(fitted[heads], method)([], sample_source=[])


@EITHER_HEADS
def test_bare_texts_after_a_frame_have_no_columns(heads, framed):
    model = pickle.loads(pickle.dumps(framed[heads])).set_params(source=None)
    assert model.n_features_in_ == 2
    model.fit(TEXTS, LABELS[heads], sample_source=SOURCE)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "feature_names_in_")


@EITHER_HEADS
def test_an_unfitted_model_says_so(heads):
    y = LABELS[heads]
    for method in ("predict", "predict_proba", "transform"):
        with pytest.raises(NotFittedError, match="instance is not fitted yet"):
            getattr(of(heads), method)(TEXTS, sample_source=SOURCE)
    with pytest.raises(NotFittedError, match="instance is not fitted yet"):
        of(heads).score(TEXTS, y, sample_source=SOURCE)
    with pytest.raises(NotFittedError, match="instance is not fitted yet"):
        of(heads).get_feature_names_out()
