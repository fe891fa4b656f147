"""What a fit keeps, what it leaves, and where it ends."""

import gc
import json
import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, Checkpoint
from tokenizers import processors

from sktandem import SharedNet, SourceError, SourceWarning
from sktandem.data._estimator import fit_rows
from sktandem.data._rows import read_rows
from sktandem.members import OwnModels
from sktandem.members._fill import filled
from sktandem.model_selection import compare_strategies
from sktandem.nn import _recorder
from sktandem.schedules import Schedule, Step
from sktandem.text import FineTuning, SharedTextNet, small_encoder

pytestmark = pytest.mark.slow

WORDS = ["red", "white", "rot", "weiss"]
TEXTS = [f"{word} {n}" for n in range(10) for word in WORDS]
SOURCE = np.array(["en", "en", "de", "de"] * 10)
LABELS = np.array([1, 0, 1, 0] * 10)
FRAME = pd.DataFrame({"text": TEXTS, "language": SOURCE})
CHECKPOINT = small_encoder(TEXTS, hidden_size=16, random_state=0)


def estimator(heads="source", **settings):
    defaults = {"lr": 1e-2, "max_epochs": 2, "batch_size": 8, "random_state": 0}
    return SharedTextNet(CHECKPOINT, heads=heads, **defaults | settings)


def fitted(**settings):
    return estimator(**settings).fit(TEXTS, LABELS, sample_source=SOURCE)


class Seen(Callback):
    """Remembers the rows and the epochs that came by."""

    def on_train_begin(self, net, X=None, **kwargs):
        self.rows_, self.epochs_ = weakref.ref(X), 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs_ += 1


class Interrupted(Callback):
    """Ctrl-C in the middle of an epoch, once."""

    def initialize(self):
        self.n_batches_ = 0
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        self.n_batches_ += training
        if self.n_batches_ == 2:
            raise KeyboardInterrupt


# Memory --------------------------------------------------------------------------


def test_one_long_text_costs_no_more_than_itself():
    texts = ["short"] * 2000 + ["long " * 20_000]
    model = fitted(max_length=16)
    tracemalloc.start()

    model.predict(texts, sample_source=["en"] * len(texts))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * len(texts[-1])  # a matrix of texts would take four times that


@pytest.mark.parametrize("verbose", [0, 2])
@pytest.mark.parametrize("patience", [None, 5])
def test_the_training_rows_go_when_the_fit_is_over(verbose, patience, capsys):
    seen = Seen()
    tuning = FineTuning(callbacks=[seen], patience=patience)
    model = fitted(training=tuning, verbose=verbose)

    gc.collect()

    assert dict(model.net_.callbacks_)["Seen"].rows_() is None


def test_the_best_epoch_is_kept_without_what_is_frozen(monkeypatch):
    kept = []
    real = _recorder._what_changes
    monkeypatch.setattr(
        _recorder, "_what_changes", lambda part: kept.append(real(part)) or kept[-1]
    )
    fitted(validation_fraction=0.2)

    names = {name for state in kept for name in state}
    assert any("encoder.layer.0" in name for name in names)
    assert not any("embeddings" in name for name in names)


# Where it ends -------------------------------------------------------------------


def forever(callbacks=(), **settings):
    """Return an estimator whose loss does not fall, because nothing moves."""
    tuning = FineTuning(head_lr=1e-30, patience=3, callbacks=callbacks)
    still = {"lr": 1e-30, "max_epochs": 12, "training": tuning}
    return estimator(validation_fraction=0.2, **still | settings)


def test_patience_goes_by_the_history_and_so_survives_an_interruption(tmp_path):
    whole = forever().fit(TEXTS, LABELS, sample_source=SOURCE)
    assert len(whole.history_) == 4

    save = Checkpoint(monitor=None, dirname=tmp_path)
    killed = forever(callbacks=[("save", save)])
    killed.partial_fit(TEXTS, LABELS, sample_source=SOURCE, epochs=2)
    resumed = forever(keep="last").fit(
        TEXTS, LABELS, sample_source=SOURCE, resume_from=tmp_path
    )

    assert len(resumed.history_) == 4


