"""Draw the pictures of the README and the guide: ``python docs/pictures.py``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split

from sktandem import Merged, Tandem, table_preprocessor
from sktandem.datasets import (
    load_heart_disease,
    load_wine_quality,
    make_two_sources,
)
from sktandem.model_selection import compare_strategies

FOLDER = Path(__file__).parent / "_static"
# Letters stay letters, and the same picture has the same bytes.
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sktandem",
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "DejaVu Sans"],
    "figure.facecolor": "white",
}
BLUE, YELLOW = "#3b6ea5", "#d9a520"


def blend():
    """Draw the weights and the gains of a blend of four hospitals."""
    X, y, hospital = load_heart_disease(return_X_y=True)
    model = Tandem(
        LogisticRegression(max_iter=1000), scaler=table_preprocessor(), random_state=0
    ).fit(X, y, sample_source=hospital)
    return model.gain_.plot().figure_


def compare():
    """Draw the verdicts about two wines."""
    X, y, wine = load_wine_quality(return_X_y=True)
    comparison = compare_strategies(
        None, X, y, sample_source=wine, n_repeats=5, random_state=0, progress=False
    )
    return comparison.plot().figure_


def merge():
    """Draw how two ways of scaling fare on two pairs of labs."""
    pairs = {
        "instruments differ\n(°C and °F)": {"unit_factor": 1.8, "unit_offset": 32},
        "samples differ\n(one lab's are warmer)": {"covariate_shift": 2.0},
    }
    figure, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    for place, settings in enumerate(pairs.values()):
        labs = make_two_sources(4000, random_state=0, **settings)
        X, X_test, y, y_test, lab, lab_test = train_test_split(
            labs.data, labs.target, labs.sample_source, random_state=0
        )
        for way, color, shift in (
            ("pooled", BLUE, -0.19),
            ("source", YELLOW, 0.19),
        ):
            model = Merged(Ridge(), scale_by=way).fit(X, y, sample_source=lab)
            score = model.score(X_test, y_test, sample_source=lab_test)
            label = f'scale_by="{way}"' if place == 0 else None
            bar = ax.barh(place + shift, score, 0.36, color=color, label=label)
            ax.bar_label(bar, fmt="%.2f", padding=4)
    ax.set_yticks(range(len(pairs)), list(pairs))
    ax.invert_yaxis()
    ax.set_xlim(0, 1.08)
    ax.set_xlabel("R² on held-out rows")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def main(names):
    """Write the pictures that are named, or all."""
    warnings.simplefilter("ignore")
    for draw in (blend, compare, merge):
        if names and draw.__name__ not in names:
            continue
        path = FOLDER / f"{draw.__name__}.svg"
        with plt.rc_context(STYLE):
            draw().savefig(path, bbox_inches="tight", metadata={"Date": None})
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
