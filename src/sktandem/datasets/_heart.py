"""Four hospitals, one examination: who has heart disease."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._settings import check_switch
from sktandem.data._tables import pandas_for
from sktandem.datasets._loading import as_bunch, read_distinct
from sktandem.datasets._mixed import with_names

__all__ = ["load_heart_disease"]

# No living patient has either, so a zero is a value that nobody took.
NEVER_ZERO = ["trestbps", "chol"]
CODES = {
    "cp": {
        1.0: "typical angina",
        2.0: "atypical angina",
        3.0: "non-anginal pain",
        4.0: "asymptomatic",
    },
    "restecg": {
        0.0: "normal",
        1.0: "ST-T abnormality",
        2.0: "left ventricular hypertrophy",
    },
    "slope": {1.0: "upsloping", 2.0: "flat", 3.0: "downsloping"},
    "thal": {3.0: "normal", 6.0: "fixed defect", 7.0: "reversible defect"},
}
DESCRIPTION = """\
Heart disease: patients of four hospitals before angiography, in Cleveland,
Budapest (hungarian), Zurich and Basel (switzerland), and Long Beach (va).

Rows: {n_rows}; {n_dropped} rows that repeat another one in every value were dropped.
Target: 1 where a vessel is narrowed by more than half (num > 0), else 0.
Features: 13 with missing values (NaN). A blood pressure or a cholesterol of 0 is
a missing value; the Swiss hospitals recorded no cholesterol at all.
age in years; sex (1 male); cp chest pain; trestbps resting blood pressure in mm Hg;
chol cholesterol in mg/dl; fbs fasting blood sugar above 120 mg/dl; restecg resting
electrocardiogram; thalach highest heart rate; exang angina in exercise; oldpeak ST
depression in exercise; slope of the ST segment; ca coloured vessels; thal scan.
Codes: {codes}
Licence: CC BY 4.0. Cite: Janosi, Steinbrunn, Pfisterer, Detrano (1989), Heart
Disease, doi:10.24432/C52P4X.
"""


def load_heart_disease(
    *,
    column: str | None = None,
    drop_duplicates: bool = True,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Load the patients of four hospitals as four sources of one table.

    The same examination in four places that differ in nearly every way: how many of the
    patients are ill, which values were recorded, and how many patients there are.

    ==============  ====================
    Sources         cleveland, hungarian, switzerland, va
    Rows            303, 293, 123 and 199
    Features        13, numeric, with NaN
    Target          1 where the heart is diseased, else 0
    ==============  ====================

    Parameters
    ----------
    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`.

    drop_duplicates : bool, default=True
        Leave out the two patients (one hungarian, one va) that repeat another
        in every value.

    as_frame : bool, default=False
        Return pandas objects. The codes of ``cp``, ``restecg``, ``slope`` and
        ``thal`` then become categories with names. In the array they are
        numbers, of which only those of ``slope`` have an order. Needs the
        extra ``notebook``.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch.

    Returns
    -------
    heart : Bunch
        With `data`, `target`, `sample_source`, `feature_names`, `target_name`,
        `target_names` (of 0 and 1), `n_duplicates_dropped`, `DESCR`.

    Notes
    -----
    Zeros in ``chol`` (172 patients) and ``trestbps`` (one) are missing values
    and come as NaN. The Swiss column ``chol`` is NaN throughout: a model of
    all hospitals needs an imputer or a learner that takes NaN.

    References
    ----------
    .. [1] R. Detrano et al. (1989), "International application of a new
       probability algorithm for the diagnosis of coronary artery disease",
       American Journal of Cardiology 64(5), 304-310.
    .. [2] A. Janosi, W. Steinbrunn, M. Pfisterer, R. Detrano (1989), "Heart
       Disease", UCI Machine Learning Repository, doi:10.24432/C52P4X.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.datasets import load_heart_disease
    >>> heart = load_heart_disease()
    >>> for name in np.unique(heart.sample_source):
    ...     print(f"{name}: {heart.target[heart.sample_source == name].mean():.0%}")
    cleveland: 46%
    hungarian: 36%
    switzerland: 93%
    va: 74%

    The share of the ill. A model of the merged hospitals can learn where a patient
    is rather than how ill the patient is.
    """
    check_switch("as_frame", as_frame)
    columns, n_dropped = read_distinct("heart_disease.csv.gz", drop_duplicates)
    sample_source = columns.pop("source")
    y = (columns.pop("num").astype(int) > 0).astype(int)
    X: Any = np.column_stack([_numbers(name, columns[name]) for name in columns])
    if as_frame:
        X = _with_categories(X, list(columns))
    return as_bunch(
        X,
        y,
        sample_source,
        feature_names=list(columns),
        column=column,
        as_frame=as_frame,
        return_X_y=return_X_y,
        target_name="ill",
        target_names=["healthy", "ill"],
        n_duplicates_dropped=n_dropped,
        DESCR=DESCRIPTION.format(
            n_rows=len(y), n_dropped=n_dropped, codes=_spelt_codes()
        ),
    )


def _numbers(name: str, texts: NDArray[Any]) -> NDArray[Any]:
    values = np.where(texts == "", "nan", texts).astype(float)
    if name in NEVER_ZERO:
        values[values == 0] = np.nan
    return values


def _with_categories(X: NDArray[Any], names: list[str]) -> Any:
    pd = pandas_for("as_frame=True")
    frame = pd.DataFrame(X, columns=names)
    spelt = {name: with_names(frame[name], codes, pd) for name, codes in CODES.items()}
    return frame.assign(**spelt)


def _spelt_codes() -> str:
    return ";\n".join(
        f"{name}: " + ", ".join(f"{code:.0f} {text}" for code, text in codes.items())
        for name, codes in CODES.items()
    )
