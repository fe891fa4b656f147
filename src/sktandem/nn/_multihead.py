"""The walk of the data where each source has a head of its own."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import Tensor, nn

from sktandem._cells import as_target
from sktandem._sources import (
    ONLY_SOURCE,
    UNKNOWN,
    Codes,
    Sources,
    counted,
    did_you_mean,
)
from sktandem._telling import outside
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn._alternating import BaseAlternating, n_features
from sktandem.nn._heads import HeadsOn, check_head, has_own_heads
from sktandem.nn._modules import default_net
from sktandem.nn._net import is_binary, parameters_of, probe, sized_net
from sktandem.nn._precision import dtype_of
from sktandem.nn._predicting import embedded, refuse_without_embedding, said_by_all
from sktandem.nn._rows import Piece, Rows
from sktandem.nn._tasks import ClassTask, NumberTask, Task
from sktandem.nn._turns import TrainingRows
from sktandem.nn._weighing import Uncertain, Weighing, check_loss_weights
from sktandem.schedules import Sizes

__all__ = ["BaseMultiHead"]

STEMS = ("shared", "source")
WIDTH = 32  # of a trunk that names n_outputs and is not told


class BaseMultiHead(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseAlternating):
    """What the estimators with a head for each source share."""

    def _net(self) -> NeuralNet:
        if self.net is not None:
            return self.net
        return default_net(
            self._default_task,
            module__hidden_sizes=(64,),
            module__n_outputs=WIDTH,
            module__activate_output=True,
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        check_loss_weights(self.loss_weights)
        if self.stems not in STEMS:
            raise SourceError(
                f"stems must be one of {list(STEMS)}, got {self.stems!r}."
            )
        check_head(self.head)
        net = self._net()
        own = "head" if self.head is not None else "stems"
        if has_own_heads(net.module) and getattr(self, own) not in (None, "shared"):
            raise SourceError(
                f"{own}={getattr(self, own)!r} has nothing to act on: the module of "
                f"{type(net).__name__} takes each row's source, and so brings its own "
                "heads and stems."
            )
        if isinstance(net, NeuralNetBinaryClassifier) or is_binary(net):
            raise SourceError(
                f"{type(net).__name__} answers with one number, and a head has an "
                "output for each class. Use NeuralNetClassifier."
            )

    # Targets ------------------------------------------------------------------

    def _task(self, name: Hashable, y: Any, classes: Any) -> Task:
        """Return what the head of a source learns."""
        raise NotImplementedError

    def _learn_labels(self, rows: Rows, classes: Any = None) -> dict[str, Any]:
        names = rows.sources.names
        given = (
            classes if isinstance(classes, Mapping) else dict.fromkeys(names, classes)
        )
        self._refuse_unknown_names(given, names)
        tasks = tuple(
            self._task(name, rows.y[own], given.get(name))
            for name, own in zip(names, rows.sources.rows)
        )
        for task in tasks:
            if len(names) > 1 and isinstance(task, ClassTask) and len(task.classes) < 2:
                warnings.warn(
                    f"The source {task.source!r} has a single class, "
                    f"{task.classes.tolist()[0]!r}: its head has nothing to tell "
                    "apart.",
                    SourceWarning,
                    stacklevel=outside(),
                )
        n_targets = 1 if rows.y.ndim == 1 else rows.y.shape[1]
        return {"sources_": names, "tasks_": tasks, "n_outputs_": n_targets}

    def _refuse_unknown_names(self, given: Any, names: Sequence[Hashable]) -> None:
        for name in given:
            if name not in names:
                raise SourceError(
                    f"classes names {name!r}, which is not a source. The sources are "
                    f"{list(names)}.{did_you_mean(name, names)}"
                )

    def _refuse_other_labels(self, classes: Any, sources: Any) -> None:
        if isinstance(classes, Mapping):
            self._refuse_unknown_names(classes, self.sources_)
            known = {
                task.source: task.classes.tolist()
                for task in self.tasks_
                if isinstance(task, ClassTask)
            }
            for name, given in classes.items():
                if set(given) != set(known.get(name, ())):
                    raise SourceError(
                        f"classes={{{name!r}: {list(given)}}} are not those of the "
                        f"first partial_fit, {known.get(name, [])}. A head cannot take "
                        "on others later: name all that will come in the first call."
                    )
            classes = None
        super()._refuse_other_labels(classes, sources)

    def _encoded(
        self, y: Any, sources: Sources, learned: dict[str, Any]
    ) -> NDArray[Any]:
        tasks = learned["tasks_"]
        targets = np.zeros((len(y), max(task.width for task in tasks)))
        for task, rows in zip(tasks, sources.rows):
            if len(rows):
                targets[rows, : task.width] = task.encode(y[rows])
        return targets

    def _learn_target_scale(
        self, rows: Rows, used: NDArray[np.intp] | None, learned: dict[str, Any]
    ) -> None:
        used = np.arange(len(rows.y)) if used is None else used
        own = Sources(rows.sources.names, rows.sources.codes[used])
        for task, places in zip(learned["tasks_"], own.rows):
            if isinstance(task, NumberTask) and len(places):
                task.learn_scale(rows.targets[used[places]][:, : task.width])

    def _row_weights(
        self, rows: Rows, used: NDArray[np.intp] | None
    ) -> NDArray[np.float64] | None:
        return None

    def _target_tensor(
        self, rows: Rows, learned: dict[str, Any], net: NeuralNet, n_dims: int
    ) -> Tensor:
        tasks, targets = learned["tasks_"], rows.targets.copy()
        if all(isinstance(task, ClassTask) for task in tasks):
            return torch.from_numpy(targets[:, 0].astype(np.int64))
        for task, own in zip(tasks, rows.sources.rows):
            if isinstance(task, NumberTask):
                values = targets[own, : task.width]
                targets[own, : task.width] = task.standardised(values)
        return torch.as_tensor(targets, dtype=dtype_of(net))

    # The net ------------------------------------------------------------------

    def _sized(self, X: Any, learned: dict[str, Any]) -> NeuralNet:
        net, tasks = self._net_for(X, learned), learned["tasks_"]
        n_outputs = tuple(task.n_outputs for task in tasks)
        settings = self._settings_of_net()
        if has_own_heads(net.module):
            sizes = {"n_outputs_by_source": n_outputs, **n_features(X)}
            net = sized_net(net, sizes=sizes, settings=settings)
        else:
            columns = learned["columns_"] if self.stems == "source" else None
            width = max(map(len, columns)) if columns else 0
            shape = (width,) if columns else X.shape[1:]
            sizes = {"n_features": shape[0]} if len(shape) == 1 else {}
            if _wants_width(net.module):
                sizes["n_outputs"] = WIDTH
            net = sized_net(net, sizes=sizes, settings=settings)
            example = self._example(X, shape)
            answers = [self._answer_of(net, task) for task in tasks]
            heads = HeadsOn(
                net.module, n_outputs, self.head, answers, example, columns, width
            )
            net.set_params(module=heads)
        self._set_criterion(net, tasks)
        if self.loss_weights == "uncertainty":
            net.set_params(criterion=Uncertain(net.criterion, len(tasks)))
        if isinstance(net, NeuralNetClassifier):
            net.classes_inferred_ = np.arange(max(n_outputs))
        return net

    def _example(self, X: Any, shape: Any) -> Tensor:
        """Return two rows of the shape and kind that the trunk gets."""
        whole = X.dtype.kind in "iu" and self.scaler is None and self.stems == "shared"
        return torch.zeros((2, *shape), dtype=torch.long if whole else None)

    def _set_criterion(self, net: NeuralNet, tasks: Sequence[Task]) -> None:
        """Give the net the criterion that the tasks need, if it is not the user's."""

    def _built(
        self, data: tuple[Piece, Piece | None], learned: dict[str, Any], seed: int
    ) -> NeuralNet:
        net = super()._built(data, learned, seed)
        learned["width_"] = None
        if hasattr(net.module_, "embed"):
            x = self._first_rows(data[0], learned, net, head=0)
            with torch.no_grad():
                learned["width_"] = net.module_.eval().embed(**x).shape[1]
        return net

    def _first_rows(
        self,
        piece: Piece,
        learned: dict[str, Any],
        net: NeuralNet,
        dtype: torch.dtype | None = None,
        head: Any = 0,
    ) -> Any:
        # Rows of one head: a module answers for several sources with a list.
        return super()._first_rows(piece, learned, net, dtype, head)

    def _trains_by_source(self) -> bool:
        return True

    def _takes_missing(self) -> bool:
        return self.stems == "source"

    def _prepared(
        self,
        rows: Rows,
        held: Rows | NDArray[np.bool_],
        learned: dict[str, Any],
        *,
        first: bool,
    ) -> tuple[Piece, Piece | None]:
        data = super()._prepared(rows, held, learned, first=first)
        if self.stems == "source":
            if first:
                learned["columns_"] = columns_by_source(data[0], learned["sources_"])
            for piece in data:
                self._check_stems(piece, learned)
        return data

    def _check_stems(self, piece: Piece | None, learned: dict[str, Any]) -> None:
        if piece is None:
            return
        parts = zip(piece.by_source(), learned["columns_"], learned["sources_"])
        for rows, columns, name in parts:
            refuse_missing(piece.numbers[rows], columns, name)

    def _answer_of(self, net: NeuralNet, task: Task) -> Any:
        """Return what stands behind a head, so that it follows the criterion."""
        kind = net.criterion if inspect.isclass(net.criterion) else type(net.criterion)
        if not isinstance(task, ClassTask) or not issubclass(kind, nn.NLLLoss):
            return None
        if isinstance(net, NeuralNetClassifier):
            return nn.Softmax  # it takes the logarithm by itself
        if net.predict_nonlinearity == "auto":
            net.set_params(predict_nonlinearity=torch.exp)
        return nn.LogSoftmax

    def _probed(self, piece: Piece, learned: dict[str, Any], net: NeuralNet) -> Tensor:
        """Return a head's answer to the first rows, having asked every head."""
        answer: Any = None
        for head, task in enumerate(learned["tasks_"]):
            x = self._first_rows(piece, learned, net, head=head)
            answer = probe(net, x, task.n_outputs, task.wants)
        return answer

    def _heads_of(self, codes: Codes, device: torch.device) -> Tensor | None:
        return torch.as_tensor(codes.astype(np.int64), device=device)

    def _weighs_sources(self) -> bool:
        return self.loss_weights is not None

    def _tasks_of_heads(
        self,
        training: TrainingRows,
        sizes: Sizes,
        net: NeuralNet,
        learned: dict[str, Any],
    ) -> tuple[Any, Any]:
        tasks = learned["tasks_"]
        if self.loss_weights is None:
            return tasks, None
        classifies = [tasks[code].is_classification for code in training.codes]
        weighing = Weighing(
            self.loss_weights,
            sizes,
            net,
            classifies,
            training.codes,
            learned["sources_"],
        )
        return tasks, weighing

    # Predicting ---------------------------------------------------------------

    def _needs_source(self) -> str | None:
        if self.sources_ == (ONLY_SOURCE,):
            return None
        return "Each source has a head of its own"

    def _parts(
        self, method: str, X: Any, sample_source: Any
    ) -> Iterator[tuple[Task, NDArray[np.intp], NDArray[np.bool_], NDArray[Any]]]:
        """Yield each head, the rows it answers for, and what the net gives them.

        Rows of unknown sources are answered for by every head.
        """
        features, codes = self._read_to_predict(X, sample_source)
        if (codes == UNKNOWN).any():
            self._refuse_pooling()
        numbers = self.features_.numbers(features, codes)
        for head, task in enumerate(self.tasks_):
            rows = np.flatnonzero((codes == head) | (codes == UNKNOWN))
            if len(rows):
                known = codes[rows] == head
                yield task, rows, known, self._asked(method, head, numbers, codes, rows)

    def _asked(
        self,
        method: str | Callable[..., Any],
        head: int,
        numbers: Any,
        codes: Codes,
        rows: NDArray[np.intp],
    ) -> NDArray[Any]:
        """Return what a method of the net gives for some rows and one head."""
        own = numbers[rows]
        self._refuse_missing(own, head)
        heads = torch.full((len(rows),), head, device=torch.device(self.net_.device))
        return self._answers(method, own, codes[rows], heads)

    def _refuse_missing(self, numbers: Any, head: int) -> None:
        """Refuse values that are missing in the columns that a stem reads."""
        if self.stems == "source":
            refuse_missing(numbers, self.columns_[head], self.sources_[head])

    def _refuse_pooling(self) -> None:
        """Refuse a mean over heads that do not answer the same question."""
        first, *others = self.tasks_
        for task in others:
            if not _same_question(first, task):
                raise SourceError(
                    "unknown_source='pooled' takes the mean over the heads, and they "
                    f"do not answer the same question: {first.wants}, {task.wants}. "
                    "Use unknown_source='primary', or give each row its source."
                )

    def _predicted(
        self, X: Any, sample_source: Any
    ) -> tuple[NDArray[Any], list[tuple[Task, NDArray[np.intp]]]]:
        """Return what each row's head says, and the rows by the head that said it."""
        parts = [
            (task, rows, known, task.decode(scores))
            for task, rows, known, scores in self._parts(
                "predict_proba", X, sample_source
            )
        ]
        n = 1 + max(int(rows.max()) for _, rows, _, _ in parts)
        by_task = [(task, rows[known]) for task, rows, known, _ in parts]
        first, rows, known, _ = parts[0]
        by_task.append((first, rows[~known]))  # of unknown sources, as one more
        if not all(known.all() for _, _, known, _ in parts) and any(
            isinstance(task, ClassTask) for task in self.tasks_
        ):
            raise SourceError(
                "unknown_source='pooled' has no mean of classes. MultiHeadClassifier "
                "takes the mean of their probabilities."
            )
        if any(_of_objects(task) for task in self.tasks_):
            values = np.empty(n, dtype=object)
            for _, rows, _, decoded in parts:
                values[rows] = decoded.ravel().tolist()
            return values, by_task
        values = np.full((n, self.n_outputs_), np.nan)
        for task, rows, known, decoded in parts:
            columns = np.array(task.columns if isinstance(task, NumberTask) else [0])
            decoded = decoded.reshape(len(rows), -1)
            values[np.ix_(rows[known], columns)] = decoded[known]
            if not known.all():  # the mean over heads, which all answer the same
                old = np.nan_to_num(values[np.ix_(rows[~known], columns)])
                share = decoded[~known] / len(self.tasks_)
                values[np.ix_(rows[~known], columns)] = old + share
        return values[:, 0] if self.n_outputs_ == 1 else values, by_task

    def _macro_score(
        self, X: Any, y: Any, sample_source: Any, sample_weight: Any
    ) -> float:
        """Return the mean over sources of what each task is scored by."""
        predicted, by_task = self._predicted(X, sample_source)
        y = as_target(y)
        check_consistent_length(y, predicted)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        scores = [
            task.score(
                y[rows], predicted[rows], None if weights is None else weights[rows]
            )
            for task, rows in by_task
            if len(rows)
        ]
        if not scores:
            raise SourceError(
                "No row has a source that was there in fit, so no head can be scored."
            )
        return float(np.mean(scores))

    def predict_heads(
        self, X: Any, sample_source: Any = None
    ) -> dict[Hashable, NDArray[Any]]:
        """Return the answer of every head for every row.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, by whose measure its features are scaled
            where `scale_by` is "source". Without it a head scales them as its
            own source's.

        Returns
        -------
        answers : dict of {source: ndarray of shape (n_samples,) or more}
            What `predict` would say of the rows if they were that source's.
        """
        check_is_fitted(self)
        features, codes = self._read_to_transform(X, sample_source)
        every = self._by_one_way if self._has_one_way() else self._by_ways_of_their_own
        answers = {}
        outputs = every(features, codes)
        for name, task, output in zip(self.sources_, self.tasks_, outputs):
            decoded = task.decode(output)
            flat = decoded.ndim == 2 and decoded.shape[1] == 1
            answers[name] = decoded[:, 0] if flat else decoded
        return answers

    def _has_one_way(self) -> bool:
        """Tell whether all rows reach the heads by the same way."""
        apart = self.stems == "source" or has_own_heads(self.net_.module)
        return not apart and not self.features_.by_source

    def _by_one_way(self, features: Any, codes: Codes) -> list[NDArray[Any]]:
        """Return the outputs of all heads, for which the trunk works once."""
        numbers = self.features_.numbers(features, codes)
        heads = torch.zeros(len(codes), dtype=torch.long, device=self.net_.device)
        outputs = self._answers(said_by_all, numbers, np.zeros_like(codes), heads)
        ends = np.cumsum([task.n_outputs for task in self.tasks_])
        return np.split(outputs, ends[:-1], axis=1)

    def _by_ways_of_their_own(
        self, features: Any, codes: Codes
    ) -> Iterator[NDArray[Any]]:
        """Yield the outputs of each head, to which rows come by a way of its own."""
        for head in range(len(self.tasks_)):
            own = np.where(codes == UNKNOWN, head, codes)
            numbers = self.features_.numbers(features, own)
            rows = np.arange(len(own))
            yield self._asked("predict_proba", head, numbers, own, rows)

    def _read_to_transform(self, X: Any, sample_source: Any) -> tuple[Any, Codes]:
        """Return features and codes, UNKNOWN where the source is not given."""
        self._check_columns(X)
        features, sources = self._split(X, sample_source, names=self.sources_)
        return features, sources.codes

    def transform(self, X: Any, sample_source: Any = None) -> NDArray[Any]:
        """Return what the trunk makes of each row: the shared embedding.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample, needed where `stems` or `scale_by` is
            "source", or the module has heads of its own.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The embedding.
        """
        check_is_fitted(self)
        apart = self.stems == "source" or has_own_heads(self.net_.module)
        alone = self.sources_ == (ONLY_SOURCE,)
        if apart or self.features_.by_source or alone:
            way = "Each source enters the net by a way of its own"
            reason = way if apart else "X was scaled by source"
            because = None if alone else reason
            features, codes = self._read_to_predict(X, sample_source, because=because)
        else:
            features, codes = self._read_to_transform(X, sample_source)
        if apart and (codes == UNKNOWN).any():
            raise SourceError(
                "unknown_source='pooled' has no embedding where each source enters the "
                "net by a way of its own. Use unknown_source='primary', or give each "
                "row its source."
            )
        numbers = self.features_.numbers(features, codes)
        # Otherwise all rows go the same way, whatever their head.
        heads = codes if apart else np.zeros_like(codes)
        embedding: Any = None
        for head in np.unique(heads):
            rows = np.flatnonzero(heads == head)
            own = self._asked(embedded, int(head), numbers, codes, rows)
            if embedding is None:
                embedding = np.empty((len(numbers), own.shape[1]), dtype=own.dtype)
            embedding[rows] = own
        return embedding

    def fit_transform(
        self, X: Any, y: Any = None, sample_source: Any = None, **fit_params: Any
    ) -> NDArray[Any]:
        """Fit, and return the embedding of the rows.

        Parameters
        ----------
        X : {array-like, data frame, tensor} of shape (n_samples, ...)
            Samples of all sources.

        y : array-like
            Targets.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        **fit_params : dict
            Further parameters of `fit`.

        Returns
        -------
        embedding : ndarray of shape (n_samples, width)
            The embedding.
        """
        fitted = self.fit(X, y, sample_source, **fit_params)
        return fitted.transform(X, sample_source)

    @property
    def _n_features_out(self) -> int:
        if self.width_ is None:
            refuse_without_embedding(self.module_)
        return self.width_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def columns_by_source(piece: Piece, names: Sequence[Hashable]) -> list[list[int]]:
    """Return the columns in which each source has values."""
    if piece.numbers.ndim != 2:
        raise SourceError(
            f"stems='source' needs columns, but X has shape {piece.numbers.shape}."
        )
    columns = []
    for rows, name in zip(piece.by_source(), names):
        own = np.flatnonzero(~np.isnan(piece.numbers[rows]).all(axis=0))
        if len(rows) == 0 or len(own) == 0:
            raise SourceError(
                f"stems='source' found no column with values for {name!r}. Each source "
                "needs rows, with values, in the first fit."
            )
        columns.append(own.tolist())
    return columns


