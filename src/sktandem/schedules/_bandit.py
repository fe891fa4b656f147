"""A bandit: the losses say which source is drawn next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np

from sktandem._settings import check_choice, check_integer, check_number
from sktandem._typing import Floats
from sktandem.schedules._sampled import draw
from sktandem.schedules._schedule import EpochLength, Schedule, Sizes, Step
from sktandem.schedules._turns import last_plan, write_down

__all__ = ["Bandit"]

# Rewards whose percentiles scale the next one: few enough that they follow the loss as
# it falls.
REMEMBERED = 200
# Log weights behind the first, and no more, so that a source can come back.
FURTHEST = 6.0


class Bandit(Schedule):
    r"""Draw more often from the source where training pays.

    Which share of the batches each source should have is rarely known
    beforehand. This schedule learns it while it trains, from the losses alone
    and at no cost.

    Read more in the :ref:`User Guide <schedules>`.

    Parameters
    ----------
    reward : {"loss", "gain"}, default="loss"
        What makes a source worth drawing.

        - "loss": its training loss is high. Train where it hurts; a source that
          is all noise hurts forever.
        - "gain": its training loss falls from one visit to the next. Train where
          it helps; noisier to measure.

    floor : float, default=0.1
        The part of the draws that is spread evenly, whatever the rewards.

    step_size : float, default=0.1
        How fast the probabilities follow the rewards.

    block : int, default=16
        The batches drawn with the same probabilities. A source's batches within
        a block are one visit.

    epoch_length : {"all", "largest", "smallest"} or int, default="all"
        The batches in an epoch: "all" as many as the sources have together,
        "largest" and "smallest" as many for each source as the largest or
        smallest has, an integer that many.

    See Also
    --------
    SampledAlternation : Probabilities that you choose.
    PlateauAlternation : Let the validation losses choose, epoch by epoch.

    Notes
    -----
    This is EXP3 [1]_: source :math:`i` of :math:`S` is drawn with
    :math:`p_i = (1 - \gamma) w_i / \sum_j w_j + \gamma / S`, for `floor`
    :math:`\gamma`, and after each of its batches :math:`\log w_i` grows by
    :math:`\eta r / (S p_i)`, for `step_size` :math:`\eta`. The reward :math:`r` is
    the mean loss of the visit, or its fall since the last, scaled so that the
    20th and 80th percentile of the latest rewards are -1 and 1, and clipped
    there [2]_. No log weight falls further than 6 behind the first, so that a
    source can come back.

    References
    ----------
    .. [1] P. Auer, N. Cesa-Bianchi, Y. Freund & R. E. Schapire (2002), "The
       Nonstochastic Multiarmed Bandit Problem", SIAM Journal on Computing 32,
       48-77.
    .. [2] A. Graves, M. G. Bellemare, J. Menick, R. Munos & K. Kavukcuoglu
       (2017), "Automated Curriculum Learning for Neural Networks", ICML.

    Examples
    --------
    White's loss is twice as high as red's, so the draws move to white.

    >>> import numpy as np
    >>> from sktandem.schedules import Bandit, Sizes
    >>> sizes = Sizes(("red", "white"), n_rows=(100, 100), batch_sizes=(10, 10))
    >>> row = {"batches": []}
    >>> schedule = Bandit(epoch_length=1000)
    >>> for step in schedule.plan(sizes, [row], np.random.default_rng(0)):
    ...     row["batches"].append({"source": step.sources[0]})
    ...     row["batches"][-1]["train_loss"] = 0.4 if step.sources == (0,) else 0.8
    >>> drawn = [batch["source"] for batch in row["batches"]]
    >>> bool(np.mean(drawn[:16]) < 0.8 < np.mean(drawn[500:]) < 0.98)
    True
    """

    def __init__(
        self,
        reward: Literal["loss", "gain"] = "loss",
        *,
        floor: float = 0.1,
        step_size: float = 0.1,
        block: int = 16,
        epoch_length: EpochLength = "all",
    ) -> None:
        self.reward = reward
        self.floor = floor
        self.step_size = step_size
        self.block = block
        self.epoch_length = epoch_length

    def check(self, sizes: Sizes) -> None:
        """Refuse settings that do not fit these sources."""
        super().check(sizes)
        check_choice("reward", self.reward, ("loss", "gain"))
        check_number("floor", self.floor, "above 0 and at most 1", lambda f: 0 < f <= 1)
        check_number("step_size", self.step_size, "above 0", lambda s: s > 0)
        check_integer("block", self.block)

    def plan(
        self, sizes: Sizes, history: Sequence[dict[str, Any]], rng: np.random.Generator
    ) -> Iterator[Step]:
        """Yield the steps of one epoch."""
        state, n_sources = last_plan(history, sizes), len(sizes.names)
        if "log_weights" not in state:
            nothing: list[Any] = [None] * n_sources
            state = {"log_weights": [0.0] * n_sources, "rewards": [], "losses": nothing}
        left = sizes.steps(self.epoch_length)
        while left:
            p = self._probabilities(state["log_weights"])
            losses: list[list[float]] = [[] for _ in sizes.names]
            for source in draw(p, rng.random(min(self.block, left))):
                yield Step((source,))
                losses[source].append(history[-1]["batches"][-1]["train_loss"])
                left -= 1
            state = self._learnt(state, losses, p)
            write_down(state, history, sizes)

    def _probabilities(self, log_weights: list[float]) -> Floats:
        weights = np.exp(np.array(log_weights) - max(log_weights))
        even = np.full(len(weights), 1 / len(weights))
        return np.asarray(
            (1 - self.floor) * weights / weights.sum() + self.floor * even
        )

    def _learnt(
        self, state: dict[str, Any], losses: list[list[float]], p: Floats
    ) -> dict[str, Any]:
        """Return the state after a block, from the losses of each source in it."""
        means = [float(np.mean(own)) if own else None for own in losses]
        # A loss that is not finite teaches nothing.
        means = [m if m is not None and isfinite(m) else None for m in means]
        rewards = [
            self._reward(before, now) for before, now in zip(state["losses"], means)
        ]
        past = [*state["rewards"], *(r for r in rewards if r is not None)][-REMEMBERED:]
        log_weights = np.array(state["log_weights"])
        for source, reward in enumerate(rewards):
            if reward is not None:
                # Divided by the chance of being drawn, as in EXP3: in the long run each
                # source is paid alike for alike rewards, however seldom it was asked.
                pay = _scaled(reward, past) * len(losses[source]) / p[source]
                log_weights[source] += self.step_size * pay / len(p)
        log_weights = np.maximum(log_weights - log_weights.max(), -FURTHEST)
        kept = [m if m is not None else b for b, m in zip(state["losses"], means)]
        return {"log_weights": log_weights.tolist(), "rewards": past, "losses": kept}

    def _reward(self, before: float | None, now: float | None) -> float | None:
        if now is None or self.reward == "loss":
            return now
        return None if before is None else before - now


def _scaled(reward: float, past: list[float]) -> float:
    """Return a reward on the scale of the latest ones, from -1 to 1."""
    low, high = np.quantile(past, [0.2, 0.8])
    if low == high:
        return 0.0
    return float(np.clip(2 * (reward - low) / (high - low) - 1, -1, 1))