def test_a_checkpoint_of_other_settings_or_texts_is_refused(tmp_path):
    tuning = FineTuning(callbacks=[Checkpoint(monitor=None, dirname=tmp_path)])
    estimator(training=tuning).partial_fit(
        TEXTS, LABELS, sample_source=SOURCE, epochs=1
    )
    others = [*TEXTS[:-1], "weiss 10"]

    for settings, texts, told in (
        ({"prefix": "query: "}, TEXTS, "on prefix=, and fit has query: "),
        ({"heads": "shared"}, TEXTS, "on heads=source, and fit has shared"),
        ({}, others, "on other values of X than fit has, in the same n"),
    ):
        with pytest.raises(SourceError, match=told):
            estimator(**settings).fit(
                texts, LABELS, sample_source=SOURCE, resume_from=tmp_path
            )


def test_every_callback_sees_the_last_epoch(capsys):
    model = forever(callbacks=[Seen()], verbose=1).fit(
        TEXTS, LABELS, sample_source=SOURCE
    )

    assert dict(model.net_.callbacks_)["Seen"].epochs_ == len(model.history_) == 4
    assert "valid_loss_macro has not fallen for 3 epochs" in capsys.readouterr().out


def test_patience_may_go_by_one_source():
    model = forever(primary_source="de").fit(TEXTS, LABELS, sample_source=SOURCE)

    assert len(model.history_) == 4


