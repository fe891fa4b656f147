"""A fitted text model as a folder, and back."""

import json
import pickle
import shutil
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from safetensors.torch import load_file
from sklearn.exceptions import NotFittedError
from torch import nn

from sktandem import SourceError, SourceWarning
from sktandem.inspection import HistoryDisplay
from sktandem.schedules import EpochAlternation
from sktandem.text import (
    TextAlternatingClassifier,
    TextMultiHeadClassifier,
    small_encoder,
)

pytestmark = pytest.mark.slow

TEXTS = [f"my card {word} is lost" for word in "abcdefgh"] + [
    f"das schmeckt {word} wirklich sehr gut" for word in "abcdefgh"
]
SOURCE = np.repeat(["en", "de"], 8)
Y = np.tile(["no", "yes"], 8)
YES = Y == "yes"
FRAME = pd.DataFrame({"text": TEXTS, "language": SOURCE})
CHECKPOINT = small_encoder(TEXTS, hidden_size=16, n_layers=2, random_state=0)
EACH = {"heads": TextMultiHeadClassifier, "one head": TextAlternatingClassifier}
EVERY_KIND = pytest.mark.parametrize("kind", EACH)
PLAIN_FILES = {".json", ".safetensors", ".txt"}


def of(kind, **params):
    settings = {"lr": 0.01, "max_epochs": 2, "random_state": 0}
    return EACH[kind](CHECKPOINT, **settings | params)


def written(model, folder, X=TEXTS, y=Y, source=SOURCE):
    model.fit(X, y, source).save_pretrained(folder)
    return model


def assert_same(found, expected, X=TEXTS, source=SOURCE):
    """Two models say the same of everything, to the last bit."""
    for method in ("predict_proba", "predict", "transform"):
        ours, theirs = (getattr(m, method)(X, source) for m in (found, expected))
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert found.sources_ == expected.sources_
    assert list(map(type, found.sources_)) == list(map(type, expected.sources_))
    for name in expected.sources_:
        ours, theirs = (m.classes_by_source_[name] for m in (found, expected))
        assert ours.dtype == theirs.dtype
        assert list(map(type, ours)) == list(map(type, theirs))
    learned = {key for key in vars(expected) if key.endswith("_")}
    assert {key for key in vars(found) if key.endswith("_")} == learned


# There and back ---------------------------------------------------------------

SETTINGS = [
    {},
    {"freeze": "encoder"},
    {"freeze": 1},
    {"freeze": None, "pooling": "cls"},
    {"pooling": "pooler"},
    {"pooling": "max", "prefix": "query: "},
    {"head": (16,)},
    {"head": (8, 4), "freeze": "encoder"},
    {"unknown_source": "pooled"},
    {"unknown_source": "primary", "primary_source": "de"},
    {"average": "ema"},
    {"average": 0.9, "freeze": "encoder"},
    {"average": "swa"},
    {"balance": "both", "patience": 1},
    {"batch_size": {"en": 4, "de": 2}, "validation_fraction": {"en": 0.2}},
    {"mixed_precision": "bf16"},
    {"history_detail": "epoch", "validation_fraction": None},
]


@EVERY_KIND
@pytest.mark.parametrize(
    "params", SETTINGS, ids=lambda params: ", ".join(map(str, params)) or "plain"
)
def test_a_model_comes_back_as_it_was_written(kind, params, tmp_path):
    model = written(of(kind, **params), tmp_path)

    again = EACH[kind].from_pretrained(tmp_path)

    assert_same(again, model)
    given, kept = model.get_params(deep=False), again.get_params(deep=False)
    for name in set(given) - {"checkpoint", "head"}:
        assert kept[name] == given[name], name
    if "unknown_source" in params:
        np.testing.assert_array_equal(
            again.predict(TEXTS, ["fr"] * 16), model.predict(TEXTS, ["fr"] * 16)
        )
    if kind == "heads":
        heads = again.predict_heads(TEXTS)
        for name, answer in model.predict_heads(TEXTS).items():
            np.testing.assert_array_equal(heads[name], answer)


@pytest.mark.parametrize("weights", ["uncertainty", "dwa", "size", {"en": 1, "de": 2}])
def test_weights_of_losses_come_back(weights, tmp_path):
    model = written(of("heads", loss_weights=weights), tmp_path)
    again = TextMultiHeadClassifier.from_pretrained(tmp_path)
    assert again.loss_weights == weights
    assert_same(again, model)


LABELS = {
    "int": YES.astype(int),
    "small int": YES.astype(np.int8),
    "bool": YES,
    "float": YES.astype(float),
    "objects": Y.astype(object),
    "of two kinds": np.where(SOURCE == "en", Y.astype(object), YES.astype(int)),
}


@EVERY_KIND
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.filterwarnings("ignore:No two sources have a class in common")
def test_labels_come_back_as_what_they_were(kind, labels, tmp_path):
    model = written(of(kind), tmp_path, y=LABELS[labels])
    assert_same(EACH[kind].from_pretrained(tmp_path), model)


