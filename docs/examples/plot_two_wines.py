"""
Two wines: is one model better than two?
========================================

Red and white Vinho Verde, measured by the same eleven instruments and graded by the
same tasters. The task is to predict from the chemistry whether a wine is graded low,
medium or high. There are three times as many white wines as red ones. Should the red
wines borrow from the white?

We compare five ways to use the two tables: red alone, white alone, both merged, both
with each wine scaled separately, and both with equal weight for the two wines.
"""

# %%
# One table, one column for the wine
# ----------------------------------
#
# The source is a column of the table. That is the form to use in cross-validation,
# where every split of the rows takes their source along.

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from sktandem import Merged
from sktandem.datasets import load_wine_quality
from sktandem.model_selection import SourceKFold, source_scorers

wine = load_wine_quality("classification", column="wine", as_frame=True)
pd.crosstab(wine.sample_source, wine.target, rownames=["wine"], colnames=["grade"])

# %%
# Five strategies, two learners
# -----------------------------
#
# Each strategy is one estimator. A share of 0 leaves a source out of training, so "only
# red" needs no extra code and is tested on the same rows as the others.

strategies = {
    "only red": {"balance": {"red": 1, "white": 0}},
    "only white": {"balance": {"red": 0, "white": 1}},
    "merged": {},
    "merged, scaled by source": {"scale_by": "source"},
    "merged, wines count the same": {"balance": "sources"},
}
learners = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "random forest": RandomForestClassifier(
        50, min_samples_leaf=5, max_features=3, random_state=0
    ),
}
folds = SourceKFold(5, source="wine", shuffle=True, random_state=0)
scorers = source_scorers("f1_macro", ["red", "white"], source="wine")

results = {
    (learner, strategy): cross_validate(
        Merged(estimator, source="wine", **settings),
        wine.data,
        wine.target,
        cv=folds,
        scoring=scorers,
    )
    for learner, estimator in learners.items()
    for strategy, settings in strategies.items()
}

# %%
# Macro F1 weights low, medium and high equally. The mean over five folds, and the
# standard deviation between folds:

f1 = pd.DataFrame(
    {
        (source, learner, strategy): result[f"test_f1_macro[{source}]"]
        for source in ("red", "white")
        for (learner, strategy), result in results.items()
    }
)
table = pd.DataFrame({"mean": f1.mean(), "sd": f1.std()}).unstack(0)
table.swaplevel(axis=1).sort_index(axis=1).round(3).reindex(
    pd.MultiIndex.from_product([learners, strategies])
)

# %%
# The same as a picture
# ---------------------

import matplotlib.pyplot as plt

colours = {"red": "#9b1b30", "white": "#b8860b"}
fig, axes = plt.subplots(
    1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, source in zip(axes, colours):
    for learner, shape, shift in zip(learners, "os", (-0.14, 0.14)):
        means, spread = f1[source, learner].mean(), f1[source, learner].std()
        at = np.arange(len(strategies)) + shift
        ax.errorbar(
            means[list(strategies)],
            at,
            xerr=spread[list(strategies)],
            fmt=shape,
            color=colours[source],
            markerfacecolor=colours[source] if shape == "s" else "white",
            markersize=7,
            elinewidth=1.2,
        )
    ax.set_title(f"scored on {source} wine", color=colours[source], loc="left")
    ax.set_yticks(range(len(strategies)), list(strategies))
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel("macro F1")
axes[0].invert_yaxis()
keys = [
    plt.Line2D([], [], color="0.35", marker="o", mfc="white", linestyle="", ms=7),
    plt.Line2D([], [], color="0.35", marker="s", linestyle="", ms=7),
]
fig.legend(keys, list(learners), loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %%
# What it teaches
# ---------------
#
# The folds are the same for all strategies, so they can be compared fold by fold. How
# much does each merge add to a wine's own table?

own = {"red": "only red", "white": "only white"}
gains = pd.DataFrame(
    {
        (source, learner, strategy): f1[source, learner, strategy]
        - f1[source, learner, own[source]]
        for source in own
        for learner in learners
        for strategy in list(strategies)[2:]
    }
)
for place, gain in gains.items():
    print(f"{', '.join(place):60s} {gain.mean():+.3f} (sd {gain.std():.3f})")

# %%
# - A model of the other wine is poor. The score on white promises nothing for red.
# - A linear model of both wines is a compromise. Merged logistic regression loses on
#   both, because the same acidity does not mean the same in red and white.
# - A forest can distinguish the wines by itself, so the merge costs it little. It gains
#   no more than the folds differ from each other.
# - Equal weights, or scaling each wine separately, change the figures by two points at
#   most. Neither turns the merge into a clear gain.
#
# In short: on these wines a second table adds next to nothing. One pooled score would
# not have shown that.
