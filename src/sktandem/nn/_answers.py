"""From a fitted state to predictions: of one output, or of a head for each source."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from numbers import Real
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier

from sktandem.data._rows import Rows
from sktandem.data._scores import label_accuracy, macro_r2, refuse_nan
from sktandem.data._sources import ONLY_SOURCE, UNKNOWN
from sktandem.exceptions import SourceError
from sktandem.nn._fitted import Fitted
from sktandem.nn._outputs import HeadOutputs, embedded
from sktandem.nn._shared_task import SharedTask
from sktandem.nn._source_tasks import SourceTasks
from sktandem.nn._tasks import ClassTask, NumberTask, Task

__all__ = ["HeadAnswers", "SharedAnswers", "answers_of"]

TOLERANCE = 1e-3  # of a sum of probabilities
# How skorch's nets decide: by the largest output, or by a threshold.
PREDICTS = (
    NeuralNet.predict,
    NeuralNetClassifier.predict,
    NeuralNetBinaryClassifier.predict,
)


def answers_of(fitted: Fitted) -> SharedAnswers | HeadAnswers:
    """Return what answers for a fitted state."""
    if isinstance(fitted.tasks, SharedTask):
        return SharedAnswers(fitted, fitted.tasks)
    return HeadAnswers(fitted, fitted.tasks)


class SharedAnswers:
    """Predictions of one output for all sources.

    Parameters
    ----------
    fitted : Fitted
        The fitted state.

    tasks : SharedTask
        Its task.
    """

    def __init__(self, fitted: Fitted, tasks: SharedTask) -> None:
        self.fitted, self.task = fitted, tasks.task

    def depends_on_source(self) -> str | None:
        """Say why predictions depend on the source, or return None."""
        if self.fitted.sources == (ONLY_SOURCE,):
            return None
        if isinstance(self.task, NumberTask) and self.task.by_source:
            return "y was scaled by source"
        return "X was scaled by source" if self.fitted.features.by_source else None

    def _outputs(self, method: str, rows: Rows) -> NDArray[Any]:
        codes = rows.sources.codes
        numbers = self.fitted.features.numbers(rows.X, codes)
        return self.fitted.ask(method, numbers, codes)

    def predict(self, rows: Rows) -> NDArray[Any]:
        """Return a class, or the numbers, for each row."""
        if isinstance(self.task, NumberTask):
            values = self._outputs("predict", rows)
            columns = self.task.decode(values, rows.sources.codes)
            return columns[:, 0] if self.task.n_outputs == 1 else columns
        net, classes = self.fitted.net, self.task.classes
        # A class of the user's own may decide otherwise. A plain net hands on what its
        # module gives, be it logits or logarithms, of which the largest is still that
        # of the likeliest class.
        decide = getattr(type(net), "predict", None)
        if decide not in PREDICTS:
            codes = np.ravel(self._outputs("predict", rows)).astype(int)
            return np.asarray(classes[np.minimum(codes, len(classes) - 1)])
        scores = self._class_scores(rows)
        if decide is not NeuralNetBinaryClassifier.predict:
            return self.task.decode(scores)
        refuse_nan("net", scores)
        codes = (scores[:, 1] > net.threshold).astype(int)
        # A net for one class has a second output that means nothing.
        return np.asarray(classes[np.minimum(codes, len(classes) - 1)])

    def predict_proba(self, rows: Rows) -> NDArray[np.float64]:
        """Return the probability of each class."""
        assert isinstance(self.task, ClassTask)
        n_classes = len(self.task.classes)
        return as_probabilities(self._class_scores(rows), n_classes, self.fitted.net)

    def _class_scores(self, rows: Rows) -> NDArray[np.float64]:
        """Return what the net gives for each class, be it probabilities or not."""
        scores = self._outputs("predict_proba", rows)
        scores = scores.reshape(len(scores), -1).astype(np.float64)
        if scores.shape[1] == 1:  # of the second of two classes
            scores = np.hstack([1 - scores, scores])
        return scores

    def embedding_depends_on_source(self) -> str | None:
        """Say why the embedding depends on the source, or return None."""
        if self.fitted.sources == (ONLY_SOURCE,):
            return None
        return "X was scaled by source" if self.fitted.features.by_source else None

    def transform(self, rows: Rows) -> NDArray[Any]:
        """Return the embedding of each row, where the module has one."""
        codes = rows.sources.codes
        return self.fitted.ask(
            embedded, self.fitted.features.numbers(rows.X, codes), codes
        )

    def predict_heads(self, rows: Rows) -> NoReturn:
        """Say that there is one output for all, as when `heads` was set after fit."""
        raise SourceError(
            "predict_heads needs heads, but fit trained one output for all sources. "
            "Fit again with heads='source'."
        )

    def score(self, rows: Rows) -> float:
        """Return the accuracy, or R2, or its mean over sources scaled apart."""
        predicted = self.predict(rows)
        if isinstance(self.task, ClassTask):
            return label_accuracy(rows.y, predicted, rows.weights)
        if not self.task.by_source or len(self.fitted.sources) == 1:
            return float(r2_score(rows.y, predicted, sample_weight=rows.weights))
        return macro_r2(rows.y, predicted, rows.sources.codes, rows.weights)


class HeadAnswers:
    """Predictions of a head for each source.

    Parameters
    ----------
    fitted : Fitted
        The fitted state.

    tasks : SourceTasks
        The tasks of the heads.
    """

    def __init__(self, fitted: Fitted, tasks: SourceTasks) -> None:
        self.fitted, self.tasks, self.heads = fitted, tasks, tasks.heads
        self._outputs = HeadOutputs(fitted, [task.n_outputs for task in tasks.heads])

    def depends_on_source(self) -> str | None:
        """Say why predictions depend on the source, or return None."""
        if self.fitted.sources == (ONLY_SOURCE,):
            return None
        return "Each source has a head of its own"

    def _parts(
        self, rows: Rows
    ) -> Iterator[tuple[Task, NDArray[np.intp], NDArray[np.bool_], NDArray[Any]]]:
        """Yield each head, its rows, which of them are its own, and its outputs.

        Rows of unknown sources are answered for by every head.
        """
        # Refused before anything is computed: which rows are unknown does not matter
        # to the question whether the heads have a mean at all.
        if (rows.sources.codes == UNKNOWN).any():
            _refuse_pooling(self.heads)
        for head, places, known, made in self._outputs.by_own_head(rows):
            yield self.heads[head], places, known, made

    def predict(self, rows: Rows) -> NDArray[Any]:
        """Return what each row's head says."""
        if not self.tasks.classifies:
            return self._values(rows)[0]
        classes = self.tasks.attributes()["classes_"]
        if (rows.sources.codes == UNKNOWN).any():
            return np.asarray(classes[self.predict_proba(rows).argmax(axis=1)])
        predicted = np.empty(len(rows), dtype=classes.dtype)
        for task, places, _, scores in self._parts(rows):
            predicted[places] = task.decode(scores)
        return predicted

    def predict_proba(self, rows: Rows) -> NDArray[np.float64]:
        """Return probabilities of all classes, 0 where a row's source has none."""
        classes = self.tasks.attributes()["classes_"].tolist()
        place = {label: column for column, label in enumerate(classes)}
        total = np.zeros((len(rows), len(place)))
        for task, places, known, scores in self._parts(rows):
            assert isinstance(task, ClassTask)
            columns = np.array([place[label] for label in task.classes.tolist()])
            # A known row comes once, with its own head; an unknown one comes with every
            # head, and its probabilities are their mean.
            share = np.where(known, 1.0, 1 / len(self.heads))[:, None]
            proba = as_probabilities(scores, len(columns), self.fitted.net)
            total[np.ix_(places, columns)] += share * proba
        return total

    def _values(
        self, rows: Rows
    ) -> tuple[NDArray[Any], list[tuple[Task, NDArray[np.intp]]]]:
        """Return what each row's head says, and the rows by the head that said it."""
        parts = [
            (task, places, known, task.decode(scores))
            for task, places, known, scores in self._parts(rows)
        ]
        by_task = [(task, places[known]) for task, places, known, _ in parts]
        if parts:
            first, places, known, _ = parts[0]
            by_task.append((first, places[~known]))  # of unknown sources, as one more
        pooled = not all(known.all() for _, _, known, _ in parts)
        if pooled and self.tasks.of_classes:
            raise SourceError(
                "unknown_source='pooled' cannot average classes. task='classification' "
                "averages their probabilities."
            )
        n_targets = self.tasks.n_targets
        # Floats if every answer is a number; strings of one source beside numbers of
        # another can only be objects.
        if any(_of_objects(task) for task in self.tasks.of_classes):
            values = np.empty(len(rows), dtype=object)
            for _, places, _, decoded in parts:
                values[places] = decoded.ravel().tolist()
            return values, by_task
        values = np.full((len(rows), n_targets), np.nan)
        for task, places, known, decoded in parts:
            columns = np.array(task.columns if isinstance(task, NumberTask) else [0])
            decoded = decoded.reshape(len(places), -1)
            values[np.ix_(places[known], columns)] = decoded[known]
            if not known.all():  # the mean over heads, which all answer the same
                old = np.nan_to_num(values[np.ix_(places[~known], columns)])
                share = decoded[~known] / len(self.heads)
                values[np.ix_(places[~known], columns)] = old + share
        return values[:, 0] if n_targets == 1 else values, by_task

    def score(self, rows: Rows) -> float:
        """Return the accuracy, or the mean over sources of their scores."""
        y, weights = rows.y, rows.weights
        if self.tasks.classifies:
            return label_accuracy(y, self.predict(rows), weights)
        predicted, by_task = self._values(rows)
        scores = [
            task.score(
                y[places],
                predicted[places],
                None if weights is None else weights[places],
            )
            for task, places in by_task
            if len(places)
        ]
        return float(np.mean(scores))

    def predict_heads(self, rows: Rows) -> dict[Hashable, NDArray[Any]]:
        """Return the answer of every head for every row."""
        answers = {}
        outputs = self._outputs.of_every_head(rows)
        for name, task, output in zip(self.fitted.sources, self.heads, outputs):
            decoded = task.decode(output)
            flat = decoded.ndim == 2 and decoded.shape[1] == 1
            answers[name] = decoded[:, 0] if flat else decoded
        return answers

    def embedding_depends_on_source(self) -> str | None:
        """Say why the embedding depends on the source, or return None."""
        if self.fitted.sources == (ONLY_SOURCE,):
            return None
        if self._outputs.enter_apart:
            return "Each source has its own path into the net"
        return "X was scaled by source" if self.fitted.features.by_source else None

    def transform(self, rows: Rows) -> NDArray[Any]:
        """Return what the trunk makes of each row."""
        if self._outputs.enter_apart and (rows.sources.codes == UNKNOWN).any():
            raise SourceError(
                "unknown_source='pooled' gives no embedding where each source has its "
                "own path into the net. Use unknown_source='primary', or give each row "
                "its source."
            )
        return self._outputs.of_trunk(rows)


