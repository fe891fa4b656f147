"""Near copies: rows whose numbers differ by no more than a tolerance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["cross_codes", "join_near"]

# Numbers held at a time while pairs of rows are compared, some 32 megabytes.
BUDGET = 4_000_000


def join_near(
    groups: NDArray[np.intp],
    numbers: list[NDArray[np.float64]],
    words: list[NDArray[np.intp]],
    tolerance: float,
) -> NDArray[np.intp]:
    """Join the groups of exact copies that are near each other.

    `numbers` are the columns in which rows may differ, `words` the codes of
    those in which they must agree.
    """
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    widths = np.array([tolerance * _spread(values) for values in numbers])
    values = np.column_stack(numbers)[first]
    finite = np.isfinite(values)
    # Infinite and missing values have no distance: they are told like words.
    kinds = np.where(np.isnan(values), 1, np.sign(values) + 3).astype(np.intp)
    told = [codes[first] for codes in words] + list(np.where(finite, 0, kinds).T)
    return _join_pairs(np.where(finite, values, 0.0), widths, cross_codes(told))[groups]


def cross_codes(codes: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Number the different combinations of several codes."""
    groups = codes[0]
    for more in codes[1:]:
        # Renumbered at each step, so the product stays below n_samples squared.
        combined = groups * (more.max() + 1) + more
        groups = np.unique(combined, return_inverse=True)[1]
    return groups


def _spread(values: NDArray[np.float64]) -> float:
    # Sorted first: no order of the rows may move the last digit of a sum.
    values = np.sort(values[np.isfinite(values)])
    if len(values) == 0:
        return 0.0
    low, high = np.percentile(values, [25, 75])
    return float(high - low) or float(np.std(values))


def _join_pairs(
    values: NDArray[np.float64], widths: NDArray[np.float64], blocks: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Label the rows so that near rows of one block share their label."""
    scale = np.where(widths > 0, widths, 1.0)
    # In these units near is a distance of at most 1 along every axis; the
    # blocks stand 4 apart, and one tree serves them all.
    points = np.column_stack([values / scale, 4.0 * blocks])
    # Slightly too far, because the division rounds; then compared exactly.
    reach = {"r": 1.0 + 1e-6, "p": np.inf}
    tree = cKDTree(points)
    n_near = tree.query_ball_point(points, **reach, return_length=True)
    labels = np.arange(len(points))
    for rows in _portions(n_near, max(1, BUDGET // points.shape[1])):
        left = np.repeat(rows, n_near[rows])
        right = np.concatenate(tree.query_ball_point(points[rows], **reach))
        right = right.astype(np.intp)
        news = labels[left] != labels[right]
        left, right = left[news], right[news]
        near = (np.abs(values[left] - values[right]) <= widths).all(axis=1)
        labels = _merged(labels, left[near], right[near])
    return labels


def _portions(sizes: NDArray[np.intp], most: int) -> Iterator[NDArray[np.intp]]:
    """Cut the rows so that each portion's sizes add up to about `most`."""
    portion = np.cumsum(sizes) // most
    yield from np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(portion)) + 1)


def _merged(
    labels: NDArray[np.intp], left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.intp]:
    n = len(labels)
    edges = np.ones(len(left), dtype=bool), (labels[left], labels[right])
    _, joined = connected_components(sparse.coo_matrix(edges, (n, n)), directed=False)
    return np.asarray(joined, dtype=np.intp)[labels]
