"""The walk of the data that all nets on several sources share."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    validate_data,
)
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor, nn

from sktandem._nested import refuse_nested
from sktandem._routing import RequestsSource
from sktandem._telling import counted, did_you_mean, outside
from sktandem._transaction import all_or_nothing
from sktandem.data._sources import (
    ONLY_SOURCE,
    Codes,
    Sources,
    warn_of_source_among_features,
)
from sktandem.data._tables import refuse_datasets
from sktandem.data._unknown import check_unknown_rule
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn._average import Averaged, check_average
from sktandem.nn._batches import (
    SourceRows,
    Table,
    derive_seed,
    rows_in_order,
)
from sktandem.nn._features import as_tensor, fit_features
from sktandem.nn._loop import taking_turns
from sktandem.nn._net import check_net, probe, sized_net
from sktandem.nn._precision import dtype_of, precision_of
from sktandem.nn._predicting import PredictsByNet
from sktandem.nn._recorder import Recorder
from sktandem.nn._resume import history_of, load_checkpoint, refuse_other_data
from sktandem.nn._rows import Piece, Rows
from sktandem.nn._seeding import cuda_of, seeded
from sktandem.nn._sizes import sizes_of
from sktandem.nn._turns import TrainingRows, TurnBatches, turns_of
from sktandem.nn._undo import as_before_if_it_fails
from sktandem.nn._validation import check_fraction, held_out
from sktandem.scaling._scalers import check_scaler
from sktandem.schedules import Shuffled, Sizes, resolve_schedule
from sktandem.schedules._settings import check_whole

__all__ = ["BaseAlternating", "n_features"]

KEEPS = ("best", "last")
DETAILS = ("batch", "epoch")


class BaseAlternating(PredictsByNet, RequestsSource, BaseEstimator):
    """What the alternating classifier and regressor share: the walk of the data."""

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        validation_data: Any = None,
        resume_from: Any = None,
    ) -> Self:
        """Train a clone of `net` on all sources in turns; see the subclasses."""
        with all_or_nothing(self):
            self._check_settings()
            rows = self._read(X, y, sample_source)
            self._warn_of_forgotten_source(rows.sources)
            past = None if resume_from is None else history_of(resume_from)
            seed = past[0]["seed"] if past else self._draw_seed()
            learned = self._learn_labels(rows) | {"seed_": seed}
            rows = rows._replace(targets=self._encoded(rows.y, rows.sources, learned))
            held = self._read_held(rows, validation_data, seed, learned)
            data = self._prepared(rows, held, learned, first=True)
            net = self._built(data, learned, seed)
            if resume_from is not None:
                refuse_other_data(past, identity(data, learned), resume_from)
                load_checkpoint(net, resume_from, keep=self.keep, average=self.average)
            epochs = net.max_epochs - len(net.history)
            self._train(net, data, learned, seed, epochs=epochs, keep=self.keep)
            self._remember(net, data, learned)
        return self

    def _partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_source: Any = None,
        classes: Any = None,
        sources: Any = None,
        epochs: int | None = None,
    ) -> Self:
        """Go on training; see the subclasses."""
        first = not hasattr(self, "net_")
        with all_or_nothing(self):
            self._check_settings()
            if epochs is not None:
                check_whole("epochs", epochs, least=0)
            names = sources if first else self.sources_
            rows = self._read(X, y, sample_source, names=names, reset=first)
            seed = self._draw_seed() if first else self.seed_
            if first:
                learned = self._learn_labels(rows, classes) | {"seed_": seed}
            else:
                self._refuse_other_labels(classes, sources)
                learned = self._add_labels(rows)
            rows = rows._replace(targets=self._encoded(rows.y, rows.sources, learned))
            held = self._read_held(rows, None, seed, learned)
            data = self._prepared(rows, held, learned, first=first)
            net = self._built(data, learned, seed) if first else self.net_
            epochs = net.max_epochs if epochs is None else epochs
            with as_before_if_it_fails(net):
                self._train(net, data, learned, seed, epochs=epochs, keep="last")
            self._remember(net, data, learned)
        return self

    # Reading ------------------------------------------------------------------

    def _refuse_other_labels(self, classes: Any, sources: Any) -> None:
        """Refuse classes or sources other than those of the first call."""
        known: dict[str, Any] = {
            "classes": getattr(self, "classes_", None),
            "sources": self.sources_,
        }
        for what, given in (("classes", classes), ("sources", sources)):
            if given is not None and set(given) != set(known[what]):
                first = np.asarray(known[what], dtype=object).tolist()
                raise SourceError(
                    f"{what}={list(given)} are not those of the first partial_fit, "
                    f"{first}. A net cannot take on others later: name all that will "
                    "come in the first call."
                )

    def _add_labels(self, rows: Rows) -> dict[str, Any]:
        """Return what is known, and what these rows add to it."""
        return dict(vars(self))

    def _check_settings(self) -> None:
        """Refuse settings that make no sense whatever the data."""
        check_net(self._net(), type(self).__name__)
        check_scaler(self.scaler, self.scale_by)
        if self.scaler is None and self.scale_by == "source":
            raise SourceError(
                "scale_by='source' has nothing to scale, because scaler is None. Scale "
                "each source before, or set a scaler."
            )
        check_fraction(self.validation_fraction)
        check_average(self.average)
        _one_of("keep", self.keep, KEEPS)
        _one_of("history_detail", self.history_detail, DETAILS)
        resolve_schedule(self.schedule)

    def _read(
        self,
        X: Any,
        y: Any,
        sample_source: Any,
        *,
        names: Sequence[Hashable] | None = None,
        reset: bool = True,
    ) -> Rows:
        """Check X, y and the labels; return them as rows."""
        refuse_datasets(X)
        self._learn_columns(X, y, reset=reset)
        features, sources = self._split(X, sample_source)
        warn_of_source_among_features(features, sample_source)
        if names is not None:
            labelled = sample_source is not None or self.source is not None
            sources = _among(sources, names, labelled)
        y = self._checked_target(y)
        check_consistent_length(features, y)
        if len(y) == 0:
            raise SourceError("X has no rows to fit.")
        check_unknown_rule(self.unknown_source, self.primary_source, sources.names)
        return Rows(features, y, y, sources)

    def _learn_columns(self, X: Any, y: Any, *, reset: bool) -> None:
        """Learn the names and the number of columns."""
        validate_data(self, X, y, skip_check_array=True, reset=reset)

    def _warn_of_forgotten_source(self, sources: Sources) -> None:
        mixes = isinstance(resolve_schedule(self.schedule), Shuffled)
        if len(sources.names) > 1 or mixes:  # which asks for no turns
            return
        cure = (
            "Pass sample_source, or name its column by source."
            if sources.names == (ONLY_SOURCE,)
            else "A fold of sorted rows may hold a single one: SourceKFold deals out "
            "each."
        )
        warnings.warn(
            f"Only one source, {sources.names[0]!r}: nobody to take turns with. {cure}",
            SourceWarning,
            stacklevel=outside(),
        )

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _read_held(
        self, rows: Rows, validation_data: Any, seed: int, learned: dict[str, Any]
    ) -> Rows | NDArray[np.bool_]:
        """Return the rows held out: a mask over all rows, or rows of their own."""
        if validation_data is None:
            fraction, classes = self.validation_fraction, is_classifier(self)
            return held_out(fraction, rows.sources, rows.targets, seed, classes=classes)
        return self._read_validation_data(validation_data, rows, learned)

    def _read_validation_data(
        self, validation_data: Any, rows: Rows, learned: dict[str, Any]
    ) -> Rows:
        """Return the rows that the user gave to validate on."""
        if len(validation_data) not in (2, 3):
            raise SourceError(
                "validation_data must be (X, y) or (X, y, sample_source), got "
                f"{counted(len(validation_data), 'part')}."
            )
        X, y, labels = (*validation_data, None)[:3]
        self._refuse_other_columns(X)
        names = rows.sources.names
        labelled = labels is not None or self.source is not None
        if not labelled and names != (ONLY_SOURCE,):
            raise SourceError(
                "validation_data needs each row's source, by which its losses are "
                "told: (X, y, sample_source), or the column that source names."
            )
        features, sources = self._split(X, labels)
        other = [name for name in sources.names if name not in names]
        if labelled and other and self._trains_by_source():
            raise SourceError(
                f"validation_data has rows of {other}, which have no training rows. "
                f"The sources are {list(names)}. Such rows can be validated on where "
                "nothing is learned by source: one output, and pooled scaling."
            )
        if labelled and other:
            warnings.warn(
                f"validation_data has rows of {other}, which have no training rows: "
                f"their losses are told beside those of {list(names)}."
                f"{did_you_mean(other[0], names)}",
                SourceWarning,
                stacklevel=outside(),
            )
        every = (*names, *other) if labelled else names
        place = {name: code for code, name in enumerate(every)}
        order = [place[name] if labelled else 0 for name in sources.names]
        sources = Sources(every, np.asarray(order, dtype=np.intp)[sources.codes])
        y = self._checked_target(y)
        check_consistent_length(features, y)
        targets = self._encoded(y, sources, learned)
        return Rows(features, y, targets, sources)

    def _trains_by_source(self) -> bool:
        """Tell whether anything is learned for each source by itself."""
        return self.scale_by == "source"

    def _refuse_other_columns(self, X: Any) -> None:
        try:
            self._check_columns(X)
        except ValueError as error:
            raise SourceError(
                f"The columns of validation_data are not those of X: {error}\n"
                "It meets no preprocessing that stands in front of "
                f"{type(self).__name__}: put that into scaler, or set "
                "validation_fraction instead."
            ) from None

    # Preparing ----------------------------------------------------------------

    def _prepared(
        self,
        rows: Rows,
        held: Rows | NDArray[np.bool_],
        learned: dict[str, Any],
        *,
        first: bool,
    ) -> tuple[Piece, Piece | None]:
        """Fit the scaling on the training rows; return the numbers of all rows."""
        apart = held if isinstance(held, Rows) else None
        mask = None if isinstance(held, Rows) or not held.any() else held
        used = None if mask is None else np.flatnonzero(~mask)
        weights = self._row_weights(rows, used)
        if first:
            self._learn_target_scale(rows, used, learned)
            seed = learned["seed_"]
            made = self._fit_features(rows, used, weights, seed)
            learned["features_"], numbers = made
        else:
            numbers = learned["features_"].numbers(rows.X, rows.sources.codes)
        rest = None if mask is None else np.flatnonzero(mask)
        if len(numbers) < len(rows.y):  # a transformer made the training rows only
            apart, rows = rows.take(rest), rows.take(used)
            weights = None if weights is None else weights[used]
            used = rest = None
        training = Piece(numbers, rows, used, weights)
        if apart is not None:
            made = learned["features_"].numbers(apart.X, apart.sources.codes)
            return training, Piece(made, apart, None, None)
        return training, None if rest is None else Piece(numbers, rows, rest, None)

    def _fit_features(
        self,
        rows: Rows,
        used: NDArray[np.intp] | None,
        weights: NDArray[np.float64] | None,
        seed: int,
    ) -> tuple[Any, Any]:
        """Learn how X becomes numbers; return that, and the numbers."""
        return fit_features(
            self.scaler,
            rows.X,
            rows.y,
            rows.sources,
            scale_by=self.scale_by,
            training=used,
            weights=weights,
            missing=self._takes_missing(),
        )

    def _takes_missing(self) -> bool:
        """Tell whether values may be missing that nobody reads."""
        return False

    def _built(
        self, data: tuple[Piece, Piece | None], learned: dict[str, Any], seed: int
    ) -> NeuralNet:
        """Return an initialized clone of the net, of the size of the data."""
        X = data[0].numbers
        with seeded(derive_seed(seed, "init"), self._net().device):
            net = self._sized(X, learned).initialize()
            self._settle_features(data[0], learned, net)
            self._probed(data[0], learned, net)  # gives a lazy module its weights
        if self.average is not None:
            Averaged.attach(net, self.average)
        return net

    def _settle_features(
        self, piece: Piece, learned: dict[str, Any], net: NeuralNet
    ) -> None:
        """Find out the type of the features, and whether whole numbers are tokens."""
        learned["features_"] = replace(learned["features_"], dtype=dtype_of(net))
        if piece.numbers.dtype.kind not in "iu" or self.scaler is not None:
            return
        tokens = replace(learned["features_"], dtype=None)
        embeds = any(isinstance(m, nn.Embedding) for m in net.module_.modules())
        # The module knows. What embeds takes nothing else, and its error counts.
        with nullcontext() if embeds else suppress(SourceError):
            self._probed(piece, learned | {"features_": tokens}, net)
            learned["features_"] = tokens

    def _sized(self, X: Any, learned: dict[str, Any]) -> NeuralNet:
        """Return a clone of the net that knows the sizes, not yet initialized."""
        net = self._net_for(X, learned)
        n_outputs, _ = self._n_outputs(net, learned)
        sizes = {"n_outputs": n_outputs, **n_features(X)}
        net = sized_net(net, sizes=sizes, settings=self._settings_of_net())
        if isinstance(net, NeuralNetClassifier) and "classes_" in learned:
            net.classes_inferred_ = np.arange(len(learned["classes_"]))
        return net

    def _net_for(self, X: Any, learned: dict[str, Any]) -> NeuralNet:
        """Return the net to build, which may depend on what is known of X."""
        return self._net()

    def _settings_of_net(self) -> dict[str, Any]:
        """Return what is set on the net, whatever its module."""
        settings: dict[str, Any] = {
            "iterator_train": turns_of,
            "iterator_valid": rows_in_order,
            "train_split": parts_of,
        }
        if self.verbose is not None:
            settings["verbose"] = self.verbose
        if isinstance(self.batch_size, int | np.integer):
            settings["batch_size"] = int(self.batch_size)
        return settings

    def _table(
        self, piece: Piece, learned: dict[str, Any], net: NeuralNet, n_dims: int
    ) -> Table:
        """Return a piece as tensors on the net's device."""
        device = torch.device(net.device)
        targets = self._target_tensor(piece.rows, learned, net, n_dims)
        weights = None
        if piece.weights is not None:
            weights = torch.as_tensor(piece.weights, dtype=torch.float32, device=device)
        return Table(
            as_tensor(piece.numbers, device),
            targets.to(device),
            torch.as_tensor(piece.rows.sources.codes.astype(np.int32), device=device),
            learned["features_"].maps,
            weights,
            learned["features_"].dtype,
            self._heads_of(piece.rows.sources.codes, device),
        )

    def _heads_of(self, codes: Codes, device: torch.device) -> Tensor | None:
        """Return the head of each row, if there are heads."""
        return None

    def _probed(self, piece: Piece, learned: dict[str, Any], net: NeuralNet) -> Tensor:
        """Return the module's answer to the first rows."""
        x = self._first_rows(piece, learned, net)
        # A module may draw numbers even when it predicts.
        with torch.random.fork_rng(devices=cuda_of(net.device)):
            return probe(net, x, *self._n_outputs(net, learned))

    def _first_rows(
        self,
        piece: Piece,
        learned: dict[str, Any],
        net: NeuralNet,
        dtype: torch.dtype | None = None,
        head: Any = None,
    ) -> Any:
        """Return the features of two rows, for the head of a place if there are any."""
        few = np.arange(min(2, len(piece.numbers)))
        features, device = learned["features_"], torch.device(net.device)
        codes = piece.rows.sources.codes[few] if head is None else few * 0 + head
        table = Table(
            as_tensor(piece.numbers[few], device),
            None,
            torch.as_tensor(codes.astype(np.int32), device=device),
            features.maps,
            dtype=None if features.dtype is None else dtype or features.dtype,
            heads=self._heads_of(codes, device),
        )
        return table.pair(torch.arange(len(few), device=device), None)[0]

    def _laid_out(
        self, data: tuple[Piece, Piece | None], learned: dict[str, Any], net: Any
    ) -> tuple[TrainingRows, SourceRows | None]:
        """Return the training and the validation rows as datasets of tensors."""
        training, valid = data
        device = torch.device(net.device)
        answer = self._probed(training, learned, net)
        table = self._table(training, learned, net, answer.ndim)
        rows = [as_tensor(own, device) for own in training.by_source()]
        names = training.rows.sources.names
        to_train = TrainingRows(table, names, rows)
        if valid is None:
            return to_train, None
        if valid.numbers is not training.numbers:
            table = self._table(valid, learned, net, answer.ndim)
        rows = [as_tensor(own, device) for own in valid.by_source()]
        return to_train, SourceRows(table, valid.rows.sources.names, rows)

    # Training -----------------------------------------------------------------

    def _train(
        self,
        net: NeuralNet,
        data: tuple[Piece, Piece | None],
        learned: dict[str, Any],
        seed: int,
        *,
        epochs: int,
        keep: str,
    ) -> None:
        """Train an initialized net for some epochs."""
        training, valid = self._laid_out(data, learned, net)
        whole = data[0].rows.places is None  # or what a transformer made of a part
        given = data[:1] if whole else data
        n_given = sum(len(piece.rows.y) for piece in given if piece is not None)
        names = data[0].rows.sources.names
        batch_size = net.batch_size if self.batch_size is None else self.batch_size
        sizes = sizes_of(training, valid, batch_size, net.max_epochs, names)
        schedule = resolve_schedule(self.schedule)
        schedule.check(sizes)
        training.valid = valid
        training.turns = turns = TurnBatches(
            training,
            valid,
            schedule,
            sizes,
            seed=seed,
            net=net,
            difficulty=lambda wanted: self._difficulty(
                wanted, data[0], training, n_given
            ),
            apart=self._weighs_sources(),
        )
        tasks, weighing = self._tasks_of_heads(training, sizes, net, learned)
        recorder = Recorder(
            self.history_detail,
            self._monitor(sizes, keep),
            keep,
            identity(data, learned),
            self._cure_of_divergence(),
        )
        if epochs > 0:
            with (
                seeded(derive_seed(seed, "train"), net.device),
                taking_turns(net, turns, recorder, tasks, weighing),
            ):
                net.partial_fit(training, None, epochs=epochs)
        if len(net.history) and "source" not in net.history[-1]:
            warnings.warn(
                f"Training was interrupted in epoch {len(net.history)}; the epochs "
                "before it count. partial_fit begins it again.",
                SourceWarning,
                stacklevel=outside(),
            )
            net.history.pop()
        net._set_training(False)

    def _cure_of_divergence(self) -> str:
        """Say what to do if the loss is no number any more."""
        return (
            "Lower net__lr, scale the features and the target, or clip gradients with "
            "skorch's GradientNormClipping."
        )

    def _monitor(self, sizes: Sizes, keep: str) -> str:
        """Return the loss that tells the best epoch."""
        validated = [n for n, held in zip(sizes.names, sizes.validated) if held]
        if self.primary_source in validated:
            own = validated[validated.index(self.primary_source)]  # where 1.0 is 1
            return f"valid_loss[{own}]"
        if self.primary_source is not None and validated and keep == "best":
            warnings.warn(
                f"primary_source={self.primary_source!r} has no validation row, so "
                "keep='best' goes by the mean loss over the other sources.",
                SourceWarning,
                stacklevel=outside(),
            )
        return "valid_loss_macro"

    def _weighs_sources(self) -> bool:
        """Tell whether the losses of sources have weights besides the schedule's."""
        return False

    def _tasks_of_heads(
        self,
        training: TrainingRows,
        sizes: Sizes,
        net: NeuralNet,
        learned: dict[str, Any],
    ) -> tuple[Any, Any]:
        """Return what each head learns and what its loss counts, if there are any."""
        return None, None

    def _difficulty(
        self, wanted: Any, piece: Piece, training: TrainingRows, n_given: int
    ) -> list[NDArray[np.float64]]:
        """Return the user's difficulty of each source's training rows."""
        rows = piece.rows
        if callable(wanted):
            values, n = np.asarray(wanted(rows.X, rows.y), dtype=float), len(rows.y)
        else:
            values, n = np.asarray(wanted, dtype=float), n_given
        if values.shape != (n,):
            raise SourceError(
                f"difficulty must hold one number for each row of X: X has {n}, "
                f"difficulty has shape {values.shape}."
            )
        if not callable(wanted) and rows.places is not None:
            values = values[rows.places]
        return [values[own.cpu().numpy()] for own in training.rows]

    def _remember(
        self, net: NeuralNet, data: tuple[Piece, Piece | None], learned: dict[str, Any]
    ) -> None:
        """Set the attributes, last, so that a failed fit leaves nothing behind."""
        piece = data[0]
        counts = [len(own) for own in piece.by_source()]
        if not hasattr(self, "net_") or self.net_ is not net:
            learned["n_samples_by_source_"] = dict.fromkeys(learned["sources_"], 0)
            x = self._first_rows(piece, learned, net, torch.float64)
            learned["precision_"] = precision_of(net, x, learned["features_"].dtype)
        seen = learned["n_samples_by_source_"]
        learned["n_samples_by_source_"] = {
            name: seen[name] + n for name, n in zip(learned["sources_"], counts)
        }
        self.__dict__.update(learned)
        self.net_ = net

    # Predicting ---------------------------------------------------------------

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, those of the net as ``net__name``, those of the
            schedule as ``schedule__name``.

        Returns
        -------
        self : estimator instance
            This estimator.
        """
        own = self.get_params(deep=False)
        for key in params:
            owner, nested, _ = key.partition("__")
            if nested and owner in own and owner in ("net", "schedule", "scaler"):
                value = params.get(owner, getattr(self, owner))
                refuse_nested(key, owner, value, self._instead_of(owner, value))
        super().set_params(**params)
        return self

    def _instead_of(self, owner: str, value: Any) -> str:
        """Return the object to pass instead of a word for it, as code."""
        if owner == "net":
            task = "" if is_classifier(self) else "'regression'"
            return f"sktandem.nn.default_net({task})"
        if owner == "schedule" and isinstance(value, str):
            return repr(resolve_schedule(value))
        return "StandardScaler()"


def identity(
    data: tuple[Piece, Piece | None], learned: dict[str, Any]
) -> dict[str, Any]:
    """Return what a fit that goes on must have in common with this one."""
    names = learned["sources_"]
    by_source = (
        {str(k): [str(c) for c in v] for k, v in learned["classes_by_source_"].items()}
        if "classes_by_source_" in learned
        else None
    )
    classes = [str(label) for label in learned.get("classes_", ())] or by_source
    return {
        "sources": [str(name) for name in names],
        "classes": classes,
        "n_features": list(data[0].numbers.shape[1:]),
        "n_rows": {str(n): len(own) for n, own in zip(names, data[0].by_source())},
    }


def n_features(X: Any) -> dict[str, int]:
    """Return the number of columns, where X has columns."""
    return {"n_features": X.shape[1]} if X.ndim == 2 else {}


def parts_of(dataset: Any, y: Any = None, **kwargs: Any) -> tuple[Any, Any]:
    """Split a dataset into training and validation: skorch's `train_split`."""
    return dataset, dataset.valid


def _among(sources: Sources, names: Sequence[Hashable], labelled: bool) -> Sources:
    """Return sources by their place among all that there may be."""
    names = tuple(names)
    if len(set(names)) < len(names):
        raise SourceError(f"sources={list(names)} names one twice. Name each once.")
    if not labelled and names != (ONLY_SOURCE,):
        raise SourceError(
            f"There are the sources {list(names)}, so each row's source is needed: "
            "pass sample_source, or name its column by source."
        )
    for name in sources.names:
        if name not in names:
            raise SourceError(
                f"sample_source holds {name!r}, which is not among the sources of the "
                f"first partial_fit, {list(names)}.{did_you_mean(name, names)} Name "
                "all that will come by sources= there."
            )
    absent = [name for name in names if name not in sources.names]
    if absent:
        warnings.warn(
            f"partial_fit got no rows of {absent}, so only "
            f"{list(sources.names)} train in this call.",
            SourceWarning,
            stacklevel=outside(),
        )
    places = np.array([names.index(name) for name in sources.names], dtype=np.int16)
    return Sources(names, places[sources.codes])


def _one_of(parameter: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise SourceError(
            f"{parameter} must be one of {list(known)}, got {value!r}."
            f"{did_you_mean(value, known)}"
        )
