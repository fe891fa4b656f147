"""The shared trunk of texts: a pretrained encoder, and the mean of what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sktandem._settings import is_integer
from sktandem._telling import did_you_mean, warn
from sktandem.exceptions import SourceError
from sktandem.nn._heads import make_head, width_of
from sktandem.text._transformers import (
    embeddings_of,
    layers_of,
    load_encoder,
    named,
)

__all__ = ["Encoder", "EncoderOf", "OneHead", "OneHeadOn", "check_encoder_settings"]

POOLINGS = ("mean", "cls", "max", "pooler")
FROZEN = ("embeddings", "encoder")
WORTH_SPLITTING = 0.8  # of the places that the whole batch would take


def check_encoder_settings(pooling: Any, freeze: Any) -> None:
    """Refuse settings that make no sense whatever the encoder."""
    if pooling not in POOLINGS:
        raise SourceError(
            f"pooling must be one of {list(POOLINGS)}, got {pooling!r}."
            f"{did_you_mean(pooling, POOLINGS)}"
        )
    known = freeze is None or (isinstance(freeze, str) and freeze in FROZEN)
    if not known and not (is_integer(freeze) and freeze >= 0):
        raise SourceError(
            f"freeze must be one of {list(FROZEN)}, the number of layers that stay as "
            f"they are besides the embeddings, or None, got {freeze!r}."
            f"{did_you_mean(freeze, FROZEN)}"
        )


class Encoder(nn.Module):
    """A pretrained encoder, and one vector of it for each text.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The encoder.

    pooling : {"mean", "cls", "max", "pooler"}
        How the vectors of the tokens become one.

    pad_token_id : int
        What stands behind a text in the input of the encoder.

    dropout : float
        Share of the vector's values that are dropped in training.

    autocast : torch.dtype or None
        The type in which the encoder computes; weights and losses stay in
        single precision.
    """

    def __init__(
        self,
        model: Any,
        pooling: str,
        pad_token_id: int,
        dropout: float = 0.0,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.dropout = nn.Dropout(dropout)
        self.pooling, self.pad_token_id = pooling, pad_token_id
        self.autocast = autocast

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a vector for each text.

        Parameters
        ----------
        tokens : Tensor of shape (n_texts, longest)
            Tokens, negative behind the end of a text.

        Returns
        -------
        vectors : Tensor of shape (n_texts, width)
            What the encoder makes of them.
        """
        own = tokens >= 0
        parts = [] if tokens.is_cuda else list(short_and_long(own.sum(dim=1)))
        if len(parts) < 2:
            return self.dropout(self._pooled(tokens, own))
        pooled = [
            self._pooled(tokens[rows, :longest], own[rows, :longest])
            for rows, longest in parts
        ]
        back = torch.cat([rows for rows, _ in parts]).argsort()
        return self.dropout(torch.cat(pooled)[back])

    def _pooled(self, tokens: Tensor, own: Tensor) -> Tensor:
        ids = tokens.masked_fill(~own, self.pad_token_id)
        on = self.autocast is not None
        with torch.autocast(tokens.device.type, dtype=self.autocast, enabled=on):
            output = self.model(input_ids=ids, attention_mask=own.long())
        if self.pooling == "pooler":
            return output.pooler_output.float()
        hidden = output.last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "max":
            return hidden.masked_fill(~own[..., None], -torch.inf).amax(dim=1)
        weights = own[..., None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def short_and_long(lengths: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield the rows of a batch and their longest, the short ones by themselves.

    Sources often differ in the length of their texts, and a step of both would
    pad the short ones to the long. One cut, where it saves most, is worth a
    second pass through the encoder if it saves a fifth of the places.
    """
    ordered, rows = lengths.sort(stable=True)
    n, longest = len(rows), int(ordered[-1])
    first = torch.arange(1, n, device=lengths.device)
    places = first * ordered[:-1] + (n - first) * longest
    cut = int(places.argmin()) + 1 if n > 1 else 0
    if cut and int(places[cut - 1]) < WORTH_SPLITTING * (n * longest):
        yield rows[:cut], int(ordered[cut - 1])
        rows = rows[cut:]
    yield rows, longest


class EncoderOf:
    """Makes the encoder of a checkpoint: stands where skorch expects a class.

    Each fit loads the encoder anew, or copies the one that was given loaded, so
    that no net trains what another one has.

    Parameters
    ----------
    checkpoint : str, path or tuple
        A folder, a name on the hub, or the model and its tokenizer.

    pooling : str
        How the vectors of the tokens become one.

    pad_token_id : int
        The padding token.

    n_tokens : int
        How many tokens the tokenizer knows.

    max_length : int
        The most tokens in a text.

    freeze : {"embeddings", "encoder"}, int or None
        What stays as it is.

    dropout : float
        Dropout before the head.

    autocast : torch.dtype or None
        The type in which the encoder computes.
    """

    def __init__(
        self,
        checkpoint: Any,
        pooling: str,
        pad_token_id: int,
        n_tokens: int,
        max_length: int,
        freeze: Any = None,
        dropout: float = 0.0,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.checkpoint, self.pooling = checkpoint, pooling
        self.pad_token_id, self.n_tokens = pad_token_id, n_tokens
        self.max_length, self.freeze = max_length, freeze
        self.dropout, self.autocast = dropout, autocast

    def __deepcopy__(self, memo: Any) -> EncoderOf:
        return self  # nothing here changes, and a model is large

    def __repr__(self) -> str:
        return f"EncoderOf({named(self.checkpoint)})"

    def __call__(self) -> Encoder:
        model, missing = load_encoder(self.checkpoint)
        self._refuse_other_sizes(model)
        self._tell_missing(missing)
        if self.pooling == "pooler" and not _has_pooler(model):
            raise SourceError(
                f"pooling='pooler' needs an encoder with a pooler, and "
                f"{type(model).__name__} has none. Use 'mean' or 'cls'."
            )
        model.requires_grad_(True)  # whatever it was frozen for before
        for part in self._frozen(model):
            part.requires_grad_(False)
        return Encoder(
            model, self.pooling, self.pad_token_id, self.dropout, self.autocast
        )

    def _refuse_other_sizes(self, model: Any) -> None:
        n_known = model.get_input_embeddings().num_embeddings
        if self.n_tokens > n_known:
            raise SourceError(
                f"The tokenizer knows {self.n_tokens:,} tokens, and the encoder of "
                f"{named(self.checkpoint)} embeds {n_known:,}. Take the tokenizer of "
                "that encoder, or call model.resize_token_embeddings(len(tokenizer))."
            )
        most = _n_positions(model)
        if most is not None and self.max_length > most:
            raise SourceError(
                f"max_length={self.max_length} is more than the {most} positions of "
                f"the encoder of {named(self.checkpoint)}. Set max_length={most} or "
                "less."
            )

    def _tell_missing(self, missing: list[str]) -> None:
        """Warn of weights that the checkpoint does not have, so that they are drawn."""
        if self.pooling != "pooler":
            missing = [name for name in missing if "pooler" not in name]
        if missing:
            warn(
                f"checkpoint {named(self.checkpoint)} has no weights for "
                f"{missing[:3]}: they begin at random."
            )

    def _frozen(self, model: Any) -> list[nn.Module]:
        """Return the parts that get no gradients."""
        if self.freeze == "encoder":
            return [model]
        idle = [model.pooler] if self.pooling != "pooler" and _has_pooler(model) else []
        if self.freeze is None:
            return idle
        embeddings = [embeddings_of(model), *idle]
        if self.freeze == "embeddings" or self.freeze == 0:
            return embeddings
        layers = layers_of(model)
        if self.freeze > len(layers):
            raise SourceError(
                f"freeze={self.freeze} layers, but {type(model).__name__} has "
                f"{len(layers)}. freeze='encoder' keeps all of it as it is."
            )
        return [*embeddings, *layers[: self.freeze]]


def _n_positions(model: Any) -> int | None:
    """Return the most tokens that an encoder has places for, None if any number."""
    n_places = getattr(model.config, "max_position_embeddings", None)
    words = model.get_input_embeddings()
    for module in model.modules():
        table = isinstance(module, nn.Embedding) and module is not words
        if table and module.num_embeddings == n_places:
            # Where padding has a place of its own, the first token's comes after it.
            before = module.padding_idx
            return n_places if before is None else n_places - before - 1
    return None


def _has_pooler(model: Any) -> bool:
    return isinstance(getattr(model, "pooler", None), nn.Module)


class OneHead(nn.Module):
    """A trunk and the one head that all sources share.

    Parameters
    ----------
    trunk : torch.nn.Module
        Maps rows to vectors.

    head : torch.nn.Module
        Maps vectors to the scores of the classes.

    width : int
        Width of the vectors.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk, self.head, self.width = trunk, head, width

    def forward(self, X: Tensor) -> Tensor:
        """Return the scores of the classes.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...)
            What the trunk takes.

        Returns
        -------
        scores : Tensor of shape (n_rows, n_outputs)
            One for each class.
        """
        return self.head(self.trunk(X))

    def embed(self, X: Tensor) -> Tensor:
        """Return what the trunk makes of each row.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...)
            What the trunk takes.

        Returns
        -------
        vectors : Tensor of shape (n_rows, width)
            The vectors.
        """
        return self.trunk(X)


class OneHeadOn:
    """Makes the module of a net with one head: stands where skorch expects a class.

    Parameters
    ----------
    trunk : callable
        Makes the trunk.

    head : None, sequence of int or callable
        What the head is made of.

    example : Tensor
        A few rows, to find the trunk's width.
    """

    def __init__(self, trunk: Any, head: Any, example: Tensor) -> None:
        self.trunk, self.head, self.example = trunk, head, example

    def __deepcopy__(self, memo: Any) -> OneHeadOn:
        return self

    def __repr__(self) -> str:
        return f"OneHeadOn({self.trunk!r})"

    def __call__(self, n_outputs: int) -> OneHead:
        trunk = self.trunk()
        width = width_of(trunk, self.example)
        return OneHead(trunk, make_head(self.head, width, n_outputs), width)