@EVERY_KIND
@pytest.mark.parametrize(
    "source",
    [
        np.where(SOURCE == "en", 2, 1),
        np.where(SOURCE == "en", 2, 1).tolist(),
        np.where(SOURCE == "en", 2.5, 1.5),
        pytest.param(SOURCE == "en"),
    ],
    ids=["int", "list of int", "float", "bool"],
)
def test_names_of_sources_come_back_as_what_they_were(kind, source, tmp_path):
    first, second = np.unique(source).tolist()
    model = of(kind, batch_size={first: 4, second: 2}, primary_source=first)
    written(model, tmp_path, source=source)
    again = EACH[kind].from_pretrained(tmp_path)
    assert_same(again, model, source=source)
    assert again.batch_size == {first: 4, second: 2}
    assert again.fit(TEXTS, Y, source).sources_ == (first, second)


@EVERY_KIND
def test_columns_come_back(kind, tmp_path):
    model = of(kind, source="language", text_column="text").fit(FRAME, Y)
    model.save_pretrained(tmp_path)
    again = EACH[kind].from_pretrained(tmp_path)
    assert_same(again, model, FRAME, None)
    assert again.n_features_in_ == 2
    assert again.feature_names_in_.tolist() == ["text", "language"]
    assert_same(again, model, FRAME[["language", "text"]], None)

    model = of(kind, source=1).fit(FRAME.to_numpy(), Y)
    model.save_pretrained(tmp_path / "array")
    again = EACH[kind].from_pretrained(tmp_path / "array")
    assert_same(again, model, FRAME.to_numpy(), None)


@EVERY_KIND
def test_numbers_of_numpy_are_numbers(kind, tmp_path):
    """A search over np.arange or np.logspace leaves such numbers behind."""
    params = {"max_length": np.int64(5), "freeze": np.int64(1), "lr": np.float32(0.5)}
    with pytest.warns(UserWarning, match="max_length=5"):
        model = written(of(kind, **params), tmp_path)
    again = EACH[kind].from_pretrained(tmp_path)
    assert again.max_length == 5
    assert again.freeze == 1
    assert again.lr == 0.5
    assert_same(again, model)


@EVERY_KIND
def test_what_json_cannot_hold_falls_back_to_its_default(kind, tmp_path):
    given = {"schedule": EpochAlternation(), "random_state": np.random.RandomState(0)}
    model = written(of(kind, **given), tmp_path)

    with pytest.warns(SourceWarning, match=r"\['random_state', 'schedule'\], which"):
        again = EACH[kind].from_pretrained(tmp_path)

    assert_same(again, model)
    defaults = EACH[kind](None).get_params(deep=False)
    assert again.schedule == defaults["schedule"]
    assert again.random_state is None
    record = json.loads((tmp_path / "sktandem.json").read_text())
    assert record["left_out"] == ["random_state", "schedule"]
    other = EACH[kind].from_pretrained(
        tmp_path, schedule="epochs", verbose=1, random_state=0
    )
    assert (other.schedule, other.verbose) == ("epochs", 1)


def own_head(width, n_outputs, hidden):
    return nn.Sequential(nn.Linear(width, hidden), nn.Linear(hidden, n_outputs))


@EVERY_KIND
def test_a_head_made_by_a_function_asks_for_the_function(kind, tmp_path):
    head = partial(own_head, hidden=5)
    model = written(of(kind, head=head), tmp_path)
    told = rf"which no file can hold: {EACH[kind].__name__}.from_pretrained\(folder, h"
    with pytest.raises(SourceError, match=told):
        EACH[kind].from_pretrained(tmp_path)
    assert_same(EACH[kind].from_pretrained(tmp_path, head=head), model)


# The folder -------------------------------------------------------------------


@EVERY_KIND
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_nothing_in_a_folder_is_a_pickle(kind, freeze, tmp_path):
    written(of(kind, freeze=freeze), tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= PLAIN_FILES
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf8"))
        if path.suffix == ".safetensors":
            assert load_file(path)
    n_heads = 2 if kind == "heads" else 1
    assert len(list((tmp_path / "heads").iterdir())) == n_heads


@EVERY_KIND
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_the_encoder_is_a_folder_of_the_library(kind, freeze, tmp_path):
    model = written(of(kind, freeze=freeze), tmp_path)

    encoder = transformers.AutoModel.from_pretrained(tmp_path / "encoder").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "encoder")

    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = encoder(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).last_hidden_state
    own = inputs["attention_mask"][..., None]
    expected = ((hidden * own).sum(dim=1) / own.sum(dim=1)).numpy()
    np.testing.assert_allclose(model.transform(TEXTS), expected, atol=1e-5)


