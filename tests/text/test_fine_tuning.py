"""The record of finer settings: a parameter like others, with parameters of its own."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import EarlyStopping
from small_texts import EITHER_HEADS, SOURCE, TEXTS, Y, of

from sktandem import SourceError
from sktandem.text import FineTuning, SharedTextNet

NINE = {
    "callbacks": [EarlyStopping()],
    "gradient_accumulation_steps": 2,
    "head_lr": 0.1,
    "history_detail": "epoch",
    "max_grad_norm": None,
    "mixed_precision": "bf16",
    "patience": 2,
    "warmup_ratio": 0.5,
    "weight_decay": 0.0,
}


def test_the_record_only_stores():
    tuning = FineTuning(**NINE)

    assert tuning.get_params() == NINE == vars(tuning)
    assert repr(FineTuning(patience=2)) == "FineTuning(patience=2)"
    assert "FineTuning" in tuning._repr_html_()
    assert vars(pickle.loads(pickle.dumps(tuning))).keys() == NINE.keys()


def test_a_clone_of_a_net_has_a_record_of_its_own():
    model = of("shared", training=FineTuning(patience=2))

    twin = clone(model).set_params(training__patience=3)

    assert (model.training.patience, twin.training.patience) == (2, 3)
    assert "training=FineTuning(patience=3)" in repr(twin)
    assert twin.get_params()["training__patience"] == 3


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"patience": 2}, r"\{'patience': 2\}"),
        (FineTuning, "<class"),
        ("auto", "'auto'"),
    ],
    ids=["dict", "class", "str"],
)
def test_what_is_no_record_is_refused(given, shown):
    told = rf"training must be a FineTuning or None, got {shown}.*FineTuning\(patience="
    with pytest.raises(SourceError, match=told):
        of("shared", training=given).fit(TEXTS, Y, sample_source=SOURCE)


def test_without_a_record_there_is_nothing_to_set_a_setting_on():
    told = r"'training__patience' cannot be set, because training is None.*FineTuning\("
    with pytest.raises(SourceError, match=told):
        SharedTextNet().set_params(training__patience=2)

    model = SharedTextNet().set_params(training=FineTuning(), training__patience=2)
    assert model.training.patience == 2
    with pytest.raises(ValueError, match="Invalid parameter 'patiance'"):
        model.set_params(training__patiance=2)


INTEGER = "must be an integer of at least"
REFUSED = [
    ({"mixed_precision": "fp16"}, r"mixed_precision must .* Did you mean 'bf16'\?"),
    ({"mixed_precision": True}, r"mixed_precision must be one of .* got True\."),
    ({"head_lr": -1e-3}, "head_lr must be a number above 0, got -0.001"),
    ({"head_lr": "auto"}, "head_lr must be a number above 0, got 'auto'"),
    ({"max_grad_norm": 0}, "max_grad_norm must be a number above 0, got 0"),
    ({"warmup_ratio": 1.1}, "warmup_ratio must be a number from 0 to 1, got 1.1"),
    ({"warmup_ratio": -0.1}, "warmup_ratio must be a number from 0 to 1, got -0.1"),
    ({"warmup_ratio": None}, "warmup_ratio must be a number from 0 to 1, got None"),
    ({"weight_decay": -1}, "weight_decay must be a number 0 or above, got -1"),
    ({"patience": 1.5}, f"patience {INTEGER} 1, got 1.5"),
    ({"gradient_accumulation_steps": 0}, f"gradient_accumulation_steps {INTEGER} 1"),
    ({"gradient_accumulation_steps": 2.0}, "accumulation_steps must be .* got 2.0"),
    ({"callbacks": EarlyStopping()}, "callbacks must be a list of skorch callbacks"),
    ({"history_detail": "batches"}, r"history_detail .* Did you mean 'batch'\?"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        FineTuning(**settings).check()


def test_settings_that_make_sense_are_not_refused():
    FineTuning().check()
    FineTuning(**NINE).check()


@EITHER_HEADS
def test_none_is_the_record_with_its_defaults(heads):
    plain, tuned = (
        of(heads, training=training).fit(TEXTS, Y, sample_source=SOURCE)
        for training in (None, FineTuning())
    )

    np.testing.assert_array_equal(
        plain.predict_proba(TEXTS, sample_source=SOURCE),
        tuned.predict_proba(TEXTS, sample_source=SOURCE),
    )
    assert plain.training is None


@pytest.mark.slow
def test_a_search_goes_over_settings_of_the_record():
    model = of("shared", training=FineTuning(), freeze="encoder", max_epochs=1)
    grid = {"training__warmup_ratio": [0.0, 0.5]}

    folds = KFold(2, shuffle=True, random_state=0)  # each with both sources
    search = GridSearchCV(model, grid, cv=folds).fit(TEXTS, Y, sample_source=SOURCE)

    ratio = search.best_params_["training__warmup_ratio"]
    assert search.best_estimator_.training.warmup_ratio == ratio
    assert model.training.warmup_ratio == 0.1
