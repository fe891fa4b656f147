"""Cross-validators that know which source a row came from."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold
from sklearn.utils import check_random_state

from sktandem._routing import SplitsBySource
from sktandem._settings import check_integer, check_known
from sktandem._telling import counted, warn
from sktandem._typing import RandomState
from sktandem.data._cells import cross_cells, deal_folds, target_strata
from sktandem.data._rows import Rows, read_rows
from sktandem.data._sources import Sources
from sktandem.exceptions import SourceError

__all__ = ["LeaveOneSourceOut", "SourceKFold"]

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


class _SourceSplitter(SplitsBySource, BaseCrossValidator):
    """What both cross-validators share: reading rows with their sources and groups."""

    source: str | int | None

    def _read(self, X: Any, y: Any, groups: Any, sample_source: Any) -> Rows:
        if self.source is None and sample_source is None:
            raise SourceError(
                f"{type(self).__name__} needs each row's source: name its column by "
                "source=, or pass sample_source (in cross-validation: enable metadata "
                "routing and pass params={'sample_source': ...})."
            )
        given = {"sample_source": sample_source, "source": self.source}
        return read_rows(None, X, y, groups=groups, **given)


def _without_companions(test: NDArray[np.intp], rows: Rows) -> NDArray[np.intp]:
    """Return the rows to train on: all but `test` and other rows of its groups."""
    train = np.ones(len(rows), dtype=bool)
    train[test] = False
    if rows.groups is not None:
        train &= ~np.isin(rows.groups, rows.groups[test])
    return np.flatnonzero(train)


class SourceKFold(_SourceSplitter):
    """K folds in which every source, and every class of it, is represented.

    Plain K-fold lets a small source be missing from a fold; stratifying by
    class alone does too. Here the rows are dealt out by source and class
    together, or by source and quantile of a continuous target.

    Read more in the :ref:`User Guide <scores>`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.

    source : str or int, default=None
        Name or position of the column of X that holds each row's source. A
        column needs no metadata routing.

    test_source : hashable, default=None
        Test on the rows of this source only. All other sources are always in
        training, so that the score shows what they are worth to this one.

    shuffle : bool, default=False
        Whether to shuffle the rows of each cell before dealing them.

    random_state : int, RandomState instance or None, default=None
        Seeds the shuffling.

    See Also
    --------
    LeaveOneSourceOut : Test on a source that was not there in training.

    Notes
    -----
    `groups` always means rows that must stay together. A group in a test fold
    has no training row of any source. With groups the folds come
    from :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    A class of fewer rows than folds is spread without a warning.

    Examples
    --------
    >>> import numpy as np
    >>> from sktandem.model_selection import SourceKFold
    >>> sample_source = np.array(["clinic"] * 6 + ["lab"] * 3)
    >>> X, y = np.zeros((9, 1)), [0, 1, 0, 1, 0, 1, 0, 0, 1]
    >>> for _, test in SourceKFold(3).split(X, y, sample_source=sample_source):
    ...     print(sample_source[test])
    ['clinic' 'clinic' 'lab']
    ['clinic' 'clinic' 'lab']
    ['clinic' 'clinic' 'lab']
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        source: str | int | None = None,
        test_source: Hashable = None,
        shuffle: bool = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_splits = n_splits
        self.source = source
        self.test_source = test_source
        self.shuffle = shuffle
        self.random_state = random_state
        # Here, as in scikit-learn's splitters, and not in split: some of its
        # meta-estimators set random_state on whatever splitter they are given.
        if random_state is not None and not shuffle:
            raise SourceError(
                f"random_state={random_state!r} does nothing without shuffle=True."
            )

    def split(
        self, X: Any, y: Any = None, groups: Any = None, *, sample_source: Any = None
    ) -> Iterator[Split]:
        """Generate the rows to train and to test on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,), default=None
            The target to stratify by; several outputs at once are not.

        groups : array-like of shape (n_samples,), default=None
            Rows that must stay together, as those of one patient: the same group.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`.

        Yields
        ------
        train : ndarray of int
            The rows to train on.

        test : ndarray of int
            The rows to test on.
        """
        check_integer("n_splits", self.n_splits, least=2)
        yield from self._split_rows(self._read(X, y, groups, sample_source))

    def _split_rows(self, rows: Rows) -> Iterator[Split]:
        """Generate the same of rows that were read, with their groups."""
        tested = self._tested_rows(rows.sources)
        folds = self._folds(
            Sources(rows.names, rows.sources.codes[tested]),
            None if rows.y is None else rows.y[tested],
            None if rows.groups is None else rows.groups[tested],
        )
        for fold in range(self.n_splits):
            test = tested[folds == fold]
            yield _without_companions(test, rows), test

    def get_n_splits(
        self,
        X: Any = None,
        y: Any = None,
        groups: Any = None,
        *,
        sample_source: Any = None,
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups, sample_source : object
            Not used; here for the interface.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self.n_splits

    def _tested_rows(self, sources: Sources) -> NDArray[np.intp]:
        if self.test_source is None:
            sizes = dict(zip(sources.names, sources.sizes.tolist()))
        else:
            check_known("test_source", self.test_source, sources.names)
            position = sources.names.index(self.test_source)
            sizes = {self.test_source: int(sources.sizes[position])}
        if self.n_splits > sum(sizes.values()):
            raise SourceError(
                f"n_splits={self.n_splits} is more than the {sum(sizes.values())} rows "
                f"of {list(sizes)}."
            )
        small = {name: size for name, size in sizes.items() if size < self.n_splits}
        if small:
            warn(
                f"n_splits={self.n_splits} is more than the rows of {small}: some test "
                "folds have none of theirs."
            )
        if self.test_source is None:
            return np.arange(len(sources.codes))
        return sources.rows[position]

    def _folds(
        self,
        sources: Sources,
        y: NDArray[Any] | None,
        groups: NDArray[np.intp] | None,
    ) -> NDArray[np.intp]:
        cells = cross_cells(sources, target_strata(sources, y))
        if groups is None:
            rng = check_random_state(self.random_state) if self.shuffle else None
            return deal_folds(cells, self.n_splits, rng)
        n_groups = len(np.unique(groups))
        if n_groups < self.n_splits:
            raise SourceError(
                f"n_splits={self.n_splits} is more than the "
                f"{counted(n_groups, 'group')} to deal out."
            )
        splitter = StratifiedGroupKFold(
            self.n_splits,
            shuffle=self.shuffle,
            random_state=self.random_state if self.shuffle else None,
        )
        folds = np.empty(len(cells), dtype=np.intp)
        cells = _without_rare_cells(cells, sources, self.n_splits)
        for fold, (_, test) in enumerate(splitter.split(cells, cells, groups)):
            folds[test] = fold
        return folds


def _without_rare_cells(
    cells: NDArray[np.intp], sources: Sources, n_splits: int
) -> NDArray[np.intp]:
    """Lay cells that cannot reach every fold to the largest of their source."""
    sizes = np.bincount(cells)
    rare = sizes[cells] < n_splits
    joined = cells.copy()
    for rows in sources.rows:
        own = np.bincount(cells[rows], minlength=len(sizes))
        joined[rows[rare[rows]]] = np.argmax(own)
    # A source with fewer rows than folds is rare as a whole.
    rare = np.bincount(joined)[joined] < n_splits
    joined[rare] = np.argmax(sizes)
    return joined


class LeaveOneSourceOut(_SourceSplitter):
    """Test on each source in turn, having trained on all others.

    This estimates how a model will do at a new site. Groups that have rows in the
    tested source as well are left out of training.

    Read more in the :ref:`User Guide <scores>`.

    Parameters
    ----------
    source : str or int, default=None
        Name or position of the column of X that holds each row's source.

    See Also
    --------
    SourceKFold : Folds with a part of every source.

    Notes
    -----
    An estimator that scales by source has no measure for a new one: set its
    `unknown_source`.

    Examples
    --------
    >>> from sktandem.model_selection import LeaveOneSourceOut
    >>> X = [["clinic"], ["lab"], ["clinic"]]
    >>> for train, test in LeaveOneSourceOut(source=0).split(X):
    ...     print(train, test)
    [1] [0 2]
    [0 2] [1]
    """

    def __init__(self, source: str | int | None = None) -> None:
        self.source = source

    def split(
        self, X: Any, y: Any = None, groups: Any = None, *, sample_source: Any = None
    ) -> Iterator[Split]:
        """Generate the rows to train and to test on, a source at a time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples of all sources.

        y : array-like of shape (n_samples,), default=None
            Not used; here for the interface.

        groups : array-like of shape (n_samples,), default=None
            Rows that must stay together: no other row of a tested group is trained on.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample; it wins over the column `source`.

        Yields
        ------
        train : ndarray of int
            The rows to train on.

        test : ndarray of int
            The rows to test on.
        """
        rows = self._read(X, None, groups, sample_source)
        if len(rows.names) < 2:
            raise SourceError(
                f"LeaveOneSourceOut needs at least two sources, got {list(rows.names)}."
            )
        for test in rows.sources.rows:
            yield _without_companions(test, rows), test

    def get_n_splits(
        self,
        X: Any = None,
        y: Any = None,
        groups: Any = None,
        *,
        sample_source: Any = None,
    ) -> int:
        """Return the number of sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Samples, needed where `source` names a column.

        y, groups : object
            Not used; here for the interface.

        sample_source : array-like of shape (n_samples,), default=None
            The source of each sample.

        Returns
        -------
        n_splits : int
            The number of sources.
        """
        if X is None and sample_source is not None:
            X = np.empty((len(sample_source), 1))
        return len(self._read(X, None, None, sample_source).names)
