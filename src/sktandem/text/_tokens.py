"""From texts to tokens, and with a frozen encoder on to vectors."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from sktandem._telling import counted, warn
from sktandem.exceptions import SourceError
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

    def __getstate__(self) -> dict[str, Any]:
        # As skorch does with a net: what was trained on a GPU opens without one.
        state = vars(self).copy()
        if self.encoder is not None and torch.device(self.device).type != "cpu":
            state["encoder"] = copy.deepcopy(self.encoder).cpu()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        gone = (
            torch.device(state["device"]).type != "cpu"
            and not torch.cuda.is_available()
        )
        vars(self).update(state | ({"device": "cpu"} if gone else {}))

    def numbers(self, texts: NDArray[Any], codes: Any = None) -> Any:
        """Return texts as tokens, or as vectors where the encoder is frozen."""
        tokens = self.tokens(texts)
        return tokens if self.encoder is None else self.vectors(tokens)

    def tokens(self, texts: NDArray[Any], *, warn: bool = False) -> Ragged:
        """Return the tokens of texts, those beyond `max_length` cut off."""
        parts = []
        starts = range(0, len(texts), TOKENIZED_AT_ONCE)
        # None: not where nobody looks.
        hidden = None if self.progress and len(starts) > 1 else True
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
            parts.append(Ragged.of(made["input_ids"]))
        tokens = Ragged.joined(parts)
        self._refuse_nothing_to_read(tokens, texts)
        if warn:
            self._tell_of_cuts(tokens)
        return tokens

    def _refuse_nothing_to_read(self, tokens: Ragged, texts: NDArray[Any]) -> None:
        """Refuse texts of which the tokenizer leaves nothing."""
        if (tokens.lengths == 0).any():
            row = int((tokens.lengths == 0).nonzero()[0])
            raise SourceError(
                f"The tokenizer makes no token of the text at row {row}, "
                f"{texts[row][:40]!r}. Drop such rows."
            )
        n_prefix = len(self.tokenizer(self.prefix)["input_ids"]) if self.prefix else 0
        if n_prefix >= self.max_length:
            raise SourceError(
                f"prefix={self.prefix!r} has {n_prefix} tokens, and max_length="
                f"{self.max_length} leaves no room for the texts. Set a larger one."
            )

    def _tell_of_cuts(self, tokens: Ragged) -> None:
        """Warn if many texts fill all the room there is: most of them were cut."""
        n_full = int((tokens.lengths >= self.max_length).sum())
        if n_full > MANY_CUT * len(tokens):
            warn(
                f"{counted(n_full, 'text')} of {len(tokens):,} have max_length="
                f"{self.max_length} tokens or more; what is beyond is cut off. A "
                "larger max_length reads more of them, and takes longer."
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
            disable=None if self.progress else True,
        )
        with torch.no_grad(), bar:
            for part in tokens.split(rows, 1):
                vectors.append(encoder(tokens.index_select(0, part)).cpu())
                places.append(part.cpu())
                bar.update(len(part))
        made = torch.cat(vectors)
        return made[torch.cat(places).argsort()].numpy()
