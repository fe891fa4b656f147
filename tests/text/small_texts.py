"""Small texts and encoders that several files fit, with heads of either kind."""

from functools import cache

import numpy as np
import pytest
import transformers

from sktandem.text import SharedTextNet, small_encoder

EITHER_HEADS = pytest.mark.parametrize("heads", ["source", "shared"])

# In any order --------------------------------------------------------------------

WORDS = "the a card money lost sent where is my das ist gut sehr schlecht und teuer"
SIZES = {"de": 16, "en": 24}


@cache
def tiny():
    return small_encoder([WORDS], hidden_size=16, random_state=0)


def corpora(factor=1):
    """Two sources of words in any order with three labels, as fit takes them."""
    rng = np.random.default_rng(0)
    words, n_texts = WORDS.split(), factor * sum(SIZES.values())
    texts = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(n_texts)]
    sample_source = np.repeat(list(SIZES), [factor * n for n in SIZES.values()])
    return {"X": texts, "y": np.arange(n_texts) % 3, "sample_source": sample_source}


def weights_of(model):
    return model.module_.state_dict()


def distilbert(vocab_size, n_positions=512):
    config = transformers.DistilBertConfig(
        vocab_size=vocab_size,
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=n_positions,
    )
    return transformers.DistilBertModel(config)


def roberta(vocab_size, pad_token_id=0, n_positions=140):
    config = transformers.RobertaConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=n_positions,
        pad_token_id=pad_token_id,
    )
    return transformers.RobertaModel(config)


# That say something --------------------------------------------------------------

TEXTS = [f"my card {word} is lost" for word in "abcdefgh"] + [
    f"das schmeckt {word} wirklich sehr gut" for word in "abcdefgh"
]
SOURCE = np.repeat(["en", "de"], 8)
Y = np.tile(["no", "yes"], 8)
CHECKPOINT = small_encoder(TEXTS, hidden_size=16, n_layers=2, random_state=0)


def of(heads, checkpoint=CHECKPOINT, **params):
    settings = {"lr": 0.01, "max_epochs": 2, "random_state": 0}
    return SharedTextNet(checkpoint, heads=heads, **settings | params)
