"""Pupils of two Portuguese schools, graded in mathematics and in Portuguese."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktandem.data._tables import pandas_for
from sktandem.datasets._loading import as_bunch, read_columns
from sktandem.datasets._mixed import as_mixed_frame
from sktandem.shift._shared_rows import find_shared_rows

__all__ = ["load_student_performance"]

NAMES = {"math": "math", "por": "portuguese"}
EARLIER = ["G1", "G2"]
# By these the authors of the data join the two files.
PERSON = [
    "school",
    "sex",
    "age",
    "address",
    "famsize",
    "Pstatus",
    "Medu",
    "Fedu",
    "Mjob",
    "Fjob",
    "reason",
    "nursery",
    "internet",
]
DESCRIPTION = """\
Student performance: pupils of two Portuguese secondary schools, what they said of
themselves and their families, and their final grade (G3, 0 to 20) in two subjects.

Rows: {n_math} math and {n_portuguese} portuguese. Many pupils took both:
{n_shared} pupils, identified by 13 columns of origin, have rows in both sources.
`groups` numbers the pupils.
{grades}
Features: {n_features}, integers and categories.
Licence: CC BY 4.0. Cite: Cortez (2008), Student Performance, doi:10.24432/C5TG7T.
"""


def load_student_performance(
    *,
    earlier_grades: bool = False,
    column: str | None = None,
    return_X_y: bool = False,
) -> Any:
    """Load the pupils of two subjects as two sources, many of them in both.

    The trap of merging: the same pupil is in both tables, so a split by rows trains on
    pupils that it tests on. `groups` numbers the pupils; pass it as ``groups=`` to a
    splitter.

    ==============  ====================
    Sources         math, portuguese
    Rows            395 and 649
    Features        30, integers and categories
    Target          final grade, 0 to 20
    ==============  ====================

    Always returns pandas objects, because the table mixes numbers and words;
    words are categories. Needs the extra ``notebook``.

    Parameters
    ----------
    earlier_grades : bool, default=False
        Keep G1 and G2, the grades of the first two terms. They are left out
        because the final grade is by and large their continuation: a model
        that has them learns little about anything else.

    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch. It
        has no `groups`.

    Returns
    -------
    students : Bunch
        With `data`, `target`, `sample_source`, `groups` (ndarray of shape
        (n_samples,), one number per pupil), `feature_names`, `target_name`,
        `DESCR`.

    Raises
    ------
    ImportError
        If pandas is not installed.

    Notes
    -----
    A pupil is identified by the 13 columns by which the authors join the files [1]_.
    Their often quoted 382 pupils in both are the rows of that join, which pairs
    every mathematics row with every Portuguese row of the same answers. There
    are 366 different combinations of answers that occur in both files, and 370
    pupils at most if each row is matched once. `groups` has 662 numbers: pupils
    who answered alike count as one pupil, which is on the safe side.

    References
    ----------
    .. [1] P. Cortez, A. Silva (2008), "Using data mining to predict secondary
       school student performance", Proceedings of 5th Future Business
       Technology Conference, 5-12, doi:10.24432/C5TG7T.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.datasets import load_student_performance
    >>> students = load_student_performance()
    >>> math = students.sample_source == "math"
    >>> in_both = np.isin(students.groups[math], students.groups[~math])
    >>> print(f"{in_both.mean():.0%} of {math.sum()} mathematics rows")
    94% of 395 mathematics rows

    belong to someone who is among the Portuguese rows as well.
    """
    pd = pandas_for("load_student_performance")
    columns = read_columns("student_performance.csv.gz")
    sample_source = np.array([NAMES[name] for name in columns.pop("source")])
    frame = as_mixed_frame(columns, pd)
    y = frame.pop("G3").astype(float)
    if not earlier_grades:
        frame = frame.drop(columns=EARLIER)
    # The bunch is stacked source by source; the pupils must be in that order.
    order = np.argsort(sample_source, kind="stable")
    frame, y, sample_source = frame.iloc[order], y.iloc[order], sample_source[order]
    pupils = find_shared_rows(frame, sample_source=sample_source, subset=PERSON)
    return as_bunch(
        frame,
        y,
        sample_source,
        feature_names=list(frame.columns),
        column=column,
        as_frame=True,
        return_X_y=return_X_y,
        target_name="G3",
        groups=pupils.groups,
        DESCR=DESCRIPTION.format(
            n_math=np.sum(sample_source == "math"),
            n_portuguese=np.sum(sample_source == "portuguese"),
            n_shared=pupils.across["math", "portuguese"],
            n_features=frame.shape[1],
            grades=_told(earlier_grades),
        ),
    )


def _told(earlier_grades: bool) -> str:
    kept = "kept, as asked" if earlier_grades else "left out: they predict G3 too well"
    return f"The earlier grades G1 and G2 are {kept}."
