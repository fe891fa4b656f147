"""What all pictures share: the library, loaded when first used, and the colours."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from html import escape
from io import StringIO
from types import ModuleType
from typing import Any

from sktandem._extras import require

__all__ = [
    "COLORS",
    "DARK",
    "as_svg",
    "draw_alone",
    "matplotlib_for",
    "source_colors",
]

# One colour per source, the same in every picture. Neither red nor green is among
# them: a colour says which source it is, and never whether that is good or bad.
COLORS = ("#3b6ea5", "#d9a520", "#a34d8d", "#8fb8de")
DARK = "#404040"
BAND = "#e4e4e4"
# What colours of a drawing become on a page that may be dark.
HERE = {
    "#000000": "currentColor",
    DARK: "currentColor",
    BAND: "#8884",
    "#ececec": "#8883",
    "#ffffff": "Canvas",
}


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


def as_svg(figure: Any, description: str, kind: str = "") -> str:
    """Return a figure as a drawing inside HTML, in the colours of the page around it.

    What is black or white here is what text and page are there, light or dark. `kind`
    is a class for its style.
    """
    held = StringIO()
    # Text as text, and the same names each time, which differ from those of another.
    how = {"svg.fonttype": "none", "svg.hashsalt": description + kind}
    with matplotlib_for("A picture").rc_context(how):
        figure.savefig(held, format="svg", transparent=True, metadata={"Date": None})
    drawing = held.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", drawing, flags=re.S)
    # In the letters of the page.
    drawing = re.sub(r" font-family: [^;\"]*;?", "", drawing)
    drawing = re.sub(r' transform="rotate\(-0 [^"]*"', "", drawing)
    for color, here in HERE.items():
        drawing = drawing.replace(color, here)
    box = re.search(r'viewBox="[^"]*"', drawing)
    width = figure.get_figwidth() * 80
    head = (
        f'<svg role="img" aria-label="{escape(description)}" class="{kind}" '
        f'{box[0] if box else ""} fill="currentColor" style="width:{width:.0f}px">'
    )
    drawing = head + drawing[drawing.index(">") + 1 :]
    # Hundredths of a point are finer than any screen.
    drawing = re.sub(
        r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), drawing
    )
    return re.sub(r"\s*\n\s*", "\n", drawing)
