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
from skorch.callbacks import EarlyStopping
from small_texts import CHECKPOINT, EITHER_HEADS, SOURCE, TEXTS, Y, of
from torch import nn

from sktandem import SourceError, SourceWarning
from sktandem.inspection import HistoryDisplay
from sktandem.schedules import EpochAlternation
from sktandem.text import FineTuning, SharedTextNet

pytestmark = pytest.mark.slow

YES = Y == "yes"
FRAME = pd.DataFrame({"text": TEXTS, "language": SOURCE})
PLAIN_FILES = {".json", ".safetensors", ".txt"}


def written(model, folder, X=TEXTS, y=Y, source=SOURCE):
    model.fit(X, y, sample_source=source).save_pretrained(folder)
    return model


def assert_same(found, expected, X=TEXTS, source=SOURCE):
    """Two models say the same of everything, to the last bit."""
    for method in ("predict_proba", "predict", "transform"):
        ours, theirs = (
            getattr(m, method)(X, sample_source=source) for m in (found, expected)
        )
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
    {"balance": "both", "training": FineTuning(patience=1, callbacks=[])},
    {"batch_size": {"en": 4, "de": 2}, "validation_fraction": {"en": 0.2}},
    {"training": FineTuning(mixed_precision="bf16")},
    {"training": FineTuning(history_detail="epoch"), "validation_fraction": None},
]


@EITHER_HEADS
@pytest.mark.parametrize(
    "params", SETTINGS, ids=lambda params: ", ".join(map(str, params)) or "plain"
)
def test_a_model_comes_back_as_it_was_written(heads, params, tmp_path):
    model = written(of(heads, **params), tmp_path)

    again = SharedTextNet.from_pretrained(tmp_path)

    assert_same(again, model)
    given, kept = model.get_params(), again.get_params()
    for name in set(given) - {"checkpoint", "head", "training"}:
        assert kept[name] == given[name], name
    if "unknown_source" in params:
        np.testing.assert_array_equal(
            again.predict(TEXTS, sample_source=["fr"] * 16),
            model.predict(TEXTS, sample_source=["fr"] * 16),
        )
    if heads == "source":
        heads = again.predict_heads(TEXTS)
        for name, answer in model.predict_heads(TEXTS).items():
            np.testing.assert_array_equal(heads[name], answer)


@pytest.mark.parametrize("weights", ["uncertainty", "dwa", "size", {"en": 1, "de": 2}])
def test_weights_of_losses_come_back(weights, tmp_path):
    model = written(of("source", loss_weights=weights), tmp_path)
    again = SharedTextNet.from_pretrained(tmp_path)
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


@EITHER_HEADS
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.filterwarnings("ignore:No two sources have a class in common")
def test_labels_come_back_as_what_they_were(heads, labels, tmp_path):
    model = written(of(heads), tmp_path, y=LABELS[labels])
    assert_same(SharedTextNet.from_pretrained(tmp_path), model)


@EITHER_HEADS
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
def test_names_of_sources_come_back_as_what_they_were(heads, source, tmp_path):
    first, second = np.unique(source).tolist()
    model = of(heads, batch_size={first: 4, second: 2}, primary_source=first)
    written(model, tmp_path, source=source)
    again = SharedTextNet.from_pretrained(tmp_path)
    assert_same(again, model, source=source)
    assert again.batch_size == {first: 4, second: 2}
    assert again.fit(TEXTS, Y, sample_source=source).sources_ == (first, second)


@EITHER_HEADS
def test_columns_come_back(heads, tmp_path):
    model = of(heads, source="language", text_column="text").fit(FRAME, Y)
    model.save_pretrained(tmp_path)
    again = SharedTextNet.from_pretrained(tmp_path)
    assert_same(again, model, FRAME, None)
    assert again.n_features_in_ == 2
    assert again.feature_names_in_.tolist() == ["text", "language"]
    assert_same(again, model, FRAME[["language", "text"]], None)

    model = of(heads, source=1).fit(FRAME.to_numpy(), Y)
    model.save_pretrained(tmp_path / "array")
    again = SharedTextNet.from_pretrained(tmp_path / "array")
    assert_same(again, model, FRAME.to_numpy(), None)


@EITHER_HEADS
def test_numbers_of_numpy_are_numbers(heads, tmp_path):
    """A search over np.arange or np.logspace leaves such numbers behind."""
    params = {"max_length": np.int64(5), "freeze": np.int64(1), "lr": np.float32(0.5)}
    with pytest.warns(UserWarning, match="max_length=5"):
        model = written(of(heads, **params), tmp_path)
    again = SharedTextNet.from_pretrained(tmp_path)
    assert again.max_length == 5
    assert again.freeze == 1
    assert again.lr == 0.5
    assert_same(again, model)


