"""Turns: who comes next, spread as evenly as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import repeat
from math import lcm
from typing import Any

from sktandem.schedules._schedule import EpochLength, Sizes, finished

__all__ = ["evenly", "last_plan", "own_pass", "turns", "write_down"]

MOST_KNOWN = 100_000  # turns of a plan that is kept


def evenly(shares: Sequence[float], n_steps: int) -> Iterator[int]:
    """Yield the source of each step, as evenly spread as can be.

    After `t` steps a source of share :math:`p` has had :math:`pt` of them, give
    or take :math:`1 - 1/(2S - 2)` for :math:`S` sources: never a whole step [1]_.
    No rule can promise less. A tie goes to the source first in order.

    References
    ----------
    .. [1] R. Tijdeman (1980), "The chairman assignment problem", Discrete
       Mathematics 32, 323-330.

    Examples
    --------
    >>> from sktandem.schedules._turns import evenly
    >>> list(evenly([3, 1], 8))
    [0, 0, 1, 0, 0, 0, 1, 0]
    """
    # Among those owed enough to be chosen, the one goes next that would first
    # be owed too much. To serve whoever is owed most is simpler, but with many
    # sources it falls behind by several steps. Whole numbers keep ties ties.
    parts = [Fraction(share) for share in shares]
    unit = lcm(*(part.denominator for part in parts))
    weights = [int(part * unit) for part in parts]
    total, scale = sum(weights), max(2 * len(weights) - 2, 1)
    taken = [0] * len(weights)
    for step in range(1, n_steps + 1):
        chosen, soonest = -1, float("inf")
        for source, weight in enumerate(weights):
            owed = scale * (weight * step - total * taken[source])
            if owed < total:
                continue
            due = ((scale - 1) * total - owed) / weight
            if due < soonest:
                chosen, soonest = source, due
        taken[chosen] += 1
        yield chosen


def turns(n_batches: Sequence[int], batches_per_turn: int) -> Iterator[int]:
    """Yield the source of each batch: every batch once, in turns spread evenly.

    The last turn of a source is the short one.
    """
    # Kept, as every epoch of every fold asks for the same: fractions take their time.
    known = sum(n_batches) <= MOST_KNOWN
    made = _known_turns if known else _turns
    return iter(made(tuple(n_batches), batches_per_turn))


def _turns(n_batches: tuple[int, ...], batches_per_turn: int) -> Iterator[int]:
    n_turns = [-(-n // batches_per_turn) for n in n_batches]
    left = list(n_batches)
    for source in evenly(n_turns, sum(n_turns)):
        length = min(batches_per_turn, left[source])
        left[source] -= length
        yield from repeat(source, length)


@lru_cache(maxsize=32)
def _known_turns(n_batches: tuple[int, ...], batches_per_turn: int) -> tuple[int, ...]:
    return tuple(_turns(n_batches, batches_per_turn))


def own_pass(sizes: Sizes, source: int, epoch_length: EpochLength) -> int:
    """Return the batches of an epoch that one source has for itself."""
    if not isinstance(epoch_length, str):
        return int(epoch_length)
    if epoch_length == "all":
        return sizes.n_batches[source]
    return max(sizes.n_batches) if epoch_length == "largest" else min(sizes.n_batches)


def last_plan(history: Sequence[dict[str, Any]], sizes: Sizes) -> dict[str, Any]:
    """Return what the plan of the last finished epoch wrote down, if anything.

    Places tell other sources where others take part, so that such a plan is
    forgotten.
    """
    past = finished(history)
    plan = dict(past[-1].get("plan", {})) if past else {}
    return plan if plan.pop("names", None) == _texts(sizes) else {}


def write_down(
    plan: dict[str, Any], history: Sequence[dict[str, Any]], sizes: Sizes
) -> None:
    """Keep what a plan must remember in the row of its epoch."""
    history[-1]["plan"] = plan | {"names": _texts(sizes)}


def _texts(sizes: Sizes) -> list[str]:
    return [str(name) for name in sizes.names]
