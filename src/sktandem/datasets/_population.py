"""One source of a made pair: what its rows are drawn from, and its best scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, xlogy

__all__ = ["Population"]

# Quantiles of the noise, and points along the rule, at which chances are
# averaged; both scores then hold to three decimals, mostly to five.
N_QUANTILES = 2_000
POINTS = np.linspace(-9.0, 9.0, 2_000)
DENSITY = np.exp(-0.5 * POINTS**2) / np.exp(-0.5 * POINTS**2).sum()


@dataclass(frozen=True)
class Population:
    """Normal features of unit variance, a linear rule, and noise.

    `seen` marks the features that the source has. `share` is the part of rows
    in class 1 asked for, None for what comes by itself.
    """

    mean: NDArray[np.float64]
    coef: NDArray[np.float64]
    noise: float
    seen: NDArray[np.bool_]
    share: float | None = None

    def draw(
        self, n: int, rng: np.random.RandomState, *, classes: bool
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Draw rows and targets; a regression target is the rule plus noise."""
        if not classes:
            X = self._features(n, rng)
            return X, X @ self.coef + self.noise * rng.normal(size=n)
        if self.share is None:
            return self._classified(n, rng)
        # Of the class there is too much of only some rows are kept.
        rate = self.odds / self.odds.max()
        parts: list[tuple[NDArray[np.float64], NDArray[Any]]] = []
        while sum(len(y) for _, y in parts) < n:
            X, y = self._classified(n, rng)
            kept = rng.uniform(size=n) < rate[y]
            parts.append((X[kept], y[kept]))
        X, y = (np.concatenate(part)[:n] for part in zip(*parts))
        return X, y

    def _features(self, n: int, rng: np.random.RandomState) -> NDArray[np.float64]:
        return self.mean + rng.normal(size=(n, len(self.mean)))

    def _classified(
        self, n: int, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        X = self._features(n, rng)
        return X, (X @ self.coef + self.noise * rng.logistic(size=n) > 0).astype(int)

    @cached_property
    def own_share(self) -> float:
        """The part of rows in class 1 that comes by itself."""
        return float(DENSITY @ self._chances())

    @property
    def odds(self) -> NDArray[np.float64]:
        """How much more often each class, 0 and 1, is drawn than by itself."""
        if self.share is None:
            return np.ones(2)
        own = self.own_share
        return np.array([(1 - self.share) / (1 - own), self.share / own])

    @property
    def intercept(self) -> float:
        """The constant of the rule.

        By Bayes' law, drawing a class more often adds the logarithm of how much
        more often to the log odds, which are the rule divided by the noise.
        """
        return float(self.noise * np.diff(np.log(self.odds))[0])

    def regression_scores(self) -> dict[str, float]:
        """Return the scores of the true function of the features seen."""
        lost = float(np.sum(self.coef[~self.seen] ** 2)) + self.noise**2
        told = float(np.sum(self.coef[self.seen] ** 2))
        return {"r2": told / (told + lost), "neg_mean_squared_error": -lost}

    def classification_scores(self) -> dict[str, float]:
        """Return the scores of the true probabilities given the features seen."""
        chances = self._chances()
        joint = self.odds * np.column_stack([1 - chances, chances])
        given = joint / joint.sum(axis=1, keepdims=True)
        return {
            "accuracy": float(DENSITY @ joint.max(axis=1)),
            "neg_log_loss": float(DENSITY @ xlogy(joint, given).sum(axis=1)),
        }

    def _chances(self) -> NDArray[np.float64]:
        """Return the chance of class 1 at each of the points along the rule."""
        # What the features that are seen say of a row is one normal number, and what
        # the others add is one more: of that the chance is known for each level of the
        # noise.
        margin = self.mean @ self.coef + np.linalg.norm(self.coef[self.seen]) * POINTS
        unseen = float(np.linalg.norm(self.coef[~self.seen]))
        if unseen and self.noise:
            levels = logit((np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
            chances = ndtr((margin[:, None] + self.noise * levels) / unseen)
            return np.asarray(chances.mean(axis=1))
        if unseen:
            return np.asarray(ndtr(margin / unseen))
        # So little noise that it is none, and a margin can be divided by it.
        return np.asarray(expit(margin / max(self.noise, 1e-12)))
