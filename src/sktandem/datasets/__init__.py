"""Real data of several sources, bundled with their licences, and made pairs."""

from sktandem.datasets._heart import load_heart_disease
from sktandem.datasets._lalonde import load_lalonde
from sktandem.datasets._make import make_two_sources
from sktandem.datasets._mushroom import load_mushroom
from sktandem.datasets._student import load_student_performance
from sktandem.datasets._wine import load_wine_quality

__all__ = [
    "load_heart_disease",
    "load_lalonde",
    "load_mushroom",
    "load_student_performance",
    "load_wine_quality",
    "make_two_sources",
]
