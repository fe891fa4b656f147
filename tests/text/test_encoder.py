"""The encoder as a trunk: padding, parts of a batch, what is frozen, precision."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from small_texts import EITHER_HEADS, corpora, distilbert, roberta, tiny, weights_of

from sktandem import SourceError
from sktandem.nn._ragged import Ragged
from sktandem.text import FineTuning, SharedTextNet
from sktandem.text._encoder import (
    WORTH_SPLITTING,
    Encoder,
    EncoderOf,
    short_and_long,
)

KINDS = {
    "bert": lambda pad_token_id: tiny()[0],
    "distilbert": lambda pad_token_id: distilbert(30),
    "roberta": lambda pad_token_id: roberta(30, pad_token_id, 40),
}


def rows_of_tokens(lengths, vocab_size=30, seed=0):
    rng = np.random.default_rng(seed)
    return Ragged.of([rng.integers(5, vocab_size, n).tolist() for n in lengths])


def padded(tokens, width):
    return torch.nn.functional.pad(tokens, (0, width - tokens.shape[1]), value=-1)


# One vector for each text --------------------------------------------------------

LENGTHS = [3, 30, 7, 1, 12, 4, 30, 2]


@pytest.mark.slow
@pytest.mark.parametrize("pad_token_id", [0, 1])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_alone_is_the_same_as_among_others(kind, pooling, pad_token_id):
    torch.manual_seed(0)
    encoder = Encoder(KINDS[kind](pad_token_id), pooling, pad_token_id).eval()
    tokens = rows_of_tokens(LENGTHS)

    with torch.no_grad():
        together = encoder(tokens.index_select(0, torch.arange(len(tokens))))
        for row, vector in enumerate(together):
            alone = encoder(tokens.index_select(0, torch.tensor([row])))
            torch.testing.assert_close(alone[0], vector, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_width_of_the_padding_does_not_matter(kind):
    torch.manual_seed(0)
    encoder = Encoder(KINDS[kind](1), "mean", 1).eval()
    tokens = rows_of_tokens([9, 12, 11, 10]).index_select(0, torch.arange(4))

    with torch.no_grad():
        narrow = encoder(tokens)
        for width in (13, 20, 38):
            wide = encoder(padded(tokens, width))
            torch.testing.assert_close(wide, narrow, rtol=0, atol=1e-5)


@pytest.mark.slow
@EITHER_HEADS
@pytest.mark.parametrize("freeze", ["embeddings", "encoder"])
def test_predictions_do_not_depend_on_what_is_predicted_together(heads, freeze):
    model = fitted(heads, freeze=freeze, max_epochs=1)
    texts, _, sample_source = corpora().values()

    vectors = model.transform(texts)
    together = model.predict_proba(texts, sample_source=sample_source)
    for row in range(0, len(texts), 5):
        own = [texts[row]]
        np.testing.assert_allclose(model.transform(own)[0], vectors[row], atol=1e-5)
        alone = model.predict_proba(own, sample_source=sample_source[[row]])[0]
        np.testing.assert_allclose(alone, together[row], atol=1e-5)


# Short and long ------------------------------------------------------------------


@given(st.lists(st.integers(1, 128), min_size=1, max_size=40))
@example([1, 27, 48, 59, 65, 69, 90])  # which saves a fifth and no more
def test_a_batch_is_cut_only_where_it_saves_a_fifth(lengths):
    lengths = torch.tensor(lengths)
    n, longest = len(lengths), int(lengths.max())

    parts = list(short_and_long(lengths))

    assert sorted(torch.cat([rows for rows, _ in parts]).tolist()) == list(range(n))
    assert all(int(lengths[rows].max()) == width for rows, width in parts)
    ordered = lengths.sort().values.tolist()
    costs = [k * ordered[k - 1] + (n - k) * longest for k in range(1, n)]
    best, whole = min(costs, default=n * longest), n * longest
    if best < WORTH_SPLITTING * whole:
        assert len(parts) == 2
        assert sum(len(rows) * width for rows, width in parts) == best
    else:
        assert len(parts) == 1


def test_a_batch_of_one_length_stays_whole():
    ((rows, longest),) = short_and_long(torch.full((8,), 5))

    assert rows.tolist() == list(range(8))
    assert longest == 5


def test_a_batch_of_short_and_long_texts_goes_through_in_two_parts():
    model, tokenizer = copy.deepcopy(tiny())
    shapes = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    tokens = rows_of_tokens([20, 3, 20, 2, 3], len(tokenizer))

    Encoder(model, "mean", 0)(tokens.index_select(0, torch.arange(5)))

    assert shapes == [(3, 3), (2, 20)]


def test_gradients_are_those_of_the_batch_in_one_part(monkeypatch):
    model, tokenizer = tiny()
    encoder = Encoder(model, "mean", 0).eval()
    tokens = rows_of_tokens([20, 3, 20, 2, 3], len(tokenizer))
    tokens = tokens.index_select(0, torch.arange(5))
    towards = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))

    def gradients():
        encoder.zero_grad()
        (encoder(tokens) * towards).sum().backward()
        weights = encoder.named_parameters()
        return {name: w.grad.clone() for name, w in weights if w.grad is not None}

    in_two = gradients()
    monkeypatch.setattr("sktandem.text._encoder.WORTH_SPLITTING", 0.0)
    for name, gradient in gradients().items():
        torch.testing.assert_close(in_two[name], gradient, rtol=1e-5, atol=1e-5)


# What is frozen ------------------------------------------------------------------


def fitted(heads="source", checkpoint=None, **settings):
    settings = {"lr": 1e-3, "batch_size": 8, "max_epochs": 2} | settings
    settings = {"validation_fraction": None, "random_state": 0} | settings
    model = SharedTextNet(checkpoint or tiny(), heads=heads, **settings)
    return model.fit(**corpora())


# The gradient of a key's bias is 0 but for rounding, so that it may move or not.
ROUNDING = "attention.self.key.bias"


def still_and_moved(model, checkpoint):
    """Return the names of weights that are as they were, and of those that are not."""
    start, still, moved = checkpoint[0].state_dict(), set(), set()
    for name, weight in model.module_.trunk.model.state_dict().items():
        (still if torch.equal(weight, start[name]) else moved).add(name)
    return still, moved


def without_gradient(model):
    weights = model.module_.trunk.model.named_parameters()
    return {name for name, weight in weights if weight.grad is None}


FROZEN = {
    None: ("pooler.",),
    "embeddings": ("pooler.", "embeddings."),
    1: ("pooler.", "embeddings.", "encoder.layer.0."),
    2: ("pooler.", "embeddings.", "encoder.layer."),
}


@pytest.mark.slow
@pytest.mark.parametrize("average", [None, "ema"])
@pytest.mark.parametrize("freeze", FROZEN)
def test_what_is_frozen_keeps_every_bit_and_has_no_gradient(freeze, average):
    checkpoint = tiny()
    model = fitted(checkpoint=checkpoint, freeze=freeze, average=average)

    still, moved = still_and_moved(model, checkpoint)
    frozen = {name for name in still | moved if name.startswith(FROZEN[freeze])}
    assert frozen <= still
    assert all(ROUNDING in name for name in still - frozen)
    assert without_gradient(model) == frozen
    weights = model.module_.trunk.model.named_parameters()
    assert {name for name, weight in weights if not weight.requires_grad} == frozen


def test_a_pooler_that_is_used_is_trained():
    checkpoint = tiny()

    model = fitted(checkpoint=checkpoint, pooling="pooler")

    _, moved = still_and_moved(model, checkpoint)
    assert {"pooler.dense.weight", "pooler.dense.bias"} <= moved


def texts_read(monkeypatch):
    """Return a list that grows by the rows of every call of the encoder."""
    read, own = [], Encoder.forward

    def forward(self, tokens):
        read.extend(tuple(row[row >= 0].tolist()) for row in tokens)
        return own(self, tokens)

    monkeypatch.setattr(Encoder, "forward", forward)
    return read


@pytest.mark.parametrize("max_epochs", [1, 7])
def test_a_frozen_encoder_reads_each_text_once(monkeypatch, max_epochs):
    checkpoint, read = tiny(), texts_read(monkeypatch)

    model = fitted(checkpoint=checkpoint, freeze="encoder", max_epochs=max_epochs)

    tokenized = checkpoint[1](corpora()["X"])["input_ids"]
    assert sorted(read) == sorted(map(tuple, tokenized))
    start = checkpoint[0].state_dict()
    for name, weight in model.features_.encoder.model.state_dict().items():
        assert torch.equal(weight, start[name])


def test_rows_held_out_are_read_once_too(monkeypatch):
    read = texts_read(monkeypatch)

    fitted(freeze="encoder", validation_fraction=0.25, max_epochs=5)

    assert len(read) == len(corpora()["X"])


def test_heads_on_a_frozen_encoder_get_its_vectors():
    checkpoint = tiny()
    model = fitted(checkpoint=checkpoint, freeze="encoder")
    texts = corpora()["X"]

    encoder = Encoder(checkpoint[0], "mean", 0).eval()
    tokens = Ragged.of(checkpoint[1](texts)["input_ids"])
    with torch.no_grad():
        vectors = encoder(tokens.index_select(0, torch.arange(len(texts)))).numpy()

    np.testing.assert_allclose(model.transform(texts), vectors, atol=1e-5)


def test_the_model_that_was_given_is_not_trained():
    checkpoint = tiny()
    before = {name: w.clone() for name, w in checkpoint[0].state_dict().items()}

    fitted(checkpoint=checkpoint, freeze=None)

    for name, weight in checkpoint[0].state_dict().items():
        assert torch.equal(weight, before[name])
    assert all(weight.requires_grad for weight in checkpoint[0].parameters())


def test_more_layers_than_there_are_cannot_be_frozen():
    with pytest.raises(SourceError, match="freeze=3 layers, but BertModel has 2"):
        fitted(freeze=3)


def test_a_pooler_that_is_not_there_is_refused():
    model, tokenizer = distilbert(100), tiny()[1]

    with pytest.raises(SourceError, match="DistilBertModel has none"):
        fitted(checkpoint=(model, tokenizer), pooling="pooler")


def test_roberta_has_fewer_positions_than_its_config_says():
    tokenizer = tiny()[1]
    make = EncoderOf((roberta(100, 1, 40), tokenizer), "mean", 1, len(tokenizer), 39)

    with pytest.raises(
        SourceError, match="max_length=39 is more than the 38 positions"
    ):
        make()
    longest = torch.full((2, 38), 7)
    make = EncoderOf((roberta(100, 1, 40), tokenizer), "mean", 1, len(tokenizer), 38)
    assert make()(longest).shape == (2, 16)


# Precision -----------------------------------------------------------------------

HALF, FULL = FineTuning(mixed_precision="bf16"), FineTuning(mixed_precision=None)


@pytest.mark.slow
@EITHER_HEADS
def test_in_half_the_precision_weights_stay_single(heads):
    half = fitted(heads, training=HALF, freeze=None)
    full = fitted(heads, training=FULL, freeze=None)
    texts = corpora()["X"]

    assert {weight.dtype for weight in weights_of(half).values()} == {torch.float32}
    losses = [[row["train_loss"] for row in model.history_] for model in (half, full)]
    np.testing.assert_allclose(*losses, rtol=0.02)
    np.testing.assert_allclose(half.transform(texts), full.transform(texts), atol=0.1)
    assert half.transform(texts).dtype == np.float32
    assert not np.array_equal(half.transform(texts), full.transform(texts))


def test_a_frozen_encoder_computes_in_half_the_precision_too():
    half = fitted(training=HALF, freeze="encoder")
    full = fitted(freeze="encoder")
    texts = corpora()["X"]

    assert {weight.dtype for weight in weights_of(half).values()} == {torch.float32}
    np.testing.assert_allclose(half.transform(texts), full.transform(texts), atol=0.1)
    assert not np.array_equal(half.transform(texts), full.transform(texts))


def test_on_a_processor_auto_is_full_precision():
    auto = fitted(training=FineTuning(mixed_precision="auto"), device="cpu")
    full = fitted(training=FULL, device="cpu")

    for name, weight in weights_of(auto).items():
        assert torch.equal(weight, weights_of(full)[name])
