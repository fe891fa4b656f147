"""From texts to tokens, and with a frozen encoder on to vectors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sktandem._sources import counted
from sktandem._telling import outside
from sktandem.exceptions import SourceWarning
from sktandem.nn._ragged import Ragged

__all__ = ["TextFeatures"]

TOKENIZED_AT_ONCE = 10_000  # texts
MANY_CUT = 0.01  # of the texts


@dataclass(frozen=True)
class TextFeatures:
    """How texts become what the net takes.

    It stands where other nets have a scaling, and answers the same questions.

    Attributes
    ----------
    tokenizer : transformers tokenizer
        Cuts texts into tokens.

    max_length : int
        The most tokens of a text.

    prefix : str
        What is put in front of every text.

    encoder : torch.nn.Module or None
        The encoder, where it is frozen and its vectors are what the net takes.

    device : str
        Where a frozen encoder runs.

    progress : bool
        Whether to show how far long work has come.
    """

    tokenizer: Any
    max_length: int
    prefix: str = ""
    encoder: nn.Module | None = None
    device: str = "cpu"
    progress: bool = False

    by_source = False
    maps = None

    @property
    def dtype(self) -> torch.dtype | None:
        """The type of batches; None leaves tokens whole."""
        return None if self.encoder is None else torch.float32

    def numbers(self, texts: NDArray[Any], codes: Any = None) -> Any:
        """Return texts as tokens, or as vectors where the encoder is frozen."""
        tokens = self.tokens(texts)
        return tokens if self.encoder is None else self.vectors(tokens)

    def tokens(self, texts: NDArray[Any], *, warn: bool = False) -> Ragged:
        """Return the tokens of texts, those beyond `max_length` cut off."""
        rows: list[list[int]] = []
        starts = range(0, len(texts), TOKENIZED_AT_ONCE)
        hidden = not self.progress or len(starts) < 2
        for start in tqdm(starts, "tokenizing", leave=False, disable=hidden):
            some = texts[start : start + TOKENIZED_AT_ONCE].tolist()
            if self.prefix:
                some = [self.prefix + text for text in some]
            made = self.tokenizer(
                some,
                truncation=True,
                max_length=self.max_length,
                return_attention_mask=False,
                return_token_type_ids=False,
            )
            rows.extend(made["input_ids"])
        if warn:
            self._tell_of_cuts(rows, texts)
        return Ragged.of(rows)

    def _tell_of_cuts(self, rows: list[list[int]], texts: NDArray[Any]) -> None:
        """Warn if many texts fill all the room there is: most of them were cut."""
        n_full = sum(len(row) >= self.max_length for row in rows)
        if n_full > MANY_CUT * len(rows):
            warnings.warn(
                f"{counted(n_full, 'text')} of {len(rows):,} have max_length="
                f"{self.max_length} tokens or more; what is beyond is cut off. A "
                "larger max_length reads more of them, and takes longer.",
                SourceWarning,
                stacklevel=outside(),
            )

    def vectors(self, tokens: Ragged) -> NDArray[np.float32]:
        """Return what the frozen encoder makes of each text."""
        assert self.encoder is not None
        encoder = self.encoder.to(self.device).eval()
        tokens = tokens.to(self.device)
        rows = torch.arange(len(tokens), device=tokens.device)
        vectors, places = [], []
        bar = tqdm(
            total=len(tokens),
            desc="encoding",
            unit="text",
            leave=False,
            disable=not self.progress,
        )
        with torch.no_grad(), bar:
            for part in tokens.split(rows, 1):
                vectors.append(encoder(tokens.index_select(0, part)).cpu())
                places.append(part.cpu())
                bar.update(len(part))
        made = torch.cat(vectors)
        return made[torch.cat(places).argsort()].numpy()
