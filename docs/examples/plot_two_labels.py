"""
Different labels, one trunk: what do two wines share?
=====================================================

Two cellars grade their wines. The red one knows three steps, the white one only good
and poor. No label is common to both, so there is no table to merge. A net with a head
for each learns from both all the same. What does its trunk, which they share, make of
a wine?
"""

# %%
# Two graders
# -----------
#
# Both grades come from the same tasters' marks, 0 to 10, and the net knows neither
# the marks nor that "high" has to do with "good".

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
# ``transform`` gives the 32 values that the trunk passes to the heads, for wines that
# it was not trained on. It does not know which wine is which.

embedding = model.transform(X_test)
embedding.shape

# %%
# Both wines in one picture
# -------------------------
#
# The two directions in which the rows differ most, of the measurements on the left and
# of the embedding on the right. White wines are thinned out to as many as the red.

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
# The large marks are the means of the classes. By the measurements the wines part by
# their colour, left and right. In the embedding they part from top to bottom, and from
# left to right both go from bad to good.

# %%
# The marks, which the net has never seen
# ---------------------------------------
#
# How far does the place on the first component agree with the tasters' marks? The
# correlation within each wine:

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
# ``predict_heads`` asks every head about every wine. The red head has never met a
# white wine, and its three steps are not those of the white cellar. And yet:

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
# - Two graders without a common word still agree on what is better. The trunk has one
#   direction for it, which both heads use. By the measurements alone there is none:
#   what tells good from bad is small next to what tells red from white.
# - The picture shows what the heads share, and not that sharing pays. Whether it does
#   is a matter of scores, next to those of a net for each wine: see :ref:`nets`.
# - The red head's opinion of white wines is worth what the likeness of the two is
#   worth. It rises with the marks, and it calls most of the middling whites low. Nobody
#   has taught it better.