def test_an_interrupted_epoch_leaves_no_gradients():
    """Ctrl-C is raised, and what was gathered for a step is forgotten."""

    def model(*callbacks):
        tuning = FineTuning(gradient_accumulation_steps=3, callbacks=callbacks)
        return estimator(training=tuning, keep="last", dropout=0.0)

    whole = model().partial_fit(TEXTS, LABELS, sample_source=SOURCE, epochs=1)
    broken = model(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        broken.fit(TEXTS, LABELS, sample_source=SOURCE)
    assert not hasattr(broken, "net_")

    broken.partial_fit(TEXTS, LABELS, sample_source=SOURCE, epochs=0)
    with pytest.raises(KeyboardInterrupt):
        broken.partial_fit(TEXTS, LABELS, sample_source=SOURCE, epochs=1)
    assert len(broken.history_) == 0

    broken.partial_fit(TEXTS, LABELS, sample_source=SOURCE, epochs=1)

    for other, weight in zip(whole.module_.parameters(), broken.module_.parameters()):
        assert torch.equal(weight, other)


def test_averages_count_the_steps_of_the_optimizer():
    settings = {"average": "ema", "validation_fraction": None}
    model = fitted(training=FineTuning(gradient_accumulation_steps=2), **settings)

    n_batches = [len(row["batches"]) for row in model.history_]
    n_steps = sum(-(-n // 2) for n in n_batches)
    assert int(model.net_.criterion_.averaged_weights.count) == n_steps


class Endless(Schedule):
    """Never ends on losses that fall."""

    def plan(self, sizes, history, rng):
        yield Step((0, 1))
        while history[-1]["batches"][-1]["train_loss"] < 1 or len(history) > 9:
            yield Step((0, 1))


def test_a_plan_that_would_not_end_is_left_by_its_rehearsal():
    loud = {"lr": 1e-30, "loss_weights": {"de": 99, "en": 99}}
    loud |= {"training": FineTuning(head_lr=1e-30)}

    model = fitted(schedule=Endless(), validation_fraction=None, **loud)

    assert [len(row["batches"]) for row in model.history_] == [1, 1]


# What is frozen ------------------------------------------------------------------


def test_none_trains_all_whatever_the_model_was_before():
    model, tokenizer = CHECKPOINT
    model = type(model)(model.config).requires_grad_(False)

    trained = SharedTextNet(
        (model, tokenizer), freeze=None, max_epochs=1, heads="source"
    )
    trained.fit(TEXTS, LABELS, sample_source=SOURCE)

    idle = [n for n, w in trained.module_.named_parameters() if not w.requires_grad]
    assert all("pooler" in name for name in idle)
    assert not any(weight.requires_grad for weight in model.parameters())


# What no encoder can read --------------------------------------------------------


def test_a_text_without_a_token_is_refused():
    model, tokenizer = small_encoder(TEXTS, hidden_size=16, random_state=0)
    bare = processors.TemplateProcessing(single="$A")
    tokenizer.backend_tokenizer.post_processor = bare
    tokenizer = type(tokenizer)(
        tokenizer_object=tokenizer.backend_tokenizer,
        pad_token="[PAD]",
        clean_up_tokenization_spaces=False,
    )
    own = SharedTextNet((model, tokenizer), max_epochs=1, heads="source")

    with pytest.raises(SourceError, match=r"no token of the text at row 40, '\\u200b'"):
        own.fit([*TEXTS, "\u200b"], [*LABELS, 1], sample_source=[*SOURCE, "en"])


def test_a_prefix_leaves_room_for_the_text():
    with pytest.raises(SourceError, match="prefix='red red red red' has 6 tokens, and"):
        fitted(prefix="red red red red", max_length=5)


def test_a_folder_runs_no_code_of_its_own(tmp_path):
    fitted().save_pretrained(tmp_path)
    file = tmp_path / "encoder" / "config.json"
    config = json.loads(file.read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    file.write_text(json.dumps(config))
    (tmp_path / "encoder" / "own.py").write_text("raise SystemExit('it ran')")

    with pytest.raises(
        SourceError, match=r"cannot be loaded: [\s\S]*trust_remote_code"
    ):
        SharedTextNet.from_pretrained(tmp_path)


def test_a_folder_is_read_whole_or_not_at_all(tmp_path):
    read = SharedTextNet.from_pretrained
    fitted(max_epochs=1).save_pretrained(tmp_path)
    for name in ("checkpoint", "head", "pooling", "prefix", "freeze"):
        told = rf"\['{name}'\] cannot be changed: the weights in the folder"
        with pytest.raises(SourceError, match=told):
            read(tmp_path, **{name: None})
    (tmp_path / "heads" / "1.safetensors").unlink()
    with pytest.raises(SourceError, match=r"1.safetensors' cannot be read"):
        read(tmp_path)
    (tmp_path / "encoder" / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="holds no safetensors, and other files"):
        read(tmp_path)
    (tmp_path / "sktandem.json").write_text("{")
    with pytest.raises(SourceError, match=r"sktandem.json' cannot be read"):
        read(tmp_path)


# Columns -------------------------------------------------------------------------


def test_what_needs_no_source_asks_for_none():
    model = estimator(source="language").fit(FRAME, LABELS)
    expected = model.transform(FRAME[:3])
    heads = model.predict_heads(FRAME[:3])

    for X in (TEXTS[:3], FRAME[["text"]][:3], FRAME["text"][:3]):
        np.testing.assert_allclose(model.transform(X), expected, rtol=1e-5, atol=1e-6)
        for name, answers in model.predict_heads(X).items():
            np.testing.assert_array_equal(answers, heads[name])
        with pytest.raises(SourceError, match="each row's source is needed"):
            model.predict(X)


def test_columns_besides_texts_and_sources_make_no_difference():
    wide = FRAME.assign(number=1.0, note="none")
    model = estimator(source="language", text_column="text").fit(wide, LABELS)

    expected = model.predict_proba(wide)

    for X in (FRAME, FRAME[["language", "text"]], wide.assign(more=2)):
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_swapped_columns_are_told():
    swapped = estimator(source="text", text_column="language")
    with pytest.raises(SourceError, match="Are source and text_column swapped"):
        swapped.fit(FRAME, LABELS)


def test_one_head_for_labels_that_have_nothing_in_common_warns():
    own = [f"{label} of {name}" for label, name in zip(LABELS, SOURCE)]
    told = "No two sources have a class in common: .*'0 of de'.*heads='source'"
    with pytest.warns(SourceWarning, match=told):
        estimator("shared").fit(TEXTS, own, sample_source=SOURCE)
    X = np.arange(80.0).reshape(40, 2)
    with pytest.warns(SourceWarning, match=told):
        SharedNet(task="classification", random_state=0).fit(
            X, own, sample_source=SOURCE
        )


# Beside other strategies ---------------------------------------------------------


FEW = pytest.mark.filterwarnings("ignore:There are only 20 rows")
ONCE = {"cv": 2, "n_repeats": 1, "scaler": None, "random_state": 0, "progress": False}


def compared(strategies, X, model=None, **source):
    model = model or estimator("shared", freeze="encoder", max_epochs=1)
    settings = ONCE | source | {"strategies": strategies}
    made = compare_strategies(model, X, LABELS, **settings)
    return {contrast.strategy: contrast.loss for contrast in made.contrasts}


@FEW
def test_strategies_are_compared_on_texts():
    own = estimator(freeze="encoder", max_epochs=1, validation_fraction=None)
    ways = {"two heads": own, "merged": SharedNet(schedule="shuffled")}

    found = compared(ways, np.array(TEXTS, dtype=object), sample_source=SOURCE)

    assert list(found) == ["two heads", "merged"]


@FEW
def test_the_usual_strategies_suit_a_table_of_texts():
    model = estimator("shared", freeze="encoder", max_epochs=1, text_column="text")
    X = FRAME.assign(note="none")

    found = compared("default", X, model, source="language")

    assert list(found) == ["merged", "in turns by batches", "a head for each"]


PLACES = [
    ("language text note", 1),
    ("language note text", -1),
    ("note text language", 1),
    ("text language note", -3),
]


@FEW
@pytest.mark.parametrize("frame", [True, False], ids=["frame", "array"])
@pytest.mark.parametrize(("columns", "place"), PLACES)
def test_the_place_of_the_texts_is_that_in_the_users_table(columns, place, frame):
    X = FRAME.assign(note="none")[columns.split()]
    model = estimator("shared", freeze="encoder", max_epochs=1, text_column="text")
    merged = [SharedNet(schedule="shuffled")]
    expected = compared(merged, X, model, source="language")

    model = clone(model).set_params(text_column=place)
    X, source = (
        (X, "language") if frame else (X.to_numpy(), X.columns.get_loc("language"))
    )

    assert compared(merged, X, model, source=source) == expected


def test_the_place_of_the_texts_is_settled_inside_a_search():
    rows = read_rows(None, FRAME[["language", "text"]], LABELS, source="language")
    model = estimator("shared", freeze="encoder", max_epochs=1, text_column=1)

    search = fit_rows(GridSearchCV(model, {"lr": [1e-2]}, cv=2), rows)

    assert search.best_estimator_.text_column == 0


def test_the_column_of_the_sources_holds_no_texts():
    own = OwnModels(estimator(text_column=-1), source="language")
    with pytest.raises(SourceError, match="text_column=-1 is the column of X that hol"):
        own.fit(FRAME, LABELS)


def test_a_member_says_how_the_sources_share_a_net_of_texts():
    mine = estimator("shared", head=(4,), pooling="cls")

    made = filled(SharedNet(heads="source", schedule="epochs"), mine)

    assert isinstance(made, SharedTextNet)
    assert (made.heads, made.schedule) == ("source", "epochs")
    assert (made.head, made.pooling) == ((4,), "cls")
    told = "SharedTextNet has no scale_by, which SharedNet is to set"
    with pytest.raises(SourceError, match=told):
        filled(SharedNet(scale_by="source"), mine)
