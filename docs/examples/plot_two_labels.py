"""
Different labels, one trunk: what do two wines share?
=====================================================

Two cellars grade their wines: the red one as low, medium or high, the white one as good
or poor. They have no label in common, so there is nothing to merge. A net with a head
for each learns from both anyway. What does the trunk, which the heads share, learn
about wine?
"""

# %%
# Two graders
# -----------
#
# Both grades come from the same tasters' marks, 0 to 10. The net never sees the marks,
# nor does it know that "high" has to do with "good".

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sktandem import SharedNet
from sktandem.datasets import load_wine_quality

X, mark, wine = load_wine_quality(return_X_y=True)
three_steps = np.where(mark < 6, "low", np.where(mark > 6, "high", "medium"))
two_steps = np.where(mark < 6, "poor", "good")
y = np.where(wine == "red", three_steps, two_steps)

X, X_test, y, y_test, wine, wine_test, _, mark_test = train_test_split(
    X, y, wine, mark, stratify=wine, random_state=0
)
pd.crosstab(wine_test, y_test, rownames=["wine"], colnames=["label"])

# %%
# One net
# -------

model = SharedNet(task="classification", heads="source", average="ema", random_state=0)
model.fit(X, y, sample_source=wine)
model.module_

# %%
# ``transform`` returns the 32 values that the trunk passes to the heads, here for wines
# that it was not trained on. It is not told which wine is which.

embedding = model.transform(X_test)
embedding.shape

# %%
# Both wines in one picture
# -------------------------
#
# The first two principal components, of the measurements on the left and of the
# embedding on the right. As many white wines as red ones are drawn.

import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

colours = {
    ("red", "low"): "#e5a3ad",
    ("red", "medium"): "#b8304a",
    ("red", "high"): "#5a0c1c",
    ("white", "poor"): "#ead48a",
    ("white", "good"): "#a87b00",
}
pictures = {
    "the measurements": StandardScaler().fit_transform(X_test),
    "what the trunk makes of them": embedding,
}
rng = np.random.default_rng(0)
n_red = (wine_test == "red").sum()
shown = np.concatenate(
    [
        rng.choice(np.flatnonzero(wine_test == name), n_red, False)
        for name in model.sources_
    ]
)
rng.shuffle(shown)  # so that neither wine lies on top


def in_the_plane(values):
    """Return two principal components, the wines with high marks on the right."""
    plane = PCA(2).fit_transform(values)
    sign = np.sign(np.corrcoef(plane[:, 0], mark_test)[0, 1])
    return plane * [sign, 1]


fig, axes = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
for ax, (title, values) in zip(axes, pictures.items()):
    plane = in_the_plane(values)
    places = [(wine_test[row], y_test[row]) for row in shown]
    ax.scatter(*plane[shown].T, s=9, c=[colours[p] for p in places], linewidths=0)
    for (name, label), colour in colours.items():
        own = (wine_test == name) & (y_test == label)
        shape = "o" if name == "red" else "s"
        ax.plot(*plane[own].mean(axis=0), shape, color=colour, ms=13, mec="black")
    ax.set_title(title, loc="left")
    ax.set_xlabel("first component")
    ax.set_xlim(np.quantile(plane[:, 0], [0.002, 0.998]))
    ax.set_ylim(np.quantile(plane[:, 1], [0.002, 0.998]))
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("second component")
keys = [
    plt.Line2D(
        [], [], linestyle="", color=colour, mec="black", ms=9,
        marker="o" if name == "red" else "s", label=f"{name}, {label}",
    )
    for (name, label), colour in colours.items()
]  # fmt: skip
fig.legend(handles=keys, loc="outside lower center", ncols=5, frameon=False)
plt.show()

# %%
# The large markers are class means. The measurements separate the wines by colour, left
# and right. The embedding separates the colours from top to bottom, and from left to
# right both go from bad to good.

# %%
# The marks, which the net has never seen
# ---------------------------------------
#
# How well does the first component agree with the tasters' marks? The correlation
# within each wine:

pd.DataFrame(
    {
        title: {
            name: np.corrcoef(
                in_the_plane(values)[wine_test == name, 0], mark_test[wine_test == name]
            )[0, 1]
            for name in model.sources_
        }
        for title, values in pictures.items()
    }
).round(2)

# %%
# The other grader's opinion
# --------------------------
#
# ``predict_heads`` asks every head about every wine. The red head has never seen a
# white wine, and its three grades are not those of the white cellar. And yet:

opinions = model.predict_heads(X_test[wine_test == "white"])
pd.crosstab(
    pd.Series(mark_test[wine_test == "white"].astype(int), name="tasters' mark"),
    pd.Series(opinions["red"], name="what the red head says"),
    normalize="index",
).round(2)

# %%
# What it teaches
# ---------------
#
# - Two graders with no label in common still agree on what is better. The trunk has one
#   direction for it, which both heads use. The measurements alone show none: the
#   difference between good and bad is small next to that between red and white.
# - The picture shows what the heads share, not that sharing helps. For that, compare
#   scores with a net for each wine: see :ref:`nets`.
# - The red head's opinion of white wines is only as good as the two wines are alike. It
#   rises with the marks, but calls most of the average whites low.
