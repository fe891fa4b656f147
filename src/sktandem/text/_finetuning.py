"""What both text estimators share: a pretrained encoder as the trunk of a net."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor, nn

from sktandem._telling import did_you_mean
from sktandem._typing import ScaleBy
from sktandem.data._sources import (
    Codes,
    Labels,
    Sources,
    distinct,
    resolve_sources,
    split_source,
)
from sktandem.data._tables import as_table, column_names
from sktandem.exceptions import SourceError
from sktandem.nn._batches import derive_seed
from sktandem.nn._heads import check_head
from sktandem.nn._ragged import Ragged
from sktandem.nn._rows import Piece, Rows
from sktandem.nn._seeding import seeded
from sktandem.schedules._settings import check_number, check_whole
from sktandem.text._encoder import EncoderOf, check_encoder_settings
from sktandem.text._folder import read_folder, write_folder
from sktandem.text._optimizer import AccumulatedAdamW
from sktandem.text._patience import Patience
from sktandem.text._rate import BatchProgress, WarmupDecay
from sktandem.text._texts import has_columns, texts_of
from sktandem.text._tokens import TextFeatures
from sktandem.text._transformers import check_checkpoint, load_tokenizer, named

__all__ = ["FineTunesEncoder"]

PRECISIONS = ("auto", "bf16")
HEAD_LR = 1e-2  # a head begins with nothing, the encoder knows something already

if TYPE_CHECKING:  # what it is mixed into, whose methods it extends
    from sktandem.nn._alternating import BaseAlternating as _Host
else:
    _Host = object


class FineTunesEncoder(_Host):
    """Mixin of a net's estimator whose X are texts and whose trunk reads them."""

    net: Any = None
    scaler: Any = None
    scale_by: ScaleBy = "pooled"
    stems: str = "shared"

    # Settings -----------------------------------------------------------------

    def _check_settings(self) -> None:
        check_checkpoint(self.checkpoint)
        check_encoder_settings(self.pooling, self.freeze)
        check_whole("max_length", self.max_length, least=3)
        check_whole("max_epochs", self.max_epochs)
        check_whole("gradient_accumulation_steps", self.gradient_accumulation_steps)
        positive = partial(
            check_number, wanted="above 0", lawful=lambda v: 0 < v < float("inf")
        )
        positive("lr", self.lr)
        for name in ("head_lr", "max_grad_norm"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        check_number(
            "warmup_ratio", self.warmup_ratio, "from 0 to 1", lambda v: 0 <= v <= 1
        )
        check_number("weight_decay", self.weight_decay, "0 or above", lambda v: v >= 0)
        check_number(
            "dropout", self.dropout, "at least 0 and below 1", lambda v: 0 <= v < 1
        )
        if self.patience is not None:
            check_whole("patience", self.patience)
        check_head(self.head)
        self._check_device()
        if self.callbacks is not None and not isinstance(self.callbacks, list | tuple):
            raise SourceError(
                f"callbacks must be a list of skorch callbacks, got {self.callbacks!r}."
            )
        if self.verbose is not None and not isinstance(self.verbose, Integral):
            raise SourceError(f"verbose must be 0, 1 or 2, got {self.verbose!r}.")
        if not isinstance(self.prefix, str):
            raise SourceError(
                "prefix must be a text to put in front of every text, got "
                f"{self.prefix!r}."
            )
        given = self.mixed_precision
        if given is not None and given not in PRECISIONS:
            raise SourceError(
                f"mixed_precision must be one of {list(PRECISIONS)} or None, got "
                f"{given!r}.{did_you_mean(given, PRECISIONS)}"
            )
        super()._check_settings()

    def _check_device(self) -> None:
        try:
            device = torch.device(self._device())
        except (RuntimeError, TypeError):
            device = None
        if device is None:
            raise SourceError(
                "device must be 'auto' or a device of torch, such as 'cpu' or "
                f"'cuda:0', got {self.device!r}."
            )
        try:
            torch.empty(0, device=device).cpu()
        except (AssertionError, RuntimeError, NotImplementedError) as error:
            raise SourceError(
                f"device={self.device!r}, and torch cannot use it here: "
                f"{str(error).splitlines()[0]} device='auto' takes what there is."
            ) from None

    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _autocast(self) -> torch.dtype | None:
        """Return the type in which the encoder computes, None for its own."""
        if self.mixed_precision == "auto":
            on_gpu = torch.device(self._device()).type == "cuda"
            if not on_gpu or not torch.cuda.is_bf16_supported(
                including_emulation=False
            ):
                return None
        return None if self.mixed_precision is None else torch.bfloat16

    def _net(self) -> NeuralNet:
        size = self.batch_size
        return NeuralNetClassifier(
            nn.Identity,
            criterion=nn.CrossEntropyLoss,
            optimizer=AccumulatedAdamW,
            optimizer__param_groups=[("trunk.*", {"lr": self.lr})],
            optimizer__weight_decay=self.weight_decay,
            optimizer__accumulation=self.gradient_accumulation_steps,
            optimizer__max_norm=self.max_grad_norm,
            lr=HEAD_LR if self.head_lr is None else self.head_lr,
            max_epochs=self.max_epochs,
            batch_size=size if isinstance(size, Integral) else 16,
            device=self._device(),
            callbacks=self._callbacks(),
            verbose=int(self.verbose or 0),
        )

    def _callbacks(self) -> list[Any]:
        callbacks = [("rate", WarmupDecay(self.warmup_ratio))]
        if self.patience is not None:
            callbacks.append(("patience", Patience(self.patience, self.primary_source)))
        if self.verbose and self.verbose > 1:
            callbacks.append(("progress", BatchProgress()))
        return [*callbacks, *(self.callbacks or ())]

    def _net_for(self, X: Any, learned: dict[str, Any]) -> NeuralNet:
        return self._net().set_params(module=self._trunk_of(learned["features_"]))

    def _trunk_of(self, features: Any) -> Any:
        """Return what makes the trunk of a net."""
        if features.encoder is not None:
            return partial(nn.Dropout, self.dropout)
        return self._encoder_of(features, self.dropout)

    def _encoder_of(self, features: Any, dropout: float = 0.0) -> EncoderOf:
        tokenizer = features.tokenizer
        return EncoderOf(
            self.checkpoint,
            self.pooling,
            tokenizer.pad_token_id,
            len(tokenizer),
            self.max_length,
            self.freeze,
            dropout,
            self._autocast(),
        )

    # Reading ------------------------------------------------------------------

    def _learn_columns(self, X: Any, y: Any, *, reset: bool) -> None:
        if reset and has_columns(X):
            validate_data(self, X, y, skip_check_array=True)
        elif reset:
            self.__dict__.pop("n_features_in_", None)
            self.__dict__.pop("feature_names_in_", None)

    def _check_columns(self, X: Any) -> None:
        """Leave it to the column of the texts: no other makes a difference."""

    def _split(
        self, X: Any, sample_source: Any, *, names: Sequence[Hashable] | None = None
    ) -> tuple[Any, Sources]:
        fitting = names is None
        texts = self._texts(X, fitting)
        source = self._column_of(X, sample_source, fitting)
        table = texts if source is None else X
        if fitting and source is not None and sample_source is None:
            self._refuse_texts_as_sources(X, source)
        found = resolve_sources(table, sample_source, source=source, names=names)
        return texts, found[1]

    def _without_source(self, X: Any, sample_source: Any) -> Any:
        texts = self._texts(X)
        self._labels_in(X, sample_source)  # which checks the lengths
        return texts

    def _labels_in(self, X: Any, sample_source: Any) -> Labels | None:
        source = self._column_of(X, sample_source)
        table = self._texts(X) if source is None else X
        return split_source(table, sample_source, source)[1]

    def _column_of(
        self, X: Any, sample_source: Any, fitting: bool = False
    ) -> str | int | None:
        """Return the column with the sources; None if X does not have it.

        Texts by themselves are welcome after a fit on a data frame, and what
        does not depend on the source asks for none.
        """
        needed = fitting and sample_source is None
        return self.source if needed or self._has_sources(X) else None

    def _has_sources(self, X: Any) -> bool:
        if self.source is None or not has_columns(X):
            return False
        names, width = column_names(X), as_table(X).shape[1]
        if isinstance(self.source, Integral):
            return width > 1 and -width <= self.source < width
        return names is not None and self.source in names

    def _texts(self, X: Any, fitting: bool = False) -> NDArray[Any]:
        has = self._has_sources(X) or (fitting and has_columns(X))
        return texts_of(X, self.text_column, self.source if has else None)

    def _refuse_texts_as_sources(self, X: Any, source: str | int) -> None:
        """Refuse a column of sources that tells nearly every row from the others."""
        labels = split_source(X, None, source)[1]
        assert labels is not None  # there is a column
        n_labels = len(distinct(labels)[0])
        if n_labels > max(10, len(labels) / 2):
            raise SourceError(
                f"source={source!r} holds {n_labels} different values in "
                f"{len(labels)} rows, and should hold the name of each row's dataset. "
                "Are source and text_column swapped?"
            )

    def _read_held(
        self, rows: Rows, validation_data: Any, seed: int, learned: dict[str, Any]
    ) -> Rows | NDArray[np.bool_]:
        held = super()._read_held(rows, validation_data, seed, learned)
        if self.patience is not None:
            self._refuse_waiting_for_nothing(held, rows.sources)
        return held

    def _refuse_waiting_for_nothing(
        self, held: Rows | NDArray[np.bool_], sources: Sources
    ) -> None:
        """Refuse `patience` where no row tells whether the loss still falls."""
        if isinstance(held, Rows):
            names, codes = held.sources.names, held.sources.codes
        else:
            names, codes = sources.names, sources.codes[held]
        primary = self.primary_source
        if primary is not None:
            codes = codes[codes == names.index(primary)]
        if not len(codes):
            whose = "" if primary is None else f" of primary_source={primary!r}"
            raise SourceError(
                f"patience={self.patience} waits for a lower validation loss, and no "
                f"row{whose} is held out. Set validation_fraction, or give fit "
                "validation_data."
            )

    def _fit_features(
        self,
        rows: Rows,
        used: NDArray[np.intp] | None,
        weights: NDArray[np.float64] | None,
        seed: int,
    ) -> tuple[Any, Any]:
        features = self._features_of(load_tokenizer(self.checkpoint), seed)
        tokens = features.tokens(rows.X, warn=True)
        frozen = features.encoder is not None
        return features, features.vectors(tokens) if frozen else tokens

    def _features_of(self, tokenizer: Any, seed: int) -> TextFeatures:
        """Return how texts enter the net."""
        features = TextFeatures(
            tokenizer,
            self.max_length,
            self.prefix,
            device=self._device(),
            progress=bool(self.verbose),
        )
        if self.freeze != "encoder":
            return features
        # What a checkpoint lacks is drawn.
        with seeded(derive_seed(seed, "init"), self._device()):
            return replace(features, encoder=self._encoder_of(features)())

    def _settle_features(self, piece: Piece, learned: dict[str, Any], net: Any) -> None:
        """Leave the type as it is; from now on the reading of texts is silent."""
        learned["features_"] = replace(learned["features_"], progress=False)

    def _example(self, X: Any, shape: Any = None) -> Tensor:
        if isinstance(X, Ragged):
            return torch.zeros((2, 3), dtype=torch.long)
        return torch.zeros((2, X.shape[1]))

    # Training -----------------------------------------------------------------

    def _cure_of_divergence(self) -> str:
        return (
            "Lower lr or head_lr, raise warmup_ratio, or clip gradients by "
            "max_grad_norm."
        )

    def _left_to_train(self, epochs: int | None) -> int:
        """Return the epochs of a call of `partial_fit`, or refuse too many."""
        self._check_settings()
        done = len(self.history_) if hasattr(self, "net_") else 0
        if epochs is None:
            epochs = max(1, self.max_epochs - done)
        check_whole("epochs", epochs, least=0)
        if done + epochs > self.max_epochs:
            raise SourceError(
                f"The learning rate falls to 0 at the end of max_epochs="
                f"{self.max_epochs}: {done} are done, and {epochs} more go beyond. Set "
                f"max_epochs={done + epochs} before."
            )
        if done:
            self.net_.max_epochs = self.max_epochs
        return epochs

    # Predicting ---------------------------------------------------------------

    def _answers(
        self,
        method: str | Callable[..., Any],
        numbers: Any,
        codes: Codes,
        heads: Tensor | None = None,
    ) -> NDArray[Any]:
        if not isinstance(numbers, Ragged):
            return super()._answers(method, numbers, codes, heads)
        # Texts of like length share a batch, and each gets its own answer back.
        order = numbers.lengths.argsort(stable=True)
        rows = order.numpy()
        heads = heads if heads is None else heads[order.to(heads.device)]
        made = super()._answers(method, numbers[rows], codes[rows], heads)
        return made[np.argsort(rows)]

    # Folders ------------------------------------------------------------------

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write the fitted model to a folder that can be shared.

        The encoder and its tokenizer stand in ``encoder/``, as a transformers
        folder of their own, each head in ``heads/``, all weights as
        safetensors; settings and classes are JSON. Nothing in it is a pickle.

        Parameters
        ----------
        folder : str or path
            Where to. It is made if it is not there.
        """
        write_folder(self, folder)

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str], **params: Any) -> Self:
        """Read a model that :meth:`save_pretrained` wrote.

        It predicts as the one that was written. The optimizer's state is not
        kept, so that `partial_fit` goes on with the weights only.

        Parameters
        ----------
        folder : str or path
            The folder.

        **params : dict
            Parameters to change, such as `device`.

        Returns
        -------
        model : estimator instance
            The fitted estimator.
        """
        return read_folder(cls, folder, params)

    # What scikit-learn asks ---------------------------------------------------

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        shown = object.__new__(type(self))
        shown.__dict__.update(self.__dict__)
        if isinstance(self.checkpoint, tuple | list) and len(self.checkpoint) == 2:
            shown.checkpoint = _Shown(named(self.checkpoint))
        return BaseEstimator.__repr__(shown, N_CHAR_MAX)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Shown(str):
    """A text that is shown without quotation marks."""

    def __repr__(self) -> str:
        return str(self)
