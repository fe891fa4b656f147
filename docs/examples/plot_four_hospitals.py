"""
Four hospitals: will the model work at the next one?
====================================================

Four hospitals examined patients with chest pain. In Cleveland fewer than half of them
turned out to be ill, in Switzerland nine of ten. Many values are missing. How good is
one model for all four, and how good would it be at a hospital that gave it no patients?
"""

# %%
# A mixed table with holes
# ------------------------

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from sktandem import Merged, table_preprocessor
from sktandem.datasets import load_heart_disease
from sktandem.model_selection import LeaveOneSourceOut, SourceKFold

heart = load_heart_disease(column="hospital", as_frame=True)
hospital = heart.sample_source
features = heart.data.drop(columns="hospital")
pd.DataFrame(
    {
        "patients": heart.target.groupby(hospital).size(),
        "ill": heart.target.groupby(hospital).mean().round(2),
        "missing values": features.isna()
        .mean(axis=1)
        .groupby(hospital)
        .mean()
        .round(2),
        "no cholesterol": features["chol"].isna().groupby(hospital).mean().round(2),
    }
)

# %%
# :func:`~sktandem.table_preprocessor` imputes, encodes and scales. Given as
# ``scaler``, it is fitted inside ``fit``, on training patients only.

merged = Merged(
    LogisticRegression(max_iter=1000), source="hospital", scaler=table_preprocessor()
)

# %%
# A known hospital, and a new one
# -------------------------------
#
# With :class:`~sktandem.model_selection.SourceKFold` every hospital takes part in
# training. With :class:`~sktandem.model_selection.LeaveOneSourceOut` the tested
# hospital does not. Either way each patient is predicted once, by a model that did not
# see that patient.

known = SourceKFold(5, source="hospital", shuffle=True, random_state=0)
new = LeaveOneSourceOut(source="hospital")


def predicted(model, cv):
    """Return each patient's probability of being ill, out of training."""
    table = cross_val_predict(
        model, heart.data, heart.target, cv=cv, method="predict_proba"
    )
    return table[:, 1]


probability = {
    "known hospital": predicted(merged, known),
    "new hospital": predicted(merged, new),
}

# %%
# Two metrics, because two things can go wrong. The *area under the ROC curve* shows
# whether the ill are ranked above the healthy, the *accuracy* whether the threshold
# between them is right. The intervals come from 300 bootstrap samples of a hospital's
# patients.


def accuracy(y, p):
    """Return the part of the patients on the right side of one half."""
    return accuracy_score(y, p > 0.5)


def interval(measure, y, p, rng):
    """Return the middle 90 percent of a measure over redrawn patients."""
    draws = rng.integers(len(y), size=(300, len(y)))
    both = [rows for rows in draws if 0 < y[rows].sum() < len(rows)]
    return np.quantile([measure(y[rows], p[rows]) for rows in both], [0.05, 0.95])


rng = np.random.default_rng(0)
rows = []
for name in np.unique(hospital):
    here = hospital == name
    y = heart.target[here].to_numpy()
    for situation, p in probability.items():
        for measure in (roc_auc_score, accuracy):
            low, high = interval(measure, y, p[here], rng)
            score = measure(y, p[here])
            rows.append((measure.__name__, name, situation, score, low, high))
scores = pd.DataFrame(
    rows, columns=["measure", "hospital", "situation", "score", "low", "high"]
).set_index(["measure", "hospital", "situation"])
scores["score"].unstack().round(3)

# %%

import matplotlib.pyplot as plt

colours = {
    "cleveland": "#1b6ca8",
    "hungarian": "#2a9d6f",
    "switzerland": "#d1495b",
    "va": "#8d5fa8",
}
places = {
    "cleveland": "Cleveland",
    "hungarian": "Budapest",
    "switzerland": "Zurich and Basel",
    "va": "Long Beach",
}
ill = heart.target.groupby(hospital).mean()
titles = {"roc_auc_score": "Area under the ROC curve", "accuracy": "Accuracy"}
always = {name: max(share, 1 - share) for name, share in ill.items()}
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, (measure, title) in zip(axes, titles.items()):
    for at, (name, colour) in enumerate(colours.items()):
        for situation, shift, face in (
            ("known hospital", -0.15, colour),
            ("new hospital", 0.15, "white"),
        ):
            score, low, high = scores.loc[(measure, name, situation)]
            ax.plot([low, high], [at + shift] * 2, color=colour, linewidth=1.2)
            ax.plot(score, at + shift, "o", color=colour, markerfacecolor=face, ms=8)
        if measure == "accuracy":
            ax.plot(
                [always[name]] * 2, [at - 0.33, at + 0.33], color="0.35", lw=2, zorder=1
            )
    ax.set_title(title, loc="left")
    ax.set_yticks(range(4), [f"{places[n]}\n{ill[n]:.0%} ill" for n in colours])
    ax.xaxis.set_major_locator(plt.MultipleLocator(0.1))
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
axes[0].invert_yaxis()
keys = [
    plt.Line2D([], [], color="0.35", marker="o", linestyle="", ms=8),
    plt.Line2D([], [], color="0.35", marker="o", mfc="white", linestyle="", ms=8),
    plt.Line2D([], [], color="0.35", marker="|", linestyle="", ms=13, mew=2),
]
names = ["known hospital", "new hospital", "always the commoner answer"]
fig.legend(keys, names, loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# The ranking carries over to a new hospital, the threshold does not. In Cleveland the
# area under the curve hardly falls when Cleveland is new, but the accuracy falls far: a
# model trained where most patients are ill says "ill" too often. In Switzerland, where
# nearly all are ill, no model beats always saying "ill"; and with eight healthy
# patients the ranking is known only roughly.

# %%
# Do balancing or scaling by source help?
# ---------------------------------------
#
# Four settings, each tested on the hospital that was left out. Scaling by source needs
# a rule for a hospital that was not in training: here the scale of all the others.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

settings = {
    "merged": merged,
    "hospitals count the same": Merged(
        LogisticRegression(max_iter=1000),
        source="hospital",
        scaler=table_preprocessor(),
        balance="sources",
    ),
    "ill and healthy count the same": Merged(
        LogisticRegression(max_iter=1000),
        source="hospital",
        scaler=table_preprocessor(),
        balance="classes",
    ),
    "numbers scaled by hospital": Merged(
        make_pipeline(
            table_preprocessor(scaler=None), LogisticRegression(max_iter=5000)
        ),
        source="hospital",
        scale_by="source",
        unknown_source="pooled",
    ),
}
left_out = {}
for setting, model in settings.items():
    p = predicted(model, new)
    for name in colours:
        y, p_here = heart.target[hospital == name], p[hospital == name]
        left_out[setting, name] = {
            "accuracy": accuracy(y, p_here),
            "AUC": roc_auc_score(y, p_here),
            "called ill": np.mean(p_here > 0.5),
        }
pd.DataFrame(left_out).T.unstack().loc[list(settings)].round(2)

# %%
# ``balance="classes"`` removes each hospital's base rate from the training, and fewer
# patients are called ill. That is good for the accuracy in Cleveland and Budapest,
# where fewer than half are, and bad in Long Beach, where three of four are. The ranking
# in Cleveland gets worse, because eight healthy Swiss patients now weigh as much as 115
# ill ones. Equal weights for the hospitals give the Swiss table more influence, and the
# accuracy in Cleveland falls. Scaling the numbers by hospital helps in Switzerland and
# harms in Cleveland.
#
# No setting wins everywhere, and a difference of two or three points is within the
# intervals above. Which one to take depends on the hospital you care about. That is
# what a score per source is for.
