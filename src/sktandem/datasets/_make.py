"""A made pair of sources, whose differences and best scores are known."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktandem._settings import check_integer, check_number, is_number
from sktandem._typing import RandomState
from sktandem.datasets._loading import as_bunch, check_task
from sktandem.datasets._population import Population
from sktandem.exceptions import SourceError

__all__ = ["make_two_sources"]

RAREST = 0.001  # a rarer class would be drawn for too long


def make_two_sources(
    n_samples: int = 1000,
    *,
    task: Literal["regression", "classification"] = "regression",
    n_features: int = 5,
    names: Sequence[str] = ("first", "second"),
    size_ratio: float = 1.0,
    covariate_shift: Any = 0.0,
    label_shift: float = 0.0,
    concept_angle: float = 0.0,
    unit_factor: Any = 1.0,
    unit_offset: Any = 0.0,
    missing_features: Sequence[int] = (),
    noise: Any = 0.5,
    column: str | None = None,
    as_frame: bool = False,
    return_X_y: bool = False,
    random_state: RandomState = None,
) -> Any:
    r"""Make a pair of sources that differ in just the ways asked for.

    Whether a second dataset helps depends on how it differs from the first.
    Here each way has one parameter, the rule behind the target is returned,
    and with it the best score that any model can reach on each source. The
    first source is always the plain one; the differences are the second's.

    Parameters
    ----------
    n_samples : int, default=1000
        Rows of both sources together.

    task : {"regression", "classification"}, default="regression"
        The target: a number, or class 0 or 1.

    n_features : int, default=5
        Features, independent and normal with variance 1.

    names : pair of str, default=("first", "second")
        The names of the sources. Rows are stacked in alphabetical order.

    size_ratio : float, default=1.0
        Rows of the first source for each row of the second.

    covariate_shift : float or array-like of shape (n_features,), default=0.0
        How far the second source's feature means lie from the first's, in
        standard deviations. The rule stays as it is.

    label_shift : float, default=0.0
        Classification: what is added to the second source's share of class 1,
        by drawing rows of one class more often. The features within a class
        stay as they are.

    concept_angle : float, default=0.0
        The angle between the two sources' rules in degrees: 0 is the same
        rule, 90 an unrelated one, 180 the opposite.

    unit_factor : float or array-like of shape (n_features,), default=1.0
        The second source measures in other units: what is ``x`` in the first's
        is ``unit_factor * x + unit_offset`` in the second's.

    unit_offset : float or array-like of shape (n_features,), default=0.0
        Where the zero of the first source's units lies in the second's.

    missing_features : sequence of int, default=()
        Positions of the features that the second source does not have. They are NaN
        there, while its target still depends on them.

    noise : float or pair of floats, default=0.5
        The size of the noise, for both sources or for each: the standard
        deviation in regression, the scale of the logistic noise in
        classification. The rule itself has standard deviation 1.

    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`.

    as_frame : bool, default=False
        Return pandas objects. Needs the extra ``notebook``.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch.

    random_state : int, RandomState instance or None, default=None
        The seed of rules and rows. With one seed, pairs of the same task and
        sizes are made from the same draws, whatever their differences, as
        long as there is no label shift.

    Returns
    -------
    pair : Bunch
        With `data`, `target`, `sample_source`, `feature_names`, `target_name`,
        `target_names` (classification), and by source name:

        - `coef` (n_features,) and `intercept`: the true rule, in the first
          source's units.
        - `factor` and `offset` (n_features,): the units of its data.
        - `optimal_scores`: the score of the best model there can be, by the
          names of scikit-learn's scorers: "r2" and "neg_mean_squared_error",
          or "accuracy" and "neg_log_loss".

    Raises
    ------
    SourceError
        If a parameter is out of its range.

    See Also
    --------
    load_wine_quality : A real pair, of which nobody knows the rule.

    Notes
    -----
    With features :math:`x` in the first source's units and the rule
    :math:`f(x) = w^\top x + b`, :math:`|w| = 1`, the target is
    :math:`f(x) + \sigma\varepsilon` with normal :math:`\varepsilon`, or class 1
    where :math:`f(x) + \sigma\varepsilon > 0` with logistic
    :math:`\varepsilon`, so that
    :math:`P(y = 1 \mid x) = 1 / (1 + e^{-f(x)/\sigma})`. The intercept
    :math:`b` is 0 but for a label shift, which adds
    :math:`\sigma \log \frac{\pi' (1 - \pi)}{\pi (1 - \pi')}` when it moves the
    share of class 1 from :math:`\pi` to :math:`\pi'` [1]_.

    The best scores are those of the true function, or of the true
    probabilities, of the features the source has; what it does not have acts as
    noise. In regression :math:`R^2 = |w_{seen}|^2 / (1 + \sigma^2)` exactly. In
    classification they are integrals along the rule, computed on a fixed grid
    and right to three decimals. They hold for the population: on a
    sample a lucky model may score a little higher.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker (2002), "Adjusting the outputs
       of a classifier to new a priori probabilities: a simple procedure",
       Neural Computation 14(1), 21-41.
    .. [2] J. G. Moreno-Torres et al. (2012), "A unifying view on dataset shift in
       classification", Pattern Recognition 45(1), 521-530.

    Examples
    --------
    Two labs whose rules are at right angles. One model for both comes to
    half of what each alone allows:

    >>> from sklearn.linear_model import LinearRegression
    >>> from sktandem.datasets import make_two_sources
    >>> pair = make_two_sources(20_000, concept_angle=90, random_state=0)
    >>> model = LinearRegression().fit(pair.data, pair.target)
    >>> print(f"{model.score(pair.data, pair.target):.2f}")
    0.40
    >>> print(f"{pair.optimal_scores['first']['r2']:.2f}")
    0.80
    """
    check_task(task)
    check_integer("n_features", n_features)
    check_number("label_shift", label_shift, "that is finite", isfinite)
    check_number("concept_angle", concept_angle, "that is finite", isfinite)
    classes = task == "classification"
    one, other = _checked_names(names)
    sizes = _sizes(n_samples, size_ratio)
    shift = _per_feature("covariate_shift", covariate_shift, n_features)
    seen = _seen(missing_features, n_features)
    sigma = _noise(noise)
    rng = check_random_state(random_state)
    rules = _rules(n_features, concept_angle, rng)
    every = np.ones(n_features, dtype=bool)
    first = Population(np.zeros(n_features), rules[0], sigma[0], every)
    second = Population(shift, rules[1], sigma[1], seen)
    if label_shift:
        second = _shifted(second, label_shift, other, classes=classes)

    X, y = first.draw(sizes[0], rng, classes=classes)
    X_other, y_other = second.draw(sizes[1], rng, classes=classes)
    factor, offset = _units(unit_factor, unit_offset, n_features)
    measured = np.where(seen, factor * X_other + offset, np.nan)
    populations = {one: first, other: second}
    described: dict[str, Any] = {"target_names": ["0", "1"]} if classes else {}
    return as_bunch(
        np.vstack([X, measured]),
        np.concatenate([y, y_other]),
        np.repeat([one, other], sizes),
        feature_names=[f"x{j}" for j in range(n_features)],
        column=column,
        as_frame=as_frame,
        return_X_y=return_X_y,
        target_name="y",
        coef={name: source.coef for name, source in populations.items()},
        intercept={name: source.intercept for name, source in populations.items()},
        factor={one: np.ones(n_features), other: factor},
        offset={one: np.zeros(n_features), other: offset},
        optimal_scores={
            name: source.classification_scores()
            if classes
            else source.regression_scores()
            for name, source in populations.items()
        },
        **described,
    )


def _rules(
    n_features: int, angle: float, rng: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a direction, and turn it by the angle towards another one."""
    start, towards = rng.normal(size=(2, n_features))
    start /= np.linalg.norm(start)
    # To the last digit, where sine and cosine would round.
    if angle % 180 == 0:
        return start, start * (1 - 2 * (angle // 180 % 2))
    if n_features == 1:
        raise SourceError(
            f"concept_angle={angle} needs two features or more to turn in, got "
            "n_features=1. With one feature the angle is 0 or 180."
        )
    # At right angles to the first rule, so that the angle between both is just what was
    # asked for.
    towards -= (towards @ start) * start
    towards /= np.linalg.norm(towards)
    turn = np.deg2rad(angle)
    return start, np.cos(turn) * start + np.sin(turn) * towards


def _shifted(
    source: Population, label_shift: float, name: str, *, classes: bool
) -> Population:
    if not classes:
        raise SourceError(
            f"label_shift={label_shift} moves the shares of classes, but task is "
            "'regression'. Use task='classification', or unit_offset and "
            "covariate_shift to move numbers."
        )
    own = source.own_share
    if not RAREST <= own <= 1 - RAREST:
        raise SourceError(
            f"label_shift={label_shift} needs rows of both classes, but "
            f"covariate_shift leaves class 1 a share of {own:.4f} in {name!r}. "
            "Choose a smaller one."
        )
    share = own + label_shift
    if not RAREST <= share <= 1 - RAREST:
        raise SourceError(
            f"label_shift={label_shift} would give class 1 a share of {share:.2f} in "
            f"{name!r}, where it has {own:.2f} by itself. Choose a shift that leaves "
            "both classes some rows."
        )
    return Population(source.mean, source.coef, source.noise, source.seen, share)


# Parameters to arrays


def _checked_names(names: Any) -> tuple[str, str]:
    several = list(names) if np.iterable(names) and not isinstance(names, str) else []
    strings = [name for name in several if isinstance(name, str)]
    if len(several) != 2 or len(set(strings)) != 2:
        raise SourceError(f"names must be two different strings, got {names!r}.")
    return strings[0], strings[1]


def _sizes(n_samples: int, size_ratio: float) -> tuple[int, int]:
    check_integer("n_samples", n_samples, least=2)
    if not is_number(size_ratio) or not 0 < size_ratio < np.inf:
        raise SourceError(
            f"size_ratio must be a positive number, got {size_ratio!r}. It is the "
            "rows of the first source for each row of the second."
        )
    n_second = round(n_samples / (1 + size_ratio))
    if not 0 < n_second < n_samples:
        raise SourceError(
            f"n_samples={n_samples} at size_ratio={size_ratio} leaves a source without "
            "rows. Ask for more rows, or a ratio nearer to 1."
        )
    return n_samples - n_second, n_second


def _numbers(value: Any) -> NDArray[np.float64] | None:
    """Return finite numbers as an array; None of anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if np.isfinite(array).all() else None


def _per_feature(name: str, value: Any, n_features: int) -> NDArray[np.float64]:
    array = _numbers(value)
    if array is None or array.shape not in ((), (n_features,)):
        came = repr(value) if array is None else f"shape {array.shape}"
        raise SourceError(
            f"{name} must be a number or one for each of the {n_features} features, "
            f"got {came}."
        )
    return np.array(np.broadcast_to(array, n_features))


def _units(
    factor: Any, offset: Any, n_features: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    factors = _per_feature("unit_factor", factor, n_features)
    if not factors.all():
        raise SourceError(
            "unit_factor must not be 0: such a feature would measure nothing. "
            "missing_features leaves a feature out."
        )
    return factors, _per_feature("unit_offset", offset, n_features)


def _seen(missing: Any, n_features: int) -> NDArray[np.bool_]:
    wanted = list(missing) if np.iterable(missing) else [missing]
    if any(position not in range(n_features) for position in wanted):
        raise SourceError(
            f"missing_features must be positions from 0 to {n_features - 1}, got "
            f"{wanted}."
        )
    if len(set(wanted)) == n_features:
        raise SourceError(
            f"missing_features names all {n_features} features. Leave the second "
            "source at least one."
        )
    return ~np.isin(np.arange(n_features), wanted)


def _noise(noise: Any) -> tuple[float, float]:
    array = _numbers(noise)
    if array is None or array.shape not in ((), (2,)) or not (array >= 0).all():
        raise SourceError(
            f"noise must be a number from 0 on, or a pair of them, got {noise!r}."
        )
    first, second = np.broadcast_to(array, 2).tolist()
    return first, second
