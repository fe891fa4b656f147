"""
Bring a model, not the data
===========================

Three hospitals have published a model; the fourth has 20 patients of its own, or 80. It
never sees the others' data, only their model: a *donor*. :class:`~sktandem.Tandem`
blends the donor, as it is and recalibrated on the hospital's own patients, with the
hospital's own model.
"""

# %%
# Each hospital in turn is the fourth. The loss is log loss on its other patients.

import warnings

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from sktandem import SourceWarning, Tandem, table_preprocessor
from sktandem.datasets import load_heart_disease

X, y, hospital = load_heart_disease(return_X_y=True)


def estimator():
    return make_pipeline(table_preprocessor(), LogisticRegression(max_iter=1000))


def losses(name, n_rows, seed):
    """Return what own model, donor and blend lose on the patients left."""
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.flatnonzero(hospital == name))
    train, test = own[:n_rows], own[n_rows:]
    elsewhere = hospital != name
    donor = estimator().fit(X[elsewhere], y[elsewhere])
    alone = estimator().fit(X[train], y[train])
    blend = Tandem(
        estimator(), donors={"published": donor}, scaler=None, random_state=0
    ).fit(X[train], y[train])
    models = {"own model": alone, "donor": donor, "blend": blend}
    return {
        key: log_loss(y[test], model.predict_proba(X[test]), labels=[0, 1])
        for key, model in models.items()
    }


warnings.simplefilter("ignore", SourceWarning)
rows = [
    {"own rows": n_rows, **losses(name, n_rows, seed)}
    for n_rows in (20, 80)
    for name in ("cleveland", "hungarian", "va")
    for seed in range(5)
]
table = pd.DataFrame(rows).groupby("own rows").mean().round(3)
table

# %%
# The donor as it is has the wrong base rate: it was made where more, or fewer, patients
# are ill. A model of 20 patients is too weak. The blend uses the donor's ranking and
# the hospital's base rate and, as rows are added, ever more of the own model.

import matplotlib.pyplot as plt

ax = table.plot.bar(rot=0, color=["#3b6ea5", "#d9a520", "#a34d8d"], figsize=(6, 3.4))
_ = ax.set(xlabel="patients of its own", ylabel="log loss on its other patients")
ax.legend(frameon=False)
plt.tight_layout()
