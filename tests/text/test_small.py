"""The small encoder that nobody has trained yet."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from sktandem import SourceError
from sktandem.text import SharedTextNet, small_encoder

TEXTS = ["red wine", "white wine", "sparkling white wine", "roter Wein", "weißer Wein"]


def flat_weights(model):
    return torch.cat([weight.detach().ravel() for weight in model.parameters()])


@pytest.mark.parametrize(
    "texts",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), (t for t in TEXTS)],
    ids=["list", "tuple", "array", "series", "generator"],
)
def test_the_tokenizer_knows_the_words_it_was_shown(texts):
    _, tokenizer = small_encoder(texts, random_state=0)
    for text in TEXTS:
        tokens = tokenizer.tokenize(text)
        assert "[UNK]" not in tokens
        assert "".join(tokens).replace("##", "") in (
            text.lower().replace(" ", ""),
            text.lower().replace(" ", "").replace("ß", "ss"),
        )


def test_a_seed_gives_the_same_encoder_and_touches_nothing_global():
    before = torch.get_rng_state()
    one, _ = small_encoder(TEXTS, random_state=3)
    again, _ = small_encoder(TEXTS, random_state=3)
    of_generator, _ = small_encoder(TEXTS, random_state=np.random.RandomState(3))
    other, _ = small_encoder(TEXTS, random_state=4)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(flat_weights(one), flat_weights(again))
    assert torch.equal(flat_weights(one), flat_weights(of_generator))
    assert not torch.equal(flat_weights(one), flat_weights(other))


def test_it_has_the_sizes_that_were_asked_for():
    model, tokenizer = small_encoder(
        TEXTS, hidden_size=24, n_layers=3, n_heads=4, vocab_size=40, max_length=17
    )
    config = model.config
    assert isinstance(model, transformers.BertModel)
    assert config.hidden_size == 24
    assert config.num_hidden_layers == 3
    assert config.num_attention_heads == 4
    assert config.max_position_embeddings == tokenizer.model_max_length == 17
    assert config.vocab_size == len(tokenizer) <= 40
    assert config.pad_token_id == tokenizer.pad_token_id


def test_more_texts_than_room_keep_the_most_frequent_words():
    texts = ["often seen"] * 30 + [f"word{i}" for i in range(200)]
    _, tokenizer = small_encoder(texts, vocab_size=60, random_state=0)
    assert len(tokenizer) <= 60
    assert tokenizer.tokenize("often") == ["often"]


def test_a_text_has_an_end_and_a_beginning():
    _, tokenizer = small_encoder(TEXTS, random_state=0)
    first, *words, last = tokenizer.convert_ids_to_tokens(
        tokenizer("white wine")["input_ids"]
    )
    assert (first, words, last) == ("[CLS]", ["white", "wine"], "[SEP]")


def test_it_goes_to_a_folder_and_back(tmp_path):
    model, tokenizer = small_encoder(TEXTS, hidden_size=16, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)

    again = transformers.AutoModel.from_pretrained(tmp_path)
    spelt = transformers.AutoTokenizer.from_pretrained(tmp_path)

    assert torch.equal(flat_weights(again), flat_weights(model))
    for text in (*TEXTS, "Wine never seen"):
        assert spelt(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_it_learns_what_its_texts_say():
    good = [f"{adverb} good {noun}" for adverb in ("so", "very") for noun in "abcdef"]
    bad = [text.replace("good", "bad") for text in good]
    texts, y = good + bad, np.repeat([1, 0], 12)
    model = SharedTextNet(
        small_encoder(texts, hidden_size=16, n_layers=1, random_state=0),
        lr=0.01,
        max_epochs=15,
        validation_fraction=None,
        random_state=0,
        heads="shared",
    )
    source = ["a", "b"] * 12
    model.fit(texts[::2] + texts[1::2], np.r_[y[::2], y[1::2]], sample_source=source)
    assert model.score(texts, y) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], r"no text in 1 row, the first at row 1 \(None\)"),
        (["a", " "], "X holds 1 empty text, the first at row 1"),
        ([1, 2], "X must hold strings, got 1 of type int at row 0"),
    ],
)
def test_what_is_no_text_is_refused(texts, message):
    with pytest.raises(SourceError, match=message):
        small_encoder(texts)
