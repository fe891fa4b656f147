"""Precision, recall and F1 of every class, source by source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import classification_report
from sklearn.utils.validation import column_or_1d

from sktandem.exceptions import SourceError
from sktandem.model_selection._view import (
    SourceView,
    best_of,
    own_classes,
    read_scored,
)

__all__ = ["classification_report_by_source"]


def classification_report_by_source(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_source: Any = None,
    digits: int = 2,
    output_dict: bool = False,
) -> Any:
    """Report precision, recall and F1 of every class, source by source.

    A class may be recognised well in one source and badly in the other, with the same
    mean. Each source is reported within its own classes.

    Read more in the :ref:`User Guide <scores>`.

    Parameters
    ----------
    estimator : fitted classifier
        Any scikit-learn classifier; of a fitted search the best one.

    X : array-like of shape (n_samples, n_features)
        Samples.

    y : array-like of shape (n_samples,)
        True classes.

    sample_source : array-like of shape (n_samples,), default=None
        The source of each sample. None reads the column that the estimator's
        own `source` names.

    digits : int, default=2
        Digits after the point.

    output_dict : bool, default=False
        Return a dict of dicts by source instead of text.

    Returns
    -------
    report : str or dict
        A :func:`~sklearn.metrics.classification_report` per source; nan where
        a class was never predicted, so that it has no precision.

    Raises
    ------
    SourceError
        If the rows have no source, or `estimator` is no classifier.

    See Also
    --------
    score_by_source : One number per source.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktandem import Merged
    >>> from sktandem.model_selection import classification_report_by_source
    >>> X, y = [[0.0], [1.0], [0.0], [1.0]], ["ill", "well", "ill", "ill"]
    >>> source = ["clinic", "clinic", "lab", "lab"]
    >>> model = Merged(LogisticRegression(), scaler=None)
    >>> model = model.fit(X, y, sample_source=source)
    >>> report = classification_report_by_source(
    ...     model, X, y, sample_source=source, output_dict=True
    ... )
    >>> report["clinic"]["ill"]["precision"], report["lab"]["ill"]["precision"]
    (0.5, 1.0)
    """
    fitted = best_of(estimator)
    if not isinstance(getattr(fitted, "classes_", None), np.ndarray):
        raise SourceError(
            "A classification report needs a classifier of one output, got "
            f"{fitted!r}. score_by_source takes other estimators."
        )
    every = read_scored(
        fitted,
        X,
        y,
        sample_source=sample_source,
        otherwise="The report needs each row's source: pass sample_source, or an "
        "estimator whose source= names a column.",
    )
    reports = {}
    for name in every.rows.names:
        scored = every.of(name)
        view, rows = SourceView(scored), scored.rows
        rows = replace(rows, y=column_or_1d(rows.y))
        own = own_classes(fitted, [name], rows.y)
        classes = [] if own is None else own.tolist()
        # As codes: scikit-learn's metrics cannot hold numbers beside strings.
        classes += [label for label in set(rows.y.tolist()) if label not in classes]
        others = [c for c in fitted.classes_.tolist() if c not in classes]
        code = {label: k for k, label in enumerate([*classes, *others])}
        reports[name] = classification_report(
            [code[label] for label in rows.y.tolist()],
            [code[label] for label in np.asarray(view.predict(rows.X)).tolist()],
            labels=range(len(classes)),
            target_names=[str(label) for label in classes],
            digits=digits,
            output_dict=output_dict,
            zero_division=np.nan,
        )
    if output_dict:
        return reports
    return "\n".join(f"{name}\n{text}" for name, text in reports.items())
