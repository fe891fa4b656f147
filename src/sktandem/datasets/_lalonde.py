"""A job training experiment beside a survey of the whole population."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktandem.datasets._loading import as_bunch, read_columns

__all__ = ["load_lalonde"]

DESCRIPTION = """\
LaLonde: earnings after a job training programme. nsw is the experiment, the
National Supported Work Demonstration, in which training was given by lot
(185 trained, 260 not); cps is a sample of the Current Population Survey, of whom
none was trained. The selection is that of Dehejia and Wahba.

Rows: {n_cps:,} cps and {n_nsw} nsw. Target: re78, the earnings of 1978 in dollars.
Features: treat (1 trained), age, educ (years of school), black, hisp, marr,
nodegree, re74 and re75 (earnings of 1974 and 1975 in dollars).
Licence: MIT (the R package causaldata); public US government surveys.
Cite: LaLonde (1986), American Economic Review 76(4); Dehejia, Wahba (1999),
Journal of the American Statistical Association 94(448).
"""


def load_lalonde(
    *,
    column: str | None = None,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Load a small experiment and a large survey that may help it.

    Job training was assigned at random to a few hundred people, and a survey of the
    whole country has thirty-six times as many rows. Most of them are unlike anyone in
    the experiment, so stacking the two drowns the experiment.

    ==============  ====================
    Sources         cps, nsw
    Rows            15,992 and 445
    Features        9, numeric; ``treat`` is one of them
    Target          earnings in 1978, dollars
    ==============  ====================

    Parameters
    ----------
    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`.

    as_frame : bool, default=False
        Return pandas objects. Needs the extra ``notebook``.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch.

    Returns
    -------
    lalonde : Bunch
        With `data`, `target`, `sample_source`, `feature_names`, `target_name`,
        `DESCR`.

    Notes
    -----
    1,731 rows repeat another one, most of them people without earnings. In so
    coarse a table these are different people with the same answers, not
    copies, so they stay.

    References
    ----------
    .. [1] R. LaLonde (1986), "Evaluating the econometric evaluations of
       training programs with experimental data", American Economic Review
       76(4), 604-620.
    .. [2] R. Dehejia, S. Wahba (1999), "Causal effects in nonexperimental
       studies: reevaluating the evaluation of training programs", Journal of
       the American Statistical Association 94(448), 1053-1062.

    Examples
    --------
    What training earned, by the experiment alone, and by comparing the trained
    with the survey:

    >>> from sktandem.datasets import load_lalonde
    >>> X, y, sample_source = load_lalonde(return_X_y=True)
    >>> trained, survey = X[:, 0] == 1, sample_source == "cps"
    >>> print(f"{y[trained].mean() - y[~trained & ~survey].mean():.0f} dollars")
    1794 dollars
    >>> print(f"{y[trained].mean() - y[survey].mean():.0f} dollars")
    -8498 dollars

    The second number is the merge at its worst: the wrong sign.
    """
    columns = read_columns("lalonde.csv.gz")
    del columns["data_id"]
    sample_source = columns.pop("source")
    y = columns.pop("re78").astype(float)
    X = np.column_stack([values.astype(float) for values in columns.values()])
    n_cps = int(np.sum(sample_source == "cps"))
    return as_bunch(
        X,
        y,
        sample_source,
        feature_names=list(columns),
        column=column,
        as_frame=as_frame,
        return_X_y=return_X_y,
        target_name="re78",
        DESCR=DESCRIPTION.format(n_cps=n_cps, n_nsw=len(y) - n_cps),
    )