def as_probabilities(
    scores: NDArray[Any], n_classes: int, net: NeuralNet
) -> NDArray[np.float64]:
    """Return the probabilities of the classes there are, or refuse other numbers.

    A net for one class has a second output that means nothing.
    """
    scores = scores.astype(np.float64)
    refuse_nan("net", scores)
    odd = (scores < 0).any(axis=1) | ~(np.abs(scores.sum(axis=1) - 1) <= TOLERANCE)
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise SourceError(
            f"{type(net).__name__} gives numbers that are not probabilities, such as "
            f"{scores[row][:5].round(3).tolist()} for row {row}. Set its "
            "predict_nonlinearity: torch.exp where the module gives logarithms, a "
            "softmax where it gives logits."
        )
    if n_classes == 1:
        return np.ones((len(scores), 1))
    own = scores[:, :n_classes]
    return np.asarray(own / own.sum(axis=1, keepdims=True))


def _of_objects(task: ClassTask) -> bool:
    """Tell whether the answers of a head are not numbers."""
    return not all(
        isinstance(label, Real) and not isinstance(label, bool)
        for label in task.classes.tolist()
    )


def _refuse_pooling(heads: Sequence[Task]) -> None:
    """Refuse a mean over heads that do not answer the same question."""
    first, *others = heads
    for task in others:
        if not _same_question(first, task):
            raise SourceError(
                "unknown_source='pooled' averages the heads, but they do not predict "
                f"the same thing: {first.wants}, {task.wants}. Use "
                "unknown_source='primary', or give each row its source."
            )


def _same_question(first: Task, other: Task) -> bool:
    if isinstance(first, ClassTask) and isinstance(other, ClassTask):
        return np.array_equal(first.classes, other.classes)
    if isinstance(first, NumberTask) and isinstance(other, NumberTask):
        return first.columns == other.columns
    return False
