"""
Shared pupils: how a merge can fool you
=======================================

Two Portuguese schools graded their pupils in mathematics and in Portuguese, and many
pupils are in both files. Does the Portuguese file help to predict the grades in
mathematics? If you split by rows, the answer is yes. If you split by pupils, it is no.
"""

# %%
# The same people in two tables
# -----------------------------
#
# Every pupil answered the same questions about home and school. Answers that do not
# change between the two lessons identify a pupil; the loader numbers them in
# ``groups``.

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score

from sktandem import Merged, table_preprocessor
from sktandem.datasets import load_student_performance
from sktandem.model_selection import SourceKFold

pupils = load_student_performance(column="subject")
X, y, people = pupils.data, pupils.target, pupils.groups
math = pupils.sample_source == "math"
also_portuguese = np.isin(people[math], people[~math])
print(f"{math.sum()} grades in mathematics, {(~math).sum()} in Portuguese")
print(f"{also_portuguese.mean():.0%} of the former belong to a person in both files")

# %%
# Their two grades are correlated, which is why it matters:

grades = pd.DataFrame({"person": people, "subject": pupils.sample_source, "grade": y})
both = grades.groupby(["person", "subject"])["grade"].mean().unstack().dropna()
print(f"{len(both)} people in both, correlation of their grades:", end=" ")
print(round(both["math"].corr(both["portuguese"]), 2))

# %%
# Three ways to split
# -------------------
#
# Only mathematics is tested, and ``test_source="math"`` keeps the Portuguese rows in
# training. The three splits differ only in which of these rows stay:
#
# *by rows*
#     all of them, including those of the pupils who are tested;
# *by rows, as few*
#     as many as in the next split, but those of other pupils are left out instead. This
#     separates the effect of fewer training rows from the effect of the leak;
# *by pupils*
#     only those of other pupils. This is what ``groups=`` does.
#
# The test rows are the same in all three.


def splits(seed):
    """Yield a fold's test rows, and its training rows of the three kinds."""
    rng = np.random.default_rng(seed)
    folds = SourceKFold(
        5, source="subject", test_source="math", shuffle=True, random_state=seed
    )
    for by_pupils, test in folds.split(X, y, groups=people):
        by_rows = np.setdiff1d(np.arange(len(y)), test)
        n_companions = len(by_rows) - len(by_pupils)
        strangers = by_pupils[~math[by_pupils]]
        left_out = rng.choice(strangers, n_companions, replace=False)
        yield {
            "by rows": (by_rows, test),
            "by rows, as few": (np.setdiff1d(by_rows, left_out), test),
            "by pupils": (by_pupils, test),
        }


# %%
# Mathematics alone, and both subjects merged, with the same forest. Predicting the
# mean grade would give an R² of 0.

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
            cv=[fold["by pupils"] for fold in folds],
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
    "both subjects,\nby pupils",
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
# The difference from mathematics alone, fold by fold; the last row is what the split by
# rows adds to the honest one:

gain = r2.drop(columns=[order[0]]).sub(r2[order[0]], axis=0)
gain.columns = gain.columns.droplevel(0)
gain["by rows less by pupils"] = gain["by rows"] - gain["by pupils"]
gain.agg(["mean", "std", lambda g: (g > 0).mean()]).T.set_axis(
    ["mean", "sd of the folds", "part of the folds above 0"], axis=1
).round(3)

# %%
# Split by rows, the Portuguese file seems to help: the forest finds the tested pupil
# among its training rows, with a grade. Having more training rows is not the reason, as
# the second row shows. For a new pupil the gain is gone, and in most folds the merge is
# worse than mathematics alone; how much worse is uncertain, because the folds differ by
# more than that. What is certain is that splitting by rows flatters the merge, in fold
# after fold.
#
# In your own work all of this is one argument:

honest = cross_val_score(
    model(),
    X,
    y,
    groups=people,
    cv=SourceKFold(
        5, source="subject", test_source="math", shuffle=True, random_state=0
    ),
    scoring="r2",
)
print(f"R² with groups=people: {honest.mean():.2f}")

# %%
# If nobody has numbered the people for you, :func:`~sktandem.shift.find_shared_rows`
# does.
