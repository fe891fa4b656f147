"""What all pictures share: the library, loaded when first used, and the colours."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Hashable, Sequence
from io import BytesIO
from types import ModuleType
from typing import Any

from sktandem._extras import require

__all__ = [
    "COLORS",
    "DARK",
    "as_image",
    "draw_alone",
    "matplotlib_for",
    "source_colors",
]

# One colour per source, the same in every picture. Neither red nor green is among
# them: a colour says which source it is, and never whether that is good or bad.
COLORS = ("#3b6ea5", "#d9a520", "#22304a", "#8fb8de")
DARK = "#404040"


def matplotlib_for(what: str) -> ModuleType:
    """Return matplotlib, or say what wants it and how to get it."""
    require(what, "matplotlib")
    import matplotlib.ticker

    return matplotlib


def source_colors(sources: Sequence[Hashable]) -> dict[Hashable, str]:
    """Return the colour of each source: ours first, then matplotlib's."""
    import matplotlib

    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key().get("color", [DARK])
    # Matplotlib's first four resemble ours, or mean good and bad: passed over.
    return {
        source: COLORS[place] if place < len(COLORS) else cycle[place % len(cycle)]
        for place, source in enumerate(sources)
    }


def draw_alone(**figure: Any) -> Any:
    """Return a figure that no window and no notebook knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    alone = Figure(**{"layout": "constrained", **figure})
    FigureCanvasAgg(alone)
    return alone


def as_image(figure: Any, description: str, dpi: int = 110) -> str:
    """Return a figure as an HTML image that carries its own picture."""
    from html import escape

    held = BytesIO()
    figure.savefig(held, format="png", dpi=dpi)
    picture = b64encode(held.getvalue()).decode("ascii")
    return (
        f'<img alt="{escape(description)}" src="data:image/png;base64,{picture}" '
        f'style="max-width:100%;width:{figure.get_figwidth() * 80:.0f}px">'
    )