@EITHER_HEADS
def test_what_json_cannot_hold_falls_back_to_its_default(heads, tmp_path):
    given = {"schedule": EpochAlternation(), "random_state": np.random.RandomState(0)}
    model = written(of(heads, **given), tmp_path)

    with pytest.warns(SourceWarning, match=r"\['random_state', 'schedule'\], which"):
        again = SharedTextNet.from_pretrained(tmp_path)

    assert_same(again, model)
    defaults = SharedTextNet().get_params(deep=False)
    assert again.schedule == defaults["schedule"]
    assert again.random_state is None
    record = json.loads((tmp_path / "sktandem.json").read_text())
    assert record["left_out"] == ["random_state", "schedule"]
    other = SharedTextNet.from_pretrained(
        tmp_path, schedule="epochs", verbose=1, random_state=0
    )
    assert (other.schedule, other.verbose) == ("epochs", 1)


@EITHER_HEADS
def test_callbacks_are_left_out_of_what_is_kept_of_the_training(heads, tmp_path):
    tuning = FineTuning(head_lr=0.1, callbacks=[("stop", EarlyStopping())])
    written(of(heads, training=tuning), tmp_path)

    told = r"does not hold \['training__callbacks'\], which"
    with pytest.warns(SourceWarning, match=told):
        again = SharedTextNet.from_pretrained(tmp_path)
    assert (again.training.head_lr, again.training.callbacks) == (0.1, None)

    other = SharedTextNet.from_pretrained(tmp_path, training__callbacks=[])
    assert (other.training.head_lr, other.training.callbacks) == (0.1, [])
    assert SharedTextNet.from_pretrained(tmp_path, training=None).training is None
    with pytest.raises(SourceError, match="'training__callback' is not a parameter"):
        SharedTextNet.from_pretrained(tmp_path, training__callback=[])


def test_a_training_at_its_defaults_is_changed_as_a_whole(tmp_path):
    written(of("shared"), tmp_path)

    with pytest.raises(SourceError, match=r"such as training=FineTuning\(\)"):
        SharedTextNet.from_pretrained(tmp_path, training__patience=2)
    again = SharedTextNet.from_pretrained(tmp_path, training=FineTuning(patience=2))
    assert again.training.patience == 2


class OwnTuning(FineTuning):
    """A record of the user's."""


def test_a_record_of_another_class_is_left_out(tmp_path):
    written(of("shared", training=OwnTuning(patience=1)), tmp_path)

    with pytest.warns(SourceWarning, match=r"does not hold \['training'\], which"):
        assert SharedTextNet.from_pretrained(tmp_path).training is None


def own_head(width, n_outputs, hidden):
    return nn.Sequential(nn.Linear(width, hidden), nn.Linear(hidden, n_outputs))


@EITHER_HEADS
def test_a_head_made_by_a_function_asks_for_the_function(heads, tmp_path):
    head = partial(own_head, hidden=5)
    model = written(of(heads, head=head), tmp_path)
    told = r"which cannot be saved: SharedTextNet.from_pretrained\(folder, h"
    with pytest.raises(SourceError, match=told):
        SharedTextNet.from_pretrained(tmp_path)
    assert_same(SharedTextNet.from_pretrained(tmp_path, head=head), model)


# The folder -------------------------------------------------------------------


