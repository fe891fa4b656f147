"""Schedules: who trains when."""

from sktandem.schedules._bandit import Bandit
from sktandem.schedules._batches import BatchAlternation
from sktandem.schedules._curriculum import Curriculum
from sktandem.schedules._epochs import EpochAlternation
from sktandem.schedules._joint import Joint
from sktandem.schedules._names import resolve_schedule
from sktandem.schedules._phases import Phases
from sktandem.schedules._plateau import PlateauAlternation
from sktandem.schedules._sampled import SampledAlternation
from sktandem.schedules._schedule import (
    CHECK,
    STOP,
    Check,
    Schedule,
    Sizes,
    Step,
    Stop,
    finished,
)
from sktandem.schedules._shuffled import Shuffled

__all__ = [
    "CHECK",
    "STOP",
    "Bandit",
    "BatchAlternation",
    "Check",
    "Curriculum",
    "EpochAlternation",
    "Joint",
    "Phases",
    "PlateauAlternation",
    "SampledAlternation",
    "Schedule",
    "Shuffled",
    "Sizes",
    "Step",
    "Stop",
    "finished",
    "resolve_schedule",
]
