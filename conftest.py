"""Test settings that must stand before torch is first imported."""

import os

from hypothesis import settings

# How long an example takes tells of the machine and what else it does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Test workers run side by side; threads of theirs would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
