"""From texts to a net that reads them: tokens, an encoder, and heads on it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.nn._builder import Builder
from sktandem.nn._preparation import Preparation, Prepared
from sktandem.nn._ragged import Ragged
from sktandem.nn._seeding import derive_seed, seeded
from sktandem.nn._source_tasks import SourceTasks
from sktandem.text._encoder import EncoderOf, OneHeadOn
from sktandem.text._tokens import TextFeatures
from sktandem.text._transformers import load_tokenizer

__all__ = ["Reading", "TextBuilder", "TextPreparation"]


@dataclass(frozen=True)
class Reading:
    """How texts are read: the settings of the tokenizer and of the encoder."""

    checkpoint: Any
    pooling: str
    max_length: int
    prefix: str
    freeze: Any
    dropout: float
    device: str
    autocast: torch.dtype | None
    progress: bool

    def fit(
        self, rows: Rows, used: Any, weights: Any, seed: int
    ) -> tuple[TextFeatures, Ragged | NDArray[Any]]:
        """Return how texts become numbers, and the numbers of these."""
        features = self.features(seed)
        tokens = features.tokens(rows.X, warn=True)
        frozen = features.encoder is not None
        return features, features.vectors(tokens) if frozen else tokens

    def features(self, seed: int) -> TextFeatures:
        """Return how texts enter the net."""
        features = TextFeatures(
            load_tokenizer(self.checkpoint),
            self.max_length,
            self.prefix,
            device=self.device,
            progress=self.progress,
        )
        if self.freeze != "encoder":
            return features
        # Weights that the checkpoint does not have are drawn.
        with seeded(derive_seed(seed, "init"), self.device):
            return replace(features, encoder=self._encoder_of(features)())

    def trunk_of(self, features: TextFeatures) -> Any:
        """Return what makes the trunk of a net."""
        if features.encoder is not None:
            return partial(nn.Dropout, self.dropout)
        return self._encoder_of(features, self.dropout)

    def _encoder_of(self, features: TextFeatures, dropout: float = 0.0) -> EncoderOf:
        tokenizer = features.tokenizer
        return EncoderOf(
            self.checkpoint,
            self.pooling,
            tokenizer.pad_token_id,
            len(tokenizer),
            self.max_length,
            self.freeze,
            dropout,
            self.autocast,
        )


@dataclass(frozen=True)
class TextPreparation(Preparation):
    """Turns texts into tokens, and sees that patience has something to wait for."""

    patience: int | None = None
    primary_source: Hashable = None

    def first(self, rows: Rows, seed: int, **how: Any) -> Prepared:
        """Prepare the rows of a first call."""
        data = super().first(rows, seed, **how)
        if self.patience is not None:
            self._refuse_waiting_for_nothing(data)
        return data

    def _refuse_waiting_for_nothing(self, data: Prepared) -> None:
        """Refuse `patience` where no row tells whether the loss still falls."""
        primary, part = self.primary_source, data.validation
        own = [] if part is None else part.by_source()
        if part is not None and primary is not None:
            own = [own[part.rows.names.index(primary)]]
        if not any(map(len, own)):
            whose = "" if primary is None else f" of primary_source={primary!r}"
            raise SourceError(
                f"patience={self.patience} watches the validation loss, but no "
                f"row{whose} is held out. Set validation_fraction, or give fit "
                "validation_data."
            )


@dataclass(frozen=True)
class TextBuilder(Builder):
    """Makes a net on the encoder of a checkpoint."""

    reading: Any = None

    def net_for(self, data: Prepared) -> NeuralNet:
        """Return the net with the encoder as its module, and a head if it is one."""
        module = self.reading.trunk_of(data.features)
        if not isinstance(data.tasks, SourceTasks):
            example = self.example(data, data.training.numbers.shape[1:])
            module = OneHeadOn(module, self.head, example)
        return self.net.set_params(module=module)

    def settled(self, net: NeuralNet, data: Prepared) -> TextFeatures:
        """Leave the type as it is; from now on the reading of texts is silent."""
        assert isinstance(data.features, TextFeatures)
        return replace(data.features, progress=False)

    def example(self, data: Prepared, shape: tuple[int, ...]) -> Tensor:
        """Return two rows: tokens, or the vectors of a frozen encoder."""
        numbers = data.training.numbers
        if isinstance(numbers, Ragged):
            return torch.zeros((2, 3), dtype=torch.long)
        return torch.zeros((2, numbers.shape[1]))