def refuse_missing(numbers: Any, columns: Sequence[int], name: Hashable) -> None:
    """Refuse values that are missing in the columns that a source has."""
    missing = np.isnan(numbers[:, columns])
    if missing.any():
        column = columns[int(np.flatnonzero(missing.any(axis=0))[0])]
        n_rows = int(missing.any(axis=1).sum())
        raise SourceError(
            f"Column {column} of {name!r} is NaN in {counted(n_rows, 'row')}. A "
            "stem takes columns that its source has in every row: impute them before, "
            "or in scaler."
        )


def _of_objects(task: Task) -> bool:
    """Tell whether the answers of a head are no numbers."""
    return isinstance(task, ClassTask) and not all(
        isinstance(label, Real) and not isinstance(label, bool)
        for label in task.classes.tolist()
    )


def _same_question(first: Task, other: Task) -> bool:
    if isinstance(first, ClassTask) and isinstance(other, ClassTask):
        return np.array_equal(first.classes, other.classes)
    if isinstance(first, NumberTask) and isinstance(other, NumberTask):
        return first.columns == other.columns
    return False


def _wants_width(module: Any) -> bool:
    """Tell whether a module asks for n_outputs and has no default for it."""
    if "n_outputs" not in parameters_of(module):
        return False
    target = module.__init__ if inspect.isclass(module) else module
    parameter = inspect.signature(target).parameters["n_outputs"]
    return parameter.default is inspect.Parameter.empty
