"""Test settings that must stand before torch is first imported."""

import os

# Test workers run side by side; threads of theirs would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
