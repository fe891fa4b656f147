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
    "y_pred": """\
y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    Predicted classes, or numbers in the units of y.""",
    "probabilities": """\
probabilities : ndarray of shape (n_samples, n_classes)
    One column per class, in the order of `classes_`.""",
    "log_probabilities": """\
log_probabilities : ndarray of shape (n_samples, n_classes)
    One column per class, in the order of `classes_`.""",
    "decision": """\
decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
    What the estimator inside returns.""",
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
