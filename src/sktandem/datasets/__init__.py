"""Real data of two sources, bundled with their licences."""

from sktandem.datasets._wine import load_wine_quality

__all__ = ["load_wine_quality"]
