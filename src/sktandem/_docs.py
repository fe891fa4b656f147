"""Parameters that many estimators share, described once and filled in."""

from __future__ import annotations

import re
from typing import Any, TypeVar

__all__ = ["SHARED", "documented"]

T = TypeVar("T")

# A mark such as {X}, alone on its line, becomes the text of that name.
SHARED = {
    "X": """\
X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
    Samples of all sources.""",
    "X_seen": """\
X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
    Samples, in the form that `fit` was given.""",
    "sample_source_seen": """\
sample_source : array-like of shape (n_samples,), default=None
    The source of each sample, needed where predictions depend on it; it wins
    over the column that `source` names.""",
    "y": """\
y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    Targets: classes of any kind, numbers and strings together as an array
    of objects, or numbers to predict.""",
    "sample_source": """\
sample_source : array-like of shape (n_samples,), default=None
    The source of each sample; it wins over the column that `source` names.
    In `fit`, with neither, all samples are one source.""",
    "sample_weight": """\
sample_weight : array-like of shape (n_samples,), default=None
    What each sample counts.""",
    "source": """\
source : str or int, default=None
    Name or position of the column of X that holds each row's source; it is
    taken out of the features. None means that labels come by the keyword
    `sample_source`.""",
    "scaler": """\
scaler : str, transformer or None, default="standard"
    "standard", "minmax" or "robust" scales the numeric columns and lets the
    others pass; sparse X is not centred. A transformer, such as
    :func:`~sktandem.table_preprocessor`, gets every column but the source.
    It is fitted inside `fit`, with the final weights where it takes any.""",
    "scale_by": """\
scale_by : {"pooled", "source"}, default="pooled"
    Whether one scaler serves all rows, or each source has its own.""",
    "primary_source": """\
primary_source : hashable, default=None
    The source you care about most.""",
    "unknown_source": """\
unknown_source : {"error", "primary", "pooled"}, default="error"
    What to do with a row whose source was not there in `fit`, or is not
    given, where the prediction depends on the source: raise, treat it as
    the primary source's, or treat it by what all sources have in common.""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Seeds all that is left to chance, and every `random_state` that an
    estimator inside leaves at None.""",
    "sources_": """\
sources_ : tuple
    The names of the sources, in order.""",
    "classes_": """\
classes_ : ndarray of shape (n_classes,)
    The classes of all sources; of classifiers only.""",
    "classes_by_source_": """\
classes_by_source_ : dict of {source: ndarray}
    The classes that each source had in `fit`; of classifiers only.""",
    "n_features_in_": """\
n_features_in_ : int
    Number of features seen in `fit`, the source column included.""",
    "feature_names_in_": """\
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of features seen in `fit`, where all are strings.""",
    "X_nd": """\
X : {array-like, data frame, tensor} of shape (n_samples, n_features, ...)
    Samples of all sources. More than two dimensions need ``scaler=None``, and so
    do rows that are read when they are needed, as of a torch ``Dataset``, and a dict of
    arrays, the inputs of the module by name.""",
    "y_nets": """\
y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    Targets: classes of any kind, or numbers. Where heads are by source each
    source may have classes, or a number of targets, of its own: NaN stands
    in the columns that it does not have.""",
    "schedule": """\
schedule : str or Schedule, default="auto"
    Who trains when: an object of :mod:`sktandem.schedules`, or one of
    "batches", "epochs", "plateau", "sampled", "curriculum", "bandit",
    "joint" and "shuffled" for one with its defaults. "auto" is "batches"
    with one output for all and "joint" with heads by source.""",
    "heads": """\
heads : {"shared", "source"}, default="shared"
    Whether one output answers for all sources, or each source has a head of
    its own on the shared trunk, as it must where their labels differ.""",
    "head": """\
head : sequence of int, callable or None, default=None
    What stands on the trunk for each source, where heads are by source: None
    for a linear layer, the sizes of hidden layers, or a function
    ``(width, n_outputs) -> module``.""",
    "loss_weights": """\
loss_weights : {"size", "uncertainty", "dwa"}, dict or None, default=None
    What the loss of each source counts, whichever is in turn, where heads are
    by source.

    - None: every source the same.
    - "size": by its rows.
    - dict: as given, a weight for each source.
    - "uncertainty": by a variance for each source that is trained with the
      net [1]_.
    - "dwa": more for a source whose loss falls more slowly [2]_.""",
    "batch_size": """\
batch_size : int or dict, default=None
    Rows in a batch, or a number for each source. -1 takes all rows of a
    source. None keeps the net's.""",
    "validation_fraction": """\
validation_fraction : float, dict or None, default=0.2
    The part of each source that is held out to validate on, the same of each
    class. A dict gives the part by source, and sources it does not name are
    not validated. None turns validation off. Which rows are held out depends
    on `random_state` and their place only.""",
    "keep": """\
keep : {"best", "last"}, default="best"
    "best" goes back to the weights of the epoch with the best validation
    loss when `fit` ends: its mean over the sources, or that of
    `primary_source`. Without validation, and in `partial_fit`, the last
    weights stay.""",
    "average": """\
average : {"ema", "swa"}, float or None, default=None
    The source that trained last decides where the weights end; averaged
    weights undo that. "ema" is an exponential moving average over steps with
    a decay of 0.99, a number is its decay, "swa" is the mean over the last
    quarter of the epochs [3]_. Validation, `keep` and predictions then
    concern the averaged weights. Running statistics, as of batch
    normalisation, are not averaged.""",
    "balance_loss": """\
balance : {"classes", "both"} or None, default=None
    Weights the loss of rows, where all that is learned are classes.
    "classes" lets the classes count the same within each source, "both" every
    class of every source. What part the sources have in the training is for
    the schedule to say.""",
    "history_detail": """\
history_detail : {"batch", "epoch"}, default="batch"
    Whether the history keeps a row for each batch of every epoch, or only of
    the present one. A row takes about 200 bytes.""",
    "history_": """\
history_ : skorch.history.History
    A row for each epoch: `train_loss`, `valid_loss`, for each source
    ``train_loss[red]``, ``valid_loss[red]`` and ``rows_seen[red]`` (rows
    trained on so far), their mean `valid_loss_macro`, and `source`, who was
    in turn. Each batch has its `source`, too.""",
    "n_samples_by_source_": """\
n_samples_by_source_ : dict of {source: int}
    The number of rows of each source that were trained on, those held out
    not counted.""",
    "seed_": """\
seed_ : int
    The seed that was drawn from `random_state`.""",
    "precision_": """\
precision_ : {"float64", "float32"}
    The precision of predictions. It is double on the CPU wherever the module
    can be cast to it and has less than 10 million weights, so that a row's
    prediction does not depend on the rows predicted with it.""",
    "member_estimator": """\
estimator : estimator instance, default=None
    A classifier, a regressor or a skorch net, which is cloned. None is a hole
    that a comparison fills with the estimator that it compares.""",
    "member_scaler": """\
scaler : str, transformer or None, default="standard"
    How features reach `estimator`, as in :class:`~sktandem.Merged`; of one of
    our own nets, its own `scaler` does.""",
    "member_unknown_source": """\
unknown_source : {"error", "primary", "pooled"}, default="error"
    What to do with a row whose source was not there in `fit`, or is not
    given: raise, ask the primary source's model, or take the mean of what
    all models give.""",
    "models_": """\
models_ : dict of {source: estimator}
    The fitted model of each source.""",
}

MARK = re.compile(r"^([ ]*)\{(\w+)\}$", re.MULTILINE)


def documented(kind: T) -> T:
    """Fill the marks in the docstrings of a class and its methods, or a function."""
    members = vars(kind).values() if isinstance(kind, type) else ()
    for thing in (kind, *members):
        # What available_if makes holds the function that it stands for.
        for each in (thing, getattr(thing, "fn", None)):
            _fill(each)
    return kind


def _fill(thing: Any) -> None:
    doc = getattr(thing, "__doc__", None)
    if isinstance(doc, str) and MARK.search(doc):
        thing.__doc__ = MARK.sub(_text, doc)


def _text(mark: re.Match[str]) -> str:
    indent, name = mark.groups()
    lines = SHARED[name].splitlines()
    return "\n".join(indent + line if line else "" for line in lines)
