"""
Shared pupils: how a merge can fool you
=======================================

Two Portuguese schools graded their pupils in mathematics and in Portuguese. Many
pupils are in both files. Does the Portuguese file help to foresee the grades in
mathematics? Split by rows, the answer is yes. Split by persons, it is no.
"""

# %%
# The same persons in two tables
# ------------------------------
#
# Every pupil answered the same questions about home and school. Answers that
# hardly change from one lesson to the next tell who is the same person; the loader
# numbers the persons in ``groups``.

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score

from sktandem import Merged, table_preprocessor
from sktandem.datasets import load_student_performance
from sktandem.model_selection import SourceKFold

pupils = load_student_performance(column="subject")
X, y, persons = pupils.data, pupils.target, pupils.groups
math = pupils.sample_source == "math"
also_portuguese = np.isin(persons[math], persons[~math])
print(f"{math.sum()} grades in mathematics, {(~math).sum()} in Portuguese")
print(f"{also_portuguese.mean():.0%} of the former belong to a person in both files")

# %%
# Their two grades go together, which is why it matters:

grades = pd.DataFrame({"person": persons, "subject": pupils.sample_source, "grade": y})
both = grades.groupby(["person", "subject"])["grade"].mean().unstack().dropna()
print(f"{len(both)} persons in both, correlation of their grades:", end=" ")
print(round(both["math"].corr(both["portuguese"]), 2))

# %%
# Three ways to split
# -------------------
#
# Only mathematics is tested; ``test_source="math"`` keeps all Portuguese rows in
# training. They differ in one thing only, which of these rows may stay:
#
# *by rows*
#     all of them: also those of the very pupils who are tested;
# *by rows, as few*
#     as many as in the next one, but chosen among the others. This tells the loss
#     of training rows from the loss of the leak;
# *by persons*
#     those of other persons. This is what ``groups=`` does.
#
# The test rows are the same in all three, so that nothing else can differ.


def splits(seed):
    """Yield a fold's test rows, and its training rows of the three kinds."""
    rng = np.random.default_rng(seed)
    folds = SourceKFold(
        5, source="subject", test_source="math", shuffle=True, random_state=seed
    )
    for by_persons, test in folds.split(X, y, groups=persons):
        by_rows = np.setdiff1d(np.arange(len(y)), test)
        n_companions = len(by_rows) - len(by_persons)
        strangers = by_persons[~math[by_persons]]
        left_out = rng.choice(strangers, n_companions, replace=False)
        yield {
            "by rows": (by_rows, test),
            "by rows, as few": (np.setdiff1d(by_rows, left_out), test),
            "by persons": (by_persons, test),
        }


# %%
# Mathematics alone, and both subjects merged, with the same forest. A fold's R² is
# 0 for whoever foretells the mean grade.

forest = RandomForestRegressor(50, min_samples_leaf=2, random_state=0)


def model(**settings):
    """Return a forest on a mixed table."""
    return Merged(forest, source="subject", scaler=table_preprocessor(), **settings)


folds = [fold for seed in range(3) for fold in splits(seed)]
r2 = pd.DataFrame(
    {
        ("mathematics alone", "any"): cross_val_score(
            model(balance={"math": 1, "portuguese": 0}),
            X,
            y,
            cv=[fold["by persons"] for fold in folds],
            scoring="r2",
        )
    }
    | {
        ("both subjects", kind): cross_val_score(
            model(), X, y, cv=[fold[kind] for fold in folds], scoring="r2"
        )
        for kind in folds[0]
    }
)
r2.agg(["mean", "std"]).T.round(3)

# %%
# Each grey line is one fold; the bars are the means:

import matplotlib.pyplot as plt

colours = {"math": "#1b6ca8", "both": "#c8553d"}
order = [("mathematics alone", "any"), *[("both subjects", kind) for kind in folds[0]]]
labels = [
    "mathematics\nalone",
    "both subjects,\nby rows",
    "both subjects,\nby rows, as few",
    "both subjects,\nby persons",
]
fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
ax.plot(range(4), r2[order].T, color="0.85", linewidth=1)
for at, column in enumerate(order):
    colour = colours["math"] if at == 0 else colours["both"]
    ax.plot([at] * len(r2), r2[column], "o", color=colour, alpha=0.35, ms=5, mew=0)
    ax.plot([at - 0.2, at + 0.2], [r2[column].mean()] * 2, color=colour, linewidth=3)
    ax.annotate(
        f"{r2[column].mean():.2f}",
        (at + 0.24, r2[column].mean()),
        va="center",
        color=colour,
        weight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
ax.axhline(r2[order[0]].mean(), color=colours["math"], lw=1, ls=":", zorder=0)
ax.set_xticks(range(4), labels)
ax.set_xlim(-0.5, 3.6)
ax.set_ylabel("R² on mathematics")
ax.spines[["top", "right"]].set_visible(False)
ax.tick_params(axis="x", length=0)
plt.show()

# %%
# What it teaches
# ---------------
#
# The difference to mathematics alone, fold by fold, and in the last row what the
# split by rows adds to the honest one:

gain = r2.drop(columns=[order[0]]).sub(r2[order[0]], axis=0)
gain.columns = gain.columns.droplevel(0)
gain["by rows less by persons"] = gain["by rows"] - gain["by persons"]
gain.agg(["mean", "std", lambda g: (g > 0).mean()]).T.set_axis(
    ["mean", "sd of the folds", "part of the folds above 0"], axis=1
).round(3)

# %%
# Split by rows, the Portuguese file seems to help: the forest finds the tested
# pupil among its training rows, with a grade. Fewer training rows are not the
# reason, as the second row tells. For a new pupil, whom no file knows, the gain is
# gone; in most folds the merge is then worse than mathematics alone. How much worse
# is not certain, because the folds differ by more than that. That splitting by rows
# flatters the merge is certain: it does so in fold after fold, as the last row tells.
#
# In one line of code, without any of the above:

honest = cross_val_score(
    model(),
    X,
    y,
    groups=persons,
    cv=SourceKFold(
        5, source="subject", test_source="math", shuffle=True, random_state=0
    ),
    scoring="r2",
)
print(f"R² with groups=persons: {honest.mean():.2f}")

# %%
# Where no loader numbers the persons, :func:`~sktandem.shift.find_shared_rows` does.
