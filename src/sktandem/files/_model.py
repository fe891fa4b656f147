"""A fitted estimator with the layout of its tables: to save, load and predict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile

import joblib
import numpy as np
from numpy.typing import NDArray

from sktandem._extras import require
from sktandem._routing import accepts_source
from sktandem.exceptions import SourceError
from sktandem.files._layout import NewRows, TableLayout
from sktandem.files._trusted import TRUSTED_TYPES

__all__ = ["TableModel", "checked_path", "load_model"]

SUFFIXES = (".skops", ".joblib")


@dataclass(frozen=True, eq=False)
class TableModel:
    """A fitted estimator, and how the next file is to be read for it.

    What ``fit`` of :class:`~sktandem.files.SourceTables` returns. It predicts for
    files and data frames whose columns may come in any order.

    Attributes
    ----------
    estimator : estimator instance
        The fitted estimator.

    layout : TableLayout
        The columns it was fitted on.
    """

    estimator: Any
    layout: TableLayout

    def predict(self, table: Any, *, name: Any = None) -> NDArray[Any]:
        """Predict the target of each row of a file or data frame.

        Parameters
        ----------
        table : path, data frame or NewRows
            The rows; as ``layout.read`` gives them, if they were read already.

        name : str, default=None
            The source they come from.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            The predictions.
        """
        return np.asarray(self._answer("predict", table, name))

    def predict_proba(self, table: Any, *, name: Any = None) -> NDArray[Any]:
        """Predict the probability of each class for each row.

        Parameters
        ----------
        table : path, data frame or NewRows
            The rows; as ``layout.read`` gives them, if they were read already.

        name : str, default=None
            The source they come from.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            A column for each of ``estimator.classes_``.
        """
        return np.asarray(self._answer("predict_proba", table, name))

    def _answer(self, method: str, table: Any, name: Any) -> Any:
        if not isinstance(table, NewRows):
            table = self.layout.read(table, name=name)
        handed = {}
        if table.sample_source is not None and accepts_source(self.estimator, method):
            handed["sample_source"] = table.sample_source
        return getattr(self.estimator, method)(table.X, **handed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file.

        Parameters
        ----------
        path : path
            A name that ends in ".skops", which needs skops, or in ".joblib". A file
            of joblib runs whatever code is in it when it is loaded.
        """
        path = checked_path(path)
        if path.suffix == ".joblib":
            joblib.dump(self, path)
            return
        require(path.name, "skops")
        from skops import io

        io.dump(self, path, compression=ZIP_DEFLATED)


def load_model(
    path: str | os.PathLike[str], *, trusted: Sequence[str] = ()
) -> TableModel:
    """Load a model that was saved.

    Parameters
    ----------
    path : path
        The file. Load one of joblib only if you trust the person who made it.

    trusted : sequence of str, default=()
        Types in a file of skops to trust, besides those of scikit-learn, NumPy,
        SciPy and this package.

    Returns
    -------
    model : TableModel
        The model.

    See Also
    --------
    sktandem.read_sources : Read several files; its result fits such a model.

    Examples
    --------
    >>> import pandas as pd
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem import Merged, read_sources
    >>> from sktandem.files import load_model
    >>> a = pd.DataFrame({"dose": [1.0, 2.0], "effect": [3.0, 5.0]})
    >>> tables = read_sources({"A": a, "B": a}, target="effect")
    >>> model = tables.fit(Merged(LinearRegression()))
    >>> with TemporaryDirectory() as folder:
    ...     model.save(Path(folder, "model.joblib"))
    ...     again = load_model(Path(folder, "model.joblib"))
    >>> again.predict(pd.DataFrame({"dose": [4.0]}), name="A").round(6)
    array([9.])
    """
    path = checked_path(path)
    if path.suffix == ".joblib":
        model = joblib.load(path)
    else:
        require(path.name, "skops")
        from skops import io

        trusted = [*TRUSTED_TYPES, *trusted]
        try:
            asked = io.get_untrusted_types(file=path)
        except BadZipFile as error:
            raise SourceError(
                f"{path} is not a skops file, or is damaged: {error}. Save it again."
            ) from error
        foreign = [name for name in asked if name not in trusted]
        if foreign:
            nets = [name for name in foreign if name.startswith("skorch.")]
            hidden = " A net of skorch brings a pickle, which runs code." * bool(nets)
            raise SourceError(
                f"{path} holds the types {foreign}.{hidden} If you trust the person "
                f"who made it: load_model(path, trusted={foreign})."
            )
        model = io.load(path, trusted=trusted)
    if not isinstance(model, TableModel):
        raise SourceError(f"{path} holds a {type(model).__name__}, not a TableModel.")
    return model


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a model; refuse one of another kind."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise SourceError(f"A model is a file of {' or '.join(SUFFIXES)}, got {path}.")
    return path