@EVERY_KIND
def test_the_history_comes_back_and_is_drawn(kind, tmp_path):
    model = written(of(kind), tmp_path)
    again = EACH[kind].from_pretrained(tmp_path)
    for column in ("train_loss", "valid_loss[de]", "lr", "rows_seen[en]", "source"):
        assert again.history_[:, column] == model.history_[:, column]
    display = HistoryDisplay.from_estimator(again)
    plt.close(display.figure_)
    assert "train_loss[de]" in display.to_frame()


@EVERY_KIND
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_a_folder_may_move(kind, freeze, tmp_path):
    model = written(of(kind, freeze=freeze), tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = EACH[kind].from_pretrained(str(tmp_path / "there"))
    shutil.rmtree(tmp_path / "there")
    assert_same(again, model)
    assert_same(pickle.loads(pickle.dumps(again)), model)


@EVERY_KIND
def test_the_first_checkpoint_is_not_needed_any_more(kind, tmp_path):
    with_folder = of(kind)
    written(with_folder, tmp_path / "first")
    again = of(kind).set_params(checkpoint=tmp_path / "first" / "encoder")
    written(again, tmp_path / "second")
    shutil.rmtree(tmp_path / "first")
    assert_same(EACH[kind].from_pretrained(tmp_path / "second"), again)
    assert_same(again, EACH[kind].from_pretrained(tmp_path / "second"))


@EVERY_KIND
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_training_goes_on_after_a_folder_was_read(kind, freeze, tmp_path):
    settings = {"freeze": freeze, "max_epochs": 4, "average": None}
    model = of(kind, **settings).partial_fit(TEXTS, Y, SOURCE, epochs=2)
    model.save_pretrained(tmp_path)

    again = EACH[kind].from_pretrained(tmp_path)
    before = again.predict_proba(TEXTS, SOURCE)
    again.partial_fit(TEXTS, Y, SOURCE)

    assert len(again.history_) == 4
    assert not np.array_equal(again.predict_proba(TEXTS, SOURCE), before)
    with pytest.raises(SourceError, match="max_epochs=4: 4 are done, and 1 more"):
        again.partial_fit(TEXTS, Y, SOURCE)
    again.save_pretrained(tmp_path)  # over the files that it was read from
    assert_same(EACH[kind].from_pretrained(tmp_path), again)


def test_a_model_with_fewer_heads_leaves_none_of_the_old_ones(tmp_path):
    written(of("heads"), tmp_path)
    model = written(of("one head"), tmp_path)
    assert len(list((tmp_path / "heads").iterdir())) == 1
    assert_same(TextAlternatingClassifier.from_pretrained(tmp_path), model)


# Refusals ---------------------------------------------------------------------


@EVERY_KIND
def test_what_is_no_folder_of_ours(kind, tmp_path):
    told = r"holds no sktandem\.json: it is not a folder that save_pretrained of Text"
    for folder in (tmp_path, tmp_path / "nowhere", str(tmp_path / "nowhere")):
        with pytest.raises(SourceError, match=told):
            EACH[kind].from_pretrained(folder)
    written(of(kind), tmp_path)
    with pytest.raises(SourceError, match="checkpoint= takes the folder of a transfor"):
        EACH[kind].from_pretrained(tmp_path / "encoder")


def test_a_folder_is_read_by_its_own_class(tmp_path):
    written(of("heads"), tmp_path)
    told = r"holds a TextMultiHeadClassifier\. Read it by TextMultiHeadClassifier\.from"
    with pytest.raises(SourceError, match=told):
        TextAlternatingClassifier.from_pretrained(tmp_path)


@EVERY_KIND
def test_a_folder_of_another_format_is_refused(kind, tmp_path):
    written(of(kind), tmp_path)
    file = tmp_path / "sktandem.json"
    record = json.loads(file.read_text(encoding="utf8"))
    file.write_text(json.dumps(record | {"format": 99}), encoding="utf8")
    with pytest.raises(SourceError, match="is of format 99, and this version reads 1"):
        EACH[kind].from_pretrained(tmp_path)


@EVERY_KIND
def test_names_that_no_file_can_hold_write_nothing(kind, tmp_path):
    source = [(name, 1) for name in SOURCE.tolist()]
    model = of(kind).fit(TEXTS, Y, source)
    told = r"The source \('de', 1\) is of type tuple, and a folder holds texts and numb"
    with pytest.raises(SourceError, match=told):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@EVERY_KIND
def test_an_unfitted_model_is_not_written(kind, tmp_path):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        of(kind).save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@EVERY_KIND
def test_a_parameter_to_change_must_be_one(kind, tmp_path):
    written(of(kind), tmp_path)
    with pytest.raises(SourceError, match=r"'devise' is not a parameter of .*'device'"):
        EACH[kind].from_pretrained(tmp_path, devise="cpu")
    with pytest.raises(SourceError, match="max_length=999 is more than the 128"):
        EACH[kind].from_pretrained(tmp_path, max_length=999)
