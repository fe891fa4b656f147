"""Text on a GPU, where there is one."""

import numpy as np
import pytest
import torch
from small_texts import EITHER_HEADS

from sktandem.text import FineTuning, SharedTextNet, small_encoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

GOOD, BAD = "good gut fine schön great toll", "bad schlecht poor mies"
OTHER = "the food was und das essen ist very sehr so here today"


def reviews(n_texts=160):
    """Return texts of different lengths in which one word tells the label."""
    rng = np.random.default_rng(0)
    y = np.arange(n_texts) % 2
    texts = []
    for label in y:
        words = list(rng.choice(OTHER.split(), rng.integers(1, 20)))
        told = rng.choice((GOOD if label else BAD).split())
        words.insert(rng.integers(len(words) + 1), told)
        texts.append(" ".join(words))
    sample_source = np.repeat(["de", "en"], [n_texts // 4, n_texts - n_texts // 4])
    return {"X": texts, "y": y, "sample_source": sample_source}


def fitted(heads, device, checkpoint=None, **settings):
    checkpoint = checkpoint or small_encoder(reviews()["X"], random_state=0)
    settings = {"lr": 3e-3, "max_epochs": 20, "random_state": 0} | settings
    model = SharedTextNet(checkpoint, heads=heads, device=device, **settings)
    return model.fit(**reviews())


@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
@EITHER_HEADS
def test_a_gpu_learns_what_the_cpu_learns(heads, schedule, freeze):
    checkpoint = small_encoder(reviews()["X"], random_state=0)
    settings = {"schedule": schedule, "freeze": freeze, "average": "ema"}
    scores = {}
    for device in ("cpu", "cuda"):
        model = fitted(heads, device, checkpoint, **settings)
        scores[device] = model.score(**reviews())
        assert next(model.module_.parameters()).device.type == device

    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=0.08)
    assert freeze == "encoder" or scores["cuda"] > 0.9


@EITHER_HEADS
def test_without_rounding_a_gpu_ends_near_the_cpu(heads):
    checkpoint = small_encoder(reviews()["X"], random_state=0)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        setattr(checkpoint[0].config, name, 0.0)
    torch.manual_seed(0)
    checkpoint = type(checkpoint[0])(checkpoint[0].config), checkpoint[1]
    settings = {"dropout": 0.0, "max_epochs": 1, "validation_fraction": None}
    settings |= {"training": FineTuning(mixed_precision=None)}
    models = [
        fitted(heads, device, checkpoint, **settings) for device in ("cpu", "cuda")
    ]

    losses = [model.history_[0]["train_loss"] for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_auto_is_half_the_precision_on_a_gpu_that_has_it():
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU has no bfloat16")
    checkpoint = small_encoder(reviews()["X"], random_state=0)
    auto, half, full = (
        fitted("source", "cuda", checkpoint, training=FineTuning(mixed_precision=own))
        for own in ("auto", "bf16", None)
    )

    assert auto.module_.trunk.autocast == torch.bfloat16
    assert full.module_.trunk.autocast is None
    assert {w.dtype for w in auto.module_.parameters()} == {torch.float32}
    losses = [m.history_[0]["train_loss"] for m in (auto, half, full)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0] == pytest.approx(losses[2], rel=0.1)


def test_a_model_that_is_on_the_gpu_already_can_be_given():
    model, tokenizer = small_encoder(reviews()["X"], random_state=0)

    fit = fitted("source", "cuda", (model.cuda(), tokenizer))

    assert next(model.parameters()).device.type == "cuda"
    assert np.isfinite(fit.transform(reviews()["X"])).all()


def test_texts_alone_and_together_are_the_same_on_a_gpu():
    model = fitted("shared", "cuda", training=FineTuning(mixed_precision=None))
    texts = reviews()["X"][:20]

    together = model.predict_proba(texts)

    for row, text in enumerate(texts):
        np.testing.assert_allclose(
            model.predict_proba([text])[0], together[row], atol=1e-3
        )


def test_torchs_random_state_of_the_gpu_stays_as_it_was():
    torch.cuda.manual_seed(0)
    before = torch.cuda.get_rng_state()

    fitted("source", "cuda", max_epochs=1)

    assert torch.equal(torch.cuda.get_rng_state(), before)
