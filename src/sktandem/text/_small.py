"""A small encoder that nobody has trained yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from sktandem.nn._seeding import seeded
from sktandem.text._texts import texts_of
from sktandem.text._transformers import named, transformers

__all__ = ["small_encoder"]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Checkpoint(tuple[Any, Any]):
    """A model and its tokenizer, shown in few words."""

    def __repr__(self) -> str:
        return named(self)


def small_encoder(
    texts: Iterable[str],
    *,
    hidden_size: int = 64,
    n_layers: int = 2,
    n_heads: int = 2,
    vocab_size: int = 2000,
    max_length: int = 128,
    random_state: Any = None,
) -> tuple[Any, Any]:
    """Make an untrained encoder of a few layers, and a tokenizer of these texts.

    It needs no download and trains in seconds: to try things out, to write tests, and
    for short texts in a language or notation that no pretrained encoder knows. It
    starts from random weights: a learning rate of 3e-3 suits it better than the default
    of the estimators.

    Parameters
    ----------
    texts : iterable of str
        What the word pieces of the tokenizer are learned from.

    hidden_size : int, default=64
        Width of the encoder.

    n_layers : int, default=2
        Its layers.

    n_heads : int, default=2
        Attention heads in a layer.

    vocab_size : int, default=2000
        The most word pieces.

    max_length : int, default=128
        The most tokens in a text.

    random_state : int, RandomState instance or None, default=None
        Seeds the weights.

    Returns
    -------
    model : transformers.BertModel
        The encoder.

    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.

    Examples
    --------
    >>> from sktandem.text import small_encoder
    >>> model, tokenizer = small_encoder(["red wine", "white wine"], random_state=0)
    >>> tokenizer.tokenize("white wine")
    ['white', 'wine']
    >>> sum(weight.numel() for weight in model.parameters()) < 200_000
    True
    """
    library = transformers()
    tokenizer = _word_pieces(texts_of(list(texts), None, None), vocab_size)
    tokenizer.model_max_length = max_length
    config = library.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=n_layers,
        num_attention_heads=n_heads,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=max_length,
        pad_token_id=tokenizer.pad_token_id,
    )
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    with seeded(seed, torch.device("cpu")):
        return Checkpoint((library.BertModel(config), tokenizer))


def _word_pieces(texts: Any, vocab_size: int) -> Any:
    from tokenizers import (
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Left to itself, the trainer numbers the letters in another order each time.
    letters = {c for text in texts for c in pieces.normalizer.normalize_str(text)}
    first = [f"##{letter}" for letter in sorted(letters) if not letter.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=[*SPECIAL, *first], show_progress=False
    )
    pieces.train_from_iterator(texts.tolist(), trainer)
    pieces.model = models.WordPiece(vocab=pieces.get_vocab(), unk_token="[UNK]")
    ends = [(token, pieces.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    return transformers().PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        clean_up_tokenization_spaces=False,
    )
