"""Types that annotations share; the user's data is Any, whatever holds it."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Folder", "RandomState", "ScaleBy", "UnknownSource"]

Floats = NDArray[np.float64]
Folder = str | os.PathLike[str] | None
RandomState = int | np.random.RandomState | None
ScaleBy = Literal["pooled", "source"]
UnknownSource = Literal["error", "primary", "pooled"]
