"""Schedules by name."""

from __future__ import annotations

from sktandem._settings import check_choice
from sktandem.exceptions import SourceError
from sktandem.schedules._bandit import Bandit
from sktandem.schedules._batches import BatchAlternation
from sktandem.schedules._curriculum import Curriculum
from sktandem.schedules._epochs import EpochAlternation
from sktandem.schedules._joint import Joint
from sktandem.schedules._plateau import PlateauAlternation
from sktandem.schedules._sampled import SampledAlternation
from sktandem.schedules._schedule import Schedule
from sktandem.schedules._shuffled import Shuffled

__all__ = ["SCHEDULES", "resolve_schedule"]

SCHEDULES: dict[str, type[Schedule]] = {
    "epochs": EpochAlternation,
    "batches": BatchAlternation,
    "plateau": PlateauAlternation,
    "sampled": SampledAlternation,
    "curriculum": Curriculum,
    "bandit": Bandit,
    "joint": Joint,
    "shuffled": Shuffled,
}

PHASES = "Phases([('epochs', 4), ('batches', 6)])"


def resolve_schedule(schedule: str | Schedule) -> Schedule:
    """Return a schedule as it came, or by its name with its defaults.

    Parameters
    ----------
    schedule : str or Schedule
        "epochs", "batches", "plateau", "sampled", "curriculum", "bandit",
        "joint", "shuffled", or an instance.

    Returns
    -------
    schedule : Schedule
        The instance.

    Raises
    ------
    SourceError
        If it is neither.

    Examples
    --------
    >>> from sktandem.schedules import resolve_schedule
    >>> resolve_schedule("epochs")
    EpochAlternation()
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, type) and issubclass(schedule, Schedule):
        name = schedule.__name__
        instance = PHASES if name == "Phases" else f"{name}()"
        raise SourceError(
            f"schedule must be an instance, got the class {name}. Pass {instance}."
        )
    if isinstance(schedule, str) and schedule == "phases":
        raise SourceError(
            f"schedule='phases' needs its phases. Pass them, such as {PHASES}."
        )
    check_choice("schedule", schedule, SCHEDULES, " or an instance of a schedule")
    return SCHEDULES[schedule]()