@EITHER_HEADS
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_nothing_in_a_folder_is_a_pickle(heads, freeze, tmp_path):
    written(of(heads, freeze=freeze), tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= PLAIN_FILES
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf8"))
        if path.suffix == ".safetensors":
            assert load_file(path)
    n_heads = 2 if heads == "source" else 1
    assert len(list((tmp_path / "heads").iterdir())) == n_heads


@EITHER_HEADS
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_the_encoder_is_a_folder_of_the_library(heads, freeze, tmp_path):
    model = written(of(heads, freeze=freeze), tmp_path)

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


@EITHER_HEADS
def test_the_history_comes_back_and_is_drawn(heads, tmp_path):
    model = written(of(heads), tmp_path)
    again = SharedTextNet.from_pretrained(tmp_path)
    for column in ("train_loss", "valid_loss[de]", "lr", "rows_seen[en]", "source"):
        assert again.history_[:, column] == model.history_[:, column]
    display = HistoryDisplay.from_estimator(again)
    plt.close(display.figure_)
    assert "train_loss[de]" in display.to_frame()


@EITHER_HEADS
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_a_folder_may_move(heads, freeze, tmp_path):
    model = written(of(heads, freeze=freeze), tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = SharedTextNet.from_pretrained(str(tmp_path / "there"))
    shutil.rmtree(tmp_path / "there")
    assert_same(again, model)
    assert_same(pickle.loads(pickle.dumps(again)), model)


@EITHER_HEADS
def test_the_first_checkpoint_is_not_needed_any_more(heads, tmp_path):
    with_folder = of(heads)
    written(with_folder, tmp_path / "first")
    again = of(heads).set_params(checkpoint=tmp_path / "first" / "encoder")
    written(again, tmp_path / "second")
    shutil.rmtree(tmp_path / "first")
    assert_same(SharedTextNet.from_pretrained(tmp_path / "second"), again)
    assert_same(again, SharedTextNet.from_pretrained(tmp_path / "second"))


@EITHER_HEADS
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_training_goes_on_after_a_folder_was_read(heads, freeze, tmp_path):
    settings = {"freeze": freeze, "max_epochs": 4, "average": None}
    model = of(heads, **settings).partial_fit(TEXTS, Y, sample_source=SOURCE, epochs=2)
    model.save_pretrained(tmp_path)

    again = SharedTextNet.from_pretrained(tmp_path)
    before = again.predict_proba(TEXTS, sample_source=SOURCE)
    again.partial_fit(TEXTS, Y, sample_source=SOURCE)

    assert len(again.history_) == 4
    assert not np.array_equal(again.predict_proba(TEXTS, sample_source=SOURCE), before)
    with pytest.raises(
        SourceError, match="max_epochs=4: 4 epochs are done, and 1 more"
    ):
        again.partial_fit(TEXTS, Y, sample_source=SOURCE)
    again.save_pretrained(tmp_path)  # over the files that it was read from
    assert_same(SharedTextNet.from_pretrained(tmp_path), again)


def test_a_model_with_fewer_heads_leaves_none_of_the_old_ones(tmp_path):
    written(of("source"), tmp_path)
    model = written(of("shared"), tmp_path)
    assert len(list((tmp_path / "heads").iterdir())) == 1
    assert_same(SharedTextNet.from_pretrained(tmp_path), model)


# Refusals ---------------------------------------------------------------------


@EITHER_HEADS
def test_what_is_no_folder_of_ours(heads, tmp_path):
    told = r"holds no sktandem\.json: it is not a folder that save_pretrained of Shared"
    for folder in (tmp_path, tmp_path / "nowhere", str(tmp_path / "nowhere")):
        with pytest.raises(SourceError, match=told):
            SharedTextNet.from_pretrained(folder)
    written(of(heads), tmp_path)
    with pytest.raises(SourceError, match="checkpoint= takes the folder of a transfor"):
        SharedTextNet.from_pretrained(tmp_path / "encoder")


class Own(SharedTextNet):
    """An estimator of the user's."""


def test_a_folder_is_read_by_its_own_class(tmp_path):
    model = written(Own(CHECKPOINT, max_epochs=1), tmp_path)
    assert_same(Own.from_pretrained(tmp_path), model)
    told = r"holds a Own\. Read it by Own\.from_pretrained"
    with pytest.raises(SourceError, match=told):
        SharedTextNet.from_pretrained(tmp_path)


@EITHER_HEADS
def test_a_folder_of_another_format_is_refused(heads, tmp_path):
    written(of(heads), tmp_path)
    file = tmp_path / "sktandem.json"
    record = json.loads(file.read_text(encoding="utf8"))
    file.write_text(json.dumps(record | {"format": 99}), encoding="utf8")
    with pytest.raises(SourceError, match="is of format 99, and this version reads 2"):
        SharedTextNet.from_pretrained(tmp_path)


@EITHER_HEADS
def test_names_that_no_file_can_hold_write_nothing(heads, tmp_path):
    source = [(name, 1) for name in SOURCE.tolist()]
    model = of(heads).fit(TEXTS, Y, sample_source=source)
    told = r"The source \('de', 1\) is of type tuple, and only strings and numbers"
    with pytest.raises(SourceError, match=told):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@EITHER_HEADS
def test_an_unfitted_model_is_not_written(heads, tmp_path):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        of(heads).save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@EITHER_HEADS
def test_a_parameter_to_change_must_be_one(heads, tmp_path):
    written(of(heads), tmp_path)
    with pytest.raises(SourceError, match=r"'devise' is not a parameter of .*'device'"):
        SharedTextNet.from_pretrained(tmp_path, devise="cpu")
    with pytest.raises(SourceError, match="max_length=999 is more than the 128"):
        SharedTextNet.from_pretrained(tmp_path, max_length=999)


def test_a_file_of_skops_is_refused():
    """What skops asks an object for, before it writes anything."""
    with pytest.raises(SourceError, match=r"skops cannot save a SharedTextNet.*save_"):
        of("shared").__getstate__()
