"""The two wines: red and white Vinho Verde, graded by tasters."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from sktandem.datasets._loading import (
    as_bunch,
    check_task,
    read_distinct,
)

__all__ = ["load_wine_quality"]

GRADES = np.array(["low", "medium", "high"])
DESCRIPTION = """\
Wine quality: physical and chemical measurements of red and white Vinho Verde,
and the median grade (0 to 10) of at least three tasters.

Rows: {n_rows} ({sizes}); {n_dropped} rows that repeat another one in every value were
dropped, because a copy in training gives the grade of a test row away.
Features: 11, all numeric. Sources: red, white.
Licence: CC BY 4.0. Cite: Cortez, Cerdeira, Almeida, Matos, Reis (2009), Wine
Quality, doi:10.24432/C56S3T.
"""


def load_wine_quality(
    task: Literal["regression", "classification"] = "regression",
    *,
    column: str | None = None,
    drop_duplicates: bool = True,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Load the red and white wines as two sources of one table.

    The same eleven measurements, the same tasters, two kinds of wine whose
    chemistry differs: the smallest real case of two datasets and one model.

    ==============  ====================
    Sources         red, white
    Rows            1,359 and 3,961
    Features        11, numeric
    Target          grade 3 to 9, or three classes
    ==============  ====================

    Parameters
    ----------
    task : {"regression", "classification"}, default="regression"
        The target: the grade itself, or "low" (5 and less), "medium" (6) and
        "high" (7 and more).

    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`.

    drop_duplicates : bool, default=True
        Leave out the 1,177 rows that repeat another of the same wine in every
        value. A copy in the training rows gives a test row's grade away.

    as_frame : bool, default=False
        Return pandas objects. Needs the extra ``notebook``.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch.

    Returns
    -------
    wine : Bunch
        With `data`, `target`, `sample_source`, `feature_names`, `target_name`,
        `target_names` (classification), `n_duplicates_dropped`, `DESCR`.

    References
    ----------
    .. [1] P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis (2009),
       "Modeling wine preferences by data mining from physicochemical
       properties", Decision Support Systems 47(4), doi:10.24432/C56S3T.

    Examples
    --------
    >>> from sktandem.datasets import load_wine_quality
    >>> wine = load_wine_quality()
    >>> wine.data.shape, wine.n_duplicates_dropped
    ((5320, 11), 1177)
    """
    check_task(task)
    columns, n_dropped = read_distinct("wine_quality.csv.gz", drop_duplicates)
    sample_source = columns.pop("source")
    grade = columns.pop("quality").astype(int)
    X = np.column_stack([values.astype(float) for values in columns.values()])
    described: dict[str, Any] = {
        "target_name": "quality",
        "n_duplicates_dropped": n_dropped,
    }
    if task == "classification":
        y = GRADES[np.digitize(grade, [6, 7])]
        described["target_names"] = sorted(GRADES.tolist())
    else:
        y = grade.astype(float)
    names, sizes = np.unique(sample_source, return_counts=True)
    described["DESCR"] = DESCRIPTION.format(
        n_rows=len(y),
        sizes=", ".join(f"{n:,} {name}" for name, n in zip(names, sizes)),
        n_dropped=n_dropped,
    )
    return as_bunch(
        X,
        y,
        sample_source,
        feature_names=list(columns),
        column=column,
        as_frame=as_frame,
        return_X_y=return_X_y,
        **described,
    )
