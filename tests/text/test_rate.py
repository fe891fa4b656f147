"""The rate over a fit, and fits that go on: nothing depends on how they were cut."""

import pickle

import numpy as np
import pytest
import torch
import transformers
from skorch.callbacks import Callback, Checkpoint
from small_texts import EITHER_HEADS, corpora, tiny, weights_of

from sktandem import SourceError
from sktandem.schedules import PlateauAlternation
from sktandem.text import FineTuning, SharedTextNet, small_encoder
from sktandem.text._rate import WarmupDecay

pytestmark = pytest.mark.slow


def estimator(heads="source", given=None, **settings):
    defaults = {"lr": 1e-3, "batch_size": 4, "max_epochs": 3, "random_state": 0}
    defaults |= {"validation_fraction": 0.25, "keep": "last"}
    model = SharedTextNet(given or tiny(), heads=heads, training=FineTuning())
    return model.set_params(**defaults | settings)


class Rates(Callback):
    """Takes down the rates of every step."""

    def initialize(self):
        self.rates_ = []
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            groups = net.optimizer_.param_groups
            self.rates_.append([group["lr"] for group in groups])


def rates_of(model):
    return np.array(dict(model.net_.callbacks_)["Rates"].rates_)


def by_transformers(n_warm, n_steps):
    """Return the factors of the library's own schedule of rates."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rate = transformers.get_linear_schedule_with_warmup(optimizer, n_warm, n_steps)
    factors = []
    for _ in range(n_steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rate.step()
    return factors


@pytest.mark.parametrize(("n_warm", "n_steps"), [(0, 7), (10, 100), (25, 50), (4, 4)])
def test_the_factor_is_that_of_transformers(n_warm, n_steps):
    rate = WarmupDecay(n_warm / n_steps)

    factors = [rate.factor(step / n_steps) for step in range(n_steps)]

    np.testing.assert_allclose(factors, by_transformers(n_warm, n_steps), atol=1e-12)


@pytest.mark.parametrize("schedule", ["joint", "batches", "epochs", "shuffled"])
def test_the_rates_of_a_fit_are_those_of_transformers(schedule):
    tuning = FineTuning(warmup_ratio=0.25, head_lr=0.1, callbacks=[Rates()])
    settings = {"schedule": schedule, "validation_fraction": None, "max_epochs": 4}
    model = estimator(training=tuning, **settings).fit(**corpora())

    rates = rates_of(model)
    if schedule == "epochs":
        epochs = np.repeat([0, 1, 2, 3], [4, 6, 4, 6])  # one source's pass each
        places = np.concatenate([np.arange(n) / n for n in (4, 6, 4, 6)])
        rate = WarmupDecay(0.25)
        factors = [rate.factor(progress) for progress in (epochs + places) / 4]
    else:
        factors = by_transformers(len(rates) // 4, len(rates))
    np.testing.assert_allclose(rates[:, 0], 1e-3 * np.array(factors), atol=1e-12)
    np.testing.assert_allclose(rates[:, -1], 0.1 * np.array(factors), atol=1e-12)


def test_the_history_tells_the_encoders_last_rate():
    model = estimator(training__callbacks=[Rates()]).fit(**corpora())

    steps = [len(row["batches"]) for row in model.history_]
    n_training = [
        sum("train_loss" in batch for batch in row["batches"]) for row in model.history_
    ]
    assert len(steps) == 3
    last = np.cumsum(n_training) - 1
    recorded = [row["lr"] for row in model.history_]
    np.testing.assert_allclose(recorded, rates_of(model)[last, 0])


def test_a_turn_that_may_end_early_does_not_use_up_the_rate_beforehand():
    schedule = PlateauAlternation(3, check_every="batch", reset_on_switch=True)
    settings = {"schedule": schedule, "max_epochs": 2, "lr": 1e-2, "batch_size": 2}
    model = estimator(training__callbacks=[Rates()], **settings).fit(**corpora(3))

    rates, first = rates_of(model)[:, 0], len(model.history_[0]["batches"])
    assert (np.diff(rates[max(1, first // 3) : first]) != 0).all()


# Going on ------------------------------------------------------------------------


def assert_same(model, other):
    theirs = weights_of(other)
    for name, weight in weights_of(model).items():
        assert torch.equal(weight, theirs[name]), name


SETTINGS = [
    {},
    {"schedule": "epochs"},
    {"schedule": "sampled", "freeze": 1},
    {"schedule": "bandit", "average": "ema"},
    {"freeze": "encoder"},
    {"schedule": "shuffled", "balance": "classes"},
    {"training__gradient_accumulation_steps": 3},
]


@EITHER_HEADS
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_three_epochs_one_by_one_are_a_fit_of_three(heads, settings):
    whole = estimator(heads, **settings).fit(**corpora())

    parts = estimator(heads, **settings)
    for _ in range(3):
        parts.partial_fit(**corpora(), epochs=1)

    assert_same(whole, parts)
    assert [row["lr"] for row in whole.history_] == [r["lr"] for r in parts.history_]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_pickle_between_epochs_changes_nothing(settings):
    whole = estimator(**settings).fit(**corpora())

    parts = estimator(**settings)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(**corpora(), epochs=1)))

    assert_same(whole, parts)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_checkpoint_is_gone_on_from(tmp_path, settings):
    whole = estimator(**settings).fit(**corpora())

    saves = Checkpoint(monitor=None, dirname=tmp_path)
    broken = estimator(training__callbacks=[saves], **settings)
    broken.partial_fit(**corpora(), epochs=1)
    resumed = estimator(**settings).fit(**corpora(), resume_from=tmp_path)

    assert_same(whole, resumed)


def test_epochs_beyond_the_last_are_refused():
    model = estimator().partial_fit(**corpora())

    assert len(model.history_) == 3
    with pytest.raises(SourceError, match=r"max_epochs=3.*Set max_epochs=4 before"):
        model.partial_fit(**corpora(), epochs=1)


def test_more_epochs_can_be_asked_for_later():
    model = estimator().fit(**corpora()).set_params(max_epochs=5)
    before = {name: weight.clone() for name, weight in weights_of(model).items()}

    model.partial_fit(**corpora())

    assert [row["lr"] > 0 for row in model.history_] == [True] * 5
    head = "heads.0.weight"
    assert not torch.equal(before[head], weights_of(model)[head])


def test_no_epochs_at_all_change_nothing():
    model = estimator().partial_fit(**corpora(), epochs=1)
    before = {name: weight.clone() for name, weight in weights_of(model).items()}

    model.partial_fit(**corpora(), epochs=0)

    assert all(torch.equal(before[name], w) for name, w in weights_of(model).items())


# Randomness ----------------------------------------------------------------------


@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
@EITHER_HEADS
def test_the_same_seed_gives_the_same_weights(heads, freeze):
    settings = {"freeze": freeze, "dropout": 0.3}
    first = estimator(heads, **settings).fit(**corpora())
    torch.manual_seed(12345)

    again = estimator(heads, **settings).fit(**corpora())
    other = estimator(heads, **settings | {"random_state": 1}).fit(**corpora())

    assert_same(first, again)
    names = weights_of(first)
    assert any(not torch.equal(names[n], w) for n, w in weights_of(other).items())


@pytest.fixture(scope="module")
def without_pooler(tmp_path_factory):
    """Return the folder of a model that has no pooler, as language models have none."""
    model, tokenizer = tiny()
    folder = tmp_path_factory.mktemp("encoder")
    bare = transformers.BertModel(model.config, add_pooling_layer=False)
    bare.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
@pytest.mark.parametrize("stored", [False, True])
def test_torchs_random_state_stays_as_it_was(freeze, stored, without_pooler):
    model = estimator(given=without_pooler if stored else None, freeze=freeze)
    torch.manual_seed(3)
    before = torch.get_rng_state()

    texts, _, sample_source = corpora().values()
    model.fit(**corpora()).predict(texts, sample_source=sample_source)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.filterwarnings("ignore:checkpoint .* has no weights")
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_weights_that_a_checkpoint_lacks_come_from_the_seed(freeze, without_pooler):
    vectors = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = estimator(given=without_pooler, pooling="pooler", freeze=freeze)
        vectors.append(model.fit(**corpora()).transform(corpora()["X"]))

    assert np.array_equal(*vectors)


def test_a_small_encoder_is_the_same_for_the_same_seed():
    texts = corpora()["X"]
    made = [small_encoder(texts, hidden_size=16, random_state=0) for _ in range(5)]

    (first, tokenizer), *others = made
    for model, other in others:
        assert other.get_vocab() == tokenizer.get_vocab()
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, first.state_dict()[name])


# What transformers says ----------------------------------------------------------


@pytest.fixture
def settings_of_transformers():
    logging = transformers.utils.logging
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    yield logging
    logging.set_verbosity(level)
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("level", [10, 30, 40])
def test_the_settings_of_transformers_stay(
    settings_of_transformers, without_pooler, tmp_path, level, shown
):
    logging = settings_of_transformers
    logging.set_verbosity(level)
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()

    estimator(given=without_pooler, max_epochs=1).fit(**corpora())
    assert logging.get_verbosity() == level
    assert logging.is_progress_bar_enabled() == shown

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SourceError, match="cannot be loaded"):
        estimator(given=tmp_path).fit(**corpora())
    assert logging.get_verbosity() == level
    assert logging.is_progress_bar_enabled() == shown


def test_progress_bars_of_the_hub_that_are_off_stay_off(
    settings_of_transformers, without_pooler
):
    hub = pytest.importorskip("huggingface_hub.utils")
    settings_of_transformers.enable_progress_bar()
    hub.disable_progress_bars()
    try:
        estimator(given=without_pooler, max_epochs=1).fit(**corpora())
        assert hub.are_progress_bars_disabled()
    finally:
        hub.enable_progress_bars()
